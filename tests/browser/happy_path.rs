//! Owns the happy path in a browser: a click on the demo link, a running session, and its end.

use casting_tests::processes::{soon, with_environment};
use fantoccini::Locator;
use serde_json::json;

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, element, into_app, shoot, text, text_of,
    wait_for,
};

#[tokio::test]
async fn demo_link_opens_a_session_that_ends_cleanly() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver.window(DESK).await;
    window
        .goto(&format!("{}/cast/welcome", casting.url()))
        .await
        .expect("opens");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    let url = window.current_url().await.expect("an address");
    let session = url
        .host_str()
        .and_then(|host| host.strip_suffix(".localhost"))
        .expect("an origin of its own")
        .to_owned();
    assert!(
        session.starts_with('s') && !url.as_str().contains("ticket"),
        "the ticket is not left in the address: {url}"
    );
    assert!(
        text_of(&window, "#kasm-url")
            .await
            .contains("https://example.com/"),
        "the app shows what it was given"
    );
    let first = text_of(&window, "#tick").await;
    assert!(
        soon(async || text_of(&window, "#tick").await != first).await,
        "the clock ticks over the WebSocket"
    );
    shoot(&window, "demo-session").await;

    let pad = element(&window, "#pad").await;
    pad.send_keys("Hello from the first window")
        .await
        .expect("can be written on");
    let second = window
        .new_window(true)
        .await
        .expect("a second window")
        .handle;
    let first_window = window.window().await.expect("the first window");
    window.switch_to_window(second).await.expect("switches");
    window.goto(url.as_str()).await.expect("opens");
    into_app(&window).await;
    let shared = soon(async || match window.find(Locator::Css("#pad")).await {
        Ok(pad) => pad
            .prop("value")
            .await
            .ok()
            .flatten()
            .is_some_and(|text| text.contains("Hello from the first window")),
        Err(_) => false,
    });
    assert!(shared.await, "both windows share the pad");
    window
        .switch_to_window(first_window)
        .await
        .expect("switches back");
    window.enter_parent_frame().await.expect("the viewer");

    let stranger = driver.window(DESK).await;
    stranger.goto(url.as_str()).await.expect("opens");
    let refused = text(&stranger).await;
    assert!(
        !refused.contains("example.com") && !refused.is_empty(),
        "nobody else gets in: {refused}"
    );
    shoot(&stranger, "stranger").await;
    stranger.close().await.expect("closes");

    assert!(
        !with_environment(&session).is_empty(),
        "the session is a real process"
    );
    let ended = casting
        .admin(
            reqwest::Method::POST,
            &format!("sessions/{session}/stop"),
            &serde_json::json!({}),
        )
        .await;
    assert!(
        ended["state"] == "stopping" || ended["state"] == "ended",
        "{ended}"
    );
    assert!(
        soon(async || with_environment(&session).is_empty()).await,
        "no process stays"
    );
    window
        .goto(&format!("{}/session/{session}", casting.url()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "This session has ended").await;
    assert!(text(&window).await.contains("An administrator ended it."));
    shoot(&window, "session-ended").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn button_claims_without_javascript() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver
        .window(Look {
            scripting: false,
            ..DESK
        })
        .await;
    window
        .goto(&format!("{}/cast/welcome", casting.url()))
        .await
        .expect("opens");
    assert!(
        text(&window).await.contains("Your own session"),
        "nothing starts by itself"
    );
    shoot(&window, "landing-without-scripting").await;
    click(&window, "#start button").await;
    // Without scripting the viewer is a frame and what its form can do.
    soon(async || window.find(Locator::Css("noscript iframe")).await.is_ok()).await;
    element(&window, "noscript iframe")
        .await
        .enter_frame()
        .await
        .expect("a frame");
    wait_for(&window, "body", "https://example.com/").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn links_as_kasm_and_chats_write_them_open() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver.window(DESK).await;
    window
        .goto(&format!("{}/", casting.url()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "Sessions by link").await;
    shoot(&window, "start-page").await;
    let link = casting
        .link(&serde_json::json!({"disable_tips": true}))
        .await;
    let key = link.rsplit('/').next().expect("a key");
    for (phone, path) in [
        (false, format!("/#/cast/{key}")),
        (true, format!("/#/cast/{key}).")),
        (false, format!("/cast/{key})")),
        (true, format!("/cast/{key}\u{ff09}\u{3002}")),
        (
            false,
            format!("/CAST/{}%E2%80%8B", key.to_ascii_uppercase()),
        ),
        (true, format!("/cast/{key}/")),
    ] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window
            .goto(&format!("{}{path}", casting.url()))
            .await
            .expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.close().await.expect("closes");
    }
    // Nothing behind the sign leads to another site.
    for path in ["/#//evil.example/cast/x", "/#/cast/../../evil.example"] {
        let url = format!("{}{path}", casting.url());
        window.goto("about:blank").await.expect("opens");
        window.goto(&url).await.expect("opens");
        wait_for(&window, "h1", "").await;
        let at = window.current_url().await.expect("an address");
        assert_eq!(at.host_str(), Some("localhost"), "{path}");
    }
    window.close().await.expect("closes");
}

#[tokio::test]
async fn proof_of_work_is_solved_over_plain_http() {
    // Not a secure context: the browser derives no keys for the page and keeps no secure cookies.
    let driver = Driver::start().await;
    let casting = CastingProgram::named("cast.lan").await;
    let link = casting.link(&json!({"require_captcha": true})).await;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let is_secure = window.execute("return isSecureContext", vec![]).await;
        assert_eq!(is_secure.expect("a value"), json!(false));
        window.enter_parent_frame().await.expect("the viewer");
        // Browsers isolate windows on secure origins only, and say so.
        let is_told = |said: &String| said.contains("Cross-Origin-Opener-Policy header has been");
        let mut others = console(&window).await;
        others.retain(|said| !is_told(said));
        assert_eq!(others, Vec::<String>::new());
        window.close().await.expect("closes");
    }
}
