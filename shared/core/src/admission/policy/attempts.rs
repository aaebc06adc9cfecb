//! Owns the rule that one address tries only so often, whatever for: a coarse one that spares the
//! CAPTCHA and the database.

use crate::denial::{Denial, DenialCode};

/// Passes while there is nothing to wait for; `wait` is what the limiter asks this address to wait,
/// in seconds.
///
/// # Errors
/// `TooManyAttempts`.
pub fn check(wait: Option<u64>) -> Result<(), Denial> {
    wait.map_or(Ok(()), |seconds| {
        Err(Denial::retry(DenialCode::TooManyAttempts, seconds))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limited_visitor_gets_retry_after() {
        assert_eq!(check(None), Ok(()));
        assert_eq!(
            check(Some(7)).err().and_then(|denial| denial.retry_after),
            Some(7)
        );
    }
}
