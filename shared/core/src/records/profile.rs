//! Owns the profile: what is kept of a user who has logged in, so that administrators can see who
//! there is. Nothing is judged by it: what a user may do stands in the login's own ticket. Must not
//! know how users log in.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::UserId;
use crate::record::Record;
use crate::time::Timestamp;
use crate::user::{ConsoleRole, User};

/// A user who has logged in at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Follows from the provider and its name for the user.
    pub id: UserId,
    /// Grows with every login.
    pub version: u64,
    /// What they were called at the last login.
    pub name: String,
    /// What they could do in the console then.
    #[serde(default)]
    pub roles: Vec<ConsoleRole>,
    /// The groups they were in then.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The first login.
    pub created_at: Timestamp,
    /// The last login.
    pub last_login_at: Timestamp,
}

impl Record for Profile {
    const KIND: &'static str = "user";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

impl Profile {
    /// The profile after a login, over the one from before, if there is one.
    pub fn after_login(before: Option<&Self>, user: &User, now: Timestamp) -> Self {
        Self {
            id: user.id.clone(),
            version: before.map_or(1, |profile| profile.version + 1),
            name: user.name.clone(),
            roles: user.roles.clone(),
            groups: user.groups.clone(),
            created_at: before.map_or(now, |profile| profile.created_at),
            last_login_at: now,
        }
    }

    /// The profile as the API shows it.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "kind": "user",
            "name": self.name,
            "roles": self.roles.iter().copied().map(ConsoleRole::as_str).collect::<Vec<_>>(),
            "groups": self.groups,
            "created_at": self.created_at.to_string(),
            "last_login_at": self.last_login_at.to_string(),
        })
    }
}
