//! Owns the way into a session as a browser walks it: to the viewer's origin, and on to the app's.
//! Must not know how a session is got.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use anyhow::{Context, Result};
use reqwest::header::{HeaderName, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};

/// One origin of a session, and the ticket that a browser has for it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its host, with the port.
    pub host: String,
    /// The cookie with the ticket.
    pub cookie: String,
}

/// A visitor who was let in.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Where the session is entered.
    pub viewer: Place,
    /// What the viewer frames.
    pub app: Place,
}

impl Place {
    /// Enters a session by its entry address; `at` is where all hosts are reached.
    async fn enter(http: &Client, at: &str, entrance: &str) -> Result<Self> {
        let (host, path) = entrance
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .context("no URL to enter by")?;
        let request = http.get(format!("{at}/{path}")).header("host", host);
        let entered = request.send().await?;
        let cookie = header(&entered, &SET_COOKIE)?;
        Ok(Self {
            host: host.to_owned(),
            cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
        })
    }

    /// A request to this origin.
    pub fn ask(&self, http: &Client, at: &str, path: &str) -> RequestBuilder {
        http.get(format!("{at}{path}"))
            .header("host", &self.host)
            .header("cookie", &self.cookie)
    }
}

impl Inside {
    /// Enters by the address that the session's page leads to; `at` is where all hosts are reached,
    /// without a slash.
    pub async fn enter(http: &Client, at: &str, entrance: &str) -> Self {
        let entered = Self::try_enter(http, at, entrance).await;
        entered.expect("a session that can be entered")
    }

    /// The same where the session may be over.
    ///
    /// # Errors
    /// When one of its origins is not reached, or does not let the visitor in.
    pub async fn try_enter(http: &Client, at: &str, entrance: &str) -> Result<Self> {
        let viewer = Place::enter(http, at, entrance).await?;
        let led = viewer.ask(http, at, "/.cast/app").send().await?;
        let app = Place::enter(http, at, header(&led, &LOCATION)?).await?;
        Ok(Self { viewer, app })
    }

    /// The origin at which this path is found.
    pub fn place(&self, path: &str) -> &Place {
        if path.starts_with("/.cast") {
            &self.viewer
        } else {
            &self.app
        }
    }

    /// What is answered at this path.
    pub async fn get(&self, http: &Client, at: &str, path: &str) -> Response {
        let request = self.place(path).ask(http, at, path);
        let sent = request.header("accept", "text/html").send().await;
        sent.expect("an answer")
    }
}

/// What an answer says in this header.
fn header<'a>(answer: &'a Response, name: &HeaderName) -> Result<&'a str> {
    let value = answer.headers().get(name);
    let value = value.with_context(|| format!("{} without {name}", answer.status()))?;
    Ok(value.to_str()?)
}
