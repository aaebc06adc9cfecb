//! Owns what surrounds a session's app: panel and tips, the end, and a session that others watch.

use casting_tests::processes::{soon, with_environment};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, Locator};
use serde_json::json;

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, element, into_app, shoot, text, text_of, wait_for,
};
use crate::inner::{Inner, shows, size, type_in};

/// Clicks what the selector finds; again where the page has drawn it anew meanwhile.
pub async fn session_of(window: &Client) -> String {
    let url = window.current_url().await.expect("an address");
    url.host_str()
        .and_then(|host| host.strip_suffix(".localhost"))
        .expect("an origin of its own")
        .to_owned()
}

pub async fn is_there(window: &Client, selector: &str) -> bool {
    window.find(Locator::Css(selector)).await.is_ok()
}

#[tokio::test]
async fn panel_and_tips_follow_the_link_and_end_the_session() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for (name, look) in [
        ("desk", DESK),
        ("dark", Look { dark: true, ..DESK }),
        (
            "phone",
            Look {
                phone: true,
                ..DESK
            },
        ),
    ] {
        let window = driver.window(look).await;
        window
            .goto(&casting.link(&json!({})).await)
            .await
            .expect("opens");
        wait_for(&window, "#tips[open]", "Your session is ready").await;
        shoot(&window, &format!("viewer-tips-{name}")).await;
        click(&window, "#tips button").await;
        wait_for(&window, "#panel summary", "").await;
        click(&window, "#panel > summary").await;
        wait_for(&window, "#connection", "Good").await;
        assert!(
            text_of(&window, "#left").await.starts_with("59:"),
            "{}",
            text(&window).await
        );
        shoot(&window, &format!("viewer-panel-{name}")).await;
        // The hint is not shown again after a return.
        window.refresh().await.expect("loads");
        assert!(
            soon(async || is_there(&window, "#tips:not([open])").await).await,
            "tips once are enough"
        );
        let session = session_of(&window).await;
        click(&window, "#panel > summary").await;
        click(&window, ".end summary").await;
        click(&window, ".end button").await;
        wait_for(&window, "body", "You ended it.").await;
        assert!(
            soon(async || with_environment(&session).is_empty()).await,
            "no process stays"
        );
        window.close().await.expect("closes");
    }
    let bare = driver.window(DESK).await;
    bare.goto(
        &casting
            .link(&json!({"disable_control_panel": true, "disable_tips": true}))
            .await,
    )
    .await
    .expect("opens");
    assert!(
        soon(async || is_there(&bare, "#app").await).await,
        "the app is there"
    );
    assert!(
        !is_there(&bare, "#panel").await && !is_there(&bare, "#tips").await,
        "and nothing else is"
    );
    into_app(&bare).await;
    wait_for(&bare, "#status", "live").await;
    bare.close().await.expect("closes");
}

