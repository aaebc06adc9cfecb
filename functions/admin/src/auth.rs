//! Owns how a request shows who acts: a key in a header, a console ticket or a login in a cookie; and the CSRF token of forms. Must not know
//! what is asked for.

use casting_core::actor::Actor;
use casting_core::keys::same_secret;
use casting_core::{AuthError, ControlPlane, Credential, FlowError};
use casting_web::credentials::{console_cookie, login_cookie};
use casting_web::{Problem, RequestContext, RequestError};

use crate::failure::Failure;

/// Who acts, and what proves that a form came from a page of theirs.
pub(crate) struct Authenticated {
    /// Who.
    pub(crate) actor: Actor,
    /// What every form of the console carries; follows from the cookie, so that no other sign-in has the same. Empty for keys in headers,
    /// which no browser sends by itself.
    pub(crate) csrf_token: String,
}

/// Whoever shows a key in a header.
///
/// # Errors
/// 401 for everybody else, in the same words whatever was wrong.
pub(crate) async fn by_key(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Authenticated, Failure> {
    let key = visit
        .api_key()
        .ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    let actor = control_plane
        .authenticate(Credential::Key(key), visit.address)
        .await
        .map_err(turned)?;
    Ok(Authenticated {
        actor,
        csrf_token: String::new(),
    })
}

/// Whoever has signed in to the console: with a key, or by a login whose roles let them in.
///
/// # Errors
/// 401 for everybody else.
pub(crate) async fn by_cookie(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Authenticated, Failure> {
    let secure = control_plane.urls.is_secure();
    let csrf_token = |text: &str| control_plane.keys.fingerprint(&["console form", text]);
    if let Some(text) = visit.cookie(console_cookie(secure)) {
        match control_plane
            .authenticate(Credential::Console(text), visit.address)
            .await
        {
            Ok(actor) => {
                return Ok(Authenticated {
                    actor,
                    csrf_token: csrf_token(text),
                });
            }
            // The ticket is over; a login may still be good.
            Err(AuthError::Invalid) => {}
            Err(other) => return Err(turned(other)),
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
        .await
        .map_err(turned)?;
    Ok(Authenticated {
        actor,
        csrf_token: csrf_token(text),
    })
}

/// Makes sure that a form was sent by a page of the console that this very browser was shown.
///
/// # Errors
/// 403 when it was not.
pub(crate) fn check_form(
    visit: &RequestContext,
    csrf_token: &str,
    sent: &str,
) -> Result<(), Failure> {
    visit.not_cross_site()?;
    if csrf_token.is_empty() || !same_secret(csrf_token, sent) {
        return Err(Problem::new(RequestError::CrossSite)
            .detail("This form is too old, or was not made here; go back, load the page anew and send it again.")
            .into());
    }
    Ok(())
}

/// What whoever was not let in is told.
pub(crate) fn turned(turned: AuthError) -> Failure {
    match turned {
        AuthError::Invalid => Problem::new(RequestError::Unauthorized).into(),
        AuthError::RateLimited(denial, limit) => {
            Problem::denied(denial, None).by_limit(limit).into()
        }
        AuthError::Fault(fault) => match FlowError::from(fault) {
            FlowError::Denied(denial) => Problem::denied(denial, None).into(),
            FlowError::Fault(fault) => Failure::Fault(fault),
        },
    }
}
