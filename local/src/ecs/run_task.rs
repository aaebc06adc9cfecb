//! Owns RunTask: its checks, its client token, its failures, and what is given to the runtime. Must
//! not know how a process is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use casting_core::image::{BROUGHT_GATE, GATE_CONTAINER};
use casting_core::session_environment::{APP_SOUND_PORT, DEVTOOLS_PORT};
use data_encoding::HEXLOWER;
use ring::digest;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::definitions::{self, Definition, Pair};
use super::describe::check_cluster;
use super::processes::{self, Order, PROFILE_PATH, Processes};
use super::task::{Progress, Task, Times};
use super::task_store::{State, TaskStore};
use super::wire::ApiError;
use super::{InjectedFault, Runtime};
use crate::confine;
use crate::container_app::SOUND_PORTS;
use crate::stack::{STREAMED_BROWSER_APP, STREAMED_DESKTOP_APP};

/// ECS's words when Fargate has no room.
const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a \
                           different availability zone";
/// ECS's bound on the overrides, in characters of their JSON.
const MAX_OVERRIDE_CHARS: usize = 8192;

/// Images of these names are commands of this machine, not containers.
const PROGRAMS: [&str; 2] = ["casting/", "local/"];
/// Why no command is run, in words for an administrator.
const NOT_CONFINED: &str = "This machine cannot confine the commands of sessions (it has neither \
    user namespaces nor Landlock of Linux 6.12), so it runs none: start it again with --unconfined \
    if every visitor may do what the user who runs it may do.";
/// How much memory a task has whose definition does not say, in MiB.
const LEAST_MEMORY_MIB: u32 = 512;
/// The name of the gate's program on this machine, wherever its definition has it.
const GATE: &str = "gate";
/// The stop timeout of a task, in seconds: shorter than Fargate's, so that this program stops soon.
const STOP_SECONDS: u32 = 10;
/// The same for one that saves a profile at its end.
const SAVING_SECONDS: u32 = 60;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Start {
    cluster: Option<String>,
    task_definition: String,
    count: Option<usize>,
    client_token: Option<String>,
    started_by: Option<String>,
    launch_type: Option<String>,
    capacity_provider_strategy: Vec<Provider>,
    network_configuration: Option<Network>,
    overrides: Overrides,
    tags: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Provider {
    capacity_provider: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "awsvpcConfiguration")]
    vpc: Vpc,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vpc {
    subnets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Overrides {
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerOverride {
    name: String,
    command: Option<Vec<String>>,
    environment: Vec<Pair>,
}

pub(super) fn run(store: &Arc<TaskStore>, body: &Value) -> Result<Value, ApiError> {
    let start: Start = ApiError::read(body.clone())?;
    check_cluster(store, start.cluster.as_deref())?;
    check(&start, body)?;
    store.forget_old();
    let mut state = store.lock();
    let state = &mut *state;
    if state.is_closed {
        return Err(ApiError::server());
    }
    let mut rate = state.start_rate.as_mut();
    if rate
        .as_mut()
        .is_some_and(|rate| !rate.take(store.clock.now()))
    {
        return Err(ApiError::throttling());
    }
    let inject_faults = state.injected.pop_front();
    match inject_faults {
        Some(InjectedFault::Throttled) => return Err(ApiError::throttling()),
        Some(InjectedFault::ServerError) => return Err(ApiError::server()),
        Some(
            InjectedFault::NoCapacity
            | InjectedFault::LostAnswer
            | InjectedFault::NoNetworkInterface,
        )
        | None => {}
    }
    let digest = start.client_token.as_ref().map(|_| digest_of(body));
    if let Some((seen, arns)) = start
        .client_token
        .as_ref()
        .and_then(|token| state.tokens.get(token))
    {
        return if Some(seen) == digest.as_ref() {
            Ok(answer(state, arns, 0))
        } else {
            Err(ApiError::conflict(arns.clone()))
        };
    }
    let definition = definitions::find(state, &start.task_definition)
        .ok_or_else(|| ApiError::client("TaskDefinition not found."))?;
    if !definition.is_active {
        return Err(ApiError::client("TaskDefinition is inactive"));
    }
    let definition = definition.clone();
    let order = match &store.options.runtime {
        _ if inject_faults == Some(InjectedFault::NoNetworkInterface) => None,
        Runtime::Processes(processes) => Some(order(&start, &definition, processes)?),
        Runtime::Simulated { .. } => None,
    };
    let known = [definition.container.name.as_str(), GATE_CONTAINER];
    if let Some(other) = start
        .overrides
        .container_overrides
        .iter()
        .find(|container| !known.contains(&container.name.as_str()))
    {
        let words = format!(
            "Override for container named {} is not a container in the TaskDefinition.",
            other.name
        );
        return Err(ApiError::parameter(words));
    }
    let count = start.count.unwrap_or(1);
    let live = state
        .tasks
        .values()
        .filter(|task| !task.is_stopped())
        .count();
    let room = if inject_faults == Some(InjectedFault::NoCapacity) {
        0
    } else {
        state
            .max_tasks
            .map_or(count, |max| max.saturating_sub(live))
    };
    let token = start.client_token.clone().zip(digest);
    let mut arns = Vec::new();
    for _ in 0..count.min(room) {
        let order = order.clone();
        arns.push(add(
            store,
            state,
            &start,
            &definition,
            order,
            token.clone(),
            body,
        ));
    }
    let answer = answer(state, &arns, count - arns.len());
    if inject_faults == Some(InjectedFault::NoNetworkInterface) {
        for arn in &arns {
            store.refuse_interface(state, arn);
        }
    }
    if let Runtime::Simulated { run_at_once: true } = store.options.runtime {
        for arn in &arns {
            store.change(state, arn, |progress, now| {
                progress.status = super::task::Status::Running;
                progress.started_at = Some(now);
            });
        }
    }
    if inject_faults == Some(InjectedFault::LostAnswer) {
        Err(ApiError::server())
    } else {
        Ok(answer)
    }
}

/// Adds one task and gives it to the runtime.
fn add(
    store: &Arc<TaskStore>,
    state: &mut State,
    start: &Start,
    definition: &Definition,
    order: Option<Order>,
    token: Option<(String, String)>,
    body: &Value,
) -> String {
    let cluster = &store.options.cluster;
    let task = Task {
        arn: store.arn(&format!("task/{cluster}/{}", store.draw_id())),
        cluster: store.arn(&format!("cluster/{cluster}")),
        definition: definition.arn.clone(),
        family: definition.family.clone(),
        cpu: definition.cpu.clone(),
        memory: definition.memory.clone(),
        launch_type: start.launch_type.clone().or(Some("FARGATE".to_owned())),
        capacity_provider: start
            .capacity_provider_strategy
            .first()
            .map(|provider| provider.capacity_provider.clone()),
        started_by: start.started_by.clone(),
        token,
        overrides: body.get("overrides").cloned().unwrap_or_else(|| json!({})),
        tags: if start.tags.is_array() {
            start.tags.clone()
        } else {
            json!([])
        },
        container: definition.container.name.clone(),
        image: definition.container.image.clone(),
        created_at: store.clock.now(),
        progress: Progress::default(),
    };
    let arn = task.arn.clone();
    match (&store.options.runtime, order) {
        (Runtime::Simulated { .. }, _) | (_, None) => store.add(state, task, None),
        (Runtime::Processes(processes), Some(order)) => {
            let (stop, stopped) = oneshot::channel();
            store.add(state, task, Some(stop));
            let delay = state.start_delay;
            let carried = processes::carry(
                Arc::clone(store),
                processes.as_ref().clone(),
                arn.clone(),
                order,
                stopped,
            );
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                carried.await;
            });
        }
    }
    arn
}

