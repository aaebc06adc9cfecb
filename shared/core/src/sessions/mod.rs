//! Owns the session: its states, its owner, how it starts and ends, what it costs, and what its gate is told.

pub(crate) mod end_reason;
pub mod excerpt;
pub mod exec_user;
pub(crate) mod launch;
pub(crate) mod owner;
pub mod persistent_profile;
pub mod price;
pub mod session;
pub mod session_environment;
pub mod session_origin;
pub mod viewing;
