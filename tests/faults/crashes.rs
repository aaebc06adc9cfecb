//! Every flow, killed at each of its calls, before and after the call took effect; and each call's
//! answer lost.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use casting_core::cast::{CountBy, IpLimit};
use casting_core::policy::LinkParameters;
use casting_core::session::{EndReason, State};
use casting_core::testing::user;
use casting_core::{ClaimRequest, Claimed, NextStep, Refusal, Report, Visitor};
use casting_tests::faults::{CallFault, FaultPlan, Outcome, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, open_with, visitor};

const LIMIT: IpLimit = IpLimit {
    sessions: 2,
    within_seconds: 600,
    by: CountBy::Address,
    exempt: Vec::new(),
};

/// A flow, the state it is run on, and what was given to the visitor before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Claim,
    ClaimInvited,
    OtherCapacity,
    Throttled,
    Turn,
    Resume,
    Bootstrap,
    Ready,
    End,
    EndWhileStarting,
    TaskStopped,
    StartFailed,
    Sweep,
}

const FLOWS: [Flow; 13] = [
    Flow::Claim,
    Flow::ClaimInvited,
    Flow::OtherCapacity,
    Flow::Throttled,
    Flow::Turn,
    Flow::Resume,
    Flow::Bootstrap,
    Flow::Ready,
    Flow::End,
    Flow::EndWhileStarting,
    Flow::TaskStopped,
    Flow::StartFailed,
    Flow::Sweep,
];

/// Runs `flow` with this fault plan on a world of its own, lets everything settle, and checks the
/// ledger at each step. Returns how many calls it made.
async fn run(shared_db: &SharedDb, flow: Flow, hooked: bool, faults: FaultPlan) -> Result<usize> {
    // Each world draws ids of its own, else its tickets would find the sessions of the one before.
    static WORLDS: AtomicU64 = AtomicU64::new(1000);
    let seed = WORLDS.fetch_add(1, Ordering::Relaxed);
    // A session that is resumed has taken the last place of everything.
    let places = if flow == Flow::Resume { 1 } else { 3 };
    let mut world = SimWorld::new(
        shared_db,
        seed,
        Limits {
            total: Some(places),
            ip: Some(IpLimit {
                sessions: LIMIT.sessions.min(places as u32),
                ..LIMIT
            }),
            live: Some(places as u32),
            resume: flow == Flow::Resume,
            spot_first: flow == Flow::OtherCapacity,
            invited: (flow == Flow::ClaimInvited).then_some(1),
            hooked,
            ..Limits::default()
        },
    )
    .await?;
    // On the heap: unoptimised, each of them asks for more of the stack than a test's thread has to
    // spare.
    let calls = match flow {
        Flow::Claim | Flow::ClaimInvited => Box::pin(claim_twice(&mut world, faults)).await?,
        Flow::OtherCapacity => Box::pin(claim_without_spot(&mut world, faults)).await?,
        Flow::Throttled => Box::pin(claim_while_throttled(&mut world, faults)).await?,
        Flow::Resume => Box::pin(resume_twice(&mut world, faults)).await?,
        Flow::Bootstrap => Box::pin(bootstrap_thrice(&mut world, faults)).await?,
        _ => Box::pin(set_in_motion(&mut world, flow, faults)).await?,
    };
    world
        .check_ledger()
        .await
        .context("right after the fault")?;
    world.finish().await?;
    Ok(calls)
}

async fn claim_twice(world: &mut SimWorld, faults: FaultPlan) -> Result<usize> {
    let process = world.processes[1].clone();
    let key = world.cast.settings.key.as_str().to_owned();
    let opened = open_with(&process, &key, &world.parameters(), &visitor(1))
        .await
        .map_err(|r| anyhow::anyhow!("{r:?}"))?;
    let first = run_actor(1, faults, claim(&process, &key, &opened, &visitor(1))).await;
    // The visitor, who saw nothing or an error, clicks again: the same ticket.
    let again = claim(&process, &key, &opened, &visitor(1)).await;
    let again = again.map_err(|r| anyhow::anyhow!("the second click was refused: {r:?}"))?;
    world.given.insert(again.session.id.clone());
    if let Some(Ok(claimed)) = first.result {
        ensure!(
            claimed.session.id == again.session.id,
            "two clicks, two sessions"
        );
    }
    ensure!(
        world.sessions().await?.len() == 1,
        "one ticket, several rows"
    );
    Ok(first.calls)
}

