//! Owns the paths of the public addresses: one function for each, used by whatever writes a link, a
//! redirect or a request. The public routes (`shared/web/src/routes.rs`) are tested against them.
//!
//! A path follows an origin: `format!("{public_url}{}", urls::session(&id))`.

use std::fmt::Display;

use percent_encoding::percent_decode_str;
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

/// The longest entity of HTML that counts as one, without its signs: `&#x200b;`.
const MAX_ENTITY: usize = 8;

/// The address that a mistyped path of a link, a share link or a session means: with slashes
/// doubled, its first word in capitals, or with what chats, mail programs and people put around an
/// address, as it is, percent-encoded or as entities of HTML. `None` for every other path, and for
/// one as it should be.
pub fn mistyped(path: &str) -> Option<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let (word, rest) = decoded.trim_start_matches('/').split_once('/')?;
    let (name, added) = split_decoration(rest);
    if !is_decoration(added) {
        return None;
    }
    let right = match word.to_ascii_lowercase().as_str() {
        "cast" => {
            let key = CastKey::parse(name)?;
            // A code to be photographed may have only capitals; no key that we draw has any.
            let drawn = (word == "CAST").then(|| key.drawn()).flatten();
            cast(drawn.unwrap_or(key))
        }
        "share" => {
            let (id, token) = parse_share(name)?;
            share(&id, token)
        }
        "session" => session(&SessionId::parse(name)?),
        _ => return None,
    };
    (path != right).then_some(right)
}

/// The name at the beginning of a text, without what stands before it, and the rest.
fn split_decoration(text: &str) -> (&str, &str) {
    let name = text.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = name.find(|c| !is_of_name(c)).unwrap_or(name.len());
    let (name, _) = name.split_at(end);
    // A dot stands within a name only.
    let name = name.trim_end_matches('.');
    let added = text.split_once(name).map_or("", |(_, added)| added);
    (name, added)
}

/// Whether this says nothing: punctuation, spaces and characters that nobody sees.
fn is_decoration(text: &str) -> bool {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (_, after) = rest.split_at(first.len_utf8());
        let entity = (first == '&').then(|| after.split_once(';')).flatten();
        rest = match entity {
            Some((name, after)) if is_entity(name) => after,
            _ if first.is_alphanumeric() => return false,
            _ => after,
        };
    }
    true
}

fn is_entity(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'#';
    (1..=MAX_ENTITY).contains(&name.len()) && name.bytes().all(is_of_name)
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

/// Where a program gets the address and the token of the DevTools of its session.
pub fn devtools_of_session(id: &SessionId) -> String {
    format!("/session/{id}/devtools")
}

/// Below which path of a session's own address its gate serves Chrome DevTools.
pub const DEVTOOLS: &str = "/.cast/devtools";

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
        let drawn = "wg7ndnwnxuz2qpp6wwvolf64ra";
        let capitals = drawn.to_ascii_uppercase();
        let (in_capitals, chosen) = (format!("/CAST/{capitals}"), format!("/cast/{capitals}"));
        for (name, path, key) in [
            ("as it should be", "/cast/my-first", None),
            ("a slash", "/cast/my-first/", Some("my-first")),
            ("two slashes before", "//cast/my-first", Some("my-first")),
            ("two slashes within", "/cast//my-first", Some("my-first")),
            ("an encoded slash", "/cast%2Fmy-first", Some("my-first")),
            ("one behind", "/cast/my-first%2f", Some("my-first")),
            ("capitals", "/Cast/my-first", Some("my-first")),
            ("capitals of a code", &in_capitals, Some(drawn)),
            ("capitals of a key", &chosen, None),
            ("a dot", "/cast/my-first.", Some("my-first")),
            ("three dots", "/cast/my-first...", Some("my-first")),
            ("an ellipsis", "/cast/my-first%E2%80%A6", Some("my-first")),
            ("a bracket and a dot", "/cast/my-first).", Some("my-first")),
            ("encoded bracket", "/cast/my-first%29", Some("my-first")),
            (
                "full-width bracket",
                "/cast/my-first%EF%BC%89",
                Some("my-first"),
            ),
            (
                "as it is",
                "/cast/my-first\u{ff09}\u{3002}",
                Some("my-first"),
            ),
            (
                "corner bracket",
                "/cast/my-first%E3%80%8D",
                Some("my-first"),
            ),
            ("Arabic comma", "/cast/my-first%D8%8C", Some("my-first")),
            ("encoded quote", "/cast/my-first%E2%80%9D", Some("my-first")),
            ("low quote", "/cast/my-first%E2%80%9C", Some("my-first")),
            ("guillemet", "/cast/my-first%C2%BB", Some("my-first")),
            ("backtick", "/cast/my-first%60", Some("my-first")),
            ("bold", "/cast/my-first**", Some("my-first")),
            ("a backslash", "/cast/my-first%5C", Some("my-first")),
            ("a bar of a table", "/cast/my-first%7C", Some("my-first")),
            ("a space", "/cast/my-first%20", Some("my-first")),
            ("a line break", "/cast/my-first%0D%0A", Some("my-first")),
            (
                "nothing to see",
                "/cast/my-first%E2%80%8B",
                Some("my-first"),
            ),
            (
                "the same before",
                "/cast/%E2%81%A0my-first",
                Some("my-first"),
            ),
            (
                "a byte order mark",
                "/cast/my-first%EF%BB%BF",
                Some("my-first"),
            ),
            ("half a character", "/cast/my-first%E2%80", Some("my-first")),
            ("brackets around", "/cast/%3Cmy-first%3E", Some("my-first")),
            ("an entity", "/cast/my-first&gt;", Some("my-first")),
            (
                "more of them",
                "/cast/my-first&quot;&#39;)",
                Some("my-first"),
            ),
            ("encoded", "/cast/my-first%26gt%3B", Some("my-first")),
            ("no entity", "/cast/my-first&gt", None),
            ("words behind it", "/cast/my-first&gt;more", None),
            ("Kasm's page", "/#/cast/my-first", None),
            ("another page of it", "/cast/my-first/room", None),
            ("a badge", "/cast/my-first/badge.svg", None),
            ("more words", "/cast/my-first.html", None),
            ("too short a key", "/cast/abc.", None),
            ("no key", "/cast/", None),
            ("another path", "/casts/my-first/", None),
            ("the API", "/api/casts/my-first/", None),
            ("letters of others", "/cast/my-first\u{e9}", None),
            ("half a code", "/cast/my-first%2", None),
            ("encoded twice", "/cast/my-first%2529", None),
        ] {
            let found = mistyped(path);
            let expected = key.map(|key| format!("/cast/{key}"));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn mistyped_addresses_of_sessions_are_recognised() {
        let id = SessionId::from_bytes([7; 16]);
        let (shared, own) = (share(&id, "ab-c_1"), session(&id));
        for (right, added, fits) in [
            (&shared, "", false),
            (&shared, ".", true),
            (&shared, ").", true),
            (&shared, "%EF%BC%89", true),
            (&shared, "/", true),
            (&shared, "&gt;", true),
            (&shared, "/more", false),
            (&own, "", false),
            (&own, "/", true),
            (&own, "%E2%80%8B", true),
            (&own, "/enter", false),
            (&own, "x", false),
        ] {
            let path = format!("{right}{added}");
            assert_eq!(mistyped(&path).as_ref(), fits.then_some(right), "{path}");
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
