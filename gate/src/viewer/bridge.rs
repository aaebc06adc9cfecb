//! Owns the script that the gate adds to Selkies' page: through it the panel reaches a page of
//! another origin, and its shortcut the panel. Must not know who asks for the page.

use axum::body::{Body, to_bytes};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;

/// The script's path, on the app's origin too.
pub(crate) const SCRIPT_PATH: &str = "/.cast/frame.js";
/// A page is never longer, in bytes; a longer one goes on as it is.
const PAGE: usize = 64 * 1024;
/// Loaded before all other scripts of the page, by a path that fits below a prefix, too.
const TAG: &[u8] = b"<script src=\".cast/frame.js\"></script>";
/// After which the script stands.
const HEAD: &[u8] = b"<head>";
/// Headers by which a request could get something else than the whole page as it is.
const CONDITIONS: [HeaderName; 4] = [ACCEPT_ENCODING, IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE];

/// Whether this asks for the page.
pub(crate) fn is_wanted(request: &Parts) -> bool {
    request.method == Method::GET && matches!(request.uri.path(), "/" | "/index.html")
}

/// Asks for the whole page, as it is.
pub(crate) fn ask_plainly(headers: &mut HeaderMap) {
    for name in CONDITIONS {
        headers.remove(name);
    }
}

/// The reply, with the script if it is a page.
pub(crate) async fn add(reply: Response) -> Response {
    let is_page = reply.status() == StatusCode::OK
        && !reply.headers().contains_key(CONTENT_ENCODING)
        && reply
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let length = reply.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let is_short = length.is_some_and(|length| length <= PAGE);
    if !is_page || !is_short {
        return reply;
    }
    let (mut parts, body) = reply.into_parts();
    let Ok(page) = to_bytes(body, PAGE).await else {
        // The app broke off, and so does this.
        parts.status = StatusCode::BAD_GATEWAY;
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    };
    let body = match page.windows(HEAD.len()).position(|part| part == HEAD) {
        Some(at) => {
            let (before, after) = page.split_at(at + HEAD.len());
            Body::from([before, TAG, after].concat())
        }
        None => Body::from(page),
    };
    for name in [CONTENT_LENGTH, ETAG, LAST_MODIFIED] {
        parts.headers.remove(name);
    }
    let fresh = HeaderValue::from_static("no-cache");
    parts.headers.insert(CACHE_CONTROL, fresh);
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn script_is_added_to_pages_only() {
        let long = format!("<head>{}", "x".repeat(70_000));
        for (name, status, kind, encoding, body, expected) in [
            (
                "page",
                200,
                "text/html; charset=utf-8",
                "",
                "<html><head><title>S",
                "<html><head><script src=\".cast/frame.js\"></script><title>S",
            ),
            ("without a head", 200, "text/html", "", "<p>S", "<p>S"),
            ("compressed", 200, "text/html", "gzip", "<head>", "<head>"),
            ("error", 404, "text/html", "", "<head>", "<head>"),
            ("script", 200, "text/javascript", "", "<head>", "<head>"),
            ("too long", 200, "text/html", "", &long, &long),
        ] {
            let mut reply = Response::builder()
                .status(status)
                .header(CONTENT_TYPE, kind)
                .header(CONTENT_LENGTH, body.len());
            if !encoding.is_empty() {
                reply = reply.header(CONTENT_ENCODING, encoding);
            }
            let reply = reply.body(Body::from(body.to_owned())).expect("a reply");
            let added = add(reply).await;
            let length = added.headers().get(CONTENT_LENGTH).cloned();
            let bytes = to_bytes(added.into_body(), usize::MAX).await;
            let bytes = bytes.expect("a body");
            assert_eq!(bytes, expected.as_bytes(), "{name}");
            let fits = length.is_none_or(|length| length == bytes.len().to_string().as_str());
            assert!(fits, "{name}: the length is true");
        }
    }
}
