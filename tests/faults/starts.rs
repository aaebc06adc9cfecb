//! The queue of starts: crowds that come faster than ECS starts tasks.

use std::time::Duration;

use casting_core::Claimed;
use casting_core::denial::DenialCode;
use casting_core::session::State;
use casting_core::{Visitor, outcome};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};

/// What ECS allows: so many starts a second, as on Fargate, and so many at once, half of that.
const RATE: u32 = 20;
const BURST: u32 = 50;

async fn world(shared_db: &SharedDb, seed: u64, total: u64) -> SimWorld {
    let limits = Limits {
        total: Some(total),
        ..Limits::default()
    };
    let world = SimWorld::new(shared_db, seed, limits).await;
    world.expect("a world")
}

/// A claim of one visitor whose start ECS throttles.
async fn throttled(world: &mut SimWorld) -> Claimed {
    let (process, key) = (world.processes[0].clone(), world.cast.settings.key.clone());
    world.throttle_starts(1);
    let opened = open(&process, key.as_str(), &visitor(1)).await;
    let opened = opened.expect("opens");
    let claimed = claim(&process, key.as_str(), &opened, &visitor(1)).await;
    let claimed = claimed.expect("is accepted");
    world.given.insert(claimed.session.id.clone());
    claimed
}

#[tokio::test(start_paused = true)]
async fn crowd_beyond_the_start_rate_is_queued_and_served() {
    const CROWD: u32 = 200;
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 900, CROWD.into()).await;
    world.ecs.limit_starts(RATE, BURST);
    let key = world.cast.settings.key.as_str().to_owned();
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..CROWD {
        let (process, key) = (world.processes[n as usize % 3].clone(), key.clone());
        let visitor = Visitor::from(std::net::Ipv4Addr::from(0x0a00_0000 + n).into());
        crowd.spawn(async move {
            let claim = async {
                let opened = open(&process, &key, &visitor).await?;
                claim(&process, &key, &opened, &visitor).await
            };
            let outcome = run_actor(u64::from(n), FaultPlan::Random { percent: 0 }, claim).await;
            outcome.result.expect("does not crash")
        });
    }
    let began = tokio::time::Instant::now();
    let mut waiting = Vec::new();
    while let Some(claimed) = crowd.join_next().await {
        let claimed = claimed.expect("does not panic").expect("is accepted");
        world.given.insert(claimed.session.id.clone());
        waiting.push(claimed);
    }
    let first = world.ecs.tasks().len();
    assert!((50..120).contains(&first), "{first} started at once");
    let (mut asked, mut longest) = (0, 0);
    while world.ecs.tasks().len() < CROWD as usize {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for claimed in &waiting {
            let process = &world.processes[asked % 3];
            let status = process.status(&claimed.session.id, Some(&claimed.owner_ticket));
            let session = status.await.expect("is theirs");
            assert_eq!(
                outcome(&session),
                None,
                "nobody is refused for coming early"
            );
            if let Some(turn) = session.waits_for_turn() {
                longest = longest.max(process.clock.now().seconds_until(turn));
            }
            asked += 1;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {CROWD}",
            world.ecs.tasks().len()
        );
    }
    let rest = u64::from(CROWD - BURST) / u64::from(RATE);
    assert!(
        longest <= rest,
        "the estimate was {longest} s for {rest} s of starts"
    );
    world.check_ledger().await.expect("holds");
    world.settle_starting().await.expect("starts");
    world
        .check_tasks()
        .await
        .expect("one task for each session");
}

