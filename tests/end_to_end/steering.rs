//! Owns what administrators do to running sessions: find them, tell their visitors something, stop
//! them with a reason; one and many, over the API and in the console.

use casting_core::Report;
use casting_core::ids::{Reference, SessionId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::authorization::sign_in;
use crate::console_fields::Console;
use crate::test_stack::{Answer, Caller, TestStack};

/// A session of a link, with the token of its visitor.
struct Claimed {
    id: SessionId,
    token: String,
}

async fn claim(stack: &TestStack, caller: u8, key: &str) -> Claimed {
    let claimed = stack.claim(Caller(caller), key).await.json();
    let text = |field: &str| claimed[field].as_str().expect("a text").to_owned();
    Claimed {
        id: SessionId::parse(&text("session_id")).expect("an id"),
        token: text("session_token"),
    }
}

async fn report(stack: &TestStack, id: &SessionId, report: &Report) -> Value {
    let keys = stack.local.control_plane.keys.sessions();
    let request = stack.request(Method::POST, &format!("/session/{id}/reports"));
    let request = request.bearer_auth(keys.secret(id).expose());
    Answer::of(request.json(report)).await.json()
}

async fn post(stack: &TestStack, path: &str, document: Value) -> Answer {
    stack.admin(Method::POST, path, Some(&document)).await
}

fn key(cast: &Value) -> &str {
    cast["key"].as_str().expect("a key")
}

#[tokio::test]
async fn gate_gets_notice_and_watermark_of_the_link() {
    let stack = TestStack::start().await;
    let plain = stack.cast(&json!({"key": "without-any"})).await;
    let fields = json!({"key": "marked-link", "watermark": true, "session_notice": "Demo system"});
    let marked = stack.cast(&fields).await;
    let directives = async |caller, cast: &Value| {
        let one = claim(&stack, caller, key(cast)).await;
        let directives = report(&stack, &one.id, &Report::Ready { port: 9 }).await;
        (directives, Reference::of(&one.id))
    };
    let (none, _) = directives(1, &plain).await;
    assert_eq!(
        (&none["watermark"], &none["viewing"]["notice"]),
        (&Value::Null, &Value::Null)
    );
    // An anonymous visitor has no name.
    let (set, reference) = directives(2, &marked).await;
    let session = format!("marked-link \u{b7} {reference}");
    assert_eq!(
        (&set["watermark"], &set["viewing"]["notice"]),
        (&json!({ "session": session }), &json!("Demo system"))
    );
    for (notice, status) in [("x".repeat(120), 200), ("x".repeat(121), 422)] {
        let path = format!("casts/{}", marked["id"].as_str().expect("an id"));
        let change = json!({"session_notice": notice});
        let answer = stack.admin(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn message_reaches_the_gate_and_is_bounded() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let one = claim(&stack, 1, key(&cast)).await;
    report(&stack, &one.id, &Report::Ready { port: 9 }).await;
    let path = format!("sessions/{}/message", one.id);
    for (name, document, status) in [
        ("no text", json!({}), 422),
        ("nothing in it", json!({"text": "  "}), 422),
        ("two lines", json!({"text": "a\nb"}), 422),
        ("too long", json!({"text": "x".repeat(301)}), 422),
        ("another field", json!({"text": "x", "html": true}), 422),
        (
            "as long as may be",
            json!({"text": "\u{fc}".repeat(300)}),
            200,
        ),
        ("text, not markup", json!({"text": "<b>Save</b> now"}), 200),
    ] {
        let answer = post(&stack, &path, document).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    let told = report(&stack, &one.id, &Report::Alive).await;
    assert_eq!(told["message"]["text"], "<b>Save</b> now");
    let seen = stack
        .admin(Method::GET, &format!("sessions/{}", one.id), None)
        .await
        .json();
    assert_eq!(seen["message"], "<b>Save</b> now");
    let steps: Vec<&str> = seen["timeline"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["step"].as_str())
        .collect();
    assert!(
        steps.starts_with(&["claimed"]) && steps.contains(&"ready") && steps.contains(&"message"),
        "{steps:?}"
    );
    assert!(seen["cost_so_far_cents"].is_number(), "{seen}");
    let audit = stack.admin(Method::GET, "audit", None).await.json();
    let mut entries = audit["items"].as_array().into_iter().flatten();
    let said = |entry: &&Value| entry["changes"][0]["after"] == "<b>Save</b> now";
    assert_eq!(entries.find(said).expect("an entry")["action"], "messaged");

    post(&stack, &format!("sessions/{}/stop", one.id), json!({})).await;
    let late = post(&stack, &path, json!({"text": "late"})).await;
    assert_eq!(late.status, 409, "nobody is there: {}", late.text);
    stack.local.stop().await;
}

#[tokio::test]
async fn visitor_reads_the_reason_of_a_stop() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    for (caller, document, expected) in [
        (1, json!({}), None),
        (2, json!({"reason": null}), None),
        (
            3,
            json!({"reason": "The <room> closes at six."}),
            Some("The &#60;room&#62; closes at six."),
        ),
    ] {
        let one = claim(&stack, caller, key(&cast)).await;
        report(&stack, &one.id, &Report::Ready { port: 9 }).await;
        let path = format!("sessions/{}/stop", one.id);
        let stopped = post(&stack, &path, document.clone()).await;
        assert_eq!(stopped.status, 200, "{}", stopped.text);
        let stopped = stopped.json();
        assert_eq!(stopped["reason"], "ended-by-administrator");
        assert_eq!(stopped["detail"], document["reason"], "{document}");
        let page = stack
            .request(Method::GET, &format!("/session/{}", one.id))
            .header("accept", "text/html")
            .bearer_auth(&one.token);
        let page = Answer::of(page).await;
        assert_eq!(page.status, 410);
        assert!(
            page.text.contains("An administrator ended it."),
            "{}",
            page.text
        );
        assert_eq!(page.text.contains("<q>"), expected.is_some());
        assert!(
            page.text.contains(expected.unwrap_or_default()),
            "{}",
            page.text
        );
    }
    let one = claim(&stack, 4, key(&cast)).await;
    let path = format!("sessions/{}/stop", one.id);
    let long = json!({"reason": "x".repeat(301)});
    assert_eq!(post(&stack, &path, long).await.status, 422);
    stack.local.stop().await;
}

#[tokio::test]
async fn several_sessions_get_a_message_and_are_stopped() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let mut ids = Vec::new();
    for caller in 1..=3 {
        ids.push(claim(&stack, caller, key(&cast)).await.id);
    }
    post(&stack, &format!("sessions/{}/stop", ids[2]), json!({})).await;
    let gone = SessionId::from_bytes([9; 16]);
    let all = json!([ids[0], ids[1], ids[2], gone, ids[0]]);
    let told = post(
        &stack,
        "session-messages",
        json!({"ids": all, "text": "Soon over"}),
    )
    .await;
    assert_eq!(told.status, 200, "{}", told.text);
    let problem = |answer: &Value, id: &SessionId| {
        let items = answer["items"].as_array().expect("items").clone();
        let found: Vec<_> = items
            .iter()
            .filter(|item| item["id"] == id.as_str())
            .collect();
        assert_eq!(found.len(), 1, "each once: {answer}");
        found[0]["problem"].clone()
    };
    let told = told.json();
    assert_eq!(problem(&told, &ids[0]), Value::Null);
    assert_eq!(problem(&told, &ids[1]), Value::Null);
    assert!(problem(&told, &ids[2]).is_string() && problem(&told, &gone).is_string());

    let stopped = post(
        &stack,
        "session-stops",
        json!({"ids": all, "reason": "Over"}),
    );
    let stopped = stopped.await.json();
    assert_eq!(problem(&stopped, &ids[0]), Value::Null);
    for id in &ids[..2] {
        let seen = stack
            .admin(Method::GET, &format!("sessions/{id}"), None)
            .await;
        let seen = seen.json();
        assert_eq!(
            (&seen["detail"], &seen["message"]),
            (&json!("Over"), &json!("Soon over"))
        );
    }
    for document in [
        json!({"ids": []}),
        json!({"ids": ["x"]}),
        json!({"ids": vec![gone.to_string(); 101]}),
        json!({}),
    ] {
        let answer = post(&stack, "session-stops", document.clone()).await;
        assert_eq!(answer.status, 422, "{document}");
    }
    stack.local.stop().await;
}

#[tokio::test]
async fn sessions_are_found_by_filter_and_word() {
    let stack = TestStack::start().await;
    let first = stack.cast(&json!({"name": "Alpha course"})).await;
    let second = stack.cast(&json!({"name": "Beta course"})).await;
    let one = claim(&stack, 1, key(&first)).await.id;
    let two = claim(&stack, 2, key(&second)).await.id;
    report(&stack, &one, &Report::Ready { port: 9 }).await;
    post(&stack, &format!("sessions/{two}/stop"), json!({})).await;
    let reference = casting_core::ids::Reference::of(&one).to_string();
    let image = stack.image().await;
    let found = async |query: &str| {
        let answer = stack
            .admin(Method::GET, &format!("sessions?{query}"), None)
            .await;
        let items = answer.json()["items"].as_array().cloned().expect("items");
        let mut ids: Vec<String> = items
            .iter()
            .map(|item| item["id"].as_str().expect("an id").to_owned())
            .collect();
        ids.sort();
        ids
    };
    let ids = |some: &[&SessionId]| {
        let mut ids: Vec<String> = some.iter().map(ToString::to_string).collect();
        ids.sort();
        ids
    };
    for (query, expected) in [
        ("state=live".to_owned(), ids(&[&one])),
        ("state=ready".into(), ids(&[&one])),
        ("state=starting".into(), ids(&[])),
        ("search=course".into(), ids(&[&one, &two])),
        ("search=BETA".into(), ids(&[&two])),
        ("search=alpha%20beta".into(), ids(&[])),
        (format!("search={reference}"), ids(&[&one])),
        (format!("image={image}"), ids(&[&one, &two])),
        (
            format!(
                "cast={}&search=course",
                first["id"].as_str().expect("an id")
            ),
            ids(&[&one]),
        ),
    ] {
        assert_eq!(found(&query).await, expected, "{query}");
    }

    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    for (query, shown, hidden) in [
        ("", &one, &two),
        ("?show=ended", &two, &one),
        ("?show=all&search=alpha", &one, &two),
        ("?show=all&sort=-cast&state=ended", &two, &one),
    ] {
        let page = console.page(&format!("/admin/sessions{query}")).await;
        assert!(
            page.contains(&format!("/admin/sessions/{shown}\"")),
            "{query}: {page}"
        );
        assert!(
            !page.contains(&format!("/admin/sessions/{hidden}\"")),
            "{query}"
        );
    }
    // A reference leads to its session in one step.
    let page = console.page(&format!("/admin/find?q={reference}")).await;
    assert!(
        page.contains(&format!("href=\"/admin/sessions/{one}\"")),
        "{page}"
    );
    let json = console.page("/admin/find?format=json&q=alpha").await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let kinds: Vec<_> = json["items"].as_array().into_iter().flatten().collect();
    assert!(kinds.iter().any(|item| item["kind"] == "Cast"), "{json}");
    assert!(kinds.iter().any(|item| item["kind"] == "Session"), "{json}");
    stack.local.stop().await;
}

#[tokio::test]
async fn live_list_is_sent_only_when_it_has_changed() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({})).await;
    let cookie = sign_in(&stack, &stack.local.admin_key).await;
    let ask = async |path: &str, tag: &str| {
        let request = stack.request(Method::GET, path).header("cookie", &cookie);
        Answer::of(request.header("if-none-match", tag)).await
    };
    let list = "/admin/sessions?fragment=1";
    let first = ask(list, "").await;
    assert_eq!(first.status, 200);
    assert!(
        !first.text.contains("<html"),
        "a part of the page: {}",
        first.text
    );
    let tag = first.header("etag").to_owned();
    assert_eq!(ask(list, &tag).await.status, 304);
    let one = claim(&stack, 1, key(&cast)).await.id;
    let second = ask(list, &tag).await;
    assert_eq!(second.status, 200);
    assert!(second.text.contains(one.as_str()));

    let page = format!("/admin/sessions/{one}?fragment=1");
    let tag = ask(&page, "").await.header("etag").to_owned();
    assert_eq!(ask(&page, &tag).await.status, 304);
    report(&stack, &one, &Report::Ready { port: 9 }).await;
    assert!(ask(&page, &tag).await.text.contains("Ready"));
    stack.local.stop().await;
}

