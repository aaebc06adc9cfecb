//! Owns what keeps administrators from doing harm: maintenance as a switch, keys that can be taken
//! back, and what a deletion would touch.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use casting_core::testing::user;

use crate::authorization::{key as api_key, sign_in};
use crate::console_fields::Console;
use crate::test_stack::{Answer, Caller, TestStack};

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

async fn set(stack: &TestStack, change: &Value) -> Value {
    let changed = stack.admin(Method::PATCH, "settings", Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    changed.json()
}

#[tokio::test]
async fn maintenance_closes_every_link_with_a_message() {
    let stack = TestStack::start().await;
    let resumable = stack
        .cast(&json!({"allow_anonymous": false, "allow_resume": true}))
        .await;
    let ann = user(1);
    let own = claim_as(&stack, text(&resumable, "key"), &ann).await;
    assert_eq!(own.status, 202, "{}", own.text);
    let running = stack.claim(Caller(1), "welcome").await;
    assert_eq!(running.status, 202, "{}", running.text);

    let until = "2026-11-23T14:00:00Z";
    let message = "Update of <all> servers";
    let switched = set(
        &stack,
        &json!({"maintenance": true, "maintenance_message": message, "maintenance_until": until}),
    )
    .await;
    assert_ne!(switched["maintenance_since"], Value::Null);
    assert_ne!(text(&switched, "maintenance_by"), "");

    let refused = stack.claim(Caller(2), "welcome").await;
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "maintenance"),
        "{}",
        refused.text
    );
    assert_eq!(refused.json()["detail"], message);
    assert!((1..=7200).contains(&wait), "until the expected end: {wait}");
    for (language, title) in [
        ("en", "Closed for maintenance"),
        ("de", "Wegen Wartung geschlossen"),
    ] {
        let page = stack.request(Method::GET, &format!("/cast/welcome?lang={language}"));
        let page = Answer::of(page.header("accept", "text/html")).await;
        assert_eq!(page.status, 503, "{}", page.text);
        assert!(
            page.text.contains(title) && page.text.contains("Update of &#60;all&#62; servers"),
            "{language}: {}",
            page.text
        );
    }
    let again = claim_as(&stack, text(&resumable, "key"), &ann).await;
    assert_eq!(
        again.json()["session_id"],
        own.json()["session_id"],
        "running sessions are resumed"
    );
    let status = format!("sessions/{}", text(&running.json(), "session_id"));
    let session = stack.admin(Method::GET, &status, None).await.json();
    assert_ne!(session["state"], "ended");

    let configuration = stack.admin(Method::GET, "configuration", None).await;
    let exported = configuration.json();
    assert_eq!(exported["settings"]["maintenance"], true, "{exported}");
    assert_eq!(exported["settings"]["maintenance_message"], message);

    // Every page of the console says it, and the same page switches it off.
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    for path in ["/admin", "/admin/casts", "/admin/settings", "/admin/audit"] {
        let page = console.page(path).await;
        assert!(
            page.contains("Maintenance is on") && page.contains("Update of &#60;all&#62; servers"),
            "{path}"
        );
    }
    let casts = console.page("/admin/casts").await;
    assert!(casts.contains("<span class=\"badge warn\">Maintenance</span>"));
    let token = csrf_token(&casts, "maintenance-end");
    stack.clock.advance(1);
    let sent = console
        .send(
            "/admin/settings/maintenance-end",
            &[("csrf_token".to_owned(), token)],
        )
        .await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    assert!(
        !console
            .page("/admin/casts")
            .await
            .contains("Maintenance is on")
    );
    assert_eq!(stack.claim(Caller(2), "welcome").await.status, 202);
    let after = stack.admin(Method::GET, "settings", None).await.json();
    assert_eq!(
        (
            &after["maintenance"],
            &after["maintenance_by"],
            text(&after, "maintenance_message")
        ),
        (&json!(false), &Value::Null, message),
        "the message is kept for the next time"
    );

    let log = stack.admin(Method::GET, "audit?target=system", None).await;
    let log = log.json();
    let newest = &log["items"][0];
    assert!(
        newest["changes"].to_string().contains("\"maintenance\""),
        "{newest}"
    );
    let undo = format!("audit/{}/undo", text(newest, "id"));
    let undone = stack.admin(Method::POST, &undo, None).await;
    assert_eq!(undone.status, 204, "{}", undone.text);
    assert_eq!(stack.claim(Caller(3), "welcome").await.status, 503);
    stack.local.stop().await;
}

