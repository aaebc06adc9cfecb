//! Owns how what became of claims is drawn: launches and refusals by reason, start times, places
//! left. Must not know how anything is counted.

use casting_core::History;
use casting_core::denial::DenialCode;
use casting_core::hourly_stats::{HourlyStats, START_BOUNDS};
use casting_core::time::Timestamp;

use super::chart::{Chart, Label, Series, Shape};
use super::time_format::{grouped, length};
use super::zone::Zone;

/// How many reasons have a colour of their own; the rest is one.
const REASONS: usize = 4;
/// Up to so many hours, hours are drawn.
const HOURS_AS_HOURS: usize = 50;
/// Up to so many hours, quarters of a day are drawn; then days.
const HOURS_AS_QUARTERS: usize = 8 * 24 + 1;

/// The time as it is drawn: hours, quarters of days, or days, each with its label.
struct Steps {
    axis: String,
    steps: Vec<(Label, HourlyStats)>,
}

impl Steps {
    /// The hours of this time in steps of the zone; no step is left out.
    fn of(history: &History, zone: &Zone) -> Self {
        let count = history.hours.len();
        let (what, short, long) = if count <= HOURS_AS_HOURS {
            ("Hour", "%H:%M", "%a %-d %b, %H:%M")
        } else if count <= HOURS_AS_QUARTERS {
            ("From", "%a %-d", "%a %-d %b, %H:%M")
        } else {
            ("Day", "%-d %b", "%a %-d %b %Y")
        };
        let mut steps: Vec<(String, Label, HourlyStats)> = Vec::new();
        for (hour, counts) in &history.hours {
            let at = Timestamp::from_millis(hour * 1000);
            let step = match what {
                "Hour" => hour.to_string(),
                "From" => {
                    let hour: u32 = zone.spell(at, "%H").parse().unwrap_or_default();
                    format!("{} {}", zone.spell(at, "%F"), hour / 6)
                }
                _ => zone.spell(at, "%F"),
            };
            match steps.last_mut().filter(|(known, ..)| *known == step) {
                Some((_, _, sum)) => sum.add(counts),
                None => {
                    let label = Label {
                        short: zone.spell(at, short),
                        long: zone.spell(at, long),
                    };
                    steps.push((step, label, counts.clone()));
                }
            }
        }
        let steps = steps.into_iter().map(|(_, label, counts)| (label, counts));
        Self {
            axis: format!("{what} ({})", zone.name()),
            steps: steps.collect(),
        }
    }

    fn labels(&self) -> Vec<Label> {
        self.steps.iter().map(|(label, _)| label.clone()).collect()
    }

    fn series(&self, name: impl Into<String>, value: impl Fn(&HourlyStats) -> f64) -> Series {
        self.sparse(name, |counts| Some(value(counts)))
    }

    fn sparse(
        &self,
        name: impl Into<String>,
        value: impl Fn(&HourlyStats) -> Option<f64>,
    ) -> Series {
        Series {
            name: name.into(),
            values: self.steps.iter().map(|(_, counts)| value(counts)).collect(),
        }
    }

    /// The same of the period before, step by step beside these.
    fn before(
        &self,
        before: Option<&History>,
        zone: &Zone,
        name: &str,
        value: impl Fn(&HourlyStats) -> Option<f64>,
    ) -> Option<Series> {
        let steps = Self::of(before?, zone);
        let mut series = steps.sparse(name, value);
        series.values.resize(self.steps.len(), None);
        Some(series)
    }
}

/// What is shown of a time: its history, that of the period before, and in whose time zone.
#[derive(Clone, Copy)]
pub struct ChartInput<'a> {
    /// The outcomes of claims.
    pub history: &'a History,
    /// The same of the period before, if it is compared.
    pub before: Option<&'a History>,
    /// The time zone of the axis.
    pub zone: &'a Zone,
}

impl ChartInput<'_> {
    fn steps(&self) -> Steps {
        Steps::of(self.history, self.zone)
    }

    /// A number, with that of the period before.
    fn beside(&self, words: &str, of: impl Fn(&HourlyStats) -> u64) -> String {
        let now = grouped(of(&self.history.total()));
        match self.before.map(|before| of(&before.total())) {
            Some(before) => format!("{now} {words} ({} before)", grouped(before)),
            None => format!("{now} {words}"),
        }
    }
}

