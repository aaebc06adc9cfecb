//! Owns the page of the search over everything, and which pages of the console are found by their
//! names. Must not know how records are found.

use askama::Template;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::cast_labels::{called, text};
use super::layout::{self, Place, Screen};
use super::page_context::PageContext;
use super::time_format::Moment;
use super::{paths, sessions, shown};

/// One place that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is, in a word.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub href: String,
}

/// A refusal: when, why, and the name and id of the link, while there is one.
pub type FoundRefusal = (Timestamp, String, Option<(String, String)>);

/// What a reference leads to.
#[derive(Clone, Debug)]
pub struct FoundReference {
    /// The reference.
    pub reference: String,
    /// Sessions, as the API shows them.
    pub sessions: Vec<Value>,
    /// Refusals.
    pub refusals: Vec<FoundRefusal>,
}

impl FoundReference {
    /// The places that it leads to.
    pub fn places(&self) -> Vec<Found> {
        let sessions = self.sessions.iter().map(|session| Found {
            kind: "Session",
            name: format!("{}, {}", self.reference, sessions::owner(session)),
            href: paths::session(text(session, "id")),
        });
        let refusals = self.refusals.iter().map(|(_, why, _)| Found {
            kind: "Refused claim",
            name: format!("{}: {why}", self.reference),
            href: paths::find_of(&self.reference),
        });
        sessions.chain(refusals).collect()
    }
}

/// The pages of the console whose names fit; all of them when nothing is asked for.
pub fn pages(context: &PageContext, asked: &str) -> Vec<Found> {
    let wanted = asked.to_lowercase();
    let verbs = [
        ("casts", "New cast", paths::NEW_CAST),
        ("images", "New image", paths::NEW_IMAGE),
        ("people", "New group", paths::NEW_GROUP),
        ("images", "New network", paths::NEW_NETWORK),
        ("keys", "New API key", paths::NEW_API_KEY),
    ];
    let verbs = verbs
        .into_iter()
        .filter(|(scope, ..)| context.may(scope))
        .map(|(_, name, href)| (name, href));
    layout::entries()
        .chain(verbs)
        .filter(|(name, _)| name.to_lowercase().contains(&wanted))
        .map(|(name, href)| Found {
            kind: "Page",
            name: name.to_owned(),
            href: href.to_owned(),
        })
        .collect()
}

struct Accepted {
    href: String,
    cast: (String, String),
    who: String,
    when: Option<Moment>,
    state: &'static str,
    reason: String,
}

struct Refused {
    when: Moment,
    why: String,
    cast: Option<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "console/find.html")]
struct Main<'a> {
    reference: Option<&'a str>,
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
    found: &'a [Found],
}

/// The page.
pub fn page(
    context: &PageContext,
    asked: &str,
    found_reference: Option<&FoundReference>,
    found: &[Found],
) -> Screen {
    let accepted = found_reference
        .into_iter()
        .flat_map(|found_reference| &found_reference.sessions);
    let accepted = accepted.map(|session| Accepted {
        href: paths::session(text(session, "id")),
        cast: (
            called(text(session, "cast_name"), text(session, "cast_key")),
            paths::cast(text(session, "cast_id")),
        ),
        who: sessions::owner(session),
        when: context.moment_of(&session["created_at"]),
        state: match text(session, "outcome") {
            "live" => "It lives.",
            "refunded" => "It ended before its visitor had it, and was refunded.",
            _ => "It has ended.",
        },
        reason: text(session, "reason").replace('-', " "),
    });
    let refused = found_reference
        .into_iter()
        .flat_map(|found_reference| &found_reference.refusals);
    let refused = refused.map(|(at, why, cast)| Refused {
        when: context.moment(at),
        why: why.clone(),
        cast: cast
            .as_ref()
            .map(|(name, id)| (name.clone(), paths::cast(id), paths::cast_test(id))),
    });
    let main = shown(&Main {
        reference: found_reference.map(|found_reference| found_reference.reference.as_str()),
        accepted: accepted.collect(),
        refused: refused.collect(),
        found,
    });
    let mut screen = Screen::new(Place::Elsewhere, "Search", main);
    if !asked.is_empty() {
        screen.title = format!("Search: {asked}");
    }
    screen
}
