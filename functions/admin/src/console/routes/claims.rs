//! Owns the pages of claims, and the first page, which begins with them. Must not know what the
//! verbs do.

use casting_core::History;
use casting_core::cast_form;
use casting_core::excerpt::Excerpt;
use casting_core::ids::{CastId, Reference};
use casting_core::image::Image;
use casting_core::ports::RefusalCount;
use casting_core::queries::{SessionQuery, SessionsOf};
use casting_core::session::Session;
use casting_core::time::Timestamp;
use casting_core::urls;
use casting_web::Reply;
use futures_util::{TryFutureExt, try_join};
use serde_json::Value;

use super::{ConsoleRequest, ROWS, casts};
use crate::console::cast::figure;
use crate::console::cast_labels::{called, on, text};
use crate::console::chart::Chart;
use crate::console::claims::{self, Claim, ClaimFilter, ClaimPage};
use crate::console::dashboard::{self, Overview};
use crate::console::history::{self, Told};
use crate::console::page_context::Severity;
use crate::console::paths;
use crate::console::range::Range;
use crate::console::sessions::{invited, owner};
use crate::console::table::Badge;
use crate::console::time_format::{grouped, wait};
use crate::console::zone::Zone;
use casting_core::admin::AdminService;
use casting_core::admin::casts::{self as cast_verbs, CastsAsked};
use casting_core::admin::claims::{self as verbs, ClaimOutcome, ClaimsAsked, ClaimsOf};
use casting_core::admin::sessions::{self, Outcome, SessionsAsked};
use casting_core::admin::settings;
use casting_web::HandlerError;

/// An hour, in seconds.
const HOUR: u64 = 3600;
/// How many casts the first page looks at.
const CASTS: u32 = 100;

pub(super) async fn of_all(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    page(request, ClaimsOf::All, None).await
}

pub(super) async fn of_cast(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = cast_verbs::find(&request.service, request.id).await?;
    page(
        request,
        ClaimsOf::Cast(cast.id.clone()),
        Some((cast.settings.name.clone(), cast.id.to_string())),
    )
    .await
}

async fn page(
    request: &ConsoleRequest<'_>,
    of: ClaimsOf,
    cast: Option<(String, String)>,
) -> Result<Reply, HandlerError> {
    let (query, now) = (
        |name: &str| {
            request
                .visit
                .query(name)
                .unwrap_or_default()
                .trim()
                .to_owned()
        },
        request.context.now,
    );
    let range = Range::of(|name| request.visit.query(name), &request.context.zone, now).with_hour();
    let filter = ClaimFilter {
        outcome: query("outcome"),
        range: range.clone(),
        reference: query("reference"),
    };
    let outcome = match filter.outcome.as_str() {
        "refused" => Some(ClaimOutcome::Refused),
        text => Outcome::parse(text).map(ClaimOutcome::Accepted),
    };
    let reference = Reference::parse(&filter.reference);
    let asked = ClaimsAsked {
        of: of.clone(),
        since: range.since,
        until: range.until,
        outcome,
        reference,
    };
    let is_nonsense = !filter.reference.is_empty() && asked.reference.is_none();
    let (id, cursor) = (
        if let ClaimsOf::Cast(id) = &of {
            Some(id)
        } else {
            None
        },
        request.cursor(),
    );
    let (mut found, told, names) = try_join!(
        verbs::list(&request.service, &asked, cursor.as_deref(), ROWS).err_into(),
        async {
            Ok(request
                .service
                .control_plane
                .history(
                    id,
                    range.before().unwrap_or(range.since),
                    range.until.minus_seconds(1),
                )
                .await?)
        },
        names_unless(request, cast.is_some()),
    )?;
    if filter.outcome == "accepted" {
        found.refused.clear();
    }
    let charts = if asked.reference.is_some() {
        Vec::new()
    } else {
        charts(&request.context.zone, &range, &told)
    };
    let claims = if is_nonsense {
        Vec::new()
    } else {
        together(
            &request.service,
            &found.accepted.items,
            &found.refused,
            &names,
            ROWS as usize,
        )
    };
    let parameters = range.parameters();
    let mut kept: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    kept.push(("outcome", &filter.outcome));
    kept.push(("reference", &filter.reference));
    let next = request.next(found.accepted.next.as_ref(), &kept);
    let exports = (export(id, &asked, "csv"), export(id, &asked, "json"));
    Ok(request.show(&claims::page(
        &request.context,
        &ClaimPage {
            cast,
            filter,
            charts,
            claims,
            next,
            exports,
        },
    )))
}

