//! Owns how a document is shown as a form: every field with its value, its help, its errors and its
//! warnings. Must not know which resources there are; `form_parser` reads what comes back.

use std::collections::HashMap;

use askama::Template;
use casting_core::form::FieldError;
use casting_core::resource::{FormField, OptionSource, Resource, ResourceSection, Widget};
use serde_json::{Map, Value};

use super::measure::{self, Unit};
use super::schedule_field::{self, Plan};
use super::tier_field::{self, Tiers};
use super::zone::Zone;
use casting_core::image::Architecture;
use casting_core::time::Timestamp;
use casting_core::{image_form, pricing};

/// The options: a value and how people read it.
pub type Choices = HashMap<OptionSource, Vec<(String, String)>>;

/// The errors and warnings of a document.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FormMessages {
    /// Errors.
    pub errors: Vec<FieldError>,
    /// Warnings: possible problems that may be intended.
    pub warnings: Vec<FieldError>,
    /// Whether the record has been changed since the form was made.
    pub is_stale: bool,
}

/// A form, filled in.
#[derive(Debug, Template)]
#[template(path = "console/form.html")]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// The hidden fields: the CSRF token, the version that was read.
    pub hidden: Vec<(&'static str, String)>,
    /// The sections.
    pub sections: Vec<FormSection>,
    /// Mistakes, each with the field that it is found at.
    pub mistakes: Vec<FormError>,
    /// The label of the button.
    pub submit: String,
    /// Where Cancel leads.
    pub cancel: String,
    /// Where what is typed is checked, if it is.
    pub check: Option<&'static str>,
    /// Whether the user may change the record; otherwise the form is shown without a button.
    pub may_change: bool,
    /// Whether the messages are about a change by another administrator.
    pub is_stale: bool,
    /// Whether the page says already that they may only look.
    pub is_told: bool,
}

/// A section, filled in.
#[derive(Debug)]
pub struct FormSection {
    /// For links.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// One sentence.
    pub intro: &'static str,
    /// The fields.
    pub blocks: Vec<Block>,
}

/// A field, with those that depend on it.
#[derive(Debug)]
pub struct Block {
    /// One field, or several permissions.
    pub lead: Vec<Control>,
    /// Those that do nothing without it.
    pub under: Vec<Vec<Control>>,
}

/// An error, as the summary lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct FormError {
    /// The control's id; empty when it is about no single field.
    pub target: String,
    /// The sentence.
    pub text: String,
}

/// A field, filled in.
#[derive(Debug)]
pub struct Control {
    /// The field.
    pub field: &'static FormField,
    /// The element's id.
    pub id: String,
    /// Its value.
    pub holds: FieldValue,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// The value of a control.
#[derive(Debug)]
pub enum FieldValue {
    /// One line, of an input of this type.
    Line {
        /// The input's type.
        kind: &'static str,
        /// What stands in it.
        value: String,
    },
    /// A time, of a browser's own field.
    Time {
        /// What stands in it.
        value: String,
        /// The zone in which it is typed.
        zone: String,
    },
    /// A number in units of which one is chosen; the first is the field's own.
    Measure {
        /// What stands in it.
        value: String,
        /// How many of the field's own units the chosen one is.
        factor: u64,
        /// The units.
        units: &'static [Unit],
    },
    /// The sizes of a task: a heading and its choices.
    Sizes(Vec<(String, Vec<Choice>)>),
    /// Stands in another control.
    Elsewhere(String),
    /// Several lines.
    Area {
        /// What stands in it.
        value: String,
        /// How many lines are shown.
        rows: usize,
        /// Whether it is code rather than prose.
        code: bool,
    },
    /// A box, ticked or not.
    Flag(bool),
    /// Values with their words, and whether each is chosen.
    Choices {
        /// The values.
        options: Vec<Choice>,
        /// Whether several may be chosen.
        many: bool,
    },
    /// Values with their words, each with a box to tick.
    Ticks(Vec<Choice>),
    /// Allowed, forbidden, or neither.
    Permission(Option<bool>),
    /// Something that is never shown; whether there is one.
    Secret(bool),
    /// A weekly plan.
    Plan(Plan),
    /// Access tiers.
    Tiers(Tiers),
    /// What can no longer be changed.
    Fixed(String),
}

/// One of the values of a choice.
#[derive(Debug)]
pub struct Choice {
    /// As it is sent.
    pub value: String,
    /// As people read it.
    pub words: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// The sections of a form over `document`, with its times in `zone`. `is_new` says that the thing is
/// not there yet, so nothing about it is fixed.
pub fn parts(
    resource: &'static Resource,
    document: &Value,
    messages: &FormMessages,
    choices: &Choices,
    zone: &Zone,
    is_new: bool,
) -> Vec<FormSection> {
    let controls = |section: &'static ResourceSection| {
        section
            .fields
            .iter()
            .map(|field| control(resource, field, document, messages, (choices, zone), is_new))
    };
    let part = |section: &'static ResourceSection| FormSection {
        id: section.id,
        title: section.title,
        intro: section.intro,
        blocks: blocks(controls(section).collect()),
    };
    resource.sections.iter().map(part).collect()
}

