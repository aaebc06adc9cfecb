//! Owns how visitors wait: how they get a place when a claim finds no session, keep it, see how they stand, and leave. Whose turn it is, is the
//! rules' to say (see [`crate::policy::turn`]); a place is given up in the transaction that reserves its session (see [`super::claim`]).

use std::sync::Arc;

use super::admission_context::AdmissionContext;
use super::claim::ClaimAttempt;
use super::{ClaimRequest, ControlPlane, FlowError, Refusal, Visitor, outcome};
use crate::METRICS;
use crate::address;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{self, SessionId};
use crate::policy::{self, Verdict};
use crate::ports::{Fault, FaultKind, QueueClaim, QueueSaved};
use crate::quota::QuotaKind;
use crate::ticket::{LaunchTicket, ROOM_TICKET_SECONDS};
use crate::time::Timestamp;
use crate::waiting_queue::{GONE_SECONDS, MAX_ENTRIES, QueuePosition, WaitingQueue};

/// How often a change is tried: when all come at once, one of them gets in each time.
const ENQUEUE_TRIES: usize = MAX_ENTRIES;

/// How somebody who waits stands.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The link.
    pub cast: Arc<Cast>,
    /// Claims when it is their turn, and keeps the place until then. Good for [`ROOM_TICKET_SECONDS`].
    pub ticket: String,
    /// 1 is next; 0 has had its turn, and its session is to be claimed.
    pub position: usize,
    /// In how many seconds it may be their turn; `None` while that cannot be said.
    pub estimate: Option<u64>,
    /// Whether a claim makes sense now.
    pub turn: bool,
    /// When to ask again, in seconds.
    pub ask_in: u64,
}

impl ControlPlane {
    /// How the one with this ticket stands; asking keeps the place.
    ///
    /// # Errors
    /// `PlaceLost` for whoever has not asked for a minute, and what a claim says of a ticket that is none.
    pub async fn wait(
        &self,
        key: &str,
        ticket: &str,
        visitor: &Visitor,
    ) -> Result<Waiting, Refusal> {
        let mut found = None;
        let waiting = async {
            let (cast, ticket, entry) = self.find_entry(key, ticket, visitor, &mut found).await?;
            let now = self.clock.now();
            let touched = self
                .store
                .touch_entry(&cast.id, &entry, now.minus_seconds(GONE_SECONDS), now)
                .await?;
            if let Some(queue) = touched {
                return Ok(self.tell(cast, &queue, &entry, ticket, now).await?);
            }
            // Whoever was served and did not hear of it still finds the session.
            let session = self
                .store
                .session(&SessionId::from_nonce(&cast.id, &ticket.nonce))
                .await?;
            match session.filter(|session| outcome(session).is_none()) {
                Some(_) => Ok(self
                    .tell(
                        cast.clone(),
                        &WaitingQueue::empty(cast.id.clone()),
                        &entry,
                        ticket,
                        now,
                    )
                    .await?),
                None => Err(DenialCode::PlaceLost.into()),
            }
        };
        match waiting.await {
            Ok(waiting) => Ok(waiting),
            Err(error) => Err(self
                .refuse(error, found.as_deref(), visitor.referrer.clone(), visitor)
                .await),
        }
    }

    /// Gives the place with this ticket back.
    ///
    /// # Errors
    /// What a claim says of a ticket that is none.
    pub async fn leave(
        &self,
        key: &str,
        ticket: &str,
        visitor: &Visitor,
    ) -> Result<Arc<Cast>, Refusal> {
        let mut found = None;
        let left = async {
            let (cast, _, entry) = self.find_entry(key, ticket, visitor, &mut found).await?;
            let mut queue = self.store.queue(&cast.id).await?;
            for _ in 0..ENQUEUE_TRIES {
                if !queue.places.contains_key(&entry) {
                    return Ok(cast);
                }
                let after = queue.left(&entry, self.random_stamp(), self.clock.now());
                match self.store.save_queue(&queue.stamp, &after, None).await? {
                    QueueSaved::Moved(seen) => queue = seen,
                    QueueSaved::Done | QueueSaved::ProofUsed => return Ok(cast),
                }
            }
            Err(contention().into())
        };
        match left.await {
            Ok(cast) => Ok(cast),
            Err(error) => Err(self
                .refuse(error, found.as_deref(), visitor.referrer.clone(), visitor)
                .await),
        }
    }

