//! Owns what administrators do to sessions: stop them, extend them, tell their owners something;
//! one or many at once. Must not know the transitions of a session.

use std::collections::BTreeSet;

use crate::audit::{Action, Audit, FieldChange, RecordKind};
use crate::form::{FieldErrors, FieldParser, Form, TextType, line, parsed, whole};
use crate::ids::{CastId, SessionId};
use crate::image_form;
use crate::json_schema::SchemaBuilder;
use crate::queries::{SessionQuery, SessionsOf};
use crate::session::{ADDED_SECONDS, LONGEST_LIFE_SECONDS, Session, State};
use crate::time::Timestamp;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use crate::OnlyOnce;
use crate::admin::AdminService;
use crate::admin::error::AdminError;
use crate::admin::sessions::{self, SessionOrder, SessionsAsked, find};

/// The longest message to a visitor, in characters.
pub const MESSAGE_CHARS: usize = 300;
/// How many sessions are acted on at once at most.
pub const MOST_AT_ONCE: usize = 100;
/// How many are extended at once at most that have something in common.
const MOST_FOUND: usize = 500;
/// How many of them at the same time: each waits for its gate.
const ABREAST: usize = 20;

fn words() -> FieldParser<String> {
    line(1..=MESSAGE_CHARS)
}

fn document(input: &Value) -> Result<Form, FieldErrors> {
    Form::over(Map::new(), input, &[])
}

/// Ends a session; no effect on one that has ended. The document may contain a `reason`, which its
/// visitor reads.
pub async fn stop(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<Session, AdminError> {
    let reason = read_stop(&mut document(input)?)?;
    stop_for(service, id, reason).await
}

fn read_stop(form: &mut Form) -> Result<Option<String>, FieldErrors> {
    let reason = form.nullable("reason", words());
    form.finish()?;
    Ok(reason)
}

/// The JSON Schema of a stop.
pub fn stop_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_stop(form))
        .described(&[("reason", "What its visitor reads on the page of its end.")])
        .whole()
}

/// Ends a session with this reason.
pub(super) async fn stop_for(
    service: &AdminService<'_>,
    id: &str,
    reason: Option<String>,
) -> Result<Session, AdminError> {
    let before = find(service, id).await?;
    let session = service
        .control_plane
        .end_as_administrator(&before.id, reason.clone())
        .await?;
    if before.is_live() {
        log(
            service,
            Action::Ended,
            &session,
            reason.map(|said| ("reason", json!(said))),
        )
        .await?;
    }
    tracing::info!(actor.id = service.actor.id, session.id = %session.id, "Session {} was ended by an administrator", session.id);
    Ok(session)
}

/// Ends every live session of a cast and returns their number.
pub async fn end_all(service: &AdminService<'_>, cast: &CastId) -> Result<u32, AdminError> {
    let control_plane = service.control_plane;
    let oldest = control_plane
        .clock
        .now()
        .minus_seconds(LONGEST_LIFE_SECONDS);
    let query = SessionQuery {
        since: Some(oldest),
        ..SessionQuery::cast(cast)
    };
    let (mut ended, mut cursor) = (0, None);
    loop {
        let page = control_plane
            .store
            .sessions(&query, cursor.as_deref(), 100)
            .await?;
        for session in page.items.iter().filter(|session| session.is_live()) {
            control_plane
                .end_as_administrator(&session.id, None)
                .await?;
            log(service, Action::Ended, session, None).await?;
            ended += 1;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(ended),
        }
    }
}

/// Tells the owner of a session something: its viewer shows the text.
pub async fn message(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<Session, AdminError> {
    let text = read_message(&mut document(input)?)?;
    message_owner(service, id, &text).await
}

fn read_message(form: &mut Form) -> Result<String, FieldErrors> {
    let text = form.required("text", words());
    form.finish()?;
    Ok(text.unwrap_or_default())
}

/// The JSON Schema of a message.
pub fn message_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_message(form))
        .described(&[(
            "text",
            "Plain text on one line; the viewer shows it until it is closed.",
        )])
        .whole()
}

