//! Owns what happens in the console beside the usual road: read-only users, logins with a role,
//! conflicting changes, and what can be done with sessions and their owners.

use casting_tests::processes::soon;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, SEND, signed_in};
use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, into_app, shoot, text, text_of, wait_for,
};
use crate::page_audit::check_accessibility;

async fn count(window: &Client, selector: &str) -> usize {
    window
        .find_all(Locator::Css(selector))
        .await
        .expect(selector)
        .len()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

async fn run(window: &Client, script: &str, arguments: &[Value]) -> Value {
    window
        .execute(script, arguments.to_vec())
        .await
        .expect("runs")
}

#[tokio::test]
async fn read_only_user_sees_no_change_controls() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    casting.link(&json!({})).await;
    let cast = casting
        .admin(Method::GET, "casts?search=Test", &Value::Null)
        .await["items"][0]
        .clone();
    let network = json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]});
    casting.admin(Method::POST, "networks", &network).await;
    let group = casting
        .admin(Method::POST, "groups", &json!({"name": "Guests"}))
        .await;
    let auditor = casting
        .admin(
            Method::POST,
            "api-keys",
            &json!({"name": "Robin", "scopes": ["read"]}),
        )
        .await;
    let window = signed_in(
        &driver,
        &casting,
        DESK,
        auditor["key"].as_str().expect("a key"),
    )
    .await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    wait_for(&window, ".who", "Auditor").await;
    for path in [
        "/admin".to_owned(),
        "/admin/casts".into(),
        format!("/admin/casts/{}", id(&cast)),
        format!("/admin/casts/{}/claims", id(&cast)),
        "/admin/claims".into(),
        "/admin/sessions".into(),
        "/admin/images".into(),
        format!("/admin/images/{}", casting.image("Demo app").await),
        "/admin/networks".into(),
        "/admin/networks/lab".into(),
        "/admin/groups".into(),
        format!("/admin/groups/{}", id(&group)),
        "/admin/staging".into(),
        "/admin/users".into(),
        "/admin/users?kind=anonymous".into(),
        "/admin/settings".into(),
        "/admin/api-keys".into(),
        format!("/admin/api-keys/{}", id(&auditor)),
        "/admin/audit".into(),
    ] {
        desk.open(&path, "").await;
        wait_for(
            &window,
            ".only-looks",
            "You have read-only access to the console.",
        )
        .await;
        assert_eq!(
            count(&window, "form[method=post]:not([action='/admin/sign-out'])").await,
            0,
            "{path} has a form that changes something"
        );
        assert_eq!(
            count(
                &window,
                "main :is(a[href*='/new-'], a[href$='/delete'], a[href$='/edit'])"
            )
            .await,
            0,
            "{path} leads to a change"
        );
        assert_eq!(
            count(
                &window,
                ".sheet :is(input, select, textarea, button):enabled"
            )
            .await,
            0,
            "{path} has a field to fill in"
        );
        check_accessibility(
            &window,
            &format!("auditor{}", path.replace(['/', '?', '='], "-")),
        )
        .await;
    }
    desk.open("/admin/settings", "Settings").await;
    assert!(
        count(&window, ".sheet input:disabled").await > 3,
        "and what is set is shown"
    );
    shoot(&window, "auditor-settings").await;
    desk.open(&format!("/admin/casts/{}", id(&cast)), "Test")
        .await;
    shoot(&window, "auditor-cast").await;

    // A forged form in the same window is refused with an error page inside the console's layout.
    let forge = "const form = document.createElement('form'), token = document.querySelector('[name=csrf_token]').value; form.method = 'post'; \
        form.action = arguments[0]; form.innerHTML = `<input name=csrf_token value='${token}'><input name=enabled value=false>`; document.body.append(form); \
        form.submit();";
    run(
        &window,
        forge,
        &[json!(format!("/admin/casts/{}/enabled", id(&cast)))],
    )
    .await;
    wait_for(
        &window,
        "main .card",
        "You have read-only access to the console. Nothing has been changed.",
    )
    .await;
    shoot(&window, "auditor-forged").await;
    assert_eq!(
        casting
            .admin(Method::GET, &format!("casts/{}", id(&cast)), &Value::Null)
            .await["enabled"],
        true
    );
    desk.press("Back to the overview").await;
    wait_for(&window, "h1", "Overview").await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn login_admits_administrators_and_rejects_others() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver.window(DESK).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    desk.open("/admin/casts", "Sign in to the console").await;
    desk.press("Sign in with your account").await;
    wait_for(&window, "h1", "Who are you?").await;
    desk.press("Bob, in the group Guests").await;
    wait_for(
        &window,
        ".notice",
        "You are signed in as Bob, which has no access to the console.",
    )
    .await;
    check_accessibility(&window, "console-stranger").await;
    shoot(&window, "console-stranger").await;
    desk.press("Your account and sign-out").await;
    wait_for(&window, "body", "Bob").await;
    window.back().await.expect("goes back");
    desk.press("Sign in with another account").await;
    wait_for(&window, "h1", "Who are you?").await;
    desk.fill("#password-ann", casting.demo_password()).await;
    desk.press("Ann, an administrator, in the group Staff")
        .await;
    wait_for(&window, "h1", "Casts").await;
    wait_for(&window, ".who", "Ann").await;
    assert!(text_of(&window, ".who").await.contains("Administrator"));
    shoot(&window, "console-ann").await;
    // Her changes are hers, also in the log.
    desk.open("/admin/settings", "Settings").await;
    desk.lead(SEND, ".flash", "Changes saved.").await;
    desk.press("Preview a login").await;
    desk.fill("#claims", r#"{"sub": "1", "name": "Grace"}"#)
        .await;
    desk.press("Preview it").await;
    let accepted = "This login would be accepted";
    wait_for(&window, ".login-preview .notice", accepted).await;
    check_accessibility(&window, "login-preview").await;
    shoot(&window, "login-preview").await;
    desk.lead(".who button", "h1", "Sign in to the console")
        .await;
    desk.open("/admin", "Sign in to the console").await;
    assert_eq!(
        count(&window, ".notice").await,
        0,
        "nobody is known any more"
    );
    assert_eq!(console(&window).await, Vec::<String>::new());
    window.close().await.expect("closes");
}

