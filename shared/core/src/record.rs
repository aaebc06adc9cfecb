//! Owns what the records of the catalog have in common, so that the store keeps them all alike. Must not know any of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record of the catalog: found by its id, written over the version that was read.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// What this kind is called in the store.
    const KIND: &'static str;
    /// Tells it from the others of its kind.
    fn id(&self) -> &str;
    /// Grows with every change.
    fn version(&self) -> u64;
}
