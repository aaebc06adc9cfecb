//! Owns limits under many visitors at once, and who shares them: addresses, browsers, users, links,
//! the deployment.

use casting_core::deployment::FirstLimits;
use casting_core::ids::SessionId;
use casting_core::testing::user;
use casting_core::ticket::LoginTicket;
use casting_core::time::Clock;
use casting_core::user::User;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// All at once; how many were accepted and which codes the others got.
async fn crowd(
    stack: &TestStack,
    cast: &Value,
    addresses: impl Iterator<Item = String>,
) -> (usize, Vec<String>) {
    let visits = addresses.map(|address| async move {
        let described = stack
            .request(Method::GET, &format!("/api/casts/{}", key(cast)))
            .header("x-forwarded-for", &address);
        let described = Answer::of(described).await;
        if described.status != 200 {
            return Err(described.code());
        }
        let claim = stack
            .request(Method::POST, &format!("/cast/{}/claims", key(cast)))
            .json(&json!({"ticket": described.json()["ticket"]}));
        let claimed = Answer::of(claim.header("x-forwarded-for", &address)).await;
        if claimed.status == 202 {
            Ok(())
        } else {
            Err(claimed.code())
        }
    });
    let outcomes = futures_util::future::join_all(visits).await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let mut codes: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    codes.sort_unstable();
    codes.dedup();
    (accepted, codes)
}

