//! Owns the sweep: the one place that repairs what a crash, a lost answer or a lost event left
//! behind. Sweeps may run concurrently.

use std::collections::HashMap;

use futures_util::future;

use super::ControlPlane;
use super::stop::is_gone;
use crate::METRICS;
use crate::ports::{DueKind, Fault, Task};
use crate::session::{
    CHECK_SECONDS, EndReason, RESERVED_SECONDS, STOPPING_SECONDS, Session, State, TaskStatus,
};
use crate::staging::StagingConfig;
use crate::time::Timestamp;

/// Sessions that are read, described and then handled concurrently: as many as ECS describes in one
/// call.
const PAGE: u32 = 100;
/// For how long a sweep begins pages of living sessions, in seconds; the next one goes on. The
/// function has twice that, and pools are filled before.
const SWEEP_SECONDS: u64 = 60;
/// Anonymous users who are removed before any living session is looked at: their share, should there
/// be more sessions than one sweep can handle.
const FORGOTTEN_FIRST: u32 = 200;
/// So long after a claim was looked at first it is looked at once more, in seconds: much longer than an
/// index may be behind its table.
const LATE_SECONDS: u64 = 900;
/// How far the first sweep looks back for claims that no schedule knows, in seconds (a day).
const UNSCHEDULED_SECONDS: u64 = 86_400;

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

impl Swept {
    fn add(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.started += other.started;
        self.released += other.released;
        self.stopped += other.stopped;
        self.forgotten += other.forgotten;
    }
}

