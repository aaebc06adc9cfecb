//! Owns the first steps of every flow of a link: attempt limiter and cast are asked once. Must not
//! know what the visitor wants.

use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::RefusedVisit;
use super::{ControlPlane, FlowError, Refusal, Visitor};
use crate::address;
use crate::cast::Cast;
use crate::denial::DenialCode;
use crate::policy::LinkParameters;
use crate::ports::Fault;
use crate::ticket::{LaunchTicket, TicketError};
use crate::time::Timestamp;

/// A request to a link, before any policy is evaluated.
pub(super) struct LinkVisit {
    /// Its time.
    pub(super) now: Timestamp,
    /// The visitor's address, hashed.
    pub(super) address: String,
    /// For how long the attempt limiter refuses the visitor, in seconds.
    pub(super) wait: Option<u64>,
    /// The cast with the key in the request.
    pub(super) cast: Option<Arc<Cast>>,
}

/// Whether a visit counts against the attempt limit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Always.
    Always,
    /// Only if the flow says so.
    Later,
}

impl ControlPlane {
    /// Starts a flow that can end with a refusal.
    ///
    /// # Errors
    /// Faults.
    pub(super) async fn begin(
        &self,
        key: &str,
        visitor: &Visitor,
        counts: Counts,
    ) -> Result<LinkVisit, Refusal> {
        match self.look_up(key, visitor.address, counts).await {
            Ok(visit) => Ok(visit),
            Err(fault) => {
                let refused = RefusedVisit {
                    key,
                    cast: None,
                    parameters: LinkParameters::default(),
                    referrer: visitor.referrer.clone(),
                    visitor,
                };
                Err(self.refuse(fault.into(), refused).await)
            }
        }
    }

    /// Asks the attempt limiter and looks up the cast.
    pub(super) async fn look_up(
        &self,
        key: &str,
        address: IpAddr,
        counts: Counts,
    ) -> Result<LinkVisit, Fault> {
        let now = self.clock.now();
        let address = address::hash(address, &self.keys);
        let deployment = self.cache.deployment(&*self.store, now).await?;
        let wait = self
            .attempts
            .wait(&address, deployment.settings.attempts_per_minute, now);
        if counts == Counts::Always {
            self.attempts.note(&address, now);
        }
        Ok(LinkVisit {
            now,
            wait,
            cast: self.find_cast(key, wait, now).await?,
            address,
        })
    }

    /// Reads the ticket of a page. The visitor's address may have changed since: a phone leaves its
    /// wireless network, IPv6 and IPv4 alternate. Limits count the address of the claim.
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
}