/// The CSRF token of the first form behind these words.
fn csrf_token(page: &str, words: &str) -> String {
    let form = page.split(words).nth(1).expect(words);
    let value = form.split("name=\"csrf_token\" value=\"").nth(1);
    let value = value.and_then(|rest| rest.split('"').next());
    value.expect("a CSRF token").to_owned()
}

async fn claim_as(stack: &TestStack, key: &str, who: &casting_core::user::User) -> Answer {
    let login = stack.login(who);
    let described = stack.request(Method::GET, &format!("/api/casts/{key}"));
    let described = Answer::of(described.header("cookie", &login)).await;
    let claim = stack
        .request(Method::POST, &format!("/cast/{key}/claims"))
        .json(&json!({"ticket": described.json()["ticket"]}));
    Answer::of(claim.header("cookie", &login)).await
}

#[tokio::test]
async fn replaced_key_works_for_a_month_and_can_be_restored() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "printed-key"})).await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let (rotations, restorations) = (
        format!("{of_cast}/key-rotations"),
        format!("{of_cast}/key-restorations"),
    );
    let opens = async |key: &str| stack.describe(Caller(1), key, "").await.status == 200;
    let none = stack.admin(Method::POST, &restorations, None).await;
    assert_eq!(none.status, 409, "nothing was replaced: {}", none.text);

    let rotated = stack.admin(Method::POST, &rotations, None).await.json();
    let new = text(&rotated, "key").to_owned();
    assert_eq!(rotated["previous_key"]["key"], "printed-key");
    assert!(opens("printed-key").await && opens(&new).await);
    stack.clock.advance(30 * 86_400 - 5);
    assert!(opens("printed-key").await, "for 30 days");

    let restored = stack.admin(Method::POST, &restorations, None).await;
    assert_eq!(restored.status, 200, "{}", restored.text);
    assert_eq!(
        (&restored.json()["key"], &restored.json()["previous_key"]),
        (&json!("printed-key"), &Value::Null)
    );
    assert!(opens("printed-key").await && !opens(&new).await);
    let twice = stack.admin(Method::POST, &restorations, None).await;
    assert_eq!(twice.status, 409, "{}", twice.text);

    stack.admin(Method::POST, &rotations, None).await;
    stack.clock.advance(30 * 86_400 + 1);
    assert!(!opens("printed-key").await);
    let late = stack.admin(Method::POST, &restorations, None).await;
    assert_eq!(late.status, 409, "{}", late.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn rotations_at_once_keep_the_key_they_replace() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "printed-key"})).await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let rotations = format!("{of_cast}/key-rotations");
    let all = join_all((0..8).map(|_| stack.admin(Method::POST, &rotations, None))).await;
    let made: Vec<Value> = all
        .iter()
        .filter(|answer| answer.status == 201)
        .map(Answer::json)
        .collect();
    for answer in &all {
        assert!([201, 409, 503].contains(&answer.status), "{}", answer.text);
    }
    // Whoever was told that a key is replaced was told which one, and each key once.
    let mut replaced: Vec<&str> = made
        .iter()
        .map(|made| text(&made["previous_key"], "key"))
        .collect();
    assert!(replaced.contains(&"printed-key"), "{replaced:?}");
    replaced.sort_unstable();
    let count = replaced.len();
    replaced.dedup();
    assert_eq!(replaced.len(), count, "{made:?}");
    let now = stack.admin(Method::GET, &of_cast, None).await.json();
    assert!(
        made.iter().any(|made| made["key"] == now["key"]),
        "the key is one that somebody was told"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn change_is_not_undone_over_a_later_one() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"description": "First"})).await;
    let path = format!("casts/{}", text(&cast, "id"));
    let change = async |document: Value| {
        stack.clock.advance(1);
        let changed = stack.admin(Method::PATCH, &path, Some(&document)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let entries = format!("audit?target={}", text(&cast, "id"));
        let entries = stack.admin(Method::GET, &entries, None).await.json();
        format!("audit/{}/undo", text(&entries["items"][0], "id"))
    };
    let undo = async |path: &str| {
        stack.clock.advance(1);
        let undone = stack.admin(Method::POST, path, None).await;
        (undone.status, undone.text)
    };
    let read = async || {
        let cast = stack.admin(Method::GET, &path, None).await.json();
        text(&cast, "description").to_owned()
    };
    let second = change(json!({"description": "Second", "enabled": false})).await;
    let third = change(json!({"description": "Third"})).await;
    let (status, said) = undo(&second).await;
    assert_eq!(status, 409);
    assert!(
        said.contains("description has been changed again since"),
        "{said}"
    );
    assert_eq!(read().await, "Third", "somebody else's words stay");
    assert_eq!(undo(&third).await.0, 204);
    assert_eq!(read().await, "Second");
    let other = change(json!({"name": "Another name"})).await;
    for _ in 0..2 {
        assert_eq!(undo(&second).await.0, 204, "what is undone already is so");
        assert_eq!(read().await, "First");
    }
    assert_eq!(undo(&other).await.0, 204);
    let counted = change(json!({"limit_total_sessions": true, "sessions_remaining": 10})).await;
    let more = change(json!({"sessions_remaining_add": 5})).await;
    assert_eq!(
        undo(&counted).await.0,
        204,
        "numbers are undone by their difference"
    );
    assert_eq!(undo(&more).await.0, 204);
    stack.local.stop().await;
}

