//! Owns how a session's gate gets its secret: in exchange for the bootstrap token of its task,
//! once. The exchange is recorded before it is answered, so there is no second one even if the
//! answer is lost: a gate without a secret ends, and its session is refunded like any failed start.

use super::{ControlPlane, FlowError, Refusal};
use crate::denial::DenialCode;
use crate::ids::{Nonce, SessionId, random_bytes};
use crate::keys::SessionSecret;
use crate::session::State;

impl ControlPlane {
    /// Exchanges the bootstrap token of a session's task for the secret of its gate.
    ///
    /// # Errors
    /// `NotYourSession` for a token that is wrong or used up, `SessionEnded` when the session is
    /// over.
    pub async fn bootstrap(&self, id: &SessionId, token: &str) -> Result<SessionSecret, Refusal> {
        self.exchange_token(id, token)
            .await
            .map_err(|error| self.refuse_quietly(error))
    }

    async fn exchange_token(
        &self,
        id: &SessionId,
        token: &str,
    ) -> Result<SessionSecret, FlowError> {
        let keys = self.keys.sessions();
        // Checked first: a made-up token costs no read.
        let attempt = keys
            .attempt_of(token, id)
            .ok_or(DenialCode::NotYourSession)?;
        // A write whose answer was lost is recognised by its nonce.
        let nonce = Nonce::from_bytes(random_bytes(&*self.entropy));
        let row = self
            .move_session(id, None, |row| {
                (row.launch.attempt == attempt)
                    .then(|| row.bootstrapped(nonce.clone()).ok())
                    .flatten()
            })
            .await?
            .ok_or(DenialCode::NotYourSession)?;
        if row.bootstrapped.as_ref() == Some(&nonce) {
            return Ok(keys.named(&row.secret_key).secret(id));
        }
        if matches!(row.state, State::Stopping { .. } | State::Ended { .. }) {
            return Err(DenialCode::SessionEnded.into());
        }
        tracing::warn!(session.id = %id, "The bootstrap token of session {id} was brought again, \
                                          or too late");
        Err(DenialCode::NotYourSession.into())
    }
}
