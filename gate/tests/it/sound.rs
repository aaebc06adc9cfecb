//! Sound that an app serves beside its picture: who hears it, and that nothing goes the other way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message as Said, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use casting_gate::selkies::Media;
use casting_protocol::session_options::{SessionDirectives, ViewOnly};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::stage::{self, Stage};

/// The login that the server of the sound asks for: `kasm_user:secret`.
const LOGIN: &str = "Basic a2FzbV91c2VyOnNlY3JldA==";
/// What it sends, again and again: a packet of MPEG-TS.
const PACKET: [u8; 188] = [0x47; 188];

const AUDIBLE: Media = Media {
    audio: true,
    microphone: false,
    webcam: false,
    gamepad: false,
    uploads: false,
    downloads: false,
    printing: false,
};

/// What the server has heard, and which cookies it has seen.
type Heard = Arc<Mutex<Vec<String>>>;

/// A server of sound as images of the kasmweb family have one: https, a login, a WebSocket at every
/// path, on which it speaks.
async fn server() -> (u16, Heard) {
    let heard = Heard::default();
    let open = async |State(heard): State<Heard>, headers: HeaderMap, upgrade: WebSocketUpgrade| {
        if headers
            .get("authorization")
            .is_none_or(|login| login != LOGIN)
        {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        for cookie in headers.get_all("cookie") {
            heard.lock().expect("held").push(format!("{cookie:?}"));
        }
        let speak: Response = upgrade.on_upgrade(async move |mut socket| {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(10)) => {
                        if socket.send(Said::binary(PACKET.to_vec())).await.is_err() {
                            return;
                        }
                    }
                    said = socket.recv() => match said {
                        Some(Ok(Said::Close(_)) | Err(_)) | None => return,
                        Some(Ok(said)) => heard.lock().expect("held").push(format!("{said:?}")),
                    }
                }
            }
        });
        speak
    };
    let router = Router::new().fallback(get(open)).with_state(heard.clone());
    (stage::serve_https(router).await, heard)
}

type Socket = WebSocketStream<TcpStream>;

async fn listen(stage: &Stage, ticket: &str) -> Option<Socket> {
    let origin = format!("http://{}", stage.viewer_host());
    let opened = stage.socket_as(ticket, "/.cast/sound", &origin).await;
    opened.ok()
}

/// Whether packets come; `None` when the stream is closed, with its code.
async fn hears(socket: &mut Socket) -> Result<(), Option<CloseCode>> {
    let next = tokio::time::timeout(Duration::from_secs(5), socket.next());
    match next.await.expect("in time") {
        Some(Ok(Message::Binary(bytes))) => {
            assert_eq!(bytes.as_ref(), PACKET);
            Ok(())
        }
        Some(Ok(Message::Close(why))) => Err(why.map(|why| why.code)),
        _ => Err(None),
    }
}

/// The code with which the stream is closed in the end.
async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    loop {
        match hears(socket).await {
            Ok(()) => {}
            Err(code) => return code,
        }
    }
}

#[tokio::test]
async fn sound_reaches_owner_and_watchers_and_nothing_goes_back() {
    let (port, heard) = server().await;
    let stage = Stage::before_sound(port, LOGIN, AUDIBLE).await;
    stage.share(ViewOnly::Kasmvnc, 1);
    let ada = stage.watcher("ada", 1);
    let mut owner = listen(&stage, &stage.ticket(1)).await.expect("opens");
    let mut watcher = listen(&stage, &ada).await.expect("opens");
    for socket in [&mut owner, &mut watcher] {
        assert_eq!(hears(socket).await, Ok(()));
    }
    // A visitor's own message never reaches the app, and ends the visitor's sound.
    for message in [Message::binary(b"x".to_vec()), Message::text("x")] {
        let mut rude = listen(&stage, &stage.ticket(1)).await.expect("opens");
        rude.send(message).await.expect("is sent");
        assert_eq!(closed(&mut rude).await, Some(CloseCode::Policy));
    }
    // Sound is no picture: its end comes with the share.
    stage.state.follow(SessionDirectives::default());
    assert_eq!(closed(&mut watcher).await, Some(CloseCode::Policy));
    assert!(listen(&stage, &ada).await.is_none(), "shared no more");
    assert_eq!(hears(&mut owner).await, Ok(()));
    assert_eq!(*heard.lock().expect("held"), Vec::<String>::new());
}

#[tokio::test]
async fn sound_needs_the_permission_and_a_websocket() {
    let (port, _) = server().await;
    for (media, expected) in [(AUDIBLE, true), (Media::default(), false)] {
        let stage = Stage::before_sound(port, LOGIN, media).await;
        stage.share(ViewOnly::Kasmvnc, 1);
        let opened = listen(&stage, &stage.ticket(1)).await;
        assert_eq!(opened.is_some(), expected, "{media:?}");
        let page = stage.asks("GET", "/.cast/").send().await.expect("a page");
        let policy = page.headers()["content-security-policy"].clone();
        let policy = policy.to_str().expect("text").contains("'sha256-");
        let html = page.text().await.expect("text");
        let found = [html.contains(" data-listens"), policy];
        assert_eq!(found, [expected; 2], "{media:?}");
        let plain = stage.asks("GET", "/.cast/sound").send().await;
        assert_eq!(plain.expect("an answer").status(), 404);
    }
}
