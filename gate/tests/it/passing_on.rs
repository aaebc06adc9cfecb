//! What a visitor with a ticket sends and gets, through edge and gate.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::stage::Stage;

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let stage = Stage::by_name().await;
    let (send, receive) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|chunk| (chunk, receive))
    });
    send.send(Ok(b"first".to_vec())).await.expect("room");
    let reply = stage
        .asks("POST", "/echo")
        .body(reqwest::Body::wrap_stream(body))
        .send()
        .await
        .expect("an answer");
    let mut reply = reply.bytes_stream();
    // Each piece comes back before the next is sent: nothing on the way waits for the whole.
    assert_eq!(
        reply.next().await.expect("a piece").expect("no error"),
        "first"
    );
    send.send(Ok(vec![7; 300_000])).await.expect("room");
    let mut bytes = 0;
    while bytes < 300_000 {
        bytes += reply
            .next()
            .await
            .expect("a piece")
            .expect("no error")
            .len();
    }
    drop(send);
    assert!(reply.next().await.is_none(), "the end is passed on too");
}

#[tokio::test]
async fn websocket_keeps_its_subprotocol() {
    let stage = Stage::by_name().await;
    let mut socket = stage
        .socket("/ws", &format!("http://{}", stage.host()))
        .await
        .expect("a socket");
    for text in ["hello", &"x".repeat(200_000)] {
        socket.send(Message::text(text)).await.expect("sent");
        assert_eq!(
            socket.next().await.expect("a message").expect("no error"),
            Message::text(text)
        );
    }
    socket.close(None).await.expect("closed");
    let end = tokio::time::timeout(Duration::from_secs(5), socket.collect::<Vec<_>>()).await;
    assert!(end.is_ok(), "the app's end closes the visitor's");
}

#[tokio::test]
async fn app_sees_visitor_headers_but_no_ticket_or_secret() {
    let stage = Stage::by_name().await;
    let lies = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-port", "1"),
    ];
    let mut request = stage
        .asks("GET", "/seen?a=b")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("x-cast-session-secret", "x")
        .header("x-cast-edge-visitor", "forged")
        .header("x-cast-role", "forged")
        .header("x-cast-language", "forged");
    for (name, value) in lies {
        request = request.header(name, value);
    }
    let seen = request
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    let host = stage.host();
    for line in [
        "path: /seen?a=b",
        "cookie: theme=dark",
        &format!("host: {host}"),
        &format!("x-forwarded-host: {host}"),
        "x-forwarded-proto: http",
        "x-cast-role: owner",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in\n{seen}");
    }
    assert!(seen.contains("x-forwarded-for: 127.0.0.1"), "{seen}");
    let secret = stage.keys.secret(&stage.session);
    for hidden in [
        "cast-session",
        "v1.",
        secret.expose(),
        "x-cast-session",
        "x-cast-edge",
        "forged",
        "1.2.3.4",
        "x-private",
        "x-forwarded-port",
        "x-forwarded-prefix",
    ] {
        assert!(!seen.contains(hidden), "{hidden} in\n{seen}");
    }
}

#[tokio::test]
async fn app_cannot_set_cookies_for_sibling_hosts() {
    let stage = Stage::by_name().await;
    let reply = stage.asks("GET", "/login").send().await.expect("an answer");
    assert_eq!(reply.headers()["set-cookie"], "a=1; Path=/");
    assert_eq!(reply.headers()["location"], "/home");
}

#[tokio::test]
async fn path_mode_app_sees_root_paths() {
    let stage = Stage::new("localhost/s/{session}", true).await;
    let prefix = format!("/s/{}", stage.session);
    let seen = stage
        .asks("GET", &format!("{prefix}/seen?a=b"))
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    for line in [
        "path: /seen?a=b",
        &format!("x-forwarded-prefix: {prefix}"),
        "x-forwarded-proto: https",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in\n{seen}");
    }
    let reply = stage
        .asks("GET", &format!("{prefix}/login"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.headers()["location"], format!("{prefix}/home"));
    assert_eq!(
        reply.headers()["set-cookie"],
        format!("a=1; Path={prefix}/")
    );
    let reply = stage.asks("GET", &prefix).send().await.expect("an answer");
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.headers()["location"].to_str().expect("text")
        ),
        (303, format!("{prefix}/").as_str())
    );
    let mut socket = stage
        .socket(
            &format!("{prefix}/ws"),
            &format!("https://{}", stage.host()),
        )
        .await
        .expect("a socket");
    socket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(
        socket.next().await.expect("a message").expect("no error"),
        Message::text("hello")
    );
}

#[tokio::test]
async fn downloads_are_blocked_without_permission() {
    let stage = Stage::by_name().await;
    let before = stage.reached.load(std::sync::atomic::Ordering::SeqCst);
    for path in [
        "/Downloads/secret.txt",
        "/%44ownloads/secret.txt",
        "//downloads/",
        "/files/secret.txt",
        "/filessecret.txt",
    ] {
        let reply = stage.asks("GET", path).send().await.expect("an answer");
        assert_eq!(reply.status(), 403, "{path}");
        assert!(
            reply
                .text()
                .await
                .expect("a body")
                .contains("Files cannot leave this session"),
            "{path}"
        );
    }
    let sent = stage.asks("POST", "/files/").body("a file").send().await;
    let sent = sent.expect("an answer").text().await.expect("a body");
    assert!(
        sent.contains("Files cannot get into this session"),
        "{sent}"
    );
    assert_eq!(
        stage.reached.load(std::sync::atomic::Ordering::SeqCst),
        before,
        "the app never hears of it"
    );
    assert_ne!(
        stage
            .asks("GET", "/echo")
            .send()
            .await
            .expect("an answer")
            .status(),
        403
    );
}

/// Waits until so many are connected, as the gate sees it.
async fn connected(stage: &Stage, wanted: usize) -> bool {
    for _ in 0..2000 {
        if stage.state.presence.connected() == wanted {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn open_socket_counts_as_presence_refused_one_does_not() {
    let stage = Stage::by_name().await;
    let origin = format!("http://{}", stage.host());
    let socket = stage.socket("/ws", &origin).await.expect("a socket");
    let second = stage.socket("/ws", &origin).await.expect("a second socket");
    assert!(
        connected(&stage, 2).await,
        "{}",
        stage.state.presence.connected()
    );
    drop(second);
    assert!(
        connected(&stage, 1).await,
        "{}",
        stage.state.presence.connected()
    );
    assert!(
        stage.socket("/no-such-path", &origin).await.is_err(),
        "the app refuses"
    );
    assert!(
        connected(&stage, 1).await,
        "{}",
        stage.state.presence.connected()
    );
    drop(socket);
    assert!(
        connected(&stage, 0).await,
        "{}",
        stage.state.presence.connected()
    );
}

#[tokio::test]
async fn https_app_with_basic_auth_is_shown_directly() {
    let stage = Stage::before_https("Basic a2FzbV91c2VyOnBhc3M=").await;
    let seen = stage
        .asks("GET", "/seen")
        .header("authorization", "Basic bGllcw==")
        .send()
        .await
        .expect("an answer");
    let seen = seen.text().await.expect("text");
    assert!(
        seen.contains("authorization: Basic a2FzbV91c2VyOnBhc3M=") && !seen.contains("bGllcw=="),
        "{seen}"
    );
    let mut socket = stage
        .socket("/ws", &format!("http://{}", stage.host()))
        .await
        .expect("a socket over TLS");
    socket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(
        socket.next().await.expect("a message").expect("no error"),
        Message::text("hello")
    );
}
