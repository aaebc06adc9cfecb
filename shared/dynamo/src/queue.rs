//! Owns the rows of waiting rooms, one a link, also as a part of a reservation. Must not know whose
//! turn it is.

use aws_sdk_dynamodb::types::{
    ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use casting_core::captcha::Proof;
use casting_core::ids::{CastId, SessionId};
use casting_core::ports::{Fault, QueueClaim, QueueSaved};
use casting_core::time::Timestamp;
use casting_core::waiting_queue::WaitingQueue;

use crate::fault::corrupt;
use crate::retry::call;
use crate::rows::{Item, QueueRow, from_item, key, number, to_item};
use crate::store::DynamoStore;
use crate::write;
use crate::{limits, names};

/// How long a room is kept after its last change, in seconds (a day).
const ROOM_SECONDS: u64 = 86_400;

pub async fn queue(store: &DynamoStore, cast: &CastId) -> Result<WaitingQueue, Fault> {
    let row = store
        .get::<QueueRow>(
            "read a waiting room",
            &store.tables.limits,
            key(names::ID, names::room(cast)),
        )
        .await?;
    Ok(row.map_or_else(|| WaitingQueue::empty(cast.clone()), |row| row.queue))
}

pub async fn save(
    store: &DynamoStore,
    seen: &str,
    after: &WaitingQueue,
    proof: Option<&Proof>,
) -> Result<QueueSaved, Fault> {
    const WHAT: &str = "change a waiting room";
    let mut parts = vec![put(WHAT, store, seen, after)?];
    if let Some(proof) = proof {
        parts.push(limits::use_proof(WHAT, store, proof)?);
    }
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(QueueSaved::Done),
        Err(failure) => match (failure.failed(0), failure.failed(1)) {
            (Some(found), _) => Ok(QueueSaved::Moved(found_queue(WHAT, &after.cast, found)?)),
            (None, Some(_)) => Ok(QueueSaved::ProofUsed),
            (None, None) => Err(corrupt(WHAT, "refused without a reason")),
        },
    }
}

pub async fn touch(
    store: &DynamoStore,
    cast: &CastId,
    entry: &SessionId,
    gone: Timestamp,
    now: Timestamp,
) -> Result<Option<WaitingQueue>, Fault> {
    const WHAT: &str = "keep a place";
    let request = store
        .client
        .update_item()
        .table_name(&store.tables.limits)
        .set_key(Some(key(names::ID, names::room(cast))))
        .update_expression(names::TOUCH_PLACE)
        .condition_expression(names::PLACE_IS_THERE)
        .expression_attribute_names("#place", entry.as_str())
        .expression_attribute_values(":gone", number(gone.millis()))
        .expression_attribute_values(":now", number(now.millis()))
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None);
    match call(WHAT, || request.clone().send()).await? {
        Ok(answer) => {
            let row = answer
                .attributes
                .ok_or_else(|| corrupt(WHAT, "the row is not shown"))?;
            Ok(Some(from_item::<QueueRow>(WHAT, row)?.queue))
        }
        Err(_) => Ok(None),
    }
}

/// The condition of a claim on the queue: unchanged, and the visitor's entry is removed.
pub fn part(
    what: &'static str,
    store: &DynamoStore,
    claim: &QueueClaim,
) -> Result<TransactWriteItem, Fault> {
    match &claim.after {
        Some(after) => put(what, store, &claim.seen, after),
        None => write::check(
            what,
            &store.tables.limits,
            key(names::ID, names::room(&claim.cast)),
            limits::as_seen(&claim.seen),
        ),
    }
}

/// The room that stood in the way.
pub fn found_queue(
    what: &'static str,
    cast: &CastId,
    found: Option<&Item>,
) -> Result<WaitingQueue, Fault> {
    match found {
        Some(found) => Ok(from_item::<QueueRow>(what, found.clone())?.queue),
        None => Ok(WaitingQueue::empty(cast.clone())),
    }
}

fn put(
    what: &'static str,
    store: &DynamoStore,
    seen: &str,
    after: &WaitingQueue,
) -> Result<TransactWriteItem, Fault> {
    let newest = after.places.values().map(|entry| entry.seen_at).max();
    let forgotten_at = newest
        .or(after.paused_until)
        .unwrap_or(Timestamp::from_millis(0))
        .plus_seconds(ROOM_SECONDS);
    write::put(
        what,
        &store.tables.limits,
        to_item(what, &QueueRow::new(after, forgotten_at))?,
        limits::as_seen(seen),
    )
}
