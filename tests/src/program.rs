//! Owns `casting` as a suite starts it: the process, and what it prints of where it is.

use std::borrow::BorrowMut;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use casting_identity::web_client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method, RequestBuilder};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::binaries;
use crate::engine::Engine;

/// How long it may take to say where it is.
const LIMIT: Duration = Duration::from_secs(30);

/// Where `./test.sh` installs the streaming server.
pub const SELKIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv-selkies");

/// A stack that runs in a process of its own, and dies with this value.
pub struct Program {
    /// The process.
    pub child: Child,
    /// Where visitors reach it.
    pub url: String,
    /// The administrator's API key.
    pub key: String,
    /// The password of the demo user who administers; empty where there are no demo users.
    pub demo_password: String,
    /// A client without cookies that follows no redirects.
    pub http: Client,
}

/// `casting` with these arguments, its output to be read.
pub fn casting(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    command_of(&binaries::path("casting"), arguments)
}

fn command_of(program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("CASTING_SELKIES", SELKIES)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Program {
    /// Starts it and waits until it has said where it is.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub async fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self> {
        Self::start_command(casting(arguments)).await
    }

    /// The same with another build of `casting`.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub async fn start_build(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        Self::start_command(command_of(program, arguments)).await
    }

    /// The same, with a Docker engine for its containers.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub async fn start_with(engine: &Engine) -> Result<Self> {
        let mut command = casting(["--memory", "--port", "0"]);
        let host = format!("unix://{}", engine.socket().display());
        Self::start_command(command.env("DOCKER_HOST", host)).await
    }

    /// The same, with what it keeps in this folder.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub async fn start_kept(engine: &Engine, folder: &Path) -> Result<Self> {
        let folder = folder.display().to_string();
        let mut command = casting(["--data", &folder, "--port", "0"]);
        let host = format!("unix://{}", engine.socket().display());
        Self::start_command(command.env("DOCKER_HOST", host)).await
    }

    async fn start_command(mut command: impl BorrowMut<Command>) -> Result<Self> {
        let mut child = command.borrow_mut().spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let (mut url, mut key) = (String::new(), String::new());
        let mut demo_password = String::new();
        while key.is_empty() {
            let Some(line) = tokio::time::timeout(LIMIT, lines.next_line()).await?? else {
                bail!(
                    "it ended before it said where it is: {}",
                    String::from_utf8_lossy(&child.wait_with_output().await?.stderr)
                );
            };
            if let Some(link) = line.trim().strip_prefix("Demo link") {
                url = link.trim().trim_end_matches("/cast/welcome").to_owned();
            } else if let Some(logins) = line.trim().strip_prefix("Logins") {
                demo_password = logins
                    .rsplit_once(" with ")
                    .map(|(_, password)| password.to_owned())
                    .unwrap_or_default();
            } else if let Some(found) = line.trim().strip_prefix("Admin key") {
                key = found.trim().to_owned();
            }
        }
        // A stack that finds no room in a pipe stops in the middle of a line, so both are read to
        // their ends.
        let mut log = child.stderr.take().context("its log")?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        tokio::spawn(async move { tokio::io::copy(&mut log, &mut tokio::io::sink()).await });
        Ok(Self {
            child,
            url,
            key,
            demo_password,
            http: web_client::build(LIMIT)?,
        })
    }

    /// Asks it to end, as Ctrl-C does: with its sessions.
    pub fn ask_to_end(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }

    /// A request to the admin API.
    pub fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/api/admin/{path}", self.url))
            .bearer_auth(&self.key)
    }
}