/// The next action for a due session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NextAction {
    /// It is not due (any more).
    Nothing,
    /// Ask ECS about its task.
    Ask,
    /// Make its queued start.
    Start,
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
        let began = self.clock.now();
        let mut swept = Swept::default();
        swept.add(
            self.sweep_kind(DueKind::Forget, FORGOTTEN_FIRST, began)
                .await?,
        );
        // What fails there must not keep the rest waiting.
        let unscheduled = self.sweep_unscheduled(began).await;
        for kind in [DueKind::Live, DueKind::Forget] {
            swept.add(self.sweep_kind(kind, u32::MAX, began).await?);
        }
        swept.add(unscheduled?);
        // By then a claim is written, or never will be.
        let due = began.minus_seconds(RESERVED_SECONDS);
        self.store.list_claims(due, began).await?;
        Ok(swept)
    }

    /// Handles the claims that no schedule knows although their task should have reported by now: a
    /// claim does not pay for the schedule, so it enters it with the first news of its task. All claims
    /// are looked at once, and once more later, because the index of claims may be behind. How far
    /// this came is written only once each of them is in the schedule, or has ended.
    async fn sweep_unscheduled(&self, began: Timestamp) -> Result<Swept, Fault> {
        let mut swept = Swept::default();
        let handled_until = self.store.scheduled_until().await?;
        let handled_until =
            handled_until.unwrap_or_else(|| began.minus_seconds(UNSCHEDULED_SECONDS));
        let due = began.minus_seconds(RESERVED_SECONDS);
        let (reached, is_any) = self
            .schedule_claims((handled_until, due), began, &mut swept)
            .await?;
        let late = |time: Timestamp| time.minus_seconds(LATE_SECONDS);
        let span = (late(handled_until), late(reached));
        let (second, is_late) = self.schedule_claims(span, began, &mut swept).await?;
        if is_any || is_late {
            let reached = reached.min(second.plus_seconds(LATE_SECONDS));
            self.store.set_scheduled_until(reached).await?;
        }
        Ok(swept)
    }

    /// Handles the claims of this span that no schedule knows. Returns the time until which all are
    /// handled, and whether there were claims at all.
    async fn schedule_claims(
        &self,
        (since, until): (Timestamp, Timestamp),
        began: Timestamp,
        swept: &mut Swept,
    ) -> Result<(Timestamp, bool), Fault> {
        let (mut after, mut is_any) = (None, false);
        loop {
            let page = self
                .store
                .claimed_between(since, until, after.as_deref(), PAGE)
                .await?;
            let last = page.items.last().map(|session| session.created_at);
            is_any |= last.is_some();
            let mut lost = page.items;
            lost.retain(Session::is_unscheduled);
            if !lost.is_empty() {
                let ids: Vec<_> = lost.iter().map(|session| session.id.clone()).collect();
                swept.add(self.sweep_page(lost).await);
                // Also one that could not be settled is to be found again.
                let now = self.clock.now();
                let scheduled = ids.iter().map(|id| {
                    self.move_session(id, None, |row| {
                        row.is_unscheduled().then(|| row.checked(now))
                    })
                });
                future::try_join_all(scheduled).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok((until.max(since), is_any));
            }
            if began.seconds_until(self.clock.now()) >= SWEEP_SECONDS {
                // Others may have been claimed in the last one's millisecond.
                let before = last.map(|last| Timestamp::from_millis(last.millis() - 1));
                return Ok((before.unwrap_or(since).max(since), is_any));
            }
        }
    }

    /// Handles the sessions of one kind that were due when the sweep began, page by page.
    async fn sweep_kind(&self, kind: DueKind, most: u32, began: Timestamp) -> Result<Swept, Fault> {
        let (mut swept, mut after) = (Swept::default(), None);
        while swept.looked_at < most && began.seconds_until(self.clock.now()) < SWEEP_SECONDS {
            let page = self
                .store
                .due_sessions(kind, began, after.as_deref(), PAGE)
                .await?;
            if after.is_none() && most == u32::MAX {
                let longest = page.items.iter().filter_map(|session| session.due_at).min();
                let lag = longest.map_or(0, |due| began.millis().saturating_sub(due.millis()));
                let lag = u64::try_from(lag).unwrap_or(0);
                tracing::info!(target: METRICS, sweep_lag_ms = lag, due = kind.as_str());
            }
            swept.add(self.sweep_page(page.items).await);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(swept)
    }

    async fn sweep_page(&self, mut sessions: Vec<Session>) -> Swept {
        let mut swept = Swept {
            looked_at: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
            ..Swept::default()
        };
        let now = self.clock.now();
        let asks = |session: &Session| {
            let task = session.task.as_ref();
            task.filter(|_| next_action(session, now) == NextAction::Ask)
                .map(|task| task.arn.clone())
        };
        let arns: Vec<String> = sessions.iter().filter_map(asks).collect();
        let tasks = if arns.is_empty() {
            Ok(Vec::new())
        } else {
            self.launcher.describe(&arns).await
        };
        let tasks: HashMap<String, Task> = match tasks {
            Ok(tasks) => tasks
                .into_iter()
                .map(|task| (task.task.arn.clone(), task))
                .collect(),
            Err(fault) => {
                tracing::error!(%fault, sessions = arns.len(), "Could not describe tasks; the next sweep tries again");
                sessions.retain(|session| asks(session).is_none());
                HashMap::new()
            }
        };
        let settled = sessions.into_iter().map(|session| {
            let id = session.id.clone();
            // On the heap: many of them run at once.
            let settled = Box::pin(self.reconcile(session, &tasks));
            async move { (id, settled.await) }
        });
        for (id, settled) in future::join_all(settled).await {
            match settled {
                Ok(one) => swept.add(one),
                Err(fault) => {
                    tracing::error!(session.id = %id, %fault, "Could not settle session {id}; the next sweep tries again");
                }
            }
        }
        swept
    }

    /// Handles one session. `tasks` are those of its page, by ARN.
    async fn reconcile(
        &self,
        session: Session,
        tasks: &HashMap<String, Task>,
    ) -> Result<Swept, Fault> {
        let (id, now, mut swept) = (session.id.clone(), self.clock.now(), Swept::default());
        let settled = match next_action(&session, now) {
            NextAction::Nothing => return Ok(swept),
            NextAction::Forget => {
                swept.forgotten += 1;
                self.move_session(&id, Some(session), |row| row.forgotten().ok())
                    .await?;
                return Ok(swept);
            }
            NextAction::Ask => self.check_task(session, tasks, now, &mut swept).await?,
            NextAction::Start => self.start_if_turn(session).await?,
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
        self.record_failed_start(&settled).await?;
        Ok(swept)
    }

    /// Looks at the task, which ECS described by its ARN; finds it by `startedBy` where the row does
    /// not name it yet. Records it, or closes the row. Waiting sessions of a deleted pool are
    /// stopped.
    async fn check_task(
        &self,
        session: Session,
        tasks: &HashMap<String, Task>,
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
        let tasks = match &session.task {
            Some(task) => tasks.get(&task.arn).cloned().into_iter().collect(),
            None => self.launcher.find(&session.id).await?,
        };
        if is_gone(&session, &tasks, now) {
            let own = tasks.iter().find(|task| session.may_own(&task.task.arn));
            let last = own.or(tasks.first());
            let reason = last.map_or(EndReason::TaskLost, Task::reason);
            let last = last.cloned();
            return self.close(session, reason, last.as_ref(), now).await;
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
    if session.sweep_at().is_none_or(|due| now < due) {
        return NextAction::Nothing;
    }
    match &session.state {
        State::Reserved if session.waits_for_turn().is_some() => NextAction::Start,
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
            times: crate::session::TaskTimes::default(),
        };
        let starting = reserved.started(task).expect("starts");
        let queued = reserved
            .queued(NOON.plus_seconds(100), NOON)
            .expect("is queued");
        let made = queued.turn_taken(NOON.plus_seconds(100)).expect("its turn");
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
            (
                "queued, its visitor may ask first",
                &queued,
                114,
                NextAction::Nothing,
            ),
            (
                "queued, and no visitor has asked",
                &queued,
                115,
                NextAction::Start,
            ),
            (
                "started from the queue",
                &made,
                99 + RESERVED_SECONDS,
                NextAction::Nothing,
            ),
            (
                "started from the queue, without news",
                &made,
                100 + RESERVED_SECONDS,
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
