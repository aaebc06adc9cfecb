//! Owns `DynamoStore` and its list of verbs. Must not know how any of them is done: each noun has its file.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use casting_core::audit::{Audit, AuditId};
use casting_core::captcha::Proof;
use casting_core::cast::{Cast, CounterChange};
use casting_core::delivery::{Delivery, DeliveryId};
use casting_core::hook::HookId;
use casting_core::hourly_stats::{HourKey, HourlyStats};
use casting_core::ids::{CastId, CastKey, Reference, SessionId, StagingId, UserId};
use casting_core::ports::{
    Created, DueKind, Exchanged, Fault, Page, QueueSaved, RefusalCount, Replaced, Reservation,
    Reserved, Saved, Staged, Store,
};
use casting_core::queries::{CastName, CastQuery, Counted, SessionQuery};
use casting_core::quota::{Quota, Tally};
use casting_core::rate_window::RateWindow;
use casting_core::session::Session;
use casting_core::summary::SessionSummary;
use casting_core::time::Timestamp;
use casting_core::waiting_queue::WaitingQueue;
use serde_json::Value;

use crate::schema::TableNames;
use crate::{
    audit, casts, catalog, deliveries, hours, limits, listing, pool, queue, refusals, reserve,
    sessions,
};

/// The store port on DynamoDB. Cheap to clone.
///
/// The page texts it hands out are ids, with the time before them where rows are ordered by time. A text that it cannot have
/// handed out is a fault of kind `Refused`.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) tables: TableNames,
    /// The links whose counters are split, as far as this process knows.
    pub(crate) split: Arc<Mutex<HashSet<CastId>>>,
    /// The links of sessions that this process has read: a session never gets another one.
    pub(crate) links: Arc<Mutex<HashMap<SessionId, CastId>>>,
}

impl DynamoStore {
    /// A store on these tables. The client must not retry by itself (see the crate's page).
    pub fn new(client: Client, tables: TableNames) -> Self {
        Self {
            client,
            tables,
            split: Arc::default(),
            links: Arc::default(),
        }
    }

    /// The client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Puts sessions as they are, over whatever is there, without judging or charging: brings a ledger from elsewhere. Again after a fault.
    ///
    /// # Errors
    /// When DynamoDB does not take all of them.
    pub async fn import_sessions(&self, ledger: &[Session]) -> Result<(), Fault> {
        sessions::import(self, ledger).await
    }

