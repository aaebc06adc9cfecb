//! Owns the local stack: starts every part in order, and stops them in the reverse one. `casting`
//! and the tests start it alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use casting_boot::settings::{parse_origin, parse_session_url};
use casting_boot::{Settings, clients};
use casting_core::admin::login_previews::LoginReader;
use casting_core::deployment::FirstLimits;
use casting_core::event_bus::EventBusArn;
use casting_core::ids::{CastKey, Entropy};
use casting_core::ports::{EventBus, GeoDatabase, SessionLogs};
use casting_core::time::{Clock, Timestamp};
use casting_core::urls;
use casting_core::{ControlPlane, PublicUrls};
use casting_dynamo::DynamoStore;
use casting_dynamo::schema::create_tables;
use casting_gate::edge::{self, EdgeSettings};
use casting_gate::server::{self, Limits};
use casting_gate::session_host::SessionHost;
use casting_geo::GeoFiles;
use casting_identity::oidc::{Oidc, OidcSettings};
use casting_identity::preview::OidcReader;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::{Host, Url};

use crate::browser_app::packages;
use crate::bucket::{self, AccessKey};
use crate::confine::reach::Reach;
use crate::confine::{self, Confinement, Level, probe};
use crate::container_app::engine::Engine;
use crate::database::{self, DynamoDb};
use crate::ecs::{Containers, Ecs, EcsOptions, GatePorts, Processes, Runtime};
use crate::folder::{Folder, draw_signing_key};
use crate::front::{self, Front};
use crate::in_process::{self, InProcess};
use crate::lifecycle;
use crate::login_provider;
use crate::request_check::HostNames;
use crate::seed;
use crate::server::Server;
use crate::streamed_app;

/// How a stack is to run.
#[derive(Clone)]
pub struct StackSettings {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// The data folder; `None` keeps everything in memory.
    pub data: Option<PathBuf>,
    /// Delete what earlier runs left.
    pub reset: bool,
    /// Where visitors reach this machine, if not `http://localhost:PORT`.
    pub public_url: Option<String>,
    /// Where visitors reach sessions, with `{session}` in the host name; `None`: below the host of
    /// the public URL.
    pub session_url: Option<String>,
    /// Offer the demo users also where other machines may reach this stack.
    pub demo_logins: bool,
    /// Let programs outside of this process call DynamoDB and ECS on ports of loopback: for tests
    /// of such programs. These ports check no signatures.
    pub open_endpoints: bool,
    /// A proxy in front adds the visitor's address at the end of X-Forwarded-For.
    pub behind_proxy: bool,
    /// The login provider, if not this machine's own.
    pub login: Option<OidcSettings>,
    /// Databases of the countries and networks of addresses: files, or folders of them.
    pub geo_databases: Vec<PathBuf>,
    /// The event bus that hooks may name, and what puts events on it: for tests.
    pub event_bus: Option<(EventBusArn, Arc<dyn EventBus>)>,
    /// How tasks run.
    pub tasks: TaskKind,
    /// How many starts ECS takes in a second, and at once; `None` for any number.
    pub starts_per_second: Option<u32>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws keys, ids and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// How often the schedule fires; `None` leaves that to the caller.
    pub sweep_every: Option<Duration>,
    /// The first limits of a stack with new data.
    pub first_limits: FirstLimits,
}

/// How the tasks of the local ECS endpoint run.
#[derive(Clone, Debug)]
pub enum TaskKind {
    /// A tree of processes, started by this executable (which must be `casting`).
    Processes {
        /// Path of the executable.
        executable: PathBuf,
        /// The socket of a container engine, for images that are no commands of this machine.
        engine: Option<PathBuf>,
        /// The permissions of the commands of sessions.
        freedom: Freedom,
    },
    /// Nothing but its row: for tests with more tasks than a machine has room for.
    Simulated,
}

/// The permissions of the commands of sessions on this machine.
#[derive(Clone, Debug, Default)]
pub struct Freedom {
    /// Whether they run without any confinement.
    pub unconfined: bool,
    /// Folders that they may read besides those with the machine's programs.
    pub shown: Vec<PathBuf>,
    /// Addresses that are not public and that they may connect to all the same.
    pub reach: Vec<Reach>,
    /// The virtual environment with Selkies, the streaming server.
    pub selkies: PathBuf,
}

