//! Owns the wire: `application/x-amz-json-1.1` over POST, the operation in a header, errors by
//! name. Must not know what an operation does.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::task_store::TaskStore;
use super::{definitions, describe, run_task};

/// The prefix of every operation's name.
const PREFIX: &str = "AmazonEC2ContainerServiceV20141113.";

/// A refusal in ECS's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    resource_ids: Option<Vec<String>>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            resource_ids: None,
        }
    }

    pub(super) fn client(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ClientException", message)
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameterException",
            message,
        )
    }

    pub(super) fn cluster() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ClusterNotFoundException",
            "Cluster not found.",
        )
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    pub(super) fn throttling() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ThrottlingException",
            "Rate exceeded",
        )
    }

    pub(super) fn server() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServerException",
            "Service Unavailable. Please try again later.",
        )
    }

    /// The client token stands for these tasks, which were asked for with other parameters.
    pub(super) fn conflict(arns: Vec<String>) -> Self {
        let message = "The client token was used before with other parameters.";
        Self {
            resource_ids: Some(arns),
            ..Self::new(StatusCode::BAD_REQUEST, "ConflictException", message)
        }
    }

    /// Reads a request.
    pub(super) fn read<T: DeserializeOwned>(body: Value) -> Result<T, Self> {
        serde_json::from_value(body).map_err(|error| Self::serialization(error.to_string()))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "__type": self.code, "message": self.message });
        if let Some(arns) = self.resource_ids {
            body["resourceIds"] = json!(arns);
        }
        answer(self.status, &body)
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
        body.to_string(),
    )
        .into_response()
}

/// The endpoint.
pub(super) fn router(store: Arc<TaskStore>) -> Router {
    Router::new().route("/", post(serve)).with_state(store)
}

async fn serve(State(store): State<Arc<TaskStore>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.strip_prefix(PREFIX));
    let result = match serde_json::from_slice(&body) {
        Ok(body) => call(&store, operation.unwrap_or_default(), body),
        Err(error) => Err(ApiError::serialization(error.to_string())),
    };
    match result {
        Ok(body) => answer(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    }
}

fn call(store: &Arc<TaskStore>, operation: &str, body: Value) -> Result<Value, ApiError> {
    match operation {
        "RunTask" => run_task::run(store, &body),
        "StopTask" => describe::stop(store, body),
        "DescribeTasks" => describe::describe(store, body),
        "ListTasks" => describe::list(store, body),
        "DescribeClusters" => describe::describe_clusters(store, body),
        "RegisterTaskDefinition" => definitions::register(store, body),
        "DescribeTaskDefinition" => definitions::describe(store, &body),
        "DeregisterTaskDefinition" => definitions::deregister(store, &body),
        other => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            format!("This endpoint has no {other:?}."),
        )),
    }
}
