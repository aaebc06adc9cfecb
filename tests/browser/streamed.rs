//! Owns a session with a real browser in it: Chromium in Chromium. The inner one opens a page of this test, which tells what it sees.

use casting_tests::processes::{soon, with_environment};
use reqwest::Method;
use serde_json::json;

use crate::chrome::{CastingProgram, DESK, Driver, into_app, shoot, wait_for};
use crate::inner::{Inner, shows, size, type_in};

#[tokio::test]
async fn streamed_browser_opens_the_url_and_takes_input() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let fields = json!({"image_id": casting.image("Browser").await, "allow_dynamic_kasm_url": true, "dynamic_kasm_url_hosts": ["127.0.0.1"]});
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    window
        .goto(&format!("{link}?kasm_url=http://{}/", inner.host))
        .await
        .expect("opens");
    window
        .find(fantoccini::Locator::Css("#start button"))
        .await
        .expect("the consent's button")
        .click()
        .await
        .expect("can be clicked");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    let inside = window
        .execute("return [innerWidth, innerHeight]", vec![])
        .await
        .expect("a size");
    assert!(
        soon(async || size(&window).await == inside).await,
        "the screen is as large as the window: {} {inside}",
        size(&window).await
    );
    shoot(&window, "streamed-browser").await;

    let url = window.current_url().await.expect("an address");
    let session = url
        .host_str()
        .and_then(|host| host.strip_suffix(".localhost"))
        .expect("an origin of its own")
        .to_owned();
    type_in(&window, "hello").await;
    assert!(
        soon(async || inner.typed() == "hello").await,
        "typed: {}",
        inner.typed()
    );
    shoot(&window, "streamed-browser-typed").await;

    casting
        .admin(
            Method::POST,
            &format!("sessions/{session}/stop"),
            &json!({}),
        )
        .await;
    assert!(
        soon(async || with_environment(&session).is_empty()).await,
        "nothing of it is left running"
    );
    window.enter_parent_frame().await.expect("the viewer");
    // The viewer leads to the session's page by itself.
    wait_for(&window, "h1", "This session has ended").await;
    wait_for(&window, "body", "An administrator ended it.").await;
    shoot(&window, "streamed-browser-ended").await;
    window.close().await.expect("closes");
}
