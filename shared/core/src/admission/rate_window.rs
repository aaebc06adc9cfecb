//! Owns the IP window: which accepted claims of one cast and one address still count. Must not know how it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cast::IpLimit;
use crate::ids::{CastId, SessionId};
use crate::time::Timestamp;

/// The accepted claims of one cast from one address prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWindow {
    /// `{cast id}/{address hash}`.
    pub key: String,
    /// Another text after every write, so that a decision is never written over a window it did not see.
    pub stamp: String,
    /// When each claim was accepted.
    pub slots: BTreeMap<SessionId, Timestamp>,
}

impl RateWindow {
    /// The key of the window for this cast and the hash of an address or a browser.
    pub fn key(cast: &CastId, visitor: &str) -> String {
        format!("{cast}/{visitor}")
    }

    /// The newest slot's time.
    pub fn newest(&self) -> Option<Timestamp> {
        self.slots.values().copied().max()
    }

    /// Slots at or before this time do not count at `now`.
    pub const fn cutoff(limit: &IpLimit, now: Timestamp) -> Timestamp {
        now.minus_seconds(limit.within_seconds as u64)
    }
}