/// What is run: the override's command wins, its environment is added. The gate is a program of
/// this machine, wherever the definition has it; the app is another, which is confined, or a real
/// container.
///
/// # Errors
/// In words for an administrator, when this machine does not run the image.
fn order(start: &Start, definition: &Definition, processes: &Processes) -> Result<Order, ApiError> {
    let container = &definition.container;
    let mut command = container.command.clone();
    let (mut environment, mut gate) = (container.environment.clone(), None);
    for changed in &start.overrides.container_overrides {
        if changed.name == GATE_CONTAINER {
            gate = Some(changed.environment.clone());
        } else {
            command = changed.command.clone().unwrap_or(command);
            environment.extend_from_slice(&changed.environment);
        }
    }
    let map = |pairs: Vec<Pair>| -> BTreeMap<String, String> {
        pairs
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect()
    };
    let (app, gate) = (map(environment), gate.map(map));
    let image = container.image.clone().unwrap_or_default();
    let is_program = PROGRAMS.iter().any(|prefix| image.starts_with(prefix));
    let containers = processes.containers.as_ref().filter(|_| !is_program);
    if containers.is_none() && !is_program {
        return Err(ApiError::client(format!(
            "This machine has no container engine, so the image {image} cannot be run: install Docker \
             or Podman and start again. Only images named casting/… and local/… are commands of this \
             machine."
        )));
    }
    let mut confinement = None;
    let (command, environment) = match containers {
        None => {
            let mut held = processes
                .confinement
                .clone()
                .ok_or_else(|| ApiError::client(NOT_CONFINED))?;
            let entry: Vec<String> = container
                .entry_point
                .iter()
                .map(|word| word.replace(BROUGHT_GATE, GATE))
                .collect();
            let mut environment = app;
            environment.extend(gate.unwrap_or_default());
            let command = [entry, command].concat();
            if !starts_streamed_app(&command) {
                held.streaming.clear();
            }
            confinement = Some(held);
            (confined(&command), environment)
        }
        Some(containers) => {
            let mut app = app;
            let mut gate = gate;
            // What listens on a container's own loopback cannot be reached from here.
            for environment in std::iter::once(&mut app).chain(&mut gate) {
                environment.remove(DEVTOOLS_PORT);
            }
            let words = command.strip_prefix(&["--".to_owned()]).unwrap_or(&command);
            let sizes =
                [&definition.cpu, &definition.memory].map(|size| size.as_str().unwrap_or_default());
            let mut environment = gate.unwrap_or_else(|| app.clone());
            environment.extend(containers.environment(
                &image,
                words,
                app,
                sizes,
                environment.get("CAST_APP_PORT").cloned(),
            ));
            // The gate finds the container at a port of this machine that it picks itself.
            environment.remove("CAST_APP_PORT");
            lead_sound(&mut environment);
            (
                [GATE, "run", "--", &containers.app, "run"]
                    .map(str::to_owned)
                    .into(),
                environment,
            )
        }
    };
    let longest = if environment.contains_key(PROFILE_PATH) {
        SAVING_SECONDS
    } else {
        STOP_SECONDS
    };
    Ok(Order {
        command,
        environment,
        confinement,
        memory_mib: number(&definition.memory).unwrap_or(LEAST_MEMORY_MIB),
        stop_timeout_seconds: container.stop_timeout.map(|seconds| seconds.min(longest)),
    })
}

