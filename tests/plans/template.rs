//! Owns the comparison of `infra/template.yaml` with the code: tables, the environment, and what each function may do; `gateway` has its routes.

use std::collections::{BTreeMap, BTreeSet};

use casting_core::session::SWEEP_INTERVAL_SECONDS;
use casting_dynamo::schema::{AttributeKind, KeySchema, Projection, TABLES};
use serde_yaml_ng::Value;

/// What the template and its tags say, tags as one-entry maps (`!Ref X` is `{"!Ref": "X"}`).
pub(crate) fn template() -> Value {
    plain(serde_yaml_ng::from_str(include_str!("../../infra/template.yaml")).expect("YAML"))
}

fn plain(value: Value) -> Value {
    match value {
        Value::Tagged(tagged) => Value::Mapping(
            [(Value::from(tagged.tag.to_string()), plain(tagged.value))]
                .into_iter()
                .collect(),
        ),
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(plain).collect()),
        Value::Mapping(entries) => Value::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| (key, plain(value)))
                .collect(),
        ),
        other => other,
    }
}

pub(crate) fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let all = template["Resources"].as_mapping().expect("resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind
        .map(|(name, resource)| (name.as_str().expect("a name"), &resource["Properties"]))
        .collect()
}

pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value:?} is a text"))
}

#[test]
fn outputs_locate_and_print_the_first_key() {
    let template = template();
    let output = |name: &str| template["Outputs"][name]["Value"].clone();
    assert_eq!(output("AdminKeyArn")["!Ref"], "AdminKey");
    let command = output("AdminKeyCommand");
    assert!(
        text(&command["!Sub"]).contains("secretsmanager get-secret-value"),
        "{command:?}"
    );
    assert!(
        text(&command["!Sub"]).contains("--secret-id ${AdminKey} "),
        "{command:?}"
    );
    assert_eq!(
        template["Resources"]["AdminKey"]["Type"],
        "AWS::SecretsManager::Secret"
    );
}

#[test]
fn template_tables_match_the_schema() {
    let template = template();
    let tables = resources(&template, "AWS::DynamoDB::Table");
    assert_eq!(tables.len(), TABLES.len());
    for schema in TABLES {
        let wanted = format!("{}Table", capitalised(schema.name));
        let (_, table) = tables
            .iter()
            .find(|(name, _)| *name == wanted)
            .unwrap_or_else(|| panic!("{wanted} is missing"));
        assert_eq!(
            key_of(&table["KeySchema"]),
            key_names(schema.key),
            "{wanted}"
        );
        let attributes: BTreeSet<_> = list(&table["AttributeDefinitions"])
            .iter()
            .map(|attribute| {
                (
                    text(&attribute["AttributeName"]),
                    text(&attribute["AttributeType"]),
                )
            })
            .collect();
        let kind = |kind| {
            if kind == AttributeKind::Text {
                "S"
            } else {
                "N"
            }
        };
        assert_eq!(
            attributes,
            schema
                .attributes()
                .iter()
                .map(|one| (one.name, kind(one.kind)))
                .collect(),
            "{wanted}"
        );
        let indexes: BTreeMap<_, _> = list(&table["GlobalSecondaryIndexes"])
            .iter()
            .map(|index| {
                (
                    text(&index["IndexName"]),
                    (
                        key_of(&index["KeySchema"]),
                        text(&index["Projection"]["ProjectionType"]),
                    ),
                )
            })
            .collect();
        let projection = |of| {
            if of == Projection::All {
                "ALL"
            } else {
                "KEYS_ONLY"
            }
        };
        let expected = schema
            .indexes
            .iter()
            .map(|index| {
                (
                    index.name,
                    (key_names(index.key), projection(index.projection)),
                )
            })
            .collect();
        assert_eq!(indexes, expected, "{wanted}");
        assert_eq!(
            table["TimeToLiveSpecification"]["AttributeName"].as_str(),
            schema.ttl,
            "{wanted}"
        );
        assert!(
            table["SSESpecification"].is_null(),
            "{wanted}: encrypted with DynamoDB's own key, which costs nothing"
        );
        assert_eq!(
            table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{wanted}"
        );
        assert_eq!(
            list(&table["DeletionProtectionEnabled"]["!If"])[0],
            "IsProtected",
            "{wanted}"
        );
        let whole = &template["Resources"][wanted.as_str()];
        assert_eq!(
            (
                text(&whole["DeletionPolicy"]),
                text(&whole["UpdateReplacePolicy"])
            ),
            ("RetainExceptOnCreate", "Retain"),
            "{wanted}"
        );
        assert_eq!(
            text(&table["BillingMode"]),
            "PAY_PER_REQUEST",
            "{wanted}: nothing is paid while nobody clicks"
        );
    }
}

