//! The browser app: Chromium on a screen of its own, shown in a web page. What a visitor gets from a link to the image `casting/browser`.
//! Must not know casts, tickets or gates: it is an app like any other, told by its environment.
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

use screen::Screen;
use settings::Settings;

mod bridge;
pub mod packages;
mod page;
pub(crate) mod screen;
pub(crate) mod settings;

/// The argument with which a second process of this app opens an address in the browser of the first.
const OPEN: &str = "open";

/// Runs the app until it is told to end, or its screen or its browser has ended; with the argument `open`, opens an address in the browser that runs.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
                    screen::open(&settings).await
                } else {
                    run(&settings).await
                }
            })
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("browser: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut screen = Screen::start(settings).await?;
    // Whoever gets an answer on this port also finds a screen behind it.
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await;
    let listener =
        listener.with_context(|| format!("port {} cannot be listened on", settings.port))?;
    let listener = listener.tap_io(|stream| {
        // What is typed travels in small pieces; the worst that can happen is that it travels later.
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
