//! Owns the list of sessions, the page of one, and what can be done there. Must not know what the
//! verbs do.

use casting_core::admin::casts as cast_verbs;
use casting_core::admin::session_actions::{self as acts, MESSAGE_CHARS};
use casting_core::admin::sessions::{self as verbs, SessionOrder, SessionsAsked};
use casting_core::ids::{CastId, ImageId, Reference};
use casting_core::queries::{CastName, SessionQuery, SessionsOf};
use casting_core::resource::OptionSource;
use casting_core::session::Session;
use casting_web::{Reply, RequestError, reply};
use futures_util::{TryFutureExt, try_join};
use serde_json::{Value, json};

use super::claims::said;
use super::{ConsoleRequest, FlashMessage, messages, trail};
use crate::console::abuse;
use crate::console::cast_labels::{called, name_of, plural};
use crate::console::confirm::{self, Confirm, Line};
use crate::console::layout::{Place, Screen};
use crate::console::paths;
use crate::console::sessions::{self, SessionList, Typed};
use crate::console::table::View;
use crate::file;
use casting_web::HandlerError;

/// A day, in seconds.
const DAY: u64 = 86_400;
/// How many casts the list can be narrowed by.
const CASTS: u32 = 100;

pub(super) async fn list(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let view = request.view();
    let cast = CastId::parse(view.get("cast"));
    let is_live = match view.get("show") {
        "ended" => Some(false),
        "all" => None,
        _ => Some(true),
    };
    let states = ["reserved", "starting", "ready", "stopping", "ended"];
    let of = match (is_live, &cast) {
        (Some(true), _) => SessionsOf::Living,
        (_, Some(cast)) => SessionsOf::Cast(cast.clone()),
        (_, None) => SessionsOf::All,
    };
    let since = (is_live != Some(true)).then(|| request.context.now.minus_seconds(DAY));
    let asked = SessionsAsked {
        query: SessionQuery {
            of,
            since,
            until: None,
        },
        cast,
        image: ImageId::parse(view.get("image")),
        is_live,
        state: states.into_iter().find(|state| *state == view.get("state")),
        search: Some(view.get("search").to_owned()).filter(|search| !search.is_empty()),
        ..SessionsAsked::default()
    };
    let (sort, backwards) = view.sort();
    let order = SessionOrder::ALL.iter().find(|(_, name)| *name == sort);
    let order = order.map_or(SessionOrder::default(), |(order, _)| *order);
    let after = request.after();
    let store = &request.service.control_plane.store;
    let (found, casts, mut choices) = try_join!(
        verbs::ordered(
            &request.service,
            &asked,
            (order, backwards),
            (after.as_deref(), view.needed())
        )
        .err_into(),
        async { Ok(store.cast_names(CASTS).await?) },
        request.choices(),
    )?;
    // Only those on the page are read as a whole.
    let shown = &found.items[view.rows(found.items.len())];
    let shown = verbs::whole(&request.service, shown).await?;
    let views: Vec<Value> = shown.iter().map(verbs::view).collect();
    let cast = |cast: &CastName| (cast.id.to_string(), called(&cast.name, cast.key.as_str()));
    let list = SessionList {
        view,
        casts: casts.iter().map(cast).collect(),
        images: choices.remove(&OptionSource::Image).unwrap_or_default(),
        count: found.items.len(),
        next: found.next,
    };
    let mut screen = sessions::page(&request.context, &views, list);
    lead_to(request, &mut screen, &shown);
    Ok(request.show(&screen))
}

/// The viewer is redirected to the session's own origin.
fn lead_to(request: &ConsoleRequest<'_>, screen: &mut Screen, sessions: &[Session]) {
    let shared = sessions
        .iter()
        .filter(|session| session.is_live() && session.sharing.token.is_some());
    let urls = &request.service.control_plane.urls;
    screen.forms_lead_to = shared
        .filter_map(|session| urls.session_origin(&session.id))
        .collect();
}

pub(super) async fn show(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    page(request, &Typed::default()).await
}

async fn page(request: &ConsoleRequest<'_>, typed: &Typed) -> Result<Reply, HandlerError> {
    let session = verbs::find(&request.service, request.id).await?;
    let view = verbs::details(&request.service, &session).await?;
    let mut screen = sessions::one(&request.context, &view, said(&view), typed);
    if !typed.error.is_empty() {
        screen.status = http::StatusCode::UNPROCESSABLE_ENTITY;
    }
    lead_to(request, &mut screen, std::slice::from_ref(&session));
    Ok(request.show(&screen))
}

