//! Owns extensions of a session: how often they are given, and what follows the new end.

use casting_core::Report;
use casting_core::ids::SessionId;
use casting_core::ticket::EntryTicket;
use casting_core::time::{Clock, Timestamp};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::console_fields::Console;
use crate::test_stack::{Answer, Caller, TestStack};

/// What administrators may add at most, in seconds; tickets cover it.
const DAY: u64 = 86_400;

/// A session that is ready, of a link with these fields.
struct Running {
    stack: TestStack,
    id: SessionId,
    token: String,
}

impl Running {
    async fn with(fields: &Value) -> Self {
        let stack = TestStack::start().await;
        let cast = stack.cast(fields).await;
        let key = cast["key"].as_str().expect("a key");
        let claimed = stack.claim(Caller(1), key).await.json();
        let text = |field: &str| claimed[field].as_str().expect("a text").to_owned();
        let id = SessionId::parse(&text("session_id")).expect("an id");
        let token = text("session_token");
        let running = Self { stack, id, token };
        running.report(&Report::Ready { port: 9 }).await;
        running
    }

    async fn report(&self, report: &Report) -> Value {
        let keys = self.stack.local.control_plane.keys.sessions();
        let path = format!("/session/{}/reports", self.id);
        let request = self.stack.request(Method::POST, &path);
        let request = request.bearer_auth(keys.secret(&self.id).expose());
        Answer::of(request.json(report)).await.json()
    }

    async fn extend(&self, used: u32) -> Value {
        self.report(&Report::Extend { used }).await
    }

    /// What an administrator sees of it.
    async fn seen(&self) -> Value {
        let path = format!("sessions/{}", self.id);
        self.stack.admin(Method::GET, &path, None).await.json()
    }

    async fn ends_at(&self) -> Timestamp {
        let seen = self.seen().await;
        let ends_at = seen["ends_at"].as_str().expect("a time");
        Timestamp::parse(ends_at).expect("a time")
    }

    /// Until when the owner's ticket is good.
    async fn ticket_ends(&self) -> Timestamp {
        let path = format!("/session/{}/enter", self.id);
        let request = self.stack.request(Method::GET, &path);
        let answer = Answer::of(request.bearer_auth(&self.token)).await;
        let ticket = answer.header("location").split_once("ticket=");
        let ticket = ticket.expect("an entrance").1;
        let ticket = ticket.split('&').next().unwrap_or_default();
        let keys = &self.stack.local.control_plane.keys;
        let now = self.stack.clock.now();
        let (entry, _) = EntryTicket::open(ticket, keys.sessions(), now).expect("ours");
        entry.ticket.expires
    }
}

#[tokio::test]
async fn extension_is_given_once_for_each_press() {
    let fields = json!({"extensions_allowed": 2, "extension_minutes": 30});
    let running = Running::with(&fields).await;
    let alive = running.report(&Report::Alive).await;
    assert_eq!(
        alive["viewing"]["extension"],
        json!({"times": 2, "minutes": 30})
    );
    let (first, half_hour) = (running.ends_at().await, 1800);
    assert_eq!(
        running.ticket_ends().await,
        first.plus_seconds(2 * half_hour + DAY),
        "a ticket covers every extension"
    );
    // Two windows, an impatient visitor, and answers that were lost.
    let pressed = join_all((0..12).map(|_| running.extend(0))).await;
    assert!(pressed.iter().all(|told| told["extensions"] == 1));
    assert_eq!(running.ends_at().await, first.plus_seconds(half_hour));
    for (used, counted) in [(0, 1), (2, 1), (1, 2), (1, 2), (2, 2), (7, 2)] {
        let told = running.extend(used).await;
        assert_eq!(told["extensions"], counted, "{used}: {told}");
    }
    let end = first.plus_seconds(2 * half_hour);
    assert_eq!(running.ends_at().await, end);
    assert_eq!(running.ticket_ends().await, end.plus_seconds(DAY));
    assert_eq!(running.seen().await["extensions"], 2);

    let console = running.stack.local.control_plane.clone();
    for (until, state) in [(first, "ready"), (end, "ended")] {
        let now = running.stack.clock.now();
        running.stack.clock.advance(now.seconds_until(until));
        console.sweep().await.expect("sweeps");
        assert_eq!(running.seen().await["state"], state, "at {until}");
    }
    assert_eq!(running.seen().await["reason"], "time-limit");
    running.stack.local.stop().await;
}

