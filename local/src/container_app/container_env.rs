//! Owns the settings of the container app: the only place of it that reads the environment. Must
//! not know how they are used.

use std::path::PathBuf;

use anyhow::Context;
use casting_core::ids::SessionId;
use casting_core::session_environment::MASTER_TOKEN;

/// The engine's socket.
pub const SOCKET: &str = "CASTING_CONTAINER_SOCKET";
/// The image's reference.
pub const IMAGE: &str = "CASTING_CONTAINER_IMAGE";
/// The command, as JSON; empty is the image's own.
pub const COMMAND: &str = "CASTING_CONTAINER_COMMAND";
/// The environment inside, as a JSON list of `NAME=value`.
pub const CONTAINER_ENVIRONMENT: &str = "CASTING_CONTAINER_ENVIRONMENT";
/// The port inside on which the app listens.
pub const CONTAINER_PORT: &str = "CASTING_CONTAINER_PORT";
/// The port inside at which the app serves its sound, and the loopback port of this machine that
/// leads there, with a space between them; not set without sound.
pub const SOUND_PORTS: &str = "CASTING_CONTAINER_SOUND_PORTS";
/// CPU units and MiB of memory, with a space between them.
pub const LIMITS: &str = "CASTING_CONTAINER_LIMITS";
/// The folder of the stack that the container belongs to.
pub const FOLDER: &str = "CASTING_CONTAINER_FOLDER";

/// The folder with the user's files, on this machine and, in the container's own environment,
/// inside.
const PROFILE_PATH: &str = "CAST_PROFILE_PATH";

/// The network's name, in the container's own environment.
const NETWORK: &str = "CAST_NETWORK";

/// Where a session's container is.
#[derive(Clone, Debug)]
pub struct ContainerRef {
    /// See [`SOCKET`].
    pub socket: PathBuf,
    /// The session (`CAST_SESSION_ID`).
    pub session: SessionId,
}

impl ContainerRef {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let session = SessionId::parse(&required_variable("CAST_SESSION_ID")?)
            .context("CAST_SESSION_ID must hold a session id")?;
        Ok(Self {
            socket: required_variable(SOCKET)?.into(),
            session,
        })
    }

    /// What the container is called.
    pub fn name(&self) -> String {
        name_of(self.session.as_str())
    }
}

/// The settings of the container app.
#[derive(Clone, Debug)]
pub struct ContainerEnv {
    /// Where the container is.
    pub place: ContainerRef,
    /// See [`IMAGE`].
    pub image: String,
    /// See [`COMMAND`].
    pub command: Vec<String>,
    /// See [`CONTAINER_ENVIRONMENT`].
    pub environment: Vec<String>,
    /// See [`CONTAINER_PORT`].
    pub inner_port: u16,
    /// The loopback port of this machine that leads there (`PORT`).
    pub port: u16,
    /// See [`SOUND_PORTS`].
    pub sound: Option<(u16, u16)>,
    /// CPU units, 1,024 to a core.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// See [`FOLDER`].
    pub folder: String,
    /// The network that the session names (`CAST_NETWORK`).
    pub network: Option<String>,
    /// The folder of this machine with the user's files (`CAST_PROFILE_PATH`), and where it is
    /// inside; `None`: nothing is kept.
    pub files: Option<(String, String)>,
}

impl ContainerEnv {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or wrong.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let list = |name: &'static str| -> anyhow::Result<Vec<String>> {
            serde_json::from_str(&required_variable(name)?).with_context(|| {
                format!("the environment variable {name} must hold a JSON list of texts")
            })
        };
        let limits = required_variable(LIMITS)?;
        let (cpu, memory) = limits
            .split_once(' ')
            .and_then(|(cpu, memory)| Some((cpu.parse().ok()?, memory.parse().ok()?)))
            .unzip();
        let mut environment = list(CONTAINER_ENVIRONMENT)?;
        // Not in the list: the gate makes this token when it starts, and hands it on by its own environment.
        if let Ok(token) = required_variable(MASTER_TOKEN) {
            environment.push(format!("{MASTER_TOKEN}={token}"));
        }
        let given = |name: &str| {
            let value =
                |pair: &String| Some(pair.strip_prefix(name)?.strip_prefix('=')?.to_owned());
            environment.iter().find_map(value)
        };
        let (inside, network) = (given(PROFILE_PATH), given(NETWORK));
        Ok(Self {
            files: required_variable(PROFILE_PATH).ok().zip(inside),
            network,
            place: ContainerRef::from_environment()?,
            image: required_variable(IMAGE)?,
            command: list(COMMAND)?,
            environment,
            inner_port: inner_port()?,
            port: port("PORT")?,
            sound: required_variable(SOUND_PORTS).ok().and_then(|ports| {
                let (inside, here) = ports.split_once(' ')?;
                Some((inside.parse().ok()?, here.parse().ok()?))
            }),
            cpu: cpu.context("the CPU units must be a number")?,
            memory: memory.context("the memory must be a number")?,
            folder: required_variable(FOLDER)?,
        })
    }
}

/// The port inside on which the app listens.
///
/// # Errors
/// When the environment does not say it.
pub(super) fn inner_port() -> anyhow::Result<u16> {
    port(CONTAINER_PORT)
}

fn port(name: &'static str) -> anyhow::Result<u16> {
    required_variable(name)?
        .parse()
        .with_context(|| format!("the environment variable {name} must hold a port"))
}

/// What a session's container is called.
pub(super) fn name_of(session: &str) -> String {
    format!("casting-{session}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the container app is a program of its own, and this is where it reads its settings"
)]
fn required_variable(name: &'static str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable {name} is not set"))
}