/// Permissions in a row become one group, and what depends on a flag stands under it.
fn blocks(controls: Vec<Control>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for control in controls {
        let is_permission = control.field.widget == Widget::Permission;
        let joins = |group: &Vec<Control>| {
            is_permission
                && group
                    .first()
                    .is_some_and(|first| first.field.widget == Widget::Permission)
        };
        match blocks.last_mut() {
            Some(block) if control.field.under.is_some() => match block.under.last_mut() {
                Some(group) if joins(group) => group.push(control),
                _ => block.under.push(vec![control]),
            },
            Some(block) if joins(&block.lead) => block.lead.push(control),
            _ => blocks.push(Block {
                lead: vec![control],
                under: Vec::new(),
            }),
        }
    }
    blocks
}

/// The mistakes for the summary, in the order of the page; those about no field come first.
pub fn mistakes(resource: &Resource, messages: &FormMessages) -> Vec<FormError> {
    let mut mistakes: Vec<FormError> = messages
        .errors
        .iter()
        .filter(|error| resource.field_at(&error.pointer).is_none())
        .map(|error| {
            let name = error.pointer.trim_start_matches('/');
            FormError {
                target: String::new(),
                text: resource.in_labels(format!("{name} {}", error.detail).trim()),
            }
        })
        .collect();
    for field in resource.fields() {
        let own = messages.errors.iter().filter_map(|error| {
            resource
                .field_at(&error.pointer)
                .filter(|(found, _)| found.name == field.name)
                .map(|(_, rest)| (error, rest))
        });
        for (error, rest) in own {
            let text = format!(
                "{}: {}",
                field.label,
                sentence(resource, field, rest, &error.detail)
            );
            mistakes.push(FormError {
                target: id_of(field),
                text,
            });
        }
    }
    mistakes
}

