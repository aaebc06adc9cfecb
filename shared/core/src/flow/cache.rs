//! Owns the caches of casts, records and pools between requests: enough to answer a flood without
//! reads, and short-lived. A reservation that takes of a limit is conditional on the version of the
//! link that was evaluated; one that takes nothing but its session is decided on what is cached.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::cast::Cast;
use crate::deployment::{DEPLOYMENT_ID, Deployment};
use crate::group::Group;
use crate::ids::{CastId, CastKey, ImageId, SessionId, StagingId};
use crate::image::Image;
use crate::network::{Network, NetworkName};
use crate::ports::{Fault, Store};
use crate::record::Record;
use crate::session::Session;
use crate::staging::StagingConfig;
use crate::start_times::StartTimes;
use crate::time::Timestamp;

/// For how many seconds other function instances may still act on data from before a change: each
/// caches a cast with its counter (also that there is none), an image, a network, the groups, the
/// pools and the deployment's settings for that long. The instance that made the change sees it at
/// once.
pub const CHANGE_SECONDS: u64 = 5;
/// How long a quota is cached as full, in milliseconds: long enough to answer a flood without
/// reads, and a place that becomes free is available within a second.
const FULL_MILLIS: i64 = 500;
/// How long the waiting sessions of a pool are cached, in seconds: an outdated row is refused at
/// the assignment anyway.
const STAGED_SECONDS: u64 = 2;
/// How long the usual start time of an image is cached, in seconds: it is written by the hour.
const USUAL_SECONDS: u64 = 600;
/// Entries of each kind; beyond that, the cache is emptied.
const ENTRIES: usize = 2000;

/// Casts by key, records by id, groups and settings as a whole.
#[derive(Default)]
pub(super) struct SettingsCache {
    casts: TtlCache<CastKey, Cast>,
    images: TtlCache<String, Image>,
    usual_starts: TtlCache<String, StartTimes>,
    networks: TtlCache<String, Network>,
    groups: TtlCache<(), Vec<Group>>,
    deployment: TtlCache<(), Deployment>,
    full: TtlCache<String, ()>,
    pools: TtlCache<(), Vec<StagingConfig>>,
    staged: TtlCache<String, Vec<Session>>,
    /// Grows whenever the cache is emptied.
    generation: AtomicU64,
}

