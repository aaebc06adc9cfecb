//! Owns passing a request on, to a gate or to an app: HTTP and WebSocket, streaming both ways.
//! Replies come over kept connections, WebSockets over one of their own that is never used again.
//! Must not know who may pass; the caller has checked that.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{
    CONNECTION, FORWARDED, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::uri::{self, Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::Limited;
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::Upgraded;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hop::{self, Asked, Malformed};
use crate::{bodies, limits, tls, workers};

/// How long a connection may take to open. Gates and apps are near; one that does not answer at
/// once is gone, or full.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept: less than [`crate::server::HEADERS_WITHIN`], so that
/// the peer never closes it first.
const IDLE: Duration = Duration::from_secs(30);

/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(120);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where requests are passed on to: a host and a port, and whether https is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    authority: Authority,
    https: bool,
}

impl Target {
    /// The app on this machine.
    pub fn loopback(port: u16) -> Option<Self> {
        Self::at("127.0.0.1", port)
    }

    /// A host name or address, and a port; `None` when it cannot be one.
    pub fn at(host: &str, port: u16) -> Option<Self> {
        let authority = match host.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, port).to_string(),
            Err(_)
                if !host.is_empty()
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') =>
            {
                format!("{host}:{port}")
            }
            Err(_) => return None,
        };
        authority.parse().ok().map(|authority| Self {
            authority,
            https: false,
        })
    }

    /// The same, where https is spoken.
    #[must_use]
    pub fn over_https(self, https: bool) -> Self {
        Self { https, ..self }
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or_default()
    }

    /// The address of a path there.
    fn uri(&self, path: PathAndQuery) -> Option<Uri> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(if self.https {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// Nothing listens there.
    Unreachable,
    /// No connection came about in time.
    Unanswered,
    /// The connection broke before the answer began.
    BrokeOff,
    /// The answer did not begin in time.
    Late,
    /// The request's body is larger than anything that is passed on.
    TooLarge,
    /// The request cannot be passed on: see [`hop::judge`].
    Unreadable,
}

impl From<Malformed> for UpstreamError {
    fn from(_: Malformed) -> Self {
        Self::Unreadable
    }
}

/// The result of a request.
pub enum Passed {
    /// The reply.
    Reply(Response<Body>),
    /// The reply that agrees to a WebSocket, and the connection.
    Socket(Response<Body>, Upgraded),
}

type Connector = HttpsConnector<HttpConnector>;

/// Passes requests on. Clones share their connections.
#[derive(Clone)]
pub struct Proxy(Arc<[Clients]>);

/// The clients of one thread: a connection is used where it is read.
struct Clients {
    kept: Client<Connector, Body>,
    /// Keeps no connection: after an upgrade that was refused, what one end takes for a request may
    /// be a body to the other.
    upgrades: Client<Connector, Body>,
}

impl Default for Proxy {
    fn default() -> Self {
        Self::on(1)
    }
}

impl Proxy {
    /// Passes requests on from so many threads; see [`crate::workers`].
    pub fn on(threads: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::blind())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = |kept| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(kept)
                .http1_max_buf_size(limits::REPLY_AHEAD)
                .build(connector.clone())
        };
        let clients = || Clients {
            kept: client(64),
            upgrades: client(0),
        };
        Self((0..threads.max(1)).map(|_| clients()).collect())
    }

    fn clients(&self) -> &Clients {
        &self.0[workers::index() % self.0.len()]
    }
}

/// The way to one target.
#[derive(Clone)]
pub struct Route {
    target: Target,
    proxy: Proxy,
}

impl Proxy {
    /// The way to `target`. Ways share their connections.
    pub fn to(&self, target: Target) -> Route {
        Route {
            target,
            proxy: self.clone(),
        }
    }
}

