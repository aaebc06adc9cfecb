//! Owns the OpenAPI document of the API, which is built once per process and sent again only to
//! clients whose copy differs (ETag). It is built from the route tables, forms and views, so it
//! cannot differ from them.
//!
//! To add a route: its line in `api/routes.rs`; a schema of its own gets its name in `schemas`.

mod document;
mod examples;
mod operations;
mod schemas;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use casting_core::keys::hash_secret;
use casting_web::{Reply, RequestContext, reply};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};

pub(crate) use self::operations::{
    API_KEY, Answer, CAST, GROUP, IF_MATCH, IMAGE, Keys, NETWORK, Operation, STAGING,
    cast_or_unknown, of_session, plain, shows,
};

/// The document as it is sent, and its ETag.
struct Written {
    text: String,
    tag: String,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let text = document::whole().to_string();
    let letters: String = hash_secret(&text)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect();
    Written {
        tag: format!("\"{}\"", letters.to_ascii_lowercase()),
        text,
    }
});

/// The document, unless the caller has it already.
pub(crate) fn show(visit: &RequestContext) -> Reply {
    let Written { text, tag } = &*WRITTEN;
    let known = visit.header(&IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',')
            .any(|known| known.trim() == tag || known.trim() == "*")
    });
    let mut reply = if known {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        reply::text(StatusCode::OK, "application/json", text.clone())
    };
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    reply
}
