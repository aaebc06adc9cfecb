//! Owns the hostile app in the layout of a Fargate task, made by hand: an init container installs
//! the gate into a volume, and the app's container starts with it, read-only and without rights.
//! Skipped, with the reason on stderr, where there can be no Docker engine.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use casting_core::ids::SessionId;
use casting_core::keys::{Keyring, SessionSecret};
use casting_core::session_origin::SessionOrigin;
use casting_core::ticket::{Role, SessionTicket};
use casting_core::time::Timestamp;
use casting_gate::credentials::EdgeAssertion;
use casting_tests::binaries;
use casting_tests::engine::Engine;
use casting_tests::processes::soon;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::containers::{copy_program, with_engine};

/// The gate alone, as `infra/gate.Dockerfile` makes it, and the hostile app beside its libraries.
const GATE_IMAGE: &str = "casting-test-gate:1";
const APP_IMAGE: &str = "casting-test-app:1";
const SECRET: &str = "the-secret-of-this-gate";
const TOKEN: &str = "good-for-one-exchange";
const GATE_PORT: u16 = 8900;

/// What a control plane hears from a gate.
#[derive(Default)]
struct Heard {
    exchanges: u32,
    is_ready: bool,
}

type Shared = Arc<Mutex<Heard>>;

/// A control plane on all addresses of this machine; gives its port.
async fn control_plane(heard: Shared) -> u16 {
    let exchange = async |State(heard): State<Shared>, headers: HeaderMap| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.exchanges += 1;
        let is_token = headers["authorization"] == format!("Bearer {TOKEN}");
        if heard.exchanges == 1 && is_token {
            (StatusCode::OK, Json(json!({ "secret": SECRET })))
        } else {
            (StatusCode::FORBIDDEN, Json(Value::Null))
        }
    };
    let report = async |State(heard): State<Shared>, Json(report): Json<Value>| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_ready |= report["is"] == "ready";
        Json(json!({}))
    };
    let router = Router::new()
        .route("/session/{id}/bootstrap", post(exchange))
        .route("/session/{id}/reports", post(report))
        .with_state(heard);
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn make_images(engine: &Engine) {
    let gate = tempfile::tempdir().expect("a folder");
    copy_program(&binaries::path("gate"), gate.path());
    assert!(engine.import(gate.path(), "ENTRYPOINT [\"/bin/gate\"]", GATE_IMAGE));
    let app = tempfile::tempdir().expect("a folder");
    copy_program(&binaries::path("gate"), app.path());
    std::fs::remove_file(app.path().join("bin/gate")).expect("removed");
    copy_program(&binaries::path("hostile-app"), app.path());
    assert!(engine.import(app.path(), "CMD [\"/bin/hostile-app\"]", APP_IMAGE));
}

