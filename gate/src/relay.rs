//! Owns one WebSocket between a visitor and the app: frames both ways as they come, pings, and what
//! is let through while it is open. Must not know how it was opened.

use std::sync::Arc;
use std::time::Duration;

use casting_core::ticket::SessionTicket;
use casting_core::viewing::SHARED_SIZE;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::frames::{Broken, Frame, Sender, Sink, Source, apply_mask, rotated};
use crate::limits;
use crate::rfb::{Dialect, Rules, Stream};
use crate::room::{Out, Part, Room};

/// How often a visitor's end is pinged, so that nothing on the way takes an idle stream for a dead one.
const PING: Duration = Duration::from_secs(25);
/// How many pings of one end wait for a place between two frames; more go without an answer.
const PONGS: usize = 4;
/// How long the closing frames may take to be taken.
const CLOSING: Duration = Duration::from_secs(2);
/// The key of the gate's own closing frames to the app. It keeps nothing secret: masks are for
/// caches on the way, and there are none.
const OWN_MASK: [u8; 4] = [0; 4];

/// Why a stream ends.
enum End {
    /// The visitor closed it, with this payload.
    Visitor(Vec<u8>),
    /// The app closed it, with this payload.
    App(Vec<u8>),
    /// The visitor's connection broke, or took nothing for too long.
    VisitorLost,
    /// The app's connection broke without a closing frame, or what it sends is no WebSocket.
    AppLost,
    /// The visitor sent what is no WebSocket.
    NotReadable,
    /// A message is longer than anything that is passed on.
    TooLarge,
    /// Whoever watches may not send this.
    NotAllowed,
    /// Nobody may send this while the clipboard is closed, because it cannot be read.
    NotRead,
    /// The visitor may not be there any more.
    Out(Out),
}

impl End {
    /// The closing payload for the visitor.
    fn to_visitor(&self) -> Vec<u8> {
        match self {
            Self::Visitor(payload) | Self::App(payload) => payload.clone(),
            Self::VisitorLost => Vec::new(),
            Self::AppLost => closing(1011, "the connection to the app broke off"),
            Self::NotReadable => closing(1002, "this is no WebSocket that can be read"),
            Self::TooLarge => closing(1009, "this message is too large"),
            Self::NotAllowed => closing(1008, "whoever watches may only watch"),
            Self::NotRead => closing(1008, "only a screen's own stream may be sent here"),
            Self::Out(Out::NotShared) => {
                closing(1008, "the session is not shared with you any more")
            }
            Self::Out(Out::NoSockets) => closing(1008, "control was taken back"),
            Self::Out(Out::Over) => closing(1001, "the session has ended"),
        }
    }

    /// The closing payload for the app.
    fn to_app(&self) -> Vec<u8> {
        match self {
            Self::Visitor(payload) | Self::App(payload) => payload.clone(),
            Self::TooLarge => closing(1009, ""),
            _ => closing(1001, ""),
        }
    }
}

fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

impl From<Broken> for End {
    /// As the visitor's fault.
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Protocol => Self::NotReadable,
            Broken::TooLarge => Self::TooLarge,
        }
    }
}

/// Who has the stream open, and where.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    room: &'a Room,
    ticket: &'a SessionTicket,
}

/// What a visitor says, and how it is read.
enum Said {
    /// Nothing is known of it.
    Anything,
    /// RFB.
    Rfb(Stream),
}

/// The visitor's frame that is being passed on.
struct Current {
    header: FrameHeader,
    is_text: bool,
    left: u64,
    done: u64,
}

