//! Owns the questions: one request and its whole answer, or why there is none. Must not know what an answer should be.

use std::error::Error;
use std::time::Duration;

use anyhow::Result;
use casting_identity::web_client;
use reqwest::header::{ACCEPT, HOST, HeaderMap};
use reqwest::{Client, Method};
use serde_json::Value;
use url::{Host, Url};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Everything about an answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The document in the body; null when there is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// The name cannot be resolved.
    Name,
    /// The connection was refused.
    Refused,
    /// TLS did not work out.
    Tls(String),
    /// It took too long.
    Slow,
    /// Something else.
    Other(String),
}

impl AskError {
    /// What the causes of a failed call, put together, mean.
    fn of(causes: &str, slow: bool) -> Self {
        let says = |words: &[&str]| {
            words
                .iter()
                .any(|word| causes.to_ascii_lowercase().contains(word))
        };
        if says(&["failed to lookup address", "dns error"]) {
            Self::Name
        } else if says(&["connection refused"]) {
            Self::Refused
        } else if says(&["certificate", "tls", "handshake", "corrupt message"]) {
            Self::Tls(causes.rsplit(": ").next().unwrap_or_default().to_owned())
        } else if slow {
            Self::Slow
        } else {
            Self::Other(causes.to_owned())
        }
    }
}

/// Asks one deployment.
pub struct Asker {
    http: Client,
}

impl Asker {
    /// # Errors
    /// When there is no TLS.
    pub fn new() -> Result<Self> {
        Ok(Self {
            http: web_client::build(LIMIT)?,
        })
    }

    /// Requests this address with this `Accept` header and key.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn get(
        &self,
        url: &Url,
        accept: &str,
        key: Option<&str>,
    ) -> Result<Answer, AskError> {
        let (near, host) = near(url);
        let mut request = self.http.request(Method::GET, near).header(ACCEPT, accept);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let ask_error = |error: reqwest::Error| {
            let mut causes = error.to_string();
            let mut cause = error.source();
            while let Some(one) = cause {
                causes = format!("{causes}: {one}");
                cause = one.source();
            }
            AskError::of(&causes, error.is_timeout())
        };
        let response = request.send().await.map_err(ask_error)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer {
            status,
            headers,
            body: response.text().await.map_err(ask_error)?,
        })
    }
}

/// Names under `localhost` are this machine, as browsers have it, also where its resolver does not know them: the address to call, and the host
/// to name there.
fn near(url: &Url) -> (Url, Option<String>) {
    let mut near = url.clone();
    match url.host() {
        Some(Host::Domain(name)) if name.ends_with(".localhost") => {
            let port = url
                .port()
                .map_or_else(String::new, |port| format!(":{port}"));
            let host = format!("{name}{port}");
            match near.set_host(Some("127.0.0.1")) {
                Ok(()) => (near, Some(host)),
                Err(_) => (near, None),
            }
        }
        _ => (near, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_errors_are_explained() {
        for (causes, slow, expected) in [
            (
                "error sending request: client error (Connect): dns error: failed to lookup address information",
                false,
                AskError::Name,
            ),
            (
                "error sending request: tcp connect error: Connection refused (os error 111)",
                false,
                AskError::Refused,
            ),
            (
                "error sending request: invalid peer certificate: UnknownIssuer",
                false,
                AskError::Tls("UnknownIssuer".into()),
            ),
            (
                "error sending request: operation timed out",
                true,
                AskError::Slow,
            ),
            (
                "something else",
                false,
                AskError::Other("something else".into()),
            ),
        ] {
            assert_eq!(AskError::of(causes, slow), expected, "{causes}");
        }
    }

    #[test]
    fn localhost_subdomains_resolve_to_loopback() {
        for (url, called, host) in [
            (
                "http://s1.localhost:8300/x",
                "http://127.0.0.1:8300/x",
                Some("s1.localhost:8300"),
            ),
            ("http://localhost:8300/x", "http://localhost:8300/x", None),
            (
                "https://s1.cast.example.com/",
                "https://s1.cast.example.com/",
                None,
            ),
        ] {
            let (near, named) = near(&Url::parse(url).expect("an address"));
            assert_eq!((near.as_str(), named.as_deref()), (called, host), "{url}");
        }
    }
}
