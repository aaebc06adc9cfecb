//! Owns the tickets of a session: where it is, who may enter and until when, signed by keys that
//! only control plane and edge have; and what its gate is ordered, signed with the gate's own
//! secret. Must not know how a ticket is signed (see [`super`]).

use serde::{Deserialize, Serialize};

use super::{Ticket, TicketError, open, parsed, sign};
use crate::ids::{Nonce, SessionId};
use crate::keys::{SessionKey, SessionKeys, SessionSecret};
use crate::session_options::SessionDirectives;
use crate::session_origin::SessionOrigin;
use crate::time::Timestamp;

/// An order to a gate that is longer than this is none of ours, in bytes.
pub const MAX_ASSIGN_BYTES: usize = 65_536;

/// The role of the bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The visitor whose session it is.
    Owner,
    /// A viewer.
    Viewer,
}

/// Who a viewer is, and so what their name is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatcherKind {
    /// Somebody who has signed in, or a guest whom everybody calls by the same name.
    #[default]
    Known,
    /// A guest who gave a name, which nobody has checked.
    Guest,
    /// An administrator.
    Administrator,
}

impl WatcherKind {
    const fn is_known(&self) -> bool {
        matches!(self, Self::Known)
    }
}

/// A viewer, as the owner and the gate see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    /// The id of the viewer.
    #[serde(rename = "i")]
    pub id: String,
    /// Their name.
    #[serde(rename = "n")]
    pub name: String,
    /// The round of sharing that let them in.
    #[serde(rename = "r")]
    pub round: u32,
    /// Who they are.
    #[serde(rename = "k", default, skip_serializing_if = "WatcherKind::is_known")]
    pub kind: WatcherKind,
}

/// Admits a browser at edge and gate; contains the gate's address, so that the edge keeps no state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// The role of the bearer.
    #[serde(rename = "o")]
    pub role: Role,
    /// Who watches; `None` for the owner.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub watcher: Option<Watcher>,
    /// Which origin of the session it opens; `None` in tickets of the release before.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<SessionOrigin>,
    /// The gate's host name or address.
    #[serde(rename = "h")]
    pub host: String,
    /// The gate's TCP port.
    #[serde(rename = "p")]
    pub port: u16,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

/// An address that the owner wants to open in a running session; its gate opens it, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// The address.
    #[serde(rename = "u")]
    pub url: String,
    /// When it was asked for: a later one is another one.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

impl Ticket for GoTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl GoTicket {
    /// The signed text that leads through the edge to the session's gate.
    pub fn sign(&self, secret: &SessionSecret) -> String {
        sign(self, &secret.go_signer())
    }

    /// Reads a signed text at the gate.
    ///
    /// # Errors
    /// `Invalid` for another session's too.
    pub fn open(
        text: &str,
        session: &SessionId,
        secret: &SessionSecret,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let ticket: Self = open(text, &secret.go_signer(), now)?;
        if ticket.session == *session {
            Ok(ticket)
        } else {
            Err(TicketError::Invalid)
        }
    }
}

/// Notifies the gate of a session that was started in advance of its assignment, with its new
/// directives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// The directives.
    #[serde(rename = "o")]
    pub directives: SessionDirectives,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

impl Ticket for AssignTicket {
    const LONGEST: usize = MAX_ASSIGN_BYTES;
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl AssignTicket {
    /// The signed text that is sent to the session's gate.
    pub fn sign(&self, secret: &SessionSecret) -> String {
        sign(self, &secret.assign_signer())
    }

    /// Reads a signed text at the gate.
    ///
    /// # Errors
    /// `Invalid` for another session's too.
    pub fn open(
        text: &str,
        session: &SessionId,
        secret: &SessionSecret,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let ticket: Self = open(text, &secret.assign_signer(), now)?;
        if ticket.session == *session {
            Ok(ticket)
        } else {
            Err(TicketError::Invalid)
        }
    }
}

impl Ticket for SessionTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl SessionTicket {
    /// The signed text that the session's own origin keeps in a cookie; `key`: the one that the
    /// session was started with.
    pub fn sign(&self, key: &SessionKey) -> String {
        sign(self, &key.tickets())
    }

    /// Reads a signed text at the edge; gives the key that signed it, from which the gate's secret
    /// follows.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open<'a>(
        text: &str,
        keys: &'a SessionKeys,
        now: Timestamp,
    ) -> Result<(Self, &'a SessionKey), TicketError> {
        open_by(text, keys, SessionKey::tickets, now)
    }

    /// The payload of a signed ticket, which the edge passes on to the gate.
    pub fn payload(text: &str) -> &str {
        text.split('.').nth(1).unwrap_or_default()
    }

    /// Reads the payload at the gate, once the edge's proof is verified.
    ///
    /// # Errors
    /// `Invalid` for another session's ticket too.
    pub fn read_payload(
        payload: &str,
        session: &SessionId,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let ticket: Self = parsed(payload).ok_or(TicketError::Invalid)?;
        if ticket.session != *session {
            return Err(TicketError::Invalid);
        }
        if now >= ticket.expires {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }
}

/// How long an address by which a session is entered is good, in seconds.
pub const ENTRY_SECONDS: u64 = 30;

/// Stands in an address by which a session is entered: the edge exchanges it for the session
/// ticket, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTicket {
    /// The ticket that it is exchanged for.
    #[serde(rename = "t")]
    pub ticket: SessionTicket,
    /// Makes it unique: the gate accepts each once.
    #[serde(rename = "n")]
    pub nonce: Nonce,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

impl Ticket for EntryTicket {
    fn expires(&self) -> Timestamp {
        self.expires.min(self.ticket.expires)
    }
}

impl EntryTicket {
    /// The signed text that stands in the address; `key`: the one that the session was started
    /// with.
    pub fn sign(&self, key: &SessionKey) -> String {
        sign(self, &key.entries())
    }

