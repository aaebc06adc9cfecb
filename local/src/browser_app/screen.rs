//! Owns the processes of a browser session: an X server that speaks RFB on a socket, a window
//! manager, Chromium. All of them end with it, and what they wrote is deleted. Must not know who
//! looks at the screen.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::settings::Settings;

/// How long the X server may take until it says its display's number.
pub(crate) const SCREEN_WITHIN: Duration = Duration::from_secs(20);
/// How long Chromium may take to write down what it has in memory.
const LAST_WRITES: Duration = Duration::from_secs(6);
/// The displays that are tried: far from those that people use.
const FIRST_DISPLAY: u32 = 1000;
const DISPLAYS: u32 = 20_000;
/// How many of them.
const TRIES: usize = 50;
/// The file that says which display the screen is.
pub(crate) const DISPLAY: &str = "display";
/// How long a text may be that is pasted, in bytes: as long as the gate lets one be.
const MAX_CUT_TEXT: &str = "-MaxCutText=67108864";
/// The size of the screen until a window asks for another.
const GEOMETRY: &str = "1280x720";

/// A screen with Chromium on it.
pub(super) struct Screen {
    server: Child,
    _manager: Child,
    chromium: Child,
    folder: Folder,
    _display: Display,
}

impl Screen {
    /// Starts everything; returns when the screen can be looked at.
    ///
    /// # Errors
    /// When a program is missing or the X server does not come up.
    pub(super) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let folder = Folder::new(&settings.session)?;
        let (server, held) = start_server(settings, &folder).await?;
        let display = format!(":{}", held.number);
        std::fs::write(folder.0.join(DISPLAY), &display).context("the display cannot be noted")?;
        add_letters(&folder.0, &display).await;
        let manager = command("matchbox-window-manager", &folder.0)
            .env("DISPLAY", &display)
            .args(["-use_titlebar", "no", "-use_cursor", "yes"])
            .spawn()
            .context("matchbox-window-manager cannot be run")?;
        let chromium = chromium(&folder.0, &display, settings)
            .spawn()
            .context("chromium cannot be run")?;
        Ok(Self {
            server,
            _manager: manager,
            chromium,
            folder,
            _display: held,
        })
    }

    /// Where the X server speaks RFB.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.socket()
    }

    /// Lets Chromium write down what it has in memory, then ends everything.
    pub(super) async fn stop(&mut self) {
        stop_chromium(&mut self.chromium).await;
    }

    /// Waits until the session has come to its end by itself: its browser was closed, or its screen
    /// is gone.
    ///
    /// # Errors
    /// When it did not end well.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        let (what, status) = tokio::select! {
            status = self.chromium.wait() => ("Chromium", status?),
            status = self.server.wait() => ("the X server", status?),
        };
        if status.success() {
            Ok(())
        } else {
            bail!("{what} ended with {status}")
        }
    }
}

/// Asks Chromium to end, and waits until it has written down what it has in memory.
pub(crate) async fn stop_chromium(chromium: &mut Child) {
    let id = chromium.id().and_then(|id| i32::try_from(id).ok());
    let asked = id.is_some_and(|id| kill(Pid::from_raw(id), Signal::SIGTERM).is_ok());
    if asked && timeout(LAST_WRITES, chromium.wait()).await.is_err() {
        eprintln!("browser: Chromium did not end in time");
    }
}

/// Starts the X server, and gives its display. The number is tried, not left to the server: servers
/// that choose for themselves and start at once take the same one, and their sessions would see
/// each other.
async fn start_server(settings: &Settings, folder: &Folder) -> anyhow::Result<(Child, Display)> {
    for held in Display::candidates() {
        let Some(held) = held? else { continue };
        if let Some(server) = try_display(settings, folder, held.number).await? {
            return Ok((server, held));
        }
    }
    bail!("no X server came up on any display")
}

/// The X server on this display; `None` when it ended at once, because another has it.
async fn try_display(
    settings: &Settings,
    folder: &Folder,
    display: u32,
) -> anyhow::Result<Option<Child>> {
    let switch = |name: &str, on: bool| format!("-{name}={}", u8::from(on));
    // No TCP port at all: the socket can be reached only through the gate.
    let mut server = command("Xvnc", &folder.0)
        .arg(format!(":{display}"))
        .args([
            "-displayfd",
            "1",
            "-geometry",
            GEOMETRY,
            "-depth",
            "24",
            "-nolisten",
            "tcp",
            "-nolisten",
            "local",
        ])
        .args([
            "-extension",
            "GLX",
            "-rfbport",
            "-1",
            "-AlwaysShared",
            "-UseBlacklist=0",
            MAX_CUT_TEXT,
            "-SecurityTypes",
            "None",
            "-rfbunixpath",
        ])
        .arg(folder.socket())
        .args([
            switch("AcceptCutText", settings.paste_in),
            switch("SendCutText", settings.copy_out),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .context("Xvnc cannot be run")?;
    let mut lines = BufReader::new(server.stdout.take().context("Xvnc has no output")?).lines();
    let number = timeout(SCREEN_WITHIN, lines.next_line())
        .await
        .context("Xvnc did not come up in time")??;
    Ok(number
        .filter(|line| line.trim().parse() == Ok(display))
        .map(|_| server))
}

/// Gives the X server keys for letters that an American keyboard lacks. Without the program that
/// does it these letters are typed as far as free keys go.
async fn add_letters(folder: &Path, display: &str) {
    let path = folder.join("letters.xkb");
    let loaded = async {
        std::fs::write(&path, include_str!("letters.xkb"))?;
        let mut loader = command("xkbcomp", folder);
        loader.arg("-w0").arg(&path).arg(display);
        loader.stderr(Stdio::null()).status().await
    };
    if !loaded.await.is_ok_and(|status| status.success()) {
        eprintln!("browser: the keyboard has no letters but its own");
    }
}

/// A display's number, held by a lock that goes with this process however it ends: X servers with a
/// given number use it without a check.
pub(crate) struct Display {
    number: u32,
    _lock: File,
}

impl Display {
    /// The displays to be tried, one after the other; `None` for those that other sessions have.
    pub(crate) fn candidates() -> impl Iterator<Item = anyhow::Result<Option<Self>>> {
        let first = FIRST_DISPLAY + std::process::id() % DISPLAYS;
        (first..).take(TRIES).map(Self::hold)
    }

    /// Its number.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// `None` when another session has it.
    fn hold(number: u32) -> anyhow::Result<Option<Self>> {
        let path = std::env::temp_dir().join(format!("casting-display-{number}"));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.with_context(|| format!("the file {} cannot be made", path.display()))?;
        let held = lock.try_lock().is_ok() && is_at(&lock, &path);
        Ok(held.then_some(Self {
            number,
            _lock: lock,
        }))
    }
}

/// Whether this file is the one at the path. A session that ends removes its lock file; a process that
/// had opened it just before would then lock a file without a name.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(file), Ok(there)) => identity(file) == identity(there),
        _ => false,
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(format!("/tmp/.X11-unix/X{}", self.number));
        let _ = std::fs::remove_file(
            std::env::temp_dir().join(format!("casting-display-{}", self.number)),
        );
    }
}