#[tokio::test]
async fn link_without_extensions_gives_none() {
    let running = Running::with(&json!({"extension_minutes": 30})).await;
    let first = running.ends_at().await;
    let told = running.extend(0).await;
    assert_eq!(told["viewing"]["extension"], Value::Null);
    assert_eq!(told["extensions"], 0);
    assert_eq!(running.ends_at().await, first);
    assert_eq!(running.ticket_ends().await, first.plus_seconds(DAY));
    running.stack.local.stop().await;
}

#[tokio::test]
async fn administrator_extends_exactly_once_and_a_day_at_most() {
    let running = Running::with(&json!({})).await;
    let first = running.ends_at().await;
    let extend = async |document: Value| {
        let path = format!("sessions/{}/extend", running.id);
        let answer = running.stack.admin(Method::POST, &path, Some(&document));
        let answer = answer.await;
        (answer.status, answer.json())
    };
    let seen = json!({"minutes": 20, "ends_at": first.to_string()});
    // The same form sent by two windows, and again.
    let pressed = join_all((0..6).map(|_| extend(seen.clone()))).await;
    let done = pressed.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(done, 1, "{pressed:?}");
    assert!(
        pressed
            .iter()
            .all(|(status, _)| [200, 409].contains(status))
    );
    let second = first.plus_seconds(1200);
    assert_eq!(running.ends_at().await, second);
    let told = running.report(&Report::Alive).await;
    assert_eq!(told["added_seconds"], 1200, "the gate ends it then");
    let ticket = running.ticket_ends().await;
    assert_eq!(ticket, first.plus_seconds(DAY), "good from the start");

    for (document, status) in [
        (json!({}), 422),
        (json!({"minutes": 0}), 422),
        (json!({"minutes": 1441}), 422),
        (json!({"minutes": "ten"}), 422),
        (json!({"minutes": 1440}), 409),
        (json!({"minutes": 1420}), 200),
        (json!({"minutes": 1}), 409),
    ] {
        let (found, body) = extend(document.clone()).await;
        assert_eq!(found, status, "{document}: {body}");
    }
    let last = first.plus_seconds(DAY);
    assert_eq!(running.ends_at().await, last);
    assert_eq!(running.ticket_ends().await, last);
    let console = running.stack.local.control_plane.clone();
    for (until, state) in [(first, "ready"), (second, "ready"), (last, "ended")] {
        let now = running.stack.clock.now();
        running.stack.clock.advance(now.seconds_until(until));
        console.sweep().await.expect("sweeps");
        assert_eq!(running.seen().await["state"], state, "at {until}");
    }
    let (status, _) = extend(json!({"minutes": 5})).await;
    assert_eq!(status, 409, "it has ended");
    running.stack.local.stop().await;
}

