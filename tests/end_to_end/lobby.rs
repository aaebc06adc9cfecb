//! Owns the lobby of a shared session: who asks, who waits, and what the owner's answers open.

use casting_core::Report;
use casting_core::person_name::WATCHER_CHARS;
use casting_core::sharing::{MOST_WAITING, TURNED_AWAY_SECONDS, WAITING_SECONDS};
use casting_core::testing::user;
use casting_core::ticket::{EntryTicket, Watcher, WatcherKind};
use casting_core::time::Clock;
use casting_tests::processes::soon;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sharing::Shared;
use crate::test_stack::{Answer, Caller, TestStack};

/// Somebody with a share link: an address, and the cookie once they have asked.
struct Guest<'a> {
    shared: &'a Shared,
    path: String,
    from: Caller,
    cookies: Vec<String>,
}

impl<'a> Guest<'a> {
    fn new(shared: &'a Shared, link: &str, from: u8) -> Self {
        let path = link.strip_prefix(&shared.stack.local.url);
        Self {
            shared,
            path: path.expect("a link of ours").to_owned(),
            from: Caller(from),
            cookies: Vec::new(),
        }
    }

    async fn send(&self, method: Method, accept: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let request = self.shared.stack.request(method, &self.path);
        let request = request
            .header("x-forwarded-for", self.from.address().to_string())
            .header("cookie", self.cookies.join("; "))
            .header("accept", accept);
        Answer::of(match form {
            Some(form) => request.form(form),
            None => request,
        })
        .await
    }

    /// The page to which the link leads: its status, where it leads on, and its text.
    async fn page(&self) -> Answer {
        self.send(Method::GET, "text/html", None).await
    }

    /// Where the visitor is, as the page's script asks.
    async fn state(&self) -> Value {
        let answer = self.send(Method::GET, "application/json", None).await;
        answer.json()["state"].clone()
    }

    async fn ticket(&self) -> String {
        let answer = self.send(Method::GET, "application/json", None).await;
        answer.json()["ticket"]
            .as_str()
            .expect("a ticket")
            .to_owned()
    }

    /// Sends the form; a browser keeps the cookie.
    async fn ask_with(&mut self, ticket: &str, name: &str) -> Answer {
        let form = [("ticket", ticket), ("name", name)];
        let answer = self.send(Method::POST, "text/html", Some(&form)).await;
        if let Some((cookie, rest)) = answer.header("set-cookie").split_once(';') {
            assert!(rest.contains(&format!("Path={};", self.path)), "{rest}");
            self.cookies.push(cookie.to_owned());
        }
        answer
    }

    async fn ask(&mut self, name: &str) -> Answer {
        let ticket = self.ticket().await;
        self.ask_with(&ticket, name).await
    }

    /// As whom they enter now.
    async fn enters(&self) -> Option<Watcher> {
        let answer = self.page().await;
        let text = answer.header("location").split_once("ticket=")?.1;
        let (plane, now) = (
            &self.shared.stack.local.control_plane,
            self.shared.stack.clock.now(),
        );
        let opened = EntryTicket::open(text, plane.keys.sessions(), now);
        opened.expect("ours").0.ticket.watcher
    }
}

async fn link_of(shared: &Shared) -> String {
    let ready = shared.report(&Report::Ready { port: 9 }).await;
    ready["share_link"].as_str().expect("a link").to_owned()
}

/// Those who wait, as the gate learns it: ids and names.
async fn waiting(shared: &Shared) -> Vec<(String, String)> {
    let directives = shared.report(&Report::Alive).await;
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    let waiting = directives["lobby"]["waiting"].as_array().cloned();
    let all = waiting.unwrap_or_default();
    all.iter()
        .map(|one| (text(one, "id"), text(one, "name")))
        .collect()
}

async fn answer(shared: &Shared, id: &str, admit: bool) {
    let id = id.to_owned();
    shared.report(&Report::Answer { id, admit }).await;
}

fn with_lobby() -> Value {
    json!({"enable_sharing": true, "allow_anonymous_viewers": true, "enable_lobby": true})
}