/// What a remark says beside its field: `Line 2 must be …`.
pub fn sentence(resource: &Resource, field: &FormField, rest: &str, detail: &str) -> String {
    let detail = in_units(field, &resource.in_labels(detail));
    let within = rest.rsplit('/').next().unwrap_or_default();
    let subject = match (within.parse::<usize>(), within) {
        _ if field.widget == Widget::AccessTiers => tier_field::subject(rest),
        (_, "") => String::new(),
        (Ok(index), _)
            if matches!(
                field.widget,
                Widget::Lines | Widget::Words | Widget::SelectMany(_) | Widget::OpenHours
            ) =>
        {
            format!("line {} ", index + 1)
        }
        (_, "time_zone") => "the time zone ".to_owned(),
        (_, "spans") => "the hours ".to_owned(),
        (_, name) => format!("{} ", name.replace("~1", "/").replace("~0", "~")),
    };
    let text = format!("{subject}{detail}");
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A sentence about the bounds of a number, in the units that people type.
fn in_units(field: &FormField, detail: &str) -> String {
    let Widget::Number { min, max } = field.widget else {
        return detail.to_owned();
    };
    let of_api = format!("must be a whole number from {min} to {max}.");
    match measure::bounds(field, min, max) {
        Some(bounds) if detail == of_api => format!("must be {bounds}."),
        _ => detail.to_owned(),
    }
}

/// The id of a field's control.
pub fn id_of(field: &FormField) -> String {
    format!("f-{}", field.name.replace(['.', '_'], "-"))
}

fn control(
    resource: &Resource,
    field: &'static FormField,
    document: &Value,
    messages: &FormMessages,
    (choices, zone): (&Choices, &Zone),
    is_new: bool,
) -> Control {
    let of_field = |said: &[FieldError]| -> Vec<String> {
        let at = said.iter().filter_map(|one| {
            resource
                .field_at(&one.pointer)
                .filter(|(found, _)| found.name == field.name)
                .map(|(_, rest)| (one, rest))
        });
        at.map(|(one, rest)| sentence(resource, field, rest, &one.detail))
            .collect()
    };
    let value = document.pointer(&field.pointer()).unwrap_or(&Value::Null);
    let holds = if field.fixed && !is_new {
        FieldValue::Fixed(typed(value))
    } else {
        holds(field, value, document, (choices, zone))
    };
    Control {
        field,
        id: id_of(field),
        holds,
        errors: of_field(&messages.errors),
        warnings: of_field(&messages.warnings),
    }
}

fn holds(
    field: &FormField,
    value: &Value,
    document: &Value,
    (choices, zone): (&Choices, &Zone),
) -> FieldValue {
    let area = |value: String, least: usize, code: bool| FieldValue::Area {
        rows: (value.lines().count() + 1).clamp(least, 14),
        value,
        code,
    };
    match field.widget {
        Widget::Line(_) => FieldValue::Line {
            kind: "text",
            value: typed(value),
        },
        Widget::Text => area(typed(value), 2, false),
        Widget::Flag => FieldValue::Flag(value.as_bool().unwrap_or_default()),
        Widget::Number { .. } if !measure::units(field).is_empty() && !value.is_string() => {
            let units = measure::units(field);
            let shown = value.as_u64().map(|number| measure::shown(number, units));
            let usual = units.first().map_or(1, |(factor, _)| *factor);
            let (value, factor) = shown.unwrap_or((String::new(), usual));
            FieldValue::Measure {
                value,
                factor,
                units,
            }
        }
        Widget::TaskCpu => FieldValue::Sizes(sizes(value, &document["memory"])),
        Widget::TaskMemory => FieldValue::Elsewhere(typed(value)),
        // A field for numbers would not show what is none, and what was typed must not be lost.
        Widget::Number { .. } => FieldValue::Line {
            kind: if value.is_string() { "text" } else { "number" },
            value: typed(value),
        },
        Widget::Time => time(value, zone),
        Widget::Lines => area(lines(value), 2, true),
        Widget::Words => area(words(value), 3, true),
        Widget::Choice(options) => {
            let options = options
                .iter()
                .map(|(value, words)| ((*value).to_owned(), (*words).to_owned()));
            choose(options.collect(), &[typed(value)], false)
        }
        Widget::Select(from) => {
            let mut options = vec![(
                String::new(),
                if field.required {
                    "Choose\u{2026}"
                } else {
                    "None"
                }
                .to_owned(),
            )];
            options.extend(choices.get(&from).cloned().unwrap_or_default());
            choose(options, &[typed(value)], false)
        }
        Widget::SelectMany(from) => {
            let picked: Vec<String> = value
                .as_array()
                .map(|items| items.iter().map(typed).collect())
                .unwrap_or_default();
            choose(
                choices.get(&from).cloned().unwrap_or_default(),
                &picked,
                true,
            )
        }
        Widget::Ticks(options) => {
            let ticked = |known: &str| {
                value
                    .as_array()
                    .is_some_and(|items| items.iter().any(|item| item == known))
            };
            let tick = |(value, words): &(&str, &str)| Choice {
                value: (*value).to_owned(),
                words: (*words).to_owned(),
                chosen: ticked(value),
            };
            FieldValue::Ticks(options.iter().map(tick).collect())
        }
        Widget::Permission => FieldValue::Permission(value.as_bool()),
        Widget::Pairs => area(pairs(value), 3, true),
        Widget::Json => area(json(value), 4, true),
        Widget::Secret => FieldValue::Secret(
            document[format!("{}_is_set", field.name)]
                .as_bool()
                .unwrap_or_default(),
        ),
        Widget::OpenHours => FieldValue::Plan(schedule_field::plan(value)),
        Widget::AccessTiers => FieldValue::Tiers(tier_field::tiers(value, choices)),
    }
}

/// The sizes of Fargate by CPU, with their price, and that of a document, if it is another one.
fn sizes(cpu: &Value, memory: &Value) -> Vec<(String, Vec<Choice>)> {
    let is_usual = cpu.is_null() && memory.is_null();
    let chosen = format!("{}/{}", typed(cpu), typed(memory));
    let words = |cpu: u32, memory: u32| {
        let hour = pricing::size_hour(cpu, memory, Architecture::default()) as f64 / 1_000_000.0;
        format!(
            "{} vCPU, {} GB: ${hour:.3} an hour",
            f64::from(cpu) / 1024.0,
            f64::from(memory) / 1024.0
        )
    };
    let (usual_cpu, usual_memory) = image_form::USUAL_SIZE;
    let usual = Choice {
        value: String::new(),
        words: format!("Default: {}", words(usual_cpu, usual_memory)),
        chosen: is_usual,
    };
    let mut groups = vec![(String::new(), vec![usual])];
    for (cpu, memory) in image_form::task_sizes() {
        let name = format!("{} vCPU", f64::from(cpu) / 1024.0);
        let value = format!("{cpu}/{memory}");
        let choice = Choice {
            chosen: value == chosen,
            words: words(cpu, memory),
            value,
        };
        match groups.last_mut().filter(|(known, _)| *known == name) {
            Some((_, choices)) => choices.push(choice),
            None => groups.push((name, vec![choice])),
        }
    }
    let is_known = groups
        .iter()
        .flat_map(|(_, choices)| choices)
        .any(|choice| choice.chosen);
    if !is_known && let Some((_, first)) = groups.first_mut() {
        let (cpu, memory) = (typed(cpu), typed(memory));
        first.push(Choice {
            words: format!("{cpu} CPU units, {memory} MiB"),
            value: chosen,
            chosen: true,
        });
    }
    groups
}

/// What is chosen and no longer there is kept as a choice of its own, so that a look at a form
/// changes nothing.
fn choose(mut options: Vec<(String, String)>, chosen: &[String], many: bool) -> FieldValue {
    for value in chosen.iter().filter(|value| !value.is_empty()) {
        if options.iter().all(|(known, _)| known != value) {
            options.push((value.clone(), format!("{value} (no longer there)")));
        }
    }
    let options = options.into_iter().map(|(value, words)| Choice {
        chosen: chosen.contains(&value),
        value,
        words,
    });
    FieldValue::Choices {
        options: options.collect(),
        many,
    }
}

/// A value as it is typed on one line.
fn typed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time that a browser's own field can hold, or else what was typed.
fn time(value: &Value, zone: &Zone) -> FieldValue {
    let text = typed(value);
    let held = |value: String, zone: &Zone| FieldValue::Time {
        value,
        zone: zone.name().to_owned(),
    };
    if text.is_empty() {
        return held(text, zone);
    }
    let at = Timestamp::parse(&text);
    let local = at.and_then(|at| zone.typed(at).map(|local| held(local, zone)));
    // Every time can be told in UTC.
    let utc = Zone::default();
    let local = local.or_else(|| Some(held(utc.typed(at?)?, &utc)));
    local.unwrap_or(FieldValue::Line {
        kind: "text",
        value: text,
    })
}

fn lines(value: &Value) -> String {
    let items = value
        .as_array()
        .map(|items| items.iter().map(typed).collect::<Vec<_>>());
    items.map_or_else(|| typed(value), |items| items.join("\n"))
}

fn words(value: &Value) -> String {
    let words: Vec<&str> = value
        .as_array()
        .map(|items| items.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let plain = |word: &&str| !word.trim().is_empty() && !word.contains(['\n', '\r']);
    let is_list = words
        .first()
        .is_some_and(|first| first.trim_start().starts_with('['));
    if !is_list && words.iter().all(plain) {
        words.join("\n")
    } else {
        value.to_string()
    }
}

fn pairs(value: &Value) -> String {
    let empty = Map::new();
    let pairs = value.as_object().unwrap_or(&empty);
    let plain = |(name, value): (&String, &Value)| {
        value
            .as_str()
            .is_none_or(|text| !text.contains(['\n', '\r']))
            && !name.starts_with('{')
            && !name.contains(['=', '\n'])
            && *name == name.trim()
    };
    if !pairs.iter().all(plain) {
        return serde_json::to_string_pretty(value).unwrap_or_default();
    }
    let line = |(name, value): (&String, &Value)| {
        value
            .as_str()
            .map_or_else(|| name.clone(), |value| format!("{name}={value}"))
    };
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn json(value: &Value) -> String {
    match value {
        Value::Object(object) if object.is_empty() => String::new(),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

impl Control {
    /// The ids of what describes it, in the order in which it is read.
    pub fn described_by(&self) -> String {
        let said = [
            (!self.errors.is_empty(), "error"),
            (!self.warnings.is_empty(), "warning"),
            (!self.field.help.is_empty(), "help"),
        ];
        let ids = said
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, what)| format!("{}-{what}", self.id));
        ids.collect::<Vec<_>>().join(" ")
    }

    /// The least, the most and the unit of a number.
    pub fn range(&self) -> Option<(u64, u64, &'static str)> {
        match self.field.widget {
            Widget::Number { min, max } => Some((min, max, self.field.unit)),
            _ => None,
        }
    }

    /// Whether it is money, whose unit stands before it.
    pub fn is_money(&self) -> bool {
        measure::is_money(self.field)
    }

    /// What a browser sends of it.
    pub fn sends(&self) -> Vec<(String, String)> {
        let one = |value: &str| vec![(self.field.name.to_owned(), value.to_owned())];
        match &self.holds {
            FieldValue::Line { value, .. } | FieldValue::Area { value, .. } => one(value),
            FieldValue::Flag(on) => {
                if *on {
                    one("on")
                } else {
                    Vec::new()
                }
            }
            FieldValue::Choices { options, .. } | FieldValue::Ticks(options) => options
                .iter()
                .filter(|choice| choice.chosen)
                .flat_map(|choice| one(&choice.value))
                .collect(),
            FieldValue::Permission(allowed) => {
                one(allowed.map_or("", |allowed| if allowed { "true" } else { "false" }))
            }
            FieldValue::Time { value, zone } => vec![
                (self.field.name.clone(), value.clone()),
                (format!("{}.zone", self.field.name), zone.clone()),
            ],
            FieldValue::Measure { value, factor, .. } => vec![
                (self.field.name.clone(), value.clone()),
                (format!("{}.unit", self.field.name), factor.to_string()),
            ],
            FieldValue::Sizes(groups) => groups
                .iter()
                .flat_map(|(_, choices)| choices)
                .filter(|choice| choice.chosen)
                .flat_map(|choice| one(&choice.value))
                .collect(),
            FieldValue::Secret(_) | FieldValue::Fixed(_) | FieldValue::Elsewhere(_) => Vec::new(),
            FieldValue::Tiers(tiers) => tiers.sends(&self.field.name),
            FieldValue::Plan(plan) => {
                let mut fields = vec![(format!("{}.zone", self.field.name), plan.zone.clone())];
                for (at, line) in plan.lines.iter().enumerate() {
                    let name = |part: &str| format!("{}.{at}.{part}", self.field.name);
                    fields.extend(line.days.iter().map(|day| (name("day"), day.clone())));
                    fields.extend([
                        (name("from"), line.from.clone()),
                        (name("to"), line.to.clone()),
                    ]);
                }
                fields
            }
        }
    }
}
