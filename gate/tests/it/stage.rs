//! Owns what the tests share: an app that tells what reached it, gate and edge before it, and visitors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use casting_gate::admission::Admission;
use casting_gate::credentials::EdgeAssertion;
use casting_gate::devtools::Place;
use casting_gate::edge::{self, EdgeSettings};
use casting_gate::entries::Entries;
use casting_gate::handler::{self, Gate};
use casting_gate::places::Places;
use casting_gate::proxy::{Proxy, Target};
use casting_gate::report::Reporter;
use casting_gate::selkies::Media;
use casting_gate::selkies_roles::Roster;
use casting_gate::server;
use casting_gate::session_host::SessionHost;
use casting_gate::session_state::{Clipboard, SessionState};
use casting_protocol::ids::Nonce;
use casting_protocol::ids::SessionId;
use casting_protocol::keys::SessionSecret;
use casting_protocol::keys::{Keyring, SessionKeys};
use casting_protocol::session_options::{SessionDirectives, SessionOptions, ViewOnly};
use casting_protocol::session_origin::{SessionOrigin, app_host};
use casting_protocol::testing::{NOON, SeededEntropy, SetClock};
use casting_protocol::ticket::{
    ENTRY_SECONDS, EntryTicket, Role, SessionTicket, Watcher, WatcherKind,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{
    Error as SocketError, handshake::client::Request as SocketRequest,
};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Where visitors see the state of their session.
pub const CONTROL: &str = "https://cast.test";

/// A port of this machine at which the edge knows no gate.
pub const UNLISTED: u16 = 9;

/// The gate's own program, before an app that is this shell script; it reports to this port of this machine, with the secret `hush-hush`
/// that it gets there.
pub fn gate_program(session: &SessionId, control: u16, script: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_gate");
    gate_program_at(program.as_ref(), session, control, script)
}

/// The same, of this file.
pub fn gate_program_at(
    program: &std::path::Path,
    session: &SessionId,
    control: u16,
    script: &str,
) -> Command {
    let mut command = Command::new(program);
    command
        .args(["run", "--", "sh", "-c", script])
        .env("CAST_SESSION_ID", session.as_str())
        .env("CAST_BOOTSTRAP_TOKEN", "good-once")
        .env("CAST_REPORT_URL", format!("http://127.0.0.1:{control}"))
        .env("CAST_TIME_LIMIT_SECONDS", "60")
        .env("CAST_GATE_LISTEN", "127.0.0.1:0")
        .kill_on_drop(true);
    command
}

/// What an app serves beside its pages.
#[derive(Default)]
struct Beside {
    sound: Option<Target>,
    devtools: Option<Place>,
}

pub struct Stage {
    pub keys: SessionKeys,
    pub clock: Arc<SetClock>,
    pub session: SessionId,
    /// How many requests reached the app.
    pub reached: Arc<AtomicUsize>,
    /// What goes on in the session, as the gate sees it.
    pub state: Arc<SessionState>,
    /// How its streaming server gets the roles, if its app is one.
    pub roster: Option<Arc<Roster>>,
    pub gate: u16,
    pub edge: u16,
    template: &'static str,
}

impl Stage {
    /// Sessions on hosts of their own.
    pub async fn by_name() -> Self {
        Self::new("{session}.localhost", false).await
    }

    pub async fn new(template: &'static str, secure_cookies: bool) -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let app = serve(app(reached.clone())).await;
        Self::before(
            Target::loopback(app).expect("an address"),
            reached,
            None,
            template,
            secure_cookies,
        )
        .await
    }

    /// An app that speaks https, with a certificate of its own making, and knows its visitors by this login.
    pub async fn before_https(login: &str) -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let app = serve_https(app(reached.clone())).await;
        let login = HeaderValue::from_str(login).expect("a value");
        Self::before(
            Target::loopback(app).expect("an address").over_https(true),
            reached,
            Some(login),
            "{session}.localhost",
            false,
        )
        .await
    }

    /// Before an app on this port that the test has made.
    pub async fn before_app(port: u16) -> Self {
        Self::before(
            Target::loopback(port).expect("an address"),
            Arc::default(),
            None,
            "{session}.localhost",
            false,
        )
        .await
    }

    /// The same, with a clipboard that goes these ways.
    pub async fn with_clipboard(port: u16, clipboard: Clipboard) -> Self {
        Self::in_room(
            SessionState::new(clipboard),
            Target::loopback(port).expect("an address"),
            Arc::default(),
            None,
            "{session}.localhost",
            false,
        )
        .await
    }

    /// Before a streaming server on this port, as Selkies is, in a session where this is allowed.
    pub async fn before_selkies(port: u16, clipboard: Clipboard, media: Media) -> Self {
        Self::in_room(
            SessionState::new(clipboard).allowing(media),
            Target::loopback(port).expect("an address"),
            Arc::default(),
            None,
            "{session}.localhost",
            false,
        )
        .await
    }

    async fn before(
        app: Target,
        reached: Arc<AtomicUsize>,
        app_login: Option<HeaderValue>,
        template: &'static str,
        secure_cookies: bool,
    ) -> Self {
        Self::in_room(
            SessionState::default(),
            app,
            reached,
            app_login,
            template,
            secure_cookies,
        )
        .await
    }

    /// A session into whose app nothing may be pasted.
    pub async fn without_pasting() -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let app = serve(app(reached.clone())).await;
        let app = Target::loopback(app).expect("an address");
        Self::in_room(
            SessionState::new(Clipboard {
                up: false,
                down: true,
            }),
            app,
            reached,
            None,
            "{session}.localhost",
            false,
        )
        .await
    }

    /// Before an app that speaks https, whose sound comes from this port, with a login.
    pub async fn before_sound(port: u16, login: &str, media: Media) -> Self {
        let login = HeaderValue::from_str(login).expect("a value");
        let target = |port| Target::loopback(port).expect("an address").over_https(true);
        Self::with_beside(
            SessionState::default().allowing(media),
            target(UNLISTED),
            Arc::default(),
            Some(login),
            "{session}.localhost",
            false,
            Beside {
                sound: media.audio.then(|| target(port)),
                ..Beside::default()
            },
        )
        .await
    }

    /// Before an app whose DevTools are here, on a host of its own or under a path.
    pub async fn before_devtools(place: Place, template: &'static str) -> Self {
        let app = Target::loopback(UNLISTED).expect("an address");
        let (reached, beside) = (
            Arc::default(),
            Beside {
                devtools: Some(place),
                ..Beside::default()
            },
        );
        let state = SessionState::default();
        Self::with_beside(state, app, reached, None, template, false, beside).await
    }

    async fn in_room(
        state: SessionState,
        app: Target,
        reached: Arc<AtomicUsize>,
        app_login: Option<HeaderValue>,
        template: &'static str,
        secure_cookies: bool,
    ) -> Self {
        Self::with_beside(
            state,
            app,
            reached,
            app_login,
            template,
            secure_cookies,
            Beside::default(),
        )
        .await
    }

    async fn with_beside(
        state: SessionState,
        app: Target,
        reached: Arc<AtomicUsize>,
        app_login: Option<HeaderValue>,
        template: &'static str,
        secure_cookies: bool,
        beside: Beside,
    ) -> Self {
        let Beside { sound, devtools } = beside;
        let keys = Keyring::new(&[3; 32]).sessions().clone();
        let clock = Arc::new(SetClock::at(NOON));
        let session = SessionId::from_bytes([1; 16]);
        let state = Arc::new(state);
        state.follow(SessionDirectives::default());
        // Only such apps have anything to hear of it.
        let is_selkies = state.media() != Media::default() && sound.is_none();
        let roster = is_selkies.then(|| {
            let app = Proxy::default().to(app.clone());
            Arc::new(Roster::new(app, keys.secret(&session)))
        });
        let handler = Gate {
            session: session.clone(),
            secret: keys.secret(&session),
            admission: Admission::new(session.clone(), keys.secret(&session)),
            entries: Entries::default(),
            sound: sound.map(|target| Proxy::default().to(target)),
            devtools,
            roster: roster.clone(),
            app: Proxy::default().to(app),
            app_login,
            downloads: false,
            files_path: Some("/files".to_owned()),
            keeps_files: false,
            state: state.clone(),
            reporter: Arc::new(
                Reporter::new("http://127.0.0.1:1", &session, &keys.secret(&session))
                    .expect("a client"),
            ),
            clock: clock.clone(),
        };
        let gate = serve(handler::router(handler)).await;
        let places = Places::with_loopback(|port| port != UNLISTED);
        let session_host = SessionHost::parse(template).expect("a template");
        let settings = EdgeSettings {
            keys: keys.clone(),
            session_host,
            places,
            control_url: Some(CONTROL.parse().expect("a URL")),
            secure_cookies,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
        };
        let edge = serve(edge::router(settings)).await;
        Self {
            keys,
            clock,
            session,
            reached,
            state,
            roster,
            gate,
            edge,
            template,
        }
    }

    /// A ticket for session `n` (the stage's is 1) to the gate, by which it is entered, good for a minute.
    pub fn ticket(&self, n: u8) -> String {
        self.ticket_to(n, self.gate)
    }

    /// A ticket to watch, from this round of sharing.
    pub fn watcher(&self, id: &str, round: u32) -> String {
        let watcher = Some(Watcher {
            id: id.into(),
            name: id.to_uppercase(),
            round,
            kind: WatcherKind::Guest,
        });
        let session = self.session.clone();
        let ticket = SessionTicket {
            session,
            role: Role::Viewer,
            watcher,
            origin: Some(self.entered_at()),
            host: "127.0.0.1".into(),
            port: self.gate,
            expires: NOON.plus_seconds(60),
        };
        ticket.sign(self.keys.named(""))
    }

    /// The entry ticket for this session ticket, which is valid until half a minute after noon.
    pub fn entry(&self, ticket: &str) -> String {
        self.entry_by("", ticket)
    }

    /// The same, of another draw.
    pub fn entry_by(&self, draw: &str, ticket: &str) -> String {
        let (ticket, key) = SessionTicket::open(ticket, &self.keys, NOON).expect("ours");
        let entry = EntryTicket {
            nonce: Nonce::from_request(draw, ticket.watcher.as_ref().map_or("", |one| &one.id)),
            ticket,
            expires: NOON.plus_seconds(ENTRY_SECONDS),
        };
        entry.sign(key)
    }

    /// Shares the session in this round, with this way of watching.
    pub fn share(&self, view_only: ViewOnly, round: u32) {
        let options = SessionOptions {
            view_only: Some(view_only),
            may_share: true,
            ..SessionOptions::default()
        };
        let session_page = format!("{CONTROL}/session/{}", self.session);
        let share_link = Some(format!("{CONTROL}/share/x"));
        self.state.follow(SessionDirectives {
            options,
            session_page,
            share_link,
            share_round: round,
            title: "App".into(),
            ..SessionDirectives::default()
        });
    }

    pub fn ticket_to(&self, n: u8, port: u16) -> String {
        let session = SessionId::from_bytes([n; 16]);
        let ticket = SessionTicket {
            session,
            role: Role::Owner,
            watcher: None,
            origin: Some(self.entered_at()),
            host: "127.0.0.1".into(),
            port,
            expires: NOON.plus_seconds(60),
        };
        ticket.sign(self.keys.named(""))
    }

    fn entered_at(&self) -> SessionOrigin {
        if self.template.contains('/') {
            SessionOrigin::Shared
        } else {
            SessionOrigin::Viewer
        }
    }

    /// The origin at which this path is found.
    fn origin(&self, path: &str) -> SessionOrigin {
        match self.entered_at() {
            SessionOrigin::Viewer if !path.starts_with("/.cast") => SessionOrigin::App,
            entered => entered,
        }
    }

    /// The ticket with which a browser asks for this path, once it was let in by `ticket`.
    pub fn ticket_at(&self, path: &str, ticket: &str) -> String {
        let origin = Some(self.origin(path));
        let opened = SessionTicket::open(ticket, &self.keys, NOON);
        opened.map_or_else(
            |_| ticket.to_owned(),
            |(ticket, key)| SessionTicket { origin, ..ticket }.sign(key),
        )
    }

    /// The same as a cookie.
    pub fn cookie(&self, path: &str, ticket: &str) -> String {
        format!("cast-session={}", self.ticket_at(path, ticket))
    }

    /// The host on which the session is entered, with the edge's port.
    pub fn viewer_host(&self) -> String {
        let (host, _) = self.template.split_once('/').unwrap_or((self.template, ""));
        let host = host.replace("{session}", self.session.as_str());
        format!("{host}:{}", self.edge)
    }

    /// The host on which the app is found, with the edge's port.
    pub fn host(&self) -> String {
        let viewer = self.viewer_host();
        app_host(&viewer, &self.session).unwrap_or(viewer)
    }

    /// A request to the edge, to where this path is found, without a cookie.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let host = match self.origin(path) {
            SessionOrigin::App => self.host(),
            _ => self.viewer_host(),
        };
        self.request_to(&host, method, path)
    }

    /// The same to another host.
    pub fn request_to(&self, host: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://127.0.0.1:{}{path}", self.edge);
        visitor()
            .request(method.parse().expect("a method"), url)
            .header("host", host)
    }

    /// A request to where this path is found, with a good ticket.
    pub fn asks(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let cookie = self.cookie(path, &self.ticket(1));
        self.request(method, path)
            .header("cookie", format!("theme=dark; {cookie}"))
    }

    /// Opens a WebSocket through the edge, from a page at `origin`.
    pub async fn socket(
        &self,
        path: &str,
        origin: &str,
    ) -> Result<WebSocketStream<TcpStream>, SocketError> {
        self.socket_as(&self.ticket(1), path, origin).await
    }

    /// The same with another ticket.
    pub async fn socket_as(
        &self,
        ticket: &str,
        path: &str,
        origin: &str,
    ) -> Result<WebSocketStream<TcpStream>, SocketError> {
        let host = match self.origin(path) {
            SessionOrigin::App => self.host(),
            _ => self.viewer_host(),
        };
        let mut request: SocketRequest = format!("ws://{host}{path}")
            .into_client_request()
            .expect("a request");
        request
            .headers_mut()
            .insert("origin", origin.parse().expect("a value"));
        request.headers_mut().insert(
            "cookie",
            self.cookie(path, ticket).parse().expect("a value"),
        );
        let stream = TcpStream::connect(("127.0.0.1", self.edge))
            .await
            .expect("the edge listens");
        client_async(request, stream)
            .await
            .map(|(socket, _)| socket)
    }

    pub fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

