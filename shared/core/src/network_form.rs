//! Owns how a network is written and read over the API. Creating and changing go through one validator. Must not know the store or HTTP.

use serde_json::{Map, Value, json};

use crate::form::{FieldErrors, Form, flag, spelled, text};
use crate::network::{DEFAULT_NETWORK, Network, NetworkName, NetworkSettings, Placement};

/// What a read shows besides the settings. It may be sent back, and is left out then.
const READ_ONLY: [&str; 4] = ["name", "version", "created_at", "updated_at"];

/// Reads a new network.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<(NetworkName, NetworkSettings), FieldErrors> {
    let mut form = Form::over(Map::new(), input, &[])?;
    let name = form.required("name", spelled(read_name));
    let settings = read(form)?;
    // A missing one was noted by the form, which has returned by now.
    name.map(|name| (name, settings)).ok_or(FieldErrors(Vec::new()))
}

/// Reads a change: what is not named stays. The name never changes, because links and images know the network by it.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(network: &Network, input: &Value) -> Result<NetworkSettings, FieldErrors> {
    read(Form::over(fields(&network.settings), input, &READ_ONLY)?)
}

/// Reads a network's name.
///
/// # Errors
/// One plain sentence.
pub fn read_name(text: &str) -> Result<NetworkName, String> {
    let name = NetworkName::parse(text).filter(|name| name.as_str() != DEFAULT_NETWORK);
    name.ok_or_else(|| format!("must be 1 to 63 lower-case letters, digits, hyphens and underscores, and not {DEFAULT_NETWORK}."))
}

fn read(mut form: Form) -> Result<NetworkSettings, FieldErrors> {
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let subnets = form.list("subnets", 16, resource("subnet-"));
    let security_groups = form.list("security_groups", 5, resource("sg-"));
    let assign_public_ip = form.defaulted("assign_public_ip", false, flag);
    for (name, missing) in [("subnets", subnets.is_empty()), ("security_groups", security_groups.is_empty())] {
        if missing {
            form.require(name, "must name at least one.");
        }
    }
    form.finish()?;
    Ok(NetworkSettings { description, placement: Placement { subnets, security_groups, assign_public_ip } })
}

fn resource(prefix: &'static str) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        let fits = (1..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(text.to_owned()) } else { Err(format!("must be an id such as {prefix}0123456789abcdef0.")) }
    }
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
    fn each_field_is_judged() {
        let with = |fields: Value| {
            let mut input = json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]});
            for (name, value) in fields.as_object().expect("an object") {
                input[name] = value.clone();
            }
            create(&input).err().map(|errors| errors.0.into_iter().map(|error| error.pointer).collect::<Vec<_>>()).unwrap_or_default()
        };
        for (name, fields, wrong) in [
            ("enough", json!({}), vec![]),
            ("a public address", json!({"assign_public_ip": true}), vec![]),
            ("a name with capitals", json!({"name": "Lab"}), vec!["/name"]),
            ("the deployment's own network", json!({"name": "default"}), vec!["/name"]),
            ("no subnets", json!({"subnets": []}), vec!["/subnets"]),
            ("a security group for a subnet", json!({"subnets": ["sg-1a"]}), vec!["/subnets/0"]),
            ("no security groups", json!({"security_groups": null}), vec!["/security_groups"]),
        ] {
            assert_eq!(with(fields), wrong, "{name}");
        }
    }
}