/// ECS throttles no more, and others still wait: who comes now does not overtake them.
#[tokio::test(start_paused = true)]
async fn claim_does_not_overtake_the_starts_in_the_queue() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 905, 2).await;
    let first = throttled(&mut world).await;
    let (process, key) = (world.processes[0].clone(), world.cast.settings.key.clone());
    let opened = open(&process, key.as_str(), &visitor(2)).await;
    let second = claim(&process, key.as_str(), &opened.expect("opens"), &visitor(2)).await;
    let second = second.expect("is accepted");
    world.given.insert(second.session.id.clone());
    assert_eq!(world.ecs.tasks().len(), 0, "both wait");
    let turn = |claimed: &Claimed| claimed.session.waits_for_turn();
    assert!(turn(&first) < turn(&second) && turn(&first).is_some());
    tokio::time::sleep(Duration::from_secs(1)).await;
    for claimed in [&second, &first] {
        let ticket = Some(&claimed.owner_ticket);
        let status = process.status(&claimed.session.id, ticket).await;
        status.expect("is theirs");
    }
    assert_eq!(world.ecs.tasks().len(), 2);
    world.settle_starting().await.expect("starts");
    world.finish().await.expect("holds");
}

/// A program that never asks, or a visitor who has gone: the sweep makes the start.
#[tokio::test(start_paused = true)]
async fn start_that_no_page_asks_for_is_made_by_the_sweep() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 901, 1).await;
    let id = throttled(&mut world).await.session.id;
    world.stable_process().sweep().await.expect("sweeps");
    assert!(!world.runs(&id), "its visitor comes first");
    tokio::time::sleep(Duration::from_secs(16)).await;
    world.stable_process().sweep().await.expect("sweeps");
    assert!(world.runs(&id));
    world.settle_starting().await.expect("starts");
    let row = world.stable_process().store.session(&id).await;
    let row = row.expect("reads").expect("is there");
    assert_eq!(row.state, State::Starting);
    world.finish().await.expect("holds");
}

#[tokio::test(start_paused = true)]
async fn refusal_at_its_turn_is_refunded_and_reported() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 902, 1).await;
    let claimed = throttled(&mut world).await;
    world.refuse_starts(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let process = world.processes[1].clone();
    let ticket = Some(&claimed.owner_ticket);
    let session = process.status(&claimed.session.id, ticket).await;
    let denial = outcome(&session.expect("is theirs")).expect("is over");
    assert_eq!(denial.code, DenialCode::NoCapacity);
    let cast = world.cast_now().await.expect("is there");
    assert_eq!(cast.counter.remaining, 1);
    world.finish().await.expect("holds");
}

/// A place that is given up while its start is queued is free within the time that a call of ECS may
/// take, however late its turn is.
#[tokio::test(start_paused = true)]
async fn cancelled_start_in_the_queue_gives_its_place_back() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 903, 1).await;
    let process = world.processes[1].clone();
    let now = process.clock.now();
    for _ in 0..3 {
        // Others are ahead of it, for half an hour.
        let turn = process.store.take_turn(now, 600_000).await;
        turn.expect("a turn");
    }
    let claimed = throttled(&mut world).await;
    let ticket = Some(&claimed.owner_ticket);
    let ended = process.end(&claimed.session.id, ticket).await;
    ended.expect("ends");
    tokio::time::sleep(Duration::from_secs(61)).await;
    process.sweep().await.expect("sweeps");
    tokio::time::sleep(Duration::from_secs(61)).await;
    process.sweep().await.expect("sweeps");
    let cast = world.cast_now().await.expect("is there");
    assert_eq!(cast.counter.remaining, 1);
    assert!(!world.runs(&claimed.session.id));
    world.finish().await.expect("holds");
}

/// Its turn comes, ECS throttles again: it is behind the others now, and still started once.
#[tokio::test(start_paused = true)]
async fn start_that_is_throttled_at_its_turn_gets_another() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = world(&shared_db, 904, 1).await;
    let claimed = throttled(&mut world).await;
    let (id, ticket) = (claimed.session.id.clone(), Some(&claimed.owner_ticket));
    let process = world.processes[1].clone();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.throttle_starts(1);
        let session = process.status(&id, ticket).await.expect("is theirs");
        let turn = session.waits_for_turn().expect("is queued again");
        assert!(turn > process.clock.now());
        assert_eq!(
            session.start_timeout_seconds(),
            180,
            "all of its time is left"
        );
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    process.status(&id, ticket).await.expect("is theirs");
    assert!(world.runs(&id));
    assert_eq!(world.ecs.tasks().len(), 1);
    world.settle_starting().await.expect("starts");
    world.finish().await.expect("holds");
}
