//! Owns the settings of the gate and of the edge, and the machine's clock and randomness: the one
//! place that asks the environment. Must not know what they are for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use casting_protocol::ids::{Entropy, SessionId};
use casting_protocol::keys::{SessionKeys, SessionSecret};
use casting_protocol::permission::Permission;
use casting_protocol::report::GATE_PORT;
use casting_protocol::session_environment::{
    APP_FILES, APP_SOUND_PORT, APP_STREAM, BOOTSTRAP_TOKEN, DEVTOOLS_NEED, DEVTOOLS_PORT,
    DEVTOOLS_SOCKET,
};
use casting_protocol::session_options::ViewOnly;
use casting_protocol::time::{Clock, Timestamp};
use url::Url;

use crate::devtools::Place;
use crate::edge::EdgeSettings;
use crate::places::{self, Places};
use crate::selkies::Media;
use crate::session_host::SessionHost;
use crate::session_state::Clipboard;

/// How long an app may take to end after it was asked to, before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// A setting that is missing or wrong; the sentence names it.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// Not set, or empty.
    #[error("the environment variable {0} is not set; it must hold {1}")]
    Missing(&'static str, &'static str),
    /// Set, but invalid. The value is not repeated, because it may be a secret.
    #[error("the environment variable {0} must hold {1}")]
    Wrong(&'static str, &'static str),
}

/// The settings of one gate.
pub struct GateSettings {
    /// The session of this gate (`CAST_SESSION_ID`).
    pub session: SessionId,
    /// The bootstrap token (`CAST_BOOTSTRAP_TOKEN`); the app never gets it.
    pub bootstrap_token: String,
    /// The control plane's origin, without a trailing slash (`CAST_REPORT_URL`).
    pub report_url: String,
    /// How long the session may live once it is ready (`CAST_TIME_LIMIT_SECONDS`).
    pub time_limit: Duration,
    /// After how long without a visitor the session ends (`CAST_KEEPALIVE_SECONDS`); `None`: never.
    pub keepalive: Option<Duration>,
    /// The loopback port that the app listens on (`CAST_APP_PORT`); `None`: the gate picks a free
    /// one.
    pub app_port: Option<u16>,
    /// Where the gate listens (`CAST_GATE_LISTEN`, else every address, port [`GATE_PORT`]).
    pub listen: SocketAddr,
    /// Whether the app speaks https (`CAST_APP_HTTPS=1`).
    pub app_https: bool,
    /// The user whom the app asks for, and that user's password (`CAST_APP_USER`;
    /// `CAST_APP_PASSWORD_VARIABLE` names the variable with the password).
    pub app_login: Option<(String, String)>,
    /// How long the app may live on when the machine is taken back (`CAST_RECLAIM_SECONDS`);
    /// `None`: it ends at once.
    pub reclaim: Option<Duration>,
    /// Which ways the clipboard goes (`clipboard_up`, `clipboard_down` in `CAST_PERMISSIONS`).
    pub clipboard: Clipboard,
    /// Further permissions of the session (`CAST_PERMISSIONS`).
    pub media: Media,
    /// Whether the app is the streaming server Selkies, which gets the roles
    /// (`CAST_APP_STREAM=selkies`).
    pub is_selkies: bool,
    /// With which path the addresses of the session's files begin, besides `/Downloads`
    /// (`CAST_APP_FILES`).
    pub files_path: Option<String>,
    /// The loopback port at which the app serves its sound (`CAST_APP_SOUND_PORT`), with its scheme
    /// and login.
    pub sound_port: Option<u16>,
    /// Where the app serves Chrome DevTools, if the permissions allow all that they can do:
    /// behind `CAST_DEVTOOLS_SOCKET`, a path seen from where the gate runs, else at the loopback port
    /// in `CAST_DEVTOOLS_PORT`.
    pub devtools: Option<Place>,
    /// Whether files may leave the session (`downloads` in `CAST_PERMISSIONS`; nothing is allowed
    /// that is not named).
    pub downloads: bool,
    /// The folder with the files that the user finds again in the next session
    /// (`CAST_PROFILE_PATH`); `None`: nothing is kept.
    pub profile: Option<PathBuf>,
    /// Where ECS tells what the task uses (`ECS_CONTAINER_METADATA_URI_V4`, which ECS sets); `None`:
    /// the gate counts the processes that it sees.
    pub task_metadata: Option<String>,
    /// How long the app may take to end after it was asked to.
    pub stop_grace: Duration,
    /// Tells when tickets expire.
    pub clock: Arc<dyn Clock>,
}

