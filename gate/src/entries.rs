//! Owns which entry tickets have been used: each is good once. Must not check them otherwise; the
//! edge has.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use casting_protocol::time::Timestamp;

/// How many are remembered. Each was signed for this session half a minute ago at most.
const REMEMBERED: usize = 10_000;
/// How long after its time is up an address is still remembered, in seconds: the edge's clock may
/// be behind ours.
const MARGIN_SECONDS: u64 = 60;

/// The addresses that visitors have entered by. Lives as long as the gate, so as long as the
/// session.
#[derive(Default)]
pub struct Entries {
    used: Mutex<HashMap<String, Timestamp>>,
}

impl Entries {
    /// Uses up the entry ticket that the edge passes on as `{nonce}.{expiry in milliseconds}`.
    /// Returns whether it was valid.
    pub fn use_up(&self, ticket: &str, now: Timestamp) -> bool {
        let Some((nonce, ends)) = ticket
            .split_once('.')
            .and_then(|(nonce, ends)| Some((nonce, ends.parse::<i64>().ok()?)))
        else {
            return false;
        };
        let forgotten = Timestamp::from_millis(ends).plus_seconds(MARGIN_SECONDS);
        if now >= forgotten {
            return false;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= REMEMBERED {
            used.retain(|_, forgotten| now < *forgotten);
        }
        // A crowd may have to wait; no ticket is accepted twice.
        if used.len() >= REMEMBERED || used.contains_key(nonce) {
            return false;
        }
        used.insert(nonce.to_owned(), forgotten);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn entry_ticket_is_accepted_once() {
        let entries = Entries::default();
        for (name, ticket, after, good) in [
            ("one", "a.1030000", 0, true),
            ("the same", "a.1030000", 0, false),
            ("the same with a later end", "a.9030000", 0, false),
            ("another", "b.1030000", 0, true),
            ("by a clock that is behind", "c.1030000", 89, true),
            ("when it would be forgotten", "d.1030000", 90, false),
            ("without an end", "e", 0, false),
            ("with an end that is none", "e.x", 0, false),
        ] {
            assert_eq!(
                entries.use_up(ticket, NOW.plus_seconds(after)),
                good,
                "{name}"
            );
        }
    }

    #[test]
    fn used_entries_are_bounded_and_expire() {
        let entries = Entries::default();
        for n in 0..REMEMBERED {
            assert!(entries.use_up(&format!("{n}.1030000"), NOW));
        }
        assert!(!entries.use_up("late.1030000", NOW), "there is no room");
        assert!(
            !entries.use_up("0.1030000", NOW),
            "the first is still known"
        );
        let later = NOW.plus_seconds(90);
        assert!(entries.use_up("late.1120000", later), "there is room again");
        assert!(
            !entries.use_up("0.1030000", later),
            "too old to be remembered"
        );
        assert_eq!(entries.used.lock().expect("no panic").len(), 1);
    }
}
