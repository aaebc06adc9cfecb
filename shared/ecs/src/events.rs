//! Owns the reading of ECS's words on a task, from an EventBridge event or from the API. Must not know what anybody does with them.

use casting_core::ids::SessionId;
use casting_core::ports::Task;
use casting_core::session::{TaskRef, TaskStatus};
use serde::Deserialize;

/// An EventBridge event `ECS Task State Change`. Comes at least once, in any order: `version` tells which news is newer.
#[derive(Clone, Debug, Deserialize)]
pub struct TaskStateChange {
    /// The task.
    pub detail: TaskDetail,
}

/// A task in ECS's words, as far as we listen. Fields that we do not know are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDetail {
    /// The task's ARN.
    pub task_arn: String,
    /// Who started it; a session's id if it is one of ours.
    pub started_by: Option<String>,
    /// Where it stands.
    pub last_status: String,
    /// Where ECS takes it: `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// Why it stopped, in a word.
    pub stop_code: Option<String>,
    /// Why it stopped, in a sentence.
    pub stopped_reason: Option<String>,
    /// Counts up with every change.
    pub version: i64,
    /// Its containers.
    pub containers: Vec<ContainerDetail>,
}

/// A container of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDetail {
    /// Known once it has ended.
    pub exit_code: Option<i32>,
}

impl From<TaskStateChange> for Task {
    fn from(event: TaskStateChange) -> Self {
        event.detail.into()
    }
}

impl From<TaskDetail> for Task {
    fn from(detail: TaskDetail) -> Self {
        let status = status(&detail.last_status, &detail.desired_status);
        let why = || {
            [
                detail.stop_code.as_deref(),
                detail.stopped_reason.as_deref(),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ")
        };
        Task {
            session: detail.started_by.as_deref().and_then(SessionId::parse),
            stop_detail: if status >= TaskStatus::Stopping {
                why()
            } else {
                String::new()
            },
            exit_code: detail
                .containers
                .iter()
                .find_map(|container| container.exit_code),
            task: TaskRef {
                arn: detail.task_arn,
                status,
                version: detail.version,
            },
        }
    }
}

/// The task in an answer of the API; `None` when it has no ARN, which ECS never does.
pub(crate) fn task_of(task: &aws_sdk_ecs::types::Task) -> Option<Task> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let detail = TaskDetail {
        task_arn: task.task_arn()?.to_owned(),
        started_by: task.started_by().map(str::to_owned),
        last_status: text(task.last_status()),
        desired_status: text(task.desired_status()),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        version: task.version(),
        containers: task
            .containers()
            .iter()
            .map(|container| ContainerDetail {
                exit_code: container.exit_code(),
            })
            .collect(),
    };
    Some(detail.into())
}

/// Where a task stands. One that still runs but is to stop counts as stopping, as does a status that a later ECS may invent for that time.
fn status(last: &str, desired: &str) -> TaskStatus {
    match (last, desired) {
        ("STOPPED" | "DELETED", _) => TaskStatus::Stopped,
        ("DEACTIVATING" | "STOPPING" | "DEPROVISIONING", _) | (_, "STOPPED") => {
            TaskStatus::Stopping
        }
        ("RUNNING", _) => TaskStatus::Running,
        ("PROVISIONING", _) => TaskStatus::Provisioning,
        _ => TaskStatus::Pending,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_status_is_one_of_five() {
        for (last, desired, expected) in [
            ("PROVISIONING", "RUNNING", TaskStatus::Provisioning),
            ("PENDING", "RUNNING", TaskStatus::Pending),
            ("ACTIVATING", "RUNNING", TaskStatus::Pending),
            ("RUNNING", "RUNNING", TaskStatus::Running),
            ("RUNNING", "STOPPED", TaskStatus::Stopping),
            ("PENDING", "STOPPED", TaskStatus::Stopping),
            ("DEACTIVATING", "STOPPED", TaskStatus::Stopping),
            ("STOPPING", "STOPPED", TaskStatus::Stopping),
            ("DEPROVISIONING", "STOPPED", TaskStatus::Stopping),
            ("STOPPED", "STOPPED", TaskStatus::Stopped),
            ("DELETED", "STOPPED", TaskStatus::Stopped),
        ] {
            assert_eq!(
                status(last, desired),
                expected,
                "{last} on the way to {desired}"
            );
        }
    }

    #[test]
    fn an_event_is_read_and_what_we_do_not_know_is_ignored() {
        let session = SessionId::from_bytes([7; 16]);
        let event = json!({
            "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": "2026-11-23T12:00:00Z",
            "detail": {
                "clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/casting", "taskArn": "arn:1", "startedBy": session,
                "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited", "version": 6, "stoppedAt": "2026-11-23T12:00:00.5Z",
                "containers": [{ "name": "session", "exitCode": 137, "lastStatus": "STOPPED" }], "tomorrow": { "new": true },
            },
        });
        let task = Task::from(serde_json::from_value::<TaskStateChange>(event).unwrap());
        assert_eq!(
            task,
            Task {
                task: TaskRef {
                    arn: "arn:1".into(),
                    status: TaskStatus::Stopped,
                    version: 6
                },
                session: Some(session),
                stop_detail: "EssentialContainerExited: Essential container in task exited".into(),
                exit_code: Some(137),
            }
        );
    }

    #[test]
    fn a_task_of_somebody_else_belongs_to_no_session() {
        for started_by in [json!(null), json!("ecs-svc/123"), json!("somebody")] {
            let event = json!({ "detail": { "taskArn": "arn:1", "lastStatus": "RUNNING", "startedBy": started_by } });
            assert_eq!(
                Task::from(serde_json::from_value::<TaskStateChange>(event).unwrap()).session,
                None
            );
        }
    }
}
