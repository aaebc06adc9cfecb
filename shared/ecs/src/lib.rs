//! Owns the launcher port on ECS: tasks are run, stopped, described and found, and their events are
//! read. Must not know what a session is allowed to do, who asked for it, or how the client was
//! made: endpoint, credentials and transport come in with it.
//!
//! # Layout
//! - [`settings`]: where tasks run
//! - `run`, `define`, `look`: the verbs of the port
//! - `retry`, `failure`: the one place where calls are repeated, and what a failed call means
//! - [`events`]: what EventBridge says of a task; the mapping from ECS's words to ours
//! - `contract` (feature `testing`): what every ECS endpoint must do for this crate

#[cfg(feature = "testing")]
pub mod contract;
mod define;
pub mod events;
mod failure;
mod look;
mod retry;
mod run;
#[cfg(test)]
mod scripted;
pub mod settings;

use std::net::IpAddr;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use casting_core::ids::SessionId;
use casting_core::image::Image;
use casting_core::ports::{Fault, Launcher, Run, Task, TaskSpec};
use casting_core::session::Session;

pub use crate::settings::{
    Capacity, EcsSettings, LogSettings, MAX_STARTS_PER_SECOND, STARTS_PER_SECOND,
};

/// Runs sessions as ECS tasks. The client's own retries must be switched off: a repetition is
/// decided here, with the same client token.
#[derive(Clone, Debug)]
pub struct EcsLauncher {
    client: Client,
    settings: EcsSettings,
}

impl EcsLauncher {
    /// A launcher that uses `client` for everything.
    pub fn new(client: Client, settings: EcsSettings) -> Self {
        Self { client, settings }
    }
}

#[async_trait]
impl Launcher for EcsLauncher {
    async fn run(&self, spec: &TaskSpec) -> Run {
        self.run_task(spec).await
    }

    fn capacities(&self) -> u32 {
        self.settings.capacity.count()
    }

    fn starts_per_second(&self) -> u32 {
        self.settings.starts_per_second
    }

    async fn stop(&self, arn: &str, reason: &str) -> Result<Option<Task>, Fault> {
        self.stop_task(arn, reason).await
    }

    async fn describe(&self, arns: &[String]) -> Result<Vec<Task>, Fault> {
        self.describe_tasks(arns.to_vec()).await
    }

    async fn find(&self, session: &SessionId) -> Result<Vec<Task>, Fault> {
        self.find_tasks(session).await
    }

    async fn gate_address(&self, session: &SessionId) -> Result<Option<IpAddr>, Fault> {
        if self.settings.edge_inside {
            self.private_address(session).await.map(Some)
        } else {
            Ok(None)
        }
    }

    fn log_url(&self, session: &Session) -> Option<String> {
        let logs = self.settings.logs.as_ref()?;
        define::log_url(logs, session)
    }

    async fn register(&self, image: &Image) -> Result<Result<String, String>, Fault> {
        self.register_task_definition(image).await
    }
}