impl GateSettings {
    /// The values that never leave the task, not even in the app's output.
    pub fn secrets<'a>(&'a self, secret: &'a SessionSecret) -> Vec<&'a str> {
        let password = self.app_login.iter().map(|(_, password)| password.as_str());
        let own = [secret.expose(), self.bootstrap_token.as_str()];
        own.into_iter().chain(password).collect()
    }

    /// Reads the environment. `app_port_needed`: the gate does not start the app, so it cannot set
    /// its port.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn from_environment(app_port_needed: bool) -> Result<Self, SettingError> {
        Self::read(environment, app_port_needed)
    }

    fn read(
        source: impl Fn(&str) -> Option<String>,
        app_port_needed: bool,
    ) -> Result<Self, SettingError> {
        let app_port = "a port number, because there is no command that could get one in PORT";
        let allowed = source("CAST_PERMISSIONS").unwrap_or_default();
        let allows = |permission: Permission| permission.is_named_in(&allowed);
        Ok(Self {
            session: needed(&source, "CAST_SESSION_ID", "a session id", SessionId::parse)?,
            bootstrap_token: needed(
                &source,
                BOOTSTRAP_TOKEN,
                "the session's bootstrap token",
                |text| Some(text.to_owned()),
            )?,
            report_url: needed(&source, "CAST_REPORT_URL", "an http or https URL", origin)?,
            time_limit: needed(
                &source,
                "CAST_TIME_LIMIT_SECONDS",
                "a whole number of seconds above 0",
                seconds,
            )?,
            keepalive: optional(
                &source,
                "CAST_KEEPALIVE_SECONDS",
                "a whole number of seconds above 0",
                seconds,
            )?,
            app_port: match optional(&source, "CAST_APP_PORT", "a port number", port)? {
                None if app_port_needed => {
                    return Err(SettingError::Missing("CAST_APP_PORT", app_port));
                }
                given => given,
            },
            listen: optional(&source, "CAST_GATE_LISTEN", ADDRESS, address)?
                .unwrap_or(anywhere(GATE_PORT)),
            app_https: source("CAST_APP_HTTPS").is_some_and(|text| text == "1"),
            app_login: app_login(&source)?,
            reclaim: optional(
                &source,
                "CAST_RECLAIM_SECONDS",
                "a whole number of seconds above 0",
                seconds,
            )?,
            clipboard: Clipboard {
                up: allows(Permission::ClipboardUp),
                down: allows(Permission::ClipboardDown),
            },
            media: Media {
                audio: allows(Permission::Audio),
                microphone: allows(Permission::Microphone),
                webcam: allows(Permission::Webcam),
                gamepad: allows(Permission::Gamepad),
                uploads: allows(Permission::Uploads),
                downloads: allows(Permission::Downloads),
                printing: allows(Permission::Printing),
            },
            is_selkies: source(APP_STREAM).is_some_and(|text| text == ViewOnly::Selkies.as_str()),
            files_path: source(APP_FILES).filter(|path| path.starts_with('/')),
            sound_port: optional(&source, APP_SOUND_PORT, "a port number", port)?,
            devtools: match optional(&source, DEVTOOLS_SOCKET, "the path of a socket", |text| {
                Some(PathBuf::from(text))
            })? {
                Some(socket) => Some(Place::Socket(socket)),
                None => optional(&source, DEVTOOLS_PORT, "a port number", port)?.map(Place::Port),
            }
            .filter(|_| DEVTOOLS_NEED.into_iter().all(allows)),
            downloads: allows(Permission::Downloads),
            profile: optional(
                &source,
                "CAST_PROFILE_PATH",
                "the whole path of a folder",
                folder,
            )?,
            task_metadata: source("ECS_CONTAINER_METADATA_URI_V4"),
            stop_grace: STOP_GRACE,
            clock: Arc::new(MachineClock),
        })
    }
}

/// The settings of `gate edge`.
pub struct EdgeServer {
    /// Where it listens (`CAST_EDGE_LISTEN`, else every address, port 8080).
    pub listen: SocketAddr,
    /// How it routes: `CAST_EDGE_KEY`, `CAST_SESSION_HOST`; `CAST_CONTROL_URL`, where visitors see
    /// the state of their session; and `CAST_EDGE_LOOPBACK_PORTS`, where gates are on the edge's
    /// own machine; otherwise gates are never looked for there.
    pub edge: EdgeSettings,
}

