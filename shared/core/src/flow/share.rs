//! Owns how viewers are let into a shared session. Must not know what the gate allows them.

use super::{ControlPlane, FlowError, Refusal};
use crate::denial::DenialCode;
use crate::ids::{SessionId, random_bytes};
use crate::keys::same_secret;
use crate::session::{Session, State};
use crate::ticket::{Role, SessionTicket, Watcher};
use crate::urls;
use crate::user::User;

/// The name of a viewer without a login.
const GUEST: &str = "Guest";
/// The longest name that is shown, in characters.
const NAME_CHARS: usize = 40;

impl ControlPlane {
    /// The URL at which a viewer with a share link enters the session; it is on the session's own
    /// origin and good once, for half a minute. `name` is the last segment of the link: session and
    /// token.
    ///
    /// # Errors
    /// `ShareEnded` for a link that is not valid (any more), `LoginRequired` when only logged-in
    /// users may watch.
    pub async fn watch(&self, name: &str, user: Option<&User>) -> Result<String, Refusal> {
        let found = async {
            let (id, token) = urls::parse_share(name).ok_or(DenialCode::ShareEnded)?;
            let session = self
                .store
                .session(&id)
                .await?
                .ok_or(DenialCode::ShareEnded)?;
            self.admit_watcher(session, token, user).await
        };
        found.await.map_err(|error| self.refuse_quietly(error))
    }

    /// The URL at which an administrator of this name enters a shared session to watch it. Its
    /// owner sees the name among the viewers.
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
            self.viewer_entrance(session, name)
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

    async fn admit_watcher(
        &self,
        session: Session,
        token: &str,
        user: Option<&User>,
    ) -> Result<String, FlowError> {
        if !session
            .sharing
            .token
            .as_ref()
            .is_some_and(|known| same_secret(known, token))
        {
            return Err(DenialCode::ShareEnded.into());
        }
        if !matches!(session.state, State::Ready { .. }) {
            return Err(DenialCode::ShareEnded.into());
        }
        if user.is_none() && !session.options.anonymous_viewers {
            return Err(DenialCode::LoginRequired.into());
        }
        let session = Box::pin(self.let_in(session)).await?;
        self.viewer_entrance(session, user.map_or(GUEST, |user| user.name.as_str()))
    }

    /// The URL at which a viewer of this name enters, valid for the current round of sharing.
    fn viewer_entrance(&self, session: Session, name: &str) -> Result<String, FlowError> {
        let latest_end = session.latest_end();
        let (State::Ready { endpoint, .. }, Some(expires)) = (session.state, latest_end) else {
            return Err(DenialCode::ShareEnded.into());
        };
        let watcher = Watcher {
            id: format!(
                "{:016x}",
                u128::from_be_bytes(random_bytes(&*self.entropy)) >> 64
            ),
            name: name.chars().take(NAME_CHARS).collect(),
            round: session.sharing.round,
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
