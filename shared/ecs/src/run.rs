//! Owns the start of a task: what is asked of ECS, and which of the five outcomes its answer is.
//! Must not repeat calls itself (see `retry`).

use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use aws_sdk_ecs::types::{
    CapacityProviderStrategyItem, ContainerOverride, KeyValuePair, LaunchType, Tag, TaskOverride,
};
use casting_core::image::GATE_CONTAINER;
use casting_core::ports::{Run, Task, TaskSpec};
use casting_core::session::TaskStatus;
use serde_json::json;

use crate::failure::{Failure, Kind, is_full};
use crate::retry::{self, Answer, WhenThrottled};
use crate::settings::Strategy;
use crate::{EcsLauncher, events};

/// ECS's bound on the overrides of a task, in characters of their JSON.
pub(crate) const MAX_OVERRIDE_CHARS: usize = 8192;

impl EcsLauncher {
    pub(crate) async fn run_task(&self, spec: &TaskSpec) -> Run {
        let chars = override_chars(spec);
        if chars > MAX_OVERRIDE_CHARS {
            return Run::Refused(format!(
                "The environment of this session has {chars} characters as JSON; ECS takes at most \
                 {MAX_OVERRIDE_CHARS}."
            ));
        }
        let request = match self.run_request(spec) {
            Ok(request) => request,
            Err(words) => return Run::Refused(words),
        };
        let Answer { result, in_doubt } =
            retry::call(WhenThrottled::Return, || request.clone().send()).await;
        let run = match result {
            Ok(output) => judge(&output),
            Err(Failure {
                error: Some(RunTaskError::ConflictException(conflict)),
                words,
                ..
            }) => self.adopt(spec, conflict.resource_ids(), &words).await,
            Err(failure) => match failure.kind {
                Kind::Lost => Run::Unknown(failure.words),
                Kind::Throttled => Run::Throttled(failure.words),
                Kind::Full => Run::NoCapacity(failure.words),
                Kind::Refused => Run::Refused(failure.words),
            },
        };
        match run {
            // An earlier attempt may have taken effect: only a task proves anything now.
            Run::Throttled(words) | Run::NoCapacity(words) | Run::Refused(words) if in_doubt => {
                Run::Unknown(words)
            }
            run => run,
        }
    }

    /// The request, the same for the same spec to the byte: ECS compares the parameters of calls
    /// that have one client token.
    fn run_request(&self, spec: &TaskSpec) -> Result<RunTaskFluentBuilder, String> {
        let containers = overrides(spec).into_iter().map(|(name, environment)| {
            let pairs = environment
                .into_iter()
                .map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
            ContainerOverride::builder()
                .name(name)
                .set_environment(Some(pairs.collect()))
                .build()
        });
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let request = self
            .client
            .run_task()
            .cluster(&self.settings.cluster)
            .task_definition(&spec.task_definition)
            .count(1)
            .client_token(&spec.client_token)
            .started_by(spec.session.as_str())
            .overrides(
                TaskOverride::builder()
                    .set_container_overrides(Some(containers.collect()))
                    .build(),
            )
            .set_network_configuration(self.settings.network(spec.placement.as_ref()))
            .enable_execute_command(false)
            .tags(tag("project", "session-casting"))
            .tags(tag("session", spec.session.as_str()));
        let strategy = self.settings.capacity.strategy(spec.attempt);
        let Some(providers) = strategy.and_then(Strategy::providers) else {
            return Ok(request.launch_type(LaunchType::Fargate));
        };
        let items = providers.iter().map(|(name, weight)| {
            CapacityProviderStrategyItem::builder()
                .capacity_provider(name)
                .weight(*weight)
                .build()
        });
        let items: Result<Vec<_>, _> = items.collect();
        let items = items.map_err(|error| error.to_string())?;
        Ok(request.set_capacity_provider_strategy(Some(items)))
    }

    /// A task exists under our client token, with other parameters (an administrator changed the
    /// settings between two attempts): it is the session's task all the same.
    async fn adopt(&self, spec: &TaskSpec, arns: &[String], words: &str) -> Run {
        let found = if arns.is_empty() {
            self.find_tasks(&spec.session).await
        } else {
            self.describe_tasks(arns.to_vec()).await
        };
        let ours = |task: &Task| task.session.as_ref() == Some(&spec.session);
        match found {
            Ok(tasks) => {
                // A live task before a stopped one.
                let task = tasks
                    .into_iter()
                    .filter(ours)
                    .min_by_key(|task| task.task.status == TaskStatus::Stopped);
                task.map_or_else(|| Run::Unknown(words.to_owned()), Run::Started)
            }
            Err(fault) => Run::Unknown(format!("{words}; {fault}")),
        }
    }
}