/// The port of a container's sound is led to a free one of this machine.
fn lead_sound(environment: &mut BTreeMap<String, String>) {
    let Some(inside) = environment.remove(APP_SOUND_PORT) else {
        return;
    };
    let free = std::net::TcpListener::bind(("127.0.0.1", 0));
    if let Ok(here) = free.and_then(|listener| listener.local_addr()) {
        let here = here.port().to_string();
        environment.insert(SOUND_PORTS.to_owned(), format!("{inside} {here}"));
        environment.insert(APP_SOUND_PORT.to_owned(), here);
    }
}

fn number(size: &Value) -> Option<u32> {
    size.as_str()?.parse().ok()
}

/// The gate's part of a command, up to its two dashes, and the app's.
fn gate_and_app(command: &[String]) -> (&[String], &[String]) {
    let has_gate = command.first().is_some_and(|program| program == GATE);
    let dashes = command.iter().position(|word| word == "--");
    command.split_at(dashes.filter(|_| has_gate).map_or(0, |at| at + 1))
}

/// Whether the app is one of those that run the streaming server.
fn starts_streamed_app(command: &[String]) -> bool {
    let (_, app) = gate_and_app(command);
    app.first()
        .is_some_and(|program| [STREAMED_BROWSER_APP, STREAMED_DESKTOP_APP].contains(&&**program))
}

/// The same command with what confines its app.
fn confined(command: &[String]) -> Vec<String> {
    let (before, app) = gate_and_app(command);
    let confine = [confine::NAME, confine::RUN, "--"].map(str::to_owned);
    [before, &confine, app].concat()
}

fn answer(state: &State, arns: &[String], failed: usize) -> Value {
    let tasks: Vec<_> = arns
        .iter()
        .filter_map(|arn| state.tasks.get(arn))
        .map(|task| task.to_json(Times::Epoch, true))
        .collect();
    let failures: Vec<_> = (0..failed)
        .map(|_| json!({ "reason": NO_CAPACITY }))
        .collect();
    json!({ "tasks": tasks, "failures": failures })
}

/// A digest of everything but the token. The SDK writes the same request the same way each time.
fn digest_of(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("clientToken");
        fields.sort_keys();
    }
    HEXLOWER.encode(digest::digest(&digest::SHA256, body.to_string().as_bytes()).as_ref())
}

fn check(start: &Start, body: &Value) -> Result<(), ApiError> {
    let too_long =
        |text: &Option<String>, max: usize| text.as_ref().is_some_and(|text| text.len() > max);
    let refusal = if !(1..=10).contains(&start.count.unwrap_or(1)) {
        "Count must be between 1 and 10."
    } else if too_long(&start.client_token, 64) {
        "clientToken can not be longer than 64 characters."
    } else if too_long(&start.started_by, 128) {
        "startedBy can not be longer than 128 characters."
    } else if start.launch_type.is_some() && !start.capacity_provider_strategy.is_empty() {
        "Specifying both a launch type and capacity provider strategy is not supported."
    } else if start
        .network_configuration
        .as_ref()
        .is_none_or(|network| network.vpc.subnets.is_empty())
    {
        "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    } else if body
        .get("overrides")
        .is_some_and(|overrides| overrides.to_string().chars().count() > MAX_OVERRIDE_CHARS)
    {
        "Overrides length must be at most 8192."
    } else {
        return Ok(());
    };
    Err(ApiError::parameter(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streamed_apps_start_the_streaming_server() {
        for (command, expected) in [
            ("gate run -- streamed-browser", true),
            ("gate run -- streamed-desktop open", true),
            ("streamed-browser", true),
            ("gate run -- browser", false),
            ("gate run -- hostile streamed-browser", false),
            ("hostile -- streamed-browser", false),
            ("", false),
        ] {
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            assert_eq!(starts_streamed_app(&words), expected, "{command}");
        }
    }
}
