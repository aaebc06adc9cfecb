//! Pools in histories drawn from a seed: visitors, rounds of refilling, gates that die or hear
//! nothing, an administrator who changes how many are kept, all at once, with faults on their calls
//! and processes that die. `CASTING_TEST_HISTORIES` and `CASTING_TEST_SEED` as in `histories`, but
//! a fourth as many.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use casting_core::ids::SessionId;
use casting_core::pooled::waiting;
use casting_core::ports::Saved;
use casting_core::queries::SessionQuery;
use casting_core::session::{EndReason, PoolRole, Session, State};
use casting_core::staging::StagingConfig;
use casting_core::{Claimed, Report};
use casting_tests::faults::{CallFault, FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};
use tokio::task::JoinSet;

use crate::histories::{Summary, count, play, share_of_each_core};

/// How many steps a history has.
const STEPS: usize = 6;

#[test]
fn pool_invariants_hold_in_random_histories() {
    // These are longer than the others.
    let histories = count().div_ceil(4);
    let Summary { given, .. } = share_of_each_core("pools", histories, |seeds| {
        play(seeds, &async |shared_db, seed| {
            history(shared_db, seed).await.map(Summary::given)
        })
    });
    assert!(
        given as u64 >= histories,
        "{given} sessions in {histories} histories were started ahead: too few for the checks to \
         mean anything"
    );
}

enum Done {
    Given(Box<Claimed>),
    NotTaken(serde_json::Value),
    Nothing,
}

/// Plays one history, and gives how many visitors were given a session that was started ahead.
async fn history(shared_db: &SharedDb, seed: u64) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let desired = rng.u32(1..5);
    let limits = Limits {
        total: rng.bool().then(|| rng.u64(2..7)),
        live: rng.bool().then_some(4),
        ready: Some(desired),
        ..Limits::default()
    };
    let mut world = SimWorld::new(shared_db, seed + 1_000_000, limits).await?;
    let (mut given, mut undelivered): (Vec<Claimed>, Vec<serde_json::Value>) =
        (Vec::new(), Vec::new());
    fill(&mut world, 3).await?;
    for step in 0..STEPS {
        if rng.u8(0..6) == 0 {
            set_desired(&mut world, rng.u32(0..5)).await?;
        }
        if rng.u8(0..8) == 0 {
            world.refuse_starts(rng.usize(1..3));
        }
        undelivered.extend(world.events());
        let mut actors = JoinSet::new();
        for n in 0..rng.u64(2..7) {
            let faults = FaultPlan::Random {
                percent: if rng.bool() { 0 } else { 15 },
            };
            send_actor(
                &mut actors,
                &mut rng,
                &world,
                faults,
                &mut undelivered,
                seed * 1000 + step as u64 * 10 + n,
            )
            .await?;
        }
        while let Some(done) = actors.join_next().await {
            match done.context("an actor panicked")? {
                Done::Given(claimed) => given.push(*claimed),
                Done::NotTaken(event) => undelivered.push(event),
                Done::Nothing => {}
            }
        }
        check(&world, &given)
            .await
            .with_context(|| format!("after step {step}"))?;
        tokio::time::sleep(Duration::from_secs(rng.u64(0..100))).await;
    }
    for event in undelivered {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    world.refuse_starts(0);
    world.settle().await?;
    // Failed starts pause a pool for up to half an hour.
    fill(&mut world, 40).await?;
    check(&world, &given)
        .await
        .context("once it is full again")?;
    world.check_tasks().await?;
    let desired = world
        .pool
        .as_ref()
        .map_or(0, |pool| pool.settings.desired_sessions);
    let ready = world
        .unassigned_sessions()
        .await?
        .iter()
        .filter(|row| matches!(row.state, State::Ready { .. }))
        .count();
    ensure!(
        ready == desired as usize,
        "{ready} are ready, and {desired} are to be"
    );
    set_desired(&mut world, 0).await?;
    fill(&mut world, 5).await?;
    world.clear().await?;
    ensure!(
        world
            .unassigned_sessions()
            .await?
            .iter()
            .all(|row| !row.is_live()),
        "a pool of nothing keeps nothing"
    );
    check(&world, &given).await.context("at the end")?;
    world.check_tasks().await?;
    Ok(given
        .iter()
        .filter(|claimed| place(&claimed.session) == Some(PoolRole::Assigned))
        .count())
}

