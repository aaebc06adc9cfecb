//! Owns access tiers where people meet them: the page that offers a check and a login, the page of a
//! refused visitor, and the console's form; on a desk and on a phone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, SEND, signed_in};
use crate::chrome::{
    CastingProgram, DESK, Driver, LOOKS, Look, click, into_app, shoot, text, text_of, wait_for,
};
use crate::page_audit::{check_accessibility, check_requests_and_size};
use crate::pictures::keep;

/// The tiers of the sessions of a link, the newest first.
async fn tiers_of(casting: &CastingProgram, link: &str) -> Vec<Value> {
    let key = link.rsplit('/').next().expect("a key");
    let sessions = casting
        .admin(Method::GET, "sessions?limit=50", &Value::Null)
        .await;
    let all = sessions["items"].as_array().expect("sessions");
    let of_link = all.iter().filter(|session| session["cast_key"] == key);
    of_link
        .map(|session| session["access_tier"]["name"].clone())
        .collect()
}

#[tokio::test]
async fn visitor_chooses_between_check_login_and_less() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let tiers = json!([
        {"name": "Users", "proof": "login"},
        {"name": "People", "proof": "captcha"},
        {"name": "Strangers", "proof": "any", "session_time_limit_seconds": 300},
    ]);
    let link = casting.link(&json!({ "access_tiers": tiers })).await;
    for (look_name, look) in LOOKS {
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        wait_for(
            &window,
            "#less",
            "Without the check, the session can do less.",
        )
        .await;
        let name = format!("landing-tiers-{look_name}");
        shoot(&window, &name).await;
        check_accessibility(&window, &name).await;
        check_requests_and_size(&window, &name, &[]).await;
        window.close().await.expect("closes");
    }
    for (name, selector, scripting, tier) in [
        ("the check", "#start > button", true, "People"),
        ("less", "#start button[formnovalidate]", true, "Strangers"),
        (
            "less, without scripting",
            "#start button[formnovalidate]",
            false,
            "Strangers",
        ),
    ] {
        let window = driver.window(Look { scripting, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        click(&window, selector).await;
        if scripting {
            into_app(&window).await;
            wait_for(&window, "#status", "live").await;
        } else {
            wait_for(&window, "h1", "").await;
        }
        let found = tiers_of(&casting, &link).await;
        assert_eq!(found.first(), Some(&json!(tier)), "{name}: {found:?}");
        window.close().await.expect("closes");
    }
    let window = driver.window(DESK).await;
    window.goto(&link).await.expect("opens");
    click(&window, "#start a[href^='/login']").await;
    wait_for(&window, "h1", "Who are you?").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn refused_visitor_reads_what_may_help() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let tiers = json!([{"proof": "login", "login_groups": ["Staff"]}]);
    let fields = json!({"access_tiers": tiers, "contact": "helpdesk@example.com"});
    let link = casting.link(&fields).await;
    for (look_name, look) in LOOKS {
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "h1", "This link is not open to you").await;
        let said = text(&window).await;
        assert!(
            said.contains("Sign in") && said.contains("helpdesk"),
            "{said}"
        );
        let name = format!("access-denied-{look_name}");
        shoot(&window, &name).await;
        check_accessibility(&window, &name).await;
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn administrator_adds_orders_and_removes_tiers() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let network = json!({"name": "offline", "subnets": ["subnet-1"], "security_groups": ["sg-1"]});
    casting.admin(Method::POST, "networks", &network).await;
    let link = casting
        .link(&json!({"access_tiers": [{"name": "All", "proof": "any", "network": "offline"}]}))
        .await;
    let key = link.rsplit('/').next().expect("a key");
    let casts = casting
        .admin(Method::GET, &format!("casts?search={key}"), &Value::Null)
        .await;
    let id = casts["items"][0]["id"].as_str().expect("an id").to_owned();
    let window = signed_in(&driver, &casting, DESK, casting.key()).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    let edit = format!("/admin/casts/{id}/edit");
    desk.open(&edit, "Edit cast").await;
    let field = |at: u32, part: &str| format!("[name='access_tiers.{at}.{part}']");
    // The empty tier at the end, and another one.
    desk.pick(&field(1, "proof"), "Visitors who have signed in")
        .await;
    desk.fill(&field(1, "name"), "Staff").await;
    desk.fill(&field(1, "login_groups"), "Staff\nLab").await;
    desk.fill(&field(1, "place"), "0.5").await;
    desk.click(".tiers > button").await;
    desk.pick(&field(2, "proof"), "Invited visitors").await;
    desk.fill(&field(2, "limit"), "2").await;
    desk.pick(&field(2, "limit.unit"), "hours").await;
    desk.fill(&field(2, "place"), "0.2").await;
    wait_for(&window, "#checked", "No errors found.").await;
    desk.click(".tiers > legend").await;
    shoot(&window, "console-tiers").await;
    keep(&window, "access-tiers").await;
    desk.lead(SEND, ".flash", "Changes saved.").await;
    let path = format!("casts/{id}");
    let tiers = casting.admin(Method::GET, &path, &Value::Null).await["access_tiers"].clone();
    let found: Vec<_> = tiers
        .as_array()
        .expect("a list")
        .iter()
        .map(|tier| {
            (
                tier["proof"].clone(),
                tier["session_time_limit_seconds"].clone(),
            )
        })
        .collect();
    let expected = [
        (json!("invitation"), json!(7200)),
        (json!("login"), Value::Null),
        (json!("any"), Value::Null),
    ];
    assert_eq!(found, expected);
    assert_eq!(tiers[1]["login_groups"], json!(["Staff", "Lab"]));

    // One that no visitor reaches is told while it is typed; one without a condition is none.
    desk.open(&edit, "Edit cast").await;
    desk.set(&field(0, "proof"), "any").await;
    wait_for(
        &window,
        "#f-access-tiers-warning",
        "Tier 2 decides about nobody",
    )
    .await;
    desk.set(&field(0, "proof"), "").await;
    desk.lead(SEND, ".flash", "Changes saved.").await;
    let left = casting.admin(Method::GET, &path, &Value::Null).await["access_tiers"].clone();
    assert_eq!(left.as_array().map(Vec::len), Some(2));
    let said = text_of(&window, "main").await;
    assert!(said.contains("2 access tiers decide"), "{said}");
    window.close().await.expect("closes");

    for (look_name, look) in LOOKS {
        let window = signed_in(&driver, &casting, look, casting.key()).await;
        let desk = AdminWindow {
            window: &window,
            url: casting.url(),
        };
        desk.open(&edit, "Edit cast").await;
        desk.click(".tiers > legend").await;
        let name = format!("console-tiers-{look_name}");
        shoot(&window, &name).await;
        check_accessibility(&window, &name).await;
        desk.open(&format!("/admin/casts/{id}/test"), "Test this link")
            .await;
        desk.fill("#t-address", "192.0.2.1").await;
        desk.lead("form.visit button", ".notice", "would be").await;
        shoot(&window, &format!("console-tiers-test-{look_name}")).await;
        window.close().await.expect("closes");
    }
}
