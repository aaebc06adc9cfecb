//! Owns what the pages of visitors weigh: with all that they can show, in every language, each is
//! one request below 10 KB and lets in nothing of others but the logo that the administrator chose.

use casting_core::Report;
use casting_core::ids::SessionId;
use casting_core::language::Language;
use casting_core::testing::user;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, KEPT_COOKIE, TestStack};

const MAX_BYTES: usize = 10_000;
const NAME: &str = "Acme and Partners, Training Department 1";
const LOGO: &str = "https://acme.example/logo.svg";
const LINKS: [&str; 3] = [
    "Imprint https://acme.example/imprint",
    "Privacy https://acme.example/privacy",
    "Support https://acme.example/support",
];

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

struct Visitor<'a> {
    stack: &'a TestStack,
    cookie: String,
}

impl Visitor<'_> {
    async fn ask(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.stack.request(method, path);
        let request = request.header("accept", "text/html").form(form);
        let request = request.header("sec-fetch-site", "same-origin");
        Answer::of(request.header("cookie", &self.cookie)).await
    }

    /// Claims a session by the page's form; gives the answer.
    async fn claim(&self, key: &str) -> Answer {
        let page = self.ask(Method::GET, &format!("/cast/{key}"), &[]).await;
        let (_, ticket) = page
            .text
            .split_once("name=\"ticket\" value=\"")
            .unwrap_or_else(|| panic!("no ticket: {}", page.text));
        let ticket = ticket.split('"').next().expect("its end");
        let claims = format!("/cast/{key}/claims");
        let claimed = self.ask(Method::POST, &claims, &[("ticket", ticket)]).await;
        assert_eq!(claimed.status, 303, "{}", claimed.text);
        claimed
    }

    /// Keeps the cookies of an answer.
    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().expect("text").split(';').next();
            self.cookie = format!("{}; {}", self.cookie, pair.unwrap_or_default());
        }
    }

    /// Looks at a page in each language.
    async fn look_at(&self, name: &str, path: &str, status: u16) {
        self.look(name, path, status, "document").await;
    }

    /// The same in a frame of a listed site.
    async fn look_at_frame(&self, name: &str, path: &str, status: u16) {
        self.look(name, path, status, "iframe").await;
    }

    async fn look(&self, name: &str, path: &str, status: u16, dest: &str) {
        let mark = if path.contains('?') { '&' } else { '?' };
        for language in Language::ALL {
            let path = format!("{path}{mark}lang={}", language.as_str());
            let request = self.stack.request(Method::GET, &path);
            let request = request
                .header("accept", "text/html")
                .header("referer", "https://acme.example/page")
                .header("sec-fetch-dest", dest)
                .header("cookie", &self.cookie);
            let page = Answer::of(request).await;
            let said = format!("{name}, {language:?}, {dest}");
            assert_eq!(page.status, status, "{said}: {}", page.text);
            assert_eq!(page.header("content-language"), language.tag(), "{said}");
            assert_small_and_whole(&page, &said);
        }
    }
}

/// Fails where a page is too large, or may load anything but itself and its logo.
fn assert_small_and_whole(page: &Answer, name: &str) {
    let bytes = page.text.len();
    assert!(bytes < MAX_BYTES, "{name}: {bytes} bytes");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{name}: {policy}");
    for directive in policy.split("; ") {
        let mut words = directive.split(' ');
        let kind = words.next().unwrap_or_default();
        // Where forms lead and who may frame the page loads nothing.
        if matches!(kind, "form-action" | "frame-ancestors") {
            continue;
        }
        for source in words {
            let is_inline = source == "'none'" || source.starts_with("'nonce-");
            let is_asked_later = kind == "connect-src" && source == "'self'";
            let is_picture = kind == "img-src" && matches!(source, "'self'" | "data:" | LOGO);
            assert!(
                is_inline || is_asked_later || is_picture,
                "{name}: {directive}"
            );
        }
    }
    for loaded in ["<script src", "rel=\"stylesheet\"", "@import", "<iframe"] {
        assert!(!page.text.contains(loaded), "{name}: {loaded}");
    }
    let pictures = page.text.matches(" src=\"").count();
    assert_eq!(pictures, page.text.matches(LOGO_TAG).count(), "{name}");
}

const LOGO_TAG: &str = " src=\"https://acme.example/logo.svg\"";