async fn message_owner(
    service: &AdminService<'_>,
    id: &str,
    text: &str,
) -> Result<Session, AdminError> {
    let before = find(service, id).await?;
    if !before.can_be_entered() || before.is_unassigned() {
        return Err(AdminError::conflict(
            "Only the visitor of a session that starts or runs can be told something.",
        ));
    }
    let session = service.control_plane.message_owner(before, text).await?;
    if session
        .message
        .as_ref()
        .is_none_or(|message| message.text != text)
    {
        return Err(AdminError::conflict("The session has ended meanwhile."));
    }
    log(
        service,
        Action::Messaged,
        &session,
        Some(("message", json!(text))),
    )
    .await?;
    Ok(session)
}

/// How an administrator extends a session.
struct Extend {
    minutes: u32,
    seen: Option<Timestamp>,
}

/// Extends a session by minutes, beyond what its link allows.
pub async fn extend(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
) -> Result<Session, AdminError> {
    let Extend { minutes, seen } = read_extend(&mut document(input)?)?;
    let before = find(service, id).await?;
    let once = OnlyOnce {
        seen,
        request: None,
    };
    extend_by(service, before, minutes, once).await
}

async fn extend_by(
    service: &AdminService<'_>,
    before: Session,
    minutes: u32,
    once: OnlyOnce<'_>,
) -> Result<Session, AdminError> {
    if let Some(request) = once.request
        && before.was_extended_by(request)
    {
        return Ok(before);
    }
    let State::Ready { ends_at, .. } = before.state else {
        return Err(AdminError::conflict(
            "Only a session that is ready can be extended.",
        ));
    };
    let (known, seconds) = (before.added_seconds, minutes * 60);
    if known + seconds > ADDED_SECONDS {
        let left = ADDED_SECONDS.saturating_sub(known) / 60;
        return Err(AdminError::conflict(format!(
            "Administrators extend one session by {} hours at most; {left} minutes are left.",
            ADDED_SECONDS / 3600
        )));
    }
    let session = service
        .control_plane
        .extend_as_administrator(before, seconds, once)
        .await?
        .map_err(|_| {
            AdminError::conflict(
                "Its end is not the one that you saw, or its time is up. Read it again.",
            )
        })?;
    let after = match session.state {
        State::Ready { ends_at, .. } => json!(ends_at.to_string()),
        _ => Value::Null,
    };
    let mut audit = plain(service, Action::Extended, &session);
    audit.changes.push(FieldChange {
        field: "ends_at".to_owned(),
        before: json!(ends_at.to_string()),
        after,
    });
    service.control_plane.store.add_audit(&audit).await?;
    Ok(session)
}

fn read_extend(form: &mut Form) -> Result<Extend, FieldErrors> {
    let minutes = form.required("minutes", whole(1..=u64::from(ADDED_SECONDS / 60)));
    let seen = form.nullable(
        "ends_at",
        parsed(|text| Timestamp::parse(text).ok_or_else(|| "must be a time.".to_owned())),
    );
    form.finish()?;
    Ok(Extend {
        minutes: minutes.unwrap_or_default(),
        seen,
    })
}

/// The JSON Schema of an extension.
pub fn extend_schema() -> Value {
    let ends = "When it ends as far as the caller knows. With it, a repeated request extends once; \
                it is refused (409) when the session ends at another time.";
    SchemaBuilder::of(|form| _ = read_extend(form))
        .described(&[("minutes", "By how many minutes."), ("ends_at", ends)])
        .whole()
}

/// What became of an action on one of several sessions.
pub struct Done {
    /// The session's id, as it was sent.
    pub id: String,
    /// Why nothing was done.
    pub problem: Option<String>,
}

/// Stops several sessions with one reason.
pub async fn stop_many(service: &AdminService<'_>, input: &Value) -> Result<Vec<Done>, AdminError> {
    let (ids, reason) = read_stop_many(&mut document(input)?)?;
    let stop = async |id: SessionId| {
        let result = stop_for(service, id.as_str(), reason.clone()).await;
        one(&id, result)
    };
    stream::iter(ids.into_iter().map(stop))
        .buffered(ABREAST)
        .try_collect()
        .await
}

