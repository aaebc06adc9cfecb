//! Owns the hourly statistics: the outcomes of the claims of one hour, of one link or of all, so
//! that charts need not read every claim. They follow from the ledger alone and can be built again
//! from it at any time. Must not know how they are stored or drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::CastId;
use crate::ports::RefusalCount;
use crate::session::State;
use crate::summary::SessionSummary;
use crate::time::Timestamp;

/// An hour in seconds.
pub const HOUR_SECONDS: i64 = 3600;
/// The retention of hourly statistics, in seconds (400 days).
pub const HOURS_KEPT_SECONDS: i64 = 400 * 86_400;
/// An hour is made when it has been over for so long, in seconds: by then every start of it has
/// come to an end.
pub const SETTLED_AFTER_SECONDS: i64 = 3600;

/// The upper bounds of the histogram of start times, in seconds; one more bucket is beyond the
/// last.
pub const START_BOUNDS: [u32; 9] = [1, 2, 5, 10, 20, 30, 60, 120, 300];

/// The outcomes of the claims of one hour.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HourlyStats {
    /// Claims that were accepted.
    pub launched: u64,
    /// Of these, sessions that their visitors could use.
    pub served: u64,
    /// Of these, those that never got ready; their charge was given back.
    pub refunded: u64,
    /// Claims that were refused, by code.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
    /// How many sessions took how long from claim to ready: one more than [`START_BOUNDS`].
    #[serde(default)]
    pub starts: Vec<u64>,
    /// The sum of these times, in milliseconds.
    #[serde(default)]
    pub start_millis: u64,
    /// What these sessions cost at list price over their whole lives, in millionths of a dollar;
    /// those that lived when the hour was built only up to then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost_micros: u64,
    /// How many of them lived when the hour was built.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub live: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The hour that a time is in, as its first second since 1970.
pub const fn hour_of(time: Timestamp) -> i64 {
    time.seconds().div_euclid(HOUR_SECONDS) * HOUR_SECONDS
}

/// An hour of one link (`None`: of all links, and of keys that no link has).
pub type HourKey = (Option<CastId>, i64);

impl HourlyStats {
    /// Counts a session that was claimed in this hour, and what it has cost, in millionths of a
    /// dollar.
    pub fn add_session(&mut self, session: &SessionSummary, cost_micros: u64) {
        self.launched += 1;
        self.cost_micros += cost_micros;
        self.live += u64::from(session.is_live());
        if session.is_refunded() {
            self.refunded += 1;
        }
        if let State::Ready { .. }
        | State::Ended {
            refunded: false, ..
        }
        | State::Stopping { served: true, .. } = session.state
        {
            self.served += 1;
        }
        if let Some(ready_at) = session.ready_at {
            let millis =
                u64::try_from(ready_at.millis() - session.created_at.millis()).unwrap_or(0);
            self.starts.resize(START_BOUNDS.len() + 1, 0);
            let bound = START_BOUNDS
                .iter()
                .position(|bound| millis <= u64::from(*bound) * 1000)
                .unwrap_or(START_BOUNDS.len());
            if let Some(count) = self.starts.get_mut(bound) {
                *count += 1;
            }
            self.start_millis += millis;
        }
    }

    /// Counts refusals.
    pub fn add_refusals(&mut self, refusals: &RefusalCount) {
        *self.refused.entry(refusals.code.clone()).or_default() += refusals.count;
    }

    /// Adds what another hour counted.
    pub fn add(&mut self, other: &Self) {
        self.launched += other.launched;
        self.served += other.served;
        self.refunded += other.refunded;
        self.start_millis += other.start_millis;
        self.cost_micros += other.cost_micros;
        self.live += other.live;
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
        if !other.starts.is_empty() {
            self.starts.resize(START_BOUNDS.len() + 1, 0);
            for (sum, count) in self.starts.iter_mut().zip(&other.starts) {
                *sum += count;
            }
        }
    }

    /// How many were refused.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }

    /// How many sessions have a start time.
    pub fn started(&self) -> u64 {
        self.starts.iter().sum()
    }

    /// The start time that so many in a hundred starts stayed below, in milliseconds: in its bucket
    /// it is interpolated; beyond the last bound it is that bound.
    pub fn start_percentile_millis(&self, percent: u64) -> Option<u64> {
        let started = self.started();
        let wanted = (started * percent) as f64 / 100.0;
        let (mut below, mut seen) = (0.0, 0.0);
        let bounds = START_BOUNDS.iter().map(|bound| f64::from(*bound) * 1000.0);
        for (bound, count) in bounds.zip(&self.starts) {
            let count = *count as f64;
            if count > 0.0 && seen + count >= wanted {
                let share = (wanted - seen) / count;
                return Some((below + (bound - below) * share).round() as u64);
            }
            seen += count;
            below = bound;
        }
        (started > 0).then_some(below as u64)
    }

