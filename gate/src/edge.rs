//! Owns the edge: exchanges a visitor's entry ticket for a session ticket, which lives in a cookie
//! of one of the session's origins, passes every request on to the gate that the ticket names, and
//! leads the viewer's frame on to the app's origin. Must not keep state, and must not believe
//! anything but tickets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{AUTHORIZATION, FORWARDED, STRICT_TRANSPORT_SECURITY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use casting_protocol::ids::{Entropy, Nonce, random_bytes};
use casting_protocol::keys::{SessionKey, SessionKeys, SessionSecret};
use casting_protocol::session_origin::{self, SessionOrigin};
use casting_protocol::ticket::{ENTRY_SECONDS, EntryTicket, Role, SessionTicket, TicketError};
use casting_protocol::time::Clock;
use casting_protocol::urls;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::time::timeout;
use url::Url;

use crate::credentials::EdgeAssertion;
use crate::handler::{
    APP_PATH, ENTER_PATH, FORWARDED_HOST, FORWARDED_PREFIX, FORWARDED_PROTO, HEALTH_PATH,
    last_on_connection, let_the_viewer_frame,
};
use crate::hop::{self, Asked};
use crate::pages::Notice;
use crate::places::Places;
use crate::proxy::{Passed, Proxy, Target, UpstreamError};
use crate::session_host::{Found, SessionHost};
use crate::settings::EdgeServer;
use crate::{admission, bodies, credentials, devtools, limits, pages, path_mode, server};

/// How long one end of a WebSocket may live on when the other is gone.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// For a year, the host alone.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How the edge routes.
#[derive(Clone)]
pub struct EdgeSettings {
    /// The keys that it shares with the control plane.
    pub keys: SessionKeys,
    /// Where sessions are found.
    pub session_host: SessionHost,
    /// Where gates can be.
    pub places: Places,
    /// The address of the control plane's session pages; `None` shows the edge's own texts only.
    pub control_url: Option<Url>,
    /// Whether visitors come over https.
    pub secure_cookies: bool,
    /// Tells when tickets expire.
    pub clock: Arc<dyn Clock>,
    /// Tells the addresses apart that lead on to the app's origin.
    pub entropy: Arc<dyn Entropy>,
}

struct Edge {
    settings: EdgeSettings,
    proxy: Proxy,
}

/// Everything that the edge answers. A server with other routes asks [`SessionHost::find`] which
/// requests are for sessions, and should put the peer's address into the requests' extensions, as
/// [`axum::extract::ConnectInfo`].
pub fn router(settings: EdgeSettings) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(Edge {
        settings,
        proxy: Proxy::default(),
    }))
}

/// Runs the edge as a server of its own.
///
/// # Errors
/// When its address cannot be listened on.
pub async fn serve(settings: EdgeServer) -> anyhow::Result<()> {
    let listener = server::listen(settings.listen).map_err(|error| {
        anyhow::anyhow!("the edge cannot listen on {}: {error}", settings.listen)
    })?;
    server::raise_open_files_limit();
    tracing::info!(address = %listener.local_addr()?, "The edge listens");
    let stop = async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    };
    tokio::select! {
        stopped = stop => Ok(stopped?),
        never = server::serve(listener, router(settings.edge)) => match never {},
    }
}

