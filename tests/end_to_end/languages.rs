//! Owns which language a visitor reads: by the address, the link and the browser, on the link's page,
//! in refusals, in the session's pages and on the badge.

use casting_core::language::Language;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Answer, Caller, TestStack};

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

/// A page for a browser with these headers.
async fn page(stack: &TestStack, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = stack
        .request(Method::GET, path)
        .header("accept", "text/html");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

#[tokio::test]
async fn language_follows_address_link_and_browser() {
    let stack = TestStack::start().await;
    let plain = stack.cast(&json!({})).await;
    let french = stack.cast(&json!({"language": "fr"})).await;
    assert_eq!(plain["language"], "auto");
    let german: &[(&str, &str)] = &[("accept-language", "de-AT,en;q=0.8")];
    let kept: &[(&str, &str)] = &[("accept-language", "de"), ("cookie", "cast-language=ja")];
    for (name, cast, query, headers, language) in [
        ("nothing", &plain, "", &[][..], "en"),
        ("browser", &plain, "", german, "de"),
        ("link before browser", &french, "", german, "fr"),
        ("kept before link", &french, "", kept, "ja"),
        ("address before all", &french, "?lang=ar", kept, "ar"),
        ("unknown in the address", &french, "?lang=xx", german, "fr"),
        (
            "unknown to the browser",
            &plain,
            "",
            &[("accept-language", "tlh")],
            "en",
        ),
        ("simplified", &plain, "?lang=zh-TW", &[], "zh-Hans"),
    ] {
        let path = format!("/cast/{}{query}", key(cast));
        let shown = page(&stack, &path, headers).await;
        assert_eq!(shown.status, 200, "{name}");
        assert_eq!(shown.header("content-language"), language, "{name}");
        assert_eq!(shown.header("vary"), "accept-language, cookie", "{name}");
        let html = format!("<html lang=\"{language}\"");
        assert!(shown.text.contains(&html), "{name}: {}", shown.text);
        let rtl = shown.text.contains(" dir=\"rtl\">");
        assert_eq!(rtl, language == "ar", "{name}");
        let mut cookies = shown.headers.get_all("set-cookie").iter();
        let is_kept = cookies.any(|cookie| cookie.as_bytes().starts_with(b"cast-language="));
        let asks = query.contains("lang=") && !query.contains("xx");
        assert_eq!(is_kept, asks, "{name}");
    }
    let wrong = json!({"name": "x", "image_id": stack.image().await, "language": "tlh"});
    let refused = stack.admin(Method::POST, "casts", Some(&wrong)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/language");
    stack.local.stop().await;
}

#[tokio::test]
async fn refusals_and_badges_speak_the_links_language() {
    let stack = TestStack::start().await;
    let fields = json!({
        "language": "de", "limit_total_sessions": true, "sessions_remaining": 0,
        "contact": "desk@example.com",
    });
    let cast = stack.cast(&fields).await;
    let path = format!("/cast/{}", key(&cast));
    let shown = page(&stack, &path, &[("accept-language", "fr")]).await;
    assert_eq!(shown.status, 410);
    for text in [
        "<html lang=\"de\"",
        "Alle Sitzungen sind vergeben",
        "Referenz",
    ] {
        assert!(shown.text.contains(text), "{text}: {}", shown.text);
    }
    let asked = page(&stack, &format!("{path}?lang=es"), &[]).await;
    assert!(asked.text.contains("Todas las sesiones"), "{}", asked.text);
    let program = stack.describe(Caller(1), key(&cast), "?lang=de").await;
    assert_eq!(program.code(), "no-sessions-left");
    assert_eq!(program.json()["title"], "All sessions are taken", "English");
    for (query, word) in [("", "vergeben"), ("?lang=it", "esaurito")] {
        let badge = stack.get(&format!("{path}/badge.svg{query}")).await;
        assert!(badge.text.contains(word), "{}", badge.text);
        assert_eq!(badge.header("vary"), "accept-language, cookie");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn session_keeps_the_language_of_its_claim() {
    let stack = TestStack::start().await;
    for (name, fields, claims, opens, language) in [
        ("browser", json!({}), "pt-BR", "pt-BR", "pt"),
        ("link", json!({"language": "it"}), "pt", "pt", "it"),
        ("claimed elsewhere", json!({}), "ja", "en", "ja"),
        ("no wish", json!({}), "tlh", "tlh", "en"),
    ] {
        let cast = stack.cast(&fields).await;
        let described = stack.describe(Caller(1), key(&cast), "").await.json();
        let claim = stack
            .request(Method::POST, &format!("/cast/{}/claims", key(&cast)))
            .header("accept-language", claims)
            .json(&json!({"ticket": described["ticket"]}));
        let claimed = Answer::of(claim).await.json();
        let (id, token) = (&claimed["session_id"], &claimed["session_token"]);
        let id = id.as_str().expect("an id");
        let bearer = format!("Bearer {}", token.as_str().expect("a token"));
        let headers = [("accept-language", opens), ("authorization", &*bearer)];
        let shown = page(&stack, &format!("/session/{id}"), &headers).await;
        assert_eq!(shown.header("content-language"), language, "{name}");
        let ended = stack
            .request(Method::POST, &format!("/session/{id}/end"))
            .header("authorization", &bearer);
        Answer::of(ended).await;
        let shown = page(&stack, &format!("/session/{id}"), &headers).await;
        assert_eq!(
            (shown.status, shown.header("content-language")),
            (410, language),
            "{name}"
        );
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn every_error_page_is_small_in_every_language() {
    let stack = TestStack::start().await;
    for language in Language::ALL {
        for code in casting_core::denial::DenialCode::ALL {
            let path = format!(
                "/error/{code}?ref=k3f7-2mqa&retry_after=3725&lang={}",
                language.as_str()
            );
            let shown = page(&stack, &path, &[]).await;
            assert!(shown.text.len() < 10_000, "{path}: {}", shown.text.len());
            assert_eq!(shown.header("content-language"), language.tag(), "{path}");
        }
    }
    stack.local.stop().await;
}