impl Freedom {
    /// The folders of the streaming server and its Python, where these are not among the machine's
    /// programs.
    fn streaming_folders(&self) -> Vec<PathBuf> {
        let interpreter = streamed_app::packages::programs(&self.selkies).join("python3");
        let python = interpreter.canonicalize().ok();
        let python = python
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent);
        let is_hidden = |folder: &&Path| {
            folder.is_dir() && !["/usr", "/opt"].iter().any(|root| folder.starts_with(root))
        };
        [Some(self.selkies.as_path()), python]
            .into_iter()
            .flatten()
            .filter(is_hidden)
            .map(Path::to_owned)
            .collect()
    }
}

/// The name of the executable as a gate.
pub const GATE: &str = "gate";
/// The name of the executable as the demo app.
pub const DEMO_APP: &str = "demo-app";
/// The name of the executable as the browser app.
pub const BROWSER_APP: &str = "browser";
/// The name of the executable as the browser on a streaming server.
pub const STREAMED_BROWSER_APP: &str = "streamed-browser";
/// The name of the executable as the desktop on a streaming server.
pub const STREAMED_DESKTOP_APP: &str = "streamed-desktop";
/// The name of the executable in the place of a container.
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
    /// The commands that install what the streamed apps need; none if all of it is there.
    pub streaming_lines: Vec<String>,
    /// How commands of sessions are held; `None`: they are not run.
    pub confinement: Option<Level>,
    /// Why they are not held better, a sentence each.
    pub confinement_faults: Vec<String>,
    /// Whether images run as real containers.
    pub has_containers: bool,
    /// The functions' common state.
    pub control_plane: Arc<ControlPlane>,
    /// The tables under the control plane, for tests that read rows.
    pub dynamodb: DynamoStore,
    /// The ECS endpoint, for tests that make it fail.
    pub ecs: Ecs,
    /// Where visitors reach sessions: a URL with `{session}`.
    pub session_url: String,
    /// The password of the demo user who administers; `None` where there are no demo users.
    pub demo_password: Option<String>,
    /// DynamoDB and ECS on ports, where the settings ask for them.
    pub endpoints: Option<Endpoints>,
    /// The S3 endpoint's URL. It answers only requests that are signed by this stack.
    pub s3_url: String,
    front: Server,
    s3: Server,
    lifecycle: lifecycle::EventPump,
    refusals: JoinHandle<()>,
    database: database::Endpoint,
    _folder: Option<Folder>,
    _scratch: Option<TempDir>,
}

/// The servers of DynamoDB and ECS for programs outside of this process.
pub struct Endpoints {
    /// The DynamoDB endpoint's URL.
    pub dynamodb_url: String,
    /// The ECS endpoint's URL.
    pub ecs_url: String,
    servers: [Server; 2],
}

impl Endpoints {
    fn open(dynamodb: &DynamoDb, ecs: &Ecs) -> Result<Self> {
        let limits = Limits::default();
        let servers = [
            Server::start(listen(loopback())?, dynamodb.router(), limits)?,
            Server::start(listen(loopback())?, ecs.router(), limits)?,
        ];
        Ok(Self {
            dynamodb_url: servers[0].url().to_owned(),
            ecs_url: servers[1].url().to_owned(),
            servers,
        })
    }
}

/// The databases of the countries and networks of addresses, if any is named.
fn open_geo_databases(paths: &[PathBuf]) -> Result<Option<Arc<dyn GeoDatabase>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(GeoFiles::open(paths)?)))
}

impl Stack {
    /// The demo cast's link.
    pub fn demo_link(&self) -> String {
        format!("{}{}", self.url, urls::cast(seed::DEMO_KEY))
    }

    /// The link of the cast with this key, unless it has been deleted or disabled.
    pub async fn open_link(&self, key: &str) -> Option<String> {
        let key = CastKey::parse(key)?;
        let cast = self.control_plane.store.cast_by_key(&key).await.ok()??;
        cast.settings
            .enabled
            .then(|| format!("{}{}", self.url, urls::cast(&key)))
    }

