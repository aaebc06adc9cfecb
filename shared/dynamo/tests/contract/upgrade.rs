//! Owns what holds while rows and tables are those of the version before, and while programs of that
//! version still run: every place is taken once and none is lost, and every session is found. That
//! version's writes are made here as it made them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, CreateGlobalSecondaryIndexAction,
    DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType,
};
use casting_core::cast::{Cast, CounterChange};
use casting_core::ids::{CastId, Reference, SessionId};
use casting_core::ports::{Replaced, Reservation, Reserved, Saved, Store};
use casting_core::queries::CastQuery;
use casting_core::session::{Charge, EndReason, Session};
use casting_core::testing::{NOON, cast, session};
use casting_dynamo::DynamoStore;

use crate::database::Database;
use crate::wire::Plan;

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A program of the version before.
pub struct Earlier {
    client: Client,
    casts: String,
}

impl Earlier {
    pub fn of(database: &Database) -> Self {
        Self {
            client: database.client(Plan::default()),
            casts: database.tables.casts.clone(),
        }
    }

    /// Rewrites a cast as that version stored it.
    async fn stores(&self, cast: &Cast) {
        let counter = format!("COUNTER#{}", cast.id);
        let gone = self.client.delete_item().table_name(&self.casts);
        gone.key("id", text(counter)).send().await.expect("deleted");
        let row = self.client.update_item().table_name(&self.casts);
        row.key("id", text(cast.id.as_str()))
            .update_expression("SET remaining = :remaining, counter_epoch = :epoch")
            .expression_attribute_values(":remaining", number(cast.counter.remaining))
            .expression_attribute_values(":epoch", number(cast.counter.epoch))
            .send()
            .await
            .expect("written");
    }

    async fn row(&self, id: &str) -> Option<HashMap<String, AttributeValue>> {
        let get = self.client.get_item().table_name(&self.casts);
        let answer = get.key("id", text(id)).consistent_read(true).send().await;
        answer.expect("read").item
    }

    async fn remaining(&self, id: &str) -> Option<u64> {
        self.row(id).await?["remaining"].as_n().ok()?.parse().ok()
    }

    /// The shards of a counter, by number.
    pub async fn shards(&self, cast: &CastId) -> Vec<(u64, u64)> {
        let mut shards = Vec::new();
        for shard in 0..64 {
            if let Some(left) = self.remaining(&format!("COUNTER#{cast}#{shard}")).await {
                shards.push((shard, left));
            }
        }
        shards
    }

    /// Writes one number of a row.
    pub async fn writes(&self, id: &str, name: &str, value: u64) {
        let row = self.client.update_item().table_name(&self.casts);
        row.key("id", text(id))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", number(value))
            .send()
            .await
            .expect("written");
    }

    /// Takes a place as its claims did.
    pub async fn takes(&self, row: &str, version: u64, epoch: u64) -> bool {
        let update = self.client.update_item().table_name(&self.casts);
        update
            .key("id", text(row))
            .update_expression("SET remaining = remaining - :one")
            .condition_expression(
                "version = :version AND counter_epoch = :epoch AND remaining > :zero",
            )
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":epoch", number(epoch))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .send()
            .await
            .is_ok()
    }

    /// Gives a place back as its releases did.
    pub async fn gives(&self, row: &str, epoch: u64) -> bool {
        let update = self.client.update_item().table_name(&self.casts);
        update
            .key("id", text(row))
            .update_expression("ADD remaining :one")
            .condition_expression("counter_epoch = :epoch")
            .expression_attribute_values(":epoch", number(epoch))
            .expression_attribute_values(":one", number(1))
            .send()
            .await
            .is_ok()
    }

    /// An administrator of that version sets the number.
    pub async fn sets(&self, row: &str, remaining: u64, epoch: u64, version: u64) {
        let update = self.client.update_item().table_name(&self.casts);
        update
            .key("id", text(row))
            .update_expression(
                "SET remaining = :remaining, counter_epoch = :epoch, version = :version",
            )
            .expression_attribute_values(":remaining", number(remaining))
            .expression_attribute_values(":epoch", number(epoch))
            .expression_attribute_values(":version", number(version))
            .send()
            .await
            .expect("written");
    }
}

pub fn limited(n: u8, remaining: u64) -> Cast {
    let mut cast = cast(n);
    cast.settings.limit_total_sessions = true;
    cast.counter.remaining = remaining;
    cast
}

pub fn claim(cast: &Cast, n: u32, epoch: Option<u64>) -> Reservation {
    let mut nonce = [0; 16];
    nonce[..4].copy_from_slice(&n.to_be_bytes());
    nonce[4..8].copy_from_slice(&cast.id.as_str().as_bytes()[..4]);
    let mut session = session(cast, 0);
    session.id = SessionId::from_nonce(&cast.id, &casting_core::ids::Nonce::from_bytes(nonce));
    session.charge = Charge {
        count: epoch,
        ..Charge::default()
    };
    Reservation {
        session,
        cast_version: cast.version,
        window: None,
        quotas: Vec::new(),
        proof: None,
        staged: None,
        queue: None,
    }
}

