//! Owns the panel's tools: what it does in the light and in the streamed browser, its handle, more
//! time, sound of kasmweb images, and that all of it is within a thumb's reach.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::get;
use fantoccini::Client;
use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, LOOKS, Look, click, element, holds, into_app, run, shoot, text,
    text_of, wait_for,
};
use crate::inner::{CONTROL, Inner, written};
use crate::page_audit::check_accessibility;
use crate::pictures::keep;
use crate::pixels::shows;

/// Control, Alt, Shift and M: what shows the panel.
const CHORD: [char; 4] = ['\u{e009}', '\u{e00a}', '\u{e008}', 'M'];
const ESCAPE: char = '\u{e00c}';
const DOWN: char = '\u{e015}';
const LEFT: char = '\u{e012}';

async fn chord(window: &Client, keys: &[char]) {
    let down = keys.iter().map(|key| KeyAction::Down { value: *key });
    let up = keys.iter().rev().map(|key| KeyAction::Up { value: *key });
    let actions = down.chain(up);
    let actions = actions.fold(KeyActions::new("keyboard".into()), KeyActions::then);
    window.perform_actions(actions).await.expect("keys");
}

/// A session of the image with this page in it; the window is in the viewer, its panel open.
async fn open(
    driver: &Driver,
    casting: &CastingProgram,
    image: &str,
    url: &str,
    look: Look,
) -> Client {
    let fields =
        json!({"image_id": casting.image(image).await, "kasm_url": url, "disable_tips": true});
    let window = driver.window(look).await;
    window
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    let ready = "return Boolean(document.querySelector('#keys button')) && \
                 !document.querySelector('#keys').hidden";
    assert!(holds(&window, ready).await, "{}", text(&window).await);
    window
}

/// Waits until the picture of noVNC is green near its corner, as pages of [`Inner`] are, whatever
/// its size in the window.
async fn is_green(window: &Client) {
    into_app(window).await;
    let script = "const from = document.querySelector('canvas'); if (!from || !from.width) return false; \
        const to = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d'); \
        to.drawImage(from, from.width - 60, from.height - 60, 1, 1, 0, 0, 1, 1); const [r, g, b] = to.getImageData(0, 0, 1, 1).data; \
        return Math.abs(r - 10) < 12 && Math.abs(g - 125) < 12 && Math.abs(b - 50) < 12";
    assert!(holds(window, script).await, "{}", text(window).await);
    window.enter_parent_frame().await.expect("the viewer");
}

/// What is asked of the panel in every browser: keys, a phone's keyboard, and texts.
async fn keys_and_texts(window: &Client, inner: &Inner, takes_keys: &str) {
    click(window, "#panel > summary").await;
    for name in ["Esc", "F5", "Ctrl+Alt+Del"] {
        let script = format!(
            "[...document.querySelectorAll('#keys button')].find((one) => one.textContent === '{name}').click()"
        );
        run(window, &script).await;
    }
    let told = "Escape F5 Ctrl+Control Ctrl+Alt+Alt Ctrl+Alt+Delete ";
    assert!(
        written(inner, |text| text == told).await,
        "{:?}",
        inner.written()
    );
    run(window, "document.getElementById('keyboard').hidden = false").await;
    click(window, "#keyboard").await;
    let soft = element(window, "#soft").await;
    soft.send_keys("ab").await.expect("can be typed into");
    let typed = format!("{told}a b ");
    assert!(
        written(inner, |text| text == typed).await,
        "{:?}",
        inner.written()
    );
    let box_ = element(window, "#box").await;
    box_.send_keys("из панели").await.expect("can be filled in");
    click(window, "#send").await;
    wait_for(window, "#told", "in the clipboard of the session").await;
    // A click beside the panel closes it.
    into_app(window).await;
    click(window, takes_keys).await;
    window.enter_parent_frame().await.expect("the viewer");
    assert!(holds(window, "return !document.getElementById('panel').open").await);
}

#[tokio::test]
async fn panel_sends_keys_and_texts_to_the_light_browser() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let url = format!("http://{}/keys", inner.host);
    let window = open(&driver, &casting, "Browser", &url, DESK).await;
    is_green(&window).await;
    keys_and_texts(&window, &inner, "canvas").await;
    click(&window, "#panel > summary").await;
    shoot(&window, "tools-light-browser").await;

    // Size and quality are said in the address of the screen.
    run(
        &window,
        "for (const [id, value] of [['scaling', 'scale'], ['quality', 'low']]) { const one = document.getElementById(id); \
         one.value = value; one.dispatchEvent(new Event('change')); }",
    )
    .await;
    is_green(&window).await;
    into_app(&window).await;
    let asked = run(&window, "return location.search").await;
    let asked = asked.as_str().expect("a text").to_owned();
    assert!(
        asked.contains("resize=scale") && asked.contains("quality=2"),
        "{asked}"
    );
    window.close().await.expect("closes");
}

