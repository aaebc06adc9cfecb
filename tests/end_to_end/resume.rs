//! Owns how users get back into their own running session of a link, whatever has become of the
//! link since: by its page, its description and a claim.

use std::collections::BTreeMap;

use casting_core::ids::SessionId;
use casting_core::session::Session;
use casting_core::testing::user;
use casting_core::user::User;
use reqwest::{Method, RequestBuilder};
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

/// A link and what becomes of it once Ann has a session: the path and body of a change, and the
/// code that all other visitors get then.
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
            "by invitation only",
            json!({}),
            cast(json!({"invitation_required": true})),
            Some("invitation-required"),
        ),
        case(
            "out of its budget",
            json!({}),
            cast(json!({"budget_per_hour_cents": 1})),
            Some("link-budget-reached"),
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
        json!({"maintenance": true, "maintenance_message": "We are moving."}),
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
    let change = json!({"max_sessions": 0, "maintenance": false});
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
    control_plane
        .end_as_administrator(&id, None)
        .await
        .expect("ends");
    stack.clock.advance(casting_core::CHANGE_SECONDS);
    let doors = owner.visit(&stack, &key, "", None).await;
    assert_eq!(doors.described.code(), "no-sessions-left");
    assert_eq!(doors.page.status, 410, "{}", doors.page.text);
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

/// A browser without a login: it keeps the cookies that it gets.
struct Browser<'a> {
    stack: &'a TestStack,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    const fn new(stack: &'a TestStack) -> Self {
        Self {
            stack,
            cookies: BTreeMap::new(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let request = self
            .stack
            .request(method, path)
            .header("accept", "text/html");
        let request = request.header("user-agent", "Mozilla/5.0 Chrome/140.0.0.0");
        request.header("cookie", pairs.collect::<Vec<_>>().join("; "))
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().expect("text").split(';').next();
            let (name, value) = pair
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    async fn open(&mut self, path: &str) -> Answer {
        let answer = Answer::of(self.request(Method::GET, path)).await;
        self.keep(&answer);
        answer
    }

    /// Sends the form of this page; returns where it leads.
    async fn send(&mut self, key: &str, page: &Answer) -> String {
        let answer = Answer::of(self.form(key, page)).await;
        self.keep(&answer);
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header("location").to_owned()
    }

    fn form(&self, key: &str, page: &Answer) -> RequestBuilder {
        let (_, ticket) = page
            .text
            .split_once("name=\"ticket\" value=\"")
            .expect("a ticket");
        let ticket = ticket.split('"').next().expect("its end");
        self.request(Method::POST, &format!("/cast/{key}/claims"))
            .form(&[("ticket", ticket)])
    }
}

#[tokio::test]
async fn anonymous_browser_finds_its_own_session() {
    let stack = TestStack::start().await;
    for (mode, offered, starts) in [
        ("off", false, true),
        ("ask", true, false),
        ("always", false, true),
    ] {
        let cast = stack.cast(&json!({"anonymous_resume": mode})).await;
        let key = cast["key"].as_str().expect("a key");
        let link = format!("/cast/{key}");
        let mut browser = Browser::new(&stack);
        let page = browser.open(&link).await;
        assert!(page.text.contains(" data-auto"), "{mode}: {}", page.text);
        let first = browser.send(key, &page).await;

        let page = browser.open(&link).await;
        assert_eq!(
            page.text.contains("You have one open since"),
            offered,
            "{mode}"
        );
        assert_eq!(page.text.contains(" data-auto"), starts, "{mode}");
        let again = browser.send(key, &page).await;
        assert_eq!(again == first, mode != "off", "{mode}: {first} {again}");

        let page = browser.open(&format!("{link}?another=yes")).await;
        assert!(page.text.contains(" data-auto"), "{mode}: {}", page.text);
        let another = browser.send(key, &page).await;
        assert!(another != first && another != again, "{mode}: {another}");

        let mut other = Browser::new(&stack);
        let page = other.open(&link).await;
        assert!(!page.text.contains("You have one open since"), "{mode}");
        assert_ne!(other.send(key, &page).await, another, "{mode}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn ended_anonymous_session_is_followed_by_another() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"anonymous_resume": "always"})).await;
    let key = cast["key"].as_str().expect("a key");
    let link = format!("/cast/{key}");
    let mut browser = Browser::new(&stack);
    let mut seen = Vec::new();
    for round in 0..3 {
        let page = browser.open(&link).await;
        let session = browser.send(key, &page).await;
        assert!(!seen.contains(&session), "{round}: {session}");
        let end = browser.request(Method::POST, &format!("{session}/end"));
        let cookie = browser
            .cookies
            .iter()
            .find(|(name, _)| session.ends_with(&name[5..]));
        assert!(cookie.is_some(), "the owner's cookie");
        assert_eq!(Answer::of(end).await.status, 303);
        seen.push(session);
        if round == 1 {
            // An answer that was lost: the browser still names the session before.
            browser
                .cookies
                .retain(|name, _| !name.starts_with("cast-own-"));
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn cookies_of_many_links_fit_into_a_request() {
    let stack = TestStack::start().await;
    let settings = json!({"attempts_per_minute": 100_000});
    stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    // In the order in which the browser got them, as browsers send them.
    let mut jar = vec![("cast-probe".to_owned(), "yes".to_owned())];
    let sent = |jar: &[(String, String)]| {
        let pairs = jar.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    };
    let ask = async |method: Method, path: &str, jar: &[(String, String)], ticket: &str| {
        let request = stack.request(method, path).header("accept", "text/html");
        let request = request.header("cookie", sent(jar));
        Answer::of(request.form(&[("ticket", ticket)])).await
    };
    let mut links = Vec::new();
    for _ in 0..40 {
        let cast = stack.cast(&json!({"anonymous_resume": "ask"})).await;
        let link = format!("/cast/{}", key(&cast));
        let page = ask(Method::GET, &link, &jar, "").await;
        let (_, ticket) = page
            .text
            .split_once("name=\"ticket\" value=\"")
            .expect("a ticket");
        let ticket = ticket.split('"').next().expect("its end");
        let claimed = ask(Method::POST, &format!("{link}/claims"), &jar, ticket).await;
        assert_eq!(claimed.status, 303, "{}", claimed.text);
        for answer in [page, claimed] {
            for cookie in answer.headers.get_all("set-cookie") {
                let cookie = cookie.to_str().expect("text");
                let pair = cookie.split(';').next().expect("a pair");
                let (name, value) = pair.split_once('=').expect("a value");
                if cookie.contains("Path=/;") {
                    jar.retain(|(kept, _)| kept != name);
                    let pair = (name.to_owned(), value.to_owned());
                    jar.extend((!cookie.contains("Max-Age=0;")).then_some(pair));
                }
            }
        }
        links.push(link);
    }
    assert!(sent(&jar).len() < 4_000, "{} bytes", sent(&jar).len());
    for (place, is_known) in [(0, false), (27, false), (28, true), (39, true)] {
        let page = ask(Method::GET, &links[place], &jar, "").await;
        let says = page.text.contains("You have one open since");
        assert_eq!(says, is_known, "link {place}: {jar:?}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn tabs_of_one_browser_get_one_session() {
    let stack = TestStack::start().await;
    let fields = json!({
        "anonymous_resume": "ask", "limit_total_sessions": true, "sessions_remaining": 9,
    });
    let cast = stack.cast(&fields).await;
    let key = cast["key"].as_str().expect("a key");
    let link = format!("/cast/{key}");
    let mut browser = Browser::new(&stack);
    let pages = [browser.open(&link).await, browser.open(&link).await];
    let [one, two] = pages.map(|page| Answer::of(browser.form(key, &page)));
    let (one, two) = tokio::join!(one, two);
    assert!(
        one.header("location").starts_with("/session/"),
        "{}",
        one.text
    );
    assert_eq!(one.header("location"), two.header("location"));
    assert_eq!(stack.remaining(&cast).await, 8, "one place");
    stack.local.stop().await;
}
