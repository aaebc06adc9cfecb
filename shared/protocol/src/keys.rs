//! Owns the signing keys: one master key, and a key for each purpose derived from it. Must not know
//! where the master key is kept.

use data_encoding::BASE64URL_NOPAD;
use ring::{digest, hmac};

use crate::ids::SessionId;

/// A key to sign with, and the one before it, whose signatures are still taken while keys are
/// changed.
#[derive(Clone)]
pub struct Signer {
    current: hmac::Key,
    previous: Option<hmac::Key>,
}

impl Signer {
    fn derived(masters: &Masters<'_>, purpose: &str) -> Self {
        let key = |master: &[u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, &derive(master, purpose));
        Self {
            current: key(masters.current),
            previous: masters.previous.map(key),
        }
    }

    /// Signs with this text.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        Self {
            current: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()),
            previous: None,
        }
    }

    /// Signs with the current key.
    #[must_use]
    pub fn sign(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.current, text.as_bytes())
    }

    /// Whether one of the keys made this signature.
    pub fn verify(&self, text: &str, signature: &[u8]) -> bool {
        let made_by = |key: &hmac::Key| hmac::verify(key, text.as_bytes(), signature).is_ok();
        made_by(&self.current) || self.previous.as_ref().is_some_and(made_by)
    }

    /// The current key.
    pub fn current(&self) -> &hmac::Key {
        &self.current
    }

    /// The current key, and the one before it, if any.
    pub fn keys(&self) -> impl Iterator<Item = &hmac::Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    fn hash(&self, text: &str) -> String {
        hash(&self.current, text)
    }

    /// Whether `hashed` is the hash of `text`, by either key.
    fn hashes(&self, text: &str, hashed: &str) -> bool {
        hash(&self.current, text) == hashed
            || self
                .previous
                .as_ref()
                .is_some_and(|key| hash(key, text) == hashed)
    }
}

fn hash(key: &hmac::Key, text: &str) -> String {
    BASE64URL_NOPAD.encode(&hmac::sign(key, text.as_bytes()).as_ref()[..15])
}

struct Masters<'a> {
    current: &'a [u8; 32],
    previous: Option<&'a [u8; 32]>,
}

