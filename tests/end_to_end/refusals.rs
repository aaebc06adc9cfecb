//! Owns how refusals reach people and programs: the right status, the link's own error page, and nothing spent.

use casting_core::Report;
use casting_local::ecs::Trouble;
use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{Answer, From, Lab};

#[tokio::test]
async fn each_policy_refuses_with_its_code_and_consumes_nothing() {
    let lab = Lab::start().await;
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
        let cast = lab.cast(&fields).await;
        let before = lab.ledger().await;
        let answer = lab
            .claim(From(1), cast["key"].as_str().expect("a key"))
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
            lab.ledger().await,
            before,
            "{name}: a refusal that a read can know writes nothing"
        );
    }
    let closed = lab
        .cast(&json!({"open_hours": {"time_zone": "UTC", "spans": ["tue 09:00-17:00"]}}))
        .await;
    let answer = lab
        .claim(From(1), closed["key"].as_str().expect("a key"))
        .await;
    assert_eq!(
        answer.header("retry-after"),
        (21 * 3600).to_string(),
        "from noon to nine"
    );
    lab.stack.stop().await;
}

#[tokio::test]
async fn browser_is_redirected_to_the_error_url_or_our_page() {
    let lab = Lab::start().await;
    let sold_out = json!({"limit_total_sessions": true, "sessions_remaining": 0});
    let plain = lab.cast(&sold_out).await;
    let mut own = sold_out.clone();
    own["error_url"] = json!("https://acme.com/sorry?from=cast#top");
    let own = lab.cast(&own).await;
    let open = async |cast: &Value| {
        lab.get(&format!("/cast/{}", cast["key"].as_str().expect("a key")))
            .await
    };

    let ours = open(&plain).await;
    assert_eq!(ours.status, 303);
    let page = lab.get(ours.header("location")).await;
    assert_eq!(page.status, 410);
    assert!(
        page.text.contains("All sessions are taken") && page.text.contains("Reference"),
        "{}",
        page.text
    );

    let theirs = open(&own).await;
    let location = theirs.header("location");
    assert!(
        location.starts_with("https://acme.com/sorry?from=cast&error=no-sessions-left&ref=")
            && location.ends_with("#top"),
        "{location}"
    );

    let unknown = lab.get("/cast/nosuchkey").await;
    assert!(
        unknown
            .header("location")
            .starts_with("/error/unknown-cast?ref="),
        "an unknown key has no error page of its own"
    );
    let disabled = lab
        .cast(&json!({"enabled": false, "error_url": "https://acme.com/sorry"}))
        .await;
    let disabled = open(&disabled).await;
    assert!(
        disabled
            .header("location")
            .starts_with("/error/unknown-cast?ref="),
        "a disabled link looks like none"
    );

    let banned = lab
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
    lab.stack.stop().await;
}

