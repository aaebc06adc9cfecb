//! Owns how rows are read: one by key, many by key, a range of an index. Must not know what the
//! rows mean.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Select};
use casting_core::ports::Fault;
use casting_core::queries::Counted;
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;

use crate::fault::{corrupt, incomplete};
use crate::names;
use crate::retry::{Batch, ConditionFailure, call};
use crate::rows::{Item, from_item, text};
use crate::store::DynamoStore;

/// DynamoDB returns at most so many rows by key at once.
const MAX_BATCH: usize = 100;
/// The longest page of a listing: its rows are read in batches, all at once.
const MAX_PAGE: u32 = 1000;

/// A range of a table or an index.
#[derive(Clone, Debug)]
pub struct QueryRange<'a> {
    pub table: &'a str,
    pub index: Option<&'static str>,
    pub of: &'static str,
    pub values: HashMap<String, AttributeValue>,
    pub newest_first: bool,
    /// Which of these rows are answered.
    pub filter: Option<&'static str>,
    /// The key after which it begins.
    pub after: Option<Item>,
    /// The rows that an index names may be a moment old, too, which costs half.
    pub lately: bool,
    /// Which attributes of the rows are read; `None` is all. `id` must be one.
    pub attributes: Option<Attributes>,
}

/// Paths of attributes, with dots between names.
pub type Attributes = &'static [&'static str];

impl<'a> QueryRange<'a> {
    /// The rows of `table` (or of its `index`) for which `of` holds, in order.
    pub fn new(table: &'a str, index: Option<&'static str>, of: &'static str) -> Self {
        Self {
            table,
            index,
            of,
            values: HashMap::new(),
            newest_first: false,
            filter: None,
            after: None,
            lately: false,
            attributes: None,
        }
    }

    /// `placeholder` stands for `value`.
    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }
}

impl DynamoStore {
    /// The row with this key, as it is now.
    pub(crate) async fn get<R: DeserializeOwned>(
        &self,
        what: &'static str,
        table: &str,
        key: Item,
    ) -> Result<Option<R>, Fault> {
        self.get_item(what, table, key)
            .await?
            .map(|item| from_item(what, item))
            .transpose()
    }

