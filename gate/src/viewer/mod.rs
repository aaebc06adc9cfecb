//! Owns the viewer: the page around the app, below `/.cast/` on the viewer's origin, and what its
//! buttons do. Must not know how a role in the session is earned, or how the session ends.

pub(crate) mod bridge;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    REFERRER_POLICY, SET_COOKIE, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use casting_protocol::brand;
use casting_protocol::excerpt::Speaker;
use casting_protocol::language::Language;
use casting_protocol::report::Report;
use casting_protocol::session_options::ViewOnly;
use casting_protocol::session_origin::SessionOrigin;
use casting_protocol::ticket::{GoTicket, SessionTicket};
use casting_protocol::url_rules;
use casting_words::{Viewer, Words};
use futures_util::stream;
use serde::Deserialize;
use url::form_urlencoded;

use crate::credentials::LANGUAGE_COOKIE;
use crate::handler::{Gate, VIEWER_PATH};
use crate::session_state::{OpenChannel, Participant, SessionState, View};
use crate::{exec, isolation, pages, rfb};

/// The longest interval between two events with the session's state.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the end of a session is waited for.
const END_WITHIN: Duration = Duration::from_secs(3);
/// A form is never larger, in bytes.
const FORM: usize = 16 * 1024;

/// The path of the event stream with the session's state.
pub(crate) const EVENTS_PATH: &str = "/.cast/events";

/// What only the owner may do, by the paths of its forms below `/.cast`.
const OWNERS: [&str; 7] = [
    "/end", "/share", "/control", "/open", "/extend", "/lobby", "/answer",
];

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The player of sound; it decodes what comes from [`sound::PATH`].
const PLAYER: &str = include_str!("../../vendor/jsmpeg/jsmpeg-player.esm.js");
/// The style that the player inserts when it is loaded, for the page's policy: first empty, then
/// with its text.
const PLAYERS_STYLE: [&str; 2] = [
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-lRyplcblLyRa4o+ZUBNzXETDGwKXzgKgrWbiYOwfTLg='",
];

/// What the page loads: path below `/.cast`, type, content.
const ASSETS: [(&str, &str, &str); 8] = [
    ("/viewer.css", CSS, include_str!("viewer.css")),
    ("/viewer.js", SCRIPT, include_str!("viewer.js")),
    ("/words.js", SCRIPT, include_str!("words.js")),
    ("/handle.js", SCRIPT, include_str!("handle.js")),
    ("/tools.js", SCRIPT, include_str!("tools.js")),
    ("/sound.js", SCRIPT, include_str!("sound.js")),
    ("/jsmpeg.js", SCRIPT, PLAYER),
    ("/frame.js", SCRIPT, include_str!("selkies.js")),
];

