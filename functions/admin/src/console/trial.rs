//! Owns the page on which a link is tested: a made-up visit in, every rule's answer as a step out.
//! Must not know the rules.

use std::collections::BTreeMap;

use askama::Template;
use serde_json::{Map, Value, json};

use super::cast_labels::text;
use super::form_parser::FormData;
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::records::list_of;
use super::shown;
use super::time_format::length;

/// The fields of a made-up visit: name, label, example, help.
const FIELDS: [(&str, &str, &str, &str); 10] = [
    (
        "address",
        "Address",
        "192.0.2.1",
        "The visitor\u{2019}s address, used for limits and blocks.",
    ),
    (
        "referrer",
        "Came from",
        "https://acme.com/page",
        "The page with the link. Empty: typed or mailed.",
    ),
    ("user", "Signed in as", "", "Empty: not signed in."),
    (
        "groups",
        "Groups",
        "Staff",
        "The user’s groups, separated by commas.",
    ),
    (
        "browser",
        "Browser",
        "",
        "An identifier of the browser, where limits count browsers.",
    ),
    (
        "kasm_url",
        "kasm_url",
        "https://example.com",
        "The address passed with the link.",
    ),
    (
        "docker_network",
        "docker_network",
        "lab",
        "The network passed with the link.",
    ),
    (
        "invitation",
        "invitation",
        "",
        "The invitation passed with the link: what stands behind invitation= in its address.",
    ),
    (
        "captcha",
        "CAPTCHA",
        "yes",
        "Whether it is solved: yes or no. Empty: not said.",
    ),
    ("at", "When", "2026-12-31T18:00:00Z", "Empty: now."),
];

/// How many of them are always shown.
const FIRST: usize = 2;

/// A test of a link.
#[derive(Debug)]
pub struct TrialPage<'a> {
    /// The cast, as the API shows it.
    pub cast: &'a Value,
    /// What was typed, by field.
    pub typed: BTreeMap<String, String>,
    /// What is wrong with it, by field.
    pub errors: BTreeMap<String, String>,
    /// The answer as the API gives it, once there is one.
    pub outcome: Option<&'a Value>,
}

struct Line {
    name: &'static str,
    label: &'static str,
    example: &'static str,
    help: &'static str,
    value: String,
    error: String,
}

struct Step {
    class: &'static str,
    passes: bool,
    question: String,
    because: String,
    code: String,
    is_answer: bool,
}

#[derive(Template)]
#[template(path = "console/trial.html")]
struct Main<'a> {
    context: &'a PageContext,
    id: &'a str,
    lines: Vec<Line>,
    more: Vec<Line>,
    more_said: bool,
    tested: bool,
    admitted: bool,
    groups: String,
    refusal: String,
    wait: String,
    steps: Vec<Step>,
}

/// The page.
pub fn page(context: &PageContext, page: &TrialPage<'_>) -> Screen {
    let (id, name) = (text(page.cast, "id"), text(page.cast, "name"));
    let line = |(field, label, example, help): (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )| Line {
        name: field,
        label,
        example,
        help,
        value: page.typed.get(field).cloned().unwrap_or_default(),
        error: page.errors.get(field).cloned().unwrap_or_default(),
    };
    let outcome = page.outcome.unwrap_or(&Value::Null);
    let steps = steps(outcome);
    let refusal = steps
        .iter()
        .find(|step| step.is_answer)
        .map(|step| step.because.clone())
        .unwrap_or_default();
    let mut lines: Vec<Line> = FIELDS.map(line).into();
    let more = lines.split_off(FIRST);
    let main = Main {
        context,
        id,
        lines,
        more_said: more
            .iter()
            .any(|line| !line.value.is_empty() || !line.error.is_empty()),
        more,
        tested: page.outcome.is_some(),
        admitted: outcome["admitted"].as_bool().unwrap_or_default(),
        groups: list_of(&outcome["groups"]),
        refusal,
        wait: outcome["retry_after"]
            .as_u64()
            .map(length)
            .unwrap_or_default(),
        steps,
    };
    let mut screen = Screen::new(Place::Casts, "Test this link", shown(&main));
    screen.trail = vec![
        ("Casts".into(), paths::CASTS.into()),
        (name.to_owned(), paths::cast(id)),
    ];
    "Runs a simulated visit through the same rules as a real one. Nothing is started or counted."
        .clone_into(&mut screen.lead);
    if !page.errors.is_empty() {
        screen.status = http::StatusCode::UNPROCESSABLE_ENTITY;
    }
    screen
}

fn steps(outcome: &Value) -> Vec<Step> {
    let steps = outcome["steps"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let first_refusal = steps.iter().position(|step| step["passes"] == json!(false));
    let step = |(at, step): (usize, &Value)| {
        let passes = step["passes"].as_bool().unwrap_or_default();
        let is_answer = first_refusal == Some(at);
        let after = first_refusal.is_some_and(|first| at > first);
        let class = match (passes, is_answer, after) {
            (_, true, _) => "no answer",
            (true, _, true) => "yes after",
            (false, _, _) => "no after",
            (true, _, false) => "yes",
        };
        let part = |field: &str| text(step, field).to_owned();
        Step {
            class,
            passes,
            question: part("question"),
            because: part("because"),
            code: part("code"),
            is_answer,
        }
    };
    steps.iter().enumerate().map(step).collect()
}

/// What was typed, as it is shown again.
pub fn typed(form_data: &FormData) -> BTreeMap<String, String> {
    let of = |name: &str| form_data.first(name).unwrap_or_default().trim().to_owned();
    FIELDS
        .iter()
        .map(|(name, ..)| ((*name).to_owned(), of(name)))
        .collect()
}

/// What was typed, as the API takes it.
pub fn document(typed: &BTreeMap<String, String>) -> Value {
    let mut document = Map::new();
    for (name, value) in typed.iter().filter(|(_, value)| !value.is_empty()) {
        let value = match name.as_str() {
            "groups" => json!(
                value
                    .split(',')
                    .map(str::trim)
                    .filter(|group| !group.is_empty())
                    .collect::<Vec<_>>()
            ),
            "captcha" => match value.to_lowercase().as_str() {
                "yes" => json!(true),
                "no" => json!(false),
                _ => json!(value),
            },
            _ => json!(value),
        };
        document.insert(name.clone(), value);
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trial_form_becomes_a_simulated_visit() {
        let form_data = [
            ("address", " 192.0.2.1 "),
            ("groups", "Staff, Guests,"),
            ("user", "Ann"),
            ("captcha", "Yes"),
            ("at", ""),
        ];
        let form_data = FormData::new(
            form_data
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!(
            document(&typed(&form_data)),
            json!({"address": "192.0.2.1", "groups": ["Staff", "Guests"], "user": "Ann", "captcha": true})
        );
    }

    #[test]
    fn trial_highlights_the_first_refusal() {
        let step = |passes: bool| json!({"passes": passes, "question": "?", "because": "."});
        let steps = steps(&json!({"steps": [step(true), step(false), step(true), step(false)]}));
        assert_eq!(
            steps.iter().map(|step| step.class).collect::<Vec<_>>(),
            ["yes", "no answer", "yes after", "no after"]
        );
    }
}
