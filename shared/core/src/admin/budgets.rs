//! Owns what administrators read of a link's budgets: what is taken of each, and what it will be when
//! its window ends. Must not know how money is counted (see `policy::budget`).

use crate::deployment::DeploymentSettings;
use crate::json_schema;
use crate::policy::budget::{self, Budget};
use crate::quota::QuotaKind;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::admin::error::AdminError;
use crate::admin::pools::cents;
use crate::admin::{AdminService, casts};
use crate::cast::Cast;

/// A budget of a link with what is taken of it.
#[derive(Clone, Debug)]
pub struct SpentBudget {
    /// The budget.
    pub budget: Budget,
    /// What is taken, in millionths of a dollar: what ended sessions have cost, and the most that
    /// live ones can cost.
    pub taken: u64,
    /// What will be taken when the window ends, if it goes on as it did; `None` when that is not
    /// known.
    pub forecast: Option<u64>,
}

impl SpentBudget {
    /// The window in a word.
    pub const fn window(&self) -> &'static str {
        match self.budget.kind {
            QuotaKind::LinkBudgetHour => "hour",
            QuotaKind::LinkBudgetDay => "day",
            QuotaKind::LinkBudgetMonth => "month",
            _ => "all",
        }
    }
}

/// The budgets of a link that are set, the shortest window first.
pub async fn of_link(
    service: &AdminService<'_>,
    cast: &Cast,
) -> Result<Vec<SpentBudget>, AdminError> {
    let (control_plane, now) = (service.control_plane, service.control_plane.clock.now());
    // Without the deployment's, which are those of all links.
    let own = budget::budgets(cast, &DeploymentSettings::default(), now);
    let spent = own.into_iter().map(|budget| async move {
        let key = budget.quota(&cast.id, 0).key;
        let taken = control_plane.store.quota(&key).await?;
        Ok::<_, AdminError>(SpentBudget {
            budget,
            taken,
            forecast: budget.forecast(taken, now),
        })
    });
    try_join_all(spent).await
}

/// The budgets of the link with this id, as the API shows them.
pub async fn read(service: &AdminService<'_>, id: &str) -> Result<Value, AdminError> {
    let cast = casts::find(service, id).await?;
    let items = of_link(service, &cast).await?;
    Ok(json!({ "items": items.iter().map(view).collect::<Vec<_>>() }))
}

fn view(spent: &SpentBudget) -> Value {
    json!({
        "window": spent.window(),
        "limit_cents": spent.budget.cents,
        "taken_cents": cents(spent.taken),
        "forecast_cents": spent.forecast.map(cents),
        "ends_at": spent.budget.ends().map(|ends| ends.to_string()),
    })
}

/// The JSON Schema of [`read`].
pub fn schema() -> Value {
    let money = |about: &str| json!({ "type": "number", "minimum": 0, "description": about });
    let item = json_schema::object(json!({
        "window": { "type": "string", "enum": ["hour", "day", "month", "all"] },
        "limit_cents": { "type": "integer", "minimum": 1 },
        "taken_cents": money(
            "What ended sessions have cost, and the most that live ones can cost, at list price.",
        ),
        "forecast_cents": json_schema::nullable(money(
            "What will be taken when the window ends, if it goes on as it did; null for all time, \
             and in the first tenth of a window.",
        )),
        "ends_at": json_schema::nullable(json_schema::time()),
    }));
    json_schema::object(json!({ "items": { "type": "array", "items": item } }))
}
