//! Owns the casts of the API. Must not know which values are valid, or how a cast is written.

use casting_core::form::line;
use casting_core::ids::ImageId;
use casting_core::ports::Page;
use casting_core::queries::CastOrder;
use casting_web::{Reply, reply};
use http::StatusCode;

use super::{Call, paging, set_location};
use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::version;
use casting_core::admin::budgets;
use casting_core::admin::casts::{self, CastsAsked, Edited};
use casting_core::admin::trials;
use casting_web::HandlerError;

/// Casts, a page at a time.
pub(crate) async fn list(
    call: &Call<'_>,
    (paging, asked): (Paging, CastsAsked),
) -> Result<Reply, HandlerError> {
    let page = paging.checked(
        casts::list(
            &call.service,
            &asked,
            paging.cursor.as_deref(),
            paging.limit,
        )
        .await,
    )?;
    let items = casts::views(&call.service, &page.items).await?;
    let page = Page {
        items,
        next: page.next,
    };
    Ok(paging::show(&page, Clone::clone))
}

/// The query parameters of a list of casts.
pub(crate) fn asked(query: &mut Query) -> (Paging, CastsAsked) {
    let paging = Paging::asked(query);
    let search = query.optional(
        "search",
        "Words, each of which begins a word of the cast's name or key.",
        &line(0..=200),
    );
    let orders = [
        ("name", (CastOrder::Name, false)),
        ("-name", (CastOrder::Name, true)),
        ("created_at", (CastOrder::Made, false)),
        ("-created_at", (CastOrder::Made, true)),
    ];
    let (order, backwards) = query
        .word("sort", "In which order; a search has none.", &orders)
        .unwrap_or_default();
    let enabled = query.flag("enabled", "Only those that are on, or off.");
    let image = query.parsed("image", "Only those of this image.", ImageId::parse);
    (
        paging,
        CastsAsked {
            search,
            order,
            backwards,
            enabled,
            image,
        },
    )
}

/// Whether live sessions are ended too.
pub(crate) fn terminates(query: &mut Query) -> bool {
    query
        .flag("terminate", "Whether live sessions are ended too.")
        .unwrap_or(false)
}

/// Creates it: 201 with its address.
pub(crate) async fn create(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(made(
        call,
        &casts::create(&call.service, &call.document()?).await?,
    ))
}

/// Copies a cast: 201 with its address.
pub(crate) async fn copy(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(made(
        call,
        &casts::copy(&call.service, call.id, &call.optional_document()?).await?,
    ))
}

/// Replaces the key: 201 with the changed cast.
pub(crate) async fn rotate_key(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let edited = casts::rotate_key(
        &call.service,
        call.id,
        &call.optional_document()?,
        &version::precondition(call.visit),
    )
    .await?;
    Ok(show(call, StatusCode::CREATED, &edited))
}

/// Takes the last rotation back.
pub(crate) async fn restore_key(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let edited =
        casts::restore_key(&call.service, call.id, &version::precondition(call.visit)).await?;
    Ok(show(call, StatusCode::OK, &edited))
}

/// One cast.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let read = casts::read(&call.service, call.id).await?;
    Ok(show(call, StatusCode::OK, &read))
}

/// Changes the fields of the document.
pub(crate) async fn change(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let edited = casts::change(
        &call.service,
        call.id,
        &call.document()?,
        &version::precondition(call.visit),
    )
    .await?;
    Ok(show(call, StatusCode::OK, &edited))
}

/// Deletes a cast; `?terminate=true` ends its live sessions too.
pub(crate) async fn delete(call: &Call<'_>, terminate: bool) -> Result<Reply, HandlerError> {
    casts::delete(
        &call.service,
        call.id,
        &version::precondition(call.visit),
        terminate,
    )
    .await?;
    Ok(reply::no_content())
}

/// The budgets of a cast, and what is taken of them.
pub(crate) async fn budgets(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let budgets = budgets::read(&call.service, call.id).await?;
    Ok(reply::json(StatusCode::OK, &budgets))
}

/// Evaluates every rule for a made-up visit.
pub(crate) async fn try_link(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let outcome = trials::run(&call.service, call.id, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &trials::view(&outcome)))
}

fn made(call: &Call<'_>, edited: &Edited) -> Reply {
    let mut reply = show(call, StatusCode::CREATED, edited);
    set_location(&mut reply, "casts", &edited.cast.id);
    reply
}

fn show(call: &Call<'_>, status: StatusCode, edited: &Edited) -> Reply {
    let mut reply = reply::json(
        status,
        &edited.view(&call.service.control_plane.urls.public_url),
    );
    version::set_cast(&mut reply, &edited.cast);
    reply
}
