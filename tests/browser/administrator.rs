//! Owns the happy path of an administrator in the console, as on the first day: from the link that
//! signs in to a deleted link; the round over every page of the console; and the same without
//! scripting.

use casting_tests::processes::soon;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_window::{AdminWindow, SEND};
use crate::chrome::{
    CastingProgram, DESK, Driver, LOOKS, Look, console, element, into_app, shoot, text, text_of,
    wait_for,
};
use crate::page_audit::{check_accessibility, check_requests_and_size};
use crate::pictures::keep;

/// The demo app's command, one word on each line, as the form takes it.
async fn command(casting: &CastingProgram) -> String {
    let image = casting
        .admin(
            Method::GET,
            &format!("images/{}", casting.image("Demo app").await),
            &Value::Null,
        )
        .await;
    let words = image["command"]
        .as_array()
        .expect("a command")
        .iter()
        .map(|word| word.as_str().expect("a word").to_owned());
    words.collect::<Vec<_>>().join("\n")
}

/// Another visitor opens a link in their own window and sees this text; without one, enters the
/// session.
async fn visit(driver: &Driver, link: &str, refusal: Option<&str>) -> Client {
    let window = driver.window(DESK).await;
    window.goto(link).await.expect("opens");
    match refusal {
        Some(words) => wait_for(&window, "h1", words).await,
        None => {
            into_app(&window).await;
            wait_for(&window, "#status", "live").await;
        }
    }
    window
}