/// Tells the owners of several sessions the same.
pub async fn message_many(
    service: &AdminService<'_>,
    input: &Value,
) -> Result<Vec<Done>, AdminError> {
    let (ids, text) = read_message_many(&mut document(input)?)?;
    let send = async |id: SessionId| {
        let result = message_owner(service, id.as_str(), &text).await;
        one(&id, result)
    };
    stream::iter(ids.into_iter().map(send))
        .buffered(ABREAST)
        .try_collect()
        .await
}

/// Which sessions are extended, and by how much.
struct ExtendMany {
    minutes: u32,
    ids: Vec<SessionId>,
    /// Those that have this in common, where none are named.
    found: Option<SessionsAsked>,
}

/// Extends several sessions: those that are named, or all that run of a link, of an image, or that
/// have these words, such as the label of invitations. A request under an idempotency key extends each
/// session once, however often it is sent.
///
/// # Errors
/// `Conflict` when more have them in common than are extended at once.
pub async fn extend_many(
    service: &AdminService<'_>,
    input: &Value,
) -> Result<Vec<Done>, AdminError> {
    let ExtendMany {
        minutes,
        ids,
        found,
    } = read_extend_many(&mut document(input)?)?;
    let ids = match found {
        None => ids,
        Some(asked) => running(service, &asked).await?,
    };
    let fingerprint = service.request_fingerprint();
    let extend = async |id: SessionId| {
        let extended = async {
            let before = find(service, id.as_str()).await?;
            let once = OnlyOnce {
                seen: None,
                request: fingerprint.as_deref(),
            };
            extend_by(service, before, minutes, once).await
        };
        one(&id, extended.await)
    };
    stream::iter(ids.into_iter().map(extend))
        .buffered(ABREAST)
        .try_collect()
        .await
}

/// The sessions that run and fit; of a pool, none.
async fn running(
    service: &AdminService<'_>,
    asked: &SessionsAsked,
) -> Result<Vec<SessionId>, AdminError> {
    let order = (SessionOrder::Claimed, false);
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    loop {
        let from = (after.as_deref(), MOST_FOUND);
        let found = sessions::ordered(service, asked, order, from).await?;
        let running = found.items.into_iter();
        let running = running.filter(|session| !session.is_unassigned());
        ids.extend(running.map(|session| session.id));
        if ids.len() > MOST_FOUND {
            return Err(AdminError::conflict(format!(
                "More than {MOST_FOUND} sessions fit: narrow them by a link, an image or words."
            )));
        }
        after = found.next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}

fn read_extend_many(form: &mut Form) -> Result<ExtendMany, FieldErrors> {
    let minutes = form.required("minutes", whole(1..=u64::from(ADDED_SECONDS / 60)));
    let ids = form.nullable("ids", ids());
    let cast = form.nullable("cast_id", parsed(read_cast));
    let image = form.nullable("image_id", parsed(image_form::read_id));
    let search = form.nullable("search", line(1..=100));
    let is_found = cast.is_some() || image.is_some() || search.is_some();
    match (&ids, is_found) {
        (None, false) => form.refuse(
            "ids",
            "is needed, or cast_id, image_id or search: what the sessions have in common.",
        ),
        (Some(_), true) => form.refuse("ids", "cannot be sent with cast_id, image_id or search."),
        _ => {}
    }
    form.finish()?;
    let found = is_found.then(|| SessionsAsked {
        query: SessionQuery {
            of: SessionsOf::Living,
            ..SessionQuery::default()
        },
        cast,
        image,
        is_live: Some(true),
        state: Some("ready"),
        search,
        ..SessionsAsked::default()
    });
    Ok(ExtendMany {
        minutes: minutes.unwrap_or_default(),
        ids: ids.unwrap_or_default(),
        found,
    })
}

fn read_cast(text: &str) -> Result<CastId, String> {
    CastId::parse(text).ok_or_else(|| "is not the id of a cast.".to_owned())
}

/// The JSON Schema of an extension of several sessions.
pub fn extend_many_schema() -> Value {
    let search = "All that run and have all of these words, as in the list of sessions: the name \
                  or the label of an invitation, for instance.";
    SchemaBuilder::of(|form| _ = read_extend_many(form))
        .described(&[
            ("minutes", "By how many minutes."),
            (
                "ids",
                "The sessions; or what they have in common, by the fields that follow.",
            ),
            ("cast_id", "All that run of this cast."),
            ("image_id", "All that run of this image."),
            ("search", search),
        ])
        .whole()
}

/// A refusal concerns one session, a fault all.
fn one(id: &SessionId, result: Result<Session, AdminError>) -> Result<Done, AdminError> {
    let problem = match result {
        Ok(_) => None,
        Err(AdminError::NotFound(detail) | AdminError::Conflict(detail)) => Some(detail),
        Err(AdminError::Denied(denial, _)) => Some(denial.code.title().to_owned()),
        Err(error) => return Err(error),
    };
    Ok(Done {
        id: id.to_string(),
        problem,
    })
}

fn ids() -> FieldParser<Vec<SessionId>> {
    let read = |value: &Value| {
        let items = value.as_array().ok_or("must be a list.")?;
        if !(1..=MOST_AT_ONCE).contains(&items.len()) {
            return Err(format!("must have 1 to {MOST_AT_ONCE} items."));
        }
        let parse = |item: &Value| item.as_str().and_then(SessionId::parse);
        let ids: Option<BTreeSet<SessionId>> = items.iter().map(parse).collect();
        let ids = ids.ok_or("must have ids of sessions only.")?;
        Ok(ids.into_iter().collect())
    };
    FieldParser::new(read, || {
        json!({
            "type": "array", "minItems": 1, "maxItems": MOST_AT_ONCE,
            "items": SessionId::SYNTAX.schema(),
        })
    })
}

fn read_stop_many(form: &mut Form) -> Result<(Vec<SessionId>, Option<String>), FieldErrors> {
    let ids = form.required("ids", ids());
    let reason = form.nullable("reason", words());
    form.finish()?;
    Ok((ids.unwrap_or_default(), reason))
}

fn read_message_many(form: &mut Form) -> Result<(Vec<SessionId>, String), FieldErrors> {
    let ids = form.required("ids", ids());
    let text = form.required("text", words());
    form.finish()?;
    Ok((ids.unwrap_or_default(), text.unwrap_or_default()))
}

/// The JSON Schema of a stop of several sessions.
pub fn stop_many_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_stop_many(form))
        .described(&[
            ("ids", "The sessions."),
            (
                "reason",
                "What their visitors read on the page of their end.",
            ),
        ])
        .whole()
}

