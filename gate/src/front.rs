//! Owns what the gate answers: health, refusals, the viewer, and the app's replies. Must not know who started the app.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use casting_core::ids::SessionId;
use casting_core::keys::SessionSecret;
use casting_core::ticket::{AssignTicket, MAX_ASSIGN_BYTES, SessionTicket};
use casting_core::time::Clock;
use casting_core::viewing::ViewOnly;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role as End;

use crate::admission::Admission;
use crate::proxy::{Lost, Route};
use crate::report::{Heard, Reporter};
use crate::room::{Part, Room};
use crate::{admission, blocked, credentials, pages, relay, viewer};

/// Everything below this path is the gate's and the edge's own and never reaches an app.
pub const OWN_PATHS: &str = "/.cast";
/// The viewer's page: where visitors are led when they enter.
pub const VIEWER_PATH: &str = "/.cast/";
/// Where a session that was started ahead hears whose it is.
pub const ASSIGN_PATH: &str = "/.cast/assign";
/// Says 204 to whoever asks: the listener is up.
pub const HEALTH_PATH: &str = "/.cast/health";

/// Which scheme the visitor used, for the app.
pub const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Who asks, for the app: `owner`, `controller` or `viewer`.
pub const ROLE: &str = "x-cast-role";

/// One session's front door.
pub struct Front {
    /// The session.
    pub session: SessionId,
    /// Its secret.
    pub secret: SessionSecret,
    /// Who is let in.
    pub admission: Admission,
    /// The way to its app.
    pub app: Route,
    /// What the app is told of who asks (`Authorization`), whatever the visitor says; `None` lets the visitor speak.
    pub app_login: Option<HeaderValue>,
    /// Whether files may leave the session.
    pub downloads: bool,
    /// What goes on in it.
    pub room: Arc<Room>,
    /// Tells the control plane.
    pub reporter: Arc<Reporter>,
    /// Tells when tickets expire.
    pub clock: Arc<dyn Clock>,
}

/// Whether `path` is the gate's or the edge's own.
fn is_own(path: &str) -> bool {
    path.strip_prefix(OWN_PATHS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Everything that the gate answers.
pub fn router(front: Front) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(front))
}

async fn answer(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == HEALTH_PATH && matches!(parts.method, Method::GET | Method::HEAD) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let ticket = match front.admission.check(&parts, front.clock.now()) {
        Ok(ticket) => ticket,
        Err(why) => {
            tracing::debug!(?why, "A request was refused");
            return pages::NOT_YOURS.reply(&parts.headers);
        }
    };
    if parts.uri.path() == ASSIGN_PATH && parts.method == Method::POST {
        return front.assign(&parts, body).await;
    }
    if !front.room.is_open() && !front.ask_whose().await {
        return pages::APP_DOWN.reply(&parts.headers);
    }
    let Some(part) = front.room.part(&ticket) else {
        return pages::NOT_SHARED.reply(&parts.headers);
    };
    front.room.presence.note();
    if is_own(parts.uri.path()) {
        return viewer::answer(&front, &parts, body, &ticket, &part).await;
    }
    if !front.downloads && blocked::leads_to_downloads(parts.uri.path()) {
        return pages::NO_DOWNLOADS.reply(&parts.headers);
    }
    if !part.controls() && !may_watch(&front, &parts) {
        return pages::ONLY_WATCHING.reply(&parts.headers);
    }
    if part.controls() && is_touch(&parts) {
        front.room.presence.touch();
    }
    front.pass_on(parts, body, ticket, &part).await
}

/// Whether somebody who only watches may send this. What a stream then says is looked at while it is open.
fn may_watch(front: &Front, parts: &Parts) -> bool {
    let read = matches!(parts.method, Method::GET | Method::HEAD);
    match front.room.view_only() {
        Some(ViewOnly::Rfb) => read,
        // Its own interface changes things by GET too.
        Some(ViewOnly::Kasmvnc) => read && !blocked::leads_to(parts.uri.path(), "api"),
        Some(ViewOnly::Requests) => read && !admission::is_websocket(&parts.headers),
        None => false,
    }
}

/// Whether a request shows that a person is there: it changes something, or is a page that was asked for.
fn is_touch(parts: &Parts) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    !reads || parts.headers.contains_key("sec-fetch-user")
}

impl Front {
    /// Takes the order that says whose the session is. Whoever may bring one is known by its signature; again, it changes nothing.
    async fn assign(&self, parts: &Parts, body: Body) -> Response {
        let Ok(order) = to_bytes(body, MAX_ASSIGN_BYTES).await else {
            return pages::TOO_LARGE.reply(&parts.headers);
        };
        let order = std::str::from_utf8(&order)
            .ok()
            .map(|text| AssignTicket::open(text, &self.session, &self.secret, self.clock.now()));
        let Some(Ok(order)) = order else {
            return pages::NOT_YOURS.reply(&parts.headers);
        };
        // What the control plane has said of a session that is somebody's is newer than any order.
        if !self.room.is_open() {
            self.room.follow(order.orders);
        }
        StatusCode::NO_CONTENT.into_response()
    }

    /// Somebody is here with a ticket, but whose the session is was never heard: asks. Whether it is somebody's.
    async fn ask_whose(&self) -> bool {
        if self.room.orders().waits
            && let Some(Heard::Noted(orders)) = self.reporter.alive().await
        {
            self.room.follow(*orders);
        }
        self.room.is_open()
    }