#[tokio::test]
async fn first_console_visit_creates_and_undoes_a_link() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver.window(DESK).await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };

    // In, by the link that the program prints; the key does not stay in the address.
    window
        .goto(&format!("{}/admin/sign-in#{}", desk.url, casting.key()))
        .await
        .expect("opens");
    wait_for(&window, "h1", "Overview").await;
    assert!(
        !window
            .current_url()
            .await
            .expect("an address")
            .as_str()
            .contains(casting.key().split('.').next().expect("an id"))
    );

    desk.open("/admin/images", "Images").await;
    desk.open("/admin/new-image", "New image").await;
    desk.fill("#f-name", "First app").await;
    desk.fill("#f-container-image", "local/first").await;
    desk.fill("#f-command", &command(&casting).await).await;
    desk.set("#f-cpu", "256/512").await;
    desk.lead(SEND, ".flash", "Image created.").await;

    desk.open("/admin/casts", "Casts").await;
    desk.press("New cast").await;
    wait_for(&window, "h1", "New cast").await;
    desk.lead(SEND, "#mistakes", "Nothing was saved").await;
    shoot(&window, "console-road-mistakes").await;
    desk.fill("#f-name", "First link").await;
    desk.pick("#f-image-id", "First app").await;
    desk.click("#f-allow-anonymous").await;
    desk.click("#f-require-captcha").await;
    desk.fill("#f-allowed-addresses", "127.0.0.0/8 Here\n::1 Here too")
        .await;
    desk.set("#f-valid-until", "2099-12-31T18:00:00").await;
    desk.click("#f-limit-total-sessions").await;
    desk.fill("#f-sessions-remaining", "5").await;
    desk.click("#f-limit-requests-per-ip").await;
    desk.fill("#f-sessions-allowed", "1").await;
    desk.fill("#f-within-seconds", "600").await;
    wait_for(&window, "#checked", "No errors found.").await;
    shoot(&window, "console-road-form").await;
    desk.lead(SEND, ".flash", "Cast created.").await;
    let (link, id) = (desk.link().await, desk.id().await);
    assert!(link.starts_with(&format!("{}/cast/", desk.url)), "{link}");
    let made = casting
        .admin(Method::GET, &format!("casts/{id}"), &Value::Null)
        .await;
    assert_eq!(
        (
            &made["valid_until"],
            &made["sessions_remaining"],
            &made["require_captcha"]
        ),
        (&json!("2099-12-31T18:00:00Z"), &json!(5), &json!(true))
    );

    // One comes in, the next is one too many; the pages tell of both.
    let first = visit(&driver, &link, None).await;
    first.close().await.expect("closes");
    visit(&driver, &link, Some("Too many sessions from your network"))
        .await
        .close()
        .await
        .expect("closes");
    let home = format!("/admin/casts/{id}");
    desk.open(&home, "First link").await;
    let figures = text_of(&window, ".figures").await;
    assert!(
        figures.starts_with("4\nREMAINING") || figures.to_lowercase().starts_with("4\nremaining"),
        "{figures}"
    );
    desk.click(".chart details.numbers summary").await;
    // Summed over the hours, because a full hour may pass between the visits and this page.
    let numbers = text_of(&window, ".chart .dense").await;
    assert_eq!(launches_and_refusals(&numbers), (1, 1), "{numbers}");
    // The values of a chart are read by keyboard too; U+E010 is the key End.
    let plot = element(&window, "[data-plot]").await;
    plot.send_keys("\u{e010}").await.expect("takes keys");
    let reading = text_of(&window, ".reading").await;
    assert!(reading.contains("Launched"), "{reading}");
    shoot(&window, "console-road-used").await;
    desk.open(&format!("{home}/claims"), "Claims").await;
    let claims = text_of(&window, ".list-card table").await.to_lowercase();
    assert!(
        claims.contains("refused") && claims.contains("too many sessions"),
        "{claims}"
    );
    assert!(
        claims.contains("live") && claims.contains("anonymous"),
        "{claims}"
    );
    shoot(&window, "console-road-claims").await;

    // A change, taken back; and made again.
    let allowed = async || {
        casting
            .admin(Method::GET, &format!("casts/{id}"), &Value::Null)
            .await["sessions_allowed"]
            .clone()
    };
    for undo in [true, false] {
        desk.open(&format!("{home}/edit"), "Edit cast").await;
        desk.fill("#f-sessions-allowed", "3").await;
        desk.lead(SEND, ".flash", "Changes saved.").await;
        assert_eq!(allowed().await, 3);
        if undo {
            desk.lead(".flash button", ".flash", "Change undone.").await;
            assert_eq!(allowed().await, 1);
        }
    }

    // Another key: the old link is dead, the new one works.
    desk.open(&home, "First link").await;
    desk.press("Replace the link").await;
    desk.pick("#grace", "stops working now").await;
    desk.lead(
        "form[action$='/rotate'] button",
        ".flash",
        "The link has a new key",
    )
    .await;
    let other = desk.link().await;
    assert_ne!(other, link);
    visit(&driver, &link, Some("This link does not work"))
        .await
        .close()
        .await
        .expect("closes");
    visit(&driver, &other, None)
        .await
        .close()
        .await
        .expect("closes");

    desk.open(&home, "First link").await;
    desk.press("Delete\u{2026}").await;
    wait_for(&window, "h1", "Delete \u{201c}First link\u{201d}?").await;
    shoot(&window, "console-road-delete").await;
    desk.lead("main form button.danger", ".flash", "Deleted.")
        .await;
    visit(&driver, &other, Some("This link does not work"))
        .await
        .close()
        .await
        .expect("closes");
    assert_eq!(
        console(&window).await,
        Vec::<String>::new(),
        "nothing is wrong in the browser's console"
    );
    window.close().await.expect("closes");
}

/// The sums of a chart's table, whose rows read `Mon 23 Nov, 20:00 3 1 2`: hour, launched, refused,
/// launched in the period before.
fn launches_and_refusals(table: &str) -> (u64, u64) {
    table
        .lines()
        .filter_map(|row| {
            let mut cells = row.split_whitespace();
            cells.find(|hour| hour.contains(':'))?;
            let launched: u64 = cells.next()?.parse().ok()?;
            let refused: u64 = cells.next().map_or(Some(0), |cell| cell.parse().ok())?;
            Some((launched, refused))
        })
        .fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
}

