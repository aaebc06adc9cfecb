//! Owns the fields of a network, and how it is written and read over the API. Creating and changing
//! go through one validator. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, Form, TextType, parsed, plain};
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::network::{DEFAULT_NETWORK, Network, NetworkName, NetworkSettings};
use crate::read_only::{self, ReadOnlyField};
use crate::resource::Resource;
use crate::text_format;

/// A network as its document has it.
#[derive(Default)]
struct NetworkFields {
    /// Read when the network is made, and never after that.
    name: Option<NetworkName>,
    settings: NetworkSettings,
}

type Field = field::Field<NetworkFields>;

static FIELDS: LazyLock<FieldTable<NetworkFields>> = LazyLock::new(|| {
    let network =
        field::Section {
            id: "network",
            title: "The network",
            intro: "Subnets and security groups that sessions can start in.",
            fields: vec![
            Field::required("name", parsed(read_name), |network| &mut network.name)
                .label("Name")
                .help(
                    "Links and images use this name, so it cannot be changed. 1 to 63 lower-case \
                     letters, digits, hyphens and underscores.",
                )
                .example("lab")
                .fixed()
                .doc("What links and images call it. It never changes."),
            Field::description(|network| &mut network.settings.description),
            Field::list_of("subnets", 1..=16, plain(|| &text_format::SUBNET), |network| {
                &mut network.settings.placement.subnets
            })
            .label("Subnets")
            .help("One ID per line, up to 16. Several spread sessions over zones.")
            .example("subnet-0123456789abcdef0")
            .doc("Where its tasks are placed."),
            Field::list_of(
                "security_groups",
                1..=5,
                plain(|| &text_format::SECURITY_GROUP),
                |network| &mut network.settings.placement.security_groups,
            )
            .label("Security groups")
            .help(
                "One ID per line, up to 5. They must allow traffic from the edge to the gate, \
                 and nothing else.",
            )
            .example("sg-0123456789abcdef0")
            .doc("What its tasks may reach, and who may reach them."),
            Field::flag("assign_public_ip", false, |network| {
                &mut network.settings.placement.assign_public_ip
            })
            .label("Public address")
            .help("Gives sessions a public address. Needed in subnets without a NAT gateway.")
            .doc("Whether its tasks get a public address."),
        ],
        };
    FieldTable::new("network", vec![network])
});

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<Network>>> = LazyLock::new(|| {
    vec![
        ReadOnlyField::new("name", NetworkName::SYNTAX.schema(), |network: &Network| {
            json!(network.id)
        })
        .leading(),
        ReadOnlyField::version(|network: &Network| network.version),
        ReadOnlyField::time("created_at", |network: &Network| network.created_at),
        ReadOnlyField::time("updated_at", |network: &Network| network.updated_at),
    ]
});

/// Reads a new network.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<(NetworkName, NetworkSettings), FieldErrors> {
    let fields = read(&mut Form::over(Map::new(), input, &[])?)?;
    // A missing one was noted by the form, which has returned by now.
    let name = fields.name.ok_or(FieldErrors(Vec::new()))?;
    Ok((name, fields.settings))
}

/// Reads a change: what is not named stays. The name never changes, because links and images know
/// the network by it.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(network: &Network, input: &Value) -> Result<NetworkSettings, FieldErrors> {
    let mut form = Form::change(fields(network), input, &read_only::schemas(&READ_ONLY))?;
    Ok(read(&mut form)?.settings)
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs())
}

/// The JSON Schema of a new network, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let all = schema_builder();
    let changeable = all.clone().without(&FIELDS.fixed());
    Schemas {
        create: all.whole(),
        ..changeable.schemas(&read_only::schemas(&READ_ONLY))
    }
}

/// The console's form of a network.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What a new network is where its document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

/// Reads a network's name.
///
/// # Errors
/// One plain sentence.
pub fn read_name(text: &str) -> Result<NetworkName, String> {
    let name = NetworkName::parse(text).filter(|name| name.as_str() != DEFAULT_NETWORK);
    name.ok_or_else(|| {
        format!(
            "must be 1 to 63 lower-case letters, digits, hyphens and underscores, and not \
                 {DEFAULT_NETWORK}."
        )
    })
}

fn read(form: &mut Form) -> Result<NetworkFields, FieldErrors> {
    let fields = FIELDS.read(form);
    form.finish()?;
    Ok(fields)
}

/// The settable fields of the network, as an administrator would write them.
pub(crate) fn fields(network: &Network) -> Map<String, Value> {
    FIELDS.view(&mut NetworkFields {
        name: Some(network.id.clone()),
        settings: network.settings.clone(),
    })
}

/// The network as the API shows it; what is read can be sent back as a change.
pub fn view(network: &Network) -> Value {
    read_only::view(&READ_ONLY, network, fields(network))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
