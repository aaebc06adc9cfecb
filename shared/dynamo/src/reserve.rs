//! Owns the reservation: everything a claim takes, all or nothing. Must not decide; it only reports
//! which part failed.

use casting_core::ids::CastId;
use casting_core::ports::{Fault, Reservation, Reserved};
use casting_core::quota::Quota;
use casting_core::rate_window::RateWindow;

use crate::fault::corrupt;
use crate::retry::ConditionFailure;
use crate::rows::{
    CastRow, ClaimRow, Item, SessionRow, WindowRow, from_item, key, number, to_item,
};
use crate::store::DynamoStore;
use crate::write::{self, Condition, Written};
use crate::{limits, names, pool, queue, sessions};

const WHAT: &str = "reserve a session";

/// Only what the claim uses takes part: a claim that takes nothing but its session is one conditional put, and whoever decided on it
/// has just read the cast. All others also hold the cast to the version decided on.
pub async fn reserve(store: &DynamoStore, reservation: &Reservation) -> Result<Reserved, Fault> {
    let session = &reservation.session;
    let row = to_item(WHAT, &SessionRow::from(session))?;
    let (sessions, is_new) = (&store.tables.sessions, Condition::when(names::IS_NEW));
    if reservation.staged.is_none()
        && session.charge.is_free()
        && reservation.proof.is_none()
        && reservation.queue.is_none()
    {
        return match store.put(WHAT, sessions, row, is_new).await? {
            Written::Done => Ok(Reserved::Placed),
            Written::Failed(found) => existing_session(store, found).await,
        };
    }
    // The session comes first, because the first part that stands in the way is the answer; one that was started ahead comes last, because another
    // one may do as well.
    let first = if reservation.staged.is_some() {
        to_item(WHAT, &ClaimRow::of(session))?
    } else {
        row.clone()
    };
    let mut parts = vec![
        (
            TransactPart::Session,
            write::put(WHAT, sessions, first, is_new)?,
        ),
        (TransactPart::Cast, cast_part(store, reservation)?),
    ];
    if let Some(claim) = &reservation.queue {
        parts.push((
            TransactPart::Queue(&claim.cast),
            queue::part(WHAT, store, claim)?,
        ));
    }
    if let Some(claim) = &reservation.window {
        parts.push((
            TransactPart::Window(&claim.after.key),
            limits::take_slot(WHAT, store, claim)?,
        ));
    }
    for quota in &reservation.quotas {
        parts.push((
            TransactPart::Quota(quota),
            limits::take_quota(WHAT, store, quota)?,
        ));
    }
    if let Some(proof) = &reservation.proof {
        parts.push((TransactPart::Proof, limits::use_proof(WHAT, store, proof)?));
    }
    if let Some(staged) = &reservation.staged {
        let [put, give] = pool::take(WHAT, store, staged, row)?;
        parts.extend([(TransactPart::Staged, put), (TransactPart::Staged, give)]);
    }
    let (kinds, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Reserved::Placed),
        Err(failure) => match first_failed(&kinds, &failure)? {
            (TransactPart::Session, found) => existing_session(store, found.cloned()).await,
            (TransactPart::Cast, found) => cast_refused(reservation, found),
            (TransactPart::Queue(cast), found) => {
                Ok(Reserved::QueueMoved(queue::found_queue(WHAT, cast, found)?))
            }
            (TransactPart::Window(key), found) => Ok(Reserved::WindowMoved(window(key, found)?)),
            (TransactPart::Quota(quota), found) => {
                let kind = quota.kind;
                let lacks = limits::lacks_sessions(WHAT, quota, found)?;
                Ok(if lacks {
                    Reserved::Uncounted(kind)
                } else {
                    Reserved::Full(kind)
                })
            }
            (TransactPart::Proof, _) => Ok(Reserved::ProofUsed),
            (TransactPart::Staged, _) => Ok(Reserved::StagedGone),
        },
    }
}

/// The condition of each part of the transaction.
enum TransactPart<'a> {
    Session,
    Cast,
    Queue(&'a CastId),
    Window(&'a str),
    Quota(&'a Quota),
    Proof,
    Staged,
}

fn cast_part(
    store: &DynamoStore,
    reservation: &Reservation,
) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, Fault> {
    let Reservation {
        session,
        cast_version,
        ..
    } = reservation;
    let (casts, id) = (
        &store.tables.casts,
        key(names::ID, session.cast_id.as_str()),
    );
    match session.charge.count {
        None => write::check(
            WHAT,
            casts,
            id,
            Condition::when(names::IS_VERSION).value(":version", number(*cast_version)),
        ),
        Some(epoch) => {
            let has_place = Condition::when(names::HAS_PLACE)
                .value(":version", number(*cast_version))
                .value(":epoch", number(epoch))
                .value(":zero", number(0))
                .value(":one", number(1));
            write::update(WHAT, casts, id, names::TAKE_PLACE, has_place)
        }
    }
}

fn first_failed<'a, 'b>(
    kinds: &'a [TransactPart<'b>],
    failure: &'a ConditionFailure,
) -> Result<(&'a TransactPart<'b>, Option<&'a Item>), Fault> {
    let first = kinds
        .iter()
        .enumerate()
        .find_map(|(index, kind)| Some((kind, failure.failed(index)?)));
    first.ok_or_else(|| corrupt(WHAT, "refused without a reason"))
}

/// The claim's session that is there already; its row, or the one that leads to it, stood in the way.
async fn existing_session(store: &DynamoStore, found: Option<Item>) -> Result<Reserved, Fault> {
    let found = found.ok_or_else(|| corrupt(WHAT, "the session exists, but is not shown"))?;
    let session = match ClaimRow::read(WHAT, &found)? {
        None => sessions::read(WHAT, found)?,
        Some(id) => sessions::by_id(store, &id)
            .await?
            .ok_or_else(|| corrupt(WHAT, "a claim leads nowhere"))?,
    };
    Ok(Reserved::Already(Box::new(session)))
}

fn cast_refused(reservation: &Reservation, found: Option<&Item>) -> Result<Reserved, Fault> {
    let Some(found) = found else {
        return Ok(Reserved::ConfigChanged);
    };
    let row: CastRow = from_item(WHAT, found.clone())?;
    let as_decided = row.version == reservation.cast_version
        && Some(row.counter_epoch) == reservation.session.charge.count;
    Ok(if as_decided {
        Reserved::SoldOut
    } else {
        Reserved::ConfigChanged
    })
}

fn window(key: &str, found: Option<&Item>) -> Result<RateWindow, Fault> {
    match found {
        Some(found) => Ok(from_item::<WindowRow>(WHAT, found.clone())?.into_window(key)),
        None => Ok(limits::empty_window(key)),
    }
}
