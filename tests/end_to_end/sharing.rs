//! Owns sharing in the control plane: who gets a viewer's ticket, for how long, and the directives
//! for the gate.

use casting_core::Report;
use casting_core::ids::SessionId;
use casting_core::ticket::{EntryTicket, Role};
use casting_core::time::Clock;
use casting_tests::processes::soon;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Duration;

use crate::test_stack::{Answer, Caller, TestStack};

/// A session of a link with these fields, and the directives for its gate.
pub struct Shared {
    pub stack: TestStack,
    id: SessionId,
}

impl Shared {
    pub async fn with(fields: &Value) -> Self {
        let stack = TestStack::start().await;
        let cast = stack.cast(fields).await;
        let claimed = stack
            .claim(Caller(1), cast["key"].as_str().expect("a key"))
            .await
            .json();
        let id = claimed["session_id"]
            .as_str()
            .and_then(SessionId::parse)
            .expect("an id");
        Self { stack, id }
    }

    /// A session of this stack.
    pub fn of(stack: TestStack, id: &str) -> Self {
        let id = SessionId::parse(id).expect("an id");
        Self { stack, id }
    }

    pub async fn report(&self, report: &Report) -> Value {
        let secret = self
            .stack
            .local
            .control_plane
            .keys
            .sessions()
            .secret(&self.id);
        let request = self
            .stack
            .request(Method::POST, &format!("/session/{}/reports", self.id))
            .bearer_auth(secret.expose());
        Answer::of(request.json(report)).await.json()
    }

    /// Where this link leads: the path on our host, or the ticket.
    async fn open(&self, link: &str) -> (u16, String) {
        let path = link
            .strip_prefix(&self.stack.local.url)
            .expect("a link of ours");
        let answer = Answer::of(
            self.stack
                .request(Method::GET, path)
                .header("accept", "text/html"),
        )
        .await;
        (answer.status, answer.header("location").to_owned())
    }

    async fn refused(&self, link: &str) -> u16 {
        self.open(link).await.0
    }
}

#[tokio::test]
async fn share_link_works_until_revoked() {
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true});
    let shared = Shared::with(&fields).await;
    let directives = shared.report(&Report::Ready { port: 9 }).await;
    let link = directives["share_link"]
        .as_str()
        .expect("a link")
        .to_owned();
    assert_eq!(
        (
            directives["share_round"].as_u64(),
            directives["viewing"]["may_share"].as_bool()
        ),
        (Some(1), Some(true)),
        "{directives}"
    );
    let (status, entrance) = shared.open(&link).await;
    assert_eq!(status, 303);
    let text = entrance.split_once("ticket=").expect("a ticket").1;
    let keys = &shared.stack.local.control_plane.keys;
    let (entry, _) =
        EntryTicket::open(text, keys.sessions(), shared.stack.clock.now()).expect("ours");
    let ticket = entry.ticket;
    let watcher = ticket.watcher.expect("somebody");
    assert_eq!(
        (ticket.role, watcher.name.as_str(), watcher.round),
        (Role::Viewer, "Guest", 1)
    );
    assert_eq!(
        shared.report(&Report::Alive).await["share_link"],
        link.as_str(),
        "asking changes nothing"
    );

    assert_eq!(
        shared.refused(&format!("{link}0")).await,
        410,
        "another token"
    );
    assert_eq!(
        shared.report(&Report::Share { on: true }).await["share_link"],
        link.as_str(),
        "shared is shared"
    );
    assert_eq!(
        shared.report(&Report::Share { on: false }).await["share_link"],
        Value::Null
    );
    assert_eq!(shared.refused(&link).await, 410, "taken back");
    let again = shared.report(&Report::Share { on: true }).await;
    assert!(
        again["share_link"] != link.as_str() && again["share_round"] == 2,
        "{again}"
    );
    let link = again["share_link"].as_str().expect("a link").to_owned();
    assert_eq!(shared.open(&link).await.0, 303);
    shared
        .stack
        .admin(
            Method::POST,
            &format!("sessions/{}/stop", shared.id),
            Some(&json!({})),
        )
        .await;
    assert_eq!(shared.refused(&link).await, 410, "the session is over");
    shared.stack.local.stop().await;
}

