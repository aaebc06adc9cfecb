//! The life of a gate as a process of its own, with a stub of the control plane that records the
//! reports.

use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use casting_gate::app::App;
use casting_protocol::ids::SessionId;
use casting_protocol::keys::{Keyring, SessionSecret};
use casting_protocol::session_options::{
    Assignment, Exec, ExecConfig, SessionDirectives, SessionOptions,
};
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::ticket::{AssignTicket, Role, SessionTicket};
use casting_protocol::time::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::stage::{gate_program, gate_program_at, serve, told_by_edge, visitor};

/// A control plane that answers each report with the next status, the last one for ever.
pub struct ControlPlane {
    port: u16,
    reports: mpsc::UnboundedReceiver<Value>,
    answers: Answers,
}

struct Script {
    statuses: Mutex<Vec<u16>>,
    directives: Mutex<Value>,
    /// How long each answer takes.
    delay: Mutex<Duration>,
    told: mpsc::UnboundedSender<Value>,
}

type Answers = Arc<Script>;

impl ControlPlane {
    pub async fn answering(statuses: &[u16]) -> Self {
        Self::ordering(statuses, Value::Null).await
    }

    /// The same, with these directives for an accepted report (status 200).
    pub async fn ordering(statuses: &[u16], directives: Value) -> Self {
        let (told, reports) = mpsc::unbounded_channel();
        let mut statuses = statuses.to_vec();
        statuses.reverse();
        let answers: Answers = Arc::new(Script {
            statuses: Mutex::new(statuses),
            directives: Mutex::new(directives),
            delay: Mutex::default(),
            told,
        });
        let port = serve(
            Router::new()
                .route("/session/{id}/bootstrap", post(give_secret))
                .route("/session/{id}/reports", post(hear))
                .with_state(answers.clone()),
        )
        .await;
        Self {
            port,
            reports,
            answers,
        }
    }

    pub async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(10), self.reports.recv())
            .await
            .expect("a report in time")
            .expect("a report")
    }

    /// From now on it answers so.
    pub fn changes_to(&self, status: u16, directives: Value) {
        *self.answers.statuses.lock().expect("no panic") = vec![status];
        *self.answers.directives.lock().expect("no panic") = directives;
    }

    /// From now on each answer takes this long, after the report was received.
    pub fn delay(&self, by: Duration) {
        *self.answers.delay.lock().expect("no panic") = by;
    }

    pub fn gate(&self, app_port: u16, script: &str) -> Child {
        let mut command = self.command(script);
        command.env("CAST_APP_PORT", app_port.to_string());
        command.spawn().expect("the gate starts")
    }

    pub fn command(&self, script: &str) -> Command {
        let mut command = gate_program(&session(), self.port, script);
        command.stderr(Stdio::null());
        command
    }
}

/// The secret of the gate, for its token.
pub async fn give_secret(headers: HeaderMap) -> (StatusCode, axum::Json<Value>) {
    if headers["authorization"] == "Bearer good-once" {
        (StatusCode::OK, axum::Json(json!({ "secret": "hush-hush" })))
    } else {
        (StatusCode::FORBIDDEN, axum::Json(Value::Null))
    }
}

async fn hear(
    State(answers): State<Answers>,
    Path(id): Path<String>,
    headers: HeaderMap,
    axum::Json(report): axum::Json<Value>,
) -> (StatusCode, axum::Json<Value>) {
    assert_eq!(
        (id.as_str(), &headers["authorization"]),
        (
            session().as_str(),
            &"Bearer hush-hush".parse().expect("a value")
        )
    );
    // The answer is fixed before the test hears of the report and goes on.
    let status = {
        let mut statuses = answers.statuses.lock().expect("no panic");
        if statuses.len() > 1 {
            statuses.pop()
        } else {
            statuses.last().copied()
        }
    };
    let directives = answers.directives.lock().expect("no panic").clone();
    let delay = *answers.delay.lock().expect("no panic");
    let _ = answers.told.send(report);
    tokio::time::sleep(delay).await;
    (
        StatusCode::from_u16(status.expect("a status")).expect("a status"),
        axum::Json(directives),
    )
}

pub fn session() -> SessionId {
    SessionId::from_bytes([1; 16])
}

