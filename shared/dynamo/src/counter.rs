//! Owns the counters of casts: a small row beside each cast's own, of which claims take and to
//! which refunds give, so that a claim pays for this row and not for the settings. Must not know
//! what the settings mean.
//!
//! Earlier versions counted in the cast's own row. What such a version left there still counts:
//! Sessions Remaining is the sum of both rows. The first write that needs the counter's row makes
//! it and moves half of the remaining places into it; the other half stays for programs of that
//! version that still run, and moves once the first is used up, or when an administrator changes
//! the cast. Those
//! programs take from the cast's row and give to it, so every place is in one row at any time, and
//! each is taken once.

use std::collections::HashMap;

use casting_core::cast::{Cast, Counter};
use casting_core::ids::CastId;
use casting_core::ports::{Fault, FaultKind};

use crate::names;
use crate::rows::{CastRow, CounterRow, Item, from_item, key, number, text};
use crate::shards::{self, Place};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

type Part = aws_sdk_dynamodb::types::TransactWriteItem;

/// How often a change is repeated because others have changed the same rows first.
pub const TRIES: u32 = 10;

/// How much of what an earlier version counts in the cast's row moves to the counter's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Half, or all once the counter's row is used up.
    AsNeeded,
    /// All.
    Everything,
}

/// The rows of one cast that agree: same version, same epoch.
#[derive(Debug)]
pub struct Settled {
    pub cast: CastRow,
    pub counter: CounterRow,
}

/// The cast of these two rows.
pub fn join(row: CastRow, counter: Option<&CounterRow>) -> Cast {
    let moved = counter
        .filter(|counter| counter.counter_epoch == row.counter_epoch)
        .map_or(0, |counter| counter.remaining);
    let remaining = row.remaining.saturating_add(moved);
    let cast = Cast::from(row);
    Cast {
        counter: Counter {
            remaining,
            ..cast.counter
        },
        ..cast
    }
}

fn row_key(cast: &CastId) -> Item {
    key(names::ID, names::counter(cast))
}

/// The counter's row, with what is in its shards; `None` where the cast is of an earlier version.
pub async fn row(store: &DynamoStore, cast: &CastId) -> Result<Option<CounterRow>, Fault> {
    let own = own_row(store, cast).await?;
    shards::with_shards(store, cast, own).await
}

/// The counter's row alone.
pub async fn own_row(store: &DynamoStore, cast: &CastId) -> Result<Option<CounterRow>, Fault> {
    store
        .get("read a counter", &store.tables.casts, row_key(cast))
        .await
}

/// The casts of these rows, in their order.
pub async fn join_all(
    what: &'static str,
    store: &DynamoStore,
    rows: Vec<CastRow>,
) -> Result<Vec<Cast>, Fault> {
    let ids: Vec<_> = rows
        .iter()
        .map(|row| text(names::counter(&row.id)))
        .collect();
    let mut found: HashMap<String, Item> = store.get_all(what, &store.tables.casts, &ids).await?;
    let mut casts = Vec::with_capacity(rows.len());
    for row in rows {
        let counter = found
            .remove(&names::counter(&row.id))
            .map(|item| from_item::<CounterRow>(what, item))
            .transpose()?;
        let counter = shards::with_shards(store, &row.id, counter).await?;
        casts.push(join(row, counter.as_ref()));
    }
    Ok(casts)
}

/// The rows of a cast after they were made to agree; `None` when there is no cast. Almost always
/// they agree, and nothing is written.
///
/// # Errors
/// `Contention` when others change them all the time.
pub async fn settle(
    store: &DynamoStore,
    cast: &CastId,
    moves: Moves,
) -> Result<Option<Settled>, Fault> {
    const WHAT: &str = "settle a counter";
    let id = || key(names::ID, cast.as_str());
    for _ in 0..TRIES {
        let own = store.get::<CastRow>(WHAT, &store.tables.casts, id());
        let (own, counter) = futures_util::try_join!(own, own_row(store, cast))?;
        let Some(mut own) = own else {
            return Ok(None);
        };
        let (moved, after) = match (due(&own, counter.as_ref(), moves), &counter) {
            (Some(due), _) => due,
            (None, Some(counter)) => {
                let counter = counter.clone();
                return Ok(Some(Settled { cast: own, counter }));
            }
            (None, None) => continue,
        };
        let left = own.remaining - moved;
        let as_read = Condition::when(names::IS_CONFIG_AS_READ)
            .value(":version", number(own.version))
            .value(":epoch", number(own.counter_epoch))
            .value(":seen", number(own.remaining))
            .value(":remaining", number(left));
        let condition = counter_as_read(counter.as_ref())
            .value(":after", number(after.version))
            .value(":remaining", number(after.remaining))
            .value(":epoch", number(after.counter_epoch));
        let parts = vec![
            write::update(
                WHAT,
                &store.tables.casts,
                id(),
                names::SET_REMAINING,
                as_read,
            )?,
            write::update(
                WHAT,
                &store.tables.casts,
                row_key(cast),
                names::SET_COUNTER,
                condition,
            )?,
        ];
        if store.transact(WHAT, parts).await?.is_ok() {
            tracing::info!(cast.id = %cast, moved, "The counter of cast {cast} was settled");
            own.remaining = left;
            return Ok(Some(Settled {
                cast: own,
                counter: after,
            }));
        }
    }
    Err(Fault {
        kind: FaultKind::Contention,
        what: WHAT,
        detail: format!("{TRIES} tries on {cast}"),
    })
}

