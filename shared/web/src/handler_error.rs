//! Owns why a handler has no reply: a problem, a refusal of a flow, or a fault that is not logged
//! yet. Must not know which handler it was, or how the error is shown.

use casting_core::admin::error::AdminError;
use casting_core::denial::{Denial, DenialCode};
use casting_core::form::FieldErrors;
use casting_core::ids::Reference;
use casting_core::ports::Fault;
use casting_core::{ControlPlane, FlowError, Refusal};

use crate::code::RequestError;
use crate::problem::Problem;

/// Why a handler has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerError {
    /// The request is at fault, or may not be made; the client can correct it.
    Problem(Box<Problem>),
    /// A visitor's flow refused. It is logged already; the reply may be the link's error page.
    Refusal(Box<Refusal>),
    /// Not expected; not logged yet.
    Fault(Fault),
}

impl HandlerError {
    /// A problem with the request, explained by this sentence.
    pub fn request(code: RequestError, detail: impl Into<String>) -> Self {
        Problem::new(code).detail(detail).into()
    }

    /// The problem for API clients. A fault is logged here, under a reference that the problem
    /// contains.
    pub fn into_problem(self, control_plane: &ControlPlane) -> Problem {
        self.into_problem_as(|code| control_plane.draw_reference(code, None))
    }

    fn into_problem_as(self, draw: impl FnOnce(DenialCode) -> Reference) -> Problem {
        let fault = match self {
            Self::Problem(problem) => return *problem,
            Self::Refusal(refusal) => {
                return Problem::denied(refusal.denial(), Some(refusal.reference));
            }
            Self::Fault(fault) => fault,
        };
        match FlowError::from(fault) {
            FlowError::Denied(denial) => Problem::denied(denial, None),
            FlowError::Fault(fault) => {
                let reference = draw(DenialCode::Fault);
                tracing::error!(%reference, %fault, "A request failed with reference {reference}");
                let detail = "The log says more under this reference.";
                Problem::denied(Denial::new(DenialCode::Fault), Some(reference)).detail(detail)
            }
        }
    }
}

impl From<Problem> for HandlerError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Refusal> for HandlerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(Box::new(refusal))
    }
}

impl From<Fault> for HandlerError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<FlowError> for HandlerError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Denied(denial) => Problem::denied(denial, None).into(),
            FlowError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<AdminError> for HandlerError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotFound(detail) => Self::request(RequestError::NotFound, detail),
            AdminError::Conflict(detail) => Self::request(RequestError::Conflict, detail),
            AdminError::Forbidden { detail, errors } => Problem {
                errors,
                ..Problem::new(RequestError::Forbidden).detail(detail)
            }
            .into(),
            AdminError::Stale => Problem::new(RequestError::Stale).into(),
            AdminError::Fields(errors) => errors.into(),
            AdminError::Denied(denial, reference) => Problem::denied(denial, reference).into(),
            AdminError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<FieldErrors> for HandlerError {
    /// 422 for errors of the document itself, 409 when it only conflicts with what is stored.
    fn from(errors: FieldErrors) -> Self {
        let code = if errors.only_clashes() {
            RequestError::Conflict
        } else {
            RequestError::NotValid
        };
        Problem {
            errors: errors.0,
            ..Problem::new(code)
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use casting_core::ports::FaultKind;

    use super::*;

    fn reference(_: DenialCode) -> Reference {
        Reference::parse("k3f7-2mqa-x5cd-7b2e").expect("a reference")
    }

    fn status(error: HandlerError) -> u16 {
        error.into_problem_as(reference).code.status().as_u16()
    }

    #[test]
    fn handler_errors_map_to_http_statuses() {
        let fault = |kind| {
            HandlerError::Fault(Fault {
                kind,
                what: "test",
                detail: "secret words of the store".into(),
            })
        };
        for (name, error, expected) in [
            (
                "not there",
                AdminError::NotFound("There is no such cast.".into()).into(),
                404,
            ),
            (
                "does not fit",
                AdminError::Conflict("Another cast has this key.".into()).into(),
                409,
            ),
            (
                "wrong fields",
                FieldErrors::one("/name", "is required.").into(),
                422,
            ),
            (
                "fields that do not go with what is there",
                FieldErrors::clash("/image_id", "is not the id of an image.").into(),
                409,
            ),
            ("too many writers", fault(FaultKind::Contention), 503),
            ("the store is down", fault(FaultKind::Unavailable), 500),
            ("not allowed by AWS", fault(FaultKind::Refused), 500),
        ] {
            assert_eq!(status(error), expected, "{name}");
        }
        let shown = fault(FaultKind::Corrupt).into_problem_as(reference);
        assert!(shown.reference.is_some() && !shown.sentence().contains("secret"));
    }
}
