//! Owns the list of casts. Must not know how casts are found or counted.

use askama::Template;
use serde_json::Value;

use super::cast_words::{on, state, text};
use super::field::Picked;
use super::form::Choices;
use super::frame::{Frame, Tone};
use super::moment::{Moment, grouped};
use super::shell::{Place, Screen};
use super::table::{Act, Badge, Cell, Empty, How, Row, Table, buttons, numbers, words};
use super::{cast_words, shown};

/// A cast, with what has become of it lately.
#[derive(Clone, Debug)]
pub struct CastRow {
    /// As the API shows it.
    pub cast: Value,
    /// How many sessions it started in the last 24 hours.
    pub launches: String,
}

/// The list, and what it was narrowed to.
#[derive(Clone, Debug, Default)]
pub struct CastList {
    /// The rows of this page.
    pub rows: Vec<CastRow>,
    /// What was searched for.
    pub search: String,
    /// The state that was asked for: `on`, `off` or nothing.
    pub state: String,
    /// Where the rows that follow are.
    pub next: Option<String>,
    /// Names of images.
    pub choices: Choices,
    /// Whether there is an image at all; without one no cast can be made.
    pub has_images: bool,
}

#[derive(Template)]
#[template(path = "console/casts.html")]
struct Main<'a> {
    list: &'a CastList,
    table: Table,
    filtered: bool,
}

/// The page.
pub fn list(frame: &Frame, list: &CastList) -> Screen {
    let filtered = !list.search.is_empty() || !list.state.is_empty();
    let table = table(frame, list, filtered);
    let main = shown(&Main {
        list,
        table,
        filtered,
    });
    let mut screen = Screen::new(Place::Casts, "Casts", main);
    "Each cast is a link that gives every visitor their own session.".clone_into(&mut screen.lead);
    if frame.may("casts") && list.has_images {
        screen
            .acts
            .push(Act::begin("New cast", "", "/admin/new-cast"));
    }
    screen
}

/// The casts as a table.
pub fn table(frame: &Frame, list: &CastList, filtered: bool) -> Table {
    let columns = vec![
        words("Name"),
        words("State"),
        words("Link"),
        numbers("Remaining"),
        numbers("Started, 24 h"),
        words("Changed"),
        buttons(),
    ];
    let rows = list
        .rows
        .iter()
        .map(|row| one(frame, row, &list.choices))
        .collect();
    Table {
        caption: "Casts".into(),
        columns,
        rows,
        empty: empty(frame, list, filtered),
        next: list.next.clone(),
        csrf_token: frame.csrf_token.clone(),
    }
}

fn empty(frame: &Frame, list: &CastList, filtered: bool) -> Empty {
    let mut empty = if filtered {
        Empty::begin(
            "No casts found",
            "No cast has this name or key in this state.",
            "Show all casts",
            "/admin/casts",
        )
    } else if list.has_images {
        Empty::begin(
            "No casts yet",
            "Create one: choose an image, set the access rules and share the link.",
            "Create the first cast",
            "/admin/new-cast",
        )
    } else {
        Empty::begin(
            "Add an image first",
            "A cast starts sessions of an image, and there are no images yet. A preset fills in most fields.",
            "Add the first image",
            "/admin/new-image",
        )
    };
    if !filtered && !frame.may(if list.has_images { "casts" } else { "images" }) {
        empty.act = None;
    }
    empty
}

fn one(frame: &Frame, row: &CastRow, choices: &Choices) -> Row {
    let cast = &row.cast;
    let (id, name) = (text(cast, "id"), text(cast, "name"));
    let enabled = on(cast, "enabled");
    let mut badges = vec![state(cast, frame.now)];
    let warnings = cast["warnings"].as_array().map_or(0, Vec::len);
    if warnings > 0 && enabled {
        badges.push(Badge::new(
            Tone::Warn,
            cast_words::plural(warnings as u64, "warning", "warnings"),
        ));
    }
    let count = |number: Option<u64>| Cell::Of {
        number: number.map_or_else(|| "\u{2013}".to_owned(), grouped),
        of: String::new(),
    };
    let remaining = if on(cast, "limit_total_sessions") {
        count(cast["sessions_remaining"].as_u64())
    } else {
        Cell::Soft("no limit".into())
    };
    let url = text(cast, "url");
    let mut acts = vec![Act {
        label: "Open".into(),
        to: format!("the link of {name}"),
        href: url.to_owned(),
        how: How::Open,
    }];
    acts.push(Act {
        label: "QR".into(),
        to: format!("code of {name}"),
        href: format!("/admin/casts/{id}/qr.svg"),
        how: How::Open,
    });
    if frame.may("casts") {
        let (label, value) = if enabled {
            ("Disable", "false")
        } else {
            ("Enable", "true")
        };
        acts.push(Act {
            label: label.into(),
            to: name.into(),
            href: format!("/admin/casts/{id}/enabled"),
            how: How::Send(vec![("enabled", value.to_owned())]),
        });
    }
    let image = cast_words::name_of(choices, Picked::Image, text(cast, "image_id"));
    Row {
        quiet: !enabled,
        cells: vec![
            Cell::Name {
                text: name.to_owned(),
                href: format!("/admin/casts/{id}"),
                below: image,
            },
            Cell::Badges(badges),
            Cell::Copy {
                link: url.to_owned(),
                shown: format!("/cast/{}", text(cast, "key")),
            },
            remaining,
            Cell::Of {
                number: row.launches.clone(),
                of: String::new(),
            },
            Cell::Time(Moment::of(&cast["updated_at"], frame.now)),
            Cell::Acts(acts),
        ],
    }
}
