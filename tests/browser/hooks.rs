//! Owns the page of a hook in a browser: an administrator makes its secret, sends a test event to a
//! receiver that fails, reads why, and sends it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, signed_in};
use crate::chrome::{CastingProgram, Driver, LOOKS, WATCHED, console, shoot, text, wait_for};
use crate::page_audit::check_accessibility;
use crate::pictures::keep;

/// A receiver that answers with this status; its URL.
async fn receiver(status: Arc<AtomicU16>) -> String {
    let answer = move || async move {
        let status = StatusCode::from_u16(status.load(Ordering::SeqCst));
        (status.expect("a status"), "no such tenant")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let routes = Router::new().route("/hook", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test]
async fn hook_shows_its_secret_once_and_its_deliveries() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = signed_in(&driver, &casting, WATCHED, casting.key()).await;
    let status = Arc::new(AtomicU16::new(500));
    let url = receiver(status.clone()).await;
    let fields = json!({"name": "Hooked", "hook_enabled": true, "hook_url": url});
    casting.link(&fields).await;
    let casts = casting
        .admin(Method::GET, "casts?search=Hooked", &Value::Null)
        .await;
    let id = casts["items"][0]["id"].as_str().expect("an id").to_owned();
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    desk.open(&format!("/admin/casts/{id}"), "Hooked").await;
    desk.press("Webhook").await;
    wait_for(&window, "h1", "Webhook of Hooked").await;
    wait_for(&window, "main", "No deliveries yet").await;
    desk.press("Make the secret").await;
    wait_for(&window, ".notice", "Copy it now").await;
    assert!(text(&window).await.contains("whsec_"));
    shoot(&window, "console-hook-secret").await;
    check_accessibility(&window, "hook-secret").await;
    let page = format!("/admin/hooks/{id}");
    desk.open(&page, "Webhook of Hooked").await;
    assert!(!text(&window).await.contains("whsec_"), "shown once");
    desk.press("Send a test event").await;
    wait_for(&window, ".flash", "The event is on its way").await;
    reload_until(&desk, &page, "500 in").await;
    let shown = text(&window).await;
    for words in ["hook.test", "Pending", "The receiver fails"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    shoot(&window, "console-hook").await;
    keep(&window, "hook").await;
    check_accessibility(&window, "hook").await;
    for (name, look) in LOOKS.into_iter().skip(1) {
        let other = signed_in(&driver, &casting, look, casting.key()).await;
        let url = format!("{}{page}", casting.url());
        other.goto(&url).await.expect("opens");
        wait_for(&other, "h1", "Webhook of Hooked").await;
        shoot(&other, &format!("console-hook-{name}")).await;
        check_accessibility(&other, &format!("hook-{name}")).await;
        other.close().await.expect("closes");
    }
    status.store(204, Ordering::SeqCst);
    desk.press("Send again").await;
    wait_for(&window, ".flash", "The event is on its way").await;
    reload_until(&desk, &page, "Delivered").await;
    // A receiver that wants nothing any more pauses its hook.
    status.store(410, Ordering::SeqCst);
    desk.press("Send a test event").await;
    wait_for(&window, ".flash", "The event is on its way").await;
    reload_until(&desk, &page, "Paused").await;
    shoot(&window, "console-hook-paused").await;
    desk.press("Resume").await;
    wait_for(&window, ".flash", "Events are sent again").await;
    assert_eq!(console(&window).await, Vec::<String>::new());
}

async fn reload_until(desk: &AdminWindow<'_>, page: &str, words: &str) {
    for _ in 0..40 {
        desk.open(page, "Webhook of Hooked").await;
        if text(desk.window).await.contains(words) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("{words} does not come: {}", text(desk.window).await);
}
