//! Measures sessions with a browser in them as their visitors see them, in a headless Chromium:
//! how long the first picture takes, how long from a key to its effect on the screen, and what a
//! session uses while its page stands still, scrolls and plays a film. `cargo bench -p
//! casting-tests --bench streaming` (the images "Browser" and "Streamed browser"); `-- NAME …`
//! measures those images instead, `-- --kasmweb REFERENCE` one of the kasmweb family, which needs
//! a Docker engine that has it. On an idle machine: a loaded one is slower, and so are its figures.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use casting_tests::processes::with_environment;
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use chrome::{CastingProgram, DESK, Driver, into_app};

#[expect(dead_code, reason = "the browser suite uses more of it")]
#[path = "../browser/chrome.rs"]
mod chrome;

/// How often a key is pressed.
const KEYS: usize = 100;
/// For how long the use of CPU is measured.
const SPAN: Duration = Duration::from_secs(20);
/// How long a page has to come to rest before that.
const SETTLED: Duration = Duration::from_secs(8);
/// How many ticks of `/proc` a second has, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a first picture may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// The page in the session: green at first, and then white and green in turn with each key.
const KEY_PAGE: &str = "<!doctype html><title>Keys</title><style>html{background:#0a7d32}</style>\
    <script>let on=false;addEventListener('keydown',()=>{on=!on;document.documentElement.style.background=on?'#fff':'#0a7d32'})</script>";
/// A long text that moves on with each frame.
const SCROLL_PAGE: &str = "<!doctype html><title>Text</title><style>body{font:18px/1.6 serif;max-width:44rem;margin:auto}</style>\
    <script>for(let n=0;n<400;n+=1){const p=document.createElement('p');p.textContent=(n+' The quick brown fox jumps over the lazy dog. ').repeat(8);document.body?.append(p)||document.documentElement.append(p)}\
    let at=0;const move=()=>{at=(at+6)%(document.documentElement.scrollHeight-innerHeight);scrollTo(0,at);requestAnimationFrame(move)};move()</script>";
/// What changes everywhere with each frame, as a film does.
const FILM_PAGE: &str = "<!doctype html><title>Film</title><style>html,body{margin:0}canvas{width:100vw;height:100vh;display:block}</style><canvas></canvas>\
    <script>const film=document.querySelector('canvas');film.width=640;film.height=360;const ink=film.getContext('2d');let t=0;\
    const draw=()=>{t+=1;for(let n=0;n<60;n+=1){ink.fillStyle='hsl('+((t*3+n*6)%360)+' 80% '+(40+20*Math.sin((t+n)/9))+'%)';\
    ink.fillRect((n*53+t*4)%640,(n*29+t*3)%360,90,60)}requestAnimationFrame(draw)};draw()</script>";

/// The colour of the middle of the picture, `null` without one; and how light it is, from 0 to 255.
/// Selkies shows its picture by one of several elements, and hides the others.
const LIGHT: &str = "const colour = () => { const from = ['#videoStream', '#videoWorkerCanvas', 'canvas'].map((one) => document.querySelector(one)).find((one) => one?.checkVisibility() && (one.videoWidth ?? one.width)); \
    const width = from?.videoWidth || from?.width, height = from?.videoHeight || from?.height; if (!width) return null; const to = window.benchInk ||= Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true}); \
    to.drawImage(from, width / 2, height / 2, 1, 1, 0, 0, 1, 1); const [r, g, b, a] = to.getImageData(0, 0, 1, 1).data; return a ? [r, g, b] : null; }; \
    const light = () => { const [r, g, b] = colour() ?? [0, 0, 0]; return (r + g + b) / 3; };";

/// Presses a key so often, and gives the milliseconds from each to its effect in the picture.
const PRESS: &str = "const [times, done] = arguments; const target = document.querySelector('#overlayInput') || document.querySelector('canvas'); \
    const frame = () => new Promise(requestAnimationFrame), rest = (time) => new Promise((go) => setTimeout(go, time)); \
    const press = (kind) => target.dispatchEvent(new KeyboardEvent(kind, {key: 'a', code: 'KeyA', keyCode: 65, bubbles: true, cancelable: true})); \
    (async () => { const taken = []; target.focus(); \
      for (let n = 0; n < times; n += 1) { await rest(250 + Math.random() * 250); const before = light() > 127, began = performance.now(); press('keydown'); \
        while (light() > 127 === before && performance.now() - began < 3000) await frame(); \
        taken.push(performance.now() - began); press('keyup'); } done(taken); })();";

/// A host with the pages for the browsers in sessions.
async fn pages() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let router = Router::new()
        .route("/keys", get(|| async { Html(KEY_PAGE) }))
        .route("/scroll", get(|| async { Html(SCROLL_PAGE) }))
        .route("/film", get(|| async { Html(FILM_PAGE) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    host
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|one| one != "--bench");
    let (mut names, mut kasmweb) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        if argument == "--kasmweb" {
            kasmweb = arguments.next();
        } else {
            names.push(argument);
        }
    }
    if names.is_empty() && kasmweb.is_none() {
        names = ["Browser", "Streamed browser"].map(str::to_owned).into();
    }
    let (driver, casting, host) = (
        Driver::start().await,
        CastingProgram::start().await,
        pages().await,
    );
    let mut images = Vec::new();
    for name in names {
        let id = casting.image(&name).await;
        images.push((name, id));
    }
    if let Some(reference) = kasmweb {
        let image = json!({"name": "kasmweb", "container_image": reference, "preset": "kasmweb"});
        let image = casting.admin(Method::POST, "images", &image).await;
        let id = image["id"].as_str().expect("an id").to_owned();
        images.push((reference, id));
    }
    println!(
        "| image | first picture s | key to picture, p50 ms | p95 ms | page | CPU % of a core | \
         of it without the browser | memory MB | of it without the browser |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    for (name, image) in images {
        let keys = keys(&driver, &casting, &host, &image).await;
        for (page, path) in [
            ("still", "/keys"),
            ("scrolling", "/scroll"),
            ("film", "/film"),
        ] {
            let [cpu, servers, memory, held] = usage(&driver, &casting, &host, &image, path).await;
            println!(
                "| {name} | {:.1} | {:.0} | {:.0} | {page} | {cpu:.1} | {servers:.1} | \
                 {memory:.0} | {held:.0} |",
                keys.first, keys.median, keys.late
            );
        }
    }
}

