//! Owns the program under test and its restarts, the links that visitors come by, and what has been counted of them.
//! Must not know what visitors do.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use casting_identity::web_client;
use casting_tests::processes::{soon, with_environment};
use casting_tests::program::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::phone::{Lost, Phone};
use crate::samples::Sample;

/// How long the program may take to stop, with all of its sessions.
const STOPS_WITHIN: Duration = Duration::from_secs(60);
/// How many sessions may live at once: more than ever do.
const LIVE: u32 = 400;
/// The places of the links for steady visitors: so many that their counters are spread over shards.
pub const PLACES: u64 = 100_000;
/// The sessions that are started ahead.
const AHEAD: u32 = 2;

/// The link whose sessions end after a minute.
pub const SHORT: &str = "soak-short";
/// The link whose sessions end when their visitor has been away for a minute.
pub const LONG: &str = "soak-long";
/// The link without places.
pub const USED_UP: &str = "soak-used-up";
/// The link that gives each address one session.
pub const RATED: &str = "soak-rated";
/// The address that has had its session of [`RATED`].
pub const REGULAR: &str = "198.51.100.7";

/// A link, and the sessions that visitors were given by it.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Its id.
    pub id: String,
    /// Its places; `None`: any number.
    pub places: Option<u64>,
    /// The sessions.
    pub accepted: Vec<String>,
}

/// What has been counted since the beginning.
#[derive(Debug, Default)]
pub struct Tally {
    /// Sessions whose app a visitor has seen.
    pub served: AtomicU64,
    /// Visitors who were refused as they should be.
    pub refused: AtomicU64,
    /// Storms that have passed.
    pub storms: AtomicU64,
    /// Requests without an answer, while the program was up.
    pub resets: AtomicU64,
    /// Answers that should not have been.
    pub unexpected: AtomicU64,
    /// Visits that a restart cut off.
    pub cut: AtomicU64,
    /// How visitors have left, by name.
    pub left: Mutex<BTreeMap<&'static str, u64>>,
    /// What was said about the first troubles.
    pub troubles: Mutex<Vec<String>>,
}

/// How many troubles are told in words.
const TOLD: usize = 20;

impl Tally {
    /// Counts one more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how a visitor has left.
    pub fn leave(&self, way: &'static str) {
        *self.left.lock().expect("no panic").entry(way).or_default() += 1;
    }

    /// Counts an answer that should not have been.
    pub fn surprise(&self, what: impl fmt::Display) {
        Self::count(&self.unexpected);
        self.tell(what);
    }

    /// Keeps what was said about a trouble.
    pub fn tell(&self, what: impl fmt::Display) {
        let mut troubles = self.troubles.lock().expect("no panic");
        if troubles.len() < TOLD {
            eprintln!("{what}");
            troubles.push(what.to_string());
        }
    }
}

/// What happened at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A thousand visitors came.
    Storm,
    /// The program was stopped and started.
    Restart,
}

/// How the program is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// By SIGTERM: it ends its sessions.
    Asked,
    /// By SIGKILL: its sessions die with it.
    Killed,
}

/// The program and its visitors.
pub struct World {
    build: PathBuf,
    folder: TempDir,
    /// Where it listens, such as `127.0.0.1:41234`; the same after a restart.
    pub address: String,
    key: String,
    admin: Client,
    image: String,
    pool: String,
    program: tokio::sync::Mutex<Option<Program>>,
    /// Its process; 0 while it is stopped.
    pub process: AtomicU32,
    /// When it was started last.
    pub started: Mutex<Instant>,
    began: Instant,
    /// Odd while it is stopped; grows with each stop and each start.
    pub outages: AtomicU64,
    /// What has been counted.
    pub tally: Tally,
    /// The links by their keys.
    pub links: Mutex<BTreeMap<String, Link>>,
    /// What the machine says of the program.
    pub samples: Mutex<Vec<Sample>>,
    /// When a storm began and ended last.
    pub storm: Mutex<(Option<Instant>, Option<Instant>)>,
    marks: Mutex<Vec<(Duration, Event)>>,
}

fn arguments(folder: &Path, port: &str) -> Vec<String> {
    let folder = folder.display().to_string();
    ["--data", &folder, "--port", port, "--behind-proxy"]
        .map(str::to_owned)
        .into()
}

