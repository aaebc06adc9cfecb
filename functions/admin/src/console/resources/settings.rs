//! Owns the fields of the deployment's settings as they are asked for. Must not know what a field may hold (see `system_form`).

use casting_core::captcha_provider;

use crate::console::field::{Field, Kind, Resource, Section};

/// The deployment's settings.
pub static SETTINGS: Resource = Resource {
    name: "settings",
    sections: &[
        Section {
            id: "captcha",
            title: "CAPTCHA",
            intro: "Shown to anonymous visitors of casts with \u{201c}Require reCAPTCHA\u{201d}.",
            fields: &[
                Field::new(
                    "captcha_kind",
                    "Kind",
                    Kind::Choice(&captcha_provider::CHOICES),
                    "",
                ),
                Field::line(
                    "captcha_site_key",
                    "Site key",
                    "",
                    "From the provider; public. Not needed for ALTCHA.",
                ),
                Field::new(
                    "captcha_secret_key",
                    "Private key",
                    Kind::Secret,
                    "From the provider; stored and never shown again.",
                ),
                Field::line(
                    "captcha_verify_url",
                    "Verifier",
                    "https://verify.example.com/siteverify",
                    "URL where answers are verified, if not the provider\u{2019}s default.",
                ),
                Field::number(
                    "captcha_min_score_percent",
                    "Minimum score",
                    (0, 100),
                    "percent",
                    "Visitors with a lower score are refused (providers with scores only).",
                )
                .required(),
            ],
        },
        Section {
            id: "limits",
            title: "Limits of the deployment",
            intro: "They apply to all links together.",
            fields: &[
                Field::number(
                    "max_sessions",
                    "Sessions at once",
                    (0, 1_000_000),
                    "sessions",
                    "0 is maintenance: nothing new starts and running sessions continue. Empty: no limit.",
                ),
                Field::number(
                    "budget_per_hour_cents",
                    "Budget of an hour",
                    (1, 100_000_000),
                    "cents",
                    "What the sessions claimed in a clock hour may cost together, each counted with the most that it can cost until it has ended. Then the links are closed until the hour is over. Empty sets no limit.",
                ),
                Field::number(
                    "budget_per_day_cents",
                    "Budget of a day",
                    (1, 100_000_000),
                    "cents",
                    "The same of a day, which ends at midnight UTC. Empty sets no limit.",
                ),
                Field::number(
                    "anonymous_users_per_hour",
                    "Anonymous users per hour",
                    (1, 1_000_000),
                    "users",
                    "Empty: no limit.",
                ),
                Field::number(
                    "anonymous_user_hours",
                    "Anonymous users are forgotten after",
                    (0, 8760),
                    "hours",
                    "Their sessions are then no longer linked to them. Empty or 0: never.",
                ),
                Field::number(
                    "attempts_per_minute",
                    "Attempts per address",
                    (1, 100_000),
                    "in a minute",
                    "More attempts are refused before any lookup.",
                )
                .required(),
                Field::number(
                    "calls_per_minute",
                    "Requests per administrator",
                    (60, 1_000_000),
                    "in a minute",
                    "The number of requests allowed per administrator or API key.",
                )
                .required(),
                Field::lines(
                    "banned_addresses",
                    "Banned Addresses",
                    "198.51.100.0/24 Abuse",
                    "Visitors from these addresses or blocks are refused by every link. One per line; they see the text after it.",
                ),
            ],
        },
    ],
};
