//! Owns what a screen says in RFB (RFC 6143, and what noVNC and KasmVNC add to it), as far as a
//! gate must know it: where each message ends, and which of them carry the clipboard. It holds the
//! heads of messages, never a picture or a text. Must not know who may see what.

use crate::rfb::{Dialect, EXTENDED_CLIPBOARD, EXTENDED_MOUSE, Terms, Unreadable, Version};

/// What is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the client gets what is copied in the session.
    pub clipboard: bool,
    /// Whether the client may paste into the session: it is then asked for what it has copied.
    pub pastes: bool,
}

/// How many bytes a pixel takes, which decides how long pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelSize {
    /// In most encodings: 1, 2 or 4.
    whole: u64,
    /// In Tight: without the byte that no colour uses.
    tight: u64,
}

impl PixelSize {
    /// Of a pixel format as it is sent (RFC 6143 §7.4): 16 bytes.
    ///
    /// # Errors
    /// `Unreadable` when pixels are no whole bytes.
    pub fn of(format: &[u8]) -> Result<Self, Unreadable> {
        let &[bits, depth, _, true_colour, r1, r2, g1, g2, b1, b2, ..] = format else {
            return Err(Unreadable);
        };
        let whole = match bits {
            8 => 1,
            16 => 2,
            32 => 4,
            _ => return Err(Unreadable),
        };
        let is_888 = true_colour != 0 && depth == 24 && [r1, r2, g1, g2, b1, b2] == EACH_255;
        let tight = if is_888 && whole == 4 { 3 } else { whole };
        Ok(Self { whole, tight })
    }
}

/// The highest red, green and blue of a format with eight bits for each.
const EACH_255: [u8; 6] = [0, 255, 0, 255, 0, 255];

/// No head of a message is longer, in bytes: a list of security types.
const LONGEST_HEAD: usize = 256 + 16;

/// How every version of RFB begins.
const RFB: &[u8] = b"RFB ";

/// What the extended clipboard's messages do; see [`asks`].
const CAPS: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const PEEK: u32 = 1 << 26;
/// The bits that name formats. `CAPS` has a size for each of them, in four bytes.
const FORMATS: u32 = 0xffff;

const RAW: i32 = 0;
const COPY_RECT: i32 = 1;
const RRE: i32 = 2;
const HEXTILE: i32 = 5;
const ZLIB: i32 = 6;
const TIGHT: i32 = 7;
const ZRLE: i32 = 16;
const KASM_VIDEO: i32 = 17;
const H264: i32 = 50;
const DESKTOP_SIZE: i32 = -223;
const LAST_RECT: i32 = -224;
const CURSOR: i32 = -239;
const QEMU_KEYS: i32 = -258;
const TIGHT_PNG: i32 = -260;
const QEMU_LEDS: i32 = -261;
const DESKTOP_NAME: i32 = -307;
const EXTENDED_DESKTOP_SIZE: i32 = -308;
const XVP: i32 = -309;
const FENCE: i32 = -312;
const CONTINUOUS_UPDATES: i32 = -313;
const VMWARE_CURSOR: i32 = 0x574d_5664;
const VMWARE_CURSOR_POSITION: i32 = 0x574d_5666;

/// Whether a client whose stream is measured may ask for this encoding: what a screen sends because
/// of it can be measured, or is nothing.
pub fn is_measured(dialect: Dialect, encoding: i32) -> bool {
    match encoding {
        RAW
        | COPY_RECT
        | RRE
        | HEXTILE
        | TIGHT
        | TIGHT_PNG
        | DESKTOP_SIZE
        | LAST_RECT
        | CURSOR
        | QEMU_KEYS
        | DESKTOP_NAME
        | EXTENDED_DESKTOP_SIZE
        | XVP
        | FENCE
        | CONTINUOUS_UPDATES
        | EXTENDED_MOUSE
        | EXTENDED_CLIPBOARD
        | VMWARE_CURSOR => true,
        // How good pictures are, and how small: the screen sends nothing more for these.
        -32..=-23 | -256..=-247 | -512..=-412 | -768..=-763 => true,
        ZLIB | ZRLE | H264 | QEMU_LEDS => dialect == Dialect::Plain,
        // KasmVNC's own wishes: quality, video codecs, scaling.
        KASM_VIDEO | VMWARE_CURSOR_POSITION | -2048..=-770 => dialect == Dialect::Kasm,
        _ => false,
    }
}

/// A screen's side of a stream, read as it comes.
#[derive(Debug)]
pub struct Stream {
    dialect: Dialect,
    step: Step,
    /// The head that is not whole yet.
    head: Vec<u8>,
    /// What is left of a body that is passed on or dropped without being looked at.
    rest: (u64, bool),
    version: Version,
    /// Of the format that the screen itself proposed.
    pixels: Option<PixelSize>,
    /// How many rectangles of the update are still to come, the present one included.
    rectangles: u16,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Version,
    Security,
    /// Whether the client was let in.
    Result,
    /// Why it was not.
    Reason,
    /// The first words are over; nothing may follow.
    Over,
    Init,
    Message,
    Rectangle,
    /// Within a rectangle.
    Body(Area, Body),
    /// So many entries of KasmVNC's clipboard, and whether they are passed on.
    Clips(u8, bool),
    /// So many entries of KasmVNC's list of codecs.
    Codecs(u8),
}

/// A rectangle's width and height, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    width: u16,
    height: u16,
}

impl Area {
    const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// In bytes, with one bit for each pixel and whole bytes for each line.
    const fn bits(self) -> u64 {
        (self.width as u64).div_ceil(8) * self.height as u64
    }
}

