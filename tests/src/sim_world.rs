//! Owns the simulated world of the fault suite: three processes of the control plane over one
//! embedded DynamoDB and one simulated ECS, with virtual time, and the invariants of the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use casting_boot::{AwsSettings, clients};
use casting_core::address_rules::AddressRule;
use casting_core::cast::{Cast, Counter, CounterChange, IpLimit};
use casting_core::cast_form;
use casting_core::deployment::{DEPLOYMENT_ID, Deployment};
use casting_core::hook::{Hook, HookEvent, HookId};
use casting_core::ids::{
    CastId, CastKey, Entropy, InvitationId, SessionId, StagingId, random_bytes,
};
use casting_core::invitation::Invitation;
use casting_core::keys::Keyring;
use casting_core::policy::LinkParameters;
use casting_core::ports::{Replaced, Saved};
use casting_core::queries::SessionQuery;
use casting_core::quota::{Quota, QuotaKind};
use casting_core::session::{RESERVED_SECONDS, Session, State};
use casting_core::session_options::Exec;
use casting_core::settings_form;
use casting_core::staging::StagingConfig;
use casting_core::testing::{self, SeededEntropy, TokenVerifier};
use casting_core::time::{Clock, Timestamp};
use casting_core::url_rules::OwnUrls;
use casting_core::{
    ClaimRequest, Claimed, ControlPlane, NextStep, Ports, PublicUrls, Refusal, Visitor,
};
use casting_dynamo::DynamoStore;
use casting_dynamo::schema::{KeySchema, TABLES, TableNames, create_tables};
use casting_ecs::{Capacity, EcsLauncher, EcsSettings};
use casting_local::ecs::{Ecs, EcsOptions, InjectedFault, Runtime};
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::gates::{TestGates, pool_of};
use crate::ledger_model::{self, LedgerModel};
use crate::receivers::TestReceiver;
use crate::row_limits::RowLimits;
use crate::wire::Wire;

/// The clock of the world: tokio's, which a test pauses and advances.
struct VirtualClock(tokio::time::Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(testing::NOON.millis() + self.0.elapsed().as_millis() as i64)
    }
}

/// The database that histories share; it is created once, because creating tables takes longer than
/// a history.
pub struct SharedDb {
    client: aws_sdk_dynamodb::Client,
}

impl SharedDb {
    /// A database with its tables.
    pub async fn new() -> Result<Self> {
        Self::open(None).await
    }

    /// A database with its tables, behind these limits.
    pub async fn bounded(limits: Arc<RowLimits>) -> Result<Self> {
        Self::open(Some(limits)).await
    }

    async fn open(limits: Option<Arc<RowLimits>>) -> Result<Self> {
        let database = Database::memory().map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let client = clients::dynamodb(
            &aws(),
            &SharedHttpClient::new(Wire::Dynamo(database, limits)),
        );
        create_tables(&client, &tables()).await?;
        Ok(Self { client })
    }

    /// Deletes all sessions, links and records, how far the schedule and the lists are, and the queue of starts.
    /// A round of the pools looks at every pool of the database, so those of histories that are over would take its time.
    async fn forget_history(&self) -> Result<()> {
        let names = tables();
        for (schema, table) in TABLES.iter().filter_map(|schema| match schema.name {
            "sessions" => Some((schema, &names.sessions)),
            "catalog" => Some((schema, &names.catalog)),
            "casts" => Some((schema, &names.casts)),
            _ => None,
        }) {
            self.empty(table, &schema.key).await?;
        }
        for id in ["SCHEDULE", "STARTS", "LISTED"] {
            let key = HashMap::from([("id".to_owned(), AttributeValue::S(id.into()))]);
            self.delete(&names.limits, key).await?;
        }
        Ok(())
    }

    /// Deletes every row of a table.
    async fn empty(&self, table: &str, key: &KeySchema) -> Result<()> {
        let mut rows = self
            .client
            .scan()
            .table_name(table)
            .into_paginator()
            .items()
            .send();
        while let Some(mut row) = rows.try_next().await? {
            let key = std::iter::once(key.partition)
                .chain(key.sort)
                .filter_map(|attribute| row.remove_entry(attribute.name))
                .collect();
            self.delete(table, key).await?;
        }
        Ok(())
    }

