//! Owns the operations on what exists: DescribeTasks, ListTasks, StopTask, DescribeClusters. Must not start anything.

use serde::Deserialize;
use serde_json::{Value, json};

use super::fleet::{Fleet, State};
use super::task::{Status, StopCode, Task, Times, id_of};
use super::wire::ApiError;

/// ECS's bound on the tasks of one request, and on a page of a list.
const MAX_TASKS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Looked {
    cluster: Option<String>,
    clusters: Vec<String>,
    tasks: Vec<String>,
    include: Vec<String>,
    task: String,
    reason: Option<String>,
    started_by: Option<String>,
    family: Option<String>,
    desired_status: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn describe(fleet: &Fleet, body: Value) -> Result<Value, ApiError> {
    let asked = read(fleet, body)?;
    if asked.tasks.is_empty() || asked.tasks.len() > MAX_TASKS {
        return Err(ApiError::parameter(
            "Tasks can not be empty, and there can be at most 100.",
        ));
    }
    let with_tags = asked.include.iter().any(|what| what == "TAGS");
    let state = fleet.lock();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in &asked.tasks {
        match find(fleet, &state, name) {
            Some(task) => tasks.push(task.to_json(Times::Epoch, with_tags)),
            None => failures.push(json!({ "arn": arn_of(fleet, name), "reason": "MISSING" })),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

pub(super) fn list(fleet: &Fleet, body: Value) -> Result<Value, ApiError> {
    let asked = read(fleet, body)?;
    if asked.started_by.is_some() && asked.family.is_some() {
        return Err(ApiError::parameter("startedBy must be the only filter."));
    }
    let wants_stopped = match asked.desired_status.as_deref() {
        None | Some("RUNNING" | "PENDING") => false,
        Some("STOPPED") => true,
        Some(other) => {
            return Err(ApiError::parameter(format!(
                "{other} is no desired status."
            )));
        }
    };
    let fits = |task: &&Task| {
        task.progress.is_to_stop == wants_stopped
            && asked
                .started_by
                .as_ref()
                .is_none_or(|name| task.started_by.as_ref() == Some(name))
            && asked
                .family
                .as_ref()
                .is_none_or(|name| task.family == *name)
            && asked
                .next_token
                .as_ref()
                .is_none_or(|last| task.arn > *last)
    };
    let limit = asked.max_results.unwrap_or(MAX_TASKS).clamp(1, MAX_TASKS);
    let state = fleet.lock();
    let mut found = state
        .tasks
        .values()
        .filter(fits)
        .map(|task| task.arn.as_str());
    let page: Vec<_> = found.by_ref().take(limit).collect();
    let next = found.next().and(page.last());
    Ok(match next {
        Some(last) => json!({ "taskArns": page, "nextToken": last }),
        None => json!({ "taskArns": page }),
    })
}

pub(super) fn stop(fleet: &Fleet, body: Value) -> Result<Value, ApiError> {
    let asked = read(fleet, body)?;
    let known = find(fleet, &fleet.lock(), &asked.task).map(|task| task.arn.clone());
    let arn = known.ok_or_else(|| ApiError::parameter("The referenced task was not found."))?;
    fleet.stop(
        &arn,
        StopCode::UserInitiated,
        asked.reason.as_deref().unwrap_or("Task stopped by user"),
    );
    let task = fleet
        .lock()
        .tasks
        .get(&arn)
        .map(|task| task.to_json(Times::Epoch, false));
    Ok(json!({ "task": task }))
}

pub(super) fn describe_clusters(fleet: &Fleet, body: Value) -> Result<Value, ApiError> {
    let asked: Looked = ApiError::read(body)?;
    let names = if asked.clusters.is_empty() {
        vec!["default".to_owned()]
    } else {
        asked.clusters
    };
    let (ours, others): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| id_of(name) == fleet.options.cluster);
    let state = fleet.lock();
    let count = |running: bool| {
        state
            .tasks
            .values()
            .filter(|t| !t.is_stopped() && (t.progress.status == Status::Running) == running)
            .count()
    };
    let cluster = || {
        json!({
            "clusterArn": fleet.arn(&format!("cluster/{}", fleet.options.cluster)),
            "clusterName": fleet.options.cluster,
            "status": "ACTIVE",
            "runningTasksCount": count(true),
            "pendingTasksCount": count(false),
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        })
    };
    let failures: Vec<_> = others
        .into_iter()
        .map(|name| json!({ "arn": name, "reason": "MISSING" }))
        .collect();
    Ok(
        json!({ "clusters": ours.first().map(|_| cluster()).into_iter().collect::<Vec<_>>(), "failures": failures }),
    )
}

fn read(fleet: &Fleet, body: Value) -> Result<Looked, ApiError> {
    let asked: Looked = ApiError::read(body)?;
    check_cluster(fleet, asked.cluster.as_deref())?;
    Ok(asked)
}

/// There is one cluster, by name or ARN; without a name ECS means `default`.
pub(super) fn check_cluster(fleet: &Fleet, name: Option<&str>) -> Result<(), ApiError> {
    let is_ours = id_of(name.unwrap_or("default")) == fleet.options.cluster;
    if is_ours {
        Ok(())
    } else {
        Err(ApiError::cluster())
    }
}

fn find<'a>(fleet: &Fleet, state: &'a State, name: &str) -> Option<&'a Task> {
    state.tasks.get(&arn_of(fleet, name))
}

/// Tasks may be named by ARN or by its last part.
fn arn_of(fleet: &Fleet, name: &str) -> String {
    if name.starts_with("arn:") {
        name.to_owned()
    } else {
        fleet.arn(&format!("task/{}/{name}", fleet.options.cluster))
    }
}
