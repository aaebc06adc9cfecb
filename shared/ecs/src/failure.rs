//! Owns what a failed call to ECS means: lost, throttled, full or refused. Must not know which verb
//! was called.

use aws_sdk_ecs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use casting_core::ports::{Fault, FaultKind};

/// A call that brought nothing.
#[derive(Debug)]
pub(crate) struct Failure<E> {
    pub kind: Kind,
    /// The error text of ECS.
    pub words: String,
    /// The error that ECS named, when it named one.
    pub error: Option<E>,
}

/// The kind of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No answer, or an answer that leaves open whether the call took effect.
    Lost,
    /// Too many calls; nothing was done.
    Throttled,
    /// A quota is used up or there is no room; nothing was done.
    Full,
    /// Refused for another reason; nothing was done.
    Refused,
}

impl<E> Failure<E> {
    /// A call whose time ran out.
    pub(crate) fn timed_out() -> Self {
        Self {
            kind: Kind::Lost,
            words: "no answer in time".to_owned(),
            error: None,
        }
    }

    /// For verbs that have no typed refusal.
    pub(crate) fn into_fault(self, what: &'static str) -> Fault {
        let kind = match self.kind {
            Kind::Lost | Kind::Throttled | Kind::Full => FaultKind::Unavailable,
            Kind::Refused => FaultKind::Refused,
        };
        Fault {
            kind,
            what,
            detail: self.words,
        }
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + 'static> From<SdkError<E>> for Failure<E> {
    fn from(error: SdkError<E>) -> Self {
        match error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                let named = context.into_err();
                let (code, message) = (
                    named.code().unwrap_or("an error without a name"),
                    named.message().unwrap_or_default(),
                );
                Self {
                    kind: judge(status, code, message),
                    words: format!("{code}: {message}"),
                    error: Some(named),
                }
            }
            // Nothing was sent: the request itself cannot be built.
            SdkError::ConstructionFailure(_) => Self {
                kind: Kind::Refused,
                words: DisplayErrorContext(&error).to_string(),
                error: None,
            },
            _ => Self {
                kind: Kind::Lost,
                words: DisplayErrorContext(&error).to_string(),
                error: None,
            },
        }
    }
}

fn judge(status: u16, code: &str, message: &str) -> Kind {
    const THROTTLES: [&str; 5] = [
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
    ];
    if status == 429 || THROTTLES.contains(&code) || is_throttle(message) {
        Kind::Throttled
    } else if status >= 500 || code == "ServerException" {
        Kind::Lost
    } else if is_full(message) {
        Kind::Full
    } else {
        Kind::Refused
    }
}

/// EC2's throttling of network look-ups comes through ECS as an invalid parameter that says so.
fn is_throttle(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("request limit exceeded") || words.contains("rate exceeded")
}

/// Whether ECS's words mean that there is no room now. A capacity provider that is not set up has
/// "capacity" in its name too, and waiting does not mend it.
pub(crate) fn is_full(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    [
        "capacity is unavailable",
        "insufficient capacity",
        "no capacity",
        "out of capacity",
        "reached the limit",
        "resource:",
    ]
    .iter()
    .any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_classified_by_code_and_message() {
        for (name, status, code, message, kind) in [
            (
                "throttled",
                400,
                "ThrottlingException",
                "Rate exceeded",
                Kind::Throttled,
            ),
            (
                "throttled by EC2",
                400,
                "InvalidParameterException",
                "Error: Request limit exceeded.",
                Kind::Throttled,
            ),
            ("throttled by a proxy", 429, "?", "", Kind::Throttled),
            (
                "their fault",
                500,
                "ServerException",
                "Service Unavailable.",
                Kind::Lost,
            ),
            ("a proxy's fault", 503, "?", "", Kind::Lost),
            (
                "a quota",
                400,
                "ClientException",
                "You've reached the limit on the number of vCPUs you can run concurrently",
                Kind::Full,
            ),
            (
                "a bad subnet",
                400,
                "InvalidParameterException",
                "The subnet ID 'subnet-1' does not exist",
                Kind::Refused,
            ),
            (
                "a missing provider",
                400,
                "InvalidParameterException",
                "The specified capacity provider was not found.",
                Kind::Refused,
            ),
            (
                "no permission",
                400,
                "AccessDeniedException",
                "not authorized to perform: ecs:RunTask",
                Kind::Refused,
            ),
        ] {
            assert_eq!(judge(status, code, message), kind, "{name}");
        }
    }
}
