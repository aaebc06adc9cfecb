//! Owns authentication of administrators: by an API key, the deployment's own key, a console
//! ticket, or a login with a role. Must not know which header or cookie held them, or what is
//! requested.

use std::net::IpAddr;

use super::{ControlPlane, FlowError};
use crate::actor::{Actor, ActorKind, Scope};
use crate::address;
use crate::api_key::ApiKey;
use crate::console_ticket::ConsoleTicket;
use crate::denial::{Denial, DenialCode};
use crate::ids::{ApiKeyId, Nonce, random_bytes};
use crate::keys::{hash_secret, same_secret};
use crate::policy;
use crate::ports::{Fault, Saved};
use crate::rate_limit::RateLimit;
use crate::time::Timestamp;
use crate::user::User;

/// How long a sign-in with a key lasts, in seconds (8 hours, as a login).
pub const SIGNED_IN_SECONDS: u64 = 8 * 3600;
/// How many characters of a key's hash a console ticket contains.
const FINGERPRINT_CHARS: usize = 16;
/// The name of the deployment's own key.
const DEPLOYMENT: &str = "deployment";

/// A credential as it was presented.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// The text of an API key, or the deployment's own key.
    Key(&'a str),
    /// A console ticket.
    Console(&'a str),
    /// A logged-in user.
    Login(&'a User),
}

impl ControlPlane {
    /// Authenticates the holder of this credential at this address. `None` for every credential
    /// that is not valid (any more); each wrong key counts as an attempt of its address.
    ///
    /// # Errors
    /// `TooManyAttempts`, with the rate limit that refused, or a fault of the store.
    pub async fn authenticate(
        &self,
        credential: Credential<'_>,
        address: Option<IpAddr>,
    ) -> Result<Option<Actor>, FlowError> {
        let now = self.clock.now();
        let place = address.map(|address| address::hash(address, &self.keys));
        let deployment = self.cache.deployment(&*self.store, now).await?;
        if let (Some(place), Credential::Key(_)) = (&place, credential) {
            let most = deployment.settings.attempts_per_minute;
            let rate = self.attempts.rate(RateLimit::ATTEMPTS, place, most, now);
            policy::attempts::check(self.attempts.wait(place, most, now))
                .map_err(|denial| denial.by_limit(rate))?;
        }
        let actor = match credential {
            Credential::Key(text) => self.actor_of_key(text, now).await?,
            Credential::Console(text) => self.actor_of_ticket(text, now).await?,
            Credential::Login(user) => actor_of_user(user),
        };
        let Some(actor) = actor else {
            if let (Some(place), Credential::Key(_)) = (&place, credential) {
                self.attempts.note(place, now);
            }
            return Ok(None);
        };
        let (caller, most) = (actor.caller(), deployment.settings.calls_per_minute);
        if let Some(wait) = self.calls.wait(&caller, most, now) {
            let denial = Denial::retry(DenialCode::TooManyAttempts, wait);
            let rate = self.calls.rate(RateLimit::CALLS, &caller, most, now);
            return Err(denial.by_limit(rate).into());
        }
        self.calls.note(&caller, now);
        Ok(Some(Actor { address, ..actor }))
    }

    /// A console ticket for the holder of this key; `None` if the key is not valid.
    ///
    /// # Errors
    /// As [`ControlPlane::authenticate`].
    pub async fn sign_in(
        &self,
        key: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<(Actor, String)>, FlowError> {
        let Some(actor) = self.authenticate(Credential::Key(key), address).await? else {
            return Ok(None);
        };
        let (key, hash) = match ApiKey::parse(key) {
            Some((id, secret)) => (id.to_string(), hash_secret(secret)),
            None => (String::new(), hash_secret(key)),
        };
        let ticket = ConsoleTicket {
            key,
            fingerprint: fingerprint_of(&hash).to_owned(),
            nonce: Nonce::from_bytes(random_bytes(&*self.entropy)),
            expires: self.clock.now().plus_seconds(SIGNED_IN_SECONDS),
        };
        Ok(Some((actor, ticket.sign(&self.keys))))
    }

    async fn actor_of_key(&self, text: &str, now: Timestamp) -> Result<Option<Actor>, Fault> {
        let Some((id, secret)) = ApiKey::parse(text) else {
            let expected = self.deployment_key.as_deref().unwrap_or_default();
            let same = same_secret(expected, &hash_secret(text));
            return Ok(same.then(deployment));
        };
        let key = ApiKey::matching(self.store.record(id.as_str()).await?, secret, now);
        Ok(match key {
            Some(key) => Some(self.use_key(&key, now).await?),
            None => None,
        })
    }

    async fn actor_of_ticket(&self, text: &str, now: Timestamp) -> Result<Option<Actor>, Fault> {
        let Ok(ticket) = ConsoleTicket::open(text, &self.keys, now) else {
            return Ok(None);
        };
        if ticket.key.is_empty() {
            let is_current = self
                .deployment_key
                .as_deref()
                .is_some_and(|hash| fingerprint_of(hash) == ticket.fingerprint);
            return Ok(is_current.then(deployment));
        }
        let Some(id) = ApiKeyId::parse(&ticket.key) else {
            return Ok(None);
        };
        let key: Option<ApiKey> = self.store.record(id.as_str()).await?;
        let key = key.filter(|key| {
            key.is_valid(now) && fingerprint_of(&key.secret_hash) == ticket.fingerprint
        });
        Ok(match key {
            Some(key) => Some(self.use_key(&key, now).await?),
            None => None,
        })
    }

    /// Records the use of a key, if the last record is old enough. A key that is being changed at
    /// this moment is recorded at its next use.
    async fn use_key(&self, key: &ApiKey, now: Timestamp) -> Result<Actor, Fault> {
        if let Some(used) = key.used(now)
            && self
                .store
                .put_record(&used, Some(key.version), None)
                .await?
                == Saved::Stale
        {
            tracing::debug!(api_key.id = %key.id, "A use of API key {} was not noted", key.id);
        }
        Ok(key.actor())
    }
}

fn fingerprint_of(hash: &str) -> &str {
    hash.get(..FINGERPRINT_CHARS).unwrap_or(hash)
}

fn deployment() -> Actor {
    Actor {
        kind: ActorKind::Deployment,
        id: DEPLOYMENT.to_owned(),
        name: "The deployment's own key".to_owned(),
        scopes: Scope::ALL.into(),
        expires_at: None,
        address: None,
    }
}

/// A logged-in user, if their roles admit them.
fn actor_of_user(user: &User) -> Option<Actor> {
    let scopes: std::collections::BTreeSet<Scope> =
        user.roles.iter().flat_map(|role| role.scopes()).collect();
    (!scopes.is_empty()).then(|| Actor {
        kind: ActorKind::User,
        id: user.id.to_string(),
        name: user.name.clone(),
        scopes,
        expires_at: None,
        address: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;
    use crate::user::ConsoleRole;

    #[test]
    fn login_is_authorized_by_its_roles() {
        for (name, roles, may) in [
            ("nobody in particular", vec![], None),
            (
                "an auditor",
                vec![ConsoleRole::Auditor],
                Some((true, false)),
            ),
            (
                "an administrator",
                vec![ConsoleRole::Admin],
                Some((true, true)),
            ),
            (
                "both",
                vec![ConsoleRole::Auditor, ConsoleRole::Admin],
                Some((true, true)),
            ),
        ] {
            let actor = actor_of_user(&User { roles, ..user(1) });
            assert_eq!(
                actor.map(|actor| (actor.may_read(), actor.may(Scope::Casts))),
                may,
                "{name}"
            );
        }
    }
}
