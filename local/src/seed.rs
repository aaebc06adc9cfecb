//! Owns the demos: the images and the casts that a new data folder begins with, and the
//! administrator's first API key. Made through the same ports that the admin API uses.

use anyhow::{Result, anyhow};
use casting_core::ControlPlane;
use casting_core::actor::Scope;
use casting_core::api_key::{ApiKey, ApiKeySettings};
use casting_core::cast::{Cast, CastSettings, Counter};
use casting_core::deployment::Deployment;
use casting_core::ids::{CastId, CastKey, Entropy, ImageId, StagingId, random_bytes};
use casting_core::image::{
    AppAccess, Architecture, ContainerSource, Image, ImageSettings, ImageSource,
};
use casting_core::keys::hash_secret;
use casting_core::persistent_profile::ProfileSettings;
use casting_core::session_options::{Exec, ExecConfig, ViewOnly};
use casting_core::staging::{StagingConfig, StagingSettings};
use casting_core::time::Timestamp;

use crate::stack::{BROWSER_APP, DEMO_APP, STREAMED_BROWSER_APP, STREAMED_DESKTOP_APP};

/// How many sessions of a link for everybody may live at once: below the stack's own limit, so that
/// one demo cannot take all places.
const DEMO_SESSIONS: u32 = 40;
/// The demo link's key.
pub const DEMO_KEY: &str = "welcome";
/// The browser link's key.
pub const BROWSER_KEY: &str = "browser";

/// The demo link's key for those who log in, and find again what they wrote.
pub const OWN_FILES_KEY: &str = "my-files";
/// The browser link's key for those who log in, and find their bookmarks again.
pub const OWN_BROWSER_KEY: &str = "my-browser";

/// The streamed browser link's key.
pub const STREAMED_BROWSER_KEY: &str = "streamed-browser";
/// The desktop link's key.
pub const DESKTOP_KEY: &str = "desktop";
/// The streamed browser link's key for those who log in.
pub const OWN_STREAMED_BROWSER_KEY: &str = "my-streamed-browser";
/// The desktop link's key for those who log in, and find their files again.
pub const OWN_DESKTOP_KEY: &str = "my-desktop";

/// The name of the administrator's key.
const ADMIN_KEY_NAME: &str = "Local administrator";

