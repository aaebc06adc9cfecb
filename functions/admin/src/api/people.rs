//! Owns the API's documents about actors and users: the caller, users, API keys, the audit log.
//! Must not know how they are stored.

use casting_core::actor::{ActorKind, Scope};
use casting_core::api_key_form;
use casting_core::audit::{Action, RecordKind};
use casting_core::form::{line, plain};
use casting_core::persistent_profile::PersistentProfile;
use casting_core::ports::Page;
use casting_core::profile::Profile;
use casting_core::{json_schema, text_format};
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, paging, set_location};
use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::version;
use casting_core::admin::audits::AuditsAsked;
use casting_core::admin::{api_keys, audits, profiles, users};
use casting_web::HandlerError;

/// The caller and their scopes.
pub(crate) async fn me(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let actor = &call.service.actor;
    let scopes: Vec<&str> = actor.scopes.iter().copied().map(Scope::as_str).collect();
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "kind": actor.kind, "id": actor.id, "name": actor.name, "scopes": scopes }),
    ))
}

/// The JSON Schema of [`me`].
pub(crate) fn me_schema() -> Value {
    json_schema::object(json!({
        "kind": { "type": "string", "enum": ActorKind::ALL },
        "id": { "type": "string" },
        "name": { "type": "string" },
        "scopes": { "type": "array", "items": { "type": "string", "enum": Scope::ALL } },
    }))
}

/// Users who have logged in, or with `?kind=anonymous` those who were minted for a claim.
pub(crate) async fn list(
    call: &Call<'_>,
    (paging, is_anonymous): (Paging, bool),
) -> Result<Reply, HandlerError> {
    if is_anonymous {
        let page = paging.checked(
            users::list_anonymous(&call.service, paging.cursor.as_deref(), paging.limit).await,
        )?;
        return Ok(paging::show(&page, |session| {
            json!(users::view_anonymous(session))
        }));
    }
    let page =
        paging.checked(users::list(&call.service, paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, Profile::view))
}

/// The query parameters of a list of users: which page, and whether of anonymous ones.
pub(crate) fn asked_users(query: &mut Query) -> (Paging, bool) {
    let paging = Paging::asked(query);
    let about =
        "Those who have logged in, or those who were minted for a claim; user when it is left out.";
    (
        paging,
        query
            .word("kind", about, &[("user", false), ("anonymous", true)])
            .unwrap_or(false),
    )
}

/// One user.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(
        StatusCode::OK,
        &users::find(&call.service, call.id).await?,
    ))
}

/// Anonymises a user; `?terminate=true` ends their live sessions first.
pub(crate) async fn delete(call: &Call<'_>, terminate: bool) -> Result<Reply, HandlerError> {
    users::delete(&call.service, call.id, terminate).await?;
    Ok(reply::no_content())
}

/// The profiles of a user; all of them, because there is one for each image at most.
pub(crate) async fn profiles(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let page = Page {
        items: profiles::list(&call.service, call.id).await?,
        next: None,
    };
    Ok(paging::show(&page, PersistentProfile::view))
}

/// Restores an earlier archive of a profile.
pub(crate) async fn restore_profile(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(
        StatusCode::OK,
        &profiles::restore(&call.service, call.id, &call.document()?)
            .await?
            .view(),
    ))
}

/// Deletes a profile and its archives.
pub(crate) async fn delete_profile(call: &Call<'_>) -> Result<Reply, HandlerError> {
    profiles::delete(&call.service, call.id).await?;
    Ok(reply::no_content())
}

/// Creates an API key: 201 with its text in `key`, this once.
pub(crate) async fn create_api_key(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let (key, text) = api_keys::create(&call.service, &call.document()?).await?;
    let mut view = api_key_form::view(&key);
    view["key"] = json!(text);
    let mut reply = reply::json(StatusCode::CREATED, &view);
    version::set(&mut reply, key.version);
    set_location(&mut reply, "api-keys", &key.id);
    Ok(reply)
}

/// Deletes an API key; it is invalid from now on.
pub(crate) async fn delete_api_key(call: &Call<'_>) -> Result<Reply, HandlerError> {
    api_keys::delete(&call.service, call.id, &version::precondition(call.visit)).await?;
    Ok(reply::no_content())
}

/// The audit log, the newest first; `?target=` is the id of a record. A page may be shorter than
/// requested although more follow.
pub(crate) async fn list_audit(
    call: &Call<'_>,
    (paging, asked): (Paging, AuditsAsked),
) -> Result<Reply, HandlerError> {
    let (cursor, limit) = (paging.cursor.as_deref(), paging.limit);
    let page = paging.checked(audits::list(&call.service, &asked, cursor, limit).await)?;
    Ok(paging::show(&page, audits::view))
}

/// The query parameters of a list of changes: which page, of what, and which of them.
pub(crate) fn asked_audit(query: &mut Query) -> (Paging, AuditsAsked) {
    let paging = Paging::asked(query);
    let asked = AuditsAsked {
        target: query.optional(
            "target",
            "Only changes of what has this id.",
            &plain(|| &text_format::TARGET),
        ),
        noun: query.word(
            "noun",
            "Only changes of what is of this kind.",
            &RecordKind::ALL.map(|noun| (noun.as_str(), noun)),
        ),
        action: query.word(
            "action",
            "Only those in which this was done.",
            &Action::ALL.map(|action| (action.as_str(), action)),
        ),
        search: query.optional(
            "search",
            "Only those that have all of these words in the names of who changed what, the \
             address, the id or the fields.",
            &line(1..=100),
        ),
    };
    (paging, asked)
}

/// One change.
pub(crate) async fn read_audit(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(
        StatusCode::OK,
        &audits::view(&audits::find(&call.service, call.id).await?),
    ))
}

/// Undoes a change.
pub(crate) async fn undo_audit(call: &Call<'_>) -> Result<Reply, HandlerError> {
    audits::undo(&call.service, call.id).await?;
    Ok(reply::no_content())
}
