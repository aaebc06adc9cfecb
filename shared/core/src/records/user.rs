//! Owns users who have logged in: who they are and what they may do in the console. Must not know
//! how they logged in (`casting-identity` does).

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// The most groups that are kept of a login; the ticket must fit into a cookie.
pub const MAX_GROUPS: usize = 40;

/// A user who has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Follows from the provider and its name for the user: see [`UserId::of`].
    #[serde(rename = "i")]
    pub id: UserId,
    /// What to call them; shown to administrators and to their own session.
    #[serde(rename = "n")]
    pub name: String,
    /// What they may do in the console.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<ConsoleRole>,
    /// The groups that the provider puts them in, by name; [`MAX_GROUPS`] at most.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// What a user may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleRole {
    /// Reads and writes.
    Admin,
    /// Reads.
    Auditor,
}

impl ConsoleRole {
    /// The role as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_id_is_stable_and_unique_per_login() {
        let id = UserId::of("https://login.example", "ann");
        assert_eq!(id, UserId::of("https://login.example", "ann"));
        for (issuer, subject) in [
            ("https://login.example", "bob"),
            ("https://other.example", "ann"),
            ("https://login.exampl", "eann"),
        ] {
            assert_ne!(id, UserId::of(issuer, subject), "{issuer} {subject}");
        }
    }
}
