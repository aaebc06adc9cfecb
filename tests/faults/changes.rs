//! Owns what other function instances go by: how soon a change reaches them, and that looking up a
//! disabled link is the same work as looking up an unknown one.

use casting_core::cast::{Cast, CastSettings, CounterChange};
use casting_core::deployment::{DEPLOYMENT_ID, Deployment};
use casting_core::ids::CastKey;
use casting_core::policy::LinkParameters;
use casting_core::testing::{SeededEntropy, user};
use casting_core::{CHANGE_SECONDS, ClaimRequest, Visitor};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};

/// A change by an administrator through another instance.
async fn change(
    world: &SimWorld,
    settings: impl FnOnce(&mut CastSettings),
    remaining: Option<u64>,
) {
    let before = world.cast_now().await.expect("is there");
    let mut after = Cast {
        version: before.version + 1,
        ..before.clone()
    };
    settings(&mut after.settings);
    let change = remaining.map_or(CounterChange::Keep, CounterChange::Set);
    after.counter = before.counter.changed(change);
    let store = &world.stable_process().store;
    store
        .replace_cast(&before, &after, change, None)
        .await
        .expect("is written");
}

/// What a visitor at another address is refused with; `None`: they get a session.
async fn refused(world: &SimWorld, n: u8) -> Option<&'static str> {
    let (process, key) = (&world.processes[1], world.cast.settings.key.as_str());
    let opened = match open(process, key, &visitor(n)).await {
        Ok(opened) => opened,
        Err(refusal) => return Some(refusal.denial().code.as_str()),
    };
    let claimed = claim(process, key, &opened, &visitor(n)).await;
    claimed.err().map(|refusal| refusal.denial().code.as_str())
}

async fn later() {
    tokio::time::sleep(std::time::Duration::from_secs(CHANGE_SECONDS)).await;
}

#[tokio::test(start_paused = true)]
async fn change_reaches_other_instances_within_seconds() {
    let shared_db = SharedDb::new().await.expect("a database");
    let one = |total, live| Limits {
        total,
        live,
        ..Limits::default()
    };
    // The last place is taken, then raised.
    let world = SimWorld::new(&shared_db, 1, one(Some(1), None)).await;
    let world = world.expect("a world");
    assert_eq!(refused(&world, 1).await, None);
    assert_eq!(refused(&world, 2).await, Some("no-sessions-left"));
    change(&world, |_| {}, Some(5)).await;
    later().await;
    assert_eq!(refused(&world, 3).await, None, "the counter was raised");
    // The other instance takes what is left, so this one finds out by its reservation.
    change(&world, |_| {}, Some(0)).await;
    assert_eq!(
        refused(&world, 4).await,
        Some("no-sessions-left"),
        "never one too many, whatever is remembered"
    );
    change(&world, |_| {}, Some(1)).await;
    later().await;
    assert_eq!(refused(&world, 5).await, None, "raised once more");

    let world = SimWorld::new(&shared_db, 2, one(None, Some(1))).await;
    let world = world.expect("a world");
    assert_eq!(refused(&world, 1).await, None);
    assert_eq!(refused(&world, 2).await, Some("cast-busy"));
    change(&world, |cast| cast.max_live_sessions = Some(2), None).await;
    later().await;
    assert_eq!(refused(&world, 3).await, None, "the cap was raised");

    let world = SimWorld::new(&shared_db, 3, Limits::default()).await;
    let world = world.expect("a world");
    assert_eq!(refused(&world, 1).await, None);
    change(&world, |cast| cast.enabled = false, None).await;
    later().await;
    assert_eq!(refused(&world, 2).await, Some("unknown-cast"), "off");
    change(&world, |cast| cast.enabled = true, None).await;
    later().await;
    assert_eq!(refused(&world, 3).await, None, "on again");

    let store = &world.stable_process().store;
    let mut deployment = Deployment::default();
    let before = store
        .record::<Deployment>(DEPLOYMENT_ID)
        .await
        .expect("reads");
    deployment.settings.max_sessions = Some(0);
    deployment.version = before.as_ref().map_or(1, |before| before.version + 1);
    store
        .put_record(
            &deployment,
            before.as_ref().map(|before| before.version),
            None,
        )
        .await
        .expect("is written");
    later().await;
    assert_eq!(refused(&world, 4).await, Some("maintenance"), "settings");
}

