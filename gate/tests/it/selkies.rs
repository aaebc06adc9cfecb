//! A streaming server such as Selkies behind the gate: who it takes a visitor for, and what of them
//! reaches it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::ws::{Message as Said, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, Response};
use axum::routing::{any, get, post};
use casting_gate::selkies::Media;
use casting_gate::selkies_roles::master_token;
use casting_gate::session_state::Clipboard;
use casting_protocol::session_options::ViewOnly;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::stage::{self, Stage};

/// What a streaming server has seen.
#[derive(Clone, Default)]
struct Server {
    /// The tables that it received, each with the header that came with it.
    tables: Arc<Mutex<Vec<(String, Value)>>>,
    /// What was said to it, by the role of who said it.
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    fn router(&self) -> Router {
        let tokens =
            async |State(server): State<Self>, headers: HeaderMap, Json(table): Json<Value>| {
                let said = headers["authorization"].to_str().expect("text").to_owned();
                server.tables.lock().expect("held").push((said, table));
            };
        Router::new()
            .route("/api/tokens", post(tokens))
            .route("/api/websockets", get(Self::open))
            .route("/", get(async || Html("<html><head><title>Selkies")))
            .fallback(any(async || "the server's own"))
            .with_state(self.clone())
    }

    /// Admits a client by its token, names its role, and then sends everything that it is asked to
    /// send.
    async fn open(
        State(server): State<Self>,
        Query(query): Query<HashMap<String, String>>,
        upgrade: WebSocketUpgrade,
    ) -> Response {
        let role = server.role(&query["token"]);
        upgrade.on_upgrade(async move |mut socket| {
            let first = Said::text(format!("AUTH_SUCCESS,{role}"));
            if socket.send(first).await.is_err() {
                return;
            }
            while let Some(Ok(said)) = socket.recv().await {
                let text = match said {
                    Said::Text(text) => text.as_str().to_owned(),
                    Said::Binary(bytes) => format!("{bytes:?}"),
                    _ => continue,
                };
                server
                    .heard
                    .lock()
                    .expect("held")
                    .push((role.clone(), text));
                for answer in [
                    Said::text("clipboard,c2VjcmV0"),
                    Said::binary(b"\x01sound".to_vec()),
                    Said::text("VIDEO_STARTED"),
                ] {
                    let _ = socket.send(answer).await;
                }
            }
        })
    }

    fn role(&self, token: &str) -> String {
        let tables = self.tables.lock().expect("held");
        let entry = tables.last().and_then(|(_, table)| table.get(token));
        entry
            .map_or("nobody", |entry| entry["role"].as_str().unwrap_or("none"))
            .to_owned()
    }

    /// What was said to it since it was asked last.
    fn heard(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.heard.lock().expect("held"))
    }
}

const OPEN: Media = Media {
    audio: true,
    microphone: true,
    webcam: true,
    gamepad: true,
    uploads: true,
    downloads: true,
    printing: true,
};

async fn session(clipboard: Clipboard, media: Media) -> (Server, Stage) {
    let server = Server::default();
    let port = stage::serve(server.router()).await;
    let stage = Stage::before_selkies(port, clipboard, media).await;
    stage.share(ViewOnly::Selkies, 1);
    (server, stage)
}

type Socket = WebSocketStream<TcpStream>;

async fn open(stage: &Stage, ticket: &str) -> Socket {
    // What a page says of tokens and roles is nothing to the gate.
    let path = "/api/websockets?token=forged&role=controller";
    stage
        .socket_as(ticket, path, &format!("http://{}", stage.host()))
        .await
        .expect("a socket")
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(5), socket.next())
        .await
        .expect("in time")
        .expect("a message")
        .expect("no error")
}

/// Everything up to the answer that every client gets.
async fn answers(socket: &mut Socket) -> Vec<Message> {
    let mut seen = Vec::new();
    loop {
        let message = next(socket).await;
        if message == Message::text("VIDEO_STARTED") {
            return seen;
        }
        seen.push(message);
    }
}

