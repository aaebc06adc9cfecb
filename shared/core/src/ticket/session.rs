//! Owns the tickets that a session's gate reads: who may come in, what to open, and whose the session is. All are signed with the session's own secret.
//! Must not know how a ticket is signed (see [`super`]).

use serde::{Deserialize, Serialize};

use super::{Ticket, TicketError, open, payload, sign};
use crate::ids::SessionId;
use crate::keys::{SessionKeys, SessionSecret};
use crate::time::Timestamp;
use crate::viewing::Orders;

/// An order to a gate that is longer than this is none of ours, in bytes.
pub const MAX_ASSIGN_BYTES: usize = 65_536;

/// What its bearer may do in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The visitor whose session it is.
    Owner,
    /// Somebody who may watch.
    Viewer,
}

/// Somebody who may watch, as the owner and the gate see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    /// Tells them apart.
    #[serde(rename = "i")]
    pub id: String,
    /// What they are called.
    #[serde(rename = "n")]
    pub name: String,
    /// The round of sharing that let them in.
    #[serde(rename = "r")]
    pub round: u32,
}

/// Lets a browser through edge and gate; says where the gate is, so that the edge keeps no state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// What the bearer may do.
    #[serde(rename = "o")]
    pub role: Role,
    /// Who watches; `None` for the owner.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub watcher: Option<Watcher>,
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

/// An address that the owner of a running session asked to open in it; its gate sees to that, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// What to open.
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

/// Tells the gate of a session that was started ahead whose it is now, and all that holds from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignTicket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// What the gate would be told if it asked.
    #[serde(rename = "o")]
    pub orders: Orders,
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
    /// The signed text that the session's own origin keeps in a cookie; signed with the session's secret, so that its gate can check it too.
    pub fn sign(&self, secret: &SessionSecret) -> String {
        sign(self, &secret.signer())
    }

    /// Reads a signed text at the edge, which holds the keys of all sessions; gives the secret that signed it, which is the gate's too.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(
        text: &str,
        keys: &SessionKeys,
        now: Timestamp,
    ) -> Result<(Self, SessionSecret), TicketError> {
        // The session named here is believed only once the signature made with its secret has been checked.
        let named: Self = payload(text).ok_or(TicketError::Invalid)?;
        let mut refused = TicketError::Invalid;
        for secret in keys.secrets(&named.session) {
            match open(text, &secret.signer(), now) {
                Ok(ticket) => return Ok((ticket, secret)),
                Err(TicketError::Expired) => refused = TicketError::Expired,
                Err(TicketError::Invalid) => {}
            }
        }
        Err(refused)
    }

    /// Reads a signed text at the gate, which holds one session's secret only.
    ///
    /// # Errors
    /// `Invalid` for another session's ticket too.
    pub fn open_at_gate(
        text: &str,
        session: &SessionId,
        secret: &SessionSecret,
        now: Timestamp,
    ) -> Result<Self, TicketError> {
        let ticket: Self = open(text, &secret.signer(), now)?;
        if ticket.session == *session {
            Ok(ticket)
        } else {
            Err(TicketError::Invalid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keyring;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn entry() -> SessionTicket {
        SessionTicket {
            session: SessionId::from_bytes([1; 16]),
            role: Role::Owner,
            watcher: None,
            host: "127.0.0.1".into(),
            port: 8080,
            expires: NOW.plus_seconds(60),
        }
    }

    #[test]
    fn edge_and_gate_accept_a_session_ticket_of_their_session_only() {
        let keys = Keyring::new(&[5; 32]);
        let secret = |n| keys.sessions().secret(&SessionId::from_bytes([n; 16]));
        let text = entry().sign(&secret(1));
        let at_edge = |keys: &Keyring, now| {
            SessionTicket::open(&text, keys.sessions(), now).map(|(ticket, _)| ticket)
        };
        assert_eq!(at_edge(&keys, NOW), Ok(entry()));
        let ours = SessionId::from_bytes([1; 16]);
        assert_eq!(
            SessionTicket::open_at_gate(&text, &ours, &secret(1), NOW),
            Ok(entry())
        );
        let theirs = SessionId::from_bytes([2; 16]);
        assert_eq!(
            SessionTicket::open_at_gate(&text, &theirs, &secret(2), NOW),
            Err(TicketError::Invalid)
        );
        assert_eq!(at_edge(&keys, entry().expires), Err(TicketError::Expired));
        let changed = Keyring::changing(&[6; 32], Some(&[5; 32]));
        assert_eq!(
            at_edge(&changed, NOW),
            Ok(entry()),
            "from before a change of keys"
        );
        let (_, found) = SessionTicket::open(&text, changed.sessions(), NOW).expect("a ticket");
        assert!(
            found.matches(secret(1).expose()),
            "the edge presents what the gate was started with"
        );
        assert_eq!(
            at_edge(&Keyring::new(&[6; 32]), NOW),
            Err(TicketError::Invalid),
            "the old key is gone"
        );
    }
}
