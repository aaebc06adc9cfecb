//! The streamed apps: a browser and a small desktop on Selkies, a streaming server with video, sound, input methods and files. What a visitor gets
//! from a link to `casting/streamed-browser` or `casting/streamed-desktop`. Must not know casts, tickets or gates: it is told by its environment.
//!
//! # Layout
//! - [`packages`]: what the machine must have, and how it is installed
//! - `programs`: the processes: X server, sound server, window manager, Selkies, and what is seen first
//! - `selkies`: the options that Selkies is started with; `menu`: what the desktop offers

use std::ffi::OsString;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::browser_app::settings::Settings;
use programs::Programs;

mod menu;
pub mod packages;
mod programs;
mod selkies;

/// The argument with which a second process opens an address in the session of the first.
const OPEN: &str = "open";

/// What is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium alone.
    Browser,
    /// A desktop with a menu, Chromium, a terminal and a file manager.
    Desktop,
}

/// Runs the app until it is told to end, or what it shows has ended; with the argument `open`, opens an address in the session that runs.
pub fn main_from(kind: Kind, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let opens = arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == OPEN);
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let settings = Settings::from_environment()?;
            runtime.block_on(async {
                if opens {
                    programs::open(&settings).await
                } else {
                    run(kind, &settings).await
                }
            })
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streamed: {error:#}");
            ExitCode::FAILURE
        }
    }
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
