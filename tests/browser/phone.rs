//! Owns sessions on a phone, in an emulation of one: its screen, its touches and its keyboard. What
//! is tapped is tapped by fingers, and what is typed comes as phones' keyboards write it.

use casting_tests::processes::soon;
use fantoccini::Client;
use serde_json::json;

use crate::chrome::{CastingProgram, Driver, PHONE, devtools, holds, run, shoot, text, wait_for};
use crate::inner::{HAN, Inner, compose, written};
use crate::pixels::shows_at;

/// Beside the field of the page in the session, and beside the buttons of the page that shows it:
/// from the right and from the lower edge, in points.
const BESIDE: [u32; 2] = [60, 130];

/// A finger comes down, goes this way and leaves.
async fn touch(window: &Client, way: &[[f64; 2]]) {
    for (at, [x, y]) in way.iter().enumerate() {
        let kind = if at == 0 { "touchStart" } else { "touchMove" };
        let touched = json!({"type": kind, "touchPoints": [{"x": x, "y": y}]});
        devtools(window, "Input.dispatchTouchEvent", touched).await;
    }
    let left = json!({"type": "touchEnd", "touchPoints": []});
    devtools(window, "Input.dispatchTouchEvent", left).await;
}

/// The middle of what the selector finds, once it is there and can be seen.
async fn middle(window: &Client, selector: &str) -> [f64; 2] {
    let there = format!("return document.querySelector('{selector}')?.checkVisibility() === true");
    assert!(
        holds(window, &there).await,
        "{selector}; {}",
        text(window).await
    );
    let found = format!(
        "const one = document.querySelector('{selector}'); one.scrollIntoView({{block: 'nearest'}}); \
         const at = one.getBoundingClientRect(); return [at.left + at.width / 2, at.top + at.height / 2]"
    );
    let middle = run(window, &found).await;
    serde_json::from_value(middle).expect("a place")
}

async fn tap(window: &Client, selector: &str) {
    let middle = middle(window, selector).await;
    touch(window, &[middle]).await;
}

async fn tap_session(window: &Client) {
    let size = run(window, "return [innerWidth, innerHeight]").await;
    let [width, height]: [f64; 2] = serde_json::from_value(size).expect("a size");
    let [right, below] = BESIDE.map(f64::from);
    touch(window, &[[width - right, height - below]]).await;
}

