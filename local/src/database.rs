//! Owns the embedded DynamoDB: DynamoDB's API over a database file, on a thread of its own because
//! its SQL is synchronous. It has no port. Must not know our tables.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use dynoxide::Database;
use tokio::sync::{mpsc, oneshot};

/// The shortest time between two sweeps of expired rows.
const TTL_PAUSE: Duration = Duration::from_secs(60);
/// A sweep reads every row, so it pauses this many times as long as it took.
const TTL_REST: u32 = 30;
/// How many calls may wait for the database; further callers wait to enqueue theirs.
const QUEUE: usize = 256;

/// A running database.
#[derive(Debug)]
pub struct Endpoint {
    api: DynamoDb,
    thread: JoinHandle<()>,
    sweeper: tokio::task::JoinHandle<()>,
}

/// DynamoDB's API on the database; clones share it.
#[derive(Clone, Debug)]
pub struct DynamoDb(mpsc::Sender<Job>);

#[derive(Debug)]
enum Job {
    Call {
        operation: String,
        body: Bytes,
        reply: oneshot::Sender<(u16, String)>,
    },
    Stop,
}

impl Endpoint {
    /// Opens the database in `file`, or in memory. Must be called within a runtime.
    ///
    /// # Errors
    /// When the file is no database or cannot be written.
    pub fn start(file: Option<&Path>) -> Result<Self> {
        let database = match file {
            Some(file) => {
                let text = file
                    .to_str()
                    .ok_or_else(|| anyhow!("The path {} is not plain text.", file.display()))?;
                Database::new(text).map_err(|error| {
                    anyhow!(
                        "Cannot open the database {text}: {error:?}. Move it away, or start \
                             with --reset."
                    )
                })?
            }
            None => Database::memory()
                .map_err(|error| anyhow!("Cannot open a database in memory: {error:?}."))?,
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let sweeper = tokio::spawn(sweep(database.clone()));
        let thread = std::thread::Builder::new()
            .name("dynamodb".into())
            .spawn(move || work(&database, queue))
            .context("Cannot start a thread for the database.")?;
        Ok(Self {
            api: DynamoDb(jobs),
            thread,
            sweeper,
        })
    }

    /// The API.
    pub fn api(&self) -> DynamoDb {
        self.api.clone()
    }

    /// Answers the calls that are enqueued, then closes the file.
    pub async fn stop(self) {
        self.sweeper.abort();
        let _ = self.api.0.send(Job::Stop).await;
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn work(database: &Database, mut queue: mpsc::Receiver<Job>) {
    while let Some(Job::Call {
        operation,
        body,
        reply,
    }) = queue.blocking_recv()
    {
        // A caller that is gone has no use for the answer; the call took effect all the same.
        let _ = reply.send(ask(database, &operation, &body));
    }
}

impl DynamoDb {
    /// One call: its status and its body. `None` when the database is closed.
    pub async fn call(&self, operation: &str, body: Bytes) -> Option<(u16, String)> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Call {
            operation: operation.to_owned(),
            body,
            reply,
        };
        self.0.send(job).await.ok()?;
        answer.await.ok()
    }

    /// The API as an HTTP service, for programs outside of this process: every call is a POST to
    /// `/`.
    pub fn router(&self) -> Router {
        let api = self.clone();
        Router::new().route(
            "/",
            post(async move |headers: HeaderMap, body: Bytes| api.serve(&headers, body).await),
        )
    }

    async fn serve(&self, headers: &HeaderMap, body: Bytes) -> Response {
        let target = headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.split_once('.'));
        let (_, operation) = operation.unwrap_or_default();
        match self.call(operation, body).await {
            Some((status, body)) => (
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                [(header::CONTENT_TYPE, CONTENT_TYPE)],
                body,
            )
                .into_response(),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

/// The content type of DynamoDB's answers.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// One call of DynamoDB's API on `database`: its status and its body.
pub fn ask(database: &Database, operation: &str, body: &[u8]) -> (u16, String) {
    macro_rules! dispatch {
        ($($name:literal => $method:ident),* $(,)?) => {
            match operation {
                $($name => match serde_json::from_slice(body) {
                    Ok(request) => answer(database.$method(request)),
                    Err(error) => refusal("SerializationException", &error.to_string()),
                },)*
                other => refusal("UnknownOperationException", other),
            }
        };
    }
    dispatch! {
        "CreateTable" => create_table, "DescribeTable" => describe_table,
        "UpdateTimeToLive" => update_time_to_live, "DescribeTimeToLive" => describe_time_to_live,
        "PutItem" => put_item, "GetItem" => get_item, "DeleteItem" => delete_item,
        "UpdateItem" => update_item, "Query" => query, "Scan" => scan,
        "TransactWriteItems" => transact_write_items, "TransactGetItems" => transact_get_items,
        "BatchWriteItem" => batch_write_item, "BatchGetItem" => batch_get_item,
    }
}

fn answer<T: serde::Serialize>(result: dynoxide::Result<T>) -> (u16, String) {
    let result = result.map(|value| serde_json::to_string(&value));
    match result {
        Ok(Ok(text)) => (200, text),
        Ok(Err(error)) => refusal("InternalServerError", &error.to_string()),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn refusal(kind: &str, message: &str) -> (u16, String) {
    let body = serde_json::json!({ "__type": kind, "message": message });
    (400, body.to_string())
}

/// DynamoDB deletes expired rows by itself; the embedded one does on request. Calls are answered
/// meanwhile: a sweep works on a thread of its own, a few rows at a time.
async fn sweep(database: Database) {
    loop {
        let (began, database) = (Instant::now(), database.clone());
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "Could not delete expired rows"),
            Err(error) => tracing::error!(%error, "The sweep of expired rows failed"),
        }
        tokio::time::sleep(TTL_PAUSE.max(began.elapsed() * TTL_REST)).await;
    }
}
