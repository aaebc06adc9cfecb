//! Owns a session with a real browser in it: Chromium in Chromium. The inner one opens a page of this test, which tells what it sees.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use casting_tests::processes::{soon, with_environment};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{Casting, DESK, Driver, into_app, shoot, text, wait_for};

/// What was typed into the inner browser's page, as its address says it.
type Typed = Arc<Mutex<String>>;

const PAGE: &str = "<!doctype html><title>Inner page</title><style>html{background:#0a7d32;color:#fff;font:40px sans-serif}</style>
    <p>This is the inner page.</p><input autofocus><script>document.querySelector('input').oninput=e=>fetch('/typed?'+e.target.value)</script>";

async fn inner_page() -> (String, Typed) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let typed = Typed::default();
    let note = |State(typed): State<Typed>, RawQuery(text): RawQuery| async move {
        *typed.lock().expect("unpoisoned") = text.unwrap_or_default();
    };
    let router = Router::new().route("/", get(|| async { Html(PAGE) })).route("/typed", get(note)).with_state(typed.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, typed)
}

/// The colour that the streamed screen has near its lower right corner.
async fn colour(window: &fantoccini::Client) -> Value {
    let script = "const canvas = document.querySelector('canvas'); if (!canvas || !document.documentElement.dataset.connected) return null; \
        return [...canvas.getContext('2d').getImageData(canvas.width - 60, canvas.height - 60, 1, 1).data].slice(0, 3);";
    window.execute(script, vec![]).await.unwrap_or_default()
}

#[tokio::test]
async fn a_browser_is_streamed_into_the_browser_opens_what_the_link_says_and_can_be_typed_into() {
    let (driver, casting) = (Driver::start().await, Casting::start().await);
    let (host, typed) = inner_page().await;
    let images = casting.admin(Method::GET, "images", &Value::Null).await;
    let browser = images["items"].as_array().and_then(|images| images.iter().find(|image| image["name"] == "Browser"));
    let browser = browser.expect("the packages are installed, so the image is offered");
    let fields = json!({"image_id": browser["id"], "allow_dynamic_kasm_url": true, "dynamic_kasm_url_hosts": ["127.0.0.1"]});
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    window.goto(&format!("{link}?kasm_url=http://{host}/")).await.expect("opens");
    window.find(fantoccini::Locator::Css("#start button")).await.expect("the consent's button").click().await.expect("can be clicked");
    into_app(&window).await;
    let seen = soon(async || colour(&window).await == json!([10, 125, 50])).await;
    assert!(seen, "the inner page's green; the screen has {}, the page says {}", colour(&window).await, text(&window).await);
    let size = window.execute("const c = document.querySelector('canvas'); return [c.width, c.height]", vec![]).await.expect("a size");
    let inner = window.execute("return [innerWidth, innerHeight]", vec![]).await.expect("a size");
    assert!(soon(async || size == inner).await, "the screen is as large as the window: {size}, {inner}");
    shoot(&window, "streamed-browser").await;

    let url = window.current_url().await.expect("an address");
    let session = url.host_str().and_then(|host| host.strip_suffix(".localhost")).expect("an origin of its own").to_owned();
    let canvas = window.find(fantoccini::Locator::Css("canvas")).await.expect("the screen");
    canvas.click().await.expect("can be clicked");
    // The click went to the middle of the page; its field is found by the keyboard.
    window.active_element().await.expect("the screen").send_keys("\u{e004}hello").await.expect("can be typed into");
    assert!(soon(async || *typed.lock().expect("unpoisoned") == "hello").await, "typed: {:?}", typed.lock());
    shoot(&window, "streamed-browser-typed").await;

    casting.admin(Method::POST, &format!("sessions/{session}/stop"), &json!({})).await;
    assert!(soon(async || with_environment(&session).is_empty()).await, "nothing of it is left running");
    window.enter_parent_frame().await.expect("the viewer");
    wait_for(&window, "h1", "This session has ended").await;
    window.find(fantoccini::Locator::Css("a")).await.expect("the way to what happened").click().await.expect("can be clicked");
    wait_for(&window, "body", "An administrator ended it.").await;
    shoot(&window, "streamed-browser-ended").await;
    window.close().await.expect("closes");
}
