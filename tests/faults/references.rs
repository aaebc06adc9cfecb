//! Refusals are found by what their visitors quote, also when the process that refused is gone, and
//! what that costs does not follow a flood.

use std::time::Duration;

use casting_core::denial::DenialCode;
use casting_core::ids::Reference;
use casting_core::reference;
use casting_tests::faults::{CallFault, FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, open, visitor};
use casting_tests::wire;

async fn sold_out(shared_db: &SharedDb, seed: u64) -> SimWorld {
    let limits = Limits {
        total: Some(0),
        ..Limits::default()
    };
    SimWorld::new(shared_db, seed, limits)
        .await
        .expect("a world")
}

#[tokio::test(start_paused = true)]
async fn references_survive_a_process_exit() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = sold_out(&shared_db, 60).await;
    let key = world.cast.settings.key.as_str();
    let mut quoted: Vec<Reference> = Vec::new();
    for n in 1..=10 {
        // Each visitor meets an instance of their own, which is frozen for ever after its first
        // answer.
        let process = world.new_process();
        let refusal = open(&process, key, &visitor(n))
            .await
            .expect_err("sold out");
        quoted.push(refusal.reference);
    }
    let process = world.new_process();
    for n in 1..=10 {
        let refusal = open(&process, key, &visitor(n))
            .await
            .expect_err("sold out");
        quoted.push(refusal.reference);
    }
    drop(process);
    for reference in &quoted {
        let found = world
            .stable_process()
            .find_refusal(reference)
            .await
            .expect("a look");
        let found = found.expect("is found");
        assert_eq!(found.facts.code, DenialCode::NoSessionsLeft);
        assert_eq!(found.casts, std::slice::from_ref(&world.cast.id));
        let sample = found.sample.expect("with its details");
        assert_eq!(sample.reference, *reference);
    }
    let rows = world
        .stable_process()
        .store
        .refusals(Some(&world.cast.id), 0)
        .await;
    let rows = rows.expect("rows");
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 20);
}

#[tokio::test(start_paused = true)]
async fn reference_is_found_without_any_stored_row() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = sold_out(&shared_db, 61).await;
    let key = world.cast.settings.key.as_str();
    let throttled = CallFault::Refused(wire::refusal("AccessDeniedException", "No."));
    for (name, call_fault, ends, counted) in [
        ("the store refuses", throttled, true, 0),
        ("nothing arrives", CallFault::LostBefore, true, 0),
        ("the process dies before", CallFault::CrashBefore, false, 0),
        ("the process dies after", CallFault::CrashAfter, false, 1),
    ] {
        let process = world.new_process();
        let _ = open(&process, key, &visitor(1)).await;
        let before = count(&world).await;
        // Everything is remembered by now, so the only call writes the refusal.
        let refused = run_actor(
            1,
            FaultPlan::At(0, call_fault),
            open(&process, key, &visitor(2)),
        )
        .await;
        assert_eq!(refused.result.is_some(), ends, "{name}");
        if let Some(Err(refusal)) = refused.result {
            let found = world
                .stable_process()
                .find_refusal(&refusal.reference)
                .await;
            let found = found.expect("a look").expect("is found");
            assert_eq!(found.casts, std::slice::from_ref(&world.cast.id), "{name}");
        }
        assert!(count(&world).await >= before + counted, "{name}");
    }
}

async fn count(world: &SimWorld) -> u64 {
    let rows = world
        .stable_process()
        .store
        .refusals(Some(&world.cast.id), 0)
        .await;
    rows.expect("rows").iter().map(|row| row.count).sum()
}

#[tokio::test(start_paused = true)]
async fn refusal_flood_is_cheap_and_references_stay_valid() {
    const SECONDS: usize = 10;
    const EACH: usize = 1000;
    let shared_db = SharedDb::new().await.expect("a database");
    let world = sold_out(&shared_db, 62).await;
    let key = world.cast.settings.key.as_str();
    let process = world.new_process();
    let flood = run_actor(1, FaultPlan::None, async {
        let mut quoted = Vec::new();
        for _ in 0..SECONDS {
            for _ in 0..EACH {
                let refusal = open(&process, key, &visitor(1))
                    .await
                    .expect_err("sold out");
                quoted.push((refusal.reference, process.clock.now()));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        quoted
    })
    .await;
    drop(process);
    let quoted = flood.result.expect("no crash");
    // Ten writes of the burst and one a second; and what the link is judged by (its key, itself,
    // its counter, the settings, image and groups), which is read again every five seconds.
    let reads = 6 * (SECONDS / 5 + 1);
    assert!(flood.calls <= 10 + SECONDS + reads, "{} calls", flood.calls);
    let (each, now) = (
        flood.spent.writes / quoted.len() as f64,
        world.stable_process(),
    );
    assert!(each < 0.1, "{each} units of writing for a refusal");
    for (reference, at) in &quoted {
        let facts = reference::open(reference, &now.keys, now.clock.now()).expect("ours");
        assert_eq!(facts.code, DenialCode::NoSessionsLeft);
        assert_eq!(facts.at.seconds(), at.seconds());
        let link = facts.link.expect("a link");
        assert!(world.cast.id.as_str().starts_with(&link));
    }
    for (reference, _) in quoted.iter().step_by(100) {
        let found = now.find_refusal(reference).await.expect("a look");
        assert_eq!(
            found.expect("is found").casts,
            std::slice::from_ref(&world.cast.id)
        );
    }
    let counted = count(&world).await;
    let least = quoted.len() - EACH - 100;
    assert!(
        counted >= least as u64,
        "{counted} of the flood are counted"
    );
}

#[tokio::test(start_paused = true)]
async fn invented_reference_is_not_found() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = sold_out(&shared_db, 63).await;
    for text in ["aaaa-aaaa", "k3f7-2mqa", "aaaa-aaaa-aaaa-aaaa"] {
        let reference = Reference::parse(text).expect("looks like one");
        let found = world.stable_process().find_refusal(&reference).await;
        assert_eq!(found.expect("a look"), None, "{text}");
    }
}
