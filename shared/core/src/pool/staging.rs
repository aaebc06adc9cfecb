//! Owns the staging config: the plan of a pool of sessions of one image that are started ahead of
//! the clicks (filled by `flow/refill`, given away by `flow/assign`). Must not know how a pool is
//! filled.

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, ImageId, StagingId};
use crate::network::NetworkName;
use crate::open_hours::OpenHours;
use crate::record::Record;
use crate::time::Timestamp;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagingConfig {
    /// Never changes.
    pub id: StagingId,
    /// Grows with every change.
    pub version: u64,
    /// The settings.
    pub settings: StagingSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// The settings of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagingSettings {
    /// For administrators only.
    pub name: String,
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// A pool that is off keeps nothing ready.
    pub enabled: bool,
    /// The image of its sessions.
    pub image_id: ImageId,
    /// Where they run; `None` is the image's own network.
    #[serde(default)]
    pub network: Option<NetworkName>,
    /// Beside *All Users*, the group whose permissions its sessions are started with; a visitor
    /// with others gets a session of their own.
    #[serde(default)]
    pub group_id: Option<GroupId>,
    /// How many sessions shall be ready (field: Desired Sessions).
    pub desired_sessions: u32,
    /// After so many hours an unused session is replaced by a fresh one.
    pub expiration_hours: u32,
    /// When in the week the pool is kept; `None` is always.
    #[serde(default)]
    pub schedule: Option<OpenHours>,
    /// The most that its unused sessions may cost in a day (UTC), in US cents; `None` is no cap.
    #[serde(default)]
    pub daily_budget_cents: Option<u32>,
}

impl Record for StagingConfig {
    const KIND: &'static str = "staging";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}