#[tokio::test]
async fn viewers_only_watch_until_given_control() {
    let (driver, casting, inner) = (
        Driver::start().await,
        CastingProgram::start().await,
        Inner::serve().await,
    );
    let fields = json!({
        "image_id": casting.image("Browser").await, "enable_sharing": true, "allow_anonymous_viewers": true, "disable_tips": true,
        "kasm_url": format!("http://{}/", inner.host),
    });
    let owner = driver.window(DESK).await;
    owner
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    into_app(&owner).await;
    shows(&owner, Inner::GREEN).await;
    assert_eq!(
        size(&owner).await,
        json!([1280, 720]),
        "the screen keeps its size, and the owner's window shows it scaled"
    );
    owner.enter_parent_frame().await.expect("the viewer");
    let link = soon_value(&owner, "#link").await;
    assert!(
        link.starts_with(casting.url()) && link.contains("/share/"),
        "{link}"
    );

    let viewer = driver.window(DESK).await;
    viewer.goto(&link).await.expect("opens");
    into_app(&viewer).await;
    shows(&viewer, Inner::GREEN).await;
    viewer.enter_parent_frame().await.expect("the viewer");
    click(&viewer, "#panel > summary").await;
    wait_for(&viewer, "#role", "are watching").await;
    assert!(
        !is_there(&viewer, "#link").await && !is_there(&viewer, ".end").await,
        "sharing and the end are the owner's"
    );
    shoot(&viewer, "share-viewer").await;

    // What the page leaves out is not what protects the session: the same screen without the page,
    // with keys switched on.
    let watching = viewer.current_url().await.expect("an address");
    let app = watching.as_str().replacen("://", "://app.", 1);
    let app = url::Url::parse(&app).and_then(|app| app.join("/?resize=remote"));
    let app = app.expect("an address");
    viewer.goto(app.as_str()).await.expect("opens");
    shows(&viewer, Inner::GREEN).await;
    type_in(&viewer, "intruder").await;
    into_app(&owner).await;
    type_in(&owner, "mine").await;
    assert!(
        soon(async || inner.typed() == "mine").await,
        "only the owner's keys arrive: {}",
        inner.typed()
    );
    assert_eq!(
        size(&owner).await,
        json!([1280, 720]),
        "nor does anybody who watches set the size"
    );

    viewer.goto(watching.as_str()).await.expect("opens");
    owner.enter_parent_frame().await.expect("the viewer");
    click(&owner, "#panel > summary").await;
    wait_for(&owner, "#watchers", "Guest watches").await;
    shoot(&owner, "share-owner").await;
    click(&owner, "#watchers button").await;
    wait_for(&owner, "#watchers", "Guest has control").await;
    into_app(&viewer).await;
    shows(&viewer, Inner::GREEN).await;
    let canvas = element(&viewer, "canvas").await;
    canvas.click().await.expect("can be clicked");
    viewer
        .active_element()
        .await
        .expect("the screen")
        .send_keys("\u{e004}yours")
        .await
        .expect("can be typed into");
    assert!(
        soon(async || inner.typed().ends_with("yours")).await,
        "control was handed over: {}",
        inner.typed()
    );

    click(&owner, "#stop > button").await;
    assert!(
        soon(async || is_there(&owner, "#begin:not([hidden])").await).await,
        "{}",
        text(&owner).await
    );
    viewer.enter_parent_frame().await.expect("the viewer");
    wait_for(
        &viewer,
        "body",
        "This session is not shared with you any more",
    )
    .await;
    shoot(&viewer, "share-revoked").await;
    viewer.goto(&link).await.expect("opens");
    wait_for(&viewer, "h1", "This session is no longer shared").await;
    // Alone again, the owner's window is the screen's measure.
    into_app(&owner).await;
    let window = owner
        .execute("return [innerWidth, innerHeight]", vec![])
        .await
        .expect("a size");
    assert!(
        soon(async || size(&owner).await == window).await,
        "{} {window}",
        size(&owner).await
    );
    owner.close().await.expect("closes");
    viewer.close().await.expect("closes");
}

#[tokio::test]
async fn shared_screen_follows_the_owners_window() {
    let (driver, casting, inner) = (
        Driver::start().await,
        CastingProgram::start().await,
        Inner::serve().await,
    );
    let fields = json!({
        "image_id": casting.image("Browser").await, "enable_sharing": true, "disable_shared_fixed_resolution": true, "disable_tips": true,
        "kasm_url": format!("http://{}/", inner.host),
    });
    let owner = driver.window(DESK).await;
    owner
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    into_app(&owner).await;
    shows(&owner, Inner::GREEN).await;
    let window = owner
        .execute("return [innerWidth, innerHeight]", vec![])
        .await
        .expect("a size");
    assert!(
        soon(async || size(&owner).await == window).await,
        "{} {window}",
        size(&owner).await
    );
    owner.close().await.expect("closes");
}

