//! Owns the rule that a link must exist and be enabled. The two refusals are the same, so that
//! existing keys are not revealed.

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};

/// The cast, if a visitor may know of it: it is enabled, or a session of it `is_theirs`.
///
/// # Errors
/// `UnknownCast` when there is none or it is disabled.
pub fn check(cast: Option<&Cast>, is_theirs: bool) -> Result<&Cast, Denial> {
    match cast {
        Some(cast) if cast.settings.enabled || is_theirs => Ok(cast),
        _ => super::refuse(DenialCode::UnknownCast),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_disabled_links_look_alike() {
        let enabled = crate::testing::cast(1);
        let mut disabled = enabled.clone();
        disabled.settings.enabled = false;
        for (name, cast, is_theirs, passes) in [
            ("enabled", Some(&enabled), false, true),
            ("disabled", Some(&disabled), false, false),
            (
                "disabled, with a session of theirs",
                Some(&disabled),
                true,
                true,
            ),
            ("unknown", None, false, false),
            ("unknown, whatever is theirs", None, true, false),
        ] {
            assert_eq!(
                check(cast, is_theirs).map(|_| ()),
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