    /// The names of the tables.
    pub const fn tables(&self) -> &TableNames {
        &self.tables
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn cast_by_key(&self, key: &CastKey) -> Result<Option<Cast>, Fault> {
        casts::by_key(self, key).await
    }

    async fn cast(&self, id: &CastId) -> Result<Option<Cast>, Fault> {
        casts::by_id(self, id).await
    }

    async fn cast_in_force(&self, id: &CastId) -> Result<Option<Cast>, Fault> {
        casts::in_force(self, id).await
    }

    async fn casts(
        &self,
        query: &CastQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Cast>, Fault> {
        casts::page(self, query, after, limit).await
    }

    async fn casts_from(&self, prefix: &str) -> Result<Vec<CastId>, Fault> {
        casts::ids_from(self, prefix).await
    }

    async fn cast_names(&self, limit: u32) -> Result<Vec<CastName>, Fault> {
        casts::names_of(self, limit).await
    }

    async fn record_names(&self, kind: &str) -> Result<Vec<(String, String)>, Fault> {
        catalog::names_of(self, kind).await
    }

    async fn casts_named(&self, name: &str) -> Result<Vec<CastId>, Fault> {
        casts::ids_named(self, name).await
    }

    async fn count_records(&self, kind: &str, most: u32) -> Result<Counted, Fault> {
        catalog::count(self, kind, most).await
    }

    async fn create_cast(&self, cast: &Cast, audit: Option<&Audit>) -> Result<Created, Fault> {
        casts::create(self, cast, audit).await
    }

    async fn replace_cast(
        &self,
        before: &Cast,
        after: &Cast,
        change: CounterChange,
        audit: Option<&Audit>,
    ) -> Result<Replaced, Fault> {
        casts::replace(self, before, after, change, audit).await
    }

    async fn delete_cast(&self, cast: &Cast, audit: Option<&Audit>) -> Result<Saved, Fault> {
        casts::delete(self, cast, audit).await
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, Fault> {
        reserve::reserve(self, reservation).await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Fault> {
        sessions::by_id(self, id).await
    }

    async fn save_session(&self, before: &Session, after: &Session) -> Result<Saved, Fault> {
        sessions::save(self, before, after).await
    }

    async fn live_session_of(
        &self,
        user: &UserId,
        cast: &CastId,
    ) -> Result<Option<Session>, Fault> {
        sessions::live_of(self, user, cast).await
    }

    async fn stage(&self, session: &Session, most: u32) -> Result<Staged, Fault> {
        pool::stage(self, session, most).await
    }

    async fn pool(&self, pool: &StagingId) -> Result<Vec<Session>, Fault> {
        pool::waiting(self, pool).await
    }

    async fn exchange(
        &self,
        before: &Session,
        given_up: &Session,
        after: &Session,
        staged: Option<&Session>,
    ) -> Result<Exchanged, Fault> {
        pool::exchange(self, before, given_up, after, staged).await
    }

    async fn window(&self, key: &str) -> Result<RateWindow, Fault> {
        limits::window(self, key).await
    }

    async fn queue(&self, cast: &CastId) -> Result<WaitingQueue, Fault> {
        queue::queue(self, cast).await
    }

    async fn save_queue(
        &self,
        seen: &str,
        after: &WaitingQueue,
        proof: Option<&Proof>,
    ) -> Result<QueueSaved, Fault> {
        queue::save(self, seen, after, proof).await
    }

    async fn touch_entry(
        &self,
        cast: &CastId,
        entry: &SessionId,
        gone: Timestamp,
        now: Timestamp,
    ) -> Result<Option<WaitingQueue>, Fault> {
        queue::touch(self, cast, entry, gone, now).await
    }

    async fn complete_quota(&self, quota: &Quota) -> Result<(), Fault> {
        limits::complete_quota(self, quota).await
    }

    async fn quota(&self, key: &str) -> Result<u64, Fault> {
        limits::quota(self, key).await
    }

    async fn tally(&self, key: &str) -> Result<Tally, Fault> {
        limits::tally(self, key).await
    }

    async fn open_tally(&self, key: &str, now: Timestamp) -> Result<Tally, Fault> {
        limits::open_tally(self, key, now).await
    }

    async fn close_tally(&self, key: &str) -> Result<(), Fault> {
        limits::close_tally(self, key).await
    }

    async fn due_sessions(
        &self,
        kind: DueKind,
        now: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault> {
        sessions::due(self, kind, now, after, limit).await
    }

    async fn claimed_between(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault> {
        sessions::claimed_between(self, (since, until), after, limit).await
    }

    async fn scheduled_until(&self) -> Result<Option<Timestamp>, Fault> {
        limits::scheduled_until(self).await
    }

    async fn set_scheduled_until(&self, until: Timestamp) -> Result<(), Fault> {
        limits::set_scheduled_until(self, until).await
    }

    async fn take_turn(&self, now: Timestamp, interval: u64) -> Result<Timestamp, Fault> {
        limits::take_turn(self, now, interval).await
    }

    async fn sessions(
        &self,
        query: &SessionQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, Fault> {
        sessions::page(self, query, after, limit).await
    }

    async fn session_summaries(
        &self,
        query: &SessionQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<SessionSummary>, Fault> {
        sessions::page(self, query, after, limit).await
    }

    async fn sessions_by_id(&self, ids: &[SessionId]) -> Result<Vec<Session>, Fault> {
        sessions::by_ids(self, ids).await
    }

    async fn count_sessions(
        &self,
        casts: &[CastId],
        since: Timestamp,
    ) -> Result<Vec<Counted>, Fault> {
        listing::count(self, casts, since).await
    }

    async fn count_living(&self, casts: &[CastId], most: u32) -> Result<Counted, Fault> {
        sessions::count_living(self, casts, most).await
    }

    async fn list_claims(&self, due: Timestamp, now: Timestamp) -> Result<(), Fault> {
        listing::extend(self, due, now).await
    }

    async fn sessions_by_reference(&self, reference: &Reference) -> Result<Vec<Session>, Fault> {
        sessions::by_reference(self, reference).await
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Result<Saved, Fault> {
        deliveries::add(self, delivery).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, Fault> {
        deliveries::by_id(self, id).await
    }

    async fn save_delivery(&self, before: &Delivery, after: &Delivery) -> Result<Saved, Fault> {
        deliveries::save(self, before, after).await
    }

    async fn due_deliveries(
        &self,
        now: Timestamp,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Delivery>, Fault> {
        deliveries::due(self, now, after, limit).await
    }

    async fn deliveries(
        &self,
        hook: &HookId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Delivery>, Fault> {
        deliveries::of_hook(self, hook, after, limit).await
    }

    async fn add_refusals(&self, refusals: &[RefusalCount]) -> Result<(), Fault> {
        refusals::add(self, refusals).await
    }

    async fn refusals(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
    ) -> Result<Vec<RefusalCount>, Fault> {
        refusals::since(self, cast, since_hour).await
    }

    async fn all_refusals(
        &self,
        since_hour: i64,
        until_hour: i64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<RefusalCount>, Fault> {
        refusals::of_all(self, since_hour, until_hour, after, limit).await
    }

    async fn put_hours(&self, hours: &[(HourKey, HourlyStats)]) -> Result<(), Fault> {
        hours::put(self, hours).await
    }

    async fn hours(
        &self,
        cast: Option<&CastId>,
        since_hour: i64,
        until_hour: i64,
    ) -> Result<Vec<(i64, HourlyStats)>, Fault> {
        hours::between(self, cast, since_hour, until_hour).await
    }

    async fn newest_hour(&self) -> Result<Option<i64>, Fault> {
        hours::newest(self).await
    }

    async fn record_document(&self, kind: &str, id: &str) -> Result<Option<Value>, Fault> {
        catalog::record(self, kind, id).await
    }

    async fn record_documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Value>, Fault> {
        catalog::records(self, kind, after, limit).await
    }

    async fn put_record_document(
        &self,
        kind: &str,
        document: Value,
        expected_version: Option<u64>,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault> {
        catalog::put_record(self, kind, document, expected_version, audit).await
    }

    async fn delete_record_document(
        &self,
        kind: &str,
        id: &str,
        version: u64,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault> {
        catalog::delete_record(self, kind, id, version, audit).await
    }

    async fn add_audit(&self, audit: &Audit) -> Result<(), Fault> {
        audit::add(self, audit).await
    }

    async fn audit(&self, id: &AuditId) -> Result<Option<Audit>, Fault> {
        audit::by_id(self, id).await
    }

    async fn audits(
        &self,
        target: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Audit>, Fault> {
        audit::page(self, target, after, limit).await
    }

    async fn first_request(
        &self,
        key: &str,
        print: &str,
        forgotten_at: Timestamp,
    ) -> Result<String, Fault> {
        limits::first_request(self, key, print, forgotten_at).await
    }
}