/// Opens an address in the browser of a session that runs: a second Chromium with the same profile
/// hands it over to the first and ends.
///
/// # Errors
/// When no such session runs here.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<()> {
    let folder = place(&settings.session);
    let display = std::fs::read_to_string(folder.join(DISPLAY))
        .context("there is no browser of this session")?;
    let status = chromium(&folder, &display, settings)
        .status()
        .await
        .context("chromium cannot be run")?;
    if status.success() {
        Ok(())
    } else {
        bail!("chromium ended with {status}")
    }
}

/// Chromium with the session's profile, about to open an address.
pub(crate) fn chromium(folder: &Path, display: &str, settings: &Settings) -> Command {
    let mut chromium = command("chromium", folder);
    let profile = settings
        .profile
        .clone()
        .unwrap_or_else(|| folder.join("profile"));
    chromium
        .env("DISPLAY", display)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args([
            "--no-first-run",
            "--no-default-browser-check",
            "--start-maximized",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--password-store=basic",
        ]);
    if let Some(proxy) = &settings.proxy {
        // Loopback addresses too: what listens in the session is no business of the pages that are
        // opened in it.
        chromium
            .arg(format!("--proxy-server={proxy}"))
            .arg("--proxy-bypass-list=<-loopback>");
    }
    if let Some(port) = settings.devtools_port {
        // On loopback alone, which is the session's own; and no page may open it.
        chromium.arg(format!("--remote-debugging-port={port}"));
    }
    if nix::unistd::Uid::effective().is_root() {
        // Chromium's own sandbox does not work for root; the session's process tree is then all
        // that holds it.
        chromium.args(["--no-sandbox", "--test-type"]);
    }
    // Behind two dashes an address is never an option.
    chromium.args(["--", &settings.url]);
    chromium
}

pub(crate) fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .current_dir(home)
        .kill_on_drop(true);
    command
}

/// The longest path of the folder for temporary files below which sockets still have paths that the
/// system takes.
const SHORT: usize = 48;

/// Where a session's folder is.
pub(crate) fn place(session: &str) -> PathBuf {
    place_below(&std::env::temp_dir(), session)
}

fn place_below(temporary: &Path, session: &str) -> PathBuf {
    let is_short = temporary.as_os_str().len() <= SHORT;
    let below = if is_short {
        temporary
    } else {
        Path::new("/tmp")
    };
    below.join(format!("casting-browser-{session}"))
}

/// A folder of this session alone, deleted at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(session: &str) -> anyhow::Result<Self> {
        let path = place(session);
        let _ = std::fs::remove_dir_all(&path);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("the folder {} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn socket(&self) -> PathBuf {
        self.0.join("rfb.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_paths_that_the_system_takes() {
        let session = "s".repeat(27);
        for (temporary, begins) in [
            ("/tmp".to_owned(), "/tmp/casting"),
            (format!("/home/ann/{}", "x".repeat(38)), "/home/ann/x"),
            (
                format!("/home/ann/.casting/tasks/{}.home/tmp", "0".repeat(32)),
                "/tmp/casting",
            ),
        ] {
            let place = place_below(Path::new(&temporary), &session);
            assert!(
                place.starts_with(Path::new(begins).parent().expect("a parent")),
                "{place:?}"
            );
            assert!(place.join("rfb.sock").as_os_str().len() < 108, "{place:?}");
            assert!(
                place.join("pulse.sock").as_os_str().len() < 108,
                "{place:?}"
            );
        }
    }

    #[test]
    fn sessions_have_distinct_displays() {
        let first = Display::hold(59_998).expect("a lock file");
        assert!(first.is_some() && Display::hold(59_998).expect("a lock file").is_none());
        drop(first);
        assert!(
            Display::hold(59_998).expect("a lock file").is_some(),
            "free again"
        );
    }

    #[test]
    fn lock_file_that_was_removed_is_no_lock() {
        let path = std::env::temp_dir().join(format!("casting-display-{}", std::process::id()));
        let opened = File::create(&path).expect("a lock file");
        assert!(is_at(&opened, &path));
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_at(&opened, &path), "removed");
        File::create(&path).expect("another one");
        assert!(!is_at(&opened, &path), "another file at its place");
        std::fs::remove_file(&path).expect("removed");
    }
}
