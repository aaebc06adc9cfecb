//! Owns the roles in Selkies: its tokens, one for each role in the session, and the table of them,
//! which the gate replaces as control and sharing change. Neither the app nor a visitor gets the
//! master token, and no visitor gets a token. Must not know the messages of a stream.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Uri};
use casting_protocol::keys::SessionSecret;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use crate::hop::Asked;
use crate::path_filter;
use crate::proxy::{Passed, Route};
use crate::selkies::Media;
use crate::session_state::{Participant, SessionState};

/// Where the WebSocket is.
const SOCKET: &str = "/api/websockets";
/// The subprotocol of a client that has a token, and what the token follows in another.
const PROTOCOL: &str = "selkies";
/// Selkies refuses connections that follow each other too fast: it distinguishes clients by
/// address, and all of them come from the gate.
const BETWEEN: Duration = Duration::from_millis(550);

/// The master token of the streaming server in this session.
pub fn master_token(secret: &SessionSecret) -> String {
    secret.stream_token("master")
}

/// The roles in the session, for Selkies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The round of sharing, while the session is shared.
    pub round: Option<u32>,
    /// The watcher who controls it.
    pub controller: Option<String>,
}

/// One session's streaming server.
pub struct Roster {
    app: Route,
    secret: SessionSecret,
    /// The table that Selkies has.
    sent: Mutex<Option<Roles>>,
    /// The time of the last connection.
    connected: Mutex<Option<Instant>>,
    /// Watchers stand in line here before they do where the owner does.
    watchers: Mutex<()>,
}

/// The right to connect now. The next one may do so a moment after it is dropped.
pub struct Turn<'a> {
    connected: MutexGuard<'a, Option<Instant>>,
    _watcher: Option<MutexGuard<'a, ()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.connected = Some(Instant::now());
    }
}

/// The table could not be replaced, so no one is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the streaming server does not take its table of roles")]
pub struct NotUpdated;

impl Roster {
    /// Of the streaming server behind `app`.
    pub fn new(app: Route, secret: SessionSecret) -> Self {
        Self {
            app,
            secret,
            sent: Mutex::new(None),
            connected: Mutex::new(None),
            watchers: Mutex::new(()),
        }
    }

    /// The token of this role, for as long as the session is shared as it is now.
    fn token(&self, participant: &Participant, roles: &Roles) -> String {
        let round = roles.round.unwrap_or_default();
        self.secret.stream_token(&match participant {
            Participant::Owner => "owner".to_owned(),
            Participant::Controller(id) => format!("controller {round} {id}"),
            Participant::Viewer(_) => format!("viewer {round}"),
        })
    }

    /// The whole table: who has which token, in Selkies' words.
    fn table(&self, roles: &Roles) -> Map<String, Value> {
        let entry = |participant: &Participant, role: &str| {
            let token = self.token(participant, roles);
            (token, json!({"role": role, "slot": null}))
        };
        let owner = entry(&Participant::Owner, "controller");
        let viewer = roles
            .round
            .map(|_| entry(&Participant::Viewer(String::new()), "viewer"));
        let controller = roles
            .controller
            .clone()
            .map(|id| entry(&Participant::Controller(id), "controller"));
        [Some(owner), viewer, controller]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Tells Selkies who may do what, unless it knows. Who may no longer is cut off there, too.
    ///
    /// # Errors
    /// When it does not take that.
    pub async fn send(&self, roles: Roles) -> Result<(), NotUpdated> {
        let mut sent = self.sent.lock().await;
        if sent.as_ref() == Some(&roles) {
            return Ok(());
        }
        // Until it has answered, what it knows is not known.
        *sent = None;
        let table = Value::Object(self.table(&roles)).to_string();
        let master = format!("Bearer {}", master_token(&self.secret));
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/tokens")
            .header(HOST, self.app.target().authority())
            .header(AUTHORIZATION, master)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(table))
            .map_err(|_| NotUpdated)?;
        match self.app.pass_on(request, Asked::Reply).await {
            Ok(Passed::Reply(reply)) if reply.status().is_success() => {
                *sent = Some(roles);
                Ok(())
            }
            _ => Err(NotUpdated),
        }
    }

    /// Tells Selkies whatever changes, as long as the session lives.
    pub async fn follow(&self, state: &SessionState) -> std::convert::Infallible {
        let mut changes = state.changes();
        loop {
            // Before the first visitor there is nothing to replace.
            let has_visitors = self.sent.lock().await.is_some();
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if has_visitors && self.send(state.roles()).await.is_err() {
                tracing::warn!(
                    "The streaming server could not be updated; no one is admitted until it is"
                );
            }
        }
    }