#[tokio::test]
async fn viewers_need_a_login_unless_anonymous_is_allowed() {
    let shared = Shared::with(&json!({"enable_sharing": true})).await;
    let link = shared.report(&Report::Ready { port: 9 }).await["share_link"]
        .as_str()
        .expect("a link")
        .to_owned();
    let path = link
        .strip_prefix(&shared.stack.local.url)
        .expect("ours")
        .to_owned();
    let login = format!("/login?to={}", path.replace('/', "%2F"));
    assert_eq!(shared.open(&link).await, (303, login));
    let program = Answer::of(
        shared
            .stack
            .request(Method::GET, &path)
            .header("accept", "application/json"),
    )
    .await;
    assert_eq!(
        (program.status, program.code()),
        (401, "login-required".to_owned())
    );
    shared.stack.local.stop().await;
}

#[tokio::test]
async fn sharing_needs_permission_and_a_shareable_app() {
    let by_permission = json!({"enforce_client_settings": true, "client_settings": {"permissions": {"sharing": true}}});
    for (name, fields, at_start, may_share) in [
        (
            "the link shares",
            json!({"enable_sharing": true}),
            true,
            true,
        ),
        ("nobody says so", json!({}), false, false),
        ("the owner may", by_permission, false, true),
    ] {
        let shared = Shared::with(&fields).await;
        let directives = shared.report(&Report::Ready { port: 9 }).await;
        assert_eq!(
            (
                directives["share_link"].is_string(),
                directives["viewing"]["may_share"] == true
            ),
            (at_start, may_share),
            "{name}"
        );
        let on = shared.report(&Report::Share { on: true }).await;
        assert_eq!(on["share_link"].is_string(), may_share, "{name}");
        shared.stack.local.stop().await;
    }
    let stack = TestStack::start().await;
    let image = stack.image().await;
    let changed = stack
        .admin(
            Method::PATCH,
            &format!("images/{image}"),
            Some(&json!({"view_only": null})),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let document =
        json!({"name": "Test", "image_id": image, "allow_anonymous": true, "enable_sharing": true});
    let refused = stack.admin(Method::POST, "casts", Some(&document)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/enable_sharing",
        "{}",
        refused.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn viewers_are_disconnected_when_sharing_or_session_ends() {
    let stack = TestStack::with_processes().await;
    let image = stack.image().await;
    let watched = json!({"view_only": "rfb"});
    let path = format!("images/{image}");
    assert_eq!(
        stack
            .admin(Method::PATCH, &path, Some(&watched))
            .await
            .status,
        200
    );
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true});
    let cast = stack.cast(&fields).await;
    let key = cast["key"].as_str().expect("a key");
    for verb in ["unshare", "stop"] {
        let claimed = stack.claim(Caller(1), key).await.json();
        let id = claimed["session_id"].as_str().expect("an id");
        let session = format!("sessions/{id}");
        let is_ready =
            async || stack.admin(Method::GET, &session, None).await.json()["state"] == "ready";
        assert!(soon(is_ready).await, "{verb}");
        let watch = stack
            .admin(Method::POST, &format!("{session}/watch"), None)
            .await;
        let url = watch.json()["url"].as_str().expect("a way in").to_owned();
        let (host, rest) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .expect("a URL");
        let entered = stack.http.get(format!("{}/{rest}", stack.local.url));
        let entered = Answer::of(entered.header("host", host)).await;
        let cookie = entered
            .header("set-cookie")
            .split(';')
            .next()
            .expect("a cookie");
        let mut events = stack
            .http
            .get(format!("{}/.cast/events", stack.local.url))
            .header("host", host)
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer through edge and gate");
        assert_eq!(events.status(), 200, "{verb}");
        let first = events.chunk().await.expect("a stream");
        assert!(first.is_some(), "{verb}");
        let done = stack
            .admin(Method::POST, &format!("{session}/{verb}"), None)
            .await;
        assert_eq!(done.status, 200, "{}", done.text);
        // Broken off or ended in order, nothing more comes; long before the gate asks by itself,
        // which it does once a minute.
        let ended = tokio::time::timeout(Duration::from_secs(20), async {
            while let Ok(Some(_)) = events.chunk().await {}
        });
        ended.await.expect("an end");
    }
    stack.local.stop().await;
}
