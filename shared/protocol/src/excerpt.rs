//! Owns what administrators are shown of a session's output: the last lines of its app, or of a
//! command that failed. It is written by the app, so it is bounded and holds nothing that a
//! terminal or a page would act upon. Must not know where the log is.

use serde::{Deserialize, Serialize};

/// How many lines are kept.
const LINES: usize = 20;
/// How many characters are kept of each line.
const LINE_CHARS: usize = 300;
/// How many bytes are kept in all.
const BYTES: usize = 2000;
/// Stands for what was left out.
const CUT: char = '\u{2026}';

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// The app.
    App,
    /// The command `first_launch`.
    FirstLaunch,
    /// The command `go`.
    Go,
    /// The command `assign`.
    Assign,
    /// ECS, of the app's container.
    Ecs,
}

impl Speaker {
    /// Every speaker.
    pub const ALL: [Self; 5] = [
        Self::App,
        Self::FirstLaunch,
        Self::Go,
        Self::Assign,
        Self::Ecs,
    ];

    /// The speaker in one word, as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::FirstLaunch => "first-launch",
            Self::Go => "go",
            Self::Assign => "assign",
            Self::Ecs => "ecs",
        }
    }

    /// The speaker in words, over what it said.
    pub const fn title(self) -> &'static str {
        match self {
            Self::App => "The last lines of the app",
            Self::FirstLaunch => "The command for the first launch failed",
            Self::Go => "The command that opens an address failed",
            Self::Assign => "The command that gives the session to its visitor failed",
            Self::Ecs => "ECS of the app\u{2019}s container",
        }
    }
}

/// The last lines of an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// Who said it.
    pub by: Speaker,
    /// What: lines of printable characters.
    pub text: String,
}

impl Excerpt {
    /// The last lines of a raw output; `None` when nothing is in them.
    pub fn of(by: Speaker, raw: &str) -> Option<Self> {
        let lines: Vec<String> = plain(raw)
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .map(|line| match line.char_indices().nth(LINE_CHARS) {
                Some((end, _)) => format!("{}{CUT}", &line[..end]),
                None => line.to_owned(),
            })
            .collect();
        let mut bytes = 0;
        let kept = lines.iter().rev().take(LINES).take_while(|line| {
            bytes += line.len() + 1;
            bytes <= BYTES
        });
        let first = lines.len() - kept.count();
        let text = lines[first..].join("\n");
        (!text.is_empty()).then_some(Self { by, text })
    }
}

/// A text without what terminals act upon: escape sequences, and everything that is not printed.
/// A line that was written over by carriage returns is what it was at last.
fn plain(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut line = 0;
    let mut rest = raw.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\n' => {
                plain.push('\n');
                line = plain.len();
            }
            '\t' => plain.push(' '),
            '\r' if rest.peek() != Some(&'\n') => plain.truncate(line),
            '\u{1b}' => skip_escape(&mut rest),
            char if char.is_control() || is_hidden(char) => {}
            char => plain.push(char),
        }
    }
    plain
}

/// Skips the rest of an escape sequence (ECMA-48): to the letter that ends it, or to the end of its
/// line.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next_if(|char| *char != '\n') {
        Some('[') => {
            while rest
                .next_if(|char| ('\u{20}'..'\u{40}').contains(char))
                .is_some()
            {}
            rest.next_if(|char| ('\u{40}'..'\u{7f}').contains(char));
        }
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while rest
                .next_if(|char| !matches!(char, '\n' | '\u{7}' | '\u{1b}'))
                .is_some()
            {}
            rest.next_if_eq(&'\u{7}');
        }
        _ => {}
    }
}

/// Characters that turn the direction of a text, or have no width.
const fn is_hidden(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Option<String> {
        Excerpt::of(Speaker::App, raw).map(|excerpt| excerpt.text)
    }

    #[test]
    fn excerpt_is_the_tail_in_plain_lines() {
        for (name, raw, expected) in [
            ("nothing", "", None),
            ("blank lines", "\n  \n\r\n", None),
            ("lines", "one\ntwo\n", Some("one\ntwo")),
            ("windows lines", "one\r\ntwo\r\n", Some("one\ntwo")),
            ("colours", "\u{1b}[1;31mno\u{1b}[0m!", Some("no!")),
            ("a title", "\u{1b}]0;root@host\u{7}hello", Some("hello")),
            ("an escape at the end", "hello\u{1b}", Some("hello")),
            ("an open escape", "\u{1b}]0;all\nline", Some("line")),
            ("progress", "10 %\r50 %\rdone", Some("done")),
            ("bells and tabs", "a\u{7}\tb\0", Some("a b")),
            ("turned around", "a\u{202e}b", Some("ab")),
            ("markup stays text", "<b>&</b>", Some("<b>&</b>")),
        ] {
            assert_eq!(text(raw).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn excerpt_is_bounded_in_lines_and_bytes() {
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let kept = text(&many).expect("lines");
        assert_eq!(kept.lines().count(), LINES);
        assert!(kept.starts_with("line 80\n") && kept.ends_with("line 99"));
        let long = format!("{}\nlast", "\u{4e2d}".repeat(100_000));
        let kept = text(&long).expect("lines");
        assert_eq!(
            kept.lines().next().map(|line| line.chars().count()),
            Some(301)
        );
        let wide = "\u{1f600}".repeat(400) + "\n";
        let kept = text(&wide.repeat(50)).expect("lines");
        assert!(kept.len() <= BYTES, "{}", kept.len());
    }
}
