//! Owns what addresses and headers of requests must not do.

use std::collections::HashSet;

use casting_core::testing::SeededEntropy;
use casting_gate::{credentials, path_filter};
use casting_protocol::referrer::{self, ReferrerRule};
use casting_protocol::url_rules::{self, OwnUrls};
use casting_protocol::urls;
use casting_web::{Body, RequestContext, body, credentials as cookie_names, event};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::{COOKIE, SET_COOKIE};
use lambda_http::request::LambdaRequest;
use serde_json::Value;

/// A URL that is accepted is accepted again as it was written out, and cannot leave the place that
/// it is put in: a header, an attribute, a command line.
pub fn url_rules(data: &[u8]) {
    let text = crate::text(data);
    let own = OwnUrls::of("https://cast.example");
    type Rule<'a> = (&'a str, &'a dyn Fn(&str) -> Result<String, String>);
    let hosts = [ReferrerRule::parse("*.example.com").expect("a rule")];
    let rules: [Rule<'_>; 6] = [
        ("session", &url_rules::session_url),
        ("visitor, public", &|text| {
            url_rules::visitors_url(text, &[])
        }),
        ("visitor, listed", &|text| {
            url_rules::visitors_url(text, &hosts)
        }),
        ("service", &url_rules::service_url),
        ("picture", &url_rules::picture_url),
        ("error", &|text| url_rules::error_url(text, &own)),
    ];
    for (name, rule) in rules {
        if let Ok(url) = rule(&text) {
            assert_eq!(rule(&url).as_ref(), Ok(&url), "{name}");
            assert!(
                url.bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'"'),
                "{name}: {url}"
            );
            assert!(
                url.starts_with("https://") || url.starts_with("http://"),
                "{name}: {url}"
            );
        }
    }
}

/// A rule reads the same as it was written, and accepts its own host.
pub fn referrers(data: &[u8]) {
    let text = crate::text(data);
    if let Some(host) = referrer::host_of(&text) {
        assert!(!host.is_empty());
        assert!(!host.contains(['/', '@', ' ']), "{host}");
    }
    if let Ok(rule) = ReferrerRule::parse(&text) {
        let written = rule.to_string();
        assert_eq!(
            ReferrerRule::parse(&written).as_ref(),
            Ok(&rule),
            "{written}"
        );
        let host = written.trim_start_matches("=");
        if !host.starts_with("*.") {
            assert!(rule.accepts(host), "{written}");
        }
    }
}

/// However a path to the downloads is written, it is found; and a link leads on to itself only.
pub fn paths(data: &[u8]) {
    let text = crate::text(data);
    let _ = path_filter::climbs(&text);
    // One folder of any name, and out of it again.
    let folder = text.replace(['.', '/', '\\', '%'], "");
    let dressed = format!("/x{folder}/../downloads");
    assert!(path_filter::leads_to_downloads(&dressed), "{dressed}");
    let encoded: String = "/Downloads/x"
        .bytes()
        .zip(data.iter().chain(std::iter::repeat(&0)))
        .map(|(byte, choice)| match (byte, choice % 3) {
            (b'/', _) | (_, 0) => char::from(byte).to_string(),
            (_, 1) => format!("%{byte:02x}"),
            _ => format!("%25{byte:02X}"),
        })
        .collect();
    assert!(path_filter::leads_to_downloads(&encoded), "{encoded}");
    if let Some(right) = urls::mistyped(&text) {
        assert_ne!(right, text);
        assert_eq!(urls::mistyped(&right), None, "leads in a circle");
        assert!(right.is_ascii() && !right.contains("//"), "{right}");
    }
    if urls::is_way_back(&text) {
        assert!(text.starts_with('/') && !text.starts_with("//"), "{text}");
    }
}

/// Any list of languages gives one of ours, or none.
pub fn accept_language(data: &[u8]) {
    let text = crate::text(data);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let wish = casting_words::wish(Some(first), Some(rest), Some(&text));
    let words = casting_words::Words::of(wish.choose(None));
    assert!(!words.help().wait(3).is_empty());
}

/// Any event of the gateway that can be read is a request whose parts can be asked for.
pub fn gateway_events(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<LambdaRequest>(data) else {
        return;
    };
    let request = event::readable(event).into();
    let context = RequestContext::parse(&request, &SeededEntropy::new(1));
    let _ = (context.source(), context.queries().len(), context.bearer());
    let _ = context.cookie(cookie_names::LANGUAGE_COOKIE);
    // Where a redirect leads, so it must fit into a header.
    assert!(!context.with_query("/x").contains(char::is_control));
    let bytes = match request.body() {
        Body::Text(text) => text.len(),
        Body::Binary(bytes) => bytes.len(),
        _ => 0,
    };
    if body::form(&request).is_ok() || body::json::<Value>(&request).is_ok() {
        assert!(bytes <= body::MAX_BODY_BYTES, "a body over the limit");
    }
}

/// An app never sees our cookies, and cannot set one, whatever else is in the headers.
pub fn cookies(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = line.try_into() {
            headers.append(COOKIE, value);
        }
        if let Ok(value) = line.try_into() {
            headers.append(SET_COOKIE, value);
        }
    }
    let before: HashSet<String> = credentials::tickets(&headers).map(str::to_owned).collect();
    let _ = credentials::language(&headers);
    credentials::strip(&mut headers);
    assert_eq!(credentials::tickets(&headers).next(), None, "{before:?}");
    credentials::tame_app_cookies(&mut headers, "/s/x");
    for cookie in headers.get_all(SET_COOKIE) {
        let name = cookie.as_bytes().split(|byte| matches!(byte, b'=' | b';'));
        let name = name.map(<[u8]>::trim_ascii).next().unwrap_or_default();
        for ours in [credentials::COOKIE_NAME, credentials::HOST_COOKIE_NAME] {
            assert!(!name.eq_ignore_ascii_case(ours.as_bytes()));
        }
        assert!(!name.is_empty());
    }
}
