//! Owns how many starts ECS takes in a second: a token bucket. What it throttles was not started.

use casting_core::time::Timestamp;

/// A token bucket over RunTask, as ECS has one for each account and region.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartRate {
    /// Between two starts of a full bucket, in microseconds.
    interval: i64,
    /// How far ahead of the time the bucket may be used, in microseconds.
    ahead: i64,
    /// Until when it is used, in microseconds.
    used_until: i64,
}

impl StartRate {
    /// So many starts a second, and `burst` at once. Both are 1 at least.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = 1_000_000 / i64::from(per_second.max(1));
        Self {
            interval,
            ahead: interval * i64::from(burst.max(1)),
            used_until: 0,
        }
    }

    /// Takes a start, unless there is none at this time.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let now = now.millis().saturating_mul(1000);
        let next = self.used_until.max(now) + self.interval;
        let fits = next - now <= self.ahead;
        if fits {
            self.used_until = next;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_allows_its_burst_and_then_its_rate() {
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let mut rate = StartRate::new(20, 5);
        let mut taken = |millis, calls: usize| (0..calls).filter(|_| rate.take(at(millis))).count();
        for (name, millis, calls, expected) in [
            ("the burst", 0, 9, 5),
            ("too early for the next", 49, 1, 0),
            ("the next", 50, 2, 1),
            ("two more after two intervals", 150, 9, 2),
            ("all of the burst after a while", 60_000, 9, 5),
        ] {
            assert_eq!(taken(millis, calls), expected, "{name}");
        }
    }
}