    async fn delete(&self, table: &str, key: HashMap<String, AttributeValue>) -> Result<()> {
        let delete = self.client.delete_item().table_name(table);
        delete.set_key(Some(key)).send().await?;
        Ok(())
    }

    /// A store on it.
    pub fn store(&self) -> DynamoStore {
        DynamoStore::new(self.client.clone(), tables())
    }
}

/// Clients as the functions have them, over the wire given.
fn aws() -> AwsSettings {
    AwsSettings::local("http://in.process", "http://in.process")
}

/// How live sessions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveCount {
    /// What the count says.
    pub taken: u32,
    /// How many live without being counted.
    pub uncounted: u32,
}

/// One link with its processes, its ECS and its gates.
pub struct SimWorld {
    /// Processes of the control plane; each remembers for itself.
    pub processes: Vec<Arc<ControlPlane>>,
    /// The simulated ECS.
    pub ecs: Ecs,
    /// The gates of its tasks.
    pub gates: Arc<TestGates>,
    /// The pool that keeps sessions of the link ready, if there is one.
    pub pool: Option<StagingConfig>,
    /// The link.
    pub cast: Cast,
    /// The invitation by which visitors come, if they do.
    pub invitation: Option<Invitation>,
    /// How many sessions the counter was last set to.
    pub total: u64,
    /// Whether the number of live sessions is limited only while some live already.
    pub is_limited_late: bool,
    /// Sessions whose gate got a reply that its report was accepted.
    pub served: HashSet<SessionId>,
    /// Sessions whose gate was given its secret.
    pub bootstrapped: HashSet<SessionId>,
    /// Sessions that a visitor was given.
    pub given: HashSet<SessionId>,
    /// Sessions that a process of the previous version has reserved.
    older: HashSet<SessionId>,
    events: UnboundedReceiver<Value>,
    client: aws_sdk_dynamodb::Client,
    factory: ProcessFactory,
}

pub(crate) const FIRST_KEY: [u8; 32] = [7; 32];
const SECOND_KEY: [u8; 32] = [8; 32];

fn tables() -> TableNames {
    TableNames::with_prefix("t-")
}

/// What all processes of a world share, and what a new process is made from.
struct ProcessFactory {
    database: aws_sdk_dynamodb::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ecs: Ecs,
    gates: Arc<TestGates>,
    receiver: Arc<TestReceiver>,
    capacity: Capacity,
}

impl ProcessFactory {
    fn process(&self, keys: Keyring) -> Arc<ControlPlane> {
        let ecs_client = clients::ecs(
            &aws(),
            &SharedHttpClient::new(Wire::Service(self.ecs.router())),
        );
        let mut settings = EcsSettings::local("casting");
        settings.capacity = self.capacity.clone();
        let launcher = Arc::new(EcsLauncher::new(ecs_client, settings));
        let store = Arc::new(DynamoStore::new(self.database.clone(), tables()));
        let urls = PublicUrls {
            public_url: "http://cast.test".into(),
            report_url: "http://cast.test".into(),
            session_url: "http://{session}.cast.test".into(),
        };
        let captcha = Arc::new(TokenVerifier);
        let mut control_plane = ControlPlane::new(
            Ports {
                store,
                launcher,
                captcha,
                clock: self.clock.clone(),
                entropy: self.entropy.clone(),
            },
            keys,
            urls,
        );
        control_plane.gates = Some(self.gates.clone());
        control_plane.webhooks = Some(self.receiver.clone());
        Arc::new(control_plane)
    }
}

/// What a link asks for.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Sessions Remaining.
    pub total: Option<u64>,
    /// Limit Requests Per IP.
    pub ip: Option<IpLimit>,
    /// How many sessions may live at once.
    pub live: Option<u32>,
    /// Visitors must solve a CAPTCHA.
    pub captcha: bool,
    /// Visitors who find every place taken get a queue entry.
    pub room: bool,
    /// How many sessions are kept ready.
    pub ready: Option<u32>,
    /// Users get back into their running session, and may open an address in it.
    pub resume: bool,
    /// The link was stored by the version that counted in the cast's own row.
    pub stored_before: bool,
    /// Sessions are tried on Spot first, and then on demand.
    pub spot_first: bool,
    /// So many addresses are banned.
    pub bans: u8,
    /// Visitors come by one invitation, which is good for so many sessions.
    pub invited: Option<u32>,
    /// The link has a hook that is told everything of its sessions.
    pub hooked: bool,
}