#[tokio::test]
async fn sessions_of_a_link_or_a_class_are_extended_together() {
    let stack = TestStack::start().await;
    let link = stack.cast(&json!({"name": "Workshop"})).await;
    let other = stack.cast(&json!({"name": "Other"})).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let path = format!("casts/{}/invitations", text(&link["id"]));
    let guests = json!({"guests": [{"name": "Ann", "label": "Class 7b"}, {"name": "Ben"}]});
    let invited = stack.admin(Method::POST, &path, Some(&guests)).await.json();
    // One of a class, one of the link, one of another link; and one that is not ready.
    let mut running = Vec::new();
    for (n, cast, guest, is_ready) in [
        (1, &link, Some(0), true),
        (2, &link, Some(1), true),
        (3, &other, None, true),
        (4, &link, None, false),
    ] {
        let key = text(&cast["key"]);
        let query = guest.map(|guest| {
            let id = text(&invited["items"][guest]["id"]);
            format!("?invitation={id}")
        });
        let query = query.unwrap_or_default();
        let described = stack.describe(Caller(n), &key, &query).await;
        let claim = json!({"ticket": described.json()["ticket"]});
        let claimed = stack.claim_with(Caller(n), &key, &claim).await.json();
        let id = SessionId::parse(&text(&claimed["session_id"])).expect("an id");
        if is_ready {
            let keys = stack.local.control_plane.keys.sessions();
            let report = stack.request(Method::POST, &format!("/session/{id}/reports"));
            let report = report.bearer_auth(keys.secret(&id).expose());
            Answer::of(report.json(&Report::Ready { port: 9 })).await;
        }
        running.push(id);
    }
    let added = async || {
        let mut added = Vec::new();
        for id in &running {
            let path = format!("sessions/{id}");
            let seen = stack.admin(Method::GET, &path, None).await.json();
            added.push(seen["added_seconds"].as_u64().expect("a number"));
        }
        added
    };
    let ids: Vec<&str> = running.iter().map(SessionId::as_str).collect();
    for (document, status, expected) in [
        (
            json!({"minutes": 10, "search": "class 7b"}),
            200,
            [600, 0, 0, 0],
        ),
        (
            json!({"minutes": 1, "cast_id": link["id"]}),
            200,
            [660, 60, 0, 0],
        ),
        (json!({"minutes": 5, "ids": ids}), 200, [960, 360, 300, 0]),
        (
            json!({"minutes": 5, "search": "nobody"}),
            200,
            [960, 360, 300, 0],
        ),
        (json!({"minutes": 5}), 422, [960, 360, 300, 0]),
        (
            json!({"minutes": 5, "ids": ids, "search": "x"}),
            422,
            [960, 360, 300, 0],
        ),
        (
            json!({"minutes": 0, "search": "x"}),
            422,
            [960, 360, 300, 0],
        ),
    ] {
        let path = "session-extensions";
        let answer = stack.admin(Method::POST, path, Some(&document)).await;
        assert_eq!(answer.status, status, "{document}: {}", answer.text);
        assert_eq!(added().await, expected, "{document}");
        if document["ids"].is_array() && status == 200 {
            let problems = answer.json()["items"].as_array().expect("items").clone();
            let refused = problems.iter().filter(|one| one["problem"].is_string());
            assert_eq!(refused.count(), 1, "the one that is not ready");
        }
    }
    // Under an idempotency key, a request that is sent again extends nothing twice.
    for (key, expected) in [
        ("a", [1020, 360, 300, 0]),
        ("a", [1020, 360, 300, 0]),
        ("b", [1080, 360, 300, 0]),
        ("a", [1080, 360, 300, 0]),
    ] {
        let request = stack.request(Method::POST, "/api/admin/session-extensions");
        let document = json!({"minutes": 1, "search": "class 7b"});
        let request = request
            .header("idempotency-key", key)
            .bearer_auth(&stack.local.admin_key)
            .json(&document);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["items"][0]["problem"], Value::Null);
        assert_eq!(added().await, expected, "{key}");
    }
    // So does the console's form, which carries its own key.
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let page = console.page("/admin/extend-sessions?search=class+7b").await;
    let field = |name: &str| {
        let value = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
        let value = value.and_then(|rest| rest.split('"').next()).expect(name);
        (name.to_owned(), value.to_owned())
    };
    let mut fields = ["csrf_token", "search", "request_key"].map(field).to_vec();
    fields.push(("minutes".to_owned(), "1".to_owned()));
    for _ in 0..2 {
        let sent = console.send("/admin/extend-sessions", &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        assert_eq!(added().await, [1140, 360, 300, 0]);
    }
    stack.local.stop().await;
}
