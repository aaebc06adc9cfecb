//! Owns what a deployment sets: where everything is, and what it is reached with. Must not know
//! where the values come from (`environment` does).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use casting_core::PublicUrls;
use casting_core::deployment::FirstLimits;
use casting_core::event_bus::EventBusArn;
use casting_core::ids::Entropy;
use casting_core::keys::hash_secret;
use casting_core::time::Clock;
use casting_dynamo::TableNames;
use casting_ecs::EcsSettings;
use casting_identity::webhooks::Receivers;
use data_encoding::{BASE64URL_NOPAD, Encoding};

/// The prefix of local table names.
pub const LOCAL_TABLE_PREFIX: &str = "casting-";

/// All that the control plane is built from.
#[derive(Clone)]
pub struct Settings {
    /// Where control plane and sessions are.
    pub urls: PublicUrls,
    /// The master key, from which all keys are derived.
    pub signing_key: [u8; 32],
    /// The master key before that one, while keys are changed.
    pub previous_signing_key: Option<[u8; 32]>,
    /// The hash of the key with which the first API key is made; `None` where there is none.
    pub deployment_key: Option<String>,
    /// Whether people with an account can log in at a provider.
    pub has_logins: bool,
    /// The CAPTCHA provider's secret key, when it is kept outside the database.
    pub captcha_secret: Option<String>,
    /// The tables' names.
    pub tables: TableNames,
    /// The bucket for the archives of persistent profiles; `None` where none are kept.
    pub profile_bucket: Option<String>,
    /// The database of countries and networks of addresses, a file or a folder of them; `None` without
    /// one.
    pub geo_database: Option<PathBuf>,
    /// Which receivers of webhooks are called.
    pub hook_receivers: Receivers,
    /// The one event bus that hooks may name; `None` where there is none.
    pub event_bus: Option<EventBusArn>,
    /// The limits of a new deployment.
    pub first_limits: FirstLimits,
    /// Where tasks run.
    pub ecs: EcsSettings,
    /// How AWS is reached.
    pub aws: AwsSettings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and nonces.
    pub entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            urls,
            tables,
            ecs,
            aws,
            ..
        } = self;
        f.debug_struct("Settings")
            .field("urls", urls)
            .field("tables", tables)
            .field("ecs", ecs)
            .field("aws", aws)
            .finish_non_exhaustive()
    }
}

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// The region's name.
    pub region: String,
    /// The credentials of AWS calls; valid as long as the process lives.
    pub credentials: Credentials,
    /// A file of root certificates (PEM) that stand in place of the public ones in calls to AWS.
    pub ca_bundle: Option<PathBuf>,
    /// DynamoDB's URL, when it is not the region's own.
    pub dynamodb_endpoint: Option<String>,
    /// ECS's URL, when it is not the region's own.
    pub ecs_endpoint: Option<String>,
    /// S3's URL, when it is not the region's own.
    pub s3_endpoint: Option<String>,
    /// EventBridge's URL, when it is not that of the bus's region.
    pub events_endpoint: Option<String>,
    /// The URL of Secrets Manager, when it is not the region's own.
    pub secrets_endpoint: Option<String>,
    /// Carries the calls to AWS, when there is such a client already: one that has read the secrets,
    /// or one to endpoints in this very process; `None`: a new one to the network.
    pub transport: Option<SharedHttpClient>,
}

/// Everything that is wrong with the settings, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct SettingsError(pub Vec<String>);

impl AwsSettings {
    /// Endpoints on this machine, which check no signatures.
    pub fn local(dynamodb_endpoint: &str, ecs_endpoint: &str) -> Self {
        Self {
            region: "local".to_owned(),
            credentials: Credentials::new("local", "local", None, None, "local"),
            ca_bundle: None,
            dynamodb_endpoint: Some(dynamodb_endpoint.to_owned()),
            ecs_endpoint: Some(ecs_endpoint.to_owned()),
            s3_endpoint: None,
            events_endpoint: None,
            secrets_endpoint: None,
            transport: None,
        }
    }
}

