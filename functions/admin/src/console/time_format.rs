//! Owns how times and lengths of time are shown: as people say them, with the exact UTC time behind
//! them. Must not know whose they are.

use std::fmt;

use casting_core::time::Timestamp;
use serde_json::Value;

/// A time as it is shown: relative to now, with the full time as its tooltip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    at: Timestamp,
    now: Timestamp,
}

impl Moment {
    /// The time `at`, seen from `now`.
    pub const fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// The time in a field of a document, when there is one.
    pub fn of(value: &Value, now: Timestamp) -> Option<Self> {
        // What was never written, such as a built-in group, has the beginning of time.
        let at = Timestamp::parse(value.as_str()?).filter(|at| at.millis() > 0)?;
        Some(Self { at, now })
    }

    /// As people say it: `3 min ago`, `in 2 h`; a date when it is more than six days away.
    pub fn words(&self) -> String {
        let ahead = self.at > self.now;
        let seconds = self.at.seconds().abs_diff(self.now.seconds());
        if seconds > 6 * 86_400 {
            return spell(self.at, "%-d %b %Y");
        }
        match (seconds, ahead) {
            (0..=9, _) => "now".to_owned(),
            (_, true) => format!("in {}", rough(seconds)),
            (_, false) => format!("{} ago", rough(seconds)),
        }
    }

    /// `12:00:05 UTC`.
    pub fn clock(&self) -> String {
        spell(self.at, "%H:%M:%S UTC")
    }

    /// The time as documents have it.
    pub fn stamp(&self) -> String {
        self.at.to_string()
    }

    /// `23 Nov 2026, 12:00:05 UTC`.
    pub fn whole(&self) -> String {
        spell(self.at, "%-d %b %Y, %H:%M:%S UTC")
    }
}

impl fmt::Display for Moment {
    /// As HTML; made of digits and our own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\" title=\"{}\">{}</time>",
            self.at,
            self.whole(),
            self.words()
        )
    }
}

/// A time in UTC, in jiff's notation.
pub fn spell(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| at.to_string(), |time| time.strftime(format).to_string())
}

/// A length of time in its largest unit: `45 s`, `3 min`, `2 h`, `5 days`.
pub fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A length of time in its two largest units: `1 h 30 min`, `45 s`.
pub fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

/// A wait, with as many digits as tell something: `40 ms`, `0.4 s`, `45 s`.
pub fn wait(millis: u64) -> String {
    match millis {
        0..100 => format!("{millis} ms"),
        100..10_000 => format!("{:.1} s", millis as f64 / 1000.0),
        _ => length(millis.div_ceil(1000)),
    }
}

/// A number with a thin space between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::NOON;

    #[test]
    fn times_are_formatted_for_people() {
        for (at, expected) in [
            (NOON, "now"),
            (NOON.minus_seconds(45), "45 s ago"),
            (NOON.minus_seconds(200), "3 min ago"),
            (NOON.plus_seconds(7300), "in 2 h"),
            (NOON.minus_seconds(3 * 86_400), "3 days ago"),
            (NOON.plus_seconds(30 * 86_400), "23 Dec 2026"),
        ] {
            assert_eq!(Moment::new(at, NOON).words(), expected);
        }
        let beginning = serde_json::json!("1970-01-01T00:00:00Z");
        assert_eq!(Moment::of(&beginning, NOON), None);
        let shown = Moment::new(NOON, NOON).to_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-11-23T12:00:00Z\" title=\"23 Nov 2026, 12:00:00 UTC\">now</time>"
        );
    }

    #[test]
    fn durations_and_large_numbers_are_formatted() {
        for (seconds, expected) in [
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (5400, "1 h 30 min"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(length(seconds), expected);
        }
        assert_eq!(
            (wait(0), wait(42), wait(412), wait(9949), wait(10_001)),
            (
                "0 ms".into(),
                "42 ms".into(),
                "0.4 s".into(),
                "9.9 s".into(),
                "11 s".into()
            )
        );
        assert_eq!(
            (grouped(7), grouped(1234), grouped(1_000_000)),
            (
                "7".into(),
                "1\u{202f}234".into(),
                "1\u{202f}000\u{202f}000".into()
            )
        );
    }
}