#[tokio::test]
async fn viewer_gets_a_ticket_only_after_the_owners_answer() {
    let shared = Shared::with(&with_lobby()).await;
    let link = link_of(&shared).await;
    let (mut ann, mut bob) = (Guest::new(&shared, &link, 1), Guest::new(&shared, &link, 2));
    let page = ann.page().await;
    assert!(
        page.status == 200 && page.text.contains("Your name"),
        "{}",
        page.text
    );
    assert_eq!(ann.state().await, "ask");
    assert!(
        waiting(&shared).await.is_empty(),
        "looking at the page asks nobody"
    );
    for (case, ticket, status) in [
        ("no ticket", "", 400),
        ("a made-up ticket", "v1.e30.c2ln", 400),
    ] {
        let refused = ann.ask_with(ticket, "Ann").await;
        assert!(
            refused.status >= status && refused.status < 500,
            "{case}: {}",
            refused.status
        );
    }
    assert!(waiting(&shared).await.is_empty());

    let ticket = ann.ticket().await;
    let asked = ann.ask_with(&ticket, " <b>Ann</b>\u{202e}\n ").await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (303, ann.path.as_str())
    );
    ann.ask_with(&ticket, "Somebody else").await;
    bob.ask(&"b".repeat(WATCHER_CHARS + 1)).await;
    let there = waiting(&shared).await;
    let names: Vec<_> = there.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        names,
        ["<b>Ann</b>", &"b".repeat(WATCHER_CHARS)],
        "each once"
    );
    let page = ann.page().await;
    assert!(
        page.text.contains("The owner has been asked"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("http-equiv=\"refresh\""),
        "without scripting"
    );
    assert_eq!(
        (ann.enters().await, ann.state().await),
        (None, json!("waiting"))
    );

    answer(&shared, &there[0].0, true).await;
    assert_eq!(
        (ann.state().await, bob.state().await),
        (json!("admitted"), json!("waiting"))
    );
    let watcher = ann.enters().await.expect("a ticket");
    let expected = (there[0].0.as_str(), "<b>Ann</b>", WatcherKind::Guest, 1);
    let Watcher {
        id,
        name,
        kind,
        round,
    } = &watcher;
    assert_eq!((id.as_str(), name.as_str(), *kind, *round), expected);
    assert!(ann.enters().await.is_some(), "a second window");
    let mut eve = Guest::new(&shared, &link, 3);
    assert_eq!(eve.enters().await, None, "her link is not enough");
    eve.cookies = vec![format!("cast-lobby={}x", ann.cookies[0])];
    assert_eq!(eve.enters().await, None, "nor a cookie of her own making");

    answer(&shared, &there[1].0, false).await;
    answer(&shared, &there[0].0, false).await;
    for guest in [&ann, &bob] {
        let page = guest.page().await;
        assert!(
            page.status == 403 && page.text.contains("You were not let in"),
            "{}",
            page.text
        );
        assert_eq!(guest.state().await, "turned-away");
    }
    answer(&shared, &there[1].0, true).await;
    assert_eq!(bob.enters().await, None, "an answer is not turned around");
    shared.stack.clock.advance(TURNED_AWAY_SECONDS);
    assert_eq!(bob.state().await, "unanswered", "can ask again");

    let off = shared.report(&Report::Share { on: false }).await;
    assert!(off["share_link"].is_null());
    assert_eq!(ann.page().await.status, 410);
    let link = shared.report(&Report::Share { on: true }).await["share_link"].clone();
    let link = link.as_str().expect("a new link");
    let again = Guest {
        cookies: ann.cookies.clone(),
        ..Guest::new(&shared, link, 1)
    };
    assert_eq!(
        again.state().await,
        "ask",
        "with a ticket of the round before"
    );
    shared.stack.local.stop().await;
}

#[tokio::test]
async fn flood_of_requests_is_bounded_and_over_in_minutes() {
    let shared = Shared::with(&with_lobby()).await;
    let link = link_of(&shared).await;
    let crowd = (0..MOST_WAITING + 5).map(|n| {
        let mut guest = Guest::new(&shared, &link, u8::try_from(n).expect("small"));
        async move { guest.ask("Flood").await.status }
    });
    let statuses = join_all(crowd).await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(303), MOST_WAITING, "{statuses:?}");
    // Who met others too often may try again.
    assert_eq!(count(429) + count(503), 5, "{statuses:?}");
    let there = waiting(&shared).await;
    assert_eq!(there.len(), MOST_WAITING);
    let mut late = Guest::new(&shared, &link, 200);
    let full = late.ask("Late").await;
    assert!(
        full.status == 429 && full.header("retry-after") == "60",
        "{}",
        full.text
    );
    assert!(
        full.text.contains("Many people are waiting"),
        "{}",
        full.text
    );
    answer(&shared, &there[0].0, false).await;
    assert_eq!(late.ask("Late").await.status, 303, "a place is free");
    shared.stack.clock.advance(WAITING_SECONDS);
    assert!(waiting(&shared).await.is_empty());
    assert_eq!(
        (late.state().await, late.enters().await),
        (json!("unanswered"), None)
    );
    let id = there[1].0.clone();
    answer(&shared, &id, true).await;
    assert!(
        waiting(&shared).await.is_empty(),
        "an answer that comes too late"
    );

    let settings = json!({"attempts_per_minute": 2});
    let changed = shared
        .stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(Guest::new(&shared, &link, 201).ask("Again").await.status);
    }
    assert_eq!(statuses, [303, 303, 429], "of one address");
    shared.stack.local.stop().await;
}

