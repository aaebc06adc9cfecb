//! The page around the app, and what its buttons do, as visitors in each part find them.

use casting_gate::session_state::Clipboard;
use casting_protocol::ids::SessionId;
use casting_protocol::report::GateEndReason;
use casting_protocol::session_options::{
    Exec, SessionDirectives, SessionOptions, ViewOnly, Watermark,
};
use casting_protocol::testing::NOON;
use casting_protocol::ticket::GoTicket;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use crate::stage::{CONTROL, Stage};

const VIEWER: &str = "viewer";

/// What each part is answered.
struct Case {
    method: &'static str,
    path: &'static str,
    owner: u16,
    viewer: u16,
}

const fn case(method: &'static str, path: &'static str, owner: u16, viewer: u16) -> Case {
    Case {
        method,
        path,
        owner,
        viewer,
    }
}

#[tokio::test]
async fn viewers_cannot_use_owner_endpoints() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let watcher = stage.watcher("ada", 1);
    let state = stage.state.clone();
    tokio::spawn(async move {
        state.end_asked().await;
        state.close(GateEndReason::Owner);
    });
    for Case {
        method,
        path,
        owner,
        viewer,
    } in [
        case("GET", "/.cast/", 200, 200),
        case("GET", "/.cast", 200, 200),
        case("GET", "/.cast/viewer.css", 200, 200),
        case("GET", "/.cast/viewer.js", 200, 200),
        case("GET", "/.cast/handle.js", 200, 200),
        case("GET", "/.cast/tools.js", 200, 200),
        case("GET", "/.cast/words.js", 200, 200),
        case("POST", "/.cast/tools.js", 405, 405),
        case("GET", "/.cast/state", 200, 200),
        case("POST", "/.cast/state", 405, 405),
        case("GET", "/.cast/end", 405, 405),
        case("GET", "/.cast/else", 404, 404),
        case("POST", "/.cast/touch", 204, 403),
        case("POST", "/.cast/control", 204, 403),
        // The control plane of this stage does not answer.
        case("POST", "/.cast/share", 503, 403),
        case("POST", "/.cast/open", 403, 403),
        case("POST", "/.cast/extend", 409, 403),
        case("GET", "/seen", 200, 200),
        case("POST", "/echo", 200, 403),
        case("PUT", "/echo", 200, 403),
        case("POST", "/.cast/end", 204, 403),
        // The app may still have something to do, for its owner.
        case("GET", "/seen", 200, 410),
    ] {
        let asked = stage.asks(method, path).send().await.expect("an answer");
        assert_eq!(asked.status().as_u16(), owner, "the owner, {method} {path}");
        let asked = stage
            .request(method, path)
            .header("cookie", stage.cookie(path, &watcher))
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            asked.status().as_u16(),
            viewer,
            "a {VIEWER}, {method} {path}"
        );
        let stranger = stage.request(method, path).send().await.expect("an answer");
        assert_eq!(
            stranger.status().as_u16(),
            403,
            "a stranger, {method} {path}"
        );
    }
}

#[tokio::test]
async fn viewer_page_fits_the_role_and_forbids_framing() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let page = async |cookie: String| {
        let reply = stage
            .request("GET", "/.cast/")
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer");
        let policy = reply.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .to_owned();
        (policy, reply.text().await.expect("text"))
    };
    let (policy, owner) = page(format!("cast-session={}", stage.ticket(1))).await;
    let (_, viewer) = page(format!("cast-session={}", stage.watcher("ada", 1))).await;
    let app = format!("http://{}", stage.host());
    assert!(
        policy.contains(&format!("frame-src 'self' {app} {CONTROL};"))
            && !policy.contains("default-src 'self'"),
        "{policy}"
    );
    for part in [
        format!("data-app=\"{app}\""),
        "data-frame=\"app\"".to_owned(),
        format!("clipboard-read {app}; clipboard-write {app}; "),
    ] {
        assert!(owner.contains(&part) && viewer.contains(&part), "{part}");
    }
    assert!(
        policy.contains("frame-ancestors 'self'")
            && policy.contains(&format!("form-action 'self' {CONTROL};")),
        "{policy}"
    );
    for part in ["id=\"link\"", "action=\"end\"", "Start</button>"] {
        assert!(
            owner.contains(part) && !viewer.contains(part),
            "{part} is the owner's"
        );
    }
    assert!(
        !viewer.contains("/share/x") && viewer.contains("Watch</button>"),
        "{viewer}"
    );
    for (control_panel, tips) in [(true, true), (true, false), (false, true), (false, false)] {
        stage.state.follow(SessionDirectives {
            options: SessionOptions {
                control_panel,
                tips,
                ..SessionOptions::default()
            },
            ..SessionDirectives::default()
        });
        let (_, html) = page(format!("cast-session={}", stage.ticket(1))).await;
        assert_eq!(
            (html.contains("id=\"panel\""), html.contains("id=\"tips\"")),
            (control_panel, tips)
        );
        assert!(html.len() < 10_000, "{} bytes", html.len());
    }
}

