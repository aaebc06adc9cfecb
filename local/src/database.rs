//! Owns the embedded DynamoDB: an endpoint on loopback, on a thread of its own because its SQL is synchronous. Must not know our tables.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How often expired rows are deleted.
const TTL_SWEEP: Duration = Duration::from_secs(60);

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
                let text = file.to_str().ok_or_else(|| anyhow!("The path {} is not plain text.", file.display()))?;
                Database::new(text)
                    .map_err(|error| anyhow!("Cannot open the database {text}: {error:?}. Move it away, or start with --reset."))?
            }
            None => Database::memory().map_err(|error| anyhow!("Cannot open a database in memory: {error:?}."))?,
        };
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".into())
            .spawn(move || serve(database, ready, stopped))
            .context("Cannot start a thread for the database.")?;
        let address = address.await.context("The database did not start.")??;
        Ok(Self { address, stop, thread })
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

fn serve(database: Database, ready: oneshot::Sender<Result<SocketAddr>>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async move {
        let listener = match TcpListener::bind(("127.0.0.1", 0)).await.and_then(|l| Ok((l.local_addr()?, l))) {
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
}

/// DynamoDB deletes expired rows by itself; the embedded one does when it is told to.
async fn sweep(database: Database) {
    let mut interval = tokio::time::interval(TTL_SWEEP);
    loop {
        interval.tick().await;
        if let Err(error) = database.sweep_ttl() {
            tracing::warn!(?error, "Could not delete expired rows");
        }
    }
}
