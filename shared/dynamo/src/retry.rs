//! Owns the one retry layer: how often a call is repeated, how long it waits between, and what is known when it gives up.
//! Must not know what is called.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Error;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use casting_core::ports::{Fault, FaultKind};

use crate::fault::{self, CallError, ConditionOutcome};
use crate::rows::Item;

/// Transactions on one row conflict instead of queueing. Twenty tries with these waits (2.8 s on average when all are used) see a
/// thousand simultaneous visitors of one link with a hundred places through, at 15 ms a transaction.
const BUSY_TRIES: u32 = 20;
/// Every lost answer may cost a whole time-out, so there are fewer of these.
const LOST_TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_millis(400);

/// A write whose conditions failed.
#[derive(Debug)]
pub struct ConditionFailure {
    /// Part by part, in the order sent.
    pub outcomes: Vec<ConditionOutcome>,
    /// An answer was lost before: what stands in the way may be our own write. Never so for a transaction, whose token settles that.
    pub after_loss: bool,
}

impl ConditionFailure {
    /// The row that the part at `index` met, if that part's condition failed.
    pub fn failed(&self, index: usize) -> Option<Option<&Item>> {
        match self.outcomes.get(index) {
            Some(ConditionOutcome::Failed(item)) => Some(item.as_ref()),
            _ => None,
        }
    }
}

/// Calls until there is an answer that means something: success, or conditions that failed.
///
/// # Errors
/// `Contention` when nothing was written, `Unavailable` when that is not known, `Refused` when another try would not help.
pub async fn call<O, E, F>(
    what: &'static str,
    send: impl Fn() -> F + Send,
) -> Result<Result<O, ConditionFailure>, Fault>
where
    E: ProvideErrorMetadata,
    Error: From<E>,
    F: Future<Output = Result<O, SdkError<E>>> + Send,
{
    let (mut busy, mut lost) = (0, 0);
    loop {
        // On the heap: an SDK call is a state of many kilobytes, and every flow above would hold a place for each of its calls.
        let error = match Box::pin(send()).await {
            Ok(output) => return Ok(Ok(output)),
            Err(error) => fault::sort(error),
        };
        let detail = match error {
            CallError::Conditions(outcomes) => {
                return Ok(Err(ConditionFailure {
                    outcomes,
                    after_loss: lost > 0,
                }));
            }
            CallError::Final(detail) => return Err(fault::refused(what, detail)),
            CallError::Busy(detail) => {
                busy += 1;
                detail
            }
            CallError::Lost(detail) => {
                lost += 1;
                detail
            }
        };
        tracing::debug!(what, busy, lost, detail, "Trying again to {what}");
        if busy >= BUSY_TRIES || lost >= LOST_TRIES {
            let kind = if lost > 0 {
                FaultKind::Unavailable
            } else {
                FaultKind::Contention
            };
            return Err(Fault { kind, what, detail });
        }
        pause(busy + lost).await;
    }
}

/// Waits before try number `tries + 1`: exponential back-off with full jitter, so that visitors who met once do not meet again.
pub async fn pause(tries: u32) {
    tokio::time::sleep(longest_wait(tries).mul_f64(fastrand::f64())).await;
}

fn longest_wait(tries: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(2u32.saturating_pow(tries.saturating_sub(1)))
        .min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_a_cap() {
        let waits = [1, 2, 3, 4, 5, 6, 100].map(|tries| longest_wait(tries).as_millis());
        assert_eq!(waits, [25, 50, 100, 200, 400, 400, 400]);
    }
}
