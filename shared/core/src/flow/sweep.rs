//! Owns the sweep: the one place that repairs what a crash, a lost answer or a lost event left
//! behind. Sweeps may run concurrently.

use super::ControlPlane;
use super::stop::is_gone;
use crate::ids::SessionId;
use crate::ports::{Fault, Task};
use crate::session::{CHECK_SECONDS, EndReason, STOPPING_SECONDS, Session, State, TaskStatus};
use crate::staging::StagingConfig;
use crate::time::Timestamp;

/// Sessions handled in one sweep.
const BATCH: u32 = 100;

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions that were due.
    pub looked_at: u32,
    /// Reserved sessions whose task was found.
    pub started: u32,
    /// Sessions that were closed; those never ready were refunded.
    pub released: u32,
    /// Sessions whose task was asked to stop.
    pub stopped: u32,
    /// Ended sessions whose anonymous user was removed.
    pub forgotten: u32,
}

/// The next action for a due session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NextAction {
    /// It is not due (any more).
    Nothing,
    /// Ask ECS about its task.
    Ask,
    /// It must end.
    Stop(EndReason),
    /// It should have stopped; stop it again.
    StopAgain,
    /// It has ended, and its anonymous user's retention time is over.
    Forget,
}

impl ControlPlane {
    /// Handles the sessions that are due. One that fails stays due.
    ///
    /// # Errors
    /// When the due sessions cannot be listed.
    pub async fn sweep(&self) -> Result<Swept, Fault> {
        let due = self.store.due_sessions(self.clock.now(), BATCH).await?;
        let mut swept = Swept::default();
        for id in due {
            swept.looked_at += 1;
            if let Err(fault) = self.reconcile(&id, &mut swept).await {
                tracing::error!(session.id = %id, %fault, "Could not settle session {id}; the next sweep tries again");
            }
        }
        Ok(swept)
    }

    async fn reconcile(&self, id: &SessionId, swept: &mut Swept) -> Result<(), Fault> {
        let Some(session) = self.store.session(id).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        let settled = match next_action(&session, now) {
            NextAction::Nothing => return Ok(()),
            NextAction::Forget => {
                swept.forgotten += 1;
                self.move_session(id, Some(session), |row| row.forgotten().ok())
                    .await?;
                return Ok(());
            }
            NextAction::Ask => self.check_task(session, now, swept).await?,
            NextAction::Stop(reason) => {
                swept.stopped += 1;
                let wanted = NextAction::Stop(reason.clone());
                let to_be = |row: &Session| next_action(row, now) == wanted;
                Box::pin(self.stop_session_while(session, reason, to_be)).await?
            }
            NextAction::StopAgain => {
                swept.stopped += 1;
                let session = self.complete_stop(session).await?;
                if session.is_live() {
                    self.postpone(session, now.plus_seconds(STOPPING_SECONDS))
                        .await?
                } else {
                    session
                }
            }
        };
        let settled = self.catch_up(settled).await?;
        swept.released += u32::from(!settled.is_live());
        self.record_failed_start(&settled).await
    }

    /// Asks ECS by `startedBy`, and records the task or closes the row. Waiting sessions of a
    /// deleted pool are stopped.
    async fn check_task(
        &self,
        session: Session,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<Session, Fault> {
        if let Some(pool) = session.idle_pool()
            && self
                .store
                .record::<StagingConfig>(pool.as_str())
                .await?
                .is_none()
        {
            swept.stopped += 1;
            return self.stop_session(session, EndReason::NotNeeded).await;
        }
        let tasks = self.launcher.find(&session.id).await?;
        if is_gone(&session, &tasks, now) {
            let own = tasks.iter().find(|task| session.may_own(&task.task.arn));
            let last = own.or(tasks.first());
            let reason = last.map_or(EndReason::TaskLost, Task::reason);
            return self.close(session, reason, now).await;
        }
        let Some(task) = tasks
            .iter()
            .find(|task| task.task.status != TaskStatus::Stopped)
        else {
            return self
                .postpone(session, now.plus_seconds(STOPPING_SECONDS))
                .await;
        };
        let was_reserved = matches!(session.state, State::Reserved);
        let session = self.attach(session, task).await?;
        swept.started += u32::from(was_reserved && matches!(session.state, State::Starting));
        if matches!(session.state, State::Ready { .. }) {
            return self
                .postpone(session, now.plus_seconds(CHECK_SECONDS))
                .await;
        }
        Ok(session)
    }

    /// Makes the session due again later.
    async fn postpone(&self, session: Session, next: Timestamp) -> Result<Session, Fault> {
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| {
                (row.is_live() && row.due_at < Some(next)).then(|| row.checked(next))
            })
            .await?;
        Ok(row.unwrap_or(known))
    }
}

