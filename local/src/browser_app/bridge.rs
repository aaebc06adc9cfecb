//! Owns one window's connection to the screen: what comes over the WebSocket goes to the X server's
//! socket, and back. Must not read either.

use std::path::PathBuf;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The most that is sent in one piece, in bytes.
const PIECE: usize = 64 * 1024;

/// Opens a window's connection.
pub(super) async fn open(State(socket): State<PathBuf>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["binary"])
        .on_upgrade(|window| async move {
            match UnixStream::connect(&socket).await {
                Ok(screen) => carry(window, screen).await,
                Err(error) => eprintln!("browser: the screen cannot be reached: {error}"),
            }
        })
}

async fn carry(window: WebSocket, screen: UnixStream) {
    let (mut to_window, mut from_window) = window.split();
    let (mut from_screen, mut to_screen) = screen.into_split();
    let out = async {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from_screen.read(&mut piece).await {
            let message = Message::Binary(Bytes::copy_from_slice(&piece[..length]));
            if length == 0 || to_window.send(message).await.is_err() {
                break;
            }
        }
    };
    let back = async {
        while let Some(Ok(message)) = from_window.next().await {
            match message {
                Message::Binary(bytes) if to_screen.write_all(&bytes).await.is_err() => break,
                Message::Close(_) => break,
                _ => {}
            }
        }
    };
    // Either end is the end of both.
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}
