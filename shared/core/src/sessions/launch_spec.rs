//! Owns what a session's task is started with, as it is frozen into the session's row. Must not
//! know how a task is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::ImageId;
use crate::image::{AppAccess, Image};
use crate::network::{Network, NetworkName, Placement};

/// The parameters of RunTask that depend on link and image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The image.
    pub image_id: ImageId,
    /// Its name at the time of the claim.
    pub image_name: String,
    /// Family, family:revision or ARN.
    pub task_definition: String,
    /// The container that gets the environment.
    pub container: String,
    /// The app's port; `None`: the gate picks one.
    #[serde(default)]
    pub port: Option<u16>,
    /// Its CPU units, 1024 to a processor; `None` where no limit of the session needs them, or only
    /// the task definition knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The image's environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// seed: Kasm URL.
    #[serde(default)]
    pub kasm_url: Option<String>,
    /// The named network, and where its tasks are placed; `None` is the deployment's own.
    #[serde(default)]
    pub network: Option<LaunchNetwork>,
    /// How the gate speaks to the app.
    #[serde(default)]
    pub app: AppAccess,
    /// Whether the gate has a container of its own.
    #[serde(default)]
    pub gate_beside: bool,
    /// The number in the client token; another one means other parameters.
    pub attempt: u32,
}

impl LaunchSpec {
    /// A start of this image on this network.
    pub fn of(image: &Image, network: Option<Network>, kasm_url: Option<String>) -> Self {
        let settings = &image.settings;
        Self {
            image_id: image.id.clone(),
            image_name: settings.name.clone(),
            task_definition: image.task_definition.clone(),
            container: settings.container.clone(),
            port: settings.port,
            cpu: None,
            environment: settings.environment.clone(),
            kasm_url,
            app: settings.app.clone(),
            gate_beside: settings.has_gate_beside(),
            network: network.map(|network| LaunchNetwork {
                name: network.id,
                placement: network.settings.placement,
            }),
            attempt: 1,
        }
    }
}

/// The network of a session, as it was at the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchNetwork {
    /// Its name.
    pub name: NetworkName,
    /// Where the task is placed.
    pub placement: Placement,
}
