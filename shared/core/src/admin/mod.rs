//! Owns the admin service: the operations of administrators on JSON documents, for the API and the
//! console alike. Must not know HTTP, the API or the console.
//!
//! # How an operation is written
//! A function of an [`AdminService`] (the control plane and the actor) and its input, which returns
//! the resulting record. The caller has checked that the actor may do it (the route tables declare
//! the required access). A change is parsed by one form of `input`, written conditionally on the
//! version that was read, and recorded by an audit entry in the same transaction.

pub mod api_keys;
pub mod audits;
pub mod budgets;
pub mod casts;
pub mod claims;
pub mod configuration;
pub mod error;
mod filtered;
pub mod hooks;
pub mod images;
pub mod invitations;
pub mod login_previews;
pub mod pools;
pub mod profiles;
pub mod records;
pub mod references;
pub mod session_actions;
pub mod sessions;
pub mod settings;
pub mod staging;
pub mod trials;
pub mod users;
pub mod uses;
pub mod version;

use crate::ControlPlane;
use crate::actor::Actor;
use crate::audit::{Action, Audit, Difference, RecordKind};
use crate::denial::{Denial, DenialCode};
use crate::ids::{Nonce, random_bytes};
use crate::ports::Saved;
use crate::record::Record;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::admin::error::AdminError;

/// The length of the fingerprint of a request, in characters (96 bits).
const FINGERPRINT: usize = 16;
/// How long a request under an idempotency key is remembered, in seconds (a day).
const REMEMBERED_SECONDS: u64 = 86_400;

/// The application service for administrators: the control plane, and who acts.
pub struct AdminService<'a> {
    /// The control plane.
    pub control_plane: &'a ControlPlane,
    /// Who acts.
    pub actor: Actor,
    /// What the actor calls this request, so that it can be repeated (`Idempotency-Key`).
    pub request_key: Option<String>,
}

/// What a new thing is called, and whether it may be there already because this is a repetition.
pub struct NewId {
    /// Sixteen bytes for its id.
    pub bytes: [u8; 16],
    /// Whether the same request may have made it before.
    pub is_repeatable: bool,
}

impl AdminService<'_> {
    /// An id for something new of this kind. Under an idempotency key, the same request gets the
    /// same id again.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub async fn new_id(&self, noun: RecordKind, input: &Value) -> Result<NewId, AdminError> {
        let Some(key) = &self.request_key else {
            return Ok(NewId {
                bytes: random_bytes(&*self.control_plane.entropy),
                is_repeatable: false,
            });
        };
        let caller = format!("{:?} {} {}", self.actor.kind, self.actor.id, noun.as_str());
        let nonce = Nonce::from_request(&caller, key);
        let content = input.to_string();
        let parts = ["admin", content.as_str()];
        let print = self.control_plane.keys.fingerprint(&parts);
        let until = self
            .control_plane
            .clock
            .now()
            .plus_seconds(REMEMBERED_SECONDS);
        let first = self
            .control_plane
            .store
            .first_request(nonce.as_str(), &print, until)
            .await?;
        if !self.control_plane.keys.is_fingerprint(&parts, &first) {
            let denial = Denial::new(DenialCode::RequestDiffers);
            return Err(AdminError::Denied(denial, None));
        }
        let mut bytes = [0; 16];
        if let Ok(read) = BASE64URL_NOPAD.decode(nonce.as_str().as_bytes())
            && let Some(read) = read.get(..16)
        {
            bytes.copy_from_slice(read);
        }
        Ok(NewId {
            bytes,
            is_repeatable: true,
        })
    }

    /// What rows remember of a request under an idempotency key of this actor.
    fn request_fingerprint(&self) -> Option<String> {
        let key = self.request_key.as_ref()?;
        let caller = format!("{:?} {}", self.actor.kind, self.actor.id);
        let nonce = Nonce::from_request(&caller, key);
        Some(nonce.as_str().chars().take(FINGERPRINT).collect())
    }

    /// The audit entry for a change of this record.
    pub fn audit(
        &self,
        noun: RecordKind,
        target: &str,
        name: &str,
        difference: Difference<'_>,
    ) -> Audit {
        Audit::of(
            &self.actor,
            noun,
            target,
            name,
            difference,
            self.control_plane.clock.now(),
            &*self.control_plane.entropy,
        )
    }

    /// Deletes a record over the version that was read, with its audit entry in the same
    /// transaction. `view` is the record as the API shows it.
    pub(crate) async fn delete_record<R: Record>(
        &self,
        noun: RecordKind,
        record: &R,
        name: &str,
        view: &Value,
    ) -> Result<Saved, AdminError> {
        let audit = self.audit(noun, record.id(), name, Difference::deleted(view));
        let store = &self.control_plane.store;
        let saved = store.delete_record(record, Some(&audit)).await?;
        if saved == Saved::Done {
            self.control_plane.forget();
        }
        Ok(saved)
    }

    /// Writes an audit entry for an action that changes no document.
    pub async fn log_action(
        &self,
        action: Action,
        noun: RecordKind,
        target: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        let audit = Audit::plain(
            &self.actor,
            action,
            noun,
            target,
            name,
            self.control_plane.clock.now(),
            &*self.control_plane.entropy,
        );
        Ok(self.control_plane.store.add_audit(&audit).await?)
    }
}