impl SimWorld {
    /// A link with these limits. Links, records and sessions of earlier histories are deleted first, because the
    /// clock starts anew.
    pub async fn new(shared_db: &SharedDb, seed: u64, limits: Limits) -> Result<Self> {
        shared_db.forget_history().await?;
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock(tokio::time::Instant::now()));
        let options = EcsOptions {
            region: "eu-test-1".into(),
            account: "000000000000".into(),
            cluster: "casting".into(),
            journal: None,
            runtime: Runtime::Simulated { run_at_once: true },
            max_tasks: None,
        };
        let (ecs, events) = Ecs::open(options, clock.clone(), entropy.clone())?;
        let gates = Arc::new(TestGates::before(ecs.clone()));
        let factory = ProcessFactory {
            database: shared_db.client.clone(),
            clock,
            entropy: entropy.clone(),
            ecs: ecs.clone(),
            gates: gates.clone(),
            receiver: Arc::default(),
            capacity: if limits.spot_first {
                Capacity::parse("FARGATE_SPOT,FARGATE").context("names of capacity providers")?
            } else {
                Capacity::default()
            },
        };
        let processes: Vec<_> = (0..3)
            .map(|_| factory.process(Keyring::new(&FIRST_KEY)))
            .collect();
        let mut cast = testing::cast(1);
        let mut image = testing::image(1);
        cast.id = CastId::from_bytes(random_bytes(&*entropy));
        cast.settings.key = CastKey::random(&*entropy);
        image.id = casting_core::ids::ImageId::from_bytes(random_bytes(&*entropy));
        cast.settings.image_id = image.id.clone();
        let total = limits.total.unwrap_or(0);
        cast.settings.limit_total_sessions = limits.total.is_some();
        cast.settings.ip_limit = limits.ip;
        cast.settings.max_live_sessions = limits.live;
        cast.settings.waiting_room = limits.room;
        cast.settings.require_captcha = limits.captcha;
        cast.settings.invitation_required = limits.invited.is_some();
        cast.settings.allow_resume = limits.resume;
        cast.settings.banned_addresses = (0..limits.bans)
            .map(|n| AddressRule::parse(&format!("198.51.100.{n} {}", "word ".repeat(11))))
            .collect::<Result<_, _>>()
            .map_err(|words| anyhow::anyhow!("{words:?}"))?;
        if limits.hooked {
            cast.settings.hook = Hook {
                enabled: true,
                url: Some("https://receiver.test/".into()),
                ..Hook::default()
            };
        }
        cast.settings.dynamic_kasm_url = limits.resume;
        if limits.resume {
            image.settings.exec.go = Some(Exec {
                command: vec!["open".into()],
                user: None,
                working_directory: None,
                environment: Default::default(),
            });
        }
        cast.counter = Counter::new(total);
        image.task_definition = processes[0]
            .launcher
            .register(&image)
            .await?
            .map_err(|words| anyhow::anyhow!("the image was refused: {words}"))?;
        processes[0].store.put_record(&image, None, None).await?;
        processes[0].store.create_cast(&cast, None).await?;
        processes[0].count_of_cast(&cast).await?;
        let invitation = limits.invited.map(|uses| {
            let mut invitation = testing::invitation(1);
            invitation.id = InvitationId::from_bytes(random_bytes(&*entropy));
            invitation.cast_id = cast.id.clone();
            invitation.settings.uses = uses;
            invitation
        });
        if let Some(invitation) = &invitation {
            let store = &processes[0].store;
            store.put_invitation(invitation, None, None).await?;
        }
        let pool = limits.ready.map(|ready| {
            pool_of(
                &image,
                StagingId::from_bytes(random_bytes(&*entropy)),
                ready,
            )
        });
        if let Some(pool) = &pool {
            processes[0].store.put_record(pool, None, None).await?;
        }
        if limits.stored_before {
            store_as_before(&shared_db.client, &cast).await?;
        }
        Ok(Self {
            processes,
            ecs,
            gates,
            pool,
            cast,
            invitation,
            total,
            is_limited_late: false,
            served: HashSet::new(),
            bootstrapped: HashSet::new(),
            given: HashSet::new(),
            older: HashSet::new(),
            events,
            client: shared_db.client.clone(),
            factory,
        })
    }

    /// All processes are started anew with another key; with the first one beside it or without.
    pub fn change_keys(&mut self, keep_first: bool) {
        let keys = Keyring::changing(&SECOND_KEY, keep_first.then_some(&FIRST_KEY));
        self.processes = (0..3).map(|_| self.factory.process(keys.clone())).collect();
    }

    /// A process that remembers nothing of the ones before.
    pub fn new_process(&self) -> Arc<ControlPlane> {
        self.factory.process(Keyring::new(&FIRST_KEY))
    }

    /// The secret of this session's gate was issued.
    ///
    /// # Errors
    /// When it had been issued before.
    pub fn give_secret(&mut self, session: &SessionId) -> Result<()> {
        ensure!(
            self.bootstrapped.insert(session.clone()),
            "the secret of session {session} was given twice"
        );
        Ok(())
    }

    /// A process for calls outside an actor, which meet no faults.
    pub fn stable_process(&self) -> &ControlPlane {
        &self.processes[0]
    }

    /// Events from ECS since the last call, as EventBridge would carry it.
    pub fn events(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Every session of the link.
    pub async fn sessions(&self) -> Result<Vec<Session>> {
        self.sessions_of(&self.cast.id).await
    }

    /// Every staged session that is not assigned to a visitor.
    pub async fn unassigned_sessions(&self) -> Result<Vec<Session>> {
        match &self.pool {
            Some(pool) => self.sessions_of(&CastId::of_pool(&pool.id)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn sessions_of(&self, cast: &CastId) -> Result<Vec<Session>> {
        let (mut all, mut start) = (Vec::new(), None);
        loop {
            let found = self
                .client
                .scan()
                .table_name(tables().sessions)
                .filter_expression("cast_id = :cast")
                .expression_attribute_values(":cast", AttributeValue::S(cast.to_string()))
                .set_exclusive_start_key(start)
                .send()
                .await?;
            for row in found.items.unwrap_or_default() {
                let id = row
                    .get("id")
                    .and_then(|id| SessionId::parse(id.as_s().ok()?));
                let id = id.ok_or_else(|| anyhow::anyhow!("a row without an id"))?;
                all.extend(self.stable_process().store.session(&id).await?);
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                all.sort_by_key(|session| std::cmp::Reverse(session.created_at));
                return Ok(all);
            }
        }
    }

    /// The sessions of the link as its list has them.
    pub async fn listed(&self) -> Result<Vec<SessionId>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .stable_process()
                .store
                .sessions(&SessionQuery::cast(&self.cast.id), after.as_deref(), 7)
                .await?;
            all.extend(page.items.into_iter().map(|session| session.id));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// The link as it is.
    pub async fn cast_now(&self) -> Result<Cast> {
        self.stable_process()
            .store
            .cast(&self.cast.id)
            .await?
            .ok_or_else(|| anyhow::anyhow!("the cast is gone"))
    }

    /// An administrator sets Sessions Remaining.
    pub async fn set_counter(&mut self, remaining: u64) -> Result<()> {
        let before = self.cast_now().await?;
        let mut after = before.clone();
        after.version += 1;
        let set = CounterChange::Set(remaining);
        after.counter = before.counter.changed(set);
        let replaced = self
            .stable_process()
            .store
            .replace_cast(&before, &after, set, None)
            .await?;
        ensure!(replaced == Replaced::Done, "the counter was not set");
        self.total = remaining;
        Ok(())
    }

    /// A process of the version that counted in the cast's own row reserves a session and dies.
    /// Whether it found a place.
    pub async fn claim_as_before(&mut self, seed: u64) -> Result<bool> {
        let cast = self.cast_now().await?;
        let taken = self
            .client
            .update_item()
            .table_name(tables().casts)
            .key("id", AttributeValue::S(cast.id.to_string()))
            .update_expression("SET remaining = remaining - :one")
            .condition_expression(
                "version = :version AND counter_epoch = :epoch AND remaining > :zero",
            )
            .expression_attribute_values(":version", number(cast.version))
            .expression_attribute_values(":epoch", number(cast.counter.epoch))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .send()
            .await;
        if taken.is_err() {
            return Ok(false);
        }
        let mut session = testing::session(&cast, 1);
        session.id = SessionId::from_bytes(random_bytes(&SeededEntropy::new(seed)));
        self.older.insert(session.id.clone());
        session.created_at = self.factory.clock.now();
        session.ready_by = session.created_at.plus_seconds(180);
        session.due_at = Some(session.created_at.plus_seconds(RESERVED_SECONDS));
        session.charge.count = Some(cast.counter.epoch);
        let store = DynamoStore::new(self.client.clone(), tables());
        store.import_sessions(&[session]).await?;
        Ok(true)
    }

    /// Without faults, and after all news has arrived: the clock runs and sweeps follow each other
    /// until every session is ready or has ended.
    pub async fn settle(&mut self) -> Result<()> {
        for _ in 0..12 {
            let stable_process = self.processes[0].clone();
            for event in self.events() {
                casting_fn_lifecycle::handle(&stable_process, event)
                    .await
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            stable_process.sweep().await?;
            let unsettled = self
                .sessions()
                .await?
                .iter()
                .any(|row| !matches!(row.state, State::Ready { .. } | State::Ended { .. }));
            if !unsettled {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(61)).await;
        }
        bail!(
            "sessions are still unsettled: {:#?}",
            self.sessions().await?
        )
    }

    /// All of ECS's events are delivered.
    pub async fn settle_starting(&mut self) -> Result<()> {
        for event in self.events() {
            casting_fn_lifecycle::handle(&self.processes[0], event)
                .await
                .map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        Ok(())
    }

    /// Whether the link's counter was ever split into shards.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn was_split(&self) -> Result<bool> {
        let counter = AttributeValue::S(format!("COUNTER#{}", self.cast.id));
        let get = self.client.get_item().table_name(tables().casts);
        let row = get.key("id", counter).send().await?.item;
        let parted = row.as_ref().and_then(|row| row.get("parted"));
        let parted = parted.and_then(|number| number.as_n().ok()?.parse::<u64>().ok());
        Ok(parted.unwrap_or(0) > 0)
    }

    /// The model learns what there is before a step.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_step(&self, model: &mut LedgerModel) -> Result<()> {
        let (cast, rows) = (self.cast_now().await?, self.sessions().await?);
        model.begin_step(self.factory.clock.now(), &cast, self.total, &rows);
        Ok(())
    }

    /// What must hold at every moment, whatever is under way.
    ///
    /// # Errors
    /// Says which of the ledger's promises is broken.
    pub async fn check_ledger(&self) -> Result<()> {
        let (cast, rows) = (self.cast_now().await?, self.sessions().await?);
        if cast.settings.limit_total_sessions {
            let charged = ledger_model::charged(&rows, cast.counter.epoch);
            let remaining = cast.counter.remaining;
            ensure!(
                remaining + charged == self.total,
                "{remaining} remaining + {charged} live or served is not {}",
                self.total
            );
        }
        self.check_invitation(&rows).await?;
        self.check_events(&rows).await?;
        let counts = self.live_counts().await?;
        if let (Some(most), false) = (cast.settings.max_live_sessions, self.is_limited_late) {
            let LiveCount { taken, uncounted } = counts[0];
            ensure!(
                uncounted == 0 && taken <= most,
                "{taken} of {most} are taken, and {uncounted} sessions are not counted"
            );
        }
        if let Some(limit) = &cast.settings.ip_limit {
            check_windows(&rows, limit)?;
        }
        for row in &rows {
            if row.is_refunded() {
                ensure!(
                    !self.served.contains(&row.id),
                    "session {} was served and refunded",
                    row.id
                );
            }
        }
        for id in &self.given {
            ensure!(
                rows.iter().any(|row| row.id == *id),
                "session {id} was given to a visitor and is not in the ledger"
            );
        }
        Ok(())
    }

    /// The ids of the events that the hook's receiver was sent, and how often.
    pub fn taken(&self) -> BTreeMap<String, u32> {
        self.factory.receiver.taken()
    }

    /// The events of the link's hook are exactly what the rows of its sessions say, and nothing else
    /// was sent.
    async fn check_events(&self, rows: &[Session]) -> Result<()> {
        let hook = HookId::Cast(self.cast.id.clone());
        let store = &self.stable_process().store;
        let (mut all, mut written, mut after) = (BTreeSet::new(), BTreeSet::new(), None);
        loop {
            let page = store.deliveries(&hook, after.as_deref(), 100).await?;
            let of_sessions = page
                .items
                .iter()
                .filter(|row| row.kind != HookEvent::Refused);
            written.extend(of_sessions.map(|row| row.event.clone()));
            all.extend(page.items.into_iter().map(|row| row.event));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut happened = BTreeSet::new();
        // The previous version knew no hooks.
        let tells =
            |row: &&Session| self.cast.settings.hook.enabled && !self.older.contains(&row.id);
        for row in rows.iter().filter(tells) {
            let events = [
                ("claimed", true),
                ("ready", row.ready_at.is_some()),
                ("entered", row.entered_at.is_some()),
                ("ended", !row.is_live()),
            ];
            let events = events.into_iter().filter(|(_, has)| *has);
            happened.extend(events.map(|(name, _)| format!("{}-{name}", row.claim_id())));
        }
        ensure!(
            written == happened,
            "the events {written:?} are written, and {happened:?} have happened"
        );
        let taken = self.taken();
        ensure!(
            taken.keys().all(|event| all.contains(event)),
            "an event was sent that did not happen: {taken:?}"
        );
        Ok(())
    }

    /// Everything that has happened was sent, once the faults are over.
    async fn check_sent(&self) -> Result<()> {
        if !self.cast.settings.hook.enabled {
            return Ok(());
        }
        // Longer than the first wait after a failure, and than the lease of a sender that has died.
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(400)).await;
            self.stable_process().deliver().await?;
        }
        let hook = HookId::Cast(self.cast.id.clone());
        let store = &self.stable_process().store;
        let rows = store.deliveries(&hook, None, 100).await?.items;
        let taken = self.taken();
        let unsent: Vec<_> = rows
            .iter()
            .filter(|row| !taken.contains_key(&row.event) || row.due_at.is_some())
            .collect();
        ensure!(unsent.is_empty(), "events were not sent: {unsent:?}");
        Ok(())
    }

    /// The uses of the invitation are those of sessions that live or were served, no more than it is
    /// good for, and every session says whose it is.
    async fn check_invitation(&self, rows: &[Session]) -> Result<()> {
        let Some(invitation) = &self.invitation else {
            return Ok(());
        };
        let held = invitation.quota().held();
        let using = rows.iter().filter(|row| row.charge.held.contains(&held));
        let used = using.filter(|row| !row.is_refunded()).count() as u64;
        let taken = self.stable_process().store.quota(&held.key).await?;
        let most = u64::from(invitation.settings.uses);
        ensure!(
            taken == used && taken <= most,
            "{taken} uses of {most} are taken, and {used} sessions live or were served"
        );
        let invited = |row: &&Session| row.invitation == Some(invitation.invited());
        ensure!(
            rows.iter().filter(invited).count() == rows.len(),
            "a session came without the invitation that the link requires"
        );
        Ok(())
    }

    /// An administrator revokes the invitation: from now on it gives no session.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revoke_invitation(&mut self) -> Result<()> {
        let Some(before) = self.invitation.clone() else {
            return Ok(());
        };
        let after = Invitation {
            version: before.version + 1,
            revoked_at: Some(self.factory.clock.now()),
            ..before.clone()
        };
        let store = &self.stable_process().store;
        let saved = store.put_invitation(&after, Some(before.version), None);
        ensure!(saved.await? == Saved::Done, "it was revoked meanwhile");
        store.close_tally(&before.quota().key).await?;
        self.invitation = Some(after);
        Ok(())
    }

    /// What stands in the address by which visitors come.
    pub fn parameters(&self) -> LinkParameters {
        let named = self.invitation.as_ref();
        LinkParameters {
            invitation: named.map(|invitation| invitation.id.to_string()),
            ..LinkParameters::default()
        }
    }

    /// How the live sessions of the link are counted, for the link and for the deployment.
    ///
    /// # Errors
    /// When a count is not the number of live sessions that hold one of it.
    pub async fn live_counts(&self) -> Result<[LiveCount; 2]> {
        let rows = self.sessions().await?;
        let of_kind = async |quota: Quota| {
            let taken = self.stable_process().store.quota(&quota.key).await?;
            let live = rows.iter().filter(|row| row.is_live());
            let (holding, others): (Vec<_>, Vec<_>) =
                live.partition(|row| row.charge.held.contains(&quota.held()));
            ensure!(
                taken as usize == holding.len(),
                "{taken} are taken of {}, and {} live sessions hold one",
                quota.key,
                holding.len()
            );
            let uncounted = others.len() as u32;
            Ok(LiveCount {
                taken: u32::try_from(taken)?,
                uncounted,
            })
        };
        Ok([
            of_kind(Quota::unlimited(QuotaKind::Cast, self.cast.id.as_str())).await?,
            of_kind(Quota::unlimited(QuotaKind::Deployment, "all")).await?,
        ])
    }

    /// What must hold once everything has settled.
    ///
    /// # Errors
    /// Says which of the ledger's promises is broken.
    pub async fn check_tasks(&self) -> Result<()> {
        let all = self
            .sessions()
            .await?
            .into_iter()
            .chain(self.unassigned_sessions().await?);
        let rows: HashMap<SessionId, Session> = all.map(|row| (row.id.clone(), row)).collect();
        let mut running = HashMap::new();
        for task in self
            .ecs
            .tasks()
            .iter()
            .filter(|task| task["lastStatus"] != "STOPPED")
        {
            let id = task["startedBy"]
                .as_str()
                .and_then(SessionId::parse)
                .ok_or_else(|| anyhow::anyhow!("a task of nobody runs: {task}"))?;
            let row = rows
                .get(&id)
                .ok_or_else(|| anyhow::anyhow!("a task runs for {id}, which is no session"))?;
            ensure!(
                row.is_live(),
                "a task runs for session {id}, which has ended: {task} {row:#?}"
            );
            ensure!(
                running.insert(id.clone(), ()).is_none(),
                "two tasks run for session {id}"
            );
        }
        for row in rows.values().filter(|row| row.is_live()) {
            ensure!(
                running.contains_key(&row.id),
                "session {} is {} without a task",
                row.id,
                row.state.as_str()
            );
        }
        Ok(())
    }

    /// Whether a task runs for this session.
    pub fn runs(&self, session: &SessionId) -> bool {
        self.ecs
            .tasks()
            .iter()
            .any(|task| task["startedBy"] == session.as_str() && task["lastStatus"] == "RUNNING")
    }

    /// The ARN of the task that was started for this session first, whether its row knows it or
    /// not.
    pub fn task_of(&self, session: &SessionId) -> Option<String> {
        let tasks = self.ecs.tasks();
        let task = tasks
            .iter()
            .find(|task| task["startedBy"] == session.as_str())?;
        Some(task["taskArn"].as_str()?.to_owned())
    }

    /// The next `count` RunTask calls find no room.
    pub fn refuse_starts(&self, count: usize) {
        self.ecs
            .inject_faults(std::iter::repeat_n(InjectedFault::NoCapacity, count));
    }

    /// The next `count` RunTask calls are throttled.
    pub fn throttle_starts(&self, count: usize) {
        self.ecs
            .inject_faults(std::iter::repeat_n(InjectedFault::Throttled, count));
    }

    /// The tasks of the next `count` RunTask calls get no network interface.
    pub fn fail_starts(&self, count: usize) {
        self.ecs.inject_faults(std::iter::repeat_n(
            InjectedFault::NoNetworkInterface,
            count,
        ));
    }

    /// Ends what is left, so that the next history's sweeps see none of this one.
    pub async fn clear(&mut self) -> Result<()> {
        for row in self.sessions().await? {
            if row.is_live() {
                self.stable_process()
                    .end_as_administrator(&row.id, None)
                    .await
                    .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            }
        }
        self.settle().await
    }

    /// The end of a history: everything settles, is checked, is ended, and is checked again.
    pub async fn finish(&mut self) -> Result<()> {
        self.settle().await?;
        self.check_ledger().await.context("after settling")?;
        self.check_tasks().await?;
        self.clear().await?;
        self.check_ledger().await.context("at the end")?;
        self.check_sent().await?;
        self.check_tasks().await
    }

    /// Every row of every table, to see that nothing was written.
    pub async fn snapshot(&self) -> Result<Vec<HashMap<String, AttributeValue>>> {
        let mut all = Vec::new();
        for (name, _) in tables().schemas() {
            all.extend(
                self.client
                    .scan()
                    .table_name(name)
                    .send()
                    .await?
                    .items
                    .unwrap_or_default(),
            );
        }
        Ok(all)
    }
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Rewrites a cast as the version stored it that counted in the cast's own row.
async fn store_as_before(client: &aws_sdk_dynamodb::Client, cast: &Cast) -> Result<()> {
    let counter = AttributeValue::S(format!("COUNTER#{}", cast.id));
    let gone = client.delete_item().table_name(tables().casts);
    gone.key("id", counter).send().await?;
    client
        .update_item()
        .table_name(tables().casts)
        .key("id", AttributeValue::S(cast.id.to_string()))
        .update_expression("SET remaining = :remaining")
        .expression_attribute_values(":remaining", number(cast.counter.remaining))
        .send()
        .await?;
    Ok(())
}

/// An administrator sets how many sessions of a link may live at once, as the console does.
///
/// # Errors
/// When the store does not answer, or the change is refused.
pub async fn limit_link(process: &ControlPlane, cast: &CastId, most: Option<u32>) -> Result<()> {
    for _ in 0..10 {
        let before = process
            .store
            .cast(cast)
            .await?
            .context("the cast is gone")?;
        let change = json!({ "max_live_sessions": most });
        let draft = cast_form::patch(&before, &change, &OwnUrls::of("http://cast.test"), None)?;
        let after = Cast {
            version: before.version + 1,
            settings: draft.settings,
            updated_at: process.clock.now(),
            ..before.clone()
        };
        let replaced = process
            .store
            .replace_cast(&before, &after, CounterChange::Keep, None)
            .await?;
        if replaced == Replaced::Done {
            process.forget();
            return Ok(process.count_of_cast(&after).await?);
        }
    }
    bail!("the cast changes all the time")
}

/// An administrator sets how many sessions of the deployment may live at once, as the console does.
///
/// # Errors
/// When the store does not answer, or the change is refused.
pub async fn limit_deployment(process: &ControlPlane, most: Option<u32>) -> Result<()> {
    for _ in 0..10 {
        let stored = process.store.record::<Deployment>(DEPLOYMENT_ID).await?;
        let expected = stored.as_ref().map(|system| system.version);
        let before = stored.unwrap_or_default();
        let settings = settings_form::patch(&before, &json!({ "max_sessions": most }))?;
        let after = Deployment::new(before.version + 1, settings, process.clock.now());
        let saved = process.store.put_record(&after, expected, None).await?;
        if saved == Saved::Done {
            process.forget();
            return Ok(process.count_of_deployment(&after).await?);
        }
    }
    bail!("the settings change all the time")
}

/// Opens the link and prepares its claim.
pub async fn open(
    process: &ControlPlane,
    key: &str,
    visitor: &Visitor,
) -> Result<ClaimRequest, Refusal> {
    open_with(process, key, &LinkParameters::default(), visitor).await
}

/// The same with these parameters in its address.
///
/// # Errors
/// The refusal.
pub async fn open_with(
    process: &ControlPlane,
    key: &str,
    parameters: &LinkParameters,
    visitor: &Visitor,
) -> Result<ClaimRequest, Refusal> {
    match process.open(key, visitor, parameters, None).await?.next {
        NextStep::Claim(claim) => Ok(ClaimRequest {
            ticket: claim.ticket,
            ..ClaimRequest::default()
        }),
        NextStep::LogIn { .. } => Ok(ClaimRequest::default()),
    }
}

/// Claims a session of a link without a queue.
///
/// # Errors
/// The refusal.
#[expect(clippy::expect_used, reason = "equipment of tests fails by panicking")]
pub async fn claim(
    process: &ControlPlane,
    key: &str,
    request: &ClaimRequest,
    visitor: &Visitor,
) -> Result<Claimed, Refusal> {
    Ok(process
        .claim(key, request, visitor)
        .await?
        .session()
        .expect("the link has no waiting room"))
}

/// A visitor from the `n`th address.
pub fn visitor(n: u8) -> Visitor {
    Visitor::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)))
}

fn check_windows(rows: &[Session], limit: &IpLimit) -> Result<()> {
    let mut by_address: HashMap<&str, Vec<i64>> = HashMap::new();
    for row in rows
        .iter()
        .filter(|row| row.charge.window.is_some() && !row.is_refunded())
    {
        by_address
            .entry(&row.origin.address)
            .or_default()
            .push(row.created_at.millis());
    }
    let allowed = limit.sessions as usize;
    for times in by_address.values_mut() {
        times.sort_unstable();
        for span in times.windows(allowed + 1) {
            let took = span[allowed] - span[0];
            let width = i64::from(limit.within_seconds) * 1000;
            ensure!(
                took >= width,
                "{} sessions from one address within {took} ms",
                allowed + 1
            );
        }
    }
    Ok(())
}