#[tokio::test]
async fn hostile_watcher_input_never_reaches_selkies() {
    let (server, stage) = session(Clipboard::default(), OPEN).await;
    let mut socket = open(&stage, &stage.watcher("ada", 1)).await;
    assert_eq!(
        next(&mut socket).await,
        Message::text("AUTH_SUCCESS,viewer")
    );
    let inputs = [
        "kd,65",
        "ku,65",
        "kr",
        "kh,65",
        "m,1,1,1,0",
        "m2,1,1,1,0",
        "co,end,x",
        "sf,1,1",
        "js,b,0,1,1",
        "cw,eA==",
        "cws,1,1",
        "cr",
        "REQUEST_CLIPBOARD",
        "r,1x1",
        "s,240",
        "cmd,xterm",
        "vb,1",
        "STOP_AUDIO",
        "_gz,1",
        "START_VIDEO,kd,65",
        "START_VIDEO\nkd,65",
    ];
    for input in inputs {
        socket.send(Message::text(input)).await.expect("sent");
        socket
            .send(Message::binary(input.as_bytes().to_vec()))
            .await
            .expect("sent");
        for first in [2, 5, 6] {
            let binary = [&[first], input.as_bytes()].concat();
            socket.send(Message::binary(binary)).await.expect("sent");
        }
        // The same letter by letter, with empty frames between, and pings.
        let bytes = input.as_bytes();
        for at in 0..=bytes.len() {
            let data = if at == 0 { Data::Text } else { Data::Continue };
            let piece = bytes.get(at..=at).unwrap_or_default().to_vec();
            let frame = Frame::message(piece, OpCode::Data(data), at == bytes.len());
            socket.send(Message::Frame(frame)).await.expect("sent");
            if at % 3 == 0 {
                socket
                    .send(Message::Ping(Vec::new().into()))
                    .await
                    .expect("sent");
            }
        }
    }
    let options = [
        (
            "SETTINGS,{\"displayId\":\"display2\",\"initialClientWidth\":1}",
            "SETTINGS,{\"displayId\":\"primary\"}",
        ),
        ("START_VIDEO", "START_VIDEO"),
        ("CLIENT_FRAME_ACK 7", "CLIENT_FRAME_ACK 7"),
        ("REQUEST_KEYFRAME", "REQUEST_KEYFRAME"),
    ];
    for (said, heard) in options {
        socket.send(Message::text(said)).await.expect("sent");
        let seen: Vec<Message> = answers(&mut socket)
            .await
            .into_iter()
            .filter(Message::is_text)
            .collect();
        assert_eq!(seen, [], "no clipboard");
        assert_eq!(server.heard(), [("viewer".to_owned(), heard.to_owned())]);
    }
}

#[tokio::test]
async fn control_gives_another_token_and_is_taken_back_at_once() {
    let (server, stage) = session(Clipboard::default(), OPEN).await;
    let ticket = stage.watcher("ada", 1);
    let _there = stage
        .request("GET", "/.cast/events")
        .header("cookie", stage.cookie("/.cast/events", &ticket))
        .send()
        .await
        .expect("an answer");
    let roster = stage.roster.clone().expect("it streams");
    let state = stage.state.clone();
    tokio::spawn(async move { roster.follow(&state).await });
    let mut watched = open(&stage, &ticket).await;
    assert_eq!(
        next(&mut watched).await,
        Message::text("AUTH_SUCCESS,viewer")
    );

    assert!(stage.state.hand_over(Some("ada")));
    let mut used = open(&stage, &ticket).await;
    assert_eq!(
        next(&mut used).await,
        Message::text("AUTH_SUCCESS,controller")
    );
    used.send(Message::text("kd,65")).await.expect("sent");
    let clipboard = Message::text("clipboard,c2VjcmV0");
    assert!(answers(&mut used).await.contains(&clipboard));
    assert_eq!(
        server.heard(),
        [("controller".to_owned(), "kd,65".to_owned())]
    );
    // What is begun in control may not be ended without it.
    let begun = Frame::message("co,end,rm -rf", OpCode::Data(Data::Text), false);
    used.send(Message::Frame(begun)).await.expect("sent");
    used.send(Message::Ping(Vec::new().into()))
        .await
        .expect("sent");
    assert!(matches!(next(&mut used).await, Message::Pong(_)));

    let before = server.tables.lock().expect("held").len();
    assert!(stage.state.hand_over(None));
    let rest = Frame::message(" /\n", OpCode::Data(Data::Continue), true);
    let _ = used.send(Message::Frame(rest)).await;
    match next(&mut used).await {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Policy),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.heard(), []);
    let told = soon(|| server.tables.lock().expect("held").len() > before).await;
    assert!(told, "it is told without anybody asking for anything");
    let tables = server.tables.lock().expect("held").clone();
    let master = format!(
        "Bearer {}",
        master_token(&stage.keys.secret(&stage.session))
    );
    assert!(tables.iter().all(|(said, _)| *said == master));
    let sizes: Vec<usize> = tables
        .iter()
        .map(|(_, table)| table.as_object().expect("a table").len())
        .collect();
    assert_eq!(
        sizes,
        [2, 3, 2],
        "owner and watchers, and who has control in between"
    );
}

