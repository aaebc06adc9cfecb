//! Owns `casting` as a person starts and stops it: what it prints, what it keeps, and what it
//! leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use casting_tests::processes::{listening_ports, soon, with_environment};
use casting_tests::program::{Program, casting};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// A folder of its own for each test, deleted at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("casting-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn on(data: &Path) -> Vec<String> {
    vec![
        "--port".into(),
        "0".into(),
        "--data".into(),
        data.display().to_string(),
    ]
}

async fn start(arguments: &[String]) -> Program {
    Program::start(arguments).await.expect("starts")
}

async fn read(program: &Program, path: &str) -> Value {
    program
        .admin(Method::GET, path)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON")
}

/// Claims a demo session and waits until it is ready; returns its id.
async fn claim(program: &Program) -> String {
    let described = program
        .http
        .get(format!("{}/api/casts/welcome", program.url))
        .send()
        .await
        .expect("an answer");
    let described: Value = described.json().await.expect("JSON");
    let claim = program
        .http
        .post(format!("{}/cast/welcome/claims", program.url))
        .json(&json!({"ticket": described["ticket"]}));
    let claimed: Value = claim
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let id = claimed["session_id"].as_str().expect("an id").to_owned();
    let ready =
        soon(async || read(program, &format!("sessions/{id}")).await["state"] == "ready").await;
    assert!(ready, "{}", read(program, &format!("sessions/{id}")).await);
    id
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().expect("it runs") as i32), signal).expect("can be signalled");
}

async fn ended(mut program: Program) -> Option<i32> {
    tokio::time::timeout(Duration::from_secs(30), program.child.wait())
        .await
        .expect("ends in time")
        .expect("ends")
        .code()
}

/// Runs to its end: the exit code, and everything it said.
async fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = tokio::time::timeout(Duration::from_secs(30), command.output())
        .await
        .expect("ends in time")
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

#[tokio::test]
async fn help_names_every_flag() {
    let (code, text) = said(&mut casting(["--help"])).await;
    assert_eq!(code, Some(0));
    for flag in [
        "--port",
        "--data",
        "--memory",
        "--reset",
        "--public-url",
        "--session-url",
        "--demo-logins",
        "--behind-proxy",
        "--listen",
        "--unconfined",
        "--show",
        "--selkies",
        "--reach",
        "--log",
    ] {
        assert!(text.contains(flag), "{flag}: {text}");
    }
    assert_eq!(said(&mut casting(["--no-such-flag"])).await.0, Some(2));
}

#[tokio::test]
async fn startup_conflicts_are_explained_and_lose_nothing() {
    let scratch = Scratch::new("in-the-way");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, text) = said(&mut casting(["--memory", "--port", &port])).await;
    assert!(
        code == Some(1) && text.contains(&port) && text.contains("--port"),
        "a busy port: {code:?} {text}"
    );

    std::fs::write(scratch.path("a-file"), "mine").expect("a file");
    let file = scratch.path("a-file").display().to_string();
    let (code, text) = said(&mut casting(["--port", "0", "--data", &file])).await;
    assert!(
        code == Some(1) && text.contains("a-file"),
        "a file in the folder's place: {code:?} {text}"
    );
    assert_eq!(
        std::fs::read_to_string(scratch.path("a-file")).expect("is there"),
        "mine"
    );
    let (code, text) = said(&mut casting([
        "--port",
        "0",
        "--data",
        "/proc/nothing/here",
    ]))
    .await;
    assert!(
        code == Some(1) && text.contains("/proc/nothing"),
        "a folder that cannot be made: {code:?} {text}"
    );

    let folder = scratch.path("data");
    let first = start(&on(&folder)).await;
    let (code, text) = said(&mut casting(on(&folder))).await;
    assert!(
        code == Some(1) && text.contains(&first.url),
        "a second instance is told where the first is: {code:?} {text}"
    );
    assert_eq!(keys(&first).await, OFFERED, "the first is unharmed");
}

/// What group and others may do with the files in a folder, itself included.
fn rights_of_others(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        // What a session makes in its own closed folder is the session's.
        let is_home = path.extension().is_some_and(|end| end == "home");
        if metadata.is_dir() && !is_home {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        }
        let rights = metadata.permissions().mode() & 0o077;
        if !metadata.is_symlink() && rights != 0 {
            found.push((path, rights));
        }
    }
    found
}

