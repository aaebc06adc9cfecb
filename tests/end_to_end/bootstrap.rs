//! Owns how a gate gets its secret, over HTTP: in exchange for its task's bootstrap token, once.

use casting_core::Report;
use casting_core::ids::SessionId;
use reqwest::Method;
use serde_json::json;

use crate::test_stack::{Answer, Caller, TestStack};

/// The environment variable of this name in the only task that runs for this session.
fn told(stack: &TestStack, session: &SessionId, name: &str) -> Option<String> {
    let tasks = stack.local.ecs.tasks();
    let task = tasks
        .iter()
        .find(|task| task["startedBy"] == session.as_str())?;
    let containers = task["overrides"]["containerOverrides"].as_array()?;
    let mut environment = containers
        .iter()
        .filter_map(|container| container["environment"].as_array())
        .flatten();
    let pair = environment.find(|pair| pair["name"] == name)?;
    Some(pair["value"].as_str()?.to_owned())
}

#[tokio::test]
async fn bootstrap_token_is_exchanged_once() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let key = cast["key"].as_str().expect("a key");
    let mut ids = Vec::new();
    for n in 1..=3 {
        let claimed = stack.claim(Caller(n), key).await.json();
        let id = claimed["session_id"].as_str().and_then(SessionId::parse);
        ids.push(id.expect("an id"));
    }
    let keys = stack.local.control_plane.keys.sessions();
    let token = |n: usize| told(&stack, &ids[n], "CAST_BOOTSTRAP_TOKEN").expect("a token");
    let secret = keys.secret(&ids[0]).expose().to_owned();
    let everything = serde_json::to_string(&stack.local.ecs.tasks()).expect("JSON");
    assert!(!everything.contains(&secret), "a task is told no secret");

    let control_plane = &stack.local.control_plane;
    control_plane
        .end_as_administrator(&ids[2], None)
        .await
        .expect("ends");
    let other_attempt = keys.named("").bootstrap_token(&ids[0], 2);
    let signed_by_secret = format!("1.{secret}");
    for (name, session, token, status) in [
        ("nothing", 0, String::new(), 403),
        ("another session's", 0, token(1), 403),
        ("of another attempt", 0, other_attempt, 403),
        ("cut", 0, token(0)[..20].to_owned(), 403),
        ("made in the session", 0, signed_by_secret, 403),
        ("its own", 0, token(0), 200),
        ("its own again", 0, token(0), 403),
        ("of a session that is over", 2, token(2), 410),
        ("the other's", 1, token(1), 200),
    ] {
        let path = format!("/session/{}/bootstrap", ids[session]);
        let asked = stack.request(Method::POST, &path).bearer_auth(token);
        let answer = Answer::of(asked).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        let given = answer.text.contains("secret");
        assert_eq!(given, status == 200, "{name}: {}", answer.text);
        if session == 0 && status == 200 {
            assert_eq!(answer.json()["secret"], secret.as_str(), "{name}");
        }
    }
    let ready = control_plane.report(
        &ids[0],
        &secret,
        Report::Ready { port: 1 },
        Caller(9).address(),
    );
    ready.await.expect("the gate is believed by its secret");
    stack.local.stop().await;
}
