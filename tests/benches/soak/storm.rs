//! Owns a storm: a thousand visitors at once who open the page of a link with a few places, and claim.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use casting_identity::web_client;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::phone::{Lost, Phone};
use crate::steady::address;
use crate::world::{Event, Tally, World};

/// How many visitors come.
const VISITORS: usize = 1000;
/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(180);

/// A storm on a new link: as many visitors as it has places are given sessions.
pub async fn rage(world: &Arc<World>, rng: &mut fastrand::Rng) {
    let key = format!(
        "soak-storm-{}",
        world.tally.storms.load(Ordering::Relaxed) + 1
    );
    let places = rng.u64(5..=15);
    if let Err(error) = world.make_link(&key, Some(places), json!({})).await {
        world
            .tally
            .surprise(format!("no link for a storm: {error:#}"));
        return;
    }
    *world.storm.lock().expect("no panic") = (Some(Instant::now()), None);
    world.mark(Event::Storm);
    let http = web_client::build(LIMIT).expect("a client");
    let ready = Arc::new(Barrier::new(VISITORS));
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (world, http, key) = (world.clone(), http.clone(), key.clone());
        let (ready, from) = (ready.clone(), address(rng));
        visitors.spawn(async move {
            ready.wait().await;
            let phone = Phone::of_crowd(&world, &http, from);
            let ticket = phone.open(&key).await?;
            phone.claim(&key, &ticket).await
        });
    }
    let mut given = 0;
    while let Some(visitor) = visitors.join_next().await {
        match visitor.expect("no visitor panics") {
            Ok(_) => given += 1,
            Err(Lost::Refused(410, _)) => Tally::count(&world.tally.refused),
            Err(Lost::Refused(status, code)) => {
                world.tally.surprise(format!("in a storm: {status} {code}"));
            }
            Err(Lost::Outage) => world.tally.surprise("an outage in a storm"),
            Err(Lost::Failed) => {}
        }
    }
    if given != places {
        world
            .tally
            .surprise(format!("a storm on {places} places: {given} were given"));
    }
    world.storm.lock().expect("no panic").1 = Some(Instant::now());
    Tally::count(&world.tally.storms);
}