    /// Starts everything.
    ///
    /// # Errors
    /// One plain sentence of what cannot be had: the port, the folder, the database.
    pub async fn start(settings: StackSettings) -> Result<Self> {
        let mut folder = settings.data.as_deref().map(Folder::open).transpose()?;
        let geo = open_geo_databases(&settings.geo_databases)?;
        // The port comes first: a start that fails has changed nothing.
        let listener = listen(settings.address)?;
        let address = listener.local_addr()?;
        let urls = Urls::new(&settings, address)?;
        if let Some(folder) = &mut folder {
            if settings.reset {
                folder.reset()?;
            }
            folder.announce(&urls.url)?;
        }
        let keys = Keys::read(folder.as_ref(), &*settings.entropy, settings.clock.now())?;

        let scratch = folder.is_none().then(scratch_folder).transpose()?;
        let root = folder.as_ref().map_or_else(
            || {
                scratch
                    .as_ref()
                    .map(|s| s.path().to_owned())
                    .unwrap_or_default()
            },
            |f| f.path().to_owned(),
        );
        let file = folder.as_ref().map(|f| f.private_file("casting.db"));
        let database = database::Endpoint::start(file.transpose()?.as_deref())?;
        let mut options = ecs_options(&settings, &root, folder.is_some())?;
        let faults = match (&settings.tasks, &mut options.runtime) {
            (
                TaskKind::Processes {
                    executable,
                    freedom,
                    ..
                },
                Runtime::Processes(processes),
            ) => {
                let (confinement, faults) = confine(executable, &processes.logs, freedom);
                processes.confinement = confinement;
                faults
            }
            _ => Vec::new(),
        };
        let confinement = match &options.runtime {
            Runtime::Processes(processes) => processes.confinement.as_ref().map(|held| held.level),
            Runtime::Simulated { .. } => None,
        };
        let gate_ports = match &options.runtime {
            Runtime::Processes(processes) => processes.gate_ports.clone(),
            Runtime::Simulated { .. } => GatePorts::default(),
        };
        let engine = match &settings.tasks {
            TaskKind::Processes { engine, .. } => engine.clone(),
            TaskKind::Simulated => None,
        };
        if let Some(socket) = &engine {
            // Remains of an earlier run that was killed.
            Engine::at(socket)?
                .remove_all_of(&root.display().to_string())
                .await?;
        }
        let (ecs, events) = Ecs::open(options, settings.clock.clone(), settings.entropy.clone())
            .context("The ECS endpoint did not start.")?;
        if let Some(starts) = settings.starts_per_second {
            ecs.limit_starts(starts, starts);
        }
        let s3_key = AccessKey::random(&*settings.entropy);
        let s3 = Server::start(
            listen(loopback())?,
            bucket::router(&root, &s3_key)?,
            Limits::default(),
        )?;
        let endpoints = settings
            .open_endpoints
            .then(|| Endpoints::open(&database.api(), &ecs))
            .transpose()?;
        let transport = SharedHttpClient::new(InProcess {
            dynamodb: database.api(),
            ecs: ecs.router(),
        });
        let has_demo_users = settings.login.is_none() && settings.has_demo_users();
        let mut built = control_settings(&settings, &urls, &keys, transport.clone())?;
        built.has_logins = settings.login.is_some() || has_demo_users;
        built.aws.credentials = Credentials::new(s3_key.id, s3_key.secret, None, None, "local");
        built.aws.s3_endpoint = Some(s3.url().to_owned());
        let dynamodb = DynamoStore::new(
            clients::dynamodb(&built.aws, &transport),
            built.tables.clone(),
        );
        create_tables(dynamodb.client(), dynamodb.tables()).await?;
        let mut control_plane = casting_boot::build(built)?;
        control_plane.logs = Some(Arc::new(TaskLogs(ecs.clone())));
        control_plane.geo = geo;
        (control_plane.event_bus_arn, control_plane.event_bus) = settings.event_bus.clone().unzip();
        let login = settings.login.clone().or_else(|| {
            has_demo_users.then(|| {
                OidcSettings::new(
                    format!("{}{}", urls.url, login_provider::PATH),
                    login_provider::CLIENT_ID,
                )
            })
        });
        control_plane.login_reader = login
            .clone()
            .map(|login| Arc::new(OidcReader::new(login)) as Arc<dyn LoginReader>);
        let control_plane = Arc::new(control_plane);
        seed::admit_admin_key(&control_plane, &keys.admin).await?;
        if keys.is_new {
            if matches!(settings.tasks, TaskKind::Processes { .. }) {
                seed::limit(&control_plane).await?;
            }
            seed::seed_demo(&control_plane).await?;
        }
        let missing = match &settings.tasks {
            TaskKind::Processes { .. } => Some(packages::missing(&crate::options::search_path())),
            TaskKind::Simulated => None,
        };
        let runs_browsers = missing.as_ref().is_some_and(Vec::is_empty);
        // Once: if the browser's link is deleted, it is not created again at the next start.
        if runs_browsers
            && folder
                .as_ref()
                .map_or(Ok(true), |folder| folder.once("browser-offered"))?
        {
            seed::seed_browser(&control_plane).await?;
        }
        let streaming_lines = match &settings.tasks {
            TaskKind::Processes { freedom, .. } => Some(streamed_app::packages::install_lines(
                &crate::options::search_path(),
                &freedom.selkies,
            )),
            TaskKind::Simulated => None,
        };
        if streaming_lines.as_ref().is_some_and(Vec::is_empty)
            && folder
                .as_ref()
                .map_or(Ok(true), |folder| folder.once("streaming-offered"))?
        {
            seed::seed_streamed(&control_plane).await?;
        }
        let lifecycle =
            lifecycle::EventPump::start(control_plane.clone(), events, settings.sweep_every);
        let refusals = tokio::spawn(write_refusals(control_plane.clone()));

        let session_host = SessionHost::parse(&urls.session_url).ok_or_else(|| {
            anyhow!(
                "{} is not a URL under which sessions can be found.",
                urls.session_url
            )
        })?;
        let edge = edge::router(EdgeSettings {
            keys: control_plane.keys.sessions().clone(),
            session_host: session_host.clone(),
            // All gates are on this machine, and nothing else of it is a gate.
            places: casting_gate::places::Places::with_loopback(move |port| gate_ports.has(port)),
            control_url: Some(url::Url::parse(&urls.url).context("The public URL is none.")?),
            secure_cookies: urls.url.starts_with("https:"),
            clock: settings.clock.clone(),
            entropy: settings.entropy.clone(),
        });
        let provider = has_demo_users.then(|| {
            login_provider::router(
                &urls.url,
                &keys.demo_password,
                settings.clock.clone(),
                settings.entropy.clone(),
            )
        });
        let front = Front {
            control_plane: control_plane.clone(),
            oidc: login.map(Oidc::new).transpose()?.map(Arc::new),
            provider: provider.transpose()?,
            hosts: HostNames::new(&urls.url, address.ip()),
            session_host,
            edge,
            behind_proxy: settings.behind_proxy,
        };
        let front = Server::start(listener, front::router(front), settings.front_limits())?;
        Ok(Self {
            url: urls.url,
            address,
            admin_key: keys.admin,
            missing_packages: missing.unwrap_or_default(),
            streaming_lines: streaming_lines.unwrap_or_default(),
            confinement,
            confinement_faults: faults,
            has_containers: engine.is_some(),
            control_plane,
            dynamodb,
            session_url: urls.session_url,
            demo_password: has_demo_users.then_some(keys.demo_password),
            endpoints,
            s3_url: s3.url().to_owned(),
            ecs,
            front,
            s3,
            lifecycle,
            refusals,
            database,
            _folder: folder,
            _scratch: scratch,
        })
    }

