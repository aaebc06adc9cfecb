//! Owns the pages that a visitor meets on the way: proof of work, consent, refusals; on a desk and
//! on a phone, by day and by night.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use casting_boot::SystemClock;
use casting_core::captcha::CAPTCHA_ACTION;
use casting_core::time::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, into_app, shoot, text, wait_for,
};

#[tokio::test]
async fn page_solves_the_proof_of_work_and_claims() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({"require_captcha": true})).await;
    let window = driver.window(DESK).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    window.close().await.expect("closes");

    let still = driver
        .window(Look {
            scripting: false,
            ..DESK
        })
        .await;
    still.goto(&link).await.expect("opens");
    assert!(
        text(&still).await.contains("needs JavaScript"),
        "who cannot solve it is told why"
    );
    shoot(&still, "captcha-without-scripting").await;
    still.close().await.expect("closes");
}

#[tokio::test]
async fn dynamic_url_is_shown_before_the_start() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({"allow_dynamic_kasm_url": true})).await;
    let window = driver.window(DESK).await;
    window
        .goto(&format!("{link}?kasm_url=example.org/path%3Fq%3D1"))
        .await
        .expect("opens");
    wait_for(&window, ".consent .url", "https://example.org/path?q=1").await;
    shoot(&window, "consent").await;
    click(&window, "#start button").await;
    into_app(&window).await;
    wait_for(&window, "#kasm-url", "https://example.org/path?q=1").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn refusal_pages_are_readable_without_console_errors() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let limited =
        json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600});
    let limited = casting.link(&limited).await;
    let desk = driver.window(DESK).await;
    desk.goto(&limited).await.expect("opens");
    into_app(&desk).await;
    wait_for(&desk, "#status", "live").await;
    for (name, link, look, words) in [
        (
            "rate-limited",
            limited.clone(),
            DESK,
            "Too many sessions from your network",
        ),
        (
            "sold-out",
            casting
                .link(&json!({"limit_total_sessions": true, "sessions_remaining": 0}))
                .await,
            Look { dark: true, ..DESK },
            "All sessions are taken",
        ),
        (
            "closed",
            casting.link(&closed()).await,
            Look {
                phone: true,
                ..DESK
            },
            "It opens again on",
        ),
        (
            "banned",
            casting
                .link(&json!({"banned_addresses": ["127.0.0.0/8 This machine"]}))
                .await,
            Look {
                phone: true,
                dark: true,
                ..DESK
            },
            "Requests from This machine are not allowed.",
        ),
        (
            "unknown",
            format!("{}/cast/nosuchkey", casting.url()),
            DESK,
            "This link does not work",
        ),
    ] {
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        if name == "rate-limited" {
            // The window shows only the claim, which the page sends by itself.
            wait_for(&window, "h1", words).await;
        }
        wait_for(&window, "body", words).await;
        assert!(
            text(&window).await.contains("Reference"),
            "{name}: something to quote"
        );
        shoot(&window, name).await;
        assert_eq!(console(&window).await, Vec::<String>::new(), "{name}");
        window.close().await.expect("closes");
    }
    desk.close().await.expect("closes");
}

/// Open at no hour of today.
fn closed() -> Value {
    // 1 January 1970 was a Thursday; two days from now is neither today nor, around midnight,
    // tomorrow.
    let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
    let day = days[(SystemClock.now().seconds().div_euclid(86_400) + 2).rem_euclid(7) as usize];
    json!({"open_hours": {"time_zone": "UTC", "spans": [format!("{day} 09:00-17:00")]}})
}