async fn soon(holds: impl Fn() -> bool) -> bool {
    for _ in 0..100 {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn owner_is_held_to_the_permissions_of_the_session() {
    let closed = Clipboard {
        up: false,
        down: false,
    };
    let little = Media {
        microphone: true,
        ..Media::default()
    };
    let (server, stage) = session(closed, little).await;
    let mut socket = open(&stage, &stage.ticket(1)).await;
    assert_eq!(
        next(&mut socket).await,
        Message::text("AUTH_SUCCESS,controller")
    );
    for said in ["cw,eA==", "cr", "js,b,0,1,1", "cmd,xterm"] {
        socket.send(Message::text(said)).await.expect("sent");
    }
    socket.send(Message::text("kd,65")).await.expect("sent");
    assert_eq!(
        answers(&mut socket).await,
        [],
        "neither clipboard nor sound"
    );
    assert_eq!(
        server.heard(),
        [("controller".to_owned(), "kd,65".to_owned())]
    );

    // The screen keeps its size while it is shared, from the first settings on.
    let settings = r#"SETTINGS,{"initialClientWidth":1}"#;
    socket.send(Message::text(settings)).await.expect("sent");
    let _ = answers(&mut socket).await;
    let _ = answers(&mut socket).await;
    let heard: Vec<String> = server.heard().into_iter().map(|(_, said)| said).collect();
    assert_eq!(
        heard,
        [
            r#"SETTINGS,{"initialClientWidth":1280,"initialClientHeight":720,"manual_width":1280,"manual_height":720}"#,
            "r,1280x720"
        ]
    );

    // A long text arrives whole, in whatever pieces it comes.
    let text = format!("co,end,{}", "длинный ".repeat(5000));
    for (at, piece) in text.as_bytes().chunks(777).enumerate() {
        let data = if at == 0 { Data::Text } else { Data::Continue };
        let is_last = (at + 1) * 777 >= text.len();
        let frame = Frame::message(piece.to_vec(), OpCode::Data(data), is_last);
        socket.send(Message::Frame(frame)).await.expect("sent");
    }
    let _ = answers(&mut socket).await;
    assert_eq!(server.heard(), [("controller".to_owned(), text)]);
}

#[tokio::test]
async fn acknowledgement_is_no_touch_and_a_key_is_one() {
    let (_server, stage) = session(Clipboard::default(), OPEN).await;
    let mut socket = open(&stage, &stage.ticket(1)).await;
    let _ = next(&mut socket).await;
    for (said, touches) in [
        ("CLIENT_FRAME_ACK 7", false),
        ("kh,65", false),
        ("ku,65", false),
        ("cw,eA==", false),
        ("_stats,1", false),
        ("kd,65", true),
        ("START_VIDEO", false),
        ("m,1,1,1,0", true),
        ("js,h,0", false),
        ("js,b,0,1,1", true),
    ] {
        let before = Instant::now();
        socket.send(Message::text(said)).await.expect("sent");
        let _ = answers(&mut socket).await;
        // Touched since then, or longer ago.
        let is_touched = stage.state.presence.untouched_for() < before.elapsed();
        assert_eq!(is_touched, touches, "{said}");
    }
}

#[tokio::test]
async fn operator_endpoints_are_closed_to_everybody() {
    let (server, stage) = session(Clipboard::default(), OPEN).await;
    let ada = stage.watcher("ada", 1);
    for path in [
        "/api/tokens",
        "/api/switch",
        "/api/sessions",
        "/api/recording",
        "/api/screenshot",
        "/api/metrics",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = stage.asks(method, path).send().await.expect("an answer");
            assert_eq!(reply.status(), StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    for (method, path, owner, watcher) in [
        ("GET", "/", 200, 200),
        ("GET", "/api/files/a.txt", 200, 403),
        ("POST", "/api/upload", 200, 403),
    ] {
        let asked = stage.asks(method, path).send().await.expect("an answer");
        assert_eq!(asked.status(), owner, "{method} {path}");
        let watched = stage
            .request(method, path)
            .header("cookie", stage.cookie(path, &ada))
            .send()
            .await
            .expect("an answer");
        assert_eq!(watched.status(), watcher, "{method} {path}, watched");
    }
    assert_eq!(server.heard(), []);
}

#[tokio::test]
async fn page_gets_the_script_by_which_the_panel_reaches_it() {
    let (_, stage) = session(Clipboard::default(), OPEN).await;
    let page = stage.asks("GET", "/").header("accept-encoding", "gzip");
    let page = page.send().await.expect("a page").text().await;
    let tag = "<script src=\".cast/frame.js\"></script>";
    let expected = format!("<html><head>{tag}<title>Selkies");
    assert_eq!(page.expect("text"), expected);
    // On the app's origin it is the one thing of the gate's that there is.
    for (path, found) in [("/.cast/frame.js", 200), ("/.cast/viewer.js", 404)] {
        let cookie = stage.ticket_at("/", &stage.ticket(1));
        let asked = stage
            .request_to(&stage.host(), "GET", path)
            .header("cookie", format!("cast-session={cookie}"));
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), found, "{path}");
    }
}