#[tokio::test]
async fn resume_with_another_url_opens_it() {
    let (driver, casting, inner) = (
        Driver::start().await,
        CastingProgram::start().await,
        Inner::serve().await,
    );
    let fields = json!({
        "image_id": casting.image("Browser").await, "allow_anonymous": false, "allow_resume": true, "allow_dynamic_kasm_url": true,
        "dynamic_kasm_url_hosts": ["127.0.0.1"], "disable_tips": true,
    });
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    window
        .goto(&format!("{link}?kasm_url=http://{}/", inner.host))
        .await
        .expect("opens");
    wait_for(&window, "h1", "Who are you?").await;
    click(&window, "button[value=bob]").await;
    assert!(
        soon(async || is_there(&window, "#start button").await).await,
        "{}",
        text(&window).await
    );
    click(&window, "#start button").await;
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    let session = session_of(&window).await;

    window
        .goto(&format!("{link}?kasm_url=http://{}/second", inner.host))
        .await
        .expect("opens");
    assert!(
        soon(async || is_there(&window, "#start button").await).await,
        "{}",
        text(&window).await
    );
    click(&window, "#start button").await;
    into_app(&window).await;
    shows(&window, Inner::BLUE).await;
    assert_eq!(session_of(&window).await, session, "in the same session");
    shoot(&window, "resumed-with-another-address").await;

    // The panel opens addresses too.
    window.enter_parent_frame().await.expect("the viewer");
    click(&window, "#panel > summary").await;
    let field = element(&window, "#url").await;
    field
        .send_keys(&format!("http://{}/", inner.host))
        .await
        .expect("can be filled in");
    click(&window, "#open button").await;
    click(&window, "#panel > summary").await;
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    window.close().await.expect("closes");
}

#[tokio::test]
async fn session_warns_before_it_ends_and_shows_the_reason() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    // The shortest that can be set: a minute.
    let limits = [
        (
            "idle",
            json!({"idle_minutes": 1}),
            "It was inactive for too long.",
        ),
        (
            "time",
            json!({"session_time_limit_seconds": 60}),
            "Its time was up.",
        ),
    ];
    let mut windows = Vec::new();
    for (name, settings, why) in limits {
        let fields = json!({"enforce_client_settings": true, "client_settings": settings, "disable_tips": true});
        let window = driver.window(DESK).await;
        window
            .goto(&casting.link(&fields).await)
            .await
            .expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.enter_parent_frame().await.expect("the viewer");
        let touched = async || {
            let asked = "return performance.getEntriesByType('resource').some((one) => \
                         one.name.endsWith('/.cast/touch'))";
            let told = window.execute(asked, vec![]).await;
            told.expect("a list") == json!(true)
        };
        assert!(!touched().await, "{name}: nobody has touched anything");
        into_app(&window).await;
        // A touch in the app's own window counts, although it is of another origin.
        click(&window, "#pad").await;
        window.enter_parent_frame().await.expect("the viewer");
        let counted = name != "idle" || soon(touched).await;
        assert!(counted, "{name}: a click in the app");
        windows.push((name, window, why));
    }
    wait_for(&windows[1].1, "#banner", "The session ends in 00:").await;
    shoot(&windows[1].1, "viewer-countdown").await;
    assert!(
        text_of(&windows[0].1, "#banner").await.is_empty(),
        "not yet: {}",
        text(&windows[0].1).await
    );
    let warned = async || {
        text_of(&windows[0].1, "#banner")
            .await
            .contains("Are you still there?")
    };
    let mut seen = false;
    for _ in 0..6 {
        seen = seen || soon(&warned).await;
    }
    assert!(seen, "{}", text(&windows[0].1).await);
    shoot(&windows[0].1, "viewer-idle").await;
    for (name, window, why) in windows {
        for _ in 0..2 {
            soon(async || text(&window).await.contains(why)).await;
        }
        wait_for(&window, "body", why).await;
        shoot(&window, &format!("viewer-ended-{name}")).await;
        window.close().await.expect("closes");
    }
}

