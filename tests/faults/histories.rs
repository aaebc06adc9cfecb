//! Whole histories drawn from a seed: visitors, gates, sweeps, administrators and ECS, all at once,
//! with faults on their calls and processes that die.
//!
//! `CASTING_TEST_HISTORIES` sets how many (250 by default; CI plays 1,000 every night),
//! `CASTING_TEST_SEED` the first one's seed (1 by default; `./test.sh` takes another every day); a
//! failure prints the seed of its history. Each core of the machine plays its share, in a world and
//! a time of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use casting_core::ControlPlane;
use casting_core::cast::{CountBy, IpLimit};
use casting_core::ids::SessionId;
use casting_core::policy::LinkParameters;
use casting_core::{Claimed, Report};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open_with, visitor};
use serde_json::Value;
use tokio::task::JoinSet;

/// How many steps a history has; in each, some actors run at once.
const STEPS: usize = 6;

/// A visitor's address and the number of the token: a proof is bound to the one, and named by the
/// other.
pub type Proof = (u8, u8);

/// What an actor did that the checks must know of.
pub enum Done {
    Given(Box<Claimed>, Proof),
    Served(SessionId),
    NotTaken(Value),
    HasSecret(SessionId),
    Nothing,
}

#[test]
fn ledger_holds_in_random_histories() {
    let given: usize = share_of_each_core(count(), |seeds| {
        play(seeds, &async |shared_db, seed| {
            history(shared_db, seed).await
        })
    });
    assert!(
        given as u64 >= count(),
        "{given} sessions in {} histories: too few for the checks to mean anything",
        count()
    );
}

/// How many histories are asked for.
pub fn count() -> u64 {
    setting("CASTING_TEST_HISTORIES").unwrap_or(250)
}

/// The seed of the first history.
pub fn first_seed() -> u64 {
    setting("CASTING_TEST_SEED").unwrap_or(1)
}

/// Plays all histories, each core its share; gives the sum of what they count.
pub fn share_of_each_core(
    count: u64,
    play: impl Fn(std::iter::StepBy<std::ops::Range<u64>>) -> Result<usize> + Sync,
) -> usize {
    let first = first_seed();
    let players = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8) as u64;
    std::thread::scope(|scope| {
        let share = |player: u64| (first + player..first + count).step_by(players as usize);
        let play = &play;
        let playing: Vec<_> = (0..players)
            .map(|player| scope.spawn(move || play(share(player))))
            .collect();
        playing
            .into_iter()
            .map(|player| {
                player
                    .join()
                    .expect("nobody panics")
                    .unwrap_or_else(|error| panic!("{error:#}"))
            })
            .sum()
    })
}

/// How many histories share a database. Counters and statistics of histories that are over stay in it.
const HISTORIES_PER_DATABASE: usize = 10;

/// Plays these histories one after the other, in virtual time.
pub fn play(
    seeds: impl Iterator<Item = u64>,
    history: &impl AsyncFn(&SharedDb, u64) -> Result<usize>,
) -> Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let mut shared_db = SharedDb::new().await?;
        let mut given = 0;
        for (n, seed) in seeds.enumerate() {
            if n > 0 && n % HISTORIES_PER_DATABASE == 0 {
                shared_db = SharedDb::new().await?;
            }
            given += history(&shared_db, seed)
                .await
                .with_context(|| format!("history with CASTING_TEST_SEED={seed} failed"))?;
        }
        Ok(given)
    })
}

#[expect(clippy::disallowed_methods, reason = "a test's own settings")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Fewer histories than of links without invitations: what else is counted is the same.
#[test]
fn invitations_are_counted_in_random_histories() {
    let count = count().div_ceil(4);
    let given: usize = share_of_each_core(count, |seeds| {
        play(seeds, &async |shared_db, seed| {
            invited(shared_db, seed).await
        })
    });
    assert!(given as u64 >= count / 2, "{given} sessions in {count}");
}

