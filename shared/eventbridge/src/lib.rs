//! Owns the port of the event bus on EventBridge: one event becomes one entry of one bus. Must not
//! know what is sent, when a failed event is sent again, or how the client was made.
//!
//! Nothing is repeated here: a delivery has tries of its own, with longer waits.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use casting_core::event_bus::{BusEvent, EventBusArn, SOURCE};
use casting_core::ports::EventBus;
use casting_core::webhook::WebhookAnswer;

/// Puts events on one bus.
#[derive(Clone, Debug)]
pub struct EventBridge {
    client: Client,
    bus: EventBusArn,
}

impl EventBridge {
    /// Puts events on `bus` by `client`, which is one for the region of the bus.
    pub fn new(client: Client, bus: EventBusArn) -> Self {
        Self { client, bus }
    }
}

#[async_trait]
impl EventBus for EventBridge {
    async fn put(&self, event: &BusEvent, millis: u64) -> WebhookAnswer {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(self.bus.as_str())
            .source(SOURCE)
            .detail_type(event.kind)
            .detail(&event.detail)
            .time(DateTime::from_millis(event.at.millis()))
            .build();
        let call = self.client.put_events().entries(entry).send();
        match tokio::time::timeout(Duration::from_millis(millis), call).await {
            Ok(Ok(reply)) => taken(&reply),
            Ok(Err(error)) => refused(&error),
            Err(_) => WebhookAnswer::Failed(LATE.to_owned()),
        }
    }
}

const LATE: &str = "it did not answer in time";

/// EventBridge answers with 200 also when it has not taken an entry.
fn taken(reply: &PutEventsOutput) -> WebhookAnswer {
    match reply.entries().first() {
        Some(entry) if reply.failed_entry_count() == 0 && entry.error_code().is_none() => {
            let id = entry.event_id().unwrap_or_default();
            answered(200, format!("EventId: {id}"))
        }
        Some(entry) => WebhookAnswer::Failed(named(entry.error_code(), entry.error_message())),
        None => WebhookAnswer::Failed("it did not say what became of the event".to_owned()),
    }
}

fn refused<E>(error: &SdkError<E>) -> WebhookAnswer
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let (status, error) = (context.raw().status().as_u16(), context.err());
            answered(status, named(error.code(), error.message()))
        }
        SdkError::TimeoutError(_) => WebhookAnswer::Failed(LATE.to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            WebhookAnswer::Failed(LATE.to_owned())
        }
        _ => WebhookAnswer::Failed(last_cause(error)),
    }
}

fn answered(status: u16, text: String) -> WebhookAnswer {
    WebhookAnswer::Answered {
        status,
        body: text.into_bytes(),
        is_whole: true,
    }
}

/// An error of AWS as it is shown: its code and what AWS says of it.
fn named(code: Option<&str>, message: Option<&str>) -> String {
    let code = code.unwrap_or("an error without a name");
    match message {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    }
}

