//! Owns the happy path: from a click to a running session of real processes, through edge and gate to the app and its WebSocket, and to its end.

use casting_tests::processes::{soon, with_environment};
use futures_util::StreamExt;
use reqwest::Method;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::test_stack::{Answer, TestStack};

#[tokio::test]
async fn visitor_claims_enters_and_ends_a_session() {
    let stack = TestStack::with_processes().await;
    let page = stack.get("/cast/welcome").await;
    let ticket = page
        .text
        .split("name=\"ticket\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a ticket");
    let claimed = Answer::of(
        stack
            .request(Method::POST, "/cast/welcome/claims")
            .form(&[("ticket", ticket)]),
    )
    .await;
    assert_eq!(claimed.status, 303, "{}", claimed.text);
    let path = claimed.header("location").to_owned();
    let id = path
        .strip_prefix("/session/")
        .expect("a session")
        .to_owned();
    let cookie = claimed
        .header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned();
    assert!(
        claimed.header("set-cookie").contains("HttpOnly")
            && claimed
                .header("set-cookie")
                .contains(&format!("Path={path}"))
    );
    let owner = async |method: Method, path: &str| {
        Answer::of(stack.request(method, path).header("cookie", &cookie)).await
    };

    let stranger = stack.get(&path).await;
    assert!(
        stranger
            .header("location")
            .starts_with("/error/not-your-session"),
        "only its owner sees it"
    );
    let ready = soon(async || {
        owner(Method::GET, &format!("{path}/status")).await.json()["state"] == "ready"
    })
    .await;
    assert!(
        ready,
        "{}",
        owner(Method::GET, &format!("{path}/status")).await.text
    );
    assert_eq!(
        owner(Method::GET, &path).await.header("location"),
        format!("{path}/enter")
    );
    let entered = owner(Method::GET, &format!("{path}/enter")).await;
    let entry = entered.header("location").to_owned();
    assert!(
        entry.starts_with(&format!("http://{id}.localhost:"))
            && entry.contains("/.cast/enter?ticket="),
        "{entry}"
    );

    // The session's own host; a browser finds every name under localhost on this machine.
    let (host, rest) = entry
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URL");
    let inside = async |path: &str, cookie: &str| {
        Answer::of(
            stack
                .http
                .get(format!("{}{path}", stack.local.url))
                .header("host", host)
                .header("cookie", cookie),
        )
        .await
    };
    let opened = inside(&format!("/{rest}"), "").await;
    assert_eq!((opened.status, opened.header("location")), (303, "/.cast/"));
    let ticket = opened
        .header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned();
    let app = inside("/", &ticket).await;
    assert_eq!(app.status, 200);
    assert!(
        app.text.contains("https://example.com/") && app.text.contains("Demo app"),
        "the app shows what it was given: {}",
        app.text
    );
    let refused = inside("/", "").await;
    assert!(
        refused.status == 401 || refused.status == 403,
        "nobody else gets in: {}",
        refused.status
    );

    let mut request = format!("ws://{}/ws", stack.local.address)
        .into_client_request()
        .expect("a request");
    request
        .headers_mut()
        .insert("host", host.parse().expect("a header"));
    request
        .headers_mut()
        .insert("cookie", ticket.parse().expect("a header"));
    request.headers_mut().insert(
        "origin",
        format!("http://{host}").parse().expect("a header"),
    );
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a WebSocket through edge and gate");
    let first = socket.next().await.expect("a message").expect("a message");
    assert!(!first.is_empty());

    assert!(
        !with_environment(&id).is_empty(),
        "the session is a real process"
    );
    let ended = owner(Method::POST, &format!("{path}/end")).await;
    assert_eq!(ended.status, 303);
    assert!(
        soon(async || with_environment(&id).is_empty()).await,
        "no process stays: {:?}",
        with_environment(&id)
    );
    let over = soon(async || {
        owner(Method::GET, &format!("{path}/status")).await.json()["state"] == "ended"
    })
    .await;
    assert!(over);
    let last = owner(Method::GET, &path).await;
    assert_eq!(last.status, 410);
    assert!(last.text.contains("You ended it."), "{}", last.text);
    Box::pin(stack.local.stop()).await;
}
