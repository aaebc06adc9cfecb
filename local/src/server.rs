//! Owns an HTTP server and its end. Must not know what it serves.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An HTTP server in a task of its own.
pub struct Server {
    url: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// How long requests under way may take when the stack stops; streams to visitors would never end by themselves.
const LAST_REQUESTS: Duration = Duration::from_millis(500);

impl Server {
    /// Serves `router` on `listener` until it is stopped.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, router: Router) -> Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, mut stopped) = watch::channel(false);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            let until = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            if let Err(error) = axum::serve(listener, service)
                .with_graceful_shutdown(until)
                .await
            {
                tracing::error!(%error, "A server failed");
            }
        });
        Ok(Self { url, stop, task })
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes no more connections, and waits a moment for the requests under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(LAST_REQUESTS, self.task)
            .await
            .is_err()
        {
            abort.abort();
        }
    }
}
