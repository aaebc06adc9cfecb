//! Owns what administrators see of sessions, and what they can do with them. Must not know how a session moves.

use crate::audit::{Action, RecordKind};
use crate::excerpt::Speaker;
use crate::form::Spelled;
use crate::ids::{CastId, CastKey, GroupId, ImageId, Reference, SessionId, StagingId, UserId};
use crate::json_schema;
use crate::listing::SessionQuery;
use crate::permission::Permission;
use crate::ports::Page;
use crate::session::{EndReason, Owner, PoolRole, Session, State};
use crate::time::Timestamp;
use serde_json::{Value, json};

use crate::admin::error::AdminError;
use crate::admin::{AdminService, filtered};

/// No session is live for longer than this, in seconds: the longest start, the longest time limit, and a day for what may come between.
const LONGEST_LIFE: u64 = 1800 + 604_800 + 86_400;

/// Which sessions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionsAsked {
    /// Of whom, and when.
    pub query: SessionQuery,
    /// Only those of this cast, where the query is not the cast's already.
    pub cast: Option<CastId>,
    /// Only those that live, or that have ended.
    pub is_live: Option<bool>,
    /// Only those of which this became.
    pub outcome: Option<Outcome>,
}

impl SessionsAsked {
    fn fits(&self, session: &Session) -> bool {
        self.cast
            .as_ref()
            .is_none_or(|cast| session.cast_id == *cast)
            && self
                .outcome
                .is_none_or(|outcome| outcome == Outcome::of(session))
            && self
                .is_live
                .is_none_or(|is_live| session.is_live() == is_live)
    }
}

/// A page of sessions. It may be shorter than asked for although more follow.
pub async fn list(
    service: &AdminService<'_>,
    asked: &SessionsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Session>, AdminError> {
    let store = &service.control_plane.store;
    let read = |after: Option<String>, wanted| async move {
        store.sessions(&asked.query, after.as_deref(), wanted).await
    };
    filtered::page(cursor, limit, read, |session| asked.fits(session)).await
}

/// One session.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Session, AdminError> {
    service
        .control_plane
        .store
        .session(&parse_id(id)?)
        .await?
        .ok_or_else(no_such_session)
}

/// Ends a session; one that has ended is left as it is.
pub async fn stop(service: &AdminService<'_>, id: &str) -> Result<Session, AdminError> {
    let before = find(service, id).await?;
    let session = service
        .control_plane
        .end_as_administrator(&before.id)
        .await?;
    if before.is_live() {
        service
            .tell(
                Action::Ended,
                RecordKind::Session,
                session.id.as_str(),
                &session.cast_name,
            )
            .await?;
    }
    tracing::info!(actor.id = service.actor.id, session.id = %session.id, "Session {} was ended by an administrator", session.id);
    Ok(session)
}

/// Takes a session's share link back; one that is not shared is left as it is.
pub async fn unshare(service: &AdminService<'_>, id: &str) -> Result<Session, AdminError> {
    let before = find(service, id).await?;
    let session = service.control_plane.unshare(&before.id).await?;
    if before.sharing.token.is_some() {
        service
            .tell(
                Action::Unshared,
                RecordKind::Session,
                session.id.as_str(),
                &session.cast_name,
            )
            .await?;
    }
    Ok(session)
}

/// Where the administrator enters a session that is shared, to watch it.
pub async fn watch(service: &AdminService<'_>, id: &str) -> Result<String, AdminError> {
    let session = find(service, id).await?;
    if session.sharing.token.is_none() || !matches!(session.state, State::Ready { .. }) {
        return Err(AdminError::conflict(
            "Only a session that is ready and shared can be watched.",
        ));
    }
    let url = service
        .control_plane
        .watch_as_administrator(&session.id, &service.actor.name)
        .await?;
    service
        .tell(
            Action::Watched,
            RecordKind::Session,
            session.id.as_str(),
            &session.cast_name,
        )
        .await?;
    Ok(url)
}

