//! Owns the progress of a session, as its owner sees it. Must not know what moves it, nor the texts
//! (`casting_web::words`).

use casting_core::session::{EndReason, Session, State, TaskStatus};

/// The progress of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage<'a> {
    /// Starting; the number of the current step.
    Starting(usize),
    /// It can be entered.
    Ready,
    /// Over, or about to be.
    Over(&'a EndReason),
}

/// The progress of this session.
pub(crate) fn stage(session: &Session) -> Stage<'_> {
    match &session.state {
        State::Reserved | State::Starting => {
            Stage::Starting(match session.task.as_ref().map(|task| task.status) {
                None | Some(TaskStatus::Provisioning) => 1,
                Some(TaskStatus::Pending) => 2,
                Some(TaskStatus::Running | TaskStatus::Stopping | TaskStatus::Stopped) => 3,
            })
        }
        State::Ready { .. } => Stage::Ready,
        State::Stopping { reason, .. } | State::Ended { reason, .. } => Stage::Over(reason),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use casting_core::session::{Endpoint, TaskRef};
    use casting_core::testing::{NOON, cast, session};

    pub(crate) fn reserved() -> Session {
        session(&cast(1), 1)
    }

    pub(crate) fn starting(status: TaskStatus) -> Session {
        reserved()
            .started(TaskRef {
                arn: "arn:task/1".into(),
                status,
                version: 1,
                times: casting_core::session::TaskTimes::default(),
            })
            .expect("a start")
    }

    pub(crate) fn ready() -> Session {
        starting(TaskStatus::Running)
            .ready(
                Endpoint {
                    host: "127.0.0.1".into(),
                    port: 8080,
                },
                NOON,
            )
            .expect("ready")
    }

    #[test]
    fn each_session_state_has_its_progress_step() {
        for (name, session, expected) in [
            ("reserved", reserved(), Stage::Starting(1)),
            (
                "provisioning",
                starting(TaskStatus::Provisioning),
                Stage::Starting(1),
            ),
            ("pending", starting(TaskStatus::Pending), Stage::Starting(2)),
            ("running", starting(TaskStatus::Running), Stage::Starting(3)),
            ("ready", ready(), Stage::Ready),
            (
                "stopping",
                ready().stopping(EndReason::Owner, NOON).expect("stopping"),
                Stage::Over(&EndReason::Owner),
            ),
            (
                "ended",
                ready().ended(EndReason::TimeLimit, NOON).expect("ended"),
                Stage::Over(&EndReason::TimeLimit),
            ),
        ] {
            assert_eq!(stage(&session), expected, "{name}");
        }
    }
}
