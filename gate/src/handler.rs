//! Owns how the gate answers requests at each origin of the session: health check, refusals, the
//! viewer, and the app's replies. Must not know who started the app.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_SECURITY_POLICY, HOST, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use casting_protocol::ids::SessionId;
use casting_protocol::keys::SessionSecret;
use casting_protocol::session_options::ViewOnly;
use casting_protocol::session_origin::{self, SessionOrigin};
use casting_protocol::ticket::{AssignTicket, MAX_ASSIGN_BYTES, Role, SessionTicket};
use casting_protocol::time::Clock;
use data_encoding::BASE64URL_NOPAD;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::credentials::EdgeAssertion;
use crate::devtools::{self, Place};
use crate::entries::Entries;
use crate::hop::{self, Asked};
use crate::proxy::{Passed, Route, UpstreamError};
use crate::report::{ReportReply, Reporter};
use crate::rfb::Dialect;
use crate::selkies_roles::{self, Roster};
use crate::session_state::{Held, OpenChannel, Participant, SessionState};
use crate::viewer::bridge;
use crate::{bodies, credentials, echo, isolation, pages, path_filter, relay, sound, viewer};

/// How long a visitor waits for the answer to the ready report. The control plane sends visitors
/// from the moment it has the report, so the first one may be here before its answer is.
const FIRST_ORDERS: Duration = Duration::from_secs(3);

/// Everything below this path is the gate's and the edge's own and never reaches an app.
pub const OWN_PATHS: &str = "/.cast";
/// Entry with an entry ticket: `GET /.cast/enter?ticket=…`. The edge exchanges the ticket; the gate
/// makes sure that each is used once.
pub const ENTER_PATH: &str = "/.cast/enter";
/// The viewer's page, to which visitors are redirected when they enter.
pub const VIEWER_PATH: &str = "/.cast/";
/// The first address of the viewer's frame, on the viewer's origin; the edge redirects it to the
/// app's origin.
pub const APP_PATH: &str = "/.cast/app";
/// Receives the assignment of a session that was started in advance.
pub const ASSIGN_PATH: &str = "/.cast/assign";
/// Makes the gate fetch its directives again, because they have changed.
pub const REFRESH_PATH: &str = "/.cast/refresh";
/// Tells the control plane who watches: names, as a JSON array. It is no sign of a visitor.
pub const WATCHERS_PATH: &str = "/.cast/watchers";
/// Health check: answers 204 to everyone.
pub const HEALTH_PATH: &str = "/.cast/health";

/// Header for the app: the scheme that the visitor used.
pub const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Header for the app: the host that the visitor requested.
pub const FORWARDED_HOST: &str = "x-forwarded-host";
/// Header for the app: the path under which the visitor reaches the session, without a trailing
/// slash; absent when the session has a host of its own.
pub(crate) const FORWARDED_PREFIX: &str = "x-forwarded-prefix";
/// Header for the app: the role of the visitor (`owner`, `controller` or `viewer`).
pub const ROLE: &str = "x-cast-role";
/// Header for the app: the language that the session's visitor or the link has set; absent when
/// none of them has.
pub const LANGUAGE: &str = "x-cast-language";

/// The request handler of one session.
pub struct Gate {
    /// The session.
    pub session: SessionId,
    /// Its secret.
    pub secret: SessionSecret,
    /// Checks tickets and the edge's proof.
    pub admission: Admission,
    /// The entry tickets that have been used.
    pub entries: Entries,
    /// The route to its app.
    pub app: Route,
    /// The route to its sound, where the app serves it beside the picture and it may be heard.
    pub sound: Option<Route>,
    /// Where its app serves Chrome DevTools, where it does and they are allowed.
    pub devtools: Option<Place>,
    /// Passes roles on to the app, if it is a streaming server that knows roles.
    pub roster: Option<Arc<Roster>>,
    /// The `Authorization` header that the app gets, whatever the visitor sends; `None` passes on
    /// the visitor's.
    pub app_login: Option<HeaderValue>,
    /// Whether files may leave the session.
    pub downloads: bool,
    /// With which path the addresses of the app's files begin, besides `/Downloads`.
    pub files_path: Option<String>,
    /// Whether the user's files are saved when the session ends.
    pub keeps_files: bool,
    /// The state of the session, shared by all of its connections.
    pub state: Arc<SessionState>,
    /// Sends reports to the control plane.
    pub reporter: Arc<Reporter>,
    /// The clock by which tickets expire.
    pub clock: Arc<dyn Clock>,
}

