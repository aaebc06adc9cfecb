//! Owns what a client says in RFB (RFC 6143, and what noVNC and KasmVNC add to it), as far as a gate must know it: where a message ends, whether it is
//! a person's touch, and whether it changes anything. Must not know who may do what.

use casting_protocol::session_options::ViewOnly;

use crate::picture::{PixelSize, is_measured};

/// Which messages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As noVNC speaks it.
    Plain,
    /// As KasmVNC speaks it.
    Kasm,
}

impl Dialect {
    /// What an image's streams speak; `None` when they are no RFB.
    pub const fn of(view_only: ViewOnly) -> Option<Self> {
        match view_only {
            ViewOnly::Rfb => Some(Self::Plain),
            ViewOnly::Kasmvnc => Some(Self::Kasm),
            ViewOnly::Selkies | ViewOnly::Requests => None,
        }
    }
}

/// What is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Keys, pointer, clipboard, and the wish for another size.
    pub input: bool,
    /// Of these, the clipboard.
    pub clipboard: bool,
    /// The size that is asked for whatever the client wishes, in pixels.
    pub size: Option<(u16, u16)>,
    /// Whether the screen's answers are read as well: then the client may ask for nothing that could
    /// not be.
    pub measured: bool,
}

/// The versions of RFB that differ in how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 3.3: the screen says which security type it is.
    V3,
    /// 3.7: the client chooses.
    V7,
    /// 3.8: and is told the result in any case.
    V8,
}

impl Version {
    /// As it is said: 12 bytes.
    ///
    /// # Errors
    /// `Unreadable` when it is none of these.
    pub fn of(said: &[u8]) -> Result<Self, Unreadable> {
        let minor = said
            .strip_prefix(MAJOR)
            .and_then(|rest| rest.strip_suffix(b"\n"))
            .filter(|minor| minor.len() == 3 && minor.iter().all(u8::is_ascii_digit))
            .ok_or(Unreadable)?;
        Ok(match minor {
            b"000" | b"001" | b"002" => return Err(Unreadable),
            b"003" | b"004" | b"005" | b"006" => Self::V3,
            b"007" => Self::V7,
            _ => Self::V8,
        })
    }
}

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
}

/// The client does not speak RFB, or says something that this gate does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no RFB that the gate knows")]
pub struct Unreadable;

/// How every version of RFB begins.
const RFB: &[u8] = b"RFB ";

/// How every version begins that can be read.
const MAJOR: &[u8] = b"RFB 003.";

/// No message that is looked at as a whole is longer, in bytes.
const LONGEST: usize = 70_000;

/// With this encoding a client has more buttons; a watcher's gets it not.
pub(crate) const EXTENDED_MOUSE: i32 = -316;

/// With this encoding the clipboard is asked for before it is sent, both ways. A client that may
/// not send gets it not: it is then sent what there is.
pub(crate) const EXTENDED_CLIPBOARD: i32 = 0xc0a1_e5ce_u32 as i32;

/// The encoding by which a client is told of sizes, and may wish for one.
const EXTENDED_DESKTOP_SIZE: i32 = -308;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    Security,
    /// The client's first words are over.
    Init,
    Messages,
}

