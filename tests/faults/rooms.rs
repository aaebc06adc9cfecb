//! Waiting rooms, through crashes, lost answers and processes that come and go: fifty visitors of a
//! link with five places, and crowds drawn from a seed. `CASTING_TEST_HISTORIES` and
//! `CASTING_TEST_SEED` as in `histories`, but a twentieth as many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use casting_core::ControlPlane;
use casting_core::denial::DenialCode;
use casting_core::ids::SessionId;
use casting_core::quota::{Quota, QuotaKind};
use casting_core::ticket::LaunchTicket;
use casting_core::time::Timestamp;
use casting_core::waiting_queue::{GONE_SECONDS, PAUSE_SECONDS};
use casting_core::{ClaimOutcome, ClaimRequest, Claimed, Visitor};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, open, visitor};
use tokio::task::JoinSet;

use crate::histories::{Summary, count, first_seed, play, share_of_each_core};
use crate::pools::{fill, fill_round, set_desired};

/// What a crowd is like.
struct Plan {
    /// How many may be in at once.
    places: u32,
    /// How many come.
    visitors: u8,
    /// Within how many seconds they come.
    within: u64,
    /// Of a hundred calls, this many meet a fault.
    percent: u8,
    /// How many sessions are kept ready.
    ready: Option<u32>,
}

/// The behaviour of a waiting visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Stays,
    /// Gives no sign of life for longer than a place is kept.
    GoesAway,
    /// Gives the place back.
    Leaves,
}

/// What became of one visitor.
#[derive(Debug, Default)]
struct Story {
    /// The number of the place, if one was needed.
    number: Option<u64>,
    /// When the place was known.
    waits_since: Option<Timestamp>,
    /// When the session was reserved.
    served_at: Option<Timestamp>,
    /// Every session that was given.
    sessions: BTreeSet<SessionId>,
    /// The place was given up.
    lost: bool,
}

/// The processes that there are at the moment.
type Processes = Arc<Mutex<Vec<Arc<ControlPlane>>>>;

struct Player {
    who: Visitor,
    manner: Manner,
    comes_after: Duration,
    percent: u8,
    key: String,
    rng: fastrand::Rng,
    processes: Processes,
}

impl Player {
    fn process(&mut self) -> Arc<ControlPlane> {
        let processes = self.processes.lock().expect("nobody panics");
        processes[self.rng.usize(0..processes.len())].clone()
    }

    fn faults(&mut self) -> (u64, FaultPlan) {
        (
            self.rng.u64(..),
            FaultPlan::Random {
                percent: self.percent,
            },
        )
    }

    /// Claims until there is an answer, as a visitor who sees an error and clicks again.
    async fn claim(&mut self, request: &ClaimRequest) -> Result<Option<ClaimOutcome>> {
        for _ in 0..200 {
            let (process, (seed, faults)) = (self.process(), self.faults());
            match run_actor(seed, faults, process.claim(&self.key, request, &self.who))
                .await
                .result
            {
                Some(Ok(received)) => return Ok(Some(received)),
                Some(Err(refusal)) if refusal.denial().code == DenialCode::PlaceLost => {
                    return Ok(None);
                }
                _ => tokio::time::sleep(Duration::from_millis(self.rng.u64(200..1500))).await,
            }
        }
        bail!("there is no answer")
    }

