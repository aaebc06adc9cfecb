//! Owns the comparison of a configuration document with what is stored: pure, from both to a list
//! of steps. Must not know how a step is carried out.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::digest;
use super::sections::{Section, Stored, StoredRecord};
use super::{FORMAT, FieldError, FieldErrors};
use crate::audit::FieldChange;
use crate::ids::Entropy;
use crate::url_rules::OwnUrls;

/// What the forms need beside the document.
pub(super) struct Ground<'a> {
    pub(super) own: OwnUrls,
    pub(super) entropy: &'a dyn Entropy,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StepAction {
    Create,
    Change,
    Delete,
}

impl StepAction {
    pub(super) const ALL: [Self; 3] = [Self::Create, Self::Change, Self::Delete];
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) action: StepAction,
    pub(super) section: Section,
    /// Where the record stands in the document; empty for one that is deleted.
    pub(super) pointer: String,
    /// The name by which it is recognised.
    pub(super) name: String,
    /// Its id; empty before it is created.
    pub(super) id: String,
    /// The version over which it is changed.
    pub(super) version: u64,
    /// All fields of a new record, with names for references.
    pub(super) fields: Map<String, Value>,
    /// The fields that change, with names for references.
    pub(super) changes: Vec<FieldChange>,
}

impl Step {
    pub(super) fn view(&self) -> Value {
        json!({
            "action": self.action,
            "kind": self.section.kind(),
            "name": self.name,
            "changes": self.changes,
        })
    }
}

/// The changes that make what is stored agree with a document, in the order in which they are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) unchanged: usize,
}

impl Plan {
    /// As the API shows it.
    pub fn view(&self) -> Value {
        json!({
            "steps": self.steps.iter().map(Step::view).collect::<Vec<_>>(),
            "unchanged": self.unchanged,
            "plan": digest(self),
        })
    }

    /// Compares a document with what is stored.
    pub(super) fn of(
        document: &Value,
        stored: &Stored,
        prune: bool,
        ground: &Ground<'_>,
    ) -> Result<Self, FieldErrors> {
        let entries = read(document)?;
        let stored = stored.with_new(&entries);
        let mut planner = Planner {
            stored: &stored,
            ground,
            plan: Self {
                steps: Vec::new(),
                unchanged: 0,
            },
            errors: Vec::new(),
        };
        let mut named: Vec<BTreeSet<String>> = Vec::new();
        for section in Section::ALL {
            named.push(planner.section(section, &entries));
        }
        if prune {
            for (section, named) in Section::ALL.into_iter().zip(named).rev() {
                if entries.iter().any(|entry| entry.section == section) || has(document, section) {
                    planner.prune(section, &named);
                }
            }
        }
        if planner.errors.is_empty() {
            Ok(planner.plan)
        } else {
            Err(FieldErrors(planner.errors))
        }
    }
}

/// These errors of the record that stands at `pointer`.
pub(super) fn under(pointer: &str, errors: FieldErrors) -> FieldErrors {
    let place = |error: FieldError| FieldError {
        pointer: format!("{pointer}{}", error.pointer),
        ..error
    };
    FieldErrors(errors.0.into_iter().map(place).collect())
}

fn has(document: &Value, section: Section) -> bool {
    document.get(section.name()).is_some()
}

/// One record of a document.
pub(super) struct Entry {
    pub(super) section: Section,
    pub(super) pointer: String,
    pub(super) fields: Map<String, Value>,
}

impl Entry {
    /// A text of it; `None` if it is not there.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// The records of a document, in its order.
fn read(document: &Value) -> Result<Vec<Entry>, FieldErrors> {
    let Value::Object(fields) = document else {
        return Err(FieldErrors::one("", "must be an object."));
    };
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    if fields.get("version").and_then(Value::as_u64) != Some(FORMAT) {
        let detail = format!("must be {FORMAT}, the version of the format that is read here.");
        errors.push(FieldError::new("/version", detail));
    }
    for (name, value) in fields.iter().filter(|(name, _)| *name != "version") {
        let pointer = format!("/{name}");
        let Some(section) = Section::ALL
            .into_iter()
            .find(|section| section.name() == name)
        else {
            let known = Section::ALL.map(Section::name).join(", ");
            let detail = format!("is not a section; there are {known}.");
            errors.push(FieldError::new(pointer, detail));
            continue;
        };
        let values = match (section, value) {
            (Section::Settings, value) => vec![(pointer, value)],
            (_, Value::Array(values)) => values
                .iter()
                .enumerate()
                .map(|(index, value)| (format!("{pointer}/{index}"), value))
                .collect(),
            _ => {
                errors.push(FieldError::new(pointer, "must be a list."));
                continue;
            }
        };
        for (pointer, value) in values {
            match value {
                Value::Object(fields) => entries.push(Entry {
                    section,
                    pointer,
                    fields: fields.clone(),
                }),
                _ => errors.push(FieldError::new(pointer, "must be an object.")),
            }
        }
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(FieldErrors(errors))
    }
}

struct Planner<'a> {
    stored: &'a Stored,
    ground: &'a Ground<'a>,
    plan: Plan,
    errors: Vec<FieldError>,
}