#[tokio::test]
async fn login_link_goes_through_the_provider_and_back() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"allow_anonymous": false, "allow_resume": true}))
        .await;
    let window = driver.window(DESK).await;
    window.goto(&link).await.expect("opens");
    wait_for(&window, "h1", "Who are you?").await;
    shoot(&window, "login").await;
    click(&window, "button[value=bob]").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    let session = window.current_url().await.expect("an address");

    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    assert_eq!(
        window.current_url().await.expect("an address").host_str(),
        session.host_str(),
        "whoever comes back finds their session"
    );

    window
        .goto(&format!("{}/login/me", casting.url()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "You are signed in").await;
    shoot(&window, "signed-in").await;
    click(&window, "#sign-out button").await;
    wait_for(&window, "h1", "You are signed out").await;
    window.goto(&link).await.expect("opens");
    wait_for(&window, "h1", "Who are you?").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn maintenance_has_its_own_message() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    casting
        .admin(
            Method::PATCH,
            "settings",
            &json!({"maintenance": true, "maintenance_message": "We are moving our servers."}),
        )
        .await;
    let window = driver.window(Look { dark: true, ..DESK }).await;
    window
        .goto(&format!("{}/cast/welcome", casting.url()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "Closed for maintenance").await;
    wait_for(&window, "main", "We are moving our servers.").await;
    shoot(&window, "maintenance").await;
    window.close().await.expect("closes");
}

/// What stands for a provider: it takes one token for a person.
pub async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let verify = |body: String| async move {
        let person = body.split('&').any(|pair| pair == "response=a-person");
        let now = SystemClock.now().to_string();
        json!({"success": person, "hostname": "localhost", "action": CAPTCHA_ACTION, "challenge_ts": now}).to_string()
    };
    let picture = || async { ([(CONTENT_TYPE, "image/svg+xml")], PICTURE) };
    let router = Router::new()
        .route("/siteverify", post(verify))
        .route("/background.svg", get(picture));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="1100" height="800"><defs><linearGradient id="g" x2="1" y2="1">
<stop stop-color="#0b3d5c"/><stop offset="1" stop-color="#c9702f"/></linearGradient></defs><rect width="1100" height="800" fill="url(#g)"/></svg>"##;

#[tokio::test]
async fn captcha_widget_must_be_solved_and_its_proof_is_sent() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let settings = json!({"captcha_kind": "turnstile", "captcha_site_key": "site", "captcha_secret_key": "hush",
        "captcha_verify_url": format!("{}/siteverify", provider().await)});
    casting.admin(Method::PATCH, "settings", &settings).await;
    let link = casting.link(&json!({"require_captcha": true})).await;
    // The provider's script, which cannot be reached from here, puts this field into its box once a
    // person has solved it.
    let solve = "const field = document.createElement('input'); field.type = 'hidden'; field.name = 'cf-turnstile-response'; \
        field.value = arguments[0]; document.querySelector('.cf-turnstile[data-sitekey=site]').append(field);";
    let window = driver.window(DESK).await;
    for (name, proof, selector, words) in [
        (
            "never loaded",
            None,
            "#proof",
            "Please load the page again.",
        ),
        (
            "unsolved",
            Some(""),
            "#proof",
            "Please complete the check first.",
        ),
        ("a machine", Some("a-machine"), "h1", "The check failed"),
        ("a person", Some("a-person"), "#status", "live"),
    ] {
        window.goto(&link).await.expect("opens");
        wait_for(&window, "#start button", "Start").await;
        if let Some(proof) = proof {
            window
                .execute(solve, vec![json!(proof)])
                .await
                .expect("can be filled in");
        }
        click(&window, "#start button").await;
        if name == "a person" {
            into_app(&window).await;
        }
        wait_for(&window, selector, words).await;
        shoot(&window, &format!("captcha-{}", name.replace(' ', "-"))).await;
    }
    window.close().await.expect("closes");
}

#[tokio::test]
async fn background_image_is_shown() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let picture = format!("{}/background.svg", provider().await);
    let link = casting
        .link(&json!({"background_url": picture, "allow_dynamic_kasm_url": true}))
        .await;
    for (name, look) in [
        ("background", DESK),
        (
            "background-dark-phone",
            Look {
                dark: true,
                phone: true,
                ..DESK
            },
        ),
    ] {
        let window = driver.window(look).await;
        window
            .goto(&format!("{link}?kasm_url=example.org"))
            .await
            .expect("opens");
        wait_for(&window, ".consent .url", "https://example.org/").await;
        let shown = window
            .execute(
                "return getComputedStyle(document.body).backgroundImage",
                vec![],
            )
            .await
            .expect("a value");
        assert_eq!(shown, json!(format!("url(\"{picture}\")")));
        let loaded = "const [done] = arguments, image = new Image(); image.onload = () => done(image.naturalWidth); \
            image.onerror = () => done(0); image.src = getComputedStyle(document.body).backgroundImage.slice(5, -2);";
        assert_eq!(
            window.execute_async(loaded, vec![]).await.expect("a value"),
            json!(1100),
            "the page's policy lets it in"
        );
        shoot(&window, name).await;
        assert_eq!(console(&window).await, Vec::<String>::new(), "{name}");
        window.close().await.expect("closes");
    }
}
