//! Owns the configuration document of the API: export, plan and apply. Must not know how documents
//! are compared, or how records are written.

use casting_core::admin::configuration::{self, Request};
use casting_web::{Reply, body, reply};
use http::StatusCode;

use super::Call;
use casting_web::HandlerError;

/// The largest document, in bytes: about ten thousand casts. API Gateway takes ten megabytes, a
/// function six.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The configuration of this deployment.
pub(crate) async fn export(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let document = configuration::export(&call.service).await?;
    Ok(reply::json(StatusCode::OK, &document))
}

/// The JSON Schema of a configuration.
pub(crate) async fn schema(_: &Call<'_>) -> Result<Reply, HandlerError> {
    Ok(reply::json(StatusCode::OK, &configuration::schema()))
}

/// What applying a configuration would change.
pub(crate) async fn plan(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let plan = configuration::plan(&call.service, &asked(call)?).await?;
    Ok(reply::json(StatusCode::OK, &plan.view()))
}

/// Applies a configuration.
pub(crate) async fn apply(call: &Call<'_>) -> Result<Reply, HandlerError> {
    let applied = configuration::apply(&call.service, &asked(call)?).await?;
    Ok(reply::json(StatusCode::OK, &applied.view()))
}

fn asked(call: &Call<'_>) -> Result<Request, HandlerError> {
    let input = body::json_up_to(call.request, MAX_BYTES)?;
    let asked = Request::read(&input).map_err(casting_core::admin::error::AdminError::from)?;
    Ok(asked)
}
