//! Owns RFB (RFC 6143, and what noVNC and KasmVNC add to it) as clients send it: which dialects and
//! versions there are, and what may pass. Must not know who may do what.

use casting_protocol::session_options::ViewOnly;

mod messages;
mod stream;
#[cfg(test)]
mod testing;

pub(crate) use messages::{EXTENDED_CLIPBOARD, EXTENDED_MOUSE};
pub use stream::{Passed, Stream, Terms};

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
    /// Whether the screen's answers are read as well: then the client may ask for nothing that
    /// could not be.
    pub measured: bool,
    /// Whether printed documents may come out of the session.
    pub printing: bool,
    /// Whether files may.
    pub downloads: bool,
}

impl Rules {
    /// Whether the client gains nothing by input that the gate takes for something else.
    const fn is_free(self) -> bool {
        self.input && self.clipboard && !self.measured && (self.printing || self.downloads)
    }
}

/// The versions of RFB that differ in how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 3.3: the screen says which security type it is.
    V3,
    /// 3.7: the client chooses.
    V7,
    /// 3.8: and always gets the result.
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

/// The client does not speak RFB, or says something that this gate does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no RFB that the gate knows")]
pub struct Unreadable;

/// How every version begins that can be read.
const MAJOR: &[u8] = b"RFB 003.";
