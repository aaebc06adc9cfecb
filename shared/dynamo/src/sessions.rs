//! Owns the rows of table `sessions` after they were reserved: moves, releases and listings. Must not know which moves are allowed.

use casting_core::ids::{CastId, SessionId, UserId};
use casting_core::ports::{Fault, Page, Saved};
use casting_core::session::{Charge, Session};
use casting_core::time::Timestamp;

use crate::fault::{corrupt, refused};
use crate::limits;
use crate::names;
use crate::read::{Stretch, page_size};
use crate::rows::{Item, SessionRow, key, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Clause};

pub async fn by_id(store: &DynamoStore, id: &SessionId) -> Result<Option<Session>, Fault> {
    let row = store.get::<SessionRow>("read a session", &store.tables.sessions, key(names::ID, id.as_str())).await?;
    Ok(row.map(|row| row.session))
}

pub async fn save(store: &DynamoStore, before: &Session, after: &Session) -> Result<Saved, Fault> {
    const WHAT: &str = "save a session";
    let row = to_item(WHAT, &SessionRow::from(after))?;
    let is_rev = Clause::when(names::IS_REV).value(":rev", number(before.rev));
    let gift = after.gives_back(before);
    if gift.is_free() {
        Ok(store.put(WHAT, &store.tables.sessions, row, is_rev).await?.into())
    } else {
        release(store, row, is_rev, after, &gift).await
    }
}

/// The session's end and what it gives back, in one transaction. What is no longer there to be given back to (the cast deleted or its
/// counter set anew, the window or the count forgotten) is dropped, and the rest is tried again: each time at least one part less.
async fn release(store: &DynamoStore, row: Item, is_rev: Clause, after: &Session, gift: &Charge) -> Result<Saved, Fault> {
    const WHAT: &str = "release a session";
    let mut gifts = Vec::new();
    if let Some(epoch) = gift.count {
        let is_epoch = Clause::when(names::IS_EPOCH).value(":epoch", number(epoch)).value(":one", number(1));
        gifts.push(write::update(WHAT, &store.tables.casts, key(names::ID, after.cast_id.as_str()), names::GIVE_PLACE, is_epoch)?);
    }
    if let Some(window) = &gift.window {
        gifts.push(limits::give_slot(WHAT, store, window, &after.id)?);
    }
    for held in &gift.held {
        gifts.push(limits::give_tally(WHAT, store, held)?);
    }
    loop {
        let mut parts = vec![write::put(WHAT, &store.tables.sessions, row.clone(), is_rev.clone())?];
        parts.extend(gifts.iter().cloned());
        let Err(refusal) = store.transact(WHAT, parts).await? else { return Ok(Saved::Done) };
        if refusal.failed(0).is_some() {
            return Ok(Saved::Stale);
        }
        let before = gifts.len();
        let mut index = 0;
        gifts.retain(|_| {
            index += 1;
            refusal.failed(index).is_none()
        });
        if gifts.len() == before {
            return Err(corrupt(WHAT, "refused without a reason"));
        }
    }
}

/// The newest session of this user and this cast that can be entered, among the user's last ones.
pub async fn live_of(store: &DynamoStore, user: &UserId, cast: &CastId) -> Result<Option<Session>, Fault> {
    let mut stretch = Stretch::new(&store.tables.sessions, Some(names::BY_OWNER), names::OF_OWNER).value(":owner", text(user.as_str()));
    stretch.newest_first = true;
    let (rows, _) = store.rows::<SessionRow>("find a user's session", &stretch, LATEST).await?;
    Ok(rows.into_iter().map(|row| row.session).find(|session| session.cast_id == *cast && session.can_be_entered()))
}

/// Of a user's sessions, so many of the newest are looked at; whoever has started more since has ended the older ones.
const LATEST: u32 = 50;

pub async fn due(store: &DynamoStore, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, Fault> {
    const WHAT: &str = "find sessions that are due";
    let stretch = Stretch::new(&store.tables.sessions, Some(names::BY_DUE), names::DUE_UNTIL)
        .value(":open", text(names::OPEN))
        .value(":now", number(now.millis()));
    let (keys, _) = store.query(WHAT, &stretch, Some(limit.max(1))).await?;
    keys.iter().map(|key| session_id(key).ok_or_else(|| corrupt(WHAT, "a key without id"))).collect()
}

pub async fn page(store: &DynamoStore, cast: Option<&CastId>, after: Option<&str>, limit: u32) -> Result<Page<Session>, Fault> {
    const WHAT: &str = "list sessions";
    let sessions = &store.tables.sessions;
    let (name, partition, mut stretch) = match cast {
        Some(cast) => (
            names::CAST_ID,
            text(cast.as_str()),
            Stretch::new(sessions, Some(names::BY_CAST), names::OF_CAST).value(":cast", text(cast.as_str())),
        ),
        None => {
            let kind = text(names::SESSION);
            (names::KIND, kind.clone(), Stretch::new(sessions, Some(names::BY_KIND), names::OF_KIND).value(":kind", kind))
        }
    };
    stretch.newest_first = true;
    if let Some(after) = after {
        let mut start = read_cursor(after).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        start.insert(name.to_owned(), partition);
        stretch.after = Some(start);
    }
    let (rows, next) = store.rows::<SessionRow>(WHAT, &stretch, page_size(limit)).await?;
    Ok(Page { items: rows.into_iter().map(|row| row.session).collect(), next: next.as_ref().and_then(cursor) })
}

fn session_id(key: &Item) -> Option<SessionId> {
    SessionId::parse(key.get(names::ID)?.as_s().ok()?)
}

/// Where a page begins, as text: the time and the id of the session before it.
fn cursor(key: &Item) -> Option<String> {
    Some(format!("{}-{}", key.get(names::CREATED_AT)?.as_n().ok()?, session_id(key)?))
}

fn read_cursor(cursor: &str) -> Option<Item> {
    let (millis, id) = cursor.rsplit_once('-')?;
    let (millis, id) = (millis.parse::<i64>().ok()?, SessionId::parse(id)?);
    Some([(names::CREATED_AT.to_owned(), number(millis)), (names::ID.to_owned(), text(id.as_str()))].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_reads() {
        let id = SessionId::from_bytes([7; 16]);
        for millis in [1_795_435_200_000i64, 0, -5] {
            let key: Item = [(names::CREATED_AT.to_owned(), number(millis)), (names::ID.to_owned(), text(id.as_str()))].into();
            assert_eq!(cursor(&key).as_deref().and_then(read_cursor), Some(key));
        }
        for foreign in ["", "-", "x", &format!("x-{id}"), "1-x", &id.to_string()] {
            assert_eq!(read_cursor(foreign), None, "{foreign}");
        }
    }
}
