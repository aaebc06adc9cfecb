//! Owns the short pages that visitors see when there is no app to show, and the same as problem
//! JSON for programs.

use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    REFRESH,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// One thing to tell a visitor. The texts are ours, never a request's: they go into the page as they are.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// The reply's status.
    pub status: StatusCode,
    /// A few words.
    pub title: &'static str,
    /// What the visitor can do.
    pub detail: &'static str,
    /// Whether the page asks again by itself.
    pub refreshes: bool,
}

/// The request is not admitted by edge or gate.
pub const NOT_YOURS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "This session is not open to you",
    detail: "It belongs to somebody else, or it has ended. Open the link again to get a session of your own.",
    refreshes: false,
};

/// The entry ticket is not valid any more.
pub const USED: Notice = Notice {
    status: StatusCode::GONE,
    title: "This address has been used",
    detail: "It lets you in once, within half a minute. Open the session's own page, or the link that led you here, to enter again.",
    refreshes: false,
};

/// The share link that let this visitor in is good no longer.
pub const NOT_SHARED: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "This session is not shared with you any more",
    detail: "Whoever shared it has stopped. Ask them for a new link.",
    refreshes: false,
};

/// A viewer requested more than watching.
pub const ONLY_WATCHING: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "You can only watch this session",
    detail: "Whoever it belongs to can hand over control to you.",
    refreshes: false,
};

/// A request to the streaming server for its administration, or for something that is not allowed
/// in this session.
pub const NOT_OF_THE_STREAM: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "This is not open in this session",
    detail: "Its picture and sound are; files are where they are allowed.",
    refreshes: false,
};

/// A request by someone else for something that only the owner may do.
pub const OWNERS_ONLY: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "Only the owner of this session can do that",
    detail: "Ask whoever shared it with you.",
    refreshes: false,
};

/// The link or the app does not allow sharing.
pub const NOT_TO_BE_SHARED: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "This session cannot be shared",
    detail: "Its app cannot be watched without being used, or whoever made the link has not allowed it.",
    refreshes: false,
};

/// As many watch as may.
pub const TOO_MANY_WATCH: Notice = Notice {
    status: StatusCode::TOO_MANY_REQUESTS,
    title: "Too many people are watching",
    detail: "Close other windows with this session, or try again when somebody has left.",
    refreshes: false,
};

/// Control was to be handed to a viewer who is not connected.
pub const NOBODY_OF_THAT_NAME: Notice = Notice {
    status: StatusCode::NOT_FOUND,
    title: "They are not here any more",
    detail: "Control stays with you.",
    refreshes: false,
};

/// No address can be opened in this session while it runs.
pub const NO_OTHER_ADDRESS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "No other address can be opened here",
    detail: "Whoever made the link has not allowed it, or its app cannot do it.",
    refreshes: false,
};

/// This address cannot be opened.
pub const NOT_THIS_ADDRESS: Notice = Notice {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "This address cannot be opened",
    detail: "It is not a web address, or one that this link does not open.",
    refreshes: false,
};

/// The control plane did not answer.
pub const CONTROL_DOWN: Notice = Notice {
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "That did not work",
    detail: "Please try again in a moment.",
    refreshes: false,
};

/// The right address, asked for in the wrong way.
pub const NOT_THIS_WAY: Notice = Notice {
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "This address is not used in this way",
    detail: "Go back to the session.",
    refreshes: false,
};

/// The session does not give its files away.
pub const NO_DOWNLOADS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    title: "Files cannot leave this session",
    detail: "Whoever made the link has not allowed downloads.",
    refreshes: false,
};

/// Nothing listens at the gate's address, or the app is shutting down.
pub const ENDED: Notice = Notice {
    status: StatusCode::GONE,
    title: "This session has ended",
    detail: "Open the link again to get a new one.",
    refreshes: false,
};

/// No connection to the gate came about in time: it may be full, slow, or gone.
pub const NOT_ANSWERING: Notice = Notice {
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "The session is not answering",
    detail: "It may be busy. This page tries again by itself.",
    refreshes: true,
};

/// The gate was reached, but broke off.
pub const LOST: Notice = Notice {
    status: StatusCode::BAD_GATEWAY,
    title: "The session did not answer",
    detail: "This page tries again by itself.",
    refreshes: true,
};

/// The gate is there, its app is not.
pub const APP_DOWN: Notice = Notice {
    status: StatusCode::BAD_GATEWAY,
    title: "The app is not answering yet",
    detail: "It may still be starting. This page tries again by itself.",
    refreshes: true,
};

/// No session is named, or nothing of ours is under this path.
pub const NOTHING_HERE: Notice = Notice {
    status: StatusCode::NOT_FOUND,
    title: "There is nothing at this address",
    detail: "Check the link, or open it again.",
    refreshes: false,
};

/// More than anybody needs to send at once.
pub const TOO_LARGE: Notice = Notice {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    title: "This is too large for the session",
    detail: "Up to 2 GiB can be sent at once. Send it in parts.",
    refreshes: false,
};

/// A request that no browser sends.
pub const UNREADABLE: Notice = Notice {
    status: StatusCode::BAD_REQUEST,
    title: "This request cannot be passed on",
    detail: "It is not a plain request for a path on this host.",
    refreshes: false,
};

/// 303 to a path of ours; nothing of the address before may be kept or passed on.
pub(crate) fn led_to(path: &str) -> Response {
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let headers = [
        (LOCATION, path),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl Notice {
    /// The reply to a request with these headers: a page for browsers, problem JSON (RFC 9457) for others.
    pub fn reply(&self, headers: &HeaderMap) -> Response {
        self.reply_with(headers, None)
    }

    /// The same, with a link to the session's page.
    pub fn reply_with(&self, headers: &HeaderMap, session_page: Option<&str>) -> Response {
        let page = headers
            .get_all(ACCEPT)
            .iter()
            .any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")));
        let body = if page {
            self.page(session_page)
        } else {
            self.problem()
        };
        let kind = if page {
            "text/html; charset=utf-8"
        } else {
            "application/problem+json"
        };
        let mut reply = (
            self.status,
            [
                (CONTENT_TYPE, kind),
                (CACHE_CONTROL, "no-store"),
                (REFERRER_POLICY, "no-referrer"),
                (
                    CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
                ),
            ],
            body,
        )
            .into_response();
        if self.refreshes {
            reply
                .headers_mut()
                .insert(REFRESH, HeaderValue::from_static("2"));
        }
        reply
    }

    fn page(&self, session_page: Option<&str>) -> String {
        let Self { title, detail, .. } = self;
        // A URL as `url` writes it contains no quotes and no angle brackets; only the ampersand
        // needs escaping.
        let link = session_page.map_or_else(String::new, |page| {
            format!(
                "<p><a href=\"{}\" target=\"_top\">How your session stands</a></p>",
                page.replace('&', "&amp;")
            )
        });
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>:root{{color-scheme:light dark}}body{{font:1.0625rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}}\
             h1{{font-size:1.5rem;line-height:1.25;font-weight:600}}a{{color:LinkText}}</style><main><h1>{title}</h1><p>{detail}</p>{link}</main></html>\n"
        )
    }

    fn problem(&self) -> String {
        serde_json::json!({ "type": "about:blank", "title": self.title, "status": self.status.as_u16(), "detail": self.detail }).to_string()
    }
}
