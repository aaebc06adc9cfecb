//! Owns the Chrome DevTools of the session's app, for programs of its owner: which addresses there
//! are, who may ask for them, and the way to them. Must not know what is said over them.
//!
//! A program brings a ticket for DevTools alone as a bearer token: no cookie opens them, so that no
//! page can. What the app answers is bounded in size and time, and read before it is passed on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use casting_protocol::ticket::SessionTicket;
use casting_protocol::urls::DEVTOOLS as PATH;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::handler::{self, FORWARDED_PREFIX, Gate};
use crate::hop::Asked;
use crate::proxy::to_websocket;
use crate::session_state::OpenChannel;
use crate::{limits, pages, relay};

/// How long the app may take to answer, in all.
const ANSWER: Duration = Duration::from_secs(10);
/// How long to wait before an app that does not listen is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// The largest answer that is not a WebSocket, in bytes. The description of the protocol is the
/// largest there is, with a little over 1 MiB.
const LARGEST: usize = 8 << 20;
/// The longest id of a target.
const LONGEST_ID: usize = 128;
/// Chromium answers only those who ask for this host, or for an address.
const LOCALHOST: HeaderValue = HeaderValue::from_static("localhost");
/// The browser's WebSocket, whatever its id.
const BROWSER: &str = "/browser";

/// Where the app serves its DevTools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this loopback port.
    Port(u16),
    /// Behind this socket: the port is in a network of the session's own.
    Socket(PathBuf),
}

/// Whether this path is for DevTools.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a program sent this, by all that browsers say: they name the origin of each WebSocket,
/// and the site of each request, and no page can keep them from it.
pub(crate) fn is_by_program(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN) && !headers.contains_key("sec-fetch-site")
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// What the app says at this path, with addresses of its own in it.
    Json(&'static str),
    /// The description of the protocol.
    Protocol,
    /// The browser's WebSocket.
    Browser,
    /// The WebSocket at this path.
    Target(&'a str),
}

/// Reads a request; `None` for everything that is not passed on: opening and closing pages by an
/// address, for which there are commands, and the pages of the inspector.
fn wanted<'a>(method: &Method, path: &'a str, asked: Asked) -> Option<Wanted<'a>> {
    let path = path.strip_prefix(PATH)?;
    // Playwright ends addresses with a slash.
    let path = path.strip_suffix('/').unwrap_or(path);
    if *method != Method::GET {
        return None;
    }
    match (asked, path) {
        (Asked::Reply, "/json/version") => Some(Wanted::Json("/json/version")),
        (Asked::Reply, "/json" | "/json/list") => Some(Wanted::Json("/json/list")),
        (Asked::Reply, "/json/protocol") => Some(Wanted::Protocol),
        (Asked::Socket, BROWSER) => Some(Wanted::Browser),
        (Asked::Socket, target) if is_target(target) => Some(Wanted::Target(target)),
        _ => None,
    }
}

/// Whether this is the path of a WebSocket of the app's DevTools: `/devtools/page/{id}`.
fn is_target(path: &str) -> bool {
    let is_name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain)
    };
    path.strip_prefix("/devtools/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(kind, id)| is_name(kind) && is_name(id))
}

/// Why there is no answer of the app's.
#[derive(Debug)]
struct NoAnswer;

/// Answers a program with a ticket for DevTools, whom the session has let in.
pub(crate) async fn answer(
    gate: &Arc<Gate>,
    mut parts: Parts,
    asked: Asked,
    ticket: Arc<SessionTicket>,
) -> Response {
    if gate.state.is_over() {
        return pages::ENDED.reply(&parts.headers);
    }
    let found = gate
        .devtools
        .as_ref()
        .zip(wanted(&parts.method, parts.uri.path(), asked));
    let Some((place, wanted)) = found else {
        return pages::NOTHING_HERE.reply(&parts.headers);
    };
    gate.state.presence.enter();
    let visitor = parts.extensions.remove::<OnUpgrade>();
    let answered = async {
        Ok(match wanted {
            Wanted::Json(path) => {
                let address = address(&parts.headers).ok_or(NoAnswer)?;
                let mut said =
                    serde_json::from_slice(&fetch(place, path).await?).map_err(|_| NoAnswer)?;
                lead_here(&mut said, &address);
                json(said.to_string().into())
            }
            Wanted::Protocol => json(fetch(place, "/json/protocol").await?),
            Wanted::Browser => {
                let path = browser(place).await?;
                drive(gate, &parts, (place, &path), visitor, ticket).await?
            }
            Wanted::Target(path) => drive(gate, &parts, (place, path), visitor, ticket).await?,
        })
    };
    let answered: Result<Response, NoAnswer> = answered.await;
    answered.unwrap_or_else(|NoAnswer| pages::APP_DOWN.reply(&parts.headers))
}

