//! Owns the rows of table `claims`: refusals by link, hour and reason. Must not know what the
//! reasons mean.

use std::collections::BTreeMap;

use casting_core::ids::CastId;
use casting_core::ports::{Fault, Page, RefusalCount};

use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{QueryRange, page_size};
use crate::rows::{Item, RefusalRow, from_item, number, text, to_value};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

const ADD: &str = "add refusals";
/// The most parts that one transaction takes.
const MAX_PARTS: usize = 100;
/// How often samples are cut to the room that is left, before the rest of them is given up.
const ROUNDS: u32 = 4;

/// A transaction for every hundred rows, so that a lost answer never counts twice.
pub async fn add(store: &DynamoStore, refusals: &[RefusalCount]) -> Result<(), Fault> {
    let mut rows: BTreeMap<(String, String), RefusalCount> = BTreeMap::new();
    for refusal in refusals.iter().filter(|refusal| refusal.count > 0) {
        let key = (
            names::link(refusal.cast_id.as_ref()),
            names::hour_code(refusal.hour, &refusal.code),
        );
        rows.entry(key)
            .and_modify(|row| {
                row.count += refusal.count;
                row.samples.extend_from_slice(&refusal.samples);
            })
            .or_insert_with(|| refusal.clone());
    }
    let mut rows: Vec<RefusalCount> = rows.into_values().collect();
    for rows in rows.chunks_mut(MAX_PARTS) {
        add_rows(store, rows).await?;
    }
    Ok(())
}

async fn add_rows(store: &DynamoStore, rows: &mut [RefusalCount]) -> Result<(), Fault> {
    for row in &mut *rows {
        row.samples.truncate(names::MAX_SAMPLES);
    }
    for round in 1.. {
        let parts = rows
            .iter()
            .map(|row| part(store, row))
            .collect::<Result<_, _>>()?;
        let Err(failure) = store.transact(ADD, parts).await? else {
            break;
        };
        for (index, row) in rows.iter_mut().enumerate() {
            if let Some(found) = failure.failed(index) {
                let taken = found.map_or(Ok(0), |found| {
                    from_item::<RefusalRow>(ADD, found.clone()).map(|found| found.samples.len())
                })?;
                row.samples.truncate(if round < ROUNDS {
                    names::MAX_SAMPLES.saturating_sub(taken)
                } else {
                    0
                });
            }
        }
        if round > ROUNDS {
            return Err(corrupt(ADD, "refused without a reason"));
        }
    }
    Ok(())
}

fn part(
    store: &DynamoStore,
    row: &RefusalCount,
) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, Fault> {
    let key: Item = [
        (
            names::LINK.to_owned(),
            text(names::link(row.cast_id.as_ref())),
        ),
        (
            names::HOUR_CODE.to_owned(),
            text(names::hour_code(row.hour, &row.code)),
        ),
    ]
    .into();
    let (change, condition) = if row.samples.is_empty() {
        (names::COUNT, Condition::none())
    } else {
        let room = names::MAX_SAMPLES.saturating_sub(row.samples.len());
        let fits = Condition::when(names::SAMPLES_FIT)
            .value(":room", number(room as u64))
            .value(":samples", to_value(ADD, &row.samples)?)
            .value(":none", to_value(ADD, &[(); 0])?);
        (names::COUNT_AND_SAMPLE, fits)
    };
    let condition = condition
        .value(":count", number(row.count))
        .value(":kind", text(names::REFUSAL))
        .value(
            ":expires",
            number(row.hour.saturating_add(names::REFUSALS_SECONDS)),
        );
    write::update(ADD, &store.tables.claims, key, change, condition)
}

pub async fn since(
    store: &DynamoStore,
    cast: Option<&CastId>,
    hour: i64,
) -> Result<Vec<RefusalCount>, Fault> {
    const WHAT: &str = "list refusals";
    let mut range = QueryRange::new(&store.tables.claims, None, names::REFUSED_SINCE)
        .value(":link", text(names::link(cast)))
        .value(":since", text(names::hour_prefix(hour)))
        .value(":end", text(names::LAST_REFUSAL));
    range.newest_first = true;
    let (items, _) = store.query(WHAT, &range, None).await?;
    items.into_iter().map(|item| read(WHAT, item)).collect()
}

fn read(what: &'static str, item: Item) -> Result<RefusalCount, Fault> {
    from_item::<RefusalRow>(what, item)?
        .into_count()
        .ok_or_else(|| corrupt(what, "a key that is not ours"))
}

pub async fn of_all(
    store: &DynamoStore,
    since_hour: i64,
    until_hour: i64,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<RefusalCount>, Fault> {
    const WHAT: &str = "list all refusals";
    if until_hour <= since_hour {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    }
    // No code begins with a character behind `~`, and none is longer than this.
    let mut range = QueryRange::new(
        &store.tables.claims,
        Some(names::BY_HOUR),
        names::REFUSED_BETWEEN,
    )
    .value(":kind", text(names::REFUSAL))
    .value(":since", text(names::hour_prefix(since_hour)))
    .value(":until", text(names::hour_code(until_hour - 1, "~")));
    range.newest_first = true;
    if let Some(after) = after {
        range.after = Some(read_cursor(after).ok_or_else(|| refused(WHAT, "not a page of ours"))?);
    }
    let (items, more) = store.query(WHAT, &range, Some(page_size(limit))).await?;
    let next = items.last().filter(|_| more).and_then(cursor);
    let items = items
        .into_iter()
        .map(|item| read(WHAT, item))
        .collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

/// Where a page begins, as text: link, hour and code of the row before it.
fn cursor(item: &Item) -> Option<String> {
    Some(format!(
        "{}~{}",
        item.get(names::LINK)?.as_s().ok()?,
        item.get(names::HOUR_CODE)?.as_s().ok()?
    ))
}

fn read_cursor(cursor: &str) -> Option<Item> {
    let (link, hour_code) = cursor.split_once('~')?;
    let is_link = link == names::NO_LINK || CastId::parse(link).is_some();
    let (_, code) = names::read_hour_code(hour_code).filter(|_| is_link)?;
    let plain = !code.is_empty()
        && code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain.then(|| {
        let part = |name: &str, value: &str| (name.to_owned(), text(value));
        [
            part(names::KIND, names::REFUSAL),
            part(names::LINK, link),
            part(names::HOUR_CODE, hour_code),
        ]
        .into()
    })
}