pub async fn answering_app() -> u16 {
    serve(Router::new().route("/", get(|| async { StatusCode::UNAUTHORIZED }))).await
}

async fn exit_code(mut gate: Child) -> i32 {
    let ended = tokio::time::timeout(Duration::from_secs(10), gate.wait())
        .await
        .expect("an end in time")
        .expect("an end");
    ended.code().expect("a code")
}

fn tell(gate: &Child, signal: Signal) {
    kill(Pid::from_raw(gate.id().expect("it runs") as i32), signal).expect("told");
}

#[tokio::test]
async fn ready_is_reported_when_the_app_answers() {
    let mut control = ControlPlane::answering(&[204]).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let app_port = listener.local_addr().expect("an address").port();
    // The port is open, but nothing answers yet.
    let gate = control.gate(app_port, "exec sleep 60");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        control.reports.try_recv().is_err(),
        "an open port is not an app that answers"
    );
    tokio::spawn(casting_gate::server::serve(
        listener,
        Router::new().route("/", get(|| async { StatusCode::UNAUTHORIZED })),
    ));
    let ready = control.next().await;
    assert_eq!(ready["is"], "ready");
    let health = visitor()
        .get(format!("http://127.0.0.1:{}/.cast/health", ready["port"]))
        .send()
        .await
        .expect("the gate listens there");
    assert_eq!(health.status().as_u16(), 204);
    tell(&gate, Signal::SIGTERM);
    assert_eq!(
        control.next().await,
        json!({ "is": "ended", "exit_code": 143 })
    );
    assert_eq!(exit_code(gate).await, 143);
}

#[tokio::test]
async fn failed_apps_last_lines_are_reported_without_secrets() {
    for (name, script, said) in [
        (
            "both outputs",
            "echo desk: no display >&2; exit 3",
            Some("desk: no display\n"),
        ),
        (
            "the session's secret",
            "echo it is hush-hush; exit 3",
            Some("it is [\u{2026}]\n"),
        ),
        ("nothing", "exit 3", None),
        ("well, but before it was ready", "echo bye", Some("bye\n")),
    ] {
        let mut control = ControlPlane::answering(&[204]).await;
        let gate = control.gate(1, script);
        let report = control.next().await;
        assert_eq!(report["said"].as_str(), said, "{name}: {report}");
        exit_code(gate).await;
    }
    let mut control = ControlPlane::answering(&[204]).await;
    let app = answering_app().await;
    let gate = control.gate(app, "sleep 1; echo bye");
    assert_eq!(control.next().await["is"], "ready");
    let report = control.next().await;
    assert_eq!(
        report,
        json!({ "is": "ended", "exit_code": 0 }),
        "it was served"
    );
    exit_code(gate).await;
    let mut missing = gate_program(&session(), control.port, "");
    let program = missing.as_std().get_program().to_owned();
    let environment: Vec<_> = missing
        .as_std()
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    missing = Command::new(program);
    missing
        .args(["run", "--", "/no/such/desk"])
        .envs(environment)
        .stderr(Stdio::null());
    let gate = missing.spawn().expect("the gate starts");
    let report = control.next().await;
    let said = report["said"].as_str().unwrap_or_default();
    assert!(said.starts_with("/no/such/desk: No such file"), "{report}");
    exit_code(gate).await;
}

#[tokio::test]
async fn failed_command_is_reported() {
    let fails = |line: &str| {
        Some(Exec {
            command: ["/bin/sh", "-c", line].map(str::to_owned).into(),
            user: None,
            working_directory: None,
            environment: [].into(),
        })
    };
    let directives = SessionDirectives {
        options: SessionOptions {
            exec: ExecConfig {
                first_launch: fails("echo no such page; exit 3"),
                ..ExecConfig::default()
            },
            ..SessionOptions::default()
        },
        ..SessionDirectives::default()
    };
    let mut control = ControlPlane::ordering(&[200], json!(directives)).await;
    let app = answering_app().await;
    let gate = control.gate(app, "sleep 60");
    assert_eq!(control.next().await["is"], "ready");
    let report = control.next().await;
    assert_eq!(
        (&report["is"], &report["command"]),
        (&json!("failed"), &json!("first-launch"))
    );
    let said = report["said"].as_str().unwrap_or_default();
    assert!(
        said.contains("exit status: 3") && said.contains("no such page"),
        "{said}"
    );
    tell(&gate, Signal::SIGTERM);
    exit_code(gate).await;
}

