//! Owns the sound that an app serves beside its picture, at a port of its own, as images of the
//! kasmweb family do: led to the viewer, one way. Must not know how it is decoded.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request};
use axum::response::Response;
use casting_protocol::ticket::SessionTicket;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::handler::Gate;
use crate::hop::Asked;
use crate::proxy::Passed;
use crate::session_state::Held;
use crate::{pages, relay};

/// The path of the WebSocket with the sound, on the viewer's origin.
pub(crate) const PATH: &str = "/.cast/sound";

/// The headers of the visitor's request that go on; the server of the sound needs no others.
const KEPT: [HeaderName; 4] = [
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
];

/// Opens the sound for a participant; `held` counts the WebSocket as one of theirs.
pub(crate) async fn answer(
    gate: &Arc<Gate>,
    mut parts: Parts,
    asked: Asked,
    ticket: Arc<SessionTicket>,
    held: Held,
) -> Response {
    let (Some(sound), Asked::Socket, Some(visitor)) =
        (&gate.sound, asked, parts.extensions.remove::<OnUpgrade>())
    else {
        return pages::NOTHING_HERE.reply(&parts.headers);
    };
    let mut request = Request::builder()
        .method(Method::GET)
        .uri("/")
        .header(HOST, sound.target().authority())
        .body(Body::empty())
        .unwrap_or_default();
    let headers: &mut HeaderMap = request.headers_mut();
    for name in KEPT {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(login) = &gate.app_login {
        headers.insert(AUTHORIZATION, login.clone());
    }
    match sound.pass_on(request, Asked::Socket).await {
        Ok(Passed::Socket(reply, app)) => {
            let (state, connected) = (gate.state.clone(), gate.state.presence.connect());
            tokio::spawn(async move {
                if let Ok(visitor) = visitor.await {
                    relay::listen(TokioIo::new(visitor), TokioIo::new(app), &state, &ticket).await;
                }
                drop((connected, held));
            });
            reply
        }
        _ => pages::APP_DOWN.reply(&parts.headers),
    }
}
