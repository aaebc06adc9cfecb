//! Owns the rows of table `sessions` after they were reserved: moves, releases and listings. Must
//! not know which moves are allowed.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use casting_core::ids::{CastId, Reference, SessionId, UserId};
use casting_core::ports::{DueKind, Fault, Page, Saved};
use casting_core::queries::{Counted, SessionQuery, SessionsOf};
use casting_core::quota::Held;
use casting_core::session::{Charge, Session};
use casting_core::summary::SessionSummary;
use casting_core::time::Timestamp;
use futures_util::future::try_join_all;
use futures_util::try_join;
use serde::de::DeserializeOwned;

use crate::counter::{self, Moves};
use crate::deliveries;
use crate::fault::{corrupt, refused};
use crate::names;
use crate::read::{Attributes, QueryRange, page_size};
use crate::rows::{ClaimRow, Item, from_item, key, number, session_item, text};
use crate::store::DynamoStore;
use crate::write::{self, Condition};
use crate::{limits, listing, references};

pub async fn by_id(store: &DynamoStore, id: &SessionId) -> Result<Option<Session>, Fault> {
    const WHAT: &str = "read a session";
    let get =
        |id: &SessionId| store.get_item(WHAT, &store.tables.sessions, key(names::ID, id.as_str()));
    let Some(row) = get(id).await? else {
        return Ok(None);
    };
    let row = match ClaimRow::read(WHAT, &row)? {
        Some(session) => get(&session).await?,
        None => Some(row),
    };
    row.map(|row| read(WHAT, row)).transpose()
}

/// The session of a row.
pub fn read(what: &'static str, row: Item) -> Result<Session, Fault> {
    from_item(what, row)
}

pub async fn import(store: &DynamoStore, sessions: &[Session]) -> Result<(), Fault> {
    const WHAT: &str = "import sessions";
    let rows = sessions
        .iter()
        .map(|session| session_item(WHAT, session))
        .collect::<Result<_, _>>()?;
    store.put_all(WHAT, &store.tables.sessions, rows).await
}

pub async fn save(store: &DynamoStore, before: &Session, after: &Session) -> Result<Saved, Fault> {
    const WHAT: &str = "save a session";
    let row = session_item(WHAT, after)?;
    let is_rev = Condition::when(names::IS_REV).value(":rev", number(before.rev));
    let gift = after.gives_back(before);
    let taken = after.takes(before);
    let events = deliveries::parts(WHAT, store, &after.deliveries(Some(before)))?;
    if !taken.is_empty() {
        return hold(store, row, is_rev, &taken, events).await;
    }
    if gift.is_free() && !events.is_empty() {
        let mut parts = vec![write::put(WHAT, &store.tables.sessions, row, is_rev)?];
        parts.extend(events);
        return Ok(match store.transact(WHAT, parts).await? {
            Ok(()) => Saved::Done,
            Err(_) => Saved::Stale,
        });
    }
    if gift.is_free() {
        Ok(store
            .put(WHAT, &store.tables.sessions, row, is_rev)
            .await?
            .into())
    } else {
        release(store, row, is_rev, after, &gift, events).await
    }
}

/// A live session and the counts that it holds from now on, in one transaction.
async fn hold(
    store: &DynamoStore,
    row: Item,
    is_rev: Condition,
    taken: &[Held],
    events: Vec<TransactWriteItem>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "count a session";
    let mut parts = vec![write::put(WHAT, &store.tables.sessions, row, is_rev)?];
    for held in taken {
        parts.push(limits::hold_quota(WHAT, store, held)?);
    }
    parts.extend(events);
    Ok(match store.transact(WHAT, parts).await? {
        Ok(()) => Saved::Done,
        Err(_) => Saved::Stale,
    })
}

