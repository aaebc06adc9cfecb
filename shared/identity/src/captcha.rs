//! Owns the choice of verifier: our own proof of work, or a provider that speaks siteverify. Must
//! not know either's protocol.

use std::time::Duration;

use async_trait::async_trait;
use casting_core::captcha::{
    CaptchaCheck, CaptchaKind, CaptchaSettings, CaptchaVerdict, CaptchaVerifier, KeysVerdict,
};
use casting_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use reqwest::Client;

use crate::altcha::Altcha;
use crate::siteverify;
use crate::web_client::{self, ClientError};

/// How long a provider may take.
pub const LIMIT: Duration = Duration::from_secs(3);
/// The longest possible token, in bytes.
const MAX_TOKEN_BYTES: usize = 8192;

/// Checks proofs of every kind.
pub struct Captchas {
    client: Client,
    altcha: Altcha,
    secret: Option<String>,
}

impl Captchas {
    /// A verifier whose own challenges are signed with the first of `keys`, and taken when any of
    /// them signed. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(keys: &[[u8; 32]]) -> Result<Self, ClientError> {
        Self::with_limit(keys, LIMIT)
    }

    pub(crate) fn with_limit(keys: &[[u8; 32]], limit: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            client: web_client::build(limit)?,
            altcha: Altcha::new(keys.iter().map(|key| BASE64URL_NOPAD.encode(key)).collect()),
            secret: None,
        })
    }
}

impl Captchas {
    /// Providers are shown this secret key, when there is one, and not the one in the settings.
    pub fn with_secret(self, secret: Option<String>) -> Self {
        Self { secret, ..self }
    }
}

#[async_trait]
impl CaptchaVerifier for Captchas {
    fn challenge(
        &self,
        settings: &CaptchaSettings,
        bound_to: &str,
        now: Timestamp,
    ) -> Option<String> {
        match settings.kind {
            CaptchaKind::Altcha => self.altcha.challenge(bound_to, now),
            _ => None,
        }
    }

    async fn verify(&self, check: CaptchaCheck<'_>) -> CaptchaVerdict {
        if check.token.len() > MAX_TOKEN_BYTES {
            return CaptchaVerdict::Failed("the token is too long".into());
        }
        match check.settings.kind {
            CaptchaKind::Altcha => self.altcha.verify(check.token, check.bound_to, check.now),
            _ => siteverify::verify(&self.client, self.secret.as_deref(), &check).await,
        }
    }

    async fn check_keys(&self, settings: &CaptchaSettings) -> KeysVerdict {
        siteverify::check_keys(&self.client, self.secret.as_deref(), settings).await
    }
}
