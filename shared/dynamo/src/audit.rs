//! Owns the rows of table `audit`: entries that are only ever added. Must not know what they tell
//! of.

use aws_sdk_dynamodb::types::TransactWriteItem;
use casting_core::audit::{Audit, AuditId};
use casting_core::ports::{Fault, Page};

use crate::fault::refused;
use crate::names;
use crate::read::{QueryRange, after_id, page_size};
use crate::rows::{AuditRow, from_item, text, to_item};
use crate::store::DynamoStore;
use crate::write::{self, Condition};

/// The part of a transaction that adds the entry.
pub fn part(
    what: &'static str,
    store: &DynamoStore,
    audit: &Audit,
) -> Result<TransactWriteItem, Fault> {
    let row = to_item(what, &AuditRow::new(what, audit)?)?;
    write::put(
        what,
        &store.tables.audit,
        row,
        Condition::when(names::IS_NEW),
    )
}

pub async fn add(store: &DynamoStore, audit: &Audit) -> Result<(), Fault> {
    const WHAT: &str = "add an audit entry";
    store
        .put(
            WHAT,
            &store.tables.audit,
            to_item(WHAT, &AuditRow::new(WHAT, audit)?)?,
            Condition::when(names::IS_NEW),
        )
        .await?;
    Ok(())
}

pub async fn by_id(store: &DynamoStore, id: &AuditId) -> Result<Option<Audit>, Fault> {
    const WHAT: &str = "read an audit entry";
    let row = store
        .get::<AuditRow>(
            WHAT,
            &store.tables.audit,
            after_id(names::AUDIT, id.as_str()),
        )
        .await?;
    row.map(|row| row.into_audit(WHAT)).transpose()
}

pub async fn page(
    store: &DynamoStore,
    target: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Audit>, Fault> {
    const WHAT: &str = "list audit entries";
    let table = &store.tables.audit;
    let mut range = match target {
        None => QueryRange::new(table, None, names::OF_KIND).value(":kind", text(names::AUDIT)),
        Some(target) => QueryRange::new(table, Some(names::BY_TARGET), names::OF_TARGET)
            .value(":target", text(target)),
    };
    range.newest_first = true;
    if let Some(after) = after {
        let id = AuditId::parse(after).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        let mut start = after_id(names::AUDIT, id.as_str());
        start.extend(target.map(|target| (names::TARGET.to_owned(), text(target))));
        range.after = Some(start);
    }
    let (items, more) = store.query(WHAT, &range, Some(page_size(limit))).await?;
    let entry = |item| from_item::<AuditRow>(WHAT, item)?.into_audit(WHAT);
    let items = items
        .into_iter()
        .map(entry)
        .collect::<Result<Vec<Audit>, Fault>>()?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|audit| audit.id.to_string());
    Ok(Page { items, next })
}
