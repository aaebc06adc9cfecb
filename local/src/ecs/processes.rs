//! Owns a task as a process tree: starts its supervisor, follows what that reports, and cleans up
//! after it. Must not know the wire or the journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::gate_ports::{GatePorts, Taken};
use super::proc_table::{self, Tree};
use super::supervisor::{self, Report};
use super::task::id_of;
use super::task_store::TaskStore;
use crate::confine::plan::{DEVTOOLS_AT, FIRST_USER, GATES_OWN, USERS, VARIABLE};
use crate::confine::{self, Confinement, Level, Plan};
use crate::container_app::{self, engine::Engine};
use casting_core::session_environment::{DEVTOOLS_PORT, DEVTOOLS_SOCKET, OF_GATE};
use casting_gate::exec::EXEC_THROUGH;
use serde_json::json;

/// How long a task has between SIGTERM and SIGKILL when its definition does not say, in seconds.
/// ECS has 30.
const STOP_TIMEOUT_SECONDS: u32 = 5;
/// How much longer than that a supervisor may take before it is killed itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variable with the folder of a user's files.
pub(super) const PROFILE_PATH: &str = "CAST_PROFILE_PATH";

/// How often all tasks' memory is looked at. One look serves all, because it reads the whole
/// process table.
const LOOK: Duration = Duration::from_secs(5);

/// How often containers without a session are looked for.
const CLEARING: Duration = Duration::from_secs(15);

/// How tasks become processes.
#[derive(Clone, Debug)]
pub struct Processes {
    /// The executable that is a supervisor when it is called [`supervisor::NAME`].
    pub supervisor: PathBuf,
    /// Where each task's output goes, as `{task id}.log`.
    pub logs: PathBuf,
    /// Searched for commands before everything else.
    pub bin: PathBuf,
    /// The environment of every task, before its own.
    pub environment: BTreeMap<String, String>,
    /// How images become containers; `None`: there is no engine, and images that are no commands
    /// are refused.
    pub containers: Option<Containers>,
    /// How commands are held; `None`: this machine cannot, and they are refused.
    pub confinement: Option<Confinement>,
    /// Where the gates of tasks listen.
    pub gate_ports: GatePorts,
}

/// How images become containers: a program of this machine stands for each.
#[derive(Clone, Debug)]
pub struct Containers {
    /// The engine's socket.
    pub socket: PathBuf,
    /// Identifies this stack's containers.
    pub folder: String,
    /// The program.
    pub app: String,
}

impl Containers {
    /// The environment of that program, besides that of its gate.
    pub(super) fn environment(
        &self,
        image: &str,
        command: &[String],
        inside: BTreeMap<String, String>,
        [cpu, memory]: [&str; 2],
        port: Option<String>,
    ) -> BTreeMap<String, String> {
        let port = port.unwrap_or_else(|| CONTAINER_DEFAULT_PORT.to_owned());
        // The variables of the gate stay with it.
        let inside = inside
            .into_iter()
            .filter(|(name, _)| {
                let name = &name.as_str();
                !OF_GATE.contains(name) && !GATES_OWN.contains(name)
            })
            .map(|(name, value)| format!("{name}={value}"));
        let inside: Vec<String> = inside.chain([format!("PORT={port}")]).collect();
        let variables = [
            (container_app::SOCKET, self.socket.display().to_string()),
            (container_app::FOLDER, self.folder.clone()),
            (container_app::IMAGE, image.to_owned()),
            (container_app::COMMAND, json!(command).to_string()),
            (
                container_app::CONTAINER_ENVIRONMENT,
                json!(inside).to_string(),
            ),
            (container_app::CONTAINER_PORT, port),
            (container_app::LIMITS, format!("{cpu} {memory}")),
            (
                EXEC_THROUGH,
                format!("{} {}", self.app, container_app::EXEC),
            ),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }
}

/// The default port of an app inside its container.
const CONTAINER_DEFAULT_PORT: &str = "8080";

impl Processes {
    /// Makes the folder for the logs.
    pub(super) fn prepare(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.logs)
            .with_context(|| format!("Cannot make the folder {}.", self.logs.display()))
    }

    pub(super) fn log(&self, arn: &str) -> PathBuf {
        self.logs.join(format!("{}.log", id_of(arn)))
    }

    /// Where a task keeps what a container would in its own file system.
    fn home(&self, arn: &str) -> PathBuf {
        self.logs.join(format!("{}.home", id_of(arn)))
    }

    fn open_log(&self, arn: &str) -> io::Result<File> {
        File::options()
            .create(true)
            .append(true)
            .open(self.log(arn))
    }