    /// Stops everything: no new visitors, every task ended and its session closed, the counts
    /// written, the database shut.
    pub async fn stop(self) {
        // The front stays while tasks end: their gates save what their users have.
        self.ecs.shutdown().await;
        self.front.stop().await;
        self.lifecycle.finish().await;
        self.refusals.abort();
        if let Err(fault) = self.control_plane.flush().await {
            tracing::warn!(%fault, "Could not write the last refusal counts");
        }
        for server in self.endpoints.into_iter().flat_map(|open| open.servers) {
            server.stop().await;
        }
        self.s3.stop().await;
        self.database.stop().await;
    }
}

/// The logs of this machine's tasks.
struct TaskLogs(Ecs);

impl SessionLogs for TaskLogs {
    fn tail(&self, task: &str) -> Option<String> {
        self.0.log_tail(task)
    }
}

/// How long refusals beyond the first ten are only counted in memory.
const REFUSALS_EVERY: Duration = Duration::from_secs(1);

/// Writes what is counted of refusals, again and again: unlike a function, this process runs on
/// between requests.
async fn write_refusals(control_plane: Arc<ControlPlane>) {
    let mut interval = tokio::time::interval(REFUSALS_EVERY);
    loop {
        interval.tick().await;
        if let Err(fault) = control_plane.flush().await {
            tracing::warn!(%fault, "Could not write refusal counts");
        }
    }
}

