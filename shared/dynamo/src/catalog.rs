//! Owns the rows of table `catalog`: records of every kind, and API keys. Must not know what they mean.

use casting_core::ids::ApiKeyId;
use casting_core::ports::{ApiKey, Fault, Page, Saved};
use casting_core::record::Record;

use crate::fault::refused;
use crate::names;
use crate::read::{Stretch, after_id, page_size};
use crate::rows::{ApiKeyRow, Item, RecordRow, from_item, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::Clause;

pub async fn record<R: Record>(store: &DynamoStore, id: &str) -> Result<Option<R>, Fault> {
    let row = store.get::<RecordRow<R>>("read a record", &store.tables.catalog, after_id(R::KIND, id)).await?;
    Ok(row.map(|row| row.record))
}

pub async fn records<R: Record>(store: &DynamoStore, after: Option<&str>, limit: u32) -> Result<Page<R>, Fault> {
    const WHAT: &str = "list records";
    let mut stretch = of_kind(store, R::KIND);
    if let Some(after) = after {
        let is_id = !after.is_empty() && after.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_id {
            return Err(refused(WHAT, "not a page of ours"));
        }
        stretch.after = Some(after_id(R::KIND, after));
    }
    let (items, more) = store.query(WHAT, &stretch, Some(page_size(limit))).await?;
    let items = items.into_iter().map(|item| from_item::<RecordRow<R>>(WHAT, item).map(|row| row.record)).collect::<Result<Vec<_>, _>>()?;
    let next = items.last().filter(|_| more).map(|record| record.id().to_owned());
    Ok(Page { items, next })
}

pub async fn put_record<R: Record>(store: &DynamoStore, record: &R, expected_version: Option<u64>) -> Result<Saved, Fault> {
    const WHAT: &str = "save a record";
    let clause = expected_version.map_or_else(|| Clause::when(names::IS_NEW), is_version);
    Ok(store.put(WHAT, &store.tables.catalog, to_item(WHAT, &RecordRow::from(record))?, clause).await?.into())
}

pub async fn delete_record<R: Record>(store: &DynamoStore, record: &R) -> Result<Saved, Fault> {
    let key = after_id(R::KIND, record.id());
    Ok(store.delete("delete a record", &store.tables.catalog, key, is_version(record.version())).await?.into())
}

pub async fn api_key(store: &DynamoStore, id: &ApiKeyId) -> Result<Option<ApiKey>, Fault> {
    let row = store.get::<ApiKeyRow>("read an API key", &store.tables.catalog, after_id(names::API_KEY, id.as_str())).await?;
    Ok(row.map(|row| row.key))
}

pub async fn api_keys(store: &DynamoStore) -> Result<Vec<ApiKey>, Fault> {
    const WHAT: &str = "list API keys";
    let (items, _) = store.query(WHAT, &of_kind(store, names::API_KEY), None).await?;
    items.into_iter().map(|item: Item| from_item::<ApiKeyRow>(WHAT, item).map(|row| row.key)).collect()
}

pub async fn put_api_key(store: &DynamoStore, key: &ApiKey) -> Result<(), Fault> {
    const WHAT: &str = "save an API key";
    store.put(WHAT, &store.tables.catalog, to_item(WHAT, &ApiKeyRow::from(key))?, Clause::none()).await?;
    Ok(())
}

pub async fn delete_api_key(store: &DynamoStore, id: &ApiKeyId) -> Result<(), Fault> {
    let key = after_id(names::API_KEY, id.as_str());
    store.delete("delete an API key", &store.tables.catalog, key, Clause::none()).await?;
    Ok(())
}

fn of_kind<'a>(store: &'a DynamoStore, kind: &str) -> Stretch<'a> {
    Stretch::new(&store.tables.catalog, None, names::OF_KIND).value(":kind", text(kind))
}

fn is_version(version: u64) -> Clause {
    Clause::when(names::IS_VERSION).value(":version", number(version))
}