/// What is known of the message that begins the held bytes.
enum Message {
    /// More bytes are needed.
    Unfinished,
    /// So long, and of this kind.
    Whole(usize, Kind),
    /// So long a head, then so many bytes that are not looked at.
    Long(usize, usize, Kind),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Says how to draw, or asks for a picture.
    Drawing,
    Encodings,
    /// A key or a pointer.
    Input,
    /// Changes something without being a touch.
    Change,
    Clipboard,
    Size,
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
        }
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
            // What came before this piece is still held, for whoever goes on without reading.
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
        (self.resizes && self.rest.0 == 0).then(|| set_desktop_size(width, height))
    }

    /// Whether a stream that cannot be read is another kind of stream for certain: a screen that
    /// spoke RFB would not have taken its first bytes.
    pub fn is_other(&self, piece: &[u8]) -> bool {
        let first = self.held.iter().chain(piece);
        self.stage == Stage::Version && !first.take(RFB.len()).eq(RFB)
    }

    /// What is still held: a message that is not whole. For streams that are passed on unread from here on.
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
        let (head, rest, kind) = match self.measure(bytes)? {
            Message::Unfinished => return Ok(None),
            Message::Whole(length, kind) if bytes.len() >= length => (length, 0, kind),
            Message::Whole(..) => return Ok(None),
            Message::Long(head, rest, kind) => (head, rest, kind),
        };
        let message = &bytes[..head];
        self.agree(message, rules)?;
        let allowed = match kind {
            Kind::Drawing | Kind::Encodings => true,
            Kind::Clipboard => rules.input && rules.clipboard,
            Kind::Input | Kind::Change | Kind::Size => rules.input,
        };
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
        }
        passed.touched |= kind == Kind::Input && allowed;
        self.rest = (rest, allowed);
        Ok(Some(head))
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

    fn measure(&self, bytes: &[u8]) -> Result<Message, Unreadable> {
        let Some(&first) = bytes.first() else {
            return Ok(Message::Unfinished);
        };
        let u8_at = |at: usize| bytes.get(at).map(|byte| usize::from(*byte));
        let u16_at = |at: usize| Some(u8_at(at)? << 8 | u8_at(at + 1)?);
        let u32_at = |at: usize| Some(u16_at(at)? << 16 | u16_at(at + 2)?);
        let kasm = self.dialect == Dialect::Kasm;
        // «Not known yet» is `None` all along, and reads as unfinished.
        let message = match first {
            0 => Some(Message::Whole(20, Kind::Drawing)),
            2 => u16_at(2).map(|count| Message::Whole(4 + 4 * count, Kind::Encodings)),
            3 | 150 => Some(Message::Whole(10, Kind::Drawing)),
            // Clients let go of keys by themselves, so only pressing one is a touch.
            4 => u8_at(1).map(|down| Message::Whole(8, key(down))),
            5 if kasm => Some(Message::Whole(11, Kind::Input)),
            // The highest bit marks the longer form, with buttons beyond the seventh.
            5 => u8_at(1).map(|buttons| {
                Message::Whole(if buttons & 0x80 == 0 { 6 } else { 7 }, Kind::Input)
            }),
            6 => u32_at(4).map(|length| {
                Message::Long(
                    8,
                    (length as u32 as i32).unsigned_abs() as usize,
                    Kind::Clipboard,
                )
            }),
            178 if kasm => Some(Message::Whole(4, Kind::Drawing)),
            179 if kasm => Some(Message::Whole(12, Kind::Drawing)),
            180 if kasm => {
                binary_clipboard(bytes)?.map(|length| Message::Whole(length, Kind::Clipboard))
            }
            181 if kasm => u16_at(1).map(|length| Message::Long(3, length, Kind::Change)),
            182 if kasm => u8_at(1).map(|name| Message::Whole(2 + name, Kind::Change)),
            183 if kasm => u8_at(1)
                .and_then(|name| Some(Message::Long(6 + name, u32_at(2 + name)?, Kind::Change))),
            184 if kasm => u8_at(1).map(|codecs| Message::Whole(2 + 4 * codecs, Kind::Drawing)),
            185 if kasm => Some(Message::Whole(1, Kind::Drawing)),
            188 if kasm => Some(Message::Whole(10, Kind::Input)),
            189 if kasm => Some(Message::Whole(8, Kind::Drawing)),
            190 | 191 if kasm => Some(Message::Whole(4, Kind::Drawing)),
            248 => u8_at(8).map(|length| Message::Whole(9 + length, Kind::Drawing)),
            250 => Some(Message::Whole(4, Kind::Change)),
            251 => u8_at(6).map(|screens| Message::Whole(8 + 16 * screens, Kind::Size)),
            252 if kasm => Some(Message::Whole(5, Kind::Change)),
            255 => match u8_at(1) {
                Some(0) => u16_at(2).map(|down| Message::Whole(12, key(down))),
                Some(_) => return Err(Unreadable),
                None => None,
            },
            _ => return Err(Unreadable),
        };
        Ok(match message.unwrap_or(Message::Unfinished) {
            // The head of a message whose rest is not looked at must be there itself.
            Message::Long(head, ..) if bytes.len() < head => Message::Unfinished,
            message => message,
        })
    }
}

