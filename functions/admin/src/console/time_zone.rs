//! Owns the page on which an administrator chooses the time zone. Must not know where it
//! is kept.

use askama::Template;
use http::StatusCode;

use super::edit::ZONES;
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::shown;

#[derive(Template)]
#[template(path = "console/time_zone.html")]
struct Main<'a> {
    csrf_token: &'a str,
    /// What stands in the field.
    typed: &'a str,
    is_wrong: bool,
}

/// The page; `wrong` is what was typed and is no time zone.
pub fn page(context: &PageContext, wrong: Option<&str>) -> Screen {
    let main = shown(&Main {
        csrf_token: &context.csrf_token,
        typed: wrong.unwrap_or(context.zone.name()),
        is_wrong: wrong.is_some(),
    });
    let mut screen = Screen::new(Place::Elsewhere, "Time zone", main);
    if wrong.is_some() {
        screen.status = StatusCode::UNPROCESSABLE_ENTITY;
    }
    screen
}
