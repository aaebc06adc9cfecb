//! Owns the hook of a link or of the deployment: where events go, which, and how they are signed.
//! Must not know how events arise or are sent.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cast::Cast;
use crate::deployment::DeploymentSettings;
use crate::ids::CastId;
use crate::record::Record;
use crate::time::Timestamp;
use crate::webhook::HookSecret;

/// For how long the secret before a rotation still signs, in seconds (a day).
pub const OLD_SECRET_SECONDS: u64 = 86_400;
/// A hook whose endpoint has failed for so long is paused, in seconds (five days): longer than all
/// tries of one delivery take.
pub const FAILING_SECONDS: u64 = 5 * 86_400;

/// What a hook tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HookEvent {
    /// A claim was accepted.
    #[serde(rename = "session.claimed")]
    Claimed,
    /// Its session is ready to be entered.
    #[serde(rename = "session.ready")]
    Ready,
    /// Its visitor has entered it.
    #[serde(rename = "session.entered")]
    Entered,
    /// It has ended, served or not.
    #[serde(rename = "session.ended")]
    Ended,
    /// Visitors of a link were refused, some minutes together.
    #[serde(rename = "claims.refused")]
    Refused,
    /// A budget has refused a claim.
    #[serde(rename = "budget.reached")]
    BudgetReached,
    /// An administrator asked for it.
    #[serde(rename = "hook.test")]
    Test,
}

impl HookEvent {
    /// What can be chosen; a test comes whatever was chosen.
    pub const CHOICES: [Self; 6] = [
        Self::Claimed,
        Self::Ready,
        Self::Entered,
        Self::Ended,
        Self::Refused,
        Self::BudgetReached,
    ];

    /// The event as the body of a delivery says it (`type`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "session.claimed",
            Self::Ready => "session.ready",
            Self::Entered => "session.entered",
            Self::Ended => "session.ended",
            Self::Refused => "claims.refused",
            Self::BudgetReached => "budget.reached",
            Self::Test => "hook.test",
        }
    }

    /// Reads an event that can be chosen.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::CHOICES.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let words = Self::CHOICES.map(Self::as_str).join(", ");
            format!("must be one of {words}.")
        })
    }
}

/// Where the events of a link, or of the deployment, are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Whether they are sent.
    #[serde(default)]
    pub enabled: bool,
    /// The receiver; kept while it is off.
    #[serde(default)]
    pub url: Option<String>,
    /// Which; empty is all.
    #[serde(default)]
    pub events: BTreeSet<HookEvent>,
}

impl Hook {
    /// Whether nothing was ever set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The receiver; `None` while nothing is sent.
    pub fn receiver(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| self.enabled)
    }

    /// Whether this event is sent.
    pub fn wants(&self, event: HookEvent) -> bool {
        self.receiver().is_some() && (self.events.is_empty() || self.events.contains(&event))
    }
}

/// Whose hook it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HookId {
    /// The deployment's.
    Deployment,
    /// A link's.
    Cast(CastId),
}

impl HookId {
    /// What the deployment's hook is called.
    pub const DEPLOYMENT: &'static str = "deployment";

    /// Reads the id of a link, or `deployment`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == Self::DEPLOYMENT {
            Some(Self::Deployment)
        } else {
            CastId::parse(text).map(Self::Cast)
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployment => Self::DEPLOYMENT,
            Self::Cast(id) => id.as_str(),
        }
    }

    /// The hooks of a link and of the deployment that want this event.
    pub fn of(event: HookEvent, cast: &Cast, deployment: &DeploymentSettings) -> Vec<Self> {
        let link = cast.settings.hook.wants(event);
        let link = link.then(|| Self::Cast(cast.id.clone()));
        let all = deployment.hook.wants(event).then_some(Self::Deployment);
        link.into_iter().chain(all).collect()
    }
}

impl fmt::Display for HookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<HookId> for String {
    fn from(id: HookId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for HookId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the id of a hook")
    }
}

/// What is known of a hook beside its settings: what it signs with, and how its receiver does. Never
/// exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookState {
    id: HookId,
    /// Grows with every change.
    pub version: u64,
    /// What it signs with.
    pub secret: HookSecret,
    /// When that was made.
    pub secret_made_at: Timestamp,
    /// What it signed with before, and until when it signs with that as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<(HookSecret, Timestamp)>,
    /// Since when no delivery has succeeded, if the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Why and since when nothing is sent any more, until an administrator resumes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: PauseReason,
}

/// Why a hook is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// The receiver answered 410.
    Gone,
    /// It has failed for [`FAILING_SECONDS`].
    Failing,
}

