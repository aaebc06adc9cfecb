//! Owns the page that shows the screen, and the scripts that draw it. Must not know the screen.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

static NOVNC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/vendor/novnc");

/// The page loads nothing from elsewhere, and draws pointers as pictures of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
                      frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/// Answers a request for the page or a part of it.
pub(super) async fn answer(uri: Uri) -> Response {
    let (kind, body) = match uri.path() {
        "/" => (
            "text/html; charset=utf-8",
            include_bytes!("page.html").as_slice(),
        ),
        "/page.js" => (
            "text/javascript; charset=utf-8",
            include_bytes!("page.js").as_slice(),
        ),
        "/page.css" => (
            "text/css; charset=utf-8",
            include_bytes!("page.css").as_slice(),
        ),
        path => match path
            .strip_prefix("/novnc/")
            .and_then(|name| NOVNC.get_file(name))
            .filter(|_| path.ends_with(".js"))
        {
            Some(file) => ("text/javascript; charset=utf-8", file.contents()),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
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
