//! Owns why a session ended, as the ledger, the API and the visitor's page tell it apart. Must not
//! know how it ends.

use serde::{Deserialize, Serialize};

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum EndReason {
    /// Its owner ended it.
    Owner,
    /// An administrator ended it.
    Administrator {
        /// What the administrator tells its visitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Its time was up.
    TimeLimit,
    /// No browser had been connected to it for long.
    Abandoned,
    /// No visitor entered it after it was ready.
    NotEntered,
    /// It was idle for too long.
    Idle,
    /// It kept its processors busy without input.
    UnattendedCpu,
    /// AWS took the machine back.
    Reclaimed,
    /// Its app ended, or ECS stopped it; with what ECS said.
    TaskStopped {
        /// ECS's stop code and reason.
        detail: String,
        /// The exit code of the container.
        exit_code: Option<i32>,
    },
    /// ECS has no room; it may have some soon.
    NoCapacity,
    /// ECS refused the task; with what it said.
    StartRefused {
        /// ECS's words, for administrators.
        detail: String,
    },
    /// Not ready in time.
    StartTimeout,
    /// No task was found for it.
    TaskLost,
    /// Staged, and not assigned before it expired.
    Unused,
    /// Staged, and its pool no longer needs it, or needs another kind.
    NotNeeded,
    /// Staged, and its gate could not be reached for the assignment.
    GateLost,
    /// The files of its user could not be brought back, so it was not started.
    ProfileNotRestored,
}

impl EndReason {
    /// Every reason in one word.
    pub const WORDS: [&'static str; 17] = [
        "ended-by-owner",
        "ended-by-administrator",
        "time-limit",
        "abandoned",
        "not-entered",
        "idle",
        "unattended-cpu",
        "reclaimed",
        "task-stopped",
        "no-capacity",
        "start-refused",
        "start-timeout",
        "task-lost",
        "unused",
        "not-needed",
        "gate-lost",
        "profile-not-restored",
    ];

    /// The reason in one word, as the API and the ledger say it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Owner => "ended-by-owner",
            Self::Administrator { .. } => "ended-by-administrator",
            Self::TimeLimit => "time-limit",
            Self::Abandoned => "abandoned",
            Self::NotEntered => "not-entered",
            Self::Idle => "idle",
            Self::UnattendedCpu => "unattended-cpu",
            Self::Reclaimed => "reclaimed",
            Self::TaskStopped { .. } => "task-stopped",
            Self::NoCapacity => "no-capacity",
            Self::StartRefused { .. } => "start-refused",
            Self::StartTimeout => "start-timeout",
            Self::TaskLost => "task-lost",
            Self::Unused => "unused",
            Self::NotNeeded => "not-needed",
            Self::GateLost => "gate-lost",
            Self::ProfileNotRestored => "profile-not-restored",
        }
    }
}
