//! Owns the API keys of the API: a key is shown wholly once, when it is made, and only the hash of its secret is kept.
//! Must not know how a key is checked (see `call`).
//!
//! A key cannot delete itself. So whoever deletes a key still holds one, and nobody is locked out by their own hand.

use casting_core::form::{FieldErrors, Form, line};
use casting_core::ids::{ApiKeyId, Entropy, draw};
use casting_core::keys::hash_secret;
use casting_core::ports::{ApiKey, Page, Store};
use casting_core::time::Timestamp;
use casting_web::{Reply, reply};
use data_encoding::BASE64URL_NOPAD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::failure::Failure;
use crate::paging;

/// A new key, and its text for the `Authorization` header: `{id}.{secret}`, with 128 random bits in the secret. The text cannot be had again.
pub fn issue(entropy: &dyn Entropy, now: Timestamp, name: String) -> (ApiKey, String) {
    let id = ApiKeyId::from_bytes(draw(entropy));
    let secret = BASE64URL_NOPAD.encode(&draw(entropy));
    let text = format!("{id}.{secret}");
    (ApiKey { id, name, secret_hash: hash_secret(&secret), created_at: now }, text)
}

/// All keys, without their secrets.
pub(crate) async fn list<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let items = call.casting.store.api_keys().await?;
    Ok(paging::show(&Page { items, next: None }, view))
}

/// A new key: 201 with its text in `key`, this once.
pub(crate) async fn create<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let name = read_name(&call.document()?)?;
    let (key, text) = issue(&*call.casting.entropy, call.casting.clock.now(), name);
    call.casting.store.put_api_key(&key).await?;
    tracing::info!(api_key.id = %call.administrator, new.id = %key.id, "API key {} was made", key.id);
    let mut view = view(&key);
    view["key"] = json!(text);
    Ok(reply::json(StatusCode::CREATED, &view))
}

/// Deletes a key; it opens nothing from now on.
pub(crate) async fn delete<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let no_such_key = || Failure::not_found("There is no such API key.");
    let id = ApiKeyId::parse(call.id).ok_or_else(no_such_key)?;
    if id == call.administrator {
        return Err(Failure::conflict("A key cannot delete itself; use another one, so that nobody is locked out."));
    }
    call.casting.store.api_key(&id).await?.ok_or_else(no_such_key)?;
    call.casting.store.delete_api_key(&id).await?;
    tracing::info!(api_key.id = %call.administrator, deleted.id = %id, "API key {id} was deleted");
    Ok(reply::no_content())
}

fn read_name(input: &Value) -> Result<String, FieldErrors> {
    let mut form = Form::over(Map::new(), input, &[])?;
    let name = form.required("name", line(1..=100));
    form.finish()?;
    Ok(name.unwrap_or_default())
}

fn view(key: &ApiKey) -> Value {
    json!({ "id": key.id, "name": key.name, "created_at": key.created_at.to_string() })
}

#[cfg(test)]
mod tests {
    use casting_core::testing::{NOON, SeededEntropy};

    use super::*;

    #[test]
    fn a_key_is_shown_without_its_secret() {
        let (key, text) = issue(&SeededEntropy::new(1), NOON, "Console".into());
        let (id, secret) = text.split_once('.').expect("two halves");
        assert_eq!((id, secret.len()), (key.id.as_str(), 22));
        assert_eq!(key.secret_hash, hash_secret(secret));
        assert_eq!(view(&key), json!({ "id": id, "name": "Console", "created_at": "2026-11-23T12:00:00Z" }));
    }

    #[test]
    fn a_key_has_a_name() {
        assert_eq!(read_name(&json!({ "name": " CI " })), Ok("CI".to_owned()));
        for input in [json!({}), json!({ "name": "" }), json!({ "name": "a", "secret": "b" }), json!("CI")] {
            assert!(read_name(&input).is_err(), "{input}");
        }
    }
}
