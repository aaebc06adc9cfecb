//! Owns the rule that anonymous visitors solve a CAPTCHA (seed: Require reCAPTCHA), and whether a
//! solution is asked for or only makes a difference (see `access_tiers`).

use crate::access_tier::{self, Shown};
use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};

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

/// What a solution is to a visitor of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// None is asked for.
    No,
    /// With one they get other terms than without.
    Optional,
    /// Without one they do not come in.
    Required,
}

/// What a solution is to this visitor; whether they have brought one makes no difference. Users who
/// have logged in are asked for none. `can_pass` says whether one can be checked: else it is no way
/// to other terms.
pub fn requirement(settings: &CastSettings, shown: &Shown<'_>, can_pass: bool) -> Requirement {
    if shown.user.is_some() || !settings.allow_anonymous {
        return Requirement::No;
    }
    if settings.require_captcha {
        return Requirement::Required;
    }
    let tiers = &settings.access_tiers;
    let choose = |captcha| access_tier::choose(tiers, &Shown { captcha, ..*shown });
    let (without, with) = (choose(false), choose(true));
    let admits = |chosen: Option<(usize, &access_tier::AccessTier)>| {
        chosen.is_some_and(|(_, tier)| tier.admits())
    };
    match (admits(without), admits(with)) {
        (_, false) => Requirement::No,
        (false, true) => Requirement::Required,
        (true, true) => {
            let differs = without.map(|(at, _)| at) != with.map(|(at, _)| at);
            if differs && can_pass {
                Requirement::Optional
            } else {
                Requirement::No
            }
        }
    }
}

/// Passes when no CAPTCHA is required, it is solved, or it was not requested yet. Who brings a
/// solution that is wrong is refused also where they need none: they would get less than they
/// expect.
///
/// # Errors
/// `CaptchaRequired`, `CaptchaFailed`, or `CaptchaUnavailable`: in doubt visitors are refused,
/// because every session costs money.
pub fn check(requirement: Requirement, proof: ProofFact) -> Result<(), Denial> {
    if requirement == Requirement::No {
        return Ok(());
    }
    match proof {
        ProofFact::NotAsked | ProofFact::Passed => Ok(()),
        ProofFact::Missing if requirement == Requirement::Optional => Ok(()),
        ProofFact::Missing => super::refuse(DenialCode::CaptchaRequired),
        ProofFact::Failed => super::refuse(DenialCode::CaptchaFailed),
        ProofFact::Unchecked => Err(Denial::retry(DenialCode::CaptchaUnavailable, 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_tier::{AccessTier, Proof, TierOutcome};
    use crate::geo::AddressOrigin;
    use crate::testing::user;
    use crate::user::User;

    fn nobody(user: Option<&User>) -> Shown<'_> {
        Shown {
            captcha: false,
            user,
            invited: false,
            origin: AddressOrigin::default(),
        }
    }

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
            let requirement = requirement(&settings, &nobody(user.as_ref()), true);
            assert_eq!(
                check(requirement, proof).err().map(|denial| denial.code),
                code,
                "{name}"
            );
        }
    }

    #[test]
    fn tiers_make_a_solution_optional_or_required() {
        let of = |proof, outcome| AccessTier {
            proof,
            outcome,
            ..AccessTier::default()
        };
        use ProofFact::{Failed, Missing, NotAsked, Passed, Unchecked};
        use Requirement::{No, Optional, Required};
        use TierOutcome::{Admit, Deny};
        let (captcha, any) = (of(Proof::Captcha, Admit), of(Proof::Any, Admit));
        let ann = user(1);
        for (name, tiers, user, allowed, expected) in [
            ("no tiers", vec![], None, true, No),
            ("one for all", vec![any.clone()], None, true, No),
            (
                "more for a solution",
                vec![captcha.clone(), any.clone()],
                None,
                true,
                Optional,
            ),
            (
                "out of reach",
                vec![any.clone(), captcha.clone()],
                None,
                true,
                No,
            ),
            ("nothing else", vec![captcha.clone()], None, true, Required),
            (
                "a refusal without",
                vec![captcha.clone(), of(Proof::Any, Deny)],
                None,
                true,
                Required,
            ),
            (
                "a refusal with",
                vec![of(Proof::Captcha, Deny), any.clone()],
                None,
                true,
                No,
            ),
            ("logged in", vec![captcha.clone()], Some(&ann), true, No),
            ("nobody is anonymous", vec![captcha], None, false, No),
        ] {
            let mut settings = crate::testing::cast(1).settings;
            settings.allow_anonymous = allowed;
            settings.access_tiers = tiers;
            let found = |can_pass| requirement(&settings, &nobody(user), can_pass);
            assert_eq!(found(true), expected, "{name}");
            let unchecked = if expected == Optional { No } else { expected };
            assert_eq!(found(false), unchecked, "{name}, which cannot be checked");
        }
        let optional = |proof| check(Optional, proof).err().map(|denial| denial.code);
        assert_eq!([NotAsked, Missing, Passed].map(optional), [None; 3]);
        assert_eq!(optional(Failed), Some(DenialCode::CaptchaFailed));
        assert_eq!(optional(Unchecked), Some(DenialCode::CaptchaUnavailable));
    }
}
