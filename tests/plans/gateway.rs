//! Owns the comparison of the gateway in `infra/template.yaml` with the route tables: which route
//! leads where, which asks for a token, and who may be called.

use std::collections::{BTreeMap, BTreeSet};

use casting_local::front::routes as all_routes;
use casting_web::routes::{Access, Function, Route};
use http::Method;
use serde_yaml_ng::Value;

use crate::template::{resources, template, text};

/// The gateway's routes: key, and the integration that it leads to.
fn gateway_routes(template: &Value) -> BTreeMap<String, String> {
    let routes = resources(template, "AWS::ApiGatewayV2::Route").into_iter();
    let target = |route: &Value| {
        text(&route["Target"]["!Sub"])
            .trim_start_matches("integrations/${")
            .trim_end_matches('}')
            .to_owned()
    };
    routes
        .map(|(_, route)| (text(&route["RouteKey"]).to_owned(), target(route)))
        .collect()
}

/// How well a route's key fits a request, the best being the largest, as the gateway chooses: whole
/// paths before trees, words before variables, and a method before ANY; `None` when it does not
/// fit.
fn fit(key: &str, method: &str, path: &str) -> Option<(bool, usize, bool)> {
    let (wanted, pattern) = key.split_once(' ')?;
    let (mut words, mut parts) = (0, path.split('/'));
    for piece in pattern.split('/') {
        if piece == "{proxy+}" {
            return (parts.next().is_some() && (wanted == "ANY" || wanted == method)).then_some((
                false,
                words,
                wanted == method,
            ));
        }
        match parts.next() {
            Some(part) if part == piece => words += 1,
            Some(part) if piece.starts_with('{') && !part.is_empty() => {}
            _ => return None,
        }
    }
    (parts.next().is_none() && (wanted == "ANY" || wanted == method)).then_some((
        true,
        words,
        wanted == method,
    ))
}

