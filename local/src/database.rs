//! Owns the embedded DynamoDB: an endpoint on loopback, on a thread of its own because its SQL is synchronous. Must not know our tables.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The shortest time between two sweeps of expired rows.
const TTL_PAUSE: Duration = Duration::from_secs(60);
/// A sweep reads every row, so it rests so many times as long as it has taken.
const TTL_REST: u32 = 30;

/// A running endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Endpoint {
    /// Opens the database in `file`, or in memory, and serves it.
    ///
    /// # Errors
    /// When the file is no database or cannot be written.
    pub async fn start(file: Option<&Path>) -> Result<Self> {
        let database = match file {
            Some(file) => {
                let text = file
                    .to_str()
                    .ok_or_else(|| anyhow!("The path {} is not plain text.", file.display()))?;
                Database::new(text)
                    .map_err(|error| anyhow!("Cannot open the database {text}: {error:?}. Move it away, or start with --reset."))?
            }
            None => Database::memory()
                .map_err(|error| anyhow!("Cannot open a database in memory: {error:?}."))?,
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".into())
            .spawn(move || serve(database, ready, stopped))
            .context("Cannot start a thread for the database.")?;
        let address = address.await.context("The database did not start.")??;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving and closes the file.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn serve(
    database: Database,
    ready: oneshot::Sender<Result<SocketAddr>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async move {
        let listener = match TcpListener::bind(("127.0.0.1", 0))
            .await
            .and_then(|l| Ok((l.local_addr()?, l)))
        {
            Ok((address, listener)) => {
                let _ = ready.send(Ok(address));
                listener
            }
            Err(error) => {
                let _ = ready.send(Err(error.into()));
                return;
            }
        };
        let sweeper = tokio::spawn(sweep(database.clone()));
        let until = async move {
            let _ = stopped.await;
        };
        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, until).await {
            tracing::error!(error, "The database endpoint failed");
        }
        sweeper.abort();
    });
    // A sweep that is still under way stops nobody from leaving; what it has deleted by then is deleted.
    runtime.shutdown_background();
}

/// DynamoDB deletes expired rows by itself; the embedded one does when it is told to. Requests are answered meanwhile: a sweep works on a thread of its
/// own, a few rows at a time.
async fn sweep(database: Database) {
    loop {
        let (began, database) = (Instant::now(), database.clone());
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "Could not delete expired rows"),
            Err(error) => tracing::error!(%error, "The sweep of expired rows failed"),
        }
        tokio::time::sleep(TTL_PAUSE.max(began.elapsed() * TTL_REST)).await;
    }
}
