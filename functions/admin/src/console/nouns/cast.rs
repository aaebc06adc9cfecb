//! Owns the fields of a cast as they are asked for: what the link is, who may come in, how many, what they get, where they land, how it looks.
//! Must not know what a field may hold (see `cast_form`).

use super::client::{client_fields, permission};
use crate::console::field::{Empty, Field, Kind, Noun, Picked, Section};

/// A cast.
pub static CAST: Noun = Noun {
    name: "cast",
    sections: &[
        Section {
            id: "link",
            title: "The link",
            intro: "What it is called, where it is found, and what it starts.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line { empty: Empty::Text, example: "Trial desktop" },
                    "For you and your colleagues; visitors do not see it.",
                )
                .required(),
                Field::new(
                    "key",
                    "URL Key",
                    Kind::Line { empty: Empty::LeftOut, example: "drawn for you" },
                    "The end of the link: /cast/ and this. 6 to 64 letters, digits, hyphens and underscores. Left empty for a new cast, a key that nobody can guess is drawn.",
                ),
                Field::new(
                    "image_id",
                    "Image",
                    Kind::Picked(Picked::Image),
                    "What every visitor gets a session of. Visitors see its name.",
                )
                .required(),
                Field::flag("enabled", "Enabled", "Switched off, the link looks as if it did not exist. Sessions that run go on."),
                Field::new("description", "Description", Kind::Text, "Notes for administrators."),
            ],
        },
        Section {
            id: "who",
            title: "Who may come in",
            intro: "Everything left empty is open: then the link itself is the only key.",
            fields: &[
                Field::flag(
                    "allow_anonymous",
                    "Allow Anonymous",
                    "Visitors need no account; each request gets a user of its own, forgotten later. Switched off, visitors sign in first.",
                ),
                Field::flag(
                    "require_captcha",
                    "Require reCAPTCHA",
                    "Anonymous visitors show that they are people first. Which kind of check is asked is chosen in Settings.",
                )
                .under("allow_anonymous"),
                Field::new(
                    "anonymous_user_group_id",
                    "Anonymous User Group",
                    Kind::Picked(Picked::Group),
                    "Anonymous users are in All Users and in this group; its permissions and limits hold for them.",
                )
                .under("allow_anonymous"),
                Field::lines(
                    "restrict_to_referrers",
                    "Restrict to Referrers",
                    "acme.com\n=shop.example.com",
                    "Only visitors who click the link on one of these sites come in; only these sites may show it in a frame. One domain on each line: acme.com also means its subdomains, =acme.com only itself, *.acme.com only its subdomains. Empty accepts every site.",
                ),
                Field::lines(
                    "allowed_addresses",
                    "Allowed Addresses",
                    "192.0.2.0/24 Office",
                    "Only visitors from these addresses or blocks come in. One on each line; words after it are a note. Empty accepts every address.",
                ),
                Field::lines(
                    "banned_addresses",
                    "Banned Addresses",
                    "198.51.100.7 Bot",
                    "Visitors from these never come in, and are told the words after the address.",
                ),
                Field::new(
                    "valid_until",
                    "Valid Until",
                    Kind::Time,
                    "From this moment on (UTC) the link says that it has expired. Empty never does.",
                ),
                Field::new(
                    "open_hours",
                    "Open Hours",
                    Kind::OpenHours,
                    "When in the week the link gives sessions. An end before the start goes on into the next day. Without a line it is always open.",
                ),
            ],
        },
        Section {
            id: "many",
            title: "How many",
            intro: "Limits that hold exactly, however many people click at once. A session that never started is given back.",
            fields: &[
                Field::flag("limit_total_sessions", "Limit Total Session", "The link serves a set number of sessions and is used up then."),
                Field::number(
                    "sessions_remaining",
                    "Sessions Remaining",
                    (0, 1_000_000),
                    "sessions",
                    "How many are left; goes down by one with each session. At zero, visitors are told that all are taken. A new number holds within 5 seconds.",
                )
                .under("limit_total_sessions"),
                Field::flag(
                    "limit_requests_per_ip",
                    "Limit Requests Per IP",
                    "One network address gets only so many sessions in a given time.",
                ),
                Field::number("sessions_allowed", "Sessions Allowed", (1, 1000), "sessions", "This many sessions \u{2026}")
                    .under("limit_requests_per_ip"),
                Field::number("within_seconds", "Within Seconds", (1, 2_592_000), "seconds", "\u{2026} in any stretch of so many seconds.")
                    .under("limit_requests_per_ip"),
                Field::new(
                    "limit_requests_by",
                    "Count by",
                    Kind::Choice(&[("address", "Address"), ("browser", "Address and browser")]),
                    "Whether everybody behind one address shares the limit, or each browser there has its own.",
                )
                .under("limit_requests_per_ip"),
                Field::lines(
                    "limit_exempt_addresses",
                    "Exempt Addresses",
                    "192.0.2.0/24 Classroom",
                    "This limit does not hold for these addresses or blocks.",
                )
                .under("limit_requests_per_ip"),
                Field::number(
                    "max_live_sessions",
                    "Sessions at once",
                    (0, 1_000_000),
                    "sessions",
                    "How many sessions of this link may be alive at the same time. Empty sets no limit.",
                ),
                Field::flag(
                    "waiting_room",
                    "Waiting Room",
                    "Visitors who find every place taken wait in line, first come, first served, and get in by themselves. Up to 200 can wait.",
                ),
                Field::flag(
                    "allow_resume",
                    "Allow Resume",
                    "Signed-in visitors who have a running session of this link are taken back to it, also when the link is sold out, closed or disabled. That uses up nothing.",
                ),
            ],
        },
        Section {
            id: "what",
            title: "What they get",
            intro: "What is possible inside a session. Left alone, groups decide.",
            fields: &{
                const CLIENT: [Field; 15] = client_fields!(under "enforce_client_settings");
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = CLIENT;
                [
                    Field::flag(
                        "allow_dynamic_docker_network",
                        "Allow Dynamic Docker Network URL Parameter",
                        "Whoever opens the link may name a network with ?docker_network=. The image must have Allow Network Selection switched on.",
                    ),
                    Field::flag("enforce_client_settings", "Enforce client settings", "What is said here wins over every group."),
                    a,
                    b,
                    c,
                    d,
                    e,
                    f,
                    g,
                    h,
                    i,
                    j,
                    k,
                    l,
                    m,
                    n,
                    o,
                ]
            },
        },
        Section {
            id: "where",
            title: "Where they land",
            intro: "What the session opens, and where visitors go when they cannot come in.",
            fields: &[
                Field::line(
                    "kasm_url",
                    "Kasm URL",
                    "https://example.com/welcome",
                    "Told to the session as KASM_URL; browser images open it first.",
                ),
                Field::flag(
                    "allow_dynamic_kasm_url",
                    "Allow Dynamic Kasm URL Parameter",
                    "Whoever opens the link may bring an address with ?kasm_url=. Visitors see it and agree before it is opened.",
                ),
                Field::lines(
                    "dynamic_kasm_url_hosts",
                    "Hosts it may lead to",
                    "example.com",
                    "Addresses on other hosts are refused. Empty accepts every public host.",
                )
                .under("allow_dynamic_kasm_url"),
                Field::line(
                    "error_url",
                    "Error URL",
                    "https://example.com/sorry",
                    "Visitors who cannot come in are sent there, with the reason\u{2019}s code, a reference and when to come back. Empty shows our own error page.",
                ),
            ],
        },
        Section {
            id: "look",
            title: "How it looks",
            intro: "What surrounds the session in the visitor\u{2019}s browser.",
            fields: &[
                Field::line(
                    "title",
                    "Title",
                    "Try our editor",
                    "What visitors read on the link\u{2019}s page, and chats when the link is pasted there. Empty says it in our words.",
                ),
                Field::line("summary", "Summary", "A session of your own, for an hour.", "One or two sentences below the title."),
                Field::line("background_url", "Background picture", "https://example.com/paper.jpg", "Shown behind the landing page."),
                Field::flag("disable_control_panel", "Disable Control Panel", "The panel at the session\u{2019}s edge is not shown."),
                Field::flag("disable_tips", "Disable Tips", "The tips on entry are not shown."),
                Field::flag(
                    "enable_sharing",
                    "Enable Sharing",
                    "Sessions are shared from the start: whoever has the session\u{2019}s share link may watch.",
                ),
                Field::flag(
                    "allow_anonymous_viewers",
                    "Watching needs no account",
                    "Whoever has a share link may watch without signing in.",
                ),
                Field::flag(
                    "disable_shared_fixed_resolution",
                    "Disable Shared Fixed Resolution",
                    "While others watch, the picture keeps the size of its owner\u{2019}s window. Otherwise it has a fixed size then.",
                ),
                Field::flag(
                    "kasm_audio_default_on",
                    "Sound is on at the start",
                    "Where sound is allowed. Visitors can switch it in the session.",
                ),
                Field::flag(
                    "kasm_ime_mode_default_on",
                    "Input method is on at the start",
                    "For visitors who type with the input method of their own machine, such as Chinese or Japanese.",
                ),
            ],
        },
    ],
};