    async fn find_entry(
        &self,
        key: &str,
        ticket: &str,
        visitor: &Visitor,
        found: &mut Option<Arc<Cast>>,
    ) -> Result<(Arc<Cast>, LaunchTicket, SessionId), FlowError> {
        let now = self.clock.now();
        let address = address::hash(visitor.address, &self.keys);
        let most = self
            .cache
            .system(&*self.store, now)
            .await?
            .settings
            .attempts_per_minute;
        let wait = self.attempts.wait(&address, most, now);
        *found = self
            .find_cast(key, wait, now)
            .await?
            .filter(|cast| cast.settings.enabled);
        let known = match found.clone() {
            None => Err(DenialCode::UnknownCast.into()),
            Some(cast) => self
                .check_ticket(ticket, &cast, now)
                .map(|ticket| (cast, ticket)),
        };
        match known {
            Ok((cast, ticket)) => {
                let entry = ticket.place.clone().ok_or(DenialCode::TicketInvalid)?;
                Ok((cast, ticket, entry))
            }
            Err(error) => {
                // Those who wait ask often, and are no attempts; whoever guesses is.
                self.attempts.note(&address, now);
                policy::attempts::check(wait)?;
                Err(error)
            }
        }
    }

    /// What a reservation asks of the waiting room.
    pub(super) fn queue_claim(
        &self,
        context: &AdmissionContext<'_>,
        attempt: &ClaimAttempt<'_>,
        now: Timestamp,
    ) -> Option<QueueClaim> {
        let (queue, (entry, _)) = context.queue.as_ref().zip(context.entry.as_ref())?;
        let after = context
            .waits(now)
            .then(|| queue.served(entry, &attempt.id, self.random_stamp(), now));
        Some(QueueClaim {
            cast: queue.cast.clone(),
            seen: queue.stamp.clone(),
            after,
        })
    }

    /// A place for whoever was stopped by nothing but that all sessions are taken; everybody else is stopped.
    pub(super) async fn enqueue(
        &self,
        error: FlowError,
        context: &mut AdmissionContext<'_>,
        attempt: &mut ClaimAttempt<'_>,
        request: &ClaimRequest,
    ) -> Result<Waiting, FlowError> {
        let (FlowError::Denied(Denial { code, .. }), Some((entry, held))) =
            (&error, context.entry.clone())
        else {
            return Err(error);
        };
        let no_machine = match code {
            DenialCode::CastBusy | DenialCode::SystemBusy | DenialCode::Waiting => false,
            DenialCode::NoCapacity => true,
            _ => return Err(error),
        };
        let Some(cast) = context.cast.clone().filter(|_| context.has_waiting_room()) else {
            return Err(error);
        };
        let mut queue = self.store.queue(&cast.id).await?;
        let mut welcome = false;
        for _ in 0..ENQUEUE_TRIES {
            let (now, stamp) = (self.clock.now(), self.random_stamp());
            let serves = queue
                .places
                .get(&entry)
                .and_then(|entry| entry.served.as_ref());
            let after = match queue.position(&entry, now) {
                QueuePosition::Served if no_machine && serves == Some(&attempt.id) => {
                    Some(queue.returned(&entry, &attempt.id, stamp, now))
                }
                QueuePosition::Served | QueuePosition::Waiting(_) => None,
                QueuePosition::Absent if held => return Err(DenialCode::PlaceLost.into()),
                QueuePosition::Absent => {
                    if !welcome {
                        self.check_welcome(&cast, context, attempt, request, no_machine)
                            .await?;
                        welcome = true;
                    }
                    let Some(mut after) = queue.joined(&entry, stamp, now) else {
                        return Err(error);
                    };
                    if no_machine {
                        after.pause(now);
                    }
                    Some(after)
                }
            };
            let written = match &after {
                None => QueueSaved::Done,
                // A session that found no machine has used its proof up already.
                Some(after) => {
                    self.store
                        .save_queue(
                            &queue.stamp,
                            after,
                            attempt.proof.as_ref().filter(|_| !no_machine && welcome),
                        )
                        .await?
                }
            };
            match written {
                QueueSaved::Moved(seen) => queue = seen,
                QueueSaved::ProofUsed => return Err(DenialCode::CaptchaFailed.into()),
                QueueSaved::Done => {
                    if welcome {
                        tracing::info!(target: METRICS, claims = 1_u64, outcome = "waiting");
                        tracing::info!(cast.key = %cast.settings.key, entry = %entry, "Somebody waits for cast {}", cast.settings.key);
                    }
                    // The session of an attempt that found no machine has ended, so the next attempt needs another.
                    let nonce = if no_machine {
                        attempt.nonce.another()
                    } else {
                        attempt.nonce.clone()
                    };
                    let expires = now.plus_seconds(ROOM_TICKET_SECONDS);
                    let ticket = LaunchTicket {
                        nonce,
                        place: Some(entry.clone()),
                        expires,
                        ..attempt.ticket.clone()
                    };
                    return Ok(self
                        .tell(cast, &after.unwrap_or(queue), &entry, ticket, now)
                        .await?);
                }
            }
        }
        Err(contention().into())
    }