#[tokio::test]
async fn abuse_report_is_found_by_the_address_of_a_task() {
    let stack = TestStack::start().await;
    let cast = stack.cast(&json!({"name": "Course"})).await;
    let one = claim(&stack, 1, key(&cast)).await.id;
    report(&stack, &one, &Report::Ready { port: 9 }).await;
    let console = Console {
        stack: &stack,
        cookie: sign_in(&stack, &stack.local.admin_key).await,
    };
    let page = console.page(&format!("/admin/sessions/{one}")).await;
    let report_path = format!("/admin/sessions/{one}/abuse");
    assert!(page.contains(&report_path), "{page}");
    let stop = format!("/admin/sessions/{one}/stop");
    assert!(console.page(&report_path).await.contains(&stop));
    stack
        .admin(Method::POST, &format!("sessions/{one}/stop"), None)
        .await;
    stack.local.control_plane.sweep().await.expect("sweeps");
    assert!(!console.page(&report_path).await.contains(&stop));

    let shown = stack
        .admin(Method::GET, &format!("sessions/{one}"), None)
        .await
        .json();
    let address = shown["task_address"].as_str().expect("an address");
    for list in ["/admin/sessions?show=all&search=", "/admin/claims?search="] {
        let found = console.page(&format!("{list}{address}")).await;
        assert!(found.contains(one.as_str()), "{list}: {found}");
    }
    let request = stack.request(Method::GET, &format!("{report_path}?format=text"));
    let file = Answer::of(request.header("cookie", &console.cookie)).await;
    let reference = shown["reference"].as_str().expect("a reference");
    assert_eq!(
        file.header("content-disposition"),
        format!("attachment; filename=\"abuse-{reference}.txt\"")
    );
    for line in [
        format!("Reference: {reference}\n"),
        format!("Address of the task: {address}\n"),
        "Link: Course (".to_owned(),
        "Why it ended: ended by administrator\n".to_owned(),
    ] {
        assert!(file.text.contains(&line), "{line}{}", file.text);
    }
    stack.local.stop().await;
}
