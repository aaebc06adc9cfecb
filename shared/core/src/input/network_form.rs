//! Owns how a network is written and read over the API. Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, flag, plain, spelled, text};
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::network::{DEFAULT_NETWORK, Network, NetworkName, NetworkSettings, Placement};
use crate::shape;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(NetworkName::SPELLING.schema());
    fields[0].0 = "name";
    fields
}

/// Reads a new network.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<(NetworkName, NetworkSettings), FieldErrors> {
    read_new(&mut Form::over(Map::new(), input, &[])?)
}

fn read_new(form: &mut Form) -> Result<(NetworkName, NetworkSettings), FieldErrors> {
    let name = form.required("name", spelled(read_name));
    let settings = read(form)?;
    // A missing one was noted by the form, which has returned by now.
    name.map(|name| (name, settings))
        .ok_or(FieldErrors(Vec::new()))
}

/// What JSON Schema says of a new network, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let create = SchemaBuilder::of(|form| _ = read_new(form)).described(words::NETWORK);
    let rest = SchemaBuilder::of(|form| _ = read(form)).described(words::NETWORK);
    Schemas {
        create: create.whole(),
        change: rest.change(&read_only()),
        shown: rest.shown(&read_only(), &[]),
    }
}

/// Reads a change: what is not named stays. The name never changes, because links and images know the network by it.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(network: &Network, input: &Value) -> Result<NetworkSettings, FieldErrors> {
    read(&mut Form::change(
        fields(&network.settings),
        input,
        &read_only(),
    )?)
}

/// Reads a network's name.
///
/// # Errors
/// One plain sentence.
pub fn read_name(text: &str) -> Result<NetworkName, String> {
    let name = NetworkName::parse(text).filter(|name| name.as_str() != DEFAULT_NETWORK);
    name.ok_or_else(|| format!("must be 1 to 63 lower-case letters, digits, hyphens and underscores, and not {DEFAULT_NETWORK}."))
}

fn read(form: &mut Form) -> Result<NetworkSettings, FieldErrors> {
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let subnets = form.list_of("subnets", 1..=16, &plain(|| &shape::SUBNET));
    let security_groups = form.list_of("security_groups", 1..=5, &plain(|| &shape::SECURITY_GROUP));
    let assign_public_ip = form.defaulted("assign_public_ip", false, flag);
    form.finish()?;
    Ok(NetworkSettings {
        description,
        placement: Placement {
            subnets,
            security_groups,
            assign_public_ip,
        },
    })
}

fn fields(settings: &NetworkSettings) -> Map<String, Value> {
    let fields = json!({
        "description": settings.description,
        "subnets": settings.placement.subnets,
        "security_groups": settings.placement.security_groups,
        "assign_public_ip": settings.placement.assign_public_ip,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The network as the API shows it; what is read can be sent back as a change.
pub fn view(network: &Network) -> Value {
    let mut view = Map::new();
    view.insert("name".into(), json!(network.id));
    view.extend(fields(&network.settings));
    view.insert("version".into(), json!(network.version));
    view.insert("created_at".into(), json!(network.created_at.to_string()));
    view.insert("updated_at".into(), json!(network.updated_at.to_string()));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_validated() {
        let with = |fields: Value| {
            let mut input =
                json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]});
            for (name, value) in fields.as_object().expect("an object") {
                input[name] = value.clone();
            }
            create(&input)
                .err()
                .map(|errors| {
                    errors
                        .0
                        .into_iter()
                        .map(|error| error.pointer)
                        .collect::<Vec<_>>()
                })
                .unwrap_or_default()
        };
        for (name, fields, wrong) in [
            ("enough", json!({}), vec![]),
            (
                "a public address",
                json!({"assign_public_ip": true}),
                vec![],
            ),
            (
                "a name with capitals",
                json!({"name": "Lab"}),
                vec!["/name"],
            ),
            (
                "the deployment's own network",
                json!({"name": "default"}),
                vec!["/name"],
            ),
            ("no subnets", json!({"subnets": []}), vec!["/subnets"]),
            (
                "a security group for a subnet",
                json!({"subnets": ["sg-1a"]}),
                vec!["/subnets/0"],
            ),
            (
                "no security groups",
                json!({"security_groups": null}),
                vec!["/security_groups"],
            ),
        ] {
            assert_eq!(with(fields), wrong, "{name}");
        }
    }
}
