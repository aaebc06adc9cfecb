//! Owns the rows of staged sessions: how they enter a pool, are listed, and leave it. Must not know
//! which claim they fit.

use aws_sdk_dynamodb::types::TransactWriteItem;
use casting_core::ids::StagingId;
use casting_core::ports::{Exchanged, Fault, Staged};
use casting_core::session::Session;

use crate::fault::corrupt;
use crate::read::QueryRange;
use crate::rows::{ClaimRow, Item, number, session_item, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Condition};
use crate::{limits, names, sessions};

pub async fn stage(store: &DynamoStore, session: &Session, most: u32) -> Result<Staged, Fault> {
    const WHAT: &str = "start a session ahead";
    let pool = session
        .idle_pool()
        .ok_or_else(|| corrupt(WHAT, "it waits in no pool"))?;
    let row = session_item(WHAT, session)?;
    let parts = vec![
        write::put(
            WHAT,
            &store.tables.sessions,
            row,
            Condition::when(names::IS_NEW),
        )?,
        limits::take_quota(WHAT, store, &casting_core::pooled::waiting(pool, most))?,
    ];
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Staged::Placed),
        Err(failure) if failure.failed(0).is_some() => {
            Err(corrupt(WHAT, "its id was drawn before"))
        }
        Err(_) => Ok(Staged::Full),
    }
}

pub async fn waiting(store: &DynamoStore, pool: &StagingId) -> Result<Vec<Session>, Fault> {
    const WHAT: &str = "list a pool";
    let range = QueryRange::new(&store.tables.sessions, Some(names::BY_POOL), names::OF_POOL)
        .value(":pool", text(pool.as_str()));
    let (rows, _) = store.query(WHAT, &range, None).await?;
    rows.into_iter()
        .map(|row| sessions::read(WHAT, row))
        .collect()
}

/// The parts of a transaction that make `staged` the session of `row`: it is written over the row
/// that was chosen, and no longer counts in its pool.
pub fn take(
    what: &'static str,
    store: &DynamoStore,
    staged: &Session,
    row: Item,
) -> Result<[TransactWriteItem; 2], Fault> {
    let is_rev = Condition::when(names::IS_REV).value(":rev", number(staged.rev));
    let held = staged
        .held_in_pool()
        .ok_or_else(|| corrupt(what, "it waits in no pool"))?;
    Ok([
        write::put(what, &store.tables.sessions, row, is_rev)?,
        limits::give_quota(what, store, &held)?,
    ])
}

pub async fn exchange(
    store: &DynamoStore,
    before: &Session,
    given_up: &Session,
    after: &Session,
    staged: Option<&Session>,
) -> Result<Exchanged, Fault> {
    const WHAT: &str = "exchange a session";
    let table = &store.tables.sessions;
    let is_rev = Condition::when(names::IS_REV).value(":rev", number(before.rev));
    let leads_to_it = Condition::when(names::LEADS_TO).value(":session", text(before.id.as_str()));
    let row = session_item(WHAT, after)?;
    let first = match staged {
        Some(_) => to_item(WHAT, &ClaimRow::of(after))?,
        None => row.clone(),
    };
    let mut parts = vec![
        write::put(WHAT, table, session_item(WHAT, given_up)?, is_rev)?,
        write::put(WHAT, table, first, leads_to_it)?,
    ];
    if let Some(staged) = staged {
        parts.extend(take(WHAT, store, staged, row)?);
    }
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Exchanged::Done),
        Err(failure) if failure.failed(0).is_some() || failure.failed(1).is_some() => {
            Ok(Exchanged::Stale)
        }
        Err(_) => Ok(Exchanged::StagedGone),
    }
}
