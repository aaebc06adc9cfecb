//! Owns the rows of table `catalog`: records of every kind. Must not know what they mean.

use casting_core::audit::Audit;
use casting_core::ports::{Fault, Page, Saved};
use casting_core::record::Record;

use crate::audit;
use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{Stretch, after_id, page_size};
use crate::rows::{RecordRow, from_item, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Clause};

pub async fn record<R: Record>(store: &DynamoStore, id: &str) -> Result<Option<R>, Fault> {
    let row = store
        .get::<RecordRow<R>>(
            "read a record",
            &store.tables.catalog,
            after_id(R::KIND, id),
        )
        .await?;
    Ok(row.map(|row| row.record))
}

pub async fn records<R: Record>(
    store: &DynamoStore,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<R>, Fault> {
    const WHAT: &str = "list records";
    let mut stretch = of_kind(store, R::KIND);
    if let Some(after) = after {
        let is_id = !after.is_empty()
            && after
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_id {
            return Err(refused(WHAT, "not a page of ours"));
        }
        stretch.after = Some(after_id(R::KIND, after));
    }
    let (items, more) = store.query(WHAT, &stretch, Some(page_size(limit))).await?;
    let items = items
        .into_iter()
        .map(|item| from_item::<RecordRow<R>>(WHAT, item).map(|row| row.record))
        .collect::<Result<Vec<_>, _>>()?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|record| record.id().to_owned());
    Ok(Page { items, next })
}

pub async fn put_record<R: Record>(
    store: &DynamoStore,
    record: &R,
    expected_version: Option<u64>,
    audit: Option<&Audit>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "save a record";
    let clause = expected_version.map_or_else(|| Clause::when(names::IS_NEW), is_version);
    let (catalog, row) = (
        &store.tables.catalog,
        to_item(WHAT, &RecordRow::from(record))?,
    );
    let Some(audit) = audit else {
        return Ok(store.put(WHAT, catalog, row, clause).await?.into());
    };
    told(WHAT, store, write::put(WHAT, catalog, row, clause)?, audit).await
}

pub async fn delete_record<R: Record>(
    store: &DynamoStore,
    record: &R,
    audit: Option<&Audit>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "delete a record";
    let (catalog, key) = (&store.tables.catalog, after_id(R::KIND, record.id()));
    let clause = is_version(record.version());
    let Some(audit) = audit else {
        return Ok(store.delete(WHAT, catalog, key, clause).await?.into());
    };
    told(
        WHAT,
        store,
        write::delete(WHAT, catalog, key, clause)?,
        audit,
    )
    .await
}

/// Writes the change and the entry that tells of it, both or none.
async fn told(
    what: &'static str,
    store: &DynamoStore,
    change: aws_sdk_dynamodb::types::TransactWriteItem,
    audit: &Audit,
) -> Result<Saved, Fault> {
    match store
        .transact(what, vec![change, audit::part(what, store, audit)?])
        .await?
    {
        Ok(()) => Ok(Saved::Done),
        Err(refusal) if refusal.failed(0).is_some() => Ok(Saved::Stale),
        Err(_) => Err(corrupt(what, "another entry has this id")),
    }
}

fn of_kind<'a>(store: &'a DynamoStore, kind: &str) -> Stretch<'a> {
    Stretch::new(&store.tables.catalog, None, names::OF_KIND).value(":kind", text(kind))
}

fn is_version(version: u64) -> Clause {
    Clause::when(names::IS_VERSION).value(":version", number(version))
}
