//! Owns the API key: what it may do, how long, and the hash of its secret. Must not know how it is
//! shown or sent.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, ActorKind, Scope};
use crate::ids::{ApiKeyId, Entropy, random_bytes};
use crate::keys::{hash_secret, same_secret};
use crate::record::Record;
use crate::time::Timestamp;

/// A use of a key is written down when the last one that was is older than so many seconds: a key
/// in constant use costs a write an hour.
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
    /// When it was last used, to the hour; `None` if never.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// What an administrator sets on an API key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeySettings {
    /// What it is for.
    pub name: String,
    /// What it may do; never empty.
    pub scopes: BTreeSet<Scope>,
    /// From this time on it opens nothing; `None` is never.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// What a change would grant beyond the rights of the actor who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excess {
    /// These scopes.
    Scopes(Vec<Scope>),
    /// Time after this one, when the actor's own key expires.
    Time(Timestamp),
}

impl ApiKeySettings {
    /// What these settings grant beyond what `actor` has. `before` is what the key was granted
    /// already: a change that grants nothing new is allowed, and one that lets a key live longer
    /// grants all of its scopes for that time.
    pub fn excess(&self, before: Option<&Self>, actor: &Actor) -> Option<Excess> {
        let later = |before: &Self| match (before.expires_at, self.expires_at) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(was), Some(is)) => is > was,
        };
        let lives_longer = before.is_none_or(later);
        let granted: Vec<Scope> = self
            .scopes
            .iter()
            .copied()
            .filter(|scope| lives_longer || before.is_none_or(|key| !key.scopes.contains(scope)))
            .collect();
        if granted.is_empty() {
            return None;
        }
        let missing: Vec<Scope> = granted
            .into_iter()
            .filter(|scope| !actor.has(*scope))
            .collect();
        if !missing.is_empty() {
            return Some(Excess::Scopes(missing));
        }
        let end = actor.expires_at?;
        self.expires_at
            .is_none_or(|expires| expires > end)
            .then_some(Excess::Time(end))
    }
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
    /// A new key, and its text: `{id}.{secret}`, with 128 random bits in the secret. The text
    /// cannot be had again.
    pub fn issue(
        entropy: &dyn Entropy,
        now: Timestamp,
        settings: ApiKeySettings,
    ) -> (Self, String) {
        let id = ApiKeyId::from_bytes(random_bytes(entropy));
        Self::with_secret(id, &random_bytes(entropy), now, settings)
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

    /// The key, if `secret` is its secret and its time is not over. One that does not exist costs
    /// the same comparison, with a hash that nothing has.
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
            expires_at: self.settings.expires_at,
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
    fn key_needs_its_secret_and_must_not_be_expired() {
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
    fn scopes_can_be_granted_only_if_held() {
        use Scope::{Casts, Keys, Read};
        let at = |hours: u64| Some(NOON.plus_seconds(hours * 3600));
        let settings = |scopes: &[Scope], expires_at| ApiKeySettings {
            name: "ours".into(),
            scopes: scopes.iter().copied().collect(),
            expires_at,
        };
        let scopes = |scopes: &[Scope]| Some(Excess::Scopes(scopes.to_vec()));
        let time = |hours| at(hours).map(Excess::Time);
        // Name; the actor's scopes and end; the key's before and after; what is too much.
        type Granted<'a> = (&'a [Scope], Option<Timestamp>);
        type Case<'a> = (
            &'a str,
            Granted<'a>,
            Option<Granted<'a>>,
            Granted<'a>,
            Option<Excess>,
        );
        let cases: [Case<'_>; 18] = [
            (
                "a new key like the actor",
                (&[Keys], None),
                None,
                (&[Keys], None),
                None,
            ),
            (
                "reading is in every scope",
                (&[Keys], None),
                None,
                (&[Read], None),
                None,
            ),
            (
                "one scope more",
                (&[Keys], None),
                None,
                (&[Keys, Casts], None),
                scopes(&[Casts]),
            ),
            (
                "every scope",
                (&[Keys], None),
                None,
                (&Scope::ALL, None),
                scopes(&Scope::ALL[1..6]),
            ),
            (
                "by a key with every scope",
                (&Scope::ALL, None),
                None,
                (&Scope::ALL, None),
                None,
            ),
            (
                "as long as the actor",
                (&[Keys], at(5)),
                None,
                (&[Keys], at(5)),
                None,
            ),
            (
                "longer than the actor",
                (&[Keys], at(5)),
                None,
                (&[Keys], at(6)),
                time(5),
            ),
            ("for ever", (&[Keys], at(5)), None, (&[Read], None), time(5)),
            (
                "widens itself",
                (&[Keys], None),
                Some((&[Keys], None)),
                (&[Keys, Casts], None),
                scopes(&[Casts]),
            ),
            (
                "renames a wider key",
                (&[Keys], None),
                Some((&[Casts], None)),
                (&[Casts], None),
                None,
            ),
            (
                "narrows a wider key",
                (&[Keys], None),
                Some((&[Casts, Keys], None)),
                (&[Casts], None),
                None,
            ),
            (
                "shortens a wider key",
                (&[Keys], None),
                Some((&[Casts], None)),
                (&[Casts], at(1)),
                None,
            ),
            (
                "prolongs a wider key",
                (&[Keys], None),
                Some((&[Casts], at(1))),
                (&[Casts], at(2)),
                scopes(&[Casts]),
            ),
            (
                "wakes an expired wider key",
                (&[Keys], None),
                Some((&[Casts], at(0))),
                (&[Casts], None),
                scopes(&[Casts]),
            ),
            (
                "prolongs itself",
                (&[Keys], at(5)),
                Some((&[Keys], at(5))),
                (&[Keys], at(6)),
                time(5),
            ),
            (
                "prolongs another up to its own end",
                (&[Keys], at(5)),
                Some((&[Keys], at(1))),
                (&[Keys], at(5)),
                None,
            ),
            (
                "adds its scope to one that lives longer",
                (&[Keys], at(5)),
                Some((&[Read], None)),
                (&[Read, Keys], None),
                time(5),
            ),
            (
                "adds its scope to one that ends before",
                (&[Keys], at(5)),
                Some((&[Read], at(4))),
                (&[Read, Keys], at(4)),
                None,
            ),
        ];
        for (name, (may, end), before, (granted, expires), expected) in cases {
            let (mut actor, _) = key(1, end);
            actor.settings.scopes = may.iter().copied().collect();
            let before = before.map(|(scopes, end)| settings(scopes, end));
            let excess = settings(granted, expires).excess(before.as_ref(), &actor.actor());
            assert_eq!(excess, expected, "{name}");
        }
    }

    #[test]
    fn last_use_is_written_once_an_hour() {
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
