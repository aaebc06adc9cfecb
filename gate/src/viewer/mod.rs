//! Owns the viewer: the page around the app, below `/.cast/` on the viewer's origin, and what its buttons do. Must not know how a role in the
//! session is earned, or how the session ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use casting_protocol::excerpt::Speaker;
use casting_protocol::session_options::ViewOnly;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::ticket::{GoTicket, SessionTicket};
use casting_protocol::url_rules;
use futures_util::stream;
use serde::Deserialize;
use url::form_urlencoded;

use crate::handler::{Gate, VIEWER_PATH};
use crate::session_state::{OpenChannel, Participant, SessionState, View};
use crate::{exec, pages, rfb};

/// The longest interval between two events with the session's state.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the end of a session is waited for.
const END_WITHIN: Duration = Duration::from_secs(3);
/// A form is never larger, in bytes.
const FORM: usize = 16 * 1024;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The path of the event stream with the session's state.
pub(crate) const EVENTS_PATH: &str = "/.cast/events";

/// The page, with everything that does not change while it is open.
#[derive(Template)]
#[template(path = "viewer.html")]
struct Page<'a> {
    title: &'a str,
    owner: bool,
    /// Whether the user's files are kept for the next session.
    keeps_files: bool,
    panel: bool,
    tips: bool,
    may_share: bool,
    may_open: bool,
    /// What its owner can do with the clipboard, where the app is a screen.
    clipboard: Option<&'static str>,
    /// Whether copies come out of the session, and pastes get into it.
    copies: bool,
    pastes: bool,
    /// Whether the screen is told how to fit its picture into the window.
    resizes: bool,
    /// Whether the screen is streamed by Selkies, whose page is told that roles come by token.
    streams: bool,
    /// The sound and input method settings of a KasmVNC screen; `None` for all others.
    kasm: Option<KasmStart>,
    session_page: &'a str,
    view: &'a str,
    /// Where the frame begins, from the viewer's page.
    frame: &'a str,
    /// The app's origin, where it is another than the viewer's.
    app: Option<&'a str>,
    /// The permissions policy for the app.
    allow: &'a str,
}

/// The browser features that an app may use in the viewer's frame as in a window of its own.
const ALLOWED: [&str; 20] = [
    "accelerometer",
    "autoplay",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "cross-origin-isolated",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "keyboard-map",
    "microphone",
    "midi",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "web-share",
    "xr-spatial-tracking",
];

/// What is switched on initially in a KasmVNC screen.
struct KasmStart {
    audio: bool,
    ime: bool,
}

/// Answers a request of a participant below `/.cast/`.
pub(crate) async fn answer(
    gate: &Arc<Gate>,
    parts: &Parts,
    body: Body,
    participant: &Participant,
    ticket: &SessionTicket,
) -> Response {
    let mut reply = choose(gate, parts, body, participant, ticket).await;
    keep_apart(&mut reply);
    reply
}

/// No page of another origin gets at a reply of the viewer, or at a window that shows it. Popups of the app keep their opener.
fn keep_apart(reply: &mut Response) {
    let headers = reply.headers_mut();
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let popups = HeaderValue::from_static("same-origin-allow-popups");
    headers.insert(OPENER_POLICY, popups);
}

