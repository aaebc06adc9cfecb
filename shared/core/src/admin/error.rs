//! Owns why an operation of the admin service was not done. Must not know which operation it was, nor HTTP.

use crate::denial::Denial;
use crate::flow::Refusal;
use crate::form::{FieldError, FieldErrors};
use crate::ids::Reference;
use crate::ports::{Fault, FaultKind};

/// How often a change is tried again because somebody else wrote first.
pub(crate) const TRIES: u32 = 5;

/// Why an operation was not done. The texts are sentences for the administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// There is no such thing.
    NotFound(String),
    /// It does not fit what is there.
    Conflict(String),
    /// The actor may not do it.
    Forbidden {
        /// Why not.
        detail: String,
        /// Which values ask for too much.
        errors: Vec<FieldError>,
    },
    /// The version that the change was to be made over is not the current one.
    Stale,
    /// Values that are not possible, or only not together with what is there.
    Fields(FieldErrors),
    /// A rule refuses it. With a reference when the log says more.
    Denied(Denial, Option<Reference>),
    /// Not expected; not logged yet.
    Fault(Fault),
}

impl AdminError {
    /// There is no such thing, in these words.
    pub(crate) fn not_found(detail: &str) -> Self {
        Self::NotFound(detail.to_owned())
    }

    /// It does not fit what is there, in these words.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict(detail.into())
    }

    /// The actor may not do it, in these words.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::Forbidden {
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Somebody else wrote first, again and again.
    pub fn contention(what: &'static str) -> Self {
        Self::Fault(Fault {
            kind: FaultKind::Contention,
            what,
            detail: format!("{TRIES} tries"),
        })
    }
}

impl From<Fault> for AdminError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<FieldErrors> for AdminError {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl From<Refusal> for AdminError {
    /// A flow's refusal has been logged already where it was made.
    fn from(refusal: Refusal) -> Self {
        Self::Denied(refusal.denial(), Some(refusal.reference))
    }
}
