//! Owns the preview of a login from pasted claims: they go the way of those that a provider sends, but
//! for the signature. Must not ask any provider.

use std::str::FromStr;

use casting_core::admin::login_previews::{ClaimProblem, LoginReader, LoginReading};
use casting_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::{CoreGenderClaim, CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{ClaimsVerificationError, ClientId, IdTokenClaims, IssuerUrl, Nonce};
use serde_json::{Map, Value, json};

use crate::oidc::{self, OidcSettings, OtherClaims};

/// What every ID token must say.
const REQUIRED: [&str; 5] = ["iss", "sub", "aud", "exp", "iat"];
/// How long a made-up token is good, in seconds.
const MADE_UP_SECONDS: i64 = 60;

/// Reads claims as logins at this provider do.
pub struct OidcReader(OidcSettings);

impl OidcReader {
    /// A reader for this provider. Its secret is not needed.
    pub const fn new(settings: OidcSettings) -> Self {
        Self(settings)
    }

    /// Checks the claims of a token as a login does, at this time.
    fn check(
        &self,
        claims: &Map<String, Value>,
        at: Timestamp,
    ) -> Result<IdTokenClaims<OtherClaims, CoreGenderClaim>, ClaimProblem> {
        let settings = &self.0;
        let wrong = |claim: &str, detail: String| ClaimProblem {
            claim: claim.to_owned(),
            detail,
        };
        if let Some(missing) = REQUIRED.iter().find(|name| !claims.contains_key(**name)) {
            return Err(wrong(missing, "It is missing.".to_owned()));
        }
        if let Some(problem) = self.misshapen(claims) {
            return Err(problem);
        }
        if claims["sub"].as_str().is_none_or(str::is_empty) {
            return Err(wrong("sub", "It is empty.".to_owned()));
        }
        let token = token(&Value::Object(claims.clone()));
        let token = oidc::Token::from_str(&token)
            .map_err(|error| wrong("(the whole)", format!("It cannot be read: {error}.")))?;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| {
            wrong(
                "iss",
                format!("The deployment's issuer is no URL: {error}."),
            )
        })?;
        let verifier = CoreIdTokenVerifier::new_public_client(
            ClientId::new(settings.client_id.clone()),
            issuer,
            CoreJsonWebKeySet::new(Vec::new()),
        );
        let verifier = oidc::checked_at(verifier.insecure_disable_signature_check(), at)
            .map_err(|error| wrong("exp", error.to_string()))?;
        let any_nonce = |_: Option<&Nonce>| Ok(());
        match token.claims(&verifier, any_nonce) {
            Ok(claims) => Ok(claims.clone()),
            Err(error) => Err(self.explain(&error, claims)),
        }
    }

    /// The first claim that the library cannot read, whatever the others say.
    fn misshapen(&self, claims: &Map<String, Value>) -> Option<ClaimProblem> {
        let base = json!({
            "iss": self.0.issuer, "sub": "x", "aud": [self.0.client_id], "exp": 1, "iat": 0,
        });
        claims.iter().find_map(|(name, value)| {
            let mut alone = base.clone();
            alone[name] = value.clone();
            let error = oidc::Token::from_str(&token(&alone)).err()?;
            Some(ClaimProblem {
                claim: name.clone(),
                detail: format!("It cannot be read: {error}."),
            })
        })
    }

    fn explain(
        &self,
        error: &ClaimsVerificationError,
        claims: &Map<String, Value>,
    ) -> ClaimProblem {
        let (claim, detail) = match error {
            ClaimsVerificationError::InvalidIssuer(_) => (
                "iss",
                format!(
                    "It is {}, and the deployment expects {}.",
                    claims["iss"], self.0.issuer
                ),
            ),
            ClaimsVerificationError::InvalidAudience(_) => (
                "aud",
                format!(
                    "It is {}, and does not name the client {}.",
                    claims["aud"], self.0.client_id
                ),
            ),
            ClaimsVerificationError::Expired(why) => {
                let claim = if why.contains("future") { "iat" } else { "exp" };
                (claim, format!("{why}."))
            }
            other => ("(the whole)", format!("{other}.")),
        };
        ClaimProblem {
            claim: claim.to_owned(),
            detail,
        }
    }
}

impl LoginReader for OidcReader {
    fn read(&self, claims: &Map<String, Value>, now: Timestamp) -> LoginReading {
        let mut notes = Vec::new();
        let is_token = ["iss", "aud", "exp"]
            .iter()
            .any(|name| claims.contains_key(*name));
        let mut claims = claims.clone();
        let mut at = now;
        if is_token {
            // A token that was pasted is mostly an old one.
            let ends = claims.get("exp").and_then(Value::as_i64);
            if let Some(ends) = ends.filter(|ends| *ends <= now.seconds()) {
                notes.push(
                    "This token has expired. A login brings a new one; everything else is read as \
                     it was then."
                        .to_owned(),
                );
                at = Timestamp::from_millis((ends - 1).saturating_mul(1000));
            }
        } else {
            notes.push(
                "Read as the answer of the userinfo endpoint: the ID token, which comes first, is \
                 taken to be good."
                    .to_owned(),
            );
            let made_up = [
                ("iss", json!(self.0.issuer)),
                ("aud", json!([self.0.client_id])),
                ("iat", json!(now.seconds())),
                ("exp", json!(now.seconds() + MADE_UP_SECONDS)),
            ];
            for (name, value) in made_up {
                claims.entry(name).or_insert(value);
            }
        }
        let checked = match self.check(&claims, at) {
            Ok(checked) => checked,
            Err(problem) => {
                return LoginReading {
                    user: Err(vec![problem]),
                    notes,
                };
            }
        };
        let known = oidc::known_of(&checked);
        if is_token && known.is_incomplete(&self.0) {
            notes.push(format!(
                "Neither {} nor {} is here, or no name: a login asks the userinfo endpoint too. \
                 Paste its answer to see what that adds.",
                self.0.groups_claim, self.0.roles_claim
            ));
        }
        let (issuer, subject) = (checked.issuer().as_str(), checked.subject().as_str());
        let (user, oddities) = known.user(issuer, subject, &self.0);
        notes.extend(oddities.iter().map(|oddity| format!("{oddity}.")));
        LoginReading {
            user: Ok(user),
            notes,
        }
    }
}

