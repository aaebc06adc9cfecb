//! Owns the trial of a link («test this link»): evaluates the policies as for a real visitor, for a
//! made-up one. Takes and counts nothing.

use super::admission_context::VisitDetails;
use super::{ControlPlane, Visitor};
use crate::cast::Cast;
use crate::group;
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
    pub parameters: LinkParameters,
    /// Whether the CAPTCHA is solved; `None`: not said.
    pub captcha: Option<bool>,
    /// The time.
    pub at: Timestamp,
}

/// What would become of a made-up visit.
#[derive(Clone, Debug)]
pub struct TrialOutcome {
    /// The verdict of every policy.
    pub steps: Vec<Step>,
    /// The names of the visitor's groups, the most important first.
    pub groups: Vec<String>,
}

impl ControlPlane {
    /// The names of the groups that a login with these groups would be in, the most important first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn groups_of_login(&self, names: &[String]) -> Result<Vec<String>, Fault> {
        let groups = self.cache.groups(&*self.store, self.clock.now()).await?;
        let found = group::groups_of_login(&groups, names);
        Ok(found
            .into_iter()
            .map(|group| group.settings.name.clone())
            .collect())
    }

    /// The verdict of every policy on this visit, with the current limits.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn try_link(&self, cast: &Cast, trial: &Trial) -> Result<TrialOutcome, Fault> {
        let (visitor, now) = (&trial.visitor, trial.at);
        let mut context = self
            .gather(
                None,
                None,
                VisitDetails {
                    visitor,
                    referrer: visitor.referrer.as_deref(),
                    parameters: &trial.parameters,
                    wait: None,
                },
                now,
            )
            .await?;
        // Without a solution to check: whether one could be checked at all.
        let captcha = &context.deployment.settings.captcha;
        context.proof = match trial.captcha {
            _ if !captcha.can_pass() => ProofFact::Unchecked,
            None => ProofFact::NotAsked,
            Some(true) => ProofFact::Passed,
            Some(false) => ProofFact::Missing,
        };
        let cast = std::sync::Arc::new(cast.clone());
        self.gather_for(&cast, &mut context, now).await?;
        self.look_at_uses(&mut context).await?;
        context.entry = Some((SessionId::from_bytes([0; 16]), false));
        self.load_queue(&cast, &mut context).await?;
        context.own_session = self.find_own(Some(&cast), visitor, None).await?;
        for quota in policy::live_limits::quotas(
            &cast,
            context.image.as_deref(),
            visitor.user.as_ref(),
            context.invitation.as_ref(),
            &context.grant,
            &context.deployment.settings,
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
        let groups = self.cache.groups(&*self.store, now).await?;
        let groups = group::groups_of(
            &cast,
            visitor.user.as_ref(),
            context.invitation.as_ref(),
            context.given(&cast),
            &groups,
        );
        Ok(TrialOutcome {
            steps: policy::trace(&context.facts(window.as_ref(), now)),
            groups: groups
                .into_iter()
                .map(|group| group.settings.name.clone())
                .collect(),
        })
    }
}
