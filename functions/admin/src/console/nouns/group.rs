//! Owns the fields of a group as they are asked for. Must not know what a field may hold (see `group_form`).

use super::client::{client_fields, permission};
use crate::console::field::{Empty, Field, Kind, Noun, Section};

/// A group.
pub static GROUP: Noun = Noun {
    name: "group",
    sections: &[
        Section {
            id: "group",
            title: "The group",
            intro: "Who is in it follows from the login provider, or from the casts that name it.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line { empty: Empty::Text, example: "Staff" },
                    "As the login provider calls it; that is how members are found.",
                )
                .required(),
                Field::number(
                    "priority",
                    "Priority",
                    (1, 100_000),
                    "",
                    "Where several groups say different things, the smallest number is heard first.",
                )
                .required(),
                Field::new("description", "Description", Kind::Text, "Notes for administrators."),
            ],
        },
        Section {
            id: "client",
            title: "What its members may do",
            intro: "What is not set here is left to the next group, and in the end to All Users.",
            fields: &client_fields!(),
        },
    ],
};
