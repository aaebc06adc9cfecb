//! Owns all tasks and every change of one: a change increments the version, is written to the
//! journal, and is emitted as an event, in this order and under one lock. Must not know the wire
//! format of requests.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use casting_core::ids::{Entropy, random_bytes};
use casting_core::time::{Clock, Timestamp};
use data_encoding::HEXLOWER;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};

use super::definitions::Definition;
use super::journal::{Journal, Line};
use super::start_rate::StartRate;
use super::task::{Process, Progress, Status, StopCode, Task};
use super::{EcsOptions, InjectedFault, Runtime, proc_table};

/// How long a stopped task can be seen, in seconds; so it is in ECS.
const STOPPED_SECONDS: u64 = 3600;

/// All tasks.
pub(super) struct TaskStore {
    pub options: EcsOptions,
    pub clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    events: UnboundedSender<Value>,
    state: Mutex<State>,
    live: watch::Sender<usize>,
}

impl std::fmt::Debug for TaskStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskStore")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The content of the lock.
#[derive(Default)]
pub(super) struct State {
    /// By ARN.
    pub tasks: BTreeMap<String, Task>,
    /// By family, then revision.
    pub definitions: BTreeMap<String, BTreeMap<u32, Definition>>,
    /// The use of each client token: a digest of the parameters, and the tasks.
    pub tokens: HashMap<String, (String, Vec<String>)>,
    pub injected: VecDeque<InjectedFault>,
    pub start_rate: Option<StartRate>,
    pub max_tasks: Option<usize>,
    /// How long a task takes before its process starts.
    pub start_delay: Duration,
    /// No task starts any more.
    pub is_closed: bool,
    /// Ends a task's process when it is sent to, or dropped.
    stops: HashMap<String, oneshot::Sender<()>>,
    /// Stopped tasks, the oldest first.
    stopped: VecDeque<(Timestamp, String)>,
    journal: Option<Journal>,
}

impl State {
    /// Writes `line` down. A full disk must not stop a running task: it is logged, and a restart
    /// knows less.
    pub(super) fn note(&mut self, line: &Line<'_>) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(line)
        {
            tracing::error!(%error, "Could not write the journal of the tasks");
        }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let definitions = self
            .definitions
            .values()
            .flat_map(BTreeMap::values)
            .map(Line::Definition);
        definitions.chain(self.tasks.values().map(Line::Task))
    }
}