#[tokio::test]
async fn gate_exits_with_the_apps_exit_code() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let mut control = ControlPlane::answering(&[204]).await;
        let gate = control.command(script).spawn().expect("the gate starts");
        assert_eq!(exit_code(gate).await, code, "{script}");
        assert_eq!(
            control.next().await,
            json!({ "is": "ended", "exit_code": code }),
            "{script}"
        );
    }
}

#[tokio::test]
async fn app_gets_port_and_signal_but_not_the_secret() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut control = ControlPlane::answering(&[204]).await;
        // The script answers HTTP through a gate's edge, a program that exists everywhere; its exit
        // code shows what it received.
        let edge = format!(
            "test -z \"$CAST_BOOTSTRAP_TOKEN\" || exit 1; trap 'kill $!; exit 9' TERM; trap 'kill $!; exit 8' INT; \
             CAST_EDGE_LISTEN=127.0.0.1:$PORT CAST_EDGE_KEY={} CAST_SESSION_HOST=http://{{session}}.localhost {} edge & wait",
            "A".repeat(43),
            env!("CARGO_BIN_EXE_gate"),
        );
        let gate = control.command(&edge).spawn().expect("the gate starts");
        assert_eq!(control.next().await["is"], "ready");
        tell(&gate, signal);
        assert_eq!(
            exit_code(gate).await,
            if signal == Signal::SIGTERM { 9 } else { 8 }
        );
    }
}

#[tokio::test]
async fn ended_session_stops_the_app() {
    let mut control = ControlPlane::answering(&[410]).await;
    let gate = control.gate(answering_app().await, "exec sleep 60");
    assert_eq!(control.next().await["is"], "ready");
    assert_eq!(exit_code(gate).await, 143);
}

#[tokio::test]
async fn first_visitor_waits_for_the_answer_to_the_ready_report() {
    let mut control = ControlPlane::ordering(&[200], json!({})).await;
    control.delay(Duration::from_millis(400));
    let _gate = control.gate(answering_app().await, "exec sleep 60");
    let port = control.next().await["port"].as_u64().expect("a port") as u16;
    let ticket = crate::crowds::ticket(port, None);
    let reply = visitor()
        .get(format!("http://127.0.0.1:{port}/"))
        .headers(told_by_edge(
            &SessionSecret::from_text("hush-hush".to_owned()),
            &ticket,
        ))
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status().as_u16(), 401, "the app's own answer");
}

#[tokio::test]
async fn ready_report_is_retried() {
    let mut control = ControlPlane::answering(&[503, 403, 204]).await;
    let gate = control.gate(answering_app().await, "exec sleep 60");
    let first = control.next().await;
    assert_eq!(
        (control.next().await, control.next().await),
        (first.clone(), first)
    );
    tell(&gate, Signal::SIGTERM);
    assert_eq!(control.next().await["is"], "ended");
}

#[tokio::test]
async fn app_that_ignores_sigterm_is_killed() {
    let mut app = App::start(
        &["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"].map(Into::into),
        1,
        None,
        &Arc::default(),
    )
    .expect("sh runs");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        app.stop(Signal::SIGTERM, Duration::from_millis(100)).await,
        137
    );
}

