//! Measures how a crowd fares on one link with a number of places: how many claims are refused as busy,
//! and how long the accepted ones took. `cargo bench -p casting-tests --bench crowd --profile dev` prints
//! the table of `docs/limits.md`. The functions are the real ones, a hundred instances of them, over the
//! embedded database behind the limits of DynamoDB that it lacks (`tests/src/row_limits.rs`); time is
//! virtual, so the speed of the machine does not matter. ECS starts every task at once.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use casting_core::denial::DenialCode;
use casting_core::{ControlPlane, Visitor};
use casting_tests::row_limits::RowLimits;
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

const INSTANCES: usize = 100;
/// How long a transaction holds its rows.
const HOLD: Duration = Duration::from_millis(10);
/// How long a request takes on the wire, and an answer.
const TRIP: Duration = Duration::from_millis(2);

/// So many claims, all at once or so many a second.
struct Crowd {
    claims: u32,
    a_second: Option<u32>,
    places: u64,
    has_index_limits: bool,
}

#[derive(Default)]
struct Fared {
    accepted: Vec<Duration>,
    sold_out: u32,
    busy: u32,
    others: Vec<DenialCode>,
}

impl Fared {
    /// The `percent`th percentile of the accepted claims, in milliseconds.
    fn percentile(&self, percent: usize) -> u128 {
        let index = (self.accepted.len() * percent).div_ceil(100);
        self.accepted
            .get(index.saturating_sub(1))
            .map_or(0, Duration::as_millis)
    }
}

async fn fare(crowd: &Crowd, seed: u64) -> Fared {
    let capacity = Arc::new(RowLimits::new(HOLD, TRIP, crowd.has_index_limits));
    let shared_db = SharedDb::bounded(capacity).await.expect("a database");
    let limits = Limits {
        total: Some(crowd.places),
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, seed, limits)
        .await
        .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let instances: Vec<Arc<ControlPlane>> = (0..INSTANCES).map(|_| world.new_process()).collect();
    let visitor = |n: u32| Visitor::from(Ipv4Addr::from(0x0a00_0000 + n).into());
    let instance = |n: u32| instances[n as usize % INSTANCES].clone();
    let mut tickets = Vec::new();
    for n in 0..crowd.claims {
        let opened = open(&instance(n), &key, &visitor(n)).await;
        tickets.push(opened.expect("the link is open"));
    }
    let (began, mut under_way) = (Instant::now(), JoinSet::new());
    for (n, ticket) in (0..).zip(tickets) {
        let (process, key, visitor) = (instance(n), key.clone(), visitor(n));
        if let Some(a_second) = crowd.a_second {
            sleep_until(began + Duration::from_secs(1) * n / a_second).await;
        }
        under_way.spawn(async move {
            let began = Instant::now();
            let claimed = claim(&process, &key, &ticket, &visitor).await;
            (
                claimed.map_err(|refusal| refusal.denial().code),
                began.elapsed(),
            )
        });
    }
    let mut fared = Fared::default();
    while let Some(one) = under_way.join_next().await {
        match one.expect("does not panic") {
            (Ok(_), took) => fared.accepted.push(took),
            (Err(DenialCode::NoSessionsLeft), _) => fared.sold_out += 1,
            (Err(DenialCode::Busy), _) => fared.busy += 1,
            (Err(other), _) => fared.others.push(other),
        }
    }
    fared.accepted.sort_unstable();
    assert!(fared.accepted.len() as u64 <= crowd.places, "one too many");
    assert!(fared.others.is_empty(), "{:?}", fared.others);
    world.check_ledger().await.expect("the ledger holds");
    fared
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("| claims | places | accepted | sold out | busy | p50, ms | p99, ms |");
    println!("|---|---|---|---|---|---|---|");
    let steady = |a_second, claims, places| Crowd {
        claims,
        a_second: Some(a_second),
        places,
        has_index_limits: false,
    };
    let at_once = |claims, places| Crowd {
        a_second: None,
        ..steady(1, claims, places)
    };
    let crowds = [
        steady(100, 500, 10_000),
        steady(500, 2_500, 10_000),
        steady(1_000, 5_000, 10_000),
        at_once(1_000, 1_000),
        at_once(1_000, 100),
        at_once(1_000, 10),
        steady(4_000, 12_000, 10_000),
        Crowd {
            has_index_limits: true,
            ..steady(4_000, 12_000, 10_000)
        },
    ];
    for (seed, crowd) in (1..).zip(&crowds) {
        let fared = fare(crowd, seed).await;
        let rate = match crowd.a_second {
            Some(a_second) => format!("{a_second} a second, {} in all", crowd.claims),
            None => format!("{} at once", crowd.claims),
        };
        let limits = if crowd.has_index_limits {
            ", indexes with limits"
        } else {
            ""
        };
        println!(
            "| {rate}{limits} | {} | {} | {} | {} ({:.1} %) | {} | {} |",
            crowd.places,
            fared.accepted.len(),
            fared.sold_out,
            fared.busy,
            100.0 * f64::from(fared.busy) / f64::from(crowd.claims),
            fared.percentile(50),
            fared.percentile(99),
        );
    }
}
