//! Owns how a refused visitor goes on in a real browser: the countdown, reloading, the way back and
//! the reference, on a desk and on a phone.

use casting_tests::processes::soon;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, into_app, shoot, text, wait_for,
};
use crate::page_audit::check_accessibility;

#[tokio::test]
async fn limited_visitor_gets_in_when_the_wait_is_over() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 12,
        "limit_requests_by": "browser", "anonymous_resume": "off",
    });
    let link = casting.link(&fields).await;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "h1", "Too many sessions").await;
        wait_for(&window, "[role=timer]", "tries again by itself in").await;
        let name = if phone { "wait-phone" } else { "wait" };
        shoot(&window, name).await;
        let at = window.current_url().await.expect("an address");
        assert_eq!(at.as_str(), link, "the link, without the notice");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        assert_eq!(console(&window).await, Vec::<String>::new());
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn reload_of_a_refusal_is_the_link_again() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({
        "limit_total_sessions": true, "sessions_remaining": 1, "contact": "desk@example.com",
        "start_on_click": "never",
    });
    let link = casting.link(&fields).await;
    // Without JavaScript it is said once the button is pressed, and nothing is started either.
    for phone in [false, true] {
        let look = Look {
            phone,
            cookies: false,
            scripting: false,
            ..DESK
        };
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        click(&window, "#start button").await;
        wait_for(&window, "h1", "Your browser blocks cookies").await;
        let name = if phone {
            "cookies-still-phone"
        } else {
            "cookies-still"
        };
        shoot(&window, name).await;
        click(&window, "#help a.button").await;
        wait_for(&window, "#start button", "Start").await;
        window.close().await.expect("closes");
    }
    let key = link.rsplit('/').next().expect("a key");
    let casts = format!("casts?search={key}");
    let casts = casting.admin(Method::GET, &casts, &Value::Null).await;
    let path = format!("casts/{}", casts["items"][0]["id"].as_str().expect("an id"));
    let add = async |places: i64| {
        let change = json!({"sessions_remaining_add": places});
        casting.admin(Method::PATCH, &path, &change).await
    };
    for (scripting, phone) in [(true, false), (true, true), (false, true)] {
        let look = Look {
            scripting,
            phone,
            ..DESK
        };
        let window = driver.window(look).await;
        // A page that was opened while there was a place.
        window
            .goto(&format!("{link}#started"))
            .await
            .expect("opens");
        add(-1).await;
        click(&window, "#start button").await;
        wait_for(&window, "h1", "All sessions are taken").await;
        wait_for(&window, "#help", "desk@example.com").await;
        let name = match (scripting, phone) {
            (true, false) => "taken",
            (true, true) => "taken-phone",
            (false, _) => "taken-without-scripting",
        };
        shoot(&window, name).await;
        if scripting {
            click(&window, "#copy").await;
            wait_for(&window, "#copy", "Copied").await;
        }
        add(1).await;
        if scripting {
            window.refresh().await.expect("loads again");
        } else {
            click(&window, ".actions a").await;
            click(&window, "#start button").await;
        }
        let inside = soon(async || window.find(Locator::Css("#app")).await.is_ok()).await;
        let waits = text(&window).await;
        assert!(
            inside || waits.contains("Your session is starting"),
            "{waits}"
        );
        window.close().await.expect("closes");
        add(1).await;
    }
}

