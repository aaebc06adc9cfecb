//! Owns the session: its states, its owner, how it starts and ends, what it costs, and what its gate is told.

pub(crate) mod end_reason;
pub(crate) mod launch_spec;
pub(crate) mod owner;
pub mod persistent_profile;
pub mod pricing;
pub mod session;
