//! Owns pools from end to end: they fill, their sessions are given away and replaced, and whatever
//! a visitor cannot be given costs them nothing.

use casting_core::Report;
use casting_core::ids::SessionId;
use casting_core::time::Clock;
use casting_tests::processes::{soon, with_environment};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::captcha::solve;
use crate::test_stack::{Caller, TestStack};

/// The pool of the demo image.
async fn demo_pool(stack: &TestStack) -> String {
    let pools = stack
        .admin(Method::GET, "staging-configs", None)
        .await
        .json();
    pools["items"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("a pool: {pools}"))
        .to_owned()
}

async fn see(stack: &TestStack, pool: &str) -> Value {
    let answer = stack
        .admin(Method::GET, &format!("staging-configs/{pool}/pool"), None)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn session(stack: &TestStack, id: &str) -> Value {
    stack
        .admin(Method::GET, &format!("sessions/{id}"), None)
        .await
        .json()
}

/// The ids of the sessions that wait, the oldest first.
fn waiting(pool: &Value) -> Vec<String> {
    pool["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

async fn keep(stack: &TestStack, pool: &str, desired: u32) {
    let change = json!({"desired_sessions": desired});
    let answer = stack
        .admin(
            Method::PATCH,
            &format!("staging-configs/{pool}"),
            Some(&change),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// Rounds until so many are ready and nothing else waits.
async fn fill(stack: &TestStack, pool: &str, ready: u32) -> Value {
    let is_full = async || {
        stack.local.control_plane.refill().await.expect("a round");
        let seen = see(stack, pool).await;
        seen["ready"] == ready && seen["starting"] == 0
    };
    assert!(soon(is_full).await, "{}", see(stack, pool).await);
    stack.local.control_plane.forget();
    see(stack, pool).await
}

async fn claim(stack: &TestStack, cast: &Value) -> Value {
    let claimed = stack
        .claim(Caller(1), cast["key"].as_str().expect("a key"))
        .await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    claimed.json()
}

#[tokio::test]
async fn pool_fills_assigns_and_replaces_sessions() {
    let stack = TestStack::with_processes().await;
    let pool = demo_pool(&stack).await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 5}))
        .await;
    let first = waiting(&fill(&stack, &pool, 1).await).remove(0);
    let row = session(&stack, &first).await;
    assert_eq!(
        (
            &row["cast_id"],
            &row["owner"]["kind"],
            &row["pool"]["place"]
        ),
        (&json!(null), &json!("nobody"), &json!("waiting"))
    );

    let claimed = claim(&stack, &cast).await;
    assert_eq!(
        (claimed["session_id"].as_str(), claimed["state"].as_str()),
        (Some(first.as_str()), Some("ready")),
        "{claimed}"
    );
    let row = session(&stack, &first).await;
    assert_eq!(
        (&row["pool"]["place"], &row["cast_id"]),
        (&json!("assigned"), &cast["id"]),
        "{row}"
    );
    assert_eq!(stack.remaining(&cast).await, 4);

    let second = waiting(&fill(&stack, &pool, 1).await).remove(0);
    assert_ne!(second, first, "another one takes its place");
    for process in with_environment(&second) {
        let _ = kill(Pid::from_raw(process as i32), Signal::SIGKILL);
    }
    assert!(
        soon(async || session(&stack, &second).await["state"] == "ended").await,
        "{}",
        session(&stack, &second).await
    );
    let third = waiting(&fill(&stack, &pool, 1).await).remove(0);

    // A session whose gate does not answer is not assigned: the visitor gets another, and the link
    // counts once.
    for process in with_environment(&third) {
        let _ = kill(Pid::from_raw(process as i32), Signal::SIGSTOP);
    }
    let claimed = claim(&stack, &cast).await;
    let other = claimed["session_id"].as_str().expect("an id").to_owned();
    assert_ne!(other, third);
    assert_eq!(
        (
            &session(&stack, &other).await["pool"]["place"],
            stack.remaining(&cast).await
        ),
        (&json!("missed"), json!(3))
    );
    for process in with_environment(&third) {
        let _ = kill(Pid::from_raw(process as i32), Signal::SIGKILL);
    }

    keep(&stack, &pool, 2).await;
    let before = waiting(&fill(&stack, &pool, 2).await);
    keep(&stack, &pool, 1).await;
    assert!(
        before.contains(&waiting(&fill(&stack, &pool, 1).await)[0]),
        "only what is too many is stopped"
    );
    let last = waiting(&see(&stack, &pool).await).remove(0);
    assert_eq!(
        stack
            .admin(Method::DELETE, &format!("staging-configs/{pool}"), None)
            .await
            .status,
        204
    );
    assert!(
        soon(async || session(&stack, &last).await["state"] == "ended").await,
        "a pool that is gone keeps nothing"
    );
    assert_eq!(session(&stack, &last).await["reason"], "not-needed");
    Box::pin(stack.local.stop()).await;
}

#[tokio::test]
async fn expired_staged_sessions_are_replaced_misfits_not_used() {
    let stack = TestStack::start().await;
    let pool = demo_pool(&stack).await;
    stack.local.control_plane.refill().await.expect("a round");
    let old = waiting(&see(&stack, &pool).await).remove(0);
    let secret = stack
        .local
        .control_plane
        .keys
        .sessions()
        .secret(&SessionId::parse(&old).expect("an id"));
    let report = stack
        .request(Method::POST, &format!("/session/{old}/reports"))
        .bearer_auth(secret.expose())
        .json(&Report::Ready { port: 1 });
    assert_eq!(
        report.send().await.expect("an answer").status().as_u16(),
        200
    );
    stack.local.control_plane.forget();

    let other = stack.cast(&json!({"enforce_client_settings": true, "client_settings": {"permissions": {"uploads": false}}})).await;
    let cold = claim(&stack, &other).await;
    assert_eq!(
        session(&stack, cold["session_id"].as_str().expect("an id")).await["pool"],
        json!(null),
        "the pool is not for them"
    );
    assert_eq!(
        see(&stack, &pool).await["ready"],
        1,
        "and keeps what it has"
    );

    stack.clock.advance(24 * 3600);
    stack.local.control_plane.refill().await.expect("a round");
    let seen = see(&stack, &pool).await;
    assert_eq!(
        (seen["starting"].as_u64(), waiting(&seen).contains(&old)),
        (Some(1), false),
        "{seen}"
    );
    assert_eq!(session(&stack, &old).await["reason"], "unused");

    // The new one is never ready: it is ended, and the pool takes a rest.
    let new = waiting(&seen).remove(0);
    stack.clock.advance(3600);
    let is_ended = async || {
        stack.local.control_plane.sweep().await.expect("a sweep");
        session(&stack, &new).await["state"] == "ended"
    };
    assert!(soon(is_ended).await, "{}", session(&stack, &new).await);
    assert_eq!(
        see(&stack, &pool).await["refusal"],
        "It was not ready in time."
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn failing_pool_pauses_longer_until_its_config_changes() {
    let stack = TestStack::with_processes().await;
    let image = json!({"name": "Falls", "container_image": "local/falls", "command": ["sh", "-c", "exit 3"], "cpu": 256, "memory": 512});
    let image = stack
        .admin(Method::POST, "images", Some(&image))
        .await
        .json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let document = json!({"name": "Falls", "image_id": image, "desired_sessions": 3});
    let pool = stack
        .admin(Method::POST, "staging-configs", Some(&document))
        .await
        .json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let started = async || {
        stack
            .local
            .control_plane
            .refill()
            .await
            .expect("a round")
            .started
    };
    // So many start, all of them fall, and the pool pauses for so many seconds.
    for (round, pause) in [(1, 30), (2, 60)] {
        stack.clock.advance(1);
        let failed = stack.clock.now();
        assert!(started().await >= 3, "in round {round}");
        assert!(
            soon(async || see(&stack, &pool).await["starting"] == 0).await,
            "{}",
            see(&stack, &pool).await
        );
        assert!(
            soon(async || !see(&stack, &pool).await["paused_until"].is_null()).await,
            "{}",
            see(&stack, &pool).await
        );
        let seen = see(&stack, &pool).await;
        assert_eq!(
            seen["paused_until"],
            json!(failed.plus_seconds(pause).to_string()),
            "three that fall are one reason to wait: {seen}"
        );
        assert!(
            seen["refusal"]
                .as_str()
                .is_some_and(|why| why.contains("exit code 3")),
            "{seen}"
        );
        assert_eq!(started().await, 0);
        stack.clock.advance(pause);
    }
    stack.clock.advance(1);
    let until = json!(stack.clock.now().plus_seconds(120).to_string());
    assert!(started().await >= 3);
    assert!(
        soon(async || {
            let seen = see(&stack, &pool).await;
            seen["starting"] == 0 && seen["paused_until"] == until
        })
        .await,
        "{}",
        see(&stack, &pool).await
    );
    assert_eq!(started().await, 0);
    stack.clock.advance(1);
    let mended = stack
        .admin(
            Method::PATCH,
            &format!("images/{image}"),
            Some(&json!({"command": ["sh", "-c", "sleep 600"]})),
        )
        .await;
    assert_eq!(mended.status, 200, "{}", mended.text);
    stack.local.control_plane.forget();
    assert_eq!(see(&stack, &pool).await["paused_until"], json!(null));
    assert_eq!(started().await, 3, "whoever has mended it does not wait");
    Box::pin(stack.local.stop()).await;
}

#[tokio::test]
async fn pool_budget_needs_a_price() {
    let stack = TestStack::start().await;
    let own = stack
        .admin(
            Method::POST,
            "images",
            Some(&json!({"name": "Own", "task_definition": "own:1"})),
        )
        .await
        .json();
    let document = json!({"name": "Own", "image_id": own["id"], "daily_budget_cents": 100});
    let refused = stack
        .admin(Method::POST, "staging-configs", Some(&document))
        .await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["pointer"]),
        (422, &json!("/daily_budget_cents")),
        "{}",
        refused.text
    );
    let demo = json!({"name": "Demo", "image_id": stack.image().await, "daily_budget_cents": 100});
    let made = stack
        .admin(Method::POST, "staging-configs", Some(&demo))
        .await
        .json();
    let id = made["id"].as_str().expect("an id");
    let seen = see(&stack, id).await;
    assert!(
        seen["cost_per_hour_cents"]
            .as_f64()
            .is_some_and(|cents| cents > 1.0)
            && seen["spent_today_cents"] == 0.0,
        "{seen}"
    );

    // Nor does it come back by taking back that it went.
    let path = format!("staging-configs/{id}");
    for change in [
        json!({"daily_budget_cents": null}),
        json!({"image_id": own["id"]}),
    ] {
        stack.clock.advance(1);
        assert_eq!(
            stack
                .admin(Method::PATCH, &path, Some(&change))
                .await
                .status,
            200
        );
    }
    let told = stack
        .admin(Method::GET, &format!("audit?target={id}"), None)
        .await
        .json();
    let undone = stack
        .admin(
            Method::POST,
            &format!(
                "audit/{}/undo",
                told["items"][1]["id"].as_str().expect("an id")
            ),
            None,
        )
        .await;
    assert_eq!(
        (undone.status, &undone.json()["errors"][0]["pointer"]),
        (422, &json!("/daily_budget_cents")),
        "{}",
        undone.text
    );
    assert_eq!(
        stack.admin(Method::GET, &path, None).await.json()["daily_budget_cents"],
        json!(null)
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn staged_session_goes_to_a_visitor_whose_tier_fits() {
    let stack = TestStack::with_processes().await;
    let pool = demo_pool(&stack).await;
    let network = json!({"name": "offline", "subnets": ["subnet-1"], "security_groups": ["sg-2"]});
    let made = stack.admin(Method::POST, "networks", Some(&network)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let cast = stack
        .cast(&json!({"access_tiers": [
            {"proof": "captcha", "session_time_limit_seconds": 600},
            {"proof": "any", "network": "offline"},
        ]}))
        .await;
    let key = cast["key"].as_str().expect("a key");
    let claim = async |solves: bool| {
        let described = stack.describe(Caller(1), key, "").await.json();
        let proof = solves.then(|| solve(&described));
        let claim = json!({"ticket": described["ticket"], "captcha": proof});
        let claimed = stack.claim_with(Caller(1), key, &claim).await.json();
        let id = claimed["session_id"].as_str().map(str::to_owned);
        let id = id.unwrap_or_else(|| panic!("{claimed}"));
        let seen = session(&stack, &id).await;
        (id, seen["network"].clone(), seen["pool"]["place"].clone())
    };
    let in_usual = waiting(&fill(&stack, &pool, 1).await).remove(0);
    let (id, network, place) = claim(false).await;
    assert_ne!(id, in_usual, "it runs in another network");
    assert_eq!((network, place), (json!("offline"), Value::Null));
    let (id, network, place) = claim(true).await;
    assert_eq!(
        (id, network, place),
        (in_usual, Value::Null, json!("assigned"))
    );

    let change = json!({"network": "offline"});
    let path = format!("staging-configs/{pool}");
    let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let offline = waiting(&fill(&stack, &pool, 1).await).remove(0);
    let (id, network, place) = claim(true).await;
    assert_ne!(id, offline, "it runs in the usual network");
    assert_eq!((network, place), (Value::Null, Value::Null));
    let (id, network, place) = claim(false).await;
    assert_eq!(
        (id, network, place),
        (offline, json!("offline"), json!("assigned"))
    );
    stack.local.stop().await;
}
