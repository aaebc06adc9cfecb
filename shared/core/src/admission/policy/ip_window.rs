//! Owns the rule that one address gets only so many sessions in a time (seed: Limit Requests Per
//! IP): N accepted claims in any W seconds, sliding. A refunded claim is taken out of the window
//! and so no longer counts.

use std::net::IpAddr;

use crate::address_rules::find;
use crate::cast::IpLimit;
use crate::denial::{Denial, DenialCode};
use crate::ids::SessionId;
use crate::ports::WindowClaim;
use crate::rate_limit::RateLimit;
use crate::rate_window::RateWindow;
use crate::time::Timestamp;

/// The limit as far as it concerns this address: exempt ones have none.
pub fn applies(limit: Option<&IpLimit>, address: IpAddr) -> Option<&IpLimit> {
    limit.filter(|limit| find(&limit.exempt, address).is_none())
}

/// Passes when the limit is off, the window was not read yet, or it holds fewer than N slots of the
/// last W seconds.
///
/// # Errors
/// `IpLimit`, with the seconds until enough slots have left the window.
pub fn check(
    limit: Option<&IpLimit>,
    window: Option<&RateWindow>,
    now: Timestamp,
) -> Result<(), Denial> {
    let (Some(limit), Some(window)) = (limit, window) else {
        return Ok(());
    };
    let cutoff = RateWindow::cutoff(limit, now);
    let mut left = window.count(cutoff);
    let allowed = u64::from(limit.sessions);
    if left < allowed {
        return Ok(());
    }
    // The window has room again once all but N - 1 of its slots have left it.
    let mut last_to_leave = now;
    for (at, count) in window.counted(cutoff) {
        if left < allowed {
            break;
        }
        (left, last_to_leave) = (left - u64::from(count), at);
    }
    let free_at = last_to_leave.plus_seconds(u64::from(limit.within_seconds));
    Err(Denial::retry(
        DenialCode::IpLimit,
        now.seconds_until(free_at).max(1),
    ))
}

/// How to take a slot: what the window must still be, and what it becomes.
pub fn take(
    limit: &IpLimit,
    key: String,
    seen: Option<&RateWindow>,
    session: &SessionId,
    now: Timestamp,
) -> WindowClaim {
    let cutoff = RateWindow::cutoff(limit, now);
    let stamp = session.as_str().to_owned();
    let mut after = RateWindow {
        stamp,
        key: key.clone(),
        ..seen
            .cloned()
            .unwrap_or_else(|| RateWindow::empty(key, String::new()))
    };
    after.expire(cutoff);
    let counts_until = match RateWindow::bucket(limit, now) {
        Some(bucket) => {
            *after.buckets.entry(bucket).or_default() += 1;
            bucket
        }
        None => {
            after.slots.insert(session.clone(), now);
            now
        }
    };
    WindowClaim {
        seen: seen.map(|window| window.stamp.clone()),
        cutoff,
        after,
        forgotten_at: counts_until.plus_seconds(u64::from(limit.within_seconds)),
    }
}

