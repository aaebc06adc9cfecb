//! Owns the badge over HTTP: it shows the status of a link, the same for everyone, and requests for
//! it change nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

async fn badge(stack: &TestStack, from: Caller, key: &str, header: Option<(&str, &str)>) -> Answer {
    let mut request = stack
        .request(Method::GET, &format!("/cast/{key}/badge.svg"))
        .header("x-forwarded-for", from.address().to_string());
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    Answer::of(request).await
}

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// What the picture says.
fn word(answer: &Answer) -> &str {
    assert_eq!(
        answer.header("content-type"),
        "image/svg+xml; charset=utf-8",
        "{}",
        answer.text
    );
    answer
        .text
        .split_once("<title>cast: ")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .expect("a title")
        .0
}

#[tokio::test]
async fn badge_shows_link_status_without_side_effects() {
    let stack = TestStack::start().await;
    let count =
        |remaining: u32| json!({"limit_total_sessions": true, "sessions_remaining": remaining});
    let mut casts = Vec::new();
    for (fields, expected) in [
        (json!({}), "open"),
        (count(500), "many left"),
        (count(50), "some left"),
        (count(3), "few left"),
        (count(0), "sold out"),
        (json!({"valid_until": "2026-11-23T12:00:00Z"}), "expired"),
        (
            json!({"open_hours": {"time_zone": "UTC", "spans": ["tue 09:00-17:00"]}}),
            "closed",
        ),
        (json!({"max_live_sessions": 0}), "in maintenance"),
        (json!({"allow_anonymous": false}), "sign in"),
        (
            json!({"require_captcha": true, "allow_dynamic_kasm_url": true}),
            "open",
        ),
        (
            json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60}),
            "open",
        ),
        (json!({"allowed_addresses": ["192.0.2.0/24"]}), "restricted"),
    ] {
        casts.push((stack.cast(&fields).await, expected));
    }
    let before = stack.ledger().await;
    for (cast, expected) in &casts {
        let answer = badge(&stack, Caller(1), key(cast), None).await;
        assert_eq!((word(&answer), answer.status), (*expected, 200));
        assert_eq!(
            (
                answer.header("cache-control"),
                answer.header("x-robots-tag")
            ),
            ("public, max-age=60", "noindex, nofollow")
        );
        assert!(!answer.headers.contains_key("set-cookie"), "{expected}");
        let tag = answer.header("etag").to_owned();
        let again = badge(&stack, Caller(2), key(cast), Some(("if-none-match", &tag))).await;
        assert_eq!(
            (again.status, again.text.as_str()),
            (304, ""),
            "{expected}: the same for somebody else"
        );
        let head =
            Answer::of(stack.request(Method::HEAD, &format!("/cast/{}/badge.svg", key(cast))))
                .await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{expected}");
    }
    assert_eq!(stack.ledger().await, before);
    assert!(stack.local.ecs.tasks().is_empty());
    stack.local.stop().await;
}

#[tokio::test]
async fn badge_of_a_restricted_link_needs_a_listed_referrer() {
    let stack = TestStack::start().await;
    let fields = json!({"restrict_to_referrers": ["acme.com"], "limit_total_sessions": true, "sessions_remaining": 0});
    let cast = stack.cast(&fields).await;
    for (referrer, expected) in [
        (None, "restricted"),
        (Some("https://acme.com/"), "sold out"),
        (Some("https://evilacme.com/"), "restricted"),
    ] {
        let answer = badge(
            &stack,
            Caller(1),
            key(&cast),
            referrer.map(|referrer| ("referer", referrer)),
        )
        .await;
        assert_eq!(
            (word(&answer), answer.header("vary")),
            (expected, "accept-language, cookie, referer"),
            "{referrer:?}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn badges_hide_disabled_links_and_count_attempts() {
    let stack = TestStack::start().await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"attempts_per_minute": 3})),
        )
        .await;
    let (known, disabled) = (
        stack.cast(&json!({})).await,
        stack.cast(&json!({"enabled": false})).await,
    );
    let before = stack
        .local
        .dynamodb
        .client()
        .scan()
        .table_name(claims(&stack))
        .send()
        .await
        .expect("a scan")
        .count;
    let mut answers = Vec::new();
    for key in ["nosuchkey", key(&disabled), "a%20b"] {
        let answer = badge(&stack, Caller(1), key, None).await;
        assert_eq!(
            (answer.status, word(&answer)),
            (404, "no such link"),
            "{key}"
        );
        let headers = ["etag", "cache-control", "vary", "content-length"]
            .map(|name| answer.header(name).to_owned());
        answers.push((headers, answer.text));
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    for key in ["nosuchkey", key(&known)] {
        let refused = badge(&stack, Caller(1), key, None).await;
        assert_eq!(
            (
                refused.status,
                word(&refused),
                refused.header("retry-after")
            ),
            (429, "try later", "60"),
            "{key}"
        );
        assert_eq!(refused.header("cache-control"), "no-store");
    }
    assert_eq!(
        stack.describe(Caller(1), "nosuchkey", "").await.status,
        429,
        "elsewhere too"
    );
    assert_eq!(
        badge(&stack, Caller(2), key(&known), None).await.status,
        200,
        "others need not wait"
    );
    let after = stack
        .local
        .dynamodb
        .client()
        .scan()
        .table_name(claims(&stack))
        .send()
        .await
        .expect("a scan")
        .count;
    // The one refusal that was written is that of the page.
    assert_eq!(after - before, 1);
    stack.local.stop().await;
}

fn claims(stack: &TestStack) -> String {
    let store = &stack.local.dynamodb;
    let found = store
        .tables()
        .schemas()
        .find(|(_, schema)| schema.name == "claims")
        .map(|(name, _)| name.to_string());
    found.expect("a table of refusals")
}
