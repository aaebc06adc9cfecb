//! Owns the questions: one request and its whole answer, or why there is none. Must not know what
//! an answer should be.

use std::error::Error;
use std::time::Duration;

use anyhow::Result;
use casting_identity::web_client;
use futures_util::{SinkExt, StreamExt};
use reqwest::header::{ACCEPT, CONNECTION, COOKIE, HOST, HeaderMap, ORIGIN, UPGRADE};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;
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
        let mut request = self.request(Method::GET, url).header(ACCEPT, accept);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        answer(request).await
    }

    /// Requests a page as a browser does that keeps cookies: where the deployment asks once more to see
    /// whether it does (307), it comes with the cookie.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn open(&self, url: &Url, accept: &str) -> Result<Answer, AskError> {
        let first = self.get(url, accept, None).await?;
        let cookie = first.header("set-cookie").split(';').next();
        let cookie = cookie.unwrap_or_default().to_owned();
        match url.join(first.header("location")) {
            Ok(again) if first.status == 307 && again.origin() == url.origin() => {
                let request = self.request(Method::GET, &again);
                answer(request.header(ACCEPT, accept).header(COOKIE, cookie)).await
            }
            _ => Ok(first),
        }
    }

    /// Sends a document with this key and asks for one.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        key: Option<&str>,
        document: Option<&Value>,
    ) -> Result<Answer, AskError> {
        let mut request = self.request(method, url).header(ACCEPT, "application/json");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(document) = document {
            request = request.json(document);
        }
        answer(request).await
    }

    /// Requests a page with this cookie.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn page(&self, url: &Url, cookie: &str) -> Result<Answer, AskError> {
        let request = self.request(Method::GET, url).header(ACCEPT, "text/html");
        answer(request.header(COOKIE, cookie)).await
    }

    /// Opens a WebSocket that returns each message, and measures one message there and back.
    ///
    /// # Errors
    /// The answer in place of the WebSocket (status 0: the message did not come back), or why there
    /// is none.
    pub async fn echo(&self, url: &Url, cookie: &str) -> Result<Duration, SocketError> {
        let request = self
            .request(Method::GET, url)
            .header(COOKIE, cookie)
            .header(ORIGIN, url.origin().ascii_serialization())
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key());
        let response = request.send().await.map_err(|error| ask_error(&error))?;
        let status = response.status().as_u16();
        if status != 101 {
            return Err(SocketError::Status(status));
        }
        let upgraded = response
            .upgrade()
            .await
            .map_err(|error| ask_error(&error))?;
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        let (sent, message) = (Instant::now(), Message::text("casting doctor"));
        let there_and_back = async {
            socket.send(message.clone()).await.ok()?;
            socket.next().await?.ok()
        };
        match timeout(LIMIT, there_and_back).await {
            Ok(Some(echoed)) if echoed == message => Ok(sent.elapsed()),
            _ => Err(SocketError::NoEcho),
        }
    }

    /// A request to this address, also where this machine's resolver does not know its name.
    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let (near, host) = near(url);
        let request = self.http.request(method, near);
        match host {
            Some(host) => request.header(HOST, host),
            None => request,
        }
    }
}

/// Why there is no WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// It was answered with another status than 101.
    Status(u16),
    /// It opened, and a message did not come back.
    NoEcho,
    /// There was no answer.
    NoAnswer(AskError),
}

impl From<AskError> for SocketError {
    fn from(error: AskError) -> Self {
        Self::NoAnswer(error)
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, AskError> {
    let response = request.send().await.map_err(|error| ask_error(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer {
        status,
        headers,
        body: response.text().await.map_err(|error| ask_error(&error))?,
    })
}

fn ask_error(error: &reqwest::Error) -> AskError {
    let mut causes = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        causes = format!("{causes}: {one}");
        cause = one.source();
    }
    AskError::of(&causes, error.is_timeout())
}

/// Names under `localhost` are this machine, as browsers have it, also where its resolver does not
/// know them: the address to call, and the host to name there.
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
