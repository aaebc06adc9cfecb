//! Owns the creation and deletion of API keys: a key is shown only once, when it is created, and
//! only the hash of its secret is stored. Must not know how a key is checked (`flow/authn.rs`
//! does).
//!
//! An actor grants only what it has: a key gets only scopes of the actor who creates or changes it,
//! and no later expiry than that actor's own key. A key cannot delete itself, so the actor who
//! deletes a key still has one.

use crate::actor::{Actor, ActorKind, Scope};
use crate::api_key::{ApiKey, ApiKeySettings, Excess};
use crate::api_key_form;
use crate::audit::{Difference, RecordKind};
use crate::form::FieldError;
use crate::ids::{ApiKeyId, random_bytes};
use crate::ports::Saved;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::admin::error::AdminError;
use crate::admin::version::Precondition;
use crate::admin::{AdminService, records};

/// Creates a key. Returns it with its text for the `Authorization` header, which is returned again
/// only for the same request under the same idempotency key.
pub async fn create(
    service: &AdminService<'_>,
    input: &Value,
) -> Result<(ApiKey, String), AdminError> {
    let control_plane = service.control_plane;
    let settings: ApiKeySettings = api_key_form::create(input)?;
    permit(None, &settings, &service.actor)?;
    let id = service.new_id(RecordKind::ApiKey, input).await?;
    let key_id = ApiKeyId::from_bytes(id.bytes);
    let secret = if id.is_repeatable {
        secret_of_request(service, &key_id)
    } else {
        random_bytes(&*control_plane.entropy)
    };
    let (key, text) = ApiKey::with_secret(key_id, &secret, control_plane.clock.now(), settings);
    if id.is_repeatable
        && let Some(made) = control_plane
            .store
            .record::<ApiKey>(key.id.as_str())
            .await?
    {
        // Its secret is shown again, but only to an actor who could create the key as it is now.
        permit(None, &made.settings, &service.actor)?;
        return Ok((made, text));
    }
    let view = api_key_form::view(&key);
    let audit = service.audit(
        RecordKind::ApiKey,
        key.id.as_str(),
        &key.settings.name,
        Difference::created(&view),
    );
    match control_plane
        .store
        .put_record(&key, None, Some(&audit))
        .await?
    {
        Saved::Done => {}
        Saved::Stale => return Err(AdminError::contention("make an API key")),
    }
    tracing::info!(actor.id = service.actor.id, api_key.id = %key.id, "API key {} was made", key.id);
    Ok((key, text))
}

/// Whether this would create a key, or change the one with this id; nothing is written.
pub async fn check(
    service: &AdminService<'_>,
    id: Option<&str>,
    input: &Value,
) -> Result<(), AdminError> {
    if id.is_some() {
        return records::check::<ApiKey>(service, id, input).await;
    }
    permit(None, &api_key_form::create(input)?, &service.actor)
}

/// Whether `actor` may give a key these settings; `before` is what it has already.
///
/// # Errors
/// `Forbidden`, with the field that grants too much.
pub fn permit(
    before: Option<&ApiKeySettings>,
    after: &ApiKeySettings,
    actor: &Actor,
) -> Result<(), AdminError> {
    let (field, words) = match after.excess(before, actor) {
        None => return Ok(()),
        Some(Excess::Scopes(scopes)) => {
            let names: Vec<&str> = scopes.into_iter().map(Scope::as_str).collect();
            let names = names.join(", ");
            let words = format!("You cannot give a key scopes that you do not have: {names}.");
            ("scopes", words)
        }
        Some(Excess::Time(end)) => {
            let words = format!(
                "Your own key expires at {end}; a key that you make or change must expire by then."
            );
            ("expires_at", words)
        }
    };
    let error = FieldError::new(format!("/{field}"), &*words);
    Err(AdminError::Forbidden {
        detail: words,
        errors: vec![error],
    })
}

/// The secret of a request under an idempotency key, derived with our signing key: 120 bits.
fn secret_of_request(service: &AdminService<'_>, id: &ApiKeyId) -> [u8; 16] {
    let text = service
        .control_plane
        .keys
        .fingerprint(&["api key secret", id.as_str()]);
    let mut secret = [0; 16];
    for (byte, read) in secret
        .iter_mut()
        .zip(BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default())
    {
        *byte = read;
    }
    secret
}

/// Deletes a key; it is invalid from now on.
pub async fn delete(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<(), AdminError> {
    if service.actor.kind == ActorKind::ApiKey && service.actor.id == id {
        return Err(AdminError::conflict(
            "A key cannot delete itself; use another one, so that you are not locked out.",
        ));
    }
    records::delete::<ApiKey>(service, id, precondition).await
}
