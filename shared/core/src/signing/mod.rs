//! Owns the control plane's own tickets; keys, and those for gates, are in `casting_protocol`.

pub(crate) mod console_ticket;
pub mod ticket;
