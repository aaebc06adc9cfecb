//! Owns how rows are written: one conditional write, or several in one transaction. Must not know
//! what the rows mean.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, PutRequest, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update, WriteRequest,
};
use casting_core::ports::{Fault, Saved};

use crate::fault::{corrupt, incomplete};
use crate::retry::{Answer, Batch, ConditionFailure, call, call_once};
use crate::rows::Item;
use crate::store::DynamoStore;

/// DynamoDB takes at most so many rows in one batch.
const MAX_BATCH: usize = 25;

/// A condition, and what the placeholders in it (and in the change beside it) stand for.
#[derive(Clone, Default)]
pub struct Condition {
    expression: Option<&'static str>,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, AttributeValue>>,
}

impl Condition {
    /// Write in any case.
    pub fn none() -> Self {
        Self::default()
    }

    /// Write only if this holds.
    pub fn when(expression: &'static str) -> Self {
        Self {
            expression: Some(expression),
            ..Self::default()
        }
    }

    /// `placeholder` (`:x`) stands for `value`.
    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values
            .get_or_insert_default()
            .insert(placeholder.to_owned(), value);
        self
    }

    /// `placeholder` (`#x`) stands for the attribute `name`.
    pub fn name(mut self, placeholder: &str, name: &str) -> Self {
        self.names
            .get_or_insert_default()
            .insert(placeholder.to_owned(), name.to_owned());
        self
    }
}

/// The request with the condition; a failed condition shows the row that it failed on.
macro_rules! guarded {
    ($request:expr, $condition:expr) => {
        $request
            .set_return_values_on_condition_check_failure(
                $condition
                    .expression
                    .map(|_| ReturnValuesOnConditionCheckFailure::AllOld),
            )
            .set_condition_expression($condition.expression.map(str::to_owned))
            .set_expression_attribute_names($condition.names)
            .set_expression_attribute_values($condition.values)
    };
}

/// The result of a conditional write of one row.
pub enum Written {
    /// Written, by this call or by an earlier try whose answer was lost.
    Done,
    /// The condition failed on this row.
    Failed(Option<Item>),
}

impl From<Written> for Saved {
    fn from(written: Written) -> Self {
        match written {
            Written::Done => Self::Done,
            Written::Failed(_) => Self::Stale,
        }
    }
}

impl DynamoStore {
    /// Puts one row. If the condition fails on exactly the row that was to be put, after an answer
    /// was lost, then that was us.
    pub(crate) async fn put(
        &self,
        what: &'static str,
        table: &str,
        row: Item,
        condition: Condition,
    ) -> Result<Written, Fault> {
        let request = guarded!(
            self.client
                .put_item()
                .table_name(table)
                .set_item(Some(row.clone())),
            condition
        );
        Ok(match call(what, || request.clone().send()).await? {
            Ok(_) => Written::Done,
            Err(failure) if failure.after_loss && failure.failed(0) == Some(Some(&row)) => {
                Written::Done
            }
            Err(failure) => Written::Failed(failure.failed(0).flatten().cloned()),
        })
    }

    /// Changes one row. The change must be one that may be made twice.
    pub(crate) async fn update(
        &self,
        what: &'static str,
        table: &str,
        key: Item,
        change: &'static str,
        condition: Condition,
    ) -> Result<Written, Fault> {
        let updated = self.updated(what, table, key, change, condition).await?;
        Ok(updated.map_or_else(Written::Failed, |_| Written::Done))
    }

    /// The same; gives the values that were set, or the row that the condition failed on.
    pub(crate) async fn updated(
        &self,
        what: &'static str,
        table: &str,
        key: Item,
        change: &'static str,
        condition: Condition,
    ) -> Result<Result<Item, Option<Item>>, Fault> {
        let request = guarded!(
            self.client
                .update_item()
                .table_name(table)
                .set_key(Some(key))
                .return_values(ReturnValue::UpdatedNew)
                .update_expression(change),
            condition
        );
        let answer = call(what, || request.clone().send()).await?;
        Ok(answer
            .map(|output| output.attributes.unwrap_or_default())
            .map_err(|failure| failure.failed(0).flatten().cloned()))
    }

