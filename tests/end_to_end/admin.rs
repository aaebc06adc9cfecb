//! Owns the admin API from end to end: every kind of record, ETags, field errors, API keys, and the
//! trial of a link.

use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

/// What a document that was read does to the counter after a claim, with and without the ETag that
/// it was read with.
#[tokio::test]
async fn counter_change_requires_the_number_read() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 10}))
        .await;
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let key = cast["key"].as_str().expect("a key");
    let change = async |etag: Option<&str>, document: &Value| {
        let mut request = stack
            .request(Method::PATCH, &format!("/api/admin/{path}"))
            .bearer_auth(&stack.local.admin_key);
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        Answer::of(request.json(document)).await
    };
    let read = stack.admin(Method::GET, &path, None).await;
    assert_eq!(stack.claim(Caller(1), key).await.status, 202);
    let (etag, document) = (read.header("etag"), read.json());
    let mut renamed = document.clone();
    renamed["name"] = json!("Renamed");
    let set = json!({"sessions_remaining": 20});
    for (name, etag, document, status, remaining) in [
        ("as it was read, not known when", None, &document, 409, 9),
        ("renamed, not known when", None, &renamed, 409, 9),
        (
            "as it was read, with its ETag",
            Some(etag),
            &document,
            200,
            9,
        ),
        ("renamed, with its ETag", Some(etag), &renamed, 200, 9),
        ("set, not known over what", None, &set, 409, 9),
        (
            "set over what was read before a claim",
            Some("\"2-10\""),
            &set,
            409,
            9,
        ),
        ("set with a version alone", Some("\"2\""), &set, 409, 9),
        ("set with any version", Some("*"), &set, 409, 9),
        ("set over an older version", Some("\"1-9\""), &set, 412, 9),
        ("set over what it is", Some("\"2-9\""), &set, 200, 20),
        (
            "added to",
            None,
            &json!({"sessions_remaining_add": 5}),
            200,
            25,
        ),
        (
            "too much taken",
            None,
            &json!({"sessions_remaining_add": -26}),
            409,
            25,
        ),
        (
            "switched off",
            None,
            &json!({"limit_total_sessions": false}),
            200,
            25,
        ),
        (
            "switched on",
            None,
            &json!({"limit_total_sessions": true}),
            200,
            25,
        ),
    ] {
        let answer = change(etag, document).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        if status == 409 {
            let pointer = answer.json()["errors"][0]["pointer"].clone();
            let pointer = pointer.as_str().expect("a pointer");
            assert!(
                pointer.starts_with("/sessions_remaining"),
                "{name}: {pointer}"
            );
        }
        assert_eq!(stack.remaining(&cast).await, remaining, "{name}");
    }

    // What is undone is the difference: visitors have counted on.
    assert_eq!(stack.claim(Caller(2), key).await.status, 202);
    let entries = stack
        .admin(Method::GET, &format!("audit?target={}", &path[6..]), None)
        .await;
    let entries = entries.json();
    let added = entries["items"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|entry| entry["changes"][0]["after"] == 25)
        .expect("the sum has its entry");
    let undo = format!("audit/{}/undo", added["id"].as_str().expect("an id"));
    let undone = stack.admin(Method::POST, &undo, None).await;
    assert_eq!(undone.status, 204, "{}", undone.text);
    assert_eq!(stack.remaining(&cast).await, 19);
    stack.local.stop().await;
}

