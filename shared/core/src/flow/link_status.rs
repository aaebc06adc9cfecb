//! Owns the public status of a link, as its badge shows it. Evaluates the policies as opening the
//! link does, for an anonymous visitor without an address. It writes nothing and reveals no more
//! than the link's own page.

use std::net::{IpAddr, Ipv4Addr};

use super::admission_context::VisitDetails;
use super::link_visit::Counts;
use super::{ControlPlane, FlowError, Visitor};
use crate::cast::Amount;
use crate::denial::{Denial, DenialCode};
use crate::language::Language;
use crate::policy::{self, LinkParameters, Verdict};

/// The public status of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// The refusal that an anonymous visitor would get; `None` when sessions are available.
    pub refused: Option<DenialCode>,
    /// Roughly how many sessions are left, if they are limited and anonymous visitors get any.
    pub amount: Option<Amount>,
    /// Whether it depends on the referrer.
    pub by_referrer: bool,
    /// The language of the link.
    pub language: Option<Language>,
}

/// An address that no visitor has: the status is the same for everyone, so a link for certain
/// addresses shows as closed.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl ControlPlane {
    /// The status of the link with this key on a page of the site `referrer`. `asker` only counts
    /// against the attempt limit: unknown keys are attempts.
    ///
    /// # Errors
    /// `TooManyAttempts`, whatever the key, and faults.
    pub async fn link_status(
        &self,
        key: &str,
        asker: IpAddr,
        referrer: Option<&str>,
    ) -> Result<LinkStatus, FlowError> {
        let visit = self.look_up(key, asker, Counts::Later).await?;
        policy::attempts::check(visit.wait)?;
        let now = visit.now;
        let (nobody, parameters) = (Visitor::from(NOWHERE), LinkParameters::default());
        let details = VisitDetails {
            visitor: &nobody,
            referrer,
            parameters: &parameters,
            wait: None,
        };
        let context = self.gather(visit.cast, None, details, now).await?;
        let Some(cast) = context.cast.clone() else {
            self.attempts.note(&visit.address, now);
            return Ok(LinkStatus {
                refused: Some(DenialCode::UnknownCast),
                amount: None,
                by_referrer: false,
                language: None,
            });
        };
        let refused = match policy::admit(&context.facts(None, now)) {
            Verdict::Deny(Denial { code, .. }) => Some(code),
            Verdict::Admit(_) | Verdict::Resume(_) => None,
        };
        let amount = (refused.is_none() && cast.settings.limit_total_sessions)
            .then(|| cast.counter.amount());
        Ok(LinkStatus {
            refused,
            amount,
            by_referrer: !cast.settings.referrers.is_empty(),
            language: cast.settings.language.0,
        })
    }

    /// Logs a fault, for callers that reveal nothing but its existence.
    pub fn note_fault(&self, error: FlowError) -> Denial {
        self.refuse_quietly(error).denial()
    }
}
