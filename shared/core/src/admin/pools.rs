//! Owns the administrators' view of a pool: its waiting sessions, its target, and its last two
//! days. Must not know how a pool is filled.

use crate::PoolView;
use crate::form::TextType;
use crate::ids::StagingId;
use crate::json_schema;
use crate::pool_history::PoolSpan;
use crate::session::{Session, State};
use crate::staging::StagingConfig;
use crate::time::Timestamp;
use serde_json::{Value, json};

use crate::admin::error::AdminError;
use crate::admin::{AdminService, records, sessions};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// A pool's numbers at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Waiting sessions that are ready.
    pub ready: u64,
    /// Sessions that are starting.
    pub starting: u64,
    /// Visitors of the last day who were served from the pool.
    pub assigned: u64,
    /// Matching visitors of the last day for whom none was ready.
    pub missed: u64,
}

impl Numbers {
    /// The numbers of this pool.
    pub fn of(pool: &PoolView) -> Self {
        let is_ready = |session: &&Session| matches!(session.state, State::Ready { .. });
        let ready = pool.waiting.iter().filter(is_ready).count();
        let recent = || {
            pool.log
                .spans
                .iter()
                .filter(|span| span.since > pool.at.seconds() - DAY)
        };
        Self {
            ready: ready as u64,
            starting: (pool.waiting.len() - ready) as u64,
            assigned: recent().map(|span| u64::from(span.assigned)).sum(),
            missed: recent().map(|span| u64::from(span.missed)).sum(),
        }
    }

    /// The share of visitors who were served from the pool; `None` without visitors.
    pub fn hit_rate(self) -> Option<f64> {
        let all = self.assigned + self.missed;
        (all > 0).then(|| (self.assigned as f64 / all as f64 * 1000.0).round() / 1000.0)
    }
}

/// Millionths of a dollar as US cents, to a hundredth of one.
pub fn cents(micros: u64) -> f64 {
    (micros as f64 / 100.0).round() / 100.0
}

/// A pool as it is.
pub async fn read(
    service: &AdminService<'_>,
    id: &str,
) -> Result<(StagingConfig, PoolView), AdminError> {
    let (staging, _) = records::find::<StagingConfig>(service, id).await?;
    let pool = service.control_plane.pool_view(&staging).await?;
    Ok((staging, pool))
}

/// A pool as the API shows it.
pub fn view(service: &AdminService<'_>, staging: &StagingConfig, pool: &PoolView) -> Value {
    let waiting = pool.waiting.iter();
    let waiting: Vec<Value> = waiting
        .map(|session| sessions::view_of(service, session))
        .collect();
    let numbers = Numbers::of(pool);
    let paused_until = pool.plan.paused_until;
    json!({
        "id": staging.id,
        "at": pool.at.to_string(),
        "wanted": pool.plan.wanted,
        "ready": numbers.ready,
        "starting": numbers.starting,
        "rests_because": pool.plan.rest.map(crate::pool_plan::IdleReason::sentence),
        "paused_until": paused_until.map(|until| until.to_string()),
        "refusal": paused_until.and(pool.log.refusal.as_deref()),
        "spent_today_cents": cents(pool.log.spent_today(pool.at)),
        "cost_per_hour_cents": pool.hour_micros.map(cents),
        "assigned_24h": numbers.assigned,
        "missed_24h": numbers.missed,
        "hit_rate_24h": numbers.hit_rate(),
        "sessions": waiting,
        "spans": pool.log.spans.iter().map(view_span).collect::<Vec<_>>(),
    })
}

fn view_span(span: &PoolSpan) -> Value {
    json!({
        "since": Timestamp::from_millis(span.since * 1000).to_string(),
        "ready": span.ready,
        "starting": span.starting,
        "assigned": span.assigned,
        "missed": span.missed,
    })
}

/// The JSON Schema of [`view`]; `session` is the schema of a session.
pub fn schema(session: &Value) -> Value {
    let count = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let or_null = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let cents = |about: &str| json!({ "type": "number", "minimum": 0, "description": about });
    let (assigned, missed) = (
        "Visitors who were given one.",
        "Matching visitors for whom no session was ready.",
    );
    let span = json_schema::object(json!({
        "since": json_schema::time(),
        "ready": count("The fewest that were ready at one time."),
        "starting": count("The most that were starting at one time."),
        "assigned": count(assigned),
        "missed": count(missed),
    }));
    let mut hour = json_schema::nullable(cents(""));
    hour["description"] =
        "What one of its sessions costs in an hour, in US cents; null when only its task \
         definition says how large it is."
            .into();
    json_schema::object(json!({
        "id": StagingId::SYNTAX.schema(),
        "at": json_schema::time(),
        "wanted": count("How many sessions there are to be at this moment."),
        "ready": count("How many can be had at once."),
        "starting": count("How many are on their way."),
        "rests_because": or_null("Why it keeps none now."),
        "paused_until": json_schema::nullable(json_schema::time()),
        "refusal": or_null("Why the last start failed, while the pool pauses because of that."),
        "spent_today_cents": cents("What waiting has cost since midnight (UTC), in US cents."),
        "cost_per_hour_cents": hour,
        "assigned_24h": count(assigned),
        "missed_24h": count(missed),
        "hit_rate_24h": { "type": ["number", "null"], "minimum": 0, "maximum": 1, "description":
            "The share of matching visitors who got a session from the pool; null without \
             visitors." },
        "sessions": { "type": "array", "items": session, "description": "Those that wait, the oldest first." },
        "spans": { "type": "array", "items": span, "description":
            "The last two days by quarters of an hour, the oldest first; quarters in which nothing \
             was kept may be left out." },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hit_rate_needs_visitors_and_cents_are_rounded() {
        let of = |assigned, missed| {
            Numbers {
                assigned,
                missed,
                ..Numbers::default()
            }
            .hit_rate()
        };
        assert_eq!(
            (of(0, 0), of(3, 0), of(2, 1), of(0, 1)),
            (None, Some(1.0), Some(0.667), Some(0.0))
        );
        assert!((cents(17_342) - 1.73).abs() < 1e-9 && (cents(54_370) - 5.44).abs() < 1e-9);
    }
}
