//! Owns the page that says that something did not work. Must not know what it was.

use askama::Template;
use casting_web::Problem;

use super::layout::{Place, Screen};
use super::paths;
use super::shown;

#[derive(Template)]
#[template(
    source = "<div class=\"card\"><p>{{ sentence }}</p>{% if let Some(reference) = reference %}<p \
              class=\"soft small\">Reference <code>{{ reference }}</code></p>{% endif %}<p \
              class=\"acts\"><a class=\"button quiet\" href=\"{{ paths::DASHBOARD }}\">Back to the \
              overview</a></p></div>",
    ext = "html"
)]
struct Main<'a> {
    sentence: &'a str,
    reference: Option<&'a str>,
}

/// The page.
pub(crate) fn page(problem: &Problem) -> Screen {
    let reference = problem
        .reference
        .as_ref()
        .map(casting_core::ids::Reference::as_str);
    let main = shown(&Main {
        sentence: problem.sentence(),
        reference,
    });
    Screen {
        status: problem.code.status(),
        ..Screen::new(Place::Elsewhere, problem.code.title(), main)
    }
}
