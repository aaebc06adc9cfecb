//! Owns the errors of the admin service. Must not know which operation failed, nor HTTP.

use crate::denial::Denial;
use crate::flow::Refusal;
use crate::form::{FieldError, FieldErrors};
use crate::ids::Reference;
use crate::ports::{Fault, FaultKind};

/// How often a change is tried when other writes come first.
pub(crate) const TRIES: u32 = 5;

/// Why an operation failed. The texts are sentences for the administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// There is no such record.
    NotFound(String),
    /// It conflicts with the current state.
    Conflict(String),
    /// The actor may not do it.
    Forbidden {
        /// Why not.
        detail: String,
        /// The fields that exceed the actor's rights.
        errors: Vec<FieldError>,
    },
    /// The change names an older version than the current one.
    Stale,
    /// Invalid fields, by themselves or with what is stored.
    Fields(FieldErrors),
    /// A policy refuses it; with a reference if the log has more.
    Denied(Denial, Option<Reference>),
    /// Not expected; not logged yet.
    Fault(Fault),
}

impl AdminError {
    /// `NotFound` with this sentence.
    pub(crate) fn not_found(detail: &str) -> Self {
        Self::NotFound(detail.to_owned())
    }

    /// `Conflict` with this sentence.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict(detail.into())
    }

    /// `Forbidden` with this sentence.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::Forbidden {
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Other writes came first in every try.
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
