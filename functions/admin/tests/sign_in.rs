//! Owns the page on which administrators sign in, as a deployment with a login provider shows it
//! and as one without does. It asks no database.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::sync::Arc;

use casting_boot::Settings;
use casting_core::PublicUrls;
use casting_core::testing::{NOON, SeededEntropy, SetClock};
use casting_core::ticket::LoginTicket;
use casting_core::user::{ConsoleRole, User};
use casting_web::{Body, Request};

const OURS: &str = "https://cast.example.com";
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The page for a user with this login.
async fn page(has_logins: bool, user: Option<User>) -> String {
    let urls = PublicUrls {
        public_url: OURS.into(),
        report_url: OURS.into(),
        session_url: "https://{session}.example.com".into(),
    };
    let nowhere = "http://127.0.0.1:9";
    let (clock, entropy) = (
        Arc::new(SetClock::at(NOON)),
        Arc::new(SeededEntropy::new(1)),
    );
    let settings = Settings::local(urls, KEY, nowhere, nowhere, clock, entropy).expect("are right");
    let control = casting_boot::build(Settings {
        has_logins,
        ..settings
    })
    .expect("a control plane");
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = format!("{OURS}/admin/sign-in?to=/admin/casts")
        .parse()
        .expect("an address");
    if let Some(user) = user {
        let ticket = LoginTicket {
            user,
            expires: NOON.plus_seconds(60),
        }
        .sign(&control.keys);
        let name = casting_web::credentials::login_cookie(true);
        request.headers_mut().insert(
            "cookie",
            format!("{name}={ticket}").parse().expect("a cookie"),
        );
    }
    let reply = casting_fn_admin::handle(&control, request).await;
    assert_eq!(reply.status(), 200);
    let Body::Text(text) = reply.into_body() else {
        return String::new();
    };
    text
}

#[tokio::test]
async fn login_button_needs_a_provider() {
    let (with, without) = (page(true, None).await, page(false, None).await);
    assert!(
        with.contains("Sign in with your account") && with.contains("/login?to=%2Fadmin%2Fcasts"),
        "{with}"
    );
    assert!(
        !without.contains("your account") && !without.contains("/login"),
        "{without}"
    );
    for page in [with, without] {
        assert!(
            page.contains("<label for=\"key\">API key</label>"),
            "a key is always taken"
        );
    }
}

#[tokio::test]
async fn user_without_role_gets_an_explanation() {
    let stranger = User {
        roles: Default::default(),
        ..casting_core::testing::user(1)
    };
    let known = User {
        roles: [ConsoleRole::Admin].into_iter().collect(),
        ..stranger.clone()
    };
    let html = page(true, Some(stranger)).await;
    assert!(
        html.contains("which has no access to the console")
            && html.contains("Sign in with another account"),
        "{html}"
    );
    assert!(
        !page(true, Some(known)).await.contains("may not come in"),
        "whoever has a role was brought here by something else"
    );
}
