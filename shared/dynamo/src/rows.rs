//! Owns the rows: one serde struct a row, and its way to and from DynamoDB's items. Must not know
//! tables or conditions.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use casting_core::audit::Audit;
use casting_core::cast::{Cast, CastSettings, Counter};
use casting_core::delivery::Delivery;
use casting_core::hourly_stats::HourlyStats;
use casting_core::ids::{CastId, CastKey, Reference, SessionId, StagingId, UserId};
use casting_core::ports::{Fault, RefusalCount, RefusalSample};
use casting_core::quota::Tally;
use casting_core::rate_window::RateWindow;
use casting_core::session::{LEDGER_SECONDS, Owner, Session};
use casting_core::session_options::SessionOptions;
use casting_core::time::Timestamp;
use casting_core::waiting_queue::WaitingQueue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{corrupt, refused};
use crate::names;

/// A row as DynamoDB has it.
pub type Item = HashMap<String, AttributeValue>;

/// Table `casts`: a cast's settings. Its counter is a row of its own: see [`CounterRow`].
#[derive(Debug, Serialize, Deserialize)]
pub struct CastRow {
    pub id: CastId,
    kind: String,
    cast_key: CastKey,
    name_sort: String,
    pub version: u64,
    pub settings: CastSettings,
    /// What an earlier version, which counted here, has left; 0 in rows of this version.
    pub remaining: u64,
    pub counter_epoch: u64,
    created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<&Cast> for CastRow {
    fn from(cast: &Cast) -> Self {
        Self {
            id: cast.id.clone(),
            kind: names::CAST.to_owned(),
            cast_key: cast.settings.key.clone(),
            name_sort: name_sort(&cast.settings),
            version: cast.version,
            settings: cast.settings.clone(),
            remaining: 0,
            counter_epoch: cast.counter.epoch,
            created_at: cast.created_at,
            updated_at: cast.updated_at,
        }
    }
}

impl From<CastRow> for Cast {
    fn from(row: CastRow) -> Self {
        Self {
            id: row.id,
            version: row.version,
            settings: row.settings,
            counter: Counter {
                remaining: row.remaining,
                epoch: row.counter_epoch,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Table `casts`: what claims take of a cast and are held to, beside its settings. In no index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRow {
    pub id: String,
    /// The version of the settings.
    pub version: u64,
    pub remaining: u64,
    pub counter_epoch: u64,
    /// How often it was split into shards and made whole again, together; of a shard: at which split
    /// it was written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parted: u64,
}

impl CounterRow {
    /// Whether it is split into shards.
    pub const fn is_split(&self) -> bool {
        self.parted % 2 == 1
    }
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What casts are sorted by when they are sorted by name; never empty, because a name is not.
pub fn name_sort(settings: &CastSettings) -> String {
    settings.name.to_lowercase()
}

/// Table `casts`: a word by which a cast is found.
#[derive(Debug, Serialize, Deserialize)]
pub struct WordRow {
    pub id: String,
    kind: String,
}

impl WordRow {
    /// The row by which this cast is found by this word.
    pub fn new(word: &str, cast: &CastId) -> Self {
        Self {
            id: names::word(word, cast),
            kind: names::WORD.to_owned(),
        }
    }
}

/// Table `casts`: the cast of a key, so that no other can take it.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyRow {
    pub id: String,
    pub cast_id: CastId,
    /// Only of a previous key: the index over keys finds the cast by it too.
    #[serde(default)]
    pub cast_key: Option<CastKey>,
}

/// Table `sessions`, as it is written. It is read as a `Session`, which leaves the rest out: a
/// flattened field is read twice.
#[derive(Debug, Serialize)]
pub struct SessionRow {
    #[serde(flatten)]
    session: Session,
    kind: String,
    /// The reference. Nothing looks for it any more, but the version before cannot read a row
    /// without it.
    quoted: Reference,
    /// Only while the sweep must look at it: the index over it is sparse.
    due: Option<String>,
    /// Only of users who have logged in: the index over it is sparse.
    owner_id: Option<UserId>,
    /// Only while it waits in a pool: the index over it is sparse.
    waits_in: Option<StagingId>,
    expires_at: Option<i64>,
}

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        Self {
            session: session.clone(),
            kind: if session.is_unassigned() {
                names::STAGED
            } else {
                names::SESSION
            }
            .to_owned(),
            quoted: Reference::of(&session.id),
            due: session.due_at.map(|_| {
                if session.is_live() {
                    names::OPEN
                } else {
                    names::FORGET
                }
                .to_owned()
            }),
            owner_id: if let Owner::User { id, .. } = &session.owner {
                Some(id.clone())
            } else {
                None
            },
            waits_in: session.idle_pool().cloned(),
            expires_at: session.forgotten_at().map(Timestamp::seconds),
        }
    }
}

/// The row of a session as an item, without what reading it fills in: of every kilobyte that is
/// begun, each write is a unit, and each write of a transaction two.
pub fn session_item(what: &'static str, session: &Session) -> Result<Item, Fault> {
    let mut item = to_item(what, &SessionRow::from(session))?;
    if let Some(AttributeValue::M(options)) = item.get_mut(names::OPTIONS)
        && let AttributeValue::M(usual) = to_value(what, &SessionOptions::default())?
    {
        options.retain(|name, value| usual.get(name) != Some(value));
    }
    item.values_mut().for_each(drop_nulls);
    Ok(item)
}

/// Removes what is NULL inside a value: an option that is missing is read as `None`.
fn drop_nulls(value: &mut AttributeValue) {
    match value {
        AttributeValue::M(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        AttributeValue::L(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Table `sessions`: from the id of a claim to its session, if that was started in advance.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClaimRow {
    id: SessionId,
    pub leads_to: SessionId,
    expires_at: i64,
}

impl ClaimRow {
    /// The row that leads to this session, kept as long as its own will be.
    pub fn of(session: &Session) -> Self {
        let longest = session
            .created_at
            .plus_seconds(session.most_seconds() + LEDGER_SECONDS);
        Self {
            id: session.claim_id().clone(),
            leads_to: session.id.clone(),
            expires_at: longest.seconds(),
        }
    }

    /// The session that a row of the table leads to; `None` when it is a session itself.
    pub fn read(what: &'static str, row: &Item) -> Result<Option<SessionId>, Fault> {
        if row.contains_key("leads_to") {
            Ok(Some(from_item::<Self>(what, row.clone())?.leads_to))
        } else {
            Ok(None)
        }
    }
}

/// Table `sessions`: an event on its way to a hook. Its kind is its hook's, so that it is listed
/// among those of its hook and among no sessions.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliveryRow {
    id: String,
    /// The revision of the delivery.
    rev: u64,
    pub delivery: Delivery,
    /// Whose hook it is.
    kind: String,
    /// When the event happened.
    created_at: Timestamp,
    /// Only while it is to be sent: the index over it is sparse.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// Only while it waits for its first try.
    #[serde(skip_serializing_if = "Option::is_none")]
    send: Option<String>,
    expires_at: i64,
}

impl From<&Delivery> for DeliveryRow {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: names::delivery(delivery.id.as_str()),
            rev: delivery.rev,
            delivery: delivery.clone(),
            kind: names::of_hook(&delivery.hook),
            created_at: delivery.at,
            due: delivery.due_at.map(|_| names::TO_SEND.to_owned()),
            due_at: delivery.due_at,
            send: delivery.is_new().then(|| names::NOW.to_owned()),
            expires_at: delivery.forgotten_at().seconds(),
        }
    }
}

/// Table `limits`.
#[derive(Debug, Serialize, Deserialize)]
pub struct WindowRow {
    id: String,
    stamp: String,
    slots: BTreeMap<SessionId, Timestamp>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    buckets: BTreeMap<String, u32>,
    newest_at: Timestamp,
    expires_at: i64,
}

impl WindowRow {
    /// A window whose newest slot is at `newest_at`, kept until `forgotten_at`.
    pub fn new(window: &RateWindow, newest_at: Timestamp, forgotten_at: Timestamp) -> Self {
        Self {
            id: names::window(&window.key),
            stamp: window.stamp.clone(),
            slots: window.slots.clone(),
            buckets: window
                .buckets
                .iter()
                .map(|(end, count)| (names::bucket(*end), *count))
                .collect(),
            newest_at,
            // Never a moment before its last slot has left it.
            expires_at: forgotten_at.seconds() + 1,
        }
    }

    /// The window with this key.
    pub fn into_window(self, key: &str) -> RateWindow {
        RateWindow {
            key: key.to_owned(),
            stamp: self.stamp,
            slots: self.slots,
            buckets: self
                .buckets
                .into_iter()
                .filter_map(|(end, count)| Some((names::read_bucket(&end)?, count)))
                .collect(),
        }
    }
}

/// Table `claims`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RefusalRow {
    link: String,
    hour_code: String,
    kind: String,
    refused: u64,
    #[serde(default)]
    pub samples: Vec<RefusalSample>,
    expires_at: i64,
}

impl RefusalRow {
    /// The count of this row; `None` when its key is not one of ours.
    pub fn into_count(self) -> Option<RefusalCount> {
        let (hour, code) = names::read_hour_code(&self.hour_code)?;
        let cast_id = if self.link == names::NO_LINK {
            None
        } else {
            Some(CastId::parse(&self.link)?)
        };
        Some(RefusalCount {
            cast_id,
            hour,
            code: code.to_owned(),
            count: self.refused,
            samples: self.samples,
        })
    }
}

/// Table `limits`: who waits for a link.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueueRow {
    id: String,
    #[serde(flatten)]
    pub queue: WaitingQueue,
    expires_at: i64,
}

impl QueueRow {
    /// The row of this room, kept until `forgotten_at`.
    pub fn new(queue: &WaitingQueue, forgotten_at: Timestamp) -> Self {
        Self {
            id: names::room(&queue.cast),
            queue: queue.clone(),
            expires_at: forgotten_at.seconds(),
        }
    }
}

/// Table `limits`: how many of a count are taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuotaRow {
    pub taken: u64,
    /// It has all live sessions since the settings had this version.
    #[serde(default)]
    pub counted_since: Option<u64>,
    /// When what is counted was opened first.
    #[serde(default)]
    pub opened_at: Option<Timestamp>,
}

impl From<QuotaRow> for Tally {
    fn from(row: QuotaRow) -> Self {
        Self {
            taken: row.taken,
            opened_at: row.opened_at,
        }
    }
}

/// Table `limits`: until when claims are in the schedule.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScheduleRow {
    pub scheduled_until: Timestamp,
}

