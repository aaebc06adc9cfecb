//! Owns one window's connection: forwards messages of the shared state, and the window's edits.
//! Must not know what they mean.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::broadcast::error::RecvError;

use super::pad::{Edit, MAX_BYTES};
use super::shared_state::SharedState;

/// The longest message of a window, in bytes: in JSON, a letter takes up to six.
const MAX_MESSAGE_BYTES: usize = 6 * MAX_BYTES + 1024;

/// Opens a window's connection.
pub async fn open(
    State(shared_state): State<Arc<SharedState>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(|socket| attend(socket, shared_state))
}

async fn attend(mut socket: WebSocket, shared_state: Arc<SharedState>) {
    let (window, hello, mut updates) = shared_state.join();
    let mut broadcast = Some(hello);
    loop {
        if let Some(text) = broadcast.take()
            && socket
                .send(Message::Text(Utf8Bytes::from(&*text)))
                .await
                .is_err()
        {
            return;
        }
        broadcast = tokio::select! {
            heard = updates.recv() => match heard {
                Ok(text) => Some(text),
                Err(RecvError::Lagged(_)) => Some(window.catch_up()),
                Err(RecvError::Closed) => return,
            },
            said = socket.recv() => match said {
                // What is no edit is not answered.
                Some(Ok(Message::Text(text))) => serde_json::from_str::<Edit>(&text).ok().and_then(|edit| window.write(edit)),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => None,
            },
        };
    }
}
