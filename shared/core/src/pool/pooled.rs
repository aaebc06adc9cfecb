//! Owns what a pool has to do with a session: one that was started ahead and waits, is given to a
//! visitor, and is taken back when its gate is not reached. Must not know how a pool is planned
//! (see [`crate::pool_plan`]) or which visitor it fits.

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, CastKey, SessionId, StagingId, UserId};
use crate::image::Image;
use crate::permission::Grant;
use crate::quota::{Held, Quota, QuotaKind};
use crate::session::{
    CHECK_SECONDS, Charge, EndReason, Endpoint, InvalidTransition, LaunchSpec, Origin, Owner,
    RESERVED_SECONDS, STOPPING_SECONDS, Session, State,
};
use crate::session_events::Subscriptions;
use crate::session_options::SessionOptions;
use crate::sharing::Sharing;
use crate::staging::StagingConfig;
use crate::time::Timestamp;

/// A session that expires within so many seconds is not assigned any more.
pub const EXPIRY_MARGIN_SECONDS: u64 = 15;

/// The relation of a session to a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolMembership {
    /// The pool.
    pub pool: StagingId,
    /// The session's role in it.
    #[serde(rename = "place")]
    pub role: PoolRole,
    /// Where its gate listens, which has yet to hear whose it is; `None` once that is known to be
    /// done, and where there is nothing to hear.
    #[serde(default)]
    pub tell: Option<Endpoint>,
}

impl PoolMembership {
    /// Of this pool, with no gate to notify.
    pub const fn new(pool: StagingId, role: PoolRole) -> Self {
        Self {
            pool,
            role,
            tell: None,
        }
    }
}

/// The role of a session in its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolRole {
    /// Started in advance and unassigned. Link and claim in its row are placeholders.
    Waiting,
    /// Started in advance and assigned to its visitor.
    Assigned,
    /// Started for its visitor, because the pool that fits had none ready.
    Missed,
}

impl PoolRole {
    /// The role in one word, as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Assigned => "assigned",
            Self::Missed => "missed",
        }
    }
}

/// The count of the sessions that wait in a pool.
pub fn waiting(pool: &StagingId, most: u32) -> Quota {
    Quota::new(QuotaKind::Pool, pool.as_str(), most)
}