/// Table `limits`: until when claims are listed by link, in batches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedRow {
    /// How often it was written; 0 where there is none yet.
    pub rev: u64,
    /// Where the last batch ended.
    #[serde(rename = "listed_until")]
    pub until: Timestamp,
    /// Where the batch ends that is being written.
    #[serde(default)]
    pub planned: Option<Timestamp>,
    /// The last batches, which are to be looked at once more.
    #[serde(default)]
    pub batches: Vec<Batch>,
    /// Until when no batch lists references: those of versions before. `None` while there is none
    /// that does.
    #[serde(default)]
    pub referenced_after: Option<Timestamp>,
}

impl Default for ListedRow {
    fn default() -> Self {
        Self {
            rev: 0,
            until: Timestamp::from_millis(0),
            planned: None,
            batches: Vec::new(),
            referenced_after: Some(Timestamp::from_millis(0)),
        }
    }
}

/// A batch of claims that were listed by link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Where the one before it ended.
    pub after: Timestamp,
    /// Where it ends; itself included.
    pub until: Timestamp,
    /// Which claims it had.
    pub print: u64,
}

/// Table `claims`: what a link was claimed in a batch, or a part of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct LinkClaimsRow {
    pub link: String,
    pub hour_code: String,
    /// Time and session of each, in order.
    pub claimed: Vec<String>,
    pub expires_at: i64,
}

