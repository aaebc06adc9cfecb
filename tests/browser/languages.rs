//! Owns the test of what a visitor reads in their own language, from the link's page to the end of
//! the session, and of the edge's notices: every page is accessible and fits, also from right to left
//! and on a phone.

use casting_core::language::Language;
use casting_words::Words;
use fantoccini::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{
    CastingProgram, DESK, Driver, Look, click, console, element, into_app, shoot, text, text_of,
    wait_for,
};
use crate::page_audit::check_accessibility;

/// What does not fit: a page that scrolls sideways, and texts that are wider than their control. The
/// hit area of the panel's handle reaches beyond it.
const TOO_WIDE: &str = "const wide = [...document.querySelectorAll('button,summary,select,a,h1,dt,dd,label')] \
     .filter((one) => one.checkVisibility() && !one.matches('#panel > summary') && one.clientWidth && one.scrollWidth > one.clientWidth + 1); \
     const told = wide.map((one) => one.tagName + ' ' + one.textContent.slice(0, 40)); \
     if (document.documentElement.scrollWidth > innerWidth) told.push('the page'); return told";

/// The languages whose pages are looked at on a phone too.
const LOOKED_AT: [Language; 3] = [Language::German, Language::Japanese, Language::Arabic];

struct Round<'a> {
    window: &'a Client,
    language: Language,
    look: &'a str,
}

impl Round<'_> {
    /// Judges the page once an element says `words`.
    async fn look_at(&self, name: &str, selector: &str, words: &str) {
        wait_for(self.window, selector, words).await;
        let name = format!("language-{}-{name}-{}", self.language.as_str(), self.look);
        shoot(self.window, &name).await;
        let root = "const root = document.documentElement; return [root.lang, root.dir || 'ltr']";
        let root = self.window.execute(root, vec![]).await.expect("a page");
        let expected = json!([self.language.tag(), self.language.direction()]);
        assert_eq!(root, expected, "{name}");
        let wide = self.window.execute(TOO_WIDE, vec![]).await.expect("a page");
        assert_eq!(wide, json!([]), "{name}");
        check_accessibility(self.window, &name).await;
    }

    async fn click(&self, selector: &str) {
        click(self.window, selector).await;
    }
}

#[tokio::test]
async fn visitors_read_every_page_in_their_language() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let slow = json!({"name": "Slow", "container_image": "local/slow", "cpu": 256, "memory": 512, "command": ["sleep", "600"]});
    let slow = casting.admin(Method::POST, "images", &slow).await["id"].clone();
    let slow = casting.link(&json!({"image_id": slow})).await;
    let consent = json!({"allow_dynamic_kasm_url": true, "enable_sharing": true});
    let demo = casting.link(&consent).await;
    let limited = json!({"max_live_sessions": 0, "contact": "desk@example.com"});
    let closed = casting.link(&limited).await;

    for language in Language::ALL {
        for phone in [false, true] {
            let is_looked_at = LOOKED_AT.contains(&language);
            if phone && !is_looked_at {
                continue;
            }
            let window = driver.window(Look { phone, ..DESK }).await;
            let look = if phone { "phone" } else { "desk" };
            let round = Round {
                window: &window,
                language,
                look,
            };
            let words = Words::of(language);
            let script: Value = serde_json::from_str(words.script()).expect("JSON");
            let asked = format!(
                "{demo}?lang={}&kasm_url=example.org/path",
                language.as_str()
            );
            window.goto(&asked).await.expect("opens");
            let landing = words.landing();
            round.look_at("landing", ".consent", landing.opens).await;
            // The language stays for addresses that do not name one.
            window.goto(&closed).await.expect("opens");
            let help = words.help();
            round.look_at("refusal", "#help", help.ask).await;
            let session = words.session();
            if is_looked_at {
                window.goto(&slow).await.expect("opens");
                round.look_at("waiting", "h1", session.title).await;
                round.click("form button").await;
                round.look_at("ended", "h1", session.ended_title).await;
            }
            window.goto(&demo).await.expect("opens");
            let viewer = words.viewer();
            wait_for(&window, "#tips[open] h1", viewer.ready).await;
            if is_looked_at {
                round.look_at("tips", "#tips[open] h1", viewer.ready).await;
            }
            round.click("#tips button").await;
            wait_for(&window, "#panel summary", "").await;
            round.click("#panel > summary").await;
            let good = script["good"].as_str().expect("words");
            round.look_at("panel", "#connection", good).await;
            round.click("#panel > summary").await;
            into_app(&window).await;
            let app = words.demo();
            round.look_at("demo", "#status", app.connected).await;
            let heading = app.heading.replace('\u{a0}', " ");
            assert_eq!(text_of(&window, "#title").await, heading);
            window.enter_parent_frame().await.expect("the viewer");
            round.click("#panel > summary").await;
            if is_looked_at {
                round.click(".end summary").await;
                round.click(".end button").await;
                round.look_at("over", "body", session.by_owner).await;
            }
            assert_eq!(console(&window).await, Vec::<String>::new());
            window.close().await.expect("closes");
        }
    }
}

