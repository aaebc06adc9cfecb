//! Owns an HTTP server of this stack and its end. Must not know what it serves.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use casting_gate::server::{Connections, Limits};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long requests in progress may take when the stack stops.
const LAST_REQUESTS: Duration = Duration::from_millis(500);

/// An HTTP server in a task of its own.
pub struct Server {
    url: String,
    connections: Connections,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on `listener` until it is stopped.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, router: Router, limits: Limits) -> Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let connections = Connections::new(limits);
        let server = connections.clone();
        let accepting = tokio::spawn(async move {
            server.serve(listener, router).await;
        });
        Ok(Self {
            url,
            connections,
            accepting,
        })
    }

    /// Its URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Accepts no more connections, waits a moment for the requests in progress and closes the
    /// rest.
    pub async fn stop(self) {
        self.accepting.abort();
        self.connections.finish(LAST_REQUESTS).await;
    }
}
