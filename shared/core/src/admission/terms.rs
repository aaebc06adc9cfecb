//! Owns what a visitor is given beyond what their link says, and by whom: the link's access tier, or
//! its admission hook. Must not know how either decides.

use serde::{Deserialize, Serialize};

use crate::ids::GroupId;
use crate::network::NetworkName;

/// What a visitor who is admitted is given; `None`: as the link says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionTerms {
    /// How long the session may live at most, in seconds; never for longer than the link says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_seconds: Option<u32>,
    /// The network in which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkName>,
    /// A group that the visitor is in besides their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
}

impl AdmissionTerms {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a visitor is given, and by whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenTerms<'a> {
    /// What their access tier gives.
    pub tier: Option<&'a AdmissionTerms>,
    /// What the admission hook gives, which comes later and is stronger.
    pub hook: Option<&'a AdmissionTerms>,
}

impl<'a> GivenTerms<'a> {
    /// The strongest first.
    fn all(self) -> impl Iterator<Item = &'a AdmissionTerms> {
        [self.hook, self.tier].into_iter().flatten()
    }

    /// Where the session runs.
    pub fn network(self) -> Option<&'a NetworkName> {
        self.all().find_map(|terms| terms.network.as_ref())
    }

    /// The groups that the visitor is in besides their own, the strongest first.
    pub fn groups(self) -> impl Iterator<Item = &'a GroupId> {
        self.all().filter_map(|terms| terms.group_id.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_names_the_network_and_both_name_groups() {
        let terms = |network: Option<&str>, group: Option<u8>| AdmissionTerms {
            network: network.and_then(NetworkName::parse),
            group_id: group.map(|n| GroupId::from_bytes([n; 16])),
            ..AdmissionTerms::default()
        };
        let (empty, tier, hook) = (
            AdmissionTerms::default(),
            terms(Some("offline"), Some(1)),
            terms(Some("lab"), Some(2)),
        );
        assert!(empty.is_empty() && !tier.is_empty());
        for (name, tier, hook, network, groups) in [
            ("nothing", None, None, None, vec![]),
            ("the tier's", Some(&tier), None, Some("offline"), vec![1]),
            (
                "the tier's, the hook admits",
                Some(&tier),
                Some(&empty),
                Some("offline"),
                vec![1],
            ),
            ("the hook's", None, Some(&hook), Some("lab"), vec![2]),
            ("both", Some(&tier), Some(&hook), Some("lab"), vec![2, 1]),
        ] {
            let given = GivenTerms { tier, hook };
            assert_eq!(given.network().map(NetworkName::as_str), network, "{name}");
            let expected: Vec<_> = groups
                .into_iter()
                .map(|n| GroupId::from_bytes([n; 16]))
                .collect();
            let found: Vec<_> = given.groups().cloned().collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
