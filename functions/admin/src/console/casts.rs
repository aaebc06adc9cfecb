//! Owns the list of casts. Must not know how casts are found or counted.

use casting_core::resource::OptionSource;
use serde_json::Value;

use super::cast_labels;
use super::cast_labels::{on, state, text};
use super::form::Choices;
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::table::{
    ActionButton, ActionKind, Badge, Bulk, Cell, Empty, Filter, Row, Table, Tools, View, buttons,
    numbers, words,
};
use super::time_format::grouped;

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
    /// What the address says.
    pub view: View,
    /// Where the rows that follow are.
    pub next: Option<String>,
    /// Names of images.
    pub choices: Choices,
    /// Whether there is an image at all; without one no cast can be made.
    pub has_images: bool,
}

/// The page.
pub fn list(context: &PageContext, list: &CastList) -> Screen {
    let table = table(context, list);
    let mut screen = Screen::list(Place::Casts, "Casts", &table);
    "Each cast is a link that gives every visitor their own session.".clone_into(&mut screen.lead);
    if context.may("casts") && list.has_images {
        screen
            .acts
            .push(ActionButton::begin("New cast", "", paths::NEW_CAST));
    }
    screen
}

/// The casts as a table.
pub fn table(context: &PageContext, list: &CastList) -> Table {
    let columns = vec![
        words("Name").by("name"),
        words("State"),
        words("Link"),
        numbers("Remaining"),
        numbers("Started, 24 h"),
        words("Created").by("created"),
        buttons(),
    ];
    let rows: Vec<Row> = list
        .rows
        .iter()
        .map(|row| one(context, row, &list.choices))
        .collect();
    let bulk = Bulk {
        href: paths::BULK_CASTS,
        acts: vec![
            ("enable", "Enable", false),
            ("disable", "Disable", false),
            ("delete", "Delete\u{2026}", true),
        ],
    };
    let images = list.choices.get(&OptionSource::Image).cloned();
    let is_narrowed = list.view.is_narrowed();
    let tools = Tools {
        search: "Search by name or key",
        filters: vec![
            Filter::new("state", "State", [("on", "Enabled"), ("off", "Disabled")]),
            Filter::new("image", "Image", images.unwrap_or_default()),
        ],
        bulk: context.may("casts").then_some(bulk),
        ..Tools::of(&list.view)
    };
    Table {
        caption: "Casts".into(),
        columns,
        empty: empty(context, list, is_narrowed),
        next: list.next.clone(),
        csrf_token: context.csrf_token.clone(),
        tools: (is_narrowed || !rows.is_empty()).then_some(tools),
        rows,
    }
}

fn empty(context: &PageContext, list: &CastList, filtered: bool) -> Empty {
    let mut empty = if filtered {
        Empty::begin(
            "No casts found",
            "No cast has this name or key in this state.",
            "Show all casts",
            paths::CASTS,
        )
    } else if list.has_images {
        Empty::begin(
            "No casts yet",
            "Create one: choose an image, set the access rules and share the link.",
            "Create the first cast",
            paths::NEW_CAST,
        )
    } else {
        Empty::begin(
            "Add an image first",
            "A cast starts sessions of an image, and there are no images yet. A preset fills in \
             most fields.",
            "Add the first image",
            paths::NEW_IMAGE,
        )
    };
    if !filtered && !context.may(if list.has_images { "casts" } else { "images" }) {
        empty.act = None;
    }
    empty
}

fn one(context: &PageContext, row: &CastRow, choices: &Choices) -> Row {
    let cast = &row.cast;
    let (id, name) = (text(cast, "id"), text(cast, "name"));
    let enabled = on(cast, "enabled");
    let mut badges = vec![state(cast, context.now, context.maintenance.is_some())];
    let warnings = cast["warnings"].as_array().map_or(0, Vec::len);
    if warnings > 0 && enabled {
        badges.push(Badge::new(
            Severity::Warn,
            cast_labels::plural(warnings as u64, "warning", "warnings"),
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
    let mut acts = vec![ActionButton {
        label: "Open".into(),
        to: format!("the link of {name}"),
        href: url.to_owned(),
        kind: ActionKind::Open,
    }];
    acts.push(ActionButton {
        label: "QR".into(),
        to: format!("code of {name}"),
        href: paths::cast_qr_code(id),
        kind: ActionKind::Open,
    });
    if context.may("casts") {
        let (label, value) = if enabled {
            ("Disable", "false")
        } else {
            ("Enable", "true")
        };
        acts.push(ActionButton {
            label: label.into(),
            to: name.into(),
            href: paths::cast_enabled(id),
            kind: ActionKind::Send(vec![("enabled", value.to_owned())]),
        });
    }
    let image = cast_labels::name_of(choices, OptionSource::Image, text(cast, "image_id"));
    Row {
        quiet: !enabled,
        cells: vec![
            Cell::Name {
                text: name.to_owned(),
                href: paths::cast(id),
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
            Cell::Time(context.moment_of(&cast["created_at"])),
            Cell::Acts(acts),
        ],
        document: cast.clone(),
    }
}
