//! Owns the fields of client settings, which casts and groups share: permissions and limits. Must not know which of the two it is.

/// The ten permissions and five limits; `$flag` is the flag that they depend on, if any.
macro_rules! client_fields {
    ($($under:ident $flag:literal)?) => {
        [
            permission!("audio", "Sound", "From the session to the visitor.") $(.$under($flag))?,
            permission!("microphone", "Microphone", "The visitor\u{2019}s, into the session.") $(.$under($flag))?,
            permission!("webcam", "Camera", "The visitor\u{2019}s, into the session.") $(.$under($flag))?,
            permission!("gamepad", "Game controller", "The visitor\u{2019}s, into the session.") $(.$under($flag))?,
            permission!(
                "clipboard_down",
                "Clipboard: session to visitor",
                "From the session\u{2019}s clipboard to the visitor\u{2019}s; enforced by the image."
            ) $(.$under($flag))?,
            permission!("clipboard_up", "Clipboard: visitor to session", "From the visitor\u{2019}s clipboard to the session\u{2019}s.") $(.$under($flag))?,
            permission!("downloads", "Downloads", "Files out of the session.") $(.$under($flag))?,
            permission!("uploads", "Uploads", "Files into the session.") $(.$under($flag))?,
            permission!("printing", "Printing", "On the visitor\u{2019}s machine.") $(.$under($flag))?,
            permission!("sharing", "Sharing", "The visitor may share the session with viewers.") $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.session_time_limit_seconds",
                "Session time limit",
                (60, 604_800),
                "seconds",
                "The longest a session may run. The smallest limit set by image, groups or cast applies. Empty: no limit.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.idle_minutes",
                "Idle limit",
                (1, 10_080),
                "minutes",
                "A session ends after this long without input. The visitor is warned first.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.keepalive_seconds",
                "Disconnect timeout",
                (60, 604_800),
                "seconds",
                "A session ends when its visitor has been disconnected for this long. Empty: 3600, or 300 for anonymous users.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.entry_timeout_seconds",
                "Entry timeout",
                (60, 604_800),
                "seconds",
                "A session ends when nobody enters it within this time after it is ready. Empty: 300.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.sessions_per_user",
                "Sessions per user",
                (1, 1000),
                "sessions",
                "How many live sessions a signed-in user may have, across all links.",
            ) $(.$under($flag))?,
        ]
    };
}

macro_rules! permission {
    ($name:literal, $label:literal, $help:literal) => {
        $crate::console::field::Field::new(
            concat!("client_settings.permissions.", $name),
            $label,
            $crate::console::field::Kind::Permission,
            $help,
        )
    };
}

pub(super) use client_fields;
pub(super) use permission;
