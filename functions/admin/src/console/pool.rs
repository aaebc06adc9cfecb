//! Owns how a pool's state is shown: in words, in figures, over time, and session by session. Must
//! not know how a pool is filled.

use askama::Template;
use casting_core::PoolView;
use casting_core::pool_history::{PoolSpan, SPAN_SECONDS};
use casting_core::staging::StagingSettings;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::chart::{Chart, Label, Series, Shape};
use super::page_context::{PageContext, Severity};
use super::sessions::sessions_table;
use super::shown;
use super::table::{Badge, Empty, Table};
use super::time_format::grouped;
use super::zone::Zone;
use casting_core::admin::pools::Numbers;

/// How much time is drawn, in seconds.
const DRAWN_SECONDS: i64 = 2 * 86_400;

#[derive(Template)]
#[template(path = "console/pool.html")]
struct Main {
    state: String,
    badge: Badge,
    pause: Option<String>,
    figures: Vec<(&'static str, String, String)>,
    charts: [Chart; 3],
    table: Table,
}

/// The state of a pool, to stand over its form; `waiting` are its sessions as the API shows them.
pub fn state(
    context: &PageContext,
    settings: &StagingSettings,
    pool: &PoolView,
    waiting: &[Value],
) -> String {
    let numbers = Numbers::of(pool);
    let table = Table {
        empty: Empty::words(
            "No waiting sessions",
            "Sessions started in advance are listed here until a visitor gets one.",
        ),
        ..sessions_table(context, waiting, "Waiting sessions")
    };
    shown(&Main {
        state: words(pool, numbers),
        badge: badge(pool, numbers),
        pause: pause(pool, &context.zone),
        figures: figures(settings, pool, numbers),
        charts: charts(pool, numbers, &context.zone),
        table,
    })
}

/// Where the pool stands, in a sentence.
pub(crate) fn words(pool: &PoolView, numbers: Numbers) -> String {
    let starting = if numbers.starting > 0 {
        format!(", {} starting", grouped(numbers.starting))
    } else {
        String::new()
    };
    match pool.plan.rest {
        Some(rest) => format!("The pool is paused. {}", rest.sentence()),
        None => format!(
            "{} of {} ready{starting}.",
            grouped(numbers.ready),
            grouped(u64::from(pool.plan.wanted))
        ),
    }
}

/// The same, in a word.
pub(crate) fn badge(pool: &PoolView, numbers: Numbers) -> Badge {
    match () {
        () if pool.plan.rest.is_some() => Badge::new(Severity::Plain, "Paused"),
        () if numbers.ready >= u64::from(pool.plan.wanted) => Badge::new(Severity::Good, "Full"),
        () if pool.plan.paused_until.is_some() => Badge::new(Severity::Bad, "Paused"),
        () => Badge::new(Severity::Warn, "Filling"),
    }
}

/// The notice that the pool pauses after failed starts.
fn pause(pool: &PoolView, zone: &Zone) -> Option<String> {
    let (until, since) = (pool.plan.paused_until?, pool.log.failed_at?);
    let clock = |at: Timestamp| zone.spell(at, "%H:%M:%S %Z");
    let why = pool
        .log
        .refusal
        .as_deref()
        .unwrap_or_default()
        .trim_end_matches('.');
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    Some(format!(
        "The last start failed at {}{why}. The next try is at {}.",
        clock(since),
        clock(until)
    ))
}

fn figures(
    settings: &StagingSettings,
    pool: &PoolView,
    numbers: Numbers,
) -> Vec<(&'static str, String, String)> {
    let dash = || "\u{2013}".to_owned();
    let rate = numbers
        .hit_rate()
        .map_or_else(dash, |rate| format!("{:.0}\u{202f}%", rate * 100.0));
    let visitors = numbers.assigned + numbers.missed;
    let spent = pool
        .hour_micros
        .map_or_else(dash, |_| dollars(pool.log.spent_today(pool.at)));
    let budget = settings
        .daily_budget_cents
        .map(|cents| format!("of {}", dollars(u64::from(cents) * 10_000)))
        .unwrap_or_default();
    let hour = pool
        .hour_micros
        .map(|micros| dollars(micros * u64::from(settings.desired_sessions)))
        .unwrap_or_else(dash);
    vec![
        (
            "Ready",
            grouped(numbers.ready),
            format!("of {}", grouped(u64::from(pool.plan.wanted))),
        ),
        ("Starting", grouped(numbers.starting), String::new()),
        (
            "Served instantly, 24 h",
            rate,
            if visitors > 0 {
                format!("of {}", grouped(visitors))
            } else {
                String::new()
            },
        ),
        ("Spent today", spent, budget),
        ("Cost per hour, when full", hour, String::new()),
    ]
}

/// Millionths of a dollar as people write them.
fn dollars(micros: u64) -> String {
    format!("${:.2}", micros as f64 / 1_000_000.0)
}

/// What was ready and starting, whom it served, and how often it could, by the hour.
fn charts(pool: &PoolView, numbers: Numbers, zone: &Zone) -> [Chart; 3] {
    let hours = hours(&whole(pool, numbers));
    let series = |name: &str, value: fn(&PoolSpan) -> u32| Series {
        name: name.to_owned(),
        values: hours
            .iter()
            .map(|hour| Some(f64::from(value(hour))))
            .collect(),
    };
    let at = |hour: &PoolSpan| Timestamp::from_millis(hour.since * 1000);
    let chart = |title: &str, summary: String, series: Vec<Series>| Chart {
        title: title.to_owned(),
        summary,
        labels: hours
            .iter()
            .map(|hour| Label {
                short: zone.spell(at(hour), "%a %H:%M"),
                long: zone.spell(at(hour), "%a %-d %b, %H:%M"),
            })
            .collect(),
        axis: format!("Hour ({})", zone.name()),
        unit: "",
        series,
        before: None,
        shape: Shape::Bars,
    };
    let stock = vec![
        series("Ready", |hour| hour.ready),
        series("Starting", |hour| hour.starting),
    ];
    let visitors = vec![
        series("Served instantly", |hour| hour.assigned),
        series("Missed", |hour| hour.missed),
    ];
    let rate = |hour: &PoolSpan| {
        let visitors = hour.assigned + hour.missed;
        (visitors > 0).then(|| f64::from(hour.assigned) / f64::from(visitors) * 100.0)
    };
    let rates = vec![Series {
        name: "Served instantly".to_owned(),
        values: hours.iter().map(rate).collect(),
    }];
    let served = format!(
        "{} served instantly, {} missed in the last day.",
        grouped(numbers.assigned),
        grouped(numbers.missed)
    );
    [
        chart(
            "Ready and starting",
            "The fewest ready and the most starting in each hour.".into(),
            stock,
        ),
        chart("Visitors", served, visitors),
        Chart {
            unit: "%",
            shape: Shape::Lines,
            ..chart("Hit rate", rate_words(numbers), rates)
        },
    ]
}

/// How often a visitor whom the pool fits was served from it, in a sentence.
fn rate_words(numbers: Numbers) -> String {
    numbers.hit_rate().map_or_else(String::new, |rate| {
        format!("{:.0} % of the visitors of the last day.", rate * 100.0)
    })
}

/// The same by the hour: the worst value of each, over all visitors.
fn hours(spans: &[PoolSpan]) -> Vec<PoolSpan> {
    let mut hours: Vec<PoolSpan> = Vec::new();
    for span in spans {
        let since = span.since.div_euclid(3600) * 3600;
        match hours.last_mut().filter(|hour| hour.since == since) {
            Some(hour) => {
                hour.ready = hour.ready.min(span.ready);
                hour.starting = hour.starting.max(span.starting);
                hour.assigned += span.assigned;
                hour.missed += span.missed;
            }
            None => hours.push(PoolSpan { since, ..*span }),
        }
    }
    hours
}

/// Every span from the first that the log knows to now: what is not written is nothing.
fn whole(pool: &PoolView, numbers: Numbers) -> Vec<PoolSpan> {
    let now = pool.at.seconds().div_euclid(SPAN_SECONDS) * SPAN_SECONDS;
    let first = pool
        .log
        .spans
        .first()
        .map_or(now, |span| span.since)
        .max(now - DRAWN_SECONDS);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut spans = Vec::new();
    let mut since = first;
    while since <= now {
        let written = pool
            .log
            .spans
            .iter()
            .find(|span| span.since == since)
            .copied();
        let (ready, starting) = if since == now {
            (count(numbers.ready), count(numbers.starting))
        } else {
            (0, 0)
        };
        spans.push(written.unwrap_or(PoolSpan {
            since,
            ready,
            starting,
            assigned: 0,
            missed: 0,
        }));
        since += SPAN_SECONDS;
    }
    spans
}

#[cfg(test)]
mod tests {
    use casting_core::ids::StagingId;
    use casting_core::pool_history::{PoolHistory, PoolObservation};
    use casting_core::pool_plan::{IdleReason, PoolPlan};
    use casting_core::testing::NOON;

