//! Owns what every page of the console knows of the visit it answers: who looks, what they may do, and what has just been done. Must not know pages.

use casting_core::time::Timestamp;

/// The visit that a page answers.
#[derive(Clone, Debug)]
pub struct Frame {
    /// For the Content-Security-Policy.
    pub nonce: String,
    /// Sent back by every form, so that no other site can send it.
    pub csrf_token: String,
    /// Who has signed in; nobody has on the way in.
    pub who: Option<Who>,
    /// Our own origin, without a slash at its end.
    pub public_url: String,
    /// The current time.
    pub now: Timestamp,
    /// What has just been done.
    pub flash: Option<Flash>,
}

/// Who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The name, as the provider or the key has it.
    pub name: String,
    /// The role, in a word or two.
    pub role: String,
    /// The scopes in which they may write.
    pub scopes: Vec<String>,
}

impl Frame {
    /// Whether they may write in this scope. Pages leave out what they may not; the verbs ask for themselves.
    pub fn may(&self, scope: &str) -> bool {
        self.who
            .as_ref()
            .is_some_and(|who| who.scopes.iter().any(|held| held == scope))
    }

    /// Whether whoever has signed in may change nothing at all.
    pub fn only_looks(&self) -> bool {
        self.who
            .as_ref()
            .is_some_and(|who| who.scopes.iter().all(|held| held == "read"))
    }
}

/// One sentence on what has just been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// How it went.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// Where a form is sent that takes it back.
    pub undo: Option<String>,
}

/// How something is to be taken. Never told by colour alone: there is a word or a sign beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a second look.
    Warn,
    /// Not as it should be.
    Bad,
    /// On its way, or alive.
    Live,
    /// Neither.
    Plain,
}

impl Tone {
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
