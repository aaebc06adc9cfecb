//! Owns links in other sites' pages: two origins on this machine, which are two sites to a browser.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use casting_core::cast::CastSettings;
use casting_core::ids::{CastKey, ImageId};
use casting_core::referrer::ReferrerRule;
use casting_tests::processes::soon;
use casting_web::embed;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, element, into_app, shoot, text, wait_for,
};
use crate::page_audit::check_accessibility;

/// A page of another site with this link in it, by the lines that its administrator is given.
/// Returns its port.
async fn other_site(link: &str) -> u16 {
    let (origin, key) = link.split_once("/cast/").expect("a link");
    let mut settings = CastSettings::open(
        "Internal".into(),
        CastKey::parse(key).expect("a key"),
        ImageId::from_bytes([1; 16]),
    );
    settings.referrers = vec![ReferrerRule::parse("127.0.0.1").expect("an address")];
    let snippet = embed::snippet(&settings, "Demo app", origin).expect("a snippet");
    let page = format!(
        "<!doctype html><html lang=en><title>Another site</title><style>body{{font:1rem/1.6 Georgia,serif;max-width:44rem;margin:2rem auto}}</style>\
         <h1>Another site</h1><p>Our readers can try it right here:</p>{snippet}<p>And here the text goes on.</p>"
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let router = Router::new().route("/", get(move || std::future::ready(Html(page.clone()))));
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn into_frame(window: &Client) {
    element(window, "iframe")
        .await
        .enter_frame()
        .await
        .expect("a frame");
}

/// Goes to the window that was opened last, once there are two.
async fn into_new_window(window: &Client) {
    let first = window.window().await.expect("a window");
    assert!(
        soon(async || window
            .windows()
            .await
            .is_ok_and(|windows| windows.len() == 2))
        .await,
        "a window opens"
    );
    let new = window
        .windows()
        .await
        .expect("windows")
        .into_iter()
        .find(|one| *one != first)
        .expect("another one");
    window.switch_to_window(new).await.expect("switches");
}

async fn sessions(casting: &CastingProgram) -> usize {
    casting.admin(Method::GET, "sessions", &Value::Null).await["items"]
        .as_array()
        .expect("sessions")
        .len()
}

#[tokio::test]
async fn embedded_link_opens_the_session_in_a_new_window() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for (name, fields, look) in [
        ("plain", json!({}), DESK),
        (
            "checked",
            json!({"require_captcha": true}),
            Look { dark: true, ..DESK },
        ),
        (
            "without-scripting",
            json!({}),
            Look {
                scripting: false,
                ..DESK
            },
        ),
    ] {
        let mut fields = fields;
        fields["restrict_to_referrers"] = json!(["127.0.0.1"]);
        let port = other_site(&casting.link(&fields).await).await;
        let (window, before) = (driver.window(look).await, sessions(&casting).await);
        window
            .goto(&format!("http://127.0.0.1:{port}/"))
            .await
            .expect("opens");
        into_frame(&window).await;
        wait_for(&window, "form", "It opens in a window of its own.").await;
        if look.scripting {
            check_accessibility(&window, name).await;
        }
        assert_eq!(
            sessions(&casting).await,
            before,
            "{name}: nothing starts by itself"
        );
        click(&window, "#start button").await;
        if look.scripting {
            wait_for(&window, "#start button", "Opened in a window of its own").await;
        }
        window.enter_parent_frame().await.expect("the page");
        let page = window.window().await.expect("a window");
        into_new_window(&window).await;
        if look.scripting {
            into_app(&window).await;
            wait_for(&window, "#status", "live").await;
        } else {
            soon(async || window.find(Locator::Css("noscript iframe")).await.is_ok()).await;
            assert!(
                window.find(Locator::Css("noscript iframe")).await.is_ok(),
                "{}",
                text(&window).await
            );
        }
        window.switch_to_window(page).await.expect("switches back");
        assert!(
            text(&window).await.contains("And here the text goes on."),
            "{name}: the other site's page is still there"
        );
        if look.scripting {
            into_frame(&window).await;
            wait_for(&window, "#start button", "Start").await;
            window.enter_parent_frame().await.expect("the page");
        }
        shoot(&window, &format!("embedded-{name}")).await;
        assert_eq!(console(&window).await, Vec::<String>::new(), "{name}");
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn embedded_login_opens_a_new_window() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let port = other_site(
        &casting
            .link(&json!({"allow_anonymous": false, "restrict_to_referrers": ["127.0.0.1"]}))
            .await,
    )
    .await;
    let window = driver.window(DESK).await;
    window
        .goto(&format!("http://127.0.0.1:{port}/"))
        .await
        .expect("opens");
    into_frame(&window).await;
    wait_for(&window, "body", "This link is for people with an account.").await;
    check_accessibility(&window, "sign in").await;
    shoot(&window, "embedded-sign-in").await;
    click(&window, "a.button").await;
    window.enter_parent_frame().await.expect("the page");
    into_new_window(&window).await;
    wait_for(&window, "h1", "Who are you?").await;
    click(&window, "button[value=bob]").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn embedded_refusal_is_shown_on_listed_sites_only() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({"restrict_to_referrers": ["127.0.0.1"], "limit_total_sessions": true, "sessions_remaining": 0});
    let port = other_site(&casting.link(&fields).await).await;
    let window = driver.window(DESK).await;
    window
        .goto(&format!("http://127.0.0.1:{port}/"))
        .await
        .expect("opens");
    into_frame(&window).await;
    wait_for(&window, "h1", "All sessions are taken").await;
    check_accessibility(&window, "sold out").await;
    window.enter_parent_frame().await.expect("the page");
    shoot(&window, "embedded-sold-out").await;

    // The same page under a name that is not listed.
    let port = other_site(
        &casting
            .link(&json!({"restrict_to_referrers": ["127.0.0.1"]}))
            .await,
    )
    .await;
    window
        .goto(&format!("http://localhost:{port}/"))
        .await
        .expect("opens");
    into_frame(&window).await;
    let shown = text(&window).await;
    assert!(
        !shown.contains("Start") && !shown.contains("own window") && !shown.contains("Demo app"),
        "{shown}"
    );
    window.close().await.expect("closes");
}