/// Whether `path` is reserved for the gate and the edge.
pub(crate) fn is_own(path: &str) -> bool {
    path.strip_prefix(OWN_PATHS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The router of a gate.
pub fn router(gate: Gate) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(gate))
}

async fn answer(State(gate): State<Arc<Gate>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == HEALTH_PATH && matches!(parts.method, Method::GET | Method::HEAD) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let (ticket, assertion) = match gate.admission.check(&parts, gate.clock.now()) {
        Ok((ticket, assertion)) => (Arc::new(ticket), assertion),
        Err(why) => {
            tracing::debug!(?why, "A request was refused");
            return last_on_connection(pages::NOT_YOURS.reply(&parts.headers));
        }
    };
    let viewer = gate.viewer_of(&parts.headers, &ticket);
    let is_framed_page = viewer.is_some() && isolation::is_framed_page(&parts.headers);
    let mut reply = gate
        .let_in(parts, body, ticket, &assertion, is_framed_page)
        .await;
    if viewer.is_some() {
        let_the_viewer_frame(reply.headers_mut(), viewer.as_deref());
    }
    if is_framed_page && gate.state.is_isolated() {
        isolation::let_the_viewer_embed(reply.headers_mut());
    }
    reply
}

/// A reply after which the connection is closed.
pub(crate) fn last_on_connection(mut reply: Response) -> Response {
    if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(CONNECTION, close);
    }
    reply
}

/// Whether a viewer may send this request. What a stream carries is checked while it is open.
fn may_watch(gate: &Gate, parts: &Parts, asked: Asked, body: &Body) -> bool {
    // Some apps treat a body in a GET request as input.
    let read = matches!(parts.method, Method::GET | Method::HEAD) && bodies::is_empty(body);
    match gate.state.view_only() {
        Some(ViewOnly::Rfb | ViewOnly::Selkies) => read,
        // KasmVNC's own API changes settings by GET too.
        Some(ViewOnly::Kasmvnc) => read && !path_filter::leads_to(parts.uri.path(), "api"),
        Some(ViewOnly::Requests) => read && asked == Asked::Reply,
        None => false,
    }
}

/// What is answered in place of the app's files, where the permissions close them: reading needs
/// downloads, sending uploads, and a WebSocket does both.
fn closed_files(
    method: &Method,
    asked: Asked,
    is_empty: bool,
    (downloads, uploads): (bool, bool),
) -> Option<&'static pages::Notice> {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && is_empty;
    let is_socket = asked == Asked::Socket;
    if (reads || is_socket) && !downloads {
        return Some(&pages::NO_DOWNLOADS);
    }
    ((!reads || is_socket) && !uploads).then_some(&pages::NO_UPLOADS)
}

/// Whether a request shows user activity: it changes something, or is a page that a person
/// navigated to.
fn is_touch(parts: &Parts) -> bool {
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    !reads || parts.headers.contains_key("sec-fetch-user")
}

