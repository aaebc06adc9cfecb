//! Owns the images of the API. Must not know which values are valid, or how an image is written.

use casting_core::image::Image;
use casting_core::image_form;
use casting_web::{Reply, reply};
use http::StatusCode;

use super::{Call, paging, set_location};
use crate::api::paging::Paging;
use crate::version;
use casting_core::admin::images;
use casting_web::HandlerError;

/// All images, a page at a time.
pub(crate) async fn list(call: &Call<'_>, paging: Paging) -> Result<Reply, HandlerError> {
    let page = call
        .service
        .control_plane
        .store
        .records::<Image>(paging.cursor.as_deref(), paging.limit)
        .await;
    let page = paging.checked(page)?;
    Ok(paging::show(&page, image_form::view))
}

/// Creates it: 201 with its address.
pub(crate) async fn create(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show_made(
        &images::create(&call.service, &call.document()?).await?,
    ))
}

/// One image.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show(
        StatusCode::OK,
        &images::find(&call.service, call.id).await?,
    ))
}

/// Changes the fields of the document.
pub(crate) async fn change(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show(
        StatusCode::OK,
        &images::change(
            &call.service,
            call.id,
            &call.document()?,
            &version::precondition(call.visit),
        )
        .await?,
    ))
}

/// Registers its task definition again: 201 with the image and its address.
pub(crate) async fn register(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show_made(
        &images::register_again(&call.service, call.id, &version::precondition(call.visit)).await?,
    ))
}

/// Deletes an image that nothing uses.
pub(crate) async fn delete(call: &Call<'_>) -> Result<Reply, HandlerError> {
    images::delete(&call.service, call.id, &version::precondition(call.visit)).await?;
    Ok(reply::no_content())
}

fn show_made(image: &Image) -> Reply {
    let mut reply = show(StatusCode::CREATED, image);
    set_location(&mut reply, "images", &image.id);
    reply
}

fn show(status: StatusCode, image: &Image) -> Reply {
    let mut reply = reply::json(status, &image_form::view(image));
    version::set(&mut reply, image.version);
    reply
}