/// All keys of one deployment, derived from one 32-byte master key; while keys are changed, also
/// from the one before.
#[derive(Clone)]
pub struct Keyring {
    launch: Signer,
    owner: Signer,
    via: Signer,
    notice: Signer,
    lobby: Signer,
    login: Signer,
    login_state: Signer,
    console: Signer,
    captcha: Vec<[u8; 32]>,
    addresses: Signer,
    references: Signer,
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
        Self::changing(master, None)
    }

    /// Signs with the keys of `current`, and still takes what those of `previous` have signed: open
    /// pages, logins, running sessions.
    pub fn changing(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        let masters = Masters { current, previous };
        let signer = |purpose| Signer::derived(&masters, purpose);
        Self {
            launch: signer("launch ticket"),
            owner: signer("owner ticket"),
            via: signer("via ticket"),
            notice: signer("notice ticket"),
            lobby: signer("lobby ticket"),
            login: signer("login ticket"),
            login_state: signer("login state"),
            console: signer("console ticket"),
            captcha: std::iter::once(current)
                .chain(previous)
                .map(|master| derive(master, "captcha"))
                .collect(),
            addresses: signer("addresses"),
            references: signer("references"),
            sessions: SessionKeys::new(
                &derive(current, SESSIONS),
                previous.map(|master| derive(master, SESSIONS)).as_ref(),
            ),
        }
    }

    /// Signs launch tickets.
    pub fn launch(&self) -> &Signer {
        &self.launch
    }

    /// Signs owner tickets.
    pub fn owner(&self) -> &Signer {
        &self.owner
    }

    /// Signs via tickets.
    pub fn via(&self) -> &Signer {
        &self.via
    }

    /// Signs the refusals that a link's page shows.
    pub fn notice(&self) -> &Signer {
        &self.notice
    }

    /// Signs what those who ask to watch keep.
    pub fn lobby(&self) -> &Signer {
        &self.lobby
    }

    /// Signs login tickets.
    pub fn login(&self) -> &Signer {
        &self.login
    }

    /// Signs what a browser keeps while its user is at the login provider.
    pub fn login_state(&self) -> &Signer {
        &self.login_state
    }

    /// Signs console tickets.
    pub fn console(&self) -> &Signer {
        &self.console
    }

    /// Sign the challenges of our own CAPTCHA; the first is the current key.
    pub fn captcha(&self) -> &[[u8; 32]] {
        &self.captcha
    }

    /// Enciphers references of refusals.
    pub fn references(&self) -> &Signer {
        &self.references
    }

    /// The keys that the edge needs, and no others.
    pub fn sessions(&self) -> &SessionKeys {
        &self.sessions
    }

    /// The key of the edge, as text for its settings: 32 bytes in base64url.
    pub fn edge_key(master: &[u8; 32]) -> String {
        BASE64URL_NOPAD.encode(&derive(master, SESSIONS))
    }

    /// A keyed hash of an address prefix: equal prefixes have equal hashes, and it cannot be
    /// reversed without the key.
    pub fn hash_address(&self, prefix: &str) -> String {
        self.addresses.hash(prefix)
    }

    /// Whether `hashed` is the hash of this address prefix, also from before the keys were changed.
    pub fn is_address(&self, prefix: &str, hashed: &str) -> bool {
        self.addresses.hashes(prefix, hashed)
    }

    /// A keyed hash of what a browser's cookie says, in words that no address spells.
    pub fn hash_browser(&self, browser: &str) -> String {
        self.addresses.hash(&format!("browser {browser}"))
    }

    /// A keyed hash of a request's content, to tell whether it is the same again.
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        self.addresses.hash(&request_text(parts))
    }

    /// Whether `print` was made of the same content, also before the keys were changed.
    pub fn is_fingerprint(&self, parts: &[&str], print: &str) -> bool {
        self.addresses.hashes(&request_text(parts), print)
    }
}

fn request_text(parts: &[&str]) -> String {
    let lengths: Vec<String> = parts
        .iter()
        .map(|part| format!("{}:{part}", part.len()))
        .collect();
    format!("request {}", lengths.join(" "))
}

const SESSIONS: &str = "sessions";

fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, master);
    let mut derived = [0; 32];
    derived.copy_from_slice(
        hmac::sign(&key, format!("session-casting 1 {purpose}").as_bytes()).as_ref(),
    );
    derived
}

/// What control plane and edge share, and no task ever holds: signs where a session is, who may
/// enter it and until when, and gives each gate its secret. A running session keeps the key that it
/// was started with, so while keys are changed there are two.
#[derive(Clone)]
pub struct SessionKeys {
    current: SessionKey,
    previous: Option<SessionKey>,
}

/// One of these keys.
#[derive(Clone)]
pub struct SessionKey {
    key: hmac::Key,
    name: String,
}

impl SessionKey {
    fn new(key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let name = BASE64URL_NOPAD.encode(&hmac::sign(&key, b"name").as_ref()[..6]);
        Self { key, name }
    }

    /// The secret of a session's gate. It proves the edge's requests to this gate, and this gate's
    /// reports, and signs nothing else.
    pub fn secret(&self, session: &SessionId) -> SessionSecret {
        SessionSecret(self.derive(session.as_str()))
    }

    /// Signs session tickets.
    pub fn tickets(&self) -> Signer {
        self.signer("session ticket")
    }

    /// Signs the tickets in addresses by which sessions are entered.
    pub fn entries(&self) -> Signer {
        self.signer("entry ticket")
    }

