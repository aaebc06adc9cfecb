//! Owns the fields of an API key as they are asked for. Must not know what a field may hold (see `api_key_form`).

use crate::console::field::{Empty, Field, Kind, Noun, Section};

/// An API key.
pub static API_KEY: Noun = Noun {
    name: "API key",
    sections: &[Section {
        id: "key",
        title: "The key",
        intro: "For one program or one person. It is shown once, when it is made.",
        fields: &[
            Field::new(
                "name",
                "Name",
                Kind::Line {
                    empty: Empty::Text,
                    example: "Continuous integration",
                },
                "Who or what uses it.",
            )
            .required(),
            Field::new(
                "scopes",
                "What it may do",
                Kind::Ticks(&[
                    ("read", "Read everything"),
                    ("casts", "Make and change casts and staging configs"),
                    ("images", "Make and change images and networks"),
                    ("people", "Make and change groups, forget users"),
                    ("sessions", "End, watch and unshare sessions"),
                    ("settings", "Change the settings"),
                    ("keys", "Make and change API keys, within its own rights"),
                ]),
                "As little as it needs; whoever may write anywhere may read everything.",
            ),
            Field::new(
                "expires_at",
                "Ends",
                Kind::Time,
                "From this moment on (UTC) it opens nothing. Empty never ends.",
            ),
        ],
    }],
};
