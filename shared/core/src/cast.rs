//! Owns the cast config: the settings of one link, and its counter. Must not know how they are stored or edited (see `cast_form`).

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, CastKey, ImageId};
use crate::referrer::ReferrerRule;
use crate::time::Timestamp;

/// One link: its settings, and how many sessions it still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Never changes.
    pub id: CastId,
    /// Grows with every change of the settings or of the counter by an administrator; claims do not touch it.
    pub version: u64,
    /// What the administrator set.
    pub settings: CastSettings,
    /// Sessions Remaining.
    pub counter: Counter,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// Sessions Remaining. Only *reserve* and *release* move it, and an administrator who names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Sessions that can still be given out (seed: Sessions Remaining). Means nothing while the limit is off.
    pub remaining: u64,
    /// Grows whenever an administrator sets `remaining`: a place taken before that is not given back into the new number.
    pub epoch: u64,
}

impl Counter {
    /// The counter of a new cast: `remaining` sessions, first epoch.
    pub const fn new(remaining: u64) -> Self {
        Self { remaining, epoch: 0 }
    }
}

/// What an administrator sets on a cast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CastSettings {
    /// For administrators only.
    pub name: String,
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// seed: URL Key.
    pub key: CastKey,
    /// seed: Image.
    pub image_id: ImageId,
    /// A disabled link looks as if it did not exist.
    pub enabled: bool,
    /// From this time on the link gives no new sessions; `None` is for ever.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
    /// seed: Limit Total Session.
    #[serde(default)]
    pub limit_total_sessions: bool,
    /// seed: Limit Requests Per IP; `None` is off.
    #[serde(default)]
    pub ip_limit: Option<IpLimit>,
    /// seed: Restrict to Referrers; empty accepts everybody.
    #[serde(default)]
    pub referrers: Vec<ReferrerRule>,
    /// seed: Error URL.
    #[serde(default)]
    pub error_url: Option<String>,
    /// seed: Kasm URL, as the container gets it.
    #[serde(default)]
    pub kasm_url: Option<String>,
}

/// seed: Sessions Allowed / Within Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpLimit {
    /// Sessions allowed, 1 to 1,000.
    pub sessions: u32,
    /// In any window of so many seconds, 1 to 2,592,000 (30 days).
    pub within_seconds: u32,
}
