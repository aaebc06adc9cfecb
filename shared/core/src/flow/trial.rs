//! Owns the trial of a link («test this link»): evaluates the policies as for a real visitor, for a
//! made-up one. Takes and counts nothing.

use super::admission_context::VisitDetails;
use super::{ControlPlane, Visitor};
use crate::cast::Cast;
use crate::ids::SessionId;
use crate::policy::{self, LinkParameters, ProofFact, Step};
use crate::ports::Fault;
use crate::time::Timestamp;

/// A made-up visit.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The visitor and where they come from.
    pub visitor: Visitor,
    /// The parameters of the link.
    pub wishes: LinkParameters,
    /// The time.
    pub at: Timestamp,
}

impl ControlPlane {
    /// The verdict of every policy on this visit, with the current limits.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn try_link(&self, cast: &Cast, trial: &Trial) -> Result<Vec<Step>, Fault> {
        let (visitor, now) = (&trial.visitor, trial.at);
        let mut context = self
            .gather(
                None,
                None,
                VisitDetails {
                    visitor,
                    referrer: visitor.referrer.as_deref(),
                    wishes: &trial.wishes,
                },
                now,
            )
            .await?;
        let cast = std::sync::Arc::new(cast.clone());
        self.gather_for(&cast, &mut context, now).await?;
        context.entry = Some((SessionId::from_bytes([0; 16]), false));
        self.load_queue(&cast, &mut context).await?;
        context.own_session = self.find_own(Some(&cast), visitor, None).await?;
        context.proof = ProofFact::NotAsked;
        for quota in policy::live_limits::quotas(
            &cast,
            context.image.as_deref(),
            visitor.user.as_ref(),
            &context.grant,
            &context.system.settings,
            now,
        ) {
            if quota.is_full(self.store.quota(&quota.key).await?) {
                context.full.insert(quota.kind);
            }
        }
        let window =
            match policy::ip_window::applies(cast.settings.ip_limit.as_ref(), visitor.address) {
                Some(limit) => Some(
                    self.store
                        .window(&self.window_key(&cast, limit.by, visitor))
                        .await?,
                ),
                None => None,
            };
        Ok(policy::trace(&context.facts(window.as_ref(), now)))
    }
}
