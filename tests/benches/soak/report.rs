//! Owns the table of a run, and whether its promises hold. Must not know how anything was measured.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::samples::{Counts, Sample, Weather};
use crate::world::World;

const MB: f64 = 1e6;
/// Flat is what has not grown by more than a tenth and this.
const GROWTH: f64 = 1.1;
const GROWTH_MB: f64 = 8.0;
const GROWTH_DESCRIPTORS: f64 = 16.0;
/// What a storm may leave, in MB: as much as `tests/programs/front.rs` lets it leave.
const TRACE_MB: f64 = 64.0;
/// A run that is shorter, in minutes, need not have samples of every kind.
const LONG_ENOUGH: u64 = 30;

/// Whether a promise holds, and by how much.
pub struct Verdict {
    promise: String,
    pub holds: bool,
    evidence: String,
}

impl Verdict {
    pub fn new(promise: impl Into<String>, holds: bool, evidence: impl Into<String>) -> Self {
        Self {
            promise: promise.into(),
            holds,
            evidence: evidence.into(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "holds" } else { "FAILS" };
        write!(out, "- {}: {word} ({})", self.promise, self.evidence)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn rss(sample: &Sample) -> f64 {
    sample.rss as f64 / MB
}

/// One row for each tenth of the run.
pub fn table(samples: &[Sample], length: Duration) -> String {
    let mut text = "| minutes | RSS, median MB | RSS, most MB | PSS, median MB | descriptors, median; most | threads | processes | \
        live sessions | served | refused | storms | resets |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut before = Counts::default();
    for tenth in 0..10 {
        let bound = |n: u32| length * n / 10;
        let part: Vec<&Sample> = samples
            .iter()
            .filter(|sample| (bound(tenth)..bound(tenth + 1)).contains(&sample.at))
            .collect();
        let Some(last) = part.last() else { continue };
        let middle = |of: fn(&Sample) -> f64| {
            median(part.iter().map(|sample| of(sample)).collect()).unwrap_or_default()
        };
        let most =
            |of: fn(&Sample) -> f64| part.iter().map(|sample| of(sample)).fold(0.0, f64::max);
        let descriptors = |sample: &Sample| sample.descriptors as f64;
        text += &format!(
            "| {:.1}–{:.1} | {:.0} | {:.0} | {:.0} | {:.0}; {:.0} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {} |\n",
            bound(tenth).as_secs_f64() / 60.0,
            bound(tenth + 1).as_secs_f64() / 60.0,
            middle(rss),
            most(rss),
            middle(|sample| sample.pss as f64 / MB),
            middle(descriptors),
            most(descriptors),
            middle(|sample| sample.threads as f64),
            middle(|sample| sample.processes as f64),
            middle(|sample| sample.live as f64),
            last.counts.served - before.served,
            last.counts.refused - before.refused,
            last.counts.storms - before.storms,
            last.counts.resets - before.resets,
        );
        before = last.counts;
    }
    text
}

/// How visitors have left, in one line.
pub fn ways(world: &World) -> String {
    let left = world.tally.left.lock().expect("no panic");
    let ways: Vec<String> = left
        .iter()
        .map(|(way, count)| format!("{way} {count}"))
        .collect();
    let cut = world.tally.cut.load(Ordering::Relaxed);
    format!("Visitors: {}, cut off by a restart {cut}.", ways.join(", "))
}

/// Every promise that samples and counts speak of.
pub fn verdicts(samples: &[Sample], world: &World) -> Vec<Verdict> {
    let is_short = samples
        .last()
        .is_none_or(|last| last.at.as_secs() < LONG_ENOUGH * 60);
    let of = |wanted: fn(Weather) -> bool| -> Vec<&Sample> {
        samples
            .iter()
            .filter(|sample| wanted(sample.weather))
            .collect()
    };
    let rest = of(|weather| weather == Weather::Rest);
    let after = of(|weather| weather == Weather::After);
    let over = |sample: &Sample| sample.at;
    let aged = |sample: &Sample| sample.age;
    let descriptors = |sample: &Sample| sample.descriptors as f64;
    let mut verdicts = vec![
        flat(
            "Memory flat at rest",
            " MB",
            &rest,
            over,
            rss,
            GROWTH_MB,
            is_short,
        ),
        flat(
            "Memory flat after storms",
            " MB",
            &after,
            over,
            rss,
            GROWTH_MB,
            is_short,
        ),
        flat(
            "Memory flat from start to restart",
            " MB",
            &rest,
            aged,
            rss,
            GROWTH_MB,
            is_short,
        ),
        given_back(samples, is_short),
        flat(
            "Descriptors flat",
            "",
            &rest,
            over,
            descriptors,
            GROWTH_DESCRIPTORS,
            is_short,
        ),
    ];
    let (resets, unexpected) = (&world.tally.resets, &world.tally.unexpected);
    let troubles = world.tally.troubles.lock().expect("no panic").join("; ");
    for (promise, count) in [("0 resets", resets), ("0 unexpected answers", unexpected)] {
        let count = count.load(Ordering::Relaxed);
        let evidence = if count == 0 {
            "0".to_owned()
        } else {
            format!("{count}: {troubles}")
        };
        verdicts.push(Verdict::new(promise, count == 0, evidence));
    }
    verdicts
}

/// Whether a value in the last fifth of the samples' time is not above that in the second fifth.
fn flat(
    promise: &str,
    unit: &str,
    samples: &[&Sample],
    time: impl Fn(&Sample) -> Duration,
    value: impl Fn(&Sample) -> f64,
    growth: f64,
    is_short: bool,
) -> Verdict {
    let times = || samples.iter().map(|sample| time(sample));
    let begin = times().min().unwrap_or_default();
    let span = times().max().unwrap_or_default() - begin;
    let fifth = |n: u32| {
        let part = begin + span * (n - 1) / 5..=begin + span * n / 5;
        let part = samples.iter().filter(|sample| part.contains(&time(sample)));
        median(part.map(|sample| value(sample)).collect())
    };
    let Some((second, last)) = fifth(2).zip(fifth(5)) else {
        return Verdict::new(promise, is_short, "not judged, too few samples");
    };
    let holds = last <= second * GROWTH + growth;
    let evidence = format!("second fifth {second:.0}{unit}, last fifth {last:.0}{unit}");
    Verdict::new(promise, holds, evidence)
}

/// Whether memory is given back: compares half a minute after a storm with before the first one.
fn given_back(samples: &[Sample], is_short: bool) -> Verdict {
    let middle = |wanted: Weather| {
        let part = samples.iter().filter(|sample| sample.weather == wanted);
        median(part.map(rss).collect())
    };
    let promise = "Memory given back after storms";
    let Some((before, later)) = middle(Weather::Calm).zip(middle(Weather::Rest)) else {
        return Verdict::new(promise, is_short, "not judged, too few samples");
    };
    Verdict::new(
        promise,
        later <= before + TRACE_MB,
        format!(
            "before the first storm {before:.0} MB, half a minute after one and later {later:.0} MB"
        ),
    )
}