    /// Adds a line of ours to a task's log, where its last words are looked for.
    fn note(&self, arn: &str, line: &str) {
        let written = self
            .open_log(arn)
            .and_then(|mut log| writeln!(log, "[task] {line}"));
        if let Err(error) = written {
            tracing::warn!(%error, "Could not write the log of task {}", id_of(arn));
        }
    }

    fn spawn(&self, arn: &str, order: &Order, gate: &Taken) -> io::Result<Child> {
        let log = self.open_log(arn)?;
        let home = self.home(arn);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&home)?;
        let mut environment = self.environment.clone();
        environment.extend(order.environment.clone());
        // The container's own folder is one of the task's.
        let mut profile = None;
        if let Some(path) = environment.get_mut(PROFILE_PATH) {
            let inside = PathBuf::from(&*path);
            let folder = home.join("files").join(path.trim_start_matches('/'));
            *path = folder.display().to_string();
            profile = Some((folder, inside));
        }
        let level = order.confinement.as_ref().map(|held| held.level);
        if level == Some(Level::Namespaces) && environment.contains_key(DEVTOOLS_PORT) {
            // Found from the task's folder, where its gate runs.
            environment.insert(DEVTOOLS_SOCKET.to_owned(), DEVTOOLS_AT.to_owned());
        } else {
            // Here the session would share the port with its neighbours.
            environment.remove(DEVTOOLS_PORT);
        }
        if let Some(confinement) = &order.confinement {
            let plan = self.plan(arn, confinement, order, profile);
            environment.insert(VARIABLE.to_owned(), serde_json::to_string(&plan)?);
            environment.insert(
                EXEC_THROUGH.to_owned(),
                format!("{} {}", confine::NAME, confine::EXEC),
            );
        }
        // Many gates share this machine, so each has a port of its own.
        let listen = format!("127.0.0.1:{}", gate.port());
        environment.insert("CAST_GATE_LISTEN".to_owned(), listen);
        let path = environment
            .get("PATH")
            .map_or("/usr/bin:/bin", String::as_str);
        let path = format!("{}:{path}", self.bin.display());
        environment.insert("PATH".to_owned(), path);
        Command::new(&self.supervisor)
            .arg0(supervisor::NAME)
            .arg(order.grace().as_millis().to_string())
            .args(&order.command)
            .env_clear()
            .envs(environment)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl+C in the terminal is for the stack, which then stops its tasks one by one.
            .process_group(0)
            .spawn()
    }
}

impl Processes {
    /// How the command of a task is held.
    fn plan(
        &self,
        arn: &str,
        confinement: &Confinement,
        order: &Order,
        profile: Option<(PathBuf, PathBuf)>,
    ) -> Plan {
        // Where files are held by their place in memory, the place is the session's; elsewhere it
        // is this machine's.
        let profile = match confinement.level {
            Level::Namespaces => profile,
            Level::Landlock | Level::Unconfined => profile.map(|(here, _)| (here.clone(), here)),
        };
        let own_user = confinement.own_users && confinement.level == Level::Namespaces;
        Plan {
            level: confinement.level,
            folder: self.home(arn),
            profile,
            scratch_mib: order.memory_mib,
            shown: [&*confinement.shown, &*confinement.streaming].concat(),
            reach: confinement.reach.clone(),
            user: own_user.then(|| user_of(arn)),
        }
    }
}

/// The user that a task's command runs as where root runs the stack: from the task's id, so that no
/// two live tasks practically never share one.
fn user_of(arn: &str) -> u32 {
    FIRST_USER + number_of(arn) % USERS
}

/// A number that follows from a task's id.
fn number_of(arn: &str) -> u32 {
    let digits = id_of(arn).get(..8).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or_default()
}

/// The command of a task.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// How the command is held; `None`: it is a program of the stack's own.
    pub confinement: Option<Confinement>,
    /// How much memory the task has, in MiB.
    pub memory_mib: u32,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub stop_timeout_seconds: Option<u32>,
}

impl Order {
    fn grace(&self) -> Duration {
        Duration::from_secs(u64::from(
            self.stop_timeout_seconds.unwrap_or(STOP_TIMEOUT_SECONDS),
        ))
    }
}

