//! Owns the admission hook end to end: a server of its own, which is asked about claims, and what
//! follows from its answers and from its silence.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use casting_core::ids::{GroupId, SessionId};
use casting_core::permission::Permission;
use casting_core::session::Session;
use casting_core::time::Timestamp;
use casting_core::webhook::{HookSecret, WebhookRequest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

/// A server that answers like this, and remembers what it was asked.
#[derive(Clone)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answer: Arc<Mutex<String>>,
}

impl Server {
    async fn start() -> Self {
        let (asked, answer) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::<Mutex<String>>::default(),
        );
        let (kept, answers) = (asked.clone(), answer.clone());
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let body = String::from_utf8(body.to_vec()).expect("text");
            kept.lock().expect("kept").push((headers, body));
            let answer = answers.lock().expect("an answer").clone();
            if answer == "late" {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            answer
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}/ask", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/ask", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, asked, answer }
    }

    fn say(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().expect("an answer"));
    }

    fn asked(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut *self.asked.lock().expect("kept"))
    }

    fn fields(&self, more: &Value) -> Value {
        let mut fields = json!({"admission_hook_enabled": true, "admission_hook_url": self.url});
        for (name, value) in more.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        fields
    }
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().expect(name).to_owned()
}

/// The session of this claim.
async fn session_row(stack: &TestStack, claimed: &Answer) -> Session {
    let id = SessionId::parse(&text(&claimed.json(), "session_id")).expect("an id");
    let row = stack.local.control_plane.store.session(&id).await;
    row.expect("is read").expect("is there")
}

/// How long it may live, in seconds.
async fn time_limit(stack: &TestStack, claimed: &Answer) -> u32 {
    session_row(stack, claimed).await.time_limit_seconds
}