impl TaskStore {
    pub(super) fn open(
        options: EcsOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<(Self, UnboundedReceiver<Value>)> {
        let mut state = State {
            max_tasks: options.max_tasks,
            ..State::default()
        };
        if let Some(path) = &options.journal {
            (state.definitions, state.tasks) = Journal::read(path)?;
        }
        for task in state.tasks.values() {
            if let Some((token, digest)) = &task.token {
                state
                    .tokens
                    .entry(token.clone())
                    .or_insert_with(|| (digest.clone(), Vec::new()))
                    .1
                    .push(task.arn.clone());
            }
            state
                .stopped
                .extend(task.progress.stopped_at.map(|at| (at, task.arn.clone())));
        }
        state.stopped.make_contiguous().sort();
        let (events, received) = mpsc::unbounded_channel();
        let store = Self {
            options,
            clock,
            entropy,
            events,
            state: Mutex::new(state),
            live: watch::Sender::new(0),
        };
        store.settle_leftovers();
        store.forget_old();
        store.compact()?;
        Ok((store, received))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// ARNs of the tasks that are not stopped.
    pub(super) fn live(&self) -> Vec<String> {
        self.lock()
            .tasks
            .values()
            .filter(|task| !task.is_stopped())
            .map(|task| task.arn.clone())
            .collect()
    }

    /// Who started the tasks that are not stopped: their sessions.
    pub(super) fn starters(&self) -> HashSet<String> {
        let state = self.lock();
        let live = state.tasks.values().filter(|task| !task.is_stopped());
        live.filter_map(|task| task.started_by.clone()).collect()
    }

    /// The processes of all running tasks, by ARN.
    pub(super) fn processes(&self) -> Vec<(String, Process)> {
        let state = self.lock();
        let running = state.tasks.values().filter(|task| !task.is_stopped());
        running
            .filter_map(|task| Some((task.arn.clone(), task.progress.process?)))
            .collect()
    }

    /// Records the peak memory; that is no change of a task, so no event is sent.
    pub(super) fn saw_memory(&self, peaks: impl Iterator<Item = (String, u64)>) {
        let state = &mut self.lock();
        for (arn, kib) in peaks {
            if let Some(task) = state.tasks.get_mut(&arn) {
                task.progress.peak_memory_kib = task.progress.peak_memory_kib.max(Some(kib));
            }
        }
    }

    pub(super) fn peak_memory_kib(&self, arn: &str) -> Option<u64> {
        self.lock().tasks.get(arn)?.progress.peak_memory_kib
    }

    /// A new id: 32 hexadecimal digits.
    pub(super) fn draw_id(&self) -> String {
        HEXLOWER.encode(&random_bytes(&*self.entropy))
    }

    pub(super) fn arn(&self, resource: &str) -> String {
        format!(
            "arn:aws:ecs:{}:{}:{resource}",
            self.options.region, self.options.account
        )
    }

    /// Adds a new task. `stop` ends its process.
    pub(super) fn add(&self, state: &mut State, task: Task, stop: Option<oneshot::Sender<()>>) {
        let arn = task.arn.clone();
        state.note(&Line::Task(&task));
        if let Some((token, digest)) = &task.token {
            state
                .tokens
                .entry(token.clone())
                .or_insert_with(|| (digest.clone(), Vec::new()))
                .1
                .push(arn.clone());
        }
        state.tasks.insert(arn.clone(), task);
        state.stops.extend(stop.map(|stop| (arn.clone(), stop)));
        self.live.send_modify(|live| *live += 1);
        self.change(state, &arn, |_, _| {});
    }

    /// Makes one change of a task that is not stopped.
    pub(super) fn change(
        &self,
        state: &mut State,
        arn: &str,
        change: impl FnOnce(&mut Progress, Timestamp),
    ) {
        let now = self.clock.now();
        let Some(task) = state.tasks.get_mut(arn).filter(|task| !task.is_stopped()) else {
            return;
        };
        change(&mut task.progress, now);
        task.progress.version += 1;
        let (progress, is_stopped) = (task.progress.clone(), task.is_stopped());
        let event = task.event(
            &self.draw_id(),
            &self.options.region,
            &self.options.account,
            now,
        );
        state.note(&Line::Progress {
            arn,
            progress: &progress,
        });
        // The receiver is gone only when the whole stack stops.
        let _ = self.events.send(event);
        if is_stopped {
            state.stops.remove(arn);
            state.stopped.push_back((now, arn.to_owned()));
            self.live.send_modify(|live| *live = live.saturating_sub(1));
        }
    }

    pub(super) fn pending(&self, arn: &str) {
        self.change(&mut self.lock(), arn, |progress, _| {
            progress.status = Status::Pending;
        });
    }

    pub(super) fn running(&self, arn: &str, process: Option<Process>) {
        self.change(&mut self.lock(), arn, |progress, now| {
            progress.status = Status::Running;
            progress.started_at = Some(now);
            progress.process = process;
        });
    }

    /// The task's container has ended by itself, or was stopped.
    pub(super) fn exited(&self, arn: &str, code: Option<i32>, peak_memory_kib: Option<u64>) {
        let state = &mut self.lock();
        let reason = || {
            (
                StopCode::EssentialContainerExited,
                "Essential container in task exited".to_owned(),
            )
        };
        self.change(state, arn, |progress, now| {
            progress.status = Status::Deprovisioning;
            progress.is_to_stop = true;
            progress.stopping_at.get_or_insert(now);
            progress.stop.get_or_insert_with(reason);
            progress.exit_code = code;
            progress.peak_memory_kib = peak_memory_kib;
        });
        self.change(state, arn, finish);
    }

    /// The task's container could not be started.
    pub(super) fn failed_to_start(&self, arn: &str, why: &str) {
        self.change(&mut self.lock(), arn, |progress, now| {
            progress.stop.get_or_insert_with(|| {
                (
                    StopCode::TaskFailedToStart,
                    format!("CannotStartContainerError: {why}"),
                )
            });
            finish(progress, now);
        });
    }

    /// The task got no network interface in time.
    pub(super) fn refuse_interface(&self, state: &mut State, arn: &str) {
        self.change(state, arn, |progress, now| {
            progress.stop = Some((
                StopCode::TaskFailedToStart,
                "Timeout waiting for network interface provisioning to complete.".to_owned(),
            ));
            finish(progress, now);
        });
    }

    /// Asks for a task to be stopped; the first to ask gives the reason.
    pub(super) fn stop(&self, arn: &str, code: StopCode, reason: &str) {
        let state = &mut self.lock();
        if state
            .tasks
            .get(arn)
            .is_none_or(|task| task.progress.is_to_stop)
        {
            return;
        }
        self.change(state, arn, |progress, now| {
            progress.is_to_stop = true;
            progress.stopping_at = Some(now);
            progress.stop = Some((code, reason.to_owned()));
        });
        match (state.stops.remove(arn), &self.options.runtime) {
            (Some(stop), _) => drop(stop),
            (None, Runtime::Simulated { .. }) => self.change(state, arn, |progress, now| {
                progress.exit_code = progress.started_at.map(|_| 143);
                finish(progress, now);
            }),
            (None, Runtime::Processes(_)) => {}
        }
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
    }

    pub(super) async fn wait_until_empty(&self) {
        // The sender is a field of this very value.
        let _ = self.live.subscribe().wait_for(|live| *live == 0).await;
    }

    /// Forgets tasks that stopped long ago, with their tokens and logs.
    pub(super) fn forget_old(&self) {
        let cutoff = self.clock.now().minus_seconds(STOPPED_SECONDS);
        let state = &mut self.lock();
        while state.stopped.front().is_some_and(|(at, _)| *at < cutoff) {
            let Some(task) = state
                .stopped
                .pop_front()
                .and_then(|(_, arn)| state.tasks.remove(&arn))
            else {
                continue;
            };
            if let Some((token, _)) = &task.token {
                state.tokens.remove(token);
            }
            if let Runtime::Processes(processes) = &self.options.runtime {
                let _ = std::fs::remove_file(processes.log(&task.arn));
            }
        }
        if state.journal.as_ref().is_some_and(Journal::is_bloated) {
            let journal = state.journal.take();
            let rewritten = journal
                .map(|journal| Journal::write(journal.path(), state.lines()))
                .transpose();
            match rewritten {
                Ok(journal) => state.journal = journal,
                Err(error) => {
                    tracing::error!(%error, "Could not rewrite the journal of the tasks; it ends \
                                             here");
                }
            }
        }
    }

    fn compact(&self) -> anyhow::Result<()> {
        let state = &mut self.lock();
        if let Some(path) = &self.options.journal {
            state.journal = Some(Journal::write(path, state.lines())?);
        }
        Ok(())
    }

    /// Tasks of an earlier run: their supervisors end them when that run ends; here this is
    /// ensured, recorded and reported.
    fn settle_leftovers(&self) {
        let live = self.live();
        self.live.send_modify(|count| *count = live.len());
        let state = &mut self.lock();
        for arn in live {
            if let Some(process) = state.tasks.get(&arn).and_then(|task| task.progress.process) {
                proc_table::kill_group(process);
            }
            self.change(state, &arn, |progress, now| {
                let reason = "The machine that ran this task was restarted.".to_owned();
                progress
                    .stop
                    .get_or_insert((StopCode::TerminationNotice, reason));
                finish(progress, now);
            });
        }
    }
}

fn finish(progress: &mut Progress, now: Timestamp) {
    progress.status = Status::Stopped;
    progress.is_to_stop = true;
    progress.stopping_at.get_or_insert(now);
    progress.stopped_at = Some(now);
}
