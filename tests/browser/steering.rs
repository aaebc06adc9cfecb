//! Owns the daily work of an administrator in a browser: find a session, tell its visitor something,
//! extend it and stop it with a reason; switch several links off and on; go anywhere by keyboard.

use casting_tests::processes::soon;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, signed_in};
use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, element, into_app, shoot, text, text_of,
    wait_for,
};
use crate::page_audit::check_accessibility;

async fn count(window: &Client, selector: &str) -> usize {
    let found = window.find_all(Locator::Css(selector)).await;
    found.expect(selector).len()
}

async fn type_keys(window: &Client, keys: &str) {
    let focused = window.active_element().await.expect("something");
    focused.send_keys(keys).await.expect("can be typed");
}

#[tokio::test]
async fn administrator_finds_messages_extends_and_stops_a_session() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({"disable_tips": true})).await;
    let owner = driver.window(DESK).await;
    owner.goto(&link).await.expect("opens");
    into_app(&owner).await;
    wait_for(&owner, "#status", "live").await;
    owner.enter_parent_frame().await.expect("the viewer");

    let window = signed_in(&driver, &casting, DESK, casting.key()).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    desk.open("/admin/sessions", "Sessions").await;
    shoot(&window, "console-sessions").await;
    check_accessibility(&window, "console-sessions").await;
    desk.fill("#search", "nobody of this name").await;
    desk.lead("form.filters button", ".none", "Nothing found")
        .await;
    desk.open("/admin/sessions?state=ready", "Sessions").await;
    desk.fill("#search", "demo test").await;
    desk.lead("form.filters button", "main table", "Live").await;
    let address = window.current_url().await.expect("an address");
    let query = address.query().unwrap_or_default();
    assert!(
        query.contains("search=demo+test") && query.contains("state=ready"),
        "the view is in the address: {query}"
    );
    desk.lead("main table .name", "h1", "Session").await;
    wait_for(&window, ".timeline", "Entered").await;
    wait_for(&window, ".log-tail", "").await;
    shoot(&window, "console-session").await;
    check_accessibility(&window, "console-session").await;

    desk.fill("#text", "Please <b>save</b> your work").await;
    desk.lead("form[action$='/message'] button", ".flash", "Message sent.")
        .await;
    let words = "Message from an administrator: Please <b>save</b> your work";
    wait_for(&owner, "#message p", words).await;
    shoot(&owner, "viewer-message").await;
    click(&owner, "#message button").await;
    owner.refresh().await.expect("loads");
    wait_for(&owner, "#panel summary", "").await;
    assert_eq!(text_of(&owner, "#message").await, "", "read once is enough");

    desk.fill("#minutes", "45").await;
    desk.lead(
        "form[action$='/extend'] button",
        ".flash",
        "Session extended.",
    )
    .await;
    click(&owner, "#panel > summary").await;
    wait_for(&owner, "#left", "01:4").await;
    // The page of the session says so by itself, while it is looked at.
    wait_for(&window, ".facts", "1 h 4").await;

    desk.press("Stop\u{2026}").await;
    wait_for(&window, "h1", "Stop this session?").await;
    check_accessibility(&window, "console-session-stop").await;
    shoot(&window, "console-session-stop").await;
    desk.fill("#line", "The room closes at <six>.").await;
    desk.lead("main form button.danger", ".flash", "Stopping the session.")
        .await;
    wait_for(&owner, "main", "The room closes at <six>.").await;
    shoot(&owner, "session-stopped-with-reason").await;
    check_accessibility(&owner, "session-stopped-with-reason").await;
    wait_for(&window, ".timeline", "Ended").await;
    wait_for(&window, ".facts", "The room closes at <six>.").await;
    shoot(&window, "console-session-ended").await;
    assert_eq!(console(&window).await, Vec::<String>::new());
    window.close().await.expect("closes");
    owner.close().await.expect("closes");
}