    use super::*;

    fn pool(wanted: u32, rest: Option<IdleReason>) -> PoolView {
        let log = PoolHistory::new(StagingId::from_bytes([1; 16]), NOON);
        let plan = PoolPlan {
            wanted,
            rest,
            ..PoolPlan::default()
        };
        PoolView {
            waiting: Vec::new(),
            plan,
            log,
            hour_micros: Some(17_342),
            at: NOON.plus_seconds(200),
        }
    }

    #[test]
    fn pool_state_is_described_in_sentences() {
        let paused = |mut pool: PoolView| {
            pool.log
                .note_failure(NOON, "RESOURCE:CPU.".into(), NOON.plus_seconds(180));
            pool.plan.paused_until = pool.log.paused_until(NOON, pool.at);
            pool
        };
        for (name, pool, (ready, starting), sentence, word) in [
            ("full", pool(3, None), (3, 0), "3 of 3 ready.", "Full"),
            (
                "filling",
                pool(5, None),
                (3, 2),
                "3 of 5 ready, 2 starting.",
                "Filling",
            ),
            (
                "resting",
                pool(0, Some(IdleReason::OutsideSchedule)),
                (0, 0),
                "The pool is paused. It is outside of its schedule.",
                "Paused",
            ),
            (
                "paused",
                paused(pool(5, None)),
                (3, 0),
                "3 of 5 ready.",
                "Paused",
            ),
        ] {
            let numbers = Numbers {
                ready,
                starting,
                ..Numbers::default()
            };
            assert_eq!(
                (
                    words(&pool, numbers).as_str(),
                    badge(&pool, numbers).text.as_str()
                ),
                (sentence, word),
                "{name}"
            );
        }
        let said = pause(&paused(pool(5, None)), &Zone::default()).expect("is paused");
        assert_eq!(
            said,
            "The last start failed at 12:03:00 UTC: RESOURCE:CPU. The next try is at 12:03:30 \
             UTC."
        );
        assert_eq!(pause(&pool(5, None), &Zone::default()), None);
    }

