//! Owns the page of live sessions. Must not know how they are found or ended.

use casting_core::time::Timestamp;
use serde_json::Value;

use super::cast_labels::{called, text};
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::shown;
use super::table::{ActionButton, ActionKind, Badge, Cell, Empty, Row, Table, buttons, words};
use super::time_format::{Moment, length};

/// The page; `sessions` are as the API shows them.
pub fn page(context: &PageContext, sessions: &[Value], next: Option<String>) -> Screen {
    let main = format!(
        "<div class=\"card list-card\">{}</div>",
        shown(&sessions_table(context, sessions, "Live sessions", next))
    );
    let mut screen = Screen::new(Place::Sessions, "Live sessions", main);
    "Sessions that are running now. Shared sessions can be watched.".clone_into(&mut screen.lead);
    screen
        .acts
        .push(ActionButton::go("Refresh", "", "/admin/sessions"));
    screen
}

/// Sessions as a table.
pub fn sessions_table(
    context: &PageContext,
    sessions: &[Value],
    caption: &str,
    next: Option<String>,
) -> Table {
    let columns = vec![
        words("Who"),
        words("State"),
        words("Cast"),
        words("Since"),
        words("Time left"),
        words("Reference"),
        buttons(),
    ];
    Table {
        caption: caption.to_owned(),
        columns,
        rows: sessions
            .iter()
            .map(|session| row(context, session))
            .collect(),
        empty: Empty::words(
            "No live sessions",
            "Sessions appear here as soon as a visitor starts one. Nothing is charged until then.",
        ),
        next,
        csrf_token: context.csrf_token.clone(),
    }
}

fn row(context: &PageContext, session: &Value) -> Row {
    let (id, who) = (text(session, "id"), owner(session));
    let state = text(session, "state");
    let shared = session["sharing"].is_object() || session["shared"].as_bool().unwrap_or_default();
    let (pool, place) = (&session["pool"], text(&session["pool"], "place"));
    let waits = place == "waiting";
    let mut badges = vec![if waits && state == "ready" {
        Badge::new(Severity::Good, "Ready")
    } else {
        badge(state)
    }];
    if place == "assigned" {
        badges.push(Badge::new(Severity::Plain, "Staged"));
    }
    if shared {
        badges.push(Badge::new(Severity::Plain, "Shared"));
    }
    if session["said"]
        .as_array()
        .is_some_and(|said| !said.is_empty())
    {
        badges.push(Badge::new(Severity::Warn, "A command failed"));
    }
    let mut acts = Vec::new();
    if context.may("sessions") {
        let send = |label: &str, verb: &str| ActionButton {
            label: label.into(),
            to: format!("the session of {who}"),
            href: format!("/admin/sessions/{id}/{verb}"),
            kind: ActionKind::Send(Vec::new()),
        };
        if state == "ready" && shared {
            acts.push(send("Watch", "watch"));
        }
        if shared {
            acts.push(send("Stop sharing", "unshare"));
        }
        acts.push(ActionButton {
            kind: ActionKind::Destroy(Vec::new()),
            ..send("Stop", "stop")
        });
    }
    let ends = Timestamp::parse(text(session, "ends_at"));
    let left = ends.map_or_else(
        || Cell::Soft("\u{2013}".into()),
        |ends| Cell::Text(length(context.now.seconds_until(ends))),
    );
    let (words, href) = if waits {
        (
            format!("Waiting in pool \u{201c}{}\u{201d}", text(pool, "name")),
            format!("/admin/staging/{}", text(pool, "id")),
        )
    } else {
        (
            called(text(session, "cast_name"), text(session, "cast_key")),
            format!("/admin/casts/{}", text(session, "cast_id")),
        )
    };
    let cast = Cell::Name {
        text: words.trim_end().to_owned(),
        href,
        below: text(session, "image_name").to_owned(),
    };
    Row {
        quiet: false,
        cells: vec![
            Cell::Text(who),
            Cell::Badges(badges),
            cast,
            Cell::Time(Moment::of(&session["created_at"], context.now)),
            left,
            Cell::Code(text(session, "reference").to_owned()),
            Cell::Acts(acts),
        ],
    }
}

/// Who a session belongs to, in words.
pub fn owner(session: &Value) -> String {
    let owner = &session["owner"];
    let beginning = |id: &str| id.chars().take(8).collect::<String>();
    match text(owner, "kind") {
        "user" => text(owner, "name").to_owned(),
        "anonymous" => format!("Anonymous {}", beginning(text(owner, "id"))),
        "nobody" => "Unassigned".to_owned(),
        _ => "Forgotten".to_owned(),
    }
}

/// A session's state, in a word.
pub fn badge(state: &str) -> Badge {
    match state {
        "reserved" | "starting" => Badge::new(Severity::Warn, "Starting"),
        "ready" => Badge::new(Severity::Live, "Live"),
        "stopping" => Badge::new(Severity::Plain, "Ending"),
        "ended" => Badge::new(Severity::Plain, "Ended"),
        other => Badge::new(Severity::Plain, other),
    }
}
