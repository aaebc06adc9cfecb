//! Owns the front of one machine's stack against hostile and crowded networks: malformed requests,
//! half-open connections, a thousand visitors at once, and the ports that answer at all.

use std::sync::Arc;
use std::time::Duration;

use casting_gate::server::raise_open_files_limit;
use casting_tests::processes::{listening_ports, resident_bytes, soon};
use casting_tests::program::Program;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

async fn start(arguments: &[&str]) -> (Program, String) {
    let all = [&["--memory", "--port", "0"], arguments].concat();
    let program = Program::start(all).await.expect("starts");
    let (_, address) = program.url.split_once("://").expect("a URL");
    let address = address.replace("localhost", "127.0.0.1");
    (program, address)
}

fn process(program: &Program) -> u32 {
    program.child.id().expect("it runs")
}

/// The status and the body of an answer that says how long it is; `None` when there is none.
async fn answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                value.trim().parse::<usize>().ok().filter(|_| is_length)
            });
            if body.len() >= length.unwrap_or_default() {
                let status = head.split(' ').nth(1)?.parse().ok()?;
                return Some((status, body.to_owned()));
            }
        }
        let mut buffer = [0; 8192];
        match timeout(LIMIT, stream.read(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => seen.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

#[tokio::test]
async fn malformed_requests_are_refused_clearly() {
    let (program, address) = start(&[]).await;
    let get =
        |line: &str, headers: &str| format!("GET {line} HTTP/1.1\r\n{headers}\r\n").into_bytes();
    let ours = format!("Host: {address}\r\n");
    let raw = |head: &[u8], byte: u8, rest: &[u8]| [head, &[byte], rest].concat();
    for (name, request, expected) in [
        ("a plain one", get("/", &ours), 200),
        (
            "an absolute one",
            get(&format!("http://{address}/"), &ours),
            200,
        ),
        ("no Host", get("/", ""), 400),
        ("two Hosts", get("/", &format!("{ours}{ours}")), 400),
        (
            "two different Hosts",
            get("/", &format!("{ours}Host: evil.example\r\n")),
            400,
        ),
        ("an empty Host", get("/", "Host:\r\n"), 400),
        ("a Host with a space", get("/", "Host: local host\r\n"), 400),
        ("a Host with a path", get("/", "Host: localhost/x\r\n"), 400),
        (
            "a Host with a user",
            get("/", "Host: me@localhost\r\n"),
            400,
        ),
        (
            "a Host with letters as port",
            get("/", "Host: localhost:http\r\n"),
            400,
        ),
        ("a Host in brackets", get("/", "Host: [::1\r\n"), 400),
        (
            "another site's Host",
            get("/", "Host: evil.example\r\n"),
            421,
        ),
        (
            "a session that is none",
            get("/", "Host: s1.localhost\r\n"),
            421,
        ),
        (
            "an absolute one elsewhere",
            get("http://evil.example/", &ours),
            400,
        ),
        ("no path", get("*", &ours), 400),
        (
            "a tunnel",
            b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n".to_vec(),
            400,
        ),
        (
            "HTTP/1.0 without Host",
            b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            400,
        ),
        ("a cut escape", get("/cast/%4", &ours), 400),
        ("a wrong escape", get("/cast/%zz", &ours), 400),
        ("an escaped NUL", get("/cast/%00", &ours), 400),
        ("an escaped line break", get("/cast/%0d%0a", &ours), 400),
        ("escaped Latin-1", get("/cast/%e9", &ours), 400),
        (
            "a wrong escape in the query",
            get("/cast/welcome?a=%zz", &ours),
            400,
        ),
        (
            "Latin-1 in the query",
            get("/cast/welcome?a=%e9", &ours),
            400,
        ),
        (
            "raw NUL in the path",
            raw(b"GET /cast/", 0, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            400,
        ),
        (
            "raw Latin-1 in the path",
            raw(b"GET /cast/", 0xe9, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            400,
        ),
        (
            "Latin-1 in a header",
            raw(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Name: ",
                0xe9,
                b"\r\n\r\n",
            ),
            400,
        ),
        (
            "NUL in a header",
            raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", 0, b"\r\n\r\n"),
            400,
        ),
        (
            "a header without a colon",
            get("/", &format!("{ours}nonsense\r\n")),
            400,
        ),
        (
            "a folded header",
            get("/", &format!("{ours}X: a\r\n b\r\n")),
            400,
        ),
        (
            "two lengths",
            get(
                "/",
                &format!("{ours}Content-Length: 1\r\nContent-Length: 2\r\n"),
            ),
            400,
        ),
        (
            "a negative length",
            get("/", &format!("{ours}Content-Length: -1\r\n")),
            400,
        ),
        (
            "many headers",
            get("/", &format!("{ours}{}", "X-A: b\r\n".repeat(500))),
            431,
        ),
        (
            "a huge header",
            get("/", &format!("{ours}X: {}\r\n", "x".repeat(100_000))),
            431,
        ),
        (
            "another protocol",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            400,
        ),
        (
            "a long path",
            get(&format!("/{}", "x".repeat(70_000)), &ours),
            431,
        ),
        (
            "a huge body",
            format!("POST /cast/welcome/claims HTTP/1.1\r\n{ours}Content-Length: 99999999\r\n\r\n")
                .into_bytes(),
            413,
        ),
    ] {
        let mut stream = TcpStream::connect(&address).await.expect("connects");
        // A server that refuses early may close before all is sent.
        let _ = stream.write_all(&request).await;
        let (status, text) = answer(&mut stream).await.unwrap_or_default();
        assert_eq!(status, expected, "{name}: {text}");
        assert!(!text.contains("panicked"), "{name}: {text}");
    }
    let alive = program.http.get(format!("{}/cast/welcome", program.url));
    assert_eq!(alive.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn half_open_connections_are_bounded_and_closed() {
    const FLOOD: usize = 4000;
    raise_open_files_limit();
    let (program, address) = start(&[]).await;
    let before = resident_bytes(process(&program));
    let mut silent = Vec::new();
    for n in 0..FLOOD {
        let mut stream = TcpStream::connect(&address).await.expect("connects");
        if n % 2 == 0 {
            stream.write_all(b"GET / HT").await.expect("sends");
        }
        silent.push(stream);
    }
    let visit = program.http.get(format!("{}/cast/welcome", program.url));
    assert_eq!(
        visit.send().await.expect("an answer").status(),
        200,
        "during the flood"
    );
    let grown = resident_bytes(process(&program)).saturating_sub(before);
    assert!(grown < 48 << 20, "{} MiB more", grown >> 20);
    let is_closed = |stream: &TcpStream| {
        !matches!(
            stream.try_read(&mut [0; 1]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock
        )
    };
    let closed = silent.iter().filter(|stream| is_closed(stream)).count();
    assert!(
        closed >= FLOOD - 2100,
        "{closed} of {FLOOD} were closed at once"
    );
    let mut all = false;
    for _ in 0..4 {
        all = soon(async || silent.iter().all(is_closed)).await;
        if all {
            break;
        }
    }
    assert!(all, "the others get a time limit");
}

#[tokio::test]
async fn a_thousand_visitors_at_once_are_all_answered() {
    const VISITORS: usize = 1000;
    const PLACES: usize = 3;
    raise_open_files_limit();
    let (program, address) = start(&["--behind-proxy"]).await;
    // Starts take long while a thousand visitors are answered.
    let image = json!({
        "name": "Patient", "container_image": "casting/demo-app", "command": ["demo-app"],
        "cpu": 256, "memory": 512, "start_timeout_seconds": 600,
    });
    let image = program.admin(Method::POST, "images").json(&image);
    let image = image.send().await.expect("an answer");
    assert_eq!(image.status(), 201);
    let image: Value = image.json().await.expect("JSON");
    let cast = json!({
        "name": "Crowd", "key": "the-crowd", "image_id": image["id"], "allow_anonymous": true,
        "limit_total_sessions": true, "sessions_remaining": PLACES,
    });
    let made = program
        .admin(Method::POST, "casts")
        .json(&cast)
        .send()
        .await
        .expect("an answer");
    assert_eq!(made.status(), 201);
    let cast: Value = made.json().await.expect("JSON");
    let before = resident_bytes(process(&program));
    let connected = Arc::new(Barrier::new(VISITORS));
    let mut visitors = JoinSet::new();
    for n in 0..VISITORS {
        let (address, connected) = (address.clone(), connected.clone());
        visitors.spawn(async move {
            let stream = TcpStream::connect(&address).await.expect("connects");
            connected.wait().await;
            visit(stream, &address, n).await
        });
    }
    let mut served = 0;
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    while let Some(status) = visitors.join_next().await {
        let status = status
            .expect("no panic")
            .expect("every visitor is answered");
        served += usize::from(matches!(status, 201 | 202));
        *statuses.entry(status).or_default() += 1;
    }
    assert_eq!(served, PLACES, "{statuses:?}");
    let id = cast["id"].as_str().expect("an id");
    let after = read(&program, &format!("casts/{id}")).await;
    assert_eq!(after["sessions_remaining"], 0);
    let given_back =
        soon(async || resident_bytes(process(&program)).saturating_sub(before) < 64 << 20);
    assert!(
        given_back.await,
        "{} MiB before, {} MiB after",
        before >> 20,
        resident_bytes(process(&program)) >> 20
    );
}

async fn read(program: &Program, path: &str) -> Value {
    let sent = program
        .admin(Method::GET, path)
        .send()
        .await
        .expect("an answer");
    sent.json().await.expect("JSON")
}

/// Reads what the link `the-crowd` asks for and claims a session; the status of the last answer.
async fn visit(mut stream: TcpStream, host: &str, n: usize) -> Option<u16> {
    let headers = format!(
        "Host: {host}\r\nX-Forwarded-For: 10.0.{}.{}\r\n",
        n / 250,
        n % 250 + 1
    );
    let describe = format!("GET /api/casts/the-crowd HTTP/1.1\r\n{headers}\r\n");
    stream.write_all(describe.as_bytes()).await.ok()?;
    let (status, text) = answer(&mut stream).await?;
    if status != 200 {
        return Some(status);
    }
    let described: Value = serde_json::from_str(&text).ok()?;
    let body = json!({"ticket": described["ticket"]}).to_string();
    let claim = format!(
        "POST /cast/the-crowd/claims HTTP/1.1\r\n{headers}Content-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(claim.as_bytes()).await.ok()?;
    Some(answer(&mut stream).await?.0)
}

#[tokio::test]
async fn only_public_and_signed_ports_answer() {
    let (program, address) = start(&[]).await;
    let public: u16 = address
        .rsplit_once(':')
        .expect("a port")
        .1
        .parse()
        .expect("a number");
    let ports = listening_ports(process(&program));
    assert!(ports.contains(&public), "{ports:?}");
    let others: Vec<u16> = ports.into_iter().filter(|port| *port != public).collect();
    assert_eq!(
        others.len(),
        1,
        "the archives of profiles, and nothing else: {others:?}"
    );
    let url = format!("http://127.0.0.1:{}", others[0]);
    let signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=local%2F20260101%2Flocal%2Fs3%2Faws4_request\
        &X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    for (name, method, path) in [
        ("buckets", Method::GET, "/".to_owned()),
        ("objects", Method::GET, "/profiles".to_owned()),
        ("an object", Method::GET, "/profiles/a".to_owned()),
        ("an upload", Method::PUT, "/profiles/a".to_owned()),
        (
            "a forged signature",
            Method::GET,
            format!("/profiles/a?{signed}"),
        ),
        ("a preflight", Method::OPTIONS, "/profiles/a".to_owned()),
        ("a call of DynamoDB or ECS", Method::POST, "/".to_owned()),
    ] {
        let request = program
            .http
            .request(method, format!("{url}{path}"))
            .header("origin", "http://localhost:1")
            .header("x-amz-target", "DynamoDB_20120810.ListTables")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20260101/local/s3/aws4_request, \
                 SignedHeaders=host, Signature=00",
            );
        let sent = request.send().await.expect("an answer");
        assert!(sent.status().is_client_error(), "{name}: {}", sent.status());
        assert!(
            !sent
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control")),
            "{name}"
        );
    }
}