/// The page again, with what was typed and why it was not done.
async fn again(
    request: &ConsoleRequest<'_>,
    form: &'static str,
    value: &str,
    error: impl Into<HandlerError>,
) -> Result<Reply, HandlerError> {
    let found = messages(error)?;
    let typed = Typed {
        form,
        value: value.to_owned(),
        error: sentence(&found.errors),
    };
    page(request, &typed).await
}

fn sentence(errors: &[casting_core::form::FieldError]) -> String {
    let mut letters = errors.first().map_or("", |error| &error.detail).chars();
    let first = letters.next();
    first
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

pub(super) async fn message(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let text = request.form_data.first("text").unwrap_or_default();
    let sent = acts::message(&request.service, request.id, &json!({ "text": text })).await;
    match sent {
        Ok(session) => {
            let to = paths::session(session.id.as_str());
            request
                .redirect_with_flash(&to, FlashMessage::MessageSent, None)
                .await
        }
        Err(error) => again(request, "message", text, error).await,
    }
}

pub(super) async fn extend(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let minutes = request.form_data.first("minutes").unwrap_or_default();
    let number = minutes.trim().parse::<u64>();
    let number = number.map_or_else(|_| json!(minutes), |number| json!(number));
    let mut document = json!({ "minutes": number });
    if let Some(seen) = request.form_data.first("ends_at") {
        document["ends_at"] = json!(seen);
    }
    match acts::extend(&request.service, request.id, &document).await {
        Ok(session) => {
            let to = paths::session(session.id.as_str());
            request
                .redirect_with_flash(&to, FlashMessage::Extended, None)
                .await
        }
        Err(error) => again(request, "extend", minutes, error).await,
    }
}

/// The line for the reason of a stop.
fn reason(value: &str) -> Line {
    Line {
        name: "reason",
        label: "Reason (optional)".to_owned(),
        help: "The visitor reads it on the page that says that the session has ended.",
        value: value.to_owned(),
        most: MESSAGE_CHARS,
        is_required: false,
    }
}

fn stop_document(request: &ConsoleRequest<'_>) -> Value {
    let reason = request.form_data.first("reason").unwrap_or_default().trim();
    if reason.is_empty() {
        json!({})
    } else {
        json!({ "reason": reason })
    }
}

/// The abuse report of a session; `format=text`: as a file.
pub(super) async fn abuse(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let session = verbs::find(&request.service, request.id).await?;
    let view = verbs::view(&session);
    if request.visit.query("format") == Some("text") {
        let name = format!("abuse-{}.txt", Reference::of(&session.id));
        let text = abuse::report(&view);
        return Ok(file::attachment(&name, file::TEXT, text));
    }
    Ok(request.show(&abuse::page(&request.context, &view)))
}

pub(super) async fn ask_to_stop(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    ask_for_reason(request, "").await
}

async fn ask_for_reason(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, HandlerError> {
    let session = verbs::find(&request.service, request.id).await?;
    let view = verbs::view(&session);
    let home = paths::session(session.id.as_str());
    let mut trail = trail(Place::Sessions);
    let reference = view["reference"].as_str().unwrap_or_default();
    trail.push((format!("Session {reference}"), home.clone()));
    let happens = if session.is_live() {
        vec![
            format!("The session of {} ends now.", sessions::owner(&view)),
            "What is open in it is lost; persistent files are saved first.".to_owned(),
        ]
    } else {
        vec!["It has ended already.".to_owned()]
    };
    let page = Confirm {
        place: Place::Sessions,
        trail,
        title: "Stop this session?".into(),
        happens,
        uses: Vec::new(),
        action: paths::session_stop(session.id.as_str()),
        submit: "Stop the session".into(),
        cancel: home,
        choice: None,
        line: Some(reason(
            request.form_data.first("reason").unwrap_or_default(),
        )),
        kept: Vec::new(),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn stop(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let stopped = acts::stop(&request.service, request.id, &stop_document(request)).await;
    let session = match stopped {
        Ok(session) => session,
        Err(error) => {
            let refused = sentence(&messages(error)?.errors);
            return ask_for_reason(request, &refused).await;
        }
    };
    let pool = session.pooled.as_ref().filter(|_| session.is_unassigned());
    let to = pool.map_or_else(
        || paths::session(session.id.as_str()),
        |pooled| paths::staging(pooled.pool.as_str()),
    );
    request
        .redirect_with_flash(&to, FlashMessage::Stopping, None)
        .await
}

/// Asks what the selected sessions are told, or why they are stopped, and does it.
pub(super) async fn bulk(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let form = &request.form_data;
    let ids = request.selected("sessions", acts::MOST_AT_ONCE)?;
    let back = back(form.first("back"), paths::SESSIONS);
    let act = match form.first("act") {
        Some("message") => BulkAct::Message,
        Some("extend") => BulkAct::Extend,
        _ => BulkAct::Stop,
    };
    if form.first("confirmed").is_none() {
        return Ok(ask_for_many(request, &ids, back, act, ""));
    }
    let (service, ids_sent) = (&request.service, json!(ids));
    let done = match act {
        BulkAct::Message => {
            let text = form.first("text").unwrap_or_default();
            acts::message_many(service, &json!({ "ids": ids_sent, "text": text })).await
        }
        BulkAct::Extend => {
            let document = json!({ "ids": ids_sent, "minutes": minutes(request) });
            acts::extend_many(service, &document).await
        }
        BulkAct::Stop => {
            let mut document = stop_document(request);
            document["ids"] = ids_sent;
            acts::stop_many(service, &document).await
        }
    };
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            let refused = sentence(&messages(error)?.errors);
            return Ok(ask_for_many(request, &ids, back, act, &refused));
        }
    };
    let outcome = match (done.iter().all(|one| one.problem.is_none()), act) {
        (false, _) => FlashMessage::SomeNot,
        (true, BulkAct::Message) => FlashMessage::MessageSent,
        (true, BulkAct::Extend) => FlashMessage::ExtendedAll,
        (true, BulkAct::Stop) => FlashMessage::StoppingAll,
    };
    request.redirect_with_flash(back, outcome, None).await
}

/// What is done to several sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BulkAct {
    Message,
    Extend,
    Stop,
}

/// The minutes of the form, as the API takes them; what is no number is said to be none.
fn minutes(request: &ConsoleRequest<'_>) -> Value {
    let typed = request.form_data.first("minutes").unwrap_or_default();
    let number = typed.trim().parse::<u64>();
    number.map_or_else(|_| json!(typed), |number| json!(number))
}

/// The line for the minutes of an extension.
fn minutes_line(request: &ConsoleRequest<'_>) -> Line {
    let typed = request.form_data.first("minutes").unwrap_or("15");
    Line {
        name: "minutes",
        label: "By how many minutes".to_owned(),
        help: "Beyond what their links allow, up to a day for each session in all. It counts in \
               budgets.",
        value: typed.to_owned(),
        most: 4,
        is_required: true,
    }
}

fn ask_for_many(
    request: &ConsoleRequest<'_>,
    ids: &[&str],
    back: &str,
    act: BulkAct,
    refused: &str,
) -> Reply {
    let count = plural(ids.len() as u64, "session", "sessions");
    let form = &request.form_data;
    let mut kept: Vec<(&str, String)> = ids.iter().map(|id| ("id", (*id).to_owned())).collect();
    let word = match act {
        BulkAct::Message => "message",
        BulkAct::Extend => "extend",
        BulkAct::Stop => "stop",
    };
    kept.push(("act", word.to_owned()));
    kept.push(("confirmed", "true".to_owned()));
    kept.push(("back", back.to_owned()));
    kept.push(request.key_to_send());
    let text = Line {
        name: "text",
        label: "Text".to_owned(),
        help: "Plain text. The viewers show it until it is closed.",
        value: form.first("text").unwrap_or_default().to_owned(),
        most: MESSAGE_CHARS,
        is_required: true,
    };
    let (title, happens, submit, line) = match act {
        BulkAct::Message => (
            format!("Send a message to {count}"),
            "Every visitor of these sessions sees it at once.",
            "Send",
            text,
        ),
        BulkAct::Extend => (
            format!("Extend {count}"),
            "Those that are ready end later. Their visitors see the new end at once.",
            "Extend",
            minutes_line(request),
        ),
        BulkAct::Stop => (
            format!("Stop {count}?"),
            "They end now. What is open in them is lost; persistent files are saved first.",
            "Stop them",
            reason(form.first("reason").unwrap_or_default()),
        ),
    };
    let page = Confirm {
        place: Place::Sessions,
        trail: trail(Place::Sessions),
        title,
        happens: vec![happens.to_owned()],
        uses: Vec::new(),
        action: paths::BULK_SESSIONS.to_owned(),
        submit: submit.to_owned(),
        cancel: back.to_owned(),
        choice: None,
        line: Some(line),
        kept,
        refused: refused.to_owned(),
        version: None,
    };
    request.show(&confirm::page(&request.context, &page))
}

/// What the sessions have in common, by the parameters of the list: as it was sent with the form, or
/// as it stands in the address.
fn in_common<'a>(request: &'a ConsoleRequest<'_>) -> Vec<(&'static str, &'a str)> {
    let sent = |name: &str| {
        let value = request.form_data.first(name);
        let value = value.or_else(|| request.visit.query(name));
        value.map(str::trim).filter(|value| !value.is_empty())
    };
    let names = ["cast", "image", "search"];
    let named = names.into_iter().map(|name| (name, sent(name)));
    named
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

pub(super) async fn ask_to_extend(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    ask_by_how_much(request, "").await
}

async fn ask_by_how_much(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, HandlerError> {
    let common = in_common(request);
    let value = |name: &str| {
        let found = common.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    let mut of = Vec::new();
    if let Some(id) = value("cast") {
        let cast = cast_verbs::find(&request.service, id).await?;
        of.push(format!(
            "of the cast \u{201c}{}\u{201d}",
            cast.settings.name
        ));
    }
    if let Some(id) = value("image") {
        let choices = request.choices().await?;
        let name = name_of(&choices, OptionSource::Image, id);
        of.push(format!("of the image {name}"));
    }
    if let Some(words) = value("search") {
        of.push(format!("with \u{201c}{words}\u{201d}"));
    }
    if of.is_empty() {
        let detail = "Narrow the list of sessions first.";
        return Err(HandlerError::request(RequestError::BadRequest, detail));
    }
    let cancel = View::of(paths::SESSIONS, &[]).with(&common);
    let kept = common
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let page = Confirm {
        place: Place::Sessions,
        trail: trail(Place::Sessions),
        title: "Extend all running sessions".into(),
        happens: vec![
            format!("All sessions {} that are ready end later.", of.join(", ")),
            "Their visitors see the new end at once.".to_owned(),
        ],
        uses: Vec::new(),
        action: paths::EXTEND_SESSIONS.to_owned(),
        submit: "Extend them".into(),
        cancel,
        choice: None,
        line: Some(minutes_line(request)),
        kept: kept.chain([request.key_to_send()]).collect(),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn extend_found(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let common = in_common(request);
    let mut document = json!({ "minutes": minutes(request) });
    for (name, value) in &common {
        let field = match *name {
            "cast" => "cast_id",
            "image" => "image_id",
            other => other,
        };
        document[field] = json!(value);
    }
    let done = match acts::extend_many(&request.service, &document).await {
        Ok(done) => done,
        Err(error) => {
            let refused = sentence(&messages(error)?.errors);
            return ask_by_how_much(request, &refused).await;
        }
    };
    if done.is_empty() {
        return ask_by_how_much(request, "No session of these is ready.").await;
    }
    let outcome = if done.iter().all(|one| one.problem.is_none()) {
        FlashMessage::ExtendedAll
    } else {
        FlashMessage::SomeNot
    };
    let back = View::of(paths::SESSIONS, &[]).with(&common);
    request.redirect_with_flash(&back, outcome, None).await
}

/// The view of the list that a form came from; only of this list.
pub(super) fn back<'a>(sent: Option<&'a str>, list: &'static str) -> &'a str {
    let is_ours = |to: &&str| {
        let rest = to.strip_prefix(list);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
            && to.bytes().all(|b| b.is_ascii_graphic())
    };
    sent.filter(is_ours).unwrap_or(list)
}

pub(super) async fn unshare(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let session = verbs::unshare(&request.service, request.id).await?;
    request
        .redirect_with_flash(
            &paths::session(session.id.as_str()),
            FlashMessage::Unshared,
            None,
        )
        .await
}

pub(super) async fn watch(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::see_other(
        &verbs::watch(&request.service, request.id).await?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_leads_back_only_to_its_own_list() {
        for (sent, expected) in [
            (None, "/admin/sessions"),
            (Some("/admin/sessions?search=x"), "/admin/sessions?search=x"),
            (Some("/admin/sessionsx"), "/admin/sessions"),
            (Some("//evil.example"), "/admin/sessions"),
            (Some("/admin/sessions?a\r\nb"), "/admin/sessions"),
        ] {
            assert_eq!(back(sent, paths::SESSIONS), expected, "{sent:?}");
        }
    }
}
