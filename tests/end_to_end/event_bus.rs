//! Owns event buses as receivers of hooks, end to end: an endpoint that stands for EventBridge, what
//! it is sent, what is listed when it refuses, and which buses a hook may name.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use casting_boot::{AwsSettings, event_bus, http};
use casting_core::delivery::WAITS;
use casting_core::event_bus::EventBusArn;
use casting_core::hook::FAILING_SECONDS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::test_stack::{Answer, Caller, TestStack};

const BUS: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/casting";
const OTHER: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/other";

/// An endpoint that answers as EventBridge does.
#[derive(Clone)]
struct Endpoint {
    url: String,
    got: Arc<Mutex<Vec<Value>>>,
    answer: Arc<Mutex<(u16, Value)>>,
}

impl Endpoint {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let this = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            got: Arc::default(),
            answer: Arc::new(Mutex::new((200, taken()))),
        };
        let routes = Router::new().route("/", post(put_events));
        let routes = routes.with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    fn answers(&self, status: u16, body: Value) {
        *self.answer.lock().expect("an answer") = (status, body);
    }

    /// The entries that have come since the last call.
    fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut *self.got.lock().expect("kept"))
    }

    /// A stack that may send to [`BUS`], which is here.
    async fn stack(&self) -> TestStack {
        let mut aws = AwsSettings::local("http://none.invalid", "http://none.invalid");
        aws.events_endpoint = Some(self.url.clone());
        let http = http::shared_client(None).expect("a client");
        let arn = EventBusArn::parse(BUS).expect("a bus");
        let bus = event_bus(&aws, &http, arn.clone());
        TestStack::with_event_bus(arn, bus).await
    }
}

