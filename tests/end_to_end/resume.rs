//! Owns how users get back into their own running session of a link, whatever has become of the link
//! since: by its page, as programs are told, and by a claim.

use casting_core::ids::SessionId;
use casting_core::session::Session;
use casting_core::testing::user;
use casting_core::user::User;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

const FORM: &str = "application/x-www-form-urlencoded";

fn key(cast: &Value) -> String {
    cast["key"].as_str().expect("a key").to_owned()
}

/// What one visitor meets at the three doors of a link.
struct Doors {
    page: Answer,
    described: Answer,
    claimed: Answer,
}

/// Who comes to a link: from where, and as whom.
#[derive(Clone, Copy)]
struct Guest<'a> {
    from: Caller,
    user: Option<&'a User>,
}

impl Guest<'_> {
    async fn get(&self, stack: &TestStack, path: &str, accept: &str) -> Answer {
        let request = stack.request(Method::GET, path).header("accept", accept);
        self.send(stack, request).await
    }

    async fn claim(&self, stack: &TestStack, key: &str, document: &Value) -> Answer {
        let request = stack.request(Method::POST, &format!("/cast/{key}/claims"));
        self.send(stack, request.json(document)).await
    }

    async fn send(&self, stack: &TestStack, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(user) = self.user {
            request = request.header("cookie", stack.login(user));
        }
        Answer::of(request.header("x-forwarded-for", self.from.address().to_string())).await
    }

    /// Page, description, and a claim with the ticket of the description, or with `ticket`.
    async fn visit(
        &self,
        stack: &TestStack,
        key: &str,
        query: &str,
        ticket: Option<&Value>,
    ) -> Doors {
        let page = self
            .get(stack, &format!("/cast/{key}{query}"), "text/html")
            .await;
        let described = self
            .get(
                stack,
                &format!("/api/casts/{key}{query}"),
                "application/json",
            )
            .await;
        let own = described.json()["ticket"].clone();
        let ticket = ticket.cloned().filter(|_| own.is_null()).unwrap_or(own);
        let document = json!({"ticket": ticket, "consent": true});
        let claimed = self.claim(stack, key, &document).await;
        Doors {
            page,
            described,
            claimed,
        }
    }
}

async fn row(stack: &TestStack, id: &str) -> Session {
    let id = SessionId::parse(id).expect("an id");
    let row = stack.local.control_plane.store.session(&id).await;
    row.expect("reads").expect("is there")
}

/// A link and what becomes of it once Ann has a session: the path and body of a change, and the code
/// that everybody else reads then.
struct Case {
    name: &'static str,
    made: Value,
    changed: Option<(&'static str, Value)>,
    code: Option<&'static str>,
}

fn cases(image: &str) -> Vec<Case> {
    let case = |name, made, changed, code| Case {
        name,
        made,
        changed,
        code,
    };
    let cast = |change: Value| Some(("", change));
    vec![
        case("open", json!({}), None, None),
        case(
            "sold out",
            json!({"limit_total_sessions": true, "sessions_remaining": 1}),
            None,
            Some("no-sessions-left"),
        ),
        case(
            "capped",
            json!({"max_live_sessions": 1}),
            None,
            Some("cast-busy"),
        ),
        case(
            "closed for maintenance",
            json!({}),
            cast(json!({"max_live_sessions": 0})),
            Some("maintenance"),
        ),
        case(
            "out of hours",
            json!({}),
            cast(json!({"open_hours": {"time_zone": "UTC", "spans": ["sun 09:00-10:00"]}})),
            Some("cast-closed"),
        ),
        case(
            "expired",
            json!({}),
            cast(json!({"valid_until": "2026-11-23T11:00:00Z"})),
            Some("cast-expired"),
        ),
        case(
            "disabled",
            json!({}),
            cast(json!({"enabled": false})),
            Some("unknown-cast"),
        ),
        case(
            "key rotated, with grace",
            json!({}),
            Some(("/key-rotations", json!({"grace_seconds": 3600}))),
            None,
        ),
        case(
            "an address that had its session",
            json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 3600}),
            None,
            Some("ip-limit"),
        ),
        case(
            "all of it",
            json!({"limit_total_sessions": true, "sessions_remaining": 1, "max_live_sessions": 1}),
            cast(
                json!({"enabled": false, "valid_until": "2026-11-23T11:00:00Z",
                "open_hours": {"time_zone": "UTC", "spans": ["sun 09:00-10:00"]}}),
            ),
            Some("unknown-cast"),
        ),
        case(
            "image disabled",
            json!({"image_id": image}),
            Some(("image", json!({"enabled": false}))),
            Some("image-unavailable"),
        ),
    ]
}