#[tokio::test]
async fn notice_and_watermark_stand_over_the_session() {
    let stage = Stage::by_name().await;
    let html = async || {
        let answer = stage.asks("GET", "/.cast/").send().await;
        answer.expect("an answer").text().await.expect("a page")
    };
    let plain = html().await;
    for id in ["id=\"notice\"", "id=\"watermark\"", "data-notice"] {
        assert!(!plain.contains(id), "{id} is not asked for");
    }
    stage.state.follow(SessionDirectives {
        options: SessionOptions {
            watermark: true,
            view_only: Some(ViewOnly::Rfb),
            notice: Some("Real data <b>stay</b> out.".into()),
            ..SessionOptions::default()
        },
        watermark: Some(Watermark {
            owner: Some("Ann <i>".into()),
            session: "welcome \u{b7} qcyz-mwf7".into(),
        }),
        share_link: Some(format!("{CONTROL}/session/x/share/x")),
        share_round: 1,
        ..SessionDirectives::default()
    });
    let owner = html().await;
    for words in [
        "Real data &#60;b&#62;stay&#60;/b&#62; out.",
        "Ann &#60;i&#62; \u{b7} welcome \u{b7} qcyz-mwf7",
    ] {
        assert!(owner.contains(words), "{words}: {owner}");
    }
    // Viewers do not learn whose session it is.
    let answer = stage.request("GET", "/.cast/").header(
        "cookie",
        format!("cast-session={}", stage.watcher("ben", 1)),
    );
    let answer = answer.send().await.expect("an answer");
    let viewer = answer.text().await.expect("a page");
    assert!(
        viewer.contains("welcome \u{b7} qcyz-mwf7") && !viewer.contains("Ann"),
        "{viewer}"
    );
}

#[tokio::test]
async fn kasmvnc_gets_sound_and_input_method_settings() {
    let stage = Stage::by_name().await;
    for (view_only, audio_on, ime_on, sound, ime) in [
        (ViewOnly::Kasmvnc, true, false, Some("true"), false),
        (ViewOnly::Kasmvnc, false, true, Some("false"), true),
        (ViewOnly::Rfb, true, true, None, false),
    ] {
        stage.state.follow(SessionDirectives {
            options: SessionOptions {
                view_only: Some(view_only),
                audio_on,
                ime_on,
                ..SessionOptions::default()
            },
            ..SessionDirectives::default()
        });
        let answer = stage.asks("GET", "/.cast/").send().await;
        let html = answer.expect("an answer").text().await.expect("a page");
        let found = html
            .split_once("data-sound=\"")
            .and_then(|(_, rest)| rest.split('"').next());
        assert_eq!(found, sound, "{view_only:?}");
        assert_eq!(html.contains(" data-ime"), ime, "{view_only:?}");
    }
}