fn last_cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_credential_types::Credentials;
    use aws_sdk_eventbridge::config::retry::RetryConfig;
    use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
    use aws_sdk_eventbridge::config::{BehaviorVersion, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use casting_core::testing::NOON;
    use serde_json::{Value, json};

    use super::*;

    const BUS: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/casting";

    /// What the endpoint answers.
    #[derive(Clone, Debug)]
    enum Reply {
        /// Status and body.
        Body(u16, Value),
        /// The connection breaks.
        Lost,
        /// Nothing, ever.
        Silence,
    }

    /// An endpoint that answers all calls alike, behind the real client.
    #[derive(Clone, Debug)]
    struct Endpoint {
        reply: Reply,
        calls: Arc<Mutex<Vec<(String, Value)>>>,
    }

    impl HttpConnector for Endpoint {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let operation = request.headers().get("x-amz-target").unwrap().to_owned();
            let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            self.calls.lock().unwrap().push((operation, body));
            match &self.reply {
                Reply::Body(status, body) => {
                    let response = http::Response::builder()
                        .status(*status)
                        .body(SdkBody::from(body.to_string()))
                        .unwrap();
                    HttpConnectorFuture::ready(Ok(response.try_into().unwrap()))
                }
                Reply::Silence => HttpConnectorFuture::new(std::future::pending()),
                Reply::Lost => HttpConnectorFuture::ready(Err(ConnectorError::io(
                    "the connection broke".into(),
                ))),
            }
        }
    }

    /// Puts an event on the bus of an endpoint that answers so; the answer, and the calls.
    async fn put(reply: Reply) -> (WebhookAnswer, Vec<(String, Value)>) {
        let endpoint = Endpoint {
            reply,
            calls: Arc::default(),
        };
        let calls = endpoint.calls.clone();
        let connector = SharedHttpConnector::new(endpoint);
        let config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url("http://events.test")
            .credentials_provider(Credentials::from_keys("key", "secret", None))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let bus = EventBusArn::parse(BUS).unwrap();
        let bus = EventBridge::new(Client::from_conf(config), bus);
        let event = BusEvent {
            kind: "session.claimed",
            at: NOON,
            detail: json!({"id": "s1-claimed"}).to_string(),
        };
        let answer = bus.put(&event, 10_000).await;
        let calls = calls.lock().unwrap().clone();
        (answer, calls)
    }

    #[tokio::test]
    async fn event_becomes_one_entry_of_the_bus() {
        let reply = json!({"FailedEntryCount": 0, "Entries": [{"EventId": "11710aed"}]});
        let (answer, calls) = put(Reply::Body(200, reply)).await;
        assert_eq!(answer, answered(200, "EventId: 11710aed".into()));
        let [(operation, body)] = &calls[..] else {
            panic!("one call: {calls:?}");
        };
        assert_eq!(operation, "AWSEvents.PutEvents");
        let entry = json!({
            "EventBusName": BUS, "Source": "session-casting", "DetailType": "session.claimed",
            "Detail": "{\"id\":\"s1-claimed\"}", "Time": NOON.seconds(),
        });
        assert_eq!(body["Entries"][0], entry);
        assert_eq!(body["Entries"].as_array().map(Vec::len), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn event_that_was_not_taken_is_a_failure_in_words() {
        let failed = |words: &str| WebhookAnswer::Failed(words.to_owned());
        let entry =
            |entry: Value| Reply::Body(200, json!({"FailedEntryCount": 1, "Entries": [entry]}));
        let error =
            |status, code: &str| Reply::Body(status, json!({"__type": code, "message": "why"}));
        for (name, reply, expected) in [
            (
                "an entry that failed",
                entry(json!({"ErrorCode": "InternalFailure", "ErrorMessage": "why"})),
                failed("InternalFailure: why"),
            ),
            (
                "an entry that failed without words",
                entry(json!({"ErrorCode": "ThrottlingException"})),
                failed("ThrottlingException"),
            ),
            (
                "a count without an entry",
                Reply::Body(200, json!({"FailedEntryCount": 1, "Entries": []})),
                failed("it did not say what became of the event"),
            ),
            (
                "an empty answer",
                Reply::Body(200, json!({})),
                failed("it did not say what became of the event"),
            ),
            (
                "no permission",
                error(400, "AccessDeniedException"),
                answered(400, "AccessDeniedException: why".into()),
            ),
            (
                "a bus that is gone",
                error(400, "ResourceNotFoundException"),
                answered(400, "ResourceNotFoundException: why".into()),
            ),
            (
                "too many calls",
                error(400, "ThrottlingException"),
                answered(400, "ThrottlingException: why".into()),
            ),
            (
                "their fault",
                error(500, "InternalException"),
                answered(500, "InternalException: why".into()),
            ),
            (
                "a broken connection",
                Reply::Lost,
                failed("the connection broke"),
            ),
            ("no answer", Reply::Silence, failed(LATE)),
        ] {
            let (answer, calls) = put(reply).await;
            assert_eq!(answer, expected, "{name}");
            assert_eq!(calls.len(), 1, "{name}: nothing is repeated here");
        }
    }
}
