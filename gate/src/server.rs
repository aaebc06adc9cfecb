//! Owns the HTTP/1.1 server loop of the gate, the edge and the servers of one machine: accepting
//! connections, their limits, and which of them are closed under load. Must not know what is
//! served.
//!
//! A connection is *pending* until its first request has come, *busy* while a request is answered,
//! and *idle* between two requests. Pending connections have a short timeout, cost little memory
//! and are limited for each peer. When the server is full it closes the oldest pending connection,
//! or else the oldest idle one. It never closes a busy one: new connections then wait in the
//! listener's backlog.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::Service;

use crate::workers::Workers;

/// How long a client may take to send a request's headers, the wait for it on a kept connection
/// included. A little more than the 60 seconds for which load balancers and CDNs keep theirs.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(65);
/// How many connections may wait in the kernel to be accepted; `net.core.somaxconn` limits it.
const BACKLOG: u32 = 4096;
/// How large a request's headers may be, in bytes.
const HEADERS_BYTES: usize = 64 * 1024;
/// How many headers a request may have.
const HEADERS: usize = 128;
/// The soft limit of open files that a server asks for; the hard limit bounds it.
const OPEN_FILES: u64 = 16_384;

/// The limits of a server's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be open at a time, upgraded ones included.
    pub connections: usize,
    /// How many connections of one peer (an IPv4 address or an IPv6 /64) may be open: less than all
    /// only where peers are visitors and not proxies.
    pub per_peer: usize,
    /// How many connections of one peer may be pending.
    pub pending_per_peer: usize,
    /// How long a new connection may take to send the headers of its first request.
    pub first_request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_peer: 4096,
            pending_per_peer: 2048,
            first_request: Duration::from_secs(10),
        }
    }
}

/// Listens on `address`, with a backlog for many clients that connect at once.
///
/// # Errors
/// When the address cannot be listened on.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As tokio's own listener: a restart need not wait for connections that linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Raises the soft limit of open files, so that thousands of connections fit. On failure the limit
/// stays and a warning is logged.
pub fn raise_open_files_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let wanted = hard.min(OPEN_FILES);
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        tracing::warn!(soft, "The limit of open files could not be raised");
    }
}

/// Serves with [`Limits::default`] until it is dropped; connections that are open then go on.
/// The peer's address is in each request's extensions, as [`ConnectInfo`].
pub async fn serve(listener: TcpListener, router: Router) -> Infallible {
    Connections::new(Limits::default())
        .serve(listener, router)
        .await
}

/// The connections of a server.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    workers: Workers,
    table: Mutex<Table>,
    /// A connection was closed or became idle.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Entry>,
    peers: HashMap<IpAddr, Peer>,
}

/// The connections of one peer.
#[derive(Debug, Default)]
struct Peer {
    open: usize,
    /// The pending ones, oldest first.
    pending: BTreeSet<u64>,
}

#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    phase: Arc<Phase>,
    task: Option<AbortHandle>,
}

/// The state of a connection: one of the constants below.
#[derive(Debug)]
struct Phase(AtomicU8);

const PENDING: u8 = 0;
const IDLE: u8 = 1;
const BUSY: u8 = 2;
/// It carries another protocol (a WebSocket) until it is closed.
const UPGRADED: u8 = 3;

