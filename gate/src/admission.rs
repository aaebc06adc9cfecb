//! Owns whether the gate lets a request through: the edge's secret, the visitor's ticket, and that no other site's page sent it.
//! Must not know where the request goes then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use casting_core::ids::SessionId;
use casting_core::keys::SessionSecret;
use casting_core::ticket::SessionTicket;
use casting_core::time::Timestamp;

use crate::credentials;

/// Why a request goes no further. Visitors are told the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It did not come through the edge.
    NotFromTheEdge,
    /// It carries no ticket that is good for this session now.
    NoTicket,
    /// Another site's page sent it with the visitor's cookies.
    ForeignPage,
}

/// How many tickets are remembered.
const REMEMBERED: usize = 64;

/// Who is let in to one session.
pub struct Admission {
    session: SessionId,
    secret: SessionSecret,
    /// Tickets whose signature was good: a page of a hundred parts brings one ticket a hundred times.
    good: Mutex<HashMap<String, Arc<SessionTicket>>>,
}

impl Admission {
    /// Lets in whoever comes with the secret and a ticket of this session.
    pub fn new(session: SessionId, secret: SessionSecret) -> Self {
        Self {
            session,
            secret,
            good: Mutex::default(),
        }
    }

    /// Judges one request.
    ///
    /// # Errors
    /// Why it goes no further.
    pub fn check(&self, request: &Parts, now: Timestamp) -> Result<Arc<SessionTicket>, Refused> {
        let headers = &request.headers;
        let presented = headers
            .get(credentials::SECRET_HEADER)
            .and_then(|value| value.to_str().ok());
        if !presented.is_some_and(|text| self.secret.matches(text)) {
            return Err(Refused::NotFromTheEdge);
        }
        let ticket = credentials::tickets(headers)
            .find_map(|text| self.open(text, now))
            .ok_or(Refused::NoTicket)?;
        let own_page = if is_websocket(headers) {
            origin_is_host(headers)
        } else {
            own_page_or_navigation(request)
        };
        if own_page {
            Ok(ticket)
        } else {
            Err(Refused::ForeignPage)
        }
    }

    fn open(&self, text: &str, now: Timestamp) -> Option<Arc<SessionTicket>> {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = good.get(text) {
            return (now < known.expires).then(|| known.clone());
        }
        let ticket =
            Arc::new(SessionTicket::open_at_gate(text, &self.session, &self.secret, now).ok()?);
        if good.len() >= REMEMBERED {
            good.clear();
        }
        good.insert(text.to_owned(), ticket.clone());
        Some(ticket)
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

/// Sessions live on sibling hosts, which cookies count as one site; only the origin tells their pages apart.
fn origin_is_host(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    let origin = text(ORIGIN).and_then(|origin| {
        origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
    });
    matches!((origin, text(HOST)), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// What browsers say about who sent a request; others say nothing, and have no cookies to abuse.
fn own_page_or_navigation(request: &Parts) -> bool {
    let said = |name| {
        request
            .headers
            .get(name)
            .map(|value: &axum::http::HeaderValue| value.as_bytes())
    };
    match said("sec-fetch-site") {
        None | Some(b"same-origin" | b"none") => true,
        Some(_) => {
            said("sec-fetch-mode") == Some(b"navigate")
                && matches!(request.method, Method::GET | Method::HEAD)
        }
    }
}

#[cfg(test)]
mod tests {
    use casting_core::keys::{Keyring, SessionKeys};
    use casting_core::ticket::Role;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn ticket(keys: &SessionKeys, n: u8) -> String {
        SessionTicket {
            session: session(n),
            role: Role::Owner,
            watcher: None,
            host: "127.0.0.1".into(),
            port: 1,
            expires: NOW.plus_seconds(1),
        }
        .sign(&keys.secret(&session(n)))
    }

    fn judge(
        headers: &[(&'static str, String)],
        method: Method,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let keys = Keyring::new(&[1; 32]);
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri("/")
            .body(())
            .expect("a request")
            .into_parts()
            .0;
        for (name, value) in headers {
            request
                .headers
                .append(*name, value.parse().expect("a value"));
        }
        let admission = Admission::new(session(1), keys.sessions().secret(&session(1)));
        // The second time is answered from memory, and answered the same.
        let judged = admission
            .check(&request, NOW)
            .and(admission.check(&request, now));
        assert_eq!(judged, admission.check(&request, now));
        judged.map(drop)
    }

    #[test]
    fn secret_and_ticket_are_both_needed() {
        let keyring = Keyring::new(&[1; 32]);
        let keys = keyring.sessions();
        let secret = |n| {
            (
                "x-cast-session-secret",
                keys.secret(&session(n)).expose().to_owned(),
            )
        };
        let cookie = |text: String| ("cookie", format!("cast-session={text}"));
        let good = ticket(keys, 1);
        let later = NOW.plus_seconds(1);
        for (name, headers, now, judged) in [
            ("both", vec![secret(1), cookie(good.clone())], NOW, Ok(())),
            (
                "the other cookie name",
                vec![secret(1), ("cookie", format!("__Host-cast-session={good}"))],
                NOW,
                Ok(()),
            ),
            (
                "a planted cookie first",
                vec![secret(1), cookie(format!("x; cast-session={good}"))],
                NOW,
                Ok(()),
            ),
            ("nothing", vec![], NOW, Err(Refused::NotFromTheEdge)),
            (
                "only a ticket",
                vec![cookie(good.clone())],
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "another session's secret",
                vec![secret(2), cookie(good.clone())],
                NOW,
                Err(Refused::NotFromTheEdge),
            ),
            (
                "only the secret",
                vec![secret(1)],
                NOW,
                Err(Refused::NoTicket),
            ),
            (
                "another session's ticket",
                vec![secret(1), cookie(ticket(keys, 2))],
                NOW,
                Err(Refused::NoTicket),
            ),
            (
                "an expired ticket",
                vec![secret(1), cookie(good)],
                later,
                Err(Refused::NoTicket),
            ),
        ] {
            assert_eq!(judge(&headers, Method::GET, now), judged, "{name}");
        }
    }

    #[test]
    fn pages_of_other_sites_get_nothing_done() {
        let keyring = Keyring::new(&[1; 32]);
        let base = [
            (
                "x-cast-session-secret",
                keyring.sessions().secret(&session(1)).expose().to_owned(),
            ),
            (
                "cookie",
                format!("cast-session={}", ticket(keyring.sessions(), 1)),
            ),
            ("host", "one.localhost:8300".to_owned()),
        ];
        let websocket = |origin: &str| {
            vec![
                ("upgrade", "WebSocket".to_owned()),
                ("origin", origin.to_owned()),
            ]
        };
        let fetch = |site: &str, mode: &str| {
            vec![
                ("sec-fetch-site", site.to_owned()),
                ("sec-fetch-mode", mode.to_owned()),
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
                vec![("upgrade", "websocket".to_owned())],
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
