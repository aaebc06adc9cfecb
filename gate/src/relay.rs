//! Owns one WebSocket between a visitor and the app: messages both ways, pings, and what is let through while it is open. Must not know how it was
//! opened.

use std::sync::Arc;
use std::time::Duration;

use casting_core::ticket::SessionTicket;
use casting_core::viewing::SHARED_SIZE;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::rfb::{Dialect, Rules, Stream};
use crate::room::{Part, Room};

/// How often a visitor's end is pinged, so that nothing on the way takes an idle stream for a dead one.
const PING: Duration = Duration::from_secs(25);
/// How long one message may take to be taken. Whoever reads slower is cut off, and connects again.
const SLOWEST: Duration = Duration::from_secs(60);
/// The largest message, in bytes.
const LARGEST: usize = 64 << 20;

/// Why a gate closes a WebSocket itself, in the words of the closing frame.
const NOT_SHARED: &str = "the session is not shared with you any more";
const UNREADABLE: &str = "whoever watches may only watch";

/// How both ends are read and written.
pub fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .write_buffer_size(0)
}

/// What a visitor says, and how it is read.
enum Said {
    /// Nothing is known of it.
    Anything,
    /// RFB.
    Rfb(Stream),
}

/// Carries messages until one end closes, or the visitor may not be there any more.
pub async fn carry<A, B>(
    visitor: WebSocketStream<A>,
    app: WebSocketStream<B>,
    room: Arc<Room>,
    ticket: Arc<SessionTicket>,
) where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (to_visitor, mut from_visitor) = visitor.split();
    let (mut to_app, mut from_app) = app.split();
    let to_visitor = Mutex::new(to_visitor);
    let mut changes = room.changes();
    let mut said = match room.view_only().and_then(Dialect::of) {
        Some(dialect) => Said::Rfb(Stream::new(dialect)),
        None => Said::Anything,
    };

    let out = async {
        while let Some(Ok(message)) = from_app.next().await {
            let over = message.is_close();
            let pass = matches!(
                message,
                Message::Text(_) | Message::Binary(_) | Message::Close(_)
            );
            if pass
                && !matches!(
                    timeout(SLOWEST, async {
                        to_visitor.lock().await.send(message).await
                    })
                    .await,
                    Ok(Ok(()))
                )
                || over
            {
                return None;
            }
        }
        None
    };
    let pings = async {
        let mut ticks = interval(PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if to_visitor
                .lock()
                .await
                .send(Message::Ping(Bytes::new()))
                .await
                .is_err()
            {
                return None;
            }
        }
    };
    let back = async {
        let mut fixed = false;
        loop {
            let Some(part) = room.part(&ticket) else {
                return Some(NOT_SHARED);
            };
            if let Some(size) = newly_fixed(&room, &part, &said, &mut fixed)
                && to_app.send(Message::Binary(size.into())).await.is_err()
            {
                return None;
            }
            let message = tokio::select! {
                message = from_visitor.next() => message,
                changed = changed(&mut changes) => if changed { continue } else { return None },
            };
            let Some(Ok(message)) = message else {
                return None;
            };
            let over = message.is_close();
            let passed = match message {
                Message::Binary(piece) => match pass(&mut said, piece, &part, &room) {
                    Ok(Some(bytes)) => Message::Binary(bytes),
                    Ok(None) => continue,
                    Err(why) => return Some(why),
                },
                // Streams that are watched are binary; a text could be anything.
                Message::Text(_) if !part.controls() => return Some(UNREADABLE),
                Message::Text(_) | Message::Close(_) => message,
                _ => continue,
            };
            if to_app.send(passed).await.is_err() || over {
                return None;
            }
        }
    };
    let why = tokio::select! {
        why = out => why,
        why = pings => why,
        why = back => why,
    };
    let frame = why.map(|why| CloseFrame {
        code: CloseCode::Policy,
        reason: why.into(),
    });
    // Either end is the end of both; whoever has gone already hears nothing.
    let _ = timeout(SLOWEST, async {
        to_visitor.lock().await.send(Message::Close(frame)).await
    })
    .await;
    let _ = timeout(SLOWEST, to_app.send(Message::Close(None))).await;
}

async fn changed(changes: &mut watch::Receiver<()>) -> bool {
    changes.changed().await.is_ok()
}

/// What goes on of a piece that the visitor sent; `None` when nothing does.
fn pass(
    said: &mut Said,
    piece: Bytes,
    part: &Part,
    room: &Room,
) -> Result<Option<Bytes>, &'static str> {
    let Said::Rfb(stream) = said else {
        // Whether this is a touch cannot be told; the viewer's page says so.
        return if part.controls() {
            Ok(Some(piece))
        } else {
            Err(UNREADABLE)
        };
    };
    let rules = Rules {
        input: part.controls(),
        size: room.is_fixed().then_some(SHARED_SIZE),
    };
    match stream.push(&piece, rules) {
        Ok(passed) => {
            if passed.touched {
                room.presence.touch();
            }
            Ok((!passed.bytes.is_empty()).then(|| passed.bytes.into()))
        }
        Err(_) if part.controls() => {
            // Another kind of stream beside the picture, such as sound: nothing of it was passed on or held back but its beginning.
            let Said::Rfb(stream) = std::mem::replace(said, Said::Anything) else {
                return Ok(Some(piece));
            };
            Ok(Some(
                [stream.into_held().as_slice(), &piece].concat().into(),
            ))
        }
        Err(_) => Err(UNREADABLE),
    }
}

/// The message that brings the screen to its fixed size, when that begins to hold.
fn newly_fixed(room: &Room, part: &Part, said: &Said, fixed: &mut bool) -> Option<Vec<u8>> {
    if !room.is_fixed() || *part != Part::Owner {
        *fixed = false;
        return None;
    }
    let (Said::Rfb(stream), false) = (said, *fixed) else {
        return None;
    };
    let message = stream.resize(SHARED_SIZE)?;
    *fixed = true;
    Some(message)
}
