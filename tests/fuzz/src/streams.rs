//! Owns what the streams of a session must not do, whatever is said in them: how the bytes are cut
//! into pieces changes nothing, and what a viewer sends is never input.

use std::pin::Pin;
use std::task::{Context, Poll};

use casting_gate::frames::{Broken, Frame, Sender, Source};
use casting_gate::limits::READ_FROM_VISITOR;
use casting_gate::picture;
use casting_gate::rfb::{self, Dialect, Terms, Unreadable, Version};
use casting_gate::selkies::{self, Media, Speaker, Step};
use casting_gate::session_state::Clipboard;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

/// The first bytes of an input choose what is allowed and how the rest is cut into pieces.
fn choices<const N: usize>(data: &[u8]) -> Option<([u8; N], &[u8])> {
    let (first, rest) = data.split_first_chunk::<N>()?;
    Some((*first, rest))
}

const fn is_set(byte: u8, bit: u8) -> bool {
    byte >> bit & 1 == 1
}

/// What a client says over RFB.
pub fn rfb_client(data: &[u8]) {
    let Some(([choice, cut], said)) = choices(data) else {
        return;
    };
    let dialect = if is_set(choice, 0) {
        Dialect::Kasm
    } else {
        Dialect::Plain
    };
    let rules = rfb::Rules {
        input: is_set(choice, 1),
        clipboard: is_set(choice, 2),
        size: is_set(choice, 3).then_some((800, 600)),
        measured: is_set(choice, 4),
        printing: is_set(choice, 5),
        downloads: is_set(choice, 6),
    };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Result<_, Unreadable> {
        let mut stream = rfb::Stream::new(dialect);
        stream.begin_message();
        let (mut bytes, mut touched) = (Vec::new(), false);
        for piece in pieces {
            let passed = stream.push(piece, rules)?;
            bytes.extend(passed.bytes);
            touched |= passed.touched;
        }
        Ok((bytes, touched, stream.terms()))
    };
    let Ok(whole) = read(&mut std::iter::once(said)) else {
        return;
    };
    let in_pieces = read(&mut said.chunks(1 + usize::from(cut % 31)));
    assert_eq!(in_pieces.as_ref(), Ok(&whole), "pieces change what passes");
    let (passed, touched, _) = whole;
    if !rules.input {
        assert!(!touched, "a viewer's stream counts as use");
        let mut again = rfb::Stream::new(dialect);
        again.begin_message();
        let everything = rfb::Rules {
            input: true,
            clipboard: true,
            printing: true,
            downloads: true,
            ..rules
        };
        let again = again.push(&passed, everything);
        let again = again.expect("what passes can be read");
        assert!(!again.touched, "input of a viewer passed: {passed:?}");
    }
}

