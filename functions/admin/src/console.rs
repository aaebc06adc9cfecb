//! Owns the page at `/admin`: where the API is, and how it is used. Shows nothing that belongs to anybody; must not know the API's answers.

use askama::Template;
use casting_core::Casting;
use casting_core::denial::DenialCode;
use casting_web::{Page, Problem, Reply, Visit, code::Code};

#[derive(Template)]
#[template(path = "console.html")]
struct Console<'a> {
    api: &'a str,
}

const STYLE: &str = include_str!("../templates/console.css");

/// The page.
pub(crate) fn show<S, L>(casting: &Casting<S, L>, visit: &Visit) -> Reply {
    let api = format!("{}/api/admin", casting.terms.public_url);
    match (Console { api: &api }).render() {
        Ok(main) => Page { style: STYLE, ..Page::new("Session casting: administration", &main) }.reply(visit),
        Err(error) => {
            tracing::error!(%error, "The console's page could not be written");
            visit.explain(&Problem::new(Code::Denial(DenialCode::Fault)))
        }
    }
}
