//! Owns how what became of claims is drawn: launches and refusals by reason, start times, places
//! left. Must not know how anything is counted.

use std::collections::BTreeMap;

use casting_core::History;
use casting_core::denial::DenialCode;
use casting_core::hourly_stats::{HourlyStats, START_BOUNDS};
use casting_core::time::Timestamp;

use super::chart::{Chart, Series, Shape};
use super::time_format::{grouped, length, spell};

/// How many reasons have a colour of their own; the rest is one.
const REASONS: usize = 4;
/// From so many hours on, days are drawn.
const HOURS_AS_HOURS: usize = 50;

/// The time as it is drawn: hours, or days of them, each with its label.
struct Steps {
    axis: &'static str,
    steps: Vec<(String, HourlyStats)>,
}

impl Steps {
    fn of(history: &History) -> Self {
        let label = |hour: i64, format: &str| spell(Timestamp::from_millis(hour * 1000), format);
        if history.hours.len() <= HOURS_AS_HOURS {
            let steps = history
                .hours
                .iter()
                .map(|(hour, counts)| (label(*hour, "%H:%M"), counts.clone()))
                .collect();
            return Self {
                axis: "Hour (UTC)",
                steps,
            };
        }
        let mut days: BTreeMap<i64, HourlyStats> = BTreeMap::new();
        for (hour, counts) in &history.hours {
            days.entry(hour.div_euclid(86_400) * 86_400)
                .or_default()
                .add(counts);
        }
        Self {
            axis: "Day (UTC)",
            steps: days
                .iter()
                .map(|(day, counts)| (label(*day, "%-d %b"), counts.clone()))
                .collect(),
        }
    }

    fn labels(&self) -> Vec<String> {
        self.steps.iter().map(|(label, _)| label.clone()).collect()
    }

    fn series(&self, name: impl Into<String>, value: impl Fn(&HourlyStats) -> f64) -> Series {
        Series {
            name: name.into(),
            values: self.steps.iter().map(|(_, counts)| value(counts)).collect(),
        }
    }
}

/// Sessions that were launched, and visitors who were refused, by reason.
pub fn launches(history: &History) -> Chart {
    let (steps, total) = (Steps::of(history), history.total());
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
    let partial = if history.is_partial {
        " Incomplete: too many claims to count now."
    } else {
        ""
    };
    let summary = format!(
        "{} launched, {} refunded, {} refused.{partial}",
        grouped(total.launched),
        grouped(total.refunded),
        grouped(total.refused_in_all())
    );
    let (labels, axis) = (steps.labels(), steps.axis);
    Chart {
        title: "Launches and refusals".into(),
        summary,
        labels,
        axis,
        unit: "",
        series,
        shape: Shape::Bars,
    }
}

/// How long visitors waited from the click to the session, in those hours in which sessions
/// started.
pub fn starts(history: &History) -> Chart {
    let (mut steps, total) = (Steps::of(history), history.total());
    steps.steps.retain(|(_, counts)| counts.started() > 0);
    let summary = match (within(&total, 50), within(&total, 95)) {
        (Some(half), Some(most)) => {
            format!("50 % ready within {half}, 95 % within {most}.")
        }
        _ => String::new(),
    };
    let series = vec![steps.series("Mean", |hour| {
        hour.mean_start_millis().unwrap_or_default() as f64 / 1000.0
    })];
    let (labels, axis) = (steps.labels(), steps.axis);
    Chart {
        title: "Time from click to session".into(),
        summary,
        labels,
        axis,
        unit: "s",
        series,
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
pub fn places(history: &History, left_now: u64, since: Timestamp) -> Chart {
    let steps = Steps::of(history);
    let mut left = left_now as f64;
    let mut values: Vec<f64> = Vec::new();
    for (_, counts) in steps.steps.iter().rev() {
        values.push(left);
        left += counts.launched.saturating_sub(counts.refunded) as f64;
    }
    values.reverse();
    let mut labels = steps.labels();
    if steps.axis.starts_with("Hour") {
        let first = history
            .hours
            .iter()
            .position(|(hour, _)| *hour + 3600 > since.seconds())
            .unwrap_or_default();
        values = values.split_off(first.min(values.len()));
        labels = labels.split_off(first.min(labels.len()));
    }
    let summary = format!("{} remaining now.", grouped(left_now));
    let series = vec![Series {
        name: "Left".into(),
        values,
    }];
    Chart {
        title: "Sessions remaining".into(),
        summary,
        labels,
        axis: steps.axis,
        unit: "",
        series,
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
            };
            (NOON.seconds() + at * 3600, counts)
        };
        History {
            hours: (0..hours).map(hour).collect(),
            is_partial: false,
        }
    }

    #[test]
    fn most_frequent_refusals_are_listed_and_the_rest_summed() {
        let chart = launches(&history(3));
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
        assert_eq!(chart.series[5].values, [2.0, 2.0, 2.0]);
        assert_eq!(chart.summary, "9 launched, 3 refunded, 48 refused.");
        assert_eq!(chart.labels, ["12:00", "13:00", "14:00"]);
    }

    #[test]
    fn long_ranges_are_charted_by_day() {
        let chart = launches(&history(24 * 7));
        assert_eq!(
            (chart.axis, chart.labels.len(), chart.labels[0].as_str()),
            ("Day (UTC)", 8, "23 Nov")
        );
        assert_eq!(chart.series[0].values.iter().sum::<f64>(), 504.0);
    }

    #[test]
    fn remaining_sessions_are_reconstructed_backwards() {
        assert_eq!(
            places(&history(3), 10, NOON).series[0].values,
            [14.0, 12.0, 10.0]
        );
        assert_eq!(
            places(&history(3), 10, NOON.plus_seconds(3700)).series[0].values,
            [12.0, 10.0]
        );
    }

    #[test]
    fn start_times_are_shown_as_upper_bounds() {
        let chart = starts(&history(2));
        assert_eq!(chart.summary, "50 % ready within 2 s, 95 % within 20 s.");
        assert_eq!(chart.series[0].values, [6.0, 6.0]);
        assert_eq!(
            starts(&History {
                hours: Vec::new(),
                is_partial: false
            })
            .summary,
            ""
        );
    }
}
