//! Owns the fields of a cast as the console's form sends them: each is changed on the real page,
//! with its CSRF token and its version, and read back over the API; nothing else changes. What each
//! does to a link is held by the test that is named beside it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::test_stack::{Answer, TestStack};

/// Turns back what pages write for signs that would end a text or an attribute.
fn plain(text: &str) -> String {
    let signs = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
    ];
    let text = signs.iter().fold(text.to_owned(), |text, (written, sign)| {
        text.replace(written, sign)
    });
    text.replace("&#38;", "&").replace("&amp;", "&")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag
        .split_once(&format!(" {name}=\""))
        .map(|(_, rest)| rest)?;
    at.split('"').next().map(plain)
}

fn has(tag: &str, word: &str) -> bool {
    tag.split(' ').any(|part| part == word)
}

/// The action of the form of fields on a page, and what a browser would send without any input.
pub fn form(page: &str) -> (String, Vec<(String, String)>) {
    let (_, rest) = page
        .split_once("<form class=\"sheet\"")
        .expect("a form of fields");
    let form = rest.split("</form>").next().expect("its end");
    let action = attribute(&format!("form{form}"), "action").expect("an action");
    let mut fields = Vec::new();
    let mut add =
        |name: Option<String>, value: String| fields.extend(name.map(|name| (name, value)));
    for part in form.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        match tag.split(' ').next().unwrap_or_default() {
            "input"
                if attribute(tag, "type").as_deref() == Some("checkbox")
                    && !has(tag, "checked") => {}
            "input" if attribute(tag, "type").as_deref() == Some("checkbox") => {
                add(
                    attribute(tag, "name"),
                    attribute(tag, "value").unwrap_or_else(|| "on".into()),
                );
            }
            "input" => add(
                attribute(tag, "name"),
                attribute(tag, "value").unwrap_or_default(),
            ),
            "textarea" => add(
                attribute(tag, "name"),
                plain(text.strip_prefix('\n').unwrap_or(text)),
            ),
            _ => {}
        }
    }
    for select in form
        .split("<select ")
        .skip(1)
        .filter_map(|rest| rest.split("</select>").next())
    {
        let name = attribute(
            &format!(" {}", select.split('>').next().unwrap_or_default()),
            "name",
        );
        let chosen = select
            .split("<option")
            .skip(1)
            .map(|option| option.split('>').next().unwrap_or_default());
        chosen
            .filter(|tag| has(tag, "selected"))
            .for_each(|tag| add(name.clone(), attribute(tag, "value").unwrap_or_default()));
    }
    (action, fields)
}

/// What is typed: a text in place of what stands there, a box that is ticked, or one that is not.
enum Typed {
    Text(String),
    On,
    Off,
}

pub struct Console<'a> {
    pub stack: &'a TestStack,
    pub cookie: String,
}

impl Console<'_> {
    pub async fn page(&self, path: &str) -> String {
        let answer = Answer::of(
            self.stack
                .request(Method::GET, path)
                .header("cookie", &self.cookie),
        )
        .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    }

    pub async fn send(&self, action: &str, fields: &[(String, String)]) -> Answer {
        let sent = self
            .stack
            .request(Method::POST, action)
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin");
        Answer::of(sent.form(fields)).await
    }

    /// Opens the form, changes one field and sends it.
    async fn change(&self, path: &str, name: &str, typed: &Typed) -> Answer {
        let (action, mut fields) = form(&self.page(path).await);
        assert!(
            ["csrf_token", "version"]
                .iter()
                .all(|wanted| fields.iter().any(|(name, _)| name == wanted)),
            "{fields:?}"
        );
        // What is typed is in the API's own unit.
        fields.retain(|(found, _)| found != name && *found != format!("{name}.unit"));
        match typed {
            Typed::Text(text) => fields.push((name.to_owned(), text.clone())),
            Typed::On => fields.push((name.to_owned(), "on".to_owned())),
            Typed::Off => {}
        }
        self.send(&action, &fields).await
    }
}

/// A cast's document without the fields about the change itself.
fn settled(cast: &Value) -> Value {
    let mut cast = cast.clone();
    let fields = cast.as_object_mut().expect("an object");
    for name in ["version", "updated_at", "warnings", "url"] {
        fields.remove(name);
    }
    cast
}