impl Session {
    /// An unassigned session of a pool, to be started at `now`. Unless it is assigned, it lives for
    /// as long as the pool keeps one.
    pub fn staged(
        id: SessionId,
        pool: &StagingConfig,
        image: &Image,
        launch: LaunchSpec,
        grant: Grant,
        secret_key: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            rev: 1,
            claim: None,
            cast_id: CastId::of_pool(&pool.id),
            cast_key: CastKey::of_nobody(),
            cast_name: pool.settings.name.clone(),
            error_url: None,
            owner: Owner::Unassigned,
            charge: Charge::default(),
            launch,
            origin: Origin::default(),
            invitation: None,
            access_tier: None,
            created_at: now,
            ready_by: now.plus_seconds(image.settings.start_timeout_seconds.into()),
            ready_at: None,
            left_address: None,
            usual_start: None,
            entered_at: None,
            time_limit_seconds: pool.settings.expiration_hours.saturating_mul(3600),
            extensions: 0,
            added_seconds: 0,
            extension_requests: Vec::new(),
            message: None,
            secret_key: secret_key.to_owned(),
            bootstrapped: None,
            grant,
            notes: Vec::new(),
            said: Vec::new(),
            request: None,
            subscriptions: Subscriptions::default(),
            profile: None,
            go: None,
            options: SessionOptions {
                exec: image.settings.exec.clone(),
                ..SessionOptions::default()
            },
            sharing: Sharing::default(),
            pooled: Some(PoolMembership::new(pool.id.clone(), PoolRole::Waiting)),
            state: State::Reserved,
            task: None,
            retry: None,
            queued: None,
            due_at: Some(now.plus_seconds(RESERVED_SECONDS)),
        }
    }

    /// The id that its claim's nonce or idempotency key leads to: another than its own when it was
    /// started ahead.
    pub fn claim_id(&self) -> &SessionId {
        self.claim.as_ref().unwrap_or(&self.id)
    }

    /// The pool that it waits in, or will wait in.
    pub fn idle_pool(&self) -> Option<&StagingId> {
        let pooled = self
            .pooled
            .as_ref()
            .filter(|pooled| pooled.role == PoolRole::Waiting)?;
        self.can_be_entered().then_some(&pooled.pool)
    }

    /// Whether no visitor has ever been given it: its row is no claim.
    pub fn is_unassigned(&self) -> bool {
        self.pooled
            .as_ref()
            .is_some_and(|pooled| pooled.role == PoolRole::Waiting)
    }

    /// One of the count of its pool, while it counts there.
    pub fn held_in_pool(&self) -> Option<Held> {
        Some(waiting(self.idle_pool()?, 0).held())
    }

    /// The pool for which its start failed, and why: it ended before it was ever ready, and neither
    /// pool nor administrator ended it.
    pub fn failed_start(&self) -> Option<(&StagingId, String)> {
        let pooled = self.pooled.as_ref().filter(|_| self.is_unassigned())?;
        let State::Ended {
            reason,
            refunded: true,
            ..
        } = &self.state
        else {
            return None;
        };
        let why = match reason {
            EndReason::NoCapacity => "ECS had no room.".to_owned(),
            EndReason::StartRefused { detail } => detail.clone(),
            EndReason::StartTimeout => "It was not ready in time.".to_owned(),
            EndReason::TaskLost => "Its task was not to be found.".to_owned(),
            EndReason::Reclaimed => "The machine was taken back.".to_owned(),
            EndReason::TaskStopped {
                detail,
                exit_code: None,
            } => detail.clone(),
            EndReason::TaskStopped {
                detail,
                exit_code: Some(code),
            } => format!("{detail} (exit code {code})"),
            EndReason::Owner
            | EndReason::Administrator { .. }
            | EndReason::TimeLimit
            | EndReason::Abandoned
            | EndReason::NotEntered
            | EndReason::Idle
            | EndReason::UnattendedCpu
            | EndReason::Unused
            | EndReason::NotNeeded
            | EndReason::GateLost
            | EndReason::ProfileNotRestored => return None,
        };
        Some((&pooled.pool, why))
    }

    /// Whether it can be given to the visitor of this claim: it is ready and stays for a moment,
    /// runs the very same, and allows the very same.
    pub fn fits(&self, claim: &Self, now: Timestamp) -> bool {
        let State::Ready { ends_at, .. } = &self.state else {
            return false;
        };
        let opens = claim.launch.kasm_url.is_none() || claim.options.exec.assign.is_some();
        self.idle_pool().is_some()
            && now.plus_seconds(EXPIRY_MARGIN_SECONDS) < *ends_at
            && opens
            && self.runs_as(&claim.launch, &claim.grant)
    }

    /// Whether it runs the requested image with the same permissions. The address to open, and the
    /// limits, are sent with its assignment.
    pub fn runs_as(&self, launch: &LaunchSpec, grant: &Grant) -> bool {
        let wanted = LaunchSpec {
            kasm_url: self.launch.kasm_url.clone(),
            attempt: self.launch.attempt,
            // For a limit, which is sent with its assignment.
            cpu: self.launch.cpu,
            ..launch.clone()
        };
        self.launch == wanted && self.grant.permissions == grant.permissions
    }

    /// This session as the one of `claim`, which was drawn up as a session of its own. It starts
    /// once more: it is ready when its gate has heard whose it is, and if it ends before that, its
    /// visitor was never in it.
    ///
    /// # Errors
    /// When it is not ready, or not to be given away (any more).
    pub fn assigned(&self, claim: &Self) -> Result<Self, InvalidTransition> {
        let (State::Ready { endpoint, .. }, Some(pool)) = (&self.state, self.idle_pool()) else {
            return Err(self.invalid("assigned"));
        };
        let tell = Some(endpoint.clone());
        Ok(Self {
            id: self.id.clone(),
            rev: self.rev + 1,
            claim: Some(claim.claim_id().clone()),
            owner: owner_of(claim, &self.id),
            launch: LaunchSpec {
                kasm_url: claim.launch.kasm_url.clone(),
                cpu: claim.launch.cpu,
                ..self.launch.clone()
            },
            secret_key: self.secret_key.clone(),
            bootstrapped: self.bootstrapped.clone(),
            pooled: Some(PoolMembership {
                tell,
                ..PoolMembership::new(pool.clone(), PoolRole::Assigned)
            }),
            state: State::Starting,
            task: self.task.clone(),
            // As once it is ready, a moment later: a time that changes is written to its index.
            due_at: Some(claim.created_at.plus_seconds(CHECK_SECONDS)),
            ..claim.clone()
        })
    }

    /// Where its gate listens, while that has yet to hear whose it is: it was given away a moment
    /// ago.
    pub fn pending_notification(&self) -> Option<&Endpoint> {
        let tell = self.pooled.as_ref()?.tell.as_ref()?;
        matches!(self.state, State::Starting).then_some(tell)
    }

    /// Its claim as a session of its own, to be started at `now` or exchanged for another one.
    pub fn claim_alone(&self, now: Timestamp) -> Self {
        let id = self.claim_id().clone();
        let start = self.start_timeout_seconds();
        Self {
            rev: 1,
            claim: None,
            owner: owner_of(self, &id),
            launch: LaunchSpec {
                attempt: 1,
                ..self.launch.clone()
            },
            created_at: now,
            ready_by: now.plus_seconds(start),
            ready_at: None,
            left_address: None,
            bootstrapped: None,
            pooled: self
                .pooled
                .as_ref()
                .map(|pooled| PoolMembership::new(pooled.pool.clone(), PoolRole::Missed)),
            state: State::Reserved,
            task: None,
            retry: None,
            queued: None,
            due_at: Some(now.plus_seconds(RESERVED_SECONDS)),
            id,
            ..self.clone()
        }
    }

    /// Its gate was not reached when it was given away: it is its pool's again, without anything of
    /// its visitor, and to be stopped.
    ///
    /// # Errors
    /// When it was not given away, or its gate has heard of it, or it is being stopped.
    pub fn given_up(&self, now: Timestamp) -> Result<Self, InvalidTransition> {
        let (Some(PoolMembership { pool, .. }), Some(_)) =
            (&self.pooled, self.pending_notification())
        else {
            return Err(self.invalid("given up"));
        };
        Ok(Self {
            rev: self.rev + 1,
            claim: None,
            cast_id: CastId::of_pool(pool),
            cast_key: CastKey::of_nobody(),
            cast_name: String::new(),
            error_url: None,
            owner: Owner::Unassigned,
            charge: Charge::default(),
            launch: LaunchSpec {
                kasm_url: None,
                ..self.launch.clone()
            },
            origin: Origin::default(),
            invitation: None,
            access_tier: None,
            notes: Vec::new(),
            said: Vec::new(),
            request: None,
            subscriptions: Subscriptions::default(),
            go: None,
            pooled: Some(PoolMembership::new(pool.clone(), PoolRole::Waiting)),
            state: State::Stopping {
                at: now,
                reason: EndReason::GateLost,
                served: true,
            },
            due_at: Some(now.plus_seconds(STOPPING_SECONDS)),
            ..self.clone()
        })
    }
}

