//! Owns the rule that anonymous visitors solve a CAPTCHA (seed: Require reCAPTCHA).

use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};
use crate::user::User;

/// The state of a visitor's CAPTCHA solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFact {
    /// It was not requested yet.
    NotAsked,
    /// None was brought.
    Missing,
    /// It is good.
    Passed,
    /// It is wrong, stale or used.
    Failed,
    /// It could not be checked.
    Unchecked,
}

/// Whether a visitor to this link must bring a proof: only anonymous ones, and only where they are
/// allowed.
pub const fn applies(settings: &CastSettings, user: Option<&User>) -> bool {
    settings.allow_anonymous && settings.require_captcha && user.is_none()
}

/// Passes when no CAPTCHA is required, it is solved, or it was not requested yet.
///
/// # Errors
/// `CaptchaRequired`, `CaptchaFailed`, or `CaptchaUnavailable`: in doubt visitors are refused,
/// because every session costs money.
pub fn check(settings: &CastSettings, user: Option<&User>, proof: ProofFact) -> Result<(), Denial> {
    if !applies(settings, user) {
        return Ok(());
    }
    match proof {
        ProofFact::NotAsked | ProofFact::Passed => Ok(()),
        ProofFact::Missing => super::refuse(DenialCode::CaptchaRequired),
        ProofFact::Failed => super::refuse(DenialCode::CaptchaFailed),
        ProofFact::Unchecked => Err(Denial::retry(DenialCode::CaptchaUnavailable, 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    #[test]
    fn captcha_is_required_of_anonymous_visitors_only() {
        use ProofFact::{Failed, Missing, NotAsked, Passed, Unchecked};
        for (name, anonymous, required, logged_in, proof, code) in [
            ("not required", true, false, false, Missing, None),
            ("required, not asked yet", true, true, false, NotAsked, None),
            (
                "required, missing",
                true,
                true,
                false,
                Missing,
                Some(DenialCode::CaptchaRequired),
            ),
            ("required, good", true, true, false, Passed, None),
            (
                "required, wrong",
                true,
                true,
                false,
                Failed,
                Some(DenialCode::CaptchaFailed),
            ),
            (
                "required, the provider is down",
                true,
                true,
                false,
                Unchecked,
                Some(DenialCode::CaptchaUnavailable),
            ),
            ("required, logged in", true, true, true, Missing, None),
            (
                "required where nobody is anonymous",
                false,
                true,
                false,
                Missing,
                None,
            ),
        ] {
            let mut settings = crate::testing::cast(1).settings;
            settings.allow_anonymous = anonymous;
            settings.require_captcha = required;
            let user = logged_in.then(|| user(1));
            assert_eq!(
                check(&settings, user.as_ref(), proof)
                    .err()
                    .map(|denial| denial.code),
                code,
                "{name}"
            );
        }
    }
}