#[tokio::test]
async fn unrunnable_command_reports_why() {
    let control = ControlPlane::answering(&[204]).await;
    let said = |output: Output| {
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let mut without = control.command("exit 0");
    let (code, words) = said(
        without
            .env_remove("CAST_BOOTSTRAP_TOKEN")
            .stderr(Stdio::piped())
            .output()
            .await
            .expect("it runs"),
    );
    assert_eq!(
        (code, words.as_str()),
        (
            Some(2),
            "gate: the environment variable CAST_BOOTSTRAP_TOKEN is not set; it must hold the \
             session's bootstrap token\n"
        )
    );
    let mut missing = Command::new(env!("CARGO_BIN_EXE_gate"));
    let command = control.command("exit 0");
    let known = command
        .as_std()
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = missing
        .args(["run", "--", "/no/such/app"])
        .envs(known)
        .output()
        .await
        .expect("it runs");
    let (code, words) = said(output);
    assert_eq!(code, Some(127), "{words}");
    assert!(
        words.contains("The app's command could not be run"),
        "{words}"
    );
}

#[tokio::test]
async fn keepalive_and_time_limit_end_with_their_reason() {
    for (name, variable, cause) in [
        ("nobody there", "CAST_KEEPALIVE_SECONDS", "abandoned"),
        ("time is up", "CAST_TIME_LIMIT_SECONDS", "time-limit"),
    ] {
        let mut control = ControlPlane::answering(&[204]).await;
        let mut command = control.command("exec sleep 60");
        let started = Instant::now();
        let gate = command
            .env("CAST_APP_PORT", answering_app().await.to_string())
            .env(variable, "1")
            .spawn()
            .expect("the gate starts");
        assert_eq!(control.next().await["is"], "ready", "{name}");
        assert_eq!(
            control.next().await,
            json!({ "is": "ended", "exit_code": null, "because": cause }),
            "{name}"
        );
        assert!(
            started.elapsed() >= Duration::from_secs(1),
            "{name}: not before"
        );
        assert_eq!(exit_code(gate).await, 143, "{name}");
    }
}

#[tokio::test]
async fn entry_timeout_ends_the_session_with_its_reason() {
    for (name, directives, keepalive) in [
        (
            "the limit of entry",
            json!({ "entry_timeout_seconds": 1 }),
            "60",
        ),
        (
            "the shorter keepalive",
            json!({ "entry_timeout_seconds": 60 }),
            "1",
        ),
    ] {
        let mut control = ControlPlane::ordering(&[200], directives).await;
        let mut command = control.command("exec sleep 60");
        let gate = command
            .env("CAST_APP_PORT", answering_app().await.to_string())
            .env("CAST_KEEPALIVE_SECONDS", keepalive)
            .spawn()
            .expect("the gate starts");
        assert_eq!(control.next().await["is"], "ready", "{name}");
        assert_eq!(
            control.next().await,
            json!({ "is": "ended", "exit_code": null, "because": "not-entered" }),
            "{name}"
        );
        assert_eq!(exit_code(gate).await, 143, "{name}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the gate is a process, which goes by the machine's clock"
)]
#[tokio::test]
async fn entered_session_ignores_the_entry_timeout() {
    let directives = json!({ "entry_timeout_seconds": 1 });
    let mut control = ControlPlane::ordering(&[200], directives).await;
    let mut command = control.command("exec sleep 60");
    let gate = command
        .env("CAST_APP_PORT", answering_app().await.to_string())
        .env("CAST_KEEPALIVE_SECONDS", "2")
        .spawn()
        .expect("the gate starts");
    let port = control.next().await["port"].as_u64().expect("a port") as u16;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let ticket = SessionTicket {
        session: session(),
        role: Role::Owner,
        watcher: None,
        origin: Some(SessionOrigin::Shared),
        host: "127.0.0.1".into(),
        port,
        expires: Timestamp::from_millis(i64::try_from(now).expect("some time")).plus_seconds(60),
    }
    .sign(Keyring::new(&[3; 32]).sessions().named(""));
    let secret = SessionSecret::from_text("hush-hush".to_owned());
    let (entered, asked) = (
        Instant::now(),
        visitor()
            .get(format!("http://127.0.0.1:{port}/"))
            .headers(told_by_edge(&secret, &ticket))
            .send()
            .await,
    );
    assert_eq!(
        asked.expect("an answer").status(),
        401,
        "the app itself answers"
    );
    assert_eq!(
        control.next().await,
        json!({ "is": "ended", "exit_code": null, "because": "abandoned" })
    );
    assert!(entered.elapsed() >= Duration::from_secs(2));
    assert_eq!(exit_code(gate).await, 143);
}

#[tokio::test]
async fn idle_and_unknown_sessions_end() {
    let mut control = ControlPlane::ordering(&[200], json!({ "idle_seconds": 1 })).await;
    let gate = control.gate(answering_app().await, "exec sleep 60");
    assert_eq!(control.next().await["is"], "ready");
    assert_eq!(
        control.next().await,
        json!({ "is": "ended", "exit_code": null, "because": "idle" })
    );
    assert_eq!(exit_code(gate).await, 143);
}

/// The same command below a parent and in a process group of its own, as a supervisor starts it.
fn alone(gate: &Command) -> Command {
    let gate = gate.as_std();
    let mut parent = Command::new("sh");
    parent
        .args(["-c", "\"$@\"; exit $?", "sh"])
        .arg(gate.get_program())
        .args(gate.get_args())
        .process_group(0)
        .stderr(Stdio::null());
    for (name, value) in gate.get_envs() {
        if let Some(value) = value {
            parent.env(name, value);
        }
    }
    parent
}

#[tokio::test]
async fn work_without_input_ends_a_session() {
    let stats = |nanos: u64| json!({"app": {"cpu_stats": {"cpu_usage": {"total_usage": nanos}}}});
    // Seconds of a processor in each second, as ECS tells it.
    let ecs = |speed: f64| async move {
        let began = Instant::now();
        let told = move || {
            let used = began.elapsed().mul_f64(speed).as_nanos();
            std::future::ready(axum::Json(stats(u64::try_from(used).expect("a number"))))
        };
        let router = Router::new().route("/task/stats", get(told));
        format!("http://127.0.0.1:{}", serve(router).await)
    };
    let busy = "while :; do :; done";
    for (name, command, speed, because) in [
        ("its own processes work", busy, None, Some("unattended-cpu")),
        ("they rest", "exec sleep 60", None, None),
        (
            "another container works",
            "exec sleep 60",
            Some(1.0),
            Some("unattended-cpu"),
        ),
        ("all containers rest", busy, Some(0.1), None),
    ] {
        let limit = json!({"unattended_cpu": {"window_seconds": 2, "cpu_units": 256}});
        let mut control = ControlPlane::ordering(&[200], limit).await;
        let mut gate = alone(&control.command(command));
        gate.env("CAST_APP_PORT", answering_app().await.to_string());
        if let Some(speed) = speed {
            gate.env("ECS_CONTAINER_METADATA_URI_V4", ecs(speed).await);
        }
        let gate = gate.spawn().expect("the gate starts");
        let group = Pid::from_raw(gate.id().expect("it runs").cast_signed());
        assert_eq!(control.next().await["is"], "ready", "{name}");
        let next = tokio::time::timeout(Duration::from_secs(6), control.next()).await;
        let reason = next.ok().map(|report| report["because"].clone());
        nix::sys::signal::killpg(group, Signal::SIGKILL).expect("its processes");
        assert_eq!(reason, because.map(Value::from), "{name}");
    }
}

#[tokio::test]
async fn reclaimed_machine_ends_with_a_grace_period() {
    for (name, statuses, told, reclaim_seconds, least) in [
        ("taken back", vec![204], json!("reclaimed"), "1", 1),
        (
            "asked to end by the control plane: nothing is waited for",
            vec![204, 410],
            json!(null),
            "60",
            0,
        ),
    ] {
        let mut control = ControlPlane::answering(&statuses).await;
        let mut command = control.command("trap 'exit 9' TERM; sleep 60 & wait");
        let command = command
            .env("CAST_APP_PORT", answering_app().await.to_string())
            .env("CAST_RECLAIM_SECONDS", reclaim_seconds);
        let gate = command.spawn().expect("the gate starts");
        assert_eq!(control.next().await["is"], "ready", "{name}");
        let asked = Instant::now();
        tell(&gate, Signal::SIGTERM);
        assert_eq!(control.next().await["is"], "alive", "{name}");
        let end = control.next().await;
        assert_eq!(
            (end["is"].as_str(), &end["because"]),
            (Some("ended"), &told),
            "{name}"
        );
        assert!(asked.elapsed() >= Duration::from_secs(least), "{name}");
        assert_eq!(exit_code(gate).await, 9, "{name}");
    }
}

#[tokio::test]
async fn first_launch_command_runs_once_and_may_fail() {
    let mark = std::env::temp_dir().join(format!("casting-gate-first-{}", std::process::id()));
    let line = format!(
        "test -z \"$CAST_BOOTSTRAP_TOKEN\" && echo \"$PORT\" >> {}; exit 1",
        mark.display()
    );
    let exec = json!({ "first_launch": { "command": ["/bin/sh", "-c", line] } });
    let mut control = ControlPlane::ordering(&[200], json!({ "viewing": { "exec": exec } })).await;
    let port = answering_app().await;
    let gate = control.gate(port, "exec sleep 60");
    assert_eq!(control.next().await["is"], "ready");
    let mut lines = String::new();
    for _ in 0..1000 {
        lines = std::fs::read_to_string(&mark).unwrap_or_default();
        if !lines.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        lines,
        format!("{port}\n"),
        "with the app's environment, and without the secret"
    );
    let failed = control.next().await;
    assert_eq!(
        (&failed["is"], &failed["command"]),
        (&json!("failed"), &json!("first-launch")),
        "{failed}"
    );
    assert!(control.reports.try_recv().is_err(), "the session goes on");
    tell(&gate, Signal::SIGTERM);
    assert_eq!(exit_code(gate).await, 143);
    std::fs::remove_file(mark).expect("deletes");
}

#[tokio::test]
async fn gate_binary_copies_itself_to_the_shared_volume() {
    let folder = std::env::temp_dir().join(format!("casting-gate-install-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let install = async |folder: &std::path::Path| {
        Command::new(env!("CARGO_BIN_EXE_gate"))
            .arg("install")
            .arg(folder)
            .output()
            .await
    };
    assert!(install(&folder).await.expect("it runs").status.success());
    let version = Command::new(folder.join("gate"))
        .arg("--version")
        .output()
        .await
        .expect("the copy runs");
    assert!(version.status.success() && version.stdout.starts_with(b"gate "));
    let shared = folder.join("shm");
    std::fs::create_dir(&shared).expect("a folder");
    let opened = Command::new(env!("CARGO_BIN_EXE_gate"))
        .args(["install", "--open"])
        .args([&shared, &folder])
        .output();
    assert!(opened.await.expect("it runs").status.success());
    let mode = std::fs::metadata(&shared).expect("a folder").permissions();
    assert_eq!(mode.mode() & 0o7777, 0o1777, "everybody's");
    let nowhere = install(&folder.join("no/such")).await.expect("it runs");
    assert_eq!(nowhere.status.code(), Some(2), "{nowhere:?}");
    std::fs::remove_dir_all(folder).expect("deletes");
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the gate is a process, which goes by the machine's clock"
)]
async fn staged_session_begins_with_its_assignment() {
    let mut control = ControlPlane::ordering(&[200], json!({ "waits": true })).await;
    let told = std::env::temp_dir().join(format!("casting-assign-{}", std::process::id()));
    // No visitor was connected for longer than its keepalive, which is not an error.
    let gate = control
        .command("exec sleep 60")
        .env("CAST_APP_PORT", answering_app().await.to_string())
        .env("CAST_KEEPALIVE_SECONDS", "1")
        .spawn();
    let gate = gate.expect("the gate starts");
    let port = control.next().await["port"].as_u64().expect("a port") as u16;

    let secret = SessionSecret::from_text("hush-hush".to_owned());
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let expires = Timestamp::from_millis(i64::try_from(now).expect("some time")).plus_seconds(60);
    let ticket = SessionTicket {
        session: session(),
        role: Role::Owner,
        watcher: None,
        origin: Some(SessionOrigin::Shared),
        host: "127.0.0.1".into(),
        port,
        expires,
    }
    .sign(Keyring::new(&[3; 32]).sessions().named(""));
    let ask = async |method: reqwest::Method, path: &str, body: String| {
        let request = visitor()
            .request(method, format!("http://127.0.0.1:{port}{path}"))
            .body(body);
        let request = request.headers(told_by_edge(&secret, &ticket));
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(
        ask(reqwest::Method::GET, "/", String::new()).await,
        502,
        "it is nobody's"
    );
    assert_eq!(
        control.next().await["is"],
        "alive",
        "the gate has asked whose it is"
    );
    tokio::time::sleep(Duration::from_millis(1200)).await;

    let assign = Exec {
        command: [
            "sh",
            "-c",
            "echo $KASM_URL $CAST_USER > $0",
            told.to_str().expect("a path"),
        ]
        .map(str::to_owned)
        .into(),
        user: None,
        working_directory: None,
        environment: [].into(),
    };
    let options = SessionOptions {
        exec: ExecConfig {
            assign: Some(assign),
            ..ExecConfig::default()
        },
        ..SessionOptions::default()
    };
    let environment = [("KASM_URL", "https://a.example/"), ("CAST_USER", "ann")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let assignment = Some(Assignment {
        time_limit_seconds: 2,
        keepalive_seconds: 60,
        environment: environment.into(),
    });
    let directives = SessionDirectives {
        options,
        assignment,
        ..SessionDirectives::default()
    };
    let order = AssignTicket {
        session: session(),
        directives,
        expires,
    }
    .sign(&secret);
    for (name, body, status) in [
        ("nonsense", "v1.e30.e30".to_owned(), 403),
        ("a ticket of another kind", ticket.clone(), 403),
        ("the order", order.clone(), 204),
        ("the order again", order, 204),
    ] {
        assert_eq!(
            ask(reqwest::Method::POST, "/.cast/assign", body).await,
            status,
            "{name}"
        );
    }
    assert_eq!(
        ask(reqwest::Method::GET, "/", String::new()).await,
        401,
        "the app itself answers"
    );
    assert_eq!(
        control.next().await,
        json!({ "is": "ended", "exit_code": null, "because": "time-limit" }),
        "its own time runs from here"
    );
    assert_eq!(exit_code(gate).await, 143);
    let said = std::fs::read_to_string(&told).expect("the command has run");
    assert_eq!(said, "https://a.example/ ann\n", "once");
    std::fs::remove_file(told).expect("it is there");
}

#[tokio::test]
async fn app_readable_data_grants_no_access() {
    let mut control = ControlPlane::ordering(&[200], json!({})).await;
    // Another user than root, who could read everything anyway; all that a process of the same user
    // can try.
    let folder = std::env::temp_dir().join(format!("casting-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (program, told) = (folder.join("gate"), folder.join("told"));
    std::fs::copy(env!("CARGO_BIN_EXE_gate"), &program).expect("copied");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&folder, open).expect("opened");
    let script = format!(
        "(env; cat /proc/$PPID/environ /proc/self/environ; head -c 1 /proc/$PPID/mem; \
         ls -l /proc/$PPID/fd; stat -c environ:%u /proc/$PPID/environ) > {0}.part 2>&1; \
         mv {0}.part {0}; exec sleep 60",
        told.display()
    );
    let mut command = gate_program_at(&program, &session(), control.port, &script);
    command
        .stderr(Stdio::null())
        .env("CAST_APP_PORT", answering_app().await.to_string());
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let gate = command.spawn().expect("the gate starts");
    assert_eq!(control.next().await["is"], "ready");
    let seen = loop {
        match std::fs::read_to_string(&told) {
            Ok(seen) => break seen,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    for secret in ["good-once", "hush-hush", "CAST_BOOTSTRAP_TOKEN"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
    assert!(
        seen.contains("environ:0"),
        "the gate's files are root's: {seen}"
    );
    assert!(
        seen.contains("CAST_SESSION_ID"),
        "the app has an environment: {seen}"
    );
    drop(gate);
    std::fs::remove_dir_all(folder).expect("deletes");
}

#[tokio::test]
async fn gate_without_secret_starts_no_app() {
    let started = std::env::temp_dir().join(format!("casting-started-{}", std::process::id()));
    // Answers from the last to the first.
    for (name, token, answers) in [
        ("a token that is used up", "used", vec![]),
        ("a lost answer, then none", "good-once", vec![403, 500]),
        ("a broken answer, then none", "good-once", vec![403, 200]),
        ("the session is over", "good-once", vec![410]),
    ] {
        let answers = Arc::new(Mutex::new(answers));
        let give = move |headers: HeaderMap| {
            let scripted = answers.lock().expect("no panic").pop();
            async move {
                match scripted {
                    None => give_secret(headers).await,
                    Some(status) => {
                        let status = StatusCode::from_u16(status).expect("a status");
                        (status, axum::Json(Value::Null))
                    }
                }
            }
        };
        let port = serve(Router::new().route("/session/{id}/bootstrap", post(give))).await;
        let gate = gate_program(&session(), port, &format!("touch {}", started.display()))
            .env("CAST_BOOTSTRAP_TOKEN", token)
            .stderr(Stdio::null())
            .spawn()
            .expect("the gate starts");
        assert_eq!(exit_code(gate).await, 4, "{name}");
        assert!(!started.exists(), "{name}: the app was started");
    }
}
