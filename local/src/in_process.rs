//! Owns the transport from the AWS SDK clients to the DynamoDB and ECS of this process: the real
//! requests and responses of the SDK, without a socket, so that nothing outside can call them.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, Bytes};
use tower::ServiceExt;

use crate::database::{self, DynamoDb};

/// DynamoDB's endpoint URL. The name can never be resolved (RFC 2606).
pub const DYNAMODB_URL: &str = "http://dynamodb.invalid";
/// ECS's endpoint URL.
pub const ECS_URL: &str = "http://ecs.invalid";

/// The largest answer that is read, in bytes: more than any of the two services sends.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// The services of this process.
#[derive(Clone, Debug)]
pub struct InProcess {
    /// Answers requests for [`DYNAMODB_URL`].
    pub dynamodb: DynamoDb,
    /// Answers requests for [`ECS_URL`].
    pub ecs: Router,
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let services = self.clone();
        HttpConnectorFuture::new(async move {
            if request.uri().starts_with(DYNAMODB_URL) {
                call_dynamodb(&services.dynamodb, &request).await
            } else if request.uri().starts_with(ECS_URL) {
                call_router(services.ecs, &request).await
            } else {
                let what = format!("{} is no service of this process", request.uri());
                Err(ConnectorError::user(what.into()))
            }
        })
    }
}

/// The operation that a request asks for.
pub fn operation(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target");
    target
        .and_then(|target| target.split_once('.'))
        .map_or("", |(_, operation)| operation)
}

async fn call_dynamodb(
    api: &DynamoDb,
    request: &HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
    let (status, body) = api
        .call(operation(request), body)
        .await
        .ok_or_else(|| ConnectorError::io("the database is closed".into()))?;
    response(status, SdkBody::from(body))
}

/// Calls an HTTP service such as the ECS endpoint.
///
/// # Errors
/// When the request or the answer is no HTTP.
pub async fn call_router(
    router: Router,
    request: &HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
    let mut forwarded = http::Request::builder().method("POST").uri("/");
    for (name, value) in request.headers() {
        forwarded = forwarded.header(name, value);
    }
    let forwarded = forwarded
        .body(Body::from(body))
        .map_err(|error| ConnectorError::user(error.into()))?;
    let answer = router
        .oneshot(forwarded)
        .await
        .map_err(|never| match never {})?;
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), LARGEST_ANSWER)
        .await
        .map_err(|error| ConnectorError::io(error.into()))?;
    response(status, SdkBody::from(bytes))
}

/// An answer with this status and body.
///
/// # Errors
/// When the status is none.
pub fn response(status: u16, body: SdkBody) -> Result<HttpResponse, ConnectorError> {
    let response = http::Response::builder()
        .status(status)
        .header("content-type", database::CONTENT_TYPE)
        .body(body)
        .map_err(|error| ConnectorError::user(error.into()))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
}