    #[test]
    fn gaps_in_a_pool_history_are_drawn_as_zero() {
        let mut pool = pool(2, None);
        let seen = PoolObservation {
            ready: 2,
            assigned: 1,
            missed: 1,
            ..PoolObservation::default()
        };
        pool.log = pool
            .log
            .noted(seen, NOON)
            .noted(seen, NOON.plus_seconds(3600));
        pool.at = NOON.plus_seconds(5400);
        let [stock, visitors, rates] = charts(
            &pool,
            Numbers {
                ready: 1,
                ..Numbers::default()
            },
            &Zone::default(),
        );
        assert_eq!(rates.series[0].values, [Some(50.0), Some(50.0)]);
        assert_eq!(
            (
                stock.series[0].values.as_slice(),
                visitors.series[0].values.as_slice()
            ),
            (&[Some(0.0), Some(0.0)][..], &[Some(1.0), Some(1.0)][..])
        );
        let labels: Vec<&str> = stock
            .labels
            .iter()
            .map(|label| label.short.as_str())
            .collect();
        assert_eq!(labels, ["Mon 12:00", "Mon 13:00"]);
        let ready: Vec<u32> = whole(
            &pool,
            Numbers {
                ready: 1,
                ..Numbers::default()
            },
        )
        .iter()
        .map(|span| span.ready)
        .collect();
        assert_eq!(
            ready,
            [2, 0, 0, 0, 2, 0, 1],
            "what waits now stands at the end"
        );
    }
}
