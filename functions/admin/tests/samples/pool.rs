//! Owns the sample of a pool: two working days with a rush in the morning of each, and ECS without
//! room for the last minutes. Must not know how pages look.

use casting_core::PoolView;
use casting_core::ids::{Reference, SessionId, StagingId};
use casting_core::permission::Grant;
use casting_core::pool_history::{PoolHistory, PoolObservation, SPAN_SECONDS};
use casting_core::pool_plan::PoolPlan;
use casting_core::session::{Endpoint, LaunchSpec, Session, State};
use casting_core::staging::{StagingConfig, StagingSettings};
use casting_core::testing::{self, NOON};
use casting_core::time::Timestamp;
use casting_fn_admin::console::page_context::PageContext;
use casting_fn_admin::console::pool;
use serde_json::{Value, json};

/// How many sessions it keeps.
const DESIRED: u32 = 6;
/// Spans that are known: two days.
const SPANS: u64 = 192;
/// How long ago ECS said that it had no room, in seconds.
const REFUSED_AGO: u64 = 20;

/// The state of the pool, as it stands over its form.
pub fn state(context: &PageContext) -> String {
    let made = NOON.minus_seconds(SPANS * SPAN_SECONDS.unsigned_abs());
    let pool = StagingConfig {
        id: StagingId::from_bytes([7; 16]),
        version: 4,
        settings: settings(),
        created_at: made,
        updated_at: made,
    };
    let waiting: Vec<Session> = (1..DESIRED).map(|number| session(&pool, number)).collect();
    let views: Vec<Value> = waiting.iter().map(row).collect();
    let log = log(&pool.id);
    let plan = PoolPlan {
        wanted: DESIRED,
        paused_until: log.paused_until(pool.updated_at, NOON),
        ..PoolPlan::default()
    };
    let view = PoolView {
        waiting,
        plan,
        log,
        hour_micros: Some(49_368),
        at: NOON,
    };
    pool::state(context, &pool.settings, &view, &views)
}

fn settings() -> StagingSettings {
    StagingSettings {
        name: "Workshop browsers".into(),
        description: String::new(),
        enabled: true,
        image_id: testing::image(1).id,
        network: None,
        group_id: None,
        desired_sessions: DESIRED,
        expiration_hours: 24,
        schedule: None,
        daily_budget_cents: Some(800),
    }
}

/// The second newest is still starting, the others are ready.
fn session(pool: &StagingConfig, number: u32) -> Session {
    let image = testing::image(1);
    let id = SessionId::from_bytes([u8::try_from(number).unwrap_or_default(); 16]);
    let begun = NOON.minus_seconds(u64::from(DESIRED - number) * 4000);
    let session = Session::staged(
        id,
        pool,
        &image,
        LaunchSpec::of(&image, None, None),
        Grant::default(),
        "",
        begun,
    );
    if number + 2 == DESIRED {
        return session;
    }
    session
        .ready(
            Endpoint {
                host: "10.0.0.1".into(),
                port: 8080,
            },
            begun.plus_seconds(31),
        )
        .expect("gets ready")
}

fn row(session: &Session) -> Value {
    let is_ready = matches!(session.state, State::Ready { .. });
    json!({
        "id": session.id, "reference": Reference::of(&session.id), "state": if is_ready { "ready" } else { "starting" },
        "pool": {"id": "staging-1", "name": "Workshop browsers", "place": "waiting"}, "image_name": "Chromium", "owner": {"kind": "nobody"},
        "shared": false, "created_at": session.created_at.to_string(),
        "ends_at": is_ready.then(|| session.created_at.plus_seconds(86_400).to_string()),
    })
}

fn log(id: &StagingId) -> PoolHistory {
    let begins = NOON.minus_seconds(SPANS * SPAN_SECONDS.unsigned_abs());
    let mut log = PoolHistory::new(id.clone(), begins);
    for span in 1..=SPANS {
        let at = begins.plus_seconds(span * SPAN_SECONDS.unsigned_abs());
        log = log.noted(seen(at), at);
    }
    log.note_failure(
        NOON.minus_seconds(REFUSED_AGO),
        "ECS had no room.".into(),
        NOON.minus_seconds(REFUSED_AGO),
    );
    log
}

/// More visitors come than sessions wait between eight and ten; none come at night.
fn seen(at: Timestamp) -> PoolObservation {
    let hour = at.seconds().div_euclid(3600).rem_euclid(24);
    let (ready, starting, assigned, missed) = match hour {
        8 => (1, 5, 9, 2),
        9 => (2, 4, 6, 1),
        10..=17 => (5, 1, 2, 0),
        _ => (DESIRED, 0, 0, 0),
    };
    PoolObservation {
        ready,
        starting,
        assigned,
        missed,
        hour_micros: 49_368,
    }
}
