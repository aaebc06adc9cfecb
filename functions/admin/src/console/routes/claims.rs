//! Owns the pages of claims, and the first page, which begins with them. Must not know what the
//! verbs do.

use std::collections::BTreeSet;

use casting_core::History;
use casting_core::address;
use casting_core::cast_form;
use casting_core::excerpt::Excerpt;
use casting_core::ids::{CastId, Reference};
use casting_core::image::Image;
use casting_core::ports::RefusalCount;
use casting_core::queries::{CastName, SessionQuery, SessionsOf};
use casting_core::session::Session;
use casting_core::time::Timestamp;
use casting_core::urls;
use casting_web::{Reply, reply};
use futures_util::future::try_join_all;
use futures_util::{TryFutureExt, try_join};
use serde_json::Value;

use super::{ConsoleRequest, ROWS, casts};
use crate::console::cast::figure;
use crate::console::cast_labels::{called, on, text};
use crate::console::chart::Chart;
use crate::console::claims::{self, Claim, ClaimPage};
use crate::console::dashboard::{self, Overview};
use crate::console::history::{self, ChartInput};
use crate::console::page_context::Severity;
use crate::console::paths;
use crate::console::range::Range;
use crate::console::sessions::{invited, owner};
use crate::console::table::{Badge, View};
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

/// How many refusals one page has at most besides the accepted claims of its time.
const MOST_REFUSED: usize = 200;
/// In the address of a page: where the page before it ended, in milliseconds since 1970.
const SEEN: &str = "seen";
/// In the address: claims with keys that no cast has.
const UNKNOWN: &str = "unknown";

