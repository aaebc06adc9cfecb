//! Owns the description of a rate limit for a caller: its quota, and what is left. Must not know
//! how it is sent.

/// A rate limit for one caller at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Its name.
    pub name: &'static str,
    /// How much is allowed in each window.
    pub quota: u64,
    /// How long a window is, in seconds.
    pub window: u64,
    /// How much is left, and in how many seconds there is more; `None` when only a read could tell.
    pub left: Option<(u64, u64)>,
}

impl RateLimit {
    /// The attempts of one address in a minute.
    pub const ATTEMPTS: &'static str = "attempts";
    /// The calls of one administrator or API key in a minute.
    pub const CALLS: &'static str = "calls";
    /// Sessions that a link allows one visitor in its time (seed: Limit Requests Per IP).
    pub const SESSIONS: &'static str = "sessions";
}