#[tokio::test]
async fn visitor_pages_are_small_and_whole_in_each_language() {
    let stack = TestStack::start().await;
    let set = json!({
        "brand_name": NAME, "brand_color": "#7a1f5c", "brand_logo": LOGO, "brand_links": LINKS,
        "contact": "the-whole-service-desk@training.acme.example",
    });
    let set = stack.admin(Method::PATCH, "settings", Some(&set)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let (ann, bob, nobody) = (
        Visitor {
            stack: &stack,
            cookie: stack.login(&user(1)),
        },
        Visitor {
            stack: &stack,
            cookie: stack.login(&user(2)),
        },
        Visitor {
            stack: &stack,
            cookie: KEPT_COOKIE.1.to_owned(),
        },
    );
    let words = json!({
        "title": "A desktop to try, with everything that the course needs",
        "summary": "Ten minutes with everything installed; nothing of it is kept. ".repeat(3).trim(),
        "allow_dynamic_kasm_url": true,
    });
    let mut own = words.clone();
    own["allow_anonymous"] = json!(false);
    own["allow_resume"] = json!(true);
    let (open, own) = (stack.cast(&words).await, stack.cast(&own).await);
    let (link, own_link) = (
        format!("/cast/{}", key(&open)),
        format!("/cast/{}", key(&own)),
    );
    let address = "kasm_url=https://www.example.org/a/long/path/to/a/page?with=parameters";

    nobody.look_at("start", "/", 200).await;
    nobody.look_at("signed out", "/login/me", 200).await;
    nobody.look_at("nothing there", "/nothing/there", 404).await;
    nobody
        .look_at("no such link", "/cast/nosuchlink", 404)
        .await;
    nobody.look_at("no such session", "/session/x", 404).await;
    let failed = "/login/callback?state=x&code=x";
    nobody.look_at("failed login", failed, 403).await;
    nobody.look_at("no longer shared", "/share/x", 410).await;
    nobody.look_at("landing", &link, 200).await;
    let consent = format!("{link}?{address}");
    nobody.look_at("consent", &consent, 200).await;
    let no_address = format!("{link}?kasm_url=http://localhost/");
    nobody.look_at("no address", &no_address, 422).await;
    ann.look_at("landing, signed in", &own_link, 200).await;
    ann.look_at("consent, signed in", &format!("{own_link}?{address}"), 200)
        .await;

    let claimed = ann.claim(key(&own)).await;
    let session = claimed.header("location");
    ann.look_at("account", "/login/me", 200).await;
    ann.look_at("waiting", session, 200).await;
    ann.look_at("resume", &format!("{own_link}?{address}"), 200)
        .await;
    bob.look_at("of another user", session, 403).await;
    let id = SessionId::parse(session.trim_start_matches("/session/")).expect("an id");
    let control_plane = &stack.local.control_plane;
    let secret = control_plane.keys.sessions().secret(&id);
    control_plane
        .report(
            &id,
            secret.expose(),
            Report::Ready { port: 1 },
            Caller(9).address(),
        )
        .await
        .expect("is ready");
    for (notice, status) in [("not-yours", 403), ("used", 410), ("ended", 410)] {
        let path = format!("{session}?notice={notice}");
        ann.look_at(notice, &path, 200).await;
        nobody.look_at(notice, &path, 403).await;
        nobody.look_at_frame(notice, &path, status).await;
    }
    let resumed = format!("{session}?not_applied=kasm-url-invalid,docker-network-unchanged");
    ann.look_at("resumed", &resumed, 200).await;
    ann.ask(Method::POST, &format!("{session}/end"), &[]).await;
    ann.look_at("ended", session, 410).await;

    // An anonymous browser that has a session: what it brings is what the page and the claim set.
    let mut browser = Visitor {
        stack: &stack,
        cookie: KEPT_COOKIE.1.to_owned(),
    };
    let page = browser.ask(Method::GET, &link, &[]).await;
    browser.keep(&page);
    let claimed = browser.claim(key(&open)).await;
    browser.keep(&claimed);
    browser.look_at("back or another", &link, 200).await;

    let full = json!({"max_live_sessions": 1, "waiting_room": true});
    let full = stack.cast(&full).await;
    stack.claim(Caller(1), key(&full)).await;
    let claimed = ann.claim(key(&full)).await;
    let room = claimed.header("location");
    assert!(room.contains("/room"), "{room}");
    ann.look_at("waiting room", room, 200).await;
    let full = json!({"max_live_sessions": 0});
    let busy = format!("/cast/{}", key(&stack.cast(&full).await));
    ann.look_at("full", &busy, 503).await;
    // Over plain http this page brings along what derives keys; what the administrator wrote comes on
    // top.
    let mut checked = words.clone();
    checked["require_captcha"] = json!(true);
    let checked = format!("/cast/{}", key(&stack.cast(&checked).await));
    let mut written: Vec<&str> = ["title", "summary"]
        .iter()
        .filter_map(|name| words[*name].as_str())
        .collect();
    written.extend([NAME, LOGO]);
    written.extend(LINKS.iter().flat_map(|link| link.split(' ')));
    for query in ["", "&kasm_url=https://example.org/a/page"] {
        for language in Language::ALL {
            let path = format!("{checked}?lang={}{query}", language.as_str());
            let mut page = nobody.ask(Method::GET, &path, &[]).await;
            assert!(page.text.contains("data-challenge"), "{}", page.text);
            let pictures = page.text.matches(" src=\"").count();
            assert_eq!(pictures, 1, "the logo");
            for text in &written {
                page.text = page.text.replace(text, "");
            }
            page.text = page.text.replace(" src=\"\"", "");
            assert_small_and_whole(&page, &path);
        }
    }
    let mut listed = words.clone();
    listed["restrict_to_referrers"] = json!(["acme.example"]);
    let framed = format!("/cast/{}", key(&stack.cast(&listed).await));
    nobody.look_at_frame("landing", &framed, 200).await;
    listed["allow_anonymous"] = json!(false);
    let framed = format!("/cast/{}", key(&stack.cast(&listed).await));
    nobody.look_at_frame("sign in", &framed, 200).await;
    listed["restrict_to_referrers"] = json!(["other.example"]);
    let foreign = format!("/cast/{}", key(&stack.cast(&listed).await));
    nobody.look_at("another referrer", &foreign, 403).await;
    stack.local.stop().await;
}
