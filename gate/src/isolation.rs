//! Owns cross-origin isolation (COOP and COEP) of the app inside the viewer's frame. A browser
//! isolates a framed page only if the pages around it ask for the same, so the viewer follows what
//! the app's page asks for. Must not know who is asking.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Whether pages of other origins may include the reply.
pub(crate) const RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
/// Whether the page shares its browsing context group with pages that opened it.
pub(crate) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// Whether the page includes only what allows it.
pub(crate) const EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");

/// Whether a request to the app's origin is the viewer's frame loading its page. Frames inside the
/// app's page are of the app's own origin, and so are its later navigations.
pub(crate) fn is_framed_page(request: &HeaderMap) -> bool {
    is(request, "sec-fetch-dest", "iframe") && !is(request, "sec-fetch-site", "same-origin")
}

/// Whether the app's page asks to be cross-origin isolated; `None` for a reply that is no page.
pub(crate) fn asks(status: StatusCode, reply: &HeaderMap) -> Option<bool> {
    if !status.is_success() {
        return None;
    }
    let embeds = is(reply, EMBEDDER_POLICY.as_str(), "require-corp")
        || is(reply, EMBEDDER_POLICY.as_str(), "credentialless");
    Some(embeds && is(reply, OPENER_POLICY.as_str(), "same-origin"))
}

/// Lets the isolated viewer of a sibling host frame the reply.
pub(crate) fn let_the_viewer_embed(reply: &mut HeaderMap) {
    reply.insert(RESOURCE_POLICY, HeaderValue::from_static("same-site"));
}

/// Keeps pages of other origins away from a reply of the viewer and from a window that shows it.
/// Popups of the app keep their opener, except in an isolated session.
pub(crate) fn protect_viewer(reply: &mut HeaderMap, isolated: bool) {
    reply.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if isolated {
        reply.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        reply.insert(EMBEDDER_POLICY, HeaderValue::from_static("require-corp"));
    } else {
        let popups = HeaderValue::from_static("same-origin-allow-popups");
        reply.insert(OPENER_POLICY, popups);
    }
}

/// Whether a header has this value, without its parameters (`; report-to=…`).
fn is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers
        .get(name)
        .and_then(|found| found.to_str().ok())
        .is_some_and(|found| found.split(';').next().unwrap_or_default().trim() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    const COOP: &str = "cross-origin-opener-policy";
    const COEP: &str = "cross-origin-embedder-policy";

    #[test]
    fn page_asks_for_isolation_by_both_headers() {
        for (name, status, reply, expected) in [
            ("neither", 200, vec![], Some(false)),
            ("only COOP", 200, vec![(COOP, "same-origin")], Some(false)),
            ("only COEP", 200, vec![(COEP, "require-corp")], Some(false)),
            (
                "both",
                200,
                vec![(COOP, "same-origin"), (COEP, "require-corp")],
                Some(true),
            ),
            (
                "without credentials",
                200,
                vec![(COOP, "same-origin"), (COEP, "credentialless")],
                Some(true),
            ),
            (
                "with a report",
                200,
                vec![
                    (COOP, "same-origin; report-to=\"a\""),
                    (COEP, "require-corp;report-to=\"a\""),
                ],
                Some(true),
            ),
            (
                "popups allowed",
                200,
                vec![(COOP, "same-origin-allow-popups"), (COEP, "require-corp")],
                Some(false),
            ),
            ("redirect", 302, vec![], None),
            ("error", 502, vec![], None),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(asks(status, &headers(&reply)), expected, "{name}");
        }
    }

    #[test]
    fn only_the_viewer_frame_decides() {
        for (name, request, expected) in [
            (
                "viewer's frame",
                vec![
                    ("sec-fetch-dest", "iframe"),
                    ("sec-fetch-site", "same-site"),
                ],
                true,
            ),
            (
                "frame inside the app",
                vec![
                    ("sec-fetch-dest", "iframe"),
                    ("sec-fetch-site", "same-origin"),
                ],
                false,
            ),
            (
                "script",
                vec![
                    ("sec-fetch-dest", "script"),
                    ("sec-fetch-site", "same-site"),
                ],
                false,
            ),
            ("program", vec![], false),
        ] {
            assert_eq!(is_framed_page(&headers(&request)), expected, "{name}");
        }
    }
}