    async fn pass_on(
        &self,
        mut parts: Parts,
        body: Body,
        ticket: Arc<SessionTicket>,
        part: &Part,
    ) -> Response {
        if !parts.headers.contains_key(FORWARDED_PROTO) {
            let scheme = if credentials::came_over_https(&parts.headers) {
                "https"
            } else {
                "http"
            };
            parts
                .headers
                .insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        }
        parts
            .headers
            .insert(ROLE, HeaderValue::from_static(part.as_str()));
        credentials::strip(&mut parts.headers);
        if let Some(login) = &self.app_login {
            parts.headers.insert(AUTHORIZATION, login.clone());
        }
        let asked = parts.headers.clone();
        let passed = if admission::is_websocket(&asked) {
            self.open_socket(Request::from_parts(parts, body), ticket)
                .await
        } else {
            self.app.forward(Request::from_parts(parts, body)).await
        };
        match passed {
            Ok(mut reply) => {
                credentials::tame_app_cookies(reply.headers_mut(), "");
                let_the_viewer_frame(reply.headers_mut());
                reply
            }
            Err(Lost::Unreadable) => pages::UNREADABLE.reply(&asked),
            Err(Lost::TooLarge) => pages::TOO_LARGE.reply(&asked),
            Err(Lost::Unreachable | Lost::BrokeOff | Lost::Late) => pages::APP_DOWN.reply(&asked),
        }
    }

    /// Opens a WebSocket to the app first, so that the visitor hears the app's own answer, then carries messages between the two.
    async fn open_socket(
        &self,
        mut request: Request<Body>,
        ticket: Arc<SessionTicket>,
    ) -> Result<Response, Lost> {
        let visitor = hyper::upgrade::on(&mut request);
        let (reply, app) = self.app.open_socket(request).await?;
        if let Some(app) = app {
            let (room, connected) = (self.room.clone(), self.room.presence.connect());
            tokio::spawn(async move {
                let Ok(visitor) = visitor.await else { return };
                let visitor = WebSocketStream::from_raw_socket(
                    TokioIo::new(visitor),
                    End::Server,
                    Some(relay::config()),
                )
                .await;
                let app = WebSocketStream::from_raw_socket(
                    TokioIo::new(app),
                    End::Client,
                    Some(relay::config()),
                )
                .await;
                relay::carry(visitor, app, room, ticket).await;
                drop(connected);
            });
        }
        Ok(reply)
    }
}

/// Apps that will not be framed by anybody are framed by the viewer, which is on their own origin, and by nobody else.
fn let_the_viewer_frame(headers: &mut HeaderMap) {
    let mut framed = headers.remove(X_FRAME_OPTIONS).is_some();
    let policies: Vec<HeaderValue> = headers
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .cloned()
        .collect();
    headers.remove(CONTENT_SECURITY_POLICY);
    for policy in policies {
        let Ok(text) = policy.to_str() else {
            headers.append(CONTENT_SECURITY_POLICY, policy);
            continue;
        };
        let is_about_frames = |directive: &&str| {
            directive
                .trim()
                .to_ascii_lowercase()
                .starts_with("frame-ancestors")
        };
        framed |= text
            .split([';', ','])
            .any(|directive| is_about_frames(&directive));
        let kept: Vec<String> = text
            .split(',')
            .map(|policy| {
                policy
                    .split(';')
                    .filter(|directive| !is_about_frames(directive))
                    .collect::<Vec<_>>()
                    .join(";")
            })
            .filter(|policy| !policy.trim().is_empty())
            .collect();
        if let Ok(kept) = HeaderValue::from_str(kept.join(",").trim())
            && !kept.is_empty()
        {
            headers.append(CONTENT_SECURITY_POLICY, kept);
        }
    }
    if framed {
        headers.append(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("frame-ancestors 'self'"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_will_not_be_framed_is_framed_by_its_own_origin_only() {
        for (name, sent, kept) in [
            ("nothing said", vec![], vec![]),
            (
                "a policy without frames",
                vec![("content-security-policy", "default-src 'self'")],
                vec!["default-src 'self'"],
            ),
            (
                "no frames",
                vec![("x-frame-options", "DENY")],
                vec!["frame-ancestors 'self'"],
            ),
            (
                "no frames, as a policy says it",
                vec![(
                    "content-security-policy",
                    "default-src 'self'; frame-ancestors 'none'; img-src *",
                )],
                vec!["default-src 'self'; img-src *", "frame-ancestors 'self'"],
            ),
            (
                "nothing but frames",
                vec![(
                    "content-security-policy",
                    "Frame-Ancestors https://a.example",
                )],
                vec!["frame-ancestors 'self'"],
            ),
            (
                "two policies in one",
                vec![("content-security-policy", "img-src *, frame-ancestors *")],
                vec!["img-src *", "frame-ancestors 'self'"],
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(name, HeaderValue::from_static(value));
            }
            let_the_viewer_frame(&mut headers);
            let left: Vec<_> = headers
                .get_all(CONTENT_SECURITY_POLICY)
                .iter()
                .map(|value| value.to_str().expect("text").to_owned())
                .collect();
            assert_eq!(left, kept, "{name}");
            assert!(!headers.contains_key(X_FRAME_OPTIONS), "{name}");
        }
    }
}
