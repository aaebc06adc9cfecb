//! Owns the check that an API keeps to its own OpenAPI document: requests made up from it, the same
//! in every run, by schemathesis. What counts as wrong stands in
//! `tests/schemathesis/schemathesis.toml`. Must not know what the document says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::Path as PathSegment;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use casting_tests::program::Program;
use serde_json::{Value, json};
use tokio::process::Command;

/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(1_500);

/// Lets schemathesis ask what the document at this address describes, with this key.
///
/// # Errors
/// Its report, when something is not as the document says.
async fn keeps_to_its_document(url: &str, key: &str) -> Result<(), String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = here.join("../target/venv-schemathesis/bin/schemathesis");
    assert!(
        program.is_file(),
        "{} is not there; ./test.sh puts it there",
        program.display()
    );
    let scratch = Scratch::new(url);
    let mut command = Command::new(program.canonicalize().expect("a path"));
    command
        .arg("--config-file")
        .arg(here.join("schemathesis/schemathesis.toml"))
        .args(["run", url, "--no-color"]);
    command
        .env("CASTING_KEY", key)
        .current_dir(&scratch.0)
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .expect("ends in time")
        .expect("runs");
    let report = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        Ok(())
    } else {
        Err(report)
    }
}

/// Where it may keep what it likes; deleted at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(url: &str) -> Self {
        let name: String = url.chars().filter(char::is_ascii_digit).collect();
        let path =
            std::env::temp_dir().join(format!("casting-test-{}-api-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const KEY: &str = "a-key";

/// What an API does that its document does not say.
#[derive(Clone, Copy, PartialEq)]
enum Slip {
    None,
    /// A number comes as a text.
    Type,
    /// Requests without a key are accepted.
    Key,
    /// It breaks down.
    Fault,
}

/// An API of one operation. Returns the address of its document.
async fn serve(slip: Slip) -> String {
    let read = move |PathSegment(id): PathSegment<String>, headers: HeaderMap| async move {
        let problem =
            |status: StatusCode| (status, Json(json!({"status": status.as_u16()}))).into_response();
        if slip != Slip::Key
            && headers
                .get("authorization")
                .is_none_or(|value| value != format!("Bearer {KEY}").as_str())
        {
            return problem(StatusCode::UNAUTHORIZED);
        }
        match id.parse::<u32>().ok().filter(|id| (1..=9).contains(id)) {
            None => problem(StatusCode::NOT_FOUND),
            Some(_) if slip == Slip::Fault => problem(StatusCode::INTERNAL_SERVER_ERROR),
            Some(id) => Json(
                json!({"id": if slip == Slip::Type { json!(id.to_string()) } else { json!(id) }}),
            )
            .into_response(),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "http://{}/openapi.json",
        listener.local_addr().expect("an address")
    );
    let router = Router::new()
        .route("/openapi.json", get(|| async { Json(document()) }))
        .route("/things/{id}", get(read));
    tokio::spawn(async move { axum::serve(listener, router.fallback(not_found)).await });
    url
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"status": 404}))).into_response()
}

fn document() -> Value {
    let answer = |name: &str, range: Value| {
        let schema = json!({"type": "object", "properties": {name: range}, "required": [name]});
        json!({"description": name, "content": {"application/json": {"schema": schema}}})
    };
    let range = |least, most| json!({"type": "integer", "minimum": least, "maximum": most});
    let problem = answer("status", range(400, 499));
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "paths": {"/things/{id}": {"get": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": range(1, 9)}],
            "responses": {"200": answer("id", range(1, 9)), "401": problem, "404": problem},
        }}},
    })
}

#[tokio::test]
async fn schemathesis_passes_valid_and_reports_invalid_apis() {
    for (slip, words) in [
        (Slip::None, None),
        (Slip::Type, Some("Response violates schema")),
        (Slip::Key, Some("without authentication")),
        (Slip::Fault, Some("Server error")),
    ] {
        let outcome = keeps_to_its_document(&serve(slip).await, KEY).await;
        match words {
            None => assert_eq!(outcome, Ok(())),
            Some(words) => assert!(
                outcome.as_ref().is_err_and(|report| report.contains(words)),
                "{words}: {outcome:?}"
            ),
        }
    }
}

#[tokio::test]
async fn admin_api_passes_schemathesis() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    // A run asks more than a person, and shows wrong keys on purpose.
    let settings = json!({"attempts_per_minute": 100_000, "calls_per_minute": 1_000_000});
    let http = casting_identity::web_client::build(Duration::from_secs(10)).expect("a client");
    let changed = http
        .patch(format!("{}/api/admin/settings", program.url))
        .bearer_auth(&program.key)
        .json(&settings)
        .send()
        .await;
    assert!(
        changed.is_ok_and(|answer| answer.status().is_success()),
        "the limits are raised"
    );
    let outcome = keeps_to_its_document(
        &format!("{}/api/admin/openapi.json", program.url),
        &program.key,
    )
    .await;
    assert_eq!(
        outcome,
        Ok(()),
        "{}",
        outcome.clone().err().unwrap_or_default()
    );
}
