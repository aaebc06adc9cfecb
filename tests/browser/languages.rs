//! Owns the test of what a visitor reads in their own language, from the link's page to the end of
//! the session: every page is accessible and fits, also from right to left and on a phone.

use casting_core::language::Language;
use casting_words::Words;
use fantoccini::{Client, Locator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::chrome::{CastingProgram, DESK, Driver, Look, console, shoot, wait_for};
use crate::page_audit::check_accessibility;

/// What does not fit: a page that scrolls sideways, and texts that are wider than their control. The
/// hit area of the panel's handle reaches beyond it.
const TOO_WIDE: &str = "const wide = [...document.querySelectorAll('button,summary,select,a,h1,dt,dd,label')] \
     .filter((one) => one.checkVisibility() && !one.matches('#panel > summary') && one.clientWidth && one.scrollWidth > one.clientWidth + 1); \
     const told = wide.map((one) => one.tagName + ' ' + one.textContent.slice(0, 40)); \
     if (document.documentElement.scrollWidth > innerWidth) told.push('the page'); return told";

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
        let found = self.window.find(Locator::Css(selector)).await;
        let found = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        found.click().await.expect("can be clicked");
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
            let is_looked_at = matches!(
                language,
                Language::German | Language::Japanese | Language::Arabic
            );
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
