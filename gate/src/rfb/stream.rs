//! Owns one client's side of an RFB stream, read as it comes: its beginning, and then message by
//! message. Must not know what the messages are.
//!
//! A message of an unknown type is dropped, with all that follows in its WebSocket message; reading
//! goes on with the next one. So the app gets whole messages that are known and allowed, and
//! nothing else, whatever a client sends.

use super::messages::{
    EXTENDED_DESKTOP_SIZE, KASM_DIRECT_MOUSE, Kind, Message, encodings, offered, set_desktop_size,
};
use super::{Dialect, MAJOR, Rules, Unreadable, Version};
use crate::picture::PixelSize;

/// What the client has said so far of how the screen is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Terms {
    /// The version that it speaks.
    pub version: Option<Version>,
    /// Of the pixel format that it has set; `None`: the screen's own.
    pub pixels: Option<PixelSize>,
    /// Whether it has asked for a picture.
    pub drawn: bool,
}

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Passed {
    /// What goes on to the app.
    pub bytes: Vec<u8>,
    /// Whether a person did something.
    pub touched: bool,
    /// The first message of a type that is not known, if it was in this piece.
    pub unknown: Option<u8>,
}

/// How every version of RFB begins.
const RFB: &[u8] = b"RFB ";

/// No message that is looked at as a whole is longer, in bytes.
const LONGEST: usize = 70_000;

/// One client's side of a stream, read as it comes.
#[derive(Debug)]
pub struct Stream {
    dialect: Dialect,
    stage: Stage,
    held: Vec<u8>,
    /// Whether the client has said that it knows what becomes of a wish for another size.
    resizes: bool,
    terms: Terms,
    /// What is left of a message that is passed on or dropped as it comes.
    rest: (usize, bool),
    /// Whether 184 is a list of codecs, and not a sign of life: see the table of this module.
    lists_codecs: bool,
    /// Whether the rest of the WebSocket message is dropped.
    skips: bool,
    /// Whether a message of an unknown type has been seen.
    has_unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    Security,
    /// The client's first words are over.
    Init,
    Messages,
    /// So many entries of KasmVNC's clipboard, and whether they are passed on.
    Clips(u8, bool),
}

