//! Owns the soak test of the whole product on one machine: for some hours visitors come to a program that keeps its
//! data in a folder, leave in every way there is, come by the thousand, and see it stopped and killed. Prints what
//! that took as a table, draws it, and fails where a promise does not hold.
//!
//! `cargo bench -p casting-tests --bench soak -- MINUTES PROGRAM` (`--help` names the options). Every choice
//! follows from the seed, which is printed.
//!
//! - `world`: the program, its links, and what has been counted; `phone`: one visitor's requests
//! - `steady`, `refused`, `storm`: the visitors
//! - `samples`: what the machine says of the program; `ledger`: what the program says of its sessions
//! - `report`: the table and the verdicts; `graph`: the picture

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

mod graph;
mod ledger;
mod phone;
mod refused;
mod report;
mod samples;
mod steady;
mod storm;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use casting_gate::server::raise_open_files_limit;
use casting_tests::binaries;
use clap::Parser;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use world::{Stop, World};

/// Lets visitors come to `casting` for hours, and looks at what that costs it.
#[derive(Debug, Parser)]
struct Options {
    /// How long visitors come, in minutes
    #[arg(default_value_t = 120.0)]
    minutes: f64,
    /// The program; without it the one that was built beside this test
    program: Option<PathBuf>,
    /// Where the picture goes
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/soak.svg"))]
    svg: PathBuf,
    /// What every choice follows from; without it a random one
    #[arg(long)]
    seed: Option<u64>,
    /// The minutes from one storm to the next
    #[arg(long, default_value_t = 4.0)]
    storm_minutes: f64,
    /// The minutes from one restart to the next
    #[arg(long, default_value_t = 10.0)]
    restart_minutes: f64,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// The visitors who are there at a time, and those who are refused.
const STEADY: usize = 4;
const REFUSED: usize = 1;

fn minutes(minutes: f64) -> Duration {
    Duration::from_secs_f64(minutes * 60.0)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    raise_open_files_limit();
    let program = options
        .program
        .clone()
        .unwrap_or_else(|| binaries::path("casting"));
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!(
        "{} for {} minutes, seed {seed}\n",
        program.display(),
        options.minutes
    );
    let (mut rng, length) = (fastrand::Rng::with_seed(seed), minutes(options.minutes));
    let world = World::start(&program).await.expect("the program starts");
    let sampling = tokio::spawn(samples::take(world.clone()));

    let (over, mut visitors) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for _ in 0..STEADY {
        visitors.spawn(steady::come(world.clone(), rng.fork(), over.clone()));
    }
    for _ in 0..REFUSED {
        visitors.spawn(refused::come(world.clone(), rng.fork(), over.clone()));
    }
    run_schedule(&world, &options, &mut rng).await;
    over.store(true, Ordering::Relaxed);
    while let Some(visitor) = visitors.join_next().await {
        visitor.expect("no visitor panics");
    }
    let ledger = ledger::check(&world).await.expect("the ledger can be read");
    sampling.abort();
    let left = world.finish().await;

    let samples = std::mem::take(&mut *world.samples.lock().expect("no panic"));
    let during: Vec<_> = samples
        .iter()
        .filter(|sample| sample.at <= length)
        .cloned()
        .collect();
    println!("{}", report::table(&during, length));
    println!("{}", report::ways(&world));
    println!("{left}\n");
    if let Err(error) = graph::draw(&options.svg, &samples, &world.marks()) {
        println!("The picture could not be drawn: {error}\n");
    }
    let mut verdicts = report::verdicts(&during, &world);
    verdicts.extend(ledger);
    let mut holds = true;
    for verdict in verdicts {
        holds &= verdict.holds;
        println!("{verdict}");
    }
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Storms and restarts, one after the other, until the time is up.
async fn run_schedule(world: &Arc<World>, options: &Options, rng: &mut fastrand::Rng) {
    let began = Instant::now();
    let end = began + minutes(options.minutes);
    let mut storm = began + minutes(options.storm_minutes);
    let mut restart = began + minutes(options.restart_minutes);
    let mut ways = [Stop::Asked, Stop::Killed].into_iter().cycle();
    loop {
        let next = storm.min(restart);
        if next >= end {
            sleep_until(end).await;
            return;
        }
        sleep_until(next).await;
        if storm <= restart {
            storm::rage(world, rng).await;
            storm = Instant::now().max(storm + minutes(options.storm_minutes));
        } else {
            let way = ways.next().unwrap_or(Stop::Asked);
            world.restart(way).await.expect("the program starts again");
            restart += minutes(options.restart_minutes);
        }
    }
}

/// Waits as long as a person may take, some seconds at most.
async fn linger(rng: &mut fastrand::Rng, seconds: f64) {
    sleep(Duration::from_secs_f64(rng.f64() * seconds)).await;
}
