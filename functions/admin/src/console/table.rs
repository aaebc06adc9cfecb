//! Owns lists as tables: columns, cells of a few kinds, and what stands there while there is
//! nothing to list. Must not know what is listed.

use std::cmp::Ordering;
use std::ops::Range;

use askama::Template;
use serde_json::Value;
use url::form_urlencoded;

use super::layout::Saved;
use super::page_context::Severity;
use super::shown;
use super::time_format::{Moment, grouped};
use crate::file;

/// How many rows a page of a list has.
const PAGE: usize = 50;

/// A list.
#[derive(Debug, Default, Template)]
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
    /// How it is searched, ordered and acted on, where it is a page of its own.
    pub tools: Option<Tools>,
}

/// What stands around a list that is a page of its own.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// What the address says.
    pub view: View,
    /// Over the field for words to search for; empty: there is none.
    pub search: &'static str,
    /// Fields of its own, as HTML, before all others.
    pub fields: String,
    /// What it can be narrowed by.
    pub filters: Vec<Filter>,
    /// What is typed to narrow it, besides words to search for.
    pub typed: Vec<TypedFilter>,
    /// Stands between the fields and the list, as HTML.
    pub between: String,
    /// Where it is as a file, CSV and JSON, if not at the address of the view.
    pub files: Option<(String, String)>,
    /// What can be done with several rows.
    pub bulk: Option<Bulk>,
    /// What is said of rows that are not here; may be empty.
    pub note: String,
    /// Where a list ends that was not read to its end.
    pub cut: Option<Cut>,
    /// Where the entries before these are.
    pub previous: Option<String>,
    /// Whether the page's script polls it.
    pub is_live: bool,
}

impl Tools {
    /// Those of a list with this view.
    pub fn of(view: &View) -> Self {
        Self {
            view: view.clone(),
            ..Self::default()
        }
    }

    fn has_filters(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty() || !self.typed.is_empty()
    }
}

/// What is said of rows that were not read, and the way to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many were read.
    pub words: String,
    /// What the way is called.
    pub label: &'static str,
    /// Where they are.
    pub href: String,
}

impl Cut {
    /// After so many rows, which were searched and ordered by themselves; the rows after them begin
    /// at this cursor.
    pub fn after(view: &View, read: usize, next: &str) -> Self {
        Self {
            words: format!(
                "There are more: {} were read, searched and ordered here.",
                grouped(read as u64)
            ),
            label: "Go on with those that follow",
            href: view.with(&[("after", next)]),
        }
    }
}

/// A field whose value is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedFilter {
    /// In the address.
    pub name: &'static str,
    /// Over it.
    pub label: &'static str,
    /// What may stand in it.
    pub example: &'static str,
}

/// A field by which a list is narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// In the address.
    pub name: &'static str,
    /// Over it.
    pub label: &'static str,
    /// Values with their words; the first is for all rows.
    pub options: Vec<(String, String)>,
}

impl Filter {
    /// A field with these values besides *All*.
    pub fn new<V: Into<String>, W: Into<String>>(
        name: &'static str,
        label: &'static str,
        options: impl IntoIterator<Item = (V, W)>,
    ) -> Self {
        let all = (String::new(), "All".to_owned());
        let options = options
            .into_iter()
            .map(|(value, words)| (value.into(), words.into()));
        Self {
            name,
            label,
            options: std::iter::once(all).chain(options).collect(),
        }
    }
}

/// What can be done with the selected rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// Where it is sent.
    pub href: &'static str,
    /// The value and the label of each button, and whether it destroys something.
    pub acts: Vec<(&'static str, &'static str, bool)>,
}

/// What the address says of a list: search, filters, order, page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    path: String,
    parameters: Vec<(String, String)>,
}

/// Parameters that belong to one answer and not to the view.
const PASSING: [&str; 5] = ["page", "cursor", "seen", "format", "fragment"];

