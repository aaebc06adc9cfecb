//! The container app: a real container, from an image reference, as a session's app. A gate starts
//! it like any other app; it starts the container, lets its port be reached on this machine alone,
//! and ends with it. Must not know casts, tickets or gates.
//!
//! # Layout
//! - [`engine`]: where a Docker (or Podman) engine is, and what is done there
//! - `network`: where it is; `users`: who runs commands in it
//! - `container_env`: the settings in its environment

use std::ffi::OsString;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::app_process;
pub use container_env::{
    COMMAND, CONTAINER_ENVIRONMENT, CONTAINER_PORT, ContainerEnv, ContainerRef, FOLDER, IMAGE,
    LIMITS, SOCKET, SOUND_PORTS,
};
use engine::{Command, Engine};

mod container_env;
pub mod engine;
mod network;
mod users;

/// The argument with which a second process runs a command in the container of the first.
pub const EXEC: &str = "exec";

/// Runs the container until it ends or is stopped; with the argument `exec`, runs a command in the
/// running container.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> = arguments
        .into_iter()
        .skip(1)
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    app_process::run("container", async {
        let code = match arguments.split_first() {
            Some((verb, rest)) if verb == EXEC => exec(rest).await?,
            _ => run().await?,
        };
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    })
}

async fn run() -> anyhow::Result<i64> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let env = ContainerEnv::from_environment()?;
    let (engine, name) = (Engine::at(&env.place.socket)?, env.place.name());
    let running = async {
        engine.fetch(&env.image).await?;
        engine.start(&env).await?;
        engine.follow(&name).await
    };
    let ended = tokio::select! {
        ended = running => ended,
        _ = terminate.recv() => engine.stop(&name).await,
        _ = interrupt.recv() => engine.stop(&name).await,
    };
    engine.remove(&name).await;
    engine.remove_network(&name).await;
    ended
}

/// Runs a command in the container that runs; see [`Command::from_arguments`].
async fn exec(arguments: &[String]) -> anyhow::Result<i64> {
    let mut command = Command::from_arguments(arguments)?;
    // The gate knows the app's port on this machine alone.
    command
        .environment
        .retain(|pair| !pair.starts_with("PORT="));
    command
        .environment
        .push(format!("PORT={}", container_env::inner_port()?));
    let place = ContainerRef::from_environment()?;
    Engine::at(&place.socket)?
        .exec(&place.name(), command)
        .await
}
