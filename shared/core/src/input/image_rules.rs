//! Owns which fields of an image go together, as JSON Schema says it for each preset. Must not know
//! how a single field looks.
//!
//! `image_form` judges the same; its tests hold the two to each other. One rule is its alone, that
//! `app_user` and `app_password_variable` go together: it would double the cases, and generators of
//! documents cannot combine so many.

use serde_json::{Map, Value, json};

use crate::preset;

/// The memory sizes, in MiB, that Fargate offers with so many CPU units; `None` when it offers no
/// such CPU.
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

/// Every size that Fargate offers: CPU units, and MiB of memory.
pub fn task_sizes() -> impl Iterator<Item = (u32, u32)> {
    let with = |cpu: u32| {
        let memories = memory_for(cpu).unwrap_or_default();
        memories.into_iter().map(move |memory| (cpu, memory))
    };
    CPUS.into_iter().flat_map(with)
}

/// The smallest size that Fargate offers with at least so many CPU units and so much memory, in
/// MiB; `None` when it offers none.
pub fn next_size(units: u32, mib: u32) -> Option<(u32, u32)> {
    CPUS.into_iter()
        .filter(|cpu| *cpu >= units)
        .find_map(|cpu| {
            let memory = memory_for(cpu)?.into_iter().find(|memory| *memory >= mib)?;
            Some((cpu, memory))
        })
}

/// The CPU units that Fargate offers.
pub(crate) const CPUS: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16_384];
/// The size of a task without settings.
pub const USUAL: (u32, u32) = (1024, 2048);

/// The fields that go with `container_image` only.
pub(crate) const OF_CONTAINERS: [&str; 6] = [
    "command",
    "cpu",
    "memory",
    "ephemeral_storage",
    "architecture",
    "registry_secret",
];

/// The rules for a whole document: without a preset, and for each group of presets with the same
/// rules. One case for each preset would be more than generators of documents can combine.
pub(crate) fn whole() -> Value {
    let mut cases = vec![
        json!({ "properties": { "preset": { "type": "null" } }, "allOf": [rules(&Map::new())] }),
    ];
    let mut groups: Vec<(Value, Vec<&str>)> = Vec::new();
    for name in preset::ALL {
        let rules = rules(&preset::fields(name).unwrap_or_default());
        match groups.iter_mut().find(|(of_group, _)| *of_group == rules) {
            Some((_, names)) => names.push(name),
            None => groups.push((rules, vec![name])),
        }
    }
    cases.extend(groups.into_iter().map(|(rules, names)| {
        json!({ "required": ["preset"], "properties": { "preset": { "enum": names } }, "allOf": [rules] })
    }));
    json!({ "oneOf": cases })
}

/// The rules over the fields that a preset has filled in.
fn rules(filled: &Map<String, Value>) -> Value {
    let laid = Laid(filled);
    let of_containers: Map<String, Value> = OF_CONTAINERS
        .into_iter()
        .map(|name| {
            let is_list = name == "command";
            let unset = if is_list {
                json!({ "maxItems": 0 })
            } else {
                json!({ "type": "null" })
            };
            (name.to_owned(), unset)
        })
        .collect();
    let exists = json!({ "allOf": [
        laid.is_set("task_definition"), laid.is_not_set("container_image"),
        { "properties": of_containers },
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
    json!({ "anyOf": [exists, registered] })
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
    fn with(&self, name: &str, must: bool, rule: &Value) -> Value {
        if must {
            json!({ "properties": { name: rule }, "required": [name] })
        } else {
            json!({ "properties": { name: rule } })
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
