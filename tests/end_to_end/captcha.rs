//! Owns the CAPTCHA from end to end: our own proof of work, solved as a browser would, and a
//! provider that misbehaves.

use altcha::{Challenge, Payload, SolveChallengeOptions, solve_challenge};
use axum::Router;
use axum::routing::post;
use casting_core::language::Language;
use casting_core::testing::{NOON, user};
use casting_core::ticket::LoginTicket;
use data_encoding::BASE64;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::test_stack::{Answer, Caller, TestStack};

/// The solution of the challenge in the description of a link, as a browser would find it.
pub fn solve(described: &Value) -> String {
    let challenge: Challenge = serde_json::from_str(
        described["captcha"]["challenge"]
            .as_str()
            .expect("a challenge"),
    )
    .expect("JSON");
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge))
        .expect("can be solved")
        .expect("in time");
    BASE64.encode(
        &serde_json::to_vec(&Payload {
            challenge,
            solution,
        })
        .expect("JSON"),
    )
}

#[tokio::test]
async fn captcha_proof_is_needed_once_per_session() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"require_captcha": true, "limit_total_sessions": true, "sessions_remaining": 5})).await;
    let key = cast["key"].as_str().expect("a key");
    let described = stack.describe(Caller(1), key, "").await.json();
    assert_eq!(
        (
            described["needs"].clone(),
            described["captcha"]["kind"].as_str()
        ),
        (json!(["captcha"]), Some("altcha"))
    );
    let claim = async |from: Caller, described: &Value, proof: Option<&str>| {
        stack
            .claim_with(
                from,
                key,
                &json!({"ticket": described["ticket"], "captcha": proof}),
            )
            .await
    };
    let missing = claim(Caller(1), &described, None).await;
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (409, "captcha-required")
    );
    let wrong = claim(Caller(1), &described, Some("bm90aGluZw==")).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (403, "captcha-failed")
    );
    assert_eq!(stack.remaining(&cast).await, 5, "a refusal uses nothing");

    let proof = solve(&described);
    let solved = claim(Caller(1), &described, Some(&proof)).await;
    assert_eq!(solved.status, 202, "{}", solved.text);
    let again = claim(Caller(1), &described, Some(&proof)).await;
    assert_eq!(
        again.json()["session_id"],
        solved.json()["session_id"],
        "a double click finds its session"
    );
    let other_page = stack.describe(Caller(1), key, "").await.json();
    assert_eq!(
        claim(Caller(1), &other_page, Some(&proof)).await.code(),
        "captcha-failed",
        "one proof, one session"
    );
    let third_page = stack.describe(Caller(1), key, "").await.json();
    assert_eq!(
        claim(Caller(1), &third_page, Some(&solve(&other_page)))
            .await
            .code(),
        "captcha-failed",
        "solved for another page"
    );
    assert_eq!(stack.remaining(&cast).await, 4);
    let moved = claim(Caller(2), &third_page, Some(&solve(&third_page))).await;
    assert_eq!(moved.status, 202, "from another address: {}", moved.text);
    assert_eq!(stack.remaining(&cast).await, 3);

    let login = LoginTicket {
        user: user(1),
        expires: NOON.plus_seconds(600),
    }
    .sign(&stack.local.control_plane.keys);
    let known = Answer::of(
        stack
            .request(Method::GET, &format!("/api/casts/{key}"))
            .header("cookie", format!("cast-login={login}")),
    )
    .await;
    assert_eq!(
        known.json()["needs"],
        json!([]),
        "whoever has logged in is not asked"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn page_with_a_proof_of_work_is_small_in_every_language() {
    // Over plain http the page brings along what derives keys too.
    let stack = TestStack::start().await;
    let fields = json!({
        "require_captcha": true, "allow_dynamic_kasm_url": true, "limit_requests_per_ip": true,
        "sessions_allowed": 1, "within_seconds": 60,
    });
    let cast = stack.cast(&fields).await;
    let listed = json!({"require_captcha": true, "restrict_to_referrers": ["acme.example"]});
    let listed = stack.cast(&listed).await;
    for language in Language::ALL {
        for (cast, query) in [
            (&cast, ""),
            (&cast, "&kasm_url=https://example.org/a/page"),
            (&listed, ""),
        ] {
            let key = cast["key"].as_str().expect("a key");
            let path = format!("/cast/{key}?lang={}{query}", language.as_str());
            let page = stack
                .request(Method::GET, &path)
                .header("referer", "https://acme.example/page");
            let page = Answer::of(page).await;
            assert!(
                page.text.contains("data-challenge") && page.text.contains("2**32"),
                "{path}: {}",
                page.text
            );
            assert!(page.text.len() < 10_000, "{path}: {}", page.text.len());
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn captcha_outage_admits_no_one_and_consumes_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "http://{}/siteverify",
        listener.local_addr().expect("an address")
    );
    let serve = |body: String| async move {
        let token = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("response="))
            .unwrap_or_default()
            .to_owned();
        match token.as_str() {
            "good" => json!({"success": true, "hostname": "localhost", "challenge_ts": "2026-11-23T11:59:00Z"}).to_string(),
            "used" => json!({"success": false, "error-codes": ["timeout-or-duplicate"]}).to_string(),
            _ => "<html>".to_owned(),
        }
    };
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/siteverify", post(serve))).await
    });

    let stack = TestStack::start().await;
    let settings = json!({"captcha_kind": "recaptcha-v2", "captcha_site_key": "site", "captcha_secret_key": "hush", "captcha_verify_url": url});
    let changed = stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(!changed.text.contains("hush") && changed.json()["captcha_secret_key_is_set"] == true);
    let cast = stack.cast(&json!({"require_captcha": true, "limit_total_sessions": true, "sessions_remaining": 5})).await;
    let key = cast["key"].as_str().expect("a key");
    for (name, token, status, code) in [
        ("used", "used", 403, "captcha-failed"),
        ("nonsense", "odd", 503, "captcha-unavailable"),
    ] {
        let ticket = stack.describe(Caller(1), key, "").await.json()["ticket"].clone();
        let refused = stack
            .claim_with(Caller(1), key, &json!({"ticket": ticket, "captcha": token}))
            .await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{name}"
        );
    }
    assert_eq!(stack.remaining(&cast).await, 5);
    let ticket = stack.describe(Caller(1), key, "").await.json()["ticket"].clone();
    assert_eq!(
        stack
            .claim_with(
                Caller(1),
                key,
                &json!({"ticket": ticket, "captcha": "good"})
            )
            .await
            .status,
        202
    );
    let page = stack.get(&format!("/cast/{key}")).await;
    assert!(
        page.text
            .contains("class=\"g-recaptcha captcha\" data-sitekey=\"site\"")
            && !page.text.contains("hush")
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn administrator_learns_which_captcha_keys_are_wrong() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "http://{}/siteverify",
        listener.local_addr().expect("an address")
    );
    let serve = |body: String| async move {
        let code = if body.contains("secret=right") {
            "invalid-input-response"
        } else {
            "invalid-input-secret"
        };
        json!({"success": false, "error-codes": [code]}).to_string()
    };
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/siteverify", post(serve))).await
    });
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"require_captcha": true})).await;
    let id = cast["id"].as_str().expect("an id");
    for (name, secret, site_key, result, passes) in [
        ("right", "right", "site", "accepted", true),
        ("wrong secret", "wrong", "site", "refused", true),
        (
            "keys for tests",
            "right",
            "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI",
            "for-tests",
            false,
        ),
    ] {
        let settings = json!({"captcha_kind": "recaptcha-v2", "captcha_site_key": site_key, "captcha_secret_key": secret, "captcha_verify_url": url});
        let changed = stack
            .admin(Method::PATCH, "settings", Some(&settings))
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let checked = stack
            .admin(Method::POST, "settings/captcha-checks", None)
            .await;
        assert_eq!(
            (checked.status, &checked.json()["result"]),
            (200, &json!(result)),
            "{name}"
        );
        let trial = stack
            .admin(
                Method::POST,
                &format!("casts/{id}/trials"),
                Some(&json!({"address": "192.0.2.1"})),
            )
            .await
            .json();
        assert_eq!(trial["admitted"], passes, "{name}: {trial}");
        if !passes {
            assert_eq!(trial["code"], "captcha-unavailable", "{name}");
        }
        let cookie = sign_in(&stack, &stack.local.admin_key).await;
        let page = stack
            .request(Method::GET, "/admin/settings")
            .header("cookie", &cookie);
        let page = Answer::of(page).await.text;
        let csrf = page
            .split("name=\"csrf_token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a token");
        let pressed = stack
            .request(Method::POST, "/admin/settings/captcha-check")
            .header("cookie", &cookie)
            .header("origin", &stack.local.url)
            .form(&[("csrf_token", csrf)]);
        let shown = Answer::of(pressed).await;
        let words = checked.json()["detail"].as_str().expect("words").to_owned();
        assert_eq!(shown.status, 200, "{}", shown.text);
        assert!(
            shown
                .text
                .contains(words.split(['(', '\u{27}']).next().expect("words").trim()),
            "{name}: {}",
            shown.text
        );
    }
}
