//! Owns WebSocket frames (RFC 6455 §5) as they come and go, piece by piece, so that no message is
//! ever held as a whole. Must not know what they say.

use std::io::Cursor;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::limits;

/// The longest payload of a control frame, in bytes.
const CONTROL: u64 = 125;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Masks every frame.
    Visitor,
    /// Masks none.
    App,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The payload follows, so many bytes; see [`Source::piece`].
    Data {
        /// The frame's own header.
        header: FrameHeader,
        /// Whether the message that it belongs to is a text.
        is_text: bool,
        /// How long its payload is.
        length: u64,
    },
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// An answer to a ping.
    Pong,
    /// The last frame, with its payload: nothing, or a code and a reason.
    Close(Vec<u8>),
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// These are no frames that this sender may send.
    Protocol,
    /// A message over the limit.
    TooLarge,
}

/// What one end sends.
pub struct Source<R> {
    io: R,
    sender: Sender,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    /// The message that is not finished: whether it is a text, and how long it is so far.
    message: Option<(bool, u64)>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    /// Reads at most `ahead` bytes before they are taken.
    pub fn new(io: R, sender: Sender, ahead: usize) -> Self {
        Self {
            io,
            sender,
            buffer: vec![0; ahead].into_boxed_slice(),
            begin: 0,
            end: 0,
            message: None,
        }
    }

    /// Reads more; `false` at the end of the connection. Cancelled, it has read nothing.
    pub async fn fill(&mut self) -> bool {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        match self.io.read(&mut self.buffer[self.end..]).await {
            Ok(read) => {
                self.end += read;
                read > 0
            }
            Err(_) => false,
        }
    }

    /// The next frame; `None` when more must be read. `limit`: how long a message may be, in bytes.
    ///
    /// # Errors
    /// From here on nothing is known of this stream.
    pub fn frame(&mut self, limit: u64) -> Result<Option<Frame>, Broken> {
        let here = &self.buffer[self.begin..self.end];
        let mut cursor = Cursor::new(here);
        let Some((header, length)) =
            FrameHeader::parse(&mut cursor).map_err(|_| Broken::Protocol)?
        else {
            return Ok(None);
        };
        let masked = header.mask.is_some();
        if header.rsv1 || header.rsv2 || header.rsv3 || masked != (self.sender == Sender::Visitor) {
            return Err(Broken::Protocol);
        }
        let head = usize::try_from(cursor.position()).map_err(|_| Broken::Protocol)?;
        let data = match header.opcode {
            OpCode::Control(control) => {
                if length > CONTROL || !header.is_final {
                    return Err(Broken::Protocol);
                }
                let whole = head + usize::try_from(length).map_err(|_| Broken::Protocol)?;
                let Some(payload) = here.get(head..whole) else {
                    return Ok(None);
                };
                let mut payload = payload.to_vec();
                apply_mask(&mut payload, header.mask.unwrap_or_default());
                self.begin += whole;
                return Ok(Some(match control {
                    Control::Ping => Frame::Ping(payload),
                    Control::Pong => Frame::Pong,
                    Control::Close if payload.len() == 1 => return Err(Broken::Protocol),
                    Control::Close => Frame::Close(payload),
                    Control::Reserved(_) => return Err(Broken::Protocol),
                }));
            }
            OpCode::Data(data) => data,
        };
        let (is_text, before) = match (data, self.message) {
            (Data::Text, None) => (true, 0),
            (Data::Binary, None) => (false, 0),
            (Data::Continue, Some(message)) => message,
            _ => return Err(Broken::Protocol),
        };
        let so_far = u64::saturating_add(before, length);
        if so_far > limit {
            return Err(Broken::TooLarge);
        }
        self.message = (!header.is_final).then_some((is_text, so_far));
        self.begin += head;
        Ok(Some(Frame::Data {
            header,
            is_text,
            length,
        }))
    }

    /// What has been read of the present frame's payload, of which `left` bytes are still to come.
    /// Empty when more must be read.
    pub fn piece(&mut self, left: u64) -> &mut [u8] {
        let here = self.end - self.begin;
        let taken = usize::try_from(left).map_or(here, |left| left.min(here));
        let begin = self.begin;
        self.begin += taken;
        &mut self.buffer[begin..begin + taken]
    }

