//! Owns what is remembered of casts and images between requests: enough to answer a flood without reading, and never long enough to matter.
//! Money never moves on what stands here: a reservation is written over the config version that was judged, or after a fresh read.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use crate::cast::Cast;
use crate::ids::{CastKey, ImageId};
use crate::image::Image;
use crate::ports::{Fault, Store};
use crate::time::Timestamp;

/// How long a cast is remembered, also that there is none, in seconds.
const CAST_SECONDS: u64 = 5;
/// How long an image is remembered, in seconds.
const IMAGE_SECONDS: u64 = 30;
/// Entries kept of each kind; beyond that, everything is forgotten.
const ENTRIES: usize = 2000;

/// Casts by key, images by id.
#[derive(Default)]
pub(super) struct Book {
    casts: Shelf<CastKey, Cast>,
    images: Shelf<ImageId, Image>,
}

impl Book {
    /// The cast with this key, at most [`CAST_SECONDS`] old.
    pub(super) async fn cast<S: Store>(&self, store: &S, key: &CastKey, now: Timestamp) -> Result<Option<Arc<Cast>>, Fault> {
        if let Some(known) = self.casts.find(key, now) {
            return Ok(known);
        }
        let read = store.cast_by_key(key).await?.map(Arc::new);
        self.casts.put(key.clone(), read.clone(), now.plus_seconds(CAST_SECONDS), now);
        Ok(read)
    }

    /// Remembers what was read, or learnt from a refused reservation.
    pub(super) fn learn(&self, key: &CastKey, cast: Option<Arc<Cast>>, now: Timestamp) {
        self.casts.put(key.clone(), cast, now.plus_seconds(CAST_SECONDS), now);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.casts.clear();
        self.images.clear();
    }

    /// The image with this id, at most [`IMAGE_SECONDS`] old.
    pub(super) async fn image<S: Store>(&self, store: &S, id: &ImageId, now: Timestamp) -> Result<Option<Arc<Image>>, Fault> {
        if let Some(known) = self.images.find(id, now) {
            return Ok(known);
        }
        let read = store.image(id).await?.map(Arc::new);
        self.images.put(id.clone(), read.clone(), now.plus_seconds(IMAGE_SECONDS), now);
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
    fn find(&self, key: &K, now: Timestamp) -> Option<Option<Arc<V>>> {
        let shelf = self.0.lock().ok()?;
        let entry = shelf.get(key)?;
        (now < entry.until).then(|| entry.value.clone())
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
