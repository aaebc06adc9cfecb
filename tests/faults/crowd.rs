//! Crowds: a thousand visitors at once on a hundred places, and many claims from one address.

use std::sync::Arc;
use std::time::Duration;

use casting_core::Visitor;
use casting_core::cast::{Cast, CountBy, CounterChange, IpLimit};
use casting_core::denial::DenialCode;
use casting_core::ids::{SessionId, UserId};
use casting_core::ports::{DueKind, Replaced, Store};
use casting_core::session::{EndReason, Owner, TaskRef, TaskStatus};
use casting_core::testing::session;
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::row_limits::RowLimits;
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};

#[tokio::test(start_paused = true)]
async fn a_thousand_claims_get_exactly_a_hundred_sessions() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        5,
        Limits {
            total: Some(100),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let visitors: Vec<Visitor> = (0..1000u32)
        .map(|n| Visitor::from(std::net::Ipv4Addr::from(0x0a00_0000 + n).into()))
        .collect();
    let mut crowd = tokio::task::JoinSet::new();
    for (n, visitor) in visitors.into_iter().enumerate() {
        let (process, key) = (world.processes[n % 3].clone(), key.clone());
        crowd.spawn(async move {
            // Calls take their time, so that the visitors really meet.
            let claim = async {
                let opened = open(&process, &key, &visitor).await?;
                claim(&process, &key, &opened, &visitor).await
            };
            run_actor(n as u64, FaultPlan::Random { percent: 0 }, claim)
                .await
                .result
                .expect("nobody crashes")
        });
    }
    let (mut given, mut refused) = (0, 0);
    while let Some(result) = crowd.join_next().await {
        match result.expect("does not panic") {
            Ok(claimed) => {
                given += 1;
                world.given.insert(claimed.session.id);
            }
            Err(refusal) => {
                assert_eq!(
                    refusal.denial().code,
                    DenialCode::NoSessionsLeft,
                    "{refusal:?}"
                );
                refused += 1;
            }
        }
    }
    assert_eq!((given, refused), (100, 900));
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        0
    );
    assert_eq!(world.given.len(), 100);
    assert_eq!(world.ecs.tasks().len(), 100);
    world.check_ledger().await.expect("holds");
    world
        .check_tasks()
        .await
        .expect("every task has its session");
}

/// Claims that meet split the counter; administrators change the link meanwhile, starts are refused,
/// and calls are cut off.
#[tokio::test(start_paused = true)]
async fn split_counter_is_exact_under_faults() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut was_split = false;
    for seed in 0..4 {
        let limits = Limits {
            total: Some(170),
            ..Limits::default()
        };
        let mut world = SimWorld::new(&shared_db, 200 + seed, limits)
            .await
            .expect("a world");
        let key = world.cast.settings.key.as_str().to_owned();
        for wave in 0..6_u32 {
            world.refuse_starts(2);
            let mut crowd = tokio::task::JoinSet::new();
            for n in 0..12_usize {
                let (process, key) = (world.processes[n % 3].clone(), key.clone());
                let visitor = visitor((wave as usize * 12 + n) as u8);
                let seed = seed * 1000 + u64::from(wave) * 12 + n as u64;
                crowd.spawn(async move {
                    let claim = async {
                        let opened = open(&process, &key, &visitor).await?;
                        claim(&process, &key, &opened, &visitor).await
                    };
                    run_actor(seed, FaultPlan::Random { percent: 25 }, claim).await;
                });
            }
            if wave % 2 == 1 {
                // Whether it was done is said by the version, whatever became of the answer.
                let before = world.cast_now().await.expect("is there").version;
                add_places(&world, seed * 1000 + u64::from(wave), 3).await;
                let after = world.cast_now().await.expect("is there").version;
                world.total += 3 * (after - before);
            }
            while crowd.join_next().await.is_some() {}
            world.check_ledger().await.expect("holds");
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
        was_split |= world.was_split().await.expect("read");
        world.settle().await.expect("settles");
        let (process, mut n) = (world.new_process(), 0_u8);
        let refused = loop {
            n = n.wrapping_add(1);
            let Ok(opened) = open(&process, &key, &visitor(n)).await else {
                break DenialCode::NoSessionsLeft;
            };
            let claimed = claim(&process, &key, &opened, &visitor(n)).await;
            match claimed.map_err(|refusal| refusal.denial().code) {
                // Of the starts that are to be refused, some may be left.
                Ok(_) | Err(DenialCode::NoCapacity) => {}
                Err(code) => break code,
            }
        };
        assert_eq!(refused, DenialCode::NoSessionsLeft);
        let rows = world.sessions().await.expect("the ledger");
        let taken = rows.iter().filter(|row| !row.is_refunded()).count();
        assert_eq!(taken as u64, world.total, "every place is taken");
        world.finish().await.expect("holds");
    }
    assert!(was_split, "claims met");
}

