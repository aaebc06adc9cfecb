//! Owns the console ticket: what a browser keeps of a sign-in with a key. Must not know how a key
//! is checked.

use serde::{Deserialize, Serialize};

use crate::ids::Nonce;
use crate::keys::Keyring;
use crate::time::Timestamp;
use casting_protocol::ticket::{Ticket, TicketError, open, sign};

/// Shows that the bearer has signed in to the console with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleTicket {
    /// Whose key: an API key's id, or empty for the deployment's own.
    #[serde(rename = "k")]
    pub key: String,
    /// The beginning of the hash of the key's secret: with another secret, the ticket is void.
    #[serde(rename = "h")]
    pub fingerprint: String,
    /// Makes every sign-in another one.
    #[serde(rename = "n")]
    pub nonce: Nonce,
    /// Not accepted from this time on.
    #[serde(rename = "e")]
    pub expires: Timestamp,
}

impl Ticket for ConsoleTicket {
    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl ConsoleTicket {
    /// The signed text that the browser's cookie holds.
    pub fn sign(&self, keys: &Keyring) -> String {
        sign(self, keys.console())
    }

    /// Reads a signed text.
    ///
    /// # Errors
    /// `Invalid` for anything we did not sign, `Expired` for what we signed too long ago.
    pub fn open(text: &str, keys: &Keyring, now: Timestamp) -> Result<Self, TicketError> {
        open(text, keys.console(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn console_ticket_is_bound_to_time_and_key() {
        let (ours, others) = (Keyring::new(&[1; 32]), Keyring::new(&[2; 32]));
        let expires = NOON.plus_seconds(60);
        let ticket = ConsoleTicket {
            key: "k1".into(),
            fingerprint: "print".into(),
            nonce: Nonce::from_bytes([1; 16]),
            expires,
        };
        let text = ticket.sign(&ours);
        assert_eq!(ConsoleTicket::open(&text, &ours, NOON), Ok(ticket));
        assert_eq!(
            ConsoleTicket::open(&text, &ours, expires),
            Err(TicketError::Expired)
        );
        assert_eq!(
            ConsoleTicket::open(&text, &others, NOON),
            Err(TicketError::Invalid)
        );
        assert_eq!(
            ConsoleTicket::open(&text[1..], &ours, NOON),
            Err(TicketError::Invalid)
        );
    }
}
