//! Owns the time that charts show: its choices, and what an address says of it. Must not know what
//! happened in it.

use askama::Template;
use casting_core::time::Timestamp;
use jiff::civil::Date;

use super::paths;
use super::zone::Zone;

/// An hour and a day, in seconds.
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// The most days between two.
const MOST_DAYS: u64 = 92;
/// The word for a time between two days.
const DAYS: &str = "days";

/// The choices: hours, and how people read them.
const SPANS: [(u64, &str); 4] = [
    (1, "Last hour"),
    (24, "Last 24 hours"),
    (168, "Last 7 days"),
    (720, "Last 30 days"),
];

/// A span of time up to now, or between two days.
#[derive(Clone, Debug, Template)]
#[template(path = "console/range.html")]
pub struct Range {
    /// From when on.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether the period before is shown too.
    pub is_compared: bool,
    /// The choice: hours, or [`DAYS`].
    choice: String,
    from: Option<Date>,
    to: Option<Date>,
    zone: String,
    /// Whether a single hour can be chosen.
    has_hour: bool,
}

impl Range {
    /// What the parameters `hours`, `from`, `to` and `compare` say, seen from `now`. What cannot be
    /// read becomes the last day; days that are too far apart or in the wrong order become such
    /// that are not.
    pub fn of<'a>(query: impl Fn(&str) -> Option<&'a str>, zone: &Zone, now: Timestamp) -> Self {
        let choice = query("hours").unwrap_or_default();
        let hours = choice.parse().ok();
        let hours = hours.filter(|hours| SPANS.iter().any(|(known, _)| known == hours));
        let mut range = Self {
            // The present second is in it.
            since: now
                .plus_seconds(1)
                .minus_seconds(hours.unwrap_or(24) * HOUR),
            until: now.plus_seconds(1),
            is_compared: query("compare") != Some("nothing"),
            choice: hours.unwrap_or(24).to_string(),
            from: None,
            to: None,
            zone: zone.name().to_owned(),
            has_hour: false,
        };
        if choice == DAYS {
            let today = zone.day(now);
            let day = |name: &str| query(name).and_then(|text| text.parse::<Date>().ok());
            let to = day("to").or(today);
            let week_before = today.and_then(|day| zone.start_of(day));
            let week_before = week_before.and_then(|day| zone.day(day.minus_seconds(6 * DAY)));
            range.between(zone, day("from").or(week_before), to);
        }
        range
    }

    fn between(&mut self, zone: &Zone, from: Option<Date>, to: Option<Date>) {
        let (Some(from), Some(to)) = (from.min(to), from.max(to)) else {
            return;
        };
        let end = to.tomorrow().ok().and_then(|day| zone.start_of(day));
        let (Some(since), Some(until)) = (zone.start_of(from), end) else {
            return;
        };
        let since = since.max(until.minus_seconds(MOST_DAYS * DAY));
        (self.since, self.until) = (since, until);
        DAYS.clone_into(&mut self.choice);
        (self.from, self.to) = (zone.day(since), Some(to));
    }

    /// The same, where a single hour can be chosen too.
    #[must_use]
    pub fn with_hour(self) -> Self {
        Self {
            has_hour: true,
            ..self
        }
    }

    /// The length, in seconds.
    pub fn seconds(&self) -> u64 {
        self.since.seconds_until(self.until)
    }

    /// When the period before begins, if it is shown.
    pub fn before(&self) -> Option<Timestamp> {
        self.is_compared
            .then(|| self.since.minus_seconds(self.seconds()))
    }

    /// The span as figures name it, such as `24 h`.
    pub fn words(&self) -> String {
        match (self.seconds() + HOUR / 2) / HOUR {
            hours @ 0..=49 => format!("{hours} h"),
            hours => format!("{} days", hours / 24),
        }
    }

    /// The parameters that keep it in an address.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let day = |day: &Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let compare = if self.is_compared { "" } else { "nothing" };
        vec![
            ("hours", self.choice.clone()),
            ("from", day(&self.from)),
            ("to", day(&self.to)),
            ("compare", compare.to_owned()),
        ]
    }

    fn spans(&self) -> impl Iterator<Item = (String, &'static str)> {
        let known = SPANS
            .into_iter()
            .filter(|(hours, _)| self.has_hour || *hours > 1);
        known.map(|(hours, words)| (hours.to_string(), words))
    }

    fn day(day: &Option<Date>) -> String {
        day.map(|day| day.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::NOON;

    #[test]
    fn range_is_what_the_address_says() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let whole = ("2026-11-09T23:00:00Z", "2026-11-12T23:00:00Z", "days");
        for (name, query, (since, until, choice)) in [
            (
                "nothing",
                "",
                ("2026-11-22T12:00:01Z", "2026-11-23T12:00:01Z", "24"),
            ),
            (
                "a week",
                "hours=168",
                ("2026-11-16T12:00:01Z", "2026-11-23T12:00:01Z", "168"),
            ),
            (
                "nonsense",
                "hours=5",
                ("2026-11-22T12:00:01Z", "2026-11-23T12:00:01Z", "24"),
            ),
            ("days", "hours=days&from=2026-11-10&to=2026-11-12", whole),
            (
                "the wrong way round",
                "hours=days&from=2026-11-12&to=2026-11-10",
                whole,
            ),
            (
                "a year",
                "hours=days&from=2025-11-12&to=2026-11-22",
                ("2026-08-22T23:00:00Z", "2026-11-22T23:00:00Z", "days"),
            ),
            (
                "no days",
                "hours=days&from=x",
                ("2026-11-16T23:00:00Z", "2026-11-23T23:00:00Z", "days"),
            ),
        ] {
            let pairs: Vec<(&str, &str)> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .collect();
            let find = |name: &str| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| *value)
            };
            let range = Range::of(find, &berlin, NOON);
            let bounds = (range.since.to_string(), range.until.to_string());
            assert_eq!(
                (bounds.0.as_str(), bounds.1.as_str(), range.choice.as_str()),
                (since, until, choice),
                "{name}"
            );
            assert_eq!(
                range
                    .before()
                    .map(|before| before.seconds_until(range.since)),
                Some(range.seconds()),
                "{name}"
            );
        }
    }
}