/// The JSON Schema of a message to several sessions.
pub fn message_many_schema() -> Value {
    SchemaBuilder::of(|form| _ = read_message_many(form))
        .described(&[
            ("ids", "The sessions."),
            (
                "text",
                "Plain text on one line; their viewers show it until it is closed.",
            ),
        ])
        .whole()
}

/// What became of several sessions, as the API shows it.
pub fn view_done(done: &[Done]) -> Value {
    let items = done
        .iter()
        .map(|one| json!({ "id": one.id, "problem": one.problem }));
    json!({ "items": items.collect::<Vec<_>>() })
}

/// The JSON Schema of [`view_done`].
pub fn done_schema() -> Value {
    let item = crate::json_schema::object(json!({
        "id": SessionId::SYNTAX.schema(),
        "problem": {
            "type": ["string", "null"],
            "description": "Why nothing was done; null when it was.",
        },
    }));
    crate::json_schema::object(json!({ "items": { "type": "array", "items": item } }))
}

fn plain(service: &AdminService<'_>, action: Action, session: &Session) -> Audit {
    Audit::plain(
        &service.actor,
        action,
        RecordKind::Session,
        session.id.as_str(),
        &session.cast_name,
        service.control_plane.clock.now(),
        &*service.control_plane.entropy,
    )
}

/// Writes the audit entry for an action, with what was said with it.
async fn log(
    service: &AdminService<'_>,
    action: Action,
    session: &Session,
    said: Option<(&str, Value)>,
) -> Result<(), AdminError> {
    let mut audit = plain(service, action, session);
    audit.changes.extend(said.map(|(field, after)| FieldChange {
        field: field.to_owned(),
        before: Value::Null,
        after,
    }));
    Ok(service.control_plane.store.add_audit(&audit).await?)
}
