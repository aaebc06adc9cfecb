//! Owns the shards of a counter: many rows in the place of one, for a link that many claims meet at.
//! Must not know what is claimed.
//!
//! Transactions that meet at one row conflict instead of queueing, so one row takes some fifty claims
//! a second. The first claim that meets another one at a counter splits it: its places move into 64
//! shards, in one transaction, and each claim takes of a shard that follows from its session's id. A
//! shard is a row like the counter's own ([`CounterRow`]), with the same conditions.
//!
//! - Every place is in one row at any time, and taken once. What is given back goes to the counter's
//!   own row. So within one split a shard only ever shrinks.
//! - *Sold out* is said once all shards were seen empty, and then the counter's own row, still of the
//!   same split: at that moment nothing was left anywhere.
//! - A change of the settings is written to the counter's own row in its transaction and to the shards
//!   before it is answered ([`follow`]). A claim that finds its shard behind brings it up to date.
//! - A change of the number gathers the places first ([`gather`]).
//! - Which counters are split is remembered by each process. One that errs finds a shard without
//!   places and looks again.

use std::collections::HashMap;
use std::sync::PoisonError;

use casting_core::ids::{CastId, SessionId};
use casting_core::ports::{Fault, FaultKind};
use casting_retry::{Attempts, Failed};

use crate::counter::{self, TRIES};
use crate::names;
use crate::retry::{Answer, COUNTER_LIMITS};
use crate::rows::{CounterRow, Item, from_item, key, number, text};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

type Part = aws_sdk_dynamodb::types::TransactWriteItem;

/// How many shards a counter is split into: with the parts of the settings they fit into one
/// transaction, which takes a hundred rows.
pub const SHARDS: u64 = 64;
/// So many places stay in the counter's own row: claims may take some between the look at it and the
/// split.
const STAYS: u64 = 8;
/// Of so many links a process remembers that their counters are split.
const MOST_REMEMBERED: usize = 1000;
/// The version of a shard that nothing may be taken of.
const CLOSED: u64 = 0;

/// A row of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The counter's own.
    Own,
    /// One of its shards.
    Shard(u64),
}

/// Where a claim finds a place after its row had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In this row, a moment ago.
    In(Place),
    /// The counter is not split (any more).
    Whole,
    /// Nowhere: all rows were empty at one moment.
    Nothing,
}

impl Place {
    /// The key of the row.
    pub fn key(self, cast: &CastId) -> Item {
        let id = match self {
            Self::Own => names::counter(cast),
            Self::Shard(shard) => names::shard(cast, shard),
        };
        key(names::ID, id)
    }

    /// The row that a claim tries first, or after so many others.
    pub fn drawn(store: &DynamoStore, cast: &CastId, session: &SessionId, tries: u32) -> Self {
        let split = store.split.lock().unwrap_or_else(PoisonError::into_inner);
        if split.contains(cast) {
            Self::Shard(draw(session, tries) % SHARDS)
        } else {
            Self::Own
        }
    }
}

/// A number that follows from a session and how often it has drawn: ids of sessions are random.
fn draw(session: &SessionId, tries: u32) -> u64 {
    let bytes = session.as_str().bytes().chain(tries.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 29)
}

fn remember(store: &DynamoStore, cast: &CastId) {
    let mut split = store.split.lock().unwrap_or_else(PoisonError::into_inner);
    if split.len() >= MOST_REMEMBERED {
        split.clear();
    }
    split.insert(cast.clone());
}

/// Forgets that a counter is split.
pub fn forget(store: &DynamoStore, cast: &CastId) {
    let mut split = store.split.lock().unwrap_or_else(PoisonError::into_inner);
    split.remove(cast);
}

/// The shards that there are, by number.
async fn read(store: &DynamoStore, cast: &CastId) -> Result<Vec<(u64, CounterRow)>, Fault> {
    const WHAT: &str = "read a counter's shards";
    let ids: Vec<_> = (0..SHARDS)
        .map(|shard| text(names::shard(cast, shard)))
        .collect();
    let mut found: HashMap<String, Item> = store.get_all(WHAT, &store.tables.casts, &ids).await?;
    let rows = (0..SHARDS).filter_map(|shard| {
        let item = found.remove(&names::shard(cast, shard))?;
        Some(from_item::<CounterRow>(WHAT, item).map(|row| (shard, row)))
    });
    rows.collect()
}

/// What a shard adds to its counter.
fn holds(own: &CounterRow, shard: &CounterRow) -> u64 {
    let counts = own.is_split()
        && shard.parted == own.parted
        && shard.counter_epoch == own.counter_epoch
        && shard.version != CLOSED;
    if counts { shard.remaining } else { 0 }
}