/// Table `claims`: what a batch, or a part of it, was claimed, by reference.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReferencesRow {
    pub link: String,
    pub hour_code: String,
    /// The letters of each reference, and the milliseconds from its claim to the batch's end.
    pub quoted: String,
    pub expires_at: i64,
}

/// Table `limits`: the last turn in the queue of starts that was given out.
#[derive(Debug, Serialize, Deserialize)]
pub struct StartsRow {
    pub last_turn: Timestamp,
}

/// Table `limits`: a proof that must not be used again.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProofRow {
    pub id: String,
    pub expires_at: i64,
}

/// Table `catalog`: a record of any kind.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordRow {
    kind: String,
    #[serde(flatten)]
    pub document: Value,
}

impl RecordRow {
    pub fn new(kind: &str, document: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            document,
        }
    }

    pub fn id(&self) -> Option<String> {
        Some(self.document.get("id")?.as_str()?.to_owned())
    }
}

/// Table `claims`: an hour of a link, or of all.
#[derive(Debug, Serialize, Deserialize)]
pub struct HourRow {
    pub link: String,
    pub hour_code: String,
    pub counts: HourlyStats,
    pub expires_at: i64,
}

/// Table `limits`: what was asked for under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
pub struct RequestRow {
    pub id: String,
    pub print: String,
    pub expires_at: i64,
}

