//! Owns the verbs on tasks that exist: stop, describe, find. Must not decide what to do about what
//! it sees.

use std::net::IpAddr;

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::DesiredStatus;
use casting_core::ids::SessionId;
use casting_core::ports::{Fault, FaultKind, Task};

use crate::failure::Failure;
use crate::retry::{self, WhenThrottled};
use crate::{EcsLauncher, events};

/// ECS's bound on the reason of a stop, in characters.
const MAX_REASON_CHARS: usize = 255;
/// ECS's bound on the tasks of one DescribeTasks.
const MAX_DESCRIBED: usize = 100;

impl EcsLauncher {
    pub(crate) async fn stop_task(&self, arn: &str, reason: &str) -> Result<Option<Task>, Fault> {
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        let request = self
            .client
            .stop_task()
            .cluster(&self.settings.cluster)
            .task(arn)
            .reason(reason);
        match retry::call(WhenThrottled::Repeat, || request.clone().send())
            .await
            .result
        {
            Ok(output) => Ok(output.task().and_then(events::task_of)),
            Err(failure) if is_unknown_task(&failure) => Ok(None),
            Err(failure) => Err(failure.into_fault("stop a task")),
        }
    }

    /// Those of `arns` that ECS knows.
    pub(crate) async fn describe_tasks(&self, arns: Vec<String>) -> Result<Vec<Task>, Fault> {
        let mut tasks = Vec::with_capacity(arns.len());
        for some in arns.chunks(MAX_DESCRIBED) {
            let request = self
                .client
                .describe_tasks()
                .cluster(&self.settings.cluster)
                .set_tasks(Some(some.to_vec()));
            let output = retry::call(WhenThrottled::Repeat, || request.clone().send())
                .await
                .result
                .map_err(|failure| failure.into_fault("describe tasks"))?;
            tasks.extend(output.tasks().iter().filter_map(events::task_of));
        }
        Ok(tasks)
    }

    /// The private address of this session's running task.
    pub(crate) async fn private_address(&self, session: &SessionId) -> Result<IpAddr, Fault> {
        let arns = self.list(session, DesiredStatus::Running).await?;
        let unknown = || Fault {
            kind: FaultKind::Unavailable,
            what: "find a gate",
            detail: "ECS names no address of its task".to_owned(),
        };
        if arns.is_empty() {
            return Err(unknown());
        }
        let request = self
            .client
            .describe_tasks()
            .cluster(&self.settings.cluster)
            .set_tasks(Some(arns));
        let output = retry::call(WhenThrottled::Repeat, || request.clone().send())
            .await
            .result
            .map_err(|failure| failure.into_fault("describe tasks"))?;
        let interfaces = output
            .tasks()
            .iter()
            .flat_map(|task| task.containers())
            .flat_map(|container| container.network_interfaces());
        interfaces
            .filter_map(|interface| interface.private_ipv4_address()?.parse().ok())
            .next()
            .ok_or_else(unknown)
    }

    /// The tasks of one session that are to run, or to stop. One page holds 100; a session has one,
    /// rarely two.
    async fn list(&self, session: &SessionId, status: DesiredStatus) -> Result<Vec<String>, Fault> {
        let request = self
            .client
            .list_tasks()
            .cluster(&self.settings.cluster)
            .started_by(session.as_str())
            .desired_status(status);
        let output = retry::call(WhenThrottled::Repeat, || request.clone().send())
            .await
            .result
            .map_err(|failure| failure.into_fault("list tasks"))?;
        Ok(output.task_arns.unwrap_or_default())
    }

    /// All tasks started by this session. ECS lists running and stopped ones separately.
    pub(crate) async fn find_tasks(&self, session: &SessionId) -> Result<Vec<Task>, Fault> {
        let mut arns: Vec<String> = Vec::new();
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            arns.extend(self.list(session, status).await?);
        }
        // A task may stop between the two lists and stand in both.
        arns.sort();
        arns.dedup();
        if arns.is_empty() {
            Ok(Vec::new())
        } else {
            self.describe_tasks(arns).await
        }
    }
}

