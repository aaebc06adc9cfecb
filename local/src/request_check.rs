//! Owns which requests the local front takes: well-formed ones for a host name of this stack. A
//! gateway refuses the others before any function sees them. Must not know routes or functions.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use casting_web::{Problem, RequestError};

use crate::front;

/// The host names under which the control plane of this stack is reached.
#[derive(Clone, Debug)]
pub struct HostNames {
    names: Vec<String>,
    url: String,
}

impl HostNames {
    /// The host of the public URL, this machine's own names, and the address that is listened on.
    pub fn new(public_url: &str, listen: IpAddr) -> Self {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .map(str::to_owned)
            .into();
        let public = public_url.split_once("://").map_or("", |(_, rest)| rest);
        names.extend(public.parse::<Authority>().ok().map(|host| name_of(&host)));
        if !listen.is_unspecified() {
            names.push(match listen {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
        }
        Self {
            names,
            url: public_url.to_owned(),
        }
    }

    fn contains(&self, host: &Authority) -> bool {
        self.names.contains(&name_of(host))
    }
}

/// The host of an authority in lower case, without the port and a dot at its end. Ports do not
/// matter: they differ where a port of another machine or container leads here.
fn name_of(host: &Authority) -> String {
    let name = host.host().to_ascii_lowercase();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

/// A request that is refused: its status, and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest(StatusCode, String);

impl BadRequest {
    fn new(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        let Self(status, text) = self;
        let no_store = (header::CACHE_CONTROL, "no-store");
        // A request to the wrong host is likely a person's; malformed requests come from programs.
        if status == StatusCode::MISDIRECTED_REQUEST {
            return (status, [no_store], format!("{text}\n")).into_response();
        }
        front::reply(Problem::new(RequestError::BadRequest).detail(text).reply())
    }
}

/// Checks the host of a request and the form of all that functions read of it.
///
/// # Errors
/// The status and the sentence that the client gets.
pub fn check(parts: &Parts, hosts: &HostNames) -> Result<(), BadRequest> {
    if parts.method == Method::CONNECT || !parts.uri.path().starts_with('/') {
        return Err(BadRequest::new("The request names no path of this server."));
    }
    for (name, value) in &parts.headers {
        if std::str::from_utf8(value.as_bytes()).is_err() {
            return Err(BadRequest::new(format!(
                "The header {name} is not valid UTF-8."
            )));
        }
    }
    let host = host(parts)?;
    // A page of another site whose name was pointed at this machine (DNS rebinding) ends here.
    if !hosts.contains(&host) {
        return Err(BadRequest(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "This server has no site of this name; it is at {}.",
                hosts.url
            ),
        ));
    }
    let decoded = decode(parts.uri.path()).ok_or_else(|| {
        BadRequest::new("The address has a percent sign without two hexadecimal digits.")
    })?;
    let is_text = std::str::from_utf8(&decoded).is_ok();
    if !is_text || decoded.iter().any(u8::is_ascii_control) {
        return Err(BadRequest::new(
            "The address holds bytes that are not valid UTF-8, or control characters.",
        ));
    }
    let query = decode(parts.uri.query().unwrap_or_default()).ok_or_else(|| {
        BadRequest::new("The query has a percent sign without two hexadecimal digits.")
    })?;
    if std::str::from_utf8(&query).is_err() || query.contains(&0) {
        return Err(BadRequest::new(
            "The query holds bytes that are not valid UTF-8, or a NUL character.",
        ));
    }
    Ok(())
}

/// The one host that a request names.
fn host(parts: &Parts) -> Result<Authority, BadRequest> {
    let mut named = parts.headers.get_all(header::HOST).iter();
    let (Some(value), None) = (named.next(), named.next()) else {
        return Err(BadRequest::new("A request has exactly one Host header."));
    };
    let text = value.to_str().unwrap_or_default();
    let host = text
        .parse::<Authority>()
        .ok()
        .filter(|host| is_host(host, text))
        .ok_or_else(|| BadRequest::new("The Host header is no host name."))?;
    match parts.uri.authority() {
        Some(other) if !other.as_str().eq_ignore_ascii_case(text) => Err(BadRequest::new(
            "The request line and the Host header name different hosts.",
        )),
        _ => Ok(host),
    }
}

/// Whether this is a host name or address and perhaps a port: what URLs can be made of.
fn is_host(host: &Authority, text: &str) -> bool {
    let port = text.strip_prefix(host.host()).unwrap_or(text);
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok());
    is_port && !text.contains('@') && url::Url::parse(&format!("http://{text}/")).is_ok()
}

/// The bytes that percent-encoded `text` stands for; `None` when an escape is incomplete.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn status(uri: &str, headers: &[(&str, &[u8])]) -> u16 {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let hosts = HostNames::new("https://cast.example.com", [192, 0, 2, 7].into());
        check(&parts, &hosts).map_or_else(|BadRequest(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn host_header_must_be_single_and_known() {
        for (host, expected) in [
            ("cast.example.com", 200),
            ("CAST.example.com.", 200),
            ("cast.example.com:444", 200),
            ("localhost:8300", 200),
            ("127.0.0.1", 200),
            ("[::1]:8300", 200),
            ("192.0.2.7:8300", 200),
            ("evil.example", 421),
            ("192.0.2.8", 421),
            ("localhost.evil.example", 421),
            ("", 400),
            ("local host", 400),
            ("localhost:", 400),
            ("localhost:99999", 400),
            ("localhost:80:80", 400),
            ("me@localhost", 400),
            ("localhost/x", 400),
            ("localhost,localhost", 421),
            ("[::1", 400),
        ] {
            assert_eq!(
                status("/", &[("host", host.as_bytes())]),
                expected,
                "{host}"
            );
        }
        assert_eq!(status("/", &[]), 400, "no host");
        let twice: [(&str, &[u8]); 2] = [("host", b"localhost"), ("host", b"localhost")];
        assert_eq!(status("/", &twice), 400, "two hosts");
    }

    #[test]
    fn paths_queries_and_headers_must_be_valid_utf8() {
        for (name, uri, expected) in [
            ("plain", "/cast/x?y=%20", 200),
            ("an escaped letter", "/cast/%C3%A9", 200),
            ("absolute, this host", "http://localhost/cast/x", 200),
            ("absolute, another host", "http://evil.example/cast/x", 400),
            ("a cut escape", "/cast/%4", 400),
            ("letters after a percent sign", "/cast/%zz", 400),
            ("a sign in an escape", "/cast/%+1", 400),
            ("NUL", "/cast/%00", 400),
            ("a line break", "/cast/%0d%0aX", 400),
            ("Latin-1", "/cast/%e9", 400),
            ("a cut escape in the query", "/cast/x?y=100%", 400),
            ("NUL in the query", "/cast/x?y=%00", 400),
            ("Latin-1 in the query", "/cast/x?y=%e9", 400),
            ("a line break in the query", "/cast/x?y=a%0ab", 200),
            ("no path", "*", 400),
        ] {
            assert_eq!(status(uri, &[("host", b"localhost")]), expected, "{name}");
        }
        let latin: [(&str, &[u8]); 2] = [("host", b"localhost"), ("x-name", b"\xe9")];
        assert_eq!(status("/", &latin), 400, "a header in Latin-1");
    }
}
