//! Owns the configuration document: settings, networks, groups, images, staging configs and casts
//! in one readable document, for version control and for another deployment. [`export`] writes it,
//! [`plan`] compares it with what is stored, [`apply`] carries a plan out. Must not know HTTP, YAML
//! or which values are valid (the forms of `input` do).
//!
//! # What a document means
//! - Records refer to each other by name, not by id, so that a document fits any deployment.
//! - A record is recognised by its name, a cast by its key. A cast without a key is recognised by
//!   its name, and gets a generated key when it is created.
//! - A field that is left out has its default. Two things are never written over: secrets, which no
//!   document contains, and the Sessions Remaining of an existing cast, which every claim changes.
//! - Records that a document does not name stay, unless `prune` is set; then those of the sections
//!   that it does name are deleted.
//!
//! Each change is one transaction with its audit entry, and applying is idempotent: an interrupted
//! call is repeated.

mod plan;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::plan::{Step, StepAction};
use self::sections::{Names, Section, Stored};
use crate::admin::error::AdminError;
use crate::admin::version::Precondition;
use crate::admin::{AdminService, audits};
use crate::form::{FieldError, FieldErrors, FieldParser, Form, flag, line};
use crate::json_schema::{self, SchemaBuilder};
use crate::keys::hash_secret;

pub use self::plan::Plan;

/// The version of the format.
pub const FORMAT: u64 = 1;
/// How many changes one call carries out at most, so that it ends within the time of a request.
pub const STEPS_PER_CALL: usize = 50;

/// A document that is to be applied, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The configuration.
    pub configuration: Value,
    /// Whether records that the document does not name are deleted.
    pub prune: bool,
    /// The digest of the plan that was agreed to; nothing happens if the plan is another one now.
    pub plan: Option<String>,
}

impl Request {
    /// Reads `{"configuration": …, "prune": …, "plan": …}`.
    ///
    /// # Errors
    /// Every mistake outside the configuration.
    pub fn read(input: &Value) -> Result<Self, FieldErrors> {
        read_request(&mut Form::over(Map::new(), input, &[])?)
    }
}

fn read_request(form: &mut Form) -> Result<Request, FieldErrors> {
    let any = || FieldParser::new(|value: &Value| Ok(value.clone()), shown_schema);
    let flag = FieldParser::new(flag, || json!({ "type": "boolean" }));
    let configuration = form.required("configuration", any());
    let prune = form.defaulted("prune", false, flag);
    let plan = form.nullable("plan", line(1..=200));
    form.finish()?;
    Ok(Request {
        configuration: configuration.unwrap_or_default(),
        prune,
        plan,
    })
}

/// What a call of [`apply`] has done.
pub struct Applied {
    steps: Vec<Step>,
    rest: Plan,
}

impl Applied {
    /// As the API shows it.
    pub fn view(&self) -> Value {
        json!({
            "applied": self.steps.iter().map(Step::view).collect::<Vec<_>>(),
            "remaining": self.rest.steps.len(),
            "plan": digest(&self.rest),
        })
    }
}

/// The configuration of this deployment as a document. What is at its default is left out.
///
/// # Errors
/// `Conflict` when two records of a kind have the same name: others could not refer to them.
pub async fn export(service: &AdminService<'_>) -> Result<Value, AdminError> {
    let stored = Stored::read(service).await?;
    let mut document = Map::from_iter([("version".to_owned(), json!(FORMAT))]);
    let ground = ground(service);
    for section in Section::ALL {
        if let Some(name) = stored.names.ambiguous(section).next() {
            return Err(AdminError::conflict(format!(
                "There are two {} called \u{201c}{name}\u{201d}: rename one, because a configuration refers to them by name.",
                section.title()
            )));
        }
        let records = stored.of(section).filter(|record| record.is_stored);
        let mut written: Vec<Value> = records
            .map(|record| Value::Object(section.shortest(&record.fields, &stored, &ground)))
            .collect();
        let value = match section {
            Section::Settings => written.pop().unwrap_or_else(|| json!({})),
            _ => Value::Array(written),
        };
        document.insert(section.name().to_owned(), value);
    }
    Ok(Value::Object(document))
}

/// What applying this document would change.
///
/// # Errors
/// Every mistake in the document, with pointers into it.
pub async fn plan(service: &AdminService<'_>, request: &Request) -> Result<Plan, AdminError> {
    let stored = Stored::read(service).await?;
    Ok(Plan::of(
        &request.configuration,
        &stored,
        request.prune,
        &ground(service),
    )?)
}

/// Makes the changes of the plan, [`STEPS_PER_CALL`] at most; a call whose reply says that some
/// remain is repeated with the plan of that reply.
///
/// # Errors
/// As [`plan`]; `Forbidden` without the scopes for all changes; `Stale` when the plan is not the
/// one that was agreed to, or a record changes at the same time. What was changed before an error
/// stays.
pub async fn apply(service: &AdminService<'_>, request: &Request) -> Result<Applied, AdminError> {
    let stored = Stored::read(service).await?;
    let mut plan = Plan::of(
        &request.configuration,
        &stored,
        request.prune,
        &ground(service),
    )?;
    if request
        .plan
        .as_ref()
        .is_some_and(|agreed| *agreed != digest(&plan))
    {
        return Err(AdminError::Stale);
    }
    permit(service, &plan)?;
    let rest = plan.steps.split_off(plan.steps.len().min(STEPS_PER_CALL));
    let mut names = stored.names;
    for step in &plan.steps {
        carry_out(service, step, &mut names)
            .await
            .map_err(|error| at(step, error))?;
    }
    Ok(Applied {
        steps: plan.steps,
        rest: Plan {
            steps: rest,
            unchanged: plan.unchanged,
        },
    })
}

