//! Owns what administrators do in the console that a clock or another client must be there for:
//! keys that change, and changes that meet.

use std::collections::BTreeSet;

use casting_core::ids::CastKey;
use casting_core::testing::SeededEntropy;
use casting_core::time::Clock;
use casting_tests::filling::add_records;
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::{key, sign_in};
use crate::console_fields::{Console, form};
use crate::test_stack::{Answer, Caller, TestStack};

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().expect("a text").to_owned()
}

/// The CSRF token that the forms of this page carry.
fn csrf_token(page: &str) -> String {
    let value = page
        .split("name=\"csrf_token\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    value.expect("a CSRF token").to_owned()
}

/// Types into a field of a form.
fn set(fields: &mut [(String, String)], name: &str, typed: &str) {
    fields
        .iter_mut()
        .filter(|(known, _)| known == name)
        .for_each(|(_, value)| typed.clone_into(value));
}

#[tokio::test]
async fn old_key_works_until_the_grace_period_ends() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"key": "the-old-key"})).await;
    let home = format!("/admin/casts/{}", text(&cast, "id"));
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let fields = [
        (
            "csrf_token".to_owned(),
            csrf_token(&console.page(&home).await),
        ),
        ("grace_seconds".to_owned(), "3600".to_owned()),
    ];
    let sent = console.send(&format!("{home}/rotate"), &fields).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, home.as_str()),
        "{}",
        sent.text
    );

    let new = text(
        &stack
            .admin(Method::GET, &format!("casts/{}", text(&cast, "id")), None)
            .await
            .json(),
        "key",
    );
    assert_ne!(new, "the-old-key");
    let page = console.page(&home).await;
    assert!(
        page.contains("<code>the-old-key</code> still opens the link, until"),
        "the page says until when: {page}"
    );
    let opens = async |key: &str| stack.claim(Caller(1), key).await.status;
    assert_eq!((opens("the-old-key").await, opens(&new).await), (202, 202));
    stack.clock.advance(3599);
    assert_eq!(opens("the-old-key").await, 202, "to the last second");
    stack.clock.advance(2);
    assert_eq!((opens("the-old-key").await, opens(&new).await), (404, 202));
    assert!(
        !console.page(&home).await.contains("the-old-key"),
        "and the page says nothing of it any more"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn duplicate_key_is_a_conflict_at_its_field() {
    let stack = TestStack::start().await;
    stack.cast(&json!({"key": "taken-key"})).await;
    let cast = stack.cast(&json!({})).await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let new = json!({"name": "Another", "image_id": stack.image().await, "key": "taken-key"});
    let taken = json!({"key": "taken-key"});
    for (name, method, path, document) in [
        ("a new one", Method::POST, "casts".to_owned(), &new),
        ("a copy", Method::POST, format!("{of_cast}/copies"), &taken),
        ("a change", Method::PATCH, of_cast.clone(), &taken),
        (
            "another key",
            Method::POST,
            format!("{of_cast}/key-rotations"),
            &taken,
        ),
    ] {
        let answer = stack.admin(method, &path, Some(document)).await;
        assert_eq!(
            (
                answer.status,
                answer.json()["errors"][0]["pointer"].as_str()
            ),
            (409, Some("/key")),
            "{name}: {}",
            answer.text
        );
    }
    // In the console it stands at the field, and nothing that was typed is lost.
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let (action, mut fields) = form(
        &console
            .page(&format!("/admin/casts/{}/edit", text(&cast, "id")))
            .await,
    );
    set(&mut fields, "key", "taken-key");
    let answer = console.send(&action, &fields).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.text.contains("id=\"f-key-error\"") && answer.text.contains("value=\"taken-key\""),
        "{}",
        answer.text
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn stale_form_names_the_change_and_can_be_resent() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"name": "Desk", "max_live_sessions": 5}))
        .await;
    let of_cast = format!("casts/{}", text(&cast, "id"));
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let edit = format!("/admin/casts/{}/edit", text(&cast, "id"));
    let (action, mut fields) = form(&console.page(&edit).await);
    // Two changes by another administrator, of which the second counts.
    let (_, other) = key(&stack, &["read", "casts"]).await;
    for name in ["Table", "Chair"] {
        stack.clock.advance(1);
        let change = stack
            .request(Method::PATCH, &format!("/api/admin/{of_cast}"))
            .bearer_auth(&other)
            .json(&json!({"name": name}));
        assert_eq!(change.send().await.expect("an answer").status(), 200);
    }
    set(&mut fields, "description", "Mine");
    let answer = console.send(&action, &fields).await;
    assert_eq!(answer.status, 422);
    let told = answer.text.replace("&#34;", "\"");
    assert!(
        told.contains("Test changed this in the meantime")
            && told.contains("from \u{201c}Table\u{201d} to \u{201c}Chair\u{201d}"),
        "{told}"
    );
    let (action, fields) = form(&answer.text);
    let has = |name: &str, value: &str| {
        fields
            .iter()
            .any(|(known, field)| known == name && field == value)
    };
    assert!(
        has("name", "Chair") && has("description", "Mine") && has("max_live_sessions", "5"),
        "{fields:?}"
    );
    assert_eq!(
        console.send(&action, &fields).await.status,
        303,
        "sent again, it is saved"
    );
    let stored = stack.admin(Method::GET, &of_cast, None).await.json();
    assert_eq!(
        (stored["name"].as_str(), stored["description"].as_str()),
        (Some("Chair"), Some("Mine"))
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn claims_during_an_open_form_are_not_undone() {
    let stack = TestStack::start().await;
    let cast = stack
        .cast(&json!({"limit_total_sessions": true, "sessions_remaining": 5}))
        .await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let edit = format!("/admin/casts/{}/edit", text(&cast, "id"));
    let (action, mut fields) = form(&console.page(&edit).await);
    assert_eq!(
        stack.claim(Caller(1), &text(&cast, "key")).await.status,
        202
    );
    set(&mut fields, "name", "Another name");
    assert_eq!(console.send(&action, &fields).await.status, 303);
    assert_eq!(
        stack.remaining(&cast).await,
        4,
        "the one who came is still counted"
    );
    let (action, mut fields) = form(&console.page(&edit).await);
    set(&mut fields, "sessions_remaining", "5");
    assert_eq!(console.send(&action, &fields).await.status, 303);
    assert_eq!(
        stack.remaining(&cast).await,
        5,
        "a number that is typed is set"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn charts_are_in_the_time_zone_of_the_browser_or_the_chosen_one() {
    let stack = TestStack::start().await;
    assert_eq!(stack.claim(Caller(1), "welcome").await.status, 202);
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let page = async |more: &str, path: &str| {
        let console = Console {
            stack: &stack,
            cookie: format!("{cookie}{more}"),
        };
        console.page(path).await
    };
    for (more, axis) in [
        ("", "Hour (UTC)"),
        ("; cast-zone-browser=Asia/Kolkata", "Hour (Asia/Kolkata)"),
        (
            "; cast-zone-browser=Asia/Kolkata; cast-zone=America/New_York",
            "Hour (America/New_York)",
        ),
        ("; cast-zone=../../x", "Hour (UTC)"),
    ] {
        let overview = page(more, "/admin").await;
        assert!(overview.contains(axis), "{more}");
        assert_eq!(
            overview.matches(":30</th>").count() > 20,
            axis.contains("Kolkata"),
            "every hour has a row, also the empty ones: {more}"
        );
    }
    let month = page("", "/admin/claims?hours=720").await;
    assert!(month.contains("Day (UTC)") && month.contains("Launched before"));
    let alone = page(
        "",
        "/admin/claims?hours=days&from=2026-11-20&to=2026-11-23&compare=nothing",
    )
    .await;
    assert!(alone.contains("From (UTC)") && !alone.contains("Launched before"));
    assert!(
        alone.contains("name=\"from\" value=\"2026-11-20\""),
        "{alone}"
    );

    let console = Console {
        stack: &stack,
        cookie: cookie.clone(),
    };
    let token = csrf_token(&console.page("/admin/time-zone").await);
    for (typed, status, set) in [
        ("Europe/Berlin", 303, "cast-zone=Europe/Berlin"),
        ("", 303, "cast-zone=;"),
        ("Berlin or so", 422, ""),
    ] {
        let fields = [
            ("csrf_token".to_owned(), token.clone()),
            ("zone".to_owned(), typed.to_owned()),
        ];
        let sent = console.send("/admin/time-zone", &fields).await;
        let cookies = sent.headers.get_all("set-cookie").iter();
        let cookies: Vec<&str> = cookies.filter_map(|cookie| cookie.to_str().ok()).collect();
        assert_eq!(sent.status, status, "{typed}: {}", sent.text);
        assert!(
            set.is_empty() || cookies.iter().any(|cookie| cookie.starts_with(set)),
            "{typed}: {cookies:?}"
        );
    }
    stack.local.stop().await;
}

/// Where the link of this name leads, if the page has one.
fn href(page: &str, words: &str) -> Option<String> {
    let before = page.split(&format!(">{words}</a>")).next()?;
    let (_, href) = before.rsplit_once("href=\"")?;
    page.contains(&format!(">{words}</a>"))
        .then(|| href.trim_end_matches('"').replace("&#38;", "&"))
}

#[tokio::test]
async fn lists_of_more_than_a_thousand_are_read_to_their_end() {
    const COUNT: usize = 1130;
    let stack = TestStack::start().await;
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let console = Console {
        stack: &stack,
        cookie,
    };
    let (store, now) = (&stack.local.control_plane.store, stack.clock.now());
    let key = CastKey::parse("welcome").expect("a key");
    let demo = store.cast_by_key(&key).await.expect("read").expect("there");
    let filled = add_records(&**store, &SeededEntropy::new(1), &demo, now, COUNT).await;
    filled.expect("are there");
    let invitations = format!("/admin/casts/{}/invitations", demo.id);
    for (list, name) in [("/admin/users", "Student "), (&invitations, "Guest ")] {
        for sort in ["", "?sort=-name"] {
            let mut found = BTreeSet::new();
            let mut next = Some(format!("{list}{sort}"));
            while let Some(path) = next.take() {
                let page = console.page(&path).await;
                let names = page.split(name).skip(1).filter_map(|rest| {
                    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
                    digits?.parse::<usize>().ok()
                });
                found.extend(names);
                next = href(&page, "Next page");
                if next.is_none() {
                    next = href(&page, "Go on with those that follow");
                }
            }
            assert!(found.into_iter().eq(0..COUNT), "{list}{sort}");
        }
        let searched = console.page(&format!("{list}?search=nobody")).await;
        let next = href(&searched, "Go on with those that follow").expect("the rest");
        assert!(next.contains("search=nobody"), "{next}");
        let rest = console.page(&next).await;
        assert_eq!(href(&rest, "Go on with those that follow"), None);
        assert_eq!(href(&rest, "Show all").as_deref(), Some(list));
    }
    for path in [
        "/admin/users?after=%25",
        "/admin/sessions?after=x",
        "/admin/casts?cursor=x",
    ] {
        let request = stack.request(Method::GET, path);
        let answer = Answer::of(request.header("cookie", &console.cookie)).await;
        assert_eq!(answer.status, 400, "{path}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn bulk_change_is_whole_or_says_what_is_missing() {
    let stack = TestStack::start().await;
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let console = Console {
        stack: &stack,
        cookie,
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(text(&stack.cast(&json!({})).await, "id"));
    }
    let enabled = async |id: &str| {
        let cast = stack.admin(Method::GET, &format!("casts/{id}"), None).await;
        cast.json()["enabled"] == true
    };
    let token = csrf_token(&console.page("/admin/casts").await);
    let send = async |act: &str, ids: &[String]| {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut fields = vec![field("csrf_token", &token), field("act", act)];
        fields.extend(ids.iter().map(|id| field("id", id)));
        stack.clock.advance(1);
        console.send("/admin/bulk-casts", &fields).await
    };
    let many: Vec<String> = (0..1000).map(|n| format!("c{n:026}")).collect();
    for (name, selected) in [("none", Vec::new()), ("a thousand", many)] {
        let answer = send("disable", &selected).await;
        assert_eq!(answer.status, 400, "{name}");
    }
    let thrice: Vec<String> = ids.iter().cycle().take(1200).cloned().collect();
    assert_eq!(send("disable", &thrice).await.status, 303);
    for id in &ids {
        assert!(!enabled(id).await, "once each");
    }
    let first = format!("casts/{}", ids[0]);
    let deleted = stack.admin(Method::DELETE, &first, None).await;
    assert_eq!(deleted.status, 204);
    let answer = send("enable", &ids).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let told = answer.header("set-cookie").to_owned();
    assert!(told.contains("some-gone."), "with Undo: {told}");
    assert!(enabled(&ids[1]).await && enabled(&ids[2]).await);
    let asked = send("delete", &ids).await;
    assert!(asked.text.contains("Delete 2 casts?"), "{}", asked.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn pages_show_last_uses_real_dates_and_public_names() {
    let stack = TestStack::start().await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let cast = stack.cast(&json!({"name": "Secret plan"})).await;
    let (id, reader) = key(&stack, &["read"]).await;
    stack
        .admin(Method::POST, "groups", Some(&json!({"name": "Guests"})))
        .await;

    let page = console
        .page(&format!("/admin/casts/{}", text(&cast, "id")))
        .await;
    let (_, snippet) = page.split_once("iframe src=").expect("a snippet");
    let (snippet, _) = snippet.split_once("/iframe").expect("its end");
    assert!(
        snippet.contains("Session") && !snippet.contains("Secret"),
        "the name is for administrators: {snippet}"
    );

    let last_use = async || {
        let path = format!("api-keys/{id}");
        let read = stack.admin(Method::GET, &path, None).await;
        read.json()["last_used_at"].clone()
    };
    assert_eq!(last_use().await, Value::Null);
    let used = stack
        .request(Method::GET, "/api/admin/casts")
        .bearer_auth(&reader);
    assert_eq!(Answer::of(used).await.status, 200);
    let now = stack.clock.now().to_string();
    assert_eq!(last_use().await, json!(now));
    let keys = console.page("/admin/api-keys").await;
    assert!(
        keys.contains(&format!("datetime=\"{now}\"")),
        "{now}: {keys}"
    );

    for list in [
        "casts", "claims", "sessions", "images", "networks", "groups", "staging", "users",
        "api-keys", "audit", "settings",
    ] {
        let page = console.page(&format!("/admin/{list}")).await;
        for wrong in ["1970", "href=\"\"", "\"></a>"] {
            assert!(!page.contains(wrong), "{list} has {wrong}: {page}");
        }
    }
    stack.local.stop().await;
}
