//! Owns the lists of the claims of each link: rows of table `claims` that name many claims of one
//! link, and with them those of `references`. The schedule writes them for a span of time at once, so that a claim pays for no index of
//! its link. Must not know what a list is for.
//!
//! Time is cut into batches, each from where the last one ended ([`ListedRow`]). What a link was
//! claimed in a batch is in rows whose sort keys begin with the batch's end, so batches never
//! overlap, and a batch that is written again is written over. Where a batch ends is noted before
//! it is written: after a crash the next one writes the same. Claims of no batch yet are found among
//! those of all links; there are never many, because a batch is made as soon as there are enough of
//! them. One that enters the index late is found when its batch is looked at once more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::PoisonError;

use aws_sdk_dynamodb::types::AttributeValue;
use casting_core::ids::{CastId, SessionId};
use casting_core::ports::{Fault, Page};
use casting_core::queries::{Counted, SessionQuery};
use casting_core::session::{LEDGER_SECONDS, LONGEST_LIFE_SECONDS};
use casting_core::time::Timestamp;
use futures_util::future::try_join_all;

use crate::fault::corrupt;
use crate::names;
use crate::read::{Attributes, QueryRange, page_size};
use crate::references;
use crate::rows::{
    Batch, Item, LinkClaimsRow, ListedRow, from_item, key, number, text, to_item, to_value,
};
use crate::sessions::Listed;
use crate::store::DynamoStore;
use crate::write::{Condition, Written};

/// A batch is made as soon as so many claims are in none.
const ENOUGH: usize = 1000;
/// A claim is in a batch after so long at the latest, in seconds, plus what a sweep takes to come.
const WAITS_SECONDS: u64 = 3600;
/// The most claims of a batch.
const MOST: u32 = 5000;
/// So long after a batch it is looked at once more, in seconds: longer than an index may be behind
/// its table, and than a claim may get another session in place of one that did not start.
const LATE_SECONDS: u64 = 3600;
/// The most batches of one call; the next one goes on.
const BATCHES: u32 = 20;
/// The most claims that one row names: some 9 kB.
const OF_A_ROW: usize = 200;
/// Rows that are read in one call.
const PULL: u32 = 40;
/// The most claims of all links that are looked through for one page.
const LOOKED_THROUGH: u32 = 5000;
/// So many of them are looked at first: enough for a link that is claimed most of all.
const LOOKED_AT_FIRST: u32 = 200;
/// The links of a hundred claims are read in one call; so many calls at once.
const AT_ONCE: usize = 16;
/// The most claims that are counted.
const MOST_COUNTED: u64 = 5000;
/// Later than every claim, in milliseconds since 1970.
const FAR_MILLIS: i64 = 1 << 52;

/// A claim in the order of lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// When it was accepted.
    pub at: Timestamp,
    /// Its session.
    pub id: SessionId,
}

impl Claim {
    /// As a row and a page's text name it.
    pub fn text(&self) -> String {
        format!("{}-{}", self.at.millis(), self.id)
    }

    /// The claim of such a text.
    pub fn read(text: &str) -> Option<Self> {
        let (millis, id) = text.rsplit_once('-')?;
        Some(Self {
            at: Timestamp::from_millis(millis.parse().ok()?),
            id: SessionId::parse(id)?,
        })
    }

    fn of_key(key: &Item) -> Option<Self> {
        let millis = key.get(names::CREATED_AT)?.as_n().ok()?.parse().ok()?;
        Some(Self {
            at: Timestamp::from_millis(millis),
            id: SessionId::parse(key.get(names::ID)?.as_s().ok()?)?,
        })
    }
}

/// Writes the batches that are due: of claims that were accepted until `due`.
pub async fn extend(store: &DynamoStore, due: Timestamp, now: Timestamp) -> Result<(), Fault> {
    for _ in 0..BATCHES {
        let listed = read(store).await?;
        let until = match listed.planned {
            Some(until) => until,
            None => match next_end(store, listed.until, due, now).await? {
                Some(until) => {
                    let planned = ListedRow {
                        planned: Some(until),
                        ..listed.clone()
                    };
                    // Another sweep was faster, or an answer was lost: what is noted holds.
                    note(store, &listed, planned).await?;
                    continue;
                }
                None => return look_again(store, listed, now).await,
            },
        };
        let claims = all_between(store, listed.until, until).await?;
        write_batch(store, until, &claims).await?;
        let mut batches = listed.batches.clone();
        if until.plus_seconds(LATE_SECONDS) > now {
            batches.push(Batch {
                after: listed.until,
                until,
                print: print(&claims),
            });
        }
        let done = ListedRow {
            until,
            planned: None,
            batches,
            referenced_after: Some(listed.unreferenced()),
            ..listed.clone()
        };
        note(store, &listed, done).await?;
    }
    Ok(())
}

