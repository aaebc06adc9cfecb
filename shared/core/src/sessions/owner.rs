//! Owns who a session belongs to. Must not know how they prove it.

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, UserId};
use crate::time::Timestamp;

/// Who a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Owner {
    /// Minted for the request (seed: Allow Anonymous). This is the whole record of an anonymous
    /// user, in *All Users* and in this group.
    Anonymous {
        /// The minted user.
        id: UserId,
        /// seed: Anonymous User Group.
        #[serde(default)]
        group: Option<GroupId>,
        /// When the user is forgotten, but never while the session lives; `None` is when the ledger
        /// forgets the session.
        #[serde(default)]
        expires_at: Option<Timestamp>,
    },
    /// A user who has logged in.
    User {
        /// Who.
        id: UserId,
        /// What they are called.
        name: String,
    },
    /// An anonymous user whose data was removed.
    #[serde(rename = "forgotten")]
    Anonymised,
    /// No visitor yet: the session waits in a pool.
    #[serde(rename = "nobody")]
    Unassigned,
}

impl Owner {
    /// Whether this is a user who has logged in, and this one.
    pub fn is_user(&self, user: Option<&UserId>) -> bool {
        matches!(self, Self::User { id, .. } if user == Some(id))
    }

    /// The user's id; `None` when there is no user, or none any more.
    pub const fn id(&self) -> Option<&UserId> {
        match self {
            Self::Anonymous { id, .. } | Self::User { id, .. } => Some(id),
            Self::Anonymised | Self::Unassigned => None,
        }
    }
}
