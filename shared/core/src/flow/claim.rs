//! Owns the claim: from an opened link to a reserved session. Claiming takes everything in one transaction, a session that was started ahead too.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::admission_context::AdmissionContext;
use super::open::captcha_bond;
use super::waiting_room::Waiting;
use super::{ControlPlane, FlowError, Refusal, TRIES, Visitor, outcome};
use crate::METRICS;
use crate::address;
use crate::captcha::{CaptchaCheck, CaptchaVerdict, Proof};
use crate::cast::Cast;
use crate::denial::DenialCode;
use crate::ids::{CastId, CastKey, Nonce, SessionId, UserId};
use crate::image::Image;
use crate::persistent_profile;
use crate::policy::{self, Admission, LinkParameters, NotApplied, ProofFact, Resumption, Verdict};
use crate::ports::{Fault, FaultKind, RefusalSample, Reservation, Reserved};
use crate::rate_limit::RateLimit;
use crate::session::{
    Charge, Launch, Origin, Owner, PoolMembership, RESERVED_SECONDS, Session, State,
};
use crate::ticket::{LaunchTicket, OwnerTicket, TicketError};
use crate::time::Timestamp;
use crate::viewing::Sharing;
use crate::window::Window;

/// What a claim brings.
#[derive(Clone, Debug, Default)]
pub struct ClaimRequest {
    /// The launch ticket of the page.
    pub ticket: String,
    /// The proof that somebody is there.
    pub captcha: Option<String>,
    /// Whether the visitor agrees to open the address that came with the link.
    pub consent: bool,
    /// What a program calls its request, to be able to repeat it.
    pub idempotency_key: Option<String>,
}

/// A session that was given out.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its row.
    pub session: Session,
    /// Shows that the bearer owns it.
    pub owner_ticket: String,
    /// For a session that was running already: what the link's parameters asked for and did not get.
    pub resumed: Option<Vec<NotApplied>>,
    /// What is left of the link's limit for this visitor, if this very claim took a slot of one.
    pub left: Option<RateLimit>,
}

/// The outcome of a claim.
#[derive(Clone, Debug)]
pub enum ClaimOutcome {
    /// A session.
    Session(Box<Claimed>),
    /// No session yet, but an entry in the link's waiting queue.
    Queued(Waiting),
}

impl ClaimOutcome {
    /// The session, if it is one.
    pub fn session(self) -> Option<Claimed> {
        match self {
            Self::Session(claimed) => Some(*claimed),
            Self::Queued(_) => None,
        }
    }
}

/// The parts of a claim that stay the same through all its tries.
pub(super) struct ClaimAttempt<'a> {
    pub(super) id: SessionId,
    /// The id follows from it.
    pub(super) nonce: Nonce,
    pub(super) ticket: &'a LaunchTicket,
    /// What the claim asks for, when it has an idempotency key.
    request: Option<[&'a str; 3]>,
    pub(super) proof: Option<Proof>,
}

/// What is known of a visit before anything is gathered for it.
struct Known<'a> {
    /// The key that the visitor came with.
    key: &'a str,
    /// The visitor's own live session of the link.
    own_session: Option<Session>,
    /// How long the attempt limiter holds the visitor back, in seconds.
    wait: Option<u64>,
}