impl<'a> Planner<'a> {
    /// Plans a section; returns the ids of the stored records that it names.
    fn section(&mut self, section: Section, entries: &[Entry]) -> BTreeSet<String> {
        let (mut seen, mut named) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries.iter().filter(|entry| entry.section == section) {
            let before = match self.recognise(entry, &mut seen) {
                Ok(before) => before,
                Err(error) => {
                    self.errors.push(error);
                    continue;
                }
            };
            named.extend(before.map(|record| record.id.clone()));
            match section.desired(entry, before, self.stored, self.ground) {
                Ok(fields) => self.compare(entry, before, fields),
                Err(errors) => {
                    self.errors.extend(under(&entry.pointer, errors).0);
                }
            }
        }
        named
    }

    /// The stored record that an entry is about; `None` if it is a new one.
    fn recognise(
        &self,
        entry: &Entry,
        seen: &mut BTreeSet<(&'static str, String)>,
    ) -> Result<Option<&'a StoredRecord>, FieldError> {
        let section = entry.section;
        let Some(identity) = section.identity() else {
            return Ok(self.stored.of(section).next());
        };
        let wrong = |field: &str, detail: &str| {
            FieldError::new(format!("{}/{field}", entry.pointer), detail)
        };
        // A cast without a key is recognised by its name.
        let field = if entry.text(identity).is_some() {
            identity
        } else if section == Section::Casts {
            "name"
        } else {
            return Err(wrong(identity, "is required, and is a text."));
        };
        let Some(name) = entry.text(field) else {
            return Err(wrong(field, "is required, and is a text."));
        };
        if !seen.insert((field, name.to_owned())) {
            return Err(wrong(field, "is there twice."));
        }
        let mut found = self
            .stored
            .of(section)
            .filter(|record| record.text(field) == Some(name));
        let first = found.next();
        if found.next().is_some() {
            let detail = format!(
                "is the {field} of several {} of this deployment: rename all but one.",
                section.title()
            );
            return Err(wrong(field, &detail));
        }
        Ok(first)
    }

    fn compare(
        &mut self,
        entry: &Entry,
        before: Option<&StoredRecord>,
        fields: Map<String, Value>,
    ) {
        let section = entry.section;
        let nothing = Map::new();
        let old = before.map_or(&nothing, |record| &record.fields);
        let value =
            |side: &Map<String, Value>, name: &str| side.get(name).cloned().unwrap_or(Value::Null);
        let changes: Vec<FieldChange> = fields
            .iter()
            .map(|(field, after)| FieldChange {
                field: field.clone(),
                before: value(old, field),
                after: after.clone(),
            })
            .filter(|change| change.before != change.after)
            .collect();
        if before.is_some() && changes.is_empty() {
            self.plan.unchanged += 1;
            return;
        }
        let name = section.identity().and_then(|identity| {
            let known = fields.get(identity).or_else(|| old.get(identity));
            known.or_else(|| fields.get("name")).and_then(Value::as_str)
        });
        self.plan.steps.push(Step {
            action: match before {
                Some(_) => StepAction::Change,
                None => StepAction::Create,
            },
            section,
            pointer: entry.pointer.clone(),
            name: name.unwrap_or(section.name()).to_owned(),
            id: before.map(|record| record.id.clone()).unwrap_or_default(),
            version: before.map_or(0, |record| record.version),
            fields,
            changes,
        });
    }

    /// Deletes the stored records that a document does not name.
    fn prune(&mut self, section: Section, named: &BTreeSet<String>) {
        let Some(identity) = section.identity() else {
            return;
        };
        let gone = self.stored.of(section).filter(|record| {
            record.is_stored && !record.is_built_in && !named.contains(&record.id)
        });
        let steps = gone.map(|record| Step {
            action: StepAction::Delete,
            section,
            pointer: String::new(),
            name: record.text(identity).unwrap_or_default().to_owned(),
            id: record.id.clone(),
            version: record.version,
            fields: Map::new(),
            changes: Vec::new(),
        });
        self.plan.steps.extend(steps);
    }
}
