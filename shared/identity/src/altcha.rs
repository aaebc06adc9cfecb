//! Owns our own CAPTCHA: a proof of work by the ALTCHA protocol, version 2. It asks no third party
//! and keeps nothing of a visitor; it makes a request cost something, and proves no more than that.
//!
//! The challenge contains its purpose and expiry as signed data, so that our own clock decides.

use altcha::{
    CreateChallengeOptions, Payload, VerifySolutionOptions, create_challenge, verify_solution,
};
use casting_core::captcha::{CaptchaVerdict, Proof};
use casting_core::time::Timestamp;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::digest;
use serde_json::json;

/// How long a challenge is good for, in seconds: as long as the page that holds it, and time to
/// solve it.
const CHALLENGE_SECONDS: u64 = 600;
/// Browsers derive keys natively with PBKDF2, and one key in 256 begins as it must. With this many
/// rounds that is a fraction of a second on a desktop and about one on a phone, and checking it
/// takes us a single key.
const ROUNDS: u32 = 2000;
const KEY_PREFIX: &str = "00";

/// Names in the signed data.
const BOUND_TO: &str = "for";
const UNTIL: &str = "until";

/// Makes and checks challenges.
pub struct Altcha {
    secrets: Vec<String>,
}

impl Altcha {
    /// Signs with the first of these secrets; what the others signed is taken too.
    pub const fn new(secrets: Vec<String>) -> Self {
        Self { secrets }
    }

    /// A challenge, as JSON.
    pub fn challenge(&self, bound_to: &str, now: Timestamp) -> Option<String> {
        let until = now.plus_seconds(CHALLENGE_SECONDS).seconds();
        let data = [
            (BOUND_TO.to_owned(), json!(bound_to)),
            (UNTIL.to_owned(), json!(until)),
        ];
        let options = CreateChallengeOptions {
            cost: ROUNDS,
            key_prefix: KEY_PREFIX.to_owned(),
            data: Some(data.into()),
            hmac_signature_secret: Some(self.secrets.first()?.clone()),
            ..CreateChallengeOptions::default()
        };
        serde_json::to_string(&create_challenge(options).ok()?).ok()
    }

    /// Checks a solved challenge, which comes as base64 of JSON and was made for one of `bound_to`.
    pub fn verify(&self, token: &str, bound_to: &[&str], now: Timestamp) -> CaptchaVerdict {
        let failed = |why: &str| CaptchaVerdict::Failed(why.to_owned());
        let Some(payload) = read(token) else {
            return failed("not a solved challenge");
        };
        if let Err(why) = self.verify_solution(&payload) {
            return CaptchaVerdict::Failed(why);
        }
        // Signed by us, so the content is ours.
        let data = payload.challenge.parameters.data.unwrap_or_default();
        let until = data
            .get(UNTIL)
            .and_then(serde_json::Value::as_i64)
            .unwrap_or_default();
        let solved_for = data.get(BOUND_TO).and_then(serde_json::Value::as_str);
        if !solved_for.is_some_and(|solved_for| bound_to.contains(&solved_for)) {
            return failed("solved for another link or for another page");
        }
        if now.seconds() >= until {
            return failed("too old");
        }
        let signature = payload.challenge.signature.unwrap_or_default();
        CaptchaVerdict::Passed(Proof {
            id: name("altcha", &signature),
            until: Timestamp::from_millis(until * 1000),
        })
    }
}

impl Altcha {
    fn verify_solution(&self, payload: &Payload) -> Result<(), String> {
        for secret in &self.secrets {
            match verify_solution(VerifySolutionOptions::new(
                &payload.challenge,
                &payload.solution,
                secret.clone(),
            )) {
                Ok(result) if result.verified => return Ok(()),
                Ok(result) if result.invalid_signature == Some(true) => {}
                Ok(_) => return Err("not solved".to_owned()),
                Err(error) => return Err(format!("cannot be checked: {error}")),
            }
        }
        Err("not a challenge of ours".to_owned())
    }
}

