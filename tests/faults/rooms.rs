//! Fifty visitors in the waiting room of a link with five places, through crashes, lost answers and processes that come and go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casting_boot::Control;
use casting_core::denial::DenialCode;
use casting_core::ids::SessionId;
use casting_core::ports::Store;
use casting_core::room::{GONE_SECONDS, HOLD_SECONDS};
use casting_core::tally::{Tally, TallyKind};
use casting_core::ticket::LaunchTicket;
use casting_core::time::Timestamp;
use casting_core::{ClaimRequest, Claimed, Received, Visitor};
use casting_tests::faults::{Luck, act};
use casting_tests::world::{Ground, Limits, World, open, visitor};

const PLACES: u32 = 5;
const VISITORS: u8 = 50;

/// What became of one visitor.
#[derive(Debug, Default)]
struct Story {
    /// The number of the place, if one was needed.
    number: Option<u64>,
    /// When the session was reserved.
    served_at: Option<Timestamp>,
    /// Every session that was given.
    sessions: Vec<SessionId>,
    /// The place was given up.
    lost: bool,
}

/// The processes that there are at the moment.
type Processes = Arc<Mutex<Vec<Arc<Control>>>>;

struct Player {
    n: u8,
    who: Visitor,
    key: String,
    rng: fastrand::Rng,
    processes: Processes,
}

impl Player {
    fn process(&mut self) -> Arc<Control> {
        let processes = self.processes.lock().expect("nobody panics");
        processes[self.rng.usize(0..processes.len())].clone()
    }

    fn luck(&mut self) -> (u64, Luck) {
        (self.rng.u64(..), Luck::Drawn { percent: 8 })
    }

    /// Claims until there is an answer, as somebody does who sees an error and clicks again.
    async fn claim(&mut self, request: &ClaimRequest) -> Option<Received> {
        for _ in 0..200 {
            let (process, (seed, luck)) = (self.process(), self.luck());
            match act(seed, luck, process.claim(&self.key, request, &self.who)).await.result {
                Some(Ok(received)) => return Some(received),
                Some(Err(refusal)) if refusal.denial().code == DenialCode::PlaceLost => return None,
                _ => tokio::time::sleep(Duration::from_millis(self.rng.u64(200..1500))).await,
            }
        }
        panic!("visitor {} gets no answer", self.n);
    }

    async fn live_through(&mut self, session: Claimed) {
        tokio::time::sleep(Duration::from_secs(self.rng.u64(30..60))).await;
        let process = self.process();
        process.end(&session.session.id, Some(&session.owner_ticket)).await.expect("ends");
    }

