//! Owns the ports: what the rules need from a store and from a launcher of tasks. Must not know
//! DynamoDB or ECS.
//!
//! Every port is used as `dyn`, so its methods are not generic; typed records are read and written
//! by [`crate::record`]. A port exists only for an external service. To add a verb: name it
//! for what it does to the ledger, say here what is atomic, add its case to the contract suite in
//! `testing`, then write it in the adapter.

use std::net::IpAddr;

use async_trait::async_trait;
use serde_json::Value;

use crate::audit::{Audit, AuditId};
use crate::captcha::Proof;
use crate::cast::{Cast, CounterChange};
use crate::delivery::{Delivery, DeliveryId};
use crate::event_bus::BusEvent;
use crate::geo::AddressOrigin;
use crate::hook::HookId;
use crate::hourly_stats::{HourKey, HourlyStats};
use crate::ids::{CastId, CastKey, Reference, SessionId, StagingId, UserId};
use crate::image::Image;
use crate::network::Placement;
use crate::queries::{CastName, CastQuery, Counted, SessionQuery};
use crate::quota::{Quota, QuotaKind, Tally};
use crate::rate_window::RateWindow;
use crate::session::{EndReason, Session, TaskRef};
use crate::summary::SessionSummary;
use crate::time::Timestamp;
use crate::waiting_queue::WaitingQueue;
use crate::webhook::{WebhookAnswer, WebhookRequest};
use casting_protocol::report::Upload;

/// An unexpected failure: logged once, shown to the visitor as a reference only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?} in {what}: {detail}")]
pub struct Fault {
    /// Whether a retry makes sense.
    pub kind: FaultKind,
    /// The operation, such as `reserve a session`.
    pub what: &'static str,
    /// The error text of the other side; never shown to a visitor.
    pub detail: String,
}

/// Whether a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many writers at once, even after retries; nothing was written.
    Contention,
    /// The other side is busy or unreachable; whether the call took effect is not known.
    Unavailable,
    /// The data that was read is invalid.
    Corrupt,
    /// We asked for something that is refused: permissions, a missing table.
    Refused,
}

/// A page of a listing, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass it back to get what follows; `None` at the end. Opaque.
    pub next: Option<String>,
}

/// Everything that a claim takes, all or nothing.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The new row, state `Reserved`, with its charge.
    pub session: Session,
    /// The config version that the decision was made on.
    pub cast_version: u64,
    /// The IP window to take a slot in, when the charge names one.
    pub window: Option<WindowClaim>,
    /// The counts to take of, as the charge names them.
    pub quotas: Vec<Quota>,
    /// The proof to use up: it must not have been used before.
    pub proof: Option<Proof>,
    /// The row from which `session` was made, if it was started in advance: it must be unchanged,
    /// and leaves its pool.
    pub staged: Option<Box<Session>>,
    /// The waiting room that the decision was made on, where the link has one.
    pub queue: Option<QueueClaim>,
}

impl Reservation {
    /// Whether it takes nothing but its session: then no condition guards the config version, and
    /// what it was decided on may be as old as a change takes to apply everywhere.
    pub const fn takes_only_its_session(&self) -> bool {
        self.session.charge.is_free() && self.proof.is_none() && self.queue.is_none()
    }
}

/// The condition of a claim on the waiting queue.
#[derive(Clone, Debug)]
pub struct QueueClaim {
    /// The link.
    pub cast: CastId,
    /// The stamp of the room that the decision was made on: it must still be this one.
    pub seen: String,
    /// The room with the visitor's place served; `None` for a visitor who has none.
    pub after: Option<WaitingQueue>,
}

/// Why the sweep looks at a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// It lives.
    Live,
    /// It has ended, and its anonymous user is to be removed.
    Forget,
}

impl DueKind {
    /// The kind in one word, as metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Forget => "forget",
        }
    }
}

/// How to take a slot in an IP window.
#[derive(Clone, Debug)]
pub struct WindowClaim {
    /// The stamp of the window that the decision was made on. `None`: it was not read yet, and the
    /// slot is taken only if the window does not exist or its newest slot is at or before `cutoff`.
    pub seen: Option<String>,
    /// Slots at or before this time no longer count.
    pub cutoff: Timestamp,
    /// The window's slots after this claim, its own included.
    pub after: RateWindow,
    /// When the window's row may be forgotten.
    pub forgotten_at: Timestamp,
}

