//! Owns the page on which an administrator tries an image: a link of its own to open, and what
//! becomes of its session, with the log, beside it. Must not know how sessions start.

use askama::Template;
use serde_json::Value;

use super::cast_labels::text;
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::shown;
use super::table::{ActionButton, ActionKind};

#[derive(Template)]
#[template(path = "console/try_image.html")]
struct Main<'a> {
    id: &'a str,
    live: &'a str,
}

/// The page of this trial link; `session` is the state of its session and its id, once it has one.
pub fn page(context: &PageContext, cast: &Value, session: Option<(String, String)>) -> Screen {
    let (id, url) = (text(cast, "id"), text(cast, "url"));
    let (live, session) = session.map_or_else(
        || (WAITING.to_owned(), None),
        |(live, session)| (live, Some(session)),
    );
    let main = shown(&Main { id, live: &live });
    let mut screen = Screen::new(Place::Images, text(cast, "name"), main);
    "The link starts one session, as it does for a visitor. It expires after 15 minutes."
        .clone_into(&mut screen.lead);
    screen.live = live;
    screen.trail = vec![("Images".into(), paths::IMAGES.into())];
    screen.acts.push(ActionButton {
        label: "Open the session".into(),
        to: String::new(),
        href: url.to_owned(),
        kind: ActionKind::Open,
    });
    if let Some(session) = session {
        let page = paths::session(&session);
        screen
            .acts
            .push(ActionButton::go("Page of the session", "", page));
    }
    if context.may("casts") {
        let delete = paths::cast_delete(id);
        screen
            .acts
            .push(ActionButton::go("End and delete\u{2026}", "", delete));
    }
    screen
}

/// Before there is a session.
const WAITING: &str = "<div class=\"card none\"><p class=\"none-title\">No session yet</p>\
    <p class=\"soft\">Open the session in another tab. Its timeline and its log appear here.</p></div>";