#[tokio::test]
async fn viewer_says_what_the_clipboard_does() {
    for (up, down, words) in [
        (true, true, "Copy and paste work"),
        (true, false, "Nothing can be copied out of it."),
        (false, true, "Nothing can be pasted into it."),
        (false, false, "are switched off"),
    ] {
        let stage = Stage::with_clipboard(1, Clipboard { up, down }).await;
        for (view_only, is_screen) in [
            (ViewOnly::Rfb, true),
            (ViewOnly::Kasmvnc, true),
            (ViewOnly::Selkies, true),
            (ViewOnly::Requests, false),
        ] {
            stage.share(view_only, 1);
            let answer = stage.asks("GET", "/.cast/").send().await;
            let html = answer.expect("an answer").text().await.expect("a page");
            assert_eq!(html.contains(words), is_screen, "{view_only:?} {up} {down}");
            assert_eq!(html.contains("id=\"clipboard\""), is_screen);
            let ways = format!("data-copies=\"{down}\" data-pastes=\"{up}\"");
            assert!(html.contains(&ways), "{html}");
            let watched = stage
                .request("GET", "/.cast/")
                .header("cookie", stage.cookie("/.cast/", &stage.watcher("ada", 1)))
                .send()
                .await;
            let html = watched.expect("an answer").text().await.expect("a page");
            assert!(
                !html.contains("id=\"clipboard\""),
                "whoever watches has none"
            );
        }
    }
}

#[tokio::test]
async fn event_stream_sends_changes_and_counts_as_presence() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let owner = stage
        .asks("GET", "/.cast/events")
        .send()
        .await
        .expect("an answer");
    assert_eq!(owner.headers()["content-type"], "text/event-stream");
    let mut events = owner.bytes_stream();
    let mut next = async || {
        let piece = events.next().await.expect("an event").expect("no error");
        let text = String::from_utf8_lossy(&piece).into_owned();
        serde_json::from_str::<Value>(text.trim().strip_prefix("data: ").expect("data"))
            .expect("JSON")
    };
    assert_eq!(next().await["watchers"], Value::Array(Vec::new()));
    let cookie = format!("cast-session={}", stage.watcher("ada", 1));
    let viewer = stage
        .request("GET", "/.cast/events")
        .header("cookie", cookie)
        .send()
        .await
        .expect("an answer");
    assert_eq!(next().await["watchers"][0]["name"], "ADA");
    assert_eq!(stage.state.presence.connected(), 2);
    drop(viewer);
    assert_eq!(
        next().await["watchers"],
        Value::Array(Vec::new()),
        "she has left"
    );
}

#[tokio::test]
async fn go_ticket_works_once_for_the_owner_only() {
    let stage = Stage::by_name().await;
    let folder = std::env::temp_dir().join(format!("casting-gate-go-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let opened = folder.join("opened");
    let _ = std::fs::remove_file(&opened);
    let line = format!("echo \"$KASM_URL\" >> {}", opened.display());
    let command = vec!["/bin/sh".to_owned(), "-c".to_owned(), line];
    let go = Some(Exec {
        command,
        user: None,
        working_directory: None,
        environment: Default::default(),
    });
    let options = SessionOptions {
        view_only: Some(ViewOnly::Rfb),
        exec: casting_protocol::session_options::ExecConfig {
            go,
            ..Default::default()
        },
        ..SessionOptions::default()
    };
    stage.state.follow(SessionDirectives {
        options,
        share_link: Some("x".into()),
        share_round: 1,
        ..SessionDirectives::default()
    });
    let order = |session: u8, url: &str, second: u64| {
        let session = SessionId::from_bytes([session; 16]);
        let secret = stage.keys.secret(&session);
        GoTicket {
            session,
            url: url.into(),
            at: NOON.plus_seconds(second),
            expires: NOON.plus_seconds(60),
        }
        .sign(&secret)
    };
    for (name, cookie, go) in [
        (
            "the first",
            stage.ticket(1),
            order(1, "https://one.example/", 1),
        ),
        (
            "the same again",
            stage.ticket(1),
            order(1, "https://one.example/", 1),
        ),
        (
            "a viewer's",
            stage.watcher("ada", 1),
            order(1, "https://viewer.example/", 2),
        ),
        (
            "another session's",
            stage.ticket(1),
            order(2, "https://other.example/", 3),
        ),
        ("nonsense", stage.ticket(1), "v1.x.y".to_owned()),
        (
            "the next",
            stage.ticket(1),
            order(1, "https://two.example/", 4),
        ),
    ] {
        let entered = stage
            .request(
                "GET",
                &format!(
                    "/.cast/enter?ticket={}&go={go}",
                    stage.entry_by(name, &cookie)
                ),
            )
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            entered.headers()["location"],
            format!("/.cast/?go={go}"),
            "{name}: the edge passes it on"
        );
        let reply = stage
            .request("GET", &format!("/.cast/?go={go}"))
            .header("cookie", stage.cookie("/.cast/", &cookie))
            .send()
            .await;
        let reply = reply.expect("an answer");
        assert_eq!(
            (
                reply.status().as_u16(),
                reply.headers()["location"].to_str().expect("text")
            ),
            (303, "/.cast/"),
            "{name}"
        );
        // Commands run side by side; one after the other is easier to compare.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    let lines = std::fs::read_to_string(&opened).unwrap_or_default();
    assert_eq!(lines, "https://one.example/\nhttps://two.example/\n");
    std::fs::remove_dir_all(folder).expect("deletes");
}

#[tokio::test]
async fn end_button_redirects_after_the_end_is_recorded() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let mut end = Box::pin(
        stage
            .asks("POST", "/.cast/end")
            .header("accept", "text/html")
            .send(),
    );
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), &mut end).await;
    assert!(early.is_err(), "not before");
    stage.state.close(GateEndReason::Owner);
    let led = end.await.expect("an answer");
    assert_eq!(
        (
            led.status().as_u16(),
            led.headers()["location"].to_str().expect("text")
        ),
        (303, format!("{CONTROL}/session/{}", stage.session).as_str())
    );
    let state: Value = stage
        .asks("GET", "/.cast/state")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(state["over"], "owner");
}

