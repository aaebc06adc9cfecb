//! Owns the one HTTP client: a connection pool and a TLS stack (ring, root certificates compiled in) that all AWS clients share.
//! Must not know which services are called or what to do when a call fails.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// How long one address may take to accept a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long an unused connection is kept: less than the services keep it, so that a request seldom meets a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The TLS stack could not be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be used: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// A new HTTP client for any number of AWS clients, for https and (to local endpoints) http.
///
/// # Errors
/// When the TLS stack cannot be made.
pub fn shared_client() -> Result<SharedHttpClient, TlsError> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    let pool = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector);
    Ok(SharedHttpClient::new(Pool(pool)))
}

#[derive(Clone, Debug)]
struct Pool(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpClient for Pool {
    fn http_connector(&self, settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        let connecting = settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        // One limit from the first byte of the handshake to the answer's head: a call that needs a new connection gets the time for both.
        let limit = settings.read_timeout().map(|reading| connecting + reading);
        SharedHttpConnector::new(Caller { pool: self.clone(), limit })
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
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = pool.request(request);
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, answer).await.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
                None => answer.await,
            };
            let answer = answer.map_err(|error| ConnectorError::io(error.into()))?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
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

    /// An endpoint that answers the requests of one connection with an empty list of tables, or with nothing; returns its URL and how many there were.
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
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 17\r\n\r\n";
                    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("an answer");
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
        let client = clients::dynamodb(&AwsSettings::local(&url, &url), &shared_client().expect("TLS"));
        for _ in 0..3 {
            client.list_tables().send().await.expect("an answer");
        }
        drop(client);
        assert_eq!(served.await.expect("no panic"), 3);
    }

    #[tokio::test]
    async fn an_https_endpoint_is_greeted_with_a_tls_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let client = clients::dynamodb(&AwsSettings::local(&url, &url), &shared_client().expect("TLS"));
        let call = tokio::spawn(async move { client.list_tables().send().await.is_err() });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        // A TLS record begins with its type (22, handshake) and a version.
        assert_eq!(stream.read_u16().await.expect("two bytes"), 0x1603);
        drop(stream);
        assert!(call.await.expect("no panic"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_says_nothing_is_given_up() {
        let (url, _served) = endpoint(false).await;
        let client = clients::dynamodb(&AwsSettings::local(&url, &url), &shared_client().expect("TLS"));
        let error = client.list_tables().send().await.expect_err("no answer");
        assert!(format!("{error:?}").contains("Timeout"), "{error:?}");
    }
}
