//! Owns how an administrator's request that was not done is answered: an error of the admin service, or of the request itself, as a problem. Must not
//! know which operation it was.

use casting_core::admin::error::AdminError;
use casting_core::denial::{Denial, DenialCode};
use casting_core::form::FieldErrors;
use casting_core::ids::Reference;
use casting_core::ports::Fault;
use casting_core::{FlowError, Refusal};
use casting_web::{Problem, RequestError};

/// What kept a handler from doing what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The caller can mend it.
    Problem(Box<Problem>),
    /// The caller cannot; logged with a reference.
    Fault(Fault),
}

impl Failure {
    /// What is wrong with the request, in these words.
    pub(crate) fn request(code: RequestError, detail: impl Into<String>) -> Self {
        Problem::new(code).detail(detail).into()
    }

    /// What the caller is told. A fault is logged here, under the reference that `draw` makes and the caller sees.
    pub(crate) fn into_problem(self, draw: impl FnOnce(DenialCode) -> Reference) -> Problem {
        let fault = match self {
            Self::Problem(problem) => return *problem,
            Self::Fault(fault) => fault,
        };
        match FlowError::from(fault) {
            FlowError::Denied(denial) => Problem::denied(denial, None),
            FlowError::Fault(fault) => {
                let reference = draw(DenialCode::Fault);
                tracing::error!(%reference, %fault, "The admin API failed with reference {reference}");
                let detail = "The log says more under this reference.";
                Problem::denied(Denial::new(DenialCode::Fault), Some(reference)).detail(detail)
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let problem = |code: RequestError, detail: String| Problem::new(code).detail(detail);
        match error {
            AdminError::NotFound(detail) => problem(RequestError::NotFound, detail).into(),
            AdminError::Conflict(detail) => problem(RequestError::Conflict, detail).into(),
            AdminError::Forbidden { detail, errors } => Problem {
                errors,
                ..problem(RequestError::Forbidden, detail)
            }
            .into(),
            AdminError::Stale => Problem::new(RequestError::Stale).into(),
            AdminError::Fields(errors) => errors.into(),
            AdminError::Denied(denial, reference) => Problem::denied(denial, reference).into(),
            AdminError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<FieldErrors> for Failure {
    /// 422 for a mistake that the document makes by itself, 409 when it only does not go with what is there already.
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

impl From<Refusal> for Failure {
    /// A flow's refusal has been logged already where it was made.
    fn from(refusal: Refusal) -> Self {
        Problem::denied(refusal.denial(), Some(refusal.reference)).into()
    }
}

#[cfg(test)]
mod tests {
    use casting_core::ports::FaultKind;

    use super::*;

    fn reference(_: DenialCode) -> Reference {
        Reference::parse("k3f7-2mqa-x5cd-7b2e").expect("a reference")
    }

    fn status(failure: Failure) -> u16 {
        failure.into_problem(reference).code.status().as_u16()
    }

    #[test]
    fn failures_map_to_http_statuses() {
        let fault = |kind| {
            Failure::Fault(Fault {
                kind,
                what: "test",
                detail: "secret words of the far side".into(),
            })
        };
        for (name, failure, expected) in [
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
            assert_eq!(status(failure), expected, "{name}");
        }
        let told = fault(FaultKind::Corrupt).into_problem(reference);
        assert!(told.reference.is_some() && !told.sentence().contains("secret"));
    }
}
