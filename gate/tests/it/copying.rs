//! What a session's clipboard sends out: who receives it, and who does not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message as AppMessage, WebSocketUpgrade};
use axum::routing::get;
use casting_gate::session_state::Clipboard;
use casting_protocol::session_options::ViewOnly;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::stage::{Stage, serve};

const CLIENT: &[u8] = b"RFB 003.008\n\x01\x01";
const SCREEN: &[u8] = b"RFB 003.008\n\x01\x01\0\0\0\0\x00\x02\x00\x02\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\0\0\0\0\0\0\x04desk";
const ASKS: [u8; 10] = [3, 1, 0, 0, 0, 0, 5, 0, 2, 208];
const BELL: &[u8] = &[2];
const SECRET: &[u8] = b"\x03\0\0\0\0\0\0\x06secret";
const EXTENDED: &[u8] = b"\x03\0\0\0\xff\xff\xff\xf4\x10\0\0\x01packed!!";

/// A screen that says what the test says, and tells what it hears. One socket at a time.
struct Screen {
    stage: Stage,
    says: mpsc::UnboundedSender<AppMessage>,
    hears: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Screen {
    async fn new(clipboard: Clipboard, view_only: ViewOnly) -> Self {
        let (says, said) = mpsc::unbounded_channel::<AppMessage>();
        let (heard, hears) = mpsc::unbounded_channel::<Vec<u8>>();
        let said = Arc::new(Mutex::new(said));
        let socket = move |upgrade: WebSocketUpgrade| {
            let (said, heard) = (said.clone(), heard.clone());
            async move {
                upgrade.on_upgrade(|mut socket| async move {
                    let mut said = said.lock().await;
                    loop {
                        tokio::select! {
                            Some(message) = said.recv() => {
                                if socket.send(message).await.is_err() {
                                    return;
                                }
                            }
                            message = socket.recv() => match message {
                                Some(Ok(AppMessage::Binary(bytes))) => {
                                    let _ = heard.send(bytes.to_vec());
                                }
                                Some(Ok(_)) => {}
                                _ => return,
                            },
                        }
                    }
                })
            }
        };
        let app = serve(Router::new().route("/ws", get(socket))).await;
        let stage = Stage::with_clipboard(app, clipboard).await;
        stage.share(view_only, 1);
        Self { stage, says, hears }
    }

    fn says(&self, bytes: &[u8]) {
        let message = AppMessage::Binary(bytes.to_vec().into());
        self.says.send(message).expect("a socket");
    }

    /// So many bytes of what reaches the screen.
    async fn hears(&mut self, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            let next = tokio::time::timeout(Duration::from_secs(5), self.hears.recv());
            all.extend(next.await.expect("in time").expect("a socket"));
        }
        all
    }

    /// A client's socket, up to the point where pictures begin.
    async fn opened_by(&mut self, ticket: &str) -> WebSocketStream<TcpStream> {
        let mut socket = self.socket(ticket).await;
        send(&mut socket, &[CLIENT, &ASKS].concat()).await;
        self.hears(CLIENT.len() + ASKS.len()).await;
        self.says(SCREEN);
        assert_eq!(sees(&mut socket, SCREEN.len()).await, SCREEN);
        socket
    }

    async fn socket(&self, ticket: &str) -> WebSocketStream<TcpStream> {
        let origin = format!("http://{}", self.stage.host());
        let socket = self.stage.socket_as(ticket, "/ws", &origin).await;
        socket.expect("a socket")
    }

