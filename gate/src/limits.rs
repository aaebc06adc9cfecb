//! Owns the numbers that bound what visitors can make a gate or an edge hold in memory, declared
//! once. Must not know how they are enforced.

use std::time::Duration;

/// The largest WebSocket message of the app and of all who control it, in bytes. Messages
/// are passed on as they come and never collected; this bounds how long one may keep a stream busy.
pub const MESSAGE: u64 = 64 << 20;
/// The largest WebSocket message of a watcher, in bytes. What a watcher may say takes a few
/// hundred.
pub const WATCHER_MESSAGE: u64 = 64 << 10;
/// How much of a WebSocket is read at once from the app, in bytes. This is what one socket takes in
/// memory.
pub const READ_FROM_APP: usize = 64 << 10;
/// The same for what is read from the visitor.
pub const READ_FROM_VISITOR: usize = 16 << 10;
/// How long one piece of a WebSocket may take to be taken. Slower readers are cut off, and connect
/// again.
pub const STALLED_SOCKET: Duration = Duration::from_secs(60);

/// How many people may watch a session at a time.
pub const WATCHERS: usize = 20;
/// How many viewers the owner may remove in one round of sharing.
pub const REMOVED_WATCHERS: usize = 1000;
/// The longest id of a viewer, in bytes.
pub const WATCHER_ID: usize = 32;
/// How many WebSockets, and as many event streams, one watcher may have open.
pub const SOCKETS_PER_WATCHER: usize = 8;
/// How many WebSockets the owner may have open.
pub const SOCKETS_OF_OWNER: usize = 256;
/// How many requests of one watcher may be under way.
pub const REQUESTS_PER_WATCHER: usize = 64;
/// How many requests of all watchers may be under way.
pub const REQUESTS_OF_WATCHERS: usize = 128;
/// How long a watcher is listed after the last request; WebSockets and event streams list one
/// exactly as long as they are open.
pub const LISTED_AFTER_REQUEST: Duration = Duration::from_secs(10);

/// How many connections of one peer may be open at a gate on which nothing has been asked yet. A
/// gate's peers are the edge and CDNs, which open a connection when they have a request.
pub const PENDING_PER_PEER_OF_GATE: usize = 256;
/// How long the next piece of a request's body may take to come.
pub const STALLED_BODY: Duration = Duration::from_secs(60);
/// The largest body that a visitor may send, in bytes (2 GiB).
pub const BODY: u64 = 2 << 30;
/// How much of an app's reply is read ahead of a slow visitor, in bytes.
pub const REPLY_AHEAD: usize = 128 << 10;
