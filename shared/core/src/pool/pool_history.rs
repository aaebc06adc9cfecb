//! Owns the history of a pool: how many of its sessions were ready over the last two days, how many
//! visitors it served or missed, what it has cost today, and since when its starts have failed.
//! Must not know where any of it is read.

use serde::{Deserialize, Serialize};

use crate::ids::StagingId;
use crate::record::Record;
use crate::time::Timestamp;

/// How long one span of the log is, in seconds.
pub const SPAN_SECONDS: i64 = 900;
/// So many spans are kept: two days.
pub const SPANS: usize = 192;
/// The first pause after a failed start, in seconds; it doubles with each further one.
const FIRST_PAUSE_SECONDS: u64 = 30;
/// The longest pause, in seconds.
const LONGEST_PAUSE_SECONDS: u64 = 1800;

/// The log of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHistory {
    /// The pool's id.
    pub id: StagingId,
    /// Grows with every change.
    pub version: u64,
    /// Until when it is written.
    pub at: Timestamp,
    /// The day of `spent_micros`, in days since 1970 (UTC).
    pub day: i64,
    /// What its waiting sessions have cost on that day, in millionths of a dollar.
    pub spent_micros: u64,
    /// How many starts in a row have failed: ECS had no capacity, or the session ended before it
    /// was ready.
    pub failures: u32,
    /// When that was found out last.
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    /// Until when nothing is started because of it.
    #[serde(default)]
    pub paused_until: Option<Timestamp>,
    /// Why the last start failed.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The last two days, the oldest first.
    #[serde(default)]
    pub spans: Vec<PoolSpan>,
}

/// A quarter of an hour of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpan {
    /// Its first second since 1970.
    pub since: i64,
    /// The fewest that were ready at one time.
    pub ready: u32,
    /// The most that were starting at one time.
    pub starting: u32,
    /// Visitors who were given one.
    pub assigned: u32,
    /// Visitors whom it fitted, and who had to wait for a session of their own because none was
    /// ready.
    pub missed: u32,
}

/// The current state of a pool, to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolObservation {
    /// Ready for a visitor.
    pub ready: u32,
    /// On their way.
    pub starting: u32,
    /// Visitors who were given one since the log was written last.
    pub assigned: u32,
    /// Visitors whom it missed since then.
    pub missed: u32,
    /// The cost of one session per hour, in millionths of a dollar; 0 if unknown.
    pub hour_micros: u64,
}

impl Record for PoolHistory {
    const KIND: &'static str = "pool-log";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

impl PoolHistory {
    /// The log of a pool that nothing is known of.
    pub const fn new(id: StagingId, now: Timestamp) -> Self {
        Self {
            id,
            version: 0,
            at: now,
            day: day_of(now),
            spent_micros: 0,
            failures: 0,
            failed_at: None,
            paused_until: None,
            refusal: None,
            spans: Vec::new(),
        }
    }

    /// What its waiting sessions have cost today, in millionths of a dollar.
    pub const fn spent_today(&self, now: Timestamp) -> u64 {
        if self.day == day_of(now) {
            self.spent_micros
        } else {
            0
        }
    }

    /// Until when the pool pauses, because starts have failed since the last change of anything
    /// that they depend on (`changed_at`).
    pub fn paused_until(&self, changed_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| {
            now < *until && self.failed_at.is_none_or(|failed| changed_at <= failed)
        })
    }

    /// The log with what is seen at `now`. What the sessions cost since it was written last is
    /// added to the day.
    #[must_use]
    pub fn noted(&self, seen: PoolObservation, now: Timestamp) -> Self {
        let (count, elapsed) = (
            u64::from(seen.ready + seen.starting),
            self.at.seconds_until(now),
        );
        // Whatever was before midnight is yesterday's.
        let today = elapsed.min(u64::try_from(now.seconds().rem_euclid(86_400)).unwrap_or(elapsed));
        let mut after = self.clone();
        after.spent_micros = self.spent_today(now) + count * today * seen.hour_micros / 3600;
        (after.day, after.at) = (day_of(now), now);
        after.version += 1;
        let since = now.seconds().div_euclid(SPAN_SECONDS) * SPAN_SECONDS;
        match after.spans.last_mut().filter(|span| span.since == since) {
            Some(span) => {
                span.ready = span.ready.min(seen.ready);
                span.starting = span.starting.max(seen.starting);
                span.assigned += seen.assigned;
                span.missed += seen.missed;
            }
            None => {
                let PoolObservation {
                    ready,
                    starting,
                    assigned,
                    missed,
                    ..
                } = seen;
                after.spans.push(PoolSpan {
                    since,
                    ready,
                    starting,
                    assigned,
                    missed,
                });
            }
        }
        let surplus = after.spans.len().saturating_sub(SPANS);
        after.spans.drain(..surplus);
        after
    }

