//! Owns the access tiers of a link: an ordered list that says what a visitor gets by what they have
//! shown of themselves and where they come from. The first that fits decides; who fits none is
//! refused. Must not know when it is asked (see `policy::access_tiers`) or how a list is written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::geo::{AddressOrigin, AsnEntry, CountryEntry};
use crate::terms::AdmissionTerms;
use crate::user::User;

/// The most tiers of a link.
pub const MAX_TIERS: usize = 20;
/// The most entries of each list in a tier.
pub const MAX_ENTRIES: usize = 300;

/// What a visitor must have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Nothing.
    #[default]
    Any,
    /// That they are a person: a solved CAPTCHA. Users who have logged in are asked for none, and
    /// count as if they had solved one.
    Captcha,
    /// Who they are: a login.
    Login,
    /// That they are invited.
    Invitation,
}

impl Proof {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Any, Self::Captcha, Self::Login, Self::Invitation];

    /// The value as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Captcha => "captcha",
            Self::Login => "login",
            Self::Invitation => "invitation",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be any, captcha, login or invitation.".to_owned())
    }
}

/// What becomes of those whom a tier fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TierOutcome {
    /// They come in, on the tier's terms.
    #[default]
    Admit,
    /// They are refused.
    Deny,
}

impl TierOutcome {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Admit, Self::Deny];

    /// The value as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Deny => "deny",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be admit or deny.".to_owned())
    }
}

/// One tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTier {
    /// For administrators only; may be empty.
    #[serde(default)]
    pub name: String,
    /// What a visitor must have shown.
    #[serde(default)]
    pub proof: Proof,
    /// With a login: the groups, as the login provider calls them, of which the user is in one; empty
    /// is every user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub login_groups: Vec<String>,
    /// The countries that the visitor's address may be in; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<CountryEntry>,
    /// The countries that it may not be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_countries: Vec<CountryEntry>,
    /// The autonomous systems that it may be in; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asns: Vec<AsnEntry>,
    /// The autonomous systems that it may not be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_asns: Vec<AsnEntry>,
    /// What becomes of those whom it fits.
    #[serde(default)]
    pub outcome: TierOutcome,
    /// What they are given, if they come in.
    #[serde(default, skip_serializing_if = "AdmissionTerms::is_empty")]
    pub terms: AdmissionTerms,
}

/// What a visitor has shown, and where they come from.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Whether they have solved the CAPTCHA.
    pub captcha: bool,
    /// The user, if logged in.
    pub user: Option<&'a User>,
    /// Whether they bring an invitation to the link.
    pub invited: bool,
    /// What is known of their address.
    pub origin: AddressOrigin,
}

impl AccessTier {
    /// Whether it fits this visitor.
    pub fn fits(&self, shown: &Shown<'_>) -> bool {
        let has_shown = match self.proof {
            Proof::Any => true,
            Proof::Captcha => shown.captcha || shown.user.is_some(),
            Proof::Login => shown.user.is_some_and(|user| self.is_of(user)),
            Proof::Invitation => shown.invited,
        };
        has_shown && self.fits_origin(shown.origin)
    }

    fn is_of(&self, user: &User) -> bool {
        let groups = &self.login_groups;
        groups.is_empty() || groups.iter().any(|group| user.groups.contains(group))
    }

    /// Whether it fits visitors from there. What is not known fits only a list that says so.
    fn fits_origin(&self, origin: AddressOrigin) -> bool {
        let country = CountryEntry(origin.country);
        let is_in = self.countries.is_empty() || self.countries.contains(&country);
        let is_out = self.except_countries.is_empty()
            || origin.country.is_some() && !self.except_countries.contains(&country);
        let asn = AsnEntry(origin.asn);
        let is_in_system = self.asns.is_empty() || self.asns.contains(&asn);
        let is_out_of_system =
            self.except_asns.is_empty() || origin.asn.is_some() && !self.except_asns.contains(&asn);
        is_in && is_out && is_in_system && is_out_of_system
    }

    /// Whether those whom it fits come in.
    pub const fn admits(&self) -> bool {
        matches!(self.outcome, TierOutcome::Admit)
    }

    /// Whether it asks in which country an address is.
    const fn asks_country(&self) -> bool {
        !self.countries.is_empty() || !self.except_countries.is_empty()
    }

    /// Whether it asks for the autonomous system of an address.
    const fn asks_asn(&self) -> bool {
        !self.asns.is_empty() || !self.except_asns.is_empty()
    }