impl ControlPlane {
    /// Claims a session: takes what the link's limits ask for, all or nothing, and starts the task; where there is none to be had now and the link
    /// has a waiting room, the visitor gets a place in it. The same ticket always leads to the same session,
    /// and so does the same idempotency key of the same caller.
    ///
    /// # Errors
    /// The refusal, after everything that was taken has been given back.
    pub async fn claim(
        &self,
        key: &str,
        request: &ClaimRequest,
        visitor: &Visitor,
    ) -> Result<ClaimOutcome, Refusal> {
        self.settle_refusals().await;
        let now = self.clock.now();
        let mut found = None;
        let mut referrer = visitor.referrer.clone();
        let claimed = async {
            let address = address::hash(visitor.address, &self.keys);
            let most = self
                .cache
                .system(&*self.store, now)
                .await?
                .settings
                .attempts_per_minute;
            let wait = self.attempts.wait(&address, most, now);
            self.attempts.note(&address, now);
            found = self.find_cast(key, wait, now).await?;
            let own = self.find_own(found.as_deref(), visitor, wait).await?;
            let known = found.clone().ok_or(DenialCode::UnknownCast.into());
            let known = known.and_then(|cast| {
                let ticket = self.check_ticket(&request.ticket, &cast, now);
                // A disabled link is as unknown as any, but to those whose claim was accepted before.
                let hidden = !cast.settings.enabled && own.is_none();
                if hidden && (ticket.is_err() || wait.is_some()) {
                    return Err(DenialCode::UnknownCast.into());
                }
                ticket.map(|ticket| (cast, ticket))
            });
            if let Err(FlowError::Denied(denial)) = &known
                && denial.code == DenialCode::UnknownCast
            {
                policy::attempts::check(wait)?;
            }
            let (cast, ticket) = known?;
            // The page was opened from there; the claim's own Referer is that page.
            referrer.clone_from(&ticket.referrer);
            // On the heap: what a claim holds on its way is large, and every caller would hold a place for it.
            let known = Known {
                key,
                own_session: own,
                wait,
            };
            Box::pin(self.serve(cast, known, &ticket, request, visitor)).await
        };
        match claimed.await {
            Ok(received) => Ok(received),
            Err(error) => Err(self
                .refuse(error, found.as_deref(), referrer, visitor)
                .await),
        }
    }

    /// Reads the ticket of a page. The visitor's address may have changed since: a phone leaves its
    /// wireless network, IPv6 takes turns with IPv4. Limits count the address of the claim.
    pub(super) fn check_ticket(
        &self,
        text: &str,
        cast: &Cast,
        now: Timestamp,
    ) -> Result<LaunchTicket, FlowError> {
        let ticket = LaunchTicket::open(text, &self.keys, now).map_err(|error| match error {
            TicketError::Invalid => DenialCode::TicketInvalid,
            TicketError::Expired => DenialCode::TicketExpired,
        })?;
        if ticket.cast != cast.id {
            return Err(DenialCode::TicketForeign.into());
        }
        Ok(ticket)
    }

    /// Gathers, and gives a session, or a place where there is none to be had now.
    async fn serve(
        &self,
        cast: Arc<Cast>,
        known: Known<'_>,
        ticket: &LaunchTicket,
        request: &ClaimRequest,
        visitor: &Visitor,
    ) -> Result<ClaimOutcome, FlowError> {
        let now = self.clock.now();
        let wishes = LinkParameters {
            kasm_url: ticket.kasm_url.clone(),
            docker_network: ticket.docker_network.clone(),
        };
        let mut context = self
            .gather(
                Some(cast.clone()),
                known.own_session,
                visitor,
                ticket.referrer.as_deref(),
                &wishes,
                now,
            )
            .await?;
        (context.consent, context.wait) = (Some(request.consent), known.wait);
        context.key = CastKey::parse(known.key);
        let mut attempt = self.derive_session_id(&cast, ticket, request, visitor);
        context.entry = Some(
            ticket
                .place
                .clone()
                .map_or_else(|| (attempt.id.clone(), false), |place| (place, true)),
        );
        self.load_queue(&cast, &mut context).await?;
        if context.waits(now) {
            // Whoever was told that it is their turn asks the counts themselves.
            context.forget_crowd();
        }
        let given = async {
            let session = self
                .take(cast, &mut context, &mut attempt, request, now)
                .await?;
            let session = Box::pin(self.deliver_assignment(session)).await?;
            self.launch(session).await
        };
        let error = match given.await {
            // A claim that comes again finds what the first one did; those who can wait do not end there.
            Ok(session) => match outcome(&session).filter(|denial| {
                context.has_waiting_room() && denial.code == DenialCode::NoCapacity
            }) {
                Some(denial) => denial.into(),
                None => {
                    let owner_ticket = self.sign_owner(&session);
                    return Ok(ClaimOutcome::Session(Box::new(Claimed {
                        session,
                        owner_ticket,
                        resumed: context.not_applied.take(),
                        left: context.left,
                    })));
                }
            },
            Err(error) => error,
        };
        Box::pin(self.enqueue(error, &mut context, &mut attempt, request))
            .await
            .map(ClaimOutcome::Queued)
    }

