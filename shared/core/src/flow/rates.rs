//! Owns the rate limits that replies report to callers. Uses cached data only: reporting costs
//! nothing.

use super::{ControlPlane, Visitor};
use crate::actor::Actor;
use crate::address;
use crate::denial::{Denial, DenialCode};
use crate::policy::ip_window;
use crate::rate_limit::RateLimit;

impl ControlPlane {
    /// The rate limits of a link for this visitor after an answer: `refused` is the reason of a
    /// refusal, `taken` what an accepted claim has left of the link's own limit.
    pub async fn rate_limits(
        &self,
        key: &str,
        visitor: &Visitor,
        refused: Option<&Denial>,
        taken: Option<RateLimit>,
    ) -> Vec<RateLimit> {
        let now = self.clock.now();
        let Ok(deployment) = self.cache.deployment(&*self.store, now).await else {
            return Vec::new();
        };
        let place = address::hash(visitor.address, &self.keys);
        let most = deployment.settings.attempts_per_minute;
        let mut limits = vec![self.attempts.rate(RateLimit::ATTEMPTS, &place, most, now)];
        // After too many attempts nothing is revealed of the link either.
        let cast = self.find_cast(key, Some(0), now).await.ok().flatten();
        let cast = cast.filter(|cast| cast.settings.enabled);
        let limit = cast
            .as_ref()
            .and_then(|cast| ip_window::applies(cast.settings.ip_limit.as_ref(), visitor.address));
        if let Some(limit) = limit {
            let full = refused.filter(|denial| denial.code == DenialCode::IpLimit);
            let wait = full.and_then(|denial| denial.retry_after);
            limits.push(RateLimit {
                name: RateLimit::SESSIONS,
                quota: u64::from(limit.sessions),
                window: u64::from(limit.within_seconds),
                left: wait
                    .map(|wait| (0, wait))
                    .or(taken.and_then(|taken| taken.left)),
            });
        }
        limits
    }

    /// How many calls this administrator, or this API key, has left in this minute; `None` when the
    /// settings cannot be read.
    pub async fn calls_left(&self, actor: &Actor) -> Option<RateLimit> {
        let now = self.clock.now();
        let deployment = self.cache.deployment(&*self.store, now).await.ok()?;
        let (caller, most) = (actor.caller(), deployment.settings.calls_per_minute);
        Some(self.calls.rate(RateLimit::CALLS, &caller, most, now))
    }
}
