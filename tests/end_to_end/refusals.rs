//! Owns how refusals reach people and programs: the right status, the link's own error page, and
//! nothing spent.

use casting_core::Report;
use casting_local::ecs::InjectedFault;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

#[tokio::test]
async fn each_policy_refuses_with_its_code_and_consumes_nothing() {
    let stack = TestStack::start().await;
    for (name, fields, status, code) in [
        ("disabled", json!({"enabled": false}), 404, "unknown-cast"),
        (
            "expired",
            json!({"valid_until": "2026-11-23T12:00:00Z"}),
            410,
            "cast-expired",
        ),
        (
            "closed",
            json!({"open_hours": {"time_zone": "UTC", "spans": ["tue 09:00-17:00"]}}),
            503,
            "cast-closed",
        ),
        (
            "banned",
            json!({"banned_addresses": ["192.0.2.0/24 Example Hosting"]}),
            403,
            "address-denied",
        ),
        (
            "not among the allowed",
            json!({"allowed_addresses": ["198.51.100.0/24"]}),
            403,
            "address-denied",
        ),
        (
            "from nowhere",
            json!({"restrict_to_referrers": ["acme.com"]}),
            403,
            "referrer-denied",
        ),
        (
            "sold out",
            json!({"limit_total_sessions": true, "sessions_remaining": 0}),
            410,
            "no-sessions-left",
        ),
        (
            "in maintenance",
            json!({"max_live_sessions": 0}),
            503,
            "maintenance",
        ),
    ] {
        let cast = stack.cast(&fields).await;
        let before = stack.ledger().await;
        let answer = stack
            .claim(Caller(1), cast["key"].as_str().expect("a key"))
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{name}"
        );
        assert!(
            answer.json()["ref"]
                .as_str()
                .is_some_and(|reference| reference.len() == 19),
            "{name}: something to quote"
        );
        assert_eq!(
            stack.ledger().await,
            before,
            "{name}: a refusal that a read can know writes nothing"
        );
    }
    let closed = stack
        .cast(&json!({"open_hours": {"time_zone": "UTC", "spans": ["tue 09:00-17:00"]}}))
        .await;
    let answer = stack
        .claim(Caller(1), closed["key"].as_str().expect("a key"))
        .await;
    assert_eq!(
        answer.header("retry-after"),
        (21 * 3600).to_string(),
        "from noon to nine"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn browser_is_redirected_to_the_error_url_or_our_page() {
    let stack = TestStack::start().await;
    let sold_out = json!({"limit_total_sessions": true, "sessions_remaining": 0});
    let plain = stack.cast(&sold_out).await;
    let mut own = sold_out.clone();
    own["error_url"] = json!("https://acme.com/sorry?from=cast#top");
    let own = stack.cast(&own).await;
    let open = async |cast: &Value| {
        stack
            .get(&format!("/cast/{}", cast["key"].as_str().expect("a key")))
            .await
    };

    let ours = open(&plain).await;
    assert_eq!(ours.status, 410);
    assert!(
        ours.text.contains("All sessions are taken") && ours.text.contains("Reference"),
        "{}",
        ours.text
    );

    let theirs = open(&own).await;
    let location = theirs.header("location");
    assert!(
        location.starts_with("https://acme.com/sorry?from=cast&error=no-sessions-left&ref=")
            && location.ends_with("#top"),
        "{location}"
    );

    let unknown = stack.get("/cast/nosuchkey").await;
    assert!(
        unknown.status == 404 && unknown.text.contains("This link does not work"),
        "an unknown key has no error page of its own"
    );
    let disabled = stack
        .cast(&json!({"enabled": false, "error_url": "https://acme.com/sorry"}))
        .await;
    let disabled = open(&disabled).await;
    assert!(
        disabled.status == 404 && disabled.text.contains("This link does not work"),
        "a disabled link looks like none"
    );

    let banned = stack
        .cast(&json!({"banned_addresses": ["127.0.0.0/8 <b>Us</b>"]}))
        .await;
    let page = open(&banned).await;
    assert_eq!(page.status, 403);
    assert!(
        page.text
            .contains("Requests from &#60;b&#62;Us&#60;/b&#62; are not allowed."),
        "{}",
        page.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn referrer_is_checked_first_and_carried_to_the_claim() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"restrict_to_referrers": ["acme.com", "=shop.example"]}))
        .await;
    let path = format!("/api/casts/{}", cast["key"].as_str().expect("a key"));
    for (name, referrer, accepted) in [
        ("the site", Some("https://acme.com/page"), true),
        ("a subdomain", Some("https://www.acme.com/"), true),
        ("a lookalike", Some("https://evilacme.com/"), false),
        ("exactly this one", Some("https://shop.example/"), true),
        (
            "not its subdomain",
            Some("https://www.shop.example/"),
            false,
        ),
        ("silence", None, false),
    ] {
        let mut request = stack.request(Method::GET, &path);
        if let Some(referrer) = referrer {
            request = request.header("referer", referrer);
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, if accepted { 200 } else { 403 }, "{name}");
        if accepted {
            let claim = stack.request(
                Method::POST,
                &format!("/cast/{}/claims", cast["key"].as_str().expect("a key")),
            );
            let claimed = Answer::of(claim.json(&json!({"ticket": answer.json()["ticket"]}))).await;
            assert_eq!(
                claimed.status, 202,
                "{name}: the claim itself comes from our page"
            );
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn reload_keeps_the_referrer_for_a_limited_time() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"restrict_to_referrers": ["acme.com"], "allow_dynamic_kasm_url": true}))
        .await;
    let path = format!("/cast/{}", cast["key"].as_str().expect("a key"));
    let open = async |from: Caller, path: &str, referrer: Option<&str>| {
        let mut request = stack
            .request(Method::GET, path)
            .header("x-forwarded-for", from.address().to_string())
            .header("accept", "text/html");
        if let Some(referrer) = referrer {
            request = request.header("referer", referrer);
        }
        Answer::of(request).await
    };
    let first = open(
        Caller(1),
        &format!("{path}?kasm_url=example.org"),
        Some("https://acme.com/"),
    )
    .await;
    assert_eq!(first.status, 200, "{}", first.text);
    let again = |page: &Answer| {
        page.text
            .split_once(" data-again=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(to, _)| to.replace("&#38;", "&"))
    };
    let to = again(&first).expect("where it is loaded afresh");
    stack.clock.advance(600);
    assert_eq!(
        open(Caller(3), &to, None).await.status,
        200,
        "people change networks"
    );
    stack.clock.advance(3000);
    let second = open(Caller(1), &to, Some(&format!("{}{path}", stack.local.url))).await;
    assert!(
        second.status == 200 && second.text.contains("https://example.org/"),
        "{} {}",
        second.status,
        second.text
    );
    assert_eq!(
        open(Caller(2), &to, None).await.status,
        403,
        "somebody else has not clicked there"
    );
    stack.clock.advance(12 * 3600);
    assert_eq!(
        open(Caller(1), &to, None).await.status,
        403,
        "one click is not for ever"
    );
    let open_to_all = stack.cast(&json!({})).await;
    let page = open(
        Caller(1),
        &format!("/cast/{}", open_to_all["key"].as_str().expect("a key")),
        None,
    )
    .await;
    assert_eq!(
        again(&page),
        None,
        "where nobody asks for it, the address is enough"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn start_that_ecs_failed_is_tried_once_more() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({ "limit_total_sessions": true, "sessions_remaining": 2 }))
        .await;
    let key = cast["key"].as_str().expect("a key");
    for (name, failures, expected) in [("once", 1, "starting"), ("twice", 2, "ended")] {
        let failing = std::iter::repeat_n(InjectedFault::NoNetworkInterface, failures);
        stack.local.ecs.inject_faults(failing);
        let claimed = stack.claim(Caller(1), key).await.json();
        let id = claimed["session_id"].as_str().expect("an id");
        let tasks = || {
            let all = stack.local.ecs.tasks();
            all.into_iter()
                .filter(|task| task["startedBy"] == id)
                .collect::<Vec<_>>()
        };
        let is_settled = async || {
            let status = stack.request(Method::GET, &format!("/session/{id}/status"));
            let token = claimed["session_token"].as_str().expect("a token");
            let status = Answer::of(status.bearer_auth(token)).await.json();
            tasks().len() == 2 && status["state"] == expected
        };
        // News of tasks comes by itself, a moment later.
        let mut waited = 0;
        while !is_settled().await {
            assert!(waited < 200, "{name}: {:?}", tasks());
            waited += 1;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let codes: Vec<_> = tasks()
            .iter()
            .map(|task| task["stopCode"].clone())
            .collect();
        let failed = codes.iter().filter(|code| *code == "TaskFailedToStart");
        assert_eq!(failed.count(), failures, "{name}: {codes:?}");
        assert_eq!(
            stack.remaining(&cast).await,
            1,
            "{name}: counted once, or given back"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn failed_start_refunds_everything() {
    let stack = TestStack::start().await;
    let limits = json!({
        "limit_total_sessions": true, "sessions_remaining": 2, "max_live_sessions": 1,
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600,
    });
    let cast = stack.cast(&limits).await;
    let key = cast["key"].as_str().expect("a key");

    stack.local.ecs.inject_faults([InjectedFault::NoCapacity]);
    let refused = stack.claim(Caller(1), key).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "no-capacity")
    );
    assert_eq!(stack.remaining(&cast).await, 2, "the place is given back");

    let started = stack.claim(Caller(1), key).await;
    assert_eq!(
        started.status, 202,
        "and so are the slot and the count: {}",
        started.text
    );
    assert_eq!(stack.remaining(&cast).await, 1);

    // No report says that it is ready.
    stack.clock.advance(181);
    stack.local.control_plane.sweep().await.expect("sweeps");
    stack.local.control_plane.sweep().await.expect("sweeps");
    let (id, token) = (
        started.json()["session_id"].clone(),
        started.json()["session_token"].clone(),
    );
    let status = stack.request(
        Method::GET,
        &format!("/session/{}/status", id.as_str().expect("an id")),
    );
    let status = Answer::of(status.bearer_auth(token.as_str().expect("a token")))
        .await
        .json();
    assert_eq!(
        (status["state"].as_str(), status["denial"].as_str()),
        (Some("ended"), Some("start-timeout")),
        "{status}"
    );
    assert_eq!(stack.remaining(&cast).await, 2, "given back once more");

    // What the visitor can quote stays the same, and leads an administrator to the session.
    let id = id.as_str().expect("an id");
    let known = stack
        .admin(Method::GET, &format!("sessions/{id}"), None)
        .await
        .json()["reference"]
        .clone();
    for _ in 0..2 {
        let page = stack
            .request(Method::GET, &format!("/session/{id}"))
            .header("accept", "text/html");
        let shown = Answer::of(page.bearer_auth(token.as_str().expect("a token"))).await;
        assert_eq!(shown.status, 504);
        for text in [
            "The session took too long to start",
            known.as_str().expect("a reference"),
            &format!("href=\"/cast/{key}\">Open the link again"),
        ] {
            assert!(shown.text.contains(text), "{text}: {}", shown.text);
        }
    }

    let again = stack.claim(Caller(1), key).await;
    assert_eq!(again.status, 202);
    let id = again.json()["session_id"]
        .as_str()
        .and_then(casting_core::ids::SessionId::parse)
        .expect("an id");
    let secret = stack.local.control_plane.keys.sessions().secret(&id);
    stack
        .local
        .control_plane
        .report(
            &id,
            secret.expose(),
            Report::Ready { port: 1 },
            Caller(9).address(),
        )
        .await
        .expect("is ready");
    stack
        .local
        .control_plane
        .end_as_administrator(&id, None)
        .await
        .expect("ends");
    assert_eq!(
        stack.remaining(&cast).await,
        1,
        "whoever was served has used it"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn every_reference_of_a_burst_is_found_and_counted() {
    let stack = TestStack::start().await;
    let fields =
        json!({"key": "burst-link", "limit_total_sessions": true, "sessions_remaining": 0});
    let cast = stack.cast(&fields).await;
    let found = async |query: String| {
        let answer = stack
            .admin(Method::GET, &format!("claims?{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.json()["refused"].as_array().expect("rows").clone()
    };
    let mut quoted = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let answer = stack.claim(Caller(1), "burst-link").await;
        assert_eq!(answer.code(), "no-sessions-left");
        let reference = answer.json()["ref"].as_str().expect("a text").to_owned();
        let rows = found(format!("ref={reference}")).await;
        assert_eq!(rows.len(), 1, "{reference}: {rows:?}");
        assert_eq!(rows[0]["cast_id"], cast["id"]);
        assert_eq!(rows[0]["code"], "no-sessions-left");
        assert_eq!(rows[0]["samples"][0]["ref"], reference.as_str());
        quoted.insert(reference);
    }
    assert_eq!(quoted.len(), 12, "each is another");

    // No further request comes, and all of them are counted.
    let mut counted = json!(null);
    for _ in 0..100 {
        let rows = found(format!("cast={}", cast["id"].as_str().expect("an id"))).await;
        counted = rows.first().map_or(json!(0), |row| row["count"].clone());
        if counted == json!(12) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(counted, json!(12));

    // A day later, and after the link is gone.
    stack.clock.advance(86_400);
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 204);
    for reference in &quoted {
        let rows = found(format!("ref={reference}")).await;
        assert_eq!(rows[0]["cast_id"], cast["id"], "{reference}");
    }
    let foreign = found("ref=aaaa-aaaa-aaaa-aaaa".to_owned()).await;
    assert_eq!(foreign, Vec::<Value>::new(), "made up");

    // Refusals of other doors are found as well.
    let unknown = stack.claim(Caller(2), "no-such-link").await;
    let reference = unknown.json()["ref"].as_str().expect("a text").to_owned();
    let rows = found(format!("ref={reference}")).await;
    assert_eq!(
        (&rows[0]["cast_id"], &rows[0]["code"]),
        (&json!(null), &json!("unknown-cast"))
    );
    stack.local.stop().await;
}