#[tokio::test]
async fn limit_values_survive_switch_and_undo() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({
            "limit_total_sessions": true, "sessions_remaining": 7,
            "limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 60,
            "limit_exempt_addresses": ["192.0.2.0/24"], "limit_requests_by": "browser",
            "enforce_client_settings": true, "client_settings": {"sessions_per_user": 3},
        }))
        .await;
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let settled = |mut cast: Value| {
        for name in ["version", "updated_at", "warnings"] {
            cast[name] = Value::Null;
        }
        cast
    };
    for switch in [
        "limit_total_sessions",
        "limit_requests_per_ip",
        "enforce_client_settings",
    ] {
        let before = settled(stack.admin(Method::GET, &path, None).await.json());
        let mut off = before.clone();
        off[switch] = json!(false);
        for (to, expected) in [(false, &off), (true, &before)] {
            let change = json!({ switch: to });
            let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
            assert_eq!(changed.status, 200, "{switch} {to}: {}", changed.text);
            assert_eq!(&settled(changed.json()), expected, "{switch} {to}");
        }
        let change = json!({ switch: false });
        // The log lists the newest entry first, and entries of one moment in no order.
        stack.clock.advance(1);
        stack.admin(Method::PATCH, &path, Some(&change)).await;
        let newest = format!("audit?target={}&limit=1", &path[6..]);
        let newest = stack.admin(Method::GET, &newest, None).await.json();
        let id = newest["items"][0]["id"].as_str().expect("an entry");
        let undone = stack
            .admin(Method::POST, &format!("audit/{id}/undo"), None)
            .await;
        assert_eq!(undone.status, 204, "{switch}: {}", undone.text);
        let now = settled(stack.admin(Method::GET, &path, None).await.json());
        assert_eq!(now, before, "{switch}: undone");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn deletion_lists_referencing_records() {
    let stack = TestStack::start().await;
    let make = async |path: &str, document: Value| {
        let made = stack.admin(Method::POST, path, Some(&document)).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        made.json()
    };
    let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
    let group = id(&make("groups", json!({"name": "Guests"})).await);
    let network = json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]});
    make("networks", network).await;
    let image = json!({
        "name": "Networked", "container_image": "app:1", "command": ["demo-app"], "network": "lab",
    });
    let image = id(&make("images", image).await);
    let mut casts = Vec::new();
    for n in 1..=5 {
        let fields = json!({
            "name": format!("Open day {n}"), "key": format!("open-day-{n}"),
            "image_id": image, "anonymous_user_group_id": group,
        });
        casts.push(stack.cast(&fields).await);
    }
    let pool = json!({"name": "Ready", "image_id": image, "group_id": group, "enabled": false});
    make("staging-configs", pool).await;

    let casts_and_more = "the cast \u{201c}Open day 1\u{201d} (open-day-1), the cast \
        \u{201c}Open day 2\u{201d} (open-day-2), the cast \u{201c}Open day 3\u{201d} (open-day-3) \
        and 3 more";
    for (path, words) in [
        (format!("groups/{group}"), casts_and_more),
        (format!("images/{image}"), casts_and_more),
        (
            "networks/lab".to_owned(),
            "the image \u{201c}Networked\u{201d}",
        ),
    ] {
        let refused = stack.admin(Method::DELETE, &path, None).await;
        let detail = refused.json()["detail"].as_str().expect("words").to_owned();
        assert_eq!(refused.status, 409, "{path}: {detail}");
        assert!(detail.contains(words), "{path}: {detail}");
        let there = stack.admin(Method::GET, &path, None).await;
        assert_eq!(there.status, 200, "{path} is still there");
    }

    let path = format!("casts/{}", id(&casts[0]));
    let warned = async |path: &str| {
        let read = stack.admin(Method::GET, path, None).await.json();
        let warnings = read["warnings"].as_array().cloned().unwrap_or_default();
        let of_group = |warning: &Value| warning["pointer"] == "/anonymous_user_group_id";
        warnings.iter().any(of_group)
    };
    assert!(!warned(&path).await, "the group is there");
    let forced = format!("groups/{group}?force=true");
    assert_eq!(stack.admin(Method::DELETE, &forced, None).await.status, 204);
    assert!(warned(&path).await, "the group is gone");
    let list = stack
        .admin(Method::GET, "casts?search=open+day+1", None)
        .await;
    assert!(
        list.json()["items"][0]["warnings"]
            .to_string()
            .contains("names a group that is gone"),
        "{}",
        list.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn casts_with_equal_names_are_distinguishable() {
    let stack = TestStack::start().await;
    let namesake = async |path: &str| {
        let read = stack.admin(Method::GET, path, None).await.json();
        read["warnings"].to_string().contains("another cast too")
    };
    let one = stack.cast(&json!({"name": "Workshop: Rust"})).await;
    let path = |cast: &Value| format!("casts/{}", cast["id"].as_str().expect("an id"));
    assert!(!one["warnings"].to_string().contains("another cast too"));
    let two = stack.cast(&json!({"name": "workshop: rust"})).await;
    assert!(two["warnings"].to_string().contains("another cast too"));
    assert!(namesake(&path(&one)).await && namesake(&path(&two)).await);
    let renamed = json!({"name": "Workshop: Go"});
    let changed = stack
        .admin(Method::PATCH, &path(&two), Some(&renamed))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(!namesake(&path(&one)).await && !namesake(&path(&two)).await);
    stack.local.stop().await;
}

#[tokio::test]
async fn cast_is_created_read_changed_and_deleted() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(
            &json!({"key": "my-first-link", "limit_total_sessions": true, "sessions_remaining": 3}),
        )
        .await;
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    assert!(
        cast["url"]
            .as_str()
            .expect("a link")
            .ends_with("/cast/my-first-link")
    );
    assert_eq!(stack.claim(Caller(1), "my-first-link").await.status, 202);

    let read = stack.admin(Method::GET, &path, None).await;
    assert_eq!(
        (read.header("etag"), &read.json()["sessions_remaining"]),
        ("\"1-2\"", &json!(2))
    );
    let changed = stack
        .admin(Method::PATCH, &path, Some(&json!({"name": "Renamed"})))
        .await;
    assert_eq!(
        (changed.status, &changed.json()["sessions_remaining"]),
        (200, &json!(2)),
        "a change that does not name the counter leaves it"
    );
    assert_eq!(
        stack
            .admin(
                Method::PATCH,
                &path,
                Some(&json!({"sessions_remaining_add": 7}))
            )
            .await
            .json()["sessions_remaining"],
        9
    );
    let stale = stack
        .request(Method::PATCH, &format!("/api/admin/{path}"))
        .bearer_auth(&stack.local.admin_key)
        .header("if-match", "\"1\"");
    assert_eq!(
        Answer::of(stale.json(&json!({"name": "Late"})))
            .await
            .status,
        412
    );
    let read = stack.admin(Method::GET, &path, None).await;
    assert_eq!(
        stack
            .admin(Method::PATCH, &path, Some(&read.json()))
            .await
            .status,
        200,
        "what is read can be sent back"
    );

    let taken = stack
        .admin(
            Method::POST,
            "casts",
            Some(&json!({"name": "Two", "key": "my-first-link", "image_id": stack.image().await})),
        )
        .await;
    assert_eq!(taken.status, 409);
    let claims = stack
        .admin(Method::GET, &format!("{path}/claims"), None)
        .await;
    assert_eq!(claims.status, 200, "{}", claims.text);
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(stack.admin(Method::GET, &path, None).await.status, 404);
    assert_eq!(
        stack.claim(Caller(1), "my-first-link").await.code(),
        "unknown-cast"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn validation_errors_name_fields_and_write_nothing() {
    let stack = TestStack::start().await;
    let image = stack.image().await;
    let before = stack.ledger().await;
    for (name, kind, document, pointers) in [
        (
            "no name",
            "casts",
            json!({"image_id": image}),
            vec!["/name"],
        ),
        (
            "a foreign image",
            "casts",
            json!({"name": "x", "image_id": "iaaaaaaaaaaaaaaaaaaaaaaaaaa"}),
            vec!["/image_id"],
        ),
        (
            "two mistakes",
            "casts",
            json!({"name": "", "image_id": image, "key": "a b"}),
            vec!["/name", "/key"],
        ),
        (
            "no such field",
            "casts",
            json!({"name": "x", "image_id": image, "colour": 1}),
            vec!["/colour"],
        ),
        (
            "a limit without numbers",
            "casts",
            json!({"name": "x", "image_id": image, "limit_requests_per_ip": true}),
            vec!["/sessions_allowed", "/within_seconds"],
        ),
        (
            "an error URL that leads back",
            "casts",
            json!({"name": "x", "image_id": image, "error_url": format!("{}/cast/abcdef", stack.local.url)}),
            vec!["/error_url"],
        ),
        (
            "a group that is not there",
            "casts",
            json!({"name": "x", "image_id": image, "anonymous_user_group_id": "gabcdefghijklmnopqrstuvwxyz"}),
            vec!["/anonymous_user_group_id"],
        ),
        (
            "wrong open hours",
            "casts",
            json!({"name": "x", "image_id": image, "open_hours": {"time_zone": "Mars", "spans": ["always"]}}),
            vec!["/open_hours/time_zone", "/open_hours/spans/0"],
        ),
        (
            "a time limit of nothing",
            "casts",
            json!({"name": "x", "image_id": image, "enforce_client_settings": true, "client_settings": {"session_time_limit_seconds": 0}}),
            vec!["/client_settings/session_time_limit_seconds"],
        ),
        ("a group without a name", "groups", json!({}), vec!["/name"]),
        (
            "a network without subnets",
            "networks",
            json!({"name": "lab", "security_groups": ["sg-1"]}),
            vec!["/subnets"],
        ),
        (
            "an image in a network that is not there",
            "images",
            json!({"name": "x", "task_definition": "f:1", "network": "moon"}),
            vec!["/network"],
        ),
    ] {
        let answer = stack.admin(Method::POST, kind, Some(&document)).await;
        let found: Vec<String> = answer.json()["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(
            (answer.status, found),
            (422, pointers.iter().map(ToString::to_string).collect()),
            "{name}: {}",
            answer.text
        );
    }
    assert_eq!(stack.ledger().await, before);
    stack.local.stop().await;
}

#[tokio::test]
async fn api_key_is_shown_once_and_works_until_deleted() {
    let stack = TestStack::start().await;
    let made = stack
        .admin(Method::POST, "api-keys", Some(&json!({"name": "ci"})))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let document = made.json();
    let text = document
        .as_object()
        .expect("an object")
        .values()
        .filter_map(Value::as_str)
        .find(|text| text.contains('.') && text.starts_with('k'))
        .expect("the key")
        .to_owned();
    let list = async |key: &str| {
        Answer::of(
            stack
                .request(Method::GET, "/api/admin/casts")
                .bearer_auth(key),
        )
        .await
        .status
    };
    assert_eq!(list(&text).await, 200);
    let listed = stack.admin(Method::GET, "api-keys", None).await;
    assert!(
        !listed
            .text
            .contains(text.split_once('.').expect("two halves").1),
        "never shown again"
    );
    assert_eq!(
        stack
            .admin(
                Method::DELETE,
                &format!("api-keys/{}", document["id"].as_str().expect("an id")),
                None
            )
            .await
            .status,
        204
    );
    assert_eq!(list(&text).await, 401, "dead at once");
    stack.local.stop().await;
}

#[tokio::test]
async fn all_users_group_exists_and_settings_have_defaults() {
    let stack = TestStack::start().await;
    let groups = stack.admin(Method::GET, "groups", None).await.json();
    assert_eq!(
        (
            groups["items"][0]["name"].as_str(),
            groups["items"][0]["version"].as_u64()
        ),
        (Some("All Users"), Some(0))
    );
    let path = format!(
        "groups/{}",
        groups["items"][0]["id"].as_str().expect("an id")
    );
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 409);
    let change = json!({"client_settings": {"permissions": {"uploads": false}}});
    assert_eq!(
        stack
            .admin(Method::PATCH, &path, Some(&change))
            .await
            .json()["version"],
        1
    );
    let groups = stack.admin(Method::GET, "groups", None).await.json();
    assert_eq!(
        groups["items"].as_array().map(Vec::len),
        Some(1),
        "once, now from the store"
    );
    let settings = stack.admin(Method::GET, "settings", None).await.json();
    assert_eq!(
        (
            settings["anonymous_user_hours"].as_u64(),
            settings["captcha_kind"].as_str()
        ),
        (Some(8), Some("altcha"))
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn trial_shows_every_rule_and_consumes_nothing() {
    let stack = TestStack::start().await;
    let limits = json!({
        "restrict_to_referrers": ["acme.com"], "limit_total_sessions": true, "sessions_remaining": 1,
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60,
    });
    let cast = stack.cast(&limits).await;
    let path = format!("casts/{}/trials", cast["id"].as_str().expect("an id"));
    let before = stack.ledger().await;
    let passes = stack
        .admin(
            Method::POST,
            &path,
            Some(&json!({"address": "192.0.2.1", "referrer": "https://www.acme.com/"})),
        )
        .await
        .json();
    assert_eq!(
        (passes["admitted"].clone(), passes["code"].clone()),
        (json!(true), Value::Null)
    );
    assert!(
        passes["steps"]
            .as_array()
            .is_some_and(|steps| steps.len() == 22)
    );
    let refused = stack
        .admin(
            Method::POST,
            &path,
            Some(&json!({"address": "192.0.2.1", "at": "2026-11-23T12:00:00Z"})),
        )
        .await
        .json();
    assert_eq!(
        (refused["admitted"].clone(), refused["code"].clone()),
        (json!(false), json!("referrer-denied"))
    );
    assert_eq!(
        stack
            .admin(Method::POST, &path, Some(&json!({"address": "nowhere"})))
            .await
            .status,
        422
    );
    assert_eq!(stack.ledger().await, before);
    stack.local.stop().await;
}

#[tokio::test]
async fn trial_shows_the_groups_of_a_login() {
    let stack = TestStack::start().await;
    let group = json!({"name": "Staff", "login_names": ["9f3c-22"], "priority": 1});
    let made = stack.admin(Method::POST, "groups", Some(&group)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let cast = stack.cast(&json!({})).await;
    let path = format!("casts/{}/trials", cast["id"].as_str().expect("an id"));
    for (groups, expected) in [
        (json!(["9f3c-22"]), json!(["Staff", "All Users"])),
        (json!(["other"]), json!(["All Users"])),
    ] {
        let visit = json!({"address": "192.0.2.1", "user": "Ann", "groups": groups});
        let trial = stack.admin(Method::POST, &path, Some(&visit)).await.json();
        assert_eq!(trial["groups"], expected);
    }
}
