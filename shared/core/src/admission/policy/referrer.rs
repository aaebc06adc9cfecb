//! Owns the rule that a link can be limited to visitors from certain sites (seed: Restrict to
//! Referrers).

use crate::denial::{Denial, DenialCode};
use crate::referrer::ReferrerRule;

/// Passes when the list is empty, or one of its rules accepts the host that the visitor came from.
///
/// # Errors
/// `ReferrerDenied`, also when the browser does not say where the visitor came from: a list that
/// silence opens is no list.
pub fn check(rules: &[ReferrerRule], host: Option<&str>) -> Result<(), Denial> {
    let accepted =
        rules.is_empty() || host.is_some_and(|host| rules.iter().any(|rule| rule.accepts(host)));
    if accepted {
        Ok(())
    } else {
        super::refuse(DenialCode::ReferrerDenied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visitors_from_listed_sites_pass() {
        let list: Vec<_> = ["acme.com", "=shop.example"]
            .iter()
            .map(|line| ReferrerRule::parse(line).expect(line))
            .collect();
        for (name, rules, host, passes) in [
            ("no list", &[][..], None, true),
            ("no list, some site", &[][..], Some("evil.org"), true),
            ("first rule", &list[..], Some("www.acme.com"), true),
            ("second rule", &list[..], Some("shop.example"), true),
            ("no rule", &list[..], Some("www.shop.example"), false),
            ("silence", &list[..], None, false),
        ] {
            assert_eq!(check(rules, host).is_ok(), passes, "{name}");
        }
    }
}