/// Parameters of the time that a list is about, and of its charts.
const TIME: [&str; 4] = ["hours", "from", "to", "compare"];

/// Parameters that say which list it is; searching and showing all keeps them.
const FIXED: [&str; 1] = ["kind"];

impl View {
    /// The view that this path and query ask for.
    pub fn of(path: &str, parameters: &[(String, String)]) -> Self {
        Self {
            path: path.to_owned(),
            parameters: parameters.to_vec(),
        }
    }

    /// A parameter, without the spaces around it; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        let mut all = self.parameters.iter();
        all.find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.trim())
    }

    /// By which column it is ordered, and whether backwards.
    pub fn sort(&self) -> (&str, bool) {
        let sort = self.get("sort");
        sort.strip_prefix('-')
            .map_or((sort, false), |sort| (sort, true))
    }

    /// Which of `count` rows in their order are on the page; a file has all of them.
    pub fn rows(&self, count: usize) -> Range<usize> {
        if !self.get("format").is_empty() {
            return 0..count;
        }
        let first = self.page().min(count.saturating_sub(1) / PAGE) * PAGE;
        first..(first + PAGE).min(count)
    }

    /// How many of the first rows the page needs; a file needs all.
    pub fn needed(&self) -> usize {
        if self.get("format").is_empty() {
            (self.page() + 1) * PAGE
        } else {
            usize::MAX
        }
    }

    /// The page, from 0.
    pub fn page(&self) -> usize {
        let page = self.get("page").parse().unwrap_or(1_usize);
        page.clamp(1, 10_000) - 1
    }

    /// Whether it is narrowed by anything.
    pub fn is_narrowed(&self) -> bool {
        let mut all = self.parameters.iter();
        all.any(|(name, value)| {
            let name = name.as_str();
            let is_other = name == "sort"
                || [&PASSING[..], &TIME, &FIXED]
                    .iter()
                    .any(|known| known.contains(&name));
            !is_other && !value.trim().is_empty()
        })
    }

    /// Parameters that say which list it is.
    fn fixed(&self) -> Vec<(&str, &str)> {
        let all = self.parameters.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| FIXED.contains(name))
            .collect()
    }

    /// The address of the whole list.
    pub fn all(&self) -> String {
        let parameters = self.fixed().into_iter();
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let all = Self {
            path: self.path.clone(),
            parameters: parameters.collect(),
        };
        all.href()
    }

    /// The address of the same list with these parameters; those of one answer are left out unless
    /// they are named.
    pub fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let is_kept = |name: &str| {
            !PASSING.contains(&name) && changes.iter().all(|(changed, _)| *changed != name)
        };
        let kept = self.parameters.iter();
        let kept = kept
            .map(|(name, value)| (name.as_str(), value.trim()))
            .filter(|(name, _)| is_kept(name));
        for (name, value) in kept.chain(changes.iter().copied()) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{query}", self.path)
        }
    }

    /// The address of the same view.
    pub fn href(&self) -> String {
        self.with(&[])
    }
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Over the cells; read out only, when it stands over buttons.
    pub label: &'static str,
    /// How its cells stand.
    pub align: Align,
    /// What the order by it is called in the address; `None`: there is none.
    pub sort: Option<&'static str>,
    /// Whether the list is narrowed by its badges, under the same name.
    pub is_filter: bool,
}

impl Column {
    /// A list can be ordered by it.
    #[must_use]
    pub const fn by(self, sort: &'static str) -> Self {
        Self {
            sort: Some(sort),
            ..self
        }
    }

    /// A list can be ordered by it and narrowed by its badges.
    #[must_use]
    pub const fn filter(self, name: &'static str) -> Self {
        Self {
            is_filter: true,
            ..self.by(name)
        }
    }
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
    column(label, Align::Words)
}

/// A column of numbers.
pub const fn numbers(label: &'static str) -> Column {
    column(label, Align::Number)
}

