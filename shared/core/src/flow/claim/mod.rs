//! Owns the claim: from an opened link to a reserved session, or a place in the waiting room.
//!
//! A [`ClaimAttempt`] is begun (limiter, cast, ticket, context), evaluated, reserved and launched.
//! What each step takes, and what gives it back when a later step fails or its process dies:
//!
//! | step | takes | given back by |
//! |---|---|---|
//! | begin | an attempt of the address, in memory | nothing: it is forgotten after a minute |
//! | ask | nothing: the server of the link's admission hook is told of the claim | nothing |
//! | pick | a staged session, out of this process's cache | `return_staged`, where the reservation fails |
//! | reserve | one of Sessions Remaining (`Charge::count`) | the write that ends the session unserved (`Store::save_session`) |
//! | reserve | a slot in the IP window (`Charge::window`) | the same write |
//! | reserve | a use of the visitor's invitation (`Charge::held`) | the write that ends the session unserved |
//! | reserve | counts of live sessions, and money (`Charge::held`) | the write that ends the session, served or not; of money, what was not used |
//! | reserve | the CAPTCHA's proof | nothing: a proof is used once |
//! | reserve | a staged session, out of its pool | nothing: an exchange (`deliver_assignment`) gives the claim another one, with all that it took |
//! | reserve | the visitor's place in the waiting room | `enqueue`, where the start found no machine |
//! | launch | a task | ECS's first event, or the sweep, writes it down, or stops it if its session has ended |
//!
//! All of *reserve* is one transaction: everything is taken, or nothing. A process that dies after
//! it leaves a reserved session, whose task the sweep starts or which it ends.

mod admission_hook;
mod queue;
mod reserve;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::admission_context::{AdmissionContext, VisitDetails};
use super::link_visit::{Counts, LinkVisit};
use super::refusal::RefusedVisit;
use super::waiting_room::Waiting;
use super::{ControlPlane, FlowError, Refusal, Visitor, outcome};
use crate::captcha::Proof;
use crate::cast::{AnonymousResume, Cast};
use crate::denial::DenialCode;
use crate::ids::{CastKey, Nonce, SessionId};
use crate::invitation::Invitation;
use crate::policy::{self, LinkParameters, NotApplied, ProofFact};
use crate::quota::QuotaKind;
use crate::rate_limit::RateLimit;
use crate::rate_window::RateWindow;
use crate::session::Session;
use crate::ticket::{LaunchTicket, OwnerTicket};
use crate::time::Timestamp;

/// The content of a claim.
#[derive(Clone, Debug, Default)]
pub struct ClaimRequest {
    /// The launch ticket of the page.
    pub ticket: String,
    /// The solution of the CAPTCHA.
    pub captcha: Option<String>,
    /// Whether the visitor agrees to open the address from the link's parameters.
    pub consent: bool,
    /// Whether the visitor's browser drops cookies, and with them the owner ticket.
    pub drops_cookies: bool,
    /// The idempotency key of a program.
    pub idempotency_key: Option<String>,
}

/// A session for its visitor.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its row.
    pub session: Session,
    /// The owner ticket of the session.
    pub owner_ticket: String,
    /// For a resumed session: the link's parameters that were not applied.
    pub resumed: Option<Vec<NotApplied>>,
    /// Whether the visitor's browser is to find the session again.
    pub by_browser: bool,
    /// How much of the link's rate limit is left for this visitor, if this claim used a slot of it.
    pub left: Option<RateLimit>,
}

/// The outcome of a claim.
#[derive(Clone, Debug)]
pub enum ClaimOutcome {
    /// A session.
    Session(Box<Claimed>),
    /// An entry in the link's waiting queue.
    Queued(Waiting),
}

impl ClaimOutcome {
    /// The session, if there is one.
    pub fn session(self) -> Option<Claimed> {
        match self {
            Self::Session(claimed) => Some(*claimed),
            Self::Queued(_) => None,
        }
    }
}

/// A claim that is being processed.
struct ClaimAttempt<'a> {
    plane: &'a ControlPlane,
    /// The link, as last read.
    cast: Arc<Cast>,
    /// The input of the policies.
    context: AdmissionContext<'a>,
    ticket: &'a LaunchTicket,
    request: &'a ClaimRequest,
    /// The session's id.
    id: SessionId,
    /// The nonce from which the id follows.
    nonce: Nonce,
    /// Whether the nonce follows from the visitor's browser.
    follows_browser: bool,
    /// The parts of the request that must be the same when its idempotency key is repeated.
    content: Option<Vec<&'a str>>,
    proof: Option<Proof>,
    /// The rate window, if it was read.
    window: Option<RateWindow>,
    /// Counts that this claim has just counted itself, because a change of their limit has not
    /// reached every instance yet.
    counted: BTreeSet<QuotaKind>,
    /// Staged sessions that other claims took first.
    lost: BTreeSet<SessionId>,
}

