//! Owns authentication and authorization of all admin routes from end to end. The tests walk the
//! route tables, so a new route is covered without a change here.

use casting_web::routes::{Access, Route};
use http::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, TestStack};

/// Ids that look right for every kind of thing, and that nothing has.
fn path_of(route: &Route) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let id = match route.path {
        path if path.contains("/casts/") => format!("c{letters}"),
        path if path.contains("/images/") => format!("i{letters}"),
        path if path.contains("/groups/") => format!("g{letters}"),
        path if path.contains("/networks/") => "lab".to_owned(),
        path if path.contains("/staging") => format!("p{letters}"),
        path if path.contains("/users/") => format!("u{letters}"),
        path if path.contains("/sessions/") => format!("s{letters}"),
        path if path.contains("/api-keys/") => format!("k{letters}"),
        _ => "01795435200000-0123456789abcdef".to_owned(),
    };
    route.path.replace("{id}", &id)
}

/// Every route of the admin function that is not public.
fn guarded() -> impl Iterator<Item = &'static Route> {
    casting_fn_admin::routes().filter(|route| route.access != Access::Public)
}

fn is_api(route: &Route) -> bool {
    route.path.starts_with("/api/")
}

/// The cookie of a sign-in with this key.
pub async fn sign_in(stack: &TestStack, key: &str) -> String {
    let sent = stack
        .request(Method::POST, "/admin/sign-in")
        .header("sec-fetch-site", "same-origin")
        .form(&[("key", key)]);
    let answer = Answer::of(sent).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let cookies = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().expect("text"));
    let cookie = cookies
        .filter_map(|cookie| cookie.split(';').next())
        .find(|cookie| cookie.starts_with("cast-console="));
    cookie.expect("a console ticket").to_owned()
}

