//! Owns the short pages that visitors see when there is no app to show, and the same as problem
//! JSON for programs.

use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY, REFRESH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use casting_protocol::language::{Language, Wish};
use casting_words::Words;

use crate::credentials;

/// One thing to tell a visitor. The texts are ours, never a request's: they go into the page as
/// they are. They are the messages of `shared/words/messages/*/notices.ftl`.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// The reply's status.
    pub status: StatusCode,
    /// The name of its message.
    pub name: &'static str,
    /// Whether the page asks again by itself.
    pub refreshes: bool,
}

/// The request is not admitted by edge or gate.
pub const NOT_YOURS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "not-yours",
    refreshes: false,
};

/// The entry ticket is not valid any more.
pub const USED: Notice = Notice {
    status: StatusCode::GONE,
    name: "used",
    refreshes: false,
};

/// The share link that let this visitor in is good no longer.
pub const NOT_SHARED: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "not-shared",
    refreshes: false,
};

/// A viewer requested more than watching.
pub const ONLY_WATCHING: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "only-watching",
    refreshes: false,
};

/// A request to the streaming server for its administration, or for something that is not allowed
/// in this session.
pub const NOT_OF_THE_STREAM: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "not-of-the-stream",
    refreshes: false,
};

/// A request by someone else for something that only the owner may do.
pub const OWNERS_ONLY: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "owners-only",
    refreshes: false,
};

/// The link or the app does not allow sharing.
pub const NOT_TO_BE_SHARED: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "not-to-be-shared",
    refreshes: false,
};

/// As many watch as may.
pub const TOO_MANY_WATCH: Notice = Notice {
    status: StatusCode::TOO_MANY_REQUESTS,
    name: "too-many-watch",
    refreshes: false,
};

/// Control was to be handed to a viewer who is not connected.
pub const NOBODY_OF_THAT_NAME: Notice = Notice {
    status: StatusCode::NOT_FOUND,
    name: "nobody-of-that-name",
    refreshes: false,
};

/// The answered request to watch is unknown, or not open any more.
pub const NOT_WAITING: Notice = Notice {
    status: StatusCode::NOT_FOUND,
    name: "not-waiting",
    refreshes: false,
};

/// No address can be opened in this session while it runs.
pub const NO_OTHER_ADDRESS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "no-other-address",
    refreshes: false,
};

/// This address cannot be opened.
pub const NOT_THIS_ADDRESS: Notice = Notice {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    name: "not-this-address",
    refreshes: false,
};

/// The control plane did not answer.
pub const CONTROL_DOWN: Notice = Notice {
    status: StatusCode::SERVICE_UNAVAILABLE,
    name: "control-down",
    refreshes: false,
};

/// The link allows no (more) extensions of the session.
pub const NO_MORE_TIME: Notice = Notice {
    status: StatusCode::CONFLICT,
    name: "no-more-time",
    refreshes: false,
};

/// The right address, asked for in the wrong way.
pub const NOT_THIS_WAY: Notice = Notice {
    status: StatusCode::METHOD_NOT_ALLOWED,
    name: "not-this-way",
    refreshes: false,
};

/// The session does not give its files away.
pub const NO_DOWNLOADS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "no-downloads",
    refreshes: false,
};

/// The session takes no files.
pub const NO_UPLOADS: Notice = Notice {
    status: StatusCode::FORBIDDEN,
    name: "no-uploads",
    refreshes: false,
};

/// Nothing listens at the gate's address, or the app is shutting down.
pub const ENDED: Notice = Notice {
    status: StatusCode::GONE,
    name: "ended",
    refreshes: false,
};

/// No connection to the gate came about in time: it may be full, slow, or gone.
pub const NOT_ANSWERING: Notice = Notice {
    status: StatusCode::SERVICE_UNAVAILABLE,
    name: "not-answering",
    refreshes: true,
};

/// The gate was reached, but broke off.
pub const LOST: Notice = Notice {
    status: StatusCode::BAD_GATEWAY,
    name: "lost",
    refreshes: true,
};

/// The gate is there, its app is not.
pub const APP_DOWN: Notice = Notice {
    status: StatusCode::BAD_GATEWAY,
    name: "app-down",
    refreshes: true,
};

/// No session is named, or nothing of ours is under this path.
pub const NOTHING_HERE: Notice = Notice {
    status: StatusCode::NOT_FOUND,
    name: "nothing-here",
    refreshes: false,
};

/// More than any form needs.
pub const TOO_LARGE: Notice = Notice {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    name: "too-large",
    refreshes: false,
};