const fn key(down: usize) -> Kind {
    if down == 0 { Kind::Change } else { Kind::Input }
}

/// How long KasmVNC's clipboard message is: so many times a type's name and the content, each after its length.
fn binary_clipboard(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    let Some(&count) = bytes.get(1) else {
        return Ok(None);
    };
    let mut at = 2;
    for _ in 0..count {
        let Some(&name) = bytes.get(at) else {
            return Ok(None);
        };
        at += 1 + usize::from(name);
        let Some(length) = bytes
            .get(at..at + 4)
            .and_then(|length| length.try_into().ok())
        else {
            return Ok(None);
        };
        at += 4 + u32::from_be_bytes(length) as usize;
        if at > LONGEST {
            return Err(Unreadable);
        }
    }
    Ok(Some(at))
}

fn encodings(message: &[u8]) -> impl Iterator<Item = i32> {
    message[4..]
        .chunks_exact(4)
        .filter_map(|one| Some(i32::from_be_bytes(one.try_into().ok()?)))
}

/// A list of encodings, without those that a client under these rules has no use for.
fn offered(message: &[u8], dialect: Dialect, rules: Rules) -> Vec<u8> {
    let fits = |one: &i32| match *one {
        EXTENDED_MOUSE => rules.input,
        EXTENDED_CLIPBOARD => rules.input && rules.clipboard,
        other => !rules.measured || is_measured(dialect, other),
    };
    let kept: Vec<u8> = encodings(message)
        .filter(fits)
        .flat_map(i32::to_be_bytes)
        .collect();
    let count = u16::try_from(kept.len() / 4).unwrap_or(u16::MAX);
    [&message[..2], count.to_be_bytes().as_slice(), &kept].concat()
}

