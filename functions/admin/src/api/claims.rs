//! Owns the claims and the statistics of the API. Must not know why a claim was refused, or how
//! hours are made.

use casting_core::History;
use casting_core::cast::Cast;
use casting_core::form::{line, plain};
use casting_core::hourly_stats::{HourlyStats, START_BOUNDS};
use casting_core::ids::{CastId, Reference};
use casting_core::json_schema;
use casting_core::text_format;
use casting_core::time::Timestamp;
use casting_web::{Problem, Reply, RequestError, reply};
use futures_util::try_join;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Call;
use crate::api::paging::Paging;
use crate::api::query::Query;
use casting_core::admin::casts;
use casting_core::admin::claims::{self, ClaimOutcome, ClaimsAsked, ClaimsOf};
use casting_core::admin::pools::cents;
use casting_core::admin::sessions::Outcome;
use casting_web::HandlerError;

/// The default time range, in seconds.
const DAY: u64 = 86_400;
/// The longest time range of statistics, in seconds (92 days: a quarter).
const LONGEST_SPAN: u64 = 92 * DAY;

/// `/casts/{id}/claims`; the id `unknown` stands for keys that no cast has. Works for deleted casts
/// too.
pub(crate) async fn list_of_cast(
    call: &Call<'_>,
    (paging, filters): (Paging, Filters),
) -> Result<Reply, HandlerError> {
    let of = if call.id == "unknown" {
        ClaimsOf::Unknown
    } else {
        ClaimsOf::Cast(casts::parse_id(call.id)?)
    };
    show(
        call,
        &paging,
        filters.of(of, call.service.control_plane.clock.now()),
    )
    .await
}

/// `/claims`, of all casts or of `?cast=`.
pub(crate) async fn list(
    call: &Call<'_>,
    ((paging, filters), cast): ((Paging, Filters), Option<CastId>),
) -> Result<Reply, HandlerError> {
    show(
        call,
        &paging,
        filters.of(
            cast.map_or(ClaimsOf::All, ClaimsOf::Cast),
            call.service.control_plane.clock.now(),
        ),
    )
    .await
}

async fn show(call: &Call<'_>, paging: &Paging, asked: ClaimsAsked) -> Result<Reply, HandlerError> {
    let found = paging.checked(
        claims::list(
            &call.service,
            &asked,
            paging.cursor.as_deref(),
            paging.limit,
        )
        .await,
    )?;
    Ok(reply::json(StatusCode::OK, &found.view(&call.service)))
}

/// Which claims are asked for, whosever they are.
#[derive(Debug)]
pub(crate) struct Filters {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    outcome: Option<ClaimOutcome>,
    reference: Option<Reference>,
    search: Option<String>,
    address: Option<String>,
}

impl Filters {
    /// The same of these; since a day ago, unless something else is asked for.
    pub(crate) fn of(self, of: ClaimsOf, now: Timestamp) -> ClaimsAsked {
        ClaimsAsked {
            of,
            since: self.since.unwrap_or_else(|| now.minus_seconds(DAY)),
            until: self.until.unwrap_or_else(|| now.plus_seconds(1)),
            outcome: self.outcome,
            reference: self.reference,
            search: self.search,
            address: self.address,
        }
    }
}

/// The query parameters of a list of one cast's claims.
pub(crate) fn asked(query: &mut Query) -> (Paging, Filters) {
    let paging = Paging::asked(query);
    let mut outcomes: Vec<_> = Outcome::ALL
        .into_iter()
        .map(|outcome| (outcome.as_str(), ClaimOutcome::Accepted(outcome)))
        .collect();
    outcomes.push(("refused", ClaimOutcome::Refused));
    let filters = Filters {
        since: query.time(
            "since",
            "At or after this time; a day ago when it is left out.",
        ),
        until: query.time("until", "Before this time."),
        outcome: query.word("outcome", "Only those of which this became.", &outcomes),
        reference: query.parsed(
            "ref",
            "Only the one that its visitor quotes by this.",
            Reference::parse,
        ),
        search: query.optional(
            "search",
            "Only those that have all of these words in the reference, the id, the names of owner, \
             link and image, the link's key, the referring host, the invitation or the task.",
            &line(1..=100),
        ),
        address: query.optional(
            "address_hash",
            "Only those from the address with this hash; of refused ones, the samples.",
            &plain(|| &text_format::WORD),
        ),
    };
    (paging, filters)
}

/// The query parameters of a list of all claims.
pub(crate) fn asked_of_all(query: &mut Query) -> ((Paging, Filters), Option<CastId>) {
    (
        asked(query),
        query.parsed("cast", "Only those of this cast.", CastId::parse),
    )
}

