//! Owns how live sessions come to be counted that were claimed while nothing limited them. Must not
//! know which limits there are (see `policy::live_limits`).
//!
//! A count is kept for a link, or for the deployment, only while a limit is set, because every claim
//! would otherwise write one more row, and all claims of a deployment the same one. When a limit is
//! set, its count takes no claim until each session that lives has taken one of it: in one write of
//! the session's row and the count, over the row's revision, so that a session holds one or does
//! not, and gives back what it holds. The administrator's change counts at once; where that did not
//! come to its end, the first claim that meets the limit does. The list of live sessions is an index
//! that may be a moment behind, and a claim may have been judged just before the limit was set: such
//! sessions are counted when they become ready, or when the sweep looks after them.

use super::ControlPlane;
use crate::cast::Cast;
use crate::listing::{SessionQuery, SessionsOf};
use crate::policy::live_limits;
use crate::ports::Fault;
use crate::quota::QuotaKind;
use crate::session::Session;
use crate::system::{SYSTEM_ID, System};

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
        let system = System::default();
        self.count_living(Some(cast), &system).await?;
        self.store.complete_quota(&quota).await
    }

    /// Counts the live sessions of a deployment that has a limit of them.
    ///
    /// # Errors
    /// When the store does not answer; what was counted stays counted, and it can be called again.
    pub async fn count_of_system(&self, system: &System) -> Result<(), Fault> {
        let Some(quota) = live_limits::of_system(&system.settings) else {
            return Ok(());
        };
        self.count_living(None, system).await?;
        self.store.complete_quota(&quota).await
    }

    /// Counts what a claim of this link found uncounted.
    pub(super) async fn count_again(
        &self,
        kind: QuotaKind,
        cast: &Cast,
        system: &System,
    ) -> Result<(), Fault> {
        match kind {
            QuotaKind::Cast => self.count_of_cast(cast).await,
            QuotaKind::System => self.count_of_system(system).await,
            // Counted from the first session on.
            QuotaKind::Profile
            | QuotaKind::User
            | QuotaKind::Minted
            | QuotaKind::BudgetHour
            | QuotaKind::BudgetDay
            | QuotaKind::Pool => Ok(()),
        }
    }

    async fn count_living(&self, cast: Option<&Cast>, system: &System) -> Result<(), Fault> {
        let query = SessionQuery {
            of: SessionsOf::Living,
            ..SessionQuery::default()
        };
        let mut after = None;
        loop {
            let page = self.store.sessions(&query, after.as_deref(), PAGE).await?;
            for session in page.items {
                if cast.is_none_or(|cast| cast.id == session.cast_id) {
                    self.hold_missing(session, cast, system).await?;
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
            self.store.cast(&session.cast_id).await?
        };
        let system = if holds(QuotaKind::System) {
            None
        } else {
            self.store.record::<System>(SYSTEM_ID).await?
        };
        self.hold_missing(session, cast.as_ref(), &system.unwrap_or_default())
            .await
    }

    async fn hold_missing(
        &self,
        session: Session,
        cast: Option<&Cast>,
        system: &System,
    ) -> Result<Session, Fault> {
        let (id, known) = (session.id.clone(), session.clone());
        let row = self
            .move_session(&id, Some(session), |row| {
                row.holding(live_limits::missing(row, cast, &system.settings))
            })
            .await?;
        Ok(row.unwrap_or(known))
    }
}
