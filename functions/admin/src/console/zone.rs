//! Owns the time zone of an administrator: which one it is, and how times are read and written in
//! it. Must not know what happened at these times.

use casting_core::time::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The cookie with the zone that was chosen in the console.
pub const CHOSEN_COOKIE: &str = "cast-zone";
/// The cookie in which the console's script says which zone the browser has.
pub const BROWSER_COOKIE: &str = "cast-zone-browser";

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }
}

impl Zone {
    /// The zone of this name in the database of time zones; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return None;
        }
        let zone = TimeZone::get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Self { name, zone })
    }

    /// The zone that was chosen, or else the browser's, or else UTC.
    pub fn of_cookies(chosen: Option<&str>, browser: Option<&str>) -> Self {
        [chosen, browser]
            .into_iter()
            .flatten()
            .find_map(Self::named)
            .unwrap_or_default()
    }

    /// As the database calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A time in this zone, in jiff's notation.
    pub fn spell(&self, at: Timestamp, format: &str) -> String {
        self.at(at)
            .map_or_else(|| at.to_string(), |time| time.strftime(format).to_string())
    }

    /// A time to the minute with the zone's short name, such as `23 Nov 2026, 13:00 CET`.
    pub fn minute(&self, at: Timestamp) -> String {
        self.spell(at, "%-d %b %Y, %H:%M %Z")
    }

    /// A time as a form holds it, such as `2026-11-23T13:00:05`; `None` where [`Self::read`] would
    /// read another time: in the hour that a clock shows twice when it is set back.
    pub fn typed(&self, at: Timestamp) -> Option<String> {
        let local = self.at(at)?.datetime().to_string();
        (self.read(&local)? == at).then_some(local)
    }

    /// The time that a form holds. Of two, the earlier; a time that the zone's clocks skip is read
    /// as if they had not been set forward.
    pub fn read(&self, typed: &str) -> Option<Timestamp> {
        let local: DateTime = typed.parse().ok()?;
        let time = local.to_zoned_datetime(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(time.timestamp().as_millisecond()))
    }

    /// The day that this time is on.
    pub fn day(&self, at: Timestamp) -> Option<Date> {
        Some(self.at(at)?.date())
    }

    /// When this day begins.
    pub fn start_of(&self, day: Date) -> Option<Timestamp> {
        let start = day.to_zoned_datetime(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(start.timestamp().as_millisecond()))
    }

    /// When the month begins that is so many before this time's.
    pub fn start_of_month(&self, at: Timestamp, months_before: i32) -> Option<Timestamp> {
        let months = jiff::Span::new().try_months(months_before).ok()?;
        let first = self.day(at)?.first_of_month();
        self.start_of(first.checked_sub(months).ok()?)
    }

    fn at(&self, at: Timestamp) -> Option<jiff::ZonedDateTime> {
        let time = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        Some(time.to_zoned_datetime(self.zone.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::NOON;

    #[test]
    fn zone_is_the_chosen_one_or_the_browsers_or_utc() {
        for (chosen, browser, name) in [
            (Some("Asia/Kolkata"), Some("Europe/Berlin"), "Asia/Kolkata"),
            (None, Some("Europe/Berlin"), "Europe/Berlin"),
            (Some("Nowhere/Land"), Some("Europe/Berlin"), "Europe/Berlin"),
            (Some("../etc/passwd"), None, "UTC"),
            (Some("a b"), Some(""), "UTC"),
            (None, None, "UTC"),
        ] {
            assert_eq!(Zone::of_cookies(chosen, browser).name(), name, "{chosen:?}");
        }
    }

    #[test]
    fn typed_times_are_read_in_the_zone() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        for (name, at, typed) in [
            (
                "winter",
                "2026-11-23T12:00:05Z",
                Some("2026-11-23T13:00:05"),
            ),
            (
                "summer",
                "2026-07-01T12:00:00Z",
                Some("2026-07-01T14:00:00"),
            ),
            (
                "another day",
                "2026-07-31T22:30:00Z",
                Some("2026-08-01T00:30:00"),
            ),
            (
                "the first of two",
                "2026-10-25T00:30:00Z",
                Some("2026-10-25T02:30:00"),
            ),
            ("the second of two", "2026-10-25T01:30:00Z", None),
        ] {
            let at = Timestamp::parse(at).expect("a time");
            assert_eq!(berlin.typed(at).as_deref(), typed, "{name}");
        }
        for (typed, at) in [
            ("2026-11-23T13:00", Some("2026-11-23T12:00:00Z")),
            ("2026-03-29T02:30", Some("2026-03-29T01:30:00Z")),
            ("2026-02-30T02:30", None),
            ("soon", None),
        ] {
            let read = berlin.read(typed).map(|at| at.to_string());
            assert_eq!(read.as_deref(), at, "{typed}");
        }
    }

    #[test]
    fn days_and_months_begin_at_local_midnight() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        assert_eq!(berlin.spell(NOON, "%a %H:%M"), "Mon 13:00");
        let day = berlin.day(NOON).expect("a day");
        let utc = |at: Option<Timestamp>| at.expect("a time").to_string();
        assert_eq!(utc(berlin.start_of(day)), "2026-11-22T23:00:00Z");
        for (before, start) in [
            (0, "2026-10-31T23:00:00Z"),
            (1, "2026-09-30T22:00:00Z"),
            (11, "2025-11-30T23:00:00Z"),
        ] {
            assert_eq!(utc(berlin.start_of_month(NOON, before)), start, "{before}");
        }
    }
}
