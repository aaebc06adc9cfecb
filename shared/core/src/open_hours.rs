//! Owns open hours: when in the week a link gives sessions, in a time zone of its own. Must not know what happens outside of them.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The most spans that one link may have.
pub const MAX_SPANS: usize = 20;

/// When in the week a link is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHours {
    /// The name of a time zone, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Open in any of these; never empty.
    pub spans: Vec<Span>,
}

/// One span of a weekly plan, such as `mon-fri 09:00-17:00`. A span whose end is not after its start goes on into the next day;
/// `24:00` is the end of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Monday is 0.
    days: Vec<u8>,
    /// Minutes since midnight.
    from: u16,
    /// Minutes since midnight, up to 1,440.
    to: u16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u16 = 1440;

impl OpenHours {
    /// Reads the name of a time zone.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn read_time_zone(name: &str) -> Result<String, String> {
        let known = TimeZone::get(name)
            .ok()
            .and_then(|zone| zone.iana_name().map(str::to_owned));
        known.ok_or_else(|| {
            "must be the name of a time zone such as Europe/Berlin or UTC.".to_owned()
        })
    }

    /// The names of all time zones.
    pub fn time_zones() -> Vec<String> {
        let mut names: Vec<_> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        names.retain(|name| Self::read_time_zone(name).as_ref() == Ok(name));
        names.sort_unstable();
        names
    }

    /// When the link opens next, if it is closed at `now`; `None` when it is open.
    ///
    /// A zone that this build does not know (any more) counts as UTC, so that a link never opens by accident of an update.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        let here = jiff::Timestamp::from_millisecond(now.millis())
            .ok()?
            .to_zoned_datetime(zone);
        if self.covers(&here) {
            return None;
        }
        // Every plan repeats after a week, so one week and a day is far enough to look.
        let starts = (0..=8).flat_map(|ahead| self.starts_on(&here, ahead));
        let next = starts.filter(|start| *start > here).min()?;
        Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
    }

    /// A time as visitors read it, in the link's own zone: `Thu 26 Nov, 09:00 (Europe/Berlin)`.
    pub fn spell(&self, time: Timestamp) -> String {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        let spelled = jiff::Timestamp::from_millisecond(time.millis())
            .map(|time| time.to_zoned_datetime(zone));
        spelled.map_or_else(
            |_| time.to_string(),
            |time| format!("{} ({})", time.strftime("%a %-d %b, %H:%M"), self.time_zone),
        )
    }

    fn covers(&self, here: &ZonedDateTime) -> bool {
        let minute = here.time().hour() as u16 * 60 + here.time().minute() as u16;
        let (today, yesterday) = (day_of(here.weekday()), (day_of(here.weekday()) + 6) % 7);
        self.spans.iter().any(|span| {
            let over_night = span.to <= span.from;
            let until = if over_night { DAY_MINUTES } else { span.to };
            let this_day = span.days.contains(&today) && (span.from..until).contains(&minute);
            let from_yesterday = over_night && span.days.contains(&yesterday) && minute < span.to;
            this_day || from_yesterday
        })
    }

    fn starts_on(&self, here: &ZonedDateTime, days_ahead: i32) -> Vec<ZonedDateTime> {
        let Ok(date) = here.date().checked_add(days_ahead.days()) else {
            return Vec::new();
        };
        let day = day_of(date.weekday());
        let of_day = self.spans.iter().filter(|span| span.days.contains(&day));
        // A start that the clocks skip in spring is the moment after the gap.
        of_day
            .filter_map(|span| {
                date.to_datetime(time(span.from)?)
                    .to_zoned_datetime(here.time_zone().clone())
                    .ok()
            })
            .collect()
    }
}

const fn day_of(day: Weekday) -> u8 {
    day.to_monday_zero_offset() as u8
}

fn time(minutes: u16) -> Option<Time> {
    Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()
}

impl Span {
    /// Reads `mon-fri 09:00-17:00` or `sat,sun 22:00-02:00`.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            "must be days and hours such as mon-fri 09:00-17:00 or sat,sun 10:00-24:00.".to_owned()
        })
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (days, hours) = text.split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (read_minutes(from)?, read_minutes(to)?);
        let mut read_days = Vec::new();
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (read_day(first)?, read_day(last)?);
            // `fri-mon` goes over the weekend.
            let count = (last + 7 - first) % 7;
            read_days.extend((0..=count).map(|step| (first + step) % 7));
        }
        read_days.sort_unstable();
        read_days.dedup();
        (from < DAY_MINUTES && from != to).then_some(Self {
            days: read_days,
            from,
            to,
        })
    }
}

