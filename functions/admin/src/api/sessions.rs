//! Owns the sessions of the API. Must not know the transitions of a session.

use casting_core::form::line;
use casting_core::ids::{CastId, ImageId, UserId};
use casting_core::queries::{SessionQuery, SessionsOf};
use casting_core::session::Session;
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::json;

use super::{Call, paging};
use crate::api::paging::Paging;
use crate::api::query::Query;
use casting_core::admin::session_actions as acts;
use casting_core::admin::sessions::{self, SessionsAsked};
use casting_web::HandlerError;

/// All sessions, the newest first.
pub(crate) async fn list(
    call: &Call<'_>,
    (paging, asked): (Paging, SessionsAsked),
) -> Result<Reply, HandlerError> {
    let page = paging.checked(
        sessions::list(
            &call.service,
            &asked,
            paging.cursor.as_deref(),
            paging.limit,
        )
        .await,
    )?;
    Ok(paging::show(&page, |session| {
        sessions::view_of(&call.service, session)
    }))
}

/// The query parameters of a list of sessions.
pub(crate) fn asked(query: &mut Query) -> (Paging, SessionsAsked) {
    let paging = Paging::asked(query);
    let cast = query.parsed("cast", "Only those of this cast.", CastId::parse);
    let user = query.parsed("user", "Only those of this user.", UserId::parse);
    let image = query.parsed("image", "Only those of this image.", ImageId::parse);
    let states = ["live", "ended", "reserved", "starting", "ready", "stopping"];
    let state = query.word(
        "state",
        "Only those that live, that have ended, or that are in one state of a live session.",
        &states.map(|state| (state, state)),
    );
    let is_live = state.map(|state| state != "ended");
    let search = query.optional(
        "search",
        "Only those that have all of these words in the reference, the id, the names of owner, link \
         and image, the link's key, the referring host or the task.",
        &line(1..=100),
    );
    let of = match (&user, &cast, is_live) {
        (Some(user), ..) => SessionsOf::User(user.clone()),
        (None, _, Some(true)) => SessionsOf::Living,
        (None, Some(cast), _) => SessionsOf::Cast(cast.clone()),
        (None, None, _) => SessionsOf::All,
    };
    let since = query.time("since", "Claimed at or after this time.");
    let query = SessionQuery {
        of,
        since,
        until: query.time("until", "Claimed before this time."),
    };
    (
        paging,
        SessionsAsked {
            query,
            cast,
            image,
            is_live,
            state: state.filter(|state| !["live", "ended"].contains(state)),
            outcome: None,
            search,
            address: None,
        },
    )
}

/// One session.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let session = sessions::find(&call.service, call.id).await?;
    let view = sessions::details(&call.service, &session).await?;
    Ok(reply::json(StatusCode::OK, &view))
}

fn shown(call: &Call<'_>, session: &Session) -> Reply {
    reply::json(StatusCode::OK, &sessions::view_of(&call.service, session))
}

/// Ends a session.
pub(crate) async fn stop(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let input = call.optional_document()?;
    Ok(shown(
        call,
        &acts::stop(&call.service, call.id, &input).await?,
    ))
}

/// Tells the owner of a session something.
pub(crate) async fn message(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let input = call.document()?;
    Ok(shown(
        call,
        &acts::message(&call.service, call.id, &input).await?,
    ))
}

/// Extends a session.
pub(crate) async fn extend(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let input = call.document()?;
    Ok(shown(
        call,
        &acts::extend(&call.service, call.id, &input).await?,
    ))
}

/// Ends several sessions.
pub(crate) async fn stop_many(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let done = acts::stop_many(&call.service, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &acts::view_done(&done)))
}

/// Tells the owners of several sessions the same.
pub(crate) async fn message_many(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let done = acts::message_many(&call.service, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &acts::view_done(&done)))
}

/// Extends several sessions.
pub(crate) async fn extend_many(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let done = acts::extend_many(&call.service, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &acts::view_done(&done)))
}

/// Ends the sharing of a session.
pub(crate) async fn unshare(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(
        StatusCode::OK,
        &sessions::view_of(
            &call.service,
            &sessions::unshare(&call.service, call.id).await?,
        ),
    ))
}

/// A way into a session that is shared, to watch it: an address that is good for one browser, for
/// as long as the session is shared.
pub(crate) async fn watch(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "url": sessions::watch(&call.service, call.id).await? }),
    ))
}
