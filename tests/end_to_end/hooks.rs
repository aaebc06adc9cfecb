//! Owns webhooks end to end: a receiver of its own, which checks every signature, and what it is
//! told of sessions, refusals and budgets, also where it fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use casting_boot::SystemClock;
use casting_core::Report;
use casting_core::delivery::WAITS;
use casting_core::hook::{FAILING_SECONDS, OLD_SECRET_SECONDS};
use casting_core::ids::SessionId;
use casting_core::time::Clock;
use data_encoding::BASE64;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

/// What the receiver got in one request.
#[derive(Clone, Debug)]
struct Got {
    id: String,
    timestamp: i64,
    /// The signatures, without their version.
    signatures: Vec<String>,
    body: String,
}

impl Got {
    /// Whether one of the signatures is by this secret, as a receiver in another language would
    /// check it.
    fn is_signed_by(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a secret").as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.expect("base64"));
        let text = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let made = BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref());
        self.signatures.contains(&made)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// A receiver on this machine.
#[derive(Clone)]
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<Mutex<u16>>,
}

impl Receiver {
    async fn start() -> Self {
        let (got, status) = (Arc::<Mutex<Vec<Got>>>::default(), Arc::new(Mutex::new(204)));
        let (kept, answers) = (got.clone(), status.clone());
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let text = |name: &str| {
                let value = headers.get(name).expect("a header");
                value.to_str().expect("text").to_owned()
            };
            let signatures = text("webhook-signature");
            let plain = |one: &str| one.strip_prefix("v1,").expect("version 1").to_owned();
            kept.lock().expect("kept").push(Got {
                id: text("webhook-id"),
                timestamp: text("webhook-timestamp").parse().expect("a number"),
                signatures: signatures.split(' ').map(plain).collect(),
                body: String::from_utf8(body.to_vec()).expect("text"),
            });
            let status = *answers.lock().expect("a status");
            (
                StatusCode::from_u16(status).expect("a status"),
                "said the receiver",
            )
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/hook", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, got, status }
    }

    fn answer(&self, status: u16) {
        *self.status.lock().expect("a status") = status;
    }

    /// What has come since the last call.
    fn taken(&self) -> Vec<Got> {
        std::mem::take(&mut *self.got.lock().expect("kept"))
    }
}

impl TestStack {
    /// Sends what is due, and gives what the receiver got of it.
    async fn send(&self, receiver: &Receiver) -> Vec<Got> {
        let sent = self.local.control_plane.deliver().await;
        sent.expect("the events that are due");
        receiver.taken()
    }

    async fn secret_of(&self, hook: &str) -> String {
        let path = format!("hooks/{hook}/secrets");
        let made = self.admin(Method::POST, &path, None).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["secret"].as_str().expect("a secret").to_owned()
    }

    async fn deliveries(&self, hook: &str) -> Vec<Value> {
        let path = format!("hooks/{hook}/deliveries");
        let listed = self.admin(Method::GET, &path, None).await.json();
        listed["items"].as_array().expect("items").clone()
    }

    async fn hook(&self, hook: &str) -> Value {
        let path = format!("hooks/{hook}");
        self.admin(Method::GET, &path, None).await.json()
    }

