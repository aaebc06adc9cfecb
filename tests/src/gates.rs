//! Owns the gates of the fault suite's world: they are reached while their task runs, unless a
//! fault or the test itself is in the way, and remember the users that they were notified of.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use casting_core::ids::{SessionId, StagingId};
use casting_core::image::Image;
use casting_core::keys::Keyring;
use casting_core::ports::Gates;
use casting_core::staging::{StagingConfig, StagingSettings};
use casting_core::testing::NOON;
use casting_core::ticket::AssignTicket;
use casting_local::ecs::Ecs;

use crate::faults::{CallFault, fault_of_next_call, signal_crash};

/// The gates of all tasks.
pub struct TestGates {
    ecs: Ecs,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    deaf: HashSet<SessionId>,
    told: HashMap<SessionId, HashSet<String>>,
}

impl TestGates {
    /// Gates of the tasks of this ECS, by whose keys orders are read.
    pub fn before(ecs: Ecs) -> Self {
        Self {
            ecs,
            inside: Mutex::default(),
        }
    }

    /// This gate hears nothing any more, although its task runs.
    pub fn deafen(&self, session: &SessionId) {
        self.lock().deaf.insert(session.clone());
    }

    /// Whether this gate can be reached.
    pub fn hears(&self, session: &SessionId) -> bool {
        let runs = |task: &serde_json::Value| {
            task["startedBy"] == session.as_str() && task["lastStatus"] == "RUNNING"
        };
        !self.lock().deaf.contains(session) && self.ecs.tasks().iter().any(runs)
    }

    /// The users that each gate was notified of.
    pub fn told(&self) -> HashMap<SessionId, HashSet<String>> {
        self.lock().told.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, session: &SessionId, order: &str) -> Result<(), String> {
        if !self.hears(session) {
            return Err("nobody is there".into());
        }
        let keys = Keyring::new(&crate::sim_world::FIRST_KEY);
        let order = AssignTicket::open(order, session, &keys.sessions().secret(session), NOON)
            .map_err(|error| error.to_string())?;
        let assigned = order.directives.assignment.ok_or("an order for nobody")?;
        let user = assigned
            .environment
            .get("CAST_USER")
            .cloned()
            .unwrap_or_default();
        self.lock()
            .told
            .entry(session.clone())
            .or_default()
            .insert(user);
        Ok(())
    }
}

#[async_trait]
impl Gates for TestGates {
    async fn assign(&self, session: &SessionId, _enter: &str, order: &str) -> Result<(), String> {
        by_fate("Assign", || self.take(session, order)).await
    }

    async fn refresh(&self, session: &SessionId, _enter: &str) -> Result<(), String> {
        by_fate("Refresh", || {
            self.hears(session)
                .then_some(())
                .ok_or_else(|| "nobody is there".to_owned())
        })
        .await
    }

    async fn watchers(&self, _session: &SessionId, _enter: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

/// A call to a gate, with what the test has in store for it.
async fn by_fate(name: &str, take: impl Fn() -> Result<(), String>) -> Result<(), String> {
    match fault_of_next_call(name).await {
        CallFault::Pass => take(),
        CallFault::Refused(_) | CallFault::LostBefore => Err("it was lost".into()),
        CallFault::LostAfter => take().and(Err("the answer was lost".into())),
        CallFault::CrashBefore => {
            signal_crash();
            std::future::pending().await
        }
        CallFault::CrashAfter => {
            let _ = take();
            signal_crash();
            std::future::pending().await
        }
    }
}

/// A pool that keeps so many sessions of this image ready.
pub fn pool_of(image: &Image, id: StagingId, desired_sessions: u32) -> StagingConfig {
    let settings = StagingSettings {
        name: "Ready".into(),
        description: String::new(),
        enabled: true,
        image_id: image.id.clone(),
        network: None,
        group_id: None,
        desired_sessions,
        expiration_hours: 1,
        schedule: None,
        daily_budget_cents: None,
    };
    StagingConfig {
        id,
        version: 1,
        settings,
        created_at: NOON,
        updated_at: NOON,
    }
}
