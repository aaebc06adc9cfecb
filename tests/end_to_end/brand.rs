//! The brand of a deployment and of a link, on the pages that visitors see.

use casting_core::testing::user;
use http::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

async fn page(stack: &TestStack, path: &str) -> Answer {
    let asked = stack
        .request(Method::GET, path)
        .header("accept", "text/html");
    Answer::of(asked).await
}

#[tokio::test]
async fn brand_is_on_every_page_and_links_may_have_their_own() {
    let stack = TestStack::start().await;
    let set = json!({
        "brand_name": "Acme", "brand_color": "#7a1f5c", "brand_logo": "https://acme.example/logo.svg",
        "brand_links": ["Imprint https://acme.example/imprint"],
    });
    let set = stack.admin(Method::PATCH, "settings", Some(&set)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let own = json!({ "brand_name": "Acme Lab" });
    let (plain, own) = (stack.cast(&json!({})).await, stack.cast(&own).await);
    for (cast, name) in [(&plain, "Acme"), (&own, "Acme Lab")] {
        let key = cast["key"].as_str().expect("a key");
        let landing = page(&stack, &format!("/cast/{key}")).await;
        for text in [
            &format!("{name}</p>"),
            "https://acme.example/logo.svg",
            "https://acme.example/imprint",
            "--accent:#7a1f5c",
        ] {
            assert!(landing.text.contains(text), "{name}: {text}");
        }
    }

    let key = own["key"].as_str().expect("a key");
    let claimed = stack.claim(Caller(1), key).await.json();
    let session = claimed["session_id"].as_str().expect("an id");
    let token = claimed["session_token"].as_str().expect("a token");
    let waiting = stack.request(Method::GET, &format!("/session/{session}"));
    let waiting = waiting.bearer_auth(token).header("accept", "text/html");
    let waiting = Answer::of(waiting).await;
    assert!(waiting.text.contains("Acme Lab</p>"), "{}", waiting.text);
    let over = json!({ "brand_name": "Acme Lab", "valid_until": "2001-01-01T00:00:00Z" });
    let over = stack.cast(&over).await;
    let key = over["key"].as_str().expect("a key");
    let refused = page(&stack, &format!("/cast/{key}")).await;
    assert!(refused.status >= 400, "{}", refused.status);
    assert!(refused.text.contains("Acme Lab</p>"), "{}", refused.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn pages_of_no_link_have_the_deployments_brand() {
    let stack = TestStack::start().await;
    let plain = page(&stack, "/").await;
    assert!(plain.text.contains("class=\"mark\""), "{}", plain.text);
    let set = json!({
        "brand_name": "Acme", "brand_color": "#7a1f5c", "brand_logo": "https://acme.example/logo.svg",
        "brand_links": ["Imprint https://acme.example/imprint"], "contact": "desk@acme.example",
    });
    let set = stack.admin(Method::PATCH, "settings", Some(&set)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let ann = stack.login(&user(1));
    let session = "/session/saaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (name, path, cookie, status, says) in [
        ("start", "/", "", 200, "location.hash"),
        (
            "account",
            "/login/me",
            ann.as_str(),
            200,
            "action=\"/logout\"",
        ),
        ("signed out", "/login/me", "", 200, "href=\"/login\""),
        (
            "a session of others",
            session,
            "",
            403,
            "href=\"/\">Start page</a>",
        ),
        (
            "a session of others, signed in",
            session,
            ann.as_str(),
            403,
            "href=\"/login/me\"",
        ),
        (
            "no such session",
            "/session/x",
            "",
            404,
            "href=\"/\">Start page</a>",
        ),
        (
            "no such link",
            "/cast/nosuchlink",
            "",
            404,
            "mailto:desk@acme.example",
        ),
        (
            "a failed login",
            "/login/callback?state=x&code=x",
            "",
            403,
            "mailto:desk@acme.example",
        ),
    ] {
        let asked = stack
            .request(Method::GET, path)
            .header("accept", "text/html");
        let shown = Answer::of(asked.header("cookie", cookie)).await;
        assert_eq!(shown.status, status, "{name}: {}", shown.text);
        for text in [
            "Acme</p>",
            "<link rel=\"icon\" href=\"https://acme.example/logo.svg\">",
            "https://acme.example/imprint",
            "--accent:#7a1f5c",
            "prefers-color-scheme:dark",
            says,
        ] {
            assert!(shown.text.contains(text), "{name}: {text}: {}", shown.text);
        }
        assert!(shown.text.len() < 10_000, "{name}: {}", shown.text.len());
    }
    // What answers when all else fails reads nothing, so it has the product's own look.
    for path in ["/error/busy", "/nothing/there"] {
        let shown = page(&stack, path).await;
        let is_plain = shown.text.contains("class=\"mark\"") && !shown.text.contains("Acme");
        assert!(is_plain, "{path}: {}", shown.text);
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn brand_fields_refuse_what_pages_cannot_show() {
    let stack = TestStack::start().await;
    for (field, value) in [
        ("brand_name", json!("x".repeat(41))),
        ("brand_color", json!("red")),
        ("brand_color", json!("#12345g")),
        ("brand_logo", json!("http://acme.example/logo.svg")),
        ("brand_logo", json!("data:image/svg+xml,x")),
        ("brand_links", json!(["https://acme.example"])),
        ("brand_links", json!(["Imprint javascript:alert(1)"])),
        ("brand_links", json!(vec!["A https://a.example"; 6])),
    ] {
        let answer = stack
            .admin(Method::PATCH, "settings", Some(&json!({ field: value })))
            .await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text);
        let pointer = answer.json()["errors"][0]["pointer"].clone();
        let named = pointer
            .as_str()
            .is_some_and(|at| at.starts_with(&format!("/{field}")));
        assert!(named, "{field} {value}: {pointer}");
    }
    let settings = stack.admin(Method::GET, "settings", None).await.json();
    assert_eq!(settings["brand_name"], Value::Null, "nothing was kept");
    stack.local.stop().await;
}
