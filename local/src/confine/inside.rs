//! Owns commands that are run in a session which runs already: the gate's side (`confine exec`) and
//! process 1's, over a socket in the task's folder.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::net::{UnixListener, UnixStream};

use super::Plan;
use super::init::{Session, pid_of};
use super::plan::EXEC_SOCKET;
use crate::container_app::engine;

/// The longest order, in bytes.
const MOST: u64 = 64 * 1024;
/// How much of what a command says is kept, in bytes.
const KEPT: u64 = 16 * 1024;
/// How long a command may run. The gate gives up earlier.
const LONGEST: Duration = Duration::from_secs(60);

/// What came of a command.
#[derive(Serialize, Deserialize)]
struct Outcome {
    code: i32,
    said: String,
}

/// Has a command run in the session of this plan, says what it said, and gives its exit code. A
/// session has one user, so `--user` changes nothing.
pub(super) fn ask(plan: &Plan, arguments: &[OsString]) -> anyhow::Result<i32> {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    let command = engine::Command::from_arguments(&arguments)?;
    std::env::set_current_dir(&plan.folder).context("the task's folder cannot be entered")?;
    let mut session =
        StdUnixStream::connect(EXEC_SOCKET).context("the session does not take commands")?;
    serde_json::to_writer(&mut session, &command)?;
    session.write_all(b"\n")?;
    let mut line = String::new();
    BufReader::new(session).take(MOST).read_line(&mut line)?;
    let outcome: Outcome =
        serde_json::from_str(&line).context("the session ended before the command did")?;
    std::io::stdout().write_all(outcome.said.as_bytes())?;
    Ok(outcome.code)
}

/// Runs what is asked for on this socket, one command for each connection.
pub(super) async fn serve(listener: UnixListener, session: Session) {
    while let Ok((asker, _)) = listener.accept().await {
        let session = session.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(asker, &session).await {
                eprintln!("confine: a command was not run: {error:#}");
            }
        });
    }
}

async fn answer(asker: UnixStream, session: &Session) -> anyhow::Result<()> {
    let (from, mut to) = asker.into_split();
    let mut from = tokio::io::BufReader::new(from.take(MOST));
    let mut line = String::new();
    from.read_line(&mut line).await?;
    let order: engine::Command = serde_json::from_str(&line)?;
    let outcome = tokio::select! {
        outcome = run(&order, session) => outcome,
        // The caller is gone.
        _ = from.read_u8() => return Ok(()),
    };
    let mut text = serde_json::to_string(&outcome)?;
    text.push('\n');
    to.write_all(text.as_bytes()).await?;
    Ok(())
}

async fn run(order: &engine::Command, session: &Session) -> Outcome {
    let failed = |said: String| Outcome { code: 127, said };
    let Some((program, arguments)) = order.words.split_first() else {
        return failed("there is no command".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(
            order
                .environment
                .iter()
                .filter_map(|pair| pair.split_once('=')),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    if let Some(folder) = &order.working_directory {
        command.current_dir(folder);
    }
    let (mut child, ended) = match session.spawn(command) {
        Ok(spawned) => spawned,
        Err(error) => return failed(format!("{program} cannot be run: {error}")),
    };
    let (out, err) = (
        child.stdout.take().map(std::os::fd::OwnedFd::from),
        child.stderr.take().map(std::os::fd::OwnedFd::from),
    );
    // Also when no caller waits for the outcome any more, or it takes too long.
    let _group = Group(pid_of(&child));
    let all = async { tokio::join!(ended, read(out), read(err)) };
    match tokio::time::timeout(LONGEST, all).await {
        Ok((code, out, err)) => Outcome {
            code: code.unwrap_or(1),
            said: format!("{out}{err}"),
        },
        Err(_) => failed(format!("{program} did not end in time")),
    }
}

/// The process group of a command, killed with its order.
struct Group(Option<nix::unistd::Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Reads to the end and keeps the beginning.
async fn read(output: Option<std::os::fd::OwnedFd>) -> String {
    match output.map(pipe::Receiver::from_owned_fd) {
        Some(Ok(output)) => keep_beginning(output).await,
        Some(Err(_)) | None => String::new(),
    }
}

async fn keep_beginning(mut output: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _ = (&mut output).take(KEPT).read_to_end(&mut kept).await;
    // A command that says more must not wait for a reader.
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}
