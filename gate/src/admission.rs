//! Owns whether the gate lets a request through: what the edge tells of it, and that no other
//! origin's page sent it, the session's own app included. Must not know where the request goes
//! then.

use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use casting_protocol::ids::SessionId;
use casting_protocol::keys::SessionSecret;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::ticket::{Role, SessionTicket};
use casting_protocol::time::Timestamp;

use crate::credentials::EdgeAssertion;
use crate::devtools;
use crate::handler::{ENTER_PATH, OWN_PATHS, VIEWER_PATH, is_own};

/// Why a request is refused. Visitors get the same answer for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It did not come through the edge.
    NotFromTheEdge,
    /// It carries no ticket that is good for this session now.
    NoTicket,
    /// Another site's page sent it with the visitor's cookies.
    ForeignPage,
}

/// Authenticates the requests to one session.
pub struct Admission {
    session: SessionId,
    secret: SessionSecret,
}

impl Admission {
    /// Admits the requests that the edge of this session's secret proves.
    pub fn new(session: SessionId, secret: SessionSecret) -> Self {
        Self { session, secret }
    }

    /// Judges one request.
    ///
    /// # Errors
    /// Why it goes no further.
    pub fn check(
        &self,
        request: &Parts,
        now: Timestamp,
    ) -> Result<(SessionTicket, EdgeAssertion), Refused> {
        let headers = &request.headers;
        let assertion =
            EdgeAssertion::read(headers, &self.secret).ok_or(Refused::NotFromTheEdge)?;
        let ticket = SessionTicket::read_payload(&assertion.visitor, &self.session, now)
            .map_err(|_| Refused::NoTicket)?;
        let by_program = ticket.origin == Some(SessionOrigin::Devtools);
        if by_program != devtools::is_below(request.uri.path())
            || by_program && ticket.role != Role::Owner
        {
            return Err(Refused::NoTicket);
        }
        let expected = if by_program {
            devtools::is_by_program(headers)
        } else if is_websocket(headers) {
            origin_is_host(headers)
        } else if ticket.origin == Some(SessionOrigin::Viewer) {
            is_by_own_page(headers) || is_visit(request)
        } else {
            may_be_by_own_page(headers) || is_navigation(request)
        };
        if expected {
            Ok((ticket, assertion))
        } else {
            Err(Refused::ForeignPage)
        }
    }
}

/// Whether this asks for a WebSocket.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .windows(9)
            .any(|part| part == b"websocket")
    })
}

