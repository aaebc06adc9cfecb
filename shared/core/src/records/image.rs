//! Owns the image: what a session runs. Must not know how it is stored or edited (see `image_form`).

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
    /// The port on which the app listens inside the task; `None`: the gate picks a free one and tells the app in `PORT`.
    #[serde(default)]
    pub port: Option<u16>,
    /// Added to the container's environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How long a start may take before it is given up, in seconds.
    pub start_timeout_seconds: u32,
    /// How long a session may live after it is ready, in seconds.
    pub session_time_limit_seconds: u32,
    /// Where its sessions run when nobody asks for another network; `None` is the deployment's own.
    #[serde(default)]
    pub network: Option<NetworkName>,
    /// Whether a link may name the network (Kasm: Allow Network Selection).
    #[serde(default)]
    pub allow_network_selection: bool,
    /// The networks that a link may name; empty is all.
    #[serde(default)]
    pub restrict_to_networks: Vec<NetworkName>,
    /// How those who only watch are kept from changing anything; `None`: its sessions cannot be shared.
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
}

/// How a gate speaks to its app.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppAccess {
    /// Whether the app speaks https; its certificate is not looked at, because it never leaves the task.
    #[serde(default)]
    pub https: bool,
    /// The user whom the app asks for (HTTP Basic). Visitors are never asked.
    #[serde(default)]
    pub user: Option<String>,
    /// The variable in which the app is told that user's password, drawn for each session.
    #[serde(default)]
    pub password_variable: Option<String>,
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
    /// What the gate starts, inside this very container; empty: the image starts its app itself, and the gate runs beside it.
    #[serde(default)]
    pub command: Vec<String>,
    /// CPU units, 1,024 to a core.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Disk space in GiB; `None` is what Fargate gives anyway (20).
    #[serde(default)]
    pub ephemeral_storage: Option<u32>,
}

/// What the gate's container is called where the gate runs beside the app.
pub const GATE_CONTAINER: &str = "casting-gate";

/// Where a gate that is brought into an app's container is found there: the folder, and the program.
pub const BROUGHT_FOLDER: &str = "/casting";
/// See [`BROUGHT_FOLDER`].
pub const BROUGHT_GATE: &str = "/casting/gate";

impl ImageSettings {
    /// Whether the gate runs in a container of its own, beside the app's.
    pub fn has_gate_beside(&self) -> bool {
        matches!(&self.source, ImageSource::Container(source) if source.command.is_empty())
    }
}
