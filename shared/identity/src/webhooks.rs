//! Owns the client for the receivers of webhooks: one POST to an address of the public internet,
//! with nothing followed and only the beginning of the answer read. Must not know what is said.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use casting_core::ports::Webhooks;
use casting_core::public_host::{Reach, reach};
use casting_core::webhook::{
    ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookAnswer, WebhookRequest,
};
use http::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, Url};
use url::Host;

use crate::web_client::{self, ClientError};

/// What receivers read of who calls.
const AGENT: &str = "session-casting";

/// Which receivers may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// Those on the public internet, over https.
    Public,
    /// Any, as far as the network lets them be reached.
    Any,
}

/// Calls receivers by HTTP.
pub struct HttpWebhooks {
    client: Client,
    allowed: Receivers,
}

impl HttpWebhooks {
    /// A client for these receivers. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allowed: Receivers) -> Result<Self, ClientError> {
        let builder = web_client::builder(MOST)?;
        let builder = match allowed {
            Receivers::Any => builder,
            Receivers::Public => builder.dns_resolver(Arc::new(PublicNames)),
        };
        Ok(Self {
            client: builder.build()?,
            allowed,
        })
    }

    async fn send(&self, request: &WebhookRequest, limit: Duration) -> Result<Response, String> {
        let url = Url::parse(&request.url).map_err(|_| "its address is no URL".to_owned())?;
        if self.allowed == Receivers::Public {
            check_url(&url)?;
        }
        let sent = self
            .client
            .post(url)
            .timeout(limit)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, &request.id)
            .header(TIMESTAMP_HEADER, request.timestamp.to_string())
            .header(SIGNATURE_HEADER, &request.signature)
            .body(request.body.clone())
            .send()
            .await;
        sent.map_err(|error| in_words(&error))
    }
}

/// No call takes longer, whatever its limit.
const MOST: Duration = Duration::from_secs(30);

#[async_trait]
impl Webhooks for HttpWebhooks {
    async fn post(&self, request: &WebhookRequest, millis: u64, most: usize) -> WebhookAnswer {
        let mut reply = match self.send(request, Duration::from_millis(millis)).await {
            Ok(reply) => reply,
            Err(why) => return WebhookAnswer::Failed(why),
        };
        let status = reply.status().as_u16();
        let (mut body, mut is_whole) = (Vec::new(), true);
        loop {
            match reply.chunk().await {
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break,
                Err(_) => {
                    is_whole = false;
                    break;
                }
            }
            if body.len() > most {
                is_whole = false;
                break;
            }
        }
        body.truncate(most);
        WebhookAnswer::Answered {
            status,
            body,
            is_whole,
        }
    }
}

/// What went wrong, with its causes and without the address.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause = std::error::Error::source(error);
    let mut last = None;
    while let Some(found) = cause {
        last = Some(found.to_string());
        cause = found.source();
    }
    last.unwrap_or_else(|| "it could not be reached".to_owned())
}

const NOT_PUBLIC: &str = "its host is not on the public internet, which this deployment requires";

/// An address that is spelt in the URL is never looked up, so it is judged here.
fn check_url(url: &Url) -> Result<(), String> {
    if url.scheme() != "https" {
        return Err("its address is not https".to_owned());
    }
    match url.host() {
        Some(host) if reach(&host) == Reach::Public => Ok(()),
        _ => Err(NOT_PUBLIC.to_owned()),
    }
}

/// Names that lead to addresses of the public internet and to no other: a name with one address
/// that is not public is refused as a whole, and what is checked is what is connected to.
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !all_public(found.iter().map(SocketAddr::ip)) {
                return Err(NOT_PUBLIC.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

fn all_public(mut addresses: impl Iterator<Item = IpAddr>) -> bool {
    addresses.all(|address| {
        let host: Host<&str> = match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        };
        reach(&host) == Reach::Public
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_on_the_public_internet() {
        for (name, url, fits) in [
            ("a public name", "https://example.com/hook", true),
            ("a public address", "https://93.184.215.14/", true),
            (
                "a public IPv6 address",
                "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
                true,
            ),
            ("plain http", "http://example.com/", false),
            ("loopback", "https://127.0.0.1/", false),
            ("loopback, short", "https://127.1/", false),
            ("loopback, decimal", "https://2130706433/", false),
            ("loopback, octal", "https://0177.0.0.1/", false),
            ("loopback, IPv6", "https://[::1]/", false),
            ("loopback by name", "https://localhost/", false),
            ("mapped", "https://[::ffff:10.0.0.1]/", false),
            ("private", "https://10.1.2.3/", false),
            ("private, 172", "https://172.31.0.1/", false),
            ("private, 192", "https://192.168.1.1/", false),
            ("metadata", "https://169.254.169.254/latest/", false),
            ("metadata by IPv6", "https://[fd00:ec2::254]/", false),
            ("link-local", "https://[fe80::1]/", false),
            ("unspecified", "https://0.0.0.0/", false),
            ("an inner name", "https://db.internal/", false),
            (
                "a name that spells an address",
                "https://10.0.0.1.nip.io/",
                false,
            ),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(check_url(&url).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn one_inner_address_spoils_a_name() {
        let public: IpAddr = "93.184.215.14".parse().expect("an address");
        let inner: IpAddr = "10.0.0.1".parse().expect("an address");
        assert!(all_public([public].into_iter()));
        assert!(!all_public([public, inner].into_iter()));
    }

    #[tokio::test]
    async fn inner_name_is_refused_before_any_connection() {
        let client = HttpWebhooks::new(Receivers::Public).expect("a client");
        // The machine's own name service says that this is the machine itself.
        let resolved = PublicNames
            .resolve("localhost".parse().expect("a name"))
            .await;
        assert!(resolved.is_err());
        let request = request("https://localhost:9/".to_owned());
        let answer = client.post(&request, 500, 10).await;
        assert_eq!(answer, WebhookAnswer::Failed(NOT_PUBLIC.to_owned()));
    }

    fn request(url: String) -> WebhookRequest {
        WebhookRequest {
            url,
            id: "e1".into(),
            timestamp: 1,
            signature: "v1,x".into(),
            body: "{}".into(),
        }
    }

    /// A receiver that answers like this; its URL.
    async fn receiver(answer: axum::Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, answer).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_answers_are_cut() {
        use axum::response::Redirect;
        use axum::routing::post;
        let routes = axum::Router::new()
            .route("/moved", post(async || Redirect::temporary("/long")))
            .route("/long", post(async || "a".repeat(100_000)))
            .route(
                "/slow",
                post(async || {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }),
            );
        let url = receiver(routes).await;
        let client = HttpWebhooks::new(Receivers::Any).expect("a client");
        let post = async |path: &str, millis| {
            client
                .post(&request(format!("{url}{path}")), millis, 1024)
                .await
        };
        let WebhookAnswer::Answered { status, .. } = post("/moved", 3000).await else {
            panic!("an answer");
        };
        assert_eq!(status, 307);
        let long = post("/long", 3000).await;
        let (body, is_whole) = (vec![b'a'; 1024], false);
        assert_eq!(
            long,
            WebhookAnswer::Answered {
                status: 200,
                body,
                is_whole
            }
        );
        let slow = post("/slow", 100).await;
        assert_eq!(
            slow,
            WebhookAnswer::Failed("it did not answer in time".into())
        );
        let nobody = client
            .post(&request("http://127.0.0.1:1/".into()), 1000, 10)
            .await;
        assert!(matches!(nobody, WebhookAnswer::Failed(_)));
    }
}