/// What is to be written so that the rows agree: how much leaves the cast's row, and the counter's
/// row after it. `None` when they agree.
fn due(own: &CastRow, counter: Option<&CounterRow>, moves: Moves) -> Option<(u64, CounterRow)> {
    // A counter of another epoch was replaced by a program of the earlier version, which set the
    // number anew.
    let counts = counter.filter(|counter| counter.counter_epoch == own.counter_epoch);
    let has = counts.map(|counter| counter.remaining);
    let moved = match (moves, has) {
        (Moves::Everything, _) | (Moves::AsNeeded, Some(0)) => own.remaining,
        (Moves::AsNeeded, None) => own.remaining.div_ceil(2),
        (Moves::AsNeeded, Some(_)) => 0,
    };
    let agrees = counts.is_some_and(|counter| counter.version == own.version);
    (moved > 0 || !agrees).then(|| {
        let after = CounterRow {
            id: names::counter(&own.id),
            version: own.version,
            remaining: has.unwrap_or(0) + moved,
            counter_epoch: own.counter_epoch,
            parted: counter.map_or(0, |counter| counter.parted),
        };
        (moved, after)
    })
}

fn counter_as_read(counter: Option<&CounterRow>) -> Condition {
    counter.map_or_else(
        || Condition::when(names::IS_NEW),
        |counter| {
            Condition::when(names::IS_COUNTER_AS_READ)
                .value(":read_version", number(counter.version))
                .value(":read_epoch", number(counter.counter_epoch))
                .value(":read_remaining", number(counter.remaining))
        },
    )
}

/// Makes the counter's row of a new cast.
pub fn create(what: &'static str, store: &DynamoStore, cast: &Cast) -> Result<Part, Fault> {
    let row = CounterRow {
        id: names::counter(&cast.id),
        version: cast.version,
        remaining: cast.counter.remaining,
        counter_epoch: cast.counter.epoch,
        parted: 0,
    };
    write::put(
        what,
        &store.tables.casts,
        crate::rows::to_item(what, &row)?,
        Condition::none(),
    )
}

/// Deletes the counter's row of a cast, if it was not split since it was seen so.
pub fn delete(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    parted: u64,
) -> Result<Part, Fault> {
    let as_seen = Condition::when(names::IS_NOT_PARTED_SINCE).value(":parted", number(parted));
    write::delete(what, &store.tables.casts, row_key(cast), as_seen)
}

/// Changes the counter's row by `change`.
pub fn update(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    change: &'static str,
    condition: Condition,
) -> Result<Part, Fault> {
    write::update(what, &store.tables.casts, row_key(cast), change, condition)
}

/// Holds a claim to the version that it was decided on, and takes a place of this row if it counts.
pub fn take(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    place: Place,
    version: u64,
    epoch: Option<u64>,
) -> Result<Part, Fault> {
    match epoch {
        None => write::check(
            what,
            &store.tables.casts,
            place.key(cast),
            Condition::when(names::IS_VERSION).value(":version", number(version)),
        ),
        Some(epoch) => {
            let has_place = Condition::when(names::HAS_PLACE)
                .value(":version", number(version))
                .value(":epoch", number(epoch))
                .value(":zero", number(0))
                .value(":one", number(1));
            let table = &store.tables.casts;
            write::update(what, table, place.key(cast), names::TAKE_PLACE, has_place)
        }
    }
}

/// Gives a place back that was taken in this epoch.
pub fn give(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    epoch: u64,
) -> Result<Part, Fault> {
    let is_epoch = Condition::when(names::IS_EPOCH)
        .value(":epoch", number(epoch))
        .value(":one", number(1));
    update(what, store, cast, names::GIVE_PLACE, is_epoch)
}