#[tokio::test]
async fn data_folder_is_unreadable_for_other_users() {
    let scratch = Scratch::new("private");
    let folder = scratch.path("data");
    let first = start(&on(&folder)).await;
    claim(&first).await;
    assert_eq!(rights_of_others(&folder), [], "while it runs");
    signal(&first.child, Signal::SIGTERM);
    assert_eq!(ended(first).await, Some(0));
    for name in ["casting.db", "signing-key", "admin-key", "tasks", ""] {
        let path = folder.join(name);
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, open).expect("opens it");
    }
    let second = start(&on(&folder)).await;
    assert_eq!(
        rights_of_others(&folder),
        [],
        "a folder of an earlier version"
    );
    drop(second);
}

#[tokio::test]
async fn sessions_on_the_console_host_are_refused() {
    for (public, session) in [
        (
            "http://cast.lan:8300",
            Some("http://cast.lan:8300/s/{session}"),
        ),
        (
            "http://cast.lan:8300",
            Some("http://cast.lan:8301/s/{session}"),
        ),
        ("http://192.0.2.1:8300", None),
    ] {
        let mut arguments = vec!["--memory", "--port", "0", "--public-url", public];
        arguments.extend(session.iter().flat_map(|url| ["--session-url", url]));
        let (code, text) = said(&mut casting(arguments)).await;
        assert!(
            code == Some(1) && text.contains("--session-url"),
            "{public} {session:?}: {code:?} {text}"
        );
    }
}

#[tokio::test]
async fn demo_users_are_not_offered_to_other_machines() {
    // Logins are offered, unavailable, or of a provider that is not where its address leads.
    for (name, arguments, offered, login) in [
        ("by default", vec![], true, 303),
        ("to all addresses", vec!["--listen", "0.0.0.0"], false, 503),
        (
            "behind a public URL",
            vec!["--public-url", "http://cast.localhost:1"],
            false,
            503,
        ),
        (
            "on request",
            vec!["--public-url", "http://cast.localhost:1", "--demo-logins"],
            true,
            503,
        ),
    ] {
        let all = [vec!["--memory", "--port", "0"], arguments].concat();
        let mut child = casting(all).spawn().expect("starts");
        let (port, greeting) = greeting(&mut child).await;
        assert_eq!(
            greeting.contains("Ann, an administrator, with"),
            offered,
            "{name}: {greeting}"
        );
        let http = casting_identity::web_client::build(Duration::from_secs(10)).expect("a client");
        let status = async |path: &str| {
            let sent = http
                .get(format!("http://127.0.0.1:{port}{path}"))
                .header("cookie", "cast-probe=yes")
                .send()
                .await;
            sent.expect("an answer").status().as_u16()
        };
        let found = status("/provider/.well-known/openid-configuration").await;
        assert_eq!(found == 200, offered, "{name}: {found}");
        assert_eq!(status("/login").await, login, "{name}");
        drop(child);
    }
}

#[tokio::test]
async fn greeting_says_how_streaming_is_installed() {
    let install = "sudo python3 -m venv /nowhere && sudo /nowhere/bin/pip install selkies==2.1.0";
    let link = "/cast/streamed-browser";
    for (selkies, is_there) in [(None, true), (Some("/nowhere"), false)] {
        let mut command = casting(["--memory", "--port", "0"]);
        if let Some(folder) = selkies {
            command.env("CASTING_SELKIES", folder);
        }
        let mut child = command.spawn().expect("starts");
        let (_, greeting) = greeting(&mut child).await;
        assert_eq!(greeting.contains(link), is_there, "{greeting}");
        assert_eq!(greeting.contains(install), !is_there, "{greeting}");
        drop(child);
    }
}

