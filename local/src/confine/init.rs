//! Owns process 1 of a session: enters the root, gives up its rights, passes connections on, starts
//! the command and whatever is to be run beside it, and collects what has ended. When it ends, the
//! kernel ends everything else in the session.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, oneshot};

use super::plan::{BIN, DEVTOOLS_AT, EXEC_SOCKET, NET_SOCKET, PROXY_PORT};
use super::{Level, Plan, inside, landlock, rights, root};

/// What a shell exits with when a command cannot be run.
const NOT_RUN: i32 = 127;
/// How many connections are passed on at once, each way.
const CONNECTIONS: usize = 512;
/// How much of a connection is on its way, in bytes.
const PIECE: usize = 32 * 1024;
/// How long to wait when the machine has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Confines this process, runs the command to its end and gives its exit code.
pub(super) fn run(plan: &Plan, command: &[OsString]) -> anyhow::Result<i32> {
    let environment = plan.environment();
    let port = Plan::port();
    let outside = (plan.level == Level::Namespaces && port.is_some())
        .then(|| io::stdin().as_fd().try_clone_to_owned())
        .transpose()?
        .map(StdListener::from);
    umask(Mode::from_bits_truncate(0o077));
    let commands = socket(EXEC_SOCKET).context("the socket for commands cannot be made")?;
    let devtools = Plan::devtools_port().filter(|_| plan.level == Level::Namespaces);
    let devtools = devtools
        .map(|port| Ok::<_, io::Error>((socket(DEVTOOLS_AT)?, port)))
        .transpose()
        .context("the socket for DevTools cannot be made")?;
    match plan.level {
        Level::Namespaces => {
            // No terminal of this machine is the session's. Elsewhere the process group is what
            // ends with the task.
            let _ = setsid();
            root::enter(plan)?;
        }
        Level::Landlock | Level::Unconfined => std::env::set_current_dir(plan.home())?,
    }
    rights::drop_all(plan)?;
    if plan.level == Level::Landlock {
        landlock::restrict(plan, port)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let session = Session {
        environment: Arc::new(environment.into_iter().collect()),
        children: Children::default(),
    };
    let _context = runtime.enter();
    let mut entrances = Vec::new();
    if let Some((listener, port)) = outside.zip(port) {
        entrances.push((Entrance::Port(TcpListener::from_std(listener)?), port));
    }
    if let Some((listener, port)) = devtools {
        entrances.push((Entrance::Socket(UnixListener::from_std(listener)?), port));
    }
    runtime.block_on(session.see_through(command, entrances, commands))
}

/// A socket in the task's folder.
fn socket(name: &str) -> io::Result<StdUnixListener> {
    let _ = std::fs::remove_file(name);
    let listener = StdUnixListener::bind(name)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What commands are run in.
#[derive(Clone)]
pub(super) struct Session {
    environment: Arc<Vec<(OsString, OsString)>>,
    children: Children,
}

impl Session {
    async fn see_through(
        self,
        command: &[OsString],
        entrances: Vec<(Entrance, u16)>,
        commands: StdUnixListener,
    ) -> anyhow::Result<i32> {
        let mut ends = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        for (entrance, port) in entrances {
            tokio::spawn(pass_in(entrance, port));
        }
        let net = Path::new(BIN).with_file_name(NET_SOCKET);
        if net.exists() {
            let listener = TcpListener::bind(("127.0.0.1", PROXY_PORT)).await?;
            tokio::spawn(pass_out(listener));
        }
        tokio::spawn(inside::serve(
            UnixListener::from_std(commands)?,
            self.clone(),
        ));
        let Some((program, arguments)) = command.split_first() else {
            anyhow::bail!("there is no command")
        };
        let mut app = Command::new(program);
        app.args(arguments);
        let (app, mut ended) = match self.spawn(app) {
            Ok((app, ended)) => (pid_of(&app), ended),
            Err(error) => {
                eprintln!("confine: {}: {error}", program.display());
                return Ok(NOT_RUN);
            }
        };
        loop {
            let asked = tokio::select! {
                code = &mut ended => return Ok(code.unwrap_or(1)),
                _ = ends.recv() => {
                    self.children.collect();
                    continue;
                }
                _ = terminate.recv() => Signal::SIGTERM,
                _ = interrupt.recv() => Signal::SIGINT,
            };
            if let Some(app) = app {
                let _ = kill(app, asked);
            }
        }
    }

    /// Starts a program with the session's environment and what the command adds; its exit code
    /// comes when it has ended.
    pub(super) fn spawn(
        &self,
        mut command: Command,
    ) -> io::Result<(Child, oneshot::Receiver<i32>)> {
        let added: Vec<(OsString, Option<OsString>)> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(OsString::from)))
            .collect();
        command.env_clear();
        command.envs(self.environment.iter().cloned());
        command.envs(
            added
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let child = command.stdin(Stdio::null()).spawn()?;
        let (sender, receiver) = oneshot::channel();
        self.children.expect(&child, sender);
        Ok((child, receiver))
    }
}

/// Whose end is waited for.
#[derive(Clone, Default)]
struct Children(Arc<Mutex<HashMap<i32, oneshot::Sender<i32>>>>);

impl Children {
    fn expect(&self, child: &Child, sender: oneshot::Sender<i32>) {
        if let Some(id) = pid_of(child) {
            self.lock().insert(id.as_raw(), sender);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i32, oneshot::Sender<i32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects every process that has ended, also those that have lost their parent.
    fn collect(&self) {
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) => return,
                Ok(_) | Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return,
            };
            if let Some(waiting) = self.lock().remove(&pid.as_raw()) {
                let _ = waiting.send(code);
            }
        }
    }
}

pub(super) fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().map(Pid::from_raw)
}

/// Where connections come in from this machine.
enum Entrance {
    /// The app's port.
    Port(TcpListener),
    /// A socket in the task's folder.
    Socket(UnixListener),
}

/// A connection, of whatever kind.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}
impl<C: AsyncRead + AsyncWrite + Unpin + Send> Connection for C {}

impl Entrance {
    async fn accept(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Port(listener) => {
                let (from, _) = listener.accept().await?;
                let _ = from.set_nodelay(true);
                Box::new(from)
            }
            Self::Socket(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Connections that come in go to this port in the session.
async fn pass_in(entrance: Entrance, port: u16) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok(from) = entrance.accept().await else {
            tokio::time::sleep(NO_ROOM).await;
            continue;
        };
        tokio::spawn(async move {
            let _permit = permit;
            // An app that does not listen yet is a connection that is closed at once.
            if let Ok(to) = TcpStream::connect(("127.0.0.1", port)).await {
                let _ = to.set_nodelay(true);
                carry(from, to).await;
            }
        });
    }
}

/// Connections to the proxy's port in the session go to the supervisor, which is outside.
async fn pass_out(listener: TcpListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let net = Path::new(BIN).with_file_name(NET_SOCKET);
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((from, _)) = listener.accept().await else {
            tokio::time::sleep(NO_ROOM).await;
            continue;
        };
        let net = net.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let _ = from.set_nodelay(true);
            if let Ok(to) = UnixStream::connect(net).await {
                carry(from, to).await;
            }
        });
    }
}

async fn carry(
    mut from: impl AsyncRead + AsyncWrite + Unpin,
    mut to: impl AsyncRead + AsyncWrite + Unpin,
) {
    // A connection that breaks off is for its two ends to notice.
    let _ = copy_bidirectional_with_sizes(&mut from, &mut to, PIECE, PIECE).await;
}