#[tokio::test]
async fn several_casts_are_disabled_and_undone_at_once() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for name in ["Room one", "Room two"] {
        casting.link(&json!({"name": name})).await;
    }
    let enabled = async || {
        let found = casting.admin(Method::GET, "casts?search=room", &Value::Null);
        let found = found.await;
        let items = found["items"].as_array().cloned().expect("items");
        let on = items.iter().filter(|cast| cast["enabled"] == true).count();
        (on, items.len())
    };
    for (name, look) in [
        ("light", DESK),
        ("dark", Look { dark: true, ..DESK }),
        (
            "phone",
            Look {
                phone: true,
                ..DESK
            },
        ),
    ] {
        let window = signed_in(&driver, &casting, look, casting.key()).await;
        let desk = AdminWindow {
            window: &window,
            url: casting.url(),
        };
        desk.open("/admin/casts?search=room&sort=-name", "Casts")
            .await;
        wait_for(&window, "#bulk", "Select rows to act on them.").await;
        desk.click("[data-all] input").await;
        wait_for(&window, "#bulk", "2 selected").await;
        shoot(&window, &format!("console-casts-selected-{name}")).await;
        check_accessibility(&window, &format!("console-casts-selected-{name}")).await;
        desk.lead("#bulk [value=disable]", ".flash", "links are disabled")
            .await;
        assert_eq!(enabled().await, (0, 2), "{name}");
        let address = window.current_url().await.expect("an address");
        assert!(
            address.query().unwrap_or_default().contains("search=room"),
            "{address}"
        );
        desk.lead(".flash button", ".flash", "Change undone.").await;
        assert_eq!(enabled().await, (2, 2), "{name}");

        desk.open("/admin/casts?search=room", "Casts").await;
        desk.click("[data-all] input").await;
        desk.lead("#bulk [value=delete]", "h1", "Delete 2 casts?")
            .await;
        shoot(&window, &format!("console-casts-delete-{name}")).await;
        desk.lead("main form button.danger", ".flash", "Deleted.")
            .await;
        assert_eq!(enabled().await, (0, 0), "{name}");
        desk.lead(".flash button", ".flash", "Change undone.").await;
        assert_eq!(enabled().await, (2, 2), "{name}");
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn command_bar_leads_anywhere_by_keyboard() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    casting.link(&json!({"name": "Evening course"})).await;
    let window = signed_in(&driver, &casting, DESK, casting.key()).await;
    let ctrl_k = format!("{}k{}", Key::Control, Key::Null);
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    for (name, open) in [("ctrl-k", ctrl_k.as_str()), ("slash", "/")] {
        desk.open("/admin/audit", "Audit log").await;
        element(&window, "body")
            .await
            .send_keys(open)
            .await
            .expect("can be typed");
        wait_for(&window, "#bar[open] #bar-list", "Overview").await;
        type_keys(&window, "evening").await;
        let found = soon(async || {
            text_of(&window, "#bar-list [aria-selected=true]")
                .await
                .contains("Evening course")
        });
        assert!(found.await, "{name}: {}", text(&window).await);
        check_accessibility(&window, &format!("console-bar-{name}")).await;
        shoot(&window, &format!("console-bar-{name}")).await;
        type_keys(&window, &Key::Down.to_string()).await;
        type_keys(&window, &Key::Up.to_string()).await;
        type_keys(&window, &Key::Enter.to_string()).await;
        wait_for(&window, "h1", "Evening course").await;
    }
    let body = async |keys: &str| {
        let body = element(&window, "body").await;
        body.send_keys(keys).await.expect("can be typed");
    };
    body("?").await;
    wait_for(&window, "#keys[open]", "Keyboard shortcuts").await;
    check_accessibility(&window, "console-keys").await;
    shoot(&window, "console-keys").await;
    desk.click("#single").await;
    type_keys(&window, &Key::Escape.to_string()).await;
    assert_eq!(count(&window, "#keys[open]").await, 0);
    body("?").await;
    assert_eq!(count(&window, "#keys[open]").await, 0, "switched off");
    body(&ctrl_k).await;
    wait_for(&window, "#bar[open] #bar-list", "Overview").await;
    type_keys(&window, &Key::Escape.to_string()).await;
    assert_eq!(count(&window, "#bar[open]").await, 0);

    // Without the bar the field in the navigation does it.
    desk.fill("#seek", "evening").await;
    type_keys(&window, &Key::Enter.to_string()).await;
    wait_for(&window, "main .found", "Evening course").await;
    shoot(&window, "console-find").await;
    check_accessibility(&window, "console-find").await;
    assert_eq!(console(&window).await, Vec::<String>::new());
    window.close().await.expect("closes");
}

#[tokio::test]
async fn quoted_reference_leads_to_its_refusal_and_link() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"restrict_to_referrers": ["acme.com"]}))
        .await;
    let visitor = driver.window(DESK).await;
    visitor.goto(&link).await.expect("opens");
    wait_for(&visitor, "#reference", "-").await;
    let code = text_of(&visitor, "#reference").await;
    let window = signed_in(&driver, &casting, DESK, casting.key()).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    // It is found within seconds.
    let found = soon(async || {
        desk.open(&format!("/admin/find?q={code}"), "Search").await;
        text_of(&window, "main").await.contains("refused")
    });
    assert!(found.await, "{code}: {}", text(&window).await);
    shoot(&window, "console-find-refused").await;
    check_accessibility(&window, "console-find-refused").await;
    desk.press("Try every rule of the link").await;
    wait_for(&window, "h1", "Test").await;
    window.close().await.expect("closes");
    visitor.close().await.expect("closes");
}
