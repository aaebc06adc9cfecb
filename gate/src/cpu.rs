//! Owns how much processor time the task of a session has used, and the limit of what it may use
//! without input. Must not know how a session ends.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::time::Duration;

use axum::body::Bytes;
use casting_protocol::session_options::CpuLimit;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::report;
use crate::session_state::SessionState;

/// Between two samples of the shortest and of the longest window.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// Samples within one window, as far as the intervals allow.
const SAMPLES: u32 = 20;
/// How long ECS may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of its answer is read, in bytes: some kilobytes for each container.
const ANSWER_BYTES: usize = 256 << 10;
/// The CPU units of a processor.
const UNITS: u32 = 1024;
/// The unit of the times in `/proc`, which is the same on every architecture that Linux runs on
/// (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Where the processor time is read.
struct CpuUsage(Source);

enum Source {
    /// From ECS, for all containers of the task: the app may run in another one.
    Task {
        client: reqwest::Client,
        url: String,
    },
    /// From `/proc`: what the gate's parent has started.
    Processes,
}

impl CpuUsage {
    /// The usage of the task that this gate is part of; `metadata` is ECS's address for it.
    fn of_task(metadata: Option<&str>) -> Self {
        let client = report::client(|builder| builder.timeout(ANSWER_TIMEOUT));
        Self(match (metadata, client) {
            (Some(url), Ok(client)) => Source::Task {
                client,
                url: format!("{url}/task"),
            },
            _ => Source::Processes,
        })
    }

    /// All processor time that the task has used; `None` while it is unknown.
    async fn used(&self) -> Option<Duration> {
        match &self.0 {
            Source::Task { client, url } => total(&read(client, &format!("{url}/stats")).await?),
            Source::Processes => tokio::task::spawn_blocking(of_processes).await.ok()?,
        }
    }

    /// The CPU units of the task as ECS knows them.
    async fn units(&self) -> Option<u32> {
        match &self.0 {
            Source::Task { client, url } => units(&read(client, url).await?),
            Source::Processes => None,
        }
    }
}

async fn read(client: &reqwest::Client, url: &str) -> Option<Bytes> {
    let answer = client.get(url).send().await.ok()?;
    let body = Limited::new(reqwest::Body::from(answer), ANSWER_BYTES);
    Some(body.collect().await.ok()?.to_bytes())
}

/// What ECS tells of a task.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskMetadata {
    limits: TaskLimits,
}

#[derive(Deserialize)]
struct TaskLimits {
    /// In processors.
    #[serde(rename = "CPU")]
    cpu: f64,
}

/// The CPU units of a task.
fn units(metadata: &[u8]) -> Option<u32> {
    let metadata: TaskMetadata = serde_json::from_slice(metadata).ok()?;
    let units = Duration::try_from_secs_f64(metadata.limits.cpu * f64::from(UNITS)).ok()?;
    u32::try_from(units.as_secs())
        .ok()
        .filter(|units| *units > 0)
}

/// What ECS tells of one container; nothing while it has not started, or has ended.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerStats {
    cpu_stats: CpuStats,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CpuStats {
    cpu_usage: CpuTotal,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CpuTotal {
    /// In nanoseconds.
    total_usage: u64,
}

/// The processor time of all containers of a task.
fn total(stats: &[u8]) -> Option<Duration> {
    let containers: HashMap<String, Option<ContainerStats>> = serde_json::from_slice(stats).ok()?;
    let used = containers.into_values().flatten();
    Some(Duration::from_nanos(
        used.map(|one| one.cpu_stats.cpu_usage.total_usage)
            .fold(0, u64::saturating_add),
    ))
}

/// What one process, and those that it has waited for, have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessTime {
    parent: u32,
    ticks: u64,
}

/// Reads `/proc/PID/stat`. The name, in brackets, may itself hold spaces and brackets.
fn process_time(line: &str) -> Option<ProcessTime> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // State, parent, …; utime, stime, cutime and cstime are the fields 14 to 17 of the whole line.
    let times = fields.get(11..15)?.iter();
    Some(ProcessTime {
        parent: fields.get(1)?.parse().ok()?,
        ticks: times.filter_map(|time| time.parse::<u64>().ok()).sum(),
    })
}

