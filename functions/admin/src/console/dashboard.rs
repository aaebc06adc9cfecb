//! Owns the first page: what runs, what came, and what wants attention. Must not know how anything
//! is counted.

use askama::Template;

use super::chart::Chart;
use super::claims::{Claim, claims_table};
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::range::Range;
use super::shown;
use super::table::{ActionButton, Badge, Table};

/// What the first page shows.
#[derive(Debug, Default)]
pub struct Overview {
    /// Figures: what, how many, of what.
    pub figures: Vec<(String, String, String)>,
    /// What wants attention: a word, a sentence, and where to go.
    pub attention_items: Vec<(Badge, String, String)>,
    /// Launches and refusals, start times, cost.
    pub charts: Vec<Chart>,
    /// The time of the charts.
    pub range: Option<Range>,
    /// The last claims.
    pub claims: Vec<Claim>,
    /// What a new deployment needs, while it is new: an image, a cast, a first session, in this
    /// order.
    pub first_steps: Option<[bool; 3]>,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Main<'a> {
    page: &'a Overview,
    table: Table,
}

/// The page.
pub fn page(context: &PageContext, page: &Overview) -> Screen {
    let table = claims_table(context, &page.claims, "Last claims", true, None);
    let mut screen = Screen::new(Place::Overview, "Overview", shown(&Main { page, table }));
    if context.may("casts") && page.first_steps.is_none() {
        screen
            .acts
            .push(ActionButton::begin("New cast", "", paths::NEW_CAST));
    }
    screen
}
