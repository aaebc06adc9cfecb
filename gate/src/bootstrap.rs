//! Owns how the gate gets its secret: in exchange for its bootstrap token, once, before the app
//! starts. From then on the secret lives in this process's memory only, and the token in its
//! environment is worth nothing.

use casting_protocol::ids::SessionId;
use casting_protocol::keys::SessionSecret;
use casting_protocol::report::Bootstrap;
use casting_protocol::urls;
use reqwest::{Client, StatusCode};

use crate::report::until_answered;

/// The control plane gives this gate no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control plane answered {0}: the token is wrong or used up, or the session is over")]
pub struct BootstrapError(StatusCode);

/// Asks for the secret until the control plane answers. A token whose answer was lost is used up:
/// this gate then ends, and the session counts as a start that failed.
///
/// # Errors
/// When the answer is no.
pub async fn exchange(
    client: &Client,
    report_url: &str,
    session: &SessionId,
    token: &str,
) -> Result<SessionSecret, BootstrapError> {
    let url = &format!("{report_url}{}", urls::bootstrap(session));
    until_answered(|| async move {
        match client.post(url).bearer_auth(token).send().await {
            Ok(reply) if reply.status().is_success() => match reply.json::<Bootstrap>().await {
                Ok(given) => return Some(Ok(SessionSecret::from_text(given.secret))),
                Err(error) => {
                    tracing::warn!(error = %error.without_url(), "The answer with the secret was lost");
                }
            },
            Ok(reply) if is_final(reply.status()) => return Some(Err(BootstrapError(reply.status()))),
            Ok(reply) => {
                tracing::warn!(status = %reply.status(), "The control plane has given no secret yet");
            }
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "The control plane was not reached");
            }
        }
        None
    })
    .await
}

fn is_final(status: StatusCode) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !passing.contains(&status)
}
