//! Owns the sessions of the API: how they are shown, listed and ended by an administrator. Must not know how a session moves.

use casting_core::Casting;
use casting_core::ids::{CastId, Reference, SessionId};
use casting_core::ports::{Launcher, Store};
use casting_core::session::{EndReason, Owner, Session, State};
use casting_core::time::Timestamp;
use casting_web::{Mistake, Problem, Reply, reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::casts;
use crate::failure::Failure;
use crate::paging::{self, Paging};

/// No session is live for longer than this, in seconds: the longest start, the longest time limit, and a day for what may come between.
const LONGEST_LIFE: u64 = 1800 + 604_800 + 86_400;

/// All sessions, or with `?cast=` those of one cast; the newest first, a page at a time.
pub(crate) async fn list<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let cast = match call.visit.query("cast") {
        None => None,
        Some(text) => Some(casts::parse_id(&text).map_err(|_| Problem::new(Mistake::BadRequest).detail("That is not the id of a cast."))?),
    };
    let page = paging.checked(call.casting.store.sessions(cast.as_ref(), paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, view))
}

/// One session.
pub(crate) async fn read<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let session = call.casting.store.session(&parse_id(call.id)?).await?.ok_or_else(no_such_session)?;
    Ok(reply::json(StatusCode::OK, &view(&session)))
}

/// Ends a session; one that has ended is left as it is.
pub(crate) async fn stop<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let session = call.casting.end_as_administrator(&parse_id(call.id)?).await?;
    tracing::info!(api_key.id = %call.administrator, session.id = %session.id, "Session {} was ended by an administrator", session.id);
    Ok(reply::json(StatusCode::OK, &view(&session)))
}

/// Ends every live session of a cast and says how many there were.
pub(crate) async fn end_all<S: Store, L: Launcher>(casting: &Casting<S, L>, cast: &CastId) -> Result<u32, Failure> {
    let oldest = casting.clock.now().minus_seconds(LONGEST_LIFE);
    let (mut ended, mut cursor) = (0, None);
    loop {
        let page = casting.store.sessions(Some(cast), cursor.as_deref(), 100).await?;
        for session in page.items.iter().filter(|session| session.is_live()) {
            casting.end_as_administrator(&session.id).await?;
            ended += 1;
        }
        let all_older_are_over = page.items.last().is_some_and(|session| session.created_at < oldest);
        match page.next {
            Some(next) if !all_older_are_over => cursor = Some(next),
            _ => return Ok(ended),
        }
    }
}

fn parse_id(text: &str) -> Result<SessionId, Failure> {
    SessionId::parse(text).ok_or_else(no_such_session)
}

fn no_such_session() -> Failure {
    Failure::not_found("There is no such session.")
}

/// A session as the API shows it, which is also a claim's entry in the ledger.
pub(crate) fn view(session: &Session) -> Value {
    let times = Times::of(&session.state);
    let reason = reason_of(&session.state);
    json!({
        "id": session.id,
        "reference": Reference::of(&session.id),
        "state": session.state.as_str(),
        "outcome": outcome_of(session),
        "reason": reason.map(EndReason::as_str),
        "detail": reason.and_then(detail_of),
        "cast_id": session.cast_id,
        "cast_key": session.cast_key,
        "cast_name": session.cast_name,
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
        "task": session.task.as_ref().map(|task| json!({ "arn": task.arn, "status": task.status })),
        "created_at": session.created_at.to_string(),
        "ready_by": session.ready_by.to_string(),
        "ready_at": times.ready_at.map(|time| time.to_string()),
        "ends_at": times.ends_at.map(|time| time.to_string()),
        "ended_at": times.ended_at.map(|time| time.to_string()),
    })
}

/// Who a session belongs to: `anonymous`, `user` or `forgotten`.
fn owner(owner: &Owner) -> Value {
    match owner {
        Owner::Anonymous { id, group, expires_at } => {
            json!({ "kind": "anonymous", "id": id, "group_id": group, "expires_at": expires_at.map(|time| time.to_string()) })
        }
        Owner::User { id, name } => json!({ "kind": "user", "id": id, "name": name }),
        Owner::Forgotten => json!({ "kind": "forgotten" }),
    }
}

#[derive(Default)]
struct Times {
    ready_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Times {
    fn of(state: &State) -> Self {
        match state {
            State::Ready { at, ends_at, .. } => Self { ready_at: Some(*at), ends_at: Some(*ends_at), ended_at: None },
            State::Ended { at, .. } => Self { ended_at: Some(*at), ..Self::default() },
            State::Reserved | State::Starting | State::Stopping { .. } => Self::default(),
        }
    }
}

/// What became of the claim: `live`, `served`, or `refunded` when the visitor never got the session.
fn outcome_of(session: &Session) -> &'static str {
    match session.state {
        State::Ended { refunded: true, .. } => "refunded",
        State::Ended { refunded: false, .. } => "served",
        _ => "live",
    }
}

fn reason_of(state: &State) -> Option<&EndReason> {
    match state {
        State::Stopping { reason, .. } | State::Ended { reason, .. } => Some(reason),
        State::Reserved | State::Starting | State::Ready { .. } => None,
    }
}

fn detail_of(reason: &EndReason) -> Option<String> {
    match reason {
        EndReason::TaskStopped { detail, exit_code: Some(code) } => Some(format!("{detail} (exit code {code})").trim().to_owned()),
        EndReason::TaskStopped { detail, exit_code: None } | EndReason::StartRefused { detail } => Some(detail.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use casting_core::session::{Endpoint, TaskRef, TaskStatus};
    use casting_core::testing::{NOON, cast, session};

    use super::*;

    fn starting() -> Session {
        let task = TaskRef { arn: "arn:1".into(), status: TaskStatus::Pending, version: 1 };
        session(&cast(1), 1).started(task).expect("was reserved")
    }

    fn ready() -> Session {
        starting().ready(Endpoint { host: "10.0.0.1".into(), port: 8080 }, NOON.plus_seconds(30)).expect("was starting")
    }

    #[test]
    fn a_session_shows_where_it_stands_and_what_became_of_its_claim() {
        let stopped = EndReason::TaskStopped { detail: "EssentialContainerExited".into(), exit_code: Some(1) };
        let refused = EndReason::StartRefused { detail: "No such image".into() };
        for (name, session, expected) in [
            ("reserved", session(&cast(1), 1), ["reserved", "live", "", ""]),
            ("starting", starting(), ["starting", "live", "", ""]),
            ("ready", ready(), ["ready", "live", "", ""]),
            ("stopping", ready().stopping(EndReason::Owner, NOON).expect("is live"), ["stopping", "live", "ended-by-owner", ""]),
            (
                "served",
                ready().ended(stopped.clone(), NOON).expect("is live"),
                ["ended", "served", "task-stopped", "EssentialContainerExited (exit code 1)"],
            ),
            (
                "never ready",
                starting().ended(stopped, NOON).expect("is live"),
                ["ended", "refunded", "task-stopped", "EssentialContainerExited (exit code 1)"],
            ),
            (
                "refused",
                session(&cast(1), 1).ended(refused, NOON).expect("is live"),
                ["ended", "refunded", "start-refused", "No such image"],
            ),
        ] {
            let view = view(&session);
            let shown = ["state", "outcome", "reason", "detail"].map(|field| view[field].as_str().unwrap_or_default());
            assert_eq!(shown, expected, "{name}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let text = view(&ready()).to_string();
        for word in ["10.0.0.1", "environment", "MOOD", "secret"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(text.contains("2026-11-23T12:00:30Z") && text.contains("2026-11-23T13:00:30Z"), "{text}");
    }
}
