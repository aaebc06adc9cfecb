//! Owns the CAPTCHA: its kinds, settings, solutions, and the port of its verifiers.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The provider of the CAPTCHA (seed: Require reCAPTCHA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptchaKind {
    /// A small sum that the visitor's browser works out: our own, without a third party.
    Altcha,
    /// Google's box to tick.
    RecaptchaV2,
    /// Google's score.
    RecaptchaV3,
    /// hCaptcha's box.
    Hcaptcha,
    /// Cloudflare's box.
    Turnstile,
}

impl CaptchaKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Altcha,
        Self::RecaptchaV2,
        Self::RecaptchaV3,
        Self::Hcaptcha,
        Self::Turnstile,
    ];

    /// The kind as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Altcha => "altcha",
            Self::RecaptchaV2 => "recaptcha-v2",
            Self::RecaptchaV3 => "recaptcha-v3",
            Self::Hcaptcha => "hcaptcha",
            Self::Turnstile => "turnstile",
        }
    }

    /// Reads a kind; `None` when there is no such kind.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How visitors are checked; one for the whole deployment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptchaSettings {
    /// Who asks.
    pub kind: CaptchaKind,
    /// The public half of the provider's keys.
    #[serde(default)]
    pub site_key: Option<String>,
    /// The private half: it can be set and never be read.
    #[serde(default)]
    pub secret_key: Option<String>,
    /// Where tokens are verified, when it is not the provider's own address.
    #[serde(default)]
    pub verify_url: Option<String>,
    /// The lowest score that passes, in hundredths; means something for reCAPTCHA v3 only.
    #[serde(default = "half")]
    pub min_score_percent: u8,
}

const fn half() -> u8 {
    50
}

impl Default for CaptchaSettings {
    /// Works without a provider.
    fn default() -> Self {
        Self {
            kind: CaptchaKind::Altcha,
            site_key: None,
            secret_key: None,
            verify_url: None,
            min_score_percent: half(),
        }
    }
}

impl CaptchaSettings {
    /// Whether a visitor can pass it, as far as the site key tells: it is there, and none of the
    /// provider's keys for tests. The private key may be elsewhere than in the settings.
    pub fn can_pass(&self) -> bool {
        let provider = self.kind.provider();
        let site_key = self.site_key.as_deref();
        provider.verify_url.is_none() || site_key.is_some_and(|key| !provider.is_test_key(key))
    }
}

impl fmt::Debug for CaptchaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptchaSettings")
            .field("kind", &self.kind)
            .field("site_key", &self.site_key)
            .finish_non_exhaustive()
    }
}

/// The action that the page names, and that the verifier must find in the token if the provider
/// includes one.
pub const CAPTCHA_ACTION: &str = "claim";

/// One proof to be checked.
#[derive(Clone, Debug)]
pub struct CaptchaCheck<'a> {
    /// How visitors are checked.
    pub settings: &'a CaptchaSettings,
    /// The visitor's solution.
    pub token: &'a str,
    /// The purposes for which the challenge may have been made (see
    /// [`CaptchaVerifier::challenge`]).
    pub bound_to: &'a [&'a str],
    /// The visitor's address.
    pub address: IpAddr,
    /// The host that the widget must have stood on: our own.
    pub hostname: &'a str,
    /// The time of the check.
    pub now: Timestamp,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptchaVerdict {
    /// The solution is valid.
    Passed(Proof),
    /// The token is wrong, stale, used, for another host or action, or scores too low; with why,
    /// for the log.
    Failed(String),
    /// The solution cannot be checked: the provider is slow, down, answers nonsense or refuses our
    /// keys; with the reason, for the log.
    Unavailable(String),
}

/// What is known of the keys of a provider without a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysVerdict {
    /// This kind needs no keys.
    NotNeeded,
    /// The provider knows the private key. It says nothing about the site key: only a visitor
    /// tries that.
    Accepted,
    /// A key is missing.
    Missing,
    /// They are the provider's keys for tests, which check nothing.
    ForTests,
    /// The provider does not know them; with its words.
    Refused(String),
    /// The provider cannot be asked, or answers nonsense; with the reason.
    Unavailable(String),
}

/// A token that was accepted: it must not be accepted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Names the token; 64 characters at most.
    pub id: String,
    /// From this time on it would not be accepted anyway.
    pub until: Timestamp,
}

/// Makes challenges and checks proofs.
#[async_trait]
pub trait CaptchaVerifier: Send + Sync {
    /// What the page must hold besides the site key, as JSON; `None` for kinds whose widget asks
    /// its provider. `bound_to` says what it is for, and a proof of it is good for nothing else.
    fn challenge(
        &self,
        settings: &CaptchaSettings,
        bound_to: &str,
        now: Timestamp,
    ) -> Option<String>;
    /// Checks a proof. Takes three seconds at most.
    async fn verify(&self, check: CaptchaCheck<'_>) -> CaptchaVerdict;
    /// Asks the provider whether it knows these keys. Takes three seconds at most.
    async fn check_keys(&self, settings: &CaptchaSettings) -> KeysVerdict;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captcha_kinds_round_trip() {
        for kind in CaptchaKind::ALL {
            assert_eq!(CaptchaKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
    }

    #[test]
    fn debug_output_hides_the_secret_key() {
        let settings = CaptchaSettings {
            secret_key: Some("hush".into()),
            ..CaptchaSettings::default()
        };
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
