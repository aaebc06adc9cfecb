//! Owns the local stack: starts every part in order, and stops them in the reverse one. `casting` and the tests start it alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use casting_boot::{Control, Settings};
use casting_core::Terms;
use casting_core::ids::{CastKey, Entropy};
use casting_core::ports::Store;
use casting_core::time::{Clock, Timestamp};
use casting_dynamo::schema::create_tables;
use casting_gate::edge::{self, EdgeSettings};
use casting_gate::session_host::SessionHost;
use casting_identity::oidc::{Oidc, OidcSettings};
use tokio::net::TcpListener;

use crate::browser_app::packages;
use crate::bucket;
use crate::container_app::engine::Engine;
use crate::database;
use crate::ecs::{Containers, Ecs, EcsOptions, Processes, Runtime};
use crate::folder::{Folder, draw_signing_key};
use crate::front::{self, Front};
use crate::lifecycle;
use crate::login_provider;
use crate::seed;
use crate::server::Server;

/// How a stack is to run.
#[derive(Clone)]
pub struct StackSettings {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// What the data folder is; `None` keeps everything in memory.
    pub data: Option<PathBuf>,
    /// Delete what earlier runs left.
    pub reset: bool,
    /// Where visitors reach this machine, if not `http://localhost:PORT`.
    pub public_url: Option<String>,
    /// A proxy in front adds the visitor's address at the end of X-Forwarded-For.
    pub behind_proxy: bool,
    /// The login provider, if not this machine's own.
    pub login: Option<OidcSettings>,
    /// What tasks are.
    pub tasks: TaskKind,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws keys, ids and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// How often the schedule fires; `None` leaves that to the caller.
    pub sweep_every: Option<Duration>,
}

/// What a task of the local ECS endpoint is.
#[derive(Clone, Debug)]
pub enum TaskKind {
    /// A tree of processes, started by this executable (which must be `casting`).
    Processes {
        /// Path of the executable.
        executable: PathBuf,
        /// The socket of a container engine, for images that are no commands of this machine.
        engine: Option<PathBuf>,
    },
    /// Nothing but its row: for tests with more tasks than a machine has room for.
    Imaginary,
}

/// What `casting` is called when it is a gate.
pub const GATE: &str = "gate";
/// What `casting` is called when it is the demo app.
pub const DEMO_APP: &str = "demo-app";
/// What `casting` is called when it is the browser app.
pub const BROWSER_APP: &str = "browser";
/// What `casting` is called when it stands for a container.
pub const CONTAINER_APP: &str = "container-app";

/// A running stack.
pub struct Stack {
    /// Where visitors and administrators reach it, without a trailing slash.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The administrator's API key.
    pub admin_key: String,
    /// The Debian packages without which there are no browser sessions.
    pub missing_packages: Vec<&'static str>,
    /// Whether images run as real containers.
    pub has_containers: bool,
    /// The functions' common state.
    pub control: Arc<Control>,
    /// The ECS endpoint, for tests that make it fail.
    pub ecs: Ecs,
    /// The DynamoDB endpoint's URL.
    pub dynamodb_url: String,
    /// The ECS endpoint's URL.
    pub ecs_url: String,
    /// The S3 endpoint's URL.
    pub s3_url: String,
    servers: [Server; 3],
    lifecycle: lifecycle::Pump,
    database: database::Endpoint,
    _folder: Option<Folder>,
    _scratch: Option<Scratch>,
}

impl Stack {
    /// The demo cast's link.
    pub fn demo_link(&self) -> String {
        format!("{}/cast/{}", self.url, seed::DEMO_KEY)
    }

    /// The browser cast's link, as long as nobody has deleted or disabled it.
    pub async fn browser_link(&self) -> Option<String> {
        let key = CastKey::parse(seed::BROWSER_KEY)?;
        let cast = self.control.store.cast_by_key(&key).await.ok()??;
        cast.settings
            .enabled
            .then(|| format!("{}/cast/{key}", self.url))
    }

