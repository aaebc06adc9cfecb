//! Owns the rule that a link can be limited to a number of sessions (seed: Limit Total Session,
//! Sessions Remaining).

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};

/// Passes when the limit is off or places remain. What is read here may be a moment old; the
/// reservation takes the place, or finds that it is gone.
///
/// # Errors
/// `NoSessionsLeft` when none remain.
pub fn check(cast: &Cast) -> Result<(), Denial> {
    if cast.settings.limit_total_sessions && cast.counter.remaining == 0 {
        super::refuse(DenialCode::NoSessionsLeft)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limited_link_is_refused_at_zero() {
        for (name, limited, remaining, passes) in [
            ("off, none", false, 0, true),
            ("off, some", false, 5, true),
            ("on, none", true, 0, false),
            ("on, one", true, 1, true),
        ] {
            let mut cast = crate::testing::cast(1);
            cast.settings.limit_total_sessions = limited;
            cast.counter.remaining = remaining;
            assert_eq!(check(&cast).is_ok(), passes, "{name}");
        }
    }
}