impl EdgeServer {
    /// Reads the environment. Cookies are for https only, unless `CAST_SESSION_HOST` begins with
    /// `http://`.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn from_environment() -> Result<Self, SettingError> {
        Self::read(environment)
    }

    fn read(source: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let host = "where sessions are found, such as {session}.cast.example.com or \
                    https://cast.example.com/s/{session}";
        let (session_host, secure_cookies) = needed(&source, "CAST_SESSION_HOST", host, |text| {
            Some((SessionHost::parse(text)?, !text.starts_with("http://")))
        })?;
        Ok(Self {
            listen: optional(&source, "CAST_EDGE_LISTEN", ADDRESS, address)?
                .unwrap_or(anywhere(EDGE_PORT)),
            edge: EdgeSettings {
                keys: needed(
                    &source,
                    "CAST_EDGE_KEY",
                    "the edge's key: 32 bytes in base64url, and after a comma the key before, if \
                     any",
                    SessionKeys::parse,
                )?,
                session_host,
                places: optional(
                    &source,
                    "CAST_EDGE_LOOPBACK_PORTS",
                    "ports and ranges of ports, such as 18080,20000-20010",
                    places::ports,
                )?
                .map(|ranges| {
                    Places::with_loopback(move |port| {
                        ranges
                            .iter()
                            .any(|(first, last)| (*first..=*last).contains(&port))
                    })
                })
                .unwrap_or_default(),
                control_url: optional(
                    &source,
                    "CAST_CONTROL_URL",
                    "an http or https URL",
                    |text| Url::parse(&origin(text)?).ok(),
                )?,
                secure_cookies,
                clock: Arc::new(MachineClock),
                entropy: Arc::new(MachineEntropy::new()),
            },
        })
    }
}

const ADDRESS: &str = "an address and a port, such as 0.0.0.0:8080";
/// Where an edge of its own listens.
const EDGE_PORT: u16 = 8080;

