//! Owns invitations to a link: who comes in by one and who does not, what it changes, how its uses
//! are counted, given back and revoked, and where it is told whose it was.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::console_fields::{Console, form};
use crate::test_stack::{Answer, Caller, TestStack};

/// A stack with a link that is for invited visitors only.
struct Invited {
    stack: TestStack,
    cast: Value,
}

impl Invited {
    async fn with(fields: &Value) -> Self {
        let stack = TestStack::start().await;
        let mut all = json!({"invitation_required": true});
        for (name, value) in fields.as_object().expect("an object") {
            all[name] = value.clone();
        }
        let cast = stack.cast(&all).await;
        Self { stack, cast }
    }

    fn key(&self) -> &str {
        self.cast["key"].as_str().expect("a key")
    }

    fn path(&self, rest: &str) -> String {
        let id = self.cast["id"].as_str().expect("an id");
        format!("casts/{id}/{rest}")
    }

    /// Invites guests with these fields.
    async fn invite(&self, names: &[&str], fields: &Value) -> Vec<Value> {
        let guests: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        let mut document = fields.clone();
        document["guests"] = json!(guests);
        let path = self.path("invitations");
        let made = self.stack.admin(Method::POST, &path, Some(&document)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["items"].as_array().expect("items").clone()
    }

    async fn revoke(&self, invitation: &Value) {
        let path = self.path("invitation-revocations");
        let document = json!({"ids": [invitation["id"]]});
        let done = self.stack.admin(Method::POST, &path, Some(&document)).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(done.json()["items"][0]["problem"], Value::Null);
    }

    /// What the list says of an invitation.
    async fn seen(&self, invitation: &Value) -> Value {
        let path = self.path("invitations");
        let list = self.stack.admin(Method::GET, &path, None).await.json();
        let mut items = list["items"].as_array().expect("items").iter();
        let is_it = |item: &&Value| item["id"] == invitation["id"];
        items.find(is_it).expect("is listed").clone()
    }

    /// A program opens the link by an invitation and claims a session.
    async fn claim(&self, from: Caller, invitation: &Value) -> Answer {
        let id = invitation["id"].as_str().expect("an id");
        self.claim_by(from, &format!("?invitation={id}")).await
    }

    async fn claim_by(&self, from: Caller, query: &str) -> Answer {
        let described = self.stack.describe(from, self.key(), query).await;
        if described.status != 200 {
            return described;
        }
        let claim = json!({"ticket": described.json()["ticket"]});
        self.stack.claim_with(from, self.key(), &claim).await
    }

    async fn session(&self, claimed: &Answer) -> Value {
        let id = claimed.json()["session_id"].clone();
        let path = format!("sessions/{}", id.as_str().expect("an id"));
        self.stack.admin(Method::GET, &path, None).await.json()
    }
}

/// A page as a browser asks for it.
async fn page(stack: &TestStack, path: &str) -> Answer {
    let agent = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36";
    let request = stack.request(Method::GET, path);
    Answer::of(
        request
            .header("accept", "text/html")
            .header("user-agent", agent),
    )
    .await
}

#[tokio::test]
async fn link_by_invitation_refuses_everyone_else() {
    let invited = Invited::with(&json!({"contact": "helpdesk@example.com"})).await;
    let other = invited.stack.cast(&json!({"name": "Other"})).await;
    let ann = &invited.invite(&["Ann"], &json!({})).await[0];
    let nobody = format!("v{}", "a".repeat(26));
    for (name, query, code) in [
        ("without one", String::new(), "invitation-required"),
        (
            "an empty one",
            "?invitation=".to_owned(),
            "invitation-required",
        ),
        ("nonsense", "?invitation=x".to_owned(), "invitation-unknown"),
        (
            "nobody's",
            format!("?invitation={nobody}"),
            "invitation-unknown",
        ),
    ] {
        let answer = invited.claim_by(Caller(1), &query).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, code),
            "{name}"
        );
    }
    // On another link it is worth nothing, although that is open to all.
    let id = ann["id"].as_str().expect("an id");
    let key = other["key"].as_str().expect("a key");
    let query = format!("?invitation={id}");
    let elsewhere = invited.stack.describe(Caller(1), key, &query).await;
    assert_eq!(elsewhere.code(), "invitation-unknown");
    let shown = page(&invited.stack, &format!("/cast/{}", invited.key())).await;
    assert_eq!(shown.status, 403);
    assert!(shown.text.contains("This link is by invitation only"));
    assert!(shown.text.contains("helpdesk@example.com"), "the next step");
    let url = ann["url"].as_str().expect("an address");
    let path = url.strip_prefix(&invited.stack.local.url).expect("ours");
    let shown = page(&invited.stack, path).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains("Invitation for Ann"), "{}", shown.text);
    let claimed = invited.claim(Caller(1), ann).await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn invitation_is_used_as_often_as_it_says() {
    let invited = Invited::with(&json!({})).await;
    let fields = json!({"uses": 3, "label": "7b"});
    let class = &invited.invite(&["Class"], &fields).await[0];
    // A crowd with the same address.
    let crowd = (1..=12).map(|n| invited.claim(Caller(n), class));
    let answers = join_all(crowd).await;
    let given: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .collect();
    assert_eq!(given.len(), 3);
    for refused in answers.iter().filter(|answer| answer.status != 202) {
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (410, "invitation-used")
        );
    }
    let seen = invited.seen(class).await;
    assert_eq!((&seen["used"], &seen["state"]), (&json!(3), &json!("used")));
    // The page says so before anything is claimed.
    let id = class["id"].as_str().expect("an id");
    let opened = page(
        &invited.stack,
        &format!("/cast/{}?invitation={id}", invited.key()),
    )
    .await;
    assert_eq!(opened.status, 410);
    assert!(opened.text.contains("This invitation has been used"));
    // A session that never became ready gives its use back, once.
    let session = given[0].json()["session_id"].clone();
    let session = session.as_str().expect("an id");
    for _ in 0..2 {
        let path = format!("sessions/{session}/stop");
        let stopped = invited.stack.admin(Method::POST, &path, None).await;
        assert_eq!(stopped.status, 200, "{}", stopped.text);
    }
    // News of its task comes by itself.
    for _ in 0..100 {
        if invited.seen(class).await["used"] == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(invited.seen(class).await["used"], 2);
    // For a moment it is remembered that all were used.
    invited.stack.clock.advance(1);
    assert_eq!(invited.claim(Caller(20), class).await.status, 202);
    assert_eq!(invited.claim(Caller(21), class).await.status, 410);
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn revoked_invitation_gives_nothing_from_then_on() {
    let invited = Invited::with(&json!({})).await;
    let made = invited.invite(&["Ann", "Ben"], &json!({"uses": 5})).await;
    let (ann, ben) = (&made[0], &made[1]);
    let first = invited.claim(Caller(1), ann).await;
    let query = format!("?invitation={}", ann["id"].as_str().expect("an id"));
    // A page that is open while it is revoked.
    let open = invited
        .stack
        .describe(Caller(2), invited.key(), &query)
        .await;
    invited.revoke(ann).await;
    let late = json!({"ticket": open.json()["ticket"]});
    let late = invited
        .stack
        .claim_with(Caller(2), invited.key(), &late)
        .await;
    assert_eq!(
        (late.status, late.code().as_str()),
        (403, "invitation-unknown")
    );
    let again = invited.claim(Caller(1), ann).await;
    assert_eq!(again.code(), "invitation-unknown");
    let running = invited.session(&first).await;
    assert_ne!(running["state"], "ended", "its session goes on");
    let seen = invited.seen(ann).await;
    assert_eq!(
        (&seen["state"], &seen["used"]),
        (&json!("revoked"), &json!(1))
    );
    assert_eq!(
        invited.claim(Caller(3), ben).await.status,
        202,
        "the other is good"
    );
    invited.revoke(ann).await;
    let log = invited.stack.admin(Method::GET, "audit", None).await.json();
    let items = log["items"].as_array().expect("items");
    let told: Vec<_> = items
        .iter()
        .filter(|entry| entry["noun"] == "invitation")
        .collect();
    assert_eq!(
        told.len(),
        3,
        "two were made, and one was revoked once: {log}"
    );
    let id = ann["id"].as_str().expect("an id");
    assert!(!log.to_string().contains(id), "the log invites nobody");
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn invitation_is_changed_until_it_is_revoked() {
    let invited = Invited::with(&json!({})).await;
    let made = invited
        .invite(&["Ann", "Ben"], &json!({"label": "Class 7b"}))
        .await;
    let (ann, ben) = (&made[0], &made[1]);
    assert_eq!(invited.claim(Caller(1), ann).await.status, 202);
    assert_eq!(
        invited.claim(Caller(2), ann).await.code(),
        "invitation-used"
    );
    let path = invited.path("invitation-changes");
    let change = async |document: Value| {
        let sent = invited.stack.admin(Method::POST, &path, Some(&document));
        sent.await
    };
    let both = json!([ann["id"], ben["id"]]);
    let late = casting_core::testing::NOON.plus_seconds(86_400).to_string();
    for (name, document, pointer) in [
        ("no ids", json!({"uses": 2}), "/ids"),
        ("no uses", json!({"ids": both, "uses": 0}), "/uses"),
        (
            "a name for two",
            json!({"ids": both, "name": "Cy"}),
            "/name",
        ),
        (
            "an end in the past",
            json!({"ids": both, "expires_at": "2020-01-01T00:00:00Z"}),
            "/expires_at",
        ),
        (
            "its network",
            json!({"ids": both, "docker_network": "x"}),
            "/docker_network",
        ),
    ] {
        let refused = change(document).await;
        assert!(
            [409, 422].contains(&refused.status),
            "{name}: {}",
            refused.text
        );
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{name}");
    }
    let done = change(json!({"ids": both, "uses": 2, "expires_at": late})).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let seen = invited.seen(ann).await;
    assert_eq!(
        [&seen["uses"], &seen["used"], &seen["state"], &seen["label"]],
        [&json!(2), &json!(1), &json!("open"), &json!("Class 7b")]
    );
    assert_eq!(seen["expires_at"], late);
    assert_eq!(seen["url"], ann["url"], "its address stays");
    // For a moment it is remembered that all were used.
    invited.stack.clock.advance(1);
    assert_eq!(invited.claim(Caller(2), ann).await.status, 202);
    invited.revoke(ben).await;
    let done = change(json!({"ids": [ben["id"]], "uses": 9})).await;
    assert_eq!(done.json()["items"][0]["problem"], "It is revoked.");
    assert_eq!(invited.seen(ben).await["uses"], 2);

    // In the console by its form, in the administrator's time zone.
    let cookie = sign_in(&invited.stack, &invited.stack.local.admin_key).await;
    let console = Console {
        stack: &invited.stack,
        cookie: format!("{cookie}; cast-zone=Asia/Kolkata"),
    };
    let id = |of: &Value| of["id"].as_str().expect("an id").to_owned();
    let cast = id(&invited.cast);
    let edit = format!("/admin/casts/{cast}/edit-invitation");
    let page = console
        .page(&format!("{edit}?invitation={}", id(ann)))
        .await;
    let (action, mut fields) = form(&page);
    assert_eq!(action, edit);
    let of = |name: &str| fields.iter().position(|(known, _)| known == name);
    let (name, expires) = (
        of("name").expect("a name"),
        of("expires_at").expect("a time"),
    );
    assert_eq!(fields[expires].1, "2026-11-24T17:30:00");
    "Ann Smith".clone_into(&mut fields[name].1);
    "2026-11-25T00:00".clone_into(&mut fields[expires].1);
    let sent = console.send(&edit, &fields).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let seen = invited.seen(ann).await;
    assert_eq!(
        (&seen["name"], &seen["expires_at"]),
        (&json!("Ann Smith"), &json!("2026-11-24T18:30:00Z"))
    );
    let again = console.send(&edit, &fields).await;
    assert_eq!(again.status, 422, "another version: {}", again.text);

    let page = console.page(&format!("/admin/casts/{cast}/delete")).await;
    assert!(page.contains("Invitations deleted too: 2."), "{page}");
    let touched = invited.path("references");
    let touched = invited
        .stack
        .admin(Method::GET, &touched, None)
        .await
        .json();
    assert_eq!(touched["invitations"], 2, "{touched}");
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn invitation_expires_by_date_and_by_activation() {
    let invited = Invited::with(&json!({})).await;
    let now = casting_core::testing::NOON;
    let ends = now.plus_seconds(3600).to_string();
    let dated = &invited
        .invite(&["Ann"], &json!({"expires_at": ends, "uses": 9}))
        .await[0];
    let timed = json!({"activation_minutes": 10, "uses": 9});
    let timed = &invited.invite(&["Ben"], &timed).await[0];
    let url = timed["url"].as_str().expect("an address");
    let path = url.strip_prefix(&invited.stack.local.url).expect("ours");
    // A program that looks at the address, such as a mail scanner, begins nothing.
    let looked = invited.stack.get(path).await;
    assert_eq!(looked.status, 200);
    invited.stack.clock.advance(1800);
    assert_eq!(invited.seen(timed).await["opened_at"], Value::Null);
    assert_eq!(page(&invited.stack, path).await.status, 200);
    let opened = now.plus_seconds(1800);
    assert_eq!(invited.seen(timed).await["opened_at"], opened.to_string());
    invited.stack.clock.advance(599);
    assert_eq!(page(&invited.stack, path).await.status, 200);
    assert_eq!(invited.claim(Caller(1), timed).await.status, 202);
    invited.stack.clock.advance(1);
    let late = invited.claim(Caller(2), timed).await;
    assert_eq!(
        (late.status, late.code().as_str()),
        (410, "invitation-expired")
    );
    let seen = invited.seen(timed).await;
    assert_eq!(seen["state"], "expired");
    assert_eq!(seen["ends_at"], opened.plus_seconds(600).to_string());

    assert_eq!(invited.claim(Caller(3), dated).await.status, 202);
    invited.stack.clock.advance(1200);
    let late = invited.claim(Caller(4), dated).await;
    assert_eq!(
        (late.status, late.code().as_str()),
        (410, "invitation-expired")
    );
    // For a program, the claim is the first opening.
    let timed = json!({"activation_minutes": 1, "uses": 9});
    let timed = &invited.invite(&["Cy"], &timed).await[0];
    assert_eq!(invited.claim(Caller(5), timed).await.status, 202);
    invited.stack.clock.advance(60);
    assert_eq!(invited.claim(Caller(6), timed).await.status, 410);
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn invitation_changes_what_its_sessions_get() {
    let invited = Invited::with(&json!({"kasm_url": "https://link.example/"})).await;
    let stack = &invited.stack;
    let network = json!({"name": "lab", "subnets": ["subnet-1"], "security_groups": ["sg-1"]});
    stack.admin(Method::POST, "networks", Some(&network)).await;
    let group = json!({"name": "Guests", "client_settings": {"permissions": {"webcam": true}}});
    let group = stack
        .admin(Method::POST, "groups", Some(&group))
        .await
        .json();
    let fields = json!({"kasm_url": "own.example", "docker_network": "lab", "label": "Class-7b",
        "session_time_limit_seconds": 600, "group_id": group["id"]});
    let ann = &invited.invite(&["Ann"], &fields).await[0];
    let plain = &invited.invite(&["Ben"], &json!({})).await[0];
    let special = invited.claim(Caller(1), ann).await;
    let special = invited.session(&special).await;
    assert_eq!(special["kasm_url"], "https://own.example/");
    assert_eq!(special["network"], "lab");
    let permissions = special["permissions"].as_array().expect("a list");
    assert!(permissions.contains(&json!("webcam")));
    let mark = json!({"id": ann["id"], "name": "Ann", "label": "Class-7b"});
    assert_eq!(special["invitation"], mark);
    let keys = stack.local.control_plane.keys.sessions();
    let id = special["id"].as_str().expect("an id");
    let id = casting_core::ids::SessionId::parse(id).expect("an id");
    let report = stack.request(Method::POST, &format!("/session/{id}/reports"));
    let report = report.bearer_auth(keys.secret(&id).expose());
    Answer::of(report.json(&casting_core::Report::Ready { port: 9 })).await;
    let ready = stack
        .admin(Method::GET, &format!("sessions/{id}"), None)
        .await;
    let ready = ready.json();
    let time = |field: &str| {
        let text = ready[field].as_str().expect("a time");
        casting_core::time::Timestamp::parse(text).expect("a time")
    };
    assert_eq!(time("ends_at"), time("ready_at").plus_seconds(600));

    let usual = invited.claim(Caller(2), plain).await;
    let usual = invited.session(&usual).await;
    assert_eq!(usual["kasm_url"], "https://link.example/");
    assert_eq!(usual["network"], Value::Null);
    let permissions = usual["permissions"].as_array().expect("a list");
    assert!(!permissions.contains(&json!("webcam")));

    // Where it is told whose it was.
    let found = stack
        .admin(Method::GET, "sessions?search=class-7b", None)
        .await
        .json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    let export = stack.admin(Method::GET, "claims/export", None).await.text;
    let line = export.lines().find(|line| line.contains(",Ann,Class-7b"));
    assert!(line.is_some(), "{export}");
    for (field, value) in [
        ("group_id", json!(format!("g{}", "b".repeat(26)))),
        ("docker_network", json!("nowhere")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
    ] {
        let document = json!({"guests": [{"name": "Cy"}], field: value});
        let path = invited.path("invitations");
        let refused = stack.admin(Method::POST, &path, Some(&document)).await;
        assert_eq!(refused.status, 409, "{field}: {}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{field}"));
    }
    invited.stack.local.stop().await;
}

#[tokio::test]
async fn test_of_a_link_explains_an_invitation() {
    let invited = Invited::with(&json!({})).await;
    let fields = json!({"activation_minutes": 5, "label": "7b"});
    let ann = &invited.invite(&["Ann"], &fields).await[0];
    let ask = async |invitation: &Value| {
        let visit = json!({"address": "192.0.2.1", "invitation": invitation});
        let path = invited.path("trials");
        let told = invited.stack.admin(Method::POST, &path, Some(&visit)).await;
        let told = told.json();
        let steps = told["steps"].as_array().expect("steps").clone();
        let step = steps.iter().find(|step| step["rule"] == "invitation");
        step.expect("the rule").clone()
    };
    let none = ask(&Value::Null).await;
    assert_eq!(none["code"], "invitation-required");
    let good = ask(&ann["id"]).await;
    assert_eq!(good["passes"], true, "{good}");
    let because = good["because"].as_str().expect("a text");
    assert!(
        because.contains("Ann (7b)") && because.contains("5 minutes"),
        "{because}"
    );
    assert_eq!(
        invited.seen(ann).await["opened_at"],
        Value::Null,
        "a test opens nothing"
    );
    assert_eq!(invited.claim(Caller(1), ann).await.status, 202);
    assert_eq!(ask(&ann["id"]).await["code"], "invitation-used");
    // With its cast, invitations are gone.
    let id = invited.cast["id"].as_str().expect("an id");
    let deleted = invited
        .stack
        .admin(Method::DELETE, &format!("casts/{id}"), None)
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let ledger = invited.stack.ledger().await;
    assert!(
        !ledger.keys().any(|row| row.contains("invitation-")),
        "{:?}",
        ledger.keys()
    );
    invited.stack.local.stop().await;
}
