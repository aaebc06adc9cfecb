//! Owns the network: a name for the subnets and security groups that a session's task is placed in
//! (seed: docker network). Must not know how it is stored or edited (see `network_form`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::time::Timestamp;

/// A network's name, which is also its id: 1 to 63 lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkName(String);

impl NetworkName {
    /// Reads a name; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the deployment's own subnets in a session's environment.
pub const DEFAULT_NETWORK: &str = "default";

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name. (The catalog's own key is called `id`.)
    pub id: NetworkName,
    /// Grows with every change.
    pub version: u64,
    /// What the administrator set.
    pub settings: NetworkSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// What an administrator sets on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// For administrators only.
    #[serde(default)]
    pub description: String,
    /// Where its tasks are placed.
    pub placement: Placement,
}

/// Where a task is placed (ECS: awsvpcConfiguration).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Ids of subnets, 1 to 16.
    pub subnets: Vec<String>,
    /// Ids of security groups, 1 to 5.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address.
    pub assign_public_ip: bool,
}

impl Record for Network {
    const KIND: &'static str = "network";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_name_is_short_and_plain() {
        for (text, fits) in [
            ("lab", true),
            ("lab-2_b", true),
            ("2lab", true),
            ("", false),
            ("Lab", false),
            ("-lab", false),
            ("a b", false),
            (&"n".repeat(64), false),
        ] {
            assert_eq!(NetworkName::parse(text).is_some(), fits, "{text}");
        }
    }
}