impl Route {
    /// Where it leads.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Passes a request on, which is judged already and less what concerns one connection only
    /// ([`hop`]); with the visitor's address appended to `X-Forwarded-For` and `Forwarded`, and
    /// `X-Forwarded-Host` set if it is not. The app sees the host that the visitor asked for: it
    /// checks origins and builds links by it.
    ///
    /// # Errors
    /// When there is no answer to pass back.
    pub async fn pass_on(
        &self,
        request: Request<Body>,
        asked: Asked,
    ) -> Result<Passed, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        let size = body.size_hint();
        if size.lower() > limits::BODY {
            return Err(UpstreamError::TooLarge);
        }
        let body = bodies::unless_it_stalls(body, limits::STALLED_BODY);
        // A body that does not say how long it is breaks off where it becomes too long.
        let body = if size.exact().is_none() {
            // Said for every method: the client leaves out the body of a GET that does not say so.
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(TRANSFER_ENCODING, chunked);
            let limit = usize::try_from(limits::BODY).unwrap_or(usize::MAX);
            Body::new(Limited::new(body, limit))
        } else {
            body
        };
        self.direct(&mut parts)?;
        match asked {
            Asked::Reply => {
                let mut reply =
                    sent(&self.proxy.clients().kept, Request::from_parts(parts, body)).await?;
                if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(UpstreamError::BrokeOff);
                }
                hop::strip(reply.headers_mut());
                Ok(Passed::Reply(reply.map(Body::new)))
            }
            Asked::Socket => self.open_socket(parts).await,
        }
    }

    /// Opens a WebSocket. Extensions are not passed on, because the gate parses the frames.
    async fn open_socket(&self, mut parts: Parts) -> Result<Passed, UpstreamError> {
        let headers = &mut parts.headers;
        headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        to_websocket(headers);
        let accept = headers
            .get(SEC_WEBSOCKET_KEY)
            .map(|key| derive_accept_key(key.as_bytes()));
        let request = Request::from_parts(parts, Body::empty());
        let mut reply = sent(&self.proxy.clients().upgrades, request).await?;
        if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
            hop::strip(reply.headers_mut());
            return Ok(Passed::Reply(reply.map(Body::new)));
        }
        let answered = reply
            .headers()
            .get(SEC_WEBSOCKET_ACCEPT)
            .and_then(|value| value.to_str().ok());
        if answered.is_none() || answered != accept.as_deref() {
            return Err(UpstreamError::BrokeOff);
        }
        let upgraded = hyper::upgrade::on(&mut reply)
            .await
            .map_err(|_| UpstreamError::BrokeOff)?;
        let headers = reply.headers_mut();
        hop::strip(headers);
        headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        to_websocket(headers);
        Ok(Passed::Socket(reply.map(|_| Body::empty()), upgraded))
    }

    /// Turns a request to the target.
    fn direct(&self, parts: &mut Parts) -> Result<(), UpstreamError> {
        let path = parts.uri.path_and_query();
        let uri = path
            .filter(|path| path.as_str().starts_with('/'))
            .and_then(|path| self.target.uri(path.clone()))
            .ok_or(UpstreamError::Unreadable)?;
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip());
        let authority = parts
            .uri
            .authority()
            .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        let host = parts.headers.get(HOST).cloned().or(authority);
        if let Some(host) = &host {
            parts.headers.insert(HOST, host.clone());
        }
        append_forwarded(&mut parts.headers, peer, host.as_ref());
        parts.uri = uri;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        Ok(())
    }
}

async fn sent(
    client: &Client<Connector, Body>,
    request: Request<Body>,
) -> Result<Response<Incoming>, UpstreamError> {
    match timeout(ANSWER, client.request(request)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) if error.is_connect() => Err(unreached(&error)),
        Ok(Err(_)) => Err(UpstreamError::BrokeOff),
        Err(_) => Err(UpstreamError::Late),
    }
}

/// Whether the address is unreachable, as far as the machine's network knows; what it does not know
/// may come back.
fn unreached(error: &(dyn Error + 'static)) -> UpstreamError {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(error) = one.downcast_ref::<io::Error>()
            && matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
            )
        {
            return UpstreamError::Unreachable;
        }
        cause = one.source();
    }
    UpstreamError::Unanswered
}

/// Sets the headers by which one connection becomes a WebSocket.
pub(crate) fn to_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Says where a request came from, after what has been said so far.
fn append_forwarded(headers: &mut HeaderMap, peer: Option<IpAddr>, host: Option<&HeaderValue>) {
    if let Some(peer) = peer {
        append(headers, &FORWARDED_FOR, &peer.to_string());
        let quoted = match peer {
            IpAddr::V4(peer) => format!("for={peer}"),
            IpAddr::V6(peer) => format!("for=\"[{peer}]\""),
        };
        // The host is the visitor's, so only the first on the way says it.
        let host = host
            .and_then(|host| host.to_str().ok())
            .filter(|_| !headers.contains_key(FORWARDED));
        let host = host.map_or_else(String::new, |host| format!(";host=\"{host}\""));
        append(headers, &FORWARDED, &format!("{quoted}{host}"));
    }
    if let Some(host) = host
        && !headers.contains_key(&FORWARDED_HOST)
    {
        headers.insert(FORWARDED_HOST, host.clone());
    }
}

/// Adds to a list that may stand in several lines, as one.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    let said = headers.get_all(name).iter();
    let mut list: Vec<&str> = said.filter_map(|line| line.to_str().ok()).collect();
    list.push(value);
    if let Ok(list) = HeaderValue::from_str(&list.join(", ")) {
        headers.insert(name, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitor_address_is_appended_to_x_forwarded_for() {
        let peer: IpAddr = [192, 0, 2, 7].into();
        let host = HeaderValue::from_static("a.example");
        let mut headers = HeaderMap::new();
        append_forwarded(&mut headers, Some(peer), Some(&host));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("192.0.2.8"));
        append_forwarded(&mut headers, Some([0; 16].into()), Some(&host));
        let line = |name: HeaderName| headers[name].to_str().expect("text").to_owned();
        assert_eq!(line(FORWARDED_FOR), "192.0.2.7, 192.0.2.8, ::");
        assert_eq!(
            line(FORWARDED),
            "for=192.0.2.7;host=\"a.example\", for=\"[::]\""
        );
        assert_eq!(line(FORWARDED_HOST), "a.example");
    }

    #[test]
    fn target_must_be_host_and_port() {
        for (host, authority) in [
            ("127.0.0.1", Some("127.0.0.1:80")),
            ("fd00::1", Some("[fd00::1]:80")),
            (
                "ip-10-0-0-1.ec2.internal",
                Some("ip-10-0-0-1.ec2.internal:80"),
            ),
            ("", None),
            ("a@b", None),
            ("a/b", None),
            ("a:1", None),
            ("a b", None),
        ] {
            assert_eq!(
                Target::at(host, 80)
                    .map(|target| target.authority.to_string())
                    .as_deref(),
                authority,
                "{host}"
            );
        }
    }
}