/// What a screen says over RFB.
pub fn rfb_screen(data: &[u8]) {
    let Some(([choice, cut, format], said)) = choices(data) else {
        return;
    };
    let dialect = if is_set(choice, 0) {
        Dialect::Kasm
    } else {
        Dialect::Plain
    };
    let rules = picture::Rules {
        clipboard: is_set(choice, 1),
        pastes: is_set(choice, 2),
    };
    let bits = [8, 16, 32, 32][usize::from(format % 4)];
    let depth = if format % 4 == 3 { 24 } else { bits };
    let pixels = [bits, depth, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    let terms = Terms {
        version: Some([Version::V3, Version::V7, Version::V8][usize::from(choice >> 3) % 3]),
        pixels: picture::PixelSize::of(&pixels)
            .ok()
            .filter(|_| is_set(choice, 5)),
        drawn: is_set(choice, 6),
    };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Result<_, Unreadable> {
        let (mut stream, mut passed) = (picture::Stream::new(dialect), Vec::new());
        for piece in pieces {
            stream.push(piece, terms, rules, &mut passed)?;
        }
        Ok((passed, stream.into_held()))
    };
    let Ok(whole) = read(&mut std::iter::once(said)) else {
        return;
    };
    let in_pieces = read(&mut said.chunks(1 + usize::from(cut % 31)));
    assert_eq!(in_pieces.as_ref(), Ok(&whole), "pieces change what passes");
    let (passed, held) = whole;
    assert!(
        passed.len() + held.len() <= said.len(),
        "bytes were made up"
    );
    assert!(held.len() <= 1024, "{} bytes are held", held.len());
}

/// What is said in the WebSocket of Selkies. Each message is a length and so many bytes.
pub fn selkies(data: &[u8]) {
    let Some(([choice, cut], mut said)) = choices(data) else {
        return;
    };
    let speaker = if is_set(choice, 0) {
        Speaker::App
    } else {
        Speaker::Visitor
    };
    let on = is_set(choice, 1);
    let media = Media {
        audio: on,
        microphone: on,
        webcam: on,
        gamepad: on,
        uploads: on,
        downloads: on,
        printing: on,
    };
    let rules = selkies::Rules {
        controls: is_set(choice, 2),
        clipboard: Clipboard {
            up: is_set(choice, 3),
            down: is_set(choice, 4),
        },
        media,
        size: is_set(choice, 5).then_some((800, 600)),
    };
    let mut stream = selkies::Stream::new(speaker);
    let mut again = selkies::Stream::new(speaker);
    while let Some(([kind, length], rest)) = choices(said) {
        let (message, later) = rest.split_at(usize::from(length).min(rest.len()));
        said = later;
        let is_text = is_set(kind, 0);
        let whole = passing(&mut stream, is_text, &mut std::iter::once(message), rules);
        let mut pieces = message.chunks(1 + usize::from(cut % 31));
        let in_pieces = passing(&mut again, is_text, &mut pieces, rules);
        assert_eq!(whole, in_pieces, "pieces change what passes");
        let (passed, touched) = whole;
        if speaker == Speaker::Visitor && !rules.controls {
            assert!(!touched, "a viewer's message counts as use");
            let everything = selkies::Rules {
                controls: true,
                ..rules
            };
            let mut app = selkies::Stream::new(speaker);
            let mut once = std::iter::once(passed.as_slice());
            let (_, input) = passing(&mut app, is_text, &mut once, everything);
            assert!(!input, "input of a viewer passed: {passed:?}");
        }
    }
}

/// What of one message goes on, and whether it is something that a person did.
fn passing(
    stream: &mut selkies::Stream,
    is_text: bool,
    pieces: &mut dyn Iterator<Item = &[u8]>,
    rules: selkies::Rules,
) -> (Vec<u8>, bool) {
    let (mut passed, mut touched) = (Vec::new(), false);
    stream.begin(is_text);
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        let _ = stream.take(&[], true, rules);
        return (passed, touched);
    }
    while let Some(piece) = pieces.next() {
        let Ok((step, touch)) = stream.take(piece, pieces.peek().is_none(), rules) else {
            break;
        };
        touched |= touch;
        match step {
            Step::Raw => passed.extend_from_slice(piece),
            Step::Nothing => {}
            Step::Begin(bytes) | Step::Instead(bytes) => passed.extend(bytes),
        }
    }
    (passed, touched)
}

/// What is read of a connection that gives at most so many bytes at once.
struct Trickle<'a>(&'a [u8], usize);

impl AsyncRead for Trickle<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let most = self.1.min(self.0.len()).min(buffer.remaining());
        let (now, later) = self.0.split_at(most);
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// What was read of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Data(bool, u64),
    Payload(Vec<u8>),
    Control(Frame),
    Broken(Broken),
}

/// WebSocket frames.
pub fn websocket_frames(data: &[u8]) {
    let Some(([choice, cut], said)) = choices(data) else {
        return;
    };
    let sender = if is_set(choice, 0) {
        Sender::Visitor
    } else {
        Sender::App
    };
    let limit = 1 << (choice >> 3);
    let whole = frames(Trickle(said, said.len().max(1)), sender, limit);
    let in_pieces = frames(Trickle(said, 1 + usize::from(cut % 31)), sender, limit);
    assert_eq!(whole, in_pieces, "pieces change what is read");
    let payload: usize = whole
        .iter()
        .map(|event| match event {
            Event::Payload(bytes) => bytes.len(),
            _ => 0,
        })
        .sum();
    assert!(payload <= said.len(), "bytes were made up");
}

fn frames(io: Trickle<'_>, sender: Sender, limit: u64) -> Vec<Event> {
    let mut source = Source::new(io, sender, READ_FROM_VISITOR);
    let mut events = Vec::new();
    let fill = |source: &mut Source<_>| source.fill().now_or_never().unwrap_or(false);
    loop {
        match source.frame(limit) {
            Ok(Some(Frame::Data {
                is_text,
                mut length,
                ..
            })) => {
                events.push(Event::Data(is_text, length));
                let mut payload = Vec::new();
                while length > 0 {
                    let piece = source.piece(length);
                    payload.extend_from_slice(piece);
                    length -= piece.len() as u64;
                    if length > 0 && !fill(&mut source) {
                        events.push(Event::Payload(payload));
                        return events;
                    }
                }
                events.push(Event::Payload(payload));
            }
            Ok(Some(control)) => events.push(Event::Control(control)),
            Ok(None) => {
                if !fill(&mut source) {
                    return events;
                }
            }
            Err(broken) => {
                events.push(Event::Broken(broken));
                return events;
            }
        }
    }
}
