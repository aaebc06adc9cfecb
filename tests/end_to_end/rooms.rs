//! The waiting room over HTTP: as a program and as a browser without scripting see it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{Answer, From, Lab};

fn id(cast: &Value) -> &str {
    cast["id"].as_str().expect("an id")
}

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// How a program at this address stands.
async fn stand(lab: &Lab, from: From, waiting: &Value) -> Answer {
    let url = waiting["room_url"].as_str().expect("an address");
    let path = url.find("/cast/").map(|at| &url[at..]).expect("a path");
    let request = lab
        .request(Method::GET, path)
        .header("accept", "application/json");
    Answer::of(request.header("x-forwarded-for", from.address().to_string())).await
}

async fn end(lab: &Lab, claimed: &Value) {
    let path = format!(
        "/session/{}/end",
        claimed["session_id"].as_str().expect("an id")
    );
    let request = lab
        .request(Method::POST, &path)
        .header("accept", "application/json");
    let ended =
        Answer::of(request.bearer_auth(claimed["session_token"].as_str().expect("a token"))).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    lab.stack.control.sweep().await.expect("sweeps");
}

#[tokio::test]
async fn full_link_queues_visitors_and_admits_in_order() {
    let lab = Lab::start().await;
    let cast = lab
        .cast(&json!({"max_live_sessions": 1, "waiting_room": true}))
        .await;
    let first = lab.claim(From(1), key(&cast)).await.json();
    assert!(first["session_id"].is_string(), "{first}");
    let mut waiting = Vec::new();
    for n in 2..=4 {
        let answer = lab.claim(From(n), key(&cast)).await;
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
        lab.claim_with(From(n), key(&cast), &json!({"ticket": waiting["ticket"]}))
            .await
            .json()
    };
    let told = async |at: &str| {
        lab.admin(Method::GET, &format!("{at}statistics"), None)
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
        stand(&lab, From(9), &waiting[0]).await.json()["position"],
        1,
        "a place is its ticket's, also from another address"
    );

    end(&lab, &first).await;
    let late = lab.claim(From(5), key(&cast)).await.json();
    assert_eq!(late["position"], 4, "nobody overtakes");
    assert_eq!(
        stand(&lab, From(3), &waiting[1]).await.json()["turn"],
        false
    );
    assert_eq!(stand(&lab, From(2), &waiting[0]).await.json()["turn"], true);
    let second = claim(2, &waiting[0]).await;
    assert!(second["session_id"].is_string(), "{second}");
    assert_eq!(
        claim(2, &waiting[0]).await["session_id"],
        second["session_id"],
        "once"
    );
    assert_eq!(
        stand(&lab, From(3), &waiting[1]).await.json()["told"],
        "You are number 1. We cannot say yet how long it takes."
    );

    // One leaves, one is gone for more than a minute, and the last moves up.
    let leave = lab
        .request(Method::POST, &format!("/cast/{}/room", key(&cast)))
        .json(&json!({"ticket": waiting[1]["ticket"]}));
    let left = Answer::of(
        leave
            .header("accept", "application/json")
            .header("x-forwarded-for", From(3).address().to_string()),
    )
    .await;
    assert_eq!(left.status, 204, "{}", left.text);
    assert_eq!(stand(&lab, From(5), &late).await.json()["position"], 2);
    lab.clock.advance(50);
    assert_eq!(stand(&lab, From(5), &late).await.json()["position"], 2);
    lab.clock.advance(50);
    assert_eq!(stand(&lab, From(5), &late).await.json()["position"], 1);
    let gone = stand(&lab, From(4), &waiting[2]).await;
    assert_eq!((gone.status, gone.code().as_str()), (409, "place-lost"));
    lab.stack.stop().await;
}

#[tokio::test]
async fn only_admissible_visitors_are_queued() {
    let lab = Lab::start().await;
    let cast = lab
        .cast(&json!({"max_live_sessions": 1, "waiting_room": true, "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600}))
        .await;
    assert_eq!(lab.claim(From(1), key(&cast)).await.status, 202);
    let refused = lab.claim(From(1), key(&cast)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "ip-limit"),
        "the wait would be for nothing"
    );

    let ticket = lab.describe(From(2), key(&cast), "").await.json()["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned();
    let ask = |request: reqwest::RequestBuilder| {
        Answer::of(
            request
                .header("x-forwarded-for", From(2).address().to_string())
                .header("accept", "text/html"),
        )
    };
    let sent = ask(lab
        .request(Method::POST, &format!("/cast/{}/claims", key(&cast)))
        .form(&[("ticket", &ticket)]))
    .await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let room = sent.header("location").to_owned();
    let page = ask(lab.request(Method::GET, &room)).await;
    assert!(
        page.status == 200 && page.text.contains("You are number 1."),
        "{}",
        page.text
    );
    lab.stack.stop().await;
}
