//! What gets no further than the edge or the gate; the app never hears of it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as SocketError;

use casting_protocol::keys::SessionSecret;

use crate::stage::{CONTROL, Stage, UNLISTED, told_by_edge, visitor};

#[tokio::test]
async fn edge_refuses_invalid_tickets() {
    let stage = Stage::by_name().await;
    let good = stage.ticket_at("/seen", &stage.ticket(1));
    for (name, cookie) in [
        ("none", String::new()),
        ("an empty one", "cast-session=".to_owned()),
        ("another session's", stage.cookie("/seen", &stage.ticket(2))),
        ("an altered one", format!("cast-session={}x", good)),
        ("under another name", format!("session={good}")),
        (
            "an entry ticket",
            format!("cast-session={}", stage.entry(&good)),
        ),
        ("the viewer's", format!("cast-session={}", stage.ticket(1))),
    ] {
        let reply = stage
            .request("GET", "/seen")
            .header("cookie", cookie)
            .header("accept", "text/html")
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (403, &"text/html; charset=utf-8".parse().expect("a value")),
            "{name}"
        );
        let page = reply.text().await.expect("text");
        assert!(page.contains("Open the link again"), "{name}");
        assert!(
            page.contains(&format!("href=\"{CONTROL}/session/{}\"", stage.session)),
            "{name}: {page}"
        );
    }
    let nowhere = stage.cookie("/seen", &stage.ticket_to(1, UNLISTED));
    let reply = stage
        .request("GET", "/seen")
        .header("cookie", nowhere)
        .send();
    let reply = reply.await.expect("an answer");
    assert_eq!(
        reply.status().as_u16(),
        410,
        "to a port at which no gate is"
    );
    stage.clock.advance(60);
    let reply = stage.asks("GET", "/seen").send().await.expect("an answer");
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["content-type"]),
        (403, &"application/problem+json".parse().expect("a value")),
        "expired"
    );
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn gate_accepts_only_requests_from_the_edge() {
    let stage = Stage::by_name().await;
    let secret = stage.keys.secret(&stage.session);
    let other = stage
        .keys
        .secret(&casting_protocol::ids::SessionId::from_bytes([2; 16]));
    let ask = |secret: &str, ticket: String, path: &str| {
        let request = visitor()
            .get(format!("http://127.0.0.1:{}{path}", stage.gate))
            .header("cookie", format!("cast-session={ticket}"));
        if secret.is_empty() {
            // What the gate of the version before was shown.
            return request.header(
                "x-cast-session-secret",
                stage.keys.secret(&stage.session).expose(),
            );
        }
        let secret = SessionSecret::from_text(secret.to_owned());
        let ticket = stage.ticket_at(path, &ticket);
        request.headers(told_by_edge(&secret, &ticket))
    };
    for (name, secret, ticket, path, status) in [
        ("no secret", "", stage.ticket(1), "/seen", 403),
        ("a wrong secret", "hush", stage.ticket(1), "/seen", 403),
        (
            "another session's secret",
            other.expose(),
            stage.ticket(1),
            "/seen",
            403,
        ),
        ("no ticket", secret.expose(), String::new(), "/seen", 403),
        (
            "another session's ticket",
            secret.expose(),
            stage.ticket(2),
            "/seen",
            403,
        ),
        (
            "the gate's own paths",
            secret.expose(),
            stage.ticket(1),
            "/.cast/anything",
            404,
        ),
        ("a probe", "", String::new(), "/.cast/health", 204),
    ] {
        assert_eq!(
            ask(secret, ticket, path)
                .send()
                .await
                .expect("an answer")
                .status()
                .as_u16(),
            status,
            "{name}"
        );
    }
    assert_eq!(stage.reached(), 0);
    assert_eq!(
        ask(secret.expose(), stage.ticket(1), "/seen")
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        200
    );
    assert_eq!(stage.reached(), 1);
}

#[tokio::test]
async fn cross_origin_websocket_is_refused() {
    let stage = Stage::by_name().await;
    let sibling = stage.host().replacen('s', "t", 1);
    for origin in [
        format!("http://{sibling}"),
        "null".into(),
        "https://evil.com".into(),
    ] {
        match stage.socket("/ws", &origin).await {
            Err(SocketError::Http(reply)) => assert_eq!(reply.status().as_u16(), 403, "{origin}"),
            other => panic!("{origin}: {other:?}"),
        }
    }
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn gone_session_has_its_own_page() {
    let stage = Stage::by_name().await;
    let nobody = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port")
        .local_addr()
        .expect("an address")
        .port();
    let cookie = stage.cookie("/", &stage.ticket_to(1, nobody));
    let reply = stage
        .request("GET", "/")
        .header("cookie", cookie)
        .header("accept", "text/html")
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status().as_u16(), 410);
    assert!(
        reply
            .text()
            .await
            .expect("text")
            .contains("This session has ended")
    );
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let stage = Stage::by_name().await;
    let many = (0..200).fold(stage.asks("GET", "/seen"), |request, n| {
        request.header(format!("x-{n}"), "1")
    });
    assert_eq!(many.send().await.expect("an answer").status().as_u16(), 431);
    let large = stage
        .asks("GET", "/seen")
        .header("x-large", "x".repeat(100_000))
        .send()
        .await;
    assert!(large.is_err() || large.is_ok_and(|reply| reply.status().as_u16() == 431));
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn oversized_content_length_is_refused_early() {
    let stage = Stage::by_name().await;
    for (length, status) in [(3_u64 << 30, "413"), (2, "200")] {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.edge))
            .await
            .expect("the edge listens");
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: {}\r\ncookie: cast-session={}\r\ncontent-length: \
             {length}\r\nconnection: close\r\n\r\nhi",
            stage.host(),
            stage.ticket_at("/echo", &stage.ticket(1))
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(
            String::from_utf8_lossy(&start),
            format!("HTTP/1.1 {status}"),
            "{length} bytes"
        );
    }
    assert_eq!(stage.reached(), 1, "the app sees only what is passed on");
}
