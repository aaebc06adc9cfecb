//! Owns the list of sessions and the page of one. Must not know how they are found or ended.

use askama::Template;
use casting_core::admin::session_actions::MESSAGE_CHARS;
use casting_core::admin::sessions::MOST_READ;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::cast_labels::{called, plural, text};
use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::shown;
use super::table::{
    ActionButton, ActionKind, Badge, Bulk, Cell, Cut, Empty, Filter, Row, Table, Tools, View,
    buttons, nothing_found, words,
};
use super::time_format::{Moment, grouped, length};

/// What the list is about and what it can be narrowed by.
#[derive(Debug, Default)]
pub struct SessionList {
    /// What the address says.
    pub view: View,
    /// Ids and names of casts.
    pub casts: Vec<(String, String)>,
    /// Ids and names of images.
    pub images: Vec<(String, String)>,
    /// How many there are, where only those of the page are given.
    pub count: usize,
    /// Where those begin that were not read.
    pub next: Option<String>,
}

/// The page; `sessions` are those on it, as the API shows them.
pub fn page(context: &PageContext, sessions: &[Value], list: SessionList) -> Screen {
    let view = list.view.clone();
    let mut table = sessions_table(context, sessions, "Sessions");
    if view.is_narrowed() {
        table.empty = nothing_found(&view);
    }
    let shows = [
        ("", "Live now"),
        ("ended", "Ended, last 24 hours"),
        ("all", "All, last 24 hours"),
    ];
    let states = [
        ("reserved", "Reserved"),
        ("starting", "Starting"),
        ("ready", "Ready"),
        ("stopping", "Ending"),
        ("ended", "Ended"),
    ];
    let bulk = Bulk {
        href: paths::BULK_SESSIONS,
        acts: vec![
            ("message", "Send a message\u{2026}", false),
            ("extend", "Extend\u{2026}", false),
            ("stop", "Stop\u{2026}", true),
        ],
    };
    table.tools = Some(Tools {
        search: "Search by user, reference, link, image or task",
        filters: vec![
            Filter {
                name: "show",
                label: "Show",
                options: shows
                    .map(|(value, words)| (value.into(), words.into()))
                    .into(),
            },
            Filter::new("state", "State", states),
            Filter::new("cast", "Cast", list.casts),
            Filter::new("image", "Image", list.images),
        ],
        bulk: context.may("sessions").then_some(bulk),
        cut: list.next.map(|from| Cut {
            words: format!(
                "There are more sessions: {} of them were looked through and ordered here.",
                grouped(MOST_READ as u64)
            ),
            label: "Look through those that follow",
            href: view.with(&[("after", &from)]),
        }),
        is_live: true,
        ..Tools::of(&view)
    });
    let table = table.page_of(&view, list.count.max(sessions.len()));
    let mut screen = Screen::list(Place::Sessions, "Sessions", &table);
    "What runs now, and what has ended lately. The list refreshes by itself."
        .clone_into(&mut screen.lead);
    screen
        .acts
        .push(ActionButton::go("Refresh", "", view.href()));
    let narrowed = ["search", "cast", "image"].map(|name| (name, view.get(name)));
    let is_narrowed = narrowed.iter().any(|(_, value)| !value.is_empty());
    if context.may("sessions") && is_narrowed && view.get("show").is_empty() {
        let extend = View::of(paths::EXTEND_SESSIONS, &[]).with(&narrowed);
        screen
            .acts
            .push(ActionButton::go("Extend all found\u{2026}", "", extend));
    }
    screen
}

