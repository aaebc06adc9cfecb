//! Owns one request to the deployment: its address, its credentials, and how the answer is read.
//! Must not know what is asked for.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, IF_MATCH};
use reqwest::{Method, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::error::{Error, Problem};

/// How much of an unreadable answer is kept, in characters.
const KEPT: usize = 200;

/// Sends requests to one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Caller {
    /// Requests to this address, each of which takes `limit` at most.
    pub(crate) fn new(base_url: &str, limit: Duration) -> Result<Self, Error> {
        let base = base(base_url).ok_or_else(|| Error::BadAddress(base_url.to_owned()))?;
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // A redirect would take the token along.
            .redirect(redirect::Policy::none())
            .timeout(limit)
            .build()?;
        Ok(Self {
            http,
            base,
            token: None,
        })
    }

    /// The same with this bearer token.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    /// The answer to a request at the path of these segments, with this body.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T, Error> {
        self.send(method, self.address(path, &[])?, body, None)
            .await
    }

    /// The answer to a GET with these parameters.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        self.send(Method::GET, self.address(path, query)?, None, None)
            .await
    }

    /// The answer to a change over this version of what is there; `None`: over any.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        path: &[&str],
        change: &Value,
        version: Option<u64>,
    ) -> Result<T, Error> {
        let address = self.address(path, &[])?;
        self.send(Method::PATCH, address, Some(change), version)
            .await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        address: Url,
        body: Option<&Value>,
        version: Option<u64>,
    ) -> Result<T, Error> {
        let mut request = self
            .http
            .request(method, address)
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        read(status.as_u16(), &bytes)
    }

    /// The address of a path, whose segments may be any text.
    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let mut address = self.base.clone();
        address
            .path_segments_mut()
            .map_err(|()| Error::BadAddress(self.base.to_string()))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        Ok(address)
    }
}

/// The address of a deployment, if this is one.
fn base(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.has_host();
    (matches!(url.scheme(), "http" | "https") && is_plain).then_some(url)
}

/// Reads an answer: the document, or the problem. No content is null.
fn read<T: DeserializeOwned>(status: u16, bytes: &[u8]) -> Result<T, Error> {
    let unreadable = |text: String| Error::Unreadable { status, text };
    if (200..300).contains(&status) {
        let bytes = if bytes.is_empty() { b"null" } else { bytes };
        return serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()));
    }
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => Err(Error::Refused(Box::new(problem))),
        Err(_) => {
            let text = String::from_utf8_lossy(bytes);
            Err(unreadable(text.chars().take(KEPT).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_documents_problems_or_unreadable() {
        let problem =
            r#"{"type":"/error/busy","title":"Busy","status":503,"detail":"Wait.","code":"busy"}"#;
        for (name, status, text, expected) in [
            ("a document", 200, "5", "5"),
            ("an accepted claim", 202, "6", "6"),
            ("nothing", 204, "", "null"),
            ("a problem", 503, problem, "Busy. Wait. (busy)"),
            (
                "a proxy's page",
                502,
                "<html>",
                "the deployment's answer (status 502) cannot be read: <html>",
            ),
            (
                "a redirect",
                303,
                "",
                "the deployment's answer (status 303) cannot be read: ",
            ),
        ] {
            let answer = read::<Value>(status, text.as_bytes());
            let said = answer.map_or_else(|error| error.to_string(), |value| value.to_string());
            assert_eq!(said, expected, "{name}");
        }
    }

    #[test]
    fn paths_are_below_the_address_and_escaped() {
        for (base, segments, query, expected) in [
            (
                "https://c.example",
                vec!["cast", "a"],
                vec![],
                "https://c.example/cast/a",
            ),
            (
                "https://c.example/",
                vec!["cast", "a/b?c"],
                vec![],
                "https://c.example/cast/a%2Fb%3Fc",
            ),
            (
                "https://c.example/below",
                vec!["x"],
                vec![("q", "a b")],
                "https://c.example/below/x?q=a+b",
            ),
            (
                "http://localhost:8300",
                vec![".."],
                vec![],
                "http://localhost:8300",
            ),
        ] {
            let caller = Caller::new(base, Duration::from_secs(1)).expect(base);
            let address = caller.address(&segments, &query).expect(base);
            assert_eq!(address.as_str().trim_end_matches('/'), expected, "{base}");
        }
        for wrong in [
            "c.example",
            "ftp://c.example",
            "https://c.example/?a",
            "/cast",
            "",
        ] {
            assert!(
                Caller::new(wrong, Duration::from_secs(1)).is_err(),
                "{wrong}"
            );
        }
    }
}
