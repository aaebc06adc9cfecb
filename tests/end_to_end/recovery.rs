//! Owns how a refused visitor goes on: the link with its parameters, the contact, the wait, and that
//! loading the page again asks again.

use casting_core::testing::user;
use casting_core::ticket::NOTICE_SECONDS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// A browser's claim by a form.
async fn send(stack: &TestStack, key: &str, ticket: &str) -> Answer {
    let request = stack
        .request(Method::POST, &format!("/cast/{key}/claims"))
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .header(KEPT_COOKIE.0, KEPT_COOKIE.1)
        .form(&[("ticket", ticket), ("consent", "yes")]);
    Answer::of(request).await
}

#[tokio::test]
async fn refused_claim_is_shown_by_its_link_once() {
    let stack = TestStack::start().await;
    let fields = json!({
        "limit_total_sessions": true, "sessions_remaining": 1, "allow_dynamic_kasm_url": true,
        "contact": "desk@example.com",
    });
    let cast = stack.cast(&fields).await;
    let key = key(&cast);
    let described = stack
        .describe(Caller(1), key, "?kasm_url=https://example.org/a%20b")
        .await
        .json();
    let ticket = described["ticket"].as_str().expect("a ticket").to_owned();
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let add = async |places: i64| {
        let change = json!({"sessions_remaining_add": places});
        let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
    };
    add(-1).await;
    let sent = send(&stack, key, &ticket).await;
    let to = sent.header("location").to_owned();
    let link = format!("/cast/{key}?kasm_url=https%3A%2F%2Fexample.org%2Fa+b");
    assert!(
        sent.status == 303 && to.starts_with(&format!("{link}&notice=v1.")),
        "{} {to}",
        sent.status
    );
    let shown = stack.get(&to).await;
    assert_eq!(shown.status, 410, "{}", shown.text);
    for text in [
        "All sessions are taken",
        "mailto:desk@example.com?subject=",
        &format!("data-link=\"{link}\""),
        &format!("href=\"{link}\">Open the link again"),
    ] {
        assert!(shown.text.contains(text), "{text}: {}", shown.text);
    }
    add(1).await;
    assert_eq!(stack.get(&link).await.status, 200, "the link, at once");
    let other = stack.cast(&json!({})).await;
    let (_, notice) = to.split_once("notice=").expect("a notice");
    let foreign = format!(
        "/cast/{}?notice={notice}",
        other["key"].as_str().expect("a key")
    );
    assert_eq!(
        stack.get(&foreign).await.status,
        200,
        "another link's notice"
    );
    let forged = format!("{link}&notice=v1.e30.AAAA");
    assert_eq!(
        stack.get(&forged).await.status,
        200,
        "nobody else writes one"
    );
    stack.clock.advance(NOTICE_SECONDS);
    assert_eq!(stack.get(&to).await.status, 200, "and then it is the link");
    stack.local.stop().await;
}

/// A claim's form as a browser without JavaScript sends it, with these headers.
async fn press(stack: &TestStack, path: &str, ticket: &str, more: &[(&str, &str)]) -> Answer {
    let mut request = stack
        .request(Method::POST, path)
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    Answer::of(request.form(&[("ticket", ticket)])).await
}