#[tokio::test]
async fn session_is_used_by_thumb_on_a_phone() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    for (name, image) in [("light", "Browser"), ("streamed", "Streamed browser")] {
        let inner = Inner::serve().await;
        let url = format!("http://{}/sheet", inner.host);
        let fields =
            json!({"image_id": casting.image(image).await, "kasm_url": url, "disable_tips": true});
        let window = driver.window(PHONE).await;
        window
            .goto(&casting.link(&fields).await)
            .await
            .expect("opens");
        let ready = "return document.querySelector('#keys')?.hidden === false";
        assert!(
            holds(&window, ready).await,
            "{name}: {}",
            text(&window).await
        );
        shows_at(&window, Inner::GREEN, BESIDE.map(|points| 2 * points)).await;
        shoot(&window, &format!("phone-{name}")).await;

        // Nothing is wider than the screen, and no field is so small that phones zoom to it.
        let fits = "return document.documentElement.scrollWidth <= innerWidth && innerWidth === 390 && visualViewport.scale === 1 && \
            [...document.querySelectorAll('input, select, textarea')].every((one) => parseFloat(getComputedStyle(one).fontSize) >= 16)";
        assert_eq!(run(&window, fits).await, json!(true), "{name}");

        // The phone's keyboard types into the session, which is seen beside it.
        let is_shut = "return !document.getElementById('panel').open";
        tap(&window, "#panel > summary").await;
        tap(&window, "#keyboard").await;
        let types =
            format!("{is_shut} && document.activeElement === document.getElementById('soft')");
        assert!(holds(&window, &types).await, "{name}");
        let typed = "привет";
        devtools(&window, "Input.insertText", json!({ "text": typed })).await;
        assert!(
            written(&inner, |text| text == typed).await,
            "{name}: {:?}",
            inner.written()
        );
        compose(&window, HAN).await;
        let typed = format!("{typed}{HAN}");
        assert!(
            written(&inner, |text| text == typed).await,
            "{name}: {:?}",
            inner.written()
        );
        shoot(&window, &format!("phone-{name}-typed")).await;
        // The emulation has no keyboard that covers anything.
        let covered = "Object.defineProperty(visualViewport, 'height', {value: 400, configurable: true}); visualViewport.dispatchEvent(new Event('resize')); \
            const covered = document.getElementById('app').offsetHeight; delete visualViewport.height; visualViewport.dispatchEvent(new Event('resize')); \
            return [covered, document.getElementById('app').offsetHeight === innerHeight]";
        assert_eq!(run(&window, covered).await, json!([400, true]), "{name}");

        // Keys that a phone's keyboard lacks, and the clipboard.
        tap(&window, "#panel > summary").await;
        tap(&window, "#keys > button:first-child").await;
        let typed = format!("{typed}[Esc]");
        assert!(
            written(&inner, |text| text == typed).await,
            "{name}: {:?}",
            inner.written()
        );
        shoot(&window, &format!("phone-{name}-panel")).await;
        tap(&window, "#box").await;
        devtools(&window, "Input.insertText", json!({"text": " из буфера"})).await;
        tap(&window, "#send").await;
        wait_for(&window, "#told", "in the clipboard of the session").await;
        shoot(&window, &format!("phone-{name}-clipboard")).await;
        let paste = "[...document.querySelectorAll('#keys button')].find((one) => one.textContent === 'Ctrl+V').id = 'paste'";
        run(&window, paste).await;
        tap(&window, "#paste").await;
        let typed = format!("{typed} из буфера");
        assert!(
            written(&inner, |text| text == typed).await,
            "{name}: {:?}",
            inner.written()
        );

        // A tap beside the panel closes it, and the next one is the session's.
        let beside = middle(&window, "#panel > summary").await;
        touch(&window, &[[20.0, beside[1]]]).await;
        assert!(holds(&window, is_shut).await, "{name}");
        let mut clicked = false;
        for _ in 0..4 {
            tap_session(&window).await;
            clicked = clicked || soon(async || inner.typed() == "clicked").await;
            if clicked {
                break;
            }
        }
        assert!(clicked, "{name}: {:?}", inner.typed());

        // The handle goes with a finger, and is at hand where the page was zoomed.
        let [x, y] = middle(&window, "#panel > summary").await;
        touch(&window, &[[x, y], [x - 100.0, y - 60.0], [20.0, y - 200.0]]).await;
        let moved = "return document.getElementById('panel').dataset.side === 'left'";
        assert!(holds(&window, moved).await, "{name}");
        assert!(holds(&window, is_shut).await, "{name}: a drag is no tap");
        tap(&window, "#panel > summary").await;
        let pinch = |factor: f64| json!({"x": 100, "y": 700, "scaleFactor": factor, "gestureSourceType": "touch"});
        devtools(&window, "Input.synthesizePinchGesture", pinch(2.0)).await;
        shoot(&window, &format!("phone-{name}-zoomed")).await;
        let within = "const seen = visualViewport, at = document.querySelector('#panel > summary').getBoundingClientRect(); \
            return at.left >= seen.offsetLeft - 1 && at.right <= seen.offsetLeft + seen.width + 1 && at.top >= seen.offsetTop - 1 && at.bottom <= seen.offsetTop + seen.height + 1";
        assert!(holds(&window, within).await, "{name}");
        devtools(&window, "Input.synthesizePinchGesture", pinch(0.25)).await;
        assert!(
            holds(&window, "return visualViewport.scale === 1").await,
            "{name}: no way back"
        );
        window.close().await.expect("closes");
    }
}
