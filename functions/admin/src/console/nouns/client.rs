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
                "Copy out",
                "From the session\u{2019}s clipboard to the visitor\u{2019}s; kept by the image."
            ) $(.$under($flag))?,
            permission!("clipboard_up", "Paste in", "From the visitor\u{2019}s clipboard to the session\u{2019}s.") $(.$under($flag))?,
            permission!("downloads", "Downloads", "Files out of the session.") $(.$under($flag))?,
            permission!("uploads", "Uploads", "Files into the session.") $(.$under($flag))?,
            permission!("printing", "Printing", "On the visitor\u{2019}s machine.") $(.$under($flag))?,
            permission!("sharing", "Sharing", "Others may be asked to watch.") $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.session_time_limit_seconds",
                "Session time limit",
                (60, 604_800),
                "seconds",
                "A session ends after so long. The smallest limit that image, groups or cast set is the one that holds. Empty sets none.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.idle_minutes",
                "Idle limit",
                (1, 10_080),
                "minutes",
                "A session ends when nobody has touched it for so long; its visitor is warned first.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.keepalive_seconds",
                "Keep without a browser",
                (60, 604_800),
                "seconds",
                "A session ends when its visitor\u{2019}s browser has been away for so long. Empty is 3600, and 300 for anonymous users.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.entry_timeout_seconds",
                "Time to enter",
                (60, 604_800),
                "seconds",
                "A session that nobody has entered ends so long after it was ready. Empty is 300.",
            ) $(.$under($flag))?,
            $crate::console::field::Field::number(
                "client_settings.sessions_per_user",
                "Sessions per user",
                (1, 1000),
                "sessions",
                "How many live sessions one signed-in user may have, over all links.",
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
