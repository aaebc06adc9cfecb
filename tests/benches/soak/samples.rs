//! Owns what the machine says of the program, every ten seconds. Must not know what it is compared with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::world::World;

const EVERY: Duration = Duration::from_secs(10);
/// How long after a storm its traces are looked for.
const AFTERMATH: Duration = Duration::from_secs(30);

/// What has been counted until a sample.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub served: u64,
    pub refused: u64,
    pub storms: u64,
    pub resets: u64,
}

/// Whether there is a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// None since the program was started.
    Calm,
    /// Now.
    Storm,
    /// Less than half a minute ago.
    After,
    /// Longer ago.
    Rest,
}

/// The program at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since visitors come.
    pub at: Duration,
    /// Since it was started.
    pub age: Duration,
    pub weather: Weather,
    /// Memory of the machine that it occupies, in bytes: all of it, and its share of what it has with others.
    pub rss: u64,
    pub pss: u64,
    pub descriptors: u64,
    pub threads: u64,
    /// Processes of its sessions.
    pub processes: u64,
    /// Sessions that live, as the API says.
    pub live: u64,
    pub counts: Counts,
}

/// Takes samples for ever.
pub async fn take(world: Arc<World>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(sample) = sample(&world).await {
            world.samples.lock().expect("no panic").push(sample);
        }
    }
}

/// `None` while the program is stopped.
async fn sample(world: &World) -> Option<Sample> {
    let before = world.outages.load(Ordering::SeqCst);
    let live = world.sessions("state=live").await.ok()?.len() as u64;
    let process = world.process.load(Ordering::SeqCst);
    let file = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    let (rollup, status) = (file("smaps_rollup")?, file("status")?);
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd"))
        .ok()?
        .count() as u64;
    let started = *world.started.lock().expect("no panic");
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let tally = &world.tally;
    let sample = Sample {
        at: world.elapsed(),
        age: started.elapsed(),
        weather: weather(world, started),
        rss: field(&rollup, "Rss:")? * 1024,
        pss: field(&rollup, "Pss:")? * 1024,
        descriptors,
        threads: field(&status, "Threads:")?,
        processes: world.processes().len() as u64,
        live,
        counts: Counts {
            served: count(&tally.served),
            refused: count(&tally.refused),
            storms: count(&tally.storms),
            resets: count(&tally.resets),
        },
    };
    let is_up = before.is_multiple_of(2) && world.outages.load(Ordering::SeqCst) == before;
    is_up.then_some(sample)
}

fn weather(world: &World, started: Instant) -> Weather {
    match *world.storm.lock().expect("no panic") {
        (Some(_), None) => Weather::Storm,
        (_, Some(end)) if end > started => {
            if end.elapsed() < AFTERMATH {
                Weather::After
            } else {
                Weather::Rest
            }
        }
        _ => Weather::Calm,
    }
}

/// The number after a name in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
