//! Owns the session: its row, its states and the moves between them. The row of a session is also
//! the ledger entry of the claim that asked for it. Must not know how rows are stored or tasks are
//! run.

use serde::{Deserialize, Serialize};

use crate::access_tier::DecidingTier;
pub use crate::end_reason::EndReason;
use crate::excerpt::Excerpt;
use crate::ids::{CastId, CastKey, Nonce, SessionId};
use crate::invitation::Invited;
use crate::language::Language;
pub use crate::launch_spec::{LaunchNetwork, LaunchSpec};
pub use crate::owner::Owner;
use crate::permission::Grant;
use crate::persistent_profile::CarriedProfile;
use crate::policy::budget;
pub use crate::pooled::{PoolMembership, PoolRole};
use crate::quota::Held;
use crate::session_environment::DEVTOOLS_NEED;
use crate::session_events::Subscriptions;
use crate::session_options::{Message, SessionOptions};
use crate::sharing::{Lobby, Sharing};
pub use crate::task_times::TaskTimes;
use crate::time::Timestamp;

/// After this many seconds without an answer from ECS, RunTask is not called any more for a
/// reserved session.
pub const LAUNCH_WINDOW_SECONDS: u64 = 30;
/// After this many seconds the sweep settles a session that is still reserved. Well after the
/// launch window, so that the two never meet.
pub const RESERVED_SECONDS: u64 = 90;
/// So long after the turn of a queued start the sweep makes it, in seconds: the visitor's page, which
/// asks every few seconds, is usually first.
pub const QUEUED_START_GRACE_SECONDS: u64 = 15;
/// How often the schedule starts a sweep, in seconds; `infra/template.yaml` is held to it. A whole
/// number of minutes.
pub const SWEEP_INTERVAL_SECONDS: u64 = 60;
/// How often the sweep looks after a session that is ready, in seconds.
pub const CHECK_SECONDS: u64 = 300;
/// How long a stopping task may take before the sweep asks again, in seconds.
pub const STOPPING_SECONDS: u64 = 60;
/// How long a session lives without a browser that is connected to it, unless something else is
/// set, in seconds.
pub const KEEPALIVE_SECONDS: u32 = 3600;
/// The same for a session of an anonymous user, in seconds.
pub const ANONYMOUS_KEEPALIVE_SECONDS: u32 = 300;
/// How long after it was ready a session ends that no visitor has entered, unless something else is
/// set, in seconds.
pub const ENTRY_TIMEOUT_SECONDS: u32 = 300;
/// For how much longer the sweep leaves that to the session's gate, in seconds.
pub const ENTRY_GRACE_SECONDS: u64 = 2 * SWEEP_INTERVAL_SECONDS;
/// By how much administrators extend one session at most, in seconds (a day). Tickets are good for
/// so much longer, because the edge reads their end from themselves.
pub const ADDED_SECONDS: u32 = 86_400;
/// How many requests that extended a session are remembered with it.
const MOST_REQUESTS: usize = 8;
/// No session lives for longer than this, in seconds: the longest start, the longest time limit,
/// what administrators may add, and a day as a margin.
pub const LONGEST_LIFE_SECONDS: u64 = 1800 + 604_800 + ADDED_SECONDS as u64 + 86_400;
/// How long the row of an ended session is kept, in seconds (90 days).
pub const LEDGER_SECONDS: u64 = 90 * 86_400;

