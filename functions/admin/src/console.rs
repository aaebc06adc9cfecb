//! The console: pages for administrators, drawn on the server, which work without a script. Owns
//! how everything looks; must not know how anything is stored or decided.
//!
//! # How a page is made
//! A page is a function from a [`page_context::PageContext`] and documents as the API shows them to
//! a [`layout::Screen`]; [`layout::answer`] sends it.
//! - around each page: `page_context`, `layout`
//! - parts of pages: `table`, `chart`, `range`, `zone`, `qr`, `time_format`, `preview`, `cast_labels`
//! - forms: `resources` (the fields, from core's tables), `measure` (units that people type), `form` (document to form), `form_parser`
//!   (form to document), `schedule_field`
//! - `routes`: their handlers, which call the admin service; `paths`: their addresses, for links
//! - pages: `sign_in`, `dashboard`, `casts`, `cast`, `claims`, `sessions`, `find`, `pool`, `trial`,
//!   `edit`, `records`, `audit`, `hooks`, `confirm`, `error_page`

pub mod abuse;
pub mod audit;
pub mod cast;
pub mod cast_labels;
pub mod casts;
pub mod chart;
pub mod claims;
pub mod confirm;
pub mod dashboard;
pub mod edit;
mod error_page;
pub mod find;
pub mod form;
pub mod form_parser;
pub mod help;
pub mod history;
pub mod hooks;
pub mod invitations;
pub mod layout;
mod measure;
pub mod page_context;
pub(crate) mod paths;
pub mod pool;
pub mod presets;
pub mod preview;
pub mod profiles;
pub mod qr;
pub mod range;
pub mod records;
pub mod resources;
mod routes;
pub mod schedule_field;
pub mod sessions;
pub mod sign_in;
pub mod table;
pub mod tier_field;
pub mod time_format;
pub mod time_zone;
pub mod trial;
mod try_image;
pub mod zone;

use askama::Template;

pub(crate) use routes::{CONSOLE_ROUTER, CONSOLE_ROUTES, answer};

/// A part of a page as HTML. A template that cannot be written leaves a gap, and the log says so.
fn shown(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "A part of a page could not be written");
        String::new()
    })
}
