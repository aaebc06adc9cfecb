//! Owns authentication of requests (an API key in a header, a console ticket or a login in a
//! cookie) and the CSRF token of forms. Must not know what is requested.

use casting_core::actor::Actor;
use casting_core::keys::same_secret;
use casting_core::{ControlPlane, Credential};
use casting_web::credentials::{console_cookie, login_cookie};
use casting_web::{Problem, RequestContext, RequestError};

use casting_web::HandlerError;

/// The actor of a request, and the CSRF token of the sign-in.
pub(crate) struct Authenticated {
    /// Who.
    pub(crate) actor: Actor,
    /// The token that every form of the console contains. It is derived from the cookie, so it
    /// differs between sign-ins. Empty for keys in headers, which no browser sends by itself.
    pub(crate) csrf_token: String,
}

/// Authenticates by an API key in a header.
///
/// # Errors
/// 401 without a valid key, always with the same text.
pub(crate) async fn by_key(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Authenticated, HandlerError> {
    let key = visit
        .api_key()
        .ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    let actor = control_plane
        .authenticate(Credential::Key(key), visit.address)
        .await?
        .ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    Ok(Authenticated {
        actor,
        csrf_token: String::new(),
    })
}

/// Authenticates by the cookie of a sign-in to the console: with a key, or by a login with a role.
///
/// # Errors
/// 401 without a valid cookie.
pub(crate) async fn by_cookie(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Authenticated, HandlerError> {
    let secure = control_plane.urls.is_secure();
    let csrf_token = |text: &str| control_plane.keys.fingerprint(&["console form", text]);
    if let Some(text) = visit.cookie(console_cookie(secure)) {
        let actor = control_plane
            .authenticate(Credential::Console(text), visit.address)
            .await?;
        // An invalid or expired ticket may stand beside a valid login.
        if let Some(actor) = actor {
            return Ok(Authenticated {
                actor,
                csrf_token: csrf_token(text),
            });
        }
    }
    let login = visit.cookie(login_cookie(secure)).zip(visit.login(
        &control_plane.keys,
        secure,
        control_plane.clock.now(),
    ));
    let (text, user) = login.ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    let actor = control_plane
        .authenticate(Credential::Login(&user), visit.address)
        .await?
        .ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    Ok(Authenticated {
        actor,
        csrf_token: csrf_token(text),
    })
}

/// Checks the CSRF token of a form: it must have been made by a page of the same sign-in.
///
/// # Errors
/// 403 when it was not.
pub(crate) fn check_form(
    visit: &RequestContext,
    csrf_token: &str,
    sent: &str,
) -> Result<(), HandlerError> {
    visit.not_cross_site()?;
    if csrf_token.is_empty() || !same_secret(csrf_token, sent) {
        return Err(Problem::new(RequestError::CrossSite)
            .detail(
                "This form has expired or was not made here; go back, reload the page and send \
                     it again.",
            )
            .into());
    }
    Ok(())
}