    /// The text that a gate can exchange once for its secret; `attempt` counts the starts of the
    /// session's task.
    pub fn bootstrap_token(&self, session: &SessionId, attempt: u32) -> String {
        let proof = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, self.derive("bootstrap").as_bytes()),
            format!("{session}-{attempt}").as_bytes(),
        );
        format!("{attempt}.{}", BASE64URL_NOPAD.encode(proof.as_ref()))
    }

    /// No purpose spells a session's id, so none can be passed for another.
    fn derive(&self, purpose: &str) -> String {
        BASE64URL_NOPAD.encode(hmac::sign(&self.key, purpose.as_bytes()).as_ref())
    }

    fn signer(&self, purpose: &str) -> Signer {
        Signer {
            current: hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_bytes()),
            previous: None,
        }
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(..)")
    }
}

impl SessionKeys {
    /// The keys that follow from 32 bytes, and from the 32 bytes before them.
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        Self {
            current: SessionKey::new(current),
            previous: previous.map(SessionKey::new),
        }
    }

    /// Reads the edge's setting: 32 bytes in base64url, and after a comma the ones before them, if
    /// any. `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let key = |text: &str| {
            <[u8; 32]>::try_from(BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok()?).ok()
        };
        match text.split_once(',') {
            None => Some(Self::new(&key(text)?, None)),
            Some((current, previous)) => Some(Self::new(&key(current)?, Some(&key(previous)?))),
        }
    }

    /// Which key new sessions are started with. It names the key and does not give it away.
    pub fn name(&self) -> &str {
        &self.current.name
    }

    /// The key of this name. A key that is gone leaves the current one, whose proofs the gate will
    /// refuse.
    pub fn named(&self, name: &str) -> &SessionKey {
        let previous = self.previous.as_ref().filter(|key| key.name == name);
        previous.unwrap_or(&self.current)
    }

    /// All keys, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &SessionKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The secret of a new session's gate.
    pub fn secret(&self, session: &SessionId) -> SessionSecret {
        self.current.secret(session)
    }

    /// The session's secrets by all keys, the current one's first.
    pub fn secrets(&self, session: &SessionId) -> impl Iterator<Item = SessionSecret> {
        self.all().map(|key| key.secret(session))
    }

    /// Which attempt of the session's start this bootstrap token is for; `None` when it is none of
    /// this session's.
    pub fn attempt_of(&self, token: &str, session: &SessionId) -> Option<u32> {
        let attempt = token.split_once('.')?.0.parse().ok()?;
        self.all()
            .any(|key| same_secret(&key.bootstrap_token(session, attempt), token))
            .then_some(attempt)
    }
}

/// The secret of one session's gate: 43 characters of base64url. It lives in the gate's memory, and
/// follows from the keys of control plane and edge.
#[derive(Clone)]
pub struct SessionSecret(String);

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

impl SessionSecret {
    /// Takes the secret that the control plane has given a gate.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The secret as text, for the gate's reports.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this secret; takes the same time wherever they differ.
    pub fn matches(&self, presented: &str) -> bool {
        same_secret(&self.0, presented)
    }

    /// Proves to the gate that the edge has sent a request: `assertion` is what it asserts about it, in
    /// order. No part may hold a line break, which headers never do.
    pub fn edge_proof(&self, assertion: [&str; 3]) -> String {
        self.derive(&format!("edge\n{}", assertion.join("\n")))
    }

    /// Signs the addresses that are to be opened in this session.
    pub fn go_signer(&self) -> Signer {
        Signer {
            current: hmac::Key::new(hmac::HMAC_SHA256, self.derive("go").as_bytes()),
            previous: None,
        }
    }

    /// Signs the assignment of this session for its gate.
    pub fn assign_signer(&self) -> Signer {
        Signer {
            current: hmac::Key::new(hmac::HMAC_SHA256, self.derive("assign").as_bytes()),
            previous: None,
        }
    }

    /// The password by which this session's app knows its gate.
    pub fn app_password(&self) -> String {
        self.derive("app-password")
    }

    /// The token by which the streaming server in this session recognises a role.
    pub fn stream_token(&self, part: &str) -> String {
        self.derive(&format!("stream\n{part}"))
    }

    fn derive(&self, purpose: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        BASE64URL_NOPAD.encode(hmac::sign(&key, purpose.as_bytes()).as_ref())
    }
}

