//! Owns the badge: the status of a link as a small picture for other pages. Must not reveal more
//! than the link's own page.
//!
//! It is the same for everyone with the same language, so that any cache may keep it for a minute
//! (on pages of listed sites, their visitors' browsers), and it is drawn without external scripts,
//! style sheets or fonts.

use std::hash::{DefaultHasher, Hash, Hasher};

use askama::Template;
use casting_core::LinkStatus;
use casting_core::cast::Amount;
use casting_core::denial::{Denial, DenialCode};
use casting_web::words::{self, Words};
use casting_web::{Code, Reply, reply};
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderName, HeaderValue, StatusCode};
use lambda_http::Body;

/// The cache policy.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=60");
/// The cache policy where the badge depends on the page: not every cache respects `Vary`.
const KEPT_BY_BROWSERS: HeaderValue = HeaderValue::from_static("private, max-age=60");
const SVG: &str = "image/svg+xml; charset=utf-8";
/// The label.
const LABEL: &str = "cast";

/// Background colours: white text is readable on each, and each is visible on white and on black.
const GREEN: &str = "#0d6b63";
const AMBER: &str = "#8a5a00";
const RED: &str = "#a13a2f";
const GREY: &str = "#59636b";

#[derive(Template)]
#[template(path = "badge.svg")]
struct Badge<'a> {
    label: &'a str,
    word: &'static str,
    colour: &'static str,
    label_width: u32,
    word_width: u32,
    split: u32,
    width: u32,
}

/// The picture for this status, or 304 if it has not changed since `seen` (the request's
/// `If-None-Match`).
pub(crate) fn reply(link_status: &LinkStatus, words: Words, seen: Option<&str>) -> Reply {
    let (word, colour) = say(link_status, words.badge());
    let status = if link_status.refused == Some(DenialCode::UnknownCast) {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    };
    let mut reply = draw(status, LABEL, word, colour);
    let mut hasher = DefaultHasher::new();
    reply.body().as_ref().hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    if status == StatusCode::OK && seen.is_some_and(|seen| names(seen, &tag)) {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        *reply.body_mut() = Body::Empty;
        reply.headers_mut().remove(CONTENT_TYPE);
        reply.headers_mut().remove(CONTENT_LENGTH);
    }
    let headers = reply.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        if link_status.by_referrer {
            KEPT_BY_BROWSERS
        } else {
            KEPT
        },
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    let varies = if link_status.by_referrer {
        "accept-language, cookie, referer"
    } else {
        "accept-language, cookie"
    };
    headers.insert(VARY, HeaderValue::from_static(varies));
    headers.insert(
        CONTENT_LANGUAGE,
        HeaderValue::from_static(words.language().tag()),
    );
    reply
}

/// The picture when the status is unknown; not cached.
pub(crate) fn trouble(denial: &Denial, words: Words) -> Reply {
    let word = if denial.code == DenialCode::TooManyAttempts {
        words.badge().try_later
    } else {
        words.badge().unavailable
    };
    let mut reply = draw(Code::from(denial.code).status(), LABEL, word, GREY);
    reply::set_retry_after(&mut reply, denial.retry_after);
    reply
}

const fn say(link_status: &LinkStatus, words: &words::Badge) -> (&'static str, &'static str) {
    match link_status.refused {
        None => match link_status.amount {
            None => (words.open, GREEN),
            Some(Amount::Many) => (words.many, GREEN),
            Some(Amount::Some) => (words.some, GREEN),
            Some(Amount::Few) => (words.few, AMBER),
            Some(Amount::None) => (words.sold_out, RED),
        },
        Some(DenialCode::UnknownCast) => (words.no_such_link, GREY),
        Some(DenialCode::NoSessionsLeft) => (words.sold_out, RED),
        Some(DenialCode::CastExpired) => (words.expired, GREY),
        Some(DenialCode::CastClosed) => (words.closed, GREY),
        Some(DenialCode::Maintenance) => (words.maintenance, AMBER),
        Some(DenialCode::BudgetReached | DenialCode::LinkBudgetReached) => {
            (words.closed_for_now, AMBER)
        }
        Some(DenialCode::CastBusy | DenialCode::SystemBusy | DenialCode::AnonymousLimit) => {
            (words.busy, AMBER)
        }
        Some(DenialCode::LoginRequired) => (words.sign_in, GREEN),
        Some(
            DenialCode::ReferrerDenied
            | DenialCode::AddressDenied
            | DenialCode::AccessDenied
            | DenialCode::InvitationRequired,
        ) => (words.restricted, GREY),
        Some(_) => (words.unavailable, GREY),
    }
}

