//! Owns task definitions: register, describe, deregister, and what of them is run. Must not run
//! anything.

use std::collections::BTreeMap;

use casting_core::image::GATE_CONTAINER;
use casting_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::journal::Line;
use super::task_store::{State, TaskStore};
use super::wire::ApiError;

/// A task definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Definition {
    pub arn: String,
    pub family: String,
    pub revision: u32,
    pub is_active: bool,
    pub registered_at: Timestamp,
    pub cpu: Value,
    pub memory: Value,
    pub container: Container,
    /// The registered definition, as it was sent.
    document: Map<String, Value>,
}

/// The container of a task definition, as far as a process has such things.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Container {
    pub name: String,
    pub image: Option<String>,
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
    pub environment: Vec<Pair>,
    /// In seconds.
    pub stop_timeout: Option<u32>,
}

/// A variable of the environment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pair {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Registration {
    family: String,
    container_definitions: Vec<Container>,
    network_mode: Option<String>,
    requires_compatibilities: Vec<String>,
    cpu: Option<String>,
    memory: Option<String>,
}

pub(super) fn register(store: &TaskStore, body: Value) -> Result<Value, ApiError> {
    let registration: Registration = ApiError::read(body.clone())?;
    let container = check(&registration)?.clone();
    let Value::Object(mut document) = body else {
        return Err(ApiError::serialization("a document is wanted"));
    };
    let tags = document.remove("tags").unwrap_or_else(|| json!([]));
    let family = registration.family;
    let state = &mut store.lock();
    let revision = state
        .definitions
        .get(&family)
        .and_then(|known| known.keys().next_back())
        .map_or(1, |newest| newest + 1);
    let definition = Definition {
        arn: store.arn(&format!("task-definition/{family}:{revision}")),
        family: family.clone(),
        revision,
        is_active: true,
        registered_at: store.clock.now(),
        cpu: json!(registration.cpu),
        memory: json!(registration.memory),
        container,
        document,
    };
    let answer = json!({ "taskDefinition": definition.to_json(), "tags": tags });
    state.note(&Line::Definition(&definition));
    state
        .definitions
        .entry(family)
        .or_default()
        .insert(revision, definition);
    Ok(answer)
}

pub(super) fn describe(store: &TaskStore, body: &Value) -> Result<Value, ApiError> {
    let state = store.lock();
    let definition = find(&state, &name_in(body)?)
        .ok_or_else(|| ApiError::client("Unable to describe task definition."))?;
    Ok(json!({ "taskDefinition": definition.to_json(), "tags": [] }))
}

pub(super) fn deregister(store: &TaskStore, body: &Value) -> Result<Value, ApiError> {
    let (state, name) = (&mut store.lock(), name_in(body)?);
    let unknown = || ApiError::client("The specified task definition does not exist.");
    let (family, revision) = find(state, &name)
        .map(|found| (found.family.clone(), found.revision))
        .ok_or_else(unknown)?;
    let found = state
        .definitions
        .get_mut(&family)
        .and_then(|known| known.get_mut(&revision))
        .ok_or_else(unknown)?;
    found.is_active = false;
    let found = found.clone();
    state.note(&Line::Definition(&found));
    Ok(json!({ "taskDefinition": found.to_json() }))
}

/// The definition that a family, family:revision or ARN names; a family alone names its newest
/// active revision.
pub(super) fn find<'a>(state: &'a State, name: &str) -> Option<&'a Definition> {
    let name = name.rsplit('/').next().unwrap_or(name);
    match name.split_once(':') {
        Some((family, revision)) => state.definitions.get(family)?.get(&revision.parse().ok()?),
        None => state
            .definitions
            .get(name)?
            .values()
            .rev()
            .find(|definition| definition.is_active),
    }
}

fn name_in(body: &Value) -> Result<String, ApiError> {
    let name = body.get("taskDefinition").and_then(Value::as_str);
    name.map(str::to_owned)
        .ok_or_else(|| ApiError::client("Task definition can not be blank."))
}

