//! Owns what is said in the WebSocket of Selkies 2.1, as far as a gate must know it: which messages
//! are input, clipboard, sound or drawing, and what of them may pass. Must not know frames,
//! tickets, or how Selkies gets the roles.
//!
//! A message is known by its first word, so no message is held as a whole, but for the settings of
//! a screen whose size is fixed. What is not known does not pass to the app, and from the app only
//! to those who may have its clipboard. Compressed texts are never agreed to, so none needs to be
//! read.

use serde_json::{Map, Value};

use crate::session_state::Clipboard;

/// The permissions of the session besides the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Media {
    /// Sound from the session.
    pub audio: bool,
    /// The visitor's microphone.
    pub microphone: bool,
    /// The visitor's camera.
    pub webcam: bool,
    /// Game controllers.
    pub gamepad: bool,
    /// Files into the session.
    pub uploads: bool,
    /// Files from the session.
    pub downloads: bool,
    /// Printed documents from the session.
    pub printing: bool,
}

/// What may pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the visitor uses the app, and does not only watch.
    pub controls: bool,
    /// Which ways the clipboard goes.
    pub clipboard: Clipboard,
    /// The further permissions.
    pub media: Media,
    /// The size that is asked for whatever the client wishes, in pixels.
    pub size: Option<(u16, u16)>,
}

/// The sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The visitor's client.
    Visitor,
    /// The app.
    App,
}

/// The subject of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    /// Messages that viewers must send, too: to begin, to stop, to acknowledge.
    Watching,
    /// How the client wishes to be served, with the size of its window.
    Settings,
    /// The size of the window.
    Size,
    /// Keys and pointers. `true`: a person did something.
    Input(bool),
    /// Game controllers. `true`: a person did something.
    Gamepad(bool),
    /// Messages of a user of the app that are no activity: sound on and off, quality, the pointer's
    /// picture.
    Using,
    /// The clipboard, from the visitor.
    ClipboardUp,
    /// The clipboard, or the wish for it.
    ClipboardDown,
    /// The visitor's microphone.
    Microphone,
    /// The visitor's camera.
    Camera,
    /// Pictures, pointers, and the state of the stream.
    Drawing,
    /// Sound.
    Sound,
    /// A printed document.
    Print,
    /// Anything else that the app says: it could be the clipboard.
    Else,
    /// Nothing that passes.
    Nothing,
}

impl Topic {
    const fn passes(self, rules: Rules) -> bool {
        let Rules {
            controls, media, ..
        } = rules;
        match self {
            Self::Watching | Self::Settings | Self::Drawing => true,
            Self::Size | Self::Input(_) | Self::Using => controls,
            Self::Gamepad(_) => controls && media.gamepad,
            Self::ClipboardUp => controls && rules.clipboard.up,
            Self::ClipboardDown | Self::Else => controls && rules.clipboard.down,
            Self::Microphone => controls && media.microphone,
            Self::Camera => controls && media.webcam,
            Self::Sound => media.audio,
            Self::Print => controls && media.printing,
            Self::Nothing => false,
        }
    }

    const fn is_touch(self) -> bool {
        matches!(self, Self::Input(true) | Self::Gamepad(true))
    }
}

/// The longest beginning by which a message is known, in bytes.
const HEAD: usize = 64;
/// The longest settings that are read, in bytes.
const SETTINGS: usize = 32 << 10;
/// The settings that viewers send instead of their own.
const WATCHERS_SETTINGS: &[u8] = br#"SETTINGS,{"displayId":"primary"}"#;