/// What stands in a field, once something does.
pub async fn soon_value(window: &Client, selector: &str) -> String {
    let read = async || match window.find(Locator::Css(selector)).await {
        Ok(field) => field.prop("value").await.ok().flatten().unwrap_or_default(),
        Err(_) => String::new(),
    };
    assert!(
        soon(async || !read().await.is_empty()).await,
        "{selector} is empty: {}",
        text(window).await
    );
    read().await
}

/// Presses these keys one after the other, and lets go of them in the other order.
pub async fn chord(window: &Client, chord: &[char]) {
    let mut keys = KeyActions::new("keyboard".into());
    for value in chord {
        keys = keys.then(KeyAction::Down { value: *value });
    }
    for value in chord.iter().rev() {
        keys = keys.then(KeyAction::Up { value: *value });
    }
    window.perform_actions(keys).await.expect("keys");
}

async fn enter_frame(window: &Client) {
    let frame = element(window, "#app").await;
    frame.enter_frame().await.expect("a frame");
}

#[tokio::test]
async fn session_is_used_by_the_keyboard_alone() {
    const ESCAPE: char = '\u{e00c}';
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for (image, is_shown) in [
        (
            "Browser",
            "return document.documentElement.dataset.connected === 'yes'",
        ),
        ("Streamed browser", "return window.videoChunksReceived > 0"),
    ] {
        let inner = Inner::serve().await;
        let fields = json!({
            "image_id": casting.image(image).await, "kasm_url": format!("http://{}/sheet", inner.host),
        });
        let window = driver.window(DESK).await;
        window
            .goto(&casting.link(&fields).await)
            .await
            .expect("opens");
        let there = async || soon(async || window.find(Locator::Css("#app")).await.is_ok()).await;
        assert!(
            there().await || there().await,
            "{image}: {}",
            text(&window).await
        );
        enter_frame(&window).await;
        let shown = async || window.execute(is_shown, vec![]).await.ok() == Some(json!(true));
        let mut seen = false;
        for _ in 0..4 {
            seen = seen || soon(shown).await;
        }
        assert!(seen, "{image}: {}", text(&window).await);
        // The screen is connected, and a page of an app may ask for the focus.
        window.execute("focus()", vec![]).await.expect("runs");
        window.enter_parent_frame().await.expect("the viewer");
        let has_focus =
            "return document.hasFocus() && document.activeElement.closest('#tips') !== null";
        let held = async || window.execute(has_focus, vec![]).await.ok() == Some(json!(true));
        assert!(soon(held).await, "{image}: the dialog has the focus");
        chord(&window, &[ESCAPE]).await;
        assert!(!is_there(&window, "#tips[open]").await, "{image}");

        // Control, Alt and Shift.
        enter_frame(&window).await;
        chord(&window, &['\u{e009}', '\u{e00a}', '\u{e008}', 'M']).await;
        window.enter_parent_frame().await.expect("the viewer");
        let is_open = async || is_there(&window, "#panel[open]").await;
        assert!(soon(is_open).await, "{image}");
        chord(&window, &['\u{e004}']).await;
        let within = "return document.activeElement.closest('.sheet') !== null";
        let within = window.execute(within, vec![]).await.expect("an answer");
        assert_eq!(within, json!(true), "{image}: its parts are next");
        let picture = format!("viewer-panel-by-keys-{image}").replace(' ', "-");
        shoot(&window, &picture).await;
        chord(&window, &[ESCAPE]).await;
        assert!(!is_open().await, "{image}");

        // Back in the session, whose page was not there from the first key on.
        enter_frame(&window).await;
        let mut typed = false;
        for _ in 0..6 {
            chord(&window, &['k']).await;
            typed = typed || soon(async || inner.written().starts_with('k')).await;
            if typed {
                break;
            }
        }
        assert!(typed, "{image}: {:?}", inner.written());
        assert!(!inner.written().contains('M'), "{image}: not the shortcut");
        window.close().await.expect("closes");
    }
}
