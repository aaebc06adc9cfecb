//! Owns the events of hooks that no session tells: that visitors of a link were refused, which is
//! summed up, and that a budget was reached.
//!
//! A refusal of a link with such a hook writes one row for some minutes in each process, and none
//! for a link without: what is sent is read from the counts of refusals when it is sent.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::ControlPlane;
use crate::cast::Cast;
use crate::delivery::{Delivery, DeliveryId};
use crate::denial::{Denial, DenialCode};
use crate::deployment::Deployment;
use crate::hook::{HookEvent, HookId};
use crate::hourly_stats::{HOUR_SECONDS, hour_of};
use crate::ids::CastId;
use crate::policy::budget;
use crate::ports::Fault;
use crate::time::Timestamp;

/// Refusals of so many seconds are announced together; a part of an hour.
const SPAN_SECONDS: i64 = 600;
/// So long after them, in seconds: other processes have written their counts by then.
const SETTLED_SECONDS: u64 = 60;
/// Rows that a process remembers to have written; beyond that it forgets them and writes again.
const REMEMBERED: usize = 2000;

/// The rows that this process has written.
#[derive(Default)]
pub(super) struct AnnouncedRefusals(Mutex<HashSet<DeliveryId>>);

impl AnnouncedRefusals {
    /// Whether it is new here.
    fn is_new(&self, id: &DeliveryId) -> bool {
        let Ok(mut announced) = self.0.lock() else {
            return true;
        };
        if announced.len() >= REMEMBERED {
            announced.clear();
        }
        announced.insert(id.clone())
    }

    fn forget(&self, id: &DeliveryId) {
        if let Ok(mut announced) = self.0.lock() {
            announced.remove(id);
        }
    }
}

/// The time `seconds` after 1970.
const fn time(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// The end of a budget's window, which a refusal gives in whole seconds from now: windows end on the
/// hour.
fn window_end(denial: &Denial, now: Timestamp) -> Option<i64> {
    let wait = denial.retry_after?;
    let end = now.plus_seconds(wait).seconds();
    Some((end + HOUR_SECONDS / 2).div_euclid(HOUR_SECONDS) * HOUR_SECONDS)
}

/// The delivery of a refusal to each of these hooks.
fn deliveries(
    cast: &Cast,
    deployment: &Deployment,
    denial: &Denial,
    now: Timestamp,
) -> Vec<Delivery> {
    let settings = &deployment.settings;
    let slot = now.seconds().div_euclid(SPAN_SECONDS) * SPAN_SECONDS;
    let (began, ends) = (time(slot), time(slot + SPAN_SECONDS));
    let refused = HookId::of(HookEvent::Refused, cast, settings);
    let mut all: Vec<Delivery> = refused
        .into_iter()
        .map(|hook| {
            let event = format!("{}-refused-{slot}", cast.id);
            Delivery::new(hook, event, HookEvent::Refused, began, Value::Null)
                .due(ends.plus_seconds(SETTLED_SECONDS))
        })
        .collect();
    let (of, hooks) = match denial.code {
        DenialCode::LinkBudgetReached => (
            cast.id.as_str(),
            HookId::of(HookEvent::BudgetReached, cast, settings),
        ),
        DenialCode::BudgetReached => {
            let wants = settings.hook.wants(HookEvent::BudgetReached);
            let hook = wants.then_some(HookId::Deployment);
            ("deployment", hook.into_iter().collect())
        }
        _ => return all,
    };
    let until = window_end(denial, now);
    let until_text = until.map_or("all".to_owned(), |end| end.to_string());
    all.extend(hooks.into_iter().map(|hook| {
        let event = format!("{of}-budget-{until_text}");
        let link = (denial.code == DenialCode::LinkBudgetReached)
            .then(|| json!({ "id": cast.id, "name": cast.settings.name }));
        let budgets: Vec<Value> = budget::budgets(cast, settings, now)
            .iter()
            .filter(|budget| budget.kind.is_of_link() == link.is_some())
            .map(|budget| {
                let ends = budget.ends().map(|at| at.to_string());
                json!({ "kind": budget.kind, "limit_cents": budget.cents, "ends_at": ends })
            })
            .collect();
        let data = json!({
            "link": link,
            "open_again_at": until.map(|end| time(end).to_string()),
            "budgets": budgets,
        });
        Delivery::new(hook, event, HookEvent::BudgetReached, now, data)
    }));
    all
}

impl ControlPlane {
    /// Adds the deliveries of a refusal to the hooks of this link and of the deployment.
    /// Nothing is read for it: settings that this process does not know are those of no hook.
    pub(super) async fn announce_refusal(&self, cast: &Cast, denial: &Denial, now: Timestamp) {
        let Some(deployment) = self.cache.remembered_deployment(now) else {
            return;
        };
        for delivery in deliveries(cast, &deployment, denial, now) {
            if !self.announced_refusals.is_new(&delivery.id) {
                continue;
            }
            if let Err(fault) = self.store.add_delivery(&delivery).await {
                self.announced_refusals.forget(&delivery.id);
                tracing::warn!(%fault, "Could not write an event of a hook; the next refusal does");
            }
        }
    }

    /// What is sent of refusals: counts of their hour until now, by code, as the ledger has them.
    pub(super) async fn sum_up(&self, row: &Delivery) -> Result<Value, Fault> {
        let cast = row.event.split('-').next().and_then(CastId::parse);
        let hour = hour_of(row.at);
        let counts = self.store.refusals(cast.as_ref(), hour).await?;
        let mut codes = BTreeMap::new();
        for one in counts.into_iter().filter(|one| one.hour == hour) {
            *codes.entry(one.code).or_insert(0_u64) += one.count;
        }
        let name = match &cast {
            Some(cast) => self.store.cast(cast).await?.map(|cast| cast.settings.name),
            None => None,
        };
        Ok(json!({
            "link": { "id": cast, "name": name },
            "since": time(hour).to_string(),
            "count": codes.values().sum::<u64>(),
            "codes": codes,
        }))
    }
}
