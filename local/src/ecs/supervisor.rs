//! Owns the process at the root of a task's process tree. It starts the task's command in a process
//! group of its own and makes sure that nothing of it is left: when its standard input is closed
//! (the stack stops the task, or was killed), the command gets SIGTERM and after the grace its
//! group SIGKILL; when the command ends, the rest is killed. Must not know what an ECS task is.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::proc_table;
use super::task::Process;
use crate::confine::reach::Reach;
use crate::confine::{Level, Plan, egress};

/// The name under which the stack's own executable is this supervisor.
pub const NAME: &str = "task-supervisor";

/// The messages to the stack on standard output, a line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Report {
    Started(Process),
    Failed(String),
    /// The exit code, and the memory of the largest process that there was, in KiB.
    Ended {
        code: i32,
        largest_kib: Option<u64>,
    },
}

/// Runs `<grace in milliseconds> <program> <arguments…>` (without the name in front) and returns
/// with the command's exit code; 128 and the signal's number when a signal ended it. The command
/// writes to the standard error output of this process.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let grace = args
        .next()
        .and_then(|text| text.to_str()?.parse().ok())
        .map(Duration::from_millis);
    let (Some(grace), Some(program)) = (grace, args.next()) else {
        report(&Report::Failed(
            "The supervisor needs a grace and a command.".to_owned(),
        ));
        return ExitCode::from(2);
    };
    let mut command = Command::new(program);
    command.args(args);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(supervise(command, grace))) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Err(error) => {
            report(&Report::Failed(error.to_string()));
            ExitCode::from(127)
        }
    }
}

/// Everything that may happen while the command runs.
struct Watch {
    lifeline: pipe::Receiver,
    children: Signals,
    ends: [Signals; 3],
}

async fn supervise(mut command: Command, grace: Duration) -> io::Result<i32> {
    // Whatever the command leaves behind becomes a child of this process, and not of init.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true)?;
    // Before the start, so that no signal is missed.
    let mut watch = Watch {
        lifeline: pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?,
        children: signal(SignalKind::child())?,
        ends: [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ],
    };
    // Before the start as well: the command finds its way out when it looks for it.
    let plan = Plan::of_supervisor().filter(|plan| plan.level == Level::Namespaces);
    let way_out_of = match plan {
        Some(plan) => Some((
            egress::listen(plan.user).map_err(io::Error::other)?,
            plan.reach,
        )),
        None => None,
    };
    let log = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    command
        .stdin(Stdio::null())
        .stdout(log()?)
        .stderr(log()?)
        .process_group(0);
    let pid = command
        .spawn()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: {error}", command.get_program().display()),
            )
        })?
        .id();
    let main = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    report(&Report::Started(proc_table::process(main.as_raw())));
    let code = tokio::select! {
        code = watch_over(&mut watch, main, grace) => code,
        never = way_out(way_out_of) => match never {},
    };
    clear_away(&mut watch, main).await;
    report(&Report::Ended {
        code,
        largest_kib: largest_kib(),
    });
    Ok(code)
}

/// Serves the way out of a confined command, where there is one.
async fn way_out(from: Option<(UnixListener, Vec<Reach>)>) -> Infallible {
    match from {
        Some((listener, reach)) => egress::serve(listener, reach).await,
        None => std::future::pending().await,
    }
}

/// Until the command has ended: its exit code.
async fn watch_over(watch: &mut Watch, main: Pid, grace: Duration) -> i32 {
    let mut deadline: Option<Instant> = None;
    let [terminate, interrupt, hangup] = &mut watch.ends;
    loop {
        let is_stopping = deadline.is_some();
        tokio::select! {
            _ = watch.children.recv() => match reap(main).code {
                Some(code) => return code,
                None => continue,
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if is_stopping => {
                let _ = killpg(main, Signal::SIGKILL);
                deadline = Some(Instant::now() + grace.max(Duration::from_secs(1)));
                continue;
            }
            () = closed(&watch.lifeline), if !is_stopping => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        if !is_stopping {
            // The first process alone, as in a container: what it has started, it ends in its own
            // order.
            let _ = kill(main, Signal::SIGTERM);
            deadline = Some(Instant::now() + grace);
        }
    }
}

/// Kills and reaps until no child is left.
async fn clear_away(watch: &mut Watch, main: Pid) {
    let _ = killpg(main, Signal::SIGKILL);
    while reap(main).has_more {
        proc_table::kill_descendants(std::process::id().cast_signed());
        tokio::select! {
            _ = watch.children.recv() => {}
            () = sleep(Duration::from_millis(20)) => {}
        }
    }
}

/// Which children were collected.
struct Reaped {
    /// The command's exit code, if it was among them.
    code: Option<i32>,
    /// Others are still alive.
    has_more: bool,
}

fn reap(main: Pid) -> Reaped {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, exit)) if pid == main => code = Some(exit),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == main => {
                code = Some(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) => {
                return Reaped {
                    code,
                    has_more: true,
                };
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => {
                return Reaped {
                    code,
                    has_more: false,
                };
            }
        }
    }
}

/// Returns once the other end of the pipe is closed.
async fn closed(lifeline: &pipe::Receiver) {
    let mut ignored = [0; 64];
    while lifeline.readable().await.is_ok() {
        match lifeline.try_read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The memory of the largest process that was waited for, in KiB. A process counts at least as much
/// as the one that started it.
fn largest_kib() -> Option<u64> {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).ok()?;
    let unit = if cfg!(target_os = "macos") { 1024 } else { 1 };
    u64::try_from(usage.max_rss()).ok().map(|rss| rss / unit)
}

fn report(report: &Report) {
    if let Ok(line) = serde_json::to_string(report) {
        // The stack was killed; the work goes on all the same.
        let _ = writeln!(io::stdout(), "{line}");
    }
}