/// Reads the outcome from an answer with status 200, which may still be a failure.
fn judge(output: &RunTaskOutput) -> Run {
    if let Some(task) = output.tasks().first() {
        return match events::task_of(task) {
            Some(task) => Run::Started(task),
            None => Run::Unknown("ECS answered with a task that has no ARN".to_owned()),
        };
    }
    let words = |failure: &aws_sdk_ecs::types::Failure| {
        let parts = [failure.reason(), failure.detail()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    };
    let failures: Vec<String> = output.failures().iter().map(words).collect();
    match failures.join("; ") {
        none if none.is_empty() => {
            Run::NoCapacity("ECS started no task and gave no reason".to_owned())
        }
        words if failures.iter().any(|failure| is_full(failure)) => Run::NoCapacity(words),
        words => Run::Refused(words),
    }
}

/// Each container's environment, sorted by name.
fn overrides(spec: &TaskSpec) -> Vec<(&str, Vec<&(String, String)>)> {
    let gate = spec
        .gate_environment
        .as_ref()
        .map(|environment| (GATE_CONTAINER, environment));
    let containers = [(spec.container.as_str(), &spec.environment)]
        .into_iter()
        .chain(gate);
    containers
        .map(|(name, environment)| (name, sorted(environment)))
        .collect()
}

fn sorted(environment: &[(String, String)]) -> Vec<&(String, String)> {
    let mut environment: Vec<_> = environment.iter().collect();
    environment.sort();
    environment
}

fn override_chars(spec: &TaskSpec) -> usize {
    let container = |(name, environment): (&str, Vec<&(String, String)>)| {
        let pairs: Vec<_> = environment
            .into_iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        json!({ "name": name, "environment": pairs })
    };
    json!({ "containerOverrides": overrides(spec).into_iter().map(container).collect::<Vec<_>>() })
        .to_string()
        .chars()
        .count()
}

#[cfg(test)]
mod tests {
    use casting_core::ids::SessionId;
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted::{self, Reply};

    fn spec() -> TaskSpec {
        let session = SessionId::from_bytes([1; 16]);
        TaskSpec {
            client_token: format!("{session}-1"),
            session,
            attempt: 1,
            task_definition: "casting-x:1".into(),
            container: "session".into(),
            environment: vec![("B".into(), "2".into()), ("A".into(), "1".into())],
            gate_environment: None,
            placement: None,
        }
    }

    fn task() -> Value {
        json!({ "taskArn": "arn:1", "lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "version": 1, "startedBy": spec().session })
    }

    fn started() -> Reply {
        Reply::ok(json!({ "tasks": [task()], "failures": [] }))
    }

    fn failed(reason: &str) -> Reply {
        Reply::ok(json!({ "tasks": [], "failures": [{ "reason": reason }] }))
    }

    /// The outcome's name and the number of RunTask calls it took.
    async fn outcome(replies: Vec<Reply>) -> (&'static str, usize) {
        let (launcher, script) = scripted::launcher(replies);
        let name = match launcher.run_task(&spec()).await {
            Run::Started(_) => "started",
            Run::Throttled(_) => "throttled",
            Run::NoCapacity(_) => "no capacity",
            Run::Refused(_) => "refused",
            Run::Unknown(_) => "unknown",
        };
        let calls = script.calls();
        let runs: Vec<_> = calls
            .iter()
            .filter(|(operation, _)| operation.ends_with(".RunTask"))
            .collect();
        assert!(
            runs.windows(2).all(|pair| pair[0] == pair[1]),
            "every attempt is the same to the byte"
        );
        (name, runs.len())
    }

    #[tokio::test(start_paused = true)]
    async fn each_run_task_answer_has_its_outcome() {
        let conflict = || {
            Reply::error(
                "ConflictException",
                "other parameters",
                json!({ "resourceIds": ["arn:1"] }),
            )
        };
        let throttled = || Reply::error("ThrottlingException", "Rate exceeded", json!({}));
        let refused = || Reply::error("InvalidParameterException", "no such subnet", json!({}));
        for (name, replies, expected) in [
            ("a task", vec![started()], ("started", 1)),
            (
                "no room",
                vec![failed(
                    "Capacity is unavailable at this time. Please try again later",
                )],
                ("no capacity", 1),
            ),
            (
                "a resource is short",
                vec![failed("RESOURCE:MEMORY")],
                ("no capacity", 1),
            ),
            (
                "no task and no reason",
                vec![Reply::ok(json!({ "tasks": [], "failures": [] }))],
                ("no capacity", 1),
            ),
            ("another failure", vec![failed("LOCATION")], ("refused", 1)),
            ("refused", vec![refused()], ("refused", 1)),
            (
                "throttled: it is queued, not tried again",
                vec![throttled()],
                ("throttled", 1),
            ),
            (
                "lost, then throttled, then a task",
                vec![Reply::Lost, throttled(), started()],
                ("started", 3),
            ),
            (
                "lost, then throttled again and again: the lost one may run",
                [vec![Reply::Lost], (0..5).map(|_| throttled()).collect()]
                    .into_iter()
                    .flatten()
                    .collect(),
                ("unknown", 6),
            ),
            (
                "their fault, then a task",
                vec![Reply::status(500), started()],
                ("started", 2),
            ),
            (
                "lost, then a task",
                vec![Reply::Lost, started()],
                ("started", 2),
            ),
            (
                "silence, then a task",
                vec![Reply::Silence, started()],
                ("started", 2),
            ),
            (
                "nothing but silence",
                vec![Reply::Silence, Reply::Silence, Reply::Silence],
                ("unknown", 3),
            ),
            (
                "lost, then refused: the lost one may run",
                vec![Reply::Lost, refused()],
                ("unknown", 2),
            ),
            (
                "lost, then no room",
                vec![Reply::Lost, failed("RESOURCE:CPU")],
                ("unknown", 2),
            ),
            (
                "a conflict with a known task",
                vec![conflict(), Reply::ok(json!({ "tasks": [task()] }))],
                ("started", 1),
            ),
            (
                "a conflict with nothing",
                vec![conflict(), Reply::ok(json!({ "tasks": [] }))],
                ("unknown", 1),
            ),
        ] {
            assert_eq!(outcome(replies).await, expected, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retries_stay_within_the_time_budget() {
        let (launcher, _) = scripted::launcher((0..9).map(|_| Reply::Silence).collect());
        let start = tokio::time::Instant::now();
        launcher.run_task(&spec()).await;
        assert!(start.elapsed() <= retry::BUDGET, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn run_task_request_identifies_its_session_only() {
        let (launcher, script) = scripted::launcher(vec![started()]);
        launcher.run_task(&spec()).await;
        let (operation, body) = script.calls().remove(0);
        assert_eq!(operation, "AmazonEC2ContainerServiceV20141113.RunTask");
        let body: Value = serde_json::from_str(&body).unwrap();
        let session = spec().session;
        assert_eq!(
            body,
            json!({
                "cluster": "casting", "taskDefinition": "casting-x:1", "count": 1, "launchType": "FARGATE",
                "clientToken": format!("{session}-1"), "startedBy": session, "enableExecuteCommand": false,
                "overrides": { "containerOverrides": [{
                    "name": "session", "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                }] },
                "networkConfiguration": { "awsvpcConfiguration": {
                    "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED",
                } },
                "tags": [{ "key": "project", "value": "session-casting" }, { "key": "session", "value": session }],
            })
        );
    }

    #[tokio::test]
    async fn sidecar_gate_has_its_own_environment() {
        let (launcher, script) = scripted::launcher(vec![started()]);
        let spec = TaskSpec {
            gate_environment: Some(vec![("CAST_BOOTSTRAP_TOKEN".into(), "hush".into())]),
            ..spec()
        };
        launcher.run_task(&spec).await;
        let body: Value = serde_json::from_str(&script.calls().remove(0).1).unwrap();
        let containers = &body["overrides"]["containerOverrides"];
        assert_eq!(
            containers[1],
            json!({ "name": "casting-gate", "environment": [{ "name": "CAST_BOOTSTRAP_TOKEN", "value": "hush" }] })
        );
        assert!(!containers[0].to_string().contains("hush"), "{containers}");
    }

    #[tokio::test]
    async fn oversized_environment_is_refused_before_the_call() {
        let (launcher, script) = scripted::launcher(vec![]);
        let mut spec = spec();
        spec.environment
            .push(("KASM_URL".into(), "x".repeat(MAX_OVERRIDE_CHARS)));
        assert!(
            matches!(launcher.run_task(&spec).await, Run::Refused(words) if words.contains("8192"))
        );
        assert!(script.calls().is_empty());
    }
}
