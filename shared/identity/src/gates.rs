//! Owns the client for the gates of running sessions: through the edge, at the visitors' address.
//! Must not know the content of its calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use casting_core::ids::SessionId;
use casting_core::ports::Gates;
use http::header::COOKIE;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response};

use crate::web_client::{self, ClientError};

/// How long a gate may take. Its visitor waits, and gets another session if it is not there.
const LIMIT: Duration = Duration::from_secs(2);

/// The names of all watchers are shorter, in bytes.
const MOST_BYTES: usize = 16 * 1024;

/// Reaches gates by HTTP.
pub struct HttpGates {
    client: Client,
    session_url: String,
}

impl HttpGates {
    /// The gates of sessions at `session_url`, which has `{session}` for their ids. Opens no
    /// connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(session_url: &str) -> Result<Self, ClientError> {
        let client = web_client::builder(LIMIT)?
            .dns_resolver(Arc::new(Names))
            .build()?;
        Ok(Self {
            client,
            session_url: session_url.to_owned(),
        })
    }
}

impl HttpGates {
    async fn post(
        &self,
        session: &SessionId,
        path: &str,
        enter: &str,
        body: String,
    ) -> Result<Response, String> {
        let origin = self.session_url.replace("{session}", session.as_str());
        let sent = self
            .client
            .post(format!("{origin}{path}"))
            .header(COOKIE, format!("cast-session={enter}"))
            .body(body)
            .send()
            .await;
        match sent {
            Ok(reply) if reply.status().is_success() => Ok(reply),
            Ok(reply) => Err(format!("it was answered {}", reply.status())),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}

#[async_trait]
impl Gates for HttpGates {
    async fn assign(&self, session: &SessionId, enter: &str, order: &str) -> Result<(), String> {
        self.post(session, "/.cast/assign", enter, order.to_owned())
            .await
            .map(drop)
    }

    async fn refresh(&self, session: &SessionId, enter: &str) -> Result<(), String> {
        self.post(session, "/.cast/refresh", enter, String::new())
            .await
            .map(drop)
    }

    async fn watchers(&self, session: &SessionId, enter: &str) -> Result<Vec<String>, String> {
        let mut reply = self
            .post(session, "/.cast/watchers", enter, String::new())
            .await?;
        let mut names = Vec::new();
        while let Some(part) = reply.chunk().await.map_err(|error| error.to_string())? {
            names.extend_from_slice(&part);
            if names.len() > MOST_BYTES {
                return Err("it answered too much".to_owned());
            }
        }
        serde_json::from_slice(&names).map_err(|_| "it answered something else".to_owned())
    }
}

/// The machine's names, and those below `localhost`, which are this machine wherever they are
/// looked up (RFC 6761).
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if name.as_str().ends_with(".localhost") {
                let here: Addrs = Box::new(std::iter::once(SocketAddr::new(
                    IpAddr::V4(Ipv4Addr::LOCALHOST),
                    0,
                )));
                return Ok(here);
            }
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn gate_request_uses_the_session_host_or_explains_failure() {
        let take = async |headers: HeaderMap, order: String| {
            let text = |name| {
                headers
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .to_owned()
            };
            let id = SessionId::from_bytes([1; 16]);
            let right = text("host").starts_with(id.as_str())
                && text("cookie") == "cast-session=ticket"
                && order == "order";
            if right {
                StatusCode::NO_CONTENT
            } else {
                StatusCode::FORBIDDEN
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let gate = Router::new()
                .route("/.cast/assign", post(take))
                .route("/.cast/refresh", post(StatusCode::ACCEPTED))
                .route("/.cast/watchers", post(r#"["Ann","Guest"]"#));
            axum::serve(listener, gate).await
        });
        let notify = async |port: u16, order: &str| {
            let gates =
                HttpGates::new(&format!("http://{{session}}.localhost:{port}")).expect("a client");
            gates
                .assign(&SessionId::from_bytes([1; 16]), "ticket", order)
                .await
        };
        assert_eq!(notify(port, "order").await, Ok(()));
        assert_eq!(
            notify(port, "another").await,
            Err("it was answered 403 Forbidden".to_owned())
        );
        let gates =
            HttpGates::new(&format!("http://{{session}}.localhost:{port}")).expect("a client");
        let refreshed = gates
            .refresh(&SessionId::from_bytes([1; 16]), "ticket")
            .await;
        assert_eq!(refreshed, Ok(()), "a push without orders");
        let names = gates
            .watchers(&SessionId::from_bytes([1; 16]), "ticket")
            .await;
        assert_eq!(names, Ok(vec!["Ann".to_owned(), "Guest".to_owned()]));
        assert!(
            notify(1, "order")
                .await
                .is_err_and(|why| !why.is_empty() && !why.contains("localhost")),
            "nobody is there"
        );
    }
}
