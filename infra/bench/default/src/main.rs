//! Boots the cast function with everything at its default: the SDK's own HTTPS client and
//! credentials, a runtime with many threads, and no call before the first event.

use std::sync::Arc;

use casting_boot::{Settings, SystemClock, SystemEntropy};
use casting_core::keys::Keyring;
use casting_core::{ControlPlane, Ports, PublicUrls};
use casting_dynamo::DynamoStore;
use casting_ecs::EcsLauncher;
use casting_identity::captcha::Captchas;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let public_url = std::env::var("CASTING_PUBLIC_URL")?;
    let urls = PublicUrls { report_url: public_url.clone(), public_url, session_url: std::env::var("CASTING_SESSION_URL")? };
    let key = std::env::var("CASTING_SIGNING_KEY")?;
    let settings = Settings::local(urls, &key, "", "", Arc::new(SystemClock), Arc::new(SystemEntropy::new()))?;
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let store = Arc::new(DynamoStore::new(aws_sdk_dynamodb::Client::new(&aws), settings.tables));
    let launcher = Arc::new(EcsLauncher::new(aws_sdk_ecs::Client::new(&aws), settings.ecs));
    let keys = Keyring::changing(&settings.signing_key, None);
    let captcha = Arc::new(Captchas::new(keys.captcha())?);
    let ports = Ports { store, launcher, captcha, clock: settings.clock, entropy: settings.entropy };
    let control_plane = &ControlPlane::new(ports, keys, settings.urls);
    run(service_fn(async move |request: Request| Ok::<_, Error>(casting_fn_cast::handle(control_plane, request).await))).await
}
