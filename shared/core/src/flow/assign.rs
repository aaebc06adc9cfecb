//! Owns the assignment of a session that was started in advance: which one, the notification of its
//! gate, and a replacement when that fails. The row changes its owner in the claim's own
//! transaction (see [`super::claim`]).

use std::collections::BTreeSet;

use super::{ControlPlane, TRIES};
use crate::group;
use crate::ids::{self, SessionId, StagingId};
use crate::ports::{Exchanged, Fault, FaultKind};
use crate::session::{Endpoint, PoolMembership, PoolRole, Session};
use crate::staging::StagingConfig;
use crate::ticket::AssignTicket;
use crate::time::Timestamp;

/// How long the directives to a gate are good, in seconds.
pub(super) const ORDER_SECONDS: u64 = 60;
/// After losing so many sessions to other claims, a visitor gets one of their own.
const LOST_RACES: usize = 5;

/// What the pools can offer to one claim.
#[derive(Default)]
pub(super) struct Offer {
    /// A pool whose sessions fit.
    pub(super) pool: Option<StagingId>,
    /// One of its sessions, or of another such pool.
    pub(super) staged: Option<Box<Session>>,
}

impl ControlPlane {
    /// Finds a session that was started in advance and fits this claim, except those in `lost`.
    pub(super) async fn find_staged(
        &self,
        claim: &Session,
        lost: &BTreeSet<SessionId>,
        now: Timestamp,
    ) -> Result<Offer, Fault> {
        let mut offer = Offer::default();
        // Files are restored before an app starts, and this app has started already.
        if self.gates.is_none() || lost.len() >= LOST_RACES || claim.profile.is_some() {
            return Ok(offer);
        }
        let pools = self.cache.pools(&*self.store, now).await?;
        let of_image = |pool: &&StagingConfig| {
            pool.settings.enabled && pool.settings.image_id == claim.launch.image_id
        };
        for pool in pools.iter().filter(of_image) {
            if !self.is_of_kind(pool, claim, now).await? {
                continue;
            }
            offer.pool.get_or_insert_with(|| pool.id.clone());
            let waiting = self.cache.staged(&*self.store, &pool.id, now).await?;
            // Each claim tries them in its own order, so that not all claims take the same one.
            let rank = |session: &&Session| ids::mix(claim.claim_id(), &session.id);
            let fitting = waiting
                .iter()
                .filter(|session| session.fits(claim, now) && !lost.contains(&session.id));
            if let Some(chosen) = fitting.min_by_key(rank) {
                self.cache.take_staged(&pool.id, &chosen.id);
                return Ok(Offer {
                    pool: Some(pool.id.clone()),
                    staged: Some(Box::new(chosen.clone())),
                });
            }
        }
        Ok(offer)
    }

    /// Whether a pool of the claim's image has sessions that fit the claim.
    async fn is_of_kind(
        &self,
        pool: &StagingConfig,
        claim: &Session,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(image) = self
            .cache
            .image(&*self.store, &pool.settings.image_id, now)
            .await?
        else {
            return Ok(false);
        };
        let groups = self.cache.groups(&*self.store, now).await?;
        let network = pool
            .settings
            .network
            .as_ref()
            .or(image.settings.network.as_ref());
        let opens = claim.launch.kasm_url.is_none() || image.settings.exec.assign.is_some();
        let allows = group::grant_of(pool.settings.group_id.as_ref(), &groups).permissions
            == claim.grant.permissions;
        Ok(
            opens
                && allows
                && claim.launch.network.as_ref().map(|network| &network.name) == network,
        )
    }

    /// The session of a claim as it will be reserved: one that was started in advance, or a new
    /// one.
    pub(super) async fn pick_staged(
        &self,
        claim: Session,
        lost: &BTreeSet<SessionId>,
    ) -> Result<(Session, Option<Box<Session>>), Fault> {
        let offer = self.find_staged(&claim, lost, claim.created_at).await?;
        let given = offer
            .staged
            .and_then(|staged| Some((staged.assigned(&claim).ok()?, Some(staged))));
        Ok(given.unwrap_or_else(|| {
            let pooled = offer
                .pool
                .map(|pool| PoolMembership::new(pool, PoolRole::Missed));
            (Session { pooled, ..claim }, None)
        }))
    }

