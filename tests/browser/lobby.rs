//! Owns the lobby of a shared session as its owner, its guests and an administrator meet it.

use casting_tests::processes::soon;
use fantoccini::Client;
use reqwest::Method;
use serde_json::json;

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, element, run, shoot, text_of, wait_for,
};
use crate::page_audit::check_accessibility;
use crate::pictures::keep;
use crate::viewer::{chord, is_there, session_of, soon_value};

const ENTER: char = '\u{e007}';
const TAB: char = '\u{e004}';
/// Control, Alt, Shift and M: the panel's keys.
const PANEL: [char; 4] = ['\u{e009}', '\u{e00a}', '\u{e008}', 'M'];

/// Asks to watch by this name.
async fn ask(window: &Client, link: &str, name: &str) {
    window.goto(link).await.expect("opens");
    wait_for(window, "h1", "Ask to watch").await;
    let field = element(window, "#name").await;
    field.send_keys(name).await.expect("can be typed into");
    click(window, "form button").await;
    wait_for(window, "h1", "The owner has been asked").await;
}

#[tokio::test]
async fn guests_ask_and_the_owner_lets_them_in_by_keys() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true, "enable_lobby": true, "disable_tips": true});
    let owner = driver.window(DESK).await;
    let link = casting.link(&fields).await;
    owner.goto(&link).await.expect("opens");
    let link = soon_value(&owner, "#link").await;
    let phone = Look {
        phone: true,
        ..DESK
    };
    let (ann, eve) = (driver.window(phone).await, driver.window(DESK).await);

    ann.goto(&link).await.expect("opens");
    wait_for(&ann, "h1", "Ask to watch").await;
    check_accessibility(&ann, "lobby").await;
    shoot(&ann, "lobby-ask-phone").await;
    ask(&ann, &link, "Ann").await;
    check_accessibility(&ann, "lobby-waiting").await;
    shoot(&ann, "lobby-waiting-phone").await;
    wait_for(&owner, "#lobby", "Ann (guest) wants to watch").await;
    assert_eq!(
        run(
            &owner,
            "return document.querySelector('#asked').textContent"
        )
        .await,
        "Ann (guest) wants to watch"
    );
    // A name is text, whatever stands in it.
    ask(&eve, &link, "<img src=x onerror=alert(1)>").await;
    click(&owner, "#panel > summary").await;
    wait_for(
        &owner,
        "#waiting",
        "<img src=x onerror=alert(1)> (guest) wants to watch",
    )
    .await;
    check_accessibility(&owner, "lobby-owner").await;
    shoot(&owner, "lobby-owner-panel").await;
    click(&owner, "#panel > summary").await;
    shoot(&owner, "lobby-owner").await;
    keep(&owner, "lobby").await;
    let size = owner.get_window_size().await.expect("a size");
    owner.set_window_size(500, 800).await.expect("narrow");
    shoot(&owner, "lobby-owner-narrow").await;
    let (width, height) = (size.0 as u32, size.1 as u32);
    owner
        .set_window_size(width, height)
        .await
        .expect("as before");

    // By keys alone: the panel, and in it the first answer.
    run(
        &owner,
        "document.querySelector('#panel').open = false; document.activeElement.blur()",
    )
    .await;
    chord(&owner, &PANEL).await;
    let is_at_answer = async || {
        run(
            &owner,
            "return document.activeElement.getAttribute('aria-label')",
        )
        .await
            == "Let in Ann (guest)"
    };
    for _ in 0..40 {
        if is_at_answer().await {
            break;
        }
        chord(&owner, &[TAB]).await;
    }
    assert!(is_at_answer().await);
    chord(&owner, &[ENTER]).await;
    wait_for(&ann, "#role", "").await;
    wait_for(&owner, "#watchers", "Ann (guest) watches").await;
    assert!(!text_of(&owner, "#waiting").await.contains("Ann"));
    let next = run(
        &owner,
        "return document.activeElement.getAttribute('aria-label')",
    )
    .await;
    assert_eq!(
        next, "Let in <img src=x onerror=alert(1)> (guest)",
        "the next answer"
    );
    // A second press in the same moment would have answered the next one.
    assert!(
        soon(async || {
            chord(&owner, &[TAB]).await;
            run(&owner, "return document.activeElement.textContent").await == "Turn away"
        })
        .await
    );
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    chord(&owner, &[ENTER]).await;
    wait_for(&eve, "h1", "You were not let in").await;
    shoot(&eve, "lobby-turned-away").await;

    let id = session_of(&owner).await;
    let watch = casting
        .admin(Method::POST, &format!("sessions/{id}/watch"), &json!({}))
        .await;
    eve.goto(watch["url"].as_str().expect("a way in"))
        .await
        .expect("opens");
    wait_for(
        &owner,
        "#observed",
        "An administrator is watching this session",
    )
    .await;
    check_accessibility(&owner, "lobby-observed").await;
    shoot(&owner, "lobby-observed").await;
    let removes = "[...document.querySelectorAll('#watchers button')].find((one) => one.getAttribute('aria-label') === 'Remove Ann (guest)').click()";
    run(&owner, removes).await;
    wait_for(&ann, "body", "This session is not shared with you any more").await;
    eve.close().await.expect("closes");
    assert!(soon(async || is_there(&owner, "#observed[hidden]").await).await);
    ann.close().await.expect("closes");
    owner.close().await.expect("closes");
}
