//! Owns what the owner of a session can ask: how it stands, the way in, and its end.

use super::{ControlPlane, FlowError, Help, Refusal};
use crate::denial::{Denial, DenialCode};
use crate::ids::{Nonce, SessionId, UserId, random_bytes};
use crate::ports::Fault;
use crate::queries::{SessionQuery, SessionsOf};
use crate::session::{EndReason, Session, State};
use crate::session_origin::SessionOrigin;
use crate::ticket::{ENTRY_SECONDS, EntryTicket, GoTicket, OwnerTicket, Role, SessionTicket};
use crate::time::Timestamp;
use crate::urls;

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
        | EndReason::Administrator { .. }
        | EndReason::TimeLimit
        | EndReason::Abandoned
        | EndReason::NotEntered
        | EndReason::Idle
        | EndReason::UnattendedCpu
        | EndReason::Reclaimed
        | EndReason::Unused
        | EndReason::NotNeeded
        | EndReason::GateLost => Denial::new(DenialCode::SessionEnded),
    })
}

/// How many of a user's sessions are looked at: the newest.
pub const MOST_SESSIONS: u32 = 50;

/// What shows that a request is made by the owner of a session: the ticket that the claim gave, or
/// the login of the user who made it, from whatever browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnerProof<'a> {
    /// The owner ticket.
    pub ticket: Option<&'a str>,
    /// The user who has logged in.
    pub user: Option<&'a UserId>,
}

/// How a program reaches the DevTools of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevtoolsAccess {
    /// The address for programs that ask there for the browser's WebSocket first.
    pub url: String,
    /// The browser's WebSocket.
    pub websocket_url: String,
    /// The bearer token for both.
    pub token: String,
    /// Until when the token is good at most; it ends with the session.
    pub expires_at: Timestamp,
}

impl<'a> From<Option<&'a str>> for OwnerProof<'a> {
    fn from(ticket: Option<&'a str>) -> Self {
        Self { ticket, user: None }
    }
}

impl<'a> From<Option<&'a String>> for OwnerProof<'a> {
    fn from(ticket: Option<&'a String>) -> Self {
        Self::from(ticket.map(String::as_str))
    }
}

impl ControlPlane {
    /// The owner's session as it stands. A queued start whose turn it is is made first.
    ///
    /// # Errors
    /// `NotYourSession` without the owner's ticket or login, `UnknownSession` when there is none.
    pub async fn status(
        &self,
        id: &SessionId,
        proof: impl Into<OwnerProof<'_>>,
    ) -> Result<Session, Refusal> {
        let found = async {
            let session = self.find_owned(id, proof.into()).await?;
            Ok(Box::pin(self.start_if_turn(session)).await?)
        };
        found.await.map_err(|error| self.refuse_quietly(error))
    }