/// The edge's assertion about the holder of this ticket, as headers for the gate with this secret.
pub fn told_by_edge(secret: &SessionSecret, ticket: &str) -> HeaderMap {
    let told = EdgeAssertion {
        visitor: SessionTicket::payload(ticket).to_owned(),
        ..EdgeAssertion::default()
    };
    let mut headers = HeaderMap::new();
    told.put(&mut headers, secret);
    headers
}

/// The same as lines of a request.
pub fn told_lines(secret: &SessionSecret, ticket: &str) -> String {
    told_by_edge(secret, ticket)
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text")))
        .collect()
}

/// A visitor whose browser follows no redirects by itself.
pub fn visitor() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

/// Serves on a free loopback port for as long as the test runs.
pub async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(server::serve(listener, router));
    port
}

/// The same over TLS.
pub async fn serve_https(router: Router) -> u16 {
    let made =
        rcgen::generate_simple_self_signed(["app.invalid".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config = config
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let _ = Builder::new(TokioExecutor::new())
                    .serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    port
}

fn app(reached: Arc<AtomicUsize>) -> Router {
    let count = |State(reached): State<Arc<AtomicUsize>>,
                 request: Request,
                 next: axum::middleware::Next| async move {
        reached.fetch_add(1, Ordering::SeqCst);
        next.run(request).await
    };
    Router::new()
        .route("/ws", get(socket))
        .route(
            "/framed",
            get(|| async {
                [
                    ("x-frame-options", "DENY"),
                    ("content-security-policy", "default-src 'self'"),
                ]
            }),
        )
        .route(
            "/isolated",
            get(|| async {
                [
                    ("cross-origin-opener-policy", "same-origin"),
                    ("cross-origin-embedder-policy", "require-corp"),
                    ("cross-origin-resource-policy", "same-origin"),
                ]
            }),
        )
        .route(
            "/echo",
            any(|request: Request| async move { Response::new(Body::new(request.into_body())) }),
        )
        .route("/seen", any(seen))
        .route("/endless", get(endless))
        .route(
            "/login",
            get(|| async {
                (
                    [
                        ("location", "/home"),
                        ("set-cookie", "a=1; Domain=localhost; Path=/"),
                    ],
                    "",
                )
                    .into_response()
            }),
        )
        .layer(axum::middleware::from_fn_with_state(reached, count))
}

/// Every header and the path that reached the app, a line each.
async fn seen(uri: axum::http::Uri, headers: HeaderMap) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    format!("path: {uri}\n{}", lines.collect::<String>())
}

/// A reply that goes on and on.
async fn endless() -> Response {
    let lines = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>("again\n"), ()))
    });
    Response::new(Body::from_stream(lines))
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["echo"])
        .on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                if !matches!(message, Message::Text(_) | Message::Binary(_))
                    || socket.send(message).await.is_err()
                {
                    break;
                }
            }
        })
}