fn taken() -> Value {
    json!({"FailedEntryCount": 0, "Entries": [{"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}]})
}

async fn put_events(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    let signed = headers["authorization"].to_str().expect("text");
    assert!(
        signed.contains("/eu-central-1/events/"),
        "{signed}: by its region"
    );
    let request: Value = serde_json::from_str(&body).expect("JSON");
    let entries = request["Entries"].as_array().expect("entries").clone();
    endpoint.got.lock().expect("kept").extend(entries);
    let (status, answer) = endpoint.answer.lock().expect("an answer").clone();
    (
        StatusCode::from_u16(status).expect("a status"),
        answer.to_string(),
    )
}

impl TestStack {
    /// Sends what is due; the entries that the bus got of it.
    async fn send_to(&self, bus: &Endpoint) -> Vec<Value> {
        let sent = self.local.control_plane.deliver().await;
        sent.expect("the events that are due");
        bus.taken()
    }

    async fn hook_page(&self, path: &str) -> Value {
        let path = format!("hooks/{path}");
        self.admin(Method::GET, &path, None).await.json()
    }

    async fn newest_delivery(&self, cast: &str) -> Value {
        self.hook_page(&format!("{cast}/deliveries")).await["items"][0].clone()
    }

    async fn test_hook(&self, cast: &str) -> Answer {
        let path = format!("hooks/{cast}/tests");
        self.admin(Method::POST, &path, None).await
    }
}

fn text(document: &Value, name: &str) -> String {
    let text = document[name].as_str();
    text.unwrap_or_else(|| panic!("{name} of {document}"))
        .to_owned()
}

fn detail(entry: &Value) -> Value {
    serde_json::from_str(&text(entry, "Detail")).expect("JSON")
}

#[tokio::test]
async fn events_of_a_link_reach_its_event_bus() {
    let bus = Endpoint::start().await;
    let stack = bus.stack().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": BUS}))
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let claimed = stack.claim(Caller(1), &key).await.json();
    let session = text(&claimed, "session_id");
    let told = stack.send_to(&bus).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let entry = &told[0];
    assert_eq!(
        (
            &entry["EventBusName"],
            &entry["Source"],
            &entry["DetailType"]
        ),
        (
            &json!(BUS),
            &json!("session-casting"),
            &json!("session.claimed")
        )
    );
    let detail = detail(entry);
    assert_eq!(
        (&detail["id"], &detail["type"], &detail["data"]["session"]),
        (
            &json!(format!("{session}-claimed")),
            &json!("session.claimed"),
            &json!(session)
        )
    );
    assert_eq!(detail["data"]["link"], json!({"id": id, "name": "Test"}));
    for secret in [key.as_str(), &text(&claimed, "session_token"), "192.0.2.1"] {
        assert!(!entry.to_string().contains(secret), "{entry}");
    }
    let row = stack.newest_delivery(&id).await;
    assert_eq!(
        (&row["state"], &row["event"], &row["last"]["status"]),
        (&json!("delivered"), &detail["id"], &json!(200))
    );
    assert!(text(&row["last"], "answer").starts_with("EventId: 11710aed"));
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let page = stack.request(Method::GET, &format!("/admin/hooks/{id}"));
    let page = Answer::of(page.header("cookie", cookie)).await.text;
    for words in [
        BUS,
        "an event bus in AWS",
        "carry no signature",
        "EventId: 11710aed",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Sent again by hand, it is the same event.
    let replay = json!({"delivery": row["id"]});
    let path = format!("hooks/{id}/replays");
    let again = stack.admin(Method::POST, &path, Some(&replay)).await;
    assert_eq!(again.status, 202, "{}", again.text);
    assert_eq!(stack.send_to(&bus).await, told);
    stack.local.stop().await;
}

#[tokio::test]
async fn bus_that_takes_nothing_fails_and_pauses_as_a_server() {
    let bus = Endpoint::start().await;
    let stack = bus.stack().await;
    let changed = json!({"hook_enabled": true, "hook_url": BUS});
    let changed = stack.admin(Method::PATCH, "settings", Some(&changed)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let entry = json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Try again."});
    bus.answers(200, json!({"FailedEntryCount": 1, "Entries": [entry]}));
    let test = stack.test_hook("deployment").await;
    assert_eq!(test.status, 202, "{}", test.text);
    let first = stack.send_to(&bus).await;
    assert_eq!(first[0]["DetailType"], "hook.test");
    let row = stack.newest_delivery("deployment").await;
    assert_eq!(
        (
            &row["state"],
            &row["last"]["status"],
            &row["last"]["answer"]
        ),
        (
            &json!("pending"),
            &Value::Null,
            &json!("InternalFailure: Try again.")
        )
    );
    let denied = json!({"__type": "AccessDeniedException", "message": "Not yours."});
    bus.answers(400, denied);
    stack.clock.advance(WAITS[0] * 2);
    assert_eq!(stack.send_to(&bus).await, first, "the same at every try");
    let row = stack.newest_delivery("deployment").await;
    assert_eq!(
        (
            &row["attempts"],
            &row["last"]["status"],
            &row["last"]["answer"]
        ),
        (
            &json!(2),
            &json!(400),
            &json!("AccessDeniedException: Not yours.")
        )
    );
    assert_ne!(
        stack.hook_page("deployment").await["failing_since"],
        Value::Null
    );
    stack.clock.advance(FAILING_SECONDS);
    stack.send_to(&bus).await;
    let hook = stack.hook_page("deployment").await;
    assert_eq!(hook["paused"]["reason"], "failing");
    stack
        .admin(Method::POST, "hooks/deployment/resumptions", None)
        .await;
    bus.answers(200, taken());
    let replay = json!({"delivery": row["id"]});
    stack
        .admin(Method::POST, "hooks/deployment/replays", Some(&replay))
        .await;
    assert_eq!(stack.send_to(&bus).await, first);
    assert_eq!(
        stack.newest_delivery("deployment").await["state"],
        "delivered"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn hook_names_no_bus_but_the_deployments() {
    let bus = Endpoint::start().await;
    let (with, without) = (bus.stack().await, TestStack::start().await);
    for (name, stack, arn, says) in [
        ("another bus", &with, OTHER, BUS),
        ("where there is none", &without, BUS, "EventBusArn"),
        (
            "no bus",
            &with,
            "arn:aws:sqs:eu-central-1:111122223333:q",
            "must be the ARN",
        ),
    ] {
        let fields = json!({"hook_enabled": true, "hook_url": arn});
        let settings = stack.admin(Method::PATCH, "settings", Some(&fields)).await;
        let cast = stack.cast(&json!({})).await;
        let path = format!("casts/{}", text(&cast, "id"));
        let changed = stack.admin(Method::PATCH, &path, Some(&fields)).await;
        let document = json!({
            "name": "Another", "image_id": stack.image().await, "hook_enabled": false, "hook_url": arn,
        });
        let made = stack.admin(Method::POST, "casts", Some(&document)).await;
        for refused in [settings, changed, made] {
            assert_eq!(refused.status, 422, "{name}: {}", refused.text);
            let error = refused.json()["errors"][0].clone();
            assert_eq!(error["pointer"], "/hook_url", "{name}: {error}");
            assert!(text(&error, "detail").contains(says), "{name}: {error}");
        }
    }
    with.local.stop().await;
    without.local.stop().await;
}

#[tokio::test]
async fn link_whose_bus_is_gone_can_be_changed_and_switched_off() {
    let bus = Endpoint::start().await;
    let stack = bus.stack().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": BUS}))
        .await;
    let id = text(&cast, "id");
    stack.test_hook(&id).await;
    // The stack is updated to another bus: here, the row still names the one before.
    let rows = &stack.local.control_plane.store;
    let before = casting_core::ids::CastId::parse(&id).expect("an id");
    let before = rows
        .cast(&before)
        .await
        .expect("is read")
        .expect("is there");
    let mut after = before.clone();
    after.version += 1;
    after.settings.hook.url = Some(OTHER.to_owned());
    let keep = casting_core::cast::CounterChange::Keep;
    let written = rows.replace_cast(&before, &after, keep, None).await;
    written.expect("is written");
    assert!(
        stack.send_to(&bus).await.is_empty(),
        "nothing goes to another"
    );
    let row = stack.newest_delivery(&id).await;
    assert!(
        text(&row["last"], "answer").contains("is not the event bus"),
        "{row}"
    );
    let path = format!("casts/{id}");
    let shown = stack.admin(Method::GET, &path, None).await.json();
    let pointers: Vec<&Value> = shown["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|warning| &warning["pointer"])
        .collect();
    assert!(pointers.contains(&&json!("/hook_url")), "{shown}");
    for (fields, status) in [
        (json!({"description": "still there"}), 200),
        (json!({"hook_enabled": false}), 200),
        (json!({"hook_enabled": true}), 422),
        (json!({"hook_enabled": true, "hook_url": BUS}), 200),
    ] {
        let changed = stack.admin(Method::PATCH, &path, Some(&fields)).await;
        assert_eq!(changed.status, status, "{fields}: {}", changed.text);
    }
    stack.local.stop().await;
}
