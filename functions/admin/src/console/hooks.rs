//! Owns the page of a hook: where its events go, how its receiver does, and its deliveries. Must not
//! know how an event is sent.

use askama::Template;
use casting_core::admin::hooks::ShownHook;
use casting_core::delivery::{Delivery, DeliveryState};
use casting_core::event_bus;
use casting_core::hook::{HookId, PauseReason};

use super::layout::{Place, Screen};
use super::page_context::{PageContext, Severity};
use super::paths;
use super::shown;
use super::table::{
    ActionButton, ActionKind, Badge, Cell, Empty, Log, Row, Table, buttons, numbers, words,
};
use super::time_format::Moment;

/// A hook, and what is shown of it.
#[derive(Debug)]
pub struct HookPage<'a> {
    /// As administrators see it.
    pub hook: &'a ShownHook,
    /// The name of its link; empty for the deployment's.
    pub name: String,
    /// A secret that was made just now: shown this once.
    pub secret: Option<String>,
    /// Deliveries, the newest event first.
    pub deliveries: &'a [Delivery],
    /// Where the ones before are.
    pub next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/hook.html")]
struct Main<'a> {
    secret: &'a str,
    receiver: Option<&'a str>,
    /// Whether that is an event bus.
    is_bus: bool,
    events: String,
    secret_made: Option<Moment>,
    old_secret_until: Option<Moment>,
    failing_since: Option<Moment>,
    paused: Option<(&'static str, Moment)>,
    may_change: bool,
    id: &'a str,
    csrf_token: &'a str,
    table: Table,
}

/// The page.
pub fn page(context: &PageContext, page: &HookPage<'_>) -> Screen {
    let (hook, now) = (page.hook, context.now);
    let id = hook.id.as_str();
    let (place, scope, edit) = match &hook.id {
        HookId::Deployment => (Place::Settings, "settings", paths::SETTINGS.to_owned()),
        HookId::Cast(cast) => (Place::Casts, "casts", paths::cast_edit(cast.as_str())),
    };
    let may_change = context.may(scope);
    let state = hook.state.as_ref();
    let moment = |at| context.moment(&at);
    let previous = state.and_then(|state| state.previous.as_ref());
    let paused = state.and_then(|state| state.paused.as_ref());
    let events: Vec<&str> = hook
        .hook
        .events
        .iter()
        .map(|event| event.as_str())
        .collect();
    let is_bus = hook.hook.receiver().is_some_and(event_bus::is_bus);
    let sends = hook.hook.receiver().is_some() && paused.is_none();
    let main = Main {
        secret: page.secret.as_deref().unwrap_or_default(),
        receiver: hook.hook.receiver(),
        is_bus,
        events: if events.is_empty() {
            "all".to_owned()
        } else {
            events.join(", ")
        },
        secret_made: state.map(|state| moment(state.secret_made_at)),
        old_secret_until: previous
            .filter(|(_, until)| now < *until)
            .map(|(_, until)| moment(*until)),
        failing_since: state.and_then(|state| state.failing_since).map(moment),
        paused: paused.map(|pause| (reason(pause.reason), moment(pause.at))),
        may_change,
        id,
        csrf_token: &context.csrf_token,
        table: table(context, page, may_change && sends),
    };
    let title = if page.name.is_empty() {
        "Webhook of the deployment".to_owned()
    } else {
        format!("Webhook of {}", page.name)
    };
    let mut screen = Screen::new(place, title, shown(&main));
    let lead = if is_bus {
        "Events for an event bus in AWS (EventBridge)."
    } else {
        "Events for a server of yours, signed as Standard Webhooks says."
    };
    lead.clone_into(&mut screen.lead);
    screen.trail = match &hook.id {
        HookId::Deployment => vec![("Settings".into(), paths::SETTINGS.into())],
        HookId::Cast(cast) => vec![
            ("Casts".into(), paths::CASTS.into()),
            (page.name.clone(), paths::cast(cast.as_str())),
        ],
    };
    if may_change {
        if sends {
            let test = paths::hook_test(id);
            screen
                .acts
                .push(ActionButton::send("Send a test event", "", test));
        }
        screen
            .acts
            .push(ActionButton::go("Change the receiver", "", edit));
    }
    screen
}

const fn reason(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Gone => "its receiver answered 410 Gone",
        PauseReason::Failing => "its receiver has failed for five days",
    }
}

fn table(context: &PageContext, page: &HookPage<'_>, may_send: bool) -> Table {
    let row = |row: &Delivery| {
        let again = ActionButton {
            label: "Send again".into(),
            to: row.event.clone(),
            href: paths::hook_replay(page.hook.id.as_str()),
            kind: ActionKind::Send(vec![("delivery", row.id.to_string())]),
        };
        let answer = row.last.as_ref().map(|last| {
            let status = match last.status {
                Some(status) => format!("{status} in {} ms", last.millis),
                None => format!("none in {} ms", last.millis),
            };
            let said = (!last.answer.is_empty()).then(|| ("The answer", last.answer.clone()));
            Cell::Log(Log {
                why: status,
                said: said.into_iter().collect(),
                url: None,
                of: String::new(),
            })
        });
        Row {
            cells: vec![
                Cell::Time(Some(context.moment(&row.at))),
                Cell::Text(row.kind.as_str().to_owned()),
                Cell::Badge(badge(row.state)),
                Cell::Of {
                    number: row.attempts.to_string(),
                    of: String::new(),
                },
                Cell::Time(row.due_at.map(|at| context.moment(&at))),
                answer.unwrap_or_else(|| Cell::Soft(String::new())),
                Cell::Code(row.event.clone()),
                Cell::Acts(if may_send { vec![again] } else { Vec::new() }),
            ],
            ..Row::default()
        }
    };
    Table {
        caption: "Deliveries".into(),
        columns: vec![
            words("Event"),
            words("Type"),
            words("State"),
            numbers("Tries"),
            words("Next try"),
            words("Last answer"),
            words("webhook-id"),
            buttons(),
        ],
        rows: page.deliveries.iter().map(row).collect(),
        empty: Empty::words(
            "No deliveries yet",
            "Each event is listed here for 30 days, with what the receiver answered.",
        ),
        next: page.next.clone(),
        csrf_token: context.csrf_token.clone(),
        ..Table::default()
    }
}

fn badge(state: DeliveryState) -> Badge {
    let (severity, text) = match state {
        DeliveryState::Pending => (Severity::Live, "Pending"),
        DeliveryState::Delivered => (Severity::Good, "Delivered"),
        DeliveryState::Failed => (Severity::Bad, "Failed"),
        DeliveryState::Stopped => (Severity::Plain, "Not sent"),
    };
    Badge::new(severity, text)
}
