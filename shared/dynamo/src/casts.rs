//! Owns the rows of table `casts`: configs with their counters, and the claims to their keys. Must not know what the settings mean.
//!
//! A key belongs to one cast because its claim is a row of its own, written, moved and deleted in the cast's own transactions.

use casting_core::cast::Cast;
use casting_core::ids::{CastId, CastKey};
use casting_core::ports::{Created, Fault, Page, Replaced, Saved};

use crate::call::Refusal;
use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{Stretch, after_id};
use crate::rows::{CastRow, Item, KeyRow, from_item, key, number, text, to_item, to_value};
use crate::store::DynamoStore;
use crate::write::{self, Clause};

pub async fn by_key(store: &DynamoStore, key: &CastKey) -> Result<Option<Cast>, Fault> {
    const WHAT: &str = "find a cast by its key";
    let stretch = Stretch::new(&store.tables.casts, Some(names::BY_KEY), names::OF_KEY).value(":key", text(key.as_str()));
    let (items, _) = store.query(WHAT, &stretch, None).await?;
    let casts = items.into_iter().map(|item| from_item::<CastRow>(WHAT, item).map(Cast::from)).collect::<Result<Vec<_>, _>>()?;
    // For a moment after a key changed hands the index may show it at both; the later change is the one that took it.
    Ok(casts.into_iter().max_by_key(|cast| cast.updated_at))
}

pub async fn by_id(store: &DynamoStore, id: &CastId) -> Result<Option<Cast>, Fault> {
    let row = store.get::<CastRow>("read a cast", &store.tables.casts, key(names::ID, id.as_str())).await?;
    Ok(row.map(Cast::from))
}

pub async fn page(store: &DynamoStore, after: Option<&str>, limit: u32) -> Result<Page<Cast>, Fault> {
    const WHAT: &str = "list casts";
    let mut stretch = Stretch::new(&store.tables.casts, Some(names::BY_KIND), names::OF_KIND).value(":kind", text(names::CAST));
    if let Some(after) = after {
        let id = CastId::parse(after).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        stretch.after = Some(after_id(names::CAST, id.as_str()));
    }
    let (rows, next) = store.rows::<CastRow>(WHAT, &stretch, limit).await?;
    let next = next.and_then(|key| key.get(names::ID)?.as_s().ok().cloned());
    Ok(Page { items: rows.into_iter().map(Cast::from).collect(), next })
}

pub async fn create(store: &DynamoStore, cast: &Cast) -> Result<Created, Fault> {
    const WHAT: &str = "create a cast";
    let row = to_item(WHAT, &CastRow::from(cast))?;
    let parts = vec![write::put(WHAT, &store.tables.casts, row, Clause::when(names::IS_NEW))?, claim_key(WHAT, store, cast)?];
    let Err(refusal) = store.transact(WHAT, parts).await? else { return Ok(Created::Done) };
    match (key_owner(WHAT, &refusal, 1)?, refusal.failed(0)) {
        // The very cast, written by a call before this one.
        (Some(owner), Some(_)) if owner == cast.id => Ok(Created::Done),
        (Some(_), _) => Ok(Created::KeyTaken),
        (None, _) => Err(refused(WHAT, "another cast has this id")),
    }
}

pub async fn replace(store: &DynamoStore, before: &Cast, after: &Cast, set_counter: bool) -> Result<Replaced, Fault> {
    const WHAT: &str = "change a cast";
    let table = &store.tables.casts;
    let mut clause = Clause::when(names::IS_VERSION)
        .value(":version", number(before.version))
        .value(":after", number(after.version))
        .value(":key", text(after.settings.key.as_str()))
        .value(":settings", to_value(WHAT, &after.settings)?)
        .value(":updated", number(after.updated_at.millis()));
    let mut change = names::SET_CONFIG;
    if set_counter {
        change = names::SET_CONFIG_AND_COUNTER;
        clause = clause.value(":remaining", number(after.counter.remaining)).value(":epoch", number(after.counter.epoch));
    }
    let mut parts = vec![write::update(WHAT, table, key(names::ID, after.id.as_str()), change, clause)?];
    if before.settings.key != after.settings.key {
        parts.push(claim_key(WHAT, store, after)?);
        parts.push(free_key(WHAT, store, before)?);
    }
    let Err(refusal) = store.transact(WHAT, parts).await? else { return Ok(Replaced::Done) };
    if refusal.failed(0).is_some() {
        return Ok(Replaced::Stale);
    }
    match key_owner(WHAT, &refusal, 1)? {
        Some(_) => Ok(Replaced::KeyTaken),
        None => Err(corrupt(WHAT, "the old key belongs to another cast")),
    }
}

pub async fn delete(store: &DynamoStore, cast: &Cast) -> Result<Saved, Fault> {
    const WHAT: &str = "delete a cast";
    let is_version = Clause::when(names::IS_VERSION).value(":version", number(cast.version));
    let row = write::delete(WHAT, &store.tables.casts, key(names::ID, cast.id.as_str()), is_version)?;
    match store.transact(WHAT, vec![row, free_key(WHAT, store, cast)?]).await? {
        Ok(()) => Ok(Saved::Done),
        Err(refusal) if refusal.failed(0).is_some() => Ok(Saved::Stale),
        Err(_) => Err(corrupt(WHAT, "the key belongs to another cast")),
    }
}

type Part = aws_sdk_dynamodb::types::TransactWriteItem;

fn claim_key(what: &'static str, store: &DynamoStore, cast: &Cast) -> Result<Part, Fault> {
    let row = KeyRow { id: names::key_claim(&cast.settings.key), cast_id: cast.id.clone() };
    write::put(what, &store.tables.casts, to_item(what, &row)?, Clause::when(names::IS_NEW))
}

fn free_key(what: &'static str, store: &DynamoStore, cast: &Cast) -> Result<Part, Fault> {
    let is_ours = Clause::when(names::KEY_IS_OURS).value(":cast", text(cast.id.as_str()));
    write::delete(what, &store.tables.casts, key(names::ID, names::key_claim(&cast.settings.key)), is_ours)
}

/// Whose key it is, if the part that wanted it failed.
fn key_owner(what: &'static str, refusal: &Refusal, index: usize) -> Result<Option<CastId>, Fault> {
    let row: Option<&Item> = refusal.failed(index).flatten();
    row.map(|item| from_item::<KeyRow>(what, item.clone()).map(|row| row.cast_id)).transpose()
}