/// A column of buttons.
pub const fn buttons() -> Column {
    column("What you can do", Align::Buttons)
}

const fn column(label: &'static str, align: Align) -> Column {
    Column {
        label,
        align,
        sort: None,
        is_filter: false,
    }
}

/// One entry: its cells.
#[derive(Debug, Default)]
pub struct Row {
    /// One for each column; the first names the entry.
    pub cells: Vec<Cell>,
    /// Whether it is set back: switched off, or over.
    pub quiet: bool,
    /// What is listed, as the API shows it; its `id` is what is selected.
    pub document: Value,
}

impl Row {
    fn id(&self) -> &str {
        self.document["id"].as_str().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.cells.first().map(Cell::text).unwrap_or_default()
    }
}

impl Cell {
    /// What stands in it, as plain text.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Soft(text) | Self::Code(text) => text.clone(),
            Self::Name { text, .. } => text.clone(),
            Self::Badge(badge) => badge.text.clone(),
            Self::Badges(badges) => {
                let words: Vec<&str> = badges.iter().map(|badge| badge.text.as_str()).collect();
                words.join(", ")
            }
            Self::Time(moment) => moment.as_ref().map(Moment::stamp).unwrap_or_default(),
            Self::Of { number, of } => format!("{number} {of}").trim().to_owned(),
            Self::Copy { link, .. } => link.clone(),
            Self::At(moment) => moment.stamp(),
            Self::Log(log) => log.why.clone(),
            Self::Changes(changes) => {
                let all: Vec<String> = changes.iter().map(Change::line).collect();
                all.join("; ")
            }
            Self::Acts(_) => String::new(),
        }
    }

    /// The same with the smaller line below, for searches.
    fn words(&self) -> String {
        match self {
            Self::Name { text, below, .. } => format!("{text} {below}"),
            other => other.text(),
        }
    }

    fn badges(&self) -> &[Badge] {
        match self {
            Self::Badge(badge) => std::slice::from_ref(badge),
            Self::Badges(badges) => badges,
            _ => &[],
        }
    }

    /// Numbers by their size, times by their age, others by their letters and the numbers among them.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Of { number: one, .. }, Self::Of { number: two, .. }) => {
                digits(one).cmp(&digits(two))
            }
            _ => pieces(&self.text().to_lowercase()).cmp(&pieces(&other.text().to_lowercase())),
        }
    }
}

/// A piece of a text: numbers are before letters, and ordered by their size.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// Without zeros at its head: a longer one is larger.
    Number(usize, String),
    Letter(char),
}

/// A text as it is ordered: `2 vCPU` before `16 vCPU`.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_ascii_digit() {
            pieces.push(Piece::Letter(letter));
            continue;
        }
        let mut number = String::from(letter);
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        let number = number.trim_start_matches('0').to_owned();
        pieces.push(Piece::Number(number.len(), number));
    }
    pieces
}

