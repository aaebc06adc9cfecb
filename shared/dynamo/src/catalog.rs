//! Owns the rows of table `catalog`: records of every kind. Must not know what they mean.

use casting_core::audit::Audit;
use casting_core::ports::{Fault, Page, Saved};
use casting_core::queries::Counted;
use serde::Deserialize;
use serde_json::Value;

use crate::audit;
use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{Attributes, QueryRange, after_id, page_size};
use crate::rows::{RecordRow, from_item, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

pub async fn record(store: &DynamoStore, kind: &str, id: &str) -> Result<Option<Value>, Fault> {
    let row = store
        .get::<RecordRow>("read a record", &store.tables.catalog, after_id(kind, id))
        .await?;
    Ok(row.map(|row| row.document))
}

pub async fn records(
    store: &DynamoStore,
    kind: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Value>, Fault> {
    const WHAT: &str = "list records";
    let mut range = of_kind(store, kind);
    if let Some(after) = after {
        let is_id = !after.is_empty()
            && after
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_id {
            return Err(refused(WHAT, "not a page of ours"));
        }
        range.after = Some(after_id(kind, after));
    }
    let (items, more) = store.query(WHAT, &range, Some(page_size(limit))).await?;
    let items = items
        .into_iter()
        .map(|item| from_item::<RecordRow>(WHAT, item))
        .collect::<Result<Vec<_>, _>>()?;
    let next = items.last().filter(|_| more).and_then(RecordRow::id);
    let items = items.into_iter().map(|row| row.document).collect();
    Ok(Page { items, next })
}

/// The ids and names of all records of a kind.
pub async fn names_of(store: &DynamoStore, kind: &str) -> Result<Vec<(String, String)>, Fault> {
    const WHAT: &str = "list the names of records";
    const ATTRIBUTES: Attributes = &[names::ID, "settings.name"];
    #[derive(Deserialize)]
    struct Row {
        id: String,
        settings: Option<Settings>,
    }
    #[derive(Deserialize)]
    struct Settings {
        name: String,
    }
    let mut range = of_kind(store, kind);
    range.attributes = Some(ATTRIBUTES);
    let (items, _) = store.query(WHAT, &range, None).await?;
    let rows = items.into_iter().map(|item| {
        let row = from_item::<Row>(WHAT, item)?;
        let name = row.settings.map(|settings| settings.name);
        Ok((row.id.clone(), name.unwrap_or(row.id)))
    });
    rows.collect()
}

/// How many records of a kind there are, `most` at most.
pub async fn count(store: &DynamoStore, kind: &str, most: u32) -> Result<Counted, Fault> {
    const WHAT: &str = "count records";
    store.count(WHAT, &of_kind(store, kind), most).await
}

pub async fn put_record(
    store: &DynamoStore,
    kind: &str,
    document: Value,
    expected_version: Option<u64>,
    audit: Option<&Audit>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "save a record";
    let condition = expected_version.map_or_else(|| Condition::when(names::IS_NEW), is_version);
    let (catalog, row) = (
        &store.tables.catalog,
        to_item(WHAT, &RecordRow::new(kind, document))?,
    );
    let Some(audit) = audit else {
        return Ok(store.put(WHAT, catalog, row, condition).await?.into());
    };
    write_with_audit(
        WHAT,
        store,
        write::put(WHAT, catalog, row, condition)?,
        audit,
    )
    .await
}

pub async fn delete_record(
    store: &DynamoStore,
    kind: &str,
    id: &str,
    version: u64,
    audit: Option<&Audit>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "delete a record";
    let (catalog, key) = (&store.tables.catalog, after_id(kind, id));
    let condition = is_version(version);
    let Some(audit) = audit else {
        return Ok(store.delete(WHAT, catalog, key, condition).await?.into());
    };
    write_with_audit(
        WHAT,
        store,
        write::delete(WHAT, catalog, key, condition)?,
        audit,
    )
    .await
}

/// Writes the change and its audit entry, both or none.
async fn write_with_audit(
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
        Err(failure) if failure.failed(0).is_some() => Ok(Saved::Stale),
        Err(_) => Err(corrupt(what, "another entry has this id")),
    }
}

fn of_kind<'a>(store: &'a DynamoStore, kind: &str) -> QueryRange<'a> {
    QueryRange::new(&store.tables.catalog, None, names::OF_KIND).value(":kind", text(kind))
}

fn is_version(version: u64) -> Condition {
    Condition::when(names::IS_VERSION).value(":version", number(version))
}
