//! Owns the fields of a staging config, and how it is written and read over the API. Creating and
//! changing go through one validator. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, Form, TextType, line, parsed, whole};
use crate::ids::StagingId;
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::open_hours_form;
use crate::read_only::{self, ReadOnlyField};
use crate::resource::{OptionSource, Resource, Widget};
use crate::staging::{StagingConfig, StagingSettings};
use crate::{group_form, image_form, network_form};

type Field = field::Field<StagingSettings>;
type Section = field::Section<StagingSettings>;

static FIELDS: LazyLock<FieldTable<StagingSettings>> =
    LazyLock::new(|| FieldTable::new("staging config", vec![pool(), visitors(), cost()]));

fn pool() -> Section {
    Section {
        id: "pool",
        title: "Pool",
        intro: "Sessions that are started in advance. A visitor who needs the same kind of \
                session gets one instantly.",
        fields: vec![
            Field::required("name", line(1..=100), |staging| &mut staging.name)
                .label("Name")
                .help("For you and your colleagues.")
                .example("Monday class")
                .doc("What administrators call the pool."),
            Field::flag("enabled", true, |staging| &mut staging.enabled)
                .label("Enabled")
                .help("When disabled, no sessions are kept ready and waiting ones are stopped.")
                .doc("A pool that is off keeps nothing ready."),
            Field::required("image_id", parsed(image_form::read_id), |staging| {
                &mut staging.image_id
            })
            .label("Image")
            .help("What the sessions run.")
            .widget(Widget::Select(OptionSource::Image))
            .doc("What its sessions run."),
            Field::defaulted("desired_sessions", 1, whole(0..=1000), |staging| {
                &mut staging.desired_sessions
            })
            .label("Desired Sessions")
            .help("How many are kept ready. Each one that a visitor takes is replaced.")
            .unit("sessions")
            .doc("How many sessions are kept ready."),
            Field::description(|staging| &mut staging.description),
        ],
    }
}

fn visitors() -> Section {
    Section {
        id: "fit",
        title: "Matching visitors",
        intro: "A session's permissions are fixed when it starts, so it only fits visitors with \
                the same permissions and network.",
        fields: vec![
            Field::nullable("group_id", parsed(group_form::read_id), |staging| {
                &mut staging.group_id
            })
            .label("Group")
            .help("The sessions start with this group\u{2019}s permissions. None: All Users only.")
            .widget(Widget::Select(OptionSource::Group))
            .doc("Beside All Users, the group whose permissions its sessions are started with."),
            Field::nullable("network", parsed(network_form::read_name), |staging| {
                &mut staging.network
            })
            .label("Network")
            .help("None: the image\u{2019}s own network.")
            .widget(Widget::Select(OptionSource::Network))
            .doc("Where they run; null is the image's own network."),
        ],
    }
}

fn cost() -> Section {
    Section {
        id: "cost",
        title: "Schedule and budget",
        intro: "Sessions cost money while they wait.",
        fields: vec![
            open_hours_form::field("schedule", |staging: &mut StagingSettings| {
                &mut staging.schedule
            })
            .label("Hours")
            .help("When in the week sessions are kept ready. Empty: always.")
            .doc("When in the week the pool is kept; null is always."),
            Field::defaulted("expiration_hours", 24, whole(1..=168), |staging| {
                &mut staging.expiration_hours
            })
            .label("Expiration")
            .help("A session that is not taken within this time is replaced.")
            .unit("hours")
            .doc("After so many hours an unused session is replaced by a fresh one."),
            Field::nullable("daily_budget_cents", whole(1..=10_000_000), |staging| {
                &mut staging.daily_budget_cents
            })
            .label("Daily budget")
            .help(
                "When waiting sessions have cost this much in a day, no more are started. Empty: \
                 no limit.",
            )
            .unit("cents")
            .doc(
                "The most that its unused sessions may cost in a day (UTC), in US cents; null is \
                 no cap.",
            ),
        ],
    }
}

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<StagingConfig>>> = LazyLock::new(|| {
    vec![
        ReadOnlyField::id(StagingId::SYNTAX.schema(), |staging: &StagingConfig| {
            json!(staging.id)
        }),
        ReadOnlyField::version(|staging: &StagingConfig| staging.version),
        ReadOnlyField::time("created_at", |staging: &StagingConfig| staging.created_at),
        ReadOnlyField::time("updated_at", |staging: &StagingConfig| staging.updated_at),
    ]
});

/// Reads a new staging config.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<StagingSettings, FieldErrors> {
    read(&mut Form::over(Map::new(), input, &[])?)
}

/// Reads a change: what is not named stays, and null clears what may be empty.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(staging: &StagingConfig, input: &Value) -> Result<StagingSettings, FieldErrors> {
    read(&mut Form::change(
        fields(staging),
        input,
        &read_only::schemas(&READ_ONLY),
    )?)
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs())
}

/// The JSON Schema of a new staging config, of a change and of what is shown.
pub fn schemas() -> Schemas {
    schema_builder().schemas(&read_only::schemas(&READ_ONLY))
}

/// The console's form of a staging config.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What a new staging config is where its document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

fn read(form: &mut Form) -> Result<StagingSettings, FieldErrors> {
    let settings = FIELDS.read(form);
    form.finish()?;
    Ok(settings)
}

/// The settable fields of the staging config, as an administrator would write them.
pub(crate) fn fields(staging: &StagingConfig) -> Map<String, Value> {
    FIELDS.view(&mut staging.settings.clone())
}

/// The staging config as the API shows it; what is read can be sent back as a change.
pub fn view(staging: &StagingConfig) -> Value {
    read_only::view(&READ_ONLY, staging, fields(staging))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{NOON, image};

    #[test]
    fn each_field_is_validated() {
        let with = |fields: Value| {
            let mut input = json!({"name": "Monday", "image_id": image(1).id});
            for (name, value) in fields.as_object().expect("an object") {
                input[name] = value.clone();
            }
            create(&input)
                .err()
                .map(|errors| {
                    errors
                        .0
                        .into_iter()
                        .map(|error| error.pointer)
                        .collect::<Vec<_>>()
                })
                .unwrap_or_default()
        };
        for (name, fields, wrong) in [
            ("enough", json!({}), vec![]),
            (
                "an event",
                json!({"desired_sessions": 30, "schedule": {"time_zone": "UTC", "spans": ["mon 09:00-11:00"]}}),
                vec![],
            ),
            ("no image", json!({"image_id": null}), vec!["/image_id"]),
            (
                "a pool for ever",
                json!({"expiration_hours": 0}),
                vec!["/expiration_hours"],
            ),
            (
                "too many",
                json!({"desired_sessions": 1001}),
                vec!["/desired_sessions"],
            ),
            (
                "hours that are none",
                json!({"schedule": {"time_zone": "UTC", "spans": ["noon"]}}),
                vec!["/schedule/spans/0"],
            ),
            (
                "a budget of nothing",
                json!({"daily_budget_cents": 0}),
                vec!["/daily_budget_cents"],
            ),
        ] {
            assert_eq!(with(fields), wrong, "{name}");
        }
    }

    #[test]
    fn view_is_accepted_as_input() {
        let settings =
            create(&json!({"name": "Monday", "image_id": image(1).id})).expect("is right");
        let staging = StagingConfig {
            id: StagingId::from_bytes([1; 16]),
            version: 1,
            settings,
            created_at: NOON,
            updated_at: NOON,
        };
        assert_eq!(patch(&staging, &view(&staging)), Ok(staging.settings));
    }
}