#[test]
fn stream_filter_passes_exactly_the_news() {
    let template = template();
    let mappings = resources(&template, "AWS::Lambda::EventSourceMapping");
    let [(_, mapping)] = &mappings[..] else {
        panic!("one mapping, not {}", mappings.len())
    };
    let patterns: Vec<serde_json::Value> = list(&mapping["FilterCriteria"]["Filters"])
        .iter()
        .map(|filter| serde_json::from_str(text(&filter["Pattern"])).expect("a pattern is JSON"))
        .collect();
    let [given_away, ending] = casting_dynamo::stream::departures();
    let to_send = casting_dynamo::stream::to_send();
    assert_eq!(patterns, [given_away, ending, to_send]);
    assert_eq!(
        (
            &mapping["EventSourceArn"]["!GetAtt"],
            &mapping["FunctionName"]["!Ref"]
        ),
        (
            &"SessionsTable.StreamArn".into(),
            &"LifecycleFunction".into()
        )
    );
    let streamed: Vec<_> = resources(&template, "AWS::DynamoDB::Table")
        .into_iter()
        .filter_map(|(name, table)| {
            Some((
                name.to_owned(),
                table["StreamSpecification"]["StreamViewType"]
                    .as_str()?
                    .to_owned(),
            ))
        })
        .collect();
    assert_eq!(
        streamed,
        [("SessionsTable".to_owned(), "NEW_AND_OLD_IMAGES".to_owned())],
        "the patterns read both images"
    );
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map(Vec::as_slice).unwrap_or_default()
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn key_names(key: KeySchema) -> Vec<(&'static str, &'static str)> {
    std::iter::once((key.partition.name, "HASH"))
        .chain(key.sort.map(|sort| (sort.name, "RANGE")))
        .collect()
}

fn key_of(value: &Value) -> Vec<(&str, &str)> {
    list(value)
        .iter()
        .map(|part| (text(&part["AttributeName"]), text(&part["KeyType"])))
        .collect()
}

#[test]
fn functions_name_a_binary_of_the_workspace() {
    let template = template();
    let all = template["Resources"].as_mapping().expect("resources");
    let built: Vec<&Value> = all
        .values()
        .filter(|resource| resource["Metadata"]["BuildMethod"] == "rust-cargolambda")
        .collect();
    assert_eq!(
        built.len(),
        resources(&template, "AWS::Serverless::Function").len()
    );
    for function in built {
        let binary = text(&function["Metadata"]["BuildProperties"]["Binary"]);
        let folder = text(&function["Properties"]["CodeUri"]);
        assert_eq!(folder, format!("../functions/{binary}"));
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../infra")
            .join(folder)
            .join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("the function's manifest");
        assert!(
            manifest.contains(&format!("[[bin]]\nname = \"{binary}\"\n")),
            "{manifest}"
        );
    }
}

#[test]
fn functions_have_every_variable_that_boot_requires() {
    let template = template();
    let common = &template["Globals"]["Function"]["Environment"]["Variables"];
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        // The error function needs nothing, so that it works when nothing else does.
        if name == "ErrorFunction" {
            continue;
        }
        let own = &function["Environment"]["Variables"];
        assert!(
            !own["CASTING_SIGNING_KEY_PREVIOUS_ARN"].is_null(),
            "{name} cannot change keys"
        );
        for variable in casting_boot::required_variables() {
            // Lambda itself sets these.
            if !variable.starts_with("AWS_") {
                let secret = format!("{variable}_ARN");
                let is_set = |name: &str| !common[name].is_null() || !own[name].is_null();
                assert!(
                    is_set(&variable) || is_set(&secret),
                    "{name} has no {variable}"
                );
            }
        }
    }
}

