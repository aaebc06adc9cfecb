//! Owns the tickets: short signed values that carry a decision from one request to the next; their
//! format, and those that sessions' gates read, are in `casting_protocol::ticket`. Must not know
//! how they travel.
//!
//! A ticket is `v1.{payload}.{signature}`, both base64url; the payload is JSON, the signature
//! HMAC-SHA-256 over `v1.{payload}`. Each kind has a key of its own, so that one kind can never be
//! passed for another.

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, CastKey, Nonce, Reference, SessionId};
use crate::keys::Keyring;
use crate::language::Language;
use crate::time::Timestamp;
use crate::user::User;

pub use casting_protocol::ticket::{
    AssignTicket, ENTRY_SECONDS, EntryTicket, GoTicket, MAX_ASSIGN_BYTES, Role, SessionTicket,
    TicketError, Watcher, WatcherKind, bearer_token,
};
use casting_protocol::ticket::{Ticket, open, sign};

/// How long a launch ticket is good for, in seconds.
pub const LAUNCH_TICKET_SECONDS: u64 = 300;
/// How long the ticket of a waiting visitor is valid, in seconds.
pub const ROOM_TICKET_SECONDS: u64 = 21_600;
/// How long a visitor may take to log in, in seconds. For so long the way back is good from any
/// address, because people change networks meanwhile.
pub const VIA_TICKET_SECONDS: u64 = 900;
/// How long a link's page may stand open, or in another page's frame, and still be loaded afresh
/// without another click on a listed site, in seconds. It is good for this link only and, after
/// [`VIA_TICKET_SECONDS`], for this address only, where the click itself could be repeated as well:
/// otherwise everyone who gets the page's address from a visitor would be admitted.
pub const RETURN_TICKET_SECONDS: u64 = 43_200;

/// From the landing page to the claim: who saw which link from where, and that they saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTicket {
    /// The cast whose page was opened.
    #[serde(rename = "c")]
    pub cast: CastId,
    /// The version of its config that the page was judged by.
    #[serde(rename = "v")]
    pub version: u64,
    /// The host that the visitor came from, as the page's request said it.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// What the link's `kasm_url` parameter asked for.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub kasm_url: Option<String>,
    /// What the link's `docker_network` parameter asked for.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub docker_network: Option<String>,
    /// The invitation that the link's `invitation` parameter names.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
    /// Keyed hash of the prefix of the address that the page was opened from. The claim may come
    /// from another one; this one names the caller of an idempotency key.
    #[serde(rename = "a")]
    pub address: String,
    /// Makes the ticket unique; the session id follows from it.
    #[serde(rename = "n")]
    pub nonce: Nonce,
    /// The place in the link's waiting room that its bearer has.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<SessionId>,
    /// Whether its bearer solved the CAPTCHA when they came into that waiting room.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// Whether the visitor chose to start another session beside their own.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub another: bool,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// Keeps what a link's first request said of where the visitor came from, while the visitor is away
/// to log in or the page stands open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViaTicket {
    /// The cast that was opened.
    #[serde(rename = "c")]
    pub cast: CastId,
    /// The host that the visitor came from.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// Keyed hash of the visitor's address prefix.
    #[serde(rename = "a")]
    pub address: String,
    /// From this time on it is accepted from that address only.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub roams_until: Option<Timestamp>,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// How long a link's page shows the refusal of a claim, in seconds. After that the address is the
/// link again, also for browsers without scripting.
pub const NOTICE_SECONDS: u64 = 30;

/// The refusal of a claim, for the page of the link to which the browser is sent: an address that
/// anyone could write must not contain its texts unsigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeTicket {
    /// The key of the link in the request.
    #[serde(rename = "k")]
    pub key: CastKey,
    /// The code of the refusal.
    #[serde(rename = "c")]
    pub code: String,
    /// The reference in the log.
    #[serde(rename = "r")]
    pub reference: Reference,
    /// When it makes sense to come back.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// A more exact explanation.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A quotation in it (an administrator's or a provider's text).
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Who can help.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The visitor's own session that is in the way.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub own: Option<SessionId>,
    /// Whether that session is ending already.
    #[serde(rename = "g", default)]
    pub is_ending: bool,
    /// Whether a login may help.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub login_may_help: bool,
    /// The language of the link.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Not shown from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// Shows that the bearer made the claim that the session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// Shows which request to watch a session is the bearer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LobbyTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// The round of sharing.
    #[serde(rename = "r")]
    pub round: u32,
    /// The id of the request.
    #[serde(rename = "i")]
    pub request: String,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// Shows that the bearer has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginTicket {
    /// Who.
    #[serde(rename = "u")]
    pub user: User,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// Stays in the browser while its user is at the login provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginState {
    /// Ties the provider's answer to this browser (OAuth: state).
    #[serde(rename = "s")]
    pub state: String,
    /// Ties the ID token to this login (OpenID Connect: nonce).
    #[serde(rename = "n")]
    pub nonce: String,
    /// The code verifier (PKCE): proves to the provider that the code is redeemed by the client
    /// that requested it.
    #[serde(rename = "v")]
    pub verifier: String,
    /// Where the user goes afterwards: a path of ours with its query.
    #[serde(rename = "t")]
    pub to: String,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

