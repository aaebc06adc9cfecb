//! Owns passing a request on, to a gate or to an app: HTTP and WebSocket, streaming both ways, over kept connections.
//! Must not know who may pass; whoever calls it has asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use axum_reverse_proxy::{HostBehaviour, ProxyError, ProxyPolicy, ReverseProxy};
use http_body_util::Limited;
use hyper::body::Body as _;
use hyper::upgrade::Upgraded;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::tls;

/// How long a connection may take to open. Gates and apps are near; one that does not answer at once is gone.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept: less than [`crate::server::HEADERS_WITHIN`], so that the far side never closes it first.
const IDLE: Duration = Duration::from_secs(30);

/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(120);
/// The largest body that a visitor may send, in bytes (2 GiB).
const LARGEST_BODY: u64 = 2 << 30;

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

    /// The port.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or_default()
    }

    fn origin(&self) -> String {
        format!(
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority
        )
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody listens there.
    Unreachable,
    /// The connection broke before the answer began.
    BrokeOff,
    /// The answer did not begin in time.
    Late,
    /// The request's body is larger than anything that is passed on.
    TooLarge,
    /// The request cannot be passed on: it names no path, or asks for a tunnel.
    Unreadable,
}

/// Passes requests on. Clones share their connections.
#[derive(Clone)]
pub struct Proxy {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    policy: ProxyPolicy,
}

impl Default for Proxy {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::blind())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(64)
            .build(connector);
        // The app sees the host that the visitor asked for: it checks origins and builds links by it.
        Self {
            client,
            policy: ProxyPolicy::new().with_host_behaviour(HostBehaviour::Preserve),
        }
    }
}

/// The way to one target.
#[derive(Clone)]
pub struct Route {
    target: Target,
    way: ReverseProxy<HttpsConnector<HttpConnector>>,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Proxy {
    /// The way to `target`. Ways share their connections.
    pub fn to(&self, target: Target) -> Route {
        let way = ReverseProxy::new_with_client("/", target.origin(), self.client.clone())
            .with_policy(self.policy.clone());
        Route {
            target,
            way,
            client: self.client.clone(),
        }
    }
}

impl Route {
    /// Where it leads.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Passes `request` on, less what concerns one connection only, with the visitor's address appended to `X-Forwarded-For`
    /// and `X-Forwarded-Host` set if it is not.
    ///
    /// # Errors
    /// When there is no answer to pass back.
    pub async fn forward(&self, request: Request<Body>) -> Result<Response<Body>, Lost> {
        if request.method() == Method::CONNECT || !request.uri().path().starts_with('/') {
            return Err(Lost::Unreadable);
        }
        let size = request.body().size_hint();
        if size.lower() > LARGEST_BODY {
            return Err(Lost::TooLarge);
        }
        // A body that does not say how long it is breaks off where it becomes too long.
        let is_open = size.exact().is_none();
        let limit = usize::try_from(LARGEST_BODY).unwrap_or(usize::MAX);
        let request = if is_open {
            request.map(|body| Body::new(Limited::new(body, limit)))
        } else {
            request
        };
        let Ok(Ok(response)) = timeout(ANSWER, self.way.proxy_request(request)).await else {
            return Err(Lost::Late);
        };
        match response.extensions().get::<ProxyError>() {
            Some(error) if error.is_connect() => Err(Lost::Unreachable),
            Some(_) => Err(Lost::BrokeOff),
            None => Ok(response),
        }
    }

    /// Asks for a WebSocket. Gives its answer, and the connection when it agreed; extensions are not passed on, because messages are
    /// read on the way.
    ///
    /// # Errors
    /// When there is no answer to pass back.
    pub async fn open_socket(
        &self,
        request: Request<Body>,
    ) -> Result<(Response<Body>, Option<Upgraded>), Lost> {
        let (mut parts, _) = request.into_parts();
        let path = parts
            .uri
            .path_and_query()
            .filter(|path| path.as_str().starts_with('/'))
            .ok_or(Lost::Unreadable)?;
        parts.uri = format!("{}{path}", self.target.origin())
            .parse()
            .map_err(|_| Lost::Unreadable)?;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        parts.headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts
            .headers
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        let asked = self
            .client
            .request(Request::from_parts(parts, Body::empty()));
        let mut reply = match timeout(ANSWER, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) if error.is_connect() => return Err(Lost::Unreachable),
            Ok(Err(_)) => return Err(Lost::BrokeOff),
            Err(_) => return Err(Lost::Late),
        };
        if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok((reply.map(Body::new), None));
        }
        let upgraded = hyper::upgrade::on(&mut reply)
            .await
            .map_err(|_| Lost::BrokeOff)?;
        Ok((reply.map(|_| Body::empty()), Some(upgraded)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port_and_nothing_more() {
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
