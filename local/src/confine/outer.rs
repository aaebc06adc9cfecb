//! Owns `confine run`: holds the app's port on this machine, makes the namespaces, and ends with
//! the session in them. Must not know what is seen there.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::{INIT, Level, NAME, Plan, namespaces};

/// Runs the command to its end and gives its exit code.
pub(super) fn run(plan: &Plan, command: &[OsString]) -> anyhow::Result<i32> {
    umask(Mode::from_bits_truncate(0o077));
    make_folder(&plan.folder)?;
    std::env::set_current_dir(&plan.folder).context("the task's folder cannot be entered")?;
    give_files(plan)?;
    let executable = std::env::current_exe().context("this program cannot be found")?;
    let port = match (plan.level, Plan::port()) {
        (Level::Namespaces, Some(port)) => Some(hold(port)?),
        _ => None,
    };
    if plan.level == Level::Namespaces {
        namespaces::enter(plan)?;
    }
    let mut init = std::process::Command::new(executable);
    init.arg0(NAME)
        .arg(INIT)
        .arg("--")
        .args(command)
        .stdin(port.map_or_else(Stdio::null, Stdio::from));
    // Only now, because new namespaces want a process of one thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(see_through(init.into()))
}

/// Starts process 1, hands on what asks this one to end, and gives the exit code.
async fn see_through(mut init: tokio::process::Command) -> anyhow::Result<i32> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut child = init
        .kill_on_drop(true)
        .spawn()
        .context("process 1 of the session cannot be started")?;
    loop {
        let asked = tokio::select! {
            ended = child.wait() => return Ok(code(ended?)),
            _ = terminate.recv() => Signal::SIGTERM,
            _ = interrupt.recv() => Signal::SIGINT,
        };
        if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(id), asked);
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    let by_signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(by_signal).unwrap_or(1)
}

/// The app's port on this machine, for process 1 to take connections from.
fn hold(port: u16) -> anyhow::Result<OwnedFd> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .with_context(|| format!("port {port} cannot be listened on"))?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// The user's files belong to the user that the command runs as, and so does what it has of its
/// own.
fn give_files(plan: &Plan) -> anyhow::Result<()> {
    if plan.level != Level::Namespaces {
        for own in ["home", "tmp"] {
            make_folder(&plan.folder.join(own))?;
        }
    }
    if let Some((here, _)) = &plan.profile {
        make_folder(here)?;
    }
    let Some(user) = plan.user else {
        return Ok(());
    };
    if plan.level == Level::Landlock {
        for own in ["home", "tmp"] {
            give(&plan.folder.join(own), user)?;
        }
        // Its parents may be passed through, and no more.
        lchown(&plan.folder, Some(user), Some(user))?;
    }
    match &plan.profile {
        Some((here, _)) => give(here, user),
        None => Ok(()),
    }
}

/// Gives a folder and all in it to a user. Links are given themselves, never followed.
fn give(path: &Path, user: u32) -> anyhow::Result<()> {
    lchown(path, Some(user), Some(user))
        .with_context(|| format!("{} cannot be given to the session", path.display()))?;
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
