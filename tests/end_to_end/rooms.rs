//! The waiting room over HTTP: as a program and as a browser without scripting see it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

fn id(cast: &Value) -> &str {
    cast["id"].as_str().expect("an id")
}

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// How a program at this address stands.
async fn stand(stack: &TestStack, from: Caller, waiting: &Value) -> Answer {
    let url = waiting["room_url"].as_str().expect("an address");
    let path = url.find("/cast/").map(|at| &url[at..]).expect("a path");
    let request = stack
        .request(Method::GET, path)
        .header("accept", "application/json");
    Answer::of(request.header("x-forwarded-for", from.address().to_string())).await
}

async fn end(stack: &TestStack, claimed: &Value) {
    let path = format!(
        "/session/{}/end",
        claimed["session_id"].as_str().expect("an id")
    );
    let request = stack
        .request(Method::POST, &path)
        .header("accept", "application/json");
    let ended =
        Answer::of(request.bearer_auth(claimed["session_token"].as_str().expect("a token"))).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    stack.local.control_plane.sweep().await.expect("sweeps");
}

#[tokio::test]
async fn full_link_queues_visitors_and_admits_in_order() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"max_live_sessions": 1, "waiting_room": true}))
        .await;
    let first = stack.claim(Caller(1), key(&cast)).await.json();
    assert!(first["session_id"].is_string(), "{first}");
    let mut waiting = Vec::new();
    for n in 2..=4 {
        let answer = stack.claim(Caller(n), key(&cast)).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (202, "2"),
            "{}",
            answer.text
        );
        let answer = answer.json();
        assert_eq!(
            (&answer["state"], &answer["position"], &answer["turn"]),
            (&json!("waiting"), &json!(n - 1), &json!(false)),
            "{answer}"
        );
        assert_eq!(
            answer["estimate_seconds"],
            Value::Null,
            "nothing is promised"
        );
        waiting.push(answer);
    }
    let claim = async |n: u8, waiting: &Value| {
        stack
            .claim_with(Caller(n), key(&cast), &json!({"ticket": waiting["ticket"]}))
            .await
            .json()
    };
    let told = async |at: &str| {
        stack
            .admin(Method::GET, &format!("{at}statistics"), None)
            .await
            .json()["waiting"]
            .clone()
    };
    assert_eq!(
        (told(&format!("casts/{}/", id(&cast))).await, told("").await),
        (json!(3), Value::Null)
    );
    assert_eq!(
        claim(3, &waiting[1]).await["position"],
        2,
        "a claim before its turn finds the same place"
    );
    assert_eq!(
        stand(&stack, Caller(9), &waiting[0]).await.json()["position"],
        1,
        "a place is its ticket's, also from another address"
    );

    end(&stack, &first).await;
    let late = stack.claim(Caller(5), key(&cast)).await.json();
    assert_eq!(late["position"], 4, "nobody overtakes");
    assert_eq!(
        stand(&stack, Caller(3), &waiting[1]).await.json()["turn"],
        false
    );
    assert_eq!(
        stand(&stack, Caller(2), &waiting[0]).await.json()["turn"],
        true
    );
    let second = claim(2, &waiting[0]).await;
    assert!(second["session_id"].is_string(), "{second}");
    assert_eq!(
        claim(2, &waiting[0]).await["session_id"],
        second["session_id"],
        "once"
    );
    assert_eq!(
        stand(&stack, Caller(3), &waiting[1]).await.json()["message"],
        "You are number 1. We cannot say yet how long it takes."
    );

    // One leaves, one is gone for more than a minute, and the last moves up.
    let leave = stack
        .request(Method::POST, &format!("/cast/{}/room", key(&cast)))
        .json(&json!({"ticket": waiting[1]["ticket"]}));
    let left = Answer::of(
        leave
            .header("accept", "application/json")
            .header("x-forwarded-for", Caller(3).address().to_string()),
    )
    .await;
    assert_eq!(left.status, 204, "{}", left.text);
    assert_eq!(stand(&stack, Caller(5), &late).await.json()["position"], 2);
    stack.clock.advance(50);
    assert_eq!(stand(&stack, Caller(5), &late).await.json()["position"], 2);
    stack.clock.advance(50);
    assert_eq!(stand(&stack, Caller(5), &late).await.json()["position"], 1);
    let gone = stand(&stack, Caller(4), &waiting[2]).await;
    assert_eq!((gone.status, gone.code().as_str()), (409, "place-lost"));
    stack.local.stop().await;
}

#[tokio::test]
async fn only_admissible_visitors_are_queued() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"max_live_sessions": 1, "waiting_room": true, "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600}))
        .await;
    assert_eq!(stack.claim(Caller(1), key(&cast)).await.status, 202);
    let refused = stack.claim(Caller(1), key(&cast)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "ip-limit"),
        "the wait would be for nothing"
    );

    let ticket = stack.describe(Caller(2), key(&cast), "").await.json()["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let ask = |request: reqwest::RequestBuilder| {
        Answer::of(
            request
                .header("x-forwarded-for", Caller(2).address().to_string())
                .header("accept", "text/html"),
        )
    };
    let sent = ask(stack
        .request(Method::POST, &format!("/cast/{}/claims", key(&cast)))
        .header(KEPT_COOKIE.0, KEPT_COOKIE.1)
        .form(&[("ticket", &ticket)]))
    .await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let room = sent.header("location").to_owned();
    let page = ask(stack.request(Method::GET, &room)).await;
    assert!(
        page.status == 200 && page.text.contains("You are number 1."),
        "{}",
        page.text
    );
    stack.local.stop().await;
}