impl Settings {
    /// Settings for one machine: the given endpoints, tables under [`LOCAL_TABLE_PREFIX`], a
    /// cluster named `local`.
    ///
    /// # Errors
    /// When `urls` or `signing_key` are not as in [`parse_origin`], [`parse_session_url`] and
    /// [`parse_signing_key`].
    pub fn local(
        urls: PublicUrls,
        signing_key: &str,
        dynamodb_endpoint: &str,
        ecs_endpoint: &str,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, SettingsError> {
        let one = |what: &str| {
            let what = what.to_owned();
            move |detail: String| SettingsError(vec![format!("{what} {detail}")])
        };
        let PublicUrls {
            public_url,
            report_url,
            session_url,
        } = urls;
        let urls = PublicUrls {
            public_url: parse_origin(&public_url).map_err(one("The public URL"))?,
            report_url: parse_origin(&report_url).map_err(one("The report URL"))?,
            session_url: parse_session_url(&session_url).map_err(one("The session URL"))?,
        };
        Ok(Self {
            urls,
            signing_key: parse_signing_key(signing_key).map_err(one("The signing key"))?,
            previous_signing_key: None,
            deployment_key: None,
            has_logins: false,
            captcha_secret: None,
            tables: TableNames::with_prefix(LOCAL_TABLE_PREFIX),
            profile_bucket: None,
            geo_database: None,
            hook_receivers: Receivers::Any,
            event_bus: None,
            first_limits: FirstLimits::default(),
            ecs: EcsSettings::local("local"),
            aws: AwsSettings::local(dynamodb_endpoint, ecs_endpoint),
            clock,
            entropy,
        })
    }
}

/// Reads the deployment's own key for the admin API, and keeps its hash only.
///
/// # Errors
/// The rest of a sentence that begins with the setting's name.
pub fn parse_admin_key(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() < 32 || text.contains('.') {
        return Err("must have at least 32 characters, and no dot.".to_owned());
    }
    Ok(hash_secret(text))
}

/// Reads an origin such as `https://cast.example.com`; a slash at the end is dropped.
///
/// # Errors
/// The rest of a sentence that begins with the setting's name.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let uri: http::Uri = text
        .parse()
        .map_err(|_| "is not a URL such as https://cast.example.com.".to_owned())?;
    let scheme = uri.scheme_str().unwrap_or_default();
    if !matches!(scheme, "https" | "http") || uri.host().is_none_or(str::is_empty) {
        return Err("must begin with https:// or http:// and name a host.".to_owned());
    }
    if uri.path() != "/" || uri.query().is_some() || text.contains(['@', '#']) || text.len() > 512 {
        return Err(
            "must be an origin: scheme, host and maybe a port, 512 characters at most.".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Parses the issuer URL of a login provider. Plain http only on this machine, because an
/// eavesdropper could log in as anyone.
///
/// # Errors
/// The rest of a sentence that begins with the setting's name.
pub fn parse_issuer(text: &str) -> Result<String, String> {
    let uri: http::Uri = text
        .trim()
        .parse()
        .map_err(|_| "is not a URL such as https://login.example.com.".to_owned())?;
    let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => Ok(text.trim().to_owned()),
        Some("http") if is_local => Ok(text.trim().to_owned()),
        _ => Err("must begin with https:// (http:// is for localhost only).".to_owned()),
    }
}

/// Reads where sessions are, such as `https://{session}.cast.example.com` or
/// `https://cast.example.com/s/{session}`; a slash at the end is dropped.
///
/// # Errors
/// The rest of a sentence that begins with the setting's name.
pub fn parse_session_url(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    if text.matches("{session}").count() != 1 {
        return Err("must contain {session} once, where a session's id goes.".to_owned());
    }
    let example: http::Uri = text
        .replace("{session}", "s1")
        .parse()
        .map_err(|_| "is not a URL.".to_owned())?;
    if !matches!(example.scheme_str(), Some("https" | "http"))
        || example.host().is_none_or(str::is_empty)
        || example.query().is_some()
    {
        return Err(
            "must begin with https:// or http://, name a host and have no query.".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Reads the master key: 43 characters of base64url, which hold 32 bytes. 43 random letters and
/// digits are as good.
///
/// # Errors
/// The rest of a sentence that begins with the setting's name; the key is not repeated.
pub fn parse_signing_key(text: &str) -> Result<[u8; 32], String> {
    let bytes = lenient().and_then(|encoding| encoding.decode(text.trim().as_bytes()).ok());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "must be 32 random bytes in base64url: 43 characters.".to_owned())
}

/// The last of 43 characters holds two bits too many. They may be anything, so that a password
/// generator can make a key.
fn lenient() -> Option<Encoding> {
    let mut specification = BASE64URL_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_scheme_host_and_port() {
        for (name, text, kept) in [
            (
                "https",
                "https://cast.example.com",
                Some("https://cast.example.com"),
            ),
            (
                "a slash at the end",
                "https://cast.example.com/",
                Some("https://cast.example.com"),
            ),
            (
                "a port",
                "http://localhost:8300",
                Some("http://localhost:8300"),
            ),
            ("a path", "https://example.com/cast", None),
            ("a query", "https://example.com?x", None),
            ("a user", "https://me@example.com", None),
            ("no scheme", "cast.example.com", None),
            ("another scheme", "ftp://example.com", None),
            ("nothing", "", None),
        ] {
            assert_eq!(parse_origin(text).ok().as_deref(), kept, "{name}");
        }
    }

    #[test]
    fn session_url_template_needs_one_placeholder() {
        for (text, fits) in [
            ("https://{session}.example.com", true),
            ("https://example.com/s/{session}/", true),
            ("http://{session}.localhost:8300", true),
            ("https://example.com", false),
            ("https://{session}.example.com/{session}", false),
            ("{session}.example.com", false),
            ("https://example.com/?s={session}", false),
        ] {
            assert_eq!(parse_session_url(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn signing_key_has_32_bytes() {
        for (name, text, fits) in [
            ("zeros", "A".repeat(43), true),
            (
                "letters and digits of a password generator",
                format!("{}9z", "aB3".repeat(13) + "xy"),
                true,
            ),
            (
                "a line break at the end",
                format!("{}\n", "A".repeat(43)),
                true,
            ),
            ("too short", "A".repeat(42), false),
            ("too long", "A".repeat(44), false),
            ("other characters", "+".repeat(43), false),
        ] {
            assert_eq!(parse_signing_key(&text).is_ok(), fits, "{name}");
        }
    }
}