    /// Waits until Selkies accepts a connection: the owner first.
    pub async fn turn(&self, participant: &Participant) -> Turn<'_> {
        let watcher = match participant {
            Participant::Owner => None,
            Participant::Controller(_) | Participant::Viewer(_) => Some(self.watchers.lock().await),
        };
        let connected = self.connected.lock().await;
        if let Some(last) = *connected {
            sleep_until(last + BETWEEN).await;
        }
        Turn {
            connected,
            _watcher: watcher,
        }
    }

    /// Shows Selkies who asks: by this role's token, and by nothing that the visitor says.
    pub fn introduce(
        &self,
        parts: &mut Parts,
        participant: &Participant,
        roles: &Roles,
        asked: Asked,
    ) {
        let token = self.token(participant, roles);
        let headers = &mut parts.headers;
        headers.remove("selkies-authorization");
        if let Ok(bearer) = HeaderValue::from_str(&format!("Bearer {token}")) {
            headers.insert(AUTHORIZATION, bearer);
        }
        if asked != Asked::Socket {
            return;
        }
        let knows_tokens = offers_token(headers);
        headers.remove(SEC_WEBSOCKET_PROTOCOL);
        if knows_tokens {
            // Such a client expects its subprotocol in the reply.
            let carried = BASE64URL_NOPAD.encode(token.as_bytes());
            let offered = format!("{PROTOCOL}, {PROTOCOL}.token.{carried}");
            if let Ok(offered) = HeaderValue::from_str(&offered) {
                headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
            }
        }
        let address = if knows_tokens {
            SOCKET.to_owned()
        } else {
            format!("{SOCKET}?token={token}")
        };
        if let Ok(address) = address.parse::<Uri>() {
            parts.uri = address;
        }
    }
}

fn offers_token(headers: &HeaderMap) -> bool {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|name| name.trim() == PROTOCOL)
}

