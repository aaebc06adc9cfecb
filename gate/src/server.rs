//! Owns serving a router over HTTP/1.1 with limits that a slow or greedy client cannot pass. Must not know what is served.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Layer;

/// How long a client may take to send a request's headers, the wait for it on a kept connection included.
/// A little more than the 60 seconds for which load balancers and CDNs keep theirs.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(65);
/// How large a request's headers may be, in bytes.
const HEADERS_BYTES: usize = 64 * 1024;
/// How many headers a request may have.
const HEADERS: usize = 128;
/// How many connections are open at a time; more wait to be accepted.
const CONNECTIONS: usize = 4096;

/// Serves until it is dropped. The peer's address is in each request's extensions, as [`ConnectInfo`].
pub async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    answer(stream, peer, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, or a client that left: neither mends itself within this turn of the loop.
                tracing::warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, peer: SocketAddr, router: Router) {
    // A socket that does not take the option still works.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_BYTES)
        .max_headers(HEADERS);
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(router));
    if let Err(error) = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!(%error, "A connection broke off");
    }
}
