//! Owns passing a request on, to a gate or to an app: HTTP and WebSocket, streaming both ways, over kept connections.
//! Must not know who may pass; whoever calls it has asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::uri::Authority;
use axum::http::{Method, Request, Response};
use axum_reverse_proxy::{HostBehaviour, ProxyError, ProxyPolicy, ReverseProxy};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// How long a connection may take to open. Gates and apps are near; one that does not answer at once is gone.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept: less than [`crate::server::HEADERS_WITHIN`], so that the far side never closes it first.
const IDLE: Duration = Duration::from_secs(30);

/// Where requests are passed on to: a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Authority);

impl Target {
    /// The app on this machine.
    pub fn loopback(port: u16) -> Option<Self> {
        Self::at("127.0.0.1", port)
    }

    /// A host name or address, and a port; `None` when it cannot be one.
    pub fn at(host: &str, port: u16) -> Option<Self> {
        let authority = match host.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, port).to_string(),
            Err(_) if !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') => {
                format!("{host}:{port}")
            }
            Err(_) => return None,
        };
        authority.parse().ok().map(Self)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody listens there.
    Unreachable,
    /// The connection broke before the answer began.
    BrokeOff,
    /// The request cannot be passed on: it names no path, or asks for a tunnel.
    Unreadable,
}

/// Passes requests on. Clones share their connections.
#[derive(Clone)]
pub struct Proxy {
    client: Client<HttpConnector, Body>,
    policy: ProxyPolicy,
}

impl Default for Proxy {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(64)
            .build(connector);
        // The app sees the host that the visitor asked for: it checks origins and builds links by it.
        Self { client, policy: ProxyPolicy::new().with_host_behaviour(HostBehaviour::Preserve) }
    }
}

impl Proxy {
    /// Passes `request` on to `target`, less what concerns one connection only, with the visitor's address appended to `X-Forwarded-For`
    /// and `X-Forwarded-Host` set if it is not.
    ///
    /// # Errors
    /// When there is no answer to pass back.
    pub async fn forward(&self, target: &Target, request: Request<Body>) -> Result<Response<Body>, Lost> {
        if request.method() == Method::CONNECT || !request.uri().path().starts_with('/') {
            return Err(Lost::Unreadable);
        }
        let proxy =
            ReverseProxy::new_with_client("/", format!("http://{}", target.0), self.client.clone()).with_policy(self.policy.clone());
        let Ok(response) = proxy.proxy_request(request).await;
        match response.extensions().get::<ProxyError>() {
            Some(error) if error.is_connect() => Err(Lost::Unreachable),
            Some(_) => Err(Lost::BrokeOff),
            None => Ok(response),
        }
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
            ("ip-10-0-0-1.ec2.internal", Some("ip-10-0-0-1.ec2.internal:80")),
            ("", None),
            ("a@b", None),
            ("a/b", None),
            ("a:1", None),
            ("a b", None),
        ] {
            assert_eq!(Target::at(host, 80).map(|target| target.0.to_string()).as_deref(), authority, "{host}");
        }
    }
}
