//! Owns the attempt limiter: how often each address tried in this minute, in this process's memory.
//! It saves reads and CAPTCHA checks in a flood from one address, costs nothing, and is
//! approximate: each instance of a function counts by itself.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::rate_limit::RateLimit;
use crate::time::Timestamp;

/// Addresses counted in one minute; larger floods are throttled by the gateway.
const ADDRESSES: usize = 20_000;

#[derive(Default)]
struct Minute {
    number: i64,
    attempts: HashMap<String, u32>,
}

/// Attempts of this minute by address hash.
#[derive(Default)]
pub(super) struct AttemptLimiter(Mutex<Minute>);

impl AttemptLimiter {
    /// Counts an attempt.
    pub(super) fn note(&self, address: &str, now: Timestamp) {
        if let Ok(mut minute) = self.0.lock() {
            minute.turn(now);
            if minute.attempts.len() < ADDRESSES || minute.attempts.contains_key(address) {
                *minute.attempts.entry(address.to_owned()).or_default() += 1;
            }
        }
    }

    /// For how many seconds this address is refused, when it has used up its `most` attempts of
    /// this minute.
    pub(super) fn wait(&self, address: &str, most: u32, now: Timestamp) -> Option<u64> {
        (self.tried(address, now)? >= most).then(|| seconds_left(now))
    }

    /// The same as a rate limit of this name, with what is left of it.
    pub(super) fn rate(
        &self,
        name: &'static str,
        address: &str,
        most: u32,
        now: Timestamp,
    ) -> RateLimit {
        let tried = self.tried(address, now);
        RateLimit {
            name,
            quota: u64::from(most),
            window: 60,
            left: tried.map(|tried| (u64::from(most.saturating_sub(tried)), seconds_left(now))),
        }
    }

    fn tried(&self, address: &str, now: Timestamp) -> Option<u32> {
        let mut minute = self.0.lock().ok()?;
        minute.turn(now);
        Some(minute.attempts.get(address).copied().unwrap_or_default())
    }
}

/// The rest of this minute, in seconds.
fn seconds_left(now: Timestamp) -> u64 {
    60 - now.seconds().rem_euclid(60).unsigned_abs()
}

impl Minute {
    fn turn(&mut self, now: Timestamp) {
        let number = now.seconds().div_euclid(60);
        if self.number != number {
            *self = Self {
                number,
                attempts: HashMap::new(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn attempts_over_the_limit_wait_for_the_next_minute() {
        let limiter = AttemptLimiter::default();
        for _ in 0..3 {
            assert_eq!(limiter.wait("a", 3, NOON), None);
            limiter.note("a", NOON);
        }
        assert_eq!(limiter.wait("a", 3, NOON.plus_seconds(10)), Some(50));
        for (name, address, most, left) in [
            ("used up", "a", 3, (0, 50)),
            ("one is left", "a", 4, (1, 50)),
            ("another address", "b", 3, (3, 50)),
            ("lowered since", "a", 1, (0, 50)),
        ] {
            let rate = limiter.rate(RateLimit::ATTEMPTS, address, most, NOON.plus_seconds(10));
            assert_eq!((rate.quota, rate.window), (u64::from(most), 60), "{name}");
            assert_eq!(rate.left, Some(left), "{name}");
        }
        assert_eq!(limiter.wait("b", 3, NOON), None, "others need not wait");
        assert_eq!(limiter.wait("a", 3, NOON.plus_seconds(60)), None);
    }
}