/// The charts of a time, beside those of the period before, from a history that has both.
pub(super) fn charts(zone: &Zone, range: &Range, told: &History) -> Vec<Chart> {
    let now = told.between(range.since, range.until);
    let before = range
        .before()
        .map(|before| told.between(before, range.since));
    let told = Told {
        history: &now,
        before: before.as_ref(),
        zone,
    };
    vec![
        history::launches(&told),
        history::starts(&told),
        history::costs(&told),
    ]
}

/// What the sessions cost that were claimed in this month and in the one before, in the zone of the
/// administrator.
pub(super) fn monthly_costs(
    zone: &Zone,
    now: Timestamp,
    told: &History,
) -> Vec<(String, String, String)> {
    let month = |before: i32| zone.start_of_month(now, before);
    let spans = [
        ("Cost, this month", month(0), Some(now.plus_seconds(1))),
        ("Cost, last month", month(1), month(0)),
    ];
    let figure = |(name, since, until): (&str, Option<Timestamp>, Option<Timestamp>)| {
        let total = told.between(since?, until?).total();
        let dollars = total.cost_micros as f64 / 1_000_000.0;
        Some((name.to_owned(), format!("${dollars:.2}"), String::new()))
    };
    spans.into_iter().filter_map(figure).collect()
}

/// From when on a history must be read for the charts of this time and for [`monthly_costs`].
pub(super) fn earliest(zone: &Zone, range: &Range, now: Timestamp) -> Timestamp {
    let month = zone.start_of_month(now, 1).unwrap_or(range.since);
    range.before().unwrap_or(range.since).min(month)
}

/// The address of these claims as a file.
fn export(cast: Option<&CastId>, asked: &ClaimsAsked, format: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("format", format)
        .append_pair("since", &asked.since.to_string())
        .append_pair("until", &asked.until.to_string());
    if let Some(cast) = cast {
        query.append_pair("cast", cast.as_str());
    }
    match asked.outcome {
        Some(ClaimOutcome::Refused) => _ = query.append_pair("outcome", "refused"),
        Some(ClaimOutcome::Accepted(outcome)) => _ = query.append_pair("outcome", outcome.as_str()),
        None => {}
    }
    if let Some(reference) = &asked.reference {
        query.append_pair("ref", reference.as_str());
    }
    format!("{}/claims/export?{}", urls::ADMIN_API, query.finish())
}

/// The last claims of a cast or of all: of a week at most.
pub(super) async fn last(
    request: &ConsoleRequest<'_>,
    cast: Option<&CastId>,
) -> Result<Vec<Claim>, HandlerError> {
    let now = request.context.now;
    let of = cast.map_or(ClaimsOf::All, |cast| ClaimsOf::Cast(cast.clone()));
    let asked = ClaimsAsked {
        of,
        since: now.minus_seconds(7 * 24 * HOUR),
        until: now.plus_seconds(1),
        outcome: None,
        reference: None,
    };
    let (found, names) = try_join!(
        verbs::list(&request.service, &asked, None, 8).err_into(),
        names_unless(request, cast.is_some())
    )?;
    Ok(together(
        &request.service,
        &found.accepted.items,
        &found.refused,
        &names,
        8,
    ))
}

/// The ids and names of casts, unless it is known which one it is; refusals know ids only.
async fn names_unless(
    request: &ConsoleRequest<'_>,
    is_known: bool,
) -> Result<Vec<(String, String)>, HandlerError> {
    if is_known {
        return Ok(Vec::new());
    }
    let page = cast_verbs::list(&request.service, &CastsAsked::default(), None, CASTS).await?;
    Ok(page
        .items
        .iter()
        .map(|cast| {
            let settings = &cast.settings;
            let called = called(&settings.name, settings.key.as_str());
            (cast.id.to_string(), called)
        })
        .collect())
}

/// Accepted claims and samples of refused ones, the newest first.
fn together(
    service: &AdminService<'_>,
    accepted: &[Session],
    refused: &[RefusalCount],
    names: &[(String, String)],
    most: usize,
) -> Vec<Claim> {
    let mut claims: Vec<Claim> = accepted
        .iter()
        .map(|session| of_session(&sessions::view_of(service, session)))
        .collect();
    for row in refused {
        let id = row
            .cast_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let name = names
            .iter()
            .find(|(known, _)| *known == id)
            .map_or_else(|| "No cast".to_owned(), |(_, name)| name.clone());
        claims.extend(row.samples.iter().map(|sample| Claim {
            at: sample.at,
            outcome: "refused".into(),
            reason: history::reason(&row.code),
            reference: sample.reference.to_string(),
            cast: (name.clone(), id.clone()),
            who: String::new(),
            referrer: sample.referrer.clone().unwrap_or_default(),
            session: None,
            said: Vec::new(),
            log_url: None,
        }));
    }
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.at));
    claims.truncate(most.max(accepted.len()));
    claims
}

