//! Owns the edge: takes a visitor's ticket, keeps it in a cookie on the session's own origin, and passes every request on to the gate that the
//! ticket names. Must not keep state, and must not believe anything but tickets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, FORWARDED, HOST, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use casting_core::keys::{SessionKeys, SessionSecret};
use casting_core::ticket::{Role, SessionTicket};
use casting_core::time::Clock;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::time::timeout;
use url::Url;

use crate::front::{FORWARDED_PROTO, HEALTH_PATH, VIEWER_PATH, last_on_connection};
use crate::hop;
use crate::proxy::{Lost, Passed, Proxy, Target};
use crate::session_host::{Found, SessionHost};
use crate::settings::EdgeServer;
use crate::{bodies, credentials, limits, pages, path_mode, server};

/// Where a visitor arrives with a ticket: `GET /.cast/enter?ticket=…`.
pub const ENTER_PATH: &str = "/.cast/enter";

/// How long one end of a WebSocket may live on when the other is gone.
const LAST_BYTES: Duration = Duration::from_secs(5);

const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// How the edge routes.
#[derive(Clone)]
pub struct EdgeSettings {
    /// The keys of all sessions.
    pub keys: SessionKeys,
    /// Where sessions are found.
    pub session_host: SessionHost,
    /// Where visitors are told how their session stands; `None` leaves them with the edge's own words.
    pub control_url: Option<Url>,
    /// Whether visitors come over https.
    pub secure_cookies: bool,
    /// Tells when tickets expire.
    pub clock: Arc<dyn Clock>,
}

struct Edge {
    settings: EdgeSettings,
    proxy: Proxy,
}

/// Everything that the edge answers. Whoever serves it beside other things asks [`SessionHost::find`] which requests are for sessions, and
/// should put the peer's address into the requests' extensions, as [`axum::extract::ConnectInfo`].
pub fn router(settings: EdgeSettings) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(Edge {
        settings,
        proxy: Proxy::default(),
    }))
}

/// Runs the edge as a server of its own.
///
/// # Errors
/// When its address cannot be listened on.
pub async fn serve(settings: EdgeServer) -> anyhow::Result<()> {
    let listener = server::listen(settings.listen).map_err(|error| {
        anyhow::anyhow!("the edge cannot listen on {}: {error}", settings.listen)
    })?;
    server::raise_open_files_limit();
    tracing::info!(address = %listener.local_addr()?, "The edge listens");
    let stop = async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    };
    tokio::select! {
        stopped = stop => Ok(stopped?),
        never = server::serve(listener, router(settings.edge)) => match never {},
    }
}

async fn answer(State(edge): State<Arc<Edge>>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.uri.path() == HEALTH_PATH && matches!(parts.method, Method::GET | Method::HEAD) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Some(found) = edge.settings.session_host.find(&parts.uri, &parts.headers) else {
        return last_on_connection(pages::NOTHING_HERE.reply(&parts.headers));
    };
    let Some(uri) = path_mode::without_prefix(&parts.uri, &found.prefix) else {
        return redirect(&format!("{}/", found.prefix));
    };
    parts.uri = uri;
    match parts.uri.path() {
        ENTER_PATH if parts.method == Method::GET => edge.enter(&parts, &found),
        _ => edge.pass_on(parts, body, &found).await,
    }
}

#[derive(Default, Deserialize)]
struct Entry {
    ticket: String,
    /// An address to be opened, for the gate.
    go: Option<String>,
}

impl Edge {
    /// The ticket and its session's secret, if it is ours, still good, and for the session that the address names.
    fn open(&self, text: &str, found: &Found) -> Option<(SessionTicket, SessionSecret)> {
        let (ticket, secret) =
            SessionTicket::open(text, &self.settings.keys, self.settings.clock.now()).ok()?;
        (ticket.session == found.session).then_some((ticket, secret))
    }

    fn enter(&self, parts: &Parts, found: &Found) -> Response {
        let Query(Entry { ticket: text, go }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
        let Some((ticket, _)) = self.open(&text, found) else {
            return pages::NOT_YOURS
                .reply_with(&parts.headers, self.session_page(found).as_deref());
        };
        // A signed text is base64url and dots; what is not goes no further.
        let go = go.filter(|go| {
            go.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        });
        let go = go.map_or_else(String::new, |go| format!("?go={go}"));
        let mut reply = redirect(&format!("{}{VIEWER_PATH}{go}", found.prefix));
        // Whoever owns the session and opens its share link stays its owner.
        let owns = |text: &str| {
            self.open(text, found)
                .is_some_and(|(known, _)| known.role == Role::Owner)
        };
        if ticket.role != Role::Owner && credentials::tickets(&parts.headers).any(owns) {
            return reply;
        }
        let max_age = self.settings.clock.now().seconds_until(ticket.expires);
        let cookie =
            credentials::ticket_cookie(&text, &found.prefix, self.settings.secure_cookies, max_age);
        // A ticket that could be opened is base64url and dots, which a header always takes.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            reply.headers_mut().insert(SET_COOKIE, cookie);
        }
        reply
    }