#[tokio::test]
async fn each_form_field_changes_only_itself() {
    use Typed::{Off, On, Text};
    let stack = TestStack::start().await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let before = json!({
        "name": "Before", "key": "before-key", "background_url": "https://acme.com/a.jpg?b=c&d",
        "open_hours": {"time_zone": "Europe/Berlin", "spans": ["mon 09:00-17:00"]},
        "limit_total_sessions": true, "sessions_remaining": 3,
        "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 30,
    });
    let cast = stack.cast(&before).await;
    let id = cast["id"].as_str().expect("an id").to_owned();
    let made = async |path: &str, body: Value| {
        let answer = stack.admin(Method::POST, path, Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    };
    let image = json!({"name": "Other", "container_image": "local/other", "command": ["sleep", "9"], "cpu": 256, "memory": 512, "view_only": "requests"});
    let (image, group) = (
        made("images", image).await,
        made("groups", json!({"name": "Guests"})).await,
    );
    let text = |text: &str| Text(text.to_owned());
    // In the order of the form's documentation. What each does: the tests that `features.md` names
    // in its row for it.
    let rows: [(&str, Typed, Value, u32); 27] = [
        (
            "name",
            text("After \"<&>\" it"),
            json!("After \"<&>\" it"),
            31,
        ),
        (
            "description",
            text("For\r\nthe fair"),
            json!("For\nthe fair"),
            25,
        ),
        ("key", text("after-key"), json!("after-key"), 1),
        ("image_id", Text(image.clone()), json!(image), 2),
        ("allow_resume", On, json!(true), 3),
        ("require_captcha", On, json!(true), 6),
        (
            "anonymous_user_group_id",
            Text(group.clone()),
            json!(group),
            7,
        ),
        ("sessions_remaining", text("7"), json!(7), 9),
        ("limit_total_sessions", Off, json!(false), 8),
        ("sessions_allowed", text("2"), json!(2), 11),
        ("within_seconds", text("60"), json!(60), 12),
        ("limit_requests_per_ip", Off, json!(false), 10),
        (
            "kasm_url",
            text("https://example.com/start?a=b&c"),
            json!("https://example.com/start?a=b&c"),
            13,
        ),
        ("allow_dynamic_kasm_url", On, json!(true), 14),
        ("allow_dynamic_docker_network", On, json!(true), 16),
        (
            "error_url",
            text("https://acme.com/sorry"),
            json!("https://acme.com/sorry"),
            17,
        ),
        ("disable_control_panel", On, json!(true), 18),
        ("disable_tips", On, json!(true), 19),
        ("watermark", On, json!(true), 44),
        (
            "session_notice",
            text("Demo system"),
            json!("Demo system"),
            44,
        ),
        ("enable_sharing", On, json!(true), 20),
        ("enable_lobby", On, json!(true), 51),
        ("disable_shared_fixed_resolution", On, json!(true), 21),
        ("kasm_audio_default_on", Off, json!(false), 29),
        ("kasm_ime_mode_default_on", On, json!(true), 29),
        (
            "restrict_to_referrers",
            text("acme.com\r\n=shop.example.com"),
            json!(["acme.com", "=shop.example.com"]),
            22,
        ),
        ("allow_anonymous", Off, json!(false), 4),
    ];
    let features = include_str!("../features.md");
    let (edit, path) = (format!("/admin/casts/{id}/edit"), format!("casts/{id}"));
    let read = async || settled(&stack.admin(Method::GET, &path, None).await.json());
    for (name, typed, expected, feature) in rows {
        assert!(
            features.contains(&format!("\n| {feature} | ")),
            "{name}: a row of features.md says what it does"
        );
        let mut wanted = read().await;
        assert_ne!(wanted[name], expected, "{name} is something else before");
        let answer = console.change(&edit, name, &typed).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, format!("/admin/casts/{id}").as_str()),
            "{name}: {}",
            answer.text
        );
        wanted[name] = expected;
        assert_eq!(read().await, wanted, "{name}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn invalid_or_stale_form_changes_nothing_and_keeps_input() {
    let stack = TestStack::start().await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let cast = stack.cast(&json!({"name": "Before"})).await;
    let edit = format!("/admin/casts/{}/edit", cast["id"].as_str().expect("an id"));
    let before = stack.ledger().await;
    for (name, typed, words) in [
        ("name", "", "Name"),
        ("key", "no", "URL Key"),
        ("sessions_remaining", "ten", "Sessions Remaining"),
        ("kasm_url", "javascript:alert(1)", "Kasm URL"),
        ("error_url", "not a url", "Error URL"),
        (
            "restrict_to_referrers",
            "acme.com\nhttps://",
            "Restrict to Referrers",
        ),
    ] {
        let answer = console
            .change(&edit, name, &Typed::Text(typed.to_owned()))
            .await;
        assert_eq!(answer.status, 422, "{name}");
        assert!(
            answer.text.contains("Nothing was saved.")
                && answer.text.contains(&format!(">{words}: ")),
            "{name}: {}",
            answer.text
        );
        let (_, fields) = form(&answer.text);
        assert!(
            fields.contains(&(name.to_owned(), typed.to_owned())),
            "{name} is still there: {fields:?}"
        );
    }
    assert_eq!(stack.ledger().await, before, "nothing has changed");

    let (action, fields) = form(&console.page(&edit).await);
    let changed = console
        .change(&edit, "name", &Typed::Text("Somebody else's".into()))
        .await;
    assert_eq!(changed.status, 303, "{}", changed.text);
    let late = console.send(&action, &fields).await;
    assert!(
        late.status == 422 && late.text.contains(" changed this in the meantime"),
        "{} {}",
        late.status,
        late.text
    );
    stack.local.stop().await;
}
