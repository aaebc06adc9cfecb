//! Owns the reservation: everything a claim takes, all or nothing. Must not decide; it only reports
//! which part failed.

use casting_core::ids::CastId;
use casting_core::ports::{Fault, FaultKind, Reservation, Reserved};
use casting_core::quota::Quota;
use casting_core::rate_window::RateWindow;
use casting_retry::{Attempts, Failed};

use crate::counter::{self, Moves};
use crate::fault::corrupt;
use crate::retry::{Answer, COUNTER_LIMITS, ConditionFailure};
use crate::rows::{ClaimRow, CounterRow, Item, WindowRow, from_item, session_item, to_item};
use crate::shards::{self, Found, Place};
use crate::store::DynamoStore;
use crate::write::{self, Condition, Written};
use crate::{deliveries, limits, names, pool, queue, sessions};

const WHAT: &str = "reserve a session";

/// Only what the claim uses takes part: a claim that takes nothing but its session is one
/// conditional put, or with a session that was started in advance one transaction. All others also hold the cast to the version decided on, by the row of
/// its counter.
pub async fn reserve(store: &DynamoStore, reservation: &Reservation) -> Result<Reserved, Fault> {
    let (cast, session) = (&reservation.session.cast_id, &reservation.session.id);
    let (mut tries, mut waits) = (0, Attempts::new(COUNTER_LIMITS));
    let mut place = Place::drawn(store, cast, session, tries);
    while tries < counter::TRIES + COUNTER_LIMITS.busy {
        tries += 1;
        match attempt(store, reservation, place).await? {
            Attempt::Answered(reserved) => return Ok(reserved),
            Attempt::Busy { counter } => {
                let next = if counter {
                    met_others(store, reservation, place, tries).await?
                } else {
                    Next::Try(place)
                };
                match next {
                    Next::Answer(refusal) => return Ok(refusal),
                    Next::Try(next) => place = next,
                }
                if !waits.again(Failed::Busy).await {
                    break;
                }
            }
            Attempt::Refused(found) => {
                match cast_refused(store, reservation, place, found, tries).await? {
                    Next::Answer(refusal) => return Ok(refusal),
                    Next::Try(next) => place = next,
                }
            }
        }
    }
    Err(Fault {
        kind: FaultKind::Contention,
        what: WHAT,
        detail: format!("{tries} tries on the counter"),
    })
}

/// What follows after the counter stood in the way.
enum Next {
    Answer(Reserved),
    Try(Place),
}

/// The outcome of one transaction.
enum Attempt {
    Answered(Reserved),
    /// The counter stood in the way; its row.
    Refused(Option<CounterRow>),
    /// Others were in the way; whether at the counter.
    Busy {
        counter: bool,
    },
}

impl From<Reserved> for Attempt {
    fn from(reserved: Reserved) -> Self {
        Self::Answered(reserved)
    }
}

