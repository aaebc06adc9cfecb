//! What every main needs: the environment becomes settings, settings become clients, clients become
//! the control plane. Owns the real clock, the real randomness and the one HTTP client; must not
//! know what any function does.
//!
//! # Layout
//! - [`settings`]: all settings of a deployment; only `environment` reads environment variables
//! - [`http`]: one connection pool and one TLS stack under all AWS clients; [`clients`] makes these
//! - [`system`]: the real clock and randomness; [`log`]: where the log goes; `metrics`: what is
//!   counted in it
//! - `secrets`: the secrets that the environment names by their ARN
//! - `no_captcha`: what functions that open no links have in place of a CAPTCHA's verifier
//! - `warm`: connections are opened before the first request comes

pub mod clients;
mod environment;
pub mod http;
pub mod log;
mod metrics;
mod no_captcha;
mod secrets;
pub mod settings;
pub mod system;
mod warm;

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderName;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use casting_core::admin::login_previews::LoginReader;
use casting_core::captcha::CaptchaVerifier;
use casting_core::event_bus::EventBusArn;
use casting_core::keys::Keyring;
use casting_core::ports::{EventBus, ProfileFiles};
use casting_core::{ControlPlane, Ports};
use casting_dynamo::DynamoStore;
use casting_ecs::EcsLauncher;
use casting_eventbridge::EventBridge;
use casting_geo::LazyGeoFiles;
use casting_identity::captcha::Captchas;
use casting_identity::gates::HttpGates;
use casting_identity::oidc::OidcSettings;
use casting_identity::preview::OidcReader;
use casting_identity::web_client::{self, ClientError};
use casting_identity::webhooks::HttpWebhooks;
use casting_s3::{Bucket, BucketError, BucketSettings};
use tokio::sync::OnceCell;

pub use casting_dynamo::stream::is_delivery;

pub use crate::environment::required as required_variables;
pub use crate::http::TlsError;
pub use crate::metrics::NAMESPACE as METRICS_NAMESPACE;
use crate::no_captcha::NoCaptcha;
pub use crate::secrets::SECRETS;
pub use crate::settings::{AwsSettings, Settings, SettingsError};
pub use crate::system::{SystemClock, SystemEntropy};

/// Timeout of calls to S3.
const S3_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Something is wrong with the environment.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no client for calls to others.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The bucket for profiles can be none.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// The control plane as the environment describes it, with its log and its connections opened, for
/// a function without outgoing calls: it checks no CAPTCHA solutions and notifies no gate.
///
/// # Errors
/// Every missing or invalid variable, in one error; it is logged too, because a Lambda's main has
/// no other output.
pub async fn start() -> Result<ControlPlane, BootError> {
    start_with(|settings| assemble(settings, |_, _| Ok(Arc::new(NoCaptcha)))).await
}

/// The same, for the function that sends events to hooks.
///
/// # Errors
/// As [`start`], and when there is no client for calls to others.
pub async fn start_delivering() -> Result<ControlPlane, BootError> {
    start_with(|mut settings| {
        let webhooks = HttpWebhooks::new(settings.hook_receivers)?;
        let http = transport(&settings.aws)?;
        let bus = settings.event_bus.clone();
        let bus = bus.map(|bus| event_bus(&settings.aws, &http, bus));
        settings.aws.transport = Some(http);
        let mut control_plane = assemble(settings, |_, _| Ok(Arc::new(NoCaptcha)))?;
        control_plane.webhooks = Some(Arc::new(webhooks));
        control_plane.event_bus = bus;
        Ok(control_plane)
    })
    .await
}

/// The same, for functions whose users wait for gates or CAPTCHA providers: those that open links,
/// show sessions and administer. They can ask every provider, and call every gate: whose it is, and
/// that its session has ended or is no longer shared.
///
/// # Errors
/// As [`start`], and when there is no client for calls to others.
pub async fn start_calling_out() -> Result<ControlPlane, BootError> {
    start_with(build).await
}

async fn start_with(
    build: impl FnOnce(Settings) -> Result<ControlPlane, BootError>,
) -> Result<ControlPlane, BootError> {
    let variables = environment::variables();
    log::to_stdout_as_json(
        variables.get(environment::LOG).map(String::as_str),
        variables.get(environment::STACK).map(String::as_str),
    );
    let control_plane = async {
        let environment = environment().await?;
        let mut settings = environment::read(&environment.variables)?;
        settings.aws.transport.clone_from(&environment.transport);
        build(settings)
    };
    let control_plane = control_plane.await;
    match &control_plane {
        Ok(control_plane) => warm::connect(control_plane).await,
        Err(error) => tracing::error!(%error, "This function cannot start"),
    }
    control_plane
}

/// The environment with the secrets that it names.
struct Environment {
    variables: environment::Variables,
    /// The client that has read the secrets; `None` when there were none to read.
    transport: Option<SharedHttpClient>,
}

/// This process's environment with its secrets, which are read once.
async fn environment() -> Result<&'static Environment, BootError> {
    static ENVIRONMENT: OnceCell<Environment> = OnceCell::const_new();
    let read = async || {
        let mut variables = environment::variables();
        let named = secrets::named(&variables);
        let transport = if named.is_empty() {
            None
        } else {
            let aws = environment::read_access(&variables)?;
            let http = http::shared_client(aws.ca_bundle.as_deref())?;
            let client = clients::secrets(&aws, &http);
            let read = secrets::read(&client, named, &mut variables).await;
            read.map_err(SettingsError)?;
            Some(http)
        };
        Ok(Environment {
            variables,
            transport,
        })
    };
    ENVIRONMENT.get_or_try_init(read).await
}

