//! Owns the limits that DynamoDB has and the embedded one lacks, as far as they decide how a crowd
//! fares. What is modelled: every call takes its time on the wire; a transaction holds its rows for a
//! while, and another write of one of them meanwhile is refused as a conflict instead of waiting; one
//! row takes 1,000 units of writing a second, and so does, if wanted, one partition of an index. What
//! is not: partitions of tables, their limits of reading, and how partitions are split under load.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use casting_dynamo::schema::{TABLES, TableSchema};
use casting_local::database;
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::wire;

/// Units of writing that one row, or one partition of an index, takes in a second.
const UNITS: u64 = 1000;

/// The limits, and what is under way.
#[derive(Debug)]
pub struct RowLimits {
    /// How long a transaction holds its rows.
    pub hold: Duration,
    /// How long a request takes on the wire, and an answer.
    pub trip: Duration,
    /// Whether partitions of indexes have limits too.
    pub has_index_limits: bool,
    rows: Mutex<HashMap<String, Row>>,
}

#[derive(Debug, Default)]
struct Row {
    is_held: bool,
    second: Option<Instant>,
    units: u64,
}

/// One row that a request writes.
struct Write {
    row: String,
    /// What it writes to, and how many units.
    units: Vec<(String, u64)>,
}

impl RowLimits {
    /// Limits under which nothing is under way.
    pub fn new(hold: Duration, trip: Duration, has_index_limits: bool) -> Self {
        Self {
            hold,
            trip,
            has_index_limits,
            rows: Mutex::default(),
        }
    }

    /// Asks the database as far as the limits let it.
    pub(crate) async fn ask(
        &self,
        database: &Database,
        operation: &str,
        body: &[u8],
    ) -> (u16, String) {
        sleep(self.trip).await;
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer = match operation {
            "TransactWriteItems" => self.transact(database, operation, body, &request).await,
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                let write = self.write_of(&request, 1);
                match self.admit(std::slice::from_ref(&write)).remove(0) {
                    None => database::ask(database, operation, body),
                    Some(CONFLICT) => refused("TransactionConflictException"),
                    Some(_) => refused("ThrottlingException"),
                }
            }
            _ => database::ask(database, operation, body),
        };
        sleep(self.trip).await;
        answer
    }

    async fn transact(
        &self,
        database: &Database,
        operation: &str,
        body: &[u8],
        request: &Value,
    ) -> (u16, String) {
        let parts = request["TransactItems"].as_array();
        let parts = parts.into_iter().flatten().filter_map(Value::as_object);
        let writes: Vec<Write> = parts
            .filter_map(|part| part.values().next())
            .map(|part| self.write_of(part, 2))
            .collect();
        let reasons = self.admit(&writes);
        if reasons.iter().any(Option::is_some) {
            return (400, wire::cancelled(&reasons));
        }
        self.hold(&writes, true);
        sleep(self.hold).await;
        let answer = database::ask(database, operation, body);
        self.hold(&writes, false);
        answer
    }

    /// Charges all writes, or says of each why it cannot be done now.
    fn admit(&self, writes: &[Write]) -> Vec<Option<&'static str>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut reasons = Vec::new();
        for write in writes {
            let mut reason = rows
                .get(&write.row)
                .filter(|row| row.is_held)
                .map(|_| CONFLICT);
            for (name, units) in &write.units {
                let row = rows.entry(name.clone()).or_default();
                let is_new = row
                    .second
                    .is_none_or(|second| now - second >= Duration::from_secs(1));
                if is_new {
                    (row.second, row.units) = (Some(now), 0);
                }
                if row.units + units > UNITS {
                    reason = reason.or(Some(THROTTLED));
                }
            }
            reasons.push(reason);
        }
        if reasons.iter().all(Option::is_none) {
            for (name, units) in writes.iter().flat_map(|write| &write.units) {
                rows.entry(name.clone()).or_default().units += units;
            }
        }
        reasons
    }

    fn hold(&self, writes: &[Write], is_held: bool) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            rows.entry(write.row.clone()).or_default().is_held = is_held;
        }
    }

    /// The row of one write, and what it charges: `factor` times its size in KiB.
    fn write_of(&self, part: &Value, factor: u64) -> Write {
        let table = part["TableName"].as_str().unwrap_or_default();
        let schema = TABLES.iter().find(|schema| table.ends_with(schema.name));
        let item = &part["Item"];
        let key = if item.is_null() { &part["Key"] } else { item };
        let names = schema.map(|schema| [Some(schema.key.partition), schema.key.sort]);
        let key: BTreeMap<&str, &Value> = names
            .into_iter()
            .flatten()
            .flatten()
            .map(|attribute| (attribute.name, &key[attribute.name]))
            .collect();
        let row = format!("{table} {}", json!(key));
        let size = item.to_string().len() as u64;
        let mut units = vec![(row.clone(), factor * size.div_ceil(1024).max(1))];
        if self.has_index_limits {
            units.extend(
                schema
                    .into_iter()
                    .flat_map(|schema| of_indexes(schema, item)),
            );
        }
        Write { row, units }
    }
}

/// A unit for each partition of an index that the row stands in.
fn of_indexes(schema: &TableSchema, item: &Value) -> Vec<(String, u64)> {
    let indexes = schema.indexes.iter().filter_map(|index| {
        let value = item.get(index.key.partition.name)?;
        Some((format!("{} {} {value}", schema.name, index.name), 1))
    });
    indexes.collect()
}

const CONFLICT: &str = "TransactionConflict";
const THROTTLED: &str = "ThrottlingError";

fn refused(kind: &str) -> (u16, String) {
    (400, wire::refusal(kind, "too many at once"))
}
