//! Owns the status document of a session, for the waiting page's script and for programs. Must stay
//! small, because it is polled.

use casting_core::session::{Session, State, TaskStatus};
use casting_core::time::Timestamp;
use casting_core::urls;
use casting_core::{PublicUrls, outcome};
use casting_web::words::{START_STEPS, Words};
use serde::Serialize;

use crate::progress::{Stage, stage};

/// The status of a session.
#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    id: &'a str,
    /// `reserved`, `starting`, `ready`, `stopping`, `ended`.
    state: &'static str,
    /// The number of the current step, from 0; the number of steps when it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    /// In how many seconds its queued start has its turn; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_in: Option<u64>,
    /// The same for its visitor, in their language.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The status of the ECS task.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_status: Option<TaskStatus>,
    /// The reason of its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The denial code, if it ended before it was ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<&'static str>,
    /// When it makes sense to claim again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The deadline of the start: after it the session is given up and refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_by: Option<String>,
    /// When the time limit ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    /// The URL at which it is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    enter_url: Option<String>,
    /// The URL at which a program gets the address and the token of its DevTools.
    #[serde(skip_serializing_if = "Option::is_none")]
    devtools_url: Option<String>,
}

impl<'a> Status<'a> {
    /// The status of this session.
    pub(crate) fn of(
        session: &'a Session,
        urls: &PublicUrls,
        words: Words,
        now: Timestamp,
    ) -> Self {
        let stage = stage(session);
        let denial = outcome(session);
        let starts_in = starts_in(session, now);
        Self {
            id: session.id.as_str(),
            state: session.state.as_str(),
            step: match stage {
                Stage::Starting(step) => Some(step),
                Stage::Ready => Some(START_STEPS),
                Stage::Over(_) => None,
            },
            starts_in,
            message: starts_in.map(|seconds| queued(words, seconds)),
            task_status: session.task.as_ref().map(|task| task.status),
            reason: if let Stage::Over(reason) = stage {
                Some(reason.as_str())
            } else {
                None
            },
            denial: denial.as_ref().map(|denial| denial.code.as_str()),
            retry_after: denial.and_then(|denial| denial.retry_after),
            ready_by: matches!(stage, Stage::Starting(_)).then(|| session.ready_by.to_string()),
            ends_at: if let State::Ready { ends_at, .. } = session.state {
                Some(ends_at.to_string())
            } else {
                None
            },
            enter_url: (stage == Stage::Ready)
                .then(|| urls.absolute(&urls::enter_session(&session.id))),
            devtools_url: (stage == Stage::Ready && session.devtools_port().is_some())
                .then(|| urls.absolute(&urls::devtools_of_session(&session.id))),
        }
    }
}

/// In how many seconds the queued start of this session has its turn, at least 1; `None` when it is
/// not queued.
pub(crate) fn starts_in(session: &Session, now: Timestamp) -> Option<u64> {
    let millis = session.waits_for_turn()?.millis() - now.millis();
    Some(u64::try_from(millis).unwrap_or(0).div_ceil(1000).max(1))
}

/// What the visitor of a queued start reads.
pub(crate) fn queued(words: Words, seconds: u64) -> String {
    words.session().queued(&words.help().wait(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::{ready, reserved, starting};
    use casting_core::language::Language;
    use casting_core::session::EndReason;
    use casting_core::testing::NOON;

    fn written(session: &Session) -> String {
        let urls = PublicUrls {
            public_url: "https://c.example".into(),
            report_url: String::new(),
            session_url: String::new(),
        };
        serde_json::to_string(&Status::of(
            session,
            &urls,
            Words::of(Language::English),
            NOON,
        ))
        .expect("JSON")
        .replace(session.id.as_str(), "ID")
    }

    #[test]
    fn queued_start_says_when_its_turn_is() {
        for (name, millis, expected) in [
            ("later", 8_001, Some(9)),
            ("in a moment", 20, Some(1)),
            ("now", 0, Some(1)),
            ("passed", -9_000, Some(1)),
        ] {
            let turn = Timestamp::from_millis(NOON.millis() + millis);
            let session = reserved().queued(turn, NOON).expect("is queued");
            assert_eq!(starts_in(&session, NOON), expected, "{name}");
        }
        assert_eq!(starts_in(&reserved(), NOON), None);
        let made = reserved()
            .queued(NOON, NOON)
            .and_then(|queued| queued.turn_taken(NOON));
        assert_eq!(starts_in(&made.expect("its turn"), NOON), None);
    }

    #[test]
    fn status_document_has_only_fields_of_its_state() {
        insta::assert_snapshot!(written(&reserved()), @r#"{"id":"ID","state":"reserved","step":1,"ready_by":"2026-11-23T12:03:00Z"}"#);
        let queued = reserved()
            .queued(NOON.plus_seconds(95), NOON)
            .expect("queued");
        insta::assert_snapshot!(written(&queued), @r#"{"id":"ID","state":"reserved","step":1,"starts_in":95,"message":"Many sessions are starting at this moment. Yours starts in about 2 minutes.","ready_by":"2026-11-23T12:04:35Z"}"#);
        insta::assert_snapshot!(written(&starting(TaskStatus::Pending)), @r#"{"id":"ID","state":"starting","step":2,"task_status":"pending","ready_by":"2026-11-23T12:03:00Z"}"#);
        insta::assert_snapshot!(written(&ready()), @r#"{"id":"ID","state":"ready","step":5,"task_status":"running","ends_at":"2026-11-23T13:00:00Z","enter_url":"https://c.example/session/ID/enter"}"#);
        let mut with_devtools = ready();
        with_devtools.launch.app.devtools_port = Some(9222);
        insta::assert_snapshot!(written(&with_devtools), @r#"{"id":"ID","state":"ready","step":5,"task_status":"running","ends_at":"2026-11-23T13:00:00Z","enter_url":"https://c.example/session/ID/enter","devtools_url":"https://c.example/session/ID/devtools"}"#);
        insta::assert_snapshot!(written(&reserved().ended(EndReason::NoCapacity, NOON).expect("ended")), @r#"{"id":"ID","state":"ended","reason":"no-capacity","denial":"no-capacity","retry_after":60}"#);
        insta::assert_snapshot!(written(&ready().ended(EndReason::TimeLimit, NOON).expect("ended")), @r#"{"id":"ID","state":"ended","task_status":"running","reason":"time-limit"}"#);
    }
}