#[tokio::test]
async fn focused_fields_are_not_hidden_by_the_button_bar() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    // What is hidden of the focused element by the bar, in pixels; and whether it is in the window
    // at all.
    let hidden = "const at = document.activeElement, bar = document.querySelector('.form-end'); \
        if (!at.closest('.sheet') || bar.contains(at)) return [null, at.id || at.name]; \
        const box = at.getBoundingClientRect(), top = bar.getBoundingClientRect().top; \
        return [Math.max(box.bottom - top, -box.top, box.top - innerHeight, 0), at.id || at.name];";
    for (name, look) in [
        ("desk", DESK),
        (
            "phone",
            Look {
                phone: true,
                ..DESK
            },
        ),
    ] {
        let window = driver.window(look).await;
        let desk = AdminWindow {
            window: &window,
            url: casting.url(),
        };
        desk.open("/admin/new-cast", "Sign in").await;
        desk.fill("#key", casting.key()).await;
        desk.lead("form[action='/admin/sign-in'] button", "h1", "New cast")
            .await;
        for flag in ["#f-limit-total-sessions", "#f-limit-requests-per-ip"] {
            desk.click(flag).await;
        }
        for (way, keys, start) in [
            ("down", Key::Tab.to_string(), "#f-name"),
            (
                "up",
                format!("{}{}", Key::Shift, Key::Tab),
                ".form-end .button",
            ),
        ] {
            run(
                &window,
                "document.querySelector(arguments[0]).focus()",
                &[json!(start)],
            )
            .await;
            let mut walked = 0;
            for _ in 0..150 {
                let focused = window.active_element().await.expect("something");
                focused.send_keys(&keys).await.expect("can be typed");
                let seen = run(&window, hidden, &[]).await;
                let Some(covered) = seen[0].as_f64() else {
                    break;
                };
                let tall = run(
                    &window,
                    "return document.activeElement.getBoundingClientRect().height",
                    &[],
                )
                .await;
                // What is taller than the room above the bar cannot be seen whole.
                assert!(
                    covered < 1.0 || tall.as_f64() > Some(500.0),
                    "{name}, {way}: {covered} pixels of {} are hidden",
                    seen[1]
                );
                walked += 1;
            }
            assert!(walked > 30, "{name}, {way}: {walked} fields");
        }
        shoot(&window, &format!("console-bar-{name}")).await;
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn stale_form_shows_conflict_and_keeps_input() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields = json!({"name": "Desk", "description": "Plain", "max_live_sessions": 5});
    casting.link(&fields).await;
    let cast = casting
        .admin(Method::GET, "casts?search=Desk", &Value::Null)
        .await["items"][0]
        .clone();
    let other = casting
        .admin(
            Method::POST,
            "api-keys",
            &json!({"name": "Robin", "scopes": ["read", "casts"]}),
        )
        .await;
    let edit = format!("/admin/casts/{}/edit", id(&cast));
    let (first, second) = (
        signed_in(
            &driver,
            &casting,
            DESK,
            other["key"].as_str().expect("a key"),
        )
        .await,
        signed_in(&driver, &casting, DESK, casting.key()).await,
    );
    let (first, second) = (
        AdminWindow {
            window: &first,
            url: casting.url(),
        },
        AdminWindow {
            window: &second,
            url: casting.url(),
        },
    );
    first.open(&edit, "Edit cast").await;
    second.open(&edit, "Edit cast").await;
    first.fill("#f-name", "Desk of Robin").await;
    first.fill("#f-max-live-sessions", "7").await;
    first.lead(SEND, ".flash", "Changes saved.").await;

    second
        .fill("#f-description", "Typed in the second window")
        .await;
    second.fill("#f-max-live-sessions", "9").await;
    second
        .lead(SEND, "#mistakes", "Robin changed this in the meantime")
        .await;
    let told = text_of(second.window, "#mistakes").await;
    assert!(
        told.contains(
            "\u{201c}Name\u{201d} from \u{201c}Desk\u{201d} to \u{201c}Desk of Robin\u{201d}"
        ),
        "{told}"
    );
    shoot(second.window, "console-met").await;
    check_accessibility(second.window, "console-met").await;
    let holds = async |field: &str| {
        run(
            second.window,
            "return document.querySelector(arguments[0]).value",
            &[json!(field)],
        )
        .await
    };
    assert_eq!(
        holds("#f-name").await,
        "Desk of Robin",
        "what was left alone is taken over"
    );
    assert_eq!(holds("#f-description").await, "Typed in the second window");
    assert_eq!(
        holds("#f-max-live-sessions").await,
        "9",
        "what was typed stays"
    );
    assert!(
        told.contains("was changed by someone else too")
            || told.contains("Was changed by someone else too"),
        "{told}"
    );
    second.lead(SEND, ".flash", "Changes saved.").await;
    let stored = casting
        .admin(Method::GET, &format!("casts/{}", id(&cast)), &Value::Null)
        .await;
    let of = |field: &str| stored[field].clone();
    assert_eq!(
        (of("name"), of("description"), of("max_live_sessions")),
        (
            json!("Desk of Robin"),
            json!("Typed in the second window"),
            json!(9)
        )
    );
}