/// The port that a stack listens on, and everything it prints at the start.
async fn greeting(child: &mut Child) -> (u16, String) {
    let mut output = child.stdout.take().expect("its output");
    let mut seen = String::new();
    while !seen.contains("Ctrl-C") {
        let mut buffer = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(30), output.read(&mut buffer))
            .await
            .expect("in time")
            .expect("can be read");
        assert!(read > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    let port = listening_ports(child.id().expect("it runs"))[0];
    (port, seen)
}

/// The keys of the links that a stack begins with.
const OFFERED: [&str; 8] = [
    "browser",
    "desktop",
    "my-browser",
    "my-desktop",
    "my-files",
    "my-streamed-browser",
    "streamed-browser",
    "welcome",
];

/// The keys of all links, in their alphabetical order.
async fn keys(program: &Program) -> Vec<String> {
    let casts = read(program, "casts").await;
    let mut keys: Vec<_> = casts["items"]
        .as_array()
        .expect("casts")
        .iter()
        .filter_map(|cast| cast["key"].as_str().map(str::to_owned))
        .collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn data_survives_restart_until_reset() {
    let scratch = Scratch::new("restart");
    let folder = scratch.path("data");
    let first = start(&on(&folder)).await;
    let image = read(&first, "images").await["items"][0]["id"].clone();
    let cast = json!({"name": "Kept", "key": "kept-link", "image_id": image});
    let made = first
        .admin(Method::POST, "casts")
        .json(&cast)
        .send()
        .await
        .expect("an answer");
    assert_eq!(made.status(), 201);
    let key = first.key.clone();
    signal(&first.child, Signal::SIGTERM);
    assert_eq!(ended(first).await, Some(0));

    let second = start(&on(&folder)).await;
    assert_eq!(second.key, key, "the same administrator");
    assert_eq!(
        keys(&second).await,
        [
            "browser",
            "desktop",
            "kept-link",
            "my-browser",
            "my-desktop",
            "my-files",
            "my-streamed-browser",
            "streamed-browser",
            "welcome"
        ]
    );
    signal(&second.child, Signal::SIGINT);
    assert_eq!(ended(second).await, Some(0));

    let reset: Vec<String> = on(&folder)
        .into_iter()
        .chain(["--reset".to_owned()])
        .collect();
    let third = start(&reset).await;
    assert_eq!(keys(&third).await, OFFERED);
    assert_ne!(third.key, key);
}

#[tokio::test]
async fn demo_has_a_staged_session_that_a_claim_takes() {
    let program = start(&["--memory".into(), "--port".into(), "0".into()]).await;
    let configs = read(&program, "staging-configs").await;
    let pool = format!(
        "staging-configs/{}/pool",
        configs["items"][0]["id"]
            .as_str()
            .expect("one that is there from the start")
    );
    assert!(
        soon(async || read(&program, &pool).await["ready"] == 1).await,
        "{}",
        read(&program, &pool).await
    );
    let taken = claim(&program).await;
    assert_eq!(
        read(&program, &format!("sessions/{taken}")).await["pool"]["place"],
        "assigned"
    );
    assert!(
        soon(async || read(&program, &pool).await["ready"] == 1).await,
        "another one is started: {}",
        read(&program, &pool).await
    );
}

#[tokio::test]
async fn ctrl_c_and_kill_leave_no_session_behind() {
    let scratch = Scratch::new("kill");
    let folder = scratch.path("data");
    let first = start(&on(&folder)).await;
    let session = claim(&first).await;
    assert!(!with_environment(&session).is_empty());
    signal(&first.child, Signal::SIGKILL);
    assert_eq!(ended(first).await, None);
    assert!(
        soon(async || with_environment(&session).is_empty()).await,
        "the session dies with its stack: {:?}",
        with_environment(&session)
    );

    let second = start(&on(&folder)).await;
    let closed =
        soon(async || read(&second, &format!("sessions/{session}")).await["state"] == "ended")
            .await;
    assert!(
        closed,
        "never forgotten: {}",
        read(&second, &format!("sessions/{session}")).await
    );
    let session = claim(&second).await;
    signal(&second.child, Signal::SIGINT);
    assert_eq!(ended(second).await, Some(0));
    assert!(
        with_environment(&session).is_empty(),
        "Ctrl-C leaves no process: {:?}",
        with_environment(&session)
    );
}

#[tokio::test]
async fn memory_mode_leaves_nothing_on_disk() {
    let scratch = Scratch::new("memory");
    let mut command = casting(["--memory", "--port", "0"]);
    let mut child = command.current_dir(&scratch.0).spawn().expect("starts");
    greeting(&mut child).await;
    signal(&child, Signal::SIGINT);
    assert!(child.wait().await.expect("ends").success());
    assert_eq!(std::fs::read_dir(&scratch.0).expect("a folder").count(), 0);
}