/// Table `audit`. The entry is kept as one text: nothing in it is ever looked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuditRow {
    kind: String,
    id: String,
    target: String,
    entry: String,
    expires_at: i64,
}

impl AuditRow {
    /// The row of this entry.
    pub fn new(what: &'static str, audit: &Audit) -> Result<Self, Fault> {
        Ok(Self {
            kind: names::AUDIT.to_owned(),
            id: audit.id.to_string(),
            target: audit.target.clone(),
            entry: serde_json::to_string(audit)
                .map_err(|error| refused(what, error.to_string()))?,
            expires_at: audit.forgotten_at().seconds(),
        })
    }

    /// The entry of this row.
    pub fn into_audit(self, what: &'static str) -> Result<Audit, Fault> {
        serde_json::from_str(&self.entry).map_err(|error| corrupt(what, error.to_string()))
    }
}

/// The row as an item. What is `None` is left out: an index takes no NULL for a key, and rows
/// without the attribute stay out of it.
pub fn to_item(what: &'static str, row: &impl Serialize) -> Result<Item, Fault> {
    let mut item: Item =
        serde_dynamo::to_item(row).map_err(|error| refused(what, error.to_string()))?;
    item.retain(|_, value| !value.is_null());
    Ok(item)
}

/// A part of a row as a value.
pub fn to_value(what: &'static str, part: &impl Serialize) -> Result<AttributeValue, Fault> {
    serde_dynamo::to_attribute_value(part).map_err(|error| refused(what, error.to_string()))
}

/// The item as a row.
pub fn from_item<R: DeserializeOwned>(what: &'static str, item: Item) -> Result<R, Fault> {
    serde_dynamo::from_item(item).map_err(|error| corrupt(what, error.to_string()))
}

/// A text value.
pub fn text(value: impl AsRef<str>) -> AttributeValue {
    AttributeValue::S(value.as_ref().to_owned())
}

/// A number value.
pub fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// A key of one attribute.
pub fn key(name: &str, value: impl AsRef<str>) -> Item {
    [(name.to_owned(), text(value))].into()
}

#[cfg(test)]
pub(crate) mod tests {
    use casting_core::actor::{Actor, ActorKind, Scope};
    use casting_core::api_key::{ApiKey, ApiKeySettings};
    use casting_core::audit::{Difference, RecordKind};
    use casting_core::deployment::Deployment;
    use casting_core::group::Group;
    use casting_core::ids::GroupId;
    use casting_core::network::{NetworkName, Placement};
    use casting_core::quota::{Held, QuotaKind};
    use casting_core::record::Record;
    use casting_core::session::{
        Charge, EndReason, Endpoint, Go, LaunchNetwork, LaunchSpec, TaskRef, TaskStatus,
    };
    use casting_core::staging::StagingConfig;
    use casting_core::testing::{NOON, SeededEntropy, cast, image, session};

    use super::*;
    use crate::schema::{AttributeKind, TABLES};

    fn back<R: Serialize + DeserializeOwned>(row: &R) -> (Item, R) {
        let item = to_item("test", row).expect("written");
        (item.clone(), from_item("test", item).expect("read"))
    }

    fn session_row(session: &Session) -> Item {
        to_item("test", &SessionRow::from(session)).expect("written")
    }

    fn record_back<R: Record>(record: &R) -> (Item, R) {
        let document = serde_json::to_value(record).expect("JSON");
        let (item, row) = back(&RecordRow::new(R::KIND, document));
        assert_eq!(row.id().as_deref(), Some(record.id()));
        (
            item,
            serde_json::from_value(row.document).expect("the record"),
        )
    }

    fn audit() -> Audit {
        let actor = Actor {
            kind: ActorKind::User,
            id: "u1".into(),
            name: "Ann".into(),
            scopes: Scope::ALL.into(),
            expires_at: None,
            address: None,
        };
        let after = serde_json::json!({"name": "New", "enabled": true, "sessions_remaining": 3});
        let difference = Difference {
            before: None,
            after: Some(&after),
        };
        Audit::of(
            &actor,
            RecordKind::Cast,
            "c1",
            "New",
            difference,
            NOON,
            &SeededEntropy::new(1),
        )
    }

