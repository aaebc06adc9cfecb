//! Owns the IP window: which accepted claims of one cast and one address still count. Must not know
//! how it is stored.
//!
//! Under a limit of at most [`MOST_SLOTS`] sessions each claim has a slot of its own. Under a higher
//! one claims are counted together, by 64ths of the window's time, so that the window stays small
//! however high the limit is. A bucket counts as if all of its claims had come at its end: so there
//! are never more than the limit in the window's time, and a place is free up to a 64th of it late.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cast::IpLimit;
use crate::ids::{CastId, SessionId};
use crate::time::Timestamp;

/// Up to this limit each claim has a slot of its own.
pub const MOST_SLOTS: u32 = 32;
/// Into how many buckets a window's time is divided under a higher limit.
const BUCKETS: i64 = 64;

/// The accepted claims of one cast from one address prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    /// `{cast id}/{address hash}`.
    pub key: String,
    /// Another text after every write, so that a decision is never written over a window it did not
    /// see.
    pub stamp: String,
    /// When each claim with a slot of its own was accepted.
    pub slots: BTreeMap<SessionId, Timestamp>,
    /// How many claims were accepted in each bucket, by its end.
    #[serde(default)]
    pub buckets: BTreeMap<Timestamp, u32>,
}

impl RateWindow {
    /// A window without claims.
    pub const fn empty(key: String, stamp: String) -> Self {
        Self {
            key,
            stamp,
            slots: BTreeMap::new(),
            buckets: BTreeMap::new(),
        }
    }

    /// The key of the window for this cast and the hash of an address or a browser.
    pub fn key(cast: &CastId, visitor: &str) -> String {
        format!("{cast}/{visitor}")
    }

    /// The bucket of a claim at `now`, named by its end; `None` where it gets a slot of its own.
    pub fn bucket(limit: &IpLimit, now: Timestamp) -> Option<Timestamp> {
        if limit.sessions <= MOST_SLOTS {
            return None;
        }
        let width = (i64::from(limit.within_seconds) * 1000).div_euclid(BUCKETS) + 1;
        let end = (now.millis().div_euclid(width) + 1) * width;
        Some(Timestamp::from_millis(end))
    }

    /// When the last claim was accepted, or its bucket ends.
    pub fn newest(&self) -> Option<Timestamp> {
        let slots = self.slots.values().copied().max();
        slots.max(self.buckets.keys().next_back().copied())
    }

    /// Slots at or before this time do not count at `now`.
    pub const fn cutoff(limit: &IpLimit, now: Timestamp) -> Timestamp {
        now.minus_seconds(limit.within_seconds as u64)
    }

    /// Drops what does not count any more.
    pub fn expire(&mut self, cutoff: Timestamp) {
        self.slots.retain(|_, at| *at > cutoff);
        self.buckets
            .retain(|end, count| *end > cutoff && *count > 0);
    }

    /// What counts after `cutoff`: how many claims, and from when on each counts. The oldest first.
    pub fn counted(&self, cutoff: Timestamp) -> Vec<(Timestamp, u32)> {
        let slots = self.slots.values().map(|at| (*at, 1));
        let buckets = self.buckets.iter().map(|(end, count)| (*end, *count));
        let mut counted: Vec<_> = slots
            .chain(buckets)
            .filter(|(at, count)| *at > cutoff && *count > 0)
            .collect();
        counted.sort_unstable();
        counted
    }

    /// How many claims count after `cutoff`.
    pub fn count(&self, cutoff: Timestamp) -> u64 {
        let counted = self.counted(cutoff);
        counted.iter().map(|(_, count)| u64::from(*count)).sum()
    }
}
