//! Owns the ID tokens: what they say, and the key that signs them. Must not know who asked for one.

use anyhow::{Result, anyhow};
use casting_core::ids::{Entropy, random_bytes};
use casting_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::codes::Grant;

/// How long a token is good, in seconds.
const GOOD_SECONDS: u64 = 300;

/// An Ed25519 key.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    id: String,
}

impl Signer {
    /// A new key.
    pub(super) fn new(entropy: &dyn Entropy) -> Result<Self> {
        let seed = [random_bytes(entropy), random_bytes(entropy)].concat();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| anyhow!("The login provider has no key: {error}."))?;
        let id = BASE64URL_NOPAD.encode(&pair.public_key().as_ref()[..9]);
        Ok(Self { pair, id })
    }

    /// The key that checks the signatures, as a JSON Web Key Set.
    pub(super) fn public_keys(&self) -> Value {
        let x = BASE64URL_NOPAD.encode(self.pair.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x}]})
    }

    /// An ID token for this login.
    pub(super) fn id_token(
        &self,
        issuer: &str,
        audience: &str,
        grant: &Grant,
        now: Timestamp,
    ) -> String {
        let user = grant.user;
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": user.subject, "nonce": grant.nonce,
            "iat": now.seconds(), "exp": now.plus_seconds(GOOD_SECONDS).seconds(),
            "name": user.name, "roles": user.roles, "groups": user.groups,
        });
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!(
            "{}.{}",
            encode(&json!({"alg": "EdDSA", "typ": "JWT", "kid": self.id})),
            encode(&claims)
        );
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}
