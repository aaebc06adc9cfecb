//! Owns a session with a real browser in it: Chromium in Chromium. The inner one opens a page of
//! this test, which reports its events.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse};
use casting_tests::processes::{soon, with_environment};
use reqwest::Method;
use serde_json::json;

use crate::chrome::{CastingProgram, DESK, Driver, click, element, into_app, shoot, wait_for};
use crate::inner::{CONTROL, HAN, Inner, LETTERS, compose, press, shows, size, type_in, written};

/// Serves the light browser's page without its session; one of its scripts is missing once.
async fn page_with_a_missing_script() -> String {
    const MISSING: &str = "/novnc/core/util/logging.js";
    let misses = Arc::new(AtomicBool::new(true));
    let file = move |uri: Uri| {
        let missing = uri.path() == MISSING && misses.swap(false, Ordering::Relaxed);
        let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../local");
        async move {
            let path = match uri.path() {
                _ if missing => return StatusCode::BAD_GATEWAY.into_response(),
                "/" => {
                    let start = include_str!("../../local/src/browser_app/start.js");
                    let page = include_str!("../../local/src/browser_app/page.html");
                    return Html(page.replace("{{start}}", start)).into_response();
                }
                library if library.starts_with("/novnc/") => format!("vendor{library}"),
                own => format!("src/browser_app{own}"),
            };
            let kind = if path.ends_with(".js") {
                "text/javascript"
            } else {
                "text/css"
            };
            match tokio::fs::read(local.join(path)).await {
                Ok(bytes) => ([("content-type", kind)], bytes).into_response(),
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let host = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(file)).await });
    format!("http://{host}/")
}

#[tokio::test]
async fn light_browser_page_reloads_when_a_script_is_missing() {
    let driver = Driver::start().await;
    let window = driver.window(DESK).await;
    window
        .goto(&page_with_a_missing_script().await)
        .await
        .expect("opens");
    // There is no session here: what counts is that the script asks for one.
    wait_for(&window, "#status", "trying again").await;
    window.close().await.expect("closes");
}

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
    click(&window, "#start button").await;
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

#[tokio::test]
async fn light_browser_takes_letters_long_pastes_and_soft_keys() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let fields = json!({
        "image_id": casting.image("Browser").await, "kasm_url": format!("http://{}/sheet", inner.host), "disable_tips": true,
    });
    let window = driver.window(DESK).await;
    window
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    press(&window, "canvas", None, LETTERS).await;
    assert!(
        written(&inner, |text| text == LETTERS).await,
        "{:?}",
        inner.written()
    );
    compose(&window, HAN).await;
    let letters = format!("{LETTERS}{HAN}");
    assert!(
        written(&inner, |text| text == letters).await,
        "{:?}",
        inner.written()
    );
    shoot(&window, "light-browser-letters").await;

    // What the visitor's own clipboard holds is offered when the window is looked at.
    let long = "Длинный текст 0123456789 ".repeat(30_000);
    assert!(long.len() > 1_000_000);
    let copied = "const text = arguments[0]; navigator.clipboard.readText = async () => text; \
                  dispatchEvent(new Event('focus'))";
    window
        .execute(copied, vec![json!(long)])
        .await
        .expect("runs");
    press(&window, "canvas", Some(CONTROL), "v").await;
    let pasted = format!("{letters}{long}");
    assert!(
        written(&inner, |text| text == pasted).await,
        "{} of {} bytes",
        inner.written().len(),
        pasted.len()
    );

    // On a phone the button is there, and brings the phone's own keyboard.
    let shown = "document.getElementById('keyboard').hidden = false";
    window.execute(shown, vec![]).await.expect("runs");
    for css in ["#keyboard", "#soft"] {
        let found = element(&window, css).await;
        if css == "#soft" {
            found.send_keys("привет").await.expect("can be typed into");
        } else {
            found.click().await.expect("can be clicked");
        }
    }
    let typed = format!("{pasted}привет");
    assert!(
        written(&inner, |text| text == typed).await,
        "{:?}",
        inner.written().chars().rev().take(20).collect::<String>()
    );
    shoot(&window, "light-browser-keyboard").await;
    window.close().await.expect("closes");
}
