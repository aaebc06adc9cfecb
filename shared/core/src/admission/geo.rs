//! Owns what is known of where an address is: its country and its autonomous system, and how a list
//! names them. Must not know where that is looked up.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Every country: the codes that ISO 3166-1 assigns, and XK, which databases use for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI \
    BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY \
    CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN \
    GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL \
    PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN \
    VU WF WS XK YE YT ZA ZM ZW";

/// What a list says for addresses of which it is not known.
pub const UNKNOWN: &str = "unknown";
/// The largest number of an autonomous system that a list may name. Above it are private ones, which
/// no public address has.
const MAX_ASN: u32 = 3_999_999_999;

/// A country, by its code (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country(&'static str);

impl Country {
    /// The country with this code, in capital letters; `None` if there is none.
    pub fn parse(code: &str) -> Option<Self> {
        Self::codes().find(|known| *known == code).map(Self)
    }

    /// Every code.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        COUNTRIES.split_ascii_whitespace()
    }

    /// Its code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The number of an autonomous system: the network operator that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asn(pub u32);

impl Asn {
    /// Reads `AS64496`; `None` if it is none, or another spelling of one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("AS")?;
        let is_plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_plain)?;
        (number <= MAX_ASN).then_some(Self(number))
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressOrigin {
    /// Its country.
    pub country: Option<Country>,
    /// Its autonomous system.
    pub asn: Option<Asn>,
}

impl fmt::Display for AddressOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let country = self.country.map_or(UNKNOWN, Country::as_str);
        let asn = self.asn.map(|asn| asn.to_string());
        let asn = asn.as_deref().unwrap_or(UNKNOWN);
        write!(f, "country {country}, network {asn}")
    }
}

/// An entry of a list of countries: one, or all addresses whose country is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountryEntry(
    /// `None`: those whose country is not known.
    pub Option<Country>,
);

/// An entry of a list of autonomous systems: one, or all addresses of which it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsnEntry(
    /// `None`: those of which it is not known.
    pub Option<Asn>,
);

impl CountryEntry {
    /// Reads a code, or the word for those that are not known.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == UNKNOWN {
            return Ok(Self(None));
        }
        let found = Country::parse(text).map(|country| Self(Some(country)));
        found.ok_or_else(|| {
            "must be the code of a country in two capital letters, such as DE (the United Kingdom \
             is GB), or unknown."
                .to_owned()
        })
    }
}

impl AsnEntry {
    /// Reads `AS64496`, or the word for those that are not known.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == UNKNOWN {
            return Ok(Self(None));
        }
        let found = Asn::parse(text).map(|asn| Self(Some(asn)));
        found.ok_or_else(|| {
            "must be the number of an autonomous system such as AS64496, or unknown.".to_owned()
        })
    }
}

impl fmt::Display for CountryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or(UNKNOWN, Country::as_str))
    }
}

impl fmt::Display for AsnEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(asn) => asn.fmt(f),
            None => f.write_str(UNKNOWN),
        }
    }
}

macro_rules! as_text {
    ($($entry:ty),*) => { $(
        impl Serialize for $entry {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $entry {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )* };
}

as_text!(CountryEntry, AsnEntry);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn country_is_a_code_that_is_assigned() {
        assert_eq!(Country::codes().count(), 250);
        for (text, fits) in [
            ("DE", true),
            ("XK", true),
            ("de", false),
            ("UK", false),
            ("EU", false),
            ("DEU", false),
            ("", false),
            ("D", false),
            ("DE AT", false),
        ] {
            assert_eq!(Country::parse(text).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn autonomous_system_has_one_spelling() {
        for (text, number) in [
            ("AS64496", Some(64_496)),
            ("AS1", Some(1)),
            ("AS3999999999", Some(3_999_999_999)),
            ("AS4000000000", None),
            ("AS99999999999", None),
            ("AS0", None),
            ("AS01", None),
            ("AS", None),
            ("AS+1", None),
            ("as64496", None),
            ("64496", None),
        ] {
            assert_eq!(Asn::parse(text).map(|asn| asn.0), number, "{text}");
        }
    }

    #[test]
    fn entries_are_kept_as_they_are_written() {
        let countries = r#"["DE","unknown"]"#;
        let read: Vec<CountryEntry> = serde_json::from_str(countries).expect("countries");
        assert_eq!(serde_json::to_string(&read).expect("text"), countries);
        let systems = r#"["AS64496","unknown"]"#;
        let read: Vec<AsnEntry> = serde_json::from_str(systems).expect("systems");
        assert_eq!(serde_json::to_string(&read).expect("text"), systems);
        assert!(serde_json::from_str::<CountryEntry>(r#""UK""#).is_err());
    }
}