/// The time that statistics are asked for: since and until.
type Span = (Option<Timestamp>, Option<Timestamp>);

/// Reads a [`Span`].
pub(crate) fn span(query: &mut Query) -> Span {
    let since = query.time(
        "since",
        "At or after this time; a day before `until` when it is left out, and 92 days at most.",
    );
    (
        since,
        query.time("until", "Until this time; now when it is left out."),
    )
}

/// `/casts/{id}/statistics`.
pub(crate) async fn statistics_of_cast(call: &Call<'_>, span: Span) -> Result<Reply, HandlerError> {
    let cast = casts::find(&call.service, call.id).await?;
    show_statistics(call, Some(&cast), span).await
}

/// `/statistics`.
pub(crate) async fn statistics(call: &Call<'_>, span: Span) -> Result<Reply, HandlerError> {
    show_statistics(call, None, span).await
}

async fn show_statistics(
    call: &Call<'_>,
    cast: Option<&Cast>,
    (since, until): Span,
) -> Result<Reply, HandlerError> {
    let now = call.service.control_plane.clock.now();
    let until = until.unwrap_or(now);
    let since = since.unwrap_or_else(|| until.minus_seconds(DAY - 1));
    if since > until || since < until.minus_seconds(LONGEST_SPAN) {
        return Err(Problem::new(RequestError::BadRequest)
            .detail(
                "The parameter \u{201c}since\u{201d} must be at most 92 days before \
                     \u{201c}until\u{201d}.",
            )
            .into());
    }
    let waiting = async {
        match cast {
            Some(cast) => casts::count_waiting(&call.service, cast).await,
            None => Ok(None),
        }
    };
    let history = async {
        Ok(call
            .service
            .control_plane
            .history(cast.map(|cast| &cast.id), since, until)
            .await?)
    };
    let (history, waiting) = try_join!(history, waiting)?;
    Ok(reply::json(StatusCode::OK, &view(&history, waiting)))
}

fn view(history: &History, waiting: Option<u64>) -> Value {
    let hours = history.hours.iter().map(|(hour, counts)| {
        let mut fields = Map::new();
        fields.insert(
            "hour".into(),
            json!(Timestamp::from_millis(hour * 1000).to_string()),
        );
        fields.extend(view_hour(counts));
        Value::Object(fields)
    });
    json!({
        "hours": hours.collect::<Vec<_>>(),
        "total": view_hour(&history.total()),
        "start_bounds_seconds": START_BOUNDS,
        "waiting": waiting,
        "is_partial": history.is_partial,
    })
}

fn view_hour(hour: &HourlyStats) -> Map<String, Value> {
    let view = json!({
        "launched": hour.launched,
        "served": hour.served,
        "refunded": hour.refunded,
        "refused": hour.refused,
        "starts": hour.starts,
        "mean_start_millis": hour.mean_start_millis(),
        "median_start_millis": hour.start_percentile_millis(50),
        "p95_start_millis": hour.start_percentile_millis(95),
        "cost_cents": cents(hour.cost_micros),
    });
    if let Value::Object(fields) = view {
        fields
    } else {
        Map::new()
    }
}

/// The JSON Schema of statistics.
pub(crate) fn schema() -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let counts = || {
        json!({
            "launched": count(), "served": count(), "refunded": count(),
            "refused": { "type": "object", "additionalProperties": count(), "description": "By code." },
            "starts": { "type": "array", "items": count(), "description":
                "How many took how long, by the bounds; empty when there were none." },
            "mean_start_millis": { "type": ["integer", "null"] },
            "median_start_millis": { "type": ["integer", "null"], "description":
                "Interpolated between the bounds; null when none started." },
            "p95_start_millis": { "type": ["integer", "null"], "description":
                "The 95th percentile, interpolated between the bounds." },
            "cost_cents": { "type": "number", "minimum": 0, "description":
                "What the sessions claimed in this time cost at list price, in US cents, over their whole lives; \
                 of those that live, up to now or to when their hour was counted." },
        })
    };
    let mut hour = counts();
    hour["hour"] = json_schema::time();
    json_schema::object(json!({
        "hours": { "type": "array", "items": json_schema::object(hour) },
        "total": json_schema::object(counts()),
        "start_bounds_seconds": { "type": "array", "items": count() },
        "waiting": {
            "type": ["integer", "null"], "minimum": 0,
            "description": "How many are in the waiting room at this moment; null without one, and \
                            for all casts together.",
        },
        "is_partial": { "type": "boolean", "description":
            "Whether there was more than could be counted." },
    }))
}
