//! How fast the gate passes things on, beside nginx (when it is installed) and no proxy at all, in
//! one run: `cargo bench -p casting-gate --profile gate`. Only the ratios of one run mean
//! something: load, app and proxies share one machine. What the processor spends on a request (by
//! `/proc/PID/stat`) also compares where the machine has other work.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made has nothing to say"
)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message as AppMessage, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use casting_gate::credentials::EdgeAssertion;
use casting_protocol::ids::SessionId;
use casting_protocol::keys::Keyring;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::testing::NOON;
use casting_protocol::ticket::{Role, SessionTicket};
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const LASTS: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 32;
const PIECE: usize = 64 * 1024;

/// What is measured, and the headers that it wants.
struct Way {
    name: &'static str,
    port: u16,
    headers: Vec<(&'static str, String)>,
    process: Option<u32>,
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Says everything again; a text asks for pieces until the end.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let AppMessage::Text(_) = message {
            let piece = Bytes::from(vec![7; PIECE]);
            while socket.send(AppMessage::Binary(piece.clone())).await.is_ok() {}
        } else if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn app() -> u16 {
    let (listener, port) = listen().await;
    let body = |length: usize| Bytes::from(vec![b'x'; length]);
    let (small, large) = (body(1024), body(1 << 20));
    let router = Router::new()
        .route("/", get(|| async {}))
        .route("/1k", get(move || async move { small.clone() }))
        .route("/1m", get(move || async move { large.clone() }))
        .route(
            "/ws",
            get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }),
        );
    tokio::spawn(casting_gate::server::serve(listener, router));
    port
}

/// A gate as a process of its own, with the least of a control plane.
async fn gate(app: u16) -> (Child, Way) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let (listener, control) = listen().await;
    let hear = |State(told): State<mpsc::UnboundedSender<u16>>,
                axum::Json(report): axum::Json<serde_json::Value>| async move {
        let _ = told.send(
            report["port"]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or_default(),
        );
        StatusCode::NO_CONTENT
    };
    let session = SessionId::from_bytes([1; 16]);
    let keys = Keyring::new(&[3; 32]).sessions().clone();
    let secret = keys.secret(&session);
    let given = serde_json::json!({ "secret": secret.expose() });
    let give = async move || axum::Json(given.clone());
    tokio::spawn(casting_gate::server::serve(
        listener,
        Router::new()
            .route("/session/{id}/bootstrap", post(give))
            .route("/session/{id}/reports", post(hear))
            .with_state(told),
    ));
    let child = Command::new(env!("CARGO_BIN_EXE_gate"))
        .arg("run")
        .env("CAST_SESSION_ID", session.as_str())
        .env("CAST_BOOTSTRAP_TOKEN", "good-once")
        .env("CAST_REPORT_URL", format!("http://127.0.0.1:{control}"))
        .env("CAST_TIME_LIMIT_SECONDS", "600")
        .env("CAST_APP_PORT", app.to_string())
        .env("CAST_GATE_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the gate starts");
    let port = heard.recv().await.expect("it is ready");
    let ticket = SessionTicket {
        session,
        role: Role::Owner,
        watcher: None,
        origin: Some(SessionOrigin::App),
        host: "127.0.0.1".into(),
        port,
        expires: NOON.plus_seconds(100 * 365 * 86_400),
    };
    let told = EdgeAssertion {
        visitor: SessionTicket::payload(&ticket.sign(keys.named(""))).to_owned(),
        ..EdgeAssertion::default()
    };
    let mut told_headers = HeaderMap::new();
    told.put(&mut told_headers, &secret);
    let told = |name: &'static str| {
        let value = told_headers[name].to_str().expect("text");
        (name, value.to_owned())
    };
    let headers = vec![told("x-cast-edge-proof"), told("x-cast-edge-visitor")];
    let process = child.id();
    (
        child,
        Way {
            name: "gate",
            port,
            headers,
            process,
        },
    )
}

/// An nginx that ends with its workers: a master that is killed leaves them behind.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