#[tokio::test]
async fn shortcut_and_tools_reach_the_streamed_browser() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let url = format!("http://{}/keys", inner.host);
    let window = open(&driver, &casting, "Streamed browser", &url, DESK).await;
    shows(&window, Inner::GREEN).await;
    keys_and_texts(&window, &inner, "#overlayInput").await;

    // The app has the focus, and the shortcut shows the panel all the same.
    into_app(&window).await;
    click(&window, "#overlayInput").await;
    chord(&window, &CHORD).await;
    window.enter_parent_frame().await.expect("the viewer");
    assert!(holds(&window, "return document.getElementById('panel').open").await);
    shoot(&window, "tools-streamed-browser").await;
    assert!(
        !inner.written().contains("M "),
        "the session has not got it: {:?}",
        inner.written()
    );

    // A picture out of the session: the page copies one when it is clicked.
    let copied = "return document.getElementById('picture').naturalWidth === 3";
    assert!(
        holds(&window, copied).await,
        "{:?} {}",
        inner.written(),
        text(&window).await
    );
    shoot(&window, "tools-picture-copied").await;
    // And one into it, that was pasted into the box.
    run(
        &window,
        "const picture = Object.assign(document.createElement('canvas'), {width: 5, height: 4}); picture.getContext('2d').fillRect(0, 0, 5, 4); \
         picture.toBlob((blob) => { const data = new DataTransfer(); data.items.add(new File([blob], 'picture.png', {type: 'image/png'})); \
         document.getElementById('box').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})); })",
    )
    .await;
    let shown = "return document.getElementById('picture').naturalWidth === 5";
    assert!(holds(&window, shown).await, "{}", text(&window).await);
    click(&window, "#send").await;
    into_app(&window).await;
    // A click would copy the page's own picture again.
    run(&window, "document.getElementById('overlayInput').focus()").await;
    chord(&window, &[CONTROL, 'v']).await;
    assert!(
        written(&inner, |text| text.contains("picture:5x4")).await,
        "{:?}",
        inner.written()
    );
    window.enter_parent_frame().await.expect("the viewer");

    // Files go in, and are listed where they come out.
    click(&window, "#panel > summary").await;
    let file = std::env::temp_dir().join(format!("panel-{}.txt", std::process::id()));
    std::fs::write(&file, "from the panel").expect("can be written");
    let upload = element(&window, "#upload").await;
    let path = file.to_str().expect("text");
    upload.send_keys(path).await.expect("can be chosen");
    wait_for(&window, "#sent", "is in the session.").await;
    shoot(&window, "tools-files").await;
    let list = "const done = arguments[0]; fetch('api/files/').then((answer) => answer.text()).then(done, String)";
    into_app(&window).await;
    let listed = window.execute_async(list, vec![]).await.expect("a list");
    let name = file.file_name().and_then(|name| name.to_str());
    let listed = listed.as_str().unwrap_or_default();
    assert!(listed.contains(name.expect("a name")), "{listed}");
    let _ = std::fs::remove_file(&file);
    window.enter_parent_frame().await.expect("the viewer");

    // Sound is switched where it is heard.
    let sound = text_of(&window, "#sound").await;
    click(&window, "#sound").await;
    assert_ne!(text_of(&window, "#sound").await, sound);
    window.close().await.expect("closes");
}