impl Gate {
    /// Answers a request with a valid ticket. `is_framed_page`: it is the page in the viewer's
    /// frame, on an origin of its own.
    async fn let_in(
        self: &Arc<Self>,
        mut parts: Parts,
        mut body: Body,
        ticket: Arc<SessionTicket>,
        assertion: &EdgeAssertion,
        is_framed_page: bool,
    ) -> Response {
        let Ok(asked) = hop::judge(&parts, bodies::is_empty(&body)) else {
            return last_on_connection(pages::UNREADABLE.reply(&parts.headers));
        };
        let origin = ticket.origin.unwrap_or(SessionOrigin::Shared);
        if parts.method == Method::POST
            && ticket.role == Role::Owner
            && origin != SessionOrigin::App
        {
            match parts.uri.path() {
                ASSIGN_PATH => return self.assign(&parts, body).await,
                REFRESH_PATH => {
                    self.state.ask_for_refresh();
                    return StatusCode::ACCEPTED.into_response();
                }
                WATCHERS_PATH => return axum::Json(self.state.watcher_names()).into_response(),
                _ => {}
            }
        }
        if !self.state.is_open() && !self.is_opened().await {
            return pages::APP_DOWN.reply(&parts.headers);
        }
        let Some(participant) = self.state.participant(&ticket) else {
            return pages::NOT_SHARED.reply(&parts.headers);
        };
        if origin == SessionOrigin::Devtools {
            return devtools::answer(self, parts, asked, ticket).await;
        }
        if parts.uri.path() == ENTER_PATH {
            return self.enter(&parts, &ticket, assertion);
        }
        match (origin, is_own(parts.uri.path())) {
            (SessionOrigin::Viewer, false) => return to_viewer(&parts, asked),
            // The page in the frame loads the script that the gate adds to it.
            (SessionOrigin::App, true)
                if self.is_selkies() && parts.uri.path() == bridge::SCRIPT_PATH => {}
            (SessionOrigin::App, true) => return pages::NOTHING_HERE.reply(&parts.headers),
            _ => {}
        }
        let what = match asked {
            Asked::Socket => OpenChannel::Socket,
            Asked::Reply => OpenChannel::Reply,
        };
        self.state.presence.enter();
        if parts.uri.path() == viewer::EVENTS_PATH {
            return viewer::events(self, &parts, &ticket);
        }
        // Everyone who receives anything of the session is listed and counted, over whatever
        // channel.
        let Some(held) = self.state.hold(&ticket, what) else {
            return pages::TOO_MANY_WATCH.reply(&parts.headers);
        };
        if parts.uri.path() == echo::PATH {
            return if participant == Participant::Owner {
                echo::answer(&mut parts, asked, held)
            } else {
                pages::OWNERS_ONLY.reply(&parts.headers)
            };
        }
        if parts.uri.path() == sound::PATH {
            return sound::answer(self, parts, asked, ticket, held).await;
        }
        if is_own(parts.uri.path()) {
            return viewer::answer(self, &parts, body, &participant, &ticket).await;
        }
        if ticket.role != Role::Owner && self.state.is_over() {
            return pages::ENDED.reply(&parts.headers);
        }
        if !self.downloads && path_filter::leads_to_downloads(parts.uri.path()) {
            return pages::NO_DOWNLOADS.reply(&parts.headers);
        }
        if let Some(beginning) = &self.files_path
            && path_filter::begins_with(parts.uri.path(), beginning)
            && let Some(notice) = closed_files(
                &parts.method,
                asked,
                bodies::is_empty(&body),
                (self.downloads, self.state.media().uploads),
            )
        {
            return notice.reply(&parts.headers);
        }
        if !participant.controls() && !may_watch(self, &parts, asked, &body) {
            return pages::ONLY_WATCHING.reply(&parts.headers);
        }
        if self.is_selkies()
            && !selkies_roles::may_ask(&parts, asked, &participant, self.state.media())
        {
            return pages::NOT_OF_THE_STREAM.reply(&parts.headers);
        }
        if participant.controls() && is_touch(&parts) {
            self.state.presence.touch();
        }
        if ticket.role != Role::Owner && !bodies::is_empty(&body) {
            let (state, ticket) = (self.state.clone(), ticket.clone());
            let out = async move {
                state.out_of_control(&ticket).await;
            };
            body = bodies::until(body, out, ());
        }
        let gets_script = self.is_selkies() && asked == Asked::Reply && bridge::is_wanted(&parts);
        if gets_script {
            bridge::ask_plainly(&mut parts.headers);
        }
        let visitor = parts.extensions.remove::<OnUpgrade>();
        // All that error pages need of the request's headers.
        let accept = pages::asked_of(&parts.headers);
        match self.pass_on(parts, body, asked, &participant).await {
            Ok(Passed::Reply(mut reply)) => {
                if gets_script {
                    reply = bridge::add(reply).await;
                }
                adjust(&mut reply);
                // A viewer's request could have any headers.
                if is_framed_page
                    && ticket.role == Role::Owner
                    && let Some(isolated) = isolation::asks(reply.status(), reply.headers())
                {
                    self.state.set_isolated(isolated);
                }
                if ticket.role == Role::Owner {
                    return reply;
                }
                // The visitor may have lost access while the app took its time to answer.
                if self.state.participant(&ticket).is_none() {
                    return pages::NOT_SHARED.reply(&accept);
                }
                let state = self.state.clone();
                let out = async move {
                    state.out(&ticket, false).await;
                };
                reply.map(|body| bodies::until(body, out, held))
            }
            Ok(Passed::Socket(mut reply, app)) => {
                adjust(&mut reply);
                if let Some(visitor) = visitor {
                    self.carry(visitor, app, ticket, held);
                }
                reply
            }
            Err(UpstreamError::Unreadable) => last_on_connection(pages::UNREADABLE.reply(&accept)),
            Err(UpstreamError::TooLarge) => pages::TOO_LARGE.reply(&accept),
            Err(
                UpstreamError::Unreachable
                | UpstreamError::Unanswered
                | UpstreamError::BrokeOff
                | UpstreamError::Late,
            ) => pages::APP_DOWN.reply(&accept),
        }
    }