/// The number that is grouped like this; one without digits comes before all others.
fn digits(grouped: &str) -> Option<u64> {
    let digits: String = grouped.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

impl Table {
    /// A list all of whose rows are here: searched, narrowed, ordered and cut into pages as the
    /// address says.
    #[must_use]
    pub fn arranged(mut self, view: &View) -> Self {
        let mut tools = self.tools.take().unwrap_or_else(|| Tools::of(view));
        tools.search = "Search";
        for (at, column) in self.columns.iter().enumerate() {
            let Some(name) = column.sort.filter(|_| column.is_filter) else {
                continue;
            };
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            let mut words: Vec<String> = cells
                .flat_map(|cell| cell.badges())
                .map(|badge| badge.text.clone())
                .collect();
            words.sort();
            words.dedup();
            if words.len() > 1 || !view.get(name).is_empty() {
                let options = words.into_iter().map(|word| (word.clone(), word));
                tools.filters.push(Filter::new(name, column.label, options));
            }
            let wanted = view.get(name);
            if !wanted.is_empty() {
                self.rows.retain(|row| {
                    let cell = row.cells.get(at);
                    cell.is_some_and(|cell| cell.badges().iter().any(|badge| badge.text == wanted))
                });
            }
        }
        let search = view.get("search").to_lowercase();
        if !search.is_empty() {
            self.rows.retain(|row| {
                let cells: Vec<String> = row.cells.iter().map(Cell::words).collect();
                let known = format!("{}\n{}", cells.join("\n"), row.id()).to_lowercase();
                search.split_whitespace().all(|word| known.contains(word))
            });
        }
        let (sort, backwards) = view.sort();
        let by = self
            .columns
            .iter()
            .position(|column| column.sort == Some(sort));
        if let Some(at) = by {
            let cell = |row: &Row| row.cells.get(at).map(Cell::text);
            self.rows
                .sort_by(|one, two| match (one.cells.get(at), two.cells.get(at)) {
                    (Some(one), Some(two)) => one.compare(two),
                    _ => cell(one).cmp(&cell(two)),
                });
            if backwards {
                self.rows.reverse();
            }
        }
        if self.rows.is_empty() && view.is_narrowed() {
            self.empty = nothing_found(view);
        }
        self.tools = Some(tools);
        self.cut(view)
    }

    /// The page that the address asks for, of rows that are all here in their order.
    #[must_use]
    pub fn cut(mut self, view: &View) -> Self {
        let (count, shown) = (self.rows.len(), view.rows(self.rows.len()));
        self.rows.truncate(shown.end);
        self.rows.drain(..shown.start);
        self.page_of(view, count)
    }

    /// The page that the address asks for, where its rows alone are here ([`View::rows`]), of
    /// `count` rows.
    #[must_use]
    pub fn page_of(mut self, view: &View, count: usize) -> Self {
        let shown = view.rows(count);
        let page = |number: usize| view.with(&[("page", &(number + 1).to_string())]);
        let number = shown.start / PAGE;
        if count > shown.end {
            self.next = Some(page(number + 1));
        }
        if let Some(tools) = &mut self.tools {
            tools.previous = (number > 0).then(|| page(number - 1));
        }
        self
    }

    /// The list with what stands around it, and the part of it that is read again and again.
    pub fn html(&self) -> (String, String) {
        let live = shown(&LiveList { table: self });
        let list = shown(&WholeList {
            table: self,
            live: &live,
        });
        (list, live)
    }

    /// The file that the address asks for.
    pub fn saved(&self) -> Option<Saved> {
        let name = self.caption.to_lowercase().replace(' ', "-");
        let tools = self.tools.as_ref().filter(|tools| tools.files.is_none())?;
        match tools.view.get("format") {
            "csv" => {
                let columns = || {
                    let all = self.columns.iter().enumerate();
                    all.filter(|(_, column)| column.align != Align::Buttons)
                };
                let heads = columns()
                    .map(|(_, column)| column.label.to_owned())
                    .collect();
                let line = |row: &Row| {
                    let cells = columns().map(|(at, _)| row.cells.get(at));
                    let cells = cells.map(|cell| cell.map(Cell::text).unwrap_or_default());
                    cells.map(|text| file::cell(&text)).collect::<Vec<_>>()
                };
                let lines = self.rows.iter().map(line);
                Some(Saved {
                    name: format!("{name}.csv"),
                    kind: file::CSV,
                    content: file::csv(std::iter::once(heads).chain(lines))?,
                })
            }
            "json" => {
                let documents = self.rows.iter().map(|row| row.document.clone());
                Some(Saved {
                    name: format!("{name}.json"),
                    kind: "application/json",
                    content: Value::Array(documents.collect()).to_string(),
                })
            }
            _ => None,
        }
    }

    /// The addresses of the list as files, where it has rows that can be saved.
    fn files(&self) -> Option<(String, String)> {
        let tools = self.tools.as_ref()?;
        if tools.files.is_some() {
            return tools.files.clone();
        }
        let file = |format| tools.view.with(&[("format", format)]);
        (!self.rows.is_empty()).then(|| (file("csv"), file("json")))
    }

    fn previous(&self) -> Option<&String> {
        self.tools.as_ref()?.previous.as_ref()
    }

    fn bulk(&self) -> Option<&Bulk> {
        let bulk = self.tools.as_ref()?.bulk.as_ref()?;
        (!self.rows.is_empty()).then_some(bulk)
    }

    /// Where a click on the head of this column leads, and how the list is ordered by it now.
    fn order(&self, column: &Column) -> Option<(String, &'static str)> {
        let (tools, sort) = (self.tools.as_ref()?, column.sort?);
        let (now, backwards) = tools.view.sort();
        let state = match (now == sort, backwards) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        let next = if state == "ascending" {
            format!("-{sort}")
        } else {
            sort.to_owned()
        };
        Some((tools.view.with(&[("sort", &next)]), state))
    }

    /// Values and words of every order, for windows that are too narrow for heads of columns.
    fn orders(&self) -> Vec<(String, String)> {
        let sorts = self.columns.iter().filter_map(|column| {
            let sort = column.sort?;
            Some([
                (sort.to_owned(), column.label.to_owned()),
                (format!("-{sort}"), format!("{}, backwards", column.label)),
            ])
        });
        sorts.flatten().collect()
    }
}

/// What is said when a view has no rows.
pub fn nothing_found(view: &View) -> Empty {
    Empty::begin(
        "Nothing found",
        "Nothing fits this search.",
        "Show all",
        &view.all(),
    )
}

#[derive(Template)]
#[template(path = "console/list.html")]
struct WholeList<'a> {
    table: &'a Table,
    live: &'a str,
}