/// Claims as a token that nobody has signed.
fn token(claims: &Value) -> String {
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let head = encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    format!("{head}.{}.{}", encode(&claims.to_string()), encode("none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::tests::documented;
    use casting_core::testing::NOON;

    const ISSUER: &str = "https://login.example";

    fn reader(claim: &str) -> OidcReader {
        OidcReader::new(OidcSettings {
            groups_claim: claim.into(),
            roles_claim: claim.into(),
            ..OidcSettings::new(ISSUER, "casting")
        })
    }

    /// The payload of a good token with these claims on top.
    fn payload(more: &Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": ISSUER, "sub": "subject", "aud": "casting", "iat": NOON.seconds() - 5,
            "exp": NOON.seconds() + 300, "nonce": "n",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        claims.as_object().expect("an object").clone()
    }

    #[test]
    fn documented_claims_preview_as_they_log_in() {
        for (provider, claim, claims, name, groups, admin) in documented() {
            let userinfo = {
                let mut claims = claims.clone();
                claims["sub"] = json!("subject");
                claims.as_object().expect("an object").clone()
            };
            for (kind, claims) in [("token", payload(&claims)), ("userinfo", userinfo)] {
                let reading = reader(claim).read(&claims, NOON);
                let user = reading
                    .user
                    .unwrap_or_else(|why| panic!("{provider} {kind}: {why:?}"));
                assert_eq!(user.name, name, "{provider} {kind}");
                assert_eq!(user.groups, groups, "{provider} {kind}");
                assert_eq!(!user.roles.is_empty(), admin, "{provider} {kind}");
                let says = reading.notes.iter().any(|note| {
                    note.contains("userinfo answer") || note.contains("answer of the userinfo")
                });
                assert_eq!(
                    says,
                    kind == "userinfo",
                    "{provider} {kind}: {:?}",
                    reading.notes
                );
            }
        }
    }

    #[test]
    fn refusal_names_the_claim() {
        for (name, more, claim, says) in [
            (
                "another issuer",
                json!({"iss": "https://x.example"}),
                "iss",
                "https://login.example",
            ),
            (
                "another client",
                json!({"aud": ["a", "b"]}),
                "aud",
                "casting",
            ),
            (
                "no time",
                json!({"exp": "tomorrow"}),
                "exp",
                "cannot be read",
            ),
            (
                "from the future",
                json!({"iat": NOON.seconds() + 600}),
                "iat",
                "future",
            ),
            (
                "a subject that is none",
                json!({"sub": 7}),
                "sub",
                "cannot be read",
            ),
            ("an empty subject", json!({"sub": ""}), "sub", "empty"),
            (
                "an e-mail address that is none",
                json!({"email": 7}),
                "email",
                "cannot be read",
            ),
        ] {
            let reading = reader("groups").read(&payload(&more), NOON);
            let problems = reading.user.expect_err(name);
            assert_eq!(problems[0].claim, claim, "{name}: {problems:?}");
            assert!(problems[0].detail.contains(says), "{name}: {problems:?}");
        }
        for missing in REQUIRED {
            let mut claims = payload(&json!({}));
            claims.remove(missing);
            let reading = reader("groups").read(&claims, NOON);
            let problems = reading.user.expect_err(missing);
            assert_eq!(problems[0].claim, missing, "{problems:?}");
        }
        let nobody = json!({"name": "Ann"})
            .as_object()
            .expect("an object")
            .clone();
        let problems = reader("groups")
            .read(&nobody, NOON)
            .user
            .expect_err("no subject");
        assert_eq!(problems[0].claim, "sub");
    }

    #[test]
    fn notes_say_what_a_login_would_do_besides() {
        for (name, more, note) in [
            (
                "an old token",
                json!({"exp": NOON.seconds() - 60, "iat": NOON.seconds() - 90}),
                "has expired",
            ),
            (
                "no groups",
                json!({"name": "Ann"}),
                "asks the userinfo endpoint too",
            ),
            (
                "too many groups",
                json!({"name": "Ann", "groups": vec!["g".repeat(70); 1], "_claim_names": {}}),
                "",
            ),
            (
                "groups left out",
                json!({"name": "Ann", "hasgroups": true}),
                "left the groups out",
            ),
        ] {
            let reading = reader("groups").read(&payload(&more), NOON);
            assert!(reading.user.is_ok(), "{name}: {reading:?}");
            let said = reading.notes.join(" ");
            assert!(said.contains(note), "{name}: {said}");
            assert_eq!(said.is_empty(), note.is_empty(), "{name}: {said}");
        }
    }
}
