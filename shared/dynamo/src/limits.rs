//! Owns the rows of table `limits`: rate windows, quotas and used CAPTCHA solutions, each as a part
//! of another transaction, and the requests under idempotency keys. Must not decide.

use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};
use casting_core::captcha::Proof;
use casting_core::ids::SessionId;
use casting_core::ports::{Fault, FaultKind, WindowClaim};
use casting_core::quota::{Held, Quota, Tally};
use casting_core::rate_window::RateWindow;
use casting_core::time::Timestamp;

use crate::fault::corrupt;
use crate::names;
use crate::retry::call;
use crate::rows::{
    Item, ProofRow, QuotaRow, RequestRow, ScheduleRow, StartsRow, WindowRow, from_item, key,
    number, text, to_item,
};
use crate::store::DynamoStore;
use crate::write::{self, Condition, Written};

/// The stamp of a window or a room that has no row. A claim that saw it is written only if there
/// still is none.
const NO_ROW: &str = "";

pub async fn window(store: &DynamoStore, key_text: &str) -> Result<RateWindow, Fault> {
    let row = store
        .get::<WindowRow>(
            "read a window",
            &store.tables.limits,
            key(names::ID, names::window(key_text)),
        )
        .await?;
    Ok(row.map_or_else(|| empty_window(key_text), |row| row.into_window(key_text)))
}

pub async fn quota(store: &DynamoStore, key_text: &str) -> Result<u64, Fault> {
    Ok(tally(store, key_text).await?.taken)
}

pub async fn tally(store: &DynamoStore, key_text: &str) -> Result<Tally, Fault> {
    let row = store
        .get::<QuotaRow>(
            "read a count",
            &store.tables.limits,
            key(names::ID, names::quota(key_text)),
        )
        .await?;
    Ok(row.map_or_else(Tally::default, Tally::from))
}

pub async fn open_tally(
    store: &DynamoStore,
    key_text: &str,
    now: Timestamp,
) -> Result<Tally, Fault> {
    const WHAT: &str = "note that a count was opened";
    let request = store
        .client
        .update_item()
        .table_name(&store.tables.limits)
        .set_key(Some(key(names::ID, names::quota(key_text))))
        .update_expression(names::OPEN_TALLY)
        .expression_attribute_values(":now", number(now.millis()))
        .expression_attribute_values(":zero", number(0))
        .return_values(ReturnValue::AllNew);
    let answer = call(WHAT, || request.clone().send())
        .await?
        .map_err(|_| corrupt(WHAT, "refused without a condition"))?;
    let row = answer
        .attributes
        .ok_or_else(|| corrupt(WHAT, "the row is not shown"))?;
    Ok(from_item::<QuotaRow>(WHAT, row)?.into())
}

pub async fn close_tally(store: &DynamoStore, key_text: &str) -> Result<(), Fault> {
    const WHAT: &str = "close a count";
    let (table, row) = (&store.tables.limits, key(names::ID, names::quota(key_text)));
    let closed = Condition::none()
        .value(":one", number(1))
        .value(":zero", number(0));
    store
        .update(WHAT, table, row, names::CLOSE_TALLY, closed)
        .await?;
    Ok(())
}

pub async fn first_request(
    store: &DynamoStore,
    key_text: &str,
    print: &str,
    forgotten_at: Timestamp,
) -> Result<String, Fault> {
    const WHAT: &str = "remember a request";
    let row = RequestRow {
        id: names::request(key_text),
        print: print.to_owned(),
        expires_at: forgotten_at.seconds(),
    };
    match store
        .put(
            WHAT,
            &store.tables.limits,
            to_item(WHAT, &row)?,
            Condition::when(names::IS_NEW),
        )
        .await?
    {
        Written::Done => Ok(row.print),
        Written::Failed(Some(first)) => Ok(from_item::<RequestRow>(WHAT, first)?.print),
        Written::Failed(None) => Err(corrupt(WHAT, "refused without a reason")),
    }
}

/// The window that has no row.
pub fn empty_window(key: &str) -> RateWindow {
    RateWindow::empty(key.to_owned(), NO_ROW.to_owned())
}