#[tokio::test]
async fn server_has_the_last_word_on_a_claim() {
    let (stack, server) = (TestStack::start().await, Server::start().await);
    let fields = server.fields(&json!({"limit_total_sessions": true, "sessions_remaining": 5}));
    let cast = stack.cast(&fields).await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    server.say(r#"{"allow": false, "message": "Pay <b>first</b>."}"#);
    let refused = stack.claim(Caller(1), &key).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "not-admitted")
    );
    assert_eq!(refused.json()["detail"], "Pay <b>first</b>.");
    assert_eq!(stack.remaining(&cast).await, 5, "nothing was taken");
    let asked = server.asked();
    let [(headers, body)] = &asked[..] else {
        panic!("asked {} times", asked.len());
    };
    let question: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(question["type"], "admission.asked");
    assert_eq!(question["data"]["link"]["id"], json!(id));
    assert!(
        !body.contains(&key) && !body.contains("192.0.2.1"),
        "{body}"
    );
    // Signed with the secret of the link's webhook, of which a rotation keeps the old one.
    let made = stack
        .admin(Method::POST, &format!("hooks/{id}/secrets"), None)
        .await;
    let secret = HookSecret::parse(&text(&made.json(), "secret")).expect("a secret");
    server.say(r#"{"allow": true, "time_limit_seconds": 600}"#);
    let accepted = stack.claim(Caller(1), &key).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let asked = server.asked();
    let (again, body) = &asked[0];
    let header = |name: &str| again[name].to_str().expect("text").to_owned();
    let at = header("webhook-timestamp")
        .parse::<i64>()
        .expect("a number");
    let at = Timestamp::from_millis(at * 1000);
    let signed = WebhookRequest::signed("", &header("webhook-id"), at, &[&secret], body.clone());
    assert!(header("webhook-signature").contains(&signed.signature));
    assert_eq!(header("webhook-signature").split(' ').count(), 2);
    assert!(
        headers.contains_key("webhook-signature"),
        "also the first time"
    );
    assert_eq!(time_limit(&stack, &accepted).await, 600);
    assert_eq!(stack.remaining(&cast).await, 4);
    // What it asks for beyond the link's own limit has no effect.
    server.say(r#"{"allow": true, "time_limit_seconds": 4000000}"#);
    let longer = stack.claim(Caller(1), &key).await;
    assert!(time_limit(&stack, &longer).await < 4_000_000);
    stack.local.stop().await;
}

#[tokio::test]
async fn silent_server_fails_as_the_link_says() {
    let (stack, server) = (TestStack::start().await, Server::start().await);
    let timed =
        |fails: &str| json!({"admission_hook_timeout_ms": 300, "admission_hook_fails": fails});
    let closed = stack.cast(&server.fields(&timed("closed"))).await;
    let open = stack.cast(&server.fields(&timed("open"))).await;
    for answer in [
        "late",
        "yes",
        r#"{"allow": true, "role": "admin"}"#,
        &"x".repeat(20_000),
    ] {
        server.say(answer);
        let refused = stack.claim(Caller(1), &text(&closed, "key")).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (503, "admission-unavailable")
        );
        assert!(
            !refused.header("retry-after").is_empty(),
            "says when to come back"
        );
        let accepted = stack.claim(Caller(1), &text(&open, "key")).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn server_is_asked_only_about_claims_that_are_new() {
    let (stack, server) = (TestStack::start().await, Server::start().await);
    let fields = server.fields(&json!({"banned_addresses": ["192.0.2.9"]}));
    let cast = stack.cast(&fields).await;
    let (id, key) = (text(&cast, "id"), text(&cast, "key"));
    server.say(r#"{"allow": true}"#);
    let described = stack.describe(Caller(1), &key, "").await.json();
    assert!(server.asked().is_empty(), "a look asks nothing");
    let claim = json!({"ticket": described["ticket"]});
    let first = stack.claim_with(Caller(1), &key, &claim).await.json();
    let again = stack.claim_with(Caller(1), &key, &claim).await.json();
    assert_eq!(first["session_id"], again["session_id"]);
    assert_eq!(
        server.asked().len(),
        1,
        "a repeated claim is not asked about"
    );
    server.say(r#"{"allow": false}"#);
    let again = stack.claim_with(Caller(1), &key, &claim).await;
    assert_eq!(again.status, 202, "what was accepted stays accepted");
    let banned = stack.claim(Caller(9), &key).await;
    assert_eq!(banned.code(), "address-denied");
    let trial = json!({"address": "192.0.2.1"});
    let tried = stack
        .admin(Method::POST, &format!("casts/{id}/trials"), Some(&trial))
        .await
        .json();
    let steps = tried["steps"].as_array().expect("steps");
    let step = steps.last().expect("a step");
    assert_eq!(
        (&step["rule"], &step["passes"]),
        (&json!("admission_hook"), &json!(true))
    );
    assert!(text(step, "because").contains("would be asked"), "{step}");
    assert!(
        server.asked().is_empty(),
        "neither a refused claim nor a trial asks"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn server_places_the_session_in_a_network_and_a_group() {
    let (stack, server) = (TestStack::start().await, Server::start().await);
    let permissions = json!({"downloads": false, "webcam": true});
    let group =
        json!({"name": "Guests", "priority": 1, "client_settings": {"permissions": permissions}});
    let group = stack.admin(Method::POST, "groups", Some(&group)).await;
    let group = text(&group.json(), "id");
    let lab = json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]});
    let made = stack.admin(Method::POST, "networks", Some(&lab)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let cast = stack.cast(&server.fields(&json!({}))).await;
    let key = text(&cast, "key");
    server.say(&json!({"allow": true, "network": "lab", "group_id": group}).to_string());
    let placed = session_row(&stack, &stack.claim(Caller(1), &key).await).await;
    let network = placed.launch.network.as_ref().expect("a network");
    assert_eq!(network.name.as_str(), "lab");
    assert_eq!(network.placement.subnets, ["subnet-1"]);
    assert!(placed.grant.permissions.contains(&Permission::Webcam));
    assert!(!placed.grant.permissions.contains(&Permission::Downloads));
    server.say(r#"{"allow": true}"#);
    let usual = session_row(&stack, &stack.claim(Caller(1), &key).await).await;
    assert!(usual.launch.network.is_none());
    assert!(!usual.grant.permissions.contains(&Permission::Webcam));
    // What is not there is no answer, so nobody gets something else than was meant.
    for unknown in [
        json!({"allow": true, "network": "attic"}),
        json!({"allow": true, "network": "lab", "group_id": GroupId::from_bytes([9; 16])}),
    ] {
        server.say(&unknown.to_string());
        let refused = stack.claim(Caller(1), &key).await;
        assert_eq!(refused.code(), "admission-unavailable", "{unknown}");
    }
    let fails = json!({"admission_hook_fails": "open"});
    let path = format!("casts/{}", text(&cast, "id"));
    stack.admin(Method::PATCH, &path, Some(&fails)).await;
    let open = session_row(&stack, &stack.claim(Caller(1), &key).await).await;
    assert!(open.launch.network.is_none(), "as without an answer");
    stack.local.stop().await;
}

#[tokio::test]
async fn visitor_in_the_waiting_room_is_asked_about_at_their_turn() {
    let (stack, server) = (TestStack::start().await, Server::start().await);
    let fields = server.fields(&json!({"max_live_sessions": 1, "waiting_room": true}));
    let cast = stack.cast(&fields).await;
    let key = text(&cast, "key");
    server.say(r#"{"allow": true}"#);
    let first = stack.claim(Caller(1), &key).await;
    assert_eq!(first.status, 202, "{}", first.text);
    server.asked();
    let described = stack.describe(Caller(2), &key, "").await.json();
    let waits = stack
        .claim_with(Caller(2), &key, &json!({"ticket": described["ticket"]}))
        .await;
    let waiting = waits.json();
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    server.asked();
    let path = format!("/session/{}/end", text(&first.json(), "session_id"));
    let token = text(&first.json(), "session_token");
    Answer::of(stack.request(Method::POST, &path).bearer_auth(&token)).await;
    stack.local.control_plane.sweep().await.expect("sweeps");
    server.say(r#"{"allow": false, "message": "Too late."}"#);
    let turn = json!({"ticket": waiting["ticket"]});
    let refused = stack.claim_with(Caller(2), &key, &turn).await;
    assert_eq!(refused.code(), "not-admitted", "{}", refused.text);
    assert_eq!(server.asked().len(), 1, "at their turn");
    stack.local.stop().await;
}
