//! Owns the merge of a stale form: it shows who changed what since the form was made, takes over
//! the fields that the form left alone, and keeps all input. Must not know which resources there
//! are.

use std::collections::BTreeMap;

use casting_core::audit::{Action, Audit};
use casting_core::form::FieldError;
use casting_core::resource::Resource;
use casting_core::time::Timestamp;
use serde_json::{Map, Value};

use super::ConsoleRequest;
use crate::console::audit;
use crate::console::form::FormMessages;
use casting_core::admin::audits::{self, AuditsAsked};
use casting_web::HandlerError;

/// The most changes that are shown; after more, the page must be loaded again.
const FLASH_COOKIE: u32 = 20;

/// What was typed, over what others have changed; `messages` then say what that was, and the form
/// can be sent again. Messages that are about something else leave all as it is.
pub(super) async fn merge_stale_form(
    request: &ConsoleRequest<'_>,
    resource: &Resource,
    target: &str,
    stored: &Value,
    typed: Value,
    messages: &mut FormMessages,
) -> Result<Value, HandlerError> {
    let sent: Option<u64> = request
        .form_data
        .first("version")
        .and_then(|text| text.parse().ok());
    let (true, Some(sent), Some(newest)) = (messages.is_stale, sent, stored["version"].as_u64())
    else {
        return Ok(typed);
    };
    // Every version has its entry, the newest first. The log's index may be a moment behind, and
    // does not tell of all when there are too many.
    let count = usize::try_from(newest.saturating_sub(sent)).unwrap_or(usize::MAX);
    let mut entries = audits::list(
        &request.service,
        &AuditsAsked::of(target),
        None,
        FLASH_COOKIE,
    )
    .await?
    .items;
    entries.retain(|entry| entry.action == Action::Changed);
    let changed_at = stored["updated_at"].as_str().and_then(Timestamp::parse);
    let is_behind = entries
        .first()
        .is_none_or(|entry| changed_at.is_some_and(|at| entry.at.plus_seconds(1) < at));
    if is_behind || entries.len() < count {
        // Then the form keeps its version, so that it overwrites no change that was not shown.
        messages.is_stale = false;
        return Ok(typed);
    }
    entries.truncate(count.max(1));
    messages.errors = vec![FieldError::new("", describe(&entries, request))];
    let changes = together(&entries);
    let mut merged = typed;
    if let Value::Object(fields) = &mut merged {
        for (field, (before, after)) in changes {
            let Some(value) = fields.get_mut(field) else {
                continue;
            };
            if !three_way_merge(value, before, after)
                && resource.field_at(&format!("/{field}")).is_some()
            {
                let detail = "was changed by someone else too. Your input is kept; saving again \
                              overwrites their value.";
                messages
                    .errors
                    .push(FieldError::new(format!("/{field}"), detail));
            }
        }
    }
    Ok(merged)
}

/// Who changed what, in sentences.
fn describe(entries: &[Audit], request: &ConsoleRequest<'_>) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for entry in entries.iter().rev() {
        let zone = &request.context.zone;
        let changes = entry.changes.iter().flat_map(|change| {
            audit::changes(&change.field, (&change.before, &change.after), zone)
        });
        let changes: Vec<String> = changes
            .map(|change| {
                format!(
                    "\u{201c}{}\u{201d} from {} to {}",
                    change.label,
                    quoted(&change.from),
                    quoted(&change.to)
                )
            })
            .collect();
        let when = request.context.moment(&entry.at).words();
        sentences.push(format!(
            "{} changed this in the meantime ({when}): {}.",
            entry.actor_name,
            changes.join(", ")
        ));
    }
    sentences.push(
        "The form now includes their changes and your input. Review it and save again.".to_owned(),
    );
    sentences.join(" ")
}

fn quoted(value: &str) -> String {
    if value.is_empty() {
        "nothing".to_owned()
    } else {
        format!("\u{201c}{value}\u{201d}")
    }
}

/// What each field was before all of these changes, which stand with the newest first, and what it
/// is after them.
fn together(entries: &[Audit]) -> BTreeMap<&str, (&Value, &Value)> {
    let mut all: BTreeMap<&str, (&Value, &Value)> = BTreeMap::new();
    for change in entries.iter().rev().flat_map(|entry| &entry.changes) {
        all.entry(&change.field)
            .or_insert((&change.before, &change.after))
            .1 = &change.after;
    }
    all
}

/// Takes over what others changed where the form left it as it was. Says whether nothing else was
/// typed there.
fn three_way_merge(typed: &mut Value, before: &Value, after: &Value) -> bool {
    if typed == after {
        return true;
    }
    if let (Value::Object(fields), Value::Object(old), Value::Object(new)) =
        (&mut *typed, before, after)
    {
        let part =
            |side: &Map<String, Value>, name: &str| side.get(name).cloned().unwrap_or(Value::Null);
        return fields.iter_mut().fold(true, |agrees, (name, value)| {
            three_way_merge(value, &part(old, name), &part(new, name)) && agrees
        });
    }
    let untouched = typed == before;
    if untouched {
        typed.clone_from(after);
    }
    // A field that others left alone cannot be at odds.
    untouched || before == after
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stale_form_merges_untouched_fields_and_keeps_input() {
        for (name, typed, before, after, expected, agrees) in [
            (
                "left alone",
                json!("a"),
                json!("a"),
                json!("b"),
                json!("b"),
                true,
            ),
            (
                "the same was typed",
                json!("b"),
                json!("a"),
                json!("b"),
                json!("b"),
                true,
            ),
            (
                "another was typed",
                json!("c"),
                json!("a"),
                json!("b"),
                json!("c"),
                false,
            ),
            (
                "a list that was left alone",
                json!(["x"]),
                json!(["x"]),
                json!([]),
                json!([]),
                true,
            ),
            (
                "parts of an object, each for itself",
                json!({"mine": 2, "theirs": 1}),
                json!({"mine": 1, "theirs": 1, "other": 0}),
                json!({"mine": 1, "theirs": 3, "other": 9}),
                json!({"mine": 2, "theirs": 3}),
                true,
            ),
            (
                "the same part",
                json!({"x": 2}),
                json!({"x": 1}),
                json!({"x": 3}),
                json!({"x": 2}),
                false,
            ),
            (
                "an object that is new",
                json!({"x": 2}),
                Value::Null,
                json!({"x": 3}),
                json!({"x": 2}),
                false,
            ),
        ] {
            let mut value = typed;
            assert_eq!(
                (three_way_merge(&mut value, &before, &after), value),
                (agrees, expected),
                "{name}"
            );
        }
    }
}