#[tokio::test]
async fn owner_opening_the_share_link_stays_owner() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let (owner, viewer) = (stage.ticket(1), stage.watcher("ada", 1));
    for (name, cookie, ticket, replaced) in [
        ("the owner watches", &owner, &viewer, false),
        ("a viewer comes again", &viewer, &viewer, true),
        ("the owner comes again", &owner, &owner, true),
        ("a viewer becomes the owner", &viewer, &owner, true),
    ] {
        let request = stage
            .request(
                "GET",
                &format!("/.cast/enter?ticket={}", stage.entry_by(name, ticket)),
            )
            .header("cookie", format!("cast-session={cookie}"));
        let reply = request.send().await.expect("an answer");
        assert_eq!(
            (
                reply.status().as_u16(),
                reply.headers().contains_key("set-cookie")
            ),
            (303, replaced),
            "{name}"
        );
    }
}

#[tokio::test]
async fn each_origin_has_its_own_paths_alone() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let (app, viewer) = (stage.host(), stage.viewer_host());
    let at_app = stage.cookie("/", &stage.ticket(1));
    let at_viewer = stage.cookie("/.cast/", &stage.ticket(1));
    for (name, host, cookie, method, path, status) in [
        (
            "the viewer's page",
            &viewer,
            &at_viewer,
            "GET",
            "/.cast/",
            200,
        ),
        (
            "the app at the viewer's",
            &viewer,
            &at_viewer,
            "GET",
            "/seen",
            303,
        ),
        (
            "the app's root there",
            &viewer,
            &at_viewer,
            "HEAD",
            "/",
            303,
        ),
        (
            "a form for the app there",
            &viewer,
            &at_viewer,
            "POST",
            "/echo",
            404,
        ),
        ("the app", &app, &at_app, "GET", "/seen", 200),
        (
            "the viewer's page at the app's",
            &app,
            &at_app,
            "GET",
            "/.cast/",
            404,
        ),
        ("how it stands", &app, &at_app, "GET", "/.cast/state", 404),
        ("events", &app, &at_app, "GET", "/.cast/events", 404),
        (
            "the way to the app",
            &app,
            &at_app,
            "GET",
            "/.cast/app",
            404,
        ),
        ("sharing", &app, &at_app, "POST", "/.cast/share", 404),
        ("the end", &app, &at_app, "POST", "/.cast/end", 404),
        ("a push", &app, &at_app, "POST", "/.cast/refresh", 404),
        ("an order", &app, &at_app, "POST", "/.cast/assign", 404),
        (
            "the app's ticket at the viewer's",
            &viewer,
            &at_app,
            "GET",
            "/.cast/",
            403,
        ),
        (
            "the viewer's ticket at the app's",
            &app,
            &at_viewer,
            "GET",
            "/seen",
            403,
        ),
    ] {
        let reply = stage
            .request_to(host, method, path)
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer");
        assert_eq!(reply.status().as_u16(), status, "{name}");
        let to = reply
            .headers()
            .get("location")
            .map(|to| to.to_str().expect("text"));
        assert_eq!(to, (status == 303).then_some("/.cast/"), "{name}");
    }
}