/// The owner of a claim's session whose id is `id`: an anonymous user's spells it.
fn owner_of(claim: &Session, id: &SessionId) -> Owner {
    match &claim.owner {
        Owner::Anonymous {
            group, expires_at, ..
        } => Owner::Anonymous {
            id: UserId::of_session(id),
            group: group.clone(),
            expires_at: *expires_at,
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{StagingId, random_bytes};
    use crate::staging::StagingSettings;
    use crate::testing::{self, NOON, SeededEntropy};

    /// A session that waits in a pool, and the claim of a visitor whom it fits.
    fn waiting_and_claim() -> (Session, Session) {
        let entropy = SeededEntropy::new(1);
        let image = testing::image(1);
        let settings = StagingSettings {
            name: "Monday".into(),
            description: String::new(),
            enabled: true,
            image_id: image.id.clone(),
            network: None,
            group_id: None,
            desired_sessions: 1,
            expiration_hours: 24,
            schedule: None,
            daily_budget_cents: None,
        };
        let pool = StagingConfig {
            id: StagingId::from_bytes(random_bytes(&entropy)),
            version: 1,
            settings,
            created_at: NOON,
            updated_at: NOON,
        };
        let id = SessionId::from_bytes(random_bytes(&entropy));
        let staged = Session::staged(
            id,
            &pool,
            &image,
            LaunchSpec::of(&image, None, None),
            Grant::default(),
            "",
            NOON,
        );
        let ready = staged.ready(endpoint(), NOON).expect("it gets ready");
        let claim = testing::session(&testing::cast(1), 1);
        (
            ready,
            Session {
                charge: Charge {
                    count: Some(1),
                    ..Charge::default()
                },
                ..claim
            },
        )
    }

    fn endpoint() -> Endpoint {
        Endpoint {
            host: "10.0.0.1".into(),
            port: 8080,
        }
    }

    #[test]
    fn assigned_session_is_ready_after_the_gate_was_notified() {
        let (waiting, claim) = waiting_and_claim();
        let untold = waiting.assigned(&claim).expect("it is given away");
        let told = untold
            .ready(endpoint(), NOON.plus_seconds(1))
            .expect("it is ready");
        let stopping = |row: &Session| {
            row.stopping(EndReason::Administrator { note: None }, NOON)
                .expect("it stops")
        };
        let lost = |row: &Session| row.ended(EndReason::TaskLost, NOON).expect("it ends");
        for (name, row, tells, is_refunded, is_given_up) in [
            ("untold", &untold, true, false, true),
            ("untold, stopping", &stopping(&untold), false, false, false),
            ("untold, ended", &lost(&untold), false, true, false),
            (
                "untold, stopped",
                &lost(&stopping(&untold)),
                false,
                true,
                false,
            ),
            ("told", &told, false, false, false),
            ("told, ended", &lost(&told), false, false, false),
            (
                "told, stopped",
                &lost(&stopping(&told)),
                false,
                false,
                false,
            ),
            ("nobody's", &waiting, false, false, false),
            (
                "started for its visitor",
                &untold.claim_alone(NOON),
                false,
                false,
                false,
            ),
        ] {
            let found = (
                row.pending_notification().is_some(),
                row.is_refunded(),
                row.given_up(NOON).is_ok(),
            );
            assert_eq!(found, (tells, is_refunded, is_given_up), "{name}");
        }
        assert_eq!(
            told.ready_at,
            Some(NOON.plus_seconds(1)),
            "the visitor has waited for that long"
        );
    }

    #[test]
    fn start_fails_if_it_ends_before_it_could_be_entered() {
        let (ready, claim) = waiting_and_claim();
        let starting = Session {
            state: State::Starting,
            ready_at: None,
            ..ready.clone()
        };
        let ended = |row: &Session, reason| row.ended(reason, NOON).expect("it ends");
        let stopped = |exit_code| EndReason::TaskStopped {
            detail: "it fell".into(),
            exit_code,
        };
        let timed_out = ended(
            &starting
                .stopping(EndReason::StartTimeout, NOON)
                .expect("it stops"),
            EndReason::TaskLost,
        );
        for (name, row, why) in [
            (
                "fell",
                ended(&starting, stopped(Some(1))),
                Some("it fell (exit code 1)"),
            ),
            (
                "stopped before it ran",
                ended(&starting, stopped(None)),
                Some("it fell"),
            ),
            (
                "no room",
                ended(&starting, EndReason::NoCapacity),
                Some("ECS had no room."),
            ),
            (
                "not ready in time",
                timed_out,
                Some("It was not ready in time."),
            ),
            ("not needed", ended(&starting, EndReason::NotNeeded), None),
            (
                "stopped by hand",
                ended(&starting, EndReason::Administrator { note: None }),
                None,
            ),
            ("was ready", ended(&ready, stopped(Some(1))), None),
            ("still starting", starting.clone(), None),
            ("of a visitor", ended(&claim, stopped(Some(1))), None),
            (
                "given to a visitor",
                ended(
                    &ready.assigned(&claim).expect("it is given away"),
                    stopped(Some(1)),
                ),
                None,
            ),
        ] {
            let expected = why.map(|why| {
                (
                    CastId::of_pool(&row.pooled.as_ref().expect("of a pool").pool),
                    why.to_owned(),
                )
            });
            assert_eq!(
                row.failed_start()
                    .map(|(pool, why)| (CastId::of_pool(pool), why)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn abandoned_session_is_anonymous_and_claim_keeps_charges() {
        let (waiting, claim) = waiting_and_claim();
        let untold = waiting.assigned(&claim).expect("it is given away");
        let (given_up, alone) = (
            untold.given_up(NOON).expect("its gate has not heard"),
            untold.claim_alone(NOON),
        );
        assert!(
            given_up.is_unassigned()
                && given_up.charge.is_free()
                && given_up.owner == Owner::Unassigned
        );
        assert_eq!((&given_up.id, &given_up.task), (&waiting.id, &waiting.task));
        assert_eq!(
            (&alone.id, &alone.charge, alone.task),
            (&claim.id, &claim.charge, None)
        );
    }
}
