//! Owns a day of an administrator in a browser: two hundred links and five hundred live sessions;
//! one is found by the reference that its visitor quotes, twenty links are switched off and on, and
//! all of it is taken to another deployment. Sessions have no processes here, so that it is fast.

use std::time::Duration;

use casting_core::cast::Cast;
use casting_core::excerpt::{Excerpt, Speaker};
use casting_core::ids::{CastKey, Nonce, Reference, SessionId};
use casting_core::ports::Saved;
use casting_core::session::{Endpoint, Session};
use casting_core::testing;
use casting_core::time::Timestamp;
use casting_identity::web_client;
use casting_local::stack::Stack;
use casting_tests::instance::simulated_stack_in;
use casting_tests::processes::soon;
use casting_tests::program::casting;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::admin_window::AdminWindow;
use crate::chrome::{DESK, Driver, console, shoot, wait_for};
use crate::page_audit::check_accessibility;

const SUBJECTS: [&str; 10] = [
    "Algebra",
    "Biology",
    "Chemistry",
    "Drawing",
    "English",
    "French",
    "Geography",
    "History",
    "Italian",
    "Jazz",
];
/// Links of each subject.
const ROOMS: usize = 20;
/// Sessions that live.
const LIVE: usize = 500;

/// A stack without processes, and a client of its API.
struct Desk {
    stack: Stack,
    http: Client,
}

impl Desk {
    async fn start() -> Self {
        let stack = simulated_stack_in(None).await.expect("a stack");
        let http = web_client::build(Duration::from_secs(60)).expect("a client");
        Self { stack, http }
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/admin/{path}", self.stack.url);
        let request = self.http.request(method, url).json(body);
        let answer = request.bearer_auth(&self.stack.admin_key).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("a document")
    }

    async fn cast(&self, key: &str) -> Cast {
        let key = CastKey::parse(key).expect("a key");
        let found = self.stack.control_plane.store.cast_by_key(&key).await;
        found.expect("read").expect("a cast")
    }

    /// A program claims a session of this link: its reference.
    async fn claim(&self, key: &str) -> Reference {
        let described = self.http.get(format!("{}/api/casts/{key}", self.stack.url));
        let described = described.send().await.expect("an answer");
        let described: Value = described.json().await.expect("a document");
        let claims = format!("{}/cast/{key}/claims", self.stack.url);
        let claim = self.http.post(claims);
        let claim = claim.json(&json!({ "ticket": described["ticket"] }));
        let claimed = claim.send().await.expect("an answer");
        assert_eq!(claimed.status(), 202);
        let claimed: Value = claimed.json().await.expect("a document");
        let id = claimed["session_id"].as_str().and_then(SessionId::parse);
        Reference::of(&id.expect("a session"))
    }

    /// The session of this reference, as its gate would have it: ready, with something said.
    async fn make_ready(&self, reference: &Reference) {
        let store = &self.stack.control_plane.store;
        let running = soon(async || {
            let found = store.sessions_by_reference(reference).await.expect("read");
            found.first().is_some_and(|session| session.task.is_some())
        });
        assert!(running.await, "its task is known");
        let found = store.sessions_by_reference(reference).await.expect("read");
        let before = found.first().expect("there");
        let ready = before.ready(endpoint(), self.stack.control_plane.clock.now());
        let excerpt = Excerpt::of(Speaker::App, "cannot open lesson-7.pdf");
        let after = ready.expect("gets ready").heard(excerpt.expect("lines"));
        let after = Session {
            rev: before.rev + 1,
            ..after.expect("is new")
        };
        let saved = store.save_session(before, &after).await;
        assert_eq!(saved, Ok(Saved::Done));
    }

    /// Exports everything, as `casting export` prints it.
    async fn export(&self) -> String {
        let output = casting(["export", "--url", &self.stack.url])
            .args(["--key", &self.stack.admin_key])
            .output();
        let output = output.await.expect("runs");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        // The first line says where it is from.
        let (_, document) = text.split_once('\n').expect("lines");
        document.to_owned()
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        host: "127.0.0.1".into(),
        port: 9,
    }
}

/// A session of this link that lives; nothing else knows of it.
fn live(cast: &Cast, n: usize, now: Timestamp) -> Session {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&(n as u64 + 1).to_be_bytes());
    let mut session = testing::session(cast, 1);
    session.id = SessionId::from_nonce(&cast.id, &Nonce::from_bytes(nonce));
    session.created_at = now.minus_seconds(60 + n as u64);
    let ready = session.ready(endpoint(), now.minus_seconds(30));
    ready.expect("gets ready").checked(now.plus_seconds(600))
}