    async fn live_through(&mut self, session: Claimed) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(self.rng.u64(30..60))).await;
        let process = self.process();
        let ended = process
            .end(&session.session.id, Some(&session.owner_ticket))
            .await;
        ended
            .map(drop)
            .map_err(|refusal| anyhow::anyhow!("it does not end: {refusal:?}"))
    }

    async fn play(mut self) -> Result<Story> {
        let mut story = Story::default();
        tokio::time::sleep(self.comes_after).await;
        let process = self.process();
        let mut request = open(&process, &self.key, &self.who)
            .await
            .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let mut received = self.claim(&request).await?;
        loop {
            let waiting = match received {
                Some(ClaimOutcome::Session(claimed)) => {
                    story.served_at = Some(claimed.session.created_at);
                    story.sessions.insert(claimed.session.id.clone());
                    // A second click changes nothing.
                    if let Some(ClaimOutcome::Session(again)) = self.claim(&request).await? {
                        story.sessions.insert(again.session.id);
                    }
                    self.live_through(*claimed).await?;
                    return Ok(story);
                }
                Some(ClaimOutcome::Queued(waiting)) => waiting,
                None => {
                    story.lost = true;
                    return Ok(story);
                }
            };
            let process = self.process();
            let now = process.clock.now();
            let place = LaunchTicket::open(&waiting.ticket, &process.keys, now)?
                .place
                .context("the ticket is of a place")?;
            if let Some(place) = process
                .store
                .queue(&waiting.cast.id)
                .await?
                .places
                .get(&place)
            {
                ensure!(
                    story.number.is_none_or(|number| number == place.number),
                    "the number has changed"
                );
                story.number = Some(place.number);
                story.waits_since.get_or_insert(now);
            }
            request.ticket.clone_from(&waiting.ticket);
            received = match self.wait(&request, waiting.ask_in).await? {
                true => self.claim(&request).await?,
                false => None,
            };
        }
    }

    /// Waits until it is the visitor's turn; `false` when the place is given up before.
    async fn wait(&mut self, request: &ClaimRequest, mut ask_in: u64) -> Result<bool> {
        loop {
            let away = if self.manner == Manner::GoesAway {
                GONE_SECONDS + 5
            } else {
                ask_in
            };
            tokio::time::sleep(Duration::from_millis(away * 1000 + self.rng.u64(0..500))).await;
            let (process, (seed, faults)) = (self.process(), self.faults());
            if self.manner == Manner::Leaves && self.rng.bool() {
                if let Some(Ok(_)) = run_actor(
                    seed,
                    faults,
                    process.leave(&self.key, &request.ticket, &self.who),
                )
                .await
                .result
                {
                    return Ok(false);
                }
                continue;
            }
            match run_actor(
                seed,
                faults,
                process.wait(&self.key, &request.ticket, &self.who),
            )
            .await
            .result
            {
                Some(Ok(waiting)) if waiting.turn => return Ok(true),
                Some(Ok(waiting)) => ask_in = waiting.ask_in,
                Some(Err(refusal)) if refusal.denial().code == DenialCode::PlaceLost => {
                    return Ok(false);
                }
                _ => {}
            }
        }
    }
}

