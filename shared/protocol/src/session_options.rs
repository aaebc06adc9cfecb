//! Owns what surrounds an app in its session: the viewer's panel and tips, sharing, and the
//! commands that are run inside. Must not know who draws, streams or runs any of it; the gate gets
//! them in [`SessionDirectives`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::brand::Brand;
use crate::language::Language;
use crate::referrer::ReferrerRule;
use crate::ticket::WatcherKind;
use crate::time::Timestamp;

/// The screen's size while a session is shared (seed: Disable Shared Fixed Resolution), in pixels.
pub const SHARED_SIZE: (u16, u16) = (1280, 720);

/// How a gate keeps those who only watch from changing anything. An image without one of these
/// cannot be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewOnly {
    /// The app's picture travels as RFB (VNC) in WebSockets, as noVNC speaks it: their keys,
    /// pointer and clipboard are dropped.
    Rfb,
    /// The same as KasmVNC speaks it.
    Kasmvnc,
    /// The app's picture and sound travel as Selkies 2.1 streams them in a WebSocket: they get a
    /// token that only watches, and all of their messages but those that watching needs are
    /// dropped.
    Selkies,
    /// They may read (GET and HEAD), and nothing else: neither other requests nor WebSockets.
    Requests,
}

impl ViewOnly {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Rfb, Self::Kasmvnc, Self::Selkies, Self::Requests];

    /// The way as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rfb => "rfb",
            Self::Kasmvnc => "kasmvnc",
            Self::Selkies => "selkies",
            Self::Requests => "requests",
        }
    }
}

/// A command to be run inside a session (seed: exec config).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Who runs it; `None` is who runs the app. Never root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where; `None` is where the app runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Added to the app's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// The commands of an image, by what they are run for.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExecConfig {
    /// Once, when the app answers for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_launch: Option<Exec>,
    /// Whenever an address is to be opened in a running session; the address is in `KASM_URL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<Exec>,
    /// When a session that was started in advance is assigned to a visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign: Option<Exec>,
}

/// How often the owner of a session may extend it, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// How often at most.
    pub times: u32,
    /// By how many minutes each time.
    pub minutes: u32,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            times: 0,
            minutes: 15,
        }
    }
}

impl Extension {
    /// How much longer the session lives after so many extensions, in seconds.
    pub fn seconds(self, times: u32) -> u64 {
        u64::from(times.min(self.times)) * u64::from(self.minutes) * 60
    }
}

/// The options of a session's viewer, frozen when the session starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionOptions {
    /// Whether there is a control panel (seed: Disable Control Panel).
    pub control_panel: bool,
    /// Whether there are tips on entry (seed: Disable Tips).
    pub tips: bool,
    /// Whether the screen keeps [`SHARED_SIZE`] while others watch (seed: Disable Shared Fixed
    /// Resolution).
    pub fixed_resolution: bool,
    /// Whether those who watch need no login.
    pub anonymous_viewers: bool,
    /// Whether those who want to watch wait until the owner lets them in, unless the owner has
    /// switched that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lobby: bool,
    /// How those who only watch are kept from changing anything; `None`: the session cannot be
    /// shared.
    pub view_only: Option<ViewOnly>,
    /// Whether its owner may share it.
    pub may_share: bool,
    /// The hosts that its owner may open in it while it runs, all public ones if there are none;
    /// `None`: that is not allowed.
    pub open_hosts: Option<Vec<ReferrerRule>>,
    /// Whether sound is on from the start.
    pub audio_on: bool,
    /// Whether the visitor's own input method is on from the start.
    pub ime_on: bool,
    /// By how much its owner may extend it; `None`: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<Extension>,
    /// The language that is set for the link; `None` is the one of each visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Whether the viewer writes over the picture whose session it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub watermark: bool,
    /// What the viewer shows above the session, as long as it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The brand of the link and of the deployment.
    #[serde(skip_serializing_if = "Brand::is_empty")]
    pub brand: Brand,
    /// The commands of the image.
    pub exec: ExecConfig,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            control_panel: true,
            tips: true,
            fixed_resolution: true,
            anonymous_viewers: false,
            lobby: false,
            view_only: None,
            may_share: false,
            open_hosts: None,
            audio_on: true,
            ime_on: false,
            extension: None,
            language: None,
            watermark: false,
            notice: None,
            brand: Brand::default(),
            exec: ExecConfig::default(),
        }
    }
}