impl Ticket for LaunchTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Ticket for OwnerTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Ticket for LobbyTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl LobbyTicket {
    /// The signed text that the browser of somebody who asks to watch holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.lobby())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.lobby(), now)
    }
}

impl Ticket for ViaTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Ticket for NoticeTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl NoticeTicket {
    /// The signed text in the address of the link's page.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.notice())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.notice(), now)
    }
}

impl ViaTicket {
    /// The signed text that the address holds to which the visitor comes back.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.via())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.via(), now)
    }
}

impl Ticket for LoginTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl Ticket for LoginState {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl LoginTicket {
    /// The signed text that the user's cookie holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.login())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.login(), now)
    }
}

impl LoginState {
    /// The signed text that the browser's cookie holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.login_state())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.login_state(), now)
    }
}

impl LaunchTicket {
    /// The signed text that the landing page holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.launch())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.launch(), now)
    }
}

impl OwnerTicket {
    /// The signed text that the owner's cookie holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.owner())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.owner(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn keys() -> Keyring {
        Keyring::new(&[5; 32])
    }

    fn launch() -> LaunchTicket {
        LaunchTicket {
            cast: CastId::from_bytes([1; 16]),
            version: 3,
            referrer: Some("acme.com".into()),
            kasm_url: Some("https://example.com/".into()),
            docker_network: None,
            invitation: None,
            address: "hash".into(),
            nonce: Nonce::from_bytes([2; 16]),
            place: None,
            proven: false,
            another: false,
            expires: NOW.plus_seconds(LAUNCH_TICKET_SECONDS),
        }
    }

    fn login() -> LoginTicket {
        let user = User {
            id: UserId::of("https://login.example", "ann"),
            name: "Ann".into(),
            roles: Vec::new(),
            groups: Vec::new(),
        };
        LoginTicket {
            user,
            expires: NOW.plus_seconds(60),
        }
    }

    #[test]
    fn ticket_round_trips_until_it_expires() {
        let text = launch().sign(&keys());
        assert_eq!(LaunchTicket::open(&text, &keys(), NOW), Ok(launch()));
        let last = launch().expires;
        assert_eq!(
            LaunchTicket::open(&text, &keys(), last),
            Err(TicketError::Expired)
        );
        assert!(
            LaunchTicket::open(&text, &keys(), Timestamp::from_millis(last.millis() - 1)).is_ok()
        );
    }

    #[test]
    fn foreign_signatures_are_invalid() {
        let text = launch().sign(&keys());
        let owner = OwnerTicket {
            session: SessionId::from_bytes([1; 16]),
            expires: NOW.plus_seconds(9),
        };
        let (head, tail) = text.split_at(20);
        for (name, foreign) in [
            ("empty", String::new()),
            ("words", "hello".into()),
            ("cut", text[..text.len() - 2].to_owned()),
            (
                "one letter changed",
                format!(
                    "{head}{}{}",
                    if tail.starts_with('A') { 'B' } else { 'A' },
                    &tail[1..]
                ),
            ),
            (
                "no signature",
                text.rsplit_once('.').expect("has dots").0.to_owned(),
            ),
            (
                "another deployment's",
                launch().sign(&Keyring::new(&[6; 32])),
            ),
            ("another kind", owner.sign(&keys())),
            ("a login", login().sign(&keys())),
            ("huge", format!("v1.{}.x", "A".repeat(100_000))),
            ("not ascii", "v1.ü.ü".into()),
        ] {
            assert_eq!(
                LaunchTicket::open(&foreign, &keys(), NOW),
                Err(TicketError::Invalid),
                "{name}"
            );
        }
    }

    #[test]
    fn login_state_cookie_is_no_login() {
        let state = LoginState {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            to: "/".into(),
            expires: NOW.plus_seconds(60),
        };
        let text = state.sign(&keys());
        assert_eq!(LoginState::open(&text, &keys(), NOW), Ok(state));
        assert_eq!(
            LoginTicket::open(&text, &keys(), NOW),
            Err(TicketError::Invalid)
        );
        assert_eq!(
            LoginTicket::open(&login().sign(&keys()), &keys(), NOW),
            Ok(login())
        );
    }
}
