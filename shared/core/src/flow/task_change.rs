//! Owns how ECS task events change a session. Events may come twice, late and out of order.

use super::{ControlPlane, FlowError};
use crate::excerpt::{Excerpt, Speaker};
use crate::ports::{Fault, Task};
use crate::session::{Retry, Session, State, TaskStatus};
use crate::time::Timestamp;

impl ControlPlane {
    /// Handles a task event. A task whose session has ended, or never existed, is stopped.
    ///
    /// # Errors
    /// When store or ECS do not answer; the event may be delivered again.
    pub async fn task_changed(&self, task: Task) -> Result<(), Fault> {
        let Some(id) = task.session.clone() else {
            return Ok(());
        };
        let now = self.clock.now();
        let row = Box::pin(self.move_or_exchange(&id, now, |row| advance(row, &task, now))).await?;
        if let Some(row) = &row {
            self.record_failed_start(row).await?;
            self.start_again(row, &task, now).await?;
        }
        let wanted = row
            .as_ref()
            .is_some_and(|row| row.is_live() && row.may_own(&task.task.arn));
        if let Some(row) = row
            && wanted
            && matches!(row.state, State::Stopping { .. })
            && task.task.status < TaskStatus::Stopping
        {
            // It was to stop before its task was known.
            self.complete_stop(row).await?;
        } else if !wanted && task.task.status < TaskStatus::Stopping {
            tracing::warn!(session.id = %id, task.arn = task.task.arn, "Stopping a task without a session");
            self.launcher
                .stop(&task.task.arn, "it has no session")
                .await?;
        }
        Ok(())
    }

    /// Starts the session again whose first task this was and could not be started. Repeated news
    /// repeats the call, under the same client token.
    async fn start_again(&self, row: &Session, failed: &Task, now: Timestamp) -> Result<(), Fault> {
        let is_first_task = |retry: &Retry| {
            retry.failed_task == failed.task.arn && row.may_launch(self.clock.now())
        };
        if !row.retry.as_ref().is_some_and(is_first_task) {
            return Ok(());
        }
        tracing::warn!(session.id = %row.id, detail = failed.stop_detail,
            "ECS could not start session {}; trying once more", row.id);
        // An event that comes again finds the session restarted, and maybe started.
        let is_repeated = row.retry.as_ref().is_none_or(|retry| retry.at != now);
        if is_repeated {
            self.launch_again(row.clone()).await;
            return Ok(());
        }
        match Box::pin(self.launch(row.clone())).await {
            // A refusal is written into the row, where the visitor reads it.
            Ok(_) | Err(FlowError::Denied(_)) => Ok(()),
            Err(FlowError::Fault(fault)) => Err(fault),
        }
    }
}

/// The next state of a session after this task event; `None` when nothing changes.
fn advance(session: &Session, task: &Task, now: Timestamp) -> Option<Session> {
    if !session.is_live() || !session.may_own(&task.task.arn) {
        return None;
    }
    if task.task.status == TaskStatus::Stopped {
        if task.start_failed
            && let Ok(restarted) = session.restarted(&task.task.arn, now)
        {
            return Some(restarted);
        }
        // It has had this task, which is paid for.
        let ended = session.knowing(&task.task).ended(task.reason(), now).ok()?;
        return Some(with_word_of_ecs(session, ended, task));
    }
    let newer = session
        .task
        .as_ref()
        .is_none_or(|known| task.task.version > known.version && task.task.status != known.status);
    // A task's first status says nothing that visitors are shown, and its status is not shown once
    // the session is ready: neither is worth a write.
    let worth_it = match session.state {
        State::Reserved => task.task.status > TaskStatus::Provisioning,
        State::Starting => true,
        _ => session.task.is_none(),
    };
    if newer && worth_it {
        session.started(task.task.clone()).ok()
    } else {
        None
    }
}