#[tokio::test]
async fn closed_tab_finds_its_session_by_the_link() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({})).await;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let first = window.current_url().await.expect("an address");
        window.goto(&link).await.expect("opens");
        wait_for(&window, "main", "You have one open since").await;
        shoot(&window, if phone { "ask-phone" } else { "ask" }).await;
        click(&window, "#start button").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let again = window.current_url().await.expect("an address");
        assert_eq!(again.host_str(), first.host_str(), "the same session");
        window.goto(&link).await.expect("opens");
        wait_for(&window, "main", "You have one open since").await;
        click(&window, "#start a").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let another = window.current_url().await.expect("an address");
        assert_ne!(another.host_str(), first.host_str(), "another session");
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn profile_in_use_leads_to_its_session_or_ends_it() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = format!("{}/cast/my-files", casting.url());
    let mut first = None;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "h1", "Who are you?").await;
        click(&window, "button[value=bob]").await;
        // The phone finds the session of the desk.
        if !phone {
            into_app(&window).await;
            wait_for(&window, "#status", "live").await;
            first = Some(window.current_url().await.expect("an address"));
            window.goto(&link).await.expect("opens");
        }
        wait_for(&window, "h1", "Your files are open").await;
        let name = if phone {
            "files-open-phone"
        } else {
            "files-open"
        };
        shoot(&window, name).await;
        check_accessibility(&window, name).await;
        click(&window, ".actions a").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let again = window.current_url().await.expect("an address");
        let known = first.as_ref().expect("a session").host_str();
        assert_eq!(again.host_str(), known, "the same session");

        // Once it is ended, the page goes on by itself into another one, as soon as the files are kept.
        window.goto(&link).await.expect("opens");
        click(&window, ".actions form button").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let another = window.current_url().await.expect("an address");
        assert_ne!(another.host_str(), known, "another session");
        first = Some(another);
        assert_eq!(console(&window).await, Vec::<String>::new());
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn last_place_starts_on_a_click() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for phone in [false, true] {
        let fields = json!({"limit_total_sessions": true, "sessions_remaining": 1});
        let link = casting.link(&fields).await;
        let key = link.rsplit('/').next().expect("a key");
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "#start button", "Start").await;
        let auto = "return document.querySelector('[data-auto]') !== null";
        let auto = window.execute(auto, vec![]).await;
        assert_eq!(auto.expect("a page"), json!(false));
        let casts = format!("casts?search={key}");
        let casts = casting.admin(Method::GET, &casts, &Value::Null).await;
        assert_eq!(casts["items"][0]["sessions_remaining"], 1, "{casts}");
        click(&window, "#start button").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn account_page_lists_and_ends_own_sessions() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({"allow_anonymous": false})).await;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "h1", "Who are you?").await;
        click(&window, "button[value=bob]").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let account = format!("{}/login/me", casting.url());
        window.goto(&account).await.expect("opens");
        wait_for(&window, "ul", "Demo app").await;
        wait_for(&window, "ul", "Running since").await;
        shoot(&window, if phone { "account-phone" } else { "account" }).await;
        click(&window, "li a").await;
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.goto(&account).await.expect("opens");
        click(&window, "li form button").await;
        window.accept_alert().await.expect("asks first");
        let ended = soon(async || {
            window.goto(&account).await.expect("opens");
            text(&window).await.contains("You have no running session.")
        });
        assert!(ended.await, "{}", text(&window).await);
        assert_eq!(console(&window).await, Vec::<String>::new());
        window.close().await.expect("closes");
    }
}

/// What a page answers when its tab is about to be closed: whether the browser is to ask.
async fn asks_before_closing(window: &Client) -> bool {
    let ask = "const event = new Event('beforeunload', { cancelable: true }); \
               dispatchEvent(event); return event.defaultPrevented";
    let asks = window.execute(ask, vec![]).await.expect("a page");
    asks.as_bool().expect("yes or no")
}

#[tokio::test]
async fn closing_a_live_session_asks_once_unless_off() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({})).await;
    for phone in [false, true] {
        asks_once_unless_off(&driver.window(Look { phone, ..DESK }).await, &link).await;
    }
}

async fn asks_once_unless_off(window: &Client, link: &str) {
    window.goto(link).await.expect("opens");
    wait_for(window, "#tips[open]", "Your session is ready").await;
    click(window, "#tips button").await;
    wait_for(window, "#panel summary", "").await;
    click(window, "#panel > summary").await;
    wait_for(window, "#connection", "Good").await;
    assert!(asks_before_closing(window).await, "the first time");
    assert!(!asks_before_closing(window).await, "and not again");
    window.refresh().await.expect("loads");
    click(window, "#panel > summary").await;
    wait_for(window, "#connection", "Good").await;
    click(window, "#ask").await;
    assert!(!asks_before_closing(window).await, "switched off");
    window.refresh().await.expect("loads");
    click(window, "#panel > summary").await;
    wait_for(window, "#connection", "Good").await;
    assert!(!asks_before_closing(window).await, "and stays off");
    click(window, "#ask").await;
    // Whoever ends the session is not asked whether to leave it.
    click(window, ".end summary").await;
    click(window, ".end button").await;
    wait_for(window, "body", "You ended it.").await;
    assert_eq!(console(window).await, Vec::<String>::new());
    window.clone().close().await.expect("closes");
}

#[tokio::test]
async fn blocked_cookies_are_said_before_a_claim() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({"limit_total_sessions": true, "sessions_remaining": 3});
    let link = casting.link(&fields).await;
    for (phone, scripting) in [(false, true), (true, true), (false, false), (true, false)] {
        let look = Look {
            phone,
            scripting,
            cookies: false,
            ..DESK
        };
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        // With JavaScript the page goes on by itself.
        if !scripting {
            click(&window, "#start button").await;
        }
        wait_for(&window, "h1", "Your browser blocks cookies").await;
        let name = match (phone, scripting) {
            (false, true) => "cookies",
            (true, true) => "cookies-phone",
            (false, false) => "cookies-still",
            (true, false) => "cookies-still-phone",
        };
        shoot(&window, name).await;
        if scripting {
            let at = window.current_url().await.expect("an address");
            assert_eq!(at.as_str(), link, "the page stands for its link");
        } else {
            click(&window, "#help a.button").await;
            wait_for(&window, "#start button", "Start").await;
        }
        window.close().await.expect("closes");
    }
    let key = link.rsplit('/').next().expect("a key");
    let casts = format!("casts?search={key}");
    let casts = casting.admin(Method::GET, &casts, &Value::Null).await;
    assert_eq!(casts["items"][0]["sessions_remaining"], 3, "{casts}");
}
