//! Owns what is asked of a Docker (or Podman) engine. Must not know who asks, or why.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, ExecConfig, HostConfig, HostConfigLogConfig, PortBinding, ResourcesUlimits,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use casting_core::exec_user::ExecUser;
use futures_util::StreamExt;

use serde::{Deserialize, Serialize};

use super::container_env::{ContainerEnv, name_of};

/// How long one call may take, in seconds.
const PATIENCE: u64 = 120;
/// How long a container has between being asked to end and being killed, in seconds.
const STOP_SECONDS: i32 = 5;
/// Marks our containers; its value is the folder of the stack that they belong to.
pub(super) const LABEL: &str = "session-casting.folder";

/// How many processes and threads a container may have.
const PROCESSES: i64 = 2048;
/// What an init that begins as root needs to give files away and to become another user; no more of
/// what root may do is left.
const INIT_CAPABILITIES: [&str; 8] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
];
/// How much of what a container says the engine keeps.
const LOG_BOUNDS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];

/// The parts of an image's reference: a digest is part of the name, and a name without a tag means
/// the newest.
fn reference(image: &str) -> (&str, Option<&str>) {
    if image.contains('@') {
        return (image, None);
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, Some("latest")),
    }
}

/// An engine.
#[derive(Clone)]
pub struct Engine(pub(super) Docker);

/// A command to be run in a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// `NAME=value` each.
    pub environment: Vec<String>,
    /// Who runs it; `None` is whom the image names.
    pub user: Option<String>,
    /// Where; `None` is where the image says.
    pub working_directory: Option<String>,
}

impl Command {
    /// Reads `[--user U] [--workdir D] [--env K=V]… -- command…`, as a gate writes it.
    ///
    /// # Errors
    /// When an option is unknown, or there are no two dashes.
    pub fn from_arguments(arguments: &[String]) -> anyhow::Result<Self> {
        let mut command = Self::default();
        let dashes = arguments
            .iter()
            .position(|argument| argument == "--")
            .context("what is to be run comes after two dashes")?;
        let (options, words) = arguments.split_at(dashes);
        for option in options.chunks(2) {
            match option {
                [name, value] if name == "--user" => {
                    let user = ExecUser::parse(value);
                    user.with_context(|| format!("{value:?} is root or no user"))?;
                    command.user = Some(value.clone());
                }
                [name, value] if name == "--workdir" => {
                    command.working_directory = Some(value.clone());
                }
                [name, value] if name == "--env" => command.environment.push(value.clone()),
                _ => bail!("{option:?} is no option"),
            }
        }
        command.words = words.iter().skip(1).cloned().collect();
        Ok(command)
    }
}