    async fn hand(&self, to: &str) {
        let reply = self
            .stage
            .asks("POST", "/.cast/control")
            .body(format!("watcher={to}"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(reply.status().as_u16(), 204, "{to}");
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, bytes: &[u8]) {
    let message = Message::binary(bytes.to_vec());
    socket.send(message).await.expect("sent");
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    tokio::time::timeout(Duration::from_secs(5), socket.next())
        .await
        .expect("in time")
        .expect("a message")
        .expect("no error")
}

/// So many bytes of what reaches the client.
async fn sees(socket: &mut WebSocketStream<TcpStream>, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < length {
        let message = next(socket).await;
        assert!(message.is_binary(), "{message:?}");
        all.extend(message.into_data());
    }
    all
}

fn open() -> Clipboard {
    Clipboard::default()
}

fn closed() -> Clipboard {
    Clipboard {
        down: false,
        ..Clipboard::default()
    }
}

/// A picture of one point, then what may not pass, then a bell.
fn said() -> (Vec<u8>, Vec<u8>) {
    let picture = [
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0][..],
        &[9; 4],
    ]
    .concat();
    let said = [&picture, SECRET, BELL, EXTENDED, &picture, BELL].concat();
    (said, [&picture, BELL, &picture, BELL].concat())
}

#[tokio::test]
async fn watcher_gets_the_screen_without_clipboard() {
    for view_only in [ViewOnly::Rfb, ViewOnly::Kasmvnc] {
        let mut screen = Screen::new(open(), view_only).await;
        let ticket = screen.stage.watcher("ada", 1);
        let mut socket = screen.opened_by(&ticket).await;
        let (said, kept) = said();
        screen.says(&said);
        assert_eq!(sees(&mut socket, kept.len()).await, kept, "watching");
        screen.hand("ada").await;
        screen.says(&said);
        assert_eq!(sees(&mut socket, said.len()).await, said, "in control");
        screen.hand("").await;
        screen.says(&said);
        assert_eq!(sees(&mut socket, kept.len()).await, kept, "watching again");
    }
}

#[tokio::test]
async fn clipboard_reaches_only_the_owner_if_allowed() {
    for (clipboard, is_open) in [(closed(), false), (open(), true)] {
        let mut screen = Screen::new(clipboard, ViewOnly::Rfb).await;
        let owner = screen.stage.ticket(1);
        let mut socket = screen.opened_by(&owner).await;
        let (said, kept) = said();
        let expected = if is_open { &said } else { &kept };
        screen.says(&said);
        assert_eq!(sees(&mut socket, expected.len()).await, *expected);
        // In pieces, as it may come.
        for byte in &said {
            screen.says(&[*byte]);
        }
        assert_eq!(sees(&mut socket, expected.len()).await, *expected);
    }
    let mut screen = Screen::new(closed(), ViewOnly::Rfb).await;
    let owner = screen.stage.ticket(1);
    drop(screen.opened_by(&owner).await);
    let ticket = screen.stage.watcher("ada", 1);
    let mut socket = screen.opened_by(&ticket).await;
    let (said, kept) = said();
    screen.hand("ada").await;
    screen.says(&said);
    assert_eq!(sees(&mut socket, kept.len()).await, kept, "in control");
}

#[tokio::test]
async fn unreadable_screen_is_not_shown() {
    let unread = "only a screen's own stream may be seen here";
    for (name, messages) in [
        ("an unknown message", vec![[SCREEN, &[99]].concat()]),
        ("another version", vec![b"RFB 004.001\n".to_vec()]),
        (
            "nothing was asked",
            vec![b"RFB 003.008\n".to_vec(), vec![1, 1]],
        ),
    ] {
        let screen = Screen::new(closed(), ViewOnly::Rfb).await;
        let mut socket = screen.socket(&screen.stage.ticket(1)).await;
        if name == "an unknown message" {
            send(&mut socket, CLIENT).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for message in messages {
            screen.says(&message);
        }
        closes(name, &mut socket, unread).await;
    }
    let screen = Screen::new(closed(), ViewOnly::Rfb).await;
    let mut socket = screen.socket(&screen.stage.ticket(1)).await;
    let text = AppMessage::Text("UkZCIDAwMy4wMDgK".into());
    screen.says.send(text).expect("a socket");
    closes("a text", &mut socket, unread).await;
}

async fn closes(name: &str, socket: &mut WebSocketStream<TcpStream>, why: &str) {
    loop {
        match next(socket).await {
            Message::Close(Some(frame)) => {
                let end = (frame.code, frame.reason.as_str());
                assert_eq!(end, (CloseCode::Policy, why), "{name}");
                return;
            }
            Message::Binary(_) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn non_rfb_stream_is_passed_unchanged() {
    let screen = Screen::new(closed(), ViewOnly::Rfb).await;
    for ticket in [screen.stage.ticket(1), screen.stage.watcher("ada", 1)] {
        let mut socket = screen.socket(&ticket).await;
        let music = [b"Ogg".as_slice(), SECRET].concat();
        for piece in [&music[..1], &music[1..]] {
            screen.says(piece);
        }
        assert_eq!(sees(&mut socket, music.len()).await, music);
        drop(socket);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn measured_client_requests_fewer_encodings() {
    let list = |encodings: &[i32]| {
        let count = u16::try_from(encodings.len()).expect("few").to_be_bytes();
        let codes = encodings.iter().flat_map(|one| one.to_be_bytes());
        [&[2, 0], count.as_slice(), &codes.collect::<Vec<_>>()].concat()
    };
    let asked = list(&[7, 21, -224, -314]);
    for (clipboard, reaches) in [(closed(), list(&[7, -224])), (open(), asked.clone())] {
        let mut screen = Screen::new(clipboard, ViewOnly::Rfb).await;
        let owner = screen.stage.ticket(1);
        let mut socket = screen.opened_by(&owner).await;
        send(&mut socket, &asked).await;
        assert_eq!(screen.hears(reaches.len()).await, reaches);
    }
}

/// A real X server's screen, where this machine has one, behind a WebSocket.
async fn real_screen(folder: &std::path::Path) -> Option<(tokio::process::Child, u16)> {
    let path = folder.join("rfb.sock");
    let server = tokio::process::Command::new("Xvnc")
        .args([
            ":59731",
            "-geometry",
            "320x200",
            "-depth",
            "24",
            "-nolisten",
            "tcp",
        ])
        .args([
            "-nolisten",
            "local",
            "-rfbport",
            "-1",
            "-SecurityTypes",
            "None",
        ])
        .args(["-AlwaysShared", "-UseBlacklist=0", "-rfbunixpath"])
        .arg(&path)
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    for _ in 0..200 {
        if tokio::net::UnixStream::connect(&path).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let socket = move |upgrade: WebSocketUpgrade| {
        let path = path.clone();
        async move {
            upgrade.on_upgrade(|mut socket| async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let mut screen = tokio::net::UnixStream::connect(path)
                    .await
                    .expect("a screen");
                let mut piece = vec![0; 1500];
                loop {
                    tokio::select! {
                        Ok(length @ 1..) = screen.read(&mut piece) => {
                            let message = AppMessage::Binary(piece[..length].to_vec().into());
                            if socket.send(message).await.is_err() {
                                return;
                            }
                        }
                        message = socket.recv() => match message {
                            Some(Ok(AppMessage::Binary(bytes))) => {
                                screen.write_all(&bytes).await.expect("it listens");
                            }
                            Some(Ok(_)) => {}
                            _ => return,
                        },
                        else => return,
                    }
                }
            })
        }
    };
    let port = serve(Router::new().route("/ws", get(socket))).await;
    Some((server, port))
}

#[tokio::test]
async fn real_x_server_is_parsed_in_every_encoding() {
    let folder = std::env::temp_dir().join(format!("casting-gate-screen-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let Some((mut server, port)) = real_screen(&folder).await else {
        eprintln!("There is no Xvnc here.");
        return;
    };
    let stage = Stage::with_clipboard(port, closed()).await;
    stage.share(ViewOnly::Rfb, 1);
    let origin = format!("http://{}", stage.host());
    let format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    // Beside each encoding, everything that noVNC asks for.
    let always = [
        -23,
        -247,
        -223,
        -224,
        -239,
        -258,
        -261,
        -307,
        -308,
        -309,
        -312,
        -313,
        -316,
        0x574d_5664,
    ];
    for (ticket, encoding) in [0, 2, 5, 7, 16].map(|encoding| (stage.ticket(1), encoding)) {
        let mut socket = stage
            .socket_as(&ticket, "/ws", &origin)
            .await
            .expect("a socket");
        send(&mut socket, b"RFB 003.008\n").await;
        assert!(
            sees(&mut socket, 14).await.starts_with(b"RFB 003.008\n"),
            "{encoding}"
        );
        send(&mut socket, &[1, 1]).await;
        sees(&mut socket, 4 + 24).await;
        let encodings = [encoding].into_iter().chain(always);
        let list: Vec<u8> = encodings.flat_map(i32::to_be_bytes).collect();
        let count = u8::try_from(list.len() / 4).expect("few");
        let fence = [&[248, 0, 0, 0, 0x80, 0, 0, 1, 6][..], b"marker"].concat();
        send(&mut socket, &[&[0, 0, 0, 0][..], &format].concat()).await;
        for _ in 0..3 {
            let asks = [3, 0, 0, 0, 0, 0, 1, 64, 0, 200];
            let said = [&[2, 0, 0, count][..], &list, &asks, &fence].concat();
            send(&mut socket, &said).await;
            let mut seen = Vec::new();
            while !seen.windows(6).any(|part| part == b"marker") {
                seen.extend(sees(&mut socket, 1).await);
            }
        }
    }
    server.kill().await.expect("it ends");
    let _ = std::fs::remove_dir_all(folder);
    let _ = std::fs::remove_file("/tmp/.X11-unix/X59731");
}
