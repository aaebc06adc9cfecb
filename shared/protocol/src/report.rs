//! Owns the reports of a gate and the replies to them. Must not know how they are sent or handled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::excerpt::Speaker;

/// The TCP port of a task on which its gate listens: one that hardly any app has, because both
/// share the task's addresses.
pub const GATE_PORT: u16 = 18_080;

/// The answer to a gate that brings its bootstrap token.
#[derive(Serialize, Deserialize)]
pub struct Bootstrap {
    /// The gate's secret.
    pub secret: String,
}

/// A gate's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Report {
    /// The app answers, and the gate listens on `port`: of the address that the report comes from,
    /// or, where the edge is inside the network, of the one that ECS knows. It never reports its
    /// own address: a visitor who controls a session must not point the edge elsewhere.
    Ready {
        /// TCP port.
        port: u16,
    },
    /// The gate is there, and asks what holds now.
    Alive,
    /// The owner shares the session, or stops doing so.
    Share {
        /// Whether to share it.
        on: bool,
    },
    /// The owner switches the lobby of the session.
    Lobby {
        /// Whether viewers wait there until they are let in.
        on: bool,
    },
    /// The owner answers somebody who asks to watch, or removes somebody who watches.
    Answer {
        /// The id of the request, which is the viewer's once they are let in.
        id: String,
        /// Whether they may watch.
        admit: bool,
    },
    /// The owner extends the session.
    Extend {
        /// How often it has been extended, as the owner sees it: a repeated report, or a second
        /// window, extends it once.
        used: u32,
    },
    /// The app has ended, or is about to be ended by its gate.
    Ended {
        /// Its exit code, once there is one.
        exit_code: Option<i32>,
        /// Why the gate ends it; `None` when it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<GateEndReason>,
        /// Its last output, when it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// A command inside the session failed.
    Failed {
        /// Which.
        command: Speaker,
        /// Why, and what it said.
        said: String,
    },
}

/// Why a gate ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateEndReason {
    /// Its time was up.
    TimeLimit,
    /// No browser had been connected for long.
    Abandoned,
    /// No visitor entered it after it was ready.
    NotEntered,
    /// It was idle for too long.
    Idle,
    /// It kept its processors busy without input.
    UnattendedCpu,
    /// Its owner ended it.
    Owner,
    /// The machine is taken back.
    Reclaimed,
    /// The files of its user could not be brought back.
    ProfileNotRestored,
}

/// A gate's report about the profile of its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ProfileReport {
    /// The app is about to start: what is its profile?
    Restore,
    /// This archive is packed: where is it sent?
    Save {
        /// Its size.
        bytes: u64,
        /// SHA-256 of it, in small hexadecimal digits.
        sha256: String,
    },
    /// It was sent.
    Saved {
        /// Its size.
        bytes: u64,
        /// SHA-256 of it.
        sha256: String,
        /// What it lacks because the gate's user cannot read it: the first few paths below the
        /// folder.
        #[serde(default)]
        left_out: Vec<String>,
    },
    /// The profile stays as it was: it was not saved, or not even brought back.
    NotSaved {
        /// Why.
        why: NotSaved,
    },
}

/// Why a profile was not saved, or not brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotSaved {
    /// It is larger than its image allows.
    TooLarge,
    /// It has too many files and folders.
    TooManyFiles,
    /// Its folders lie too deep in each other, or a path is too long.
    TooDeep,
    /// It is out of all proportion to its archive: almost nothing but repetition.
    TooCompressible,
    /// Its folder is gone.
    Missing,
    /// It could not be packed or sent.
    Failed,
}

impl NotSaved {
    /// The note in the session's row.
    pub const fn note(self) -> &'static str {
        match self {
            Self::TooLarge => "profile-too-large",
            Self::TooManyFiles => "profile-too-many-files",
            Self::TooDeep => "profile-too-deep",
            Self::TooCompressible => "profile-too-compressible",
            Self::Missing => "profile-missing",
            Self::Failed => "profile-not-saved",
        }
    }
}

/// The reply to a gate about the profile of its session.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileDirectives {
    /// How large the archive may be, in bytes.
    pub max_bytes: u64,
    /// Patterns of files to exclude.
    pub exclude: Vec<String>,
    /// The archive to restore before the app starts; `None`: nothing has been saved yet.
    pub archive: Option<Download>,
    /// Where the archive is sent; `None` when it is there already.
    pub upload: Option<Upload>,
}

/// An archive to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// From where (GET).
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it.
    pub sha256: String,
}

/// Where an archive is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// To where (PUT).
    pub url: String,
    /// Headers that must go with it.
    pub headers: BTreeMap<String, String>,
}

/// What is always left out: what programs make anew by themselves, and what only means something
/// while they run.
pub const USUAL_EXCLUDE: [&str; 6] = [
    "**/.cache",
    "**/Cache",
    "**/Code Cache",
    "**/GPUCache",
    "**/ShaderCache",
    "**/Singleton*",
];
