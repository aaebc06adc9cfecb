//! Owns stopping a session: first the row is marked, then the task is stopped, then the row is
//! closed. The sweep completes this after a crash.

use futures_util::future;

use super::ControlPlane;
use crate::ports::{Fault, Task};
use crate::session::{EndReason, LAUNCH_WINDOW_SECONDS, Session, State, TaskStatus};
use crate::time::Timestamp;

/// ECS may not know a task in its first moments; a missing task is believed only after so many
/// seconds.
const BELIEVE_MISSING_SECONDS: u64 = 60;

impl ControlPlane {
    /// Stops a live session for `reason`; one that is stopping or has ended is left alone.
    pub(super) async fn stop_session(
        &self,
        session: Session,
        reason: EndReason,
    ) -> Result<Session, Fault> {
        Box::pin(self.stop_session_while(session, reason, |_| true)).await
    }

    /// The same, while `to_be` holds for the row, which others may move meanwhile.
    pub(super) async fn stop_session_while(
        &self,
        session: Session,
        reason: EndReason,
        to_be: impl Fn(&Session) -> bool + Send + Sync,
    ) -> Result<Session, Fault> {
        let (id, now) = (session.id.clone(), self.clock.now());
        let known = session.clone();
        let row = self
            .move_session(&id, Some(session), |row| {
                to_be(row)
                    .then(|| row.stopping(reason.clone(), now).ok())
                    .flatten()
            })
            .await?;
        match row {
            Some(row) if matches!(row.state, State::Stopping { .. }) => {
                // Viewers are disconnected at once, however long the task takes to stop. A sweep
                // waits for no gate.
                let asked_for =
                    matches!(reason, EndReason::Owner | EndReason::Administrator { .. });
                let notify = async {
                    if asked_for {
                        self.refresh_gate(&known).await;
                    }
                };
                future::join(self.complete_stop(row), notify).await.0
            }
            row => Ok(row.unwrap_or(known)),
        }
    }

    /// Stops the task of a stopping session, and closes the row as soon as no task runs.
    pub(super) async fn complete_stop(&self, session: Session) -> Result<Session, Fault> {
        let now = self.clock.now();
        let tasks = match &session.task {
            Some(task) => self
                .launcher
                .stop(&task.arn, "the session was ended")
                .await?
                .into_iter()
                .collect(),
            None => self.stop_all(&session).await?,
        };
        if is_gone(&session, &tasks, now) {
            self.close(session, EndReason::TaskLost, tasks.first(), now)
                .await
        } else {
            Ok(session)
        }
    }

    async fn stop_all(&self, session: &Session) -> Result<Vec<Task>, Fault> {
        let mut tasks = self.launcher.find(&session.id).await?;
        for task in &mut tasks {
            if task.task.status != TaskStatus::Stopped
                && let Some(stopped) = self
                    .launcher
                    .stop(&task.task.arn, "the session was ended")
                    .await?
            {
                *task = stopped;
            }
        }
        Ok(tasks)
    }

    /// Ends the row; refunds the claim in the same write when the session was never ready. `last`
    /// is its task, if ECS knows one.
    pub(super) async fn close(
        &self,
        session: Session,
        reason: EndReason,
        last: Option<&Task>,
        now: Timestamp,
    ) -> Result<Session, Fault> {
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| {
                let row = last.map_or_else(|| row.clone(), |last| row.knowing(&last.task));
                row.ended(reason.clone(), now).ok()
            })
            .await?;
        Ok(row.unwrap_or(known))
    }
}

/// Whether it is certain that no task of this session runs or will run.
pub(super) fn is_gone(session: &Session, tasks: &[Task], now: Timestamp) -> bool {
    // A task that ECS could not start says nothing of the one that is started instead.
    let mut own = tasks
        .iter()
        .filter(|task| session.may_own(&task.task.arn))
        .peekable();
    let believed = now
        >= session
            .attempt_began()
            .plus_seconds(LAUNCH_WINDOW_SECONDS.max(BELIEVE_MISSING_SECONDS));
    let is_known = own.peek().is_some();
    own.all(|task| task.task.status == TaskStatus::Stopped) && (is_known || believed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::TaskRef;
    use crate::testing::{NOON, cast, session};

    #[test]
    fn task_that_could_not_be_started_proves_nothing_of_the_next() {
        let failed = Task {
            task: TaskRef {
                arn: "a".into(),
                status: TaskStatus::Stopped,
                version: 1,
                times: crate::session::TaskTimes::default(),
            },
            session: None,
            stop_detail: String::new(),
            exit_code: None,
            app_reason: None,
            start_failed: true,
        };
        let later = NOON.plus_seconds(170);
        let retried = session(&cast(1), 1)
            .restarted("a", later)
            .expect("its first");
        for (age, expected) in [(0, false), (59, false), (60, true)] {
            let now = later.plus_seconds(age);
            assert_eq!(
                is_gone(&retried, std::slice::from_ref(&failed), now),
                expected,
                "{age}"
            );
        }
    }

    #[test]
    fn task_counts_as_gone_only_with_proof() {
        let task = |status| Task {
            task: TaskRef {
                arn: "a".into(),
                status,
                version: 1,
                times: crate::session::TaskTimes::default(),
            },
            session: None,
            stop_detail: String::new(),
            exit_code: None,
            app_reason: None,
            start_failed: false,
        };
        use TaskStatus::{Running, Stopped, Stopping};
        for (name, tasks, age, expected) in [
            ("stopped", vec![task(Stopped)], 1, true),
            ("running", vec![task(Running)], 1000, false),
            ("on its way down", vec![task(Stopping)], 1000, false),
            (
                "one of two runs",
                vec![task(Stopped), task(Running)],
                1000,
                false,
            ),
            ("unknown, young", vec![], 59, false),
            ("unknown, old", vec![], 60, true),
        ] {
            assert_eq!(
                is_gone(&session(&cast(1), 1), &tasks, NOON.plus_seconds(age)),
                expected,
                "{name}"
            );
        }
    }
}
