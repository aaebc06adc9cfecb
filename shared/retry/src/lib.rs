//! Owns the retry loop of the AWS adapters: how often a failed call is repeated, how long the
//! caller waits in between, and whether an earlier attempt may have taken effect. Must not know
//! what is called.
//!
//! An adapter makes its call in a `loop`, sorts the error, and asks [`Attempts::again`].

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a call is repeated, and with which waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many attempts may be throttled before the call fails.
    pub busy: u32,
    /// How many attempts may stay without an answer before the call fails.
    pub lost: u32,
    /// The upper bound of the wait after the first failed attempt; it doubles with each further
    /// one.
    pub first_wait: Duration,
    /// The highest upper bound of a wait.
    pub longest_wait: Duration,
    /// How long all attempts and waits may take together; `None` for no limit.
    pub budget: Option<Duration>,
}

/// Why an attempt failed, as far as it decides about another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Too many calls at once: nothing was done.
    Busy,
    /// No answer, or none that says what happened: the call may have taken effect.
    Lost,
}

/// The attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    limits: Limits,
    busy: u32,
    lost: u32,
    deadline: Option<Instant>,
}

impl Attempts {
    /// No attempt was made yet; the budget starts now.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            busy: 0,
            lost: 0,
            deadline: limits.budget.map(|budget| Instant::now() + budget),
        }
    }

    /// Counts a failed attempt. Waits and returns true if there is another one, returns false at
    /// once if all attempts are used up or the wait would exceed the budget.
    pub async fn again(&mut self, failed: Failed) -> bool {
        match failed {
            Failed::Busy => self.busy += 1,
            Failed::Lost => self.lost += 1,
        }
        let is_last = self.busy >= self.limits.busy || self.lost >= self.limits.lost;
        let wait = self.longest_wait().mul_f64(fastrand::f64());
        let is_late = |deadline| Instant::now() + wait >= deadline;
        if is_last || self.deadline.is_some_and(is_late) {
            return false;
        }
        sleep(wait).await;
        true
    }

    /// Whether an attempt got no answer, so that the call may have taken effect whatever a later
    /// attempt returned.
    pub fn in_doubt(&self) -> bool {
        self.lost > 0
    }

    /// How many attempts have failed.
    pub fn failed(&self) -> u32 {
        self.busy + self.lost
    }

    /// How much of the budget is left; `None` without a budget.
    pub fn time_left(&self) -> Option<Duration> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.deadline.map(left)
    }

    /// The upper bound of the next wait: exponential, up to the limit.
    fn longest_wait(&self) -> Duration {
        let doublings = self.failed().saturating_sub(1);
        self.limits
            .first_wait
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(self.limits.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        busy: 20,
        lost: 3,
        first_wait: Duration::from_millis(25),
        longest_wait: Duration::from_millis(400),
        budget: None,
    };

    /// The timer fires on whole milliseconds, so a wait may take this much longer.
    const TIMER_RESOLUTION: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn backoff_doubles_up_to_a_cap() {
        let mut attempts = Attempts::new(LIMITS);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let before = Instant::now();
            assert!(attempts.again(Failed::Busy).await);
            waits.push(attempts.longest_wait().as_millis());
            assert!(before.elapsed() <= attempts.longest_wait() + TIMER_RESOLUTION);
        }
        assert_eq!(waits, [25, 50, 100, 200, 400, 400, 400]);
    }

    #[tokio::test(start_paused = true)]
    async fn busy_and_lost_attempts_have_limits_of_their_own() {
        for (name, failures, again, in_doubt) in [
            ("two lost", vec![Failed::Lost; 2], true, true),
            ("three lost", vec![Failed::Lost; 3], false, true),
            ("19 busy", vec![Failed::Busy; 19], true, false),
            ("20 busy", vec![Failed::Busy; 20], false, false),
            (
                "busy, then lost",
                [vec![Failed::Busy; 19], vec![Failed::Lost; 2]].concat(),
                true,
                true,
            ),
        ] {
            let mut attempts = Attempts::new(LIMITS);
            let mut last = true;
            for failed in failures {
                last = attempts.again(failed).await;
            }
            assert_eq!((last, attempts.in_doubt()), (again, in_doubt), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_wait_goes_beyond_the_budget() {
        let budget = Duration::from_secs(1);
        let mut attempts = Attempts::new(Limits {
            budget: Some(budget),
            ..LIMITS
        });
        let start = Instant::now();
        sleep(Duration::from_millis(999)).await;
        while attempts.again(Failed::Busy).await {}
        let waited = start.elapsed();
        assert!(waited <= budget + TIMER_RESOLUTION, "{waited:?}");
        assert!(attempts.failed() < LIMITS.busy || attempts.time_left() > Some(Duration::ZERO));
        sleep(budget).await;
        assert!(!attempts.again(Failed::Busy).await);
        assert_eq!(attempts.time_left(), Some(Duration::ZERO));
    }
}
