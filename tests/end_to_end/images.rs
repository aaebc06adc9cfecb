//! Owns images from end to end, as far as they change under sessions: what is registered anew is
//! what the next session runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::test_stack::{Answer, Caller, TestStack};

/// The task definition that a new claim's task runs.
async fn definition_of_the_next_session(stack: &TestStack, from: Caller, key: &str) -> Value {
    let claimed = stack.claim(from, key).await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    let session = claimed.json()["session_id"].clone();
    let task = stack
        .local
        .ecs
        .tasks()
        .into_iter()
        .find(|task| task["startedBy"] == session);
    task.expect("a task")["taskDefinitionArn"].clone()
}

#[tokio::test]
async fn next_session_uses_the_new_image_revision() {
    let stack = TestStack::start().await;
    let (id, cast) = (stack.image().await, stack.cast(&json!({})).await);
    let key = cast["key"].as_str().expect("a key");
    let image = stack
        .admin(Method::GET, &format!("images/{id}"), None)
        .await
        .json();
    let old = definition_of_the_next_session(&stack, Caller(1), key).await;
    assert_eq!(old, image["registered_task_definition"]);

    stack.clock.advance(1);
    let again = stack
        .admin(Method::POST, &format!("images/{id}/registrations"), None)
        .await;
    assert_eq!(again.status, 201, "{}", again.text);
    let new = again.json()["registered_task_definition"].clone();
    assert_ne!(new, old);
    assert_eq!(
        again.json()["version"].as_u64(),
        image["version"].as_u64().map(|version| version + 1)
    );
    assert_eq!(
        definition_of_the_next_session(&stack, Caller(2), key).await,
        new
    );
    assert!(
        stack
            .local
            .ecs
            .tasks()
            .iter()
            .any(|task| task["taskDefinitionArn"] == old),
        "what runs goes on"
    );

    let audit = stack
        .admin(Method::GET, &format!("audit?target={id}"), None)
        .await
        .json()["items"][0]
        .clone();
    let change = json!({"field": "registered_task_definition", "before": old, "after": new});
    assert_eq!(
        (&audit["action"], &audit["changes"], &audit["can_be_undone"]),
        (&json!("registered"), &json!([change]), &json!(false))
    );

    let path = format!("/api/admin/images/{id}/registrations");
    let late = stack
        .request(Method::POST, &path)
        .bearer_auth(&stack.local.admin_key)
        .header("if-match", "\"1\"");
    assert_eq!(
        Answer::of(late).await.status,
        412,
        "somebody else was faster"
    );
    let own = json!({"name": "Own", "task_definition": "own:1"});
    let own = stack.admin(Method::POST, "images", Some(&own)).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refused = stack
        .admin(Method::POST, &format!("images/{own}/registrations"), None)
        .await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn console_registers_an_image_again_and_confirms() {
    let stack = TestStack::start().await;
    let (id, cookie) = (
        stack.image().await,
        sign_in(&stack, &stack.local.admin_key).await,
    );
    let home = format!("/admin/images/{id}");
    let page = Answer::of(stack.request(Method::GET, &home).header("cookie", &cookie))
        .await
        .text;
    let form = page
        .split_once(&format!("action=\"{home}/register\""))
        .expect("a button")
        .1;
    let csrf_token = form
        .split_once("name=\"csrf_token\" value=\"")
        .expect("a CSRF token")
        .1
        .split('"')
        .next()
        .expect("its end");
    let sent = stack
        .request(Method::POST, &format!("{home}/register"))
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin");
    let done = Answer::of(sent.form(&[("csrf_token", csrf_token)])).await;
    assert_eq!(
        (done.status, done.header("location")),
        (303, home.as_str()),
        "{}",
        done.text
    );
    let told = done
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let page = Answer::of(
        stack
            .request(Method::GET, &home)
            .header("cookie", format!("{cookie}; {told}")),
    )
    .await
    .text;
    assert!(page.contains("Registered again."), "{page}");
    let log = Answer::of(
        stack
            .request(Method::GET, &format!("/admin/audit?about={id}"))
            .header("cookie", &cookie),
    )
    .await
    .text;
    assert!(log.contains("registered again the image"), "{log}");
    stack.local.stop().await;
}
