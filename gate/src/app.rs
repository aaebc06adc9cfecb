//! Owns the app's process: starts it, sees when it answers, asks it to end. Must not know tickets, proxying or the control plane.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::settings::SECRET_VARIABLE;
use crate::tls;

/// What the app is told to listen on.
pub(crate) const PORT_VARIABLE: &str = "PORT";
/// How often an app that does not listen yet is asked: often at first, because most visitors wait for a fast one.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How long an app that listens may take to answer before it is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The app of a session: a process of ours, or one that something else runs.
pub struct App {
    child: Option<Child>,
}

impl App {
    /// Starts `command` with `PORT` set and without the session's secret; without a command, stands for an app that something else runs.
    ///
    /// # Errors
    /// When the command cannot be run.
    pub fn start(command: &[OsString], port: u16) -> io::Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(Self { child: None });
        };
        let child = Command::new(program)
            .args(arguments)
            .env(PORT_VARIABLE, port.to_string())
            .env_remove(SECRET_VARIABLE)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child: Some(child) })
    }

    /// Waits for the app to end by itself, and gives its exit code. An app that something else runs never does.
    pub async fn ended(&mut self) -> i32 {
        match &mut self.child {
            Some(child) => code(child.wait().await),
            None => std::future::pending().await,
        }
    }

    /// Sends `signal`, waits for `grace`, then kills; gives the exit code.
    pub async fn stop(&mut self, signal: Signal, grace: Duration) -> i32 {
        let Some(child) = &mut self.child else {
            return 0;
        };
        if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // An app that is gone already has nothing to be told.
            let _ = kill(Pid::from_raw(id), signal);
        }
        match tokio::time::timeout(grace, child.wait()).await {
            Ok(ended) => code(ended),
            Err(_) => {
                tracing::warn!("The app did not end in time and is killed");
                let _ = child.start_kill();
                code(child.wait().await)
            }
        }
    }
}

/// The exit code, as a shell would say it: 128 more than the signal that ended the process.
fn code(ended: io::Result<ExitStatus>) -> i32 {
    ended
        .ok()
        .and_then(|status| {
            status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal))
        })
        .unwrap_or(1)
}

/// A loopback port that nobody listens on now.
///
/// # Errors
/// When the machine has none left.
pub async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))
        .await?
        .local_addr()?
        .port())
}

/// Waits until the app answers HTTP on this loopback port; any answer counts, also a refusal. Where https is spoken, a TLS handshake counts.
pub async fn answers(port: u16, https: bool) {
    let mut pause = FIRST_PAUSE;
    while !tokio::time::timeout(ANSWER_WITHIN, ask(port, https))
        .await
        .is_ok_and(|answer| answer.unwrap_or(false))
    {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause + pause / 4 + FIRST_PAUSE);
    }
}

/// Whether what listens on this port speaks HTTP.
async fn ask(port: u16, https: bool) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    if https {
        return Ok(tls::answers(stream).await);
    }
    stream
        .write_all(
            format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await?;
    let mut start = [0; 5];
    stream.read_exact(&mut start).await?;
    Ok(start == *b"HTTP/")
}
