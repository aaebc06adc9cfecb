//! Owns the assignment of a demo app that was started in advance: the command `demo-app assign`
//! notifies the running app. Must not know what is shown.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::page::Page;
use super::settings::Settings;
use super::shared_state::SharedState;

/// The name of the command.
pub const ASSIGN: &str = "assign";
/// The path of the notification.
pub const PATH: &str = "/given";
/// Timeout of the notification.
const LIMIT: Duration = Duration::from_secs(5);
/// The gate says in this header of every visitor's request who asks; the command says nothing.
const ROLE: &str = "x-cast-role";

/// Sends the command's settings to the app that listens on its `PORT`.
pub async fn assign(settings: &Settings) -> anyhow::Result<()> {
    let client = casting_identity::web_client::build(LIMIT)?;
    let reply = client
        .post(format!("http://127.0.0.1:{}{PATH}", settings.port))
        .json(settings)
        .send()
        .await;
    let status = reply.context("the app was not reached")?.status();
    ensure!(status.is_success(), "the app answered {status}");
    Ok(())
}

/// Takes what the command says; no visitor can say it.
pub async fn take(
    State((page, shared_state)): State<(Arc<Page>, Arc<SharedState>)>,
    headers: HeaderMap,
    Json(settings): Json<Settings>,
) -> StatusCode {
    if headers.contains_key(ROLE) {
        return StatusCode::FORBIDDEN;
    }
    shared_state.begin(settings.time_limit());
    page.give(settings.given);
    StatusCode::NO_CONTENT
}