const QUERIES: [(&str, &[&str]); 4] = [
    ("", &[]),
    ("?kasm_url=example.com", &["kasm-url-unsupported"]),
    ("?kasm_url=http://localhost/", &["kasm-url-invalid"]),
    ("?docker_network=nowhere", &["docker-network-unchanged"]),
];

#[tokio::test]
async fn own_session_is_resumed_in_every_link_state() {
    let stack = TestStack::start().await;
    let settings = json!({"attempts_per_minute": 100_000});
    stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    let document = json!({"name": "Other", "container_image": "local/other", "cpu": 256, "memory": 512, "command": ["sleep", "600"]});
    let image = stack.admin(Method::POST, "images", Some(&document)).await;
    let image = image.json()["id"].as_str().expect("an id").to_owned();
    let (ann, ben) = (user(1), user(2));
    let owner = Guest {
        from: Caller(1),
        user: Some(&ann),
    };
    for Case {
        name,
        made,
        changed,
        code,
    } in cases(&image)
    {
        let mut fields =
            json!({"allow_resume": true, "allow_anonymous": true, "allow_dynamic_kasm_url": true});
        let more = made.as_object().expect("an object").clone();
        fields.as_object_mut().expect("an object").extend(more);
        let cast = stack.cast(&fields).await;
        let key = key(&cast);
        let first = owner.visit(&stack, &key, "", None).await.claimed;
        assert_eq!(first.status, 202, "{name}: {}", first.text);
        let id = first.json()["session_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let others = [
            Guest {
                from: Caller(1),
                user: Some(&ben),
            },
            Guest {
                from: Caller(1),
                user: None,
            },
        ];
        let mut tickets = Vec::new();
        for other in &others {
            let path = format!("/api/casts/{key}");
            let described = other.get(&stack, &path, "application/json").await;
            let ticket = described.json()["ticket"].clone();
            tickets.push((other, (!ticket.is_null()).then_some(ticket)));
        }
        if let Some((part, change)) = &changed {
            let (method, path) = match *part {
                "image" => (Method::PATCH, format!("images/{image}")),
                "/key-rotations" => (
                    Method::POST,
                    format!("casts/{}{part}", cast["id"].as_str().expect("an id")),
                ),
                _ => (
                    Method::PATCH,
                    format!("casts/{}", cast["id"].as_str().expect("an id")),
                ),
            };
            let answer = stack.admin(method, &path, Some(change)).await;
            assert!(answer.status < 300, "{name}: {}", answer.text);
        }
        stack.wait_until_running(&id).await;
        let before = stack.ledger().await;
        for (query, not_applied) in QUERIES {
            let name = format!("{name}, {query}");
            let doors = owner.visit(&stack, &key, query, None).await;
            assert_eq!(doors.page.status, 200, "{name}: {}", doors.page.text);
            let says = "Your session of this link is still running.";
            assert!(
                doors.page.text.contains(says),
                "{name}: {}",
                doors.page.text
            );
            let described = doors.described.json();
            assert_eq!(described["resume"]["session_id"], json!(id), "{name}");
            assert_eq!(described["needs"], json!([]), "{name}");
            assert_eq!(
                described["resume"]["not_applied"],
                json!(not_applied),
                "{name}"
            );
            let claimed = doors.claimed;
            assert_eq!(claimed.status, 202, "{name}: {}", claimed.text);
            let claimed = claimed.json();
            assert_eq!(claimed["session_id"], json!(id), "{name}");
            assert_eq!(
                claimed["resumed"]["not_applied"],
                json!(not_applied),
                "{name}"
            );
        }
        assert_eq!(
            stack.ledger().await,
            before,
            "{name}: a resume takes nothing"
        );
        for (other, ticket) in &tickets {
            let doors = other.visit(&stack, &key, "", ticket.as_ref()).await;
            let name = format!("{name}, logged in: {}", other.user.is_some());
            let described = doors.described.json();
            assert_eq!(described["resume"], Value::Null, "{name}");
            match code {
                Some(code) => assert_eq!(doors.claimed.code(), code, "{name}"),
                None => assert_ne!(doors.claimed.json()["session_id"], json!(id), "{name}"),
            }
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn own_session_is_resumed_in_a_full_or_closed_deployment() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"allow_anonymous": false, "allow_resume": true}))
        .await;
    let (key, ann, ben) = (key(&cast), user(1), user(2));
    let owner = Guest {
        from: Caller(1),
        user: Some(&ann),
    };
    let first = owner.visit(&stack, &key, "", None).await.claimed.json();
    for change in [
        json!({"max_sessions": 0}),
        json!({"max_sessions": 1}),
        json!({"budget_per_hour_cents": 1}),
    ] {
        stack.admin(Method::PATCH, "settings", Some(&change)).await;
        let again = owner.visit(&stack, &key, "", None).await;
        assert_eq!(again.page.status, 200, "{change}");
        assert_eq!(
            again.claimed.json()["session_id"],
            first["session_id"],
            "{change}"
        );
    }
    let change = json!({"max_sessions": 0});
    stack.admin(Method::PATCH, "settings", Some(&change)).await;
    let other = Guest {
        from: Caller(2),
        user: Some(&ben),
    };
    let refused = other.visit(&stack, &key, "", None).await;
    assert_eq!(refused.described.code(), "maintenance");
    stack.local.stop().await;
}

