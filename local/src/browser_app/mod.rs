//! The browser app: Chromium on a screen of its own, shown in a web page. What a visitor gets from
//! a link to the image `casting/browser`. Must not know casts, tickets or gates: it is an app like
//! any other, configured by its environment.
//!
//! # Layout
//! - [`packages`]: what the machine must have, and how it is installed
//! - `screen`: the processes: X server, window manager, Chromium
//! - `bridge`: a WebSocket to the screen; `page`: what shows it

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app_process;
use screen::Screen;
use settings::Settings;

mod bridge;
pub mod packages;
mod page;
pub(crate) mod screen;
pub(crate) mod settings;

/// Runs the app until it is stopped, or its screen or its browser has ended; with the argument
/// `open`, opens an address in the running browser.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    app_process::run_or_open(
        "browser",
        arguments,
        Settings::from_environment,
        screen::open,
        run,
    )
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut screen = Screen::start(settings).await?;
    // Opened last: once this port answers, there is a screen behind it.
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await;
    let listener =
        listener.with_context(|| format!("port {} cannot be listened on", settings.port))?;
    let listener = listener.tap_io(|stream| {
        // What is typed travels in small pieces; the worst that can happen is that it travels
        // later.
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new()
        .route("/rfb", get(bridge::open).with_state(screen.socket()))
        .fallback(page::answer);
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.context("the server broke off"),
        ended = screen.ended() => ended,
        _ = terminate.recv() => {
            screen.stop().await;
            Ok(())
        }
        _ = interrupt.recv() => Ok(()),
    }
}
