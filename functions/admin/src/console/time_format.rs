//! Owns how times and lengths of time are shown: as people say them, with the exact time in the
//! administrator's zone behind them. Must not know whose they are.

use std::fmt;

use casting_core::time::Timestamp;

use super::zone::Zone;

/// A time as it is shown: relative to now, with the full time as its tooltip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    at: Timestamp,
    now: Timestamp,
    zone: Zone,
}

impl Moment {
    /// The time `at`, seen from `now`, in this zone.
    pub fn new(at: Timestamp, now: Timestamp, zone: &Zone) -> Self {
        let zone = zone.clone();
        Self { at, now, zone }
    }

    /// As people say it: `3 min ago`, `in 2 h`; a date when it is more than six days away.
    pub fn words(&self) -> String {
        let ahead = self.at > self.now;
        let seconds = self.at.seconds().abs_diff(self.now.seconds());
        if seconds > 6 * 86_400 {
            return self.zone.spell(self.at, "%-d %b %Y");
        }
        match (seconds, ahead) {
            (0..=9, _) => "now".to_owned(),
            (_, true) => format!("in {}", rough(seconds)),
            (_, false) => format!("{} ago", rough(seconds)),
        }
    }

    /// `12:00:05 UTC`.
    pub fn clock(&self) -> String {
        self.zone.spell(self.at, "%H:%M:%S %Z")
    }

    /// The time as documents have it, in UTC.
    pub fn stamp(&self) -> String {
        self.at.to_string()
    }

    /// `23 Nov, 12:00 UTC`, with the year when it is another one.
    pub fn minute(&self) -> String {
        let year = |at| self.zone.day(at).map(jiff::civil::Date::year);
        if year(self.at) == year(self.now) {
            self.zone.spell(self.at, "%-d %b, %H:%M %Z")
        } else {
            self.zone.minute(self.at)
        }
    }

    /// `23 Nov 2026, 12:00:05 UTC`.
    pub fn whole(&self) -> String {
        self.zone.spell(self.at, "%-d %b %Y, %H:%M:%S %Z")
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
            assert_eq!(Moment::new(at, NOON, &Zone::default()).words(), expected);
        }
        let shown = Moment::new(NOON, NOON, &Zone::default()).to_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-11-23T12:00:00Z\" title=\"23 Nov 2026, 12:00:00 UTC\">now</time>"
        );
    }

    #[test]
    fn times_are_in_the_zone_and_say_so() {
        let late = Timestamp::parse("2026-07-31T22:30:00Z").expect("a time");
        for (zone, whole, clock, words) in [
            (
                "Europe/Berlin",
                "1 Aug 2026, 00:30:00 CEST",
                "00:30:00 CEST",
                "1 Aug 2026",
            ),
            (
                "America/New_York",
                "31 Jul 2026, 18:30:00 EDT",
                "18:30:00 EDT",
                "31 Jul 2026",
            ),
            (
                "Asia/Kolkata",
                "1 Aug 2026, 04:00:00 IST",
                "04:00:00 IST",
                "1 Aug 2026",
            ),
        ] {
            let moment = Moment::new(late, NOON, &Zone::named(zone).expect("a zone"));
            let shown = (moment.whole(), moment.clock(), moment.words());
            assert_eq!(shown, (whole.into(), clock.into(), words.into()), "{zone}");
            assert_eq!(moment.stamp(), "2026-07-31T22:30:00Z", "files are in UTC");
            let short = whole.replace(" 2026", "").replacen(":00 ", " ", 1);
            assert_eq!(moment.minute(), short, "{zone}");
        }
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