/// A digest of the changes of a plan: the same changes have the same one.
pub fn digest(plan: &Plan) -> String {
    let steps: Vec<Value> = plan.steps.iter().map(Step::view).collect();
    hash_secret(&json!(steps).to_string())
}

/// The JSON Schema of a document.
pub fn schema() -> Value {
    let mut properties = Map::from_iter([(
        "version".to_owned(),
        json!({ "const": FORMAT, "description": "The version of the format." }),
    )]);
    for section in Section::ALL {
        properties.insert(section.name().to_owned(), section.schema());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a session casting deployment",
        "type": "object",
        "properties": properties,
        "required": ["version"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of [`Plan::view`].
pub fn plan_schema() -> Value {
    json_schema::object(json!({
        "steps": { "type": "array", "items": step_schema() },
        "unchanged": { "type": "integer", "minimum": 0, "description": "How many records of the document are as it says already." },
        "plan": { "type": "string", "description": "The digest of these steps; send it with the document to apply exactly them." },
    }))
}

/// The JSON Schema of [`Applied::view`].
pub fn applied_schema() -> Value {
    json_schema::object(json!({
        "applied": { "type": "array", "items": step_schema() },
        "remaining": { "type": "integer", "minimum": 0, "description": "How many steps are left; repeat the request with `plan` until there are none." },
        "plan": { "type": "string", "description": "The digest of the steps that are left." },
    }))
}

/// The JSON Schema of a document in short, for the API's document; [`schema`] is the whole one.
pub fn shown_schema() -> Value {
    let sections = Section::ALL.map(|section| {
        let kind = match section.identity() {
            None => "object",
            Some(_) => "array",
        };
        (section.name().to_owned(), json!({ "type": kind }))
    });
    let mut properties = Map::from_iter([("version".to_owned(), json!({ "const": FORMAT }))]);
    properties.extend(sections);
    json!({
        "type": "object",
        "required": ["version"],
        "properties": properties,
        "additionalProperties": false,
        "description": "A configuration, as exported. `/api/admin/configuration/schema.json` is its whole schema.",
    })
}

/// The JSON Schema of a [`Request`].
pub fn request_schema() -> Value {
    let prune = "Whether records that the configuration does not name are deleted, in the sections \
                 that it has.";
    SchemaBuilder::of(|form| _ = read_request(form))
        .described(&[
            ("prune", prune),
            ("plan", "The digest of the plan that was agreed to."),
        ])
        .whole()
}

fn step_schema() -> Value {
    let change =
        json_schema::object(json!({ "field": { "type": "string" }, "before": {}, "after": {} }));
    json_schema::object(json!({
        "action": { "type": "string", "enum": StepAction::ALL },
        "kind": { "type": "string", "enum": Section::ALL.map(Section::kind) },
        "name": { "type": "string", "description": "The record's name; a cast's key." },
        "changes": { "type": "array", "items": change },
    }))
}

fn ground<'a>(service: &'a AdminService<'_>) -> plan::Ground<'a> {
    plan::Ground {
        own: service.control_plane.urls.own_urls(),
        entropy: &*service.control_plane.entropy,
    }
}

/// The actor must have the scopes for all kinds of records that change.
fn permit(service: &AdminService<'_>, plan: &Plan) -> Result<(), AdminError> {
    let scopes: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| audits::scope_of(step.section.kind()))
        .filter(|scope| !service.actor.may(*scope))
        .map(|scope| scope.as_str())
        .collect();
    if scopes.is_empty() {
        return Ok(());
    }
    let scopes: Vec<&str> = scopes.into_iter().collect();
    Err(AdminError::forbidden(format!(
        "These changes need more scopes: {}.",
        scopes.join(", ")
    )))
}

async fn carry_out(
    service: &AdminService<'_>,
    step: &Step,
    names: &mut Names,
) -> Result<(), AdminError> {
    let over = Precondition::version(step.version);
    match step.action {
        StepAction::Create => {
            let document = names.resolved(step.section, &step.fields);
            let id = step
                .section
                .create(service, &Value::Object(document))
                .await?;
            names.add(step.section, &step.name, &id);
        }
        StepAction::Change => {
            let changed = step
                .changes
                .iter()
                .map(|change| (change.field.clone(), change.after.clone()));
            let document = names.resolved(step.section, &changed.collect());
            let document = Value::Object(document);
            step.section
                .change(service, &step.id, &document, &over)
                .await?;
        }
        StepAction::Delete => step.section.delete(service, &step.id, &over).await?,
    }
    Ok(())
}

/// The error, with the place in the document that it is about.
fn at(step: &Step, error: AdminError) -> AdminError {
    let words = format!(
        "{} \u{201c}{}\u{201d}",
        step.section.kind().as_str(),
        step.name
    );
    match error {
        AdminError::Fields(errors) => {
            let errors = step.section.in_document_terms(errors);
            AdminError::Fields(plan::under(&step.pointer, errors))
        }
        AdminError::Conflict(detail) => AdminError::Conflict(format!("{words}: {detail}")),
        AdminError::NotFound(detail) => AdminError::NotFound(format!("{words}: {detail}")),
        other => other,
    }
}
