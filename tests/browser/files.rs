//! Owns files that come back, in a real browser: what a page keeps in the Chromium of one session
//! is there in the next one.

use casting_tests::processes::{soon, with_environment};
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, click, element, into_app, shoot, wait_for};
use crate::inner::{Inner, shows};

/// Bob opens the link; gives the session that he comes into.
async fn enter(window: &Client, link: &str, host: &str) -> String {
    window
        .goto(&format!("{link}?kasm_url=http://{host}/kept"))
        .await
        .expect("opens");
    if soon(async || {
        window.find(Locator::Css("button[value=bob]")).await.is_ok()
            || window.find(Locator::Css("#start button")).await.is_ok()
    })
    .await
        && let Ok(bob) = window.find(Locator::Css("button[value=bob]")).await
    {
        bob.click().await.expect("can be clicked");
    }
    click(window, "#start button").await;
    into_app(window).await;
    let url = window.current_url().await.expect("an address");
    url.host_str()
        .and_then(|host| host.strip_suffix(".localhost"))
        .expect("an origin of its own")
        .to_owned()
}

#[tokio::test]
async fn streamed_browser_profile_persists() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let link = casting
        .link(&json!({
            "image_id": casting.image("Browser, with your own files").await, "allow_anonymous": false, "allow_dynamic_kasm_url": true,
            "dynamic_kasm_url_hosts": ["127.0.0.1"],
        }))
        .await;
    let window = driver.window(DESK).await;
    // The page is green as long as it finds nothing of an earlier visit, and blue from then on.
    let first = enter(&window, &link, &inner.host).await;
    shows(&window, Inner::GREEN).await;
    shoot(&window, "files-first-session").await;
    casting
        .admin(Method::POST, &format!("sessions/{first}/stop"), &json!({}))
        .await;
    let over = async || {
        casting
            .admin(Method::GET, &format!("sessions/{first}"), &Value::Null)
            .await
    };
    // Chromium has some seconds to write down what it has in memory.
    let ended = async || soon(async || over().await["state"] == "ended").await;
    assert!(ended().await || ended().await, "{}", over().await);
    assert_eq!(over().await["notes"], json!(["profile-saved"]));
    assert!(
        soon(async || with_environment(&first).is_empty()).await,
        "nothing of it is left running"
    );
    window.enter_parent_frame().await.expect("the viewer");

    let second = enter(&window, &link, &inner.host).await;
    assert_ne!(first, second);
    shows(&window, Inner::BLUE).await;
    shoot(&window, "files-second-session").await;

    // What administrators see of it.
    let user = casting.admin(Method::GET, "users", &Value::Null).await["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let admin = driver.window(DESK).await;
    admin
        .goto(&format!("{}/admin", casting.url()))
        .await
        .expect("opens");
    element(&admin, "input[name=key]")
        .await
        .send_keys(casting.key())
        .await
        .expect("can be typed into");
    click(&admin, "form[action='/admin/sign-in'] button").await;
    wait_for(&admin, "h1", "Overview").await;
    admin
        .goto(&format!("{}/admin/users/{user}", casting.url()))
        .await
        .expect("opens");
    wait_for(&admin, "h1", "Bob").await;
    wait_for(&admin, "main", "Current").await;
    shoot(&admin, "files-of-a-user").await;
    admin.close().await.expect("closes");
    window.close().await.expect("closes");
}
