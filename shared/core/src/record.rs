//! Owns what the records of the catalog have in common, so that the store keeps them all alike. Must not know any of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{Fault, Store};

/// Records that are read in one call.
const AT_A_TIME: u32 = 100;

/// A record of the catalog: found by its id, written over the version that was read.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// What this kind is called in the store.
    const KIND: &'static str;
    /// Tells it from the others of its kind.
    fn id(&self) -> &str;
    /// Grows with every change.
    fn version(&self) -> u64;
}

/// Every record of a kind.
///
/// # Errors
///
/// If the store does not answer.
pub async fn read_all<R: Record, S: Store>(store: &S) -> Result<Vec<R>, Fault> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.records::<R>(after.as_deref(), AT_A_TIME).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
