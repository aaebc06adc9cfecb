//! Owns the records of the API without special rules. Must not know which values are
//! possible, or how a record is written.

use casting_web::{Reply, reply};
use http::StatusCode;

use super::{Call, paging, set_location};
use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::version;
use casting_core::admin::records::{self, EditableRecord};
use casting_core::admin::{pools, references, staging};
use casting_core::audit::RecordKind;
use casting_web::HandlerError;

/// All of a kind, a page at a time.
pub(crate) async fn list<R: EditableRecord>(
    call: &Call<'_>,
    paging: Paging,
) -> Result<Reply, HandlerError> {
    let page = paging
        .checked(records::list::<R>(&call.service, paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, R::view))
}

/// Creates it: 201 with its address.
pub(crate) async fn create<R: EditableRecord>(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(made(
        &records::create::<R>(&call.service, &call.document()?).await?,
    ))
}

/// Creates it: 201 with its address.
pub(crate) async fn create_staging(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(made(
        &staging::create(&call.service, &call.document()?).await?,
    ))
}

/// One of them.
pub(crate) async fn read<R: EditableRecord>(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show(
        StatusCode::OK,
        &records::find::<R>(&call.service, call.id).await?.0,
    ))
}

/// Changes the fields of the document.
pub(crate) async fn change<R: EditableRecord>(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let record = records::change::<R>(
        &call.service,
        call.id,
        &call.document()?,
        &version::precondition(call.visit),
    )
    .await?;
    Ok(show(StatusCode::OK, &record))
}

/// Changes a staging config.
pub(crate) async fn change_staging(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let record = staging::change(
        &call.service,
        call.id,
        &call.document()?,
        &version::precondition(call.visit),
    )
    .await?;
    Ok(show(StatusCode::OK, &record))
}

/// Deletes a staging config, and stops its waiting sessions.
pub(crate) async fn delete_staging(call: &Call<'_>) -> Result<Reply, HandlerError> {
    staging::delete(&call.service, call.id, &version::precondition(call.visit)).await?;
    Ok(reply::no_content())
}

/// What a staging config keeps ready, and its last two days.
pub(crate) async fn read_pool(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let (staging, pool) = pools::read(&call.service, call.id).await?;
    Ok(reply::json(
        StatusCode::OK,
        &pools::view(&call.service, &staging, &pool),
    ))
}

/// What the deletion of a record touches.
async fn references_of(call: &Call<'_>, kind: RecordKind) -> Result<Reply, HandlerError> {
    let found = references::of(&call.service, kind, call.id).await?;
    Ok(reply::json(StatusCode::OK, &references::view(&found)))
}

/// What the deletion of a cast touches.
pub(crate) async fn references_of_cast(call: &Call<'_>) -> Result<Reply, HandlerError> {
    references_of(call, RecordKind::Cast).await
}

/// What the deletion of one of these records touches.
pub(crate) async fn references<R: EditableRecord>(call: &Call<'_>) -> Result<Reply, HandlerError> {
    references_of(call, R::NOUN).await
}

/// What the deletion of an image touches.
pub(crate) async fn references_of_image(call: &Call<'_>) -> Result<Reply, HandlerError> {
    references_of(call, RecordKind::Image).await
}

/// Whether something is deleted although others name it.
pub(crate) fn forces(query: &mut Query) -> bool {
    query
        .flag("force", "Whether it is deleted although others name it.")
        .unwrap_or(false)
}

/// Deletes a group; `?force=true` also one that others name.
pub(crate) async fn delete_group(call: &Call<'_>, force: bool) -> Result<Reply, HandlerError> {
    records::delete_group(
        &call.service,
        call.id,
        &version::precondition(call.visit),
        force,
    )
    .await?;
    Ok(reply::no_content())
}

/// Deletes a network that nothing uses.
pub(crate) async fn delete_network(call: &Call<'_>) -> Result<Reply, HandlerError> {
    records::delete_network(&call.service, call.id, &version::precondition(call.visit)).await?;
    Ok(reply::no_content())
}

fn made<R: EditableRecord>(record: &R) -> Reply {
    let mut reply = show(StatusCode::CREATED, record);
    set_location(&mut reply, R::WORDS.0, &record.id());
    reply
}

fn show<R: EditableRecord>(status: StatusCode, record: &R) -> Reply {
    let mut reply = reply::json(status, &record.view());
    version::set(&mut reply, record.version());
    reply
}