/// What a text of the visitor's is about, by its first word; `rest`: what follows the word so far.
/// `None` when that must be longer.
fn visitors_topic(word: &str, rest: &[u8], is_whole: bool) -> Option<Topic> {
    let bare = |topic| match (rest.is_empty(), is_whole) {
        (true, true) => Some(topic),
        (true, false) => None,
        (false, _) => Some(Topic::Nothing),
    };
    match word {
        "START_VIDEO" | "STOP_VIDEO" | "REQUEST_KEYFRAME" => bare(Topic::Watching),
        "CLIENT_FRAME_ACK" | "LOST_FRAME" => Some(Topic::Watching),
        "SETTINGS" => Some(Topic::Settings),
        "r" => Some(Topic::Size),
        // Clients let go of keys and say that they are still held by themselves, so only pressing
        // one is a touch.
        "kd" | "m" | "m2" | "co" | "sf" => Some(Topic::Input(true)),
        "ku" | "kh" | "kr" | "sfe" => Some(Topic::Input(false)),
        "js" => match rest {
            [] | [_] if !is_whole => None,
            [_, b'a' | b'b', ..] => Some(Topic::Gamepad(true)),
            _ => Some(Topic::Gamepad(false)),
        },
        "cw" | "cb" | "cws" | "cwd" | "cwe" | "cbs" | "cbd" | "cbe" => Some(Topic::ClipboardUp),
        "cr" | "REQUEST_CLIPBOARD" => Some(Topic::ClipboardDown),
        "s"
        | "p"
        | "vp"
        | "vb"
        | "ab"
        | "pong"
        | "START_AUDIO"
        | "STOP_AUDIO"
        | "DECODE_PACE"
        | "SET_NATIVE_CURSOR_RENDERING"
        | "_pointer_echo"
        | "_arg_fps"
        | "_rc"
        | "_crf"
        | "_ebc"
        | "_f"
        | "_l"
        | "_stats"
        | "_stats_video"
        | "_stats_audio" => Some(Topic::Using),
        // Also `cmd`, which runs programs, and `_gz`, after which texts are compressed.
        _ => Some(Topic::Nothing),
    }
}

/// What a text of the app's is about, by its first word.
fn apps_topic(word: &str) -> Topic {
    match word {
        "MODE"
        | "AUTH_SUCCESS"
        | "MK_ACCESS"
        | "ROLE_UPDATE"
        | "DISPLAY_CONFIG_UPDATE"
        | "DISPLAY_OWNER"
        | "VIDEO_STARTED"
        | "VIDEO_STOPPED"
        | "AUDIO_STARTED"
        | "AUDIO_STOPPED"
        | "AUDIO_DISABLED"
        | "PIPELINE_RESETTING"
        | "KILL"
        | "MICROPHONE_DISABLED"
        | "WEBCAM_DISABLED"
        | "WEBCAM_KEYFRAME"
        | "CAPTURE_DEMAND"
        | "CONNECTION"
        | "CC_RATE"
        | "RESUMED"
        | "cursor"
        | "rumble"
        | "pointer" => Topic::Drawing,
        "clipboard" | "clipboard_binary" | "clipboard_start" | "clipboard_data"
        | "clipboard_finish" | "clipboard_reply" | "clipboard_secret" => Topic::ClipboardDown,
        _ => Topic::Else,
    }
}

/// What a JSON document of the app's is about, by its `type`, which comes first; `None` when more
/// must be known of it.
fn documents_topic(head: &[u8], is_whole: bool) -> Option<Topic> {
    let plain: Vec<u8> = head
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let begins = b"{\"type\":\"";
    let known = plain.len().min(begins.len());
    if plain[..known] != begins[..known] {
        return Some(Topic::Else);
    }
    let name = plain.get(begins.len()..).unwrap_or_default();
    match name.iter().position(|byte| *byte == b'"') {
        Some(end) => Some(match &name[..end] {
            b"server_settings"
            | b"display_settings"
            | b"display_config_update"
            | b"stream_info"
            | b"stream_stats"
            | b"stream_resolution" => Topic::Drawing,
            b"print_document" => Topic::Print,
            _ => Topic::Else,
        }),
        None if is_whole || head.len() >= HEAD => Some(Topic::Else),
        None => None,
    }
}

/// What a message is about; `None` when more of it must be there.
fn topic(speaker: Speaker, is_text: bool, head: &[u8], is_whole: bool) -> Option<Topic> {
    if head.is_empty() {
        return is_whole.then_some(Topic::Nothing);
    }
    if !is_text {
        return Some(match (speaker, head[0]) {
            (Speaker::Visitor, 2) => Topic::Microphone,
            (Speaker::Visitor, 6) => Topic::Camera,
            (Speaker::App, 1) => Topic::Sound,
            (Speaker::App, 3 | 4) => Topic::Drawing,
            (Speaker::App, _) => Topic::Else,
            // Also 5, a compressed text.
            (Speaker::Visitor, _) => Topic::Nothing,
        });
    }
    if speaker == Speaker::App && head[0] == b'{' {
        return documents_topic(head, is_whole);
    }
    let end = head.iter().position(|byte| matches!(byte, b',' | b' '));
    if end.is_none() && !is_whole && head.len() < HEAD {
        return None;
    }
    let (word, rest) = head.split_at(end.unwrap_or(head.len()));
    let word = std::str::from_utf8(word).unwrap_or_default();
    match speaker {
        Speaker::Visitor => visitors_topic(word, rest, is_whole),
        Speaker::App => Some(apps_topic(word)),
    }
}

