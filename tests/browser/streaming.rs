//! Owns sessions on the streaming server, in a real browser: letters of every keyboard, a long text
//! that is pasted, sound and files, a page that stands still, and who watches.

use std::path::Path;

use casting_tests::processes::{soon, with_environment};
use casting_tests::{engine, program};
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, element, holds, into_app, shoot, text, wait_for,
};
use crate::inner::{CONTROL, FILE, HAN, Inner, LETTERS, compose, press, written};
use crate::pixels::shows;

/// A program with the image of a streamed browser, and the page that is opened in it.
struct Scene {
    casting: CastingProgram,
    inner: Inner,
    image: String,
}

/// The image of the streamed browser in a container.
const BOXED: &str = "casting-test-streamed:1";

impl Scene {
    /// With the streamed browser that runs as a process of this machine.
    async fn process() -> Self {
        let casting = CastingProgram::start().await;
        let image = casting.image("Streamed browser").await;
        let inner = Inner::serve().await;
        Self {
            casting,
            inner,
            image,
        }
    }

    /// With one in a container, made as its user would make it; `None` where there can be no engine.
    async fn container() -> Option<Self> {
        let engine = engine::without_firewall()?;
        let folder = Path::new(program::SELKIES).canonicalize();
        let folder = folder.expect("`./test.sh` installs it");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/selkies/root.sh");
        let packed = format!("{root} '{}'", folder.display());
        let change = format!("ENV SELKIES={}", folder.display());
        assert!(
            engine.import_packed(&packed, &change, BOXED),
            "the test's image can be made"
        );
        let casting = CastingProgram::with_engine(engine).await;
        let image = json!({
            "name": "Boxed", "container_image": BOXED, "preset": "selkies", "command": ["/start"], "cpu": 2048, "memory": 4096,
        });
        let image = casting.admin(Method::POST, "images", &image).await;
        Some(Self {
            casting,
            inner: Inner::serve_to_containers().await,
            image: image["id"].as_str().expect("an id").to_owned(),
        })
    }

    /// A link to a session with this page of the test in it.
    async fn link(&self, page: &str, fields: Value) -> String {
        let mut document = json!({
            "image_id": self.image, "kasm_url": format!("http://{}/{page}", self.inner.host), "disable_tips": true,
        });
        for (name, value) in fields.as_object().expect("an object") {
            document[name] = value.clone();
        }
        self.casting.link(&document).await
    }
}

async fn type_in(window: &Client, text: &str) {
    press(window, "#overlayInput", None, text).await;
}

/// Counts the pieces of sound that arrive in Selkies' page, in place of its own decoder, and decodes
/// them: how often the wave crosses zero says how high the tone is. A piece is the last part of its
/// message, behind others that came before.
const HEAR: &str = "const heard = window.heard = {pieces: 0, samples: 0, crossings: 0, loudest: 0, trouble: ''}; \
    const decoder = new AudioDecoder({error: (trouble) => { heard.trouble = String(trouble); }, output: (sound) => { \
      const wave = new Float32Array(sound.numberOfFrames); sound.copyTo(wave, {planeIndex: 0, format: 'f32-planar'}); sound.close(); \
      heard.samples += wave.length; wave.forEach((now, at) => { heard.loudest = Math.max(heard.loudest, now); if (at && wave[at - 1] < 0 !== now < 0) heard.crossings += 1; }); }}); \
    decoder.configure({codec: 'opus', sampleRate: 48000, numberOfChannels: 2}); \
    const way = new MessageChannel(); selkiesTransport.connectAudio(way.port2); way.port1.onmessage = ({data}) => { const bytes = new Uint8Array(data.buffer); \
      let begins = 2, earlier = bytes[1] & 127; if (earlier) { begins = 7 + 4 * earlier; for (let at = 8; earlier; earlier -= 1, at += 4) begins += ((bytes[at] & 3) << 8) | bytes[at + 1]; } \
      const piece = bytes.slice(begins); if (!piece.length) return; heard.pieces += 1; \
      decoder.decode(new EncodedAudioChunk({type: 'key', timestamp: heard.pieces * 20000, data: piece})); }";