/// The keys of this stack.
struct Keys {
    signing: String,
    admin: String,
    demo_password: String,
    is_new: bool,
}

impl Keys {
    fn read(folder: Option<&Folder>, entropy: &dyn Entropy, now: Timestamp) -> Result<Self> {
        let signing = || draw_signing_key(entropy);
        let admin = || seed::draw_admin_key(entropy, now);
        let password = || login_provider::draw_password(entropy);
        Ok(match folder {
            None => Self {
                signing: signing(),
                admin: admin(),
                demo_password: password(),
                is_new: true,
            },
            Some(folder) => {
                let (admin, _) = folder.secret("admin-key", admin)?;
                let (signing, is_new) = folder.secret("signing-key", signing)?;
                let (demo_password, _) = folder.secret(login_provider::PASSWORD_FILE, password)?;
                Self {
                    signing,
                    admin,
                    demo_password,
                    is_new,
                }
            }
        })
    }
}

impl StackSettings {
    /// One visitor leaves a quarter of all connections to others, where visitors can be
    /// distinguished.
    fn front_limits(&self) -> Limits {
        let limits = Limits::default();
        let per_peer = if self.behind_proxy {
            limits.connections
        } else {
            limits.connections / 4 * 3
        };
        Limits { per_peer, ..limits }
    }

    /// Whether the demo users are offered: where only this machine reaches the stack, or on
    /// request.
    fn has_demo_users(&self) -> bool {
        let is_private = self.address.ip().is_loopback() && self.public_url.is_none();
        is_private || self.demo_logins
    }
}

/// Where everything is reached.
struct Urls {
    url: String,
    report_url: String,
    session_url: String,
}

impl Urls {
    fn new(settings: &StackSettings, address: SocketAddr) -> Result<Self> {
        let port = address.port();
        let url = match &settings.public_url {
            None => format!("http://localhost:{port}"),
            Some(url) => parse_origin(url)
                .map_err(|why| anyhow!("The public URL {url} {why} Set it with --public-url."))?,
        };
        let session_url = match &settings.session_url {
            Some(url) => parse_session_url(url)
                .map_err(|why| anyhow!("The session URL {url} {why} Set it with --session-url."))?,
            None => names_below(&url)?,
        };
        check_origins(&url, &session_url)?;
        Ok(Self {
            url,
            session_url,
            report_url: format!("http://{}", reached_from_here(address)),
        })
    }
}

/// Where programs of this machine reach what listens on `address`.
fn reached_from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A host name for each session, below the host of `url`: each is an origin of its own.
fn names_below(url: &str) -> Result<String> {
    let parsed = Url::parse(url).context("The public URL is none.")?;
    match (parsed.host(), url.split_once("://")) {
        (Some(Host::Domain(_)), Some((scheme, authority))) => {
            Ok(format!("{scheme}://{{session}}.{authority}"))
        }
        _ => bail!(
            "Sessions need host names of their own, and {url} has an address in place of a \
                    name. Choose names that lead to this machine with --session-url, such as \
                    http://{{session}}.cast.lan:8300."
        ),
    }
}

/// Refuses sessions on the console's host: what runs in a session could act as its administrator.
/// Another port does not help, because cookies are shared by all ports of a host.
fn check_origins(url: &str, session_url: &str) -> Result<()> {
    let host = |url: &str| {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?;
        Some(host.strip_suffix('.').unwrap_or(host).to_owned())
    };
    let (console, session) = (host(url), host(&session_url.replace("{session}", "s1")));
    if console.is_none() || session.is_none() || console == session {
        bail!(
            "Sessions at {session_url} would share a host with the console at {url}, and an app \
               in a session could act as the administrator. Choose names of their own with \
               --session-url, such as https://{{session}}.sessions.example.com."
        );
    }
    Ok(())
}

