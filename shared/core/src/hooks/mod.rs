//! Owns webhooks: what a link or the deployment subscribes to, the events that follow from
//! sessions, and their deliveries.

pub mod admission_hook;
pub mod delivery;
pub mod hook;
pub(crate) mod session_events;
pub mod webhook;
