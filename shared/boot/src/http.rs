//! Owns the one HTTP client: a connection pool and a TLS stack (ring, root certificates compiled
//! in) that all AWS clients share. Must not know which services are called or what to do when a
//! call fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{Extensions, Response};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{
    CaptureConnection, HttpConnector as TcpConnector, HttpInfo, capture_connection,
};
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
    pool(ca_bundle).map(SharedHttpClient::new)
}

fn pool(ca_bundle: Option<&Path>) -> Result<Pool, TlsError> {
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
    Ok(Pool(pool))
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
        // One limit from the first byte of the handshake to the answer's last: a call that needs a
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
            let mut request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let connection = capture_connection(&mut request);
            // How the SDK finds the connection, which it closes after a failure that may be its fault.
            if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
                capture.set_connection_retriever(move || connection_of(&connection));
            }
            // The body too: a connection may stall after the head.
            let answer = async {
                let (head, body) = pool.request(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, BoxError>(Response::from_parts(head, SdkBody::from(body)))
            };
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
                None => answer.await,
            };
            let answer = answer.map_err(ConnectorError::io)?;
            HttpResponse::try_from(answer)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection that a request was sent on, for the SDK; `None` before there is one.
fn connection_of(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    let known = captured.connection_metadata();
    let connected = known.as_ref()?;
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    let addresses = extras.get::<HttpInfo>();
    let mut metadata = ConnectionMetadata::builder();
    metadata
        .set_remote_addr(addresses.map(HttpInfo::remote_addr))
        .set_local_addr(addresses.map(HttpInfo::local_addr));
    let metadata = metadata.proxied(connected.is_proxied());
    let captured = captured.clone();
    let poison = move || {
        if let Some(connected) = captured.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(metadata.poison_fn(poison).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;
    use crate::settings::AwsSettings;
    use std::sync::atomic::{AtomicUsize, Ordering};
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

    /// An endpoint that answers the first request of each connection like this; returns its URL and
    /// how many connections there were.
    async fn connections(first: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 65_536];
                    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        stream.write_all(first.as_bytes()).await.expect("an answer");
                    }
                });
            }
        });
        (url, count)
    }

    #[tokio::test]
    async fn connection_of_a_failed_call_is_not_used_again() {
        const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        for (name, answer, expected) in [("broken", BROKEN, 3), ("refused", REFUSED, 1)] {
            let (url, count) = connections(answer).await;
            let client = clients::dynamodb(
                &AwsSettings::local(&url, &url),
                &shared_client(None).expect("TLS"),
            );
            for _ in 0..3 {
                assert!(client.list_tables().send().await.is_err());
            }
            assert_eq!(count.load(Ordering::SeqCst), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn body_that_stalls_fails_within_the_limit() {
        let (url, _) = connections("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{").await;
        let connector = Caller {
            pool: pool(None).expect("TLS"),
            limit: Some(Duration::from_millis(100)),
        };
        let request = http::Request::post(&url).body(SdkBody::empty());
        let request = HttpRequest::try_from(request.expect("a request"));
        let answer = connector.call(request.expect("a request")).await;
        assert!(answer.is_err_and(|error| error.is_timeout()));
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