#[tokio::test]
async fn referrer_is_checked_first_and_carried_to_the_claim() {
    let lab = Lab::start().await;
    let cast = lab
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
        let mut request = lab.request(Method::GET, &path);
        if let Some(referrer) = referrer {
            request = request.header("referer", referrer);
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, if accepted { 200 } else { 403 }, "{name}");
        if accepted {
            let claim = lab.request(
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
    lab.stack.stop().await;
}

#[tokio::test]
async fn reload_keeps_the_referrer_for_a_limited_time() {
    let lab = Lab::start().await;
    let cast = lab
        .cast(&json!({"restrict_to_referrers": ["acme.com"], "allow_dynamic_kasm_url": true}))
        .await;
    let path = format!("/cast/{}", cast["key"].as_str().expect("a key"));
    let open = async |from: From, path: &str, referrer: Option<&str>| {
        let mut request = lab
            .request(Method::GET, path)
            .header("x-forwarded-for", from.address().to_string())
            .header("accept", "text/html");
        if let Some(referrer) = referrer {
            request = request.header("referer", referrer);
        }
        Answer::of(request).await
    };
    let first = open(
        From(1),
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
    lab.clock.advance(600);
    assert_eq!(
        open(From(3), &to, None).await.status,
        200,
        "people change networks"
    );
    lab.clock.advance(3000);
    let second = open(From(1), &to, Some(&format!("{}{path}", lab.stack.url))).await;
    assert!(
        second.status == 200 && second.text.contains("https://example.org/"),
        "{} {}",
        second.status,
        second.text
    );
    assert_eq!(
        open(From(2), &to, None).await.status,
        303,
        "somebody else has not clicked there"
    );
    assert!(
        open(From(2), &to, None)
            .await
            .header("location")
            .starts_with("/error/referrer-denied")
    );
    lab.clock.advance(12 * 3600);
    assert_eq!(
        open(From(1), &to, None).await.status,
        303,
        "one click is not for ever"
    );
    let open_to_all = lab.cast(&json!({})).await;
    let page = open(
        From(1),
        &format!("/cast/{}", open_to_all["key"].as_str().expect("a key")),
        None,
    )
    .await;
    assert_eq!(
        again(&page),
        None,
        "where nobody asks for it, the address is enough"
    );
    lab.stack.stop().await;
}

#[tokio::test]
async fn failed_start_refunds_everything() {
    let lab = Lab::start().await;
    let limits = json!({
        "limit_total_sessions": true, "sessions_remaining": 2, "max_live_sessions": 1,
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600,
    });
    let cast = lab.cast(&limits).await;
    let key = cast["key"].as_str().expect("a key");

    lab.stack.ecs.trouble([Trouble::NoCapacity]);
    let refused = lab.claim(From(1), key).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "no-capacity")
    );
    assert_eq!(lab.remaining(&cast).await, 2, "the place is given back");

    let started = lab.claim(From(1), key).await;
    assert_eq!(
        started.status, 202,
        "and so are the slot and the count: {}",
        started.text
    );
    assert_eq!(lab.remaining(&cast).await, 1);

    // Nobody ever reports it ready.
    lab.clock.advance(181);
    lab.stack.control.sweep().await.expect("sweeps");
    lab.stack.control.sweep().await.expect("sweeps");
    let (id, token) = (
        started.json()["session_id"].clone(),
        started.json()["session_token"].clone(),
    );
    let status = lab.request(
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
    assert_eq!(lab.remaining(&cast).await, 2, "given back once more");

    // What the visitor can quote stays the same, and leads an administrator to the session.
    let id = id.as_str().expect("an id");
    let known = lab
        .admin(Method::GET, &format!("sessions/{id}"), None)
        .await
        .json()["reference"]
        .clone();
    for _ in 0..2 {
        let page = lab
            .request(Method::GET, &format!("/session/{id}"))
            .header("accept", "text/html");
        let shown = Answer::of(page.bearer_auth(token.as_str().expect("a token"))).await;
        let expected = format!(
            "/error/start-timeout?ref={}",
            known.as_str().expect("a reference")
        );
        assert_eq!(
            (shown.status, shown.header("location")),
            (303, expected.as_str())
        );
    }

    let again = lab.claim(From(1), key).await;
    assert_eq!(again.status, 202);
    let id = again.json()["session_id"]
        .as_str()
        .and_then(casting_core::ids::SessionId::parse)
        .expect("an id");
    let secret = lab.stack.control.keys.sessions().secret(&id);
    lab.stack
        .control
        .report(
            &id,
            secret.expose(),
            Report::Ready { port: 1 },
            From(9).address(),
        )
        .await
        .expect("is ready");
    lab.stack
        .control
        .end_as_administrator(&id)
        .await
        .expect("ends");
    assert_eq!(
        lab.remaining(&cast).await,
        1,
        "whoever was served has used it"
    );
    lab.stack.stop().await;
}

#[tokio::test]
async fn every_reference_of_a_burst_is_found_and_counted() {
    let lab = Lab::start().await;
    let fields =
        json!({"key": "burst-link", "limit_total_sessions": true, "sessions_remaining": 0});
    let cast = lab.cast(&fields).await;
    let found = async |query: String| {
        let answer = lab
            .admin(Method::GET, &format!("claims?{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.json()["refused"].as_array().expect("rows").clone()
    };
    let mut quoted = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let answer = lab.claim(From(1), "burst-link").await;
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

    // Nobody else comes, and all of them are counted all the same.
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
    lab.clock.advance(86_400);
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    assert_eq!(lab.admin(Method::DELETE, &path, None).await.status, 204);
    for reference in &quoted {
        let rows = found(format!("ref={reference}")).await;
        assert_eq!(rows[0]["cast_id"], cast["id"], "{reference}");
    }
    let foreign = found("ref=aaaa-aaaa-aaaa-aaaa".to_owned()).await;
    assert_eq!(foreign, Vec::<Value>::new(), "made up");

    // Refusals of other doors are found as well.
    let unknown = lab.claim(From(2), "no-such-link").await;
    let reference = unknown.json()["ref"].as_str().expect("a text").to_owned();
    let rows = found(format!("ref={reference}")).await;
    assert_eq!(
        (&rows[0]["cast_id"], &rows[0]["code"]),
        (&json!(null), &json!("unknown-cast"))
    );
    lab.stack.stop().await;
}
