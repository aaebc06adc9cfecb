//! Owns the fields of a group as they are asked for. Must not know what a field may hold (see `group_form`).

use super::client::{client_fields, permission};
use crate::console::field::{Empty, Field, Kind, Resource, Section};

/// A group.
pub static GROUP: Resource = Resource {
    name: "group",
    sections: &[
        Section {
            id: "group",
            title: "The group",
            intro: "Members come from the login provider, or from casts that use it.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line {
                        empty: Empty::Text,
                        example: "Staff",
                    },
                    "The name used by the login provider, which decides the members.",
                )
                .required(),
                Field::number(
                    "priority",
                    "Priority",
                    (1, 100_000),
                    "",
                    "Where groups disagree, the lowest number wins.",
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
            id: "client",
            title: "Permissions of members",
            intro: "What is not set here is decided by the next group, and finally by All Users.",
            fields: &client_fields!(),
        },
    ],
};
