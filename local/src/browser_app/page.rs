//! Owns the page that shows the screen, and the scripts that draw it. Must not know the screen.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use include_dir::{Dir, include_dir};
use ring::digest::{SHA256, digest};

static NOVNC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/vendor/novnc");

/// The script within the page, so that it is there whenever the page is.
const START: &str = include_str!("start.js");

static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("page.html").replace("{{start}}", START));

/// The page loads nothing from elsewhere, and draws pointers as pictures of its own.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let start = BASE64.encode(digest(&SHA256, START.as_bytes()).as_ref());
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{start}'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; frame-ancestors 'self'; \
         base-uri 'none'; form-action 'none'"
    )
});

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Answers a request for the page or a part of it.
pub(super) async fn answer(uri: Uri) -> Response {
    let (kind, body) = match uri.path() {
        "/" => ("text/html; charset=utf-8", PAGE.as_bytes()),
        "/page.js" => (JAVASCRIPT, include_bytes!("page.js").as_slice()),
        "/page.css" => (
            "text/css; charset=utf-8",
            include_bytes!("page.css").as_slice(),
        ),
        path => match path
            .strip_prefix("/novnc/")
            .and_then(|name| NOVNC.get_file(name))
            .filter(|_| path.ends_with(".js"))
        {
            Some(file) => (JAVASCRIPT, file.contents()),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_page_and_its_scripts_are_served() {
        for (path, status, kind) in [
            ("/", 200, "text/html; charset=utf-8"),
            ("/page.js", 200, "text/javascript; charset=utf-8"),
            ("/page.css", 200, "text/css; charset=utf-8"),
            ("/novnc/core/rfb.js", 200, "text/javascript; charset=utf-8"),
            (
                "/novnc/vendor/pako/lib/zlib/inflate.js",
                200,
                "text/javascript; charset=utf-8",
            ),
            ("/novnc/LICENSE.txt", 404, ""),
            ("/novnc/../Cargo.toml", 404, ""),
            ("/rfb.js", 404, ""),
        ] {
            let reply = answer(path.parse().expect("a path")).await;
            let said = reply
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .unwrap_or_default();
            assert_eq!((reply.status().as_u16(), said), (status, kind), "{path}");
        }
    }
}
