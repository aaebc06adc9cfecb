//! Whole histories drawn from a seed: visitors, gates, sweeps, administrators and ECS, all at once,
//! with faults on their calls and processes that die.
//!
//! `CASTING_TEST_HISTORIES` sets how many (250 by default; CI plays 10,000 every night by `histories.sh`),
//! `CASTING_TEST_SEED` the first one's seed (1 by default; `./test.sh` takes another every day); a
//! failure prints the seed of its history. Each core of the machine plays its share, in a world and
//! a time of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use casting_core::ControlPlane;
use casting_core::address;
use casting_core::cast::{CountBy, IpLimit};
use casting_core::denial::DenialCode;
use casting_core::ids::SessionId;
use casting_core::policy::LinkParameters;
use casting_core::{Claimed, Refusal, Report};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::ledger_model::{LedgerModel, Visit};
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
    Visited(Visited),
    Served(SessionId),
    NotTaken(Value),
    HasSecret(SessionId),
    Nothing,
}

/// How a visit went.
pub struct Visited {
    /// The hash of the visitor's address.
    address: String,
    pub proof: Proof,
    /// `None` when the process died.
    pub outcome: Option<Result<Box<Claimed>, DenialCode>>,
}

/// What happened in histories, for the line that sums them up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Sessions that visitors were given, or visitors who waited.
    pub given: usize,
    /// Visits that were refused.
    pub refused: usize,
    /// Visits whose process died.
    pub died: usize,
}

impl Summary {
    /// Histories that only count what they gave.
    pub fn given(given: usize) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    fn count(&mut self, visit: &Visited) {
        match visit.outcome {
            Some(Ok(_)) => self.given += 1,
            Some(Err(_)) => self.refused += 1,
            None => self.died += 1,
        }
    }
}

impl std::iter::Sum for Summary {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            given: sum.given + one.given,
            refused: sum.refused + one.refused,
            died: sum.died + one.died,
        })
    }
}

#[test]
fn ledger_holds_in_random_histories() {
    let Summary { given, .. } = share_of_each_core("ledger", count(), |seeds| {
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

/// Plays all histories, each core its share; gives the sum of what they count, and prints it in a
/// line (`--nocapture` shows it).
pub fn share_of_each_core(
    what: &str,
    count: u64,
    play: impl Fn(std::iter::StepBy<std::ops::Range<u64>>) -> Result<Summary> + Sync,
) -> Summary {
    let (first, began) = (first_seed(), std::time::Instant::now());
    let players = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8) as u64;
    let sum: Summary = std::thread::scope(|scope| {
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
    });
    println!(
        "{what}: all promises held in {count} histories from seed {first}: {} served, {} refused, {} visits cut off by a crash, in {} s",
        sum.given,
        sum.refused,
        sum.died,
        began.elapsed().as_secs()
    );
    sum
}

/// How many histories share a database. Counters and statistics of histories that are over stay in it.
const HISTORIES_PER_DATABASE: usize = 10;

/// Plays these histories one after the other, in virtual time.
pub fn play(
    seeds: impl Iterator<Item = u64>,
    history: &impl AsyncFn(&SharedDb, u64) -> Result<Summary>,
) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let mut shared_db = SharedDb::new().await?;
        let mut sum = Vec::new();
        for (n, seed) in seeds.enumerate() {
            if n > 0 && n % HISTORIES_PER_DATABASE == 0 {
                shared_db = SharedDb::new().await?;
            }
            let played = history(&shared_db, seed).await;
            sum.push(
                played.with_context(|| format!("history with CASTING_TEST_SEED={seed} failed"))?,
            );
        }
        Ok(sum.into_iter().sum())
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
    let Summary { given, .. } = share_of_each_core("invitations", count, |seeds| {
        play(seeds, &async |shared_db, seed| {
            invited(shared_db, seed).await
        })
    });
    assert!(given as u64 >= count / 2, "{given} sessions in {count}");
}

/// Visitors with one invitation; sometimes it is revoked while they come.
async fn invited(shared_db: &SharedDb, seed: u64) -> Result<Summary> {
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
    let mut sum = Summary::default();
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
                Done::Visited(visit) => {
                    sum.count(&visit);
                    if let Some(Ok(claimed)) = visit.outcome {
                        world.given.insert(claimed.session.id.clone());
                        claims.push(*claimed);
                    }
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
    Ok(sum)
}

async fn history(shared_db: &SharedDb, seed: u64) -> Result<Summary> {
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
    let (mut sum, mut model) = (Summary::default(), LedgerModel::default());
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
        world.begin_step(&mut model).await?;
        let mut visits = Vec::new();
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
                Done::Visited(visit) => {
                    sum.count(&visit);
                    visits.push(Visit {
                        address: visit.address.clone(),
                        refused: visit
                            .outcome
                            .as_ref()
                            .and_then(|outcome| outcome.as_ref().err().copied()),
                    });
                    let (Some(Ok(claimed)), proof) = (visit.outcome, visit.proof) else {
                        continue;
                    };
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
        // The first write over a row of the version before leaves half of the places to processes of
        // that version, so the product has fewer to give than the model.
        let judged: &[Visit] = if stored_before { &[] } else { &visits };
        world
            .check_ledger()
            .await
            .and_then(|()| model.end_step(judged))
            .with_context(|| format!("after step {step}"))?;
        tokio::time::sleep(Duration::from_secs(rng.u64(0..100))).await;
    }
    for event in undelivered {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    world.finish().await?;
    Ok(sum)
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
    let visited = |outcome: Option<Result<Claimed, Refusal>>| {
        Done::Visited(Visited {
            address: address::hash(who.address, &process.keys),
            proof,
            outcome: outcome.map(|result| match result {
                Ok(claimed) => Ok(Box::new(claimed)),
                Err(refusal) => Err(refusal.denial().code),
            }),
        })
    };
    let mut opened = match open_with(&process, &key, &parameters, &who).await {
        Ok(opened) => opened,
        Err(refusal) => return visited(Some(Err(refusal))),
    };
    opened.captcha = Some(format!("good-{}", proof.1));
    let first = run_actor(seed, faults.clone(), claim(&process, &key, &opened, &who));
    let outcome = if again {
        let second = run_actor(seed + 7, faults, claim(&other, &key, &opened, &who));
        let (first, second) = tokio::join!(first, second);
        match (first.result, second.result) {
            (Some(Ok(claimed)), _) | (_, Some(Ok(claimed))) => Some(Ok(claimed)),
            // One that died may have taken what the other one lacked.
            (Some(refused), Some(Err(_))) => Some(refused),
            _ => None,
        }
    } else {
        first.await.result
    };
    visited(outcome)
}
