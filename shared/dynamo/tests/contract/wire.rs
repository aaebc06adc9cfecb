//! Owns the wire between the SDK and a DynamoDB on plain HTTP, and what goes wrong on it. Must not
//! know the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector as Tcp};
use hyper_util::rt::TokioExecutor;

/// What goes wrong: a share of calls (0 to 1) for each kind of trouble, and the very next calls in
/// a given way.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Done, but the answer never arrives.
    pub lose_answer: f64,
    /// Never arrives.
    pub lose_request: f64,
    /// A transaction that meets another one (calls that write only).
    pub conflict: f64,
    /// Too many calls.
    pub throttle: f64,
    /// What happens to the next calls that write, the last one first.
    pub next_writes: Arc<Mutex<Vec<InjectedFault>>>,
    /// How many calls were made.
    pub calls: Arc<AtomicU32>,
    /// How often each request was lost by chance.
    pub lost: Arc<Mutex<HashMap<Vec<u8>, u32>>>,
}

/// A request is lost by chance no oftener than this: fewer times than the store tries.
const MOST_LOST: u32 = 4;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    LoseAnswer,
    LoseRequest,
    Conflict,
    Throttle,
    Refuse,
    InternalError,
}

/// An HTTP client for the SDK.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client<Tcp, SdkBody>,
    plan: Plan,
}

impl Wire {
    pub fn new(plan: Plan) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            plan,
        }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        self.plan.calls.fetch_add(1, Ordering::SeqCst);
        let operation = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.split('.').nth(1))
            .unwrap_or_default()
            .to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let injected_fault = self.plan.injected_fault(&operation, body);
        match injected_fault {
            Some(InjectedFault::LoseRequest) => return Err(lost()),
            Some(InjectedFault::Conflict) => return Ok(conflict(&operation, request.body())),
            Some(InjectedFault::Throttle) => return Ok(error(400, "ThrottlingException", "")),
            Some(InjectedFault::Refuse) => return Ok(error(400, "AccessDeniedException", "")),
            Some(InjectedFault::InternalError) => return Ok(error(500, "InternalServerError", "")),
            Some(InjectedFault::LoseAnswer) | None => {}
        }
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| ConnectorError::io(error.into()))?;
        let (parts, body) = answer.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| ConnectorError::io(error.into()))?
            .to_bytes();
        if injected_fault == Some(InjectedFault::LoseAnswer) {
            return Err(lost());
        }
        HttpResponse::try_from(http::Response::from_parts(parts, SdkBody::from(body)))
            .map_err(|error| ConnectorError::user(error.into()))
    }
}

impl Plan {
    /// These troubles, in this order, for the next calls that write.
    pub fn next(injected: &[InjectedFault]) -> Self {
        Self {
            next_writes: Arc::new(Mutex::new(injected.iter().rev().copied().collect())),
            ..Self::default()
        }
    }

    fn injected_fault(&self, operation: &str, body: &[u8]) -> Option<InjectedFault> {
        let writes = matches!(operation, "PutItem" | "DeleteItem" | "TransactWriteItems");
        if writes && let Some(injected_fault) = self.next_writes.lock().expect("not poisoned").pop()
        {
            return Some(injected_fault);
        }
        let mut dice = fastrand::f64();
        let shares = [
            (self.lose_answer, InjectedFault::LoseAnswer),
            (self.lose_request, InjectedFault::LoseRequest),
            (self.throttle, InjectedFault::Throttle),
            (
                if writes { self.conflict } else { 0.0 },
                InjectedFault::Conflict,
            ),
        ];
        for (share, injected_fault) in shares {
            if dice < share {
                return Some(injected_fault).filter(|fault| self.may_happen(*fault, body));
            }
            dice -= share;
        }
        None
    }
}

impl Plan {
    fn may_happen(&self, injected_fault: InjectedFault, body: &[u8]) -> bool {
        if !matches!(
            injected_fault,
            InjectedFault::LoseAnswer | InjectedFault::LoseRequest
        ) {
            return true;
        }
        let mut lost = self.lost.lock().expect("not poisoned");
        let times = lost.entry(body.to_vec()).or_default();
        *times += 1;
        *times <= MOST_LOST
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
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

fn lost() -> ConnectorError {
    ConnectorError::timeout("the answer was lost".into())
}

/// What DynamoDB answers when another transaction is at one of the rows: here always at the last of
/// them.
fn conflict(operation: &str, body: &SdkBody) -> HttpResponse {
    if operation != "TransactWriteItems" {
        return error(400, "TransactionConflictException", "");
    }
    let body = String::from_utf8_lossy(body.bytes().unwrap_or_default()).into_owned();
    let parts = ["\"Put\"", "\"Update\"", "\"Delete\"", "\"ConditionCheck\""]
        .map(|part| body.matches(part).count())
        .iter()
        .sum::<usize>();
    let mut reasons = vec![r#"{"Code":"None"}"#; parts.saturating_sub(1)];
    reasons.push(r#"{"Code":"TransactionConflict"}"#);
    error(
        400,
        "TransactionCanceledException",
        &format!(r#","CancellationReasons":[{}]"#, reasons.join(",")),
    )
}

fn error(status: u16, code: &str, more: &str) -> HttpResponse {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"planned"{more}}}"#
    );
    let answer = http::Response::builder()
        .status(status)
        .body(SdkBody::from(body))
        .expect("an answer");
    HttpResponse::try_from(answer).expect("an answer for the SDK")
}
