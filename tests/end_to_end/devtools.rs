//! Owns who is given the DevTools of a session, by the image, the permissions and the state of the
//! session.

use casting_core::Report;
use casting_core::ids::SessionId;
use casting_core::session_origin::SessionOrigin;
use casting_core::ticket::{Role, SessionTicket};
use casting_tests::processes::soon;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

/// A claimed session, as its program knows it.
struct Claimed {
    id: SessionId,
    token: String,
}

impl Claimed {
    async fn from(stack: &TestStack, cast: &Value) -> Self {
        let key = cast["key"].as_str().expect("a key");
        let claimed = stack.claim(Caller(1), key).await.json();
        let text = |name: &str| claimed[name].as_str().expect(name).to_owned();
        Self {
            id: SessionId::parse(&text("session_id")).expect("an id"),
            token: text("session_token"),
        }
    }

    async fn ask(&self, stack: &TestStack, method: Method, what: &str) -> Answer {
        let path = format!("/session/{}/{what}", self.id);
        let request = stack.request(method, &path).bearer_auth(&self.token);
        Answer::of(request.header("accept", "application/json")).await
    }

    /// Its gate says that it is ready, at this port.
    async fn is_ready(&self, stack: &TestStack, port: u16) {
        let secret = stack.local.control_plane.keys.sessions().secret(&self.id);
        let path = format!("/session/{}/reports", self.id);
        let ready = async || {
            let report = stack.request(Method::POST, &path);
            let report = report
                .bearer_auth(secret.expose())
                .json(&Report::Ready { port });
            Answer::of(report).await.status == 200
        };
        assert!(soon(ready).await, "is ready");
    }
}

/// An image with these fields over the demo image's.
async fn image(stack: &TestStack, name: &str, port: Option<u16>) -> Value {
    let fields = json!({
        "name": name, "container_image": "casting/demo-app", "command": ["demo-app"],
        "cpu": 256, "memory": 512, "app_devtools_port": port,
    });
    let made = stack.admin(Method::POST, "images", Some(&fields)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].clone()
}

#[tokio::test]
async fn devtools_need_a_port_every_permission_and_a_ready_session() {
    let stack = TestStack::start().await;
    let (with, without) = (
        image(&stack, "With", Some(9222)).await,
        image(&stack, "Without", None).await,
    );
    let forbids = |permission: &str| json!({"enforce_client_settings": true, "client_settings": {"permissions": {permission: false}}});
    for (name, image, fields, given) in [
        ("all allowed", &with, json!({}), true),
        ("no sound", &with, forbids("audio"), true),
        ("no port", &without, json!({}), false),
        ("no downloads", &with, forbids("downloads"), false),
        ("no uploads", &with, forbids("uploads"), false),
        ("nothing in", &with, forbids("clipboard_up"), false),
        ("nothing out", &with, forbids("clipboard_down"), false),
    ] {
        let mut fields = fields;
        fields["image_id"] = image.clone();
        let claimed = Claimed::from(&stack, &stack.cast(&fields).await).await;
        let early = claimed.ask(&stack, Method::POST, "devtools").await;
        let code = if given {
            "busy"
        } else {
            "devtools-unavailable"
        };
        assert_eq!(early.code(), code, "{name}, early: {}", early.text);
        claimed.is_ready(&stack, 9).await;
        let status = claimed.ask(&stack, Method::GET, "status").await.json();
        assert_eq!(
            status["devtools_url"].is_string(),
            given,
            "{name}: {status}"
        );
        let answer = claimed.ask(&stack, Method::POST, "devtools").await;
        if given {
            assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        } else {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, code),
                "{name}"
            );
        }
        let path = format!("sessions/{}", claimed.id);
        let seen = stack.admin(Method::GET, &path, None).await.json();
        assert_eq!(seen["entered_at"].is_string(), given, "{name}: {seen}");
        assert_eq!(claimed.ask(&stack, Method::POST, "end").await.status, 200);
        let late = claimed.ask(&stack, Method::POST, "devtools").await;
        let code = if given { "session-ended" } else { code };
        assert_eq!(late.code(), code, "{name}, late: {}", late.text);
    }
}

#[tokio::test]
async fn token_for_devtools_is_the_owners_for_nothing_else() {
    let stack = TestStack::start().await;
    let image = image(&stack, "With", Some(9222)).await;
    let claimed = Claimed::from(&stack, &stack.cast(&json!({"image_id": image})).await).await;
    claimed.is_ready(&stack, 9).await;
    let access = claimed.ask(&stack, Method::POST, "devtools").await.json();
    let token = access["token"].as_str().expect("a token");
    let keys = stack.local.control_plane.keys.sessions();
    let now = stack.local.control_plane.clock.now();
    let (ticket, _) = SessionTicket::open(token, keys, now).expect("ours");
    assert_eq!(
        (ticket.session, ticket.role, ticket.origin, ticket.port),
        (
            claimed.id.clone(),
            Role::Owner,
            Some(SessionOrigin::Devtools),
            9
        )
    );
    assert_eq!(access["expires_at"], json!(ticket.expires.to_string()));
    let status = format!("/session/{}/status", claimed.id);
    for (name, path) in [
        ("the session", status.as_str()),
        ("the API", "/api/admin/me"),
    ] {
        let request = stack.request(Method::GET, path).bearer_auth(token);
        let answer = Answer::of(request.header("accept", "application/json")).await;
        assert!(
            [401, 403].contains(&answer.status),
            "{name}: {}",
            answer.text
        );
    }
}
