//! The archives of persistent profiles in S3, over one port of core. Requests are signed in their
//! URLs, so that a session's gate needs no role: what it fetches and sends is this one object. Must
//! not know profiles, sessions or who asks.
//!
//! What is sent must have the size and the checksum that its URL was signed for. S3 refuses
//! everything else, and keeps an object whole or not at all.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use casting_core::Upload;
use casting_core::ports::{Fault, FaultKind, ProfileFiles, Stored};
use casting_core::time::Clock;
use data_encoding::{BASE64, HEXLOWER};
use reqwest::{Client, Method, Response, StatusCode};
use url::Url;

/// How long a signed URL is good, in seconds: longer than any session may take to stop.
const GOOD_FOR: Duration = Duration::from_secs(900);
/// The header with the checksum of what is sent.
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// The header that asks for it.
const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// Where the bucket is.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// Its name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The credentials that sign requests.
    pub credentials: Credentials,
    /// S3's URL, when it is not the region's own.
    pub endpoint: Option<String>,
}

/// The bucket's URL cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not where a bucket can be")]
pub struct BucketError(String);

/// A bucket for archives.
pub struct Bucket {
    client: Client,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    region: String,
    base: Url,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Bucket {
    /// A bucket that `client` reaches. `clock` must be the machine's: S3 compares it with its own.
    ///
    /// # Errors
    /// When name, region or endpoint make no URL.
    pub fn new(
        settings: BucketSettings,
        client: Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BucketError> {
        let BucketSettings {
            bucket,
            region,
            credentials,
            endpoint,
        } = settings;
        let text = match &endpoint {
            Some(endpoint) => format!("{}/{bucket}/", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/"),
        };
        let base = Url::parse(&text)
            .ok()
            .filter(|url| url.has_host())
            .ok_or(BucketError(text))?;
        Ok(Self {
            client,
            clock,
            credentials,
            region,
            base,
        })
    }

    /// A URL for exactly this request, with these headers.
    fn sign(&self, method: &Method, key: &str, headers: &[(&str, &str)]) -> Result<Url, Fault> {
        let mut url = self.base.join(key).map_err(|error| refused(&error))?;
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(GOOD_FOR);
        let identity = self.credentials.clone().into();
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now().millis().unsigned_abs());
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| refused(&error))?
            .into();
        let request = SignableRequest::new(
            method.as_str(),
            url.as_str(),
            headers.iter().copied(),
            SignableBody::UnsignedPayload,
        )
        .map_err(|error| refused(&error))?;
        let (signed, _) = sign(request, &parameters)
            .map_err(|error| refused(&error))?
            .into_parts();
        let (_, query) = signed.into_parts();
        url.query_pairs_mut()
            .extend_pairs(query.iter().map(|(name, value)| (*name, value.as_ref())));
        Ok(url)
    }

    /// Makes a request ourselves.
    async fn ask(
        &self,
        method: Method,
        key: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Response, Fault> {
        let mut request = self
            .client
            .request(method.clone(), self.sign(&method, key, headers)?);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
            .send()
            .await
            .map_err(|error| unavailable(error.without_url().to_string()))
    }
}

#[async_trait]
impl ProfileFiles for Bucket {
    fn download(&self, key: &str) -> Result<String, Fault> {
        Ok(self.sign(&Method::GET, key, &[])?.into())
    }

    fn upload(&self, key: &str, bytes: u64, sha256: &str) -> Result<Upload, Fault> {
        let sum = HEXLOWER
            .decode(sha256.as_bytes())
            .map_err(|error| refused(&error))?;
        let headers = [
            ("content-length", bytes.to_string()),
            (CHECKSUM, BASE64.encode(&sum)),
        ];
        let signed: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let url = self.sign(&Method::PUT, key, &signed)?.into();
        Ok(Upload {
            url,
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    async fn stat(&self, key: &str) -> Result<Option<Stored>, Fault> {
        let answer = self
            .ask(Method::HEAD, key, &[(CHECKSUM_MODE, "ENABLED")])
            .await?;
        match answer.status() {
            StatusCode::OK => {
                let text = |name: &str| {
                    answer
                        .headers()
                        .get(name)
                        .and_then(|value| value.to_str().ok())
                };
                let bytes = text("content-length").and_then(|text| text.parse().ok());
                let sum = text(CHECKSUM).and_then(|text| BASE64.decode(text.as_bytes()).ok());
                let bytes = bytes.ok_or_else(|| unavailable("S3 returned no size".to_owned()))?;
                Ok(Some(Stored {
                    bytes,
                    sha256: sum.map(|sum| HEXLOWER.encode(&sum)),
                }))
            }
            // Without permission to list a bucket, missing objects are answered with 403.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            status => Err(answered(status)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        let answer = self.ask(Method::DELETE, key, &[]).await?;
        let gone = answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND;
        if gone {
            Ok(())
        } else {
            Err(answered(answer.status()))
        }
    }
}

const WHAT: &str = "reach the archives of profiles";

fn refused(error: &dyn fmt::Display) -> Fault {
    Fault {
        kind: FaultKind::Refused,
        what: WHAT,
        detail: error.to_string(),
    }
}

fn unavailable(detail: String) -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        what: WHAT,
        detail,
    }
}

fn answered(status: StatusCode) -> Fault {
    let kind = if status.is_client_error() {
        FaultKind::Refused
    } else {
        FaultKind::Unavailable
    };
    Fault {
        kind,
        what: WHAT,
        detail: format!("S3 answered {status}"),
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing::{NOON, SetClock};

    use super::*;

    fn bucket(endpoint: Option<&str>) -> Bucket {
        let settings = BucketSettings {
            bucket: "profiles".into(),
            region: "eu-central-1".into(),
            credentials: Credentials::new("id", "secret", Some("token".into()), None, "test"),
            endpoint: endpoint.map(str::to_owned),
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        Bucket::new(settings, Client::new(), Arc::new(SetClock::at(NOON))).expect("a bucket")
    }

    fn query(url: &str, name: &str) -> String {
        let url = Url::parse(url).expect("a URL");
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }

    #[test]
    fn upload_signature_covers_size_and_checksum() {
        let upload = bucket(None)
            .upload("profiles/a/b/c", 7, &"ab".repeat(32))
            .expect("signs");
        assert!(
            upload
                .url
                .starts_with("https://profiles.s3.eu-central-1.amazonaws.com/profiles/a/b/c?"),
            "{}",
            upload.url
        );
        assert_eq!(
            query(&upload.url, "X-Amz-SignedHeaders"),
            "content-length;host;x-amz-checksum-sha256"
        );
        assert_eq!(
            (
                query(&upload.url, "X-Amz-Date"),
                query(&upload.url, "X-Amz-Expires")
            ),
            ("20261123T120000Z".into(), "900".into())
        );
        assert_eq!(
            (
                upload.headers["content-length"].as_str(),
                upload.headers[CHECKSUM].len()
            ),
            ("7", 44)
        );
    }

    #[test]
    fn download_signature_covers_key_and_time() {
        let (here, there) = (bucket(Some("http://127.0.0.1:9/")), bucket(None));
        let url = here.download("profiles/a").expect("signs");
        assert!(
            url.starts_with("http://127.0.0.1:9/profiles/profiles/a?"),
            "{url}"
        );
        assert_eq!(query(&url, "X-Amz-Security-Token"), "token");
        let signature =
            |bucket: &Bucket, key| query(&bucket.download(key).expect("signs"), "X-Amz-Signature");
        assert_ne!(
            signature(&there, "profiles/a"),
            signature(&there, "profiles/b")
        );
    }
}