#[tokio::test]
async fn handle_is_moved_by_mouse_and_keys_and_stays() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let window = driver.window(DESK).await;
    let link = casting.link(&json!({"disable_tips": true})).await;
    window.goto(&link).await.expect("opens");
    let place = "const {left, right, top, bottom} = document.querySelector('#panel > summary').getBoundingClientRect(); \
                 return [left < innerWidth / 2 ? 'left' : 'right', Math.round(100 * (top + bottom) / 2 / innerHeight), top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth]";
    assert!(
        holds(
            &window,
            "return Boolean(document.querySelector('#panel[data-side]'))"
        )
        .await
    );
    assert_eq!(run(&window, place).await, json!(["right", 50, true]));
    let handle = element(&window, "#panel > summary").await;
    let drag = MouseActions::new("mouse".into())
        .then(PointerAction::MoveToElement {
            element: handle,
            duration: None,
            x: 0.0,
            y: 0.0,
        })
        .then(PointerAction::Down {
            button: MOUSE_BUTTON_LEFT,
        })
        .then(PointerAction::MoveTo {
            duration: Some(Duration::from_millis(100)),
            x: 60.0,
            y: 200.0,
        })
        .then(PointerAction::Up {
            button: MOUSE_BUTTON_LEFT,
        });
    window.perform_actions(drag).await.expect("a drag");
    let dragged = run(&window, place).await;
    assert_eq!((&dragged[0], &dragged[2]), (&json!("left"), &json!(true)));
    assert!(dragged[1].as_i64().expect("a number") < 40, "{dragged}");
    let shut = "return !document.getElementById('panel').open";
    assert!(holds(&window, shut).await, "a drag is no click");
    shoot(&window, "tools-handle-dragged").await;
    window.refresh().await.expect("loads");
    assert!(
        holds(
            &window,
            "return Boolean(document.querySelector('#panel[data-side=left]'))"
        )
        .await
    );
    assert_eq!(run(&window, place).await, dragged, "it stays");

    // Far outside it stops at the edge; keys move it, too.
    run(
        &window,
        "document.querySelector('#panel > summary').focus()",
    )
    .await;
    for _ in 0..30 {
        chord(&window, &[DOWN]).await;
    }
    chord(&window, &['\u{e014}']).await;
    let moved = run(&window, place).await;
    assert_eq!((&moved[0], &moved[2]), (&json!("right"), &json!(true)));
    assert!(moved[1].as_i64().expect("a number") > 85, "{moved}");
    chord(&window, &[LEFT]).await;
    click(&window, "#panel > summary").await;
    shoot(&window, "tools-panel-left").await;
    chord(&window, &[ESCAPE]).await;
    assert!(holds(&window, shut).await);
    window.close().await.expect("closes");
}

#[tokio::test]
async fn watermark_and_notice_cover_nothing_that_is_used() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let notice = "Demo system: do not enter real data. Questions to the service desk.";
    let fields = json!({"allow_anonymous": false, "watermark": true, "session_notice": notice, "disable_tips": true});
    let link = casting.link(&fields).await;
    for (name, look) in LOOKS {
        let window = driver.window(look).await;
        window.goto(&link).await.expect("opens");
        wait_for(&window, "h1", "Who are you?").await;
        click(&window, "button[value=bob]").await;
        wait_for(&window, "#notice", "Demo system").await;
        wait_for(&window, "#watermark", "Bob \u{b7} ").await;
        let marks = text_of(&window, "#watermark").await;
        assert!(marks.contains(" UTC"), "with the time: {marks}");
        let whole = "const notice = document.getElementById('notice'), frame = document.getElementById('app'); \
            return notice.scrollHeight <= notice.clientHeight && frame.getBoundingClientRect().top >= notice.getBoundingClientRect().bottom - 1";
        assert!(holds(&window, whole).await, "{name}: it is read whole");
        shoot(&window, &format!("tools-watermark-{name}")).await;
        if name == "light" {
            keep(&window, "watermark").await;
        }
        check_accessibility(&window, &format!("watermark-{name}")).await;
        // A click goes through it, into the app.
        let below = "return document.elementFromPoint(innerWidth / 2, innerHeight / 2).id";
        assert_eq!(run(&window, below).await, json!("app"), "{name}");
        window.close().await.expect("closes");
    }
}

#[tokio::test]
async fn owner_takes_more_time_as_often_as_allowed() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let limit = json!({"session_time_limit_seconds": 120});
    let fields = json!({
        "extensions_allowed": 2, "extension_minutes": 10, "disable_tips": true,
        "enforce_client_settings": true, "client_settings": limit,
    });
    let window = driver.window(DESK).await;
    let link = casting.link(&fields).await;
    window.goto(&link).await.expect("opens");
    wait_for(&window, "#banner", "The session ends in 01:").await;
    shoot(&window, "tools-more-time").await;
    click(&window, "#later").await;
    click(&window, "#panel > summary").await;
    wait_for(&window, "#left", "11:").await;
    wait_for(&window, "#extend", "This can be done 1 more time.").await;
    click(&window, "#extend button").await;
    wait_for(&window, "#left", "21:").await;
    wait_for(
        &window,
        "#extend",
        "All of the additional time has been taken.",
    )
    .await;
    assert!(
        holds(
            &window,
            "return document.querySelector('#extend button').disabled"
        )
        .await
    );
    shoot(&window, "tools-time-taken").await;
    keep(&window, "more-time").await;
    let sessions = casting.admin(Method::GET, "sessions", &Value::Null).await;
    assert_eq!(sessions["items"][0]["extensions"], 2, "{sessions}");
    window.close().await.expect("closes");
}