impl World {
    /// Starts the program over a new folder, and makes the links.
    pub async fn start(build: &Path) -> Result<Arc<Self>> {
        let folder = tempfile::Builder::new().prefix("soak-").tempdir()?;
        let data = folder.path().join("data");
        let program = Program::start_build(build, arguments(&data, "0")).await?;
        let port = program.url.rsplit(':').next().context("a port")?.to_owned();
        let mut world = Self {
            build: build.to_owned(),
            folder,
            address: format!("127.0.0.1:{port}"),
            key: program.key.clone(),
            admin: web_client::build(Duration::from_secs(60))?,
            image: String::new(),
            pool: String::new(),
            process: AtomicU32::new(program.child.id().unwrap_or_default()),
            program: tokio::sync::Mutex::new(Some(program)),
            started: Mutex::new(Instant::now()),
            began: Instant::now(),
            outages: AtomicU64::new(0),
            tally: Tally::default(),
            links: Mutex::default(),
            samples: Mutex::default(),
            storm: Mutex::default(),
            marks: Mutex::default(),
        };
        world.furnish().await?;
        world.began = Instant::now();
        Ok(Arc::new(world))
    }

    /// Limits, an image that may take its time, a pool of it, and the links.
    async fn furnish(&mut self) -> Result<()> {
        let limits = json!({"max_sessions": LIVE, "calls_per_minute": 1_000_000});
        self.change(Method::PATCH, "settings", &limits).await?;
        // Starts take long while a thousand visitors are answered.
        let image = json!({
            "name": "Soak", "container_image": "casting/demo-app", "command": ["demo-app"],
            "cpu": 256, "memory": 512, "start_timeout_seconds": 600,
            "exec_config": {"assign": {"cmd": ["demo-app", "assign"]}},
        });
        self.image = id(&self.change(Method::POST, "images", &image).await?)?;
        let pool = json!({"name": "Soak", "image_id": self.image, "desired_sessions": AHEAD});
        self.pool = id(&self.change(Method::POST, "staging-configs", &pool).await?)?;
        // The pool of the demo is not used here.
        let pools = self.read("staging-configs").await?;
        for other in pools["items"].as_array().context("pools")? {
            if other["id"] != *self.pool {
                self.keep_ready(other["id"].as_str().context("an id")?, 0)
                    .await?;
            }
        }
        let limits = |seconds: [Option<u32>; 2]| {
            json!({
                "session_time_limit_seconds": seconds[0], "keepalive_seconds": seconds[1],
                "entry_timeout_seconds": 60,
            })
        };
        let short = limits([Some(60), None]);
        let long = limits([Some(3600), Some(60)]);
        self.make_link(SHORT, Some(PLACES), json!({"client_settings": short}))
            .await?;
        self.make_link(LONG, Some(PLACES), json!({"client_settings": long}))
            .await?;
        self.make_link(USED_UP, Some(0), json!({})).await?;
        let rated =
            json!({"limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 86_400});
        self.make_link(RATED, None, rated).await?;
        self.serve_regular()
            .await
            .map_err(|lost| anyhow!("the regular: {lost:?}"))
    }

    /// Gives the regular the one session of [`RATED`]; one that ends before it is ready would be given back.
    async fn serve_regular(&self) -> Result<(), Lost> {
        let phone = Phone::new(self, REGULAR.to_owned()).map_err(|_| Lost::Failed)?;
        let ticket = phone.open(RATED).await?;
        let session = phone.claim(RATED, &ticket).await?;
        phone.ready(&session).await?;
        phone.end(&session).await
    }

    /// Makes a link of this key to our image.
    pub async fn make_link(&self, key: &str, places: Option<u64>, more: Value) -> Result<()> {
        let mut cast = json!({
            "name": key, "key": key, "image_id": self.image, "allow_anonymous": true,
            "limit_total_sessions": places.is_some(), "sessions_remaining": places,
            "max_live_sessions": LIVE, "enforce_client_settings": true,
            "client_settings": {"entry_timeout_seconds": 60},
        });
        let fields = cast.as_object_mut().context("fields")?;
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let made = self.change(Method::POST, "casts", &cast).await?;
        let link = Link {
            id: id(&made)?,
            places,
            accepted: Vec::new(),
        };
        self.links
            .lock()
            .expect("no panic")
            .insert(key.to_owned(), link);
        Ok(())
    }

    async fn keep_ready(&self, pool: &str, sessions: u32) -> Result<Value> {
        let path = format!("staging-configs/{pool}");
        let change = json!({"desired_sessions": sessions});
        self.change(Method::PATCH, &path, &change).await
    }

    /// Nothing is started ahead any more.
    pub async fn empty_pool(&self) -> Result<()> {
        self.keep_ready(&self.pool, 0).await.map(drop)
    }

    /// A change over the admin API: its answer.
    pub async fn change(&self, method: Method, path: &str, document: &Value) -> Result<Value> {
        let url = format!("http://{}/api/admin/{path}", self.address);
        let request = self.admin.request(method, url).bearer_auth(&self.key);
        let answer = request.json(document).send().await?;
        let (status, answer) = (answer.status(), answer.json().await?);
        ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(answer)
    }

    /// What the admin API says at this path.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let url = format!("http://{}/api/admin/{path}", self.address);
        let answer = self.admin.get(url).bearer_auth(&self.key).send().await?;
        let (status, answer) = (answer.status(), answer.json().await?);
        ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(answer)
    }

    /// All sessions of a list.
    pub async fn sessions(&self, filter: &str) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self
                .read(&format!("sessions?limit=100&{filter}{cursor}"))
                .await?;
            all.extend(
                page["items"]
                    .as_array()
                    .context("sessions")?
                    .iter()
                    .cloned(),
            );
            match page["next"].as_str() {
                Some(next) => {
                    let next: String =
                        url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    cursor = format!("&cursor={next}");
                }
                None => return Ok(all),
            }
        }
    }

    /// How long visitors have been coming.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Where the program keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The processes that this program has started, also those with another parent by now.
    pub fn processes(&self) -> Vec<u32> {
        with_environment(&self.data().display().to_string())
    }

    /// Remembers when something happened.
    pub fn mark(&self, event: Event) {
        let mark = (self.elapsed(), event);
        self.marks.lock().expect("no panic").push(mark);
    }

    /// When what happened.
    pub fn marks(&self) -> Vec<(Duration, Event)> {
        self.marks.lock().expect("no panic").clone()
    }

    /// Writes down an accepted claim.
    pub fn accept(&self, key: &str, session: &str) {
        let mut links = self.links.lock().expect("no panic");
        links
            .entry(key.to_owned())
            .or_default()
            .accepted
            .push(session.to_owned());
    }

    /// Stops the program in this way, and starts it again over what it has left.
    pub async fn restart(&self, way: Stop) -> Result<()> {
        let mut program = self.program.lock().await;
        self.outages.fetch_add(1, Ordering::SeqCst);
        self.mark(Event::Restart);
        let mut running = program.take().context("a program that runs")?;
        stop(&mut running, way).await?;
        drop(running);
        if !soon(async || self.processes().is_empty()).await {
            let left = self.processes();
            self.tally.surprise(format!(
                "{way:?}: {} processes outlive the program",
                left.len()
            ));
        }
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let started = Program::start_build(&self.build, arguments(&self.data(), port)).await?;
        self.process
            .store(started.child.id().unwrap_or_default(), Ordering::SeqCst);
        *self.started.lock().expect("no panic") = Instant::now();
        *program = Some(started);
        self.outages.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Stops the program for good, and says what it has left on disk.
    pub async fn finish(&self) -> String {
        let data = self.data();
        let mut text = format!(
            "Left in the folder, while the program still runs: {}",
            sizes(&data)
        );
        let mut program = self.program.lock().await;
        self.process.store(0, Ordering::SeqCst);
        if let Some(mut running) = program.take()
            && let Err(error) = stop(&mut running, Stop::Asked).await
        {
            self.tally.surprise(error);
        }
        text += &format!("; after its end: {}.", sizes(&data));
        text
    }
}

