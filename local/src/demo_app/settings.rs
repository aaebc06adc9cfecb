//! Owns the settings of the demo app: the only place of it that reads the environment. Must not
//! know how they are shown.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The settings of the app.
#[derive(Serialize, Deserialize)]
pub struct Settings {
    /// The loopback port to listen on (`PORT`).
    pub port: u16,
    /// How long the session may live (`CAST_TIME_LIMIT_SECONDS`), in seconds, when that is said.
    pub time_limit_seconds: Option<u64>,
    /// The folder with the files that the user finds again in the next session
    /// (`CAST_PROFILE_PATH`).
    pub folder: Option<PathBuf>,
    /// The content of the page.
    pub given: Given,
}

/// What the session was given; `None`: nothing was said of it.
#[derive(Default, Serialize, Deserialize)]
pub struct Given {
    /// Where the visitor is sent to look around (`KASM_URL`).
    pub url: Option<String>,
    /// The user (`CAST_USER`).
    pub user: Option<String>,
    /// The image's name (`CAST_IMAGE`).
    pub image: Option<String>,
    /// The network's name (`CAST_NETWORK`).
    pub network: Option<String>,
    /// The session's id (`CAST_SESSION_ID`).
    pub session: Option<String>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn from_environment() -> anyhow::Result<Self> {
        let port = variable("PORT").and_then(|text| text.parse().ok());
        Ok(Self {
            port: port.context("the environment variable PORT must hold the port to listen on")?,
            time_limit_seconds: variable("CAST_TIME_LIMIT_SECONDS")
                .and_then(|text| text.parse().ok()),
            folder: variable("CAST_PROFILE_PATH").map(PathBuf::from),
            given: Given {
                url: variable("KASM_URL"),
                user: variable("CAST_USER"),
                image: variable("CAST_IMAGE"),
                network: variable("CAST_NETWORK"),
                session: variable("CAST_SESSION_ID"),
            },
        })
    }
}

impl Settings {
    /// How long the session may live, when that is said.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit_seconds.map(Duration::from_secs)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo app is a program of its own, and this is where it reads its settings"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
