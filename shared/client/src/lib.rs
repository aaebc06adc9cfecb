//! A client for programs that claim sessions of a deployment, and for those that administer it.
//! Must not know how the deployment works: all that is known here, the OpenAPI document says.
//!
//! # Layout
//! - [`Client`]: links and claims; [`Session`]: a claimed session, for its owner
//! - [`Admin`]: links and sessions, for administrators
//! - [`types`]: the documents of both; [`Error`] and [`Problem`]: what went wrong

mod admin;
mod call;
mod error;
mod session;
pub mod types;

use std::time::Duration;

use casting_protocol::ids::SessionId;
use reqwest::Method;
use serde_json::json;

pub use admin::Admin;
use call::Caller;
pub use error::{Error, FieldError, Problem};
pub use session::Session;
use types::{Claimed, Offer};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A deployment, as a visitor's program sees it.
#[derive(Clone, Debug)]
pub struct Client {
    caller: Caller,
}

impl Client {
    /// A client of the deployment at this address, such as `https://cast.example.com`.
    ///
    /// # Errors
    /// When that is no http or https URL, or TLS cannot be set up.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        let caller = Caller::new(base_url, LIMIT)?;
        Ok(Self { caller })
    }

    /// The same deployment, for administrators with this API key.
    #[must_use]
    pub fn admin(&self, key: &str) -> Admin {
        Admin::new(self.caller.clone().with_token(key))
    }

    /// What a claim of the link with this key needs.
    ///
    /// # Errors
    /// `Refused` where the link gives no session now.
    pub async fn offer(&self, link: &str) -> Result<Offer, Error> {
        self.caller
            .ask(Method::GET, &["api", "casts", link], None)
            .await
    }

    /// Claims a session with the ticket of an offer. `consent`: whether its visitor agrees to the
    /// address that the link opens; `captcha`: the solution of the CAPTCHA.
    ///
    /// # Errors
    /// `Refused` where the link gives no session.
    pub async fn claim_with(
        &self,
        link: &str,
        ticket: &str,
        consent: bool,
        captcha: Option<&str>,
    ) -> Result<Claimed, Error> {
        let claim = json!({ "ticket": ticket, "consent": consent, "captcha": captcha });
        self.caller
            .ask(Method::POST, &["cast", link, "claims"], Some(&claim))
            .await
    }

    /// Claims a session of a link that asks for nothing: no CAPTCHA, no login, no consent.
    ///
    /// # Errors
    /// `NeedsMore` where it does ask, `Queued` where all places are taken and the claim would wait,
    /// otherwise as [`Client::claim_with`].
    pub async fn claim(&self, link: &str) -> Result<Session, Error> {
        let offer = self.offer(link).await?;
        let Some(ticket) = &offer.ticket else {
            return Err(Error::NeedsMore(offer.needs));
        };
        match self.claim_with(link, ticket, false, None).await? {
            Claimed::Session(session) => {
                Ok(self.session(session.session_id, &session.session_token))
            }
            Claimed::Place(_) => Err(Error::Queued),
        }
    }

    /// A session that was claimed before, by its id and its token.
    #[must_use]
    pub fn session(&self, id: SessionId, token: &str) -> Session {
        Session::new(self.caller.clone().with_token(token), id, token)
    }
}