/// The settings of an image and its link.
#[derive(Clone, Copy)]
struct Offer {
    name: &'static str,
    description: &'static str,
    image: &'static str,
    command: &'static str,
    cpu: u32,
    memory: u32,
    link: &'static str,
    key: &'static str,
    view_only: ViewOnly,
    /// The key of the link for users who find their files again.
    own_key: &'static str,
    /// The command that opens an address.
    go: Option<[&'static str; 2]>,
    /// The command that assigns a session that was started in advance.
    assign: [&'static str; 2],
    /// How many sessions are kept ready.
    ready: u32,
}

/// Writes down what a new stack begins with.
///
/// # Errors
/// When the store refuses.
pub async fn limit(control_plane: &ControlPlane) -> Result<()> {
    let first = control_plane.first_limits.settings();
    let deployment = Deployment::new(1, first, control_plane.clock.now());
    control_plane
        .store
        .put_record(&deployment, None, None)
        .await?;
    Ok(())
}

/// Registers the demo app and makes its link.
///
/// # Errors
/// When the store or the ECS endpoint refuses; both were started a moment ago.
pub async fn seed_demo(control_plane: &ControlPlane) -> Result<()> {
    let offer = Offer {
        name: "Demo app",
        description: "A small app that shows what its session was given.",
        image: "casting/demo-app",
        command: DEMO_APP,
        cpu: 256,
        memory: 512,
        link: "Demo",
        key: DEMO_KEY,
        view_only: ViewOnly::Requests,
        own_key: OWN_FILES_KEY,
        go: None,
        assign: [DEMO_APP, "assign"],
        ready: 1,
    };
    offer.make(control_plane).await
}

/// Registers the browser app and creates its link, unless a link has this key.
///
/// # Errors
/// When the store or the ECS endpoint refuses.
pub async fn seed_browser(control_plane: &ControlPlane) -> Result<()> {
    let offer = Offer {
        name: "Browser",
        description: "Chromium on a screen of its own.",
        image: "casting/browser",
        command: BROWSER_APP,
        cpu: 1024,
        memory: 2048,
        link: "Browser",
        key: BROWSER_KEY,
        view_only: ViewOnly::Rfb,
        own_key: OWN_BROWSER_KEY,
        go: Some([BROWSER_APP, "open"]),
        assign: [BROWSER_APP, "open"],
        ready: 0,
    };
    offer.make(control_plane).await
}

/// Registers the streamed apps and creates their links, unless links have these keys.
///
/// # Errors
/// When the store or the ECS endpoint refuses.
pub async fn seed_streamed(control_plane: &ControlPlane) -> Result<()> {
    let browser = Offer {
        name: "Streamed browser",
        description: "Chromium on a streaming server: video, sound, every keyboard.",
        image: "casting/streamed-browser",
        command: STREAMED_BROWSER_APP,
        cpu: 1024,
        memory: 2048,
        link: "Streamed browser",
        key: STREAMED_BROWSER_KEY,
        view_only: ViewOnly::Selkies,
        own_key: OWN_STREAMED_BROWSER_KEY,
        go: Some([STREAMED_BROWSER_APP, "open"]),
        assign: [STREAMED_BROWSER_APP, "open"],
        ready: 0,
    };
    let desktop = Offer {
        name: "Desktop",
        description: "A small desktop on a streaming server, with a browser, a terminal and a file \
                      manager.",
        image: "casting/streamed-desktop",
        command: STREAMED_DESKTOP_APP,
        link: "Desktop",
        key: DESKTOP_KEY,
        own_key: OWN_DESKTOP_KEY,
        go: Some([STREAMED_DESKTOP_APP, "open"]),
        assign: [STREAMED_DESKTOP_APP, "open"],
        ..browser
    };
    browser.make(control_plane).await?;
    desktop.make(control_plane).await
}

impl Offer {
    async fn make(&self, control_plane: &ControlPlane) -> Result<()> {
        let key = CastKey::parse(self.key).ok_or_else(|| anyhow!("{} is no key.", self.key))?;
        if control_plane.store.cast_by_key(&key).await?.is_some() {
            return Ok(());
        }
        let now = control_plane.clock.now();
        let mut image = Image {
            id: ImageId::from_bytes(random_bytes(&*control_plane.entropy)),
            version: 1,
            settings: ImageSettings {
                name: self.name.into(),
                description: self.description.into(),
                enabled: true,
                source: ImageSource::Container(ContainerSource {
                    image: self.image.into(),
                    command: vec![self.command.into()],
                    cpu: self.cpu,
                    memory: self.memory,
                    ephemeral_storage: None,
                    architecture: Architecture::X86_64,
                    registry_secret: None,
                }),
                container: "session".into(),
                port: None,
                environment: Default::default(),
                start_timeout_seconds: 30,
                session_time_limit_seconds: 3600,
                network: None,
                allow_network_selection: false,
                restrict_to_networks: Vec::new(),
                view_only: Some(self.view_only),
                exec: ExecConfig {
                    go: self.go.map(run),
                    assign: Some(run(self.assign)),
                    first_launch: None,
                },
                app: AppAccess::default(),
                profile: ProfileSettings::default(),
                shared_memory: false,
            },
            task_definition: String::new(),
            created_at: now,
            updated_at: now,
        };
        image.task_definition = control_plane
            .launcher
            .register(&image)
            .await?
            .map_err(|words| anyhow!("The image {} was refused: {words}", self.name))?;
        let cast = Cast {
            id: CastId::from_bytes(random_bytes(&*control_plane.entropy)),
            version: 1,
            settings: CastSettings {
                description: "Made at the first start; change or delete it as you like.".into(),
                kasm_url: Some("https://example.com/".into()),
                dynamic_kasm_url: true,
                max_live_sessions: Some(DEMO_SESSIONS),
                ..CastSettings::open(self.link.into(), key, image.id.clone())
            },
            counter: Counter::new(0),
            created_at: now,
            updated_at: now,
        };
        control_plane.store.put_record(&image, None, None).await?;
        control_plane.store.create_cast(&cast, None).await?;
        control_plane.count_of_cast(&cast).await?;
        if self.ready > 0 {
            control_plane
                .store
                .put_record(&self.pool(control_plane, &image), None, None)
                .await?;
        }
        let mut keeping = Image {
            id: ImageId::from_bytes(random_bytes(&*control_plane.entropy)),
            ..image.clone()
        };
        keeping.settings.name = format!("{}, with your own files", self.name);
        keeping.settings.profile.path = Some("/home/session".into());
        keeping.task_definition = control_plane
            .launcher
            .register(&keeping)
            .await?
            .map_err(|words| anyhow!("The image {} was refused: {words}", self.name))?;
        control_plane.store.put_record(&keeping, None, None).await?;
        let own_key =
            CastKey::parse(self.own_key).ok_or_else(|| anyhow!("{} is no key.", self.own_key))?;
        let own = Cast {
            id: CastId::from_bytes(random_bytes(&*control_plane.entropy)),
            settings: CastSettings {
                name: format!("{}, with your own files", self.link),
                key: own_key,
                description: "For people who log in: what they leave in a session is there in \
                              their next one."
                    .into(),
                allow_anonymous: false,
                max_live_sessions: None,
                image_id: keeping.id.clone(),
                ..cast.settings.clone()
            },
            ..cast
        };
        if control_plane
            .store
            .cast_by_key(&own.settings.key)
            .await?
            .is_none()
        {
            control_plane.store.create_cast(&own, None).await?;
        }
        Ok(())
    }

    /// Keeps some sessions of this image ready.
    fn pool(&self, control_plane: &ControlPlane, image: &Image) -> StagingConfig {
        let settings = StagingSettings {
            name: format!("{} at once", self.name),
            description: "Made at the first start: the next visitor need not wait.".into(),
            enabled: true,
            image_id: image.id.clone(),
            network: None,
            group_id: None,
            desired_sessions: self.ready,
            expiration_hours: 24,
            schedule: None,
            daily_budget_cents: None,
        };
        let (id, now) = (
            StagingId::from_bytes(random_bytes(&*control_plane.entropy)),
            image.created_at,
        );
        StagingConfig {
            id,
            version: 1,
            settings,
            created_at: now,
            updated_at: now,
        }
    }
}

fn run(command: [&str; 2]) -> Exec {
    Exec {
        command: command.map(str::to_owned).into(),
        user: None,
        working_directory: None,
        environment: Default::default(),
    }
}

/// A new API key as text: its id, a dot, its secret.
pub fn draw_admin_key(entropy: &dyn Entropy, now: Timestamp) -> String {
    ApiKey::issue(entropy, now, admin_settings()).1
}

fn admin_settings() -> ApiKeySettings {
    ApiKeySettings {
        name: ADMIN_KEY_NAME.into(),
        scopes: Scope::ALL.into(),
        expires_at: None,
    }
}

/// Makes the administrator's key valid, also when it was deleted or changed over the API: read
/// access to the data folder is access to the stack.
///
/// # Errors
/// When the key's file was changed by hand, or the store does not take it.
pub async fn admit_admin_key(control_plane: &ControlPlane, text: &str) -> Result<()> {
    let (id, secret) = ApiKey::parse(text)
        .ok_or_else(|| anyhow!("The file admin-key holds no key; delete it to get a new one."))?;
    let now = control_plane.clock.now();
    let stored: Option<ApiKey> = control_plane.store.record(id.as_str()).await?;
    let version = stored.as_ref().map(|key| key.version);
    let key = ApiKey {
        id,
        version: version.map_or(1, |version| version + 1),
        settings: admin_settings(),
        secret_hash: hash_secret(secret),
        created_at: stored.as_ref().map_or(now, |key| key.created_at),
        updated_at: now,
        last_used_at: stored.and_then(|key| key.last_used_at),
    };
    control_plane.store.put_record(&key, version, None).await?;
    Ok(())
}