fn draw(status: StatusCode, label: &str, word: &'static str, colour: &'static str) -> Reply {
    let (label_width, word_width) = (width(label), width(word));
    let split = 22 + label_width + 8;
    let badge = Badge {
        label,
        word,
        colour,
        label_width,
        word_width,
        split,
        width: split + 8 + word_width + 8,
    };
    match badge.render() {
        Ok(svg) => {
            let mut reply = reply::text(status, SVG, svg);
            // Made to be embedded by others, also by pages that require CORP headers.
            reply.headers_mut().insert(
                HeaderName::from_static("cross-origin-resource-policy"),
                HeaderValue::from_static("cross-origin"),
            );
            reply
        }
        Err(error) => {
            tracing::error!(%error, "A badge could not be drawn");
            reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The width of a text, in pixels: an estimate for common fonts, which the picture then enforces.
fn width(text: &str) -> u32 {
    let tenths = text.chars().map(|c| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 38,
        'f' | 't' | 'r' | '-' | '(' | ')' => 48,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 100,
        c if c.is_ascii_uppercase() => 80,
        c if c.is_ascii() => 68,
        c if c < '\u{2e80}' => 75,
        _ => 115,
    });
    tenths.sum::<u32>().div_ceil(10)
}

/// Whether `If-None-Match` names this tag.
fn names(seen: &str, tag: &str) -> bool {
    seen.split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::body;
    use casting_core::language::Language;

    const ENGLISH: Words = Words::of(Language::English);

    fn link_status(refused: Option<DenialCode>, amount: Option<Amount>) -> LinkStatus {
        LinkStatus {
            refused,
            amount,
            by_referrer: false,
            language: None,
        }
    }

    #[test]
    fn every_link_status_has_badge_text() {
        for (refused, amount, word, status) in [
            (None, None, "open", 200),
            (None, Some(Amount::Many), "many left", 200),
            (None, Some(Amount::Some), "some left", 200),
            (None, Some(Amount::Few), "few left", 200),
            (Some(DenialCode::NoSessionsLeft), None, "sold out", 200),
            (Some(DenialCode::CastExpired), None, "expired", 200),
            (Some(DenialCode::CastClosed), None, "closed", 200),
            (Some(DenialCode::Maintenance), None, "in maintenance", 200),
            (Some(DenialCode::CastBusy), None, "busy", 200),
            (Some(DenialCode::LoginRequired), None, "sign in", 200),
            (Some(DenialCode::ReferrerDenied), None, "restricted", 200),
            (Some(DenialCode::AddressDenied), None, "restricted", 200),
            (
                Some(DenialCode::InvitationRequired),
                None,
                "restricted",
                200,
            ),
            (Some(DenialCode::ImageUnavailable), None, "unavailable", 200),
            (Some(DenialCode::UnknownCast), None, "no such link", 404),
        ] {
            let reply = reply(&link_status(refused, amount), ENGLISH, None);
            assert_eq!(reply.status(), status, "{word}");
            assert!(
                body(&reply).contains(&format!("<title>cast: {word}</title>")),
                "{word}: {}",
                body(&reply)
            );
            assert_eq!(
                reply.headers()["cache-control"],
                "public, max-age=60",
                "{word}"
            );
            assert!(
                !body(&reply).contains("script") && !body(&reply).contains("url("),
                "{word}"
            );
        }
    }

    #[test]
    fn badge_speaks_each_language() {
        for language in Language::ALL {
            let words = Words::of(language);
            let reply = reply(&link_status(None, Some(Amount::Few)), words, None);
            let title = format!("<title>cast: {}</title>", words.badge().few);
            assert!(body(&reply).contains(&title), "{}", body(&reply));
            assert_eq!(reply.headers()["content-language"], language.tag());
        }
    }

    #[test]
    fn badge_text_has_enough_contrast() {
        let channel = |hex: &str| {
            let c = f64::from(u8::from_str_radix(hex, 16).expect("a byte")) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        for colour in [GREEN, AMBER, RED, GREY, "#2b3439"] {
            let light = 0.2126 * channel(&colour[1..3])
                + 0.7152 * channel(&colour[3..5])
                + 0.0722 * channel(&colour[5..7]);
            assert!(1.05 / (light + 0.05) >= 4.5, "{colour}");
        }
    }

    #[test]
    fn unchanged_badge_is_answered_with_304() {
        let open = link_status(None, None);
        let first = reply(&open, ENGLISH, None);
        let tag = first.headers()["etag"].to_str().expect("text").to_owned();
        for (seen, status) in [
            (tag.clone(), 304),
            (format!("\"x\", W/{tag}"), 304),
            ("\"x\"".to_owned(), 200),
            (String::new(), 200),
        ] {
            let again = reply(&open, ENGLISH, Some(&seen));
            assert_eq!(
                (again.status().as_u16(), again.body().is_empty()),
                (status, status == 304),
                "{seen}"
            );
            assert_eq!(again.headers()["etag"], tag, "{seen}");
        }
        assert_eq!(
            reply(&link_status(None, Some(Amount::Few)), ENGLISH, Some(&tag)).status(),
            200,
            "another word is another picture"
        );
    }

    #[test]
    fn badge_cache_headers_vary_by_referrer_and_skip_errors() {
        let listed = reply(
            &LinkStatus {
                by_referrer: true,
                ..link_status(None, None)
            },
            ENGLISH,
            None,
        );
        assert_eq!(
            (
                &listed.headers()["vary"],
                &listed.headers()["cache-control"]
            ),
            (
                &"accept-language, cookie, referer".parse().expect("text"),
                &KEPT_BY_BROWSERS
            )
        );
        let plain = reply(&link_status(None, None), ENGLISH, None);
        assert_eq!(plain.headers()["vary"], "accept-language, cookie");
        for (denial, status, retry_after) in [
            (
                Denial::retry(DenialCode::TooManyAttempts, 7),
                429,
                Some("7"),
            ),
            (Denial::new(DenialCode::Fault), 500, None),
        ] {
            let reply = trouble(&denial, ENGLISH);
            assert_eq!(
                (
                    reply.status().as_u16(),
                    reply.headers()["cache-control"].to_str().ok()
                ),
                (status, Some("no-store"))
            );
            assert_eq!(
                reply
                    .headers()
                    .get("retry-after")
                    .and_then(|value| value.to_str().ok()),
                retry_after
            );
        }
    }
}