/// What of a rectangle comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// How many rectangles of one colour there are.
    Rre,
    /// A tile, by where it is, in tiles from the left and from above.
    Tile(u16, u16),
    /// A tile's rectangles: how many, and whether each has its colour.
    TileCount(u16, u16, bool),
    /// A length in four bytes, and what has it.
    Sized,
    /// The same, for a film.
    Film,
    /// How a rectangle in Tight is made; whether it is to be TightPNG.
    Tight(bool),
    TightFilter,
    TightColours,
    /// A length in one to three bytes, and what has it.
    Compact,
    /// Which kind of cursor it is.
    VmwareCursor,
    /// How many screens there are.
    Screens,
    /// Whether KasmVNC's film has a frame.
    KasmVideo,
    KasmFrame,
}

impl Stream {
    /// A stream that has just begun.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            step: Step::Version,
            head: Vec::new(),
            rest: (0, false),
            version: Version::V3,
            pixels: None,
            rectangles: 0,
        }
    }

    /// Takes the next piece from the screen, and adds what goes on of it. `terms`: what the client
    /// has said so far.
    ///
    /// # Errors
    /// `Unreadable`: from here on nothing is known of this stream.
    pub fn push(
        &mut self,
        mut piece: &[u8],
        terms: Terms,
        rules: Rules,
        passed: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        if self.is_other(piece) {
            return Err(Unreadable);
        }
        loop {
            let (left, passes) = self.rest;
            let now = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let (body, later) = piece.split_at(now);
            if passes {
                passed.extend_from_slice(body);
            }
            piece = later;
            self.rest.0 -= now as u64;
            if self.rest.0 > 0 {
                return Ok(());
            }
            let wanted = self.wanted(terms)?;
            if let missing @ 1.. = wanted.saturating_sub(self.head.len()) {
                let (head, later) = piece.split_at(missing.min(piece.len()));
                self.head.extend_from_slice(head);
                piece = later;
                if head.len() < missing {
                    return Ok(());
                }
                // With what has come it may show that more belongs to the head.
                continue;
            }
            let head = std::mem::take(&mut self.head);
            let (next, rest, passes) = self.after(&head, terms, rules)?;
            if passes {
                passed.extend_from_slice(&head);
            }
            self.rest = (rest, passes);
            self.step = next;
            self.head = head;
            self.head.clear();
        }
    }

    /// Whether this is another kind of stream for certain: a screen's own begins with its version.
    pub fn is_other(&self, piece: &[u8]) -> bool {
        self.step == Step::Version && !self.head.iter().chain(piece).zip(RFB).all(|(a, b)| a == b)
    }

    /// What is still held of a stream that is passed on unread from here on.
    pub fn into_held(self) -> Vec<u8> {
        self.head
    }

    /// The version that both speak. A screen waits for the client's before it goes on.
    fn agreed(&self, terms: Terms) -> Result<Version, Unreadable> {
        match terms.version {
            Some(version) if version <= self.version => Ok(version),
            _ => Err(Unreadable),
        }
    }

    /// How long the next head is, in bytes, as far as that is known.
    fn wanted(&self, terms: Terms) -> Result<usize, Unreadable> {
        let at = |at: usize| self.head.get(at).map(|byte| usize::from(*byte));
        let kasm = self.dialect == Dialect::Kasm;
        let wanted = match self.step {
            Step::Version => 12,
            Step::Security => match at(0) {
                None => 1,
                Some(_) if self.agreed(terms)? == Version::V3 => 4,
                Some(types) => 1 + types,
            },
            Step::Result | Step::Reason => 4,
            // Whatever it is, it is too much.
            Step::Over => 1,
            Step::Init => 24,
            Step::Message => match (at(0), kasm) {
                (None | Some(2 | 150), _) | (Some(179 | 187), true) => 1,
                (Some(0 | 250), _) => 4,
                (Some(1), _) => 6,
                // A negative length is the extended clipboard's, which says what it does.
                (Some(3), _) => match u32_at(&self.head, 4) {
                    Some(length) if (length as i32) < 0 => {
                        8 + (length as i32).unsigned_abs().min(4) as usize
                    }
                    _ => 8,
                },
                (Some(248), _) => 9,
                (Some(178 | 189 | 190 | 191), true) => 8,
                (Some(180 | 184), true) => 2,
                (Some(181 | 182), true) => 3,
                (Some(183), true) => 6 + at(1).unwrap_or(0),
                // The end, in words: 185 in 1.4.1 and 1.4.2, 186 since 1.5.
                (Some(185 | 186), true) => 9,
                (Some(253 | 254), true) => 5,
                _ => return Err(Unreadable),
            },
            Step::Rectangle => 12,
            Step::Clips(..) => 9 + at(4).unwrap_or(0),
            Step::Codecs(_) => 13,
            Step::Body(_, body) => match body {
                Body::Rre | Body::Sized | Body::Screens => 4,
                Body::Film => 8,
                Body::Tile(..)
                | Body::TileCount(..)
                | Body::Tight(_)
                | Body::TightFilter
                | Body::TightColours => 1,
                Body::Compact => match (at(0), at(1)) {
                    (Some(128..), Some(128..)) => 3,
                    (Some(128..), _) => 2,
                    _ => 1,
                },
                Body::VmwareCursor | Body::KasmVideo | Body::KasmFrame => 2,
            },
        };
        debug_assert!((1..=LONGEST_HEAD).contains(&wanted), "{:?}", self.step);
        Ok(wanted)
    }

    /// What follows a whole head: the next step, how long a body comes before it, and whether head
    /// and body are passed on.
    fn after(
        &mut self,
        head: &[u8],
        terms: Terms,
        rules: Rules,
    ) -> Result<(Step, u64, bool), Unreadable> {
        let byte = |at: usize| head.get(at).copied().ok_or(Unreadable);
        let short = |at: usize| u16_at(head, at).ok_or(Unreadable);
        let long = |at: usize| u32_at(head, at).ok_or(Unreadable);
        let passes = |next: Step, rest: u64| Ok((next, rest, true));
        match self.step {
            Step::Version => {
                self.version = Version::of(head)?;
                passes(Step::Security, 0)
            }
            Step::Security => match (self.agreed(terms)?, head) {
                (Version::V3, [0, 0, 0, 1]) => passes(Step::Init, 0),
                (Version::V3, [0, 0, 0, 0]) | (_, [0]) => passes(Step::Reason, 0),
                (Version::V3, _) => Err(Unreadable),
                // The client takes type 1, «none», which has no result before version 3.8.
                (Version::V7, _) => passes(Step::Init, 0),
                (Version::V8, _) => passes(Step::Result, 0),
            },
            Step::Result if long(0)? == 0 => passes(Step::Init, 0),
            Step::Result => passes(Step::Reason, 0),
            Step::Reason => passes(Step::Over, u64::from(long(0)?)),
            Step::Over => Err(Unreadable),
            Step::Init => {
                self.pixels = Some(PixelSize::of(&head[4..])?);
                passes(Step::Message, u64::from(long(20)?))
            }
            Step::Message => match byte(0)? {
                0 => {
                    self.rectangles = short(2)?;
                    let next = if self.rectangles == 0 {
                        Step::Message
                    } else {
                        Step::Rectangle
                    };
                    passes(next, 0)
                }
                1 => passes(Step::Message, 6 * u64::from(short(4)?)),
                3 => {
                    let length = long(4)? as i32;
                    let shown = rules.clipboard
                        || rules.pastes && length < 0 && asks(length.unsigned_abs(), &head[8..]);
                    let rest = u64::from(length.unsigned_abs()) - (head.len() as u64 - 8);
                    Ok((Step::Message, rest, shown))
                }
                178 | 190 | 191 => passes(Step::Message, u64::from(long(4)?)),
                180 => Ok((clips(byte(1)?, rules.clipboard), 0, rules.clipboard)),
                181 => passes(Step::Message, u64::from(short(1)?)),
                182 => passes(Step::Message, u64::from(byte(2)?)),
                183 => passes(Step::Message, u64::from(long(head.len() - 4)?)),
                184 => passes(codecs(byte(1)?), 0),
                185 | 186 => passes(Step::Message, u64::from(long(5)?)),
                248 => passes(Step::Message, u64::from(byte(8)?)),
                253 | 254 => passes(Step::Message, u64::from(long(1)?)),
                _ => passes(Step::Message, 0),
            },
            Step::Clips(left, shown) => {
                let length = u64::from(long(head.len() - 4)?);
                Ok((clips(left - 1, shown), length, shown))
            }
            Step::Codecs(left) => passes(codecs(left - 1), 4 * u64::from(byte(12)?)),
            Step::Rectangle => {
                let area = Area {
                    width: short(4)?,
                    height: short(6)?,
                };
                let pixels = terms.pixels.or(self.pixels).ok_or(Unreadable)?;
                let (body, rest) = self.begun(long(8)? as i32, area, pixels)?;
                passes(self.within(area, body), rest)
            }
            Step::Body(area, body) => {
                let pixels = terms.pixels.or(self.pixels).ok_or(Unreadable)?;
                let (body, rest) = self.gone_on(body, head, area, pixels)?;
                passes(self.within(area, body), rest)
            }
        }
    }

    /// The step for this part of a rectangle; without one it is over.
    const fn within(&mut self, area: Area, body: Option<Body>) -> Step {
        if let Some(body) = body {
            return Step::Body(area, body);
        }
        self.rectangles = self.rectangles.saturating_sub(1);
        if self.rectangles == 0 {
            Step::Message
        } else {
            Step::Rectangle
        }
    }

    /// What a rectangle in this encoding begins with: a head, or so many bytes and no more.
    fn begun(
        &mut self,
        encoding: i32,
        area: Area,
        pixels: PixelSize,
    ) -> Result<(Option<Body>, u64), Unreadable> {
        let kasm = self.dialect == Dialect::Kasm;
        Ok(match encoding {
            RAW => (None, area.pixels() * pixels.whole),
            COPY_RECT => (None, 4),
            RRE => (Some(Body::Rre), 0),
            HEXTILE if area.pixels() == 0 => (None, 0),
            HEXTILE => (Some(Body::Tile(0, 0)), 0),
            TIGHT => (Some(Body::Tight(false)), 0),
            TIGHT_PNG => (Some(Body::Tight(true)), 0),
            DESKTOP_NAME => (Some(Body::Sized), 0),
            ZLIB | ZRLE if !kasm => (Some(Body::Sized), 0),
            H264 if !kasm => (Some(Body::Film), 0),
            QEMU_LEDS if !kasm => (None, 1),
            LAST_RECT => {
                self.rectangles = 1;
                (None, 0)
            }
            DESKTOP_SIZE | QEMU_KEYS | EXTENDED_MOUSE => (None, 0),
            CURSOR => (None, area.pixels() * pixels.whole + area.bits()),
            VMWARE_CURSOR => (Some(Body::VmwareCursor), 0),
            VMWARE_CURSOR_POSITION if kasm => (None, 0),
            EXTENDED_DESKTOP_SIZE => (Some(Body::Screens), 0),
            KASM_VIDEO if kasm => (Some(Body::KasmVideo), 0),
            _ => return Err(Unreadable),
        })
    }

    /// What follows a head within a rectangle.
    fn gone_on(
        &self,
        body: Body,
        head: &[u8],
        area: Area,
        pixels: PixelSize,
    ) -> Result<(Option<Body>, u64), Unreadable> {
        let long = |at: usize| u32_at(head, at).map(u64::from).ok_or(Unreadable);
        let first = *head.first().ok_or(Unreadable)?;
        Ok(match body {
            Body::Rre => (None, pixels.whole + long(0)? * (pixels.whole + 8)),
            Body::Tile(x, y) => tile(area, x, y, first, pixels),
            Body::TileCount(x, y, coloured) => {
                let each = if coloured { pixels.whole + 2 } else { 2 };
                (next_tile(area, x, y), u64::from(first) * each)
            }
            Body::Sized | Body::Film => (None, long(0)?),
            Body::Tight(png) => match first >> 4 {
                8 => (None, pixels.tight),
                9 => (Some(Body::Compact), 0),
                10 if png => (Some(Body::Compact), 0),
                // WebP, QOI, and a picture with transparent parts.
                11..=13 if self.dialect == Dialect::Kasm => (Some(Body::Compact), 0),
                basic @ 0..8 if !png => match basic & 4 {
                    0 => packed(area.pixels() * pixels.tight, 0),
                    _ => (Some(Body::TightFilter), 0),
                },
                _ => return Err(Unreadable),
            },
            Body::TightFilter => match first {
                0 | 2 => packed(area.pixels() * pixels.tight, 0),
                1 => (Some(Body::TightColours), 0),
                _ => return Err(Unreadable),
            },
            Body::TightColours => {
                let colours = u64::from(first) + 1;
                let size = if colours <= 2 {
                    area.bits()
                } else {
                    area.pixels()
                };
                packed(size, colours * pixels.tight)
            }
            Body::Compact => {
                let length = head.iter().enumerate().map(|(at, byte)| {
                    let bits = if at == 2 { *byte } else { byte & 0x7f };
                    u64::from(bits) << (7 * at)
                });
                (None, length.sum())
            }
            Body::VmwareCursor => match first {
                0 => (None, area.pixels() * pixels.whole * 2),
                1 => (None, area.pixels() * 4),
                _ => return Err(Unreadable),
            },
            Body::Screens => (None, u64::from(first) * 16),
            Body::KasmVideo => match head[1] >> 4 {
                0 => (None, 0),
                1..=3 => (Some(Body::KasmFrame), 0),
                _ => return Err(Unreadable),
            },
            Body::KasmFrame => (Some(Body::Compact), 0),
        })
    }
}

