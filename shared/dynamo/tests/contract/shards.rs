//! Owns what holds while a counter is split into shards: every place is taken once and none is lost,
//! and a change of the link holds for every claim after it.

use casting_core::cast::{Cast, Counter, CounterChange};
use casting_core::ports::{Replaced, Reserved, Saved, Store};
use casting_core::session::Session;
use casting_dynamo::DynamoStore;
use futures_util::stream::{self, StreamExt};

use crate::database::Database;
use crate::upgrade::{Earlier, claim, limited, refunded, remaining};
use crate::wire::{InjectedFault, Plan};

/// A link of so many places whose first claim met another one: its counter is split. With that claim.
async fn split(database: &Database, n: u8, places: u64) -> (DynamoStore, Cast, Session) {
    let store = database.store(Plan::default());
    let cast = limited(n, places);
    store.create_cast(&cast, None).await.expect("created");
    let crowded = database.store(Plan::next(&[InjectedFault::Conflict]));
    let first = claim(&cast, 1_000_000, Some(cast.counter.epoch));
    assert_eq!(crowded.reserve(&first).await, Ok(Reserved::Placed));
    let shards = Earlier::of(database).shards(&cast.id).await;
    assert_eq!(shards.len(), 64, "it is split");
    (store, cast, first.session)
}

/// How many of these claims were placed; the others found it sold out.
async fn placed(store: &DynamoStore, cast: &Cast, claims: std::ops::Range<u32>) -> Vec<Session> {
    let reserve = |n| {
        let (store, claim) = (store.clone(), claim(cast, n, Some(cast.counter.epoch)));
        async move { (store.reserve(&claim).await, claim.session) }
    };
    let answers: Vec<_> = stream::iter(claims)
        .map(reserve)
        .buffer_unordered(30)
        .collect()
        .await;
    let placed = answers
        .into_iter()
        .filter_map(|(answer, session)| match answer {
            Ok(Reserved::Placed) => Some(session),
            Ok(Reserved::SoldOut) => None,
            other => panic!("{other:?}"),
        });
    placed.collect()
}

#[tokio::test]
async fn split_counter_takes_and_gives_each_place_once() {
    let database = Database::open().await;
    let (store, cast, first) = split(&database, 1, 150).await;
    assert_eq!(remaining(&store, &cast).await, 149);
    // A process that does not know yet, and one that conflicts often.
    let busy = database.store(Plan {
        conflict: 0.2,
        ..Plan::default()
    });
    let (ours, theirs) = tokio::join!(
        placed(&store, &cast, 0..100),
        placed(&busy, &cast, 100..200)
    );
    assert_eq!(ours.len() + theirs.len(), 149, "all are taken");
    assert_eq!(remaining(&store, &cast).await, 0);
    for session in [&first, &ours[0]] {
        let saved = store.save_session(session, &refunded(session)).await;
        assert_eq!(saved, Ok(Saved::Done));
    }
    assert_eq!(remaining(&store, &cast).await, 2);
    assert_eq!(placed(&store, &cast, 300..310).await.len(), 2);
    assert_eq!(remaining(&store, &cast).await, 0);
}

#[tokio::test]
async fn few_places_are_not_split() {
    let database = Database::open().await;
    let cast = limited(1, 70);
    let store = database.store(Plan::next(&[InjectedFault::Conflict; 3]));
    store.create_cast(&cast, None).await.expect("created");
    let first = claim(&cast, 1, Some(cast.counter.epoch));
    assert_eq!(store.reserve(&first).await, Ok(Reserved::Placed));
    assert_eq!(Earlier::of(&database).shards(&cast.id).await.len(), 0);
    assert_eq!(remaining(&store, &cast).await, 69);
}

#[tokio::test]
async fn change_of_the_settings_holds_for_every_shard() {
    let database = Database::open().await;
    let (store, cast, _) = split(&database, 1, 640).await;
    let mut after = cast.clone();
    after.version += 1;
    let replaced = store.replace_cast(&cast, &after, CounterChange::Keep, None);
    assert_eq!(replaced.await, Ok(Replaced::Done));
    let epoch = Some(cast.counter.epoch);
    for n in 0..100 {
        let late = store.reserve(&claim(&cast, n, epoch)).await;
        assert_eq!(late, Ok(Reserved::ConfigChanged), "claim {n}");
        let unguarded_count = store.reserve(&with_proof(&cast, n)).await;
        assert_eq!(unguarded_count, Ok(Reserved::ConfigChanged), "claim {n}");
    }
    // The process that changed it was gone before it had told all shards.
    let earlier = Earlier::of(&database);
    for shard in 0..64 {
        let id = format!("COUNTER#{}#{shard}", cast.id);
        earlier.writes(&id, "version", cast.version).await;
    }
    assert_eq!(placed(&store, &after, 200..300).await.len(), 100);
    assert_eq!(remaining(&store, &cast).await, 539);
}

/// A claim that counts nothing, but is held to the version.
fn with_proof(cast: &Cast, n: u32) -> casting_core::ports::Reservation {
    let mut claim = claim(cast, n, None);
    claim.proof = Some(casting_core::captcha::Proof {
        id: format!("once-{n}"),
        until: casting_core::testing::NOON,
    });
    claim
}