    fn full_cast() -> Cast {
        let mut cast = cast(1);
        cast.settings.valid_until = Some(NOON);
        cast.settings.ip_limit = Some(casting_core::cast::IpLimit {
            sessions: 3,
            within_seconds: 60,
            by: Default::default(),
            exempt: Vec::new(),
        });
        cast.settings.referrers =
            vec![casting_core::referrer::ReferrerRule::parse("acme.com").expect("a host")];
        cast.settings.error_url = Some("https://acme.com/sorry".into());
        cast.settings.kasm_url = Some("https://example.com/?q=ü".into());
        cast.counter = Counter {
            remaining: 7,
            epoch: 2,
        };
        cast
    }

    /// A session in every state, with all that each can carry.
    fn sessions() -> Vec<Session> {
        let mut reserved = session(&cast(1), 1);
        reserved.charge = Charge {
            count: Some(2),
            window: Some("c/a".into()),
            bucket: Some(NOON),
            held: vec![Held {
                kind: QuotaKind::Cast,
                key: "cast/c".into(),
                amount: 1,
            }],
        };
        reserved.owner = Owner::Anonymous {
            id: UserId::from_bytes([1; 16]),
            group: Some(GroupId::from_bytes([2; 16])),
            expires_at: None,
        };
        reserved.launch.network = Some(LaunchNetwork {
            name: NetworkName::parse("lab").expect("a name"),
            placement: Placement {
                subnets: vec!["subnet-1".into()],
                security_groups: vec!["sg-1".into()],
                assign_public_ip: true,
            },
        });
        reserved.notes = vec!["kasm-url-ignored".into()];
        reserved.request = Some("print".into());
        reserved.origin.referrer = Some("acme.com".into());
        let task = TaskRef {
            arn: "arn:aws:ecs:x:1:task/t".into(),
            status: TaskStatus::Running,
            version: 5,
            times: casting_core::session::TaskTimes::default(),
        };
        let starting = reserved.started(task).expect("starts");
        let ready = starting
            .ready(
                Endpoint {
                    host: "10.0.0.1".into(),
                    port: 8080,
                },
                NOON,
            )
            .expect("gets ready");
        let reason = EndReason::TaskStopped {
            detail: "EssentialContainerExited".into(),
            exit_code: Some(-1),
        };
        let stopping = ready.stopping(reason, NOON).expect("stops");
        let ended = stopping.ended(EndReason::TaskLost, NOON).expect("ends");
        let refunded = reserved
            .ended(
                EndReason::StartRefused {
                    detail: "no".into(),
                },
                NOON,
            )
            .expect("ends");
        let mut of_a_user = session(&cast(2), 2);
        of_a_user.owner = Owner::User {
            id: UserId::from_bytes([3; 16]),
            name: "Ann".into(),
        };
        of_a_user.go = Some(Go {
            url: "https://example.com/".into(),
            at: NOON,
        });
        let forgotten = ended.forgotten().expect("is forgotten");
        vec![
            of_a_user,
            staged(),
            forgotten,
            reserved,
            starting,
            ready,
            stopping,
            ended,
            refunded,
        ]
    }

    /// A session that waits in a pool.
    pub(crate) fn staged() -> Session {
        let input = serde_json::json!({"name": "Monday", "image_id": image(1).id});
        let settings = casting_core::staging_form::create(&input).expect("is right");
        let pool = StagingConfig {
            id: StagingId::from_bytes([1; 16]),
            version: 1,
            settings,
            created_at: NOON,
            updated_at: NOON,
        };
        let launch = LaunchSpec::of(&image(1), None, None);
        Session::staged(
            session(&cast(1), 9).id,
            &pool,
            &image(1),
            launch,
            Default::default(),
            "",
            NOON,
        )
    }