/// The counter with what is in its shards: never less than there was at some moment of the call.
/// The shards are read before the counter's own row, into which they are gathered.
pub async fn with_shards(
    store: &DynamoStore,
    cast: &CastId,
    mut own: Option<CounterRow>,
) -> Result<Option<CounterRow>, Fault> {
    for _ in 0..TRIES {
        let Some(before) = own.take_if(|own| own.is_split()) else {
            return Ok(own);
        };
        let shards = read(store, cast).await?;
        own = counter::own_row(store, cast).await?;
        if let Some(own) = &mut own
            && own.parted == before.parted
        {
            let held = shards.iter().map(|(_, shard)| holds(own, shard));
            own.remaining = held.fold(own.remaining, u64::saturating_add);
            return Ok(Some(own.clone()));
        }
    }
    Err(contention("read a counter", cast))
}

/// Splits the counter that a claim met others at, if it is as the claim was decided on and there is
/// something to split. Returns its own row as it was before.
pub async fn split(
    store: &DynamoStore,
    cast: &CastId,
    version: u64,
    epoch: Option<u64>,
) -> Result<Option<CounterRow>, Fault> {
    const WHAT: &str = "split a counter";
    let Some(own) = counter::own_row(store, cast).await? else {
        return Ok(None);
    };
    if own.is_split() {
        remember(store, cast);
        return Ok(Some(own));
    }
    let is_as_decided =
        own.version == version && epoch.is_none_or(|epoch| epoch == own.counter_epoch);
    if !is_as_decided || epoch.is_some() && own.remaining < SHARDS + STAYS {
        return Ok(Some(own));
    }
    let (moved, parted) = (own.remaining.saturating_sub(STAYS), own.parted + 1);
    let as_seen = Condition::when(names::CAN_BE_SPLIT)
        .value(":version", number(version))
        .value(":epoch", number(own.counter_epoch))
        .value(":moved", number(moved))
        .value(":parted", number(own.parted))
        .value(":next", number(parted));
    let table = &store.tables.casts;
    let mut parts = vec![write::update(
        WHAT,
        table,
        Place::Own.key(cast),
        names::SPLIT,
        as_seen,
    )?];
    for shard in 0..SHARDS {
        let share = moved / SHARDS + u64::from(shard < moved % SHARDS);
        let row = Condition::none()
            .value(":version", number(version))
            .value(":epoch", number(own.counter_epoch))
            .value(":remaining", number(share))
            .value(":parted", number(parted));
        parts.push(write::update(
            WHAT,
            table,
            Place::Shard(shard).key(cast),
            names::SET_SHARD,
            row,
        )?);
    }
    if let Answer::Done(()) = store.transact_once(WHAT, parts).await? {
        tracing::info!(cast.id = %cast, places = moved, "The counter of cast {cast} was split");
        remember(store, cast);
    }
    Ok(Some(own))
}

/// Looks for a place for a claim whose row had none.
pub async fn find(
    store: &DynamoStore,
    cast: &CastId,
    epoch: Option<u64>,
    session: &SessionId,
    tries: u32,
) -> Result<Found, Fault> {
    let own = counter::own_row(store, cast).await?;
    let Some(own) = own.filter(CounterRow::is_split) else {
        forget(store, cast);
        return Ok(Found::Whole);
    };
    remember(store, cast);
    let is_epoch = epoch.is_none_or(|epoch| epoch == own.counter_epoch);
    let shards = read(store, cast).await?;
    let held = || shards.iter().map(|(shard, row)| (*shard, holds(&own, row)));
    let sum: u64 = held().map(|(_, places)| places).sum();
    if sum > 0 && is_epoch {
        // As likely as it has places.
        let mut nth = draw(session, tries) % sum;
        for (shard, places) in held() {
            if nth < places {
                return Ok(Found::In(Place::Shard(shard)));
            }
            nth -= places;
        }
    }
    let again = counter::own_row(store, cast).await?;
    Ok(match again {
        Some(again) if again.parted == own.parted && again.remaining == 0 => {
            close(store, cast, &own).await?;
            Found::Nothing
        }
        Some(again) if again.parted == own.parted => Found::In(Place::Own),
        _ => Found::Whole,
    })
}

/// Makes a counter whole whose shards are all empty, so that reads of it are cheap again. Others may
/// do the same at once.
async fn close(store: &DynamoStore, cast: &CastId, own: &CounterRow) -> Result<(), Fault> {
    const WHAT: &str = "make a counter whole";
    let as_seen = Condition::when(names::IS_PARTED)
        .value(":parted", number(own.parted))
        .value(":next", number(own.parted + 1));
    let part = write::update(
        WHAT,
        &store.tables.casts,
        Place::Own.key(cast),
        names::MAKE_WHOLE,
        as_seen,
    )?;
    if let Answer::Done(()) = store.transact_once(WHAT, vec![part]).await? {
        forget(store, cast);
    }
    Ok(())
}

