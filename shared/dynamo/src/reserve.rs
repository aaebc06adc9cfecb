//! Owns the one write that money depends on: everything a claim takes, all or nothing. Must not judge; it only says which part stood in the way.

use casting_core::ports::{Fault, Reservation, Reserved, WindowClaim};
use casting_core::session::Session;
use casting_core::window::Window;

use crate::call::Refusal;
use crate::fault::corrupt;
use crate::names;
use crate::rows::{CastRow, Item, SessionRow, WindowRow, from_item, key, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Clause, Written};

const WHAT: &str = "reserve a session";

/// Only what the claim uses takes part: a claim that takes nothing but its session is one conditional put, and whoever decided on it
/// has just read the cast. All others also hold the cast to the version decided on.
pub async fn reserve(store: &DynamoStore, reservation: &Reservation) -> Result<Reserved, Fault> {
    let session = &reservation.session;
    let row = to_item(WHAT, &SessionRow::from(session))?;
    let (sessions, is_new) = (&store.tables.sessions, Clause::when(names::IS_NEW));
    if session.charge.count.is_none() && reservation.window.is_none() {
        return match store.put(WHAT, sessions, row, is_new).await? {
            Written::Done => Ok(Reserved::Placed),
            Written::Failed(found) => already(found.as_ref()),
        };
    }
    // The session comes first, because the first part decides.
    let mut parts = vec![write::put(WHAT, sessions, row, is_new)?, cast_part(store, reservation)?];
    if let Some(claim) = &reservation.window {
        parts.push(window_part(store, claim)?);
    }
    match store.transact(WHAT, parts).await? {
        Ok(()) => Ok(Reserved::Placed),
        Err(refusal) => answer(reservation, &refusal),
    }
}

fn cast_part(store: &DynamoStore, reservation: &Reservation) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, Fault> {
    let Reservation { session, cast_version, .. } = reservation;
    let (casts, id) = (&store.tables.casts, key(names::ID, session.cast_id.as_str()));
    match session.charge.count {
        None => write::check(WHAT, casts, id, Clause::when(names::IS_VERSION).value(":version", number(*cast_version))),
        Some(epoch) => {
            let has_place = Clause::when(names::HAS_PLACE)
                .value(":version", number(*cast_version))
                .value(":epoch", number(epoch))
                .value(":zero", number(0))
                .value(":one", number(1));
            write::update(WHAT, casts, id, names::TAKE_PLACE, has_place)
        }
    }
}

fn window_part(store: &DynamoStore, claim: &WindowClaim) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, Fault> {
    let row = WindowRow::new(&claim.after, claim.after.newest().unwrap_or(claim.cutoff), claim.forgotten_at);
    let clause = match claim.seen.as_deref() {
        None => Clause::when(names::WINDOW_IS_IDLE).value(":cutoff", number(claim.cutoff.millis())),
        Some(NO_WINDOW) => Clause::when(names::IS_NEW),
        Some(seen) => Clause::when(names::WINDOW_IS_AS_SEEN).value(":seen", text(seen)),
    };
    write::put(WHAT, &store.tables.limits, to_item(WHAT, &row)?, clause)
}

/// The stamp of a window that has no row. A claim that saw it is written only if there still is none.
const NO_WINDOW: &str = "";

fn answer(reservation: &Reservation, refusal: &Refusal) -> Result<Reserved, Fault> {
    if let Some(found) = refusal.failed(0) {
        return already(found);
    }
    if let Some(found) = refusal.failed(1) {
        return cast_refused(reservation, found);
    }
    match (&reservation.window, refusal.failed(2)) {
        (Some(claim), Some(found)) => Ok(Reserved::WindowMoved(window(&claim.after.key, found)?)),
        _ => Err(corrupt(WHAT, "refused without a reason")),
    }
}

fn already(found: Option<&Item>) -> Result<Reserved, Fault> {
    let found = found.ok_or_else(|| corrupt(WHAT, "the session exists, but is not shown"))?;
    let session: Session = from_item::<SessionRow>(WHAT, found.clone())?.session;
    Ok(Reserved::Already(Box::new(session)))
}

fn cast_refused(reservation: &Reservation, found: Option<&Item>) -> Result<Reserved, Fault> {
    let Some(found) = found else { return Ok(Reserved::ConfigChanged) };
    let row: CastRow = from_item(WHAT, found.clone())?;
    let as_decided = row.version == reservation.cast_version && Some(row.counter_epoch) == reservation.session.charge.count;
    Ok(if as_decided { Reserved::SoldOut } else { Reserved::ConfigChanged })
}

fn window(key: &str, found: Option<&Item>) -> Result<Window, Fault> {
    match found {
        Some(found) => Ok(from_item::<WindowRow>(WHAT, found.clone())?.into_window(key)),
        None => Ok(Window { key: key.to_owned(), stamp: NO_WINDOW.to_owned(), slots: Default::default() }),
    }
}
