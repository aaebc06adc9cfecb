//! Owns the processes of a browser session: an X server that speaks RFB on a socket, a window manager, Chromium. All of them end with it, and
//! what they wrote is deleted. Must not know who looks at the screen.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::settings::Settings;

/// How long the X server may take until it says its display's number.
const SCREEN_WITHIN: Duration = Duration::from_secs(20);
/// The file that says which display the screen is.
const DISPLAY: &str = "display";
/// The size of the screen until a window asks for another.
const GEOMETRY: &str = "1280x720";

/// A screen with Chromium on it.
pub(super) struct Screen {
    server: Child,
    _manager: Child,
    chromium: Child,
    folder: Folder,
}

impl Screen {
    /// Starts everything; returns when the screen can be looked at.
    ///
    /// # Errors
    /// When a program is missing or the X server does not come up.
    pub(super) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let folder = Folder::new(&settings.session)?;
        let switch = |name: &str, on: bool| format!("-{name}={}", u8::from(on));
        // No TCP port at all: whoever reaches the socket has come through the gate.
        let mut server = command("Xvnc", &folder.0)
            .args(["-displayfd", "1", "-geometry", GEOMETRY, "-depth", "24", "-nolisten", "tcp", "-nolisten", "local"])
            .args(["-extension", "GLX", "-rfbport", "-1", "-AlwaysShared", "-UseBlacklist=0", "-SecurityTypes", "None", "-rfbunixpath"])
            .arg(folder.socket())
            .args([switch("AcceptCutText", settings.paste_in), switch("SendCutText", settings.copy_out)])
            .stdout(Stdio::piped())
            .spawn()
            .context("Xvnc cannot be run")?;
        let mut lines = BufReader::new(server.stdout.take().context("Xvnc has no output")?).lines();
        let number = timeout(SCREEN_WITHIN, lines.next_line()).await.context("Xvnc did not come up in time")??;
        let Some(number) = number.filter(|line| line.trim().parse::<u32>().is_ok()) else { bail!("Xvnc ended before it was up") };
        let display = format!(":{}", number.trim());
        std::fs::write(folder.0.join(DISPLAY), &display).context("the display cannot be noted")?;
        let manager = command("matchbox-window-manager", &folder.0)
            .env("DISPLAY", &display)
            .args(["-use_titlebar", "no", "-use_cursor", "yes"])
            .spawn()
            .context("matchbox-window-manager cannot be run")?;
        let chromium = chromium(&folder.0, &display, &settings.url).spawn().context("chromium cannot be run")?;
        Ok(Self { server, _manager: manager, chromium, folder })
    }

    /// Where the X server speaks RFB.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.socket()
    }

    /// Waits until the session has come to its end by itself: its browser was closed, or its screen is gone.
    ///
    /// # Errors
    /// When it did not end well.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        let (what, status) = tokio::select! {
            status = self.chromium.wait() => ("Chromium", status?),
            status = self.server.wait() => ("the X server", status?),
        };
        if status.success() { Ok(()) } else { bail!("{what} ended with {status}") }
    }
}

/// Opens an address in the browser of a session that runs: a second Chromium with the same profile hands it over to the first and ends.
///
/// # Errors
/// When no such session runs here.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<()> {
    let folder = place(&settings.session);
    let display = std::fs::read_to_string(folder.join(DISPLAY)).context("there is no browser of this session")?;
    let status = chromium(&folder, &display, &settings.url).status().await.context("chromium cannot be run")?;
    if status.success() { Ok(()) } else { bail!("chromium ended with {status}") }
}

/// Chromium with the session's profile, about to open an address.
fn chromium(folder: &Path, display: &str, url: &str) -> Command {
    let mut chromium = command("chromium", folder);
    chromium.env("DISPLAY", display).arg(format!("--user-data-dir={}", folder.join("profile").display())).args([
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
    if nix::unistd::Uid::effective().is_root() {
        // Chromium's own sandbox does not work for root; the session's process tree is then all that holds it.
        chromium.args(["--no-sandbox", "--test-type"]);
    }
    // Behind two dashes an address is never an option.
    chromium.args(["--", url]);
    chromium
}

fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", home).env("TMPDIR", home).stdin(Stdio::null()).stdout(Stdio::null()).current_dir(home).kill_on_drop(true);
    command
}

/// Where a session's folder is.
fn place(session: &str) -> PathBuf {
    std::env::temp_dir().join(format!("casting-browser-{session}"))
}

/// A folder of this session alone, deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(session: &str) -> anyhow::Result<Self> {
        let path = place(session);
        let _ = std::fs::remove_dir_all(&path);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("the folder {} cannot be made", path.display()))?;
        Ok(Self(path))
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