/// Whether this role may send this request to Selkies. Its endpoints beside page and stream are for
/// its operator: tokens, other ways to stream, the list of clients, recordings, screenshots.
pub fn may_ask(parts: &Parts, asked: Asked, participant: &Participant, media: Media) -> bool {
    let path = parts.uri.path();
    if asked == Asked::Socket {
        return path == SOCKET;
    }
    if !path_filter::leads_to(path, "api") {
        return matches!(parts.method, Method::GET | Method::HEAD);
    }
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match path {
        SOCKET | "/api/status" | "/api/health" => reads,
        "/api/upload" => parts.method == Method::POST && participant.controls() && media.uploads,
        _ if path_filter::climbs(path) => false,
        _ if path.starts_with("/api/files/") => reads && participant.controls() && media.downloads,
        _ if path.starts_with("/api/print/") => reads && participant.controls() && media.printing,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_open_by_part_and_permission() {
        let watcher = Participant::Viewer("ada".into());
        let all = Media {
            uploads: true,
            downloads: true,
            printing: true,
            ..Media::default()
        };
        // For the owner, for the owner without permissions, for a watcher.
        for (method, path, socket, open, closed, watched) in [
            ("GET", "/", false, true, true, true),
            ("GET", "/assets/index.js", false, true, true, true),
            ("HEAD", "/", false, true, true, true),
            ("POST", "/", false, false, false, false),
            ("GET", "/api/websockets", true, true, true, true),
            ("GET", "/api/websockets", false, true, true, true),
            ("GET", "/api/status", false, true, true, true),
            ("GET", "/api/health", false, true, true, true),
            ("GET", "/api/ws", true, false, false, false),
            ("GET", "/api/webrtc/signaling", true, false, false, false),
            ("GET", "/", true, false, false, false),
            ("POST", "/api/upload", false, true, false, false),
            ("GET", "/api/upload", false, false, false, false),
            ("GET", "/api/files/", false, true, false, false),
            ("GET", "/api/files/a%20b.txt", false, true, false, false),
            ("POST", "/api/files/a.txt", false, false, false, false),
            (
                "GET",
                "/api/files/../screenshot",
                false,
                false,
                false,
                false,
            ),
            (
                "GET",
                "/api/files/%2e%2e/screenshot",
                false,
                false,
                false,
                false,
            ),
            ("GET", "/api/print/a", false, true, false, false),
            (
                "GET",
                "/api/print/%2e%2e/tokens",
                false,
                false,
                false,
                false,
            ),
            ("POST", "/api/tokens", false, false, false, false),
            ("GET", "/api/tokens", false, false, false, false),
            ("POST", "/api/switch", false, false, false, false),
            ("GET", "/api/sessions", false, false, false, false),
            ("DELETE", "/api/sessions/1", false, false, false, false),
            ("GET", "/api/recording", false, false, false, false),
            ("POST", "/api/recording", false, false, false, false),
            ("GET", "/api/screenshot", false, false, false, false),
            ("GET", "/api/metrics", false, false, false, false),
            ("GET", "/api/apps/metadata.yml", false, false, false, false),
            ("GET", "/%61pi/tokens", false, false, false, false),
            ("GET", "//api/screenshot", false, false, false, false),
            ("GET", "/x/../api/screenshot", false, false, false, false),
        ] {
            let request = Request::builder().method(method).uri(path).body(());
            let parts = request.expect("a request").into_parts().0;
            let asked = if socket { Asked::Socket } else { Asked::Reply };
            assert_eq!(
                [
                    may_ask(&parts, asked, &Participant::Owner, all),
                    may_ask(&parts, asked, &Participant::Owner, Media::default()),
                    may_ask(&parts, asked, &watcher, all),
                ],
                [open, closed, watched],
                "{method} {path}"
            );
        }
    }

    fn roster() -> Roster {
        let target = crate::proxy::Target::loopback(1).expect("an address");
        let secret = SessionSecret::from_text("secret".to_owned());
        Roster::new(crate::proxy::Proxy::default().to(target), secret)
    }

    #[test]
    fn tokens_end_with_their_part_and_their_round() {
        let roster = roster();
        let roles = |round, controller: Option<&str>| Roles {
            round,
            controller: controller.map(str::to_owned),
        };
        let role = |table: &Map<String, Value>, participant: &Participant, roles: &Roles| {
            table
                .get(&roster.token(participant, roles))
                .map(|entry| entry["role"].clone())
        };
        let (ada, bob) = (
            Participant::Viewer("ada".into()),
            Participant::Controller("bob".into()),
        );
        let alone = roles(None, None);
        let first = roles(Some(1), Some("bob"));
        let second = roles(Some(2), None);
        let table = roster.table(&alone);
        assert_eq!(table.len(), 1, "the owner's alone");
        assert_eq!(
            role(&table, &Participant::Owner, &alone),
            Some("controller".into())
        );
        let table = roster.table(&first);
        assert_eq!(
            role(&table, &Participant::Owner, &first),
            Some("controller".into())
        );
        assert_eq!(role(&table, &ada, &first), Some("viewer".into()));
        assert_eq!(role(&table, &bob, &first), Some("controller".into()));
        let table = roster.table(&second);
        assert_eq!(
            role(&table, &ada, &first),
            None,
            "let in by an earlier link"
        );
        assert_eq!(role(&table, &bob, &first), None, "control was taken back");
        assert_eq!(
            role(&table, &Participant::Owner, &first),
            Some("controller".into())
        );
    }

    #[test]
    fn token_of_the_visitor_is_replaced() {
        let roster = roster();
        let roles = Roles {
            round: Some(1),
            controller: None,
        };
        let viewer = Participant::Viewer("ada".into());
        let token = roster.token(&viewer, &roles);
        for (offered, uri, protocols) in [
            (None, format!("{SOCKET}?token={token}"), None),
            (
                Some("selkies, selkies.token.b3duZXI"),
                SOCKET.to_owned(),
                Some(format!(
                    "selkies, selkies.token.{}",
                    BASE64URL_NOPAD.encode(token.as_bytes())
                )),
            ),
            (Some("other"), format!("{SOCKET}?token={token}"), None),
        ] {
            let mut request = Request::builder()
                .uri("/api/websockets?token=owner&role=controller")
                .header(AUTHORIZATION, "Bearer owner");
            if let Some(offered) = offered {
                request = request.header(SEC_WEBSOCKET_PROTOCOL, offered);
            }
            let mut parts = request.body(()).expect("a request").into_parts().0;
            roster.introduce(&mut parts, &viewer, &roles, Asked::Socket);
            let header = |name| {
                let value: Option<&HeaderValue> = parts.headers.get(name);
                value.map(|value| value.to_str().expect("text").to_owned())
            };
            assert_eq!(parts.uri.to_string(), uri, "{offered:?}");
            assert_eq!(header(SEC_WEBSOCKET_PROTOCOL), protocols, "{offered:?}");
            assert_eq!(header(AUTHORIZATION), Some(format!("Bearer {token}")));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connections_keep_their_distance() {
        let roster = roster();
        let began = Instant::now();
        for (participant, after) in [
            (Participant::Owner, Duration::ZERO),
            (Participant::Viewer("ada".into()), BETWEEN),
            (Participant::Owner, BETWEEN * 2),
        ] {
            let turn = roster.turn(&participant).await;
            assert_eq!(began.elapsed(), after, "{participant:?}");
            drop(turn);
        }
    }
}