/// When a read began. Its result is cached only if the cache was not emptied since: it may show
/// rows from before the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl SettingsCache {
    /// Call this before a read whose result is to be cached.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    /// Caches the result of a read that began in `generation`.
    fn keep<K: Hash + Eq, V>(
        &self,
        cache: &TtlCache<K, V>,
        key: K,
        value: Option<Arc<V>>,
        (seconds, now): (u64, Timestamp),
        generation: Generation,
    ) {
        // Compared under the cache's lock: emptying increments the generation before it takes that lock.
        let current = || self.generation() == generation;
        cache.put(key, value, now.plus_seconds(seconds), now, current);
    }

    /// The cast with this key, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn cast(
        &self,
        store: &dyn Store,
        key: &CastKey,
        now: Timestamp,
    ) -> Result<Option<Arc<Cast>>, Fault> {
        if let Some(known) = self.casts.find(key, now) {
            return Ok(known);
        }
        let generation = self.generation();
        let read = store.cast_by_key(key).await?.map(Arc::new);
        self.learn(key, read.clone(), now, generation);
        Ok(read)
    }

    /// The cast with this key, if it is cached.
    pub(super) fn remembered_cast(&self, key: &CastKey, now: Timestamp) -> Option<Arc<Cast>> {
        self.casts.find(key, now).flatten()
    }

    /// Caches a cast that was read, or returned by a refused reservation.
    pub(super) fn learn(
        &self,
        key: &CastKey,
        cast: Option<Arc<Cast>>,
        now: Timestamp,
        generation: Generation,
    ) {
        let until = (CHANGE_SECONDS, now);
        self.keep(&self.casts, key.clone(), cast, until, generation);
    }

    /// Empties the cache.
    pub(super) fn clear(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.casts.clear();
        self.images.clear();
        self.usual_starts.clear();
        self.networks.clear();
        self.groups.clear();
        self.deployment.clear();
        self.full.clear();
        self.pools.clear();
        self.staged.clear();
    }

    /// The image with this id, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn image(
        &self,
        store: &dyn Store,
        id: &ImageId,
        now: Timestamp,
    ) -> Result<Option<Arc<Image>>, Fault> {
        self.record(&self.images, store, id.as_str(), now).await
    }

    /// How long a start of this image usually takes, in milliseconds, at most [`USUAL_SECONDS`]
    /// old; `None` when that is not known, also because it could not be read.
    pub(super) async fn usual_start(
        &self,
        store: &dyn Store,
        id: &ImageId,
        now: Timestamp,
    ) -> Option<u32> {
        let usual = |known: Option<Arc<StartTimes>>| known?.usual();
        if let Some(known) = self.usual_starts.find(id.as_str(), now) {
            return usual(known);
        }
        let generation = self.generation();
        // It is not worth a failed claim.
        let read = store.record::<StartTimes>(id.as_str()).await.ok()?;
        let (read, until) = (read.map(Arc::new), (USUAL_SECONDS, now));
        let id = id.as_str().to_owned();
        self.keep(&self.usual_starts, id, read.clone(), until, generation);
        usual(read)
    }

    /// The network of this name, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn network(
        &self,
        store: &dyn Store,
        name: &NetworkName,
        now: Timestamp,
    ) -> Result<Option<Arc<Network>>, Fault> {
        self.record(&self.networks, store, name.as_str(), now).await
    }

    /// The deployment's settings, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn deployment(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Deployment>, Fault> {
        if let Some(Some(known)) = self.deployment.find(&(), now) {
            return Ok(known);
        }
        self.read_system(store, now).await
    }

    /// The deployment's settings, if they are cached.
    pub(super) fn remembered_deployment(&self, now: Timestamp) -> Option<Arc<Deployment>> {
        self.deployment.find(&(), now).flatten()
    }

    /// The current deployment settings, read afresh.
    pub(super) async fn read_system(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Deployment>, Fault> {
        let generation = self.generation();
        let read = Arc::new(
            store
                .record::<Deployment>(DEPLOYMENT_ID)
                .await?
                .unwrap_or_default(),
        );
        let until = (CHANGE_SECONDS, now);
        self.keep(&self.deployment, (), Some(read.clone()), until, generation);
        Ok(read)
    }

    /// Every group, *All Users* among them, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn groups(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Vec<Group>>, Fault> {
        if let Some(Some(known)) = self.groups.find(&(), now) {
            return Ok(known);
        }
        let generation = self.generation();
        let mut read = store.all_records::<Group>().await?;
        if read.iter().all(|group| group.id != Group::all_users_id()) {
            read.push(Group::all_users());
        }
        let read = Arc::new(read);
        let until = (CHANGE_SECONDS, now);
        self.keep(&self.groups, (), Some(read.clone()), until, generation);
        Ok(read)
    }

    /// Every pool, at most [`CHANGE_SECONDS`] old.
    pub(super) async fn pools(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Vec<StagingConfig>>, Fault> {
        if let Some(Some(known)) = self.pools.find(&(), now) {
            return Ok(known);
        }
        let generation = self.generation();
        let read = Arc::new(store.all_records::<StagingConfig>().await?);
        let until = (CHANGE_SECONDS, now);
        self.keep(&self.pools, (), Some(read.clone()), until, generation);
        Ok(read)
    }

    /// The waiting sessions of a pool, at most [`STAGED_SECONDS`] old, without those that this
    /// process has assigned.
    pub(super) async fn staged(
        &self,
        store: &dyn Store,
        pool: &StagingId,
        now: Timestamp,
    ) -> Result<Arc<Vec<Session>>, Fault> {
        if let Some(Some(known)) = self.staged.find(pool.as_str(), now) {
            return Ok(known);
        }
        let generation = self.generation();
        let read = Arc::new(store.pool(pool).await?);
        let (pool, until) = (pool.as_str().to_owned(), (STAGED_SECONDS, now));
        self.keep(&self.staged, pool, Some(read.clone()), until, generation);
        Ok(read)
    }

    /// Reserves this session for one claim in this process.
    pub(super) fn take_staged(&self, pool: &StagingId, id: &SessionId) {
        self.staged.change(pool.as_str(), |waiting| {
            Arc::make_mut(waiting).retain(|session| session.id != *id);
        });
    }

    /// Makes a session available again that was picked and not assigned.
    pub(super) fn return_staged(&self, taken: Option<&Session>) {
        let Some((session, pool)) = taken.and_then(|taken| Some((taken, taken.idle_pool()?)))
        else {
            return;
        };
        self.staged.change(pool.as_str(), |waiting| {
            Arc::make_mut(waiting).push(session.clone());
        });
    }

    async fn record<R: Record>(
        &self,
        cache: &TtlCache<String, R>,
        store: &dyn Store,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<R>>, Fault> {
        if let Some(known) = cache.find(id, now) {
            return Ok(known);
        }
        let generation = self.generation();
        let read = store.record::<R>(id).await?.map(Arc::new);
        let until = (CHANGE_SECONDS, now);
        self.keep(cache, id.to_owned(), read.clone(), until, generation);
        Ok(read)
    }

    /// Removes this cast only, whatever key it was cached by.
    pub(super) fn forget_cast(&self, id: &CastId) {
        self.casts.retain(|cast| cast.id != *id);
    }

    /// Caches for a moment that a quota is full.
    pub(super) fn learn_full(&self, key: &str, now: Timestamp, generation: Generation) {
        let (full, until) = (
            Some(Arc::new(())),
            Timestamp::from_millis(now.millis() + FULL_MILLIS),
        );
        let current = || self.generation() == generation;
        self.full.put(key.to_owned(), full, until, now, current);
    }

    /// Whether a quota was full a moment ago.
    pub(super) fn is_full(&self, key: &str, now: Timestamp) -> bool {
        self.full.find(key, now).is_some()
    }
}

struct Remembered<V> {
    value: Option<Arc<V>>,
    until: Timestamp,
}

struct TtlCache<K, V>(Mutex<HashMap<K, Remembered<V>>>);

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq, V> TtlCache<K, V> {
    /// `None`: not cached; `Some(None)`: cached that there is none.
    fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<Option<Arc<V>>>
    where
        K: Borrow<Q>,
    {
        let entries = self.0.lock().ok()?;
        let entry = entries.get(key)?;
        (now < entry.until).then(|| entry.value.clone())
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Arc<V>))
    where
        K: Borrow<str>,
    {
        if let Ok(mut entries) = self.0.lock()
            && let Some(value) = entries.get_mut(key).and_then(|entry| entry.value.as_mut())
        {
            change(value);
        }
    }

    fn clear(&self) {
        if let Ok(mut entries) = self.0.lock() {
            entries.clear();
        }
    }

    /// Removes the entries for which `keep` is false.
    fn retain(&self, passes: impl Fn(&V) -> bool) {
        if let Ok(mut entries) = self.0.lock() {
            entries.retain(|_, entry| entry.value.as_deref().is_none_or(&passes));
        }
    }

    fn put(
        &self,
        key: K,
        value: Option<Arc<V>>,
        until: Timestamp,
        now: Timestamp,
        current: impl Fn() -> bool,
    ) {
        if let Ok(mut entries) = self.0.lock()
            && current()
        {
            if entries.len() >= ENTRIES {
                entries.retain(|_, entry| now < entry.until);
            }
            if entries.len() >= ENTRIES {
                entries.clear();
            }
            entries.insert(key, Remembered { value, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, cast};

    #[test]
    fn reads_from_before_a_change_are_not_cached() {
        let cache = SettingsCache::default();
        let link = cast(1);
        let key = link.settings.key.clone();
        let stale = cache.generation();
        cache.clear();
        cache.learn(&key, Some(link.clone().into()), NOON, stale);
        assert!(
            cache.casts.find(&key, NOON).is_none(),
            "from before the change"
        );
        cache.learn_full("cast/1", NOON, stale);
        assert!(!cache.is_full("cast/1", NOON));
        cache.learn(&key, Some(link.into()), NOON, cache.generation());
        assert!(cache.casts.find(&key, NOON).is_some(), "from after it");
    }

    #[test]
    fn casts_are_cached_for_change_seconds() {
        let cache = SettingsCache::default();
        let link = cast(1);
        let key = link.settings.key.clone();
        cache.learn(&key, Some(link.into()), NOON, cache.generation());
        let last = NOON.plus_seconds(CHANGE_SECONDS);
        let before = Timestamp::from_millis(last.millis() - 1);
        assert!(cache.remembered_cast(&key, before).is_some());
        assert!(cache.remembered_cast(&key, last).is_none());
    }

    #[test]
    fn invalidation_covers_all_keys_of_a_cast() {
        let cache = SettingsCache::default();
        let (link, other) = (cast(1), cast(2));
        let old = CastKey::parse("the-old-key").expect("a key");
        let keys = [link.settings.key.clone(), old];
        for key in &keys {
            cache.learn(key, Some(link.clone().into()), NOON, cache.generation());
        }
        let kept = other.settings.key.clone();
        cache.learn(&kept, Some(other.into()), NOON, cache.generation());
        cache.forget_cast(&link.id);
        for key in &keys {
            assert!(cache.casts.find(key, NOON).is_none(), "{key}");
        }
        assert!(cache.casts.find(&kept, NOON).is_some());
    }
}
