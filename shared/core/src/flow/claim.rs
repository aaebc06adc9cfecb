//! Owns the claim: from an opened link to a reserved session. Opening a link changes nothing; claiming takes everything in one transaction.

use std::sync::Arc;

use super::{Casting, Refusal, Stop, TRIES, Visitor};
use crate::address;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{self, CastKey, Nonce, Reference, SessionId, UserId};
use crate::image::Image;
use crate::policy::{self, Admission, Facts, Verdict};
use crate::ports::{Fault, FaultKind, Launcher, RefusalSample, Reservation, Reserved, Store};
use crate::session::{Charge, Launch, Origin, Owner, RESERVED_SECONDS, Session, State};
use crate::ticket::{LAUNCH_TICKET_SECONDS, LaunchTicket, OwnerTicket, TicketError};
use crate::time::Timestamp;
use crate::window::Window;

/// What a landing page needs.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The link.
    pub cast: Arc<Cast>,
    /// What it starts.
    pub image_name: String,
    /// The launch ticket, good for [`LAUNCH_TICKET_SECONDS`].
    pub ticket: String,
}

/// A session that was given out.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its row.
    pub session: Session,
    /// Shows that the bearer owns it.
    pub owner_ticket: String,
}

impl<S: Store, L: Launcher> Casting<S, L> {
    /// Judges a visitor who opens a link, for free and without a trace in the ledger, and hands out a launch ticket.
    ///
    /// # Errors
    /// The refusal that a claim would meet, as far as it can be known now.
    pub async fn open(&self, key: &str, visitor: &Visitor) -> Result<Opened, Refusal> {
        let now = self.clock.now();
        let mut found = None;
        match self.judge_visit(key, visitor, now, &mut found).await {
            Ok(opened) => Ok(opened),
            Err(stop) => Err(self.refuse(stop, found.as_deref(), visitor.referrer.clone(), visitor).await),
        }
    }

    async fn judge_visit(&self, key: &str, visitor: &Visitor, now: Timestamp, found: &mut Option<Arc<Cast>>) -> Result<Opened, Stop> {
        *found = self.find_cast(key, now).await?;
        let image = self.find_image(found.as_deref(), now).await?;
        let facts = Facts { cast: found.as_deref(), image: image.as_deref(), referrer: visitor.referrer.as_deref(), window: None, now };
        let (Some(cast), Some(image)) = (found.as_ref(), image.as_ref()) else {
            return Err(denial_of(policy::admit(&facts)));
        };
        if let Verdict::Deny(denial) = policy::admit(&facts) {
            return Err(denial.into());
        }
        let ticket = LaunchTicket {
            cast: cast.id.clone(),
            version: cast.version,
            referrer: visitor.referrer.clone(),
            address: address::hash(visitor.address, &self.keys),
            nonce: Nonce::from_bytes(ids::draw(&*self.entropy)),
            expires: now.plus_seconds(LAUNCH_TICKET_SECONDS),
        };
        Ok(Opened { cast: cast.clone(), image_name: image.settings.name.clone(), ticket: ticket.sign(&self.keys) })
    }

    /// Claims a session: takes what the link's limits ask for, all or nothing, and starts the task. The same ticket always leads to the same session.
    ///
    /// # Errors
    /// The refusal, after everything that was taken has been given back.
    pub async fn claim(&self, key: &str, ticket: &str, visitor: &Visitor) -> Result<Claimed, Refusal> {
        let now = self.clock.now();
        let mut found = None;
        let mut referrer = visitor.referrer.clone();
        let claimed = async {
            found = self.find_cast(key, now).await?;
            let Some(cast) = found.clone() else {
                return Err(DenialCode::UnknownCast.into());
            };
            let ticket = self.check_ticket(ticket, &cast, visitor, now)?;
            // The page was opened from there; the claim's own Referer is that page.
            referrer.clone_from(&ticket.referrer);
            let session = self.reserve(cast, &ticket).await?;
            let session = self.launch(session).await?;
            let owner_ticket = self.sign_owner(&session);
            Ok(Claimed { session, owner_ticket })
        };
        match claimed.await {
            Ok(claimed) => Ok(claimed),
            Err(stop) => Err(self.refuse(stop, found.as_deref(), referrer, visitor).await),
        }
    }

