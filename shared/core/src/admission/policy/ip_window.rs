//! Owns the rule that one address gets only so many sessions in a time (seed: Limit Requests Per IP): N accepted claims in any W seconds, sliding.
//! A refunded claim is taken out of the window and so no longer counts.

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
    let mut counted: Vec<Timestamp> = window
        .slots
        .values()
        .copied()
        .filter(|at| *at > cutoff)
        .collect();
    let allowed = limit.sessions as usize;
    if counted.len() < allowed {
        return Ok(());
    }
    counted.sort_unstable();
    // The window has room again once all but N - 1 of its slots have left it.
    let last_to_leave = counted[counted.len() - allowed.max(1)];
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
    let mut slots = seen.map(|window| window.slots.clone()).unwrap_or_default();
    slots.retain(|_, at| *at > cutoff);
    slots.insert(session.clone(), now);
    WindowClaim {
        seen: seen.map(|window| window.stamp.clone()),
        cutoff,
        after: RateWindow {
            key,
            stamp: session.as_str().to_owned(),
            slots,
        },
        forgotten_at: now.plus_seconds(u64::from(limit.within_seconds)),
    }
}

/// The limit after a slot was taken: how many slots are left, and in how many seconds the oldest
/// expires.
pub fn left(limit: &IpLimit, after: &RateWindow, now: Timestamp) -> RateLimit {
    let cutoff = RateWindow::cutoff(limit, now);
    let counted = || after.slots.values().filter(|at| **at > cutoff);
    let more = u64::from(limit.sessions).saturating_sub(counted().count() as u64);
    let within = u64::from(limit.within_seconds);
    let frees_at = counted().min().map(|at| at.plus_seconds(within));
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
            key: "k".into(),
            stamp: "s".into(),
            slots,
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
}
