//! Owns the waiting room as a person sees it: the second browser waits, and gets in by itself when
//! the first one leaves.

use serde_json::json;

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, into_app, shoot, wait_for,
};
use crate::page_audit::check_accessibility;

#[tokio::test]
async fn second_browser_waits_and_enters_automatically() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"max_live_sessions": 1, "waiting_room": true}))
        .await;
    let first = driver.window(DESK).await;
    first.goto(&link).await.expect("opens");
    into_app(&first).await;
    wait_for(&first, "#status", "live").await;

    let second = driver
        .window(Look {
            watched: true,
            ..DESK
        })
        .await;
    second.goto(&link).await.expect("opens");
    wait_for(&second, "#position", "You are number 1.").await;
    shoot(&second, "waiting-room").await;
    check_accessibility(&second, "waiting-room").await;
    second.refresh().await.expect("loads afresh");
    wait_for(&second, "#position", "You are number 1.").await;

    let third = driver
        .window(Look {
            scripting: false,
            phone: true,
            dark: true,
            ..DESK
        })
        .await;
    third.goto(&link).await.expect("opens");
    click(&third, "#start button").await;
    wait_for(&third, "#position", "You are number 2.").await;
    shoot(&third, "waiting-room-phone").await;

    first.enter_parent_frame().await.expect("the viewer");
    click(&first, "#panel > summary").await;
    click(&first, ".end summary").await;
    click(&first, ".end button").await;
    into_app(&second).await;
    wait_for(&second, "#status", "live").await;
    assert_eq!(console(&second).await, Vec::<String>::new());
    wait_for(&third, "#position", "You are number 1.").await;
    click(&third, ".foot button").await;
    wait_for(&third, "h1", "You have left the queue").await;
    for window in [first, second, third] {
        window.close().await.expect("closes");
    }
}