pub fn refunded(session: &Session) -> Session {
    session.ended(EndReason::NoCapacity, NOON).expect("lives")
}

pub async fn remaining(store: &DynamoStore, cast: &Cast) -> u64 {
    let cast = store.cast(&cast.id).await.expect("read").expect("there");
    cast.counter.remaining
}

/// A cast as the version before stored it.
async fn stored_before(store: &DynamoStore, earlier: &Earlier, n: u8, places: u64) -> Cast {
    let cast = limited(n, places);
    store.create_cast(&cast, None).await.expect("created");
    earlier.stores(&cast).await;
    cast
}

#[tokio::test]
async fn casts_of_the_version_before_are_read_in_every_way() {
    let database = Database::open().await;
    let (store, earlier) = (database.store(Plan::default()), Earlier::of(&database));
    let cast = stored_before(&store, &earlier, 1, 7).await;
    let expected = Ok(Some(cast.clone()));
    for moved in [false, true] {
        assert_eq!(store.cast(&cast.id).await, expected, "{moved}: by id");
        assert_eq!(store.cast_in_force(&cast.id).await, expected, "{moved}");
        let by_key = store.cast_by_key(&cast.settings.key).await;
        assert_eq!(by_key, expected, "{moved}: by key");
        let word = casting_core::queries::words(&cast.settings).remove(0);
        for query in [
            CastQuery::default(),
            CastQuery {
                word: Some(word),
                ..CastQuery::default()
            },
        ] {
            let page = store.casts(&query, None, 10).await.expect("listed");
            assert_eq!(
                page.items,
                std::slice::from_ref(&cast),
                "{moved}: {query:?}"
            );
        }
        // A claim that is given back has moved a part of the counter and changed nothing.
        let claim = claim(&cast, 1, Some(cast.counter.epoch));
        assert_eq!(
            store.reserve(&claim).await,
            Ok(if moved {
                Reserved::Already(Box::new(refunded(&claim.session)))
            } else {
                Reserved::Placed
            })
        );
        if !moved {
            let after = refunded(&claim.session);
            let saved = store.save_session(&claim.session, &after).await;
            assert_eq!(saved, Ok(Saved::Done));
        }
    }
}

