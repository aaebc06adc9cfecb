//! Owns the fields of a cast as they are asked for: what the link is, who may come in, how many, what they get, where they land, how it looks.
//! Must not know what a field may hold (see `cast_form`).

use super::client::{client_fields, permission};
use crate::console::field::{Empty, Field, Kind, OptionSource, Resource, Section};

/// A cast.
pub static CAST: Resource = Resource {
    name: "cast",
    sections: &[
        Section {
            id: "link",
            title: "The link",
            intro: "Name, address and image.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line { empty: Empty::Text, example: "Trial desktop" },
                    "Only administrators see it.",
                )
                .required(),
                Field::new(
                    "key",
                    "URL Key",
                    Kind::Line { empty: Empty::LeftOut, example: "generated automatically" },
                    "The end of the link: /cast/ and this. 6 to 64 letters, digits, hyphens and underscores. Leave it empty to generate a key that nobody can guess.",
                ),
                Field::new(
                    "image_id",
                    "Image",
                    Kind::Select(OptionSource::Image),
                    "What each session runs. Visitors see its name.",
                )
                .required(),
                Field::flag("enabled", "Enabled", "When disabled, the link looks as if it did not exist. Running sessions continue."),
                Field::new("description", "Description", Kind::Text, "Notes for administrators."),
            ],
        },
        Section {
            id: "who",
            title: "Access",
            intro: "Anyone with the link has access unless you restrict it here.",
            fields: &[
                Field::flag(
                    "allow_anonymous",
                    "Allow Anonymous",
                    "Visitors need no account; each request gets an anonymous user that is forgotten later. When off, visitors must sign in.",
                ),
                Field::flag(
                    "require_captcha",
                    "Require reCAPTCHA",
                    "Anonymous visitors must pass a CAPTCHA. Choose the provider in Settings.",
                )
                .under("allow_anonymous"),
                Field::new(
                    "anonymous_user_group_id",
                    "Anonymous User Group",
                    Kind::Select(OptionSource::Group),
                    "Anonymous users belong to All Users and to this group; its permissions and limits apply to them.",
                )
                .under("allow_anonymous"),
                Field::lines(
                    "restrict_to_referrers",
                    "Restrict to Referrers",
                    "acme.com\n=shop.example.com",
                    "Only visitors who click the link on one of these sites get in, and only these sites may embed it. One domain per line: acme.com includes its subdomains, =acme.com means only that host, *.acme.com only its subdomains. Empty: every site.",
                ),
                Field::lines(
                    "allowed_addresses",
                    "Allowed Addresses",
                    "192.0.2.0/24 Office",
                    "Only visitors from these addresses or blocks get in. One per line; text after it is a note. Empty: every address.",
                ),
                Field::lines(
                    "banned_addresses",
                    "Banned Addresses",
                    "198.51.100.7 Bot",
                    "Visitors from these addresses are refused and see the text after the address.",
                ),
                Field::new(
                    "valid_until",
                    "Valid Until",
                    Kind::Time,
                    "The link expires at this time (UTC). Empty: never.",
                ),
                Field::new(
                    "open_hours",
                    "Open Hours",
                    Kind::OpenHours,
                    "When in the week the link is open. An end before the start continues into the next day. Empty: always.",
                ),
            ],
        },
        Section {
            id: "many",
            title: "Limits",
            intro: "Limits are exact, no matter how many people click at the same time. A session that fails to start is refunded.",
            fields: &[
                Field::flag("limit_total_sessions", "Limit Total Session", "The link serves a fixed number of sessions."),
                Field::number(
                    "sessions_remaining",
                    "Sessions Remaining",
                    (0, 1_000_000),
                    "sessions",
                    "How many sessions are left. At zero, visitors read that all are taken. A new number holds within 5 seconds.",
                )
                .under("limit_total_sessions"),
                Field::flag(
                    "limit_requests_per_ip",
                    "Limit Requests Per IP",
                    "Limits how many sessions one network address gets in a given period.",
                ),
                Field::number("sessions_allowed", "Sessions Allowed", (1, 1000), "sessions", "The number of sessions \u{2026}")
                    .under("limit_requests_per_ip"),
                Field::number("within_seconds", "Within Seconds", (1, 2_592_000), "seconds", "\u{2026} within any period of this length.")
                    .under("limit_requests_per_ip"),
                Field::new(
                    "limit_requests_by",
                    "Count by",
                    Kind::Choice(&[("address", "Address"), ("browser", "Address and browser")]),
                    "Whether everyone behind one address shares the limit, or each browser has its own.",
                )
                .under("limit_requests_per_ip"),
                Field::lines(
                    "limit_exempt_addresses",
                    "Exempt Addresses",
                    "192.0.2.0/24 Classroom",
                    "Addresses or blocks to which this limit does not apply.",
                )
                .under("limit_requests_per_ip"),
                Field::number(
                    "max_live_sessions",
                    "Sessions at once",
                    (0, 1_000_000),
                    "sessions",
                    "How many sessions of this link may run at the same time. Empty: no limit.",
                ),
                Field::flag(
                    "waiting_room",
                    "Waiting Room",
                    "When the link is full, visitors wait in a queue, first come, first served, and get in automatically. Up to 200 can wait.",
                ),
                Field::flag(
                    "allow_resume",
                    "Allow Resume",
                    "Signed-in visitors return to their running session of this link, even when the link is sold out, closed or disabled. Resuming does not count as a session.",
                ),
            ],
        },
        Section {
            id: "what",
            title: "Resources",
            intro: "Permissions inside a session. By default, groups decide.",
            fields: &{
                const CLIENT: [Field; 15] = client_fields!(under "enforce_client_settings");
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = CLIENT;
                [
                    Field::flag(
                        "allow_dynamic_docker_network",
                        "Allow Dynamic Docker Network URL Parameter",
                        "Visitors may choose a network with ?docker_network=. The image must have Allow Network Selection enabled.",
                    ),
                    Field::flag("enforce_client_settings", "Enforce client settings", "These settings override every group."),
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
            title: "Destination",
            intro: "What the session opens, and where refused visitors are sent.",
            fields: &[
                Field::line(
                    "kasm_url",
                    "Kasm URL",
                    "https://example.com/welcome",
                    "Passed to the session as KASM_URL; browser images open it first.",
                ),
                Field::flag(
                    "allow_dynamic_kasm_url",
                    "Allow Dynamic Kasm URL Parameter",
                    "Visitors may pass an address with ?kasm_url=. They see it and confirm before it is opened.",
                ),
                Field::lines(
                    "dynamic_kasm_url_hosts",
                    "Allowed hosts",
                    "example.com",
                    "Addresses on other hosts are refused. Empty: every public host.",
                )
                .under("allow_dynamic_kasm_url"),
                Field::line(
                    "error_url",
                    "Error URL",
                    "https://example.com/sorry",
                    "Refused visitors are sent here with the reason code, a reference and when to try again. Empty: the built-in error page.",
                ),
            ],
        },
        Section {
            id: "look",
            title: "Appearance",
            intro: "What visitors see around the session.",
            fields: &[
                Field::line(
                    "title",
                    "Title",
                    "Try our editor",
                    "Shown on the link\u{2019}s page and in link previews. Empty: a default text.",
                ),
                Field::line("summary", "Summary", "A session of your own, for an hour.", "One or two sentences below the title."),
                Field::line("background_url", "Background picture", "https://example.com/paper.jpg", "Shown behind the landing page."),
                Field::flag("disable_control_panel", "Disable Control Panel", "Hides the control panel in the session."),
                Field::flag("disable_tips", "Disable Tips", "Hides the tips shown on entry."),
                Field::flag(
                    "enable_sharing",
                    "Enable Sharing",
                    "Sessions are shared from the start: anyone with the share link can watch.",
                ),
                Field::flag(
                    "allow_anonymous_viewers",
                    "Allow Anonymous Viewers",
                    "Anyone with a share link can watch without signing in.",
                ),
                Field::flag(
                    "disable_shared_fixed_resolution",
                    "Disable Shared Fixed Resolution",
                    "While shared, the picture follows the size of the owner\u{2019}s window instead of a fixed size.",
                ),
                Field::flag(
                    "kasm_audio_default_on",
                    "Sound on at Start",
                    "Where sound is allowed. Visitors can change it in the session.",
                ),
                Field::flag(
                    "kasm_ime_mode_default_on",
                    "Input Method on at Start",
                    "For visitors who type with the input method of their own machine, such as Chinese or Japanese.",
                ),
            ],
        },
    ],
};
