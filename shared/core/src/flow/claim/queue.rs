//! Owns how a claim enters the waiting queue when no session is available, and leaves it when one
//! is.

use super::ClaimAttempt;
use crate::METRICS;
use crate::denial::{Denial, DenialCode};
use crate::flow::FlowError;
use crate::flow::waiting_room::{ENQUEUE_TRIES, Waiting, contention};
use crate::policy::{self, ProofFact, Requirement, Verdict};
use crate::ports::{QueueClaim, QueueSaved};
use crate::quota::QuotaKind;
use crate::ticket::{LaunchTicket, ROOM_TICKET_SECONDS};
use crate::time::Timestamp;
use crate::waiting_queue::QueuePosition;

impl ClaimAttempt<'_> {
    /// The condition of a reservation on the waiting queue.
    pub(super) fn queue_claim(&self, now: Timestamp) -> Option<QueueClaim> {
        let context = &self.context;
        let (queue, (entry, _)) = context.queue.as_ref().zip(context.entry.as_ref())?;
        let after = context
            .waits(now)
            .then(|| queue.served(entry, &self.id, self.plane.random_stamp(), now));
        Some(QueueClaim {
            cast: queue.cast.clone(),
            seen: queue.stamp.clone(),
            after,
        })
    }

    /// A queue entry for claims that were refused only because all sessions are taken; other
    /// refusals stand.
    pub(super) async fn enqueue(&mut self, error: FlowError) -> Result<Waiting, FlowError> {
        let (FlowError::Denied(Denial { code, .. }), Some((entry, held))) =
            (&error, self.context.entry.clone())
        else {
            return Err(error);
        };
        let no_machine = match code {
            DenialCode::CastBusy | DenialCode::SystemBusy | DenialCode::Waiting => false,
            DenialCode::NoCapacity => true,
            _ => return Err(error),
        };
        let Some(cast) = self
            .context
            .cast
            .clone()
            .filter(|_| self.context.has_waiting_room())
        else {
            return Err(error);
        };
        let mut queue = self.plane.store.queue(&cast.id).await?;
        let mut welcome = false;
        for _ in 0..ENQUEUE_TRIES {
            let (now, stamp) = (self.plane.clock.now(), self.plane.random_stamp());
            let serves = queue
                .places
                .get(&entry)
                .and_then(|entry| entry.served.as_ref());
            let after = match queue.position(&entry, now) {
                QueuePosition::Served if no_machine && serves == Some(&self.id) => {
                    Some(queue.returned(&entry, &self.id, stamp, now))
                }
                QueuePosition::Served | QueuePosition::Waiting(_) => None,
                QueuePosition::Absent if held => return Err(DenialCode::PlaceLost.into()),
                QueuePosition::Absent => {
                    if !welcome {
                        self.check_welcome(no_machine).await?;
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
                // A session that found no machine has used its CAPTCHA solution already.
                Some(after) => {
                    self.plane
                        .store
                        .save_queue(
                            &queue.stamp,
                            after,
                            self.proof.as_ref().filter(|_| !no_machine && welcome),
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
                    // The session of an attempt that found no machine has ended, so the next
                    // attempt needs another id.
                    let nonce = if no_machine {
                        self.nonce.another()
                    } else {
                        self.nonce.clone()
                    };
                    let expires = now.plus_seconds(ROOM_TICKET_SECONDS);
                    let ticket = LaunchTicket {
                        nonce,
                        place: Some(entry.clone()),
                        proven: self.context.proof == ProofFact::Passed || self.ticket.proven,
                        expires,
                        ..self.ticket.clone()
                    };
                    return Ok(self
                        .plane
                        .describe_place(cast, &after.unwrap_or(queue), &entry, ticket, now)
                        .await?);
                }
            }
        }
        Err(contention().into())
    }

    /// A visitor does not queue for a session that would be refused anyway.
    async fn check_welcome(&mut self, no_machine: bool) -> Result<(), FlowError> {
        self.read_again().await?;
        let now = self.plane.clock.now();
        let requirement = self.context.captcha_requirement(&self.cast);
        if requirement != Requirement::No && self.proof.is_none() && !no_machine {
            self.check_proof(now).await?;
        }
        let (cast, context) = (self.cast.clone(), &mut self.context);
        let user = context.visitor.user.as_ref();
        for quota in policy::live_limits::quotas(
            &cast,
            context.image.as_deref(),
            user,
            context.invitation.as_ref(),
            &context.grant,
            &context.deployment.settings,
            now,
        ) {
            if !matches!(quota.kind, QuotaKind::Cast | QuotaKind::Deployment)
                && quota.is_full(self.plane.store.quota(&quota.key).await?)
            {
                context.full.insert(quota.kind);
            }
        }
        self.window = match policy::ip_window::applies(
            cast.settings.ip_limit.as_ref(),
            context.visitor.address,
        ) {
            Some(limit) => Some(
                self.plane
                    .store
                    .window(&self.plane.window_key(&cast, limit.by, context.visitor))
                    .await?,
            ),
            None => None,
        };
        context.forget_crowd();
        context.queue = None;
        match self.verdict(now) {
            Verdict::Deny(denial) => Err(denial.into()),
            Verdict::Admit(_) | Verdict::Resume(_) => Ok(()),
        }
    }
}