    /// Reads and forgets until the other end closes, for so long at most: a connection that is
    /// dropped with unread bytes is reset, and a reset can overtake the closing frame.
    pub async fn drain(&mut self, patience: Duration) {
        let rest = async {
            loop {
                (self.begin, self.end) = (0, 0);
                if !self.fill().await {
                    return;
                }
            }
        };
        let _ = timeout(patience, rest).await;
    }
}

/// What one end is sent.
pub struct Sink<W> {
    io: W,
    out: Vec<u8>,
    sent: usize,
    /// How much of the payload of the frame that was begun is still to come.
    left: u64,
}

impl<W: AsyncWrite + Unpin> Sink<W> {
    /// Nothing has been sent yet.
    pub const fn new(io: W) -> Self {
        Self {
            io,
            out: Vec::new(),
            sent: 0,
            left: 0,
        }
    }

    /// Begins a frame. Its payload follows with [`Sink::piece`], masked already where the header
    /// says so.
    pub fn begin(&mut self, header: &FrameHeader, length: u64) {
        // Writing into memory never fails.
        let _ = header.format(length, &mut self.out);
        self.left = length;
    }

    /// Sends on of the payload.
    pub fn piece(&mut self, piece: &[u8]) {
        self.out.extend_from_slice(piece);
        self.left = self.left.saturating_sub(piece.len() as u64);
    }

    /// Sends a whole frame.
    pub fn whole(&mut self, opcode: OpCode, mask: Option<[u8; 4]>, payload: &[u8]) {
        let header = FrameHeader {
            opcode,
            mask,
            ..FrameHeader::default()
        };
        self.begin(&header, payload.len() as u64);
        let begin = self.out.len();
        self.piece(payload);
        apply_mask(&mut self.out[begin..], mask.unwrap_or_default());
    }

    /// Hands everything on. `false` when the other end is gone, or takes nothing for too long.
    /// Cancelled, it can be called again.
    pub async fn flush(&mut self) -> bool {
        while self.sent < self.out.len() {
            let written = timeout(
                limits::STALLED_SOCKET,
                self.io.write(&self.out[self.sent..]),
            );
            match written.await {
                Ok(Ok(written)) if written > 0 => self.sent += written,
                _ => return false,
            }
        }
        self.out.clear();
        self.sent = 0;
        matches!(
            timeout(limits::STALLED_SOCKET, self.io.flush()).await,
            Ok(Ok(()))
        )
    }

    /// Says why it ends, where no frame is in the middle, and ends the connection; waits for so
    /// long at most.
    pub async fn close(&mut self, mask: Option<[u8; 4]>, payload: &[u8], patience: Duration) {
        if self.left == 0 {
            self.whole(OpCode::Control(Control::Close), mask, payload);
        }
        let _ = timeout(patience, async {
            self.flush().await;
            let _ = self.io.shutdown().await;
        })
        .await;
    }
}

