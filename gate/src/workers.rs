//! Owns the threads that serve connections: one for each processor, each with a runtime of its own,
//! so that a request never wakes another thread. Must not know what is served.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// The most threads that a gate serves with. More visitors than these can serve have no session.
const MOST: usize = 4;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// The number of the present thread; 0 for the one that accepts connections, and for all that are
/// no workers.
pub(crate) fn index() -> usize {
    INDEX.get()
}

/// How many threads serve, on as many processors as this process may use.
pub(crate) fn count() -> usize {
    available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(MOST)
}

/// The threads that serve connections, the accepting one included. They end when this is dropped.
#[derive(Debug, Default)]
pub struct Workers {
    others: Vec<Worker>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

impl Workers {
    /// Starts `count` threads less the present one.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be started.
    pub fn start(count: usize) -> io::Result<Self> {
        Ok(Self {
            others: (1..count).map(Worker::start).collect::<io::Result<_>>()?,
            next: AtomicUsize::new(0),
        })
    }

    /// Serves a connection on the thread whose turn it is.
    ///
    /// # Errors
    /// When the connection cannot be handed over.
    pub fn spawn<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<AbortHandle>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        let Some(worker) = turn.checked_sub(1).and_then(|other| self.others.get(other)) else {
            return Ok(tokio::spawn(serve(stream)).abort_handle());
        };
        // The stream's events must reach the runtime that reads it.
        let stream = stream.into_std()?;
        let task = worker.runtime.spawn(async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                serve(stream).await;
            }
        });
        Ok(task.abort_handle())
    }
}

impl Worker {
    fn start(index: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                INDEX.set(index);
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            _end: end,
        })
    }
}
