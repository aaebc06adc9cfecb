//! Owns the app's process: starts it, sees when it answers, asks it to end. Must not know tickets,
//! proxying or the control plane.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use casting_protocol::session_environment::{MASTER_TOKEN, OF_GATE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::output::{self, Allowance, Tail};
use crate::tls;

/// The address that the app must listen on.
pub(crate) const PORT_VARIABLE: &str = "PORT";
/// How often an app that does not listen yet is asked: often at first, because most visitors wait
/// for a fast one.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How long the gate waits for the last output of an app that has ended.
const OUTPUT_DRAIN_TIMEOUT: Duration = Duration::from_millis(200);
/// How long an app that listens may take to answer before it is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The app of a session: a process of ours, or one that something else runs.
pub struct App {
    child: Option<Child>,
    /// The tasks that copy its output.
    output: Vec<JoinHandle<()>>,
    /// The end of that.
    tail: Arc<Tail>,
}

impl App {
    /// Starts `command` with `PORT` set, with the key to its streaming server if it is one, and
    /// without the variables for the gate alone, and writes as much of its output as `log` allows;
    /// without a command, stands for an app that something else runs.
    ///
    /// # Errors
    /// When the command cannot be run.
    pub fn start(
        command: &[OsString],
        port: u16,
        master_token: Option<&str>,
        log: &Arc<Allowance>,
    ) -> io::Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(Self {
                child: None,
                output: Vec::new(),
                tail: Arc::default(),
            });
        };
        let mut command = Command::new(program);
        command.args(arguments);
        for name in OF_GATE {
            command.env_remove(name);
        }
        if let Some(token) = master_token {
            command.env(MASTER_TOKEN, token);
        }
        let mut child = command
            .env(PORT_VARIABLE, port.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (mut output, tail) = (Vec::new(), Arc::<Tail>::default());
        if let Some(from) = child.stdout.take() {
            let passed = output::pass_on(from, tokio::io::stdout(), log.clone(), tail.clone());
            output.push(tokio::spawn(passed));
        }
        if let Some(from) = child.stderr.take() {
            let passed = output::pass_on(from, tokio::io::stderr(), log.clone(), tail.clone());
            output.push(tokio::spawn(passed));
        }
        Ok(Self {
            child: Some(child),
            output,
            tail,
        })
    }

    /// The end of its output so far.
    pub fn tail(&self) -> Arc<Tail> {
        self.tail.clone()
    }

    /// Waits for the app to end by itself, and gives its exit code. An app that something else runs
    /// never does.
    pub async fn ended(&mut self) -> i32 {
        let Some(child) = &mut self.child else {
            return std::future::pending().await;
        };
        let code = code(child.wait().await);
        self.drain_output().await;
        code
    }

    /// Waits until the whole output of an app is copied, for a short time only: processes that it
    /// left behind may keep the output open.
    async fn drain_output(&mut self) {
        let all = async {
            while let Some(output) = self.output.last_mut() {
                let _ = output.await;
                self.output.pop();
            }
        };
        let _ = timeout(OUTPUT_DRAIN_TIMEOUT, all).await;
    }

    /// Sends `signal`, waits for `grace`, then kills; gives the exit code.
    pub async fn stop(&mut self, signal: Signal, grace: Duration) -> i32 {
        let Some(child) = &mut self.child else {
            return 0;
        };
        if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // An app that has ended needs no signal.
            let _ = kill(Pid::from_raw(id), signal);
        }
        let code = match timeout(grace, child.wait()).await {
            Ok(ended) => code(ended),
            Err(_) => {
                tracing::warn!("The app did not end in time and is killed");
                let _ = child.start_kill();
                code(child.wait().await)
            }
        };
        self.drain_output().await;
        code
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

/// A free loopback port.
///
/// # Errors
/// When the machine has none left.
pub async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))
        .await?
        .local_addr()?
        .port())
}

/// Waits until the app answers HTTP on this loopback port; any answer counts, also a refusal. Where
/// https is spoken, a TLS handshake counts.
pub async fn answers(port: u16, https: bool) {
    let mut pause = FIRST_PAUSE;
    while !timeout(ANSWER_WITHIN, ask(port, https))
        .await
        .is_ok_and(|answer| answer.unwrap_or(false))
    {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause + pause / 4 + FIRST_PAUSE);
    }
}

/// Whether an HTTP server listens on this port.
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