async fn nginx(app: u16) -> Option<(Nginx, Way)> {
    let (listener, port) = listen().await;
    drop(listener);
    let folder = std::env::temp_dir().join(format!("casting-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let settings = format!(
        "daemon off; master_process on; worker_processes auto; error_log /dev/null; pid {0}/pid; events {{ worker_connections 1024; }}
         http {{ access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
           upstream app {{ server 127.0.0.1:{app}; keepalive 64; }}
           map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
           server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000000;
             location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
               proxy_set_header Connection $connection_upgrade; proxy_set_header Host $host; }} }} }}",
        folder.display()
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, settings).expect("can be written");
    let nginx = Command::new("nginx")
        .arg("-c")
        .arg(&path)
        .stderr(Stdio::null())
        .spawn()
        .ok()
        .map(Nginx)?;
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            let process = nginx.0.id();
            return Some((
                nginx,
                Way {
                    name: "nginx",
                    port,
                    headers: Vec::new(),
                    process,
                },
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// One connection's requests after one another; how many bodies of this length came back.
async fn ask_on(port: u16, request: String, length: usize, until: Instant) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("connects");
    stream.set_nodelay(true).expect("an option");
    let (mut buffer, mut count) = (vec![0; 256 * 1024], 0);
    while Instant::now() < until {
        stream.write_all(request.as_bytes()).await.expect("sent");
        let (mut have, mut wanted) = (0, usize::MAX);
        let mut head = Vec::new();
        while have < wanted {
            let read = stream.read(&mut buffer).await.expect("an answer");
            assert!(read > 0, "the connection was closed");
            have += read;
            if wanted == usize::MAX {
                head.extend_from_slice(&buffer[..read]);
                if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                    assert!(
                        head.starts_with(b"HTTP/1.1 200"),
                        "{}",
                        String::from_utf8_lossy(&head[..end])
                    );
                    wanted = end + 4 + length;
                }
            }
        }
        count += 1;
    }
    count
}

async fn requests(way: &Way, path: &str, length: usize) -> f64 {
    let headers: String = way
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    let begun = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(ask_on(way.port, request.clone(), length, begun + LASTS)))
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("no panic");
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn socket(way: &Way) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let mut request = "ws://localhost/ws"
        .into_client_request()
        .expect("a request");
    request
        .headers_mut()
        .insert("origin", "http://localhost".parse().expect("a value"));
    for (name, value) in &way.headers {
        request
            .headers_mut()
            .insert(*name, value.parse().expect("a value"));
    }
    let stream = TcpStream::connect(("127.0.0.1", way.port))
        .await
        .expect("connects");
    stream.set_nodelay(true).expect("an option");
    tokio_tungstenite::client_async(request, stream)
        .await
        .expect("a socket")
        .0
}

/// The median time of a small message there and back, in microseconds.
async fn round_trip(way: &Way) -> f64 {
    let mut socket = socket(way).await;
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        let sent = Instant::now();
        socket
            .send(Message::binary(vec![1; 32]))
            .await
            .expect("sent");
        socket.next().await.expect("a message").expect("no error");
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What arrives of an endless stream of pieces, in MB/s.
async fn throughput(way: &Way) -> f64 {
    let mut socket = socket(way).await;
    socket.send(Message::text("go")).await.expect("sent");
    let (begun, mut bytes) = (Instant::now(), 0);
    while begun.elapsed() < LASTS {
        bytes += socket
            .next()
            .await
            .expect("a message")
            .expect("no error")
            .len();
    }
    bytes as f64 / begun.elapsed().as_secs_f64() / 1e6
}

/// What a process and its children have used of the processor, in seconds.
fn processor_time(process: u32) -> Option<f64> {
    /// Clock ticks in a second, the same on all Linux machines of today.
    const TICKS: f64 = 100.0;
    let own = |process: u32| {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // After the name, which may hold anything: user and system time are fields 14 and 15.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    };
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap_or_default();
    let ticks = children
        .split_whitespace()
        .filter_map(|child| own(child.parse().ok()?))
        .sum::<f64>();
    Some((own(process)? + ticks) / TICKS)
}

/// The private memory of a process, in MiB.
fn memory(process: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let private: u64 = text
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    Some(private as f64 / 1024.0)
}

#[tokio::main]
async fn main() {
    let app = app().await;
    let (_gate, gate) = gate(app).await;
    let idle = gate.process.and_then(memory);
    let nginx = nginx(app).await;
    let direct = Way {
        name: "direct",
        port: app,
        headers: Vec::new(),
        process: None,
    };
    println!(
        "| way | 1 KB requests/s | processor for one, µs | 1 MB bodies, MB/s | WebSocket round trip, µs | WebSocket stream, MB/s |"
    );
    println!("|---|---|---|---|---|---|");
    for way in [
        Some(&direct),
        nginx.as_ref().map(|(_, way)| way),
        Some(&gate),
    ]
    .into_iter()
    .flatten()
    {
        let used = || way.process.and_then(processor_time);
        let (before, small) = (used(), requests(way, "/1k", 1024).await);
        let each = match (before, used()) {
            (Some(before), Some(after)) => {
                let seconds = (after - before) / (small * LASTS.as_secs_f64());
                format!("{:.0}", seconds * 1e6)
            }
            _ => "–".to_owned(),
        };
        let large = requests(way, "/1m", 1 << 20).await;
        let (trip, stream) = (round_trip(way).await, throughput(way).await);
        println!(
            "| {} | {small:.0} | {each} | {:.0} | {trip:.0} | {stream:.0} |",
            way.name,
            large * (1 << 20) as f64 / 1e6
        );
    }
    if let (Some(idle), Some(after)) = (idle, gate.process.and_then(memory)) {
        println!(
            "\nA gate has {idle:.1} MiB of its own before the first visitor, and {after:.1} MiB after all of the above."
        );
    }
}