/// Visitors with one invitation; sometimes it is revoked while they come.
async fn invited(shared_db: &SharedDb, seed: u64) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let uses = Some(rng.u32(1..5));
    let limits = Limits {
        total: rng.bool().then(|| rng.u64(1..5)),
        live: rng.bool().then(|| rng.u32(1..4)),
        invited: uses,
        ..Limits::default()
    };
    let revoked_at = rng.bool().then(|| rng.usize(1..STEPS));
    let mut world = SimWorld::new(shared_db, seed, limits).await?;
    let mut when_revoked = None;
    let mut undelivered = Vec::new();
    let mut claims: Vec<Claimed> = Vec::new();
    for step in 0..STEPS {
        if rng.u8(0..6) == 0 {
            world.refuse_starts(rng.usize(1..3));
        }
        undelivered.extend(world.events());
        let mut actors = JoinSet::new();
        for n in 0..rng.u64(1..7) {
            let process = world.processes[rng.usize(0..3)].clone();
            let percent = if rng.bool() { 0 } else { 15 };
            send_actor(
                &mut actors,
                &mut rng,
                &world,
                process,
                FaultPlan::Random { percent },
                &claims,
                &mut undelivered,
                seed * 1000 + step as u64 * 10 + n,
            );
        }
        if revoked_at == Some(step) {
            // Some claims are under way.
            tokio::task::yield_now().await;
            world.revoke_invitation().await?;
            when_revoked = Some(world.sessions().await?.len());
        }
        while let Some(done) = actors.join_next().await {
            match done.context("an actor panicked")? {
                Done::Given(claimed, _) => {
                    world.given.insert(claimed.session.id.clone());
                    claims.push(*claimed);
                }
                Done::Served(id) => _ = world.served.insert(id),
                Done::HasSecret(id) => world.give_secret(&id)?,
                Done::NotTaken(event) => undelivered.push(event),
                Done::Nothing => {}
            }
        }
        if let Some(before) = when_revoked {
            let now = world.sessions().await?.len();
            ensure!(
                now == before,
                "{now} sessions, and {before} when the invitation was revoked"
            );
        }
        world
            .check_ledger()
            .await
            .with_context(|| format!("after step {step}"))?;
        tokio::time::sleep(Duration::from_secs(rng.u64(0..100))).await;
    }
    for event in undelivered {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    world.finish().await?;
    Ok(claims.len())
}

async fn history(shared_db: &SharedDb, seed: u64) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let total = rng.bool().then(|| rng.u64(1..5));
    let ip = rng.bool().then(|| IpLimit {
        sessions: rng.u32(1..3),
        within_seconds: rng.u32(1..120),
        by: CountBy::Address,
        exempt: Vec::new(),
    });
    let live = rng.bool().then(|| rng.u32(1..4));
    let captcha = rng.u8(0..3) == 0;
    // Only an unlimited number of live sessions: that version's processes take no count here.
    let stored_before = live.is_none() && rng.u8(0..3) == 0;
    let mut world = SimWorld::new(
        shared_db,
        seed,
        Limits {
            total,
            ip,
            live,
            captcha,
            stored_before,
            hooked: seed % 2 == 1,
            ..Limits::default()
        },
    )
    .await?;
    let mut proofs: HashMap<Proof, SessionId> = HashMap::new();
    let mut undelivered = Vec::new();
    let mut claims: Vec<Claimed> = Vec::new();
    for step in 0..STEPS {
        if total.is_some() && rng.u8(0..10) == 0 {
            world.set_counter(rng.u64(0..5)).await?;
        }
        if stored_before && total.is_some() && rng.bool() {
            world.claim_as_before(rng.u64(..)).await?;
        }
        if rng.u8(0..8) == 0 {
            world.refuse_starts(rng.usize(1..3));
        } else if rng.u8(0..8) == 0 {
            world.fail_starts(rng.usize(1..4));
        } else if rng.u8(0..8) == 0 {
            world.throttle_starts(rng.usize(1..4));
        }
        undelivered.extend(world.events());
        let mut actors = JoinSet::new();
        for n in 0..rng.u64(1..7) {
            let process = world.processes[rng.usize(0..3)].clone();
            let faults = FaultPlan::Random {
                percent: if rng.bool() { 0 } else { 15 },
            };
            send_actor(
                &mut actors,
                &mut rng,
                &world,
                process,
                faults,
                &claims,
                &mut undelivered,
                seed * 1000 + step as u64 * 10 + n,
            );
        }
        while let Some(done) = actors.join_next().await {
            match done.context("an actor panicked")? {
                Done::Given(claimed, proof) => {
                    let id = claimed.session.id.clone();
                    if captcha {
                        let first = proofs.entry(proof).or_insert_with(|| id.clone());
                        ensure!(
                            *first == id,
                            "the proof {proof:?} opened the sessions {first} and {id}"
                        );
                    }
                    world.given.insert(id);
                    claims.push(*claimed);
                }
                Done::Served(id) => {
                    world.served.insert(id);
                }
                Done::HasSecret(id) => world.give_secret(&id)?,
                Done::NotTaken(event) => undelivered.push(event),
                Done::Nothing => {}
            }
        }
        world
            .check_ledger()
            .await
            .with_context(|| format!("after step {step}"))?;
        tokio::time::sleep(Duration::from_secs(rng.u64(0..100))).await;
    }
    for event in undelivered {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    world.finish().await?;
    Ok(claims.len())
}

