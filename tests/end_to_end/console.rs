//! Owns what administrators do in the console that a clock or another client must be there for:
//! keys that change, and changes that meet.

use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::{key, sign_in};
use crate::console_fields::{Console, form};
use crate::test_stack::{Caller, TestStack};

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().expect("a text").to_owned()
}

/// The CSRF token that the forms of this page carry.
fn csrf_token(page: &str) -> String {
    let value = page
        .split("name=\"csrf_token\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    value.expect("a CSRF token").to_owned()
}

/// Types into a field of a form.
fn set(fields: &mut [(String, String)], name: &str, typed: &str) {
    fields
        .iter_mut()
        .filter(|(known, _)| known == name)
        .for_each(|(_, value)| typed.clone_into(value));
}

#[tokio::test]
async fn old_key_works_until_the_grace_period_ends() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "the-old-key"})).await;
    let home = format!("/admin/casts/{}", text(&cast, "id"));
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let fields = [
        (
            "csrf_token".to_owned(),
            csrf_token(&console.page(&home).await),
        ),
        ("grace_seconds".to_owned(), "3600".to_owned()),
    ];
    let sent = console.send(&format!("{home}/rotate"), &fields).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, home.as_str()),
        "{}",
        sent.text
    );

    let new = text(
        &stack
            .admin(Method::GET, &format!("casts/{}", text(&cast, "id")), None)
            .await
            .json(),
        "key",
    );
    assert_ne!(new, "the-old-key");
    let page = console.page(&home).await;
    assert!(
        page.contains("<code>the-old-key</code> still opens the link, until"),
        "the page says until when: {page}"
    );
    let opens = async |key: &str| stack.claim(Caller(1), key).await.status;
    assert_eq!((opens("the-old-key").await, opens(&new).await), (202, 202));
    stack.clock.advance(3599);
    assert_eq!(opens("the-old-key").await, 202, "to the last second");
    stack.clock.advance(2);
    assert_eq!((opens("the-old-key").await, opens(&new).await), (404, 202));
    assert!(
        !console.page(&home).await.contains("the-old-key"),
        "and the page says nothing of it any more"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn duplicate_key_is_a_conflict_at_its_field() {
    let stack = TestStack::start().await;
    stack.cast(&json!({"key": "taken-key"})).await;
    let cast = stack.cast(&json!({})).await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let new = json!({"name": "Another", "image_id": stack.image().await, "key": "taken-key"});
    let taken = json!({"key": "taken-key"});
    for (name, method, path, document) in [
        ("a new one", Method::POST, "casts".to_owned(), &new),
        ("a copy", Method::POST, format!("{of_cast}/copies"), &taken),
        ("a change", Method::PATCH, of_cast.clone(), &taken),
        (
            "another key",
            Method::POST,
            format!("{of_cast}/key-rotations"),
            &taken,
        ),
    ] {
        let answer = stack.admin(method, &path, Some(document)).await;
        assert_eq!(
            (
                answer.status,
                answer.json()["errors"][0]["pointer"].as_str()
            ),
            (409, Some("/key")),
            "{name}: {}",
            answer.text
        );
    }
    // In the console it stands at the field, and nothing that was typed is lost.
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let (action, mut fields) = form(
        &console
            .page(&format!("/admin/casts/{}/edit", text(&cast, "id")))
            .await,
    );
    set(&mut fields, "key", "taken-key");
    let answer = console.send(&action, &fields).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.text.contains("id=\"f-key-error\"") && answer.text.contains("value=\"taken-key\""),
        "{}",
        answer.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn stale_form_names_the_change_and_can_be_resent() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"name": "Desk", "max_live_sessions": 5}))
        .await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let edit = format!("/admin/casts/{}/edit", text(&cast, "id"));
    let (action, mut fields) = form(&console.page(&edit).await);
    // Two changes by another administrator, of which the second counts.
    let (_, other) = key(&stack, &["read", "casts"]).await;
    for name in ["Table", "Chair"] {
        stack.clock.advance(1);
        let change = stack
            .request(Method::PATCH, &format!("/api/admin/{of_cast}"))
            .bearer_auth(&other)
            .json(&json!({"name": name}));
        assert_eq!(change.send().await.expect("an answer").status(), 200);
    }
    set(&mut fields, "description", "Mine");
    let answer = console.send(&action, &fields).await;
    assert_eq!(answer.status, 422);
    let told = answer.text.replace("&#34;", "\"");
    assert!(
        told.contains("Test changed this in the meantime")
            && told.contains("from \u{201c}Table\u{201d} to \u{201c}Chair\u{201d}"),
        "{told}"
    );
    let (action, fields) = form(&answer.text);
    let has = |name: &str, value: &str| {
        fields
            .iter()
            .any(|(known, field)| known == name && field == value)
    };
    assert!(
        has("name", "Chair") && has("description", "Mine") && has("max_live_sessions", "5"),
        "{fields:?}"
    );
    assert_eq!(
        console.send(&action, &fields).await.status,
        303,
        "sent again, it is saved"
    );
    let stored = stack.admin(Method::GET, &of_cast, None).await.json();
    assert_eq!(
        (stored["name"].as_str(), stored["description"].as_str()),
        (Some("Chair"), Some("Mine"))
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn claims_during_an_open_form_are_not_undone() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 5}))
        .await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let edit = format!("/admin/casts/{}/edit", text(&cast, "id"));
    let (action, mut fields) = form(&console.page(&edit).await);
    assert_eq!(
        stack.claim(Caller(1), &text(&cast, "key")).await.status,
        202
    );
    set(&mut fields, "name", "Another name");
    assert_eq!(console.send(&action, &fields).await.status, 303);
    assert_eq!(
        stack.remaining(&cast).await,
        4,
        "the one who came is still counted"
    );
    let (action, mut fields) = form(&console.page(&edit).await);
    set(&mut fields, "sessions_remaining", "5");
    assert_eq!(console.send(&action, &fields).await.status, 303);
    assert_eq!(
        stack.remaining(&cast).await,
        5,
        "a number that is typed is set"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn charts_are_in_the_time_zone_of_the_browser_or_the_chosen_one() {
    let stack = TestStack::start().await;
    assert_eq!(stack.claim(Caller(1), "welcome").await.status, 202);
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let page = async |more: &str, path: &str| {
        let console = Console {
            stack: &stack,
            cookie: format!("{cookie}{more}"),
        };
        console.page(path).await
    };
    for (more, axis) in [
        ("", "Hour (UTC)"),
        ("; cast-zone-browser=Asia/Kolkata", "Hour (Asia/Kolkata)"),
        (
            "; cast-zone-browser=Asia/Kolkata; cast-zone=America/New_York",
            "Hour (America/New_York)",
        ),
        ("; cast-zone=../../x", "Hour (UTC)"),
    ] {
        let overview = page(more, "/admin").await;
        assert!(overview.contains(axis), "{more}");
        assert_eq!(
            overview.matches(":30</th>").count() > 20,
            axis.contains("Kolkata"),
            "every hour has a row, also the empty ones: {more}"
        );
    }
    let month = page("", "/admin/claims?hours=720").await;
    assert!(month.contains("Day (UTC)") && month.contains("Launched before"));
    let alone = page(
        "",
        "/admin/claims?hours=days&from=2026-11-20&to=2026-11-23&compare=nothing",
    )
    .await;
    assert!(alone.contains("From (UTC)") && !alone.contains("Launched before"));
    assert!(
        alone.contains("name=\"from\" value=\"2026-11-20\""),
        "{alone}"
    );

    let console = Console {
        stack: &stack,
        cookie: cookie.clone(),
    };
    let token = csrf_token(&console.page("/admin/time-zone").await);
    for (typed, status, set) in [
        ("Europe/Berlin", 303, "cast-zone=Europe/Berlin"),
        ("", 303, "cast-zone=;"),
        ("Berlin or so", 422, ""),
    ] {
        let fields = [
            ("csrf_token".to_owned(), token.clone()),
            ("zone".to_owned(), typed.to_owned()),
        ];
        let sent = console.send("/admin/time-zone", &fields).await;
        let cookies = sent.headers.get_all("set-cookie").iter();
        let cookies: Vec<&str> = cookies.filter_map(|cookie| cookie.to_str().ok()).collect();
        assert_eq!(sent.status, status, "{typed}: {}", sent.text);
        assert!(
            set.is_empty() || cookies.iter().any(|cookie| cookie.starts_with(set)),
            "{typed}: {cookies:?}"
        );
    }
    stack.local.stop().await;
}
