//! Owns the Docker engine of the tests: the machine's own if it has one, else one that a suite
//! starts for itself, which ends with the suite and leaves nothing behind.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use casting_local::options::engine_socket;

/// How long a new engine may take until it answers: 50 ms each.
const STARTING_POLLS: u32 = 600;

/// Starts an engine in a folder (`$0`) with further options, again on each line that it reads, and
/// ends it with its input: also when a suite is killed, which closes the pipe.
const KEEPER: &str = r#"
start() {
    rm -f "$0/pid" "$0/exec/containerd/containerd.pid"
    dockerd --host "unix://$0/socket" --pidfile "$0/pid" --data-root "$0/data" \
        --exec-root "$0/exec" --storage-driver vfs "$@" >>"$0/log" 2>&1 &
    engine=$!
}
start "$@"
while read -r line; do wait "$engine"; start "$@"; done
kill "$engine" 2>/dev/null; wait "$engine"
pkill -KILL -f "$0/exec"
grep -o " $0[^ ]*" /proc/mounts | sort -r | xargs -r umount -l
rm -rf "$0"
"#;

/// Options of an engine that leaves the machine's firewall alone. An engine that starts replaces
/// the rules of every other engine of the machine, and with them what keeps sessions apart.
const NO_FIREWALL: &[&str] = &["--iptables=false", "--ip6tables=false", "--bridge=none"];

/// A Docker engine that answers.
pub struct Engine {
    socket: PathBuf,
    /// What keeps it, where it is a suite's own.
    keeper: Option<Keeper>,
}

struct Keeper {
    _shell: Child,
    input: Mutex<ChildStdin>,
}

/// The engine that the tests of this process share; `None`, with the reason on stderr, where the
/// machine has none and can start none. One suite at a time may use it: see [`without_firewall`].
pub fn shared() -> Option<&'static Engine> {
    static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(|| Engine::of_machine_or_own(&[]));
    ENGINE.as_ref()
}

/// As [`shared`], for a suite that runs beside the one that checks how sessions are kept apart: an
/// engine of its own does not keep them apart, and takes nothing from the other suite's engine.
pub fn without_firewall() -> Option<&'static Engine> {
    static ENGINE: LazyLock<Option<Engine>> =
        LazyLock::new(|| Engine::of_machine_or_own(NO_FIREWALL));
    ENGINE.as_ref()
}

impl Engine {
    fn of_machine() -> Option<Self> {
        let socket = engine_socket()?;
        Some(Self {
            socket,
            keeper: None,
        })
    }

    fn of_machine_or_own(options: &[&str]) -> Option<Self> {
        let engine = Self::of_machine().or_else(|| Self::started(options));
        if engine.is_none() {
            eprintln!("Skipped: there is no Docker engine here, and none can be started.");
        }
        engine
    }

    fn started(options: &[&str]) -> Option<Self> {
        let folder = tempfile::Builder::new()
            .prefix("casting-engine-")
            .tempdir()
            .ok()?
            .keep();
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(&folder)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let input = Mutex::new(shell.stdin.take()?);
        let engine = Self {
            socket: folder.join("socket"),
            keeper: Some(Keeper {
                _shell: shell,
                input,
            }),
        };
        engine.answers_soon().then_some(engine)
    }

    /// Whether it may be killed: it is the suite's own.
    pub const fn is_own(&self) -> bool {
        self.keeper.is_some()
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until it answers, half a minute at most.
    pub fn answers_soon(&self) -> bool {
        (0..STARTING_POLLS).any(|_| {
            let is_there = self.docker(&["version"]).status.success();
            if !is_there {
                std::thread::sleep(Duration::from_millis(50));
            }
            is_there
        })
    }

    /// Kills it without a word, as a crash does. Only a suite's own.
    pub fn kill(&self) {
        let file = self.socket.with_file_name("pid");
        let id = std::fs::read_to_string(file).unwrap_or_default();
        if self.is_own() && !id.trim().is_empty() {
            let _ = Command::new("kill").args(["-KILL", id.trim()]).status();
        }
    }

    /// Starts it again after it was killed.
    pub fn start_again(&self) {
        if let Some(keeper) = &self.keeper {
            let mut input = keeper.input.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writeln!(input, "again");
        }
    }

    /// `docker` with these arguments.
    #[expect(clippy::expect_used, reason = "tests alone use it")]
    pub fn docker(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("docker");
        command
            .arg("--host")
            .arg(format!("unix://{}", self.socket.display()));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the command docker")
    }

    /// What `docker` with these arguments prints, without the space around it.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes an image of a folder's files; whether that worked.
    pub fn import(&self, folder: &Path, change: &str, image: &str) -> bool {
        let packed = format!("tar -C '{}' -c .", folder.display());
        self.import_packed(&packed, change, image)
    }

    /// Makes an image of the file system that a command line of Bash writes as a tar; whether that
    /// worked.
    pub fn import_packed(&self, packed: &str, change: &str, image: &str) -> bool {
        let line = format!(
            "set -o pipefail; {packed} | docker --host 'unix://{}' import -c '{change}' - {image}",
            self.socket.display()
        );
        let made = Command::new("bash")
            .args(["-c", &line])
            .stdout(Stdio::null())
            .status();
        made.is_ok_and(|status| status.success())
    }
}
