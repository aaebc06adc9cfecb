//! Owns the tests of configuration documents that need no store: what a document means beside what
//! is stored.

use serde_json::{Map, Value, json};

use super::plan::{Ground, Plan};
use super::sections::{Section, Stored, StoredRecord};
use super::{FORMAT, Request, schema};
use crate::deployment::Deployment;
use crate::form::FieldErrors;
use crate::group::Group;
use crate::testing::{SeededEntropy, cast, image};
use crate::url_rules::OwnUrls;
use crate::{cast_form, group_form, image_form};

/// Two images of the same name, another one, *All Users*, and the cast `cast(1)` of the latter.
fn stored() -> Stored {
    let record = |section, id: &str, fields| StoredRecord::new(section, id, 1, fields);
    let named = |n: u8, name: &str| {
        let mut image = image(n);
        image.settings.name = name.to_owned();
        record(
            Section::Images,
            image.id.as_str(),
            image_form::fields(&image),
        )
    };
    let mut cast = cast(1);
    let document =
        json!({"name": cast.settings.name, "key": cast.settings.key, "image_id": image(3).id});
    let draft = cast_form::create(&document, &OwnUrls::default(), &SeededEntropy::new(1));
    cast.settings = draft.expect("is right").settings;
    let group = Group::all_users();
    Stored::new(
        Deployment::default(),
        vec![
            named(1, "Twice"),
            named(2, "Twice"),
            named(3, "Once"),
            record(Section::Casts, cast.id.as_str(), cast_form::fields(&cast)),
            StoredRecord::new(
                Section::Groups,
                group.id.as_str(),
                0,
                group_form::fields(&group),
            ),
        ],
    )
}

fn planned(document: &Value, prune: bool) -> Result<Vec<String>, FieldErrors> {
    let entropy = SeededEntropy::new(1);
    let ground = Ground {
        own: OwnUrls::default(),
        entropy: &entropy,
    };
    let mut whole = json!({ "version": FORMAT });
    for (name, value) in document.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    let plan = Plan::of(&whole, &stored(), prune, &ground)?;
    let steps = plan.steps.iter().map(|step| {
        let fields: Vec<&str> = step
            .changes
            .iter()
            .map(|change| change.field.as_str())
            .collect();
        let fields = if step.id.is_empty() {
            String::new()
        } else {
            format!(" [{}]", fields.join(" "))
        };
        format!("{:?} {}{fields}", step.action, step.name)
    });
    Ok(steps.collect())
}

#[test]
fn records_are_recognised_and_fields_have_defaults() {
    let key = cast(1).settings.key.to_string();
    let name = cast(1).settings.name;
    for (case, document, prune, expected) in [
        ("nothing", json!({}), true, vec![]),
        (
            "a new group",
            json!({"groups": [{"name": "Staff"}]}),
            false,
            vec!["Create Staff".to_owned()],
        ),
        (
            "the built-in group",
            json!({"groups": [{"name": "All Users", "description": "All users, including anonymous ones.", "priority": Group::all_users().settings.priority}]}),
            true,
            vec![],
        ),
        (
            "the cast by its key",
            json!({"casts": [{"name": "Other", "key": key, "image": "Once"}]}),
            false,
            vec![format!("Change {key} [name]")],
        ),
        (
            "the cast by its name",
            json!({"casts": [{"name": name, "image": "Once", "title": "T"}]}),
            false,
            vec![format!("Change {key} [title]")],
        ),
        (
            "the counter of a limit that is switched on",
            json!({"casts": [{"name": name, "image": "Once", "limit_total_sessions": true, "sessions_remaining": 7}]}),
            false,
            vec![format!(
                "Change {key} [limit_total_sessions sessions_remaining]"
            )],
        ),
        (
            "an image of this document",
            json!({"images": [{"name": "New", "container_image": "a/b:1", "port": 80}], "casts": [{"name": name, "image": "New"}]}),
            false,
            vec!["Create New".to_owned(), format!("Change {key} [image]")],
        ),
        (
            "no casts",
            json!({"casts": []}),
            true,
            vec![format!("Delete {key} []")],
        ),
        ("no casts, kept", json!({"casts": []}), false, vec![]),
        (
            "no groups: the built-in one stays",
            json!({"groups": []}),
            true,
            vec![],
        ),
    ] {
        assert_eq!(planned(&document, prune), Ok(expected), "{case}");
    }
}

#[test]
fn ambiguous_names_are_refused_where_they_matter() {
    for (case, document, pointer) in [
        (
            "a cast of one of two images",
            json!({"casts": [{"name": "A", "image": "Twice"}]}),
            "/casts/0/image",
        ),
        (
            "one of two images",
            json!({"images": [{"name": "Twice", "container_image": "a/b:1"}]}),
            "/images/0/name",
        ),
        (
            "the same cast by key and name",
            json!({"casts": [{"name": "A", "image": "Once"}, {"name": "A", "image": "Once"}]}),
            "/casts/1/name",
        ),
    ] {
        let errors = planned(&document, false).expect_err(case);
        let pointers: Vec<&str> = errors
            .0
            .iter()
            .map(|error| error.pointer.as_str())
            .collect();
        assert_eq!(pointers, [pointer], "{case}");
    }
    assert!(planned(&json!({"casts": [{"name": "A", "image": "Once"}]}), false).is_ok());
}

#[test]
fn request_is_read_with_every_mistake() {
    for (case, input, wrong) in [
        ("enough", json!({"configuration": {}}), vec![]),
        (
            "everything",
            json!({"configuration": {}, "prune": true, "plan": "x"}),
            vec![],
        ),
        ("nothing", json!({}), vec!["/configuration"]),
        ("no object", json!([]), vec![""]),
        (
            "wrong types",
            json!({"configuration": {}, "prune": 1, "plan": 2}),
            vec!["/prune", "/plan"],
        ),
        (
            "unknown",
            json!({"configuration": {}, "force": true}),
            vec!["/force"],
        ),
    ] {
        let errors = Request::read(&input)
            .err()
            .map(|errors| errors.0)
            .unwrap_or_default();
        let found: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, wrong, "{case}");
    }
}

#[test]
fn schema_names_references_and_no_secret() {
    let schema = schema();
    let fields = |section: &str| -> Map<String, Value> {
        let at = |path: &str| schema.pointer(path).and_then(Value::as_object).cloned();
        let items = at(&format!("/properties/{section}/items/properties"));
        items
            .or_else(|| at(&format!("/properties/{section}/properties")))
            .expect("fields")
    };
    assert!(fields("casts").contains_key("image") && !fields("casts").contains_key("image_id"));
    assert!(fields("staging_configs").contains_key("group"));
    assert!(fields("settings").contains_key("contact"));
    for hidden in ["captcha_secret_key", "version"] {
        assert!(!fields("settings").contains_key(hidden), "{hidden}");
    }
    let required = &schema["properties"]["casts"]["items"]["required"];
    assert!(
        required
            .as_array()
            .expect("a list")
            .contains(&json!("image")),
        "{required}"
    );
}