/// Carries frames until one end closes, or the visitor may not be there any more.
pub async fn carry<A, B>(visitor: A, app: B, room: &Room, ticket: &Arc<SessionTicket>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (from_visitor, to_visitor) = tokio::io::split(visitor);
    let (from_app, to_app) = tokio::io::split(app);
    let mut from_visitor = Source::new(from_visitor, Sender::Visitor, limits::READ_FROM_VISITOR);
    let mut from_app = Source::new(from_app, Sender::App, limits::READ_FROM_APP);
    let (mut to_visitor, mut to_app) = (Sink::new(to_visitor), Sink::new(to_app));
    let (visitors_pings, pongs_to_visitor) = mpsc::channel(PONGS);
    let (apps_pings, pongs_to_app) = mpsc::channel(PONGS);

    let own = Visitor { room, ticket };
    let end = tokio::select! {
        end = show(&mut from_app, &mut to_visitor, &apps_pings, pongs_to_visitor) => end,
        end = say(&mut from_visitor, &mut to_app, &visitors_pings, pongs_to_app, own) => end,
        out = room.out(ticket, true) => End::Out(out),
    };
    // Either end is the end of both; an end that is gone already hears nothing.
    tokio::join!(
        async {
            to_visitor.close(None, &end.to_visitor(), CLOSING).await;
            if !matches!(end, End::VisitorLost) {
                from_visitor.drain(CLOSING).await;
            }
        },
        async {
            to_app.close(Some(OWN_MASK), &end.to_app(), CLOSING).await;
        }
    );
}

