//! Owns the rows of table `casts`: configs (their counters: `counter`), and the claims to their
//! keys. Must not know what the settings mean.
//!
//! A key belongs to one cast because its claim is a row of its own, written, moved and deleted in
//! the cast's own transactions. The words that a cast is found by are rows of the same kind.

use casting_core::audit::Audit;
use casting_core::cast::{Cast, CounterChange};
use casting_core::cast_form::MAX_SESSIONS;
use casting_core::ids::{CastId, CastKey};
use casting_core::ports::{Created, Fault, FaultKind, Page, Replaced, Saved};
use casting_core::queries::{CastName, CastOrder, CastQuery, words};
use data_encoding::BASE64URL_NOPAD;

use crate::audit;
use serde::Deserialize;

use crate::counter::{self, Moves, Settled};
use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{Attributes, QueryRange, after_id, page_size};
use crate::retry::ConditionFailure;
use crate::rows::{
    CastRow, CounterRow, Item, KeyRow, WordRow, from_item, key, name_sort, number, text, to_item,
    to_value,
};
use crate::shards;
use crate::store::DynamoStore;
use crate::write::{self, Condition};

pub async fn by_key(store: &DynamoStore, key: &CastKey) -> Result<Option<Cast>, Fault> {
    const WHAT: &str = "find a cast by its key";
    let range = QueryRange::new(&store.tables.casts, Some(names::BY_KEY), names::OF_KEY)
        .value(":key", text(key.as_str()));
    let (items, _) = store.query(WHAT, &range, None).await?;
    let (claims, casts): (Vec<Item>, Vec<Item>) = items
        .into_iter()
        .partition(|item| !item.contains_key(names::KIND));
    let casts = casts
        .into_iter()
        .map(|item| from_item::<CastRow>(WHAT, item))
        .collect::<Result<Vec<_>, _>>()?;
    // For a moment after a key changed hands the index may show it at both; the later change is the
    // one that took it.
    if let Some(row) = casts.into_iter().max_by_key(|row| row.updated_at) {
        return with_counter_in_force(store, row).await.map(Some);
    }
    // A free key that belonged to a cast until recently.
    let Some(claim) = claims.into_iter().next() else {
        return Ok(None);
    };
    let cast = by_id(store, &from_item::<KeyRow>(WHAT, claim)?.cast_id).await?;
    Ok(cast.filter(|cast| previous_key(cast) == Some(key)))
}

pub async fn by_id(store: &DynamoStore, id: &CastId) -> Result<Option<Cast>, Fault> {
    let (row, counter) = futures_util::try_join!(row(store, id), counter::row(store, id))?;
    Ok(row.map(|row| counter::join(row, counter.as_ref())))
}

pub async fn in_force(store: &DynamoStore, id: &CastId) -> Result<Option<Cast>, Fault> {
    match row(store, id).await? {
        Some(row) => with_counter_in_force(store, row).await.map(Some),
        None => Ok(None),
    }
}

async fn row(store: &DynamoStore, id: &CastId) -> Result<Option<CastRow>, Fault> {
    store
        .get::<CastRow>(
            "read a cast",
            &store.tables.casts,
            key(names::ID, id.as_str()),
        )
        .await
}

/// The cast of a row. Its counter is read only where it limits something, so visits of other links
/// take one call; and a disabled link costs no more than an unknown one.
async fn with_counter_in_force(store: &DynamoStore, row: CastRow) -> Result<Cast, Fault> {
    if !row.settings.limit_total_sessions || !row.settings.enabled {
        return Ok(counter::join(row, None));
    }
    let counter = counter::row(store, &row.id).await?;
    Ok(counter::join(row, counter.as_ref()))
}

