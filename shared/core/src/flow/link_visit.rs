//! Owns how every flow of a link begins: the attempt limiter and the cast are asked once. Must not know what the visitor wants.

use std::net::IpAddr;
use std::sync::Arc;

use super::{ControlPlane, FlowError, Refusal, Visitor};
use crate::address;
use crate::cast::Cast;
use crate::denial::DenialCode;
use crate::ports::Fault;
use crate::ticket::{LaunchTicket, TicketError};
use crate::time::Timestamp;

/// A request to a link, before anything is judged.
pub(super) struct LinkVisit {
    /// When it began.
    pub(super) now: Timestamp,
    /// The visitor's address, hashed.
    pub(super) address: String,
    /// How long the attempt limiter holds the visitor back, in seconds.
    pub(super) wait: Option<u64>,
    /// The cast with the key that the visitor came with.
    pub(super) cast: Option<Arc<Cast>>,
}

/// Whether a visit counts for the attempt limiter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Whatever comes of it.
    Always,
    /// If the flow says so.
    Later,
}

impl ControlPlane {
    /// Begins a flow whose failure is a refusal.
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
                let referrer = visitor.referrer.clone();
                Err(self.refuse(fault.into(), None, referrer, visitor).await)
            }
        }
    }

    /// Asks the attempt limiter, and finds the cast.
    pub(super) async fn look_up(
        &self,
        key: &str,
        address: IpAddr,
        counts: Counts,
    ) -> Result<LinkVisit, Fault> {
        let now = self.clock.now();
        let address = address::hash(address, &self.keys);
        let system = self.cache.system(&*self.store, now).await?;
        let wait = self
            .attempts
            .wait(&address, system.settings.attempts_per_minute, now);
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
}
