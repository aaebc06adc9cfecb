//! Owns the fields of the deployment's settings as they are asked for. Must not know what a field may hold (see `system_form`).

use crate::console::field::{Field, Kind, Noun, Section};

/// The deployment's settings.
pub static SETTINGS: Noun = Noun {
    name: "settings",
    sections: &[
        Section {
            id: "captcha",
            title: "The check that somebody is there",
            intro: "Asked of anonymous visitors on casts with \u{201c}Require reCAPTCHA\u{201d}.",
            fields: &[
                Field::new(
                    "captcha_kind",
                    "Kind",
                    Kind::Choice(&[
                        (
                            "altcha",
                            "ALTCHA: a proof of work; asks no third party and needs no keys",
                        ),
                        ("turnstile", "Cloudflare Turnstile"),
                        ("recaptcha-v2", "Google reCAPTCHA v2"),
                        ("recaptcha-v3", "Google reCAPTCHA v3"),
                        ("hcaptcha", "hCaptcha"),
                    ]),
                    "",
                ),
                Field::line(
                    "captcha_site_key",
                    "Site key",
                    "",
                    "From the provider; browsers see it. ALTCHA needs none.",
                ),
                Field::new(
                    "captcha_secret_key",
                    "Private key",
                    Kind::Secret,
                    "From the provider; kept here and never shown again.",
                ),
                Field::line(
                    "captcha_verify_url",
                    "Verifier",
                    "https://verify.example.com/siteverify",
                    "Where answers are checked, when it is not the provider\u{2019}s own address.",
                ),
                Field::number(
                    "captcha_min_score_percent",
                    "Least score",
                    (0, 100),
                    "percent",
                    "Visitors with a lower score are refused, where the provider gives a score.",
                )
                .required(),
            ],
        },
        Section {
            id: "limits",
            title: "Limits of the deployment",
            intro: "They hold for all links together.",
            fields: &[
                Field::number(
                    "max_sessions",
                    "Sessions at once",
                    (0, 1_000_000),
                    "sessions",
                    "0 is maintenance: nothing new starts, and what runs goes on. Empty sets no limit.",
                ),
                Field::number(
                    "anonymous_users_per_hour",
                    "Anonymous users per hour",
                    (1, 1_000_000),
                    "users",
                    "Empty sets no limit.",
                ),
                Field::number(
                    "anonymous_user_hours",
                    "Anonymous users are forgotten after",
                    (0, 8760),
                    "hours",
                    "Whom their sessions belonged to is then known to nobody. Empty or 0 never forgets.",
                ),
                Field::number(
                    "attempts_per_minute",
                    "Attempts per address",
                    (1, 100_000),
                    "in a minute",
                    "More are turned away before anything is looked up or checked.",
                )
                .required(),
                Field::number(
                    "calls_per_minute",
                    "Requests per administrator",
                    (60, 1_000_000),
                    "in a minute",
                    "What one administrator or API key may ask; more are told to wait.",
                )
                .required(),
                Field::lines(
                    "banned_addresses",
                    "Banned Addresses",
                    "198.51.100.0/24 Abuse",
                    "Visitors from these addresses or blocks come in nowhere. One on each line; words after it are what they are told.",
                ),
            ],
        },
    ],
};