/// ECS has no room on Spot, which is tried first: the session is started on demand, once.
async fn claim_without_spot(world: &mut SimWorld, faults: FaultPlan) -> Result<usize> {
    world.refuse_starts(1);
    let is_undisturbed = matches!(faults, FaultPlan::None);
    let calls = claim_twice(world, faults).await?;
    let rows = world.sessions().await?;
    ensure!(
        !is_undisturbed || rows[0].launch.attempt == 2 && world.runs(&rows[0].id),
        "it was not started on demand: {rows:?}"
    );
    Ok(calls)
}

/// ECS throttles: the start is queued, and made once it is its turn.
async fn claim_while_throttled(world: &mut SimWorld, faults: FaultPlan) -> Result<usize> {
    world.throttle_starts(1);
    let is_undisturbed = matches!(faults, FaultPlan::None);
    let calls = claim_twice(world, faults).await?;
    let rows = world.sessions().await?;
    ensure!(
        !is_undisturbed || rows[0].waits_for_turn().is_some() && !world.runs(&rows[0].id),
        "it was not queued: {rows:?}"
    );
    Ok(calls)
}

/// A user whose session has taken the last place opens the link again, with an address.
async fn resume_twice(world: &mut SimWorld, faults: FaultPlan) -> Result<usize> {
    let key = world.cast.settings.key.as_str().to_owned();
    // A user of this world's own: only the newest 50 sessions of a user are looked at, and the
    // worlds share a database.
    let number = key.bytes().fold(0, u8::wrapping_add);
    let ann = Visitor {
        user: Some(user(number)),
        ..visitor(1)
    };
    let parameters = LinkParameters {
        kasm_url: Some("example.com".into()),
        ..LinkParameters::default()
    };
    let refused = |refusal: Refusal| anyhow::anyhow!("{refusal:?}");
    let process = world.processes[0].clone();
    let opened = open(&process, &key, &ann).await.map_err(refused)?;
    let first = claim(&process, &key, &opened, &ann).await;
    let id = first.map_err(refused)?.session.id;
    world.given.insert(id.clone());
    let rows = world.sessions().await?;
    let taken = (rows[0].charge.clone(), world.cast_now().await?.counter);
    let other = world.processes[1].clone();
    let resume = async || {
        let opened = other.open(&key, &ann, &parameters, None).await?;
        let NextStep::Claim(claimable) = opened.next else {
            return Ok(None);
        };
        let request = ClaimRequest {
            ticket: claimable.ticket,
            consent: true,
            ..ClaimRequest::default()
        };
        claim(&other, &key, &request, &ann).await.map(Some)
    };
    let run_actor = run_actor(1, faults, resume()).await;
    let again = resume().await.map_err(refused)?;
    let again = again.context("nobody must log in again")?;
    ensure!(again.session.id == id, "another session was given");
    ensure!(again.resumed == Some(vec![]), "{:?}", again.resumed);
    let rows = world.sessions().await?;
    ensure!(rows.len() == 1, "a resume has made a session");
    let now = (rows[0].charge.clone(), world.cast_now().await?.counter);
    ensure!(now == taken, "a resume has taken something: {now:?}");
    let opened = rows[0].go.as_ref().map(|go| go.url.as_str());
    ensure!(opened == Some("https://example.com/"), "{opened:?}");
    Ok(run_actor.calls)
}

/// A gate exchanges its token; then the exchange is repeated, by a thief or by the gate itself,
/// which got no answer.
async fn bootstrap_thrice(world: &mut SimWorld, faults: FaultPlan) -> Result<usize> {
    let [claimer, first, second] = [0, 1, 2].map(|n| world.processes[n].clone());
    let key = world.cast.settings.key.as_str().to_owned();
    let refused = |refusal: Refusal| anyhow::anyhow!("{refusal:?}");
    let opened = open(&claimer, &key, &visitor(1)).await.map_err(refused)?;
    let claimed = claim(&claimer, &key, &opened, &visitor(1)).await;
    let session = claimed.map_err(refused)?.session;
    let id = session.id.clone();
    world.given.insert(id.clone());
    let token = first
        .keys
        .sessions()
        .named(&session.secret_key)
        .bootstrap_token(&id, session.launch.attempt);
    let brought = run_actor(1, faults, first.bootstrap(&id, &token)).await;
    let row = world.stable_process().store.session(&id).await?;
    let is_used = row.context("it has a row")?.bootstrapped.is_some();
    let again = second.bootstrap(&id, &token).await.is_ok();
    let last = first.bootstrap(&id, &token).await.is_ok();
    let heard = brought.result.is_some_and(|result| result.is_ok());
    ensure!(
        !heard || is_used,
        "the secret was given and nothing says so"
    );
    ensure!(again != is_used, "used: {is_used}, and again: {again}");
    ensure!(!last, "the token was good a third time");
    if heard || again {
        world.give_secret(&id)?;
        let secret = first.keys.sessions().secret(&id).expose().to_owned();
        let ready = Report::Ready { port: 1 };
        let ready = first.report(&id, &secret, ready, visitor(1).address).await;
        ready.map_err(refused)?;
        world.served.insert(id);
    } else {
        // The secret was issued to no gate. The gate ends, and so does its task.
        world
            .ecs
            .exit(&session.task.context("it has a task")?.arn, 4);
        world.settle().await?;
        let row = world.stable_process().store.session(&id).await?;
        let row = row.context("it has a row")?;
        ensure!(row.is_refunded(), "{row:?}");
    }
    Ok(brought.calls)
}

