//! Owns a task: what it was started with, how far it has come, and its JSON in the API and in
//! events. Must not know what runs it.

use std::fmt;

use casting_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub arn: String,
    pub cluster: String,
    pub definition: String,
    pub family: String,
    pub cpu: Value,
    pub memory: Value,
    pub launch_type: Option<String>,
    pub capacity_provider: Option<String>,
    pub started_by: Option<String>,
    /// The client token, and a digest of the parameters that came with it.
    pub token: Option<(String, String)>,
    pub overrides: Value,
    pub tags: Value,
    pub container: String,
    pub image: Option<String>,
    pub created_at: Timestamp,
    pub progress: Progress,
}

/// How far a task has come: everything that changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    pub status: Status,
    pub version: i64,
    pub is_to_stop: bool,
    pub started_at: Option<Timestamp>,
    pub stopping_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    pub stop: Option<(StopCode, String)>,
    pub exit_code: Option<i32>,
    pub process: Option<Process>,
    pub peak_memory_kib: Option<u64>,
}

/// The leader of a task's process group. Process ids are used again: only together with the start
/// time does one name a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub pid: i32,
    /// In clock ticks since the machine started; `None` where that cannot be known.
    pub start: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    #[default]
    Provisioning,
    Pending,
    Running,
    Deprovisioning,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    TerminationNotice,
}

impl fmt::Display for StopCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How points in time are written: the API has seconds since 1970, the events have RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Epoch,
    Rfc3339,
}

impl Times {
    fn write(self, at: Timestamp) -> Value {
        match self {
            Self::Epoch => json!(at.millis() as f64 / 1000.0),
            Self::Rfc3339 => json!(at.to_string()),
        }
    }
}

impl Task {
    pub(super) fn is_stopped(&self) -> bool {
        self.progress.status == Status::Stopped
    }

    /// The last part of the ARN.
    pub(super) fn id(&self) -> &str {
        id_of(&self.arn)
    }

    /// The task as ECS shows it.
    pub(super) fn to_json(&self, times: Times, with_tags: bool) -> Value {
        let progress = &self.progress;
        let (id, address) = (self.id(), "127.0.0.1");
        let attached = if self.is_stopped() {
            "DELETED"
        } else {
            "ATTACHED"
        };
        let mut task = json!({
            "taskArn": self.arn,
            "clusterArn": self.cluster,
            "taskDefinitionArn": self.definition,
            "group": format!("family:{}", self.family),
            "availabilityZone": "local",
            "lastStatus": progress.status,
            "desiredStatus": if progress.is_to_stop { "STOPPED" } else { "RUNNING" },
            "version": progress.version,
            "cpu": self.cpu,
            "memory": self.memory,
            "enableExecuteCommand": false,
            "overrides": self.overrides,
            "createdAt": times.write(self.created_at),
            "attachments": [{
                "id": id, "type": if times == Times::Epoch { "ElasticNetworkInterface" } else { "eni" }, "status": attached,
                "details": [{ "name": "privateIPv4Address", "value": address }],
            }],
            "containers": [{
                "containerArn": self.arn.replacen(":task/", ":container/", 1),
                "taskArn": self.arn,
                "name": self.container,
                "lastStatus": progress.status,
                "networkInterfaces": [{ "attachmentId": id, "privateIpv4Address": address }],
            }],
            "local": { "process": progress.process, "peakMemoryKib": progress.peak_memory_kib },
        });
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                task[name] = value;
            }
        };
        add(
            "launchType",
            self.launch_type.as_ref().map(|text| json!(text)),
        );
        add(
            "capacityProviderName",
            self.capacity_provider.as_ref().map(|text| json!(text)),
        );
        add(
            "startedBy",
            self.started_by.as_ref().map(|text| json!(text)),
        );
        add("startedAt", progress.started_at.map(|at| times.write(at)));
        add("stoppingAt", progress.stopping_at.map(|at| times.write(at)));
        add("stoppedAt", progress.stopped_at.map(|at| times.write(at)));
        add(
            "stopCode",
            progress.stop.as_ref().map(|(code, _)| json!(code)),
        );
        add(
            "stoppedReason",
            progress.stop.as_ref().map(|(_, reason)| json!(reason)),
        );
        add("tags", with_tags.then(|| self.tags.clone()));
        if let Some(code) = progress.exit_code {
            task["containers"][0]["exitCode"] = json!(code);
        }
        if let Some(image) = &self.image {
            task["containers"][0]["image"] = json!(image);
        }
        task
    }

    /// The event that EventBridge delivers after a change.
    pub(super) fn event(&self, id: &str, region: &str, account: &str, now: Timestamp) -> Value {
        let mut detail = self.to_json(Times::Rfc3339, false);
        detail["updatedAt"] = Times::Rfc3339.write(now);
        json!({
            "version": "0",
            "id": id,
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": account,
            "time": now.to_string(),
            "region": region,
            "resources": [self.arn],
            "detail": detail,
        })
    }
}

/// The last part of an ARN, or the whole text.
pub(super) fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