    /// Whether the app is the streaming server Selkies.
    fn is_selkies(&self) -> bool {
        self.roster.is_some() || self.state.view_only() == Some(ViewOnly::Selkies)
    }

    /// The origin of the viewer that frames the reply, if it is another one.
    fn viewer_of(&self, headers: &HeaderMap, ticket: &SessionTicket) -> Option<String> {
        if ticket.origin != Some(SessionOrigin::App) {
            return None;
        }
        let (scheme, host) = asked_for(headers)?;
        let host = session_origin::viewer_host(host, &self.session)?;
        Some(format!("{scheme}://{host}"))
    }

    /// The origin of the app that belongs to the requested viewer, if it has its own.
    pub(crate) fn app_of(&self, headers: &HeaderMap, ticket: &SessionTicket) -> Option<String> {
        if ticket.origin != Some(SessionOrigin::Viewer) {
            return None;
        }
        let (scheme, host) = asked_for(headers)?;
        let host = session_origin::app_host(host, &self.session)?;
        Some(format!("{scheme}://{host}"))
    }

    /// Redirects a visitor to the viewer, or to the app that it frames, with the cookie that the
    /// edge has made. Works once for each entry ticket.
    fn enter(&self, parts: &Parts, ticket: &SessionTicket, assertion: &EdgeAssertion) -> Response {
        if !self.entries.use_up(&assertion.entry, self.clock.now()) {
            let page = self.state.directives().session_page;
            let page = (ticket.role == Role::Owner && !page.is_empty()).then_some(page);
            return pages::USED.reply_with(&parts.headers, page.as_deref());
        }
        // The edge sends both headers, or neither.
        let prefix = parts.headers.get(FORWARDED_PREFIX);
        let prefix = prefix.and_then(|prefix| prefix.to_str().ok());
        let query = parts.uri.query().unwrap_or_default();
        let to = if ticket.origin == Some(SessionOrigin::App) {
            first_of_app(query).unwrap_or_else(|| "/".to_owned())
        } else {
            let go = if query.is_empty() { "" } else { "?" };
            format!("{}{VIEWER_PATH}{go}{query}", prefix.unwrap_or_default())
        };
        let mut reply = pages::led_to(&to);
        if let Ok(cookie) = HeaderValue::from_str(&assertion.cookie)
            && !cookie.is_empty()
        {
            reply.headers_mut().insert(SET_COOKIE, cookie);
        }
        reply
    }

    /// Accepts the signed assignment of the session to a visitor. A repeated one changes nothing.
    async fn assign(&self, parts: &Parts, body: Body) -> Response {
        let Ok(order) = to_bytes(body, MAX_ASSIGN_BYTES).await else {
            return pages::TOO_LARGE.reply(&parts.headers);
        };
        let order = std::str::from_utf8(&order)
            .ok()
            .map(|text| AssignTicket::open(text, &self.session, &self.secret, self.clock.now()));
        let Some(Ok(order)) = order else {
            return pages::NOT_YOURS.reply(&parts.headers);
        };
        // Directives from the control plane are newer than any assignment.
        if !self.state.is_open() {
            self.state.follow(order.directives);
        }
        StatusCode::NO_CONTENT.into_response()
    }

    /// A visitor has a ticket, but the gate has no directives yet that open the session. Waits for the
    /// answer to the ready report, which may still be on its way, and asks the control plane again
    /// if the session waited in a pool by then. Returns whether the session is open.
    async fn is_opened(&self) -> bool {
        let _ = timeout(FIRST_ORDERS, self.state.instructed()).await;
        if self.state.directives().waits
            && let Some(ReportReply::Active(directives)) = self.reporter.alive().await
        {
            self.state.follow(*directives);
        }
        self.state.is_open()
    }