fn of_session(session: &Value) -> Claim {
    let part = |field: &str| text(session, field).to_owned();
    let reason = [text(session, "detail"), text(session, "reason")]
        .into_iter()
        .find(|reason| !reason.is_empty());
    Claim {
        at: Timestamp::parse(text(session, "created_at")).unwrap_or(Timestamp::from_millis(0)),
        outcome: part("outcome"),
        reason: reason.unwrap_or_default().replace('-', " "),
        reference: part("reference"),
        cast: (
            called(text(session, "cast_name"), text(session, "cast_key")),
            part("cast_id"),
        ),
        who: match invited(session) {
            name if name.is_empty() => owner(session),
            name => format!("{}, invited as {name}", owner(session)),
        },
        referrer: part("referrer"),
        session: Some(part("id")),
        said: said(session),
        log_url: session["log_url"].as_str().map(str::to_owned),
    }
}

/// What was said last in a session, with who said it in words.
pub(super) fn said(session: &Value) -> Vec<(&'static str, String)> {
    let excerpts = session["said"].as_array().into_iter().flatten();
    let read = |excerpt: &Value| serde_json::from_value::<Excerpt>(excerpt.clone()).ok();
    excerpts
        .filter_map(read)
        .map(|excerpt| (excerpt.by.title(), excerpt.text))
        .collect()
}

pub(super) async fn overview(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (service, now) = (&request.service, request.context.now);
    let query = SessionQuery {
        of: SessionsOf::Living,
        ..SessionQuery::default()
    };
    let of_living = SessionsAsked {
        query,
        is_live: Some(true),
        ..SessionsAsked::default()
    };
    let of_casts = CastsAsked::default();
    let zone = &request.context.zone;
    let range = Range::of(|name| request.visit.query(name), zone, now);
    let (page, images, told, living, deployment, claims) = try_join!(
        cast_verbs::list(service, &of_casts, None, CASTS).err_into(),
        async { Ok(service.control_plane.store.all_records::<Image>().await?) },
        async {
            Ok(service
                .control_plane
                .history(
                    None,
                    earliest(zone, &range, now),
                    range.until.minus_seconds(1).max(now),
                )
                .await?)
        },
        sessions::list(service, &of_living, None, 100).err_into(),
        settings::read(service).err_into(),
        last(request, None),
    )?;
    let all: Vec<Value> = page
        .items
        .iter()
        .map(|cast| cast_form::view(cast, &request.context.public_url))
        .collect();
    let more = if page.next.is_some() { "+" } else { "" };
    let total = told.between(range.since, range.until).total();
    let span = range.words();
    let live = format!(
        "{}{}",
        grouped(living.items.len() as u64),
        if living.next.is_some() { "+" } else { "" }
    );
    let most = deployment.settings.max_sessions;
    let enabled = all.iter().filter(|cast| on(cast, "enabled")).count();
    let median = total
        .start_percentile_millis(50)
        .map_or_else(|| "\u{2013}".to_owned(), wait);
    let mut costs = monthly_costs(zone, now, &told);
    costs.truncate(1);
    let steps = [!images.is_empty(), !all.is_empty(), !claims.is_empty()];
    let mut attention_items = casts::attention_items(&all, &images, now);
    if most == Some(0) {
        let sentence = "\u{201c}Sessions at once\u{201d} is 0: no link starts a session.";
        let badge = Badge::new(Severity::Bad, "No sessions");
        attention_items.insert(0, (badge, sentence.to_owned(), paths::SETTINGS.to_owned()));
    }
    let page = Overview {
        figures: vec![
            (
                "Live sessions".to_owned(),
                live,
                most.map(|most| format!("of {}", grouped(u64::from(most))))
                    .unwrap_or_default(),
            ),
            figure(&format!("Started, {span}"), Some(total.launched), ""),
            figure(
                &format!("Refused, {span}"),
                Some(total.refused_in_all()),
                "",
            ),
            (format!("Median start, {span}"), median, String::new()),
            figure(
                "Casts enabled",
                Some(enabled as u64),
                &format!("of {}{more}", grouped(all.len() as u64)),
            ),
        ]
        .into_iter()
        .chain(costs)
        .collect(),
        attention_items,
        charts: charts(zone, &range, &told),
        range: Some(range),
        claims,
        // Steps that the user may not take are not offered.
        first_steps: (steps.contains(&false)
            && request.context.may("casts")
            && request.context.may("images"))
        .then_some(steps),
    };
    Ok(request.show(&dashboard::page(&request.context, &page)))
}
