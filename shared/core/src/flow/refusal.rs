//! Owns the errors of visitor-facing flows. Must not know how they are shown.

use super::{ControlPlane, Visitor};
use crate::METRICS;
use crate::access_tier::{self, Shown};
use crate::address;
use crate::brand::Brand;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{CastId, CastKey, Reference, SessionId};
use crate::language::Language;
use crate::persistent_profile::ProfileId;
use crate::policy::LinkParameters;
use crate::ports::{Fault, FaultKind, RefusalSample};
use crate::referrer::ReferrerRule;
use crate::session::Session;
use crate::ticket::{
    NOTICE_SECONDS, NoticeTicket, RETURN_TICKET_SECONDS, VIA_TICKET_SECONDS, ViaTicket,
};
use crate::time::Timestamp;
use crate::urls;

/// When a visitor comes back whose own session is still ending, in seconds.
const ENDING_SECONDS: u64 = 5;

/// Why a flow failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// An expected refusal, explained to the visitor.
    Denied(Denial),
    /// An unexpected fault; logged, and shown as a reference.
    Fault(Fault),
}

impl From<Denial> for FlowError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<DenialCode> for FlowError {
    fn from(code: DenialCode) -> Self {
        Self::Denied(Denial::new(code))
    }
}

impl From<Fault> for FlowError {
    /// Contention is no fault: the visitor is asked to come back in a moment, and nothing was
    /// written.
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Contention => Self::Denied(Denial::retry(DenialCode::Busy, 2)),
            _ => Self::Fault(fault),
        }
    }
}

/// A failed flow, with everything that is needed to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub error: FlowError,
    /// The reference that the visitor can quote and the log contains.
    pub reference: Reference,
    /// The link's own error page (seed: Error URL).
    pub error_url: Option<Box<str>>,
    /// The sites that may frame the link, and so its refusals.
    pub framed_by: Box<[ReferrerRule]>,
    /// What helps the visitor to go on.
    pub help: Box<Help>,
}

/// What helps a refused visitor to go on, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help {
    /// The link, with its parameters and, where referrers matter, the ticket that keeps the
    /// referrer: a path of this deployment.
    pub link: Option<String>,
    /// Whom the visitor can ask: an e-mail address, an https address or a few words.
    pub contact: Option<String>,
    /// The visitor's own session that is in the way.
    pub own: Option<OwnSession>,
    /// Whether an access tier may admit the visitor once they have logged in.
    pub login_may_help: bool,
    /// The language of the link or of the session.
    pub language: Option<Language>,
    /// The brand of the link or of the deployment.
    pub brand: Brand,
}

impl Help {
    /// Adds what the deployment says, where there is nothing of the link's own.
    pub fn complete(&mut self, of_deployment: Help) {
        self.brand = self.brand.or(&of_deployment.brand);
        self.contact = self.contact.take().or(of_deployment.contact);
    }
}

/// A visitor's own session that is in the way of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSession {
    /// The session.
    pub id: SessionId,
    /// Whether it is ending already.
    pub is_ending: bool,
}

/// A request to a link that is refused.
pub(super) struct RefusedVisit<'a> {
    /// The key in the request.
    pub(super) key: &'a str,
    /// The cast with this key.
    pub(super) cast: Option<&'a Cast>,
    /// The parameters of the link.
    pub(super) parameters: LinkParameters,
    /// The referrer of the link's page.
    pub(super) referrer: Option<String>,
    /// The visitor.
    pub(super) visitor: &'a Visitor,
}

impl Refusal {
    /// The denial that the visitor sees.
    pub fn denial(&self) -> Denial {
        match &self.error {
            FlowError::Denied(denial) => denial.clone(),
            FlowError::Fault(_) => Denial::new(DenialCode::Fault),
        }
    }
}