    /// Reads a signed text at the edge; gives the key that signed it.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open<'a>(
        text: &str,
        keys: &'a SessionKeys,
        now: Timestamp,
    ) -> Result<(Self, &'a SessionKey), TicketError> {
        open_by(text, keys, SessionKey::entries, now)
    }
}

/// Reads a text that one of the keys has signed for this purpose.
fn open_by<'a, T: Ticket>(
    text: &str,
    keys: &'a SessionKeys,
    purpose: fn(&SessionKey) -> crate::keys::Signer,
    now: Timestamp,
) -> Result<(T, &'a SessionKey), TicketError> {
    let mut refused = TicketError::Invalid;
    for key in keys.all() {
        match open(text, &purpose(key), now) {
            Ok(ticket) => return Ok((ticket, key)),
            Err(TicketError::Expired) => refused = TicketError::Expired,
            Err(TicketError::Invalid) => {}
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Keyring, Signer};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn ticket() -> SessionTicket {
        SessionTicket {
            session: SessionId::from_bytes([1; 16]),
            role: Role::Owner,
            watcher: None,
            origin: Some(SessionOrigin::Viewer),
            host: "192.0.2.7".into(),
            port: 18_080,
            expires: NOW.plus_seconds(60),
        }
    }

    fn entry() -> EntryTicket {
        EntryTicket {
            ticket: ticket(),
            nonce: Nonce::from_bytes([1; 16]),
            expires: NOW.plus_seconds(ENTRY_SECONDS),
        }
    }

    #[test]
    fn session_tickets_are_bound_to_key_and_time() {
        let (old, new) = (Keyring::new(&[5; 32]), Keyring::new(&[6; 32]));
        let both = Keyring::changing(&[6; 32], Some(&[5; 32]));
        let key = old.sessions().named("");
        let (kept, passing) = (ticket().sign(key), entry().sign(key));
        for (name, keys, after, session, enters) in [
            ("in time", &old, 0, Ok(()), Ok(())),
            ("while keys are changed", &both, 0, Ok(()), Ok(())),
            (
                "another key",
                &new,
                0,
                Err(TicketError::Invalid),
                Err(TicketError::Invalid),
            ),
            ("the last second", &old, 29, Ok(()), Ok(())),
            (
                "after half a minute",
                &old,
                30,
                Ok(()),
                Err(TicketError::Expired),
            ),
            (
                "after the end",
                &old,
                60,
                Err(TicketError::Expired),
                Err(TicketError::Expired),
            ),
        ] {
            let now = NOW.plus_seconds(after);
            let opened = SessionTicket::open(&kept, keys.sessions(), now).map(drop);
            assert_eq!(opened, session, "{name}");
            let opened = EntryTicket::open(&passing, keys.sessions(), now).map(drop);
            assert_eq!(opened, enters, "{name}");
        }
        let (_, found) = SessionTicket::open(&kept, both.sessions(), NOW).expect("a ticket");
        let secret = key.secret(&ticket().session);
        assert!(
            found.secret(&ticket().session).matches(secret.expose()),
            "the edge knows the secret that the gate was given"
        );
    }

    #[test]
    fn ticket_kinds_are_not_interchangeable() {
        let keys = Keyring::new(&[5; 32]);
        let (keys, id) = (keys.sessions(), ticket().session);
        let key = keys.named("");
        let secret = key.secret(&id);
        // Everything that a gate could sign with what it ever gets.
        let by_gate = Signer::of_text(secret.expose());
        for (name, text) in [
            ("an entry", entry().sign(key)),
            ("by the gate's secret", sign(&ticket(), &by_gate)),
            (
                "by the signer of orders",
                sign(&ticket(), &secret.go_signer()),
            ),
            (
                "by the bootstrap token",
                sign(&ticket(), &Signer::of_text(&key.bootstrap_token(&id, 1))),
            ),
        ] {
            let opened = SessionTicket::open(&text, keys, NOW).map(drop);
            assert_eq!(opened, Err(TicketError::Invalid), "{name}");
        }
        let kept = ticket().sign(key);
        assert!(
            EntryTicket::open(&kept, keys, NOW).is_err(),
            "a session ticket"
        );
    }

    #[test]
    fn gate_reads_headers_of_its_own_session() {
        let keys = Keyring::new(&[5; 32]);
        let text = ticket().sign(keys.sessions().named(""));
        let payload = SessionTicket::payload(&text);
        let (ours, theirs) = (ticket().session, SessionId::from_bytes([2; 16]));
        let read = |payload, session, now| SessionTicket::read_payload(payload, session, now);
        assert_eq!(read(payload, &ours, NOW), Ok(ticket()));
        assert_eq!(read(payload, &theirs, NOW), Err(TicketError::Invalid));
        assert_eq!(read("x", &ours, NOW), Err(TicketError::Invalid));
        assert_eq!(
            read(payload, &ours, NOW.plus_seconds(60)),
            Err(TicketError::Expired)
        );
    }
}