/// Every page of the console, and what its heading says. `{cast}` and its siblings stand for things
/// that are there.
const PAGES: [(&str, &str); 47] = [
    ("/admin/help/console", "Manual"),
    ("/admin", "Overview"),
    ("/admin/time-zone", "Time zone"),
    ("/admin/casts", "Casts"),
    ("/admin/new-cast", "New cast"),
    ("/admin/casts/{cast}", "Test"),
    ("/admin/casts/{cast}/edit", "Edit cast"),
    ("/admin/casts/{cast}/test", "Test"),
    ("/admin/casts/{cast}/claims", "Claims"),
    ("/admin/casts/{cast}/delete", "Delete"),
    ("/admin/casts/{cast}/invitations", "Invitations"),
    ("/admin/casts/{cast}/invite", "Invite guests"),
    ("/admin/find?q=Test", "Search: Test"),
    ("/admin/claims", "Claims"),
    ("/admin/sessions", "ession"),
    ("/admin/sessions?show=all", "ession"),
    ("/admin/sessions/{session}", "ession"),
    ("/admin/sessions/{session}/abuse", "Abuse report"),
    ("/admin/sessions/{session}/stop", "Stop this session?"),
    (
        "/admin/extend-sessions?cast={cast}",
        "Extend all running sessions",
    ),
    ("/admin/images", "Images"),
    ("/admin/new-image", "New image"),
    ("/admin/images/{image}", "Demo app"),
    ("/admin/images/{image}/delete", "Delete"),
    ("/admin/networks", "Networks"),
    ("/admin/new-network", "New network"),
    ("/admin/networks/lab", "lab"),
    ("/admin/networks/lab/delete", "Delete"),
    ("/admin/groups", "Groups"),
    ("/admin/new-group", "New group"),
    ("/admin/groups/{group}", "Guests"),
    ("/admin/groups/{group}/delete", "Delete"),
    ("/admin/staging", "Staging"),
    ("/admin/new-staging", "New staging"),
    ("/admin/staging/{pool}", "Demo app at once"),
    ("/admin/staging/{pool}/delete", "Delete"),
    ("/admin/users", "Users"),
    ("/admin/users?kind=anonymous", "Anonymous users"),
    ("/admin/users/{user}", "Bob"),
    ("/admin/users/{user}/delete", "Forget"),
    ("/admin/settings", "Settings"),
    ("/admin/api-keys", "API keys"),
    ("/admin/new-api-key", "New API key"),
    ("/admin/api-keys/{key}", "Reader"),
    ("/admin/api-keys/{key}/delete", "Delete"),
    ("/admin/audit", "Audit log"),
    ("/admin/nothing-here", "There is nothing here"),
];

/// The fields of a form that reach into what stands below them.
const COVERED: &str = "return [...document.querySelectorAll('form .field, form .block')].filter(\
    (field) => field.checkVisibility() && field.scrollHeight > field.clientHeight + 2 && \
    getComputedStyle(field).overflowY === 'visible').map((field) => field.id || field.className + ': ' + \
    field.textContent.trim().slice(0, 40))";

