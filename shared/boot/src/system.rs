//! Owns the real clock and the real randomness, which all other code takes as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use casting_core::ids::Entropy;
use casting_core::time::{Clock, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's randomness.
#[derive(Clone, Debug)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// The machine's randomness.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for randomness"
    )]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if self.0.fill(buffer).is_err() {
            // A kernel that has no randomness must not be answered with ids and keys that can be
            // guessed.
            tracing::error!("The system gives no random bytes; stopping");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::ids::random_bytes;

    #[test]
    fn clock_is_plausible_and_random_bytes_differ() {
        assert!(SystemClock.now().seconds() > 1_735_689_600);
        let entropy = SystemEntropy::new();
        assert_ne!(random_bytes(&entropy), random_bytes(&entropy));
    }
}
