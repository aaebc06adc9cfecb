//! Owns the API's documents about hooks and their deliveries. Must not know how an event is sent.

use casting_core::admin::hooks;
use casting_core::delivery::Delivery;
use casting_web::{HandlerError, Reply, reply};
use http::StatusCode;
use serde_json::json;

use super::paging::{self, Paging};
use super::{Call, set_location};

/// A hook with its state.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let found = hooks::find(&call.service, call.id).await?;
    Ok(reply::json(StatusCode::OK, &hooks::view(&found)))
}

/// Makes another secret: 201 with its text in `secret`, this once.
pub(crate) async fn rotate(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let (hook, secret) = hooks::rotate(&call.service, call.id).await?;
    let mut view = hooks::view(&hook);
    view["secret"] = json!(secret);
    let mut reply = reply::json(StatusCode::CREATED, &view);
    set_location(&mut reply, "hooks", &hook.id);
    Ok(reply)
}

/// Ends a pause.
pub(crate) async fn resume(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let hook = hooks::resume(&call.service, call.id).await?;
    Ok(reply::json(StatusCode::OK, &hooks::view(&hook)))
}

/// Sends a test event: 202, because it is on its way.
pub(crate) async fn test(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let sent = hooks::test(&call.service, call.id).await?;
    Ok(on_its_way(&sent))
}

/// Lists deliveries, the newest event first.
pub(crate) async fn list(call: &Call<'_>, paging: Paging) -> Result<Reply, HandlerError> {
    let cursor = paging.cursor.as_deref();
    let page =
        paging.checked(hooks::deliveries(&call.service, call.id, cursor, paging.limit).await)?;
    Ok(paging::show(&page, hooks::view_delivery))
}

/// Sends a delivery again: 202, because it is on its way.
pub(crate) async fn replay(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let again = hooks::replay(&call.service, call.id, &call.document()?).await?;
    Ok(on_its_way(&again))
}

/// A delivery that a sender is about to make.
fn on_its_way(row: &Delivery) -> Reply {
    let mut reply = reply::json(StatusCode::ACCEPTED, &hooks::view_delivery(row));
    set_location(&mut reply, &format!("hooks/{}", row.hook), &"deliveries");
    reply
}