impl ControlPlane {
    /// Claims a session: takes everything that the link's limits count, all or nothing, and starts
    /// the task. If none is available and the link has a waiting room, the visitor gets an entry in
    /// its queue. The same ticket always leads to the same session, and so does the same
    /// idempotency key of the same caller.
    ///
    /// # Errors
    /// The refusal, after everything was given back.
    pub async fn claim(
        &self,
        key: &str,
        request: &ClaimRequest,
        visitor: &Visitor,
    ) -> Result<ClaimOutcome, Refusal> {
        self.settle_refusals().await;
        let visit = self.begin(key, visitor, Counts::Always).await?;
        let mut referrer = visitor.referrer.clone();
        let mut parameters = LinkParameters::default();
        let claimed = async {
            let visitor = &Visitor {
                another: self.wants_another(request, visit.now),
                // A claim is no look.
                automated: false,
                ..visitor.clone()
            };
            let own = self
                .find_own(visit.cast.as_deref(), visitor, visit.wait)
                .await?;
            let (cast, ticket) = self.claim_ticket(&visit, own.is_some(), request)?;
            // The referrer is that of the page; the claim's own is the page itself.
            referrer.clone_from(&ticket.referrer);
            parameters = LinkParameters {
                kasm_url: ticket.kasm_url.clone(),
                docker_network: ticket.docker_network.clone(),
                invitation: ticket.invitation.clone(),
            };
            if request.drops_cookies {
                return Err(DenialCode::CookiesBlocked.into());
            }
            // On the heap: the future of a claim is large, and every caller's would contain it.
            Box::pin(async {
                let now = self.clock.now();
                let details = VisitDetails {
                    visitor,
                    referrer: ticket.referrer.as_deref(),
                    parameters: &parameters,
                    wait: visit.wait,
                };
                let mut context = self.gather(Some(cast.clone()), own, details, now).await?;
                context.consent = Some(request.consent);
                let is_timed = |found: &Invitation| found.settings.activation_minutes.is_some();
                if context.invitation.as_ref().is_some_and(is_timed) {
                    self.look_at_uses(&mut context).await?;
                    self.begin_activation(&mut context, now).await?;
                }
                context.key = CastKey::parse(key);
                ClaimAttempt::new(self, cast, context, &ticket, request)
                    .serve(now)
                    .await
            })
            .await
        };
        match claimed.await {
            Ok(received) => Ok(received),
            Err(error) => {
                let refused = RefusedVisit {
                    key,
                    cast: visit.cast.as_deref(),
                    parameters,
                    referrer,
                    visitor,
                };
                Err(self.refuse(error, refused).await)
            }
        }
    }

    /// The link and the claim's ticket, for those who may know the link.
    fn claim_ticket(
        &self,
        visit: &LinkVisit,
        has_own: bool,
        request: &ClaimRequest,
    ) -> Result<(Arc<Cast>, LaunchTicket), FlowError> {
        let known = match &visit.cast {
            None => Err(DenialCode::UnknownCast.into()),
            Some(cast) => {
                let ticket = self.check_ticket(&request.ticket, cast, visit.now);
                // A disabled link looks like an unknown one, except to those whose claim was
                // accepted before.
                let hidden = !cast.settings.enabled && !has_own;
                if hidden && (ticket.is_err() || visit.wait.is_some()) {
                    Err(DenialCode::UnknownCast.into())
                } else {
                    ticket.map(|ticket| (cast.clone(), ticket))
                }
            }
        };
        if let Err(FlowError::Denied(denial)) = &known
            && denial.code == DenialCode::UnknownCast
        {
            policy::attempts::check(visit.wait)?;
        }
        known
    }

    /// Whether the page of this claim was opened to start another session beside the visitor's own.
    fn wants_another(&self, request: &ClaimRequest, now: Timestamp) -> bool {
        LaunchTicket::open(&request.ticket, &self.keys, now).is_ok_and(|ticket| ticket.another)
    }

    /// The nonce of the next session of an anonymous visitor's browser: all its tabs have the same,
    /// so that their claims lead to one session. `None` where browsers do not resume.
    fn nonce_of_browser(
        &self,
        cast: &Cast,
        visitor: &Visitor,
        ticket: &LaunchTicket,
    ) -> Option<Nonce> {
        let resumes = cast.settings.anonymous_resume != AnonymousResume::Off
            && visitor.user.is_none()
            && !ticket.another
            && ticket.place.is_none();
        let browser = visitor.browser.as_ref().filter(|_| resumes)?;
        let after = visitor.own.as_ref().map_or("", SessionId::as_str);
        Some(Nonce::from_request(
            &self.keys.hash_browser(browser),
            &format!("{} {after}", cast.id),
        ))
    }

    fn sign_owner(&self, session: &Session) -> String {
        // Good for the longest life of the session, and for an hour more to read why it ended.
        let expires = session.ready_by.plus_seconds(session.most_seconds() + 3600);
        OwnerTicket {
            session: session.id.clone(),
            expires,
        }
        .sign(&self.keys)
    }
}