/// The session's end and what it gives back, in one transaction. What is no longer there to be
/// given back to (the cast deleted or its counter set anew, the window or the count forgotten) is
/// dropped, and the rest is tried again: each time at least one part less, or the counter's row was
/// made.
async fn release(
    store: &DynamoStore,
    row: Item,
    is_rev: Condition,
    after: &Session,
    gift: &Charge,
    events: Vec<TransactWriteItem>,
) -> Result<Saved, Fault> {
    const WHAT: &str = "release a session";
    let cast = &after.cast_id;
    let mut gifts = Vec::new();
    if let Some(epoch) = gift.count {
        gifts.push((Some(epoch), counter::give(WHAT, store, cast, epoch)?));
    }
    if let Some(window) = &gift.window {
        let slot = limits::give_slot(WHAT, store, window, gift.bucket, after.claim_id())?;
        gifts.push((None, slot));
    }
    for held in &gift.held {
        gifts.push((None, limits::give_quota(WHAT, store, held)?));
    }
    let mut is_settled = false;
    loop {
        let mut parts = vec![write::put(
            WHAT,
            &store.tables.sessions,
            row.clone(),
            is_rev.clone(),
        )?];
        parts.extend(gifts.iter().map(|(_, part)| part.clone()));
        parts.extend(events.iter().cloned());
        let Err(failure) = store.transact(WHAT, parts).await? else {
            return Ok(Saved::Done);
        };
        if failure.failed(0).is_some() {
            return Ok(Saved::Stale);
        }
        let place = gifts.first().and_then(|(epoch, _)| *epoch);
        if let Some(epoch) = place
            && failure.failed(1).is_some()
            && !is_settled
        {
            // The counter's row is not there yet, or of an epoch before: an earlier version has
            // counted in the cast's own.
            is_settled = true;
            let settled = counter::settle(store, cast, Moves::AsNeeded).await?;
            if settled.is_some_and(|settled| settled.counter.counter_epoch == epoch) {
                continue;
            }
        }
        let before = gifts.len();
        let mut index = 0;
        gifts.retain(|_| {
            index += 1;
            failure.failed(index).is_none()
        });
        if gifts.len() == before {
            return Err(corrupt(WHAT, "refused without a reason"));
        }
    }
}

/// The newest session of this user and this cast that can be entered, among the user's last ones.
pub async fn live_of(
    store: &DynamoStore,
    user: &UserId,
    cast: &CastId,
) -> Result<Option<Session>, Fault> {
    let mut range = QueryRange::new(
        &store.tables.sessions,
        Some(names::BY_OWNER),
        names::OF_OWNER,
    )
    .value(":owner", text(user.as_str()));
    range.newest_first = true;
    let (rows, _) = store
        .rows::<Session>("find a user's session", &range, LATEST)
        .await?;
    Ok(rows
        .into_iter()
        .find(|session| session.cast_id == *cast && session.can_be_entered()))
}

/// So many of a user's newest sessions are looked at; a user who has started more since has ended
/// the older ones.
const LATEST: u32 = 50;