#[tokio::test]
async fn bans_referrers_and_attempts_apply_to_resumes() {
    let stack = TestStack::start().await;
    let ann = user(1);
    let owner = Guest {
        from: Caller(1),
        user: Some(&ann),
    };
    for (change, code) in [
        (json!({"banned_addresses": ["192.0.2.1"]}), "address-denied"),
        (
            json!({"restrict_to_referrers": ["acme.com"]}),
            "referrer-denied",
        ),
    ] {
        let cast = stack
            .cast(&json!({"allow_anonymous": false, "allow_resume": true}))
            .await;
        let key = key(&cast);
        let opened = owner.visit(&stack, &key, "", None).await;
        assert_eq!(opened.claimed.status, 202, "{}", opened.claimed.text);
        // That of the first claim finds its session, whatever has become of the link.
        let again = format!("/api/casts/{key}");
        let ticket = owner.get(&stack, &again, "application/json").await;
        let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
        let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let ticket = ticket.json()["ticket"].clone();
        let doors = owner.visit(&stack, &key, "", Some(&ticket)).await;
        assert_eq!(doors.described.code(), code);
        assert_eq!(doors.claimed.code(), code);
    }
    let cast = stack
        .cast(&json!({"allow_anonymous": false, "allow_resume": true}))
        .await;
    let key = key(&cast);
    let opened = owner.visit(&stack, &key, "", None).await;
    assert_eq!(opened.claimed.status, 202, "{}", opened.claimed.text);
    let change = json!({"attempts_per_minute": 1});
    stack.admin(Method::PATCH, "settings", Some(&change)).await;
    let path = format!("/api/casts/{key}");
    let limited = owner.get(&stack, &path, "application/json").await;
    assert!(
        limited.code() == "too-many-attempts" && !limited.header("retry-after").is_empty(),
        "{}",
        limited.text
    );
    stack.clock.advance(60);
    let again = owner.get(&stack, &path, "application/json").await;
    assert_eq!(again.status, 200, "{}", again.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn ended_session_is_not_resumed() {
    let stack = TestStack::start().await;
    let fields = json!({"allow_anonymous": false, "allow_resume": true,
        "limit_total_sessions": true, "sessions_remaining": 1});
    let cast = stack.cast(&fields).await;
    let (key, ann) = (key(&cast), user(1));
    let owner = Guest {
        from: Caller(1),
        user: Some(&ann),
    };
    let opened = owner.visit(&stack, &key, "", None).await;
    let id = opened.claimed.json()["session_id"].clone();
    let id = SessionId::parse(id.as_str().expect("an id")).expect("an id");
    let control_plane = &stack.local.control_plane;
    let secret = control_plane.keys.sessions().secret(&id);
    let ready = casting_core::Report::Ready { port: 1 };
    control_plane
        .report(&id, secret.expose(), ready, Caller(9).address())
        .await
        .expect("is ready");
    control_plane.end_as_administrator(&id).await.expect("ends");
    stack.clock.advance(casting_core::CHANGE_SECONDS);
    let doors = owner.visit(&stack, &key, "", None).await;
    assert_eq!(doors.described.code(), "no-sessions-left");
    assert_eq!(doors.page.status, 303, "{}", doors.page.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn unapplied_parameters_are_shown_after_a_resume() {
    let stack = TestStack::start().await;
    let image = stack.image().await;
    let go = json!({"exec_config": {"go": {"cmd": "true"}}});
    let changed = stack
        .admin(Method::PATCH, &format!("images/{image}"), Some(&go))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let fields =
        json!({"allow_anonymous": false, "allow_resume": true, "allow_dynamic_kasm_url": true});
    let cast = stack.cast(&fields).await;
    let (key, ann) = (key(&cast), user(1));
    let owner = Guest {
        from: Caller(1),
        user: Some(&ann),
    };
    let first = owner.visit(&stack, &key, "", None).await.claimed.json();
    let id = first["session_id"].as_str().expect("an id");
    let claim = async |query: &str, consent: &str| {
        let path = format!("/api/casts/{key}{query}");
        let described = owner.get(&stack, &path, "application/json").await.json();
        let form = format!(
            "ticket={}{consent}",
            described["ticket"].as_str().expect("a ticket")
        );
        let request = stack.request(Method::POST, &format!("/cast/{key}/claims"));
        let request = request.header("content-type", FORM).body(form);
        owner.send(&stack, request).await
    };
    // The owner's cookie is good for the session's pages only; a browser sends it there.
    let cookie = claim("", "").await.header("set-cookie").to_owned();
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let see = async |path: &str| {
        let request = stack.request(Method::GET, path).header("cookie", &cookie);
        Answer::of(request.header("accept", "text/html")).await
    };
    for ready in [false, true] {
        if ready {
            let control_plane = &stack.local.control_plane;
            let session = SessionId::parse(id).expect("an id");
            let secret = control_plane.keys.sessions().secret(&session);
            let report = casting_core::Report::Ready { port: 1 };
            control_plane
                .report(&session, secret.expose(), report, Caller(9).address())
                .await
                .expect("is ready");
        }
        for (query, consent, go, codes, words) in [
            ("", "", None, "", None),
            (
                "?kasm_url=example.com",
                "&consent=yes",
                Some("https://example.com/"),
                "",
                None,
            ),
            (
                "?kasm_url=example.org",
                "",
                Some("https://example.com/"),
                "",
                None,
            ),
            (
                "?kasm_url=http://localhost/&docker_network=lab",
                "",
                Some("https://example.com/"),
                "?not_applied=kasm-url-invalid,docker-network-unchanged",
                Some("The address in the link was not opened"),
            ),
        ] {
            let name = format!("{query}{consent}, ready: {ready}");
            let claimed = claim(query, consent).await;
            let location = format!("/session/{id}{codes}");
            assert_eq!(claimed.header("location"), location, "{name}");
            let opened = row(&stack, id).await.go.map(|go| go.url);
            if ready || go.is_some() {
                assert!(
                    opened.as_deref() == go || go.is_none(),
                    "{name}: {opened:?}"
                );
            }
            let page = see(&location).await;
            match words {
                Some(words) => {
                    assert_eq!(page.status, 200, "{name}");
                    assert!(page.text.contains(words), "{name}: {}", page.text);
                    assert!(
                        page.text.contains("a running session keeps its network"),
                        "{name}"
                    );
                }
                None => {
                    assert_eq!(page.status, if ready { 303 } else { 200 }, "{name}");
                    assert!(!page.text.contains("was not opened"), "{name}");
                }
            }
            let enter = format!("href=\"/session/{id}/enter\"");
            assert_eq!(
                page.text.contains(&enter),
                ready && words.is_some(),
                "{name}: without scripting a link leads on"
            );
        }
    }
    stack.local.stop().await;
}