fn read(token: &str) -> Option<Payload> {
    serde_json::from_slice(&BASE64.decode(token.as_bytes()).ok()?).ok()
}

/// A short name for a token that must not be used again.
pub(crate) fn name(kind: &str, token: &str) -> String {
    BASE64URL_NOPAD
        .encode(digest::digest(&digest::SHA256, format!("{kind} {token}").as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use altcha::{Challenge, SolveChallengeOptions, solve_challenge};
    use casting_core::testing::NOON;

    fn altcha() -> Altcha {
        Altcha::new(vec!["secret".into()])
    }

    fn solved(challenge: &str) -> Payload {
        let challenge: Challenge = serde_json::from_str(challenge).expect("a challenge");
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge))
            .expect("can be solved")
            .expect("in time");
        Payload {
            challenge,
            solution,
        }
    }

    fn token(payload: &Payload) -> String {
        BASE64.encode(&serde_json::to_vec(payload).expect("JSON"))
    }

    #[test]
    fn solved_challenge_passes_for_its_visitor_until_expiry() {
        let payload = solved(
            &altcha()
                .challenge("cast/ticket", NOON)
                .expect("a challenge"),
        );
        let good = token(&payload);
        let mut other = payload.clone();
        other.solution.counter += 1;
        let mut easier = payload.clone();
        easier.challenge.parameters.key_prefix = String::new();
        let mut unsigned = payload.clone();
        unsigned.challenge.signature = None;
        let mut longer = payload.clone();
        longer
            .challenge
            .parameters
            .data
            .as_mut()
            .expect("data")
            .insert(UNTIL.into(), json!(i64::MAX));
        for (name, token, bound_to, age, passes) in [
            ("solved", good.clone(), "cast/ticket", 0, true),
            (
                "just in time",
                good.clone(),
                "cast/ticket",
                CHALLENGE_SECONDS - 1,
                true,
            ),
            (
                "too old",
                good.clone(),
                "cast/ticket",
                CHALLENGE_SECONDS,
                false,
            ),
            ("for another link", good.clone(), "other/ticket", 0, false),
            ("another counter", token(&other), "cast/ticket", 0, false),
            ("made easier", token(&easier), "cast/ticket", 0, false),
            ("unsigned", token(&unsigned), "cast/ticket", 0, false),
            ("made to last", token(&longer), "cast/ticket", 0, false),
            ("garbage", "%%%".into(), "cast/ticket", 0, false),
            ("nothing", String::new(), "cast/ticket", 0, false),
        ] {
            let verdict = altcha().verify(&token, &["another", bound_to], NOON.plus_seconds(age));
            assert_eq!(
                matches!(verdict, CaptchaVerdict::Passed(_)),
                passes,
                "{name}: {verdict:?}"
            );
        }
        let changed =
            Altcha::new(vec!["new".into(), "secret".into()]).verify(&good, &["cast/ticket"], NOON);
        assert!(
            matches!(changed, CaptchaVerdict::Passed(_)),
            "from before a change of keys: {changed:?}"
        );
        let foreign = Altcha::new(vec!["another".into()]).verify(&good, &["cast/ticket"], NOON);
        assert_eq!(
            foreign,
            CaptchaVerdict::Failed("not a challenge of ours".into())
        );
    }

    #[test]
    fn challenge_id_does_not_depend_on_the_solution() {
        let payload = solved(&altcha().challenge("a", NOON).expect("a challenge"));
        let mut later = payload.clone();
        later.solution.time = Some(9.0);
        let id = |payload: &Payload| match altcha().verify(&token(payload), &["a"], NOON) {
            CaptchaVerdict::Passed(proof) => proof.id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(&payload), id(&later));
        let another = solved(&altcha().challenge("a", NOON).expect("a challenge"));
        assert_ne!(id(&payload), id(&another));
    }
}
