//! Owns what an AWS error means, in one place. Must not know which verb met it.

use aws_sdk_dynamodb::Error;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::CancellationReason;
use casting_core::ports::{Fault, FaultKind};

use crate::rows::Item;

/// The outcome of the condition of one part of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionOutcome {
    /// It held, or was not looked at.
    Held,
    /// It failed; with the row as it is, if there is one.
    Failed(Option<Item>),
}

/// Why one call did not succeed.
#[derive(Debug)]
pub enum CallError {
    /// Too many at once; nothing was written, and another try may do better. With the parts of a
    /// transaction that were busy.
    Busy(String, Vec<usize>),
    /// No answer, or none that says what happened.
    Lost(String),
    /// Conditions failed, part by part; nothing was written.
    Conditions(Vec<ConditionOutcome>),
    /// Trying again would not help.
    Final(String),
}

/// Sorts an SDK error.
pub fn sort<E>(error: SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata,
    Error: From<E>,
{
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let error = answer.into_err();
            let code = error.code().unwrap_or("no code").to_owned();
            let words = format!("{code}: {}", error.message().unwrap_or_default());
            sort_answer(error.into(), &code, status, words)
        }
        SdkError::TimeoutError(_) => CallError::Lost("no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let words = failure
                .as_connector_error()
                .map_or_else(|| "not dispatched".to_owned(), |error| chain(error));
            if failure.is_user() {
                CallError::Final(words)
            } else {
                CallError::Lost(words)
            }
        }
        SdkError::ResponseError(_) => CallError::Lost("an answer that cannot be read".to_owned()),
        _ => CallError::Final("the request could not be built".to_owned()),
    }
}

/// Sorts most by code, because not every operation of the SDK knows every error that all of them
/// can meet.
fn sort_answer(error: Error, code: &str, status: u16, words: String) -> CallError {
    match error {
        Error::ConditionalCheckFailedException(failed) => {
            return CallError::Conditions(vec![ConditionOutcome::Failed(failed.item)]);
        }
        Error::TransactionCanceledException(cancelled) => {
            return sort_reasons(cancelled.cancellation_reasons.unwrap_or_default(), words);
        }
        _ => {}
    }
    match code {
        "TransactionConflictException"
        | "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ReplicatedWriteConflictException" => CallError::Busy(words, Vec::new()),
        "TransactionInProgressException" => CallError::Lost(words),
        _ if status >= 500 => CallError::Lost(words),
        _ => CallError::Final(words),
    }
}

/// The first part decides: once its condition has failed, the others do not matter. Otherwise one
/// busy part makes the whole answer provisional, because the conditions of busy parts were not
/// looked at.
fn sort_reasons(reasons: Vec<CancellationReason>, words: String) -> CallError {
    const FAILED: &str = "ConditionalCheckFailed";
    let code = |reason: &CancellationReason| reason.code.clone().unwrap_or_default();
    let is_busy = |reason: &CancellationReason| {
        matches!(
            code(reason).as_str(),
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
        )
    };
    let decided = reasons.first().is_some_and(|first| code(first) == FAILED);
    let busy = || (0..).zip(&reasons).filter(|(_, reason)| is_busy(reason));
    if !decided && busy().next().is_some() {
        let parts = busy().map(|(part, _)| part).collect();
        return CallError::Busy(words, parts);
    }
    if !reasons.iter().any(|reason| code(reason) == FAILED) {
        return CallError::Final(words);
    }
    let check = |reason: CancellationReason| {
        if code(&reason) == FAILED {
            ConditionOutcome::Failed(reason.item)
        } else {
            ConditionOutcome::Held
        }
    };
    CallError::Conditions(reasons.into_iter().map(check).collect())
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// We asked for something that is refused, or cannot be asked.
pub fn refused(what: &'static str, detail: impl Into<String>) -> Fault {
    Fault {
        kind: FaultKind::Refused,
        what,
        detail: detail.into(),
    }
}

/// The data that was read is invalid.
pub fn corrupt(what: &'static str, detail: impl Into<String>) -> Fault {
    Fault {
        kind: FaultKind::Corrupt,
        what,
        detail: detail.into(),
    }
}

/// A request that lacks a part.
pub fn incomplete(what: &'static str) -> impl Fn(BuildError) -> Fault {
    move |error| refused(what, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build())
            .collect()
    }

    #[test]
    fn first_failed_part_decides_unless_a_part_conflicts() {
        const FAILED: &str = "ConditionalCheckFailed";
        const BUSY: &str = "TransactionConflict";
        for (name, codes, expected) in [
            ("one condition", vec!["None", FAILED], "conditions"),
            (
                "the first, and a busy one",
                vec![FAILED, BUSY],
                "conditions",
            ),
            (
                "a later one, and a busy one",
                vec!["None", FAILED, BUSY],
                "busy",
            ),
            ("busy first", vec![BUSY, FAILED], "busy"),
            ("throttled", vec!["None", "ThrottlingError"], "busy"),
            (
                "too hot",
                vec!["ProvisionedThroughputExceeded", "None"],
                "busy",
            ),
            ("refused", vec!["ValidationError", "None"], "final"),
            ("no reasons", vec![], "final"),
        ] {
            let sorted = match sort_reasons(reasons(&codes), String::new()) {
                CallError::Conditions(outcomes) => {
                    let failed: Vec<_> = codes.iter().map(|code| *code == FAILED).collect();
                    assert_eq!(
                        outcomes
                            .iter()
                            .map(|check| *check != ConditionOutcome::Held)
                            .collect::<Vec<_>>(),
                        failed,
                        "{name}"
                    );
                    "conditions"
                }
                CallError::Busy(_, parts) => {
                    let busy: Vec<_> = (0..codes.len())
                        .filter(|n| codes[*n] != "None" && codes[*n] != FAILED)
                        .collect();
                    assert_eq!(parts, busy, "{name}");
                    "busy"
                }
                CallError::Lost(_) => "lost",
                CallError::Final(_) => "final",
            };
            assert_eq!(sorted, expected, "{name}");
        }
    }
}
