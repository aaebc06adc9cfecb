//! Owns the opening of a link: it evaluates the policies without changing anything, and returns
//! what a claim needs.

use std::sync::Arc;

use super::admission_context::{AdmissionContext, VisitDetails};
use super::link_visit::{Counts, LinkVisit};
use super::refusal::RefusedVisit;
use super::{ControlPlane, FlowError, Refusal, Visitor};
use crate::access_tier;
use crate::address;
use crate::captcha::CaptchaKind;
use crate::cast::{AnonymousResume, Cast};
use crate::denial::DenialCode;
use crate::ids::{self, Nonce};
use crate::persistent_profile;
use crate::policy::{self, LinkParameters, NotApplied, Requirement, Resumption, Verdict};
use crate::session::Session;
use crate::ticket::{LAUNCH_TICKET_SECONDS, LaunchTicket, VIA_TICKET_SECONDS, ViaTicket};

/// The content of a landing page.
#[derive(Clone, Debug)]
pub struct LandingInfo {
    /// The link.
    pub cast: Arc<Cast>,
    /// The image that it starts.
    pub image_name: String,
    /// Whether its sessions keep files for their user.
    pub keeps_files: bool,
    /// Who is invited, if the visitor came by an invitation.
    pub invited: Option<String>,
    /// The visitor's next step.
    pub next: NextStep,
}

/// The next step of a visitor who opened a link.
#[derive(Clone, Debug)]
pub enum NextStep {
    /// Log in, and return with this ticket (parameter `via`), which keeps the referrer.
    LogIn {
        /// Good for [`VIA_TICKET_SECONDS`].
        via: String,
    },
    /// Claim a session.
    Claim(Box<ClaimOffer>),
}

/// Everything that a claim needs.
#[derive(Clone, Debug)]
pub struct ClaimOffer {
    /// The launch ticket, good for [`LAUNCH_TICKET_SECONDS`].
    pub ticket: String,
    /// The CAPTCHA, if one is required, or gives the visitor more.
    pub captcha: Option<CaptchaNeed>,
    /// For anonymous visitors to whom a login may give more: the parameter `via` with which they
    /// come back from it. Good for [`VIA_TICKET_SECONDS`].
    pub login: Option<String>,
    /// The address from the link's parameters that the visitor must agree to open. A new session
    /// starts only then; a resumed one is theirs either way.
    pub opens: Option<String>,
    /// The running session that the claim would resume.
    pub resumes: Option<Resumable>,
    /// For links that check the referrer: the parameter `via` for reloading the page, because
    /// browsers then no longer send where it was opened from. Good for
    /// [`crate::ticket::RETURN_TICKET_SECONDS`].
    pub via: Option<String>,
}

/// A visitor's own running session, which their claim resumes.
#[derive(Clone, Debug)]
pub struct Resumable {
    /// The session, as read a moment ago.
    pub session: Session,
    /// The link's parameters that will not be applied, by reason.
    pub not_applied: Vec<NotApplied>,
    /// Whether the visitor chooses between it and another one.
    pub asks: bool,
}

/// What a page or a program needs to solve the CAPTCHA.
#[derive(Clone, Debug)]
pub struct CaptchaNeed {
    /// The provider.
    pub kind: CaptchaKind,
    /// The provider's site key.
    pub site_key: Option<String>,
    /// The challenge, as JSON, for the kinds that have one.
    pub challenge: Option<String>,
    /// Whether a claim without a solution is accepted as well, and gives less.
    pub is_optional: bool,
}

impl ControlPlane {
    /// Evaluates the visit of a link, and issues a launch ticket. Writes nothing, but when an
    /// invitation with an activation time-out is opened first. `via` is the ticket that the visitor
    /// brings back from the login.
    ///
    /// # Errors
    /// The refusal that a claim would get, as far as it is known now.
    pub async fn open(
        &self,
        key: &str,
        visitor: &Visitor,
        parameters: &LinkParameters,
        via: Option<&str>,
    ) -> Result<LandingInfo, Refusal> {
        self.settle_refusals().await;
        let visit = self.begin(key, visitor, Counts::Later).await?;
        let referrer = self.page_referrer(&visit, visitor, via);
        match self
            .judge_visit(&visit, visitor, parameters, referrer.as_deref())
            .await
        {
            Ok(opened) => Ok(opened),
            Err(error) => {
                let refused = RefusedVisit {
                    key,
                    cast: visit.cast.as_deref(),
                    parameters: parameters.clone(),
                    referrer,
                    visitor,
                };
                Err(self.refuse(error, refused).await)
            }
        }
    }

    /// The referrer of the first click: of this request, or of the one that `via` is the ticket of.
    fn page_referrer(
        &self,
        visit: &LinkVisit,
        visitor: &Visitor,
        via: Option<&str>,
    ) -> Option<String> {
        let now = visit.now;
        let via = via.and_then(|text| ViaTicket::open(text, &self.keys, now).ok());
        let via = via.filter(|via| {
            let may_roam = via.roams_until.is_some_and(|until| now < until);
            visit.cast.as_ref().is_some_and(|cast| cast.id == via.cast)
                && (may_roam || address::is_of(&via.address, visitor.address, &self.keys))
        });
        via.map_or_else(|| visitor.referrer.clone(), |via| via.referrer)
    }