/// Somebody who asks to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingViewer {
    /// The id of the request, by which the owner answers it.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Who they are.
    #[serde(default)]
    pub kind: WatcherKind,
}

/// The lobby of a shared session, for its owner.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LobbyDirectives {
    /// Whether viewers wait until the owner lets them in.
    pub on: bool,
    /// Grows with each change: an answer of the control plane that comes late does not undo a newer
    /// one.
    pub version: u64,
    /// Those who wait, who came first before the others.
    pub waiting: Vec<WaitingViewer>,
}

impl LobbyDirectives {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What an administrator tells the owner of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// When it was sent; the newest counts.
    pub at: Timestamp,
    /// Plain text on one line.
    pub text: String,
}

/// What the viewer writes over the picture, beside the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The name of the session's owner; `None` for anonymous users. Viewers get their own instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The link's key and the session's reference.
    pub session: String,
}

/// When a session that works without input ends: when it has used half of its processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuLimit {
    /// The time over which it is averaged, in seconds.
    pub window_seconds: u32,
    /// The CPU units of the task, 1024 to a processor; `None` where only ECS knows them.
    pub cpu_units: Option<u32>,
}

/// The directives for a gate: the reply to its ready report, and to each later one.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionDirectives {
    /// The options of its viewer.
    #[serde(rename = "viewing")]
    pub options: SessionOptions,
    /// The name of the image.
    pub title: String,
    /// The URL of the session's page.
    pub session_page: String,
    /// The link for those who may watch; `None` while the session is not shared.
    pub share_link: Option<String>,
    /// The round of sharing, which grows whenever sharing is turned on: tickets of earlier rounds
    /// are invalid.
    pub share_round: u32,
    /// Who asks to watch.
    #[serde(skip_serializing_if = "LobbyDirectives::is_usual")]
    pub lobby: LobbyDirectives,
    /// After how long without a sign of life from a visitor the session ends, in seconds.
    pub idle_seconds: Option<u32>,
    /// When it ends because it works without input; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unattended_cpu: Option<CpuLimit>,
    /// How long after it was ready a session ends without a visitor, in seconds.
    pub entry_timeout_seconds: Option<u32>,
    /// How often its owner has extended it.
    pub extensions: u32,
    /// The language of its owner's pages; `None` when none was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// By how many seconds administrators have extended it.
    #[serde(skip_serializing_if = "is_zero")]
    pub added_seconds: u32,
    /// What an administrator tells its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// What the viewer writes over the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// Whether it was started in advance and is unassigned: no visitor is admitted, and none of its
    /// limits has started.
    pub waits: bool,
    /// Its assignment, if it was started in advance.
    #[serde(rename = "assigned")]
    pub assignment: Option<Assignment>,
}

impl SessionDirectives {
    /// How much longer than its time limit the session lives, in seconds.
    pub fn extended_seconds(&self) -> u64 {
        let own = self.options.extension;
        own.map_or(0, |extension| extension.seconds(self.extensions))
            + u64::from(self.added_seconds)
    }
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a session that was started in advance gets with its visitor; others have it in their
/// environment.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Assignment {
    /// How long it may live from now on, in seconds.
    pub time_limit_seconds: u32,
    /// How long it lives without a browser that is connected to it, in seconds.
    pub keepalive_seconds: u32,
    /// The variables for the command `assign`: the visitor, the link, the address to open.
    pub environment: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_row_without_viewers_has_defaults() {
        assert_eq!(
            serde_json::from_str::<SessionOptions>("{}").expect("reads"),
            SessionOptions::default()
        );
        assert_eq!(
            serde_json::from_str::<SessionDirectives>("{}").expect("reads"),
            SessionDirectives::default()
        );
    }
}
