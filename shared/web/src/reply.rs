//! Owns building replies: JSON, redirects, pages, and the headers that every reply has. Must not
//! know their content.

use casting_core::rate_limit::RateLimit;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::credentials::SetCookie;

/// A reply.
pub type Reply = Response<Body>;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The Content-Security-Policy of everything that is not a page.
const NO_CONTENT_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A reply without a body, with the common headers: not cached, not indexed, no MIME sniffing.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::Empty);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // HSTS for a year and this host alone: sessions may be below it. Browsers ignore it over http.
    headers.insert(
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000"),
    );
    // Our own forms still send their origin, and no other site learns a session's address.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex, nofollow"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, NO_CONTENT_POLICY);
    reply
}

/// A reply with a body of this type.
pub fn text(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = empty(status);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *reply.body_mut() = Body::Text(body);
    reply
}

/// A JSON document.
pub fn json(status: StatusCode, document: &impl Serialize) -> Reply {
    match serde_json::to_string(document) {
        Ok(body) => text(status, "application/json", body),
        Err(error) => {
            tracing::error!(%error, "An answer could not be written");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// 204.
pub fn no_content() -> Reply {
    empty(StatusCode::NO_CONTENT)
}

/// A redirect with 303, so that a form is never sent twice.
pub fn see_other(location: &str) -> Reply {
    redirect(StatusCode::SEE_OTHER, location)
}

/// A redirect with 307: the same request, a form included, is sent there.
pub fn same_again(location: &str) -> Reply {
    redirect(StatusCode::TEMPORARY_REDIRECT, location)
}

fn redirect(status: StatusCode, location: &str) -> Reply {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let mut reply = empty(status);
            reply.headers_mut().insert(LOCATION, location);
            reply
        }
        Err(error) => {
            tracing::error!(%error, "A redirect could not be written");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Adds a `Location` header.
pub fn set_location(reply: &mut Reply, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
}

/// Adds a `Retry-After` header, in seconds.
pub fn set_retry_after(reply: &mut Reply, retry_after: Option<u64>) {
    if let Some(seconds) = retry_after {
        reply
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Adds the caller's rate limits (draft-ietf-httpapi-ratelimit-headers): `RateLimit-Policy` with
/// quota `q` and window `w`, `RateLimit` with the remaining `r` and the seconds `t` until there is
/// more.
pub fn set_rate_limits(reply: &mut Reply, limits: &[RateLimit]) {
    let policies = limits.iter().map(|limit| {
        let RateLimit {
            name,
            quota,
            window,
            ..
        } = limit;
        format!("\"{name}\";q={quota};w={window}")
    });
    let left = limits.iter().filter_map(|limit| {
        let (more, seconds) = limit.left?;
        Some(format!("\"{}\";r={more};t={seconds}", limit.name))
    });
    for (header, items) in [
        (RATELIMIT_POLICY, policies.collect::<Vec<_>>()),
        (RATELIMIT, left.collect()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&items.join(", "))
            && !items.is_empty()
        {
            reply.headers_mut().insert(header, value);
        }
    }
}

/// Adds a cookie. An invalid one is left out and logged without its value.
pub fn set_cookie(reply: &mut Reply, cookie: &SetCookie<'_>) {
    match cookie.header() {
        Some(value) => {
            reply.headers_mut().append(SET_COOKIE, value);
        }
        None => tracing::error!(cookie.name, "A cookie could not be written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limit_headers_are_structured_fields() {
        let limit = |name, left| RateLimit {
            name,
            quota: 2,
            window: 600,
            left,
        };
        let known = limit(RateLimit::SESSIONS, Some((0, 42)));
        let unknown = limit(RateLimit::ATTEMPTS, None);
        for (name, limits, policy, left) in [
            ("none", vec![], None, None),
            (
                "one",
                vec![known],
                Some(r#""sessions";q=2;w=600"#),
                Some(r#""sessions";r=0;t=42"#),
            ),
            (
                "two",
                vec![unknown, known],
                Some(r#""attempts";q=2;w=600, "sessions";q=2;w=600"#),
                Some(r#""sessions";r=0;t=42"#),
            ),
            (
                "only a policy",
                vec![unknown],
                Some(r#""attempts";q=2;w=600"#),
                None,
            ),
        ] {
            let mut reply = no_content();
            set_rate_limits(&mut reply, &limits);
            let header = |name: &str| {
                reply
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
            };
            assert_eq!(header("ratelimit-policy"), policy, "{name}");
            assert_eq!(header("ratelimit"), left, "{name}");
        }
    }
}