async fn hear_and_move_files(driver: &Driver, scene: &Scene) {
    let inner = &scene.inner;
    let window = driver.window(DESK).await;
    let link = scene.link("tone", json!({})).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    window.execute(HEAR, vec![]).await.expect("runs");
    type_in(&window, "t").await;
    let plays = soon(async || inner.typed() == "running").await;
    assert!(plays, "the page sounds: {:?}", inner.typed());
    let heard = async || window.execute("return window.heard", vec![]).await;
    let enough = "return heard.samples > 96000 && heard.pieces > 50";
    assert!(holds(&window, enough).await, "{:?}", heard().await);
    let heard = heard().await.expect("a count");
    let number = |name: &str| heard[name].as_f64().expect("a number");
    // Silence before it has no crossings, and gaps on a busy machine have some of their own.
    let pitch = number("crossings") / 2.0 / (number("samples") / 48000.0);
    assert!((350.0..550.0).contains(&pitch), "{pitch} Hz: {heard}");
    assert!(number("loudest") > 0.1 && heard["trouble"] == "", "{heard}");

    // A file that the session's own browser has saved, and one that came from outside.
    type_in(&window, "d").await;
    window.enter_parent_frame().await.expect("the viewer");
    let chosen = std::env::temp_dir().join(format!("outside-{}.txt", std::process::id()));
    std::fs::write(&chosen, "from outside").expect("can be written");
    let shown = "document.getElementById('panel').open = true";
    window.execute(shown, vec![]).await.expect("runs");
    let upload = element(&window, "#upload").await;
    let path = chosen.to_str().expect("text");
    upload.send_keys(path).await.expect("can be chosen");
    wait_for(&window, "#sent", "is in the session.").await;
    let _ = std::fs::remove_file(&chosen);
    let link = element(&window, "a[data-tool=files]").await;
    let first = window.window().await.expect("a window");
    link.click().await.expect("can be clicked");
    let windows = window.windows().await.expect("windows");
    let files = windows.into_iter().find(|one| *one != first);
    let files = files.expect("a window with the files");
    window.switch_to_window(files).await.expect("is there");
    let name = chosen.file_name().and_then(|name| name.to_str());
    let name = name.expect("a name");
    let mut listed = false;
    for _ in 0..10 {
        wait_for(&window, "body", ".txt").await;
        let text = text(&window).await;
        listed = text.contains(name) && text.contains("from-inside.txt");
        if listed {
            break;
        }
        window.refresh().await.expect("loads");
    }
    assert!(listed, "{}", text(&window).await);
    shoot(&window, "streaming-files").await;
    for (name, content) in [(name, "from outside"), ("from-inside.txt", FILE)] {
        let read = "const [name, done] = arguments; const link = [...document.links].find((link) => link.textContent.includes(name)); \
                    fetch(link.href).then((answer) => answer.text()).then(done, String)";
        let read = window.execute_async(read, vec![json!(name)]).await;
        assert_eq!(read.expect("a file"), content, "{name}");
    }
    window.close().await.expect("closes");
}

#[tokio::test]
async fn still_page_is_looked_at_less_until_it_is_used() {
    let (driver, scene) = (Driver::start().await, Scene::process().await);
    let inner = &scene.inner;
    let window = driver.window(DESK).await;
    let link = scene.link("keys", json!({})).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    let note = "window.paces = []; const send = selkiesTransport.send.bind(selkiesTransport); \
        selkiesTransport.send = (said) => { if (String(said).startsWith('DECODE_PACE')) paces.push(said); return send(said); }; window.seen = videoChunksReceived";
    window.execute(note, vec![]).await.expect("runs");
    let paces = async || window.execute("return paces", vec![]).await.ok();
    let rests = "return paces.at(-1) === 'DECODE_PACE 5'";
    assert!(holds(&window, rests).await, "{:?}", paces().await);
    // Then nothing is sent.
    let quiet = "const done = arguments[0]; let last = -1, since = 0; const look = setInterval(() => { const now = performance.now(); \
        if (videoChunksReceived !== last) { last = videoChunksReceived; since = now; } if (now - since > 2000) { clearInterval(look); done(true); } }, 100)";
    let quiet = window.execute_async(quiet, vec![]).await;
    assert_eq!(quiet.expect("comes to rest"), json!(true));
    type_in(&window, "x").await;
    let awake = "return paces.at(-1) === 'DECODE_PACE 0'";
    assert!(holds(&window, awake).await, "{:?}", paces().await);
    let told = written(inner, |text| text.contains("x ")).await;
    assert!(told, "{:?}", inner.written());
    window.close().await.expect("closes");
}