#[tokio::test]
async fn deletion_says_first_what_it_touches() {
    let stack = TestStack::start().await;
    let group = json!({"name": "Guests"});
    let group = stack.admin(Method::POST, "groups", Some(&group)).await;
    let group = text(&group.json(), "id").to_owned();
    let network = json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]});
    stack.admin(Method::POST, "networks", Some(&network)).await;
    let image = stack.image().await;
    let pool = json!({"name": "Morning", "image_id": image, "network": "lab"});
    let pool = stack
        .admin(Method::POST, "staging-configs", Some(&pool))
        .await;
    let pool = text(&pool.json(), "id").to_owned();
    let cast = stack.cast(&json!({"anonymous_user_group_id": group})).await;
    let key = text(&cast, "key").to_owned();
    for visitor in 1..=2 {
        let claimed = stack.claim(Caller(visitor), &key).await;
        assert_eq!(claimed.status, 202, "{}", claimed.text);
    }
    let (key_id, _) = {
        let (text, _) = api_key(&stack, &["read"]).await;
        let id = text.split('.').next().unwrap_or_default().to_owned();
        (id, text)
    };
    let cast_id = text(&cast, "id").to_owned();
    for (path, kinds, live, waiting, blocks) in [
        (format!("casts/{cast_id}"), vec![], 2, json!(null), false),
        (
            format!("images/{image}"),
            vec!["cast", "cast", "staging", "staging"],
            2,
            json!(null),
            true,
        ),
        (
            format!("groups/{group}"),
            vec!["cast"],
            2,
            json!(null),
            false,
        ),
        (
            "networks/lab".to_owned(),
            vec!["staging"],
            0,
            json!(null),
            true,
        ),
        (
            format!("staging-configs/{pool}"),
            vec![],
            0,
            json!(1),
            false,
        ),
        (format!("api-keys/{key_id}"), vec![], 0, json!(null), false),
    ] {
        let found = stack
            .admin(Method::GET, &format!("{path}/references"), None)
            .await;
        assert_eq!(found.status, 200, "{path}: {}", found.text);
        let found = found.json();
        let named = found["references"].as_array().expect("a list");
        let mut named: Vec<&str> = named.iter().map(|one| text(one, "kind")).collect();
        named.sort_unstable();
        assert_eq!(named, kinds, "{path}");
        assert_eq!(found["live_sessions"], live, "{path}: {found}");
        assert_eq!(
            found["waiting_sessions"].is_null(),
            waiting.is_null(),
            "{path}: {found}"
        );
        assert_eq!(found["blocks_deletion"], blocks, "{path}");
    }

    // The same in the console, before anything is deleted.
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let page = console.page(&format!("/admin/groups/{group}/delete")).await;
    assert!(
        page.contains("Sessions of the casts below running now: 2.") && page.contains(&key),
        "{page}"
    );
    let action = format!("/admin/groups/{group}/delete");
    let mut fields = vec![("csrf_token".to_owned(), csrf_token(&page, &action))];
    let refused = console.send(&action, &fields).await;
    assert_eq!(refused.status, 409, "not without the box: {}", refused.text);
    fields.push(("force".to_owned(), "true".to_owned()));
    assert_eq!(console.send(&action, &fields).await.status, 303);
    let page = console.page(&format!("/admin/casts/{cast_id}")).await;
    assert!(
        page.contains("names a group that is gone"),
        "the cast says what it lacks: {page}"
    );
    let page = console.page(&format!("/admin/images/{image}/delete")).await;
    assert!(
        page.contains("Sessions of this image running now: 2."),
        "{page}"
    );
    let page = console
        .page(&format!("/admin/casts/{cast_id}/delete"))
        .await;
    assert!(page.contains("Sessions still running: 2."), "{page}");
    stack.local.stop().await;
}
