//! Owns the comparison of `infra/template.yaml` with the code: routes, tables, the environment, and what each function may do.

use std::collections::{BTreeMap, BTreeSet};

use casting_dynamo::schema::{AttributeKind, KeySchema, Projection, TABLES};
use casting_web::routes::{Function, ROUTES};
use http::Method;
use serde_yaml_ng::Value;

/// What the template and its tags say, tags as one-entry maps (`!Ref X` is `{"!Ref": "X"}`).
fn template() -> Value {
    plain(serde_yaml_ng::from_str(include_str!("../../infra/template.yaml")).expect("YAML"))
}

fn plain(value: Value) -> Value {
    match value {
        Value::Tagged(tagged) => Value::Mapping([(Value::from(tagged.tag.to_string()), plain(tagged.value))].into_iter().collect()),
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(plain).collect()),
        Value::Mapping(entries) => Value::Mapping(entries.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other,
    }
}

fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = template["Resources"].as_mapping().expect("resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str().expect("a name"), &resource["Properties"])).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is a text"))
}

#[test]
fn the_gateway_has_the_routes_of_the_table_and_no_others() {
    let integration = |function| match function {
        Function::Cast => "CastIntegration",
        Function::Session => "SessionIntegration",
        Function::Admin => "AdminIntegration",
        Function::Auth => "AuthIntegration",
        Function::Error => "ErrorIntegration",
    };
    let mut expected = BTreeMap::from([("$default".to_owned(), "ErrorIntegration")]);
    for route in ROUTES {
        let methods: &[&str] = if route.method == Method::GET { &["GET", "HEAD"] } else { &[route.method.as_str()] };
        expected.extend(methods.iter().map(|method| (format!("{method} {}", route.path), integration(route.function))));
    }
    let template = template();
    let found: BTreeMap<String, String> = resources(&template, "AWS::ApiGatewayV2::Route")
        .into_iter()
        .map(|(_, route)| {
            let target = text(&route["Target"]["!Sub"]).trim_start_matches("integrations/${").trim_end_matches('}').to_owned();
            (text(&route["RouteKey"]).to_owned(), target)
        })
        .collect();
    let found: BTreeMap<String, &str> = found.iter().map(|(key, target)| (key.clone(), target.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_tables_are_those_of_the_schema() {
    let template = template();
    let tables = resources(&template, "AWS::DynamoDB::Table");
    assert_eq!(tables.len(), TABLES.len());
    for schema in TABLES {
        let wanted = format!("{}Table", capitalised(schema.name));
        let (_, table) = tables.iter().find(|(name, _)| *name == wanted).unwrap_or_else(|| panic!("{wanted} is missing"));
        assert_eq!(key_of(&table["KeySchema"]), key_names(schema.key), "{wanted}");
        let attributes: BTreeSet<_> = list(&table["AttributeDefinitions"])
            .iter()
            .map(|attribute| (text(&attribute["AttributeName"]), text(&attribute["AttributeType"])))
            .collect();
        let kind = |kind| if kind == AttributeKind::Text { "S" } else { "N" };
        assert_eq!(attributes, schema.attributes().iter().map(|one| (one.name, kind(one.kind))).collect(), "{wanted}");
        let indexes: BTreeMap<_, _> = list(&table["GlobalSecondaryIndexes"])
            .iter()
            .map(|index| (text(&index["IndexName"]), (key_of(&index["KeySchema"]), text(&index["Projection"]["ProjectionType"]))))
            .collect();
        let projection = |of| if of == Projection::All { "ALL" } else { "KEYS_ONLY" };
        let expected = schema.indexes.iter().map(|index| (index.name, (key_names(index.key), projection(index.projection)))).collect();
        assert_eq!(indexes, expected, "{wanted}");
        assert_eq!(table["TimeToLiveSpecification"]["AttributeName"].as_str(), schema.ttl, "{wanted}");
        assert_eq!(text(&table["BillingMode"]), "PAY_PER_REQUEST", "{wanted}: nothing is paid while nobody clicks");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map(Vec::as_slice).unwrap_or_default()
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn key_names(key: KeySchema) -> Vec<(&'static str, &'static str)> {
    std::iter::once((key.partition.name, "HASH")).chain(key.sort.map(|sort| (sort.name, "RANGE"))).collect()
}

fn key_of(value: &Value) -> Vec<(&str, &str)> {
    list(value).iter().map(|part| (text(&part["AttributeName"]), text(&part["KeyType"]))).collect()
}

#[test]
fn every_function_finds_in_its_environment_what_boot_reads() {
    let template = template();
    let common = &template["Globals"]["Function"]["Environment"]["Variables"];
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        // The error function needs nothing, so that it works when nothing else does.
        if name == "ErrorFunction" {
            continue;
        }
        let own = &function["Environment"]["Variables"];
        assert!(!own["CASTING_SIGNING_KEY_PREVIOUS"].is_null(), "{name} cannot change keys");
        for variable in casting_boot::required_variables() {
            // Lambda itself sets these.
            if !variable.starts_with("AWS_") {
                assert!(!common[variable.as_str()].is_null() || !own[variable.as_str()].is_null(), "{name} has no {variable}");
            }
        }
    }
}

#[test]
fn no_function_may_do_everything_and_only_the_execution_role_is_handed_over() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let mut passed = 0;
    for (name, function) in &functions {
        for statement in list(&function["Policies"]).iter().flat_map(|policy| list(&policy["Statement"])) {
            for action in list(&statement["Action"]).iter().map(text) {
                assert!(!action.contains('*'), "{name} may {action}");
                // ECS knows no narrower resource for these two.
                let wide = statement["Resource"] == "*";
                assert!(!wide || ["ecs:ListTasks", "ecs:RegisterTaskDefinition"].contains(&action), "{name} may {action} on everything");
                if action == "iam:PassRole" {
                    assert_eq!(statement["Resource"]["!GetAtt"], "ExecutionRole.Arn", "{name}");
                    passed += 1;
                }
            }
        }
    }
    assert_eq!((functions.len(), passed), (6, 2), "the cast function starts tasks, and the admin function registers them");
}

#[test]
fn a_task_definition_that_we_register_never_gets_a_role_of_its_own() {
    let roles = resources(&template(), "AWS::IAM::Role").into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(roles, ["ExecutionRole"], "sessions have no task role: whoever uses one could read its credentials");
}

#[test]
fn the_event_rule_lets_through_what_the_lifecycle_function_reads() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let (_, lifecycle) = functions.iter().find(|(name, _)| *name == "LifecycleFunction").expect("is there");
    let pattern = &lifecycle["Events"]["TaskChanged"]["Properties"]["Pattern"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/lifecycle/events");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("recorded events") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let event: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let matches = list(&pattern["source"]).iter().any(|source| event["source"] == text(source))
            && list(&pattern["detail-type"]).iter().any(|kind| event["detail-type"] == text(kind));
        assert_eq!(matches, name.starts_with("task_"), "{name}");
        seen += 1;
    }
    assert!(seen > 5, "{seen} recorded events");
    assert_eq!(text(&pattern["detail"]["clusterArn"][0]["!GetAtt"]), "Cluster.Arn", "other clusters' tasks are none of ours");
}

#[test]
fn sessions_are_reached_at_their_gates_port_and_nowhere_else() {
    let template = template();
    let mut doors = Vec::new();
    for (name, rule) in resources(&template, "AWS::EC2::SecurityGroupIngress") {
        doors.push((name.to_owned(), rule["FromPort"].as_u64(), rule["ToPort"].as_u64()));
    }
    for (name, group) in resources(&template, "AWS::EC2::SecurityGroup") {
        assert!(list(&group["SecurityGroupIngress"]).is_empty(), "{name} has doors of its own");
    }
    let gate = Some(u64::from(casting_core::image::GATE_PORT));
    assert_eq!(doors.iter().map(|(_, from, to)| (*from, *to)).collect::<Vec<_>>(), [(gate, gate)], "{doors:?}");
}