    /// A session that was started at `started_at` is ready: what was in the way is not any more.
    pub fn note_success(&mut self, started_at: Timestamp) {
        if self.failed_at.is_none_or(|failed| failed < started_at) {
            (
                self.failures,
                self.failed_at,
                self.paused_until,
                self.refusal,
            ) = (0, None, None, None);
        }
    }

    /// A start at `started_at` failed: the pool pauses, with exponential backoff. Whatever had been
    /// started by the time that this was first found out says nothing new; gives whether it did.
    pub fn note_failure(&mut self, started_at: Timestamp, why: String, now: Timestamp) -> bool {
        if self.failed_at.is_some_and(|failed| started_at <= failed) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = FIRST_PAUSE_SECONDS
            .saturating_mul(1 << self.failures.saturating_sub(1).min(10))
            .min(LONGEST_PAUSE_SECONDS);
        (self.failed_at, self.paused_until, self.refusal) =
            (Some(now), Some(now.plus_seconds(pause)), Some(why));
        true
    }

    /// Whether the log says that nothing at all goes on, so that it need not be written again.
    pub fn is_at_rest(&self, seen: PoolObservation) -> bool {
        let nothing = seen.ready + seen.starting + seen.assigned + seen.missed == 0;
        nothing
            && self
                .spans
                .last()
                .is_none_or(|span| span.ready + span.starting == 0)
    }
}

const fn day_of(time: Timestamp) -> i64 {
    time.seconds().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    fn log() -> PoolHistory {
        PoolHistory::new(StagingId::from_bytes([1; 16]), NOON)
    }

    const TWO: PoolObservation = PoolObservation {
        ready: 1,
        starting: 1,
        assigned: 2,
        missed: 1,
        hour_micros: 36_000,
    };

    #[test]
    fn daily_cost_counts_sessions_since_midnight() {
        let one = log().noted(TWO, NOON.plus_seconds(60));
        assert_eq!(one.spent_today(NOON), 1200);
        let two = one.noted(TWO, NOON.plus_seconds(120));
        assert_eq!((two.spent_today(NOON), two.version), (2400, 2));
        let midnight = NOON.plus_seconds(12 * 3600);
        assert_eq!(two.spent_today(midnight), 0, "another day");
        let next = two.noted(TWO, midnight.plus_seconds(30));
        assert_eq!(
            next.spent_today(midnight),
            600,
            "what was before midnight is yesterday's"
        );
    }

    #[test]
    fn log_span_keeps_the_minimum_and_sums_visitors() {
        let more = PoolObservation {
            ready: 3,
            starting: 0,
            ..TWO
        };
        let log = log()
            .noted(more, NOON.plus_seconds(1))
            .noted(TWO, NOON.plus_seconds(61))
            .noted(more, NOON.plus_seconds(900));
        let spans: Vec<_> = log
            .spans
            .iter()
            .map(|span| (span.ready, span.starting, span.assigned, span.missed))
            .collect();
        assert_eq!(spans, [(1, 1, 4, 2), (3, 0, 2, 1)]);
        let mut long = log;
        for n in 0..300 {
            long = long.noted(TWO, NOON.plus_seconds(n * 900));
        }
        assert_eq!(long.spans.len(), SPANS);
    }

    #[test]
    fn pauses_grow_until_a_ready_session_or_a_config_change() {
        let mut log = log();
        let (mut pauses, mut now) = (Vec::new(), NOON);
        for _ in 0..8 {
            assert!(log.note_failure(now, "RESOURCE:CPU".into(), now));
            assert!(!log.note_failure(
                now.minus_seconds(5),
                "one of the same moment".into(),
                now.plus_seconds(20)
            ));
            let until = log.paused_until(NOON, now).expect("is paused");
            pauses.push(now.seconds_until(until));
            assert_eq!(log.paused_until(NOON, until), None);
            now = until;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(log.refusal.as_deref(), Some("RESOURCE:CPU"));
        let failed = now.minus_seconds(1800);
        assert!(log.paused_until(failed, failed).is_some());
        assert_eq!(
            log.paused_until(failed.plus_seconds(1), failed.plus_seconds(2)),
            None,
            "the image is another one now"
        );
        log.note_success(failed);
        assert_eq!(log.failures, 8, "one that was there before says nothing");
        log.note_success(failed.plus_seconds(1));
        assert_eq!((log.failures, log.paused_until(NOON, failed)), (0, None));
    }

    #[test]
    fn unchanged_log_is_not_written() {
        let nothing = PoolObservation::default();
        assert!(log().is_at_rest(nothing));
        let busy = log().noted(TWO, NOON);
        assert!(!busy.is_at_rest(nothing), "its end is still to be written");
        assert!(
            busy.noted(nothing, NOON.plus_seconds(900))
                .is_at_rest(nothing)
        );
    }
}
