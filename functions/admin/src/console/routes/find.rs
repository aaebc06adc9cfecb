//! Owns the search over everything: a reference leads to its claim, an id or a name to its
//! page. Must not know how anything is stored.

use casting_core::admin::casts::{self as cast_verbs, CastsAsked};
use casting_core::admin::claims::{self as claim_verbs, ClaimsAsked, ClaimsOf};
use casting_core::admin::sessions::{self as session_verbs, SessionOrder, SessionsAsked};
use casting_core::ids::{CastId, Reference, SessionId};
use casting_core::image::Image;
use casting_core::queries::{SessionQuery, SessionsOf};
use casting_web::{Reply, reply};
use futures_util::{TryFutureExt, try_join};
use http::StatusCode;
use serde_json::{Value, json};

use super::ConsoleRequest;
use crate::console::cast_labels::called;
use crate::console::find::{self, Found, FoundReference};
use crate::console::{history, paths, sessions};
use casting_web::HandlerError;

/// How many of a kind are found at most.
const MOST: usize = 8;

/// The page, or for the command bar's script the same as a document. One single reference of a
/// session leads to its page at once.
pub(super) async fn show(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let asked = request.visit.query("q").unwrap_or_default().trim();
    let reference = Reference::parse(asked);
    let found_reference = match &reference {
        Some(reference) => by_reference(request, reference).await?,
        None => None,
    };
    if request.visit.query("format") == Some("json") {
        // A reference is no word that something else has in its name.
        let found = match &found_reference {
            Some(found) => found.places(),
            None => by_words(request, asked).await?,
        };
        let items = found
            .iter()
            .map(|one| json!({ "kind": one.kind, "name": one.name, "href": one.href }));
        let document = json!({ "items": items.collect::<Vec<_>>() });
        return Ok(reply::json(StatusCode::OK, &document));
    }
    if let Some(id) = SessionId::parse(asked) {
        return Ok(reply::see_other(&paths::session(id.as_str())));
    }
    if let Some(id) = CastId::parse(asked) {
        return Ok(reply::see_other(&paths::cast(id.as_str())));
    }
    let found = match &found_reference {
        Some(_) => Vec::new(),
        None => by_words(request, asked).await?,
    };
    let page = find::page(&request.context, asked, found_reference.as_ref(), &found);
    Ok(request.show(&page))
}

/// What a reference that a visitor quotes leads to: the session, or the refusal and its link.
async fn by_reference(
    request: &ConsoleRequest<'_>,
    reference: &Reference,
) -> Result<Option<FoundReference>, HandlerError> {
    let now = request.context.now;
    let (since, until) = (now.minus_seconds(90 * 86_400), now.plus_seconds(1));
    let asked = ClaimsAsked {
        reference: Some(reference.clone()),
        ..ClaimsAsked::between(ClaimsOf::All, since, until)
    };
    let claims = claim_verbs::list(&request.service, &asked, None, 10).await?;
    let mut found = FoundReference {
        reference: reference.to_string(),
        sessions: Vec::new(),
        refusals: Vec::new(),
    };
    for session in &claims.accepted.items {
        found.sessions.push(session_verbs::view(session));
    }
    for row in &claims.refused {
        let Some(sample) = row.samples.first() else {
            continue;
        };
        let cast = match &row.cast_id {
            Some(id) => request.service.control_plane.store.cast(id).await?,
            None => None,
        };
        let cast = cast.map(|cast| {
            let settings = &cast.settings;
            let name = called(&settings.name, settings.key.as_str());
            (name, cast.id.to_string())
        });
        found
            .refusals
            .push((sample.at, history::reason(&row.code), cast));
    }
    let is_found = !found.sessions.is_empty() || !found.refusals.is_empty();
    Ok(is_found.then_some(found))
}

/// Casts, live sessions, images and pages whose names fit.
async fn by_words(request: &ConsoleRequest<'_>, asked: &str) -> Result<Vec<Found>, HandlerError> {
    let mut found = find::pages(&request.context, asked);
    if asked.is_empty() {
        return Ok(found);
    }
    let casts = CastsAsked {
        search: Some(asked.to_owned()),
        ..CastsAsked::default()
    };
    let living = SessionsAsked {
        query: SessionQuery {
            of: SessionsOf::Living,
            ..SessionQuery::default()
        },
        is_live: Some(true),
        search: Some(asked.to_owned()),
        ..SessionsAsked::default()
    };
    let order = SessionOrder::default();
    let (casts, living, images) = try_join!(
        cast_verbs::list(&request.service, &casts, None, MOST as u32).err_into(),
        session_verbs::ordered(&request.service, &living, (order, false), (None, MOST)).err_into(),
        async {
            let store = &request.service.control_plane.store;
            Ok::<_, HandlerError>(store.all_records::<Image>().await?)
        },
    )?;
    found.extend(casts.items.iter().map(|cast| {
        let settings = &cast.settings;
        Found {
            kind: "Cast",
            name: called(&settings.name, settings.key.as_str()),
            href: paths::cast(cast.id.as_str()),
        }
    }));
    let shown: Vec<_> = living.items.into_iter().take(MOST).collect();
    let shown = session_verbs::whole(&request.service, &shown).await?;
    found.extend(shown.iter().map(|session| {
        let view: Value = session_verbs::view(session);
        let reference = view["reference"].as_str().unwrap_or_default();
        Found {
            kind: "Session",
            name: format!("{reference}, {}", sessions::owner(&view)),
            href: paths::session(session.id.as_str()),
        }
    }));
    let wanted = asked.to_lowercase();
    let fits = |image: &&Image| image.settings.name.to_lowercase().contains(&wanted);
    found.extend(images.iter().filter(fits).take(MOST).map(|image| Found {
        kind: "Image",
        name: image.settings.name.clone(),
        href: paths::image(image.id.as_str()),
    }));
    Ok(found)
}