    async fn play(mut self, goes_away: bool) -> Story {
        let mut story = Story::default();
        tokio::time::sleep(Duration::from_millis(self.rng.u64(0..20_000))).await;
        let process = self.process();
        let mut request = open(&process, &self.key, &self.who).await.expect("it opens");
        let mut received = self.claim(&request).await;
        loop {
            let waiting = match received {
                Some(Received::Session(claimed)) => {
                    story.served_at = Some(claimed.session.created_at);
                    story.sessions.push(claimed.session.id.clone());
                    // A second click changes nothing.
                    if let Some(Received::Session(again)) = self.claim(&request).await {
                        story.sessions.push(again.session.id);
                    }
                    self.live_through(*claimed).await;
                    return story;
                }
                Some(Received::Place(waiting)) => waiting,
                None => {
                    story.lost = true;
                    return story;
                }
            };
            let process = self.process();
            let now = process.clock.now();
            let place = LaunchTicket::open(&waiting.ticket, &process.keys, now).expect("a ticket").place.expect("of a place");
            let room = process.store.room(&waiting.cast.id).await.expect("reads");
            if let Some(place) = room.places.get(&place) {
                assert!(story.number.is_none_or(|number| number == place.number), "visitor {} keeps its number", self.n);
                story.number = Some(place.number);
            }
            request.ticket.clone_from(&waiting.ticket);
            let mut ask_in = waiting.ask_in;
            received = loop {
                let away = if goes_away { GONE_SECONDS + 5 } else { ask_in };
                tokio::time::sleep(Duration::from_millis(away * 1000 + self.rng.u64(0..500))).await;
                let (process, (seed, luck)) = (self.process(), self.luck());
                match act(seed, luck, process.wait(&self.key, &request.ticket, &self.who)).await.result {
                    Some(Ok(waiting)) if waiting.turn => break self.claim(&request).await,
                    Some(Ok(waiting)) => ask_in = waiting.ask_in,
                    Some(Err(refusal)) if refusal.denial().code == DenialCode::PlaceLost => break None,
                    _ => {}
                }
            };
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_visitors_of_five_places_are_served_in_order_and_once() {
    let ground = Ground::lay().await.expect("lays the ground");
    for seed in 1..=3_u64 {
        let limits = Limits { live: Some(PLACES), room: true, ..Limits::default() };
        let mut world = World::make(&ground, 7000 + seed, limits).await.expect("makes a world");
        let processes: Processes = Arc::new(Mutex::new(world.processes.clone()));
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut crowd = tokio::task::JoinSet::new();
        for n in 1..=VISITORS {
            let key = world.cast.settings.key.as_str().to_owned();
            let player = Player { n, who: visitor(n), key, rng: rng.fork(), processes: processes.clone() };
            crowd.spawn(async move { (n, player.play(n % 9 == 0).await) });
        }
        let key = Tally::new(TallyKind::Cast, world.cast.id.as_str(), PLACES).key;
        let mut stories = BTreeMap::new();
        let mut second = 0_u64;
        while !crowd.is_empty() {
            tokio::select! {
                Some(ended) = crowd.join_next() => {
                    let (n, story) = ended.expect("does not panic");
                    stories.insert(n, story);
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => second += 1,
            }
            assert!(world.calm().store.tally(&key).await.expect("reads") <= PLACES, "seed {seed}");
            let live = world.sessions().await.expect("lists").iter().filter(|row| row.is_live()).count();
            assert!(live <= PLACES as usize, "seed {seed}: {live} live");
            if second % 20 == 19 {
                // Nothing but the store remembers who waits.
                *processes.lock().expect("nobody panics") = (0..3).map(|_| world.new_process()).collect();
            }
            assert!(second < 3600, "seed {seed}: it never ends");
        }
        let (mut order, mut unasked) = (Vec::new(), 0);
        for (n, story) in &stories {
            let distinct: std::collections::BTreeSet<_> = story.sessions.iter().collect();
            assert!(distinct.len() <= 1, "seed {seed}: visitor {n} was served twice: {story:?}");
            assert_eq!(story.lost, story.sessions.is_empty(), "seed {seed}, visitor {n}: {story:?}");
            assert_eq!(
                story.lost,
                n % 9 == 0 && story.number.is_some(),
                "seed {seed}, visitor {n}: only who goes away loses a place: {story:?}"
            );
            match (story.served_at, story.number) {
                (Some(at), Some(number)) => order.push((at, number)),
                (Some(_), None) => unasked += 1,
                (None, _) => {}
            }
        }
        order.sort_unstable();
        assert!(order.is_sorted_by_key(|(_, number)| number), "seed {seed}: {order:?}");
        assert_eq!(unasked, PLACES, "seed {seed}: nobody who came later overtook those who wait");
        assert!(order.len() > 30, "seed {seed}: {} waited", order.len());
        world.finish().await.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_machine_keeps_the_place_and_nobody_is_served_for_a_moment() {
    let ground = Ground::lay().await.expect("lays the ground");
    let mut world = World::make(&ground, 7100, Limits { total: Some(2), room: true, ..Limits::default() }).await.expect("makes a world");
    let key = world.cast.settings.key.as_str().to_owned();
    world.refuse_starts(2);
    let process = world.processes[1].clone();
    let mut first = open(&process, &key, &visitor(1)).await.expect("opens");
    let original = first.clone();
    let position = |received: &Received| match received {
        Received::Place(waiting) => (waiting.position, waiting.turn),
        Received::Session(claimed) => panic!("no session: {claimed:?}"),
    };
    let ticket = |received: Received| match received {
        Received::Place(waiting) => waiting.ticket,
        Received::Session(claimed) => panic!("no session: {claimed:?}"),
    };
    for attempt in 1..=2 {
        let received = process.claim(&key, &first, &visitor(1)).await.expect("a place");
        assert_eq!(position(&received), (1, false), "attempt {attempt}");
        let again = process.claim(&key, &first, &visitor(1)).await.expect("the same place");
        assert_eq!(position(&again), (1, false), "attempt {attempt}");
        first.ticket = ticket(again);
        let second = open(&process, &key, &visitor(2)).await.expect("opens");
        let second = process.claim(&key, &second, &visitor(2)).await.expect("a place");
        assert_eq!(position(&second).0, attempt + 1, "attempt {attempt}");
        tokio::time::sleep(Duration::from_secs(HOLD_SECONDS)).await;
        assert!(process.wait(&key, &first.ticket, &visitor(1)).await.expect("waits").turn, "attempt {attempt}");
    }
    let claimed = process.claim(&key, &first, &visitor(1)).await.expect("is served").session().expect("a session");
    let again = process.claim(&key, &first, &visitor(1)).await.expect("is served").session().expect("a session");
    assert_eq!(claimed.session.id, again.session.id);
    assert_eq!(world.cast_now().await.expect("is there").counter.remaining, 1, "one session was counted");
    // Whoever repeats the very first claim is led to the same place, and from there to the same session.
    let repeated = process.claim(&key, &original, &visitor(1)).await.expect("a place");
    assert_eq!(position(&repeated), (0, true));
    world.given.insert(claimed.session.id);
    world.finish().await.expect("holds");
}
