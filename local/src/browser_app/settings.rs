//! Owns what the browser app is told: the one place of it that reads the environment. Must not know what is done with it.

use std::path::PathBuf;

use anyhow::Context;
use casting_core::permission::Permission;

use crate::confine::plan::PROXY_VARIABLE;

/// What the app is told.
pub(super) struct Settings {
    /// The loopback port to listen on (`PORT`).
    pub(super) port: u16,
    /// What tells this session from others on the machine (`CAST_SESSION_ID`).
    pub(super) session: String,
    /// What Chromium opens (`KASM_URL`); a blank page when nothing is said.
    pub(super) url: String,
    /// Where the browser keeps what its user finds again in the next session (`CAST_PROFILE_PATH`); `None`: nothing is kept.
    pub(super) profile: Option<PathBuf>,
    /// The only way out of the session, for Chromium (`ALL_PROXY`); `None`: it goes where it likes.
    pub(super) proxy: Option<String>,
    /// Whether text may be pasted into the session (`clipboard_up` in `CAST_PERMISSIONS`).
    pub(super) paste_in: bool,
    /// Whether text may be copied out of it (`clipboard_down`).
    pub(super) copy_out: bool,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let port = told("PORT").and_then(|text| text.parse().ok());
        let permissions = told("CAST_PERMISSIONS").unwrap_or_default();
        Ok(Self {
            port: port.context("the environment variable PORT must hold the port to listen on")?,
            session: told("CAST_SESSION_ID").unwrap_or_else(|| "alone".to_owned()),
            url: told("KASM_URL").unwrap_or_else(|| "about:blank".to_owned()),
            profile: told("CAST_PROFILE_PATH").map(PathBuf::from),
            // What curl calls socks5h (names are looked up at the proxy's) is what Chromium does
            // anyway.
            proxy: told(PROXY_VARIABLE).map(|url| url.replace("socks5h:", "socks5:")),
            paste_in: Permission::ClipboardUp.is_named_in(&permissions),
            copy_out: Permission::ClipboardDown.is_named_in(&permissions),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the browser app is a program of its own, and this is where it reads what it is told"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
