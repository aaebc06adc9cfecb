//! Owns the proof that the document, the route tables and the examples go together.

use std::collections::BTreeSet;

use casting_core::ids::ImageId;
use casting_core::testing::{SeededEntropy, cast, session};
use casting_core::url_rules::OwnUrls;
use casting_core::{api_key_form, cast_form, group_form, image_form, network_form, staging_form};
use casting_web::{Access, PUBLIC_ROUTES, Problem, PublicRouteName};
use serde_json::{Value, json};

use super::document::{documented, has_body, whole};
use super::examples;
use crate::api::routes::{API_ROUTER, API_ROUTES};
use casting_core::admin::sessions;

/// The schema of this name, with everything that it refers to.
fn validator(document: &Value, name: &str) -> jsonschema::Validator {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
    jsonschema::options().build(&schema).expect("a schema")
}

fn operations_of(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .expect("a path")
            .iter()
            .map(move |(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    all.collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found.insert(target.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn document_lists_exactly_the_api_routes() {
    let document = whole();
    let said: BTreeSet<_> = operations_of(&document)
        .into_iter()
        .map(|(path, method, _)| (path, method))
        .collect();
    let for_programs = [
        PublicRouteName::DescribeCast,
        PublicRouteName::Claim,
        PublicRouteName::SessionStatus,
        PublicRouteName::OpenDevtools,
        PublicRouteName::EndSession,
    ];
    let public = PUBLIC_ROUTES
        .iter()
        .filter(|line| for_programs.contains(&line.name))
        .map(|line| &line.route);
    let routes = public.chain(API_ROUTES.iter().map(|line| &line.route));
    let there: BTreeSet<_> = routes
        .map(|route| {
            (
                route.path.to_owned(),
                route.method.as_str().to_ascii_lowercase(),
            )
        })
        .collect();
    assert_eq!(said, there);
}

#[test]
fn operations_declare_the_access_of_their_route() {
    let document = whole();
    let mut ids = BTreeSet::new();
    for documented in documented() {
        let (route, id) = (documented.route, documented.operation_id);
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(ids.insert(id.clone()), "{id}: no two are called alike");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|summary| !summary.is_empty()),
            "{}",
            route.path
        );
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .count();
        assert_eq!(in_path == 1, route.path.contains('{'), "{}", route.path);
        let tags = document["tags"].as_array().expect("tags");
        assert!(
            tags.iter().any(|tag| tag["name"] == operation["tags"][0]),
            "{}",
            route.path
        );
        let has_problem = |status: &str| operation["responses"].get(status).is_some();
        let needs_key = matches!(
            route.access,
            Access::Read | Access::Write(_) | Access::SignedIn | Access::Change
        );
        assert_eq!(
            needs_key,
            has_problem("401")
                && operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.len() == 2),
            "{}",
            route.path
        );
        assert!(
            !has_body(&route.method)
                || operation.get("requestBody").is_none()
                || has_problem("415"),
            "{}",
            route.path
        );
    }
}

#[test]
fn references_resolve_and_schemas_are_used() {
    let document = whole();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for target in &found {
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{target} leads nowhere"
        );
    }
    for name in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .keys()
    {
        assert!(
            found.contains(&format!("#/components/schemas/{name}")),
            "nobody uses {name}"
        );
    }
}

#[test]
fn links_point_to_operations() {
    let document = whole();
    let ids: BTreeSet<String> = documented().map(|route| route.operation_id).collect();
    let mut count = 0;
    for (path, _, operation) in operations_of(&document) {
        for answer in operation["responses"]
            .as_object()
            .expect("answers")
            .values()
        {
            for (name, link) in answer["links"].as_object().into_iter().flatten() {
                assert!(
                    ids.contains(link["operationId"].as_str().unwrap_or_default()),
                    "{path}: {name}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} links");
}

#[test]
fn examples_match_their_schemas() {
    let document = whole();
    let text = document.to_string();
    for name in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .keys()
    {
        let validator = validator(&document, name);
        let examples = examples::of(name);
        let must = name.starts_with("New") || name.ends_with("Change");
        assert!(!must || !examples.is_empty(), "{name} has no example");
        for (title, example) in examples {
            let errors: Vec<_> = validator
                .iter_errors(&example)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{name}, {title}: {errors:?}");
            assert!(
                text.contains(&example.to_string()),
                "{name}, {title} is shown nowhere"
            );
        }
    }
}

#[test]
fn forms_accept_the_examples() {
    let entropy = SeededEntropy::new(1);
    for (name, takes) in [
        (
            "NewCast",
            Box::new(|input: &Value| {
                cast_form::create(input, &OwnUrls::of("https://cast.example.com"), &entropy).is_ok()
            }) as Box<dyn Fn(&Value) -> bool>,
        ),
        (
            "NewImage",
            Box::new(|input| image_form::create(input).is_ok()),
        ),
        (
            "NewGroup",
            Box::new(|input| group_form::create(input).is_ok()),
        ),
        (
            "NewNetwork",
            Box::new(|input| network_form::create(input).is_ok()),
        ),
        (
            "NewStagingConfig",
            Box::new(|input| staging_form::create(input).is_ok()),
        ),
        (
            "NewApiKey",
            Box::new(|input| api_key_form::create(input).is_ok()),
        ),
    ] {
        for (title, example) in examples::of(name) {
            assert!(takes(&example), "{name}, {title}");
        }
    }
    assert!(
        ImageId::parse(
            examples::of("NewCast")[0].1["image_id"]
                .as_str()
                .expect("an id")
        )
        .is_some()
    );
}

#[test]
fn session_view_matches_its_schema() {
    let document = whole();
    let view = sessions::view(&session(&cast(1), 1));
    let errors: Vec<_> = validator(&document, "Session")
        .iter_errors(&view)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let said = document["components"]["schemas"]["Session"]["properties"]
        .as_object()
        .expect("fields")
        .len();
    assert_eq!(view.as_object().map(serde_json::Map::len), Some(said));
}

#[test]
fn document_fits_into_a_lambda_response() {
    let size = super::WRITTEN.text.len();
    // Lambda sends 6 MB at most; clients read it at every start.
    assert!(size < 350_000, "{size} bytes");
}

#[test]
fn every_route_of_the_api_is_found_by_its_path() {
    for line in API_ROUTES {
        let path = line.route.path.replace("{id}", "x1");
        let found = API_ROUTER
            .find(&line.route.method, &path)
            .unwrap_or_else(|miss| panic!("{path}: {miss:?}"));
        assert_eq!(found.line.operation_id, line.operation_id, "{path}");
    }
    assert_eq!(
        API_ROUTER
            .find(&http::Method::PUT, "/api/admin/casts/c1")
            .map(|_| ())
            .err(),
        Some(Problem::method_not_allowed("GET, HEAD, PATCH, DELETE"))
    );
}