#[tokio::test]
async fn console_pages_are_accessible_small_and_self_contained() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting
        .link(&json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 600}))
        .await;
    visit(&driver, &link, None)
        .await
        .close()
        .await
        .expect("closes");
    visit(&driver, &link, Some("Too many sessions from your network"))
        .await
        .close()
        .await
        .expect("closes");
    let members = casting
        .link(&json!({"name": "For members", "allow_anonymous": false}))
        .await;
    let member = driver.window(DESK).await;
    member.goto(&members).await.expect("opens");
    let bob = Locator::Css("button[value=bob]");
    wait_for(&member, "h1", "Who are you?").await;
    let bob = member.find(bob).await.expect("a user of the demo provider");
    bob.click().await.expect("can be clicked");
    into_app(&member).await;
    member.close().await.expect("closes");
    let first = async |path: &str| {
        let found = casting.admin(Method::GET, path, &Value::Null).await;
        found["items"][0].clone()
    };
    let cast = first("casts?search=Test").await;
    let demo = first("casts?search=welcome").await;
    assert_eq!(demo["warnings"], json!([]), "of the demo cast: {demo}");
    let (session, user) = (first("sessions").await, first("users").await);
    let text_at = |value: &Value| value.as_str().expect("an id").to_owned();
    let id = async |path: &str, body: Value| {
        text_at(&casting.admin(Method::POST, path, &body).await["id"])
    };
    casting
        .admin(
            Method::POST,
            "networks",
            &json!({"name": "lab", "subnets": ["subnet-1a"], "security_groups": ["sg-1a"]}),
        )
        .await;
    let pool = first("staging-configs").await;
    let names = [
        ("{pool}", text_at(&pool["id"])),
        ("{cast}", text_at(&cast["id"])),
        ("{session}", text_at(&session["id"])),
        ("{user}", text_at(&user["id"])),
        ("{image}", casting.image("Demo app").await),
        ("{group}", id("groups", json!({"name": "Guests"})).await),
        (
            "{key}",
            id("api-keys", json!({"name": "Reader", "scopes": ["read"]})).await,
        ),
    ];
    for (look_name, look) in LOOKS {
        let window = driver.window(look).await;
        let desk = AdminWindow {
            window: &window,
            url: casting.url(),
        };
        desk.open("/admin/sign-in", "Sign in").await;
        check_accessibility(&window, &format!("console-sign-in-{look_name}")).await;
        shoot(&window, &format!("console-sign-in-{look_name}")).await;
        check_requests_and_size(&window, "console-sign-in", &[]).await;
        desk.fill("#key", casting.key()).await;
        desk.lead("form[action='/admin/sign-in'] button", "h1", "Overview")
            .await;
        check_requests_and_size(&window, "console-signed-in", &[]).await;
        for (path, words) in PAGES {
            let real = names
                .iter()
                .fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
            desk.open(&real, words).await;
            let short = path
                .trim_start_matches("/admin")
                .replace(['{', '}'], "")
                .replace(['/', '?', '='], "-");
            let name = format!(
                "console{}-{look_name}",
                if short.is_empty() {
                    "-overview"
                } else {
                    &short
                }
            );
            shoot(&window, &name).await;
            if name == "console-sessions-session-abuse-light" {
                keep(&window, "abuse-report").await;
            }
            check_accessibility(&window, &name).await;
            check_requests_and_size(&window, &name, &[]).await;
            let wide = window
                .execute(
                    "return document.documentElement.scrollWidth - innerWidth",
                    vec![],
                )
                .await
                .expect("a number");
            assert!(
                wide.as_i64().is_some_and(|wide| wide <= 0),
                "{name} is wider than its window by {wide}"
            );
            let covered = window.execute(COVERED, vec![]).await.expect("names");
            assert_eq!(covered, json!([]), "{name}: parts of the form overlap");
        }
        assert_eq!(
            console(&window).await,
            Vec::<String>::new(),
            "nothing is wrong in the browser's console"
        );
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn cast_is_managed_without_javascript() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver
        .window(Look {
            scripting: false,
            ..DESK
        })
        .await;
    let desk = AdminWindow {
        window: &window,
        url: casting.url(),
    };
    desk.open("/admin/new-cast", "Sign in").await;
    desk.fill("#key", casting.key()).await;
    desk.lead("form[action='/admin/sign-in'] button", "h1", "New cast")
        .await;
    desk.fill("#f-name", "By hand").await;
    desk.pick("#f-image-id", "Demo app").await;
    desk.click("#f-allow-anonymous").await;
    desk.lead(SEND, ".flash", "Cast created.").await;
    let (link, home) = (
        desk.link().await,
        format!("/admin/casts/{}", desk.id().await),
    );
    desk.open(&format!("{home}/edit"), "Edit cast").await;
    desk.fill("#f-name", "By hand, again").await;
    desk.lead(SEND, "h1", "By hand, again").await;
    let described = link.replace("/cast/", "/api/casts/");
    let status = async || casting.status(&described).await;
    assert_eq!(status().await, 200);
    desk.press("Delete\u{2026}").await;
    desk.lead("main form button.danger", ".flash", "Deleted.")
        .await;
    assert_eq!(status().await, 404);
    assert!(
        soon(async || text(&window).await.contains("Undo")).await,
        "and can be brought back"
    );
    window.close().await.expect("closes");
}