#[test]
fn function_variables_are_all_read_by_boot() {
    // Where gates report (to the public URL); the provider's usual words. A deployment of its own mind sets them by hand.
    const LEFT_OUT: [&str; 4] = [
        "CASTING_REPORT_URL",
        "CASTING_OIDC_SCOPES",
        "CASTING_OIDC_ADMIN_VALUE",
        "CASTING_OIDC_AUDITOR_VALUE",
    ];
    let source = include_str!("../../shared/boot/src/environment.rs")
        .split("#[cfg(test)]")
        .next()
        .unwrap_or_default();
    let quoted = source.split('"').filter(|text| {
        text.starts_with("CASTING_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    });
    let read: BTreeSet<&str> = quoted.filter(|name| !LEFT_OUT.contains(name)).collect();
    let template = template();
    let common = &template["Globals"]["Function"]["Environment"]["Variables"];
    let mut set = BTreeSet::new();
    for variables in [common].into_iter().chain(
        resources(&template, "AWS::Serverless::Function")
            .iter()
            .map(|(_, f)| &f["Environment"]["Variables"]),
    ) {
        set.extend(
            variables
                .as_mapping()
                .into_iter()
                .flatten()
                .filter_map(|(name, _)| name.as_str())
                // A secret, which boot reads by its ARN.
                .map(|name| {
                    let secret = name.strip_suffix("_ARN");
                    secret.filter(|name| read.contains(name)).unwrap_or(name)
                }),
        );
    }
    assert_eq!(set, read);
}

/// Who may see a function's environment sees no secret, and a function may read only those that its
/// environment names.
#[test]
fn environments_name_secrets_that_only_their_function_may_read() {
    let template = template();
    let source = serde_yaml_ng::to_string(&template).expect("YAML");
    assert!(!source.contains("resolve:secretsmanager"));
    let referred = |value: &Value| {
        let value = value.get("!If").map_or(value, |choice| &choice[1]);
        value.get("!Ref").and_then(Value::as_str).map(str::to_owned)
    };
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let variables = function["Environment"]["Variables"].as_mapping();
        let secrets = variables.into_iter().flatten().filter_map(|(name, value)| {
            let name = name.as_str()?.strip_suffix("_ARN")?;
            is_secret(name).then(|| referred(value)).flatten()
        });
        let secrets: BTreeSet<_> = secrets.collect();
        let statements = list(&function["Policies"])
            .iter()
            .flat_map(|policy| list(&policy["Statement"]));
        let readable: BTreeSet<_> = statements
            .filter(|statement| statement["Action"][0] == "secretsmanager:GetSecretValue")
            .flat_map(|statement| list(&statement["Resource"]).iter().filter_map(referred))
            .collect();
        assert_eq!(secrets, readable, "{name}");
        assert_eq!(secrets.is_empty(), name == "ErrorFunction", "{name}");
    }
}

fn is_secret(variable: &str) -> bool {
    casting_boot::SECRETS.contains(&variable)
}

#[test]
fn only_functions_that_use_secrets_get_them() {
    let template = template();
    let holders = |variable: &str| {
        let functions = resources(&template, "AWS::Serverless::Function").into_iter();
        functions
            .filter(|(_, function)| !function["Environment"]["Variables"][variable].is_null())
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let (asked, all) = (
        [
            "CastFunction",
            "SessionFunction",
            "AdminFunction",
            "AuthFunction",
        ],
        "LifecycleFunction",
    );
    assert_eq!(
        holders("CASTING_SIGNING_KEY_ARN"),
        [&asked[..], &[all]].concat()
    );
    assert_eq!(holders("CASTING_ADMIN_KEY_ARN"), ["AdminFunction"]);
    assert_eq!(holders("CASTING_VISITOR_PROOF_ARN"), asked);
    assert_eq!(holders("CASTING_CAPTCHA_SECRET_ARN"), ["CastFunction"]);
    assert_eq!(holders("CASTING_OIDC_CLIENT_SECRET_ARN"), ["AuthFunction"]);
    let issuer = |function: &str| {
        template["Resources"][function]["Properties"]["Environment"]["Variables"]["CASTING_OIDC_ISSUER"].clone()
    };
    assert_eq!(
        holders("CASTING_OIDC_ISSUER"),
        ["AdminFunction", "AuthFunction"]
    );
    assert_eq!(
        issuer("AdminFunction"),
        issuer("AuthFunction"),
        "the console offers the login that there is"
    );
}

/// What a function may do, conditional statements included.
fn statements(function: &Value) -> impl Iterator<Item = &Value> {
    let policies = list(&function["Policies"]).iter();
    let all = policies.flat_map(|policy| list(&policy["Statement"]));
    all.map(|statement| list(&statement["Fn::If"]).get(1).unwrap_or(statement))
}

#[test]
fn only_lifecycle_sends_and_only_to_the_named_bus() {
    let template = template();
    assert_eq!(template["Parameters"]["EventBusArn"]["Default"], "");
    let condition = &template["Conditions"]["HasEventBus"];
    let named = &condition["!Not"][0]["!Equals"];
    assert_eq!(
        (&named[0]["!Ref"], &named[1]),
        (&"EventBusArn".into(), &"".into())
    );
    let (mut knowing, mut senders) = (Vec::new(), Vec::new());
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let variable = &function["Environment"]["Variables"]["CASTING_EVENT_BUS"];
        if variable["!Ref"] == "EventBusArn" {
            knowing.push(name);
        }
        let policies = list(&function["Policies"]).iter();
        let bound = policies
            .flat_map(|policy| list(&policy["Statement"]))
            .filter(|one| one["Fn::If"][0] == "HasEventBus")
            .count();
        // What it is bound to: task_permissions_are_bound_to_cluster_and_role.
        let sends = statements(function).filter(|one| list(&one["Action"]) == ["events:PutEvents"]);
        senders.extend(sends.map(|_| (name, bound)));
    }
    assert_eq!(knowing, ["AdminFunction", "LifecycleFunction"]);
    assert_eq!(senders, [("LifecycleFunction", 1)]);
}

#[test]
fn no_wildcard_actions_and_only_the_execution_role_passed() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let mut passed = 0;
    for (name, function) in &functions {
        for statement in statements(function) {
            for action in list(&statement["Action"]).iter().map(text) {
                assert!(!action.contains('*'), "{name} may {action}");
                // ECS knows no narrower resource for these two.
                let wide = statement["Resource"] == "*";
                assert!(
                    !wide || ["ecs:ListTasks", "ecs:RegisterTaskDefinition"].contains(&action),
                    "{name} may {action} on everything"
                );
                if action == "iam:PassRole" {
                    assert_eq!(
                        statement["Resource"]["!GetAtt"], "ExecutionRole.Arn",
                        "{name}"
                    );
                    passed += 1;
                }
            }
        }
    }
    assert_eq!(
        (functions.len(), passed),
        (6, 4),
        "the cast function starts tasks, the session function those of the start queue, the lifecycle function ahead, and the admin function registers them"
    );
}

#[test]
fn task_permissions_are_bound_to_cluster_and_role() {
    let template = template();
    let tasks = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task/${Cluster}/*";
    let definitions = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task-definition/";
    for (name, function) in &resources(&template, "AWS::Serverless::Function") {
        for statement in statements(function) {
            assert_eq!(text(&statement["Effect"]), "Allow", "{name}");
            let (resource, condition) = (&statement["Resource"], &statement["Condition"]);
            let on_cluster = condition["ArnEquals"]["ecs:cluster"]["!GetAtt"] == "Cluster.Arn";
            let made_by = condition["StringEquals"]["ecs:CreateAction"].as_str();
            for action in list(&statement["Action"]).iter().map(text) {
                let bound = match action {
                    "ecs:RunTask" => {
                        on_cluster && text(&resource["!Sub"]) == format!("{definitions}*:*")
                    }
                    "ecs:ListTasks" => on_cluster,
                    "ecs:DescribeTasks" | "ecs:StopTask" => text(&resource["!Sub"]) == tasks,
                    "ecs:TagResource" => match made_by {
                        Some("RunTask") => text(&resource["!Sub"]) == tasks,
                        Some("RegisterTaskDefinition") => {
                            text(&resource["!Sub"]) == format!("{definitions}casting-*")
                        }
                        _ => false,
                    },
                    "ecs:RegisterTaskDefinition" => *name == "AdminFunction",
                    "iam:PassRole" => {
                        condition["StringEquals"]["iam:PassedToService"]
                            == "ecs-tasks.amazonaws.com"
                    }
                    "sqs:SendMessage" => {
                        *name == "LifecycleFunction" && resource["!GetAtt"] == "LostEvents.Arn"
                    }
                    "events:PutEvents" => {
                        *name == "LifecycleFunction" && resource["!Ref"] == "EventBusArn"
                    }
                    "s3:ListBucket" => resource["!GetAtt"] == "ProfileBucket.Arn",
                    "s3:GetObject" | "s3:PutObject" | "s3:DeleteObject" => {
                        text(&resource["!Sub"]) == "${ProfileBucket.Arn}/profiles/*"
                    }
                    // Which ones: environments_name_secrets_that_only_their_function_may_read.
                    "secretsmanager:GetSecretValue" => true,
                    dynamodb => dynamodb.starts_with("dynamodb:"),
                };
                assert!(
                    bound,
                    "{name} may {action} on {resource:?} if {condition:?}"
                );
            }
        }
    }
}

#[test]
fn service_role_function_makes_the_ecs_role_only() {
    let template = template();
    let role = &template["Resources"]["EcsRoleFunctionRole"]["Properties"];
    let statements = list(&role["Policies"][0]["PolicyDocument"]["Statement"]);
    let make = statements
        .iter()
        .find(|statement| statement["Sid"] == "MakeRole")
        .expect("a statement");
    assert_eq!(list(&make["Action"]), ["iam:CreateServiceLinkedRole"]);
    assert!(
        text(&make["Resource"]["!Sub"])
            .ends_with(":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS*")
    );
    assert_eq!(
        make["Condition"]["StringEquals"]["iam:AWSServiceName"],
        "ecs.amazonaws.com"
    );
    assert_eq!(
        template["Resources"]["Cluster"]["DependsOn"], "EcsRole",
        "the cluster comes after the role"
    );
}

#[test]
fn profile_bucket_is_private_to_two_functions() {
    let template = template();
    let bucket = &template["Resources"]["ProfileBucket"];
    assert_eq!(bucket["DeletionPolicy"], "RetainExceptOnCreate");
    let properties = &bucket["Properties"];
    let block = properties["PublicAccessBlockConfiguration"]
        .as_mapping()
        .expect("closed");
    assert_eq!(
        block
            .values()
            .filter(|value| value.as_bool() == Some(true))
            .count(),
        4
    );
    assert!(
        !properties["BucketEncryption"].is_null()
            && !properties["LifecycleConfiguration"].is_null()
    );
    let policy = &template["Resources"]["ProfileBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        [0];
    assert_eq!(
        (
            text(&policy["Effect"]),
            text(&policy["Condition"]["Bool"]["aws:SecureTransport"])
        ),
        ("Deny", "false")
    );
    let may = |function: &Value, what: &str| {
        let statements = list(&function["Policies"])
            .iter()
            .flat_map(|policy| list(&policy["Statement"]));
        statements
            .flat_map(|statement| list(&statement["Action"]))
            .any(|action| text(action) == what)
    };
    for (name, function) in resources(&template, "AWS::Serverless::Function") {
        let (keeps, clears) = (
            name == "SessionFunction",
            matches!(name, "SessionFunction" | "AdminFunction"),
        );
        assert_eq!(
            !function["Environment"]["Variables"]["CASTING_PROFILE_BUCKET"].is_null(),
            clears,
            "{name}"
        );
        assert_eq!(may(function, "s3:PutObject"), keeps, "{name}");
        assert_eq!(
            (
                may(function, "s3:GetObject"),
                may(function, "s3:DeleteObject"),
                may(function, "s3:ListBucket")
            ),
            (clears, clears, clears)
        );
    }
    let session = list(&template["Resources"]["SessionFunction"]["Properties"]["Policies"]);
    let catalog: Vec<_> = session
        .iter()
        .flat_map(|policy| list(&policy["Statement"]))
        .filter(|one| one["Resource"]["!GetAtt"] == "CatalogTable.Arn")
        .map(|one| {
            let keys = &one["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
            let texts = |value| list(value).iter().map(text).collect::<Vec<_>>();
            (texts(&one["Action"]), texts(keys))
        })
        .collect();
    let expected = [
        (
            vec!["dynamodb:GetItem", "dynamodb:PutItem"],
            vec!["profile"],
        ),
        (vec!["dynamodb:GetItem"], vec!["settings"]),
    ];
    assert_eq!(catalog, expected, "no other record");
}

#[test]
fn permissions_the_emulator_ignores_are_granted() {
    let template = template();
    let granted = |function: &str, action: &str| {
        let policies = list(&template["Resources"][function]["Properties"]["Policies"]);
        let statements = policies
            .iter()
            .flat_map(|policy| list(&policy["Statement"]));
        statements
            .flat_map(|statement| list(&statement["Action"]))
            .filter(|granted| **granted == action)
            .count()
    };
    for (function, action) in [
        ("CastFunction", "iam:PassRole"),
        ("CastFunction", "ecs:TagResource"),
        ("CastFunction", "ecs:DescribeTasks"),
        ("CastFunction", "ecs:ListTasks"),
        ("CastFunction", "ecs:StopTask"),
        ("SessionFunction", "iam:PassRole"),
        ("SessionFunction", "ecs:RunTask"),
        ("SessionFunction", "ecs:TagResource"),
        ("AuthFunction", "dynamodb:GetItem"),
        ("AuthFunction", "dynamodb:PutItem"),
        ("AdminFunction", "iam:PassRole"),
        ("AdminFunction", "ecs:TagResource"),
        ("LifecycleFunction", "iam:PassRole"),
        ("LifecycleFunction", "ecs:TagResource"),
    ] {
        assert_eq!(
            granted(function, action),
            1,
            "{function} needs {action} once"
        );
    }
}

#[test]
fn roles_belong_to_functions_and_sessions_have_none() {
    let template = template();
    let roles = resources(&template, "AWS::IAM::Role")
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect::<Vec<_>>();
    assert_eq!(
        roles,
        [
            "EcsRoleFunctionRole",
            "ExecutionRole",
            "EdgeSettingsRole",
            "EdgeExecutionRole"
        ],
        "the functions' own are made from their policies"
    );
    for (name, role) in resources(&template, "AWS::IAM::Role") {
        assert!(
            role["ManagedPolicyArns"].is_null(),
            "{name}: what it may do is written here"
        );
        let statements = list(&role["Policies"])
            .iter()
            .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        let statements = statements.map(|statement| {
            if statement["Fn::If"].is_null() {
                statement
            } else {
                &statement["Fn::If"][1]
            }
        });
        for statement in statements {
            for action in list(&statement["Action"]).iter().map(text) {
                assert!(!action.contains('*'), "{name} may {action}");
                let wide = statement["Resource"] == "*";
                assert!(
                    !wide
                        || [
                            "ecr:GetAuthorizationToken",
                            "ec2:DescribeManagedPrefixLists"
                        ]
                        .contains(&action),
                    "{name} may {action} on everything"
                );
            }
        }
    }
    for (name, task) in resources(&template, "AWS::ECS::TaskDefinition") {
        assert!(task["TaskRoleArn"].is_null(), "{name}");
    }
}

#[test]
fn failed_invocations_are_kept_and_alarmed() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let (_, lifecycle) = functions
        .iter()
        .find(|(name, _)| *name == "LifecycleFunction")
        .expect("is there");
    let events = lifecycle["Events"].as_mapping().expect("events");
    assert_eq!(events.len(), 2);
    for (name, event) in events {
        assert_eq!(
            event["Properties"]["DeadLetterConfig"]["Arn"]["!GetAtt"], "LostEvents.Arn",
            "{name:?}"
        );
        assert!(
            event["Properties"]["RetryPolicy"]["MaximumRetryAttempts"]
                .as_u64()
                .is_some_and(|times| times > 0),
            "{name:?}"
        );
    }
    assert_eq!(
        template["Resources"]["LifecycleRetries"]["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
            ["!GetAtt"],
        "LostEvents.Arn"
    );
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        assert_eq!(
            alarm["AlarmActions"][0]["!Ref"], "AlarmTopic",
            "{name} tells nobody"
        );
    }
}

#[test]
fn schedule_starts_a_sweep_as_often_as_the_code_expects() {
    let template = template();
    let events = &template["Resources"]["LifecycleFunction"]["Properties"]["Events"];
    let schedule = &events["Sweep"]["Properties"];
    let minutes = SWEEP_INTERVAL_SECONDS / 60;
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    assert_eq!(
        text(&schedule["Schedule"]),
        format!("rate({minutes} {unit})")
    );
    // The next sweep does what a late one would have done.
    let age = &schedule["RetryPolicy"]["MaximumEventAgeInSeconds"];
    assert_eq!(age.as_u64(), Some(SWEEP_INTERVAL_SECONDS));
    let alarm = &template["Resources"]["SweepStands"]["Properties"];
    assert!(alarm["Period"].as_u64() > Some(2 * SWEEP_INTERVAL_SECONDS));
}

#[test]
fn alarms_and_dashboard_use_existing_metrics() {
    let counted = [
        include_str!("../../shared/core/src/flow/mod.rs"),
        include_str!("../../shared/core/src/flow/refusal.rs"),
        include_str!("../../shared/core/src/flow/sweep.rs"),
        include_str!("../../shared/core/src/flow/claim/admission_hook.rs"),
        include_str!("../../shared/core/src/flow/claim/reserve.rs"),
        include_str!("../../shared/core/src/flow/claim/queue.rs"),
    ]
    .concat();
    let template = template();
    let mut seen = BTreeSet::new();
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        if alarm["Namespace"] == casting_boot::METRICS_NAMESPACE {
            let metric = text(&alarm["MetricName"]);
            assert!(
                counted.contains(&format!("{metric} = "))
                    || counted.contains(&format!("let {metric} =")),
                "{name}: nothing counts {metric}"
            );
            let dimensions = list(&alarm["Dimensions"]);
            assert_eq!(text(&dimensions[0]["Name"]), "stack", "{name}");
            if let Some(dimension) = dimensions.get(1) {
                assert!(
                    counted.contains(text(&dimension["Name"])),
                    "{name}: {dimension:?}"
                );
            }
            seen.insert(metric);
        }
    }
    assert_eq!(
        seen,
        BTreeSet::from([
            "admission_unanswered",
            "budget_reached",
            "captcha_unavailable",
            "claims",
            "not_entered",
            "start_ms",
            "sweep_lag_ms"
        ])
    );
    let dashboard =
        text(&template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["!Sub"]);
    // What is filled in is a name.
    let filled: String = dashboard
        .split("${")
        .enumerate()
        .map(|(n, part)| {
            if n == 0 {
                part
            } else {
                part.split_once('}').map_or(part, |(_, rest)| rest)
            }
        })
        .collect();
    let board: serde_json::Value = serde_json::from_str(&filled).expect("JSON");
    let widgets = board["widgets"].as_array().expect("widgets");
    let ours = widgets
        .iter()
        .filter(|widget| widget["properties"]["metrics"][0][0] == casting_boot::METRICS_NAMESPACE);
    assert_eq!((widgets.len(), ours.count()), (7, 2));
}

#[test]
fn inlined_files_match_their_sources() {
    let template = template();
    let (resources, code) = (&template["Resources"], |text: &str| {
        format!("{}\n", text.trim_end())
    });
    for (name, copy, file) in [
        (
            "router.js",
            &resources["EdgeFunction"]["Properties"]["FunctionCode"],
            include_str!("../../infra/edge/router.js"),
        ),
        (
            "return.js",
            &resources["EdgeReturnFunction"]["Properties"]["FunctionCode"],
            include_str!("../../infra/edge/return.js"),
        ),
        (
            "settings.py",
            &resources["EdgeSettingsFunction"]["Properties"]["Code"]["ZipFile"],
            include_str!("../../infra/edge/settings.py"),
        ),
        (
            "ecs_role.py",
            &resources["EcsRoleFunction"]["Properties"]["Code"]["ZipFile"],
            include_str!("../../infra/ecs_role.py"),
        ),
    ] {
        assert_eq!(code(text(copy)), code(file), "{name}");
        assert!(
            file.len() <= 10_240 && (!name.ends_with(".py") || file.len() <= 4096),
            "{name}: {} bytes",
            file.len()
        );
    }
}

#[test]
fn session_responses_set_hsts() {
    let template = template();
    let resources = &template["Resources"];
    let behaviour =
        &resources["Distribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"];
    let policy = behaviour["ResponseHeadersPolicyId"]["!Ref"].as_str();
    let policy = &resources[policy.expect("a policy")]["Properties"]["ResponseHeadersPolicyConfig"];
    let https_only = &policy["SecurityHeadersConfig"]["StrictTransportSecurity"];
    // As gate/src/edge.rs and infra/edge/router.js say it, and over what an app says.
    assert_eq!(https_only["AccessControlMaxAgeSec"], 31_536_000);
    assert_eq!(https_only["IncludeSubdomains"], false);
    assert_eq!(https_only["Override"], true);
}

#[test]
fn edge_key_matches_the_deployment_computation() {
    // infra/tests/test_edge_settings.py holds the deployment's side to the same.
    assert_eq!(
        casting_core::keys::Keyring::edge_key(&[5; 32]),
        EDGE_KEY_OF_FIVES
    );
    assert!(include_str!("../../infra/tests/test_edge_settings.py").contains(EDGE_KEY_OF_FIVES));
}

const EDGE_KEY_OF_FIVES: &str = "_LioUV6TLcvv0P97FsWEILk3p6O0hvmJxiOqpsiBHxQ";

#[test]
fn event_rule_matches_what_lifecycle_reads() {
    let template = template();
    let functions = resources(&template, "AWS::Serverless::Function");
    let (_, lifecycle) = functions
        .iter()
        .find(|(name, _)| *name == "LifecycleFunction")
        .expect("is there");
    let pattern = &lifecycle["Events"]["TaskChanged"]["Properties"]["Pattern"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/lifecycle/events");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("recorded events") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let event: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let matches = list(&pattern["source"])
            .iter()
            .any(|source| event["source"] == text(source))
            && list(&pattern["detail-type"])
                .iter()
                .any(|kind| event["detail-type"] == text(kind));
        assert_eq!(matches, name.starts_with("task_"), "{name}");
        seen += 1;
    }
    assert!(seen > 5, "{seen} recorded events");
    assert_eq!(
        text(&pattern["detail"]["clusterArn"][0]["!GetAtt"]),
        "Cluster.Arn",
        "other clusters' tasks are none of ours"
    );
}

#[test]
fn only_the_edge_reaches_the_gate_port() {
    let template = template();
    for (name, group) in resources(&template, "AWS::EC2::SecurityGroup") {
        assert!(
            list(&group["SecurityGroupIngress"]).is_empty(),
            "{name} has doors of its own"
        );
        assert!(
            !list(&group["SecurityGroupEgress"]).is_empty(),
            "{name} may go anywhere"
        );
    }
    let mut doors = Vec::new();
    for (name, door) in resources(&template, "AWS::EC2::SecurityGroupIngress") {
        assert_eq!(door["FromPort"], door["ToPort"], "{name}");
        let from = [
            &door["SourceSecurityGroupId"]["!GetAtt"],
            &door["CidrIp"],
            &door["SourcePrefixListId"]["!If"][0],
        ]
        .into_iter()
        .find_map(Value::as_str);
        let to = text(&door["GroupId"]["!GetAtt"]).trim_end_matches(".GroupId");
        doors.push((
            to,
            door["FromPort"].as_u64().unwrap_or_default(),
            from.unwrap_or_default(),
        ));
    }
    let gate = u64::from(casting_core::image::GATE_PORT);
    let expected = [
        ("SessionSecurityGroup", gate, "HasPrefixList"),
        ("SessionSecurityGroup", gate, "EdgeSecurityGroup.GroupId"),
        ("EdgeDoorSecurityGroup", 443, "0.0.0.0/0"),
        ("EdgeSecurityGroup", 8080, "EdgeDoorSecurityGroup.GroupId"),
    ];
    assert_eq!(doors, expected);
    let prefix = &template["Resources"]["GateIngress"]["Properties"]["SourcePrefixListId"]["!If"];
    assert_eq!(
        (&prefix[1]["!Ref"], &prefix[2]["!GetAtt"]),
        (
            &Value::from("EdgePrefixListId"),
            &Value::from("EdgeSettings.PrefixListId")
        )
    );
    let edge = &template["Resources"]["EdgeTask"]["Properties"]["ContainerDefinitions"][0];
    assert_eq!(
        (
            edge["Command"][0].as_str(),
            edge["PortMappings"][0]["ContainerPort"].as_u64()
        ),
        (Some("edge"), Some(8080))
    );
}
