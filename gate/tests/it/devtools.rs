//! The DevTools of an app, for programs: who reaches them, what of them, and until when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message as Said, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use casting_gate::devtools::Place;
use casting_protocol::report::GateEndReason;
use casting_protocol::session_options::ViewOnly;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::testing::NOON;
use casting_protocol::ticket::{Role, SessionTicket};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::stage::{self, Stage};

const NAMES: &str = "{session}.localhost";
const PATH: &str = "/.cast/devtools";

/// The names and values of the headers that have reached the app.
type Seen = Arc<Mutex<Vec<String>>>;

/// DevTools as Chromium serves them: only under the host `localhost`, and to no request with an `Origin` header.
async fn chromium() -> (u16, Seen) {
    let seen = Seen::default();
    let version = async |State(seen): State<Seen>, headers: HeaderMap| {
        note(&seen, &headers);
        let host = headers["host"].to_str().expect("text").to_owned();
        json!({"Browser": "Chrome/1", "webSocketDebuggerUrl": format!("ws://{host}/devtools/browser/b-1")})
            .to_string()
    };
    let open = async |State(seen): State<Seen>,
                      Path(id): Path<String>,
                      headers: HeaderMap,
                      upgrade: WebSocketUpgrade|
           -> Response {
        note(&seen, &headers);
        upgrade
            .on_upgrade(async move |mut socket| {
                let _ = socket.send(Said::text(id)).await;
                while let Some(Ok(said)) = socket.recv().await {
                    if matches!(said, Said::Text(_)) && socket.send(said).await.is_err() {
                        break;
                    }
                }
            })
            .into_response()
    };
    let endless = async || "x".repeat(9 << 20);
    let router = Router::new()
        .route("/json/version", get(version))
        .route("/json/list", get(async || "[{\"id\": \"A\"}]"))
        .route("/json/protocol", get(endless))
        .route("/json/new", get(async || "opened"))
        .route("/devtools/browser/{id}", get(open))
        .route("/devtools/page/{id}", get(open))
        .with_state(seen.clone());
    (stage::serve(router).await, seen)
}

fn note(seen: &Seen, headers: &HeaderMap) {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")));
    seen.lock().expect("held").extend(lines);
}

/// The ticket of this role for DevTools, or for another origin.
fn ticket(stage: &Stage, role: Role, origin: Option<SessionOrigin>) -> String {
    let ticket = if role == Role::Owner {
        stage.ticket(1)
    } else {
        stage.watcher("ada", 1)
    };
    let (ticket, key) = SessionTicket::open(&ticket, &stage.keys, NOON).expect("ours");
    SessionTicket { origin, ..ticket }.sign(key)
}

fn owners(stage: &Stage) -> String {
    ticket(stage, Role::Owner, Some(SessionOrigin::Devtools))
}

