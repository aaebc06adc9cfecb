//! Owns the errors of visitor-facing flows. Must not know how they are shown.

use super::{ControlPlane, Visitor};
use crate::METRICS;
use crate::address;
use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::ids::{CastId, Reference};
use crate::ports::{Fault, FaultKind, RefusalSample};
use crate::referrer::ReferrerRule;

/// Why a flow failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// An expected refusal, explained to the visitor.
    Denied(Denial),
    /// An unexpected fault; logged, and shown as a reference.
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
    /// Contention is no fault: the visitor is asked to come back in a moment, and nothing was
    /// written.
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Contention => Self::Denied(Denial::retry(DenialCode::Busy, 2)),
            _ => Self::Fault(fault),
        }
    }
}

/// A failed flow, with everything that is needed to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub error: FlowError,
    /// The reference that the visitor can quote and the log contains.
    pub reference: Reference,
    /// The link's own error page (seed: Error URL).
    pub error_url: Option<String>,
    /// The sites that may frame the link, and so its refusals.
    pub framed_by: Box<[ReferrerRule]>,
}

impl Refusal {
    /// The denial that the visitor sees.
    pub fn denial(&self) -> Denial {
        match &self.error {
            FlowError::Denied(denial) => denial.clone(),
            FlowError::Fault(_) => Denial::new(DenialCode::Fault),
        }
    }
}

impl ControlPlane {
    /// Counts a refusal, logs a fault, and determines the error page.
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
        // Fields with `%` are no metric dimensions; they make the log line searchable by reference.
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