#[tokio::test]
async fn console_watches_unshares_and_anonymises_a_session() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let fields =
        json!({"enable_sharing": true, "allow_anonymous_viewers": true, "disable_tips": true});
    let owner = driver.window(DESK).await;
    owner
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    into_app(&owner).await;
    wait_for(&owner, "#status", "live").await;
    owner.enter_parent_frame().await.expect("the viewer");

    let window = signed_in(&driver, &casting, DESK, casting.key()).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    desk.open("/admin/sessions", "Sessions").await;
    wait_for(&window, "main table", "Shared").await;
    shoot(&window, "console-sessions-shared").await;
    desk.click("form[action$='/watch'] button").await;
    into_app(&window).await;
    window.enter_parent_frame().await.expect("the viewer");
    click(&window, "#panel > summary").await;
    wait_for(&window, "#role", "are watching").await;
    shoot(&window, "console-watches").await;
    click(&owner, "#panel > summary").await;
    assert!(
        soon(async || text(&owner).await.contains("watches")).await,
        "the owner is told: {}",
        text(&owner).await
    );

    desk.open("/admin/sessions", "Sessions").await;
    desk.lead(
        "form[action$='/unshare'] button",
        ".flash",
        "The share link no longer works.",
    )
    .await;
    assert_eq!(
        count(&window, "form[action$='/watch']").await,
        0,
        "there is nothing to watch any more"
    );

    // Forgotten, with the session ended first.
    desk.open("/admin/users?kind=anonymous", "Anonymous users")
        .await;
    shoot(&window, "console-anonymous").await;
    desk.click("main td.acts a").await;
    wait_for(&window, "h1", "Forget").await;
    desk.click("main form input[type=checkbox]").await;
    shoot(&window, "console-forget").await;
    // A session takes a moment to end; until it has, the page says so and keeps what was ticked.
    let forgotten = async || {
        if text_of(&window, ".flash").await.contains("User forgotten.") {
            return true;
        }
        // The page may be just about to be another one, which has no such button.
        if let Ok(button) = window.find(Locator::Css("main form button.danger")).await {
            let _ = button.click().await;
        }
        false
    };
    assert!(soon(forgotten).await, "{}", text(&window).await);
    desk.open("/admin/users?kind=anonymous", "Anonymous users")
        .await;
    wait_for(&window, "main", "No anonymous users").await;
    desk.open("/admin/claims", "Claims").await;
    wait_for(&window, ".list-card table", "Forgotten").await;
    let ended = soon(async || text(&owner).await.contains("ended")).await;
    assert!(ended, "the owner is told: {}", text(&owner).await);
    shoot(&owner, "console-forgotten-owner").await;
    window.close().await.expect("closes");
    owner.close().await.expect("closes");
}