    async fn pass_on(&self, mut parts: Parts, body: Body, found: &Found) -> Response {
        let mut opened: Vec<_> = credentials::tickets(&parts.headers)
            .filter_map(|text| self.open(text, found))
            .collect();
        // The owner's before a watcher's.
        opened.sort_by_key(|(ticket, _)| ticket.role != Role::Owner);
        let opened = opened.into_iter().next();
        let Some((target, secret)) = opened
            .and_then(|(ticket, secret)| Some((Target::at(&ticket.host, ticket.port)?, secret)))
        else {
            let page = self.session_page(found);
            return last_on_connection(
                pages::NOT_YOURS.reply_with(&parts.headers, page.as_deref()),
            );
        };
        let Ok(wanted) = hop::judge(&parts, bodies::is_empty(&body)) else {
            return last_on_connection(pages::UNREADABLE.reply(&parts.headers));
        };
        // First, so that nothing that a visitor names in `Connection` takes off what the edge says.
        hop::strip(&mut parts.headers);
        credentials::present(&mut parts.headers, &secret);
        self.tell_who_asks(&mut parts, found);
        let asked = parts.headers.clone();
        let visitor = parts.extensions.remove::<OnUpgrade>();
        let request = Request::from_parts(parts, body);
        match self.proxy.to(target).pass_on(request, wanted).await {
            Ok(Passed::Reply(mut reply)) => {
                path_mode::adjust(reply.headers_mut(), &asked, &found.prefix);
                reply
            }
            Ok(Passed::Socket(mut reply, gate)) => {
                path_mode::adjust(reply.headers_mut(), &asked, &found.prefix);
                if let Some(visitor) = visitor {
                    tokio::spawn(bridge(visitor, gate));
                }
                reply
            }
            Err(Lost::Unreachable) => {
                pages::ENDED.reply_with(&asked, self.session_page(found).as_deref())
            }
            Err(Lost::Unanswered) => {
                pages::NOT_ANSWERING.reply_with(&asked, self.session_page(found).as_deref())
            }
            Err(Lost::BrokeOff | Lost::Late) => pages::LOST.reply(&asked),
            Err(Lost::Unreadable) => pages::UNREADABLE.reply(&asked),
            Err(Lost::TooLarge) => pages::TOO_LARGE.reply(&asked),
        }
    }

    fn session_page(&self, found: &Found) -> Option<String> {
        let page = self
            .settings
            .control_url
            .as_ref()?
            .join(&format!("/session/{}", found.session))
            .ok()?;
        Some(page.into())
    }

    /// Sets what is said about the visitor. The edge is where visitors arrive: what they say about themselves is dropped.
    fn tell_who_asks(&self, parts: &mut Parts, found: &Found) {
        let authority = parts
            .uri
            .authority()
            .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        let headers = &mut parts.headers;
        let said: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-forwarded-"))
            .cloned()
            .collect();
        for name in said
            .iter()
            .chain([&FORWARDED, &HeaderName::from_static("x-real-ip")])
        {
            headers.remove(name);
        }
        headers.insert(
            FORWARDED_PROTO,
            HeaderValue::from_static(if self.settings.secure_cookies {
                "https"
            } else {
                "http"
            }),
        );
        if let Some(host) = headers.get(HOST).cloned().or(authority) {
            headers.insert(FORWARDED_HOST, host);
        }
        if let Ok(prefix) = HeaderValue::from_str(&found.prefix)
            && !prefix.is_empty()
        {
            headers.insert(FORWARDED_PREFIX, prefix);
        }
    }
}

/// Carries bytes between a visitor and a gate, which reads them. Either end is the end of both,
/// once what was on its way has arrived.
async fn bridge(visitor: OnUpgrade, gate: Upgraded) {
    let Ok(visitor) = visitor.await else { return };
    let (mut from_visitor, mut to_visitor) = tokio::io::split(TokioIo::new(visitor));
    let (mut from_gate, mut to_gate) = tokio::io::split(TokioIo::new(gate));
    let out = async {
        let _ = tokio::io::copy_buf(&mut read_ahead(&mut from_gate), &mut to_visitor).await;
        let _ = to_visitor.shutdown().await;
    };
    let back = async {
        let _ = tokio::io::copy_buf(&mut read_ahead(&mut from_visitor), &mut to_gate).await;
        let _ = to_gate.shutdown().await;
    };
    tokio::pin!(out, back);
    tokio::select! {
        () = &mut out => drop(timeout(LAST_BYTES, back).await),
        () = &mut back => drop(timeout(LAST_BYTES, out).await),
    }
}

fn read_ahead<R: AsyncRead>(from: R) -> BufReader<R> {
    BufReader::with_capacity(limits::READ_FROM_APP, from)
}

/// 303 to a path of ours; nothing of the address before may be kept or passed on.
fn redirect(path: &str) -> Response {
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let headers = [
        (LOCATION, path),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}
