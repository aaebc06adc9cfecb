//! Owns the public status of a link, as its badge shows it. Evaluates the policies as opening the link does, for an anonymous visitor without an
//! address. It writes nothing and reveals no more than the link's own page.

use std::net::{IpAddr, Ipv4Addr};

use super::admission_context::VisitDetails;
use super::link_visit::Counts;
use super::{ControlPlane, FlowError, Visitor};
use crate::cast::Amount;
use crate::denial::{Denial, DenialCode};
use crate::policy::{self, LinkParameters, Verdict};

/// The public status of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// What a stranger's claim would meet; `None` when sessions are to be had.
    pub refused: Option<DenialCode>,
    /// Roughly how many sessions there still are, where they are counted and strangers get any.
    pub amount: Option<Amount>,
    /// Whether it depends on the page that the link is seen from.
    pub by_referrer: bool,
}

/// Nobody comes from here: what is the same for everybody cannot look at addresses, so a link for some addresses only is closed to it.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl ControlPlane {
    /// How the link with this key stands for whoever sees it on a page of the site `referrer`. `asker` is only counted: unknown keys are attempts.
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
        let (nobody, wishes) = (Visitor::from(NOWHERE), LinkParameters::default());
        let details = VisitDetails {
            visitor: &nobody,
            referrer,
            wishes: &wishes,
        };
        let context = self.gather(visit.cast, None, details, now).await?;
        let Some(cast) = context.cast.clone() else {
            self.attempts.note(&visit.address, now);
            return Ok(LinkStatus {
                refused: Some(DenialCode::UnknownCast),
                amount: None,
                by_referrer: false,
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
        })
    }

    /// Writes a fault into the log, for doors that tell nobody more than that there is one.
    pub fn note_fault(&self, error: FlowError) -> Denial {
        self.refuse_quietly(error).denial()
    }
}
