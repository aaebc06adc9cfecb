//! Measures what the first visitor of a new function instance waits for: from the start of the
//! program to its first question for an event, and to its answer to a first claim, with every call
//! over TLS. Each program is started anew many times, in turns with the others.
//!
//! DynamoDB is the local stack's and ECS answers at once with a task that is none; both stand
//! behind TLS on loopback, under a certificate that is made up for the run. Programs trust it by
//! `AWS_CA_BUNDLE`, or by `SSL_CERT_FILE` where they look at the system's.
//!
//! `cargo bench -p casting-tests --bench first_claim --profile gate -- PROGRAM...`; see
//! docs/performance.md.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use casting_local::stack::Stack;
use casting_tests::instance::{environment, event, invocation, simulated_stack};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// How often each program is started.
const STARTS: usize = 30;

#[tokio::main]
async fn main() {
    let programs: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    if programs.is_empty() {
        println!("Name the programs to be measured.");
        return;
    }
    let stack = simulated_stack().await.expect("a stack");
    let far = Far::start(&stack).await;
    let mut environment = environment(&stack, &far.dynamodb, &far.ecs);
    let bundle = far.bundle.display().to_string();
    environment.extend([
        ("AWS_CA_BUNDLE".to_owned(), bundle.clone()),
        ("SSL_CERT_FILE".to_owned(), bundle),
    ]);
    let mut runs: Vec<Vec<Run>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..STARTS {
        for (program, runs) in programs.iter().zip(&mut runs) {
            runs.push(run(program, &environment).await);
        }
    }
    println!(
        "| program | MiB | start to ready, median ms | start to first claim, median ms | p95 \
              ms | of the processor, median ms | memory then, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (program, runs) in programs.iter().zip(&runs) {
        let at = |share: f64, of: fn(&Run) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[((values.len() - 1) as f64 * share).round() as usize]
        };
        let size = std::fs::metadata(program).expect("a program").len() as f64 / 1_048_576.0;
        let (ready, claim, late) = (
            at(0.5, |run| run.ready),
            at(0.5, |run| run.claim),
            at(0.95, |run| run.claim),
        );
        let (work, memory) = (at(0.5, |run| run.work), at(0.5, |run| run.memory));
        println!(
            "| {} | {size:.1} | {ready:.1} | {claim:.1} | {late:.1} | {work:.1} | {memory:.1} |",
            program.display()
        );
    }
    stack.stop().await;
}

/// DynamoDB and ECS of the stack, behind TLS.
struct Far {
    dynamodb: String,
    ecs: String,
    bundle: PathBuf,
}

impl Far {
    async fn start(stack: &Stack) -> Self {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let bundle = std::env::temp_dir().join(format!("casting-roots-{}.pem", std::process::id()));
        let text = data_encoding::BASE64.encode(made.cert.der());
        std::fs::write(
            &bundle,
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"),
        )
        .expect("a file");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let tls = tls
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let plain = stack.endpoints.as_ref().expect("open endpoints");
        let dynamodb = before(&plain.dynamodb_url, acceptor.clone()).await;
        Self {
            dynamodb,
            ecs: before(&plain.ecs_url, acceptor).await,
            bundle,
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.bundle);
    }
}

/// A TLS endpoint before this plain one; returns its URL.
async fn before(url: &str, acceptor: TlsAcceptor) -> String {
    let plain = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plain) = (acceptor.clone(), plain.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let (Ok(mut near), Ok(mut far)) = (
                    acceptor.accept(stream).await,
                    TcpStream::connect(plain).await,
                ) else {
                    return;
                };
                let _ = far.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    format!("https://localhost:{}", address.port())
}

/// What one start took.
struct Run {
    /// Milliseconds to the first question for an event.
    ready: f64,
    /// Milliseconds to the answer to the first claim.
    claim: f64,
    /// Milliseconds of a processor that this took; other programs on the machine hardly change it.
    work: f64,
    /// MiB that were resident then.
    memory: f64,
}

/// What the Runtime API sees of the function.
enum Step {
    Asks(Instant, tokio::sync::oneshot::Sender<Value>),
    Answers(Instant, Value),
}

/// Starts the program twice: one instance makes the ticket, and the other is measured with it.
async fn run(program: &Path, environment: &[(String, String)]) -> Run {
    let accepts = json!({"accept": "application/json", "content-type": "application/json"});
    let (_, described) = first_answer(
        program,
        environment,
        &event("GET", "/api/casts/welcome", &accepts, None),
    )
    .await;
    let body = |answer: &Value| {
        serde_json::from_str::<Value>(answer["body"].as_str().expect("a body")).expect("JSON")
    };
    let claim = json!({"ticket": body(&described)["ticket"]}).to_string();
    let (run, claimed) = first_answer(
        program,
        environment,
        &event("POST", "/cast/welcome/claims", &accepts, Some(&claim)),
    )
    .await;
    assert_eq!(
        claimed["statusCode"],
        202,
        "{}: {claimed}",
        program.display()
    );
    run
}

async fn first_answer(
    program: &Path,
    environment: &[(String, String)],
    event: &Value,
) -> (Run, Value) {
    let (steps, mut seen) = mpsc::unbounded_channel();
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
        .with_state(steps);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut command = Command::new(program);
    command
        .env_clear()
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
        .envs(environment.iter().cloned())
        .env("AWS_LAMBDA_RUNTIME_API", address);
    let began = Instant::now();
    let mut child = command.spawn().expect("starts");
    let millis = |at: Instant| at.duration_since(began).as_secs_f64() * 1000.0;
    let (mut ready, mut hand_over) = (None, Some(event.clone()));
    loop {
        let step = tokio::time::timeout(Duration::from_secs(20), seen.recv())
            .await
            .expect("answers in time")
            .expect("answers");
        match step {
            Step::Asks(at, events) => {
                ready.get_or_insert(millis(at));
                if let Some(event) = hand_over.take() {
                    let _ = events.send(event);
                }
            }
            Step::Answers(at, answer) => {
                let id = child.id().unwrap_or_default();
                let run = Run {
                    ready: ready.unwrap_or_default(),
                    claim: millis(at),
                    work: work_ms(id),
                    memory: resident_mib(id),
                };
                let _ = child.kill().await;
                server.abort();
                return (run, answer);
            }
        }
    }
}

async fn next(State(steps): State<mpsc::UnboundedSender<Step>>) -> impl IntoResponse {
    let (events, event) = tokio::sync::oneshot::channel();
    let _ = steps.send(Step::Asks(Instant::now(), events));
    let Ok(event) = event.await else {
        return std::future::pending().await;
    };
    (invocation(1), event.to_string())
}

async fn answer(
    State(steps): State<mpsc::UnboundedSender<Step>>,
    body: Bytes,
) -> impl IntoResponse {
    let _ = steps.send(Step::Answers(
        Instant::now(),
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    ));
    (axum::http::StatusCode::ACCEPTED, "{}")
}

/// What all threads of a process have had of a processor so far.
fn work_ms(process: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let of_thread = |path: PathBuf| {
        std::fs::read_to_string(path.join("schedstat"))
            .ok()?
            .split(' ')
            .next()?
            .parse::<f64>()
            .ok()
    };
    threads
        .filter_map(|thread| of_thread(thread.path()))
        .sum::<f64>()
        / 1_000_000.0
}

fn resident_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}
