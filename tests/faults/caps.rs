//! Limits of live sessions that are set, lowered, raised and taken away while sessions live: for
//! the link, for the deployment and for users.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use casting_core::cast::{Cast, CounterChange};
use casting_core::denial::DenialCode;
use casting_core::group::Group;
use casting_core::ids::UserId;
use casting_core::ports::Replaced;
use casting_core::quota::{Quota, QuotaKind};
use casting_core::session::State;
use casting_core::testing::user;
use casting_core::{CHANGE_SECONDS, Claimed, ControlPlane, Report, Visitor};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{
    Limits, LiveCount, SharedDb, SimWorld, claim, limit_deployment, limit_link, open, visitor,
};
use tokio::task::JoinSet;

use crate::histories::{Done, Summary, count, play, send_actor, share_of_each_core};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Link,
    Deployment,
}

impl Limit {
    const ALL: [Self; 2] = [Self::Link, Self::Deployment];

    /// Sets it, and waits until every process goes by it.
    async fn set(self, process: &ControlPlane, world: &SimWorld, most: Option<u32>) -> Result<()> {
        match self {
            Self::Link => limit_link(process, &world.cast.id, most).await?,
            Self::Deployment => limit_deployment(process, most).await?,
        }
        tokio::time::sleep(Duration::from_secs(CHANGE_SECONDS)).await;
        Ok(())
    }

    async fn counted(self, world: &SimWorld) -> Result<LiveCount> {
        let [link, deployment] = world.live_counts().await?;
        Ok(match self {
            Self::Link => link,
            Self::Deployment => deployment,
        })
    }

    const fn full(self) -> DenialCode {
        match self {
            Self::Link => DenialCode::CastBusy,
            Self::Deployment => DenialCode::SystemBusy,
        }
    }
}

/// A visitor of this process gets a session, which becomes ready; or is refused.
async fn visit(
    process: &ControlPlane,
    world: &SimWorld,
    visitor: &Visitor,
) -> Result<Claimed, DenialCode> {
    let key = world.cast.settings.key.as_str();
    let claimed = async {
        let opened = open(process, key, visitor).await?;
        claim(process, key, &opened, visitor).await
    };
    let claimed = claimed.await.map_err(|refusal| refusal.denial().code)?;
    be_ready(process, &claimed).await.expect("its gate reports");
    Ok(claimed)
}

async fn be_ready(process: &ControlPlane, claimed: &Claimed) -> Result<()> {
    let id = &claimed.session.id;
    let secret = process.keys.sessions().secret(id).expose().to_owned();
    process
        .report(id, &secret, Report::Ready { port: 1 }, visitor(9).address)
        .await
        .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    Ok(())
}

async fn end(world: &mut SimWorld, claimed: &Claimed) -> Result<()> {
    let ended = world
        .stable_process()
        .end_as_administrator(&claimed.session.id, None)
        .await;
    ended.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    world.settle().await
}