async fn write_and_paste(driver: &Driver, scene: &Scene) {
    let inner = &scene.inner;
    let window = driver.window(DESK).await;
    let link = scene.link("sheet", json!({})).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    shows(&window, Inner::GREEN).await;
    type_in(&window, LETTERS).await;
    assert!(
        written(inner, |text| text == LETTERS).await,
        "{:?}",
        inner.written()
    );
    compose(&window, HAN).await;
    let letters = format!("{LETTERS}{HAN}");
    assert!(
        written(inner, |text| text == letters).await,
        "{:?}",
        inner.written()
    );
    shoot(&window, "streaming-letters").await;

    // As the page's own clipboard box does it, and then the keys for pasting.
    let long = "Длинный текст 0123456789 ".repeat(30_000);
    assert!(long.len() > 1_000_000);
    let copied =
        "postMessage({type: 'clipboardUpdateFromUI', text: arguments[0]}, location.origin)";
    let pasted = format!("{letters}{long}");
    let mut arrived = false;
    // The X server's clipboard may time out on a machine this busy: a person pastes once more.
    for _ in 0..3 {
        let long = vec![json!(long)];
        window.execute(copied, long).await.expect("runs");
        // A clipboard of this size is there when the keys are, because both go the same way.
        press(&window, "#overlayInput", Some(CONTROL), "v").await;
        arrived = written(inner, |text| text == pasted).await;
        if arrived || inner.written() != letters {
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
    scene.casting.admin(Method::POST, &stop, &json!({})).await;
    assert!(
        soon(async || with_environment(&session).is_empty()).await,
        "nothing of it is left running"
    );
    window.close().await.expect("closes");
}

async fn watch_and_hand_over(driver: &Driver, scene: &Scene) {
    let inner = &scene.inner;
    let owner = driver.window(DESK).await;
    let fields = json!({"enable_sharing": true, "allow_anonymous_viewers": true});
    let link = scene.link("sheet", fields).await;
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
        written(inner, |text| text == "mine").await,
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
        written(inner, |text| text == "mine yours").await,
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
        written(inner, |text| text == "mine yours!").await,
        "control was taken back: {:?}",
        inner.written()
    );
    owner.close().await.expect("closes");
    viewer.close().await.expect("closes");
}

#[tokio::test]
async fn streamed_session_takes_every_letter_and_long_pastes() {
    write_and_paste(&Driver::start().await, &Scene::process().await).await;
}

#[tokio::test]
async fn tone_is_heard_and_files_go_both_ways() {
    hear_and_move_files(&Driver::start().await, &Scene::process().await).await;
}

#[tokio::test]
async fn streamed_session_is_watched_and_handed_over() {
    watch_and_hand_over(&Driver::start().await, &Scene::process().await).await;
}

#[tokio::test]
async fn streamed_session_does_all_that_in_a_container() {
    let Some(mut scene) = Scene::container().await else {
        return;
    };
    let driver = Driver::start().await;
    write_and_paste(&driver, &scene).await;
    hear_and_move_files(&driver, &scene).await;
    // What was written before is no part of what follows.
    scene.inner = Inner::serve_to_containers().await;
    watch_and_hand_over(&driver, &scene).await;
}
