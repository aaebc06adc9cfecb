//! Owns the functions as Lambda runs them: each binary takes recorded events from a Runtime API and
//! answers them.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use casting_boot::SystemClock;
use casting_core::ids::SessionId;
use casting_core::ports::Saved;
use casting_core::session::Endpoint;
use casting_core::time::Clock;
use casting_local::stack::Stack;
use casting_tests::binaries;
use casting_tests::instance::{environment, event, invocation, simulated_stack};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// A Runtime API: hands out events, and passes on what the function made of them.
#[derive(Clone)]
struct Runtime {
    events: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>>,
    answers: mpsc::UnboundedSender<(String, Value)>,
    served: Arc<AtomicUsize>,
}

async fn next(State(runtime): State<Runtime>) -> impl IntoResponse {
    let event = runtime.events.lock().await.recv().await;
    let Some(event) = event else {
        return std::future::pending().await;
    };
    let served = runtime.served.fetch_add(1, Ordering::Relaxed) + 1;
    (invocation(served), event.to_string())
}

async fn answer(
    State(runtime): State<Runtime>,
    Path((_, kind)): Path<(String, String)>,
    body: Bytes,
) -> impl IntoResponse {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let _ = runtime.answers.send((kind, body));
    (axum::http::StatusCode::ACCEPTED, "{}")
}

/// A function that runs.
struct Function {
    _child: Child,
    events: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<(String, Value)>,
}