impl Phase {
    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Acquire) == phase
    }

    /// Enters `phase` and returns the previous one.
    fn enter(&self, phase: u8) -> u8 {
        self.0.swap(phase, Ordering::AcqRel)
    }

    /// A response has ended: busy becomes idle.
    fn set_idle(&self) {
        let _ = self
            .0
            .compare_exchange(BUSY, IDLE, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Connections {
    /// No connections yet, and all that come are served by the runtime that accepts them.
    pub fn new(limits: Limits) -> Self {
        Self::on(Workers::default(), limits)
    }

    /// No connections yet; those that come are served by these threads in turn.
    pub fn on(workers: Workers, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            workers,
            table: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Serves until it is dropped; connections that are open then go on.
    pub async fn serve(&self, listener: TcpListener, router: Router) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(slot) = self.0.slot(peer).await else {
                        tracing::debug!(%peer, "A peer has too many connections");
                        continue;
                    };
                    let (id, router) = (slot.id, router.clone());
                    let serve = move |stream| answer(stream, peer, slot, router);
                    match self.0.workers.spawn(stream, serve) {
                        Ok(task) => self.0.lock().set_task(id, task),
                        Err(error) => tracing::warn!(%error, "A connection was lost"),
                    }
                }
                Err(error) => {
                    // No file descriptors left, or the client is gone: trying again at once would
                    // spin.
                    tracing::warn!(%error, "A connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.0.lock().open.len()
    }

    /// Waits up to `within` for the requests in progress, then closes all connections but upgraded
    /// ones.
    pub async fn finish(&self, within: Duration) {
        let all_answered = async {
            loop {
                let freed = self.0.freed.notified();
                if !self.0.lock().any(BUSY) {
                    return;
                }
                freed.await;
            }
        };
        let _ = timeout(within, all_answered).await;
        let entries: Vec<Entry> = {
            let mut table = self.0.lock();
            table.peers.clear();
            std::mem::take(&mut table.open).into_values().collect()
        };
        for task in entries.into_iter().filter_map(|entry| entry.task) {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a new connection. When its peer has too many, or the server is full, the oldest
    /// pending or idle one is closed. Waits while the server is full of busy ones; `None` when all
    /// of too many of this peer are busy.
    async fn slot(self: &Arc<Self>, peer: SocketAddr) -> Option<Slot> {
        let peer = network_of(peer.ip());
        loop {
            let freed = self.freed.notified();
            let added = self.lock().add(peer, &self.limits);
            match added {
                Added::Open(id, phase) => {
                    return Some(Slot {
                        shared: self.clone(),
                        id,
                        peer,
                        phase,
                    });
                }
                Added::Refused => return None,
                Added::Full => freed.await,
            }
        }
    }
}

impl Table {
    /// Adds a pending connection, if need be in place of another.
    fn add(&mut self, peer: IpAddr, limits: &Limits) -> Added {
        let known = self.peers.entry(peer).or_default();
        let is_full = known.open >= limits.per_peer;
        let surplus = (known.pending.len() >= limits.pending_per_peer)
            .then(|| known.pending.first().copied())
            .flatten();
        if let Some(surplus) = surplus {
            self.close(surplus);
        } else if is_full {
            let Some(unused) = self.oldest_unused(Some(peer)) else {
                return Added::Refused;
            };
            self.close(unused);
        }
        if self.open.len() >= limits.connections {
            let Some(unused) = self.oldest_unused(None) else {
                return Added::Full;
            };
            self.close(unused);
        }
        let (id, phase) = (self.next, Arc::new(Phase(AtomicU8::new(PENDING))));
        self.next += 1;
        let known = self.peers.entry(peer).or_default();
        known.open += 1;
        known.pending.insert(id);
        let entry = Entry {
            peer,
            phase: phase.clone(),
            task: None,
        };
        self.open.insert(id, entry);
        Added::Open(id, phase)
    }

    fn set_task(&mut self, id: u64, task: AbortHandle) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    fn any(&self, phase: u8) -> bool {
        self.open.values().any(|entry| entry.phase.is(phase))
    }

    /// The oldest pending connection, or else the oldest idle one: of one peer, or of all.
    fn oldest_unused(&self, peer: Option<IpAddr>) -> Option<u64> {
        let oldest = |phase| {
            self.open
                .iter()
                .filter(|(_, entry)| peer.is_none_or(|peer| peer == entry.peer))
                .find(|(_, entry)| entry.phase.is(phase))
                .map(|(id, _)| *id)
        };
        oldest(PENDING).or_else(|| oldest(IDLE))
    }

    fn close(&mut self, id: u64) {
        if let Some(entry) = self.remove(id)
            && let Some(task) = entry.task
        {
            task.abort();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.open.remove(&id)?;
        if let Some(peer) = self.peers.get_mut(&entry.peer) {
            peer.pending.remove(&id);
            peer.open = peer.open.saturating_sub(1);
            if peer.open == 0 {
                self.peers.remove(&entry.peer);
            }
        }
        Some(entry)
    }

    /// This connection is no longer pending.
    fn started(&mut self, peer: IpAddr, id: u64) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.pending.remove(&id);
        }
    }
}

/// What became of a new connection.
enum Added {
    /// It has this number and this state.
    Open(u64, Arc<Phase>),
    /// Its peer has too many, and all of them are busy.
    Refused,
    /// There are too many, and all of them are busy: it may be added when one is freed.
    Full,
}

/// One connection's entry in the table; removed when this is dropped.
#[derive(Debug)]
struct Slot {
    shared: Arc<Shared>,
    id: u64,
    peer: IpAddr,
    phase: Arc<Phase>,
}

impl Slot {
    /// A request has come.
    fn set_busy(&self) {
        if self.phase.enter(BUSY) == PENDING {
            self.shared.lock().started(self.peer, self.id);
        }
    }

    /// Its response has ended.
    fn set_idle(&self) {
        self.phase.set_idle();
        self.shared.freed.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.lock().remove(self.id);
        self.shared.freed.notify_waiters();
    }
}

/// What counts as one peer: an IPv4 address, or an IPv6 /64, which is what one customer has.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

async fn answer(stream: TcpStream, peer: SocketAddr, slot: Slot, router: Router) {
    // With Nagle's algorithm the second part of a response waits for the acknowledgement of the
    // first.
    let _ = stream.set_nodelay(true);
    let deadline = Instant::now() + slot.shared.limits.first_request;
    let slot = Arc::new(slot);
    // The buffers of HTTP are allocated when the first byte has come.
    if !matches!(timeout_at(deadline, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let mut served = Box::pin(speak(stream, peer, slot.clone(), router));
    if timeout_at(deadline, &mut served).await.is_err() && !slot.phase.is(PENDING) {
        served.await;
    }
}

async fn speak(stream: TcpStream, peer: SocketAddr, slot: Arc<Slot>, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_BYTES)
        .max_headers(HEADERS);
    let io = SlotStream {
        stream,
        _slot: slot.clone(),
    };
    let service = ConnectionService { router, peer, slot };
    if let Err(error) = builder
        .serve_connection_with_upgrades(TokioIo::new(io), service)
        .await
    {
        tracing::debug!(%error, "A connection broke off");
    }
}

/// The connection's stream. It holds the slot, also after an upgrade.
struct SlotStream {
    stream: TcpStream,
    _slot: Arc<Slot>,
}

impl AsyncRead for SlotStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for SlotStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The router, with the state of one connection.
struct ConnectionService {
    router: Router,
    peer: SocketAddr,
    slot: Arc<Slot>,
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.slot.set_busy();
        let (mut router, slot) = (self.router.clone(), self.slot.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        // A router is always ready.
        let reply = router.call(request);
        Box::pin(async move {
            let reply: Response<Body> = reply.await?;
            let upgraded = reply.status() == StatusCode::SWITCHING_PROTOCOLS;
            if upgraded {
                slot.phase.enter(UPGRADED);
            }
            Ok(reply.map(|body| TrackedBody {
                body,
                slot: Some(slot).filter(|_| !upgraded),
            }))
        })
    }
}

/// A response's body; the connection is busy until it is dropped.
struct TrackedBody {
    body: Body,
    slot: Option<Arc<Slot>>,
}

impl HttpBody for TrackedBody {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.set_idle();
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// A server of `/`, which answers at once, and of `/slow`, which waits for a permit.
    struct Fixture {
        address: SocketAddr,
        connections: Connections,
        permits: Arc<Semaphore>,
    }

    impl Connections {
        fn busy(&self) -> usize {
            let table = self.0.lock();
            let entries = table.open.values();
            entries.filter(|entry| entry.phase.is(BUSY)).count()
        }
    }

    impl Fixture {
        fn start(limits: Limits) -> Self {
            let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
            let address = listener.local_addr().expect("an address");
            let permits = Arc::new(Semaphore::new(0));
            let slow = permits.clone();
            let router = Router::new().route("/", get(|| async { "hello" })).route(
                "/slow",
                get(async move || {
                    slow.acquire().await.expect("open").forget();
                    "at last"
                }),
            );
            let connections = Connections::new(limits);
            let server = connections.clone();
            tokio::spawn(async move { server.serve(listener, router).await });
            Self {
                address,
                connections,
                permits,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.expect("connects")
        }

        async fn busy_soon(&self, count: usize) {
            for _ in 0..4000 {
                if self.connections.busy() == count {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
            panic!("not {count} are busy");
        }

        async fn open_soon(&self, count: usize) {
            for _ in 0..4000 {
                if self.connections.open() == count {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
            panic!("{} are open, not {count}", self.connections.open());
        }
    }

    fn limits(connections: usize, pending_per_peer: usize) -> Limits {
        Limits {
            connections,
            per_peer: usize::MAX,
            pending_per_peer,
            first_request: Duration::from_secs(60),
        }
    }

    /// The status line's code; `None` when the connection was closed.
    async fn status(stream: &mut TcpStream) -> Option<u16> {
        let mut buffer = [0; 4096];
        let read = timeout(Duration::from_secs(10), stream.read(&mut buffer))
            .await
            .expect("in time")
            .unwrap_or(0);
        let text = String::from_utf8_lossy(&buffer[..read]);
        text.split(' ').nth(1)?.parse().ok()
    }

    #[tokio::test]
    async fn half_open_connections_yield_to_requests() {
        let fixture = Fixture::start(limits(8, 100));
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(fixture.connect().await);
        }
        let mut visitor = fixture.connect().await;
        visitor.write_all(REQUEST).await.expect("sends");
        assert_eq!(status(&mut visitor).await, Some(200));
        assert!(fixture.connections.open() <= 8);
        assert_eq!(status(&mut silent[0]).await, None, "the oldest is closed");
    }

    #[tokio::test]
    async fn one_peer_has_few_pending_connections() {
        let fixture = Fixture::start(limits(100, 4));
        let mut silent = Vec::new();
        for _ in 0..10 {
            silent.push(fixture.connect().await);
        }
        fixture.open_soon(4).await;
        assert_eq!(status(&mut silent[5]).await, None, "the oldest are closed");
        silent[9].write_all(REQUEST).await.expect("sends");
        assert_eq!(status(&mut silent[9]).await, Some(200));
        for _ in 0..4 {
            silent.push(fixture.connect().await);
        }
        fixture.open_soon(5).await;
        silent[9].write_all(REQUEST).await.expect("sends");
        assert_eq!(
            status(&mut silent[9]).await,
            Some(200),
            "a connection with a request is not pending"
        );
    }

    #[tokio::test]
    async fn first_request_has_its_own_timeout() {
        let fixture = Fixture::start(Limits {
            first_request: Duration::from_millis(300),
            ..limits(100, 100)
        });
        let mut silent = fixture.connect().await;
        let mut dribbling = fixture.connect().await;
        let (mut read, mut write) = dribbling.split();
        let dribble = async {
            for byte in b"GET / HTTP/1.1\r\nX: ".iter().cycle() {
                if write.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let closed = async { read.read(&mut [0; 100]).await.unwrap_or(0) };
        tokio::select! {
            () = dribble => {}
            read = closed => assert_eq!(read, 0, "no response"),
        }
        assert_eq!(status(&mut silent).await, None);
        let mut slow = fixture.connect().await;
        slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .expect("sends");
        sleep(Duration::from_millis(500)).await;
        fixture.permits.add_permits(1);
        assert_eq!(
            status(&mut slow).await,
            Some(200),
            "a slow answer is no slow request"
        );
    }

    #[tokio::test]
    async fn idle_connections_are_evicted_busy_ones_are_not() {
        let fixture = Fixture::start(limits(2, 100));
        let mut busy = fixture.connect().await;
        busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .expect("sends");
        fixture.busy_soon(1).await;
        let mut idle = fixture.connect().await;
        idle.write_all(REQUEST).await.expect("sends");
        assert_eq!(status(&mut idle).await, Some(200));
        let mut second = fixture.connect().await;
        second
            .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .expect("sends");
        assert_eq!(status(&mut idle).await, None, "the idle one is closed");
        fixture.busy_soon(2).await;
        let mut third = fixture.connect().await;
        third.write_all(REQUEST).await.expect("sends");
        let early = timeout(Duration::from_millis(200), third.read(&mut [0; 1])).await;
        assert!(early.is_err(), "it waits while both are busy");
        fixture.permits.add_permits(2);
        assert_eq!(status(&mut busy).await, Some(200));
        assert_eq!(status(&mut third).await, Some(200));
    }

    #[tokio::test]
    async fn one_peer_cannot_use_all_connections() {
        let fixture = Fixture::start(Limits {
            per_peer: 2,
            ..limits(10, 10)
        });
        let slow = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut first = fixture.connect().await;
        first.write_all(slow).await.expect("sends");
        fixture.busy_soon(1).await;
        let mut idle = fixture.connect().await;
        idle.write_all(REQUEST).await.expect("sends");
        assert_eq!(status(&mut idle).await, Some(200));
        let mut second = fixture.connect().await;
        second.write_all(slow).await.expect("sends");
        assert_eq!(status(&mut idle).await, None, "its idle one is closed");
        fixture.busy_soon(2).await;
        let mut third = fixture.connect().await;
        // The server may close it before this is sent.
        let _ = third.write_all(REQUEST).await;
        assert_eq!(status(&mut third).await, None, "both others are busy");
        let other = TcpSocket::new_v4().expect("a socket");
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
        other.bind(elsewhere).expect("another address");
        let mut other = other.connect(fixture.address).await.expect("connects");
        other.write_all(REQUEST).await.expect("sends");
        assert_eq!(status(&mut other).await, Some(200), "another peer");
        fixture.permits.add_permits(2);
        assert_eq!(status(&mut second).await, Some(200));
    }

    #[tokio::test]
    async fn workers_serve_connections_in_turn() {
        let (listener, port) = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (listener, port)
        };
        let thread = || async { format!("{:?}", std::thread::current().id()) };
        let router = Router::new().route("/", axum::routing::get(thread));
        let workers = Workers::start(3).expect("threads");
        let connections = Connections::on(workers, limits(100, 100));
        let served = connections.clone();
        let serving = tokio::spawn(async move { served.serve(listener, router).await });
        let mut threads = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..6 {
            let mut stream = TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("connects");
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut reply = [0; 512];
            let length = stream.read(&mut reply).await.expect("a reply");
            let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
            threads.push(reply.rsplit("\r\n").next().expect("a body").to_owned());
            streams.push(stream);
        }
        assert_eq!(threads[..3], threads[3..], "in turn");
        let different: std::collections::HashSet<_> = threads.iter().collect();
        assert_eq!(different.len(), 3);
        serving.abort();
        connections.finish(Duration::from_secs(5)).await;
        for mut stream in streams {
            assert_eq!(stream.read(&mut [0; 8]).await.expect("closed"), 0);
        }
    }

    #[tokio::test]
    async fn finishing_waits_for_requests_and_closes_the_rest() {
        let fixture = Fixture::start(limits(10, 10));
        let mut silent = fixture.connect().await;
        let mut slow = fixture.connect().await;
        slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .expect("sends");
        fixture.open_soon(2).await;
        sleep(Duration::from_millis(50)).await;
        let permits = fixture.permits.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(100)).await;
            permits.add_permits(1);
        });
        fixture.connections.finish(Duration::from_secs(5)).await;
        assert_eq!(status(&mut slow).await, Some(200));
        assert_eq!(status(&mut silent).await, None);
        assert_eq!(fixture.connections.open(), 0);
    }

    #[test]
    fn peers_are_addresses_or_ipv6_networks() {
        for (name, address, peer) in [
            ("IPv4", "192.0.2.1", "192.0.2.1"),
            ("IPv4 in IPv6", "::ffff:192.0.2.1", "192.0.2.1"),
            ("IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("loopback", "::1", "::"),
        ] {
            let of = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(network_of(of(address)), of(peer), "{name}");
        }
    }
}
