//! Owns the parameters of a link: which address a session opens, in which network it runs, and
//! requests that are repeated.

use casting_core::ids::SessionId;
use casting_core::session::Session;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

async fn session(stack: &TestStack, claimed: &Answer) -> Session {
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    let id =
        SessionId::parse(claimed.json()["session_id"].as_str().expect("an id")).expect("an id");
    stack
        .local
        .control_plane
        .store
        .session(&id)
        .await
        .expect("reads")
        .expect("is there")
}

/// Opens a link with these parameters and claims.
async fn claim(stack: &TestStack, cast: &Value, query: &str, consent: bool) -> Answer {
    let key = cast["key"].as_str().expect("a key");
    let described = stack.describe(Caller(1), key, query).await;
    if described.status != 200 {
        return described;
    }
    stack
        .claim_with(
            Caller(1),
            key,
            &json!({"ticket": described.json()["ticket"], "consent": consent}),
        )
        .await
}

#[tokio::test]
async fn dynamic_url_needs_consent_and_is_passed_as_parsed() {
    let stack = TestStack::start().await;
    let fixed = stack
        .cast(&json!({"kasm_url": "https://own.example/"}))
        .await;
    let dynamic = stack
        .cast(&json!({"kasm_url": "https://own.example/", "allow_dynamic_kasm_url": true}))
        .await;
    let listed = stack
        .cast(&json!({"allow_dynamic_kasm_url": true, "dynamic_kasm_url_hosts": ["acme.com"]}))
        .await;

    let ignored = session(
        &stack,
        &claim(&stack, &fixed, "?kasm_url=example.com", false).await,
    )
    .await;
    assert_eq!(
        ignored.launch.kasm_url.as_deref(),
        Some("https://own.example/")
    );
    let shown = stack
        .admin(Method::GET, &format!("sessions/{}", ignored.id), None)
        .await
        .json();
    assert_eq!(
        (shown["notes"].clone(), shown["owner"]["kind"].clone()),
        (json!(["kasm-url-ignored"]), json!("anonymous"))
    );
    assert_eq!(
        shown["owner"]["expires_at"], "2026-11-23T20:00:00Z",
        "eight hours after the claim"
    );
    let own = session(&stack, &claim(&stack, &dynamic, "", false).await).await;
    assert_eq!(own.launch.kasm_url.as_deref(), Some("https://own.example/"));
    let described = stack
        .describe(
            Caller(1),
            dynamic["key"].as_str().expect("a key"),
            "?kasm_url=Example.com%2Fa%09b",
        )
        .await;
    assert_eq!(
        (described.status, described.code().as_str()),
        (422, "parameter-invalid"),
        "a tab would become an option of the browser's"
    );
    for (sent, opens) in [
        (
            "https://example.com/search?q=a+b",
            "https://example.com/search?q=a%20b",
        ),
        (
            "https://example.com/Rubik's_Cube",
            "https://example.com/Rubik%27s_Cube",
        ),
    ] {
        let query = format!("?kasm_url={sent}");
        let key = dynamic["key"].as_str().expect("a key");
        let described = stack.describe(Caller(1), key, &query).await;
        assert_eq!(described.json()["opens"], opens, "{}", described.text);
    }

    let query = "?kasm_url=EXAMPLE.com/a%3Fb%3D1%26c";
    let described = stack
        .describe(Caller(1), dynamic["key"].as_str().expect("a key"), query)
        .await
        .json();
    assert_eq!(
        (described["needs"].clone(), described["opens"].as_str()),
        (json!(["consent"]), Some("https://example.com/a?b=1&c"))
    );
    assert_eq!(
        claim(&stack, &dynamic, query, false).await.code(),
        "consent-required"
    );
    let agreed = session(&stack, &claim(&stack, &dynamic, query, true).await).await;
    assert_eq!(
        agreed.launch.kasm_url.as_deref(),
        Some("https://example.com/a?b=1&c")
    );
    let page = stack
        .get(&format!(
            "/cast/{}{query}",
            dynamic["key"].as_str().expect("a key")
        ))
        .await;
    assert!(
        page.text.contains("https://example.com/a?b=1&#38;c") && page.text.contains("Open it"),
        "{}",
        page.text
    );

    for (name, url, fits) in [
        ("listed", "https://www.acme.com/", true),
        ("not listed", "https://example.com/", false),
    ] {
        assert_eq!(
            claim(&stack, &listed, &format!("?kasm_url={url}"), true)
                .await
                .status
                == 202,
            fits,
            "{name}"
        );
    }
    for inner in [
        "http://169.254.170.2/v2/credentials",
        "http://localhost:6901/",
        "http://[::ffff:10.0.0.1]/",
        "--renderer-cmd-prefix=sh",
        "javascript:alert(1)",
    ] {
        assert_eq!(
            claim(&stack, &dynamic, &format!("?kasm_url={inner}"), true)
                .await
                .code(),
            "parameter-invalid",
            "{inner}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn dynamic_network_needs_link_and_image_permission() {
    let stack = TestStack::start().await;
    for name in ["lab", "dmz"] {
        let network = json!({"name": name, "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]});
        assert_eq!(
            stack
                .admin(Method::POST, "networks", Some(&network))
                .await
                .status,
            201
        );
    }
    let image = json!({"name": "Networked", "container_image": "app:1", "command": ["demo-app"], "allow_network_selection": true, "restrict_to_networks": ["lab"]});
    let image = stack.admin(Method::POST, "images", Some(&image)).await;
    assert_eq!(image.status, 201, "{}", image.text);
    let id = image.json()["id"].as_str().expect("an id").to_owned();
    let free = stack
        .cast(&json!({"image_id": id, "allow_dynamic_docker_network": true}))
        .await;
    let bound = stack.cast(&json!({"image_id": id})).await;
    let other = stack
        .cast(&json!({"allow_dynamic_docker_network": true}))
        .await;

    let placed = session(
        &stack,
        &claim(&stack, &free, "?docker_network=lab", false).await,
    )
    .await;
    let network = placed.launch.network.expect("a network");
    assert_eq!(
        (network.name.as_str(), network.placement.subnets),
        ("lab", vec!["subnet-1a".to_owned()])
    );
    assert_eq!(
        session(&stack, &claim(&stack, &free, "", false).await)
            .await
            .launch
            .network,
        None
    );
    for (name, cast, query) in [
        ("not in the image's list", &free, "?docker_network=dmz"),
        ("unknown", &free, "?docker_network=moon"),
        ("the link does not let it", &bound, "?docker_network=lab"),
        ("the image does not let it", &other, "?docker_network=lab"),
    ] {
        let refused = claim(&stack, cast, query, false).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (422, "network-denied"),
            "{name}"
        );
    }
    let in_use = stack.admin(Method::DELETE, "networks/lab", None).await;
    assert_eq!(in_use.status, 409, "{}", in_use.text);
    assert_eq!(
        stack
            .admin(Method::DELETE, "networks/dmz", None)
            .await
            .status,
        204
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn idempotency_key_is_bound_to_its_request() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_dynamic_kasm_url": true, "limit_total_sessions": true, "sessions_remaining": 5})).await;
    let key = cast["key"].as_str().expect("a key");
    let claim = async |from: Caller, idempotency_key: &str, query: &str, consent: bool| {
        let ticket = stack.describe(from, key, query).await.json()["ticket"].clone();
        let request = stack
            .request(Method::POST, &format!("/cast/{key}/claims"))
            .json(&json!({"ticket": ticket, "consent": consent}));
        Answer::of(
            request
                .header("idempotency-key", idempotency_key)
                .header("x-forwarded-for", from.address().to_string()),
        )
        .await
    };
    let first = claim(Caller(1), "order-1", "", false).await.json()["session_id"].clone();
    assert_eq!(
        claim(Caller(1), "order-1", "", false).await.json()["session_id"],
        first,
        "the same again"
    );
    let other = claim(Caller(1), "order-1", "?kasm_url=example.com", true).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (409, "request-differs")
    );
    assert_ne!(
        claim(Caller(1), "order-2", "", false).await.json()["session_id"],
        first
    );
    assert_ne!(
        claim(Caller(2), "order-1", "", false).await.json()["session_id"],
        first,
        "keys of others are others"
    );
    assert_eq!(stack.remaining(&cast).await, 2);

    let ticket = stack.describe(Caller(1), key, "").await.json()["ticket"].clone();
    let page = json!({ "ticket": ticket });
    let twice =
        futures_util::future::join_all((0..5).map(|_| stack.claim_with(Caller(1), key, &page)))
            .await;
    let mut sessions: Vec<String> = twice
        .iter()
        .map(|answer| answer.json()["session_id"].to_string())
        .collect();
    sessions.dedup();
    assert_eq!(
        (sessions.len(), stack.remaining(&cast).await),
        (1, json!(1)),
        "five clicks on one page are one claim"
    );
    stack.local.stop().await;
}