#[test]
fn gateway_routes_equal_the_route_table() {
    let integration = |function| match function {
        Function::Cast => "CastIntegration",
        Function::Session => "SessionIntegration",
        Function::Admin => "AdminIntegration",
        Function::Auth => "AuthIntegration",
        Function::Error => "ErrorIntegration",
    };
    let template = template();
    let mut routes = gateway_routes(&template);
    assert_eq!(
        routes.remove("$default").as_deref(),
        Some("ErrorIntegration"),
        "whatever nobody answers is an error"
    );
    let mut used = BTreeSet::new();
    for (function, line) in all_routes() {
        let path = line
            .path
            .replace("{key}", "k1")
            .replace("{id}", "x1")
            .replace("{code}", "c1");
        let methods: &[&str] = if line.method == Method::GET {
            &["GET", "HEAD"]
        } else {
            &[line.method.as_str()]
        };
        for method in methods {
            let best = routes
                .keys()
                .filter_map(|key| Some((fit(key, method, &path)?, key)))
                .max();
            let (_, key) = best.unwrap_or_else(|| panic!("{method} {} is led nowhere", line.path));
            assert_eq!(
                routes[key],
                integration(function),
                "{method} {} is led by {key}",
                line.path
            );
            used.insert(key.as_str());
        }
    }
    for (key, target) in &routes {
        // The tree under a page that has a line may wait for lines of its own.
        let root = key
            .split_once(' ')
            .and_then(|(_, path)| path.strip_suffix("/{proxy+}"));
        let below = |(_, line): &(Function, &Route)| {
            root.is_some_and(|root| {
                line.path
                    .strip_prefix(root)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let lines: Vec<_> = all_routes().filter(below).collect();
        assert!(
            used.contains(key.as_str()) || !lines.is_empty(),
            "{key} leads to {target}, which has no such line"
        );
        assert!(
            lines
                .iter()
                .all(|(function, _)| integration(*function) == target),
            "{key} leads lines of others to {target}"
        );
    }
    assert!(
        routes.len() < 100,
        "{} routes; a gateway takes 300",
        routes.len()
    );
}

#[test]
fn route_selection_matches_api_gateway() {
    let best = |keys: &[&'static str], request: &str| {
        let (method, path) = request.split_once(' ').expect("two words");
        keys.iter()
            .filter_map(|key| Some((fit(key, method, path)?, *key)))
            .max()
            .map(|(_, key)| key)
    };
    let keys = [
        "GET /a/{id}",
        "GET /a/b",
        "ANY /a/b",
        "ANY /a/{proxy+}",
        "ANY /{proxy+}",
    ];
    for (request, chosen) in [
        ("GET /a/b", Some("GET /a/b")),
        ("POST /a/b", Some("ANY /a/b")),
        ("GET /a/c", Some("GET /a/{id}")),
        ("POST /a/c", Some("ANY /a/{proxy+}")),
        ("GET /a/c/d", Some("ANY /a/{proxy+}")),
        ("GET /b", Some("ANY /{proxy+}")),
    ] {
        assert_eq!(best(&keys, request), chosen, "{request}");
    }
    assert_eq!(best(&keys[..3], "DELETE /a/c"), None);
}

#[test]
fn only_admin_api_routes_have_an_authorizer() {
    let template = template();
    for (name, route) in resources(&template, "AWS::ApiGatewayV2::Route") {
        let asks = !route["AuthorizationType"].is_null() || !route["AuthorizerId"].is_null();
        assert_eq!(
            asks,
            text(&route["RouteKey"]) == "ANY /api/admin/{proxy+}",
            "{name}"
        );
    }
}

#[test]
fn authorizer_covers_exactly_routes_that_need_a_key() {
    let template = template();
    let routes = gateway_routes(&template);
    let in_api = |(_, line): &(Function, &Route)| line.path.starts_with("/api/admin/");
    for (_, line) in all_routes().filter(in_api) {
        let path = line.path.replace("{id}", "x1");
        let methods: &[&str] = if line.method == Method::GET {
            &["GET", "HEAD"]
        } else {
            &[line.method.as_str()]
        };
        for method in methods {
            let led = routes
                .keys()
                .filter_map(|key| Some((fit(key, method, &path)?, key)))
                .max()
                .map(|(_, key)| key.as_str());
            let asks = led == Some("ANY /api/admin/{proxy+}");
            assert_eq!(
                asks,
                line.access != Access::Public,
                "{method} {path} is led by {led:?}"
            );
        }
    }
}

#[test]
fn only_this_gateway_may_invoke_its_functions() {
    let template = template();
    let mut may: BTreeMap<String, &Value> = BTreeMap::new();
    for (name, permission) in resources(&template, "AWS::Lambda::Permission") {
        assert_eq!(
            (text(&permission["Action"]), text(&permission["Principal"])),
            ("lambda:InvokeFunction", "apigateway.amazonaws.com"),
            "{name}"
        );
        may.insert(
            text(&permission["FunctionName"]["!Ref"]).to_owned(),
            &permission["SourceArn"]["!Sub"],
        );
    }
    let called: BTreeMap<String, String> = resources(&template, "AWS::ApiGatewayV2::Integration")
        .into_iter()
        .map(|(name, integration)| {
            (
                name.to_owned(),
                text(&integration["IntegrationUri"]["!GetAtt"])
                    .trim_end_matches(".Arn")
                    .to_owned(),
            )
        })
        .collect();
    let led: BTreeSet<String> = gateway_routes(&template).into_values().collect();
    assert_eq!(
        called.keys().cloned().collect::<BTreeSet<_>>(),
        led,
        "an integration without a route, or the other way round"
    );
    assert_eq!(
        may.keys().collect::<BTreeSet<_>>(),
        called.values().collect(),
        "who may be called, and who is"
    );
    for (function, source) in may {
        assert_eq!(
            text(source),
            "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*",
            "{function}"
        );
    }
}