/// Without faults: news, rounds and gates that answer, until the pool is as it is to be, or so many
/// minutes are over.
pub async fn fill(world: &mut SimWorld, minutes: u32) -> Result<()> {
    for _ in 0..minutes {
        if fill_round(world).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    Ok(())
}

/// One round of that. Whether the pool was as it is to be.
pub async fn fill_round(world: &mut SimWorld) -> Result<bool> {
    for event in world.events() {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    world.stable_process().sweep().await?;
    world.stable_process().refill().await?;
    let rows = world.unassigned_sessions().await?;
    for row in rows
        .iter()
        .filter(|row| matches!(row.state, State::Starting) && world.gates.hears(&row.id))
    {
        report_ready(world, &row.id).await;
    }
    // One whose gate hears nothing is ready as well, until a visitor comes.
    let ready = rows
        .iter()
        .filter(|row| matches!(row.state, State::Ready { .. }))
        .count();
    let desired = world
        .pool
        .as_ref()
        .map_or(0, |pool| pool.settings.desired_sessions);
    Ok(ready == desired as usize && rows.iter().filter(|row| row.is_live()).count() == ready)
}

async fn report_ready(world: &SimWorld, id: &SessionId) {
    let secret = world
        .stable_process()
        .keys
        .sessions()
        .secret(id)
        .expose()
        .to_owned();
    let _ = world
        .stable_process()
        .report(id, &secret, Report::Ready { port: 1 }, visitor(9).address)
        .await;
}

pub async fn set_desired(world: &mut SimWorld, desired: u32) -> Result<()> {
    let Some(before) = &world.pool else {
        return Ok(());
    };
    let mut after = StagingConfig {
        version: before.version + 1,
        ..before.clone()
    };
    after.settings.desired_sessions = desired;
    ensure!(
        world
            .stable_process()
            .store
            .put_record(&after, Some(before.version), None)
            .await?
            == Saved::Done,
        "the pool is ours to change"
    );
    world.pool = Some(after);
    Ok(())
}

async fn send_actor(
    actors: &mut JoinSet<Done>,
    rng: &mut fastrand::Rng,
    world: &SimWorld,
    faults: FaultPlan,
    undelivered: &mut Vec<serde_json::Value>,
    seed: u64,
) -> Result<()> {
    let (process, other) = (
        world.processes[rng.usize(0..3)].clone(),
        world.processes[rng.usize(0..3)].clone(),
    );
    let key = world.cast.settings.key.as_str().to_owned();
    let unassigned_sessions: Vec<Session> = world
        .unassigned_sessions()
        .await?
        .into_iter()
        .filter(Session::is_live)
        .collect();
    let chosen = (!unassigned_sessions.is_empty())
        .then(|| unassigned_sessions[rng.usize(0..unassigned_sessions.len())].clone());
    match (rng.u8(0..12), chosen) {
        (0..=4, _) => {
            let (who, again) = (visitor(rng.u8(1..200)), rng.bool());
            actors.spawn(async move {
                let Ok(opened) = open(&process, &key, &who).await else {
                    return Done::Nothing;
                };
                let mut claimed =
                    run_actor(seed, faults.clone(), claim(&process, &key, &opened, &who))
                        .await
                        .result
                        .and_then(Result::ok);
                if again {
                    claimed = run_actor(seed + 7, faults, claim(&other, &key, &opened, &who))
                        .await
                        .result
                        .and_then(Result::ok)
                        .or(claimed);
                }
                claimed.map_or(Done::Nothing, |claimed| Done::Given(Box::new(claimed)))
            });
        }
        (5, Some(row)) => world.gates.deafen(&row.id),
        (6, Some(row)) => {
            if let Some(task) = &row.task {
                world.ecs.exit(&task.arn, 137);
            }
        }
        (7..=8, Some(row)) => {
            if matches!(row.state, State::Starting) && world.gates.hears(&row.id) {
                report_ready(world, &row.id).await;
            }
        }
        (9, _) if !undelivered.is_empty() => {
            let event = undelivered.swap_remove(rng.usize(0..undelivered.len()));
            actors.spawn(async move {
                match run_actor(
                    seed,
                    faults,
                    casting_fn_lifecycle::handle(&process, event.clone()),
                )
                .await
                .result
                {
                    Some(Ok(())) => Done::Nothing,
                    _ => Done::NotTaken(event),
                }
            });
        }
        _ => {
            actors.spawn(async move {
                run_actor(seed, faults, process.refill()).await;
                Done::Nothing
            });
        }
    }
    Ok(())
}

fn place(session: &Session) -> Option<PoolRole> {
    session.pooled.as_ref().map(|pooled| pooled.role)
}

/// What must hold at every moment.
async fn check(world: &SimWorld, given: &[Claimed]) -> Result<()> {
    world.check_ledger().await?;
    let Some(pool) = &world.pool else {
        return Ok(());
    };
    let (rows, unassigned_sessions) = (world.sessions().await?, world.unassigned_sessions().await?);
    let counted = world
        .stable_process()
        .store
        .quota(&waiting(&pool.id, 0).key)
        .await?;
    let listed = unassigned_sessions
        .iter()
        .filter(|row| row.idle_pool().is_some())
        .count();
    ensure!(
        counted as usize == listed,
        "{counted} count as waiting, and {listed} wait"
    );
    ensure!(listed <= 5, "{listed} wait where never more than 4 were to");

    let mut claims = HashSet::new();
    for row in &rows {
        ensure!(
            claims.insert(row.claim_id().clone()),
            "the claim {} has two sessions",
            row.claim_id()
        );
        ensure!(
            row.owner.id().is_some() && row.grant == rows[0].grant,
            "{} is not what its visitor may have",
            row.id
        );
    }
    for (session, users) in world.gates.told() {
        ensure!(
            users.len() == 1,
            "the session {session} was given to {users:?}"
        );
    }
    // An assigned session belongs to one visitor only, and its gate has been notified.
    for claimed in given
        .iter()
        .filter(|claimed| place(&claimed.session) == Some(PoolRole::Assigned))
    {
        let (id, owner) = (&claimed.session.id, claimed.session.owner.id());
        let told = world.gates.told().get(id).cloned().unwrap_or_default();
        ensure!(
            owner.is_some_and(|owner| told.contains(owner.as_str())),
            "the gate of {id} was never told of its visitor"
        );
        let row = world
            .stable_process()
            .store
            .session(id)
            .await?
            .context("it is there")?;
        let lost = matches!(&row.state, State::Stopping { reason, .. } | State::Ended { reason, .. } if *reason == EndReason::GateLost);
        ensure!(
            lost || row.owner.id() == owner,
            "the session {id} has another owner by now"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn unreachable_gate_costs_the_visitor_nothing() {
    let shared_db = SharedDb::new().await.expect("a database");
    for (name, deaf, place) in [
        ("one of two", 1, PoolRole::Assigned),
        ("both", 2, PoolRole::Missed),
    ] {
        let limits = Limits {
            total: Some(5),
            live: Some(5),
            ready: Some(2),
            ..Limits::default()
        };
        let mut world = SimWorld::new(&shared_db, 77 + deaf as u64, limits)
            .await
            .expect("a world");
        fill(&mut world, 3).await.expect("it fills");
        let waiting = world.unassigned_sessions().await.expect("rows");
        assert_eq!(waiting.len(), 2, "{name}");
        let key = world.cast.settings.key.as_str().to_owned();
        // Which one a claim reaches for first follows from its ticket.
        let mut took = None;
        for row in waiting.iter().take(deaf) {
            world.gates.deafen(&row.id);
        }
        for _ in 0..2 {
            let opened = open(world.stable_process(), &key, &visitor(1))
                .await
                .expect("it opens");
            let claimed = claim(world.stable_process(), &key, &opened, &visitor(1))
                .await
                .expect("a session");
            took.get_or_insert(claimed);
        }
        let claimed = took.expect("somebody came");
        if deaf == 2 {
            assert_eq!(
                claimed.session.pooled.as_ref().map(|pooled| pooled.role),
                Some(place),
                "{name}"
            );
        }
        let heard: Vec<bool> = world
            .sessions()
            .await
            .expect("rows")
            .iter()
            .map(|row| world.gates.hears(&row.id))
            .collect();
        assert_eq!(
            heard,
            [true, true],
            "{name}: each visitor has a session that lives"
        );
        assert_eq!(
            world.cast_now().await.expect("the link").counter.remaining,
            3,
            "{name}: one place each"
        );
        check(&world, &[claimed]).await.expect(name);
        fill(&mut world, 6).await.expect("it fills again");
        world.check_tasks().await.expect(name);
        let waiting = world
            .stable_process()
            .store
            .sessions(&SessionQuery::default(), None, 100)
            .await
            .expect("claims")
            .items
            .len();
        assert!(waiting >= 2, "{name}");
    }
}

/// How it comes out that a session cannot be started ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vain {
    /// ECS says so at once.
    Refused,
    /// ECS takes the task, and says later that it has stopped.
    Told,
    /// No event reports that, until its start timeout.
    Untold,
}

#[tokio::test(start_paused = true)]
async fn failed_start_pauses_its_pool_however_detected() {
    for (seed, vain, why) in [
        (1, Vain::Refused, "ECS had no room."),
        (2, Vain::Told, "exit code 137"),
        (3, Vain::Untold, "exit code 137"),
    ] {
        let shared_db = SharedDb::new().await.expect("a database");
        let limits = Limits {
            ready: Some(2),
            ..Limits::default()
        };
        let mut world = SimWorld::new(&shared_db, 900 + seed, limits)
            .await
            .expect("a world");
        if vain == Vain::Refused {
            world.refuse_starts(1);
        }
        let started = world
            .stable_process()
            .refill()
            .await
            .expect("a round")
            .started;
        assert_eq!(
            started,
            if vain == Vain::Refused { 0 } else { 2 },
            "{vain:?}"
        );
        for row in world
            .unassigned_sessions()
            .await
            .expect("rows")
            .iter()
            .filter(|row| row.is_live())
        {
            let task = world.task_of(&row.id).expect("a task");
            world.ecs.exit(&task, 137);
        }
        let events = world.events();
        for event in events.into_iter().filter(|_| vain == Vain::Told) {
            casting_fn_lifecycle::handle(world.stable_process(), event)
                .await
                .expect("is taken");
        }
        if vain == Vain::Untold {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            world.stable_process().sweep().await.expect("a sweep");
        }
        assert!(
            world
                .unassigned_sessions()
                .await
                .expect("rows")
                .iter()
                .all(|row| !row.is_live()),
            "{vain:?}"
        );
        let view = world
            .stable_process()
            .pool_view(world.pool.as_ref().expect("a pool"))
            .await
            .expect("a view");
        assert!(
            view.plan.paused_until.is_some() && view.log.failures == 1,
            "{vain:?}: {:?}",
            view.log
        );
        assert!(
            view.log
                .refusal
                .as_deref()
                .is_some_and(|said| said.contains(why)),
            "{vain:?}: {:?}",
            view.log
        );
        assert_eq!(
            world
                .stable_process()
                .refill()
                .await
                .expect("a round")
                .started,
            0,
            "{vain:?}"
        );
        fill(&mut world, 5).await.expect("it fills");
        world.stable_process().refill().await.expect("a round");
        let view = world
            .stable_process()
            .pool_view(world.pool.as_ref().expect("a pool"))
            .await
            .expect("a view");
        assert_eq!(
            (view.waiting.len(), view.log.failures),
            (2, 0),
            "{vain:?}: what is ready says that nothing is in the way"
        );
    }
}

/// What becomes of the sessions that were started ahead while a claim is on its way to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// No gate hears anything.
    Deaf,
    /// The task of the session that the claim took stops, and ECS says so before the claim is
    /// repeated.
    Stops,
    /// So does its app, and its gate says so.
    SaysSo,
}

/// The session that a claim took stops before its gate was notified; whether there was one.
async fn stop_untold(world: &mut SimWorld, says_so: bool) -> bool {
    let rows = world.sessions().await.expect("rows");
    let Some(untold) = rows.iter().find(|row| row.pending_notification().is_some()) else {
        return false;
    };
    if says_so {
        let secret = world
            .stable_process()
            .keys
            .sessions()
            .secret(&untold.id)
            .expose()
            .to_owned();
        let report = Report::Ended {
            exit_code: Some(137),
            because: None,
            said: None,
        };
        world
            .stable_process()
            .report(&untold.id, &secret, report, visitor(9).address)
            .await
            .expect("is taken");
    }
    world
        .ecs
        .exit(&untold.task.as_ref().expect("a task").arn, 137);
    for event in world.events() {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .expect("is taken");
    }
    true
}

#[tokio::test(start_paused = true)]
async fn staged_claim_survives_a_crash_at_every_call() {
    let fates = [
        CallFault::CrashBefore,
        CallFault::CrashAfter,
        CallFault::LostBefore,
        CallFault::LostAfter,
    ];
    let (mut number, mut deaths, mut stopped) = (0, 0, 0);
    for meanwhile in [
        Meanwhile::Nothing,
        Meanwhile::Deaf,
        Meanwhile::Stops,
        Meanwhile::SaysSo,
    ] {
        // What is stopped here is stopped after a claim that died.
        let stops = matches!(meanwhile, Meanwhile::Stops | Meanwhile::SaysSo);
        for call_fault in &fates[..if stops { 2 } else { 4 }] {
            let shared_db = SharedDb::new().await.expect("a database");
            for call in 0.. {
                number += 1;
                let limits = Limits {
                    total: Some(5),
                    live: Some(5),
                    ready: Some(2),
                    ..Limits::default()
                };
                let mut world = SimWorld::new(&shared_db, 5000 + number, limits)
                    .await
                    .expect("a world");
                fill(&mut world, 3).await.expect("it fills");
                if meanwhile == Meanwhile::Deaf {
                    world
                        .unassigned_sessions()
                        .await
                        .expect("rows")
                        .iter()
                        .for_each(|row| world.gates.deafen(&row.id));
                }
                let key = world.cast.settings.key.as_str().to_owned();
                let opened = open(world.stable_process(), &key, &visitor(1))
                    .await
                    .expect("it opens");
                let process = world.processes[1].clone();
                let first = run_actor(
                    1,
                    FaultPlan::At(call, call_fault.clone()),
                    claim(&process, &key, &opened, &visitor(1)),
                )
                .await;
                let name = format!("{meanwhile:?}, call {call}: {call_fault:?}");
                if stops {
                    stopped +=
                        u32::from(stop_untold(&mut world, meanwhile == Meanwhile::SaysSo).await);
                }
                let again = claim(&world.processes[2], &key, &opened, &visitor(1))
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error:?}"));
                assert!(
                    world.gates.hears(&again.session.id),
                    "{name}: a session that lives"
                );
                assert_eq!(
                    world.sessions().await.expect("rows").len(),
                    1,
                    "{name}: one ticket, one session"
                );
                assert_eq!(
                    world.cast_now().await.expect("the link").counter.remaining,
                    4,
                    "{name}: one place"
                );
                check(&world, &[again])
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error:#}"));
                fill(&mut world, 6).await.expect("it fills again");
                world
                    .check_tasks()
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error:#}"));
                deaths += 1;
                if call >= first.calls {
                    break;
                }
            }
        }
    }
    assert!(
        deaths > 60 && stopped >= 8,
        "{deaths} and {stopped} are too few to mean anything"
    );
}
