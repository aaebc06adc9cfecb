//! Owns what tests of every crate share: a clock that is set, and random bytes that repeat.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::ids::Entropy;
use crate::time::{Clock, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// A clock that stands at `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.millis()))
    }

    /// Moves it forward by `millis` milliseconds.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves it forward by `seconds` seconds.
    pub fn advance(&self, seconds: u64) {
        self.advance_millis(seconds as i64 * 1000);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that are the same for the same seed.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<fastrand::Rng>);

impl SeededEntropy {
    /// The bytes that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if let Ok(mut rng) = self.0.lock() {
            rng.fill(buffer);
        }
    }
}

/// The time at which test rows are made: 2026-11-23T12:00:00Z.
pub const NOON: Timestamp = Timestamp::from_millis(1_795_435_200_000);