impl Stream {
    /// A stream that has just begun.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            stage: Stage::Version,
            held: Vec::new(),
            resizes: false,
            terms: Terms {
                version: None,
                pixels: None,
                drawn: false,
            },
            rest: (0, false),
            lists_codecs: true,
            skips: false,
            has_unknown: false,
        }
    }

    /// Begins a WebSocket message: what it says is read again after one with something unknown.
    pub const fn begin_message(&mut self) {
        self.skips = false;
    }

    /// Whether both have agreed to speak RFB.
    pub const fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Messages | Stage::Clips(..))
    }

    /// What the client has said so far of how the screen is to speak.
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// Takes the next piece from the client.
    ///
    /// # Errors
    /// `Unreadable`: from here on nothing is known of this stream.
    pub fn push(&mut self, piece: &[u8], rules: Rules) -> Result<Passed, Unreadable> {
        let mut passed = Passed::default();
        if self.skips {
            return Ok(passed);
        }
        let mut piece = piece;
        if self.rest.0 > 0 {
            let (now, later) = piece.split_at(self.rest.0.min(piece.len()));
            if self.rest.1 {
                passed.bytes.extend_from_slice(now);
            }
            self.rest.0 -= now.len();
            piece = later;
        }
        let before = self.held.len();
        self.held.extend_from_slice(piece);
        let mut held = std::mem::take(&mut self.held);
        let read = self.take_all(&mut held, rules, &mut passed);
        if read.is_err() || held.len() > LONGEST {
            // What came before this piece is still held, for a caller that goes on without parsing.
            held.truncate(before);
            self.held = held;
            return Err(Unreadable);
        }
        self.held = held;
        Ok(passed)
    }

    /// Takes every whole message off the front; on an error all bytes are still there.
    fn take_all(
        &mut self,
        held: &mut Vec<u8>,
        rules: Rules,
        passed: &mut Passed,
    ) -> Result<(), Unreadable> {
        let mut begin = 0;
        while let Some(taken) = self.take(&held[begin..], rules, passed)? {
            if self.skips {
                begin = held.len();
                break;
            }
            begin += taken;
            if self.rest.0 > 0 {
                let now = self.rest.0.min(held.len() - begin);
                if self.rest.1 {
                    passed.bytes.extend_from_slice(&held[begin..begin + now]);
                }
                self.rest.0 -= now;
                begin += now;
            }
        }
        held.drain(..begin);
        Ok(())
    }

    /// The message by which the screen is asked to take a size, where one fits in now.
    pub fn resize(&self, (width, height): (u16, u16)) -> Option<Vec<u8>> {
        let between = self.rest.0 == 0 && self.stage == Stage::Messages;
        (self.resizes && between).then(|| set_desktop_size(width, height))
    }

    /// Whether a stream that cannot be read is another kind of stream for certain: a screen that
    /// spoke RFB would not have taken its first bytes.
    pub fn is_other(&self, piece: &[u8]) -> bool {
        let first = self.held.iter().chain(piece);
        self.stage == Stage::Version && !first.take(RFB.len()).eq(RFB)
    }

    /// What is still held: a message that is not whole. For streams that are passed on unread from
    /// here on.
    pub fn into_held(self) -> Vec<u8> {
        self.held
    }

    /// Takes one message off the front; how many bytes it was, `None` when it is not whole.
    fn take(
        &mut self,
        bytes: &[u8],
        rules: Rules,
        passed: &mut Passed,
    ) -> Result<Option<usize>, Unreadable> {
        let words = |length: usize, next: Stage| (bytes.len() >= length).then_some((length, next));
        let opening = match self.stage {
            Stage::Version => {
                if !bytes.iter().zip(MAJOR).all(|(said, known)| said == known) {
                    return Err(Unreadable);
                }
                match bytes.get(..12).map(Version::of).transpose()? {
                    Some(Version::V3) => words(12, Stage::Init),
                    _ => words(12, Stage::Security),
                }
            }
            // Behind a gate the app asks for no password of its own: type 1 is «none».
            Stage::Security => match bytes.first() {
                Some(1) => words(1, Stage::Init),
                Some(_) => return Err(Unreadable),
                None => None,
            },
            Stage::Init => words(1, Stage::Messages),
            Stage::Messages => return self.take_message(bytes, rules, passed),
            Stage::Clips(left, allowed) => return Ok(self.take_clip(bytes, left, allowed, passed)),
        };
        let Some((length, next)) = opening else {
            return Ok(None);
        };
        match self.stage {
            // A shared stream: a client that asked to be alone would throw the others out.
            Stage::Init => passed.bytes.push(1),
            Stage::Version => {
                self.terms.version = Some(Version::of(&bytes[..length])?);
                passed.bytes.extend_from_slice(&bytes[..length]);
            }
            _ => passed.bytes.extend_from_slice(&bytes[..length]),
        }
        self.stage = next;
        Ok(Some(length))
    }

    fn take_message(
        &mut self,
        bytes: &[u8],
        rules: Rules,
        passed: &mut Passed,
    ) -> Result<Option<usize>, Unreadable> {
        let (head, rest, kind) = match Message::measure(bytes, self.dialect, self.lists_codecs) {
            Message::Unfinished => return Ok(None),
            Message::Whole(length, kind) if bytes.len() >= length => (length, 0, kind),
            Message::Whole(..) => return Ok(None),
            Message::Long(head, rest, kind) => (head, rest, kind),
            Message::Clips(count) => {
                let allowed = Kind::Clipboard.passes(rules);
                if allowed {
                    passed.bytes.extend_from_slice(&bytes[..2]);
                }
                self.stage = clips(count, allowed);
                return Ok(Some(2));
            }
            Message::Unknown => {
                if !self.has_unknown {
                    passed.unknown = bytes.first().copied();
                }
                (self.has_unknown, self.skips) = (true, true);
                return Ok(Some(0));
            }
        };
        let message = &bytes[..head];
        self.agree(message, rules)?;
        let allowed = kind.passes(rules);
        match kind {
            Kind::Encodings => {
                passed.bytes.extend(offered(message, self.dialect, rules));
            }
            Kind::Size if allowed => match rules.size {
                Some((width, height)) => passed.bytes.extend(set_desktop_size(width, height)),
                None => passed.bytes.extend_from_slice(message),
            },
            _ if allowed => passed.bytes.extend_from_slice(message),
            _ => {}
        }
        if kind == Kind::Encodings {
            self.resizes = encodings(message).any(|one| one == EXTENDED_DESKTOP_SIZE);
            self.lists_codecs = encodings(message).any(|one| one == KASM_DIRECT_MOUSE);
        }
        passed.touched |= kind == Kind::Input && allowed;
        self.rest = (rest, allowed);
        Ok(Some(head))
    }

    /// Takes the head of an entry of KasmVNC's clipboard: a type's name and the length of what has
    /// it.
    fn take_clip(
        &mut self,
        bytes: &[u8],
        left: u8,
        allowed: bool,
        passed: &mut Passed,
    ) -> Option<usize> {
        let name = usize::from(*bytes.first()?);
        let head = 1 + name + 4;
        let length: [u8; 4] = bytes.get(1 + name..head)?.try_into().ok()?;
        if allowed {
            passed.bytes.extend_from_slice(&bytes[..head]);
        }
        self.rest = (u32::from_be_bytes(length) as usize, allowed);
        self.stage = clips(left - 1, allowed);
        Some(head)
    }

    /// Notes how the screen is to speak from now on. When it begins to is not said, so on a stream
    /// that is measured pixels keep their size once a picture was asked for.
    fn agree(&mut self, message: &[u8], rules: Rules) -> Result<(), Unreadable> {
        match message {
            [0, _, _, _, format @ ..] => {
                let pixels = PixelSize::of(format);
                if rules.measured && self.terms.drawn && pixels.ok() != self.terms.pixels {
                    return Err(Unreadable);
                }
                match pixels {
                    Err(_) if rules.measured => return Err(Unreadable),
                    pixels => self.terms.pixels = pixels.ok(),
                }
            }
            [3 | 150, ..] => self.terms.drawn = true,
            _ => {}
        }
        Ok(())
    }
}