#[tokio::test(start_paused = true)]
async fn refunded_session_is_visible_at_once_in_its_instance() {
    let shared_db = SharedDb::new().await.expect("a database");
    let limits = Limits {
        total: Some(1),
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, 4, limits).await.expect("a world");
    let (process, key) = (&world.processes[1], world.cast.settings.key.as_str());
    let opened = open(process, key, &visitor(1)).await.expect("opens");
    let first = claim(process, key, &opened, &visitor(1)).await;
    let first = first.expect("a session");
    assert_eq!(refused(&world, 2).await, Some("no-sessions-left"));
    process
        .end(&first.session.id, Some(&first.owner_ticket))
        .await
        .expect("ends before it is ready");
    process.sweep().await.expect("sweeps");
    let row = process.store.session(&first.session.id).await;
    if row.expect("reads").expect("is there").is_refunded() {
        assert_eq!(refused(&world, 3).await, None);
    } else {
        panic!("nothing was given back, so nothing was shown");
    }
}

#[tokio::test(start_paused = true)]
async fn link_open_looks_up_sessions_only_for_resumable_links() {
    let shared_db = SharedDb::new().await.expect("a database");
    let ann = Visitor {
        user: Some(user(1)),
        ..visitor(1)
    };
    for (name, resume, visitor, more) in [
        ("anonymous, resume off", false, &visitor(1), false),
        ("anonymous, resume on", true, &visitor(1), false),
        ("logged in, resume off", false, &ann, false),
        ("logged in, resume on", true, &ann, true),
    ] {
        let limits = Limits {
            resume,
            ..Limits::default()
        };
        let world = SimWorld::new(&shared_db, 10 + u64::from(resume), limits).await;
        let world = world.expect("a world");
        let key = world.cast.settings.key.as_str();
        open(world.stable_process(), key, visitor)
            .await
            .expect("opens");
        let before = world.snapshot().await.expect("reads everything");
        let again = run_actor(
            1,
            FaultPlan::None,
            open(world.stable_process(), key, visitor),
        )
        .await;
        again.result.expect("no crash").expect("opens");
        assert_eq!(again.spent.reads > 0.0, more, "{name}: {:?}", again.spent);
        assert_eq!(again.spent.writes, 0.0, "{name}");
        let after = world.snapshot().await.expect("reads everything");
        assert_eq!(after, before, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn disabled_and_unknown_links_cost_the_same() {
    let shared_db = SharedDb::new().await.expect("a database");
    // Its link is gone with the next world; its ticket is that of another link all the same.
    let other = SimWorld::new(&shared_db, 21, Limits::default()).await;
    let other = other.expect("a world");
    let foreign = open(
        other.stable_process(),
        other.cast.settings.key.as_str(),
        &visitor(1),
    )
    .await;
    let foreign = foreign.expect("opens").ticket;
    let limits = Limits {
        total: Some(1),
        live: Some(1),
        captcha: true,
        room: true,
        resume: true,
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, 20, limits)
        .await
        .expect("a world");
    change(&world, |cast| cast.enabled = false, None).await;
    let entropy = SeededEntropy::new(22);
    let unknown = CastKey::random(&entropy);
    let ann = Visitor {
        user: Some(user(1)),
        ..visitor(1)
    };
    let keys = [unknown.as_str(), world.cast.settings.key.as_str()];
    for (who, visitor) in [("anonymous", &visitor(1)), ("logged in", &ann)] {
        for (ticket, name) in [
            (None, "page"),
            (Some(""), "none"),
            (Some(foreign.as_str()), "foreign"),
        ] {
            // The row that a refusal is counted in grows with its samples, so its units do not
            // tell.
            let mut found: Vec<(usize, f64)> = Vec::new();
            for key in keys {
                // A process of its own remembers nothing.
                let process = world.new_process();
                let visit = async {
                    match ticket {
                        None => visit(&process, key, visitor).await,
                        Some(ticket) => {
                            let request = ClaimRequest {
                                ticket: ticket.to_owned(),
                                ..ClaimRequest::default()
                            };
                            let claimed = process.claim(key, &request, visitor).await;
                            claimed.err().map(|refusal| refusal.denial().code.as_str())
                        }
                    }
                };
                let run_actor = run_actor(1, FaultPlan::None, visit).await;
                assert_eq!(run_actor.result.expect("no crash"), Some("unknown-cast"));
                found.push((run_actor.calls, run_actor.spent.reads));
            }
            assert_eq!(found[0], found[1], "{who}, {name}");
        }
        let mut badges = Vec::new();
        for key in keys {
            let process = world.new_process();
            let seen = process.link_status(key, visitor.address, None);
            let run_actor = run_actor(1, FaultPlan::None, seen).await;
            run_actor.result.expect("no crash").expect("stands");
            badges.push((run_actor.calls, run_actor.spent));
        }
        assert_eq!(badges[0], badges[1], "{who}, badge");
    }
}

async fn visit(
    process: &casting_core::ControlPlane,
    key: &str,
    visitor: &Visitor,
) -> Option<&'static str> {
    let opened = process
        .open(key, visitor, &LinkParameters::default(), None)
        .await;
    opened.err().map(|refusal| refusal.denial().code.as_str())
}