impl Function {
    async fn start(name: &str, environment: &[(String, String)]) -> Self {
        let (events, incoming) = mpsc::unbounded_channel();
        let (outgoing, answers) = mpsc::unbounded_channel();
        let runtime = Runtime {
            events: Arc::new(tokio::sync::Mutex::new(incoming)),
            answers: outgoing,
            served: Arc::default(),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
            .with_state(runtime);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let child = command(name)
            .envs(environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .spawn()
            .expect("starts");
        Self {
            _child: child,
            events,
            answers,
        }
    }

    async fn invoke(&mut self, event: Value) -> (String, Value) {
        self.events.send(event).expect("the function runs");
        tokio::time::timeout(Duration::from_secs(20), self.answers.recv())
            .await
            .expect("answers in time")
            .expect("answers")
    }
}

fn command(name: &str) -> Command {
    let mut command = Command::new(binaries::path(name));
    command
        .env_clear()
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What the functions need: tables and a cluster of a stack on this machine.
async fn backend() -> (Stack, Vec<(String, String)>) {
    let stack = simulated_stack().await.expect("a stack");
    let far = stack.endpoints.as_ref().expect("open endpoints");
    let environment = environment(&stack, &far.dynamodb_url, &far.ecs_url);
    (stack, environment)
}

#[tokio::test]
async fn every_function_answers_events_through_the_runtime_api() {
    let (stack, environment) = backend().await;
    let key = stack.admin_key.clone();
    let program = json!({"accept": "application/json", "content-type": "application/json"});
    let mut cast = Function::start("cast", &environment).await;
    let (kind, page) = cast
        .invoke(event(
            "GET",
            "/cast/welcome",
            &json!({"accept": "text/html"}),
            None,
        ))
        .await;
    assert_eq!(
        (kind.as_str(), page["statusCode"].as_u64()),
        ("response", Some(200)),
        "{page}"
    );
    assert!(
        page["body"]
            .as_str()
            .expect("a page")
            .contains("name=\"ticket\"")
    );
    let (_, described) = cast
        .invoke(event("GET", "/api/casts/welcome", &program, None))
        .await;
    let ticket = serde_json::from_str::<Value>(described["body"].as_str().expect("a body"))
        .expect("JSON")["ticket"]
        .clone();
    let (_, claimed) = cast
        .invoke(event(
            "POST",
            "/cast/welcome/claims",
            &program,
            Some(&json!({"ticket": ticket}).to_string()),
        ))
        .await;
    assert_eq!(claimed["statusCode"], 202, "{claimed}");
    let claimed: Value =
        serde_json::from_str(claimed["body"].as_str().expect("a body")).expect("JSON");
    let (_, head) = cast
        .invoke(event("HEAD", "/cast/welcome", &json!({}), None))
        .await;
    assert!(
        head["statusCode"] == 200 && head["body"].as_str().is_none_or(str::is_empty),
        "{head}"
    );

    // Some gateways decode queries, and programs send what no browser would.
    for query in ["x=a b+c", "x=<b>", "x=\u{7f}\u{fc}", "%zz&=&&"] {
        let mut odd = event(
            "GET",
            "/cast/welcome",
            &json!({"accept": "text/html"}),
            None,
        );
        odd["rawQueryString"] = query.into();
        let (kind, page) = cast.invoke(odd).await;
        assert_eq!(
            (kind.as_str(), &page["statusCode"]),
            ("response", &json!(200)),
            "{query}"
        );
    }

    // What is no event at all is an error, and the function lives on.
    let (kind, _) = cast.invoke(json!({"hello": "world"})).await;
    assert_eq!(kind, "error");
    assert_eq!(
        cast.invoke(event("GET", "/cast/nosuchkey", &program, None))
            .await
            .1["statusCode"],
        404
    );

    let mut session = Function::start("session", &environment).await;
    let id = claimed["session_id"].as_str().expect("an id");
    let owner = json!({"authorization": format!("Bearer {}", claimed["session_token"].as_str().expect("a token")), "accept": "application/json"});
    let (_, status) = session
        .invoke(event("GET", &format!("/session/{id}/status"), &owner, None))
        .await;
    assert_eq!(status["statusCode"], 200, "{status}");

    let mut admin = Function::start("admin", &environment).await;
    let (_, list) = admin
        .invoke(event(
            "GET",
            "/api/admin/casts",
            &json!({"authorization": format!("Bearer {key}")}),
            None,
        ))
        .await;
    assert!(
        list["statusCode"] == 200 && list["body"].as_str().expect("a body").contains("welcome"),
        "{list}"
    );
    let (_, stranger) = admin
        .invoke(event("GET", "/api/admin/casts", &json!({}), None))
        .await;
    assert_eq!(stranger["statusCode"], 401);

    let mut auth = Function::start("auth", &environment).await;
    assert_eq!(
        auth.invoke(event("GET", "/login/me", &program, None))
            .await
            .1["statusCode"],
        401
    );
    let (_, unset) = auth.invoke(event("GET", "/login", &program, None)).await;
    assert!(
        unset["statusCode"] == 503
            && unset["body"]
                .as_str()
                .expect("a body")
                .contains("login-unavailable"),
        "{unset}"
    );

    let mut error = Function::start("error", &environment).await;
    let (_, page) = error
        .invoke(event(
            "GET",
            "/error/ip-limit",
            &json!({"accept": "text/html"}),
            None,
        ))
        .await;
    assert_eq!(page["statusCode"], 429);
    assert_eq!(
        error
            .invoke(event("GET", "/anything", &json!({}), None))
            .await
            .1["statusCode"],
        404
    );

    let mut lifecycle = Function::start("lifecycle", &environment).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/lifecycle/events");
    for entry in std::fs::read_dir(folder).expect("recorded events") {
        let path = entry.expect("an entry").path();
        let event: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let broken = path.ends_with("task_without_detail.json");
        let (kind, body) = lifecycle.invoke(event).await;
        assert!(
            kind == "response" || broken,
            "{}: {kind} {body}",
            path.display()
        );
    }
    Box::pin(stack.stop()).await;
}

#[tokio::test]
async fn missing_variable_is_named_at_startup() {
    for name in ["cast", "session", "admin", "auth", "lifecycle"] {
        let output = tokio::time::timeout(
            Duration::from_secs(20),
            command(name)
                .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
                .output(),
        );
        let output = output.await.expect("ends in time").expect("runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !output.status.success() && said.contains("CASTING_PUBLIC_URL is not set."),
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn functions_tell_a_gate_that_its_session_was_stopped() {
    let (stack, mut environment) = backend().await;
    // Stands for the edge and all gates: it notes which path was asked for.
    let (asked, mut paths) = mpsc::unbounded_channel();
    let edge = Router::new().fallback(move |request: axum::extract::Request| {
        let _ = asked.send(request.uri().path().to_owned());
        std::future::ready("")
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let at = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, edge).await });
    for (name, value) in &mut environment {
        if name == "CASTING_SESSION_URL" {
            *value = format!("http://{at}/s/{{session}}");
        }
    }
    let program = json!({"accept": "application/json", "content-type": "application/json"});
    let mut cast = Function::start("cast", &environment).await;
    let store = &stack.control_plane.store;
    for name in ["admin", "session"] {
        let (_, described) = cast
            .invoke(event("GET", "/api/casts/welcome", &program, None))
            .await;
        let read = |answer: &Value| -> Value {
            serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
        };
        let ticket = json!({"ticket": read(&described)["ticket"]}).to_string();
        let (_, claimed) = cast
            .invoke(event(
                "POST",
                "/cast/welcome/claims",
                &program,
                Some(&ticket),
            ))
            .await;
        let claimed = read(&claimed);
        let id = claimed["session_id"].as_str().expect("an id").to_owned();
        let parsed = SessionId::parse(&id).expect("an id");
        let mut is_ready = false;
        for _ in 0..50 {
            let before = store
                .session(&parsed)
                .await
                .expect("answers")
                .expect("a row");
            let endpoint = Endpoint {
                host: "192.0.2.9".into(),
                port: 8090,
            };
            let after = before
                .ready(endpoint, SystemClock.now())
                .expect("can be ready");
            // News of its task may come first.
            is_ready = store.save_session(&before, &after).await.expect("answers") == Saved::Done;
            if is_ready {
                break;
            }
        }
        assert!(is_ready);
        let (path, token) = match name {
            "admin" => (
                format!("/api/admin/sessions/{id}/stop"),
                stack.admin_key.clone(),
            ),
            _ => (
                format!("/session/{id}/end"),
                claimed["session_token"]
                    .as_str()
                    .expect("a token")
                    .to_owned(),
            ),
        };
        let mut function = Function::start(name, &environment).await;
        let caller = json!({"authorization": format!("Bearer {token}"), "accept": "application/json", "content-type": "application/json"});
        let (_, stopped) = function
            .invoke(event("POST", &path, &caller, Some("{}")))
            .await;
        assert_eq!(stopped["statusCode"], 200, "{name}: {stopped}");
        let told = tokio::time::timeout(Duration::from_secs(5), paths.recv()).await;
        assert_eq!(told, Ok(Some(format!("/s/{id}/.cast/refresh"))), "{name}");
    }
    Box::pin(stack.stop()).await;
}

/// Secrets Manager with these texts by ARN. It notes which were asked for.
async fn secrets_manager(
    texts: &'static [(&'static str, &'static str)],
) -> (String, mpsc::UnboundedReceiver<String>) {
    let (asked, arns) = mpsc::unbounded_channel();
    let answer = move |request: axum::extract::Request| {
        let asked = asked.clone();
        async move {
            let target = request.headers().get("x-amz-target").cloned();
            assert_eq!(
                target.expect("an operation"),
                "secretsmanager.GetSecretValue"
            );
            let body = axum::body::to_bytes(request.into_body(), 1 << 16).await;
            let body: Value = serde_json::from_slice(&body.expect("a body")).expect("JSON");
            let arn = body["SecretId"].as_str().expect("an ARN").to_owned();
            let text = texts.iter().find(|(known, _)| *known == arn);
            let _ = asked.send(arn);
            match text {
                Some((arn, text)) => (
                    axum::http::StatusCode::OK,
                    json!({"ARN": arn, "SecretString": text}).to_string(),
                ),
                None => (
                    axum::http::StatusCode::BAD_REQUEST,
                    json!({"__type": "ResourceNotFoundException", "Message": "no such secret"})
                        .to_string(),
                ),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, arns)
}

const SIGNING: &str = "arn:aws:secretsmanager:local:1:secret:signing";
const ADMIN: &str = "arn:aws:secretsmanager:local:1:secret:admin";

#[tokio::test]
async fn keys_are_read_from_secrets_manager_once() {
    const ADMIN_KEY: &str = "an-admin-key-of-more-than-32-letters";
    const SIGNING_KEY: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
    let (stack, mut environment) = backend().await;
    let (url, mut asked) = secrets_manager(&[(SIGNING, SIGNING_KEY), (ADMIN, ADMIN_KEY)]).await;
    environment.retain(|(name, _)| name != "CASTING_SIGNING_KEY" && name != "CASTING_ADMIN_KEY");
    for (name, value) in [
        ("CASTING_SIGNING_KEY_ARN", SIGNING),
        ("CASTING_SIGNING_KEY_PREVIOUS_ARN", ""),
        ("CASTING_ADMIN_KEY_ARN", ADMIN),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
    ] {
        environment.push((name.to_owned(), value.to_owned()));
    }
    let mut admin = Function::start("admin", &environment).await;
    for (key, expected) in [
        (ADMIN_KEY, 200),
        ("a-wrong-key-of-more-than-32-letters", 401),
    ] {
        let headers = json!({"authorization": format!("Bearer {key}")});
        let event = event("GET", "/api/admin/casts", &headers, None);
        let (_, answer) = admin.invoke(event).await;
        assert_eq!(answer["statusCode"], expected, "{answer}");
    }
    let mut arns = Vec::new();
    while let Ok(arn) = asked.try_recv() {
        arns.push(arn);
    }
    arns.sort();
    assert_eq!(arns, [ADMIN, SIGNING], "each once");
    Box::pin(stack.stop()).await;
}

#[tokio::test]
async fn secret_that_cannot_be_read_is_named_at_startup() {
    let (stack, mut environment) = backend().await;
    let (url, _asked) = secrets_manager(&[(ADMIN, "an-admin-key-of-more-than-32-letters")]).await;
    environment.retain(|(name, _)| name != "CASTING_SIGNING_KEY");
    for (name, value) in [
        ("CASTING_SIGNING_KEY_ARN", SIGNING),
        ("CASTING_ADMIN_KEY_ARN", ADMIN),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
    ] {
        environment.push((name.to_owned(), value.to_owned()));
    }
    let mut command = command("admin");
    let command = command
        .envs(environment)
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .stdout(Stdio::piped());
    let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await;
    let output = output.expect("ends in time").expect("runs");
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(
        log.contains("CASTING_SIGNING_KEY_ARN names a secret that cannot be read")
            && log.contains("ResourceNotFoundException"),
        "{log}"
    );
    assert!(!log.contains("an-admin-key"), "{log}");
    Box::pin(stack.stop()).await;
}
