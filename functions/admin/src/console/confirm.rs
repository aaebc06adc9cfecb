//! Owns the page that asks before something is destroyed. Must not know what it is.

use askama::Template;

use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::shown;

/// A line of text that goes with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In the form.
    pub name: &'static str,
    /// Over it.
    pub label: String,
    /// Below it.
    pub help: &'static str,
    /// What is in it.
    pub value: String,
    /// The most characters.
    pub most: usize,
    /// Whether it may not be empty.
    pub is_required: bool,
}

/// A question before something is destroyed, or done to several at once.
#[derive(Debug)]
pub struct Confirm {
    /// Where in the console it belongs.
    pub place: Place,
    /// The way here.
    pub trail: Vec<(String, String)>,
    /// The question.
    pub title: String,
    /// What happens, a sentence each.
    pub happens: Vec<String>,
    /// What names it, with its words and its page.
    pub uses: Vec<(String, String)>,
    /// Where the answer is sent.
    pub action: String,
    /// The label of the button that does it.
    pub submit: String,
    /// Where No leads.
    pub cancel: String,
    /// A box that may be ticked: its name, its words, and whether it is.
    pub choice: Option<(&'static str, String, bool)>,
    /// What is typed with the answer.
    pub line: Option<Line>,
    /// Fields that are sent back as they are.
    pub kept: Vec<(&'static str, String)>,
    /// Why it cannot be done after all; may be empty.
    pub refused: String,
    /// The version that was read.
    pub version: Option<u64>,
}

#[derive(Template)]
#[template(path = "console/confirm.html")]
struct Main<'a> {
    context: &'a PageContext,
    page: &'a Confirm,
}

/// The page.
pub fn page(context: &PageContext, page: &Confirm) -> Screen {
    let mut screen = Screen::new(
        page.place,
        page.title.clone(),
        shown(&Main { context, page }),
    );
    screen.trail.clone_from(&page.trail);
    if !page.refused.is_empty() {
        screen.status = http::StatusCode::CONFLICT;
    }
    screen
}