#[tokio::test]
async fn ip_limit_accepts_exactly_one_of_200_concurrent_claims() {
    let stack = TestStack::start().await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"attempts_per_minute": 100_000})),
        )
        .await;
    let limit = json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60});
    let (one_address, one_block) = (stack.cast(&limit).await, stack.cast(&limit).await);
    let busy = |codes: &[String]| {
        codes
            .iter()
            .all(|code| code == "ip-limit" || code == "busy")
    };
    let (accepted, codes) = crowd(
        &stack,
        &one_address,
        (0..200).map(|_| "192.0.2.1".to_owned()),
    )
    .await;
    assert!(
        accepted == 1 && busy(&codes),
        "one address: {accepted} {codes:?}"
    );
    let (accepted, codes) = crowd(
        &stack,
        &one_block,
        (1..=200).map(|n| format!("2001:db8:1:2::{n:x}")),
    )
    .await;
    assert!(
        accepted == 1 && busy(&codes),
        "one /64: {accepted} {codes:?}"
    );
    let refused = stack.claim(Caller(9), key(&one_address)).await;
    assert_eq!(
        refused.status, 202,
        "another address has a window of its own"
    );
    let again = stack.claim(Caller(9), key(&one_address)).await;
    assert_eq!((again.status, again.header("retry-after")), (429, "60"));
    stack.clock.advance(60);
    assert_eq!(
        stack.claim(Caller(9), key(&one_address)).await.status,
        202,
        "the window slides"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn claim_counts_for_the_address_it_came_from() {
    let stack = TestStack::start().await;
    let limit = json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60});
    let cast = stack.cast(&limit).await;
    let claim = async |page: &str, claim: &str, idempotency_key: Option<&str>| {
        let described = stack
            .request(Method::GET, &format!("/api/casts/{}", key(&cast)))
            .header("x-forwarded-for", page);
        let ticket = Answer::of(described).await.json()["ticket"].clone();
        let mut request = stack
            .request(Method::POST, &format!("/cast/{}/claims", key(&cast)))
            .header("x-forwarded-for", claim)
            .json(&json!({ "ticket": ticket }));
        if let Some(name) = idempotency_key {
            request = request.header("idempotency-key", name);
        }
        let answer = Answer::of(request).await;
        (answer.status, answer.json()["session_id"].clone(), ticket)
    };
    for (name, page, from, status) in [
        ("IPv4, then IPv6", "192.0.2.1", "2001:db8:1:2::1", 202),
        ("the page's address is free", "192.0.2.1", "192.0.2.1", 202),
        ("its /64 is not", "192.0.2.3", "2001:db8:1:2:9::9", 429),
        ("mapped is IPv4", "192.0.2.3", "::ffff:192.0.2.1", 429),
        ("mapped is IPv4", "192.0.2.3", "::ffff:192.0.2.4", 202),
        ("and back", "2001:db8:1:2::1", "192.0.2.4", 429),
        ("another IPv4", "192.0.2.1", "192.0.2.5", 202),
    ] {
        assert_eq!(claim(page, from, None).await.0, status, "{name}");
    }
    stack.clock.advance(60);
    let (status, session, ticket) = claim("192.0.2.6", "192.0.2.7", Some("mine")).await;
    assert_eq!(status, 202);
    let again = stack
        .request(Method::POST, &format!("/cast/{}/claims", key(&cast)))
        .header("x-forwarded-for", "2001:db8:7::1")
        .header("idempotency-key", "mine")
        .json(&json!({ "ticket": ticket }));
    let again = Answer::of(again).await;
    assert_eq!(
        (again.status, &again.json()["session_id"]),
        (202, &session),
        "a repeated request finds its session from anywhere"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn ipv4_mapped_block_bans_and_exempts_ipv4_visitors() {
    let stack = TestStack::start().await;
    let banned = stack
        .cast(&json!({"banned_addresses": ["::ffff:192.0.2.0/120 Lab"]}))
        .await;
    assert_eq!(banned["banned_addresses"], json!(["192.0.2.0/24 Lab"]));
    let allowed = stack
        .cast(&json!({"allowed_addresses": ["::ffff:198.51.100.0/120"]}))
        .await;
    let exempt = stack
        .cast(&json!({
            "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60,
            "limit_exempt_addresses": ["::ffff:192.0.2.0/120"],
        }))
        .await;
    for (name, cast, address, accepted) in [
        ("banned", &banned, "192.0.2.9", 0),
        ("banned as IPv6", &banned, "::ffff:192.0.2.9", 0),
        ("beside it", &banned, "::ffff:192.0.3.9", 2),
        ("allowed", &allowed, "198.51.100.7", 2),
        ("allowed as IPv6", &allowed, "::ffff:198.51.100.7", 2),
        ("not allowed", &allowed, "::ffff:192.0.2.9", 0),
        ("exempt", &exempt, "192.0.2.9", 2),
        ("exempt as IPv6", &exempt, "::ffff:192.0.2.9", 2),
        ("limited", &exempt, "192.0.3.9", 1),
        ("limited as IPv6", &exempt, "::ffff:192.0.3.9", 0),
    ] {
        let mut count = 0;
        for _ in 0..2 {
            count += crowd(&stack, cast, [address.to_owned()].into_iter())
                .await
                .0;
        }
        assert_eq!(count, accepted, "{name}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn live_session_limit_frees_on_end() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"max_live_sessions": 2})).await;
    let first = stack.claim(Caller(1), key(&cast)).await.json();
    assert_eq!(stack.claim(Caller(2), key(&cast)).await.status, 202);
    let full = stack.claim(Caller(3), key(&cast)).await;
    assert_eq!(
        (
            full.status,
            full.code().as_str(),
            full.header("retry-after")
        ),
        (503, "cast-busy", "60")
    );
    let end = stack.request(
        Method::POST,
        &format!(
            "/session/{}/end",
            first["session_id"].as_str().expect("an id")
        ),
    );
    let ended = Answer::of(
        end.bearer_auth(first["session_token"].as_str().expect("a token"))
            .header("accept", "application/json"),
    )
    .await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    // That it was full is remembered for less than a second.
    stack.clock.advance(1);
    stack.local.control_plane.sweep().await.expect("sweeps");
    let after = stack.claim(Caller(3), key(&cast)).await;
    assert_eq!(after.status, 202, "{}", after.text);

    stack
        .admin(Method::PATCH, "settings", Some(&json!({"max_sessions": 0})))
        .await;
    assert_eq!(
        stack.claim(Caller(4), "welcome").await.code(),
        "maintenance"
    );
    stack
        .admin(Method::PATCH, "settings", Some(&json!({"max_sessions": 1})))
        .await;
    assert_eq!(
        stack.claim(Caller(4), "welcome").await.code(),
        "system-busy",
        "what lived before the limit was set is counted"
    );
    stack
        .admin(Method::PATCH, "settings", Some(&json!({"max_sessions": 3})))
        .await;
    stack.clock.advance(1);
    assert_eq!(stack.claim(Caller(4), "welcome").await.status, 202);
    assert_eq!(
        stack.claim(Caller(5), "welcome").await.code(),
        "system-busy"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn budget_closes_links_until_its_window_ends() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let set = async |change: Value| {
        let set = stack.admin(Method::PATCH, "settings", Some(&change)).await;
        assert_eq!(set.status, 200, "{}", set.text);
    };
    // A session of this image can cost just under two cents.
    set(json!({"budget_per_hour_cents": 2, "budget_per_day_cents": 4})).await;
    stack.clock.advance(1800);
    let first = stack.claim(Caller(1), key(&cast)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let refused = stack.claim(Caller(2), key(&cast)).await;
    assert_eq!(
        (
            refused.status,
            refused.code(),
            refused.header("retry-after")
        ),
        (503, "budget-reached".to_owned(), "1800")
    );
    let page = stack.get("/error/budget-reached").await;
    assert!(page.text.contains("Closed for now"), "{}", page.text);
    // What a session has not cost comes back with its end.
    let id = first.json()["session_id"].clone();
    let path = format!("sessions/{}/stop", id.as_str().expect("an id"));
    assert_eq!(stack.admin(Method::POST, &path, None).await.status, 200);
    stack.clock.advance(60);
    stack.local.control_plane.sweep().await.expect("sweeps");
    stack.clock.advance(5);
    assert_eq!(stack.claim(Caller(3), key(&cast)).await.status, 202);
    let refused = stack.claim(Caller(4), key(&cast)).await;
    assert_eq!(refused.code(), "budget-reached");
    stack.clock.advance(3600);
    let next_hour = stack.claim(Caller(4), key(&cast)).await;
    assert_eq!(next_hour.status, 202, "{}", next_hour.text);
    stack.clock.advance(3600);
    let day = stack.claim(Caller(5), key(&cast)).await;
    assert_eq!(day.code(), "budget-reached", "the day's");
    let wait: u64 = day.header("retry-after").parse().expect("seconds");
    assert!(wait > 3600, "until midnight: {wait}");
    set(json!({"budget_per_hour_cents": null, "budget_per_day_cents": null})).await;
    assert_eq!(stack.claim(Caller(4), key(&cast)).await.status, 202);
    stack.local.stop().await;
}

#[tokio::test]
async fn budget_of_a_link_closes_it_and_counts_extensions() {
    let stack = TestStack::start().await;
    // A session of this image can cost just under two cents.
    let cast = stack
        .cast(&json!({"budget_per_hour_cents": 2, "budget_per_month_cents": 900}))
        .await;
    let other = stack.cast(&json!({"name": "Other"})).await;
    let id = cast["id"].as_str().expect("an id");
    let budgets = async || {
        let path = format!("casts/{id}/budgets");
        let read = stack.admin(Method::GET, &path, None).await;
        read.json()["items"].as_array().expect("items").clone()
    };
    stack.clock.advance(1800);
    let first = stack.claim(Caller(1), key(&cast)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let refused = stack.claim(Caller(2), key(&cast)).await;
    assert_eq!(
        (
            refused.status,
            refused.code(),
            refused.header("retry-after")
        ),
        (503, "link-budget-reached".to_owned(), "1800")
    );
    let told = stack.get("/error/link-budget-reached").await;
    assert!(told.text.contains("This link is closed for now"));
    assert_eq!(stack.claim(Caller(3), key(&other)).await.status, 202);
    let [hour, month] = &budgets().await[..] else {
        panic!("two are set")
    };
    assert_eq!(
        (&hour["window"], &hour["limit_cents"]),
        (&json!("hour"), &json!(2))
    );
    let taken = hour["taken_cents"].as_f64().expect("a number");
    assert!((1.0..2.0).contains(&taken), "{hour}");
    let forecast = hour["forecast_cents"].as_f64().expect("a number");
    assert!(
        (forecast - taken * 2.0).abs() < 0.02,
        "half of it is over: {hour}"
    );
    assert_eq!(month["ends_at"], "2026-12-01T00:00:00Z");
    // An administrator's extension is counted too, where the session goes on in another hour.
    let session = SessionId::parse(first.json()["session_id"].as_str().expect("an id"));
    let session = session.expect("an id");
    let secret = stack.local.control_plane.keys.sessions();
    let report = stack.request(Method::POST, &format!("/session/{session}/reports"));
    let report = report.bearer_auth(secret.secret(&session).expose());
    Answer::of(report.json(&casting_core::Report::Ready { port: 9 })).await;
    stack.clock.advance(1900);
    assert_eq!(budgets().await[0]["taken_cents"], 0.0, "a new hour");
    let path = format!("sessions/{session}/extend");
    for _ in 0..2 {
        let more = json!({"minutes": 30});
        let extended = stack.admin(Method::POST, &path, Some(&more)).await;
        assert_eq!(extended.status, 200, "{}", extended.text);
    }
    let hour = &budgets().await[0];
    let taken = hour["taken_cents"].as_f64().expect("a number");
    assert!((1.7..1.8).contains(&taken), "two halves of an hour: {hour}");
    let full = stack.claim(Caller(4), key(&cast)).await;
    assert_eq!(full.code(), "link-budget-reached");
    let path = format!("sessions/{session}/stop");
    assert_eq!(stack.admin(Method::POST, &path, None).await.status, 200);
    stack.clock.advance(60);
    stack.local.control_plane.sweep().await.expect("sweeps");
    let left = budgets().await[0]["taken_cents"]
        .as_f64()
        .expect("a number");
    assert!(left < 1.0, "what it has not cost comes back: {left}");
    // A budget of all time says no time to come back.
    let change = json!({"budget_per_hour_cents": null, "budget_in_all_cents": 1});
    let set = stack
        .admin(Method::PATCH, &format!("casts/{id}"), Some(&change))
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    let closed = stack.claim(Caller(5), key(&cast)).await;
    assert_eq!(closed.code(), "link-budget-reached");
    assert_eq!(closed.header("retry-after"), "");
    stack.local.stop().await;
}

#[tokio::test]
async fn first_link_stores_the_initial_limits() {
    let stack = TestStack::beginning_with(FirstLimits {
        max_sessions: Some(7),
        budget_per_hour_cents: Some(1000),
        budget_per_day_cents: None,
    })
    .await;
    let read = async || {
        let settings = stack.admin(Method::GET, "settings", None).await.json();
        let names = ["version", "max_sessions", "budget_per_hour_cents"];
        names.map(|name| settings[name].clone())
    };
    assert_eq!(
        read().await,
        [json!(0), json!(null), json!(null)],
        "one that has links already is left alone"
    );
    let casts = stack.admin(Method::GET, "casts", None).await.json();
    for cast in casts["items"].as_array().expect("casts") {
        let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
        assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 204);
    }
    let first = [json!(7), json!(1000)];
    assert_eq!(read().await[1..], first, "what it will begin with");
    let cast = stack.cast(&json!({})).await;
    assert_eq!(read().await, [json!(1), json!(7), json!(1000)]);
    for n in 1..=7 {
        assert_eq!(stack.claim(Caller(n), key(&cast)).await.status, 202);
    }
    assert_eq!(
        stack.claim(Caller(8), key(&cast)).await.code(),
        "system-busy"
    );
    let change = json!({"max_sessions": null});
    stack.admin(Method::PATCH, "settings", Some(&change)).await;
    stack.cast(&json!({})).await;
    assert_eq!(
        read().await,
        [json!(2), json!(null), json!(1000)],
        "what was changed stays changed"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn new_limit_counts_existing_sessions() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
    let claim = async |n| stack.claim(Caller(n), key(&cast)).await;
    for n in 1..=3 {
        assert_eq!(claim(n).await.status, 202);
    }
    for (name, most, admitted) in [
        ("set to what lives", json!(3), 0),
        ("raised by one", json!(4), 1),
        ("lowered", json!(2), 0),
        ("off", json!(null), 2),
        ("on again", json!(7), 1),
    ] {
        let change = json!({ "max_live_sessions": most });
        let changed = stack.admin(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(changed.status, 200, "{name}: {}", changed.text);
        stack.clock.advance(1);
        for n in 0..2 {
            let answer = claim(10 + n).await;
            let is_in = n < admitted;
            assert_eq!(answer.status, if is_in { 202 } else { 503 }, "{name}, {n}");
            if !is_in {
                assert_eq!(answer.code(), "cast-busy", "{name}, {n}");
            }
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn hourly_limit_of_anonymous_users_holds() {
    let stack = TestStack::start().await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"anonymous_users_per_hour": 2})),
        )
        .await;
    let cast = stack.cast(&json!({})).await;
    for n in 1..=2 {
        assert_eq!(stack.claim(Caller(n), key(&cast)).await.status, 202);
    }
    let refused = stack.claim(Caller(3), key(&cast)).await;
    assert_eq!(
        (
            refused.status,
            refused.code().as_str(),
            refused.header("retry-after")
        ),
        (429, "anonymous-limit", "3600")
    );
    stack.clock.advance(3600);
    assert_eq!(stack.claim(Caller(3), key(&cast)).await.status, 202);
    stack.local.stop().await;
}

#[tokio::test]
async fn shared_address_is_counted_by_browser_or_exempt() {
    let stack = TestStack::start().await;
    let limit = |fields: Value| {
        let mut limit =
            json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60});
        limit
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("an object").clone());
        limit
    };
    let by_browser = stack
        .cast(&limit(
            json!({"limit_requests_by": "browser", "anonymous_resume": "off"}),
        ))
        .await;
    let claim = async |cookie: Option<&str>| {
        let described = stack.describe(Caller(1), key(&by_browser), "").await;
        let mut request = stack
            .request(Method::POST, &format!("/cast/{}/claims", key(&by_browser)))
            .json(&json!({"ticket": described.json()["ticket"]}));
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("cast-browser={cookie}"));
        }
        Answer::of(request.header("x-forwarded-for", Caller(1).address().to_string()))
            .await
            .status
    };
    let page = stack.get(&format!("/cast/{}", key(&by_browser))).await;
    assert!(
        page.header("set-cookie").starts_with("cast-browser="),
        "the page tells browsers apart: {}",
        page.header("set-cookie")
    );
    assert_eq!(claim(Some("aaaaaaaaaaaaaaaaaaaaaaaa")).await, 202);
    assert_eq!(
        claim(Some("bbbbbbbbbbbbbbbbbbbbbbbb")).await,
        202,
        "another browser at the same address"
    );
    assert_eq!(
        claim(Some("aaaaaaaaaaaaaaaaaaaaaaaa")).await,
        429,
        "the same browser"
    );
    assert_eq!(
        claim(None).await,
        202,
        "one without a cookie counts by address"
    );
    assert_eq!(claim(None).await, 429);

    let exempt = stack
        .cast(&limit(
            json!({"limit_exempt_addresses": ["192.0.2.0/28 Classroom"]}),
        ))
        .await;
    for _ in 0..3 {
        assert_eq!(stack.claim(Caller(1), key(&exempt)).await.status, 202);
    }
    assert_eq!(stack.claim(Caller(99), key(&exempt)).await.status, 202);
    assert_eq!(stack.claim(Caller(99), key(&exempt)).await.status, 429);
    stack.local.stop().await;
}

#[tokio::test]
async fn attempts_are_rate_limited_for_unknown_keys_too() {
    let stack = TestStack::start().await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"attempts_per_minute": 3})),
        )
        .await;
    for n in 0..3 {
        assert_eq!(
            stack
                .describe(Caller(1), &format!("guess-{n}"), "")
                .await
                .status,
            404
        );
    }
    let refused = stack.describe(Caller(1), "guess-9", "").await;
    assert_eq!(
        (
            refused.status,
            refused.code().as_str(),
            refused.header("retry-after")
        ),
        (429, "too-many-attempts", "60")
    );
    assert_eq!(
        stack.describe(Caller(2), "guess-9", "").await.status,
        404,
        "others need not wait"
    );
    stack.clock.advance(60);
    assert_eq!(stack.describe(Caller(1), "guess-9", "").await.status, 404);
    stack.local.stop().await;
}

