//! Owns how visitors wait: how they get a place when a claim finds no session, keep it, see how they stand, and leave. Whose turn it is, is the
//! rules' to say (see [`crate::policy::turn`]); a place is given up in the transaction that reserves its session (see [`super::claim`]).

use std::sync::Arc;

use super::admission_context::AdmissionContext;
use super::claim::Terms;
use super::{ClaimRequest, ControlPlane, FlowError, Refusal, Visitor, outcome};
use crate::METRICS;
use crate::address;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{self, SessionId};
use crate::policy::{self, Verdict};
use crate::ports::{Fault, FaultKind, RoomClaim, Seated};
use crate::quota::QuotaKind;
use crate::room::{GONE_SECONDS, MOST_PLACES, Room, Standing};
use crate::ticket::{LaunchTicket, ROOM_TICKET_SECONDS};
use crate::time::Timestamp;

/// How often a change is tried: when all come at once, one of them gets in each time.
const SEAT_TRIES: usize = MOST_PLACES;

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
            let (cast, ticket, place) = self.find_place(key, ticket, visitor, &mut found).await?;
            let now = self.clock.now();
            let touched = self
                .store
                .touch_place(&cast.id, &place, now.minus_seconds(GONE_SECONDS), now)
                .await?;
            if let Some(room) = touched {
                return Ok(self.tell(cast, &room, &place, ticket, now).await?);
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
                        &Room::empty(cast.id.clone()),
                        &place,
                        ticket,
                        now,
                    )
                    .await?),
                None => Err(DenialCode::PlaceLost.into()),
            }
        };
        match waiting.await {
            Ok(waiting) => Ok(waiting),
            Err(stop) => Err(self
                .refuse(stop, found.as_deref(), visitor.referrer.clone(), visitor)
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
            let (cast, _, place) = self.find_place(key, ticket, visitor, &mut found).await?;
            let mut room = self.store.room(&cast.id).await?;
            for _ in 0..SEAT_TRIES {
                if !room.places.contains_key(&place) {
                    return Ok(cast);
                }
                let after = room.left(&place, self.draw_stamp(), self.clock.now());
                match self.store.save_room(&room.stamp, &after, None).await? {
                    Seated::Moved(seen) => room = seen,
                    Seated::Done | Seated::ProofUsed => return Ok(cast),
                }
            }
            Err(contention().into())
        };
        match left.await {
            Ok(cast) => Ok(cast),
            Err(stop) => Err(self
                .refuse(stop, found.as_deref(), visitor.referrer.clone(), visitor)
                .await),
        }
    }

    async fn find_place(
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
                let place = ticket.place.clone().ok_or(DenialCode::TicketInvalid)?;
                Ok((cast, ticket, place))
            }
            Err(stop) => {
                // Those who wait ask often, and are no attempts; whoever guesses is.
                self.attempts.note(&address, now);
                policy::attempts::check(wait)?;
                Err(stop)
            }
        }
    }

    /// What a reservation asks of the waiting room.
    pub(super) fn room_claim(
        &self,
        context: &AdmissionContext<'_>,
        terms: &Terms<'_>,
        now: Timestamp,
    ) -> Option<RoomClaim> {
        let (room, (place, _)) = context.room.as_ref().zip(context.place.as_ref())?;
        let after = context
            .waits(now)
            .then(|| room.served(place, &terms.id, self.draw_stamp(), now));
        Some(RoomClaim {
            cast: room.cast.clone(),
            seen: room.stamp.clone(),
            after,
        })
    }

    /// A place for whoever was stopped by nothing but that all sessions are taken; everybody else is stopped.
    pub(super) async fn seat(
        &self,
        stop: FlowError,
        context: &mut AdmissionContext<'_>,
        terms: &mut Terms<'_>,
        request: &ClaimRequest,
    ) -> Result<Waiting, FlowError> {
        let (FlowError::Denied(Denial { code, .. }), Some((place, held))) =
            (&stop, context.place.clone())
        else {
            return Err(stop);
        };
        let no_machine = match code {
            DenialCode::CastBusy | DenialCode::SystemBusy | DenialCode::Waiting => false,
            DenialCode::NoCapacity => true,
            _ => return Err(stop),
        };
        let Some(cast) = context.cast.clone().filter(|_| context.has_room()) else {
            return Err(stop);
        };
        let mut room = self.store.room(&cast.id).await?;
        let mut welcome = false;
        for _ in 0..SEAT_TRIES {
            let (now, stamp) = (self.clock.now(), self.draw_stamp());
            let serves = room
                .places
                .get(&place)
                .and_then(|place| place.served.as_ref());
            let after = match room.standing(&place, now) {
                Standing::Served if no_machine && serves == Some(&terms.id) => {
                    Some(room.returned(&place, &terms.id, stamp, now))
                }
                Standing::Served | Standing::Waits(_) => None,
                Standing::Nobody if held => return Err(DenialCode::PlaceLost.into()),
                Standing::Nobody => {
                    if !welcome {
                        self.check_welcome(&cast, context, terms, request, no_machine)
                            .await?;
                        welcome = true;
                    }
                    let Some(mut after) = room.joined(&place, stamp, now) else {
                        return Err(stop);
                    };
                    if no_machine {
                        after.hold(now);
                    }
                    Some(after)
                }
            };
            let written = match &after {
                None => Seated::Done,
                // A session that found no machine has used its proof up already.
                Some(after) => {
                    self.store
                        .save_room(
                            &room.stamp,
                            after,
                            terms.proof.as_ref().filter(|_| !no_machine && welcome),
                        )
                        .await?
                }
            };
            match written {
                Seated::Moved(seen) => room = seen,
                Seated::ProofUsed => return Err(DenialCode::CaptchaFailed.into()),
                Seated::Done => {
                    if welcome {
                        tracing::info!(target: METRICS, claims = 1_u64, outcome = "waiting");
                        tracing::info!(cast.key = %cast.settings.key, place = %place, "Somebody waits for cast {}", cast.settings.key);
                    }
                    // The session of an attempt that found no machine has ended, so the next attempt needs another.
                    let nonce = if no_machine {
                        terms.nonce.another()
                    } else {
                        terms.nonce.clone()
                    };
                    let expires = now.plus_seconds(ROOM_TICKET_SECONDS);
                    let ticket = LaunchTicket {
                        nonce,
                        place: Some(place.clone()),
                        expires,
                        ..terms.ticket.clone()
                    };
                    return Ok(self
                        .tell(cast, &after.unwrap_or(room), &place, ticket, now)
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
        terms: &mut Terms<'_>,
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
        context.room = None;
        if policy::captcha::applies(&cast.settings, user) && terms.proof.is_none() && !no_machine {
            self.check_proof(&cast, context, terms, request, now).await;
        }
        match policy::admit(&context.facts(window.as_ref(), now)) {
            Verdict::Deny(denial) => Err(denial.into()),
            Verdict::Admit(_) | Verdict::Resume(_) => Ok(()),
        }
    }

    async fn tell(
        &self,
        cast: Arc<Cast>,
        room: &Room,
        place: &SessionId,
        ticket: LaunchTicket,
        now: Timestamp,
    ) -> Result<Waiting, Fault> {
        let (position, turn) = match room.standing(place, now) {
            Standing::Waits(1) => (1, !room.holds(now) && !self.is_crowded(&cast, now).await?),
            Standing::Waits(position) => (position, false),
            Standing::Served | Standing::Nobody => (0, true),
        };
        let ask_in = match position {
            0..=5 => 2,
            6..=50 => 5,
            _ => 10,
        };
        Ok(Waiting {
            ticket: ticket.sign(&self.keys),
            position,
            estimate: room.estimate(position, now),
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

    fn draw_stamp(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(ids::draw(&*self.entropy)))
    }
}

fn contention() -> Fault {
    Fault {
        kind: FaultKind::Contention,
        what: "change a waiting room",
        detail: format!("{SEAT_TRIES} tries"),
    }
}