/// Where the next batch ends; `None` while there is no need of one.
async fn next_end(
    store: &DynamoStore,
    after: Timestamp,
    due: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let (claims, more) = between(store, after, due, Some(MOST), false).await?;
    Ok(end_of_batch(&claims, more, due, now))
}

fn end_of_batch(claims: &[Claim], more: bool, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let (first, last) = (claims.first()?, claims.last()?);
    if more {
        // Others may have been accepted in the last one's millisecond.
        let before = Timestamp::from_millis(last.at.millis() - 1);
        return Some(before.max(first.at));
    }
    let waits_long = first.at.plus_seconds(WAITS_SECONDS) <= now;
    (waits_long || claims.len() >= ENOUGH).then_some(due)
}

/// Looks at the batches once more whose time has come, and writes those again that have changed.
async fn look_again(store: &DynamoStore, listed: ListedRow, now: Timestamp) -> Result<(), Fault> {
    let is_young = |batch: &Batch| batch.until.plus_seconds(LATE_SECONDS) > now;
    let (young, over): (Vec<_>, Vec<_>) = listed.batches.iter().cloned().partition(is_young);
    if over.is_empty() {
        return Ok(());
    }
    for batch in over {
        let claims = all_between(store, batch.after, batch.until).await?;
        if print(&claims) != batch.print {
            write_batch(store, batch.until, &claims).await?;
        }
    }
    let done = ListedRow {
        batches: young,
        ..listed.clone()
    };
    note(store, &listed, done).await
}

/// A hash of these claims, whatever their order: FNV-1a of each, which is the same in every release.
fn print(claims: &[Claim]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let of_claim = |claim: &Claim| {
        let bytes = claim.id.as_str().bytes();
        bytes.fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
    };
    claims.iter().map(of_claim).fold(0, |all, one| all ^ one)
}

pub async fn read(store: &DynamoStore) -> Result<ListedRow, Fault> {
    const WHAT: &str = "read how far claims are listed";
    let (table, row) = (&store.tables.limits, key(names::ID, names::LISTED));
    Ok(store.get(WHAT, table, row).await?.unwrap_or_default())
}

/// Writes `after` over the row as it was read, if it still is that one.
async fn note(store: &DynamoStore, before: &ListedRow, after: ListedRow) -> Result<(), Fault> {
    const WHAT: &str = "note how far claims are listed";
    let is_as_read = if before.rev == 0 {
        Condition::when(names::IS_NEW)
    } else {
        Condition::when(names::IS_REV).value(":rev", number(before.rev))
    };
    let values = is_as_read
        .value(":next", number(before.rev + 1))
        .value(":until", number(after.until.millis()))
        .value(":planned", to_value(WHAT, &after.planned)?)
        .value(":batches", to_value(WHAT, &after.batches)?)
        .value(":referenced", to_value(WHAT, &after.referenced_after)?);
    let (table, row) = (&store.tables.limits, key(names::ID, names::LISTED));
    match store
        .update(WHAT, table, row, names::SET_LISTED, values)
        .await?
    {
        Written::Done | Written::Failed(_) => Ok(()),
    }
}

/// The claims of all links after one time and until another, in order, as the index has them; and
/// whether there are more. The claims of a millisecond are returned together.
async fn between(
    store: &DynamoStore,
    after: Timestamp,
    until: Timestamp,
    limit: Option<u32>,
    newest_first: bool,
) -> Result<(Vec<Claim>, bool), Fault> {
    const WHAT: &str = "look through claims";
    if until <= after {
        return Ok((Vec::new(), false));
    }
    let (index, condition) = (Some(names::BY_KIND), names::OF_KIND_SINCE);
    let mut range = QueryRange::new(&store.tables.sessions, index, condition)
        .value(":kind", text(names::SESSION))
        .value(":since", number(after.millis() + 1))
        .value(":until", number(until.millis()));
    range.newest_first = newest_first;
    let (keys, more) = store.query(WHAT, &range, limit).await?;
    let claims = keys.iter().map(Claim::of_key).collect::<Option<Vec<_>>>();
    let mut claims = claims.ok_or_else(|| corrupt(WHAT, "a key that is not ours"))?;
    if newest_first {
        claims.sort_by(|a, b| b.cmp(a));
    } else {
        claims.sort();
    }
    if more && let Some(cut) = claims.last().map(|last| last.at) {
        let whole = claims.iter().take_while(|claim| claim.at != cut).count();
        if whole > 0 {
            claims.truncate(whole);
        }
    }
    Ok((claims, more))
}