/// The result of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Everything was taken.
    Placed,
    /// This very session was reserved before; nothing was taken now. Wins over every other answer.
    Already(Box<Session>),
    /// The cast has changed, or was deleted: evaluate again.
    ConfigChanged,
    /// Sessions Remaining is zero.
    SoldOut,
    /// The rate window has changed; this is the current one: evaluate again.
    WindowMoved(RateWindow),
    /// This quota is full: evaluate again.
    Full(QuotaKind),
    /// This count does not have all sessions yet that lived before its limit was set: count them.
    Uncounted(QuotaKind),
    /// The CAPTCHA solution was used for another session: evaluate again.
    ProofUsed,
    /// The waiting queue has changed; this is the current one: evaluate again.
    QueueMoved(WaitingQueue),
    /// The staged session was assigned to another visitor, or is gone: take another one.
    StagedGone,
}

/// The result of staging a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is staged and must be started.
    Placed,
    /// As many as there may be wait in the pool already.
    Full,
}

/// The result of exchanging one session for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// Done.
    Done,
    /// The first one has moved meanwhile; nothing was written.
    Stale,
    /// The other one was staged and is assigned by now, or gone; nothing was written.
    StagedGone,
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Written.
    Done,
    /// A concurrent write came first; nothing was written.
    Stale,
}

/// The result of a change of a waiting queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueSaved {
    /// Written.
    Done,
    /// The room is not as seen; here it is. Nothing was written.
    Moved(WaitingQueue),
    /// The proof has been used before; nothing was written.
    ProofUsed,
}

/// The result of creating a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// Written.
    Done,
    /// Another cast has this key; nothing was written.
    KeyTaken,
}

/// The result of changing a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// Written.
    Done,
    /// The version is another one, or the cast is gone; nothing was written.
    Stale,
    /// Another cast has the new key; nothing was written.
    KeyTaken,
}

/// Refused claims of one cast and one reason in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// `None` for keys that no cast has.
    pub cast_id: Option<CastId>,
    /// The hour, as its first second since 1970.
    pub hour: i64,
    /// A denial code.
    pub code: String,
    /// How many.
    pub count: u64,
    /// A few of them.
    pub samples: Vec<RefusalSample>,
}

/// One refused claim.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefusalSample {
    /// When.
    pub at: Timestamp,
    /// The reference that the visitor got.
    pub reference: Reference,
    /// Keyed hash of the address prefix.
    pub address: String,
    /// The referring host.
    #[serde(default)]
    pub referrer: Option<String>,
}