/// Lets a crowd come to a link and go again, and gives what became of each.
async fn play_crowd(
    shared_db: &SharedDb,
    seed: u64,
    plan: &Plan,
    manner: impl Fn(u8) -> Manner,
) -> Result<BTreeMap<u8, (Manner, Story)>> {
    let limits = Limits {
        live: Some(plan.places),
        room: true,
        ready: plan.ready,
        ..Limits::default()
    };
    let mut world = SimWorld::new(shared_db, seed, limits).await?;
    fill(&mut world, 3).await?;
    let processes: Processes = Arc::new(Mutex::new(world.processes.clone()));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut crowd = JoinSet::new();
    for n in 1..=plan.visitors {
        let (key, mut rng, manner) = (
            world.cast.settings.key.as_str().to_owned(),
            rng.fork(),
            manner(n),
        );
        let comes_after = Duration::from_millis(rng.u64(0..plan.within * 1000));
        let player = Player {
            who: visitor(n),
            manner,
            comes_after,
            percent: plan.percent,
            key,
            rng,
            processes: processes.clone(),
        };
        crowd.spawn(async move { (n, manner, player.play().await) });
    }
    let key = Quota::new(QuotaKind::Cast, world.cast.id.as_str(), plan.places).key;
    let mut stories = BTreeMap::new();
    let mut second = 0_u64;
    while !crowd.is_empty() {
        tokio::select! {
            Some(ended) = crowd.join_next() => {
                let (n, manner, story) = ended.context("a visitor panicked")?;
                stories.insert(n, (manner, story.with_context(|| format!("visitor {n}"))?));
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => second += 1,
        }
        ensure!(
            world.stable_process().store.quota(&key).await? <= u64::from(plan.places),
            "more are counted than may be in"
        );
        let live = world
            .sessions()
            .await?
            .iter()
            .filter(|row| row.is_live())
            .count();
        ensure!(live <= plan.places as usize, "{live} live");
        if second % 15 == 7 {
            // What comes by once a minute, and whenever a session leaves its pool.
            fill_round(&mut world).await?;
        }
        if second % 20 == 19 {
            // Nothing but the store remembers who waits.
            *processes.lock().expect("nobody panics") =
                (0..3).map(|_| world.new_process()).collect();
        }
        ensure!(second < 3600, "it never ends");
    }
    for (n, (manner, story)) in &stories {
        check_story(*manner, story).with_context(|| format!("visitor {n}: {story:?}"))?;
    }
    set_desired(&mut world, 0).await?;
    fill(&mut world, 5).await?;
    world.finish().await?;
    Ok(stories)
}

fn check_story(manner: Manner, story: &Story) -> Result<()> {
    ensure!(story.sessions.len() <= 1, "is served twice");
    ensure!(
        story.lost == story.sessions.is_empty(),
        "is served, or loses the place, and not both"
    );
    ensure!(
        !story.lost || story.number.is_some(),
        "loses a place without having had one"
    );
    match manner {
        Manner::Stays => ensure!(!story.lost, "stays, and loses the place"),
        Manner::GoesAway => ensure!(
            story.lost == story.number.is_some(),
            "goes away, and keeps the place"
        ),
        Manner::Leaves => {}
    }
    Ok(())
}

/// Waiting visitors were served in the order of their numbers, and none of those who stayed was
/// overtaken by a visitor who had no entry.
fn check_order(stories: &BTreeMap<u8, (Manner, Story)>) -> Result<usize> {
    let mut order: Vec<_> = stories
        .values()
        .filter_map(|(_, story)| Some((story.served_at?, story.number?)))
        .collect();
    order.sort_unstable();
    ensure!(
        order.is_sorted_by_key(|(_, number)| number),
        "this is no order: {order:?}"
    );
    for at in stories
        .values()
        .filter(|(_, story)| story.number.is_none())
        .filter_map(|(_, story)| story.served_at)
    {
        for (n, (manner, story)) in stories
            .iter()
            .filter(|(_, (manner, _))| *manner == Manner::Stays)
        {
            let waits = story.waits_since.is_some_and(|since| since < at)
                && story.served_at.is_none_or(|served| at < served);
            ensure!(
                !waits,
                "visitor {n} ({manner:?}) was overtaken at {at:?}: {story:?}"
            );
        }
    }
    Ok(order.len())
}

#[tokio::test(start_paused = true)]
async fn fifty_visitors_for_five_places_are_served_once_in_order() {
    let shared_db = SharedDb::new().await.expect("a database");
    let plan = Plan {
        places: 5,
        visitors: 50,
        within: 20,
        percent: 8,
        ready: None,
    };
    let manner = |n| {
        if n % 9 == 0 {
            Manner::GoesAway
        } else {
            Manner::Stays
        }
    };
    // A crowd takes as long as a hundred histories.
    for seed in first_seed()..first_seed() + count().div_ceil(250) {
        let stories = play_crowd(&shared_db, 7_000_000 + seed, &plan, manner)
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        let waited = check_order(&stories).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        let unasked = stories
            .values()
            .filter(|(_, story)| story.number.is_none())
            .count();
        assert_eq!(
            unasked, 5,
            "seed {seed}: nobody who came later overtook those who wait"
        );
        assert!(waited > 30, "seed {seed}: {waited} waited");
    }
}

#[test]
fn queue_invariants_hold_in_random_histories() {
    // Each of these is a crowd.
    let histories = count().div_ceil(20);
    let Summary { given: waited, .. } = share_of_each_core("queue", histories, |seeds| {
        play(seeds, &async |shared_db, seed| {
            history(shared_db, seed).await.map(Summary::given)
        })
    });
    assert!(
        waited as u64 >= histories,
        "{waited} waited in {histories} histories: too few for the checks to mean anything"
    );
}

/// Plays one history, and gives how many waited and were served.
async fn history(shared_db: &SharedDb, seed: u64) -> Result<usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let plan = Plan {
        places: rng.u32(1..5),
        visitors: rng.u8(4..14),
        within: rng.u64(10..150),
        percent: [0, 10, 20][rng.usize(0..3)],
        ready: rng.bool().then(|| rng.u32(1..4)),
    };
    let manners: Vec<Manner> = (0..=plan.visitors)
        .map(|_| match rng.u8(0..6) {
            0 => Manner::GoesAway,
            1 => Manner::Leaves,
            _ => Manner::Stays,
        })
        .collect();
    let stories = play_crowd(shared_db, seed + 2_000_000, &plan, |n| {
        manners[usize::from(n)]
    })
    .await?;
    // A session whose gate was not reached is exchanged, and says when that was.
    if plan.ready.is_none() {
        check_order(&stories)
    } else {
        Ok(stories
            .values()
            .filter(|(_, story)| story.number.is_some())
            .count())
    }
}

