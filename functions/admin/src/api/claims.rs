//! Owns the claims and the statistics of the API. Must not know why a claim was refused, or how hours are made.

use casting_core::History;
use casting_core::hours::{Hour, START_BOUNDS};
use casting_core::ids::{CastId, Reference};
use casting_core::ports::{Launcher, Store};
use casting_core::time::Timestamp;
use casting_web::{Mistake, Problem, Reply, Visit, reply};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Call, query};
use crate::api::paging::Paging;
use crate::desk::casts;
use crate::desk::claims::{self, ClaimOutcome, ClaimsAsked, ClaimsOf};
use crate::desk::failure::Failure;
use crate::desk::sessions::Outcome;

/// How far back is looked when nobody says how far, in seconds.
const DAY: u64 = 86_400;
/// The longest time that statistics are told of at once, in seconds (92 days: a quarter).
const LONGEST_SPAN: u64 = 92 * DAY;

/// `/casts/{id}/claims`; the id `unknown` stands for keys that no cast has. Works for deleted casts too.
pub(crate) async fn list_of_cast<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let of = if call.id == "unknown" { ClaimsOf::Unknown } else { ClaimsOf::Cast(casts::parse_id(call.id)?) };
    show(call, of).await
}

/// `/claims`, of all casts or of `?cast=`.
pub(crate) async fn list<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let cast = query::optional(call.visit, "cast", "the id of a cast", CastId::parse)?;
    show(call, cast.map_or(ClaimsOf::All, ClaimsOf::Cast)).await
}

async fn show<S: Store, L: Launcher>(call: &Call<'_, S, L>, of: ClaimsOf) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let asked = asked(call.visit, of, call.desk.casting.clock.now())?;
    let found = paging.checked(claims::list(&call.desk, &asked, paging.cursor.as_deref(), paging.limit).await)?;
    Ok(reply::json(StatusCode::OK, &found.view()))
}

/// `?since=` (a day ago), `?until=`, `?outcome=`, `?ref=`.
///
/// # Errors
/// 400 for a value that cannot be read.
pub(crate) fn asked(visit: &Visit, of: ClaimsOf, now: Timestamp) -> Result<ClaimsAsked, Failure> {
    let outcome = query::optional(visit, "outcome", "live, served, refunded or refused", |text| match text {
        "refused" => Some(ClaimOutcome::Refused),
        text => Outcome::parse(text).map(ClaimOutcome::Accepted),
    })?;
    Ok(ClaimsAsked {
        of,
        since: query::time(visit, "since")?.unwrap_or_else(|| now.minus_seconds(DAY)),
        until: query::time(visit, "until")?.unwrap_or_else(|| now.plus_seconds(1)),
        outcome,
        reference: query::optional(visit, "ref", "a reference such as k3f7-2mqa", Reference::parse)?,
    })
}

/// `/casts/{id}/statistics`.
pub(crate) async fn statistics_of_cast<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let cast = casts::find(&call.desk, call.id).await?;
    tell(call, Some(&cast.id)).await
}

/// `/statistics`.
pub(crate) async fn statistics<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    tell(call, None).await
}

async fn tell<S: Store, L: Launcher>(call: &Call<'_, S, L>, cast: Option<&CastId>) -> Result<Reply, Failure> {
    let now = call.desk.casting.clock.now();
    let until = query::time(call.visit, "until")?.unwrap_or(now);
    let since = query::time(call.visit, "since")?.unwrap_or_else(|| until.minus_seconds(DAY - 1));
    if since > until || since < until.minus_seconds(LONGEST_SPAN) {
        return Err(Problem::new(Mistake::BadRequest)
            .detail("The parameter \u{201c}since\u{201d} must be at most 92 days before \u{201c}until\u{201d}.")
            .into());
    }
    let history = call.desk.casting.history(cast, since, until).await?;
    Ok(reply::json(StatusCode::OK, &view(&history)))
}

fn view(history: &History) -> Value {
    let hours = history.hours.iter().map(|(hour, counts)| {
        let mut fields = Map::new();
        fields.insert("hour".into(), json!(Timestamp::from_millis(hour * 1000).to_string()));
        fields.extend(view_hour(counts));
        Value::Object(fields)
    });
    json!({
        "hours": hours.collect::<Vec<_>>(),
        "total": view_hour(&history.total()),
        "start_bounds_seconds": START_BOUNDS,
        "is_partial": history.is_partial,
    })
}

fn view_hour(hour: &Hour) -> Map<String, Value> {
    let view = json!({
        "launched": hour.launched,
        "served": hour.served,
        "refunded": hour.refunded,
        "refused": hour.refused,
        "starts": hour.starts,
        "mean_start_millis": hour.mean_start_millis(),
    });
    if let Value::Object(fields) = view { fields } else { Map::new() }
}
