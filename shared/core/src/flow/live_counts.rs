//! Owns how live sessions come to be counted that were claimed while nothing limited them. Must not
//! know which limits there are (see `policy::live_limits`).
//!
//! A count is kept for a link, or for the deployment, only while a limit is set, because every
//! claim would otherwise write one more row, and all claims of a deployment the same one. When a
//! limit is set, its count takes no claim until each session that lives has taken one of it: in one
//! write of the session's row and the count, over the row's revision, so that a session holds one
//! or does not, and gives back what it holds. The administrator's change counts at once, and so does
//! every claim that meets the limit, until the change has reached every function instance: until
//! then others still accept claims that are not counted. From then on the count is complete. The
//! list of live sessions is an index that may be a moment behind: what it lacks is counted when it
//! becomes ready, or when the sweep looks after it.

use super::ControlPlane;
use super::cache::CHANGE_SECONDS;
use crate::cast::Cast;
use crate::deployment::{DEPLOYMENT_ID, Deployment};
use crate::policy::live_limits;
use crate::ports::Fault;
use crate::queries::{SessionQuery, SessionsOf};
use crate::quota::QuotaKind;
use crate::session::Session;
use crate::time::Timestamp;

/// Sessions read at once.
const PAGE: u32 = 200;

impl ControlPlane {
    /// Counts the live sessions of a link that has a limit of them; without one there is nothing to
    /// count.
    ///
    /// # Errors
    /// When the store does not answer; what was counted stays counted, and it can be called again.
    pub async fn count_of_cast(&self, cast: &Cast) -> Result<(), Fault> {
        let Some(quota) = live_limits::of_cast(cast) else {
            return Ok(());
        };
        let deployment = Deployment::default();
        self.count_living(Some(cast), &deployment).await?;
        if cast.created_at < cast.updated_at && !self.is_everywhere(cast.updated_at) {
            return Ok(());
        }
        self.store.complete_quota(&quota).await
    }

    /// Whether a change of this time has reached every function instance, and so has every claim that
    /// one of them had accepted before it did.
    pub(super) fn is_everywhere(&self, changed: Timestamp) -> bool {
        self.clock.now() >= changed.plus_seconds(2 * CHANGE_SECONDS)
    }

    /// Counts the live sessions of a deployment that has a limit of them.
    ///
    /// # Errors
    /// When the store does not answer; what was counted stays counted, and it can be called again.
    pub async fn count_of_deployment(&self, deployment: &Deployment) -> Result<(), Fault> {
        let Some(quota) = live_limits::of_deployment(&deployment.settings) else {
            return Ok(());
        };
        self.count_living(None, deployment).await?;
        if !self.is_everywhere(deployment.updated_at) {
            return Ok(());
        }
        self.store.complete_quota(&quota).await
    }

    /// Counts what a claim of this link found uncounted.
    pub(super) async fn count_again(
        &self,
        kind: QuotaKind,
        cast: &Cast,
        deployment: &Deployment,
    ) -> Result<(), Fault> {
        match kind {
            QuotaKind::Cast => self.count_of_cast(cast).await,
            QuotaKind::Deployment => self.count_of_deployment(deployment).await,
            // Counted from the first session on.
            QuotaKind::Profile
            | QuotaKind::User
            | QuotaKind::Minted
            | QuotaKind::BudgetHour
            | QuotaKind::BudgetDay
            | QuotaKind::Pool
            | QuotaKind::Invitation
            | QuotaKind::LinkBudgetHour
            | QuotaKind::LinkBudgetDay
            | QuotaKind::LinkBudgetMonth
            | QuotaKind::LinkBudgetTotal => Ok(()),
        }
    }

    async fn count_living(
        &self,
        cast: Option<&Cast>,
        deployment: &Deployment,
    ) -> Result<(), Fault> {
        let query = SessionQuery {
            of: SessionsOf::Living,
            ..SessionQuery::default()
        };
        let mut after = None;
        loop {
            let page = self.store.sessions(&query, after.as_deref(), PAGE).await?;
            for session in page.items {
                if cast.is_none_or(|cast| cast.id == session.cast_id) {
                    self.hold_missing(session, cast, deployment).await?;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Lets a live session take the counts that it lacks, by the limits as they are now.
    pub(super) async fn catch_up(&self, session: Session) -> Result<Session, Fault> {
        if !session.is_live() || session.is_unassigned() {
            return Ok(session);
        }
        let holds = |kind| session.charge.held.iter().any(|held| held.kind == kind);
        let cast = if holds(QuotaKind::Cast) {
            None
        } else {
            self.store.cast_in_force(&session.cast_id).await?
        };
        let deployment = if holds(QuotaKind::Deployment) {
            None
        } else {
            self.store.record::<Deployment>(DEPLOYMENT_ID).await?
        };
        self.hold_missing(session, cast.as_ref(), &deployment.unwrap_or_default())
            .await
    }

    async fn hold_missing(
        &self,
        session: Session,
        cast: Option<&Cast>,
        deployment: &Deployment,
    ) -> Result<Session, Fault> {
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| {
                row.holding(live_limits::missing(row, cast, &deployment.settings))
            })
            .await?;
        Ok(row.unwrap_or(known))
    }
}