/// What follows a tile's first byte (RFC 6143 §7.7.4).
fn tile(area: Area, x: u16, y: u16, kind: u8, pixels: PixelSize) -> (Option<Body>, u64) {
    let side = |whole: u16, at: u16| u64::from((whole - at * 16).min(16));
    if kind & 1 != 0 {
        let size = side(area.width, x) * side(area.height, y);
        return (next_tile(area, x, y), size * pixels.whole);
    }
    let colours = u64::from(kind & 2 != 0) + u64::from(kind & 4 != 0);
    let next = if kind & 8 == 0 {
        next_tile(area, x, y)
    } else {
        Some(Body::TileCount(x, y, kind & 16 != 0))
    };
    (next, colours * pixels.whole)
}

const fn next_tile(area: Area, x: u16, y: u16) -> Option<Body> {
    if x + 1 < area.width.div_ceil(16) {
        Some(Body::Tile(x + 1, y))
    } else if y + 1 < area.height.div_ceil(16) {
        Some(Body::Tile(0, y + 1))
    } else {
        None
    }
}

/// So many bytes, and after them as many as Tight takes for `size`: fewer than 12 are sent as they
/// are.
const fn packed(size: u64, before: u64) -> (Option<Body>, u64) {
    if size < 12 {
        (None, before + size)
    } else {
        (Some(Body::Compact), before)
    }
}

