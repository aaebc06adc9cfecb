//! Owns what a hostile app can reach from inside a session: every attempt of `hostile-app` is a
//! case, as a process of this machine and in a real container where there is an engine.

use std::path::PathBuf;

use casting_local::confine::plan::VARIABLE;
use casting_local::confine::{self, Level, Plan};
use casting_tests::binaries;
use casting_tests::processes::{soon, with_environment};
use casting_tests::program::Program;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kills::{Visitor, enter};

/// As the hostile app wants its secrets.
fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// A data folder that is deleted at the end.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("casting-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The ports with a listener on this machine, by IPv4.
fn listening() -> Vec<u16> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of sockets");
    let port = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        (state == "0A").then_some(port)
    };
    table.lines().skip(1).filter_map(port).collect()
}

async fn make(program: &Program, path: &str, document: Value) -> Value {
    let answer = program
        .admin(Method::POST, path)
        .json(&document)
        .send()
        .await
        .expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 201, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Makes a link of this key to an image with these fields besides name and size.
async fn link(program: &Program, key: &str, fields: Value) {
    let mut image = json!({"name": key, "cpu": 256, "memory": 512});
    if let (Some(image), Value::Object(fields)) = (image.as_object_mut(), fields) {
        image.extend(fields);
    }
    let image = make(program, "images", image).await;
    let cast = json!({"name": key, "key": key, "image_id": image["id"], "allow_anonymous": true});
    make(program, "casts", cast).await;
}

/// What came of every attempt, by name.
async fn report(program: &Program, visitor: &Visitor) -> Vec<(String, bool, String)> {
    let (status, text) = visitor.read(program, "/report").await;
    assert_eq!(status, 200, "{text}");
    read(&serde_json::from_str(&text).expect("JSON"))
}

fn read(attempts: &Value) -> Vec<(String, bool, String)> {
    let text = |attempt: &Value, name: &str| attempt[name].as_str().expect(name).to_owned();
    let attempts = attempts.as_array().expect("a list");
    attempts
        .iter()
        .map(|attempt| {
            (
                text(attempt, "attempt"),
                attempt["refused"].as_bool().expect("a verdict"),
                text(attempt, "said"),
            )
        })
        .collect()
}

/// Starts the stack with `arguments`, a neighbour's session, and the hostile app, and gives its
/// report.
async fn attack(name: &str, arguments: &[&str]) -> Vec<(String, bool, String)> {
    let data = Data::new(name);
    let hostile = binaries::path("hostile-app");
    let shown = hostile.parent().expect("a folder").display().to_string();
    let folder = data.text();
    let mut all = vec!["--data", &folder, "--port", "0", "--show", &shown];
    all.extend(arguments);
    let program = Program::start(all).await.expect("starts");
    let serve = "exec python3 -m http.server $PORT --bind 127.0.0.1";
    link(
        &program,
        "neighbour",
        json!({
            "container_image": "local/neighbour", "command": ["sh", "-c", serve],
            "app_devtools_port": 9222,
        }),
    )
    .await;
    let neighbour = enter(&program, "neighbour").await;
    let neighbours = with_environment(&neighbour.session);
    assert!(!neighbours.is_empty());
    let tasks = data.0.join("tasks");
    let mut paths: Vec<String> = ["admin-key", "signing-key", "casting.db", "tasks", ""]
        .map(|name| data.0.join(name).display().to_string())
        .into();
    for task in std::fs::read_dir(&tasks).expect("tasks").flatten() {
        paths.push(task.path().display().to_string());
        paths.push(task.path().join("exec.sock").display().to_string());
        paths.push(task.path().join("devtools.sock").display().to_string());
        paths.push(task.path().join("net.sock").display().to_string());
    }
    let mut sockets = paths.iter().filter(|path| path.ends_with("devtools.sock"));
    let is_open = sockets.any(|path| std::path::Path::new(path).exists());
    assert_eq!(
        is_open,
        arguments.is_empty(),
        "only where sessions have networks"
    );
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("starts");
    let targets = json!({
        "victims": [victim.id()],
        "paths": paths, "ports": listening(), "processes": neighbours.iter().chain([&program.child.id().expect("it runs")]).collect::<Vec<_>>(),
        "secrets": [backwards(&program.key), backwards(&neighbour.session)],
    });
    let environment = json!({"TARGETS": targets.to_string()});
    link(
        &program,
        "hostile",
        json!({"container_image": "local/hostile", "command": [hostile], "environment": environment}),
    )
    .await;
    let visitor = enter(&program, "hostile").await;
    let report = report(&program, &visitor).await;
    victim.kill().expect("killed");
    victim.wait().expect("ended");
    report
}

#[tokio::test]
async fn hostile_app_reaches_nothing_but_itself() {
    let attempts = attack("hostile", &[]).await;
    assert!(attempts.len() > 80, "{} attempts", attempts.len());
    let breaches: Vec<_> = attempts.iter().filter(|(_, refused, _)| !refused).collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[tokio::test]
async fn same_attempts_succeed_without_confinement() {
    let attempts = attack("unconfined", &["--unconfined"]).await;
    for (name, begins) in [
        ("a file of the stack", "open /tmp"),
        ("a port of the stack", "connect to 127.0.0.1:"),
        ("other processes", "see process"),
        ("a process's memory", "trace process"),
        ("other ports", "reach other ports"),
    ] {
        let mut of_kind = attempts
            .iter()
            .filter(|(attempt, ..)| attempt.starts_with(begins));
        assert!(
            of_kind.any(|(_, refused, _)| !refused),
            "{name}: the attempt never succeeds, so its refusal shows nothing"
        );
    }
}

/// Starts the hostile app by itself at this level, as a gate would, and gives its report.
async fn attack_at(level: Level, targets: &Value) -> Vec<(String, bool, String)> {
    let data = Data::new("level");
    let hostile = binaries::path("hostile-app");
    let port = listening_on_nothing();
    let plan = Plan {
        level,
        folder: data.0.join("task"),
        profile: None,
        scratch_mib: 16,
        shown: vec![hostile.parent().expect("a folder").to_owned()],
        reach: Vec::new(),
        user: None,
    };
    let mut app = std::process::Command::new(binaries::path("casting"));
    std::os::unix::process::CommandExt::arg0(&mut app, confine::NAME);
    let mut app = app
        .args([confine::RUN, "--"])
        .arg(hostile)
        .env(VARIABLE, serde_json::to_string(&plan).expect("JSON"))
        .env("PORT", port.to_string())
        .env("TARGETS", targets.to_string())
        .spawn()
        .expect("starts");
    let http =
        casting_identity::web_client::build(std::time::Duration::from_secs(30)).expect("a client");
    let url = format!("http://127.0.0.1:{port}/report");
    let mut answer = None;
    let answers = soon(async || {
        answer = http.get(&url).send().await.ok();
        answer.is_some()
    });
    assert!(answers.await, "it answers");
    let attempts: Value = answer.expect("an answer").json().await.expect("JSON");
    let id = i32::try_from(app.id()).expect("a process id");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(id),
        nix::sys::signal::Signal::SIGTERM,
    )
    .expect("told");
    app.wait().expect("ends");
    read(&attempts)
}

fn listening_on_nothing() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn landlock_blocks_all_but_addresses_and_udp() {
    let (file, folder) = (
        std::env::current_exe().expect("a file"),
        Data::new("landlock"),
    );
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let secret = folder.0.join("admin-key");
    std::fs::write(&secret, "k").expect("written");
    let _socket =
        std::os::unix::net::UnixListener::bind(folder.0.join("listening")).expect("bound");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("starts");
    let targets = json!({
        "victims": [victim.id()], "paths": [secret, folder.0], "ports": [other.local_addr().expect("an address").port()],
        "processes": [std::process::id()], "secrets": [backwards(&file.display().to_string())],
    });
    let attempts = attack_at(Level::Landlock, &targets).await;
    victim.kill().expect("killed");
    victim.wait().expect("ended");
    let is_root = nix::unistd::Uid::effective().is_root();
    let breaches: Vec<_> = attempts
        .iter()
        .filter(|(_, refused, _)| !refused)
        // Ports alone are held, also those of a cloud's metadata service.
        .filter(|(name, ..)| !name.contains("to 169.254.") && !name.contains("to [fd00:"))
        .filter(|(name, ..)| name != "send by UDP" && !(is_root && name.ends_with("be root")))
        .filter(|(name, ..)| !(is_root && name == "become root"))
        .collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[tokio::test]
async fn command_starts_in_an_empty_home() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let command = "exec python3 -m http.server $PORT --bind 127.0.0.1";
    link(
        &program,
        "own-files",
        json!({"container_image": "local/files", "command": ["sh", "-c", command]}),
    )
    .await;
    let visitor = enter(&program, "own-files").await;
    let (status, page) = visitor.read(&program, "/").await;
    assert_eq!((status, page.matches("<li>").count()), (200, 0), "{page}");
    for path in ["/etc/shadow", "/etc/passwd", "/../../etc/passwd"] {
        assert_eq!(visitor.read(&program, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn exec_commands_are_confined_with_the_app() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let command = "exec python3 -m http.server $PORT --bind 127.0.0.1";
    let first = "id -u > \"$HOME/who\"; echo $$ > here; ls /proc | grep -c '^[0-9]' > many; echo \
                 \"$PORT\" > port; touch /etc/x";
    link(
        &program,
        "beside",
        json!({
            "container_image": "local/files", "command": ["sh", "-c", command],
            "exec_config": {"first_launch": {"cmd": first, "user": "nobody"}},
        }),
    )
    .await;
    let visitor = enter(&program, "beside").await;
    let ran = soon(async || visitor.read(&program, "/port").await.0 == 200).await;
    assert!(ran, "{:?}", visitor.read(&program, "/").await);
    let read = async |path: &str| visitor.read(&program, path).await.1.trim().to_owned();
    assert_ne!(read("/who").await, "0");
    assert!(read("/here").await.parse::<u32>().is_ok_and(|id| id < 100));
    assert!(read("/many").await.parse::<u32>().is_ok_and(|n| n < 12));
    assert!(read("/port").await.parse::<u16>().is_ok());
}

#[tokio::test]
async fn allowed_address_is_reached_through_the_proxy_only() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let open = listener.local_addr().expect("an address");
    let (reach, data) = (open.to_string(), Data::new("reach"));
    let hostile = binaries::path("hostile-app");
    let (folder, shown) = (
        data.text(),
        hostile.parent().expect("a folder").display().to_string(),
    );
    let program = Program::start([
        "--data", &folder, "--port", "0", "--show", &shown, "--reach", &reach,
    ])
    .await
    .expect("starts");
    let targets = json!({"addresses": [reach]});
    link(
        &program,
        "reached",
        json!({"container_image": "local/hostile", "command": [hostile], "environment": {"TARGETS": targets.to_string()}}),
    )
    .await;
    let visitor = enter(&program, "reached").await;
    let attempts = report(&program, &visitor).await;
    let refused = |attempt: String| {
        let found = attempts.iter().find(|(name, ..)| *name == attempt);
        found.expect("it was tried").1
    };
    assert!(refused(format!("connect to {open}")));
    assert!(!refused(format!("connect to {open} by the proxy")));
}

#[tokio::test]
async fn image_reference_is_not_run_as_a_local_command() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    if casting_local::options::engine_socket().is_some() {
        eprintln!("There is a container engine here, so the image would run in it.");
        return;
    }
    let mark = std::env::temp_dir().join(format!("casting-mark-{}", std::process::id()));
    let command = ["touch".to_owned(), mark.display().to_string()];
    link(
        &program,
        "contained",
        json!({"container_image": "example/app:1", "command": command}),
    )
    .await;
    let describe = format!("{}/api/casts/contained", program.url);
    let described: Value = program
        .http
        .get(describe)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let claims = format!("{}/cast/contained/claims", program.url);
    let claim = program
        .http
        .post(claims)
        .json(&json!({"ticket": described["ticket"]}));
    let answer = claim.send().await.expect("an answer");
    assert_eq!(answer.status(), 503, "{:?}", answer.text().await);
    let sessions: Value = program
        .admin(Method::GET, "sessions?state=ended")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert!(
        sessions.to_string().contains("no container engine"),
        "{sessions}"
    );
    assert!(!mark.exists());
}
