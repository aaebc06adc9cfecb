//! Owns lists as tables: columns, cells of a few kinds, and what stands there while there is nothing to list. Must not know what is listed.

use askama::Template;

use super::page_context::Severity;
use super::time_format::Moment;

/// A list.
#[derive(Debug, Template)]
#[template(path = "console/table.html")]
pub struct Table {
    /// What is listed; read to those who do not see the heading.
    pub caption: String,
    /// Over the cells.
    pub columns: Vec<Column>,
    /// The entries.
    pub rows: Vec<Row>,
    /// What is said instead of an empty table.
    pub empty: Empty,
    /// Where the entries that follow are.
    pub next: Option<String>,
    /// Goes with every form in a cell.
    pub csrf_token: String,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Over the cells; read out only, when it stands over buttons.
    pub label: &'static str,
    /// How its cells stand.
    pub align: Align,
}

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words, from the left.
    Words,
    /// Numbers, from the right.
    Number,
    /// Buttons, at the right; the label is read out only.
    Buttons,
}

/// A column of words.
pub const fn words(label: &'static str) -> Column {
    Column {
        label,
        align: Align::Words,
    }
}

/// A column of numbers.
pub const fn numbers(label: &'static str) -> Column {
    Column {
        label,
        align: Align::Number,
    }
}

/// A column of buttons.
pub const fn buttons() -> Column {
    Column {
        label: "What you can do",
        align: Align::Buttons,
    }
}

/// One entry: its cells.
#[derive(Debug)]
pub struct Row {
    /// One for each column; the first names the entry.
    pub cells: Vec<Cell>,
    /// Whether it is set back: switched off, or over.
    pub quiet: bool,
}

/// What stands in a cell.
#[derive(Debug)]
pub enum Cell {
    /// Words.
    Text(String),
    /// Words, set back.
    Soft(String),
    /// The entry's name, leading to it, with a smaller line below.
    Name {
        /// The name.
        text: String,
        /// Where it leads.
        href: String,
        /// The smaller line; may be empty.
        below: String,
    },
    /// An id, an address, a key.
    Code(String),
    /// A state, in a word.
    Badge(Badge),
    /// Several.
    Badges(Vec<Badge>),
    /// A time.
    Time(Option<Moment>),
    /// A number, and what it is of.
    Of {
        /// The number.
        number: String,
        /// `of 10`; may be empty.
        of: String,
    },
    /// A link to be copied.
    Copy {
        /// The link.
        link: String,
        /// What is shown of it.
        shown: String,
    },
    /// Why something ended, and what was said last.
    Log(Log),
    /// What can be done.
    Acts(Vec<ActionButton>),
}

/// What was said last in a session, to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Why it ended, in a few words; may be empty.
    pub why: String,
    /// By whom, in words, and the lines.
    pub said: Vec<(&'static str, String)>,
    /// Where the rest is.
    pub url: Option<String>,
    /// The session's reference; read out with the link.
    pub of: String,
}

/// A state, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    /// How it is to be taken.
    pub severity: Severity,
    /// The word.
    pub text: String,
}

impl Badge {
    /// A word with its tone.
    pub fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            severity,
            text: text.into(),
        }
    }
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionButton {
    /// On the button.
    pub label: String,
    /// To what; read out after the label.
    pub to: String,
    /// Where it leads or is sent.
    pub href: String,
    /// How.
    pub kind: ActionKind,
}

/// How something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// A link to another page.
    Go,
    /// The same, to what one most likely came for.
    Begin,
    /// A link that is opened beside this page.
    Open,
    /// Sent as a form with these fields.
    Send(Vec<(&'static str, String)>),
    /// The same, and nobody can take it back.
    Destroy(Vec<(&'static str, String)>),
}

impl ActionButton {
    /// A link to another page.
    pub fn go(label: &str, to: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            to: to.into(),
            href: href.into(),
            kind: ActionKind::Go,
        }
    }

    /// A link to what one most likely came for.
    pub fn begin(label: &str, to: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            kind: ActionKind::Begin,
            ..Self::go(label, to, href)
        }
    }

    /// A form without fields of its own.
    pub fn send(label: &str, to: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            to: to.into(),
            href: href.into(),
            kind: ActionKind::Send(Vec::new()),
        }
    }

    /// As HTML, at its usual size or small.
    pub fn html(&self, csrf_token: &str, small: bool) -> String {
        ActionButtonHtml {
            act: self,
            csrf_token,
            size: if small { "small " } else { "" },
        }
        .to_string()
    }
}

#[derive(Template)]
#[template(path = "console/act.html")]
struct ActionButtonHtml<'a> {
    act: &'a ActionButton,
    csrf_token: &'a str,
    size: &'a str,
}

/// What is said while there is nothing to list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Empty {
    /// In a few words.
    pub title: String,
    /// What to do first.
    pub text: String,
    /// Where to do it.
    pub act: Option<(String, String)>,
}

impl Empty {
    /// Words alone.
    pub fn words(title: &str, text: &str) -> Self {
        Self {
            title: title.to_owned(),
            text: text.to_owned(),
            act: None,
        }
    }

    /// With a way to begin.
    pub fn begin(title: &str, text: &str, label: &str, href: &str) -> Self {
        Self {
            act: Some((label.to_owned(), href.to_owned())),
            ..Self::words(title, text)
        }
    }
}
