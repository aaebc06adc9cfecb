//! Owns that looking at a link starts nothing: previews, scanners and prefetching browsers open
//! links too.

use reqwest::Method;
use serde_json::json;

use crate::test_stack::{Answer, TestStack};

#[tokio::test]
async fn link_preview_changes_nothing() {
    let stack = TestStack::start().await;
    let limits = json!({"limit_total_sessions": true, "sessions_remaining": 1, "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60});
    let cast = stack.cast(&limits).await;
    let path = format!("/cast/{}", cast["key"].as_str().expect("a key"));
    let before = stack.ledger().await;
    for (name, method, header) in [
        (
            "a person who only looks",
            Method::GET,
            ("accept", "text/html"),
        ),
        (
            "a program that asks for the head",
            Method::HEAD,
            ("accept", "*/*"),
        ),
        (
            "a browser that fetches ahead",
            Method::GET,
            ("sec-purpose", "prefetch"),
        ),
        (
            "a browser that renders ahead",
            Method::GET,
            ("sec-purpose", "prefetch;prerender"),
        ),
        (
            "a chat's preview",
            Method::GET,
            ("user-agent", "Slackbot-LinkExpanding 1.0"),
        ),
        (
            "a mail scanner",
            Method::GET,
            ("user-agent", "Mozilla/5.0 (compatible; SafeLinks)"),
        ),
        ("a crawler", Method::GET, ("user-agent", "Googlebot/2.1")),
    ] {
        let is_head = method == Method::HEAD;
        let answer = Answer::of(stack.request(method, &path).header(header.0, header.1)).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (200, "no-store"),
            "{name}"
        );
        assert_eq!(answer.header("x-robots-tag"), "noindex, nofollow", "{name}");
        assert_eq!(answer.text.is_empty(), is_head, "{name}");
        // Without scripting there is still a button.
        assert_eq!(
            answer.text.contains(
                "<button class=\"button wide\" data-busy=\"Starting\u{2026}\">Start</button>"
            ),
            !is_head,
            "{name}"
        );
    }
    assert_eq!(stack.ledger().await, before);
    assert!(stack.local.ecs.tasks().is_empty());
    stack.local.stop().await;
}
