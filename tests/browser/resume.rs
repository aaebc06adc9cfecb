//! Owns how a user gets back into their own session in a browser, when the link gives no new ones.

use casting_tests::processes::soon;
use fantoccini::Client;
use serde_json::json;

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, into_app, shoot, text, wait_for,
};

async fn session_of(window: &Client) -> String {
    let url = window.current_url().await.expect("an address");
    url.host_str().expect("a host").to_owned()
}

#[tokio::test]
async fn user_resumes_the_last_session_of_a_used_up_link() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({"allow_anonymous": false, "allow_resume": true, "disable_tips": true,
        "allow_dynamic_kasm_url": true, "limit_total_sessions": true, "start_on_click": "never", "sessions_remaining": 1});
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    window.goto(&link).await.expect("opens");
    wait_for(&window, "h1", "Who are you?").await;
    click(&window, "button[value=bob]").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    let session = session_of(&window).await;

    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    assert_eq!(session_of(&window).await, session);
    shoot(&window, "resumed-sold-out").await;

    let wrong = format!("{link}?kasm_url=http://localhost/&docker_network=lab");
    window.goto(&wrong).await.expect("opens");
    wait_for(&window, "h1", "Your session is still running").await;
    let said = text(&window).await;
    assert!(
        said.contains("The address in the link was not opened")
            && said.contains("a running session keeps its network"),
        "{said}"
    );
    shoot(&window, "resumed-not-applied").await;
    assert_eq!(console(&window).await, Vec::<String>::new());
    click(&window, "a.button").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    assert_eq!(session_of(&window).await, session);
    window.close().await.expect("closes");

    let phone = Look {
        scripting: false,
        phone: true,
        ..DESK
    };
    let window = driver.window(phone).await;
    window.goto(&link).await.expect("opens");
    wait_for(&window, "h1", "Who are you?").await;
    click(&window, "button[value=bob]").await;
    wait_for(&window, "#start button", "Go back to your session").await;
    shoot(&window, "resume-without-scripting").await;
    click(&window, "#start button").await;
    let inside = soon(async || session_of(&window).await == session);
    assert!(inside.await, "{}", text(&window).await);
    window.close().await.expect("closes");
}
