//! The demo app: what the first link of a new installation opens. Shows what its session was given,
//! ticks, and keeps a pad that all windows of the session share. Must not know casts, tickets or
//! gates: it is an app like any other, configured by its environment.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app_process;
use page::Page;
use settings::Settings;
use shared_state::SharedState;

mod handover;
mod pad;
mod page;
mod settings;
mod shared_state;
mod socket;

/// Runs the app until a signal ends it, or, as `demo-app assign`, sends its settings to a running
/// app. All settings come from the environment.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let assigns = app_process::has_verb(arguments, handover::ASSIGN);
    app_process::run("demo-app", async {
        let settings = Settings::from_environment()?;
        if assigns {
            handover::assign(&settings).await?;
        } else {
            run(settings).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = ("127.0.0.1", settings.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("port {} cannot be listened on", settings.port))?;
    let shared_state = Arc::new(SharedState::new(
        settings.time_limit(),
        settings.folder.as_deref(),
    ));
    let page = Arc::new(Page::new(settings.given));
    let router = Router::new()
        .route("/", get(show))
        .route(handover::PATH, post(handover::take))
        .with_state((page, shared_state.clone()))
        .route("/ws", get(socket::open).with_state(shared_state.clone()));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.context("the server broke off"),
        never = shared_state.tick() => match never {},
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn show(State((page, shared_state)): State<(Arc<Page>, Arc<SharedState>)>) -> Response {
    match page.render(&shared_state.status()) {
        Ok(html) => {
            let headers = [
                (CONTENT_SECURITY_POLICY, page.policy.clone()),
                (CACHE_CONTROL, "no-store".to_owned()),
                (REFERRER_POLICY, "no-referrer".to_owned()),
            ];
            (headers, Html(html)).into_response()
        }
        Err(error) => {
            eprintln!("demo-app: the page could not be rendered: {error}");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
