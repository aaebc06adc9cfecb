//! Owns what stores are filled with where many rows are wanted: records beside claims, and the way
//! by which millions of rows get into an embedded database in minutes.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow, ensure};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use casting_boot::{AwsSettings, clients};
use casting_core::actor::{Actor, ActorKind};
use casting_core::audit::{Action, Audit, RecordKind};
use casting_core::cast::Cast;
use casting_core::delivery::{Delivery, DeliveryState};
use casting_core::hook::{HookEvent, HookId};
use casting_core::ids::{Entropy, InvitationId, UserId, random_bytes};
use casting_core::invitation::{Invitation, InvitationSettings};
use casting_core::ports::{Saved, Store};
use casting_core::profile::Profile;
use casting_core::time::Timestamp;
use casting_dynamo::DynamoStore;
use casting_dynamo::schema::TableNames;
use casting_local::{database, in_process};
use dynoxide::{Database, ImportOptions};
use serde_json::{Value, json};

/// Rows that are written in one transaction of the database.
const AT_A_TIME: usize = 10_000;

/// An API key that acts.
pub fn api_key_actor() -> Actor {
    Actor {
        kind: ActorKind::ApiKey,
        id: "k".into(),
        name: "CI".into(),
        scopes: BTreeSet::new(),
        expires_at: None,
        address: None,
    }
}

/// The entry in the audit log of a cast's creation by an API key.
pub fn creation(cast: &Cast, at: Timestamp, entropy: &dyn Entropy) -> Audit {
    let actor = api_key_actor();
    let (id, name) = (cast.id.as_str(), cast.settings.name.as_str());
    let kind = RecordKind::Cast;
    Audit::plain(&actor, Action::Created, kind, id, name, at, entropy)
}

/// Adds so many users, so many invitations to a link and so many deliveries of its hook.
///
/// # Errors
/// When the store does not take them.
pub async fn add_records(
    store: &dyn Store,
    entropy: &dyn Entropy,
    cast: &Cast,
    now: Timestamp,
    count: usize,
) -> Result<()> {
    for n in 0..count {
        let at = now.minus_seconds(n as u64 * 60);
        let user = Profile {
            id: UserId::from_bytes(random_bytes(entropy)),
            version: 1,
            name: format!("Student {n}"),
            roles: Vec::new(),
            groups: vec!["students".into()],
            created_at: at,
            last_login_at: at,
        };
        let saved = store.put_record(&user, None, None).await?;
        ensure!(saved == Saved::Done, "a user is there already");
        let invitation = Invitation {
            id: InvitationId::from_bytes(random_bytes(entropy)),
            version: 1,
            cast_id: cast.id.clone(),
            settings: InvitationSettings {
                name: format!("Guest {n}"),
                label: format!("{}b", n % 9),
                uses: 1,
                ..InvitationSettings::default()
            },
            created_at: at,
            revoked_at: None,
        };
        let saved = store.put_invitation(&invitation, None, None).await?;
        ensure!(saved == Saved::Done, "an invitation is there already");
        let hook = HookId::Cast(cast.id.clone());
        let data = json!({ "n": n });
        let delivery = Delivery {
            state: DeliveryState::Delivered,
            due_at: None,
            attempts: 1,
            ..Delivery::new(
                hook,
                format!("{}-claimed", user.id),
                HookEvent::Claimed,
                at,
                data,
            )
        };
        let saved = store.add_delivery(&delivery).await?;
        ensure!(saved == Saved::Done, "a delivery is there already");
    }
    Ok(())
}

/// Fills the database in a file: what stores write in batches is put into it many rows at a time,
/// and is there after [`Filler::finish`]; other calls are answered at once.
#[derive(Clone)]
pub struct Filler {
    database: Database,
    waiting: Arc<Mutex<HashMap<String, Vec<dynoxide::Item>>>>,
}

impl std::fmt::Debug for Filler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filler")
    }
}

impl Filler {
    /// Over this file, which may be open elsewhere.
    ///
    /// # Errors
    /// When it is no database.
    pub fn open(file: &Path) -> Result<Self> {
        let path = file.to_str().ok_or_else(|| anyhow!("no plain path"))?;
        let database = Database::new(path).map_err(|error| anyhow!("{error:?}"))?;
        // Nobody misses these rows if the machine fails.
        let bulk = database.enable_bulk_loading();
        bulk.map_err(|error| anyhow!("{error:?}"))?;
        Ok(Self {
            database,
            waiting: Arc::default(),
        })
    }

    /// A store that writes through it.
    pub fn store(&self, tables: TableNames) -> DynamoStore {
        let aws = AwsSettings::local("http://in.process", "http://in.process");
        let http = SharedHttpClient::new(self.clone());
        DynamoStore::new(clients::dynamodb(&aws, &http), tables)
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn finish(&self) -> Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, rows) in waiting.drain() {
            let written = self
                .database
                .import_items(&table, rows, ImportOptions::default());
            written.map_err(|error| anyhow!("{error:?}"))?;
        }
        Ok(())
    }

    /// Keeps the rows of a batch until there are enough of them.
    fn keep(&self, body: &[u8]) -> Result<()> {
        let mut request: Value = serde_json::from_slice(body)?;
        let tables = request["RequestItems"].as_object_mut();
        let tables = tables.ok_or_else(|| anyhow!("no batch"))?;
        let mut is_enough = false;
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            for (table, requests) in tables {
                let rows = waiting.entry(table.clone()).or_default();
                for request in requests.as_array_mut().into_iter().flatten() {
                    let item = request["PutRequest"]["Item"].take();
                    rows.push(serde_json::from_value(item)?);
                }
                is_enough |= rows.len() >= AT_A_TIME;
            }
        }
        if is_enough { self.finish() } else { Ok(()) }
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = request.body().bytes().unwrap_or_default();
        match in_process::operation(request) {
            "BatchWriteItem" => {
                let kept = self.keep(body);
                kept.map_err(|error| ConnectorError::other(error.into(), None))?;
                in_process::response(200, SdkBody::from(r#"{"UnprocessedItems":{}}"#))
            }
            operation => {
                let (status, body) = database::ask(&self.database, operation, body);
                in_process::response(status, SdkBody::from(body))
            }
        }
    }
}

impl HttpClient for Filler {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Filler {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let filler = self.clone();
        HttpConnectorFuture::new(async move { filler.answer(&request) })
    }
}
