//! Owns the deployment's settings of the API. Must not know which values are possible.

use casting_core::system::System;
use casting_core::system_form;
use casting_web::{Reply, reply};
use http::StatusCode;

use super::Call;
use crate::failure::Failure;
use crate::version;
use casting_core::admin::settings;

/// The settings as they are.
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(show(&settings::read(&call.service).await?))
}

/// Changes what the document names.
pub(crate) async fn change(call: &Call<'_>) -> Result<Reply, Failure> {
    Ok(show(
        &settings::change(
            &call.service,
            &call.document()?,
            &version::precondition(call.visit),
        )
        .await?,
    ))
}

fn show(system: &System) -> Reply {
    let mut reply = reply::json(StatusCode::OK, &system_form::view(system));
    version::set(&mut reply, system.version);
    reply
}
