//! Owns what the gate answers: health, refusals, and the app's replies. Must not know who started the app.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_reverse_proxy::TunnelGuard;
use casting_core::ids::SessionId;
use casting_core::keys::SessionSecret;
use casting_core::time::Clock;

use crate::presence::Presence;
use crate::proxy::{Lost, Proxy, Target};
use crate::{admission, blocked, credentials, pages};

/// Everything below this path is the gate's and the edge's own and never reaches an app.
pub const OWN_PATHS: &str = "/.cast";
/// Says 204 to whoever asks: the listener is up.
pub const HEALTH_PATH: &str = "/.cast/health";

/// Which scheme the visitor used, for the app.
pub const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// One session's front door.
pub struct Front {
    /// The session.
    pub session: SessionId,
    /// Its secret.
    pub secret: SessionSecret,
    /// Where its app listens.
    pub app: Target,
    /// Whether files may leave the session.
    pub downloads: bool,
    /// Who is there.
    pub presence: Arc<Presence>,
    /// Tells when tickets expire.
    pub clock: Arc<dyn Clock>,
    /// Passes requests on.
    pub proxy: Proxy,
}

/// Whether `path` is the gate's or the edge's own.
pub fn is_own(path: &str) -> bool {
    path.strip_prefix(OWN_PATHS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Everything that the gate answers.
pub fn router(front: Front) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(front))
}

async fn answer(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    if is_own(request.uri().path()) {
        let health = request.uri().path() == HEALTH_PATH && matches!(*request.method(), Method::GET | Method::HEAD);
        return if health { StatusCode::NO_CONTENT.into_response() } else { pages::NOTHING_HERE.reply(request.headers()) };
    }
    let (mut parts, body) = request.into_parts();
    if let Err(why) = admission::check(&parts, &front.session, &front.secret, front.clock.now()) {
        tracing::debug!(?why, "A request was refused");
        return pages::NOT_YOURS.reply(&parts.headers);
    }
    if !front.downloads && blocked::leads_to_downloads(parts.uri.path()) {
        return pages::NO_DOWNLOADS.reply(&parts.headers);
    }
    if !parts.headers.contains_key(FORWARDED_PROTO) {
        let scheme = if credentials::came_over_https(&parts.headers) { "https" } else { "http" };
        parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    front.presence.note();
    if admission::is_websocket(&parts.headers) {
        // Held by the tunnel until it is closed, or dropped with the request when none comes of it.
        parts.extensions.insert(TunnelGuard::new(front.presence.connect()));
    }
    credentials::strip(&mut parts.headers);
    let asked = parts.headers.clone();
    match front.proxy.forward(&front.app, Request::from_parts(parts, body)).await {
        Ok(mut reply) => {
            credentials::tame_app_cookies(reply.headers_mut(), "");
            reply
        }
        Err(Lost::Unreadable) => pages::UNREADABLE.reply(&asked),
        Err(Lost::Unreachable | Lost::BrokeOff) => pages::APP_DOWN.reply(&asked),
    }
}
