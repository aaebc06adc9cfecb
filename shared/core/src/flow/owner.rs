//! Owns what the owner of a session can ask: how it stands, the way in, and its end.

use super::{ControlPlane, FlowError, Refusal};
use crate::denial::{Denial, DenialCode};
use crate::ids::{Nonce, SessionId, random_bytes};
use crate::ports::Fault;
use crate::session::{EndReason, Session, State};
use crate::ticket::{ENTRY_SECONDS, EntryTicket, GoTicket, OwnerTicket, Role, SessionTicket};

/// Why a session could not be given to its visitor; `None` when it was served, or may still be.
pub fn outcome(session: &Session) -> Option<Denial> {
    let reason = match &session.state {
        State::Stopping {
            reason,
            served: false,
            ..
        }
        | State::Ended {
            reason,
            refunded: true,
            ..
        } => reason,
        _ => return None,
    };
    Some(match reason {
        EndReason::NoCapacity => Denial::retry(DenialCode::NoCapacity, 60),
        EndReason::StartRefused { .. } => Denial::new(DenialCode::StartRefused),
        EndReason::ProfileNotRestored => Denial::retry(DenialCode::ProfileUnavailable, 60),
        EndReason::StartTimeout => Denial::new(DenialCode::StartTimeout),
        EndReason::TaskStopped { .. } | EndReason::TaskLost => Denial::new(DenialCode::StartFailed),
        EndReason::Owner
        | EndReason::Administrator
        | EndReason::TimeLimit
        | EndReason::Abandoned
        | EndReason::NotEntered
        | EndReason::Idle
        | EndReason::Reclaimed
        | EndReason::Unused
        | EndReason::NotNeeded
        | EndReason::GateLost => Denial::new(DenialCode::SessionEnded),
    })
}

impl ControlPlane {
    /// The owner's session as it stands.
    ///
    /// # Errors
    /// `NotYourSession` without the owner's ticket, `UnknownSession` when there is none.
    pub async fn status(
        &self,
        id: &SessionId,
        owner_ticket: Option<&str>,
    ) -> Result<Session, Refusal> {
        self.find_owned(id, owner_ticket)
            .await
            .map_err(|error| self.refuse_quietly(error))
    }

    /// Where the owner enters the session: a URL on the session's own origin that is good once, for half a minute.
    ///
    /// # Errors
    /// `Busy` while it is not ready, `SessionEnded` (or why it could not start) when it is over.
    pub async fn enter(
        &self,
        id: &SessionId,
        owner_ticket: Option<&str>,
    ) -> Result<String, Refusal> {
        let session = self.status(id, owner_ticket).await?;
        let session = Box::pin(self.let_in(session))
            .await
            .map_err(|fault| self.refuse_quietly(fault.into()))?;
        let error: FlowError = match session.state {
            State::Ready {
                endpoint, ends_at, ..
            } if self.clock.now() < ends_at => {
                let secret = self
                    .keys
                    .sessions()
                    .named(&session.secret_key)
                    .secret(&session.id);
                let go = session.go.map(|go| {
                    GoTicket {
                        session: id.clone(),
                        url: go.url,
                        at: go.at,
                        expires: ends_at,
                    }
                    .sign(&secret)
                });
                let ticket = SessionTicket {
                    session: session.id,
                    role: Role::Owner,
                    watcher: None,
                    origin: Some(self.urls.entry_origin()),
                    host: endpoint.host,
                    port: endpoint.port,
                    expires: ends_at,
                };
                return Ok(self.entrance(ticket, &session.secret_key, go.as_deref()));
            }
            State::Reserved | State::Starting => Denial::retry(DenialCode::Busy, 1).into(),
            _ => outcome(&session)
                .unwrap_or(Denial::new(DenialCode::SessionEnded))
                .into(),
        };
        Err(Refusal {
            error_url: session.error_url,
            ..self.refuse_quietly(error)
        })
    }

    /// Writes down that somebody is let in, once: the sweep ends a session that nobody has entered.
    pub(super) async fn let_in(&self, session: Session) -> Result<Session, Fault> {
        let now = self.clock.now();
        if session.entered(now).is_none() {
            return Ok(session);
        }
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| row.entered(now))
            .await?;
        Ok(row.unwrap_or(known))
    }

    /// The URL on a session's own origin that is exchanged once for this ticket, and takes an address to be opened.
    pub(super) fn entrance(
        &self,
        ticket: SessionTicket,
        secret_key: &str,
        go: Option<&str>,
    ) -> String {
        let origin = self
            .urls
            .session_url
            .replace("{session}", ticket.session.as_str());
        let go = go.map_or_else(String::new, |go| format!("&go={go}"));
        let entry = EntryTicket {
            ticket,
            nonce: Nonce::from_bytes(random_bytes(&*self.entropy)),
            expires: self.clock.now().plus_seconds(ENTRY_SECONDS),
        };
        let entry = entry.sign(self.keys.sessions().named(secret_key));
        format!("{origin}/.cast/enter?ticket={entry}{go}")
    }

    /// The owner ends the session. Ending an ended one changes nothing.
    ///
    /// # Errors
    /// As [`ControlPlane::status`].
    pub async fn end(
        &self,
        id: &SessionId,
        owner_ticket: Option<&str>,
    ) -> Result<Session, Refusal> {
        let ended = async {
            let session = self.find_owned(id, owner_ticket).await?;
            // On the heap: unoptimised, it asks for more of the stack than a test's thread has.
            Box::pin(self.stop_session(session, EndReason::Owner))
                .await
                .map_err(FlowError::from)
        };
        ended.await.map_err(|error| self.refuse_quietly(error))
    }

    /// An administrator ends the session.
    ///
    /// # Errors
    /// `UnknownSession` when there is none.
    pub async fn end_as_administrator(&self, id: &SessionId) -> Result<Session, Refusal> {
        let ended = async {
            let session = self
                .store
                .session(id)
                .await?
                .ok_or(DenialCode::UnknownSession)?;
            Box::pin(self.stop_session(session, EndReason::Administrator))
                .await
                .map_err(FlowError::from)
        };
        ended.await.map_err(|error| self.refuse_quietly(error))
    }

    async fn find_owned(
        &self,
        id: &SessionId,
        owner_ticket: Option<&str>,
    ) -> Result<Session, FlowError> {
        let ticket = owner_ticket
            .and_then(|text| OwnerTicket::open(text, &self.keys, self.clock.now()).ok());
        if ticket.is_none_or(|ticket| ticket.session != *id) {
            return Err(DenialCode::NotYourSession.into());
        }
        self.store
            .session(id)
            .await?
            .ok_or_else(|| DenialCode::UnknownSession.into())
    }
}
