//! Owns the test of every page that a visitor may meet: in the light and the dark theme and on a
//! phone, each is accessible, whole without other machines, and small.

use fantoccini::Client;
use reqwest::Method;
use serde_json::json;

use crate::chrome::{CastingProgram, Driver, LOOKS, click, element, shoot, wait_for};
use crate::page_audit::{check_accessibility, check_requests_and_size};
use crate::pages::provider;

struct Round<'a> {
    window: &'a Client,
    look: &'a str,
}

impl Round<'_> {
    /// Opens an address and judges what is there once an element says `words`.
    async fn visit(&self, name: &str, url: &str, selector: &str, words: &str, allowed: &[&str]) {
        self.window.goto(url).await.expect("opens");
        self.look_at(name, selector, words).await;
        check_requests_and_size(self.window, &format!("{name}-{}", self.look), allowed).await;
    }

    async fn look_at(&self, name: &str, selector: &str, words: &str) {
        wait_for(self.window, selector, words).await;
        let name = format!("{name}-{}", self.look);
        shoot(self.window, &format!("page-{name}")).await;
        check_accessibility(self.window, &name).await;
    }

    async fn click(&self, selector: &str) {
        click(self.window, selector).await;
    }
}

#[tokio::test]
async fn visitor_pages_are_accessible_small_and_self_contained() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let captcha = json!({"captcha_kind": "turnstile", "captcha_site_key": "site", "captcha_secret_key": "hush",
        "captcha_verify_url": format!("{}/siteverify", provider().await)});
    casting.admin(Method::PATCH, "settings", &captcha).await;
    let slow = json!({"name": "Slow", "container_image": "local/slow", "cpu": 256, "memory": 512, "command": ["sleep", "600"]});
    let slow_image = casting.admin(Method::POST, "images", &slow).await["id"].clone();
    let words = json!({"title": "A desktop to try", "summary":
        "Ten minutes with everything installed; nothing of it is kept."});
    let mut checked = words.clone();
    checked["require_captcha"] = json!(true);
    let checked = casting.link(&checked).await;
    let consent = format!(
        "{}?kasm_url=example.org/path",
        casting.link(&json!({"allow_dynamic_kasm_url": true})).await
    );
    let slow = casting.link(&json!({"image_id": slow_image})).await;
    let shared = json!({"enable_sharing": true, "allow_dynamic_kasm_url": true});
    let demo = casting.link(&shared).await;
    let members = casting.link(&json!({"allow_anonymous": false})).await;
    let sold_out = casting
        .link(&json!({"limit_total_sessions": true, "sessions_remaining": 0}))
        .await;
    let full = json!({"image_id": slow_image, "max_live_sessions": 1, "waiting_room": true});
    let full = casting.link(&full).await;
    let key = full.rsplit('/').next().expect("a key").to_owned();
    casting.claim(&key).await;
    let nothing = format!("{}/nothing/here", casting.url());
    let failed = format!("{}/login/callback?state=x&code=x", casting.url());

    for (look_name, look) in LOOKS {
        let window = driver.window(look).await;
        let round = Round {
            window: &window,
            look: look_name,
        };
        round
            .visit(
                "landing-captcha",
                &checked,
                "h1",
                "A desktop to try",
                &["challenges.cloudflare.com"],
            )
            .await;
        round
            .visit(
                "landing-consent",
                &consent,
                ".consent .url",
                "https://example.org/path",
                &[],
            )
            .await;
        round
            .visit(
                "start",
                &format!("{}/", casting.url()),
                "h1",
                "Sessions by link",
                &[],
            )
            .await;
        round
            .visit("nothing", &nothing, "h1", "There is nothing here", &[])
            .await;
        round
            .visit("login-failed", &failed, "h1", "Sign-in failed", &[])
            .await;
        round
            .visit("queue", &full, "main", "You are number", &[])
            .await;
        round
            .visit(
                "unknown",
                &format!("{}/cast/nosuchkey", casting.url()),
                "h1",
                "This link does not work",
                &[],
            )
            .await;
        round
            .visit("sold-out", &sold_out, "h1", "All sessions are taken", &[])
            .await;
        round
            .visit("login-provider", &members, "h1", "Who are you?", &[])
            .await;
        round
            .visit(
                "signed-out",
                &format!("{}/login/me", casting.url()),
                "h1",
                "You are signed out",
                &[],
            )
            .await;
        round
            .visit("waiting", &slow, "h1", "Your session is starting", &[])
            .await;
        round.click("form button").await;
        round.look_at("cancelled", "body", "You ended it.").await;
        round
            .visit(
                "viewer-tips",
                &demo,
                "#tips[open]",
                "Your session is ready",
                &[],
            )
            .await;
        round.click("#tips button").await;
        round.click("#panel > summary").await;
        round.look_at("viewer-panel", "#connection", "Good").await;
        element(&window, "#app")
            .await
            .enter_frame()
            .await
            .expect("a frame");
        wait_for(&window, "#status", "live").await;
        check_accessibility(&window, &format!("demo-app-{look_name}")).await;
        window.enter_parent_frame().await.expect("the viewer");
        round.click(".end summary").await;
        round.click(".end button").await;
        round.look_at("ended", "body", "You ended it.").await;
        check_requests_and_size(&window, look_name, &[]).await;
        window.close().await.expect("closes");
    }
}