    async fn pass_on(
        &self,
        mut parts: Parts,
        body: Body,
        asked: Asked,
        participant: &Participant,
    ) -> Result<Passed, UpstreamError> {
        let headers = &mut parts.headers;
        // Set first, so that a visitor cannot remove these headers by naming them in `Connection`.
        hop::strip(headers);
        if !headers.contains_key(FORWARDED_PROTO) {
            let scheme = HeaderValue::from_static(scheme_of(headers));
            headers.insert(FORWARDED_PROTO, scheme);
        }
        credentials::strip(headers);
        headers.insert(ROLE, HeaderValue::from_static(participant.as_str()));
        match self.state.language_for(participant) {
            Some(language) => {
                headers.insert(LANGUAGE, HeaderValue::from_static(language.as_str()));
            }
            None => {
                headers.remove(LANGUAGE);
            }
        }
        if let Some(login) = &self.app_login {
            headers.insert(AUTHORIZATION, login.clone());
        }
        if asked == Asked::Socket && self.state.view_only().and_then(Dialect::of).is_some() {
            only_binary(headers);
        }
        let mut _turn = None;
        if let Some(roster) = &self.roster {
            if asked == Asked::Socket {
                _turn = Some(roster.turn(participant).await);
            }
            let roles = self.state.roles();
            if roster.send(roles.clone()).await.is_err() {
                return Err(UpstreamError::BrokeOff);
            }
            roster.introduce(&mut parts, participant, &roles, asked);
        }
        self.app
            .pass_on(Request::from_parts(parts, body), asked)
            .await
    }

    /// Relays WebSocket frames in both directions for as long as the connection is open.
    fn carry(&self, visitor: OnUpgrade, app: Upgraded, ticket: Arc<SessionTicket>, held: Held) {
        let (state, connected) = (self.state.clone(), self.state.presence.connect());
        tokio::spawn(async move {
            if let Ok(visitor) = visitor.await {
                relay::carry(TokioIo::new(visitor), TokioIo::new(app), &state, &ticket).await;
            }
            drop((connected, held));
        });
    }
}

/// A request to the viewer's origin outside its own paths: people are redirected to the viewer,
/// everything else is not found.
fn to_viewer(parts: &Parts, asked: Asked) -> Response {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if reads && asked == Asked::Reply {
        pages::led_to(VIEWER_PATH)
    } else {
        pages::NOTHING_HERE.reply(&parts.headers)
    }
}

/// The scheme and host that the visitor requested: from the edge, or from the request itself.
pub(crate) fn asked_for(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text(FORWARDED_PROTO).unwrap_or_else(|| scheme_of(headers));
    Some((
        scheme,
        text(FORWARDED_HOST).or_else(|| text(HOST.as_str()))?,
    ))
}

fn scheme_of(headers: &HeaderMap) -> &'static str {
    if credentials::came_over_https(headers) {
        "https"
    } else {
        "http"
    }
}

/// The first path on the app's origin: `to`, in base64url.
fn first_of_app(query: &str) -> Option<String> {
    let to = query.strip_prefix("to=")?;
    let path = String::from_utf8(BASE64URL_NOPAD.decode(to.as_bytes()).ok()?).ok()?;
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (plain && path.starts_with('/') && !path.starts_with("//")).then_some(path)
}

/// Removes or adjusts the headers of an app's reply that do not fit its origin.
fn adjust(reply: &mut Response) {
    credentials::tame_app_cookies(reply.headers_mut(), "");
    let_the_viewer_frame(reply.headers_mut(), None);
}

/// An old form of RFB over WebSockets is base64 in text frames, which the gate does not parse; no
/// current client needs it.
fn only_binary(headers: &mut HeaderMap) {
    let kept: Vec<String> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("base64"))
        .collect();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(kept) = HeaderValue::from_str(&kept.join(", "))
        && !kept.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
    }
}