impl ControlPlane {
    /// Counts a refusal, logs a fault, and determines the error page.
    pub(super) async fn refuse(&self, error: FlowError, visit: RefusedVisit<'_>) -> Refusal {
        let now = self.clock.now();
        let cast = visit.cast.filter(|cast| cast.settings.enabled);
        let mut refusal = self.refuse_of(error, cast.map(|cast| &cast.id));
        *refusal.help = self.help(&visit, cast, refusal.denial().code, now);
        if let (FlowError::Denied(denial), Some(cast)) = (&mut refusal.error, cast)
            && denial.code == DenialCode::ProfileBusy
        {
            refusal.help.own = self.holder_of_profile(cast, visit.visitor).await;
            if refusal.help.own.as_ref().is_some_and(|own| own.is_ending) {
                denial.retry_after = Some(ENDING_SECONDS);
            }
        }
        let RefusedVisit {
            referrer, visitor, ..
        } = visit;
        if let Some(cast) = cast {
            let error_url = self.urls.error_page(cast.settings.error_url.as_deref());
            refusal.error_url = error_url.map(Into::into);
            refusal.framed_by = cast.settings.referrers.as_slice().into();
        }
        let outcome = if matches!(refusal.error, FlowError::Fault(_)) {
            "failed"
        } else {
            "refused"
        };
        let code = refusal.denial().code;
        if matches!(
            code,
            DenialCode::BudgetReached | DenialCode::LinkBudgetReached
        ) {
            tracing::info!(target: METRICS, budget_reached = 1_u64);
        }
        if code == DenialCode::CaptchaUnavailable {
            tracing::info!(target: METRICS, captcha_unavailable = 1_u64);
        }
        // Fields with `%` are no metric dimensions; they make the log line searchable by reference.
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
        if let Some(cast) = cast {
            self.announce_refusal(cast, &refusal.denial(), now).await;
        }
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
            help: Box::default(),
        }
    }

    /// What helps this visitor to go on. Reads nothing: the deployment's settings were read at the
    /// beginning of the visit. `cast` is the link unless it is disabled, when it looks like none.
    fn help(
        &self,
        visit: &RefusedVisit<'_>,
        cast: Option<&Cast>,
        code: DenialCode,
        now: Timestamp,
    ) -> Help {
        let own = cast.and_then(|cast| cast.settings.contact.clone());
        let contact = own.or_else(|| {
            let deployment = self.cache.remembered_deployment(now)?;
            deployment.settings.contact.clone()
        });
        let listed = cast.filter(|cast| {
            !cast.settings.referrers.is_empty() && code != DenialCode::ReferrerDenied
        });
        let via = listed.map(|cast| {
            let address = address::hash(visit.visitor.address, &self.keys);
            self.return_ticket(cast, visit.referrer.clone(), address, now)
        });
        // A link that is disabled gets the same address as one that does not exist.
        let parameters = cast.map(|_| &visit.parameters);
        let mut pairs = parameters.map_or_else(Vec::new, |parameters| parameters.pairs().into());
        pairs.push(("via", via.as_deref()));
        let link = CastKey::parse(visit.key).map(|key| urls::cast_with(&key, &pairs));
        let may_help = |cast: &Cast| {
            let shown = Shown {
                captcha: false,
                user: visit.visitor.user.as_ref(),
                invited: false,
                origin: self.origin_of(cast, visit.visitor),
            };
            access_tier::login_may_help(&cast.settings.access_tiers, &shown)
        };
        Help {
            link,
            contact,
            own: None,
            login_may_help: code == DenialCode::AccessDenied && cast.is_some_and(may_help),
            language: cast.and_then(|cast| cast.settings.language.0),
            brand: self.brand(cast),
        }
    }

    /// The brand of this link, or of the deployment. Reads nothing: where the deployment's settings
    /// were not read lately, only the link's own.
    pub fn brand(&self, cast: Option<&Cast>) -> Brand {
        let deployment = self.cache.remembered_deployment(self.clock.now());
        let of_deployment = deployment
            .map(|deployment| deployment.settings.brand.clone())
            .unwrap_or_default();
        cast.map_or_else(
            || of_deployment.clone(),
            |cast| cast.settings.brand.or(&of_deployment),
        )
    }

    /// What the deployment's pages say where there is no link: its brand and its contact. Where its
    /// settings cannot be read, they say nothing of it.
    pub async fn deployment_help(&self) -> Help {
        let read = self.cache.deployment(&*self.store, self.clock.now()).await;
        if let Err(fault) = read {
            tracing::warn!(%fault, "The brand of a page could not be read");
        }
        self.remembered_help()
    }

    /// The same, as far as it is known without reading anything.
    pub fn remembered_help(&self) -> Help {
        let deployment = self.cache.remembered_deployment(self.clock.now());
        deployment.map_or_else(Help::default, |deployment| Help {
            brand: deployment.settings.brand.clone(),
            contact: deployment.settings.contact.clone(),
            ..Help::default()
        })
    }

    /// The visitor's live session that has the profile which a session of this cast needs. A fault
    /// costs only the way there.
    async fn holder_of_profile(&self, cast: &Cast, visitor: &Visitor) -> Option<OwnSession> {
        let user = &visitor.user.as_ref()?.id;
        let profile = ProfileId::of(user, &cast.settings.image_id);
        let live = self.live_sessions_of(user).await.ok()?;
        let holder = live.into_iter().find(|session| {
            let carried = session.profile.as_ref();
            carried.is_some_and(|carried| carried.id == profile)
        })?;
        Some(OwnSession {
            is_ending: !holder.can_be_entered(),
            id: holder.id,
        })
    }

    /// The ticket with which a link's page is loaded again: browsers then no longer send where it
    /// was opened from.
    pub(super) fn return_ticket(
        &self,
        cast: &Cast,
        referrer: Option<String>,
        address: String,
        now: Timestamp,
    ) -> String {
        ViaTicket {
            cast: cast.id.clone(),
            referrer,
            address,
            roams_until: Some(now.plus_seconds(VIA_TICKET_SECONDS)),
            expires: now.plus_seconds(RETURN_TICKET_SECONDS),
        }
        .sign(&self.keys)
    }

    /// The refusal of a session that could not be given to its visitor. Its reference is the
    /// session's, and does not change.
    pub async fn refuse_start(&self, session: &Session, denial: Denial) -> Refusal {
        let now = self.clock.now();
        // The refusal is shown in any case.
        let cast = self.store.cast_in_force(&session.cast_id).await;
        let cast = cast.ok().flatten();
        let own = cast.as_ref().and_then(|cast| cast.settings.contact.clone());
        let contact = match own {
            Some(own) => Some(own),
            None => {
                let deployment = self.cache.deployment(&*self.store, now).await.ok();
                deployment.and_then(|deployment| deployment.settings.contact.clone())
            }
        };
        Refusal {
            error: FlowError::Denied(denial),
            reference: Reference::of(&session.id),
            error_url: self
                .urls
                .error_page(session.error_url.as_deref())
                .map(Into::into),
            framed_by: Box::default(),
            help: Box::new(Help {
                link: Some(urls::cast(&session.cast_key)),
                contact,
                own: None,
                login_may_help: false,
                language: session.origin.language,
                brand: session.options.brand.clone(),
            }),
        }
    }

    /// The address of the link's page that shows the refusal of a claim once, and is the link after
    /// that; `None` without a link.
    pub fn notice(&self, key: &str, refusal: &Refusal) -> Option<String> {
        let now = self.clock.now();
        let denial = refusal.denial();
        let notice = NoticeTicket {
            key: CastKey::parse(key)?,
            code: denial.code.as_str().to_owned(),
            reference: refusal.reference.clone(),
            retry_at: denial.retry_after.map(|wait| now.plus_seconds(wait)),
            detail: denial.detail,
            quote: denial.quote,
            contact: refusal.help.contact.clone(),
            own: refusal.help.own.as_ref().map(|own| own.id.clone()),
            is_ending: refusal.help.own.as_ref().is_some_and(|own| own.is_ending),
            login_may_help: refusal.help.login_may_help,
            language: refusal.help.language,
            expires: now.plus_seconds(NOTICE_SECONDS),
        }
        .sign(&self.keys);
        let link = refusal.help.link.as_deref()?;
        let mark = if link.contains('?') { '&' } else { '?' };
        Some(format!("{link}{mark}notice={notice}"))
    }

    /// Reads a notice of this link. Costs no read of the store. `link` is the link without the
    /// notice.
    pub fn read_notice(&self, key: &str, text: &str, link: String) -> Option<Refusal> {
        let now = self.clock.now();
        let notice = NoticeTicket::open(text, &self.keys, now).ok()?;
        let code = DenialCode::parse(&notice.code)?;
        if notice.key.as_str() != key {
            return None;
        }
        let cast = self.cache.remembered_cast(&notice.key, now);
        // A link that is disabled looks like none.
        let cast = cast.filter(|cast| cast.settings.enabled);
        let wait = |at: Timestamp| now.seconds_until(at).max(1);
        Some(Refusal {
            error: FlowError::Denied(Denial {
                retry_after: notice.retry_at.map(wait),
                detail: notice.detail,
                quote: notice.quote,
                ..Denial::new(code)
            }),
            reference: notice.reference,
            error_url: None,
            framed_by: Box::default(),
            help: Box::new(Help {
                link: Some(link),
                contact: notice.contact,
                own: notice.own.map(|id| OwnSession {
                    id,
                    is_ending: notice.is_ending,
                }),
                login_may_help: notice.login_may_help,
                language: notice.language,
                brand: self.brand(cast.as_deref()),
            }),
        })
    }
}