#[derive(Template)]
#[template(path = "console/list_rows.html")]
struct LiveList<'a> {
    table: &'a Table,
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
    /// A time by which the list is read, with its date and clock below.
    At(Moment),
    /// What was changed, field by field.
    Changes(Vec<Change>),
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

/// One field that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field, as people read it.
    pub label: String,
    /// As it was; empty when it was not there.
    pub from: String,
    /// As it is; empty when it is no longer there.
    pub to: String,
}

impl Change {
    fn line(&self) -> String {
        match (self.from.as_str(), self.to.as_str()) {
            ("", to) => format!("{}: {to}", self.label),
            (from, "") => format!("{}: was {from}", self.label),
            (from, to) => format!("{}: {from} \u{2192} {to}", self.label),
        }
    }
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
    /// The same, and it cannot be undone.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let row = |name: &str, count: &str, state: &str| Row {
            cells: vec![
                Cell::Name {
                    text: name.into(),
                    href: "/x".into(),
                    below: "below".into(),
                },
                Cell::Of {
                    number: count.into(),
                    of: String::new(),
                },
                Cell::Badge(Badge::new(Severity::Plain, state)),
            ],
            quiet: false,
            document: json!({ "id": name.to_lowercase() }),
        };
        Table {
            caption: "Things".into(),
            columns: vec![
                words("Name").by("name"),
                numbers("Count").by("count"),
                words("State").filter("state"),
            ],
            rows: vec![
                row("Beta", "1,000", "On"),
                row("alpha", "20", "Off"),
                row("=Gamma", "\u{2013}", "On"),
            ],
            ..Table::default()
        }
    }

    fn view(query: &str) -> View {
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        View::of("/things", &parameters)
    }

    #[test]
    fn list_is_searched_narrowed_and_ordered() {
        for (query, names) in [
            ("", "Beta alpha =Gamma"),
            ("sort=name", "=Gamma alpha Beta"),
            ("sort=-name", "Beta alpha =Gamma"),
            ("sort=count", "=Gamma alpha Beta"),
            ("sort=nonsense", "Beta alpha =Gamma"),
            ("search=ALPHA+below", "alpha"),
            ("search=nothing", ""),
            ("state=On&sort=name", "=Gamma Beta"),
            ("state=On&search=beta", "Beta"),
            ("page=99", "Beta alpha =Gamma"),
        ] {
            let table = table().arranged(&view(query));
            let found: Vec<String> = table.rows.iter().map(Row::name).collect();
            assert_eq!(found.join(" "), names, "{query}");
        }
    }

    #[test]
    fn texts_are_ordered_by_the_numbers_among_their_letters() {
        let mut texts = [
            "16 vCPU, 32 GiB",
            "2 vCPU, 16 GiB",
            "2 vCPU, 4 GiB",
            "its own",
            "0.25 vCPU, 0.5 GiB",
            "Class 10",
            "class 9",
            "",
            "2026-12-01T09:00:00Z",
            "2026-11-30T10:00:00Z",
            "99999999999999999999999",
        ];
        texts.sort_by(|one, two| {
            let cell = |text: &str| Cell::Text(text.to_owned());
            cell(one).compare(&cell(two))
        });
        let expected = [
            "",
            "0.25 vCPU, 0.5 GiB",
            "2 vCPU, 4 GiB",
            "2 vCPU, 16 GiB",
            "16 vCPU, 32 GiB",
            "2026-11-30T10:00:00Z",
            "2026-12-01T09:00:00Z",
            "99999999999999999999999",
            "class 9",
            "Class 10",
            "its own",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn pages_of_a_list_do_not_overlap() {
        let page = |query: &str| {
            let mut copy = table();
            copy.columns.truncate(1);
            copy.rows = (0..120)
                .map(|number| Row {
                    cells: vec![Cell::Text(format!("{number:03}"))],
                    ..Row::default()
                })
                .collect();
            let table = copy.arranged(&view(query));
            let ends = (
                table.rows[0].name(),
                table.rows[table.rows.len() - 1].name(),
            );
            let previous = table.tools.and_then(|tools| tools.previous);
            (ends.0, ends.1, previous, table.next)
        };
        let some = |text: &str| Some(text.to_owned());
        let pages = [
            (
                "sort=name",
                "000",
                "049",
                None,
                some("/things?sort=name&page=2"),
            ),
            (
                "page=2",
                "050",
                "099",
                some("/things?page=1"),
                some("/things?page=3"),
            ),
            ("page=3", "100", "119", some("/things?page=2"), None),
        ];
        for (query, first, last, previous, next) in pages {
            let expected = (first.to_owned(), last.to_owned(), previous, next);
            assert_eq!(page(query), expected, "{query}");
        }
    }

    #[test]
    fn address_keeps_the_view_and_drops_the_page() {
        let view = view("search=a%26b&state=On&page=3&cursor=x&sort=");
        assert_eq!(view.href(), "/things?search=a%26b&state=On");
        assert_eq!(
            view.with(&[("state", ""), ("sort", "-name")]),
            "/things?search=a%26b&sort=-name"
        );
        assert!(view.is_narrowed());
        let other = View::of("/things", &[("kind".into(), "old".into())]);
        assert!(!other.is_narrowed());
        assert_eq!(other.all(), "/things?kind=old");
        for name in ["sort", "hours", "compare"] {
            assert!(!View::of("/things", &[(name.into(), "1".into())]).is_narrowed());
        }
    }

    #[test]
    fn list_is_saved_as_shown() {
        let csv = table().arranged(&view("format=csv&state=On")).saved();
        let csv = csv.expect("a file");
        assert_eq!(csv.name, "things.csv");
        assert_eq!(
            csv.content,
            "Name,Count,State\nBeta,\"1,000\",On\n'=Gamma,\u{2013},On\n"
        );
        let json = table().arranged(&view("format=json&search=alpha")).saved();
        assert_eq!(json.expect("a file").content, r#"[{"id":"alpha"}]"#);
        assert!(table().arranged(&view("")).saved().is_none());
    }
}
