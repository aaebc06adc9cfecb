//! What visitors can make a gate hold: WebSockets, memory, connections; and that everyone who gets
//! anything of a session is listed for its owner.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use casting_gate::limits;
use casting_gate::server::{Connections, Limits};
use casting_protocol::keys::{Keyring, SessionSecret};
use casting_protocol::session_options::ViewOnly;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::ticket::{Role, SessionTicket, Watcher, WatcherKind};
use casting_protocol::time::Timestamp;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::life::{ControlPlane, session};
use crate::stage::{Stage, told_by_edge, told_lines, visitor};

/// An app that agrees to every WebSocket, sends these bytes, and then reads and forgets, or closes
/// the connection.
async fn bare_app(sent: Vec<u8>, closes: bool) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sent = sent.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
                let asked = String::from_utf8_lossy(&request[..read]).into_owned();
                let at = text.find("sec-websocket-key: ").map(|at| at + 19);
                let Some(key) = at.and_then(|at| asked[at..].lines().next()) else {
                    let reply = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(reply.as_bytes()).await;
                    return;
                };
                let reply = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                     upgrade: websocket\r\nsec-websocket-accept: {}\r\n\r\n",
                    derive_accept_key(key.trim().as_bytes())
                );
                let _ = stream.write_all(reply.as_bytes()).await;
                let _ = stream.write_all(&sent).await;
                if !closes {
                    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                }
            });
        }
    });
    port
}

async fn open(stage: &Stage, ticket: &str) -> Result<WebSocketStream<TcpStream>, SocketError> {
    stage
        .socket_as(ticket, "/ws", &format!("http://{}", stage.host()))
        .await
}

/// The code with which a socket is closed.
async fn code(socket: &mut WebSocketStream<TcpStream>) -> Option<CloseCode> {
    let end = async {
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    };
    tokio::time::timeout(Duration::from_secs(5), end)
        .await
        .expect("in time")
}