async fn all_between(
    store: &DynamoStore,
    after: Timestamp,
    until: Timestamp,
) -> Result<Vec<Claim>, Fault> {
    Ok(between(store, after, until, None, false).await?.0)
}

/// So many links of sessions are cached, some 2 MB; beyond that, the cache is emptied.
const LINKS: usize = 20_000;

/// The links of these sessions. Only those that this process has not read before are read.
pub(crate) async fn links_of(
    store: &DynamoStore,
    sessions: impl IntoIterator<Item = &SessionId>,
) -> Result<HashMap<SessionId, CastId>, Fault> {
    let (mut links, mut missing) = (HashMap::new(), Vec::new());
    {
        let known = store.links.lock().unwrap_or_else(PoisonError::into_inner);
        for id in sessions {
            match known.get(id) {
                Some(link) => _ = links.insert(id.clone(), link.clone()),
                None => missing.push(id.clone()),
            }
        }
    }
    let read = read_links(store, &missing).await?;
    let mut known = store.links.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() + read.len() > LINKS {
        known.clear();
    }
    known.extend(
        read.iter()
            .take(LINKS)
            .map(|(id, link)| (id.clone(), link.clone())),
    );
    drop(known);
    links.extend(read);
    Ok(links)
}

/// The links of these sessions, as they were a moment ago.
async fn read_links(
    store: &DynamoStore,
    sessions: &[SessionId],
) -> Result<HashMap<SessionId, CastId>, Fault> {
    const WHAT: &str = "read the links of claims";
    const ATTRIBUTES: Attributes = &[names::ID, names::CAST_ID];
    let mut links = HashMap::with_capacity(sessions.len());
    for some in sessions.chunks(AT_ONCE * 100) {
        let calls = some.chunks(100).map(|hundred| {
            let ids = hundred.iter().map(|id| text(id.as_str()));
            let ids: Vec<AttributeValue> = ids.collect();
            async move {
                let table = &store.tables.sessions;
                store.get_lately(WHAT, table, &ids, ATTRIBUTES).await
            }
        });
        for (id, row) in try_join_all(calls).await?.into_iter().flatten() {
            let link = row.get(names::CAST_ID).and_then(|link| link.as_s().ok());
            let link = link.and_then(|link| CastId::parse(link));
            links.extend(SessionId::parse(&id).zip(link));
        }
    }
    Ok(links)
}

fn ids_of(claims: &[Claim]) -> impl Iterator<Item = &SessionId> {
    claims.iter().map(|claim| &claim.id)
}

async fn write_batch(store: &DynamoStore, until: Timestamp, claims: &[Claim]) -> Result<(), Fault> {
    const WHAT: &str = "list claims by link";
    let links = links_of(store, ids_of(claims)).await?;
    let expires_at = expiry(until);
    let of_links = batch_rows(until, claims, &links);
    let of_links = of_links.iter().map(|row| to_item(WHAT, row));
    let quoted = references::rows(until, claims, expires_at);
    let quoted = quoted.iter().map(|row| to_item(WHAT, row));
    let items = of_links.chain(quoted);
    let items = items.collect::<Result<Vec<Item>, Fault>>()?;
    store.put_all(WHAT, &store.tables.claims, items).await
}

/// When the rows of a batch that ends at `until` may go: with the last of its sessions.
fn expiry(until: Timestamp) -> Timestamp {
    until.plus_seconds(LONGEST_LIFE_SECONDS + LEDGER_SECONDS)
}

impl ListedRow {
    /// Until when claims are in batches that list no references.
    pub fn unreferenced(&self) -> Timestamp {
        self.referenced_after.unwrap_or(self.until)
    }

    /// From when on a claim may not be in the batches yet that are there, or not as it is now.
    pub fn settled(&self) -> Timestamp {
        self.batches.first().map_or(self.until, |batch| batch.after)
    }
}

