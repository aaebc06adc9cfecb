//! Owns the ids: one newtype for each kind, validated when parsed, made from bytes of the caller.
//! Must not draw randomness itself.

use std::fmt;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use ring::digest;
use serde::{Deserialize, Serialize};

/// Fills buffers with unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` wholly.
    fn fill(&self, buffer: &mut [u8]);
}

/// Sixteen bytes from `entropy`: enough that no two ids ever meet and none can be guessed.
pub fn random_bytes(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes
}

/// `bytes` in lower-case base32: letters and digits only, so it fits into host names and AWS
/// identifiers.
fn spell(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix of this kind of id.
            pub const PREFIX: &'static str = $prefix;

            /// The id that these bytes spell.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, spell(&bytes)))
            }

            /// Reads an id as it stands in a path or a document; `None` when it cannot be one of
            /// this kind.
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix($prefix)?;
                let spelled = rest.len() == 26
                    && rest.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
                spelled.then(|| Self(text.to_owned()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same bytes as an id of this kind, of an id of another kind that begins with
            /// `prefix`.
            pub fn respelled(other: &str, prefix: &str) -> Self {
                Self(other.replacen(prefix, $prefix, 1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A cast config.
    CastId, "c"
);
id!(
    /// A session, which is also the claim that asked for it. A DNS label, and ECS's `startedBy`.
    SessionId, "s"
);
id!(
    /// An image: what a session runs.
    ImageId, "i"
);
id!(
    /// An API key (its public half).
    ApiKeyId, "k"
);
id!(
    /// A user: anonymous, minted for one request, or one who has logged in.
    UserId, "u"
);

id!(
    /// A group of users.
    GroupId, "g"
);

id!(
    /// A staging config.
    StagingId, "p"
);

id!(
    /// An invitation to a link. It works for anyone who has it, so it is never logged.
    InvitationId, "v"
);

impl SessionId {
    /// The one session that a launch ticket's nonce can ever lead to, so that a double click, a
    /// retry and a refresh meet.
    pub fn from_nonce(cast: &CastId, nonce: &Nonce) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"session\0");
        context.update(cast.as_str().as_bytes());
        context.update(b"\0");
        context.update(nonce.0.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.finish().as_ref()[..16]);
        Self::from_bytes(bytes)
    }
}

/// A number that follows from two ids and looks like none other: another order of the same things
/// for each `one`.
pub fn mix(one: &SessionId, other: &SessionId) -> u64 {
    let hash = digest::digest(&digest::SHA256, format!("{one} {other}").as_bytes());
    hash.as_ref()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl UserId {
    /// The anonymous user who is minted for a session: one is found by the other.
    pub fn of_session(session: &SessionId) -> Self {
        Self::respelled(&session.0, SessionId::PREFIX)
    }

    /// The session that a user was minted for, if it was minted at all.
    pub fn minted_for(&self) -> SessionId {
        SessionId::respelled(&self.0, Self::PREFIX)
    }
}

/// The unique value of a launch ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// The nonce that these bytes spell.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(BASE64URL_NOPAD.encode(&bytes))
    }

    /// The nonce as text: base64url of its sixteen bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nonce of another attempt of the same visitor: the same again leads to the same session.
    pub fn another(&self) -> Self {
        Self(BASE64URL_NOPAD.encode(
            &digest::digest(&digest::SHA256, format!("another {}", self.0).as_bytes()).as_ref()
                [..16],
        ))
    }

    /// The nonce that follows from what a program calls its request, and from who it is: the same
    /// again leads to the same session.
    pub fn from_request(caller: &str, idempotency_key: &str) -> Self {
        let text = format!("request {}:{caller} {idempotency_key}", caller.len());
        Self(
            BASE64URL_NOPAD
                .encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16]),
        )
    }
}

/// What a visitor quotes to an administrator, and what the log says: groups of four letters and
/// digits. Two groups name a session (`k3f7-2mqa`), four a refusal (`k3f7-2mqa-x5cd-7b2e`, see
/// `reference` in core).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// The reference that these bytes spell, in groups of four; a multiple of five bytes has no
    /// rest.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let letters = spell(bytes);
        let mut text = String::with_capacity(letters.len() + letters.len() / 4);
        for (index, letter) in letters.chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        Self(text)
    }

    /// The bytes that this reference spells.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let letters = self.0.replace('-', "").to_ascii_uppercase();
        BASE32_NOPAD.decode(letters.as_bytes()).ok()
    }

    /// The reference of a session: the first letters of its id, so that it is always the same.
    pub fn of(session: &SessionId) -> Self {
        let letters = |range| session.as_str().get(range).unwrap_or_default();
        Self(format!("{}-{}", letters(1..5), letters(5..9)))
    }

    /// How the id of the session begins that has this reference; `None` for the reference of a
    /// refusal.
    pub fn session_prefix(&self) -> Option<String> {
        let letters = self.0.replace('-', "");
        (letters.len() == 8).then(|| format!("{}{letters}", SessionId::PREFIX))
    }

    /// Reads a reference from a query; `None` when it does not look like one, so that a page never
    /// repeats foreign text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_group = |group: &str| {
            group.len() == 4
                && group
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
        };
        let groups = text.split('-').count();
        (matches!(groups, 2 | 4) && text.split('-').all(is_group)).then(|| Self(text.to_owned()))
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public part of a link: `/cast/{key}`. Six to 64 letters, digits, `-` and `_`,
/// case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CastKey(String);

