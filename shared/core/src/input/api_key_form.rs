//! Owns the fields of an API key, and how it is written and read over the API. Its secret is never
//! shown. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::actor::Scope;
use crate::api_key::{ApiKey, ApiKeySettings};
use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, Form, TextType, line};
use crate::ids::ApiKeyId;
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::read_only::{self, ReadOnlyField};
use crate::resource::{Resource, Widget};

type Field = field::Field<ApiKeySettings>;

static FIELDS: LazyLock<FieldTable<ApiKeySettings>> = LazyLock::new(|| {
    let key = field::Section {
        id: "key",
        title: "The key",
        intro: "For one program or one person. It is shown only once, when it is created.",
        fields: vec![
            Field::required("name", line(1..=100), |key| &mut key.name)
                .label("Name")
                .help("Who or what uses it.")
                .example("Continuous integration")
                .doc("What the key is for."),
            Field::list("scopes", Scope::ALL.len(), read_scope, |key| {
                &mut key.scopes
            })
            .label("Scopes")
            .help("Choose as few as possible. Every write scope includes read access.")
            .widget(Widget::Ticks(&[
                ("read", "Read everything"),
                ("casts", "Manage casts and staging configs"),
                ("images", "Manage images and networks"),
                ("people", "Manage groups, forget users"),
                ("sessions", "Stop, watch and unshare sessions"),
                ("settings", "Change settings"),
                ("keys", "Manage API keys, within its own scopes"),
            ]))
            .doc("What it may do; when it names none, it reads and changes nothing."),
            Field::time("expires_at", |key| &mut key.expires_at)
                .label("Expires")
                .help("The key stops working at this time. Empty: never.")
                .doc("When the key expires; null is never."),
        ],
    };
    FieldTable::new("API key", vec![key])
});

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<ApiKey>>> = LazyLock::new(|| {
    vec![
        ReadOnlyField::id(ApiKeyId::SYNTAX.schema(), |key: &ApiKey| json!(key.id)),
        ReadOnlyField::version(|key: &ApiKey| key.version),
        ReadOnlyField::time("created_at", |key: &ApiKey| key.created_at),
        ReadOnlyField::time("updated_at", |key: &ApiKey| key.updated_at),
        ReadOnlyField::time_or_null("last_used_at", |key: &ApiKey| key.last_used_at),
    ]
});

/// Reads a new key. One that names no scopes reads, and nothing else.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<ApiKeySettings, FieldErrors> {
    read(&mut Form::over(Map::new(), input, &[])?)
}

/// Reads a change: what is not named stays.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(key: &ApiKey, input: &Value) -> Result<ApiKeySettings, FieldErrors> {
    read(&mut Form::change(
        fields(key),
        input,
        &read_only::schemas(&READ_ONLY),
    )?)
}

/// The JSON Schema of a new key, of a change and of what is shown.
pub fn schemas() -> Schemas {
    SchemaBuilder::of(|form| _ = read(form))
        .described(&FIELDS.docs())
        .schemas(&read_only::schemas(&READ_ONLY))
}

/// The console's form of a key.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

fn read(form: &mut Form) -> Result<ApiKeySettings, FieldErrors> {
    let mut settings = FIELDS.read(form);
    if settings.scopes.is_empty() {
        settings.scopes.insert(Scope::Read);
    }
    form.finish()?;
    Ok(settings)
}

fn read_scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| {
        format!(
            "must be one of {}.",
            Scope::ALL.map(Scope::as_str).join(", ")
        )
    })
}

fn fields(key: &ApiKey) -> Map<String, Value> {
    FIELDS.view(&mut key.settings.clone())
}

/// The key as the API shows it, without its secret.
pub fn view(key: &ApiKey) -> Value {
    read_only::view(&READ_ONLY, key, fields(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, SeededEntropy};

    fn pointers(input: &Value) -> Vec<String> {
        create(input)
            .err()
            .map(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_field_is_validated() {
        for (name, input, wrong) in [
            ("a name is enough", json!({"name": "CI"}), vec![]),
            ("no name", json!({}), vec!["/name"]),
            (
                "everything",
                json!({"name": "CI", "scopes": ["read", "casts"], "expires_at": "2027-01-01T00:00:00Z"}),
                vec![],
            ),
            (
                "no such scope",
                json!({"name": "CI", "scopes": ["everything"]}),
                vec!["/scopes/0"],
            ),
            (
                "no scopes at all",
                json!({"name": "CI", "scopes": []}),
                vec![],
            ),
            (
                "a word for a time",
                json!({"name": "CI", "expires_at": "soon"}),
                vec!["/expires_at"],
            ),
            (
                "a secret of one's own",
                json!({"name": "CI", "secret": "x"}),
                vec!["/secret"],
            ),
        ] {
            assert_eq!(pointers(&input), wrong, "{name}");
        }
    }

    #[test]
    fn key_without_scopes_is_read_only_and_hides_its_secret() {
        let settings = create(&json!({"name": " CI "})).expect("is right");
        assert_eq!(
            (settings.name.as_str(), &settings.scopes),
            ("CI", &[Scope::Read].into())
        );
        let (key, text) = ApiKey::issue(&SeededEntropy::new(1), NOON, settings);
        let shown = view(&key);
        let secret = text.split_once('.').expect("two halves").1;
        assert!(
            !shown.to_string().contains(secret) && !shown.to_string().contains(&key.secret_hash),
            "{shown}"
        );
        assert_eq!(
            patch(&key, &shown),
            Ok(key.settings),
            "what is shown can be sent back"
        );
    }
}
