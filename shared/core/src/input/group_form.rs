//! Owns the fields of a group, and how it is written and read over the API. Creating and changing
//! go through one validator. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::client_form;
use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, Form, TextType, line, whole};
use crate::group::{ALL_USERS, Group, GroupSettings};
use crate::ids::GroupId;
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::read_only::{self, ReadOnlyField};
use crate::resource::Resource;
use crate::text_format;

/// The most names at the login provider that a group may have besides its own.
const MAX_LOGIN_NAMES: usize = 20;

type Field = field::Field<GroupSettings>;
type Section = field::Section<GroupSettings>;

static FIELDS: LazyLock<FieldTable<GroupSettings>> = LazyLock::new(|| {
    let group = Section {
        id: "group",
        title: "The group",
        intro: "Members come from the login provider, or from casts that use it.",
        fields: vec![
            Field::required("name", line(1..=100), |group| &mut group.name)
                .label("Name")
                .help("The name used by the login provider, which decides the members.")
                .example("Staff")
                .doc("Users whose login names a group of this name are in it."),
            Field::list_of("login_names", 0..=MAX_LOGIN_NAMES, line(1..=80), |group| {
                &mut group.login_names
            })
            .label("Other names at the login provider")
            .help(
                "One per line, where the provider sends ids, paths or another spelling. The test of \
                 a link shows which groups a login is in.",
            )
            .example("9f3c1a52-7d0e-4a51-9a0b-1f2e3d4c5b6a")
            .doc(
                "What logins may call this group besides its name, such as the ids of Entra ID; \
                 compared as they are.",
            ),
            Field::defaulted("priority", 100, whole(1..=100_000), |group| {
                &mut group.priority
            })
            .label("Priority")
            .help("Where groups disagree, the lowest number wins.")
            .doc("For each setting, the lowest number that says something wins."),
            Field::description(|group| &mut group.description),
        ],
    };
    let client = Section {
        id: "client",
        title: "Permissions of members",
        intro: "What is not set here is decided by the next group, and finally by All Users.",
        fields: vec![
            Field::object("client_settings", client_form::fields(), |group| {
                &mut group.client
            })
            .doc("What its users' sessions are allowed; a change replaces the whole object."),
        ],
    };
    FieldTable::new("group", vec![group, client])
});

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<Group>>> = LazyLock::new(|| {
    vec![
        ReadOnlyField::id(GroupId::SYNTAX.schema(), |group: &Group| json!(group.id)),
        ReadOnlyField::version(|group: &Group| group.version),
        ReadOnlyField::time("created_at", |group: &Group| group.created_at),
        ReadOnlyField::time("updated_at", |group: &Group| group.updated_at),
    ]
});

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
    let mut form = Form::change(fields(group), input, &read_only::schemas(&READ_ONLY))?;
    read(&mut form, Some(group))
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form, None)).described(&FIELDS.docs())
}

/// The JSON Schema of a new group, of a change and of what is shown.
pub fn schemas() -> Schemas {
    schema_builder().schemas(&read_only::schemas(&READ_ONLY))
}

/// The console's form of a group.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What a new group is where its document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

fn read(form: &mut Form, current: Option<&Group>) -> Result<GroupSettings, FieldErrors> {
    let settings = FIELDS.read(form);
    let is_all_users = current.is_some_and(|group| group.id == Group::all_users_id());
    form.rule(|| json!({ "properties": { "name": { "not": text_format::ALL_USERS.schema() } } }));
    if !form.is_wrong("name") && (settings.name == ALL_USERS) != is_all_users {
        form.refuse(
            "name",
            format!(
                "must not change from or to {ALL_USERS}: that is the built-in group of every user."
            ),
        );
    }
    form.finish()?;
    Ok(settings)
}

/// Reads the id of a group.
///
/// # Errors
/// One plain sentence.
pub(crate) fn read_id(text: &str) -> Result<GroupId, String> {
    GroupId::parse(text).ok_or_else(|| "is not the id of a group.".to_owned())
}

/// The settable fields of the group, as an administrator would write them.
pub(crate) fn fields(group: &Group) -> Map<String, Value> {
    FIELDS.view(&mut group.settings.clone())
}

/// The group as the API shows it; what is read can be sent back as a change.
pub fn view(group: &Group) -> Value {
    read_only::view(&READ_ONLY, group, fields(group))
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
