//! Owns how viewers are let into a shared session, at once or through its lobby. Must not know what
//! the gate allows them.

use std::net::IpAddr;

use super::{ControlPlane, FlowError, Refusal};
use crate::address;
use crate::brand::Brand;
use crate::denial::{Denial, DenialCode};
use crate::ids::{SessionId, random_bytes};
use crate::keys::same_secret;
use crate::language::Language;
use crate::person_name::{self, WATCHER_CHARS};
use crate::session::{Session, State};
use crate::session_options::WaitingViewer;
use crate::sharing::{Asked, RequestState};
use crate::ticket::{LobbyTicket, Role, SessionTicket, TicketError, Watcher, WatcherKind};
use crate::time::Timestamp;
use crate::urls;
use crate::user::User;

/// The name of a viewer without a login who gives none.
const GUEST: &str = "Guest";

/// The name of an administrator who has none that can be read.
const UNNAMED: &str = "?";

/// Who comes with a share link.
#[derive(Clone, Copy, Debug)]
pub struct ShareVisitor<'a> {
    /// Who has logged in.
    pub user: Option<&'a User>,
    /// What shows a request of theirs to watch.
    pub ticket: Option<&'a str>,
}

/// A request to watch.
#[derive(Clone, Copy, Debug)]
pub struct AskToWatch<'a> {
    /// Who has logged in.
    pub user: Option<&'a User>,
    /// The ticket of the page on which it was made.
    pub ticket: &'a str,
    /// The name that a guest gives.
    pub name: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
}

/// What a share link leads to.
#[derive(Clone, Debug)]
pub enum Watching {
    /// The URL at which the viewer enters; it is on the session's own origin and good once, for
    /// half a minute.
    Enters(String),
    /// The lobby.
    Lobby(Box<LobbyVisit>),
}

/// Where a visitor of the lobby is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LobbyStage {
    /// Has not asked yet.
    Asks,
    /// Has asked, and nobody has answered in time, or the answer is forgotten.
    Unanswered,
    /// As many wait as may.
    Full,
    /// Waits for the answer.
    Waits,
    /// Is let in.
    Admitted,
    /// Is not let in.
    TurnedAway,
}

impl From<RequestState> for LobbyStage {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Waiting => Self::Waits,
            RequestState::Admitted => Self::Admitted,
            RequestState::TurnedAway => Self::TurnedAway,
        }
    }
}

/// A visit to the lobby of a session.
#[derive(Clone, Debug)]
pub struct LobbyVisit {
    /// Where the visitor is.
    pub stage: LobbyStage,
    /// What shows the visitor's request; a new one where there is none.
    pub ticket: String,
    /// For how long it is good, in seconds.
    pub seconds: u64,
    /// The name of the visitor's login.
    pub user: Option<String>,
    /// The language that is set for the link.
    pub language: Option<Language>,
    /// The brand of the session.
    pub brand: Brand,
}

/// A request to watch, as its visitor shows it.
struct KnownRequest {
    ticket: LobbyTicket,
    /// What has become of it; `None` when it is forgotten.
    found: Option<(RequestState, WaitingViewer)>,
}

/// Where the visitor with this request is.
fn stage_of(session: &Session, known: Option<&KnownRequest>) -> LobbyStage {
    if !session.has_lobby() {
        return LobbyStage::Admitted;
    }
    known.map_or(LobbyStage::Asks, |known| {
        let found = known.found.as_ref();
        found.map_or(LobbyStage::Unanswered, |(state, _)| (*state).into())
    })
}

/// The ticket of a request that is not forgotten.
fn kept(known: Option<KnownRequest>) -> Option<LobbyTicket> {
    let known = known.filter(|known| known.found.is_some());
    known.map(|known| known.ticket)
}

impl ControlPlane {
    /// What a share link leads to; its visitor needs to ask where the session has a lobby. Changes
    /// nothing there. `name` is the last segment of the link: session and token.
    ///
    /// # Errors
    /// `ShareEnded` for a link that is not valid (any more), `LoginRequired` when only logged-in
    /// users may watch.
    pub async fn watch(&self, name: &str, visitor: ShareVisitor<'_>) -> Result<Watching, Refusal> {
        let found = async {
            let session = self.shared_session(name, visitor.user).await?;
            let known = self.request_of(&session, visitor.ticket);
            let stage = stage_of(&session, known.as_ref());
            if stage != LobbyStage::Admitted {
                let visit = self.lobby_visit(&session, stage, kept(known), visitor.user)?;
                return Ok(Watching::Lobby(Box::new(visit)));
            }
            let named = known.and_then(|known| known.found);
            let named = named.filter(|(state, _)| *state != RequestState::TurnedAway);
            let viewer = named.map_or_else(
                || self.viewer_named(visitor.user, None),
                |(_, viewer)| viewer,
            );
            let session = Box::pin(self.let_in(session)).await?;
            let entrance = self.viewer_entrance(session, viewer)?;
            Ok(Watching::Enters(entrance))
        };
        found.await.map_err(|error| self.refuse_quietly(error))
    }