    /// The gate of a session reports.
    async fn report(&self, id: &str, report: &Report) {
        let id = SessionId::parse(id).expect("an id");
        let keys = self.local.control_plane.keys.sessions();
        let request = self.request(Method::POST, &format!("/session/{id}/reports"));
        let request = request.bearer_auth(keys.secret(&id).expose());
        let answer = Answer::of(request.json(report)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

fn text(document: &Value, name: &str) -> String {
    let text = document[name].as_str();
    text.unwrap_or_else(|| panic!("{name} of {document}"))
        .to_owned()
}

#[tokio::test]
async fn events_of_a_session_reach_both_hooks_signed() {
    let stack = TestStack::start().await;
    let (link, all) = (Receiver::start().await, Receiver::start().await);
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": link.url}))
        .await;
    let of_all =
        json!({"hook_enabled": true, "hook_url": all.url, "hook_events": ["session.ended"]});
    let changed = stack.admin(Method::PATCH, "settings", Some(&of_all)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let secret = stack.secret_of(&id).await;
    let secret_of_all = stack.secret_of("deployment").await;

    let claimed = stack.claim(Caller(1), &key).await.json();
    let session = text(&claimed, "session_id");
    let told = stack.send(&link).await;
    let kinds: Vec<String> = told.iter().map(Got::kind).collect();
    assert_eq!(kinds, ["session.claimed"]);
    assert!(told[0].is_signed_by(&secret) && !told[0].is_signed_by(&secret_of_all));
    assert_eq!(told[0].timestamp, stack.clock.now().seconds());
    assert_eq!(told[0].id, format!("{session}-claimed"));
    let data = told[0].json()["data"].clone();
    assert_eq!(
        (&data["session"], &data["link"]),
        (&json!(session), &json!({"id": id, "name": "Test"}))
    );
    for secret in [key.as_str(), &text(&claimed, "session_token"), "192.0.2.1"] {
        assert!(!told[0].body.contains(secret), "{}", told[0].body);
    }

    stack.report(&session, &Report::Ready { port: 9 }).await;
    let path = format!("/session/{session}/enter");
    let token = text(&claimed, "session_token");
    Answer::of(stack.request(Method::GET, &path).bearer_auth(&token)).await;
    let mut kinds: Vec<String> = stack.send(&link).await.iter().map(Got::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["session.entered", "session.ready"]);

    let path = format!("sessions/{session}/stop");
    stack.admin(Method::POST, &path, Some(&json!({}))).await;
    let mut ends = Vec::new();
    for _ in 0..100 {
        ends = stack.send(&link).await;
        if !ends.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(ends[0].kind(), "session.ended");
    let data = ends[0].json()["data"].clone();
    assert_eq!(data["reason"], "ended-by-administrator");
    let of_all = all.taken();
    assert_eq!(of_all.len(), 1, "the deployment asked for ends only");
    assert!(of_all[0].is_signed_by(&secret_of_all));
    assert_eq!(
        (&of_all[0].id, &of_all[0].body),
        (&ends[0].id, &ends[0].body)
    );
    assert!(
        stack.send(&link).await.is_empty(),
        "everything was told once"
    );
    let states: Vec<Value> = stack
        .deliveries(&id)
        .await
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["delivered"; 4]);
    stack.local.stop().await;
}

#[tokio::test]
async fn link_without_a_hook_writes_no_deliveries() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    stack.claim(Caller(1), &text(&cast, "key")).await;
    assert!(stack.deliveries(&text(&cast, "id")).await.is_empty());
    let ledger = stack.ledger().await;
    assert!(!ledger.keys().any(|row| row.contains("HOOK#")));
    stack.local.stop().await;
}

#[tokio::test]
async fn failed_delivery_is_retried_until_it_is_taken() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let fields =
        json!({"hook_enabled": true, "hook_url": receiver.url, "hook_events": ["session.claimed"]});
    let cast = stack.cast(&fields).await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    let secret = stack.secret_of(&id).await;
    receiver.answer(503);
    stack.claim(Caller(1), &key).await;
    let first = stack.send(&receiver).await.remove(0);
    for wait in &WAITS[..3] {
        stack.clock.advance(wait - 1);
        assert!(stack.send(&receiver).await.is_empty(), "before {wait}");
        stack.clock.advance(2 + wait / 10);
        let again = stack.send(&receiver).await;
        assert_eq!(again.len(), 1, "after {wait}");
        assert_eq!((&again[0].id, &again[0].body), (&first.id, &first.body));
        assert!(again[0].timestamp > first.timestamp && again[0].is_signed_by(&secret));
    }
    let row = stack.deliveries(&id).await.remove(0);
    assert_eq!(
        (
            &row["state"],
            &row["attempts"],
            &row["last"]["status"],
            &row["last"]["answer"]
        ),
        (
            &json!("pending"),
            &json!(4),
            &json!(503),
            &json!("said the receiver")
        )
    );
    assert_ne!(stack.hook(&id).await["failing_since"], Value::Null);
    receiver.answer(200);
    stack.clock.advance(WAITS[3] * 2);
    assert_eq!(stack.send(&receiver).await.len(), 1);
    assert_eq!(stack.deliveries(&id).await[0]["state"], "delivered");
    assert_eq!(stack.hook(&id).await["failing_since"], Value::Null);
    stack.local.stop().await;
}

#[tokio::test]
async fn delivery_is_sent_again_on_request() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": receiver.url}))
        .await;
    let id = text(&cast, "id");
    let path = format!("hooks/{id}/tests");
    let test = stack.admin(Method::POST, &path, None).await;
    assert_eq!(test.status, 202, "{}", test.text);
    let first = stack.send(&receiver).await.remove(0);
    assert_eq!(first.kind(), "hook.test");
    stack.clock.advance(60);
    let replay = json!({"delivery": test.json()["id"]});
    let path = format!("hooks/{id}/replays");
    let again = stack.admin(Method::POST, &path, Some(&replay)).await;
    assert_eq!(again.status, 202, "{}", again.text);
    let second = stack.send(&receiver).await.remove(0);
    assert_eq!((&second.id, &second.body), (&first.id, &first.body));
    let foreign = json!({"delivery": "deployment.other"});
    let refused = stack.admin(Method::POST, &path, Some(&foreign)).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn rotated_secret_signs_beside_the_old_one() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": receiver.url}))
        .await;
    let id = text(&cast, "id");
    let test = async || {
        stack
            .admin(Method::POST, &format!("hooks/{id}/tests"), None)
            .await;
        stack.send(&receiver).await.remove(0)
    };
    let first = stack.secret_of(&id).await;
    assert_eq!(test().await.signatures.len(), 1);
    let second = stack.secret_of(&id).await;
    let both = test().await;
    assert!(both.is_signed_by(&first) && both.is_signed_by(&second));
    stack.clock.advance(OLD_SECRET_SECONDS);
    let later = test().await;
    assert!(!later.is_signed_by(&first) && later.is_signed_by(&second));
    // No secret is in what administrators can read, export or look up in the log.
    for path in [
        format!("hooks/{id}"),
        format!("casts/{id}"),
        "configuration".to_owned(),
        "audit".to_owned(),
        format!("hooks/{id}/deliveries"),
    ] {
        let shown = stack.admin(Method::GET, &path, None).await;
        assert_eq!(shown.status, 200, "{path}");
        for secret in [&first, &second] {
            assert!(!shown.text.contains(&secret[6..]), "{path}");
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn receiver_that_is_gone_pauses_its_hook() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": receiver.url}))
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    receiver.answer(410);
    stack.claim(Caller(1), &key).await;
    assert_eq!(stack.send(&receiver).await.len(), 1);
    assert_eq!(stack.hook(&id).await["paused"]["reason"], "gone");
    let audit = stack
        .admin(Method::GET, &format!("audit?target={id}"), None)
        .await
        .json();
    let entries = audit["items"].as_array().expect("entries");
    let is_pause = |entry: &&Value| entry["changes"][0]["field"] == "hook_paused";
    assert_eq!(entries.iter().filter(is_pause).count(), 1, "{audit}");
    receiver.answer(200);
    stack.clock.advance(86_400);
    assert!(
        stack.send(&receiver).await.is_empty(),
        "nothing more is sent"
    );
    let test = stack
        .admin(Method::POST, &format!("hooks/{id}/tests"), None)
        .await;
    assert_eq!(test.status, 409, "{}", test.text);
    let resumed = stack
        .admin(Method::POST, &format!("hooks/{id}/resumptions"), None)
        .await;
    assert_eq!(resumed.json()["paused"], Value::Null, "{}", resumed.text);
    let row = stack.deliveries(&id).await.remove(0);
    assert_eq!(row["state"], "stopped");
    let replay = json!({"delivery": row["id"]});
    stack
        .admin(Method::POST, &format!("hooks/{id}/replays"), Some(&replay))
        .await;
    assert_eq!(stack.send(&receiver).await.len(), 1);
    stack.local.stop().await;
}

#[tokio::test]
async fn receiver_that_fails_for_days_pauses_its_hook() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": receiver.url}))
        .await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    receiver.answer(500);
    stack.claim(Caller(1), &key).await;
    stack.send(&receiver).await;
    stack.clock.advance(FAILING_SECONDS - 1);
    stack.send(&receiver).await;
    assert_eq!(stack.hook(&id).await["paused"], Value::Null);
    stack.clock.advance(WAITS[1] * 2);
    stack.send(&receiver).await;
    assert_eq!(stack.hook(&id).await["paused"]["reason"], "failing");
    stack.local.stop().await;
}

#[tokio::test]
async fn refusals_and_budgets_are_sent_summed_up() {
    let stack = TestStack::start().await;
    let receiver = Receiver::start().await;
    let fields = json!({
        "hook_enabled": true, "hook_url": receiver.url,
        "hook_events": ["claims.refused", "budget.reached"],
        "budget_per_hour_cents": 1,
    });
    let cast = stack.cast(&fields).await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    for caller in 1..=7 {
        let refused = stack.claim(Caller(caller), &key).await;
        assert_ne!(refused.status, 202, "{}", refused.text);
    }
    let told = stack.send(&receiver).await;
    let kinds: Vec<String> = told.iter().map(Got::kind).collect();
    assert_eq!(kinds, ["budget.reached"], "once, at once");
    let data = told[0].json()["data"].clone();
    assert_eq!(data["budgets"][0]["limit_cents"], 1, "{data}");
    stack.clock.advance(700);
    let told = stack.send(&receiver).await;
    let kinds: Vec<String> = told.iter().map(Got::kind).collect();
    assert_eq!(kinds, ["claims.refused"], "once for some minutes");
    let data = told[0].json()["data"].clone();
    let codes: BTreeMap<String, u64> =
        serde_json::from_value(data["codes"].clone()).expect("counts");
    assert_eq!(
        codes,
        BTreeMap::from([("link-budget-reached".to_owned(), 7)])
    );
    assert_eq!(data["link"]["id"], json!(id));
    stack.local.stop().await;
}

/// The receiver of the manual, which stands there in one block of Python.
fn manual_receiver() -> &'static str {
    let page = include_str!("../../docs/hooks.md");
    let block = page.split("```python\n").nth(1).expect("a receiver");
    block.split("```").next().expect("its end")
}

#[tokio::test]
async fn receiver_of_the_manual_takes_signed_events() {
    let stack = TestStack::start().await;
    // The receiver looks at the machine's clock.
    let now = SystemClock.now();
    stack.clock.advance(stack.clock.now().seconds_until(now));
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    assert!(
        manual_receiver()
            .lines()
            .filter(|line| !line.is_empty())
            .count()
            <= 20
    );
    let url = format!("http://127.0.0.1:{port}/");
    let cast = stack
        .cast(&json!({"hook_enabled": true, "hook_url": url}))
        .await;
    let id = text(&cast, "id");
    let secret = stack.secret_of(&id).await;
    let start = |secret: &str| {
        let mut python = tokio::process::Command::new("python3");
        python.args(["-c", manual_receiver()]);
        python.env("SECRET", secret).env("PORT", port.to_string());
        python.kill_on_drop(true).spawn().expect("Python")
    };
    let states = async || {
        let rows = stack.deliveries(&id).await;
        rows.iter()
            .map(|row| row["last"]["status"].clone())
            .collect::<Vec<_>>()
    };
    for (secret, status) in [
        (secret.clone(), 204),
        (format!("whsec_{}", "A".repeat(32)), 401),
    ] {
        let mut receiver = start(&secret);
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        stack
            .admin(Method::POST, &format!("hooks/{id}/tests"), None)
            .await;
        stack.local.control_plane.deliver().await.expect("is sent");
        assert!(states().await.contains(&json!(status)), "{status}");
        receiver.kill().await.expect("ends");
    }
    stack.local.stop().await;
}