/// A request that no browser sends.
pub const UNREADABLE: Notice = Notice {
    status: StatusCode::BAD_REQUEST,
    name: "unreadable",
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

/// The header by which the viewer's script asks for the words of its page.
const SPOKEN: HeaderName = HeaderName::from_static("casting-language");

/// What these headers say of the language that a visitor wants. `asked`: the parameter `lang`.
pub(crate) fn wish(asked: Option<&str>, headers: &HeaderMap) -> Wish {
    let accepted = headers.get(ACCEPT_LANGUAGE);
    casting_words::wish(
        asked,
        credentials::language(headers),
        accepted.and_then(|value| value.to_str().ok()),
    )
}

/// All that a notice needs of a request's headers.
pub(crate) fn asked_of(headers: &HeaderMap) -> HeaderMap {
    let kept = [ACCEPT, ACCEPT_LANGUAGE, COOKIE, SPOKEN];
    let values = kept.iter().flat_map(|name| {
        let values = headers.get_all(name).iter();
        values.map(move |value| (name.clone(), value.clone()))
    });
    values.collect()
}

impl Notice {
    /// Its title and what the visitor can do, in this language.
    fn said(&self, language: Language) -> (&'static str, &'static str) {
        let mut notices = Words::of(language).notices().iter();
        let found = notices.find(|(name, ..)| *name == self.name);
        found.map_or((self.name, ""), |(_, title, detail)| (title, detail))
    }

    /// The reply to a request with these headers: a page for browsers, problem JSON (RFC 9457) for
    /// others.
    pub fn reply(&self, headers: &HeaderMap) -> Response {
        self.reply_with(headers, None)
    }

    /// The same, with a link to the session's page.
    pub fn reply_with(&self, headers: &HeaderMap, session_page: Option<&str>) -> Response {
        let page = headers
            .get_all(ACCEPT)
            .iter()
            .any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")));
        let language = wish(None, headers).choose(None);
        let body = if page {
            self.page(language, session_page)
        } else {
            // Programs are spoken to in English; the viewer's script shows what it gets.
            let spoken = headers.get(SPOKEN).and_then(|value| value.to_str().ok());
            self.problem(casting_words::named(spoken).unwrap_or_default())
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
        if page {
            let headers = reply.headers_mut();
            headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
            headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
        }
        if self.refreshes {
            reply
                .headers_mut()
                .insert(REFRESH, HeaderValue::from_static("2"));
        }
        reply
    }

    fn page(&self, language: Language, session_page: Option<&str>) -> String {
        let (title, detail) = self.said(language);
        let stands = Words::of(language).viewer().session_page;
        // A URL as `url` writes it contains no quotes and no angle brackets; only the ampersand
        // needs escaping.
        let link = session_page.map_or_else(String::new, |page| {
            format!(
                "<p><a href=\"{}\" target=\"_top\">{stands}</a></p>",
                page.replace('&', "&amp;")
            )
        });
        format!(
            "<!doctype html><html lang=\"{}\" dir=\"{}\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>:root{{color-scheme:light dark}}body{{font:1.0625rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}}\
             h1{{font-size:1.5rem;line-height:1.25;font-weight:600}}a{{color:LinkText}}</style><main><h1>{title}</h1><p>{detail}</p>{link}</main></html>\n",
            language.tag(),
            language.direction()
        )
    }

    fn problem(&self, language: Language) -> String {
        let (title, detail) = self.said(language);
        serde_json::json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": detail }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every notice.
    const ALL: [Notice; 24] = [
        NOT_YOURS,
        USED,
        NOT_SHARED,
        ONLY_WATCHING,
        NOT_OF_THE_STREAM,
        OWNERS_ONLY,
        NOT_TO_BE_SHARED,
        TOO_MANY_WATCH,
        NOBODY_OF_THAT_NAME,
        NOT_WAITING,
        NO_OTHER_ADDRESS,
        NOT_THIS_ADDRESS,
        CONTROL_DOWN,
        NO_MORE_TIME,
        NOT_THIS_WAY,
        NO_DOWNLOADS,
        NO_UPLOADS,
        ENDED,
        NOT_ANSWERING,
        LOST,
        APP_DOWN,
        NOTHING_HERE,
        TOO_LARGE,
        UNREADABLE,
    ];

    #[test]
    fn every_notice_is_said_in_each_language() {
        for language in Language::ALL {
            for notice in ALL {
                let (title, detail) = notice.said(language);
                assert!(!detail.is_empty(), "{language:?} {}", notice.name);
                assert!(!title.ends_with('.'), "{language:?} {}", notice.name);
            }
            let known = Words::of(language).notices().iter();
            for (name, ..) in known {
                assert!(ALL.iter().any(|notice| notice.name == *name), "{name}");
            }
        }
    }

    #[test]
    fn notice_is_a_page_in_the_language_of_the_visitor() {
        for (name, headers, lang, title) in [
            (
                "browser",
                &[("accept-language", "de-AT")][..],
                "de",
                "Diese Sitzung ist beendet",
            ),
            (
                "cookie",
                &[
                    ("accept-language", "de"),
                    ("cookie", "a=b; cast-viewer-language=ar"),
                ],
                "ar",
                "\u{627}\u{646}\u{62a}\u{647}\u{62a}",
            ),
            ("neither", &[], "en", "This session has ended"),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT, HeaderValue::from_static("text/html"));
            for (header, value) in headers {
                asked.insert(*header, HeaderValue::from_static(value));
            }
            let reply = ENDED.reply(&asked_of(&asked));
            assert_eq!(reply.headers()[CONTENT_LANGUAGE], lang, "{name}");
            let language = wish(None, &asked).choose(None);
            let page = ENDED.page(language, Some("https://c.example/?a=b&c=d"));
            assert!(
                page.contains(&format!("<html lang=\"{lang}\"")),
                "{name}: {page}"
            );
            assert!(
                page.contains(title) && page.contains("a=b&amp;c=d"),
                "{name}: {page}"
            );
            assert_eq!(page.contains("dir=\"rtl\""), lang == "ar", "{name}");
            assert!(page.len() < 2_000, "{name}");
        }
    }
}