/// A new key with these scopes: its id and its text.
pub async fn key(stack: &TestStack, scopes: &[&str]) -> (String, String) {
    let made = stack
        .admin(
            Method::POST,
            "api-keys",
            Some(&json!({"name": "Test", "scopes": scopes})),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |name: &str| made.json()[name].as_str().expect("a text").to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn admin_routes_require_authentication() {
    let stack = TestStack::start().await;
    let before = stack.ledger().await;
    let mut walked = 0;
    for route in guarded() {
        let path = path_of(route);
        for (name, header) in [
            ("nobody", None),
            (
                "a wrong key",
                Some("Bearer kabcdefghijklmnopqrstuvwxyz.AAAAAAAAAAAAAAAAAAAAAA"),
            ),
        ] {
            let mut request = stack
                .request(route.method.clone(), &path)
                .header("content-type", "application/json")
                .body("{}");
            if let Some(header) = header {
                // Each from an address of its own, so that no wrong key is slowed down by the
                // others.
                let address = format!("198.51.{}.{}", walked / 250, walked % 250);
                request = request
                    .header("authorization", header)
                    .header("x-forwarded-for", address);
            }
            let answer = Answer::of(request).await;
            if is_api(route) {
                assert_eq!(
                    (answer.status, answer.header("www-authenticate")),
                    (401, "Bearer"),
                    "{name} at {} {path}",
                    route.method
                );
            } else {
                let leads_to_sign_in =
                    answer.status == 303 && answer.header("location").starts_with("/admin/sign-in");
                assert!(
                    leads_to_sign_in,
                    "{name} at {} {path}: {} {}",
                    route.method,
                    answer.status,
                    answer.header("location")
                );
            }
        }
        walked += 1;
    }
    assert!(walked > 90, "{walked} routes");
    assert_eq!(stack.ledger().await, before, "and nothing has changed");
    stack.local.stop().await;
}

#[tokio::test]
async fn write_routes_refuse_read_only_users() {
    let stack = TestStack::start().await;
    let (_, auditor) = key(&stack, &["read"]).await;
    let cookie = sign_in(&stack, &auditor).await;
    let before = stack.ledger().await;
    let mut refused = 0;
    for route in guarded() {
        let path = path_of(route);
        let request = stack.request(route.method.clone(), &path);
        let answer = if is_api(route) {
            Answer::of(
                request
                    .bearer_auth(&auditor)
                    .header("content-type", "application/json")
                    .body("{}"),
            )
            .await
        } else {
            Answer::of(
                request
                    .header("cookie", &cookie)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body("a=b"),
            )
            .await
        };
        match route.access {
            Access::Write(_) | Access::Change => {
                assert_eq!(
                    answer.status, 403,
                    "{} {path}: {}",
                    route.method, answer.text
                );
                refused += 1;
            }
            // Forms that change nothing, and the way out, still want the CSRF token of a page of
            // this sign-in.
            _ if route.method == Method::POST && !is_api(route) => {
                assert_eq!(answer.status, 403, "{path}");
            }
            _ => assert!(
                ![401, 403].contains(&answer.status),
                "{} {path}: {}",
                route.method,
                answer.status
            ),
        }
    }
    assert!(refused > 50, "{refused} routes");
    assert_eq!(stack.ledger().await, before, "and nothing has changed");
    stack.local.stop().await;
}

#[tokio::test]
async fn csrf_token_is_bound_to_the_console_session() {
    let stack = TestStack::start().await;
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let other = sign_in(&stack, &stack.local.admin_key).await;
    assert_ne!(cookie, other, "every sign-in is another one");
    let before = stack.ledger().await;
    for route in guarded().filter(|route| !is_api(route) && route.method == Method::POST) {
        let path = path_of(route);
        for (name, site, field) in [
            ("another site's page", "cross-site", "csrf_token=x"),
            ("no CSRF token", "same-origin", "a=b"),
            ("a made-up CSRF token", "same-origin", "csrf_token=AAAA"),
        ] {
            let request = stack
                .request(Method::POST, &path)
                .header("cookie", &cookie)
                .header("sec-fetch-site", site);
            let answer = Answer::of(
                request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(field),
            )
            .await;
            assert_eq!(answer.status, 403, "{name} at {path}");
        }
    }
    for site in ["cross-site", "same-site"] {
        let request = stack
            .request(Method::POST, "/admin/sign-in")
            .header("sec-fetch-site", site)
            .form(&[("key", &stack.local.admin_key)]);
        assert_eq!(
            Answer::of(request).await.status,
            403,
            "nobody is signed in by a page of {site}"
        );
    }
    assert_eq!(stack.ledger().await, before, "and nothing has changed");
    stack.local.stop().await;
}

#[tokio::test]
async fn each_scope_allows_only_its_routes() {
    let stack = TestStack::start().await;
    for scope in casting_core::actor::Scope::ALL {
        let (_, text) = key(&stack, &[scope.as_str()]).await;
        for route in guarded().filter(|route| is_api(route)) {
            let request = stack
                .request(route.method.clone(), &path_of(route))
                .bearer_auth(&text)
                .header("content-type", "application/json");
            let status = Answer::of(request.body("{}")).await.status;
            let may = match route.access {
                Access::Write(needed) => needed == scope,
                Access::Change => scope.as_str() != "read",
                _ => true,
            };
            assert_eq!(
                status != 403,
                may,
                "{} at {} {}: {status}",
                scope.as_str(),
                route.method,
                route.path
            );
        }
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn console_session_ends_with_key_time_or_sign_out() {
    let stack = TestStack::start().await;
    let status = async |cookie: &str| {
        Answer::of(
            stack
                .request(Method::GET, "/admin")
                .header("cookie", cookie),
        )
        .await
        .status
    };
    let (id, text) = key(&stack, &["read"]).await;
    let cookie = sign_in(&stack, &text).await;
    assert_eq!(status(&cookie).await, 200);
    assert_eq!(
        stack
            .admin(Method::DELETE, &format!("api-keys/{id}"), None)
            .await
            .status,
        204
    );
    assert_eq!(status(&cookie).await, 303, "its key is gone");

    let (_, text) = key(&stack, &["read"]).await;
    let cookie = sign_in(&stack, &text).await;
    stack.clock.advance(8 * 3600 - 1);
    assert_eq!(status(&cookie).await, 200);
    stack.clock.advance(1);
    assert_eq!(status(&cookie).await, 303, "its time is over");

    let until: Value = json!(
        casting_core::time::Timestamp::from_millis(
            casting_core::time::Clock::now(&*stack.clock).millis() + 60_000
        )
        .to_string()
    );
    let made = stack
        .admin(
            Method::POST,
            "api-keys",
            Some(&json!({"name": "Short", "expires_at": until})),
        )
        .await
        .json();
    let short = made["key"].as_str().expect("a key");
    let me = async || {
        Answer::of(
            stack
                .request(Method::GET, "/api/admin/me")
                .bearer_auth(short),
        )
        .await
        .status
    };
    assert_eq!(me().await, 200);
    stack.clock.advance(60);
    assert_eq!(me().await, 401, "a key that has expired opens nothing");
    stack.local.stop().await;
}

#[tokio::test]
async fn key_guessing_is_rate_limited() {
    let stack = TestStack::start().await;
    let changed = stack
        .admin(
            Method::PATCH,
            "settings",
            Some(&json!({"attempts_per_minute": 5})),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let guess = async |from: &str, key: &str| {
        Answer::of(
            stack
                .request(Method::GET, "/api/admin/me")
                .header("x-forwarded-for", from)
                .header("x-api-key", key),
        )
        .await
    };
    for n in 0..5 {
        assert_eq!(guess("192.0.2.9", "a wrong key").await.status, 401, "{n}");
    }
    let slowed = guess("192.0.2.9", &stack.local.admin_key).await;
    assert_eq!(
        (slowed.status, slowed.code().as_str()),
        (429, "too-many-attempts"),
        "also with the right one"
    );
    assert!(!slowed.header("retry-after").is_empty());
    assert_eq!(
        guess("192.0.2.10", &stack.local.admin_key).await.status,
        200,
        "others do not"
    );
    stack.clock.advance(60);
    assert_eq!(guess("192.0.2.9", &stack.local.admin_key).await.status, 200);
    stack.local.stop().await;
}
