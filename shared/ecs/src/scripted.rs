//! Owns a scripted ECS endpoint for tests, behind the real client. Must not know what ECS would do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_ecs::config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::{Capacity, EcsLauncher, EcsSettings, LogSettings};

/// One answer.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Status and body.
    Body(u16, Value),
    /// The connection breaks.
    Lost,
    /// Nothing, ever.
    Silence,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Body(200, body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Body(status, json!({}))
    }

    pub(crate) fn error(code: &str, message: &str, mut fields: Value) -> Self {
        fields["__type"] = json!(code);
        fields["message"] = json!(message);
        Self::Body(400, fields)
    }
}

/// What is answered next, and what was asked.
#[derive(Debug)]
pub(crate) struct Script {
    replies: Mutex<VecDeque<Reply>>,
    calls: Mutex<Vec<(String, String)>>,
}

impl Script {
    /// The calls so far: operation and body.
    pub(crate) fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap().clone()
    }
}

#[derive(Clone, Debug)]
struct Scripted(Arc<Script>);

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").unwrap().to_owned();
        let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
        self.0.calls.lock().unwrap().push((operation, body));
        match self.0.replies.lock().unwrap().pop_front() {
            Some(Reply::Body(status, body)) => {
                let response = http::Response::builder()
                    .status(status)
                    .body(SdkBody::from(body.to_string()))
                    .unwrap();
                HttpConnectorFuture::ready(Ok(response.try_into().unwrap()))
            }
            Some(Reply::Silence) => HttpConnectorFuture::new(std::future::pending()),
            Some(Reply::Lost) | None => {
                HttpConnectorFuture::ready(Err(ConnectorError::io("the connection broke".into())))
            }
        }
    }
}

/// A launcher whose calls get these answers, in this order.
pub(crate) fn launcher(replies: Vec<Reply>) -> (EcsLauncher, Arc<Script>) {
    let script = Arc::new(Script {
        replies: Mutex::new(replies.into()),
        calls: Mutex::default(),
    });
    let connector = SharedHttpConnector::new(Scripted(Arc::clone(&script)));
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url("http://ecs.test")
        .credentials_provider(Credentials::from_keys("key", "secret", None))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let settings = EcsSettings {
        cluster: "casting".into(),
        subnets: vec!["subnet-1".into()],
        security_groups: vec!["sg-1".into()],
        edge_inside: false,
        assign_public_ip: true,
        execution_role_arn: Some("arn:role:execution".into()),
        gate_image: None,
        capacity: Capacity::default(),
        starts_per_second: crate::STARTS_PER_SECOND,
        logs: Some(LogSettings {
            group: "sessions".into(),
            region: "eu-central-1".into(),
        }),
    };
    (
        EcsLauncher::new(aws_sdk_ecs::Client::from_conf(config), settings),
        script,
    )
}
