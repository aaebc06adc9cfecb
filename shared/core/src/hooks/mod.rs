//! Owns hooks: what a link or the deployment subscribes to, the events that follow from
//! sessions, their deliveries, and what servers and event buses get.

pub mod admission_hook;
pub mod delivery;
pub mod event_bus;
pub mod hook;
pub(crate) mod session_events;
pub mod webhook;
