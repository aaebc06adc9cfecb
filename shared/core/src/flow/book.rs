//! Owns what is remembered of casts, records and pools between requests: enough to answer a flood without reading, and never long enough to matter.
//! Money never moves on what stands here: a reservation is written over the config version that was judged, or after a fresh read.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use crate::cast::Cast;
use crate::group::Group;
use crate::ids::{CastKey, ImageId, SessionId, StagingId};
use crate::image::Image;
use crate::network::{Network, NetworkName};
use crate::ports::{Fault, Store};
use crate::record::{Record, read_all};
use crate::session::Session;
use crate::staging::Staging;
use crate::system::{SYSTEM_ID, System};
use crate::time::Timestamp;

/// How long a cast is remembered, also that there is none, in seconds.
const CAST_SECONDS: u64 = 5;
/// How long an image, a network, the groups or the deployment's settings are remembered, in seconds.
const RECORD_SECONDS: u64 = 30;
/// How long a count is remembered to be full, in seconds: long enough for a flood, short enough for whoever waits.
const FULL_SECONDS: u64 = 2;
/// How long it is remembered what waits in a pool, in seconds: a row that is older is refused anyway when it is given away.
const STAGED_SECONDS: u64 = 2;
/// Entries kept of each kind; beyond that, everything is forgotten.
const ENTRIES: usize = 2000;

/// Casts by key, records by id, groups and settings as a whole.
#[derive(Default)]
pub(super) struct Book {
    casts: Shelf<CastKey, Cast>,
    images: Shelf<String, Image>,
    networks: Shelf<String, Network>,
    groups: Shelf<(), Vec<Group>>,
    system: Shelf<(), System>,
    full: Shelf<String, ()>,
    pools: Shelf<(), Vec<Staging>>,
    staged: Shelf<String, Vec<Session>>,
}

impl Book {
    /// The cast with this key, at most [`CAST_SECONDS`] old.
    pub(super) async fn cast<S: Store>(
        &self,
        store: &S,
        key: &CastKey,
        now: Timestamp,
    ) -> Result<Option<Arc<Cast>>, Fault> {
        if let Some(known) = self.casts.find(key, now) {
            return Ok(known);
        }
        let read = store.cast_by_key(key).await?.map(Arc::new);
        self.casts.put(
            key.clone(),
            read.clone(),
            now.plus_seconds(CAST_SECONDS),
            now,
        );
        Ok(read)
    }

    /// The cast with this key, if it is remembered; asks nobody.
    pub(super) fn remembered_cast(&self, key: &CastKey, now: Timestamp) -> Option<Arc<Cast>> {
        self.casts.find(key, now).flatten()
    }

    /// Remembers what was read, or learnt from a refused reservation.
    pub(super) fn learn(&self, key: &CastKey, cast: Option<Arc<Cast>>, now: Timestamp) {
        self.casts
            .put(key.clone(), cast, now.plus_seconds(CAST_SECONDS), now);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.casts.clear();
        self.images.clear();
        self.networks.clear();
        self.groups.clear();
        self.system.clear();
        self.full.clear();
        self.pools.clear();
        self.staged.clear();
    }

    /// The image with this id, at most [`RECORD_SECONDS`] old.
    pub(super) async fn image<S: Store>(
        &self,
        store: &S,
        id: &ImageId,
        now: Timestamp,
    ) -> Result<Option<Arc<Image>>, Fault> {
        self.images.record(store, id.as_str(), now).await
    }

    /// The network of this name, at most [`RECORD_SECONDS`] old.
    pub(super) async fn network<S: Store>(
        &self,
        store: &S,
        name: &NetworkName,
        now: Timestamp,
    ) -> Result<Option<Arc<Network>>, Fault> {
        self.networks.record(store, name.as_str(), now).await
    }

    /// The deployment's settings, at most [`RECORD_SECONDS`] old.
    pub(super) async fn system<S: Store>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<Arc<System>, Fault> {
        if let Some(Some(known)) = self.system.find(&(), now) {
            return Ok(known);
        }
        let read = Arc::new(store.record::<System>(SYSTEM_ID).await?.unwrap_or_default());
        self.system.put(
            (),
            Some(read.clone()),
            now.plus_seconds(RECORD_SECONDS),
            now,
        );
        Ok(read)
    }