#[tokio::test(start_paused = true)]
async fn failed_start_keeps_the_place_and_pauses_the_queue() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        7100,
        Limits {
            total: Some(2),
            room: true,
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    world.refuse_starts(2);
    let process = world.processes[1].clone();
    let mut first = open(&process, &key, &visitor(1)).await.expect("opens");
    let original = first.clone();
    let position = |received: &ClaimOutcome| match received {
        ClaimOutcome::Queued(waiting) => (waiting.position, waiting.turn),
        ClaimOutcome::Session(claimed) => panic!("no session: {claimed:?}"),
    };
    let ticket = |received: ClaimOutcome| match received {
        ClaimOutcome::Queued(waiting) => waiting.ticket,
        ClaimOutcome::Session(claimed) => panic!("no session: {claimed:?}"),
    };
    for attempt in 1..=2 {
        let received = process
            .claim(&key, &first, &visitor(1))
            .await
            .expect("a place");
        assert_eq!(position(&received), (1, false), "attempt {attempt}");
        let again = process
            .claim(&key, &first, &visitor(1))
            .await
            .expect("the same place");
        assert_eq!(position(&again), (1, false), "attempt {attempt}");
        first.ticket = ticket(again);
        let second = open(&process, &key, &visitor(2)).await.expect("opens");
        let second = process
            .claim(&key, &second, &visitor(2))
            .await
            .expect("a place");
        assert_eq!(position(&second).0, attempt + 1, "attempt {attempt}");
        tokio::time::sleep(Duration::from_secs(PAUSE_SECONDS)).await;
        assert!(
            process
                .wait(&key, &first.ticket, &visitor(1))
                .await
                .expect("waits")
                .turn,
            "attempt {attempt}"
        );
    }
    let claimed = process
        .claim(&key, &first, &visitor(1))
        .await
        .expect("is served")
        .session()
        .expect("a session");
    let again = process
        .claim(&key, &first, &visitor(1))
        .await
        .expect("is served")
        .session()
        .expect("a session");
    assert_eq!(claimed.session.id, again.session.id);
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        1,
        "one session was counted"
    );
    // A repetition of the first claim leads to the same queue entry, and from there to the same
    // session.
    let repeated = process
        .claim(&key, &original, &visitor(1))
        .await
        .expect("a place");
    assert_eq!(position(&repeated), (0, true));
    world.given.insert(claimed.session.id);
    world.finish().await.expect("holds");
}