async fn set_in_motion(world: &mut SimWorld, flow: Flow, faults: FaultPlan) -> Result<usize> {
    let process = world.processes[1].clone();
    if flow == Flow::StartFailed {
        world.fail_starts(1);
    }
    if flow == Flow::Turn {
        world.throttle_starts(1);
    }
    let key = world.cast.settings.key.as_str().to_owned();
    let opened = open(&process, &key, &visitor(1))
        .await
        .map_err(|r| anyhow::anyhow!("{r:?}"))?;
    let Claimed {
        session,
        owner_ticket,
        ..
    } = claim(&process, &key, &opened, &visitor(1))
        .await
        .map_err(|r| anyhow::anyhow!("{r:?}"))?;
    let id = session.id.clone();
    world.given.insert(id.clone());
    let secret = process.keys.sessions().secret(&id).expose().to_owned();
    let here = visitor(1).address;
    let other = world.processes[2].clone();
    let calls = match flow {
        Flow::Claim
        | Flow::ClaimInvited
        | Flow::OtherCapacity
        | Flow::Throttled
        | Flow::Resume
        | Flow::Bootstrap => 0,
        // Two pages of the visitor ask, one after the other.
        Flow::Turn => {
            ensure!(!world.runs(&id), "it is queued");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let is_undisturbed = matches!(faults, FaultPlan::None);
            let asked = run_actor(1, faults, other.status(&id, Some(&owner_ticket))).await;
            let again = process.status(&id, Some(&owner_ticket)).await;
            again.map_err(|r| anyhow::anyhow!("{r:?}"))?;
            ensure!(
                !is_undisturbed || world.runs(&id),
                "it was its turn, and it was not started"
            );
            asked.calls
        }
        Flow::Ready => {
            let run_actor = run_actor(
                1,
                faults,
                other.report(&id, &secret, Report::Ready { port: 1 }, here),
            )
            .await;
            if run_actor.result.is_some_and(|result| result.is_ok()) {
                world.served.insert(id);
            }
            run_actor.calls
        }
        Flow::End => {
            other
                .report(&id, &secret, Report::Ready { port: 1 }, here)
                .await
                .map_err(|r| anyhow::anyhow!("{r:?}"))?;
            world.served.insert(id.clone());
            run_actor(1, faults, other.end(&id, Some(&owner_ticket)))
                .await
                .calls
        }
        Flow::EndWhileStarting => {
            run_actor(1, faults, other.end(&id, Some(&owner_ticket)))
                .await
                .calls
        }
        Flow::TaskStopped | Flow::StartFailed => {
            if flow == Flow::TaskStopped {
                let arn = session.task.context("it has a task")?.arn;
                world.ecs.exit(&arn, 3);
            }
            let mut calls = 0;
            for event in world.events() {
                // EventBridge carries an event again when the function did not take it.
                let Outcome {
                    result,
                    calls: made,
                    ..
                } = run_actor(
                    1,
                    faults.clone(),
                    casting_fn_lifecycle::handle(&other, event.clone()),
                )
                .await;
                calls = calls.max(made);
                if result.is_none_or(|result| result.is_err()) {
                    let _ = casting_fn_lifecycle::handle(&other, event).await;
                }
            }
            if flow == Flow::StartFailed {
                let row = other.store.session(&id).await?.context("it has a row")?;
                ensure!(
                    row.launch.attempt == 2 && row.is_live() && world.runs(&id),
                    "it was not started again: {row:?}"
                );
            }
            calls
        }
        Flow::Sweep => {
            tokio::time::sleep(std::time::Duration::from_secs(200)).await;
            run_actor(1, faults, other.sweep()).await.calls
        }
    };
    Ok(calls)
}

