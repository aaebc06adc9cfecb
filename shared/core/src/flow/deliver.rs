//! Owns how events are sent to hooks: what is due is taken by one sender at a time, signed (for a
//! server), sent and written down. A try that was begun and not written down is made again: at least once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::{ControlPlane, TRIES};
use crate::actor::{Actor, ActorKind};
use crate::audit::{Action, Audit, FieldChange, RecordKind};
use crate::delivery::{ANSWER_BYTES, Attempt, Delivery, kept_answer};
use crate::deployment::{DEPLOYMENT_ID, Deployment};
use crate::event_bus::{self, BusEvent};
use crate::hook::{Hook, HookId, HookState, Pause};
use crate::ports::{Fault, FaultKind, Saved};
use crate::webhook::{HookSecret, WebhookAnswer, WebhookRequest};

/// Deliveries that are read at once.
const PAGE: u32 = 100;
/// Tries that are made at once.
const ABREAST: usize = 8;
/// For how long a run begins tries, in seconds.
const RUN_SECONDS: u64 = 30;
/// After so many failures a run leaves the rest of a hook to the next one: a receiver that does not
/// answer must not keep the others waiting.
const MOST_FAILURES: u32 = 3;
/// How long a receiver may take, in milliseconds.
const TRY_MILLIS: u64 = 10_000;

const NOTHING_SENT: &str = "nothing is sent from here";

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Deliveries that their receivers have taken.
    pub delivered: u32,
    /// Tries that failed.
    pub failed: u32,
}

/// A hook as a run finds it.
struct Receiver {
    hook: Hook,
    state: HookState,
    /// Tries of this run that have failed.
    failures: AtomicU32,
}