/// What a visitor waits for.
struct Keys {
    /// From the link to the first picture of the page, in seconds.
    first: f64,
    /// From a key to its effect, in milliseconds: half of them are faster.
    median: f64,
    /// 95 of 100 are.
    late: f64,
}

/// A session of the image with this page in it, and the window that shows it.
async fn session(
    driver: &Driver,
    casting: &CastingProgram,
    image: &str,
    url: &str,
) -> (Client, f64) {
    let fields = json!({"image_id": image, "kasm_url": url, "disable_tips": true});
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    let began = Instant::now();
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    let is_green = |[red, green, blue]: [i64; 3]| {
        (red - 10).abs() < 20 && (green - 125).abs() < 20 && (blue - 50).abs() < 20
    };
    while !colour(&window).await.is_some_and(is_green) {
        assert!(began.elapsed() < PATIENCE, "no picture of {url}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (window, began.elapsed().as_secs_f64())
}

async fn colour(window: &Client) -> Option<[i64; 3]> {
    let script = format!("{LIGHT} return colour();");
    let seen = window.execute(&script, vec![]).await.ok()?;
    serde_json::from_value(seen).ok()
}

async fn keys(driver: &Driver, casting: &CastingProgram, host: &str, image: &str) -> Keys {
    let url = format!("http://{host}/keys");
    let (window, first) = session(driver, casting, image, &url).await;
    tokio::time::sleep(SETTLED).await;
    let timeouts = fantoccini::wd::TimeoutConfiguration::new(Some(PATIENCE), None, None);
    window.update_timeouts(timeouts).await.expect("is set");
    let script = format!("{LIGHT} {PRESS}");
    let taken = window.execute_async(&script, vec![json!(KEYS)]).await;
    let mut taken: Vec<f64> = serde_json::from_value(taken.expect("times")).expect("numbers");
    taken.sort_by(f64::total_cmp);
    let at = |share: usize| taken.get(taken.len() * share / 100).copied();
    end(casting, window).await;
    Keys {
        first,
        median: at(50).unwrap_or(f64::NAN),
        late: at(95).unwrap_or(f64::NAN),
    }
}

/// What the processes of a session use while this page is shown: CPU in percent of a core, of all
/// and without the browser; memory in MB, alike.
async fn usage(
    driver: &Driver,
    casting: &CastingProgram,
    host: &str,
    image: &str,
    path: &str,
) -> [f64; 4] {
    let url = format!("http://{host}{path}");
    let fields = json!({"image_id": image, "kasm_url": url, "disable_tips": true});
    let link = casting.link(&fields).await;
    let window = driver.window(DESK).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    let began = Instant::now();
    while colour(&window).await.is_none() {
        assert!(began.elapsed() < PATIENCE, "no picture of {url}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(SETTLED).await;
    let id = session_of(&window).await;
    let before = Used::by(&id);
    tokio::time::sleep(SPAN).await;
    let after = Used::by(&id);
    end(casting, window).await;
    let percent = |ticks: u64| 100.0 * ticks as f64 / TICKS_PER_SECOND / SPAN.as_secs_f64();
    [
        percent(after.ticks.saturating_sub(before.ticks)),
        percent(after.servers_ticks.saturating_sub(before.servers_ticks)),
        after.memory_kb as f64 / 1024.0,
        after.servers_memory_kb as f64 / 1024.0,
    ]
}

async fn session_of(window: &Client) -> String {
    let url = window.current_url().await.expect("an address");
    let host = url
        .host_str()
        .and_then(|host| host.strip_suffix(".localhost"));
    host.expect("an origin of its own").to_owned()
}

async fn end(casting: &CastingProgram, window: Client) {
    let id = session_of(&window).await;
    window.close().await.expect("closes");
    let stop = format!("sessions/{id}/stop");
    let _: Value = casting.admin(Method::POST, &stop, &json!({})).await;
    let began = Instant::now();
    while !with_environment(&id).is_empty() {
        assert!(began.elapsed() < PATIENCE, "the session does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the processes of a session have used.
#[derive(Default)]
struct Used {
    ticks: u64,
    servers_ticks: u64,
    memory_kb: u64,
    servers_memory_kb: u64,
}

impl Used {
    /// By all processes that know this session.
    fn by(session: &str) -> Self {
        let mut used = Self::default();
        for process in with_environment(session) {
            let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}"));
            let (Ok(stat), Ok(memory)) = (read("stat"), read("smaps_rollup")) else {
                continue;
            };
            // The name may hold spaces, but it ends with a bracket.
            let Some((name, rest)) = stat.rsplit_once(')') else {
                continue;
            };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
            let ticks = number(11).unwrap_or_default() + number(12).unwrap_or_default();
            let pss = memory.lines().find_map(|line| line.strip_prefix("Pss:"));
            let pss = pss.and_then(|text| text.split_whitespace().next()?.parse().ok());
            let pss: u64 = pss.unwrap_or_default();
            used.ticks += ticks;
            used.memory_kb += pss;
            if !name.contains("chrom") {
                used.servers_ticks += ticks;
                used.servers_memory_kb += pss;
            }
        }
        used
    }
}