    /// Where the visitor of a lobby is, for those who wait there. Changes nothing.
    ///
    /// # Errors
    /// As [`ControlPlane::watch`].
    pub async fn lobby(
        &self,
        name: &str,
        visitor: ShareVisitor<'_>,
    ) -> Result<LobbyVisit, Refusal> {
        let found = async {
            let session = self.shared_session(name, visitor.user).await?;
            let known = self.request_of(&session, visitor.ticket);
            let stage = stage_of(&session, known.as_ref());
            self.lobby_visit(&session, stage, kept(known), visitor.user)
        };
        found.await.map_err(|error| self.refuse_quietly(error))
    }

    /// Somebody asks the owner of a session to let them watch. A repeated request asks once.
    ///
    /// # Errors
    /// As [`ControlPlane::watch`]; the refusals of a ticket, and `TooManyAttempts`.
    pub async fn ask_to_watch(
        &self,
        name: &str,
        asks: AskToWatch<'_>,
    ) -> Result<LobbyVisit, Refusal> {
        let asked = async {
            let session = self.shared_session(name, asks.user).await?;
            let now = self.clock.now();
            let ticket = LobbyTicket::open(asks.ticket, &self.keys, now);
            let ticket = ticket.map_err(|error| match error {
                TicketError::Invalid => DenialCode::TicketInvalid,
                TicketError::Expired => DenialCode::TicketExpired,
            })?;
            if ticket.session != session.id || ticket.round != session.sharing.round {
                return Err(DenialCode::TicketForeign.into());
            }
            if !session.has_lobby() {
                return self.lobby_visit(&session, LobbyStage::Admitted, None, asks.user);
            }
            let known = session.sharing.lobby.find(&ticket.request, now);
            if let Some((state, _)) = known {
                let stage = state.into();
                return self.lobby_visit(&session, stage, Some(ticket), asks.user);
            }
            self.limit_requests(asks.address, now).await?;
            let viewer = WaitingViewer {
                id: ticket.request.clone(),
                ..self.viewer_named(asks.user, Some(asks.name))
            };
            Box::pin(self.add_request(session, viewer, ticket, asks.user)).await
        };
        asked.await.map_err(|error| self.refuse_quietly(error))
    }

    /// The URL at which an administrator of this name enters a shared session to watch it, also
    /// past its lobby. Its owner sees that an administrator watches, and who, before the
    /// administrator sees anything.
    ///
    /// # Errors
    /// `UnknownSession`, and `ShareEnded` while it is not shared.
    pub async fn watch_as_administrator(
        &self,
        id: &SessionId,
        name: &str,
    ) -> Result<String, Refusal> {
        let found = async {
            let session = self
                .store
                .session(id)
                .await?
                .ok_or(DenialCode::UnknownSession)?;
            if session.sharing.token.is_none() {
                return Err(DenialCode::ShareEnded.into());
            }
            let shown = person_name::shown(name, WATCHER_CHARS);
            let viewer = WaitingViewer {
                kind: WatcherKind::Administrator,
                name: shown.unwrap_or_else(|| UNNAMED.to_owned()),
                ..self.viewer_named(None, None)
            };
            self.viewer_entrance(session, viewer)
        };
        found.await.map_err(|error| self.refuse_quietly(error))
    }

    /// Revokes the share link of a session: it no longer works, and the gate disconnects everyone
    /// who used it at once.
    ///
    /// # Errors
    /// `UnknownSession` when there is none.
    pub async fn unshare(&self, id: &SessionId) -> Result<Session, Refusal> {
        let row = self
            .move_session(id, None, |row| {
                row.sharing
                    .token
                    .is_some()
                    .then(|| row.shared(row.sharing.ended()).ok())
                    .flatten()
            })
            .await
            .map_err(FlowError::from)
            .and_then(|row| row.ok_or_else(|| DenialCode::UnknownSession.into()));
        if let Ok(row) = &row {
            self.refresh_gate(row).await;
        }
        row.map_err(|error| self.refuse_quietly(error))
    }

    /// The session of a share link that this user may use, or ask to.
    async fn shared_session(&self, name: &str, user: Option<&User>) -> Result<Session, FlowError> {
        let (id, token) = urls::parse_share(name).ok_or(DenialCode::ShareEnded)?;
        let session = self
            .store
            .session(&id)
            .await?
            .ok_or(DenialCode::ShareEnded)?;
        let is_shared = session
            .sharing
            .token
            .as_ref()
            .is_some_and(|known| same_secret(known, token));
        if !is_shared || !matches!(session.state, State::Ready { .. }) {
            return Err(DenialCode::ShareEnded.into());
        }
        if user.is_none() && !session.options.anonymous_viewers {
            return Err(DenialCode::LoginRequired.into());
        }
        Ok(session)
    }