impl ControlPlane {
    /// Makes the tries that are due. Runs may be concurrent: each try is one sender's own.
    ///
    /// # Errors
    /// When the deliveries that are due cannot be listed. What fails with one of them is logged, and
    /// it stays due.
    pub async fn deliver(&self) -> Result<Sent, Fault> {
        let mut sent = Sent::default();
        if self.webhooks.is_none() {
            return Ok(sent);
        }
        let began = self.clock.now();
        let mut receivers: HashMap<HookId, Option<Receiver>> = HashMap::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .due_deliveries(began, after.as_deref(), PAGE)
                .await?;
            for row in &page.items {
                if !receivers.contains_key(&row.hook) {
                    let found = self.receiver(&row.hook).await?;
                    receivers.insert(row.hook.clone(), found);
                }
            }
            let next = page.next;
            let tries: Vec<BoxFuture<'_, _>> = page
                .items
                .into_iter()
                .map(|row| {
                    let receiver = receivers.get(&row.hook).and_then(Option::as_ref);
                    self.try_one(row, receiver).boxed()
                })
                .collect();
            let mut tries = stream::iter(tries).buffer_unordered(ABREAST);
            while let Some(tried) = tries.next().await {
                match tried {
                    Ok(Some(true)) => sent.delivered += 1,
                    Ok(Some(false)) => sent.failed += 1,
                    Ok(None) => {}
                    Err(fault) => {
                        tracing::error!(%fault, "Could not deliver an event; the next run tries again");
                    }
                }
            }
            drop(tries);
            after = next;
            if after.is_none() || began.seconds_until(self.clock.now()) >= RUN_SECONDS {
                return Ok(sent);
            }
        }
    }

    /// The hook's settings and state; `None` when nothing is to be sent there.
    async fn receiver(&self, id: &HookId) -> Result<Option<Receiver>, Fault> {
        let hook = self.hook_settings(id).await?;
        let Some(hook) = hook.filter(|hook| hook.receiver().is_some()) else {
            return Ok(None);
        };
        let state = self.hook_state(id).await?;
        let receiver = Receiver {
            hook,
            state,
            failures: AtomicU32::new(0),
        };
        Ok(Some(receiver).filter(|receiver| receiver.state.paused.is_none()))
    }

    /// The settings of a hook as they are now; `None` when its link is gone.
    pub(crate) async fn hook_settings(&self, id: &HookId) -> Result<Option<Hook>, Fault> {
        Ok(match id {
            HookId::Deployment => {
                let read = self.store.record::<Deployment>(DEPLOYMENT_ID).await?;
                Some(read.unwrap_or_default().settings.hook)
            }
            HookId::Cast(cast) => {
                let read = self.store.cast_in_force(cast).await?;
                read.map(|cast| cast.settings.hook)
            }
        })
    }

    /// The state of a hook, which is made with its secret if there is none yet.
    pub(crate) async fn hook_state(&self, id: &HookId) -> Result<HookState, Fault> {
        for _ in 0..TRIES {
            if let Some(known) = self.store.record::<HookState>(id.as_str()).await? {
                return Ok(known);
            }
            let secret = HookSecret::random(&*self.entropy);
            let new = HookState::new(id.clone(), secret, self.clock.now());
            if self.store.put_record(&new, None, None).await? == Saved::Done {
                return Ok(new);
            }
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "make a secret",
            detail: id.to_string(),
        })
    }

    /// Makes one attempt, if it is due and no other sender holds its lease. Returns whether it has
    /// succeeded; `None` when it was not made.
    async fn try_one(
        &self,
        row: Delivery,
        receiver: Option<&Receiver>,
    ) -> Result<Option<bool>, Fault> {
        let store = &self.store;
        let Some(receiver) = receiver else {
            store.save_delivery(&row, &row.stopped()).await?;
            return Ok(None);
        };
        if receiver.failures.load(Ordering::Relaxed) >= MOST_FAILURES {
            return Ok(None);
        }
        let Some(mut begun) = row.begun(self.clock.now()) else {
            return Ok(None);
        };
        if begun.data.is_null() {
            begun.data = self.sum_up(&row).await?;
        }
        if store.save_delivery(&row, &begun).await? == Saved::Stale {
            return Ok(None);
        }
        let attempt = self.post(&begun, receiver).await;
        let (now, succeeded) = (self.clock.now(), attempt.is_success());
        if !succeeded {
            receiver.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                delivery = %begun.id, attempt = begun.attempts, status = attempt.status,
                "An event was not delivered"
            );
        }
        let status = attempt.status;
        let mut jitter = [0];
        self.entropy.fill(&mut jitter);
        store
            .save_delivery(&begun, &begun.tried(attempt, now, jitter[0]))
            .await?;
        self.note_health(&begun.hook, &receiver.state, succeeded, status)
            .await?;
        Ok(Some(succeeded))
    }

    async fn post(&self, row: &Delivery, receiver: &Receiver) -> Attempt {
        let at = self.clock.now();
        let url = receiver.hook.receiver().unwrap_or_default();
        let answer = if event_bus::is_bus(url) {
            self.put(row, url).await
        } else {
            let secrets = receiver.state.secrets(at);
            let request = WebhookRequest::signed(url, &row.event, at, &secrets, row.body());
            match &self.webhooks {
                Some(sender) => sender.post(&request, TRY_MILLIS, ANSWER_BYTES).await,
                None => WebhookAnswer::Failed(NOTHING_SENT.to_owned()),
            }
        };
        let millis = u64::try_from(self.clock.now().millis() - at.millis()).unwrap_or(0);
        let (status, answer) = match answer {
            WebhookAnswer::Answered { status, body, .. } => (Some(status), kept_answer(&body)),
            WebhookAnswer::Failed(why) => (None, why),
        };
        Attempt {
            at,
            millis,
            status,
            answer,
        }
    }

    /// Puts the event on the deployment's bus: another may be named by a hook that was set before.
    async fn put(&self, row: &Delivery, bus: &str) -> WebhookAnswer {
        match (
            event_bus::check(bus, self.event_bus_arn.as_ref()),
            &self.event_bus,
        ) {
            (Err(why), _) => WebhookAnswer::Failed(format!("The receiver {why}")),
            (Ok(()), Some(sender)) => sender.put(&BusEvent::of(row), TRY_MILLIS).await,
            (Ok(()), None) => WebhookAnswer::Failed(NOTHING_SENT.to_owned()),
        }
    }

    /// Writes down how the receiver does, where that has changed: a state that was read at the begin
    /// of the run says whether it may have.
    async fn note_health(
        &self,
        id: &HookId,
        known: &HookState,
        succeeded: bool,
        status: Option<u16>,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        if known.after_attempt(succeeded, status, now).is_none() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let before = self.hook_state(id).await?;
            let Some(after) = before.after_attempt(succeeded, status, now) else {
                return Ok(());
            };
            let paused = after.paused.as_ref().filter(|_| before.paused.is_none());
            let audit = paused.map(|pause| self.audit_of_pause(id, pause));
            let saved = self
                .store
                .put_record(&after, Some(before.version), audit.as_ref())
                .await?;
            if saved == Saved::Done {
                if paused.is_some() {
                    tracing::error!(hook = %id, "A hook is paused: its receiver takes nothing");
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// The audit entry that says that the deployment has paused a hook by itself.
    fn audit_of_pause(&self, id: &HookId, pause: &Pause) -> Audit {
        let actor = Actor {
            kind: ActorKind::Deployment,
            id: "hooks".to_owned(),
            name: "The deployment itself".to_owned(),
            scopes: Default::default(),
            expires_at: None,
            address: None,
        };
        let (noun, target, name) = match id {
            HookId::Deployment => (RecordKind::Settings, DEPLOYMENT_ID, "Settings"),
            HookId::Cast(cast) => (RecordKind::Cast, cast.as_str(), "Hook"),
        };
        let change = FieldChange {
            field: "hook_paused".to_owned(),
            before: Value::Null,
            after: json!(pause.reason.as_str()),
        };
        let entropy = &*self.entropy;
        Audit {
            changes: vec![change],
            ..Audit::plain(
                &actor,
                Action::Changed,
                noun,
                target,
                name,
                pause.at,
                entropy,
            )
        }
    }
}