/// Casts with their counters, sessions, IP windows, refusals and the catalog.
///
/// Every write is atomic, also under concurrency and when it is sent again after a lost answer.
#[async_trait]
pub trait Store: Send + Sync {
    /// The cast with this key, now or before (see [`crate::cast::CastSettings::answers_to`]); may
    /// be a moment old. Its counter is read only where it limits something; elsewhere it may be
    /// too low.
    async fn cast_by_key(&self, key: &CastKey) -> Result<Option<Cast>, Fault>;
    /// The cast as it is now.
    async fn cast(&self, id: &CastId) -> Result<Option<Cast>, Fault>;
    /// The same for a claim: the counter is read only where it limits something; elsewhere it may
    /// be too low.
    async fn cast_in_force(&self, id: &CastId) -> Result<Option<Cast>, Fault>;
    /// A page of casts. A word finds the casts by an index that may be a moment old.
    async fn casts(
        &self,
        query: &CastQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Cast>, Fault>;
    /// The ids of casts that begin like this, twenty at most; may be a moment old.
    async fn casts_from(&self, prefix: &str) -> Result<Vec<CastId>, Fault>;
    /// The first casts by name, as choices show them; may be a moment old.
    async fn cast_names(&self, limit: u32) -> Result<Vec<CastName>, Fault>;
    /// The ids of casts with this name, capitals and small letters alike, twenty at most; may be a
    /// moment old.
    async fn casts_named(&self, name: &str) -> Result<Vec<CastId>, Fault>;
    /// Creates a cast and claims its key; together with its audit entry, if there is one, as every
    /// change below.
    async fn create_cast(&self, cast: &Cast, audit: Option<&Audit>) -> Result<Created, Fault>;
    /// Writes `after.settings` over the version of `before`, and does `change` to the counter: a
    /// number that is set is written only over the counter of `before`, and a difference only where
    /// enough remains; else `Stale`. Moves the claim to the key when it changed; one that became
    /// the previous key stays claimed and finds the cast.
    async fn replace_cast(
        &self,
        before: &Cast,
        after: &Cast,
        change: CounterChange,
        audit: Option<&Audit>,
    ) -> Result<Replaced, Fault>;
    /// Deletes the cast of this version, and its claim to its key.
    async fn delete_cast(&self, cast: &Cast, audit: Option<&Audit>) -> Result<Saved, Fault>;

    /// Takes everything a claim takes, in one transaction, which also adds the deliveries that its
    /// session begins ([`Session::deliveries`]).
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, Fault>;
    /// The session as it is now; it is found by the id of its claim as well, where it has another.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Fault>;
    /// Writes a move over the revision of `before`. If `after` is refunded, its charge is given
    /// back in the same transaction: one place of Sessions Remaining if the cast still exists and
    /// its counter is of the epoch charged, the slot in the IP window if it still exists, and what
    /// it holds of every count. If `after` has just ended and was served, only counts of live
    /// sessions are given back. Of money, what the session has not cost is given back in either
    /// case. What `after` holds and `before` does not ([`Session::takes`]) is taken, whatever the
    /// limits. The deliveries that the move begins ([`Session::deliveries`]) are added in the same
    /// transaction.
    async fn save_session(&self, before: &Session, after: &Session) -> Result<Saved, Fault>;
    /// The newest session of this user and this cast that is neither stopping nor has ended; may be
    /// a moment old.
    async fn live_session_of(&self, user: &UserId, cast: &CastId)
    -> Result<Option<Session>, Fault>;
    /// Stages a session, if fewer than `most` wait in its pool.
    async fn stage(&self, session: &Session, most: u32) -> Result<Staged, Fault>;
    /// The sessions that wait in a pool, the oldest first; may be a moment old.
    async fn pool(&self, pool: &StagingId) -> Result<Vec<Session>, Fault>;
    /// Exchanges the session that a claim was given for another one, in one transaction: `given_up`
    /// is written over `before`, and `after` is the claim's session from now on, with everything
    /// that the claim took. `staged` is the row that `after` was made of, if it was started ahead.
    async fn exchange(
        &self,
        before: &Session,
        given_up: &Session,
        after: &Session,
        staged: Option<&Session>,
    ) -> Result<Exchanged, Fault>;
    /// The IP window with this key; empty when there is none.
    async fn window(&self, key: &str) -> Result<RateWindow, Fault>;
    /// The waiting room of this cast as it is now; empty when there is none.
    async fn queue(&self, cast: &CastId) -> Result<WaitingQueue, Fault>;
    /// Writes a room over the one with the stamp `seen`, and uses the proof up in the same
    /// transaction, if one is given.
    async fn save_queue(
        &self,
        seen: &str,
        after: &WaitingQueue,
        proof: Option<&Proof>,
    ) -> Result<QueueSaved, Fault>;
    /// Marks this entry as seen, if it was seen after `gone`. Returns the queue; `None` when there
    /// is no such entry.
    async fn touch_entry(
        &self,
        cast: &CastId,
        entry: &SessionId,
        gone: Timestamp,
        now: Timestamp,
    ) -> Result<Option<WaitingQueue>, Fault>;
    /// Marks a quota as complete: all live sessions from before its limit hold a place in it.
    async fn complete_quota(&self, quota: &Quota) -> Result<(), Fault>;
    /// How many of this count are taken.
    async fn quota(&self, key: &str) -> Result<u64, Fault>;
    /// What the row of this count says; nothing is taken where there is none.
    async fn tally(&self, key: &str) -> Result<Tally, Fault>;
    /// Notes that what is counted was opened at `now`, unless that was noted before, and returns
    /// what the row says then.
    async fn open_tally(&self, key: &str, now: Timestamp) -> Result<Tally, Fault>;
    /// From when this returns, no claim takes of this count; what was taken can be given back.
    async fn close_tally(&self, key: &str) -> Result<(), Fault>;
    /// A page of the sessions of this kind whose `due_at` is at or before `now`, the longest due
    /// first, as they are now. Which they are may be a moment old, so one may be due no more.
    async fn due_sessions(
        &self,
        kind: DueKind,
        now: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault>;
    /// A page of the sessions that were claimed after `since`, and not after `until`, the oldest
    /// first; they may be a moment old.
    async fn claimed_between(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault>;
    /// The time until which every session that was claimed is in the schedule, or has ended; `None`
    /// before the first sweep.
    async fn scheduled_until(&self) -> Result<Option<Timestamp>, Fault>;
    /// Moves that time forward, never back.
    async fn set_scheduled_until(&self, until: Timestamp) -> Result<(), Fault>;
    /// Takes a turn in the queue of starts: the times that are given out are `interval`
    /// milliseconds or more apart, and the first is so long after now.
    async fn take_turn(&self, now: Timestamp, interval: u64) -> Result<Timestamp, Fault>;
    /// A page of sessions; where more follow it may be shorter than `limit`.
    async fn sessions(
        &self,
        query: &SessionQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault>;
    /// The same page, with the summaries of its sessions.
    async fn session_summaries(
        &self,
        query: &SessionQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<SessionSummary>, Fault>;
    /// The sessions with these ids, in their order; those that are gone are left out.
    async fn sessions_by_id(&self, ids: &[SessionId]) -> Result<Vec<Session>, Fault>;
    /// How many sessions of these casts live; looks at `most` at most, and may be a moment old.
    async fn count_living(&self, casts: &[CastId], most: u32) -> Result<Counted, Fault>;
    /// How many sessions of each of these casts were claimed at or after `since`, in their order;
    /// counts some thousands at most. May be a moment old.
    async fn count_sessions(
        &self,
        casts: &[CastId],
        since: Timestamp,
    ) -> Result<Vec<Counted>, Fault>;
    /// Brings the lists of the sessions of each cast up to date with what was claimed until `due`.
    /// Sessions that were claimed later are found all the same, among those of all casts. The same
    /// again, or at once, changes nothing.
    async fn list_claims(&self, due: Timestamp, now: Timestamp) -> Result<(), Fault>;
    /// The sessions with this reference (nearly always one, or none); may be a moment old.
    async fn sessions_by_reference(&self, reference: &Reference) -> Result<Vec<Session>, Fault>;

    /// Adds a delivery, if there is none of this id.
    async fn add_delivery(&self, delivery: &Delivery) -> Result<Saved, Fault>;
    /// The delivery as it is now.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Fault>;
    /// Writes `after` over the revision of `before`.
    async fn save_delivery(&self, before: &Delivery, after: &Delivery) -> Result<Saved, Fault>;
    /// A page of the deliveries that are due at `now`, the longest due first, as they are now. Which
    /// they are may be a moment old.
    async fn due_deliveries(
        &self,
        now: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Delivery>, Fault>;
    /// A page of the deliveries to a hook, the newest event first.
    async fn deliveries(
        &self,
        hook: &HookId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Delivery>, Fault>;

    /// Adds refusals to their hourly rows.
    async fn add_refusals(&self, refusals: &[RefusalCount]) -> Result<(), Fault>;
    /// The hourly rows of one cast (`None`: of keys that no cast has), newest first.
    async fn refusals(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
    ) -> Result<Vec<RefusalCount>, Fault>;
    /// A page of the hourly rows of all casts and of none, newest first, from `since_hour` until
    /// before `until_hour`; may be a moment old.
    async fn all_refusals(
        &self,
        since_hour: i64,
        until_hour: i64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<RefusalCount>, Fault>;

    /// Writes hours, in this order; the same again changes nothing.
    async fn put_hours(&self, hours: &[(HourKey, HourlyStats)]) -> Result<(), Fault>;
    /// The hours of one cast, or of all together, that were written, the oldest first, from
    /// `since_hour` until before `until_hour`.
    async fn hours(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
        until_hour: i64,
    ) -> Result<Vec<(i64, HourlyStats)>, Fault>;
    /// The newest hour of all casts together that was written.
    async fn newest_hour(&self) -> Result<Option<i64>, Fault>;

    /// The document of the record of this kind as it is now; callers read it by `record`.
    async fn record_document(&self, kind: &str, id: &str) -> Result<Option<Value>, Fault>;
    /// The ids and names of all records of a kind, by id; a record without a name has its id.
    async fn record_names(&self, kind: &str) -> Result<Vec<(String, String)>, Fault>;
    /// How many records of a kind there are; counts `most` at most.
    async fn count_records(&self, kind: &str, most: u32) -> Result<Counted, Fault>;
    /// A page of the documents of all records of a kind, by id; callers read them by `records`.
    async fn record_documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Value>, Fault>;
    /// Writes the document of a record, which has its `id` and `version`, over `expected_version`,
    /// or as a new one when `None`.
    async fn put_record_document(
        &self,
        kind: &str,
        document: Value,
        expected_version: Option<u64>,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault>;
    /// Deletes the record of this kind with this id and version.
    async fn delete_record_document(
        &self,
        kind: &str,
        id: &str,
        version: u64,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault>;

    /// Writes an entry of something that is no change of a cast or a record.
    async fn add_audit(&self, audit: &Audit) -> Result<(), Fault>;
    /// The entry.
    async fn audit(&self, id: &AuditId) -> Result<Option<Audit>, Fault>;
    /// A page of entries, newest first: of all, or of the thing with this id.
    async fn audits(
        &self,
        target: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Audit>, Fault>;

    /// Remembers until `forgotten_at` what was asked for under an idempotency key, and says what
    /// was asked for under it first: `print`, or what came earlier.
    async fn first_request(
        &self,
        key: &str,
        print: &str,
        forgotten_at: Timestamp,
    ) -> Result<String, Fault>;
}

/// Where addresses are, by files of the operator's. In memory, so that a look costs no call.
pub trait GeoDatabase: Send + Sync {
    /// What is known of this address.
    fn look_up(&self, address: IpAddr) -> AddressOrigin;
    /// Whether it knows the countries of addresses.
    fn knows_countries(&self) -> bool;
    /// Whether it knows the autonomous systems of addresses.
    fn knows_asns(&self) -> bool;
}

/// The parameters of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// ECS's `startedBy`.
    pub session: SessionId,
    /// ECS's `clientToken`.
    pub client_token: String,
    /// Which attempt to start the session this is, from 1. Capacity is tried in this order.
    pub attempt: u32,
    /// Family, family:revision or ARN.
    pub task_definition: String,
    /// The container that gets the environment.
    pub container: String,
    /// Names and values, sorted by name.
    pub environment: Vec<(String, String)>,
    /// The same for the gate, where it has a container of its own; the app's container then gets
    /// none of this.
    pub gate_environment: Option<Vec<(String, String)>>,
    /// Where it is placed; `None` is where the deployment places tasks.
    pub placement: Option<Placement>,
}

/// A task, as ECS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// ARN, status and version.
    pub task: TaskRef,
    /// ECS's `startedBy`, when it is a session of ours.
    pub session: Option<SessionId>,
    /// Why it stopped, in ECS's words (stop code and reason); empty while it runs.
    pub stop_detail: String,
    /// The exit code of the app's container.
    pub exit_code: Option<i32>,
    /// ECS's reason why the app's container ended or did not start, such as `OutOfMemoryError: …`.
    pub app_reason: Option<String>,
    /// Whether ECS could not start it for a reason of its own, so that another start may do: no
    /// network interface in time, for instance.
    pub start_failed: bool,
}

impl Task {
    /// Why it stopped.
    pub fn reason(&self) -> EndReason {
        let words = [Some(self.stop_detail.as_str()), self.app_reason.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        EndReason::TaskStopped {
            detail: words.join("; "),
            exit_code: self.exit_code,
        }
    }
}

/// The result of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// ECS has the task.
    Started(Task),
    /// ECS allows no more starts at this moment; no task exists.
    Throttled(String),
    /// ECS has no room now; no task exists.
    NoCapacity(String),
    /// ECS refused for a reason that waiting does not mend; no task exists.
    Refused(String),
    /// No answer came: a task may exist.
    Unknown(String),
}

/// Reaches the gates of sessions that run.
#[async_trait]
pub trait Gates: Send + Sync {
    /// Sends the gate of a session that was started in advance its assignment, as a signed order;
    /// idempotent. `enter` is the ticket that leads through the edge to it. Gives why it was not
    /// reached, or did not take the order.
    async fn assign(&self, session: &SessionId, enter: &str, order: &str) -> Result<(), String>;
    /// Makes the gate of a session read its directives again now instead of at its next report.
    /// `enter` is the ticket that leads through the edge to it. Gives why it was not reached; the
    /// next report then does the same, within a minute.
    async fn refresh(&self, session: &SessionId, enter: &str) -> Result<(), String>;
    /// The names of those who watch a session now, as its gate tells them; `enter` as above.
    async fn watchers(&self, session: &SessionId, enter: &str) -> Result<Vec<String>, String>;
}

/// Calls the receivers of webhooks.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Sends a signed request, within so many milliseconds, and reads so many bytes of the answer at
    /// most. Follows nothing.
    async fn post(&self, request: &WebhookRequest, millis: u64, most: usize) -> WebhookAnswer;
}

/// Puts events on the event bus of the deployment.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Puts one event on it, within so many milliseconds. The answer has a status of the 200s only
    /// when the bus has taken the event.
    async fn put(&self, event: &BusEvent, millis: u64) -> WebhookAnswer;
}

/// Reads the logs of sessions, where the control plane is on the machine that writes them.
pub trait SessionLogs: Send + Sync {
    /// The last lines of the log of a task; `None` when there is none.
    fn tail(&self, task: &str) -> Option<String>;
}

/// Runs tasks.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts a task, at most one for a client token.
    async fn run(&self, spec: &TaskSpec) -> Run;
    /// How many kinds of capacity there are to try, one for each attempt.
    fn capacities(&self) -> u32;
    /// How many starts ECS allows in a second.
    fn starts_per_second(&self) -> u32;
    /// Asks for a task to be stopped; `None` when ECS does not know it (any more).
    async fn stop(&self, arn: &str, reason: &str) -> Result<Option<Task>, Fault>;
    /// The tasks with these ARNs, running or lately stopped, in no order, without those that ECS
    /// does not know (any more).
    async fn describe(&self, arns: &[String]) -> Result<Vec<Task>, Fault>;
    /// All tasks that were started for a session, running or lately stopped.
    async fn find(&self, session: &SessionId) -> Result<Vec<Task>, Fault>;
    /// The address at which the edge reaches the gate of a session; `None` when that is the address
    /// the gate reports from.
    async fn gate_address(&self, session: &SessionId) -> Result<Option<IpAddr>, Fault>;
    /// The URL of the session's logs, for administrators; `None` when it is not known.
    fn log_url(&self, session: &Session) -> Option<String>;
    /// Registers a task definition for an image with a container source and returns its ARN;
    /// `Err(Ok(words))` when ECS refuses it.
    async fn register(&self, image: &Image) -> Result<Result<String, String>, Fault>;
}

/// The metadata of a stored archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in lowercase hexadecimal digits, as the object store computed it; `None` when it was
    /// stored without.
    pub sha256: Option<String>,
}

/// The storage for the archives of persistent profiles. Objects are complete or absent.
#[async_trait]
pub trait ProfileFiles: Send + Sync {
    /// A URL to fetch the archive (GET), valid for some minutes.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn download(&self, key: &str) -> Result<String, Fault>;
    /// A URL to upload exactly this archive (PUT), valid for some minutes.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn upload(&self, key: &str, bytes: u64, sha256: &str) -> Result<Upload, Fault>;
    /// The metadata of the archive; `None` when it does not exist.
    async fn stat(&self, key: &str) -> Result<Option<Stored>, Fault>;
    /// Deletes the archive, if it is there.
    async fn delete(&self, key: &str) -> Result<(), Fault>;
}
