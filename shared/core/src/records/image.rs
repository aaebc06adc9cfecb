//! Owns the image: what a session runs. Must not know how it is stored or edited (see
//! `image_form`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::ImageId;
use crate::network::NetworkName;
use crate::persistent_profile::ProfileSettings;
use crate::record::Record;
use crate::session_options::{ExecConfig, ViewOnly};
use crate::time::Timestamp;

pub use casting_protocol::report::GATE_PORT;

/// What sessions run: a task definition, and what the gate must know of the app in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Never changes.
    pub id: ImageId,
    /// Grows with every change.
    pub version: u64,
    /// What the administrator set.
    pub settings: ImageSettings,
    /// The task definition to run: given by the administrator, or registered from `source`.
    pub task_definition: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// What an administrator sets on an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSettings {
    /// Shown to administrators, and to the session.
    pub name: String,
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// A disabled image starts no sessions.
    pub enabled: bool,
    /// Where the task definition comes from.
    pub source: ImageSource,
    /// The container whose environment gets the session's values.
    pub container: String,
    /// The port on which the app listens inside the task; `None`: the gate picks a free one and
    /// sets `PORT`.
    #[serde(default)]
    pub port: Option<u16>,
    /// Added to the container's environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How long a start may take before it is given up, in seconds.
    pub start_timeout_seconds: u32,
    /// How long a session may live after it is ready, in seconds.
    pub session_time_limit_seconds: u32,
    /// The network of its sessions if the link or visitor names no other; `None` is the
    /// deployment's own.
    #[serde(default)]
    pub network: Option<NetworkName>,
    /// Whether a link may name the network (Kasm: Allow Network Selection).
    #[serde(default)]
    pub allow_network_selection: bool,
    /// The networks that a link may name; empty is all.
    #[serde(default)]
    pub restrict_to_networks: Vec<NetworkName>,
    /// How those who only watch are kept from changing anything; `None`: its sessions cannot be
    /// shared.
    #[serde(default)]
    pub view_only: Option<ViewOnly>,
    /// What is run inside its sessions.
    #[serde(default)]
    pub exec: ExecConfig,
    /// How the gate speaks to the app.
    #[serde(default)]
    pub app: AppAccess,
    /// What is kept of its users' files.
    #[serde(default)]
    pub profile: ProfileSettings,
    /// Whether `/dev/shm` is a volume of its own, because the 64 MiB that a task has there are too
    /// little for a browser.
    #[serde(default)]
    pub shared_memory: bool,
}

/// How a gate speaks to its app.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppAccess {
    /// Whether the app speaks https; its certificate is not looked at, because it never leaves the
    /// task.
    #[serde(default)]
    pub https: bool,
    /// The user whom the app asks for (HTTP Basic). Visitors are never asked.
    #[serde(default)]
    pub user: Option<String>,
    /// The variable with that user's password, which is generated for each session.
    #[serde(default)]
    pub password_variable: Option<String>,
    /// The path with which the addresses of the session's files begin. The gate closes them without
    /// the permissions `downloads` and `uploads`.
    #[serde(default)]
    pub files_path: Option<String>,
    /// The port at which the app serves its sound, as MPEG-TS with MP2 over a WebSocket, with the
    /// same scheme and login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound_port: Option<u16>,
    /// The loopback port at which the app serves Chrome DevTools, for programs of the session's
    /// owner; `None`: it serves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devtools_port: Option<u16>,
}

impl Record for Image {
    const KIND: &'static str = "image";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

/// Where an image's task definition comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// One that exists: family, family:revision or ARN.
    TaskDefinition(String),
    /// A container image, for which we register a task definition.
    Container(ContainerSource),
}

impl Default for ImageSource {
    /// No source yet.
    fn default() -> Self {
        Self::TaskDefinition(String::new())
    }
}

/// A container to register a task definition for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSource {
    /// The image's name in its registry.
    pub image: String,
    /// What the gate starts, inside this very container; empty: the image starts its app itself,
    /// and the gate runs beside it.
    #[serde(default)]
    pub command: Vec<String>,
    /// CPU units, 1,024 to a core.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Disk space in GiB; `None` is what Fargate gives anyway (20).
    #[serde(default)]
    pub ephemeral_storage: Option<u32>,
    /// The processors that the image is built for.
    #[serde(default)]
    pub architecture: Architecture,
    /// The secret (Secrets Manager) with user name and password of a private registry; `None`:
    /// the registry asks for none, or is ECR.
    #[serde(default)]
    pub registry_secret: Option<String>,
}

/// The processors that a container image is built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton, which costs a fifth less.
    Arm64,
}

impl Architecture {
    /// Every architecture that Fargate has.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// The architecture as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// What the gate's container is called where the gate runs beside the app.
pub const GATE_CONTAINER: &str = "casting-gate";

/// Where a gate that is brought into an app's container is found there: the folder, and the
/// program.
pub const BROUGHT_FOLDER: &str = "/casting";
/// See [`BROUGHT_FOLDER`].
pub const BROUGHT_GATE: &str = "/casting/gate";

/// What stands in a variable of an image for the address to be opened.
pub const KASM_URL_PLACEHOLDER: &str = "{kasm_url}";

impl ImageSettings {
    /// Whether one of its variables is the address to be opened.
    pub fn has_address_variable(&self) -> bool {
        let mut values = self.environment.values();
        values.any(|value| value.contains(KASM_URL_PLACEHOLDER))
    }

    /// The CPU units of its tasks, 1024 to a processor; `None` where only the task definition knows
    /// them.
    pub fn cpu(&self) -> Option<u32> {
        match &self.source {
            ImageSource::Container(source) => Some(source.cpu),
            ImageSource::TaskDefinition(_) => None,
        }
    }

    /// Whether the gate runs in a container of its own, beside the app's.
    pub fn has_gate_beside(&self) -> bool {
        matches!(&self.source, ImageSource::Container(source) if source.command.is_empty())
    }
}