    /// Where the owner enters the session: a URL on the session's own origin that is good once, for
    /// half a minute.
    ///
    /// # Errors
    /// `Busy` while it is not ready, `SessionEnded` (or why it could not start) when it is over.
    pub async fn enter(
        &self,
        id: &SessionId,
        proof: impl Into<OwnerProof<'_>>,
    ) -> Result<String, Refusal> {
        let session = self.status(id, proof).await?;
        let (session, ticket) = self
            .owners_ticket(session, self.urls.entry_origin())
            .await?;
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
                expires: ticket.expires,
            }
            .sign(&secret)
        });
        Ok(self.entrance(ticket, &session.secret_key, go.as_deref()))
    }

    /// How a program of the owner's reaches the DevTools of the session. Counts as an entry.
    ///
    /// # Errors
    /// `DevtoolsUnavailable` where the image has none or the permissions do not allow what they can
    /// do; otherwise as [`ControlPlane::enter`].
    pub async fn devtools(
        &self,
        id: &SessionId,
        proof: impl Into<OwnerProof<'_>>,
    ) -> Result<DevtoolsAccess, Refusal> {
        let session = self.status(id, proof).await?;
        if session.devtools_port().is_none() {
            let denial = Denial::new(DenialCode::DevtoolsUnavailable);
            return Err(self.refuse_quietly(denial.into()));
        }
        let (session, ticket) = self.owners_ticket(session, SessionOrigin::Devtools).await?;
        let origin = self.session_address(&session.id);
        let url = format!("{origin}{}", urls::DEVTOOLS);
        Ok(DevtoolsAccess {
            // `https` becomes `wss`, and `http` becomes `ws`.
            websocket_url: format!("{}/browser", url.replacen("http", "ws", 1)),
            url,
            token: ticket.sign(self.keys.sessions().named(&session.secret_key)),
            expires_at: ticket.expires,
        })
    }

    /// The ticket of a ready session's owner to this origin of it, and the session, which is
    /// entered from now on.
    async fn owners_ticket(
        &self,
        session: Session,
        origin: SessionOrigin,
    ) -> Result<(Session, SessionTicket), Refusal> {
        let session = Box::pin(self.let_in(session))
            .await
            .map_err(|fault| self.refuse_quietly(fault.into()))?;
        let error: FlowError = match &session.state {
            State::Ready {
                endpoint, ends_at, ..
            } if self.clock.now() < *ends_at => {
                let ticket = SessionTicket {
                    session: session.id.clone(),
                    role: Role::Owner,
                    watcher: None,
                    origin: Some(origin),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    // A ticket lasts as long as extensions may make the session last; the gate
                    // knows its end.
                    expires: session.latest_end().unwrap_or(*ends_at),
                };
                return Ok((session, ticket));
            }
            State::Reserved | State::Starting => Denial::retry(DenialCode::Busy, 1).into(),
            _ => outcome(&session)
                .unwrap_or(Denial::new(DenialCode::SessionEnded))
                .into(),
        };
        Err(Refusal {
            error_url: session.error_url.clone().map(Into::into),
            help: Box::new(Help {
                link: Some(urls::cast(&session.cast_key)),
                language: session.origin.language,
                brand: session.options.brand.clone(),
                ..Help::default()
            }),
            ..self.refuse_quietly(error)
        })
    }

    /// Records the first entry, once: the sweep ends a session that no visitor has entered.
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

    /// The address of a session, without a trailing slash.
    fn session_address(&self, id: &SessionId) -> String {
        self.urls.session_url.replace("{session}", id.as_str())
    }

    /// The URL on a session's own origin that is exchanged once for this ticket, and takes an
    /// address to be opened.
    pub(super) fn entrance(
        &self,
        ticket: SessionTicket,
        secret_key: &str,
        go: Option<&str>,
    ) -> String {
        let origin = self.session_address(&ticket.session);
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
        proof: impl Into<OwnerProof<'_>>,
    ) -> Result<Session, Refusal> {
        let ended = async {
            let session = self.find_owned(id, proof.into()).await?;
            // On the heap: unoptimised, it asks for more of the stack than a test's thread has.
            Box::pin(self.stop_session(session, EndReason::Owner))
                .await
                .map_err(FlowError::from)
        };
        ended.await.map_err(|error| self.refuse_quietly(error))
    }

    async fn find_owned(
        &self,
        id: &SessionId,
        proof: OwnerProof<'_>,
    ) -> Result<Session, FlowError> {
        let ticket = proof
            .ticket
            .and_then(|text| OwnerTicket::open(text, &self.keys, self.clock.now()).ok());
        let has_ticket = ticket.is_some_and(|ticket| ticket.session == *id);
        if !has_ticket && proof.user.is_none() {
            return Err(DenialCode::NotYourSession.into());
        }
        let session = self.store.session(id).await?;
        if has_ticket {
            return session.ok_or_else(|| DenialCode::UnknownSession.into());
        }
        // To others, a session that is not theirs looks like one that does not exist.
        session
            .filter(|session| session.owner.is_user(proof.user))
            .ok_or_else(|| DenialCode::NotYourSession.into())
    }

    /// The live sessions of a user who has logged in, the newest first; [`MOST_SESSIONS`] at most.
    /// May be a moment old.
    ///
    /// # Errors
    /// Faults, as a refusal.
    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, Refusal> {
        self.live_sessions_of(user)
            .await
            .map_err(|fault| self.refuse_quietly(fault.into()))
    }

    pub(super) async fn live_sessions_of(&self, user: &UserId) -> Result<Vec<Session>, Fault> {
        let query = SessionQuery {
            of: SessionsOf::User(user.clone()),
            ..SessionQuery::default()
        };
        let found = self.store.sessions(&query, None, MOST_SESSIONS).await?;
        Ok(found.items.into_iter().filter(Session::is_live).collect())
    }
}
