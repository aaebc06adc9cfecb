//! Owns the settings of the whole deployment that administrators change while it runs. Must not
//! know how they are stored or edited (see `settings_form`).

use serde::{Deserialize, Serialize};

use crate::address_rules::AddressRule;
use crate::brand::Brand;
use crate::captcha::CaptchaSettings;
use crate::hook::Hook;
use crate::record::Record;
use crate::time::Timestamp;

/// The settings; there is one record of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    id: String,
    /// Grows with every change; 0 before the first one.
    pub version: u64,
    /// What the administrator set.
    pub settings: DeploymentSettings,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
}

/// The id of the one record.
pub const DEPLOYMENT_ID: &str = "system";

impl Deployment {
    /// The settings at this version.
    pub fn new(version: u64, settings: DeploymentSettings, updated_at: Timestamp) -> Self {
        Self {
            id: DEPLOYMENT_ID.into(),
            version,
            settings,
            updated_at,
        }
    }
}

/// Maintenance of the whole deployment: while it is on, no link starts a session; running ones
/// continue. Message and end are kept while it is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Whether it is on.
    #[serde(default)]
    pub is_on: bool,
    /// What refused visitors read, as the administrator typed it.
    #[serde(default)]
    pub message: Option<String>,
    /// When it is expected to be over; nothing ends it by itself.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Since when it is on; `None` while it is off.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Who switched it on, as administrators read it; `None` while it is off.
    #[serde(default)]
    pub by: Option<String>,
}

impl Maintenance {
    /// The same, with the actor and the time noted where this change has switched it on.
    #[must_use]
    pub fn noted(self, before: &Self, by: &str, now: Timestamp) -> Self {
        let (since, by) = match (self.is_on, before.is_on) {
            (false, _) => (None, None),
            (true, true) => (before.since, before.by.clone()),
            (true, false) => (Some(now), Some(by.to_owned())),
        };
        Self { since, by, ..self }
    }
}

/// The limits that a new deployment begins with. They are no settings: they become some with its
/// first link, and a deployment that has links already is not touched by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstLimits {
    /// See [`DeploymentSettings::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`DeploymentSettings::budget_per_hour_cents`].
    pub budget_per_hour_cents: Option<u32>,
    /// See [`DeploymentSettings::budget_per_day_cents`].
    pub budget_per_day_cents: Option<u32>,
}

impl FirstLimits {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The settings of a deployment that begins with these limits.
    pub fn settings(self) -> DeploymentSettings {
        DeploymentSettings {
            max_sessions: self.max_sessions,
            // The version of the first settings that are written.
            counted_since: u64::from(self.max_sessions.is_some()),
            budget_per_hour_cents: self.budget_per_hour_cents,
            budget_per_day_cents: self.budget_per_day_cents,
            ..DeploymentSettings::default()
        }
    }
}

impl Default for Deployment {
    /// The settings before the first change.
    fn default() -> Self {
        Self::new(0, DeploymentSettings::default(), Timestamp::from_millis(0))
    }
}

impl Record for Deployment {
    const KIND: &'static str = "settings";
    fn id(&self) -> &str {
        &self.id
    }
    fn version(&self) -> u64 {
        self.version
    }
}

/// What an administrator sets for the whole deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentSettings {
    /// How visitors are checked (seed: Require reCAPTCHA).
    #[serde(default)]
    pub captcha: CaptchaSettings,
    /// Whom refused visitors can ask, where their link names no contact of its own.
    #[serde(default)]
    pub contact: Option<String>,
    /// The brand on the visitors' pages; a cast may have its own.
    #[serde(default, skip_serializing_if = "Brand::is_empty")]
    pub brand: Brand,
    /// When an anonymous user is forgotten, in hours after the claim, but never while the session
    /// lives; `None` is never.
    #[serde(default)]
    pub anonymous_user_hours: Option<u32>,
    /// How many anonymous users the whole deployment makes in a clock hour; `None` is as many as
    /// come.
    #[serde(default)]
    pub anonymous_users_per_hour: Option<u32>,
    /// Whether the deployment is in maintenance.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// How many sessions may live at once; 0 admits none, `None` is no limit.
    #[serde(default)]
    pub max_sessions: Option<u32>,
    /// The version of the settings in which `max_sessions` was last set after there was no limit:
    /// since then live sessions are counted.
    #[serde(default)]
    pub counted_since: u64,
    /// What the sessions claimed in one clock hour may cost together, in US cents; `None` is no
    /// limit.
    #[serde(default)]
    pub budget_per_hour_cents: Option<u32>,
    /// The same of one day (UTC).
    #[serde(default)]
    pub budget_per_day_cents: Option<u32>,
    /// Where events of all links are sent.
    #[serde(default, skip_serializing_if = "Hook::is_empty")]
    pub hook: Hook,
    /// Addresses that get nothing from any link.
    #[serde(default)]
    pub banned_addresses: Vec<AddressRule>,
    /// How many claims and unknown keys one address may try in a minute on one function instance.
    pub attempts_per_minute: u32,
    /// What one administrator, or one API key, may ask in a minute of one function instance.
    #[serde(default = "usual_calls")]
    pub calls_per_minute: u32,
}

const fn usual_calls() -> u32 {
    1200
}

impl Default for DeploymentSettings {
    fn default() -> Self {
        Self {
            captcha: CaptchaSettings::default(),
            contact: None,
            brand: Brand::default(),
            anonymous_user_hours: Some(8),
            anonymous_users_per_hour: None,
            maintenance: Maintenance::default(),
            max_sessions: None,
            counted_since: 0,
            budget_per_hour_cents: None,
            budget_per_day_cents: None,
            hook: Hook::default(),
            banned_addresses: Vec::new(),
            attempts_per_minute: 120,
            calls_per_minute: usual_calls(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;

    #[test]
    fn maintenance_notes_who_switched_it_on() {
        let off = Maintenance::default();
        let on = Maintenance {
            is_on: true,
            ..off.clone()
        };
        let later = NOON.plus_seconds(60);
        let by_ann = on.clone().noted(&off, "Ann", NOON);
        assert_eq!(
            (by_ann.since, by_ann.by.as_deref()),
            (Some(NOON), Some("Ann"))
        );
        let other_message = Maintenance {
            message: Some("Back at noon".into()),
            ..on
        };
        let still = other_message.noted(&by_ann, "Ben", later);
        assert_eq!(
            (still.since, still.by.as_deref()),
            (Some(NOON), Some("Ann"))
        );
        let over = Maintenance {
            is_on: false,
            ..still.clone()
        };
        let over = over.noted(&still, "Ben", later);
        assert_eq!((over.since, over.by), (None, None));
        assert_eq!(over.message, still.message, "kept for the next time");
    }
}
