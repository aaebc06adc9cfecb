//! Owns the ports: what the rules need from a store and from a launcher of tasks. Must not know DynamoDB or ECS.
//!
//! A port exists only where the far side is a machine. To add a verb: name it for what it does to the ledger, say here what is atomic,
//! add its case to the contract suite in `testing`, then write it in the adapter.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use crate::audit::{Audit, AuditId};
use crate::captcha::Proof;
use crate::cast::{Cast, CounterChange};
use crate::flow::Upload;
use crate::hours::{Hour, HourOf};
use crate::ids::{CastId, CastKey, Reference, SessionId, StagingId, UserId};
use crate::image::Image;
use crate::listing::{CastQuery, Counted, SessionQuery};
use crate::network::Placement;
use crate::quota::{Quota, QuotaKind};
use crate::record::Record;
use crate::room::Room;
use crate::session::{EndReason, Session, TaskRef};
use crate::time::Timestamp;
use crate::window::Window;

/// Something that nobody planned for: logged once, shown to the visitor as a reference id only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?} in {what}: {detail}")]
pub struct Fault {
    /// What to expect of a repetition.
    pub kind: FaultKind,
    /// What was being done, such as `reserve a session`.
    pub what: &'static str,
    /// The far side's words; never shown to a visitor.
    pub detail: String,
}

/// What to expect of a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many writers at once, even after retries; nothing was written.
    Contention,
    /// The far side is busy or unreachable; whether the call took effect is not known.
    Unavailable,
    /// What was read makes no sense.
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

/// What a claim wants to take, all or nothing.
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
    /// The row that `session` was made of, when it was started ahead: it must still be this one, and no longer counts in its pool.
    pub staged: Option<Box<Session>>,
    /// The waiting room that the decision was made on, where the link has one.
    pub room: Option<RoomClaim>,
}

/// What a claim asks of the waiting room.
#[derive(Clone, Debug)]
pub struct RoomClaim {
    /// The link.
    pub cast: CastId,
    /// The stamp of the room that the decision was made on: it must still be this one.
    pub seen: String,
    /// The room with the visitor's place served; `None` for a visitor who has none.
    pub after: Option<Room>,
}

/// How to take a slot in an IP window.
#[derive(Clone, Debug)]
pub struct WindowClaim {
    /// The stamp of the window that the decision was made on. `None`: nobody looked yet, and the slot is
    /// taken only if the window does not exist or its newest slot is at or before `cutoff`.
    pub seen: Option<String>,
    /// Slots at or before this time no longer count.
    pub cutoff: Timestamp,
    /// The window's slots after this claim, its own included.
    pub after: Window,
    /// When the window's row may be forgotten.
    pub forgotten_at: Timestamp,
}

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Everything was taken.
    Placed,
    /// This very session was reserved before; nothing was taken now. Wins over every other answer.
    Already(Box<Session>),
    /// The cast's version is another one (or the cast is gone): judge again.
    ConfigChanged,
    /// Sessions Remaining is zero.
    SoldOut,
    /// The IP window is not as seen; here it is: judge again.
    WindowMoved(Window),
    /// This count is full: judge again.
    Full(QuotaKind),
    /// This count does not have all sessions yet that lived before its limit was set: count them.
    Uncounted(QuotaKind),
    /// The proof has been used for another session: judge again.
    ProofUsed,
    /// The waiting room is not as seen; here it is: judge again.
    RoomMoved(Room),
    /// The session that was started ahead is another visitor's by now, or gone: take another.
    StagedGone,
}

/// What became of a session that was to be started ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is to be started.
    Placed,
    /// As many as there may be wait in the pool already.
    Full,
}

/// What became of the exchange of a session for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanged {
    /// Done.
    Done,
    /// The first one has moved meanwhile; nothing was written.
    Stale,
    /// The other one was started ahead, and is another visitor's by now, or gone; nothing was written.
    StagedGone,
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Written.
    Done,
    /// Somebody else was first; nothing was written.
    Stale,
}

/// What became of a change of a waiting room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seated {
    /// Written.
    Done,
    /// The room is not as seen; here it is. Nothing was written.
    Moved(Room),
    /// The proof has been used before; nothing was written.
    ProofUsed,
}

/// What became of a new cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// Written.
    Done,
    /// Another cast has this key; nothing was written.
    KeyTaken,
}