#[tokio::test]
async fn both_versions_take_and_give_each_place_once() {
    let database = Database::open().await;
    let (store, earlier) = (database.store(Plan::default()), Earlier::of(&database));
    for (n, places) in (2..).zip([0, 1, 2, 3, 20]) {
        let cast = stored_before(&store, &earlier, n, places).await;
        let (epoch, version) = (cast.counter.epoch, cast.version);
        let ours = (0..30).map(|n| {
            let (store, claim) = (store.clone(), claim(&cast, n, Some(epoch)));
            tokio::spawn(async move { (store.reserve(&claim).await, claim.session) })
        });
        let ours: Vec<_> = ours.collect();
        let mut theirs = 0;
        for _ in 0..5 {
            theirs += u64::from(earlier.takes(cast.id.as_str(), version, epoch).await);
            tokio::task::yield_now().await;
        }
        let mut placed = Vec::new();
        for claim in ours {
            match claim.await.expect("no panic") {
                (Ok(Reserved::Placed), session) => placed.push(session),
                (Ok(Reserved::SoldOut), _) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
        assert_eq!(placed.len() as u64 + theirs, places, "all are taken");
        assert_eq!(remaining(&store, &cast).await, 0);
        // What either gives back, this version can take, and nothing more.
        let mut back = 0;
        if let Some(session) = placed.pop() {
            let saved = store.save_session(&session, &refunded(&session)).await;
            assert_eq!(saved, Ok(Saved::Done));
            back += 1;
        }
        if theirs > 0 {
            assert!(earlier.gives(cast.id.as_str(), epoch).await);
            back += 1;
        }
        assert_eq!(remaining(&store, &cast).await, back);
        for n in 100..100 + back as u32 {
            let taken = store.reserve(&claim(&cast, n, Some(epoch))).await;
            assert_eq!(taken, Ok(Reserved::Placed), "of {places}");
        }
        let more = store.reserve(&claim(&cast, 200, Some(epoch))).await;
        assert_eq!(more, Ok(Reserved::SoldOut), "of {places}");
    }
}

#[tokio::test]
async fn first_write_leaves_half_to_programs_that_still_run() {
    let database = Database::open().await;
    let (store, earlier) = (database.store(Plan::default()), Earlier::of(&database));
    let cast = stored_before(&store, &earlier, 1, 9).await;
    let counter = format!("COUNTER#{}", cast.id);
    let halves = async || {
        (
            earlier.remaining(cast.id.as_str()).await,
            earlier.remaining(&counter).await,
        )
    };
    assert_eq!(halves().await, (Some(9), None));
    let epoch = Some(cast.counter.epoch);
    for (n, expected) in (0..).zip([
        (4, 4),
        (4, 3),
        (4, 2),
        (4, 1),
        (4, 0),
        (0, 3),
        (0, 2),
        (0, 1),
        (0, 0),
    ]) {
        let taken = store.reserve(&claim(&cast, n, epoch)).await;
        assert_eq!(taken, Ok(Reserved::Placed), "claim {n}");
        let (row, counter) = expected;
        assert_eq!(halves().await, (Some(row), Some(counter)), "claim {n}");
    }
    // A claim that counts nothing needs the row too, and takes nothing.
    let other = stored_before(&store, &earlier, 2, 9).await;
    let mut free = claim(&other, 0, None);
    free.proof = Some(casting_core::captcha::Proof {
        id: "once".into(),
        until: NOON,
    });
    assert_eq!(store.reserve(&free).await, Ok(Reserved::Placed));
    assert_eq!(remaining(&store, &other).await, 9);
}

#[tokio::test]
async fn refund_and_change_of_a_cast_stored_before_are_exact() {
    let database = Database::open().await;
    let (store, earlier) = (database.store(Plan::default()), Earlier::of(&database));
    let set = CounterChange::Set(3);
    for (n, change, expected) in [
        (1, CounterChange::Keep, 6),
        (2, CounterChange::Add(-2), 4),
        (3, set, 3),
    ] {
        // That version's claim, given back by this one: the counter's row is made for it.
        let cast = stored_before(&store, &earlier, n, 6).await;
        let held = claim(&cast, 1, Some(cast.counter.epoch)).session;
        assert!(
            earlier
                .takes(cast.id.as_str(), cast.version, cast.counter.epoch)
                .await
        );
        store
            .import_sessions(std::slice::from_ref(&held))
            .await
            .expect("there");
        let saved = store.save_session(&held, &refunded(&held)).await;
        assert_eq!(
            (saved, remaining(&store, &cast).await),
            (Ok(Saved::Done), 6)
        );
        let mut after = cast.clone();
        after.version += 1;
        after.counter = cast.counter.changed(change);
        let seen = Cast {
            counter: casting_core::cast::Counter {
                remaining: 5,
                ..cast.counter
            },
            ..cast.clone()
        };
        if change == set {
            let stale = store.replace_cast(&seen, &after, change, None).await;
            assert_eq!(stale, Ok(Replaced::Stale), "another number than was read");
        }
        let done = store.replace_cast(&cast, &after, change, None).await;
        assert_eq!(done, Ok(Replaced::Done), "{change:?}");
        assert_eq!(remaining(&store, &cast).await, expected, "{change:?}");
        assert_eq!(earlier.remaining(cast.id.as_str()).await, Some(0));
        let late = claim(&cast, 2, Some(cast.counter.epoch));
        assert_eq!(store.reserve(&late).await, Ok(Reserved::ConfigChanged));
        assert!(
            !earlier
                .takes(cast.id.as_str(), cast.version, cast.counter.epoch)
                .await,
            "nor may that version"
        );
        let saved = store.delete_cast(&after, None).await;
        assert_eq!(saved, Ok(Saved::Done));
        let counter = format!("COUNTER#{}", cast.id);
        assert!(
            earlier.row(&counter).await.is_none(),
            "nothing stays behind"
        );
    }
}

#[tokio::test]
async fn number_that_the_version_before_sets_replaces_all() {
    let database = Database::open().await;
    let (store, earlier) = (database.store(Plan::default()), Earlier::of(&database));
    let cast = stored_before(&store, &earlier, 1, 10).await;
    let first = claim(&cast, 1, Some(cast.counter.epoch));
    assert_eq!(store.reserve(&first).await, Ok(Reserved::Placed));
    let (epoch, version) = (cast.counter.epoch + 1, cast.version + 1);
    earlier.sets(cast.id.as_str(), 2, epoch, version).await;
    assert_eq!(remaining(&store, &cast).await, 2);
    let now = store.cast(&cast.id).await.expect("read").expect("there");
    let over = refunded(&first.session);
    let saved = store.save_session(&first.session, &over).await;
    assert_eq!(saved, Ok(Saved::Done));
    assert_eq!(
        remaining(&store, &cast).await,
        2,
        "of an epoch that is over"
    );
    for (n, expected) in [
        (2, Reserved::Placed),
        (3, Reserved::Placed),
        (4, Reserved::SoldOut),
    ] {
        let taken = store.reserve(&claim(&now, n, Some(epoch))).await;
        assert_eq!(taken, Ok(expected), "claim {n}");
    }
}

/// The index over references that the version before had: made, or removed as the template of this
/// version does.
async fn change_reference_index(database: &Database, is_made: bool) {
    let client = database.client(Plan::default());
    let update = GlobalSecondaryIndexUpdate::builder();
    let update = if is_made {
        let key = KeySchemaElement::builder()
            .attribute_name("quoted")
            .key_type(KeyType::Hash);
        let keys = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let index = CreateGlobalSecondaryIndexAction::builder()
            .index_name("by-reference")
            .key_schema(key.build().expect("a key"))
            .projection(keys.build());
        update.create(index.build().expect("an index"))
    } else {
        let index = DeleteGlobalSecondaryIndexAction::builder().index_name("by-reference");
        update.delete(index.build().expect("an index"))
    };
    let quoted = AttributeDefinition::builder()
        .attribute_name("quoted")
        .attribute_type(ScalarAttributeType::S);
    let table = client
        .update_table()
        .table_name(&database.tables.sessions)
        .attribute_definitions(quoted.build().expect("an attribute"))
        .global_secondary_index_updates(update.build());
    table.send().await.expect("changed");
}

#[tokio::test]
async fn references_of_batches_before_are_found() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    let cast = limited(1, 0);
    let claimed = |n: u32, second: u64| {
        let mut session = claim(&cast, n, None).session;
        session.created_at = NOON.plus_seconds(second);
        session
    };
    let sessions = [claimed(1, 0), claimed(2, 60), claimed(3, 20_000)];
    store.import_sessions(&sessions).await.expect("there");
    let list = async |second: u64| {
        let now = NOON.plus_seconds(second);
        let listed = store.list_claims(now.minus_seconds(90), now).await;
        listed.expect("are listed");
    };
    list(10_000).await;
    // As the version before leaves it: no row of references, and no word of them.
    let client = database.client(Plan::default());
    let rows = client.scan().table_name(&database.tables.claims).send();
    let rows = rows.await.expect("read").items.expect("rows");
    let is_of_references = |row: &&HashMap<String, AttributeValue>| {
        row["link"]
            .as_s()
            .is_ok_and(|link| link.starts_with("REFERENCES#"))
    };
    let quoted: Vec<_> = rows.iter().filter(is_of_references).collect();
    assert_eq!(quoted.len(), 1);
    for row in quoted {
        let delete = client.delete_item().table_name(&database.tables.claims);
        let delete = delete.key("link", row["link"].clone());
        let delete = delete.key("hour_code", row["hour_code"].clone());
        delete.send().await.expect("is deleted");
    }
    let listed = client.update_item().table_name(&database.tables.limits);
    let listed = listed.key("id", text("LISTED"));
    let listed = listed.update_expression("REMOVE referenced_after");
    listed.send().await.expect("is changed");
    for second in [10_000, 30_000, 40_000] {
        for session in &sessions {
            let reference = Reference::of(&session.id);
            let found = store.sessions_by_reference(&reference).await;
            assert_eq!(found, Ok(vec![session.clone()]), "at {second}");
        }
        list(second).await;
    }
}

#[tokio::test]
async fn references_are_found_while_and_after_their_index_goes() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    change_reference_index(&database, true).await;
    let cast = limited(1, 0);
    store.create_cast(&cast, None).await.expect("created");
    let mut sessions: Vec<Session> = (0..120)
        .map(|n| {
            let mut session = claim(&cast, n, None).session;
            session.created_at = NOON.plus_seconds(u64::from(n));
            session
        })
        .collect();
    for session in &mut sessions[..3] {
        *session = refunded(session);
    }
    store.import_sessions(&sessions).await.expect("there");
    for with_index in [true, false] {
        if !with_index {
            change_reference_index(&database, false).await;
        }
        for session in [&sessions[0], &sessions[60], &sessions[119]] {
            let reference = Reference::of(&session.id);
            let found = store.sessions_by_reference(&reference).await;
            assert_eq!(found, Ok(vec![session.clone()]), "{with_index}");
        }
        // The version before reads no row without it.
        let id = text(sessions[119].id.as_str());
        let get = database.client(Plan::default()).get_item();
        let get = get.table_name(&database.tables.sessions).key("id", id);
        let row = get.send().await.expect("read").item.expect("there");
        let reference = Reference::of(&sessions[119].id).to_string();
        assert_eq!(row.get("quoted"), Some(&text(reference)));
        let refusal = Reference::parse("k3f7-2mqa-x5cd-7b2e").expect("of a refusal");
        assert_eq!(store.sessions_by_reference(&refusal).await, Ok(Vec::new()));
    }
}
