//! Owns `casting doctor` as a person calls it: on the real program, and on what is none of ours.

use casting_tests::program::{Program, casting};
use reqwest::Method;
use serde_json::{Value, json};

/// The exit code, and everything it said.
async fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = casting([&["doctor"], arguments].concat())
        .output()
        .await
        .expect("runs");
    (
        output.status.code(),
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    )
}

/// A port without a listener.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
}

#[tokio::test]
async fn healthy_stack_passes_with_warnings() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let (code, text) = said(&["--url", &program.url]).await;
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "This machine\n",
        "Sessions that are commands",
        "ok       It is on this machine, where http will do.",
        "ok       An unknown link is refused like a disabled one.",
        "ok       The error page says what happened, with a reference.",
        "ok       Pages carry the headers that protect them.",
        "ok       API clients get problem documents.",
        "ok       The admin API requires a key.",
        "ok       Its clock and this machine's agree.",
        "ok       Logins go to localhost.",
        "ok       The edge answers at session addresses and refuses requests without a ticket.",
        "ok       Apps have host names of their own, and the edge answers there too.",
        "No problems found.",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (code, text) = said(&["--url", &program.url, "--key", &program.key]).await;
    assert_eq!(code, Some(0), "{text}");
    let unlimited = "limit_total_sessions: nothing limits how many sessions this link starts";
    assert!(!text.contains(unlimited), "a new stack's own links: {text}");
    let images = program.admin(Method::GET, "images").send().await;
    let images: Value = images.expect("an answer").json().await.expect("JSON");
    let open = json!({
        "name": "Open", "image_id": images["items"][0]["id"], "allow_anonymous": true,
    });
    let made = program
        .admin(Method::POST, "casts")
        .json(&open)
        .send()
        .await;
    assert_eq!(made.expect("an answer").status(), 201);
    let (code, text) = said(&["--url", &program.url, "--key", &program.key]).await;
    assert!(code == Some(0) && text.contains(unlimited), "{text}");
    assert!(
        text.contains("1 warning.") && !text.contains(&program.key),
        "{text}"
    );

    program
        .admin(Method::PATCH, "settings")
        .json(&json!({"maintenance": true}))
        .send()
        .await
        .expect("an answer");
    let (code, text) = said(&["--url", &program.url, "--key", &program.key]).await;
    assert!(
        code == Some(0) && text.contains("The deployment is in maintenance"),
        "{code:?} {text}"
    );
}

#[tokio::test]
async fn deep_check_enters_a_session_and_leaves_nothing() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let arguments = ["--url", &program.url, "--key", &program.key, "--deep"];
    let (code, text) = said(&arguments).await;
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "ok       A claim is answered after ",
        ".localhost exchanges an entry ticket for a cookie.",
        "ok       An entry address opens nothing a second time.",
        "ok       The viewer shows the session, with the headers that protect it.",
        "ok       A WebSocket reaches the gate; a message is there and back in ",
        "ok       The app answers through edge and gate (status 200).",
        "ok       The ended session is closed to its visitor after ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let list = async |name: &str| {
        let asked = program.admin(Method::GET, name).send().await;
        let list: Value = asked.expect("an answer").json().await.expect("JSON");
        list["items"].as_array().expect("a list").clone()
    };
    assert!(
        list("casts")
            .await
            .iter()
            .all(|cast| cast["name"] != "casting doctor"),
        "the link is removed"
    );
    let sessions = list("sessions").await;
    assert!(
        sessions.iter().all(|session| session["state"] == "ended"),
        "no session stays: {sessions:?}"
    );
    let image = ["--image", "i23456723456723456723456723"];
    let (code, text) = said(&[&arguments[..], &image].concat()).await;
    assert!(
        code == Some(1) && text.contains("ERROR    A link cannot be made: status 422."),
        "{code:?} {text}"
    );
}

#[tokio::test]
async fn errors_have_fixes_and_a_failing_exit_code() {
    let port = free_port();
    let public = [
        "--memory",
        "--port",
        &port.to_string(),
        "--public-url",
        "http://casts.localhost:1",
    ];
    let program = Program::start(public).await.expect("starts");
    let stranger = axum::Router::new().fallback(|| async { "Welcome to nginx!" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let other = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, stranger).await });
    let (free, here) = (
        format!("http://127.0.0.1:{}", free_port()),
        format!("http://127.0.0.1:{port}"),
    );
    for (name, arguments, words) in [
        (
            "nothing",
            vec!["--url", free.as_str()],
            "Start it: cargo run. The port is free.",
        ),
        (
            "another server",
            vec!["--url", &other],
            "An unknown link answers 200.",
        ),
        (
            "another server, open to all",
            vec!["--url", &other],
            "The admin API answers without a key.",
        ),
        (
            "another public address",
            vec!["--url", &here, "--key", &program.key],
            "is given out as http://casts.localhost:1/",
        ),
        (
            "sessions that cannot be found",
            vec!["--url", &other],
            "Say where they are with --session-url",
        ),
        (
            "a key of another stack",
            vec!["--url", &here, "--key", "kaaaaaaaaaaaaaaaaaaaaaaaaaa.x"],
            "The key is not let in.",
        ),
        (
            "no edge",
            vec![
                "--url",
                &here,
                "--session-url",
                &format!("{other}/s/{{session}}"),
            ],
            "Check that the sessions' names reach the edge.",
        ),
        (
            "no address",
            vec!["--url", "cast.example.com"],
            "is no web address",
        ),
        (
            "no session",
            vec!["--url", &here, "--session-url", "https://example.com"],
            "where the session's id stands",
        ),
    ] {
        let (code, text) = said(&arguments).await;
        assert!(
            code == Some(1) && text.contains(words),
            "{name}: {code:?} {text}"
        );
    }
}
