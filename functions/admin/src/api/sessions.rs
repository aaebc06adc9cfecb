//! Owns the sessions of the API. Must not know how a session moves.

use casting_core::ids::{CastId, UserId};
use casting_core::listing::{SessionQuery, SessionsOf};
use casting_core::ports::{Launcher, Store};
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::json;

use super::{Call, paging, query};
use crate::api::paging::Paging;
use crate::desk::failure::Failure;
use crate::desk::sessions::{self, SessionsAsked};

/// All sessions, the newest first; `?cast=`, `?user=`, `?state=live|ended`, `?since=`, `?until=`.
pub(crate) async fn list<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let asked = asked(call)?;
    let page = paging.checked(sessions::list(&call.desk, &asked, paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, sessions::view))
}

fn asked<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<SessionsAsked, Failure> {
    let cast = query::optional(call.visit, "cast", "the id of a cast", CastId::parse)?;
    let user = query::optional(call.visit, "user", "the id of a user", UserId::parse)?;
    let is_live = query::optional(call.visit, "state", "live or ended", |text| match text {
        "live" => Some(true),
        "ended" => Some(false),
        _ => None,
    })?;
    let of = match (&user, &cast, is_live) {
        (Some(user), ..) => SessionsOf::User(user.clone()),
        (None, _, Some(true)) => SessionsOf::Living,
        (None, Some(cast), _) => SessionsOf::Cast(cast.clone()),
        (None, None, _) => SessionsOf::All,
    };
    let query = SessionQuery { of, since: query::time(call.visit, "since")?, until: query::time(call.visit, "until")? };
    Ok(SessionsAsked { query, cast, is_live, outcome: None })
}

/// One session.
pub(crate) async fn read<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(reply::json(StatusCode::OK, &sessions::view(&sessions::find(&call.desk, call.id).await?)))
}

/// Ends a session.
pub(crate) async fn stop<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(reply::json(StatusCode::OK, &sessions::view(&sessions::stop(&call.desk, call.id).await?)))
}

/// Takes a session's share link back.
pub(crate) async fn unshare<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(reply::json(StatusCode::OK, &sessions::view(&sessions::unshare(&call.desk, call.id).await?)))
}

/// A way into a session that is shared, to watch it: an address that is good for one browser, for as long as the session is shared.
pub(crate) async fn watch<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(reply::json(StatusCode::OK, &json!({ "url": sessions::watch(&call.desk, call.id).await? })))
}
