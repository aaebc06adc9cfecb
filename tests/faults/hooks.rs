//! Events of hooks, with the sender killed at each of its calls, before and after the call took
//! effect, and each call's answer lost. That no move loses or invents an event is with the crashes of
//! all flows.

use std::time::Duration;

use anyhow::{Result, ensure};
use casting_tests::faults::{CallFault, FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};

/// A sender with this fault, then another one without. Returns how many calls the first made.
async fn send(shared_db: &SharedDb, seed: u64, faults: FaultPlan) -> Result<usize> {
    let limits = Limits {
        hooked: true,
        ..Limits::default()
    };
    let mut world = SimWorld::new(shared_db, seed, limits).await?;
    let process = world.processes[1].clone();
    let key = world.cast.settings.key.as_str().to_owned();
    for n in 1..=2 {
        let opened = open(&process, &key, &visitor(n)).await;
        let opened = opened.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let claimed = claim(&process, &key, &opened, &visitor(n)).await;
        let claimed = claimed.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        world.given.insert(claimed.session.id);
    }
    let first = run_actor(1, faults, process.deliver()).await;
    world.check_ledger().await?;
    // The lease of what a dead sender had begun.
    tokio::time::sleep(Duration::from_secs(120)).await;
    world.processes[2].deliver().await?;
    let taken = world.taken();
    ensure!(
        taken.len() == 2,
        "two claims are two events, sent once or more: {taken:?}"
    );
    world.finish().await?;
    Ok(first.calls)
}

#[tokio::test(start_paused = true)]
async fn event_whose_sender_dies_is_sent_by_the_next() {
    let shared_db = SharedDb::new().await.expect("a database");
    let calls = send(&shared_db, 9000, FaultPlan::None).await;
    let calls = calls.expect("without a fault");
    assert!(calls >= 7, "the sender calls store and receiver: {calls}");
    let mut seed = 9000;
    for call in 0..calls {
        for fault in [
            CallFault::CrashBefore,
            CallFault::CrashAfter,
            CallFault::LostBefore,
            CallFault::LostAfter,
        ] {
            seed += 1;
            let plan = FaultPlan::At(call, fault.clone());
            let sent = send(&shared_db, seed, plan).await;
            assert!(sent.is_ok(), "{fault:?} at call {call}: {sent:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_senders_send_an_event_once() {
    let shared_db = SharedDb::new().await.expect("a database");
    let limits = Limits {
        hooked: true,
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, 9900, limits).await;
    let world = world.expect("a world");
    let process = world.processes[0].clone();
    let key = world.cast.settings.key.as_str().to_owned();
    for n in 1..=5 {
        let opened = open(&process, &key, &visitor(n)).await.expect("opens");
        let claimed = claim(&process, &key, &opened, &visitor(n)).await;
        claimed.expect("is accepted");
    }
    let senders = world.processes.iter().map(|process| process.deliver());
    for sent in futures_util::future::join_all(senders).await {
        sent.expect("what is due");
    }
    let taken = world.taken();
    assert_eq!(taken.len(), 5, "{taken:?}");
    assert!(taken.values().all(|times| *times == 1), "{taken:?}");
}
