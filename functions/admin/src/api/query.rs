//! Owns how the parameters of a query are read: each kind of value in one way, and what cannot be read named. Must not know which parameters an
//! endpoint has.

use casting_core::time::Timestamp;
use casting_web::{Mistake, Problem, Visit};

use crate::desk::failure::Failure;

/// A parameter that `read` understands; `None` when it is not there.
///
/// # Errors
/// 400 with the parameter's name and what it must be.
pub(crate) fn optional<T>(visit: &Visit, name: &str, must: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    match visit.query(name) {
        None => Ok(None),
        Some(text) => match read(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(Problem::new(Mistake::BadRequest).detail(format!("The parameter \u{201c}{name}\u{201d} must be {must}.")).into()),
        },
    }
}

/// `true` or `false`.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn flag(visit: &Visit, name: &str) -> Result<Option<bool>, Failure> {
    optional(visit, name, "true or false", |text| text.parse().ok())
}

/// A point in time.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn time(visit: &Visit, name: &str) -> Result<Option<Timestamp>, Failure> {
    optional(visit, name, "a time such as 2026-12-31T18:00:00Z", Timestamp::parse)
}