    /// Whether it asks where an address is.
    pub const fn asks_origin(&self) -> bool {
        self.asks_country() || self.asks_asn()
    }

    /// Whether it fits everybody.
    const fn fits_all(&self) -> bool {
        matches!(self.proof, Proof::Any) && !self.asks_origin()
    }

    /// Whether it fits everyone whom `other` fits.
    fn covers(&self, other: &Self) -> bool {
        let proof = match (self.proof, other.proof) {
            (Proof::Any, _) | (Proof::Captcha, Proof::Captcha | Proof::Login) => true,
            (Proof::Invitation, Proof::Invitation) => true,
            (Proof::Login, Proof::Login) => {
                let has = |group: &String| self.login_groups.contains(group);
                self.login_groups.is_empty()
                    || !other.login_groups.is_empty() && other.login_groups.iter().all(has)
            }
            _ => false,
        };
        proof
            && covers(
                (&self.countries, &self.except_countries),
                (&other.countries, &other.except_countries),
                &CountryEntry(None),
            )
            && covers(
                (&self.asns, &self.except_asns),
                (&other.asns, &other.except_asns),
                &AsnEntry(None),
            )
    }
}

/// Whether one pair of lists, of what is in and what is not, fits all that another pair fits.
fn covers<T: PartialEq>(wide: (&[T], &[T]), narrow: (&[T], &[T]), unknown: &T) -> bool {
    match (wide, narrow) {
        (([], []), _) => true,
        ((listed, []), (among, _)) => {
            !among.is_empty() && among.iter().all(|one| listed.contains(one))
        }
        ((_, except), ([], others)) => {
            !others.is_empty() && except.iter().all(|one| others.contains(one))
        }
        ((_, except), (among, _)) => among
            .iter()
            .all(|one| one != unknown && !except.contains(one)),
    }
}

/// The first tier that fits the visitor, with its place in the list, from 0.
pub fn choose<'a>(tiers: &'a [AccessTier], shown: &Shown<'_>) -> Option<(usize, &'a AccessTier)> {
    let mut numbered = tiers.iter().enumerate();
    numbered.find(|(_, tier)| tier.fits(shown))
}

/// Whether a login may give the visitor more than they get now: an earlier tier admits some who have
/// logged in.
pub fn login_may_help(tiers: &[AccessTier], shown: &Shown<'_>) -> bool {
    if shown.user.is_some() {
        return false;
    }
    let now = choose(tiers, shown).map_or(tiers.len(), |(at, _)| at);
    let mut earlier = tiers.iter().take(now);
    earlier
        .any(|tier| tier.admits() && tier.proof == Proof::Login && tier.fits_origin(shown.origin))
}

/// The indexes of tiers that never decide, because an earlier one fits all of their visitors.
pub fn unreachable(tiers: &[AccessTier]) -> Vec<usize> {
    let is_covered = |(at, tier): &(usize, &AccessTier)| {
        tiers.iter().take(*at).any(|earlier| earlier.covers(tier))
    };
    let covered = tiers.iter().enumerate().filter(is_covered);
    covered.map(|(at, _)| at).collect()
}

/// Whether some visitors may fit no tier, and are refused.
pub fn leaves_some_out(tiers: &[AccessTier]) -> bool {
    !tiers.is_empty() && !tiers.iter().any(AccessTier::fits_all)
}

/// The tier that decided about a claim, as it was called then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidingTier {
    /// Its place in the list, from 1.
    pub number: u32,
    /// Its name; may be empty.
    #[serde(default)]
    pub name: String,
}

impl DecidingTier {
    /// The tier at this place, from 0.
    pub fn of(at: usize, tier: &AccessTier) -> Self {
        Self {
            number: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
            name: tier.name.clone(),
        }
    }
}

