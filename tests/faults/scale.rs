//! Pages and lists of administrators read no more when there are three times as many rows: each is
//! asked for over a store with few and over one with many, and what DynamoDB asks for it is counted.

use std::sync::Arc;

use casting_core::ControlPlane;
use casting_core::admin::{AdminService, session_actions};
use casting_core::cast::Cast;
use casting_core::denial::DenialCode;
use casting_core::hourly_stats::{HourlyStats, hour_of};
use casting_core::ids::{CastId, CastKey, Reference, SessionId, random_bytes};
use casting_core::ports::{Created, RefusalCount};
use casting_core::session::{EndReason, Endpoint, Owner, Session};
use casting_core::testing::{self, SeededEntropy};
use casting_core::ticket::LoginTicket;
use casting_core::time::Timestamp;
use casting_core::user::{ConsoleRole, User};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::filling::{add_records, api_key_actor, creation};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld};
use casting_web::credentials::login_cookie;
use casting_web::{Body, Request};
use serde_json::json;

/// Claims of one day.
const A_DAY: usize = 11;
/// Casts, and days of claims: more than a page or a chart shows, and three times as many.
const FEW: (usize, usize) = (110, 100);
const MANY: (usize, usize) = (330, 300);
/// Entries of the audit log for each cast.
const ENTRIES: usize = 5;
/// Days of which there are hourly rows.
const HOURLY: usize = 100;
/// The most calls that one page makes.
const MOST_CALLS: usize = 25;
/// Rows that are written in one call.
const AT_A_TIME: usize = 200;

/// A session that was served and has ended.
fn served(cast: &Cast, entropy: &SeededEntropy, at: Timestamp) -> Session {
    let mut session = testing::session(cast, 1);
    session.id = SessionId::from_bytes(random_bytes(entropy));
    session.created_at = at;
    let endpoint = Endpoint {
        host: "10.0.0.1".into(),
        port: 18080,
    };
    let ready = session.ready(endpoint, at.plus_seconds(30));
    let ready = ready.expect("gets ready");
    let ended = ready.ended(EndReason::Owner, at.plus_seconds(600));
    ended.expect("ends")
}

/// Casts, and as many claims of each day, with hours, entries of the log, refusals, and as many
/// users, invitations and deliveries as casts. Returns the first claim's session.
async fn fill(shared_db: &SharedDb, world: &SimWorld, (casts, days): (usize, usize)) -> SessionId {
    let process = world.stable_process();
    let (store, now) = (&process.store, process.clock.now());
    let entropy = SeededEntropy::new(9);
    for n in 0..casts {
        let mut cast = testing::cast(1);
        cast.id = CastId::from_bytes(random_bytes(&entropy));
        cast.settings.key = CastKey::random(&entropy);
        cast.settings.name = format!("Autumn class {n}");
        cast.created_at = now.minus_seconds(n as u64);
        assert_eq!(store.create_cast(&cast, None).await, Ok(Created::Done));
        for _ in 0..ENTRIES {
            let audit = creation(&cast, process.clock.now(), &*process.entropy);
            store.add_audit(&audit).await.expect("is there");
        }
    }
    let step = 86_400 / A_DAY as u64;
    let claim = |n: usize| {
        served(
            &world.cast,
            &entropy,
            now.minus_seconds(7200 + n as u64 * step),
        )
    };
    let sessions: Vec<Session> = (0..days * A_DAY).map(claim).collect();
    for chunk in sessions.chunks(AT_A_TIME) {
        let store = shared_db.store();
        store.import_sessions(chunk).await.expect("are there");
    }
    let hour = |n: usize| hour_of(now.minus_seconds(7200 + n as u64 * 3600));
    let refused = |n: usize| RefusalCount {
        cast_id: Some(world.cast.id.clone()),
        hour: hour(n),
        code: DenialCode::IpLimit.to_string(),
        count: 9,
        samples: Vec::new(),
    };
    let refusals: Vec<RefusalCount> = (0..days * 24).step_by(12).map(refused).collect();
    store.add_refusals(&refusals).await.expect("are there");
    let hours: Vec<i64> = (0..HOURLY * 24).map(hour).collect();
    let hours: Vec<_> = hours
        .into_iter()
        .map(|hour| ((None, hour), HourlyStats::default()))
        .collect();
    for chunk in hours.chunks(AT_A_TIME) {
        store.put_hours(chunk).await.expect("are there");
    }
    let filled = add_records(&**store, &entropy, &world.cast, now, casts).await;
    filled.expect("are there");
    sessions.last().expect("a claim").id.clone()
}

