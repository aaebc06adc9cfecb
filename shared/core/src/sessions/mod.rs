//! Owns the session: its states, its owner, its start and end, its price, its sharing, and its
//! persistent profile.

pub(crate) mod end_reason;
pub(crate) mod launch_spec;
pub(crate) mod owner;
pub mod persistent_profile;
pub mod pricing;
pub mod session;
pub mod sharing;
pub mod start_times;
pub mod summary;
pub(crate) mod task_times;
