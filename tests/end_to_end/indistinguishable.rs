//! Owns that disabled and unknown links cannot be distinguished through any route, and that a
//! change of a link is visible at once in the instance that made it.

use casting_core::testing::user;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

/// A request of one door: what it is called, and how it is made for a key.
type Door = (
    &'static str,
    Box<dyn Fn(&TestStack, &str) -> RequestBuilder>,
);

/// Tickets that a visitor may bring to a claim of a disabled link.
struct Tickets {
    foreign: String,
    expired: String,
    place: String,
    good: String,
}

fn doors(tickets: &Tickets) -> Vec<Door> {
    const FORM: &str = "application/x-www-form-urlencoded";
    const CLAIMS: &str = "/cast/KEY/claims";
    const ROOM: &str = "/cast/KEY/room";
    let get = |name, path: &str, headers: &'static [(&'static str, &'static str)]| -> Door {
        door(name, Method::GET, path, headers, None)
    };
    let mut doors = vec![
        get("page", "/cast/KEY", &[("accept", "text/html")]),
        get(
            "page, for a program",
            "/cast/KEY",
            &[("accept", "application/json")],
        ),
        get(
            "page, in another language",
            "/cast/KEY",
            &[("accept-language", "de")],
        ),
        get(
            "page, with parameters",
            "/cast/KEY?kasm_url=http://localhost/&docker_network=x&via=x",
            &[],
        ),
        get(
            "page, from a listed site",
            "/cast/KEY",
            &[("referer", "https://acme.com/")],
        ),
        get(
            "page, in a frame",
            "/cast/KEY",
            &[
                ("referer", "https://acme.com/"),
                ("sec-fetch-dest", "iframe"),
            ],
        ),
        get(
            "page, fetched ahead",
            "/cast/KEY",
            &[("sec-purpose", "prefetch")],
        ),
        get("description", "/api/casts/KEY", &[]),
        get(
            "description, with parameters",
            "/api/casts/KEY?kasm_url=x",
            &[],
        ),
        get("badge", "/cast/KEY/badge.svg", &[]),
        get(
            "badge, seen before",
            "/cast/KEY/badge.svg",
            &[("if-none-match", "*")],
        ),
        get(
            "badge, on a listed site",
            "/cast/KEY/badge.svg",
            &[("referer", "https://acme.com/")],
        ),
        get("room", ROOM, &[]),
        get(
            "room, for a program",
            ROOM,
            &[("accept", "application/json")],
        ),
        get("claims, read", CLAIMS, &[]),
        get("page, with a slash", "/cast/KEY/", &[]),
        get("nothing there", "/cast/KEY/nothing", &[]),
    ];
    for method in ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        for path in [
            "/cast/KEY",
            "/api/casts/KEY",
            "/cast/KEY/badge.svg",
            CLAIMS,
            ROOM,
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            doors.push(door("another method", method, path, &[], None));
        }
    }
    doors.push(door(
        "page, posted to",
        Method::POST,
        "/cast/KEY",
        &[],
        None,
    ));
    for (name, ticket) in [
        ("no ticket", ""),
        ("any ticket", "v1.a.b"),
        ("another link's ticket", &tickets.foreign),
        ("a ticket that has expired", &tickets.expired),
        ("the ticket of a place", &tickets.place),
        ("a good ticket", &tickets.good),
    ] {
        let claim = json!({"ticket": ticket}).to_string();
        let form = format!("ticket={ticket}&consent=yes");
        let room = format!("{ROOM}?ticket={ticket}");
        let json: &'static [_] = &[("content-type", "application/json")];
        let plain: &'static [_] = &[("content-type", FORM), ("accept", "text/html"), KEPT_COOKIE];
        let blocked: &'static [_] = &[("content-type", FORM), ("accept", "text/html")];
        let named: &'static [_] = &[
            ("content-type", "application/json"),
            ("idempotency-key", "a"),
        ];
        let cross: &'static [_] = &[("content-type", FORM), ("sec-fetch-site", "cross-site")];
        for (headers, body) in [
            (json, &claim),
            (plain, &form),
            (named, &claim),
            (cross, &form),
        ] {
            doors.push(door(name, Method::POST, CLAIMS, headers, Some(body)));
        }
        for path in [CLAIMS.to_owned(), format!("{CLAIMS}?probed=yes")] {
            doors.push(door(name, Method::POST, &path, blocked, Some(&form)));
        }
        doors.push(door(name, Method::POST, ROOM, json, Some(&claim)));
        doors.push(door(name, Method::POST, ROOM, plain, Some(&form)));
        doors.push(get(name, &room, &[("accept", "application/json")]));
        doors.push(get(name, &room, &[("accept", "text/html")]));
    }
    let json: &'static [_] = &[("content-type", "application/json")];
    for body in [
        "",
        "{",
        "{}",
        r#"{"ticket":1}"#,
        r#"{"ticket":"","captcha":"x"}"#,
    ] {
        doors.push(door(
            "a claim that is none",
            Method::POST,
            CLAIMS,
            json,
            Some(body),
        ));
    }
    doors
}

