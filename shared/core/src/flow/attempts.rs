//! Owns the attempt limiter: how often each address tried in this minute, in this process's memory. Coarse on purpose: it spares reads and CAPTCHA
//! checks where many come from one place, costs nothing, and a function that runs in many instances allows each of them as many.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::time::Timestamp;

/// Addresses remembered in one minute; a flood from more of them than this is the gateway's to throttle.
const ADDRESSES: usize = 20_000;

#[derive(Default)]
struct Minute {
    number: i64,
    attempts: HashMap<String, u32>,
}

/// Attempts of this minute by address hash.
#[derive(Default)]
pub(super) struct AttemptBook(Mutex<Minute>);

impl AttemptBook {
    /// Counts an attempt.
    pub(super) fn note(&self, address: &str, now: Timestamp) {
        if let Ok(mut minute) = self.0.lock() {
            minute.turn(now);
            if minute.attempts.len() < ADDRESSES || minute.attempts.contains_key(address) {
                *minute.attempts.entry(address.to_owned()).or_default() += 1;
            }
        }
    }

    /// How long this address must wait, in seconds, when it has tried `most` times in this minute.
    pub(super) fn wait(&self, address: &str, most: u32, now: Timestamp) -> Option<u64> {
        let mut minute = self.0.lock().ok()?;
        minute.turn(now);
        let tried = minute.attempts.get(address).copied().unwrap_or_default();
        (tried >= most).then(|| 60 - now.seconds().rem_euclid(60).unsigned_abs())
    }
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
    fn an_address_that_tried_too_often_waits_for_the_next_minute() {
        let book = AttemptBook::default();
        for _ in 0..3 {
            assert_eq!(book.wait("a", 3, NOON), None);
            book.note("a", NOON);
        }
        assert_eq!(book.wait("a", 3, NOON.plus_seconds(10)), Some(50));
        assert_eq!(book.wait("b", 3, NOON), None, "others need not wait");
        assert_eq!(book.wait("a", 3, NOON.plus_seconds(60)), None);
    }
}