/// The calls and the units of reading that this page takes.
async fn cost(process: &ControlPlane, path: &str) -> (usize, f64) {
    let user = User {
        roles: vec![ConsoleRole::Admin],
        ..testing::user(1)
    };
    let ticket = LoginTicket {
        user,
        expires: process.clock.now().plus_seconds(60),
    };
    let secure = process.urls.is_secure();
    let cookie = format!("{}={}", login_cookie(secure), ticket.sign(&process.keys));
    let request = http::Request::builder()
        .uri(format!("{}{path}", process.urls.public_url))
        .header("cookie", cookie)
        .body(Body::Empty);
    let request: Request = request.expect("a request");
    let answered = run_actor(
        1,
        FaultPlan::None,
        casting_fn_admin::handle(process, request),
    )
    .await;
    let reply = answered.result.expect("no crash");
    assert_eq!(reply.status(), 200, "{path}");
    (answered.calls, answered.spent.reads)
}

/// What every page takes in a world of this size.
async fn costs(size: (usize, usize)) -> Vec<(String, (usize, f64))> {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 1, Limits::default()).await;
    let world = world.expect("a world");
    fill(&shared_db, &world, size).await;
    let process: Arc<ControlPlane> = world.new_process();
    let now = process.clock.now();
    let noted = process.store.set_scheduled_until(now).await;
    noted.expect("is noted");
    let id = world.cast.id.as_str();
    let pages = [
        "/admin".to_owned(),
        "/admin/casts".to_owned(),
        "/admin/casts?search=autumn+class".to_owned(),
        "/admin/casts?sort=-created".to_owned(),
        format!("/admin/casts/{id}"),
        format!("/admin/casts/{id}/claims?hours=720"),
        "/admin/claims".to_owned(),
        "/admin/claims?hours=720".to_owned(),
        "/admin/claims?hours=720&search=nobody".to_owned(),
        "/admin/claims?hours=720&address=none".to_owned(),
        "/admin/claims?hours=720&outcome=refused".to_owned(),
        format!("/admin/claims?hours=720&cast={id}"),
        "/admin/sessions".to_owned(),
        "/admin/sessions?show=all".to_owned(),
        "/admin/sessions?show=ended&search=nobody".to_owned(),
        "/admin/audit".to_owned(),
        format!("/admin/audit?about={id}"),
        "/admin/audit?search=nobody".to_owned(),
        "/admin/audit?noun=image".to_owned(),
        "/admin/users?kind=anonymous".to_owned(),
        format!("/admin/casts/{id}/edit"),
        format!("/admin/casts/{id}/test"),
        format!("/admin/hooks/{id}"),
        "/admin/images".to_owned(),
        "/admin/groups".to_owned(),
        "/admin/api-keys".to_owned(),
        "/admin/networks".to_owned(),
        "/admin/staging".to_owned(),
        "/admin/settings".to_owned(),
        "/admin/find?q=autumn".to_owned(),
        "/api/admin/casts?sort=-created_at".to_owned(),
        "/api/admin/statistics".to_owned(),
        "/api/admin/claims".to_owned(),
        "/api/admin/sessions".to_owned(),
        "/api/admin/users".to_owned(),
        "/api/admin/users?kind=anonymous".to_owned(),
        "/api/admin/audit".to_owned(),
        format!("/api/admin/casts/{id}/invitations"),
        format!("/api/admin/hooks/{id}/deliveries"),
        format!("/api/admin/sessions?cast={id}"),
    ];
    let mut all = Vec::new();
    for page in pages {
        let told = page.replace(id, "ID");
        // Once for what an instance remembers.
        cost(&process, &page).await;
        all.push((told, cost(&process, &page).await));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn pages_read_no_more_of_three_times_the_rows() {
    let (few, many) = (costs(FEW).await, costs(MANY).await);
    assert_eq!(few, many);
    for (page, (calls, _)) in few {
        // The count of each invitation is a row of its own, and they are read twenty at a time.
        let most = if page.ends_with("/invitations") {
            60
        } else {
            MOST_CALLS
        };
        assert!(calls <= most, "{page}: {calls} calls");
    }
}

/// The most units of reading that a list takes which is searched and ordered a thousand rows at a
/// time.
const MOST_UNITS: f64 = 400.0;

#[tokio::test(start_paused = true)]
async fn lists_of_people_go_on_after_a_thousand() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 3, Limits::default()).await;
    let world = world.expect("a world");
    let process = world.new_process();
    let now = process.clock.now();
    let entropy = SeededEntropy::new(9);
    let mut costs_of = Vec::new();
    for more in [1200, 2400] {
        let filled = add_records(&*process.store, &entropy, &world.cast, now, more).await;
        filled.expect("are there");
        let invitations = format!("/admin/casts/{}/invitations", world.cast.id);
        for page in ["/admin/users", "/admin/users?search=nobody", &invitations] {
            // Once for what an instance remembers.
            cost(&process, page).await;
            let (calls, units) = cost(&process, page).await;
            assert!(units <= MOST_UNITS, "{page}: {units} units");
            costs_of.push((page.to_owned(), calls));
        }
    }
    let (few, many) = costs_of.split_at(costs_of.len() / 2);
    assert_eq!(few, many);
}

