//! The console: pages for administrators, drawn on the server, which work without a script. Owns how everything looks; must not know how anything is
//! stored or decided.
//!
//! # How a page is made
//! A page is a function from a [`frame::Frame`] and documents as the API shows them to a [`shell::Screen`]; [`shell::answer`] sends it.
//! - around each page: `frame`, `shell`
//! - parts of pages: `table`, `chart`, `qr`, `moment`, `preview`, `cast_words`
//! - forms: `field` (what they are made of), `nouns` (every field there is), `form` (document to form), `answers` (form to document), `hours`
//! - pages: `sign_in`, `overview`, `casts`, `cast`, `claims`, `sessions`, `trial`, `edit`, `records`, `audit`, `confirm`

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
pub mod hours;
pub mod moment;
pub mod nouns;
pub mod overview;
pub mod preview;
pub mod qr;
pub mod records;
pub mod sessions;
pub mod shell;
pub mod sign_in;
pub mod table;
pub mod trial;

use askama::Template;
use casting_core::Casting;
use casting_core::denial::DenialCode;
use casting_core::ports::{Launcher, Store};
use casting_web::{Matched, Page, Problem, Reply, Request, RouteName, Visit, code::Code};

use crate::entry;

#[derive(Template)]
#[template(path = "console.html")]
struct Console<'a> {
    api: &'a str,
}

const STYLE: &str = include_str!("../templates/console.css");

/// Answers one request to the console.
pub(crate) async fn answer<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &Visit,
    request: &Request,
    matched: &Matched<'_>,
) -> Reply {
    match matched.route.name {
        RouteName::SignIn => match entry::sign_in(casting, visit, request).await {
            Ok(reply) => reply,
            Err(failure) => visit.explain(&failure.into_problem(&*casting.entropy)),
        },
        RouteName::ShowSignIn => show(casting, visit),
        name => match entry::admit(casting, visit, request, matched).await {
            Ok(_) if name == RouteName::SignOut => entry::sign_out(casting),
            Ok(_) => show(casting, visit),
            Err(failure) => match failure.into_problem(&*casting.entropy) {
                problem if problem.code.status() == http::StatusCode::UNAUTHORIZED => entry::sign_in_first(visit),
                problem => visit.explain(&problem),
            },
        },
    }
}

fn show<S, L>(casting: &Casting<S, L>, visit: &Visit) -> Reply {
    let api = format!("{}/api/admin", casting.terms.public_url);
    match (Console { api: &api }).render() {
        Ok(main) => Page { style: STYLE, ..Page::new("Session casting: administration", &main) }.reply(visit),
        Err(error) => {
            tracing::error!(%error, "The console's page could not be written");
            visit.explain(&Problem::new(Code::Denial(DenialCode::Fault)))
        }
    }
}

/// A part of a page as HTML. A template that cannot be written leaves a gap, and the log says so.
fn shown(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "A part of a page could not be written");
        String::new()
    })
}