/// The rows of a batch that ends at `until`.
fn batch_rows(
    until: Timestamp,
    claims: &[Claim],
    links: &HashMap<SessionId, CastId>,
) -> Vec<LinkClaimsRow> {
    let mut by_link: BTreeMap<&CastId, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        if let Some(link) = links.get(&claim.id) {
            by_link.entry(link).or_default().push(claim);
        }
    }
    let expires_at = expiry(until);
    let mut rows = Vec::new();
    for (link, claims) in by_link {
        for (part, claims) in claims.chunks(OF_A_ROW).enumerate() {
            rows.push(LinkClaimsRow {
                link: names::link(Some(link)),
                hour_code: names::batch_part(until, part),
                claimed: claims.iter().map(|claim| claim.text()).collect(),
                expires_at: expires_at.seconds(),
            });
        }
    }
    rows
}

/// What is asked for of a link's claims: not before `since`, not after `last`, and of those of that
/// millisecond only what comes after `after`.
struct Asked<'a> {
    cast: &'a CastId,
    since: Timestamp,
    last: Timestamp,
    after: Option<&'a Claim>,
}

impl Asked<'_> {
    fn covers(&self, claim: &Claim) -> bool {
        self.since <= claim.at
            && claim.at <= self.last
            && self.after.is_none_or(|after| claim < after)
    }
}

/// A page of the sessions of a link, the newest first, after this claim. It may be shorter than asked for although more follow.
pub async fn page<R: Listed>(
    store: &DynamoStore,
    cast: &CastId,
    query: &SessionQuery,
    after: Option<&Claim>,
    limit: u32,
) -> Result<Page<R>, Fault> {
    let limit = page_size(limit) as usize;
    let until = query.until.map_or(FAR_MILLIS, |until| until.millis() - 1);
    let last = after.map_or(until, |after| after.at.millis().min(until));
    let asked = Asked {
        cast,
        since: query.since.unwrap_or(Timestamp::from_millis(0)),
        last: Timestamp::from_millis(last),
        after,
    };
    let listed = read(store).await?.until;
    // One more than asked for says whether more follow.
    let (mut claims, gave_up) = look_through(store, &asked, listed, limit + 1).await?;
    if claims.len() <= limit && gave_up.is_none() {
        read_batches(store, &asked, listed, limit + 1, &mut claims).await?;
    }
    let more = claims.len() > limit;
    claims.truncate(limit);
    let next = if more {
        claims.last()
    } else {
        gave_up.as_ref()
    };
    let next = next.map(Claim::text);
    let items = sessions_of(store, cast, &claims).await?;
    Ok(Page { items, next })
}

/// The sessions of these claims as they are now. One that was exchanged for another or forgotten since is left out.
async fn sessions_of<R: Listed>(
    store: &DynamoStore,
    cast: &CastId,
    claims: &[Claim],
) -> Result<Vec<R>, Fault> {
    const WHAT: &str = "list sessions";
    let ids: Vec<_> = claims.iter().map(|claim| text(claim.id.as_str())).collect();
    let table = &store.tables.sessions;
    let mut rows = store.get_some(WHAT, table, &ids, R::ATTRIBUTES).await?;
    let mut sessions = Vec::with_capacity(claims.len());
    for claim in claims {
        if let Some(row) = rows.remove(claim.id.as_str()) {
            let session = from_item::<R>(WHAT, row)?;
            if *session.cast_id() == *cast {
                sessions.push(session);
            }
        }
    }
    Ok(sessions)
}

/// The claims of a link that are in no batch yet, as many as wanted; and where the search was given up.
async fn look_through(
    store: &DynamoStore,
    asked: &Asked<'_>,
    listed: Timestamp,
    wanted: usize,
) -> Result<(Vec<Claim>, Option<Claim>), Fault> {
    let before = Timestamp::from_millis(asked.since.millis() - 1);
    let after = listed.max(before);
    let (mut found, mut last, mut looked) = (Vec::new(), asked.last, 0);
    let mut seen: Option<Claim> = asked.after.cloned();
    loop {
        let limit = if looked == 0 {
            LOOKED_AT_FIRST
        } else {
            LOOKED_THROUGH
        };
        let (mut claims, more) = between(store, after, last, Some(limit), true).await?;
        claims.retain(|claim| seen.as_ref().is_none_or(|seen| claim < seen));
        looked += limit;
        let links = links_of(store, ids_of(&claims)).await?;
        let is_of_link = |claim: &&Claim| links.get(&claim.id) == Some(asked.cast);
        found.extend(claims.iter().filter(is_of_link).cloned());
        if let Some(end) = claims.pop() {
            last = end.at;
            seen = Some(end);
        }
        if !more {
            return Ok((found, None));
        }
        if found.len() >= wanted {
            found.truncate(wanted);
            return Ok((found, None));
        }
        if looked >= LOOKED_THROUGH {
            return Ok((found, seen));
        }
    }
}