/// Brings the shards of a counter to this version of the settings, where they are of one before.
pub async fn follow(store: &DynamoStore, cast: &CastId, version: u64) -> Result<(), Fault> {
    let own = counter::own_row(store, cast).await?;
    if own.is_none_or(|own| own.parted == 0) {
        return Ok(());
    }
    let shards = (0..SHARDS).map(|shard| follow_one(store, cast, shard, version));
    futures_util::future::try_join_all(shards).await?;
    Ok(())
}

/// The same for one shard.
pub async fn follow_one(
    store: &DynamoStore,
    cast: &CastId,
    shard: u64,
    version: u64,
) -> Result<(), Fault> {
    const WHAT: &str = "bring a shard up to date";
    let is_behind = Condition::when(names::IS_BEHIND)
        .value(":after", number(version))
        .value(":closed", number(CLOSED));
    let (table, row) = (&store.tables.casts, Place::Shard(shard).key(cast));
    let part = write::update(WHAT, table, row, names::SET_VERSION, is_behind)?;
    // Refused where it is closed, or up to date already.
    _ = store.transact(WHAT, vec![part]).await?;
    Ok(())
}

/// Moves all places back into the counter's own row and closes the shards. Claims may go on meanwhile;
/// the fewer shards are moved at once, the surer it gets through.
pub async fn gather(store: &DynamoStore, cast: &CastId) -> Result<(), Fault> {
    const WHAT: &str = "gather a counter";
    let mut attempts = Attempts::new(COUNTER_LIMITS);
    let mut at_once = SHARDS as usize;
    loop {
        let Some(own) = counter::own_row(store, cast).await? else {
            return Ok(());
        };
        if own.parted == 0 {
            return Ok(());
        }
        let shards = read(store, cast).await?;
        let open: Vec<_> = shards
            .iter()
            .filter(|(_, row)| row.version != CLOSED)
            .collect();
        if open.is_empty() && !own.is_split() {
            forget(store, cast);
            return Ok(());
        }
        let taken = &open[..open.len().min(at_once)];
        let is_last = own.is_split() && taken.len() == open.len();
        let sum: u64 = taken.iter().map(|(_, row)| holds(&own, row)).sum();
        let mut parts = vec![collect(WHAT, store, cast, &own, sum, is_last)?];
        for (shard, row) in taken {
            parts.push(close_shard(WHAT, store, cast, *shard, row)?);
        }
        match store.transact_once(WHAT, parts).await? {
            Answer::Done(()) => {}
            Answer::Failed(_) | Answer::Busy(_) => {
                at_once = (at_once / 4).max(1);
                if !attempts.again(Failed::Busy).await {
                    return Err(contention(WHAT, cast));
                }
            }
        }
    }
}

fn collect(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    own: &CounterRow,
    sum: u64,
    is_last: bool,
) -> Result<Part, Fault> {
    let as_seen = Condition::when(names::IS_EPOCH_AND_PARTED)
        .value(":epoch", number(own.counter_epoch))
        .value(":parted", number(own.parted))
        .value(":sum", number(sum))
        .value(":next", number(own.parted + u64::from(is_last)));
    let (table, row) = (&store.tables.casts, Place::Own.key(cast));
    write::update(what, table, row, names::COLLECT, as_seen)
}

fn close_shard(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    shard: u64,
    row: &CounterRow,
) -> Result<Part, Fault> {
    let as_read = Condition::when(names::IS_COUNTER_AS_READ)
        .value(":read_version", number(row.version))
        .value(":read_epoch", number(row.counter_epoch))
        .value(":read_remaining", number(row.remaining))
        .value(":closed", number(CLOSED));
    let (table, row) = (&store.tables.casts, Place::Shard(shard).key(cast));
    write::update(what, table, row, names::CLOSE_SHARD, as_read)
}

/// Deletes the shards of a cast that is gone. They were closed before, so nothing can be taken of what
/// stays behind.
pub async fn delete(store: &DynamoStore, cast: &CastId) -> Result<(), Fault> {
    for shard in 0..SHARDS {
        let (table, row) = (&store.tables.casts, Place::Shard(shard).key(cast));
        let none = Condition::none();
        store
            .delete("delete a counter's shards", table, row, none)
            .await?;
    }
    Ok(())
}

fn contention(what: &'static str, cast: &CastId) -> Fault {
    Fault {
        kind: FaultKind::Contention,
        what,
        detail: format!("the counter of {cast} changes all the time"),
    }
}