    /// Starts everything.
    ///
    /// # Errors
    /// One plain sentence of what cannot be had: the port, the folder, the database.
    pub async fn start(settings: StackSettings) -> Result<Self> {
        let mut folder = settings.data.as_deref().map(Folder::open).transpose()?;
        // The port comes before anything is deleted or made: whoever is turned away has changed nothing.
        let listener = listen(settings.address).await?;
        let address = listener.local_addr()?;
        let places = Places::new(&settings, address);
        if let Some(folder) = &mut folder {
            if settings.reset {
                folder.reset()?;
            }
            folder.announce(&places.url)?;
        }
        let keys = Keys::read(folder.as_ref(), &*settings.entropy, settings.clock.now())?;

        let scratch = folder.is_none().then(Scratch::new).transpose()?;
        let root = folder.as_ref().map_or_else(
            || scratch.as_ref().map(|s| s.0.clone()).unwrap_or_default(),
            |f| f.path().to_owned(),
        );
        let database = database::Endpoint::start(
            folder
                .as_ref()
                .map(|f| f.path().join("casting.db"))
                .as_deref(),
        )
        .await?;
        let options = ecs_options(&settings, &root, folder.is_some())?;
        let engine = match &settings.tasks {
            TaskKind::Processes { engine, .. } => engine.clone(),
            TaskKind::Imaginary => None,
        };
        if let Some(socket) = &engine {
            // What an earlier run left when it was killed.
            Engine::at(socket)?
                .remove_all_of(&root.display().to_string())
                .await?;
        }
        let (ecs, events) = Ecs::open(options, settings.clock.clone(), settings.entropy.clone())
            .context("The ECS endpoint did not start.")?;
        let ecs_server = Server::start(listen(loopback()).await?, ecs.router())?;

        let s3_server = Server::start(listen(loopback()).await?, bucket::router(&root)?)?;

        let endpoints = [
            database.url(),
            ecs_server.url().to_owned(),
            s3_server.url().to_owned(),
        ];
        let control = Arc::new(build_control(&settings, &places, &keys, &endpoints)?);
        create_tables(control.store.client(), control.store.tables()).await?;
        seed::admit_admin_key(&control, &keys.admin).await?;
        if keys.is_new {
            seed::seed_demo(&control).await?;
        }
        let missing = match &settings.tasks {
            TaskKind::Processes { .. } => Some(packages::missing(&crate::options::search_path())),
            TaskKind::Imaginary => None,
        };
        let runs_browsers = missing.as_ref().is_some_and(Vec::is_empty);
        // Once: whoever deletes the browser's link does not find it again after the next start.
        if runs_browsers
            && folder
                .as_ref()
                .map_or(Ok(true), |folder| folder.once("browser-offered"))?
        {
            seed::seed_browser(&control).await?;
        }
        let lifecycle = lifecycle::Pump::start(control.clone(), events, settings.sweep_every);

        let session_host = SessionHost::parse(&places.session_url).ok_or_else(|| {
            anyhow!(
                "{} is not a URL under which sessions can be found.",
                places.session_url
            )
        })?;
        let edge = edge::router(EdgeSettings {
            keys: control.keys.sessions().clone(),
            session_host: session_host.clone(),
            control_url: Some(url::Url::parse(&places.url).context("The public URL is none.")?),
            secure_cookies: places.url.starts_with("https:"),
            clock: settings.clock.clone(),
        });
        let oidc = OidcSettings::new(
            format!("{}{}", places.url, login_provider::PATH),
            login_provider::CLIENT_ID,
        );
        let front = Front {
            control: control.clone(),
            oidc: Arc::new(Oidc::new(settings.login.clone().unwrap_or(oidc))?),
            provider: login_provider::router(
                &places.url,
                settings.clock.clone(),
                settings.entropy.clone(),
            )?,
            session_host,
            edge,
            behind_proxy: settings.behind_proxy,
        };
        let server = Server::start(listener, front::router(front))?;
        Ok(Self {
            url: places.url,
            address,
            admin_key: keys.admin,
            missing_packages: missing.unwrap_or_default(),
            has_containers: engine.is_some(),
            control,
            dynamodb_url: database.url(),
            ecs_url: ecs_server.url().to_owned(),
            s3_url: s3_server.url().to_owned(),
            ecs,
            servers: [server, ecs_server, s3_server],
            lifecycle,
            database,
            _folder: folder,
            _scratch: scratch,
        })
    }

    /// Stops everything: no new visitors, every task ended and its session closed, the counts written, the database shut.
    pub async fn stop(self) {
        // The front stays while tasks end: their gates save what their users have.
        let [front, ecs, s3] = self.servers;
        self.ecs.shutdown().await;
        front.stop().await;
        self.lifecycle.finish().await;
        if let Err(fault) = self.control.flush().await {
            tracing::warn!(%fault, "Could not write the last refusal counts");
        }
        ecs.stop().await;
        s3.stop().await;
        self.database.stop().await;
    }
}

