//! Owns what a caller is told of a limit that counts it: how much is allowed, and what is left. Must not know how that is sent.

/// One limit, as it stands for one caller at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What the limit is called.
    pub name: &'static str,
    /// How much is allowed in each window.
    pub quota: u64,
    /// How long a window is, in seconds.
    pub window: u64,
    /// How much is left, and in how many seconds there is more; `None` when only a read could tell.
    pub left: Option<(u64, u64)>,
}

impl RateLimit {
    /// What one address may try in a minute.
    pub const ATTEMPTS: &'static str = "attempts";
    /// What one administrator or API key may ask in a minute.
    pub const CALLS: &'static str = "calls";
    /// Sessions that a link allows one visitor in its time (seed: Limit Requests Per IP).
    pub const SESSIONS: &'static str = "sessions";
}