/// A GET below the address of DevTools, with these headers; gives status and text.
async fn ask(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let host = stage.viewer_host();
    let mut request = stage.request_to(&host, "GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("text"))
}

type Socket = WebSocketStream<TcpStream>;

async fn open(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Result<Socket, SocketError> {
    let url = format!("ws://{}{path}", stage.viewer_host());
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().expect("a name");
        request
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
    }
    let stream = TcpStream::connect(("127.0.0.1", stage.edge)).await?;
    let (socket, _) = client_async(request, stream).await?;
    Ok(socket)
}

/// The status with which a WebSocket is refused; `None` when it opens.
fn refused(opened: Result<Socket, SocketError>) -> Option<u16> {
    match opened {
        Ok(_) => None,
        Err(SocketError::Http(reply)) => Some(reply.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn next(socket: &mut Socket) -> Message {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(5), socket.next());
        match next.await.expect("in time").expect("open").expect("read") {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[tokio::test]
async fn program_finds_the_browser_and_drives_it() {
    let (port, seen) = chromium().await;
    for (template, prefix) in [(NAMES, false), ("/s/{session}", true)] {
        let stage = Stage::before_devtools(Place::Port(port), template).await;
        let prefix = if prefix {
            format!("/s/{}", stage.session)
        } else {
            String::new()
        };
        let bearer = format!("Bearer {}", owners(&stage));
        let mine = [("authorization", bearer.as_str()), ("cookie", "theme=dark")];
        // The host of a path is whatever was asked for.
        let (status, text) = ask(&stage, &format!("{prefix}{PATH}/json/version/"), &mine).await;
        assert_eq!(status, 200, "{text}");
        let version: Value = serde_json::from_str(&text).expect("JSON");
        let url = version["webSocketDebuggerUrl"]
            .as_str()
            .expect("an address");
        let expected = format!(
            "ws://{}{prefix}{PATH}/devtools/browser/b-1",
            stage.viewer_host()
        );
        assert_eq!((url, &version["Browser"]), (&*expected, &json!("Chrome/1")));
        for (path, first) in [
            ("/devtools/browser/b-1", "b-1"),
            ("/devtools/page/A", "A"),
            ("/browser", "b-1"),
        ] {
            let mut socket = open(&stage, &format!("{prefix}{PATH}{path}"), &mine)
                .await
                .expect(path);
            assert_eq!(next(&mut socket).await, Message::text(first), "{path}");
            socket
                .send(Message::text("{\"id\":1}"))
                .await
                .expect("sent");
            assert_eq!(
                next(&mut socket).await,
                Message::text("{\"id\":1}"),
                "{path}"
            );
        }
    }
    let seen = seen.lock().expect("held");
    assert!(seen.iter().any(|line| line == "host: localhost"));
    for name in [
        "authorization",
        "cookie",
        "origin",
        "x-cast",
        "x-forwarded",
        "forwarded",
    ] {
        let told: Vec<_> = seen.iter().filter(|line| line.starts_with(name)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn only_the_owners_program_is_let_in() {
    let (port, seen) = chromium().await;
    let stage = Stage::before_devtools(Place::Port(port), NAMES).await;
    stage.share(ViewOnly::Rfb, 1);
    let devtools = Some(SessionOrigin::Devtools);
    let bearer = |ticket: String| format!("Bearer {ticket}");
    let good = bearer(owners(&stage));
    let as_cookie = format!("cast-session={}", owners(&stage));
    let of_page = format!("cast-session={}", stage.ticket(1));
    let watchers = bearer(ticket(&stage, Role::Viewer, devtools));
    let pages = bearer(stage.ticket(1));
    let apps = bearer(ticket(&stage, Role::Owner, Some(SessionOrigin::App)));
    let old = bearer(ticket(&stage, Role::Owner, None));
    let origin = format!("http://{}", stage.viewer_host());
    for (name, headers, status) in [
        ("the owner's program", vec![("authorization", &*good)], 200),
        ("nothing", vec![], 403),
        ("another scheme", vec![("authorization", "Basic eDp4")], 403),
        (
            "a watcher's token",
            vec![("authorization", &*watchers)],
            403,
        ),
        (
            "the ticket of a page",
            vec![("authorization", &*pages)],
            403,
        ),
        ("of the app", vec![("authorization", &*apps)], 403),
        ("of the release before", vec![("authorization", &*old)], 403),
        ("the token as a cookie", vec![("cookie", &*as_cookie)], 403),
        ("the cookie of a page", vec![("cookie", &*of_page)], 403),
        (
            "an origin",
            vec![("authorization", &*good), ("origin", &*origin)],
            403,
        ),
        (
            "a sandboxed origin",
            vec![("authorization", &*good), ("origin", "null")],
            403,
        ),
        (
            "a script",
            vec![("authorization", &*good), ("sec-fetch-site", "same-origin")],
            403,
        ),
    ] {
        let (answered, text) = ask(&stage, &format!("{PATH}/json/version"), &headers).await;
        assert_eq!(answered, status, "{name}: {text}");
        let opened = open(&stage, &format!("{PATH}/devtools/browser/b-1"), &headers).await;
        assert_eq!(refused(opened), (status != 200).then_some(status), "{name}");
    }
    // The token opens nothing else.
    for path in [
        "/.cast/",
        "/.cast/state",
        "/.cast/events",
        "/.cast/devtoolsx",
        "/",
    ] {
        let (status, _) = ask(&stage, path, &[("authorization", &good)]).await;
        assert_eq!(status, 403, "{path}");
    }
    let app = stage.request_to(&stage.host(), "GET", &format!("{PATH}/json/version"));
    let answer = app
        .header("authorization", &good)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 403, "on the app's host");
    assert!(!seen.lock().expect("held").is_empty());
}

#[tokio::test]
async fn commands_are_activity_and_end_with_the_session() {
    let (port, _) = chromium().await;
    let stage = Stage::before_devtools(Place::Port(port), NAMES).await;
    let bearer = format!("Bearer {}", owners(&stage));
    let mine = [("authorization", bearer.as_str())];
    let path = format!("{PATH}/browser");
    let mut socket = open(&stage, &path, &mine).await.expect("opens");
    assert_eq!(next(&mut socket).await, Message::text("b-1"));
    let presence = stage.state.presence.clone();
    assert!(presence.is_entered() && presence.connected() == 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        presence.untouched_for() >= Duration::from_millis(300),
        "what it hears is no activity"
    );
    socket.send(Message::text("{}")).await.expect("sent");
    assert_eq!(next(&mut socket).await, Message::text("{}"));
    assert!(presence.untouched_for() < Duration::from_millis(300));

    stage.state.close(GateEndReason::TimeLimit);
    let Message::Close(Some(why)) = next(&mut socket).await else {
        panic!("it is closed");
    };
    assert_eq!(why.code, CloseCode::Away);
    assert_eq!(refused(open(&stage, &path, &mine).await), Some(410));
    assert_eq!(
        ask(&stage, &format!("{PATH}/json/version"), &mine).await.0,
        410
    );
}

#[tokio::test]
async fn app_gives_no_more_than_is_expected_of_it() {
    let (port, _) = chromium().await;
    let stage = Stage::before_devtools(Place::Port(port), NAMES).await;
    let bearer = format!("Bearer {}", owners(&stage));
    let mine = [("authorization", bearer.as_str())];
    for (name, path, status) in [
        ("a list", "/json/list", 200),
        ("too much", "/json/protocol", 502),
        ("a new page", "/json/new", 404),
        ("nothing", "", 404),
    ] {
        let (answered, text) = ask(&stage, &format!("{PATH}{path}"), &mine).await;
        assert_eq!(answered, status, "{name}: {text}");
    }
    let none = Stage::by_name().await;
    let bearer = format!("Bearer {}", owners(&none));
    let (status, _) = ask(
        &none,
        &format!("{PATH}/json/version"),
        &[("authorization", &bearer)],
    )
    .await;
    assert_eq!(status, 404, "an app without DevTools");
}

#[tokio::test]
async fn devtools_are_found_behind_a_socket_too() {
    let (port, _) = chromium().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("devtools.sock");
    let listener = tokio::net::UnixListener::bind(&path).expect("bound");
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(("127.0.0.1", port))
                    .await
                    .expect("there");
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    let stage = Stage::before_devtools(Place::Socket(path), NAMES).await;
    let bearer = format!("Bearer {}", owners(&stage));
    let mine = [("authorization", bearer.as_str())];
    let mut socket = open(&stage, &format!("{PATH}/browser"), &mine)
        .await
        .expect("opens");
    assert_eq!(next(&mut socket).await, Message::text("b-1"));
}
