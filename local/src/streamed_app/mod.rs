//! The streamed apps: a browser and a small desktop on Selkies, a streaming server with video,
//! sound, input methods and files. What a visitor gets from a link to `casting/streamed-browser` or
//! `casting/streamed-desktop`. Must not know casts, tickets or gates: it is configured by
//! its environment.
//!
//! # Layout
//! - [`packages`]: what the machine must have, and how it is installed
//! - `programs`: the processes: X server, sound server, window manager, Selkies, and what is seen
//!   first
//! - `selkies`: the options that Selkies is started with; `menu`: what the desktop offers

use std::ffi::OsString;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::app_process;
use crate::browser_app::settings::Settings;
use programs::Programs;

mod menu;
pub mod packages;
mod programs;
mod selkies;

/// What is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium alone.
    Browser,
    /// A desktop with a menu, Chromium, a terminal and a file manager.
    Desktop,
}

/// Runs the app until it is stopped, or its programs have ended; with the argument `open`, opens an
/// address in the running session.
pub fn main_from(kind: Kind, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    app_process::run_or_open(
        "streamed",
        arguments,
        Settings::from_environment,
        programs::open,
        async |settings: &Settings| run(kind, settings).await,
    )
}

async fn run(kind: Kind, settings: &Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut programs = Programs::start(kind, settings).await?;
    tokio::select! {
        ended = programs.ended() => ended,
        _ = terminate.recv() => {
            programs.stop().await;
            Ok(())
        }
        _ = interrupt.recv() => Ok(()),
    }
}
