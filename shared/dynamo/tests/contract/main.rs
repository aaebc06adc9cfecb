//! Owns the proof that `DynamoStore` keeps the store's contract: on an embedded DynamoDB, or on the
//! endpoint that `CASTING_TEST_DYNAMODB_ENDPOINT` names; with every answer arriving, and with many
//! of them lost. Must not know the contract.

#[cfg(test)]
mod database;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod wire;

use casting_core::testing::store_contract::run_all;
use casting_dynamo::schema::create_tables;

use crate::database::Database;
use crate::wire::Plan;

/// A seed that an endpoint which outlives this run has not seen.
fn seed() -> u64 {
    fastrand::u64(..)
}

#[tokio::test]
async fn store_passes_its_contract() {
    let database = Database::open().await;
    run_all(&database.store(Plan::default()), seed())
        .await
        .expect("no faults");
}

#[tokio::test]
async fn store_passes_its_contract_under_faults_and_contention() {
    let database = Database::open().await;
    let troubled = Plan {
        lose_answer: 0.06,
        lose_request: 0.02,
        conflict: 0.08,
        throttle: 0.02,
        ..Plan::default()
    };
    run_all(&database.store(troubled), seed())
        .await
        .expect("no faults");
}

#[tokio::test]
async fn existing_tables_are_left_alone() {
    let database = Database::open().await;
    let store = database.store(Plan::default());
    let cast = casting_core::testing::cast(fastrand::u8(..));
    use casting_core::ports::Store;
    store.create_cast(&cast, None).await.expect("created");
    create_tables(&database.client(Plan::default()), &database.tables)
        .await
        .expect("a second time");
    assert_eq!(store.cast(&cast.id).await, Ok(Some(cast)));
}
