//! Owns sessions on the streaming server, in a real browser: letters of every keyboard, a long text
//! that is pasted, and who watches.

use casting_tests::processes::{soon, with_environment};
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, into_app, shoot, wait_for};
use crate::inner::{CONTROL, Inner, LETTERS, press, written};
use crate::pixels::shows;

async fn type_in(window: &Client, text: &str) {
    press(window, "#overlayInput", None, text).await;
}

async fn link(casting: &CastingProgram, inner: &Inner, fields: Value) -> String {
    let mut document = json!({
        "image_id": casting.image("Streamed browser").await, "kasm_url": format!("http://{}/sheet", inner.host), "disable_tips": true,
    });
    for (name, value) in fields.as_object().expect("an object") {
        document[name] = value.clone();
    }
    casting.link(&document).await
}

#[tokio::test]
async fn streamed_session_takes_every_letter_and_long_pastes() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let window = driver.window(DESK).await;
    let link = link(&casting, &inner, json!({})).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    type_in(&window, LETTERS).await;
    assert!(
        written(&inner, |text| text == LETTERS).await,
        "{:?}",
        inner.written()
    );
    shoot(&window, "streaming-letters").await;

    // As the page's own clipboard box does it, and then the keys for pasting.
    let long = "Длинный текст 0123456789 ".repeat(12_000);
    let copied =
        "postMessage({type: 'clipboardUpdateFromUI', text: arguments[0]}, location.origin)";
    let pasted = format!("{LETTERS}{long}");
    let mut arrived = false;
    // The X server's clipboard may time out on a machine this busy: a person pastes once more.
    for _ in 0..3 {
        let long = vec![json!(long)];
        window.execute(copied, long).await.expect("runs");
        // A clipboard of this size is there when the keys are, because both go the same way.
        press(&window, "#overlayInput", Some(CONTROL), "v").await;
        arrived = written(&inner, |text| text == pasted).await;
        if arrived || inner.written() != LETTERS {
            break;
        }
    }
    assert!(
        arrived,
        "{} of {} bytes",
        inner.written().len(),
        pasted.len()
    );
    shoot(&window, "streaming-pasted").await;

    let url = window.current_url().await.expect("an address");
    let session = url
        .host_str()
        .and_then(|host| host.strip_suffix(".localhost"))
        .expect("an origin of its own")
        .to_owned();
    let stop = format!("sessions/{session}/stop");
    casting.admin(Method::POST, &stop, &json!({})).await;
    assert!(
        soon(async || with_environment(&session).is_empty()).await,
        "nothing of it is left running"
    );
    window.close().await.expect("closes");
}

#[tokio::test]
async fn streamed_session_is_watched_and_handed_over() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let inner = Inner::serve().await;
    let owner = driver.window(DESK).await;
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true});
    let link = link(&casting, &inner, fields).await;
    owner.goto(&link).await.expect("opens");
    into_app(&owner).await;
    shows(&owner, Inner::GREEN).await;
    owner.enter_parent_frame().await.expect("the viewer");
    let script = "return document.getElementById('link').value";
    let share = owner.execute(script, vec![]).await.expect("a link");
    let share = share.as_str().expect("a link").to_owned();

    let viewer = driver.window(DESK).await;
    viewer.goto(&share).await.expect("opens");
    into_app(&viewer).await;
    shows(&viewer, Inner::GREEN).await;
    shoot(&viewer, "streaming-viewer").await;
    type_in(&viewer, "intruder").await;
    into_app(&owner).await;
    type_in(&owner, "mine").await;
    assert!(
        written(&inner, |text| text == "mine").await,
        "only the owner's keys arrive: {:?}",
        inner.written()
    );

    owner.enter_parent_frame().await.expect("the viewer");
    let hand_over = "document.getElementById('panel').open = true; \
                     document.querySelector('#watchers button').click()";
    owner.execute(hand_over, vec![]).await.expect("runs");
    wait_for(&owner, "#watchers", "has control").await;
    shoot(&owner, "streaming-handed-over").await;
    viewer.enter_parent_frame().await.expect("the viewer");
    into_app(&viewer).await;
    shows(&viewer, Inner::GREEN).await;
    type_in(&viewer, " yours").await;
    assert!(
        written(&inner, |text| text == "mine yours").await,
        "control was handed over: {:?}",
        inner.written()
    );
    owner.execute(hand_over, vec![]).await.expect("runs");
    wait_for(&owner, "#watchers", "watches").await;
    viewer.enter_parent_frame().await.expect("the viewer");
    into_app(&viewer).await;
    shows(&viewer, Inner::GREEN).await;
    type_in(&viewer, " again").await;
    into_app(&owner).await;
    type_in(&owner, "!").await;
    assert!(
        written(&inner, |text| text == "mine yours!").await,
        "control was taken back: {:?}",
        inner.written()
    );
    owner.close().await.expect("closes");
    viewer.close().await.expect("closes");
}