/// A limit that is set while three sessions live counts them, in every process.
async fn walk(shared_db: &SharedDb, limit: Limit, seed: u64) -> Result<()> {
    let mut world = SimWorld::new(shared_db, seed, Limits::default()).await?;
    world.is_limited_late = true;
    let mut live = Vec::new();
    for n in 0..3 {
        let process = world.processes[n].clone();
        live.push(
            visit(&process, &world, &visitor(n as u8))
                .await
                .expect("no limit"),
        );
    }
    let refused = async |world: &SimWorld, name: &str| -> Result<()> {
        for (n, process) in world.processes.iter().enumerate() {
            let denied = visit(process, world, &visitor(7)).await.err();
            ensure!(
                denied == Some(limit.full()),
                "{name}, process {n}: {denied:?}"
            );
        }
        Ok(())
    };
    let counted = async |world: &SimWorld, taken: u32| -> Result<()> {
        let is = limit.counted(world).await?;
        let expected = LiveCount {
            taken,
            uncounted: 0,
        };
        ensure!(is == expected, "{is:?} and not {expected:?}");
        Ok(())
    };
    let process = world.processes[1].clone();

    limit.set(&process, &world, Some(3)).await?;
    counted(&world, 3).await?;
    refused(&world, "set to what lives").await?;
    limit.set(&process, &world, Some(4)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = world.processes[2].clone();
    live.push(visit(&other, &world, &visitor(4)).await.expect("raised"));
    counted(&world, 4).await?;
    refused(&world, "raised and full").await?;

    limit.set(&process, &world, Some(2)).await?;
    refused(&world, "lowered").await?;
    for _ in 0..2 {
        end(&mut world, &live.remove(0)).await?;
        refused(&world, "still as many as there may be").await?;
    }
    end(&mut world, &live.remove(0)).await?;
    counted(&world, 1).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let given = visit(&other, &world, &visitor(5)).await;
    live.push(given.expect("a place that came free is free within a second"));

    limit.set(&process, &world, None).await?;
    let off = Duration::from_secs(1);
    tokio::time::sleep(off).await;
    live.push(visit(&other, &world, &visitor(6)).await.expect("off"));
    let is = limit.counted(&world).await?;
    ensure!(
        (is.taken, is.uncounted) == (2, 1),
        "{is:?}: off, so not counted"
    );
    limit.set(&process, &world, Some(1)).await?;
    counted(&world, 3).await?;
    refused(&world, "on again").await?;

    for claimed in live {
        end(&mut world, &claimed).await?;
    }
    counted(&world, 0).await?;
    limit.set(&process, &world, None).await?;
    world.finish().await
}

#[tokio::test(start_paused = true)]
async fn new_limit_counts_sessions_from_before() {
    let shared_db = SharedDb::new().await.expect("a database");
    for (n, limit) in Limit::ALL.into_iter().enumerate() {
        let walked = walk(&shared_db, limit, 70_000 + n as u64).await;
        walked.unwrap_or_else(|error| panic!("{limit:?}: {error:#}"));
    }
}

#[tokio::test(start_paused = true)]
async fn limit_of_an_older_version_is_counted_at_the_next_claim() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(&shared_db, 71_000, Limits::default())
        .await
        .expect("a world");
    world.is_limited_late = true;
    let process = world.processes[0].clone();
    for n in 0..2 {
        let given = visit(&process, &world, &visitor(n)).await;
        given.expect("no limit");
    }
    // As that version wrote it: it neither counted what lived, nor said since when it counts.
    let before = world.cast_now().await.expect("the cast");
    let mut after = Cast {
        version: before.version + 1,
        ..before.clone()
    };
    after.settings.max_live_sessions = Some(2);
    let keep = CounterChange::Keep;
    let replaced = process
        .store
        .replace_cast(&before, &after, keep, None)
        .await;
    assert_eq!(replaced, Ok(Replaced::Done));
    assert_eq!(
        world.live_counts().await.expect("counts")[0],
        LiveCount {
            taken: 0,
            uncounted: 2
        }
    );
    let denied = visit(&world.processes[1], &world, &visitor(3)).await.err();
    assert_eq!(denied, Some(DenialCode::CastBusy));
    assert_eq!(
        world.live_counts().await.expect("counts")[0],
        LiveCount {
            taken: 2,
            uncounted: 0
        }
    );
    world.finish().await.expect("the ledger holds");
}

#[tokio::test(start_paused = true)]
async fn new_user_limit_counts_sessions_from_before() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(&shared_db, 72_000, Limits::default())
        .await
        .expect("a world");
    let ann = |n| Visitor {
        user: Some(user(1)),
        ..visitor(n)
    };
    let process = world.processes[0].clone();
    let mut live = Vec::new();
    for n in 0..2 {
        live.push(visit(&process, &world, &ann(n)).await.expect("no limit"));
    }
    let mut everybody = Group::all_users();
    everybody.version = 1;
    everybody.settings.client.sessions_per_user = Some(2);
    let saved = process.store.put_record(&everybody, None, None).await;
    saved.expect("the group is written");
    process.forget();
    let denied = visit(&process, &world, &ann(3)).await.err();
    assert_eq!(denied, Some(DenialCode::UserLimit));
    let other = Visitor {
        user: Some(user(2)),
        ..visitor(4)
    };
    live.push(
        visit(&process, &world, &other)
            .await
            .expect("somebody else"),
    );
    end(&mut world, &live.remove(0)).await.expect("ends");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let given = visit(&process, &world, &ann(3)).await;
    given.expect("a place that came free is free within a second");
    world.finish().await.expect("the ledger holds");
    for id in [user(1).id, user(2).id] {
        assert_eq!(taken_by(&world, &id).await, 0, "all have ended");
    }
}

async fn taken_by(world: &SimWorld, user: &UserId) -> u64 {
    let key = Quota::unlimited(QuotaKind::User, user.as_str()).key;
    world
        .stable_process()
        .store
        .quota(&key)
        .await
        .expect("a count")
}

#[test]
fn counts_stay_within_limits_in_random_histories() {
    let Summary { given, .. } =
        share_of_each_core("limits of live sessions", count().div_ceil(10), |seeds| {
            play(seeds, &async |shared_db, seed| {
                history(shared_db, 80_000 + seed).await.map(Summary::given)
            })
        });
    assert!(given as u64 >= count() / 10, "{given} sessions are too few");
}

/// A limit as it is watched: what it was, and how many were counted, when a step of the history was
/// over.
struct Watched {
    limit: Limit,
    most: Option<u32>,
    counted: LiveCount,
}

