//! Owns the rule that a link can end at a set time.

use crate::denial::{Denial, DenialCode};
use crate::time::Timestamp;

/// Passes before `valid_until`, or when none is set.
///
/// # Errors
/// `CastExpired` from that very moment on.
pub fn check(valid_until: Option<Timestamp>, now: Timestamp) -> Result<(), Denial> {
    match valid_until {
        Some(end) if now >= end => super::refuse(DenialCode::CastExpired),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn link_expires_exactly_at_valid_until() {
        for (name, valid_until, passes) in [
            ("for ever", None, true),
            ("in a second", Some(NOON.plus_seconds(1)), true),
            ("now", Some(NOON), false),
            ("a second ago", Some(NOON.minus_seconds(1)), false),
        ] {
            assert_eq!(check(valid_until, NOON).is_ok(), passes, "{name}");
        }
    }
}
