//! Owns authorization codes: valid once, for a minute, and only for the client that asked (PKCE).

use std::collections::HashMap;
use std::sync::Mutex;

use casting_core::ids::{Entropy, random_bytes};
use casting_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use ring::digest;

use super::DemoUser;

/// How long a code is good, in seconds.
const GOOD_SECONDS: u64 = 60;

/// What a code stands for.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) user: &'static DemoUser,
    pub(super) nonce: String,
    /// The hash of the secret that redeems it.
    pub(super) challenge: String,
}

/// The codes that are out.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, (Grant, Timestamp)>>);

impl Codes {
    /// A new code.
    pub(super) fn issue(&self, grant: Grant, entropy: &dyn Entropy, now: Timestamp) -> String {
        let code = BASE64URL_NOPAD.encode(&random_bytes(entropy));
        if let Ok(mut codes) = self.0.lock() {
            codes.retain(|_, (_, until)| now < *until);
            codes.insert(code.clone(), (grant, now.plus_seconds(GOOD_SECONDS)));
        }
        code
    }

    /// What the code stands for; whatever comes of it, it is used up.
    pub(super) fn redeem(&self, code: &str, verifier: &str, now: Timestamp) -> Option<Grant> {
        let (grant, until) = self.0.lock().ok()?.remove(code)?;
        let challenge =
            BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        (now < until && challenge == grant.challenge).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::{NOON, SeededEntropy};

    #[test]
    fn code_works_once_within_a_minute_for_its_client() {
        let challenge = BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, b"secret").as_ref());
        let codes = Codes::default();
        let entropy = SeededEntropy::new(1);
        let issue = || {
            codes.issue(
                Grant {
                    user: &super::super::USERS[0],
                    nonce: "n".into(),
                    challenge: challenge.clone(),
                },
                &entropy,
                NOON,
            )
        };
        for (name, verifier, age, good) in [
            ("right", "secret", 0, true),
            ("late", "secret", GOOD_SECONDS, false),
            ("somebody else", "guess", 0, false),
        ] {
            let code = issue();
            assert_eq!(
                codes
                    .redeem(&code, verifier, NOON.plus_seconds(age))
                    .is_some(),
                good,
                "{name}"
            );
            assert!(
                codes.redeem(&code, "secret", NOON).is_none(),
                "{name}: twice"
            );
        }
    }
}