/// Whether an engine listens on this socket.
pub fn is_there(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

impl Engine {
    /// The engine on this socket; asks nothing of it yet.
    ///
    /// # Errors
    /// When the socket cannot be one.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        let path = socket
            .to_str()
            .context("the engine's socket has a name that is no text")?;
        Ok(Self(Docker::connect_with_unix(
            path,
            PATIENCE,
            API_DEFAULT_VERSION,
        )?))
    }

    /// Has the image, fetching it when it is not there.
    pub(super) async fn fetch(&self, image: &str) -> anyhow::Result<()> {
        if self.0.inspect_image(image).await.is_ok() {
            return Ok(());
        }
        eprintln!("container: fetching {image}");
        let (name, tag) = reference(image);
        let wanted = CreateImageOptionsBuilder::default().from_image(name);
        let wanted = match tag {
            Some(tag) => wanted.tag(tag),
            None => wanted,
        };
        let wanted = wanted.build();
        let mut steps = self.0.create_image(Some(wanted), None, None);
        while let Some(step) = steps.next().await {
            step.with_context(|| format!("the image {image} cannot be fetched"))?;
        }
        Ok(())
    }

    /// Starts the container, in place of one that an earlier attempt has left.
    pub(super) async fn start(&self, env: &ContainerEnv) -> anyhow::Result<()> {
        let name = env.place.name();
        self.remove(&name).await;
        // Ports inside, each with the one of this machine that leads there.
        let ports: HashMap<String, Option<Vec<PortBinding>>> = [(env.inner_port, env.port)]
            .into_iter()
            .chain(env.sound)
            .map(|(inside, here)| {
                let binding = PortBinding {
                    host_ip: Some("127.0.0.1".to_owned()),
                    host_port: Some(here.to_string()),
                };
                (format!("{inside}/tcp"), Some(vec![binding]))
            })
            .collect();
        let exposed: Vec<String> = ports.keys().cloned().collect();
        if let Some((here, _)) = &env.files {
            self.share(here, &env.image).await?;
        }
        let host = HostConfig {
            binds: env
                .files
                .as_ref()
                .map(|(here, inside)| vec![format!("{here}:{inside}")]),
            port_bindings: Some(ports),
            memory: Some(i64::from(env.memory) << 20),
            nano_cpus: Some(i64::from(env.cpu) * 1_000_000_000 / 1024),
            memory_swap: Some(i64::from(env.memory) << 20),
            // What is in it counts as memory; the engine's own 64 MiB are too little for a browser.
            shm_size: Some(i64::from(env.memory) << 19),
            network_mode: Some(self.join_network(env).await?),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: self
                .is_roots(&env.image)
                .await
                .then(|| INIT_CAPABILITIES.iter().map(ToString::to_string).collect()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            pids_limit: Some(PROCESSES),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some("core".to_owned()),
                soft: Some(0),
                hard: Some(0),
            }]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(
                    LOG_BOUNDS
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .into(),
                ),
            }),
            init: Some(!env.command.is_empty()),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(env.image.clone()),
            env: Some(env.environment.clone()),
            entrypoint: (!env.command.is_empty()).then(|| env.command.clone()),
            exposed_ports: Some(exposed),
            labels: Some(HashMap::from([(LABEL.to_owned(), env.folder.clone())])),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        self.0
            .create_container(Some(options), body)
            .await
            .with_context(|| format!("the container {name} cannot be made"))?;
        self.0
            .start_container(&name, None)
            .await
            .with_context(|| format!("the container {name} cannot be started"))
    }

    /// Lets the container's user use the folder with the files as their own. Only root can give it
    /// to them; to all other users it is open, but its owner stays another one.
    async fn share(&self, here: &str, image: &str) -> anyhow::Result<()> {
        if let Some((user, group)) = self.numbers_of(image).await
            && (std::fs::metadata(here)?.uid() == user
                || std::os::unix::fs::chown(here, Some(user), Some(group)).is_ok())
        {
            return Ok(());
        }
        eprintln!("container: the folder with the files belongs to another user than the image's");
        std::fs::set_permissions(here, std::fs::Permissions::from_mode(0o777))
            .with_context(|| format!("{here} cannot be shared"))
    }

    /// The image's own user and group, where they are numbers that are not root's.
    async fn numbers_of(&self, image: &str) -> Option<(u32, u32)> {
        let config = self.0.inspect_image(image).await.ok()?.config?;
        let user = config.user.unwrap_or_default();
        let (user, group) = user.split_once(':').unwrap_or((&user, &user));
        Some((user.parse().ok()?, group.parse().ok()?))
    }

    /// Whether the image's own user is root: its init then needs what inits do before they change
    /// their user.
    async fn is_roots(&self, image: &str) -> bool {
        let config = self
            .0
            .inspect_image(image)
            .await
            .ok()
            .and_then(|found| found.config);
        let user = config.and_then(|config| config.user).unwrap_or_default();
        ExecUser::parse(&user).is_none()
    }

    /// Writes what the container says to this process's own output until it ends; gives its exit
    /// code.
    pub(super) async fn follow(&self, name: &str) -> anyhow::Result<i64> {
        let options = LogsOptionsBuilder::default()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .build();
        let mut said = self.0.logs(name, Some(options));
        while let Some(piece) = said.next().await {
            // The reader may be gone; the container goes on.
            let _ = std::io::stderr().write_all(&piece?.into_bytes());
        }
        self.exit_code(name).await
    }

    /// Asks the container to end, kills it if it does not, and gives its exit code.
    pub(super) async fn stop(&self, name: &str) -> anyhow::Result<i64> {
        let options = StopContainerOptionsBuilder::default()
            .t(STOP_SECONDS)
            .build();
        self.0.stop_container(name, Some(options)).await?;
        self.exit_code(name).await
    }

    async fn exit_code(&self, name: &str) -> anyhow::Result<i64> {
        let state = self.0.inspect_container(name, None).await?.state;
        Ok(state.and_then(|state| state.exit_code).unwrap_or(1))
    }

    /// Removes the container, running or not; one that is not there is removed already.
    pub(super) async fn remove(&self, name: &str) {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let _ = self.0.remove_container(name, Some(options)).await;
    }

    /// Removes what a session may have left.
    pub async fn remove_session(&self, session: &str) {
        self.remove(&name_of(session)).await;
        self.remove_network(&name_of(session)).await;
    }

    /// Removes every container that the stack of this folder has left, such as after it was killed.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn remove_all_of(&self, folder: &str) -> anyhow::Result<()> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={folder}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        for container in self.0.list_containers(Some(options)).await? {
            self.remove(&container.id.unwrap_or_default()).await;
        }
        self.remove_networks_of(folder).await
    }

    /// Removes the containers and networks of this folder's stack whose sessions are over: those
    /// that ended while the engine was away. `lives` is asked once the engine has said what there
    /// is, so that nothing that has just begun is taken for a leftover. Gives how many containers
    /// there were.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn remove_leftovers(
        &self,
        folder: &str,
        lives: impl Fn() -> HashSet<String> + Send,
    ) -> anyhow::Result<usize> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={folder}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let containers = self.0.list_containers(Some(options)).await?;
        let names = containers
            .into_iter()
            .filter_map(|container| container.names?.into_iter().next());
        let names: Vec<String> = names
            .map(|name| name.trim_start_matches('/').to_owned())
            .collect();
        let networks = self.networks_of(folder).await?;
        let lives = lives();
        let left = leftovers(&names, &lives);
        for name in &left {
            self.remove(name).await;
        }
        for name in leftovers(&networks, &lives) {
            self.remove_network(name).await;
        }
        Ok(left.len())
    }

    /// Runs a command in a container that runs, writes what it says to this process's own output,
    /// and gives its exit code.
    pub(super) async fn exec(&self, name: &str, command: Command) -> anyhow::Result<i64> {
        let user = match &command.user {
            Some(user) => Some(self.user_in(name, user).await?),
            None => None,
        };
        let config = ExecConfig {
            cmd: Some(command.words),
            env: Some(command.environment),
            user,
            privileged: Some(false),
            working_dir: command.working_directory,
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let id = self.0.create_exec(name, config).await?.id;
        let StartExecResults::Attached { mut output, .. } =
            self.0.start_exec(&id, None::<StartExecOptions>).await?
        else {
            bail!("the engine runs the command where nobody hears it");
        };
        while let Some(piece) = output.next().await {
            let _ = std::io::stdout().write_all(&piece?.into_bytes());
        }
        Ok(self.0.inspect_exec(&id).await?.exit_code.unwrap_or(1))
    }
}

