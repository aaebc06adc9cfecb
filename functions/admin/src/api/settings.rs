//! Owns the deployment's settings of the API. Must not know which values are valid.

use casting_core::deployment::Deployment;
use casting_core::settings_form;
use casting_web::{Reply, reply};
use http::StatusCode;

use super::Call;
use crate::version;
use casting_core::admin::{login_previews, settings};
use casting_web::HandlerError;

/// The settings as they are.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show(&settings::read(&call.service).await?))
}

/// Changes the fields of the document.
pub(crate) async fn change(call: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(show(
        &settings::change(
            &call.service,
            &call.document()?,
            &version::precondition(call.visit),
        )
        .await?,
    ))
}

/// Asks the CAPTCHA's provider about the keys.
pub(crate) async fn check_keys(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let finding = settings::check_keys(&call.service).await?;
    Ok(reply::json(StatusCode::OK, &finding.view()))
}

/// Previews a login from its claims.
pub(crate) async fn preview_login(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let preview = login_previews::preview(&call.service, &call.document()?).await?;
    Ok(reply::json(StatusCode::OK, &login_previews::view(&preview)))
}

fn show(deployment: &Deployment) -> Reply {
    let mut reply = reply::json(StatusCode::OK, &settings_form::view(deployment));
    version::set(&mut reply, deployment.version);
    reply
}