/// The limit after a slot was taken: how many slots are left, and in how many seconds the oldest
/// expires.
pub fn left(limit: &IpLimit, after: &RateWindow, now: Timestamp) -> RateLimit {
    let cutoff = RateWindow::cutoff(limit, now);
    let counted = after.counted(cutoff);
    let more = u64::from(limit.sessions).saturating_sub(after.count(cutoff));
    let within = u64::from(limit.within_seconds);
    let frees_at = counted.first().map(|(at, _)| at.plus_seconds(within));
    RateLimit {
        name: RateLimit::SESSIONS,
        quota: u64::from(limit.sessions),
        window: within,
        left: frees_at.map(|at| (more, now.seconds_until(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_rules::AddressRule;
    use crate::cast::CountBy;
    use crate::ids::{CastId, Nonce};
    use crate::testing::NOON;

    fn slot(n: u8) -> SessionId {
        SessionId::from_nonce(&CastId::from_bytes([1; 16]), &Nonce::from_bytes([n; 16]))
    }

    fn window(ages_seconds: &[u64]) -> RateWindow {
        let slots = ages_seconds
            .iter()
            .enumerate()
            .map(|(n, age)| (slot(n as u8), NOON.minus_seconds(*age)))
            .collect();
        RateWindow {
            slots,
            ..RateWindow::empty("k".into(), "s".into())
        }
    }

    fn within_a_minute(sessions: u32) -> IpLimit {
        IpLimit {
            sessions,
            within_seconds: 60,
            by: CountBy::Address,
            exempt: Vec::new(),
        }
    }

    #[test]
    fn rate_window_slides() {
        let limit = |sessions| {
            Some(IpLimit {
                sessions,
                within_seconds: 60,
                by: CountBy::Address,
                exempt: Vec::new(),
            })
        };
        for (name, limit, ages, wait) in [
            ("off", None, Some(&[0, 0, 0][..]), None),
            ("nobody looked", limit(1), None, None),
            ("empty", limit(1), Some(&[][..]), None),
            ("one just now, one allowed", limit(1), Some(&[0]), Some(60)),
            ("one 59 s ago", limit(1), Some(&[59]), Some(1)),
            ("one 60 s ago has left", limit(1), Some(&[60]), None),
            (
                "two of two, the older leaves first",
                limit(2),
                Some(&[10, 50]),
                Some(10),
            ),
            ("one of two", limit(2), Some(&[10, 70]), None),
            (
                "three in a window now limited to two",
                limit(2),
                Some(&[10, 20, 30]),
                Some(40),
            ),
        ] {
            let verdict = check(limit.as_ref(), ages.map(window).as_ref(), NOON);
            assert_eq!(
                verdict
                    .err()
                    .map(|denial| denial.retry_after.expect("a wait")),
                wait,
                "{name}"
            );
        }
    }

    #[test]
    fn exempt_address_has_no_limit() {
        let exempt = vec![AddressRule::parse("192.0.2.0/24 Classroom").expect("a block")];
        let limit = IpLimit {
            sessions: 1,
            within_seconds: 60,
            by: CountBy::Address,
            exempt,
        };
        for (address, limited) in [([192, 0, 2, 7], false), ([198, 51, 100, 7], true)] {
            assert_eq!(
                applies(Some(&limit), address.into()).is_some(),
                limited,
                "{address:?}"
            );
        }
        assert_eq!(applies(None, [198, 51, 100, 7].into()), None);
    }

    #[test]
    fn slot_is_added_and_old_ones_dropped() {
        let limit = &IpLimit {
            sessions: 2,
            within_seconds: 60,
            by: CountBy::Address,
            exempt: Vec::new(),
        };
        let claim = take(limit, "k".into(), Some(&window(&[10, 70])), &slot(9), NOON);
        assert_eq!(claim.seen.as_deref(), Some("s"));
        assert_eq!(claim.after.slots.len(), 2);
        assert_eq!(claim.after.slots[&slot(9)], NOON);
        assert_eq!(claim.after.newest(), Some(NOON));
        assert_eq!(claim.forgotten_at, NOON.plus_seconds(60));
        assert_eq!(take(limit, "k".into(), None, &slot(9), NOON).seen, None);
    }

    #[test]
    fn high_limit_is_exact_and_its_window_small() {
        for (sessions, within_seconds, step_ms) in [
            (33, 60, 100),
            (1000, 60, 21),
            (1000, 2_592_000, 900_000),
            (40, 1, 3),
        ] {
            let limit = IpLimit {
                within_seconds,
                ..within_a_minute(sessions)
            };
            let width = i64::from(within_seconds) * 1000;
            let (mut seen, mut accepted) = (None::<RateWindow>, Vec::new());
            for n in 0..5000_i64 {
                let now = Timestamp::from_millis(NOON.millis() + n * step_ms);
                let Err(denial) = check(Some(&limit), seen.as_ref(), now) else {
                    let id = SessionId::from_bytes((n as u128).to_be_bytes());
                    let claim = take(&limit, "k".into(), seen.as_ref(), &id, now);
                    assert!(claim.after.buckets.len() <= 65, "{sessions}: {n}");
                    assert!(claim.after.slots.is_empty());
                    assert!(claim.after.newest() > Some(now), "it counts from its end");
                    seen = Some(claim.after);
                    accepted.push(now.millis());
                    continue;
                };
                let allowed = sessions as usize;
                let counted = accepted.iter().filter(|at| **at > now.millis() - width);
                // A place is free a 64th of the time late, and never early.
                let late = accepted
                    .iter()
                    .filter(|at| **at > now.millis() - width - width / 64 - 1);
                assert!(counted.count() <= allowed && late.count() >= allowed, "{n}");
                let wait = denial.retry_after.expect("a wait");
                let then = now.plus_seconds(wait);
                assert_eq!(check(Some(&limit), seen.as_ref(), then), Ok(()), "{n}");
            }
            for span in accepted.windows(sessions as usize + 1) {
                assert!(span[sessions as usize] - span[0] >= width, "{sessions}");
            }
            assert!(
                accepted.len() > sessions as usize,
                "{sessions}: all could leave"
            );
        }
    }

    #[test]
    fn slots_and_buckets_of_another_limit_count() {
        let (low, high) = (within_a_minute(2), within_a_minute(100));
        let single = take(&low, "k".into(), None, &slot(1), NOON).after;
        let both = take(&high, "k".into(), Some(&single), &slot(2), NOON).after;
        assert_eq!((both.slots.len(), both.buckets.len()), (1, 1));
        assert!(check(Some(&low), Some(&both), NOON).is_err(), "two of two");
        assert_eq!(
            left(&high, &both, NOON).left.map(|(left, _)| left),
            Some(98)
        );
        let bucket = RateWindow::bucket(&high, NOON).expect("counted together");
        let gone = bucket.plus_seconds(60);
        assert_eq!(both.count(RateWindow::cutoff(&high, gone)), 0);
        let later = take(&low, "k".into(), Some(&both), &slot(3), gone).after;
        assert_eq!((later.slots.len(), later.buckets.len()), (1, 0));
        assert_eq!(RateWindow::bucket(&within_a_minute(32), NOON), None);
    }
}