#[tokio::test]
async fn anonymous_user_is_anonymised_after_the_session_ends() {
    use casting_core::ports::Saved;
    use casting_core::session::{Origin, Owner};
    use casting_tests::processes::soon;
    let stack = TestStack::start().await;
    stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"anonymous_user_hours": 1})),
        )
        .await;
    let group = stack
        .admin(Method::POST, "groups", Some(&json!({"name": "Guests"})))
        .await
        .json()["id"]
        .clone();
    let cast = stack.cast(&json!({"anonymous_user_group_id": group})).await;
    let id = stack.claim(Caller(1), key(&cast)).await.json()["session_id"]
        .as_str()
        .and_then(SessionId::parse)
        .expect("an id");
    let control_plane = &stack.local.control_plane;
    let secret = control_plane.keys.sessions().secret(&id);
    control_plane
        .report(
            &id,
            secret.expose(),
            casting_core::Report::Ready { port: 1 },
            Caller(9).address(),
        )
        .await
        .expect("is ready");
    let row = async || {
        control_plane
            .store
            .session(&id)
            .await
            .expect("reads")
            .expect("is there")
    };
    assert!(
        matches!(
            row().await.owner,
            Owner::Anonymous {
                group: Some(_),
                expires_at: Some(_),
                ..
            }
        ),
        "in the link's group"
    );
    // An event of its task may move it meanwhile.
    let enter = async || {
        let before = row().await;
        let entered = before.entered(stack.clock.now()).expect("is ready");
        let saved = control_plane.store.save_session(&before, &entered).await;
        saved.expect("answers") == Saved::Done
    };
    assert!(soon(enter).await, "is entered");
    stack.clock.advance(3590);
    control_plane.sweep().await.expect("sweeps");
    assert!(row().await.is_live());
    control_plane
        .end_as_administrator(&id, None)
        .await
        .expect("ends");
    stack.clock.advance(5);
    control_plane.sweep().await.expect("sweeps");
    assert!(
        matches!(row().await.owner, Owner::Anonymous { .. }),
        "not yet"
    );
    stack.clock.advance(10);
    control_plane.sweep().await.expect("sweeps");
    let forgotten = row().await;
    assert_eq!(
        (forgotten.owner, forgotten.origin),
        (Owner::Anonymised, Origin::default()),
        "who it was and where from is gone"
    );
    assert!(
        !matches!(
            forgotten.state,
            casting_core::session::State::Ended { refunded: true, .. }
        ),
        "what the ledger counts stays"
    );
    stack.local.stop().await;
}

