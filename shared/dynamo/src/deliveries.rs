//! Owns the rows of deliveries to hooks, which stand beside the sessions that they tell of: both are
//! written in one transaction, and the same indexes list them. Must not know what is delivered.

use aws_sdk_dynamodb::types::TransactWriteItem;
use casting_core::delivery::{Delivery, DeliveryId};
use casting_core::hook::HookId;
use casting_core::ports::{Fault, Page, Saved};
use casting_core::time::Timestamp;

use crate::fault::refused;
use crate::names;
use crate::read::{QueryRange, page_size};
use crate::rows::{DeliveryRow, Item, key, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

/// The parts of a transaction that add these deliveries. They have no condition: the row that they
/// tell of has one.
pub fn parts(
    what: &'static str,
    store: &DynamoStore,
    deliveries: &[Delivery],
) -> Result<Vec<TransactWriteItem>, Fault> {
    let part = |delivery| {
        let row = to_item(what, &DeliveryRow::from(delivery))?;
        write::put(what, &store.tables.sessions, row, Condition::none())
    };
    deliveries.iter().map(part).collect()
}

pub async fn add(store: &DynamoStore, delivery: &Delivery) -> Result<Saved, Fault> {
    const WHAT: &str = "add a delivery";
    let row = to_item(WHAT, &DeliveryRow::from(delivery))?;
    let is_new = Condition::when(names::IS_NEW);
    let written = store.put(WHAT, &store.tables.sessions, row, is_new).await?;
    Ok(written.into())
}

pub async fn by_id(store: &DynamoStore, id: &DeliveryId) -> Result<Option<Delivery>, Fault> {
    let key = key(names::ID, names::delivery(id.as_str()));
    let row = store
        .get::<DeliveryRow>("read a delivery", &store.tables.sessions, key)
        .await?;
    Ok(row.map(|row| row.delivery))
}

pub async fn save(
    store: &DynamoStore,
    before: &Delivery,
    after: &Delivery,
) -> Result<Saved, Fault> {
    const WHAT: &str = "save a delivery";
    let row = to_item(WHAT, &DeliveryRow::from(after))?;
    let is_rev = Condition::when(names::IS_REV).value(":rev", number(before.rev));
    let written = store.put(WHAT, &store.tables.sessions, row, is_rev).await?;
    Ok(written.into())
}

pub async fn due(
    store: &DynamoStore,
    now: Timestamp,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Delivery>, Fault> {
    const WHAT: &str = "find deliveries that are due";
    let table = &store.tables.sessions;
    let range = QueryRange::new(table, Some(names::BY_DUE), names::DUE_UNTIL)
        .value(":due", text(names::TO_SEND))
        .value(":now", number(now.millis()));
    page(
        store,
        WHAT,
        range,
        (names::DUE, names::DUE_AT),
        after,
        limit,
    )
    .await
}

pub async fn of_hook(
    store: &DynamoStore,
    hook: &HookId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Delivery>, Fault> {
    const WHAT: &str = "list deliveries";
    let table = &store.tables.sessions;
    let mut range = QueryRange::new(table, Some(names::BY_KIND), names::OF_KIND)
        .value(":kind", text(names::of_hook(hook)));
    range.newest_first = true;
    let sorted = (names::KIND, names::CREATED_AT);
    page(store, WHAT, range, sorted, after, limit).await
}

/// A page of a range of an index over these two attributes.
async fn page(
    store: &DynamoStore,
    what: &'static str,
    mut range: QueryRange<'_>,
    (partition, sort): (&'static str, &'static str),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Delivery>, Fault> {
    if let Some(after) = after {
        let mut start =
            read_cursor(after, sort).ok_or_else(|| refused(what, "not a page of ours"))?;
        let value = range.values.values().find(|value| value.is_s()).cloned();
        start.extend(value.map(|value| (partition.to_owned(), value)));
        range.after = Some(start);
    }
    let (rows, next) = store
        .rows::<DeliveryRow>(what, &range, page_size(limit))
        .await?;
    Ok(Page {
        items: rows.into_iter().map(|row| row.delivery).collect(),
        next: next.as_ref().and_then(|key| cursor(key, sort)),
    })
}

/// Where a page begins, as text: what the row before it is sorted by, and its delivery's id.
fn cursor(key: &Item, sort: &str) -> Option<String> {
    let id = names::read_delivery(key.get(names::ID)?.as_s().ok()?)?;
    Some(format!("{}~{id}", key.get(sort)?.as_n().ok()?))
}

fn read_cursor(cursor: &str, sort: &str) -> Option<Item> {
    let (millis, id) = cursor.split_once('~')?;
    let (millis, id) = (millis.parse::<i64>().ok()?, DeliveryId::parse(id)?);
    let mut start = key(names::ID, names::delivery(id.as_str()));
    start.insert(sort.to_owned(), number(millis));
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_of_deliveries_round_trip() {
        let id = names::delivery("deployment.s1-claimed");
        let mut row = key(names::ID, id);
        row.insert(names::DUE_AT.to_owned(), number(1_795_435_200_000i64));
        let read = cursor(&row, names::DUE_AT).and_then(|text| read_cursor(&text, names::DUE_AT));
        assert_eq!(read, Some(row));
        for foreign in ["", "~", "1~", "x~deployment.a", "1~deployment", "1-s1"] {
            assert_eq!(read_cursor(foreign, names::DUE_AT), None, "{foreign}");
        }
    }
}