/// A message goes on that may go on no longer: all that can be done is to end the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllowed;

/// What happens to a piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on as it came.
    Raw,
    /// Nothing goes on, now or at all.
    Nothing,
    /// The message goes on, and begins with these bytes, of which the piece is the end.
    Begin(Vec<u8>),
    /// This text goes on in place of the message.
    Instead(Vec<u8>),
}

/// One side of a stream, read as it comes.
#[derive(Debug)]
pub struct Stream {
    speaker: Speaker,
    message: Option<Message>,
    /// Whether the client has said how it wishes to be served.
    has_settings: bool,
}

#[derive(Debug)]
struct Message {
    is_text: bool,
    is_settings: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its subject is not known yet.
    Held(Vec<u8>),
    Passing(Topic),
    Dropped,
    /// Settings, which are changed as a whole.
    Collected(Vec<u8>),
}

impl Stream {
    /// A stream that has just begun.
    pub const fn new(speaker: Speaker) -> Self {
        Self {
            speaker,
            message: None,
            has_settings: false,
        }
    }

    /// A message begins.
    pub fn begin(&mut self, is_text: bool) {
        let state = State::Held(Vec::new());
        self.message = Some(Message {
            is_text,
            is_settings: false,
            state,
        });
    }

    /// Whether another message may be put in now.
    pub const fn is_between(&self) -> bool {
        self.message.is_none()
    }

    /// The text by which the screen is asked to take a size, where one fits in now and is heeded.
    pub fn resize(&self, size: (u16, u16)) -> Option<Vec<u8>> {
        (self.is_between() && self.has_settings).then(|| resize(size))
    }

    /// Whether the message goes on as it comes, in its own frames.
    pub fn is_passing(&self) -> bool {
        matches!(
            &self.message,
            Some(Message {
                state: State::Passing(_),
                ..
            })
        )
    }

    /// Whether the message is a text.
    pub fn is_text(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.is_text)
    }

    /// Takes the next piece of the message, unmasked unless the message is passing. `ends`: it is
    /// the last. Gives what becomes of it, and whether a person did something.
    ///
    /// # Errors
    /// When the message is passing and may not any more.
    pub fn take(
        &mut self,
        piece: &[u8],
        ends: bool,
        rules: Rules,
    ) -> Result<(Step, bool), NotAllowed> {
        let Some(message) = &mut self.message else {
            return Err(NotAllowed);
        };
        let taken = message.take(self.speaker, piece, ends, rules);
        self.has_settings |= message.is_settings;
        if ends {
            self.message = None;
        }
        taken
    }
}

impl Message {
    fn take(
        &mut self,
        speaker: Speaker,
        piece: &[u8],
        ends: bool,
        rules: Rules,
    ) -> Result<(Step, bool), NotAllowed> {
        match &mut self.state {
            State::Passing(topic) if topic.passes(rules) => Ok((Step::Raw, false)),
            State::Passing(_) => Err(NotAllowed),
            State::Dropped => Ok((Step::Nothing, false)),
            State::Collected(text) => {
                text.extend_from_slice(piece);
                let text = std::mem::take(text);
                Ok((self.collect(text, ends, rules), false))
            }
            State::Held(held) => {
                held.extend_from_slice(piece);
                let head = &held[..held.len().min(HEAD)];
                let is_whole = ends && held.len() == head.len();
                let Some(topic) = topic(speaker, self.is_text, head, is_whole) else {
                    return Ok((Step::Nothing, false));
                };
                let held = std::mem::take(held);
                Ok((
                    self.decide(topic, held, ends, rules),
                    topic.passes(rules) && topic.is_touch(),
                ))
            }
        }
    }

