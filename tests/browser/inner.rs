//! Owns the page that a streamed browser opens in tests: it has a colour and reports what is typed
//! into it.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::{get, post};
use casting_tests::processes::soon;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use serde_json::{Value, json};

use crate::chrome::{devtools, element, text};

/// Letters that no single keyboard has.
pub const LETTERS: &str = "Привет, мир! щъыьэюя señor café Ελληνικά ήώ € ß";

/// The key Control, as WebDriver says it.
pub const CONTROL: char = '\u{e009}';

/// The page at `/`, and another one at `/second`.
pub struct Inner {
    pub host: String,
    typed: Arc<Mutex<String>>,
    written: Arc<Mutex<String>>,
}

/// A large field, whose content is reported; Escape writes its name, and a click beside the field is
/// told.
fn sheet() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Sheet</title><style>html{background:#0a7d32}textarea{width:60vw;height:60vh;font:20px sans-serif}</style>
         <textarea autofocus></textarea><script>const sheet=document.querySelector('textarea'),tell=()=>fetch('/written',{method:'POST',body:sheet.value});
         sheet.oninput=tell;addEventListener('keydown',event=>{if(event.key==='Escape'){sheet.value+='[Esc]';tell()}});
         addEventListener('click',event=>{if(event.target!==sheet)fetch('/typed?001clicked');sheet.focus()})</script>",
    )
}

/// What [`Inner`] gives out as a file.
pub const FILE: &str = "from inside the session";

/// Sounds from the first `t` on, a tone of 440 Hz, and gives out a file at each `d`.
fn tone() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Tone</title><style>html{background:#0a7d32}</style><script>
         addEventListener('keydown',event=>{if(event.key==='d')location='/file';if(event.key!=='t')return;
         const sound=new AudioContext(),tone=sound.createOscillator();tone.frequency.value=440;tone.connect(sound.destination);tone.start();fetch('/typed?001'+sound.state)})</script>",
    )
}

/// Tells each key, with those that are held; a picture that is pasted, by its size; and copies a
/// picture of 3 x 2 pixels when it is clicked.
fn keys() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Keys</title><style>html{background:#0a7d32;height:100%}</style><script>let told='';
         const tell=text=>{told+=text+' ';fetch('/written',{method:'POST',body:told})};
         addEventListener('keydown',event=>{if(event.ctrlKey&&event.key==='v')return;event.preventDefault();tell((event.ctrlKey?'Ctrl+':'')+(event.altKey?'Alt+':'')+event.key)});
         const see=async blob=>{const seen=await createImageBitmap(blob);tell('picture:'+seen.width+'x'+seen.height)};
         addEventListener('paste',event=>{for(const file of event.clipboardData.files)see(file)});
         addEventListener('mousedown',()=>{const picture=Object.assign(document.createElement('canvas'),{width:3,height:2});picture.getContext('2d').fillRect(0,0,3,2);
         picture.toBlob(blob=>navigator.clipboard.write([new ClipboardItem({'image/png':blob})]).then(()=>tell('copied'),error=>tell(String(error))))})</script>",
    )
}

/// A browser keeps it and does not show it.
const FILE_HEADERS: [(&str, &str); 2] = [
    ("content-type", "text/plain"),
    (
        "content-disposition",
        "attachment; filename=from-inside.txt",
    ),
];

fn page(colour: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><title>Inner page</title><style>html{{background:{colour};color:#fff;font:40px sans-serif}}</style>
         <p>This is the inner page.</p><input autofocus><script>let n=0;document.querySelector('input').oninput=e=>fetch('/typed?'+String(++n).padStart(3,'0')+e.target.value)</script>"
    ))
}

/// Green on the first visit, blue on later ones.
fn kept() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Kept</title><style>html{color:#fff;font:40px sans-serif}</style><p>This page remembers.</p>
         <script>document.documentElement.style.background=localStorage.was?'#0a327d':'#0a7d32';localStorage.was=1</script>",
    )
}

impl Inner {
    /// What the screen shows of the first page, and of the second.
    pub const GREEN: [u8; 3] = [10, 125, 50];
    pub const BLUE: [u8; 3] = [10, 50, 125];

