//! Owns what is signed: keys, and the tickets that they sign.

pub(crate) mod console_ticket;
pub mod keys;
pub mod ticket;