/// One visitor's container, and the claim that asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Follows from the launch ticket's nonce.
    pub id: SessionId,
    /// Grows with every move; a move is written only over the revision that it was decided on.
    pub rev: u64,
    /// The id that its claim's nonce leads to, where it has another because it was started ahead.
    #[serde(default)]
    pub claim: Option<SessionId>,
    /// The link.
    pub cast_id: CastId,
    /// The link's key at the time of the claim.
    pub cast_key: CastKey,
    /// The link's name at the time of the claim.
    pub cast_name: String,
    /// Where the visitor is sent when the start fails (seed: Error URL).
    #[serde(default)]
    pub error_url: Option<String>,
    /// Who the session belongs to.
    pub owner: Owner,
    /// What the claim took and a refund gives back.
    pub charge: Charge,
    /// The parameters of RunTask: frozen, because a repeated call must have the same ones.
    pub launch: LaunchSpec,
    /// Where the claim came from.
    pub origin: Origin,
    /// The invitation that the claim came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invited>,
    /// The access tier that admitted its visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_tier: Option<DecidingTier>,
    /// When the claim was accepted.
    pub created_at: Timestamp,
    /// When it must be ready, else it is stopped and refunded.
    pub ready_by: Timestamp,
    /// When it was ready first.
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
    /// The address of its task, once its gate is not to be reached there any more: reports of abuse
    /// name it. See [`Session::task_address`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_address: Option<String>,
    /// When it was first entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
    /// How long a start of its image usually takes, in milliseconds, as was known at the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_start: Option<u32>,
    /// How long it may live once ready, in seconds, without extensions.
    pub time_limit_seconds: u32,
    /// How often its owner has extended it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub extensions: u32,
    /// By how many seconds administrators have extended it; [`ADDED_SECONDS`] at most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub added_seconds: u32,
    /// Marks of the last requests under idempotency keys by which administrators have extended it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extension_requests: Vec<String>,
    /// The last message of an administrator to its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The name of the key that makes its secret; empty for the current one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret_key: String,
    /// Which request of its gate was given the secret, once one was; there is no second.
    #[serde(default)]
    pub bootstrapped: Option<Nonce>,
    /// Its permissions.
    #[serde(default)]
    pub grant: Grant,
    /// Remarks about it, as words such as `kasm-url-ignored` or `profile-saved`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The last output of its app when it ended by itself, and of failed commands: for
    /// administrators, one of each source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Excerpt>,
    /// A fingerprint of what an idempotency key was used for.
    #[serde(default)]
    pub request: Option<String>,
    /// The last address that its owner asked to open in it after it had started.
    #[serde(default)]
    pub go: Option<Go>,
    /// The events that hooks subscribe to.
    #[serde(
        default,
        alias = "told",
        skip_serializing_if = "Subscriptions::is_empty"
    )]
    pub subscriptions: Subscriptions,
    /// The files of its user that it brings back, and saves when it ends.
    #[serde(default)]
    pub profile: Option<CarriedProfile>,
    /// The options of its viewer.
    #[serde(default)]
    #[serde(rename = "viewing")]
    pub options: SessionOptions,
    /// Whether it is shared.
    #[serde(default)]
    pub sharing: Sharing,
    /// Its relation to a pool; `None` when none fits it.
    #[serde(default)]
    pub pooled: Option<PoolMembership>,
    /// Its state.
    pub state: State,
    /// The ECS task, once known.
    #[serde(default)]
    pub task: Option<TaskRef>,
    /// Set once ECS could not start its first task and it was given another start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Its place in the queue of starts, since ECS throttled the start of its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<QueuedStart>,
    /// When the sweep must look at it next, as the schedule's index knows it; `None` once it has
    /// ended, and from its claim until its first move: see [`Session::sweep_at`].
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a claim took: exactly this is given back when the session is refunded.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Charge {
    /// One place of Sessions Remaining, taken in this counter epoch.
    #[serde(default)]
    pub count: Option<u64>,
    /// A slot in this IP window.
    #[serde(default)]
    pub window: Option<String>,
    /// The bucket of that window in which the claim is counted, where it has no slot of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Timestamp>,
    /// Its places in these quotas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
}

impl Charge {
    /// Adds to what it holds: more of a count that it holds already, or another one.
    pub fn hold(&mut self, more: Held) {
        let known = self.held.iter_mut().find(|held| held.key == more.key);
        match known {
            Some(known) => known.amount += more.amount,
            None => self.held.push(more),
        }
    }

    /// Whether nothing was taken.
    pub const fn is_free(&self) -> bool {
        self.count.is_none() && self.window.is_none() && self.held.is_empty()
    }
}

