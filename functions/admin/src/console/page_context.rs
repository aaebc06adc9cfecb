//! Owns the context of every console page: the current user, their permissions, and the flash
//! message. Must not know pages.

use casting_core::deployment::Maintenance;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::time_format::Moment;
use super::zone::Zone;

/// The context of a page.
#[derive(Clone, Debug)]
pub struct PageContext {
    /// For the Content-Security-Policy.
    pub nonce: String,
    /// Sent back by every form, so that no other site can send it.
    pub csrf_token: String,
    /// The current user; `None` before the sign-in.
    pub user: Option<CurrentUser>,
    /// Our own origin, without a slash at its end.
    pub public_url: String,
    /// The current time.
    pub now: Timestamp,
    /// The message about the last action.
    pub flash: Option<Flash>,
    /// The maintenance of the deployment, while it is on.
    pub maintenance: Option<Maintenance>,
    /// The time zone in which times are shown and typed.
    pub zone: Zone,
}

/// The current user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentUser {
    /// The name, as the provider or the key has it.
    pub name: String,
    /// The role, in a word or two.
    pub role: String,
    /// The scopes in which they may write.
    pub scopes: Vec<String>,
}

impl PageContext {
    /// Whether they may write in this scope. Pages leave out what they may not; the verbs ask for
    /// themselves.
    pub fn may(&self, scope: &str) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.scopes.iter().any(|held| held == scope))
    }

    /// A time, as seen from now, in the zone of the administrator.
    pub fn moment(&self, at: &Timestamp) -> Moment {
        Moment::new(*at, self.now, &self.zone)
    }

    /// The time in a field of a document, when there is one.
    pub fn moment_of(&self, value: &Value) -> Option<Moment> {
        // What was never written, such as a built-in group, has the beginning of time.
        let at = Timestamp::parse(value.as_str()?).filter(|at| at.millis() > 0)?;
        Some(self.moment(&at))
    }

    /// Whether the user has read access only.
    pub fn only_looks(&self) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.scopes.iter().all(|held| held == "read"))
    }
}

/// A message about the last action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// How it is to be read.
    pub severity: Severity,
    /// The sentence.
    pub text: String,
    /// The entries of the audit log that undo it.
    pub undo: Vec<String>,
}

/// The severity of a badge or message. Never shown by colour alone: a word or a sign stands beside
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Good,
    /// A warning.
    Warn,
    /// An error.
    Bad,
    /// On its way, or alive.
    Live,
    /// Neither.
    Plain,
}

impl Severity {
    /// The word in the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Live => "live",
            Self::Plain => "plain",
        }
    }
}