/// Ends every live session of a cast and says how many there were.
pub async fn end_all(service: &AdminService<'_>, cast: &CastId) -> Result<u32, AdminError> {
    let control_plane = service.control_plane;
    let oldest = control_plane.clock.now().minus_seconds(LONGEST_LIFE);
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
            control_plane.end_as_administrator(&session.id).await?;
            service
                .tell(
                    Action::Ended,
                    RecordKind::Session,
                    session.id.as_str(),
                    &session.cast_name,
                )
                .await?;
            ended += 1;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(ended),
        }
    }
}

fn parse_id(text: &str) -> Result<SessionId, AdminError> {
    SessionId::parse(text).ok_or_else(no_such_session)
}

fn no_such_session() -> AdminError {
    AdminError::not_found("There is no such session.")
}

/// What became of a claim that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its session lives.
    Live,
    /// The visitor had the session.
    Served,
    /// The visitor never got it, and the charge was given back.
    Refunded,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Live, Self::Served, Self::Refunded];

    /// What became of this one.
    pub const fn of(session: &Session) -> Self {
        match session.state {
            State::Ended { refunded: true, .. } => Self::Refunded,
            State::Ended {
                refunded: false, ..
            } => Self::Served,
            _ => Self::Live,
        }
    }

    /// The outcome as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Served => "served",
            Self::Refunded => "refunded",
        }
    }

    /// Reads an outcome; `None` when there is none of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

/// A session as the API shows it, which is also a claim's entry in the ledger.
pub fn view(session: &Session) -> Value {
    let times = Times::of(&session.state);
    let reason = reason_of(&session.state);
    let of_cast = !session.is_unassigned();
    json!({
        "id": session.id,
        "reference": Reference::of(&session.id),
        "state": session.state.as_str(),
        "outcome": Outcome::of(session).as_str(),
        "reason": reason.map(EndReason::as_str),
        "detail": reason.and_then(detail_of),
        "cast_id": of_cast.then_some(&session.cast_id),
        "cast_key": of_cast.then_some(&session.cast_key),
        "cast_name": of_cast.then_some(&session.cast_name),
        "image_id": session.launch.image_id,
        "image_name": session.launch.image_name,
        "owner": owner(&session.owner),
        "referrer": session.origin.referrer,
        "address_hash": session.origin.address,
        "counted": session.charge.count.is_some(),
        "permissions": session.grant.permissions,
        "network": session.launch.network.as_ref().map(|network| &network.name),
        "kasm_url": session.launch.kasm_url,
        "go_url": session.go.as_ref().map(|go| &go.url),
        "notes": session.notes,
        "said": session.said.iter().map(|excerpt| json!({ "by": excerpt.by.as_str(), "text": excerpt.text })).collect::<Vec<_>>(),
        "log_url": null,
        "shared": session.sharing.token.is_some(),
        "pool": session.pooled.as_ref().map(|pooled| json!({ "id": pooled.pool, "place": pooled.role.as_str(), "name": session.is_unassigned().then_some(&session.cast_name) })),
        "task": session.task.as_ref().map(|task| json!({ "arn": task.arn, "status": task.status })),
        "created_at": session.created_at.to_string(),
        "ready_by": session.ready_by.to_string(),
        "ready_at": session.ready_at.map(|time| time.to_string()),
        "entered_at": session.entered_at.map(|time| time.to_string()),
        "ends_at": times.ends_at.map(|time| time.to_string()),
        "ended_at": times.ended_at.map(|time| time.to_string()),
    })
}

/// The same, with where its log is.
pub fn view_of(service: &AdminService<'_>, session: &Session) -> Value {
    let mut view = view(session);
    view["log_url"] = json!(service.control_plane.launcher.log_url(session));
    view
}