#[tokio::test]
async fn the_viewer_answers_no_page_of_another_origin() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let (app, own) = (
        format!("http://{}", stage.host()),
        format!("http://{}", stage.viewer_host()),
    );
    let fetch = |site, mode, dest| {
        vec![
            ("sec-fetch-site", site),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ]
    };
    for (name, method, path, headers, status) in [
        (
            "its own script",
            "POST",
            "/.cast/touch",
            fetch("same-origin", "cors", "empty"),
            204,
        ),
        (
            "its own form over http",
            "POST",
            "/.cast/touch",
            vec![("origin", &*own)],
            204,
        ),
        (
            "its own frame",
            "GET",
            "/.cast/app",
            fetch("same-origin", "navigate", "iframe"),
            303,
        ),
        (
            "a link to the page",
            "GET",
            "/.cast/",
            fetch("cross-site", "navigate", "document"),
            200,
        ),
        (
            "a link without its slash",
            "GET",
            "/.cast",
            fetch("same-site", "navigate", "document"),
            200,
        ),
        (
            "a script of the app",
            "POST",
            "/.cast/touch",
            fetch("same-site", "cors", "empty"),
            403,
        ),
        (
            "the same over http",
            "POST",
            "/.cast/touch",
            vec![("origin", &*app)],
            403,
        ),
        (
            "a form of the app",
            "POST",
            "/.cast/end",
            fetch("same-site", "navigate", "document"),
            403,
        ),
        (
            "a form that names nobody",
            "POST",
            "/.cast/end",
            vec![("origin", "null")],
            403,
        ),
        (
            "events for the app",
            "GET",
            "/.cast/events",
            fetch("same-site", "cors", "empty"),
            403,
        ),
        (
            "the same over http",
            "GET",
            "/.cast/events",
            vec![("origin", &*app)],
            403,
        ),
        (
            "a window of events",
            "GET",
            "/.cast/events",
            fetch("same-site", "navigate", "document"),
            403,
        ),
        (
            "the state in a window",
            "GET",
            "/.cast/state",
            fetch("same-site", "navigate", "document"),
            403,
        ),
        (
            "a picture",
            "GET",
            "/.cast/",
            fetch("same-site", "no-cors", "image"),
            403,
        ),
        (
            "a frame of the app",
            "GET",
            "/.cast/",
            fetch("same-site", "navigate", "iframe"),
            403,
        ),
        (
            "an object of the app",
            "GET",
            "/.cast/",
            fetch("same-site", "navigate", "object"),
            403,
        ),
        (
            "the way to the app, in a frame of it",
            "GET",
            "/.cast/app",
            fetch("same-site", "navigate", "iframe"),
            403,
        ),
        (
            "the same by a script",
            "GET",
            "/.cast/app",
            vec![("origin", &*app)],
            403,
        ),
    ] {
        let mut request = stage.asks(method, path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = request.send().await.expect("an answer");
        assert_eq!(reply.status().as_u16(), status, "{name}");
        if status == 200 || status == 204 {
            let said = |name: &str| reply.headers()[name].to_str().expect("text").to_owned();
            assert_eq!(
                said("cross-origin-resource-policy"),
                "same-origin",
                "{name}"
            );
            assert_eq!(
                said("cross-origin-opener-policy"),
                "same-origin-allow-popups",
                "{name}"
            );
        }
    }
    let socket = |origin: &str| {
        stage
            .asks("GET", "/.cast/events")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("origin", origin)
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .send()
    };
    let status = socket(&app).await.expect("an answer").status().as_u16();
    assert_eq!(status, 403, "a WebSocket of the app");
}

