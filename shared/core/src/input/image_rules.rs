//! Owns which fields of an image go together, as JSON Schema says it for each preset. Must not know how a single field looks.
//!
//! `image_form` judges the same; its tests hold the two to each other.

use serde_json::{Map, Value, json};

use crate::preset;

/// The memory sizes, in MiB, that Fargate offers with so many CPU units; `None` when it offers no such CPU.
pub(crate) fn memory_for(cpu: u32) -> Option<Vec<u32>> {
    let steps = |least: u32, most: u32, step: usize| (least..=most).step_by(step).collect();
    match cpu {
        256 => Some(vec![512, 1024, 2048]),
        512 => Some(steps(1024, 4096, 1024)),
        1024 => Some(steps(2048, 8192, 1024)),
        2048 => Some(steps(4096, 16_384, 1024)),
        4096 => Some(steps(8192, 30_720, 1024)),
        8192 => Some(steps(16_384, 61_440, 4096)),
        16_384 => Some(steps(32_768, 122_880, 8192)),
        _ => None,
    }
}

/// The CPU units that Fargate offers.
pub(crate) const CPUS: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16_384];
/// What a task gets when nobody says what.
pub(crate) const USUAL: (u32, u32) = (1024, 2048);

/// The rules for a whole document, preset by preset.
pub(crate) fn whole() -> Value {
    let mut cases = vec![
        json!({ "properties": { "preset": { "type": "null" } }, "allOf": [rules(&Map::new())] }),
    ];
    cases.extend(preset::ALL.into_iter().map(|name| {
        let fields = preset::fields(name).unwrap_or_default();
        json!({ "required": ["preset"], "properties": { "preset": { "const": name } }, "allOf": [rules(&fields)] })
    }));
    json!({ "oneOf": cases })
}

/// The rules over the fields that a preset has filled in.
fn rules(filled: &Map<String, Value>) -> Value {
    let laid = Laid(filled);
    let exists = json!({ "allOf": [
        laid.is_set("task_definition"), laid.is_not_set("container_image"),
        { "properties": { "command": { "maxItems": 0 }, "cpu": { "type": "null" }, "memory": { "type": "null" }, "ephemeral_storage": { "type": "null" } } },
    ] });
    // Without a command the image starts its app itself, and the gate stands beside it.
    let no_exec = json!({ "properties": {
        "first_launch": { "type": "null" }, "go": { "type": "null" }, "assign": { "type": "null" },
    } });
    let no_exec = laid.with("exec_config", filled.contains_key("exec_config"), &no_exec);
    let is_selkies = filled.get("view_only").is_some_and(|way| way == "selkies");
    let no_selkies = laid.with(
        "view_only",
        is_selkies,
        &json!({ "not": { "const": "selkies" } }),
    );
    let beside = json!({ "allOf": [
        laid.with("command", filled.contains_key("command"), &json!({ "maxItems": 0 })), laid.is_set("port"), no_exec, no_selkies,
        laid.is_not_set("profile_path"),
    ] });
    let inside = laid.with(
        "command",
        !filled.contains_key("command"),
        &json!({ "minItems": 1 }),
    );
    let registered = json!({ "allOf": [
        laid.is_set("container_image"), laid.is_not_set("task_definition"), { "anyOf": [beside, inside] }, sizes(filled),
    ] });
    let both = json!({ "allOf": [laid.is_set("app_user"), laid.is_set("app_password_variable")] });
    let neither =
        json!({ "allOf": [laid.is_not_set("app_user"), laid.is_not_set("app_password_variable")] });
    json!({ "allOf": [{ "anyOf": [exists, registered] }, { "anyOf": [both, neither] }] })
}

/// The memory that goes with each number of CPU units.
fn sizes(filled: &Map<String, Value>) -> Value {
    let laid = Laid(filled);
    let number = |name: &str| {
        filled
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|number| u32::try_from(number).ok())
    };
    let cases = CPUS.into_iter().map(|cpu| {
        let range = memory_for(cpu).unwrap_or_default();
        let cpu_is = if cpu == USUAL.0 { json!({ "enum": [cpu, null] }) } else { json!({ "const": cpu }) };
        let mut memory: Vec<Value> = range.iter().map(|size| json!(size)).collect();
        if range.contains(&USUAL.1) {
            memory.push(Value::Null);
        }
        let cpu_named = number("cpu").unwrap_or(USUAL.0) != cpu;
        let memory_named = !range.contains(&number("memory").unwrap_or(USUAL.1));
        json!({ "allOf": [laid.with("cpu", cpu_named, &cpu_is), laid.with("memory", memory_named, &json!({ "enum": memory }))] })
    });
    json!({ "anyOf": cases.collect::<Vec<_>>() })
}

/// Fields that are there before the document's own are laid over them.
struct Laid<'a>(&'a Map<String, Value>);

impl Laid<'_> {
    /// The field looks like this if it is named, and must be named if `must`.
    fn with(&self, name: &str, must: bool, looks: &Value) -> Value {
        if must {
            json!({ "properties": { name: looks }, "required": [name] })
        } else {
            json!({ "properties": { name: looks } })
        }
    }

    fn is_set(&self, name: &str) -> Value {
        self.with(
            name,
            self.is_empty(name),
            &json!({ "not": { "type": "null" } }),
        )
    }

    fn is_not_set(&self, name: &str) -> Value {
        self.with(name, !self.is_empty(name), &json!({ "type": "null" }))
    }

    fn is_empty(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(Value::is_null)
    }
}
