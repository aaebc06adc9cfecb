//! Owns the settings of the browser app and the streamed apps, the only place where they read the
//! environment. Must not know their use.

use std::path::PathBuf;

use anyhow::Context;
use casting_core::permission::Permission;
use casting_core::session_environment::DEVTOOLS_PORT;

use crate::confine::plan::PROXY_VARIABLE;

/// The settings.
pub(crate) struct Settings {
    /// The loopback port to listen on (`PORT`).
    pub(crate) port: u16,
    /// The session's id (`CAST_SESSION_ID`).
    pub(crate) session: String,
    /// The start page (`KASM_URL`); blank by default.
    pub(crate) url: String,
    /// Where the browser keeps what its user finds again in the next session (`CAST_PROFILE_PATH`);
    /// `None`: nothing is kept.
    pub(crate) profile: Option<PathBuf>,
    /// The only way out of the session, for Chromium (`ALL_PROXY`); `None`: it goes where it likes.
    pub(crate) proxy: Option<String>,
    /// Whether text may be pasted into the session (`clipboard_up` in `CAST_PERMISSIONS`).
    pub(crate) paste_in: bool,
    /// Whether text may be copied out of it (`clipboard_down`).
    pub(crate) copy_out: bool,
    /// Whether sound is on from the start (`KASM_AUDIO_DEFAULT_ON`), where it is allowed.
    pub(crate) sound_on: bool,
    /// What opens the streaming server's own door (`SELKIES_MASTER_TOKEN`): the gate's alone.
    pub(crate) master_token: Option<String>,
    /// The loopback port at which Chromium serves DevTools (`CAST_DEVTOOLS_PORT`); `None`: it serves
    /// none.
    pub(crate) devtools_port: Option<u16>,
    /// The permissions (`CAST_PERMISSIONS`).
    permissions: String,
}

/// The variable with the key to the streaming server.
pub(crate) const MASTER_TOKEN: &str = "SELKIES_MASTER_TOKEN";
/// The default start page.
pub(crate) const BLANK: &str = "about:blank";

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let port = variable("PORT").and_then(|text| text.parse().ok());
        let permissions = variable("CAST_PERMISSIONS").unwrap_or_default();
        Ok(Self {
            port: port.context("the environment variable PORT must hold the port to listen on")?,
            session: variable("CAST_SESSION_ID").unwrap_or_else(|| "alone".to_owned()),
            url: variable("KASM_URL").unwrap_or_else(|| BLANK.to_owned()),
            profile: variable("CAST_PROFILE_PATH").map(PathBuf::from),
            // What curl calls socks5h (names are looked up at the proxy's) is what Chromium does
            // anyway.
            proxy: variable(PROXY_VARIABLE).map(|url| url.replace("socks5h:", "socks5:")),
            paste_in: Permission::ClipboardUp.is_named_in(&permissions),
            copy_out: Permission::ClipboardDown.is_named_in(&permissions),
            sound_on: variable("KASM_AUDIO_DEFAULT_ON").is_none_or(|text| text != "0"),
            master_token: variable(MASTER_TOKEN),
            devtools_port: variable(DEVTOOLS_PORT).and_then(|text| text.parse().ok()),
            permissions,
        })
    }

    /// Whether this is allowed in the session.
    pub(crate) fn allows(&self, permission: Permission) -> bool {
        permission.is_named_in(&self.permissions)
    }

    /// Settings of a session with these permissions.
    #[cfg(test)]
    pub(crate) fn allowing(permissions: &str) -> Self {
        Self {
            port: 1,
            session: "test".to_owned(),
            url: BLANK.to_owned(),
            profile: None,
            proxy: None,
            paste_in: Permission::ClipboardUp.is_named_in(permissions),
            copy_out: Permission::ClipboardDown.is_named_in(permissions),
            sound_on: true,
            master_token: None,
            devtools_port: None,
            permissions: permissions.to_owned(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the browser app is a program of its own, and this is where it reads its environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