fn read_day(text: &str) -> Option<u8> {
    DAYS.iter()
        .position(|day| *day == text)
        .and_then(|day| u8::try_from(day).ok())
}

fn read_minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2)
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = self
            .days
            .iter()
            .filter_map(|day| DAYS.get(usize::from(*day)).copied())
            .collect();
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(
            f,
            "{} {}-{}",
            days.join(","),
            clock(self.from),
            clock(self.to)
        )
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, spans: &[&str]) -> OpenHours {
        OpenHours {
            time_zone: zone.into(),
            spans: spans
                .iter()
                .map(|span| Span::parse(span).expect(span))
                .collect(),
        }
    }

    #[test]
    fn a_link_is_open_in_its_spans_and_says_when_it_opens() {
        // 2026-11-23 is a Monday.
        for (name, zone, spans, now, opens) in [
            (
                "in the span",
                "UTC",
                &["mon-fri 09:00-17:00"][..],
                "2026-11-23T12:00:00Z",
                None,
            ),
            (
                "its first moment",
                "UTC",
                &["mon 09:00-17:00"],
                "2026-11-23T09:00:00Z",
                None,
            ),
            (
                "its end",
                "UTC",
                &["mon 09:00-17:00"],
                "2026-11-23T17:00:00Z",
                Some("2026-11-30T09:00:00Z"),
            ),
            (
                "before it",
                "UTC",
                &["mon 09:00-17:00"],
                "2026-11-23T08:59:59Z",
                Some("2026-11-23T09:00:00Z"),
            ),
            (
                "on Friday evening",
                "UTC",
                &["mon-fri 09:00-17:00"],
                "2026-11-27T18:00:00Z",
                Some("2026-11-30T09:00:00Z"),
            ),
            (
                "the sooner of two",
                "UTC",
                &["sat 10:00-12:00", "tue 08:00-09:00"],
                "2026-11-23T12:00:00Z",
                Some("2026-11-24T08:00:00Z"),
            ),
            (
                "in another zone",
                "Europe/Berlin",
                &["mon 09:00-17:00"],
                "2026-11-23T08:00:00Z",
                None,
            ),
            (
                "later in that zone",
                "Europe/Berlin",
                &["mon 09:00-17:00"],
                "2026-11-23T16:00:00Z",
                Some("2026-11-30T08:00:00Z"),
            ),
            (
                "over midnight, before",
                "UTC",
                &["mon 22:00-02:00"],
                "2026-11-23T23:00:00Z",
                None,
            ),
            (
                "over midnight, after",
                "UTC",
                &["mon 22:00-02:00"],
                "2026-11-24T01:59:00Z",
                None,
            ),
            (
                "over midnight, over",
                "UTC",
                &["mon 22:00-02:00"],
                "2026-11-24T02:00:00Z",
                Some("2026-11-30T22:00:00Z"),
            ),
            (
                "to the end of the day",
                "UTC",
                &["mon 20:00-24:00"],
                "2026-11-23T23:59:59Z",
                None,
            ),
            (
                "when clocks skip the start",
                "Europe/Berlin",
                &["sun 02:30-05:00"],
                "2027-03-28T00:00:00Z",
                Some("2027-03-28T01:30:00Z"),
            ),
            (
                "a zone that nobody knows",
                "Mars/Olympus",
                &["mon 09:00-17:00"],
                "2026-11-23T12:00:00Z",
                None,
            ),
        ] {
            let at = |text: &str| Timestamp::parse(text).expect("a time");
            assert_eq!(
                hours(zone, spans).opens_at(at(now)),
                opens.map(at),
                "{name}"
            );
        }
    }

    #[test]
    fn a_span_reads_back_and_nonsense_is_refused() {
        for (text, written) in [
            ("mon-fri 09:00-17:00", "mon,tue,wed,thu,fri 09:00-17:00"),
            ("Sat,Sun 10:00-24:00", "sat,sun 10:00-24:00"),
            ("fri-mon 22:00-02:00", "mon,fri,sat,sun 22:00-02:00"),
        ] {
            assert_eq!(Span::parse(text).expect(text).to_string(), written);
        }
        for text in [
            "",
            "mon",
            "mon 9-17",
            "mon 09:00",
            "foo 09:00-17:00",
            "mon 24:00-25:00",
            "mon 09:60-10:00",
            "mon 09:00-09:00",
            "mon 24:00-09:00",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_zones_are_read_by_name() {
        assert_eq!(
            OpenHours::read_time_zone("Europe/Berlin"),
            Ok("Europe/Berlin".into())
        );
        for name in ["", "Berlin", "../etc/passwd", "UTC+1"] {
            assert!(OpenHours::read_time_zone(name).is_err(), "{name}");
        }
    }
}