#[tokio::test]
async fn panel_is_accessible_and_within_a_thumbs_reach() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let url = format!("http://{}/sheet", inner.host);
    for (name, image, look) in [
        ("light", "Streamed browser", DESK),
        ("dark", "Browser", Look { dark: true, ..DESK }),
        (
            "phone",
            "Streamed browser",
            Look {
                phone: true,
                ..DESK
            },
        ),
        (
            "phone-dark",
            "Browser",
            Look {
                phone: true,
                dark: true,
                ..DESK
            },
        ),
    ] {
        let window = open(&driver, &casting, image, &url, look).await;
        click(&window, "#panel > summary").await;
        check_accessibility(&window, &format!("panel {name}")).await;
        let small = "return [...document.querySelectorAll('#panel button, #panel select, #panel input:not([type=hidden]), #panel textarea, #panel a, #panel summary, #panel label.check')] \
            .filter((one) => one.checkVisibility()).map((one) => [one, one.getBoundingClientRect()]) \
            .filter(([one, at]) => !one.closest('label.check input') && !one.matches('label.check input') && (at.height < 44 || at.width < 44) && !one.matches('#panel > summary')) \
            .map(([one, at]) => one.outerHTML.slice(0, 60) + ' ' + at.width + 'x' + at.height)";
        assert_eq!(run(&window, small).await, json!([]), "{name}");
        // The handle is caught beside itself, too.
        let caught = "const at = document.querySelector('#panel > summary').getBoundingClientRect(); \
            return [at.left - 14, at.left + 5].every((x) => document.elementFromPoint(x, (at.top + at.bottom) / 2)?.closest('#panel > summary'))";
        assert_eq!(run(&window, caught).await, json!(true), "{name}");
        shoot(&window, &format!("tools-panel-{name}")).await;
        run(
            &window,
            "document.querySelector('.sheet').scrollTo(0, 9999)",
        )
        .await;
        let within = "const at = document.querySelector('.end summary').getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight";
        assert_eq!(run(&window, within).await, json!(true), "{name}");
        shoot(&window, &format!("tools-panel-{name}-end")).await;
        window.close().await.expect("closes");
    }
}

/// A frame of MP2 (mono, 44,100 Hz, 128 kbit/s) without any sound in it, in packets of MPEG-TS.
fn silence() -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfd, 0x80, 0xc0]);
    let mut pes = vec![0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1];
    let length = u16::try_from(frame.len() + 8).expect("short");
    pes[4..6].copy_from_slice(&length.to_be_bytes());
    pes.extend(frame);
    let mut packets = Vec::new();
    let mut rest = pes.as_slice();
    while !rest.is_empty() {
        let begins = if packets.is_empty() { 0x41 } else { 0x01 };
        if rest.len() >= 184 {
            packets.extend([0x47, begins, 0, 0x10]);
            packets.extend(&rest[..184]);
            rest = &rest[184..];
        } else {
            let stuffing = 183 - rest.len();
            let length = u8::try_from(stuffing).expect("short");
            packets.extend([0x47, begins, 0, 0x30, length]);
            packets.extend((0..stuffing).map(|at| if at == 0 { 0 } else { 0xff }));
            packets.extend(rest);
            rest = &[];
        }
    }
    packets
}

#[tokio::test]
async fn viewer_plays_the_sound_beside_a_kasmvnc_screen() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let speak = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            while socket.send(Message::binary(silence())).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(26)).await;
            }
        })
    };
    let router = Router::new().fallback(get(speak));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let command =
        "echo '<h1>Screen</h1>' > index.html; exec python3 -m http.server $PORT --bind 127.0.0.1";
    let image = json!({
        "name": "Screen", "container_image": "local/screen", "command": ["sh", "-c", command],
        "cpu": 256, "memory": 512, "view_only": "kasmvnc", "app_sound_port": port,
    });
    let image = casting.admin(Method::POST, "images", &image).await;
    let fields =
        json!({"image_id": image["id"], "disable_tips": true, "kasm_audio_default_on": false});
    let window = driver.window(DESK).await;
    window
        .goto(&casting.link(&fields).await)
        .await
        .expect("opens");
    let there = "return document.getElementById('sound')?.hidden === false";
    assert!(holds(&window, there).await, "{}", text(&window).await);
    let count = "window.heard = 0; const make = AudioContext.prototype.createBuffer; \
        AudioContext.prototype.createBuffer = function (...all) { if (all[1] > 1) window.heard += 1; return make.apply(this, all); }";
    run(&window, count).await;
    click(&window, "#panel > summary").await;
    wait_for(&window, "#sound", "Sound is off").await;
    click(&window, "#sound").await;
    wait_for(&window, "#sound", "Sound is on").await;
    assert!(
        holds(&window, "return window.heard > 10").await,
        "no sound is played"
    );
    shoot(&window, "tools-kasm-sound").await;
    let complaints = crate::chrome::console(&window).await;
    assert!(complaints.is_empty(), "{complaints:?}");
    click(&window, "#sound").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = run(&window, "return window.heard").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        run(&window, "return window.heard").await,
        before,
        "it is off"
    );
    window.close().await.expect("closes");
}