/// A request to the gate as its edge makes it for the session's owner.
async fn read(url: &str, session: &SessionId) -> (u16, String) {
    let ticket = SessionTicket {
        session: session.clone(),
        role: Role::Owner,
        watcher: None,
        origin: Some(SessionOrigin::App),
        host: "127.0.0.1".into(),
        port: GATE_PORT,
        expires: Timestamp::from_millis(i64::MAX / 2),
    };
    let ticket = ticket.sign(Keyring::new(&[3; 32]).sessions().named(""));
    let told = EdgeAssertion {
        visitor: SessionTicket::payload(&ticket).to_owned(),
        ..EdgeAssertion::default()
    };
    let mut headers = HeaderMap::new();
    told.put(&mut headers, &SessionSecret::from_text(SECRET.to_owned()));
    let limit = std::time::Duration::from_secs(60);
    let http = casting_identity::web_client::build(limit).expect("a client");
    let answer = http.get(url).headers(headers).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn hostile_app_gets_nothing_in_a_task_by_hand() {
    let Some((engine, _in_use)) = with_engine().await else {
        return;
    };
    make_images(engine);
    let heard = Shared::default();
    let control = control_plane(heard.clone()).await;
    // The engine's own network is the machine's: another engine that starts takes it away.
    let network = "casting-test-task";
    engine.docker(&["network", "create", network]);
    let gateway = "{{(index .IPAM.Config 0).Gateway}}";
    let gateway = engine.says(&["network", "inspect", network, "-f", gateway]);
    let (volume, name) = ("casting-test-task", "casting-test-task-app");
    let installed = engine.docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--volume",
        &format!("{volume}:/casting"),
        GATE_IMAGE,
        "install",
        "/casting",
    ]);
    assert!(installed.status.success(), "{installed:?}");

    let session = SessionId::from_bytes([7; 16]);
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let targets = json!({
        "paths": ["/casting", "/proc/1/mem", "/proc/1/environ", "/proc/1/maps", "/proc/1/fd"],
        "processes": [1],
        "victims": [1],
        "secrets": [backwards(SECRET), backwards(TOKEN)],
    });
    let environment = [
        format!("CAST_SESSION_ID={}", session.as_str()),
        format!("CAST_BOOTSTRAP_TOKEN={TOKEN}"),
        format!("CAST_REPORT_URL=http://{gateway}:{control}"),
        "CAST_TIME_LIMIT_SECONDS=600".to_owned(),
        format!("CAST_GATE_LISTEN=0.0.0.0:{GATE_PORT}"),
        format!("TARGETS={targets}"),
    ];
    let mounted = format!("{volume}:/casting:ro");
    let mut arguments = vec![
        "run",
        "--detach",
        "--network",
        network,
        "--name",
        name,
        "--user",
        "12345",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--ulimit",
        "core=0",
        "--volume",
        &mounted,
        "--entrypoint",
        "/casting/gate",
    ];
    for pair in &environment {
        arguments.extend(["--env", pair.as_str()]);
    }
    arguments.extend([APP_IMAGE, "run", "--", "/bin/hostile-app"]);
    let started = engine.docker(&arguments);
    let is_ready = started.status.success()
        && soon(async || {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.is_ready
        })
        .await;
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = engine.says(&["inspect", "-f", address, name]);
    let url = format!("http://{address}:{GATE_PORT}/report");
    let answer = if is_ready {
        Some(read(&url, &session).await)
    } else {
        None
    };
    let log = engine.docker(&["logs", name]);
    engine.docker(&["rm", "--force", name]);
    engine.docker(&["volume", "rm", "--force", volume]);
    engine.docker(&["network", "rm", network]);
    assert!(is_ready, "{started:?}: {log:?}");
    let (status, text) = answer.expect("an answer");
    assert_eq!(status, 200, "{text}");
    let attempts: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert!(attempts.len() > 40, "{} attempts", attempts.len());
    // What is its own it may look at and end: its container's files and ports, its gate's name.
    // Which addresses answer is up to the network; a task's metadata holds no secret.
    let own = [
        "open /sys/",
        "open /casting",
        "reach other ports",
        "find something",
        "send by UDP",
        "see process 1",
        "signal process 1",
        "connect to 169.254.",
    ];
    let breaches: Vec<&Value> = attempts
        .iter()
        .filter(|attempt| attempt["refused"] == false)
        .filter(|attempt| {
            let name = attempt["attempt"].as_str().expect("a name");
            !own.iter().any(|own| name.starts_with(own))
        })
        .collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
    for tried in [
        "open /proc/1/environ",
        "open /proc/1/mem",
        "trace process 1",
    ] {
        let was_tried = |attempt: &Value| attempt["attempt"] == tried;
        assert!(attempts.iter().any(was_tried), "{tried}");
    }
    assert_eq!(heard.lock().expect("no panic").exchanges, 1);
}

#[tokio::test]
async fn volume_for_shared_memory_is_opened_without_rights() {
    let Some((engine, _in_use)) = with_engine().await else {
        return;
    };
    make_images(engine);
    let (gate, memory) = (tempfile::tempdir(), tempfile::tempdir());
    let (gate, memory) = (gate.expect("a folder"), memory.expect("a folder"));
    let mounts = [
        format!("{}:/casting", gate.path().display()),
        format!("{}:/dev/shm", memory.path().display()),
    ];
    let mut arguments = vec![
        "run",
        "--rm",
        "--network",
        "none",
        "--read-only",
        "--cap-drop",
        "ALL",
    ];
    for mount in &mounts {
        arguments.extend(["--volume", mount.as_str()]);
    }
    arguments.extend([GATE_IMAGE, "install", "/casting", "--open", "/dev/shm"]);
    let installed = engine.docker(&arguments);
    assert!(installed.status.success(), "{installed:?}");
    assert!(gate.path().join("gate").is_file());
    let mode = std::fs::metadata(memory.path())
        .expect("there")
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o1777, "as /tmp is");
}