    /// Every group, *All Users* among them, at most [`RECORD_SECONDS`] old.
    pub(super) async fn groups<S: Store>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<Arc<Vec<Group>>, Fault> {
        if let Some(Some(known)) = self.groups.find(&(), now) {
            return Ok(known);
        }
        let mut read = read_all::<Group, S>(store).await?;
        if read.iter().all(|group| group.id != Group::all_users_id()) {
            read.push(Group::all_users());
        }
        let read = Arc::new(read);
        self.groups.put(
            (),
            Some(read.clone()),
            now.plus_seconds(RECORD_SECONDS),
            now,
        );
        Ok(read)
    }

    /// Every pool, at most [`RECORD_SECONDS`] old.
    pub(super) async fn pools<S: Store>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<Arc<Vec<Staging>>, Fault> {
        if let Some(Some(known)) = self.pools.find(&(), now) {
            return Ok(known);
        }
        let read = Arc::new(read_all::<Staging, S>(store).await?);
        self.pools.put(
            (),
            Some(read.clone()),
            now.plus_seconds(RECORD_SECONDS),
            now,
        );
        Ok(read)
    }

    /// What waits in a pool, at most [`STAGED_SECONDS`] old, without those that were given away here.
    pub(super) async fn staged<S: Store>(
        &self,
        store: &S,
        pool: &StagingId,
        now: Timestamp,
    ) -> Result<Arc<Vec<Session>>, Fault> {
        if let Some(Some(known)) = self.staged.find(pool.as_str(), now) {
            return Ok(known);
        }
        let read = Arc::new(store.pool(pool).await?);
        self.staged.put(
            pool.as_str().to_owned(),
            Some(read.clone()),
            now.plus_seconds(STAGED_SECONDS),
            now,
        );
        Ok(read)
    }

    /// Nobody else here tries to give this session away.
    pub(super) fn take_staged(&self, pool: &StagingId, id: &SessionId) {
        self.staged.change(pool.as_str(), |waiting| {
            Arc::make_mut(waiting).retain(|session| session.id != *id);
        });
    }

    /// Remembers for a moment that a count is full.
    pub(super) fn learn_full(&self, key: &str, now: Timestamp) {
        self.full.put(
            key.to_owned(),
            Some(Arc::new(())),
            now.plus_seconds(FULL_SECONDS),
            now,
        );
    }

    /// Whether a count was found full a moment ago.
    pub(super) fn is_full(&self, key: &str, now: Timestamp) -> bool {
        self.full.find(key, now).is_some()
    }
}

impl<R: Record> Shelf<String, R> {
    async fn record<S: Store>(
        &self,
        store: &S,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<R>>, Fault> {
        if let Some(known) = self.find(id, now) {
            return Ok(known);
        }
        let read = store.record::<R>(id).await?.map(Arc::new);
        self.put(
            id.to_owned(),
            read.clone(),
            now.plus_seconds(RECORD_SECONDS),
            now,
        );
        Ok(read)
    }
}

struct Remembered<V> {
    value: Option<Arc<V>>,
    until: Timestamp,
}

struct Shelf<K, V>(Mutex<HashMap<K, Remembered<V>>>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq, V> Shelf<K, V> {
    /// `None`: not remembered; `Some(None)`: remembered that there is none.
    fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<Option<Arc<V>>>
    where
        K: Borrow<Q>,
    {
        let shelf = self.0.lock().ok()?;
        let entry = shelf.get(key)?;
        (now < entry.until).then(|| entry.value.clone())
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Arc<V>))
    where
        K: Borrow<str>,
    {
        if let Ok(mut shelf) = self.0.lock()
            && let Some(value) = shelf.get_mut(key).and_then(|entry| entry.value.as_mut())
        {
            change(value);
        }
    }

    fn clear(&self) {
        if let Ok(mut shelf) = self.0.lock() {
            shelf.clear();
        }
    }

    fn put(&self, key: K, value: Option<Arc<V>>, until: Timestamp, now: Timestamp) {
        if let Ok(mut shelf) = self.0.lock() {
            if shelf.len() >= ENTRIES {
                shelf.retain(|_, entry| now < entry.until);
            }
            if shelf.len() >= ENTRIES {
                shelf.clear();
            }
            shelf.insert(key, Remembered { value, until });
        }
    }
}
