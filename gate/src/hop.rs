//! Owns what a request may look like on one connection (RFC 9110 §7, RFC 9112): its form, its
//! framing, and the headers that concern this connection only. Everything that two programs on the
//! way could read differently is refused. Must not know who sent it, or where it goes.

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Version};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A reply.
    Reply,
    /// A WebSocket.
    Socket,
}

/// The request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Headers that concern one connection only, beside those that `Connection` names.
const ONE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that concern the whole way, so that `Connection` must not name them.
const WHOLE_WAY: [HeaderName; 3] = [HOST, CONTENT_LENGTH, COOKIE];

/// Judges a request. `is_empty`: whether it has no body at all.
///
/// # Errors
/// `Malformed` for a tunnel, an address that is not a path, an upgrade with a body or without all
/// that belongs to one, and for what could be read in two ways.
pub fn judge(request: &Parts, is_empty: bool) -> Result<Asked, Malformed> {
    let headers = &request.headers;
    let one_host = headers.get_all(HOST).iter().count() <= 1;
    let same_host = match (request.uri.authority(), headers.get(HOST)) {
        (Some(authority), Some(host)) => authority.as_str().as_bytes() == host.as_bytes(),
        _ => true,
    };
    let is_path = request.method != Method::CONNECT && request.uri.path().starts_with('/');
    let spoils = names_in_connection(headers).any(|name| WHOLE_WAY.contains(&name));
    if !one_host || !same_host || !is_path || spoils {
        return Err(Malformed);
    }
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let Some(first) = upgrades.next() else {
        return Ok(Asked::Reply);
    };
    if !is_empty {
        return Err(Malformed);
    }
    let names_websocket = headers.get_all(UPGRADE).iter().any(|value| {
        let text = value.as_bytes().to_ascii_lowercase();
        text.windows(9).any(|part| part == b"websocket")
    });
    if !names_websocket {
        // An upgrade to something else is not passed on: the app answers as if none had
        // been offered.
        return Ok(Asked::Reply);
    }
    let whole = upgrades.next().is_none()
        && first.as_bytes().eq_ignore_ascii_case(b"websocket")
        && names_in_connection(headers).any(|name| name == UPGRADE)
        && request.method == Method::GET
        && request.version == Version::HTTP_11
        && headers.contains_key(SEC_WEBSOCKET_KEY)
        && headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_some_and(|version| version == "13");
    if whole {
        Ok(Asked::Socket)
    } else {
        Err(Malformed)
    }
}

/// Takes off what concerns one connection only. Comes before anything is added: what `Connection`
/// names must not take that off again.
pub fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = names_in_connection(headers).collect();
    for name in named.iter().chain(&ONE_CONNECTION) {
        headers.remove(name);
    }
}

fn names_in_connection(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(method: &str, uri: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    const SOCKET: [(&str, &str); 5] = [
        ("host", "a.example"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    #[test]
    fn only_a_complete_upgrade_without_body_is_a_websocket() {
        let with = |name: &str, value: &'static str| {
            SOCKET.map(|(known, kept)| (known, if known == name { value } else { kept }))
        };
        let twice = [SOCKET.as_slice(), &[("upgrade", "h2c")]].concat();
        let v11 = Version::HTTP_11;
        for (name, method, version, headers, is_empty, judged) in [
            (
                "as browsers ask",
                "GET",
                v11,
                SOCKET.to_vec(),
                true,
                Ok(Asked::Socket),
            ),
            (
                "with a body",
                "GET",
                v11,
                SOCKET.to_vec(),
                false,
                Err(Malformed),
            ),
            (
                "by POST",
                "POST",
                v11,
                SOCKET.to_vec(),
                true,
                Err(Malformed),
            ),
            (
                "over HTTP/1.0",
                "GET",
                Version::HTTP_10,
                SOCKET.to_vec(),
                true,
                Err(Malformed),
            ),
            (
                "not named in Connection",
                "GET",
                v11,
                with("connection", "keep-alive").to_vec(),
                true,
                Err(Malformed),
            ),
            (
                "a list of protocols",
                "GET",
                v11,
                with("upgrade", "h2c, websocket").to_vec(),
                true,
                Err(Malformed),
            ),
            (
                "two Upgrade headers",
                "GET",
                v11,
                twice,
                true,
                Err(Malformed),
            ),
            (
                "an old version",
                "GET",
                v11,
                with("sec-websocket-version", "8").to_vec(),
                true,
                Err(Malformed),
            ),
            (
                "h2c",
                "GET",
                v11,
                with("upgrade", "h2c").to_vec(),
                true,
                Ok(Asked::Reply),
            ),
            (
                "h2c with a body",
                "POST",
                v11,
                with("upgrade", "h2c").to_vec(),
                false,
                Err(Malformed),
            ),
            (
                "no upgrade",
                "POST",
                v11,
                SOCKET[..1].to_vec(),
                false,
                Ok(Asked::Reply),
            ),
        ] {
            let request = parts(method, "/", version, &headers);
            assert_eq!(judge(&request, is_empty), judged, "{name}");
        }
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        let host = ("host", "a.example");
        for (name, method, uri, headers, passes) in [
            ("a path", "GET", "/", vec![host], true),
            ("a tunnel", "CONNECT", "a.example:80", vec![host], false),
            ("an asterisk", "OPTIONS", "*", vec![host], false),
            (
                "a whole address",
                "GET",
                "http://a.example/",
                vec![host],
                true,
            ),
            (
                "another host's",
                "GET",
                "http://b.example/",
                vec![host],
                false,
            ),
            (
                "two hosts",
                "GET",
                "/",
                vec![host, ("host", "b.example")],
                false,
            ),
            (
                "Connection: host",
                "GET",
                "/",
                vec![host, ("connection", "close, Host")],
                false,
            ),
            (
                "Connection: length",
                "POST",
                "/",
                vec![host, ("connection", "content-length")],
                false,
            ),
            (
                "Connection: cookie",
                "GET",
                "/",
                vec![host, ("connection", "x"), ("connection", "cookie")],
                false,
            ),
            (
                "Connection: its own",
                "GET",
                "/",
                vec![host, ("connection", "x-mine")],
                true,
            ),
        ] {
            let request = parts(method, uri, Version::HTTP_11, &headers);
            assert_eq!(judge(&request, true).is_ok(), passes, "{name}");
        }
    }

    #[test]
    fn hop_by_hop_headers_are_removed() {
        let headers = [
            ("host", "a.example"),
            ("connection", "close, X-Cast-Role"),
            ("connection", "x-mine"),
            ("x-cast-role", "owner"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("keep-alive", "1"),
            ("proxy-connection", "close"),
            ("accept", "*/*"),
        ];
        let mut headers = parts("GET", "/", Version::HTTP_11, &headers).headers;
        strip(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host", "accept"]);
    }
}
