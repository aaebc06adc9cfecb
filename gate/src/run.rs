//! Owns the life of a gate: opens the door, starts the app, says when it is ready, and ends with it. Must not know how requests are judged.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use casting_core::Cause;
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{self, App};
use crate::front::{self, Front};
use crate::presence::Presence;
use crate::proxy::{Proxy, Target};
use crate::report::{Heard, Reporter};
use crate::server;
use crate::settings::GateSettings;

/// What a shell exits with when a command cannot be run.
const NOT_RUN: i32 = 127;
/// How long the report of the end may take; nothing waits for it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the gate in front of `command` until its app ends or has to end, and gives the app's exit code.
///
/// # Errors
/// When there is no door to open: the address is taken, or the machine has no port for the app. An app that cannot be started is no error, but
/// exit code 127.
pub async fn run(settings: GateSettings, command: &[OsString]) -> anyhow::Result<u8> {
    let listener = TcpListener::bind(settings.listen).await.with_context(|| format!("the gate cannot listen on {}", settings.listen))?;
    let port = listener.local_addr()?.port();
    let app_port = match settings.app_port {
        Some(port) => port,
        None => app::free_port().await.context("there is no free port for the app")?,
    };
    // Signals are caught before there is an app that could miss them.
    let signals = Signals::catch()?;
    let started = App::start(command, app_port);
    let reporter = Reporter::new(&settings)?;
    tracing::info!(session.id = %settings.session, port, app_port, "The gate listens");
    let presence = Arc::new(Presence::default());
    let (code, because) = match started {
        Ok(app) => {
            let front = Front {
                session: settings.session.clone(),
                secret: settings.secret.clone(),
                app: Target::loopback(app_port).context("the app's port makes no address")?,
                downloads: settings.downloads,
                presence: presence.clone(),
                clock: settings.clock.clone(),
                proxy: Proxy::default(),
            };
            tokio::select! {
                code = watch(app, signals, &settings, &reporter, &presence, [port, app_port]) => code,
                never = server::serve(listener, front::router(front)) => match never {},
            }
        }
        Err(error) => {
            tracing::error!(%error, "The app's command could not be run");
            (NOT_RUN, None)
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, reporter.ended(code, because)).await;
    tracing::info!(session.id = %settings.session, code, "The app has ended");
    Ok(u8::try_from(code).unwrap_or(1))
}

/// Sees the app through: until it ends, somebody asks for its end, the control plane knows it no more, its time is up, or nobody has been there for
/// long. Gives its exit code, and why the gate ended it if it did.
async fn watch(
    mut app: App,
    mut signals: Signals,
    settings: &GateSettings,
    reporter: &Reporter,
    presence: &Presence,
    [port, app_port]: [u16; 2],
) -> (i32, Option<Cause>) {
    let serving = async {
        app::answers(app_port).await;
        let time_is_up = tokio::time::Instant::now() + settings.time_limit;
        match reporter.ready(port).await {
            Heard::Noted => tracing::info!(session.id = %settings.session, "The app is ready"),
            Heard::Over => {
                tracing::info!("The control plane says that the session is over");
                return None;
            }
        }
        presence.note();
        let nobody_there = async {
            match settings.keepalive {
                Some(limit) => presence.nobody_for(limit).await,
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            () = tokio::time::sleep_until(time_is_up) => Cause::TimeLimit,
            () = nobody_there => Cause::Abandoned,
        };
        tracing::info!(?cause, "The session ends");
        Some(cause)
    };
    tokio::select! {
        code = app.ended() => (code, None),
        signal = signals.next() => (app.stop(signal, settings.stop_grace).await, None),
        cause = serving => (app.stop(Signal::SIGTERM, settings.stop_grace).await, cause),
    }
}

/// The signals that ask a process to end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
        }
    }
}