/// The checks of ECS for tasks of our kind: Fargate, with one container.
fn check(registration: &Registration) -> Result<&Container, ApiError> {
    let family_fits = (1..=255).contains(&registration.family.len())
        && registration
            .family
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !family_fits {
        return Err(ApiError::client(
            "Family contains invalid characters or is blank.",
        ));
    }
    // A gate that is brought along or stands beside the app is a program of this machine.
    let mut apps = registration
        .container_definitions
        .iter()
        .filter(|container| container.name != GATE_CONTAINER);
    let (Some(container), None) = (apps.next(), apps.next()) else {
        return Err(ApiError::client(
            "This endpoint runs task definitions with exactly one container beside the gate's.",
        ));
    };
    if container.name.is_empty() || container.image.as_deref().unwrap_or_default().is_empty() {
        return Err(ApiError::client(
            "Container.name and Container.image should not be null or empty.",
        ));
    }
    if registration
        .requires_compatibilities
        .iter()
        .any(|kind| kind == "FARGATE")
    {
        if registration.network_mode.as_deref() != Some("awsvpc") {
            return Err(ApiError::client(
                "Fargate only supports network mode 'awsvpc'.",
            ));
        }
        let number =
            |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u32>().ok());
        match (number(&registration.cpu), number(&registration.memory)) {
            (Some(cpu), Some(memory)) if is_fargate_size(cpu, memory) => {}
            (Some(_), Some(_)) => {
                return Err(ApiError::client(
                    "No Fargate configuration exists for given values.",
                ));
            }
            (None, _) => return Err(ApiError::client("Invalid 'cpu' setting for task.")),
            (_, None) => return Err(ApiError::client("Invalid 'memory' setting for task.")),
        }
    }
    Ok(container)
}

/// The sizes that Fargate has: CPU units, and MiB of memory in steps.
fn is_fargate_size(cpu: u32, memory: u32) -> bool {
    let (from, to, step) = match cpu {
        256 => return [512, 1024, 2048].contains(&memory),
        512 => (1024, 4096, 1024),
        1024 => (2048, 8192, 1024),
        2048 => (4096, 16_384, 1024),
        4096 => (8192, 30_720, 1024),
        8192 => (16_384, 61_440, 4096),
        16_384 => (32_768, 122_880, 8192),
        _ => return false,
    };
    (from..=to).contains(&memory) && memory.is_multiple_of(step)
}

impl Definition {
    fn to_json(&self) -> Value {
        let mut document = self.document.clone();
        let status = if self.is_active { "ACTIVE" } else { "INACTIVE" };
        let added: BTreeMap<&str, Value> = [
            ("taskDefinitionArn", json!(self.arn)),
            ("revision", json!(self.revision)),
            ("status", json!(status)),
            ("compatibilities", json!(["EC2", "FARGATE"])),
            (
                "registeredAt",
                json!(self.registered_at.millis() as f64 / 1000.0),
            ),
        ]
        .into();
        document.extend(
            added
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Value::Object(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_definitions_are_validated_like_ecs() {
        let good = || {
            json!({
                "family": "casting-x", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
                "containerDefinitions": [{ "name": "session", "image": "app:1" }],
            })
        };
        for (name, field, value, is_ok) in [
            ("as it is", "family", json!("casting-x"), true),
            ("no family", "family", json!(""), false),
            ("a family with a colon", "family", json!("a:1"), false),
            ("another network", "networkMode", json!("bridge"), false),
            ("an odd size", "memory", json!("3000"), false),
            ("no size", "cpu", json!(null), false),
            ("no container", "containerDefinitions", json!([]), false),
            (
                "no image",
                "containerDefinitions",
                json!([{ "name": "session" }]),
                false,
            ),
        ] {
            let mut body = good();
            body[field] = value;
            let registration: Registration = serde_json::from_value(body).unwrap();
            assert_eq!(check(&registration).is_ok(), is_ok, "{name}");
        }
    }
}
