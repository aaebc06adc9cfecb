//! Owns the pad: one text that all windows of a session write. Must not know windows or sockets.
//!
//! While a window is connected the last writer wins. What was written in a window that had lost its
//! connection never replaces what others wrote meanwhile, and is never dropped either: then both
//! are kept, one below the other.

use std::path::Path;

use serde::Deserialize;

/// The longest text, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// What stands between two texts that were written apart.
const SEAM: &str = "\n\n--- \u{21c4} ---\n";

/// The text, and how often it was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pad {
    /// Grows with every change.
    pub rev: u64,
    /// At most [`MAX_BYTES`].
    pub text: String,
}

/// A window's edit of the text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Edit {
    /// The revision that the window had when it was written.
    pub base: u64,
    /// The whole text.
    pub text: String,
    /// Whether it was written, at least in part, while the window was not connected.
    #[serde(default)]
    pub away: bool,
}

/// The result of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pad holds what was written, or all of it among other things.
    Kept,
    /// It does not fit; nothing was changed.
    TooLong,
}

impl Pad {
    /// The pad that a file holds; empty when there is none.
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file)
            .ok()
            .filter(|text| text.len() <= MAX_BYTES)
            .unwrap_or_default();
        Self { rev: 0, text }
    }

    /// Applies an edit.
    pub fn write(&mut self, edit: Edit) -> Outcome {
        let text = if edit.away && edit.base != self.rev {
            joined(&self.text, edit.text)
        } else {
            edit.text
        };
        if text.len() > MAX_BYTES {
            return Outcome::TooLong;
        }
        if text != self.text {
            self.rev += 1;
            self.text = text;
        }
        Outcome::Kept
    }
}

/// A text that holds both; just one of them when it holds the other already.
fn joined(here: &str, there: String) -> String {
    if there.contains(here) {
        there
    } else if here.contains(&there) {
        here.to_owned()
    } else {
        format!("{here}{SEAM}{there}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_writer_wins_and_separate_edits_merge() {
        let both = format!("here{SEAM}yonder");
        for (name, base, text, away, after, rev) in [
            ("typing on", 3, "here too", false, "here too", 4),
            ("two at once: the last wins", 2, "there", false, "there", 4),
            ("the same again", 3, "here", false, "here", 3),
            ("clearing it", 3, "", false, "", 4),
            (
                "back, and nobody wrote meanwhile",
                3,
                "there",
                true,
                "there",
                4,
            ),
            (
                "back, and somebody did",
                2,
                "yonder",
                true,
                both.as_str(),
                4,
            ),
            ("back, but the text had arrived", 2, "here", true, "here", 3),
            (
                "back, with more than had arrived",
                2,
                "here and more",
                true,
                "here and more",
                4,
            ),
            (
                "back, with less than stands there",
                2,
                "he",
                true,
                "here",
                3,
            ),
        ] {
            let mut pad = Pad {
                rev: 3,
                text: "here".into(),
            };
            assert_eq!(
                pad.write(Edit {
                    base,
                    text: text.into(),
                    away
                }),
                Outcome::Kept,
                "{name}"
            );
            assert_eq!(
                pad,
                Pad {
                    rev,
                    text: after.into()
                },
                "{name}"
            );
        }
    }

    #[test]
    fn oversized_text_changes_nothing() {
        let largest = "x".repeat(MAX_BYTES);
        for (name, base, text, away, outcome) in [
            ("just fits", 3, largest.clone(), false, Outcome::Kept),
            (
                "too long",
                3,
                format!("{largest}y"),
                false,
                Outcome::TooLong,
            ),
            ("too long when joined", 2, largest, true, Outcome::TooLong),
        ] {
            let mut pad = Pad {
                rev: 3,
                text: "here".into(),
            };
            assert_eq!(pad.write(Edit { base, text, away }), outcome, "{name}");
            assert_eq!(pad.text == "here", outcome == Outcome::TooLong, "{name}");
        }
    }
}
