//! Owns how an API key is written and read over the API. Its secret is never shown. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::actor::Scope;
use crate::api_key::{ApiKey, ApiKeySettings};
use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, line, spelled};
use crate::ids::ApiKeyId;
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::time::Timestamp;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(ApiKeyId::SPELLING.schema());
    fields.push(("last_used_at", json_schema::nullable(json_schema::time())));
    fields
}

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
        fields(&key.settings),
        input,
        &read_only(),
    )?)
}

/// What JSON Schema says of a new key, of a change and of what is shown.
pub fn schemas() -> Schemas {
    SchemaBuilder::of(|form| _ = read(form))
        .described(words::API_KEY)
        .schemas(&read_only())
}

fn read(form: &mut Form) -> Result<ApiKeySettings, FieldErrors> {
    let name = form.required("name", line(1..=100));
    let mut scopes = form.list("scopes", Scope::ALL.len(), read_scope);
    if scopes.is_empty() {
        scopes.push(Scope::Read);
    }
    let expires_at = form.nullable("expires_at", spelled(read_time));
    form.finish()?;
    // A missing one was noted by the form, which has returned by now.
    let Some(name) = name else {
        return Err(FieldErrors(Vec::new()));
    };
    Ok(ApiKeySettings {
        name,
        scopes: scopes.into_iter().collect(),
        expires_at,
    })
}

fn read_scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| {
        format!(
            "must be one of {}.",
            Scope::ALL.map(Scope::as_str).join(", ")
        )
    })
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "must be a time such as 2026-12-31T18:00:00Z.".to_owned())
}

fn fields(settings: &ApiKeySettings) -> Map<String, Value> {
    let fields = json!({
        "name": settings.name,
        "scopes": settings.scopes,
        "expires_at": settings.expires_at.map(|time| time.to_string()),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The key as the API shows it, without its secret.
pub fn view(key: &ApiKey) -> Value {
    let mut view = Map::new();
    view.insert("id".into(), json!(key.id));
    view.extend(fields(&key.settings));
    view.insert("version".into(), json!(key.version));
    view.insert("created_at".into(), json!(key.created_at.to_string()));
    view.insert("updated_at".into(), json!(key.updated_at.to_string()));
    view.insert(
        "last_used_at".into(),
        json!(key.last_used_at.map(|time| time.to_string())),
    );
    Value::Object(view)
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