    /// Deletes one row. If there is none any more, after an answer was lost, then that was us.
    pub(crate) async fn delete(
        &self,
        what: &'static str,
        table: &str,
        key: Item,
        condition: Condition,
    ) -> Result<Written, Fault> {
        let request = guarded!(
            self.client
                .delete_item()
                .table_name(table)
                .set_key(Some(key)),
            condition
        );
        Ok(match call(what, || request.clone().send()).await? {
            Ok(_) => Written::Done,
            Err(failure) if failure.after_loss && failure.failed(0) == Some(None) => Written::Done,
            Err(failure) => Written::Failed(failure.failed(0).flatten().cloned()),
        })
    }

    /// Puts many rows, each for itself, over whatever is there. All of them are written when this
    /// returns without a fault; else it can be called again.
    pub(crate) async fn put_all(
        &self,
        what: &'static str,
        table: &str,
        rows: Vec<Item>,
    ) -> Result<(), Fault> {
        for rows in rows.chunks(MAX_BATCH) {
            let put = |row: &Item| {
                Ok(WriteRequest::builder()
                    .put_request(
                        PutRequest::builder()
                            .set_item(Some(row.clone()))
                            .build()
                            .map_err(incomplete(what))?,
                    )
                    .build())
            };
            let mut left: Vec<WriteRequest> = rows.iter().map(put).collect::<Result<_, Fault>>()?;
            let mut batch = Batch::new(what);
            loop {
                let request = self.client.batch_write_item().request_items(table, left);
                let answer = call(what, || request.clone().send())
                    .await?
                    .map_err(|_| corrupt(what, "a batch was answered like a conditional write"))?;
                left = answer
                    .unprocessed_items
                    .into_iter()
                    .flat_map(HashMap::into_values)
                    .flatten()
                    .collect();
                if left.is_empty() {
                    break;
                }
                batch.again().await?;
            }
        }
        Ok(())
    }

    /// Writes all parts or none. The token makes every repetition the same transaction, so a lost
    /// answer never writes twice, and our own write never stands in our way.
    pub(crate) async fn transact(
        &self,
        what: &'static str,
        parts: Vec<TransactWriteItem>,
    ) -> Result<Result<(), ConditionFailure>, Fault> {
        let request = self.transaction(parts);
        Ok(call(what, || request.clone().send()).await?.map(|_| ()))
    }

    /// The same, and does not wait where others are in the way.
    pub(crate) async fn transact_once(
        &self,
        what: &'static str,
        parts: Vec<TransactWriteItem>,
    ) -> Result<Answer<()>, Fault> {
        let request = self.transaction(parts);
        Ok(match call_once(what, || request.clone().send()).await? {
            Answer::Done(_) => Answer::Done(()),
            Answer::Failed(failure) => Answer::Failed(failure),
            Answer::Busy(parts) => Answer::Busy(parts),
        })
    }

    fn transaction(&self, parts: Vec<TransactWriteItem>) -> TransactWriteItemsFluentBuilder {
        let token = format!("{:032x}", fastrand::u128(..));
        self.client
            .transact_write_items()
            .set_transact_items(Some(parts))
            .client_request_token(token)
    }
}

/// A part that puts a row.
pub fn put(
    what: &'static str,
    table: &str,
    row: Item,
    condition: Condition,
) -> Result<TransactWriteItem, Fault> {
    let put = guarded!(
        Put::builder().table_name(table).set_item(Some(row)),
        condition
    )
    .build()
    .map_err(incomplete(what))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// A part that changes a row.
pub fn update(
    what: &'static str,
    table: &str,
    key: Item,
    change: &'static str,
    condition: Condition,
) -> Result<TransactWriteItem, Fault> {
    let update = guarded!(
        Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(change),
        condition
    )
    .build()
    .map_err(incomplete(what))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// A part that deletes a row.
pub fn delete(
    what: &'static str,
    table: &str,
    key: Item,
    condition: Condition,
) -> Result<TransactWriteItem, Fault> {
    let delete = guarded!(
        Delete::builder().table_name(table).set_key(Some(key)),
        condition
    )
    .build()
    .map_err(incomplete(what))?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// A part that only looks at a row.
pub fn check(
    what: &'static str,
    table: &str,
    key: Item,
    condition: Condition,
) -> Result<TransactWriteItem, Fault> {
    let check = guarded!(
        ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key)),
        condition
    )
    .build()
    .map_err(incomplete(what))?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}
