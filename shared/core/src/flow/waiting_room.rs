//! Owns the polls of the waiting room: visitors keep their entry, see their position, and leave.
//! Must not know how an entry is created or used: a claim does both (see [`super::claim`]). Whose
//! turn it is, a policy decides (see [`crate::policy::turn`]).

use std::sync::Arc;

use super::link_visit::{Counts, LinkVisit};
use super::refusal::RefusedVisit;
use super::{ControlPlane, FlowError, Refusal, Visitor, outcome};
use crate::cast::Cast;
use crate::denial::DenialCode;
use crate::ids::{self, SessionId};
use crate::policy::{self, LinkParameters};
use crate::ports::{Fault, FaultKind, QueueSaved};
use crate::quota::QuotaKind;
use crate::ticket::LaunchTicket;
use crate::time::Timestamp;
use crate::waiting_queue::{GONE_SECONDS, MAX_ENTRIES, QueuePosition, WaitingQueue};

/// How often a change is tried under concurrent writes: in each round one of them succeeds.
pub(super) const ENQUEUE_TRIES: usize = MAX_ENTRIES;

/// The position of a waiting visitor.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The link.
    pub cast: Arc<Cast>,
    /// The ticket that claims when it is their turn, and keeps the entry until then. Good for
    /// [`crate::ticket::ROOM_TICKET_SECONDS`].
    pub ticket: String,
    /// 1 is next; 0 has its turn, and its session is to be claimed.
    pub position: usize,
    /// The estimated seconds until their turn; `None` without an estimate.
    pub estimate: Option<u64>,
    /// Whether a claim makes sense now.
    pub turn: bool,
    /// When to poll again, in seconds.
    pub ask_in: u64,
}

impl ControlPlane {
    /// The position of the visitor with this ticket; polling keeps the entry.
    ///
    /// # Errors
    /// `PlaceLost` after more than a minute without a poll, and the refusals of a claim for an
    /// invalid ticket.
    pub async fn wait(
        &self,
        key: &str,
        ticket: &str,
        visitor: &Visitor,
    ) -> Result<Waiting, Refusal> {
        let visit = self.begin(key, visitor, Counts::Later).await?;
        let waiting = async {
            let (cast, ticket, entry) = self.find_entry(&visit, ticket)?;
            let now = self.clock.now();
            let touched = self
                .store
                .touch_entry(&cast.id, &entry, now.minus_seconds(GONE_SECONDS), now)
                .await?;
            if let Some(queue) = touched {
                return Ok(self
                    .describe_place(cast, &queue, &entry, ticket, now)
                    .await?);
            }
            // A visitor who was served and missed the answer still finds the session.
            let session = self
                .store
                .session(&SessionId::from_nonce(&cast.id, &ticket.nonce))
                .await?;
            match session.filter(|session| outcome(session).is_none()) {
                Some(_) => Ok(self
                    .describe_place(
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
            Err(error) => {
                let refused = self.refused_entry(key, &visit, ticket, visitor);
                Err(self.refuse(error, refused).await)
            }
        }
    }

    /// Gives up the entry with this ticket.
    ///
    /// # Errors
    /// The refusals of a claim for an invalid ticket.
    pub async fn leave(
        &self,
        key: &str,
        ticket: &str,
        visitor: &Visitor,
    ) -> Result<Arc<Cast>, Refusal> {
        let visit = self.begin(key, visitor, Counts::Later).await?;
        let left = async {
            let (cast, _, entry) = self.find_entry(&visit, ticket)?;
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
            Err(error) => {
                let refused = self.refused_entry(key, &visit, ticket, visitor);
                Err(self.refuse(error, refused).await)
            }
        }
    }

    /// The refused request, with the parameters and the referrer that its ticket keeps.
    fn refused_entry<'a>(
        &self,
        key: &'a str,
        visit: &'a LinkVisit,
        ticket: &str,
        visitor: &'a Visitor,
    ) -> RefusedVisit<'a> {
        let ticket = LaunchTicket::open(ticket, &self.keys, visit.now).ok();
        let (parameters, referrer) = ticket.map_or_else(Default::default, |ticket| {
            let parameters = LinkParameters {
                kasm_url: ticket.kasm_url,
                docker_network: ticket.docker_network,
                invitation: ticket.invitation,
            };
            (parameters, ticket.referrer)
        });
        RefusedVisit {
            key,
            cast: visit.cast.as_deref(),
            parameters,
            referrer,
            visitor,
        }
    }

    fn find_entry(
        &self,
        visit: &LinkVisit,
        ticket: &str,
    ) -> Result<(Arc<Cast>, LaunchTicket, SessionId), FlowError> {
        let cast = visit.cast.as_ref().filter(|cast| cast.settings.enabled);
        let known = match cast {
            None => Err(DenialCode::UnknownCast.into()),
            Some(cast) => self
                .check_ticket(ticket, cast, visit.now)
                .map(|ticket| (cast.clone(), ticket)),
        };
        match known {
            Ok((cast, ticket)) => {
                let entry = ticket.place.clone().ok_or(DenialCode::TicketInvalid)?;
                Ok((cast, ticket, entry))
            }
            Err(error) => {
                // Polls with a valid ticket are no attempts; guesses are.
                self.attempts.note(&visit.address, visit.now);
                policy::attempts::check(visit.wait)?;
                Err(error)
            }
        }
    }

    pub(super) async fn describe_place(
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

    /// Whether all sessions are taken, as far as was read.
    async fn is_crowded(&self, cast: &Cast, now: Timestamp) -> Result<bool, Fault> {
        let deployment = self.cache.deployment(&*self.store, now).await?;
        for quota in policy::live_limits::quotas(
            cast,
            None,
            None,
            None,
            &Default::default(),
            &deployment.settings,
            now,
        ) {
            if matches!(quota.kind, QuotaKind::Cast | QuotaKind::Deployment)
                && quota.is_full(self.store.quota(&quota.key).await?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn random_stamp(&self) -> String {
        format!(
            "{:032x}",
            u128::from_be_bytes(ids::random_bytes(&*self.entropy))
        )
    }
}

pub(super) fn contention() -> Fault {
    Fault {
        kind: FaultKind::Contention,
        what: "change a waiting room",
        detail: format!("{ENQUEUE_TRIES} tries"),
    }
}