/// The row is the one with this stamp.
pub fn as_seen(stamp: &str) -> Condition {
    if stamp == NO_ROW {
        Condition::when(names::IS_NEW)
    } else {
        Condition::when(names::IS_AS_SEEN).value(":seen", text(stamp))
    }
}

/// Takes a slot in the window, if it is as it was seen.
pub fn take_slot(
    what: &'static str,
    store: &DynamoStore,
    claim: &WindowClaim,
) -> Result<TransactWriteItem, Fault> {
    let row = WindowRow::new(
        &claim.after,
        claim.after.newest().unwrap_or(claim.cutoff),
        claim.forgotten_at,
    );
    let condition = match claim.seen.as_deref() {
        None => {
            Condition::when(names::WINDOW_IS_IDLE).value(":cutoff", number(claim.cutoff.millis()))
        }
        Some(seen) => as_seen(seen),
    };
    write::put(what, &store.tables.limits, to_item(what, &row)?, condition)
}

/// Gives a session's slot back, or its place in the bucket, if the window still has it.
pub fn give_slot(
    what: &'static str,
    store: &DynamoStore,
    window: &str,
    bucket: Option<Timestamp>,
    session: &SessionId,
) -> Result<TransactWriteItem, Fault> {
    let (change, has_slot) = match bucket {
        None => (
            names::GIVE_SLOT,
            Condition::when(names::HAS_SLOT).name("#session", session.as_str()),
        ),
        Some(end) => (
            names::GIVE_TO_BUCKET,
            Condition::when(names::BUCKET_IS_TAKEN)
                .name("#bucket", &names::bucket(end))
                .value(":one", number(1)),
        ),
    };
    // A session gives back once, so its id makes a stamp that the window never had.
    let has_slot = has_slot.value(":stamp", text(format!("released-{session}")));
    write::update(
        what,
        &store.tables.limits,
        key(names::ID, names::window(window)),
        change,
        has_slot,
    )
}

/// Takes of a count, if it is complete and there is room.
pub fn take_quota(
    what: &'static str,
    store: &DynamoStore,
    quota: &Quota,
) -> Result<TransactWriteItem, Fault> {
    // Below 0 where one claim takes more than there may be: then only the rules refuse the first.
    let room = |most: u64| number(i128::from(most) - i128::from(quota.amount));
    let condition = match (quota.most, quota.counted_since) {
        (None, _) => Condition::none(),
        (Some(most), None) => Condition::when(names::TALLY_HAS_ROOM).value(":room", room(most)),
        (Some(most), Some(since)) => Condition::when(names::TALLY_IS_COMPLETE_AND_HAS_ROOM)
            .value(":room", room(most))
            .value(":since", number(since)),
    };
    let mut condition = condition
        .value(":zero", number(0))
        .value(":amount", number(quota.amount));
    let mut change = names::TAKE_TALLY;
    if let Some(at) = quota.forgotten_at {
        condition = condition.value(":expires", number(at.seconds()));
        change = names::TAKE_TALLY_FOR_A_TIME;
    }
    write::update(
        what,
        &store.tables.limits,
        key(names::ID, names::quota(&quota.key)),
        change,
        condition,
    )
}

/// Takes of a count for a session that lives already.
pub fn hold_quota(
    what: &'static str,
    store: &DynamoStore,
    held: &Held,
) -> Result<TransactWriteItem, Fault> {
    let mut values = Condition::none()
        .value(":zero", number(0))
        .value(":amount", number(held.amount));
    let mut change = names::TAKE_TALLY;
    if let Some(at) = held.forgotten_at() {
        values = values.value(":expires", number(at.seconds()));
        change = names::TAKE_TALLY_FOR_A_TIME;
    }
    write::update(
        what,
        &store.tables.limits,
        key(names::ID, names::quota(&held.key)),
        change,
        values,
    )
}

/// Whether a count that refused a claim lacks sessions from before its limit was set.
pub fn lacks_sessions(
    what: &'static str,
    quota: &Quota,
    found: Option<&Item>,
) -> Result<bool, Fault> {
    let Some(since) = quota.counted_since else {
        return Ok(false);
    };
    let counted = match found {
        Some(row) => from_item::<QuotaRow>(what, row.clone())?.counted_since,
        None => None,
    };
    Ok(counted.is_none_or(|counted| counted < since))
}

