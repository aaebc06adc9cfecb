//! Owns the one HTTP client: a connection pool and a TLS stack (ring, root certificates compiled
//! in) that all AWS clients share. Must not know which services are called or what to do when a
//! call fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How long one address may take to accept a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long an unused connection is kept: less than the services keep it, so that a request seldom
/// meets a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The TLS stack could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The algorithms, or a certificate, are not to be used.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The file of root certificates is none.
    #[error("AWS_CA_BUNDLE names no file of certificates: {0}")]
    Bundle(#[from] rustls::pki_types::pem::Error),
}

/// A new HTTP client for any number of AWS clients, for https and (to local endpoints) http. It
/// trusts the public roots, or only those in `ca_bundle`.
///
/// # Errors
/// When the TLS stack cannot be made, or the file holds no certificates.
pub fn shared_client(ca_bundle: Option<&Path>) -> Result<SharedHttpClient, TlsError> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = match ca_bundle {
        None => HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?,
        Some(file) => HttpsConnectorBuilder::new().with_tls_config(trusting(file)?),
    };
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    let pool = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(connector);
    Ok(SharedHttpClient::new(Pool(pool)))
}

/// Trusts the roots in this file, and no other.
fn trusting(file: &Path) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Bundle(
            rustls::pki_types::pem::Error::NoItemsFound,
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(tls.with_root_certificates(roots).with_no_client_auth())
}

#[derive(Clone, Debug)]
struct Pool(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpClient for Pool {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connecting = settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        // One limit from the first byte of the handshake to the answer's head: a call that needs a
        // new connection gets the time for both.
        let limit = settings.read_timeout().map(|reading| connecting + reading);
        SharedHttpConnector::new(Caller {
            pool: self.clone(),
            limit,
        })
    }
}

#[derive(Debug)]
struct Caller {
    pool: Pool,
    limit: Option<Duration>,
}

impl HttpConnector for Caller {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Pool(pool) = self.pool.clone();
        let limit = self.limit;
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let answer = pool.request(request);
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
                None => answer.await,
            };
            let answer = answer
                .map_err(|error| ConnectorError::io(error.into()))?
                .map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;
    use crate::settings::AwsSettings;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// An endpoint that answers the requests of one connection with an empty list of tables, or
    /// with nothing; returns its URL and how many there were.
    async fn endpoint(answers: bool) -> (String, tokio::task::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut served = 0;
            let mut buffer = vec![0; 65_536];
            while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                if answers {
                    let body = r#"{"TableNames":[]}"#;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: \
                         application/x-amz-json-1.0\r\ncontent-length: 17\r\n\r\n";
                    stream
                        .write_all(format!("{head}{body}").as_bytes())
                        .await
                        .expect("an answer");
                }
                served += 1;
            }
            served
        });
        (url, task)
    }

    #[tokio::test]
    async fn calls_share_one_connection() {
        let (url, served) = endpoint(true).await;
        let client = clients::dynamodb(
            &AwsSettings::local(&url, &url),
            &shared_client(None).expect("TLS"),
        );
        for _ in 0..3 {
            client.list_tables().send().await.expect("an answer");
        }
        drop(client);
        assert_eq!(served.await.expect("no panic"), 3);
    }

    #[tokio::test]
    async fn https_endpoint_gets_a_tls_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let client = clients::dynamodb(
            &AwsSettings::local(&url, &url),
            &shared_client(None).expect("TLS"),
        );
        let call = tokio::spawn(async move { client.list_tables().send().await.is_err() });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        // A TLS record begins with its type (22, handshake) and a version.
        assert_eq!(stream.read_u16().await.expect("two bytes"), 0x1603);
        drop(stream);
        assert!(call.await.expect("no panic"));
    }

    /// An https endpoint that says once that there are no tables; returns its URL and its
    /// certificate as a file's text.
    async fn secret_endpoint() -> (String, String) {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let tls = tls
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().expect("an address").port()
        );
        tokio::spawn(async move {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let _ = stream.read(&mut vec![0; 65_536]).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: \
                            application/x-amz-json-1.0\r\ncontent-length: 17\r\n\r\n";
                let _ = stream
                    .write_all(format!("{head}{{\"TableNames\":[]}}").as_bytes())
                    .await;
            }
        });
        let text = data_encoding::BASE64.encode(made.cert.der());
        (
            url,
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"),
        )
    }

    #[tokio::test]
    async fn self_signed_certificate_needs_the_ca_bundle() {
        let (url, certificate) = secret_endpoint().await;
        let file = std::env::temp_dir().join(format!("casting-bundle-{}.pem", std::process::id()));
        std::fs::write(&file, certificate).expect("a file");
        for (bundle, trusted) in [(None, false), (Some(file.as_path()), true)] {
            let client = clients::dynamodb(
                &AwsSettings::local(&url, &url),
                &shared_client(bundle).expect("TLS"),
            );
            assert_eq!(
                client.list_tables().send().await.is_ok(),
                trusted,
                "{bundle:?}"
            );
        }
        std::fs::write(&file, "no certificate").expect("a file");
        assert!(
            shared_client(Some(&file)).is_err(),
            "a file without certificates"
        );
        std::fs::remove_file(&file).expect("is deleted");
        assert!(shared_client(Some(&file)).is_err(), "no file");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_endpoint_times_out() {
        let (url, _served) = endpoint(false).await;
        let client = clients::dynamodb(
            &AwsSettings::local(&url, &url),
            &shared_client(None).expect("TLS"),
        );
        let error = client.list_tables().send().await.expect_err("no answer");
        assert!(format!("{error:?}").contains("Timeout"), "{error:?}");
    }
}