/// A request of a logged-in user.
async fn claim_as(
    stack: &TestStack,
    user: &User,
    cast: &Value,
    query: &str,
    consent: bool,
) -> Answer {
    let ticket = LoginTicket {
        user: user.clone(),
        expires: stack.clock.now().plus_seconds(3600),
    }
    .sign(&stack.local.control_plane.keys);
    let cookie = format!("cast-login={ticket}");
    let described = Answer::of(
        stack
            .request(Method::GET, &format!("/api/casts/{}{query}", key(cast)))
            .header("cookie", &cookie),
    )
    .await;
    let document = json!({"ticket": described.json()["ticket"], "consent": consent});
    Answer::of(
        stack
            .request(Method::POST, &format!("/cast/{}/claims", key(cast)))
            .header("cookie", &cookie)
            .json(&document),
    )
    .await
}

#[tokio::test]
async fn login_grants_access_and_groups_limit_it() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"allow_anonymous": false})).await;
    let described = stack.describe(Caller(1), key(&cast), "").await.json();
    assert_eq!(
        (described["needs"].clone(), described["ticket"].clone()),
        (json!(["login"]), Value::Null)
    );
    let staff = json!({"name": "Staff", "priority": 10, "client_settings": {"sessions_per_user": 1, "permissions": {"downloads": false}}});
    let made = stack.admin(Method::POST, "groups", Some(&staff)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let ann = User {
        groups: vec!["Staff".into()],
        ..user(1)
    };
    let first = claim_as(&stack, &ann, &cast, "", false).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let second = claim_as(&stack, &ann, &cast, "", false).await;
    assert_eq!((second.status, second.code().as_str()), (429, "user-limit"));
    assert_eq!(
        claim_as(&stack, &user(2), &cast, "", false).await.status,
        202,
        "in no group, without a limit"
    );
    let id =
        casting_core::ids::SessionId::parse(first.json()["session_id"].as_str().expect("an id"))
            .expect("an id");
    let row = stack
        .local
        .control_plane
        .store
        .session(&id)
        .await
        .expect("reads")
        .expect("is there");
    assert!(
        !row.grant
            .permissions
            .contains(&casting_core::permission::Permission::Downloads),
        "frozen into the session: {:?}",
        row.grant
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn resume_returns_the_same_session_for_free() {
    let stack = TestStack::start().await;
    let image = format!("images/{}", stack.image().await);
    let go = json!({"exec_config": {"go": {"cmd": "true"}}});
    let changed = stack.admin(Method::PATCH, &image, Some(&go)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let cast = stack
        .cast(&json!({"allow_anonymous": false, "allow_resume": true, "allow_dynamic_kasm_url": true, "limit_total_sessions": true, "sessions_remaining": 2}))
        .await;
    let session = |answer: &Answer| {
        answer.json()["session_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let first = claim_as(&stack, &user(1), &cast, "", false).await;
    let again = claim_as(&stack, &user(1), &cast, "?kasm_url=example.com", true).await;
    assert_eq!(session(&first), session(&again));
    assert_eq!(stack.remaining(&cast).await, 1, "a resume uses no count");
    let id = casting_core::ids::SessionId::parse(&session(&first)).expect("an id");
    let row = stack
        .local
        .control_plane
        .store
        .session(&id)
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!(
        row.go.map(|go| go.url).as_deref(),
        Some("https://example.com/"),
        "the address is to be opened there"
    );
    assert_ne!(
        session(&claim_as(&stack, &user(2), &cast, "", false).await),
        session(&first),
        "somebody else gets another"
    );
    assert_eq!(
        session(&claim_as(&stack, &user(1), &cast, "", false).await),
        session(&first),
        "also when none remain"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn responses_carry_rate_limit_headers() {
    let stack = TestStack::start().await;
    let limit =
        json!({"limit_requests_per_ip": true, "sessions_allowed": 2, "within_seconds": 600});
    let (limited, free) = (stack.cast(&limit).await, stack.cast(&json!({})).await);
    let told = |answer: &Answer| {
        let text = |name| answer.header(name).to_owned();
        (answer.status, text("ratelimit-policy"), text("ratelimit"))
    };
    let attempts = |left: u32| format!("\"attempts\";r={left};t=60");
    let policy = "\"attempts\";q=120;w=60, \"sessions\";q=2;w=600";
    let described = stack.describe(Caller(1), key(&limited), "").await;
    assert_eq!(told(&described), (200, policy.to_owned(), attempts(120)));
    for (name, status, left, sessions) in [
        ("the first", 202, 119, "\"sessions\";r=1;t=600"),
        ("the second", 202, 118, "\"sessions\";r=0;t=600"),
        ("one too many", 429, 117, "\"sessions\";r=0;t=600"),
    ] {
        let answer = stack.claim(Caller(1), key(&limited)).await;
        let expected = format!("{}, {sessions}", attempts(left));
        assert_eq!(
            told(&answer),
            (status, policy.to_owned(), expected),
            "{name}"
        );
    }
    let free = stack.claim(Caller(2), key(&free)).await;
    let only = "\"attempts\";q=120;w=60".to_owned();
    assert_eq!(told(&free), (202, only.clone(), attempts(119)));
    let unknown = stack.claim(Caller(3), "no-such-link").await;
    assert_eq!(told(&unknown), (404, only, attempts(119)));
    let calls = stack.admin(Method::GET, "casts", None).await;
    let (status, policy, left) = told(&calls);
    assert_eq!((status, policy.as_str()), (200, "\"calls\";q=1200;w=60"));
    assert!(left.starts_with("\"calls\";r=1"), "{left}");
    stack.local.stop().await;
}
