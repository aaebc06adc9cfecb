//! Owns the connection from the AWS SDK clients to their services without a socket: real requests and real
//! answers, in this very task, so that a paused clock, a dropped future and a seed decide
//! everything that happens.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use casting_local::{database, in_process};
use dynoxide::Database;
use serde_json::Value;

use crate::faults::{CallFault, Spent, fault_of_next_call, is_metered, spend};
use crate::row_limits::RowLimits;

/// A service that is called.
#[derive(Clone)]
pub enum Wire {
    /// The embedded DynamoDB, behind limits if it is to have any.
    Dynamo(Database, Option<Arc<RowLimits>>),
    /// Any HTTP service, such as the local ECS endpoint.
    Service(Router),
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = in_process::operation(&request).to_owned();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            match fault_of_next_call(&operation).await {
                CallFault::Pass => wire.answer(&operation, request, body).await,
                CallFault::Refused(refusal) => reply(400, &refusal),
                CallFault::LostBefore => Err(lost()),
                CallFault::LostAfter => {
                    let _ = wire.answer(&operation, request, body).await;
                    Err(lost())
                }
                CallFault::CrashBefore => crash().await,
                CallFault::CrashAfter => {
                    let _ = wire.answer(&operation, request, body).await;
                    crash().await
                }
            }
        })
    }
}

/// The process is gone: the waiting call is dropped.
async fn crash() -> Result<HttpResponse, ConnectorError> {
    crate::faults::signal_crash();
    std::future::pending().await
}

fn lost() -> ConnectorError {
    ConnectorError::timeout("the answer was lost".into())
}

fn reply(status: u16, body: &str) -> Result<HttpResponse, ConnectorError> {
    in_process::response(status, SdkBody::from(body))
}

impl Wire {
    async fn answer(
        &self,
        operation: &str,
        request: HttpRequest,
        body: Vec<u8>,
    ) -> Result<HttpResponse, ConnectorError> {
        match self {
            Self::Dynamo(database, Some(capacity)) => {
                let (status, body) = capacity.ask(database, operation, &body).await;
                reply(status, &body)
            }
            Self::Dynamo(database, None) => {
                if is_metered() {
                    metered(database, operation, &body)
                } else {
                    ask(database, operation, &body)
                }
            }
            Self::Service(router) => in_process::call_router(router.clone(), &request).await,
        }
    }
}

fn ask(database: &Database, operation: &str, body: &[u8]) -> Result<HttpResponse, ConnectorError> {
    let (status, body) = database::ask(database, operation, body);
    reply(status, &body)
}

/// The same, and DynamoDB says with it what it costs.
fn metered(
    database: &Database,
    operation: &str,
    body: &[u8],
) -> Result<HttpResponse, ConnectorError> {
    let mut request: Value = serde_json::from_slice(body).unwrap_or_default();
    request["ReturnConsumedCapacity"] = "TOTAL".into();
    let (status, body) = database::ask(database, operation, request.to_string().as_bytes());
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let of_tables = match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().collect(),
        one => vec![one],
    };
    let units = of_tables
        .iter()
        .filter_map(|table| table["CapacityUnits"].as_f64())
        .sum();
    let reads = matches!(operation, "GetItem" | "BatchGetItem" | "Query");
    spend(if reads {
        Spent {
            reads: units,
            writes: 0.0,
        }
    } else {
        Spent {
            reads: 0.0,
            writes: units,
        }
    });
    reply(status, &body)
}

/// A refusal as DynamoDB words it.
pub fn refusal(kind: &str, message: &str) -> String {
    serde_json::json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message, "Message": message }).to_string()
}

/// A cancelled transaction as DynamoDB words it when `parts` actions were in it and all of them met
/// another transaction.
pub fn conflict(parts: usize) -> String {
    cancelled(&vec![Some("TransactionConflict"); parts])
}

/// A cancelled transaction as DynamoDB words it, with the reason of each of its actions.
pub fn cancelled(reasons: &[Option<&str>]) -> String {
    let codes: Vec<&str> = reasons.iter().map(|code| code.unwrap_or("None")).collect();
    let reasons: Vec<Value> = codes
        .iter()
        .map(|code| serde_json::json!({ "Code": code }))
        .collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    serde_json::json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": message,
        "Message": message,
        "CancellationReasons": reasons,
    })
    .to_string()
}
