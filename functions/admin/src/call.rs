//! Owns the call: one request of somebody whose API key was checked. Must not know what is asked for.

use casting_core::Casting;
use casting_core::ids::ApiKeyId;
use casting_core::keys::{hash_secret, same_secret};
use casting_core::ports::{ApiKey, Fault, Store};
use casting_web::{Mistake, Problem, Request, Visit, body};
use serde_json::Value;

use crate::failure::Failure;

/// One request, and everything an endpoint needs to answer it.
pub(crate) struct Call<'a, S, L> {
    /// The control plane.
    pub(crate) casting: &'a Casting<S, L>,
    /// The request, as far as it is not its body.
    pub(crate) visit: &'a Visit,
    /// What stands for `{id}` in the path, as sent.
    pub(crate) id: &'a str,
    /// Who calls.
    pub(crate) administrator: ApiKeyId,
    request: &'a Request,
}

impl<'a, S: Store, L> Call<'a, S, L> {
    /// Lets in whoever sends `{id}.{secret}` of an API key, as `X-Api-Key` or else as a bearer token: where the gateway asks for tokens of a login
    /// provider, these take the place in `Authorization`. Nothing is remembered: a deleted key ends with this request.
    ///
    /// # Errors
    /// 401 for everybody else, in the same words whatever was wrong.
    pub(crate) async fn admit(casting: &'a Casting<S, L>, visit: &'a Visit, request: &'a Request, id: &'a str) -> Result<Self, Failure> {
        let sent = request.headers().get("x-api-key").and_then(|value| value.to_str().ok());
        match find_key(&casting.store, sent.or_else(|| visit.bearer())).await? {
            Some(key) => Ok(Self { casting, visit, id, administrator: key.id, request }),
            None => Err(Problem::new(Mistake::Unauthorized).into()),
        }
    }

    /// The JSON document that was sent.
    ///
    /// # Errors
    /// 413, 415 or 400.
    pub(crate) fn document(&self) -> Result<Value, Failure> {
        Ok(body::json(self.request)?)
    }
}

async fn find_key<S: Store>(store: &S, bearer: Option<&str>) -> Result<Option<ApiKey>, Fault> {
    let (id, secret) = bearer.and_then(|bearer| bearer.split_once('.')).unwrap_or_default();
    let key = match ApiKeyId::parse(id) {
        Some(id) => store.api_key(&id).await?,
        None => None,
    };
    Ok(matching(key, secret))
}

/// The key, if `secret` is its secret. An id that does not exist costs the same comparison, with a hash that nothing has.
fn matching(key: Option<ApiKey>, secret: &str) -> Option<ApiKey> {
    let expected = key.as_ref().map_or("", |key| key.secret_hash.as_str());
    let same = same_secret(expected, &hash_secret(secret));
    key.filter(|_| same)
}

#[cfg(test)]
mod tests {
    use casting_core::testing::{NOON, SeededEntropy};

    use super::*;
    use crate::api_keys::issue;

    #[test]
    fn a_key_opens_with_its_own_secret_only() {
        let (key, text) = issue(&SeededEntropy::new(1), NOON, "ours".into());
        let (_, other) = issue(&SeededEntropy::new(2), NOON, "another".into());
        let secret = |text: &str| text.split_once('.').map(|(_, secret)| secret.to_owned()).unwrap_or_default();
        for (name, found, sent, opens) in [
            ("its secret", Some(key.clone()), secret(&text), true),
            ("another key's", Some(key.clone()), secret(&other), false),
            ("a cut one", Some(key.clone()), secret(&text)[1..].to_owned(), false),
            ("the hash itself", Some(key.clone()), key.secret_hash.clone(), false),
            ("nothing", Some(key), String::new(), false),
            ("no such key", None, secret(&text), false),
            ("no such key, nothing", None, String::new(), false),
        ] {
            assert_eq!(matching(found, &sent).is_some(), opens, "{name}");
        }
    }
}