/// The page, with everything that does not change while it is open.
#[derive(Template)]
#[template(path = "viewer.html")]
struct Page<'a> {
    language: Language,
    words: &'static Viewer,
    /// What the page's script says, as JSON.
    script: &'static str,
    title: &'a str,
    /// The brand's name, which stands behind the title.
    brand: Option<&'a str>,
    owner: bool,
    /// What stands above the session, as long as it runs.
    notice: Option<&'a str>,
    /// What is written over the picture, which the page's script follows with the time.
    watermark: Option<&'a str>,
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
    /// Whether files get into it through the page in the frame.
    uploads: bool,
    /// Whether its sound comes out of it, and is on from the start.
    hears: bool,
    plays: bool,
    /// Whether the viewer itself plays it.
    listens: bool,
    /// Where its files are listed, if they come out of it.
    downloads: Option<String>,
    /// Whether the screen gets messages about how to fit its picture into the window.
    resizes: bool,
    /// Whether the screen is streamed by Selkies, whose page must know that roles come by token.
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
    isolation::protect_viewer(reply.headers_mut(), gate.state.is_isolated());
    reply
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
        "/state" if read => (
            [(CACHE_CONTROL, "no-store")],
            axum::Json(gate.state.view(participant)),
        )
            .into_response(),
        "" | "/state" => pages::NOT_THIS_WAY.reply(&parts.headers),
        path if (path == "/touch" || OWNERS.contains(&path)) && parts.method != Method::POST => {
            pages::NOT_THIS_WAY.reply(&parts.headers)
        }
        "/touch" if participant.controls() => {
            gate.state.presence.touch();
            StatusCode::NO_CONTENT.into_response()
        }
        path if owner && OWNERS.contains(&path) => {
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
        path if path == "/touch" || OWNERS.contains(&path) => {
            pages::OWNERS_ONLY.reply(&parts.headers)
        }
        _ => match ASSETS.iter().find(|(name, ..)| *name == path) {
            Some((_, kind, content)) if read => asset(gate, kind, content),
            Some(_) => pages::NOT_THIS_WAY.reply(&parts.headers),
            None => pages::NOTHING_HERE.reply(&parts.headers),
        },
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
        "/lobby" => {
            let on = field("on").as_deref() == Some("1");
            if on && !gate.state.directives().options.may_share {
                return pages::NOT_TO_BE_SHARED.reply(headers);
            }
            match gate.reporter.lobby(&Report::Lobby { on }).await {
                Some(directives) => {
                    gate.state.follow(directives);
                    done(headers, VIEWER_PATH)
                }
                None => pages::CONTROL_DOWN.reply(headers),
            }
        }
        "/answer" => {
            let id = field("watcher").unwrap_or_default();
            answer_request(gate, headers, id, field("admit").as_deref() == Some("1")).await
        }
        "/extend" => {
            let used = field("used").and_then(|used| used.parse().ok());
            extend(gate, headers, used).await
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

/// Extends the session. `used`: the extensions that the owner has seen, so that a second press for
/// the same one extends it once.
async fn extend(gate: &Gate, headers: &HeaderMap, used: Option<u32>) -> Response {
    let before = gate.state.directives();
    let used = used.unwrap_or(before.extensions);
    if before.options.extension.is_none() {
        return pages::NO_MORE_TIME.reply(headers);
    }
    let Some(directives) = gate.reporter.extend(used).await else {
        return pages::CONTROL_DOWN.reply(headers);
    };
    let is_extended = directives.extensions > used;
    gate.state.follow(directives);
    if is_extended {
        done(headers, VIEWER_PATH)
    } else {
        pages::NO_MORE_TIME.reply(headers)
    }
}

/// Accepts or rejects a request to watch, or removes a viewer. A removal takes effect at once, before
/// the control plane forgets the admission.
async fn answer_request(gate: &Gate, headers: &HeaderMap, id: String, admit: bool) -> Response {
    let known = gate.state.directives().lobby.version;
    let is_waiting = gate.state.is_waiting(&id);
    if !admit && !gate.state.remove(&id) {
        return pages::NOBODY_OF_THAT_NAME.reply(headers);
    }
    let answer = Report::Answer {
        id: id.clone(),
        admit,
    };
    let Some(directives) = gate.reporter.lobby(&answer).await else {
        return pages::CONTROL_DOWN.reply(headers);
    };
    let is_answered = directives.lobby.version > known;
    gate.state.follow(directives);
    if admit && !is_answered {
        return pages::NOT_WAITING.reply(headers);
    }
    // They had been removed, and have asked again.
    if admit && is_waiting {
        gate.state.readmit(&id);
    }
    done(headers, VIEWER_PATH)
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
    /// The language that the visitor asks for.
    lang: Option<String>,
}

fn page(
    gate: &Arc<Gate>,
    parts: &Parts,
    participant: &Participant,
    ticket: &SessionTicket,
) -> Response {
    let Query(Wishes { go: order, lang }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
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
    let seen = gate.state.view(participant);
    let view = serde_json::to_string(&seen).unwrap_or_default();
    let app = gate.app_of(&parts.headers, ticket);
    let at = app.as_deref().unwrap_or("'self'");
    let allow: Vec<String> = ALLOWED.map(|name| format!("{name} {at}")).into();
    let resizes = options.view_only.and_then(rfb::Dialect::of).is_some();
    let streams = options.view_only == Some(ViewOnly::Selkies);
    let set = gate.state.language_for(participant);
    let language = pages::wish(lang.as_deref(), &parts.headers).choose(set);
    let words = Words::of(language).viewer();
    let page = Page {
        language,
        words,
        script: Words::of(language).script(),
        title: &directives.title,
        brand: options.brand.name.as_deref(),
        owner,
        notice: options.notice.as_deref(),
        watermark: seen.watermark.as_deref(),
        panel: options.control_panel,
        keeps_files: gate.keeps_files,
        tips: options.tips,
        may_share: owner && options.may_share,
        may_open: owner && options.open_hosts.is_some(),
        clipboard: (owner && (resizes || streams)).then(|| clipboard_words(&gate.state, words)),
        copies: gate.state.clipboard().down,
        pastes: gate.state.clipboard().up,
        uploads: gate.state.media().uploads,
        hears: gate.state.media().audio,
        plays: options.audio_on,
        listens: gate.sound.is_some(),
        downloads: downloads(gate, options.view_only, app.as_deref()),
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
        "default-src 'none'; script-src 'self'; style-src 'self'{}; connect-src 'self'; frame-src 'self' {} {control}; img-src data: blob:; base-uri 'none'; \
         form-action 'self' {control}; frame-ancestors 'self'",
        if gate.sound.is_some() {
            format!(" {}", PLAYERS_STYLE.join(" "))
        } else {
            String::new()
        },
        app.as_deref().unwrap_or_default()
    );
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
        (VARY, HeaderValue::from_static("accept-language, cookie")),
        // For what is shown in the page's place when the session is over.
        (SET_COOKIE, kept_language(language)),
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

/// The cookie that keeps the language below the viewer's path, for as long as the browser is open.
fn kept_language(language: Language) -> HeaderValue {
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; HttpOnly; SameSite=Lax",
        language.as_str()
    );
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

/// Where the page of a screen lists the files that come out of the session, as the viewer's page
/// reaches it; `None` where there is no such list, or it is closed.
fn downloads(gate: &Gate, screen: Option<ViewOnly>, app: Option<&str>) -> Option<String> {
    let path = match screen? {
        ViewOnly::Kasmvnc => "Downloads/",
        ViewOnly::Selkies => "api/files/",
        ViewOnly::Rfb | ViewOnly::Requests => return None,
    };
    let base = app.map_or_else(|| "../".to_owned(), |app| format!("{app}/"));
    gate.downloads.then(|| base + path)
}

/// What the clipboard does in this session, in words.
const fn clipboard_words(state: &SessionState, words: &Viewer) -> &'static str {
    match (state.clipboard().up, state.clipboard().down) {
        (true, true) => words.clipboard_both,
        (true, false) => words.clipboard_in,
        (false, true) => words.clipboard_out,
        (false, false) => words.clipboard_none,
    }
}

fn asset(gate: &Gate, kind: &'static str, content: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
    let color = gate.state.directives().options.brand.color;
    match color.filter(|_| kind == CSS) {
        Some(color) => (headers, format!("{content}{}", brand::style(color))).into_response(),
        None => (headers, content).into_response(),
    }
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
    let events = stream::unfold(
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
    let mut reply = Sse::new(events).into_response();
    isolation::protect_viewer(reply.headers_mut(), gate.state.is_isolated());
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names_the_style_of_the_player() {
        let style = PLAYER
            .split_once("var css_248z = \"")
            .and_then(|(_, rest)| rest.split_once("\";\n"))
            .expect("a style")
            .0;
        assert!(!style.contains('\\'), "it stands there as it is inserted");
        let named = ["", style].map(|text| {
            let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            let digest = data_encoding::BASE64.encode(digest.as_ref());
            format!("'sha256-{digest}'")
        });
        assert_eq!(PLAYERS_STYLE, named);
    }
}
