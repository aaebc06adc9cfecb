//! Owns how a group is written and read over the API. Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::client_form;
use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, line, text, whole};
use crate::group::{ALL_USERS, Group, GroupSettings};
use crate::ids::GroupId;
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::shape;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    json_schema::read_only(GroupId::SPELLING.schema())
}

/// Reads a new group.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<GroupSettings, FieldErrors> {
    read(&mut Form::over(Map::new(), input, &[])?, None)
}

/// Reads a change: what is not named stays.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(group: &Group, input: &Value) -> Result<GroupSettings, FieldErrors> {
    read(
        &mut Form::change(fields(&group.settings), input, &read_only())?,
        Some(group),
    )
}

/// What JSON Schema says of a new group, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let schema_builder = SchemaBuilder::of(|form| _ = read(form, None)).described(words::GROUP);
    schema_builder.schemas(&read_only())
}

fn read(form: &mut Form, current: Option<&Group>) -> Result<GroupSettings, FieldErrors> {
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let priority = form.defaulted("priority", 100, whole(1..=100_000));
    let client = client_form::read(form, "client_settings");
    let is_all_users = current.is_some_and(|group| group.id == Group::all_users_id());
    form.rule(|| json!({ "properties": { "name": { "not": shape::ALL_USERS.schema() } } }));
    if name
        .as_deref()
        .is_some_and(|name| (name == ALL_USERS) != is_all_users)
    {
        form.refuse("name", format!("must not change from or to {ALL_USERS}: everybody is in that group, and in no other by birth."));
    }
    form.finish()?;
    // A missing one was noted by the form, which has returned by now.
    let Some(name) = name else {
        return Err(FieldErrors(Vec::new()));
    };
    Ok(GroupSettings {
        name,
        description,
        priority,
        client,
    })
}

fn fields(settings: &GroupSettings) -> Map<String, Value> {
    let fields = json!({
        "name": settings.name,
        "description": settings.description,
        "priority": settings.priority,
        "client_settings": client_form::view(&settings.client),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The group as the API shows it; what is read can be sent back as a change.
pub fn view(group: &Group) -> Value {
    let mut view = Map::new();
    view.insert("id".into(), json!(group.id));
    view.extend(fields(&group.settings));
    view.insert("version".into(), json!(group.version));
    view.insert("created_at".into(), json!(group.created_at.to_string()));
    view.insert("updated_at".into(), json!(group.updated_at.to_string()));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(outcome: Result<GroupSettings, FieldErrors>) -> Vec<String> {
        outcome
            .err()
            .map(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_field_is_validated() {
        for (name, input, wrong) in [
            ("a name is enough", json!({"name": "Staff"}), vec![]),
            ("no name", json!({}), vec!["/name"]),
            (
                "the name of everybody's group",
                json!({"name": "All Users"}),
                vec!["/name"],
            ),
            (
                "priority 0",
                json!({"name": "Staff", "priority": 0}),
                vec!["/priority"],
            ),
            (
                "no such field",
                json!({"name": "Staff", "colour": "red"}),
                vec!["/colour"],
            ),
        ] {
            assert_eq!(pointers(create(&input)), wrong, "{name}");
        }
    }

    #[test]
    fn all_users_group_keeps_its_name() {
        let group = Group::all_users();
        assert_eq!(
            pointers(patch(&group, &json!({"name": "Everybody"}))),
            ["/name"]
        );
        let changed = patch(
            &group,
            &json!({"client_settings": {"permissions": {"downloads": false}}}),
        )
        .expect("is right");
        assert_eq!(
            (changed.name.as_str(), changed.client.permissions.len()),
            (ALL_USERS, 1)
        );
        assert_eq!(patch(&group, &view(&group)), Ok(group.settings));
    }
}
