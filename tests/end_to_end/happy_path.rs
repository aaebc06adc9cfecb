//! Owns the happy path: from a click to a running session of real processes, through edge and gate
//! to the app and its WebSocket, and to its end.

use casting_tests::inside::{Inside, Place};
use casting_tests::processes::{soon, with_environment};
use futures_util::StreamExt;
use reqwest::Method;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::test_stack::{Answer, KEPT_COOKIE, TestStack};

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
            .header(KEPT_COOKIE.0, KEPT_COOKIE.1)
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
    assert_eq!(stranger.status, 403, "only its owner sees it");
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

    // The session's own hosts; a browser finds every name under localhost on this machine.
    let (http, at) = (&stack.http, stack.local.url.as_str());
    let entered = Inside::enter(http, at, &entry).await;
    let (viewer, app) = (&entered.viewer, &entered.app);
    assert_eq!(app.host, format!("app.{}", viewer.host));
    let answer = |place: &Place, path: &str| Answer::of(place.ask(http, at, path));
    let page = answer(app, "/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("https://example.com/") && page.text.contains("Demo app"),
        "the app shows what it was given: {}",
        page.text
    );
    let page = answer(viewer, "/.cast/").await;
    assert!(page.text.contains("data-frame=\"app\""), "{}", page.text);
    let led = answer(viewer, "/").await;
    assert_eq!((led.status, led.header("location")), (303, "/.cast/"));
    let swapped = |host: &Place, cookie: &Place| Place {
        host: host.host.clone(),
        cookie: cookie.cookie.clone(),
    };
    let nobody = Place {
        host: app.host.clone(),
        cookie: String::new(),
    };
    for (name, place, path) in [
        ("nobody else", nobody, "/"),
        ("the viewer's ticket", swapped(app, viewer), "/"),
        ("the app's ticket", swapped(viewer, app), "/.cast/"),
        ("the app's, on the way", swapped(viewer, app), "/.cast/app"),
    ] {
        assert_eq!(answer(&place, path).await.status, 403, "{name}");
    }

    let mut request = format!("ws://{}/ws", stack.local.address)
        .into_client_request()
        .expect("a request");
    request
        .headers_mut()
        .insert("host", app.host.parse().expect("a header"));
    request
        .headers_mut()
        .insert("cookie", app.cookie.parse().expect("a header"));
    request.headers_mut().insert(
        "origin",
        format!("http://{}", app.host).parse().expect("a header"),
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
