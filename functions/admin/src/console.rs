//! The console: pages for administrators, drawn on the server, which work without a script. Owns how everything looks; must not know how anything is
//! stored or decided.
//!
//! # How a page is made
//! A page is a function from a [`frame::Frame`] and documents as the API shows them to a [`shell::Screen`]; [`shell::answer`] sends it.
//! - around each page: `frame`, `shell`
//! - parts of pages: `table`, `chart`, `qr`, `moment`, `preview`, `cast_words`
//! - forms: `field` (what they are made of), `nouns` (every field there is), `form` (document to form), `answers` (form to document), `hours`
//! - what stands behind them: `routes`, which asks the service
//! - pages: `sign_in`, `overview`, `casts`, `cast`, `claims`, `sessions`, `pool`, `trial`, `edit`, `records`, `audit`, `confirm`, `trouble`

pub mod answers;
pub mod audit;
pub mod cast;
pub mod cast_words;
pub mod casts;
pub mod chart;
pub mod claims;
pub mod confirm;
pub mod edit;
pub mod field;
pub mod form;
pub mod frame;
pub mod history;
pub mod hours;
pub mod moment;
pub mod nouns;
pub mod overview;
pub mod pool;
pub mod preview;
pub mod profiles;
pub mod qr;
pub mod records;
mod routes;
pub mod sessions;
pub mod shell;
pub mod sign_in;
pub mod table;
pub mod trial;
mod trouble;

use askama::Template;

pub(crate) use routes::{CONSOLE_ROUTER, CONSOLE_ROUTES, answer};

/// A part of a page as HTML. A template that cannot be written leaves a gap, and the log says so.
fn shown(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "A part of a page could not be written");
        String::new()
    })
}