/// The processor time of all that the gate's parent has started: in a container its first process,
/// which also becomes the parent of what has lost its own; on one machine the task's supervisor.
fn of_processes() -> Option<Duration> {
    let mut processes = HashMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let id: Option<u32> = entry.file_name().to_str().and_then(|id| id.parse().ok());
        let stat = fs::read_to_string(entry.path().join("stat"));
        if let (Some(id), Some(time)) = (id, stat.ok().as_deref().and_then(process_time)) {
            processes.insert(id, time);
        }
    }
    // The first process of a container has no parent here.
    let root = match std::os::unix::process::parent_id() {
        0 => std::process::id(),
        parent => parent,
    };
    Some(TICK.saturating_mul(ticks_below(&processes, root)))
}

/// The ticks of a process and of all that descend from it.
fn ticks_below(processes: &HashMap<u32, ProcessTime>, root: u32) -> u32 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (id, time) in processes {
        children.entry(time.parent).or_default().push(*id);
    }
    let (mut sum, mut open) = (0_u64, vec![root]);
    while let Some(next) = open.pop() {
        sum += processes.get(&next).map_or(0, |time| time.ticks);
        open.extend(children.remove(&next).unwrap_or_default());
    }
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// What was used when, over the time of a limit.
struct Window {
    length: Duration,
    /// What may be used in that time.
    allowed: Duration,
    /// The oldest first; the first is as old as the window, once there are so many.
    samples: VecDeque<(Instant, Duration)>,
}

impl Window {
    /// A window of `seconds` that half of so many CPU units fill.
    fn new(seconds: u32, units: u32) -> Self {
        let length = Duration::from_secs(seconds.into());
        Self {
            length,
            allowed: length * units / UNITS / 2,
            samples: VecDeque::new(),
        }
    }

