//! Owns what a visitor-facing flow returns when it does not do what was asked. Must not know how it is shown.

use super::{ControlPlane, Visitor};
use crate::METRICS;
use crate::address;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{CastId, Reference};
use crate::ports::{Fault, FaultKind, RefusalSample};
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

impl ControlPlane {
    /// Counts a refusal, logs a fault, and says where the visitor goes.
    pub(super) async fn refuse(
        &self,
        error: FlowError,
        cast: Option<&Cast>,
        referrer: Option<String>,
        visitor: &Visitor,
    ) -> Refusal {
        let now = self.clock.now();
        let cast = cast.filter(|cast| cast.settings.enabled);
        let mut refusal = self.refuse_of(error, cast.map(|cast| &cast.id));
        if let Some(cast) = cast {
            refusal.error_url = self.urls.error_page(cast.settings.error_url.as_deref());
            refusal.framed_by = cast.settings.referrers.as_slice().into();
        }
        let outcome = if matches!(refusal.error, FlowError::Fault(_)) {
            "failed"
        } else {
            "refused"
        };
        let code = refusal.denial().code;
        if code == DenialCode::BudgetReached {
            tracing::info!(target: METRICS, budget_reached = 1_u64);
        }
        // What is shown with `%` stands in the line and is no dimension: the log finds a refusal by its reference too.
        tracing::info!(
            target: METRICS, claims = 1_u64, outcome, reference = %refusal.reference, %code,
            cast_id = %cast.map_or("", |cast| cast.id.as_str()),
        );
        let address = address::hash(visitor.address, &self.keys);
        let sample = RefusalSample {
            at: now,
            reference: refusal.reference.clone(),
            address,
            referrer,
        };
        let cast = cast.map(|cast| cast.id.clone());
        let batch = self.refusals.note(cast, code, sample, now);
        if let Err(fault) = self.write_refusals(batch).await {
            tracing::warn!(%fault, "Could not write refusal counts");
        }
        refusal
    }

    /// Logs a fault under the reference that the visitor will see.
    pub(super) fn refuse_quietly(&self, error: FlowError) -> Refusal {
        self.refuse_of(error, None)
    }

    fn refuse_of(&self, error: FlowError, cast: Option<&CastId>) -> Refusal {
        let code = match &error {
            FlowError::Denied(denial) => denial.code,
            FlowError::Fault(_) => DenialCode::Fault,
        };
        let reference = self.draw_reference(code, cast);
        if let FlowError::Fault(fault) = &error {
            tracing::error!(%reference, %fault, "Refused with reference {reference}");
        }
        Refusal {
            error,
            reference,
            error_url: None,
            framed_by: Box::default(),
        }
    }
}
