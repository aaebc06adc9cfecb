//! The queue of starts: what a program reads while ECS throttles, and when its session is started.

use casting_local::ecs::InjectedFault;
use http::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

async fn status(stack: &TestStack, claimed: &Value, language: &str) -> Value {
    let id = claimed["session_id"].as_str().expect("an id");
    let token = claimed["session_token"].as_str().expect("a token");
    let asked = stack.request(Method::GET, &format!("/session/{id}/status"));
    let asked = asked.bearer_auth(token).header("accept-language", language);
    Answer::of(asked).await.json()
}

#[tokio::test]
async fn throttled_start_is_queued_and_made_at_its_turn() {
    let stack = TestStack::start().await;
    let limits = json!({ "limit_total_sessions": true, "sessions_remaining": 2 });
    let cast = stack.cast(&limits).await;
    let key = cast["key"].as_str().expect("a key");
    let throttled = [InjectedFault::Throttled; 2];
    stack.local.ecs.inject_faults(throttled);
    let claimed = stack.claim(Caller(1), key).await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    let claimed = claimed.json();
    assert_eq!(stack.remaining(&cast).await, 1, "it holds its place");
    let tasks = || stack.local.ecs.tasks().len();

    let queued = status(&stack, &claimed, "en").await;
    assert_eq!(
        (&queued["state"], &queued["starts_in"]),
        (&json!("reserved"), &json!(1))
    );
    let words = "Many sessions are starting at this moment. Yours starts in about 1 second.";
    assert_eq!(queued["message"], words);
    let german = status(&stack, &claimed, "de").await;
    assert_eq!(
        german["message"],
        "Gerade starten viele Sitzungen. Ihre startet in etwa 1 Sekunde."
    );
    assert_eq!(tasks(), 0, "asking too early starts nothing");

    // Its turn comes, and ECS throttles once more.
    stack.clock.advance(1);
    let again = status(&stack, &claimed, "en").await;
    assert_eq!(
        (&again["state"], &again["starts_in"]),
        (&json!("reserved"), &json!(1))
    );
    assert_eq!(tasks(), 0);

    stack.clock.advance(1);
    let started = status(&stack, &claimed, "en").await;
    assert_eq!(
        (&started["starts_in"], &started["message"]),
        (&Value::Null, &Value::Null)
    );
    let id = claimed["session_id"].as_str().expect("an id");
    stack.wait_until_running(id).await;
    assert_eq!(tasks(), 1);
    let path = format!("sessions/{id}");
    let session = stack.admin(Method::GET, &path, None).await.json();
    let steps = session["timeline"].as_array().expect("steps");
    assert!(
        steps.iter().any(|step| step["step"] == "start-turn"),
        "{steps:?}"
    );
    stack.local.stop().await;
}
