//! Owns the one layer of retries: how often, how long, and whether a call may have taken effect unseen. Must not know what is called.

use std::time::Duration;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use tokio::time::{Instant, sleep, timeout};

use crate::failure::{Failure, Kind};

/// How long one attempt may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(8);
/// How long all attempts may take together: well within the launch window, after which the sweep takes over.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);
/// How often a call without an answer is made.
const TRIES_LOST: u32 = 3;
/// How often a throttled call is made.
const TRIES_THROTTLED: u32 = 5;

/// What came of a call and its repetitions.
#[derive(Debug)]
pub(crate) struct Answer<T, E> {
    pub result: Result<T, Failure<E>>,
    /// Some attempt got no answer: it may have taken effect, whatever a later attempt was told.
    pub in_doubt: bool,
}

/// Makes a call until it is answered. `send` must make the very same call each time.
pub(crate) async fn call<T, E, F>(send: impl Fn() -> F) -> Answer<T, E>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let deadline = Instant::now() + BUDGET;
    let (mut lost, mut throttled) = (0, 0);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // On the heap: an SDK call is a state of many kilobytes, and every flow above would hold a place for each of its calls.
        let result = match timeout(ATTEMPT.min(left), Box::pin(send())).await {
            Ok(result) => result.map_err(Failure::from),
            Err(_) => Err(Failure::timed_out()),
        };
        let again = match &result {
            Err(Failure {
                kind: Kind::Lost, ..
            }) => {
                lost += 1;
                lost < TRIES_LOST
            }
            Err(Failure {
                kind: Kind::Throttled,
                ..
            }) => {
                throttled += 1;
                throttled < TRIES_THROTTLED
            }
            _ => false,
        };
        let pause = back_off(lost + throttled);
        if !again || Instant::now() + pause >= deadline {
            return Answer {
                result,
                in_doubt: lost > 0,
            };
        }
        if let Err(failure) = &result {
            tracing::info!(kind = ?failure.kind, "A call to ECS is tried again: {}", failure.words);
        }
        sleep(pause).await;
    }
}

/// A random time below a bound that doubles: callers that were turned away together do not come back together.
fn back_off(failures: u32) -> Duration {
    let bound = 200 * 2_u64.pow(failures.min(4));
    Duration::from_millis(bound / 4 + fastrand::u64(0..bound))
}
