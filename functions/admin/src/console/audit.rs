//! Owns the page of the audit log: who changed what, from what to what, and how to take it back.
//! Must not know how the log is kept.

use casting_core::audit::{Action, RecordKind};
use casting_core::time::Timestamp;
use serde_json::Value;

use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::resources;
use super::table::{
    ActionButton, Cell, Change, Empty, Filter, Row, Table, Tools, View, buttons, nothing_found,
    words,
};
use super::zone::Zone;

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// From which address; may be empty.
    pub address: String,
    /// What was done, in the past: `changed the cast`.
    pub verb: String,
    /// The thing's name, and its page while there is one.
    pub thing: (String, Option<String>),
    /// What was changed.
    pub changes: Vec<Change>,
    /// Whether it can be taken back.
    pub undo: bool,
    /// As the API shows it.
    pub document: Value,
}

/// What the log is narrowed to, and its rows.
#[derive(Debug)]
pub struct AuditPage {
    /// What the address says.
    pub view: View,
    /// The entries of this page.
    pub entries: Vec<Entry>,
    /// Where those that follow are.
    pub next: Option<String>,
    /// Until when the log was looked through, where that gave less than a page.
    pub reached: Option<Timestamp>,
}

/// The page.
pub fn page(context: &PageContext, page: AuditPage) -> Screen {
    let view = page.view;
    let actions = Action::ALL.map(|action| (action.as_str(), title(action.as_str())));
    let kinds = RecordKind::ALL.map(|kind| (kind.as_str(), title(kind.as_str())));
    let note = page.reached.map_or_else(String::new, |reached| {
        format!(
            "Looked through back to {}. The next page goes on from there.",
            context.zone.minute(reached)
        )
    });
    let mut tools = Tools {
        search: "Name, address, id or field",
        filters: vec![
            Filter::new("noun", "Of", kinds),
            Filter::new("action", "What was done", actions),
        ],
        note,
        ..Tools::of(&view)
    };
    let about = view.get("about");
    if !about.is_empty() {
        let about = (about.to_owned(), "This record".to_owned());
        tools.filters.push(Filter::new("about", "Record", [about]));
    }
    let empty = if view.is_narrowed() {
        nothing_found(&view)
    } else {
        Empty::words(
            "No changes yet",
            "Changes made in the console or over the API appear here, with who made them.",
        )
    };
    let table = Table {
        caption: "Audit log".to_owned(),
        columns: vec![
            words("When"),
            words("Who"),
            words("What was done"),
            words("Of"),
            words("Changes"),
            buttons(),
        ],
        rows: page
            .entries
            .into_iter()
            .map(|entry| row(context, entry))
            .collect(),
        empty,
        next: page.next,
        csrf_token: context.csrf_token.clone(),
        tools: Some(tools),
    };
    let mut screen = Screen::list(Place::Audit, "Audit log", &table);
    "Every change and who made it, the newest first. Overwritten values can be restored."
        .clone_into(&mut screen.lead);
    screen
}

/// A name of the API as a label: `Staging config`.
fn title(name: &str) -> String {
    if name == "api-key" {
        return "API key".to_owned();
    }
    let words = name.replace('-', " ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn row(context: &PageContext, entry: Entry) -> Row {
    let undo = ActionButton::send(
        "Undo",
        format!("{} {}", entry.verb, entry.thing.0),
        paths::audit_undo(&entry.id),
    );
    let (name, href) = entry.thing;
    Row {
        cells: vec![
            Cell::At(context.moment(&entry.at)),
            Cell::Name {
                href: paths::audit_by(&entry.who),
                text: entry.who,
                below: entry.address,
            },
            Cell::Text(entry.verb),
            match href {
                Some(href) => Cell::Name {
                    text: name,
                    href,
                    below: String::new(),
                },
                None if name.is_empty() => Cell::Soft("\u{2013}".into()),
                None => Cell::Text(name),
            },
            Cell::Changes(entry.changes),
            Cell::Acts(entry.undo.then_some(undo).into_iter().collect()),
        ],
        quiet: false,
        document: entry.document,
    }
}

/// What was done, in a word.
pub const fn verb(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Changed => "changed",
        Action::Deleted => "deleted",
        Action::Registered => "registered again",
        Action::Ended => "ended",
        Action::Unshared => "ended sharing of",
        Action::Watched => "watched",
        Action::Extended => "extended",
        Action::Messaged => "sent a message to",
        Action::SignedIn => "signed in to",
    }
}