/// Compares two secrets through their hashes, so that neither content nor length shows in the time
/// taken.
pub fn same_secret(left: &str, right: &str) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    let (left, right) = (hash(left), hash(right));
    let mut difference = 0;
    for (l, r) in left.as_ref().iter().zip(right.as_ref()) {
        difference |= l ^ r;
    }
    std::hint::black_box(difference) == 0
}

/// The hash under which an API key's secret is kept: SHA-256 in base64url. The secret has 128
/// random bits, so no salt is needed.
pub fn hash_secret(secret: &str) -> String {
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_secret_is_unique_and_derivable_by_the_edge() {
        let master = [9; 32];
        let keys = Keyring::new(&master);
        let (one, two) = (
            SessionId::from_bytes([1; 16]),
            SessionId::from_bytes([2; 16]),
        );
        let edge =
            SessionKeys::parse(&Keyring::edge_key(&master)).expect("the edge's key reads back");
        assert!(
            keys.sessions()
                .secret(&one)
                .matches(edge.secret(&one).expose())
        );
        assert!(
            !keys
                .sessions()
                .secret(&one)
                .matches(edge.secret(&two).expose())
        );
        assert!(!keys.sessions().secret(&one).matches(""));
    }

    #[test]
    fn address_hash_is_stable_per_deployment() {
        let (ours, theirs) = (Keyring::new(&[1; 32]), Keyring::new(&[2; 32]));
        assert_eq!(
            ours.hash_address("192.0.2.1"),
            ours.hash_address("192.0.2.1")
        );
        assert_ne!(
            ours.hash_address("192.0.2.1"),
            ours.hash_address("192.0.2.2")
        );
        assert_ne!(
            ours.hash_address("192.0.2.1"),
            theirs.hash_address("192.0.2.1")
        );
    }

    #[test]
    fn previous_key_is_accepted_until_dropped() {
        let (old, new) = ([1; 32], [2; 32]);
        let before = Keyring::new(&old);
        let session = SessionId::from_bytes([1; 16]);
        let name = before.sessions().name().to_owned();
        let running = before.sessions().secret(&session);
        let edge = format!("{}, {}", Keyring::edge_key(&new), Keyring::edge_key(&old));
        for (what, keys, kept) in [
            ("same key", before.clone(), true),
            ("both keys", Keyring::changing(&new, Some(&old)), true),
            ("only the new key", Keyring::new(&new), false),
        ] {
            assert_eq!(
                keys.is_address("192.0.2.1", &before.hash_address("192.0.2.1")),
                kept,
                "{what}: address"
            );
            assert_eq!(
                keys.is_fingerprint(&["a"], &before.fingerprint(&["a"])),
                kept,
                "{what}: fingerprint"
            );
            assert_eq!(
                keys.launch()
                    .verify("x", before.launch().sign("x").as_ref()),
                kept,
                "{what}: signature"
            );
            assert_eq!(
                keys.sessions()
                    .named(&name)
                    .secret(&session)
                    .matches(running.expose()),
                kept,
                "{what}: the session's own key"
            );
            assert_eq!(
                keys.sessions()
                    .secrets(&session)
                    .any(|secret| secret.matches(running.expose())),
                kept,
                "{what}: any key"
            );
            assert!(
                !keys.is_address("192.0.2.2", &before.hash_address("192.0.2.1")),
                "{what}"
            );
        }
        let edge = SessionKeys::parse(&edge).expect("two keys");
        assert!(edge.named(&name).secret(&session).matches(running.expose()));
        assert_eq!(
            edge.name(),
            Keyring::new(&new).sessions().name(),
            "new sessions use the new key"
        );
        assert!(
            SessionKeys::parse("AAAA").is_none()
                && SessionKeys::parse(&format!("{},", Keyring::edge_key(&new))).is_none()
        );
    }

    #[test]
    fn debug_output_hides_keys() {
        let keys = Keyring::new(&[1; 32]);
        let secret = keys.sessions().secret(&SessionId::from_bytes([1; 16]));
        assert_eq!(
            format!("{keys:?} {secret:?}"),
            "Keyring(..) SessionSecret(..)"
        );
    }
}
