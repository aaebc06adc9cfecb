//! Owns the difference that a path makes when a session is found under `/s/{session}/` and not on a
//! host of its own: what is taken off requests and put back onto replies. Must not know how
//! requests travel. An empty prefix means a host of its own; then nothing changes.

use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::credentials;

const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");

/// `uri` as the session's app knows it, without `prefix`. `None` when nothing is left, not even a
/// slash.
pub fn without_prefix(uri: &Uri, prefix: &str) -> Option<Uri> {
    if prefix.is_empty() {
        return Some(uri.clone());
    }
    let rest = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.starts_with('/').then(|| rest.parse().ok())??);
    Uri::from_parts(parts).ok()
}

/// Puts `prefix` back onto a reply's cookies and redirects. `asked`: the request's headers, with
/// the visitor's host.
pub fn adjust(reply: &mut HeaderMap, asked: &HeaderMap, prefix: &str) {
    if prefix.is_empty() {
        return;
    }
    credentials::tame_app_cookies(reply, prefix);
    // A worker for the whole host would stand between the visitor and other sessions.
    reply.remove(SERVICE_WORKER_ALLOWED);
    let location = reply.get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(moved) = location.and_then(|location| prefixed(location, asked, prefix))
        && let Ok(moved) = HeaderValue::from_str(&moved)
    {
        reply.insert(LOCATION, moved);
    }
}

/// `location` under `prefix`, if it is a path on this host; `None` to leave it as it is.
fn prefixed(location: &str, asked: &HeaderMap, prefix: &str) -> Option<String> {
    let path = if location.starts_with('/') && !location.starts_with("//") {
        location
    } else {
        let rest = location
            .strip_prefix("http://")
            .or_else(|| location.strip_prefix("https://"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let ours = asked.get(HOST)?.to_str().ok()?;
        host.eq_ignore_ascii_case(ours)
            .then_some(if path.is_empty() { "/" } else { path })?
    };
    // An app that heeds X-Forwarded-Prefix has put it there itself.
    let already = path
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    Some(if already {
        path.to_owned()
    } else {
        format!("{prefix}{path}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_prefix_is_removed() {
        for (uri, prefix, rest) in [
            ("/a?b", "", Some("/a?b")),
            ("/s/x/a?b=/s/x", "/s/x", Some("/a?b=/s/x")),
            ("/s/x/", "/s/x", Some("/")),
            ("/s/x//evil.com/", "/s/x", Some("//evil.com/")),
            ("/s/x", "/s/x", None),
            ("/s/x?b", "/s/x", None),
        ] {
            let uri: Uri = uri.parse().expect("a URI");
            assert_eq!(
                without_prefix(&uri, prefix)
                    .map(|uri| uri.to_string())
                    .as_deref(),
                rest,
                "{uri}"
            );
        }
    }

    #[test]
    fn redirects_keep_the_session_prefix() {
        let mut asked = HeaderMap::new();
        asked.insert(HOST, "cast.example.com".parse().expect("a value"));
        for (location, moved) in [
            ("/login", "/s/x/login"),
            ("/s/x/login", "/s/x/login"),
            ("/s/xy", "/s/x/s/xy"),
            ("next", "next"),
            ("?page=2", "?page=2"),
            ("https://cast.example.com/login", "/s/x/login"),
            ("https://cast.example.com", "/s/x/"),
            (
                "https://other.example.com/login",
                "https://other.example.com/login",
            ),
            ("//other.example.com/login", "//other.example.com/login"),
        ] {
            let mut reply = HeaderMap::new();
            reply.insert(LOCATION, location.parse().expect("a value"));
            adjust(&mut reply, &asked, "/s/x");
            assert_eq!(
                reply.get(LOCATION).and_then(|value| value.to_str().ok()),
                Some(moved),
                "{location}"
            );
        }
    }
}