#[tokio::test(start_paused = true)]
async fn old_reference_is_found_without_reading_all_claims() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 4, Limits::default()).await;
    let world = world.expect("a world");
    let oldest = fill(&shared_db, &world, (1, 300)).await;
    let process = world.new_process();
    let now = process.clock.now();
    let reference = Reference::of(&oldest);
    let path = format!("/api/admin/claims?ref={reference}");
    let unlisted = cost(&process, &path).await;
    // The second one finds them settled.
    for second in [0, 3700] {
        let now = now.plus_seconds(second);
        let listed = process.store.list_claims(now.minus_seconds(90), now).await;
        listed.expect("are listed");
    }
    for page in [&path, "/api/admin/claims?ref=aaaa-aaaa"] {
        let (calls, units) = cost(&process, page).await;
        assert!(calls <= MOST_CALLS, "{page}: {calls} calls");
        assert!(
            units < 10.0 && unlisted.1 > 20.0,
            "{page}: {units} units, {unlisted:?}"
        );
    }
    let found = process.store.sessions_by_reference(&reference);
    let found = found.await.expect("is read");
    assert!(found.iter().map(|session| &session.id).eq([&oldest]));
}

#[tokio::test(start_paused = true)]
async fn lists_are_bounded_while_no_sweep_runs() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 2, Limits::default()).await;
    let world = world.expect("a world");
    fill(&shared_db, &world, (1, 300)).await;
    let process = world.new_process();
    for (page, most) in [("/admin", 110), ("/admin/sessions", 220)] {
        let (calls, _) = cost(&process, page).await;
        assert!(calls <= most, "{page}: {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn list_in_the_order_of_its_index_reads_one_page() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 5, Limits::default()).await;
    let world = world.expect("a world");
    let process = world.new_process();
    let (entropy, now) = (SeededEntropy::new(9), process.clock.now());
    let claim = |n: usize| served(&world.cast, &entropy, now.minus_seconds(7200 + n as u64));
    let day: Vec<Session> = (0..400).map(claim).collect();
    shared_db
        .store()
        .import_sessions(&day)
        .await
        .expect("are there");
    let list = "/admin/sessions?show=all";
    let mut units = Vec::new();
    for path in ["", "&page=2", "&sort=user"] {
        let path = format!("{list}{path}");
        // Once for what an instance remembers.
        cost(&process, &path).await;
        units.push(cost(&process, &path).await.1);
    }
    assert!(
        units[0] < units[1] && units[1] * 2.0 < units[2],
        "{units:?}: the first page, the second, and one in another order"
    );
}

#[tokio::test(start_paused = true)]
async fn sessions_that_fit_are_extended_behind_a_thousand() {
    const LIVE: usize = 1100;
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 5, Limits::default()).await;
    let world = world.expect("a world");
    let process = world.new_process();
    let (entropy, now) = (SeededEntropy::new(11), process.clock.now());
    let live = |n: usize| {
        let mut session = testing::session(&world.cast, 1);
        session.id = SessionId::from_bytes(random_bytes(&entropy));
        session.created_at = now.minus_seconds(60);
        let name = if n == LIVE - 1 { "Ann" } else { "Bob" };
        session.owner = Owner::User {
            id: testing::user(1).id,
            name: name.to_owned(),
        };
        let endpoint = Endpoint {
            host: "10.0.0.1".into(),
            port: 18080,
        };
        let ready = session.ready(endpoint, now.minus_seconds(30));
        // The later it is looked after, the later it is listed.
        ready
            .expect("gets ready")
            .checked(now.plus_seconds(300 + n as u64))
    };
    let sessions: Vec<Session> = (0..LIVE).map(live).collect();
    for chunk in sessions.chunks(AT_A_TIME) {
        let imported = shared_db.store().import_sessions(chunk).await;
        imported.expect("are there");
    }
    let noted = process.store.set_scheduled_until(now).await;
    noted.expect("is noted");
    let service = AdminService {
        control_plane: &process,
        actor: api_key_actor(),
        request_key: None,
    };
    for (search, expected) in [("ann", Some(1)), ("nobody", Some(0)), ("bob", None)] {
        let input = json!({ "minutes": 5, "search": search });
        let extended = session_actions::extend_many(&service, &input).await;
        assert_eq!(extended.ok().map(|all| all.len()), expected, "{search}");
    }
    let casts = [world.cast.id.clone()];
    let counted = process.store.count_living(&casts, 5000);
    assert_eq!(counted.await.map(|counted| counted.count), Ok(LIVE as u64));
}
