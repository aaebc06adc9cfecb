//! Budgets of an hour and of a day: how much a crowd can spend, what comes back, and that the sum
//! is exact whatever dies.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use casting_core::ControlPlane;
use casting_core::cast::CounterChange;
use casting_core::denial::DenialCode;
use casting_core::deployment::{DEPLOYMENT_ID, Deployment};
use casting_core::ids::SessionId;
use casting_core::policy::budget;
use casting_core::ports::{Replaced, Saved};
use casting_core::session::Session;
use casting_core::settings_form;
use casting_core::{Claimed, OnlyOnce, Report, Visitor};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};
use serde_json::json;
use tokio::task::JoinSet;

use crate::histories::{Summary, count, play, share_of_each_core};

/// What a session of the world's image costs at most, in millionths of a dollar: 3,960 seconds at
/// $0.017342 an hour.
const SESSION: u64 = 19_077;

/// An administrator sets the budgets, in cents.
async fn set(process: &ControlPlane, hour: Option<u32>, day: Option<u32>) -> Result<()> {
    let stored = process.store.record::<Deployment>(DEPLOYMENT_ID).await?;
    let expected = stored.as_ref().map(|system| system.version);
    let before = stored.unwrap_or_default();
    let change = json!({ "budget_per_hour_cents": hour, "budget_per_day_cents": day });
    let settings = settings_form::patch(&before, &change)?;
    let after = Deployment::new(before.version + 1, settings, process.clock.now());
    let saved = process.store.put_record(&after, expected, None).await?;
    ensure!(saved == Saved::Done, "the settings changed meanwhile");
    process.forget();
    Ok(())
}

/// An administrator sets budgets of the link, in cents, smaller than those of the deployment.
async fn set_of_link(world: &SimWorld, most: u32) -> Result<()> {
    let before = world.cast_now().await?;
    let mut after = before.clone();
    after.version += 1;
    after.settings.budget_per_hour_cents = Some(most.div_ceil(2));
    after.settings.budget_per_month_cents = Some(3 * most);
    after.settings.budget_in_all_cents = Some(2 * most);
    let process = world.stable_process();
    let replaced = process
        .store
        .replace_cast(&before, &after, CounterChange::Keep, None)
        .await?;
    ensure!(replaced == Replaced::Done, "the cast changed meanwhile");
    process.forget();
    Ok(())
}

async fn visit(
    process: &ControlPlane,
    key: &str,
    visitor: &Visitor,
) -> Result<Claimed, DenialCode> {
    let claimed = async {
        let opened = open(process, key, visitor).await?;
        claim(process, key, &opened, visitor).await
    };
    claimed.await.map_err(|refusal| refusal.denial().code)
}

/// What each window must say by the rows of the sessions.
fn owed(rows: &[Session]) -> BTreeMap<String, u64> {
    let mut owed = BTreeMap::new();
    for row in rows {
        for held in row.charge.held.iter().filter(|held| held.kind.is_money()) {
            let back = budget::unused(row, held).map_or(0, |back| back.amount);
            *owed.entry(held.key.clone()).or_default() += held.amount - back;
        }
    }
    owed
}

/// Every window says what its sessions cost; gives the largest sum.
async fn check(world: &SimWorld) -> Result<u64> {
    let mut largest = 0;
    for (key, owed) in owed(&world.sessions().await?) {
        let taken = world.stable_process().store.quota(&key).await?;
        ensure!(
            taken == owed,
            "{key} says {taken}, and its sessions cost {owed}"
        );
        largest = largest.max(taken);
    }
    Ok(largest)
}

