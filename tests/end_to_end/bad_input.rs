//! Owns what happens to requests that make no sense: a clear 4xx each, and nothing is written.

use casting_core::ids::{CastId, Nonce, SessionId};
use casting_core::keys::Keyring;
use casting_core::ticket::LaunchTicket;
use casting_core::{address, testing};
use casting_local::front::routes as all_routes;
use reqwest::Method;
use serde_json::json;

use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn invalid_input_is_refused_clearly_and_writes_nothing() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 3}))
        .await;
    let key = cast["key"].as_str().expect("a key").to_owned();
    let ticket = stack.describe(Caller(1), &key, "").await.json()["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let of_other_link = stack.describe(Caller(1), "welcome", "").await.json()["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let control_plane = &stack.local.control_plane;
    let forged = LaunchTicket {
        cast: CastId::parse(cast["id"].as_str().expect("an id")).expect("an id"),
        version: 1,
        referrer: None,
        kasm_url: None,
        docker_network: None,
        invitation: None,
        address: address::hash(Caller(1).address(), &control_plane.keys),
        nonce: Nonce::from_bytes([1; 16]),
        place: None,
        proven: false,
        another: false,
        expires: testing::NOON.plus_seconds(9999),
    };
    let (old, forged) = (
        LaunchTicket {
            expires: testing::NOON,
            ..forged.clone()
        }
        .sign(&control_plane.keys),
        forged.sign(&Keyring::new(&[9; 32])),
    );
    let claims = format!("/cast/{key}/claims");
    let session = SessionId::from_bytes([3; 16]);
    let huge = "x".repeat(70_000);
    let body = |ticket: &str| json!({ "ticket": ticket }).to_string();
    let before = stack.ledger().await;
    for (name, method, path, content_type, text, status, code) in [
        (
            "an unknown key",
            Method::GET,
            "/api/casts/nosuchkey",
            JSON,
            String::new(),
            404,
            "unknown-cast",
        ),
        (
            "a strange key",
            Method::GET,
            "/api/casts/%3Cscript%3E",
            JSON,
            String::new(),
            404,
            "unknown-cast",
        ),
        (
            "a very long key",
            Method::GET,
            &format!("/api/casts/{}", "k".repeat(3000)),
            JSON,
            String::new(),
            404,
            "unknown-cast",
        ),
        (
            "a claim for an unknown key",
            Method::POST,
            "/cast/nosuchkey/claims",
            JSON,
            body(&ticket),
            404,
            "unknown-cast",
        ),
        (
            "no ticket",
            Method::POST,
            &claims,
            FORM,
            String::new(),
            400,
            "ticket-invalid",
        ),
        (
            "a malformed ticket",
            Method::POST,
            &claims,
            JSON,
            body("v1.abc.def"),
            400,
            "ticket-invalid",
        ),
        (
            "a cut ticket",
            Method::POST,
            &claims,
            JSON,
            body(&ticket[..ticket.len() - 3]),
            400,
            "ticket-invalid",
        ),
        (
            "a forged ticket",
            Method::POST,
            &claims,
            JSON,
            body(&forged),
            400,
            "ticket-invalid",
        ),
        (
            "an expired ticket",
            Method::POST,
            &claims,
            JSON,
            body(&old),
            409,
            "ticket-expired",
        ),
        (
            "another link's ticket",
            Method::POST,
            &claims,
            JSON,
            body(&of_other_link),
            403,
            "ticket-foreign",
        ),
        (
            "broken JSON",
            Method::POST,
            &claims,
            JSON,
            "{".into(),
            400,
            "bad-request",
        ),
        (
            "a number for a ticket",
            Method::POST,
            &claims,
            JSON,
            r#"{"ticket":1}"#.into(),
            400,
            "bad-request",
        ),
        (
            "a huge body",
            Method::POST,
            &claims,
            JSON,
            body(&huge),
            413,
            "too-large",
        ),
        (
            "another type of body",
            Method::POST,
            &claims,
            "text/plain",
            "ticket".into(),
            415,
            "wrong-type",
        ),
        (
            "somebody else's session",
            Method::GET,
            &format!("/session/{session}/status"),
            JSON,
            String::new(),
            403,
            "not-your-session",
        ),
        (
            "the end of somebody else's",
            Method::POST,
            &format!("/session/{session}/end"),
            JSON,
            "{}".into(),
            403,
            "not-your-session",
        ),
        (
            "no session at all",
            Method::GET,
            "/session/x/status",
            JSON,
            String::new(),
            404,
            "unknown-session",
        ),
        (
            "a report without a secret",
            Method::POST,
            &format!("/session/{session}/reports"),
            JSON,
            r#"{"is":"ready","port":1}"#.into(),
            403,
            "not-your-session",
        ),
        (
            "a report of nonsense",
            Method::POST,
            &format!("/session/{session}/reports"),
            JSON,
            r#"{"is":"odd"}"#.into(),
            400,
            "bad-request",
        ),
        (
            "the API without a key",
            Method::GET,
            "/api/admin/casts",
            JSON,
            String::new(),
            401,
            "unauthorized",
        ),
        (
            "nothing there",
            Method::GET,
            "/nothing/here",
            JSON,
            String::new(),
            404,
            "not-found",
        ),
    ] {
        let request = stack
            .request(method, path)
            .header("accept", JSON)
            .header("content-type", content_type)
            .header(KEPT_COOKIE.0, KEPT_COOKIE.1)
            .body(text);
        let answer =
            Answer::of(request.header("x-forwarded-for", Caller(1).address().to_string())).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{name}: {}",
            answer.text
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        assert!(
            !answer.text.contains("script"),
            "{name}: nothing is repeated"
        );
    }
    for (name, key) in [
        ("a wrong key", "k2.nothing"),
        ("no key of ours", "x"),
        (
            "half a key",
            stack.local.admin_key.split('.').next().expect("a half"),
        ),
    ] {
        let answer = Answer::of(
            stack
                .request(Method::GET, "/api/admin/casts")
                .bearer_auth(key),
        )
        .await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer"),
            "{name}"
        );
    }
    assert_eq!(stack.ledger().await, before, "nothing was written");
    assert!(stack.local.ecs.tasks().is_empty(), "nothing was started");
    stack.local.stop().await;
}

