//! Owns points in time: `Timestamp` (milliseconds since 1970, UTC) and the `Clock` port. Must not
//! know where the time comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down; DynamoDB's TTL and the tickets count in these.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The point `seconds` seconds later; saturates instead of overflowing.
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        let millis = if seconds > (i64::MAX / 1000) as u64 {
            i64::MAX
        } else {
            seconds as i64 * 1000
        };
        Self(self.0.saturating_add(millis))
    }

    /// The point `seconds` seconds earlier; saturates instead of overflowing.
    pub const fn minus_seconds(self, seconds: u64) -> Self {
        let millis = if seconds > (i64::MAX / 1000) as u64 {
            i64::MAX
        } else {
            seconds as i64 * 1000
        };
        Self(self.0.saturating_sub(millis))
    }

    /// Whole seconds from `self` until `later`, rounded up; 0 when `later` is not later.
    /// Rounded up, so that a visitor who waits N seconds does not come too early.
    pub const fn seconds_until(self, later: Timestamp) -> u64 {
        let millis = later.0.saturating_sub(self.0);
        if millis <= 0 {
            0
        } else {
            (millis as u64).div_ceil(1000)
        }
    }

    /// Reads `2026-11-23T12:00:00Z` (any offset), or the form `2026-11-23 12:00:00`, which means
    /// UTC. `None` when the text is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let instant = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => instant,
            Err(_) if text.len() < "2026-11-23T12:00".len() => return None,
            Err(_) => jiff::tz::Offset::UTC
                .to_timestamp(text.parse().ok()?)
                .ok()?,
        };
        Some(Self(instant.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, such as `2026-11-23T12:00:00Z`; a point outside jiff's range is shown in
    /// milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// The clock. Every decision takes `now` as an argument; only handlers and flows have a clock.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_in_all_accepted_formats() {
        for (name, text, millis) in [
            ("RFC 3339", "2026-01-01T00:00:00Z", Some(1_767_225_600_000)),
            (
                "with an offset",
                "2026-01-01T01:00:00+01:00",
                Some(1_767_225_600_000),
            ),
            (
                "the seed's UTC form",
                "2026-01-01 00:00:00",
                Some(1_767_225_600_000),
            ),
            ("a bare date is not a time", "2026-01-01", None),
            ("words", "tomorrow", None),
            ("nothing", "", None),
        ] {
            assert_eq!(
                Timestamp::parse(text).map(Timestamp::millis),
                millis,
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        let now = Timestamp::from_millis(10_000);
        assert_eq!(now.seconds_until(Timestamp::from_millis(10_001)), 1);
        assert_eq!(now.seconds_until(Timestamp::from_millis(12_000)), 2);
        assert_eq!(now.seconds_until(Timestamp::from_millis(9_000)), 0);
    }

    #[test]
    fn arithmetic_saturates() {
        let now = Timestamp::from_millis(1);
        assert_eq!(now.plus_seconds(u64::MAX).millis(), i64::MAX);
        assert!(now.minus_seconds(u64::MAX).millis() < 0);
    }
}
