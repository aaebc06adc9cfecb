//! Requests that two programs on the way could parse differently, sent by a viewer,
//! before an app that answers an upgrade as nginx does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use casting_protocol::session_options::ViewOnly;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Stage, told_lines};

/// What reached an app: for each connection, the requests on it, as a line and the headers.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// An app that refuses every upgrade at once, keeps the connection, and takes as a body what was
/// announced as one.
async fn nginx() -> (u16, Seen) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Seen::default();
    let all = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = {
                let mut all = all.lock().expect("no panic");
                all.push(Vec::new());
                all.len() - 1
            };
            tokio::spawn(answer(stream, number, all.clone()));
        }
    });
    (port, seen)
}

async fn answer(stream: TcpStream, number: usize, seen: Seen) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if line.trim().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            head.push_str(&lower);
        }
        let upgrade = head.contains("\nupgrade:");
        seen.lock().expect("no panic")[number].push(head);
        let status = if upgrade { "403 Forbidden" } else { "200 OK" };
        let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
    }
}

/// Sends these bytes and gives the status of the first answer; 0 when there is none.
async fn status(port: u16, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    stream.write_all(request).await.expect("sent");
    let mut start = [0; 12];
    match tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut start)).await {
        Ok(Ok(_)) => std::str::from_utf8(&start[9..])
            .expect("text")
            .parse()
            .expect("a status"),
        _ => 0,
    }
}

const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const HIDDEN: &str = "POST /smuggled HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn request_smuggling_by_watchers_is_refused() {
    let hidden = HIDDEN.len();
    let chunked = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", hidden);
    let get = "GET /page HTTP/1.1";
    for (name, line, headers, body, wanted) in [
        ("an upgrade", get, UPGRADE.to_owned(), "", &[403][..]),
        (
            "a length and no body",
            get,
            format!("{UPGRADE}content-length: 171\r\n"),
            "",
            &[400],
        ),
        (
            "a length and a body",
            get,
            format!("{UPGRADE}content-length: {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "a chunked body",
            get,
            format!("{UPGRADE}transfer-encoding: chunked\r\n"),
            &chunked,
            &[400],
        ),
        (
            "no length, but more",
            get,
            UPGRADE.to_owned(),
            HIDDEN,
            &[403],
        ),
        (
            "over HTTP/1.0",
            "GET /page HTTP/1.0",
            UPGRADE.to_owned(),
            HIDDEN,
            &[400],
        ),
        (
            "by POST",
            "POST /page HTTP/1.1",
            format!("{UPGRADE}content-length: {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "h2c",
            get,
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\n".to_owned(),
            "",
            &[200],
        ),
        (
            "h2c with a body",
            get,
            format!("connection: upgrade\r\nupgrade: h2c\r\ncontent-length: {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "two protocols",
            get,
            UPGRADE.replace("websocket\r\n", "websocket, h2c\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "a length and chunks",
            get,
            "content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(),
            &chunked,
            &[400, 403],
        ),
        (
            "chunks and a length",
            get,
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n".to_owned(),
            &chunked,
            &[400, 403],
        ),
        (
            "two lengths",
            get,
            format!("content-length: 0\r\ncontent-length: {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "a list of lengths",
            get,
            format!("content-length: 0, {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "a signed length",
            get,
            format!("content-length: +{hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "an unknown coding",
            get,
            "transfer-encoding: xchunked\r\n".to_owned(),
            &chunked,
            &[400, 403],
        ),
        (
            "chunked not last",
            get,
            "transfer-encoding: chunked, identity\r\n".to_owned(),
            &chunked,
            &[400, 403],
        ),
        (
            "a folded line",
            get,
            "x-a: 1\r\n content-length: 5\r\n".to_owned(),
            HIDDEN,
            &[400],
        ),
        (
            "a space before the colon",
            get,
            format!("content-length : {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "a body to a GET",
            get,
            format!("content-length: {hidden}\r\n"),
            HIDDEN,
            &[403],
        ),
        (
            "Connection: content-length",
            get,
            format!("connection: content-length\r\ncontent-length: {hidden}\r\n"),
            HIDDEN,
            &[400],
        ),
        (
            "Connection: host",
            get,
            "connection: host\r\n".to_owned(),
            "",
            &[400],
        ),
        (
            "Connection: cookie",
            get,
            "connection: cookie\r\n".to_owned(),
            "",
            &[400],
        ),
        (
            "Connection: x-cast-role",
            get,
            "connection: x-cast-role, x-forwarded-proto\r\n".to_owned(),
            "",
            &[200],
        ),
        (
            "another host's address",
            "GET http://other.example/page HTTP/1.1",
            String::new(),
            "",
            &[400, 404],
        ),
        (
            "a tunnel",
            "CONNECT other.example:80 HTTP/1.1",
            String::new(),
            "",
            &[400, 403, 404],
        ),
        (
            "an asterisk",
            "OPTIONS * HTTP/1.1",
            String::new(),
            "",
            &[400],
        ),
    ] {
        let (port, seen) = nginx().await;
        let stage = Stage::before_app(port).await;
        stage.share(ViewOnly::Rfb, 1);
        let host = stage.host();
        let ticket = stage.ticket_at("/ws", &stage.watcher("ada", 1));
        let secret = stage.keys.secret(&stage.session);
        let origin = format!("origin: http://{host}\r\n");
        for (door, port, known) in [
            ("edge", stage.edge, String::new()),
            ("gate", stage.gate, told_lines(&secret, &ticket)),
        ] {
            let request = format!(
                "{line}\r\nhost: {host}\r\ncookie: cast-session={ticket}\r\n\
                 {origin}{known}{headers}\r\n{body}"
            );
            let answer = status(port, request.as_bytes()).await;
            assert!(wanted.contains(&answer), "{name}, at the {door}: {answer}");
        }
        // What the owner asks afterwards is read as it was asked.
        for path in ["/first", "/second"] {
            let reply = stage
                .asks("POST", path)
                .body("x")
                .send()
                .await
                .expect("an answer");
            assert_eq!(reply.status().as_u16(), 200, "{name}, then {path}");
        }
        let seen = seen.lock().expect("no panic").clone();
        let all: Vec<&String> = seen.iter().flatten().collect();
        assert!(
            all.iter().all(|head| !head.contains("smuggled")),
            "{name}: {all:?}"
        );
        let of_owner = all
            .iter()
            .filter(|head| head.contains("x-cast-role: owner"))
            .count();
        assert_eq!(of_owner, 2, "{name}: {all:?}");
        for connection in &seen {
            let upgrades = connection.iter().any(|head| head.contains("\nupgrade:"));
            assert!(
                !upgrades || connection.len() == 1,
                "{name}: used again, {connection:?}"
            );
        }
        let unmarked = all
            .iter()
            .filter(|head| !head.contains("x-cast-role: "))
            .count();
        assert_eq!(unmarked, 0, "{name}: everything says whose it is");
    }
}

#[tokio::test]
async fn unrequested_upgrade_by_the_app_is_cut() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let reply = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\n\r\n";
            let _ = stream.write_all(reply.as_bytes()).await;
            let _ = stream.read(&mut request).await;
        }
    });
    let stage = Stage::before_app(port).await;
    let reply = stage.asks("GET", "/page").send().await.expect("an answer");
    assert_eq!(reply.status().as_u16(), 502, "nobody asked");
    let socket = stage
        .socket("/ws", &format!("http://{}", stage.host()))
        .await;
    assert!(socket.is_err(), "an answer to another key");
}
