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
/// The configuration of a deployment as one document, for administrators' programs.
pub const ADMIN_CONFIGURATION: &str = "/api/admin/configuration";
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

/// The landing page of a link, with those of these parameters that have a value.
pub fn cast_with(key: &CastKey, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{query}", cast(key))
}

/// What chats, mail programs and people add to the end of an address, as it stands in a path.
const ADDED: [&str; 22] = [
    "/",
    ".",
    ",",
    ";",
    ":",
    "!",
    "*",
    ")",
    "]",
    "}",
    ">",
    "'",
    "\"",
    "%20",
    "%22",
    "%27",
    "%29",
    "%5d",
    "%7d",
    "%3e",
    "%c2%a0",
    "%e2%80%9d",
];

/// The link that a mistyped path means: with slashes doubled, or with punctuation behind the key,
/// which no key has. `None` for every other path, and for the path of a link as it should be.
pub fn mistyped_cast(path: &str) -> Option<CastKey> {
    let lower = path.to_ascii_lowercase();
    let rest = path.trim_start_matches('/').strip_prefix("cast/")?;
    let rest = rest.trim_start_matches('/');
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let end = rest.bytes().position(|byte| !is_of_key(byte));
    let (key, _) = rest.split_at(end.unwrap_or(rest.len()));
    let key = CastKey::parse(key)?;
    let mut added = &lower[lower.len() - (rest.len() - key.as_str().len())..];
    while !added.is_empty() {
        added = ADDED.iter().find_map(|token| added.strip_prefix(token))?;
    }
    (path != cast(&key)).then_some(key)
}

/// Whether a form may lead here after it has ended a session: to the account page, or to a link of
/// this deployment with its parameters.
pub fn is_way_back(to: &str) -> bool {
    let is_plain = to
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = to.split(['?', '#']).next().unwrap_or_default();
    let is_link = path
        .strip_prefix("/cast/")
        .is_some_and(|key| CastKey::parse(key).is_some());
    is_plain && (to == ACCOUNT || is_link)
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
    fn mistyped_links_are_recognised() {
        for (name, path, key) in [
            ("as it should be", "/cast/my-first", None),
            ("a slash", "/cast/my-first/", Some("my-first")),
            ("two slashes before", "//cast/my-first", Some("my-first")),
            ("two slashes within", "/cast//my-first", Some("my-first")),
            ("a dot", "/cast/my-first.", Some("my-first")),
            ("a bracket and a dot", "/cast/my-first).", Some("my-first")),
            ("encoded bracket", "/cast/my-first%29", Some("my-first")),
            ("encoded quote", "/cast/my-first%E2%80%9D", Some("my-first")),
            ("a space", "/cast/my-first%20", Some("my-first")),
            ("Kasm's page", "/#/cast/my-first", None),
            ("another page of it", "/cast/my-first/room", None),
            ("a badge", "/cast/my-first/badge.svg", None),
            ("more words", "/cast/my-first.html", None),
            ("too short a key", "/cast/abc.", None),
            ("no key", "/cast/", None),
            ("another path", "/casts/my-first/", None),
            ("letters of others", "/cast/my-first\u{e9}", None),
            ("half a code", "/cast/my-first%2", None),
        ] {
            let found = mistyped_cast(path);
            assert_eq!(found.as_ref().map(CastKey::as_str), key, "{name}");
        }
    }

    #[test]
    fn only_own_pages_are_a_way_back() {
        for (to, expected) in [
            ("/login/me", true),
            ("/cast/my-first", true),
            (
                "/cast/my-first?kasm_url=https%3A%2F%2Fa.example%2F&via=v1.x.y",
                true,
            ),
            ("/login/me?x", false),
            ("/cast/my-first/../../x", false),
            ("/cast/abc", false),
            ("//evil.example/cast/my-first", false),
            ("https://evil.example/cast/my-first", false),
            ("/cast/my-first?a\r\nset-cookie: x", false),
            ("", false),
        ] {
            assert_eq!(is_way_back(to), expected, "{to}");
        }
    }

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
