//! Owns the demo: the image and the cast that a new data folder begins with, and the administrator's first API key. Made through the same ports
//! that the admin API uses.

use anyhow::{Result, anyhow};
use casting_boot::Control;
use casting_core::cast::{Cast, CastSettings, Counter};
use casting_core::ids::{ApiKeyId, CastId, CastKey, Entropy, ImageId, draw};
use casting_core::image::{ContainerSource, Image, ImageSettings, ImageSource};
use casting_core::keys::hash_secret;
use casting_core::ports::{ApiKey, Launcher, Store};
use casting_core::time::Timestamp;

/// The demo link's key.
pub const DEMO_KEY: &str = "welcome";

/// What the administrator's key is called.
const ADMIN_KEY_NAME: &str = "Local administrator";

/// Registers the demo app and makes its link.
///
/// # Errors
/// When the store or the ECS endpoint refuses; both were started a moment ago.
pub async fn seed_demo(control: &Control) -> Result<()> {
    let now = control.clock.now();
    let mut image = Image {
        id: ImageId::from_bytes(draw(&*control.entropy)),
        version: 1,
        settings: ImageSettings {
            name: "Demo app".into(),
            description: "A small app that shows what its session was given.".into(),
            enabled: true,
            source: ImageSource::Container(ContainerSource {
                image: "casting/demo-app".into(),
                command: vec!["demo-app".into()],
                cpu: 256,
                memory: 512,
            }),
            container: "session".into(),
            port: None,
            environment: Default::default(),
            start_timeout_seconds: 30,
            session_time_limit_seconds: 3600,
            network: None,
            allow_network_selection: false,
            restrict_to_networks: Vec::new(),
        },
        task_definition: String::new(),
        created_at: now,
        updated_at: now,
    };
    image.task_definition = control.launcher.register(&image).await?.map_err(|words| anyhow!("The demo image was refused: {words}"))?;
    let cast = Cast {
        id: CastId::from_bytes(draw(&*control.entropy)),
        version: 1,
        settings: CastSettings {
            name: "Demo".into(),
            description: "Made at the first start; change or delete it as you like.".into(),
            key: CastKey::parse(DEMO_KEY).ok_or_else(|| anyhow!("The demo key is no key."))?,
            image_id: image.id.clone(),
            enabled: true,
            valid_until: None,
            limit_total_sessions: false,
            ip_limit: None,
            referrers: Vec::new(),
            error_url: None,
            kasm_url: Some("https://example.com/".into()),
            dynamic_kasm_url: true,
            dynamic_kasm_url_hosts: Vec::new(),
            dynamic_docker_network: false,
            allow_anonymous: true,
            anonymous_group_id: None,
            require_captcha: false,
            allow_resume: false,
            max_live_sessions: None,
            open_hours: None,
            allowed_addresses: Vec::new(),
            banned_addresses: Vec::new(),
            enforced_client_settings: None,
            background_url: None,
        },
        counter: Counter::new(0),
        created_at: now,
        updated_at: now,
    };
    control.store.put_record(&image, None).await?;
    control.store.create_cast(&cast).await?;
    Ok(())
}

/// A new API key as text: its id, a dot, its secret.
pub fn draw_admin_key(entropy: &dyn Entropy, now: Timestamp) -> String {
    casting_fn_admin::issue(entropy, now, ADMIN_KEY_NAME.into()).1
}

/// Lets the administrator's key in, also when it was deleted over the API: whoever can read the data folder owns the stack.
///
/// # Errors
/// When the key's file was changed by hand, or the store does not take it.
pub async fn admit_admin_key(control: &Control, text: &str) -> Result<()> {
    let (id, secret) = text.split_once('.').ok_or_else(|| anyhow!("The file admin-key holds no key; delete it to get a new one."))?;
    let id = ApiKeyId::parse(id).ok_or_else(|| anyhow!("The file admin-key holds no key; delete it to get a new one."))?;
    let key = ApiKey { id, name: ADMIN_KEY_NAME.into(), secret_hash: hash_secret(secret), created_at: control.clock.now() };
    Ok(control.store.put_api_key(&key).await?)
}
