//! Owns refilling the pools: reads the state of each pool, plans, and carries the plan out. Rounds
//! may run concurrently: a session is started only while fewer than desired wait, checked in one
//! transaction, so that no two rounds start too many.

use std::sync::Arc;

use super::{ControlPlane, FlowError, TRIES};
use crate::METRICS;
use crate::group::{self, Group};
use crate::ids::{SessionId, StagingId, random_bytes};
use crate::image::Image;
use crate::permission::Grant;
use crate::pool_history::{PoolHistory, PoolObservation};
use crate::pool_plan::{IdleReason, Member, PoolFacts, PoolPlan, plan};
use crate::ports::{Fault, FaultKind, Saved, Staged};
use crate::pricing;
use crate::queries::SessionQuery;
use crate::session::{EndReason, LaunchSpec, PoolRole, Session, State};
use crate::staging::StagingConfig;
use crate::time::Timestamp;

/// The starts that ECS accepts in a second; a round starts no more, and the next one begins a
/// second later.
pub const STARTS_AT_ONCE: u32 = 20;
/// Claims of the last seconds are counted in the next round, because their index lags behind.
const SETTLE_SECONDS: u64 = 10;

/// The result of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refilled {
    /// Sessions that were started in advance.
    pub started: u32,
    /// Sessions that were stopped because they are no longer needed, or too old.
    pub stopped: u32,
    /// Whether more must be started as soon as ECS accepts it.
    pub more: bool,
}

/// The state of a pool, for administrators.
#[derive(Clone, Debug)]
pub struct PoolView {
    /// Its sessions that wait for visitors, the oldest first.
    pub waiting: Vec<Session>,
    /// The plan of its next round.
    pub plan: PoolPlan,
    /// Its history.
    pub log: PoolHistory,
    /// The cost of one of its sessions per hour, in millionths of a dollar; `None` if unknown.
    pub hour_micros: Option<u64>,
    /// The time of this state.
    pub at: Timestamp,
}

/// The session that a pool starts, if it can.
struct Kind {
    image: Option<Arc<Image>>,
    launch: Option<LaunchSpec>,
    grant: Grant,
    blocked_by: Option<IdleReason>,
    /// When any of it was last changed.
    changed_at: Timestamp,
}

impl ControlPlane {
    /// Runs one round over all pools.
    ///
    /// # Errors
    /// When the pools cannot be listed. A pool that fails is handled in the next round.
    pub async fn refill(&self) -> Result<Refilled, Fault> {
        let mut refilled = Refilled::default();
        let pools = self.store.all_records::<StagingConfig>().await?;
        if pools.is_empty() {
            return Ok(refilled);
        }
        let groups = self.store.all_records::<Group>().await?;
        for pool in pools {
            if let Err(fault) = self.refill_pool(&pool, &groups, &mut refilled).await {
                tracing::error!(pool.id = %pool.id, %fault,
                    "Could not look after pool {}; the next round tries again", pool.id);
            }
        }
        Ok(refilled)
    }

