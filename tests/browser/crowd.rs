//! Owns a crowd at the door: a gateway that turns claims away, and a page that keeps its place
//! until one gets through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use casting_identity::web_client;
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, Look, click, into_app, shoot, text, wait_for};

/// What the gateway does with the first claims; the rest get through.
const REFUSALS: [Refusal; 3] = [
    Refusal::Status(429),
    Refusal::Status(503),
    Refusal::LostAnswer,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The gateway's own answer.
    Status(u16),
    /// The claim is served, and the connection breaks.
    LostAnswer,
}

/// A gateway in front of the program.
#[derive(Clone)]
struct Gateway {
    program: String,
    http: reqwest::Client,
    claims: Arc<AtomicUsize>,
}

impl Gateway {
    /// Its address.
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(pass).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://localhost:{port}")
    }
}

async fn pass(State(gateway): State<Gateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let is_claim = head.method == Method::POST && head.uri.path().ends_with("/claims");
    let refusal = is_claim
        .then(|| gateway.claims.fetch_add(1, Ordering::SeqCst))
        .and_then(|count| REFUSALS.get(count).copied());
    if let Some(Refusal::Status(status)) = refusal {
        let status = StatusCode::from_u16(status).expect("a status");
        let document = json!({"message": status.canonical_reason()});
        return (status, axum::Json(document)).into_response();
    }
    let url = format!("{}{}", gateway.program, head.uri);
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let asked = gateway.http.request(head.method, url).headers(head.headers);
    let answer = asked.body(body).send().await.expect("an answer");
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = answer.status();
    *reply.headers_mut() = answer.headers().clone();
    reply.headers_mut().remove("transfer-encoding");
    let body = answer.bytes().await.expect("a body");
    if refusal == Some(Refusal::LostAnswer) {
        let lost = std::io::Error::other("lost");
        // Well after the first byte: before it, the browser itself would send the request again.
        let breaks = async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Err(lost)
        };
        let begins = stream::iter([Ok(body.slice(..1))]);
        let stream = begins.chain(stream::once(breaks));
        *reply.body_mut() = Body::from_stream(stream);
    } else {
        *reply.body_mut() = Body::from(body);
    }
    reply
}

async fn gateway(casting: &CastingProgram) -> (String, Arc<AtomicUsize>) {
    let gateway = Gateway {
        program: casting.url().to_owned(),
        http: web_client::build(Duration::from_secs(30)).expect("a client"),
        claims: Arc::default(),
    };
    (gateway.open().await, gateway.claims)
}

#[tokio::test]
async fn page_keeps_its_place_while_claims_are_turned_away() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"limit_total_sessions": true, "sessions_remaining": 5}))
        .await;
    let (url, claims) = gateway(&casting).await;
    let key = link.rsplit('/').next().expect("a key");
    let window = driver.window(DESK).await;
    let opened = format!("{url}/cast/{key}");
    window.goto(&opened).await.expect("opens");
    wait_for(&window, "#line", "Many people are coming at once").await;
    shoot(&window, "crowd").await;
    assert!(!text(&window).await.contains("Too Many Requests"));
    wait_for(&window, "#line", "The connection is lost").await;
    let at = window.current_url().await.expect("an address");
    assert_eq!(at.as_str(), opened, "the page stays");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    assert_eq!(claims.load(Ordering::SeqCst), REFUSALS.len() + 1);
    let casts = casting
        .admin(
            reqwest::Method::GET,
            &format!("casts?search={key}"),
            &json!(null),
        )
        .await;
    let remaining = &casts["items"][0]["sessions_remaining"];
    assert_eq!(remaining, 4, "one place, though a claim came twice");
    window.close().await.expect("closes");
}

#[tokio::test]
async fn refusal_is_shown_as_before_behind_a_busy_gateway() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"limit_total_sessions": true, "sessions_remaining": 1}))
        .await;
    let (url, claims) = gateway(&casting).await;
    claims.store(REFUSALS.len(), Ordering::SeqCst);
    let key = link.rsplit('/').next().expect("a key");
    let window = driver.window(DESK).await;
    // A page that was opened while there was a place.
    window
        .goto(&format!("{url}/cast/{key}#started"))
        .await
        .expect("opens");
    let changed = json!({"sessions_remaining_add": -1});
    let casts = casting
        .admin(
            reqwest::Method::GET,
            &format!("casts?search={key}"),
            &json!(null),
        )
        .await;
    let id = casts["items"][0]["id"].as_str().expect("an id").to_owned();
    casting
        .admin(reqwest::Method::PATCH, &format!("casts/{id}"), &changed)
        .await;
    click(&window, "#start button").await;
    wait_for(&window, "h1", "All sessions are taken").await;
    let at = window.current_url().await.expect("an address");
    assert_eq!(at.as_str(), format!("{url}/cast/{key}"), "the link itself");
    window.close().await.expect("closes");
}

/// Claims a session as a program does, and gives it up at once: a queued start keeps its turn, and
/// costs this machine nothing.
async fn claim_and_leave(casting: &CastingProgram, key: &str) {
    let http = web_client::build(Duration::from_secs(30)).expect("a client");
    let described = http.get(format!("{}/api/casts/{key}", casting.url()));
    let described = described.send().await.expect("an answer");
    let described: Value = described.json().await.expect("a document");
    let claimed = http.post(format!("{}/cast/{key}/claims", casting.url()));
    let claimed = claimed
        .header("accept", "application/json")
        .json(&json!({"ticket": described["ticket"]}));
    let claimed = claimed.send().await.expect("an answer");
    assert_eq!(claimed.status(), StatusCode::ACCEPTED);
    let claimed: Value = claimed.json().await.expect("a document");
    let session = claimed["session_id"].as_str().expect("an id");
    let ended = http
        .post(format!("{}/session/{session}/end", casting.url()))
        .header("accept", "application/json")
        .bearer_auth(claimed["session_token"].as_str().expect("a token"));
    let ended = ended.send().await.expect("an answer");
    assert!(ended.status().is_success(), "{}", ended.status());
}

#[tokio::test]
async fn visitor_waits_in_the_start_queue_and_gets_in() {
    let driver = Driver::start().await;
    let casting = CastingProgram::with(&["--starts-per-second", "1"]).await;
    // A session that was started ahead of its visitor would be there at once.
    let get = reqwest::Method::GET;
    let pools = casting.admin(get, "staging-configs", &json!(null)).await;
    let pool = pools["items"][0]["id"].as_str().expect("an id");
    let (patch, path) = (reqwest::Method::PATCH, format!("staging-configs/{pool}"));
    casting
        .admin(patch, &path, &json!({"enabled": false}))
        .await;
    let link = casting.link(&json!({})).await;
    let key = link.rsplit('/').next().expect("a key");
    // All at once, so that the queue is long however slow this machine is.
    futures_util::future::join_all((0..30).map(|_| claim_and_leave(&casting, key))).await;
    let phone = Look {
        phone: true,
        ..DESK
    };
    let window = driver.window(phone).await;
    window.goto(&link).await.expect("opens");
    wait_for(
        &window,
        "#queued",
        "Many sessions are starting at this moment",
    )
    .await;
    shoot(&window, "start-queue").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    window.close().await.expect("closes");
}