/// One screen of this size.
fn set_desktop_size(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
    [
        &[251, 0],
        width.as_slice(),
        &height,
        &[1, 0],
        &[0; 8],
        &width,
        &height,
        &[0; 4],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rules = Rules {
        input: true,
        clipboard: true,
        size: None,
        measured: false,
    };
    const NO_CLIPBOARD: Rules = Rules {
        clipboard: false,
        ..ALL
    };
    const WATCH: Rules = Rules {
        input: false,
        ..ALL
    };
    const HELLO: &[u8] = b"RFB 003.008\n\x01\x00";
    const SHARED_HELLO: &[u8] = b"RFB 003.008\n\x01\x01";

    fn encoding_list(list: &[i32]) -> Vec<u8> {
        let count = u16::try_from(list.len()).expect("few").to_be_bytes();
        [
            &[2, 0],
            count.as_slice(),
            &list
                .iter()
                .flat_map(|one| one.to_be_bytes())
                .collect::<Vec<_>>(),
        ]
        .concat()
    }

    fn cut_text(length: i32, text: &[u8]) -> Vec<u8> {
        [&[6, 0, 0, 0], length.to_be_bytes().as_slice(), text].concat()
    }

    /// What goes on to the app of these messages after the greeting, and whether it counts as a touch.
    fn after_hello(
        dialect: Dialect,
        rules: Rules,
        said: &[u8],
    ) -> Result<(Vec<u8>, bool), Unreadable> {
        // Whole, and byte by byte: where the pieces are cut makes no difference.
        let mut whole = Stream::new(dialect);
        assert_eq!(
            whole.push(HELLO, rules).expect("a greeting").bytes,
            SHARED_HELLO
        );
        let passed = whole.push(said, rules);
        let mut bytewise = Stream::new(dialect);
        let mut pieces = Passed::default();
        for byte in HELLO.iter().chain(said) {
            match bytewise.push(&[*byte], rules) {
                Ok(piece) => {
                    pieces.bytes.extend(piece.bytes);
                    pieces.touched |= piece.touched;
                }
                Err(error) => {
                    assert_eq!(passed, Err(error), "{said:?}");
                    return Err(error);
                }
            }
        }
        let passed = passed?;
        assert_eq!(
            [SHARED_HELLO, &passed.bytes].concat(),
            pieces.bytes,
            "{said:?}"
        );
        assert_eq!(passed.touched, pieces.touched);
        Ok((passed.bytes, passed.touched))
    }

    #[test]
    fn watcher_sends_only_display_messages() {
        use Dialect::{Kasm, Plain};
        let clipboard = [&[180, 1, 4][..], b"text", &5_u32.to_be_bytes(), b"hello"].concat();
        let relay = [&[183, 2][..], b"ab", &3_u32.to_be_bytes(), b"xyz"].concat();
        for (name, dialect, said, watched, touches) in [
            ("a pixel format", Plain, vec![0; 20], true, false),
            ("encodings", Plain, encoding_list(&[7, -308]), true, false),
            (
                "a picture, please",
                Plain,
                vec![3, 1, 0, 0, 0, 0, 5, 0, 2, 208],
                true,
                false,
            ),
            (
                "pictures all along",
                Plain,
                vec![150, 1, 0, 0, 0, 0, 5, 0, 2, 208],
                true,
                false,
            ),
            (
                "a fence",
                Plain,
                [&[248, 0, 0, 0, 0, 0, 0, 1, 3][..], b"abc"].concat(),
                true,
                false,
            ),
            ("a key", Plain, vec![4, 1, 0, 0, 0, 0, 0, 97], false, true),
            (
                "a key with its code",
                Plain,
                vec![255, 0, 0, 1, 0, 0, 0, 97, 0, 0, 0, 30],
                false,
                true,
            ),
            ("a pointer", Plain, vec![5, 1, 0, 9, 0, 9], false, true),
            (
                "a pointer with more buttons",
                Plain,
                vec![5, 0x81, 0, 9, 0, 9, 1],
                false,
                true,
            ),
            ("a clipboard", Plain, cut_text(5, b"hello"), false, false),
            (
                "an extended clipboard",
                Plain,
                cut_text(-5, b"hello"),
                false,
                false,
            ),
            (
                "another size",
                Plain,
                set_desktop_size(800, 600),
                false,
                false,
            ),
            ("a reboot", Plain, vec![250, 0, 1, 3], false, false),
            (
                "a pointer of KasmVNC's",
                Kasm,
                vec![5, 0, 1, 0, 9, 0, 9, 0, 0, 0, 1],
                false,
                true,
            ),
            ("a clipboard of KasmVNC's", Kasm, clipboard, false, false),
            ("something for a service behind", Kasm, relay, false, false),
            ("a sign of life", Kasm, vec![185], true, false),
            (
                "a key that is let go",
                Plain,
                vec![4, 0, 0, 0, 0, 0, 0, 97],
                false,
                false,
            ),
            (
                "a key with its code that is let go",
                Kasm,
                vec![255, 0, 0, 0, 0, 0, 0, 97, 0, 0, 0, 30],
                false,
                false,
            ),
            (
                "the largest film",
                Kasm,
                vec![252, 7, 128, 4, 56],
                false,
                false,
            ),
            ("which codecs there are", Kasm, vec![184, 0], true, false),
            (
                "which codecs it has",
                Kasm,
                vec![184, 1, 255, 255, 251, 254],
                true,
                false,
            ),
            (
                "an offer of UDP",
                Kasm,
                [&[181, 0, 2][..], b"{}"].concat(),
                false,
                false,
            ),
            (
                "how the mouse was moved",
                Kasm,
                vec![188, 0, 0, 1, 0, 1, 0, 0, 0, 0],
                false,
                true,
            ),
            (
                "how long it takes",
                Kasm,
                vec![189, 0, 0, 0, 0, 0, 0, 1],
                true,
                false,
            ),
            (
                "the network's figures",
                Kasm,
                vec![190, 0, 0, 0],
                true,
                false,
            ),
            (
                "the machine's figures",
                Kasm,
                vec![191, 0, 0, 0],
                true,
                false,
            ),
            (
                "how fast it draws",
                Kasm,
                vec![179, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
                true,
                false,
            ),
        ] {
            // Followed by a request for a picture, so that a wrong length shows.
            let said = [said, vec![3, 0, 0, 0, 0, 0, 0, 1, 0, 1]].concat();
            let (whole, picture) = (said.clone(), said[said.len() - 10..].to_vec());
            assert_eq!(
                after_hello(dialect, ALL, &said),
                Ok((whole.clone(), touches)),
                "{name}, in control"
            );
            let expected = if watched { whole } else { picture };
            assert_eq!(
                after_hello(dialect, WATCH, &said),
                Ok((expected, false)),
                "{name}, watching"
            );
        }
    }

    #[test]
    fn unknown_client_messages_are_dropped() {
        for (name, said) in [
            ("an unknown message", vec![99, 0]),
            ("KasmVNC's in a plain stream", vec![185]),
            ("an unknown key message", vec![255, 1]),
        ] {
            assert_eq!(
                after_hello(Dialect::Plain, WATCH, &said),
                Err(Unreadable),
                "{name}"
            );
        }
        for (name, said) in [
            ("no RFB", &b"GET / HTTP/1.1"[..]),
            ("a password", b"RFB 003.008\n\x02"),
        ] {
            assert_eq!(
                Stream::new(Dialect::Plain).push(said, WATCH),
                Err(Unreadable),
                "{name}"
            );
        }
        let endless = [&[180, 1, 4][..], b"text", &u32::MAX.to_be_bytes()].concat();
        assert_eq!(after_hello(Dialect::Kasm, WATCH, &endless), Err(Unreadable));
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
    fn watcher_is_offered_no_input_extensions() {
        let said = encoding_list(&[7, -316, 0xc0a1_e5ce_u32 as i32, -308]);
        assert_eq!(
            after_hello(Dialect::Plain, WATCH, &said),
            Ok((encoding_list(&[7, -308]), false))
        );
        assert_eq!(after_hello(Dialect::Plain, ALL, &said), Ok((said, false)));
    }

    #[test]
    fn measured_client_requests_only_readable_encodings() {
        use Dialect::{Kasm, Plain};
        let measured = Rules {
            measured: true,
            ..ALL
        };
        for (dialect, kept) in [
            (
                Plain,
                vec![7, 16, -308, -23, EXTENDED_MOUSE, EXTENDED_CLIPBOARD],
            ),
            (
                Kasm,
                vec![7, -308, -23, EXTENDED_MOUSE, -1024, EXTENDED_CLIPBOARD],
            ),
        ] {
            let all = [
                7,
                16,
                21,
                -308,
                -23,
                -314,
                EXTENDED_MOUSE,
                -1024,
                EXTENDED_CLIPBOARD,
            ];
            let said = encoding_list(&all);
            assert_eq!(
                after_hello(dialect, measured, &said),
                Ok((encoding_list(&kept), false)),
                "{dialect:?}"
            );
            assert_eq!(
                after_hello(dialect, ALL, &said),
                Ok((said, false)),
                "{dialect:?}, unmeasured"
            );
        }
        let format = |bits: u8, depth: u8| {
            let true_colour = [bits, depth, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
            [&[0; 4][..], &true_colour].concat()
        };
        let picture = vec![3, 1, 0, 0, 0, 0, 5, 0, 2, 208];
        for (name, messages, readable) in [
            (
                "before a picture",
                vec![format(32, 24), format(16, 16), picture.clone()],
                true,
            ),
            (
                "the same again",
                vec![format(32, 24), picture.clone(), format(32, 24)],
                true,
            ),
            (
                "another size",
                vec![format(32, 24), picture.clone(), format(16, 16)],
                false,
            ),
            (
                "without the fourth byte",
                vec![format(32, 32), picture.clone(), format(32, 24)],
                false,
            ),
            (
                "after the screen's own",
                vec![picture, format(32, 24)],
                false,
            ),
            ("no whole bytes", vec![format(24, 24)], false),
        ] {
            let said = messages.concat();
            let passed = after_hello(Plain, measured, &said);
            assert_eq!(passed.is_ok(), readable, "{name}");
            assert!(after_hello(Plain, ALL, &said).is_ok(), "{name}, unmeasured");
        }
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
            ("after the greeting", [HELLO, &[99]], false),
        ] {
            let mut stream = Stream::new(Dialect::Plain);
            let last = pieces
                .into_iter()
                .find(|piece| stream.push(piece, NO_CLIPBOARD).is_err())
                .expect(name);
            assert_eq!(stream.is_other(last), other, "{name}");
        }
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