    fn decide(&mut self, topic: Topic, held: Vec<u8>, ends: bool, rules: Rules) -> Step {
        self.state = State::Dropped;
        self.is_settings = topic == Topic::Settings;
        if !topic.passes(rules) {
            return Step::Nothing;
        }
        match (topic, rules.size) {
            (Topic::Settings, _) if !rules.controls => Step::Instead(WATCHERS_SETTINGS.to_vec()),
            (Topic::Settings, Some(_)) => self.collect(held, ends, rules),
            (Topic::Size, Some(size)) => Step::Instead(resize(size)),
            _ => {
                self.state = State::Passing(topic);
                Step::Begin(held)
            }
        }
    }

    fn collect(&mut self, text: Vec<u8>, ends: bool, rules: Rules) -> Step {
        self.state = State::Dropped;
        if text.len() > SETTINGS {
            return Step::Nothing;
        }
        if !ends {
            self.state = State::Collected(text);
            return Step::Nothing;
        }
        // A participant who lost control meanwhile watches.
        if !rules.controls {
            return Step::Instead(WATCHERS_SETTINGS.to_vec());
        }
        fixed(&text, rules.size).map_or(Step::Nothing, Step::Instead)
    }
}

/// The text that asks for a size.
fn resize((width, height): (u16, u16)) -> Vec<u8> {
    format!("r,{width}x{height}").into_bytes()
}

