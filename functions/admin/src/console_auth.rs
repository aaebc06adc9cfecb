//! Owns sign-in and sign-out of the console: its cookie, and the authorization of its requests.
//! Must not know the pages.

use casting_core::actor::Scope;
use casting_core::audit::{Action, Audit, RecordKind};
use casting_core::urls;
use casting_core::{ControlPlane, SIGNED_IN_SECONDS};
use casting_web::credentials::{SetCookie, console_cookie, login_cookie};
use casting_web::{Access, Problem, Reply, Request, RequestContext, RequestError, body, reply};
use http::Method;

use crate::api::needed;
use crate::auth::{self, Authenticated};
use casting_core::admin::AdminService;
use casting_web::HandlerError;

/// The field of every form that contains the CSRF token.
pub(crate) const CSRF_FIELD: &str = "csrf_token";

/// The error for changes by an actor with read access only.
const ONLY_LOOKS: &str = "You have read-only access to the console. Nothing has been changed.";

/// An actor who has signed in.
pub(crate) struct ConsoleSession<'a> {
    /// The admin service, on behalf of the actor.
    pub(crate) service: AdminService<'a>,
    /// The CSRF token that every form on the page must contain in [`CSRF_FIELD`].
    pub(crate) csrf_token: String,
}

/// Authenticates by the cookie of the console.
///
/// # Errors
/// 401 without a valid cookie.
pub(crate) async fn admit<'a>(
    control_plane: &'a ControlPlane,
    visit: &RequestContext,
) -> Result<ConsoleSession<'a>, HandlerError> {
    let Authenticated { actor, csrf_token } = auth::by_cookie(control_plane, visit).await?;
    Ok(ConsoleSession {
        service: AdminService {
            control_plane,
            actor,
            request_key: None,
        },
        csrf_token,
    })
}

/// The fields that were sent, if the actor has the required access and the CSRF token is valid.
///
/// # Errors
/// 403, and what is wrong with the form.
pub(crate) fn read(
    console_session: &ConsoleSession<'_>,
    visit: &RequestContext,
    request: &Request,
    access: Access,
) -> Result<Vec<(String, String)>, HandlerError> {
    if access.admits(&console_session.service.actor) == Some(false) {
        return Err(HandlerError::request(
            RequestError::Forbidden,
            match access {
                _ if console_session
                    .service
                    .actor
                    .scopes
                    .iter()
                    .all(|scope| *scope == Scope::Read) =>
                {
                    ONLY_LOOKS.to_owned()
                }
                access => needed(access),
            },
        ));
    }
    if visit.method != Method::POST {
        return Ok(Vec::new());
    }
    let form = body::form(request)?;
    auth::check_form(
        visit,
        &console_session.csrf_token,
        form.field(CSRF_FIELD).unwrap_or_default(),
    )?;
    Ok(form.into_fields())
}

/// Signs in with the key of the form, and redirects to its field `to`, within the console.
///
/// # Errors
/// 401 when the key is invalid, 403 when another site's page sent the form.
pub(crate) async fn sign_in(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    request: &Request,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let form = body::form(request)?;
    let key = form.field("key").unwrap_or_default().trim();
    let (actor, ticket) = control_plane
        .sign_in(key, visit.address)
        .await?
        .ok_or_else(|| Problem::new(RequestError::Unauthorized))?;
    if !actor.may_read() {
        return Err(Problem::new(RequestError::Unauthorized).into());
    }
    let audit = Audit::plain(
        &actor,
        Action::SignedIn,
        RecordKind::Console,
        "console",
        "Console",
        control_plane.clock.now(),
        &*control_plane.entropy,
    );
    control_plane.store.add_audit(&audit).await?;
    tracing::info!(
        actor.id = actor.id,
        "{} has signed in to the console",
        actor.name
    );
    let mut reply = reply::see_other(target(form.field("to")));
    set(&mut reply, control_plane, &ticket, SIGNED_IN_SECONDS);
    Ok(reply)
}

/// Signs out, with either cookie.
pub(crate) fn sign_out(control_plane: &ControlPlane) -> Reply {
    let secure = control_plane.urls.is_secure();
    let mut reply = reply::see_other(urls::CONSOLE_SIGN_IN);
    set(&mut reply, control_plane, "", 0);
    reply::set_cookie(
        &mut reply,
        &SetCookie {
            name: login_cookie(secure),
            value: "",
            path: "/",
            max_age: 0,
            secure,
        },
    );
    reply
}

/// Redirects to the sign-in page, which leads back to the requested page.
pub(crate) fn sign_in_first(visit: &RequestContext) -> Reply {
    let wanted = if visit.method == Method::GET {
        visit.path.as_str()
    } else {
        urls::CONSOLE
    };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("to", wanted)
        .finish();
    reply::see_other(&format!("{}?{query}", urls::CONSOLE_SIGN_IN))
}

/// A path within the console; never one that a browser could take for another site.
pub(crate) fn target(wanted: Option<&str>) -> &str {
    let is_ours = |path: &&str| {
        let rest = path.strip_prefix(urls::CONSOLE);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && !path.starts_with(urls::CONSOLE_SIGN_IN)
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    wanted.filter(is_ours).unwrap_or(urls::CONSOLE)
}

fn set(reply: &mut Reply, control_plane: &ControlPlane, value: &str, max_age: u64) {
    let secure = control_plane.urls.is_secure();
    reply::set_cookie(
        reply,
        &SetCookie {
            name: console_cookie(secure),
            value,
            path: "/",
            max_age,
            secure,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_redirects_only_into_the_console() {
        for (wanted, expected) in [
            (None, "/admin"),
            (Some("/admin/casts?search=x"), "/admin/casts?search=x"),
            (Some("/admin"), "/admin"),
            (Some("https://evil.example/admin"), "/admin"),
            (Some("//evil.example/admin/"), "/admin"),
            (Some("/\\evil.example"), "/admin"),
            (Some("/admin/\\evil"), "/admin"),
            (Some("/admin/a\r\nb"), "/admin"),
            (Some("/administration"), "/admin"),
            (Some("/admin/sign-in"), "/admin"),
            (Some("/cast/123abc"), "/admin"),
        ] {
            assert_eq!(target(wanted), expected, "{wanted:?}");
        }
    }
}