    /// The same, as DynamoDB has it.
    pub(crate) async fn get_item(
        &self,
        what: &'static str,
        table: &str,
        key: Item,
    ) -> Result<Option<Item>, Fault> {
        let request = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key))
            .consistent_read(true);
        let answer = call(what, || request.clone().send())
            .await?
            .map_err(unconditional(what))?;
        Ok(answer.item)
    }

    /// Which rows a range is.
    fn ask(&self, range: &QueryRange<'_>) -> QueryFluentBuilder {
        // Of an index only the keys are read, and the attributes with the rows.
        let of_table = range.attributes.filter(|_| range.index.is_none());
        let (projection, names) = of_table.map(projection).unzip();
        self.client
            .query()
            .table_name(range.table)
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_index_name(range.index.map(str::to_owned))
            .key_condition_expression(range.of)
            .set_filter_expression(range.filter.map(str::to_owned))
            .set_expression_attribute_values(Some(range.values.clone()))
    }

    /// How many rows a range has; counts `most` at most.
    pub(crate) async fn count(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        most: u32,
    ) -> Result<Counted, Fault> {
        let (mut found, mut after) = (0, range.after.clone());
        loop {
            let left = i32::try_from(most - found + 1).unwrap_or(i32::MAX);
            let request = self
                .ask(range)
                .select(Select::Count)
                .set_exclusive_start_key(after)
                .limit(left);
            let answer = call(what, || request.clone().send())
                .await?
                .map_err(unconditional(what))?;
            found += u32::try_from(answer.count).unwrap_or(0);
            after = answer.last_evaluated_key;
            if after.is_none() || found > most {
                return Ok(Counted {
                    count: u64::from(found.min(most)),
                    more: found > most,
                });
            }
        }
    }

    /// The first rows of a range, at most `limit` of them, and whether more follow.
    /// A table is read as it is now, an index as it was a moment ago.
    pub(crate) async fn query(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        limit: Option<u32>,
    ) -> Result<(Vec<Item>, bool), Fault> {
        let mut items = Vec::new();
        let mut after = range.after.clone();
        // One more than asked for, because DynamoDB names a next key even when nothing follows.
        let wanted = limit.map_or(usize::MAX, |limit| limit as usize + 1);
        loop {
            let request = self
                .ask(range)
                .scan_index_forward(!range.newest_first)
                .consistent_read(range.index.is_none())
                .set_exclusive_start_key(after)
                .set_limit(limit.map(|_| i32::try_from(wanted - items.len()).unwrap_or(i32::MAX)));
            let answer = call(what, || request.clone().send())
                .await?
                .map_err(unconditional(what))?;
            items.extend(answer.items.unwrap_or_default());
            after = answer.last_evaluated_key;
            if after.is_none() || items.len() >= wanted {
                break;
            }
        }
        let more = items.len() >= wanted;
        items.truncate(wanted.saturating_sub(1));
        Ok((items, more))
    }

    /// The rows that a range of a keys-only index names, in its order and as they are now; with the
    /// last key if more follow.
    pub(crate) async fn rows<R: DeserializeOwned>(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        limit: u32,
    ) -> Result<(Vec<R>, Option<Item>), Fault> {
        let (keys, more) = self.query(what, range, Some(page_size(limit))).await?;
        let next = if more { keys.last().cloned() } else { None };
        Ok((self.of_keys(what, range, keys).await?, next))
    }

    /// The rows of these keys as they are now, or lately. One that was deleted since the index was written is
    /// left out.
    async fn of_keys<R: DeserializeOwned>(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        keys: Vec<Item>,
    ) -> Result<Vec<R>, Fault> {
        let ids: Vec<AttributeValue> = keys
            .into_iter()
            .filter_map(|mut key| key.remove(names::ID))
            .collect();
        let mut found = self
            .read_all(what, range.table, &ids, (!range.lately, range.attributes))
            .await?;
        let rows = ids
            .iter()
            .filter_map(|id| found.remove(id.as_s().ok()?))
            .map(|item| from_item(what, item));
        rows.collect()
    }

    /// The first rows that the filter of a range of a keys-only index lets through: all of the first
    /// answer with any, as they are now. Gives up after so many answers.
    pub(crate) async fn first_rows<R: DeserializeOwned>(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        most_answers: u32,
    ) -> Result<Vec<R>, Fault> {
        let mut first = Vec::new();
        self.answers(what, range, most_answers, |keys| {
            first = keys;
            Ok(first.is_empty())
        })
        .await?;
        self.of_keys(what, range, first).await
    }

    /// Hands over the answers of a range, as it was a moment ago, one after the other, as long as
    /// `goes_on` says so. Gives up after so many.
    pub(crate) async fn answers(
        &self,
        what: &'static str,
        range: &QueryRange<'_>,
        most: u32,
        mut goes_on: impl FnMut(Vec<Item>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut after = range.after.clone();
        for _ in 0..most {
            let request = self
                .ask(range)
                .scan_index_forward(!range.newest_first)
                .set_exclusive_start_key(after);
            let answer = call(what, || request.clone().send())
                .await?
                .map_err(unconditional(what))?;
            after = answer.last_evaluated_key;
            if !goes_on(answer.items.unwrap_or_default())? || after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The rows with these ids, by id.
    pub(crate) async fn get_all(
        &self,
        what: &'static str,
        table: &str,
        ids: &[AttributeValue],
    ) -> Result<HashMap<String, Item>, Fault> {
        self.get_some(what, table, ids, None).await
    }

    /// The same with some attributes alone; `None` is all.
    pub(crate) async fn get_some(
        &self,
        what: &'static str,
        table: &str,
        ids: &[AttributeValue],
        attributes: Option<Attributes>,
    ) -> Result<HashMap<String, Item>, Fault> {
        self.read_all(what, table, ids, (true, attributes)).await
    }

    /// Some attributes of the rows with these ids, by id, as they were a moment ago. `id` must be one
    /// of them.
    pub(crate) async fn get_lately(
        &self,
        what: &'static str,
        table: &str,
        ids: &[AttributeValue],
        attributes: Attributes,
    ) -> Result<HashMap<String, Item>, Fault> {
        self.read_all(what, table, ids, (false, Some(attributes)))
            .await
    }

    /// Rows by id, in as many batches as it takes.
    async fn read_all(
        &self,
        what: &'static str,
        table: &str,
        ids: &[AttributeValue],
        how: (bool, Option<Attributes>),
    ) -> Result<HashMap<String, Item>, Fault> {
        let batches = ids.chunks(MAX_BATCH);
        let read = batches.map(|batch| self.read_batch(what, table, batch, how));
        let found = try_join_all(read).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn read_batch(
        &self,
        what: &'static str,
        table: &str,
        ids: &[AttributeValue],
        (as_now, attributes): (bool, Option<Attributes>),
    ) -> Result<HashMap<String, Item>, Fault> {
        let key = |id: &AttributeValue| Item::from([(names::ID.to_owned(), id.clone())]);
        let mut missing: Vec<Item> = ids.iter().map(key).collect();
        let mut found = HashMap::new();
        let mut batch = Batch::new(what);
        while !missing.is_empty() {
            let (projection, names) = attributes.map(projection).unzip();
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(missing))
                .consistent_read(as_now)
                .set_projection_expression(projection)
                .set_expression_attribute_names(names)
                .build()
                .map_err(incomplete(what))?;
            let request = self.client.batch_get_item().request_items(table, wanted);
            let answer = call(what, || request.clone().send())
                .await?
                .map_err(unconditional(what))?;
            for item in answer
                .responses
                .into_iter()
                .flat_map(HashMap::into_values)
                .flatten()
            {
                let id = item.get(names::ID).and_then(|id| id.as_s().ok()).cloned();
                found.insert(id.ok_or_else(|| corrupt(what, "a row without id"))?, item);
            }
            missing = answer
                .unprocessed_keys
                .into_iter()
                .flat_map(HashMap::into_values)
                .flat_map(|keys| keys.keys)
                .collect();
            if !missing.is_empty() {
                batch.again().await?;
            }
        }
        Ok(found)
    }
}

/// A projection of these attributes, with a placeholder for each name: many are reserved words.
fn projection(attributes: Attributes) -> (String, HashMap<String, String>) {
    let mut names = HashMap::new();
    let mut placeholder = |name: &str| {
        let placeholder = format!("#{name}");
        names.insert(placeholder.clone(), name.to_owned());
        placeholder
    };
    let paths = attributes.iter().map(|path| {
        let path: Vec<String> = path.split('.').map(&mut placeholder).collect();
        path.join(".")
    });
    let paths: Vec<String> = paths.collect();
    (paths.join(", "), names)
}

/// How long a page may be.
pub fn page_size(limit: u32) -> u32 {
    limit.clamp(1, MAX_PAGE)
}

/// The key at which rows of a kind go on after `id`, in a table or an index over kind and id.
pub fn after_id(kind: &str, id: &str) -> Item {
    [
        (names::KIND.to_owned(), text(kind)),
        (names::ID.to_owned(), text(id)),
    ]
    .into()
}

/// The fault of a read that was answered as only a conditional write can be.
fn unconditional(what: &'static str) -> impl Fn(ConditionFailure) -> Fault {
    move |_| corrupt(what, "a read was answered like a conditional write")
}