/// Settings with this size in place of the window's; `None` when they cannot be read.
fn fixed(text: &[u8], size: Option<(u16, u16)>) -> Option<Vec<u8>> {
    let document = text.strip_prefix(b"SETTINGS,")?;
    let mut settings: Map<String, Value> = serde_json::from_slice(document).ok()?;
    if let Some((width, height)) = size {
        for (name, value) in [
            ("initialClientWidth", width),
            ("initialClientHeight", height),
            ("manual_width", width),
            ("manual_height", height),
        ] {
            settings.insert(name.to_owned(), value.into());
        }
    }
    let document = serde_json::to_vec(&settings).ok()?;
    Some([b"SETTINGS,".as_slice(), &document].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Clipboard = Clipboard {
        up: true,
        down: true,
    };
    const ALL: Media = Media {
        audio: true,
        microphone: true,
        webcam: true,
        gamepad: true,
        uploads: true,
        downloads: true,
        printing: true,
    };
    const OWNER: Rules = Rules {
        controls: true,
        clipboard: BOTH,
        media: ALL,
        size: None,
    };
    const WATCHER: Rules = Rules {
        controls: false,
        ..OWNER
    };
    /// With no permission at all.
    const CLOSED: Rules = Rules {
        clipboard: Clipboard {
            up: false,
            down: false,
        },
        media: Media {
            audio: false,
            microphone: false,
            webcam: false,
            gamepad: false,
            uploads: false,
            downloads: false,
            printing: false,
        },
        ..OWNER
    };

    /// What goes on of a message, and whether it is a touch: whole, byte by byte, and with an empty
    /// last piece, which makes no difference.
    fn goes_on(
        speaker: Speaker,
        is_text: bool,
        message: &[u8],
        rules: Rules,
    ) -> (Option<Vec<u8>>, bool) {
        let cuts = |size: usize| {
            let mut pieces: Vec<&[u8]> = message.chunks(size).collect();
            pieces.push(b"");
            pieces
        };
        let ways = [vec![message], cuts(1), cuts(7)].map(|pieces| {
            let mut stream = Stream::new(speaker);
            stream.begin(is_text);
            let (mut out, mut touched) = (None::<Vec<u8>>, false);
            for (at, piece) in pieces.iter().enumerate() {
                let ends = at + 1 == pieces.len();
                let (step, touch) = stream.take(piece, ends, rules).expect("rules that stay");
                touched |= touch;
                match step {
                    Step::Nothing => {}
                    Step::Raw => out.as_mut().expect("begun").extend_from_slice(piece),
                    Step::Begin(bytes) | Step::Instead(bytes) => {
                        assert!(out.replace(bytes).is_none(), "begun once");
                    }
                }
            }
            assert!(stream.is_between());
            (out, touched)
        });
        assert!(ways.iter().all(|way| *way == ways[0]), "{ways:?}");
        ways[0].clone()
    }

    #[test]
    fn visitor_messages_pass_by_control_and_permission() {
        // For each message: for the owner, for the owner without any permission, for a watcher;
        // whether it is a touch.
        for (message, open, closed, watched, touch) in [
            ("START_VIDEO", true, true, true, false),
            ("STOP_VIDEO", true, true, true, false),
            ("REQUEST_KEYFRAME", true, true, true, false),
            ("CLIENT_FRAME_ACK 17 3.5", true, true, true, false),
            ("LOST_FRAME 17", true, true, true, false),
            ("kd,65", true, true, false, true),
            ("ku,65", true, true, false, false),
            ("kh,65,66", true, true, false, false),
            ("kr", true, true, false, false),
            ("m,10,20,1,0", true, true, false, true),
            ("m2,1,1,0,0", true, true, false, true),
            ("co,end,Привет", true, true, false, true),
            ("sf,1.00,2.00", true, true, false, true),
            ("sfe", true, true, false, false),
            ("js,c,0,eA==,4,12", true, false, false, false),
            ("js,d,0", true, false, false, false),
            ("js,b,0,1,1", true, false, false, true),
            ("js,a,0,1,0.5", true, false, false, true),
            ("js,h,0", true, false, false, false),
            ("cw,aGVsbG8=", true, false, false, false),
            ("cb,image/png,aGVsbG8=", true, false, false, false),
            ("cws,1,5", true, false, false, false),
            ("cwd,1,aGVsbG8=", true, false, false, false),
            ("cwe,1", true, false, false, false),
            ("cbs,1,image/png,5", true, false, false, false),
            ("cbd,1,aGVsbG8=", true, false, false, false),
            ("cbe,1", true, false, false, false),
            ("cr", true, false, false, false),
            ("REQUEST_CLIPBOARD", true, false, false, false),
            ("r,800x600", true, true, false, false),
            ("s,120", true, true, false, false),
            ("p,1", true, true, false, false),
            ("vp,0,0,1,1", true, true, false, false),
            ("vb,4000", true, true, false, false),
            ("ab,64000", true, true, false, false),
            ("pong,1.5", true, true, false, false),
            ("START_AUDIO", true, true, false, false),
            ("STOP_AUDIO", true, true, false, false),
            ("DECODE_PACE 20", true, true, false, false),
            ("SET_NATIVE_CURSOR_RENDERING,1", true, true, false, false),
            ("_pointer_echo,1", true, true, false, false),
            ("_arg_fps,30", true, true, false, false),
            ("_rc,crf", true, true, false, false),
            ("_crf,30", true, true, false, false),
            ("_ebc,true", true, true, false, false),
            ("_f,30", true, true, false, false),
            ("_l,10", true, true, false, false),
            ("_stats,1", true, true, false, false),
            ("_stats_video,{}", true, true, false, false),
            ("_stats_audio,{}", true, true, false, false),
            ("cmd,xterm", false, false, false, false),
            ("_gz,1", false, false, false, false),
            ("START_VIDEO,kd,65", false, false, false, false),
            ("REQUEST_KEYFRAMEkd", false, false, false, false),
            (" kd,65", false, false, false, false),
            ("KD,65", false, false, false, false),
            ("something new", false, false, false, false),
            ("", false, false, false, false),
        ] {
            let goes = |rules| goes_on(Speaker::Visitor, true, message.as_bytes(), rules);
            let same = |on: bool| on.then(|| message.as_bytes().to_vec());
            assert_eq!(goes(OWNER), (same(open), touch), "{message}");
            assert_eq!(
                goes(CLOSED).0,
                same(closed),
                "{message}, nothing is allowed"
            );
            assert_eq!(goes(WATCHER), (same(watched), false), "{message}, watched");
        }
    }

    #[test]
    fn visitor_binaries_pass_by_permission() {
        for (name, first, open) in [
            ("sound, which only apps send", 1, false),
            ("a microphone", 2, true),
            ("a picture, which only apps send", 4, false),
            ("a compressed text", 5, false),
            ("a camera", 6, true),
            ("anything else", 7, false),
        ] {
            let message = [first, b'k', b'd', b',', b'1'];
            let goes = |rules| goes_on(Speaker::Visitor, false, &message, rules).0;
            assert_eq!(goes(OWNER), open.then(|| message.to_vec()), "{name}");
            assert_eq!((goes(CLOSED), goes(WATCHER)), (None, None), "{name}");
        }
    }

    #[test]
    fn app_messages_pass_by_control_and_permission() {
        // For the owner, for the owner without any permission, for a watcher.
        for (is_text, message, open, closed, watched) in [
            (true, "MODE websockets", true, true, true),
            (
                true,
                "AUTH_SUCCESS,{\"role\": \"viewer\"}",
                true,
                true,
                true,
            ),
            (true, "MK_ACCESS,1", true, true, true),
            (true, "PIPELINE_RESETTING primary", true, true, true),
            (true, "VIDEO_STARTED", true, true, true),
            (true, "KILL gone", true, true, true),
            (true, "cursor,{}", true, true, true),
            (true, "pointer,primary,1.0,2.0,1,7", true, true, true),
            (
                true,
                "{\"type\": \"server_settings\", \"settings\": {}}",
                true,
                true,
                true,
            ),
            (true, "{\"type\":\"stream_resolution\"}", true, true, true),
            (true, "{\"type\": \"stream_stats\"}", true, true, true),
            (
                true,
                "{\"type\": \"print_document\", \"name\": \"a\"}",
                true,
                false,
                false,
            ),
            (true, "{\"type\": \"clipboard-msg\"}", true, false, false),
            (true, "{\"name\": \"clipboard\"}", true, false, false),
            (true, "{\"type\": \"server_settings", true, false, false),
            (true, "clipboard,aGVsbG8=", true, false, false),
            (
                true,
                "clipboard_binary,image/png,aGVsbG8=",
                true,
                false,
                false,
            ),
            (true, "clipboard_start,text/plain,9", true, false, false),
            (true, "clipboard_data,aGVsbG8=", true, false, false),
            (true, "clipboard_finish", true, false, false),
            (true, "clipboard_reply,cr", true, false, false),
            (true, "clipboard_secret", true, false, false),
            (
                true,
                "system,{\"action\": \"clipboard\"}",
                true,
                false,
                false,
            ),
            (true, "something new", true, false, false),
            (false, "\u{1}sound", true, false, true),
            (false, "\u{3}picture", true, true, true),
            (false, "\u{4}picture", true, true, true),
            (false, "\u{5}a compressed text", true, false, false),
            (false, "\u{7}something new", true, false, false),
        ] {
            let goes = |rules| goes_on(Speaker::App, is_text, message.as_bytes(), rules).0;
            let same = |on: bool| on.then(|| message.as_bytes().to_vec());
            assert_eq!(goes(OWNER), same(open), "{message}");
            assert_eq!(goes(CLOSED), same(closed), "{message}, nothing is allowed");
            assert_eq!(goes(WATCHER), same(watched), "{message}, watched");
        }
    }

    #[test]
    fn settings_and_sizes_follow_a_fixed_screen() {
        let fixed = Rules {
            size: Some((1280, 720)),
            ..OWNER
        };
        let said =
            br#"SETTINGS,{"initialClientWidth":800,"initialClientHeight":600,"framerate":30}"#;
        let goes = |message: &[u8], rules| goes_on(Speaker::Visitor, true, message, rules).0;
        assert_eq!(goes(said, OWNER).as_deref(), Some(said.as_slice()));
        let passed = goes(said, fixed).expect("settings");
        let read: Value = serde_json::from_slice(&passed[b"SETTINGS,".len()..]).expect("JSON");
        assert_eq!(
            [
                &read["initialClientWidth"],
                &read["initialClientHeight"],
                &read["framerate"]
            ],
            [1280, 720, 30]
        );
        assert_eq!(goes(said, WATCHER).as_deref(), Some(WATCHERS_SETTINGS));
        assert_eq!(
            goes(b"r,800x600", fixed).as_deref(),
            Some(b"r,1280x720".as_slice())
        );
        assert_eq!(goes(b"SETTINGS,{", fixed), None, "no JSON");
        let long = [
            b"SETTINGS,{\"a\":\"".as_slice(),
            &vec![b'x'; SETTINGS],
            b"\"}",
        ]
        .concat();
        assert_eq!(goes(&long, fixed), None);
    }

    #[test]
    fn message_begun_in_control_does_not_end_without() {
        let mut stream = Stream::new(Speaker::Visitor);
        stream.begin(true);
        let begun = stream.take(b"co,end,rm", false, OWNER);
        assert_eq!(begun, Ok((Step::Begin(b"co,end,rm".to_vec()), true)));
        assert!(stream.is_passing());
        assert_eq!(stream.take(b" -rf", true, WATCHER), Err(NotAllowed));
    }
}