async fn stop(program: &mut Program, way: Stop) -> Result<()> {
    let id = program.child.id().context("it has ended by itself")?;
    let signal = match way {
        Stop::Asked => Signal::SIGTERM,
        Stop::Killed => Signal::SIGKILL,
    };
    kill(Pid::from_raw(i32::try_from(id)?), signal)?;
    let status = timeout(STOPS_WITHIN, program.child.wait())
        .await
        .context("it does not stop")??;
    ensure!(
        matches!(way, Stop::Killed) || status.success(),
        "asked to end, it says {status}"
    );
    Ok(())
}

fn id(document: &Value) -> Result<String> {
    Ok(document["id"].as_str().context("an id")?.to_owned())
}

/// The size of a folder, and of what is directly in it.
fn sizes(folder: &Path) -> String {
    let mut parts: Vec<(u64, String)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let (bytes, files) = size(&entry.path());
            let name = entry.file_name().to_string_lossy().into_owned();
            (
                bytes,
                format!("{name} {} kB in {files} files", bytes / 1000),
            )
        })
        .collect();
    parts.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let total: u64 = parts.iter().map(|(bytes, _)| bytes).sum();
    let names: Vec<String> = parts.into_iter().take(3).map(|(_, name)| name).collect();
    format!("{} kB ({})", total / 1000, names.join(", "))
}

fn size(path: &Path) -> (u64, u64) {
    let Ok(about) = path.symlink_metadata() else {
        return (0, 0);
    };
    if !about.is_dir() {
        return (about.len(), 1);
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| size(&entry.path()))
        .fold((0, 0), |(bytes, files), (more, others)| {
            (bytes + more, files + others)
        })
}