/// Opens a WebSocket of the app's and carries it for as long as the session lasts.
async fn drive(
    gate: &Arc<Gate>,
    parts: &Parts,
    (place, path): (&Place, &str),
    visitor: Option<OnUpgrade>,
    ticket: Arc<SessionTicket>,
) -> Result<Response, NoAnswer> {
    let state = gate.state.clone();
    let key = parts.headers.get(SEC_WEBSOCKET_KEY);
    let (Some(visitor), Some(key)) = (visitor, key) else {
        return Ok(pages::UNREADABLE.reply(&parts.headers));
    };
    let Some(held) = state.hold(&ticket, OpenChannel::Socket) else {
        return Ok(pages::TOO_MANY_WATCH.reply(&parts.headers));
    };
    let accept = derive_accept_key(key.as_bytes());
    let app = open(place, path, key, &accept).await?;
    let connected = state.presence.connect();
    tokio::spawn(async move {
        if let Ok(visitor) = visitor.await {
            relay::drive(TokioIo::new(visitor), TokioIo::new(app), &state, &ticket).await;
        }
        drop((connected, held));
    });
    // Nothing of the app's own headers: extensions would change the frames, which are read here.
    let mut reply = StatusCode::SWITCHING_PROTOCOLS.into_response();
    to_websocket(reply.headers_mut());
    let accept = HeaderValue::from_str(&accept).map_err(|_| NoAnswer)?;
    reply.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(reply)
}

/// The path of the browser's own WebSocket, which has another id in each session.
async fn browser(place: &Place) -> Result<String, NoAnswer> {
    let said: Value =
        serde_json::from_slice(&fetch(place, "/json/version").await?).map_err(|_| NoAnswer)?;
    let path = said
        .get(SOCKET_URL)
        .and_then(Value::as_str)
        .and_then(path_of);
    path.map(str::to_owned).ok_or(NoAnswer)
}

/// The field with the address of a WebSocket.
const SOCKET_URL: &str = "webSocketDebuggerUrl";
/// Fields with addresses of the inspector's pages, which there are not here.
const PAGE_URLS: [&str; 2] = ["devtoolsFrontendUrl", "devtoolsFrontendUrlCompat"];

/// The path of a WebSocket's address, if the app's DevTools have such a one.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.find('/')
        .and_then(|at| rest.get(at..))
        .filter(|path| is_target(path))
}

/// Makes the addresses in a document of the app's those of the gate, below `address`.
fn lead_here(said: &mut Value, address: &str) {
    match said {
        Value::Array(targets) => {
            for target in targets {
                if target.is_object() {
                    lead_here(target, address);
                }
            }
        }
        Value::Object(fields) => {
            for name in PAGE_URLS {
                fields.remove(name);
            }
            let old = fields.remove(SOCKET_URL);
            if let Some(path) = old.as_ref().and_then(Value::as_str).and_then(path_of) {
                fields.insert(SOCKET_URL.to_owned(), format!("{address}{path}").into());
            }
        }
        _ => {}
    }
}

/// The address of DevTools as the program knows it, for WebSockets.
fn address(headers: &HeaderMap) -> Option<String> {
    let (scheme, host) = handler::asked_for(headers)?;
    let scheme = if scheme == "https" { "wss" } else { "ws" };
    let prefix = headers
        .get(FORWARDED_PREFIX)
        .and_then(|prefix| prefix.to_str().ok())
        .unwrap_or_default();
    Some(format!("{scheme}://{host}{prefix}{PATH}"))
}

