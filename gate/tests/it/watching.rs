//! WebSockets of those who only watch: what of them reaches the app, and how they end.

use std::time::Duration;

use casting_protocol::session_options::ViewOnly;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::stage::Stage;

const HELLO: &[u8] = b"RFB 003.008\n\x01\x01";
const KEY: [u8; 8] = [4, 1, 0, 0, 0, 0, 0, 97];
const PICTURE: [u8; 10] = [3, 1, 0, 0, 0, 0, 5, 0, 2, 208];

async fn open(stage: &Stage, ticket: &str) -> WebSocketStream<TcpStream> {
    stage
        .socket_as(ticket, "/ws", &format!("http://{}", stage.host()))
        .await
        .expect("a socket")
}

/// What comes back of a piece: the app says everything again that reaches it.
async fn reaches(socket: &mut WebSocketStream<TcpStream>, piece: &[u8]) -> Vec<u8> {
    socket
        .send(Message::binary(piece.to_vec()))
        .await
        .expect("sent");
    next(socket).await.into_data().to_vec()
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    tokio::time::timeout(Duration::from_secs(5), socket.next())
        .await
        .expect("in time")
        .expect("a message")
        .expect("no error")
}

fn why(message: &Message) -> Option<(CloseCode, &str)> {
    match message {
        Message::Close(Some(frame)) => Some((frame.code, frame.reason.as_str())),
        _ => None,
    }
}

#[tokio::test]
async fn watcher_input_passes_only_while_having_control() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let ticket = stage.watcher("ada", 1);
    let _there = stage
        .request("GET", "/.cast/events")
        .header("cookie", stage.cookie("/.cast/events", &ticket))
        .send()
        .await
        .expect("an answer");
    let mut socket = open(&stage, &ticket).await;
    assert_eq!(reaches(&mut socket, HELLO).await, HELLO);
    let typed = [KEY.as_slice(), &PICTURE].concat();
    assert_eq!(reaches(&mut socket, &typed).await, PICTURE, "watching");
    let hand = async |to: &str| {
        let status = stage
            .asks("POST", "/.cast/control")
            .body(format!("watcher={to}"))
            .send()
            .await
            .expect("an answer")
            .status();
        assert_eq!(status.as_u16(), 204, "{to}");
    };
    hand("ada").await;
    assert_eq!(reaches(&mut socket, &typed).await, typed, "in control");
    hand("").await;
    assert_eq!(
        reaches(&mut socket, &typed).await,
        PICTURE,
        "watching again"
    );
    let unknown = stage
        .asks("POST", "/.cast/control")
        .body("watcher=nobody")
        .send()
        .await
        .expect("an answer");
    assert_eq!(unknown.status().as_u16(), 404);
}

#[tokio::test]
async fn watcher_socket_ends_with_sharing_or_non_rfb_data() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let ticket = stage.watcher("ada", 1);
    let mut owner = open(&stage, &stage.ticket(1)).await;
    for (name, message) in [
        ("text", Message::text("hello")),
        (
            "no RFB",
            Message::binary(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ),
    ] {
        let mut socket = open(&stage, &ticket).await;
        socket.send(message).await.expect("sent");
        let end = next(&mut socket).await;
        assert_eq!(
            why(&end),
            Some((CloseCode::Policy, "viewers may only watch")),
            "{name}"
        );
    }
    let mut socket = open(&stage, &ticket).await;
    assert_eq!(reaches(&mut socket, HELLO).await, HELLO);
    stage.share(ViewOnly::Rfb, 2);
    let end = next(&mut socket).await;
    assert_eq!(
        why(&end),
        Some((
            CloseCode::Policy,
            "the session is not shared with you any more"
        )),
        "a new round"
    );
    let again = stage
        .socket_as(&ticket, "/ws", &format!("http://{}", stage.host()))
        .await;
    assert!(again.is_err(), "the old ticket opens nothing");
    assert_eq!(
        reaches(&mut owner, HELLO).await,
        HELLO,
        "the owner's goes on"
    );
}

#[tokio::test]
async fn watchers_get_only_what_the_apps_sharing_mode_allows() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let ticket = stage.watcher("ada", 1);
    let origin = format!("http://{}", stage.host());
    assert!(stage.socket_as(&ticket, "/ws", &origin).await.is_err());
    stage.share(ViewOnly::Kasmvnc, 1);
    for (path, status) in [("/seen", 200), ("/api/get_users", 403), ("/%61pi/x", 403)] {
        let reply = stage
            .request("GET", path)
            .header("cookie", stage.cookie(path, &ticket))
            .send()
            .await
            .expect("an answer");
        let reached = reply.status().as_u16();
        assert!(
            reached == status || (status == 200 && reached == 404),
            "{path}: {reached}"
        );
    }
    let mut directives = stage.state.directives();
    directives.options.view_only = None;
    stage.state.follow(directives);
    let reply = stage
        .request("GET", "/seen")
        .header("cookie", stage.cookie("/seen", &ticket))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        reply.status().as_u16(),
        403,
        "nobody knows how this app is only watched"
    );
}

