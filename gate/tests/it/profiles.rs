//! A user's files through the life of a gate as a process of its own, with a stub of the control
//! plane that keeps one archive.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use casting_gate::server;
use casting_protocol::ids::SessionId;
use casting_protocol::report::{Download, ProfileDirectives, ProfileReport, Upload};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::life::give_secret;
use crate::stage::{gate_program, serve};

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(20);

/// What the control plane and the store of archives know.
#[derive(Default)]
struct Kept {
    port: Mutex<u16>,
    archive: Mutex<Option<(Vec<u8>, String)>>,
    /// The size and the digest of what is on its way.
    announced: Mutex<Option<(u64, String)>>,
    told: Mutex<Vec<String>>,
}

type Shared = State<Arc<Kept>>;

impl Kept {
    async fn serve() -> Arc<Self> {
        let kept = Arc::new(Self::default());
        let router = Router::new()
            .route("/session/{id}/bootstrap", post(give_secret))
            .route("/session/{id}/reports", post(report))
            .route("/session/{id}/profile", post(profile))
            .route("/archive", get(fetch))
            .route("/archive", put(store))
            .with_state(kept.clone());
        *kept.port.lock().expect("no panic") = serve(router).await;
        kept
    }

    fn port(&self) -> u16 {
        *self.port.lock().expect("no panic")
    }

    fn archive_url(&self) -> String {
        format!("http://127.0.0.1:{}/archive", self.port())
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().expect("no panic"))
    }
}

async fn report(State(kept): Shared, Json(report): Json<Value>) -> StatusCode {
    let because = report["because"]
        .as_str()
        .map(|because| format!(": {because}"))
        .unwrap_or_default();
    kept.told.lock().expect("no panic").push(format!(
        "{}{because}",
        report["is"].as_str().expect("a word")
    ));
    StatusCode::NO_CONTENT
}

async fn profile(
    State(kept): Shared,
    Json(report): Json<ProfileReport>,
) -> Json<ProfileDirectives> {
    let url = kept.archive_url();
    let mut directives = ProfileDirectives {
        max_bytes: 1 << 20,
        exclude: vec!["cache".into()],
        ..ProfileDirectives::default()
    };
    let word = match report {
        ProfileReport::Restore => {
            let archive = kept.archive.lock().expect("no panic");
            directives.archive = archive.as_ref().map(|(bytes, sha256)| Download {
                url,
                bytes: bytes.len() as u64,
                sha256: sha256.clone(),
            });
            "restore"
        }
        ProfileReport::Save { bytes, sha256 } => {
            *kept.announced.lock().expect("no panic") = Some((bytes, sha256));
            directives.upload = Some(Upload {
                url,
                headers: [].into(),
            });
            "save"
        }
        ProfileReport::Saved { .. } => "saved",
        ProfileReport::NotSaved { .. } => "not-saved",
    };
    kept.told.lock().expect("no panic").push(word.to_owned());
    Json(directives)
}

async fn fetch(State(kept): Shared) -> Vec<u8> {
    kept.archive
        .lock()
        .expect("no panic")
        .as_ref()
        .expect("an archive")
        .0
        .clone()
}

async fn store(State(kept): Shared, bytes: Bytes) -> StatusCode {
    let (size, sha256) = kept
        .announced
        .lock()
        .expect("no panic")
        .clone()
        .expect("it was announced");
    assert_eq!(
        bytes.len() as u64,
        size,
        "the archive is as long as was said"
    );
    *kept.archive.lock().expect("no panic") = Some((bytes.to_vec(), sha256));
    StatusCode::OK
}

/// A gate over a folder of its own.
struct Machine {
    folder: PathBuf,
    gate: Child,
}

impl Machine {
    async fn start(kept: &Kept, name: &str, script: &str, settings: &[(&str, &str)]) -> Self {
        let folder =
            std::env::temp_dir().join(format!("casting-gate-files-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let app = listener.local_addr().expect("an address").port();
        let is_up = folder.join("cache/file");
        tokio::spawn(async move {
            // The app answers once its script is as far as that.
            while !is_up.exists() {
                sleep(MOMENT).await;
            }
            server::serve(
                listener,
                Router::new().route("/", get(|| async { StatusCode::OK })),
            )
            .await
        });
        let gate = gate_program(&SessionId::from_bytes([1; 16]), kept.port(), script)
            .current_dir(&folder)
            .env("CAST_APP_PORT", app.to_string())
            .env("CAST_PROFILE_PATH", &folder)
            .envs(settings.iter().copied())
            .stderr(Stdio::null())
            .spawn()
            .expect("the gate starts");
        Self { folder, gate }
    }

    fn terminate(&self) {
        kill(
            Pid::from_raw(self.gate.id().expect("it runs") as i32),
            Signal::SIGTERM,
        )
        .expect("told");
    }

    /// Waits for its end; gives its exit code.
    async fn over(mut self) -> i32 {
        let ended = timeout(Duration::from_secs(20), self.gate.wait())
            .await
            .expect("an end in time")
            .expect("an end");
        std::fs::remove_dir_all(&self.folder).expect("deletes");
        ended.code().expect("a code")
    }
}

/// Writes when it starts and once more when it is stopped, and something that is not to be kept.
const APP: &str = "trap 'echo last >> notes; exit 0' TERM; echo first > notes; mkdir cache; echo \
                   no > cache/file; sleep 60 & wait";

#[tokio::test]
async fn profile_is_saved_however_the_session_ends() {
    for (name, settings, is_terminated, told) in [
        (
            "time-limit",
            &[("CAST_TIME_LIMIT_SECONDS", "1")][..],
            false,
            &["ended: time-limit"][..],
        ),
        ("stopped", &[], true, &["ended"]),
        (
            "taken-back",
            &[("CAST_RECLAIM_SECONDS", "1")],
            true,
            &["alive", "ended: reclaimed"],
        ),
        (
            "abandoned",
            &[("CAST_KEEPALIVE_SECONDS", "1")],
            false,
            &["ended: abandoned"],
        ),
    ] {
        let kept = Kept::serve().await;
        let machine = Machine::start(&kept, name, APP, settings).await;
        if is_terminated {
            while !kept
                .told
                .lock()
                .expect("no panic")
                .contains(&"ready".to_owned())
            {
                sleep(MOMENT).await;
            }
            machine.terminate();
        }
        assert_eq!(machine.over().await, 0, "{name}");
        assert_eq!(
            kept.told(),
            [&["restore", "ready"], told, &["save", "saved"]].concat(),
            "{name}: first the ledger, then the files"
        );

        // The next one finds them before its app starts, which ends before it answers: what was not
        // used is as it was.
        let script = "test \"$(cat notes)\" = \"$(printf 'first\\nlast')\" && test ! -e cache/file \
                      && exit 7";
        let next = Machine::start(&kept, &format!("{name}-next"), script, &[]).await;
        assert_eq!(
            next.over().await,
            7,
            "{name}: the files are as they were left"
        );
        assert_eq!(kept.told(), ["restore", "ended"], "{name}");
    }
}
