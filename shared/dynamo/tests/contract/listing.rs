//! Owns what holds of the lists of links while their batches are made: each claim is in the list of
//! its link, once and in order, however far the batches are.

use aws_sdk_dynamodb::types::AttributeValue;
use casting_core::ids::{CastId, Nonce, Reference, SessionId};
use casting_core::ports::Store;
use casting_core::queries::SessionQuery;
use casting_core::session::Session;
use casting_core::testing::{NOON, cast, session};
use casting_core::time::Timestamp;
use casting_dynamo::DynamoStore;

use crate::database::Database;
use crate::wire::Plan;

fn link(n: u8) -> CastId {
    cast(n).id
}

/// A claim of a link, so many milliseconds after noon.
fn claimed(n: u8, millis: i64, number: u32) -> Session {
    let mut session = session(&cast(n), 1);
    let mut nonce = [n; 16];
    nonce[..4].copy_from_slice(&number.to_be_bytes());
    session.id = SessionId::from_nonce(&session.cast_id, &Nonce::from_bytes(nonce));
    session.created_at = Timestamp::from_millis(NOON.millis() + millis);
    session
}

fn at(second: u64) -> Timestamp {
    NOON.plus_seconds(second)
}

/// The list of a link as it must be: the newest first.
fn expected(claims: &[Session], link: &CastId, (since, until): (u64, u64)) -> Vec<SessionId> {
    let is_in = |session: &&Session| {
        session.cast_id == *link
            && at(since) <= session.created_at
            && session.created_at < at(until)
    };
    let mut of_link: Vec<&Session> = claims.iter().filter(is_in).collect();
    of_link.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    of_link
        .into_iter()
        .map(|session| session.id.clone())
        .collect()
}

/// The list of a link, page by page.
async fn listed(
    store: &DynamoStore,
    link: &CastId,
    (since, until): (u64, u64),
    limit: u32,
) -> Vec<SessionId> {
    let query = SessionQuery::cast(link).between(at(since), at(until));
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.sessions(&query, after.as_deref(), limit).await;
        let page = page.expect("a page");
        all.extend(page.items.into_iter().map(|session| session.id));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

const HOUR: u64 = 3600;
const ALL: (u64, u64) = (0, 99 * HOUR);

#[tokio::test]
async fn lists_of_links_are_exact_however_far_batches_are() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    // A link with a crowd, many of them in the same millisecond; one with a claim now and then; one
    // with a few in the midst of the crowd.
    let mut claims = Vec::new();
    for n in 0..1300 {
        claims.push(claimed(1, 4_000_000 + i64::from(n / 7) * 500, n));
    }
    for n in 0..6 {
        claims.push(claimed(2, i64::from(n) * 1_700_000, n));
    }
    for n in 0..3 {
        claims.push(claimed(3, 4_010_000 + i64::from(n) * 9_000, n));
    }
    store.import_sessions(&claims).await.expect("are there");
    for second in [0, 3700, 4200, 8 * HOUR, 20 * HOUR] {
        let now = at(second);
        let listed_until = now.minus_seconds(90);
        store.list_claims(listed_until, now).await.expect("goes on");
        for (n, limit) in [(1, 100), (2, 2), (3, 100), (4, 10)] {
            for span in [ALL, (4005, 4070)] {
                let found = listed(&store, &link(n), span, limit).await;
                let wanted = expected(&claims, &link(n), span);
                assert_eq!(found, wanted, "link {n}, {span:?} by {limit}, at {second}");
            }
        }
        for claim in claims.iter().step_by(13) {
            let found = store.sessions_by_reference(&Reference::of(&claim.id)).await;
            let found = found.expect("found");
            assert!(
                found.iter().any(|session| session.id == claim.id),
                "{} at {second}",
                claim.id
            );
        }
        let links = [link(1), link(2), link(3), link(4)];
        for since in [0, 4060, 50 * HOUR] {
            let counted = store.count_sessions(&links, at(since)).await;
            let counted = counted.expect("counted").into_iter().map(|counted| {
                assert!(!counted.more);
                usize::try_from(counted.count).expect("few")
            });
            let wanted = links
                .iter()
                .map(|link| expected(&claims, link, (since, 99 * HOUR)).len());
            assert!(counted.eq(wanted), "since {since}, at {second}");
        }
    }
}

#[tokio::test]
async fn claim_that_came_late_is_listed_an_hour_later() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    let mut claims = vec![claimed(1, 10_000, 1), claimed(1, 30_000, 2)];
    store.import_sessions(&claims).await.expect("are there");
    let first = at(2 * HOUR);
    store
        .list_claims(first.minus_seconds(90), first)
        .await
        .expect("goes on");
    claims.push(claimed(1, 20_000, 3));
    claims.push(claimed(2, 25_000, 4));
    store
        .import_sessions(&claims[2..])
        .await
        .expect("are there");
    let now = at(3 * HOUR + 1);
    store
        .list_claims(now.minus_seconds(90), now)
        .await
        .expect("goes on");
    for n in [1, 2] {
        assert_eq!(
            listed(&store, &link(n), ALL, 1).await,
            expected(&claims, &link(n), ALL)
        );
    }
}

#[tokio::test]
async fn lists_are_exact_when_how_far_they_are_is_lost() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    let claims: Vec<Session> = (0..60)
        .map(|n| claimed(1, i64::from(n) * 100_000, n))
        .collect();
    store.import_sessions(&claims).await.expect("are there");
    let sweep = async |second: u64| {
        let now = at(second);
        let listed = store.list_claims(now.minus_seconds(90), now).await;
        listed.expect("goes on");
    };
    for second in [HOUR, HOUR + 1500, 2 * HOUR + 200] {
        sweep(second).await;
    }
    let forget = database.client(Plan::default()).delete_item();
    let id = AttributeValue::S("LISTED".into());
    let forgotten = forget.table_name(&database.tables.limits).key("id", id);
    forgotten.send().await.expect("is gone");
    for second in [HOUR + 900, 9 * HOUR] {
        sweep(second).await;
        for limit in [4, 100] {
            assert_eq!(
                listed(&store, &link(1), ALL, limit).await,
                expected(&claims, &link(1), ALL),
                "by {limit} at {second}"
            );
        }
        let counted = store.count_sessions(&[link(1)], at(0)).await;
        assert_eq!(counted.expect("counted")[0].count, 60, "at {second}");
    }
}

#[tokio::test]
async fn sweeps_at_once_list_each_claim_once() {
    let database = Database::open().await;
    let claims: Vec<Session> = (0..400)
        .map(|n| claimed(1, i64::from(n) * 100, n))
        .collect();
    let troubled = || Plan {
        lose_answer: 0.1,
        conflict: 0.1,
        ..Plan::default()
    };
    let stores: Vec<DynamoStore> = (0..4).map(|_| database.store(troubled())).collect();
    stores[0].import_sessions(&claims).await.expect("are there");
    for second in [HOUR, 2 * HOUR] {
        let now = at(second);
        let sweeps = stores
            .iter()
            .map(|store| store.list_claims(now.minus_seconds(90), now));
        for swept in futures_util::future::join_all(sweeps).await {
            swept.expect("goes on");
        }
        assert_eq!(
            listed(&stores[0], &link(1), ALL, 100).await,
            expected(&claims, &link(1), ALL)
        );
    }
}
