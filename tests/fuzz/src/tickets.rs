//! Owns what a text that is no ticket of ours must not do.

use casting_protocol::ids::SessionId;
use casting_protocol::keys::Keyring;
use casting_protocol::testing::NOON;
use casting_protocol::ticket::{AssignTicket, EntryTicket, GoTicket, SessionTicket};

/// A text that opens is exactly the one that we would sign: no other text says the same.
pub fn tickets(data: &[u8]) {
    let text = crate::text(data);
    let keyring = Keyring::new(&[1; 32]);
    let keys = keyring.sessions();
    let session = SessionId::from_bytes([1; 16]);
    let secret = keys.secret(&session);
    if let Ok((ticket, key)) = SessionTicket::open(&text, keys, NOON) {
        assert_eq!(ticket.sign(key), text, "another spelling of a ticket");
    }
    if let Ok((ticket, key)) = EntryTicket::open(&text, keys, NOON) {
        assert_eq!(ticket.sign(key), text, "another spelling of a ticket");
    }
    if let Ok(ticket) = GoTicket::open(&text, &session, &secret, NOON) {
        assert_eq!(ticket.sign(&secret), text, "another spelling of a ticket");
    }
    if let Ok(ticket) = AssignTicket::open(&text, &session, &secret, NOON) {
        assert_eq!(ticket.session, session);
    }
    if let Ok(ticket) = SessionTicket::read_payload(&text, &session, NOON) {
        assert_eq!(ticket.session, session, "another session's ticket");
        assert!(ticket.expires > NOON, "an expired ticket");
    }
}
