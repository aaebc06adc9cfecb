//! Owns how a staging config is written and read over the API. Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, flag, line, spelled, text, whole};
use crate::ids::{GroupId, ImageId, StagingId};
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::network_form;
use crate::open_hours_form;
use crate::staging::{StagingConfig, StagingSettings};

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    json_schema::read_only(StagingId::SPELLING.schema())
}

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
        fields(&staging.settings),
        input,
        &read_only(),
    )?)
}

/// What JSON Schema says of a new staging config, of a change and of what is shown.
pub fn schemas() -> Schemas {
    SchemaBuilder::of(|form| _ = read(form))
        .described(words::STAGING)
        .schemas(&read_only())
}

fn read(form: &mut Form) -> Result<StagingSettings, FieldErrors> {
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let enabled = form.defaulted("enabled", true, flag);
    let image_id = form.required(
        "image_id",
        spelled(|text| ImageId::parse(text).ok_or_else(|| "is not the id of an image.".to_owned())),
    );
    let network = form.nullable("network", spelled(network_form::read_name));
    let group_id = form.nullable(
        "group_id",
        spelled(|text| GroupId::parse(text).ok_or_else(|| "is not the id of a group.".to_owned())),
    );
    let desired_sessions = form.defaulted("desired_sessions", 1, whole(0..=1000));
    let expiration_hours = form.defaulted("expiration_hours", 24, whole(1..=168));
    let schedule = open_hours_form::read(form, "schedule");
    let daily_budget_cents = form.nullable("daily_budget_cents", whole(1..=10_000_000));
    form.finish()?;
    // A missing one of these was noted by the form, which has returned by now.
    let (Some(name), Some(image_id)) = (name, image_id) else {
        return Err(FieldErrors(Vec::new()));
    };
    Ok(StagingSettings {
        name,
        description,
        enabled,
        image_id,
        network,
        group_id,
        desired_sessions,
        expiration_hours,
        schedule,
        daily_budget_cents,
    })
}

fn fields(settings: &StagingSettings) -> Map<String, Value> {
    let fields = json!({
        "name": settings.name,
        "description": settings.description,
        "enabled": settings.enabled,
        "image_id": settings.image_id,
        "network": settings.network,
        "group_id": settings.group_id,
        "desired_sessions": settings.desired_sessions,
        "expiration_hours": settings.expiration_hours,
        "schedule": settings.schedule,
        "daily_budget_cents": settings.daily_budget_cents,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The staging config as the API shows it; what is read can be sent back as a change.
pub fn view(staging: &StagingConfig) -> Value {
    let mut view = Map::new();
    view.insert("id".into(), json!(staging.id));
    view.extend(fields(&staging.settings));
    view.insert("version".into(), json!(staging.version));
    view.insert("created_at".into(), json!(staging.created_at.to_string()));
    view.insert("updated_at".into(), json!(staging.updated_at.to_string()));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
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
