//! Owns the fields of a network as they are asked for. Must not know what a field may hold (see `network_form`).

use crate::console::field::{Empty, Field, Kind, Noun, Section};

/// A network.
pub static NETWORK: Noun = Noun {
    name: "network",
    sections: &[Section {
        id: "network",
        title: "The network",
        intro: "A name for subnets and security groups that sessions can be started in.",
        fields: &[
            Field::new(
                "name",
                "Name",
                Kind::Line { empty: Empty::Text, example: "lab" },
                "Links and images know it by this name, so it never changes. 1 to 63 lower-case letters, digits, hyphens and underscores.",
            )
            .required()
            .fixed(),
            Field::new("description", "Description", Kind::Text, "Notes for administrators."),
            Field::lines(
                "subnets",
                "Subnets",
                "subnet-0123456789abcdef0",
                "One id on each line, up to 16; several spread sessions over zones.",
            )
            .required(),
            Field::lines(
                "security_groups",
                "Security groups",
                "sg-0123456789abcdef0",
                "One id on each line, up to 5. They must let the edge reach the gate, and nobody else.",
            )
            .required(),
            Field::flag(
                "assign_public_ip",
                "Public address",
                "Sessions get a public address; needed in subnets that reach the internet without a NAT gateway.",
            ),
        ],
    }],
};
