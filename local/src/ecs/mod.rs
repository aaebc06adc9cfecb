//! Owns an ECS endpoint for one machine: it speaks ECS's wire protocol to the real SDK, its tasks
//! are real processes (or simulated ones, in tests), and it emits the event that EventBridge would
//! deliver for every change. Must not know what a session, a cast or a gate is.
//!
//! # Layout
//! - `wire`: HTTP in, JSON out, errors as ECS words them
//! - `definitions`, `run_task`, `describe`: the operations
//! - `task_store`: all tasks and their changes; `task`: one task, and its two JSON forms;
//!   `journal`: what survives a restart
//! - `gate_ports`: where the gates of tasks listen
//! - `processes`: a task as a process tree; [`supervisor`]: the small process at its root;
//!   `proc_table`: what Linux says of processes

mod definitions;
mod describe;
mod gate_ports;
mod journal;
mod proc_table;
mod processes;
mod run_task;
mod start_rate;
pub mod supervisor;
mod task;
mod task_store;
mod wire;

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use casting_core::ids::Entropy;
use casting_core::time::Clock;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

pub use self::gate_ports::GatePorts;
pub use self::processes::{Containers, Processes};
use self::start_rate::StartRate;
use self::task::{StopCode, Times};
use self::task_store::TaskStore;

/// How much of the end of a task's output is shown: bytes, and lines of them.
const TAIL_BYTES: u64 = 16 * 1024;
const TAIL_LINES: usize = 60;

/// How the endpoint is set up.
#[derive(Clone, Debug)]
pub struct EcsOptions {
    /// Stands in the ARNs.
    pub region: String,
    /// Stands in the ARNs: twelve digits.
    pub account: String,
    /// The name of the one cluster.
    pub cluster: String,
    /// Where tasks and task definitions are kept over a restart; `None`: they are forgotten.
    pub journal: Option<PathBuf>,
    /// How a task runs.
    pub runtime: Runtime,
    /// How many tasks may run at once; `None`: any number.
    pub max_tasks: Option<usize>,
}

/// What a task is.
#[derive(Clone, Debug)]
pub enum Runtime {
    /// A tree of processes on this machine.
    Processes(Box<Processes>),
    /// Nothing but its state, which the handle moves.
    Simulated {
        /// Whether a task goes to RUNNING by itself, at once.
        run_at_once: bool,
    },
}

/// An injected failure of RunTask, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// No room: answered with a failure, nothing is started.
    NoCapacity,
    /// Answered with a ThrottlingException, nothing is started.
    Throttled,
    /// Answered with a ServerException, nothing is started.
    ServerError,
    /// The task is started, and the answer is a ServerException all the same.
    LostAnswer,
    /// The task is taken, and stops before its container starts: it gets no network interface in
    /// time.
    NoNetworkInterface,
}

/// A running endpoint.
#[derive(Clone, Debug)]
pub struct Ecs {
    store: Arc<TaskStore>,
}

impl Ecs {
    /// Opens the endpoint, and the channel on which every change of a task comes as an EventBridge
    /// event. Tasks that the journal knows as running are gone with the process that ran them: what
    /// is left of them is killed, and their end is reported first.
    ///
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// When the journal or the folder for the logs cannot be read or written.
    pub fn open(
        options: EcsOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<(Self, UnboundedReceiver<Value>)> {
        if let Runtime::Processes(processes) = &options.runtime {
            processes.prepare()?;
        }
        let (store, events) = TaskStore::open(options, clock, entropy)?;
        let store = Arc::new(store);
        if let Runtime::Processes(processes) = &store.options.runtime {
            tokio::spawn(processes::look_at_memory(Arc::downgrade(&store)));
            if let Some(containers) = &processes.containers {
                let (store, containers) = (Arc::downgrade(&store), containers.clone());
                tokio::spawn(processes::clear_leftovers(store, containers));
            }
        }
        Ok((Self { store }, events))
    }

    /// The endpoint as a router: everything is a POST to `/`.
    pub fn router(&self) -> Router {
        wire::router(Arc::clone(&self.store))
    }

    /// Stops every task, as a machine does that is shut down, and returns once none is left and
    /// each end has been reported. No task starts any more.
    pub async fn shutdown(&self) {
        self.store.close();
        for arn in self.store.live() {
            self.store.stop(
                &arn,
                StopCode::TerminationNotice,
                "The machine that ran this task was shut down.",
            );
        }
        self.store.wait_until_empty().await;
    }

    /// The next RunTask calls meet these troubles, one each, and none that were to come before.
    pub fn inject_faults(&self, injected: impl IntoIterator<Item = InjectedFault>) {
        self.store.lock().injected = injected.into_iter().collect();
    }

    /// From now on, RunTask is throttled above so many calls a second, and `burst` at once.
    pub fn limit_starts(&self, per_second: u32, burst: u32) {
        self.store.lock().start_rate = Some(StartRate::new(per_second, burst));
    }

    /// From now on at most this many tasks run at once.
    pub fn set_max_tasks(&self, max: Option<usize>) {
        self.store.lock().max_tasks = max;
    }

    /// From now on, tasks take so long before their processes start, as they do where an image must
    /// be fetched first.
    pub fn set_start_delay(&self, delay: Duration) {
        self.store.lock().start_delay = delay;
    }

    /// How many tasks are not stopped.
    pub fn live(&self) -> usize {
        self.store.live().len()
    }

    /// Every known task as DescribeTasks shows it, with a field `local` that ECS has not: process
    /// id, start time, peak memory in KiB.
    pub fn tasks(&self) -> Vec<Value> {
        self.store
            .lock()
            .tasks
            .values()
            .map(|task| task.to_json(Times::Epoch, true))
            .collect()
    }

    /// Where a task's output goes; `None` for a task that is no process.
    pub fn log(&self, arn: &str) -> Option<PathBuf> {
        match &self.store.options.runtime {
            Runtime::Processes(processes) => Some(processes.log(arn)),
            Runtime::Simulated { .. } => None,
        }
    }

    /// The last lines of a task's output; `None` for a task without any.
    pub fn log_tail(&self, arn: &str) -> Option<String> {
        let mut file = std::fs::File::open(self.log(arn)?).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
            .ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        // The first line may be a part of one.
        let first = lines
            .len()
            .saturating_sub(TAIL_LINES)
            .max(usize::from(length > TAIL_BYTES));
        let tail = lines.get(first..).unwrap_or_default().join("\n");
        (!tail.is_empty()).then_some(tail)
    }

    /// A simulated task begins to run.
    pub fn set_running(&self, arn: &str) {
        self.store.running(arn, None);
    }

    /// A simulated task's container exits.
    pub fn exit(&self, arn: &str, code: i32) {
        self.store.exited(arn, Some(code), None);
    }
}