    /// Nobody waits in line for what they would not get anyway.
    async fn check_welcome(
        &self,
        cast: &Cast,
        context: &mut AdmissionContext<'_>,
        attempt: &mut ClaimAttempt<'_>,
        request: &ClaimRequest,
        no_machine: bool,
    ) -> Result<(), FlowError> {
        let cast = self.read_again(cast, context).await?;
        let (user, now) = (context.visitor.user.as_ref(), self.clock.now());
        for quota in policy::live_limits::quotas(
            &cast,
            context.image.as_deref(),
            user,
            &context.grant,
            &context.system.settings,
            now,
        ) {
            if !matches!(quota.kind, QuotaKind::Cast | QuotaKind::System)
                && quota.is_full(self.store.quota(&quota.key).await?)
            {
                context.full.insert(quota.kind);
            }
        }
        let window = match policy::ip_window::applies(
            cast.settings.ip_limit.as_ref(),
            context.visitor.address,
        ) {
            Some(limit) => Some(
                self.store
                    .window(&self.window_key(&cast, limit.by, context.visitor))
                    .await?,
            ),
            None => None,
        };
        context.forget_crowd();
        context.queue = None;
        if policy::captcha::applies(&cast.settings, user) && attempt.proof.is_none() && !no_machine
        {
            self.check_proof(&cast, context, attempt, request, now)
                .await;
        }
        match policy::admit(&context.facts(window.as_ref(), now)) {
            Verdict::Deny(denial) => Err(denial.into()),
            Verdict::Admit(_) | Verdict::Resume(_) => Ok(()),
        }
    }

    async fn tell(
        &self,
        cast: Arc<Cast>,
        queue: &WaitingQueue,
        entry: &SessionId,
        ticket: LaunchTicket,
        now: Timestamp,
    ) -> Result<Waiting, Fault> {
        let (position, turn) = match queue.position(entry, now) {
            QueuePosition::Waiting(1) => (
                1,
                !queue.is_paused(now) && !self.is_crowded(&cast, now).await?,
            ),
            QueuePosition::Waiting(position) => (position, false),
            QueuePosition::Served | QueuePosition::Absent => (0, true),
        };
        let ask_in = match position {
            0..=5 => 2,
            6..=50 => 5,
            _ => 10,
        };
        Ok(Waiting {
            ticket: ticket.sign(&self.keys),
            position,
            estimate: queue.estimate(position, now),
            turn,
            ask_in,
            cast,
        })
    }

    /// Whether there are as many sessions as there may be, as far as a look says.
    async fn is_crowded(&self, cast: &Cast, now: Timestamp) -> Result<bool, Fault> {
        let system = self.cache.system(&*self.store, now).await?;
        for quota in policy::live_limits::quotas(
            cast,
            None,
            None,
            &Default::default(),
            &system.settings,
            now,
        ) {
            if matches!(quota.kind, QuotaKind::Cast | QuotaKind::System)
                && quota.is_full(self.store.quota(&quota.key).await?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn random_stamp(&self) -> String {
        format!(
            "{:032x}",
            u128::from_be_bytes(ids::random_bytes(&*self.entropy))
        )
    }
}

fn contention() -> Fault {
    Fault {
        kind: FaultKind::Contention,
        what: "change a waiting room",
        detail: format!("{ENQUEUE_TRIES} tries"),
    }
}
