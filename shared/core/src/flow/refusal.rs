//! Owns what a visitor-facing flow returns when it does not do what was asked. Must not know how it is shown.

use crate::denial::{Denial, DenialCode};
use crate::ids::Reference;
use crate::ports::{Fault, FaultKind};
use crate::referrer::ReferrerRule;

/// Why a flow stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// Expected, and shown in plain words.
    Denied(Denial),
    /// Not expected; logged, and shown as a reference.
    Fault(Fault),
}

impl From<Denial> for FlowError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<DenialCode> for FlowError {
    fn from(code: DenialCode) -> Self {
        Self::Denied(Denial::new(code))
    }
}

impl From<Fault> for FlowError {
    /// Too many writers at once is nobody's fault: the visitor is asked to come back in a moment, and nothing was written.
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Contention => Self::Denied(Denial::retry(DenialCode::Busy, 2)),
            _ => Self::Fault(fault),
        }
    }
}

/// A refusal on its way to the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub error: FlowError,
    /// What the visitor can quote, and the log says.
    pub reference: Reference,
    /// Where the link wants its refused visitors to be sent (seed: Error URL).
    pub error_url: Option<String>,
    /// The sites that may show the link in a frame, and so what is said of it.
    pub framed_by: Box<[ReferrerRule]>,
}

impl Refusal {
    /// What the visitor is told.
    pub fn denial(&self) -> Denial {
        match &self.error {
            FlowError::Denied(denial) => denial.clone(),
            FlowError::Fault(_) => Denial::new(DenialCode::Fault),
        }
    }
}
