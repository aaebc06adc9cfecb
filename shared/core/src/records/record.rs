//! Owns what the records of the catalog have in common, and the typed way to them over the store's
//! documents. Must not know any of them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::audit::Audit;
use crate::ports::{Fault, FaultKind, Page, Saved, Store};

/// Records that are read in one call.
const AT_A_TIME: u32 = 100;

/// A record of the catalog: found by its id, written over the version that was read.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// What this kind is called in the store.
    const KIND: &'static str;
    /// Its id, unique among records of its kind.
    fn id(&self) -> &str;
    /// Grows with every change.
    fn version(&self) -> u64;
}

/// Records by their types. Generic methods cannot be called on a `dyn` port, so these stand beside
/// it.
impl dyn Store + '_ {
    /// The record as it is now.
    ///
    /// # Errors
    /// If the store does not answer, or keeps something else under this id.
    pub async fn record<R: Record>(&self, id: &str) -> Result<Option<R>, Fault> {
        let document = self.record_document(R::KIND, id).await?;
        document.map(read).transpose()
    }

    /// A page of all records of a kind, by id.
    ///
    /// # Errors
    /// As `record`.
    pub async fn records<R: Record>(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<R>, Fault> {
        let page = self.record_documents(R::KIND, after, limit).await?;
        let items = page.items.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// Every record of a kind.
    ///
    /// # Errors
    /// As `record`.
    pub async fn all_records<R: Record>(&self) -> Result<Vec<R>, Fault> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.records::<R>(after.as_deref(), AT_A_TIME).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Writes a record over `expected_version`, or as a new one when `None`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn put_record<R: Record>(
        &self,
        record: &R,
        expected_version: Option<u64>,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault> {
        self.put_record_document(R::KIND, written(record)?, expected_version, audit)
            .await
    }

    /// Deletes the record of this version.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn delete_record<R: Record>(
        &self,
        record: &R,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault> {
        self.delete_record_document(R::KIND, record.id(), record.version(), audit)
            .await
    }
}

/// The document of a record.
pub(crate) fn written(record: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(record).map_err(|error| corrupt("write a record", &error))
}

/// The record of a document.
pub(crate) fn read<R: DeserializeOwned>(document: Value) -> Result<R, Fault> {
    serde_json::from_value(document).map_err(|error| corrupt("read a record", &error))
}

fn corrupt(what: &'static str, error: &serde_json::Error) -> Fault {
    Fault {
        kind: FaultKind::Corrupt,
        what,
        detail: error.to_string(),
    }
}