    pub async fn serve() -> Self {
        Self::serve_at(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Where containers reach it, too: at an address by which this machine speaks to others.
    pub async fn serve_to_containers() -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
        // Nothing is sent by that, but it tells which address would be used.
        socket.connect("192.0.2.1:9").expect("a way out");
        Self::serve_at(socket.local_addr().expect("an address").ip()).await
    }

    async fn serve_at(address: IpAddr) -> Self {
        let listener = tokio::net::TcpListener::bind((address, 0))
            .await
            .expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let typed = Arc::<Mutex<String>>::default();
        let note = |State(typed): State<Arc<Mutex<String>>>, RawQuery(text): RawQuery| async move {
            // Requests may overtake one another; the number before the text does not.
            let mut last = typed.lock().expect("unpoisoned");
            *last = std::mem::take(&mut *last).max(text.unwrap_or_default());
        };
        let router = Router::new()
            .route("/", get(|| async { page("#0a7d32") }))
            .route("/second", get(|| async { page("#0a327d") }))
            .route("/kept", get(|| async { kept() }))
            .route("/typed", get(note))
            .with_state(typed.clone());
        let written = Arc::<Mutex<String>>::default();
        let keep = |State(written): State<Arc<Mutex<String>>>, text: String| async move {
            // The field only grows here, and requests may overtake one another.
            let mut last = written.lock().expect("unpoisoned");
            if text.len() > last.len() {
                *last = text;
            }
        };
        let sheets = Router::new()
            .route("/sheet", get(|| async { sheet() }))
            .route("/keys", get(|| async { keys() }))
            .route("/tone", get(|| async { tone() }))
            .route("/file", get(|| async { (FILE_HEADERS, FILE) }))
            .route("/written", post(keep))
            .with_state(written.clone());
        let router = router.merge(sheets);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            host,
            typed,
            written,
        }
    }

    /// What stands in the large field.
    pub fn written(&self) -> String {
        self.written.lock().expect("unpoisoned").clone()
    }

    /// What stands in the page's field.
    pub fn typed(&self) -> String {
        self.typed
            .lock()
            .expect("unpoisoned")
            .get(3..)
            .unwrap_or_default()
            .to_owned()
    }
}

/// The colour that the streamed screen has near its lower right corner; the window must be in the
/// session's app.
async fn colour(window: &fantoccini::Client) -> Value {
    let script = "const canvas = document.querySelector('canvas'); if (!canvas || !document.documentElement.dataset.connected) return null; \
        return [...canvas.getContext('2d').getImageData(canvas.width - 60, canvas.height - 60, 1, 1).data].slice(0, 3);";
    window.execute(script, vec![]).await.unwrap_or_default()
}

/// Waits until the streamed screen has this colour. Browsers within browsers take their time on a
/// small machine.
pub async fn shows(window: &fantoccini::Client, wanted: [u8; 3]) {
    let mut seen = false;
    for _ in 0..4 {
        seen = seen || soon(async || colour(window).await == json!(wanted)).await;
    }
    assert!(
        seen,
        "the screen has {} and not {wanted:?}; the page says: {}",
        colour(window).await,
        text(window).await
    );
}

/// The size of the streamed screen.
pub async fn size(window: &fantoccini::Client) -> Value {
    window
        .execute(
            "const c = document.querySelector('canvas'); return c && [c.width, c.height]",
            vec![],
        )
        .await
        .unwrap_or_default()
}

/// Types into the streamed screen; the first key is a tabulator, which finds the page's field.
pub async fn type_in(window: &fantoccini::Client, text: &str) {
    let canvas = element(window, "canvas").await;
    canvas.click().await.expect("can be clicked");
    window
        .active_element()
        .await
        .expect("the screen")
        .send_keys(&format!("\u{e004}{text}"))
        .await
        .expect("can be typed into");
}

/// Presses keys on what this selector finds, one after the other, as a keyboard does; `held`: with
/// this one held.
pub async fn press(window: &fantoccini::Client, selector: &str, held: Option<char>, text: &str) {
    let overlay = element(window, selector).await;
    overlay.click().await.expect("can be clicked");
    let down = |value| KeyAction::Down { value };
    let up = |value| KeyAction::Up { value };
    let keys = text.chars().flat_map(|key| [down(key), up(key)]);
    let keys = held.map(down).into_iter().chain(keys).chain(held.map(up));
    let keys = keys.fold(KeyActions::new("keyboard".into()), KeyActions::then);
    window.perform_actions(keys).await.expect("keys");
}

/// Letters that an input method writes.
pub const HAN: &str = "你好，世界";

/// Writes this as an input method does: by a composition that ends as this text.
pub async fn compose(window: &fantoccini::Client, text: &str) {
    for writing in ["n", "ni", "nihao"] {
        let end = writing.len();
        let composed = json!({"text": writing, "selectionStart": end, "selectionEnd": end});
        devtools(window, "Input.imeSetComposition", composed).await;
    }
    devtools(window, "Input.insertText", json!({ "text": text })).await;
}

/// What is in the session's field, waited for as long as a small machine takes.
pub async fn written(inner: &Inner, holds: impl Fn(&str) -> bool) -> bool {
    let mut seen = false;
    for _ in 0..4 {
        seen = seen || soon(async || holds(&inner.written())).await;
    }
    seen
}