impl PauseReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Gone, Self::Failing];

    /// In one word, as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl HookState {
    /// Of a hook that has never sent anything.
    pub const fn new(id: HookId, secret: HookSecret, now: Timestamp) -> Self {
        Self {
            id,
            version: 1,
            secret,
            secret_made_at: now,
            previous: None,
            failing_since: None,
            paused: None,
        }
    }

    /// Whose it is.
    pub const fn hook(&self) -> &HookId {
        &self.id
    }

    /// The secrets that sign at `now`, the current one first.
    pub fn secrets(&self, now: Timestamp) -> Vec<&HookSecret> {
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until);
        std::iter::once(&self.secret)
            .chain(previous.map(|(secret, _)| secret))
            .collect()
    }

    /// With another secret; the one before signs as well for [`OLD_SECRET_SECONDS`].
    #[must_use]
    pub fn rotated(&self, secret: HookSecret, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            previous: Some((self.secret.clone(), now.plus_seconds(OLD_SECRET_SECONDS))),
            secret,
            secret_made_at: now,
            ..self.clone()
        }
    }

    /// What a success, or a failure with this status, makes of it; `None` when nothing changes.
    pub fn after_attempt(
        &self,
        succeeded: bool,
        status: Option<u16>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut after = self.clone();
        after.version += 1;
        after.failing_since = match self.failing_since {
            _ if succeeded => None,
            None => Some(now),
            since => since,
        };
        let is_failing = after
            .failing_since
            .is_some_and(|since| since.seconds_until(now) >= FAILING_SECONDS);
        let reason = if status == Some(GONE) {
            Some(PauseReason::Gone)
        } else {
            is_failing.then_some(PauseReason::Failing)
        };
        if let (None, Some(reason)) = (&self.paused, reason) {
            after.paused = Some(Pause { at: now, reason });
        }
        let changed = after.failing_since != self.failing_since || after.paused != self.paused;
        changed.then_some(after)
    }

    /// Sending goes on; `None` when it is not paused.
    pub fn resumed(&self) -> Option<Self> {
        self.paused.as_ref()?;
        Some(Self {
            version: self.version + 1,
            failing_since: None,
            paused: None,
            ..self.clone()
        })
    }
}

/// The status by which a receiver says that it wants nothing any more.
const GONE: u16 = 410;

impl Record for HookState {
    const KIND: &'static str = "hook";
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
    use crate::testing::{NOON, cast};

    fn state() -> HookState {
        HookState::new(HookId::Deployment, HookSecret::from_bytes([1; 32]), NOON)
    }

    #[test]
    fn hook_wants_what_was_chosen_while_it_is_on() {
        let url = Some("https://example.com/hook".to_owned());
        let all = Hook {
            enabled: true,
            url: url.clone(),
            ..Hook::default()
        };
        let ends = Hook {
            events: [HookEvent::Ended].into(),
            ..all.clone()
        };
        let off = Hook {
            enabled: false,
            ..all.clone()
        };
        let nowhere = Hook {
            url: None,
            ..all.clone()
        };
        for (name, hook, event, wanted) in [
            ("all", &all, HookEvent::Refused, true),
            ("chosen", &ends, HookEvent::Ended, true),
            ("not chosen", &ends, HookEvent::Claimed, false),
            ("off", &off, HookEvent::Ended, false),
            ("no receiver", &nowhere, HookEvent::Ended, false),
        ] {
            assert_eq!(hook.wants(event), wanted, "{name}");
        }
        let mut link = cast(1);
        link.settings.hook = ends;
        let mut deployment = DeploymentSettings {
            hook: all,
            ..DeploymentSettings::default()
        };
        let of_link = HookId::Cast(link.id.clone());
        assert_eq!(
            HookId::of(HookEvent::Ended, &link, &deployment),
            [of_link, HookId::Deployment]
        );
        assert_eq!(
            HookId::of(HookEvent::Claimed, &link, &deployment),
            [HookId::Deployment]
        );
        deployment.hook = off;
        assert_eq!(HookId::of(HookEvent::Claimed, &link, &deployment), []);
    }

    #[test]
    fn ids_of_hooks_round_trip() {
        let link = HookId::Cast(cast(1).id);
        for id in [HookId::Deployment, link] {
            assert_eq!(HookId::parse(id.as_str()), Some(id.clone()));
        }
        for other in ["", "c1", "Deployment", "saaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(HookId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn rotated_secret_signs_beside_the_new_one_for_a_day() {
        let before = state();
        let new = HookSecret::from_bytes([2; 32]);
        let after = before.rotated(new.clone(), NOON);
        let last = NOON.plus_seconds(OLD_SECRET_SECONDS - 1);
        assert_eq!(after.secrets(last), [&new, &before.secret]);
        assert_eq!(after.secrets(NOON.plus_seconds(OLD_SECRET_SECONDS)), [&new]);
        assert_eq!(before.secrets(NOON), [&before.secret]);
    }

    #[test]
    fn hook_is_paused_by_410_and_after_days_of_failures() {
        let failing = HookState {
            failing_since: Some(NOON),
            ..state()
        };
        let paused = |state: Option<HookState>| {
            let pause = state.and_then(|state| state.paused);
            pause.map(|pause| pause.reason)
        };
        let late = NOON.plus_seconds(FAILING_SECONDS);
        for (name, before, succeeded, status, now, reason) in [
            ("the first failure", state(), false, Some(500), NOON, None),
            (
                "a moment before",
                failing.clone(),
                false,
                None,
                late.minus_seconds(1),
                None,
            ),
            (
                "days of failures",
                failing.clone(),
                false,
                None,
                late,
                Some(PauseReason::Failing),
            ),
            (
                "a success after days",
                failing.clone(),
                true,
                Some(200),
                late,
                None,
            ),
            (
                "gone",
                state(),
                false,
                Some(410),
                NOON,
                Some(PauseReason::Gone),
            ),
        ] {
            let after = before.after_attempt(succeeded, status, now);
            assert_eq!(paused(after), reason, "{name}");
        }
        assert_eq!(
            state().after_attempt(true, Some(204), NOON),
            None,
            "as before"
        );
        assert_eq!(failing.after_attempt(false, None, NOON), None, "known");
        let gone = state()
            .after_attempt(false, Some(410), NOON)
            .expect("is paused");
        let resumed = gone.resumed().expect("goes on");
        assert_eq!((resumed.paused, resumed.failing_since), (None, None));
        assert_eq!(state().resumed(), None);
    }
}
