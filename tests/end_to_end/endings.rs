//! Owns how sessions end, as the ledger and the visitor see it.

use casting_core::ids::SessionId;
use casting_core::{GateEndReason, Report};
use reqwest::Method;
use serde_json::json;

use crate::test_stack::{Caller, TestStack};

#[tokio::test]
async fn end_reasons_are_recorded_and_served_ones_not_refunded() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 9}))
        .await;
    let key = cast["key"].as_str().expect("a key");
    let control_plane = &stack.local.control_plane;
    for (n, because, reason) in [
        (1, Some(GateEndReason::TimeLimit), "time-limit"),
        (2, Some(GateEndReason::Abandoned), "abandoned"),
        (3, Some(GateEndReason::Idle), "idle"),
        (4, Some(GateEndReason::Owner), "ended-by-owner"),
        (5, Some(GateEndReason::Reclaimed), "reclaimed"),
        (6, Some(GateEndReason::NotEntered), "not-entered"),
        (7, Some(GateEndReason::UnattendedCpu), "unattended-cpu"),
        (8, None, "task-stopped"),
    ] {
        let id = stack.claim(Caller(n), key).await.json()["session_id"]
            .as_str()
            .and_then(SessionId::parse)
            .expect("an id");
        let secret = control_plane.keys.sessions().secret(&id);
        let tell = async |what: &serde_json::Value| {
            let request = stack
                .request(Method::POST, &format!("/session/{id}/reports"))
                .bearer_auth(secret.expose());
            request
                .json(what)
                .send()
                .await
                .expect("an answer")
                .status()
                .as_u16()
        };
        assert_eq!(
            tell(&json!(Report::Ready { port: 1 })).await,
            200,
            "{reason}"
        );
        let ended = json!(Report::Ended {
            exit_code: Some(143),
            because,
            said: None,
        });
        assert_eq!(
            (tell(&ended).await, tell(&ended).await),
            (204, 204),
            "{reason}: told twice"
        );
        control_plane.sweep().await.expect("sweeps");
        let seen = stack
            .admin(Method::GET, &format!("sessions/{id}"), None)
            .await
            .json();
        assert_eq!(seen["reason"], reason, "{seen}");
        assert_eq!(
            stack.remaining(&cast).await,
            9 - u64::from(n),
            "{reason}: served is served"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn limits_without_input_are_passed_to_the_gate() {
    let stack = TestStack::start().await;
    let cpu = json!({"window_seconds": 900, "cpu_units": 256});
    for (settings, idle, cpu) in [
        (json!({}), json!(null), json!(null)),
        (json!({"idle_minutes": 5}), json!(300), json!(null)),
        (json!({"unattended_cpu_minutes": 15}), json!(null), cpu),
    ] {
        let fields = json!({"enforce_client_settings": true, "client_settings": settings});
        let cast = stack.cast(&fields).await;
        let claimed = stack
            .claim(Caller(1), cast["key"].as_str().expect("a key"))
            .await
            .json();
        let id = claimed["session_id"]
            .as_str()
            .and_then(SessionId::parse)
            .expect("an id");
        let secret = stack.local.control_plane.keys.sessions().secret(&id);
        let report = stack
            .request(Method::POST, &format!("/session/{id}/reports"))
            .bearer_auth(secret.expose());
        let directives = crate::test_stack::Answer::of(report.json(&Report::Ready { port: 1 }))
            .await
            .json();
        assert_eq!(directives["idle_seconds"], idle, "{directives}");
        assert_eq!(directives["unattended_cpu"], cpu, "{directives}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn keepalive_is_passed_to_the_gate() {
    let stack = TestStack::start().await;
    let enforced =
        json!({"enforce_client_settings": true, "client_settings": {"keepalive_seconds": 600}});
    for (fields, seconds) in [(json!({}), "300"), (enforced, "600")] {
        let cast = stack.cast(&fields).await;
        let id = stack
            .claim(Caller(1), cast["key"].as_str().expect("a key"))
            .await
            .json()["session_id"]
            .clone();
        let tasks = stack.local.ecs.tasks();
        let task = tasks
            .iter()
            .find(|task| task["startedBy"] == id)
            .expect("its task");
        let environment = &task["overrides"]["containerOverrides"][0]["environment"];
        let told = environment.as_array().and_then(|all| {
            all.iter()
                .find(|one| one["name"] == "CAST_KEEPALIVE_SECONDS")
        });
        assert_eq!(
            told.map(|one| one["value"].clone()),
            Some(json!(seconds)),
            "{fields}: {environment}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn sweep_ends_sessions_that_are_not_entered() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let key = cast["key"].as_str().expect("a key");
    let mut sessions = Vec::new();
    for n in [1, 2] {
        let claimed = stack.claim(Caller(n), key).await;
        let said = |field: &str| claimed.json()[field].as_str().map(str::to_owned);
        let id = said("session_id").expect("an id");
        let token = said("session_token").expect("a ticket");
        let session = SessionId::parse(&id).expect("an id");
        let secret = stack.local.control_plane.keys.sessions().secret(&session);
        let report = stack
            .request(Method::POST, &format!("/session/{id}/reports"))
            .bearer_auth(secret.expose())
            .json(&Report::Ready { port: 1 });
        let directives = crate::test_stack::Answer::of(report).await.json();
        assert_eq!(directives["entry_timeout_seconds"], 300, "{directives}");
        sessions.push((id, token));
    }
    let (entered, token) = &sessions[0];
    let entry = stack
        .request(Method::GET, &format!("/session/{entered}/enter"))
        .bearer_auth(token);
    let entry = crate::test_stack::Answer::of(entry).await;
    assert!(
        entry.header("location").contains("/.cast/enter?"),
        "{}",
        entry.text
    );
    // The first look is the usual one; then the gates, which are none here, have had their time.
    for (after, reasons) in [
        (300, [json!(null), json!(null)]),
        (120, [json!(null), json!("not-entered")]),
    ] {
        stack.clock.advance(after);
        stack.local.control_plane.sweep().await.expect("sweeps");
        for ((id, _), reason) in sessions.iter().zip(reasons) {
            let seen = stack
                .admin(Method::GET, &format!("sessions/{id}"), None)
                .await;
            assert_eq!(
                seen.json()["reason"],
                reason,
                "after {after}: {}",
                seen.text
            );
        }
    }
    let seen = stack
        .admin(Method::GET, &format!("sessions/{entered}"), None)
        .await
        .json();
    assert!(seen["entered_at"].is_string(), "{seen}");
    stack.local.stop().await;
}

#[tokio::test]
async fn last_lines_are_shown_to_administrators_only() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let key = cast["key"].as_str().expect("a key");
    let claimed = stack.claim(Caller(1), key).await.json();
    let id = claimed["session_id"].as_str().expect("an id").to_owned();
    let session = SessionId::parse(&id).expect("an id");
    let secret = stack.local.control_plane.keys.sessions().secret(&session);
    let tell = async |what: &serde_json::Value| {
        let report = stack
            .request(Method::POST, &format!("/session/{id}/reports"))
            .bearer_auth(secret.expose());
        crate::test_stack::Answer::of(report.json(what)).await
    };
    let failed = json!({"is": "failed", "command": "go", "said":
        "it ended with exit status: 3 and said: \u{1b}[31mno such page"});
    tell(&json!(Report::Ready { port: 1 })).await;
    tell(&failed).await;
    tell(&failed).await;
    let ended = json!(Report::Ended {
        exit_code: Some(1),
        because: None,
        said: Some("\u{1b}[1mdesk\u{1b}[0m: <b>no</b> display\n".into()),
    });
    tell(&ended).await;
    let path = format!("sessions/{id}");
    let seen = stack.admin(Method::GET, &path, None).await.json();
    let expected = json!([
        {"by": "go", "text": "it ended with exit status: 3 and said: no such page"},
        {"by": "app", "text": "desk: <b>no</b> display"},
    ]);
    assert_eq!(
        (&seen["detail"], &seen["said"], &seen["log_url"]),
        (
            &json!("the app ended (exit code 1)"),
            &expected,
            &json!(null)
        )
    );
    let token = claimed["session_token"].as_str().expect("a token");
    for path in ["", "/status"] {
        let request = stack.request(Method::GET, &format!("/session/{id}{path}"));
        let told = crate::test_stack::Answer::of(request.bearer_auth(token)).await;
        assert!(
            [200, 410].contains(&told.status) && !told.text.contains("no such page"),
            "{path}: {} {}",
            told.status,
            told.text
        );
    }
    stack.local.stop().await;
}