    /// The state of a pool.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pool_view(&self, pool: &StagingConfig) -> Result<PoolView, Fault> {
        let groups = self.store.all_records::<Group>().await?;
        let at = self.clock.now();
        let kind = self.kind_of(pool, &groups).await?;
        let waiting = self.store.pool(&pool.id).await?;
        let log = self.log_of(pool, at).await?;
        let plan = plan_for(pool, &kind, &waiting, &log, STARTS_AT_ONCE, at);
        let hour_micros = kind.image.as_deref().and_then(pricing::session_hour);
        Ok(PoolView {
            waiting,
            plan,
            log,
            hour_micros,
            at,
        })
    }

    /// Stops all waiting sessions of a deleted pool. The sweep stops whatever cannot be stopped
    /// now.
    ///
    /// # Errors
    /// When store or ECS do not answer.
    pub async fn drain_pool(&self, id: &StagingId) -> Result<(), Fault> {
        for session in self.store.pool(id).await? {
            self.stop_waiting(session, EndReason::NotNeeded).await?;
        }
        Ok(())
    }

    async fn refill_pool(
        &self,
        pool: &StagingConfig,
        groups: &[Group],
        refilled: &mut Refilled,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let kind = self.kind_of(pool, groups).await?;
        let waiting = self.store.pool(&pool.id).await?;
        let log = self.log_of(pool, now).await?;
        let plan = plan_for(
            pool,
            &kind,
            &waiting,
            &log,
            STARTS_AT_ONCE.saturating_sub(refilled.started),
            now,
        );
        for (id, reason) in &plan.stop {
            if let Some(session) = waiting.iter().find(|session| session.id == *id) {
                refilled.stopped +=
                    u32::from(self.stop_waiting(session.clone(), reason.clone()).await?);
            }
        }
        self.write_log(pool, &kind, &waiting, log, now).await?;
        let started = self.start_ahead(pool, &kind, &plan).await?;
        refilled.started += started;
        refilled.more |=
            started > 0 && started == plan.start && waiting.len() < plan.wanted as usize;
        Ok(())
    }

    /// The session that this pool starts.
    async fn kind_of(&self, pool: &StagingConfig, groups: &[Group]) -> Result<Kind, Fault> {
        let settings = &pool.settings;
        let grant = group::grant_of(settings.group_id.as_ref(), groups);
        let image = self
            .store
            .record::<Image>(settings.image_id.as_str())
            .await?
            .filter(|image| image.settings.enabled)
            .map(Arc::new);
        let Some(found) = image.clone() else {
            return Ok(Kind {
                image: None,
                launch: None,
                grant,
                blocked_by: Some(IdleReason::NoImage),
                changed_at: pool.updated_at,
            });
        };
        let name = settings
            .network
            .as_ref()
            .or(found.settings.network.as_ref());
        let network = match name {
            Some(name) => {
                self.store
                    .record::<crate::network::Network>(name.as_str())
                    .await?
            }
            None => None,
        };
        let blocked_by = (name.is_some() && network.is_none()).then_some(IdleReason::NoNetwork);
        let changed_at = pool.updated_at.max(found.updated_at).max(
            network
                .as_ref()
                .map_or(pool.updated_at, |network| network.updated_at),
        );
        let launch = blocked_by
            .is_none()
            .then(|| LaunchSpec::of(&found, network, None));
        Ok(Kind {
            image,
            launch,
            grant,
            blocked_by,
            changed_at,
        })
    }

    async fn log_of(&self, pool: &StagingConfig, now: Timestamp) -> Result<PoolHistory, Fault> {
        Ok(self
            .store
            .record::<PoolHistory>(pool.id.as_str())
            .await?
            .unwrap_or_else(|| PoolHistory::new(pool.id.clone(), now)))
    }

    /// Stops a session only while it is unassigned.
    async fn stop_waiting(&self, session: Session, reason: EndReason) -> Result<bool, Fault> {
        let (id, now) = (session.id.clone(), self.clock.now());
        let stops = |row: &Session| {
            row.idle_pool()
                .and_then(|_| row.stopping(reason.clone(), now).ok())
        };
        match self.move_session(&id, Some(session), stops).await? {
            Some(row) if row.is_unassigned() && matches!(row.state, State::Stopping { .. }) => {
                self.complete_stop(row).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Starts what the plan says, until ECS has no capacity; returns how many.
    async fn start_ahead(
        &self,
        pool: &StagingConfig,
        kind: &Kind,
        plan: &PoolPlan,
    ) -> Result<u32, Fault> {
        let (Some(image), Some(launch)) = (&kind.image, &kind.launch) else {
            return Ok(0);
        };
        let mut started = 0;
        for _ in 0..plan.start {
            let (id, now) = (
                SessionId::from_bytes(random_bytes(&*self.entropy)),
                self.clock.now(),
            );
            let secret_key = self.keys.sessions().name();
            let session = Session::staged(
                id.clone(),
                pool,
                image,
                launch.clone(),
                kind.grant.clone(),
                secret_key,
                now,
            );
            // Another round may run concurrently: the store counts.
            if self.store.stage(&session, plan.wanted).await? == Staged::Full {
                break;
            }
            match self.launch(session).await {
                Ok(_) => started += 1,
                Err(FlowError::Fault(fault)) => return Err(fault),
                Err(FlowError::Denied(_)) => {
                    if let Some(row) = self.store.session(&id).await? {
                        self.record_failed_start(&row).await?;
                    }
                    break;
                }
            }
        }
        Ok(started)
    }

    /// Makes a pool pause after a failed start of this session. May be called for any session, and
    /// repeatedly: each failure counts once.
    pub(super) async fn record_failed_start(&self, session: &Session) -> Result<(), Fault> {
        let Some((pool, why)) = session.failed_start() else {
            return Ok(());
        };
        for _ in 0..TRIES {
            let now = self.clock.now();
            let before = self.store.record::<PoolHistory>(pool.as_str()).await?;
            let expected = before.as_ref().map(|log| log.version);
            let mut after = before.unwrap_or_else(|| PoolHistory::new(pool.clone(), now));
            if !after.note_failure(session.created_at, why.clone(), now) {
                return Ok(());
            }
            after.version += 1;
            if self.store.put_record(&after, expected, None).await? == Saved::Done {
                tracing::warn!(pool.id = %pool, session.id = %session.id, why,
                    "A start for pool {pool} failed; the pool pauses");
                return Ok(());
            }
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "note a failed start",
            detail: format!("{TRIES} tries on {pool}"),
        })
    }

    async fn write_log(
        &self,
        pool: &StagingConfig,
        kind: &Kind,
        waiting: &[Session],
        log: PoolHistory,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let settled = now.minus_seconds(SETTLE_SECONDS);
        let (assigned, missed) = self.count_claims(&pool.id, log.at, settled).await?;
        let ready = || {
            waiting
                .iter()
                .filter(|session| matches!(session.state, State::Ready { .. }))
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let hour_micros = kind
            .image
            .as_deref()
            .and_then(pricing::session_hour)
            .unwrap_or(0);
        let (ready_now, starting) = (
            count(ready().count()),
            count(waiting.len() - ready().count()),
        );
        let seen = PoolObservation {
            ready: ready_now,
            starting,
            assigned,
            missed,
            hour_micros,
        };
        tracing::info!(target: METRICS, pool_ready = u64::from(seen.ready), pool_starting = u64::from(seen.starting), pool = pool.id.as_str());
        if log.is_at_rest(seen) {
            return Ok(());
        }
        let expected = (log.version > 0).then_some(log.version);
        let mut after = log.noted(seen, settled.max(log.at));
        if let Some(newest) = ready().map(|session| session.created_at).max() {
            after.note_success(newest);
        }
        // A concurrent round has written it from the same ledger; a failed start that came first is
        // recorded by the next round.
        self.store
            .put_record(&after, expected, None)
            .await
            .map(drop)
    }

    /// Visitors in this period who got a session of this pool, and those who missed one.
    async fn count_claims(
        &self,
        pool: &StagingId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(u32, u32), Fault> {
        let (mut assigned, mut missed, mut after) = (0, 0, None);
        if until <= since {
            return Ok((0, 0));
        }
        let query = SessionQuery::default().between(since, until);
        loop {
            let page = self.store.sessions(&query, after.as_deref(), 100).await?;
            for pooled in page
                .items
                .iter()
                .filter_map(|session| session.pooled.as_ref())
                .filter(|pooled| pooled.pool == *pool)
            {
                match pooled.role {
                    PoolRole::Assigned => assigned += 1,
                    PoolRole::Missed => missed += 1,
                    PoolRole::Waiting => {}
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((assigned, missed)),
            }
        }
    }
}

fn plan_for(
    pool: &StagingConfig,
    kind: &Kind,
    waiting: &[Session],
    log: &PoolHistory,
    room: u32,
    now: Timestamp,
) -> PoolPlan {
    let member = |session: &Session| Member {
        id: session.id.clone(),
        is_ready: matches!(session.state, State::Ready { .. }),
        since: session.created_at,
        fits: kind
            .launch
            .as_ref()
            .is_some_and(|launch| session.runs_as(launch, &kind.grant)),
    };
    let members: Vec<Member> = waiting.iter().map(member).collect();
    plan(&PoolFacts {
        settings: &pool.settings,
        blocked_by: kind.blocked_by,
        hour_micros: kind.image.as_deref().and_then(pricing::session_hour),
        members: &members,
        log,
        changed_at: kind.changed_at,
        room,
        now,
    })
}
