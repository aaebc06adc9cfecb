//! Owns the rows of waiting rooms, one a link, also as a part of a reservation. Must not know whose turn it is.

use aws_sdk_dynamodb::types::{
    ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use casting_core::captcha::Proof;
use casting_core::ids::{CastId, SessionId};
use casting_core::ports::{Fault, RoomClaim, Seated};
use casting_core::room::Room;
use casting_core::time::Timestamp;

use crate::fault::corrupt;
use crate::retry::call;
use crate::rows::{Item, RoomRow, from_item, key, number, to_item};
use crate::store::DynamoStore;
use crate::write;
use crate::{limits, names};

/// How long a room is kept after its last change, in seconds (a day).
const ROOM_SECONDS: u64 = 86_400;

pub async fn room(store: &DynamoStore, cast: &CastId) -> Result<Room, Fault> {
    let row = store
        .get::<RoomRow>(
            "read a waiting room",
            &store.tables.limits,
            key(names::ID, names::room(cast)),
        )
        .await?;
    Ok(row.map_or_else(|| Room::empty(cast.clone()), |row| row.room))
}

pub async fn save(
    store: &DynamoStore,
    seen: &str,
    after: &Room,
    proof: Option<&Proof>,
) -> Result<Seated, Fault> {
    const WHAT: &str = "change a waiting room";
    let mut parts = vec![put(WHAT, store, seen, after)?];
    if let Some(proof) = proof {
        parts.push(limits::use_proof(WHAT, store, proof)?);
    }
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Seated::Done),
        Err(failure) => match (failure.failed(0), failure.failed(1)) {
            (Some(found), _) => Ok(Seated::Moved(found_room(WHAT, &after.cast, found)?)),
            (None, Some(_)) => Ok(Seated::ProofUsed),
            (None, None) => Err(corrupt(WHAT, "refused without a reason")),
        },
    }
}

pub async fn touch(
    store: &DynamoStore,
    cast: &CastId,
    place: &SessionId,
    gone: Timestamp,
    now: Timestamp,
) -> Result<Option<Room>, Fault> {
    const WHAT: &str = "keep a place";
    let request = store
        .client
        .update_item()
        .table_name(&store.tables.limits)
        .set_key(Some(key(names::ID, names::room(cast))))
        .update_expression(names::TOUCH_PLACE)
        .condition_expression(names::PLACE_IS_THERE)
        .expression_attribute_names("#place", place.as_str())
        .expression_attribute_values(":gone", number(gone.millis()))
        .expression_attribute_values(":now", number(now.millis()))
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None);
    match call(WHAT, || request.clone().send()).await? {
        Ok(answer) => {
            let row = answer
                .attributes
                .ok_or_else(|| corrupt(WHAT, "the row is not shown"))?;
            Ok(Some(from_item::<RoomRow>(WHAT, row)?.room))
        }
        Err(_) => Ok(None),
    }
}

/// What a claim asks of the room: that it is as it was seen, and that the visitor's place is given up.
pub fn part(
    what: &'static str,
    store: &DynamoStore,
    claim: &RoomClaim,
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
pub fn found_room(what: &'static str, cast: &CastId, found: Option<&Item>) -> Result<Room, Fault> {
    match found {
        Some(found) => Ok(from_item::<RoomRow>(what, found.clone())?.room),
        None => Ok(Room::empty(cast.clone())),
    }
}

fn put(
    what: &'static str,
    store: &DynamoStore,
    seen: &str,
    after: &Room,
) -> Result<TransactWriteItem, Fault> {
    let newest = after.places.values().map(|place| place.seen_at).max();
    let forgotten_at = newest
        .or(after.hold_until)
        .unwrap_or(Timestamp::from_millis(0))
        .plus_seconds(ROOM_SECONDS);
    write::put(
        what,
        &store.tables.limits,
        to_item(what, &RoomRow::new(after, forgotten_at))?,
        limits::as_seen(seen),
    )
}