/// What became of a changed cast.
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
    /// What the visitor was told to quote.
    pub reference: Reference,
    /// Keyed hash of the address prefix.
    pub address: String,
    /// The referring host.
    #[serde(default)]
    pub referrer: Option<String>,
}

/// Casts with their counters, sessions, IP windows, refusals and the catalog.
///
/// Every write is atomic: it happens wholly or not at all, whoever else writes, and however often a lost answer makes it be sent again.
pub trait Store: Send + Sync {
    /// The cast with this key, now or before (see [`crate::cast::CastSettings::answers_to`]); may be a moment old.
    fn cast_by_key(
        &self,
        key: &CastKey,
    ) -> impl Future<Output = Result<Option<Cast>, Fault>> + Send;
    /// The cast as it is now.
    fn cast(&self, id: &CastId) -> impl Future<Output = Result<Option<Cast>, Fault>> + Send;
    /// A page of casts. A word finds the casts by an index that may be a moment old.
    fn casts(
        &self,
        query: &CastQuery,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Cast>, Fault>> + Send;
    /// The ids of casts that begin like this, twenty at most; may be a moment old.
    fn casts_from(&self, prefix: &str) -> impl Future<Output = Result<Vec<CastId>, Fault>> + Send;
    /// A new cast, and its claim to its key; with it, as with every change below, the entry that tells of it, if there is one.
    fn create_cast(
        &self,
        cast: &Cast,
        audit: Option<&Audit>,
    ) -> impl Future<Output = Result<Created, Fault>> + Send;
    /// Writes `after.settings` over the version of `before`, and does `change` to the counter: a number that is set is written only over
    /// the counter of `before`, and a difference only where enough remains; else `Stale`. Moves the claim to the key when it changed; one that became the previous key stays claimed and finds the cast.
    fn replace_cast(
        &self,
        before: &Cast,
        after: &Cast,
        change: CounterChange,
        audit: Option<&Audit>,
    ) -> impl Future<Output = Result<Replaced, Fault>> + Send;
    /// Deletes the cast of this version, and its claim to its key.
    fn delete_cast(
        &self,
        cast: &Cast,
        audit: Option<&Audit>,
    ) -> impl Future<Output = Result<Saved, Fault>> + Send;

    /// Takes everything a claim takes, in one transaction.
    fn reserve(
        &self,
        reservation: &Reservation,
    ) -> impl Future<Output = Result<Reserved, Fault>> + Send;
    /// The session as it is now; it is found by the id of its claim as well, where it has another.
    fn session(
        &self,
        id: &SessionId,
    ) -> impl Future<Output = Result<Option<Session>, Fault>> + Send;
    /// Writes a move over the revision of `before`. If `after` is refunded, its charge is given back in the same transaction: one place of
    /// Sessions Remaining if the cast still exists and its counter is of the epoch charged, the slot in the IP window if it still exists, and
    /// what it holds of every count. If `after` has just ended and was served, only counts of live sessions are given back. Of money, what
    /// the session has not cost is given back in either case.
    /// What `after` holds and `before` does not ([`Session::takes`]) is taken, whatever the limits.
    fn save_session(
        &self,
        before: &Session,
        after: &Session,
    ) -> impl Future<Output = Result<Saved, Fault>> + Send;
    /// The newest session of this user and this cast that is neither stopping nor has ended; may be a moment old.
    fn live_session_of(
        &self,
        user: &UserId,
        cast: &CastId,
    ) -> impl Future<Output = Result<Option<Session>, Fault>> + Send;
    /// A session that is to be started ahead, if fewer than `most` wait in its pool.
    fn stage(
        &self,
        session: &Session,
        most: u32,
    ) -> impl Future<Output = Result<Staged, Fault>> + Send;
    /// The sessions that wait in a pool, the oldest first; may be a moment old.
    fn pool(&self, pool: &StagingId) -> impl Future<Output = Result<Vec<Session>, Fault>> + Send;
    /// Exchanges the session that a claim was given for another one, in one transaction: `given_up` is written over `before`, and `after` is the
    /// claim's session from now on, with everything that the claim took. `staged` is the row that `after` was made of, if it was started ahead.
    fn exchange(
        &self,
        before: &Session,
        given_up: &Session,
        after: &Session,
        staged: Option<&Session>,
    ) -> impl Future<Output = Result<Exchanged, Fault>> + Send;
    /// The IP window with this key; empty when there is none.
    fn window(&self, key: &str) -> impl Future<Output = Result<Window, Fault>> + Send;
    /// The waiting room of this cast as it is now; empty when there is none.
    fn room(&self, cast: &CastId) -> impl Future<Output = Result<Room, Fault>> + Send;
    /// Writes a room over the one with the stamp `seen`, and uses the proof up in the same transaction, if one is given.
    fn save_room(
        &self,
        seen: &str,
        after: &Room,
        proof: Option<&Proof>,
    ) -> impl Future<Output = Result<Seated, Fault>> + Send;
    /// A sign of life of whoever has this place and was seen after `gone`. Returns the room as it then is; `None` when there is no such place.
    fn touch_place(
        &self,
        cast: &CastId,
        place: &SessionId,
        gone: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Room>, Fault>> + Send;
    /// Says that a count has all live sessions: those from before its limit was set hold one of it.
    fn complete_quota(&self, quota: &Quota) -> impl Future<Output = Result<(), Fault>> + Send;
    /// How many of this count are taken.
    fn quota(&self, key: &str) -> impl Future<Output = Result<u64, Fault>> + Send;
    /// Ids of sessions whose `due_at` is at or before `now`, the longest due first; may be a moment old.
    fn due_sessions(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<SessionId>, Fault>> + Send;
    /// A page of sessions.
    fn sessions(
        &self,
        query: &SessionQuery,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Session>, Fault>> + Send;
    /// How many sessions of a cast were claimed at or after `since`; counts some thousands at most. May be a moment old.
    fn count_sessions(
        &self,
        cast: &CastId,
        since: Timestamp,
    ) -> impl Future<Output = Result<Counted, Fault>> + Send;
    /// The sessions with this reference (nearly always one, or none); may be a moment old.
    fn sessions_by_reference(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Vec<Session>, Fault>> + Send;

    /// Adds refusals to their hourly rows.
    fn add_refusals(
        &self,
        refusals: &[RefusalCount],
    ) -> impl Future<Output = Result<(), Fault>> + Send;
    /// The hourly rows of one cast (`None`: of keys that no cast has), newest first.
    fn refusals(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
    ) -> impl Future<Output = Result<Vec<RefusalCount>, Fault>> + Send;
    /// A page of the hourly rows of all casts and of none, newest first, from `since_hour` until before `until_hour`; may be a moment old.
    fn all_refusals(
        &self,
        since_hour: i64,
        until_hour: i64,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<RefusalCount>, Fault>> + Send;

    /// Writes hours, in this order; the same again changes nothing.
    fn put_hours(&self, hours: &[(HourOf, Hour)])
    -> impl Future<Output = Result<(), Fault>> + Send;
    /// The hours of one cast, or of all together, that were written, the oldest first, from `since_hour` until before `until_hour`.
    fn hours(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
        until_hour: i64,
    ) -> impl Future<Output = Result<Vec<(i64, Hour)>, Fault>> + Send;
    /// The newest hour of all casts together that was written.
    fn newest_hour(&self) -> impl Future<Output = Result<Option<i64>, Fault>> + Send;

    /// The record as it is now.
    fn record<R: Record>(&self, id: &str) -> impl Future<Output = Result<Option<R>, Fault>> + Send;
    /// A page of all records of a kind, by id.
    fn records<R: Record>(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<R>, Fault>> + Send;
    /// Writes a record over `expected_version`, or as a new one when `None`.
    fn put_record<R: Record>(
        &self,
        record: &R,
        expected_version: Option<u64>,
        audit: Option<&Audit>,
    ) -> impl Future<Output = Result<Saved, Fault>> + Send;
    /// Deletes the record of this version.
    fn delete_record<R: Record>(
        &self,
        record: &R,
        audit: Option<&Audit>,
    ) -> impl Future<Output = Result<Saved, Fault>> + Send;

    /// Writes an entry of something that is no change of a cast or a record.
    fn add_audit(&self, audit: &Audit) -> impl Future<Output = Result<(), Fault>> + Send;
    /// The entry.
    fn audit(&self, id: &AuditId) -> impl Future<Output = Result<Option<Audit>, Fault>> + Send;
    /// A page of entries, newest first: of all, or of the thing with this id.
    fn audits(
        &self,
        target: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Audit>, Fault>> + Send;

    /// Remembers until `forgotten_at` what was asked for under an idempotency key, and says what was asked for under it first: `print`, or
    /// what came earlier.
    fn first_request(
        &self,
        key: &str,
        print: &str,
        forgotten_at: Timestamp,
    ) -> impl Future<Output = Result<String, Fault>> + Send;
}

/// What a task is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// ECS's `startedBy`.
    pub session: SessionId,
    /// ECS's `clientToken`.
    pub client_token: String,
    /// Family, family:revision or ARN.
    pub task_definition: String,
    /// The container that gets the environment.
    pub container: String,
    /// Names and values, sorted by name.
    pub environment: Vec<(String, String)>,
    /// The same for the gate, where it has a container of its own; the app's container then gets none of this.
    pub gate_environment: Option<Vec<(String, String)>>,
    /// Where it is placed; `None` is where the deployment places tasks.
    pub placement: Option<Placement>,
}

/// A task as ECS tells of it.
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
    /// What ECS says of why the app's container ended or did not start, such as `OutOfMemoryError: …`.
    pub app_reason: Option<String>,
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

/// What became of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// ECS has the task.
    Started(Task),
    /// ECS has no room now, or is throttling; no task exists.
    NoCapacity(String),
    /// ECS refused for a reason that waiting does not mend; no task exists.
    Refused(String),
    /// No answer came: a task may exist.
    Unknown(String),
}

/// A gate being told.
pub type Telling<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Reaches the gates of sessions that run.
pub trait Gates: Send + Sync {
    /// Tells the gate of a session that was started ahead whose it is now, by a signed order; again changes nothing. `enter` is the ticket that leads
    /// through the edge to it. Gives why it was not reached, or did not take the order.
    fn assign<'a>(&'a self, session: &'a SessionId, enter: &'a str, order: &'a str) -> Telling<'a>;
    /// Makes the gate of a session read its orders again now instead of at its next report. `enter`
    /// is the ticket that leads through the edge to it. Gives why it was not reached; the next
    /// report then does the same, within a minute.
    fn refresh<'a>(&'a self, session: &'a SessionId, enter: &'a str) -> Telling<'a>;
}

/// Runs tasks.
pub trait Launcher: Send + Sync {
    /// Starts a task, at most one for a client token.
    fn run(&self, spec: &TaskSpec) -> impl Future<Output = Run> + Send;
    /// Asks for a task to be stopped; `None` when ECS does not know it (any more).
    fn stop(
        &self,
        arn: &str,
        reason: &str,
    ) -> impl Future<Output = Result<Option<Task>, Fault>> + Send;
    /// The task, running or lately stopped; `None` when ECS does not know it.
    fn describe(&self, arn: &str) -> impl Future<Output = Result<Option<Task>, Fault>> + Send;
    /// All tasks that were started for a session, running or lately stopped.
    fn find(&self, session: &SessionId) -> impl Future<Output = Result<Vec<Task>, Fault>> + Send;
    /// The address at which the edge reaches the gate of a session; `None` when that is the address the gate reports from.
    fn gate_address(
        &self,
        session: &SessionId,
    ) -> impl Future<Output = Result<Option<IpAddr>, Fault>> + Send;
    /// Where administrators read what a session's task has written; `None` when nobody knows.
    fn log_url(&self, session: &Session) -> Option<String>;
    /// Registers a task definition for an image with a container source and returns its ARN; `Err(Ok(words))` when ECS refuses it.
    fn register(
        &self,
        image: &Image,
    ) -> impl Future<Output = Result<Result<String, String>, Fault>> + Send;
}

/// What is known of a stored archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in small hexadecimal digits, as the far side found it; `None` when it was stored without.
    pub sha256: Option<String>,
}

/// An answer that is waited for.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Where the archives of persistent profiles are kept. What is stored under a key is whole, or not there.
pub trait ProfileFiles: Send + Sync {
    /// A URL from which whoever has it fetches the archive (GET), for some minutes.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn download(&self, key: &str) -> Result<String, Fault>;
    /// A URL to which whoever has it sends the archive (PUT), for some minutes: this very one, and no other.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn upload(&self, key: &str, bytes: u64, sha256: &str) -> Result<Upload, Fault>;
    /// What is known of the archive; `None` when it is not there.
    fn stat<'a>(&'a self, key: &'a str) -> Answering<'a, Option<Stored>>;
    /// Deletes the archive, if it is there.
    fn delete<'a>(&'a self, key: &'a str) -> Answering<'a, ()>;
}
