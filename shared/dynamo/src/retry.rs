//! Owns how calls to DynamoDB are repeated, and what is known when the last attempt has failed.
//! Must not know what is called.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Error;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use casting_core::ports::{Fault, FaultKind};
use casting_retry::{Attempts, Failed, Limits};

use crate::fault::{self, CallError, ConditionOutcome};
use crate::rows::Item;

/// Transactions on one row conflict instead of queueing. Twenty attempts with these waits (2.8 s on
/// average when all are used) see a thousand simultaneous visitors of one link with a hundred
/// places through, at 15 ms a transaction. Every lost answer may cost a whole time-out, so there
/// are fewer of these.
const LIMITS: Limits = Limits {
    busy: 20,
    lost: 5,
    first_wait: Duration::from_millis(25),
    longest_wait: Duration::from_millis(400),
    budget: None,
};
/// The claims of a crowd meet at a counter's shards: another one is tried soon.
pub(crate) const COUNTER_LIMITS: Limits = Limits {
    busy: 30,
    lost: 1,
    first_wait: Duration::from_millis(10),
    longest_wait: Duration::from_millis(250),
    budget: None,
};
/// DynamoDB may leave out a part of a batch when it is busy, and expects to be asked for that again
/// a little later; so many times.
const BATCH_LIMITS: Limits = Limits { busy: 5, ..LIMITS };

/// A write whose conditions failed.
#[derive(Debug)]
pub struct ConditionFailure {
    /// Part by part, in the order sent.
    pub outcomes: Vec<ConditionOutcome>,
    /// An answer was lost before: what stands in the way may be our own write. Never so for a
    /// transaction, whose token settles that.
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

/// The answer to a write that is not repeated where others were in its way.
#[derive(Debug)]
pub(crate) enum Answer<O> {
    /// It was done.
    Done(O),
    /// Conditions failed; nothing was done.
    Failed(ConditionFailure),
    /// These parts of it were busy; nothing was done.
    Busy(Vec<usize>),
}

/// Calls until there is an answer that means something: success, or conditions that failed.
///
/// # Errors
/// `Contention` when nothing was written, `Unavailable` when that is not known, `Refused` when
/// another try would not help.
pub async fn call<O, E, F>(
    what: &'static str,
    send: impl Fn() -> F + Send,
) -> Result<Result<O, ConditionFailure>, Fault>
where
    E: ProvideErrorMetadata,
    Error: From<E>,
    F: Future<Output = Result<O, SdkError<E>>> + Send,
{
    match repeat(what, send, true).await? {
        Answer::Done(output) => Ok(Ok(output)),
        Answer::Failed(failure) => Ok(Err(failure)),
        Answer::Busy(_) => Err(fault::corrupt(what, "a call was given up too soon")),
    }
}

/// The same, and gives up at once where others are in the way; unless an answer was lost before, so
/// that an earlier attempt may have done it.
pub(crate) async fn call_once<O, E, F>(
    what: &'static str,
    send: impl Fn() -> F + Send,
) -> Result<Answer<O>, Fault>
where
    E: ProvideErrorMetadata,
    Error: From<E>,
    F: Future<Output = Result<O, SdkError<E>>> + Send,
{
    repeat(what, send, false).await
}

async fn repeat<O, E, F>(
    what: &'static str,
    send: impl Fn() -> F + Send,
    is_patient: bool,
) -> Result<Answer<O>, Fault>
where
    E: ProvideErrorMetadata,
    Error: From<E>,
    F: Future<Output = Result<O, SdkError<E>>> + Send,
{
    let mut attempts = Attempts::new(LIMITS);
    loop {
        // On the heap: an SDK call is a state of many kilobytes, and every flow above would hold a
        // place for each of its calls.
        let error = match Box::pin(send()).await {
            Ok(output) => return Ok(Answer::Done(output)),
            Err(error) => fault::sort(error),
        };
        let (failed, detail) = match error {
            CallError::Conditions(outcomes) => {
                return Ok(Answer::Failed(ConditionFailure {
                    outcomes,
                    after_loss: attempts.in_doubt(),
                }));
            }
            CallError::Final(detail) => return Err(fault::refused(what, detail)),
            CallError::Busy(_, parts) if !is_patient && !attempts.in_doubt() => {
                return Ok(Answer::Busy(parts));
            }
            CallError::Busy(detail, _) => (Failed::Busy, detail),
            CallError::Lost(detail) => (Failed::Lost, detail),
        };
        tracing::debug!(what, ?failed, detail, "Could not {what} yet");
        if !attempts.again(failed).await {
            let kind = if attempts.in_doubt() {
                FaultKind::Unavailable
            } else {
                FaultKind::Contention
            };
            return Err(Fault { kind, what, detail });
        }
    }
}

/// The attempts of one batch, of which DynamoDB may leave out parts.
#[derive(Debug)]
pub(crate) struct Batch {
    what: &'static str,
    attempts: Attempts,
}

impl Batch {
    /// Nothing was asked yet.
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            attempts: Attempts::new(BATCH_LIMITS),
        }
    }

    /// Waits until the parts that were left out can be asked for again.
    ///
    /// # Errors
    /// `Unavailable` when they were left out too often.
    pub(crate) async fn again(&mut self) -> Result<(), Fault> {
        if self.attempts.again(Failed::Busy).await {
            return Ok(());
        }
        Err(Fault {
            kind: FaultKind::Unavailable,
            what: self.what,
            detail: "rows are left out".into(),
        })
    }
}