    /// Notifies the gate of a session that has just been assigned, and marks the session ready;
    /// only then does its visitor learn of it. If the gate cannot be reached, the session is given
    /// up and its visitor gets another one with the same charge: nothing is taken twice.
    pub(super) async fn deliver_assignment(&self, mut session: Session) -> Result<Session, Fault> {
        let mut lost = BTreeSet::new();
        for _ in 0..TRIES {
            let now = self.clock.now();
            let Some(endpoint) = session.pending_notification().cloned() else {
                return Ok(session);
            };
            session = match self.notify_gate(&session, &endpoint, now).await {
                Ok(()) => self.mark_notified(session, &endpoint).await?,
                Err(why) => {
                    let id = &session.id;
                    tracing::warn!(session.id = %id, why,
                        "The gate of session {id} was not reached; its visitor gets another one");
                    self.exchange(session, &mut lost, now).await?
                }
            };
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "hand in a session",
            detail: format!("{TRIES} tries on {}", session.claim_id()),
        })
    }

    /// The session of the claim once its gate has been notified: ready, unless it ended or was
    /// given up meanwhile.
    async fn mark_notified(&self, session: Session, endpoint: &Endpoint) -> Result<Session, Fault> {
        let (id, claim, now) = (
            session.id.clone(),
            session.claim_id().clone(),
            self.clock.now(),
        );
        let notified = |row: &Session| {
            row.pending_notification()
                .and_then(|_| row.ready(endpoint.clone(), now).ok())
        };
        let known = session.clone();
        match self.move_session(&id, Some(session), notified).await? {
            Some(row) if *row.claim_id() == claim => Ok(row),
            _ => Ok(self.store.session(&claim).await?.unwrap_or(known)),
        }
    }

    /// Notifies the gate, and repeats that once without an answer: one lost answer is not yet a
    /// lost gate.
    async fn notify_gate(
        &self,
        session: &Session,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<(), String> {
        let gates = self
            .gates
            .as_ref()
            .ok_or("there is no way to it from here")?;
        let secret = self
            .keys
            .sessions()
            .named(&session.secret_key)
            .secret(&session.id);
        let expires = now.plus_seconds(ORDER_SECONDS);
        let enter = self.way_to_gate(session, endpoint, expires);
        let order = AssignTicket {
            session: session.id.clone(),
            directives: self.directives(session.clone()),
            expires,
        };
        let order = order.sign(&secret);
        let Err(first) = gates.assign(&session.id, &enter, &order).await else {
            return Ok(());
        };
        gates
            .assign(&session.id, &enter, &order)
            .await
            .map_err(|why| format!("{first}; {why}"))
    }

    /// Moves a session that may have ended by itself. If it ended before its gate was notified, its
    /// visitor gets a new one, from the call that notifies the gate or repeats the claim; if none
    /// does, the sweep refunds the claim.
    pub(super) async fn move_or_exchange(
        &self,
        id: &SessionId,
        now: Timestamp,
        decide: impl Fn(&Session) -> Option<Session> + Send + Sync,
    ) -> Result<Option<Session>, Fault> {
        let ends_untold = |row: &Session, after: &Session| {
            row.pending_notification().is_some() && !after.can_be_entered()
        };
        let row = self
            .move_session(id, None, |row| {
                decide(row).filter(|after| !ends_untold(row, after))
            })
            .await?;
        let Some(untold) = row
            .as_ref()
            .filter(|row| decide(row).is_some_and(|after| ends_untold(row, &after)))
        else {
            return Ok(row);
        };
        if let Ok(given_up) = untold.given_up(now) {
            // The concurrent write has notified the gate, or given the session up.
            self.store
                .exchange(untold, &given_up, &untold.claim_alone(now), None)
                .await?;
        }
        self.move_session(id, None, decide).await
    }

    /// Exchanges a session for another one that was started in advance, or for a new one.
    async fn exchange(
        &self,
        session: Session,
        lost: &mut BTreeSet<SessionId>,
        now: Timestamp,
    ) -> Result<Session, Fault> {
        let Ok(given_up) = session.given_up(now) else {
            return Ok(session);
        };
        lost.insert(session.id.clone());
        let alone = session.claim_alone(now);
        let (after, staged) = self.pick_staged(alone, lost).await?;
        match self
            .store
            .exchange(&session, &given_up, &after, staged.as_deref())
            .await?
        {
            Exchanged::Done => {
                tracing::info!(session.id = %after.id, lost = %session.id, "Session {} takes the place of {}", after.id, session.id);
                // The sweep would stop it too; the visitor does not wait for that.
                if let Err(fault) = self.complete_stop(given_up).await {
                    tracing::warn!(session.id = %session.id, %fault,
                        "Could not stop session {}; the sweep tries again", session.id);
                }
                Ok(after)
            }
            Exchanged::StagedGone => {
                lost.extend(staged.map(|staged| staged.id));
                Ok(session)
            }
            Exchanged::Stale => Ok(self
                .store
                .session(session.claim_id())
                .await?
                .unwrap_or(session)),
        }
    }
}
