//! Owns the WebSocket that a deployment is checked with: it returns a few small messages, so that
//! whatever is between a visitor and the gate can be tested without knowing the app. Must not reach
//! the app.

use std::time::Duration;

use axum::http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::hop::Asked;
use crate::pages;
use crate::proxy::to_websocket;
use crate::session_state::Held;

/// The path of the WebSocket, on the viewer's origin.
pub const PATH: &str = "/.cast/echo";

/// The longest message, in bytes.
const MESSAGE: usize = 1024;
/// How many messages one connection gets back.
const MESSAGES: usize = 16;
/// How long a connection may live.
const LIFETIME: Duration = Duration::from_secs(30);

/// Accepts the WebSocket of the owner; `held` counts it as one of theirs.
pub(crate) fn answer(parts: &mut Parts, asked: Asked, held: Held) -> Response {
    let (Asked::Socket, Some(upgrade), Some(key)) = (
        asked,
        parts.extensions.remove::<OnUpgrade>(),
        parts.headers.get(SEC_WEBSOCKET_KEY),
    ) else {
        return pages::NOTHING_HERE.reply(&parts.headers);
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return pages::UNREADABLE.reply(&parts.headers);
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let _ = timeout(LIFETIME, echo(TokioIo::new(upgraded))).await;
        }
        drop(held);
    });
    let mut reply = StatusCode::SWITCHING_PROTOCOLS.into_response();
    to_websocket(reply.headers_mut());
    reply.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    reply
}

async fn echo<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: S) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    for _ in 0..MESSAGES {
        match socket.next().await {
            Some(Ok(message)) if message.is_text() || message.is_binary() => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
    let _ = socket.close(None).await;
}
