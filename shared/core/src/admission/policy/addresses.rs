//! Owns the rule that some addresses may not come: those on the deployment's or the link's ban
//! list, and those missing on the link's list of addresses that may.

use std::net::IpAddr;

use crate::address_rules::{AddressRule, find};
use crate::denial::{Denial, DenialCode};

/// Passes when no ban covers the address, and the link's list of allowed ones is empty or covers
/// it.
///
/// # Errors
/// `AddressDenied`, which names the label of the ban.
pub fn check(
    banned_anywhere: &[AddressRule],
    banned_here: &[AddressRule],
    allowed: &[AddressRule],
    address: IpAddr,
) -> Result<(), Denial> {
    if let Some(ban) = find(banned_anywhere, address).or_else(|| find(banned_here, address)) {
        return Err(Denial::quoting(
            DenialCode::AddressDenied,
            format!("Requests from {} are not allowed.", ban.label()),
            ban.label(),
        ));
    }
    if allowed.is_empty() || find(allowed, address).is_some() {
        Ok(())
    } else {
        super::refuse(DenialCode::AddressDenied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ban_wins_and_shows_its_label() {
        let list = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| AddressRule::parse(line).expect(line))
                .collect::<Vec<_>>()
        };
        let labelled = "Requests from Example Hosting are not allowed.";
        for (name, everywhere, here, allowed, detail) in [
            ("no lists", vec![], vec![], vec![], None),
            (
                "banned everywhere",
                vec!["192.0.2.0/24 Example Hosting"],
                vec![],
                vec![],
                Some(Some(labelled)),
            ),
            (
                "banned here",
                vec![],
                vec!["192.0.2.1 Example Hosting"],
                vec![],
                Some(Some(labelled)),
            ),
            (
                "banned here, without a label",
                vec![],
                vec!["192.0.2.1"],
                vec![],
                Some(Some("Requests from 192.0.2.1/32 are not allowed.")),
            ),
            (
                "a ban of somebody else",
                vec!["198.51.100.0/24"],
                vec![],
                vec![],
                None,
            ),
            ("allowed", vec![], vec![], vec!["192.0.2.0/24"], None),
            (
                "not among the allowed",
                vec![],
                vec![],
                vec!["198.51.100.0/24"],
                Some(None),
            ),
            (
                "allowed, but banned",
                vec!["192.0.2.0/24 Example Hosting"],
                vec![],
                vec!["192.0.2.1"],
                Some(Some(labelled)),
            ),
        ] {
            let verdict = check(
                &list(&everywhere),
                &list(&here),
                &list(&allowed),
                [192, 0, 2, 1].into(),
            );
            assert_eq!(
                verdict
                    .err()
                    .map(|denial| denial.detail)
                    .as_ref()
                    .map(|detail| detail.as_deref()),
                detail,
                "{name}"
            );
        }
    }
}
