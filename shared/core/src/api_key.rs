//! Owns the API key: what it may do, how long, and the hash of its secret. Must not know how it is shown or sent.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, ActorKind, Scope};
use crate::ids::{ApiKeyId, Entropy, draw};
use crate::keys::{hash_secret, same_secret};
use crate::record::Record;
use crate::time::Timestamp;

/// A use of a key is written down when the last one that was is older than so many seconds: a key in constant use costs a write an hour.
const NOTED_EVERY_SECONDS: u64 = 3600;

/// A key for the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its public half.
    pub id: ApiKeyId,
    /// Grows with every change; a use that is written down is none.
    pub version: u64,
    /// What the administrator set.
    pub settings: ApiKeySettings,
    /// `keys::hash_secret` of its secret half.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
    /// When it was last used, to the hour; `None` as long as nobody has.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// What an administrator sets on an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeySettings {
    /// What it is for.
    pub name: String,
    /// What it may do; never empty.
    pub scopes: BTreeSet<Scope>,
    /// From this time on it opens nothing; `None` is never.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl Record for ApiKey {
    const KIND: &'static str = "api-key";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

impl ApiKey {
    /// A new key, and its text: `{id}.{secret}`, with 128 random bits in the secret. The text cannot be had again.
    pub fn issue(
        entropy: &dyn Entropy,
        now: Timestamp,
        settings: ApiKeySettings,
    ) -> (Self, String) {
        let id = ApiKeyId::from_bytes(draw(entropy));
        Self::with_secret(id, &draw(entropy), now, settings)
    }

    /// The key of this id and secret, and its text.
    pub fn with_secret(
        id: ApiKeyId,
        secret: &[u8; 16],
        now: Timestamp,
        settings: ApiKeySettings,
    ) -> (Self, String) {
        let secret = BASE64URL_NOPAD.encode(secret);
        let text = format!("{id}.{secret}");
        let secret_hash = hash_secret(&secret);
        (
            Self {
                id,
                version: 1,
                settings,
                secret_hash,
                created_at: now,
                updated_at: now,
                last_used_at: None,
            },
            text,
        )
    }

    /// The id and the secret of a key's text; `None` when the text is no key's.
    pub fn parse(text: &str) -> Option<(ApiKeyId, &str)> {
        let (id, secret) = text.split_once('.')?;
        Some((ApiKeyId::parse(id)?, secret))
    }

    /// Whether it opens anything at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.settings.expires_at.is_none_or(|expires| now < expires)
    }

    /// The key, if `secret` is its secret and its time is not over. One that does not exist costs the same comparison, with a hash that
    /// nothing has.
    pub fn matching(key: Option<Self>, secret: &str, now: Timestamp) -> Option<Self> {
        let expected = key.as_ref().map_or("", |key| key.secret_hash.as_str());
        let same = same_secret(expected, &hash_secret(secret));
        key.filter(|key| same && key.is_valid(now))
    }

    /// The key after a use at `now`, when that is to be written down.
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        let is_noted = self
            .last_used_at
            .is_some_and(|at| now < at.plus_seconds(NOTED_EVERY_SECONDS));
        (!is_noted).then(|| Self {
            last_used_at: Some(now),
            ..self.clone()
        })
    }

    /// Who acts with it.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::ApiKey,
            id: self.id.to_string(),
            name: self.settings.name.clone(),
            scopes: self.settings.scopes.clone(),
            address: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, SeededEntropy};

    fn key(seed: u64, expires_at: Option<Timestamp>) -> (ApiKey, String) {
        let settings = ApiKeySettings {
            name: "ours".into(),
            scopes: [Scope::Read].into(),
            expires_at,
        };
        ApiKey::issue(&SeededEntropy::new(seed), NOON, settings)
    }

    #[test]
    fn a_key_opens_with_its_own_secret_and_in_its_own_time_only() {
        let (ours, text) = key(1, Some(NOON.plus_seconds(60)));
        let (_, other) = key(2, None);
        let secret = |text: &str| {
            text.split_once('.')
                .map(|(_, secret)| secret.to_owned())
                .unwrap_or_default()
        };
        let late = NOON.plus_seconds(60);
        for (name, found, sent, now, opens) in [
            ("its secret", Some(ours.clone()), secret(&text), NOON, true),
            ("too late", Some(ours.clone()), secret(&text), late, false),
            (
                "another key's",
                Some(ours.clone()),
                secret(&other),
                NOON,
                false,
            ),
            (
                "a cut one",
                Some(ours.clone()),
                secret(&text)[1..].to_owned(),
                NOON,
                false,
            ),
            (
                "the hash itself",
                Some(ours.clone()),
                ours.secret_hash.clone(),
                NOON,
                false,
            ),
            ("nothing", Some(ours.clone()), String::new(), NOON, false),
            ("no such key", None, secret(&text), NOON, false),
            ("no such key, nothing", None, String::new(), NOON, false),
        ] {
            assert_eq!(
                ApiKey::matching(found, &sent, now).is_some(),
                opens,
                "{name}"
            );
        }
        assert_eq!(
            ApiKey::parse(&text),
            Some((ours.id, secret(&text).as_str()))
        );
        for foreign in ["", ".", "k.x", "abc"] {
            assert_eq!(ApiKey::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_use_is_written_down_once_an_hour() {
        let (fresh, _) = key(1, None);
        let used = fresh.used(NOON).expect("the first use");
        assert_eq!(
            (used.last_used_at, used.version),
            (Some(NOON), fresh.version)
        );
        assert_eq!(used.used(NOON.plus_seconds(3599)), None);
        assert!(used.used(NOON.plus_seconds(3600)).is_some());
    }
}