#[tokio::test]
async fn browser_without_cookies_claims_nothing() {
    let stack = TestStack::start().await;
    let limits = json!({"limit_total_sessions": true, "sessions_remaining": 3});
    let theirs = json!({"limit_total_sessions": true, "sessions_remaining": 3,
        "error_url": "https://acme.example/sorry"});
    for (name, fields, by_script) in [
        ("a form", &limits, false),
        ("a form by the page's script", &limits, true),
        ("a link with an error page", &theirs, false),
    ] {
        let cast = stack.cast(fields).await;
        let key = key(&cast);
        let page = stack.get(&format!("/cast/{key}")).await;
        assert!(
            page.header("set-cookie").contains("SameSite=Lax"),
            "{name}: the page sets one"
        );
        let ticket = stack.describe(Caller(1), key, "").await.json()["ticket"]
            .as_str()
            .expect("a ticket")
            .to_owned();
        let script: &[_] = &[("casting-reply", "location")];
        let more: &[(&str, &str)] = if by_script { script } else { &[] };
        let claims = format!("/cast/{key}/claims");
        let asked = press(&stack, &claims, &ticket, more).await;
        assert_eq!(asked.status, 307, "{name}: {}", asked.text);
        let again = asked.header("location").to_owned();
        assert_eq!(again, format!("{claims}?probed=yes"), "{name}");
        assert!(asked.header("set-cookie").starts_with("cast-probe=yes"));

        let refused = press(&stack, &again, &ticket, more).await;
        let to = if by_script {
            let told = refused.json();
            told["location"].as_str().expect("an address").to_owned()
        } else {
            assert_eq!(refused.status, 303, "{name}: {}", refused.text);
            refused.header("location").to_owned()
        };
        assert!(refused.header("set-cookie").is_empty(), "{name}");
        if fields["error_url"].is_null() {
            let shown = stack.get(&to).await;
            assert_eq!(shown.status, 409, "{name}: {}", shown.text);
            for text in ["Your browser blocks cookies", "Open the link again"] {
                assert!(shown.text.contains(text), "{name}: {}", shown.text);
            }
        } else {
            let page = "https://acme.example/sorry?error=cookies-blocked&";
            assert!(to.starts_with(page), "{name}: {to}");
        }
        assert_eq!(stack.remaining(&cast).await, 3, "{name}: nothing is taken");

        // What was asked for once more comes with the cookie, where the browser keeps it.
        let kept: Vec<_> = more.iter().copied().chain([KEPT_COOKIE]).collect();
        let claimed = press(&stack, &again, &ticket, &kept).await;
        assert!(
            claimed.header("set-cookie").starts_with("cast-s"),
            "{name}: {} {}",
            claimed.status,
            claimed.text
        );
        assert_eq!(stack.remaining(&cast).await, 2, "{name}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn frame_is_not_probed_but_its_window_is() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"restrict_to_referrers": ["acme.example"]}))
        .await;
    let link = format!("/cast/{}", key(&cast));
    let framed = stack
        .request(Method::GET, &link)
        .header("referer", "https://acme.example/")
        .header("sec-fetch-dest", "iframe");
    let framed = Answer::of(framed).await;
    assert_eq!(framed.status, 200, "{}", framed.text);
    assert!(!framed.header("set-cookie").contains("cast-probe"));
    let (_, ticket) = framed
        .text
        .split_once("name=\"ticket\" value=\"")
        .expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    let window = [("sec-fetch-dest", "document")];
    let asked = press(&stack, &format!("{link}/claims"), ticket, &window).await;
    assert_eq!(asked.status, 307, "{}", asked.text);
    let again = asked.header("location").to_owned();
    let kept = [window[0], KEPT_COOKIE];
    let claimed = press(&stack, &again, ticket, &kept).await;
    assert!(
        claimed.header("location").starts_with("/session/"),
        "{} {}",
        claimed.status,
        claimed.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn program_without_cookies_claims() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let claimed = stack.claim(Caller(1), key(&cast)).await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn wait_of_a_refused_claim_goes_down() {
    let stack = TestStack::start().await;
    let fields =
        json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60});
    let cast = stack.cast(&fields).await;
    let key = key(&cast);
    let from = Caller(1).address().to_string();
    let tickets: Vec<String> = {
        let mut tickets = Vec::new();
        for _ in 0..2 {
            let described = stack.describe(Caller(1), key, "").await.json();
            tickets.push(described["ticket"].as_str().expect("a ticket").to_owned());
        }
        tickets
    };
    let claim = async |ticket: &str| {
        let request = stack
            .request(Method::POST, &format!("/cast/{key}/claims"))
            .header("accept", "text/html")
            .header("x-forwarded-for", &from)
            .header(KEPT_COOKIE.0, KEPT_COOKIE.1)
            .form(&[("ticket", ticket)]);
        Answer::of(request).await
    };
    assert_eq!(claim(&tickets[0]).await.status, 303);
    let refused = claim(&tickets[1]).await;
    assert_eq!(refused.header("retry-after"), "60");
    stack.clock.advance(18);
    let shown = stack.get(refused.header("location")).await;
    assert_eq!((shown.status, shown.header("retry-after")), (429, "42"));
    let refresh = format!("content=\"42;url=/cast/{key}\"");
    assert!(shown.text.contains(&refresh), "{}", shown.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn contact_of_the_cast_comes_before_the_deployments() {
    let stack = TestStack::start().await;
    let contact = json!({"contact": "https://example.com/help"});
    let set = stack.admin(Method::PATCH, "settings", Some(&contact)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let expired = json!({"valid_until": "2026-11-23T12:00:00Z"});
    let own = json!({"valid_until": "2026-11-23T12:00:00Z", "contact": "room 2"});
    let disabled = json!({"enabled": false, "contact": "room 2"});
    let keys = [
        stack.cast(&expired).await,
        stack.cast(&own).await,
        stack.cast(&disabled).await,
    ]
    .map(|cast| key(&cast).to_owned());
    for (name, key, contact) in [
        (
            "the deployment's",
            keys[0].as_str(),
            "https://example.com/help",
        ),
        ("its own", &keys[1], "room 2"),
        ("disabled", &keys[2], "https://example.com/help"),
        ("unknown", "nosuchkey", "https://example.com/help"),
    ] {
        let page = stack.get(&format!("/cast/{key}")).await;
        let shown = ["https://example.com/help", "room 2"].map(|one| page.text.contains(one));
        assert_eq!(
            shown,
            ["https://example.com/help", "room 2"].map(|one| one == contact),
            "{name}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn way_back_keeps_the_referrer() {
    let stack = TestStack::start().await;
    let fields = json!({
        "restrict_to_referrers": ["acme.com"], "limit_total_sessions": true,
        "sessions_remaining": 0,
    });
    let cast = stack.cast(&fields).await;
    let opened = stack
        .request(Method::GET, &format!("/cast/{}", key(&cast)))
        .header("referer", "https://acme.com/");
    let refused = Answer::of(opened).await;
    assert_eq!(refused.status, 410);
    let (_, link) = refused.text.split_once("data-link=\"").expect("a link");
    let link = link.split('"').next().expect("its end").to_owned();
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let change = json!({"sessions_remaining_add": 1});
    stack.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(stack.get(&link).await.status, 200);
    let plain = stack.get(&format!("/cast/{}", key(&cast))).await;
    assert_eq!(plain.status, 403);
    assert!(!plain.text.contains("via="), "{}", plain.text);
    stack.local.stop().await;
}

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0";

#[tokio::test]
async fn own_sessions_are_listed_entered_and_ended() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_anonymous": false})).await;
    let (ann, bob) = (stack.login(&user(1)), stack.login(&user(2)));
    let ask = async |method: Method, path: &str, cookie: &str, form: &[(&str, &str)]| {
        let request = stack.request(method, path).header("accept", "text/html");
        let request = request.header("sec-fetch-site", "same-origin");
        Answer::of(request.header("cookie", cookie).form(form)).await
    };
    let page = ask(Method::GET, &format!("/cast/{}", key(&cast)), &ann, &[]).await;
    let (_, ticket) = page
        .text
        .split_once("name=\"ticket\" value=\"")
        .expect("a ticket");
    let ticket = ticket.split('"').next().expect("its end");
    let claims = format!("/cast/{}/claims", key(&cast));
    let claimed = ask(Method::POST, &claims, &ann, &[("ticket", ticket)]).await;
    let session = claimed.header("location").to_owned();
    assert!(session.starts_with("/session/"), "{}", claimed.text);

    let listed = ask(Method::GET, "/login/me", &ann, &[]).await;
    for text in [
        "Your sessions",
        "Demo app",
        &format!("href=\"{session}\""),
        &format!("action=\"{session}/end\""),
    ] {
        assert!(listed.text.contains(text), "{text}: {}", listed.text);
    }
    let none = ask(Method::GET, "/login/me", &bob, &[]).await;
    assert!(
        none.text.contains("You have no running session."),
        "{}",
        none.text
    );

    // The login alone, as in another browser.
    assert_eq!(ask(Method::GET, &session, &ann, &[]).await.status, 200);
    assert_eq!(ask(Method::GET, &session, &bob, &[]).await.status, 403);
    assert_eq!(ask(Method::GET, &session, "", &[]).await.status, 403);
    let end = format!("{session}/end");
    let foreign = ask(Method::POST, &end, &bob, &[("to", "/login/me")]).await;
    assert_eq!(foreign.status, 403, "{}", foreign.text);
    for (to, leads) in [
        ("/login/me", "/login/me"),
        ("https://evil.example/", session.as_str()),
        (
            &format!("/cast/{}", key(&cast)),
            &format!("/cast/{}", key(&cast)),
        ),
    ] {
        let ended = ask(Method::POST, &end, &ann, &[("to", to)]).await;
        assert_eq!((ended.status, ended.header("location")), (303, leads));
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn last_place_waits_for_a_click() {
    let stack = TestStack::start().await;
    let starts = async |cast: &Value, agent: &str| {
        let page = stack.request(Method::GET, &format!("/cast/{}", key(cast)));
        let page = Answer::of(page.header("user-agent", agent)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        page.text.contains(" data-auto")
    };
    let last = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 1}))
        .await;
    let some = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 2}))
        .await;
    let always = stack.cast(&json!({"start_on_click": "always"})).await;
    assert!(!starts(&last, CHROME).await);
    assert!(starts(&some, CHROME).await);
    assert!(!starts(&always, CHROME).await);
    assert!(!starts(&some, "Mozilla/5.0 HeadlessChrome/140.0.0.0").await);
    assert_eq!(stack.claim(Caller(1), key(&some)).await.status, 202);
    stack.clock.advance(casting_core::CHANGE_SECONDS);
    assert!(!starts(&some, CHROME).await, "one is left");
    stack.local.stop().await;
}

#[tokio::test]
async fn mistyped_addresses_lead_to_the_right_one() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let (link, session) = (
        format!("/cast/{}", key(&cast)),
        "/session/saaaaaaaaaaaaaaaaaaaaaaaaaa",
    );
    let share = format!("{}.t0k-en_1", session.replace("session", "share"));
    let capitals = link.to_ascii_uppercase();
    for (path, to) in [
        (format!("{link}%EF%BC%89"), Some(link.clone())),
        (format!("{link}/"), Some(link.clone())),
        (
            format!("{link}&gt;?lang=de"),
            Some(format!("{link}?lang=de")),
        ),
        (format!("{link}%2F%E2%80%8B"), Some(link.clone())),
        (link.replacen("cast/", "cast%2F", 1), Some(link.clone())),
        (capitals, Some(link.clone())),
        (format!("{share})."), Some(share.clone())),
        (format!("{share}/"), Some(share)),
        (format!("{session}."), Some(session.to_owned())),
        (format!("{session}/"), Some(session.to_owned())),
        (format!("{link}/more"), None),
        (format!("{session}/more"), None),
    ] {
        let request = stack.request(Method::GET, &path);
        let answer = Answer::of(request.header("accept", "text/html")).await;
        let (status, location) = to.as_deref().map_or((404, ""), |to| (303, to));
        let found = (answer.status, answer.header("location"));
        assert_eq!(found, (status, location), "{path}");
    }
    let sent = stack.request(Method::POST, &format!("{link}/"));
    assert_eq!(Answer::of(sent).await.status, 404, "a form leads nowhere");
    stack.local.stop().await;
}

#[tokio::test]
async fn error_page_that_leads_back_is_left_for_ours() {
    let stack = TestStack::start().await;
    let fields = json!({
        "error_url": "https://short.example/x", "limit_total_sessions": true,
        "sessions_remaining": 0, "contact": "desk@example.com",
    });
    let cast = stack.cast(&fields).await;
    let link = format!("/cast/{}", key(&cast));
    let open = async |path: &str| {
        let request = stack.request(Method::GET, path);
        Answer::of(request.header("accept", "text/html")).await
    };
    let sent = open(&link).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let query = sent.header("location").split_once('?').expect("a query").1;
    // A short address that leads to the link, with all that it was told.
    let back = open(&format!("{link}?{query}")).await;
    assert_eq!(back.status, 410, "{}", back.text);
    assert!(back.text.contains("desk@example.com"), "{}", back.text);
    stack.local.stop().await;
}
