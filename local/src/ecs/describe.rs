//! Owns the operations on what exists: DescribeTasks, ListTasks, StopTask, DescribeClusters. Must
//! not start anything.

use serde::Deserialize;
use serde_json::{Value, json};

use super::task::{Status, StopCode, Task, Times, id_of};
use super::task_store::{State, TaskStore};
use super::wire::ApiError;

/// ECS's bound on the tasks of one request, and on a page of a list.
const MAX_TASKS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request {
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

pub(super) fn describe(store: &TaskStore, body: Value) -> Result<Value, ApiError> {
    let request = read(store, body)?;
    if request.tasks.is_empty() || request.tasks.len() > MAX_TASKS {
        return Err(ApiError::parameter(
            "Tasks can not be empty, and there can be at most 100.",
        ));
    }
    let with_tags = request.include.iter().any(|what| what == "TAGS");
    let state = store.lock();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in &request.tasks {
        match find(store, &state, name) {
            Some(task) => tasks.push(task.to_json(Times::Epoch, with_tags)),
            None => failures.push(json!({ "arn": arn_of(store, name), "reason": "MISSING" })),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

pub(super) fn list(store: &TaskStore, body: Value) -> Result<Value, ApiError> {
    let request = read(store, body)?;
    if request.started_by.is_some() && request.family.is_some() {
        return Err(ApiError::parameter("startedBy must be the only filter."));
    }
    let wants_stopped = match request.desired_status.as_deref() {
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
            && request
                .started_by
                .as_ref()
                .is_none_or(|name| task.started_by.as_ref() == Some(name))
            && request
                .family
                .as_ref()
                .is_none_or(|name| task.family == *name)
            && request
                .next_token
                .as_ref()
                .is_none_or(|last| task.arn > *last)
    };
    let limit = request.max_results.unwrap_or(MAX_TASKS).clamp(1, MAX_TASKS);
    let state = store.lock();
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

pub(super) fn stop(store: &TaskStore, body: Value) -> Result<Value, ApiError> {
    let request = read(store, body)?;
    let known = find(store, &store.lock(), &request.task).map(|task| task.arn.clone());
    let arn = known.ok_or_else(|| ApiError::parameter("The referenced task was not found."))?;
    store.stop(
        &arn,
        StopCode::UserInitiated,
        request.reason.as_deref().unwrap_or("Task stopped by user"),
    );
    let task = store
        .lock()
        .tasks
        .get(&arn)
        .map(|task| task.to_json(Times::Epoch, false));
    Ok(json!({ "task": task }))
}

pub(super) fn describe_clusters(store: &TaskStore, body: Value) -> Result<Value, ApiError> {
    let request: Request = ApiError::read(body)?;
    let names = if request.clusters.is_empty() {
        vec!["default".to_owned()]
    } else {
        request.clusters
    };
    let (ours, others): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| id_of(name) == store.options.cluster);
    let state = store.lock();
    let count = |running: bool| {
        state
            .tasks
            .values()
            .filter(|t| !t.is_stopped() && (t.progress.status == Status::Running) == running)
            .count()
    };
    let cluster = || {
        json!({
            "clusterArn": store.arn(&format!("cluster/{}", store.options.cluster)),
            "clusterName": store.options.cluster,
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

fn read(store: &TaskStore, body: Value) -> Result<Request, ApiError> {
    let request: Request = ApiError::read(body)?;
    check_cluster(store, request.cluster.as_deref())?;
    Ok(request)
}

/// There is one cluster, by name or ARN; without a name ECS means `default`.
pub(super) fn check_cluster(store: &TaskStore, name: Option<&str>) -> Result<(), ApiError> {
    let is_ours = id_of(name.unwrap_or("default")) == store.options.cluster;
    if is_ours {
        Ok(())
    } else {
        Err(ApiError::cluster())
    }
}

fn find<'a>(store: &TaskStore, state: &'a State, name: &str) -> Option<&'a Task> {
    state.tasks.get(&arn_of(store, name))
}

/// Tasks may be named by ARN or by its last part.
fn arn_of(store: &TaskStore, name: &str) -> String {
    if name.starts_with("arn:") {
        name.to_owned()
    } else {
        store.arn(&format!("task/{}/{name}", store.options.cluster))
    }
}