/// The settings of the control plane, but for its logins and its S3.
fn control_settings(
    settings: &StackSettings,
    urls: &Urls,
    keys: &Keys,
    transport: SharedHttpClient,
) -> Result<Settings> {
    let urls = PublicUrls {
        public_url: urls.url.clone(),
        report_url: urls.report_url.clone(),
        session_url: urls.session_url.clone(),
    };
    let has_engine = matches!(
        settings.tasks,
        TaskKind::Processes {
            engine: Some(_),
            ..
        }
    );
    let (first_limits, starts_per_second) = (settings.first_limits, settings.starts_per_second);
    let mut settings = Settings::local(
        urls,
        &keys.signing,
        in_process::DYNAMODB_URL,
        in_process::ECS_URL,
        settings.clock.clone(),
        settings.entropy.clone(),
    )?;
    settings.aws.transport = Some(transport);
    settings.profile_bucket = Some(bucket::BUCKET.to_owned());
    settings.first_limits = first_limits;
    if let Some(starts) = starts_per_second {
        settings.ecs.starts_per_second = starts;
    }
    settings.ecs.gate_image = has_engine.then(|| "casting/gate".to_owned());
    Ok(settings)
}

fn ecs_options(settings: &StackSettings, root: &Path, keep: bool) -> Result<EcsOptions> {
    Ok(EcsOptions {
        region: "local".into(),
        account: "000000000000".into(),
        cluster: "local".into(),
        journal: keep.then(|| root.join("ecs.jsonl")),
        runtime: match &settings.tasks {
            TaskKind::Processes {
                executable,
                engine,
                freedom,
            } => {
                let mut processes = lay_out_tasks(executable, engine.clone(), root)?;
                // Last, so that nothing in it takes the place of the machine's own programs.
                if let Some(path) = processes.environment.get_mut("PATH") {
                    let own = streamed_app::packages::programs(&freedom.selkies);
                    *path = format!("{path}:{}", own.display());
                }
                Runtime::Processes(Box::new(processes))
            }
            TaskKind::Simulated => Runtime::Simulated { run_at_once: true },
        },
        max_tasks: None,
    })
}

/// Gives tasks what they find in a container: the gate and the apps as commands (all of them are
/// this executable), and a plain environment.
fn lay_out_tasks(executable: &Path, engine: Option<PathBuf>, root: &Path) -> Result<Processes> {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin)
        .with_context(|| format!("Cannot make the folder {}.", bin.display()))?;
    for name in [
        GATE,
        DEMO_APP,
        BROWSER_APP,
        STREAMED_BROWSER_APP,
        STREAMED_DESKTOP_APP,
        CONTAINER_APP,
        confine::NAME,
    ] {
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
        confinement: None,
        gate_ports: GatePorts::default(),
    })
}

/// How commands are held here, and why not better.
fn confine(
    executable: &Path,
    folder: &Path,
    freedom: &Freedom,
) -> (Option<Confinement>, Vec<String>) {
    let own_users = nix::unistd::Uid::effective().is_root();
    let (level, faults) = if freedom.unconfined {
        (Some(Level::Unconfined), Vec::new())
    } else {
        let found = probe::find(executable, folder, own_users);
        (found.level, found.reasons)
    };
    let confinement = level.map(|level| Confinement {
        level,
        shown: freedom.shown.clone(),
        streaming: freedom.streaming_folders(),
        reach: freedom.reach.clone(),
        own_users,
    });
    (confinement, faults)
}

const fn loopback() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    server::listen(address).with_context(|| match address.port() {
        0 => format!("Cannot listen on {}.", address.ip()),
        port => format!(
            "Cannot listen on port {port} of {}: it may be in use. Stop the other program, or \
             choose another port with --port.",
            address.ip()
        ),
    })
}

/// A folder that only its owner can read, deleted at the end.
fn scratch_folder() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("casting-")
        .tempdir()
        .context("Cannot make a folder for temporary files.")
}

#[cfg(test)]
mod tests {
    use casting_boot::{SystemClock, SystemEntropy};

    use super::*;