/// Sessions as a table.
pub fn sessions_table(context: &PageContext, sessions: &[Value], caption: &str) -> Table {
    let columns = vec![
        words("User").by("user"),
        words("State").by("state"),
        words("Cast").by("cast"),
        words("Since").by("claimed"),
        words("Time left").by("ends"),
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
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
}

/// What stands beside the state of a session.
fn badges(session: &Value) -> Vec<Badge> {
    let state = text(session, "state");
    let place = text(&session["pool"], "place");
    let mut badges = vec![if place == "waiting" && state == "ready" {
        Badge::new(Severity::Good, "Ready")
    } else {
        badge(state)
    }];
    if text(session, "outcome") == "refunded" {
        badges.push(Badge::new(Severity::Warn, "Refunded"));
    }
    if place == "assigned" {
        badges.push(Badge::new(Severity::Plain, "Staged"));
    }
    if is_shared(session) {
        badges.push(Badge::new(Severity::Plain, "Shared"));
    }
    let extensions = session["extensions"].as_u64().unwrap_or_default();
    let added = session["added_seconds"].as_u64().unwrap_or_default();
    if extensions > 0 {
        let words = format!("Extended {}", plural(extensions, "time", "times"));
        badges.push(Badge::new(Severity::Plain, &words));
    }
    if added > 0 {
        let words = format!("Extended by {}", length(added));
        badges.push(Badge::new(Severity::Plain, &words));
    }
    let said = session["said"].as_array();
    if said.is_some_and(|said| !said.is_empty()) {
        badges.push(Badge::new(Severity::Warn, "A command failed"));
    }
    badges
}

fn is_shared(session: &Value) -> bool {
    session["sharing"].is_object() || session["shared"].as_bool().unwrap_or_default()
}

/// What can be done with a live session besides what its own page offers.
fn acts(context: &PageContext, session: &Value) -> Vec<ActionButton> {
    let (id, state) = (text(session, "id"), text(session, "state"));
    if !context.may("sessions") || state == "ended" {
        return Vec::new();
    }
    let who = owner(session);
    let send = |label: &str, path: fn(&str) -> String| ActionButton {
        label: label.into(),
        to: format!("the session of {who}"),
        href: path(id),
        kind: ActionKind::Send(Vec::new()),
    };
    let mut acts = Vec::new();
    if state == "ready" && is_shared(session) {
        acts.push(send("Watch", paths::session_watch));
    }
    if is_shared(session) {
        acts.push(send("Stop sharing", paths::session_unshare));
    }
    acts
}

fn row(context: &PageContext, session: &Value) -> Row {
    let (id, state) = (text(session, "id"), text(session, "state"));
    let mut acts = acts(context, session);
    if context.may("sessions") && state != "ended" {
        acts.push(ActionButton::go(
            "Stop\u{2026}",
            format!("the session of {}", owner(session)),
            paths::session_stop(id),
        ));
    }
    let ends = Timestamp::parse(text(session, "ends_at"));
    let left = ends.map_or_else(
        || Cell::Soft("\u{2013}".into()),
        |ends| Cell::Text(length(context.now.seconds_until(ends))),
    );
    let (words, href) = origin(session);
    let cast = Cell::Name {
        text: words,
        href,
        below: text(session, "image_name").to_owned(),
    };
    Row {
        quiet: state == "ended",
        cells: vec![
            Cell::Name {
                text: owner(session),
                href: paths::session(id),
                below: String::new(),
            },
            Cell::Badges(badges(session)),
            cast,
            Cell::Time(context.moment_of(&session["created_at"])),
            left,
            Cell::Code(text(session, "reference").to_owned()),
            Cell::Acts(acts),
        ],
        document: session.clone(),
    }
}

/// The link of a session, or the pool in which it waits: what it is called, and its page.
pub fn origin(session: &Value) -> (String, String) {
    let pool = &session["pool"];
    if text(pool, "place") == "waiting" {
        let words = format!("Waiting in pool \u{201c}{}\u{201d}", text(pool, "name"));
        return (words, paths::staging(text(pool, "id")));
    }
    let words = called(text(session, "cast_name"), text(session, "cast_key"));
    (words, paths::cast(text(session, "cast_id")))
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

/// By whose invitation a session came, in words; empty when by none.
pub fn invited(session: &Value) -> String {
    let invitation = &session["invitation"];
    match text(invitation, "label") {
        "" => text(invitation, "name").to_owned(),
        label => format!("{} ({label})", text(invitation, "name")),
    }
}

/// Which access tier admitted the visitor, in words; empty where the link had none.
pub fn tier(session: &Value) -> String {
    let tier = &session["access_tier"];
    match (tier["number"].as_u64(), text(tier, "name")) {
        (None, _) => String::new(),
        (Some(number), "") => format!("Tier {number}"),
        (Some(number), name) => format!("Tier {number}: {name}"),
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

/// One step of a session's life: what happened, when, and how long after the step before.
struct Step {
    words: &'static str,
    at: Moment,
    after: String,
}

#[derive(Template)]
#[template(path = "console/session_state.html")]
struct State {
    steps: Vec<Step>,
    facts: Vec<(&'static str, String, String)>,
    watchers: Vec<String>,
    is_shared: bool,
    said: Vec<(&'static str, String)>,
    log: Option<String>,
    log_url: Option<String>,
    notes: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/session.html")]
struct Main<'a> {
    context: &'a PageContext,
    id: &'a str,
    state: String,
    can_be_told: bool,
    can_be_extended: bool,
    is_live: bool,
    ends_at: &'a str,
    ends: Option<Moment>,
    typed: &'a Typed,
}

/// What was typed into a form of the page and could not be done.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Which form: `message` or `extend`; empty when none was sent.
    pub form: &'static str,
    /// The text, or the minutes.
    pub value: String,
    /// Why it was not done.
    pub error: String,
}

impl Main<'_> {
    fn value<'a>(&'a self, form: &str, otherwise: &'a str) -> &'a str {
        if self.typed.form == form {
            &self.typed.value
        } else {
            otherwise
        }
    }

    fn error(&self, form: &str) -> &str {
        if self.typed.form == form {
            &self.typed.error
        } else {
            ""
        }
    }
}

/// The page of one session, as the API shows it; `said` are the last lines that its programs wrote,
/// with who wrote them.
pub fn one(
    context: &PageContext,
    session: &Value,
    said: Vec<(&'static str, String)>,
    typed: &Typed,
) -> Screen {
    let (id, state) = (text(session, "id"), text(session, "state"));
    let waits = text(&session["pool"], "place") == "waiting";
    let live = shown(&State {
        steps: steps(context, session),
        facts: facts(context, session),
        watchers: texts(&session["watchers"]),
        is_shared: is_shared(session) && state != "ended",
        said,
        log: session["log_tail"].as_str().map(str::to_owned),
        log_url: session["log_url"].as_str().map(str::to_owned),
        notes: texts(&session["notes"]),
    });
    let may = context.may("sessions");
    let main = shown(&Main {
        context,
        id,
        can_be_told: may && !waits && ["reserved", "starting", "ready"].contains(&state),
        can_be_extended: may && !waits && state == "ready",
        is_live: state != "ended",
        ends_at: text(session, "ends_at"),
        ends: context.moment_of(&session["ends_at"]),
        state: live.clone(),
        typed,
    });
    let title = format!("Session {}", text(session, "reference"));
    let mut screen = Screen::new(Place::Sessions, title, main);
    screen.live = live;
    let (origin, _) = origin(session);
    screen.lead = format!("{}, {origin}", owner(session));
    screen.trail = vec![("Sessions".into(), paths::SESSIONS.into())];
    let words = badges(session);
    let badges = words.iter().map(|badge| shown(&BadgeHtml { badge }));
    screen.title_badge = badges.collect::<Vec<_>>().join(" ");
    screen
        .acts
        .push(ActionButton::go("Refresh", "", paths::session(id)));
    screen.acts.extend(acts(context, session));
    if !waits {
        screen.acts.push(ActionButton::go(
            "Abuse report",
            "",
            paths::session_abuse(id),
        ));
    }
    if may && state != "ended" && state != "stopping" {
        screen.acts.push(ActionButton::go(
            "Stop\u{2026}",
            "",
            paths::session_stop(id),
        ));
    }
    screen
}

#[derive(Template)]
#[template(
    source = r#"<span class="badge {{ badge.severity.class() }}">{{ badge.text }}</span>"#,
    ext = "html"
)]
struct BadgeHtml<'a> {
    badge: &'a Badge,
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The steps of a session's life, in words.
const STEPS: [(&str, &str); 12] = [
    ("claimed", "Claimed and reserved"),
    ("started-again", "Started again"),
    ("start-turn", "Turn in the start queue"),
    ("task-created", "Task created"),
    ("image-pulling", "Image requested"),
    ("image-pulled", "Image fetched"),
    ("task-running", "Containers running"),
    ("ready", "Ready"),
    ("entered", "Entered"),
    ("message", "Message sent"),
    ("stopping", "Asked to stop"),
    ("ended", "Ended"),
];

fn steps(context: &PageContext, session: &Value) -> Vec<Step> {
    let timeline = session["timeline"].as_array().into_iter().flatten();
    let mut before: Option<Timestamp> = None;
    let step = |step: &Value| {
        let at = Timestamp::parse(text(step, "at"))?;
        let words = STEPS
            .iter()
            .find(|(name, _)| *name == text(step, "step"))?
            .1;
        let after = before.map(|before| at.millis().saturating_sub(before.millis()).max(0));
        before = Some(at);
        Some(Step {
            words,
            at: context.moment(&at),
            after: after
                .and_then(|after| u64::try_from(after).ok())
                .map_or_else(String::new, lasting),
        })
    };
    timeline.filter_map(step).collect()
}

/// How long a step took: in tenths of a second while it is short.
fn lasting(millis: u64) -> String {
    if millis < 60_000 {
        format!("{:.1} s", millis as f64 / 1000.0)
    } else {
        length(millis / 1000)
    }
}

/// What is known of a session: what it is called, what it is, and where that leads.
fn facts(context: &PageContext, session: &Value) -> Vec<(&'static str, String, String)> {
    let plain = |field: &str| text(session, field).to_owned();
    let (origin, origin_href) = origin(session);
    let task = text(&session["task"], "arn");
    let task = match text(&session["task"], "status") {
        "" => String::new(),
        status => {
            let id = task.rsplit('/').next().unwrap_or_default();
            format!("{id} ({status})")
        }
    };
    let cost = session["cost_so_far_cents"].as_f64();
    let ends = Timestamp::parse(text(session, "ends_at"));
    let user = match text(&session["owner"], "kind") {
        "user" => paths::user(text(&session["owner"], "id")),
        _ => String::new(),
    };
    let reason = [text(session, "detail"), text(session, "reason")];
    let reason = reason.into_iter().find(|reason| !reason.is_empty());
    let facts = [
        (
            "Why it ended",
            reason.unwrap_or_default().replace('-', " "),
            String::new(),
        ),
        ("User", owner(session), user),
        ("Invitation", invited(session), String::new()),
        ("Access tier", tier(session), String::new()),
        ("Cast", origin, origin_href),
        (
            "Image",
            plain("image_name"),
            paths::image(text(session, "image_id")),
        ),
        (
            "Time left",
            ends.map_or_else(String::new, |ends| {
                let left = length(context.now.seconds_until(ends));
                format!("{left}, until {}", context.zone.minute(ends))
            }),
            String::new(),
        ),
        (
            "Cost so far",
            cost.map_or_else(String::new, |cents| {
                format!("${:.4}, list price", cents / 100.0)
            }),
            String::new(),
        ),
        ("Message", plain("message"), String::new()),
        ("Network", plain("network"), String::new()),
        ("Opened at the start", plain("kasm_url"), String::new()),
        ("Opened last", plain("go_url"), String::new()),
        ("Came from", plain("referrer"), String::new()),
        (
            "Hash of the address",
            plain("address_hash"),
            paths::claims_from(text(session, "address_hash")),
        ),
        ("Task", task, String::new()),
        ("Address of the task", plain("task_address"), String::new()),
        ("Session id", plain("id"), String::new()),
    ];
    let known = facts.into_iter();
    known.filter(|(_, value, _)| !value.is_empty()).collect()
}
