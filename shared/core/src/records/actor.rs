//! Owns actors (an API key, or a user who logged in with a role) and their scopes. Must not know
//! how they were authenticated.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::user::ConsoleRole;

/// A scope: one part of the deployment that an actor may change. Write access includes read access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Reads everything; changes nothing.
    Read,
    /// Makes, changes and deletes links and staging configs.
    Casts,
    /// Makes, changes and deletes images and networks.
    Images,
    /// Makes, changes and deletes groups, and deletes users with their data.
    People,
    /// Ends sessions, watches them, takes their sharing back.
    Sessions,
    /// Changes the deployment's settings.
    Settings,
    /// Makes, changes and deletes API keys, with no scope and no longer than the actor's own
    /// ([`ApiKeySettings::excess`](crate::api_key::ApiKeySettings::excess)).
    Keys,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Casts,
        Self::Images,
        Self::People,
        Self::Sessions,
        Self::Settings,
        Self::Keys,
    ];

    /// The scope as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Casts => "casts",
            Self::Images => "images",
            Self::People => "people",
            Self::Sessions => "sessions",
            Self::Settings => "settings",
            Self::Keys => "keys",
        }
    }

    /// What it allows, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "Read everything",
            Self::Casts => "Make and change links",
            Self::Images => "Make and change images and networks",
            Self::People => "Make and change groups, delete users",
            Self::Sessions => "End, watch and unshare sessions",
            Self::Settings => "Change the settings",
            Self::Keys => "Make and delete API keys",
        }
    }

    /// Reads a scope; `None` when there is none of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A program, or a person, with an API key.
    ApiKey,
    /// A person who has logged in.
    User,
    /// The holder of the deployment's own key, which is needed to create the first API key.
    Deployment,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::User, Self::Deployment];
}

/// Who acts, what they may do, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// Its id among its kind.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Until when, if it is a key that expires.
    pub expires_at: Option<Timestamp>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// What its calls are counted under.
    pub(crate) fn caller(&self) -> String {
        format!("{:?} {}", self.kind, self.id)
    }

    /// Whether it may do what needs this scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may read: every scope includes read access.
    pub fn may_read(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether it has this scope, or one that includes it, and so may give it to others.
    pub fn has(&self, scope: Scope) -> bool {
        self.may(scope) || (scope == Scope::Read && self.may_read())
    }
}

impl ConsoleRole {
    /// What the role lets its users do (an administrator everything, an auditor nothing but
    /// reading).
    pub fn scopes(self) -> BTreeSet<Scope> {
        match self {
            Self::Admin => Scope::ALL.into(),
            Self::Auditor => [Scope::Read].into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_round_trip() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).expect("JSON"), scope.as_str());
        }
        assert_eq!(Scope::parse("everything"), None);
    }

    #[test]
    fn auditor_reads_and_administrator_has_all_scopes() {
        for scope in Scope::ALL {
            assert!(ConsoleRole::Admin.scopes().contains(&scope));
            assert_eq!(
                ConsoleRole::Auditor.scopes().contains(&scope),
                scope == Scope::Read,
                "{scope:?}"
            );
        }
    }
}
