//! Owns what the viewer tells a screen of KasmVNC in its frame: a stand-in page shows its address
//! and every message, as the public clients 1.2 to 1.5 read them (`app/ui.js` of kasmtech/noVNC).

use casting_tests::processes::soon;
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, into_app, shoot, text};

/// Speaks to its frame's page as the clients do once they are connected, and keeps what it hears.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Screen</title><h1>Screen</h1><script>window.heard=[];
addEventListener('message',event=>{heard.push(event.data);document.body.append(JSON.stringify(event.data)+' ')});
parent.postMessage({action:'get_sound_setting'},'*');
for(const value of ['connecting','connected'])parent.postMessage({action:'connection_state',value},'*');</script>";

/// A session of the stand-in, from a link with these fields; the window is in its frame.
async fn screen(driver: &Driver, casting: &CastingProgram, fields: Value) -> Client {
    let command =
        "printf '%s' \"$PAGE\" > index.html; exec python3 -m http.server $PORT --bind 127.0.0.1";
    let image = json!({
        "name": "Screen", "container_image": "local/screen", "command": ["sh", "-c", command],
        "environment": {"PAGE": PAGE}, "cpu": 256, "memory": 512, "view_only": "kasmvnc",
    });
    let image = casting.admin(Method::POST, "images", &image).await;
    let mut document = json!({"image_id": image["id"], "disable_tips": true});
    for (name, value) in fields.as_object().expect("an object") {
        document[name] = value.clone();
    }
    let window = driver.window(DESK).await;
    window
        .goto(&casting.link(&document).await)
        .await
        .expect("opens");
    into_app(&window).await;
    window
}

/// What the page has heard of this action.
async fn heard(window: &Client, action: &str) -> Value {
    let script = "return (window.heard || []).filter(({action}) => action === arguments[0])";
    let heard = window.execute(script, vec![json!(action)]).await;
    heard.unwrap_or_default()
}

#[tokio::test]
async fn kasmvnc_idle_limit_is_silenced() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let with_limit = json!({"client_settings": {"idle_minutes": 30}});
    for (name, fields) in [("no limit", json!({})), ("a limit of ours", with_limit)] {
        let window = screen(&driver, &casting, fields).await;
        let answered = soon(async || heard(&window, "sound_enabled").await != json!([])).await;
        assert!(answered, "{name}: {}", text(&window).await);
        let script = "return new URLSearchParams(location.search).get('idle_disconnect')";
        let minutes = window.execute(script, vec![]).await.expect("an address");
        let year = 365 * 24 * 60;
        assert_eq!(minutes, year.to_string(), "{name}");
        // The clients save the first choice of their menu, ten minutes, when they hear this.
        assert_eq!(
            heard(&window, "set_idle_timeout").await,
            json!([]),
            "{name}"
        );
        let sound = json!([{"action": "sound_enabled", "data": true}]);
        assert_eq!(heard(&window, "sound_enabled").await, sound, "{name}");
        shoot(&window, "kasmvnc-is-told").await;
        window.close().await.expect("closes");
    }
}
