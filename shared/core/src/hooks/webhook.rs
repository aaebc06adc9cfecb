//! Owns the signature of a webhook (Standard Webhooks, symmetric, `v1`) and the secrets that make
//! it. Must not know what is signed.

use std::fmt;

use data_encoding::BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::ids::Entropy;
use crate::time::Timestamp;

/// The header with the id of an event, the same at every try.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of the try, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// What a hook signs with. Shown only by [`HookSecret::reveal`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HookSecret(Vec<u8>);

impl HookSecret {
    /// A new one.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self::from_bytes(bytes)
    }

    /// Of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// Reads one as receivers keep it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The secret as receivers keep it: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }

    fn sign(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, text.as_bytes());
        format!("v1,{}", BASE64.encode(tag.as_ref()))
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(..)")
    }
}

impl From<HookSecret> for String {
    fn from(secret: HookSecret) -> Self {
        secret.reveal()
    }
}

impl TryFrom<String> for HookSecret {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a secret of a hook")
    }
}

/// A request to a receiver: where to, and all that is signed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to.
    pub url: String,
    /// The id of the event.
    pub id: String,
    /// The time of this try, in seconds since 1970.
    pub timestamp: i64,
    /// One signature for each secret.
    pub signature: String,
    /// JSON.
    pub body: String,
}

impl WebhookRequest {
    /// Signs a body with each of these secrets.
    pub fn signed(
        url: &str,
        id: &str,
        at: Timestamp,
        secrets: &[&HookSecret],
        body: String,
    ) -> Self {
        let timestamp = at.seconds();
        let text = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&text)).collect();
        Self {
            url: url.to_owned(),
            id: id.to_owned(),
            timestamp,
            signature: signatures.join(" "),
            body,
        }
    }
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebhookRequest");
        shown.field("url", &self.url).field("id", &self.id);
        shown.finish_non_exhaustive()
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// The receiver answered, with this status and the first bytes of its body.
    Answered {
        /// The HTTP status.
        status: u16,
        /// As many bytes as were asked for, at most.
        body: Vec<u8>,
        /// Whether that is all of it.
        is_whole: bool,
    },
    /// No answer came; why, in a few words.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededEntropy;

    /// The test vector of the Standard Webhooks libraries.
    #[test]
    fn signature_is_that_of_the_published_vector() {
        let secret = HookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = secret.expect("a secret");
        let at = Timestamp::from_millis(1_614_265_330_000);
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let url = "https://example.com/";
        let signed = WebhookRequest::signed(url, id, at, &[&secret], body.to_owned());
        assert_eq!(signed.timestamp, 1_614_265_330);
        let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed.signature, published);
        let other = HookSecret::random(&SeededEntropy::new(1));
        let signed = WebhookRequest::signed(url, id, at, &[&other, &secret], body.to_owned());
        let signatures: Vec<&str> = signed.signature.split(' ').collect();
        assert_eq!((signatures.len(), signatures[1]), (2, published));
    }

    #[test]
    fn secrets_round_trip_and_are_not_shown() {
        let secret = HookSecret::random(&SeededEntropy::new(1));
        let text = secret.reveal();
        assert_eq!(HookSecret::parse(&text), Some(secret.clone()));
        assert!(text.starts_with("whsec_") && text.len() == 6 + 44, "{text}");
        let request = WebhookRequest::signed(
            "https://example.com/",
            "e1",
            Timestamp::from_millis(0),
            &[&secret],
            "{}".into(),
        );
        let shown = format!("{secret:?} {request:?}");
        assert!(!shown.contains(&text[6..]) && !shown.contains(&request.signature));
        for (name, other) in [
            ("another prefix", "secret_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("too short", "whsec_MfKQ9r8GKYqr"),
            ("no base64", "whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ] {
            assert_eq!(HookSecret::parse(other), None, "{name}");
        }
    }
}
