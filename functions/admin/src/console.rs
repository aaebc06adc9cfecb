//! Owns the console's pages: what each looks like, and which verbs of the desk stand behind it. Must not know what the verbs do.

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