#[tokio::test]
async fn echo_answers_the_owner_only() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let open = async |path: &str, ticket: &str| {
        let origin = format!("http://{}", stage.viewer_host());
        stage.socket_as(ticket, path, &origin).await
    };
    let mut socket = open("/.cast/echo", &stage.ticket(1))
        .await
        .expect("a socket");
    for message in [Message::text("there"), Message::binary(vec![7; 1024])] {
        socket.send(message.clone()).await.expect("sent");
        let echoed = socket.next().await.expect("a message").expect("no error");
        assert_eq!(echoed, message);
    }
    socket
        .send(Message::binary(vec![7; 1025]))
        .await
        .expect("sent");
    let end = socket.next().await;
    assert!(
        !matches!(end, Some(Ok(Message::Binary(_)))),
        "a long message ends it: {end:?}"
    );
    for (name, ticket, status) in [
        ("watcher", stage.watcher("ada", 1), 403),
        ("stranger", "nonsense".to_owned(), 403),
    ] {
        match open("/.cast/echo", &ticket).await {
            Err(SocketError::Http(reply)) => {
                assert_eq!(reply.status().as_u16(), status, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let read = stage.asks("GET", "/.cast/echo").send().await;
    assert_eq!(read.expect("an answer").status().as_u16(), 404);
    assert_eq!(stage.reached(), 0, "the app hears of none");
}

#[tokio::test]
async fn viewer_is_isolated_when_the_owners_app_page_is() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Requests, 1);
    let (owner, watcher) = (stage.ticket(1), stage.watcher("ada", 1));
    let frame = [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "same-site"),
    ];
    let nested = [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-site", "same-origin"),
    ];
    for (name, ticket, path, headers, isolated) in [
        ("ordinary page", &owner, "/seen", frame, false),
        ("frame inside the app", &owner, "/isolated", nested, false),
        ("watcher's frame", &watcher, "/isolated", frame, false),
        ("isolated page", &owner, "/isolated", frame, true),
        ("missing page", &owner, "/missing", frame, true),
        ("page for a watcher", &watcher, "/seen", frame, true),
        ("ordinary page again", &owner, "/seen", frame, false),
    ] {
        let mut request = stage
            .request("GET", path)
            .header("cookie", stage.cookie(path, ticket))
            .header("sec-fetch-mode", "navigate");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let app = request.send().await.expect("an answer");
        assert_ne!(app.status().as_u16(), 403, "{name}");
        let asked = stage.asks("GET", "/.cast/state").send();
        let state: Value = asked.await.expect("an answer").json().await.expect("JSON");
        assert_eq!(state["isolated"], isolated, "{name}");
        let page = stage.asks("GET", "/.cast/").send().await.expect("a page");
        let said = |name: &str| page.headers().get(name).map(|value| value.to_str().ok());
        let (opener, embedder) = if isolated {
            ("same-origin", Some(Some("require-corp")))
        } else {
            ("same-origin-allow-popups", None)
        };
        assert_eq!(
            said("cross-origin-opener-policy"),
            Some(Some(opener)),
            "{name}"
        );
        assert_eq!(said("cross-origin-embedder-policy"), embedder, "{name}");
    }
    let framed = async || {
        let mut request = stage
            .asks("GET", "/isolated")
            .header("sec-fetch-mode", "navigate");
        for (name, value) in frame {
            request = request.header(name, value);
        }
        let reply = request.send().await.expect("an answer");
        reply.headers()["cross-origin-resource-policy"]
            .to_str()
            .expect("text")
            .to_owned()
    };
    framed().await;
    assert_eq!(framed().await, "same-site", "the viewer may frame it");
    let read = stage
        .asks("GET", "/isolated")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        read.headers()["cross-origin-resource-policy"],
        "same-origin",
        "all else as the app says"
    );
}