    /// The request that this ticket shows, of the current round of sharing.
    fn request_of(&self, session: &Session, ticket: Option<&str>) -> Option<KnownRequest> {
        let now = self.clock.now();
        let ticket = LobbyTicket::open(ticket?, &self.keys, now).ok()?;
        let is_of_now = ticket.session == session.id && ticket.round == session.sharing.round;
        let found = session.sharing.lobby.find(&ticket.request, now);
        let found = found.map(|(state, viewer)| (state, viewer.clone()));
        is_of_now.then_some(KnownRequest { ticket, found })
    }

    /// Refuses an address that has asked too often in this minute, like other attempts.
    async fn limit_requests(&self, address: IpAddr, now: Timestamp) -> Result<(), FlowError> {
        let address = address::hash(address, &self.keys);
        let deployment = self.cache.deployment(&*self.store, now).await?;
        let most = deployment.settings.attempts_per_minute;
        if let Some(wait) = self.attempts.wait(&address, most, now) {
            return Err(Denial::retry(DenialCode::TooManyAttempts, wait).into());
        }
        self.attempts.note(&address, now);
        Ok(())
    }

    /// Adds a request to the lobby, if there is room, and tells the gate.
    async fn add_request(
        &self,
        session: Session,
        viewer: WaitingViewer,
        ticket: LobbyTicket,
        user: Option<&User>,
    ) -> Result<LobbyVisit, FlowError> {
        let (id, now, round) = (session.id.clone(), self.clock.now(), session.sharing.round);
        let mut came_of_it = Asked::Known;
        let row = self
            .move_session(&id, Some(session), |row| {
                if row.sharing.round != round || row.sharing.token.is_none() {
                    return None;
                }
                came_of_it = row.sharing.lobby.asked(viewer.clone(), now);
                let Asked::Waits(lobby) = &came_of_it else {
                    return None;
                };
                row.shared(row.sharing.with_lobby(lobby.clone())).ok()
            })
            .await?
            .ok_or(DenialCode::ShareEnded)?;
        if came_of_it == Asked::Full {
            return self.lobby_visit(&row, LobbyStage::Full, Some(ticket), user);
        }
        let found = row.sharing.lobby.find(&ticket.request, now);
        let (state, _) = found.ok_or(DenialCode::ShareEnded)?;
        if matches!(came_of_it, Asked::Waits(_)) {
            self.refresh_gate(&row).await;
        }
        self.lobby_visit(&row, state.into(), Some(ticket), user)
    }

    /// A viewer of this login, or of the name that they give.
    fn viewer_named(&self, user: Option<&User>, given: Option<&str>) -> WaitingViewer {
        let given = given.and_then(|given| person_name::shown(given, WATCHER_CHARS));
        let (name, kind) = match (user, given) {
            (Some(user), _) => (
                user.name.chars().take(WATCHER_CHARS).collect(),
                WatcherKind::Known,
            ),
            (None, Some(given)) => (given, WatcherKind::Guest),
            (None, None) => (GUEST.to_owned(), WatcherKind::Known),
        };
        WaitingViewer {
            id: self.watcher_id(),
            name,
            kind,
        }
    }

    fn watcher_id(&self) -> String {
        format!(
            "{:016x}",
            u128::from_be_bytes(random_bytes(&*self.entropy)) >> 64
        )
    }

    /// A visit to the lobby; `ticket`: that of the visitor's request.
    fn lobby_visit(
        &self,
        session: &Session,
        stage: LobbyStage,
        ticket: Option<LobbyTicket>,
        user: Option<&User>,
    ) -> Result<LobbyVisit, FlowError> {
        let expires = session.latest_end().ok_or(DenialCode::ShareEnded)?;
        let ticket = ticket.unwrap_or_else(|| LobbyTicket {
            session: session.id.clone(),
            round: session.sharing.round,
            request: self.watcher_id(),
            expires,
        });
        Ok(LobbyVisit {
            stage,
            ticket: ticket.sign(&self.keys),
            seconds: self.clock.now().seconds_until(ticket.expires),
            user: user.map(|user| user.name.clone()),
            language: session.options.language,
            brand: session.options.brand.clone(),
        })
    }

    /// The URL at which a viewer enters, valid for the current round of sharing.
    fn viewer_entrance(
        &self,
        session: Session,
        viewer: WaitingViewer,
    ) -> Result<String, FlowError> {
        let latest_end = session.latest_end();
        let (State::Ready { endpoint, .. }, Some(expires)) = (session.state, latest_end) else {
            return Err(DenialCode::ShareEnded.into());
        };
        let watcher = Watcher {
            id: viewer.id,
            name: viewer.name,
            round: session.sharing.round,
            kind: viewer.kind,
        };
        let ticket = SessionTicket {
            session: session.id,
            role: Role::Viewer,
            watcher: Some(watcher),
            origin: Some(self.urls.entry_origin()),
            host: endpoint.host,
            port: endpoint.port,
            expires,
        };
        Ok(self.entrance(ticket, &session.secret_key, None))
    }
}