/// Adds the claims of a link that are in batches, until there are as many as wanted.
async fn read_batches(
    store: &DynamoStore,
    asked: &Asked<'_>,
    listed: Timestamp,
    wanted: usize,
    claims: &mut Vec<Claim>,
) -> Result<(), Fault> {
    if listed < asked.since || asked.last < asked.since {
        return Ok(());
    }
    let link = names::link(Some(asked.cast));
    let end = first_end(store, &link, asked.last.min(listed), listed).await?;
    let mut range = batches(store, &link, asked.since, end);
    range.newest_first = true;
    let mut rows: Vec<(Timestamp, LinkClaimsRow)> = Vec::new();
    loop {
        let (pulled, more, next) = pull(store, &range).await?;
        rows.extend(pulled);
        // The last one may go on in the next call.
        let whole = match rows.last() {
            Some((last, _)) if more => rows.iter().take_while(|(end, _)| end != last).count(),
            _ => rows.len(),
        };
        let texts = rows.drain(..whole).flat_map(|(_, row)| row.claimed);
        let mut some: Vec<Claim> = texts.filter_map(|text| Claim::read(&text)).collect();
        some.retain(|claim| asked.covers(claim));
        some.sort_by(|a, b| b.cmp(a));
        some.dedup();
        // Batches overlap only where how far they are was lost, and they were made anew.
        if let Some(last) = claims.last().cloned() {
            some.retain(|claim| *claim < last);
        }
        claims.extend(some);
        if !more || claims.len() >= wanted {
            claims.truncate(wanted);
            return Ok(());
        }
        range.after = next;
    }
}

/// The end of the batch of this link that a claim of this time is in, or of a later one.
async fn first_end(
    store: &DynamoStore,
    link: &str,
    at: Timestamp,
    listed: Timestamp,
) -> Result<Timestamp, Fault> {
    if at >= listed {
        return Ok(listed);
    }
    let (rows, _) = store
        .query(WHAT_READ, &batches(store, link, at, listed), Some(1))
        .await?;
    let end = rows.first().map(end_of).transpose()?;
    Ok(end.unwrap_or(listed))
}

const WHAT_READ: &str = "read the claims of a link";

/// The rows of a link's batches that end in this time.
fn batches<'a>(
    store: &'a DynamoStore,
    link: &str,
    since: Timestamp,
    until: Timestamp,
) -> QueryRange<'a> {
    QueryRange::new(&store.tables.claims, None, names::OF_HOURS)
        .value(":link", text(link))
        .value(":since", text(names::batch_part(since, 0)))
        .value(":until", text(names::batch_last(until)))
}

/// The end of the batch that a row is of.
pub fn end_of(row: &Item) -> Result<Timestamp, Fault> {
    let code = row.get(names::HOUR_CODE).and_then(|code| code.as_s().ok());
    code.and_then(|code| names::read_batch(code))
        .ok_or_else(|| corrupt(WHAT_READ, "a key that is not ours"))
}