    fn interval(&self) -> Duration {
        (self.length / SAMPLES).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    /// Adds what was used until `at`, and says whether the limit is reached by a session without
    /// input for `untouched`.
    fn reached(&mut self, at: Instant, used: Duration, untouched: Duration) -> bool {
        self.samples.push_back((at, used));
        let length = self.length;
        let is_old = |sample: &(Instant, Duration)| at - sample.0 >= length;
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
        let Some(&(since, before)) = self.samples.front() else {
            return false;
        };
        let (elapsed, used) = (at - since, used.saturating_sub(before));
        // Samples are not as far from one another as the window is long: the averages count.
        elapsed >= length
            && untouched >= length
            && used.as_secs_f64() * length.as_secs_f64()
                >= self.allowed.as_secs_f64() * elapsed.as_secs_f64()
    }
}

/// Waits until the session has used as much without input as its directives allow, which may change
/// meanwhile. A usage that cannot be read reaches no limit. `metadata`: ECS's address for the task.
pub async fn limit_reached(metadata: Option<&str>, state: &SessionState) {
    let mut changes = state.changes();
    loop {
        let limit = state.directives().unattended_cpu;
        let reached = async {
            match limit {
                Some(limit) => limit_of_directive_reached(metadata, state, limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(reached);
        loop {
            tokio::select! {
                () = &mut reached => return,
                _ = changes.changed() => {}
            }
            if state.directives().unattended_cpu != limit {
                break;
            }
        }
    }
}

async fn limit_of_directive_reached(metadata: Option<&str>, state: &SessionState, limit: CpuLimit) {
    // Only now: most sessions have no such limit, and their gates need no further client.
    let usage = CpuUsage::of_task(metadata);
    let units = match limit.cpu_units {
        Some(units) => units,
        None => usage.units().await.unwrap_or(UNITS),
    };
    let mut window = Window::new(limit.window_seconds, units);
    let mut was_known = true;
    loop {
        let used = usage.used().await;
        if used.is_none() && was_known {
            tracing::warn!("The task's processor time is unknown, so its limit is not held");
        }
        was_known = used.is_some();
        let untouched = state.presence.untouched_for();
        if used.is_some_and(|used| window.reached(Instant::now(), used, untouched)) {
            return;
        }
        sleep(window.interval()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn limit_is_an_average_over_a_window_without_input() {
        let all: fn(f64) -> f64 = |at| at;
        for (name, used, touched_at, ends_after) in [
            ("a busy processor", all, 0.0, Some(60.0)),
            ("two busy processors", |at| 2.0 * at, 0.0, Some(60.0)),
            ("exactly half", |at| at / 2.0, 0.0, Some(60.0)),
            ("a little less than half", |at| 0.49 * at, 0.0, None),
            ("work that is over", |at| at.min(20.0), 0.0, None),
            (
                "work that begins later",
                |at| (at - 99.0).max(0.0),
                0.0,
                Some(129.0),
            ),
            ("input after a while", all, 45.0, Some(105.0)),
            ("a sum that goes down", |at| 1000.0 - at, 0.0, None),
        ] {
            let began = Instant::now();
            let mut window = Window::new(60, UNITS);
            let step = window.interval().as_secs_f64();
            let ended = (0..100).map(|n| f64::from(n) * step).find(|at| {
                let untouched = if *at >= touched_at {
                    at - touched_at
                } else {
                    *at
                };
                window.reached(began + seconds(*at), seconds(used(*at)), seconds(untouched))
            });
            assert_eq!(ended, ends_after, "{name}");
            assert!(window.samples.len() <= SAMPLES as usize + 2, "{name}");
        }
    }

    #[test]
    fn units_of_a_task_are_read() {
        for (name, text, read) in [
            (
                "a quarter of a processor",
                r#"{"Cluster": "c", "Limits": {"CPU": 0.25, "Memory": 512}}"#,
                Some(256),
            ),
            ("sixteen", r#"{"Limits": {"CPU": 16}}"#, Some(16_384)),
            ("no limit", r#"{"Limits": {"Memory": 512}}"#, None),
            ("none at all", r#"{"Limits": {"CPU": 0}}"#, None),
            ("less than none", r#"{"Limits": {"CPU": -1}}"#, None),
            ("too many", r#"{"Limits": {"CPU": 1e300}}"#, None),
        ] {
            assert_eq!(units(text.as_bytes()), read, "{name}");
        }
    }

    #[test]
    fn usage_is_the_sum_of_all_started_containers() {
        for (name, text, nanos) in [
            (
                "two containers and one that has not started",
                r#"{"a": {"cpu_stats": {"cpu_usage": {"total_usage": 5, "usage_in_usermode": 1}}, "read": "x"},
                    "b": {"cpu_stats": {"cpu_usage": {"total_usage": 7}}}, "c": null}"#,
                Some(12),
            ),
            ("none yet", "{}", Some(0)),
            (
                "too large a sum",
                r#"{"a": {"cpu_stats": {"cpu_usage": {"total_usage": 18446744073709551615}}},
                    "b": {"cpu_stats": {"cpu_usage": {"total_usage": 7}}}}"#,
                Some(u64::MAX),
            ),
            (
                "one that has ended",
                r#"{"a": {"cpu_stats": {}}, "b": {}, "c": {"cpu_stats": {"cpu_usage": {"total_usage": 7}}}}"#,
                Some(7),
            ),
            ("no document", "<html>", None),
        ] {
            assert_eq!(
                total(text.as_bytes()),
                nanos.map(Duration::from_nanos),
                "{name}"
            );
        }
    }

    #[test]
    fn processes_are_summed_below_the_root() {
        let line =
            |name, parent| format!("7 ({name}) S {parent} 1 1 0 -1 4 1 2 3 4 10 20 300 4000 20 0");
        for (name, line, time) in [
            ("an ordinary one", line("sh", 3), Some((3, 4330))),
            (
                "brackets in its name",
                line("a) S 9 (b", 3),
                Some((3, 4330)),
            ),
            ("a short line", "7 (sh) S 3 1".to_owned(), None),
            ("no line", String::new(), None),
        ] {
            let time = time.map(|(parent, ticks)| ProcessTime { parent, ticks });
            assert_eq!(process_time(&line), time, "{name}");
        }
        let process = |id, parent, ticks| (id, ProcessTime { parent, ticks });
        let processes = HashMap::from([
            process(1, 0, 1),
            process(2, 1, 10),
            process(3, 2, 100),
            process(4, 2, 1000),
            process(5, 4, 10_000),
            process(6, 1, 100_000),
        ]);
        assert_eq!(ticks_below(&processes, 2), 11_110);
        assert_eq!(ticks_below(&processes, 9), 0, "an unknown one");
    }
}
