//! Owns the processes of a streamed session: X server, sound server, window manager, Selkies,
//! Chromium. All of them end with it, and what they wrote is deleted. Must not know who looks at
//! the screen.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Kind, menu, selkies};
use crate::browser_app::screen::{
    DISPLAY, Display, Folder, SCREEN_WITHIN, chromium, command, place, stop_chromium,
};
use crate::browser_app::settings::{BLANK, MASTER_TOKEN, Settings};

/// The largest screen that a window may ask for: a phone's is higher than it is wide.
const LARGEST: &str = "4096x4096x24";
/// The size of the screen until a window asks for another.
const FIRST_SIZE: &str = "1280x720";
/// Where the sound server listens, in the session's folder.
const SOUND: &str = "pulse.sock";
/// How much sound is fetched at a time, in milliseconds, for the sound server's library: as much as
/// Selkies sends in one piece. It would look 100 times a second otherwise, also where nothing sounds.
const SOUND_LATENCY: (&str, &str) = ("PULSE_LATENCY_MSEC", "20");
/// The folder for files that come and go, in the session's folder.
const FILES: &str = "Downloads";
/// How long a second Chromium may take to hand an address to the first; after that it is the first
/// itself.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(5);

/// A screen with what is shown on it, streamed.
pub(super) struct Programs {
    screen: Child,
    server: Child,
    /// What the session lives as long as: its browser, or its desktop.
    shown: Child,
    _others: Vec<Child>,
    _folder: Folder,
    _display: Display,
}

impl Programs {
    /// Starts everything; returns when all of it is under way.
    ///
    /// # Errors
    /// When a program is missing or the X server does not come up.
    pub(super) async fn start(kind: Kind, settings: &Settings) -> anyhow::Result<Self> {
        let folder = Folder::new(&settings.session)?;
        let at = folder.path();
        let files = at.join(FILES);
        std::fs::create_dir(&files).context("the folder for files cannot be made")?;
        let (screen, display) = start_screen(at).await?;
        let name = format!(":{}", display.number());
        std::fs::write(at.join(DISPLAY), &name).context("the display cannot be noted")?;
        let run = |program: &str| {
            let mut command = command(program, at);
            equip(&mut command, at).env("DISPLAY", &name);
            command
        };
        let started = |mut command: Command, program: &str| {
            command
                .spawn()
                .with_context(|| format!("{program} cannot be run"))
        };
        let mut sound = run("pulseaudio");
        sound.args(sound_options(at));
        let mut others = vec![started(sound, "pulseaudio")?];
        // Before anything is drawn, so that it is drawn once.
        let sized = run("selkies-resize").arg(FIRST_SIZE).status().await;
        if !sized.context("selkies-resize cannot be run")?.success() {
            bail!("the screen cannot be given its first size");
        }
        let mut server = run("selkies");
        server.args(selkies::options(settings, &files.display().to_string()));
        server.env(SOUND_LATENCY.0, SOUND_LATENCY.1);
        if let Some(token) = &settings.master_token {
            server.env(MASTER_TOKEN, token);
        }
        let server = started(server, "selkies")?;
        let mut browser = chromium(at, &name, settings);
        equip(&mut browser, at);
        let shown = match kind {
            Kind::Browser => {
                let mut manager = run("matchbox-window-manager");
                manager.args(["-use_titlebar", "no", "-use_cursor", "yes"]);
                others.push(started(manager, "matchbox-window-manager")?);
                started(browser, "chromium")?
            }
            Kind::Desktop => {
                let configuration = at.join("jwmrc");
                std::fs::write(
                    &configuration,
                    menu::configuration(crate::stack::STREAMED_DESKTOP_APP),
                )
                .context("the desktop's configuration cannot be written")?;
                let mut desktop = run("jwm");
                desktop.arg("-f").arg(&configuration);
                let desktop = started(desktop, "jwm")?;
                if settings.url != BLANK {
                    others.push(started(browser, "chromium")?);
                }
                desktop
            }
        };
        Ok(Self {
            screen,
            server,
            shown,
            _others: others,
            _folder: folder,
            _display: display,
        })
    }

    /// Lets what is shown write down what it has in memory, then ends everything.
    pub(super) async fn stop(&mut self) {
        stop_chromium(&mut self.shown).await;
    }

    /// Waits until the session has come to its end by itself: what it shows was closed, or its
    /// screen or its streaming server is gone.
    ///
    /// # Errors
    /// When it did not end well.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        let (what, status) = tokio::select! {
            status = self.shown.wait() => ("what is shown", status?),
            status = self.server.wait() => ("Selkies", status?),
            status = self.screen.wait() => ("the X server", status?),
        };
        if status.success() {
            Ok(())
        } else {
            bail!("{what} ended with {status}")
        }
    }
}

/// Opens an address in the session that runs: a second Chromium with the same profile hands it over
/// to the first and ends, or stays where it is the first.
///
/// # Errors
/// When no such session runs here.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<()> {
    let folder = place(&settings.session);
    let display = std::fs::read_to_string(folder.join(DISPLAY))
        .context("there is no screen of this session")?;
    let mut browser = chromium(&folder, &display, settings);
    equip(&mut browser, &folder).kill_on_drop(false);
    let mut browser = browser.spawn().context("chromium cannot be run")?;
    if let Ok(ended) = timeout(HANDED_OVER_WITHIN, browser.wait()).await
        && !ended?.success()
    {
        bail!("chromium did not open the address");
    }
    Ok(())
}

/// The environment of every program of the session: its display, its sound server, and where its
/// own sockets go. The key to the streaming server is not among it.
fn equip<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .env("XDG_RUNTIME_DIR", folder)
        .env("PULSE_RUNTIME_PATH", folder)
        .env(
            "PULSE_SERVER",
            format!("unix:{}", folder.join(SOUND).display()),
        )
        .env_remove(MASTER_TOKEN)
}

/// A sound server with one output for the streaming server only, and no sockets elsewhere.
fn sound_options(folder: &Path) -> Vec<String> {
    let socket = folder.join(SOUND);
    [
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--disallow-exit",
        "--use-pid-file=no",
        "-n",
        "-L",
        &format!(
            "module-native-protocol-unix socket={} auth-anonymous=1",
            socket.display()
        ),
        "-L",
        "module-null-sink sink_name=output rate=48000",
    ]
    .map(str::to_owned)
    .into()
}

/// Starts the X server on a display that no other session has.
async fn start_screen(folder: &Path) -> anyhow::Result<(Child, Display)> {
    for held in Display::candidates() {
        let Some(held) = held? else { continue };
        let mut server = command("Xvfb", folder)
            .arg(format!(":{}", held.number()))
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                LARGEST,
                "-nolisten",
                "tcp",
                "-nolisten",
                "local",
                "-noreset",
                "-s",
                "0",
                "-dpms",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .context("Xvfb cannot be run")?;
        let mut lines = BufReader::new(server.stdout.take().context("Xvfb has no output")?).lines();
        let said = timeout(SCREEN_WITHIN, lines.next_line())
            .await
            .context("Xvfb did not come up in time")??;
        if said.is_some_and(|line| line.trim().parse() == Ok(held.number())) {
            return Ok((server, held));
        }
    }
    bail!("no X server came up on any display")
}