async fn attempt(
    store: &DynamoStore,
    reservation: &Reservation,
    place: Place,
) -> Result<Attempt, Fault> {
    let session = &reservation.session;
    let row = session_item(WHAT, session)?;
    let (sessions, is_new) = (&store.tables.sessions, Condition::when(names::IS_NEW));
    let is_guarded = !reservation.takes_only_its_session();
    let events = deliveries::parts(WHAT, store, &session.deliveries(None))?;
    if !is_guarded && reservation.staged.is_none() && events.is_empty() {
        return match store.put(WHAT, sessions, row, is_new).await? {
            Written::Done => Ok(Reserved::Placed.into()),
            Written::Failed(found) => Ok(existing_session(store, found).await?.into()),
        };
    }
    // The session comes first, because the first part that stands in the way is the answer; one
    // that was started ahead comes last, because another one may do as well.
    let first = if reservation.staged.is_some() {
        to_item(WHAT, &ClaimRow::of(session))?
    } else {
        row.clone()
    };
    let mut parts = vec![(
        TransactPart::Session,
        write::put(WHAT, sessions, first, is_new)?,
    )];
    if is_guarded {
        let (version, count) = (reservation.cast_version, session.charge.count);
        let take = counter::take(WHAT, store, &session.cast_id, place, version, count)?;
        parts.push((TransactPart::Cast, take));
    }
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
    parts.extend(events.into_iter().map(|part| (TransactPart::Event, part)));
    let (kinds, parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let failure = match store.transact_once(WHAT, parts).await? {
        Answer::Done(()) => return Ok(Reserved::Placed.into()),
        Answer::Busy(busy) => {
            let is_counter = |part: &usize| matches!(kinds.get(*part), Some(TransactPart::Cast));
            let counter = busy.iter().any(is_counter);
            return Ok(Attempt::Busy { counter });
        }
        Answer::Failed(failure) => failure,
    };
    let answer = match first_failed(&kinds, &failure)? {
        (TransactPart::Session, found) => existing_session(store, found.cloned()).await?,
        (TransactPart::Cast, found) => {
            let row = found.map(|found| from_item(WHAT, found.clone()));
            return Ok(Attempt::Refused(row.transpose()?));
        }
        (TransactPart::Queue(cast), found) => {
            Reserved::QueueMoved(queue::found_queue(WHAT, cast, found)?)
        }
        (TransactPart::Window(key), found) => Reserved::WindowMoved(window(key, found)?),
        (TransactPart::Quota(quota), found) => {
            if limits::lacks_sessions(WHAT, quota, found)? {
                Reserved::Uncounted(quota.kind)
            } else {
                Reserved::Full(quota.kind)
            }
        }
        (TransactPart::Proof, _) => Reserved::ProofUsed,
        (TransactPart::Staged, _) => Reserved::StagedGone,
        (TransactPart::Event, _) => return Err(corrupt(WHAT, "an event has no condition")),
    };
    Ok(answer.into())
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
    Event,
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

/// The claim's session that is there already; its row, or the one that leads to it, stood in the
/// way.
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

/// After so many tries at rows that were busy a claim looks whether there are places at all.
const LOOKS_AFTER: u32 = 3;

/// What a claim does that met others at the counter: it splits it, or draws another shard. A crowd
/// that comes after the last place is not to wait for its turn to hear so.
async fn met_others(
    store: &DynamoStore,
    reservation: &Reservation,
    place: Place,
    tries: u32,
) -> Result<Next, Fault> {
    let session = &reservation.session;
    let (cast, count) = (&session.cast_id, session.charge.count);
    let is_sold_out = |counter: &CounterRow| {
        counter.version == reservation.cast_version
            && count == Some(counter.counter_epoch)
            && counter.remaining == 0
    };
    let may_be_sold_out = match place {
        Place::Own => {
            let own = shards::split(store, cast, reservation.cast_version, count).await?;
            own.is_some_and(|own| !own.is_split() && is_sold_out(&own))
        }
        Place::Shard(_) if count.is_some() && tries.is_multiple_of(LOOKS_AFTER) => {
            match shards::find(store, cast, count, &session.id, tries).await? {
                Found::In(place) => return Ok(Next::Try(place)),
                Found::Whole => return Ok(Next::Try(Place::Own)),
                Found::Nothing => true,
            }
        }
        Place::Shard(_) => false,
    };
    if may_be_sold_out
        && let Some(settled) = counter::settle(store, cast, Moves::AsNeeded).await?
        && is_sold_out(&settled.counter)
        && (place != Place::Own || !settled.counter.is_split())
    {
        // The last place may be this claim's own, by an earlier call.
        let answer = match sessions::by_id(store, &session.id).await? {
            Some(earlier) => Reserved::Already(Box::new(earlier)),
            None => Reserved::SoldOut,
        };
        return Ok(Next::Answer(answer));
    }
    Ok(Next::Try(Place::drawn(store, cast, &session.id, tries)))
}

/// Why the counter stood in the way, after its row was made to agree with the cast's; or where the
/// claim is to be tried next.
async fn cast_refused(
    store: &DynamoStore,
    reservation: &Reservation,
    place: Place,
    found: Option<CounterRow>,
    tries: u32,
) -> Result<Next, Fault> {
    let session = &reservation.session;
    let (cast, count) = (&session.cast_id, session.charge.count);
    let as_decided = |row: &CounterRow| {
        row.version == reservation.cast_version
            && count.is_none_or(|epoch| epoch == row.counter_epoch)
    };
    let is_empty = |row: &CounterRow| count.is_some() && row.remaining == 0;
    // Of a counter that is split, its own row has only what was given back.
    let was_split = match (place, &found) {
        (Place::Own, found) => found.as_ref().is_some_and(CounterRow::is_split),
        (Place::Shard(_), _) => true,
    };
    let was_as_decided = found.as_ref().is_some_and(as_decided);
    if was_split && was_as_decided && found.as_ref().is_some_and(is_empty) {
        match shards::find(store, cast, count, &session.id, tries).await? {
            Found::In(place) => return Ok(Next::Try(place)),
            Found::Whole => return Ok(Next::Try(Place::Own)),
            Found::Nothing => {}
        }
    }
    let Some(settled) = counter::settle(store, cast, Moves::AsNeeded).await? else {
        return Ok(Next::Answer(Reserved::ConfigChanged));
    };
    let counter = settled.counter;
    if !as_decided(&counter) {
        return Ok(Next::Answer(Reserved::ConfigChanged));
    }
    if let Place::Shard(shard) = place
        && !was_as_decided
    {
        // It is behind the change of the settings, or closed.
        return Ok(Next::Try(if counter.is_split() {
            shards::follow_one(store, cast, shard, counter.version).await?;
            match shards::find(store, cast, count, &session.id, tries).await? {
                Found::In(place) => place,
                Found::Whole | Found::Nothing => Place::Own,
            }
        } else {
            shards::forget(store, cast);
            Place::Own
        }));
    }
    // A place may have come back since, also in the row where an earlier version counts.
    if is_empty(&counter) && (!counter.is_split() || was_split) {
        return Ok(Next::Answer(Reserved::SoldOut));
    }
    if was_as_decided && Some(&counter) == found.as_ref() {
        return Err(corrupt(WHAT, "the counter refused without a reason"));
    }
    Ok(Next::Try(Place::Own))
}

fn window(key: &str, found: Option<&Item>) -> Result<RateWindow, Fault> {
    match found {
        Some(found) => Ok(from_item::<WindowRow>(WHAT, found.clone())?.into_window(key)),
        None => Ok(limits::empty_window(key)),
    }
}
