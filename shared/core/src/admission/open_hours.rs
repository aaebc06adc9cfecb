//! Owns open hours: when in the week a link gives sessions, in a time zone of its own. Must not
//! know what happens outside of them.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The most spans that one link may have.
pub const MAX_SPANS: usize = 20;

/// For how many weeks the next opening is looked for: the clocks may skip a span in some of them.
const WEEKS_AHEAD: i32 = 8;

/// When in the week a link is open: whenever the clocks of its time zone show a time of its plan. A
/// time that they skip in spring does not come, and one that they show twice in autumn comes twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHours {
    /// The name of a time zone, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Open in any of these; never empty.
    pub spans: Vec<Span>,
}

/// One span of a weekly plan, such as `mon-fri 09:00-17:00`. A span whose end is not after its
/// start goes on into the next day; `24:00` is the end of the day.
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

    /// Whether the link is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        jiff::Timestamp::from_millisecond(now.millis())
            .is_ok_and(|now| self.covers(self.zone().to_datetime(now)))
    }

    /// When a link that is closed at `now` opens next; `None` when it does not within
    /// `WEEKS_AHEAD` weeks.
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = self.zone();
        let now = jiff::Timestamp::from_millisecond(now.millis()).ok()?;
        let today = zone.to_datetime(now).date();
        let opens = |week: i32| {
            let days = (week * 7 - 1)..=(week * 7 + 8);
            let last = today.checked_add(days.end().days()).ok()?;
            let starts = days
                .filter_map(|ahead| today.checked_add(ahead.days()).ok())
                .flat_map(|date| self.starts_on(date, &zone));
            // Where the clocks change, they may leap into a span.
            let leaps = zone
                .following(now)
                .map(|change| change.timestamp())
                .take_while(|change| zone.to_datetime(*change).date() <= last);
            starts
                .chain(leaps)
                .filter(|time| *time > now && self.covers(zone.to_datetime(*time)))
                .min()
        };
        let next = (0..WEEKS_AHEAD).find_map(opens)?;
        Some(Timestamp::from_millis(next.as_millisecond()))
    }

    /// A zone that this build does not know (any more) counts as UTC, so that a link never opens by
    /// accident of an update.
    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// A time as visitors read it, in the link's own zone: `Thu 26 Nov, 09:00 (Europe/Berlin)`.
    pub fn spell(&self, time: Timestamp) -> String {
        let parsed = jiff::Timestamp::from_millisecond(time.millis())
            .map(|time| time.to_zoned_datetime(self.zone()));
        parsed.map_or_else(
            |_| time.to_string(),
            |time| format!("{} ({})", time.strftime("%a %-d %b, %H:%M"), self.time_zone),
        )
    }

    /// Whether the plan holds what the clocks show.
    fn covers(&self, here: DateTime) -> bool {
        let minute = here.hour() as u16 * 60 + here.minute() as u16;
        let (today, yesterday) = (day_of(here.weekday()), (day_of(here.weekday()) + 6) % 7);
        self.spans.iter().any(|span| {
            let over_night = span.to <= span.from;
            let until = if over_night { DAY_MINUTES } else { span.to };
            let this_day = span.days.contains(&today) && (span.from..until).contains(&minute);
            let from_yesterday = over_night && span.days.contains(&yesterday) && minute < span.to;
            this_day || from_yesterday
        })
    }

    /// The times around which the clocks show the beginnings of that day's spans: two where they
    /// show them twice, or skip them.
    fn starts_on(&self, date: Date, zone: &TimeZone) -> Vec<jiff::Timestamp> {
        let day = day_of(date.weekday());
        let of_day = self.spans.iter().filter(|span| span.days.contains(&day));
        of_day
            .filter_map(|span| Some(date.to_datetime(time(span.from)?)))
            .map(|start| zone.to_ambiguous_timestamp(start))
            .flat_map(|start| [start.earlier(), start.later()])
            .filter_map(Result::ok)
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
    fn schedule_is_open_in_its_spans_and_gives_next_opening() {
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
                "clocks skip the start",
                "Europe/Berlin",
                &["sun 02:30-05:00"],
                "2027-03-28T00:59:59Z",
                Some("2027-03-28T01:00:00Z"),
            ),
            (
                "clocks skip all of it",
                "Europe/Berlin",
                &["sun 02:15-02:45"],
                "2027-03-28T00:30:00Z",
                Some("2027-04-04T00:15:00Z"),
            ),
            (
                "the hour after is no part of it",
                "Europe/Berlin",
                &["sun 02:15-02:45"],
                "2027-03-28T01:20:00Z",
                Some("2027-04-04T00:15:00Z"),
            ),
            (
                "clocks show it twice, between",
                "Europe/Berlin",
                &["sun 02:15-02:45"],
                "2027-10-31T00:50:00Z",
                Some("2027-10-31T01:15:00Z"),
            ),
            (
                "clocks show it twice, second",
                "Europe/Berlin",
                &["sun 02:15-02:45"],
                "2027-10-31T01:30:00Z",
                None,
            ),
            (
                "clocks go back into the span",
                "Europe/Berlin",
                &["sun 02:00-02:30"],
                "2027-10-31T00:45:00Z",
                Some("2027-10-31T01:00:00Z"),
            ),
            (
                "half an hour is skipped",
                "Australia/Lord_Howe",
                &["sun 02:10-02:20", "mon 02:10-02:20"],
                "2027-10-02T15:00:00Z",
                Some("2027-10-03T15:10:00Z"),
            ),
            (
                "midnight is skipped",
                "Africa/Cairo",
                &["fri 00:00-00:30", "fri 12:00-13:00"],
                "2027-04-29T21:00:00Z",
                Some("2027-04-30T09:00:00Z"),
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
            let (hours, now) = (hours(zone, spans), at(now));
            assert_eq!(hours.is_open(now), opens.is_none(), "{name}");
            if opens.is_some() {
                assert_eq!(hours.next_opening(now), opens.map(at), "{name}");
            }
        }
    }

    #[test]
    fn schedule_is_closed_at_the_maximum_time() {
        let always = hours("UTC", &["mon-sun 00:00-24:00"]);
        let never = Timestamp::from_millis(i64::MAX);
        assert_eq!(
            (always.is_open(never), always.next_opening(never)),
            (false, None)
        );
    }

    /// Reads the plan once more, as a table of the week's minutes, and asks it minute by minute.
    fn first_open_minute(spans: &[(u8, u16, u16)], zone: &TimeZone, now: i64) -> Option<i64> {
        let mut week = [false; 7 * 1440];
        for (day, from, to) in spans {
            let length = (to + 1440 - from - 1) % 1440 + 1;
            for step in 0..length {
                week[(usize::from(*day) * 1440 + usize::from(from + step)) % week.len()] = true;
            }
        }
        (now..now + 20 * 1440).find(|minute| {
            let time = jiff::Timestamp::from_second(minute * 60).expect("in range");
            let here = zone.to_datetime(time);
            let day = here.weekday().to_monday_zero_offset() as usize;
            week[day * 1440 + here.hour() as usize * 60 + here.minute() as usize]
        })
    }

    #[test]
    fn openings_agree_with_minute_scan_around_dst_changes() {
        let mut random = fastrand::Rng::with_seed(21);
        let zones = [
            "Africa/Cairo",
            "Africa/Casablanca",
            "America/Asuncion",
            "America/Havana",
            "America/New_York",
            "America/Nuuk",
            "America/Santiago",
            "America/Sao_Paulo",
            "America/St_Johns",
            "Antarctica/Troll",
            "Asia/Amman",
            "Asia/Beirut",
            "Asia/Gaza",
            "Asia/Jerusalem",
            "Asia/Kathmandu",
            "Asia/Tehran",
            "Atlantic/Azores",
            "Australia/Lord_Howe",
            "Australia/Sydney",
            "Europe/Berlin",
            "Europe/Dublin",
            "Europe/London",
            "Pacific/Apia",
            "Pacific/Auckland",
            "Pacific/Chatham",
            "Pacific/Kiritimati",
            "UTC",
        ];
        let mut compared = 0;
        for zone_name in zones {
            let zone = TimeZone::get(zone_name).expect(zone_name);
            for year in [1995_i16, 2011, 2018, 2027, 2036] {
                let january = jiff::civil::date(year, 1, 1)
                    .to_zoned_datetime(TimeZone::UTC)
                    .expect("a date")
                    .timestamp();
                let mut changes: Vec<i64> = zone
                    .following(january)
                    .take(2)
                    .map(|change| change.timestamp().as_second() / 60)
                    .collect();
                changes.push(january.as_second() / 60 + random.i64(0..525_600));
                for change in changes {
                    let around = |minutes: i64| {
                        let time = jiff::Timestamp::from_second((change + minutes) * 60);
                        zone.to_datetime(time.expect("in range"))
                    };
                    let spans: Vec<(u8, u16, u16)> = (0..random.usize(1..=2))
                        .map(|_| {
                            let start = around(random.i64(-90..90));
                            let from = start.hour() as u16 * 60 + start.minute() as u16;
                            let length = [1, 10, 30, 60, 90, 600, 1380][random.usize(0..7)];
                            (day_of(start.weekday()), from, (from + length) % 1440)
                        })
                        .collect();
                    let hours = OpenHours {
                        time_zone: zone_name.into(),
                        spans: spans
                            .iter()
                            .map(|(day, from, to)| Span {
                                days: vec![*day],
                                from: *from,
                                to: *to,
                            })
                            .collect(),
                    };
                    let now = change + random.i64(-1000..300);
                    let time = Timestamp::from_millis(now * 60_000);
                    let expected = first_open_minute(&spans, &zone, now);
                    let said = format!("{zone_name} {spans:?} at {time}");
                    assert_eq!(hours.is_open(time), expected == Some(now), "{said}");
                    if !hours.is_open(time) {
                        let opens = expected.map(|minute| Timestamp::from_millis(minute * 60_000));
                        assert_eq!(hours.next_opening(time), opens, "{said}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 200, "{compared} openings");
    }

    #[test]
    fn span_round_trips_and_invalid_text_is_refused() {
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
    fn time_zones_are_parsed_by_name() {
        assert_eq!(
            OpenHours::read_time_zone("Europe/Berlin"),
            Ok("Europe/Berlin".into())
        );
        for name in ["", "Berlin", "../etc/passwd", "UTC+1"] {
            assert!(OpenHours::read_time_zone(name).is_err(), "{name}");
        }
    }
}