/// The casts of a subject and how many of them are enabled.
async fn enabled(desk: &Desk, subject: &str) -> (usize, usize) {
    let path = format!("casts?limit=100&search={subject}");
    let found = desk.admin(Method::GET, &path, &Value::Null).await;
    let items = found["items"].as_array().cloned().expect("items");
    let on = items.iter().filter(|cast| cast["enabled"] == true).count();
    (on, items.len())
}

#[tokio::test]
async fn day_with_two_hundred_links_and_five_hundred_sessions() {
    let desk = Desk::start().await;
    let images = desk.admin(Method::GET, "images", &Value::Null).await;
    let now = desk.stack.control_plane.clock.now();
    let mut casts = Vec::new();
    for subject in SUBJECTS {
        for room in 0..ROOMS {
            let key = format!("{}-{room:02}", subject.to_lowercase());
            let document = json!({
                "name": format!("{subject} {room}"), "key": key, "image_id": images["items"][0]["id"],
                "allow_anonymous": true, "limit_total_sessions": true, "sessions_remaining": 30 + room,
            });
            desk.admin(Method::POST, "casts", &document).await;
            casts.push(desk.cast(&key).await);
        }
    }
    let sessions = (1..LIVE).map(|n| live(&casts[n % casts.len()], n, now));
    let sessions: Vec<Session> = sessions.collect();
    let imported = desk.stack.dynamodb.import_sessions(&sessions).await;
    imported.expect("are there");
    let reference = desk.claim("history-07").await;
    desk.make_ready(&reference).await;

    let driver = Driver::start().await;
    let window = driver.window(DESK).await;
    let link = format!("{}/admin/sign-in#{}", desk.stack.url, desk.stack.admin_key);
    window.goto(&link).await.expect("opens");
    wait_for(&window, "h1", "Overview").await;
    let page = AdminWindow {
        window: &window,
        url: &desk.stack.url,
    };
    page.open("/admin/sessions", "Sessions").await;
    wait_for(&window, "main table", "Live").await;
    shoot(&window, "day-sessions").await;
    check_accessibility(&window, "day-sessions").await;

    // The visitor on the telephone quotes what their page says.
    page.open(&format!("/admin/find?q={reference}"), "").await;
    let address = window.current_url().await.expect("an address");
    if !address.path().starts_with("/admin/sessions/") {
        page.lead("main a[href^='/admin/sessions/']", "h1", "Session")
            .await;
    }
    wait_for(&window, ".facts", "History 7").await;
    wait_for(&window, "main", "cannot open lesson-7.pdf").await;
    shoot(&window, "day-session").await;
    page.fill("#text", "We look into it.").await;
    page.lead("form[action$='/message'] button", ".flash", "Message sent.")
        .await;
    page.press("Stop\u{2026}").await;
    wait_for(&window, "h1", "Stop this session?").await;
    page.fill("#line", "Please open the link again.").await;
    page.lead("main form button.danger", ".flash", "Stopping the session.")
        .await;
    wait_for(&window, ".timeline", "Ended").await;
    wait_for(&window, ".facts", "Please open the link again.").await;

    page.open("/admin/casts?search=chemistry", "Casts").await;
    wait_for(&window, "#bulk", "Select rows to act on them.").await;
    page.click("[data-all] input").await;
    wait_for(&window, "#bulk", "20 selected").await;
    page.lead("#bulk [value=disable]", ".flash", "links are disabled")
        .await;
    assert_eq!(enabled(&desk, "chemistry").await, (0, ROOMS));
    assert_eq!(enabled(&desk, "biology").await, (ROOMS, ROOMS));
    page.lead(".flash button", ".flash", "Change undone.").await;
    assert_eq!(enabled(&desk, "chemistry").await, (ROOMS, ROOMS));
    assert_eq!(console(&window).await, Vec::<String>::new());
    page.open("/admin/casts?search=chemistry", "Casts").await;
    wait_for(&window, "main table", "Chemistry 19").await;
    window.close().await.expect("closes");

    let (exported, folder) = (desk.export().await, tempfile::tempdir().expect("a folder"));
    for cast in &casts {
        let key = format!("key: {}", cast.settings.key);
        assert!(exported.contains(&key), "{key}");
    }
    let file = folder.path().join("casting.yaml");
    std::fs::write(&file, &exported).expect("written");
    let other = Desk::start().await;
    assert_ne!(other.export().await, exported);
    let applied = casting(["apply", &file.display().to_string(), "--yes", "--prune"])
        .args(["--url", &other.stack.url, "--key", &other.stack.admin_key])
        .output();
    let applied = applied.await.expect("runs");
    let said = String::from_utf8_lossy(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    assert_eq!(other.export().await, exported);
    other.stack.stop().await;
    desk.stack.stop().await;
}