impl<'a> ClaimAttempt<'a> {
    /// A claim that has taken nothing yet. Its session's id follows from its ticket, or from its
    /// idempotency key.
    fn new(
        plane: &'a ControlPlane,
        cast: Arc<Cast>,
        mut context: AdmissionContext<'a>,
        ticket: &'a LaunchTicket,
        request: &'a ClaimRequest,
    ) -> Self {
        // The ticket of a queue entry stands for the claim that first came for it.
        let key = request
            .idempotency_key
            .as_ref()
            .filter(|_| ticket.place.is_none());
        let of_browser = plane
            .nonce_of_browser(&cast, context.visitor, ticket)
            .filter(|_| key.is_none());
        let follows_browser = of_browser.is_some();
        let nonce = key.map_or_else(
            || of_browser.unwrap_or_else(|| ticket.nonce.clone()),
            |key| {
                // An anonymous caller is identified by the address of the page, which the ticket
                // contains: repeated with the same ticket, the request is the same from every
                // address.
                let user = context.visitor.user.as_ref();
                let caller = user.map_or(ticket.address.as_str(), |user| user.id.as_str());
                Nonce::from_request(caller, key)
            },
        );
        let content = key.map(|_| {
            let parts = [
                ticket.kasm_url.as_deref().unwrap_or_default(),
                ticket.docker_network.as_deref().unwrap_or_default(),
                if request.consent { "agreed" } else { "" },
            ];
            parts
                .into_iter()
                .chain(ticket.invitation.as_deref())
                .collect()
        });
        let id = SessionId::from_nonce(&cast.id, &nonce);
        context.entry = Some(
            ticket
                .place
                .clone()
                .map_or_else(|| (id.clone(), false), |place| (place, true)),
        );
        if ticket.place.is_some() && !cast.settings.access_tiers.is_empty() {
            // The CAPTCHA was asked for when they came into the waiting room.
            context.proof = if ticket.proven {
                ProofFact::Passed
            } else {
                ProofFact::Missing
            };
        }
        Self {
            plane,
            cast,
            context,
            ticket,
            request,
            id,
            nonce,
            follows_browser,
            content,
            proof: None,
            window: None,
            counted: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    /// Returns a session, or a queue entry if none is available.
    async fn serve(mut self, now: Timestamp) -> Result<ClaimOutcome, FlowError> {
        self.plane.load_queue(&self.cast, &mut self.context).await?;
        if self.context.proof != ProofFact::NotAsked {
            let cast = self.cast.clone();
            self.plane
                .apply_terms(&cast, &mut self.context, now)
                .await?;
        }
        if self.context.waits(now) {
            // A visitor whose turn it is must pass the limits themselves.
            self.context.forget_crowd();
        }
        let error = match self.give(now).await {
            // A repeated claim finds its earlier session; visitors who can wait are not refused
            // here.
            Ok(session) => match outcome(&session).filter(|denial| {
                self.context.has_waiting_room() && denial.code == DenialCode::NoCapacity
            }) {
                Some(denial) => denial.into(),
                None => {
                    let owner_ticket = self.plane.sign_owner(&session);
                    return Ok(ClaimOutcome::Session(Box::new(Claimed {
                        session,
                        owner_ticket,
                        by_browser: self.context.visitor.user.is_none()
                            && self.cast.settings.anonymous_resume != AnonymousResume::Off,
                        resumed: self.context.not_applied.take(),
                        left: self.context.left,
                    })));
                }
            },
            Err(error) => error,
        };
        Box::pin(self.enqueue(error))
            .await
            .map(ClaimOutcome::Queued)
    }

    /// The session of an earlier claim, or a new one, and whether it is new.
    async fn take(&mut self, now: Timestamp) -> Result<(Session, bool), FlowError> {
        match self.prove(now).await? {
            Some(earlier) => Ok((earlier, false)),
            None => self.reserve().await,
        }
    }

    /// From now on, the session's id follows from the page's ticket.
    fn follow_ticket(&mut self) {
        self.follows_browser = false;
        self.nonce = self.ticket.nonce.clone();
        self.id = SessionId::from_nonce(&self.cast.id, &self.nonce);
        self.context.entry = Some((self.id.clone(), false));
    }

    /// Reserves and launches.
    async fn give(&mut self, now: Timestamp) -> Result<Session, FlowError> {
        let (mut session, mut is_new) = self.take(now).await?;
        if self.follows_browser && !is_new && !session.can_be_entered() {
            // The browser has not heard of this session: the page starts another one.
            self.follow_ticket();
            (session, is_new) = self.take(now).await?;
        }
        let session = Box::pin(self.plane.deliver_assignment(session)).await?;
        if is_new {
            self.plane.launch(session).await
        } else {
            Ok(self.plane.launch_again(session).await)
        }
    }
}
