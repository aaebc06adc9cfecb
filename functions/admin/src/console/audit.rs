//! Owns the page of the audit log: who changed what, from what to what, and how to take it back.
//! Must not know how the log is kept.

use askama::Template;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::time_format::Moment;
use super::{resources, shown};

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What was done, in the past: `changed the cast`.
    pub deed: String,
    /// The thing's name, and its page while there is one.
    pub thing: (String, Option<String>),
    /// What was changed.
    pub changes: Vec<Change>,
    /// Whether it can be taken back.
    pub undo: bool,
}

/// One field that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field.
    pub field: String,
    /// As it was; empty when it was not there.
    pub from: String,
    /// As it is; empty when it is no longer there.
    pub to: String,
}

impl Change {
    /// The field as people read it.
    fn label(&self) -> &str {
        resources::label_of(&self.field)
    }
}

struct Shown<'a> {
    entry: &'a Entry,
    when: Moment,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct Main<'a> {
    entries: Vec<Shown<'a>>,
    next: Option<String>,
    about: String,
    csrf_token: &'a str,
}

/// The page; `about` is the thing that the log is narrowed to, if any.
pub fn page(context: &PageContext, entries: &[Entry], about: &str, next: Option<String>) -> Screen {
    let show = |entry| Shown {
        entry,
        when: Moment::new(entry.at, context.now),
    };
    let main = Main {
        entries: entries.iter().map(show).collect(),
        next,
        about: about.to_owned(),
        csrf_token: &context.csrf_token,
    };
    let mut screen = Screen::new(Place::Audit, "Audit log", shown(&main));
    "Every change and who made it. Overwritten values can be restored."
        .clone_into(&mut screen.lead);
    screen
}

/// Fields that say when and how often a record was changed.
const ALWAYS: [&str; 4] = [
    "version",
    "updated_at",
    "warnings",
    "registered_task_definition",
];

/// The fields in which two values of this field differ, with those of objects one by one; without a
/// field, those of two documents.
pub fn changes(field: &str, before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(field.to_owned(), before, after, &mut found);
    found
}

fn compare(path: String, before: &Value, after: &Value, found: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before.as_object(), after.as_object()) {
        (None, None) => found.push(Change {
            field: path,
            from: told(before),
            to: told(after),
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
                compare(inner, &before[name.as_str()], &after[name.as_str()], found);
            }
        }
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn audit_diff_shows_only_changed_fields() {
        let before = json!({"name": "A", "on": false, "list": ["a"], "client": {"x": 1, "y": null}, "version": 1, "gone": "g"});
        let after = json!({"name": "A", "on": true, "list": ["a", "b"], "client": {"x": 1, "y": 2}, "version": 2});
        let told: Vec<_> = changes("", &before, &after)
            .into_iter()
            .map(|change| (change.field, change.from, change.to))
            .collect();
        let line =
            |field: &str, from: &str, to: &str| (field.to_owned(), from.to_owned(), to.to_owned());
        assert_eq!(
            told,
            [
                line("on", "off", "on"),
                line("list", "a", "a, b"),
                line("client.y", "", "2"),
                line("gone", "g", "")
            ]
        );
    }

    #[test]
    fn audit_of_a_new_record_shows_all_fields() {
        assert_eq!(
            changes("", &Value::Null, &json!({"name": "A", "client": {"x": 1}})).len(),
            2
        );
        assert_eq!(changes("", &json!({"name": "A"}), &Value::Null).len(), 1);
    }
}