/// Marks a quota as complete, unless it is marked for a later version.
pub async fn complete_quota(store: &DynamoStore, quota: &Quota) -> Result<(), Fault> {
    const WHAT: &str = "complete a count";
    let Some(since) = quota.counted_since else {
        return Ok(());
    };
    let is_older = Condition::when(names::TALLY_IS_OLDER)
        .value(":since", number(since))
        .value(":zero", number(0));
    let complete = write::update(
        WHAT,
        &store.tables.limits,
        key(names::ID, names::quota(&quota.key)),
        names::COMPLETE_TALLY,
        is_older,
    )?;
    // Refused where a later version has been counted already.
    _ = store.transact(WHAT, vec![complete]).await?;
    Ok(())
}

/// Gives back of a count, if so many are taken (the row of an hour may have been forgotten).
pub fn give_quota(
    what: &'static str,
    store: &DynamoStore,
    held: &Held,
) -> Result<TransactWriteItem, Fault> {
    let is_taken = Condition::when(names::TALLY_IS_TAKEN).value(":amount", number(held.amount));
    write::update(
        what,
        &store.tables.limits,
        key(names::ID, names::quota(&held.key)),
        names::GIVE_TALLY,
        is_taken,
    )
}

pub async fn scheduled_until(store: &DynamoStore) -> Result<Option<Timestamp>, Fault> {
    let row = store
        .get::<ScheduleRow>(
            "read how far the schedule is",
            &store.tables.limits,
            key(names::ID, names::SCHEDULE),
        )
        .await?;
    Ok(row.map(|row| row.scheduled_until))
}

pub async fn set_scheduled_until(store: &DynamoStore, until: Timestamp) -> Result<(), Fault> {
    const WHAT: &str = "note how far the schedule is";
    let is_before = Condition::when(names::IS_BEFORE).value(":until", number(until.millis()));
    let (table, row) = (&store.tables.limits, key(names::ID, names::SCHEDULE));
    // Refused where a sweep beside this one is further.
    _ = store
        .update(WHAT, table, row, names::SET_SCHEDULED, is_before)
        .await?;
    Ok(())
}

pub async fn take_turn(
    store: &DynamoStore,
    now: Timestamp,
    interval: u64,
) -> Result<Timestamp, Fault> {
    const WHAT: &str = "take a turn of the starts";
    /// Another call may give out the first turn, and all turns may pass, between two writes.
    const TRIES: u32 = 4;
    let turn = |change, condition: Condition| {
        let (table, row) = (&store.tables.limits, key(names::ID, names::STARTS));
        let condition = condition.value(":now", number(now.millis()));
        store.updated(WHAT, table, row, change, condition)
    };
    for _ in 0..TRIES {
        let ahead = Condition::when(names::TURN_IS_AHEAD).value(":interval", number(interval));
        if let Ok(row) = turn(names::NEXT_TURN, ahead).await? {
            return Ok(from_item::<StartsRow>(WHAT, row)?.last_turn);
        }
        let first = Timestamp::from_millis(now.millis().saturating_add_unsigned(interval));
        let past = Condition::when(names::TURN_IS_PAST).value(":first", number(first.millis()));
        if turn(names::FIRST_TURN, past).await?.is_ok() {
            return Ok(first);
        }
    }
    Err(Fault {
        kind: FaultKind::Contention,
        what: WHAT,
        detail: format!("{TRIES} tries"),
    })
}

/// Uses a proof up, if it has not been used.
pub fn use_proof(
    what: &'static str,
    store: &DynamoStore,
    proof: &Proof,
) -> Result<TransactWriteItem, Fault> {
    // Kept a little longer than it would be accepted: clocks differ.
    let row = ProofRow {
        id: names::proof(&proof.id),
        expires_at: proof.until.seconds() + 60,
    };
    write::put(
        what,
        &store.tables.limits,
        to_item(what, &row)?,
        Condition::when(names::IS_NEW),
    )
}