fn door(
    name: &'static str,
    method: Method,
    path: &str,
    headers: &'static [(&'static str, &'static str)],
    body: Option<&str>,
) -> Door {
    let (path, body) = (path.to_owned(), body.map(str::to_owned));
    let make = move |stack: &TestStack, key: &str| {
        let mut request = stack.request(method.clone(), &path.replace("KEY", key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match &body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    };
    (name, Box::new(make))
}

/// A `RateLimit` header without how many are left and until when.
fn without_remainder(header: &str) -> String {
    let policies = header
        .split(',')
        .filter_map(|policy| policy.split(';').next());
    policies.collect::<Vec<_>>().join(",")
}

/// An answer without what differs between any two: the key, the reference and the page's nonce.
fn scrubbed(answer: &Answer, key: &str) -> (u16, Vec<(String, String)>, String) {
    let problem: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let reference = problem["ref"].as_str().map(str::to_owned).or_else(|| {
        let (_, rest) = answer.text.split_once("id=\"reference\">")?;
        Some(rest.split('<').next()?.to_owned())
    });
    // It contains the key and the reference, signed.
    let notice = answer.header("location").split_once("notice=");
    let nonce = answer.header("content-security-policy");
    let nonce = nonce
        .split_once("'nonce-")
        .and_then(|(_, rest)| rest.split_once('\''));
    let scrub = |text: &str| {
        let mut text = text.replace(key, "KEY");
        for (found, name) in [
            (reference.as_deref(), "REF"),
            (nonce.map(|(nonce, _)| nonce), "NONCE"),
            (notice.map(|(_, notice)| notice), "NOTICE"),
        ] {
            if let Some(found) = found {
                text = text.replace(found, name);
            }
        }
        text
    };
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "content-length")
        .map(|(name, value)| {
            let value = match name.as_str() {
                // Each look counts as an attempt, of whichever link.
                "ratelimit" => without_remainder(value.to_str().expect("text")),
                _ => scrub(value.to_str().expect("text")),
            };
            (name.to_string(), value)
        })
        .collect();
    headers.sort();
    (answer.status, headers, scrub(&answer.text))
}

/// Everything that a disabled link could give itself away by.
fn telling() -> Value {
    json!({"error_url": "https://acme.com/sorry", "restrict_to_referrers": ["acme.com"],
        "waiting_room": true, "max_live_sessions": 1, "allow_resume": true, "title": "Secret",
        "limit_total_sessions": true, "sessions_remaining": 5, "limit_requests_per_ip": true,
        "sessions_allowed": 1, "within_seconds": 60, "limit_requests_by": "browser",
        "allow_dynamic_kasm_url": true, "background_url": "https://acme.com/a.jpg"})
}

async fn switch(stack: &TestStack, cast: &Value, change: &Value) {
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let changed = stack.admin(Method::PATCH, &path, Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

#[tokio::test]
async fn disabled_and_unknown_links_get_equal_answers() {
    let stack = TestStack::start().await;
    let settings = json!({"attempts_per_minute": 100_000});
    stack
        .admin(Method::PATCH, "settings", Some(&settings))
        .await;
    let (ann, ben) = (user(1), user(2));
    let from = Caller(1).address().to_string();
    let described = async |key: &str, user: Option<&casting_core::user::User>| {
        let mut request = stack.request(Method::GET, &format!("/api/casts/{key}"));
        if let Some(user) = user {
            request = request.header("cookie", stack.login(user));
        }
        let request = request.header("referer", "https://acme.com/");
        let answer = Answer::of(request.header("x-forwarded-for", &from)).await;
        answer.json()["ticket"]
            .as_str()
            .expect("a ticket")
            .to_owned()
    };
    let other = stack.cast(&json!({})).await;
    let mut protected = telling();
    protected["require_captcha"] = json!(true);
    let mut members = telling();
    members["allow_anonymous"] = json!(false);
    let mut links = Vec::new();
    for fields in [
        json!({"waiting_room": true, "max_live_sessions": 1, "allow_resume": true}),
        telling(),
        protected,
        members,
    ] {
        let cast = stack.cast(&fields).await;
        let key = cast["key"].as_str().expect("a key").to_owned();
        links.push((cast, key));
    }
    let (plain, key) = &links[0];
    // Ann's session takes the only place, so Ben waits.
    let claim = async |ticket: &str, user| {
        let request = stack.request(Method::POST, &format!("/cast/{key}/claims"));
        let request = request.json(&json!({"ticket": ticket}));
        let request = request.header("cookie", stack.login(user));
        Answer::of(request.header("x-forwarded-for", &from))
            .await
            .json()
    };
    let session = claim(&described(key, Some(&ann)).await, &ann).await;
    let session = session["session_id"]
        .as_str()
        .expect("a session")
        .to_owned();
    let waiting = claim(&described(key, Some(&ben)).await, &ben).await;
    let place = waiting["ticket"].as_str().expect("a place").to_owned();
    let expired = described(key, None).await;
    stack.clock.advance(301);
    let tickets = Tickets {
        foreign: described(other["key"].as_str().expect("a key"), None).await,
        good: described(key, None).await,
        expired,
        place,
    };
    for (cast, _) in &links {
        switch(&stack, cast, &json!({"enabled": false})).await;
    }
    let gone = stack.cast(&json!({})).await;
    let path = format!("casts/{}", gone["id"].as_str().expect("an id"));
    stack.admin(Method::DELETE, &path, None).await;
    let rotated = stack.cast(&telling()).await;
    let path = format!(
        "casts/{}/key-rotations",
        rotated["id"].as_str().expect("an id")
    );
    let turned = stack
        .admin(Method::POST, &path, Some(&json!({"grace_seconds": 600})))
        .await;
    assert_eq!(turned.status, 201, "{}", turned.text);
    switch(&stack, &rotated, &json!({"enabled": false})).await;

    let mut keys: Vec<&str> = links.iter().map(|(_, key)| key.as_str()).collect();
    keys.extend([&gone, &rotated].map(|cast| cast["key"].as_str().expect("a key")));
    for (name, make) in doors(&tickets) {
        for user in [None, Some(&ben)] {
            let see = async |key: &str| {
                let mut request = make(&stack, key).header("x-forwarded-for", &from);
                if let Some(user) = user {
                    request = request.header("cookie", stack.login(user));
                }
                scrubbed(&Answer::of(request).await, key)
            };
            let unknown = see("no-such-key-anywhere").await;
            for key in &keys {
                let found = see(key).await;
                let who = if user.is_some() {
                    "logged in"
                } else {
                    "anonymous"
                };
                assert_eq!(found, unknown, "{name}, {who}, {key}");
            }
        }
    }
    // Its owner alone gets back into the session.
    let request = stack.request(Method::GET, &format!("/api/casts/{key}"));
    let request = request.header("cookie", stack.login(&ann));
    let owner = Answer::of(request.header("x-forwarded-for", &from))
        .await
        .json();
    assert_eq!(owner["resume"]["session_id"], json!(session));
    // A share link reveals nothing about the link either.
    let shared = async |session: &str| {
        let answer = stack.get(&format!("/share/{session}.token")).await;
        scrubbed(&answer, session)
    };
    let nobodys = format!("s{}", &"a".repeat(session.len() - 1));
    assert_eq!(shared(&session).await, shared(&nobodys).await);
    switch(&stack, plain, &json!({"enabled": true})).await;
    assert_ne!(
        stack.describe(Caller(1), key, "").await.status,
        404,
        "on again"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn attempts_on_disabled_and_unknown_links_count_equally() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"enabled": false, "allow_resume": true}))
        .await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"attempts_per_minute": 2})),
        )
        .await;
    let disabled = cast["key"].as_str().expect("a key");
    let mut n = 10;
    for (name, path, method) in [
        ("page", "/cast/KEY", Method::GET),
        ("description", "/api/casts/KEY", Method::GET),
        ("claim", "/cast/KEY/claims", Method::POST),
        ("room", "/cast/KEY/room?ticket=x", Method::GET),
        ("badge", "/cast/KEY/badge.svg", Method::GET),
    ] {
        for user in [None, Some(user(1))] {
            let mut heard = Vec::new();
            for key in ["no-such-key-anywhere", disabled] {
                n += 1;
                let mut statuses = Vec::new();
                for _ in 0..4 {
                    let mut request = stack
                        .request(method.clone(), &path.replace("KEY", key))
                        .header("accept", "application/json");
                    if method == Method::POST {
                        request = request.json(&json!({"ticket": "v1.a.b"}));
                    }
                    if let Some(user) = &user {
                        request = request.header("cookie", stack.login(user));
                    }
                    let from = Caller(n).address().to_string();
                    let answer = Answer::of(request.header("x-forwarded-for", from)).await;
                    statuses.push(answer.status);
                }
                heard.push(statuses);
            }
            assert_eq!(heard[0], heard[1], "{name}, logged in: {}", user.is_some());
            assert!(heard[0].contains(&429), "{name}: {heard:?}");
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn change_is_visible_at_once_in_its_instance() {
    let stack = TestStack::start().await;
    let mut n = 20;
    let mut code = async |key: &str| {
        n += 1;
        let answer = stack.claim(Caller(n), key).await;
        if answer.status == 202 {
            String::new()
        } else {
            answer.code()
        }
    };
    let limited = json!({"limit_total_sessions": true, "sessions_remaining": 1});
    let cast = stack.cast(&limited).await;
    let key = cast["key"].as_str().expect("a key");
    assert_eq!(code(key).await, "");
    for more in 1..4 {
        assert_eq!(code(key).await, "no-sessions-left");
        switch(&stack, &cast, &json!({"sessions_remaining_add": 1})).await;
        assert_eq!(code(key).await, "", "raised {more} times");
    }
    for (change, expected) in [
        (json!({"limit_total_sessions": false}), ""),
        (json!({"max_live_sessions": 0}), "maintenance"),
        (json!({"max_live_sessions": null}), ""),
        (json!({"enabled": false}), "unknown-cast"),
        (json!({"enabled": true}), ""),
        (
            json!({"valid_until": "2026-11-23T11:00:00Z"}),
            "cast-expired",
        ),
        (json!({"valid_until": null}), ""),
    ] {
        switch(&stack, &cast, &change).await;
        assert_eq!(code(key).await, expected, "{change}");
    }
    let image = stack.image().await;
    for (path, change, expected) in [
        (
            "settings".to_owned(),
            json!({"max_sessions": 0}),
            "maintenance",
        ),
        ("settings".to_owned(), json!({"max_sessions": null}), ""),
        (
            format!("images/{image}"),
            json!({"enabled": false}),
            "image-unavailable",
        ),
        (format!("images/{image}"), json!({"enabled": true}), ""),
    ] {
        let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(code(key).await, expected, "{path} {change}");
    }
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    stack.admin(Method::DELETE, &path, None).await;
    assert_eq!(code(key).await, "unknown-cast", "deleted");
    stack.local.stop().await;
}