    fn settings(public: Option<&str>, session: Option<&str>, listen: &str) -> StackSettings {
        StackSettings {
            address: listen.parse().expect("an address"),
            data: None,
            reset: false,
            public_url: public.map(str::to_owned),
            session_url: session.map(str::to_owned),
            demo_logins: false,
            open_endpoints: false,
            behind_proxy: false,
            login: None,
            geo_databases: Vec::new(),
            event_bus: None,
            tasks: TaskKind::Simulated,
            starts_per_second: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
            sweep_every: None,
            first_limits: FirstLimits::default(),
        }
    }

    #[test]
    fn sessions_and_console_use_different_hosts() {
        let public = "https://cast.example.com";
        for (name, public, session, expected) in [
            (
                "defaults",
                None,
                None,
                Some("http://{session}.localhost:8300"),
            ),
            (
                "below the name",
                Some(public),
                None,
                Some("https://{session}.cast.example.com"),
            ),
            (
                "a port",
                Some("http://cast.lan:8300/"),
                None,
                Some("http://{session}.cast.lan:8300"),
            ),
            (
                "names elsewhere",
                Some(public),
                Some("https://{session}.s.example.com"),
                Some("https://{session}.s.example.com"),
            ),
            (
                "a path of another host",
                Some(public),
                Some("https://s.example.com/s/{session}"),
                Some("https://s.example.com/s/{session}"),
            ),
            (
                "an address with names for sessions",
                Some("http://192.0.2.1:8300"),
                Some("http://{session}.cast.lan:8300"),
                Some("http://{session}.cast.lan:8300"),
            ),
            ("an address", Some("http://192.0.2.1:8300"), None, None),
            ("an IPv6 address", Some("http://[2001:db8::1]"), None, None),
            (
                "a path of the console",
                Some(public),
                Some("https://cast.example.com/s/{session}"),
                None,
            ),
            (
                "another port of the console",
                Some(public),
                Some("https://cast.example.com:8443/s/{session}"),
                None,
            ),
            (
                "the console in other letters",
                Some(public),
                Some("https://CAST.example.com./s/{session}"),
                None,
            ),
            (
                "a path of localhost",
                None,
                Some("http://localhost:8300/s/{session}"),
                None,
            ),
            (
                "no place for the session",
                Some(public),
                Some("https://s.example.com"),
                None,
            ),
            ("no URL", Some("cast.example.com"), None, None),
            (
                "a path in the public URL",
                Some("https://example.com/cast"),
                None,
                None,
            ),
        ] {
            let settings = settings(public, session, "127.0.0.1:8300");
            let urls = Urls::new(&settings, settings.address);
            match (&urls, expected) {
                (Ok(urls), Some(expected)) => {
                    assert_eq!(urls.session_url, expected, "{name}");
                    assert!(SessionHost::parse(expected).is_some(), "{name}");
                }
                (Err(error), None) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("--session-url") || text.contains("--public-url"),
                        "{text}"
                    );
                }
                (urls, _) => panic!("{name}: {:?}", urls.as_ref().map(|p| &p.session_url)),
            }
        }
    }

    #[test]
    fn demo_users_are_available_on_loopback_only() {
        for (name, public, listen, demo_logins, expected) in [
            ("defaults", None, "127.0.0.1:0", false, true),
            ("IPv6 loopback", None, "[::1]:0", false, true),
            ("all addresses", None, "0.0.0.0:0", false, false),
            ("one address", None, "192.0.2.1:0", false, false),
            (
                "a public URL",
                Some("https://cast.example.com"),
                "127.0.0.1:0",
                false,
                false,
            ),
            (
                "on request",
                Some("https://cast.example.com"),
                "0.0.0.0:0",
                true,
                true,
            ),
        ] {
            let settings = StackSettings {
                demo_logins,
                ..settings(public, None, listen)
            };
            assert_eq!(settings.has_demo_users(), expected, "{name}");
        }
    }

    #[test]
    fn gate_report_address_is_bound() {
        for (listen, report) in [
            ("127.0.0.1:8300", "127.0.0.1:8300"),
            ("0.0.0.0:8300", "127.0.0.1:8300"),
            ("192.0.2.1:8300", "192.0.2.1:8300"),
            ("[::]:8300", "[::1]:8300"),
        ] {
            let address = listen.parse().expect("an address");
            assert_eq!(reached_from_here(address).to_string(), report);
        }
    }
}
