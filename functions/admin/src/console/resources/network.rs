//! Owns the fields of a network as they are asked for. Must not know what a field may hold (see `network_form`).

use crate::console::field::{Empty, Field, Kind, Resource, Section};

/// A network.
pub static NETWORK: Resource = Resource {
    name: "network",
    sections: &[Section {
        id: "network",
        title: "The network",
        intro: "Subnets and security groups that sessions can start in.",
        fields: &[
            Field::new(
                "name",
                "Name",
                Kind::Line { empty: Empty::Text, example: "lab" },
                "Links and images use this name, so it cannot be changed. 1 to 63 lower-case letters, digits, hyphens and underscores.",
            )
            .required()
            .fixed(),
            Field::new("description", "Description", Kind::Text, "Notes for administrators."),
            Field::lines(
                "subnets",
                "Subnets",
                "subnet-0123456789abcdef0",
                "One ID per line, up to 16. Several spread sessions over zones.",
            )
            .required(),
            Field::lines(
                "security_groups",
                "Security groups",
                "sg-0123456789abcdef0",
                "One ID per line, up to 5. They must allow traffic from the edge to the gate, and nothing else.",
            )
            .required(),
            Field::flag(
                "assign_public_ip",
                "Public address",
                "Gives sessions a public address. Needed in subnets without a NAT gateway.",
            ),
        ],
    }],
};