/// The keys of this stack.
struct Keys {
    signing: String,
    admin: String,
    is_new: bool,
}

impl Keys {
    fn read(folder: Option<&Folder>, entropy: &dyn Entropy, now: Timestamp) -> Result<Self> {
        let signing = || draw_signing_key(entropy);
        let admin = || seed::draw_admin_key(entropy, now);
        Ok(match folder {
            None => Self {
                signing: signing(),
                admin: admin(),
                is_new: true,
            },
            Some(folder) => {
                let (admin, _) = folder.secret("admin-key", admin)?;
                let (signing, is_new) = folder.secret("signing-key", signing)?;
                Self {
                    signing,
                    admin,
                    is_new,
                }
            }
        })
    }
}

/// Where everything is reached.
struct Places {
    url: String,
    report_url: String,
    session_url: String,
}

impl Places {
    fn new(settings: &StackSettings, address: SocketAddr) -> Self {
        let port = address.port();
        let own = format!("http://localhost:{port}");
        let report_url = format!("http://127.0.0.1:{port}");
        match &settings.public_url {
            // A name of its own for each session keeps them apart; browsers find every name under localhost on this machine.
            None => Self {
                url: own,
                report_url,
                session_url: format!("http://{{session}}.localhost:{port}"),
            },
            // Elsewhere there may be no such names, so sessions live under a path.
            Some(url) => {
                let url = url.trim_end_matches('/').to_owned();
                Self {
                    session_url: format!("{url}/s/{{session}}"),
                    url,
                    report_url,
                }
            }
        }
    }
}

fn build_control(
    settings: &StackSettings,
    places: &Places,
    keys: &Keys,
    [dynamodb, ecs, s3]: &[String; 3],
) -> Result<Control> {
    let terms = Terms {
        public_url: places.url.clone(),
        report_url: places.report_url.clone(),
        session_url: places.session_url.clone(),
    };
    let has_engine = matches!(
        settings.tasks,
        TaskKind::Processes {
            engine: Some(_),
            ..
        }
    );
    let mut settings = Settings::local(
        terms,
        &keys.signing,
        dynamodb,
        ecs,
        settings.clock.clone(),
        settings.entropy.clone(),
    )?;
    settings.has_logins = true;
    settings.aws.s3_endpoint = Some(s3.clone());
    settings.profile_bucket = Some(bucket::BUCKET.to_owned());
    settings.ecs.gate_image = has_engine.then(|| "casting/gate".to_owned());
    Ok(casting_boot::build(settings)?)
}

fn ecs_options(settings: &StackSettings, root: &Path, keep: bool) -> Result<EcsOptions> {
    Ok(EcsOptions {
        region: "local".into(),
        account: "000000000000".into(),
        cluster: "local".into(),
        journal: keep.then(|| root.join("ecs.jsonl")),
        runtime: match &settings.tasks {
            TaskKind::Processes { executable, engine } => {
                Runtime::Processes(lay_out_tasks(executable, engine.clone(), root)?)
            }
            TaskKind::Imaginary => Runtime::Imaginary { run_at_once: true },
        },
        max_tasks: None,
    })
}

/// Gives tasks what they find in a container: the gate and the apps as commands (all of them are this executable), and a plain environment.
fn lay_out_tasks(executable: &Path, engine: Option<PathBuf>, root: &Path) -> Result<Processes> {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin)
        .with_context(|| format!("Cannot make the folder {}.", bin.display()))?;
    for name in [GATE, DEMO_APP, BROWSER_APP, CONTAINER_APP] {
        let link = bin.join(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(executable, &link)
            .with_context(|| format!("Cannot make the link {}.", link.display()))?;
    }
    let containers = engine.map(|socket| Containers {
        socket,
        folder: root.display().to_string(),
        app: CONTAINER_APP.to_owned(),
    });
    Ok(Processes {
        supervisor: executable.to_owned(),
        logs: root.join("tasks"),
        bin,
        environment: crate::options::task_environment(),
        containers,
    })
}

const fn loopback() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| match address.port() {
        0 => format!("Cannot listen on {}.", address.ip()),
        port => format!(
            "Cannot listen on port {port} of {}: it may be in use. Stop the other program, or choose another port with --port.",
            address.ip()
        ),
    })
}

/// A folder that is deleted at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("casting-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("Cannot make the folder {}.", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
