//! Owns the signing keys: one master key, and a key for each purpose derived from it. Must not know where the master key is kept.

use data_encoding::BASE64URL_NOPAD;
use ring::{digest, hmac};

use crate::ids::SessionId;

/// All keys of one deployment, derived from one 32-byte master key.
#[derive(Clone)]
pub struct Keyring {
    launch: hmac::Key,
    owner: hmac::Key,
    via: hmac::Key,
    login: hmac::Key,
    login_state: hmac::Key,
    captcha: [u8; 32],
    addresses: hmac::Key,
    sessions: SessionKeys,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Keyring {
    /// Derives every key from the master key.
    pub fn new(master: &[u8; 32]) -> Self {
        let derive = |purpose: &str| derive(master, purpose);
        Self {
            launch: hmac::Key::new(hmac::HMAC_SHA256, &derive("launch ticket")),
            owner: hmac::Key::new(hmac::HMAC_SHA256, &derive("owner ticket")),
            via: hmac::Key::new(hmac::HMAC_SHA256, &derive("via ticket")),
            login: hmac::Key::new(hmac::HMAC_SHA256, &derive("login ticket")),
            login_state: hmac::Key::new(hmac::HMAC_SHA256, &derive("login state")),
            captcha: derive("captcha"),
            addresses: hmac::Key::new(hmac::HMAC_SHA256, &derive("addresses")),
            sessions: SessionKeys::new(&derive("sessions")),
        }
    }

    /// Signs launch tickets.
    pub(crate) fn launch(&self) -> &hmac::Key {
        &self.launch
    }

    /// Signs owner tickets.
    pub(crate) fn owner(&self) -> &hmac::Key {
        &self.owner
    }

    /// Signs via tickets.
    pub(crate) fn via(&self) -> &hmac::Key {
        &self.via
    }

    /// Signs login tickets.
    pub(crate) fn login(&self) -> &hmac::Key {
        &self.login
    }

    /// Signs what a browser keeps while its user is at the login provider.
    pub(crate) fn login_state(&self) -> &hmac::Key {
        &self.login_state
    }

    /// Signs the challenges of our own CAPTCHA.
    pub fn captcha(&self) -> &[u8; 32] {
        &self.captcha
    }

    /// The keys that the edge needs, and no others.
    pub fn sessions(&self) -> &SessionKeys {
        &self.sessions
    }

    /// The key of the edge, as text for its settings: 32 bytes in base64url.
    pub fn edge_key(master: &[u8; 32]) -> String {
        BASE64URL_NOPAD.encode(&derive(master, "sessions"))
    }

    /// A keyed hash of an address prefix: equal prefixes meet, and nobody can turn it back without the key.
    pub fn hash_address(&self, prefix: &str) -> String {
        self.hash(prefix)
    }

    /// A keyed hash of what a browser's cookie says, in words that no address spells.
    pub fn hash_browser(&self, browser: &str) -> String {
        self.hash(&format!("browser {browser}"))
    }

    /// A keyed hash of a request's content, to tell whether it is the same again.
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        let lengths: Vec<String> = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        self.hash(&format!("request {}", lengths.join(" ")))
    }

    fn hash(&self, prefix: &str) -> String {
        BASE64URL_NOPAD.encode(&hmac::sign(&self.addresses, prefix.as_bytes()).as_ref()[..15])
    }
}

fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, master);
    let mut derived = [0; 32];
    derived.copy_from_slice(hmac::sign(&key, format!("session-casting 1 {purpose}").as_bytes()).as_ref());
    derived
}

/// What control plane and edge share: gives each session its own secret.
#[derive(Clone)]
pub struct SessionKeys(hmac::Key);

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(..)")
    }
}

impl SessionKeys {
    /// The keys that follow from 32 bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Reads the edge's setting; `None` when it is not 32 bytes in base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok()?;
        Some(Self::new(bytes.as_slice().try_into().ok()?))
    }

    /// The secret of one session: its gate holds it, the edge sends it with every request, the gate's reports carry it.
    pub fn secret(&self, session: &SessionId) -> SessionSecret {
        SessionSecret(BASE64URL_NOPAD.encode(hmac::sign(&self.0, session.as_str().as_bytes()).as_ref()))
    }
}

/// One session's secret: 43 characters of base64url.
#[derive(Clone)]
pub struct SessionSecret(String);

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

impl SessionSecret {
    /// Takes a secret from a task's environment.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The secret as text, for the header and the task's environment.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this secret; takes the same time wherever they differ.
    pub fn matches(&self, presented: &str) -> bool {
        same_secret(&self.0, presented)
    }

    /// Signs this session's tickets.
    pub(crate) fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

/// Compares two secrets through their hashes, so that neither content nor length shows in the time taken.
pub fn same_secret(left: &str, right: &str) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    let (left, right) = (hash(left), hash(right));
    let mut difference = 0;
    for (l, r) in left.as_ref().iter().zip(right.as_ref()) {
        difference |= l ^ r;
    }
    std::hint::black_box(difference) == 0
}

/// The hash under which an API key's secret is kept: SHA-256 in base64url. The secret has 128 random bits, so no salt is needed.
pub fn hash_secret(secret: &str) -> String {
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_has_its_own_secret_and_the_edge_finds_the_same() {
        let master = [9; 32];
        let keys = Keyring::new(&master);
        let (one, two) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let edge = SessionKeys::parse(&Keyring::edge_key(&master)).expect("the edge's key reads back");
        assert!(keys.sessions().secret(&one).matches(edge.secret(&one).expose()));
        assert!(!keys.sessions().secret(&one).matches(edge.secret(&two).expose()));
        assert!(!keys.sessions().secret(&one).matches(""));
    }

    #[test]
    fn equal_addresses_meet_and_other_deployments_see_nothing() {
        let (ours, theirs) = (Keyring::new(&[1; 32]), Keyring::new(&[2; 32]));
        assert_eq!(ours.hash_address("192.0.2.1"), ours.hash_address("192.0.2.1"));
        assert_ne!(ours.hash_address("192.0.2.1"), ours.hash_address("192.0.2.2"));
        assert_ne!(ours.hash_address("192.0.2.1"), theirs.hash_address("192.0.2.1"));
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let keys = Keyring::new(&[1; 32]);
        let secret = keys.sessions().secret(&SessionId::from_bytes([1; 16]));
        assert_eq!(format!("{keys:?} {secret:?}"), "Keyring(..) SessionSecret(..)");
    }
}
