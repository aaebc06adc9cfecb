//! Owns the way in: the login provider, or a key. Must not know who may come in.

use askama::Template;

use super::layout::{Place, Screen};
use super::paths;
use super::shown;

/// What can be done on the way in.
#[derive(Debug, Default)]
pub struct SignIn {
    /// Where the login provider is reached, if there is one.
    pub provider: Option<String>,
    /// The name of a user who has logged in without a role for the console.
    pub stranger: Option<String>,
    /// Why it did not work out.
    pub error: Option<String>,
    /// Where to go afterwards; may be empty.
    pub to: String,
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct Main<'a> {
    page: &'a SignIn,
}

/// The page.
pub fn page(page: &SignIn) -> Screen {
    Screen::new(
        Place::Elsewhere,
        "Sign in to the console",
        shown(&Main { page }),
    )
}
