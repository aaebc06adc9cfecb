//! Owns the paths of the public addresses: one function for each, used by whatever writes a link, a
//! redirect or a request. The public routes (`shared/web/src/routes.rs`) are tested against them.
//!
//! A path follows an origin: `format!("{public_url}{}", urls::session(&id))`.

use std::fmt::Display;

use url::form_urlencoded::Serializer;

use crate::ids::{CastKey, SessionId};

/// The account page: who is signed in, and the sign-out button.
pub const ACCOUNT: &str = "/login/me";
/// The path under which the API of administrators is.
pub const ADMIN_API: &str = "/api/admin";
/// The start page of the administrators' console; all of its pages are below it.
pub const CONSOLE: &str = "/admin";
/// The sign-in page of the console; a key after `#` signs in.
pub const CONSOLE_SIGN_IN: &str = "/admin/sign-in";
/// Starts a login at the login provider.
pub const LOGIN: &str = "/login";
/// Where the login provider sends users back to.
pub const LOGIN_CALLBACK: &str = "/login/callback";
/// Ends a login.
pub const LOGOUT: &str = "/logout";

/// The landing page of a link.
pub fn cast(key: impl Display) -> String {
    format!("/cast/{key}")
}

/// The description of a link as JSON, for programs.
pub fn cast_description(key: &CastKey) -> String {
    format!("/api/casts/{key}")
}

/// Where the claims of a link are sent.
pub fn claims(key: impl Display) -> String {
    format!("/cast/{key}/claims")
}

/// The waiting room of a link.
pub fn waiting_room(key: impl Display) -> String {
    format!("/cast/{key}/room")
}

/// A login that leads on to `path`.
pub fn login_to(path: &str) -> String {
    let query = Serializer::new(String::new())
        .append_pair("to", path)
        .finish();
    format!("{LOGIN}?{query}")
}

/// The page of a session, for its owner.
pub fn session(id: &SessionId) -> String {
    format!("/session/{id}")
}

/// The state of a session as JSON.
pub fn session_status(id: &SessionId) -> String {
    format!("/session/{id}/status")
}

/// Leads the owner of a session to its own origin.
pub fn enter_session(id: &SessionId) -> String {
    format!("/session/{id}/enter")
}

/// Where the owner of a session ends it.
pub fn end_session(id: &SessionId) -> String {
    format!("/session/{id}/end")
}

/// Where a gate exchanges its bootstrap token for its secret.
pub fn bootstrap(id: &SessionId) -> String {
    format!("/session/{id}/bootstrap")
}

/// Where a gate sends its reports.
pub fn reports(id: &SessionId) -> String {
    format!("/session/{id}/reports")
}

/// Where a gate asks for and reports on the persistent profile of its session.
pub fn profile(id: &SessionId) -> String {
    format!("/session/{id}/profile")
}

/// The share link of a session with this token.
pub fn share(id: &SessionId, token: &str) -> String {
    share_named(&format!("{id}.{token}"))
}

/// The share link with this last segment, as [`share`] made it.
pub fn share_named(name: &str) -> String {
    format!("/share/{name}")
}

/// Session and token of a share link, from its last segment.
pub fn parse_share(name: &str) -> Option<(SessionId, &str)> {
    let (id, token) = name.split_once('.')?;
    Some((SessionId::parse(id)?, token))
}

/// The error page for a code.
pub fn error_page(code: impl Display) -> String {
    format!("/error/{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_links_can_be_read_back() {
        let id = SessionId::from_bytes([7; 16]);
        let link = share(&id, "token.1");
        let name = link.strip_prefix("/share/").expect("a share link");
        assert_eq!(parse_share(name), Some((id.clone(), "token.1")));
        for name in ["", "token", "x.token", id.as_str()] {
            assert_eq!(parse_share(name), None, "{name}");
        }
    }

    #[test]
    fn login_keeps_the_whole_path_in_one_parameter() {
        assert_eq!(
            login_to("/cast/a?b=c&d"),
            "/login?to=%2Fcast%2Fa%3Fb%3Dc%26d"
        );
    }
}