/// Carries a task from its start to its end. `stop` is answered, or dropped, when the task is to
/// stop.
pub(super) async fn carry(
    store: Arc<TaskStore>,
    processes: Processes,
    arn: String,
    order: Order,
    mut stop: oneshot::Receiver<()>,
) {
    store.pending(&arn);
    if !matches!(stop.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
        return store.exited(&arn, None, None);
    }
    let gate = processes.gate_ports.take(number_of(&arn));
    let started = gate.and_then(|gate| Ok((processes.spawn(&arn, &order, &gate)?, gate)));
    let (mut child, gate) = match started {
        Ok(started) => started,
        Err(error) => return store.failed_to_start(&arn, &error.to_string()),
    };
    let end = follow(&store, &mut child, &arn, order.grace(), stop).await;
    // The next user of this port is another session's gate.
    drop(gate);
    // The process that stood for a container may have been killed before it could end it.
    if let (Some(containers), Some(session)) = (
        &processes.containers,
        order.environment.get("CAST_SESSION_ID"),
    ) && order.environment.contains_key(container_app::IMAGE)
        && let Ok(engine) = Engine::at(&containers.socket)
    {
        engine.remove_session(session).await;
    }
    let _ = tokio::fs::remove_dir_all(processes.home(&arn)).await;
    match end {
        End::Failed(why) => store.failed_to_start(&arn, &why),
        End::Ended { code, largest_kib } => {
            // A task too short to be looked at is known by its largest process.
            let peak_kib = store.peak_memory_kib(&arn).or(largest_kib);
            let memory = peak_kib.map_or_else(String::new, |kib| {
                format!("; peak memory {} MiB", kib.div_ceil(1024))
            });
            tracing::debug!(
                task = id_of(&arn),
                code,
                "Task {} exited with code {code}{memory}",
                id_of(&arn)
            );
            processes.note(&arn, &format!("exited with code {code}{memory}"));
            store.exited(&arn, Some(code), peak_kib);
        }
        End::Vanished => {
            tracing::warn!(
                task = id_of(&arn),
                "The supervisor of task {} is gone; what it left was killed",
                id_of(&arn)
            );
            store.exited(&arn, Some(137), None);
        }
    }
}

/// How a task's processes ended.
enum End {
    Failed(String),
    Ended {
        code: i32,
        largest_kib: Option<u64>,
    },
    /// The supervisor ended without a word.
    Vanished,
}

/// Follows a supervisor until it has ended. Closing its standard input stops the task.
async fn follow(
    store: &TaskStore,
    child: &mut Child,
    arn: &str,
    grace: Duration,
    stop: oneshot::Receiver<()>,
) -> End {
    let lifeline = child.stdin.take();
    let mut lines = child
        .stdout
        .take()
        .map(|stdout| BufReader::new(stdout).lines());
    let (mut end, mut process) = (End::Vanished, None);
    let mut listen = Box::pin(async {
        while let Some(report) = next_report(&mut lines).await {
            match report {
                Report::Started(started) => {
                    process = Some(started);
                    store.running(arn, Some(started));
                }
                Report::Failed(why) => end = End::Failed(why),
                Report::Ended { code, largest_kib } => end = End::Ended { code, largest_kib },
            }
        }
    });
    let is_quiet = tokio::select! {
        () = &mut listen => true,
        _ = stop => {
            drop(lifeline);
            timeout(grace + PATIENCE, &mut listen).await.is_ok()
        }
    };
    drop(listen);
    if !is_quiet {
        let _ = child.start_kill();
    }
    // Waited for in every case: a child that is not becomes a zombie.
    let _ = child.wait().await;
    if let (End::Vanished, Some(process)) = (&end, process) {
        proc_table::kill_group(process);
    }
    end
}

async fn next_report(lines: &mut Option<Lines<BufReader<ChildStdout>>>) -> Option<Report> {
    let line = lines.as_mut()?.next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

/// Removes the containers of tasks that have ended, now and then, as long as there is a task store:
/// an engine that was away when they ended could not remove them.
pub(super) async fn clear_leftovers(store: Weak<TaskStore>, containers: Containers) {
    let mut was_there = true;
    loop {
        tokio::time::sleep(CLEARING).await;
        let Some(store) = store.upgrade() else { return };
        let removed = match Engine::at(&containers.socket) {
            Ok(engine) => {
                let lives = || store.starters();
                engine.remove_leftovers(&containers.folder, lives).await
            }
            Err(error) => Err(error),
        };
        let answers = removed.is_ok();
        match removed {
            Ok(0) => {}
            Ok(removed) => tracing::warn!(
                removed,
                "Containers of sessions that are over were found and removed"
            ),
            // Said once, not every time.
            Err(error) if was_there => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "The container engine does not answer"
                );
            }
            Err(_) => {}
        }
        was_there = answers;
    }
}

/// Looks at the memory of all tasks now and then, as long as there is a task store.
pub(super) async fn look_at_memory(store: Weak<TaskStore>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(store) = store.upgrade() else { return };
        let look = tokio::task::spawn_blocking(move || {
            let running = store.processes();
            if !running.is_empty() {
                let tree = Tree::read();
                store.saw_memory(
                    running
                        .into_iter()
                        .filter_map(|(arn, process)| Some((arn, tree.peak_memory_kib(process)?))),
                );
            }
        });
        if look.await.is_err() {
            return;
        }
    }
}