    /// Asks for the proof where one is needed, and reserves.
    async fn take(
        &self,
        cast: Arc<Cast>,
        context: &mut AdmissionContext<'_>,
        attempt: &mut ClaimAttempt<'_>,
        request: &ClaimRequest,
        now: Timestamp,
    ) -> Result<Session, FlowError> {
        // Whoever waits has shown it before.
        if policy::captcha::applies(&cast.settings, context.visitor.user.as_ref())
            && !context.waits(now)
        {
            // Whoever is refused anyway, or was let in before, is not worth a check.
            if let Verdict::Deny(denial) = policy::admit(&context.facts(None, now)) {
                return self.find_earlier(attempt, denial.into()).await;
            }
            if let Some(session) = self.store.session(&attempt.id).await? {
                return self.same_request(session, attempt);
            }
            self.check_proof(&cast, context, attempt, request, now)
                .await;
        }
        self.reserve(cast, context, attempt).await
    }

    /// Which session this claim is for.
    fn derive_session_id<'a>(
        &self,
        cast: &Cast,
        ticket: &'a LaunchTicket,
        request: &ClaimRequest,
        visitor: &Visitor,
    ) -> ClaimAttempt<'a> {
        // The ticket of a place stands for the claim that came for it, whatever that was called.
        let Some(key) = request
            .idempotency_key
            .as_ref()
            .filter(|_| ticket.place.is_none())
        else {
            let nonce = ticket.nonce.clone();
            return ClaimAttempt {
                id: SessionId::from_nonce(&cast.id, &nonce),
                nonce,
                ticket,
                request: None,
                proof: None,
            };
        };
        // An anonymous caller is known by the address of the page, which the ticket keeps: repeated
        // with the same ticket, the request is the same wherever it comes from.
        let caller = visitor
            .user
            .as_ref()
            .map_or(ticket.address.as_str(), |user| user.id.as_str());
        let nonce = Nonce::from_request(caller, key);
        let id = SessionId::from_nonce(&cast.id, &nonce);
        let (url, network) = (ticket.kasm_url.as_deref(), ticket.docker_network.as_deref());
        let content = [
            url.unwrap_or_default(),
            network.unwrap_or_default(),
            if request.consent { "agreed" } else { "" },
        ];
        ClaimAttempt {
            id,
            nonce,
            ticket,
            request: Some(content),
            proof: None,
        }
    }

    /// Asks whoever can tell whether the visitor's proof is good.
    pub(super) async fn check_proof(
        &self,
        cast: &Cast,
        context: &mut AdmissionContext<'_>,
        attempt: &mut ClaimAttempt<'_>,
        request: &ClaimRequest,
        now: Timestamp,
    ) {
        let token = request.captcha.as_deref().filter(|token| !token.is_empty());
        (context.proof, attempt.proof) = match token {
            Some(token) => {
                self.ask_verifier(cast, context, token, attempt.ticket, now)
                    .await
            }
            None => (ProofFact::Missing, None),
        };
    }

    async fn ask_verifier(
        &self,
        cast: &Cast,
        context: &AdmissionContext<'_>,
        token: &str,
        ticket: &LaunchTicket,
        now: Timestamp,
    ) -> (ProofFact, Option<Proof>) {
        // The version before made challenges for addresses; its pages are good for a few minutes.
        let [ticket, address] = [ticket.nonce.as_str(), ticket.address.as_str()]
            .map(|holder| captcha_bond(cast, holder));
        let check = CaptchaCheck {
            settings: &context.system.settings.captcha,
            token,
            bound_to: &[&ticket, &address],
            address: context.visitor.address,
            hostname: self.urls.host(),
            now,
        };
        match self.captcha.verify(check).await {
            CaptchaVerdict::Passed(proof) => (ProofFact::Passed, Some(proof)),
            CaptchaVerdict::Failed(why) => {
                tracing::info!(cast.id = %cast.id, why, "A CAPTCHA was not solved");
                (ProofFact::Failed, None)
            }
            CaptchaVerdict::Unavailable(why) => {
                tracing::error!(cast.id = %cast.id, why, "Nobody can check CAPTCHAs: visitors of this link are refused");
                (ProofFact::Unchecked, None)
            }
        }
    }

    /// Judges and takes, again whenever what was judged turns out to be out of date.
    async fn reserve(
        &self,
        mut cast: Arc<Cast>,
        context: &mut AdmissionContext<'_>,
        attempt: &ClaimAttempt<'_>,
    ) -> Result<Session, FlowError> {
        let mut window: Option<Window> = None;
        let (mut fresh, mut lost) = (false, BTreeSet::new());
        self.refresh_system(&cast, context).await?;
        for _ in 0..TRIES {
            // Each decision has its own time: a window that others have moved on must not be judged by an earlier one.
            let now = self.clock.now();
            let (admission, image) = match (
                policy::admit(&context.facts(window.as_ref(), now)),
                context.image.clone(),
            ) {
                (Verdict::Admit(admission), Some(image)) => (admission, image),
                (Verdict::Resume(how), _) => return self.resume(context, how, now).await,
                (Verdict::Deny(denial), _) => {
                    return self.find_earlier(attempt, denial.into()).await;
                }
                // The image rule comes before any admission.
                (Verdict::Admit(_), None) => {
                    return self
                        .find_earlier(attempt, DenialCode::ImageUnavailable.into())
                        .await;
                }
            };
            let limit = admission.window.clone();
            let mut reservation = self.build_reservation(
                &cast,
                context,
                admission,
                &image,
                attempt,
                window.as_ref(),
                now,
            );
            reservation.queue = self.queue_claim(context, attempt, now);
            if !fresh
                && reservation.session.charge.is_free()
                && reservation.proof.is_none()
                && reservation.queue.is_none()
            {
                // No condition guards this reservation, so the settings themselves must be fresh.
                cast = self.read_again(&cast, context).await?;
                fresh = true;
                continue;
            }
            (reservation.session, reservation.staged) =
                self.pick_staged(reservation.session, &lost).await?;
            let mark = self.cache.mark();
            let reserved = self.store.reserve(&reservation).await?;
            if !matches!(reserved, Reserved::Placed | Reserved::StagedGone) {
                self.cache.return_staged(reservation.staged.as_deref());
            }
            match reserved {
                Reserved::Placed => {
                    context.left = reservation
                        .window
                        .as_ref()
                        .zip(limit)
                        .map(|(window, limit)| policy::ip_window::left(&limit, &window.after, now));
                    let (id, key) = (&reservation.session.id, &cast.settings.key);
                    tracing::info!(cast.key = %key, session.id = %id, "Reserved session {id} for cast {key}");
                    tracing::info!(target: METRICS, claims = 1_u64, outcome = "accepted");
                    if let Some(PoolMembership { role, .. }) = &reservation.session.pooled {
                        tracing::info!(target: METRICS, staged = 1_u64, place = role.as_str());
                    }
                    return Ok(reservation.session);
                }
                Reserved::StagedGone => lost.extend(reservation.staged.map(|staged| staged.id)),
                Reserved::Already(session) => return self.same_request(*session, attempt),
                Reserved::ConfigChanged => {
                    cast = self.read_again(&cast, context).await?;
                    fresh = true;
                }
                Reserved::SoldOut => {
                    let mut emptied = Cast::clone(&cast);
                    emptied.counter.remaining = 0;
                    cast = Arc::new(emptied);
                    context.cast = Some(cast.clone());
                    let key = context.key.as_ref().unwrap_or(&cast.settings.key);
                    self.cache.learn(key, Some(cast.clone()), now, mark);
                }
                Reserved::QueueMoved(seen) => context.queue = Some(seen),
                Reserved::WindowMoved(seen) => window = Some(seen),
                Reserved::Full(kind) => {
                    context.full.insert(kind);
                    if let Some(quota) = reservation.quotas.iter().find(|quota| quota.kind == kind)
                    {
                        self.cache.learn_full(&quota.key, now, mark);
                    }
                }
                Reserved::Uncounted(kind) => {
                    self.count_again(kind, &cast, &context.system).await?;
                }
                Reserved::ProofUsed => context.proof = ProofFact::Failed,
            }
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "reserve a session",
            detail: format!("{TRIES} tries on {}", attempt.id),
        }
        .into())
    }

    /// No condition of a reservation guards the deployment's settings, so a claim is judged by them
    /// as they are now.
    async fn refresh_system(
        &self,
        cast: &Arc<Cast>,
        context: &mut AdmissionContext<'_>,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let read = self.cache.read_system(&*self.store, now).await?;
        if read.version != context.system.version {
            context.system = read;
            self.gather_for(cast, context, now).await?;
        }
        Ok(())
    }

    /// The visitor's own session, with the address to be opened in it written down.
    async fn resume(
        &self,
        context: &mut AdmissionContext<'_>,
        how: Resumption,
        now: Timestamp,
    ) -> Result<Session, FlowError> {
        let own = context
            .own_session
            .clone()
            .ok_or(DenialCode::UnknownSession)?;
        tracing::info!(session.id = %own.id, "Session {} is resumed", own.id);
        context.not_applied = Some(how.not_applied);
        let Some(url) = how.opens else { return Ok(own) };
        let (id, known) = (own.id.clone(), own.clone());
        let row = self
            .move_session(&id, Some(own), |row| row.sent_to(url.clone(), now).ok())
            .await?;
        Ok(row.unwrap_or(known))
    }

    /// A claim that was accepted before is never refused afterwards: whoever comes back with its ticket finds its session.
    async fn find_earlier(
        &self,
        attempt: &ClaimAttempt<'_>,
        error: FlowError,
    ) -> Result<Session, FlowError> {
        match self.store.session(&attempt.id).await? {
            Some(session) => self.same_request(session, attempt),
            None => Err(error),
        }
    }

    /// The cast as it is now; none when it is gone, or the key that the visitor came with opens it
    /// no more.
    pub(super) async fn read_again(
        &self,
        cast: &Cast,
        context: &mut AdmissionContext<'_>,
    ) -> Result<Arc<Cast>, FlowError> {
        let (now, mark) = (self.clock.now(), self.cache.mark());
        let key = context.key.as_ref().unwrap_or(&cast.settings.key);
        let read = self
            .store
            .cast(&cast.id)
            .await?
            .filter(|read| read.settings.answers_to(key, now))
            .map(Arc::new);
        self.cache.learn(key, read.clone(), now, mark);
        let read = read.ok_or(DenialCode::UnknownCast)?;
        self.gather_for(&read, context, now).await?;
        self.load_queue(&read, context).await?;
        Ok(read)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "everything a session is made of meets here, once"
    )]
    fn build_reservation(
        &self,
        cast: &Cast,
        context: &AdmissionContext<'_>,
        admission: Admission,
        image: &Image,
        attempt: &ClaimAttempt<'_>,
        window: Option<&Window>,
        now: Timestamp,
    ) -> Reservation {
        let (settings, ticket, id) = (&image.settings, attempt.ticket, &attempt.id);
        let key = admission
            .window
            .as_ref()
            .map(|limit| self.window_key(cast, limit.by, context.visitor));
        let held = admission
            .quotas
            .iter()
            .map(crate::quota::Quota::held)
            .collect();
        let shares = cast.settings.enable_sharing && settings.view_only.is_some();
        let session = Session {
            id: id.clone(),
            rev: 1,
            claim: None,
            cast_id: cast.id.clone(),
            cast_key: cast.settings.key.clone(),
            cast_name: cast.settings.name.clone(),
            error_url: cast.settings.error_url.clone(),
            owner: self.make_owner(cast, context, id, now),
            charge: Charge {
                count: admission.count,
                window: key.clone(),
                held,
            },
            launch: Launch::of(image, admission.network, admission.kasm_url.url),
            origin: Origin {
                address: address::hash(context.visitor.address, &self.keys),
                referrer: ticket.referrer.clone(),
            },
            created_at: now,
            ready_by: now.plus_seconds(u64::from(settings.start_timeout_seconds)),
            ready_at: None,
            entered_at: None,
            time_limit_seconds: context
                .grant
                .time_limit_seconds(settings.session_time_limit_seconds),
            grant: context.grant.clone(),
            notes: if admission.kasm_url.ignored {
                vec!["kasm-url-ignored".to_owned()]
            } else {
                Vec::new()
            },
            said: Vec::new(),
            request: attempt
                .request
                .map(|content| self.keys.fingerprint(&content)),
            secret_key: self.keys.sessions().name().to_owned(),
            bootstrapped: None,
            go: None,
            profile: persistent_profile::carried(cast, image, context.visitor.user.as_ref()),
            viewing: context.viewing(cast, image),
            sharing: if shares {
                Sharing::default().begun(&*self.entropy)
            } else {
                Sharing::default()
            },
            pooled: None,
            state: State::Reserved,
            task: None,
            due_at: Some(now.plus_seconds(RESERVED_SECONDS)),
        };
        let window = admission
            .window
            .zip(key)
            .map(|(limit, key)| policy::ip_window::take(&limit, key, window, id, now));
        Reservation {
            session,
            cast_version: cast.version,
            window,
            quotas: admission.quotas,
            proof: attempt.proof.clone(),
            staged: None,
            queue: None,
        }
    }

    /// The user who has logged in, or a new anonymous one.
    fn make_owner(
        &self,
        cast: &Cast,
        context: &AdmissionContext<'_>,
        session: &SessionId,
        now: Timestamp,
    ) -> Owner {
        if let Some(user) = &context.visitor.user {
            return Owner::User {
                id: user.id.clone(),
                name: user.name.clone(),
            };
        }
        let hours = context.system.settings.anonymous_user_hours;
        Owner::Anonymous {
            id: UserId::of_session(session),
            group: cast.settings.anonymous_group_id.clone(),
            expires_at: hours.map(|hours| now.plus_seconds(u64::from(hours) * 3600)),
        }
    }

    fn sign_owner(&self, session: &Session) -> String {
        // Good as long as the session can live, and an hour more to read why it ended.
        let expires = session
            .ready_by
            .plus_seconds(u64::from(session.time_limit_seconds) + 3600);
        OwnerTicket {
            session: session.id.clone(),
            expires,
        }
        .sign(&self.keys)
    }

    /// Counts a refusal, logs a fault, and says where the visitor goes.
    pub(super) async fn refuse(
        &self,
        error: FlowError,
        cast: Option<&Cast>,
        referrer: Option<String>,
        visitor: &Visitor,
    ) -> Refusal {
        let now = self.clock.now();
        let cast = cast.filter(|cast| cast.settings.enabled);
        let mut refusal = self.refuse_of(error, cast.map(|cast| &cast.id));
        if let Some(cast) = cast {
            refusal.error_url = self.urls.error_page(cast.settings.error_url.as_deref());
            refusal.framed_by = cast.settings.referrers.as_slice().into();
        }
        let outcome = if matches!(refusal.error, FlowError::Fault(_)) {
            "failed"
        } else {
            "refused"
        };
        let code = refusal.denial().code;
        if code == DenialCode::BudgetReached {
            tracing::info!(target: METRICS, budget_reached = 1_u64);
        }
        // What is shown with `%` stands in the line and is no dimension: the log finds a refusal by its reference too.
        tracing::info!(
            target: METRICS, claims = 1_u64, outcome, reference = %refusal.reference, %code,
            cast_id = %cast.map_or("", |cast| cast.id.as_str()),
        );
        let address = address::hash(visitor.address, &self.keys);
        let sample = RefusalSample {
            at: now,
            reference: refusal.reference.clone(),
            address,
            referrer,
        };
        let cast = cast.map(|cast| cast.id.clone());
        let batch = self.refusals.note(cast, code, sample, now);
        if let Err(fault) = self.write_refusals(batch).await {
            tracing::warn!(%fault, "Could not write refusal counts");
        }
        refusal
    }

    /// Logs a fault under the reference that the visitor will see.
    pub(super) fn refuse_quietly(&self, error: FlowError) -> Refusal {
        self.refuse_of(error, None)
    }

    fn refuse_of(&self, error: FlowError, cast: Option<&CastId>) -> Refusal {
        let code = match &error {
            FlowError::Denied(denial) => denial.code,
            FlowError::Fault(_) => DenialCode::Fault,
        };
        let reference = self.draw_reference(code, cast);
        if let FlowError::Fault(fault) = &error {
            tracing::error!(%reference, %fault, "Refused with reference {reference}");
        }
        Refusal {
            error,
            reference,
            error_url: None,
            framed_by: Box::default(),
        }
    }

    /// A session that an idempotency key led to must have been asked for in the same way.
    fn same_request(
        &self,
        session: Session,
        attempt: &ClaimAttempt<'_>,
    ) -> Result<Session, FlowError> {
        let same = match (&session.request, &attempt.request) {
            (None, None) => true,
            (Some(print), Some(content)) => self.keys.is_fingerprint(content, print),
            _ => false,
        };
        if same {
            Ok(session)
        } else {
            Err(DenialCode::RequestDiffers.into())
        }
    }
}
