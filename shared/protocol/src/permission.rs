//! Owns the things that may be allowed inside a session, by name. Must not know who allows them.

use serde::{Deserialize, Serialize};

/// One thing that may be allowed inside a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Sound from the session.
    Audio,
    /// From the session's clipboard to the visitor's.
    ClipboardDown,
    /// From the visitor's clipboard to the session's.
    ClipboardUp,
    /// Files from the session.
    Downloads,
    /// A game controller.
    Gamepad,
    /// The visitor's microphone.
    Microphone,
    /// Printing to the visitor's machine.
    Printing,
    /// Letting others watch.
    Sharing,
    /// Files into the session.
    Uploads,
    /// The visitor's camera.
    Webcam,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 10] = [
        Self::Audio,
        Self::ClipboardDown,
        Self::ClipboardUp,
        Self::Downloads,
        Self::Gamepad,
        Self::Microphone,
        Self::Printing,
        Self::Sharing,
        Self::Uploads,
        Self::Webcam,
    ];

    /// The permission as the API and a session's environment say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::ClipboardDown => "clipboard_down",
            Self::ClipboardUp => "clipboard_up",
            Self::Downloads => "downloads",
            Self::Gamepad => "gamepad",
            Self::Microphone => "microphone",
            Self::Printing => "printing",
            Self::Sharing => "sharing",
            Self::Uploads => "uploads",
            Self::Webcam => "webcam",
        }
    }

    /// Whether it is one of the names in `CAST_PERMISSIONS`, as the control plane writes them.
    pub fn is_named_in(self, names: &str) -> bool {
        names.split(',').any(|name| name == self.as_str())
    }

    /// Reads a permission; `None` when there is none of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
    }

    /// The default, if neither a group nor the cast sets it.
    pub const fn by_default(self) -> bool {
        matches!(
            self,
            Self::Audio | Self::ClipboardDown | Self::ClipboardUp | Self::Downloads | Self::Uploads
        )
    }
}