#[tokio::test]
async fn owner_switches_the_lobby_of_a_shared_session() {
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true});
    let shared = Shared::with(&fields).await;
    let link = link_of(&shared).await;
    let mut guest = Guest::new(&shared, &link, 1);
    let named = guest
        .enters()
        .await
        .map(|watcher| (watcher.name, watcher.kind));
    let open = Some(("Guest".to_owned(), WatcherKind::Known));
    assert_eq!(named, open, "without a lobby");
    let switched = async |on| {
        let directives = shared.report(&Report::Lobby { on }).await;
        directives["lobby"]["on"] == true
    };
    assert!(switched(true).await && switched(true).await);
    assert_eq!(guest.enters().await, None);
    assert_eq!(guest.ask("Ann").await.status, 303);
    assert_eq!(guest.state().await, "waiting");
    assert!(!switched(false).await);
    assert_eq!(guest.state().await, "admitted", "nobody is asked any more");
    let named = guest.enters().await.map(|watcher| watcher.name);
    assert_eq!(named.as_deref(), Some("Ann"), "by the name that was given");
    assert_eq!(
        guest.ask_with("", "Ann").await.status / 100,
        4,
        "a form without a ticket"
    );
    let cross = shared.stack.request(Method::POST, &guest.path);
    let cross = cross
        .header("sec-fetch-site", "cross-site")
        .form(&[("ticket", "x")]);
    assert_eq!(Answer::of(cross).await.status, 403, "another site's form");
    shared.stack.local.stop().await;

    let alone = Shared::with(&json!({"enable_lobby": true})).await;
    alone.report(&Report::Ready { port: 9 }).await;
    let off = alone.report(&Report::Lobby { on: false }).await;
    assert_eq!(off["lobby"]["on"], true, "who may not share has no switch");
    alone.stack.local.stop().await;
}

#[tokio::test]
async fn signed_in_viewers_ask_by_the_name_of_their_login() {
    let fields = json!({"enable_sharing": true, "enable_lobby": true});
    let shared = Shared::with(&fields).await;
    let link = link_of(&shared).await;
    let mut guest = Guest::new(&shared, &link, 1);
    let page = guest.page().await;
    assert!(
        page.header("location").starts_with("/login?to="),
        "{}",
        page.text
    );
    let ann = user(1);
    guest.cookies.push(shared.stack.login(&ann));
    let page = guest.page().await;
    assert!(
        page.text.contains(&format!("<bdi>{}</bdi>", ann.name)),
        "{}",
        page.text
    );
    assert_eq!(guest.ask("The Boss").await.status, 303);
    let (id, name) = waiting(&shared).await.remove(0);
    assert_eq!(name, ann.name);
    answer(&shared, &id, true).await;
    let watcher = guest.enters().await.expect("a ticket");
    assert_eq!((watcher.name, watcher.kind), (ann.name, WatcherKind::Known));
    shared.stack.local.stop().await;
}

/// The URL through the stack's own port, and the host that it names.
fn through(stack: &TestStack, url: &str) -> (String, String) {
    let (host, rest) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URL");
    (format!("{}/{rest}", stack.local.url), host.to_owned())
}

/// Somebody inside a session, through edge and gate.
struct Inside<'a> {
    stack: &'a TestStack,
    host: String,
    cookie: String,
}