/// Of these names of containers or networks, those that are a session's and none that lives.
fn leftovers<'a>(names: &'a [String], lives: &HashSet<String>) -> Vec<&'a str> {
    let lives: HashSet<String> = lives.iter().map(|session| name_of(session)).collect();
    let names = names.iter().map(String::as_str);
    names
        .filter(|name| name.starts_with(&name_of("")) && !lives.contains(*name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftover_containers_are_found_by_name() {
        let names = ["casting-a", "casting-b", "casting-c-2", "web", "a"].map(str::to_owned);
        let lives = HashSet::from(["a", "c"].map(str::to_owned));
        assert_eq!(leftovers(&names, &lives), ["casting-b", "casting-c-2"]);
        assert!(leftovers(&[], &lives).is_empty());
    }

    #[test]
    fn image_references_parse_as_in_docker() {
        let digest = "app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for (image, name, tag) in [
            ("busybox", "busybox", Some("latest")),
            ("busybox:1", "busybox", Some("1")),
            ("host:5000/app", "host:5000/app", Some("latest")),
            ("host:5000/app:2", "host:5000/app", Some("2")),
            (digest, digest, None),
        ] {
            assert_eq!(reference(image), (name, tag), "{image}");
        }
    }

    #[test]
    fn command_of_a_root_user_is_refused() {
        let words = |user: &str| ["--user", user, "--", "id"].map(str::to_owned).to_vec();
        for (user, is_read) in [
            ("1000", true),
            ("app", true),
            ("root", false),
            ("0:0", false),
        ] {
            assert_eq!(
                Command::from_arguments(&words(user)).is_ok(),
                is_read,
                "{user}"
            );
        }
    }
}
