//! Owns what tests of every crate share: a clock that is set, ids that repeat, rows to start from,
//! and the contract suites of the ports.

use async_trait::async_trait;

use crate::captcha::{
    CaptchaCheck, CaptchaSettings, CaptchaVerdict, CaptchaVerifier, KeysVerdict, Proof,
};
use crate::cast::{Cast, CastSettings, Counter};
use crate::ids::{CastId, CastKey, ImageId, InvitationId, Nonce, SessionId, UserId};
use crate::image::{AppAccess, Architecture, ContainerSource, Image, ImageSettings, ImageSource};
use crate::invitation::{Invitation, InvitationSettings};
use crate::permission::Grant;
use crate::persistent_profile::ProfileSettings;
use crate::session::{Charge, LaunchSpec, Origin, Owner, Session, State};
use crate::session_events::Subscriptions;
use crate::session_options::{ExecConfig, SessionOptions};
use crate::sharing::Sharing;
use crate::time::Timestamp;
use crate::user::User;

pub mod store_contract;

pub use casting_protocol::testing::{NOON, SeededEntropy, SetClock};

/// A stub verifier: the token `good-N` is a valid proof (each N once), `down` means that the
/// provider is unavailable, all others are invalid.
#[derive(Debug, Default)]
pub struct TokenVerifier;

#[async_trait]
impl CaptchaVerifier for TokenVerifier {
    fn challenge(&self, _: &CaptchaSettings, bound_to: &str, _: Timestamp) -> Option<String> {
        Some(format!("{{\"for\":\"{bound_to}\"}}"))
    }

    async fn verify(&self, check: CaptchaCheck<'_>) -> CaptchaVerdict {
        match check.token {
            "down" => CaptchaVerdict::Unavailable("it is down".into()),
            good if good.starts_with("good") => CaptchaVerdict::Passed(Proof {
                id: good.to_owned(),
                until: check.now.plus_seconds(300),
            }),
            _ => CaptchaVerdict::Failed("not a good token".into()),
        }
    }

    async fn check_keys(&self, _: &CaptchaSettings) -> KeysVerdict {
        KeysVerdict::Accepted
    }
}

/// A cast whose id and key follow from `n`: enabled, without limits, running [`image`] `n`.
pub fn cast(n: u8) -> Cast {
    Cast {
        id: CastId::from_bytes([n; 16]),
        version: 1,
        settings: CastSettings::open(
            format!("Cast {n}"),
            CastKey::random(&SeededEntropy::new(u64::from(n))),
            image(n).id,
        ),
        counter: Counter::new(0),
        created_at: NOON,
        updated_at: NOON,
    }
}

/// An enabled image whose id follows from `n`.
pub fn image(n: u8) -> Image {
    Image {
        id: ImageId::from_bytes([n; 16]),
        version: 1,
        settings: ImageSettings {
            name: format!("Image {n}"),
            description: String::new(),
            enabled: true,
            source: ImageSource::Container(ContainerSource {
                image: "example/app:1".into(),
                command: vec!["app".into()],
                cpu: 256,
                memory: 512,
                ephemeral_storage: None,
                architecture: Architecture::X86_64,
                registry_secret: None,
            }),
            container: "session".into(),
            port: None,
            environment: [("MOOD".to_owned(), "good".to_owned())].into(),
            start_timeout_seconds: 180,
            session_time_limit_seconds: 3600,
            network: None,
            allow_network_selection: false,
            restrict_to_networks: Vec::new(),
            view_only: None,
            exec: ExecConfig::default(),
            app: AppAccess::default(),
            profile: ProfileSettings::default(),
            shared_memory: false,
        },
        task_definition: format!("casting-image-{n}:1"),
        created_at: NOON,
        updated_at: NOON,
    }
}

/// An invitation to [`cast`] `n`, good for one session; its id follows from `n`.
pub fn invitation(n: u8) -> Invitation {
    Invitation {
        id: InvitationId::from_bytes([n; 16]),
        version: 1,
        cast_id: cast(n).id,
        settings: InvitationSettings {
            name: format!("Guest {n}"),
            uses: 1,
            ..InvitationSettings::default()
        },
        created_at: NOON,
        revoked_at: None,
    }
}

/// A user who has logged in, whose id follows from `n`.
pub fn user(n: u8) -> User {
    User {
        id: UserId::from_bytes([n; 16]),
        name: format!("User {n}"),
        roles: Vec::new(),
        groups: Vec::new(),
    }
}

/// A session of `cast`, just reserved at [`NOON`], whose id follows from `n`; charges nothing.
pub fn session(cast: &Cast, n: u8) -> Session {
    let image = image(1);
    Session {
        id: SessionId::from_nonce(&cast.id, &Nonce::from_bytes([n; 16])),
        rev: 1,
        claim: None,
        cast_id: cast.id.clone(),
        cast_key: cast.settings.key.clone(),
        cast_name: cast.settings.name.clone(),
        error_url: None,
        owner: Owner::Anonymous {
            id: UserId::from_bytes([n; 16]),
            group: None,
            expires_at: None,
        },
        charge: Charge::default(),
        invitation: None,
        access_tier: None,
        launch: LaunchSpec {
            image_id: image.id,
            image_name: image.settings.name,
            task_definition: image.task_definition,
            container: image.settings.container,
            port: None,
            cpu: None,
            environment: image.settings.environment,
            kasm_url: None,
            network: None,
            app: AppAccess::default(),
            gate_beside: false,
            attempt: 1,
        },
        origin: Origin {
            address: format!("address-{n}"),
            referrer: None,
            language: None,
        },
        created_at: NOON,
        ready_by: NOON.plus_seconds(180),
        ready_at: None,
        left_address: None,
        usual_start: None,
        entered_at: None,
        time_limit_seconds: 3600,
        extensions: 0,
        added_seconds: 0,
        extension_requests: Vec::new(),
        message: None,
        secret_key: String::new(),
        bootstrapped: None,
        grant: Grant::default(),
        notes: Vec::new(),
        said: Vec::new(),
        request: None,
        subscriptions: Subscriptions::default(),
        go: None,
        profile: None,
        options: SessionOptions::default(),
        sharing: Sharing::default(),
        pooled: None,
        state: State::Reserved,
        task: None,
        retry: None,
        queued: None,
        due_at: None,
    }
}