impl<'a> Inside<'a> {
    async fn enter(stack: &'a TestStack, entrance: &str) -> Self {
        let (url, host) = through(stack, entrance);
        let entered = Answer::of(stack.http.get(url).header("host", &host)).await;
        let cookie = entered.header("set-cookie").split(';').next();
        let cookie = cookie.expect("a cookie").to_owned();
        Self {
            stack,
            host,
            cookie,
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.stack.request(method, path);
        request
            .header("host", &self.host)
            .header("cookie", &self.cookie)
    }

    async fn state(&self) -> Value {
        Answer::of(self.request(Method::GET, "/.cast/state"))
            .await
            .json()
    }

    async fn does(&self, what: &str, form: &[(&str, &str)]) -> u16 {
        let request = self.request(Method::POST, what).form(form);
        Answer::of(request).await.status
    }
}

#[tokio::test]
async fn owner_answers_removes_and_knows_of_administrators() {
    let stack = TestStack::with_processes().await;
    let image = stack.image().await;
    let watched = json!({"view_only": "rfb"});
    stack
        .admin(Method::PATCH, &format!("images/{image}"), Some(&watched))
        .await;
    let cast = stack.cast(&with_lobby()).await;
    let claimed = stack
        .claim(Caller(1), cast["key"].as_str().expect("a key"))
        .await
        .json();
    let id = claimed["session_id"].as_str().expect("an id").to_owned();
    let session = format!("sessions/{id}");
    let shared = Shared::of(stack, &id);
    let stack = &shared.stack;
    let is_ready =
        async || stack.admin(Method::GET, &session, None).await.json()["state"] == "ready";
    assert!(soon(is_ready).await);
    let token = claimed["session_token"].as_str().expect("a token");
    let enter = stack
        .request(Method::GET, &format!("/session/{id}/enter"))
        .bearer_auth(token);
    let owner = Inside::enter(stack, Answer::of(enter).await.header("location")).await;
    let link = owner.state().await["share_link"]
        .as_str()
        .expect("a link")
        .to_owned();
    let mut ann = Guest::new(&shared, &link, 2);
    assert_eq!(ann.ask("Ann").await.status, 303);
    // Pushed, long before the gate asks by itself, which it does once a minute.
    assert!(soon(async || owner.state().await["waiting"][0]["name"] == "Ann").await);
    let request = owner.state().await["waiting"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(
        owner
            .does("/.cast/answer", &[("watcher", &request), ("admit", "1")])
            .await,
        204
    );
    assert_eq!(owner.state().await["waiting"], json!([]));
    let entrance = ann.page().await.header("location").to_owned();
    let inside = Inside::enter(stack, &entrance).await;
    assert_eq!(inside.state().await["role"], "viewer");
    assert_eq!(
        inside.state().await["waiting"],
        json!([]),
        "the owner's only"
    );
    let listed = owner.state().await["watchers"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["kind"]),
        (&json!("Ann"), &json!("guest"))
    );
    let seen = stack.admin(Method::GET, &session, None).await.json();
    assert_eq!(seen["watchers"], json!(["Ann (guest)"]), "in the console");
    for path in ["/.cast/answer", "/.cast/lobby"] {
        let status = inside
            .does(path, &[("watcher", &request), ("admit", "1"), ("on", "0")])
            .await;
        assert_eq!(status, 403, "{path}: the owner's only");
    }
    let second = ann.page().await.header("location").to_owned();
    let mut events = inside
        .request(Method::GET, "/.cast/events")
        .send()
        .await
        .expect("events");
    assert!(events.chunk().await.expect("a stream").is_some());
    let removed = [("watcher", request.as_str()), ("admit", "0")];
    assert_eq!(owner.does("/.cast/answer", &removed).await, 204);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while let Ok(Some(_)) = events.chunk().await {}
    });
    ended.await.expect("an end");
    assert_eq!(ann.page().await.status, 403, "nor by the link");
    let (url, host) = through(stack, &second);
    let late = Answer::of(stack.http.get(url).header("host", host)).await;
    let cookie = late
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let late = Inside {
        stack,
        host: owner.host.clone(),
        cookie,
    };
    let state = Answer::of(late.request(Method::GET, "/.cast/state")).await;
    assert_eq!(state.status, 403, "nor by a way in of before");
    let nobody = [("watcher", "0123456789abcdef"), ("admit", "1")];
    assert_eq!(owner.does("/.cast/answer", &nobody).await, 404);

    let watch = stack
        .admin(Method::POST, &format!("{session}/watch"), None)
        .await
        .json();
    let _administrator = Inside::enter(stack, watch["url"].as_str().expect("a way in"))
        .await
        .state()
        .await;
    let listed = owner.state().await["watchers"].clone();
    let kinds: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["kind"])
        .collect();
    assert_eq!(kinds, ["administrator"], "{listed}");
    assert_eq!(owner.does("/.cast/lobby", &[("on", "0")]).await, 204);
    assert_eq!(owner.state().await["lobby"], false);
    assert_eq!(Guest::new(&shared, &link, 3).page().await.status, 303);
    shared.stack.local.stop().await;
}
