//! Owns that foreign words stay words: whatever an administrator, a visitor or a login provider
//! writes, no page runs it and no header splits on it.

use casting_core::testing::{NOON, user};
use casting_core::ticket::LoginTicket;
use casting_core::user::User;
use reqwest::Method;
use serde_json::json;

use crate::test_stack::{Answer, TestStack};

/// Would be markup, an attribute's end, a script's end, and a header.
const NASTY: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
/// The same as a query carries it, with a line break.
const IN_QUERY: &str = "%22%27%3E%3Cscript%3Ealert(1)%3C/script%3E%0d%0aset-cookie:%20evil=1";

fn is_clean(name: &str, answer: &Answer) {
    assert!(
        answer.text.is_empty()
            || answer.header("x-content-type-options") == "nosniff"
            || !answer.text.contains('<'),
        "{name}"
    );
    // A document is read by programs, and by no browser as a page.
    let is_document = answer.header("content-type").contains("json");
    for raw in ["<script>alert", "<img src=x", "onerror=alert(1)>"] {
        assert!(
            is_document || !answer.text.contains(raw),
            "{name}: {}",
            answer.text
        );
    }
    let cookies = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    assert!(
        cookies
            .into_iter()
            .all(|cookie| cookie.starts_with("cast-")),
        "{name}"
    );
    assert_ne!(answer.status, 500, "{name}");
}

#[tokio::test]
async fn foreign_text_is_escaped_on_every_page() {
    let stack = TestStack::start().await;
    let image = stack.image().await;
    let renamed = stack
        .admin(
            Method::PATCH,
            &format!("images/{image}"),
            Some(&json!({"name": NASTY, "description": NASTY})),
        )
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    let cast = json!({
        "name": NASTY, "description": NASTY, "image_id": image, "allow_anonymous": true, "allow_dynamic_kasm_url": true,
        "allow_dynamic_docker_network": true, "banned_addresses": [format!("203.0.113.1 {}", &NASTY[..50])],
    });
    let cast = stack.admin(Method::POST, "casts", Some(&cast)).await;
    assert_eq!(cast.status, 201, "{}", cast.text);
    let key = cast.json()["key"].as_str().expect("a key").to_owned();
    let nasty_user = User {
        name: NASTY.into(),
        groups: vec![NASTY.into()],
        ..user(1)
    };
    let login = LoginTicket {
        user: nasty_user,
        expires: NOON.plus_seconds(600),
    }
    .sign(&stack.local.control_plane.keys);
    let login = format!("cast-login={login}");

    let landing = Answer::of(
        stack
            .request(Method::GET, &format!("/cast/{key}"))
            .header("cookie", &login),
    )
    .await;
    assert!(
        landing.text.contains("&#60;script&#62;"),
        "the name is shown, as words"
    );
    is_clean("landing", &landing);
    let ticket = landing
        .text
        .split("name=\"ticket\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a ticket");
    let claimed = Answer::of(
        stack
            .request(Method::POST, &format!("/cast/{key}/claims"))
            .header("cookie", &login)
            .form(&[("ticket", ticket)]),
    )
    .await;
    let cookie = claimed
        .header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned();
    let waiting = Answer::of(
        stack
            .request(Method::GET, claimed.header("location"))
            .header("cookie", &cookie),
    )
    .await;
    assert_eq!(waiting.status, 200);
    is_clean("waiting", &waiting);
    let ended = Answer::of(
        stack
            .request(Method::POST, &format!("{}/end", claimed.header("location")))
            .header("cookie", &cookie),
    )
    .await;
    is_clean(
        "ended",
        &Answer::of(
            stack
                .request(Method::GET, ended.header("location"))
                .header("cookie", &cookie),
        )
        .await,
    );
    is_clean(
        "who am I",
        &Answer::of(
            stack
                .request(Method::GET, "/login/me")
                .header("cookie", &login),
        )
        .await,
    );
    let banned = stack
        .request(Method::GET, &format!("/cast/{key}"))
        .header("x-forwarded-for", "203.0.113.1");
    is_clean("banned", &Answer::of(banned).await);

    for path in [
        format!("/cast/{key}?kasm_url={IN_QUERY}"),
        format!("/cast/{key}?docker_network={IN_QUERY}"),
        format!("/cast/{key}?via={IN_QUERY}"),
        format!("/cast/{IN_QUERY}"),
        format!("/error/{IN_QUERY}"),
        format!("/error/busy?ref={IN_QUERY}&retry_after={IN_QUERY}"),
        format!("/session/{IN_QUERY}"),
        format!("/login?to={IN_QUERY}"),
        format!("/login/callback?error={IN_QUERY}&error_description={IN_QUERY}&state={IN_QUERY}"),
        format!("/login/callback?code={IN_QUERY}&state={IN_QUERY}"),
        format!("/provider/authorize?client_id={IN_QUERY}"),
        format!("/{IN_QUERY}"),
    ] {
        for accept in ["text/html", "application/json"] {
            let answer =
                Answer::of(stack.request(Method::GET, &path).header("accept", accept)).await;
            is_clean(&path, &answer);
            let location = answer.header("location");
            assert!(
                !location.contains("evil") && !location.contains('<'),
                "{path}: {location}"
            );
        }
    }
    stack.local.stop().await;
}