/// What JSON Schema says of [`view`].
pub fn schema() -> Value {
    let (time, maybe) = (json_schema::time(), || {
        json_schema::nullable(json_schema::time())
    });
    let text = || json!({ "type": "string" });
    let or_null = || json!({ "type": ["string", "null"] });
    let states = ["reserved", "starting", "ready", "stopping", "ended"];
    let task = json!({
        "type": ["object", "null"], "description": "The ECS task.", "required": ["arn", "status"],
        "properties": { "arn": text(), "status": { "type": "string", "enum": ["provisioning", "pending", "running", "stopping", "stopped"] } },
    });
    let reasons = EndReason::WORDS
        .map(Value::from)
        .into_iter()
        .chain([Value::Null])
        .collect::<Vec<_>>();
    json_schema::object(json!({
        "id": SessionId::SPELLING.schema(),
        "reference": Reference::SPELLING.schema(),
        "state": { "type": "string", "enum": states },
        "outcome": { "type": "string", "enum": Outcome::ALL.map(Outcome::as_str), "description": "What became of the claim; refunded when its visitor never got the session." },
        "reason": { "type": ["string", "null"], "enum": reasons, "description": "Why it ended, or is ending." },
        "detail": or_null(),
        "cast_id": json_schema::nullable(CastId::SPELLING.schema()),
        "cast_key": json_schema::nullable(CastKey::SPELLING.schema()),
        "cast_name": { "type": ["string", "null"], "description": "Null, as the link's id and key are, while the session waits in a pool." },
        "image_id": ImageId::SPELLING.schema(),
        "image_name": text(),
        "owner": owner_schema(),
        "referrer": { "type": ["string", "null"], "description": "The host that the visitor came from." },
        "address_hash": { "type": "string", "description": "The same for every claim from one address." },
        "counted": { "type": "boolean", "description": "Whether it took one of the link's sessions." },
        "permissions": { "type": "array", "items": { "type": "string", "enum": Permission::ALL.map(Permission::as_str) } },
        "network": or_null(),
        "kasm_url": or_null(),
        "go_url": or_null(),
        "notes": { "type": "array", "items": text(), "description": "What was asked for and not given, and what became of its profile." },
        "said": said_schema(),
        "log_url": { "type": ["string", "null"], "description": "Where CloudWatch's console shows its log." },
        "shared": { "type": "boolean" },
        "pool": pool_schema(),
        "task": task,
        "created_at": time,
        "ready_by": json_schema::time(),
        "ready_at": maybe(),
        "entered_at": maybe(),
        "ends_at": maybe(),
        "ended_at": maybe(),
    }))
}

fn said_schema() -> Value {
    let by = Speaker::ALL.map(Speaker::as_str);
    json!({
        "type": "array",
        "description": "The last lines of its app when that ended by itself, of commands that failed, and what ECS said of the container beside.",
        "items": { "type": "object", "required": ["by", "text"], "properties": { "by": { "type": "string", "enum": by }, "text": { "type": "string" } } },
    })
}

fn pool_schema() -> Value {
    let places = [PoolRole::Waiting, PoolRole::Assigned, PoolRole::Missed].map(PoolRole::as_str);
    json!({
        "type": ["object", "null"], "required": ["id", "place", "name"],
        "description": "The pool that it waits in, was taken from, or would have been taken from had one been ready.",
        "properties": { "id": StagingId::SPELLING.schema(), "place": { "type": "string", "enum": places }, "name": { "type": ["string", "null"], "description": "What it is called, while the session waits." } },
    })
}

fn owner_schema() -> Value {
    let id = || UserId::SPELLING.schema();
    let kind = |kind: &str| json!({ "const": kind });
    let group = json_schema::nullable(GroupId::SPELLING.schema());
    let anonymous = json!({ "kind": kind("anonymous"), "id": id(), "group_id": group, "expires_at": json_schema::nullable(json_schema::time()) });
    let user = json!({ "kind": kind("user"), "id": id(), "name": { "type": "string" } });
    json!({ "oneOf": [json_schema::object(anonymous), json_schema::object(user), json_schema::object(json!({ "kind": kind("forgotten") })), json_schema::object(json!({ "kind": kind("nobody") }))] })
}

/// Who a session belongs to: `anonymous`, `user`, `forgotten`, or `nobody` while it waits in a pool.
fn owner(owner: &Owner) -> Value {
    match owner {
        Owner::Anonymous {
            id,
            group,
            expires_at,
        } => {
            json!({ "kind": "anonymous", "id": id, "group_id": group, "expires_at": expires_at.map(|time| time.to_string()) })
        }
        Owner::User { id, name } => json!({ "kind": "user", "id": id, "name": name }),
        Owner::Anonymised => json!({ "kind": "forgotten" }),
        Owner::Unassigned => json!({ "kind": "nobody" }),
    }
}