pub async fn due(
    store: &DynamoStore,
    kind: DueKind,
    now: Timestamp,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Session>, Fault> {
    const WHAT: &str = "find sessions that are due";
    let value = match kind {
        DueKind::Live => names::OPEN,
        DueKind::Forget => names::FORGET,
    };
    let mut range = QueryRange::new(
        &store.tables.sessions,
        Some(names::BY_DUE),
        names::DUE_UNTIL,
    )
    .value(":due", text(value))
    .value(":now", number(now.millis()));
    if let Some(after) = after {
        let mut start =
            read_cursor(after, names::DUE_AT).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        start.insert(names::DUE.to_owned(), text(value));
        range.after = Some(start);
    }
    let (rows, next) = store
        .rows::<Session>(WHAT, &range, page_size(limit))
        .await?;
    Ok(Page {
        items: rows,
        next: next.as_ref().and_then(|key| cursor(key, names::DUE_AT)),
    })
}

/// What a list reads of a session: all of it, or a summary.
pub trait Listed: DeserializeOwned + Send {
    /// The attributes that are read; `None` is all.
    const ATTRIBUTES: Option<Attributes>;
    fn id(&self) -> &SessionId;
    fn cast_id(&self) -> &CastId;
    fn created_at(&self) -> Timestamp;
    fn is_unscheduled(&self) -> bool;
}

macro_rules! listed {
    ($row:ty, $attributes:expr) => {
        impl Listed for $row {
            const ATTRIBUTES: Option<Attributes> = $attributes;
            fn id(&self) -> &SessionId {
                &self.id
            }
            fn cast_id(&self) -> &CastId {
                &self.cast_id
            }
            fn created_at(&self) -> Timestamp {
                self.created_at
            }
            fn is_unscheduled(&self) -> bool {
                Self::is_unscheduled(self)
            }
        }
    };
}

listed!(Session, None);
listed!(SessionSummary, Some(Self::ATTRIBUTES));

/// The sessions with these ids, in their order; those that are gone are left out.
pub async fn by_ids(store: &DynamoStore, ids: &[SessionId]) -> Result<Vec<Session>, Fault> {
    const WHAT: &str = "read sessions";
    let keys: Vec<_> = ids.iter().map(|id| text(id.as_str())).collect();
    let mut rows = store.get_all(WHAT, &store.tables.sessions, &keys).await?;
    let rows = ids.iter().filter_map(|id| rows.remove(id.as_str()));
    rows.map(|row| from_item(WHAT, row)).collect()
}

pub async fn page<R: Listed>(
    store: &DynamoStore,
    query: &SessionQuery,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<R>, Fault> {
    const WHAT: &str = "list sessions";
    match &query.of {
        SessionsOf::Living => return living(store, query, after, limit).await,
        SessionsOf::Cast(cast) => {
            let after = after.map(|after| {
                listing::Claim::read(after).ok_or_else(|| refused(WHAT, "not a page of ours"))
            });
            let after = after.transpose()?;
            return listing::page(store, cast, query, after.as_ref(), limit).await;
        }
        SessionsOf::All | SessionsOf::User(_) => {}
    }
    let order = Order::of(query);
    let mut range = order.range(&store.tables.sessions, query);
    range.attributes = R::ATTRIBUTES;
    if let Some(after) = after {
        let mut start =
            read_cursor(after, order.sort).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        start.insert(order.partition.to_owned(), order.value.clone());
        range.after = Some(start);
    }
    let (rows, next) = store.rows::<R>(WHAT, &range, page_size(limit)).await?;
    let items = rows
        .into_iter()
        .filter(|session| query.covers(session.created_at()))
        .collect();
    Ok(Page {
        items,
        next: next.as_ref().and_then(|key| cursor(key, order.sort)),
    })
}

pub async fn claimed_between(
    store: &DynamoStore,
    (since, until): (Timestamp, Timestamp),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Session>, Fault> {
    if until <= since {
        let items = Vec::new();
        return Ok(Page { items, next: None });
    }
    let first = Timestamp::from_millis(since.millis() + 1);
    claims(store, (first, until), false, after, limit).await
}

/// A page of the claims from `first` until `last`, both included, as they were a moment ago.
async fn claims<R: Listed>(
    store: &DynamoStore,
    (first, last): (Timestamp, Timestamp),
    newest_first: bool,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<R>, Fault> {
    const WHAT: &str = "list claims";
    let (index, condition) = (Some(names::BY_KIND), names::OF_KIND_SINCE);
    let mut range = QueryRange::new(&store.tables.sessions, index, condition)
        .value(":kind", text(names::SESSION))
        .value(":since", number(first.millis()))
        .value(":until", number(last.millis()));
    (range.newest_first, range.lately) = (newest_first, true);
    range.attributes = R::ATTRIBUTES;
    if let Some(after) = after {
        let mut start = read_cursor(after, names::CREATED_AT)
            .ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        start.insert(names::KIND.to_owned(), text(names::SESSION));
        range.after = Some(start);
    }
    let (rows, next) = store.rows::<R>(WHAT, &range, page_size(limit)).await?;
    Ok(Page {
        items: rows,
        next: next.and_then(|key| cursor(&key, names::CREATED_AT)),
    })
}

/// What begins the text of a page of claims that no schedule knows yet.
const UNSCHEDULED: &str = "new-";

/// How many pages of claims are looked through for one page of those that no schedule knows. There
/// are more only while no sweep runs.
const MOST_LOOKS: u32 = 5;

/// A page of those that live: first those that were claimed a moment ago, which no schedule knows
/// yet, then those of the schedule. In this order none is missed that is put into it meanwhile. It
/// may be shorter than requested although more follow.
async fn living<R: Listed>(
    store: &DynamoStore,
    query: &SessionQuery,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<R>, Fault> {
    const WHAT: &str = "list living sessions";
    let limit = page_size(limit);
    let len = |items: &Vec<R>| u32::try_from(items.len()).unwrap_or(limit);
    let mut items: Vec<R> = Vec::new();
    let recent = after.map_or(Some(None), |after| {
        after.strip_prefix(UNSCHEDULED).map(Some)
    });
    if let Some(mut recent) = recent.map(|after| after.map(str::to_owned)) {
        let known = limits::scheduled_until(store).await?;
        let since = known.unwrap_or(Timestamp::from_millis(0));
        let all = (since, Timestamp::from_millis(FAR_MILLIS));
        let mut looked = 0;
        loop {
            looked += 1;
            let page =
                claims::<R>(store, all, true, recent.as_deref(), limit - len(&items)).await?;
            let last = page.items.last();
            let last = last.map(|last| format!("{}-{}", last.created_at().millis(), last.id()));
            items.extend(page.items.into_iter().filter(R::is_unscheduled));
            let is_enough = looked == MOST_LOOKS && page.next.is_some();
            if is_enough || len(&items) == limit {
                let next = last.map(|last| format!("{UNSCHEDULED}{last}"));
                items.retain(|session| query.covers(session.created_at()));
                return Ok(Page { items, next });
            }
            if page.next.is_none() {
                break;
            }
            recent = page.next;
        }
    }
    let mut range = QueryRange::new(&store.tables.sessions, Some(names::BY_DUE), names::OF_DUE)
        .value(":due", text(names::OPEN));
    if let Some(after) = after.filter(|after| !after.starts_with(UNSCHEDULED)) {
        let mut start =
            read_cursor(after, names::DUE_AT).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        start.insert(names::DUE.to_owned(), text(names::OPEN));
        range.after = Some(start);
    }
    range.attributes = R::ATTRIBUTES;
    let left = limit - len(&items);
    let (rows, next) = store.rows::<R>(WHAT, &range, left).await?;
    items.extend(rows);
    items.retain(|session| query.covers(session.created_at()));
    Ok(Page {
        items,
        next: next.and_then(|key| cursor(&key, names::DUE_AT)),
    })
}

/// How many sessions of these links live; looks at `most` at most. The schedule names those that
/// live, and their links are cached, so that few rows are read.
pub async fn count_living(
    store: &DynamoStore,
    casts: &[CastId],
    most: u32,
) -> Result<Counted, Fault> {
    const WHAT: &str = "count living sessions";
    let known = limits::scheduled_until(store).await?;
    let since = known.unwrap_or(Timestamp::from_millis(0));
    let all = (since, Timestamp::from_millis(FAR_MILLIS));
    let range = QueryRange::new(&store.tables.sessions, Some(names::BY_DUE), names::OF_DUE)
        .value(":due", text(names::OPEN));
    let recent = claims::<SessionSummary>(store, all, true, None, page_size(most));
    let scheduled = store.query(WHAT, &range, Some(most));
    let (recent, (keys, more)) = try_join!(recent, scheduled)?;
    let unscheduled = recent
        .items
        .iter()
        .filter(|session| session.is_unscheduled());
    let unscheduled = unscheduled.filter(|session| casts.contains(&session.cast_id));
    let ids: Vec<SessionId> = keys.iter().filter_map(session_id).collect();
    let links = listing::links_of(store, &ids).await?;
    let living = ids.iter().filter_map(|id| links.get(id));
    let living = living.filter(|link| casts.contains(link));
    Ok(Counted {
        count: (unscheduled.count() + living.count()) as u64,
        more: more || recent.next.is_some(),
    })
}

/// How many answers, of a megabyte of keys each, are looked through for a reference that no batch
/// lists: some three million sessions.
const MOST_ANSWERS: u32 = 200;

/// The sessions whose ids begin as the reference says. It is found in the lists of `references`, or
/// among those that were claimed since the last batches and those that wait in pools, whose keys are
/// looked through. Claims from before a version that lists references are looked through last.
pub async fn by_reference(
    store: &DynamoStore,
    reference: &Reference,
) -> Result<Vec<Session>, Fault> {
    const WHAT: &str = "find a session by its reference";
    let Some(from) = reference.session_prefix() else {
        return Ok(Vec::new());
    };
    let of = |kind, (since, until): (Timestamp, Timestamp)| {
        let (index, condition) = (Some(names::BY_KIND), names::OF_KIND_SINCE);
        let mut range = QueryRange::new(&store.tables.sessions, index, condition)
            .value(":kind", text(kind))
            .value(":since", number(since.millis()))
            .value(":until", number(until.millis()))
            .value(":from", text(&from));
        range.newest_first = true;
        range.filter = Some(names::ID_BEGINS);
        range
    };
    let look = async |kind, span| {
        let range = of(kind, span);
        store
            .first_rows::<Session>(WHAT, &range, MOST_ANSWERS)
            .await
    };
    let (first, far) = (
        Timestamp::from_millis(0),
        Timestamp::from_millis(FAR_MILLIS),
    );
    let listed = listing::read(store).await?;
    let (recent, staged, times) = try_join!(
        look(names::SESSION, (listed.settled(), far)),
        look(names::STAGED, (first, far)),
        references::find(store, &from),
    )?;
    let known = times.into_iter().filter(|at| *at < listed.settled());
    let known = known.map(|at| look(names::SESSION, (at, at)));
    let mut found = recent;
    found.extend(staged);
    found.extend(try_join_all(known).await?.into_iter().flatten());
    if found.is_empty() && first < listed.unreferenced() {
        found = look(names::SESSION, (first, listed.unreferenced())).await?;
    }
    Ok(found)
}

/// The index that a listing goes along.
struct Order {
    index: &'static str,
    partition: &'static str,
    placeholder: &'static str,
    value: AttributeValue,
    sort: &'static str,
    /// All of the partition, and a span of time of it.
    of: [&'static str; 2],
}

impl Order {
    fn of(query: &SessionQuery) -> Self {
        let (index, partition, placeholder, value, of) = match &query.of {
            SessionsOf::All => (
                names::BY_KIND,
                names::KIND,
                ":kind",
                text(names::SESSION),
                [names::OF_KIND, names::OF_KIND_SINCE],
            ),
            SessionsOf::User(user) => (
                names::BY_OWNER,
                names::OWNER_ID,
                ":owner",
                text(user.as_str()),
                [names::OF_OWNER, names::OF_OWNER_SINCE],
            ),
            // Of these no index has all: see `living` and `listing`.
            SessionsOf::Living | SessionsOf::Cast(_) => (
                names::BY_DUE,
                names::DUE,
                ":due",
                text(names::OPEN),
                [names::OF_DUE, names::OF_DUE],
            ),
        };
        let sort = if query.of == SessionsOf::Living {
            names::DUE_AT
        } else {
            names::CREATED_AT
        };
        Self {
            index,
            partition,
            placeholder,
            value,
            sort,
            of,
        }
    }

    fn range<'a>(&self, table: &'a str, query: &SessionQuery) -> QueryRange<'a> {
        let [whole, span] = self.of;
        let bounded =
            self.sort == names::CREATED_AT && (query.since.is_some() || query.until.is_some());
        let mut range =
            QueryRange::new(table, Some(self.index), if bounded { span } else { whole });
        range = range.value(self.placeholder, self.value.clone());
        range.newest_first = self.sort == names::CREATED_AT;
        if bounded {
            let since = query.since.map_or(0, Timestamp::millis);
            let until = query.until.map_or(FAR_MILLIS, |until| until.millis() - 1);
            // A span that ends before it begins is empty, but DynamoDB refuses to be asked for it.
            range = range
                .value(":since", number(since))
                .value(":until", number(until.max(since)));
        }
        range
    }
}

/// Later than every session, in milliseconds since 1970.
const FAR_MILLIS: i64 = 1 << 52;

fn session_id(key: &Item) -> Option<SessionId> {
    SessionId::parse(key.get(names::ID)?.as_s().ok()?)
}

/// Where a page begins, as text: what the session before it is sorted by, and its id.
fn cursor(key: &Item, sort: &str) -> Option<String> {
    Some(format!(
        "{}-{}",
        key.get(sort)?.as_n().ok()?,
        session_id(key)?
    ))
}

fn read_cursor(cursor: &str, sort: &str) -> Option<Item> {
    let (millis, id) = cursor.rsplit_once('-')?;
    let (millis, id) = (millis.parse::<i64>().ok()?, SessionId::parse(id)?);
    Some(
        [
            (sort.to_owned(), number(millis)),
            (names::ID.to_owned(), text(id.as_str())),
        ]
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips_and_rejects_other_text() {
        let id = SessionId::from_bytes([7; 16]);
        for millis in [1_795_435_200_000i64, 0, -5] {
            let key: Item = [
                (names::CREATED_AT.to_owned(), number(millis)),
                (names::ID.to_owned(), text(id.as_str())),
            ]
            .into();
            let read = cursor(&key, names::CREATED_AT)
                .and_then(|text| read_cursor(&text, names::CREATED_AT));
            assert_eq!(read, Some(key));
        }
        for foreign in ["", "-", "x", &format!("x-{id}"), "1-x", &id.to_string()] {
            assert_eq!(read_cursor(foreign, names::CREATED_AT), None, "{foreign}");
        }
    }
}
