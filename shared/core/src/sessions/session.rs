//! Owns the session: its row, its states and the moves between them. The row of a session is also the ledger entry of the claim that asked for it.
//! Must not know how rows are stored or tasks are run.

use serde::{Deserialize, Serialize};

pub use crate::end_reason::EndReason;
use crate::excerpt::Excerpt;
use crate::ids::{CastId, CastKey, Nonce, SessionId};
pub use crate::launch_spec::{LaunchNetwork, LaunchSpec};
pub use crate::owner::Owner;
use crate::permission::Grant;
use crate::persistent_profile::CarriedProfile;
use crate::policy::budget;
pub use crate::pooled::{PoolMembership, PoolRole};
use crate::quota::Held;
use crate::session_options::{SessionOptions, Sharing};
use crate::time::Timestamp;

/// After this many seconds without an answer from ECS, RunTask is not called any more for a
/// reserved session.
pub const LAUNCH_WINDOW_SECONDS: u64 = 30;
/// After this many seconds the sweep settles a session that is still reserved. Well after the launch window, so that the two never meet.
pub const RESERVED_SECONDS: u64 = 90;
/// How often the schedule starts a sweep, in seconds; `infra/template.yaml` is held to it. A whole
/// number of minutes.
pub const SWEEP_INTERVAL_SECONDS: u64 = 60;
/// How often the sweep looks after a session that is ready, in seconds.
pub const CHECK_SECONDS: u64 = 300;
/// How long a stopping task may take before the sweep asks again, in seconds.
pub const STOPPING_SECONDS: u64 = 60;
/// How long a session lives without a browser that is connected to it, unless something else is set, in seconds.
pub const KEEPALIVE_SECONDS: u32 = 3600;
/// The same for a session of an anonymous user, in seconds.
pub const ANONYMOUS_KEEPALIVE_SECONDS: u32 = 300;
/// How long after it was ready a session ends that nobody has entered, unless something else is
/// set, in seconds.
pub const ENTRY_TIMEOUT_SECONDS: u32 = 300;
/// For how much longer the sweep leaves that to the session's gate, in seconds.
pub const ENTRY_GRACE_SECONDS: u64 = 2 * SWEEP_INTERVAL_SECONDS;
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
    /// When the claim was accepted.
    pub created_at: Timestamp,
    /// When it must be ready, else it is stopped and refunded.
    pub ready_by: Timestamp,
    /// When it was ready first.
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
    /// When it was first entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
    /// How long it may live once ready, in seconds.
    pub time_limit_seconds: u32,
    /// The name of the key that makes its secret; empty for the current one.
    #[serde(default)]
    pub secret_key: String,
    /// Which request of its gate was given the secret, once one was; there is no second.
    #[serde(default)]
    pub bootstrapped: Option<Nonce>,
    /// Its permissions.
    #[serde(default)]
    pub grant: Grant,
    /// Remarks about it, as words such as `kasm-url-ignored` or `profile-saved`.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The last output of its app when it ended by itself, and of failed commands: for
    /// administrators, one of each source.
    #[serde(default)]
    pub said: Vec<Excerpt>,
    /// A fingerprint of what an idempotency key was used for.
    #[serde(default)]
    pub request: Option<String>,
    /// The last address that its owner asked to open in it after it had started.
    #[serde(default)]
    pub go: Option<Go>,
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
    /// When the sweep must look at it next; `None` once it has ended.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
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
    /// Its places in these quotas.
    #[serde(default)]
    pub held: Vec<Held>,
}

impl Charge {
    /// Whether nothing was taken.
    pub const fn is_free(&self) -> bool {
        self.count.is_none() && self.window.is_none() && self.held.is_empty()
    }
}

/// An address to be opened in a running session (seed: Allow Dynamic Kasm URL Parameter with Allow Resume).
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
}

/// The second start of a session, after ECS failed to start its first task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// When the second attempt began.
    pub at: Timestamp,
    /// The ARN of the task that could not be started; news of it no longer concerns the session.
    pub failed_task: String,
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
    /// ECS has the task. Of a session that was started ahead and has been given away: its gate has yet to hear whose it is.
    Starting,
    /// The gate said that the app answers. From here on nothing is given back.
    Ready {
        /// Since when.
        at: Timestamp,
        /// Where the gate listens.
        endpoint: Endpoint,
        /// When the time limit ends it.
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
}

impl Session {
    /// Whether it has not ended.
    pub const fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended { .. })
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
        matches!(self.state, State::Ended { refunded: true, .. })
    }

    /// Whether RunTask may (still) be called for it.
    pub fn may_launch(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Reserved)
            && now < self.attempt_began().plus_seconds(LAUNCH_WINDOW_SECONDS)
    }

    /// When the current attempt to start its task began.
    pub fn attempt_began(&self) -> Timestamp {
        self.retry
            .as_ref()
            .map_or(self.created_at, |retry| retry.at)
    }

    /// How long one attempt to start it may take, in seconds.
    pub fn start_timeout_seconds(&self) -> u64 {
        self.attempt_began().seconds_until(self.ready_by)
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

    /// What the move from `before` to this row gives back: everything when it is refunded now, its share of the counts of live sessions when
    /// it has ended just now, in either case the money that it has not cost, and its place in a pool when it waits there no more.
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
            (gift.count, gift.window) = (charge.count, charge.window.clone());
        }
        gift.held
            .extend(before.held_in_pool().filter(|_| self.idle_pool().is_none()));
        gift
    }

    /// The counts that the move from `before` to this row takes one of: see [`Self::holding`].
    pub fn takes(&self, before: &Self) -> Vec<Held> {
        let is_new = |held: &&Held| !before.charge.held.contains(held);
        let held = self.charge.held.iter().filter(is_new);
        held.filter(|_| self.is_live()).cloned().collect()
    }

    /// When its row may be forgotten; `None` while it lives.
    pub fn forgotten_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Ended { at, .. } => Some(at.plus_seconds(LEDGER_SECONDS)),
            _ => None,
        }
    }

    /// Its gate is given its secret, by the request of this mark.
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
    /// When it has ended or already has another task. A session that is ready, or stopping, keeps its state and learns its task.
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

    /// ECS could not start the task `failed`: the session is started once more, with all the time of a first start.
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
        after = after.due(now.plus_seconds(CHECK_SECONDS));
        after.rev += 1;
        Ok(after)
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
        let mut after = self.clone();
        after.state = State::Stopping {
            at: now,
            reason,
            served,
        };
        after.due_at = Some(now.plus_seconds(STOPPING_SECONDS));
        after.rev += 1;
        Ok(after)
    }

    /// No task of it runs (any more). Whoever was never served gets the charge back; a reason given before wins over this one.
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
        let mut after = self.clone();
        after.state = State::Ended {
            at: now,
            reason,
            refunded: !served,
        };
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
        after.launch.kasm_url = None;
        after.said = Vec::new();
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

    /// Somebody in it has said this last; `None` when that is known. It may be over: what was said last may be heard later.
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

    /// When the sweep ends it because nobody has entered it, should its gate not have done so;
    /// `None` when somebody has, or nobody could yet.
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
