//! Owns what an instance of a function meets when it starts outside Lambda: a stack whose tasks are
//! simulated, its environment, and events as API Gateway and the Runtime API hand them out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use casting_boot::{SystemClock, SystemEntropy, required_variables};
use casting_local::stack::{Stack, StackSettings, TaskKind};
use serde_json::{Value, json};

/// A stack in memory, by the machine's own clock, whose tasks are nothing but their rows.
///
/// # Errors
/// When it does not start.
pub async fn simulated_stack() -> anyhow::Result<Stack> {
    stack_of(TaskKind::Simulated).await
}

/// The same with its rows in this folder, if there is one.
///
/// # Errors
/// When it does not start.
pub async fn simulated_stack_in(data: Option<PathBuf>) -> anyhow::Result<Stack> {
    stack_with(TaskKind::Simulated, data).await
}

/// The same with tasks of this kind.
///
/// # Errors
/// When it does not start.
pub async fn stack_of(tasks: TaskKind) -> anyhow::Result<Stack> {
    stack_with(tasks, None).await
}

async fn stack_with(tasks: TaskKind, data: Option<PathBuf>) -> anyhow::Result<Stack> {
    let settings = StackSettings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        data,
        reset: false,
        public_url: None,
        session_url: None,
        demo_logins: false,
        open_endpoints: true,
        login: None,
        geo_databases: Vec::new(),
        event_bus: None,
        behind_proxy: false,
        tasks,
        starts_per_second: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
        sweep_every: None,
        first_limits: Default::default(),
    };
    Box::pin(Stack::start(settings)).await
}

/// What a function must find in its environment to use the tables and the cluster of this stack,
/// reached at these URLs.
pub fn environment(stack: &Stack, dynamodb_url: &str, ecs_url: &str) -> Vec<(String, String)> {
    let value = |name: &str| match name {
        "CASTING_PUBLIC_URL" => stack.url.clone(),
        "CASTING_SESSION_URL" => "http://{session}.localhost".to_owned(),
        "CASTING_SIGNING_KEY" => "A".repeat(43),
        "CASTING_ECS_CLUSTER" => "local".to_owned(),
        "CASTING_ECS_SUBNETS" => "subnet-1".to_owned(),
        "CASTING_ECS_SECURITY_GROUPS" => "sg-1".to_owned(),
        table if table.starts_with("CASTING_TABLE_") => format!(
            "casting-{}",
            table.trim_start_matches("CASTING_TABLE_").to_lowercase()
        ),
        _ => "local".to_owned(),
    };
    let mut environment: Vec<(String, String)> = required_variables()
        .into_iter()
        .map(|name| (name.clone(), value(&name)))
        .collect();
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
        ("AWS_ENDPOINT_URL_ECS", ecs_url),
        ("AWS_LAMBDA_FUNCTION_NAME", "test"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
    ] {
        environment.push((name.to_owned(), value.to_owned()));
    }
    environment
}

/// The headers under which the Runtime API hands out its `n`th event.
pub fn invocation(n: usize) -> HeaderMap {
    let id = format!("{n:08}-0000-4000-8000-000000000000");
    let headers = [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "4000000000000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:000000000000:function:test",
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        ),
    ];
    let read =
        |value: &str| HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    headers
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), read(value)))
        .collect()
}

/// An event as API Gateway sends it (payload 2.0).
pub fn event(method: &str, path: &str, headers: &Value, body: Option<&str>) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../programs/gateway_event.json")).unwrap_or_default();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["method"] = json!(method);
    event["requestContext"]["http"]["path"] = json!(path);
    for (name, value) in headers.as_object().into_iter().flatten() {
        event["headers"][name] = value.clone();
    }
    if let Some(body) = body {
        event["body"] = json!(body);
    }
    event
}