#[tokio::test]
async fn the_viewers_frame_is_led_to_the_app_once() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let (owner, watcher) = (stage.ticket(1), stage.watcher("ada", 1));
    // `/deep?a=b&c`, `//evil.example/`, `/\evil.example/` and no path at all.
    for (name, ticket, to, led) in [
        ("the owner's", &owner, "", "/"),
        ("a watcher's", &watcher, "", "/"),
        ("with a path", &owner, "?to=L2RlZXA_YT1iJmM", "/deep?a=b&c"),
        ("with a host", &owner, "?to=Ly9ldmlsLmV4YW1wbGUv", "/"),
        (
            "with a host, spelled otherwise",
            &owner,
            "?to=L1xldmlsLmV4YW1wbGUv",
            "/",
        ),
        (
            "with another address",
            &owner,
            "?to=aHR0cHM6Ly9ldmlsLmV4YW1wbGUv",
            "/",
        ),
        ("with nonsense", &owner, "?to=%0d%0a", "/"),
    ] {
        let reply = stage
            .request("GET", &format!("/.cast/app{to}"))
            .header("cookie", stage.cookie("/.cast/", ticket))
            .send()
            .await
            .expect("an answer");
        let entrance = reply.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        assert_eq!(reply.status().as_u16(), 303, "{name}");
        let path = entrance
            .strip_prefix(&format!("http://{}", stage.host()))
            .expect("the app's origin")
            .to_owned();
        let enter = async || {
            stage
                .request_to(&stage.host(), "GET", &path)
                .send()
                .await
                .expect("an answer")
        };
        let entered = enter().await;
        assert_eq!(entered.headers()["location"], led, "{name}");
        let cookie = entered.headers()["set-cookie"].to_str().expect("text");
        assert!(
            cookie.ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
            "{name}: {cookie}"
        );
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let ticket = stage.cookie("/", ticket);
        assert_eq!(cookie, ticket, "{name}: the same for the app's origin");
        assert_eq!(enter().await.status().as_u16(), 410, "{name}: once");
    }
    let stranger = stage
        .request("GET", "/.cast/app")
        .send()
        .await
        .expect("an answer");
    assert_eq!(stranger.status().as_u16(), 403);
    let path = stage
        .asks("GET", "/.cast/app")
        .send()
        .await
        .expect("an answer");
    let path = path.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let path = path
        .split_once("/.cast")
        .map(|(_, rest)| format!("/.cast{rest}"))
        .expect("a path");
    let elsewhere = stage.request("GET", &path).send().await.expect("an answer");
    assert_eq!(
        elsewhere.status().as_u16(),
        403,
        "the app's address opens no viewer"
    );
    stage.clock.advance(30);
    let late = stage
        .request_to(&stage.host(), "GET", &path)
        .send()
        .await
        .expect("an answer");
    assert_eq!(late.status().as_u16(), 410, "half a minute later");
}

#[tokio::test]
async fn under_a_path_viewer_and_app_are_one_origin() {
    let stage = Stage::new("localhost/s/{session}", false).await;
    let prefix = format!("/s/{}", stage.session);
    let page = stage
        .asks("GET", &format!("{prefix}/.cast/"))
        .send()
        .await
        .expect("an answer");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    let html = page.text().await.expect("text");
    assert!(
        html.contains("data-frame=\"../\"") && !html.contains("data-app"),
        "{html}"
    );
    assert!(policy.contains("frame-src 'self'  ;"), "{policy}");
    let app = stage
        .asks("GET", &format!("{prefix}/seen"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(app.status().as_u16(), 200);
}

#[tokio::test]
async fn app_with_x_frame_options_is_shown_in_the_viewer() {
    let stage = Stage::by_name().await;
    let reply = stage
        .asks("GET", "/framed")
        .send()
        .await
        .expect("an answer");
    let policies: Vec<_> = reply
        .headers()
        .get_all("content-security-policy")
        .iter()
        .collect();
    let ours = format!("frame-ancestors 'self' http://{}", stage.viewer_host());
    assert_eq!(policies, ["default-src 'self'", &ours]);
    assert!(!reply.headers().contains_key("x-frame-options"));
}