/// Sessions that were launched, and visitors who were refused, by reason.
pub fn launches(input: &ChartInput<'_>) -> Chart {
    let (steps, total) = (input.steps(), input.history.total());
    let mut reasons: Vec<(&String, u64)> = total
        .refused
        .iter()
        .map(|(code, count)| (code, *count))
        .collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut series = vec![steps.series("Launched", |hour| hour.launched as f64)];
    for (code, _) in reasons.iter().take(REASONS) {
        series.push(steps.series(reason(code), |hour| {
            hour.refused.get(*code).copied().unwrap_or_default() as f64
        }));
    }
    let others: Vec<&String> = reasons
        .iter()
        .skip(REASONS)
        .map(|(code, _)| *code)
        .collect();
    if !others.is_empty() {
        let sum = |hour: &HourlyStats| {
            others
                .iter()
                .filter_map(|code| hour.refused.get(*code))
                .sum::<u64>() as f64
        };
        series.push(steps.series("Other reasons", sum));
    }
    let partial = if input.history.is_partial {
        " Incomplete: too many claims to count now."
    } else {
        ""
    };
    let summary = format!(
        "{}, {}, {}.{partial}",
        input.beside("launched", |total| total.launched),
        input.beside("refunded", |total| total.refunded),
        input.beside("refused", HourlyStats::refused_in_all)
    );
    let before = steps.before(input.before, input.zone, "Launched before", |hour| {
        Some(hour.launched as f64)
    });
    Chart {
        title: "Launches and refusals".into(),
        summary,
        labels: steps.labels(),
        axis: steps.axis,
        unit: "",
        series,
        before,
        shape: Shape::Bars,
    }
}

/// How long visitors waited from the click to the session: the median and the 95th percentile of
/// each step in which sessions started.
pub fn starts(input: &ChartInput<'_>) -> Chart {
    let (steps, total) = (input.steps(), input.history.total());
    let summary = match (within(&total, 50), within(&total, 95)) {
        (Some(half), Some(most)) => {
            format!("50 % ready within {half}, 95 % within {most}.")
        }
        _ => String::new(),
    };
    let of = |percent: u64| {
        move |hour: &HourlyStats| {
            let millis = hour.start_percentile_millis(percent)?;
            Some(millis as f64 / 1000.0)
        }
    };
    let series = vec![
        steps.sparse("Median", of(50)),
        steps.sparse("95th percentile", of(95)),
    ];
    Chart {
        title: "Time from click to session".into(),
        summary,
        labels: steps.labels(),
        before: steps.before(input.before, input.zone, "Median before", of(50)),
        axis: steps.axis,
        unit: "s",
        series,
        shape: Shape::Lines,
    }
}

/// What the sessions cost that were claimed in each step.
pub fn costs(input: &ChartInput<'_>) -> Chart {
    let steps = input.steps();
    let dollars = |hour: &HourlyStats| hour.cost_micros as f64 / 1_000_000.0;
    let total = dollars(&input.history.total());
    let before = input.before.map(|before| dollars(&before.total()));
    let before = before.map_or_else(String::new, |before| format!(" (${before:.2} before)"));
    let summary = format!(
        "${total:.2}{before} at list price, for all of their time; those that live, so far."
    );
    Chart {
        title: "Cost of the sessions claimed".into(),
        summary,
        labels: steps.labels(),
        before: steps.before(input.before, input.zone, "Cost before", |hour| {
            Some(dollars(hour))
        }),
        series: vec![steps.series("Cost", dollars)],
        axis: steps.axis,
        unit: "$",
        shape: Shape::Lines,
    }
}

/// The bound that so many in a hundred starts stay below, in words.
fn within(total: &HourlyStats, percent: u64) -> Option<String> {
    let wanted = (total.started() * percent).div_ceil(100).max(1);
    let mut seen = 0;
    let at = total.starts.iter().position(|count| {
        seen += count;
        seen >= wanted
    })?;
    Some(START_BOUNDS.get(at).map_or_else(
        || "more than 5 min".to_owned(),
        |bound| length(u64::from(*bound)),
    ))
}

/// How many places were left at the end of each step. They follow from how many are left now and
/// what was launched since, which holds from the last change of the cast on: `since`.
pub fn places(input: &ChartInput<'_>, left_now: u64, since: Timestamp) -> Chart {
    let steps = input.steps();
    let mut left = left_now as f64;
    let mut values: Vec<Option<f64>> = Vec::new();
    for (_, counts) in steps.steps.iter().rev() {
        values.push(Some(left));
        left += counts.launched.saturating_sub(counts.refunded) as f64;
    }
    values.reverse();
    // Hours are exact; a longer step in which the cast was changed is drawn whole.
    if steps.steps.len() == input.history.hours.len() {
        for (value, (hour, _)) in values.iter_mut().zip(&input.history.hours) {
            if *hour + 3600 <= since.seconds() {
                *value = None;
            }
        }
    }
    let series = vec![Series {
        name: "Left".into(),
        values,
    }];
    Chart {
        title: "Sessions remaining".into(),
        summary: format!("{} remaining now.", grouped(left_now)),
        labels: steps.labels(),
        axis: steps.axis,
        unit: "",
        series,
        before: None,
        shape: Shape::Lines,
    }
}