fn json(body: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

/// What the app answers at this path.
async fn fetch(place: &Place, path: &str) -> Result<Bytes, NoAnswer> {
    let asked = async {
        let reply = asked_again(|| ask(place, request(path))).await;
        if reply.status() != StatusCode::OK {
            return Err(NoAnswer);
        }
        let body = Limited::new(reply.into_body(), LARGEST).collect().await;
        body.map(|body| body.to_bytes()).map_err(|_| NoAnswer)
    };
    timeout(ANSWER, asked).await.unwrap_or(Err(NoAnswer))
}

/// A WebSocket of the app's, opened with the visitor's key.
async fn open(
    place: &Place,
    path: &str,
    key: &HeaderValue,
    accept: &str,
) -> Result<Upgraded, NoAnswer> {
    let opened = async {
        let upgrade = || {
            let mut request = request(path);
            let headers = request.headers_mut();
            to_websocket(headers);
            headers.insert(SEC_WEBSOCKET_KEY, key.clone());
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            ask(place, request)
        };
        let mut reply = asked_again(upgrade).await;
        let agrees = reply.status() == StatusCode::SWITCHING_PROTOCOLS
            && reply
                .headers()
                .get(SEC_WEBSOCKET_ACCEPT)
                .is_some_and(|answered| answered == accept);
        if !agrees {
            return Err(NoAnswer);
        }
        hyper::upgrade::on(&mut reply).await.map_err(|_| NoAnswer)
    };
    timeout(ANSWER, opened).await.unwrap_or(Err(NoAnswer))
}

/// A request of the gate's own: nothing of the visitor's goes on but their frames.
fn request(path: &str) -> Request<Body> {
    Request::get(path)
        .header(HOST, LOCALHOST)
        .body(Body::empty())
        .unwrap_or_default()
}

/// The first answer: a browser that has just started does not listen yet. Ends when the caller's
/// time is up.
async fn asked_again<F>(ask: impl Fn() -> F) -> Response<Incoming>
where
    F: Future<Output = Result<Response<Incoming>, NoAnswer>>,
{
    loop {
        match ask().await {
            Ok(reply) => return reply,
            Err(NoAnswer) => sleep(PAUSE).await,
        }
    }
}

async fn ask(place: &Place, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer> {
    match place {
        Place::Port(port) => {
            let stream = TcpStream::connect(("127.0.0.1", *port)).await;
            let stream = stream.map_err(|_| NoAnswer)?;
            let _ = stream.set_nodelay(true);
            ask_over(stream, request).await
        }
        Place::Socket(path) => {
            let stream = UnixStream::connect(path).await.map_err(|_| NoAnswer)?;
            ask_over(stream, request).await
        }
    }
}

/// Sends the one request of a connection.
async fn ask_over<S>(stream: S, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(limits::REPLY_AHEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| NoAnswer)?;
    // Ends with the answer, or with the connection that becomes of it.
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(|_| NoAnswer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_reading_and_websockets_are_passed_on() {
        let (get, put) = (Method::GET, Method::PUT);
        for (name, method, path, reply, socket) in [
            (
                "version",
                &get,
                "/json/version",
                Some(Wanted::Json("/json/version")),
                None,
            ),
            (
                "as Playwright asks",
                &get,
                "/json/version/",
                Some(Wanted::Json("/json/version")),
                None,
            ),
            (
                "list",
                &get,
                "/json/list",
                Some(Wanted::Json("/json/list")),
                None,
            ),
            (
                "list, in short",
                &get,
                "/json",
                Some(Wanted::Json("/json/list")),
                None,
            ),
            (
                "protocol",
                &get,
                "/json/protocol",
                Some(Wanted::Protocol),
                None,
            ),
            ("browser", &get, "/browser", None, Some(Wanted::Browser)),
            (
                "its id",
                &get,
                "/devtools/browser/5-a",
                None,
                Some(Wanted::Target("/devtools/browser/5-a")),
            ),
            (
                "a page",
                &get,
                "/devtools/page/AB12",
                None,
                Some(Wanted::Target("/devtools/page/AB12")),
            ),
            ("a new page", &put, "/json/new", None, None),
            ("a new page, read", &get, "/json/new", None, None),
            ("closing", &get, "/json/close/AB12", None, None),
            (
                "the inspector",
                &get,
                "/devtools/inspector.html",
                None,
                None,
            ),
            ("sent", &Method::POST, "/json/version", None, None),
            ("above", &get, "/devtools/page/../../json", None, None),
            ("encoded", &get, "/devtools/page/%2e", None, None),
            ("no id", &get, "/devtools/page/", None, None),
            ("below", &get, "/devtools/page/a/b", None, None),
            ("nothing", &get, "", None, None),
            ("a slash", &get, "/", None, None),
        ] {
            let path = format!("{PATH}{path}");
            assert_eq!(wanted(method, &path, Asked::Reply), reply, "{name}");
            assert_eq!(wanted(method, &path, Asked::Socket), socket, "{name}");
        }
    }

    #[test]
    fn only_paths_below_the_address_are_for_devtools() {
        for (path, below) in [
            ("/.cast/devtools", true),
            ("/.cast/devtools/", true),
            ("/.cast/devtools/json/version", true),
            ("/.cast/devtoolsx", false),
            ("/.cast/", false),
            ("/devtools/", false),
            ("/", false),
        ] {
            assert_eq!(is_below(path), below, "{path}");
        }
    }

    #[test]
    fn requests_of_pages_are_known_by_their_headers() {
        for (name, header, by_program) in [
            ("a program", None, true),
            ("Node's fetch", Some(("sec-fetch-mode", "cors")), true),
            (
                "a WebSocket of a page",
                Some(("origin", "https://a.example")),
                false,
            ),
            ("of a page without one", Some(("origin", "null")), false),
            ("a script", Some(("sec-fetch-site", "same-origin")), false),
            ("the address bar", Some(("sec-fetch-site", "none")), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(name, HeaderValue::from_static(value));
            }
            assert_eq!(is_by_program(&headers), by_program, "{name}");
        }
    }

    #[test]
    fn addresses_in_documents_become_those_of_the_gate() {
        let here = "wss://s.example/.cast/devtools";
        for (name, said, expected) in [
            (
                "version",
                json!({"Browser": "Chrome/1", SOCKET_URL: "ws://localhost/devtools/browser/5-a"}),
                json!({"Browser": "Chrome/1", SOCKET_URL: format!("{here}/devtools/browser/5-a")}),
            ),
            (
                "list",
                json!([{"id": "A", SOCKET_URL: "ws://127.0.0.1:9222/devtools/page/A",
                    "devtoolsFrontendUrl": "/devtools/inspector.html?ws=localhost/devtools/page/A"}]),
                json!([{"id": "A", SOCKET_URL: format!("{here}/devtools/page/A")}]),
            ),
            (
                "another path",
                json!({SOCKET_URL: "ws://localhost/../x"}),
                json!({}),
            ),
            ("no path", json!({SOCKET_URL: "ws://localhost"}), json!({})),
            (
                "no address",
                json!({SOCKET_URL: "/devtools/page/A"}),
                json!({}),
            ),
            ("no text", json!({SOCKET_URL: 1}), json!({})),
            ("a text", json!("x"), json!("x")),
            (
                "lists in lists",
                json!([[{SOCKET_URL: "x"}], 1]),
                json!([[{SOCKET_URL: "x"}], 1]),
            ),
        ] {
            let mut told = said;
            lead_here(&mut told, here);
            assert_eq!(told, expected, "{name}");
        }
    }

    #[test]
    fn address_is_that_of_the_request() {
        for (name, headers, expected) in [
            (
                "a host",
                vec![("host", "s.localhost:8300")],
                Some("ws://s.localhost:8300/.cast/devtools"),
            ),
            (
                "through an edge",
                vec![
                    ("host", "gate"),
                    ("x-forwarded-host", "s.example"),
                    ("x-forwarded-proto", "https"),
                ],
                Some("wss://s.example/.cast/devtools"),
            ),
            (
                "under a path",
                vec![
                    ("x-forwarded-host", "c.example"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-prefix", "/s/x"),
                ],
                Some("wss://c.example/s/x/.cast/devtools"),
            ),
            ("no host", vec![], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name, HeaderValue::from_static(value));
            }
            assert_eq!(address(&map).as_deref(), expected, "{name}");
        }
    }
}