async fn answer(State(edge): State<Arc<Edge>>, request: Request<Body>) -> Response {
    let mut reply = edge.answer(request).await;
    if edge.settings.secure_cookies {
        // Overrides the app: this host is never requested over plain http.
        reply
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    reply
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    ticket: String,
    /// An address to be opened, for the gate.
    go: Option<String>,
    /// The first address of the app, for the gate.
    to: Option<String>,
}

impl Entry {
    /// The target of this entry as a query for the gate: base64url and dots; everything else is
    /// dropped.
    fn leads(self, origin: SessionOrigin) -> String {
        let (name, value) = match origin {
            SessionOrigin::App => ("to", self.to),
            SessionOrigin::Shared | SessionOrigin::Viewer | SessionOrigin::Devtools => {
                ("go", self.go)
            }
        };
        let is_plain = |text: &String| {
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        value
            .filter(is_plain)
            .map_or_else(String::new, |value| format!("{name}={value}"))
    }
}

/// An admitted request: the gate that it goes to, and what is asserted about it.
struct Admitted {
    gate: Target,
    secret: SessionSecret,
    assertion: EdgeAssertion,
}

/// A request on its way to a gate.
pub struct Onward {
    /// Where to.
    pub gate: Target,
    /// The request as the gate gets it.
    pub parts: Parts,
    wanted: Asked,
    enters: bool,
    found: Found,
}

impl Edge {
    async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        match self.settings.decide(parts, bodies::is_empty(&body)) {
            Ok(onward) => self.pass_on(onward, body).await,
            Err(reply) => *reply,
        }
    }

    async fn pass_on(&self, onward: Onward, body: Body) -> Response {
        let Onward {
            gate,
            mut parts,
            wanted,
            enters,
            found,
        } = onward;
        let asked = parts.headers.clone();
        let visitor = parts.extensions.remove::<OnUpgrade>();
        let request = Request::from_parts(parts, body);
        match self.proxy.to(gate).pass_on(request, wanted).await {
            // The gate's answer to an entry already has the visitor's own path.
            Ok(Passed::Reply(reply)) if enters => reply,
            Ok(Passed::Reply(mut reply)) => {
                path_mode::adjust(reply.headers_mut(), &asked, &found.prefix);
                reply
            }
            Ok(Passed::Socket(mut reply, gate)) => {
                path_mode::adjust(reply.headers_mut(), &asked, &found.prefix);
                if let Some(visitor) = visitor {
                    tokio::spawn(bridge(visitor, gate));
                }
                reply
            }
            Err(why) => {
                let notice = match why {
                    UpstreamError::Unreachable => pages::ENDED,
                    UpstreamError::Unanswered => pages::NOT_ANSWERING,
                    UpstreamError::BrokeOff | UpstreamError::Late => pages::LOST,
                    UpstreamError::Unreadable => pages::UNREADABLE,
                    UpstreamError::TooLarge => pages::TOO_LARGE,
                };
                self.settings.say(&notice, &asked, &found)
            }
        }
    }
}

impl EdgeSettings {
    /// Answers a request, or decides to which gate it goes.
    ///
    /// # Errors
    /// The answer to a request that does not go on.
    pub fn decide_on(&self, request: Request<()>) -> Result<Onward, Box<Response>> {
        self.decide(request.into_parts().0, true)
    }

    /// The ticket and its key, if it is ours, still good, and for the session and the origin that
    /// the address names.
    fn open(&self, text: &str, found: &Found) -> Option<(SessionTicket, &SessionKey)> {
        let keys = &self.keys;
        let (ticket, key) = SessionTicket::open(text, keys, self.clock.now()).ok()?;
        let here = ticket.session == found.session && found.origin.takes(ticket.origin);
        here.then_some((ticket, key))
    }

    fn admit(
        &self,
        ticket: &SessionTicket,
        key: &SessionKey,
        assertion: EdgeAssertion,
    ) -> Option<Admitted> {
        Some(Admitted {
            gate: self.places.gate(&ticket.host, ticket.port)?,
            secret: key.secret(&ticket.session),
            assertion,
        })
    }

    /// Exchanges an entry ticket for a session ticket, which the gate gives to the first visitor
    /// with it.
    fn enter(&self, parts: &mut Parts, found: &Found) -> Result<Admitted, Notice> {
        let Query(asked) = Query::<Entry>::try_from_uri(&parts.uri).unwrap_or_default();
        let now = self.clock.now();
        let opened = EntryTicket::open(&asked.ticket, &self.keys, now);
        let (entry, key) = opened.map_err(|why| match why {
            TicketError::Expired => pages::USED,
            TicketError::Invalid => pages::NOT_YOURS,
        })?;
        let ticket = &entry.ticket;
        if ticket.session != found.session || !found.origin.takes(ticket.origin) {
            return Err(pages::NOT_YOURS);
        }
        let kept = ticket.sign(key);
        // An owner who opens the session's share link stays its owner.
        let owns = |text: &str| {
            self.open(text, found)
                .is_some_and(|(known, _)| known.role == Role::Owner)
        };
        let stays = ticket.role != Role::Owner && credentials::tickets(&parts.headers).any(owns);
        let max_age = now.seconds_until(ticket.expires);
        let secure = self.secure_cookies;
        let assertion = EdgeAssertion {
            visitor: SessionTicket::payload(&kept).to_owned(),
            entry: format!("{}.{}", entry.nonce.as_str(), entry.expires.millis()),
            cookie: if stays {
                String::new()
            } else {
                credentials::ticket_cookie(&kept, &found.prefix, secure, max_age)
            },
        };
        let mut leads = asked.leads(found.origin);
        if !leads.is_empty() {
            leads.insert(0, '?');
        }
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = format!("{ENTER_PATH}{leads}").parse().ok();
        parts.uri = Uri::from_parts(uri).map_err(|_| pages::UNREADABLE)?;
        self.admit(ticket, key, assertion).ok_or(pages::ENDED)
    }

    /// The ticket of the request that opens this origin of the session, with its text and its key.
    fn known<'a>(
        &self,
        parts: &'a Parts,
        found: &Found,
    ) -> Result<(&'a str, SessionTicket, &SessionKey), Notice> {
        // Programs bring theirs in a header, which no page can make a browser send.
        let is_program = found.origin == SessionOrigin::Devtools;
        let cookies = credentials::tickets(&parts.headers).filter(|_| !is_program);
        let bearer = credentials::bearer(&parts.headers).filter(|_| is_program);
        let mut opened: Vec<_> = cookies
            .chain(bearer)
            .filter_map(|text| {
                let (ticket, key) = self.open(text, found)?;
                Some((text, ticket, key))
            })
            .collect();
        // The owner's before a watcher's.
        opened.sort_by_key(|(_, ticket, _)| ticket.role != Role::Owner);
        opened.into_iter().next().ok_or(pages::NOT_YOURS)
    }

    /// Redirects the viewer's frame to the app's origin, with an entry ticket.
    fn lead_to_app(&self, parts: &Parts, found: &Found) -> Result<Response, Notice> {
        let (_, ticket, key) = self.known(parts, found)?;
        if !admission::is_by_own_page(&parts.headers) || ticket.origin.is_none() {
            return Err(pages::NOT_YOURS);
        }
        let Query(asked) = Query::<Entry>::try_from_uri(&parts.uri).unwrap_or_default();
        let host = session_origin::app_host(&found.authority, &found.session);
        let host = host.ok_or(pages::UNREADABLE)?;
        let entry = EntryTicket {
            ticket: SessionTicket {
                origin: Some(SessionOrigin::App),
                ..ticket
            },
            nonce: Nonce::from_bytes(random_bytes(&*self.entropy)),
            expires: self.clock.now().plus_seconds(ENTRY_SECONDS),
        };
        let entry = entry.sign(key);
        let mut leads = asked.leads(SessionOrigin::App);
        if !leads.is_empty() {
            leads.insert(0, '&');
        }
        let scheme = self.scheme();
        Ok(pages::led_to(&format!(
            "{scheme}://{host}{ENTER_PATH}?ticket={entry}{leads}"
        )))
    }

    fn scheme(&self) -> &'static str {
        if self.secure_cookies { "https" } else { "http" }
    }

    /// The assertion for a request with a valid cookie.
    fn pass(&self, parts: &Parts, found: &Found) -> Result<Admitted, Notice> {
        let (text, ticket, key) = self.known(parts, found)?;
        let assertion = EdgeAssertion {
            visitor: SessionTicket::payload(text).to_owned(),
            ..EdgeAssertion::default()
        };
        self.admit(&ticket, key, assertion).ok_or(pages::ENDED)
    }

    /// Answers a request, or passes it on.
    fn decide(&self, parts: Parts, body_is_empty: bool) -> Result<Onward, Box<Response>> {
        if parts.uri.path() == HEALTH_PATH && matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Box::new(StatusCode::NO_CONTENT.into_response()));
        }
        let Some(mut found) = self.session_host.find(&parts.uri, &parts.headers) else {
            let reply = pages::NOTHING_HERE.reply(&parts.headers);
            return Err(Box::new(last_on_connection(reply)));
        };
        let Some(uri) = path_mode::without_prefix(&parts.uri, &found.prefix) else {
            let reply = pages::led_to(&format!("{}/", found.prefix));
            return Err(Box::new(reply));
        };
        let mut parts = parts;
        parts.uri = uri;
        if found.origin != SessionOrigin::App && devtools::is_below(parts.uri.path()) {
            found.origin = SessionOrigin::Devtools;
        }
        let refuse = |notice: Notice, parts: &Parts| {
            Box::new(last_on_connection(self.say(
                &notice,
                &parts.headers,
                &found,
            )))
        };
        let gets = parts.method == Method::GET;
        if gets && found.origin == SessionOrigin::Viewer && parts.uri.path() == APP_PATH {
            let led = self.lead_to_app(&parts, &found);
            return Err(match led {
                Ok(reply) => Box::new(reply),
                Err(notice) => refuse(notice, &parts),
            });
        }
        let enters = gets && parts.uri.path() == ENTER_PATH;
        let admitted = if enters {
            self.enter(&mut parts, &found)
        } else {
            self.pass(&parts, &found)
        };
        let admitted = admitted.map_err(|notice| refuse(notice, &parts))?;
        let wanted =
            hop::judge(&parts, body_is_empty).map_err(|_| refuse(pages::UNREADABLE, &parts))?;
        // Set first, so that a visitor cannot remove these headers by naming them in `Connection`.
        hop::strip(&mut parts.headers);
        credentials::remove_assertion(&mut parts.headers);
        if found.origin == SessionOrigin::Devtools {
            parts.headers.remove(AUTHORIZATION);
        }
        admitted.assertion.put(&mut parts.headers, &admitted.secret);
        self.tell_who_asks(&mut parts, &found);
        Ok(Onward {
            gate: admitted.gate,
            parts,
            wanted,
            enters,
            found,
        })
    }

    /// A page that says why there is no app to show, with a link to the session's page.
    fn say(&self, notice: &Notice, asked: &HeaderMap, found: &Found) -> Response {
        let page = self.session_page(found);
        let mut reply = notice.reply_with(asked, page.as_deref());
        if let Some(viewer) = found.viewer() {
            let viewer = format!("{}://{viewer}", self.scheme());
            let_the_viewer_frame(reply.headers_mut(), Some(&viewer));
        }
        reply
    }

    fn session_page(&self, found: &Found) -> Option<String> {
        let page = self
            .control_url
            .as_ref()?
            .join(&urls::session(&found.session))
            .ok()?;
        Some(page.into())
    }

    /// Sets the forwarding headers. The edge is the first hop, so the visitor's own are dropped.
    fn tell_who_asks(&self, parts: &mut Parts, found: &Found) {
        let headers = &mut parts.headers;
        let said: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-forwarded-"))
            .cloned()
            .collect();
        for name in said
            .iter()
            .chain([&FORWARDED, &HeaderName::from_static("x-real-ip")])
        {
            headers.remove(name);
        }
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(self.scheme()));
        if let Ok(host) = HeaderValue::from_str(&found.authority) {
            headers.insert(FORWARDED_HOST, host);
        }
        if let Ok(prefix) = HeaderValue::from_str(&found.prefix)
            && !prefix.is_empty()
        {
            headers.insert(FORWARDED_PREFIX, prefix);
        }
    }
}

/// Carries bytes between a visitor and a gate, which reads them. Either end is the end of both,
/// once what was on its way has arrived.
async fn bridge(visitor: OnUpgrade, gate: Upgraded) {
    let Ok(visitor) = visitor.await else { return };
    let (mut from_visitor, mut to_visitor) = tokio::io::split(TokioIo::new(visitor));
    let (mut from_gate, mut to_gate) = tokio::io::split(TokioIo::new(gate));
    let out = async {
        let _ = tokio::io::copy_buf(&mut read_ahead(&mut from_gate), &mut to_visitor).await;
        let _ = to_visitor.shutdown().await;
    };
    let back = async {
        let _ = tokio::io::copy_buf(&mut read_ahead(&mut from_visitor), &mut to_gate).await;
        let _ = to_gate.shutdown().await;
    };
    tokio::pin!(out, back);
    tokio::select! {
        () = &mut out => drop(timeout(LAST_BYTES, back).await),
        () = &mut back => drop(timeout(LAST_BYTES, out).await),
    }
}

fn read_ahead<R: AsyncRead>(from: R) -> BufReader<R> {
    BufReader::with_capacity(limits::READ_FROM_APP, from)
}