#[tokio::test]
async fn wrong_method_gets_405_on_every_route() {
    let stack = TestStack::start().await;
    for (template, path) in all_routes().map(|(_, route)| {
        let path = route
            .path
            .replace("{key}", "welcome")
            .replace("{id}", "x1")
            .replace("{code}", "busy");
        (route.path, path)
    }) {
        let wrong = [Method::PUT, Method::OPTIONS, Method::TRACE]
            .into_iter()
            .find(|method| {
                all_routes().all(|(_, route)| route.path != template || route.method != *method)
            })
            .expect("a wrong method");
        let request = stack
            .request(wrong, &path)
            .bearer_auth(&stack.local.admin_key)
            .header("accept", JSON);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(!answer.header("allow").is_empty(), "{path}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn invalid_client_address_is_handled() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stack = TestStack::start().await;
    for (name, head) in [
        (
            "a host with a space",
            "GET /cast/welcome HTTP/1.1\r\nhost: a b\r\n",
        ),
        (
            "half an address",
            "GET /cast/welcome HTTP/1.1\r\nhost: [::\r\n",
        ),
        (
            "a port that is none",
            "GET /cast/welcome HTTP/1.1\r\nhost: localhost:99999\r\n",
        ),
        ("an empty host", "GET /cast/welcome HTTP/1.1\r\nhost: \r\n"),
        (
            "a user in the host",
            "GET /cast/welcome HTTP/1.1\r\nhost: me@localhost\r\n",
        ),
        ("no path", "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n"),
        (
            "a scheme of the visitor's own",
            "GET /cast/welcome HTTP/1.1\r\nhost: localhost\r\nx-forwarded-proto: %%%\r\n",
        ),
    ] {
        let mut stream = tokio::net::TcpStream::connect(stack.local.address)
            .await
            .expect("connects");
        stream
            .write_all(format!("{head}connection: close\r\n\r\n").as_bytes())
            .await
            .expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let fine = if name.starts_with("a scheme") {
            "HTTP/1.1 200"
        } else {
            "HTTP/1.1 400"
        };
        assert!(
            answer.starts_with(fine),
            "{name}: {}",
            answer.lines().next().unwrap_or_default()
        );
    }
    assert_eq!(stack.get("/cast/welcome").await.status, 200, "it lives on");
    stack.local.stop().await;
}