/// From the app to the visitor.
async fn show<A, B>(
    from_app: &mut Source<B>,
    to_visitor: &mut Sink<A>,
    apps_pings: &mpsc::Sender<Vec<u8>>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
) -> End
where
    A: AsyncWrite + Unpin,
    B: AsyncRead + Unpin,
{
    let mut ticks = interval(PING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut left = 0;
    loop {
        let ended = loop {
            if left > 0 {
                let piece = from_app.piece(left);
                if piece.is_empty() {
                    break None;
                }
                left -= piece.len() as u64;
                to_visitor.piece(piece);
                continue;
            }
            match from_app.frame(limits::MESSAGE) {
                Ok(None) => break None,
                Ok(Some(Frame::Data { header, length, .. })) => {
                    to_visitor.begin(&header, length);
                    left = length;
                }
                Ok(Some(Frame::Ping(payload))) => {
                    // An app that pings faster than it is answered knows already that we are here.
                    let _ = apps_pings.try_send(payload);
                }
                Ok(Some(Frame::Pong)) => {}
                Ok(Some(Frame::Close(payload))) => break Some(End::App(payload)),
                Err(Broken::TooLarge) => break Some(End::TooLarge),
                Err(Broken::Protocol) => break Some(End::AppLost),
            }
        };
        if !to_visitor.flush().await {
            return End::VisitorLost;
        }
        if let Some(end) = ended {
            return end;
        }
        tokio::select! {
            more = from_app.fill() => if !more { return End::AppLost },
            _ = ticks.tick(), if left == 0 => {
                to_visitor.whole(OpCode::Control(Control::Ping), None, &[]);
            }
            Some(payload) = pongs.recv(), if left == 0 => {
                to_visitor.whole(OpCode::Control(Control::Pong), None, &payload);
            }
        }
    }
}

/// From the visitor to the app.
async fn say<A, B>(
    from_visitor: &mut Source<A>,
    to_app: &mut Sink<B>,
    visitors_pings: &mpsc::Sender<Vec<u8>>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
    Visitor { room, ticket }: Visitor<'_>,
) -> End
where
    A: AsyncRead + Unpin,
    B: AsyncWrite + Unpin,
{
    let mut changes = room.changes();
    let mut said = match room.view_only().and_then(Dialect::of) {
        Some(dialect) => Said::Rfb(Stream::new(dialect)),
        None => Said::Anything,
    };
    let (mut current, mut fixed): (Option<Current>, bool) = (None, false);
    loop {
        let ended = loop {
            let Some(part) = room.part(ticket) else {
                break Some(End::Out(Out::NotShared));
            };
            if let Some(frame) = &mut current {
                if frame.left == 0 {
                    current = None;
                    continue;
                }
                let piece = from_visitor.piece(frame.left);
                if piece.is_empty() {
                    break None;
                }
                frame.left -= piece.len() as u64;
                match pass(&mut said, frame, piece, &part, room, to_app) {
                    Ok(()) => frame.done += piece.len() as u64,
                    Err(end) => break Some(end),
                }
                continue;
            }
            if let Some(size) = newly_fixed(room, &part, &said, &mut fixed) {
                to_app.whole(OpCode::Data(Data::Binary), Some(OWN_MASK), &size);
            }
            let limit = if part.controls() {
                limits::MESSAGE
            } else {
                limits::WATCHER_MESSAGE
            };
            match from_visitor.frame(limit) {
                Ok(None) => break None,
                Ok(Some(Frame::Data {
                    header,
                    is_text,
                    length,
                })) => {
                    let frame = Current {
                        header,
                        is_text,
                        left: length,
                        done: 0,
                    };
                    match begin(&said, &frame, &part, room, to_app) {
                        Ok(()) => current = Some(frame),
                        Err(end) => break Some(end),
                    }
                }
                Ok(Some(Frame::Ping(payload))) => {
                    let _ = visitors_pings.try_send(payload);
                }
                Ok(Some(Frame::Pong)) => {}
                Ok(Some(Frame::Close(payload))) => break Some(End::Visitor(payload)),
                Err(broken) => break Some(broken.into()),
            }
        };
        if !to_app.flush().await {
            return End::AppLost;
        }
        if let Some(end) = ended {
            return end;
        }
        tokio::select! {
            more = from_visitor.fill() => if !more { return End::VisitorLost },
            changed = changes.changed() => if changed.is_err() { return End::Out(Out::Over) },
            Some(payload) = pongs.recv(), if current.is_none() => {
                to_app.whole(OpCode::Control(Control::Pong), Some(OWN_MASK), &payload);
            }
        }
    }
}

/// Begins a frame of the visitor's. One that is read goes on in frames of its own; any other keeps
/// its form.
fn begin<B: AsyncWrite + Unpin>(
    said: &Said,
    frame: &Current,
    part: &Part,
    room: &Room,
    to_app: &mut Sink<B>,
) -> Result<(), End> {
    // Streams that are watched are binary; a text could be anything, the clipboard too.
    let is_read = matches!(said, Said::Rfb(_)) && !frame.is_text;
    if !is_read && !part.controls() {
        return Err(End::NotAllowed);
    }
    if !is_read && matches!(said, Said::Rfb(_)) && !room.pastes() {
        return Err(End::NotRead);
    }
    if !is_read {
        to_app.begin(&frame.header, frame.left);
    }
    Ok(())
}

/// Passes on what may pass of a piece that the visitor sent.
fn pass<B: AsyncWrite + Unpin>(
    said: &mut Said,
    frame: &Current,
    piece: &mut [u8],
    part: &Part,
    room: &Room,
    to_app: &mut Sink<B>,
) -> Result<(), End> {
    let key = frame.header.mask.unwrap_or(OWN_MASK);
    let stream = match said {
        Said::Rfb(stream) if !frame.is_text => stream,
        // Whether this is a touch cannot be told; the viewer's page says so.
        _ if part.controls() => {
            to_app.piece(piece);
            return Ok(());
        }
        _ => return Err(End::NotAllowed),
    };
    let piece_key = rotated(key, frame.done);
    apply_mask(piece, piece_key);
    let rules = Rules {
        input: part.controls(),
        clipboard: room.pastes(),
        size: room.is_fixed().then_some(SHARED_SIZE),
    };
    match stream.push(piece, rules) {
        Ok(passed) => {
            if passed.touched {
                room.presence.touch();
            }
            if !passed.bytes.is_empty() {
                to_app.whole(OpCode::Data(Data::Binary), Some(key), &passed.bytes);
            }
            Ok(())
        }
        // Another kind of stream beside the picture, such as sound: nothing of it was passed on or
        // held back but its beginning.
        Err(_) if part.controls() && (room.pastes() || stream.is_other(piece)) => {
            let Said::Rfb(stream) = std::mem::replace(said, Said::Anything) else {
                return Err(End::NotAllowed);
            };
            let mut beginning = stream.into_held();
            // The rest of the frame comes masked, and goes on as it comes.
            let key = rotated(piece_key, 4 - (beginning.len() % 4) as u64);
            let header = FrameHeader {
                is_final: frame.header.is_final,
                opcode: OpCode::Data(Data::Binary),
                mask: Some(key),
                ..FrameHeader::default()
            };
            beginning.extend_from_slice(piece);
            to_app.begin(&header, beginning.len() as u64 + frame.left);
            apply_mask(&mut beginning, key);
            to_app.piece(&beginning);
            Ok(())
        }
        Err(_) if part.controls() => Err(End::NotRead),
        Err(_) => Err(End::NotAllowed),
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
