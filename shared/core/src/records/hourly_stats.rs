//! Owns the hourly statistics: the outcomes of the claims of one hour, of one link or of all, so
//! that charts need not read every claim. They follow from the ledger alone and can be built again
//! from it at any time. Must not know how they are stored or drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::CastId;
use crate::ports::RefusalCount;
use crate::session::{Session, State};
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
}

/// The hour that a time is in, as its first second since 1970.
pub const fn hour_of(time: Timestamp) -> i64 {
    time.seconds().div_euclid(HOUR_SECONDS) * HOUR_SECONDS
}

/// An hour of one link (`None`: of all links, and of keys that no link has).
pub type HourKey = (Option<CastId>, i64);

impl HourlyStats {
    /// Counts a session that was claimed in this hour.
    pub fn add_session(&mut self, session: &Session) {
        self.launched += 1;
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

    /// The mean start time, in milliseconds.
    pub fn mean_start_millis(&self) -> Option<u64> {
        self.start_millis.checked_div(self.started())
    }
}

/// Every hour that follows from these sessions and refusals: of each link, and of all together.
pub fn sum<'a>(
    sessions: impl IntoIterator<Item = &'a Session>,
    refusals: impl IntoIterator<Item = &'a RefusalCount>,
) -> BTreeMap<HourKey, HourlyStats> {
    let mut hours: BTreeMap<HourKey, HourlyStats> = BTreeMap::new();
    for session in sessions {
        let hour = hour_of(session.created_at);
        for of in [Some(session.cast_id.clone()), None] {
            hours.entry((of, hour)).or_default().add_session(session);
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
        let hours = sum(&[reserved, ready, served, refunded], &refusals);
        let told = |of: Option<CastId>| {
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
        assert_eq!(told(Some(cast(1).id)), (3, 2, 0, 3, 2, Some(8000)));
        assert_eq!(told(Some(cast(2).id)), (1, 0, 1, 0, 0, None));
        assert_eq!(told(None), (4, 2, 1, 7, 2, Some(8000)));
        assert_eq!(
            hours[&(None, NOON.seconds())].starts[3],
            2,
            "up to ten seconds"
        );
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
