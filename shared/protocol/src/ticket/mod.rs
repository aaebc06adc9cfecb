//! Owns the format of tickets: short signed values that carry a decision from one request to the
//! next; those that gates and edges read are in `session`. Must not know how they travel.
//!
//! A ticket is `v1.{payload}.{signature}`, both base64url; the payload is JSON, the signature
//! HMAC-SHA-256 over `v1.{payload}`. Each kind has a key of its own, so that one kind can never be
//! passed for another.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::Signer;
use crate::time::Timestamp;

mod session;

pub use session::{
    AssignTicket, ENTRY_SECONDS, EntryTicket, GoTicket, MAX_ASSIGN_BYTES, Role, SessionTicket,
    Watcher, WatcherKind,
};

/// A text longer than this is no ticket of ours, in bytes.
const MAX_TICKET_BYTES: usize = 8192;

/// Why a ticket was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket of ours: cut, altered, of another kind or signed with another key.
    #[error("the ticket is not valid")]
    Invalid,
    /// Ours, but too old.
    #[error("the ticket has expired")]
    Expired,
}

/// What every ticket has.
pub trait Ticket: Serialize + DeserializeOwned {
    /// A text longer than this is no ticket of this kind, in bytes.
    const LONGEST: usize = MAX_TICKET_BYTES;
    /// From when on it is no longer good.
    fn expires(&self) -> Timestamp;
}

/// The token in the value of an `Authorization` header with the scheme `Bearer`.
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The signed text of a ticket.
pub fn sign<T: Ticket>(ticket: &T, signer: &Signer) -> String {
    // A ticket is a flat struct of strings and numbers; its JSON cannot fail, and an empty payload
    // would open nowhere.
    let payload = serde_json::to_vec(ticket).unwrap_or_default();
    let signed = format!("v1.{}", BASE64URL_NOPAD.encode(&payload));
    let signature = signer.sign(&signed);
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

/// Reads a signed text.
///
/// # Errors
/// `Invalid` for anything that `signer` did not sign, `Expired` for what it signed too long ago.
pub fn open<T: Ticket>(text: &str, signer: &Signer, now: Timestamp) -> Result<T, TicketError> {
    if text.len() > T::LONGEST {
        return Err(TicketError::Invalid);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(TicketError::Invalid)?;
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| TicketError::Invalid)?;
    if !signer.verify(signed, &signature) {
        return Err(TicketError::Invalid);
    }
    let ticket: T = payload(text).ok_or(TicketError::Invalid)?;
    if now >= ticket.expires() {
        return Err(TicketError::Expired);
    }
    Ok(ticket)
}

fn payload<T: Ticket>(text: &str) -> Option<T> {
    parsed(text.strip_prefix("v1.")?.split('.').next()?)
}

fn parsed<T: Ticket>(payload: &str) -> Option<T> {
    if payload.len() > T::LONGEST {
        return None;
    }
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
}
