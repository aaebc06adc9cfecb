//! Owns the rule that a link's access tiers admit the visitor, and which terms they give. It comes
//! after the CAPTCHA, so that a visitor from whom one is asked is not refused for want of it.

use super::captcha::{self, ProofFact, Requirement};
use crate::access_tier::{self, AccessTier, Shown};
use crate::cast::CastSettings;
use crate::denial::{Denial, DenialCode};
use crate::geo::AddressOrigin;
use crate::terms::AdmissionTerms;
use crate::user::User;

/// What a visitor has shown. Before they were asked, those who must solve a CAPTCHA count as if they
/// had: the CAPTCHA's own rule refuses who has not.
pub fn shown<'a>(
    settings: &CastSettings,
    user: Option<&'a User>,
    invited: bool,
    origin: AddressOrigin,
    proof: ProofFact,
) -> Shown<'a> {
    let without = Shown {
        captcha: false,
        user,
        invited,
        origin,
    };
    let captcha = match proof {
        ProofFact::Passed => true,
        ProofFact::NotAsked => {
            captcha::requirement(settings, &without, true) == Requirement::Required
        }
        ProofFact::Missing | ProofFact::Failed | ProofFact::Unchecked => false,
    };
    Shown { captcha, ..without }
}

/// The terms of the tier that admits the visitor.
pub fn terms<'a>(tiers: &'a [AccessTier], shown: &Shown<'_>) -> Option<&'a AdmissionTerms> {
    let (_, tier) = access_tier::choose(tiers, shown)?;
    tier.admits().then_some(&tier.terms)
}

/// Passes where a link has no tiers, and if the first that fits the visitor admits them.
///
/// # Errors
/// `AccessDenied` if it refuses them, or none fits; `StartRefused` if the group that it names is
/// gone: its permissions may be what keeps the visitor within bounds.
pub fn check(tiers: &[AccessTier], shown: &Shown<'_>, is_group_gone: bool) -> Result<(), Denial> {
    if tiers.is_empty() {
        return Ok(());
    }
    match access_tier::choose(tiers, shown) {
        Some((_, tier)) if tier.admits() && is_group_gone => {
            super::refuse(DenialCode::StartRefused)
        }
        Some((_, tier)) if tier.admits() => Ok(()),
        _ => super::refuse(DenialCode::AccessDenied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_tier::{Proof, TierOutcome};
    use crate::geo::{Country, CountryEntry};
    use crate::network::NetworkName;
    use crate::testing::{cast, user};

    fn tier(proof: Proof, network: &str) -> AccessTier {
        AccessTier {
            proof,
            terms: AdmissionTerms {
                network: NetworkName::parse(network),
                ..AdmissionTerms::default()
            },
            ..AccessTier::default()
        }
    }

    #[test]
    fn first_tier_that_fits_decides() {
        let deny = AccessTier {
            outcome: TierOutcome::Deny,
            countries: vec![CountryEntry::parse("FR").expect("a country")],
            ..AccessTier::default()
        };
        let all = vec![
            deny.clone(),
            tier(Proof::Invitation, "guests"),
            tier(Proof::Login, "staff"),
            tier(Proof::Captcha, "lab"),
            tier(Proof::Any, "offline"),
        ];
        let without_last = all[..4].to_vec();
        let ann = user(1);
        let denied = Some(DenialCode::AccessDenied);
        use ProofFact::{Failed, Missing, NotAsked, Passed, Unchecked};
        for (name, tiers, user, invited, country, proof, network, code) in [
            ("no tiers", &vec![], None, false, None, Missing, None, None),
            (
                "nothing shown",
                &all,
                None,
                false,
                None,
                Missing,
                Some("offline"),
                None,
            ),
            (
                "not asked yet",
                &all,
                None,
                false,
                None,
                NotAsked,
                Some("offline"),
                None,
            ),
            (
                "a CAPTCHA",
                &all,
                None,
                false,
                None,
                Passed,
                Some("lab"),
                None,
            ),
            (
                "a wrong CAPTCHA",
                &all,
                None,
                false,
                None,
                Failed,
                Some("offline"),
                None,
            ),
            (
                "an unchecked one",
                &all,
                None,
                false,
                None,
                Unchecked,
                Some("offline"),
                None,
            ),
            (
                "a login",
                &all,
                Some(&ann),
                false,
                None,
                Missing,
                Some("staff"),
                None,
            ),
            (
                "an invitation",
                &all,
                None,
                true,
                None,
                Missing,
                Some("guests"),
                None,
            ),
            (
                "both",
                &all,
                Some(&ann),
                true,
                None,
                Missing,
                Some("guests"),
                None,
            ),
            (
                "from a barred country",
                &all,
                Some(&ann),
                true,
                Some("FR"),
                Passed,
                None,
                denied,
            ),
            (
                "from another one",
                &all,
                None,
                false,
                Some("DE"),
                Missing,
                Some("offline"),
                None,
            ),
            (
                "none fits",
                &without_last,
                None,
                false,
                None,
                Missing,
                None,
                denied,
            ),
            (
                "not asked, and must be",
                &without_last,
                None,
                false,
                None,
                NotAsked,
                Some("lab"),
                None,
            ),
            (
                "asked and solved",
                &without_last,
                None,
                false,
                None,
                Passed,
                Some("lab"),
                None,
            ),
        ] {
            let mut settings = cast(1).settings;
            settings.access_tiers.clone_from(tiers);
            let origin = AddressOrigin {
                country: country.and_then(Country::parse),
                asn: None,
            };
            let shown = shown(&settings, user, invited, origin, proof);
            let found = terms(tiers, &shown).and_then(|terms| terms.network.as_ref());
            assert_eq!(found.map(NetworkName::as_str), network, "{name}");
            let verdict = check(tiers, &shown, false);
            assert_eq!(verdict.err().map(|denial| denial.code), code, "{name}");
        }
    }

    #[test]
    fn tier_with_a_deleted_group_refuses_its_visitors() {
        let tiers = [tier(Proof::Any, "offline")];
        let settings = cast(1).settings;
        let shown = shown(
            &settings,
            None,
            false,
            AddressOrigin::default(),
            ProofFact::Missing,
        );
        let code = |gone| check(&tiers, &shown, gone).err().map(|denial| denial.code);
        assert_eq!(code(true), Some(DenialCode::StartRefused));
        assert_eq!(code(false), None);
    }
}
