//! Owns the faults: what happens to each call of an actor, drawn from a seed or set for one call. An actor is one invocation of a function: it can
//! crash at any of its calls, before or after the call took effect, and its calls meet conflicts, throttles and lost answers.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::wire;

/// What happens to one call.
#[derive(Clone, Debug)]
pub enum Fate {
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

/// How an actor's calls fare.
#[derive(Clone, Debug)]
pub enum Luck {
    /// Every call is answered at once.
    Good,
    /// Exactly this call (counted from 0) meets this fate.
    At(usize, Fate),
    /// Each call meets a fate drawn from the generator, so often in a hundred; and takes its time.
    Drawn {
        /// Of a hundred calls, this many meet a fault.
        percent: u8,
    },
}

struct Actor {
    luck: Luck,
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

/// What became of an actor.
#[derive(Debug)]
pub struct Act<T> {
    /// Its result; `None` when it crashed.
    pub result: Option<T>,
    /// How many calls it made.
    pub calls: usize,
    /// What these cost; counted only with [`Luck::Good`].
    pub spent: Spent,
}

/// Runs an actor until it is done or crashes.
pub async fn act<T>(seed: u64, luck: Luck, flow: impl Future<Output = T>) -> Act<T> {
    let (rng, calls) = (
        Mutex::new(fastrand::Rng::with_seed(seed)),
        AtomicUsize::new(0),
    );
    let actor = Arc::new(Actor {
        luck,
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
    Act {
        result,
        calls: actor.calls.load(Ordering::Relaxed),
        spent,
    }
}

/// Whether somebody wants to know what calls cost.
pub(crate) fn is_metered() -> bool {
    ACTOR
        .try_with(|actor| matches!(actor.luck, Luck::Good))
        .unwrap_or(false)
}

pub(crate) fn spend(more: Spent) {
    let _ = ACTOR.try_with(|actor| {
        let mut spent = actor.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.writes += more.writes;
        spent.reads += more.reads;
    });
}

pub(crate) fn tell_crash() {
    let _ = ACTOR.try_with(|actor| actor.crash.notify_one());
}

pub(crate) async fn fate_of_next_call(operation: &str) -> Fate {
    let Ok(actor) = ACTOR.try_with(Arc::clone) else {
        return Fate::Pass;
    };
    let number = actor.calls.fetch_add(1, Ordering::Relaxed);
    match &actor.luck {
        Luck::Good => Fate::Pass,
        Luck::At(call, fate) => {
            if *call == number {
                fate.clone()
            } else {
                Fate::Pass
            }
        }
        Luck::Drawn { percent } => {
            let (millis, fate) = {
                let mut rng = actor.rng.lock().unwrap_or_else(PoisonError::into_inner);
                (rng.u64(0..40), draw(&mut rng, *percent, operation))
            };
            // Calls of different actors overtake each other.
            tokio::time::sleep(Duration::from_millis(millis)).await;
            fate
        }
    }
}

fn draw(rng: &mut fastrand::Rng, percent: u8, operation: &str) -> Fate {
    if rng.u8(0..100) >= percent {
        return Fate::Pass;
    }
    match rng.u8(0..6) {
        0 if operation == "TransactWriteItems" => Fate::Refused(wire::conflict(3)),
        0 | 1 => Fate::Refused(wire::refusal("ThrottlingException", "Rate exceeded")),
        2 => Fate::LostBefore,
        3 => Fate::LostAfter,
        4 => Fate::CrashBefore,
        _ => Fate::CrashAfter,
    }
}
