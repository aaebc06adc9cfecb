//! Owns the invitations of the API. Must not know who may use one.

use casting_core::invitation_form;
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::json;

use super::{Call, paging, set_location};
use crate::api::paging::Paging;
use casting_core::admin::{invitations, session_actions};
use casting_web::HandlerError;

/// The invitations to a cast, a page at a time.
pub(crate) async fn list(call: &Call<'_>, paging: Paging) -> Result<Reply, HandlerError> {
    let (cursor, limit) = (paging.cursor.as_deref(), paging.limit);
    let page = invitations::list(&call.service, call.id, cursor, limit).await;
    Ok(paging::show(&paging.checked(page)?, invitation_form::view))
}

/// Makes an invitation for each guest: 201 with all of them.
pub(crate) async fn create(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let made = invitations::invite(&call.service, call.id, &call.document()?).await?;
    let items: Vec<_> = made.iter().map(invitation_form::view).collect();
    let mut reply = reply::json(StatusCode::CREATED, &json!({ "items": items }));
    set_location(&mut reply, &format!("casts/{}", call.id), &"invitations");
    Ok(reply)
}

/// Changes invitations.
pub(crate) async fn change(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let done = invitations::change(&call.service, call.id, &call.document()?).await?;
    Ok(reply::json(
        StatusCode::OK,
        &session_actions::view_done(&done),
    ))
}

/// Revokes invitations.
pub(crate) async fn revoke(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let done = invitations::revoke(&call.service, call.id, &call.document()?).await?;
    Ok(reply::json(
        StatusCode::OK,
        &session_actions::view_done(&done),
    ))
}
