//! Owns the test that each form and its JSON Schema accept the same documents: every field is given
//! values from a long list, one at a time and in combination, and both judge them. Tests only.

use std::collections::BTreeSet;

use jsonschema::{Validator, options};
use serde_json::{Value, json};

use crate::api_key::ApiKey;
use crate::cast::{Cast, CountBy, Counter, IpLimit};
use crate::deployment::Deployment;
use crate::form::{FieldError, FieldErrors};
use crate::group::Group;
use crate::ids::{ApiKeyId, StagingId};
use crate::json_schema::{self, Schemas};
use crate::network::{Network, NetworkName, NetworkSettings, Placement};
use crate::preset;
use crate::resource::{FormField, Resource, Widget};
use crate::staging::StagingConfig;
use crate::testing::{NOON, SeededEntropy, cast, image};
use crate::url_rules::OwnUrls;
use crate::{
    api_key_form, cast_form, group_form, image_form, network_form, settings_form, staging_form,
};

const OURS: &str = "https://cast.example.org";

fn validator(schema: &Value) -> Validator {
    options().build(schema).expect("a schema")
}

/// Values for any field: of every type, at the edges of ranges, and texts that look like something.
fn values() -> Vec<Value> {
    let numbers = [
        0,
        1,
        2,
        5,
        10,
        21,
        59,
        60,
        100,
        101,
        200,
        201,
        256,
        300,
        512,
        1000,
        1001,
        1024,
        2048,
        4096,
        6900,
        8760,
        8761,
        10_080,
        10_081,
        65_535,
        65_536,
        100_001,
        604_800,
        604_801,
        1_000_000,
        1_000_001,
        2_592_000,
        2_592_001,
        u64::MAX,
    ];
    let mut values: Vec<Value> = numbers.iter().map(|number| json!(number)).collect();
    values.extend([
        json!(null),
        json!(true),
        json!(false),
        json!(-1),
        json!(1.5),
        json!(5.0),
        json!(256.0),
        json!([]),
        json!({}),
        json!([[]]),
    ]);
    let long = |count: usize| "a".repeat(count);
    let texts = [
        String::new(),
        " ".into(),
        "a".into(),
        " abc ".into(),
        "\u{a0}abc\n".into(),
        "a\nb".into(),
        "a\u{1b}b".into(),
        "a\0".into(),
        "\u{85}x".into(),
        "true".into(),
        "1".into(),
        "All Users".into(),
        " All Users\n".into(),
        "all users".into(),
        "default".into(),
        "123abc".into(),
        "root".into(),
        "000".into(),
        "/tmp".into(),
        "VNC_PW".into(),
        "CAST_X".into(),
        "CASTLE".into(),
        "altcha".into(),
        "turnstile".into(),
        "browser".into(),
        "rfb".into(),
        "kasmweb".into(),
        "acme.com".into(),
        "=acme.com".into(),
        "https://example.com/".into(),
        "http://localhost:1/".into(),
        "http://example.com/".into(),
        "https://example.com/(a)".into(),
        "https://user@example.com".into(),
        "-x".into(),
        "192.0.2.0/24 Home".into(),
        "::1".into(),
        "192.0.2.256".into(),
        "2026-12-31T18:00:00Z".into(),
        "2026-12-31 18:00:00".into(),
        "2026-02-30T00:00:00Z".into(),
        "mon-fri 09:00-17:00".into(),
        "mon 09:00-09:00".into(),
        "Europe/Berlin".into(),
        "europe/berlin".into(),
        "family:7".into(),
        "sg-1".into(),
        "subnet-1".into(),
        "app/x:1".into(),
        "-rm".into(),
        long(26),
        long(60),
        long(61),
        long(64),
        long(65),
        long(100),
        long(101),
        long(255),
        long(256),
        long(2000),
        long(2001),
        format!(" {} ", long(100)),
        format!("i{}", long(26)),
        format!("g{}", long(26)),
        format!("g{}1", long(25)),
        "\u{fe}".repeat(255),
    ];
    values.extend(texts.iter().map(|text| json!(text)));
    values.extend(texts.iter().map(|text| json!([text])));
    values.extend([101, 501, 65, 21, 17, 6].map(|count| json!(vec!["acme.com"; count])));
    values.extend([501, 500].map(|count| json!(vec!["::1"; count])));
    values.extend([
        json!(["a", 1]),
        json!(["subnet-1", "subnet-2"]),
        json!(vec!["sg-1"; 6]),
    ]);
    values.extend([
        json!({"A": "b"}),
        json!({"a": "b"}),
        json!({"A": 1}),
        json!({"CAST_A": "b"}),
        json!({"CAST": ""}),
        json!({"A": "\0"}),
        json!({"": "x"}),
        json!({"permissions": {"audio": true}}),
        json!({"permissions": {"audio": null}}),
        json!({"permissions": {"fly": true}}),
        json!({"permissions": null}),
        json!({"idle_minutes": 0}),
        json!({"idle_minutes": null}),
        json!({"sessions_per_user": 1000}),
        json!({"x": 1}),
        json!({"time_zone": "UTC", "spans": ["mon 09:00-17:00"]}),
        json!({"time_zone": "UTC", "spans": []}),
        json!({"time_zone": "Mars/X", "spans": ["mon 09:00-17:00"]}),
        json!({"spans": ["mon 09:00-17:00"]}),
        json!({"time_zone": "UTC"}),
        json!({"time_zone": "UTC", "spans": vec!["mon 09:00-17:00"; 21]}),
        json!({"go": null}),
        json!({"go": {}}),
        json!({"go": {"cmd": "x"}}),
        json!({"go": {"cmd": " "}}),
        json!({"go": {"cmd": ["x", ""]}}),
        json!({"go": {"cmd": []}}),
        json!({"go": {"cmd": "x", "user": "root"}}),
        json!({"go": {"cmd": "x", "user": "00"}}),
        json!({"go": {"cmd": "x", "user": "root:1000"}}),
        json!({"go": {"cmd": "x", "user": "1000:root"}}),
        json!({"go": {"cmd": "x", "user": " root"}}),
        json!({"go": {"cmd": "x", "user": "4294967296"}}),
        json!({"go": {"cmd": "x", "user": "roots:users"}}),
        json!({"go": {"cmd": "x", "user": "01", "workdir": "/x"}}),
        json!({"go": {"cmd": "x", "user": ""}}),
        json!({"go": {"cmd": "x", "user": null}}),
        json!({"go": {"cmd": "x", "workdir": "x"}}),
        json!({"go": {"cmd": "x", "environment": {"A": "b"}}}),
        json!({"go": {"cmd": "x", "environment": {"a": "b"}}}),
        json!({"go": {"cmd": "x", "privileged": true}}),
        json!({"stop": {"cmd": "x"}}),
        json!({"go": {"cmd": "x\u{0}"}}),
    ]);
    values
}