    #[test]
    fn claim_row_points_to_its_session() {
        let ready = staged()
            .ready(
                Endpoint {
                    host: "10.0.0.1".into(),
                    port: 8080,
                },
                NOON,
            )
            .expect("gets ready");
        let claim = session(&cast(1), 1);
        let assigned = ready.assigned(&claim).expect("is assigned");
        let row = back(&ClaimRow::of(&assigned)).0;
        assert_eq!(ClaimRow::read("test", &row), Ok(Some(ready.id.clone())));
        assert_eq!(row.get(names::ID), Some(&text(claim.id.as_str())));
        for (name, session, pool, kind) in [
            ("waiting", &ready, true, names::STAGED),
            ("assigned", &assigned, false, names::SESSION),
        ] {
            let row = session_row(session);
            assert_eq!(ClaimRow::read("test", &row), Ok(None), "{name}");
            assert_eq!(
                (row.contains_key(names::WAITS_IN), row.get(names::KIND)),
                (pool, Some(&text(kind))),
                "{name}"
            );
        }
    }

    #[test]
    fn rows_round_trip() {
        for original in [cast(1), full_cast()] {
            let counter = CounterRow {
                id: names::counter(&original.id),
                version: original.version,
                remaining: original.counter.remaining,
                counter_epoch: original.counter.epoch,
                parted: 3,
            };
            let row = back(&CastRow::from(&original)).1;
            assert_eq!(crate::counter::join(row, Some(&back(&counter).1)), original);
        }
        for original in sessions() {
            let state = original.state.as_str();
            let whole = session_row(&original);
            let short = session_item("test", &original).expect("written");
            for (item, written) in [(whole, "by the version before"), (short, "now")] {
                let session: Session = from_item("test", item).expect("read");
                assert_eq!(session, original, "{state}, as written {written}");
            }
        }
        let one = session(&cast(1), 1).id;
        for room in [
            WaitingQueue::empty(cast(1).id),
            WaitingQueue::empty(cast(1).id)
                .joined(&one, "1".into(), NOON)
                .expect("there is room")
                .served(&one, &one, "2".into(), NOON),
        ] {
            assert_eq!(back(&QueueRow::new(&room, NOON)).1.queue, room);
        }
        assert_eq!(record_back(&image(1)).1, image(1));
        assert_eq!(record_back(&Group::all_users()).1, Group::all_users());
        assert_eq!(record_back(&Deployment::default()).1, Deployment::default());
        let settings = ApiKeySettings {
            name: "ci".into(),
            scopes: [Scope::Read].into(),
            expires_at: Some(NOON),
        };
        let key = ApiKey::issue(&SeededEntropy::new(1), NOON, settings).0;
        assert_eq!(record_back(&key).1, key);
        let hour = HourlyStats {
            launched: 3,
            refused: [("busy".to_owned(), 2)].into(),
            starts: vec![1, 2],
            ..HourlyStats::default()
        };
        let row = HourRow {
            link: "*".into(),
            hour_code: names::hour_mark(3600),
            counts: hour.clone(),
            expires_at: 1,
        };
        assert_eq!(back(&row).1.counts, hour);
        let audit = audit();
        assert_eq!(
            back(&AuditRow::new("test", &audit).expect("written"))
                .1
                .into_audit("test"),
            Ok(audit)
        );
        let claim = back(&KeyRow {
            id: names::key_claim(&cast(1).settings.key),
            cast_id: cast(1).id,
            cast_key: None,
        })
        .1;
        assert_eq!(claim.cast_id, cast(1).id);
        let window = RateWindow {
            slots: [(session(&cast(1), 1).id, NOON)].into(),
            buckets: [(NOON, 3), (NOON.plus_seconds(9), 1)].into(),
            ..RateWindow::empty("c/a".into(), "s".into())
        };
        assert_eq!(
            back(&WindowRow::new(&window, NOON, NOON))
                .1
                .into_window("c/a"),
            window
        );
    }

    #[test]
    fn refusal_rows_round_trip_with_optional_parts() {
        let sample = RefusalSample {
            at: NOON,
            reference: Reference::of(&session(&cast(1), 1).id),
            address: "a".into(),
            referrer: None,
        };
        for (cast_id, samples) in [(Some(cast(1).id), vec![sample]), (None, vec![])] {
            let row = RefusalRow {
                link: names::link(cast_id.as_ref()),
                hour_code: names::hour_code(3600, "ip-limit"),
                kind: names::REFUSAL.to_owned(),
                refused: 3,
                samples: samples.clone(),
                expires_at: 1,
            };
            let count = RefusalCount {
                cast_id,
                hour: 3600,
                code: "ip-limit".into(),
                count: 3,
                samples,
            };
            assert_eq!(back(&row).1.into_count(), Some(count));
        }
    }

