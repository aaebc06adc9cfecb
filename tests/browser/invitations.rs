//! Owns invitations in a browser: an administrator invites guests, prints their sheet and revokes one;
//! a guest comes in by their address, and again to the same session.

use fantoccini::Locator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, SEND, signed_in};
use crate::chrome::{
    CastingProgram, DESK, Driver, LOOKS, WATCHED, console, into_app, shoot, text, wait_for,
};
use crate::page_audit::check_accessibility;
use crate::pictures::keep;

#[tokio::test]
async fn guests_are_invited_come_in_and_are_revoked() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = signed_in(&driver, &casting, WATCHED, casting.key()).await;
    let fields = json!({"name": "Workshop", "invitation_required": true});
    let link = casting.link(&fields).await;
    let casts = casting
        .admin(Method::GET, "casts?search=Workshop", &Value::Null)
        .await;
    let id = casts["items"][0]["id"].as_str().expect("an id").to_owned();
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };

    desk.open(&format!("/admin/casts/{id}"), "Workshop").await;
    desk.press("Invitations").await;
    wait_for(&window, "main", "No invitations yet").await;
    desk.press("Invite guests").await;
    wait_for(&window, "h1", "Invite guests").await;
    // What is wrong is said at its field, and what was typed stays.
    desk.lead(SEND, "#mistakes", "1 field needs correction")
        .await;
    let names = "Name,Label\nAnn Smith,Class 7b\n\"Jones, Ben\",\nCy Young,";
    let script = "document.querySelector('[name=guests]').value = arguments[0]; \
                  document.querySelector('[name=label]').value = 'Class 8a';";
    window
        .execute(script, vec![json!(names)])
        .await
        .expect("is typed");
    shoot(&window, "console-invite").await;
    check_accessibility(&window, "invite").await;
    desk.lead(SEND, ".flash", "Invitations created.").await;
    wait_for(&window, "h1", "Invitations").await;
    let listed = text(&window).await;
    for words in ["Ann Smith", "Class 7b", "Jones, Ben", "Class 8a", "0 of 1"] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    shoot(&window, "console-invitations").await;
    keep(&window, "invitations").await;
    check_accessibility(&window, "invitations").await;

    desk.press("Sheet with QR codes").await;
    wait_for(&window, "h1", "Sheet of invitations").await;
    let slips = window.find_all(Locator::Css(".slip svg")).await;
    assert_eq!(slips.expect("pictures").len(), 3);
    shoot(&window, "console-invitation-sheet").await;
    check_accessibility(&window, "invitation-sheet").await;
    for (name, look) in LOOKS.into_iter().skip(1) {
        let other = signed_in(&driver, &casting, look, casting.key()).await;
        for page in ["invitations", "invitation-sheet", "invite"] {
            let url = format!("{}/admin/casts/{id}/{page}", casting.url());
            other.goto(&url).await.expect("opens");
            wait_for(&other, "h1", "").await;
            shoot(&other, &format!("console-{page}-{name}")).await;
            check_accessibility(&other, &format!("{page}-{name}")).await;
        }
        other.close().await.expect("closes");
    }

    let path = format!("casts/{id}/invitations");
    let made = casting.admin(Method::GET, &path, &Value::Null).await;
    let of = |name: &str| {
        let items = made["items"].as_array().expect("items").iter();
        let mut found = items.filter(|item| item["name"] == name);
        let found = found.next().expect("is there");
        found["url"].as_str().expect("an address").to_owned()
    };
    let guest = driver.window(WATCHED).await;
    guest.goto(&link).await.expect("opens");
    wait_for(&guest, "h1", "This link is by invitation only").await;
    shoot(&guest, "invitation-required").await;
    check_accessibility(&guest, "invitation-required").await;
    guest.goto(&of("Ann Smith")).await.expect("opens");
    into_app(&guest).await;
    wait_for(&guest, "#status", "live").await;
    // The same guest comes back to the session, although the invitation is used up.
    guest.goto(&of("Ann Smith")).await.expect("opens");
    wait_for(&guest, "body", "You have one open since").await;
    let stranger = driver.window(DESK).await;
    stranger.goto(&of("Ann Smith")).await.expect("opens");
    wait_for(&stranger, "h1", "This invitation has been used").await;
    shoot(&stranger, "invitation-used").await;

    // More time for all of a class, from the list of what was found.
    desk.open("/admin/sessions?search=class+7b", "Sessions")
        .await;
    desk.press("Extend all found\u{2026}").await;
    wait_for(&window, "h1", "Extend all running sessions").await;
    shoot(&window, "console-extend-sessions").await;
    check_accessibility(&window, "extend-sessions").await;
    desk.lead("main form .button", ".flash", "Sessions extended")
        .await;
    desk.open("/admin/claims", "Claims").await;
    wait_for(&window, "main", "invited as Ann Smith (Class 7b)").await;
    desk.open(
        &format!("/admin/casts/{id}/invitations?search=jones"),
        "Invitations",
    )
    .await;
    desk.lead(
        "a[href*='revoke-invitation']",
        "h1",
        "Revoke the invitation of Jones, Ben?",
    )
    .await;
    shoot(&window, "console-revoke-invitation").await;
    desk.lead("main form .button", ".flash", "Invitation revoked.")
        .await;
    stranger.goto(&of("Jones, Ben")).await.expect("opens");
    wait_for(&stranger, "h1", "This invitation is not valid").await;
    assert_eq!(console(&window).await, Vec::<String>::new());
}