#[tokio::test]
async fn fixed_resolution_is_requested_when_sharing_begins() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let mut directives = stage.state.directives();
    let shared = directives.clone();
    directives.share_link = None;
    stage.state.follow(directives);
    let mut socket = open(&stage, &stage.ticket(1)).await;
    let sizes = [&[2, 0, 0, 1][..], &(-308_i32).to_be_bytes()].concat();
    assert_eq!(
        reaches(&mut socket, &[HELLO, &sizes].concat()).await,
        [HELLO, &sizes].concat()
    );
    let wish = |width: u16, height: u16| {
        let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
        [
            &[251, 0],
            width.as_slice(),
            &height,
            &[1, 0],
            &[0; 8],
            &width,
            &height,
            &[0; 4],
        ]
        .concat()
    };
    assert_eq!(
        reaches(&mut socket, &wish(900, 600)).await,
        wish(900, 600),
        "alone, the owner's window is the measure"
    );
    stage.state.follow(shared);
    assert_eq!(
        next(&mut socket).await.into_data().to_vec(),
        wish(1280, 720),
        "sharing begins"
    );
    assert_eq!(
        reaches(&mut socket, &wish(900, 600)).await,
        wish(1280, 720),
        "whatever the owner's window wishes"
    );
    let unknown = [&[199][..], &wish(900, 600)].concat();
    socket.send(Message::binary(unknown)).await.expect("sent");
    assert_eq!(
        reaches(&mut socket, &wish(901, 601)).await,
        wish(1280, 720),
        "also after a message that the gate does not know"
    );
}

#[tokio::test]
async fn closed_clipboard_blocks_pasting() {
    let stage = Stage::without_pasting().await;
    stage.share(ViewOnly::Rfb, 1);
    let mut owner = open(&stage, &stage.ticket(1)).await;
    assert_eq!(reaches(&mut owner, HELLO).await, HELLO);
    let text = [&[6, 0, 0, 0, 0, 0, 0, 5][..], b"hello"].concat();
    let extended = [&[6, 0, 0, 0, 255, 255, 255, 251][..], b"hello"].concat();
    for (name, pasted) in [("plain", text), ("extended", extended)] {
        let said = [KEY.as_slice(), &pasted, &PICTURE].concat();
        let left = [KEY.as_slice(), &PICTURE].concat();
        assert_eq!(reaches(&mut owner, &said).await, left, "{name}");
    }
    let unread = "only a screen's own stream may be sent here";
    for (name, messages) in [
        ("as base64", vec![Message::text("UkZCIDAwMy4wMDgK")]),
        (
            "as another version",
            vec![Message::binary(b"RFB 004.001\n".to_vec())],
        ),
    ] {
        let mut socket = open(&stage, &stage.ticket(1)).await;
        for message in messages {
            socket.send(message).await.expect("sent");
        }
        let mut end = next(&mut socket).await;
        while !end.is_close() {
            end = next(&mut socket).await;
        }
        assert_eq!(why(&end), Some((CloseCode::Policy, unread)), "{name}");
    }
    let mut owner = open(&stage, &stage.ticket(1)).await;
    assert_eq!(reaches(&mut owner, HELLO).await, HELLO);
    let unknown = [&[99][..], &[6, 0, 0, 0, 0, 0, 0, 5], b"hello"].concat();
    owner.send(Message::binary(unknown)).await.expect("sent");
    let paste = [&[6, 0, 0, 0, 0, 0, 0, 5][..], b"hello", &PICTURE].concat();
    assert_eq!(
        reaches(&mut owner, &paste).await,
        PICTURE,
        "after an unknown message"
    );
    let mut sound = open(&stage, &stage.ticket(1)).await;
    assert_eq!(
        reaches(&mut sound, b"OggS").await,
        b"OggS",
        "another stream"
    );
    let request = stage
        .asks("GET", "/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("origin", format!("http://{}", stage.host()))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "base64, echo");
    let reply = request.send().await.expect("an answer");
    assert_eq!(reply.status().as_u16(), 101);
    assert_eq!(reply.headers()["sec-websocket-protocol"], "echo");
}