/// An address to be opened in a running session (seed: Allow Dynamic Kasm URL Parameter with Allow
/// Resume).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    /// The address to open.
    pub url: String,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Where a claim came from.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Keyed hash of the address prefix.
    pub address: String,
    /// The referring host.
    #[serde(default)]
    pub referrer: Option<String>,
    /// The language of the visitor's pages; `None` when none was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// The ECS task of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// The task's ARN.
    pub arn: String,
    /// The last reported status.
    pub status: TaskStatus,
    /// The version of that status; ECS counts it up, and older news is dropped.
    #[serde(default)]
    pub version: i64,
    /// What ECS has said of its start.
    #[serde(default, skip_serializing_if = "TaskTimes::is_empty")]
    pub times: TaskTimes,
}

/// The second start of a session, after ECS failed to start its first task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// When the second attempt began.
    pub at: Timestamp,
    /// The ARN of the task that could not be started; news of it no longer concerns the session.
    pub failed_task: String,
}

/// A start that waits for its turn, because ECS allows so many starts a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedStart {
    /// When ECS throttled it.
    pub since: Timestamp,
    /// Its turn; once it was made, when it was made.
    pub at: Timestamp,
    /// Whether RunTask was called for it, or is about to be.
    #[serde(default)]
    pub made: bool,
}

/// ECS's `lastStatus`, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// Getting a network interface.
    Provisioning,
    /// Fetching the image.
    Pending,
    /// The container runs; the app may not answer yet.
    Running,
    /// On its way down.
    Stopping,
    /// Gone.
    Stopped,
}

/// The state of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// Count and IP slot are taken; whether ECS has the task is not known yet.
    Reserved,
    /// ECS has the task. Of a session that was started ahead and has been given away: its gate has
    /// yet to hear whose it is.
    Starting,
    /// The gate said that the app answers. From here on nothing is given back.
    Ready {
        /// Since when.
        at: Timestamp,
        /// Where the gate listens.
        endpoint: Endpoint,
        /// When the time limit ends it, with the extensions so far.
        ends_at: Timestamp,
    },
    /// To be stopped; ECS may not have done so yet.
    Stopping {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
        /// Whether it had been ready.
        served: bool,
    },
    /// Over; no task runs.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
        /// Whether the claim's charge was given back.
        refunded: bool,
    },
}

/// Where a gate listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A move that the session's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session cannot go from {from} to {to}")]
pub struct InvalidTransition {
    from: &'static str,
    to: &'static str,
}

impl State {
    /// The state in one word, as the API says it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Starting => "starting",
            Self::Ready { .. } => "ready",
            Self::Stopping { .. } => "stopping",
            Self::Ended { .. } => "ended",
        }
    }

    /// Whether a session in it has not ended.
    pub const fn is_live(&self) -> bool {
        !matches!(self, Self::Ended { .. })
    }

    /// Whether the charge of a session in it was given back.
    pub const fn is_refunded(&self) -> bool {
        matches!(self, Self::Ended { refunded: true, .. })
    }
}

impl Session {
    /// Whether it has not ended.
    pub const fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Whether it is there to be entered, now or soon.
    pub const fn can_be_entered(&self) -> bool {
        matches!(
            self.state,
            State::Reserved | State::Starting | State::Ready { .. }
        )
    }

    /// Whether its charge was given back.
    pub const fn is_refunded(&self) -> bool {
        self.state.is_refunded()
    }

    /// The loopback port at which its app serves Chrome DevTools, if its image has one and its
    /// permissions allow all that DevTools can do.
    pub fn devtools_port(&self) -> Option<u16> {
        let allowed = &self.grant.permissions;
        let port = self.launch.app.devtools_port?;
        DEVTOOLS_NEED
            .iter()
            .all(|needed| allowed.contains(needed))
            .then_some(port)
    }

