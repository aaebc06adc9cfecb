//! Owns the fields of a staging config as they are asked for. Must not know what a field may hold (see `staging_form`).

use crate::console::field::{Empty, Field, Kind, OptionSource, Resource, Section};

/// A staging config.
pub static STAGING: Resource = Resource {
    name: "staging config",
    sections: &[
        Section {
            id: "pool",
            title: "Pool",
            intro: "Sessions that are started in advance. A visitor who needs the same kind of session gets one instantly.",
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
                    "When disabled, no sessions are kept ready and waiting ones are stopped.",
                ),
                Field::new(
                    "image_id",
                    "Image",
                    Kind::Select(OptionSource::Image),
                    "What the sessions run.",
                )
                .required(),
                Field::number(
                    "desired_sessions",
                    "Desired Sessions",
                    (0, 1000),
                    "sessions",
                    "How many are kept ready. Each one that a visitor takes is replaced.",
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
            title: "Matching visitors",
            intro: "A session's permissions are fixed when it starts, so it only fits visitors with the same permissions and network.",
            fields: &[
                Field::new(
                    "group_id",
                    "Group",
                    Kind::Select(OptionSource::Group),
                    "The sessions start with this group\u{2019}s permissions. None: All Users only.",
                ),
                Field::new(
                    "network",
                    "Network",
                    Kind::Select(OptionSource::Network),
                    "None: the image\u{2019}s own network.",
                ),
            ],
        },
        Section {
            id: "cost",
            title: "Schedule and budget",
            intro: "Sessions cost money while they wait.",
            fields: &[
                Field::new(
                    "schedule",
                    "Hours",
                    Kind::OpenHours,
                    "When in the week sessions are kept ready. Empty: always.",
                ),
                Field::number(
                    "expiration_hours",
                    "Expiration",
                    (1, 168),
                    "hours",
                    "A session that is not taken within this time is replaced.",
                )
                .required(),
                Field::number(
                    "daily_budget_cents",
                    "Daily budget",
                    (1, 10_000_000),
                    "cents",
                    "When waiting sessions have cost this much in a day, no more are started. Empty: no limit.",
                ),
            ],
        },
    ],
};