    fn check_ticket(&self, text: &str, cast: &Cast, visitor: &Visitor, now: Timestamp) -> Result<LaunchTicket, Stop> {
        let ticket = LaunchTicket::open(text, &self.keys, now).map_err(|error| match error {
            TicketError::Invalid => DenialCode::TicketInvalid,
            TicketError::Expired => DenialCode::TicketExpired,
        })?;
        if ticket.cast != cast.id || ticket.address != address::hash(visitor.address, &self.keys) {
            return Err(DenialCode::TicketForeign.into());
        }
        Ok(ticket)
    }

    /// Judges and takes, again whenever what was judged turns out to be out of date.
    async fn reserve(&self, mut cast: Arc<Cast>, ticket: &LaunchTicket) -> Result<Session, Stop> {
        let id = SessionId::from_nonce(&cast.id, &ticket.nonce);
        let mut window: Option<Window> = None;
        let mut fresh = false;
        for _ in 0..TRIES {
            // Each decision has its own time: a window that others have moved on must not be judged by an earlier one.
            let now = self.clock.now();
            if !fresh && takes_nothing(&cast) {
                // No counter guards this reservation, so the settings themselves must be fresh.
                cast = self.read_again(&cast).await?;
                fresh = true;
            }
            let image = self.find_image(Some(&cast), now).await?;
            let facts =
                Facts { cast: Some(&cast), image: image.as_deref(), referrer: ticket.referrer.as_deref(), window: window.as_ref(), now };
            let admission = match (policy::admit(&facts), &image) {
                (Verdict::Admit(admission), Some(image)) => (admission, image),
                (verdict, _) => return self.find_earlier(&id, denial_of(verdict)).await,
            };
            let reservation = self.draw_up(&id, &cast, admission, ticket, window.as_ref(), now);
            match self.store.reserve(&reservation).await? {
                Reserved::Placed => {
                    let key = &cast.settings.key;
                    tracing::info!(cast.key = %key, session.id = %id, "Reserved session {id} for cast {key}");
                    return Ok(reservation.session);
                }
                Reserved::Already(session) => return Ok(*session),
                Reserved::ConfigChanged => {
                    cast = self.read_again(&cast).await?;
                    fresh = true;
                }
                Reserved::SoldOut => {
                    let mut emptied = Cast::clone(&cast);
                    emptied.counter.remaining = 0;
                    cast = Arc::new(emptied);
                    self.book.learn(&cast.settings.key, Some(cast.clone()), now);
                }
                Reserved::WindowMoved(seen) => window = Some(seen),
            }
        }
        Err(Fault { kind: FaultKind::Contention, what: "reserve a session", detail: format!("{TRIES} tries on {id}") }.into())
    }

    /// A claim that was accepted before is never refused afterwards: whoever comes back with its ticket finds its session.
    async fn find_earlier(&self, id: &SessionId, stop: Stop) -> Result<Session, Stop> {
        match self.store.session(id).await? {
            Some(session) => Ok(session),
            None => Err(stop),
        }
    }

    /// The cast as it is now; none when it is gone, or has another key by now than the visitor came with.
    async fn read_again(&self, cast: &Cast) -> Result<Arc<Cast>, Stop> {
        let key = &cast.settings.key;
        let read = self.store.cast(&cast.id).await?.filter(|read| read.settings.key == *key).map(Arc::new);
        self.book.learn(key, read.clone(), self.clock.now());
        read.ok_or_else(|| DenialCode::UnknownCast.into())
    }

