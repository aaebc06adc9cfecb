//! Owns the parsing of ECS's task descriptions, from an EventBridge event or from the API. Must not
//! know what they are used for.

use casting_core::ids::SessionId;
use casting_core::image::GATE_CONTAINER;
use casting_core::ports::Task;
use casting_core::session::{TaskRef, TaskStatus, TaskTimes};
use casting_core::time::Timestamp;
use serde::Deserialize;

/// An EventBridge event `ECS Task State Change`. Comes at least once, in any order: `version`
/// orders them.
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
    /// Its status.
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
    /// The overrides that it was started with.
    pub overrides: Overrides,
    /// When ECS took it (RFC 3339).
    pub created_at: Option<String>,
    /// When it began to fetch the images.
    pub pull_started_at: Option<String>,
    /// When it had them.
    pub pull_stopped_at: Option<String>,
    /// When its containers ran.
    pub started_at: Option<String>,
}

/// The overrides of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overrides {
    /// By container; they contain the environment of a session's task.
    pub container_overrides: Vec<Named>,
}

/// A container, by its name alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// As its definition has it.
    pub name: String,
}

/// A container of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDetail {
    /// As its definition has it.
    pub name: String,
    /// Known once it has ended.
    pub exit_code: Option<i32>,
    /// Why it ended or did not start, where ECS has more to say than the code.
    pub reason: Option<String>,
}

impl TaskDetail {
    /// The app's container: the one with the session's environment that is not the gate's.
    /// Others stand beside it in task definitions of administrators.
    fn app(&self) -> Option<&ContainerDetail> {
        let has_overrides = |container: &&ContainerDetail| {
            let overrides = &self.overrides.container_overrides;
            overrides.iter().any(|known| known.name == container.name)
        };
        let failed =
            |container: &&ContainerDetail| container.exit_code.is_some_and(|code| code != 0);
        let of_app = || {
            let all = self.containers.iter();
            all.filter(|container| container.name != GATE_CONTAINER)
        };
        of_app()
            .find(has_overrides)
            .or_else(|| of_app().find(|one| one.reason.is_some()))
            .or_else(|| of_app().find(failed))
            .or_else(|| of_app().next())
    }

    /// Whether the task could not be started for a reason that lies with ECS. What is wrong with a
    /// container, its image or what it is given would be wrong again.
    fn start_failed(&self) -> bool {
        let reason = self.stopped_reason.as_deref().unwrap_or_default();
        let of_the_image = ["Cannot", "ResourceInitializationError"];
        self.stop_code.as_deref() == Some("TaskFailedToStart")
            && !of_the_image.iter().any(|prefix| reason.starts_with(prefix))
    }

    /// What ECS says of the app's container, or, where it says nothing of that, of any.
    fn app_reason(&self) -> Option<String> {
        let first = self.app().into_iter().chain(&self.containers);
        let mut reasons = first.filter_map(|container| container.reason.as_deref());
        reasons.find(|reason| !reason.is_empty()).map(str::to_owned)
    }
}

impl From<TaskStateChange> for Task {
    fn from(event: TaskStateChange) -> Self {
        event.detail.into()
    }
}

impl From<TaskDetail> for Task {
    fn from(detail: TaskDetail) -> Self {
        let status = status(&detail.last_status, &detail.desired_status);
        let is_over = status >= TaskStatus::Stopping;
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
            start_failed: is_over && detail.start_failed(),
            session: detail.started_by.as_deref().and_then(SessionId::parse),
            app_reason: is_over
                .then(|| detail.app_reason())
                .flatten()
                // ECS repeats some of it.
                .filter(|reason| !why().contains(reason)),
            stop_detail: if is_over { why() } else { String::new() },
            exit_code: detail.app().and_then(|container| container.exit_code),
            task: TaskRef {
                arn: detail.task_arn,
                status,
                version: detail.version,
                times: TaskTimes {
                    created: time(detail.created_at.as_deref()),
                    pulling: time(detail.pull_started_at.as_deref()),
                    pulled: time(detail.pull_stopped_at.as_deref()),
                    started: time(detail.started_at.as_deref()),
                },
            },
        }
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    Timestamp::parse(text?)
}

/// The task in an answer of the API; `None` when it has no ARN, which ECS never does.
pub(crate) fn task_of(described: &aws_sdk_ecs::types::Task) -> Option<Task> {
    let task = described;
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
                name: text(container.name()),
                exit_code: container.exit_code(),
                reason: container.reason().map(str::to_owned),
            })
            .collect(),
        overrides: Overrides {
            container_overrides: task
                .overrides()
                .map(|overrides| overrides.container_overrides())
                .unwrap_or_default()
                .iter()
                .map(|container| Named {
                    name: text(container.name()),
                })
                .collect(),
        },
        ..TaskDetail::default()
    };
    let mut task: Task = detail.into();
    task.task.times = times_of(described);
    Some(task)
}

fn times_of(task: &aws_sdk_ecs::types::Task) -> TaskTimes {
    let time = |at: Option<&aws_sdk_ecs::primitives::DateTime>| {
        at.and_then(|at| at.to_millis().ok())
            .map(Timestamp::from_millis)
    };
    TaskTimes {
        created: time(task.created_at()),
        pulling: time(task.pull_started_at()),
        pulled: time(task.pull_stopped_at()),
        started: time(task.started_at()),
    }
}