const fn clips(left: u8, shown: bool) -> Step {
    if left == 0 {
        Step::Message
    } else {
        Step::Clips(left, shown)
    }
}

const fn codecs(left: u8) -> Step {
    if left == 0 {
        Step::Message
    } else {
        Step::Codecs(left)
    }
}

/// Whether a message of the extended clipboard only says what the screen can take, or asks for what
/// the client has: of exactly that length, so that nothing else is in it.
fn asks(length: u32, flags: &[u8]) -> bool {
    let Some(flags) = u32_at(flags, 0) else {
        return false;
    };
    if flags & CAPS != 0 {
        return length == 4 + 4 * (flags & FORMATS).count_ones();
    }
    length == 4 && matches!(flags & !FORMATS, REQUEST | PEEK)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUT: Rules = Rules {
        clipboard: false,
        pastes: false,
    };
    const PASTES: Rules = Rules {
        clipboard: false,
        pastes: true,
    };
    const OPEN: Rules = Rules {
        clipboard: true,
        pastes: true,
    };
    /// 32 bits, 24 of them used.
    const TRUE_COLOUR: [u8; 16] = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    const SIXTEEN_BITS: [u8; 16] = [16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0];
    const NAME: &[u8] = b"desk";
    const BELL: &[u8] = &[2];

    fn terms(version: Version) -> Terms {
        Terms {
            version: Some(version),
            ..Terms::default()
        }
    }

    /// A screen's first words, up to its name.
    fn hello() -> Vec<u8> {
        [
            b"RFB 003.008\n\x01\x01\0\0\0\0".as_slice(),
            &[5, 0, 2, 208],
            &TRUE_COLOUR,
            &sized(NAME),
        ]
        .concat()
    }

    fn sized(text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&length, text].concat()
    }

    fn cut_text(length: i32, text: &[u8]) -> Vec<u8> {
        [&[3, 0, 0, 0], length.to_be_bytes().as_slice(), text].concat()
    }

    fn extended(flags: u32, more: &[u8]) -> Vec<u8> {
        let body = [&flags.to_be_bytes(), more].concat();
        cut_text(-i32::try_from(body.len()).expect("short"), &body)
    }

    fn rect((width, height): (u16, u16), encoding: i32, body: &[u8]) -> Vec<u8> {
        [
            &[0, 1, 0, 2],
            width.to_be_bytes().as_slice(),
            &height.to_be_bytes(),
            &encoding.to_be_bytes(),
            body,
        ]
        .concat()
    }

    fn update(rects: &[Vec<u8>]) -> Vec<u8> {
        let count = u16::try_from(rects.len()).expect("few").to_be_bytes();
        [[0, 0].as_slice(), &count, &rects.concat()].concat()
    }

    fn one(size: (u16, u16), encoding: i32, body: &[u8]) -> Vec<u8> {
        update(&[rect(size, encoding, body)])
    }

    /// What goes on of what a screen says, in pieces that end at these places.
    fn in_pieces(
        dialect: Dialect,
        terms: Terms,
        rules: Rules,
        said: &[u8],
        cuts: &[usize],
    ) -> Result<Vec<u8>, Unreadable> {
        let (mut stream, mut passed) = (Stream::new(dialect), Vec::new());
        let mut begin = 0;
        for end in cuts.iter().copied().chain([said.len()]) {
            stream.push(&said[begin..end], terms, rules, &mut passed)?;
            assert!(stream.head.len() < LONGEST_HEAD, "only heads are held");
            begin = end;
        }
        Ok(passed)
    }

    /// The same for each place where it can be cut in two, and byte by byte: where pieces are cut
    /// makes no difference.
    fn shown(
        dialect: Dialect,
        terms: Terms,
        rules: Rules,
        said: &[u8],
    ) -> Result<Vec<u8>, Unreadable> {
        let whole = in_pieces(dialect, terms, rules, said, &[]);
        for cut in 0..said.len() {
            let cut_there = in_pieces(dialect, terms, rules, said, &[cut]);
            assert_eq!(cut_there, whole, "cut at {cut}");
        }
        let everywhere: Vec<usize> = (0..said.len()).collect();
        assert_eq!(
            in_pieces(dialect, terms, rules, said, &everywhere),
            whole,
            "byte by byte"
        );
        whole
    }

    /// Shows that this message is passed on whole, and that its end is found: a text that is cut
    /// follows, and then a bell.
    fn is_passed(name: &str, dialect: Dialect, terms: Terms, message: &[u8]) {
        let hello = hello();
        let said = [&hello, message, &cut_text(6, b"secret"), BELL].concat();
        let passed = shown(dialect, terms, SHUT, &said);
        assert_eq!(passed, Ok([&hello, message, BELL].concat()), "{name}");
    }

    #[test]
    fn all_server_messages_but_clipboard_pass() {
        let fence = [&[248, 0, 0, 0, 0, 0, 0, 1, 3][..], b"abc"].concat();
        for (name, message) in [
            ("a bell", vec![2]),
            ("colours", [&[1, 0, 0, 0, 0, 2][..], &[7; 12]].concat()),
            ("the end of continuous updates", vec![150]),
            ("a fence", fence),
            (
                "a fence without a payload",
                vec![248, 0, 0, 0, 0, 0, 0, 1, 0],
            ),
            ("an answer to a reboot", vec![250, 0, 1, 1]),
            ("an update without rectangles", update(&[])),
        ] {
            is_passed(name, Dialect::Plain, terms(Version::V8), &message);
            is_passed(name, Dialect::Kasm, terms(Version::V8), &message);
        }
        let codec = [&[0; 12][..], &[2], &[9; 8]].concat();
        for (name, message) in [
            ("figures", [&[178, 0, 0, 0][..], &sized(b"{}")].concat()),
            (
                "the network's",
                [&[190, 0, 0, 0][..], &sized(b"{}")].concat(),
            ),
            (
                "the machine's",
                [&[191, 0, 0, 0][..], &sized(b"{}")].concat(),
            ),
            ("a question for figures", vec![179]),
            ("an offer of UDP", [&[181, 0, 2][..], b"{}"].concat()),
            ("a service behind", [&[182, 1, 2][..], b"ok"].concat()),
            (
                "what a service says",
                [&[183, 2][..], b"ab", &sized(b"xyz")].concat(),
            ),
            ("no codecs", vec![184, 0]),
            ("two codecs", [&[184, 2][..], &codec, &[0; 13]].concat()),
            (
                "a goodbye",
                [&[186, 1, 0, 0, 0][..], &sized(b"idle")].concat(),
            ),
            (
                "a goodbye of 1.4",
                [&[185, 1, 0, 0, 0][..], &sized(b"idle")].concat(),
            ),
            ("games", vec![187]),
            ("how long it takes", vec![189, 0, 0, 0, 0, 0, 0, 9]),
            ("who joins", [&[253][..], &sized(b"ada")].concat()),
            ("who leaves", [&[254][..], &sized(b"ada")].concat()),
        ] {
            is_passed(name, Dialect::Kasm, terms(Version::V8), &message);
            let plain = [hello(), message].concat();
            assert_eq!(
                shown(Dialect::Plain, terms(Version::V8), SHUT, &plain),
                Err(Unreadable),
                "{name} in a plain stream"
            );
        }
    }

    #[test]
    fn every_encoding_passes_unchanged() {
        use Dialect::{Kasm, Plain};
        let film = [&sized(b"12345678")[..4], &[0; 4], b"12345678"].concat();
        let vmware = |kind: u8, body: usize| [vec![kind, 0], vec![1; body]].concat();
        let screens = [&[2, 0, 0, 0][..], &[1; 32]].concat();
        // 20 by 18 pixels: four tiles of 16×16, 4×16, 16×2 and 4×2.
        let tiles = [
            vec![1; 1 + 16 * 16 * 4],
            [vec![2 | 4 | 8], vec![0; 8], vec![3], vec![0; 6]].concat(),
            [vec![4 | 8 | 16], vec![0; 4], vec![2], vec![0; 12]].concat(),
            vec![0],
        ]
        .concat();
        for (name, dialects, size, encoding, body) in [
            ("raw", &[Plain, Kasm][..], (3, 2), 0, vec![1; 24]),
            ("nothing, raw", &[Plain, Kasm], (0, 9), 0, vec![]),
            ("a copy", &[Plain, Kasm], (3, 2), 1, vec![1; 4]),
            (
                "RRE",
                &[Plain, Kasm],
                (3, 2),
                2,
                [vec![0, 0, 0, 2], vec![1; 4 + 2 * 12]].concat(),
            ),
            ("tiles", &[Plain, Kasm], (20, 18), 5, tiles),
            ("no tiles", &[Plain, Kasm], (20, 0), 5, vec![]),
            ("zlib", &[Plain], (3, 2), 6, sized(b"packed")),
            ("ZRLE", &[Plain], (3, 2), 16, sized(b"packed")),
            ("H.264", &[Plain], (3, 2), 50, film),
            (
                "a cursor",
                &[Plain, Kasm],
                (9, 2),
                -239,
                vec![1; 9 * 2 * 4 + 4],
            ),
            (
                "a classic cursor",
                &[Plain, Kasm],
                (3, 2),
                VMWARE_CURSOR,
                vmware(0, 48),
            ),
            (
                "an alpha cursor",
                &[Plain, Kasm],
                (3, 2),
                VMWARE_CURSOR,
                vmware(1, 24),
            ),
            ("another size", &[Plain, Kasm], (3, 2), -223, vec![]),
            ("screens", &[Plain, Kasm], (3, 2), -308, screens),
            ("another name", &[Plain, Kasm], (0, 0), -307, sized(b"name")),
            ("keys by their codes", &[Plain, Kasm], (0, 0), -258, vec![]),
            ("more buttons", &[Plain, Kasm], (0, 0), -316, vec![]),
            ("lights", &[Plain], (0, 0), -261, vec![7]),
            (
                "where the pointer is",
                &[Kasm],
                (0, 0),
                VMWARE_CURSOR_POSITION,
                vec![],
            ),
            ("no frame of a film", &[Kasm], (3, 2), 17, vec![0, 0x00]),
            (
                "a frame of a film",
                &[Kasm],
                (3, 2),
                17,
                [&[0, 0x10, 2, 1, 4][..], b"1234"].concat(),
            ),
        ] {
            for dialect in [Plain, Kasm] {
                let message = one(size, encoding, &body);
                if dialects.contains(&dialect) {
                    is_passed(name, dialect, terms(Version::V8), &message);
                    // Two in one update, the first of which must be found to end.
                    let twice = vec![rect(size, encoding, &body); 2];
                    is_passed(name, dialect, terms(Version::V8), &update(&twice));
                } else {
                    let said = [hello(), message].concat();
                    assert_eq!(
                        shown(dialect, terms(Version::V8), SHUT, &said),
                        Err(Unreadable),
                        "{name}, where nobody speaks it"
                    );
                }
            }
        }
    }

    #[test]
    fn tight_rectangles_of_each_form_are_measured() {
        use Dialect::{Kasm, Plain};
        let long = [vec![0x90, 0x81, 0x80, 0x01], vec![7; 1 + (1 << 14)]].concat();
        for (name, size, body) in [
            ("one colour", (3, 2), vec![0x80, 1, 2, 3]),
            ("a JPEG", (3, 2), vec![0x90, 3, 1, 2, 3]),
            (
                "a JPEG of 129 bytes",
                (3, 2),
                [vec![0x90, 0x81, 1], vec![7; 129]].concat(),
            ),
            ("a JPEG of 16 KiB", (3, 2), long),
            (
                "fewer than 12 bytes",
                (3, 1),
                vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            ),
            ("12 bytes or more", (2, 2), vec![0x10, 2, 1, 2]),
            ("streams begin anew", (2, 2), vec![0x2f, 2, 1, 2]),
            ("a copy by name", (2, 2), vec![0x40, 0, 2, 1, 2]),
            ("gradients", (2, 2), vec![0x40, 2, 2, 1, 2]),
            (
                "two colours",
                (9, 5),
                [vec![0x40, 1, 1], vec![7; 6 + 10]].concat(),
            ),
            (
                "two colours of many pixels",
                (9, 6),
                [vec![0x40, 1, 1], vec![7; 6], vec![2, 1, 2]].concat(),
            ),
            (
                "three colours",
                (11, 1),
                [vec![0x40, 1, 2], vec![7; 9 + 11]].concat(),
            ),
            (
                "three colours of many pixels",
                (12, 1),
                [vec![0x40, 1, 2], vec![7; 9], vec![2, 1, 2]].concat(),
            ),
        ] {
            for dialect in [Plain, Kasm] {
                is_passed(name, dialect, terms(Version::V8), &one(size, 7, &body));
            }
        }
        for (name, kasm, encoding, body) in [
            ("a PNG in TightPNG", true, -260, &[0xa0, 2, 1, 2][..]),
            ("a PNG in Tight", false, 7, &[0xa0, 2, 1, 2]),
            ("zlib in TightPNG", false, -260, &[0x00, 2, 1, 2]),
            ("an unknown filter", false, 7, &[0x40, 3]),
            ("an unknown form", false, 7, &[0xf0]),
        ] {
            let said = [hello(), one((2, 2), encoding, body)].concat();
            for dialect in [Plain, Kasm] {
                let passed = shown(dialect, terms(Version::V8), SHUT, &said);
                assert_eq!(passed.is_ok(), kasm, "{name}");
            }
        }
        for kind in [0xb0, 0xc0, 0xd0] {
            let webp = one((2, 2), 7, &[kind, 2, 1, 2]);
            is_passed("KasmVNC's", Kasm, terms(Version::V8), &webp);
            let said = [hello(), webp].concat();
            let plain = shown(Plain, terms(Version::V8), SHUT, &said);
            assert_eq!(plain, Err(Unreadable), "{kind:x}");
        }
    }

    #[test]
    fn lengths_follow_the_clients_pixel_format() {
        let set = |format: [u8; 16]| Terms {
            pixels: Some(PixelSize::of(&format).expect("a format")),
            ..terms(Version::V8)
        };
        let eight = [8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut thirty = TRUE_COLOUR;
        thirty[1] = 30;
        for (name, format, raw, fill) in [
            ("32 bits", TRUE_COLOUR, 24, 3),
            ("30 bits", thirty, 24, 4),
            ("16 bits", SIXTEEN_BITS, 12, 2),
            ("8 bits", eight, 6, 1),
        ] {
            let fill = [vec![0x80], vec![1; fill]].concat();
            is_passed(
                name,
                Dialect::Plain,
                set(format),
                &one((3, 2), 0, &vec![1; raw]),
            );
            is_passed(name, Dialect::Plain, set(format), &one((3, 2), 7, &fill));
        }
        let mut odd = TRUE_COLOUR;
        odd[0] = 24;
        assert_eq!(PixelSize::of(&odd), Err(Unreadable), "24 bits");
    }

    #[test]
    fn last_rect_ends_an_update() {
        let last = rect((0, 0), -224, &[]);
        let raw = rect((1, 1), 0, &[1; 4]);
        let counted = [[0, 0, 0xff, 0xff].as_slice(), &raw, &raw, &last].concat();
        is_passed("uncounted", Dialect::Plain, terms(Version::V8), &counted);
        is_passed(
            "counted",
            Dialect::Plain,
            terms(Version::V8),
            &update(&[raw, last]),
        );
    }

    #[test]
    fn forbidden_clipboard_copy_is_dropped() {
        use Dialect::{Kasm, Plain};
        let item = |text: &[u8]| [&[0, 0, 0, 9, 10][..], b"text/plain", &sized(text)].concat();
        let clips = [&[180, 2][..], &item(b"secret"), &item(b"")].concat();
        for (name, dialect, text, asks) in [
            ("plain", Plain, cut_text(6, b"secret"), false),
            ("empty", Plain, cut_text(0, b""), false),
            ("long", Plain, cut_text(400, &[b'x'; 400]), false),
            ("plain from KasmVNC", Kasm, cut_text(6, b"secret"), false),
            ("KasmVNC's", Kasm, clips, false),
            ("KasmVNC's without entries", Kasm, vec![180, 0], false),
            (
                "extended: here it is",
                Plain,
                extended(1 << 28 | 1, b"secret"),
                false,
            ),
            (
                "extended: there is some",
                Plain,
                extended(1 << 27 | 1, b""),
                false,
            ),
            ("extended, too short", Plain, cut_text(-2, b"xx"), false),
            (
                "extended: what it takes",
                Plain,
                extended(0x1f00_0003, &[0; 8]),
                true,
            ),
            (
                "extended: a question",
                Plain,
                extended(1 << 25 | 1, b""),
                true,
            ),
            ("extended: a look", Plain, extended(1 << 26, b""), true),
            (
                "more than a question",
                Plain,
                extended(1 << 25 | 1, b"secret"),
                false,
            ),
            (
                "more than it takes",
                Plain,
                extended(1 << 24 | 1, b"12345678"),
                false,
            ),
            (
                "a question and a text",
                Plain,
                extended(3 << 25, b""),
                false,
            ),
        ] {
            let hello = hello();
            let said = [&hello, BELL, &text, BELL].concat();
            let kept = [&hello, BELL, BELL].concat();
            let passed = |rules| shown(dialect, terms(Version::V8), rules, &said);
            assert_eq!(passed(SHUT), Ok(kept.clone()), "{name}");
            assert_eq!(passed(OPEN), Ok(said.clone()), "{name}, where it may be");
            let pastes = if asks { said.clone() } else { kept };
            assert_eq!(passed(PASTES), Ok(pastes), "{name}, for who pastes");
        }
    }

    #[test]
    fn each_rfb_version_has_its_handshake() {
        use Version::{V3, V7, V8};
        let init = [&[5, 0, 2, 208][..], &TRUE_COLOUR, &sized(NAME)].concat();
        let reason = sized(b"full");
        for (name, screens, clients, words, let_in) in [
            ("3.8", "008", V8, vec![2, 2, 1, 0, 0, 0, 0], true),
            (
                "3.8, refused",
                "008",
                V8,
                [vec![1, 1, 0, 0, 0, 1], reason.clone()].concat(),
                false,
            ),
            (
                "3.8, full",
                "008",
                V8,
                [vec![0], reason.clone()].concat(),
                false,
            ),
            ("3.7", "007", V7, vec![1, 1], true),
            ("3.7 of a newer screen", "008", V7, vec![1, 1], true),
            ("3.3", "003", V3, vec![0, 0, 0, 1], true),
            ("3.3 of a newer screen", "889", V3, vec![0, 0, 0, 1], true),
            (
                "3.3, full",
                "003",
                V3,
                [vec![0, 0, 0, 0], reason].concat(),
                false,
            ),
        ] {
            let hello = [b"RFB 003.", screens.as_bytes(), b"\n", &words].concat();
            let first = shown(Dialect::Plain, terms(clients), SHUT, &hello);
            assert_eq!(first, Ok(hello.clone()), "{name}");
            let said = [hello.as_slice(), &init, &cut_text(1, b"x"), BELL].concat();
            let on = shown(Dialect::Plain, terms(clients), SHUT, &said);
            let expected = if let_in {
                Ok([hello.as_slice(), &init, BELL].concat())
            } else {
                Err(Unreadable)
            };
            assert_eq!(on, expected, "{name}, and on");
        }
    }

    #[test]
    fn unreadable_server_stream_is_closed() {
        let hello = hello();
        let after = |message: &[u8]| [&hello, message].concat();
        let mut odd = hello.clone();
        odd[12 + 2 + 4 + 4] = 24;
        for (name, terms, said) in [
            (
                "another version",
                terms(Version::V8),
                b"RFB 004.001\n".to_vec(),
            ),
            ("no version", terms(Version::V8), b"RFB 003.xyz\n".to_vec()),
            ("a word too early", Terms::default(), hello.clone()),
            (
                "newer than it can",
                terms(Version::V8),
                b"RFB 003.003\n\0\0\0\x01".to_vec(),
            ),
            (
                "a password",
                terms(Version::V3),
                b"RFB 003.003\n\0\0\0\x02".to_vec(),
            ),
            ("pixels of three bytes", terms(Version::V8), odd),
            ("an unknown message", terms(Version::V8), after(&[99, 0])),
            (
                "an unknown encoding",
                terms(Version::V8),
                after(&one((1, 1), 21, b"")),
            ),
            (
                "an unknown cursor",
                terms(Version::V8),
                after(&one((1, 1), VMWARE_CURSOR, &[2, 0])),
            ),
        ] {
            let passed = shown(Dialect::Plain, terms, SHUT, &said);
            assert_eq!(passed, Err(Unreadable), "{name}");
        }
    }

    #[test]
    fn protocol_is_detected_by_the_first_bytes() {
        for (name, pieces, other) in [
            ("music", [&b""[..], b"OggS"], true),
            ("music in pieces", [b"RF", b"oam"], true),
            ("another version", [b"", b"RFB 004.001\n"], false),
        ] {
            let (mut stream, mut passed) = (Stream::new(Dialect::Plain), Vec::new());
            let last = pieces
                .into_iter()
                .find(|piece| {
                    let terms = terms(Version::V8);
                    stream.push(piece, terms, SHUT, &mut passed).is_err()
                })
                .expect(name);
            assert_eq!(stream.is_other(last), other, "{name}");
            if other {
                let whole = [passed, stream.into_held(), last.to_vec()].concat();
                assert_eq!(whole, pieces.concat(), "{name}: nothing is lost");
            }
        }
    }

    #[test]
    fn only_measurable_encodings_are_offered() {
        use Dialect::{Kasm, Plain};
        for (encoding, plain, kasm) in [
            (0, true, true),
            (6, true, false),
            (17, false, true),
            (21, false, false),
            (-23, true, true),
            (-256, true, true),
            (-314, false, false),
            (-1024, false, true),
            (-2049, false, false),
        ] {
            assert_eq!(is_measured(Plain, encoding), plain, "{encoding}");
            assert_eq!(is_measured(Kasm, encoding), kasm, "{encoding}");
        }
    }

    /// A number below `below`, from a row of numbers that looks like chance.
    fn draw(row: &mut u64, below: usize) -> usize {
        *row = row
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*row >> 33).expect("31 bits") % below
    }

    #[test]
    fn output_equals_input_without_cut_texts() {
        for seed in 0..2000 {
            let mut row = seed;
            let mut said = hello();
            let mut kept = said.clone();
            for _ in 0..draw(&mut row, 12) {
                let size = draw(&mut row, 300);
                let some: Vec<u8> = (0..size)
                    .map(|_| u8::try_from(draw(&mut row, 256)).expect("a byte"))
                    .collect();
                let wide = u16::try_from(size).expect("small");
                let rects = [
                    rect((wide, 1), 0, &some.repeat(4)),
                    rect((9, 9), 16, &sized(&some)),
                    rect((9, 9), 7, &[vec![0x80], vec![3; 3]].concat()),
                    rect((0, 0), -307, &sized(&some)),
                    rect((8, 1), -239, &[3; 33]),
                ];
                let message = match draw(&mut row, 6) {
                    0 => cut_text(i32::from(wide), &some),
                    1 => extended(1 << 28 | 1, &some),
                    2 => BELL.to_vec(),
                    3 => vec![150],
                    _ => {
                        let count = draw(&mut row, 4);
                        let drawn: Vec<_> = (0..count)
                            .map(|_| rects[draw(&mut row, rects.len())].clone())
                            .collect();
                        update(&drawn)
                    }
                };
                said.extend_from_slice(&message);
                if message[0] != 3 {
                    kept.extend_from_slice(&message);
                }
            }
            let mut cuts: Vec<usize> = (0..draw(&mut row, 20))
                .map(|_| draw(&mut row, said.len()))
                .collect();
            cuts.sort_unstable();
            let passed = in_pieces(Dialect::Plain, terms(Version::V8), SHUT, &said, &cuts);
            assert_eq!(passed, Ok(kept), "seed {seed}");
        }
    }
}