/// Adds ECS's reason for the end of the app's container, where another reason is known already.
fn with_word_of_ecs(before: &Session, ended: Session, task: &Task) -> Session {
    let word = task.app_reason.as_deref();
    let with_reason = matches!(before.state, State::Stopping { .. })
        .then(|| ended.heard(Excerpt::of(Speaker::Ecs, word?)?))
        .flatten();
    match with_reason {
        // One move.
        Some(with_reason) => Session {
            rev: ended.rev,
            ..with_reason
        },
        None => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Nonce, StagingId};
    use crate::session::{EndReason, Endpoint, PoolMembership, PoolRole, TaskRef};
    use crate::testing::{NOON, cast, session};
    use TaskStatus::{Pending, Running, Stopped};

    fn task(arn: &str, status: TaskStatus, version: i64) -> Task {
        Task {
            task: TaskRef {
                arn: arn.into(),
                status,
                version,
                times: crate::session::TaskTimes::default(),
            },
            session: None,
            stop_detail: "it fell".into(),
            exit_code: Some(1),
            app_reason: None,
            start_failed: false,
        }
    }

    #[test]
    fn task_that_ecs_could_not_start_gets_one_more_start() {
        let failed = |arn: &str, start_failed| Task {
            start_failed,
            ..task(arn, Stopped, 5)
        };
        let reserved = session(&cast(1), 1);
        let starting = reserved
            .started(task("a", Pending, 1).task)
            .expect("starts");
        let bootstrapped = starting
            .bootstrapped(Nonce::from_bytes([1; 16]))
            .expect("is starting");
        let retried = starting.restarted("a", NOON).expect("its first");
        let second = retried.started(task("b", Pending, 1).task).expect("starts");
        let mut waits = starting.clone();
        waits.pooled = Some(PoolMembership::new(
            StagingId::from_bytes([1; 16]),
            PoolRole::Waiting,
        ));
        let later = NOON.plus_seconds(100);
        for (name, row, news, attempt, is_live) in [
            ("starting", &starting, failed("a", true), 2, true),
            (
                "its task is not known yet",
                &reserved,
                failed("a", true),
                2,
                true,
            ),
            (
                "for a reason of the image",
                &starting,
                failed("a", false),
                1,
                false,
            ),
            (
                "its gate has spoken",
                &bootstrapped,
                failed("a", true),
                1,
                false,
            ),
            ("nobody's yet", &waits, failed("a", true), 1, false),
            ("for the second time", &second, failed("b", true), 2, false),
        ] {
            let after = advance(row, &news, later).expect(name);
            assert_eq!(
                (after.launch.attempt, after.is_live()),
                (attempt, is_live),
                "{name}"
            );
            assert_eq!(after.rev, row.rev + 1, "{name}");
            if is_live {
                assert_eq!(
                    (&after.state, &after.task),
                    (&State::Reserved, &None),
                    "{name}"
                );
                assert!(after.may_launch(later), "{name}");
                let timeout = row.created_at.seconds_until(row.ready_by);
                assert_eq!(after.ready_by, later.plus_seconds(timeout), "{name}");
                assert!(!after.gives_back(row).held.iter().any(|_| true), "{name}");
                assert_ne!(after.client_token(), row.client_token(), "{name}");
            }
        }
        for (name, news) in [
            ("again", failed("a", true)),
            ("as running, late", task("a", Running, 3)),
        ] {
            assert_eq!(advance(&retried, &news, later), None, "old task, {name}");
            assert_eq!(advance(&second, &news, later), None, "old task, {name}");
        }
        assert!(retried.started(task("a", Pending, 9).task).is_err());
    }

    #[test]
    fn ecs_reason_is_kept_beside_the_gates_reason() {
        let starting = session(&cast(1), 1)
            .started(task("a", Pending, 1).task)
            .expect("starts");
        let by_gate = EndReason::TaskStopped {
            detail: "the app ended".into(),
            exit_code: Some(137),
        };
        let stopping = starting.stopping(by_gate.clone(), NOON).expect("stops");
        let word = "OutOfMemoryError: Container killed due to memory usage";
        let news = Task {
            app_reason: Some(word.into()),
            ..task("a", Stopped, 9)
        };
        let ended = advance(&stopping, &news, NOON).expect("ends");
        assert!(matches!(&ended.state, State::Ended { reason, .. } if *reason == by_gate));
        assert_eq!(ended.said, Vec::from_iter(Excerpt::of(Speaker::Ecs, word)));
        assert_eq!(ended.rev, stopping.rev + 1, "one move");
        let first = advance(&starting, &news, NOON).expect("ends");
        let expected = EndReason::TaskStopped {
            detail: format!("it fell; {word}"),
            exit_code: Some(1),
        };
        assert!(matches!(&first.state, State::Ended { reason, .. } if *reason == expected));
        assert!(first.said.is_empty(), "it is said already");
    }

    #[test]
    fn task_events_move_sessions_only_forward() {
        let reserved = session(&cast(1), 1);
        let starting = reserved
            .started(task("a", Pending, 2).task)
            .expect("starts");
        let ready = starting
            .ready(
                Endpoint {
                    host: "h".into(),
                    port: 1,
                },
                NOON,
            )
            .expect("gets ready");
        let stopping = ready.stopping(EndReason::Owner, NOON).expect("stops");
        let to_stop = reserved.stopping(EndReason::Owner, NOON).expect("stops");
        let ended = starting.ended(EndReason::TaskLost, NOON).expect("ends");
        for (name, row, news, becomes) in [
            (
                "first news",
                &reserved,
                task("a", Pending, 1),
                Some("starting"),
            ),
            (
                "its first status",
                &reserved,
                task("a", TaskStatus::Provisioning, 1),
                None,
            ),
            (
                "its first status, and it is to stop",
                &to_stop,
                task("a", TaskStatus::Provisioning, 1),
                Some("stopping"),
            ),
            (
                "stopped before we knew it started",
                &reserved,
                task("a", Stopped, 5),
                Some("ended"),
            ),
            (
                "newer status",
                &starting,
                task("a", Running, 3),
                Some("starting"),
            ),
            ("the same again", &starting, task("a", Pending, 2), None),
            (
                "older, out of order",
                &starting,
                task("a", TaskStatus::Provisioning, 1),
                None,
            ),
            ("another task", &starting, task("b", Stopped, 9), None),
            (
                "running, when ready already",
                &ready,
                task("a", Running, 9),
                None,
            ),
            (
                "stopped when ready",
                &ready,
                task("a", Stopped, 9),
                Some("ended"),
            ),
            (
                "stopped when stopping",
                &stopping,
                task("a", Stopped, 9),
                Some("ended"),
            ),
            (
                "anything after the end",
                &ended,
                task("a", Stopped, 9),
                None,
            ),
        ] {
            let after = advance(row, &news, NOON);
            assert_eq!(
                after.as_ref().map(|after| after.state.as_str()),
                becomes,
                "{name}"
            );
            // Whatever was started is paid for, so the row names it.
            let knows = after.is_none_or(|after| after.task.is_some());
            assert!(knows, "{name}");
        }
    }

    #[test]
    fn only_unserved_sessions_are_refunded_first_reason_stays() {
        let starting = session(&cast(1), 1)
            .started(task("a", Pending, 1).task)
            .expect("starts");
        let ready = starting
            .ready(
                Endpoint {
                    host: "h".into(),
                    port: 1,
                },
                NOON,
            )
            .expect("gets ready");
        let ended = |row: &Session| advance(row, &task("a", Stopped, 9), NOON).expect("ends");
        assert!(ended(&starting).is_refunded());
        assert!(!ended(&ready).is_refunded());
        let by_owner = ended(&starting.stopping(EndReason::Owner, NOON).expect("stops"));
        assert!(matches!(
            by_owner.state,
            State::Ended {
                reason: EndReason::Owner,
                refunded: true,
                ..
            }
        ));
    }
}