pub(super) async fn of_all(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let view = request.view();
    let of = match view.get("cast") {
        UNKNOWN => ClaimsOf::Unknown,
        id => CastId::parse(id).map_or(ClaimsOf::All, ClaimsOf::Cast),
    };
    page(request, of, None).await
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

/// What the address asks for.
fn asked(view: &View, of: ClaimsOf, range: &Range) -> ClaimsAsked {
    let words = |name: &str| Some(view.get(name).to_owned()).filter(|text| !text.is_empty());
    ClaimsAsked {
        outcome: match view.get("outcome") {
            "refused" => Some(ClaimOutcome::Refused),
            text => Outcome::parse(text).map(ClaimOutcome::Accepted),
        },
        reference: Reference::parse(view.get("reference")),
        search: words("search"),
        address: words("address"),
        ..ClaimsAsked::between(of, range.since, range.until)
    }
}

async fn page(
    request: &ConsoleRequest<'_>,
    of: ClaimsOf,
    cast: Option<(String, String)>,
) -> Result<Reply, HandlerError> {
    let (view, now, zone) = (request.view(), request.context.now, &request.context.zone);
    if let Ok(address) = view.get("address").parse() {
        // Only its hash is kept, also in addresses of pages.
        let hash = address::hash(address, &request.service.control_plane.keys);
        return Ok(reply::see_other(&view.with(&[("address", &hash)])));
    }
    let range = Range::of(|name| request.visit.query(name), zone, now).with_hour();
    let asked = asked(&view, of, &range);
    let is_nonsense = !view.get("reference").is_empty() && asked.reference.is_none();
    let id = match &asked.of {
        ClaimsOf::Cast(id) => Some(id),
        ClaimsOf::All | ClaimsOf::Unknown => None,
    };
    let history = async {
        let since = range.before().unwrap_or(range.since);
        let until = range.until.minus_seconds(1);
        Ok(request
            .service
            .control_plane
            .history(id, since, until)
            .await?)
    };
    let (found, history, names) = try_join!(
        found(request, &view, &asked),
        history,
        names_unless(request, cast.is_some()),
    )?;
    let charts = if asked.reference.is_some() || asked.of == ClaimsOf::Unknown {
        Vec::new()
    } else {
        charts(zone, &range, &history)
    };
    let Listed {
        mut accepted,
        refused,
        next,
        note,
    } = found;
    if is_nonsense {
        accepted.clear();
    }
    let names = named(request, names, &refused).await?;
    let refused = if is_nonsense { &[][..] } else { &refused };
    let claims = together(&request.service, &accepted, refused, &names);
    let mut casts = vec![(UNKNOWN.to_owned(), "Keys that no cast has".to_owned())];
    casts.extend(names);
    let page = ClaimPage {
        exports: (export(id, &asked, "csv"), export(id, &asked, "json")),
        cast,
        view,
        range,
        casts,
        charts,
        claims,
        next,
        note,
    };
    Ok(request.show(&claims::page(&request.context, page)))
}

/// The claims of one page, and what is said of others.
struct Listed {
    accepted: Vec<Session>,
    refused: Vec<RefusalCount>,
    next: Option<String>,
    note: String,
}

/// The claims of the page that the address asks for: accepted ones along their index, and the
/// refusals of the same time.
async fn found(
    request: &ConsoleRequest<'_>,
    view: &View,
    asked: &ClaimsAsked,
) -> Result<Listed, HandlerError> {
    let (service, zone) = (&request.service, &request.context.zone);
    let cursor = request.cursor();
    let is_page_of_many = asked.reference.is_none()
        && asked.of != ClaimsOf::Unknown
        && asked.outcome != Some(ClaimOutcome::Refused);
    if !is_page_of_many {
        let all = verbs::list(service, asked, cursor.as_deref(), ROWS).await?;
        return Ok(Listed {
            accepted: all.accepted.items,
            refused: all.refused,
            next: None,
            note: sampled(asked),
        });
    }
    let of_accepted = ClaimsAsked {
        outcome: asked.outcome,
        ..asked.clone()
    };
    let accepted = verbs::accepted(service, &of_accepted, cursor.as_deref(), ROWS).await?;
    let reached = accepted.next.as_deref().and_then(verbs::reached);
    let seen = view.get(SEEN).parse().map(Timestamp::from_millis);
    let (since, until) = (
        reached.unwrap_or(asked.since).max(asked.since),
        seen.unwrap_or(asked.until).min(asked.until),
    );
    let mut refused = Vec::new();
    if asked.outcome.is_none() && view.get("outcome") != "accepted" {
        let of_refused = ClaimsAsked {
            since,
            until,
            outcome: Some(ClaimOutcome::Refused),
            ..asked.clone()
        };
        refused = verbs::list(service, &of_refused, None, ROWS).await?.refused;
    }
    let is_of_page = |at: Timestamp| since <= at && at < until;
    let mut samples = 0;
    for row in &mut refused {
        row.samples.retain(|sample| is_of_page(sample.at));
        row.samples.truncate(MOST_REFUSED.saturating_sub(samples));
        samples += row.samples.len();
    }
    let is_short = reached.is_some() && accepted.items.len() < ROWS as usize;
    let mut notes = Vec::new();
    if let Some(reached) = reached.filter(|_| is_short) {
        notes.push(format!(
            "Looked through back to {}. The next page goes on from there.",
            zone.minute(reached)
        ));
    }
    if samples == MOST_REFUSED {
        notes.push("There are more refusals in this time: choose a shorter one.".to_owned());
    }
    notes.push(sampled(asked));
    let next = accepted.next.map(|next| {
        let seen = reached.map_or_else(String::new, |at| at.millis().to_string());
        view.with(&[("cursor", &next), (SEEN, &seen)])
    });
    notes.retain(|note| !note.is_empty());
    Ok(Listed {
        accepted: accepted.items,
        refused,
        next,
        note: notes.join(" "),
    })
}

/// What is said of refusals that are only counted.
fn sampled(asked: &ClaimsAsked) -> String {
    if matches!(asked.outcome, Some(ClaimOutcome::Accepted(_))) || asked.reference.is_some() {
        return String::new();
    }
    "Refusals are counted by the hour; a few of each are listed.".to_owned()
}

/// The charts of a time, beside those of the period before, from a history that has both.
pub(super) fn charts(zone: &Zone, range: &Range, history: &History) -> Vec<Chart> {
    let now = history.between(range.since, range.until);
    let before = range
        .before()
        .map(|before| history.between(before, range.since));
    let input = ChartInput {
        history: &now,
        before: before.as_ref(),
        zone,
    };
    vec![
        history::launches(&input),
        history::starts(&input),
        history::costs(&input),
    ]
}

/// What the sessions cost that were claimed in this month and in the one before, in the zone of the
/// administrator.
pub(super) fn monthly_costs(
    zone: &Zone,
    now: Timestamp,
    history: &History,
) -> Vec<(String, String, String)> {
    let month = |before: i32| zone.start_of_month(now, before);
    let spans = [
        ("Cost, this month", month(0), Some(now.plus_seconds(1))),
        ("Cost, last month", month(1), month(0)),
    ];
    let figure = |(name, since, until): (&str, Option<Timestamp>, Option<Timestamp>)| {
        let total = history.between(since?, until?).total();
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
    if let Some(search) = &asked.search {
        query.append_pair("search", search);
    }
    if let Some(address) = &asked.address {
        query.append_pair("address_hash", address);
    }
    format!("{}/claims/export?{}", urls::ADMIN_API, query.finish())
}

/// How many claims stand on the page of something else.
const LAST: usize = 8;

/// The last claims of a cast or of all: of a week at most.
pub(super) async fn last(
    request: &ConsoleRequest<'_>,
    cast: Option<&CastId>,
) -> Result<Vec<Claim>, HandlerError> {
    let now = request.context.now;
    let of = cast.map_or(ClaimsOf::All, |cast| ClaimsOf::Cast(cast.clone()));
    let asked = ClaimsAsked::between(of, now.minus_seconds(7 * 24 * HOUR), now.plus_seconds(1));
    let (found, names) = try_join!(
        verbs::list(&request.service, &asked, None, LAST as u32).err_into(),
        names_unless(request, cast.is_some())
    )?;
    let names = named(request, names, &found.refused).await?;
    let accepted = &found.accepted.items;
    let mut claims = together(&request.service, accepted, &found.refused, &names);
    claims.truncate(LAST);
    Ok(claims)
}

/// The ids and names of casts, unless it is known which one it is; refusals know ids only.
async fn names_unless(
    request: &ConsoleRequest<'_>,
    is_known: bool,
) -> Result<Vec<(String, String)>, HandlerError> {
    if is_known {
        return Ok(Vec::new());
    }
    let casts = request
        .service
        .control_plane
        .store
        .cast_names(CASTS)
        .await?;
    let named = |cast: &CastName| (cast.id.to_string(), called(&cast.name, cast.key.as_str()));
    Ok(casts.iter().map(named).collect())
}

/// How many casts are read one by one for their names.
const MOST_NAMED: usize = 50;

/// The names with those of the casts that are missing among them, but were refused.
async fn named(
    request: &ConsoleRequest<'_>,
    mut names: Vec<(String, String)>,
    refused: &[RefusalCount],
) -> Result<Vec<(String, String)>, HandlerError> {
    if names.is_empty() {
        return Ok(names);
    }
    let missing: BTreeSet<&CastId> = refused
        .iter()
        .filter(|row| !row.samples.is_empty())
        .filter_map(|row| row.cast_id.as_ref())
        .filter(|id| names.iter().all(|(known, _)| known != id.as_str()))
        .take(MOST_NAMED)
        .collect();
    let store = &request.service.control_plane.store;
    let found = missing.into_iter().map(|id| store.cast(id));
    for cast in try_join_all(found).await?.into_iter().flatten() {
        let settings = &cast.settings;
        let name = called(&settings.name, settings.key.as_str());
        names.push((cast.id.to_string(), name));
    }
    Ok(names)
}

/// Accepted claims and samples of refused ones, the newest first.
fn together(
    service: &AdminService<'_>,
    accepted: &[Session],
    refused: &[RefusalCount],
    names: &[(String, String)],
) -> Vec<Claim> {
    let mut claims: Vec<Claim> = accepted
        .iter()
        .map(|session| of_session(&sessions::view_of(service, session)))
        .collect();
    for row in refused {
        let id = row.cast_id.as_ref().map(ToString::to_string);
        let name = match &id {
            Some(id) => names
                .iter()
                .find(|(known, _)| known == id)
                .map_or_else(|| "Deleted cast".to_owned(), |(_, name)| name.clone()),
            None => "No cast".to_owned(),
        };
        claims.extend(row.samples.iter().map(|sample| Claim {
            at: sample.at,
            outcome: "refused".into(),
            reason: history::reason(&row.code),
            reference: sample.reference.to_string(),
            cast: (name.clone(), id.clone().unwrap_or_default()),
            who: String::new(),
            referrer: sample.referrer.clone().unwrap_or_default(),
            address: sample.address.clone(),
            session: None,
            said: Vec::new(),
            log_url: None,
        }));
    }
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.at));
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
        address: part("address_hash"),
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
    let (page, images, history, living, deployment, claims) = try_join!(
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
        sessions::count(service, &of_living, 100).err_into(),
        settings::read(service).err_into(),
        last(request, None),
    )?;
    let all: Vec<Value> = page
        .items
        .iter()
        .map(|cast| cast_form::view(cast, &request.context.public_url))
        .collect();
    let more = if page.next.is_some() { "+" } else { "" };
    let total = history.between(range.since, range.until).total();
    let span = range.words();
    let live = casts::counted(living);
    let most = deployment.settings.max_sessions;
    let enabled = all.iter().filter(|cast| on(cast, "enabled")).count();
    let median = total
        .start_percentile_millis(50)
        .map_or_else(|| "\u{2013}".to_owned(), wait);
    let mut costs = monthly_costs(zone, now, &history);
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
        charts: charts(zone, &range, &history),
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