    /// Whether RunTask may (still) be called for it.
    pub fn may_launch(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Reserved)
            && self.waits_for_turn().is_none()
            && now < self.attempt_began().plus_seconds(LAUNCH_WINDOW_SECONDS)
    }

    /// When its queued start has its turn; `None` when its start is not queued.
    pub fn waits_for_turn(&self) -> Option<Timestamp> {
        let queued = self.queued.as_ref().filter(|queued| !queued.made);
        let waits = matches!(self.state, State::Reserved) && self.task.is_none();
        queued.filter(|_| waits).map(|queued| queued.at)
    }

    /// Whether its queued start had its turn.
    pub fn has_turn(&self) -> bool {
        self.queued.as_ref().is_some_and(|queued| queued.made)
    }

    /// When RunTask was, or may have been, called last for a new attempt or turn.
    pub fn attempt_began(&self) -> Timestamp {
        self.last_start(|queued| if queued.made { queued.at } else { queued.since })
    }

    /// How long one attempt to start it may take, in seconds.
    pub fn start_timeout_seconds(&self) -> u64 {
        self.last_start(|queued| queued.at)
            .seconds_until(self.ready_by)
    }

    fn last_start(&self, of_queued: impl FnOnce(&QueuedStart) -> Timestamp) -> Timestamp {
        let queued = self.queued.as_ref().map(of_queued);
        let retry = self.retry.as_ref().map(|retry| retry.at);
        queued.max(retry).unwrap_or(self.created_at)
    }

    /// Since when its first start takes time: its claim, or its turn in the queue of starts.
    pub fn start_began(&self) -> Timestamp {
        self.queued
            .as_ref()
            .map_or(self.created_at, |queued| queued.at)
    }

    /// When the sweep must look at it next. A session that has not moved since its claim is in no
    /// schedule yet: the sweep finds it by when it was claimed.
    pub fn sweep_at(&self) -> Option<Timestamp> {
        let unscheduled = matches!(self.state, State::Reserved).then_some(self.created_at);
        self.due_at
            .or_else(|| Some(unscheduled?.plus_seconds(RESERVED_SECONDS)))
    }

    /// Whether it lives, and only when it was claimed tells the sweep so.
    pub fn is_unscheduled(&self) -> bool {
        self.is_live() && self.due_at.is_none()
    }

    /// Whether this task is, or may be, the session's own.
    pub fn may_own(&self, arn: &str) -> bool {
        self.retry
            .as_ref()
            .is_none_or(|retry| retry.failed_task != arn)
            && self.task.as_ref().is_none_or(|known| known.arn == arn)
    }

    /// How long it lives without a browser that is connected to it, in seconds.
    pub fn keepalive_seconds(&self) -> u32 {
        self.grant.keepalive_seconds.unwrap_or(KEEPALIVE_SECONDS)
    }

    /// RunTask's idempotency token: the same for every repetition of one attempt.
    pub fn client_token(&self) -> String {
        format!("{}-{}", self.id, self.launch.attempt)
    }

    /// What the move from `before` to this row gives back: everything when it is refunded now, its
    /// share of the counts of live sessions when it has ended just now, in either case the money
    /// that it has not cost, and its place in a pool when it waits there no more.
    pub fn gives_back(&self, before: &Self) -> Charge {
        let charge = &self.charge;
        let is_refund = self.is_refunded() && !before.is_refunded();
        let mut gift = Charge::default();
        if before.is_live() && !self.is_live() {
            let back = |held: &Held| {
                if held.kind.is_money() {
                    budget::unused(self, held)
                } else {
                    (is_refund || held.kind.is_live()).then(|| held.clone())
                }
            };
            gift.held = charge.held.iter().filter_map(back).collect();
        }
        if is_refund {
            (gift.count, gift.bucket) = (charge.count, charge.bucket);
            gift.window.clone_from(&charge.window);
        }
        gift.held
            .extend(before.held_in_pool().filter(|_| self.idle_pool().is_none()));
        gift
    }

    /// What the move from `before` to this row takes of counts: see [`Self::holding`] and
    /// [`Self::extended_by_administrator`].
    pub fn takes(&self, before: &Self) -> Vec<Held> {
        let more = |held: &Held| {
            let known = before
                .charge
                .held
                .iter()
                .find(|known| known.key == held.key);
            let amount = held.amount - known.map_or(0, |known| known.amount.min(held.amount));
            (amount > 0).then(|| Held {
                amount,
                ..held.clone()
            })
        };
        let held = self.charge.held.iter().filter(|_| self.is_live());
        held.filter_map(more).collect()
    }

    /// When its row may be forgotten; `None` while it lives.
    pub fn forgotten_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Ended { at, .. } => Some(at.plus_seconds(LEDGER_SECONDS)),
            _ => None,
        }
    }

    /// Its gate is given its secret, by the request of this nonce.
    ///
    /// # Errors
    /// When a gate of it has had the secret already, or it is not starting (any more).
    pub fn bootstrapped(&self, by: Nonce) -> Result<Self, InvalidTransition> {
        if self.bootstrapped.is_some() || !matches!(self.state, State::Reserved | State::Starting) {
            return Err(self.invalid("bootstrapped"));
        }
        Ok(Self {
            rev: self.rev + 1,
            bootstrapped: Some(by),
            ..self.clone()
        })
    }

    /// ECS has the task.
    ///
    /// # Errors
    /// When it has ended or already has another task. A session that is ready, or stopping, keeps
    /// its state and learns its task.
    pub fn started(&self, task: TaskRef) -> Result<Self, InvalidTransition> {
        let same = self.may_own(&task.arn);
        let mut after = self.clone();
        match &self.state {
            State::Reserved if same => {
                after.state = State::Starting;
                after.due_at = Some(self.ready_by);
            }
            State::Starting | State::Ready { .. } | State::Stopping { .. } if same => {}
            _ => return Err(self.invalid("starting")),
        }
        after.task = Some(task);
        after.rev += 1;
        Ok(after)
    }

    /// The same with this task, if it may be its own and none is known yet, and with what ECS has
    /// said of its start since. It is no move of its own.
    pub fn knowing(&self, task: &TaskRef) -> Self {
        let mut after = self.clone();
        if !after.may_own(&task.arn) {
            return after;
        }
        match &mut after.task {
            Some(known) => known.times.learn(&task.times),
            None => after.task = Some(task.clone()),
        }
        after
    }

    /// ECS could not start the task `failed`: the session is started once more, with all the time
    /// of a first start.
    ///
    /// # Errors
    /// When it was started again before, its gate has spoken, it was started ahead of its visitor,
    /// or it is not starting.
    pub fn restarted(&self, failed: &str, now: Timestamp) -> Result<Self, InvalidTransition> {
        let is_starting = matches!(self.state, State::Reserved | State::Starting);
        let is_first = self.retry.is_none() && self.bootstrapped.is_none();
        if !is_starting || !is_first || self.is_unassigned() || !self.may_own(failed) {
            return Err(self.invalid("restarted"));
        }
        let mut after = self.clone();
        after.ready_by = now.plus_seconds(self.start_timeout_seconds());
        after.retry = Some(Retry {
            at: now,
            failed_task: failed.to_owned(),
        });
        after.launch.attempt += 1;
        after.state = State::Reserved;
        after.task = None;
        after.due_at = Some(now.plus_seconds(RESERVED_SECONDS));
        after.rev += 1;
        Ok(after)
    }

    /// ECS had no room for this attempt: the next one asks for other capacity, within the time of
    /// this start.
    ///
    /// # Errors
    /// When a task of it may exist.
    pub fn with_next_capacity(&self) -> Result<Self, InvalidTransition> {
        if !matches!(self.state, State::Reserved) || self.task.is_some() {
            return Err(self.invalid("started on other capacity"));
        }
        let mut after = self.clone();
        after.launch.attempt += 1;
        after.rev += 1;
        Ok(after)
    }

    /// ECS throttled its start now: it is made at that time, with all the time of a first start.
    ///
    /// # Errors
    /// When a task of it may exist.
    pub fn queued(&self, at: Timestamp, now: Timestamp) -> Result<Self, InvalidTransition> {
        if !matches!(self.state, State::Reserved) || self.task.is_some() {
            return Err(self.invalid("queued"));
        }
        let mut after = self.clone();
        after.ready_by = at.plus_seconds(self.start_timeout_seconds());
        after.queued = Some(QueuedStart {
            since: now,
            at,
            made: false,
        });
        after.due_at = Some(at.plus_seconds(QUEUED_START_GRACE_SECONDS));
        after.rev += 1;
        Ok(after)
    }

    /// Its queued start is made now, by the one caller that writes this.
    ///
    /// # Errors
    /// When it is not its turn (any more).
    pub fn turn_taken(&self, now: Timestamp) -> Result<Self, InvalidTransition> {
        if self.waits_for_turn().is_none_or(|at| now < at) {
            return Err(self.invalid("started from the queue"));
        }
        let mut after = self.clone();
        after.ready_by = now.plus_seconds(self.start_timeout_seconds());
        after.queued = Some(QueuedStart {
            since: self.queued.as_ref().map_or(now, |queued| queued.since),
            at: now,
            made: true,
        });
        after.due_at = Some(now.plus_seconds(RESERVED_SECONDS));
        after.rev += 1;
        Ok(after)
    }

    /// The gate has reported that the app answers.
    ///
    /// # Errors
    /// When it is being stopped or has ended.
    pub fn ready(&self, endpoint: Endpoint, now: Timestamp) -> Result<Self, InvalidTransition> {
        let (at, ends_at) = match &self.state {
            State::Reserved | State::Starting => {
                (now, now.plus_seconds(u64::from(self.time_limit_seconds)))
            }
            // A restarted gate reports again, maybe from another port; that buys no time.
            State::Ready { at, ends_at, .. } => (*at, *ends_at),
            State::Stopping { .. } | State::Ended { .. } => return Err(self.invalid("ready")),
        };
        let mut after = self.clone();
        after.state = State::Ready {
            at,
            endpoint,
            ends_at,
        };
        after.pooled = self.pooled.clone().map(|pooled| PoolMembership {
            tell: None,
            ..pooled
        });
        after.ready_at = Some(at);
        // A time that is as good stays as it is: one that changes is written to its index.
        let check = now.plus_seconds(CHECK_SECONDS);
        let is_soon = |due: &Timestamp| (check.minus_seconds(60)..=check).contains(due);
        after = after.due(self.due_at.filter(is_soon).unwrap_or(check));
        after.rev += 1;
        Ok(after)
    }

    /// The address of its task, as its gate's last report came from it; also of one that has ended.
    pub fn task_address(&self) -> Option<&str> {
        match &self.state {
            State::Ready { endpoint, .. } => Some(&endpoint.host),
            _ => self.left_address.as_deref(),
        }
    }

    /// The same with the address of its task kept, whose place is about to go.
    fn left(&self) -> Self {
        Self {
            left_address: self.task_address().map(str::to_owned),
            ..self.clone()
        }
    }

    /// It must be stopped.
    ///
    /// # Errors
    /// When it is being stopped already or has ended.
    pub fn stopping(&self, reason: EndReason, now: Timestamp) -> Result<Self, InvalidTransition> {
        let served = match self.state {
            State::Reserved | State::Starting => false,
            State::Ready { .. } => true,
            State::Stopping { .. } | State::Ended { .. } => return Err(self.invalid("stopping")),
        };
        let mut after = self.left();
        after.state = State::Stopping {
            at: now,
            reason,
            served,
        };
        after.due_at = Some(now.plus_seconds(STOPPING_SECONDS));
        after.rev += 1;
        Ok(after)
    }

    /// No task of it runs (any more). A visitor who was never served is refunded; a reason given
    /// before takes precedence over this one.
    ///
    /// # Errors
    /// When it has ended: a charge is given back at most once.
    pub fn ended(&self, reason: EndReason, now: Timestamp) -> Result<Self, InvalidTransition> {
        let (reason, served) = match &self.state {
            State::Reserved | State::Starting => (reason, false),
            State::Ready { .. } => (reason, true),
            State::Stopping { reason, served, .. } => (reason.clone(), *served),
            State::Ended { .. } => return Err(self.invalid("ended")),
        };
        let mut after = self.left();
        after.state = State::Ended {
            at: now,
            reason,
            refunded: !served,
        };
        // Names of strangers, of no use to anybody now.
        after.sharing.lobby = Lobby::default();
        after.due_at = match &self.owner {
            Owner::Anonymous {
                expires_at: Some(at),
                ..
            } => Some(now.max(*at)),
            _ => None,
        };
        after.rev += 1;
        Ok(after)
    }

    /// Its owner asks for an address to be opened in it.
    ///
    /// # Errors
    /// When it is being stopped or has ended.
    pub fn sent_to(&self, url: String, now: Timestamp) -> Result<Self, InvalidTransition> {
        if matches!(self.state, State::Stopping { .. } | State::Ended { .. }) {
            return Err(self.invalid("another address"));
        }
        let mut after = self.clone();
        after.go = Some(Go { url, at: now });
        after.rev += 1;
        Ok(after)
    }

    /// Its owner extends it, who has seen `used` extensions; `None` when it has had others, no more
    /// are allowed, or its time is up.
    pub fn extended(&self, used: u32, now: Timestamp) -> Option<Self> {
        let allowed = self.options.extension?;
        let State::Ready { ends_at, .. } = &self.state else {
            return None;
        };
        if used != self.extensions || used >= allowed.times || now >= *ends_at {
            return None;
        }
        let more = ends_at.plus_seconds(allowed.seconds(1));
        let mut after = self.clone();
        if let State::Ready { ends_at, .. } = &mut after.state {
            *ends_at = more;
        }
        after.extensions += 1;
        after.rev += 1;
        Some(after)
    }

    /// Whether the request with this fingerprint has extended it.
    pub fn was_extended_by(&self, request: &str) -> bool {
        self.extension_requests.iter().any(|known| known == request)
    }

    /// An administrator extends it by so many seconds, which takes this money of budgets; `None` when
    /// that is more than it may have, or its time is up. `request` is the fingerprint of a request that
    /// may come again.
    pub fn extended_by_administrator(
        &self,
        seconds: u32,
        money: &[Held],
        request: Option<&str>,
        now: Timestamp,
    ) -> Option<Self> {
        let added = self.added_seconds.checked_add(seconds)?;
        let mut after = self.clone();
        let State::Ready { ends_at, .. } = &mut after.state else {
            return None;
        };
        if added > ADDED_SECONDS || now >= *ends_at {
            return None;
        }
        *ends_at = ends_at.plus_seconds(seconds.into());
        after.added_seconds = added;
        if let Some(request) = request {
            let requests = &mut after.extension_requests;
            let old = (requests.len() + 1).saturating_sub(MOST_REQUESTS);
            requests.drain(..old);
            requests.push(request.to_owned());
        }
        for held in money {
            after.charge.hold(held.clone());
        }
        after.rev += 1;
        Some(after)
    }

    /// An administrator sends its owner a message.
    ///
    /// # Errors
    /// When it is being stopped or has ended.
    pub fn with_message(&self, message: Message) -> Result<Self, InvalidTransition> {
        if matches!(self.state, State::Stopping { .. } | State::Ended { .. }) {
            return Err(self.invalid("sent a message"));
        }
        let mut after = self.clone();
        after.message = Some(message);
        after.rev += 1;
        Ok(after)
    }

    /// How long it may live once ready, in seconds, with every extension that it may have of its
    /// own.
    pub fn longest_seconds(&self) -> u64 {
        let extension = self.options.extension;
        let more = extension.map_or(0, |extension| extension.seconds(extension.times));
        u64::from(self.time_limit_seconds) + more
    }

    /// The same, with all that administrators may add.
    pub fn most_seconds(&self) -> u64 {
        self.longest_seconds() + u64::from(ADDED_SECONDS)
    }

    /// When it ends at the latest, with every extension that it may still have, also of
    /// administrators; `None` unless it is ready.
    pub fn latest_end(&self) -> Option<Timestamp> {
        let State::Ready { ends_at, .. } = &self.state else {
            return None;
        };
        let left = self.options.extension.map_or(0, |extension| {
            extension.seconds(extension.times.saturating_sub(self.extensions))
        });
        let added = ADDED_SECONDS.saturating_sub(self.added_seconds);
        Some(ends_at.plus_seconds(left + u64::from(added)))
    }

    /// It is shared from now on, or no more.
    ///
    /// # Errors
    /// When it is being stopped or has ended.
    pub fn shared(&self, sharing: Sharing) -> Result<Self, InvalidTransition> {
        if matches!(self.state, State::Stopping { .. } | State::Ended { .. }) {
            return Err(self.invalid("shared"));
        }
        let mut after = self.clone();
        after.sharing = sharing;
        after.rev += 1;
        Ok(after)
    }

    /// Whether those who want to watch wait until its owner lets them in.
    pub fn has_lobby(&self) -> bool {
        self.sharing.lobby.is_on(self.options.lobby)
    }

    /// Its owner answers a request to watch; `None` when there is nobody to answer.
    pub fn answered(&self, request: &str, admit: bool, now: Timestamp) -> Option<Self> {
        let lobby = self.sharing.lobby.answered(request, admit, now)?;
        self.shared(self.sharing.with_lobby(lobby)).ok()
    }

    /// Its owner switches its lobby; `None` when it is so already, or cannot be shared.
    pub fn with_lobby(&self, on: bool) -> Option<Self> {
        let lobby = self.sharing.lobby.switched(on, self.options.lobby)?;
        let allowed = self.options.may_share;
        allowed
            .then(|| self.shared(self.sharing.with_lobby(lobby)).ok())
            .flatten()
    }

    /// Removes its anonymous user: who it was, where the claim came from and what was opened. What
    /// the ledger counts stays.
    ///
    /// # Errors
    /// While it lives.
    pub fn forgotten(&self) -> Result<Self, InvalidTransition> {
        if self.is_live() {
            return Err(self.invalid("forgotten"));
        }
        let mut after = self.clone();
        after.owner = Owner::Anonymised;
        after.origin = Origin::default();
        after.invitation = None;
        after.launch.kasm_url = None;
        after.said = Vec::new();
        after.message = None;
        after.profile = None;
        after.go = None;
        after.due_at = None;
        after.rev += 1;
        Ok(after)
    }

    /// Something was noticed of it; `None` when that is known.
    pub fn noted(&self, note: &str) -> Option<Self> {
        if self.notes.iter().any(|known| known == note) {
            return None;
        }
        let mut after = self.clone();
        after.notes.push(note.to_owned());
        after.rev += 1;
        Some(after)
    }

    /// Adds the last output of one of its programs; `None` when it is recorded already. The session
    /// may have ended: output can arrive later.
    pub fn heard(&self, excerpt: Excerpt) -> Option<Self> {
        if self.said.contains(&excerpt) {
            return None;
        }
        let mut after = self.clone();
        after.said.retain(|known| known.by != excerpt.by);
        after.said.push(excerpt);
        after.rev += 1;
        Some(after)
    }

    /// It holds one of each of these counts too, which were not kept when it was claimed; `None`
    /// when there are none, or it has ended.
    pub fn holding(&self, held: Vec<Held>) -> Option<Self> {
        if held.is_empty() || !self.is_live() {
            return None;
        }
        let mut after = self.clone();
        after.charge.held.extend(held);
        after.rev += 1;
        Some(after)
    }

    /// Records the first entry; `None` when it was entered before, or is not ready.
    pub fn entered(&self, now: Timestamp) -> Option<Self> {
        if self.entered_at.is_some() || !matches!(self.state, State::Ready { .. }) {
            return None;
        }
        let mut after = self.clone();
        after.entered_at = Some(now);
        after.rev += 1;
        Some(after)
    }

    /// When the sweep ends it because no visitor has entered it, should its gate not have done so;
    /// `None` when one has entered, or it has never been ready.
    pub fn entered_late_at(&self) -> Option<Timestamp> {
        let State::Ready { at, .. } = &self.state else {
            return None;
        };
        if self.entered_at.is_some() || self.is_unassigned() {
            return None;
        }
        let limit = u64::from(self.grant.entry_timeout_seconds?);
        Some(at.plus_seconds(limit + ENTRY_GRACE_SECONDS))
    }

    /// Looked after and found well; look again at `next`.
    pub fn checked(&self, next: Timestamp) -> Self {
        let mut after = self.due(next);
        after.rev += 1;
        after
    }

    /// The same, to be looked after at `next`, or when its time is up.
    pub(crate) fn due(&self, next: Timestamp) -> Self {
        let due_at = match &self.state {
            State::Ready { ends_at, .. } => self
                .entered_late_at()
                .map_or(next, |late| next.min(late))
                .min(*ends_at),
            _ => next,
        };
        Self {
            due_at: Some(due_at),
            ..self.clone()
        }
    }

    pub(crate) const fn invalid(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.state.as_str(),
            to,
        }
    }
}