/// A record of this kind in a sentence of the audit log.
pub const fn kind_in_words(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Cast => "the cast",
        RecordKind::Image => "the image",
        RecordKind::Network => "the network",
        RecordKind::Group => "the group",
        RecordKind::User => "the user",
        RecordKind::Profile => "a profile for",
        RecordKind::Staging => "the staging config",
        RecordKind::Settings => "the settings",
        RecordKind::ApiKey => "the API key",
        RecordKind::Session => "a session of",
        RecordKind::Invitation => "the invitation of",
        RecordKind::Console => "the console",
    }
}

/// Fields that say when and how often a record was changed.
const ALWAYS: [&str; 4] = [
    "version",
    "updated_at",
    "warnings",
    "registered_task_definition",
];

/// The fields in which two values of this field differ, with those of objects one by one; without a
/// field, those of two documents. Times are told in this zone.
pub fn changes(field: &str, (before, after): (&Value, &Value), zone: &Zone) -> Vec<Change> {
    let mut found = Vec::new();
    compare(field, (before, after), zone, &mut found);
    found
}

fn compare(path: &str, (before, after): (&Value, &Value), zone: &Zone, found: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before.as_object(), after.as_object()) {
        (None, None) => found.push(Change {
            label: resources::label_of(path).to_owned(),
            from: display_value(before, zone),
            to: display_value(after, zone),
        }),
        (old, new) => {
            let mut names: Vec<&String> = new.into_iter().flat_map(|new| new.keys()).collect();
            names.extend(
                old.into_iter()
                    .flat_map(|old| old.keys())
                    .filter(|name| new.is_none_or(|new| !new.contains_key(*name))),
            );
            for name in names
                .into_iter()
                .filter(|name| !ALWAYS.contains(&name.as_str()))
            {
                let inner = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let name = name.as_str();
                compare(&inner, (&before[name], &after[name]), zone, found);
            }
        }
    }
}

fn display_value(value: &Value, zone: &Zone) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => {
            let at = Timestamp::parse(text).filter(|at| at.to_string() == *text);
            at.map_or_else(|| text.clone(), |at| zone.minute(at))
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| display_value(item, zone));
            items.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn audit_diff_shows_only_changed_fields() {
        let before = json!({"name": "A", "on": false, "list": ["a"], "client": {"x": 1, "y": null}, "version": 1, "gone": "g", "until": null});
        let after = json!({"name": "A", "on": true, "list": ["a", "b"], "client": {"x": 1, "y": 2}, "version": 2, "until": "2026-12-31T18:00:00Z"});
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let shown: Vec<_> = changes("", (&before, &after), &berlin)
            .into_iter()
            .map(|change| (change.label, change.from, change.to))
            .collect();
        let line =
            |field: &str, from: &str, to: &str| (field.to_owned(), from.to_owned(), to.to_owned());
        assert_eq!(
            shown,
            [
                line("on", "off", "on"),
                line("list", "a", "a, b"),
                line("client.y", "", "2"),
                line("until", "", "31 Dec 2026, 19:00 CET"),
                line("gone", "g", "")
            ]
        );
    }

    #[test]
    fn audit_of_a_new_record_shows_all_fields() {
        let count =
            |before: &Value, after: &Value| changes("", (before, after), &Zone::default()).len();
        assert_eq!(
            count(&Value::Null, &json!({"name": "A", "client": {"x": 1}})),
            2
        );
        assert_eq!(count(&json!({"name": "A"}), &Value::Null), 1);
    }
}