/// Sends one actor on its way.
#[expect(clippy::too_many_arguments, reason = "the whole stage, once")]
pub fn send_actor(
    actors: &mut JoinSet<Done>,
    rng: &mut fastrand::Rng,
    world: &SimWorld,
    process: Arc<ControlPlane>,
    faults: FaultPlan,
    claims: &[Claimed],
    undelivered: &mut Vec<Value>,
    seed: u64,
) {
    let key = world.cast.settings.key.as_str().to_owned();
    let chosen = (!claims.is_empty()).then(|| claims[rng.usize(0..claims.len())].clone());
    match (rng.u8(0..13), chosen) {
        (0..=4, _) | (_, None) => {
            let (proof, again) = ((rng.u8(1..4), rng.u8(1..9)), rng.bool());
            let other = world.processes[rng.usize(0..3)].clone();
            let parameters = world.parameters();
            actors.spawn(async move {
                visit(process, other, key, parameters, proof, again, faults, seed).await
            });
        }
        (5..=6, Some(claimed)) => {
            // A gate speaks only out of a task that runs.
            if !world.runs(&claimed.session.id) {
                return;
            }
            if rng.bool() {
                let launch = claimed.session.launch.attempt;
                let id = claimed.session.id;
                let token = process
                    .keys
                    .sessions()
                    .named("")
                    .bootstrap_token(&id, launch);
                actors.spawn(async move {
                    match run_actor(seed, faults, process.bootstrap(&id, &token))
                        .await
                        .result
                    {
                        Some(Ok(_)) => Done::HasSecret(id),
                        _ => Done::Nothing,
                    }
                });
                return;
            }
            let secret = process
                .keys
                .sessions()
                .secret(&claimed.session.id)
                .expose()
                .to_owned();
            actors.spawn(async move {
                let id = claimed.session.id;
                let report =
                    process.report(&id, &secret, Report::Ready { port: 1 }, visitor(9).address);
                match run_actor(seed, faults, report).await.result {
                    Some(Ok(_)) => Done::Served(id),
                    _ => Done::Nothing,
                }
            });
        }
        (7, Some(claimed)) => {
            actors.spawn(async move {
                run_actor(
                    seed,
                    faults,
                    process.end(&claimed.session.id, Some(&claimed.owner_ticket)),
                )
                .await;
                Done::Nothing
            });
        }
        (11, Some(claimed)) => {
            actors.spawn(async move {
                let ticket = Some(&claimed.owner_ticket);
                run_actor(seed, faults, process.status(&claimed.session.id, ticket)).await;
                Done::Nothing
            });
        }
        (8, Some(claimed)) => {
            if let Some(task) = claimed.session.task {
                world.ecs.exit(&task.arn, i32::from(rng.u8(0..3)));
            }
        }
        (9..=10, _) if !undelivered.is_empty() => {
            let at = rng.usize(0..undelivered.len());
            // Sometimes an event comes twice.
            let event = if rng.bool() {
                undelivered.swap_remove(at)
            } else {
                undelivered[at].clone()
            };
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
                run_actor(seed, faults, process.sweep()).await;
                Done::Nothing
            });
        }
    }
}

/// Opens the link and claims a session; sometimes clicks twice at once.
#[expect(clippy::too_many_arguments, reason = "a whole visit, once")]
async fn visit(
    process: Arc<ControlPlane>,
    other: Arc<ControlPlane>,
    key: String,
    parameters: LinkParameters,
    proof: Proof,
    again: bool,
    faults: FaultPlan,
    seed: u64,
) -> Done {
    let who = visitor(proof.0);
    let Ok(mut opened) = open_with(&process, &key, &parameters, &who).await else {
        return Done::Nothing;
    };
    opened.captcha = Some(format!("good-{}", proof.1));
    let first = run_actor(seed, faults.clone(), claim(&process, &key, &opened, &who));
    let claimed = if again {
        let (first, second) = tokio::join!(
            first,
            run_actor(seed + 7, faults, claim(&other, &key, &opened, &who))
        );
        first
            .result
            .and_then(Result::ok)
            .or(second.result.and_then(Result::ok))
    } else {
        first.await.result.and_then(Result::ok)
    };
    claimed.map_or(Done::Nothing, |claimed| {
        Done::Given(Box::new(claimed), proof)
    })
}
