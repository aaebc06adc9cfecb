//! Owns the queue of starts: what ECS throttles, and what comes while others wait, is started when it
//! is its turn, at the rate that ECS allows. The turns are given out by one row, which nothing but a
//! queued start writes; a start is made by the first request of its visitor after its turn, else by
//! the sweep.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{ControlPlane, FlowError};
use crate::ids::random_bytes;
use crate::ports::Fault;
use crate::session::Session;
use crate::time::Timestamp;

/// Within how many milliseconds a start is tried again whose turn could not be recorded.
const UNRECORDED_MILLIS: u64 = 10_000;

/// The last turn that this process has given out. Until then new claims are queued without a call to
/// ECS, so that they do not overtake the starts that wait. Costs nothing, and is approximate: each
/// instance of a function knows its own turns only.
#[derive(Debug, Default)]
pub(super) struct KnownTurns(AtomicI64);

impl KnownTurns {
    fn note(&self, turn: Timestamp) {
        self.0.fetch_max(turn.millis(), Ordering::Relaxed);
    }

    /// Whether an earlier claim waits for a turn after this time.
    pub(super) fn are_ahead(&self, now: Timestamp) -> bool {
        self.0.load(Ordering::Relaxed) > now.millis()
    }
}

impl ControlPlane {
    /// Queues a start that ECS throttled, or that earlier ones are ahead of; for the caller that makes
    /// it. A start that is queued already keeps its turn, and one whose task is known by now is left
    /// alone.
    pub(super) async fn queue_start(&self, session: Session) -> Result<Session, Fault> {
        let at = self.next_turn().await;
        let now = self.clock.now();
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| match row.waits_for_turn() {
                Some(_) => None,
                None => row.queued(at, now).ok(),
            })
            .await?;
        tracing::info!(session.id = %id, %at, "The start of session {id} is queued");
        Ok(row.unwrap_or(known))
    }

    /// Makes a queued start if it is its turn. Of concurrent callers one makes it: the one that wrote
    /// so. A refusal of ECS is in the row that is returned.
    pub(super) async fn start_if_turn(&self, session: Session) -> Result<Session, Fault> {
        let now = self.clock.now();
        if session.waits_for_turn().is_none_or(|at| now < at) {
            return Ok(session);
        }
        let (id, known, mut is_ours) = (session.id.clone(), session.clone(), false);
        let row = self
            .move_session(&id, Some(session), |row| {
                let taken = row.turn_taken(now).ok();
                is_ours = taken.is_some();
                taken
            })
            .await?
            .unwrap_or(known);
        if !is_ours {
            return Ok(row);
        }
        match Box::pin(self.launch(row.clone())).await {
            Ok(row) => Ok(row),
            Err(FlowError::Denied(_)) => Ok(self.store.session(&id).await?.unwrap_or(row)),
            Err(FlowError::Fault(fault)) => Err(fault),
        }
    }

    /// The next turn. A claim that was accepted is not lost because its turn cannot be recorded: it is
    /// started at a random time soon, and queued again if that is too early.
    async fn next_turn(&self) -> Timestamp {
        let now = self.clock.now();
        let interval = 1000_u64.div_ceil(self.launcher.starts_per_second().max(1).into());
        match self.store.take_turn(now, interval).await {
            Ok(at) => {
                self.turns.note(at);
                at
            }
            Err(fault) => {
                tracing::warn!(%fault, "Could not record a turn of the start queue");
                let some = u128::from_le_bytes(random_bytes(&*self.entropy));
                let some = u64::try_from(some % u128::from(UNRECORDED_MILLIS)).unwrap_or_default();
                let later = interval + some;
                Timestamp::from_millis(now.millis().saturating_add_unsigned(later))
            }
        }
    }
}