async fn choose(
    gate: &Arc<Gate>,
    parts: &Parts,
    body: Body,
    participant: &Participant,
    ticket: &SessionTicket,
) -> Response {
    let path = parts
        .uri
        .path()
        .trim_end_matches('/')
        .strip_prefix("/.cast")
        .unwrap_or_default();
    let owner = *participant == Participant::Owner;
    let read = matches!(parts.method, Method::GET | Method::HEAD);
    match path {
        "" if read => page(gate, parts, participant, ticket),
        "/viewer.css" if read => asset("text/css; charset=utf-8", include_str!("viewer.css")),
        "/viewer.js" if read => asset("text/javascript; charset=utf-8", include_str!("viewer.js")),
        "/state" if read => (
            [(CACHE_CONTROL, "no-store")],
            axum::Json(gate.state.view(participant)),
        )
            .into_response(),
        "" | "/viewer.css" | "/viewer.js" | "/state" => pages::NOT_THIS_WAY.reply(&parts.headers),
        "/touch" | "/end" | "/share" | "/control" | "/open" if parts.method != Method::POST => {
            pages::NOT_THIS_WAY.reply(&parts.headers)
        }
        "/touch" if participant.controls() => {
            gate.state.presence.touch();
            StatusCode::NO_CONTENT.into_response()
        }
        "/end" | "/share" | "/control" | "/open" if owner => {
            let Ok(body) = to_bytes(body, FORM).await else {
                return pages::UNREADABLE.reply(&parts.headers);
            };
            let field = |name: &str| {
                form_urlencoded::parse(&body)
                    .find(|(found, _)| found == name)
                    .map(|(_, value)| value.into_owned())
            };
            gate.state.presence.touch();
            act(gate, parts, path, field).await
        }
        "/touch" | "/end" | "/share" | "/control" | "/open" => {
            pages::OWNERS_ONLY.reply(&parts.headers)
        }
        _ => pages::NOTHING_HERE.reply(&parts.headers),
    }
}

/// Performs the action of a button.
async fn act(
    gate: &Arc<Gate>,
    parts: &Parts,
    path: &str,
    field: impl Fn(&str) -> Option<String>,
) -> Response {
    let headers = &parts.headers;
    match path {
        "/end" => {
            gate.state.ask_for_end();
            // By the time of the answer the control plane knows the end of the session.
            let _ = tokio::time::timeout(END_WITHIN, gate.state.closed()).await;
            done(headers, &gate.state.directives().session_page)
        }
        "/share" => {
            let on = field("on").as_deref() == Some("1");
            if on && !gate.state.directives().options.may_share {
                return pages::NOT_TO_BE_SHARED.reply(headers);
            }
            match gate.reporter.share(on).await {
                Some(directives) => {
                    gate.state.follow(directives);
                    done(headers, VIEWER_PATH)
                }
                None => pages::CONTROL_DOWN.reply(headers),
            }
        }
        "/control" => {
            let to = field("watcher").filter(|id| !id.is_empty());
            if gate.state.hand_over(to.as_deref()) {
                done(headers, VIEWER_PATH)
            } else {
                pages::NOBODY_OF_THAT_NAME.reply(headers)
            }
        }
        _ => {
            let Some(hosts) = gate.state.directives().options.open_hosts else {
                return pages::NO_OTHER_ADDRESS.reply(headers);
            };
            match url_rules::visitors_url(&field("url").unwrap_or_default(), &hosts) {
                Ok(url) => {
                    go(gate, url);
                    done(headers, VIEWER_PATH)
                }
                Err(_) => pages::NOT_THIS_ADDRESS.reply(headers),
            }
        }
    }
}