/// ECS has no error code for an unknown task; the message says so.
fn is_unknown_task<E: ProvideErrorMetadata>(failure: &Failure<E>) -> bool {
    let Some(error) = &failure.error else {
        return false;
    };
    let words = error.message().unwrap_or_default().to_ascii_lowercase();
    matches!(
        error.code(),
        Some("InvalidParameterException" | "ClientException")
    ) && words.contains("task was not found")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use casting_core::ports::Launcher;

    use super::*;
    use crate::scripted::{self, Reply};

    #[tokio::test]
    async fn unknown_task_is_none() {
        let unknown = Reply::error(
            "InvalidParameterException",
            "The referenced task was not found.",
            json!({}),
        );
        let missing = Reply::ok(
            json!({ "tasks": [], "failures": [{ "arn": "arn:1", "reason": "MISSING" }] }),
        );
        let (launcher, _) = scripted::launcher(vec![unknown, missing]);
        assert_eq!(launcher.stop_task("arn:1", "").await, Ok(None));
        assert_eq!(
            launcher.describe_tasks(vec!["arn:1".into()]).await,
            Ok(vec![])
        );
    }

    #[tokio::test]
    async fn refused_stop_is_a_fault_and_long_reason_is_cut() {
        let (launcher, script) =
            scripted::launcher(vec![Reply::error("AccessDeniedException", "no", json!({}))]);
        assert!(launcher.stop_task("arn:1", &"ü".repeat(999)).await.is_err());
        let body: Value = serde_json::from_str(&script.calls()[0].1).unwrap();
        assert_eq!(body["reason"], "ü".repeat(MAX_REASON_CHARS));
    }

    #[tokio::test]
    async fn running_and_stopped_tasks_are_listed_once() {
        let listed = |arns: Value| Reply::ok(json!({ "taskArns": arns }));
        let described =
            Reply::ok(json!({ "tasks": [{ "taskArn": "arn:1" }, { "taskArn": "arn:2" }] }));
        let (launcher, script) = scripted::launcher(vec![
            listed(json!(["arn:1"])),
            listed(json!(["arn:1", "arn:2"])),
            described,
        ]);
        let tasks = launcher
            .find_tasks(&SessionId::from_bytes([1; 16]))
            .await
            .unwrap();
        assert_eq!(
            tasks
                .iter()
                .map(|task| task.task.arn.as_str())
                .collect::<Vec<_>>(),
            ["arn:1", "arn:2"]
        );
        let body: Value = serde_json::from_str(&script.calls()[2].1).unwrap();
        assert_eq!(body["tasks"], json!(["arn:1", "arn:2"]));
    }

    #[tokio::test]
    async fn inside_edge_uses_the_gates_private_address() {
        let (session, listed) = (SessionId::from_bytes([1; 16]), || {
            Reply::ok(json!({ "taskArns": ["arn:1"] }))
        });
        let found = json!({ "tasks": [{ "taskArn": "arn:1", "containers": [{ "networkInterfaces": [{ "privateIpv4Address": "10.0.1.23" }] }] }] });
        let early = json!({ "tasks": [{ "taskArn": "arn:1", "containers": [{ "networkInterfaces": [] }] }] });
        let replies = vec![
            listed(),
            Reply::ok(found),
            listed(),
            Reply::ok(early),
            Reply::ok(json!({ "taskArns": [] })),
        ];
        let (mut launcher, script) = scripted::launcher(replies);
        assert_eq!(
            launcher.gate_address(&session).await,
            Ok(None),
            "the edge is outside"
        );
        launcher.settings.edge_inside = true;
        assert_eq!(
            launcher.gate_address(&session).await,
            Ok(Some(IpAddr::from([10, 0, 1, 23])))
        );
        let body: Value = serde_json::from_str(&script.calls()[0].1).unwrap();
        assert_eq!(
            (&body["startedBy"], &body["desiredStatus"]),
            (&json!(session), &json!("RUNNING"))
        );
        for name in ["no address yet", "no task"] {
            let fault = launcher.gate_address(&session).await.expect_err(name);
            assert_eq!(
                fault.kind,
                FaultKind::Unavailable,
                "{name}: the gate asks again"
            );
        }
    }
}