    fn draw_up(
        &self,
        id: &SessionId,
        cast: &Cast,
        (admission, image): (Admission, &Arc<Image>),
        ticket: &LaunchTicket,
        window: Option<&Window>,
        now: Timestamp,
    ) -> Reservation {
        let key = Window::key(&cast.id, &ticket.address);
        let settings = &image.settings;
        let session = Session {
            id: id.clone(),
            rev: 1,
            cast_id: cast.id.clone(),
            cast_key: cast.settings.key.clone(),
            cast_name: cast.settings.name.clone(),
            error_url: cast.settings.error_url.clone(),
            owner: Owner::Anonymous { id: UserId::from_bytes(ids::draw(&*self.entropy)) },
            charge: Charge { count: admission.count, window: admission.window.then(|| key.clone()) },
            launch: Launch {
                image_id: image.id.clone(),
                image_name: settings.name.clone(),
                task_definition: image.task_definition.clone(),
                container: settings.container.clone(),
                port: settings.port,
                environment: settings.environment.clone(),
                kasm_url: cast.settings.kasm_url.clone(),
                attempt: 1,
            },
            origin: Origin { address: ticket.address.clone(), referrer: ticket.referrer.clone() },
            created_at: now,
            ready_by: now.plus_seconds(u64::from(settings.start_timeout_seconds)),
            time_limit_seconds: settings.session_time_limit_seconds,
            state: State::Reserved,
            task: None,
            due_at: Some(now.plus_seconds(RESERVED_SECONDS)),
        };
        let window = cast.settings.ip_limit.map(|limit| policy::ip_window::take(limit, key, window, id, now));
        Reservation { session, cast_version: cast.version, window }
    }

    fn sign_owner(&self, session: &Session) -> String {
        // Good as long as the session can live, and an hour more to read why it ended.
        let expires = session.ready_by.plus_seconds(u64::from(session.time_limit_seconds) + 3600);
        OwnerTicket { session: session.id.clone(), expires }.sign(&self.keys)
    }

    async fn find_cast(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Cast>>, Fault> {
        match CastKey::parse(key) {
            Some(key) => self.book.cast(&self.store, &key, now).await,
            None => Ok(None),
        }
    }

    async fn find_image(&self, cast: Option<&Cast>, now: Timestamp) -> Result<Option<Arc<Image>>, Fault> {
        match cast {
            Some(cast) if cast.settings.enabled => self.book.image(&self.store, &cast.settings.image_id, now).await,
            _ => Ok(None),
        }
    }

    /// Counts a refusal, logs a fault, and says where the visitor goes.
    async fn refuse(&self, stop: Stop, cast: Option<&Cast>, referrer: Option<String>, visitor: &Visitor) -> Refusal {
        let now = self.clock.now();
        let cast = cast.filter(|cast| cast.settings.enabled);
        let mut refusal = self.refuse_quietly(stop);
        refusal.error_url = cast.and_then(|cast| cast.settings.error_url.clone());
        let address = address::hash(visitor.address, &self.keys);
        let sample = RefusalSample { at: now, reference: refusal.reference.clone(), address, referrer };
        let batch = self.refusals.note(cast.map(|cast| cast.id.clone()), refusal.denial().code, sample, now);
        if !batch.is_empty()
            && let Err(fault) = self.store.add_refusals(&batch).await
        {
            tracing::warn!(%fault, "Could not write {} refusal counts", batch.len());
        }
        refusal
    }

    /// Logs a fault under the reference that the visitor will see.
    pub(super) fn refuse_quietly(&self, stop: Stop) -> Refusal {
        let reference = Reference::draw(&*self.entropy);
        if let Stop::Fault(fault) = &stop {
            tracing::error!(%reference, %fault, "Refused with reference {reference}");
        }
        Refusal { stop, reference, error_url: None }
    }
}

const fn takes_nothing(cast: &Cast) -> bool {
    !cast.settings.limit_total_sessions && cast.settings.ip_limit.is_none()
}

/// An admission without an image cannot be: the image rule comes first.
fn denial_of(verdict: Verdict) -> Stop {
    match verdict {
        Verdict::Deny(denial) => denial.into(),
        Verdict::Admit(_) => Denial::new(DenialCode::ImageUnavailable).into(),
    }
}