#[derive(Default)]
struct Times {
    ends_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Times {
    fn of(state: &State) -> Self {
        match state {
            State::Ready { ends_at, .. } => Self {
                ends_at: Some(*ends_at),
                ended_at: None,
            },
            State::Ended { at, .. } => Self {
                ended_at: Some(*at),
                ..Self::default()
            },
            State::Reserved | State::Starting | State::Stopping { .. } => Self::default(),
        }
    }
}

/// Why it ended, or is ending.
pub fn reason_of(state: &State) -> Option<&EndReason> {
    match state {
        State::Stopping { reason, .. } | State::Ended { reason, .. } => Some(reason),
        State::Reserved | State::Starting | State::Ready { .. } => None,
    }
}

fn detail_of(reason: &EndReason) -> Option<String> {
    match reason {
        EndReason::TaskStopped {
            detail,
            exit_code: Some(code),
        } => Some(format!("{detail} (exit code {code})").trim().to_owned()),
        EndReason::TaskStopped {
            detail,
            exit_code: None,
        }
        | EndReason::StartRefused { detail } => Some(detail.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::excerpt::Excerpt;
    use crate::session::{Endpoint, TaskRef, TaskStatus};
    use crate::testing::{NOON, cast, session};

    use super::*;

    fn starting() -> Session {
        let task = TaskRef {
            arn: "arn:1".into(),
            status: TaskStatus::Pending,
            version: 1,
        };
        session(&cast(1), 1).started(task).expect("was reserved")
    }

    fn ready() -> Session {
        starting()
            .ready(
                Endpoint {
                    host: "10.0.0.1".into(),
                    port: 8080,
                },
                NOON.plus_seconds(30),
            )
            .expect("was starting")
    }

    #[test]
    fn session_view_shows_state_and_claim_outcome() {
        let stopped = EndReason::TaskStopped {
            detail: "EssentialContainerExited".into(),
            exit_code: Some(1),
        };
        let refused = EndReason::StartRefused {
            detail: "No such image".into(),
        };
        for (name, session, expected) in [
            (
                "reserved",
                session(&cast(1), 1),
                ["reserved", "live", "", ""],
            ),
            ("starting", starting(), ["starting", "live", "", ""]),
            ("ready", ready(), ["ready", "live", "", ""]),
            (
                "stopping",
                ready().stopping(EndReason::Owner, NOON).expect("is live"),
                ["stopping", "live", "ended-by-owner", ""],
            ),
            (
                "served",
                ready().ended(stopped.clone(), NOON).expect("is live"),
                [
                    "ended",
                    "served",
                    "task-stopped",
                    "EssentialContainerExited (exit code 1)",
                ],
            ),
            (
                "never ready",
                starting().ended(stopped, NOON).expect("is live"),
                [
                    "ended",
                    "refunded",
                    "task-stopped",
                    "EssentialContainerExited (exit code 1)",
                ],
            ),
            (
                "refused",
                session(&cast(1), 1).ended(refused, NOON).expect("is live"),
                ["ended", "refunded", "start-refused", "No such image"],
            ),
        ] {
            let view = view(&session);
            let shown = ["state", "outcome", "reason", "detail"]
                .map(|field| view[field].as_str().unwrap_or_default());
            assert_eq!(shown, expected, "{name}");
        }
    }

    #[test]
    fn session_view_shows_the_apps_last_output() {
        let excerpt = Excerpt::of(Speaker::App, "no such file\n").expect("a line");
        let view = view(&ready().heard(excerpt).expect("is new"));
        assert_eq!(
            view["said"],
            json!([{ "by": "app", "text": "no such file" }])
        );
        for speaker in Speaker::ALL {
            assert_eq!(json!(speaker), speaker.as_str(), "as it is stored");
        }
    }

    #[test]
    fn session_view_hides_secrets() {
        let text = view(&ready()).to_string();
        for word in ["10.0.0.1", "environment", "MOOD", "secret"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(
            text.contains("2026-11-23T12:00:30Z") && text.contains("2026-11-23T13:00:30Z"),
            "{text}"
        );
    }
}