    /// As DynamoDB counts it.
    fn size(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            AttributeValue::M(fields) => {
                let field = |(name, value): (&String, _)| 1 + name.len() + size(value);
                3 + fields.iter().map(field).sum::<usize>()
            }
            AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + size(item)).sum::<usize>(),
            _ => 1,
        }
    }

    #[test]
    fn row_of_a_limited_session_fits_into_one_unit() {
        let mut session = sessions().remove(3);
        session.launch.task_definition =
            "arn:aws:ecs:eu-central-1:123456789012:task-definition/casting-ibccogxhhvhlhv74tr7gc2x7nfe:12"
                .into();
        session.launch.network = None;
        session.origin.address = "a".repeat(43);
        session.charge.window = Some(RateWindow::key(&session.cast_id, &"a".repeat(43)));
        session.usual_start = Some(30_000);
        let item = session_item("test", &session).expect("written");
        let bytes: usize = item
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum();
        assert!(bytes <= 1024, "{bytes} bytes: {item:?}");
    }

    #[test]
    fn row_of_a_full_window_fits_into_one_unit() {
        let cast = cast(1);
        let window = RateWindow {
            buckets: (0..65)
                .map(|n| (NOON.plus_seconds(40_000 * n), 999))
                .collect(),
            ..RateWindow::empty(
                RateWindow::key(&cast.id, &"a".repeat(43)),
                session(&cast, 1).id.to_string(),
            )
        };
        let (item, row) = back(&WindowRow::new(&window, NOON, NOON));
        let bytes: usize = item
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum();
        assert!(bytes <= 1024, "{bytes} bytes: {item:?}");
        assert_eq!(row.into_window(&window.key), window);
    }

    /// What a row leaves out is read as the default, so these may never change; a new option may be
    /// added.
    #[test]
    fn defaults_that_rows_leave_out_are_pinned() {
        let usual = serde_json::to_value(SessionOptions::default()).expect("JSON");
        for (name, expected) in serde_json::json!({
            "control_panel": true, "tips": true, "fixed_resolution": true, "anonymous_viewers": false, "view_only": null, "may_share": false,
            "open_hosts": null, "audio_on": true, "ime_on": false,
        })
        .as_object()
        .expect("an object")
        {
            assert_eq!(usual[name], *expected, "{name}");
        }
    }

    #[test]
    fn only_open_sessions_are_due_and_only_ended_expire() {
        for session in sessions() {
            let item = session_row(&session);
            let name = session.state.as_str();
            // A claim does not pay for the schedule.
            let is_due = session.is_live() && (name != "reserved" || session.is_unassigned());
            assert_eq!(item.contains_key(names::DUE), is_due, "{name}");
            assert_eq!(item.contains_key(names::DUE_AT), is_due, "{name}");
            assert_eq!(
                item.contains_key(names::EXPIRES_AT),
                !session.is_live(),
                "{name}"
            );
        }
    }

    #[test]
    fn row_fields_match_the_schema_keys() {
        let open = session_row(&sessions()[0]);
        let waiting = session_row(&staged());
        let window = RateWindow::empty("k".into(), String::new());
        let refusal = RefusalRow {
            link: "-".into(),
            hour_code: String::new(),
            kind: String::new(),
            refused: 0,
            samples: vec![],
            expires_at: 0,
        };
        let of = |table: &str| match table {
            "casts" => vec![back(&CastRow::from(&cast(1))).0],
            "sessions" => vec![open.clone(), waiting.clone()],
            "claims" => vec![back(&refusal).0],
            "limits" => vec![back(&WindowRow::new(&window, NOON, NOON)).0],
            "audit" => vec![back(&AuditRow::new("test", &audit()).expect("written")).0],
            _ => vec![record_back(&image(1)).0],
        };
        for table in TABLES {
            for attribute in table.attributes() {
                let fits = match attribute.kind {
                    AttributeKind::Text => AttributeValue::is_s,
                    AttributeKind::Number => AttributeValue::is_n,
                };
                let items = of(table.name);
                let found: Vec<_> = items
                    .iter()
                    .filter_map(|item| item.get(attribute.name))
                    .collect();
                assert!(
                    !found.is_empty() && found.into_iter().all(fits),
                    "{}.{}",
                    table.name,
                    attribute.name
                );
            }
        }
    }
}
