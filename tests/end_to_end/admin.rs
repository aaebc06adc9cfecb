//! Owns the admin API from end to end: every kind of record, ETags, field errors, API keys, and the trial of a link.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{Answer, From, Lab};

#[tokio::test]
async fn a_cast_is_made_read_changed_and_deleted() {
    let lab = Lab::start().await;
    let cast = lab
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
    assert_eq!(lab.claim(From(1), "my-first-link").await.status, 202);

    let read = lab.admin(Method::GET, &path, None).await;
    assert_eq!(
        (read.header("etag"), &read.json()["sessions_remaining"]),
        ("\"1\"", &json!(2))
    );
    let changed = lab
        .admin(Method::PATCH, &path, Some(&json!({"name": "Renamed"})))
        .await;
    assert_eq!(
        (changed.status, &changed.json()["sessions_remaining"]),
        (200, &json!(2)),
        "a change that does not name the counter leaves it"
    );
    assert_eq!(
        lab.admin(
            Method::PATCH,
            &path,
            Some(&json!({"sessions_remaining": 9}))
        )
        .await
        .json()["sessions_remaining"],
        9
    );
    let stale = lab
        .request(Method::PATCH, &format!("/api/admin/{path}"))
        .bearer_auth(&lab.stack.admin_key)
        .header("if-match", "\"1\"");
    assert_eq!(
        Answer::of(stale.json(&json!({"name": "Late"})))
            .await
            .status,
        412
    );
    assert_eq!(
        lab.admin(Method::PATCH, &path, Some(&read.json()))
            .await
            .status,
        200,
        "what is read can be sent back"
    );

    let taken = lab
        .admin(
            Method::POST,
            "casts",
            Some(&json!({"name": "Two", "key": "my-first-link", "image_id": lab.image().await})),
        )
        .await;
    assert_eq!(taken.status, 409);
    let claims = lab
        .admin(Method::GET, &format!("{path}/claims"), None)
        .await;
    assert_eq!(claims.status, 200, "{}", claims.text);
    assert_eq!(lab.admin(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(lab.admin(Method::GET, &path, None).await.status, 404);
    assert_eq!(
        lab.claim(From(1), "my-first-link").await.code(),
        "unknown-cast"
    );
    lab.stack.stop().await;
}

#[tokio::test]
async fn every_mistake_is_named_at_its_field_and_nothing_is_written() {
    let lab = Lab::start().await;
    let image = lab.image().await;
    let before = lab.ledger().await;
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
            json!({"name": "x", "image_id": image, "error_url": format!("{}/cast/abcdef", lab.stack.url)}),
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
        let answer = lab.admin(Method::POST, kind, Some(&document)).await;
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
    assert_eq!(lab.ledger().await, before);
    lab.stack.stop().await;
}

#[tokio::test]
async fn an_api_key_works_until_it_is_deleted_and_is_shown_once() {
    let lab = Lab::start().await;
    let made = lab
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
            lab.request(Method::GET, "/api/admin/casts")
                .bearer_auth(key),
        )
        .await
        .status
    };
    assert_eq!(list(&text).await, 200);
    let listed = lab.admin(Method::GET, "api-keys", None).await;
    assert!(
        !listed
            .text
            .contains(text.split_once('.').expect("two halves").1),
        "never shown again"
    );
    assert_eq!(
        lab.admin(
            Method::DELETE,
            &format!("api-keys/{}", document["id"].as_str().expect("an id")),
            None
        )
        .await
        .status,
        204
    );
    assert_eq!(list(&text).await, 401, "dead at once");
    lab.stack.stop().await;
}

#[tokio::test]
async fn everybodys_group_is_always_there_and_settings_begin_with_defaults() {
    let lab = Lab::start().await;
    let groups = lab.admin(Method::GET, "groups", None).await.json();
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
    assert_eq!(lab.admin(Method::DELETE, &path, None).await.status, 409);
    let change = json!({"client_settings": {"permissions": {"uploads": false}}});
    assert_eq!(
        lab.admin(Method::PATCH, &path, Some(&change)).await.json()["version"],
        1
    );
    let groups = lab.admin(Method::GET, "groups", None).await.json();
    assert_eq!(
        groups["items"].as_array().map(Vec::len),
        Some(1),
        "once, now from the store"
    );
    let settings = lab.admin(Method::GET, "settings", None).await.json();
    assert_eq!(
        (
            settings["anonymous_user_hours"].as_u64(),
            settings["captcha_kind"].as_str()
        ),
        (Some(8), Some("altcha"))
    );
    lab.stack.stop().await;
}

#[tokio::test]
async fn a_trial_shows_what_every_rule_would_say_and_spends_nothing() {
    let lab = Lab::start().await;
    let limits = json!({
        "restrict_to_referrers": ["acme.com"], "limit_total_sessions": true, "sessions_remaining": 1,
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60,
    });
    let cast = lab.cast(&limits).await;
    let path = format!("casts/{}/trials", cast["id"].as_str().expect("an id"));
    let before = lab.ledger().await;
    let passes = lab
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
            .is_some_and(|steps| steps.len() == 17)
    );
    let refused = lab
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
        lab.admin(Method::POST, &path, Some(&json!({"address": "nowhere"})))
            .await
            .status,
        422
    );
    assert_eq!(lab.ledger().await, before);
    lab.stack.stop().await;
}