/// A refusal's code in words.
pub fn reason(code: &str) -> String {
    DenialCode::parse(code).map_or_else(|| code.to_owned(), |code| code.title().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::NOON;

    fn history(hours: i64) -> History {
        let hour = |at: i64| {
            let refused = [
                ("ip-limit", 5),
                ("referrer-denied", 4),
                ("cast-busy", 3),
                ("busy", 2),
                ("fault", 1),
                ("maintenance", 1),
            ];
            let refused = refused.map(|(code, count)| (code.to_owned(), count)).into();
            let counts = HourlyStats {
                launched: 3,
                served: 2,
                refunded: 1,
                refused,
                starts: vec![0, 1, 0, 0, 1],
                start_millis: 12_000,
                cost_micros: 250_000,
                live: 0,
            };
            (NOON.seconds() + at * 3600, counts)
        };
        History {
            hours: (0..hours).map(hour).collect(),
            is_partial: false,
        }
    }

    fn input<'a>(history: &'a History, zone: &'a Zone) -> ChartInput<'a> {
        ChartInput {
            history,
            before: None,
            zone,
        }
    }

    fn values(series: &Series) -> Vec<f64> {
        series.values.iter().flatten().copied().collect()
    }

    #[test]
    fn most_frequent_refusals_are_listed_and_the_rest_summed() {
        let (hours, utc) = (history(3), Zone::default());
        let chart = launches(&input(&hours, &utc));
        let names: Vec<&str> = chart
            .series
            .iter()
            .map(|series| series.name.as_str())
            .collect();
        assert_eq!(
            (names.len(), names[0], names[1], names[5]),
            (
                6,
                "Launched",
                "Too many sessions from your network",
                "Other reasons"
            )
        );
        assert_eq!(values(&chart.series[5]), [2.0, 2.0, 2.0]);
        assert_eq!(chart.summary, "9 launched, 3 refunded, 48 refused.");
        let labels: Vec<&str> = chart
            .labels
            .iter()
            .map(|label| label.short.as_str())
            .collect();
        assert_eq!(labels, ["12:00", "13:00", "14:00"]);
        assert_eq!(chart.before, None);
        let compared = launches(&ChartInput {
            before: Some(&hours),
            ..input(&hours, &utc)
        });
        assert_eq!(
            compared.summary,
            "9 launched (9 before), 3 refunded (3 before), 48 refused (48 before)."
        );
        assert_eq!(values(&compared.before.expect("a line")), [3.0, 3.0, 3.0]);
    }

    #[test]
    fn axis_is_continuous_in_the_zone_of_the_administrator() {
        for (hours, zone, axis, count, first) in [
            (24, "UTC", "Hour (UTC)", 24, "Mon 23 Nov, 12:00"),
            (
                24,
                "Asia/Kolkata",
                "Hour (Asia/Kolkata)",
                24,
                "Mon 23 Nov, 17:30",
            ),
            (
                24 * 7,
                "Europe/Berlin",
                "From (Europe/Berlin)",
                29,
                "Mon 23 Nov, 13:00",
            ),
            (
                24 * 30,
                "Europe/Berlin",
                "Day (Europe/Berlin)",
                31,
                "Mon 23 Nov 2026",
            ),
        ] {
            let (mut history, zone) = (history(hours), Zone::named(zone).expect("a zone"));
            // Most hours are empty, and stand there all the same.
            for (at, (_, counts)) in history.hours.iter_mut().enumerate() {
                if at > 0 {
                    *counts = HourlyStats::default();
                }
            }
            let charts = [
                launches(&input(&history, &zone)),
                starts(&input(&history, &zone)),
                costs(&input(&history, &zone)),
            ];
            for chart in charts {
                assert_eq!(
                    (
                        chart.axis.as_str(),
                        chart.labels.len(),
                        chart.labels[0].long.as_str()
                    ),
                    (axis, count, first),
                    "{}",
                    chart.title
                );
                let lengths = chart.series.iter().map(|series| series.values.len());
                assert!(lengths.into_iter().all(|length| length == count));
            }
        }
    }

    #[test]
    fn remaining_sessions_are_reconstructed_backwards() {
        let (hours, utc) = (history(3), Zone::default());
        let left = |since| {
            places(&input(&hours, &utc), 10, since).series[0]
                .values
                .clone()
        };
        assert_eq!(left(NOON), [Some(14.0), Some(12.0), Some(10.0)]);
        assert_eq!(
            left(NOON.plus_seconds(3700)),
            [None, Some(12.0), Some(10.0)]
        );
    }

    #[test]
    fn start_times_are_drawn_as_median_and_95th_percentile() {
        let (mut hours, utc) = (history(2), Zone::default());
        hours.hours[1].1 = HourlyStats::default();
        let chart = starts(&input(&hours, &utc));
        assert_eq!(chart.summary, "50 % ready within 2 s, 95 % within 20 s.");
        let drawn: Vec<(&str, &[Option<f64>])> = chart
            .series
            .iter()
            .map(|series| (series.name.as_str(), series.values.as_slice()))
            .collect();
        assert_eq!(
            drawn,
            [
                ("Median", &[Some(2.0), None][..]),
                ("95th percentile", &[Some(19.0), None][..])
            ]
        );
        let none = History {
            hours: Vec::new(),
            is_partial: false,
        };
        assert_eq!(starts(&input(&none, &utc)).summary, "");
    }

    #[test]
    fn cost_is_summed_and_compared() {
        let (hours, utc) = (history(3), Zone::default());
        let chart = costs(&ChartInput {
            before: Some(&hours),
            ..input(&hours, &utc)
        });
        assert!(
            chart
                .summary
                .starts_with("$0.75 ($0.75 before) at list price"),
            "{}",
            chart.summary
        );
    }
}