/// Masks or unmasks a payload from its beginning.
pub fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    for (byte, key) in bytes.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The key that goes on masking where `done` bytes have been masked.
pub fn rotated(key: [u8; 4], done: u64) -> [u8; 4] {
    let mut key = key;
    key.rotate_left((done % 4) as usize);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    fn frame(opcode: u8, is_final: bool, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = FrameHeader {
            is_final,
            opcode: opcode.into(),
            mask,
            ..FrameHeader::default()
        };
        header
            .format(payload.len() as u64, &mut bytes)
            .expect("memory");
        let begin = bytes.len();
        bytes.extend_from_slice(payload);
        apply_mask(&mut bytes[begin..], mask.unwrap_or_default());
        bytes
    }

    async fn first(sender: Sender, bytes: &[u8]) -> Result<Option<Frame>, Broken> {
        let mut source = Source::new(bytes, sender, 256);
        assert!(source.fill().await, "there are bytes");
        source.frame(100)
    }

    #[tokio::test]
    async fn invalid_frames_are_refused() {
        use Sender::{App, Visitor};
        let mut compressed = frame(2, true, None, b"x");
        compressed[0] |= 0x40;
        for (name, sender, bytes, broken) in [
            (
                "an unmasked visitor",
                Visitor,
                frame(2, true, None, b"x"),
                Broken::Protocol,
            ),
            (
                "a masked app",
                App,
                frame(2, true, Some(KEY), b"x"),
                Broken::Protocol,
            ),
            (
                "an unknown frame",
                App,
                frame(3, true, None, b"x"),
                Broken::Protocol,
            ),
            ("a reserved bit", App, compressed, Broken::Protocol),
            (
                "a ping in two",
                App,
                frame(9, false, None, b"x"),
                Broken::Protocol,
            ),
            (
                "a long ping",
                App,
                frame(9, true, None, &[0; 126]),
                Broken::Protocol,
            ),
            (
                "half a close code",
                App,
                frame(8, true, None, b"x"),
                Broken::Protocol,
            ),
            (
                "a continuation of nothing",
                App,
                frame(0, true, None, b"x"),
                Broken::Protocol,
            ),
            (
                "a long message",
                App,
                frame(2, true, None, &[0; 101]),
                Broken::TooLarge,
            ),
        ] {
            assert_eq!(first(sender, &bytes).await, Err(broken), "{name}");
        }
        let endless = [130, 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(
            first(App, &endless).await,
            Err(Broken::TooLarge),
            "u64::MAX"
        );
    }

    #[tokio::test]
    async fn message_limit_spans_fragmented_frames() {
        let bytes = [
            frame(1, false, None, &[b'a'; 60]),
            frame(9, true, None, b"still there?"),
            frame(0, false, None, &[b'b'; 40]),
            frame(0, true, None, b"c"),
        ]
        .concat();
        let mut source = Source::new(bytes.as_slice(), Sender::App, 256);
        assert!(source.fill().await);
        let data = |frame: Result<Option<Frame>, Broken>| match frame {
            Ok(Some(Frame::Data {
                is_text, length, ..
            })) => (is_text, length),
            other => panic!("{other:?}"),
        };
        assert_eq!(data(source.frame(100)), (true, 60));
        assert_eq!(source.piece(60), [b'a'; 60]);
        assert_eq!(
            source.frame(100),
            Ok(Some(Frame::Ping(b"still there?".to_vec())))
        );
        assert_eq!(
            data(source.frame(100)),
            (true, 40),
            "its own opcode is none"
        );
        assert_eq!(source.piece(40), [b'b'; 40]);
        assert_eq!(source.frame(100), Err(Broken::TooLarge));
    }

    #[tokio::test]
    async fn payload_is_streamed_in_the_chunks_read() {
        let bytes = frame(2, true, Some(KEY), &[7; 1000]);
        let mut source = Source::new(bytes.as_slice(), Sender::Visitor, 64);
        assert!(source.fill().await);
        let Ok(Some(Frame::Data { length, .. })) = source.frame(1000) else {
            panic!("a frame");
        };
        let (mut left, mut done, mut read) = (length, 0, Vec::new());
        while left > 0 {
            let piece = source.piece(left).to_vec();
            if piece.is_empty() {
                assert!(source.fill().await);
                continue;
            }
            let mut plain = piece;
            apply_mask(&mut plain, rotated(KEY, done));
            done += plain.len() as u64;
            left -= plain.len() as u64;
            read.extend(plain);
        }
        assert_eq!(read, [7; 1000]);
        assert_eq!(source.frame(1000), Ok(None));
        assert!(!source.fill().await, "the end");
    }

    #[tokio::test]
    async fn written_frames_parse_back() {
        let (here, mut there) = tokio::io::duplex(1024);
        let mut sink = Sink::new(here);
        sink.whole(OpCode::Data(Data::Binary), Some(KEY), b"hello");
        sink.close(None, &1008_u16.to_be_bytes(), Duration::from_secs(1))
            .await;
        let mut bytes = Vec::new();
        there.read_to_end(&mut bytes).await.expect("an end");
        let close = frame(8, true, None, &1008_u16.to_be_bytes());
        assert_eq!(bytes, [frame(2, true, Some(KEY), b"hello"), close].concat());
        let (here, mut there) = tokio::io::duplex(1024);
        let mut sink = Sink::new(here);
        sink.begin(&FrameHeader::default(), 5);
        sink.piece(b"he");
        sink.close(None, &[], Duration::from_secs(1)).await;
        let mut bytes = Vec::new();
        there.read_to_end(&mut bytes).await.expect("an end");
        assert_eq!(bytes[2..], *b"he", "no frame within a frame");
    }
}