/// Sessions live on sibling hosts, which cookies count as one site; only the origin tells their
/// pages apart.
fn origin_is_host(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let origin = text(ORIGIN).and_then(|origin| {
        origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
    });
    matches!((origin, text(HOST)), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}

/// Whether a page of this very origin sent this request, or no page at all: by what browsers say of
/// it, and over plain http, where many say less, by its origin. Programs say nothing, and have no
/// cookies to abuse.
pub fn is_by_own_page(headers: &HeaderMap) -> bool {
    match said(headers, "sec-fetch-site") {
        Some(site) => matches!(site, b"same-origin" | b"none"),
        None => !headers.contains_key(ORIGIN) || origin_is_host(headers),
    }
}

/// The same, also for a form of a page that sends no origin.
fn may_be_by_own_page(headers: &HeaderMap) -> bool {
    let unnamed =
        said(headers, "sec-fetch-site").is_none() && said(headers, "origin") == Some(b"null");
    unnamed || is_by_own_page(headers)
}

/// Whether this is a link that was followed to a page, from wherever.
fn is_navigation(request: &Parts) -> bool {
    said(&request.headers, "sec-fetch-mode") == Some(b"navigate")
        && matches!(request.method, Method::GET | Method::HEAD)
}

/// Whether this is a link to the viewer's page that was followed in a window of its own: in a
/// frame, and for what the page itself asks for, no other page may use the visitor's cookies.
fn is_visit(request: &Parts) -> bool {
    let path = request.uri.path();
    let to_page = !is_own(path) || [VIEWER_PATH, OWN_PATHS, ENTER_PATH].contains(&path);
    to_page
        && is_navigation(request)
        && said(&request.headers, "sec-fetch-dest").is_none_or(|dest| dest == b"document")
}

#[cfg(test)]
mod tests {
    use casting_protocol::keys::Keyring;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn secret(n: u8) -> SessionSecret {
        Keyring::new(&[1; 32]).sessions().secret(&session(n))
    }

    fn ticket_of(n: u8, origin: SessionOrigin) -> SessionTicket {
        SessionTicket {
            session: session(n),
            role: Role::Owner,
            watcher: None,
            origin: Some(origin),
            host: "192.0.2.7".into(),
            port: 1,
            expires: NOW.plus_seconds(1),
        }
    }

    /// The headers of an edge for a ticket of session `ticket`, to the gate of session `gate`.
    fn assertion(gate: u8, ticket: u8) -> Vec<(String, String)> {
        let ticket = ticket_of(ticket, SessionOrigin::Viewer);
        let ticket = ticket.sign(Keyring::new(&[1; 32]).sessions().named(""));
        let assertion = EdgeAssertion {
            visitor: SessionTicket::payload(&ticket).to_owned(),
            ..EdgeAssertion::default()
        };
        let mut headers = HeaderMap::new();
        assertion.put(&mut headers, &secret(gate));
        headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect()
    }

    fn judge(headers: &[(String, String)], method: Method, now: Timestamp) -> Result<(), Refused> {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri("/")
            .body(())
            .expect("a request")
            .into_parts()
            .0;
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().expect("a name");
            request
                .headers
                .append(name, value.parse().expect("a value"));
        }
        Admission::new(session(1), secret(1))
            .check(&request, now)
            .map(drop)
    }

    #[test]
    fn edge_proof_and_ticket_are_both_required() {
        let proof = |headers: Vec<(String, String)>| -> Vec<_> {
            let is_proof = |(name, _): &(String, String)| name == "x-cast-edge-proof";
            headers.into_iter().filter(is_proof).collect()
        };
        let visitor = |headers: Vec<(String, String)>| -> Vec<_> {
            let is_visitor = |(name, _): &(String, String)| name == "x-cast-edge-visitor";
            headers.into_iter().filter(is_visitor).collect()
        };
        let later = NOW.plus_seconds(1);
        for (name, headers, now, judged) in [
            ("both", assertion(1, 1), NOW, Ok(())),
            ("nothing", vec![], NOW, Err(Refused::NotFromTheEdge)),
            (
                "only a ticket",
                visitor(assertion(1, 1)),
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "only the proof",
                proof(assertion(1, 1)),
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "to another session's gate",
                assertion(2, 1),
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "another session's ticket",
                assertion(1, 2),
                NOW,
                Err(Refused::NoTicket),
            ),
            (
                "an expired ticket",
                assertion(1, 1),
                later,
                Err(Refused::NoTicket),
            ),
            (
                "one ticket's proof with another ticket",
                [proof(assertion(1, 1)), visitor(assertion(1, 2))].concat(),
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "a cookie without an edge",
                vec![("cookie".to_owned(), "cast-session=x".to_owned())],
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
        ] {
            assert_eq!(judge(&headers, Method::GET, now), judged, "{name}");
        }
    }

    #[test]
    fn tickets_for_devtools_and_their_paths_belong_together() {
        use SessionOrigin::{App, Devtools, Shared, Viewer};
        let version = "/.cast/devtools/json/version";
        for (name, origin, role, path, header, judged) in [
            ("a program", Devtools, Role::Owner, version, None, Ok(())),
            (
                "a watcher",
                Devtools,
                Role::Viewer,
                version,
                None,
                Err(Refused::NoTicket),
            ),
            (
                "the viewer's",
                Viewer,
                Role::Owner,
                version,
                None,
                Err(Refused::NoTicket),
            ),
            (
                "the app's",
                App,
                Role::Owner,
                version,
                None,
                Err(Refused::NoTicket),
            ),
            (
                "a path's",
                Shared,
                Role::Owner,
                version,
                None,
                Err(Refused::NoTicket),
            ),
            (
                "elsewhere",
                Devtools,
                Role::Owner,
                "/.cast/",
                None,
                Err(Refused::NoTicket),
            ),
            (
                "an order",
                Devtools,
                Role::Owner,
                "/.cast/assign",
                None,
                Err(Refused::NoTicket),
            ),
            (
                "the app",
                Devtools,
                Role::Owner,
                "/",
                None,
                Err(Refused::NoTicket),
            ),
            (
                "its own page",
                Devtools,
                Role::Owner,
                version,
                Some(("origin", "http://one.localhost")),
                Err(Refused::ForeignPage),
            ),
            (
                "a script",
                Devtools,
                Role::Owner,
                version,
                Some(("sec-fetch-site", "same-origin")),
                Err(Refused::ForeignPage),
            ),
        ] {
            let ticket = SessionTicket {
                role,
                ..ticket_of(1, origin)
            };
            let ticket = ticket.sign(Keyring::new(&[1; 32]).sessions().named(""));
            let mut request = axum::http::Request::get(path).header("host", "one.localhost");
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let mut request = request.body(()).expect("a request").into_parts().0;
            let told = EdgeAssertion {
                visitor: SessionTicket::payload(&ticket).to_owned(),
                ..EdgeAssertion::default()
            };
            told.put(&mut request.headers, &secret(1));
            let admission = Admission::new(session(1), secret(1));
            assert_eq!(admission.check(&request, NOW).map(drop), judged, "{name}");
        }
    }

    #[test]
    fn cross_site_requests_are_refused() {
        let mut base = assertion(1, 1);
        base.push(("host".into(), "one.localhost:8300".to_owned()));
        let websocket = |origin: &str| {
            vec![
                ("upgrade".into(), "WebSocket".to_owned()),
                ("origin".into(), origin.to_owned()),
            ]
        };
        let fetch = |site: &str, mode: &str| {
            vec![
                ("sec-fetch-site".into(), site.to_owned()),
                ("sec-fetch-mode".into(), mode.to_owned()),
            ]
        };
        for (name, method, more, allowed) in [
            (
                "its own socket",
                Method::GET,
                websocket("http://one.localhost:8300"),
                true,
            ),
            (
                "a sibling's socket",
                Method::GET,
                websocket("http://two.localhost:8300"),
                false,
            ),
            (
                "another port's socket",
                Method::GET,
                websocket("http://one.localhost"),
                false,
            ),
            (
                "a sandboxed page's socket",
                Method::GET,
                websocket("null"),
                false,
            ),
            (
                "a socket from nowhere",
                Method::GET,
                vec![("upgrade".into(), "websocket".to_owned())],
                false,
            ),
            (
                "its own request",
                Method::POST,
                fetch("same-origin", "cors"),
                true,
            ),
            (
                "typed into the address bar",
                Method::GET,
                fetch("none", "navigate"),
                true,
            ),
            (
                "a link on another site",
                Method::GET,
                fetch("cross-site", "navigate"),
                true,
            ),
            (
                "a form on a sibling",
                Method::POST,
                fetch("same-site", "navigate"),
                false,
            ),
            (
                "a script on a sibling",
                Method::GET,
                fetch("same-site", "no-cors"),
                false,
            ),
        ] {
            assert_eq!(
                judge(&[base.as_slice(), &more].concat(), method, NOW).is_ok(),
                allowed,
                "{name}"
            );
        }
    }
}