/// Allows the app to be framed by the viewer and by its own pages only. Where these are one origin,
/// only apps that forbid framing altogether are limited to it. When applied twice, the last call
/// holds.
pub(crate) fn let_the_viewer_frame(headers: &mut HeaderMap, viewer: Option<&str>) {
    let mut framed = headers.remove(X_FRAME_OPTIONS).is_some() || viewer.is_some();
    let policies: Vec<HeaderValue> = headers
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .cloned()
        .collect();
    headers.remove(CONTENT_SECURITY_POLICY);
    for policy in policies {
        let Ok(text) = policy.to_str() else {
            headers.append(CONTENT_SECURITY_POLICY, policy);
            continue;
        };
        let is_about_frames = |directive: &&str| {
            directive
                .trim()
                .to_ascii_lowercase()
                .starts_with("frame-ancestors")
        };
        framed |= text
            .split([';', ','])
            .any(|directive| is_about_frames(&directive));
        let kept: Vec<String> = text
            .split(',')
            .map(|policy| {
                policy
                    .split(';')
                    .filter(|directive| !is_about_frames(directive))
                    .collect::<Vec<_>>()
                    .join(";")
            })
            .filter(|policy| !policy.trim().is_empty())
            .collect();
        if let Ok(kept) = HeaderValue::from_str(kept.join(",").trim())
            && !kept.is_empty()
        {
            headers.append(CONTENT_SECURITY_POLICY, kept);
        }
    }
    if framed {
        let viewer = viewer.map_or_else(String::new, |viewer| format!(" {viewer}"));
        let policy = HeaderValue::from_str(&format!("frame-ancestors 'self'{viewer}"))
            .unwrap_or(HeaderValue::from_static("frame-ancestors 'self'"));
        headers.append(CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_need_the_permission_of_their_direction() {
        let shut = |method: Method, socket: bool, is_empty: bool, permissions| {
            let asked = if socket { Asked::Socket } else { Asked::Reply };
            let notice = closed_files(&method, asked, is_empty, permissions);
            notice.map(|notice| notice.name)
        };
        let (out, into) = (pages::NO_DOWNLOADS.name, pages::NO_UPLOADS.name);
        for (name, method, socket, is_empty, none, only_down, only_up, both) in [
            (
                "read",
                Method::GET,
                false,
                true,
                Some(out),
                None,
                Some(out),
                None,
            ),
            (
                "look",
                Method::HEAD,
                false,
                true,
                Some(out),
                None,
                Some(out),
                None,
            ),
            (
                "send",
                Method::POST,
                false,
                false,
                Some(into),
                Some(into),
                None,
                None,
            ),
            (
                "send by GET",
                Method::GET,
                false,
                false,
                Some(into),
                Some(into),
                None,
                None,
            ),
            (
                "delete",
                Method::DELETE,
                false,
                true,
                Some(into),
                Some(into),
                None,
                None,
            ),
            (
                "socket",
                Method::GET,
                true,
                true,
                Some(out),
                Some(into),
                Some(out),
                None,
            ),
        ] {
            let outcomes = [(false, false), (true, false), (false, true), (true, true)]
                .map(|permissions| shut(method.clone(), socket, is_empty, permissions));
            assert_eq!(outcomes, [none, only_down, only_up, both], "{name}");
        }
    }

    #[test]
    fn framing_headers_are_relaxed_to_the_own_origin() {
        for (name, sent, kept) in [
            ("nothing said", vec![], vec![]),
            (
                "a policy without frames",
                vec![("content-security-policy", "default-src 'self'")],
                vec!["default-src 'self'"],
            ),
            (
                "no frames",
                vec![("x-frame-options", "DENY")],
                vec!["frame-ancestors 'self'"],
            ),
            (
                "no frames, as a policy says it",
                vec![(
                    "content-security-policy",
                    "default-src 'self'; frame-ancestors 'none'; img-src *",
                )],
                vec!["default-src 'self'; img-src *", "frame-ancestors 'self'"],
            ),
            (
                "nothing but frames",
                vec![(
                    "content-security-policy",
                    "Frame-Ancestors https://a.example",
                )],
                vec!["frame-ancestors 'self'"],
            ),
            (
                "two policies in one",
                vec![("content-security-policy", "img-src *, frame-ancestors *")],
                vec!["img-src *", "frame-ancestors 'self'"],
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(name, HeaderValue::from_static(value));
            }
            let_the_viewer_frame(&mut headers, None);
            let left: Vec<_> = headers
                .get_all(CONTENT_SECURITY_POLICY)
                .iter()
                .map(|value| value.to_str().expect("text").to_owned())
                .collect();
            assert_eq!(left, kept, "{name}");
            assert!(!headers.contains_key(X_FRAME_OPTIONS), "{name}");
        }
    }
}
