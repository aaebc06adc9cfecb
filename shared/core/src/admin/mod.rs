//! Owns the admin service: what an administrator can do, as verbs over documents, whoever asks and in whatever shape the answer is shown. Must not know
//! HTTP, the API or the console; both call the same operations.
//!
//! # How a verb is written
//! A function of an [`AdminService`] (the control plane, and who acts) and of what is asked for, to what there is then. Whoever calls it has checked
//! that the actor may do it (the route tables say what that takes). A change is read by one form of `casting-core`, written over the version
//! that was read, and told of by an audit entry in the very same write.

pub mod api_keys;
pub mod audits;
pub mod casts;
pub mod claims;
pub mod error;
mod filtered;
pub mod images;
pub mod pools;
pub mod profiles;
pub mod records;
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
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::admin::error::AdminError;

/// How long a request under an idempotency key is remembered, in seconds (a day).
const REMEMBERED_SECONDS: u64 = 86_400;

/// Where an administrator stands: the control plane, and who acts.
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
    /// An id for something new of this kind. Under an idempotency key, the same request gets the same id again.
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

    /// The entry that tells of a change of this thing.
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

    /// Tells of something that is no change of a document.
    pub async fn tell(
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