type Reading = Box<dyn Fn(&Value) -> Result<(), FieldErrors>>;

/// One form: its schema, how it is read, and documents that it takes.
struct Subject {
    name: &'static str,
    schema: Value,
    read: Reading,
    bases: Vec<Value>,
}

fn limited() -> Cast {
    let mut cast = cast(1);
    cast.settings.limit_total_sessions = true;
    cast.settings.ip_limit = Some(IpLimit {
        sessions: 1,
        within_seconds: 60,
        by: CountBy::Address,
        exempt: Vec::new(),
    });
    cast
}

fn network() -> Network {
    let placement = Placement {
        subnets: vec!["subnet-1".into()],
        security_groups: vec!["sg-1".into()],
        assign_public_ip: false,
    };
    let settings = NetworkSettings {
        description: String::new(),
        placement,
    };
    Network {
        id: NetworkName::parse("lab").expect("a name"),
        version: 1,
        settings,
        created_at: NOON,
        updated_at: NOON,
    }
}

fn subjects() -> Vec<Subject> {
    let subject = |name, schema, bases: &[Value], read: Reading| Subject {
        name,
        schema,
        read,
        bases: bases.to_vec(),
    };
    let container = json!({"name": "Demo", "container_image": "example/app:1", "port": 8080});
    let mut images = vec![
        container.clone(),
        json!({"name": "Demo", "task_definition": "family"}),
    ];
    images.extend(preset::ALL.map(|preset| {
        let mut image = json!({"name": "Demo", "container_image": "example/app:1", "port": 80, "preset": preset});
        // Started by its gate, or not at all.
        if preset == "selkies" {
            image["command"] = json!(["app"]);
        }
        image
    }));
    images.push(json!({"name": "Demo", "container_image": "example/app:1", "command": ["app"], "exec_config": {"go": {"cmd": "x"}}, "app_user": "a", "app_password_variable": "A"}));
    vec![
        subject(
            "a new cast",
            cast_form::schemas().create,
            &[
                json!({"name": "Demo", "image_id": format!("i{}", "a".repeat(26))}),
                json!({"name": "Demo", "image_id": format!("i{}", "a".repeat(26)), "limit_total_sessions": true, "sessions_remaining": 1,
                "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 1}),
            ],
            Box::new(|input| {
                cast_form::create(input, &OwnUrls::of(OURS), &SeededEntropy::new(1)).map(drop)
            }),
        ),
        subject(
            "a changed cast",
            cast_form::schemas().change,
            &[json!({})],
            Box::new(|input| {
                cast_form::patch(
                    &limited(),
                    input,
                    &OwnUrls::of(OURS),
                    Some(limited().counter.remaining),
                )
                .map(drop)
            }),
        ),
        subject(
            "a new group",
            group_form::schemas().create,
            &[json!({"name": "Staff"})],
            Box::new(|input| group_form::create(input).map(drop)),
        ),
        subject(
            "a changed group",
            group_form::schemas().change,
            &[json!({})],
            Box::new(|input| group_form::patch(&Group::all_users(), input).map(drop)),
        ),
        subject(
            "a new network",
            network_form::schemas().create,
            &[json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]})],
            Box::new(|input| network_form::create(input).map(drop)),
        ),
        subject(
            "a changed network",
            network_form::schemas().change,
            &[json!({})],
            Box::new(|input| network_form::patch(&network(), input).map(drop)),
        ),
        subject(
            "a new image",
            image_form::schemas().create,
            &images,
            Box::new(|input| image_form::create(input).map(drop)),
        ),
        subject(
            "a changed image",
            image_form::schemas().change,
            &[json!({})],
            Box::new(|input| image_form::patch(&image(1), input).map(drop)),
        ),
        subject(
            "changed settings",
            settings_form::schemas().change,
            &[json!({})],
            Box::new(|input| settings_form::patch(&Deployment::default(), input).map(drop)),
        ),
    ]
}

