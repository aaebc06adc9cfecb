//! Owns the rule that a link must exist and be enabled. The two refusals are one, so that nobody learns which keys exist.

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};

/// The cast, if a visitor may know of it.
///
/// # Errors
/// `UnknownCast` when there is none or it is disabled.
pub fn check(cast: Option<&Cast>) -> Result<&Cast, Denial> {
    match cast {
        Some(cast) if cast.settings.enabled => Ok(cast),
        _ => super::refuse(DenialCode::UnknownCast),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_disabled_look_alike() {
        let enabled = crate::testing::cast(1);
        let mut disabled = enabled.clone();
        disabled.settings.enabled = false;
        for (name, cast, passes) in [
            ("enabled", Some(&enabled), true),
            ("disabled", Some(&disabled), false),
            ("unknown", None, false),
        ] {
            assert_eq!(
                check(cast).map(|_| ()),
                if passes {
                    Ok(())
                } else {
                    super::super::refuse(DenialCode::UnknownCast)
                },
                "{name}"
            );
        }
    }
}
