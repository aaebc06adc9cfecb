//! Refusals are found by what their visitors quote, also when the process that refused is gone, and what that costs does not follow a flood.

use std::time::Duration;

use casting_core::denial::DenialCode;
use casting_core::ids::Reference;
use casting_core::ports::Store;
use casting_core::reference;
use casting_tests::faults::{Fate, Luck, act};
use casting_tests::wire;
use casting_tests::world::{Ground, Limits, World, open, visitor};

async fn sold_out(ground: &Ground, seed: u64) -> World {
    let limits = Limits {
        total: Some(0),
        ..Limits::default()
    };
    World::make(ground, seed, limits).await.expect("a world")
}

#[tokio::test(start_paused = true)]
async fn references_survive_a_process_exit() {
    let ground = Ground::lay().await.expect("ground");
    let world = sold_out(&ground, 60).await;
    let key = world.cast.settings.key.as_str();
    let mut quoted: Vec<Reference> = Vec::new();
    for n in 1..=10 {
        // Each visitor meets an instance of their own, which is frozen for ever after its first answer.
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
        let found = world.calm().find_refusal(reference).await.expect("a look");
        let found = found.expect("is found");
        assert_eq!(found.facts.code, DenialCode::NoSessionsLeft);
        assert_eq!(found.casts, std::slice::from_ref(&world.cast.id));
        let sample = found.sample.expect("with its details");
        assert_eq!(sample.reference, *reference);
    }
    let rows = world.calm().store.refusals(Some(&world.cast.id), 0).await;
    let rows = rows.expect("rows");
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 20);
}

#[tokio::test(start_paused = true)]
async fn reference_is_found_without_any_stored_row() {
    let ground = Ground::lay().await.expect("ground");
    let world = sold_out(&ground, 61).await;
    let key = world.cast.settings.key.as_str();
    let throttled = Fate::Refused(wire::refusal("AccessDeniedException", "No."));
    for (name, fate, ends, counted) in [
        ("the store refuses", throttled, true, 0),
        ("nothing arrives", Fate::LostBefore, true, 0),
        ("the process dies before", Fate::CrashBefore, false, 0),
        ("the process dies after", Fate::CrashAfter, false, 1),
    ] {
        let process = world.new_process();
        let _ = open(&process, key, &visitor(1)).await;
        let before = count(&world).await;
        // Everything is remembered by now, so the only call writes the refusal.
        let refused = act(1, Luck::At(0, fate), open(&process, key, &visitor(2))).await;
        assert_eq!(refused.result.is_some(), ends, "{name}");
        if let Some(Err(refusal)) = refused.result {
            let found = world.calm().find_refusal(&refusal.reference).await;
            let found = found.expect("a look").expect("is found");
            assert_eq!(found.casts, std::slice::from_ref(&world.cast.id), "{name}");
        }
        assert!(count(&world).await >= before + counted, "{name}");
    }
}

async fn count(world: &World) -> u64 {
    let rows = world.calm().store.refusals(Some(&world.cast.id), 0).await;
    rows.expect("rows").iter().map(|row| row.count).sum()
}

#[tokio::test(start_paused = true)]
async fn refusal_flood_is_cheap_and_references_stay_valid() {
    const SECONDS: usize = 10;
    const EACH: usize = 1000;
    let ground = Ground::lay().await.expect("ground");
    let world = sold_out(&ground, 62).await;
    let key = world.cast.settings.key.as_str();
    let process = world.new_process();
    let flood = act(1, Luck::Good, async {
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
    // the settings, image and groups), which is read again every five seconds.
    let reads = 5 * (SECONDS / 5 + 1);
    assert!(flood.calls <= 10 + SECONDS + reads, "{} calls", flood.calls);
    let (each, now) = (flood.spent.writes / quoted.len() as f64, world.calm());
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
    let ground = Ground::lay().await.expect("ground");
    let world = sold_out(&ground, 63).await;
    for text in ["aaaa-aaaa", "k3f7-2mqa", "aaaa-aaaa-aaaa-aaaa"] {
        let reference = Reference::parse(text).expect("looks like one");
        let found = world.calm().find_refusal(&reference).await;
        assert_eq!(found.expect("a look"), None, "{text}");
    }
}
