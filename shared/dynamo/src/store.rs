//! Owns `DynamoStore` and its list of verbs. Must not know how any of them is done: each noun has its file.

use aws_sdk_dynamodb::Client;
use casting_core::cast::Cast;
use casting_core::ids::{ApiKeyId, CastId, CastKey, SessionId, UserId};
use casting_core::ports::{ApiKey, Created, Fault, Page, RefusalCount, Replaced, Reservation, Reserved, Saved, Store};
use casting_core::record::Record;
use casting_core::session::Session;
use casting_core::time::Timestamp;
use casting_core::window::Window;

use crate::schema::TableNames;
use crate::{casts, catalog, limits, refusals, reserve, sessions};

/// The store port on DynamoDB. Cheap to clone.
///
/// The page texts it hands out are ids, with the time before them where rows are ordered by time. A text that it cannot have
/// handed out is a fault of kind `Refused`.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) tables: TableNames,
}

impl DynamoStore {
    /// A store on these tables. The client must not retry by itself (see the crate's page).
    pub const fn new(client: Client, tables: TableNames) -> Self {
        Self { client, tables }
    }

    /// The client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// What the tables are called.
    pub const fn tables(&self) -> &TableNames {
        &self.tables
    }
}

impl Store for DynamoStore {
    async fn cast_by_key(&self, key: &CastKey) -> Result<Option<Cast>, Fault> {
        casts::by_key(self, key).await
    }

    async fn cast(&self, id: &CastId) -> Result<Option<Cast>, Fault> {
        casts::by_id(self, id).await
    }

    async fn casts(&self, after: Option<&str>, limit: u32) -> Result<Page<Cast>, Fault> {
        casts::page(self, after, limit).await
    }

    async fn create_cast(&self, cast: &Cast) -> Result<Created, Fault> {
        casts::create(self, cast).await
    }

    async fn replace_cast(&self, before: &Cast, after: &Cast, set_counter: bool) -> Result<Replaced, Fault> {
        casts::replace(self, before, after, set_counter).await
    }

    async fn delete_cast(&self, cast: &Cast) -> Result<Saved, Fault> {
        casts::delete(self, cast).await
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

    async fn live_session_of(&self, user: &UserId, cast: &CastId) -> Result<Option<Session>, Fault> {
        sessions::live_of(self, user, cast).await
    }

    async fn window(&self, key: &str) -> Result<Window, Fault> {
        limits::window(self, key).await
    }

    async fn tally(&self, key: &str) -> Result<u32, Fault> {
        limits::tally(self, key).await
    }

    async fn due_sessions(&self, now: Timestamp, limit: u32) -> Result<Vec<SessionId>, Fault> {
        sessions::due(self, now, limit).await
    }

    async fn sessions(&self, cast: Option<&CastId>, after: Option<&str>, limit: u32) -> Result<Page<Session>, Fault> {
        sessions::page(self, cast, after, limit).await
    }

    async fn add_refusals(&self, refusals: &[RefusalCount]) -> Result<(), Fault> {
        refusals::add(self, refusals).await
    }

    async fn refusals(&self, cast: Option<&CastId>, since_hour: i64) -> Result<Vec<RefusalCount>, Fault> {
        refusals::since(self, cast, since_hour).await
    }

    async fn record<R: Record>(&self, id: &str) -> Result<Option<R>, Fault> {
        catalog::record(self, id).await
    }

    async fn records<R: Record>(&self, after: Option<&str>, limit: u32) -> Result<Page<R>, Fault> {
        catalog::records(self, after, limit).await
    }

    async fn put_record<R: Record>(&self, record: &R, expected_version: Option<u64>) -> Result<Saved, Fault> {
        catalog::put_record(self, record, expected_version).await
    }

    async fn delete_record<R: Record>(&self, record: &R) -> Result<Saved, Fault> {
        catalog::delete_record(self, record).await
    }

    async fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, Fault> {
        catalog::api_key(self, id).await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, Fault> {
        catalog::api_keys(self).await
    }

    async fn put_api_key(&self, key: &ApiKey) -> Result<(), Fault> {
        catalog::put_api_key(self, key).await
    }

    async fn delete_api_key(&self, id: &ApiKeyId) -> Result<(), Fault> {
        catalog::delete_api_key(self, id).await
    }
}