impl Subject {
    /// Asks both. What only does not go with what is there already is no mistake of the document,
    /// and what has a format is checked by the form alone, as is the other half of a login.
    fn ask(&self, validator: &Validator, document: &Value) {
        let (said, read) = (validator.is_valid(document), (self.read)(document));
        let takes = read.as_ref().err().is_none_or(|errors| {
            (self.name.contains("changed") && errors.only_clashes())
                || (said && errors.0.iter().all(|error| self.is_for_the_form(error)))
        });
        let why = || {
            validator
                .iter_errors(document)
                .map(|error| error.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            said,
            takes,
            "{}: {document}: the schema says {:?}, the form says {read:?}",
            self.name,
            why()
        );
    }

    /// Whether no schema says this (see `image_rules`).
    fn is_for_the_form(&self, error: &FieldError) -> bool {
        let is_login = ["/app_user", "/app_password_variable"].contains(&error.pointer.as_str());
        (is_login && error.detail.starts_with("is required with"))
            || self.has_format(&error.pointer)
    }

    /// Whether the field at this pointer is described by a format of URLs.
    fn has_format(&self, pointer: &str) -> bool {
        let field = pointer.trim_start_matches('/').split('/').next();
        let schema = field.map(|field| self.schema["properties"][field].to_string());
        schema.is_some_and(|schema| schema.contains("\"format\""))
    }

    fn fields(&self) -> Vec<String> {
        self.schema["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    }
}

fn with(document: &Value, field: &str, value: Option<&Value>) -> Value {
    let mut fields = document.as_object().cloned().unwrap_or_default();
    match value {
        Some(value) => _ = fields.insert(field.to_owned(), value.clone()),
        None => _ = fields.remove(field),
    }
    Value::Object(fields)
}

#[test]
fn parsers_accept_exactly_what_schemas_allow() {
    let values = values();
    for subject in subjects() {
        let validator = validator(&subject.schema);
        for (index, base) in subject.bases.iter().enumerate() {
            // The first document is given every value, the others a few of them each.
            let step = if index == 0 { 1 } else { 11 };
            subject.ask(&validator, base);
            assert!(validator.is_valid(base), "{}: {base}", subject.name);
            for field in subject.fields() {
                subject.ask(&validator, &with(base, &field, None));
                for value in values.iter().skip(index).step_by(step) {
                    subject.ask(&validator, &with(base, &field, Some(value)));
                }
            }
            for field in ["else", "a/b~c", "Name", ""] {
                subject.ask(&validator, &with(base, field, Some(&json!(1))));
            }
        }
        for input in [json!([]), json!("a"), json!(null), json!(1)] {
            subject.ask(&validator, &input);
        }
    }
}

#[test]
fn field_dependencies_match_the_schema() {
    let mut dice = fastrand::Rng::with_seed(7);
    let choices: &[(&str, &[Value])] = &[
        (
            "preset",
            &[
                json!(null),
                json!("kasmweb"),
                json!("kasmweb_chromium"),
                json!("linuxserver"),
                json!("selkies"),
                json!("web_app"),
            ],
        ),
        ("task_definition", &[json!(null), json!("family")]),
        (
            "container_image",
            &[json!("example/app:1"), json!("example/app:2"), json!(null)],
        ),
        ("command", &[json!([]), json!(["app"])]),
        (
            "cpu",
            &[
                json!(null),
                json!(256),
                json!(1024),
                json!(2048),
                json!(300),
                json!(16_384),
            ],
        ),
        (
            "memory",
            &[
                json!(null),
                json!(512),
                json!(2048),
                json!(4096),
                json!(1500),
                json!(122_880),
            ],
        ),
        ("ephemeral_storage", &[json!(null), json!(21)]),
        (
            "architecture",
            &[json!(null), json!("x86_64"), json!("arm64")],
        ),
        ("port", &[json!(null), json!(80)]),
        (
            "exec_config",
            &[json!({}), json!({"go": null}), json!({"go": {"cmd": "x"}})],
        ),
        ("view_only", &[json!(null), json!("rfb"), json!("selkies")]),
        ("app_user", &[json!(null), json!("a")]),
        ("app_password_variable", &[json!(null), json!("A")]),
        ("limit_total_sessions", &[json!(true), json!(false)]),
        ("sessions_remaining", &[json!(null), json!(1)]),
        ("limit_requests_per_ip", &[json!(true), json!(false)]),
        ("sessions_allowed", &[json!(null), json!(1)]),
        ("within_seconds", &[json!(null), json!(1)]),
    ];
    for subject in subjects() {
        let (validator, fields) = (validator(&subject.schema), subject.fields());
        let (mut taken, rounds) = (0, 3000);
        for _ in 0..rounds {
            let mut document = subject.bases[0].clone();
            for (field, values) in choices
                .iter()
                .filter(|(field, _)| fields.iter().any(|known| known == field))
            {
                if dice.bool() {
                    document = with(&document, field, Some(&values[dice.usize(0..values.len())]));
                }
            }
            subject.ask(&validator, &document);
            taken += usize::from(validator.is_valid(&document));
        }
        assert!(
            taken > rounds / 100,
            "{}: {taken} of {rounds} documents were right",
            subject.name
        );
    }
}

#[test]
fn views_match_their_schemas() {
    let deployment = Deployment::default();
    for (name, Schemas { shown, .. }, view) in [
        (
            "a cast",
            cast_form::schemas(),
            cast_form::view(&limited(), OURS),
        ),
        (
            "a cast without limits",
            cast_form::schemas(),
            cast_form::view(&cast(1), OURS),
        ),
        (
            "a group",
            group_form::schemas(),
            group_form::view(&Group::all_users()),
        ),
        (
            "a network",
            network_form::schemas(),
            network_form::view(&network()),
        ),
        (
            "an image",
            image_form::schemas(),
            image_form::view(&image(1)),
        ),
        (
            "settings",
            settings_form::schemas(),
            settings_form::view(&deployment),
        ),
    ] {
        let errors: Vec<_> = validator(&shown)
            .iter_errors(&view)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        let said: Vec<_> = shown["properties"]
            .as_object()
            .expect("an object")
            .keys()
            .collect();
        let mut seen: Vec<_> = view.as_object().expect("an object").keys().collect();
        seen.retain(|field| !said.contains(field));
        assert!(seen.is_empty(), "{name} also shows {seen:?}");
    }
}

/// Every record whose fields are declared in a table: its form, what JSON Schema says of it, and
/// one as the API shows it.
fn records() -> Vec<(&'static Resource, Schemas, Value)> {
    let staging = StagingConfig {
        id: StagingId::from_bytes([1; 16]),
        version: 1,
        settings: staging_form::create(&json!({"name": "Pool", "image_id": image(1).id}))
            .expect("a pool"),
        created_at: NOON,
        updated_at: NOON,
    };
    let key = api_key_form::create(&json!({"name": "CI"})).expect("a key");
    let key = ApiKey::with_secret(ApiKeyId::from_bytes([1; 16]), &[1; 16], NOON, key).0;
    vec![
        (
            cast_form::resource(),
            cast_form::schemas(),
            cast_form::view(&cast(1), OURS),
        ),
        (
            image_form::resource(),
            image_form::schemas(),
            image_form::view(&image(1)),
        ),
        (
            group_form::resource(),
            group_form::schemas(),
            group_form::view(&Group::all_users()),
        ),
        (
            network_form::resource(),
            network_form::schemas(),
            network_form::view(&network()),
        ),
        (
            staging_form::resource(),
            staging_form::schemas(),
            staging_form::view(&staging),
        ),
        (
            api_key_form::resource(),
            api_key_form::schemas(),
            api_key_form::view(&key),
        ),
        (
            settings_form::resource(),
            settings_form::schemas(),
            settings_form::view(&Deployment::default()),
        ),
    ]
}

/// The schema of the field at this pointer, which may lead into objects.
fn schema_at<'a>(schema: &'a Value, field: &FormField) -> &'a Value {
    let path = field.pointer().replace('/', "/properties/");
    schema.pointer(&path).unwrap_or(&Value::Null)
}

/// The words that a text, or each text of a list, may be; an empty one is null.
fn words_of(schema: &Value) -> BTreeSet<&str> {
    let words = schema.get("items").unwrap_or(schema)["enum"].as_array();
    let words = words.map(Vec::as_slice).unwrap_or_default();
    words
        .iter()
        .map(|word| word.as_str().unwrap_or_default())
        .collect()
}

#[test]
fn declared_fields_are_in_schema_view_and_form() {
    for (resource, Schemas { change, shown, .. }, view) in records() {
        for field in resource.fields() {
            let name = format!("{} {}", resource.name, field.name);
            assert_ne!(field.label, "", "{name}: no label");
            let is_secret = field.widget == Widget::Secret;
            let is_shown = view.pointer(&field.pointer()).is_some();
            assert_eq!(is_shown, !is_secret, "{name}: in the view");
            assert_eq!(schema_at(&shown, field).is_object(), is_shown, "{name}");
            assert!(schema_at(&change, field).is_object(), "{name}: in a change");
            if let Widget::Choice(options) | Widget::Ticks(options) = field.widget {
                let offered: BTreeSet<_> = options.iter().map(|(value, _)| *value).collect();
                assert_eq!(offered, words_of(schema_at(&change, field)), "{name}");
            }
            let top = field.name.split('.').next().unwrap_or_default();
            let about = &change["properties"][top]["description"];
            assert!(about.is_string(), "{name}: no doc");
        }
    }
}

/// A record as the API shows it after it was made of a document.
type Remake = fn(&Value) -> Value;

fn remade_cast(document: &Value) -> Value {
    let draft = cast_form::create(document, &OwnUrls::of(OURS), &SeededEntropy::new(1));
    let draft = draft.expect("a cast");
    let mut cast = cast(1);
    cast.settings = draft.settings;
    cast.counter = Counter::default().changed(draft.counter);
    cast_form::view(&cast, OURS)
}

fn remade_image(document: &Value) -> Value {
    let mut image = image(1);
    image.settings = image_form::create(document).expect("an image");
    image_form::view(&image)
}

fn remade_network(document: &Value) -> Value {
    let mut network = network();
    network.settings = network_form::create(document).expect("a network").1;
    network_form::view(&network)
}

/// Two declarations that name the same place in the record would overwrite each other.
#[test]
fn each_flag_is_stored_for_itself() {
    let image_id = format!("i{}", "a".repeat(26));
    let kinds: [(&Resource, Value, Remake); 3] = [
        (
            cast_form::resource(),
            json!({"name": "Demo", "image_id": image_id, "key": "123abc", "sessions_remaining": 1,
                "sessions_allowed": 1, "within_seconds": 1, "client_settings": {"idle_minutes": 1},
                "hook_url": "https://example.com/", "admission_hook_url": "https://example.com/"}),
            remade_cast,
        ),
        (
            image_form::resource(),
            json!({"name": "Demo", "task_definition": "family"}),
            remade_image,
        ),
        (
            network_form::resource(),
            json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}),
            remade_network,
        ),
    ];
    for (resource, base, remake) in kinds {
        let before = remake(&base);
        for field in resource.fields().filter(|f| f.widget == Widget::Flag) {
            let mut expected = before.clone();
            expected[&field.name] = json!(before[&field.name] == json!(false));
            let document = with(&base, &field.name, Some(&expected[&field.name]));
            let mut after = remake(&document);
            // Follows from the settings.
            after["warnings"] = before["warnings"].clone();
            expected["warnings"] = before["warnings"].clone();
            assert_eq!(after, expected, "{}: {}", resource.name, field.name);
        }
    }
}

#[test]
fn everything_that_can_be_set_is_in_the_form() {
    for (resource, Schemas { create, change, .. }, _) in records() {
        let asked: BTreeSet<_> = resource
            .fields()
            .filter_map(|field| field.name.split('.').next())
            .collect();
        for schema in [create, change] {
            let fields = schema["properties"].as_object().cloned();
            for (name, field) in fields.unwrap_or_default() {
                // Neither a read-only field, nor one that is taken off before the document is read.
                let is_elsewhere = field["description"] == json_schema::READ_ONLY_IN_A_CHANGE
                    || ["preset", "sessions_remaining_add"].contains(&name.as_str());
                assert!(
                    is_elsewhere || asked.contains(name.as_str()),
                    "{}: {name}",
                    resource.name
                );
            }
        }
    }
}
