//! Owns what an administrator's program does: links and sessions by methods, everything else by
//! path. Must not know what the documents mean.

use casting_protocol::ids::SessionId;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::call::Caller;
use crate::error::Error;
use crate::types::{Cast, NewCast, Page, SessionRecord};

/// The beginning of every path of the admin API.
const API: [&str; 2] = ["api", "admin"];

/// A deployment, as an administrator's program sees it. Every call is refused with `unauthorized`
/// or `forbidden` where the key does not allow it.
#[derive(Clone, Debug)]
pub struct Admin {
    caller: Caller,
}

impl Admin {
    pub(crate) const fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// A page of the links: the first, or the one with this cursor.
    ///
    /// # Errors
    /// See [`Admin`].
    pub async fn casts(&self, cursor: Option<&str>) -> Result<Page<Cast>, Error> {
        self.page("casts", cursor).await
    }

    /// A link.
    ///
    /// # Errors
    /// `Refused` with `not-found` where there is none.
    pub async fn cast(&self, id: &str) -> Result<Cast, Error> {
        self.ask(Method::GET, &["casts", id], None).await
    }

    /// Makes a link.
    ///
    /// # Errors
    /// `Refused` with `not-valid` and the wrong fields.
    pub async fn make_cast(&self, cast: &NewCast) -> Result<Cast, Error> {
        self.ask(Method::POST, &["casts"], Some(&json!(cast))).await
    }

    /// Changes these fields of a link, over this version of it; `None`: whatever its version.
    ///
    /// # Errors
    /// `Refused` with `stale` where another change came before.
    pub async fn change_cast(
        &self,
        id: &str,
        fields: Map<String, Value>,
        version: Option<u64>,
    ) -> Result<Cast, Error> {
        let path = [&API[..], &["casts", id]].concat();
        let change = Value::Object(fields);
        self.caller.change(&path, &change, version).await
    }

    /// Deletes a link. Its sessions live on.
    ///
    /// # Errors
    /// `Refused` with `not-found` where there is none.
    pub async fn delete_cast(&self, id: &str) -> Result<(), Error> {
        self.ask(Method::DELETE, &["casts", id], None).await
    }

    /// A page of the sessions: the first, or the one with this cursor.
    ///
    /// # Errors
    /// See [`Admin`].
    pub async fn sessions(&self, cursor: Option<&str>) -> Result<Page<SessionRecord>, Error> {
        self.page("sessions", cursor).await
    }

    /// A session.
    ///
    /// # Errors
    /// `Refused` with `not-found` where there is none.
    pub async fn session(&self, id: &SessionId) -> Result<SessionRecord, Error> {
        self.ask(Method::GET, &["sessions", id.as_str()], None)
            .await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `Refused` with `not-found` where there is none.
    pub async fn stop_session(&self, id: &SessionId) -> Result<SessionRecord, Error> {
        self.ask(Method::POST, &["sessions", id.as_str(), "stop"], None)
            .await
    }

    /// Any request to the admin API, by the segments of its path below `/api/admin`.
    ///
    /// # Errors
    /// See [`Admin`]; `Unreadable` where the answer is no `T`.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let path = [&API[..], path].concat();
        self.caller.ask(method, &path, body).await
    }

    async fn page<T: DeserializeOwned>(
        &self,
        list: &str,
        cursor: Option<&str>,
    ) -> Result<Page<T>, Error> {
        let path = [&API[..], &[list]].concat();
        let query: Vec<_> = cursor
            .map(|cursor| ("cursor", cursor))
            .into_iter()
            .collect();
        self.caller.find(&path, &query).await
    }
}