    /// The mean start time, in milliseconds.
    pub fn mean_start_millis(&self) -> Option<u64> {
        self.start_millis.checked_div(self.started())
    }
}

/// Every hour that follows from these sessions and refusals: of each link, and of all together.
/// `cost` is what a session has cost, in millionths of a dollar.
pub fn sum<'a>(
    sessions: impl IntoIterator<Item = &'a SessionSummary>,
    refusals: impl IntoIterator<Item = &'a RefusalCount>,
    cost: impl Fn(&SessionSummary) -> u64,
) -> BTreeMap<HourKey, HourlyStats> {
    let mut hours: BTreeMap<HourKey, HourlyStats> = BTreeMap::new();
    for session in sessions {
        let (hour, cost) = (hour_of(session.created_at), cost(session));
        for of in [Some(session.cast_id.clone()), None] {
            let counts = hours.entry((of, hour)).or_default();
            counts.add_session(session, cost);
        }
    }
    for refusal in refusals {
        hours
            .entry((None, refusal.hour))
            .or_default()
            .add_refusals(refusal);
        if let Some(cast) = &refusal.cast_id {
            hours
                .entry((Some(cast.clone()), refusal.hour))
                .or_default()
                .add_refusals(refusal);
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{EndReason, Endpoint};
    use crate::testing::{NOON, cast, session};

    fn endpoint() -> Endpoint {
        Endpoint {
            host: "10.0.0.1".into(),
            port: 18080,
        }
    }

    #[test]
    fn hour_counts_the_outcomes_of_its_claims() {
        let reserved = session(&cast(1), 1);
        let ready = session(&cast(1), 2)
            .ready(endpoint(), NOON.plus_seconds(8))
            .expect("gets ready");
        let served = ready
            .ended(EndReason::Owner, NOON.plus_seconds(60))
            .expect("ends");
        let refunded = session(&cast(2), 3)
            .ended(EndReason::NoCapacity, NOON)
            .expect("ends");
        let refusal = |cast_id, count| RefusalCount {
            cast_id,
            hour: NOON.seconds(),
            code: "ip-limit".into(),
            count,
            samples: Vec::new(),
        };
        let refusals = [refusal(Some(cast(1).id), 3), refusal(None, 4)];
        let cost = |session: &SessionSummary| if session.is_live() { 5 } else { 2 };
        let hours = sum(
            &[reserved, ready, served, refunded]
                .each_ref()
                .map(SessionSummary::from),
            &refusals,
            cost,
        );
        let all = &hours[&(None, NOON.seconds())];
        assert_eq!((all.cost_micros, all.live), (14, 2));
        let totals = |of: Option<CastId>| {
            let hour = &hours[&(of, NOON.seconds())];
            (
                hour.launched,
                hour.served,
                hour.refunded,
                hour.refused_in_all(),
                hour.started(),
                hour.mean_start_millis(),
            )
        };
        assert_eq!(totals(Some(cast(1).id)), (3, 2, 0, 3, 2, Some(8000)));
        assert_eq!(totals(Some(cast(2).id)), (1, 0, 1, 0, 0, None));
        assert_eq!(totals(None), (4, 2, 1, 7, 2, Some(8000)));
        assert_eq!(
            hours[&(None, NOON.seconds())].starts[3],
            2,
            "up to ten seconds"
        );
    }

    #[test]
    fn percentiles_are_interpolated_in_their_bucket() {
        let of = |starts: &[u64]| HourlyStats {
            starts: starts.to_vec(),
            ..HourlyStats::default()
        };
        for (name, starts, median, most) in [
            ("none", &[][..], None, None),
            ("zeros", &[0; 10], None, None),
            ("one, up to 2 s", &[0, 1], Some(1500), Some(1950)),
            ("ten, up to 5 s", &[0, 0, 10], Some(3500), Some(4850)),
            ("two kinds", &[10, 0, 0, 10], Some(1000), Some(9500)),
            (
                "beyond the last bound",
                &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
                Some(300_000),
                Some(300_000),
            ),
        ] {
            let hour = of(starts);
            assert_eq!(
                (
                    hour.start_percentile_millis(50),
                    hour.start_percentile_millis(95)
                ),
                (median, most),
                "{name}"
            );
        }
    }

    #[test]
    fn hours_add_up() {
        let one = HourlyStats {
            launched: 1,
            refused: [("busy".to_owned(), 2)].into(),
            starts: vec![0; 10],
            ..HourlyStats::default()
        };
        let mut all = HourlyStats::default();
        all.add(&one);
        all.add(&one);
        assert_eq!((all.launched, all.refused["busy"]), (2, 4));
    }
}
