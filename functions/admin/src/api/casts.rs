//! Owns the casts of the API. Must not know which values are possible, or how a cast is written.

use casting_core::cast_form;
use casting_core::ids::ImageId;
use casting_core::listing::CastOrder;
use casting_core::ports::{Launcher, Store};
use casting_web::{Reply, reply};
use http::StatusCode;

use super::{Call, paging, query};
use crate::api::paging::Paging;
use crate::desk::casts::{self, CastsAsked, Edited};
use crate::desk::failure::Failure;
use crate::desk::trials;
use crate::desk::version::{self, Precondition};

/// `?search=`, `?sort=name|-name|created_at|-created_at`, `?enabled=`, `?image=`.
pub(crate) async fn list<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let sort = query::optional(call.visit, "sort", "name, -name, created_at or -created_at", read_sort)?.unwrap_or_default();
    let asked = CastsAsked {
        search: call.visit.query("search"),
        order: sort.0,
        backwards: sort.1,
        enabled: query::flag(call.visit, "enabled")?,
        image: query::optional(call.visit, "image", "the id of an image", ImageId::parse)?,
    };
    let page = paging.checked(casts::list(&call.desk, &asked, paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, |cast| cast_form::view(cast, &call.desk.casting.terms.public_url)))
}

fn read_sort(text: &str) -> Option<(CastOrder, bool)> {
    match text {
        "name" => Some((CastOrder::Name, false)),
        "-name" => Some((CastOrder::Name, true)),
        "created_at" => Some((CastOrder::Made, false)),
        "-created_at" => Some((CastOrder::Made, true)),
        _ => None,
    }
}

/// A new cast: 201 with its address.
pub(crate) async fn create<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(made(call, &casts::create(&call.desk, &call.document()?).await?))
}

/// A cast like this one: 201 with its address.
pub(crate) async fn copy<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(made(call, &casts::copy(&call.desk, call.id, &call.optional_document()?).await?))
}

/// Another key: 201 with the cast as it is then.
pub(crate) async fn rotate_key<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let edited = casts::rotate_key(&call.desk, call.id, &call.optional_document()?, &Precondition::of(call.visit)).await?;
    Ok(show(call, StatusCode::CREATED, &edited))
}

/// One cast.
pub(crate) async fn read<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let cast = casts::find(&call.desk, call.id).await?;
    Ok(show(call, StatusCode::OK, &Edited { cast, warnings: Vec::new() }))
}

/// Changes what the document names.
pub(crate) async fn change<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let edited = casts::change(&call.desk, call.id, &call.document()?, &Precondition::of(call.visit)).await?;
    Ok(show(call, StatusCode::OK, &edited))
}

/// Deletes a cast; `?terminate=true` ends its live sessions too.
pub(crate) async fn delete<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let terminate = query::flag(call.visit, "terminate")?.unwrap_or(false);
    casts::delete(&call.desk, call.id, &Precondition::of(call.visit), terminate).await?;
    Ok(reply::no_content())
}

/// What every rule would say of a made-up visit.
pub(crate) async fn try_link<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let steps = trials::run(&call.desk, call.id, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &trials::view(&steps)))
}

fn made<S: Store, L: Launcher>(call: &Call<'_, S, L>, edited: &Edited) -> Reply {
    let mut reply = show(call, StatusCode::CREATED, edited);
    reply::set_location(&mut reply, &format!("/api/admin/casts/{}", edited.cast.id));
    reply
}

fn show<S: Store, L: Launcher>(call: &Call<'_, S, L>, status: StatusCode, edited: &Edited) -> Reply {
    let mut reply = reply::json(status, &edited.view(&call.desk.casting.terms.public_url));
    version::set(&mut reply, edited.cast.version);
    reply
}