    async fn judge_visit(
        &self,
        visit: &LinkVisit,
        visitor: &Visitor,
        parameters: &LinkParameters,
        referrer: Option<&str>,
    ) -> Result<LandingInfo, FlowError> {
        let (now, found) = (visit.now, &visit.cast);
        let own = self.find_own(found.as_deref(), visitor, visit.wait).await?;
        let mut context = self
            .gather(
                found.clone(),
                own,
                VisitDetails {
                    visitor,
                    referrer,
                    parameters,
                    wait: visit.wait,
                },
                now,
            )
            .await?;
        self.look_at_uses(&mut context).await?;
        if parameters.invitation().is_some() && context.invitation.is_none() {
            // A guess, as an unknown key is.
            self.attempts.note(&visit.address, now);
        }
        if found
            .as_ref()
            .is_some_and(|cast| cast.settings.waiting_room)
        {
            // With a waiting room, a full link is no reason to refuse.
            context.forget_crowd();
        }
        if context.cast.is_none() {
            self.attempts.note(&visit.address, now);
            policy::attempts::check(visit.wait)?;
        }
        let verdict = policy::admit(&context.facts(None, now));
        let Some(cast) = context.cast.clone() else {
            return Err(DenialCode::UnknownCast.into());
        };
        let next = match verdict {
            Verdict::Deny(denial) if denial.code == DenialCode::LoginRequired => NextStep::LogIn {
                via: self.login_ticket(&cast, referrer, visit),
            },
            Verdict::Deny(denial) => return Err(denial.into()),
            Verdict::Admit(admission) => {
                self.begin_activation(&mut context, now).await?;
                let opens = admission
                    .kasm_url
                    .url
                    .filter(|_| admission.kasm_url.by_visitor);
                NextStep::Claim(Box::new(self.offer_claim(&cast, &context, visit, opens)))
            }
            Verdict::Resume(Resumption { opens, not_applied }) => {
                NextStep::Claim(Box::new(ClaimOffer {
                    captcha: None,
                    login: None,
                    resumes: context.own_session.clone().map(|session| Resumable {
                        asks: visitor.user.is_none()
                            && cast.settings.anonymous_resume == AnonymousResume::Ask,
                        session,
                        not_applied,
                    }),
                    ..self.offer_claim(&cast, &context, visit, opens)
                }))
            }
        };
        let running = context.own_session.as_ref();
        let image_name = context
            .image
            .as_ref()
            .map(|image| image.settings.name.clone())
            .or_else(|| running.map(|own| own.launch.image_name.clone()))
            // The name of the cast is internal; its key is known to the visitor.
            .unwrap_or_else(|| cast.settings.key.to_string());
        let keeps_files = context
            .image
            .as_ref()
            .is_some_and(|image| persistent_profile::is_kept(&cast, image));
        Ok(LandingInfo {
            cast,
            keeps_files,
            invited: context
                .invitation
                .map(|invitation| invitation.settings.name),
            image_name,
            next,
        })
    }

    /// The ticket with which a visitor comes back from the login.
    fn login_ticket(&self, cast: &Cast, referrer: Option<&str>, visit: &LinkVisit) -> String {
        let expires = visit.now.plus_seconds(VIA_TICKET_SECONDS);
        ViaTicket {
            cast: cast.id.clone(),
            referrer: referrer.map(str::to_owned),
            address: visit.address.clone(),
            roams_until: Some(expires),
            expires,
        }
        .sign(&self.keys)
    }

    fn offer_claim(
        &self,
        cast: &Cast,
        context: &AdmissionContext<'_>,
        visit: &LinkVisit,
        opens: Option<String>,
    ) -> ClaimOffer {
        let (now, address) = (visit.now, visit.address.clone());
        let nonce = Nonce::from_bytes(ids::random_bytes(&*self.entropy));
        let bound_to = captcha_bond(cast, nonce.as_str());
        let via = (!cast.settings.referrers.is_empty()).then(|| {
            let referrer = context.referrer.map(str::to_owned);
            self.return_ticket(cast, referrer, address.clone(), now)
        });
        let ticket = LaunchTicket {
            cast: cast.id.clone(),
            version: cast.version,
            referrer: context.referrer.map(str::to_owned),
            kasm_url: context.parameters.kasm_url.clone(),
            docker_network: context.parameters.docker_network.clone(),
            invitation: context.parameters.invitation().map(str::to_owned),
            address,
            nonce,
            place: None,
            proven: false,
            another: context.visitor.another,
            expires: now.plus_seconds(LAUNCH_TICKET_SECONDS),
        };
        let requirement = context.captcha_requirement(cast);
        let captcha = (requirement != Requirement::No).then(|| {
            let settings = &context.deployment.settings.captcha;
            CaptchaNeed {
                kind: settings.kind,
                site_key: settings.site_key.clone(),
                challenge: self.captcha.challenge(settings, &bound_to, now),
                is_optional: requirement == Requirement::Optional,
            }
        });
        let tiers = &cast.settings.access_tiers;
        let login = access_tier::login_may_help(tiers, &context.shown(cast));
        ClaimOffer {
            ticket: ticket.sign(&self.keys),
            captcha,
            login: login.then(|| self.login_ticket(cast, context.referrer, visit)),
            opens,
            resumes: None,
            via,
        }
    }
}

/// The purpose of a challenge: one link, and the ticket of one of its pages.
pub(super) fn captcha_bond(cast: &Cast, ticket: &str) -> String {
    format!("{}/{ticket}", cast.id)
}