#[test]
fn ledger_survives_crashes_and_lost_answers_at_every_call() {
    on_main_stack(no_call_breaks_the_ledger());
}

/// Runs a test on a stack as large as a program's main thread has: unoptimised, a claim and the
/// database that answers it in process need more than a test's thread has.
fn on_main_stack(test: impl Future<Output = ()> + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(test);
    };
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(run);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

async fn no_call_breaks_the_ledger() {
    let shared_db = SharedDb::new().await.expect("a database");
    // Those that tell a hook of something else than another does.
    let told = [
        Flow::Claim,
        Flow::Ready,
        Flow::End,
        Flow::EndWhileStarting,
        Flow::StartFailed,
    ];
    let plain = FLOWS.into_iter().map(|flow| (flow, false));
    for (flow, hooked) in plain.chain(told.map(|flow| (flow, true))) {
        let calls = run(&shared_db, flow, hooked, FaultPlan::None)
            .await
            .unwrap_or_else(|error| panic!("{flow:?} without faults: {error:#}"));
        assert!(calls > 0, "{flow:?} makes no calls, so nothing was tested");
        for call in 0..calls {
            for call_fault in [
                CallFault::CrashBefore,
                CallFault::CrashAfter,
                CallFault::LostBefore,
                CallFault::LostAfter,
            ] {
                let faults = FaultPlan::At(call, call_fault.clone());
                let ran = run(&shared_db, flow, hooked, faults).await;
                ran.unwrap_or_else(|error| {
                    panic!("{flow:?}, {call_fault:?} at call {call} of {calls}: {error:#}")
                });
            }
        }
    }
}

/// A claim is in no schedule, and the index that shows it may be behind: a sweep that has not seen it
/// says that all of its time are done, and a later one looks again.
#[tokio::test(start_paused = true)]
async fn claim_that_its_index_shows_late_is_swept() {
    let shared_db = SharedDb::new().await.expect("a database");
    let limits = Limits {
        total: Some(1),
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, 75, limits).await;
    let world = world.expect("a world");
    let process = world.processes[0].clone();
    let key = world.cast.settings.key.as_str().to_owned();
    let opened = open(&process, &key, &visitor(1)).await.expect("opens");
    for call in 0..10 {
        let crash = FaultPlan::At(call, CallFault::CrashAfter);
        let dead = run_actor(1, crash, claim(&process, &key, &opened, &visitor(1))).await;
        assert!(dead.result.is_none());
        if !world.sessions().await.expect("reads").is_empty() {
            break;
        }
    }
    let state = async || {
        let rows = world.sessions().await.expect("reads");
        assert_eq!(rows.len(), 1, "the claim took effect");
        (rows[0].state.as_str(), rows[0].is_refunded())
    };
    assert_eq!(state().await, ("reserved", false));
    let now = process.clock.now();
    let seen = process.store.set_scheduled_until(now).await;
    seen.expect("is written");
    for (seconds, expected) in [(89, "reserved"), (600, "reserved"), (400, "ended")] {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        process.sweep().await.expect("sweeps");
        // No task is found twice, so that one that ECS has not shown yet is not lost.
        tokio::time::sleep(std::time::Duration::from_secs(61)).await;
        process.sweep().await.expect("sweeps");
        assert_eq!(state().await.0, expected, "after {seconds} s");
    }
    assert_eq!(state().await, ("ended", true));
    world.check_ledger().await.expect("given back once");
    let far = process.store.scheduled_until().await.expect("reads");
    assert!(far > Some(now), "it moves on");
}