#[tokio::test]
async fn change_of_the_number_gathers_the_shards() {
    let database = Database::open().await;
    let (store, cast, _) = split(&database, 1, 200).await;
    assert_eq!(placed(&store, &cast, 0..9).await.len(), 9);
    let changed = |before: &Cast, change| Cast {
        version: before.version + 1,
        counter: before.counter.changed(change),
        ..before.clone()
    };
    let now = |remaining| Cast {
        counter: Counter {
            remaining,
            ..cast.counter
        },
        ..cast.clone()
    };
    let set = CounterChange::Set(100);
    let seen = now(191);
    let after = changed(&seen, set);
    let stale = store.replace_cast(&seen, &after, set, None).await;
    assert_eq!(stale, Ok(Replaced::Stale), "another number");
    // Split once more by the next claim that meets another one.
    let crowded = database.store(Plan::next(&[InjectedFault::Conflict]));
    let tenth = claim(&cast, 10, Some(cast.counter.epoch));
    assert_eq!(crowded.reserve(&tenth).await, Ok(Reserved::Placed));
    let less = CounterChange::Add(-40);
    let fewer = changed(&now(189), less);
    let done = store.replace_cast(&now(189), &fewer, less, None).await;
    assert_eq!(done, Ok(Replaced::Done));
    assert_eq!(remaining(&store, &cast).await, 149);
    let too_many = CounterChange::Add(-150);
    let after = changed(&fewer, too_many);
    let stale = store.replace_cast(&fewer, &after, too_many, None).await;
    assert_eq!(stale, Ok(Replaced::Stale), "not so many are left");
    let fewer = store.cast(&cast.id).await.expect("read").expect("there");
    let after = changed(&fewer, set);
    let done = store.replace_cast(&fewer, &after, set, None).await;
    assert_eq!(done, Ok(Replaced::Done));
    let late = store
        .reserve(&claim(&cast, 50, Some(cast.counter.epoch)))
        .await;
    assert_eq!(late, Ok(Reserved::ConfigChanged));
    assert_eq!(placed(&store, &after, 100..220).await.len(), 100);
    assert_eq!(remaining(&store, &cast).await, 0);
}

#[tokio::test]
async fn places_are_gathered_and_split_while_claims_go_on() {
    let database = Database::open().await;
    let (store, cast, _) = split(&database, 1, 400).await;
    let busy = database.store(Plan {
        conflict: 0.1,
        ..Plan::default()
    });
    let claims = async {
        let mut placed = 0;
        for n in 0..120 {
            // As a claim that is decided again after every change.
            loop {
                let cast = busy.cast(&cast.id).await.expect("read").expect("there");
                let claim = claim(&cast, n, Some(cast.counter.epoch));
                match busy.reserve(&claim).await {
                    Ok(Reserved::ConfigChanged) => {}
                    Ok(Reserved::Placed) => break placed += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        placed
    };
    let changes = async {
        let (mut added, mut version) = (0, cast.version);
        for _ in 0..10 {
            let before = store.cast(&cast.id).await.expect("read").expect("there");
            let add = CounterChange::Add(1);
            let after = Cast {
                version: before.version + 1,
                ..before.clone()
            };
            if store.replace_cast(&before, &after, add, None).await == Ok(Replaced::Done) {
                (added, version) = (added + 1, after.version);
            }
        }
        (added, version)
    };
    let (placed, (added, version)) = tokio::join!(claims, changes);
    assert_eq!((placed, added, version), (120, 10, cast.version + 10));
    assert_eq!(remaining(&store, &cast).await, 399 + 10 - 120);
}

#[tokio::test]
async fn deleted_link_with_shards_takes_no_claim() {
    let database = Database::open().await;
    let (store, cast, _) = split(&database, 1, 200).await;
    let knows = database.store(Plan::default());
    assert_eq!(placed(&knows, &cast, 0..3).await.len(), 3);
    let now = store.cast(&cast.id).await.expect("read").expect("there");
    assert_eq!(store.delete_cast(&now, None).await, Ok(Saved::Done));
    for n in 10..30 {
        let late = claim(&cast, n, Some(cast.counter.epoch));
        let late = knows.reserve(&late).await;
        assert_eq!(late, Ok(Reserved::ConfigChanged), "claim {n}");
        let late = knows.reserve(&with_proof(&cast, n)).await;
        assert_eq!(late, Ok(Reserved::ConfigChanged), "claim {n}");
    }
    let shards = Earlier::of(&database).shards(&cast.id).await;
    assert_eq!(shards.len(), 0, "nothing stays behind");
}

/// The version before knows the counter's own row, and no shards.
#[tokio::test]
async fn version_before_takes_only_what_is_not_in_shards() {
    let database = Database::open().await;
    let (store, cast, _) = split(&database, 1, 150).await;
    let earlier = Earlier::of(&database);
    let (own, epoch) = (format!("COUNTER#{}", cast.id), cast.counter.epoch);
    let mut theirs = 0;
    while earlier.takes(&own, cast.version, epoch).await {
        theirs += 1;
    }
    assert!(theirs < 10, "{theirs}: the rest is in shards");
    assert!(earlier.gives(&own, epoch).await);
    assert_eq!(remaining(&store, &cast).await, 150 - theirs);
    let ours = placed(&store, &cast, 0..200).await.len() as u64;
    assert_eq!(ours + theirs, 150);
    // It sets the number; what was in shards is void.
    let (store, cast, _) = split(&database, 2, 150).await;
    let own = format!("COUNTER#{}", cast.id);
    for id in [cast.id.as_str(), &own] {
        let left = if id == own { 5 } else { 0 };
        earlier.sets(id, left, epoch + 1, cast.version + 1).await;
    }
    assert_eq!(remaining(&store, &cast).await, 5);
    let now = store.cast(&cast.id).await.expect("read").expect("there");
    let late = store.reserve(&claim(&cast, 1, Some(epoch))).await;
    assert_eq!(late, Ok(Reserved::ConfigChanged));
    assert_eq!(placed(&store, &now, 10..30).await.len(), 5);
    assert_eq!(remaining(&store, &cast).await, 0);
}