const fn anywhere(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the settings of gate and edge are read here and nowhere else"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The program that runs commands inside the app's container, if that is not the gate's own; see
/// [`crate::exec::EXEC_THROUGH`].
pub(crate) fn exec_through() -> Option<String> {
    environment(crate::exec::EXEC_THROUGH).filter(|command| !command.trim().is_empty())
}

fn needed<T>(
    source: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    what: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, SettingError> {
    optional(source, name, what, read)?.ok_or(SettingError::Missing(name, what))
}

fn optional<T>(
    source: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    what: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, SettingError> {
    let text = source(name)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    text.map(|text| read(&text).ok_or(SettingError::Wrong(name, what)))
        .transpose()
}

/// A login to the app is whole or not there.
fn app_login(
    source: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, SettingError> {
    let Some(user) = source("CAST_APP_USER").filter(|user| !user.is_empty()) else {
        return Ok(None);
    };
    let variable = source("CAST_APP_PASSWORD_VARIABLE").unwrap_or_default();
    let missing = SettingError::Wrong(
        "CAST_APP_PASSWORD_VARIABLE",
        "the name of the variable with the password of CAST_APP_USER",
    );
    source(&variable)
        .map(|password| Some((user, password)))
        .ok_or(missing)
}

fn origin(text: &str) -> Option<String> {
    let url: axum::http::Uri = text.parse().ok()?;
    let known = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    known.then(|| text.trim_end_matches('/').to_owned())
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse::<u32>()
        .ok()
        .filter(|n| *n > 0)
        .map(|n| Duration::from_secs(n.into()))
}

fn folder(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text)).filter(|path| path.is_absolute() && path.parent().is_some())
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

struct MachineClock;

impl Clock for MachineClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the gate's real clock is made here and handed on as a `Clock`"
    )]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

struct MachineEntropy(ring::rand::SystemRandom);

impl MachineEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge's real randomness is made here and handed on as an `Entropy`"
    )]
    fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Entropy for MachineEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if ring::rand::SecureRandom::fill(&self.0, buffer).is_err() {
            tracing::error!("The system gives no random bytes; stopping");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials;

    fn with(change: Option<(&'static str, &'static str)>) -> impl Fn(&str) -> Option<String> {
        move |name| {
            if let Some((changed, value)) = change
                && changed == name
            {
                return Some(value.to_owned());
            }
            let value = match name {
                "CAST_SESSION_ID" => SessionId::from_bytes([1; 16]).to_string(),
                "CAST_BOOTSTRAP_TOKEN" => "hush".to_owned(),
                "CAST_REPORT_URL" => "http://localhost:8300/".to_owned(),
                "CAST_TIME_LIMIT_SECONDS" => "60".to_owned(),
                "CAST_SESSION_HOST" => "{session}.cast.example.com".to_owned(),
                "CAST_EDGE_KEY" => "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
                _ => return None,
            };
            Some(value)
        }
    }

    #[test]
    fn gate_settings_have_defaults() {
        let settings = GateSettings::read(with(None), false).expect("complete");
        assert_eq!(settings.report_url, "http://localhost:8300");
        assert_eq!(
            (settings.app_port, settings.listen.to_string().as_str()),
            (None, "0.0.0.0:18080")
        );
    }

    #[test]
    fn devtools_need_a_place_and_every_permission() {
        let all = "clipboard_down,clipboard_up,downloads,uploads";
        let port = Some(Place::Port(9222));
        let socket = Some(Place::Socket("/tasks/1/devtools.sock".into()));
        for (name, permissions, has_port, has_socket, expected) in [
            ("no place", all, false, false, None),
            ("a port", all, true, false, port.clone()),
            ("a socket", all, false, true, socket.clone()),
            ("both", all, true, true, socket),
            (
                "and more",
                &format!("audio,{all},sharing"),
                true,
                false,
                port,
            ),
            (
                "no way out",
                "clipboard_up,downloads,uploads",
                true,
                true,
                None,
            ),
            (
                "no way in",
                "clipboard_down,downloads,uploads",
                true,
                true,
                None,
            ),
            (
                "no downloads",
                "clipboard_down,clipboard_up,uploads",
                true,
                true,
                None,
            ),
            (
                "no uploads",
                "clipboard_down,clipboard_up,downloads",
                true,
                true,
                None,
            ),
            ("nothing", "", true, true, None),
        ] {
            let source = |variable: &str| match variable {
                "CAST_PERMISSIONS" => Some(permissions.to_owned()),
                DEVTOOLS_PORT => has_port.then(|| "9222".to_owned()),
                DEVTOOLS_SOCKET => has_socket.then(|| "/tasks/1/devtools.sock".to_owned()),
                _ => with(None)(variable),
            };
            let settings = GateSettings::read(source, false).expect("complete");
            assert_eq!(settings.devtools, expected, "{name}");
        }
    }

    #[test]
    fn app_login_needs_user_and_password() {
        let credentials = |user: Option<&'static str>, password: Option<&'static str>| {
            let source = move |name: &str| match name {
                "CAST_APP_USER" => user.map(str::to_owned),
                "CAST_APP_PASSWORD_VARIABLE" => Some("VNC_PW".to_owned()),
                "VNC_PW" => password.map(str::to_owned),
                _ => with(None)(name),
            };
            GateSettings::read(source, false)
                .map(|settings| settings.app_login)
                .map_err(|error| error.to_string())
        };
        assert_eq!(credentials(None, Some("x")), Ok(None));
        assert_eq!(
            credentials(Some("kasm_user"), Some("x")),
            Ok(Some(("kasm_user".into(), "x".into())))
        );
        assert!(
            credentials(Some("kasm_user"), None)
                .is_err_and(|error| error.contains("CAST_APP_PASSWORD_VARIABLE"))
        );
        assert_eq!(
            credentials::basic("Aladdin", "open sesame").expect("a header"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn invalid_setting_is_named() {
        for (name, value, sentence) in [
            (
                "CAST_SESSION_ID",
                "",
                "is not set; it must hold a session id",
            ),
            ("CAST_SESSION_ID", "42", "must hold a session id"),
            (
                "CAST_REPORT_URL",
                "localhost",
                "must hold an http or https URL",
            ),
            (
                "CAST_TIME_LIMIT_SECONDS",
                "0",
                "must hold a whole number of seconds above 0",
            ),
            (
                "CAST_KEEPALIVE_SECONDS",
                "soon",
                "must hold a whole number of seconds above 0",
            ),
            (
                "CAST_PROFILE_PATH",
                "home",
                "must hold the whole path of a folder",
            ),
            (
                "CAST_PROFILE_PATH",
                "/",
                "must hold the whole path of a folder",
            ),
            ("CAST_APP_PORT", "70000", "must hold a port number"),
            (
                "CAST_GATE_LISTEN",
                "8080",
                "must hold an address and a port, such as 0.0.0.0:8080",
            ),
        ] {
            let error = GateSettings::read(with(Some((name, value))), false)
                .err()
                .expect(name)
                .to_string();
            assert_eq!(
                error,
                format!("the environment variable {name} {sentence}"),
                "{name}={value}"
            );
        }
        let error = GateSettings::read(with(None), true)
            .err()
            .expect("no port, no command")
            .to_string();
        assert!(
            error.starts_with("the environment variable CAST_APP_PORT is not set"),
            "{error}"
        );
    }

    #[test]
    fn edge_cookies_are_secure_for_https_sessions() {
        for (host, secure) in [
            ("{session}.cast.example.com", true),
            ("https://a.example/s/{session}", true),
            ("http://{session}.localhost:8300", false),
        ] {
            let server = EdgeServer::read(with(Some(("CAST_SESSION_HOST", host)))).expect(host);
            assert_eq!(server.edge.secure_cookies, secure, "{host}");
        }
    }
}