impl CastKey {
    /// Reads a key; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (6..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    /// A random key.
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(spell(&random_bytes(entropy)))
    }

    /// The key with small letters, if [`CastKey::random`] could have drawn it.
    pub fn drawn(&self) -> Option<Self> {
        let small = self.0.to_ascii_lowercase();
        let spells = BASE32_NOPAD.decode(small.to_ascii_uppercase().as_bytes());
        let is_drawn = spells.is_ok_and(|bytes| bytes.len() == size_of::<[u8; 16]>());
        is_drawn.then_some(Self(small))
    }

    /// Stands where a session has no link (yet). Too short for a link's.
    pub fn of_nobody() -> Self {
        Self("-".to_owned())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CastKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for CastKey {
    fn default() -> Self {
        Self::of_nobody()
    }
}

impl Default for ImageId {
    /// Names no image: ids are drawn.
    fn default() -> Self {
        Self::from_bytes([0; 16])
    }
}

impl CastId {
    /// Stands in the row of a session of this pool that no link has been given yet. No cast has it:
    /// ids are drawn, and pools' are others.
    pub fn of_pool(pool: &StagingId) -> Self {
        Self::respelled(pool.as_str(), StagingId::PREFIX)
    }
}

impl UserId {
    /// The one user that a provider means by a subject: the same at every login, and no other
    /// provider's.
    pub fn of(issuer: &str, subject: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in ["user", issuer, subject] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.finish().as_ref()[..16]);
        Self::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_reject_other_text() {
        let id = SessionId::from_bytes([7; 16]);
        assert_eq!(SessionId::parse(id.as_str()), Some(id.clone()));
        for foreign in [
            "",
            "s",
            "s../../etc",
            &id.as_str()[1..],
            &format!("{id}a"),
            &id.as_str().to_uppercase(),
        ] {
            assert_eq!(SessionId::parse(foreign), None, "{foreign}");
        }
        assert_eq!(CastId::parse(id.as_str()), None, "another kind");
    }

    #[test]
    fn session_id_is_derived_from_cast_and_nonce() {
        let (cast, other) = (CastId::from_bytes([1; 16]), CastId::from_bytes([2; 16]));
        let nonce = Nonce::from_bytes([3; 16]);
        assert_eq!(
            SessionId::from_nonce(&cast, &nonce),
            SessionId::from_nonce(&cast, &nonce)
        );
        assert_ne!(
            SessionId::from_nonce(&cast, &nonce),
            SessionId::from_nonce(&other, &nonce)
        );
        assert_ne!(
            SessionId::from_nonce(&cast, &nonce),
            SessionId::from_nonce(&cast, &Nonce::from_bytes([4; 16]))
        );
    }

    #[test]
    fn session_and_its_anonymous_user_derive_from_each_other() {
        let session = SessionId::from_bytes([7; 16]);
        let user = UserId::of_session(&session);
        assert_eq!(UserId::parse(user.as_str()), Some(user.clone()));
        assert_eq!(user.minted_for(), session);
    }

    #[test]
    fn cast_key_has_6_to_64_plain_characters() {
        for (text, fits) in [
            ("123abc", true),
            ("12345", false),
            ("a_b-C9", true),
            ("with space", false),
            ("slash/es", false),
            ("ümlaut", false),
            (&"k".repeat(64), true),
            (&"k".repeat(65), false),
        ] {
            assert_eq!(CastKey::parse(text).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn reference_contains_no_foreign_text() {
        let of_session = Reference::of(&SessionId::from_bytes([1; 16]));
        assert_eq!(
            Reference::parse(of_session.as_str()),
            Some(of_session.clone()),
            "looks like any other"
        );
        assert!(
            SessionId::from_bytes([1; 16]).as_str()[1..]
                .starts_with(&of_session.as_str().replace('-', ""))
        );
        assert_eq!(
            of_session.session_prefix().as_deref(),
            SessionId::from_bytes([1; 16]).as_str().get(..9)
        );
        let long = Reference::from_bytes(&[0; 10]);
        assert_eq!(long.session_prefix(), None, "a refusal's");
        assert_eq!(long.as_str(), "aaaa-aaaa-aaaa-aaaa");
        assert_eq!(long.bytes(), Some(vec![0; 10]));
        assert_eq!(Reference::parse("aaaa-aaaa-aaaa-aaaa"), Some(long));
        for foreign in [
            "",
            "aaaa",
            "<b>a-aaaa",
            "aaaaaaaaa",
            "AAAA-AAAA",
            "aaaa-aaaaa",
            "aaaa-aaaa-aaaa",
            "aaaa-aaaa-aaaa-aaa1",
            "aaaa-aaaa-aaaa-aaaa-aaaa",
        ] {
            assert_eq!(Reference::parse(foreign), None, "{foreign}");
        }
    }
}
