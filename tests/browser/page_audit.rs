//! Owns the audit that every page must pass: no accessibility violations (by axe), no requests to
//! other hosts, and a small total size. Must not know which pages there are.

use std::path::Path;

use fantoccini::Client;
use serde_json::Value;
use url::{Host, Url};

use crate::chrome::log;

/// The maximum size of a page with its resources and redirects, in bytes.
const MAX_BYTES: u64 = 104 * 1024;

/// The checker's own text; `npm ci --prefix tests/axe` puts it there.
fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; npm ci --prefix tests/axe", path.display()))
}

/// Fails when the page in this window has accessibility violations. Frames are not included; check
/// them from inside.
pub async fn check_accessibility(window: &Client, name: &str) {
    let told: Vec<String> = violations(window).await.iter().map(tell).collect();
    assert!(
        told.is_empty(),
        "{name} has accessibility violations:\n{}",
        told.join("\n")
    );
}

/// The violations, except those that axe calls minor.
async fn violations(window: &Client) -> Vec<Value> {
    // Not by a script element: the page's own policy would rightly keep it out.
    window
        .execute(&format!("{}; return typeof axe", axe()), vec![])
        .await
        .expect("axe can be put in");
    let run = "const done = arguments[arguments.length - 1]; \
        axe.run(document, {iframes: false, resultTypes: ['violations']}).then((found) => done(found.violations), (error) => done(String(error)));";
    let found = window.execute_async(run, vec![]).await.expect("axe runs");
    let violations = found
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("axe failed: {found}"));
    violations
        .into_iter()
        .filter(|one| one["impact"] != "minor")
        .collect()
}

fn tell(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
    let nodes = nodes.iter().map(|node| {
        format!(
            "\n    {} {}\n      {}",
            node["target"], node["html"], node["failureSummary"]
        )
    });
    format!(
        "  {} ({}): {}{}",
        violation["id"],
        violation["impact"],
        violation["help"],
        nodes.collect::<String>()
    )
}

/// What a window has loaded.
struct Loaded {
    requests: usize,
    bytes: u64,
    external_hosts: Vec<String>,
}

/// Fails when this window made requests to hosts other than `allowed` since the last check, or
/// loaded too much. The window must be watched.
pub async fn check_requests_and_size(window: &Client, name: &str, allowed: &[&str]) {
    let Loaded {
        requests,
        bytes,
        external_hosts,
    } = loaded(window, allowed).await;
    assert!(
        requests > 0,
        "{name}: nothing was noted; is the window watched?"
    );
    assert_eq!(
        external_hosts,
        Vec::<String>::new(),
        "{name} sends requests to other hosts"
    );
    assert!(bytes <= MAX_BYTES, "{name} takes {bytes} bytes");
}

async fn loaded(window: &Client, allowed: &[&str]) -> Loaded {
    let mut loaded = Loaded {
        requests: 0,
        bytes: 0,
        external_hosts: Vec::new(),
    };
    for entry in log(window, "performance").await {
        let event: Value =
            serde_json::from_str(entry["message"].as_str().unwrap_or_default()).expect("an event");
        let event = &event["message"];
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                loaded.requests += 1;
                let url = event["params"]["request"]["url"]
                    .as_str()
                    .unwrap_or_default();
                loaded
                    .external_hosts
                    .extend((!is_local_or_allowed(url, allowed)).then(|| url.to_owned()));
            }
            Some("Network.loadingFinished") => {
                loaded.bytes += event["params"]["encodedDataLength"]
                    .as_f64()
                    .unwrap_or_default() as u64;
            }
            _ => {}
        }
    }
    loaded
}

/// Whether a URL is on this machine, on an allowed host, or needs no request (such as `data:`).
fn is_local_or_allowed(url: &str, allowed: &[&str]) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
        return true;
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || name.ends_with(".localhost") || allowed.contains(&name)
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[tokio::test]
async fn inaccessible_page_with_external_request_is_detected() {
    let driver = crate::chrome::Driver::start().await;
    let window = driver
        .window(crate::chrome::Look {
            watched: true,
            ..crate::chrome::DESK
        })
        .await;
    let page = "data:text/html,<title>x</title><main><h1>x</h1><input><img \
                src='https://pictures.example.invalid/a.png'></main>";
    window.goto(page).await.expect("opens");
    let found = violations(&window).await;
    let (label, image) = (
        found.iter().any(|one| one["id"] == "label"),
        found.iter().any(|one| one["id"] == "image-alt"),
    );
    assert!(label && image, "{found:?}");
    assert_eq!(
        loaded(&window, &[]).await.external_hosts,
        ["https://pictures.example.invalid/a.png"]
    );
    window.close().await.expect("closes");
}

#[test]
fn external_hosts_are_distinguished_from_loopback() {
    for (url, near) in [
        ("http://localhost:8300/", true),
        ("ws://s1.localhost:8300/", true),
        ("http://127.0.0.1:9/x", true),
        ("data:,", true),
        ("https://fonts.example.com/a.woff2", false),
        ("https://localhost.example.com/", false),
        ("https://captcha.example/api.js", true),
        ("//", false),
    ] {
        assert_eq!(
            is_local_or_allowed(url, &["captcha.example"]),
            near,
            "{url}"
        );
    }
}
