//! Owns the hours in table `claims`: what charts are drawn from. Must not know how they are
//! counted.

use casting_core::hourly_stats::{HOURS_KEPT_SECONDS, HourKey, HourlyStats};
use casting_core::ids::CastId;
use casting_core::ports::Fault;

use crate::fault::corrupt;
use crate::names;
use crate::read::QueryRange;
use crate::rows::{HourRow, Item, from_item, text, to_item};
use crate::store::DynamoStore;

pub async fn put(store: &DynamoStore, hours: &[(HourKey, HourlyStats)]) -> Result<(), Fault> {
    const WHAT: &str = "write hours";
    let row = |((cast, hour), counts): &(HourKey, HourlyStats)| {
        let row = HourRow {
            link: names::hours_of(cast.as_ref()),
            hour_code: names::hour_mark(*hour),
            counts: counts.clone(),
            expires_at: hour.saturating_add(HOURS_KEPT_SECONDS),
        };
        to_item(WHAT, &row)
    };
    let rows = hours
        .iter()
        .map(row)
        .collect::<Result<Vec<Item>, Fault>>()?;
    store.put_all(WHAT, &store.tables.claims, rows).await
}

pub async fn between(
    store: &DynamoStore,
    cast: Option<&CastId>,
    since_hour: i64,
    until_hour: i64,
) -> Result<Vec<(i64, HourlyStats)>, Fault> {
    const WHAT: &str = "read hours";
    if until_hour <= since_hour {
        return Ok(Vec::new());
    }
    let range = QueryRange::new(&store.tables.claims, None, names::OF_HOURS)
        .value(":link", text(names::hours_of(cast)))
        .value(":since", text(names::hour_mark(since_hour)))
        .value(":until", text(names::hour_mark(until_hour - 1)));
    let (items, _) = store.query(WHAT, &range, None).await?;
    items.into_iter().map(|item| read(WHAT, item)).collect()
}

pub async fn newest(store: &DynamoStore) -> Result<Option<i64>, Fault> {
    const WHAT: &str = "find the newest hour";
    let mut range = QueryRange::new(&store.tables.claims, None, names::OF_HOURS)
        .value(":link", text(names::ALL_LINKS))
        .value(":since", text(names::hour_mark(0)))
        .value(":until", text(names::hour_mark(i64::MAX)));
    range.newest_first = true;
    let (items, _) = store.query(WHAT, &range, Some(1)).await?;
    Ok(items
        .into_iter()
        .map(|item| read(WHAT, item))
        .next()
        .transpose()?
        .map(|(hour, _)| hour))
}

fn read(what: &'static str, item: Item) -> Result<(i64, HourlyStats), Fault> {
    let row = from_item::<HourRow>(what, item)?;
    let hour = names::read_hour_mark(&row.hour_code)
        .ok_or_else(|| corrupt(what, "a key that is not ours"))?;
    Ok((hour, row.counts))
}