/// Where a task stands. One that still runs but is to stop counts as stopping, as does a status
/// that a later ECS may invent for that time.
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
    fn ecs_statuses_map_to_five() {
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
    fn events_are_parsed_and_unknown_ones_ignored() {
        let session = SessionId::from_bytes([7; 16]);
        let event = json!({
            "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": "2026-11-23T12:00:00Z",
            "detail": {
                "clusterArn": "arn:aws:ecs:eu-central-1:1:cluster/casting", "taskArn": "arn:1", "startedBy": session,
                "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited", "version": 6, "stoppedAt": "2026-11-23T12:00:00.5Z",
                "createdAt": "2026-11-23T12:00:00.5Z", "pullStartedAt": "2026-11-23T12:00:10Z",
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
                    version: 6,
                    times: TaskTimes {
                        created: Timestamp::parse("2026-11-23T12:00:00.5Z"),
                        pulling: Timestamp::parse("2026-11-23T12:00:10Z"),
                        ..TaskTimes::default()
                    },
                },
                session: Some(session),
                stop_detail: "EssentialContainerExited: Essential container in task exited".into(),
                exit_code: Some(137),
                app_reason: None,
                start_failed: false,
            }
        );
    }

    #[test]
    fn only_failures_of_ecs_itself_ask_for_another_start() {
        for (code, reason, expected) in [
            (
                "TaskFailedToStart",
                "Timeout waiting for network interface provisioning to complete.",
                true,
            ),
            (
                "TaskFailedToStart",
                "Unexpected EC2 error while attempting to attach network interface",
                true,
            ),
            (
                "TaskFailedToStart",
                "CannotPullContainerError: pull image manifest has been retried 5 time(s)",
                false,
            ),
            (
                "TaskFailedToStart",
                "CannotStartContainerError: no such file",
                false,
            ),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: unable to pull secrets",
                false,
            ),
            (
                "EssentialContainerExited",
                "Essential container in task exited",
                false,
            ),
            ("UserInitiated", "the session was ended", false),
        ] {
            let detail = TaskDetail {
                last_status: "STOPPED".into(),
                stop_code: Some(code.into()),
                stopped_reason: Some(reason.into()),
                ..TaskDetail::default()
            };
            assert_eq!(
                Task::from(detail).start_failed,
                expected,
                "{code}: {reason}"
            );
        }
    }

    #[test]
    fn app_exit_is_distinguished_from_sidecars() {
        let overrides_of = |names: &[&str]| {
            let overrides = names.iter().map(|name| json!({ "name": name }));
            json!({ "containerOverrides": overrides.collect::<Vec<_>>() })
        };
        let exited = |name: &str, code: i32| json!({ "name": name, "exitCode": code, "lastStatus": "STOPPED" });
        let memory = "OutOfMemoryError: Container killed due to memory usage";
        let pull = "CannotPullContainerError: pull image manifest has been retried 1 time(s)";
        for (name, containers, overrides, code, reason) in [
            (
                "one that ran out of memory",
                json!([{ "name": "session", "exitCode": 137, "reason": memory }]),
                overrides_of(&["session"]),
                Some(137),
                Some(memory),
            ),
            (
                "after the gate was brought",
                json!([exited("casting-gate", 0), exited("session", 1)]),
                overrides_of(&["session"]),
                Some(1),
                None,
            ),
            (
                "a sidecar listed before it",
                json!([exited("proxy", 0), exited("desk", 137)]),
                overrides_of(&["casting-gate", "desk"]),
                Some(137),
                None,
            ),
            (
                "a sidecar that failed when it ended well",
                json!([exited("proxy", 143), exited("desk", 0)]),
                overrides_of(&["desk"]),
                Some(0),
                None,
            ),
            (
                "without overrides",
                json!([exited("proxy", 0), exited("desk", 137)]),
                overrides_of(&[]),
                Some(137),
                None,
            ),
            (
                "the gate's image was not there",
                json!([{ "name": "casting-gate", "reason": pull }, { "name": "session" }]),
                overrides_of(&["session"]),
                None,
                Some(pull),
            ),
            (
                "what the task says already",
                json!([{ "name": "session", "reason": "Essential container" }]),
                overrides_of(&["session"]),
                None,
                None,
            ),
            (
                "no containers",
                json!([]),
                overrides_of(&["session"]),
                None,
                None,
            ),
        ] {
            let event = json!({ "detail": {
                "taskArn": "arn:1", "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 6, "overrides": overrides,
                "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "containers": containers,
            } });
            let task = Task::from(serde_json::from_value::<TaskStateChange>(event).unwrap());
            assert_eq!(
                (task.exit_code, task.app_reason.as_deref()),
                (code, reason),
                "{name}"
            );
        }
        let running = json!({ "detail": {
            "taskArn": "arn:1", "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
            "containers": [{ "name": "session", "reason": memory }],
        } });
        let task = Task::from(serde_json::from_value::<TaskStateChange>(running).unwrap());
        assert_eq!(task.app_reason, None, "it runs");
    }

    #[test]
    fn foreign_task_has_no_session() {
        for started_by in [json!(null), json!("ecs-svc/123"), json!("somebody")] {
            let event = json!({ "detail": { "taskArn": "arn:1", "lastStatus": "RUNNING", "startedBy": started_by } });
            assert_eq!(
                Task::from(serde_json::from_value::<TaskStateChange>(event).unwrap()).session,
                None
            );
        }
    }
}