fn next_action(session: &Session, now: Timestamp) -> NextAction {
    if session.due_at.is_none_or(|due| now < due) {
        return NextAction::Nothing;
    }
    match &session.state {
        State::Reserved => NextAction::Ask,
        State::Starting => NextAction::Stop(EndReason::StartTimeout),
        State::Ready { ends_at, .. } if now >= *ends_at => {
            NextAction::Stop(if session.is_unassigned() {
                EndReason::Unused
            } else {
                EndReason::TimeLimit
            })
        }
        State::Ready { .. } if session.entered_late_at().is_some_and(|late| now >= late) => {
            NextAction::Stop(EndReason::NotEntered)
        }
        State::Ready { .. } => NextAction::Ask,
        State::Stopping { .. } => NextAction::StopAgain,
        State::Ended { .. } => NextAction::Forget,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{StagingId, UserId};
    use crate::session::{Endpoint, Owner, PoolMembership, PoolRole, RESERVED_SECONDS, TaskRef};
    use crate::testing::{NOON, cast, session};

    #[test]
    fn sweep_action_depends_on_session_state() {
        let reserved = session(&cast(1), 1);
        let task = TaskRef {
            arn: "a".into(),
            status: TaskStatus::Pending,
            version: 1,
        };
        let starting = reserved.started(task).expect("starts");
        let ready = starting
            .ready(
                Endpoint {
                    host: "h".into(),
                    port: 1,
                },
                NOON,
            )
            .expect("gets ready");
        let mut deserted = ready.clone();
        deserted.grant.entry_timeout_seconds = Some(300);
        let entered = deserted.entered(NOON).expect("is ready");
        let mut waits = deserted.clone();
        waits.pooled = Some(PoolMembership::new(
            StagingId::from_bytes([1; 16]),
            PoolRole::Waiting,
        ));
        let stopping = ready.stopping(EndReason::Owner, NOON).expect("stops");
        let ended = stopping.ended(EndReason::TaskLost, NOON).expect("ends");
        let mut guest_inside = ready.clone();
        guest_inside.owner = Owner::Anonymous {
            id: UserId::from_bytes([1; 16]),
            group: None,
            expires_at: Some(NOON.plus_seconds(7200)),
        };
        let of_a_guest = guest_inside.ended(EndReason::Owner, NOON).expect("ends");
        for (name, row, age, expected) in [
            (
                "reserved, young",
                &reserved,
                RESERVED_SECONDS - 1,
                NextAction::Nothing,
            ),
            (
                "reserved, old",
                &reserved,
                RESERVED_SECONDS,
                NextAction::Ask,
            ),
            ("starting in time", &starting, 179, NextAction::Nothing),
            (
                "starting too long",
                &starting,
                180,
                NextAction::Stop(EndReason::StartTimeout),
            ),
            (
                "ready, lately checked",
                &ready,
                CHECK_SECONDS - 1,
                NextAction::Nothing,
            ),
            (
                "ready, not checked for a while",
                &ready,
                CHECK_SECONDS,
                NextAction::Ask,
            ),
            (
                "ready, time is up",
                &ready,
                3600,
                NextAction::Stop(EndReason::TimeLimit),
            ),
            ("ready, not entered", &deserted, 419, NextAction::Ask),
            (
                "ready, not entered, and its gate let it be",
                &deserted,
                420,
                NextAction::Stop(EndReason::NotEntered),
            ),
            ("ready, entered", &entered, 3599, NextAction::Ask),
            ("ready, waits in a pool", &waits, 3599, NextAction::Ask),
            (
                "stopping",
                &stopping,
                STOPPING_SECONDS,
                NextAction::StopAgain,
            ),
            ("ended", &ended, 1_000_000, NextAction::Nothing),
            (
                "ended, of a user who may be kept",
                &of_a_guest,
                7199,
                NextAction::Nothing,
            ),
            (
                "ended, of a user who must be forgotten",
                &of_a_guest,
                7200,
                NextAction::Forget,
            ),
            (
                "alive, of a user whose time is over",
                &guest_inside,
                7200,
                NextAction::Stop(EndReason::TimeLimit),
            ),
        ] {
            assert_eq!(next_action(row, NOON.plus_seconds(age)), expected, "{name}");
        }
    }
}
