//! Owns one WebSocket between a visitor and the app: frames both ways as they come, pings, and what
//! is let through while it is open. Must not know how it was opened.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use casting_protocol::session_options::{SHARED_SIZE, ViewOnly};
use casting_protocol::ticket::SessionTicket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::frames::{Broken, Frame, Sender, Sink, Source, apply_mask, rotated};
use crate::rfb::{Dialect, Rules, Stream, Terms};
use crate::selkies::{self, Step};
use crate::session_state::{Out, Participant, SessionState};
use crate::{limits, picture};

/// How often a visitor's end is pinged, so that nothing on the way takes an idle stream for a dead
/// one.
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
    /// The visitor sent something that is no WebSocket.
    NotReadable,
    /// A message is longer than anything that is passed on.
    TooLarge,
    /// Viewers may not send this.
    NotAllowed,
    /// This must not be sent while the clipboard is closed, because it cannot be parsed.
    NotRead,
    /// The app's screen sends something that cannot be parsed, and the visitor must not get the
    /// clipboard.
    NotShown,
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
            Self::NotAllowed => closing(1008, "viewers may only watch"),
            Self::NotRead => closing(1008, "only a screen's own stream may be sent here"),
            Self::NotShown => closing(1008, "only a screen's own stream may be seen here"),
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

/// The visitor whose stream this is.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    state: &'a SessionState,
    ticket: &'a SessionTicket,
    /// The protocol of client and screen; `None`: no RFB.
    dialect: Option<Dialect>,
    /// Whether they speak as Selkies does.
    selkies: bool,
    /// Whether they hear and say nothing.
    listens: bool,
    /// Whether they are a program, whose every message is activity.
    drives: bool,
    /// The protocol options that their client has sent to the screen.
    terms: &'a Mutex<Terms>,
}

impl<'a> Visitor<'a> {
    /// A visitor of the session's screen, who speaks its protocol and hears it.
    fn of_screen(
        state: &'a SessionState,
        ticket: &'a SessionTicket,
        terms: &'a Mutex<Terms>,
    ) -> Self {
        Self {
            state,
            ticket,
            dialect: state.view_only().and_then(Dialect::of),
            selkies: state.view_only() == Some(ViewOnly::Selkies),
            listens: false,
            drives: false,
            terms,
        }
    }

    /// A visitor of another WebSocket of the session, which is not read as the screen's is.
    fn beside_screen(
        state: &'a SessionState,
        ticket: &'a SessionTicket,
        terms: &'a Mutex<Terms>,
    ) -> Self {
        Self {
            dialect: None,
            selkies: false,
            ..Self::of_screen(state, ticket, terms)
        }
    }

    /// Whether the stream from the screen is parsed.
    const fn is_measured(&self) -> bool {
        self.dialect.is_some() && self.state.is_measured(self.ticket)
    }

    /// What may pass of what Selkies and its clients say; `None`: they may not be there any more.
    fn rules(&self) -> Option<selkies::Rules> {
        let participant = self.state.participant(self.ticket)?;
        Some(selkies::Rules {
            controls: participant.controls(),
            clipboard: self.state.clipboard(),
            media: self.state.media(),
            size: self.state.is_fixed().then_some(SHARED_SIZE),
        })
    }

