//! Owns the client for calls to others: TLS by ring with root certificates compiled in, no proxies,
//! no redirects (an address that an administrator set is the only one that is ever called).

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no TLS.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// There is no client.
    #[error("the client for calls to others cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// A new client. One call, from the connection to the last byte of the answer, takes `limit` at
/// most.
///
/// # Errors
/// When TLS cannot be set up.
pub fn build(limit: Duration) -> Result<Client, ClientError> {
    Ok(builder(limit)?.build()?)
}

/// The same, not made yet.
pub(crate) fn builder(limit: Duration) -> Result<ClientBuilder, ClientError> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(limit))
}
