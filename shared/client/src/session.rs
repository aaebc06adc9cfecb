//! Owns a claimed session as its owner's program sees it. Must not know how it was claimed.

use std::time::Duration;

use casting_protocol::ids::SessionId;
use reqwest::Method;
use tokio::time::{sleep, timeout};

use crate::call::Caller;
use crate::error::Error;
use crate::types::{Devtools, State, Status};

/// How long to wait before the status is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// A claimed session.
#[derive(Clone, Debug)]
pub struct Session {
    caller: Caller,
    id: SessionId,
    token: String,
}

impl Session {
    pub(crate) fn new(caller: Caller, id: SessionId, token: &str) -> Self {
        let token = token.to_owned();
        Self { caller, id, token }
    }

    /// Its id.
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// Its token, which makes whoever has it its owner.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How it stands.
    ///
    /// # Errors
    /// `Refused` where it is not this token's.
    pub async fn status(&self) -> Result<Status, Error> {
        self.ask(Method::GET, "status").await
    }

    /// Waits until it can be entered, for `within` at most.
    ///
    /// # Errors
    /// `NotStarted` where it has ended before, `NotReady` when the time is up.
    pub async fn ready(&self, within: Duration) -> Result<Status, Error> {
        let asked = async {
            loop {
                let status = self.status().await?;
                match status.state {
                    State::Reserved | State::Starting => sleep(PAUSE).await,
                    State::Ready => return Ok(status),
                    State::Stopping | State::Ended => {
                        return Err(Error::NotStarted(Box::new(status)));
                    }
                }
            }
        };
        timeout(within, asked).await.unwrap_or(Err(Error::NotReady))
    }

    /// How its browser is driven over Chrome DevTools.
    ///
    /// # Errors
    /// `Refused` with `devtools-unavailable` where it has none, with `busy` before it is ready.
    pub async fn devtools(&self) -> Result<Devtools, Error> {
        self.ask(Method::POST, "devtools").await
    }

    /// Ends it. Ending an ended one changes nothing.
    ///
    /// # Errors
    /// `Refused` where it is not this token's.
    pub async fn end(&self) -> Result<Status, Error> {
        self.ask(Method::POST, "end").await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        what: &str,
    ) -> Result<T, Error> {
        let path = ["session", self.id.as_str(), what];
        self.caller.ask(method, &path, None).await
    }
}