/// Behind DynamoDB's limits, where transactions that meet are refused.
#[tokio::test(start_paused = true)]
async fn crowd_at_one_counter_is_served_completely() {
    let [hold, trip] = [10, 2].map(Duration::from_millis);
    let capacity = RowLimits::new(hold, trip, false);
    let shared_db = SharedDb::bounded(Arc::new(capacity))
        .await
        .expect("a database");
    let limits = Limits {
        total: Some(150),
        ..Limits::default()
    };
    let mut world = SimWorld::new(&shared_db, 300, limits)
        .await
        .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (process, key) = (world.processes[n as usize % 3].clone(), key.clone());
        crowd.spawn(async move {
            let opened = open(&process, &key, &visitor(n)).await?;
            claim(&process, &key, &opened, &visitor(n)).await
        });
    }
    let mut refused = 0;
    while let Some(result) = crowd.join_next().await {
        match result.expect("does not panic") {
            Ok(claimed) => _ = world.given.insert(claimed.session.id),
            Err(refusal) => {
                assert_eq!(refusal.denial().code, DenialCode::NoSessionsLeft);
                refused += 1;
            }
        }
    }
    assert_eq!((world.given.len(), refused), (150, 50));
    world.check_ledger().await.expect("holds");
}

/// An administrator adds places, as often as it takes, under faults.
async fn add_places(world: &SimWorld, seed: u64, places: i64) -> Option<Replaced> {
    let process = &world.processes[0];
    let change = async {
        let before = process.store.cast(&world.cast.id).await.ok()??;
        let after = Cast {
            version: before.version + 1,
            ..before.clone()
        };
        let add = CounterChange::Add(places);
        process
            .store
            .replace_cast(&before, &after, add, None)
            .await
            .ok()
    };
    let outcome = run_actor(seed, FaultPlan::Random { percent: 10 }, change).await;
    outcome.result.flatten()
}

/// Under a limit that high, claims are counted together, by 64ths of the window's time.
#[tokio::test(start_paused = true)]
async fn high_address_limit_is_exact_under_faults() {
    const ALLOWED: u32 = 40;
    let shared_db = SharedDb::new().await.expect("a database");
    let ip = IpLimit {
        sessions: ALLOWED,
        within_seconds: 86_400,
        by: CountBy::Address,
        exempt: Vec::new(),
    };
    for seed in 0..3 {
        let limits = Limits {
            ip: Some(ip.clone()),
            ..Limits::default()
        };
        let mut world = SimWorld::new(&shared_db, 100 + seed, limits)
            .await
            .expect("a world");
        let key = world.cast.settings.key.as_str().to_owned();
        world.refuse_starts(9);
        for wave in 0..6 {
            let mut crowd = tokio::task::JoinSet::new();
            for n in 0..10 {
                let (process, key) = (world.processes[n % 3].clone(), key.clone());
                let seed = seed * 1000 + wave * 10 + n as u64;
                crowd.spawn(async move {
                    let claim = async {
                        let opened = open(&process, &key, &visitor(1)).await?;
                        claim(&process, &key, &opened, &visitor(1)).await
                    };
                    run_actor(seed, FaultPlan::Random { percent: 20 }, claim).await;
                });
            }
            while crowd.join_next().await.is_some() {}
            world.check_ledger().await.expect("holds");
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
        world.settle().await.expect("settles");
        // What was given back can be taken again, and nothing else.
        let process = world.new_process();
        let refused = loop {
            let opened = open(&process, &key, &visitor(1)).await;
            let claimed = claim(&process, &key, &opened.expect("is open"), &visitor(1)).await;
            let Err(refusal) = claimed else { continue };
            break refusal.denial().code;
        };
        assert_eq!(refused, DenialCode::IpLimit);
        let rows = world.sessions().await.expect("the ledger");
        let taken = rows.iter().filter(|row| !row.is_refunded()).count();
        assert!(rows.len() > taken, "some starts were refused");
        assert_eq!(taken, ALLOWED as usize);
        world.finish().await.expect("holds");
    }
}

/// More than a page of each kind: living sessions do not keep anonymous users from being removed, and the other way round.
#[tokio::test(start_paused = true)]
async fn one_sweep_handles_all_that_is_due_of_each_kind() {
    const LIVE: u8 = 230;
    const OVER: u8 = 250;
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 6, Limits::default())
        .await
        .expect("a world");
    let now = world.stable_process().clock.now();
    let row = |n: u8, is_live: bool| {
        let mut session = session(&world.cast, n);
        session.id = SessionId::from_bytes([
            if is_live { 1 } else { 2 },
            n,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
        ]);
        if is_live {
            let task = TaskRef {
                arn: format!("arn:aws:ecs:eu-test-1:000000000000:task/casting/{n:032x}"),
                status: TaskStatus::Running,
                version: 1,
                times: casting_core::session::TaskTimes::default(),
            };
            session = session.started(task).expect("starts");
        } else {
            session.owner = Owner::Anonymous {
                id: UserId::of_session(&session.id),
                group: None,
                expires_at: Some(now),
            };
            session = session.ended(EndReason::Owner, now).expect("ends");
        }
        session.due_at = Some(now);
        session
    };
    let rows: Vec<_> = (0..LIVE)
        .map(|n| row(n, true))
        .chain((0..OVER).map(|n| row(n, false)))
        .collect();
    let store = shared_db.store();
    store.import_sessions(&rows).await.expect("are there");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let swept = world.stable_process().sweep().await.expect("a sweep");
    assert_eq!(swept.forgotten, u32::from(OVER), "{swept:?}");
    assert_eq!(swept.stopped, u32::from(LIVE), "{swept:?}");
    for kind in [DueKind::Live, DueKind::Forget] {
        let left = store.due_sessions(kind, now, None, 100).await;
        assert_eq!(left.expect("listed").items, [], "{kind:?}");
    }
}
