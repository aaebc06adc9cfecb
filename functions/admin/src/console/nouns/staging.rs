//! Owns the fields of a staging config as they are asked for. Must not know what a field may hold (see `staging_form`).

use crate::console::field::{Empty, Field, Kind, Noun, Picked, Section};

/// A staging config.
pub static STAGING: Noun = Noun {
    name: "staging config",
    sections: &[
        Section {
            id: "pool",
            title: "What is kept ready",
            intro: "Sessions that are started before anybody clicks. A visitor whose session would be the same gets one at once.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line {
                        empty: Empty::Text,
                        example: "Monday class",
                    },
                    "For you and your colleagues.",
                )
                .required(),
                Field::flag(
                    "enabled",
                    "Enabled",
                    "Switched off, nothing is kept ready; what waits is ended.",
                ),
                Field::new(
                    "image_id",
                    "Image",
                    Kind::Picked(Picked::Image),
                    "What the sessions run.",
                )
                .required(),
                Field::number(
                    "desired_sessions",
                    "Desired Sessions",
                    (0, 1000),
                    "sessions",
                    "How many are kept ready. Each that is given away is replaced.",
                )
                .required(),
                Field::new(
                    "description",
                    "Description",
                    Kind::Text,
                    "Notes for administrators.",
                ),
            ],
        },
        Section {
            id: "fit",
            title: "Whom they fit",
            intro: "What a session may do is fixed when it starts, so only visitors with the same rights in the same network get one.",
            fields: &[
                Field::new(
                    "group_id",
                    "Group",
                    Kind::Picked(Picked::Group),
                    "The sessions are started with this group\u{2019}s permissions. None is All Users alone.",
                ),
                Field::new(
                    "network",
                    "Network",
                    Kind::Picked(Picked::Network),
                    "None is the image\u{2019}s own.",
                ),
            ],
        },
        Section {
            id: "cost",
            title: "When, and for how much",
            intro: "Sessions cost money while they wait.",
            fields: &[
                Field::new(
                    "schedule",
                    "Hours",
                    Kind::OpenHours,
                    "When in the week sessions are kept ready. Without a line, always.",
                ),
                Field::number(
                    "expiration_hours",
                    "Expiration",
                    (1, 168),
                    "hours",
                    "A session that nobody took by then is replaced by a fresh one.",
                )
                .required(),
                Field::number(
                    "daily_budget_cents",
                    "Daily budget",
                    (1, 10_000_000),
                    "cents",
                    "When waiting has cost so much in a day, no more are started ahead. Empty sets no limit.",
                ),
            ],
        },
    ],
};
