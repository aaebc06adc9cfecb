//! Owns the faults: what happens to each call of an actor, drawn from a seed or set for one call.
//! An actor is one invocation of a function: it can crash at any of its calls, before or after the
//! call took effect, and its calls meet conflicts, throttles and lost answers.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::wire;

/// What happens to one call.
#[derive(Clone, Debug)]
pub enum CallFault {
    /// It is answered.
    Pass,
    /// It is refused with this body, and has no effect.
    Refused(String),
    /// It never arrives; the caller sees a time-out.
    LostBefore,
    /// It takes effect; the caller sees a time-out.
    LostAfter,
    /// The caller dies before it arrives.
    CrashBefore,
    /// The caller dies after it took effect.
    CrashAfter,
}

/// Which faults the calls of an actor meet.
#[derive(Clone, Debug)]
pub enum FaultPlan {
    /// Every call is answered at once.
    None,
    /// Exactly this call (counted from 0) meets this fault.
    At(usize, CallFault),
    /// Each call meets a fault drawn from the generator, so often in a hundred; and takes its time.
    Random {
        /// Of a hundred calls, this many meet a fault.
        percent: u8,
    },
}

struct Actor {
    faults: FaultPlan,
    rng: Mutex<fastrand::Rng>,
    calls: AtomicUsize,
    spent: Mutex<Spent>,
    crash: Notify,
}

/// What DynamoDB has an actor pay for, in its units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Units of writing.
    pub writes: f64,
    /// Units of reading.
    pub reads: f64,
}

tokio::task_local! {
    static ACTOR: Arc<Actor>;
}

/// The outcome of an actor.
#[derive(Debug)]
pub struct Outcome<T> {
    /// Its result; `None` when it crashed.
    pub result: Option<T>,
    /// How many calls it made.
    pub calls: usize,
    /// What these cost; counted only with [`FaultPlan::None`].
    pub spent: Spent,
}

/// Runs an actor until it is done or crashes.
pub async fn run_actor<T>(
    seed: u64,
    faults: FaultPlan,
    flow: impl Future<Output = T>,
) -> Outcome<T> {
    let (rng, calls) = (
        Mutex::new(fastrand::Rng::with_seed(seed)),
        AtomicUsize::new(0),
    );
    let actor = Arc::new(Actor {
        faults,
        rng,
        calls,
        spent: Mutex::default(),
        crash: Notify::new(),
    });
    let crashed = actor.clone();
    let result = tokio::select! {
        result = ACTOR.scope(actor.clone(), flow) => Some(result),
        () = crashed.crash.notified() => None,
    };
    let spent = *actor.spent.lock().unwrap_or_else(PoisonError::into_inner);
    Outcome {
        result,
        calls: actor.calls.load(Ordering::Relaxed),
        spent,
    }
}

/// Whether the cost of calls is recorded.
pub(crate) fn is_metered() -> bool {
    ACTOR
        .try_with(|actor| matches!(actor.faults, FaultPlan::None))
        .unwrap_or(false)
}

pub(crate) fn spend(more: Spent) {
    let _ = ACTOR.try_with(|actor| {
        let mut spent = actor.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.writes += more.writes;
        spent.reads += more.reads;
    });
}

pub(crate) fn signal_crash() {
    let _ = ACTOR.try_with(|actor| actor.crash.notify_one());
}

pub(crate) async fn fault_of_next_call(operation: &str) -> CallFault {
    let Ok(actor) = ACTOR.try_with(Arc::clone) else {
        return CallFault::Pass;
    };
    let number = actor.calls.fetch_add(1, Ordering::Relaxed);
    match &actor.faults {
        FaultPlan::None => CallFault::Pass,
        FaultPlan::At(call, call_fault) => {
            if *call == number {
                call_fault.clone()
            } else {
                CallFault::Pass
            }
        }
        FaultPlan::Random { percent } => {
            let (millis, call_fault) = {
                let mut rng = actor.rng.lock().unwrap_or_else(PoisonError::into_inner);
                (rng.u64(0..40), draw(&mut rng, *percent, operation))
            };
            // Calls of different actors overtake each other.
            tokio::time::sleep(Duration::from_millis(millis)).await;
            call_fault
        }
    }
}

fn draw(rng: &mut fastrand::Rng, percent: u8, operation: &str) -> CallFault {
    if rng.u8(0..100) >= percent {
        return CallFault::Pass;
    }
    match rng.u8(0..6) {
        0 if operation == "TransactWriteItems" => CallFault::Refused(wire::conflict(3)),
        0 | 1 => CallFault::Refused(wire::refusal("ThrottlingException", "Rate exceeded")),
        2 => CallFault::LostBefore,
        3 => CallFault::LostAfter,
        4 => CallFault::CrashBefore,
        _ => CallFault::CrashAfter,
    }
}