/// The row names no task until ECS's first event. A second click before it repeats the call, and a
/// refusal of that says nothing of the first one's task.
#[tokio::test(start_paused = true)]
async fn refused_second_click_keeps_the_first_ones_task() {
    let shared_db = SharedDb::new().await.expect("a database");
    for told_first in [false, true] {
        let limits = Limits {
            total: Some(1),
            ..Limits::default()
        };
        let mut world = SimWorld::new(&shared_db, 70 + u64::from(told_first), limits)
            .await
            .expect("a world");
        let key = world.cast.settings.key.as_str().to_owned();
        let process = world.processes[0].clone();
        let opened = open(&process, &key, &visitor(1)).await.expect("opens");
        let first = claim(&process, &key, &opened, &visitor(1)).await;
        let id = first.expect("is accepted").session.id;
        let row = process.store.session(&id).await.expect("read");
        assert_eq!(row.expect("a row").task, None, "it is written once");
        if told_first {
            for event in world.events() {
                let told = casting_fn_lifecycle::handle(&process, event).await;
                told.expect("is taken");
            }
        }
        world.throttle_starts(20);
        let other = world.processes[1].clone();
        let again = claim(&other, &key, &opened, &visitor(1)).await;
        assert_eq!(again.expect("is the same").session.id, id);
        world.throttle_starts(0);
        world.given.insert(id.clone());
        world.settle_starting().await.expect("starts");
        let row = process.store.session(&id).await.expect("read");
        let row = row.expect("a row");
        assert_eq!(row.state, State::Starting, "{row:?}");
        assert_eq!(row.task.map(|task| task.arn), world.task_of(&id));
        world.finish().await.expect("holds");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_ecs_start_refunds_and_reports() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        2,
        Limits {
            total: Some(1),
            ip: Some(LIMIT),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let process = world.stable_process();
    world.refuse_starts(1);
    let opened = open(process, &key, &visitor(1)).await.expect("opens");
    let refusal = claim(process, &key, &opened, &visitor(1))
        .await
        .expect_err("is refused");
    assert_eq!(refusal.denial().code.as_str(), "no-capacity");
    assert!(refusal.denial().retry_after.is_some());
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        1
    );
    let rows = world.sessions().await.expect("lists");
    assert!(
        matches!(
            rows[0].state,
            State::Ended {
                reason: EndReason::NoCapacity,
                refunded: true,
                ..
            }
        ),
        "{rows:?}"
    );
    world.check_ledger().await.expect("holds");
    // The place and the slot are free again.
    let opened = open(world.stable_process(), &key, &visitor(1))
        .await
        .expect("opens");
    claim(world.stable_process(), &key, &opened, &visitor(1))
        .await
        .expect("is given a session");
    world.clear().await.expect("ends");
}

#[tokio::test(start_paused = true)]
async fn start_timeout_stops_and_refunds() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        3,
        Limits {
            total: Some(1),
            ip: None,
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let opened = open(world.stable_process(), &key, &visitor(1))
        .await
        .expect("opens");
    let claimed = claim(world.stable_process(), &key, &opened, &visitor(1))
        .await
        .expect("is given a session");
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        0
    );
    tokio::time::sleep(std::time::Duration::from_secs(181)).await;
    world.settle().await.expect("settles");
    let row = world
        .stable_process()
        .store
        .session(&claimed.session.id)
        .await
        .expect("reads")
        .expect("is there");
    assert!(
        matches!(
            row.state,
            State::Ended {
                reason: EndReason::StartTimeout,
                refunded: true,
                ..
            }
        ),
        "{row:?}"
    );
    assert_eq!(
        casting_core::outcome(&row).expect("is told").code.as_str(),
        "start-timeout"
    );
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        1
    );
    world.check_tasks().await.expect("no task is left");
}

#[tokio::test(start_paused = true)]
async fn concurrent_sweeps_and_duplicate_events_release_once() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        4,
        Limits {
            total: Some(2),
            ip: Some(LIMIT),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let opened = open(world.stable_process(), &key, &visitor(1))
        .await
        .expect("opens");
    let claimed = claim(world.stable_process(), &key, &opened, &visitor(1))
        .await
        .expect("is given a session");
    tokio::time::sleep(std::time::Duration::from_secs(200)).await;
    world
        .ecs
        .exit(&claimed.session.task.expect("has a task").arn, 1);
    let mut events = world.events();
    events.extend(events.clone());
    events.reverse();
    let (a, b) = (world.processes[1].clone(), world.processes[2].clone());
    let slow = || FaultPlan::Random { percent: 0 };
    let carry = async {
        for event in events {
            casting_fn_lifecycle::handle(&a, event)
                .await
                .expect("takes it");
        }
    };
    let (one, two, _) = tokio::join!(
        run_actor(1, slow(), a.sweep()),
        run_actor(2, slow(), b.sweep()),
        run_actor(3, slow(), carry)
    );
    assert!(one.result.is_some() && two.result.is_some());
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        2
    );
    world.check_ledger().await.expect("holds");
}

#[tokio::test(start_paused = true)]
async fn repeated_previews_write_nothing() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(
        &shared_db,
        6,
        Limits {
            total: Some(1),
            ip: Some(LIMIT),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let before = world.snapshot().await.expect("reads everything");
    assert!(
        before.len() >= 3,
        "the cast, its key and its image, or this would show nothing"
    );
    for n in 0..20 {
        let process = &world.processes[n % 3];
        open(process, world.cast.settings.key.as_str(), &visitor(n as u8))
            .await
            .expect("opens");
    }
    assert_eq!(world.snapshot().await.expect("reads everything"), before);
    assert!(world.ecs.tasks().is_empty());
}
