//! Owns the sessions of the API. Must not know how a session moves.

use casting_core::ids::{CastId, UserId};
use casting_core::listing::{SessionQuery, SessionsOf};
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::json;

use super::{Call, paging};
use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::failure::Failure;
use casting_core::admin::sessions::{self, SessionsAsked};

/// All sessions, the newest first.
pub(crate) async fn list(
    call: &Call<'_>,
    (paging, asked): (Paging, SessionsAsked),
) -> Result<Reply, Failure> {
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

/// What a list of sessions is asked for.
pub(crate) fn asked(query: &mut Query) -> (Paging, SessionsAsked) {
    let paging = Paging::asked(query);
    let cast = query.spelled("cast", "Only those of this cast.", CastId::parse);
    let user = query.spelled("user", "Only those of this user.", UserId::parse);
    let is_live = query.word(
        "state",
        "Only those that live, or that have ended.",
        &[("live", true), ("ended", false)],
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
            is_live,
            outcome: None,
        },
    )
}

/// One session.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(reply::json(
        StatusCode::OK,
        &sessions::view_of(
            &call.service,
            &sessions::find(&call.service, call.id).await?,
        ),
    ))
}

/// Ends a session.
pub(crate) async fn stop(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(reply::json(
        StatusCode::OK,
        &sessions::view_of(
            &call.service,
            &sessions::stop(&call.service, call.id).await?,
        ),
    ))
}

/// Takes a session's share link back.
pub(crate) async fn unshare(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(reply::json(
        StatusCode::OK,
        &sessions::view_of(
            &call.service,
            &sessions::unshare(&call.service, call.id).await?,
        ),
    ))
}

/// A way into a session that is shared, to watch it: an address that is good for one browser, for as long as the session is shared.
pub(crate) async fn watch(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "url": sessions::watch(&call.service, call.id).await? }),
    ))
}