/// The login provider that the environment names; `None` when it names none.
///
/// # Errors
/// Every variable that is missing or wrong, in one error.
pub async fn login_settings() -> Result<Option<OidcSettings>, BootError> {
    let settings =
        environment::read_login(&environment().await?.variables).map_err(BootError::from);
    if let Err(error) = &settings {
        tracing::error!(%error, "This function cannot start");
    }
    settings
}

/// What reads pasted claims as logins do, for the administrators of a deployment with logins; `None`
/// where the environment does not describe them.
///
/// # Errors
/// When the environment cannot be read.
pub async fn login_reader() -> Result<Option<Arc<dyn LoginReader>>, BootError> {
    match environment::read_login(&environment().await?.variables) {
        Ok(login) => {
            Ok(login.map(|login| Arc::new(OidcReader::new(login)) as Arc<dyn LoginReader>))
        }
        Err(error) => {
            tracing::warn!(%error, "Logins cannot be previewed");
            Ok(None)
        }
    }
}

/// In which header the one proxy in front of the gateway names the visitor, and what it proves
/// itself with; `None` when there is no such proxy.
///
/// # Errors
/// When the header's name is none.
pub async fn trusted_hop() -> Result<Option<(HeaderName, Option<String>)>, BootError> {
    let hop = environment::read_hop(&environment().await?.variables).map_err(BootError::from);
    if let Err(error) = &hop {
        tracing::error!(%error, "This function cannot start");
    }
    hop
}

/// The storage of profile archives. Its requests are signed with the machine's own time, not with
/// the clock of the policies.
fn profiles(bucket: String, aws: &AwsSettings) -> Result<Arc<dyn ProfileFiles>, BootError> {
    let settings = BucketSettings {
        bucket,
        region: aws.region.clone(),
        credentials: aws.credentials.clone(),
        endpoint: aws.s3_endpoint.clone(),
    };
    Ok(Arc::new(Bucket::new(
        settings,
        web_client::build(S3_TIMEOUT)?,
        Arc::new(SystemClock),
    )?))
}

/// What puts events on a bus, apart from [`build`], so that only a program that sends events holds
/// its client.
pub fn event_bus(
    aws: &AwsSettings,
    http: &SharedHttpClient,
    bus: EventBusArn,
) -> Arc<dyn EventBus> {
    Arc::new(EventBridge::new(
        clients::event_bridge(aws, http, &bus),
        bus,
    ))
}

/// The control plane that these settings describe, with all that calls out to others: CAPTCHA
/// providers and gates. Opens nothing yet.
///
/// # Errors
/// When there is no TLS.
pub fn build(settings: Settings) -> Result<ControlPlane, BootError> {
    let gates = HttpGates::new(&settings.urls.session_url)?;
    let webhooks = HttpWebhooks::new(settings.hook_receivers)?;
    let geo = settings.geo_database.clone();
    let mut control_plane = assemble(settings, |keys, secret| {
        Ok(Arc::new(Captchas::new(keys.captcha())?.with_secret(secret)))
    })?;
    control_plane.geo = geo.map(|path| Arc::new(LazyGeoFiles::new(vec![path])) as _);
    control_plane.gates = Some(Arc::new(gates));
    control_plane.webhooks = Some(Arc::new(webhooks));
    Ok(control_plane)
}

/// What carries the calls to AWS.
fn transport(aws: &AwsSettings) -> Result<SharedHttpClient, TlsError> {
    match &aws.transport {
        Some(transport) => Ok(transport.clone()),
        None => http::shared_client(aws.ca_bundle.as_deref()),
    }
}

/// The functions differ in whether they call out to others. Who checks proofs is handed in, so that
/// a program holds only what it uses.
fn assemble(
    settings: Settings,
    verifier: impl FnOnce(&Keyring, Option<String>) -> Result<Arc<dyn CaptchaVerifier>, BootError>,
) -> Result<ControlPlane, BootError> {
    let http = transport(&settings.aws)?;
    let store = Arc::new(DynamoStore::new(
        clients::dynamodb(&settings.aws, &http),
        settings.tables,
    ));
    let launcher = Arc::new(EcsLauncher::new(
        clients::ecs(&settings.aws, &http),
        settings.ecs,
    ));
    let keys = Keyring::changing(
        &settings.signing_key,
        settings.previous_signing_key.as_ref(),
    );
    let captcha = verifier(&keys, settings.captcha_secret)?;
    let mut control_plane = ControlPlane::new(
        Ports {
            store,
            launcher,
            captcha,
            clock: settings.clock,
            entropy: settings.entropy,
        },
        keys,
        settings.urls,
    );
    control_plane.deployment_key = settings.deployment_key;
    control_plane.has_logins = settings.has_logins;
    control_plane.first_limits = settings.first_limits;
    control_plane.event_bus_arn = settings.event_bus;
    control_plane.profiles = settings
        .profile_bucket
        .map(|bucket| profiles(bucket, &settings.aws))
        .transpose()?;
    Ok(control_plane)
}