const fn clips(left: u8, allowed: bool) -> Stage {
    if left == 0 {
        Stage::Messages
    } else {
        Stage::Clips(left, allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::{EXTENDED_CLIPBOARD, EXTENDED_MOUSE};
    use super::super::testing::{
        ALL, HELLO, NO_CLIPBOARD, WATCH, after_hello, cut_text, encoding_list, hex,
    };
    use super::*;

    #[test]
    fn unknown_client_messages_are_dropped() {
        use Dialect::{Kasm, Plain};
        let key = [4, 1, 0, 0, 0, 0, 0, 97];
        let long_name = [&[182, 64][..], &[b'x'; 64]].concat();
        let data_for_it = [&[183, 64][..], &[b'x'; 64], &[0, 0, 0, 1, 5]].concat();
        for (name, dialect, said, number) in [
            ("an unknown message", Plain, vec![99, 0], 99),
            ("KasmVNC's in a plain stream", Plain, vec![185], 185),
            ("an unknown key message", Plain, vec![255, 1], 255),
            ("a server's own message", Kasm, vec![186], 186),
            ("a name that KasmVNC loses count of", Kasm, long_name, 182),
            ("data for such a name", Kasm, data_for_it, 183),
        ] {
            for rules in [ALL, WATCH, NO_CLIPBOARD] {
                let mut stream = Stream::new(dialect);
                stream.push(HELLO, rules).expect("a greeting");
                let said = [&key, said.as_slice(), &key, &cut_text(2, b"hi")].concat();
                let passed = stream.push(&said, rules).expect(name);
                let input = if rules.input {
                    key.to_vec()
                } else {
                    Vec::new()
                };
                assert_eq!(passed.bytes, input, "{name}: nothing after it");
                assert_eq!(passed.unknown, Some(number), "{name}");
                let more = stream.push(&key, rules).expect(name);
                assert_eq!(more, Passed::default(), "{name}: the same message");
                stream.begin_message();
                let next = stream.push(&key, rules).expect(name);
                assert_eq!(next.bytes, input, "{name}: the next message is read");
                assert_eq!(next.touched, rules.input, "{name}");
                let again = stream.push(&[99], rules).expect(name);
                assert_eq!(again.unknown, None, "{name}: told once");
            }
        }
        for (name, said) in [
            ("no RFB", &b"GET / HTTP/1.1"[..]),
            ("a password", b"RFB 003.008\n\x02"),
        ] {
            let mut stream = Stream::new(Plain);
            assert_eq!(stream.push(said, WATCH), Err(Unreadable), "{name}");
            assert!(!stream.has_begun(), "{name}");
        }
        let list = [&[2, 0, 255, 255][..], &[0; 70_000]].concat();
        assert_eq!(after_hello(Plain, WATCH, &list), Err(Unreadable));
    }

    #[test]
    fn large_kasmvnc_clipboard_passes_in_pieces() {
        let length = 3_000_000_u32;
        let head = [&[180, 2, 10][..], b"text/plain", &length.to_be_bytes()].concat();
        let second = [&[9][..], b"text/html", &1_u32.to_be_bytes(), b"<"].concat();
        let picture = hex("030100000000050002d0");
        let piece = vec![b'x'; 65_536];
        for (rules, passes) in [(ALL, true), (NO_CLIPBOARD, false), (WATCH, false)] {
            let mut stream = Stream::new(Dialect::Kasm);
            stream.push(HELLO, rules).expect("a greeting");
            stream.push(&encoding_list(&[-308]), rules).expect("reads");
            let mut sent = stream.push(&head, rules).expect("reads").bytes.len();
            assert_eq!(stream.resize((1280, 720)), None, "not in the middle");
            let mut left = length as usize;
            while left > 0 {
                let now = left.min(piece.len());
                sent += stream
                    .push(&piece[..now], rules)
                    .expect("reads")
                    .bytes
                    .len();
                assert!(stream.held.is_empty(), "only heads are held");
                left -= now;
            }
            assert_eq!(stream.resize((1280, 720)), None, "not between entries");
            sent += stream.push(&second, rules).expect("reads").bytes.len();
            assert_eq!(
                stream.push(&picture, rules).expect("reads").bytes,
                picture,
                "what follows is read"
            );
            let whole = if passes {
                head.len() + length as usize + second.len()
            } else {
                0
            };
            assert_eq!(sent, whole);
        }
    }

    #[test]
    fn non_rfb_stream_is_passed_from_its_first_byte() {
        let mut stream = Stream::new(Dialect::Plain);
        assert_eq!(stream.push(b"RFB 0", ALL), Ok(Passed::default()));
        assert_eq!(stream.push(b"4.7 is music", ALL), Err(Unreadable));
        assert_eq!(
            stream.into_held(),
            b"RFB 0",
            "and the piece itself is still the caller's"
        );
    }

    #[test]
    fn rfb_3_3_has_no_security_negotiation() {
        let picture = [3, 1, 0, 0, 0, 0, 5, 0, 2, 208];
        let said = [b"RFB 003.003\n\0".as_slice(), &picture].concat();
        let mut stream = Stream::new(Dialect::Plain);
        assert_eq!(stream.terms(), Terms::default());
        let passed = stream.push(&said, WATCH).expect("reads").bytes;
        let shared = [b"RFB 003.003\n\x01".as_slice(), &picture].concat();
        assert_eq!(passed, shared);
        let terms = stream.terms();
        assert_eq!((terms.version, terms.drawn), (Some(Version::V3), true));
        for (said, version) in [
            (&b"RFB 003.003\n"[..], Ok(Version::V3)),
            (b"RFB 003.005\n", Ok(Version::V3)),
            (b"RFB 003.007\n", Ok(Version::V7)),
            (b"RFB 003.008\n", Ok(Version::V8)),
            (b"RFB 003.889\n", Ok(Version::V8)),
            (b"RFB 003.000\n", Err(Unreadable)),
            (b"RFB 003.+08\n", Err(Unreadable)),
            (b"RFB 004.001\n", Err(Unreadable)),
        ] {
            assert_eq!(Version::of(said), version, "{said:?}");
        }
    }

    #[test]
    fn forbidden_clipboard_paste_is_dropped() {
        use Dialect::{Kasm, Plain};
        let key = vec![4, 1, 0, 0, 0, 0, 0, 97];
        let binary = |text: &[u8]| {
            let length = u32::try_from(text.len()).expect("short").to_be_bytes();
            [&[180, 1, 10][..], b"text/plain", &length, text].concat()
        };
        for (name, dialect, said) in [
            ("plain", Plain, cut_text(5, b"hello")),
            ("empty", Plain, cut_text(0, b"")),
            ("extended, with a text", Plain, cut_text(-5, b"hello")),
            (
                "extended, what it can",
                Plain,
                cut_text(-8, &[1, 0, 0, 1, 0, 0, 0, 0]),
            ),
            (
                "longer than what is held",
                Plain,
                cut_text(100_000, &[b'x'; 100_000]),
            ),
            ("KasmVNC's", Kasm, binary(b"hello")),
            ("plain to KasmVNC", Kasm, cut_text(5, b"hello")),
        ] {
            let said = [key.as_slice(), &said, &key].concat();
            let left = [key.as_slice(), &key].concat();
            assert_eq!(
                after_hello(dialect, NO_CLIPBOARD, &said),
                Ok((left, true)),
                "{name}"
            );
        }
        let list = encoding_list(&[7, EXTENDED_MOUSE, EXTENDED_CLIPBOARD]);
        assert_eq!(
            after_hello(Plain, NO_CLIPBOARD, &list),
            Ok((encoding_list(&[7, EXTENDED_MOUSE]), false)),
            "the screen sends its own clipboard as it is"
        );
    }

    #[test]
    fn protocol_is_detected_by_the_first_bytes() {
        for (name, pieces, other) in [
            ("music", [&b""[..], b"OggS"], true),
            ("music in pieces", [b"RF", b"oam"], true),
            ("another version", [b"", b"RFB 004.001\n"], false),
            ("in pieces", [b"R", b"FB 004.001\n"], false),
        ] {
            let mut stream = Stream::new(Dialect::Plain);
            let last = pieces
                .into_iter()
                .find(|piece| stream.push(piece, NO_CLIPBOARD).is_err())
                .expect(name);
            assert_eq!(stream.is_other(last), other, "{name}");
        }
        let mut begun = Stream::new(Dialect::Plain);
        begun.push(HELLO, NO_CLIPBOARD).expect("a greeting");
        assert!(begun.has_begun() && !begun.is_other(b"OggS"));
    }

    #[test]
    fn fixed_resolution_overrides_resize_requests() {
        let rules = Rules {
            size: Some((1280, 720)),
            ..ALL
        };
        assert_eq!(
            after_hello(Dialect::Plain, rules, &set_desktop_size(1900, 900)),
            Ok((set_desktop_size(1280, 720), false))
        );
        let mut stream = Stream::new(Dialect::Plain);
        assert_eq!(stream.resize((1280, 720)), None, "not in the greeting");
        stream.push(HELLO, ALL).expect("a greeting");
        assert_eq!(
            stream.resize((1280, 720)),
            None,
            "not before the client knows of sizes"
        );
        stream.push(&encoding_list(&[7, -308]), ALL).expect("reads");
        assert_eq!(
            stream.resize((1280, 720)),
            Some(set_desktop_size(1280, 720))
        );
        stream.push(&cut_text(100, b"half"), ALL).expect("reads");
        assert_eq!(
            stream.resize((1280, 720)),
            None,
            "not in the middle of a message"
        );
    }
}