/// The beginning of a frame of so many bytes, as a visitor sends it.
fn begun(length: u64) -> Vec<u8> {
    [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

async fn watchers(stage: &Stage) -> Vec<String> {
    let state: Value = stage
        .asks("GET", "/.cast/state")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let list = state["watchers"].as_array().expect("a list").clone();
    list.iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn broken_or_oversized_sockets_end_with_a_close_code() {
    let large = [&[0x82, 127][..], &(65_u64 << 20).to_be_bytes()].concat();
    for (name, sent, closes, said, ends) in [
        ("the app is gone", vec![], true, None, CloseCode::Error),
        (
            "in the middle of a frame",
            vec![0x82],
            true,
            None,
            CloseCode::Error,
        ),
        (
            "the app sends no frames",
            vec![0xf0, 0],
            false,
            None,
            CloseCode::Error,
        ),
        (
            "a frame of the app's over the limit",
            large,
            false,
            None,
            CloseCode::Size,
        ),
        (
            "one of the visitor's",
            vec![],
            false,
            Some(begun(65 << 20)),
            CloseCode::Size,
        ),
        (
            "one that has no mask",
            vec![],
            false,
            Some(vec![0x82, 0]),
            CloseCode::Protocol,
        ),
    ] {
        let stage = Stage::before_app(bare_app(sent, closes).await).await;
        let mut socket = open(&stage, &stage.ticket(1)).await.expect("a socket");
        if let Some(said) = said {
            socket.get_mut().write_all(&said).await.expect("sent");
        }
        assert_eq!(code(&mut socket).await, Some(ends), "{name}");
    }
    let stage = Stage::before_app(bare_app(vec![], false).await).await;
    stage.share(ViewOnly::Rfb, 1);
    let mut socket = open(&stage, &stage.watcher("ada", 1))
        .await
        .expect("a socket");
    let said = begun(limits::WATCHER_MESSAGE + 1);
    socket.get_mut().write_all(&said).await.expect("sent");
    assert_eq!(
        code(&mut socket).await,
        Some(CloseCode::Size),
        "a watcher's"
    );
}

#[tokio::test]
async fn large_websocket_message_passes_unchanged() {
    let stage = Stage::by_name().await;
    let mut socket = open(&stage, &stage.ticket(1)).await.expect("a socket");
    let message = Message::binary(vec![7; 5 << 20]);
    socket.send(message.clone()).await.expect("sent");
    assert_eq!(
        socket.next().await.expect("a message").expect("no error"),
        message
    );
    socket
        .send(Message::Ping("there?".into()))
        .await
        .expect("sent");
    let pong = socket.next().await.expect("an answer").expect("no error");
    assert_eq!(pong, Message::Pong("there?".into()));
}

#[tokio::test]
async fn every_viewer_is_listed_and_bounded() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let ada = stage.watcher("ada", 1);
    let mut sockets = Vec::new();
    for _ in 0..limits::SOCKETS_PER_WATCHER {
        sockets.push(open(&stage, &ada).await.expect("a socket"));
    }
    assert_eq!(watchers(&stage).await, ["ada"], "without an event stream");
    match open(&stage, &ada).await {
        Err(SocketError::Http(reply)) => assert_eq!(reply.status().as_u16(), 429),
        other => panic!("{other:?}"),
    }
    for n in 1..limits::WATCHERS {
        let ticket = stage.watcher(&format!("w{n:02}"), 1);
        sockets.push(open(&stage, &ticket).await.expect("a socket"));
    }
    let late = stage.watcher("late", 1);
    assert!(open(&stage, &late).await.is_err(), "one too many");
    for path in ["/seen", "/.cast/events", "/.cast/"] {
        let reply = stage
            .request("GET", path)
            .header("cookie", stage.cookie(path, &late))
            .send()
            .await
            .expect("an answer");
        assert_eq!(reply.status().as_u16(), 429, "{path}");
    }
    assert!(open(&stage, &stage.ticket(1)).await.is_ok(), "the owner");
    drop(sockets);
    let gone = async {
        while !watchers(&stage).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(5), gone).await;
    assert!(gone.is_ok(), "{:?}", watchers(&stage).await);
}

#[tokio::test]
async fn streaming_reply_counts_and_ends_with_sharing() {
    let stage = Stage::by_name().await;
    for (name, view_only) in [("requests", ViewOnly::Requests), ("RFB", ViewOnly::Rfb)] {
        stage.share(view_only, 1);
        let reply = stage
            .request("GET", "/endless")
            .header("cookie", stage.cookie("/endless", &stage.watcher("ada", 1)))
            .send()
            .await
            .expect("an answer");
        assert_eq!(watchers(&stage).await, ["ada"], "{name}");
        let owners = stage
            .asks("GET", "/endless")
            .send()
            .await
            .expect("an answer");
        stage.share(view_only, 2);
        let mut pieces = reply.bytes_stream();
        let end = async { while let Some(Ok(_)) = pieces.next().await {} };
        let ended = tokio::time::timeout(Duration::from_secs(2), end).await;
        assert!(ended.is_ok(), "{name}");
        let mut pieces = owners.bytes_stream();
        assert!(
            pieces.next().await.is_some_and(|piece| piece.is_ok()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn owner_enters_despite_half_open_connections() {
    let stage = Stage::by_name().await;
    for (name, port, sent) in [
        ("silent, at the edge", stage.edge, &b""[..]),
        (
            "half a request, at the edge",
            stage.edge,
            b"GET / HTTP/1.1\r\nhost: a",
        ),
        ("silent, at the gate", stage.gate, b""),
        (
            "half a request, at the gate",
            stage.gate,
            b"GET / HTTP/1.1\r\nhost: a",
        ),
    ] {
        let mut open = Vec::new();
        for _ in 0..400 {
            let mut stream = TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("it listens");
            stream.write_all(sent).await.expect("sent");
            open.push(stream);
        }
        // Before the half-open connections time out.
        let reply = stage.asks("GET", "/seen").send();
        let reply = tokio::time::timeout(Limits::default().first_request / 2, reply).await;
        let reply = reply.expect(name).expect("an answer");
        assert_eq!(reply.status().as_u16(), 200, "{name}");
    }
}

#[tokio::test]
async fn silent_connection_is_closed_after_timeout() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let router = Router::new().route("/", get(|| async { "hello" }));
    tokio::spawn(async move {
        let limits = Limits {
            first_request: Duration::from_millis(300),
            ..Limits::default()
        };
        Connections::new(limits).serve(listener, router).await
    });
    let slow = b"GET / HTTP/1.1\r\nhost: a.example\r\n";
    for (name, drips) in [("silent", &b""[..]), ("a letter at a time", slow)] {
        let mut stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("it listens");
        let (mut read, mut write) = stream.split();
        let drip = async {
            for letter in drips {
                if write.write_all(&[*letter]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut byte = [0];
        tokio::select! {
            () = drip => {}
            end = tokio::time::timeout(Duration::from_secs(3), read.read(&mut byte)) => {
                assert!(matches!(end, Ok(Ok(0) | Err(_))), "{name}: {end:?}");
            }
        }
    }
    let kept = visitor();
    for _ in 0..2 {
        let reply = kept
            .get(format!("http://127.0.0.1:{port}/"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(reply.text().await.expect("text"), "hello");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

#[tokio::test]
async fn unreachable_gate_is_not_reported_as_ended() {
    let stage = Stage::by_name().await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let full = socket.listen(1).expect("it listens");
    let address = full.local_addr().expect("an address");
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(tokio::spawn(TcpStream::connect(address)));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cookie = stage.cookie("/", &stage.ticket_to(1, address.port()));
    let reply = stage
        .request("GET", "/")
        .header("cookie", cookie)
        .header("accept", "text/html")
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status().as_u16(), 503);
    assert!(reply.headers().contains_key("refresh"));
    let page = reply.text().await.expect("text");
    assert!(
        page.contains("is not answering") && !page.contains("has ended"),
        "{page}"
    );
}

/// A ticket for the app of a session whose gate runs as a program.
pub fn ticket(port: u16, watcher: Option<&str>) -> String {
    ticket_at(SessionOrigin::App, port, watcher)
}

fn ticket_at(origin: SessionOrigin, port: u16, watcher: Option<&str>) -> String {
    SessionTicket {
        session: session(),
        role: if watcher.is_some() {
            Role::Viewer
        } else {
            Role::Owner
        },
        watcher: watcher.map(|id| Watcher {
            id: id.into(),
            name: id.into(),
            round: 1,
            kind: WatcherKind::Known,
        }),
        origin: Some(origin),
        host: "127.0.0.1".into(),
        port,
        expires: Timestamp::from_millis(i64::MAX / 2),
    }
    .sign(Keyring::new(&[3; 32]).sessions().named(""))
}

/// The secret of such a gate.
fn secret() -> SessionSecret {
    SessionSecret::from_text("hush-hush".to_owned())
}

/// Opens a WebSocket at a gate that runs as a program; gives the connection.
async fn raw_socket(port: u16, ticket: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: a.example\r\norigin: http://a.example\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
        told_lines(&secret(), ticket)
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("an answer");
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

/// How much memory a process has, in KiB.
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("its size");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}

/// The directives to a gate whose session is shared.
fn shared() -> Value {
    json!({
        "share_link": "https://cast.test/share/x",
        "share_round": 1,
        "viewing": { "view_only": "rfb" },
    })
}

#[tokio::test]
async fn unfinished_messages_use_bounded_memory() {
    let mut control = ControlPlane::ordering(&[200], shared()).await;
    let gate = control.gate(bare_app(vec![], false).await, "exec sleep 60");
    let port = control.next().await["port"].as_u64().expect("a port") as u16;
    let process = gate.id().expect("it runs");
    drop(raw_socket(port, &ticket(port, None)).await);
    let before = resident_kib(process);
    let mut open = Vec::new();
    let piece = vec![7; 1 << 20];
    for _ in 0..20 {
        let mut stream = raw_socket(port, &ticket(port, None)).await;
        stream.write_all(&begun(60 << 20)).await.expect("sent");
        for _ in 0..8 {
            stream.write_all(&piece).await.expect("taken");
        }
        open.push(stream);
    }
    for n in 0..80 {
        let id = format!("w{}", n / limits::SOCKETS_PER_WATCHER);
        let mut stream = raw_socket(port, &ticket(port, Some(&id))).await;
        stream
            .write_all(&begun(limits::WATCHER_MESSAGE))
            .await
            .expect("sent");
        stream
            .write_all(b"RFB 003.008\n\x01\x01")
            .await
            .expect("sent");
        open.push(stream);
    }
    let after = resident_kib(process);
    // 100 sockets of 80 KiB each, and what a program built for tests takes beside that.
    assert!(after < before + 24 * 1024, "from {before} to {after} KiB");
}

#[tokio::test]
async fn push_ends_sharing_and_session_at_once() {
    for (name, status, after, owner_stays) in [
        (
            "sharing ends",
            200,
            json!({ "viewing": { "view_only": "rfb" } }),
            true,
        ),
        ("the session ends", 410, json!({}), false),
    ] {
        let mut control = ControlPlane::ordering(&[200], shared()).await;
        let _gate = control.gate(bare_app(vec![], false).await, "exec sleep 60");
        let port = control.next().await["port"].as_u64().expect("a port") as u16;
        // The first seconds of a session are not what is looked at.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let mut watcher = raw_socket(port, &ticket(port, Some("ada"))).await;
        let mut owner = raw_socket(port, &ticket(port, None)).await;
        control.changes_to(status, after);
        let push = |ticket: String| {
            visitor()
                .post(format!("http://127.0.0.1:{port}/.cast/refresh"))
                .headers(told_by_edge(&secret(), &ticket))
                .send()
        };
        let entered = |watcher| ticket_at(SessionOrigin::Viewer, port, watcher);
        let by_watcher = push(entered(Some("ada"))).await.expect("an answer");
        assert_ne!(
            by_watcher.status().as_u16(),
            202,
            "{name}: the owner's way only"
        );
        let pushed = push(entered(None)).await.expect("an answer");
        assert_eq!(pushed.status().as_u16(), 202, "{name}");
        let mut frame = [0; 2];
        let end = watcher.read_exact(&mut frame);
        // Long before the gate asks by itself, which it does once a minute.
        let end = tokio::time::timeout(Duration::from_secs(20), end).await;
        assert!(
            matches!(end, Ok(Ok(_))) && frame[0] == 0x88,
            "{name}: {end:?} {frame:?}"
        );
        let more = tokio::time::timeout(Duration::from_millis(500), owner.read(&mut frame)).await;
        assert_eq!(more.is_err(), owner_stays, "{name}");
    }
}

#[tokio::test]
async fn app_output_is_bounded() {
    let control = ControlPlane::answering(&[204]).await;
    let flood = "head -c 4000000 /dev/zero | tr '\\0' x; echo; echo last words";
    let mut command = control.command(flood);
    let output = command
        .stdout(std::process::Stdio::piped())
        .output()
        .await
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let kept = text.matches('x').count();
    assert!((400_000..700_000).contains(&kept), "{kept}");
    assert_eq!(text.matches("is left out").count(), 1);
    assert_eq!(output.status.code(), Some(0), "the app never waited");
    let mut command = control.command("echo first; echo last words >&2; exit 3");
    let output = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.stdout, b"first\n");
    assert!(said.contains("last words\n"), "{said}");
}
