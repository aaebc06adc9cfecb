//! Owns what the console's forms do beside saving: checks while something is typed, units, presets
//! and templates that keep what was typed, and the trial of an image.

use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::console_fields::{Console, form};
use crate::test_stack::{Caller, TestStack};

async fn console(stack: &TestStack) -> Console<'_> {
    Console {
        stack,
        cookie: sign_in(stack, &stack.local.admin_key).await,
    }
}

fn set(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), value.to_owned()));
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

#[tokio::test]
async fn every_form_is_checked_while_it_is_filled_in() {
    let stack = TestStack::start().await;
    let console = console(&stack).await;
    for (page, check, name, typed, words) in [
        ("new-cast", "check-cast", "sessions_allowed", "0", "Must be"),
        (
            "new-image",
            "check-image",
            "session_time_limit_seconds",
            "0",
            "Must be from 1 min to 7 d.",
        ),
        (
            "new-network",
            "check-network",
            "subnets",
            "nowhere",
            "Line 1",
        ),
        ("new-group", "check-group", "priority", "many", "Must be"),
        (
            "new-staging",
            "check-staging",
            "daily_budget_cents",
            "0.001",
            "Must be from $",
        ),
        (
            "new-api-key",
            "check-api-key",
            "expires_at",
            "soon",
            "Must be a time",
        ),
        (
            "settings",
            "check-settings",
            "budget_per_hour_cents",
            "free",
            "Must be from $0.01",
        ),
    ] {
        let shown = console.page(&format!("/admin/{page}")).await;
        assert!(
            shown.contains(&format!("data-check=\"/admin/{check}\"")),
            "{page}"
        );
        let (_, mut fields) = form(&shown);
        set(&mut fields, name, typed);
        let checked = console.send(&format!("/admin/{check}"), &fields).await;
        assert_eq!(checked.status, 200, "{page}: {}", checked.text);
        let errors = checked.json()["errors"].clone();
        let errors = errors.as_array().expect("a list");
        let found = errors.iter().find(|error| error["field"] == name);
        let found = found.unwrap_or_else(|| panic!("{page}: {errors:?}"));
        let text = found["text"].as_str().expect("a sentence");
        assert!(text.starts_with(words), "{page}: {text}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn lengths_and_money_are_typed_in_human_units() {
    let stack = TestStack::start().await;
    let console = console(&stack).await;
    let page = console.page("/admin/settings").await;
    let (action, mut fields) = form(&page);
    set(&mut fields, "budget_per_hour_cents", "12.50");
    assert_eq!(console.send(&action, &fields).await.status, 303);
    let settings = stack.admin(Method::GET, "settings", None).await.json();
    assert_eq!(settings["budget_per_hour_cents"], 1250);
    let (_, fields) = form(&console.page("/admin/settings").await);
    assert_eq!(value(&fields, "budget_per_hour_cents"), "12.50");

    let image = stack.image().await;
    let path = format!("/admin/images/{image}");
    let (action, mut fields) = form(&console.page(&path).await);
    for (name, typed) in [
        ("session_time_limit_seconds", "1.5"),
        ("session_time_limit_seconds.unit", "3600"),
        ("cpu", "512/3072"),
    ] {
        set(&mut fields, name, typed);
    }
    let saved = console.send(&action, &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let stored = stack
        .admin(Method::GET, &format!("images/{image}"), None)
        .await
        .json();
    assert_eq!(
        (
            &stored["session_time_limit_seconds"],
            &stored["cpu"],
            &stored["memory"]
        ),
        (&json!(5400), &json!(512), &json!(3072))
    );
    let page = console.page(&path).await;
    let (_, fields) = form(&page);
    assert_eq!(
        (
            value(&fields, "session_time_limit_seconds"),
            value(&fields, "session_time_limit_seconds.unit")
        ),
        ("90", "60")
    );
    assert!(
        page.contains("selected>0.5 vCPU, 3 GB: $0.039 an hour</option>"),
        "the size with its price"
    );
    let invalid = json!({"cpu": 256, "memory": 8192});
    let refused = stack
        .admin(Method::PATCH, &format!("images/{image}"), Some(&invalid))
        .await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn presets_and_templates_keep_what_was_typed() {
    let stack = TestStack::start().await;
    let console = console(&stack).await;
    let (_, mut fields) = form(&console.page("/admin/new-image").await);
    set(&mut fields, "name", "Desk");
    set(&mut fields, "preset", "kasmweb");
    let filled = console.send("/admin/new-image", &fields).await;
    assert_eq!(filled.status, 200, "{}", filled.text);
    let (_, mut fields) = form(&filled.text);
    assert_eq!(
        (
            value(&fields, "name"),
            value(&fields, "port"),
            value(&fields, "cpu")
        ),
        ("Desk", "6901", "2048/4096")
    );
    set(&mut fields, "port", "7000");
    set(&mut fields, "preset_before", "kasmweb");
    set(&mut fields, "preset", "web_app");
    let filled = console.send("/admin/new-image", &fields).await;
    let (_, fields) = form(&filled.text);
    assert_eq!(
        (
            value(&fields, "name"),
            value(&fields, "port"),
            value(&fields, "cpu"),
            value(&fields, "command")
        ),
        ("Desk", "7000", "256/512", "")
    );

    let image = stack.image().await;
    for (template, name, field, expected) in [
        ("website", "Website demo", "max_live_sessions", json!(10)),
        ("classroom", "Classroom", "waiting_room", json!(true)),
        ("support", "Support desk", "allow_resume", json!(true)),
        ("guest", "One guest", "sessions_remaining", json!(1)),
    ] {
        let (_, mut fields) = form(&console.page("/admin/new-cast").await);
        set(&mut fields, "image_id", &image);
        set(&mut fields, "description", "Mine");
        set(&mut fields, "preset", template);
        let filled = console.send("/admin/new-cast", &fields).await;
        assert_eq!(filled.status, 200, "{}", filled.text);
        let (action, fields) = form(&filled.text);
        assert_eq!(value(&fields, "description"), "Mine");
        let made = console.send(&action, &fields).await;
        if template == "support" && made.status == 422 {
            assert!(made.text.contains("can be only watched"), "{}", made.text);
            continue;
        }
        assert_eq!(made.status, 303, "{template}: {}", made.text);
        let id = made.header("location").rsplit('/').next().expect("an id");
        let cast = stack
            .admin(Method::GET, &format!("casts/{id}"), None)
            .await
            .json();
        assert_eq!(
            (&cast["name"], &cast[field], &cast["description"]),
            (&json!(name), &expected, &json!("Mine")),
            "{template}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn image_is_tried_by_a_claim_with_its_log_beside_it() {
    let stack = TestStack::start().await;
    let console = console(&stack).await;
    let image = stack.image().await;
    let page = console.page(&format!("/admin/images/{image}")).await;
    let action = format!("/admin/images/{image}/try");
    assert!(page.contains(&action), "the image offers it");
    let token = value(&form(&page).1, "csrf_token").to_owned();
    let sent = console
        .send(&action, &[("csrf_token".to_owned(), token)])
        .await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let trial = sent.header("location").to_owned();
    let waiting = console.page(&trial).await;
    assert!(waiting.contains("No session yet"), "{waiting}");
    let id = trial.split('/').nth(3).expect("an id");
    let cast: Value = stack
        .admin(Method::GET, &format!("casts/{id}"), None)
        .await
        .json();
    assert_eq!(cast["sessions_remaining"], 1);
    let key = cast["key"].as_str().expect("a key");
    let claimed = stack.claim(Caller(1), key).await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);
    assert_eq!(
        stack.claim(Caller(2), key).await.code(),
        "no-sessions-left",
        "nobody else"
    );
    let shown = console.page(&format!("{trial}?fragment=1")).await;
    assert!(
        shown.contains("Claimed and reserved") && !shown.contains("No session yet"),
        "{shown}"
    );
    assert!(console.page(&trial).await.contains("Page of the session"));
    stack.local.stop().await;
}