    fn terms(&self) -> Terms {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn agree(&self, terms: Terms) {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }
}

/// The parser of a visitor's messages.
enum Said {
    /// Nothing is known of it.
    Anything,
    /// RFB.
    Rfb(Stream),
    /// As clients of Selkies speak.
    Selkies(selkies::Stream),
}

/// The visitor's frame that is being passed on.
struct Current {
    header: FrameHeader,
    is_text: bool,
    left: u64,
    done: u64,
}

/// Carries frames until one end closes, or the visitor may not be there any more.
pub async fn carry<A, B>(visitor: A, app: B, state: &SessionState, ticket: &Arc<SessionTicket>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let terms = Mutex::default();
    let own = Visitor::of_screen(state, ticket, &terms);
    carry_for(visitor, app, own).await;
}

/// The same one way: the visitor hears what the app says, as it comes, and may say nothing.
pub async fn listen<A, B>(visitor: A, app: B, state: &SessionState, ticket: &Arc<SessionTicket>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let terms = Mutex::default();
    let own = Visitor {
        listens: true,
        ..Visitor::beside_screen(state, ticket, &terms)
    };
    carry_for(visitor, app, own).await;
}

/// The same for a program of the owner's, which drives the app by a protocol of its own.
pub async fn drive<A, B>(program: A, app: B, state: &SessionState, ticket: &Arc<SessionTicket>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let terms = Mutex::default();
    let own = Visitor {
        drives: true,
        ..Visitor::beside_screen(state, ticket, &terms)
    };
    carry_for(program, app, own).await;
}

async fn carry_for<A, B>(visitor: A, app: B, own: Visitor<'_>)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let Visitor { state, ticket, .. } = own;
    let (from_visitor, to_visitor) = tokio::io::split(visitor);
    let (from_app, to_app) = tokio::io::split(app);
    let mut from_visitor = Source::new(from_visitor, Sender::Visitor, limits::READ_FROM_VISITOR);
    let mut from_app = Source::new(from_app, Sender::App, limits::READ_FROM_APP);
    let (mut to_visitor, mut to_app) = (Sink::new(to_visitor), Sink::new(to_app));
    let (visitors_pings, pongs_to_visitor) = mpsc::channel(PONGS);
    let (apps_pings, pongs_to_app) = mpsc::channel(PONGS);

    let end = tokio::select! {
        end = show(&mut from_app, &mut to_visitor, &apps_pings, pongs_to_visitor, own) => end,
        end = say(&mut from_visitor, &mut to_app, &visitors_pings, pongs_to_app, own) => end,
        out = state.out(ticket, true) => End::Out(out),
    };
    if matches!(end, End::NotShown) && state.is_first_unread() {
        tracing::warn!(
            session.id = %ticket.session,
            "The app's screen could not be read on a stream that may not carry the clipboard; such \
             streams are closed"
        );
    }
    // One closed side closes both; a side that is gone gets no closing frame.
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
    own: Visitor<'_>,
) -> End
where
    A: AsyncWrite + Unpin,
    B: AsyncRead + Unpin,
{
    let mut ticks = interval(PING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let (mut left, mut is_final) = (0, false);
    let mut picture = own
        .dialect
        .filter(|_| own.is_measured())
        .map(picture::Stream::new);
    let mut messages = own
        .selkies
        .then(|| selkies::Stream::new(selkies::Speaker::App));
    loop {
        let ended = loop {
            if left > 0 {
                let piece = from_app.piece(left);
                if piece.is_empty() {
                    break None;
                }
                left -= piece.len() as u64;
                if let Some(messages) = &mut messages {
                    match show_message(messages, piece, (left, is_final), own, to_visitor) {
                        Ok(()) => continue,
                        Err(end) => break Some(end),
                    }
                }
                match look_at(&mut picture, piece, (left, is_final), own, to_visitor) {
                    Ok(()) => continue,
                    Err(end) => break Some(end),
                }
            }
            match from_app.frame(limits::MESSAGE) {
                Ok(None) => break None,
                // A text could be anything, the clipboard too.
                Ok(Some(Frame::Data { is_text: true, .. })) if picture.is_some() => {
                    break Some(End::NotShown);
                }
                Ok(Some(Frame::Data {
                    header,
                    length,
                    is_text,
                })) => {
                    (left, is_final) = (length, header.is_final);
                    if let Some(messages) = &mut messages {
                        if header.opcode != OpCode::Data(Data::Continue) {
                            messages.begin(is_text);
                        } else if messages.is_passing() {
                            to_visitor.begin(&header, length);
                        }
                        if length == 0
                            && let Err(end) =
                                show_message(messages, &[], (0, is_final), own, to_visitor)
                        {
                            break Some(end);
                        }
                    } else if picture.is_none() {
                        to_visitor.begin(&header, length);
                    }
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

/// Passes on what may pass of a piece of a message of Selkies. `rest`: as for [`look_at`].
fn show_message<A: AsyncWrite + Unpin>(
    messages: &mut selkies::Stream,
    piece: &[u8],
    rest: (u64, bool),
    own: Visitor<'_>,
    to_visitor: &mut Sink<A>,
) -> Result<(), End> {
    let (left, is_final) = rest;
    let rules = own.rules().ok_or(End::Out(Out::NotShared))?;
    let is_text = messages.is_text();
    let (step, _) = messages
        .take(piece, left == 0 && is_final, rules)
        .map_err(|_| End::NotShown)?;
    match step {
        Step::Raw => to_visitor.piece(piece),
        Step::Nothing => {}
        Step::Begin(bytes) => {
            let header = first_frame(is_text, is_final, None);
            to_visitor.begin(&header, bytes.len() as u64 + left);
            to_visitor.piece(&bytes);
        }
        Step::Instead(text) => to_visitor.whole(OpCode::Data(Data::Text), None, &text),
    }
    Ok(())
}

/// The header of a message's first frame.
fn first_frame(is_text: bool, is_final: bool, mask: Option<[u8; 4]>) -> FrameHeader {
    let data = if is_text { Data::Text } else { Data::Binary };
    FrameHeader {
        is_final,
        opcode: OpCode::Data(data),
        mask,
        ..FrameHeader::default()
    }
}

/// Passes on what may pass of a piece that the app sent. `rest`: how much of its frame is still to
/// come, and whether that is the last of its message.
fn look_at<A: AsyncWrite + Unpin>(
    picture: &mut Option<picture::Stream>,
    piece: &[u8],
    rest: (u64, bool),
    own: Visitor<'_>,
    to_visitor: &mut Sink<A>,
) -> Result<(), End> {
    let Some(stream) = picture else {
        to_visitor.piece(piece);
        return Ok(());
    };
    let Some(participant) = own.state.participant(own.ticket) else {
        return Err(End::Out(Out::NotShared));
    };
    let rules = picture::Rules {
        clipboard: participant.controls() && own.state.copies(),
        pastes: participant.controls() && own.state.pastes(),
    };
    let mut passed = Vec::with_capacity(piece.len());
    if stream.push(piece, own.terms(), rules, &mut passed).is_ok() {
        if !passed.is_empty() {
            to_visitor.whole(OpCode::Data(Data::Binary), None, &passed);
        }
        return Ok(());
    }
    // Another kind of stream beside the picture, such as sound, goes on as it comes.
    let Some(stream) = picture.take_if(|stream| stream.is_other(piece)) else {
        return Err(End::NotShown);
    };
    let beginning = [stream.into_held().as_slice(), piece].concat();
    let header = FrameHeader {
        is_final: rest.1,
        opcode: OpCode::Data(Data::Binary),
        ..FrameHeader::default()
    };
    to_visitor.begin(&header, beginning.len() as u64 + rest.0);
    to_visitor.piece(&beginning);
    Ok(())
}

/// From the visitor to the app.
async fn say<A, B>(
    from_visitor: &mut Source<A>,
    to_app: &mut Sink<B>,
    visitors_pings: &mpsc::Sender<Vec<u8>>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
    own: Visitor<'_>,
) -> End
where
    A: AsyncRead + Unpin,
    B: AsyncWrite + Unpin,
{
    let Visitor { state, ticket, .. } = own;
    let mut changes = state.changes();
    let mut said = match own.dialect {
        Some(dialect) => Said::Rfb(Stream::new(dialect)),
        None if own.selkies => Said::Selkies(selkies::Stream::new(selkies::Speaker::Visitor)),
        None => Said::Anything,
    };
    let (mut current, mut fixed): (Option<Current>, bool) = (None, false);
    loop {
        let ended = loop {
            let Some(participant) = state.participant(ticket) else {
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
                match pass(&mut said, frame, piece, &participant, own, to_app) {
                    Ok(()) => frame.done += piece.len() as u64,
                    Err(end) => break Some(end),
                }
                continue;
            }
            if let Some((data, size)) = newly_fixed(state, &participant, &said, &mut fixed) {
                to_app.whole(OpCode::Data(data), Some(OWN_MASK), &size);
            }
            let limit = if participant.controls() {
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
                    match begin(&mut said, &frame, &participant, own, to_app) {
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
    said: &mut Said,
    frame: &Current,
    participant: &Participant,
    own: Visitor<'_>,
    to_app: &mut Sink<B>,
) -> Result<(), End> {
    if own.listens {
        return Err(End::NotAllowed);
    }
    if own.drives {
        own.state.presence.touch();
    }
    if let Said::Selkies(messages) = said {
        if frame.header.opcode != OpCode::Data(Data::Continue) {
            messages.begin(frame.is_text);
        } else if messages.is_passing() {
            to_app.begin(&frame.header, frame.left);
        }
        return if frame.left == 0 {
            say_message(messages, frame, &mut [], own, to_app)
        } else {
            Ok(())
        };
    }
    if let Said::Rfb(stream) = said
        && frame.header.opcode != OpCode::Data(Data::Continue)
    {
        stream.begin_message();
    }
    // Streams that are watched are binary; a text could be anything, the clipboard too.
    let is_read = matches!(said, Said::Rfb(_)) && !frame.is_text;
    if !is_read && !participant.controls() {
        return Err(End::NotAllowed);
    }
    if !is_read && matches!(said, Said::Rfb(_)) && must_be_read(own) {
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
    participant: &Participant,
    own: Visitor<'_>,
    to_app: &mut Sink<B>,
) -> Result<(), End> {
    if let Said::Selkies(messages) = said {
        return say_message(messages, frame, piece, own, to_app);
    }
    let state = own.state;
    let key = frame.header.mask.unwrap_or(OWN_MASK);
    let stream = match said {
        Said::Rfb(stream) if !frame.is_text => stream,
        // Whether this is a touch cannot be detected here; the viewer's page reports it.
        _ if participant.controls() => {
            to_app.piece(piece);
            return Ok(());
        }
        _ => return Err(End::NotAllowed),
    };
    let piece_key = rotated(key, frame.done);
    apply_mask(piece, piece_key);
    let rules = Rules {
        input: participant.controls(),
        clipboard: state.pastes(),
        size: state.is_fixed().then_some(SHARED_SIZE),
        measured: own.is_measured(),
        printing: state.media().printing,
        downloads: state.media().downloads,
    };
    match stream.push(piece, rules) {
        Ok(passed) => {
            own.agree(stream.terms());
            if let Some(number) = passed.unknown {
                tracing::info!(
                    session.id = %own.ticket.session,
                    number,
                    "A client of the screen sent a message of an unknown type; such messages are \
                     dropped"
                );
            }
            if passed.touched {
                state.presence.touch();
            }
            if !passed.bytes.is_empty() {
                to_app.whole(OpCode::Data(Data::Binary), Some(key), &passed.bytes);
            }
            Ok(())
        }
        // Another kind of stream beside the picture, such as sound: nothing of it was passed on or
        // held back but its beginning.
        Err(_)
            if participant.controls()
                && (stream.is_other(piece) || !must_be_read(own) && !stream.has_begun()) =>
        {
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
        Err(_) if participant.controls() => Err(End::NotRead),
        Err(_) => Err(End::NotAllowed),
    }
}

/// Passes on what may pass of a piece of a message of the visitor's to Selkies.
fn say_message<B: AsyncWrite + Unpin>(
    messages: &mut selkies::Stream,
    frame: &Current,
    piece: &mut [u8],
    own: Visitor<'_>,
    to_app: &mut Sink<B>,
) -> Result<(), End> {
    let key = frame.header.mask.unwrap_or(OWN_MASK);
    let piece_key = rotated(key, frame.done);
    // What passes goes on masked, as it came.
    if !messages.is_passing() {
        apply_mask(piece, piece_key);
    }
    let rules = own.rules().ok_or(End::Out(Out::NotShared))?;
    let is_text = messages.is_text();
    let ends = frame.left == 0 && frame.header.is_final;
    let (step, touched) = messages
        .take(piece, ends, rules)
        .map_err(|_| End::NotAllowed)?;
    if touched {
        own.state.presence.touch();
    }
    match step {
        Step::Raw => to_app.piece(piece),
        Step::Nothing => {}
        Step::Begin(mut bytes) => {
            // The rest of the frame comes masked, and goes on as it comes: its key must be at the
            // same place when it does.
            let rest_key = rotated(piece_key, piece.len() as u64);
            let key = rotated(rest_key, 4 - (bytes.len() % 4) as u64);
            let header = first_frame(is_text, frame.header.is_final, Some(key));
            to_app.begin(&header, bytes.len() as u64 + frame.left);
            apply_mask(&mut bytes, key);
            to_app.piece(&bytes);
        }
        Step::Instead(text) => to_app.whole(OpCode::Data(Data::Text), Some(key), &text),
    }
    Ok(())
}

/// Whether nothing of RFB may go on unread: it could be the clipboard, or the wish for what cannot
/// be read of the answers.
const fn must_be_read(own: Visitor<'_>) -> bool {
    !own.state.pastes() || own.is_measured()
}

/// The message that brings the screen to its fixed size, when that begins to hold.
fn newly_fixed(
    state: &SessionState,
    participant: &Participant,
    said: &Said,
    fixed: &mut bool,
) -> Option<(Data, Vec<u8>)> {
    if !state.is_fixed() || *participant != Participant::Owner {
        *fixed = false;
        return None;
    }
    let message = match said {
        _ if *fixed => return None,
        Said::Rfb(stream) => (Data::Binary, stream.resize(SHARED_SIZE)?),
        Said::Selkies(messages) => (Data::Text, messages.resize(SHARED_SIZE)?),
        Said::Anything => return None,
    };
    *fixed = true;
    Some(message)
}