/// Puts the control plane's page for a notice into the place of the app, as the edge in AWS does.
async fn lead_frame_to(window: &Client, address: &str) {
    let lead = "document.querySelector('#app').src = arguments[0]";
    let led = window.execute(lead, vec![json!(address)]).await;
    led.expect("a frame");
    let frame = element(window, "#app").await;
    frame.enter_frame().await.expect("can be entered");
}

#[tokio::test]
async fn edge_notices_say_in_each_language_what_to_do() {
    let (driver, casting) = (Driver::start().await, CastingProgram::start().await);
    let link = casting.link(&json!({"disable_tips": true})).await;
    for phone in [false, true] {
        let window = driver.window(Look { phone, ..DESK }).await;
        window.goto(&link).await.expect("opens");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        window.enter_parent_frame().await.expect("the viewer");
        let viewer = window.current_url().await.expect("an address");
        let host = viewer.host_str().expect("a host");
        let id = host.split('.').next().expect("a session").to_owned();
        let page = format!("{}/session/{id}", casting.url());
        for language in Language::ALL {
            if phone && !LOOKED_AT.contains(&language) {
                continue;
            }
            let look = if phone { "phone" } else { "desk" };
            let round = Round {
                window: &window,
                language,
                look,
            };
            let words = Words::of(language);
            for name in ["not-yours", "used", "ended"] {
                let asked = format!("{page}?notice={name}&lang={}", language.as_str());
                lead_frame_to(&window, &asked).await;
                let mut notices = words.notices().iter();
                let notice = notices.find(|(notice, ..)| *notice == name);
                let (_, title, detail) = notice.expect("its words");
                round.look_at(&format!("notice-{name}"), "h1", title).await;
                assert!(text(&window).await.contains(detail), "{name}");
                let button = text_of(&window, "a.button").await;
                assert_eq!(button, words.viewer().session_page, "{name}");
                window.enter_parent_frame().await.expect("the viewer");
            }
        }
        // The button leads out of the frame and back into the session, which is there all the same.
        lead_frame_to(&window, &format!("{page}?notice=used")).await;
        wait_for(&window, "h1", "This address has been used").await;
        click(&window, "a.button").await;
        window.enter_parent_frame().await.expect("the window");
        into_app(&window).await;
        wait_for(&window, "#status", "live").await;
        let again = window.current_url().await.expect("an address");
        assert_eq!(again.host_str(), Some(host), "the same session");

        // In a window of its own, its owner gets a button and everybody else a way on.
        let asked = format!("{page}?notice=not-yours&lang=ar");
        window.goto(&asked).await.expect("opens");
        let round = Round {
            window: &window,
            language: Language::Arabic,
            look: if phone { "phone" } else { "desk" },
        };
        let session = Words::of(Language::Arabic).session();
        round
            .look_at("notice-owner", "h1", session.resumed_title)
            .await;
        round.click("a.button").await;
        into_app(&window).await;
        assert_eq!(console(&window).await, Vec::<String>::new());
        window.close().await.expect("closes");
        let stranger = driver.window(Look { phone, ..DESK }).await;
        stranger.goto(&asked).await.expect("opens");
        let round = Round {
            window: &stranger,
            language: Language::Arabic,
            look: if phone { "phone" } else { "desk" },
        };
        let start = Words::of(Language::Arabic).help().start;
        round.look_at("notice-stranger", ".actions a", start).await;
        stranger.close().await.expect("closes");
    }
}