/// A form gets a redirect, a script a status.
fn done(headers: &HeaderMap, to: &str) -> Response {
    if !wants_page(headers) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static(VIEWER_PATH));
    (
        StatusCode::SEE_OTHER,
        [
            (LOCATION, to),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
    )
        .into_response()
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// Opens an address in the running session, in the background: the effect is on the screen, and in
/// the log.
pub(crate) fn go(gate: &Arc<Gate>, url: String) {
    let Some(exec) = gate.state.directives().options.exec.go else {
        tracing::warn!("An address is to be opened, but the image has no command for that");
        return;
    };
    exec::start(
        Speaker::Go,
        exec,
        gate.app.target().port(),
        [("KASM_URL".to_owned(), url)].into(),
        gate.state.log.clone(),
        gate.reporter.clone(),
    );
}

#[derive(Default, Deserialize)]
struct Wishes {
    go: Option<String>,
}

fn page(
    gate: &Arc<Gate>,
    parts: &Parts,
    participant: &Participant,
    ticket: &SessionTicket,
) -> Response {
    let Query(Wishes { go: order }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    if let Some(order) = order {
        // An outdated or foreign request to open an address is ignored; the session is shown all
        // the same.
        if let Ok(order) = GoTicket::open(&order, &gate.session, &gate.secret, gate.clock.now())
            && *participant == Participant::Owner
            && gate.state.is_new_order(order.at)
        {
            go(gate, order.url);
        }
        return done(
            &HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]),
            VIEWER_PATH,
        );
    }
    let directives = gate.state.directives();
    let (options, owner) = (&directives.options, *participant == Participant::Owner);
    let view = serde_json::to_string(&gate.state.view(participant)).unwrap_or_default();
    let app = gate.app_of(&parts.headers, ticket);
    let at = app.as_deref().unwrap_or("'self'");
    let allow: Vec<String> = ALLOWED.map(|name| format!("{name} {at}")).into();
    let resizes = options.view_only.and_then(rfb::Dialect::of).is_some();
    let streams = options.view_only == Some(ViewOnly::Selkies);
    let page = Page {
        title: &directives.title,
        owner,
        panel: options.control_panel,
        keeps_files: gate.keeps_files,
        tips: options.tips,
        may_share: owner && options.may_share,
        may_open: owner && options.open_hosts.is_some(),
        clipboard: (owner && (resizes || streams)).then(|| clipboard_words(&gate.state)),
        copies: gate.state.clipboard().down,
        pastes: gate.state.clipboard().up,
        resizes,
        streams,
        kasm: (options.view_only == Some(ViewOnly::Kasmvnc)).then_some(KasmStart {
            audio: options.audio_on,
            ime: options.ime_on,
        }),
        session_page: &directives.session_page,
        view: &view,
        frame: if ticket.origin == Some(SessionOrigin::Viewer) {
            "app"
        } else {
            "../"
        },
        app: app.as_deref(),
        allow: &allow.join("; "),
    };
    let Ok(html) = page.render() else {
        return pages::APP_DOWN.reply(&parts.headers);
    };
    // The form that ends the session leads to the control plane's page.
    let control = url::Url::parse(&directives.session_page)
        .map(|url| url.origin().ascii_serialization())
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self' {}; img-src data:; base-uri 'none'; \
         form-action 'self' {control}; frame-ancestors 'self'",
        app.as_deref().unwrap_or_default()
    );
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Its own forms send their origin; the app and other sites get no referrer.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_str(&policy)
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
        ),
    ];
    (headers, html).into_response()
}

/// What the clipboard does in this session, in words.
const fn clipboard_words(state: &SessionState) -> &'static str {
    match (state.clipboard().up, state.clipboard().down) {
        (true, true) => "Copy and paste work between here and your own programs.",
        (true, false) => "You can paste into the session. Nothing can be copied out of it.",
        (false, true) => "You can copy out of the session. Nothing can be pasted into it.",
        (false, false) => "Copy and paste between here and your own programs are switched off.",
    }
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], content).into_response()
}

/// Streams the session's state, on each change and regularly, for as long as the visitor is
/// connected; who listens counts as connected.
pub(crate) fn events(gate: &Arc<Gate>, parts: &Parts, ticket: &SessionTicket) -> Response {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return pages::NOT_THIS_WAY.reply(&parts.headers);
    }
    let Some(held) = gate.state.hold(ticket, OpenChannel::Events) else {
        return pages::TOO_MANY_WATCH.reply(&parts.headers);
    };
    let here = (
        gate.clone(),
        ticket.clone(),
        gate.state.changes(),
        held,
        gate.state.presence.connect(),
        true,
    );
    let told = stream::unfold(
        here,
        |(gate, ticket, mut changes, held, connected, first)| async move {
            if !first {
                let _ = tokio::time::timeout(HEARTBEAT, changes.changed()).await;
            }
            changes.borrow_and_update();
            // The stream ends when access is lost; a browser that reconnects gets the reason.
            let participant = gate.state.participant(&ticket)?;
            let view: View = gate.state.view(&participant);
            let event = Event::default().json_data(&view).unwrap_or_default();
            Some((
                Ok::<_, Infallible>(event),
                (gate, ticket, changes, held, connected, false),
            ))
        },
    );
    let mut reply = Sse::new(told).into_response();
    keep_apart(&mut reply);
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}