#[tokio::test(start_paused = true)]
async fn concurrent_claims_stay_within_the_budget() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(&shared_db, 21, Limits::default())
        .await
        .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    for (name, hour, day) in [
        ("an hour", Some(14), None),
        ("a day", None, Some(14)),
        ("both", Some(14), Some(28)),
    ] {
        set(world.stable_process(), hour, day)
            .await
            .expect("is set");
        let mut crowd = JoinSet::new();
        for n in 0..150_u32 {
            let (process, key) = (world.processes[n as usize % 3].clone(), key.clone());
            process.forget();
            crowd.spawn(async move {
                let visitor = Visitor::from(std::net::Ipv4Addr::from(0x0a00_0000 + n).into());
                let visit = visit(&process, &key, &visitor);
                let acted = run_actor(u64::from(n), FaultPlan::Random { percent: 0 }, visit).await;
                acted.result.expect("nobody crashes")
            });
        }
        let mut given: Vec<SessionId> = Vec::new();
        while let Some(visited) = crowd.join_next().await {
            match visited.expect("does not panic") {
                Ok(claimed) => given.push(claimed.session.id),
                Err(code) => assert_eq!(code, DenialCode::BudgetReached, "{name}"),
            }
        }
        assert_eq!(given.len() as u64, 140_000 / SESSION, "{name}");
        let spent = check(&world).await.expect("is exact");
        assert!(spent <= 140_000, "{name}: {spent}");
        world.clear().await.expect("ends");
        let left = check(&world).await.expect("is exact");
        assert!(left < spent / 10, "{name}: {left} of {spent} stay spent");
        // For a few seconds a process remembers what it found full.
        world.stable_process().forget();
        let again = visit(world.stable_process(), &key, &visitor(1)).await;
        assert!(again.is_ok(), "{name}: what came back can be spent again");
        world.clear().await.expect("ends");
        // The next case has a day of its own.
        tokio::time::sleep(Duration::from_secs(86_400)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn crowd_stays_within_the_budget_of_its_link() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(&shared_db, 23, Limits::default())
        .await
        .expect("a world");
    set_of_link(&world, 20).await.expect("is set");
    let key = world.cast.settings.key.as_str().to_owned();
    let mut crowd = JoinSet::new();
    for n in 0..60_u32 {
        let (process, key) = (world.processes[n as usize % 3].clone(), key.clone());
        process.forget();
        crowd.spawn(async move {
            let visitor = Visitor::from(std::net::Ipv4Addr::from(0x0a00_0000 + n).into());
            let visit = visit(&process, &key, &visitor);
            let acted = run_actor(u64::from(n), FaultPlan::Random { percent: 0 }, visit).await;
            acted.result.expect("nobody crashes")
        });
    }
    let mut given = 0;
    while let Some(visited) = crowd.join_next().await {
        match visited.expect("does not panic") {
            Ok(_) => given += 1,
            Err(code) => assert_eq!(code, DenialCode::LinkBudgetReached),
        }
    }
    assert_eq!(given, 100_000 / SESSION, "ten cents an hour");
    assert!(check(&world).await.expect("is exact") <= 100_000);
    world.clear().await.expect("ends");
    check(&world).await.expect("is exact");
}

#[tokio::test(start_paused = true)]
async fn reached_budget_resets_with_its_window() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 22, Limits::default())
        .await
        .expect("a world");
    let (key, process) = (world.cast.settings.key.as_str(), world.stable_process());
    set(process, Some(2), Some(4)).await.expect("is set");
    let ask = async || visit(process, key, &visitor(1)).await.map(drop);
    assert_eq!(ask().await, Ok(()), "the first of the hour");
    assert_eq!(ask().await, Err(DenialCode::BudgetReached));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(ask().await, Ok(()), "the first of the next hour");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(ask().await, Err(DenialCode::BudgetReached), "the day's");
    tokio::time::sleep(Duration::from_secs(10 * 3600)).await;
    assert_eq!(ask().await, Ok(()), "the first of the next day");
    set(process, None, None).await.expect("is taken away");
    assert_eq!(ask().await, Ok(()), "without a budget");
}

/// Visitors, gates and administrators, whose calls fail and whose processes die.
async fn history(_: &SharedDb, seed: u64) -> Result<usize> {
    // The windows are the deployment's: no other history may spend of them.
    let shared_db = SharedDb::new().await?;
    let mut world = SimWorld::new(&shared_db, seed, Limits::default()).await?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let most = rng.u32(2..12);
    set(
        world.stable_process(),
        Some(most),
        rng.bool().then_some(2 * most),
    )
    .await?;
    if rng.bool() {
        set_of_link(&world, most).await?;
    }
    let key = world.cast.settings.key.as_str().to_owned();
    let mut given = 0;
    for step in 0..8_u64 {
        if rng.u8(0..4) == 0 {
            world.refuse_starts(rng.usize(1..3));
        }
        let rows = world.sessions().await?;
        let mut actors = JoinSet::new();
        for n in 0..rng.u64(2..7) {
            let process = world.processes[rng.usize(0..3)].clone();
            process.forget();
            let (key, percent) = (key.clone(), if rng.bool() { 0 } else { 15 });
            let row = (!rows.is_empty()).then(|| rows[rng.usize(0..rows.len())].id.clone());
            let (deed, visitor) = (rng.u8(0..5), visitor(rng.u8(1..200)));
            actors.spawn(async move {
                let deed = async {
                    match (deed, row) {
                        (0, Some(id)) => {
                            let secret = process.keys.sessions().secret(&id).expose().to_owned();
                            let ready = Report::Ready { port: 1 };
                            let told = process.report(&id, &secret, ready, visitor.address);
                            drop(told.await);
                            false
                        }
                        (1, Some(id)) => {
                            drop(process.end_as_administrator(&id, None).await);
                            false
                        }
                        (2, _) => {
                            drop(process.sweep().await);
                            false
                        }
                        (3, Some(id)) => {
                            if let Ok(Some(row)) = process.store.session(&id).await {
                                drop(
                                    process
                                        .extend_as_administrator(row, 600, OnlyOnce::default())
                                        .await,
                                );
                            }
                            false
                        }
                        _ => visit(&process, &key, &visitor).await.is_ok(),
                    }
                };
                let faults = FaultPlan::Random { percent };
                run_actor(seed * 1000 + step * 10 + n, faults, deed)
                    .await
                    .result
            });
        }
        while let Some(acted) = actors.join_next().await {
            given += usize::from(acted.context("an actor panicked")? == Some(true));
        }
        let spent = check(&world)
            .await
            .with_context(|| format!("after {step}"))?;
        // What administrators add is counted, whatever is left.
        let rows = world.sessions().await?;
        let added: u64 = rows.iter().map(|row| u64::from(row.added_seconds)).sum();
        let added = added * 17_342 / 3600 + rows.len() as u64;
        ensure!(
            spent <= u64::from(2 * most) * 10_000 + added,
            "{spent} of {most} cents, with {added} added"
        );
        tokio::time::sleep(Duration::from_secs(rng.u64(0..900))).await;
    }
    world.finish().await?;
    check(&world).await.context("at the end")?;
    Ok(given)
}

#[test]
fn budget_is_exact_in_random_histories() {
    let histories = count().div_ceil(6);
    let Summary { given, .. } = share_of_each_core("budgets", histories, |seeds| {
        play(seeds, &async |shared_db, seed| {
            history(shared_db, seed).await.map(Summary::given)
        })
    });
    assert!(
        given as u64 >= histories,
        "{given} sessions in {histories} histories: too few for the checks to mean anything"
    );
}
