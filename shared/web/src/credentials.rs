//! Owns how credentials are transported: the `Cookie`, `Set-Cookie` and `Authorization` headers.
//! Must not know what they mean.

use casting_core::ids::SessionId;
use casting_core::ticket::bearer_token;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

/// The value of the first cookie with this name.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    bearer_token(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

/// The name of the cookie that holds a session's owner ticket.
pub fn owner_cookie(session: &SessionId) -> String {
    format!("cast-{session}")
}

/// The name of the cookie that holds the owner ticket of this browser's last session of a link.
/// With https no other host can set it: otherwise an app could lead visitors into its own session.
pub fn own_cookie(key: &str, secure: bool) -> String {
    let prefix = if secure { "__Host-" } else { "" };
    format!("{prefix}cast-own-{key}")
}

/// The name of the cookie that holds a login ticket. With https it is one that no other host and no
/// script of a subdomain can set.
pub const fn login_cookie(secure: bool) -> &'static str {
    if secure {
        "__Host-cast-login"
    } else {
        "cast-login"
    }
}

/// The name of the cookie that holds a console ticket.
pub const fn console_cookie(secure: bool) -> &'static str {
    if secure {
        "__Host-cast-console"
    } else {
        "cast-console"
    }
}

/// How the names of those cookies begin that a browser keeps while its user is at the login
/// provider.
pub const fn login_state_cookies(secure: bool) -> &'static str {
    if secure {
        "__Host-cast-login-state-"
    } else {
        "cast-login-state-"
    }
}

/// The name of such a cookie: each tab that logs in has one, named by its `state`.
pub fn login_state_cookie(state: &str, secure: bool) -> String {
    let letters = state.chars().filter(char::is_ascii_alphanumeric).take(8);
    let name: String = letters.collect();
    format!("{}{name}", login_state_cookies(secure))
}

/// The name of the cookie that keeps the language that a visitor asked for. It is no secret.
pub const LANGUAGE_COOKIE: &str = "cast-language";

/// The name of the cookie that shows a request to watch; it is kept below the share link.
pub const LOBBY_COOKIE: &str = "cast-lobby";

/// The name of the cookie that distinguishes browsers at one address.
pub const fn browser_cookie(secure: bool) -> &'static str {
    if secure {
        "__Host-cast-browser"
    } else {
        "cast-browser"
    }
}

/// How the names of our cookies begin. None of them is set by a script.
pub const OURS: [&str; 2] = ["cast-", "__Host-cast-"];

/// The name of the cookie that shows that a browser keeps cookies. It says nothing else.
pub const fn probe_cookie(secure: bool) -> &'static str {
    if secure {
        "__Host-cast-probe"
    } else {
        "cast-probe"
    }
}

/// A cookie to be set: always HttpOnly and SameSite=Lax, so that a link from elsewhere still finds
/// it and no script ever does.
#[derive(Clone, Copy, Debug)]
pub struct SetCookie<'a> {
    /// Letters, digits and `-`.
    pub name: &'a str,
    /// Without spaces, quotes, commas, semicolons: tickets are.
    pub value: &'a str,
    /// The path that it is sent to, with everything below.
    pub path: &'a str,
    /// How long the browser keeps it, in seconds.
    pub max_age: u64,
    /// Whether it is sent over https only.
    pub secure: bool,
}

impl SetCookie<'_> {
    /// The header's value; `None` when name, value or path are invalid in a header.
    pub fn header(&self) -> Option<HeaderValue> {
        let Self {
            name,
            value,
            path,
            max_age,
            secure,
        } = self;
        if [name, value, path]
            .iter()
            .any(|part| part.contains([';', ',', ' ', '"', '\r', '\n']))
        {
            return None;
        }
        let secure = if *secure { "; Secure" } else { "" };
        HeaderValue::from_str(&format!(
            "{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
        ))
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn cookie_is_found_by_exact_name() {
        let headers = headers(&[
            ("cookie", "a=1; cast-s1=v1.x.y;b=2"),
            ("cookie", "later=yes; a=2"),
        ]);
        for (name, expected) in [
            ("a", Some("1")),
            ("cast-s1", Some("v1.x.y")),
            ("later", Some("yes")),
            ("cast", None),
            ("", None),
        ] {
            assert_eq!(cookie(&headers, name), expected, "{name}");
        }
    }

    #[test]
    fn bearer_scheme_is_case_insensitive() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
        ] {
            assert_eq!(
                bearer(&headers(&[("authorization", value)])),
                expected,
                "{value}"
            );
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn cookies_are_http_only() {
        let cookie = SetCookie {
            name: "cast-s1",
            value: "v1.x.y",
            path: "/session/s1",
            max_age: 60,
            secure: true,
        };
        assert_eq!(
            cookie.header().expect("a header"),
            "cast-s1=v1.x.y; Path=/session/s1; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            SetCookie {
                secure: false,
                ..cookie
            }
            .header()
            .expect("a header"),
            "cast-s1=v1.x.y; Path=/session/s1; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            SetCookie {
                value: "x; Domain=evil.org",
                ..cookie
            }
            .header(),
            None
        );
    }
}