impl Watched {
    /// Whatever went on in a step, new sessions did not bring the count above the limit that held
    /// all through it; only those that lived without being counted may have come on top.
    async fn check(&mut self, world: &SimWorld, most: Option<u32>, is_changed: bool) -> Result<()> {
        let now = self.limit.counted(world).await?;
        if let (Some(most), false) = (most, is_changed) {
            let before = self.counted;
            ensure!(
                now.taken <= before.taken.max(most) + before.uncounted
                    && now.uncounted <= before.uncounted,
                "{:?} at most {most}: {before:?}, then {now:?}",
                self.limit
            );
        }
        (self.most, self.counted) = (most, now);
        Ok(())
    }
}

async fn history(shared_db: &SharedDb, seed: u64) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = SimWorld::new(shared_db, seed, Limits::default()).await?;
    world.is_limited_late = true;
    limit_deployment(world.stable_process(), None).await?;
    let mut watched = Limit::ALL.map(|limit| Watched {
        limit,
        most: None,
        counted: LiveCount {
            taken: 0,
            uncounted: 0,
        },
    });
    let (mut undelivered, mut claims) = (Vec::new(), Vec::new());
    for step in 0..6 {
        undelivered.extend(world.events());
        let faulty = rng.u8(0..3) == 0;
        let faults = || FaultPlan::Random {
            percent: if faulty { 15 } else { 0 },
        };
        let mut changed = [false; 2];
        let mut actors = JoinSet::new();
        for n in 0..rng.u64(2..8) {
            let process = world.processes[rng.usize(0..3)].clone();
            send_actor(
                &mut actors,
                &mut rng,
                &world,
                process,
                faults(),
                &claims,
                &mut undelivered,
                seed * 1000 + step * 10 + n,
            );
        }
        for (n, limit) in Limit::ALL.into_iter().enumerate() {
            if rng.u8(0..3) > 0 {
                continue;
            }
            changed[n] = true;
            let most = (rng.u8(0..3) > 0).then(|| rng.u32(1..5));
            let (process, cast) = (
                world.processes[rng.usize(0..3)].clone(),
                world.cast.id.clone(),
            );
            let (faults, seed) = (faults(), seed * 1000 + step * 10 + 8);
            actors.spawn(async move {
                // An administrator whose function dies may have changed the limit or not.
                run_actor(seed + n as u64, faults, async {
                    match limit {
                        Limit::Link => limit_link(&process, &cast, most).await,
                        Limit::Deployment => limit_deployment(&process, most).await,
                    }
                })
                .await;
                Done::Nothing
            });
        }
        while let Some(done) = actors.join_next().await {
            match done.context("an actor panicked")? {
                Done::Visited(visit) => {
                    let Some(Ok(claimed)) = visit.outcome else {
                        continue;
                    };
                    world.given.insert(claimed.session.id.clone());
                    claims.push(*claimed);
                }
                Done::Served(id) => _ = world.served.insert(id),
                Done::HasSecret(id) => world.give_secret(&id)?,
                Done::NotTaken(event) => undelivered.push(event),
                Done::Nothing => {}
            }
        }
        let system = world.new_process();
        let settings = system
            .store
            .record::<casting_core::deployment::Deployment>(casting_core::deployment::DEPLOYMENT_ID)
            .await?
            .unwrap_or_default()
            .settings;
        let most = [
            world.cast_now().await?.settings.max_live_sessions,
            settings.max_sessions,
        ];
        for n in 0..2 {
            let checked = watched[n].check(&world, most[n], changed[n]).await;
            checked.with_context(|| format!("after step {step}"))?;
        }
        world.check_ledger().await?;
        tokio::time::sleep(Duration::from_secs(rng.u64(0..60))).await;
    }
    for event in undelivered {
        casting_fn_lifecycle::handle(world.stable_process(), event)
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    // Whatever crashed, all are counted once the sweep has looked after them.
    world.settle().await?;
    tokio::time::sleep(Duration::from_secs(301)).await;
    world.stable_process().sweep().await?;
    for watched in &watched {
        let now = watched.limit.counted(&world).await?;
        ensure!(
            watched.most.is_none() || now.uncounted == 0,
            "{:?} at most {:?}: {now:?} in the end",
            watched.limit,
            watched.most
        );
    }
    world.finish().await?;
    ensure!(
        world
            .sessions()
            .await?
            .iter()
            .all(|row| matches!(row.state, State::Ended { .. })),
        "all have ended"
    );
    for counted in world.live_counts().await? {
        ensure!(counted.taken == 0, "all have ended, and {counted:?}");
    }
    limit_deployment(world.stable_process(), None).await?;
    Ok(claims.len())
}