pub async fn page(
    store: &DynamoStore,
    query: &CastQuery,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Cast>, Fault> {
    const WHAT: &str = "list casts";
    if let Some(word) = &query.word {
        return found_by(store, word, after, limit).await;
    }
    let (index, sort) = match query.order {
        CastOrder::Name => (names::BY_NAME, names::NAME_SORT),
        CastOrder::Made => (names::BY_MADE, names::CREATED_AT),
    };
    let mut range = QueryRange::new(&store.tables.casts, Some(index), names::OF_KIND)
        .value(":kind", text(names::CAST));
    range.newest_first = query.backwards;
    if let Some(after) = after {
        range.after = Some(
            read_cursor(query.order, sort, after)
                .ok_or_else(|| refused(WHAT, "not a page of ours"))?,
        );
    }
    let (rows, next) = store.rows::<CastRow>(WHAT, &range, limit).await?;
    let next = next.and_then(|key| cursor(&key, sort));
    Ok(Page {
        items: counter::join_all(WHAT, store, rows).await?,
        next,
    })
}

/// How many ids are listed by how they begin.
const FIRST_IDS: u32 = 20;

/// The ids of casts that begin like this, the first twenty.
pub async fn ids_from(store: &DynamoStore, prefix: &str) -> Result<Vec<CastId>, Fault> {
    const WHAT: &str = "find casts by how their ids begin";
    let (index, condition) = (Some(names::BY_KIND), names::OF_KIND_FROM);
    let range = QueryRange::new(&store.tables.casts, index, condition)
        .value(":kind", text(names::CAST))
        .value(":from", text(prefix));
    first_ids(WHAT, store, &range).await
}

/// The first casts by name, as they were a moment ago.
pub async fn names_of(store: &DynamoStore, limit: u32) -> Result<Vec<CastName>, Fault> {
    const WHAT: &str = "list the names of casts";
    const ATTRIBUTES: Attributes = &[names::ID, "cast_key", "settings.name"];
    #[derive(Deserialize)]
    struct Row {
        id: CastId,
        cast_key: CastKey,
        settings: Settings,
    }
    #[derive(Deserialize)]
    struct Settings {
        name: String,
    }
    let (index, condition) = (Some(names::BY_NAME), names::OF_KIND);
    let mut range =
        QueryRange::new(&store.tables.casts, index, condition).value(":kind", text(names::CAST));
    (range.lately, range.attributes) = (true, Some(ATTRIBUTES));
    let (rows, _) = store.rows::<Row>(WHAT, &range, page_size(limit)).await?;
    let of = |row: Row| CastName {
        id: row.id,
        key: row.cast_key,
        name: row.settings.name,
    };
    Ok(rows.into_iter().map(of).collect())
}

/// The ids of casts with this name, the first twenty.
pub async fn ids_named(store: &DynamoStore, name: &str) -> Result<Vec<CastId>, Fault> {
    const WHAT: &str = "find casts by their name";
    // An empty text is no key.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let (index, condition) = (Some(names::BY_NAME), names::OF_KIND_NAMED);
    let range = QueryRange::new(&store.tables.casts, index, condition)
        .value(":kind", text(names::CAST))
        .value(":name", text(name.to_lowercase()));
    first_ids(WHAT, store, &range).await
}

async fn first_ids(
    what: &'static str,
    store: &DynamoStore,
    range: &QueryRange<'_>,
) -> Result<Vec<CastId>, Fault> {
    let limit = Some(page_size(FIRST_IDS));
    let (keys, _) = store.query(what, range, limit).await?;
    let ids = keys
        .iter()
        .filter_map(|key| key.get(names::ID)?.as_s().ok());
    Ok(ids.filter_map(|id| CastId::parse(id)).collect())
}

/// The casts with a word that begins like this, in the order of these words. A cast with several of
/// them stands at the first.
async fn found_by(
    store: &DynamoStore,
    word: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Cast>, Fault> {
    const WHAT: &str = "search for casts";
    let prefix = names::word_prefix(word);
    let mut range = QueryRange::new(
        &store.tables.casts,
        Some(names::BY_KIND),
        names::OF_KIND_FROM,
    )
    .value(":kind", text(names::WORD))
    .value(":from", text(&prefix));
    if let Some(after) = after {
        let is_ours = after.starts_with(&prefix) && names::read_word(after).is_some();
        if !is_ours {
            return Err(refused(WHAT, "not a page of ours"));
        }
        range.after = Some(after_id(names::WORD, after));
    }
    let (keys, more) = store.query(WHAT, &range, Some(page_size(limit))).await?;
    let ids: Vec<&str> = keys
        .iter()
        .filter_map(|key| key.get(names::ID)?.as_s().ok().map(String::as_str))
        .collect();
    let found: Vec<(&str, CastId)> = ids.iter().filter_map(|id| names::read_word(id)).collect();
    let mut wanted: Vec<String> = found.iter().map(|(_, cast)| cast.to_string()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted: Vec<_> = wanted.iter().map(text).collect();
    let casts = store.get_all(WHAT, &store.tables.casts, &wanted).await?;
    let mut rows = Vec::new();
    for (hit, id) in &found {
        // One that was deleted since the index was written is left out.
        let Some(item) = casts.get(id.as_str()) else {
            continue;
        };
        let row = from_item::<CastRow>(WHAT, item.clone())?;
        if words(&row.settings)
            .iter()
            .find(|one| one.starts_with(word))
            .is_some_and(|first| first == hit)
        {
            rows.push(row);
        }
    }
    Ok(Page {
        items: counter::join_all(WHAT, store, rows).await?,
        next: ids.last().filter(|_| more).map(|id| (*id).to_owned()),
    })
}

/// Where a page begins, as text: the id of the cast before it, and what it is sorted by.
fn cursor(key: &Item, sort: &str) -> Option<String> {
    let id = key.get(names::ID)?.as_s().ok()?;
    let value = key.get(sort)?;
    let value = value.as_s().or_else(|other| other.as_n()).ok()?;
    Some(format!("{id}.{}", BASE64URL_NOPAD.encode(value.as_bytes())))
}

fn read_cursor(order: CastOrder, sort: &str, cursor: &str) -> Option<Item> {
    let (id, value) = cursor.split_once('.')?;
    let id = CastId::parse(id)?;
    let value = String::from_utf8(BASE64URL_NOPAD.decode(value.as_bytes()).ok()?).ok()?;
    let value = match order {
        CastOrder::Name => (!value.is_empty()).then(|| text(value))?,
        CastOrder::Made => number(value.parse::<i64>().ok()?),
    };
    let mut start = after_id(names::CAST, id.as_str());
    start.insert(sort.to_owned(), value);
    Some(start)
}

pub async fn create(
    store: &DynamoStore,
    cast: &Cast,
    audit: Option<&Audit>,
) -> Result<Created, Fault> {
    const WHAT: &str = "create a cast";
    let row = to_item(WHAT, &CastRow::from(cast))?;
    let mut parts = vec![
        write::put(
            WHAT,
            &store.tables.casts,
            row,
            Condition::when(names::IS_NEW),
        )?,
        claim_key(WHAT, store, cast)?,
        counter::create(WHAT, store, cast)?,
    ];
    parts.extend(moved_words(
        WHAT,
        store,
        &cast.id,
        &[],
        &words(&cast.settings),
    )?);
    parts.extend(
        audit
            .map(|audit| audit::part(WHAT, store, audit))
            .transpose()?,
    );
    let Err(failure) = store.transact(WHAT, parts).await? else {
        return Ok(Created::Done);
    };
    match (key_owner(WHAT, &failure, 1)?, failure.failed(0)) {
        // The very cast, written by a call before this one.
        (Some(owner), Some(_)) if owner == cast.id => Ok(Created::Done),
        (Some(_), _) => Ok(Created::KeyTaken),
        (None, _) => Err(refused(WHAT, "another cast has this id")),
    }
}

pub async fn replace(
    store: &DynamoStore,
    before: &Cast,
    after: &Cast,
    change: CounterChange,
    audit: Option<&Audit>,
) -> Result<Replaced, Fault> {
    for _ in 0..counter::TRIES {
        if change != CounterChange::Keep {
            shards::gather(store, &after.id).await?;
        }
        let is_before = |settled: &Settled| settled.cast.version == before.version;
        let Some(settled) = counter::settle(store, &after.id, Moves::Everything)
            .await?
            .filter(is_before)
        else {
            return Ok(Replaced::Stale);
        };
        if change != CounterChange::Keep && settled.counter.is_split() {
            continue;
        }
        let parted = settled.counter.parted;
        let replaced = replace_settled(store, before, after, change, parted, audit).await?;
        if replaced == Some(Replaced::Done) {
            shards::follow(store, &after.id, after.version).await?;
        }
        if let Some(replaced) = replaced {
            return Ok(replaced);
        }
    }
    Err(Fault {
        kind: FaultKind::Contention,
        what: "change a cast",
        detail: format!("the counter of {} is split all the time", after.id),
    })
}

/// Writes a change over rows that agree; `None` when the counter was split meanwhile.
async fn replace_settled(
    store: &DynamoStore,
    before: &Cast,
    after: &Cast,
    change: CounterChange,
    parted: u64,
    audit: Option<&Audit>,
) -> Result<Option<Replaced>, Fault> {
    const WHAT: &str = "change a cast";
    let table = &store.tables.casts;
    let (update, condition) = match change {
        CounterChange::Keep | CounterChange::Add(_) => {
            (names::SET_CONFIG, Condition::when(names::IS_VERSION))
        }
        // An earlier version may count in the row; nothing of that may be lost unseen.
        CounterChange::Set(_) => (
            names::SET_CONFIG_AND_EPOCH,
            Condition::when(names::IS_VERSION_AND_REMAINING)
                .value(":seen", number(0))
                .value(":remaining", number(0))
                .value(":epoch", number(after.counter.epoch)),
        ),
    };
    let condition = condition
        .value(":version", number(before.version))
        .value(":after", number(after.version))
        .value(":key", text(after.settings.key.as_str()))
        .value(":name", text(name_sort(&after.settings)))
        .value(":settings", to_value(WHAT, &after.settings)?)
        .value(":updated", number(after.updated_at.millis()));
    let mut parts = vec![write::update(
        WHAT,
        table,
        key(names::ID, after.id.as_str()),
        update,
        condition,
    )?];
    parts.push(counter_part(WHAT, store, before, after, change, parted)?);
    let (key_before, key_after) = (&before.settings.key, &after.settings.key);
    if key_before != key_after {
        // A key that the cast had before is its own already.
        parts.push(if previous_key(before) == Some(key_after) {
            own_key(WHAT, store, after)?
        } else {
            claim_key(WHAT, store, after)?
        });
        parts.push(if previous_key(after) == Some(key_before) {
            keep_key(WHAT, store, after, key_before)?
        } else {
            free_key(WHAT, store, after, key_before)?
        });
    }
    if let Some(previous) = previous_key(before)
        && previous_key(after) != Some(previous)
        && previous != key_after
    {
        parts.push(free_key(WHAT, store, after, previous)?);
    }
    parts.extend(moved_words(
        WHAT,
        store,
        &after.id,
        &words(&before.settings),
        &words(&after.settings),
    )?);
    parts.extend(
        audit
            .map(|audit| audit::part(WHAT, store, audit))
            .transpose()?,
    );
    let Err(failure) = store.transact(WHAT, parts).await? else {
        return Ok(Some(Replaced::Done));
    };
    if failure.failed(0).is_some() {
        return Ok(Some(Replaced::Stale));
    }
    if let Some(found) = failure.failed(1) {
        let found = found.map(|row| from_item::<CounterRow>(WHAT, row.clone()));
        let was_split = found.transpose()?.is_some_and(|row| row.parted > parted);
        return Ok((!was_split).then_some(Replaced::Stale));
    }
    match key_owner(WHAT, &failure, 2)? {
        Some(_) => Ok(Some(Replaced::KeyTaken)),
        None => Err(corrupt(WHAT, "the old key belongs to another cast")),
    }
}

/// What a change does to the counter: it follows the version in any case, so that no claim that was
/// decided on the settings before takes of it.
fn counter_part(
    what: &'static str,
    store: &DynamoStore,
    before: &Cast,
    after: &Cast,
    change: CounterChange,
    parted: u64,
) -> Result<Part, Fault> {
    let (update, condition) = match change {
        CounterChange::Keep => (names::SET_VERSION, Condition::when(names::IS_VERSION)),
        CounterChange::Set(remaining) => (
            names::SET_COUNTER,
            Condition::when(names::IS_VERSION_AND_COUNTER)
                .value(":parted", number(parted))
                .value(":seen", number(before.counter.remaining))
                .value(":remaining", number(remaining))
                .value(":epoch", number(after.counter.epoch)),
        ),
        CounterChange::Add(added) => (
            names::SET_VERSION_AND_ADD,
            Condition::when(names::IS_VERSION_AND_FITS)
                .value(":parted", number(parted))
                .value(":least", number(added.min(0).unsigned_abs()))
                .value(
                    ":most",
                    number(MAX_SESSIONS.saturating_sub(added.max(0).unsigned_abs())),
                )
                .value(":added", number(added)),
        ),
    };
    let condition = condition
        .value(":version", number(before.version))
        .value(":after", number(after.version));
    counter::update(what, store, &after.id, update, condition)
}

pub async fn delete(
    store: &DynamoStore,
    cast: &Cast,
    audit: Option<&Audit>,
) -> Result<Saved, Fault> {
    for _ in 0..counter::TRIES {
        shards::gather(store, &cast.id).await?;
        let own = counter::own_row(store, &cast.id).await?;
        if own.as_ref().is_some_and(CounterRow::is_split) {
            continue;
        }
        let parted = own.map_or(0, |own| own.parted);
        if let Some(saved) = delete_whole(store, cast, parted, audit).await? {
            if saved == Saved::Done && parted > 0 {
                shards::delete(store, &cast.id).await?;
            }
            return Ok(saved);
        }
    }
    Err(Fault {
        kind: FaultKind::Contention,
        what: "delete a cast",
        detail: format!("the counter of {} is split all the time", cast.id),
    })
}

/// Deletes a cast whose counter is whole; `None` when it was split meanwhile.
async fn delete_whole(
    store: &DynamoStore,
    cast: &Cast,
    parted: u64,
    audit: Option<&Audit>,
) -> Result<Option<Saved>, Fault> {
    const WHAT: &str = "delete a cast";
    let is_version = Condition::when(names::IS_VERSION).value(":version", number(cast.version));
    let row = write::delete(
        WHAT,
        &store.tables.casts,
        key(names::ID, cast.id.as_str()),
        is_version,
    )?;
    let mut parts = vec![
        row,
        counter::delete(WHAT, store, &cast.id, parted)?,
        free_key(WHAT, store, cast, &cast.settings.key)?,
    ];
    if let Some(previous) = previous_key(cast) {
        parts.push(free_key(WHAT, store, cast, previous)?);
    }
    parts.extend(moved_words(
        WHAT,
        store,
        &cast.id,
        &words(&cast.settings),
        &[],
    )?);
    parts.extend(
        audit
            .map(|audit| audit::part(WHAT, store, audit))
            .transpose()?,
    );
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Some(Saved::Done)),
        Err(failure) if failure.failed(0).is_some() => Ok(Some(Saved::Stale)),
        Err(failure) if failure.failed(1).is_some() => Ok(None),
        Err(_) => Err(corrupt(WHAT, "the key belongs to another cast")),
    }
}

type Part = aws_sdk_dynamodb::types::TransactWriteItem;

/// The rows by which a cast is found, from those of before to those of after.
fn moved_words(
    what: &'static str,
    store: &DynamoStore,
    cast: &CastId,
    before: &[String],
    after: &[String],
) -> Result<Vec<Part>, Fault> {
    let table = &store.tables.casts;
    let gone = before.iter().filter(|word| !after.contains(word));
    let gone = gone.map(|word| {
        write::delete(
            what,
            table,
            key(names::ID, names::word(word, cast)),
            Condition::none(),
        )
    });
    let new = after.iter().filter(|word| !before.contains(word));
    let new = new.map(|word| {
        write::put(
            what,
            table,
            to_item(what, &WordRow::new(word, cast))?,
            Condition::none(),
        )
    });
    gone.chain(new).collect()
}

fn previous_key(cast: &Cast) -> Option<&CastKey> {
    cast.settings
        .previous_key
        .as_ref()
        .map(|previous| &previous.key)
}

/// Gives a free key to the cast.
fn claim_key(what: &'static str, store: &DynamoStore, cast: &Cast) -> Result<Part, Fault> {
    let row = KeyRow {
        id: names::key_claim(&cast.settings.key),
        cast_id: cast.id.clone(),
        cast_key: None,
    };
    write::put(
        what,
        &store.tables.casts,
        to_item(what, &row)?,
        Condition::when(names::IS_NEW),
    )
}

/// The cast's previous key becomes its key again.
fn own_key(what: &'static str, store: &DynamoStore, cast: &Cast) -> Result<Part, Fault> {
    let row = KeyRow {
        id: names::key_claim(&cast.settings.key),
        cast_id: cast.id.clone(),
        cast_key: None,
    };
    write::put(
        what,
        &store.tables.casts,
        to_item(what, &row)?,
        key_is_ours(cast),
    )
}

/// The cast's key becomes its previous one: still claimed, and the index over keys finds it.
fn keep_key(
    what: &'static str,
    store: &DynamoStore,
    cast: &Cast,
    old: &CastKey,
) -> Result<Part, Fault> {
    let row = KeyRow {
        id: names::key_claim(old),
        cast_id: cast.id.clone(),
        cast_key: Some(old.clone()),
    };
    write::put(
        what,
        &store.tables.casts,
        to_item(what, &row)?,
        key_is_ours(cast),
    )
}

fn free_key(
    what: &'static str,
    store: &DynamoStore,
    cast: &Cast,
    old: &CastKey,
) -> Result<Part, Fault> {
    write::delete(
        what,
        &store.tables.casts,
        key(names::ID, names::key_claim(old)),
        key_is_ours(cast),
    )
}

fn key_is_ours(cast: &Cast) -> Condition {
    Condition::when(names::KEY_IS_OURS).value(":cast", text(cast.id.as_str()))
}

/// Whose key it is, if the part that wanted it failed.
fn key_owner(
    what: &'static str,
    failure: &ConditionFailure,
    index: usize,
) -> Result<Option<CastId>, Fault> {
    let row: Option<&Item> = failure.failed(index).flatten();
    row.map(|item| from_item::<KeyRow>(what, item.clone()).map(|row| row.cast_id))
        .transpose()
}