impl fmt::Display for DecidingTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name } = self;
        if name.is_empty() {
            write!(f, "tier {number}")
        } else {
            write!(f, "tier {number}, \u{201c}{name}\u{201d}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Asn, Country};
    use crate::testing::user;

    fn countries(codes: &[&str]) -> Vec<CountryEntry> {
        let read = |code: &&str| CountryEntry::parse(code).expect(code);
        codes.iter().map(read).collect()
    }

    fn asns(texts: &[&str]) -> Vec<AsnEntry> {
        let read = |text: &&str| AsnEntry::parse(text).expect(text);
        texts.iter().map(read).collect()
    }

    fn of(proof: Proof) -> AccessTier {
        AccessTier {
            proof,
            ..AccessTier::default()
        }
    }

    fn nobody() -> Shown<'static> {
        Shown {
            captcha: false,
            user: None,
            invited: false,
            origin: AddressOrigin::default(),
        }
    }

    fn from(country: Option<&str>, asn: Option<u32>) -> AddressOrigin {
        AddressOrigin {
            country: country.and_then(Country::parse),
            asn: asn.map(Asn),
        }
    }

    #[test]
    fn tier_fits_by_what_the_visitor_has_shown() {
        let (plain, mut staff) = (user(1), user(2));
        staff.groups = vec!["Staff".into(), "Lab".into()];
        let in_groups = AccessTier {
            login_groups: vec!["Lab".into(), "Office".into()],
            ..of(Proof::Login)
        };
        let anonymous = nobody();
        let solved = Shown {
            captcha: true,
            ..anonymous
        };
        let invited = Shown {
            invited: true,
            ..anonymous
        };
        let logged_in = Shown {
            user: Some(&plain),
            ..anonymous
        };
        let of_staff = Shown {
            user: Some(&staff),
            ..anonymous
        };
        for (name, tier, fitting) in [
            ("any", of(Proof::Any), [true, true, true, true, true]),
            (
                "captcha",
                of(Proof::Captcha),
                [false, true, false, true, true],
            ),
            ("login", of(Proof::Login), [false, false, false, true, true]),
            ("in a group", in_groups, [false, false, false, false, true]),
            (
                "invitation",
                of(Proof::Invitation),
                [false, false, true, false, false],
            ),
        ] {
            let visitors = [&anonymous, &solved, &invited, &logged_in, &of_staff];
            assert_eq!(visitors.map(|shown| tier.fits(shown)), fitting, "{name}");
        }
    }

    #[test]
    fn unknown_origin_fits_only_a_list_that_says_so() {
        let with = |set: &dyn Fn(&mut AccessTier)| {
            let mut tier = AccessTier::default();
            set(&mut tier);
            tier
        };
        let (de, fr, unknown) = (
            from(Some("DE"), Some(64_496)),
            from(Some("FR"), Some(64_497)),
            from(None, None),
        );
        for (name, tier, fitting) in [
            ("no lists", with(&|_| {}), [true, true, true]),
            (
                "in",
                with(&|tier| tier.countries = countries(&["DE", "AT"])),
                [true, false, false],
            ),
            (
                "in, or unknown",
                with(&|tier| tier.countries = countries(&["DE", "unknown"])),
                [true, false, true],
            ),
            (
                "unknown alone",
                with(&|tier| tier.countries = countries(&["unknown"])),
                [false, false, true],
            ),
            (
                "not in",
                with(&|tier| tier.except_countries = countries(&["FR"])),
                [true, false, false],
            ),
            (
                "in a system",
                with(&|tier| tier.asns = asns(&["AS64496"])),
                [true, false, false],
            ),
            (
                "in a system, or unknown",
                with(&|tier| tier.asns = asns(&["AS64497", "unknown"])),
                [false, true, true],
            ),
            (
                "not in a system",
                with(&|tier| tier.except_asns = asns(&["AS64496"])),
                [false, true, false],
            ),
            (
                "both must hold",
                with(&|tier| {
                    tier.countries = countries(&["DE", "FR"]);
                    tier.except_asns = asns(&["AS64496"]);
                }),
                [false, true, false],
            ),
        ] {
            let found = [de, fr, unknown].map(|origin| tier.fits(&Shown { origin, ..nobody() }));
            assert_eq!(found, fitting, "{name}");
        }
    }

    #[test]
    fn tier_behind_a_wider_one_is_unreachable() {
        let tier = |proof, groups: &[&str], listed: &[&str], except: &[&str]| AccessTier {
            login_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            countries: countries(listed),
            except_countries: countries(except),
            ..of(proof)
        };
        use Proof::{Any, Captcha, Invitation, Login};
        for (name, first, second, is_covered) in [
            (
                "any, any",
                tier(Any, &[], &[], &[]),
                tier(Any, &[], &[], &[]),
                true,
            ),
            (
                "any, login",
                tier(Any, &[], &[], &[]),
                tier(Login, &["A"], &["DE"], &[]),
                true,
            ),
            (
                "login, any",
                tier(Login, &[], &[], &[]),
                tier(Any, &[], &[], &[]),
                false,
            ),
            (
                "captcha, login",
                tier(Captcha, &[], &[], &[]),
                tier(Login, &[], &[], &[]),
                true,
            ),
            (
                "login, captcha",
                tier(Login, &[], &[], &[]),
                tier(Captcha, &[], &[], &[]),
                false,
            ),
            (
                "captcha, invited",
                tier(Captcha, &[], &[], &[]),
                tier(Invitation, &[], &[], &[]),
                false,
            ),
            (
                "login, a group",
                tier(Login, &[], &[], &[]),
                tier(Login, &["A"], &[], &[]),
                true,
            ),
            (
                "a group, login",
                tier(Login, &["A"], &[], &[]),
                tier(Login, &[], &[], &[]),
                false,
            ),
            (
                "two groups, one",
                tier(Login, &["A", "B"], &[], &[]),
                tier(Login, &["B"], &[], &[]),
                true,
            ),
            (
                "a group, another",
                tier(Login, &["A"], &[], &[]),
                tier(Login, &["B"], &[], &[]),
                false,
            ),
            (
                "two countries, one",
                tier(Any, &[], &["DE", "FR"], &[]),
                tier(Any, &[], &["FR"], &[]),
                true,
            ),
            (
                "a country, all",
                tier(Any, &[], &["DE"], &[]),
                tier(Any, &[], &[], &[]),
                false,
            ),
            (
                "a country, all but",
                tier(Any, &[], &["DE"], &[]),
                tier(Any, &[], &[], &["FR"]),
                false,
            ),
            (
                "all but, a country",
                tier(Any, &[], &[], &["FR"]),
                tier(Any, &[], &["DE"], &[]),
                true,
            ),
            (
                "all but, that one",
                tier(Any, &[], &[], &["FR"]),
                tier(Any, &[], &["FR"], &[]),
                false,
            ),
            (
                "all but, unknown",
                tier(Any, &[], &[], &["FR"]),
                tier(Any, &[], &["unknown"], &[]),
                false,
            ),
            (
                "all but one, all but two",
                tier(Any, &[], &[], &["FR"]),
                tier(Any, &[], &[], &["FR", "DE"]),
                true,
            ),
            (
                "all but two, all but one",
                tier(Any, &[], &[], &["FR", "DE"]),
                tier(Any, &[], &[], &["FR"]),
                false,
            ),
            (
                "all but, all",
                tier(Any, &[], &[], &["FR"]),
                tier(Any, &[], &[], &[]),
                false,
            ),
        ] {
            let expected = if is_covered { vec![1] } else { vec![] };
            assert_eq!(unreachable(&[first, second]), expected, "{name}");
        }
    }

    #[test]
    fn login_helps_where_an_earlier_tier_admits_users() {
        let deny = |proof| AccessTier {
            outcome: TierOutcome::Deny,
            ..of(proof)
        };
        let abroad = AccessTier {
            countries: countries(&["FR"]),
            ..of(Proof::Login)
        };
        let ann = user(1);
        let logged_in = Shown {
            user: Some(&ann),
            ..nobody()
        };
        for (name, tiers, shown, helps) in [
            ("none", vec![], nobody(), false),
            (
                "login before any",
                vec![of(Proof::Login), of(Proof::Any)],
                nobody(),
                true,
            ),
            ("login alone", vec![of(Proof::Login)], nobody(), true),
            (
                "login behind any",
                vec![of(Proof::Any), of(Proof::Login)],
                nobody(),
                false,
            ),
            (
                "login behind a refusal",
                vec![deny(Proof::Any), of(Proof::Login)],
                nobody(),
                false,
            ),
            (
                "a refusal of users",
                vec![deny(Proof::Login), of(Proof::Any)],
                nobody(),
                false,
            ),
            (
                "login from elsewhere",
                vec![abroad, of(Proof::Any)],
                nobody(),
                false,
            ),
            (
                "logged in",
                vec![of(Proof::Login), of(Proof::Any)],
                logged_in,
                false,
            ),
        ] {
            assert_eq!(login_may_help(&tiers, &shown), helps, "{name}");
        }
    }

    #[test]
    fn list_without_a_tier_for_all_leaves_some_out() {
        for (name, tiers, expected) in [
            ("no list", vec![], false),
            ("any", vec![of(Proof::Login), of(Proof::Any)], false),
            ("login", vec![of(Proof::Login)], true),
            (
                "any from one country",
                vec![AccessTier {
                    countries: countries(&["DE"]),
                    ..of(Proof::Any)
                }],
                true,
            ),
        ] {
            assert_eq!(leaves_some_out(&tiers), expected, "{name}");
        }
    }
}
