//! Owns the test against privilege escalation: each route that creates or changes an API key, for
//! actors with fewer rights than the key.

use casting_core::time::{Clock, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::console_fields::{Console, form};
use crate::test_stack::{Answer, TestStack};

/// A key that the deployment's own key makes: its id and its text.
async fn made(stack: &TestStack, scopes: &[&str], expires_at: Option<&str>) -> (String, String) {
    let document = json!({"name": "Made", "scopes": scopes, "expires_at": expires_at});
    let made = stack.admin(Method::POST, "api-keys", Some(&document)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |name: &str| made.json()[name].as_str().expect("a text").to_owned();
    (text("id"), text("key"))
}

/// What the API answers to the holder of `key`.
async fn ask(stack: &TestStack, key: &str, method: Method, path: &str, body: &Value) -> Answer {
    let request = stack.request(method, &format!("/api/admin/{path}"));
    Answer::of(request.bearer_auth(key).json(body)).await
}

/// What a key may do, and until when, as the deployment's own key reads it.
async fn read(stack: &TestStack, id: &str) -> (Value, Value) {
    let key = stack
        .admin(Method::GET, &format!("api-keys/{id}"), None)
        .await;
    let key = key.json();
    (key["scopes"].clone(), key["expires_at"].clone())
}

fn hours_ahead(stack: &TestStack, hours: i64) -> String {
    Timestamp::from_millis(stack.clock.now().millis() + hours * 3_600_000).to_string()
}

#[tokio::test]
async fn api_key_gets_no_scope_its_creator_lacks() {
    let stack = TestStack::start().await;
    for (name, actor, granted, status) in [
        ("the same", vec!["keys"], vec!["keys"], 201),
        ("reading", vec!["keys"], vec!["read"], 201),
        ("nothing named", vec!["keys"], vec![], 201),
        ("one more", vec!["keys"], vec!["keys", "casts"], 403),
        ("another one", vec!["keys", "images"], vec!["casts"], 403),
        ("fewer", vec!["keys", "images", "casts"], vec!["casts"], 201),
        (
            "all of them",
            vec!["keys"],
            vec![
                "read", "casts", "images", "people", "sessions", "settings", "keys",
            ],
            403,
        ),
    ] {
        let (id, key) = made(&stack, &actor, None).await;
        let document = json!({"name": "Granted", "scopes": granted});
        let answer = ask(&stack, &key, Method::POST, "api-keys", &document).await;
        assert_eq!(
            answer.status, status,
            "made over the API, {name}: {}",
            answer.text
        );

        // The same grant to a key that only reads, and to the actor's own key.
        let (other, _) = made(&stack, &["read"], None).await;
        let changed = if status == 201 { 200 } else { 403 };
        for target in [&other, &id] {
            let (path, before) = (format!("api-keys/{target}"), read(&stack, target).await);
            let change = json!({"scopes": granted});
            let answer = ask(&stack, &key, Method::PATCH, &path, &change).await;
            assert_eq!(answer.status, changed, "changed, {name}: {}", answer.text);
            if changed == 403 {
                assert_eq!(answer.json()["errors"][0]["pointer"], "/scopes", "{name}");
                assert_eq!(
                    read(&stack, target).await,
                    before,
                    "{name}: nothing changed"
                );
            }
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn api_key_does_not_outlive_its_creator() {
    let stack = TestStack::start().await;
    let (soon, later) = (hours_ahead(&stack, 1), hours_ahead(&stack, 2));
    let (id, key) = made(&stack, &["keys"], Some(&soon)).await;
    let (wide, _) = made(&stack, &["casts"], Some(&soon)).await;
    let (other, _) = made(&stack, &["read"], Some(&soon)).await;
    for (name, method, path, body, status) in [
        (
            "a key for ever",
            Method::POST,
            "api-keys".to_owned(),
            json!({"name": "N"}),
            403,
        ),
        (
            "a longer one",
            Method::POST,
            "api-keys".to_owned(),
            json!({"name": "N", "expires_at": later}),
            403,
        ),
        (
            "as long",
            Method::POST,
            "api-keys".to_owned(),
            json!({"name": "N", "expires_at": soon}),
            201,
        ),
        (
            "itself longer",
            Method::PATCH,
            format!("api-keys/{id}"),
            json!({"expires_at": later}),
            403,
        ),
        (
            "itself for ever",
            Method::PATCH,
            format!("api-keys/{id}"),
            json!({"expires_at": null}),
            403,
        ),
        (
            "another for ever",
            Method::PATCH,
            format!("api-keys/{other}"),
            json!({"expires_at": null}),
            403,
        ),
        (
            "a wider one longer",
            Method::PATCH,
            format!("api-keys/{wide}"),
            json!({"expires_at": later}),
            403,
        ),
        (
            "a wider one renamed",
            Method::PATCH,
            format!("api-keys/{wide}"),
            json!({"name": "M"}),
            200,
        ),
    ] {
        let answer = ask(&stack, &key, method, &path, &body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn console_undo_and_replay_grant_no_extra_scope() {
    let stack = TestStack::start().await;
    let (id, key) = made(&stack, &["keys", "images"], None).await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &key).await,
    };
    let all = |scopes: &[&str], mut fields: Vec<(String, String)>| {
        fields.retain(|(name, _)| name != "scopes" && name != "name");
        fields.push(("name".to_owned(), "Typed".to_owned()));
        fields.extend(
            scopes
                .iter()
                .map(|one| ("scopes".to_owned(), (*one).to_owned())),
        );
        fields
    };
    for (name, page, scopes, status) in [
        (
            "a new key",
            "/admin/new-api-key".to_owned(),
            vec!["casts"],
            422,
        ),
        (
            "a new key within",
            "/admin/new-api-key".to_owned(),
            vec!["images"],
            200,
        ),
        (
            "itself",
            format!("/admin/api-keys/{id}"),
            vec!["keys", "casts"],
            422,
        ),
        (
            "itself within",
            format!("/admin/api-keys/{id}"),
            vec!["keys", "images", "read"],
            303,
        ),
    ] {
        let (action, fields) = form(&console.page(&page).await);
        let sent = console.send(&action, &all(&scopes, fields)).await;
        assert_eq!(sent.status, status, "{name}: {}", sent.text);
        let says = sent.text.contains("scopes that you do not have: casts");
        assert_eq!(says, status == 422, "{name}: said at the field");
    }

    // A key that was narrowed is not widened again by taking that back.
    let (wide, _) = made(&stack, &["casts", "settings"], None).await;
    let narrowed = json!({"scopes": ["read"]});
    let path = format!("api-keys/{wide}");
    assert_eq!(
        stack
            .admin(Method::PATCH, &path, Some(&narrowed))
            .await
            .status,
        200
    );
    let log = stack
        .admin(Method::GET, &format!("audit?target={wide}"), None)
        .await;
    let entries = log.json()["items"].as_array().expect("entries").clone();
    let entry = entries.iter().find(|entry| entry["action"] == "changed");
    let entry = entry.expect("a change")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for key in [&key, &stack.local.admin_key] {
        let path = format!("audit/{entry}/undo");
        let undone = ask(&stack, key, Method::POST, &path, &json!({})).await;
        assert_eq!(
            undone.status, 409,
            "keys are never restored: {}",
            undone.text
        );
    }
    assert_eq!(read(&stack, &wide).await.0, json!(["read"]));

    // A request that is repeated shows the key again, but not to an actor who has lost a right of
    // that key since.
    let document = json!({"name": "Once", "scopes": ["images"]});
    let again = async || {
        let request = stack
            .request(Method::POST, "/api/admin/api-keys")
            .bearer_auth(&key);
        Answer::of(request.header("idempotency-key", "once").json(&document)).await
    };
    let first = again().await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(again().await.json()["key"], first.json()["key"]);
    let wider = json!({"scopes": ["images", "casts"]});
    let path = format!("api-keys/{}", first.json()["id"].as_str().expect("an id"));
    assert_eq!(
        stack.admin(Method::PATCH, &path, Some(&wider)).await.status,
        200
    );
    assert_eq!(again().await.status, 403, "widened by another since");
    stack.local.stop().await;
}

#[tokio::test]
async fn roles_cannot_be_gained_through_any_route() {
    let stack = TestStack::start().await;
    let (_, key) = made(&stack, &["people", "settings", "keys"], None).await;
    let group = json!({"name": "Ours", "roles": ["admin"]});
    for (name, method, path, body, status) in [
        ("a group with a role", Method::POST, "groups", group, 422),
        (
            "settings with a role",
            Method::PATCH,
            "settings",
            json!({"roles": ["admin"]}),
            422,
        ),
        (
            "a user with a role",
            Method::PATCH,
            "users/uabcdefghijklmnopqrstuvwxyz",
            json!({"roles": ["admin"]}),
            405,
        ),
    ] {
        let answer = ask(&stack, &key, method, path, &body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    stack.local.stop().await;
}
