//! Owns how calls to ECS are repeated, and whether one may have taken effect without an answer.
//! Must not know what is called.

use std::time::Duration;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use casting_retry::{Attempts, Failed, Limits};
use tokio::time::timeout;

use crate::failure::{Failure, Kind};

/// How long one attempt may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(8);
/// How long all attempts may take together: well within the launch window, after which the sweep
/// takes over.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);
/// How often a call is made that gets no answer, or is throttled, and with which waits.
const LIMITS: Limits = Limits {
    busy: 5,
    lost: 3,
    first_wait: Duration::from_millis(600),
    longest_wait: Duration::from_millis(4800),
    budget: Some(BUDGET),
};

/// What becomes of a call that is throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenThrottled {
    /// It is repeated.
    Repeat,
    /// The caller queues it. It is repeated only where an attempt before it got no answer: then
    /// only another answer says whether that one took effect.
    Return,
}

/// The result of a call and its repetitions.
#[derive(Debug)]
pub(crate) struct Answer<T, E> {
    pub result: Result<T, Failure<E>>,
    /// An attempt got no answer: it may have taken effect, whatever a later attempt returned.
    pub in_doubt: bool,
}

/// Makes a call until it is answered. `send` must make the very same call each time.
pub(crate) async fn call<T, E, F>(throttled: WhenThrottled, send: impl Fn() -> F) -> Answer<T, E>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut attempts = Attempts::new(LIMITS);
    loop {
        let left = attempts.time_left().unwrap_or(BUDGET);
        // On the heap: an SDK call is a state of many kilobytes, and every flow above would hold a
        // place for each of its calls.
        let result = match timeout(ATTEMPT.min(left), Box::pin(send())).await {
            Ok(result) => result.map_err(Failure::from),
            Err(_) => Err(Failure::timed_out()),
        };
        let failed = match result.as_ref().map_err(|failure| failure.kind) {
            Err(Kind::Lost) => Some(Failed::Lost),
            Err(Kind::Throttled) if throttled == WhenThrottled::Return && !attempts.in_doubt() => {
                None
            }
            Err(Kind::Throttled) => Some(Failed::Busy),
            Ok(_) | Err(Kind::Full | Kind::Refused) => None,
        };
        if let (Some(failed), Err(failure)) = (failed, &result) {
            tracing::info!(?failed, "A call to ECS failed: {}", failure.words);
        }
        let again = match failed {
            Some(failed) => attempts.again(failed).await,
            None => false,
        };
        if !again {
            return Answer {
                result,
                in_doubt: attempts.in_doubt(),
            };
        }
    }
}
