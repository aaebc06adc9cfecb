//! Owns the pictures of the documentation: a walk from the console to a session, and pages that other
//! tests lead to, all taken from the real pages. Beside each picture stands what its page said then;
//! when a page says something else, the test asks for a new picture.
//!
//! `CASTING_NEW_PICTURES=1 cargo test -p casting-tests --test browser` takes them.

use std::fs;
use std::path::{Path, PathBuf};

use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, element, into_app, wait_for};
use crate::pixels::Pixels;

/// How long the walk shows each of its pictures, in hundredths of a second.
const STEP_CENTISECONDS: u16 = 250;

/// What stays the same on a page while its numbers, names, references and ids change: headings, labels
/// and buttons.
const WORDS: &str = "return [...document.querySelectorAll('h1, h2, nav a, thead th, label, button')] \
    .filter(element => element.checkVisibility()) \
    .map(element => element.innerText.trim()).filter(text => text && !/[0-9]|\\b[a-z]{4}-[a-z]{4}\\b|[\\w-]{20,}/.test(text)).join('\\n');";

struct Step {
    name: &'static str,
    picture: Vec<u8>,
    words: String,
}

async fn step(window: &Client, name: &'static str) -> Step {
    let words = window.execute(WORDS, Vec::new()).await.expect("runs");
    Step {
        name,
        picture: window.screenshot().await.expect("a screenshot"),
        words: words.as_str().unwrap_or_default().to_owned(),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures")
}

/// The picture of one page for the documentation, which a test has led to.
pub async fn keep(window: &Client, name: &'static str) {
    let step = step(window, name).await;
    if takes_new_ones() {
        save(&step);
    }
    compare(name, &[step]);
    check_size(name);
}

fn takes_new_ones() -> bool {
    std::env::var_os("CASTING_NEW_PICTURES").is_some()
}

fn save(step: &Step) {
    fs::create_dir_all(folder()).expect("a folder");
    let file = folder().join(format!("{}.png", step.name));
    fs::write(file, &step.picture).expect("can be written");
}

/// Compares what pages say with what they said when their pictures were taken.
fn compare(name: &str, steps: &[Step]) {
    let file = folder().join(format!("{name}.txt"));
    let now = said(steps);
    if takes_new_ones() {
        fs::write(&file, &now).expect("can be written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        kept, now,
        "the pictures of the documentation are old: run this test with CASTING_NEW_PICTURES=1"
    );
}

fn check_size(name: &str) {
    let picture = fs::read(folder().join(format!("{name}.png"))).expect("a picture");
    assert!(picture.len() > 10_000, "{name} is empty");
    assert!(picture.len() < 1_000_000, "{name} is too large for a page");
}

/// The steps as one animated picture, without an end.
fn walk(steps: &[Step]) -> Vec<u8> {
    let frames: Vec<_> = steps.iter().map(|step| Pixels::of(&step.picture)).collect();
    let (width, height) = frames[0].size;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let count = u32::try_from(frames.len()).expect("few");
    encoder.set_animated(count, 0).expect("frames");
    encoder
        .set_frame_delay(STEP_CENTISECONDS, 100)
        .expect("a delay");
    let mut writer = encoder.write_header().expect("a header");
    for Pixels { size, rgb } in frames {
        assert_eq!(size, (width, height), "all pictures have one size");
        writer.write_image_data(&rgb).expect("a frame");
    }
    writer.finish().expect("an end");
    bytes
}

/// The steps, each with its words, as they are kept beside the pictures.
fn said(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| format!("## {}\n{}\n\n", step.name, step.words))
        .collect()
}

#[tokio::test]
async fn documentation_shows_the_pages_as_they_are() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    // Nothing that depends on which packages this machine has.
    let casts = casting.admin(Method::GET, "casts", &Value::Null).await;
    for cast in casts["items"].as_array().expect("casts") {
        if cast["key"] != "welcome" {
            let path = format!("casts/{}", cast["id"].as_str().expect("an id"));
            casting.admin(Method::DELETE, &path, &Value::Null).await;
        }
    }
    for (name, title) in [
        ("Website", "Try our product"),
        ("Classroom", "Session for the class"),
        ("Support desk", "A desk of your own"),
    ] {
        casting
            .link(&json!({"name": name, "title": title, "max_live_sessions": 40}))
            .await;
    }
    let window = driver.window(DESK).await;
    let open = async |path: &str| {
        window
            .goto(&format!("{}{path}", casting.url()))
            .await
            .expect("opens");
    };
    open(&format!("/admin/sign-in#{}", casting.key())).await;
    wait_for(&window, "h1", "Overview").await;
    open("/admin/casts").await;
    wait_for(&window, "h1", "Casts").await;
    let console = step(&window, "console").await;
    open("/admin/new-cast").await;
    wait_for(&window, "h1", "New cast").await;
    let form = step(&window, "form").await;
    open("/cast/welcome").await;
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    let pad = element(&window, "#pad").await;
    pad.send_keys("Everyone who clicks gets a session of their own.")
        .await
        .expect("can be written on");
    let session = step(&window, "session").await;
    let budget =
        json!({"name": "Trade fair", "budget_per_day_cents": 500, "budget_per_month_cents": 6000});
    let link = casting.link(&budget).await;
    window.goto(&link).await.expect("opens");
    into_app(&window).await;
    wait_for(&window, "#status", "live").await;
    let casts = casting
        .admin(Method::GET, "casts?search=fair", &Value::Null)
        .await;
    let id = casts["items"][0]["id"].as_str().expect("an id");
    open(&format!("/admin/casts/{id}")).await;
    wait_for(&window, "main", "of $5").await;
    keep(&window, "budget").await;
    window.close().await.expect("closes");

    let steps = [console, form, session];
    if takes_new_ones() {
        for step in steps.iter().filter(|step| step.name != "form") {
            save(step);
        }
        fs::write(folder().join("walk.png"), walk(&steps)).expect("can be written");
    }
    compare("pages", &steps);
    for name in ["console", "session", "walk"] {
        check_size(name);
    }
}