/// Some rows with the ends of their batches, whether more follow, and the key of the last one.
async fn pull(
    store: &DynamoStore,
    range: &QueryRange<'_>,
) -> Result<(Vec<(Timestamp, LinkClaimsRow)>, bool, Option<Item>), Fault> {
    let (items, more) = store.query(WHAT_READ, range, Some(PULL)).await?;
    let next = items.last().map(|last| {
        let mut key = last.clone();
        key.retain(|name, _| name == names::LINK || name == names::HOUR_CODE);
        key
    });
    let rows = items
        .into_iter()
        .map(|item| Ok((end_of(&item)?, from_item(WHAT_READ, item)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok((rows, more, next))
}

/// How many claims each of these links has had since then, in their order.
pub async fn count(
    store: &DynamoStore,
    casts: &[CastId],
    since: Timestamp,
) -> Result<Vec<Counted>, Fault> {
    let listed = read(store).await?.until;
    let before = Timestamp::from_millis(since.millis() - 1);
    let far = Timestamp::from_millis(FAR_MILLIS);
    let after = listed.max(before);
    let (recent, more) = between(store, after, far, Some(LOOKED_THROUGH), true).await?;
    let links = links_of(store, ids_of(&recent)).await?;
    let counts = casts.iter().map(async |cast| {
        let recent = links.values().filter(|link| *link == cast).count();
        let recent = u64::try_from(recent).unwrap_or(MOST_COUNTED);
        let batches = count_batches(store, cast, since, listed).await?;
        let count = recent + batches;
        Ok(Counted {
            count: count.min(MOST_COUNTED),
            more: more || count > MOST_COUNTED,
        })
    });
    try_join_all(counts).await
}

async fn count_batches(
    store: &DynamoStore,
    cast: &CastId,
    since: Timestamp,
    listed: Timestamp,
) -> Result<u64, Fault> {
    if listed < since {
        return Ok(0);
    }
    let link = names::link(Some(cast));
    let mut range = batches(store, &link, since, listed);
    let mut counted = HashSet::new();
    loop {
        let (rows, more, next) = pull(store, &range).await?;
        let texts = rows.into_iter().flat_map(|(_, row)| row.claimed);
        let claims = texts.filter_map(|text| Claim::read(&text));
        counted.extend(claims.filter(|claim| since <= claim.at));
        let count = u64::try_from(counted.len()).unwrap_or(MOST_COUNTED);
        if !more || count > MOST_COUNTED {
            return Ok(count);
        }
        range.after = next;
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing::NOON;

    use super::*;

    fn claim(second: u64, n: u8) -> Claim {
        Claim {
            at: NOON.plus_seconds(second),
            id: SessionId::from_bytes([n; 16]),
        }
    }

    #[test]
    fn claim_round_trips_and_other_text_is_rejected() {
        let id = SessionId::from_bytes([7; 16]);
        for millis in [1_795_435_200_000i64, 0, -5] {
            let at = Timestamp::from_millis(millis);
            let claim = Claim { at, id: id.clone() };
            assert_eq!(Claim::read(&claim.text()), Some(claim));
        }
        for foreign in ["", "-", "x", &format!("x-{id}"), "1-x", &id.to_string()] {
            assert_eq!(Claim::read(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn batch_ends_when_it_is_full_or_old_enough() {
        let few = [claim(0, 1), claim(9, 2)];
        let many: Vec<Claim> = (0..ENOUGH as u64).map(|n| claim(n / 200, 1)).collect();
        let at = |second| NOON.plus_seconds(second);
        for (name, claims, more, due, now, expected) in [
            ("nothing", &[][..], false, at(10), at(99_999), None),
            ("a few, young", &few, false, at(10), at(100), None),
            (
                "a few, an hour old",
                &few,
                false,
                at(3510),
                at(3600),
                Some(at(3510)),
            ),
            ("enough", &many, false, at(10), at(100), Some(at(10))),
            (
                "more than fit: all of the last one's millisecond come later",
                &few,
                true,
                at(10),
                at(100),
                Some(Timestamp::from_millis(at(9).millis() - 1)),
            ),
            (
                "more than fit, all at once",
                &few[..1],
                true,
                at(10),
                at(100),
                Some(at(0)),
            ),
        ] {
            assert_eq!(end_of_batch(claims, more, due, now), expected, "{name}");
        }
    }

    #[test]
    fn batch_is_written_by_link_in_rows_of_some_claims() {
        let (one, two) = (CastId::from_bytes([1; 16]), CastId::from_bytes([2; 16]));
        let mut claims: Vec<Claim> = (0..250).map(|n| claim(n, (n % 250) as u8)).collect();
        let mut links: HashMap<SessionId, CastId> = HashMap::new();
        for claim in &claims {
            links.insert(claim.id.clone(), one.clone());
        }
        links.insert(claims[3].id.clone(), two.clone());
        // Gone since.
        links.remove(&claims[4].id);
        let rows = batch_rows(NOON.plus_seconds(300), &claims, &links);
        let shape: Vec<_> = rows
            .iter()
            .map(|row| (row.link.clone(), row.claimed.len()))
            .collect();
        let name = |cast: &CastId| cast.to_string();
        assert_eq!(
            shape,
            [(name(&one), 200), (name(&one), 48), (name(&two), 1)]
        );
        assert!(rows[0].hour_code < rows[1].hour_code);
        assert_eq!(
            names::read_batch(&rows[1].hour_code),
            Some(NOON.plus_seconds(300))
        );
        let before = print(&claims);
        claims.reverse();
        assert_eq!(print(&claims), before);
        claims.pop();
        assert_ne!(print(&claims), before);
    }
}
