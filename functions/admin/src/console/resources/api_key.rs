//! Owns the fields of an API key as they are asked for. Must not know what a field may hold (see `api_key_form`).

use crate::console::field::{Empty, Field, Kind, Resource, Section};

/// An API key.
pub static API_KEY: Resource = Resource {
    name: "API key",
    sections: &[Section {
        id: "key",
        title: "The key",
        intro: "For one program or one person. It is shown only once, when it is created.",
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
                "Scopes",
                Kind::Ticks(&[
                    ("read", "Read everything"),
                    ("casts", "Manage casts and staging configs"),
                    ("images", "Manage images and networks"),
                    ("people", "Manage groups, forget users"),
                    ("sessions", "Stop, watch and unshare sessions"),
                    ("settings", "Change settings"),
                    ("keys", "Manage API keys, within its own scopes"),
                ]),
                "Choose as few as possible. Every write scope includes read access.",
            ),
            Field::new(
                "expires_at",
                "Expires",
                Kind::Time,
                "The key stops working at this time (UTC). Empty: never.",
            ),
        ],
    }],
};
